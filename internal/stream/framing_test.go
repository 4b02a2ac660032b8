package stream

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// withLength is opt with other Content-Length lines and a body.
func withLength(lines, body string) string {
	return strings.Replace(opt, "Content-Length: 0\r\n", lines, 1) + body
}

var stamp = regexp.MustCompile(`^\d+[<>] `)

// cutUp sends bytes in pieces and ends the connection; what comes out is without
// times.
func cutUp(t *testing.T, a *Assembler, n int, data string) (got []string) {
	t.Helper()
	segs := slices.Clone(opening)
	for _, s := range each(n, 0, data) {
		s.ms = 1
		segs = append(segs, s)
	}
	for _, s := range run(t, a, append(segs, seg{2, '>', fin, len(data), "", nil})) {
		got = append(got, stamp.ReplaceAllString(s, ""))
	}
	return got
}

// Messages come out the same however the bytes are cut into segments.
func TestFraming(t *testing.T) {
	message := func(m string) string { return fmt.Sprintf("message %q", m) }
	long := strings.Repeat("b", 70000)
	bigHead := strings.Replace(opt, "Call-ID", "X: "+strings.Repeat("x", 64<<10)+"\r\nCall-ID", 1)
	for _, c := range []struct {
		name string
		data string
		want []string
	}{
		{"Content-Length in its compact form", withLength("l: 5\r\n", "abcde") + inv, []string{message(withLength("l: 5\r\n", "abcde")), "message inv"}},
		{"in other letters, with blanks", withLength("cONTENT-lENGTH \t:\t 5 \r\n", "abcde") + inv, []string{message(withLength("cONTENT-lENGTH \t:\t 5 \r\n", "abcde")), "message inv"}},
		{"folded", withLength("Content-Length:\r\n 5\r\n", "abcde") + inv, []string{message(withLength("Content-Length:\r\n 5\r\n", "abcde")), "message inv"}},
		{"with leading zeros", withLength("L: 0000000005\r\n", "abcde") + inv, []string{message(withLength("L: 0000000005\r\n", "abcde")), "message inv"}},
		{"twice the same", withLength("l: 5\r\nContent-Length: 5\r\n", "abcde") + inv, []string{message(withLength("l: 5\r\nContent-Length: 5\r\n", "abcde")), "message inv"}},
		{"headers that look like it", withLength("Content-Lengthy: 9\r\nl5: 9\r\nX-Content-Length: 9\r\nl 9\r\nContent: 9\r\nlong: 1\r\nl: 5\r\n", "abcde") + inv,
			[]string{message(withLength("Content-Lengthy: 9\r\nl5: 9\r\nX-Content-Length: 9\r\nl 9\r\nContent: 9\r\nlong: 1\r\nl: 5\r\n", "abcde")), "message inv"}},
		{"as a folded line of another header", withLength("X: a\r\n l: 9\r\nl: 5\r\n", "abcde") + inv, []string{message(withLength("X: a\r\n l: 9\r\nl: 5\r\n", "abcde")), "message inv"}},
		{"none, no body", withLength("", "") + inv, []string{message(withLength("", "")), "message inv"}},
		{"none, though there is a body", withLength("", "v=0\r\no=- 1\r\n") + inv, []string{message(withLength("", "")), "message inv"}},
		{"none, though the body is like a message", withLength("", "look:\r\nOPTIONS sip:a@b SIP/2.0\r\nthat was one\r\n") + inv, []string{message(withLength("", "")), "message inv"}},
		{"too small", withLength("l: 3\r\n", "abcde\r\n") + inv, []string{message(withLength("l: 3\r\n", "abc")), "message inv"}},
		{"not a number", withLength("l: many\r\n", "abcde\r\n") + inv, []string{message(withLength("l: many\r\n", "")), "message inv"}},
		{"not a number, no body", withLength("l: -1\r\n", "") + inv, []string{message(withLength("l: -1\r\n", "")), "message inv"}},
		{"empty", withLength("l:\r\n", "") + inv, []string{message(withLength("l:\r\n", "")), "message inv"}},
		{"two different ones", withLength("l: 5\r\nl: 6\r\n", "abcde\r\n") + inv, []string{message(withLength("l: 5\r\nl: 6\r\n", "")), "message inv"}},
		{"4 GiB", withLength("l: 4294967295\r\n", "abcde\r\n") + inv, []string{message(withLength("l: 4294967295\r\n", "")) + ", too long, cut", "message inv"}},
		{"beyond any number", withLength("l: 99999999999999999999999\r\n", "") + inv, []string{message(withLength("l: 99999999999999999999999\r\n", "")) + ", too long, cut", "message inv"}},

		{"bodies with request lines", mess + notify + mess + opt, []string{"message mess", "message notify", "message mess", "message opt"}},
		{"a body that is a message", withLength(fmt.Sprintf("l: %d\r\n", len(inv)), inv) + opt, []string{message(withLength(fmt.Sprintf("l: %d\r\n", len(inv)), inv)), "message opt"}},
		{"line ends without CR", strings.ReplaceAll(opt, "\r", "") + inv, []string{message(strings.ReplaceAll(opt, "\r", "")), "message inv"}},
		{"a CR in a line", withLength("X: a\rb\r\n", "") + inv, []string{message(withLength("X: a\rb\r\n", "")), "message inv"}},
		{"broken start lines that are like SIP", "SIP/2.0 2x0 OK\r\nl: 0\r\n\r\nOPTIONS sip:a@b SIP/7.0\r\nl: 2\r\n\r\nxxinvite <sip:a@b> SIP/2.0\r\n\r\n" + opt,
			[]string{`message "SIP/2.0 2x0 OK\r\nl: 0\r\n\r\n"`, `message "OPTIONS sip:a@b SIP/7.0\r\nl: 2\r\n\r\nxx"`, `message "invite <sip:a@b> SIP/2.0\r\n\r\n"`, "message opt"}},
		{"a status line without reason", "SIP/2.0 200\r\n\r\n" + opt, []string{`message "SIP/2.0 200\r\n\r\n"`, "message opt"}},

		{"rubbish between messages", opt + "some words\r\nand more\r\n" + inv, []string{"message opt", "message inv"}},
		{"rubbish without line ends", opt + "rubbish" + inv + opt, []string{"message opt", message("rubbish" + inv), "message opt"}}, // which nobody can use, but follow
		{"rubbish, then half a start line", opt + "rubbish\r\nOPTIONS sip:bob@example.com SIP", []string{"message opt"}},
		{"rubbish, then a start line without header", opt + "rubbish\r\nOPTIONS sip:bob@example.com SIP/2.0\r\n\r\n" + inv, []string{"message opt", "message inv"}},
		{"binary rubbish", opt + "\x80\x81\x82\x83\x84\x85\n\x01" + strings.Repeat("\xff", 3000) + "\n" + inv, []string{"message opt", "message inv"}},
		{"rubbish of one long line", opt + "x" + strings.Repeat("y", 100000) + "\r\n" + inv, []string{"message opt", "message inv"}},

		{"a body longer than allowed", withLength("l: 70000\r\n", long) + inv, []string{message(withLength("l: 70000\r\n", "")) + ", too long, cut", "message inv"}},
		{"the longest allowed", withLength("l: 65000\r\n", long[:65000]) + inv, []string{message(withLength("l: 65000\r\n", long[:65000])), "message inv"}},
		{"a header section longer than allowed", bigHead + "rubbish\r\n" + inv, []string{fmt.Sprintf("unfinished %q, too long, cut", bigHead[:64<<10]), "message inv"}},
		{"a header section without end", opt + "OPTIONS sip:a@b SIP/2.0\r\nX: y\r\n", []string{"message opt", `unfinished "OPTIONS sip:a@b SIP/2.0\r\nX: y\r\n", closed`}},
		{"a header section that ends in CR", opt + head(opt)[:len(head(opt))-1], []string{"message opt", fmt.Sprintf("unfinished opt[:%d], closed", len(opt)-1)}},
		{"a body without end", opt + inv[:len(inv)-1], []string{"message opt", fmt.Sprintf("message inv[:%d], closed, cut", len(inv)-1)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, n := range []int{1 << 20, 60000, 1460, 7, 1} {
				if n < 100 && len(c.data) > 65000 && testing.Short() {
					continue
				}
				a := New(Config{})
				if got := cutUp(t, a, n, c.data); !slices.Equal(got, c.want) {
					short := func(s []string) string {
						for i := range s {
							if len(s[i]) > 600 {
								s[i] = s[i][:300] + " ... " + s[i][len(s[i])-200:]
							}
						}
						return strings.Join(s, "\n\t")
					}
					t.Fatalf("in pieces of %d: got\n\t%s\nwant\n\t%s", n, short(got), short(slices.Clone(c.want)))
				}
			}
		})
	}
}

// The messages that framing gives are what sip.Message takes them for.
func TestFramingAgreesWithParse(t *testing.T) {
	var m sip.Message
	for lines, want := range map[string]sip.Problem{
		"l: 5\r\n":                              sip.OK,
		"Content-Length\t: 5\r\n":               sip.OK,
		"Content-Length:\r\n\t5\r\n":            sip.OK,
		"l: 5\r\nCONTENT-LENGTH: 05\r\n":        sip.OK,
		"l: 5\r\nl: 6\r\n":                      sip.LengthConflict,
		"l: 5 6\r\n":                            sip.LengthNotNumber,
		"l: +5\r\n":                             sip.LengthNotNumber,
		"l:\r\n":                                sip.LengthNotNumber,
		"l: 5\r\nX: y\r\nContent-Length: z\r\n": sip.LengthNotNumber,
	} {
		a := New(Config{})
		a.Push(seg{0, '>', syn, 0, withLength(lines, "abcde"), nil}.packet(), PortSIP)
		var u Unit
		if !a.Next(&u) || u.Kind != Message {
			t.Fatalf("%q: no message", lines)
		}
		if why := m.Parse(u.Payload, u.Cut); why != want || why == sip.OK && (string(m.Body()) != "abcde" || m.BodyCut()) {
			t.Errorf("%q: %v, body %q; want %v", lines, why, m.Body(), want)
		}
	}
}

func TestKeepAlives(t *testing.T) {
	n := len(opt)
	for _, c := range []struct {
		name string
		segs []seg
		want []string
	}{
		{"ping and pong", []seg{{1, '>', ack, 0, "\r\n\r\n", nil}, {2, '<', ack, 0, "\r\n", nil}, {3, '>', ack, 4, opt, nil}},
			[]string{`1> keep-alive "\r\n\r\n"`, `2< keep-alive "\r\n"`, "3> message opt"}},
		{"between messages of a segment", []seg{{1, '>', ack, 0, opt + "\r\n\r\n" + inv + "\r\n", nil}},
			[]string{"1> message opt", `1> keep-alive "\r\n\r\n"`, "1> message inv", `1> keep-alive "\r\n"`}},
		{"cut", []seg{{1, '>', ack, 0, opt + "\r", nil}, {2, '>', ack, n + 1, "\n\r", nil}, {3, '>', ack, n + 3, "\n" + opt[:9], nil}, {4, '>', ack, n + 13, opt[9:], nil}},
			[]string{"1> message opt", `1> keep-alive "\r"`, `2> keep-alive "\n\r"`, `3> keep-alive "\n"`, "4> message opt"}},
		{"64 KiB of it", []seg{{1, '>', ack, 0, strings.Repeat("\r\n", 32<<10), nil}, {2, '>', ack, 64 << 10, opt, nil}},
			[]string{fmt.Sprintf("1> keep-alive %q", strings.Repeat("\r\n", 32<<10)), "2> message opt"}},
		{"NUL", []seg{{1, '>', ack, 0, opt, nil}, {2, '>', ack, n, "\x00\x00\x00\x00", nil}, {3, '>', ack, n + 4, opt, nil}},
			[]string{"1> message opt", `2> keep-alive "\x00\x00\x00\x00"`, "3> message opt"}},
		{"then FIN", []seg{{1, '>', fin, 0, "\r\n\r\n", nil}}, []string{`1> keep-alive "\r\n\r\n"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := New(Config{})
			check(t, run(t, a, cat(opening, c.segs)), c.want)
			if s := a.Stats(); s.Held != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// A connection that does not start as SIP is one probe.
func TestProbes(t *testing.T) {
	const (
		hello = "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03" // ClientHello, the beginning
		get   = "GET /ws HTTP/1.1\r\nHost: example.com\r\n"

		switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
	)
	trail := strings.Repeat("\x17\x03\x03\x00\x20"+opt, 100)
	for _, c := range []struct {
		name  string
		segs  []seg
		want  []string
		check func(s Stats) bool
	}{
		{"TLS", []seg{{1, '>', ack, 0, hello, nil}, {2, '<', ack, 0, hello, nil}, {3, '>', ack, 10, trail, nil}, {4, '<', ack, 10, trail, nil}, {5, '>', fin, 10 + len(trail), "", nil}, {5, '<', fin, 10 + len(trail), "", nil}, {6, '>', ack, 10, "late", nil}},
			[]string{fmt.Sprintf("1> probe %q, tls", hello)},
			func(s Stats) bool { return s.Unread == uint64(10+2*len(trail)+4) && s.Memory == 0 }},
		{"TLS, in pieces", []seg{{1, '>', ack, 0, hello[:1], nil}, {2, '>', ack, 1, hello[1:2], nil}, {3, '>', ack, 2, hello[2:], nil}, {4, '<', ack, 0, hello, nil}},
			[]string{fmt.Sprintf("3> probe %q, tls", hello)}, nil},
		{"TLS, the server's side first", []seg{{2, '<', ack, 0, hello, nil}, {3, '>', ack, 0, hello, nil}},
			[]string{fmt.Sprintf("2< probe %q, tls", hello)}, nil},
		{"TLS, then another connection on the same ports", []seg{{1, '>', ack, 0, hello, nil}, {2, '<', ack, 0, hello, nil}, {3, '>', syn, 0, "", isn(5e8)}, {3, '<', synack, 0, "", isn(7e8)}, {4, '>', ack, 0, opt, isn(5e8)}, {5, '<', ack, 0, ok, isn(7e8)}},
			[]string{fmt.Sprintf("1> probe %q, tls", hello), "4> message opt", "5< message ok"}, nil},
		{"TLS, reset, then another connection", []seg{{1, '>', ack, 0, hello, nil}, {2, '<', rst, 0, "", nil}, {3, '>', syn, 0, "", isn(5e8)}, {4, '>', ack, 0, opt, isn(5e8)}},
			[]string{fmt.Sprintf("1> probe %q, tls", hello), "4> message opt"}, nil},
		{"TLS behind a snap length", []seg{{1, '>', ack, 0, hello + "more", snapped(4)}, {2, '>', ack, 14, trail, nil}},
			[]string{fmt.Sprintf("1> probe %q, tls", hello)}, nil},
		{"HTTP", []seg{{1, '>', ack, 0, get + "\r\n", nil}, {2, '<', ack, 0, "HTTP/1.1 404 Not Found\r\n\r\n", nil}, {3, '>', ack, len(get) + 2, get + "\r\n", nil}},
			[]string{fmt.Sprintf("1> probe %q, http", get+"\r\n")},
			func(s Stats) bool { return s.Skipped == uint64(26+len(get)+2) }},
		{"HTTP in pieces, then SIP", []seg{{1, '>', ack, 0, get[:5], nil}, {2, '>', ack, 5, get[5:], nil}, {3, '>', ack, len(get), "\r\n" + opt, nil}},
			[]string{fmt.Sprintf("3> probe %q, http", get+"\r\n"), "3> message opt"}, nil},
		{"HTTP and SIP in a segment", []seg{{1, '>', ack, 0, get + "A: b\r\nC: d\r\nE: f\r\nG: h\r\n\r\n" + opt, nil}},
			[]string{fmt.Sprintf("1> probe %q, http", get+"A: b\r\nC: d\r\nE: f\r\nG: h\r\n\r\n"), "1> message opt"}, nil},
		{"WebSocket that is no SIP", []seg{{1, '>', ack, 0, get + "Upgrade: WebSocket\r\n\r\n", nil}, {2, '<', ack, 0, switching, nil}, {3, '<', ack, len(switching), trail, nil}},
			[]string{fmt.Sprintf("1> probe %q, http", get+"Upgrade: WebSocket\r\n\r\n")},
			func(s Stats) bool { return s.Handshake == uint64(len(switching)) && s.Skipped == uint64(len(trail)) }},
		{"WebSocket that is no SIP, the request not seen", []seg{{2, '<', ack, 0, switching, nil}, {3, '<', ack, len(switching), trail, nil}},
			[]string{fmt.Sprintf("2< probe %q, http", switching)},
			func(s Stats) bool { return s.Skipped == uint64(len(trail)) }},
		{"words", []seg{{1, '>', ack, 0, "stats items\r\n", nil}, {2, '>', ack, 13, "stats items\r\n", nil}},
			[]string{`1> probe "stats items\r\n", text`},
			func(s Stats) bool { return s.Skipped == 13 }},
		{"words without a line end, then RST", []seg{{1, '>', ack, 0, "stats items", nil}, {2, '<', rst, 0, "", nil}},
			[]string{`2> probe "stats items", reset, text`}, nil},
		{"a long line", []seg{{1, '>', ack, 0, strings.Repeat("a", 8192), nil}, {2, '>', ack, 8192, "b", nil}, {3, '>', ack, 8193, strings.Repeat("c", 60000), nil}, {4, '>', ack, 68193, "\r\n" + opt, nil}},
			[]string{fmt.Sprintf("2> probe %q, text", strings.Repeat("a", 8192)+"b"), "4> message opt"}, nil},
		{"DNS", []seg{{1, '>', ack, 0, "\x00\x1d\x12\x34\x01\x00\x00\x01", nil}},
			[]string{`1> probe "\x00\x1d\x124\x01\x00\x00\x01", binary`}, nil},
		{"STUN", []seg{{1, '>', ack, 0, "\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl", nil}},
			[]string{`1> probe "\x00\x01\x00\x00!\x12\xa4Babcdefghijkl", stun`}, nil},
		{"a byte, then FIN", []seg{{1, '>', fin, 0, "\x01", nil}}, []string{`1> probe "\x01", closed, binary`}, nil},
		{"the answer to SIP is no probe", []seg{{1, '>', ack, 0, opt, nil}, {2, '<', ack, 0, "HTTP/1.1 400 Bad Request\r\n\r\n", nil}},
			[]string{"1> message opt"}, nil},
		{"the server speaks first", []seg{{1, '<', ack, 0, "SSH-2.0-x\r\n", nil}, {2, '>', ack, 0, "SSH-2.0-y\r\n", nil}},
			[]string{`1< probe "SSH-2.0-x\r\n", text`}, nil},
		{"a line of junk before SIP is none", []seg{{1, '>', ack, 0, "hello there\r\n" + inv + opt, nil}},
			[]string{"1> message inv", "1> message opt"}, nil},
		{"a line of junk, alone", []seg{{1, '>', ack, 0, "hello there\r\nI", nil}, {2, '>', ack, 14, inv[1:], nil}},
			[]string{`1> probe "hello there\r\n", text`, "2> message inv"}, nil},
		{"keep-alives first", []seg{{1, '>', ack, 0, "\r\n\r\n", nil}, {2, '>', ack, 4, "hello\r\n", nil}},
			[]string{`1> keep-alive "\r\n\r\n"`, `2> probe "hello\r\n", text`}, nil},
		{"its beginning lost", []seg{{1, '>', ack, 100, "hello\r\n", nil}, {ms: 1001}, {1002, '>', ack, 107, opt, nil}},
			[]string{"1002> message opt"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := New(Config{})
			check(t, run(t, a, cat(opening, c.segs)), c.want)
			s := a.Stats()
			if c.check != nil && !c.check(s) || s.Held != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// On ports that are not listed only what starts like SIP is followed.
func TestOtherPorts(t *testing.T) {
	n := len(opt)
	for _, c := range []struct {
		name   string
		segs   []seg
		want   []string
		others uint64
	}{
		{"another protocol", cat(opening, []seg{{1, '>', ack, 0, "GET / HTTP/1.1\r\n\r\n", nil}, {2, '<', ack, 0, "HTTP/1.1 200 OK\r\n\r\n", nil}, {3, '>', fin, 18, "", nil}}), nil, 6},
		{"SIP", cat(opening, []seg{{1, '>', ack, 0, opt, nil}, {2, '<', ack, 0, "", nil}, {3, '<', ack, 0, ok, nil}, {4, '>', ack, n, inv[:100], nil}, {5, '>', ack, n + 100, inv[100:], nil}}),
			[]string{"1> message opt", "3< message ok", "5> message inv"}, 3},
		{"SIP in the middle", []seg{{1, '>', ack, 0, inv[100:], nil}, {2, '>', ack, len(inv) - 100, opt, nil}},
			[]string{"2> message opt"}, 1},
		{"the other side is none", []seg{{1, '>', ack, 0, opt, nil}, {2, '<', ack, 0, "hello\r\n", nil}},
			[]string{"1> message opt"}, 1},
		{"SIP by chance", []seg{{1, '>', ack, 0, opt + "file of something\r\nelse", nil}, {2, '>', ack, n + 23, "else\r\n", nil}, {3, '>', ack, n + 29, inv, nil}},
			[]string{"1> message opt", "3> message inv"}, 0},
		{"SIP by chance, and binary", []seg{{1, '>', ack, 0, opt + "\x80\x80\x80\x80\x80\x80", nil}, {2, '>', ack, n + 6, "\x80\x80", nil}, {3, '>', ack, n + 8, inv, nil}},
			[]string{"1> message opt", "3> message inv"}, 1},
		{"the same ports again", cat([]seg{{1, '>', ack, 0, opt + inv[:100], nil}, {2, '>', syn, 0, "", isn(5e8)}, {3, '>', ack, 0, "hello\r\n", isn(5e8)}, {4, '>', ack, 7, opt, isn(5e8)}}),
			[]string{"1> message opt", "2> unfinished inv[:100], closed", "4> message opt"}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := New(Config{})
			var got []string
			for _, s := range c.segs {
				others := a.stats.OtherPort
				if taken := a.Push(s.packet(), PortAny); taken != (a.stats.OtherPort == others) {
					t.Fatalf("taken %v, %d on other ports", taken, a.stats.OtherPort-others)
				}
				got = append(got, drain(a)...)
				sound(t, a)
			}
			check(t, got, c.want)
			if s := a.Stats(); s.OtherPort != c.others {
				t.Errorf("%+v, want %d on other ports", s, c.others)
			}
		})
	}
}

// Messages that a capture's end leaves incomplete.
func TestFlush(t *testing.T) {
	a := New(Config{})
	run(t, a, cat(opening, []seg{{1, '>', ack, 0, opt[:100], nil}, {2, '<', ack, 10, ok, nil}, {3, '<', ack, 10 + len(ok), inv[:len(inv)-5], nil}}))
	a.Flush()
	check(t, drain(a), []string{
		"1> unfinished opt[:100], capture ended, cut",
		"3< message ok",
		fmt.Sprintf("3< message inv[:%d], capture ended, cut", len(inv)-5),
	})
	sound(t, a)
	if s := a.Stats(); s.Streams != 0 || s.Held != 0 || a.pool.used != 0 {
		t.Errorf("left: %+v", s)
	}
	// What the caller leaves undone is done all the same.
	a.Push(seg{5, '>', ack, 0, opt + inv, nil}.packet(), PortSIP)
	a.Push(seg{6, '>', ack, len(opt) + len(inv), opt, nil}.packet(), PortSIP)
	if s := a.Stats(); s.Units[Message] != 2+3 {
		t.Errorf("%+v", s)
	}
	sound(t, a)
}

// A unit says where it came from: the segment that completed it, or, where a timer
// brought it out, one that is in it.
func TestUnitPacket(t *testing.T) {
	from := func(id uint16, iface uint32) func(*packet.Packet) {
		return func(p *packet.Packet) {
			p.VLANs, p.Iface, p.Source, p.Encap = []uint16{id, 2, 3, 4}, iface, 5, []packet.Layer{packet.LayerQinQ, packet.LayerVLAN}
		}
	}
	a := New(Config{})
	same := func(u *Unit, vlan uint16, iface uint32, src netip.AddrPort) {
		t.Helper()
		if len(u.VLANs) != 4 || u.VLANs[0] != vlan || u.Iface != iface || u.Source != 5 || len(u.Encap) != 2 || u.Encap[0] != packet.LayerQinQ || u.Src != src || u.Transport != packet.TCP {
			t.Errorf("%+v", u.Packet)
		}
	}
	var u Unit
	a.Push(seg{1, '>', ack, 0, opt[:100], from(10, 1)}.packet(), PortSIP)
	drain(a)
	a.Push(seg{2, '>', ack, 100, opt[100:] + inv[:100], from(20, 2)}.packet(), PortSIP)
	if !a.Next(&u) {
		t.Fatal("no unit")
	}
	same(&u, 20, 2, client)
	drain(a)
	a.Push(seg{3, '<', ack, 0, ok[:100], from(30, 3)}.packet(), PortSIP)
	drain(a)
	a.Push(seg{4, '<', rst, 100, "", from(40, 4)}.packet(), PortSIP)
	for range 2 {
		if !a.Next(&u) {
			t.Fatal("no unit")
		}
		if u.Src == client {
			same(&u, 20, 2, client) // not the RST's
		} else {
			same(&u, 40, 4, server)
		}
	}
	if drain(a) != nil {
		t.Error("more units")
	}
}
