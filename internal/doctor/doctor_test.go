package doctor

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/hep"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
	"github.com/sipcmbeat/sipcmbeat/internal/stream"
)

const (
	options = "OPTIONS sip:b@example.com SIP/2.0\r\n\r\n"
	ok      = "SIP/2.0 200 OK\r\n\r\n"
)

func config(ports ...uint16) Config {
	return Config{Packet: packet.DefaultConfig(), Stream: stream.DefaultConfig(), Ports: ports, WebSocketPorts: []uint16{8080}}
}

func udp(n int, from, to, payload string) packet.Frame {
	f := packet.Frame{Time: siptest.Start + int64(n)*int64(time.Second), Link: packet.LinkEthernet,
		Data: siptest.UDPFrame(netip.MustParseAddrPort(from), netip.MustParseAddrPort(to), []byte(payload))}
	f.Wire = len(f.Data)
	return f
}

// tcp is a segment; checksums are not looked at.
func tcp(from, to netip.AddrPort, payload string) packet.Frame {
	b := make([]byte, 14+20+20, 14+20+20+len(payload))
	binary.BigEndian.PutUint16(b[12:], 0x0800)
	ip := b[14:]
	ip[0], ip[8], ip[9] = 0x45, 64, 6
	binary.BigEndian.PutUint16(ip[2:], uint16(40+len(payload)))
	src, dst := from.Addr().As4(), to.Addr().As4()
	copy(ip[12:], src[:])
	copy(ip[16:], dst[:])
	binary.BigEndian.PutUint16(ip[20:], from.Port())
	binary.BigEndian.PutUint16(ip[22:], to.Port())
	ip[32], ip[33] = 5<<4, 0x18
	b = append(b, payload...)
	return packet.Frame{Time: siptest.Start, Link: packet.LinkEthernet, Data: b, Wire: len(b)}
}

const phone, server = "192.0.2.1:40000", "192.0.2.2:5060"

// talking is what a healthy mirror shows.
func talking(n int) (all []packet.Frame) {
	for i := range n {
		all = append(all, udp(2*i, phone, server, fmt.Sprint(options, i)), udp(2*i+1, server, phone, fmt.Sprint(ok, i)))
	}
	return all
}

func TestReport(t *testing.T) {
	tls := "\x16\x03\x01\x00\x05hello"
	var oneWay, other, twice, pieces []packet.Frame
	for i := range 6 {
		oneWay = append(oneWay, udp(i, phone, server, fmt.Sprint(options, i)))
		other = append(other, udp(2*i, phone, "192.0.2.2:5090", fmt.Sprint(options, i)), udp(2*i+1, "192.0.2.2:5090", phone, fmt.Sprint(ok, i)))
		twice = append(twice, udp(i, phone, server, fmt.Sprint(options, i)), udp(i, phone, server, fmt.Sprint(options, i)))
	}
	for _, c := range siptest.Carriers {
		if c.Name == "fragments" {
			pieces = c.Wrap(udp(99, phone, server, options+strings.Repeat("x", 3000)))
		}
	}
	for _, c := range []struct {
		name   string
		frames []packet.Frame
		lost   Losses
		bad    []string // what the bad lines are about
		lines  []string
	}{
		{"nothing", nil, Losses{}, []string{"packets"}, []string{"packets: none in 2s"}},
		{"healthy", talking(10), Losses{}, nil, []string{"SIP: 20 messages: 10 requests, 10 answers; 0 over TCP",
			"directions: both, between 1 pairs of hosts", "ports: all SIP is on listed ports", "losses: none"}},
		{"no SIP", []packet.Frame{udp(0, phone, "192.0.2.2:53", "x")}, Losses{}, []string{"SIP"}, []string{"SIP: no message; 0 packets with content on the SIP ports"}},
		{"one way", oneWay, Losses{}, []string{"SIP", "directions"}, []string{"directions: one only: 192.0.2.1 to 192.0.2.2 (6 messages); both between 0 pairs"}},
		{"another port", other, Losses{}, []string{"ports"}, []string{"ports: SIP on ports that are not listed: 5090 (12 messages)"}},
		{"lost", talking(3), Losses{5, 6}, []string{"losses"}, []string{"losses: 5 by the kernel (the program was too slow), 6 by the interface"}},
		{"TLS", append(talking(3), tcp(netip.MustParseAddrPort(phone), netip.MustParseAddrPort("192.0.2.2:5061"), tls),
			tcp(netip.MustParseAddrPort("192.0.2.3:5061"), netip.MustParseAddrPort(phone), tls)), Losses{}, nil,
			[]string{"TLS: signalling that is encrypted, at 192.0.2.2:5061, 192.0.2.3:5061"}},
		{"twice", append(talking(1), twice...), Losses{}, nil, []string{"duplicates: 7 of 14 messages came twice within 100ms"}},
		{"tags", append(talking(3), siptest.VLAN(udp(50, phone, server, options), 0x8100, 7)...), Losses{}, nil, []string{"VLANs: SIP in 7"}},
		{"fragments", append(talking(3), pieces...), Losses{}, nil, []string{fmt.Sprintf("fragments: %d; 1 datagrams put together, 1 of them SIP, 0 incomplete", len(pieces))}},
		{"a fragment is missing", append(talking(3), pieces[1:]...), Losses{}, nil, []string{fmt.Sprintf("fragments: %d; 0 datagrams put together, 0 of them SIP, 1 incomplete", len(pieces)-1)}},
		{"over TCP", append(talking(3), tcp(netip.MustParseAddrPort(phone), netip.MustParseAddrPort(server), options)), Losses{}, nil, []string{"SIP: 7 messages: 4 requests, 3 answers; 1 over TCP"}},
		{"a probe", append(talking(3), udp(0, phone, server, "hello, is anybody there?")), Losses{}, nil, []string{"no SIP: 1 datagrams on SIP ports are neither SIP nor keep-alives"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := New(config(5060, 5080))
			for _, f := range c.frames {
				x.Frame(&f, false)
			}
			var bad []string
			text := map[string]bool{}
			for _, f := range x.Report(2*time.Second, c.lost) {
				text[f.About+": "+f.Text] = true
				if f.Verdict == Bad {
					bad = append(bad, f.About)
					if f.Advice == "" {
						t.Errorf("%s is bad and nothing is to be done", f.About)
					}
				}
			}
			if fmt.Sprint(bad) != fmt.Sprint(c.bad) {
				t.Errorf("bad: %v, want %v", bad, c.bad)
			}
			for _, line := range c.lines {
				if !text[line] {
					t.Errorf("no line %q in %v", line, text)
				}
			}
		})
	}
}

func TestHiddenByTheFilter(t *testing.T) {
	x := New(config(5060))
	for i, f := range talking(3) {
		x.Frame(&f, i == 0)
	}
	for _, f := range x.Report(time.Second, Losses{}) {
		if f.About == "filter" && f.Verdict == Bad && strings.Contains(f.Text, "hides 1 of the 6") {
			return
		}
	}
	t.Error("nothing is said about the filter")
}

// The tables have an end, whatever comes.
func TestBounded(t *testing.T) {
	x := New(config(5060))
	for i := range 3 * maxRows {
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), uint16(i+1))
		f := packet.Frame{Time: int64(i), Link: packet.LinkEthernet, Data: siptest.UDPFrame(from, netip.MustParseAddrPort("192.0.2.2:6000"), fmt.Append(nil, options, i))}
		x.Frame(&f, false)
		f = tcp(from, netip.AddrPortFrom(from.Addr(), 5061), "\x16\x03\x01\x00\x05hello")
		x.Frame(&f, false)
	}
	if len(x.pairs) > maxRows || len(x.recent) > maxRows || len(x.otherPorts) > maxRows || len(x.tls) > maxRows {
		t.Errorf("%d pairs, %d payloads, %d ports, %d servers", len(x.pairs), len(x.recent), len(x.otherPorts), len(x.tls))
	}
}

// What comes by HEP is SIP on every port; what is no SIP there is no probe.
func TestHEP(t *testing.T) {
	x := New(config(5060))
	for i := range 6 {
		x.Frame(&siptest.HEP(udp(2*i, phone, "192.0.2.2:5090", fmt.Sprint(options, i)), 3, false)[0], false)
		x.Frame(&siptest.HEP(udp(2*i+1, "192.0.2.2:5090", phone, fmt.Sprint(ok, i)), 3, false)[0], false)
	}
	log := hep.Message{Version: 3, Type: hep.TypeLog, Payload: []byte("started")}
	log.Src, log.Dst = netip.MustParseAddrPort(phone), netip.MustParseAddrPort(server)
	b, fits := log.Append(nil)
	if !fits {
		t.Fatal("the log does not fit")
	}
	x.Frame(&packet.Frame{Time: siptest.Start, Link: packet.LinkHEP, Data: b, Wire: len(b)}, false)
	got := fmt.Sprint(x.Report(time.Second, Losses{}))
	for _, want := range []string{"{ok SIP 12 messages: 6 requests, 6 answers; 0 over TCP }", "all SIP is on listed ports", "{ok HEP 1 packets", "SIP in hep3"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// HEP over TCP to another port, which the program would not see, is none of the SIP.
func TestOtherHEP(t *testing.T) {
	cfg := config(5060)
	cfg.Packet.HEPPorts = nil
	for _, hidden := range []bool{true, false} {
		x := New(cfg)
		for _, f := range siptest.HEPStreamCarriers[0].Wrap(talking(3)) {
			f.Link, f.Wire = packet.LinkEthernet, len(f.Data)
			x.Frame(&f, hidden)
		}
		if x.Report(time.Second, Losses{}); (x.sip == 0) != hidden {
			t.Errorf("hidden: %v, %d messages", hidden, x.sip)
		}
	}
}

// What comes by connections is put together, whatever it is wrapped in.
func TestStreams(t *testing.T) {
	var frames []packet.Frame
	for i := range 6 {
		header := fmt.Sprintf("Call-ID: %d\r\nContent-Length: 0\r\n\r\n", i)
		frames = append(frames, udp(2*i, phone, server, "OPTIONS sip:b@example.com SIP/2.0\r\n"+header), udp(2*i+1, server, phone, "SIP/2.0 200 OK\r\n"+header))
	}
	for _, c := range append(slices.Clone(siptest.StreamCarriers), siptest.HEPStreamCarriers...) {
		x := New(config(5060))
		for _, f := range c.Wrap(frames) {
			f.Link, f.Wire = packet.LinkEthernet, len(f.Data)
			x.Frame(&f, false)
		}
		for _, f := range x.Report(time.Second, Losses{}) {
			if f.Verdict == Bad || f.About == "SIP" && !strings.HasPrefix(f.Text, "12 messages: 6 requests, 6 answers; ") {
				t.Errorf("%s: %v", c.Name, f)
			}
		}
	}
}

// TestMasked: a report names addresses as they are masked, and says where one is left out.
func TestMasked(t *testing.T) {
	masked := netip.MustParseAddr("203.0.113.99")
	for want, mask := range map[string]func(netip.Addr) netip.Addr{
		"directions: one only: 203.0.113.99 to 203.0.113.99 (6 messages); both between 0 pairs":           func(netip.Addr) netip.Addr { return masked },
		"directions: one only: a private address to a private address (6 messages); both between 0 pairs": func(netip.Addr) netip.Addr { return netip.Addr{} },
	} {
		cfg := config(5060)
		cfg.Mask = mask
		x := New(cfg)
		for i := range 6 {
			f := udp(i, phone, server, fmt.Sprint(options, i))
			x.Frame(&f, false)
		}
		f := tcp(netip.MustParseAddrPort(phone), netip.MustParseAddrPort("192.0.2.2:5061"), "\x16\x03\x01\x00\x05hello")
		x.Frame(&f, false)
		all := ""
		for _, f := range x.Report(2*time.Second, Losses{}) {
			all += f.About + ": " + f.Text + "\n"
		}
		if !strings.Contains(all, want) || strings.Contains(all, "192.0.2.") || !strings.Contains(all, "5061") && mask(masked).IsValid() {
			t.Errorf("want %s in\n%s", want, all)
		}
	}
}
