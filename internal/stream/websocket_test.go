package stream

import (
	"bytes"
	"compress/flate"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// ws is a frame: its first byte, masked or not, and what it holds.
func ws(first byte, mask bool, data string) string {
	b := []byte{first, 0}
	switch n := len(data); {
	case n < 126:
		b[1] = byte(n)
	case n < 1<<16:
		b[1] = 126
		b = append(b, byte(n>>8), byte(n))
	default:
		b[1] = 127
		b = append(b, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	if !mask {
		return string(b) + data
	}
	b[1] |= 0x80
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d} // RFC 6455 §5.7
	b = append(b, key[:]...)
	for i := range len(data) {
		b = append(b, data[i]^key[i&3])
	}
	return string(b)
}

const (
	textFrame  = 0x81
	contFrame  = 0x00
	lastFrame  = 0x80
	pingFrame  = 0x89
	closeFrame = 0x88
	deflated   = 0x40
)

// squeezer compresses messages, with context takeover.
type squeezer struct {
	out bytes.Buffer
	z   *flate.Writer
}

func (s *squeezer) pack(m string) string {
	if s.z == nil {
		s.z, _ = flate.NewWriter(&s.out, flate.BestCompression)
	}
	s.out.Reset()
	s.z.Write([]byte(m))
	s.z.Flush()
	return strings.TrimSuffix(s.out.String(), "\x00\x00\xff\xff")
}

const (
	upgradeSIP  = "GET / HTTP/1.1\r\nHost: example.com\r\nconnection: upgrade\r\nupgrade: WebSocket\r\nSec-WebSocket-Protocol: xmpp, sip\r\n\r\n"
	upgradeBare = "GET / HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\r\n"
	switching   = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: sip\r\n\r\n"
	squeezing   = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
)

// The examples of RFC 6455 §5.7.
func TestReadFrame(t *testing.T) {
	for _, c := range []struct {
		name string
		data string
		want reading
		text string
	}{
		{"unmasked text", "\x81\x05\x48\x65\x6c\x6c\x6f", readOK, "Hello"},
		{"masked text", "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", readOK, "Hello"},
		{"the first fragment", "\x01\x03\x48\x65\x6c", readOK, "Hel"},
		{"the last fragment", "\x80\x02\x6c\x6f", readOK, "lo"},
		{"ping", "\x89\x05\x48\x65\x6c\x6c\x6f", readOK, "Hello"},
		{"masked pong", "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", readOK, "Hello"},
		{"256 bytes", "\x82\x7e\x01\x00" + strings.Repeat("x", 256), readOK, strings.Repeat("x", 256)},
		{"64 KiB", "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00" + strings.Repeat("x", 65536), readOK, strings.Repeat("x", 65536)},
		{"compressed (RFC 7692 §7.2.3.1)", "\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00", readOK, "\xf2\x48\xcd\xc9\xc9\x07\x00"},

		{"nothing", "", readShort, ""},
		{"a byte", "\x81", readShort, ""},
		{"half a length", "\x81\x7e\x01", readShort, ""},
		{"half a long length", "\x81\x7f\x00\x00\x00\x00", readShort, ""},
		{"half a mask", "\x81\x85\x37\xfa", readShort, ""},
		{"RSV2", "\xa1\x05Hello", readBad, ""},
		{"RSV3", "\x91\x05Hello", readBad, ""},
		{"a compressed ping", "\xc9\x05Hello", readBad, ""},
		{"a compressed continuation", "\xc0\x05Hello", readBad, ""},
		{"opcode 3", "\x83\x05Hello", readBad, ""},
		{"opcode 11", "\x8b\x05Hello", readBad, ""},
		{"a fragment of a ping", "\x09\x05Hello", readBad, ""},
		{"a long ping", "\x89\x7e\x01\x00", readBad, ""},
		{"a length of 125 in two bytes", "\x81\x7e\x00\x7d", readBad, ""},
		{"a length of 65535 in eight bytes", "\x81\x7f\x00\x00\x00\x00\x00\x00\xff\xff", readBad, ""},
		{"a length that can't be", "\x81\x7f\xff\x00\x00\x00\x00\x00\xff\xff", readBad, ""},
	} {
		f, r := readFrame([]byte(c.data))
		if r != c.want {
			t.Errorf("%s: %v, want %v", c.name, r, c.want)
			continue
		}
		if r != readOK {
			continue
		}
		if got := string(f.unmask(nil, []byte(c.data)[f.header:])); got != c.text {
			t.Errorf("%s: %.40q, want %.40q", c.name, got, c.text)
		}
	}
}

// The examples of RFC 7692 §7.2.3: one window after another.
func TestInflate(t *testing.T) {
	var z inflater
	for _, c := range []struct{ name, data, dict, want string }{
		{"a fixed block", "\xf2\x48\xcd\xc9\xc9\x07\x00", "", "Hello"},
		{"with a window", "\xf2\x00\x11\x00\x00", "Hello", "Hello"},
		{"stored", "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", "", "Hello"},
		{"BFINAL", "\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "", "Hello"},
		{"two blocks", "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", "", "Hello"},
	} {
		got, all, ok := z.run(nil, []byte(c.data), []byte(c.dict), 100)
		if string(got) != c.want || !all || !ok {
			t.Errorf("%s: %q, %v, %v", c.name, got, all, ok)
		}
	}
	if got, all, ok := z.run(nil, []byte("\xf2\x00\x11\x00\x00"), nil, 100); all || ok {
		t.Errorf("without its window: %q, %v, %v", got, all, ok)
	}
	if got, all, ok := z.run(nil, []byte("\xf2\x48\xcd\xc9\xc9\x07\x00"), nil, 4); all || !ok || string(got) != "Hell" {
		t.Errorf("too long: %q, %v, %v", got, all, ok)
	}
}

func TestWebSocket(t *testing.T) {
	shaken := cat(opening, []seg{{1, '>', ack, 0, upgradeSIP, nil}, {1, '<', ack, 0, switching, nil}})
	c0, s0 := len(upgradeSIP), len(switching)
	text := func(m string) string { return ws(textFrame, true, m) }
	answer := func(m string) string { return ws(textFrame, false, m) }
	n := len(text(inv))
	noLength := strings.Replace(inv, fmt.Sprintf("Content-Length: %d\r\n", len(inv)-len(head(inv))), "", 1)
	for _, c := range []struct {
		name  string
		segs  []seg
		want  []string
		check func(s Stats) bool
	}{
		{"a message each way", cat(shaken, []seg{{2, '>', ack, c0, text(inv), nil}, {3, '<', ack, s0, answer(ok), nil}}),
			[]string{"2> message inv", "3< message ok"},
			func(s Stats) bool {
				return s.Handshake == uint64(c0+s0) && s.Framed == uint64(n+len(answer(ok))) && s.Frames == 2 && s.Memory == 0
			}},
		{"the request not seen", cat(opening[1:2], []seg{{1, '<', ack, 0, switching, nil}, {2, '>', ack, c0, text(inv), nil}, {3, '<', ack, s0, answer(ok), nil}}),
			[]string{"2> message inv", "3< message ok"}, nil},
		{"the answer not seen", cat(opening, []seg{{1, '>', ack, 0, upgradeSIP, nil}, {2, '>', ack, c0, text(inv), nil}}),
			[]string{"2> message inv"}, nil},
		{"no handshake seen", []seg{{2, '>', ack, c0, text(inv), nil}, {3, '<', ack, s0, answer(ok), nil}},
			[]string{"2> message inv", "3< message ok"}, nil},
		{"from the middle of a frame", []seg{{2, '>', ack, c0 + 50, text(inv)[50:], nil}, {3, '>', ack, c0 + n, text(opt), nil}},
			[]string{"3> message opt"}, nil},
		{"the other side from the middle of a frame", []seg{{2, '>', ack, c0, text(inv), nil}, {3, '<', ack, s0 + 50, answer(inv)[50:], nil}, {4, '<', ack, s0 + len(answer(inv)), answer(ok), nil}},
			[]string{"2> message inv", "4< message ok"}, nil},
		{"the handshake in pieces", cat(opening, each(7, 0, upgradeSIP+text(inv))),
			[]string{fmt.Sprintf("%d> message inv", (c0+n-1)/7)}, nil},
		{"a frame behind the handshake", cat(opening, []seg{{1, '>', ack, 0, upgradeSIP + text(inv), nil}}),
			[]string{"1> message inv"}, nil},
		{"without sub-protocol", cat(opening, []seg{{1, '>', ack, 0, upgradeBare, nil}, {1, '<', ack, 0, switching, nil}, {2, '>', ack, len(upgradeBare), text(inv), nil}}),
			[]string{fmt.Sprintf("1> probe %q, http", upgradeBare), "2> message inv"}, nil},
		{"refused", cat(opening, []seg{{1, '>', ack, 0, upgradeSIP, nil}, {1, '<', ack, 0, "HTTP/1.1 403 Forbidden\r\n\r\n", nil}}),
			nil, nil},
		{"what it carries is no SIP", cat(shaken, []seg{{2, '>', ack, c0, text("{\"event\": \"hello\"}"), nil}, {3, '>', ack, c0 + 24, text("{\"event\": \"hello\"}") + text(opt), nil}}),
			[]string{`2> probe "{\"event\": \"hello\"}", text`, "3> message opt"}, nil},

		{"several frames a segment", cat(shaken, []seg{{2, '>', ack, c0, text(inv) + text(opt) + text(mess), nil}}),
			[]string{"2> message inv", "2> message opt", "2> message mess"}, nil},
		{"fragments, with a ping and a pong between", cat(shaken, []seg{{2, '>', ack, c0, ws(1, true, inv[:100]) + ws(pingFrame, true, "x") + ws(contFrame, true, inv[100:200]) + ws(0x8a, true, "") + ws(lastFrame, true, inv[200:]) + text(opt), nil}}),
			[]string{"2> message inv", "2> message opt"},
			func(s Stats) bool { return s.Frames == 6 && s.ControlFrames == 2 && s.DataFrames == 4 }},
		{"fragments in segments", cat(shaken, []seg{{2, '>', ack, c0, ws(1, true, inv[:100]), nil}, {3, '>', ack, c0 + 106, ws(pingFrame, true, "x"), nil}, {4, '>', ack, c0 + 113, ws(lastFrame, true, inv[100:]), nil}}),
			[]string{"4> message inv"}, nil},
		{"binary", cat(shaken, []seg{{2, '>', ack, c0, ws(0x82, true, inv), nil}}),
			[]string{"2> message inv"}, nil},
		{"keep-alives and close", cat(shaken, []seg{{2, '>', ack, c0, text("\r\n\r\n"), nil}, {3, '<', ack, s0, answer("\r\n") + ws(closeFrame, false, "\x03\xe8"), nil}}),
			[]string{`2> keep-alive "\r\n\r\n"`, `3< keep-alive "\r\n"`}, nil},
		{"no Content-Length", cat(shaken, []seg{{2, '>', ack, c0, text(noLength), nil}}),
			[]string{fmt.Sprintf("2> message %q", noLength)}, nil},

		{"several messages a frame", cat(shaken, []seg{{2, '>', ack, c0, text(inv + "\r\n" + opt + mess), nil}}),
			[]string{"2> message inv", `2> keep-alive "\r\n"`, "2> message opt", "2> message mess"}, nil},
		{"a message over frames that are whole", cat(shaken, []seg{{2, '>', ack, c0, text(opt + inv[:100]), nil}, {3, '>', ack, c0 + len(text(opt+inv[:100])), text(inv[100:150]), nil}, {4, '>', ack, c0 + len(text(opt+inv[:100])) + 56, text(inv[150:]) + text(opt), nil}}),
			[]string{"2> message opt", "4> message inv", "4> message opt"}, nil},
		{"a part, and then another message", cat(shaken, []seg{{2, '>', ack, c0, text(inv[:100]), nil}, {3, '>', ack, c0 + 106, text(opt), nil}, {4, '>', ack, c0 + 106 + len(text(opt)), text(mess[:len(mess)-5]) + text(opt), nil}}),
			[]string{"3> unfinished inv[:100], closed", "3> message opt", fmt.Sprintf("4> message mess[:%d], closed, cut", len(mess)-5), "4> message opt"}, nil},
		{"a part, and FIN", cat(shaken, []seg{{2, '>', ack, c0, text(inv[:100]), nil}, {3, '>', fin, c0 + 106, "", nil}}),
			[]string{"3> unfinished inv[:100], closed"}, nil},
		{"a part of a frame, and RST", cat(shaken, []seg{{2, '>', ack, c0, text(inv)[:108], nil}, {3, '>', rst, c0 + 108, "", nil}}),
			[]string{"3> unfinished inv[:100], reset"}, nil},
		{"a part of a frame, idle", cat(shaken, []seg{{2, '<', ack, s0, answer(inv)[:104], nil}, {ms: 2 + after(5*time.Minute)}}),
			[]string{fmt.Sprintf("%d< unfinished inv[:100], idle", 2+after(5*time.Minute))}, nil},

		{"a hole of a frame", cat(shaken, []seg{{2, '>', ack, c0, text(opt), nil}, {3, '>', ack, c0 + len(text(opt)) + n, text(mess), nil}, {ms: 1004}}),
			[]string{"2> message opt", "3> message mess"}, nil},
		{"a hole in a frame", cat(shaken, []seg{{2, '>', ack, c0, text(inv)[:150], nil}, {3, '>', ack, c0 + 200, text(inv)[200:] + text(mess), nil}, {ms: 1004}}),
			[]string{"3> message mess"},
			func(s Stats) bool {
				return s.Broken == 1 && s.Lost == 150 && s.Skipped == uint64(n-200) && s.Resyncs == 0
			}},
		{"a hole in the body of a frame", cat(shaken, []seg{{2, '>', ack, c0, text(inv)[:n-20], nil}, {3, '>', ack, c0 + n, text(mess), nil}, {ms: 1004}}),
			[]string{fmt.Sprintf("2> message inv[:%d], hole, cut", len(inv)-20), "3> message mess"}, nil},
		{"a hole over the header of a frame", cat(shaken, []seg{{2, '>', ack, c0, text(opt), nil}, {3, '>', ack, c0 + len(text(opt)) + 20, text(inv)[20:] + text(mess) + text(opt), nil}, {ms: 1004}}),
			[]string{"2> message opt", "3> message mess", "3> message opt"}, nil},
		{"a hole, then a ping at a segment", cat(shaken, []seg{{2, '>', ack, c0, text(opt), nil}, {3, '>', ack, c0 + len(text(opt)) + 20, text(inv)[20:], nil}, {ms: 1004}, {1005, '>', ack, c0 + len(text(opt)) + n, ws(pingFrame, true, "") + text(mess), nil}}),
			[]string{"2> message opt", "1005> message mess"}, nil},
		{"a hole over the first fragment", cat(shaken, []seg{{2, '>', ack, c0, text(opt), nil}, {3, '>', ack, c0 + len(text(opt)) + 106, ws(lastFrame, true, inv[100:]) + text(mess), nil}, {ms: 1004}}),
			[]string{"2> message opt", "3> message mess"}, nil},
		{"snapped", cat(shaken, []seg{{2, '>', ack, c0, text(inv), snapped(40)}, {3, '>', ack, c0 + n, text(opt), nil}}),
			[]string{fmt.Sprintf("2> message inv[:%d], snapped, cut", len(inv)-40), "3> message opt"}, nil},
		{"rubbish", cat(shaken, []seg{{2, '>', ack, c0, text(opt) + "\xff\xff\xff" + text(mess), nil}}),
			[]string{"2> message opt", "2> message mess"},
			func(s Stats) bool { return s.Resyncs == 1 && s.Skipped == 3 }},
		{"a first fragment without the others", cat(shaken, []seg{{2, '>', ack, c0, ws(1, true, inv[:100]) + text(mess), nil}}),
			[]string{"2> message mess"}, nil},
		{"others without a first one", cat(shaken, []seg{{2, '>', ack, c0, ws(contFrame, true, inv[:100]) + ws(lastFrame, true, inv[100:]) + text(mess), nil}}),
			[]string{"2> message mess"},
			func(s Stats) bool { return s.LostFrames == 2 }},
		{"the same ports again", cat(shaken, []seg{{2, '>', ack, c0, text(opt), nil}, {3, '>', syn, 0, "", isn(5e8)}, {3, '<', synack, 0, "", isn(7e8)}, {4, '>', ack, 0, opt, isn(5e8)}, {5, '<', ack, 0, ok, isn(7e8)}}),
			[]string{"2> message opt", "4> message opt", "5< message ok"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := New(Config{})
			check(t, run(t, a, c.segs), c.want)
			if s := a.Stats(); c.check != nil && !c.check(s) || s.Units[Message]+s.Units[Unfinished] > 0 && s.UnitBytes[Message] > 0 && c.name != "the same ports again" {
				t.Errorf("%+v", s)
			}
		})
	}
}

// Compressed messages, and what becomes of them when something is missing.
func TestDeflate(t *testing.T) {
	shaken := cat(opening, []seg{{1, '>', ack, 0, upgradeSIP, nil}, {1, '<', ack, 0, squeezing, nil}})
	c0 := len(upgradeSIP)
	var z squeezer
	m1, m2, m3 := ws(textFrame|deflated, true, z.pack(inv)), ws(textFrame|deflated, true, z.pack(mess)), ws(textFrame|deflated, true, z.pack(inv))
	z.z.Reset(&z.out)
	m4 := ws(textFrame|deflated, true, z.pack(mess))
	m5 := ws(textFrame|deflated, true, z.pack(opt))
	at := func(i int) int {
		return c0 + len((m1 + m2 + m3 + m4)[:[]int{0, len(m1), len(m1 + m2), len(m1 + m2 + m3), len(m1 + m2 + m3 + m4)}[i]])
	}
	for _, c := range []struct {
		name  string
		segs  []seg
		want  []string
		check func(s Stats) bool
	}{
		{"all", cat(shaken, []seg{{2, '>', ack, c0, m1 + m2 + m3 + m4 + m5, nil}}),
			[]string{"2> message inv", "2> message mess", "2> message inv", "2> message mess", "2> message opt"},
			func(s Stats) bool { return s.Inflated == 5 && s.Undeflated == 0 }},
		{"one lost", cat(shaken, []seg{{2, '>', ack, c0, m1, nil}, {3, '>', ack, at(2), m3, nil}, {ms: 1004}, {1005, '>', ack, at(3), m4, nil}, {1006, '>', ack, at(4), m5, nil}}),
			[]string{"2> message inv", "1005> message mess", "1006> message opt"}, nil},
		{"one lost, the next one at no segment", cat(shaken, []seg{{2, '>', ack, c0, m1, nil}, {3, '>', ack, at(2) - 10, m2[len(m2)-10:] + m3 + m4 + m5, nil}, {ms: 1004}}),
			[]string{"2> message inv", "3> message mess", "3> message opt"}, nil},
		{"from the beginning of a window, no handshake seen", []seg{{2, '>', ack, at(3), m4, nil}, {3, '>', ack, at(4), m5, nil}},
			[]string{"2> message mess", "3> message opt"}, nil},
		{"from the middle", []seg{{2, '>', ack, at(1), m2, nil}, {3, '>', ack, at(2), m3, nil}, {4, '>', ack, at(3), m4, nil}, {5, '>', ack, at(4), m5, nil}},
			[]string{"4> message mess", "5> message opt"}, nil},
		{"rubbish in it", cat(shaken, []seg{{2, '>', ack, c0, ws(textFrame|deflated, true, "\x07rubbish") + m4, nil}}),
			[]string{"2> message mess"},
			func(s Stats) bool { return s.Undeflated == 1 && s.Inflated == 1 }},
		{"not agreed on", cat(opening, []seg{{1, '>', ack, 0, upgradeSIP, nil}, {1, '<', ack, 0, switching, nil}, {2, '>', ack, c0, m1, nil}, {3, '>', ack, at(1), ws(textFrame, true, opt), nil}}),
			[]string{"3> message opt"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := New(Config{})
			check(t, run(t, a, c.segs), c.want)
			if s := a.Stats(); c.check != nil && !c.check(s) {
				t.Errorf("%+v", s)
			}
		})
	}
}

// A message that inflates beyond all bounds stops at the bound, and is what it is up
// to there; the next one is read if it stands alone.
func TestBomb(t *testing.T) {
	a := New(Config{})
	var z squeezer
	bomb := ws(textFrame|deflated, false, z.pack("OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 100000000\r\n\r\n"+strings.Repeat("x", 50<<20)))
	z.z.Reset(&z.out)
	next := ws(textFrame|deflated, false, z.pack(opt))
	a.Push(seg{1, '<', ack, 0, next, nil}.packet(), PortSIP)
	if got := drain(a); len(got) != 1 {
		t.Fatal(got)
	}
	at := len(next)
	for _, data := range []string{bomb, next} {
		var got []Unit
		for len(data) > 0 {
			n := min(len(data), 1400)
			a.Push(seg{2, '<', ack, at, data[:n], nil}.packet(), PortSIP)
			var u Unit
			for a.Next(&u) {
				got = append(got, u)
			}
			at, data = at+n, data[n:]
		}
		for _, u := range got {
			if len(u.Payload) > a.cfg.MaxMessage {
				t.Errorf("%v of %d bytes", u.Kind, len(u.Payload))
			}
		}
		if len(got) == 0 {
			t.Errorf("no unit: %+v", a.Stats())
		}
		sound(t, a)
	}
	if n := cap(a.text) + cap(a.packed); n > 4*a.cfg.MaxMessage {
		t.Errorf("%d bytes of scratch", n)
	}
}

// Many small bombs in one segment are as dear as a great one: none is inflated far
// beyond its size, while a long message that is said again is read.
func TestManyBombs(t *testing.T) {
	a := New(Config{})
	var z squeezer
	long := strings.Replace(inv, "\r\n", "\r\nSubject: "+strings.Repeat("0123456789abcdef", 500)+"\r\n", 1)
	at := 0
	push := func(data string) (units int) {
		a.Push(seg{1, '<', ack, at, data, nil}.packet(), PortSIP)
		at += len(data)
		units = len(drain(a))
		sound(t, a)
		return units
	}
	first, again := z.pack(long), z.pack(long)
	if len(long) < 80*len(again) {
		t.Fatalf("%d bytes of %d: no test of the bound", len(again), len(long))
	}
	if push(ws(textFrame|deflated, false, first)) != 1 || push(ws(textFrame|deflated, false, again)) != 1 {
		t.Errorf("a long message and the same again: %+v", a.Stats())
	}
	z.z.Reset(&z.out)
	bomb := z.pack(strings.Repeat("a", 60<<10))
	before := a.Stats()
	push(strings.Repeat(ws(textFrame|deflated, false, bomb), 17))
	if s := a.Stats(); s.Inflated != before.Inflated || s.Undeflated != before.Undeflated+17 {
		t.Errorf("17 messages of 60 KiB from %d bytes each: %+v", len(bomb), s)
	}
}

// Windows give way to each other and to all else.
func TestWindows(t *testing.T) {
	cfg := small()
	cfg.MaxStreams = 1000
	a := New(cfg)
	var z squeezer
	m := ws(textFrame|deflated, false, z.pack(inv+strings.Repeat("\r\n", 2000)))
	for i := range 1000 {
		a.Push(from(i, i, ack, 0, m), PortAny)
		drain(a)
		sound(t, a)
	}
	s := a.Stats()
	if s.Inflated != 1000 || s.Forgotten == 0 {
		t.Errorf("%+v", s)
	}
	for i := range 100 { // and now holds
		a.Push(from(5000+i, 2000, ack, 0, inv[:100]), PortSIP)
		drain(a)
		sound(t, a)
	}
	if s := a.Stats(); s.Held != 100*100 {
		t.Errorf("%+v", s)
	}
}

// On ports of WebSocket a connection is followed from its SYN; what is none is
// ignored, without a Probe. On others the segment has to tell.
func TestWebSocketPorts(t *testing.T) {
	page := "GET /index.html HTTP/1.1\r\nHost: example.com\r\n\r\n"
	for _, c := range []struct {
		name  string
		ports Ports
		segs  []seg
		want  []string
		check func(s Stats) bool
	}{
		{"a handshake in pieces", PortWebSocket, cat(opening, each(10, 1, upgradeSIP+ws(textFrame, true, inv))),
			[]string{fmt.Sprintf("%d> message inv", 1+(len(upgradeSIP)+len(inv)+8-1)/10)}, nil},
		{"a page", PortWebSocket, cat(opening, []seg{{1, '>', ack, 0, page, nil}, {2, '<', ack, 0, "HTTP/1.1 200 OK\r\n\r\n" + opt, nil}, {3, '>', ack, len(page), page, nil}}),
			nil, func(s Stats) bool { return s.Unread == uint64(2*len(page)+19+len(opt)) && s.Memory < 4<<10 }},
		{"TLS", PortWebSocket, cat(opening, []seg{{1, '>', ack, 0, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", nil}, {2, '<', ack, 0, strings.Repeat("x", 500), nil}}),
			nil, func(s Stats) bool {
				return s.TLS[0] == Server{Addr: server, Connections: 1, Bytes: 511} && s.TLSConnections == 1 && s.TLSBytes == 511
			}},
		{"frames", PortWebSocket, []seg{{1, '>', ack, 0, ws(textFrame, true, inv), nil}},
			[]string{"1> message inv"}, nil},
		{"SIP is not asked for", PortWebSocket, []seg{{1, '>', ack, 0, inv, nil}}, nil,
			func(s Stats) bool { return s.OtherPort == 1 }},
		{"any port: a handshake", PortAny, cat(opening, []seg{{1, '>', ack, 0, upgradeSIP, nil}, {2, '<', ack, 0, switching, nil}, {3, '>', ack, len(upgradeSIP), ws(textFrame, true, inv)[:50], nil}, {4, '>', ack, len(upgradeSIP) + 50, ws(textFrame, true, inv)[50:], nil}}),
			[]string{"4> message inv"}, nil},
		{"any port: a page", PortAny, cat(opening, []seg{{1, '>', ack, 0, page, nil}}), nil,
			func(s Stats) bool { return s.OtherPort == 4 && s.Opened == 0 }},
		{"any port: frames of something else", PortAny, []seg{{1, '>', ack, 0, ws(textFrame, true, "{\"type\": \"hello\", \"id\": 1}"), nil}}, nil,
			func(s Stats) bool { return s.OtherPort == 1 && s.Opened == 0 }},
		{"any port: TLS in the middle", PortAny, []seg{{1, '<', ack, 0, "\x17\x03\x03\x00\x20" + strings.Repeat("x", 32), nil}, {2, '>', ack, 0, "\x17\x03\x03\x00\x20" + strings.Repeat("x", 32), nil}}, nil,
			func(s Stats) bool {
				return s.TLS[0] == Server{Addr: server, Connections: 1, Bytes: 74} && s.TLSConnections == 1
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := New(Config{})
			var got []string
			for _, s := range c.segs {
				a.Push(s.packet(), c.ports)
				got = append(got, drain(a)...)
				sound(t, a)
			}
			check(t, got, c.want)
			if s := a.Stats(); c.check != nil && !c.check(s) || s.Held != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// A record of TLS in a connection that speaks SIP changes nothing.
func TestTLSBesideSIP(t *testing.T) {
	a := New(Config{})
	for _, s := range []seg{{1, '>', ack, 0, opt, nil}, {2, '<', ack, 0, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", nil}, {3, '>', ack, len(opt), inv, nil}} {
		a.Push(s.packet(), PortAny)
		drain(a)
		sound(t, a)
	}
	if s := a.Stats(); s.Units[Message] != 2 || s.TLSConnections != 0 {
		t.Errorf("%+v", s)
	}
}

// Servers are told apart up to a bound.
func TestServers(t *testing.T) {
	a := New(Config{})
	for i := range 1000 {
		p := from(i, i, ack, 7, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
		if i%2 == 0 {
			p.Src, p.Dst = server, p.Src // a server of its own
			p.Payload[5] = 1
		}
		a.Push(p, PortAny)
		drain(a)
		sound(t, a)
	}
	all := a.Unreadable()
	if len(all) != maxServers || all[0] != (Server{Addr: server, Connections: 500, Bytes: 500 * 11}) || a.Stats().TLSConnections != 1000 {
		t.Errorf("%d servers: %+v", len(all), all[0])
	}
}

// Packets of HEP version 3 behind one another, RFC-less: ../../spec hep, a length
// behind the magic number.
func TestHEP(t *testing.T) {
	hep := func(magic, body string) string {
		n := 6 + 6 + len(body)
		return magic + string([]byte{byte(n >> 8), byte(n), 0, 0, 0, 15, byte((6 + len(body)) >> 8), byte(6 + len(body))}) + body
	}
	one, two := hep("HEP3", opt), hep("EEP3", inv)
	for _, c := range []struct {
		name  string
		ports Ports
		segs  []seg
		want  []string
	}{
		{"a packet a segment", PortAny, []seg{{1, '>', ack, 0, one, nil}, {2, '>', ack, len(one), two, nil}},
			[]string{fmt.Sprintf("1> hep %q", one), fmt.Sprintf("2> hep %q", two)}},
		{"several", PortHEP, cat(opening, []seg{{1, '>', ack, 0, one + two + one, nil}}),
			[]string{fmt.Sprintf("1> hep %q", one), fmt.Sprintf("1> hep %q", two), fmt.Sprintf("1> hep %q", one)}},
		{"in pieces", PortHEP, cat(opening, each(3, 1, one)),
			[]string{fmt.Sprintf("%d> hep %q", 1+(len(one)-1)/3, one)}},
		{"in pieces on a port of SIP", PortSIP, cat(opening, each(3, 1, one)),
			[]string{fmt.Sprintf("%d> hep %q", 1+(len(one)-1)/3, one)}},
		{"a hole in one", PortSIP, cat(opening, []seg{{1, '>', ack, 0, one[:50], nil}, {2, '>', ack, 90, one[90:] + two, nil}, {ms: 1100}}),
			[]string{fmt.Sprintf("2> hep %q", two)}},
		{"a hole over two", PortSIP, cat(opening, []seg{{1, '>', ack, 0, one[:50], nil}, {2, '>', ack, len(one) + 90, two[90:] + one, nil}, {ms: 1100}}),
			[]string{fmt.Sprintf("2> hep %q", one)}},
		{"rubbish", PortSIP, cat(opening, []seg{{1, '>', ack, 0, one + "HEP1" + two, nil}}),
			[]string{fmt.Sprintf("1> hep %q", one), fmt.Sprintf("1> hep %q", two)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := New(Config{})
			var got []string
			for _, s := range c.segs {
				if s.from == 0 {
					a.Advance(int64(s.ms) * 1e6)
				} else {
					a.Push(s.packet(), c.ports)
				}
				got = append(got, drain(a)...)
				sound(t, a)
			}
			check(t, got, c.want)
			if s := a.Stats(); s.Held != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// In steady state a message of WebSocket allocates nothing, a compressed one only
// what compress/flate does for long codes.
func TestWebSocketAllocs(t *testing.T) {
	a := New(Config{})
	var u Unit
	seq := uint32(0)
	b := make([]byte, 0, 64<<10)
	var p packet.Packet
	push := func(data string) {
		p = packet.Packet{Time: 1e18, Src: client, Dst: server, Transport: packet.TCP, Flags: ack, Seq: seq, Payload: append(b[:0], data...)}
		seq += uint32(len(data))
		a.Push(&p, PortSIP)
		for a.Next(&u) {
		}
	}
	whole := ws(textFrame, false, inv)
	parts := ws(1, false, inv[:100]) + ws(pingFrame, false, "") + ws(lastFrame, false, inv[100:])
	push(whole)
	for name, f := range map[string]func(){
		"a message a segment": func() { push(whole) },
		"in pieces":           func() { push(whole[:100]); push(whole[100:]) },
		"fragments":           func() { push(parts[:50]); push(parts[50:]) },
	} {
		f()
		if n := testing.AllocsPerRun(200, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	var s squeezer
	var all []string
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		m := strings.ReplaceAll([]string{opt, inv, mess, ok}[r.IntN(4)], "z9hG4bK1", fmt.Sprintf("z9hG4bK%x", r.Uint64()))
		all = append(all, ws(textFrame|deflated, false, s.pack(m)))
	}
	i := 0
	for range 500 {
		push(all[i])
		i++
	}
	n := testing.AllocsPerRun(400, func() { push(all[i]); i++ })
	t.Logf("%v allocations a compressed message", n)
	if n > 4 || a.stats.Undeflated > 0 {
		t.Errorf("%v allocations a compressed message: %+v", n, a.Stats())
	}
}
