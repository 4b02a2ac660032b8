package packet

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// Headers, laid out once. Lengths are those of a 4-byte payload "OPTI" right
// behind the UDP header.
var (
	ether4 = []byte{
		0x02, 0, 0, 0, 0, 2, // to
		0x02, 0, 0, 0, 0, 1, // from
		0x08, 0x00, // IPv4
	}
	ether6 = []byte{
		0x02, 0, 0, 0, 0, 2, // to
		0x02, 0, 0, 0, 0, 1, // from
		0x86, 0xdd, // IPv6
	}
	ip4 = []byte{
		0x45, 0, 0, 32, // version 4, 5 words; type of service; total length 20+8+4
		0x12, 0x34, 0x40, 0, // identification, don't fragment
		64, 17, 0, 0, // time to live, UDP, checksum (not looked at)
		192, 0, 2, 1,
		192, 0, 2, 2,
	}
	ip6 = []byte{
		0x60, 0, 0, 0, // version 6
		0, 12, 17, 64, // payload length 8+4, UDP, hop limit
		0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
		0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2,
	}
	udpHeader = []byte{
		0x13, 0xc4, 0x13, 0xd8, // ports 5060, 5080
		0, 12, 0xff, 0xff, // length 8+4, checksum (wrong, not looked at)
	}
	tcpHeader = []byte{
		0x13, 0xc4, 0x13, 0xd8, // ports 5060, 5080
		0x01, 0x02, 0x03, 0x04, // sequence number
		0xf1, 0xf2, 0xf3, 0xf4, // acknowledgement number
		0x50, 0x18, // 5 words; ACK, PSH
		0xff, 0xff, 0xff, 0xff, 0, 0, // window, checksum (wrong, not looked at), urgent pointer
	}
	body = []byte("OPTI")
)

func join(parts ...[]byte) []byte { return slices.Concat(parts...) }

// with returns b with some bytes changed: place, value, place, value ...
func with(b []byte, changes ...int) []byte {
	b = slices.Clone(b)
	for i := 0; i < len(changes); i += 2 {
		b[changes[i]] = byte(changes[i+1])
	}
	return b
}

func wire(link Link, parts ...[]byte) Frame {
	data := join(parts...)
	return Frame{Time: 1e18, Link: link, Data: data, Wire: len(data), Source: 3}
}

// cut is the frame as a snap length leaves it.
func cut(f Frame, n int) Frame {
	f.Data = f.Data[:n]
	return f
}

// noAllocs checks that decoding again costs nothing.
func noAllocs(t *testing.T, d *Decoder, f *Frame) {
	t.Helper()
	if n := testing.AllocsPerRun(100, func() { d.Decode(f) }); n != 0 {
		t.Errorf("%v allocations a frame, want 0", n)
	}
}

func TestDecode(t *testing.T) {
	var (
		v4 = [2]string{"192.0.2.1:5060", "192.0.2.2:5080"}
		v6 = [2]string{"[2001:db8::1]:5060", "[2001:db8::2]:5080"}
		id = uint32(0x1234)
	)
	for _, c := range []struct {
		name  string
		frame Frame
		ends  [2]string
		ipid  uint32
		check func(p *Packet) bool
	}{
		{"ethernet ipv4", wire(LinkEthernet, ether4, ip4, udpHeader, body), v4, id,
			func(p *Packet) bool {
				return p.HasMAC && p.SrcMAC == [6]byte{2, 0, 0, 0, 0, 1} && p.DstMAC == [6]byte{2, 0, 0, 0, 0, 2} && len(p.Encap) == 0
			}},
		{"ethernet ipv6", wire(LinkEthernet, ether6, ip6, udpHeader, body), v6, 0, nil},
		{"padding to 60 bytes", wire(LinkEthernet, ether4, ip4, udpHeader, body, make([]byte, 14)), v4, id,
			func(p *Packet) bool { return !p.Cut }},
		{"snap length within the padding", cut(wire(LinkEthernet, ether4, ip4, udpHeader, body, make([]byte, 14)), 50), v4, id,
			func(p *Packet) bool { return !p.Cut }},
		{"vlan", wire(LinkEthernet, with(ether4, 12, 0x81, 13, 0x00),
			[]byte{0x63, 0x46}, // priority 3, identifier 838
			[]byte{0x08, 0x00}, ip4, udpHeader, body), v4, id,
			func(p *Packet) bool {
				return slices.Equal(p.VLANs, []uint16{838}) && slices.Equal(p.Encap, []Layer{LayerVLAN})
			}},
		{"qinq", wire(LinkEthernet, with(ether4, 12, 0x88, 13, 0xa8),
			[]byte{0x00, 0x64, 0x81, 0x00}, // service tag 100
			[]byte{0x00, 0x07, 0x08, 0x00}, // customer tag 7
			ip4, udpHeader, body), v4, id,
			func(p *Packet) bool {
				return slices.Equal(p.VLANs, []uint16{100, 7}) && slices.Equal(p.Encap, []Layer{LayerQinQ, LayerVLAN})
			}},
		{"qinq of old kind", wire(LinkEthernet, with(ether4, 12, 0x91, 13, 0x00),
			[]byte{0x00, 0x64, 0x81, 0x00},
			[]byte{0x00, 0x07, 0x86, 0xdd},
			ip6, udpHeader, body), v6, 0,
			func(p *Packet) bool { return slices.Equal(p.VLANs, []uint16{100, 7}) }},
		{"five tags, four kept", wire(LinkEthernet, with(ether4, 12, 0x81, 13, 0x00),
			[]byte{0, 1, 0x81, 0}, []byte{0, 2, 0x81, 0}, []byte{0, 3, 0x81, 0}, []byte{0, 4, 0x81, 0}, []byte{0, 5, 0x08, 0},
			ip4, udpHeader, body), v4, id,
			func(p *Packet) bool { return slices.Equal(p.VLANs, []uint16{1, 2, 3, 4}) && len(p.Encap) == 5 }},
		{"sll", wire(LinkSLL,
			[]byte{0, 4, 0, 1, 0, 6}, // outgoing, Ethernet, 6 bytes of address
			[]byte{2, 0, 0, 0, 0, 1, 0, 0},
			[]byte{0x08, 0x00}, ip4, udpHeader, body), v4, id,
			func(p *Packet) bool { return !p.HasMAC }},
		{"sll with a wild address length", wire(LinkSLL,
			[]byte{0, 4, 0, 1, 0xff, 0xfe},
			[]byte{2, 0, 0, 0, 0, 1, 0, 0},
			[]byte{0x08, 0x00}, ip4, udpHeader, body), v4, id, nil},
		{"sll2", wire(LinkSLL2,
			[]byte{0x86, 0xdd, 0, 0}, // IPv6
			[]byte{0, 1, 0, 2},       // interface 65538
			[]byte{0, 1, 0, 6},       // Ethernet, to us, 6 bytes of address
			[]byte{2, 0, 0, 0, 0, 1, 0, 0}, ip6, udpHeader, body), v6, 0,
			func(p *Packet) bool { return p.Iface == 65538 }},
		{"sll with half an inner tag", wire(LinkSLL,
			[]byte{0, 3, 0, 1, 0, 6}, // to another host, Ethernet, 6 bytes of address
			[]byte{2, 0, 0, 0, 0, 1, 0, 0},
			[]byte{0x88, 0xa8, 0x03, 0x46, 0x08, 0x00}, // service tag 838
			[]byte{0x41, 0xa4, 0x08, 0x00},             // the rest of customer tag 420: priority 2, which looks like version 4
			ip4, udpHeader, body), v4, id,
			func(p *Packet) bool { return slices.Equal(p.VLANs, []uint16{838, 420}) }},
		{"sll2 with half an inner tag, ipv6", wire(LinkSLL2,
			[]byte{0x81, 0x00, 0, 0, 0, 0, 0, 7, 0, 1, 0, 6}, make([]byte, 8),
			[]byte{0x03, 0x46, 0x86, 0xdd},
			[]byte{0x01, 0xa4, 0x86, 0xdd},
			ip6, udpHeader, body), v6, 0,
			func(p *Packet) bool { return slices.Equal(p.VLANs, []uint16{838, 420}) }},
		{"null little-endian", wire(LinkNull, []byte{2, 0, 0, 0}, ip4, udpHeader, body), v4, id, nil},
		{"null big-endian", wire(LinkNull, []byte{0, 0, 0, 2}, ip4, udpHeader, body), v4, id, nil},
		{"null ipv6 linux", wire(LinkNull, []byte{10, 0, 0, 0}, ip6, udpHeader, body), v6, 0, nil},
		{"null ipv6 windows", wire(LinkNull, []byte{23, 0, 0, 0}, ip6, udpHeader, body), v6, 0, nil},
		{"null ipv6 openbsd", wire(LinkNull, []byte{0, 0, 0, 24}, ip6, udpHeader, body), v6, 0, nil},
		{"null ipv6 freebsd", wire(LinkNull, []byte{28, 0, 0, 0}, ip6, udpHeader, body), v6, 0, nil},
		{"loop ipv6 macos", wire(LinkLoop, []byte{0, 0, 0, 30}, ip6, udpHeader, body), v6, 0, nil},
		{"raw ipv4", wire(LinkRaw, ip4, udpHeader, body), v4, id, nil},
		{"raw ipv6", wire(LinkRawBSD, ip6, udpHeader, body), v6, 0, nil},
		{"raw, openbsd's number", wire(LinkRawOpen, ip4, udpHeader, body), v4, id, nil},
		{"link ipv4", wire(LinkIPv4, ip4, udpHeader, body), v4, id, nil},
		{"link ipv6", wire(LinkIPv6, ip6, udpHeader, body), v6, 0, nil},
		{"ipv4 options", wire(LinkIPv4, with(ip4, 0, 0x46, 3, 36),
			[]byte{148, 4, 0, 0}, // router alert
			udpHeader, body), v4, id, nil},
		{"ipv4 options that make no sense", wire(LinkIPv4, with(ip4, 0, 0x46, 3, 36),
			[]byte{7, 200, 1, 1}, // record route, 200 bytes long
			udpHeader, body), v4, id, nil},
		{"ipv4 length 0", wire(LinkIPv4, with(ip4, 3, 0), udpHeader, body), v4, id, nil},
		{"ipv6 length 0", wire(LinkIPv6, with(ip6, 5, 0), udpHeader, body), v6, 0, nil},
		{"udp length 0", wire(LinkIPv4, ip4, with(udpHeader, 5, 0), body), v4, id, nil},
		{"udp shorter than ip", wire(LinkIPv4, with(ip4, 3, 36), udpHeader, body, []byte("junk")), v4, id, nil},
		{"ipv6 hop-by-hop, destination, routing", wire(LinkIPv6, with(ip6, 5, 12+8+16+24, 6, 0),
			[]byte{60, 0, 5, 2, 0, 0, 1, 0},                          // hop-by-hop, 8 bytes: router alert
			[]byte{43, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, // destination options, 16 bytes
			[]byte{17, 2, 0, 1, 0, 0, 0, 0}, ip6[8:24],               // routing, 24 bytes
			udpHeader, body, []byte("trailer")), v6, 0, nil},
		{"authentication header after ipv4", wire(LinkIPv4, with(ip4, 3, 32+24, 9, 51),
			[]byte{17, 4, 0, 0}, make([]byte, 20), // 24 bytes
			udpHeader, body), v4, id,
			func(p *Packet) bool { return slices.Equal(p.Encap, []Layer{LayerAuth}) }},
		{"authentication header after ipv6", wire(LinkIPv6, with(ip6, 5, 12+24, 6, 51),
			[]byte{17, 4, 0, 0}, make([]byte, 20),
			udpHeader, body), v6, 0, nil},
		{"atomic fragment", wire(LinkIPv6, with(ip6, 5, 12+8, 6, 44),
			[]byte{17, 0, 0, 0, 0xca, 0xfe, 0xba, 0xbe}, // offset 0, no more
			udpHeader, body), v6, 0xcafebabe,
			func(p *Packet) bool { return !p.Fragmented }},
		{"4in6-mapped addresses in an ipv6 header", wire(LinkIPv6, ip6[:8],
			[]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1},
			[]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 2},
			udpHeader, body), [2]string{"[::ffff:192.0.2.1]:5060", "[::ffff:192.0.2.2]:5080"}, 0, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := New(Config{})
			if why := d.Decode(&c.frame); why != OK {
				t.Fatalf("dropped: %v", why)
			}
			if d.Src != netip.MustParseAddrPort(c.ends[0]) || d.Dst != netip.MustParseAddrPort(c.ends[1]) {
				t.Errorf("from %v to %v, want %v", d.Src, d.Dst, c.ends)
			}
			if d.Transport != UDP || !bytes.Equal(d.Payload, body) || d.Cut {
				t.Errorf("%v %q cut %v, want udp %q whole", d.Transport, d.Payload, d.Cut, body)
			}
			if d.IPID != c.ipid || d.Time != 1e18 || d.Source != 3 {
				t.Errorf("identification %#x time %d source %d", d.IPID, d.Time, d.Source)
			}
			if c.check != nil && !c.check(&d.Packet) {
				t.Errorf("not as wanted: %+v", d.Packet)
			}
			noAllocs(t, d, &c.frame)
		})
	}
}

func TestCut(t *testing.T) {
	whole := wire(LinkEthernet, ether4, ip4, udpHeader, body)
	lying := cut(whole, len(whole.Data)-3) // a tool that writes the captured length for both
	lying.Wire = len(lying.Data)
	for _, c := range []struct {
		name  string
		frame Frame
		want  string
	}{
		{"snap length in the payload", cut(whole, len(whole.Data)-1), "OPT"},
		{"snap length after the header", cut(whole, len(whole.Data)-4), ""},
		{"wire length not known", lying, "O"},
		{"udp length 0", cut(wire(LinkIPv4, ip4, with(udpHeader, 5, 0), body), 30), "OP"},
		{"ip length 0", cut(wire(LinkIPv4, with(ip4, 3, 0), udpHeader, body), 30), "OP"},
		{"both 0", cut(wire(LinkIPv4, with(ip4, 3, 0), with(udpHeader, 5, 0), body), 30), "OP"},
		{"ipv6", cut(wire(LinkIPv6, ip6, udpHeader, body), 50), "OP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := New(Config{})
			if why := d.Decode(&c.frame); why != OK {
				t.Fatalf("dropped: %v", why)
			}
			if string(d.Payload) != c.want || !d.Cut {
				t.Errorf("payload %q cut %v, want %q cut", d.Payload, d.Cut, c.want)
			}
			noAllocs(t, d, &c.frame)
		})
	}
	t.Run("not beyond the payload", func(t *testing.T) {
		f := cut(wire(LinkIPv4, with(ip4, 3, 36), udpHeader, body, []byte("junk")), 33)
		d := New(Config{})
		if why := d.Decode(&f); why != OK || d.Cut || string(d.Payload) != "OPTI" {
			t.Errorf("%v, payload %q cut %v, want a whole one", why, d.Payload, d.Cut)
		}
	})
}

// Refusals are decisions: whoever makes one of these readable changes its line.
func TestRefusals(t *testing.T) {
	other := func(etherType ...byte) Frame { return wire(LinkEthernet, ether4[:12], etherType, make([]byte, 46)) }
	proto4 := func(n int, parts ...[]byte) Frame {
		return wire(LinkIPv4, with(ip4, 9, n, 3, 20+len(join(parts...))), join(parts...))
	}
	next6 := func(n int, parts ...[]byte) Frame {
		return wire(LinkIPv6, with(ip6, 6, n, 5, len(join(parts...))), join(parts...))
	}
	tags := func(n int) Frame {
		b := with(ether4, 12, 0x81, 13, 0x00)
		for range n - 1 {
			b = append(b, 0, 1, 0x81, 0x00)
		}
		return wire(LinkEthernet, b, []byte{0, 1, 0x08, 0x00}, ip4, udpHeader, body)
	}
	for _, c := range []struct {
		name  string
		frame Frame
		want  Drop
	}{
		{"no bytes", wire(LinkEthernet), ShortHeader},
		{"ethernet short", wire(LinkEthernet, ether4[:13]), ShortHeader},
		{"vlan short", wire(LinkEthernet, with(ether4, 12, 0x81, 13, 0), []byte{0, 1, 8}), ShortHeader},
		{"sll short", wire(LinkSLL, make([]byte, 15)), ShortHeader},
		{"sll2 short", wire(LinkSLL2, make([]byte, 19)), ShortHeader},
		{"null short", wire(LinkNull, []byte{2, 0, 0}), ShortHeader},
		{"raw short", wire(LinkRaw), ShortHeader},
		{"ipv4 short", wire(LinkIPv4, ip4[:19]), ShortHeader},
		{"ipv4 options short", wire(LinkIPv4, with(ip4, 0, 0x4f, 3, 60)), ShortHeader},
		{"ipv6 short", wire(LinkIPv6, ip6[:39]), ShortHeader},
		{"hop-by-hop short", next6(0, []byte{17, 0, 5, 2, 0, 0, 1}), ShortHeader},
		{"hop-by-hop beyond the packet", next6(0, []byte{17, 1, 5, 2, 0, 0, 1, 0}), ShortHeader},
		{"fragment header short", next6(44, []byte{17, 0, 0, 1, 0, 0, 0}), ShortHeader},
		{"authentication header short", next6(51, make([]byte, 11)), ShortHeader},
		{"authentication header beyond the packet", next6(51, with(make([]byte, 12), 0, 17, 1, 4)), ShortHeader},
		{"udp short", proto4(17, udpHeader[:7]), ShortHeader},
		{"tcp without ports", proto4(6, []byte{0x13, 0xc4, 0x13}), ShortHeader},
		{"tcp short", proto4(6, tcpHeader[:19]), ShortHeader},
		{"tcp options cut off", cut(proto4(6, with(tcpHeader, 12, 0x80), make([]byte, 12)), 51), ShortHeader},
		{"sctp short", proto4(132, []byte{0x13, 0xc4, 0x13}), ShortHeader},
		{"icmp short", proto4(1, []byte{3, 3, 0}), ShortHeader},
		{"icmp6 short", next6(58, []byte{1, 4, 0}), ShortHeader},

		{"ipv4 with another version", wire(LinkIPv4, with(ip4, 0, 0x55), udpHeader, body), BadHeader},
		{"half a tag that is not from a cooked capture", wire(LinkEthernet, with(ether4, 12, 0x81, 13, 0),
			[]byte{0x03, 0x46, 0x08, 0x00, 0x01, 0xa4, 0x08, 0x00}, ip4, udpHeader, body), BadHeader},
		{"half a tag and no IP behind it", wire(LinkSLL, make([]byte, 14), []byte{0x81, 0},
			[]byte{0x03, 0x46, 0x08, 0x00, 0x01, 0xa4, 0x08, 0x00}, ip6, udpHeader, body), BadHeader},
		{"ipv6 under the number of ipv4", wire(LinkEthernet, ether4, ip6, udpHeader, body), BadHeader},
		{"ipv4 header of 16 bytes", wire(LinkIPv4, with(ip4, 0, 0x44), udpHeader, body), BadHeader},
		{"ipv6 with another version", wire(LinkIPv6, with(ip6, 0, 0x40), udpHeader, body), BadHeader},
		{"tcp header of 16 bytes", proto4(6, with(tcpHeader, 12, 0x40), body), BadHeader},
		{"tcp header beyond the packet", proto4(6, with(tcpHeader, 12, 0x70), body), BadHeader},
		{"authentication header of 8 bytes", next6(51, make([]byte, 12)), BadHeader},

		{"ipv4 total length within the header", wire(LinkIPv4, with(ip4, 3, 19), udpHeader, body), BadLength},
		{"udp length 7", proto4(17, with(udpHeader, 5, 7), body), BadLength},
		{"udp length beyond the packet", proto4(17, with(udpHeader, 5, 13), body), BadLength},

		{"link type 220", wire(220, make([]byte, 60)), UnknownLink},
		{"link type 65535", wire(65535, make([]byte, 60)), UnknownLink},

		{"arp", other(0x08, 0x06), NotIP},
		{"lldp", other(0x88, 0xcc), NotIP},
		{"spanning tree", other(0x00, 0x26), NotIP},
		{"ieee 802.3 with snap", other(0x00, 0x2e), NotIP},
		{"netlink in cooked", wire(LinkSLL, with(make([]byte, 16), 2, 3, 3, 0x38, 14, 8, 15, 0), ip4, udpHeader, body), NotIP},

		{"null with family 7", wire(LinkNull, []byte{7, 0, 0, 0}, ip4), UnknownNetwork},
		{"null with a wild family", wire(LinkNull, []byte{1, 2, 3, 4}, ip4), UnknownNetwork},
		{"raw with version 5", wire(LinkRaw, with(ip4, 0, 0x55)), UnknownNetwork},

		{"icmp echo", proto4(1, []byte{8, 0, 0, 0}), NotTransport},
		{"icmp6 neighbour solicitation", next6(58, []byte{135, 0, 0, 0}), NotTransport},
		{"igmp", proto4(2, make([]byte, 8)), NotTransport},
		{"no next header", next6(59), NotTransport},
		{"hop-by-hop after ipv4", proto4(0, []byte{17, 0, 5, 2, 0, 0, 1, 0}, udpHeader, body), NotTransport},
		{"fragment header after ipv4", proto4(44, []byte{17, 0, 0, 0, 0, 0, 0, 0}, udpHeader, body), NotTransport},
		{"icmp6 after ipv4", proto4(58, []byte{1, 4, 0, 0}), NotTransport},

		{"icmp port unreachable that quotes", proto4(1, []byte{3, 3, 0, 0, 0, 0, 0, 0}, ip4, udpHeader, body), ICMPError},
		{"icmp time exceeded", proto4(1, []byte{11, 0, 0, 0}), ICMPError},
		{"icmp6 port unreachable that quotes", next6(58, []byte{1, 4, 0, 0, 0, 0, 0, 0}, ip6, udpHeader, body), ICMPError},
		{"icmp6 packet too big", next6(58, []byte{2, 0, 0, 0}), ICMPError},

		{"30 layers of vlan", tags(30), Depth},
		{"sctp with half a header", next6(132, []byte{0x13, 0xc4, 0x13, 0xd8}, make([]byte, 7)), ShortHeader},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := New(Config{})
			if why := d.Decode(&c.frame); why != c.want {
				t.Fatalf("%v, want %v", why, c.want)
			}
			if d.Payload != nil {
				t.Errorf("payload %q of a dropped frame", d.Payload)
			}
			noAllocs(t, d, &c.frame)
		})
	}
	t.Run("29 layers of vlan pass", func(t *testing.T) {
		f, d := tags(29), New(Config{})
		if why := d.Decode(&f); why != OK {
			t.Errorf("dropped: %v", why)
		}
	})
}

// The ports of what is not read are there for the counters.
func TestPortsOfDropped(t *testing.T) {
	for proto, want := range map[int]Transport{6: TCP, 132: SCTP} {
		f := wire(LinkIPv4, with(ip4, 9, proto, 3, 31), udpHeader, body[:3]) // 11 bytes, too short for both
		d := New(Config{})
		if why := d.Decode(&f); why == OK || d.Transport != want || d.Src != netip.MustParseAddrPort("192.0.2.1:5060") {
			t.Errorf("%v: %v from %v", why, d.Transport, d.Src)
		}
	}
}

// The payload of SCTP is what follows the common header (RFC 9260 §3.1).
func TestSCTP(t *testing.T) {
	header := []byte{
		0x13, 0xc4, 0x13, 0xd8, // ports
		1, 2, 3, 4, // verification tag
		0, 0, 0, 0, // checksum
	}
	f := wire(LinkIPv4, with(ip4, 9, 132, 3, 20+12+4), header, []byte("\x0b\x00\x00\x04"))
	d := New(Config{})
	if why := d.Decode(&f); why != OK || d.Transport != SCTP || d.Src.Port() != 0x13c4 || d.Dst.Port() != 0x13d8 ||
		d.Seq != 0x01020304 || string(d.Payload) != "\x0b\x00\x00\x04" {
		t.Errorf("%v: %+v", why, d.Packet)
	}
}

func TestTCP(t *testing.T) {
	in4 := func(n int, parts ...[]byte) Frame { // in an IPv4 packet that says it has n bytes behind its header
		return wire(LinkIPv4, with(ip4, 9, 6, 2, (20+n)>>8, 3, 20+n), join(parts...))
	}
	in6 := func(n int, parts ...[]byte) Frame {
		return wire(LinkIPv6, with(ip6, 6, 6, 4, n>>8, 5, n), join(parts...))
	}
	big := bytes.Repeat([]byte("OPTIONS "), 8000) // as receive offload makes them
	for _, c := range []struct {
		name    string
		frame   Frame
		payload string
		flags   TCPFlags
		missing int // -1: not cut
	}{
		{"data", in4(24, tcpHeader, body), "OPTI", ACK | PSH, -1},
		{"ipv6", in6(24, tcpHeader, body), "OPTI", ACK | PSH, -1},
		{"an acknowledgement, padded to 60 bytes", in4(20, with(tcpHeader, 13, 0x10), make([]byte, 6)), "", ACK, -1},
		{"first of a connection, with options", in4(40, with(tcpHeader, 12, 0xa0, 13, 0x02),
			[]byte{2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7}), "", SYN, -1},
		{"options that make no sense", in4(28, with(tcpHeader, 12, 0x60), []byte{2, 200, 0, 0}, body), "OPTI", ACK | PSH, -1},
		{"all flags", in4(24, with(tcpHeader, 13, 0xff), body), "OPTI", FIN | SYN | RST | PSH | ACK | URG | ECE | CWR, -1},
		{"accurate ECN in the reserved bits", in4(24, with(tcpHeader, 12, 0x5f), body), "OPTI", ACK | PSH, -1},
		{"ip length 0, from segmentation offload", in4(-20, tcpHeader, big), string(big), ACK | PSH, -1},
		{"ipv6 length 0", in6(0, tcpHeader, big), string(big), ACK | PSH, -1},
		{"64,020 bytes", in4(20+len(big), tcpHeader, big), string(big), ACK | PSH, -1},
		{"snap length in the payload", cut(in4(24, tcpHeader, body), 41), "O", ACK | PSH, 3},
		{"snap length in the payload, ipv6", cut(in6(24, tcpHeader, body), 61), "O", ACK | PSH, 3},
		{"snap length behind the header", cut(in4(24, tcpHeader, body), 40), "", ACK | PSH, 4},
		{"snap length and ip length 0", cut(in4(-20, tcpHeader, big), 1040), string(big[:1000]), ACK | PSH, len(big) - 1000},
		{"snap length in the padding", cut(in4(20, tcpHeader, make([]byte, 6)), 43), "", ACK | PSH, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := New(Config{})
			if why := d.Decode(&c.frame); why != OK {
				t.Fatalf("dropped: %v", why)
			}
			if d.Transport != TCP || d.Src.Port() != 5060 || d.Dst.Port() != 5080 || string(d.Payload) != c.payload {
				t.Errorf("%v from %v to %v, %d bytes, want %d", d.Transport, d.Src, d.Dst, len(d.Payload), len(c.payload))
			}
			if d.Seq != 0x01020304 || d.Ack != 0xf1f2f3f4 || d.Flags != c.flags {
				t.Errorf("seq %#x ack %#x flags %v, want %v", d.Seq, d.Ack, d.Flags, c.flags)
			}
			if d.Cut != (c.missing >= 0) || d.Missing != max(c.missing, 0) {
				t.Errorf("cut %v, %d missing, want %d", d.Cut, d.Missing, c.missing)
			}
			noAllocs(t, d, &c.frame)
		})
	}
	if s := (SYN | ACK | CWR).String(); s != "SAC" || !(SYN | ACK).Has(SYN) || SYN.Has(SYN|ACK) {
		t.Errorf("flags %q", s)
	}
}

// A decoder is reused: nothing of a packet may show in the next.
func TestNothingLeftOver(t *testing.T) {
	rich := wire(LinkEthernet, with(ether4, 12, 0x81, 13, 0), []byte{0, 9, 0x86, 0xdd}, ip6, udpHeader, body)
	cooked := wire(LinkSLL2, []byte{0x08, 0, 0, 0, 0, 0, 0, 5, 0, 1, 0, 6}, make([]byte, 8), ip4, udpHeader, body)
	short := cut(wire(LinkRaw, ip4, udpHeader, body), 30)
	poor := wire(LinkRaw, []byte{0})
	segment := cut(wire(LinkIPv4, with(ip4, 9, 6, 3, 44), tcpHeader, body), 42)
	d := New(Config{})
	for _, f := range []*Frame{&rich, &cooked, &short, &segment} {
		if why := d.Decode(f); why != OK {
			t.Fatal(why)
		}
	}
	d.Decode(&rich)
	d.Decode(&poor)
	p := d.Packet
	if p.Src.IsValid() || p.Dst.IsValid() || p.Transport != TransportNone || p.Payload != nil || p.Cut || p.IPID != 0 ||
		p.Seq != 0 || p.Ack != 0 || p.Flags != 0 || p.Missing != 0 ||
		p.Fragmented || len(p.VLANs) != 0 || len(p.Encap) != 0 || p.HasMAC || p.Iface != 0 {
		t.Errorf("left over: %+v", p)
	}
}

// Tunnels in tunnels, by the example of VXLAN.
func TestTunnel(t *testing.T) {
	header := []byte{8, 0, 0, 0, 0, 1, 2, 0} // VXLAN, network 258
	// in puts b into Ethernet, IPv4 and UDP to port 4789.
	in := func(parts ...[]byte) []byte {
		b := join(parts...)
		length := 20 + 8 + len(b)
		return join(ether4, with(ip4, 2, length>>8, 3, length, 15, 7, 19, 8),
			with(udpHeader, 2, 0x12, 3, 0xb5, 4, (length-20)>>8, 5, length-20), b)
	}
	wrap := func(b []byte, n int) []byte {
		for range n {
			b = in(header, b)
		}
		return b
	}
	inner := join(ether4, ip4, udpHeader, body)
	t.Run("one level", func(t *testing.T) {
		f, d := wire(LinkEthernet, wrap(inner, 1)), New(Config{})
		if why := d.Decode(&f); why != OK || string(d.Payload) != "OPTI" {
			t.Fatalf("%v %q", why, d.Payload)
		}
		if d.Src != netip.MustParseAddrPort("192.0.2.1:5060") || d.OuterSrc != netip.MustParseAddr("192.0.2.7") || d.OuterDst != netip.MustParseAddr("192.0.2.8") {
			t.Errorf("from %v, outside %v to %v", d.Src, d.OuterSrc, d.OuterDst)
		}
		noAllocs(t, d, &f)
	})
	t.Run("seven levels", func(t *testing.T) {
		f, d := wire(LinkEthernet, wrap(inner, 7)), New(Config{})
		if why := d.Decode(&f); why != OK || string(d.Payload) != "OPTI" {
			t.Fatalf("%v %q", why, d.Payload)
		}
	})
	t.Run("64 levels are too many", func(t *testing.T) {
		f, d := wire(LinkEthernet, wrap(inner, 64)), New(Config{})
		if why := d.Decode(&f); why != Depth {
			t.Fatalf("%v, want %v", why, Depth)
		}
	})
	t.Run("the port is a hint, not a proof", func(t *testing.T) {
		f, d := wire(LinkEthernet, in([]byte("OPTIONS"))), New(Config{})
		if why := d.Decode(&f); why != OK || string(d.Payload) != "OPTIONS" {
			t.Fatalf("%v %q, want the payload", why, d.Payload)
		}
	})
	t.Run("what is refused further in stays refused", func(t *testing.T) {
		f, d := wire(LinkEthernet, wrap(with(inner, 12, 8, 13, 6), 1)), New(Config{})
		if why := d.Decode(&f); why != NotIP {
			t.Fatalf("%v, want %v", why, NotIP)
		}
	})
}

func TestPathHash(t *testing.T) {
	path := func(source uint32, iface uint32, vlans []uint16, encap []Layer) uint32 {
		return (&Packet{Source: source, Iface: iface, VLANs: vlans, Encap: encap}).PathHash()
	}
	seen := map[uint32]string{}
	for name, h := range map[string]uint32{
		"plain":        path(0, 0, nil, nil),
		"source":       path(1, 0, nil, nil),
		"interface":    path(0, 1, nil, nil),
		"vlan 0":       path(0, 0, []uint16{0}, []Layer{LayerVLAN}),
		"vlan 1":       path(0, 0, []uint16{1}, []Layer{LayerVLAN}),
		"vlan 1 other": path(0, 0, []uint16{1}, []Layer{LayerQinQ}),
		"vlan 1 2":     path(0, 0, []uint16{1, 2}, []Layer{LayerQinQ, LayerVLAN}),
		"vlan 2 1":     path(0, 0, []uint16{2, 1}, []Layer{LayerQinQ, LayerVLAN}),
		"ah":           path(0, 0, nil, []Layer{LayerAuth}),
	} {
		if other, ok := seen[h]; ok {
			t.Errorf("%q and %q have one hash", name, other)
		}
		seen[h] = name
	}
	a, b := Packet{Src: netip.MustParseAddrPort("192.0.2.1:5060")}, Packet{Dst: netip.MustParseAddrPort("192.0.2.2:5060")}
	if a.PathHash() != b.PathHash() {
		t.Error("addresses change the hash")
	}
}

func TestStrings(t *testing.T) {
	for d := range NumDrops {
		if name := Drop(d).String(); name == "" || strings.HasPrefix(name, "drop ") {
			t.Errorf("outcome %d has no name", d)
		}
	}
	if s := Drop(200).String(); s != "drop 200" {
		t.Errorf("%q", s)
	}
	for l := LayerEthernet; l < numLayers; l++ {
		if strings.HasPrefix(l.String(), "layer ") || table[l].decode == nil {
			t.Errorf("layer %d has no row", l)
		}
	}
	for _, l := range Links() {
		if !l.Known() || strings.HasPrefix(l.String(), "link type") {
			t.Errorf("link type %d has no name", l)
		}
	}
	if Link(220).Known() || Link(220).String() != "usb" || Link(147).String() != "link type 147" {
		t.Error("names of link types that are not read")
	}
	if len(Links()) != 16 {
		t.Errorf("%d link types: %v", len(Links()), Links())
	}
	if TransportNone.String() != "" || UDP.String() != "udp" || TCP.String() != "tcp" || SCTP.String() != "sctp" {
		t.Error("names of transports")
	}
}

func TestConfig(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.FragmentMax = 0 }, "fragment_max: 0 is not allowed; allowed: 1 to 1048576"},
		{func(c *Config) { c.FragmentMax = 1<<20 + 1 }, "fragment_max: 1048577 is not"},
		{func(c *Config) { c.FragmentBytes = 65535 }, "fragment_bytes: 65535 is not allowed; allowed: 65536 to"},
		{func(c *Config) { c.FragmentAge = time.Millisecond }, "fragment_age: 1ms is not allowed; allowed: 1s to 10m"},
		{func(c *Config) { c.Depth = 3 }, "depth: 3 is not"},
		{func(c *Config) { c.Depth = 65 }, "depth: 65 is not"},
	} {
		cfg := DefaultConfig()
		c.change(&cfg)
		if err := cfg.Validate(); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}
