package stream

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// soundSCTP checks what must always be true of SCTP, and gives the memory of it.
func soundSCTP(t testing.TB, a *Assembler) (made int) {
	t.Helper()
	s := &a.sctp
	for p := s.unusedPiece; p != nil; p = p.next {
		made += pieceCost
	}
	for g := s.unusedGather; g != nil; g = g.next {
		made += gatherCost
	}
	held := 0
	for g := s.first; g != nil; g = g.next {
		made += gatherCost
		n, bytes := 0, 0
		for p := g.pieces; p != nil; p = p.next {
			made += pieceCost + len(p.buf)
			n, bytes = n+1, bytes+p.n
			if p.next != nil && !p.before(p.next) {
				t.Fatal("pieces out of order")
			}
		}
		if g.n != n || g.bytes != bytes || n == 0 || g.way.gather != g {
			t.Fatalf("%d pieces of %d bytes, counted %d of %d", n, bytes, g.n, g.bytes)
		}
		held += bytes
	}
	if held != s.held || len(s.byKey) > s.max {
		t.Fatalf("%d bytes held, counted %d; %d associations", held, s.held, len(s.byKey))
	}
	return made
}

// data is a DATA chunk (RFC 9260 §3.3.1), padded.
func data(flags byte, tsn uint32, ssn uint16, text string) string {
	b := []byte{0, flags, byte((16 + len(text)) >> 8), byte(16 + len(text))}
	b = binary.BigEndian.AppendUint32(b, tsn)
	b = append(b, 0, 3, byte(ssn>>8), byte(ssn), 0, 0, 0, 0)
	return string(b) + text + "\x00\x00\x00"[:-len(text)&3]
}

// idata is an I-DATA chunk (RFC 8260 §2.1), padded.
func idata(flags byte, tsn, mid, fsn uint32, text string) string {
	b := []byte{64, flags, byte((20 + len(text)) >> 8), byte(20 + len(text))}
	b = binary.BigEndian.AppendUint32(b, tsn)
	b = append(b, 0, 3, 0, 0)
	b = binary.BigEndian.AppendUint32(b, mid)
	b = binary.BigEndian.AppendUint32(b, fsn)
	return string(b) + text + "\x00\x00\x00"[:-len(text)&3]
}

// initial is an INIT (1) or INIT ACK (2) with an initial TSN.
func initial(kind byte, tsn uint32) string {
	b := []byte{kind, 0, 0, 20, 0, 0, 0, 9, 0, 1, 0, 0, 0, 1, 0, 1}
	return string(binary.BigEndian.AppendUint32(b, tsn))
}

const (
	whole = flagBegin | flagEnd
	sack  = "\x03\x00\x00\x10\x00\x00\x00\x01\x00\x01\x00\x00\x00\x00\x00\x00"
	abort = "\x06\x00\x00\x04"
	done  = "\x0e\x00\x00\x04"
)

// An sctpPacket is a packet of a table: when, from whom, what; its tag.
type sctpPacket struct {
	ms   int
	from byte
	data string
	tag  uint32
}

func (s sctpPacket) packet() *packet.Packet {
	p := &packet.Packet{Time: int64(s.ms) * 1e6, Src: client, Dst: server, Transport: packet.SCTP, Seq: s.tag, Payload: []byte(s.data)}
	if s.from == '<' {
		p.Src, p.Dst = server, client
	}
	return p
}

func TestSCTP(t *testing.T) {
	n := len(inv)
	noLength := strings.Replace(inv, fmt.Sprintf("Content-Length: %d\r\n", len(inv)-len(head(inv))), "", 1)
	for _, c := range []struct {
		name  string
		ports Ports
		all   []sctpPacket
		want  []string
		check func(s Stats) bool
	}{
		{"a message each way", PortSIP, []sctpPacket{{1, '>', initial(1, 7), 0}, {1, '<', initial(2, 9), 1}, {2, '>', data(whole, 7, 0, inv), 2}, {3, '<', sack + data(whole, 9, 0, ok), 1}},
			[]string{"2> message inv", "3< message ok"},
			func(s Stats) bool {
				return s.SCTP.Packets == 4 && s.SCTP.Data == 2 && s.SCTP.Control == 3 && s.Bytes == uint64(n+len(ok)) && s.Memory == 0
			}},
		{"from the middle", PortAny, []sctpPacket{{2, '>', data(whole, 7, 0, inv), 2}, {3, '<', data(whole, 9, 0, ok), 1}},
			[]string{"2> message inv", "3< message ok"}, nil},
		{"several chunks", PortSIP, []sctpPacket{{2, '>', sack + data(whole, 7, 0, inv) + data(whole, 8, 1, opt) + data(whole, 9, 0, mess) + abort, 2}},
			[]string{"2> message inv", "2> message opt", "2> message mess"}, nil},
		{"no Content-Length", PortSIP, []sctpPacket{{2, '>', data(whole, 7, 0, noLength), 2}},
			[]string{fmt.Sprintf("2> message %q", noLength)}, nil},
		{"a keep-alive", PortSIP, []sctpPacket{{2, '>', data(whole, 7, 0, "\r\n\r\n"), 2}},
			[]string{`2> keep-alive "\r\n\r\n"`}, nil},
		{"no SIP", PortSIP, []sctpPacket{{2, '>', data(whole, 7, 0, "stats items\r\n"), 2}, {2, '>', data(whole, 8, 0, "stats items\r\n"), 2}},
			[]string{`2> probe "stats items\r\n", text`}, nil},
		{"no SIP on another port", PortAny, []sctpPacket{{2, '>', data(whole, 7, 0, "stats items\r\n"), 2}}, nil,
			func(s Stats) bool { return s.OtherPort == 1 && s.SCTP.Packets == 0 }},

		{"fragments", PortSIP, []sctpPacket{{2, '>', data(flagBegin, 7, 0, inv[:100]), 2}, {3, '>', data(0, 8, 0, inv[100:200]), 2}, {4, '>', data(flagEnd, 9, 0, inv[200:]) + data(whole, 10, 1, opt), 2}},
			[]string{"4> message inv", "4> message opt"}, nil},
		{"fragments in disorder, wrapping", PortSIP, []sctpPacket{{2, '>', data(flagEnd, 1, 0, inv[300:]), 2}, {3, '>', data(0, 0, 0, inv[200:300]), 2}, {4, '>', data(flagBegin, 0xfffffffe, 0, inv[:100]), 2}, {5, '>', data(0, 0xffffffff, 0, inv[100:200]), 2}},
			[]string{"5> message inv"}, nil},
		{"fragments of two messages of a stream", PortSIP, []sctpPacket{{2, '>', data(flagBegin, 7, 0, inv[:100]), 2}, {3, '>', data(flagBegin, 9, 1, mess[:100]), 2}, {4, '>', data(flagEnd, 10, 1, mess[100:]), 2}, {5, '>', data(flagEnd, 8, 0, inv[100:]), 2}},
			[]string{"4> message mess", "5> message inv"}, nil},
		{"unordered fragments", PortSIP, []sctpPacket{{2, '>', data(flagUnordered|flagBegin, 7, 0, inv[:100]), 2}, {3, '>', data(flagUnordered|flagBegin, 9, 0, mess[:100]), 2}, {4, '>', data(flagUnordered|flagEnd, 10, 0, mess[100:]), 2}, {5, '>', data(flagUnordered|flagEnd, 8, 0, inv[100:]), 2}},
			[]string{"4> message mess", "5> message inv"}, nil},
		{"interleaved", PortSIP, []sctpPacket{{2, '>', idata(flagBegin, 7, 0, 46, inv[:100]), 2}, {3, '>', idata(flagBegin, 8, 1, 46, mess[:100]), 2}, {4, '>', idata(0, 9, 0, 1, inv[100:200]), 2}, {5, '>', idata(flagEnd, 10, 1, 1, mess[100:]), 2}, {6, '>', idata(flagEnd, 11, 0, 2, inv[200:]), 2}, {7, '>', idata(whole, 12, 2, 46, opt), 2}},
			[]string{"5> message mess", "6> message inv", "7> message opt"}, nil},

		{"seen twice", PortSIP, []sctpPacket{{2, '>', data(whole, 7, 0, inv), 2}, {3, '>', data(whole, 7, 0, inv) + data(whole, 8, 0, opt), 2}, {4, '>', data(flagBegin, 9, 0, mess[:100]), 2}, {5, '>', data(flagBegin, 9, 0, mess[:100]), 2}, {6, '>', data(flagEnd, 10, 0, mess[100:]), 2}, {7, '>', data(flagEnd, 10, 0, mess[100:]), 2}},
			[]string{"2> message inv", "3> message opt", "6> message mess"},
			func(s Stats) bool { return s.SCTP.Repeated == 3 && s.Repeated == uint64(len(inv)+len(mess)) }},
		{"late, and seen twice", PortSIP, []sctpPacket{{1, '>', data(whole, 7, 0, ok), 2}, {2, '>', data(whole, 100, 0, inv), 2}, {3, '>', data(whole, 20, 0, opt), 2}, {4, '>', data(whole, 100, 0, inv), 2}, {5, '>', data(whole, 20, 0, opt), 2}, {6, '>', data(whole, 7, 0, ok), 2}},
			[]string{"1> message ok", "2> message inv", "3> message opt"}, nil},
		{"another association by its tag", PortSIP, []sctpPacket{{2, '>', data(whole, 7, 0, inv), 2}, {3, '>', data(whole, 7, 0, opt), 3}},
			[]string{"2> message inv", "3> message opt"}, nil},
		{"another association by INIT", PortSIP, []sctpPacket{{2, '>', initial(1, 7) + data(whole, 7, 0, inv), 2}, {3, '>', initial(1, 6), 0}, {4, '>', data(whole, 7, 0, opt), 2}},
			[]string{"2> message inv", "4> message opt"}, nil},
		{"the same INIT again", PortSIP, []sctpPacket{{2, '>', initial(1, 7), 0}, {3, '>', data(whole, 7, 0, inv), 2}, {4, '>', initial(1, 7), 0}, {5, '>', data(whole, 7, 0, inv), 2}},
			[]string{"3> message inv"}, nil},

		{"a chunk lost, in the header section", PortSIP, []sctpPacket{{2, '>', data(flagBegin, 7, 0, inv[:100]), 2}, {3, '>', data(flagEnd, 9, 0, inv[200:]), 2}, {1100, 0, "", 0}},
			nil, func(s Stats) bool { return s.Broken == 1 && s.Lost == uint64(n-100) && s.SCTP.Incomplete == 1 }},
		{"a chunk lost, in the body", PortSIP, []sctpPacket{{2, '>', data(flagBegin, 7, 0, inv[:n-50]), 2}, {3, '>', data(flagEnd, 9, 0, inv[n-20:]), 2}, {1100, 0, "", 0}},
			[]string{fmt.Sprintf("3> message inv[:%d], hole, cut", n-50)}, nil},
		{"a chunk lost, and the next message", PortSIP, []sctpPacket{{2, '>', data(flagBegin, 7, 0, inv[:100]), 2}, {500, '>', data(flagBegin, 9, 1, mess[:100]), 2}, {1003, 0, "", 0}, {1004, '>', data(flagEnd, 10, 1, mess[100:]), 2}},
			[]string{"1004> message mess"}, nil},
		{"ABORT", PortSIP, []sctpPacket{{2, '>', data(flagBegin, 7, 0, inv[:100]), 2}, {3, '<', abort, 2}},
			[]string{"2> unfinished inv[:100], reset"}, nil},
		{"SHUTDOWN COMPLETE", PortSIP, []sctpPacket{{2, '>', data(flagBegin, 7, 0, inv[:n-5]), 2}, {3, '<', done, 2}},
			[]string{fmt.Sprintf("2> message inv[:%d], closed, cut", n-5)}, nil},
		{"idle", PortSIP, []sctpPacket{{2, '>', data(whole, 7, 0, inv), 2}, {2 + after(5*time.Minute), 0, "", 0}},
			[]string{"2> message inv"}, func(s Stats) bool { return s.SCTP.Associations == 0 }},
		{"lengths that can't be", PortSIP, []sctpPacket{{2, '>', "\x00\x03\x00\x03", 2}, {3, '>', "\x00\x03\xff\xff" + opt, 2}, {4, '>', "\x00\x03\x00\x08abcd", 2}, {5, '>', data(whole, 7, 0, opt)[:10], 2}, {6, '>', data(whole, 7, 0, opt), 2}},
			[]string{"6> message opt"}, func(s Stats) bool { return s.SCTP.Malformed == 4 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := New(Config{})
			var got []string
			for _, s := range c.all {
				a.Advance(int64(s.ms) * 1e6)
				got = append(got, drain(a)...)
				if s.from != 0 {
					a.Push(s.packet(), c.ports)
					got = append(got, drain(a)...)
				}
				sound(t, a)
			}
			check(t, got, c.want)
			if s := a.Stats(); c.check != nil && !c.check(s) || s.Held != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// A snap length in a chunk.
func TestSCTPCut(t *testing.T) {
	a := New(Config{})
	p := sctpPacket{1, '>', data(whole, 7, 0, inv)[:16+len(inv)-20], 2}.packet()
	p.Cut = true
	a.Push(p, PortSIP)
	check(t, drain(a), []string{fmt.Sprintf("1> message inv[:%d], cut", len(inv)-20)})
	sound(t, a)
	p = sctpPacket{2, '>', data(flagBegin, 8, 0, inv)[:16+len(inv)-20], 2}.packet()
	p.Cut = true
	a.Push(p, PortSIP)
	check(t, drain(a), nil)
	sound(t, a)
}

// Floods of associations and of first fragments stay within the bounds, and push out
// the oldest.
func TestSCTPFlood(t *testing.T) {
	a := New(small())
	for i := range 20000 {
		p := from(i, i/10, 0, uint32(i), data(flagBegin, uint32(i), 0, opt))
		p.Transport = packet.SCTP
		a.Push(p, PortSIP)
		drain(a)
		if i%100 == 0 {
			sound(t, a)
		}
	}
	for i := range 20000 { // one association
		p := sctpPacket{2000, '>', data(flagBegin, uint32(2*i), uint16(i), opt), 2}.packet()
		a.Push(p, PortSIP)
		drain(a)
		if i%100 == 0 {
			sound(t, a)
		}
	}
	if s := a.Stats(); s.SCTP.Associations > a.sctp.max || s.SCTP.Evicted == 0 || s.SCTP.Incomplete == 0 {
		t.Errorf("%+v", s)
	}
}

// In steady state nothing is allocated.
func TestSCTPAllocs(t *testing.T) {
	a := New(Config{})
	var u Unit
	var p packet.Packet
	tsn := uint32(0)
	b := make([]byte, 0, 64<<10)
	push := func(flags byte, text string) {
		b = append(b[:0], 0, flags, byte((16+len(text))>>8), byte(16+len(text)))
		b = append(binary.BigEndian.AppendUint32(b, tsn), 0, 0, 0, 0, 0, 0, 0, 0)
		b = append(b, text...)
		p = packet.Packet{Time: 1e18, Src: client, Dst: server, Transport: packet.SCTP, Seq: 1, Payload: b}
		tsn++
		a.Push(&p, PortSIP)
		for a.Next(&u) {
		}
	}
	for name, f := range map[string]func(){
		"whole":     func() { push(whole, opt) },
		"fragments": func() { push(flagBegin, inv[:100]); push(0, inv[100:200]); push(flagEnd, inv[200:]) },
		"seen":      func() { push(whole, opt); tsn--; push(whole, opt) },
	} {
		f()
		if n := testing.AllocsPerRun(200, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// A window of TSNs against a set.
func TestTSN(t *testing.T) {
	var w way
	s := &script{b: []byte("any order of numbers within a window 0123456789")}
	seen := map[uint32]bool{}
	top := uint32(0xfffffe00)
	w.isNew(top, 1)
	seen[top] = true
	for i := range 100000 {
		tsn := top + uint32(s.next(200)) - uint32(s.next(800)+i%7)
		if int32(tsn-0xfffffe00) < 0 {
			continue
		}
		if got := w.isNew(tsn, 1); got == seen[tsn] {
			t.Fatalf("%d, top %d: new %v", tsn, top, got)
		}
		seen[tsn] = true
		if int32(tsn-top) > 0 {
			top = tsn
		}
	}
}
