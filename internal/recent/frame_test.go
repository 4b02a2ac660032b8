package recent

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

var (
	alice4 = netip.MustParseAddrPort("192.0.2.1:5060")
	bob4   = netip.MustParseAddrPort("192.0.2.2:5080")
	alice6 = netip.MustParseAddrPort("[2001:db8::1]:5060")
	bob6   = netip.MustParseAddrPort("[2001:db8::2]:5080")
	mapped = netip.MustParseAddrPort("[::ffff:192.0.2.1]:5060")
)

// recorded is a message as the queue holds it.
func recorded(p packet.Packet) Record {
	r := make(Record, HeadSize+len(p.Payload))
	var flags byte
	if p.Cut {
		flags = Cut
	}
	r.Fill(0, flags, byte(p.Transport), 1, p.Time)
	r.Ends(&p)
	copy(r[HeadSize:], p.Payload)
	return r
}

// frames takes a capture file apart.
func frames(t *testing.T, b []byte) (all []packet.Frame) {
	t.Helper()
	le := binary.LittleEndian
	for len(b) > 0 {
		n := int(le.Uint32(b[8:]))
		all = append(all, packet.Frame{
			Time: int64(le.Uint32(b))*1e9 + int64(le.Uint32(b[4:])), Link: packet.LinkRaw, Data: b[16 : 16+n], Wire: int(le.Uint32(b[12:])),
		})
		b = b[16+n:]
	}
	return all
}

// TestFrames: what is written is read as what it was.
func TestFrames(t *testing.T) {
	for _, ends := range [][2]netip.AddrPort{{alice4, bob4}, {alice6, bob6}, {mapped, alice6}, {alice4, bob6}} {
		for _, transport := range []packet.Transport{packet.UDP, packet.TCP} {
			for _, n := range []int{0, 1, 600, 1501, 32 << 10, 65507} {
				p := packet.Packet{Time: at, Src: ends[0], Dst: ends[1], Transport: transport, Payload: bytes.Repeat([]byte{'x'}, n)}
				var f Flows
				var got []byte
				d := packet.New(packet.DefaultConfig())
				for _, frame := range frames(t, AppendFrames(nil, recorded(p), &f)) {
					if why := d.Decode(&frame); why != packet.OK || d.Cut || frame.Wire != len(frame.Data) {
						t.Fatalf("%v %v %d: %v, cut %v, %d of %d bytes", ends, transport, n, why, d.Cut, len(frame.Data), frame.Wire)
					}
					if d.Src.Port() != p.Src.Port() || d.Src.Addr().Unmap() != p.Src.Addr().Unmap() || d.Dst.Addr().Unmap() != p.Dst.Addr().Unmap() || d.Transport != transport || d.Time != at {
						t.Errorf("%v %v: read as %v to %v, %v, at %d", ends, transport, d.Src, d.Dst, d.Transport, d.Time)
					}
					got = append(got, d.Payload...)
				}
				if !bytes.Equal(got, p.Payload) {
					t.Errorf("%v %v: %d bytes read, %d written", ends, transport, len(got), n)
				}
			}
		}
	}
}

// TestCutFrames: what is not whole is read as not whole.
func TestCutFrames(t *testing.T) {
	for _, c := range []struct {
		ends       [2]netip.AddrPort
		transport  packet.Transport
		n, missing int
		cut        bool
	}{
		{[2]netip.AddrPort{alice4, bob4}, packet.UDP, 300, 0, true},
		{[2]netip.AddrPort{alice6, bob6}, packet.UDP, 300, 0, true},
		{[2]netip.AddrPort{alice4, bob4}, packet.TCP, 300, 500, true},
		{[2]netip.AddrPort{alice4, bob4}, packet.TCP, 65000, 100000, true},
		{[2]netip.AddrPort{alice4, bob4}, packet.UDP, 65508, 0, false},   // longer than a datagram can be
		{[2]netip.AddrPort{alice6, bob6}, packet.UDP, 65528, 0, false},   // the same
		{[2]netip.AddrPort{alice4, bob4}, packet.UDP, 1 << 20, 0, false}, // the same
		{[2]netip.AddrPort{alice6, bob6}, packet.SCTP, 1 << 20, 0, false},
	} {
		p := packet.Packet{Time: at, Src: c.ends[0], Dst: c.ends[1], Transport: c.transport, Payload: bytes.Repeat([]byte{'x'}, c.n), Missing: c.missing, Cut: c.cut}
		all := frames(t, AppendFrames(nil, recorded(p), new(Flows)))
		last := all[len(all)-1]
		if last.Wire <= len(last.Data) {
			t.Errorf("%v: %d of %d bytes", c, len(last.Data), last.Wire)
		}
		d := packet.New(packet.DefaultConfig())
		if why := d.Decode(&last); c.transport != packet.SCTP && (why != packet.OK || !d.Cut) {
			t.Errorf("%v: %v, cut %v", c, why, d.Cut)
		}
	}
}

// TestFlows: the numbers of TCP follow each other, in each direction.
func TestFlows(t *testing.T) {
	var f Flows
	var b []byte
	for i := range 4 {
		p := packet.Packet{Time: at, Src: alice4, Dst: bob4, Transport: packet.TCP, Payload: make([]byte, 100*(i+1))}
		if i%2 == 1 {
			p.Src, p.Dst = p.Dst, p.Src
		}
		b = AppendFrames(b, recorded(p), &f)
	}
	want := []struct{ seq, ack uint32 }{{1, 1}, {1, 101}, {101, 201}, {201, 401}}
	for i, frame := range frames(t, b) {
		d := packet.New(packet.DefaultConfig())
		d.Decode(&frame)
		if d.Seq != want[i].seq || d.Ack != want[i].ack {
			t.Errorf("segment %d: %d %d, want %v", i, d.Seq, d.Ack, want[i])
		}
	}
	for i := range 1000 {
		f.of(netip.AddrPortFrom(alice4.Addr(), uint16(i)), bob4)
	}
	if len(f) > maxFlows {
		t.Errorf("%d flows", len(f))
	}
}

// TestTshark: tshark reads SIP in every frame, and finds lengths and checksums right.
func TestTshark(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("tshark is missing")
		}
		t.Skip("needs tshark (Debian: apt-get install tshark)")
	}
	b := append([]byte(nil), FileHeader...)
	var want []string
	var f Flows
	n := 0
	for _, transport := range []packet.Transport{packet.UDP, packet.TCP, packet.SCTP} {
		for _, ends := range [][2]netip.AddrPort{{alice4, bob4}, {bob4, alice4}, {alice6, bob6}, {bob6, alice6}} {
			for _, body := range []int{0, 1, 2, 3, 5000} {
				n++
				p := packet.Packet{Time: at + int64(n)*1e6 + 7, Src: ends[0], Dst: ends[1], Transport: transport, Payload: []byte(options(fmt.Sprint("call-", n), body))}
				b = AppendFrames(b, recorded(p), &f)
				want = append(want, fmt.Sprintf("%d.%09d|%d|%d|call-%d", p.Time/1e9, p.Time%1e9, ends[0].Port(), ends[1].Port(), n))
			}
		}
	}
	file := filepath.Join(t.TempDir(), "x.pcap")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	checks := []string{"-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-o", "sctp.checksum:CRC 32c"}
	read := func(args ...string) []string {
		out, err := exec.Command("tshark", append(append([]string{"-r", file}, checks...), args...)...).Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Fields(string(out))
	}
	got := read("-Y", "sip", "-T", "fields", "-E", "separator=|", "-e", "frame.time_epoch", "-e", "udp.srcport", "-e", "tcp.srcport", "-e", "sctp.srcport",
		"-e", "udp.dstport", "-e", "tcp.dstport", "-e", "sctp.dstport", "-e", "sip.Call-ID")
	for i := range got {
		got[i] = strings.Join(strings.FieldsFunc(got[i], func(r rune) bool { return r == '|' }), "|")
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("tshark reads\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if bad := read("-Y", "_ws.expert.severity >= warning || ip.checksum.status == 0 || udp.checksum.status == 0 || tcp.checksum.status == 0 || sctp.checksum.status == 0",
		"-T", "fields", "-e", "frame.number", "-e", "_ws.expert.message"); len(bad) > 0 {
		t.Errorf("tshark finds fault: %s", bad)
	}
	good := read("-Y", "udp.checksum.status == 1 || tcp.checksum.status == 1 || sctp.checksum.status == 1", "-T", "fields", "-e", "frame.number")
	if len(good) != n {
		t.Errorf("%d good checksums of %s", len(good), strconv.Itoa(n))
	}
}

// options is a request with a body of n bytes.
func options(id string, n int) string {
	return "OPTIONS sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx" + "\r\nMax-Forwards: 70\r\n" +
		"From: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\nCall-ID: " + id + "\r\nCSeq: 1 OPTIONS\r\n" +
		"Content-Type: text/plain\r\nContent-Length: " + strconv.Itoa(n) + "\r\n\r\n" + strings.Repeat("x", n)
}
