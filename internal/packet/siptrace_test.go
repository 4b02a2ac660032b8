package packet

import (
	"net/netip"
	"strings"
	"testing"
)

const siptraceCopy = "OPTIONS sip:a@b SIP/2.0\r\nX-Siptrace-Fromip: udp:203.0.113.66:1\r\nVia: SIP/2.0/UDP 192.0.2.7\r\n" +
	"X-Siptrace-Fromip: udp:192.0.2.7:5060\r\nX-Siptrace-Toip: udp:198.51.100.9:5080\r\n" +
	"X-Siptrace-Time: 1700000000 123456\r\nX-Siptrace-Method: OPTIONS\r\nX-Siptrace-Dir: in\r\n\r\nX-Siptrace-Toip: udp:203.0.113.66:2\r\n"

// The fields that the proxy added count, not those that the sender or the body has.
func TestSiptrace(t *testing.T) {
	socket, wired := wire(LinkSiptrace, []byte(siptraceCopy)), wire(LinkEthernet, ether4, udpIP4(5888, []byte(siptraceCopy)))
	socket.Peer = netip.MustParseAddr("192.0.2.1")
	for _, f := range []Frame{socket, wired} {
		f.Time = hepTime + 1e9
		d := New(Config{SiptracePorts: []uint16{5888}})
		if why := d.Decode(&f); why != OK {
			t.Fatal(why)
		}
		if d.Src.String() != "192.0.2.7:5060" || d.Dst.String() != "198.51.100.9:5080" || d.Transport != UDP || string(d.Payload) != siptraceCopy || !d.Whole {
			t.Errorf("%v to %v by %v", d.Src, d.Dst, d.Transport)
		}
		if d.Time != hepTime || d.OuterSrc.String() != "192.0.2.1" || len(d.Encap) != 1 || d.Encap[0] != LayerSiptrace {
			t.Errorf("time %d, from %v through %v", d.Time, d.OuterSrc, d.Encap)
		}
		if n := testing.AllocsPerRun(100, func() { d.Decode(&f) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
}

func TestSiptraceForms(t *testing.T) {
	for value, want := range map[string]struct {
		end       string
		transport Transport
	}{
		"udp:192.0.2.7:5060":          {"192.0.2.7:5060", UDP},
		"UDP:192.0.2.7:5060":          {"192.0.2.7:5060", UDP},
		"tcp:192.0.2.7:5060":          {"192.0.2.7:5060", TCP},
		"tls:192.0.2.7:5061":          {"192.0.2.7:5061", TCP},
		"ws:192.0.2.7:80":             {"192.0.2.7:80", TCP},
		"wss:192.0.2.7:443":           {"192.0.2.7:443", TCP},
		"sctp:192.0.2.7:5060":         {"192.0.2.7:5060", SCTP},
		"udp:[2001:db8::7]:5060":      {"[2001:db8::7]:5060", UDP},
		"udp:2001:db8::7:5060":        {"[2001:db8::7]:5060", UDP},
		"tls:fe80:0:0:0:0:0:0:1:5061": {"[fe80::1]:5061", TCP},
		"192.0.2.7:5060":              {"192.0.2.7:5060", UDP},
		"192.0.2.7":                   {"192.0.2.7:0", UDP},
		"2001:db8::7":                 {"[2001:db8::7]:0", UDP},
		"[2001:db8::7]":               {"[2001:db8::7]:0", UDP},
		"[2001:db8::7]:5060":          {"[2001:db8::7]:5060", UDP},
		"any:255.255.255.255:5060":    {"192.0.2.99:5060", UDP},
	} {
		f := wire(LinkSiptrace, []byte("SIP/2.0 200 OK\r\nX-Siptrace-Fromip: "+value+"\r\nX-Siptrace-Toip: udp:198.51.100.9:5080\r\n\r\n"))
		f.Peer = netip.MustParseAddr("192.0.2.99")
		d := New(DefaultConfig())
		if why := d.Decode(&f); why != OK || d.Src.String() != want.end || d.Transport != want.transport || d.Time != f.Time {
			t.Errorf("%s: %v, %v by %v", value, why, d.Src, d.Transport)
		}
	}
}

func TestSiptraceRefused(t *testing.T) {
	for _, value := range []string{"", ":", "udp:", "udp:192.0.2.7:", "udp:192.0.2:5060", "udp:192.0.2.256:5060", "udp:192.0.2.7:65536", "udp:host:5060",
		"udp:192.0.2.7:5060x", "192.0.2.7.8", "udp:[]:5060", "udp:12345::1:5060", "any"} {
		f := wire(LinkSiptrace, []byte("SIP/2.0 200 OK\r\nX-Siptrace-Fromip: "+value+"\r\nX-Siptrace-Toip: udp:198.51.100.9:5080\r\n\r\n"))
		d := New(DefaultConfig())
		if why := d.Decode(&f); why != BadSiptrace {
			t.Errorf("%q: %v, %v", value, why, d.Src)
		}
	}
	for _, text := range []string{"", "SIP/2.0 200 OK", "SIP/2.0 200 OK\r\n\r\n" + siptraceCopy, strings.Replace(siptraceCopy, "X-Siptrace-Toip: u", "X: u", 1)} {
		d := New(Config{SiptracePorts: []uint16{5888}})
		f, wired := wire(LinkSiptrace, []byte(text)), wire(LinkEthernet, ether4, udpIP4(5888, []byte(text)))
		if why := d.Decode(&f); why != BadSiptrace {
			t.Errorf("%q: %v", text, why)
		}
		if why := d.Decode(&wired); why != OK || string(d.Payload) != text || d.Whole { // plain SIP may use the port too
			t.Errorf("%q on the port: %v", text, why)
		}
	}
}

// readAddr agrees with the standard library.
func FuzzReadAddr(f *testing.F) {
	for _, s := range []string{"192.0.2.7", "::", "::1", "1::", "2001:db8::7", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::ffff:192.0.2.7", "1:2:3:4:5:6:192.0.2.7",
		"1::2::3", "1:", ":1", "::192.0.2", "01.2.3.4", "1.2.3", "12345::", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:192.0.2.7", ":::", "1:::2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := netip.ParseAddr(s)
		if want.Zone() != "" {
			return
		}
		got, ok := readAddr([]byte(s))
		if ok != (err == nil) || ok && got != want.Unmap() {
			t.Errorf("%q: %v %v, want %v %v", s, got, ok, want, err)
		}
	})
}
