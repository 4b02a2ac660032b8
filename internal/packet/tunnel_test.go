package packet

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"
)

// big is the 16-bit number n, as it stands in a header.
func big(n int) []byte { return []byte{byte(n >> 8), byte(n)} }

// over4 is an IPv4 packet from 192.0.2.7 to 192.0.2.8, udpTo one with a UDP datagram
// to a port.
func over4(protocol int, parts ...[]byte) []byte {
	b := join(parts...)
	length := 20 + len(b)
	return join(with(ip4, 2, length>>8, 3, length, 9, protocol, 15, 7, 19, 8), b)
}

func udpTo(port int, parts ...[]byte) []byte {
	b := join(parts...)
	return over4(17, []byte{0xc3, 0x50}, big(port), big(8+len(b)), []byte{0, 0}, b)
}

func ether(etherType int, parts ...[]byte) Frame {
	return wire(LinkEthernet, ether4[:12], big(etherType), join(parts...))
}

// What a record tells of a tunnel, beyond what the carriers show.
func TestEncap(t *testing.T) {
	inner := join(ip4, udpHeader, body)
	frame := join(ether4, inner)
	for _, c := range []struct {
		name  string
		frame Frame
		encap []Layer
		vlans []uint16
		outer string // "" for none
	}{
		{"vxlan between tags", wire(LinkEthernet, with(ether4, 12, 0x81, 13, 0), []byte{0x03, 0x46, 8, 0},
			udpTo(4789, []byte{8, 0, 0, 0, 0, 1, 2, 0}, with(ether4, 12, 0x81, 13, 0), []byte{0, 77, 8, 0}, inner)),
			[]Layer{LayerVLAN, LayerVXLAN, LayerVLAN}, []uint16{838, 77}, "192.0.2.7"},
		{"erspan2", wire(LinkRaw, over4(47, []byte{0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x13, 0x46, 0, 5, 0, 0, 0, 0}, frame)),
			[]Layer{LayerGRE, LayerERSPAN2}, nil, "192.0.2.7"},
		{"ip in ip in ip", wire(LinkRaw, over4(4, with(over4(4, inner), 15, 9))), []Layer{LayerIPIP, LayerIPIP}, nil, "192.0.2.7"},
		{"6in4", wire(LinkRaw, over4(41, ip6, udpHeader, body)), []Layer{Layer6in4}, nil, "192.0.2.7"},
		{"4in6", wire(LinkRaw, with(ip6, 5, len(inner), 6, 4), inner), []Layer{Layer4in6}, nil, "2001:db8::1"},
		{"6in6", wire(LinkRaw, with(ip6, 5, 52, 6, 41), ip6, udpHeader, body), []Layer{Layer6in6}, nil, "2001:db8::1"},
		{"esp in tunnel mode", wire(LinkRaw, over4(50, make([]byte, 3), []byte{1, 0, 0, 0, 1}, inner, []byte{1, 2, 2, 4}, make([]byte, 12))),
			[]Layer{LayerESP}, nil, "192.0.2.7"},
		{"esp in transport mode", wire(LinkRaw, over4(50, make([]byte, 3), []byte{1, 0, 0, 0, 1}, udpHeader, body, []byte{1, 2, 2, 17})),
			[]Layer{LayerESP}, nil, ""},
		{"pppoe", ether(0x8864, []byte{0x11, 0, 0, 1, 0, 34, 0, 0x21}, inner), []Layer{LayerPPPoE}, nil, ""},
		{"mpls", ether(0x8847, []byte{0, 1, 1, 64}, inner), []Layer{LayerMPLS}, nil, ""},
		{"gtp", wire(LinkRaw, udpTo(2152, []byte{0x30, 0xff, 0, 32, 0, 0, 0, 1}, inner)), []Layer{LayerGTP}, nil, "192.0.2.7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := New(Config{})
			if why := d.Decode(&c.frame); why != OK || !bytes.Equal(d.Payload, body) || d.Dst.Port() != 5080 {
				t.Fatalf("%v %q to %v", why, d.Payload, d.Dst)
			}
			if !slices.Equal(d.Encap, c.encap) || !slices.Equal(d.VLANs, c.vlans) {
				t.Errorf("%v, VLANs %v", d.Encap, d.VLANs)
			}
			if d.OuterSrc.IsValid() != (c.outer != "") || c.outer != "" && d.OuterSrc != netip.MustParseAddr(c.outer) {
				t.Errorf("outside from %v, want %q", d.OuterSrc, c.outer)
			}
			s := d.Stats()
			for l := range Layer(NumLayers) {
				n := 0
				for _, e := range d.Encap {
					if e == l {
						n++
					}
				}
				if s.Layers[l] != uint64(n) {
					t.Errorf("%v counted %d times", l, s.Layers[l])
				}
			}
			noAllocs(t, d, &c.frame)
		})
	}
}

// Refusals of tunnels that are found by a number, not by a port.
func TestTunnelRefusals(t *testing.T) {
	inner := join(ip4, udpHeader, body)
	gre := func(header ...byte) Frame { return wire(LinkRaw, over4(47, header, inner)) }
	data := func(kind, flags byte, rest ...[]byte) Frame {
		return wire(Link80211, []byte{kind, flags}, make([]byte, 22), join(rest...))
	}
	llc := []byte{0xaa, 0xaa, 3, 0, 0, 0, 8, 0}
	labels := bytes.Repeat([]byte{0, 1, 0, 64}, maxLabels)
	for _, c := range []struct {
		name  string
		frame Frame
		want  Drop
	}{
		{"gre with routes", gre(0x40, 0, 8, 0, 0, 0, 0, 0), BadHeader},
		{"gre of version 2", gre(0, 2, 8, 0), BadHeader},
		{"gre keep-alive", gre(0, 0, 0, 0), NotIP},
		{"gre with an unknown protocol", gre(0, 0, 0xab, 0xcd), UnknownNetwork},
		{"gre short", wire(LinkRaw, over4(47, []byte{0xb0, 0, 8, 0, 1, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0})), ShortHeader},
		{"pptp acknowledgement", gre(0x20, 0x81, 0x88, 0x0b, 0, 0, 0, 7, 0, 0, 0, 1), NotTransport},
		{"pptp without a key", gre(0x10, 1, 0x88, 0x0b, 0, 0, 0, 7, 0, 0, 0, 1), BadHeader},
		{"pptp with another protocol", gre(0x30, 1, 8, 0, 0, 0, 0, 7, 0, 0, 0, 1), BadHeader},
		{"erspan2 of version 3, no Ethernet", gre(0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x33, 0x46, 0, 5), BadHeader},
		{"erspan3 of version 1", gre(0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x13, 0x46, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0), BadHeader},
		{"erspan3 of an InfiniBand frame", gre(0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x23, 0x46, 0, 5, 0, 0, 0, 0, 0, 0, 4, 0), UnknownNetwork},

		{"mpls without bottom", ether(0x8847, labels[:8]), ShortHeader},
		{"mpls with too many labels", ether(0x8847, labels, []byte{0, 1, 1, 64}, inner), BadHeader},
		{"mpls with nothing behind", ether(0x8847, []byte{0, 1, 1, 64}), ShortHeader},
		{"mpls with an associated channel", ether(0x8847, []byte{0, 1, 1, 64, 0x10, 0, 0, 7}, make([]byte, 40)), NotIP},
		{"mpls with what nobody knows", ether(0x8847, []byte{0, 1, 1, 64}, bytes.Repeat([]byte{0xee}, 40)), UnknownNetwork},
		{"mpls with a spanning tree", ether(0x8847, []byte{0, 1, 1, 64, 0, 0, 0, 0}, ether4[:12], []byte{0, 38}, make([]byte, 46)), NotIP},
		{"pppoe discovery in a session", ether(0x8864, []byte{0x11, 9, 0, 0, 0, 4, 0, 0, 0, 0}), BadHeader},
		{"pppoe of version 2", ether(0x8864, []byte{0x21, 0, 0, 0, 0, 4, 0, 0x21, 0, 0}), BadHeader},
		{"pppoe that ends before the protocol", ether(0x8864, []byte{0x11, 0, 0, 1, 0, 0, 0, 0x21}, inner), ShortHeader},
		{"ppp link control", wire(LinkPPP, []byte{0xff, 3, 0xc0, 0x21, 9, 0, 0, 8}), NotIP},
		{"ppp with compressed headers", wire(LinkPPP, []byte{0, 0x2d, 1, 2}), UnknownNetwork},
		{"cisco hdlc keep-alive", wire(LinkCiscoHDLC, []byte{0x8f, 0, 0x80, 0x35}, make([]byte, 18)), NotIP},
		{"cisco hdlc with another address", wire(LinkCiscoHDLC, []byte{1, 0, 8, 0}, inner), BadHeader},
		{"vn-tag short", ether(0x8926, make([]byte, 5)), ShortHeader},
		{"backbone tag short", ether(0x88e7, make([]byte, 3)), ShortHeader},

		{"wireless beacon", data(0x80, 0, make([]byte, 40)), NotIP},
		{"wireless without data", data(0x48, 1), NotIP},
		{"wireless encrypted", data(0x08, 0x41, llc, inner), Encrypted},
		{"wireless in fragments", data(0x08, 0x05, llc, inner), UnknownNetwork},
		{"wireless frames in one", data(0x88, 0x01, []byte{0x80, 0}, llc, inner), UnknownNetwork},
		{"wireless of version 1", data(0x09, 0x01, llc, inner), BadHeader},
		{"wireless spanning tree", data(0x08, 0x01, []byte{0x42, 0x42, 3, 0, 0, 0, 0, 0}), NotIP},
		{"radiotap of version 1", wire(LinkRadiotap, []byte{1, 0, 8, 0, 0, 0, 0, 0}, make([]byte, 40)), BadHeader},
		{"radiotap of 7 bytes", wire(LinkRadiotap, []byte{0, 0, 7, 0, 0, 0, 0, 0}, make([]byte, 40)), BadHeader},
		{"radiotap longer than the frame", wire(LinkRadiotap, []byte{0, 0, 99, 0, 0, 0, 0, 0}), ShortHeader},
		{"radiotap with endless words", wire(LinkRadiotap, []byte{0, 0, 12, 0, 0, 0, 0, 0x80, 0, 0, 0, 0x80}, make([]byte, 40)), BadHeader},

		{"esp encrypted", wire(LinkRaw, over4(50, []byte{0, 0, 1, 0, 0, 0, 0, 1}, bytes.Repeat([]byte{0xa5}, 64))), Encrypted},
		{"esp with index 0", wire(LinkRaw, over4(50, make([]byte, 40))), BadHeader},
		{"esp short", wire(LinkRaw, over4(50, []byte{0, 0, 1, 0, 0, 0, 0})), ShortHeader},
		{"esp without a packet", wire(LinkRaw, over4(50, []byte{0, 0, 1, 0, 0, 0, 0, 1, 1, 2, 2, 59})), Encrypted},

		{"icmp error in a tunnel", wire(LinkRaw, over4(4, over4(1, []byte{3, 3, 0, 0, 0, 0, 0, 0}, inner))), ICMPError},
		{"ipv6 behind the number of IPv4", wire(LinkRaw, over4(4, ip6, udpHeader, body)), BadHeader},
		{"l2tp version 3 over IP", wire(LinkRaw, over4(115, make([]byte, 20))), NotTransport},
		{"64 tunnels", wire(LinkRaw, nested(64, inner)), Depth},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := New(Config{})
			if why := d.Decode(&c.frame); why != c.want {
				t.Fatalf("%v, want %v", why, c.want)
			}
			noAllocs(t, d, &c.frame)
		})
	}
}

func nested(n int, b []byte) []byte {
	for range n {
		b = over4(4, b)
	}
	return b
}

// On the port of a tunnel, what has no such header is the payload.
func TestTunnelPorts(t *testing.T) {
	for name, c := range map[string]struct {
		port  int
		bytes []byte
	}{
		"vxlan without its flag":       {4789, make([]byte, 60)},
		"vxlan with other flags":       {4789, with(make([]byte, 60), 0, 0x48)},
		"geneve of version 1":          {6081, with(make([]byte, 60), 0, 0x40)},
		"geneve control":               {6081, with(make([]byte, 60), 1, 0x80, 2, 8)},
		"geneve with cut options":      {6081, with(make([]byte, 60), 0, 0x3f, 2, 8)},
		"gtp echo":                     {2152, with(make([]byte, 60), 0, 0x32, 1, 1, 3, 4)},
		"gtp prime":                    {2152, with(make([]byte, 60), 0, 0x20, 1, 0xff, 3, 52)},
		"gtp with an empty extension":  {2152, with(make([]byte, 60), 0, 0x34, 1, 0xff, 3, 52, 11, 0x85)},
		"gtp that ends in a chain":     {2152, with(make([]byte, 16), 0, 0x34, 1, 0xff, 3, 8, 11, 0x85, 12, 2)},
		"l2tp control":                 {1701, with(make([]byte, 60), 0, 0xc8, 1, 2, 3, 60)},
		"l2tp version 3":               {1701, with(make([]byte, 60), 1, 3)},
		"l2tp with a wild offset":      {1701, with(make([]byte, 60), 0, 2, 1, 2, 6, 0xff)},
		"l2tp longer than the packet":  {1701, with(make([]byte, 60), 0, 0x40, 1, 2, 3, 61)},
		"tzsp keep-alive":              {37008, with(make([]byte, 60), 0, 1, 1, 4)},
		"tzsp of version 2":            {37008, with(make([]byte, 60), 0, 2)},
		"tzsp without an end":          {37008, with(make([]byte, 60), 0, 1, 3, 1)},
		"tzsp with a wild field":       {37008, with(make([]byte, 60), 0, 1, 3, 1, 4, 7, 5, 0xff)},
		"tzsp with a prism frame":      {37008, with(make([]byte, 60), 0, 1, 3, 119, 4, 1)},
		"ike":                          {4500, with(make([]byte, 60), 20, 0x21)},
		"keep-alive of a translator":   {4500, []byte{0xff}},
		"esp that is encrypted":        {4500, bytes.Repeat([]byte{0xa5}, 60)},
		"a port that is none any more": {4790, []byte("OPTIONS")},
	} {
		f, d := wire(LinkRaw, udpTo(c.port, c.bytes)), New(Config{VXLANPorts: []uint16{4789}})
		if why := d.Decode(&f); why != OK || !bytes.Equal(d.Payload, c.bytes) || int(d.Dst.Port()) != c.port || len(d.Encap) != 0 {
			t.Errorf("%s: %v, %d bytes, %v", name, why, len(d.Payload), d.Encap)
		}
		noAllocs(t, d, &f)
	}
	inner := join(ether4, ip4, udpHeader, body)
	for port, want := range map[int]bool{4789: false, 7777: true} { // configured, not the default
		f, d := wire(LinkRaw, udpTo(port, []byte{8, 0, 0, 0, 0, 1, 2, 0}, inner)), New(Config{VXLANPorts: []uint16{7777}, GTPPorts: []uint16{}})
		if why := d.Decode(&f); why != OK || bytes.Equal(d.Payload, body) != want {
			t.Errorf("port %d: %v %q", port, why, d.Payload)
		}
	}
	f, d := wire(LinkRaw, udpTo(2152, []byte{0x30, 0xff, 0, 32, 0, 0, 0, 1}, ip4, udpHeader, body)), New(Config{GTPPorts: []uint16{}})
	if why := d.Decode(&f); why != OK || len(d.Encap) != 0 {
		t.Errorf("an empty list still leads to %v, %v", d.Encap, why)
	}
}

// The length of the integrity value is found, kept, and found again.
func TestESP(t *testing.T) {
	sealed := func(index byte, icv int, cut int) Frame {
		b := join([]byte{0, 0, 1, index, 0, 0, 0, 1}, udpHeader, body, []byte{1, 2, 2, 17}, bytes.Repeat([]byte{0x9c}, icv))
		f := wire(LinkRaw, with(over4(50, b), 15, 7, 19, 8))
		f.Data = f.Data[:len(f.Data)-cut]
		return f
	}
	d := New(Config{})
	for i, c := range []struct {
		index    byte
		icv, cut int
		want     Drop
		payload  string
	}{
		{1, 12, 4, Encrypted, ""}, // nothing is known of it yet
		{1, 12, 0, OK, "OPTI"},
		{1, 12, 4, OK, "OPTI"},
		{1, 12, 18, OK, "OP"},
		{1, 16, 0, OK, "OPTI"}, // another sender, or new keys
		{1, 12, 0, OK, "OPTI"},
		{1, 0, 0, OK, "OPTI"},
		{1, 24, 0, OK, "OPTI"},
		{1, 32, 0, OK, "OPTI"},
		{1, 20, 0, Encrypted, ""}, // no length in use
		{1, 12, 0, OK, "OPTI"},
		{2, 12, 4, Encrypted, ""}, // another index
	} {
		f := sealed(c.index, c.icv, c.cut)
		why := d.Decode(&f)
		if why != c.want {
			t.Fatalf("%d: %v, want %v", i, why, c.want)
		}
		if string(d.Payload) != c.payload {
			t.Errorf("%d: %q", i, d.Payload)
		}
		if why == OK && d.Cut != (len(c.payload) < 4) {
			t.Errorf("%d: cut %v", i, d.Cut)
		}
	}
	// A flood of indices changes nothing but what is tried first.
	f := sealed(1, 16, 0)
	for n := range 4 * securities {
		b := join([]byte{7, 0, byte(n >> 8), byte(n), 0, 0, 0, 1}, udpHeader, body, []byte{1, 2, 2, 17})
		flood := wire(LinkRaw, over4(50, b))
		if why := d.Decode(&flood); why != OK {
			t.Fatal(why)
		}
	}
	if why := d.Decode(&f); why != OK || string(d.Payload) != "OPTI" {
		t.Errorf("after a flood: %v %q", why, d.Payload)
	}
	noAllocs(t, d, &f)
}

// Encrypted packets are not taken for readable ones.
func TestESPByChance(t *testing.T) {
	d, taken := New(Config{}), 0
	seed := uint32(1)
	const packets = 300000
	b := make([]byte, 8+128)
	for range packets {
		for i := range b {
			seed = seed*1664525 + 1013904223
			b[i] = byte(seed >> 24)
		}
		b[0] |= 1
		f := wire(LinkRaw, over4(50, b))
		if d.Decode(&f) != Encrypted {
			taken++
		}
	}
	if taken > packets/50000 {
		t.Errorf("%d of %d", taken, packets)
	}
	t.Logf("%d of %d", taken, packets)
}

// Tunnels of one kind between other ends, or with another number, are other mirror
// points; what changes from packet to packet is not.
func TestPathOfTunnels(t *testing.T) {
	inner := join(ip4, udpHeader, body)
	frame := join(ether4, inner)
	vxlan := func(from, network int) []byte {
		return with(udpTo(4789, []byte{8, 0, 0, 0, 0, 0, byte(network), 0}, frame), 15, from)
	}
	path := func(b []byte) uint32 {
		t.Helper()
		f, d := wire(LinkRaw, b), New(Config{})
		if why := d.Decode(&f); why != OK {
			t.Fatal(why)
		}
		return d.PathHash()
	}
	seen := map[uint32]string{}
	for name, b := range map[string][]byte{
		"plain":                inner,
		"ip in ip":             over4(4, inner),
		"ip in ip, other ends": with(over4(4, inner), 19, 9),
		"vxlan":                vxlan(7, 1),
		"vxlan, other network": vxlan(7, 2),
		"vxlan, other end":     vxlan(9, 1),
		"gre":                  over4(47, []byte{0, 0, 8, 0}, inner),
		"gre with a key":       over4(47, []byte{0x20, 0, 8, 0, 0, 0, 0, 1}, inner),
		"gre, other key":       over4(47, []byte{0x20, 0, 8, 0, 0, 0, 0, 2}, inner),
		"gtp":                  udpTo(2152, []byte{0x30, 0xff, 0, 32, 0, 0, 0, 1}, inner),
		"gtp, other tunnel":    udpTo(2152, []byte{0x30, 0xff, 0, 32, 0, 0, 0, 2}, inner),
		"erspan2":              over4(47, []byte{0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x13, 0x46, 0, 5, 0, 0, 0, 0}, frame),
		"erspan2, other":       over4(47, []byte{0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x13, 0x46, 0, 6, 0, 0, 0, 0}, frame),
	} {
		h := path(b)
		if other, ok := seen[h]; ok {
			t.Errorf("%q and %q have one hash", name, other)
		}
		seen[h] = name
	}
	for name, pair := range map[string][2][]byte{
		"source port of vxlan":   {vxlan(7, 1), with(vxlan(7, 1), 20, 0xd0)},
		"sequence number of gre": {over4(47, []byte{0x10, 0, 8, 0, 0, 0, 0, 1}, inner), over4(47, []byte{0x10, 0, 8, 0, 0, 0, 0, 2}, inner)},
		"flow of nvgre":          {over4(47, []byte{0x20, 0, 0x65, 0x58, 0, 0, 9, 1}, frame), over4(47, []byte{0x20, 0, 0x65, 0x58, 0, 0, 9, 2}, frame)},
	} {
		if path(pair[0]) != path(pair[1]) {
			t.Errorf("%s tells mirror points apart", name)
		}
	}
}

func TestTunnels(t *testing.T) {
	ether, proto, udp := Config{VXLANPorts: []uint16{7777}, GTPPorts: []uint16{}}.Tunnels()
	for _, n := range []uint16{0x8100, 0x8847, 0x8848, 0x8864, 0x88e7, 0x8926} {
		if !slices.Contains(ether, n) {
			t.Errorf("EtherType %#x is missing", n)
		}
	}
	for _, n := range []uint8{4, 41, 47, 50} {
		if !slices.Contains(proto, n) {
			t.Errorf("protocol %d is missing", n)
		}
	}
	if !slices.Contains(udp, 7777) || slices.Contains(udp, 4789) || slices.Contains(udp, 2152) || !slices.Contains(udp, 4500) {
		t.Errorf("ports %v", udp)
	}
	if slices.Contains(ether, 0x0800) || slices.Contains(proto, 17) {
		t.Error("what is no tunnel is one")
	}
}
