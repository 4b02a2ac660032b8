package stream

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// Messages of the tables below. The body of mess has a request line, that of notify
// is a message/sipfrag.
var (
	opt    = request("OPTIONS", "opt", "")
	inv    = request("INVITE", "inv", "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n")
	mess   = request("MESSAGE", "mess", "look:\r\nOPTIONS sip:fake@example.com SIP/2.0\r\nthat was one\r\n")
	notify = request("NOTIFY", "notify", "SIP/2.0 100 Trying\r\n")
	ok     = "SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1\r\n" + ids("opt", "OPTIONS") + "l: 0\r\n\r\n"

	named = map[string]string{"opt": opt, "inv": inv, "mess": mess, "notify": notify, "ok": ok}
)

func request(method, id, body string) string {
	return method + " sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1\r\n" + ids(id, method) +
		fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
}

func ids(id, method string) string {
	return "From: <sip:alice@example.com>;tag=a\r\nTo: <sip:bob@example.com>\r\nCall-ID: " + id + "\r\nCSeq: 1 " + method + "\r\n" +
		"User-Agent: a long name, so that the tables below have room for cuts, holes and what else may befall it\r\n"
}

// head is the header section of a message.
func head(m string) string { return m[:strings.Index(m, "\r\n\r\n")+4] }

var (
	client = netip.MustParseAddrPort("192.0.2.1:40000")
	server = netip.MustParseAddrPort("192.0.2.2:5060")
)

// Sequence numbers in the tables count from the byte behind the SYN; the initial
// numbers are such that they wrap.
const (
	clientISN = 0xfffffff0
	serverISN = 0x7fffffc0
)

// A seg is a segment of a table: when, from whom (> client, < server), with which
// flags, where, what.
type seg struct {
	ms    int
	from  byte
	flags packet.TCPFlags
	seq   int
	data  string
	more  func(p *packet.Packet)
}

const (
	syn    = packet.SYN
	synack = packet.SYN | packet.ACK
	ack    = packet.ACK
	fin    = packet.FIN | packet.ACK
	rst    = packet.RST
)

func (s seg) packet() *packet.Packet {
	p := &packet.Packet{Time: int64(s.ms) * 1e6, Src: client, Dst: server, Transport: packet.TCP, Flags: s.flags, Payload: []byte(s.data)}
	isn := uint32(clientISN)
	if s.from == '<' {
		p.Src, p.Dst, isn = server, client, serverISN
	}
	p.Seq = isn + 1 + uint32(s.seq)
	if s.flags&syn != 0 {
		p.Seq--
	}
	if s.more != nil {
		s.more(p)
	}
	return p
}

// Changes to a segment.
func snapped(n int) func(*packet.Packet) { // the last n bytes are missing
	return func(p *packet.Packet) {
		p.Payload, p.Cut, p.Missing = p.Payload[:len(p.Payload)-n], true, n
	}
}
func isn(n uint32) func(*packet.Packet) { return func(p *packet.Packet) { p.Seq += n } }
func vlan(id uint16) func(*packet.Packet) {
	return func(p *packet.Packet) { p.VLANs = []uint16{id} }
}
func acks(seq int) func(*packet.Packet) { // of the client's bytes
	return func(p *packet.Packet) { p.Ack = uint32(clientISN+1) + uint32(seq) }
}

// describe writes a unit as the tables have it.
func describe(u *Unit) string {
	way := ">"
	if u.Src == server {
		way = "<"
	}
	what := fmt.Sprintf("%q", u.Payload)
	for name, m := range named {
		switch {
		case string(u.Payload) == m:
			what = name
		case strings.HasPrefix(m, string(u.Payload)) && len(u.Payload) > 20:
			what = fmt.Sprintf("%s[:%d]", name, len(u.Payload))
		}
	}
	s := fmt.Sprintf("%d%s %v %s", u.Time/1e6, way, u.Kind, what)
	if u.Reason != Whole {
		s += ", " + u.Reason.String()
	}
	if u.Cut {
		s += ", cut"
	}
	if u.Probe != sip.ProbeNone {
		s += ", " + u.Probe.String()
	}
	return s
}

func drain(a *Assembler) (got []string) {
	var u Unit
	for a.Next(&u) {
		got = append(got, describe(&u))
	}
	return got
}

// sound checks what must always be true between two calls.
func sound(t testing.TB, a *Assembler) {
	t.Helper()
	s := a.Stats()
	if err := s.Check(); err != nil {
		t.Fatalf("%v\n%+v", err, s)
	}
	if s.Memory > a.cfg.MaxBytes || s.Streams > a.cfg.MaxStreams {
		t.Fatalf("beyond the bounds: %+v", s)
	}
	made, used := 0, 0
	for i, free := range a.pool.buffers {
		made += len(free) * (minBuffer << i)
	}
	for d := a.pool.holds; d != nil; d = d.newer {
		made += holdSize
	}
	for w := a.windows.free; w != nil; w = w.newer {
		made += windowCost
	}
	for w := a.windows.oldest(nil); w != nil && w != &a.windows.ends; w = w.newer {
		made += windowCost + len(w.buf)
		if w.half.window != w || w.n > len(w.buf) || w.n > windowSize {
			t.Fatalf("window of %d bytes of %d", w.n, len(w.buf))
		}
	}
	made += soundSCTP(t, a)
	if a.pool.ends.newer != nil {
		for d := a.pool.ends.newer; d != &a.pool.ends; d = d.newer {
			used++
			made += holdSize + len(d.buf)
			if d.held() == 0 && d.wait == notWaiting {
				t.Fatal("a hold of nothing")
			}
			if d.half.hold != d || d.off > d.fill || d.top() > len(d.buf) || (d.n > 0) && d.wait == notWaiting {
				t.Fatalf("hold of %d to %d of %d, %d islands", d.off, d.fill, len(d.buf), d.n)
			}
			at := d.half.next
			for _, x := range d.islands[:d.n] {
				if int32(x.from-at) <= 0 || int32(x.to-x.from) <= 0 {
					t.Fatalf("islands from %d: %v", d.half.next, d.islands[:d.n])
				}
				at = x.to
			}
			if n := d.fill - d.off; n > a.cfg.MaxMessage {
				t.Fatalf("%d bytes of a message held", n)
			}
		}
	}
	if made != s.Memory || used != a.pool.used {
		t.Fatalf("%d bytes made, counted %d; %d holds, counted %d", made, s.Memory, used, a.pool.used)
	}
	if a.pending != 0 || a.half != nil || a.p != nil || a.in != nil {
		t.Fatal("work left over")
	}
}

func run(t *testing.T, a *Assembler, segs []seg) (got []string) {
	t.Helper()
	for _, s := range segs {
		a.Advance(int64(s.ms) * 1e6)
		got = append(got, drain(a)...)
		if s.from == 0 { // time passes
			sound(t, a)
			continue
		}
		p := s.packet()
		if !a.Push(p, PortSIP) {
			t.Fatal("not taken")
		}
		got = append(got, drain(a)...)
		for i := range p.Payload { // it was only borrowed
			p.Payload[i] = 0xdb
		}
		sound(t, a)
	}
	return got
}

func check(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// each makes a segment of every n bytes of s.
func each(n int, ms int, s string) (out []seg) {
	for at := 0; at < len(s); at += n {
		out = append(out, seg{ms: ms + at/n, from: '>', flags: ack, seq: at, data: s[at:min(at+n, len(s))]})
	}
	return out
}

func cat(parts ...[]seg) []seg { return slices.Concat(parts...) }

var opening = []seg{{0, '>', syn, 0, "", nil}, {0, '<', synack, 0, "", nil}, {0, '>', ack, 0, "", nil}}

// after is a time as the tables have it.
func after(d time.Duration) int { return int(d / time.Millisecond) }

func TestSegments(t *testing.T) {
	n := len(opt)
	far := 50 << 20
	for _, c := range []struct {
		name  string
		segs  []seg
		want  []string
		check func(s Stats) bool
	}{
		{"a message a segment", cat(opening, []seg{{5, '>', ack, 0, opt, nil}, {6, '<', ack, 0, ok, nil}, {7, '>', ack, n, inv, nil}}),
			[]string{"5> message opt", "6< message ok", "7> message inv"},
			func(s Stats) bool { return s.Memory == 0 && s.Opened == 1 }},
		{"several messages a segment", cat(opening, []seg{{5, '>', ack, 0, opt + inv + mess + opt, nil}}),
			[]string{"5> message opt", "5> message inv", "5> message mess", "5> message opt"},
			func(s Stats) bool { return s.Memory == 0 }},
		{"a message over segments", cat(opening, each(100, 5, inv)), []string{"8> message inv"}, nil},
		{"byte by byte", cat(opening, each(1, 0, opt+inv+ok)),
			[]string{fmt.Sprintf("%d> message opt", n-1), fmt.Sprintf("%d> message inv", n+len(inv)-1), fmt.Sprintf("%d> message ok", n+len(inv)+len(ok)-1)}, nil},
		{"cut in the empty line", cat(opening, []seg{{1, '>', ack, 0, inv[:len(head(inv))-3], nil}, {2, '>', ack, len(head(inv)) - 3, inv[len(head(inv))-3:] + opt[:5], nil}, {3, '>', ack, len(inv) + 5, opt[5:], nil}}),
			[]string{"2> message inv", "3> message opt"}, nil},

		{"seen twice", cat(opening, []seg{{1, '>', ack, 0, opt, nil}, {2, '>', ack, 0, opt, nil}, {3, '>', ack, n, inv, nil}}),
			[]string{"1> message opt", "3> message inv"},
			func(s Stats) bool { return s.Repeated == uint64(n) && s.Overlaps == 0 }},
		{"sent again with more", cat(opening, []seg{{1, '>', ack, 0, opt, nil}, {2, '>', ack, 0, opt + inv, nil}}),
			[]string{"1> message opt", "2> message inv"},
			func(s Stats) bool { return s.Repeated == uint64(n) && s.Overlaps == 1 }},
		{"sent again with other bytes", cat(opening, []seg{{1, '>', ack, 0, opt[:200], nil}, {2, '>', ack, 100, strings.Repeat("x", 100) + opt[200:], nil}}),
			[]string{"2> message opt"}, nil},
		{"sent again with other bytes, ahead of a hole", cat(opening, []seg{{1, '>', ack, 100, opt[100:200], nil}, {2, '>', ack, 50, opt[50:100] + strings.Repeat("x", 150), nil}, {3, '>', ack, 200, strings.Repeat("y", 50) + opt[250:], nil}, {4, '>', ack, 0, opt[:50], nil}}),
			[]string{fmt.Sprintf("4> message %q", opt[:200]+strings.Repeat("x", 50)+opt[250:])},
			func(s Stats) bool { return s.Contradictions == 2 && s.Overlaps == 2 && s.Repeated == 150 }},
		{"keep-alive probes", cat(opening, []seg{{1, '>', ack, 0, opt, nil}, {2, '>', ack, n - 1, "", nil}, {3, '>', ack, n - 1, "\x00", nil}, {4, '>', ack, n, inv, nil}}),
			[]string{"1> message opt", "4> message inv"},
			func(s Stats) bool { return s.Repeated == 1 }},

		{"two segments in disorder", cat(opening, []seg{{1, '>', ack, 100, inv[100:], nil}, {2, '>', ack, 0, inv[:100], nil}}),
			[]string{"2> message inv"},
			func(s Stats) bool { return s.OutOfOrder == 1 && s.Holes == 0 }},
		{"all in disorder", cat(opening, []seg{{1, '>', ack, 300, inv[300:], nil}, {2, '>', ack, 100, inv[100:200], nil}, {3, '>', ack, 100, inv[100:250], nil}, {4, '>', ack, 0, inv[:100], nil}, {5, '>', ack, 200, inv[200:320], nil}}),
			[]string{"5> message inv"},
			func(s Stats) bool { return s.OutOfOrder == 3 && s.Holes == 0 && s.Repeated == 170 }},
		{"messages in disorder", cat(opening, []seg{{1, '>', ack, n, inv, nil}, {2, '>', ack, n + len(inv), mess, nil}, {3, '>', ack, 0, opt, nil}}),
			[]string{"3> message opt", "3> message inv", "3> message mess"}, nil},

		{"a message is lost", cat(opening, []seg{{1, '>', ack, 0, opt, nil}, {3, '>', ack, n + len(inv), mess, nil}, {4, '>', ack, n + len(inv) + len(mess), opt, nil}, {ms: 1002}, {ms: 1003}}),
			[]string{"1> message opt", "4> message mess", "4> message opt"},
			func(s Stats) bool { return s.Holes == 1 && s.HoleBytes == uint64(len(inv)) && s.Broken == 0 }},
		{"a message is late", cat(opening, []seg{{1, '>', ack, 0, opt, nil}, {3, '>', ack, n + len(inv), mess, nil}, {ms: 1002}, {1003, '>', ack, n, inv, nil}}),
			[]string{"1> message opt", "3> message mess"}, // the engine lets time pass before each packet
			func(s Stats) bool { return s.Repeated == uint64(len(inv)) }},
		{"a message is late, but in time", cat(opening, []seg{{1, '>', ack, 0, opt, nil}, {3, '>', ack, n + len(inv), mess, nil}, {1002, '>', ack, n, inv, nil}}),
			[]string{"1> message opt", "1002> message inv", "1002> message mess"}, nil},
		{"a hole that was acknowledged", cat(opening, []seg{{1, '>', ack, 0, opt, nil}, {3, '>', ack, n + len(inv), mess, nil}, {5, '<', ack, 0, "", acks(n + len(inv) + len(mess))}, {ms: 54}, {ms: 55}}),
			[]string{"1> message opt", "3> message mess"},
			func(s Stats) bool { return s.Holes == 1 }},
		{"a hole that was not acknowledged", cat(opening, []seg{{1, '>', ack, 0, opt, nil}, {3, '>', ack, n + len(inv), mess, nil}, {5, '<', ack, 0, "", acks(n)}, {ms: 500}}),
			[]string{"1> message opt"}, nil},
		{"a hole in a header section", cat(opening, []seg{{1, '>', ack, 0, inv[:150], nil}, {3, '>', ack, 250, inv[250:] + opt, nil}, {ms: 1003}}),
			[]string{"3> message opt"},
			func(s Stats) bool {
				return s.Broken == 1 && s.Lost == 150 && s.Skipped == uint64(len(inv)-250) && s.Resyncs == 0
			}},
		{"a hole in a body", cat(opening, []seg{{1, '>', ack, 0, mess[:len(mess)-50], nil}, {3, '>', ack, len(mess) - 30, mess[len(mess)-30:] + opt, nil}, {ms: 1003}}),
			[]string{fmt.Sprintf("1> message mess[:%d], hole, cut", len(mess)-50), "3> message opt"},
			func(s Stats) bool { return s.Broken == 0 && s.Skipped == 30 }},
		{"a hole from a body into the next message", cat(opening, []seg{{1, '>', ack, 0, mess[:len(mess)-50], nil}, {3, '>', ack, len(mess) + 30, opt[30:] + inv, nil}, {ms: 1003}}),
			[]string{fmt.Sprintf("1> message mess[:%d], hole, cut", len(mess)-50), "3> message inv"},
			func(s Stats) bool { return s.Skipped == uint64(n-30) }},
		{"a hole just behind a body", cat(opening, []seg{{1, '>', ack, 0, mess[:len(mess)-10], nil}, {3, '>', ack, len(mess), opt, nil}, {ms: 1003}}),
			[]string{fmt.Sprintf("1> message mess[:%d], hole, cut", len(mess)-10), "3> message opt"}, nil},
		{"a hole just behind a body, then a keep-alive", cat(opening, []seg{{1, '>', ack, 0, mess[:len(mess)-10], nil}, {3, '>', ack, len(mess), "\r\n" + opt, nil}, {ms: 1003}}),
			[]string{fmt.Sprintf("1> message mess[:%d], hole, cut", len(mess)-10), `3> keep-alive "\r\n"`, "3> message opt"}, nil},
		{"a hole before a body with a request line", cat(opening, []seg{{1, '>', ack, 0, opt, nil}, {3, '>', ack, n + 200, mess[200:] + inv, nil}, {ms: 1003}}),
			[]string{"1> message opt", "3> message inv"}, nil},
		{"a hole before a body that is a fragment of SIP", cat(opening, []seg{{1, '>', ack, 0, opt, nil}, {3, '>', ack, n + 200, notify[200:] + inv, nil}, {ms: 1003}}),
			[]string{"1> message opt", "3> message inv"}, nil},
		{"two holes", cat(opening, []seg{{1, '>', ack, n, opt, nil}, {500, '>', ack, 3 * n, opt, nil}, {ms: 1001}, {ms: 1500}, {ms: 2001}}),
			[]string{"1> message opt", "500> message opt"},
			func(s Stats) bool { return s.Holes == 2 }},
		{"two holes, waited for as long", cat(opening, []seg{{1, '>', ack, n, opt, nil}, {2, '>', ack, 3 * n, opt, nil}, {ms: 1002}}),
			[]string{"1> message opt", "2> message opt"},
			func(s Stats) bool { return s.Holes == 2 }},
		{"two holes, one of the pieces grows", cat(opening, []seg{{1, '>', ack, n, opt, nil}, {2, '>', ack, 3 * n, opt[:100], nil}, {900, '>', ack, 3*n + 100, opt[100:], nil}, {ms: 1002}}),
			[]string{"1> message opt", "900> message opt"},
			func(s Stats) bool { return s.Holes == 2 }},
		{"out of step, a message at the start of a segment", cat(opening, []seg{{1, '>', ack, 0, opt + "a body (nothing says so) without line end", nil}, {2, '>', ack, n + 41, inv, nil}}),
			[]string{"1> message opt", "2> message inv"},
			func(s Stats) bool { return s.Skipped == 41 && s.Resyncs == 1 }},
		{"more held than allowed behind a hole", cat(opening, []seg{{1, '>', ack, n, inv, nil}, {2, '>', ack, 256<<10 + 100, opt, nil}}),
			[]string{"1> message inv"},
			func(s Stats) bool { return s.Holes == 1 && s.Strays == 0 }},
		{"more pieces than allowed behind a hole", cat(opening, func() (segs []seg) {
			for i := range maxIslands + 1 {
				segs = append(segs, seg{1 + i, '>', ack, (2*i + 1) * n, opt, nil})
			}
			return segs
		}()), []string{"1> message opt"}, func(s Stats) bool { return s.Holes == 1 }},

		{"from the middle, at a message", []seg{{1, '>', ack, 777, opt, nil}, {2, '>', ack, 777 + n, inv, nil}},
			[]string{"1> message opt", "2> message inv"}, nil},
		{"from the middle, in a message", []seg{{1, '>', ack, 777, mess[100:] + opt, nil}},
			[]string{"1> message opt"},
			func(s Stats) bool { return s.Skipped == uint64(len(mess)-100) }},
		{"from the middle, a start line in pieces", []seg{{1, '>', ack, 700, "x\r\n" + opt[:10], nil}, {2, '>', ack, 713, opt[10:36], nil}, {3, '>', ack, 739, opt[36:37], nil}, {4, '>', ack, 740, opt[37:], nil}},
			[]string{"4> message opt"}, nil},
		{"from the middle, nothing that is SIP", []seg{{1, '>', ack, 700, "220 ready", nil}, {2, '<', ack, 700, "\x17\x03\x03\x00\x20" + strings.Repeat("x", 100), nil}, {3, '>', ack, 709, strings.Repeat("a", 9000), nil}},
			nil,
			func(s Stats) bool { return s.Held == 0 && s.Unread == 9+105+9000 && s.TLSConnections == 1 }},
		{"one side only", []seg{{1, '<', synack, 0, "", nil}, {2, '<', ack, 0, ok, nil}, {3, '<', fin, len(ok), "", nil}},
			[]string{"2< message ok"}, nil},

		{"data with SYN", []seg{{1, '>', syn, 0, opt, nil}, {2, '<', synack, 0, "", nil}, {3, '>', ack, n, inv, nil}},
			[]string{"1> message opt", "3> message inv"}, nil},
		{"SYN twice", cat(opening, []seg{{1, '>', ack, 0, opt[:100], nil}, {2, '>', syn, 0, "", nil}, {3, '>', ack, 100, opt[100:], nil}}),
			[]string{"3> message opt"}, nil},
		{"SYN after data", []seg{{1, '>', ack, 0, opt[:100], nil}, {1, '>', syn, 0, "", nil}, {3, '>', ack, 100, opt[100:], nil}},
			[]string{"3> message opt"},
			func(s Stats) bool { return s.Opened == 1 }},
		{"the same ports again", cat(opening, []seg{{1, '>', ack, 0, opt + inv[:100], nil}, {100, '>', syn, 0, "", isn(5e8)}, {101, '<', synack, 0, "", isn(7e8)}, {102, '>', ack, 0, inv, isn(5e8)}, {103, '<', ack, 0, ok, isn(7e8)}}),
			[]string{"1> message opt", "100> unfinished inv[:100], closed", "102> message inv", "103< message ok"}, nil},
		{"the same ports again, a probe each time", cat(opening, []seg{{1, '>', ack, 0, "hello\r\n", nil}, {100, '>', syn, 0, "", isn(5e8)}, {102, '>', ack, 0, "hello\r\n", isn(5e8)}}),
			[]string{`1> probe "hello\r\n", text`, `102> probe "hello\r\n", text`}, nil},
		{"the same ports again, SYN not seen", cat(opening, []seg{{1, '>', ack, 0, opt, nil}, {100, '>', ack, 0, inv, isn(5e8)}, {101, '>', ack, len(inv), opt, isn(5e8)}}),
			[]string{"1> message opt", "100> message inv", "101> message opt"},
			func(s Stats) bool { return s.Jumps == 1 }},

		{"a stray", cat(opening, []seg{{1, '>', ack, 0, opt[:100], nil}, {2, '>', ack, far, "stray", nil}, {3, '>', ack, 100, opt[100:], nil}}),
			[]string{"3> message opt"},
			func(s Stats) bool { return s.Strays == 1 && s.Lost == 5 }},
		{"a stray from long ago", cat(opening, []seg{{1, '>', ack, 0, opt[:100], nil}, {2, '>', ack, -far, "stray", nil}, {3, '>', ack, 100, opt[100:], nil}}),
			[]string{"3> message opt"},
			func(s Stats) bool { return s.Strays == 1 && s.Lost == 5 }},
		{"a gap in the capture", cat(opening, []seg{{1, '>', ack, 0, opt + inv[:380], nil}, {2, '>', ack, far, mess[100:200], nil}, {3, '>', ack, far + 100, mess[200:] + opt, nil}}),
			[]string{"1> message opt", "1> message inv[:380], hole, cut", "3> message opt"},
			func(s Stats) bool { return s.Jumps == 1 && s.Strays == 1 }},
		{"another sequence space", cat(opening, []seg{{1, '>', ack, 0, opt, nil}, {1, '>', ack, 0, opt, func(p *packet.Packet) { p.Seq += 1e9; p.VLANs = []uint16{7} }}, {2, '>', ack, n, inv, nil}, {2, '>', ack, n, inv, func(p *packet.Packet) { p.Seq += 1e9; p.VLANs = []uint16{7} }}}),
			[]string{"1> message opt", "2> message inv"},
			func(s Stats) bool { return s.Mirrored == uint64(n+len(inv)) }},
		{"two mirrors, each with a loss", cat(opening, []seg{{1, '>', ack, 0, opt[:100], vlan(7)}, {2, '>', ack, 100, opt[100:200], nil}, {2, '>', ack, 0, opt[:100], nil}, {3, '>', ack, 200, opt[200:], vlan(7)}}),
			[]string{"3> message opt"},
			func(s Stats) bool { return s.Repeated == 100 }},

		{"FIN", cat(opening, []seg{{1, '>', fin, 0, opt, nil}, {2, '<', fin, 0, ok, nil}, {3, '>', ack, n + 1, "", nil}}),
			[]string{"1> message opt", "2< message ok"}, nil},
		{"FIN in a header section", cat(opening, []seg{{1, '>', ack, 0, opt[:100], nil}, {2, '>', fin, 100, "", nil}}),
			[]string{"2> unfinished opt[:100], closed"}, nil},
		{"FIN in a body", cat(opening, []seg{{1, '>', fin, 0, inv[:len(inv)-5], nil}}),
			[]string{fmt.Sprintf("1> message inv[:%d], closed, cut", len(inv)-5)}, nil},
		{"FIN in a start line", cat(opening, []seg{{1, '>', fin, 0, opt + "OPTI", nil}}),
			[]string{"1> message opt", `1> unfinished "OPTI", closed`}, nil},
		{"FIN ahead", cat(opening, []seg{{1, '>', fin, 100, opt[100:], nil}, {2, '>', ack, 0, opt[:100], nil}, {3, '>', fin, 100, opt[100:], nil}}),
			[]string{"2> message opt"},
			func(s Stats) bool { return s.Repeated == uint64(n-100) }},
		{"FIN behind a hole", cat(opening, []seg{{1, '>', ack, 0, opt[:100], nil}, {2, '>', fin, n, "", nil}, {ms: 1002}}),
			nil,
			func(s Stats) bool { return s.Broken == 1 && s.Held == 0 }},
		{"stragglers", cat(opening, []seg{{1, '>', fin, 0, opt, nil}, {2, '<', fin, 0, "", nil}, {3, '>', ack, 0, opt, nil}, {4, '>', ack, n + 1, "x", nil}}),
			[]string{"1> message opt"},
			func(s Stats) bool { return s.Repeated == uint64(n) && s.Lost == 1 && s.Opened == 1 }},

		{"RST", cat(opening, []seg{{1, '>', ack, 0, opt[:100], nil}, {2, '<', ack, 0, ok[:60], nil}, {3, '>', rst, 100, "", nil}}),
			[]string{"3> unfinished opt[:100], reset", "3< unfinished ok[:60], reset"}, nil},
		{"RST from the other side", cat(opening, []seg{{1, '>', ack, 0, opt[:100], nil}, {3, '<', rst, 0, "no thanks", nil}}),
			[]string{"3> unfinished opt[:100], reset"}, nil},
		{"RST that does not fit", cat(opening, []seg{{1, '>', ack, 0, opt[:100], nil}, {2, '>', rst, far, "", nil}, {3, '>', ack, 100, opt[100:], nil}}),
			[]string{"3> message opt"},
			func(s Stats) bool { return s.Strays == 1 }},
		{"RST that was a lie", cat(opening, []seg{{1, '>', ack, 0, opt, nil}, {2, '>', rst, n, "", nil}, {3, '>', ack, n, inv, nil}, {4, '>', ack, n + len(inv), opt, nil}}),
			[]string{"1> message opt", "3> message inv", "4> message opt"}, nil},

		{"a snap length in a body", cat(opening, []seg{{1, '>', ack, 0, inv, snapped(40)}, {2, '>', ack, len(inv), opt, nil}}),
			[]string{fmt.Sprintf("1> message inv[:%d], snapped, cut", len(inv)-40), "2> message opt"},
			func(s Stats) bool { return s.SnapBytes == 40 && s.Holes == 0 }},
		{"a snap length in a header section", cat(opening, []seg{{1, '>', ack, 0, inv, snapped(len(inv) - 90)}, {2, '>', ack, len(inv), opt, snapped(n - 90)}}),
			[]string{"1> unfinished inv[:90], snapped, cut", "2> unfinished opt[:90], snapped, cut"}, nil},
		{"a snap length in the first of two segments", cat(opening, []seg{{1, '>', ack, 0, inv[:len(inv)-20], snapped(20)}, {2, '>', ack, len(inv) - 20, inv[len(inv)-20:] + opt, nil}}),
			[]string{fmt.Sprintf("1> message inv[:%d], snapped, cut", len(inv)-40), "2> message opt"}, nil},
		{"a snap length, and another mirror without one", cat(opening, []seg{{1, '>', ack, len(inv) - 30, inv[len(inv)-30:], vlan(7)}, {2, '>', ack, 0, inv, snapped(40)}}),
			[]string{fmt.Sprintf("2> message inv[:%d], snapped, cut", len(inv)-40)},
			func(s Stats) bool { return s.SnapBytes == 10 && s.Skipped == 30 }},
		{"a snap length and FIN", cat(opening, []seg{{1, '>', fin, 0, inv, snapped(40)}, {2, '<', fin, 0, "", nil}}),
			[]string{fmt.Sprintf("1> message inv[:%d], snapped, cut", len(inv)-40)}, nil},
		{"a snap length behind the TCP header", cat(opening, []seg{{1, '>', ack, 0, inv, snapped(len(inv))}, {2, '>', ack, len(inv), opt, nil}}),
			[]string{"2> message opt"}, nil},

		{"idle", cat(opening, []seg{{1, '>', ack, 0, opt[:100], nil}, {ms: 1 + after(5*time.Minute)}}),
			[]string{fmt.Sprintf("%d> unfinished opt[:100], idle", 1+after(5*time.Minute))},
			func(s Stats) bool { return s.Streams == 0 }},
		{"idle, and then more", cat(opening, []seg{{1, '>', ack, 0, opt, nil}, {400000, '>', ack, n, inv, nil}}),
			[]string{"1> message opt", "400000> message inv"},
			func(s Stats) bool { return s.Opened == 2 }},
		{"idle, a probe that nothing followed", cat(opening, []seg{{1, '>', ack, 0, "stats", nil}, {ms: 301000}}),
			[]string{`300001> probe "stats", idle, text`}, nil},
		{"a closed connection is forgotten sooner", cat(opening, []seg{{1, '>', fin, 0, opt, nil}, {2, '<', fin, 0, "", nil}, {ms: 30002}}),
			[]string{"1> message opt"},
			func(s Stats) bool { return s.Streams == 0 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := New(Config{})
			got := run(t, a, c.segs)
			check(t, got, c.want)
			if s := a.Stats(); c.check != nil && !c.check(s) {
				t.Errorf("%+v", s)
			}
		})
	}
}
