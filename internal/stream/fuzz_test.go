package stream

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// A script is fuzz input read as numbers, over and over.
type script struct {
	b  []byte
	at int
}

func (s *script) next(n int) int {
	if n <= 0 {
		return 0
	}
	v := 0
	for m := n - 1; ; m >>= 8 {
		if len(s.b) > 0 {
			v = v<<8 | int(s.b[s.at%len(s.b)])
			s.at++
		}
		if m < 256 {
			return v % n
		}
	}
}

// talk is a stream of messages, and what is between them.
func talk(s *script, n int) (data string, messages []string, between int) {
	var b strings.Builder
	for i := range n {
		for range s.next(3) * s.next(2) {
			b.WriteString("\r\n")
			between += 2
		}
		body := ""
		switch s.next(5) {
		case 0:
			body = "look:\r\nOPTIONS sip:fake@example.com SIP/2.0\r\nthat was one\r\n"
		case 1:
			body = "SIP/2.0 100 Trying\r\n"
		case 2:
			body = strings.Repeat("v=0 and more of it\r\n", s.next(200))
		}
		m := request("MESSAGE", fmt.Sprint("call-", i), body)
		if s.next(3) == 0 {
			m = "SIP/2.0 200 OK\r\n" + ids(fmt.Sprint("call-", i), "OPTIONS") + fmt.Sprintf("l: %d\r\n\r\n%s", len(body), body)
		}
		if s.next(8) == 0 {
			m = strings.ReplaceAll(m, "\r\n", "\n")
			m = strings.Replace(m, fmt.Sprint(": ", len(body), "\n"), fmt.Sprint(": ", len(strings.ReplaceAll(body, "\r\n", "\n")), "\n"), 1)
		}
		messages = append(messages, m)
		b.WriteString(m)
	}
	return b.String(), messages, between
}

type chunk struct{ from, to int }

// cutInto cuts n bytes into pieces, some of which overlap, some of which come
// again.
func cutInto(s *script, n int) (out []chunk) {
	for at := 0; at < n; {
		size := 1 + s.next([]int{8, 100, 1460, 20000}[s.next(4)])
		c := chunk{at, min(at+size, n)}
		at = c.to
		switch s.next(8) {
		case 0:
			c.from = max(0, c.from-s.next(50))
		case 1:
			c.to = min(n, c.to+s.next(50))
		}
		out = append(out, c)
		if s.next(8) == 0 {
			out = append(out, chunk{max(0, c.from-s.next(2000)), c.to})
		}
	}
	return out
}

// shuffled moves pieces by a few places, so that a direction can hold them all.
func shuffled(s *script, chunks []chunk) []chunk {
	type place struct{ chunk, at int }
	order := make([]place, len(chunks))
	for i := range order {
		order[i] = place{i, i + s.next(8)*s.next(2)}
	}
	slices.SortStableFunc(order, func(a, b place) int { return a.at - b.at })
	out := make([]chunk, len(chunks))
	for i, p := range order {
		out[i] = chunks[p.chunk]
	}
	return out
}

// send lets time pass and sends a piece. take takes the units.
func send(a *Assembler, ms int, isn uint32, data string, c chunk, flags packet.TCPFlags, take func()) {
	p := &packet.Packet{
		Time: int64(ms) * 1e6, Src: client, Dst: server, Transport: packet.TCP, Flags: flags,
		Seq: isn + 1 + uint32(c.from), Payload: []byte(data[c.from:c.to]),
	}
	a.Advance(p.Time)
	take()
	a.Push(p, PortSIP)
	take()
}

// Messages that are cut anywhere, in any order within a window, with duplicates and
// overlaps, come out once each and in order. With segments missing some come out:
// never one that was not sent, unless it is Cut, and then it begins like one, and
// all of those of which no byte is missing, if the order was kept.
func FuzzSegments(f *testing.F) {
	f.Add([]byte{0}, uint32(0), uint8(0))
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9}, uint32(0xffffff00), uint8(1))
	f.Add([]byte("any cut of a list of messages into segments, any order"), uint32(0x7ffffff0), uint8(2))
	f.Add([]byte{9, 200, 17, 3, 99, 254, 0, 0, 1, 77}, uint32(1), uint8(3))
	f.Add([]byte("frames that are masked, fragmented, compressed"), uint32(1), uint8(4))
	f.Add([]byte("frames with holes between them and in them"), uint32(1), uint8(5))
	f.Add([]byte("chunks, in any order and bundled"), uint32(0xfffffff0), uint8(8))
	f.Add([]byte("chunks of which some are lost"), uint32(0xfffffff0), uint8(9))
	f.Fuzz(func(t *testing.T, input []byte, isn uint32, mode uint8) {
		if len(input) <= 400 {
			carryAndCut(t, input, isn, mode)
		}
	})
}

// carryAndCut is FuzzSegments for one input. Of mode, 4 is WebSocket and 8 SCTP.
func carryAndCut(t *testing.T, input []byte, isn uint32, mode uint8) {
	if mode&8 != 0 {
		chunkAndSend(t, input, isn, mode)
		return
	}
	cutAndSend(t, input, isn, mode)
}

// cutAndSend is FuzzSegments over TCP. Of mode, 1 is loss and 2 keeps order.
func cutAndSend(t *testing.T, input []byte, isn uint32, mode uint8) {
	s := &script{b: input}
	data, want, between := talk(s, 1+s.next(40))
	lossy, ordered, framed := mode&1 != 0, mode&2 != 0, mode&4 != 0
	if framed {
		data, between = frame(s, want), 0
	}
	chunks := cutInto(s, len(data))
	if !ordered {
		chunks = shuffled(s, chunks)
	}
	a := New(Config{})
	var u Unit
	var got []string
	there := make([]bool, len(data))
	keepAlives, ms := 0, 0
	take := func() {
		for a.Next(&u) {
			switch {
			case framed && lossy && !u.WebSocket:
				// Where the handshake is lost, what is left of a header that is cut may look
				// like the end of a line and the beginning of a method.
			case u.Kind == KeepAlive:
				keepAlives += len(u.Payload)
			case u.Kind == Message && !u.Cut:
				got = append(got, string(u.Payload))
			case u.Kind == Message && lossy:
				if !slices.ContainsFunc(want, func(m string) bool { return strings.HasPrefix(m, string(u.Payload)) }) {
					t.Fatalf("cut, and not the beginning of a message: %q", u.Payload)
				}
			case u.Kind == Unfinished && lossy && (u.Reason == Closed || framed):
			case u.Kind == Probe && framed && lossy:
			default:
				t.Fatal(describe(&u))
			}
		}
	}
	a.Push(&packet.Packet{Src: client, Dst: server, Transport: packet.TCP, Flags: packet.SYN, Seq: isn}, PortSIP)
	for _, c := range chunks {
		ms++
		if lossy && s.next(10) == 0 {
			continue
		}
		send(a, ms, isn, data, c, packet.ACK, take)
		if ms%16 == 0 {
			sound(t, a)
		}
		for i := c.from; i < c.to; i++ {
			there[i] = true
		}
	}
	send(a, ms, isn, data, chunk{len(data), len(data)}, packet.FIN, take)
	a.Advance(int64(ms)*1e6 + 10e9)
	take()
	sound(t, a)
	if st := a.Stats(); st.Held != 0 || st.Memory > 0 && a.pool.used != 0 {
		t.Fatalf("left: %+v", st)
	}
	if !lossy {
		if !slices.Equal(got, want) || keepAlives != between {
			t.Fatalf("%d messages, want %d; %d bytes between, want %d\n%+v", len(got), len(want), keepAlives, between, a.Stats())
		}
		return
	}
	i, at := 0, 0
	if framed { // which ones depends on where a header is found again
		for _, m := range want {
			if i < len(got) && got[i] == m {
				i++
			}
		}
		if i < len(got) {
			t.Fatalf("was not sent, or not in this place: %q", got[i])
		}
		return
	}
	for _, m := range want {
		from := at + strings.Index(data[at:], m)
		at = from + len(m)
		if i < len(got) && got[i] == m {
			i++
		} else if ordered && !slices.Contains(there[from:at], false) {
			t.Fatalf("no byte is missing of %q", m)
		}
	}
	if i < len(got) {
		t.Fatalf("was not sent, or not in this place: %q", got[i])
	}
}

// frame puts messages into frames of WebSocket, which may be masked, fragmented with
// pings between, and compressed.
func frame(s *script, messages []string) string {
	var b strings.Builder
	b.WriteString(upgradeSIP)
	mask, squeeze := s.next(2) == 0, s.next(2) == 0
	var z squeezer
	for _, m := range messages {
		first := byte(1 + s.next(2))
		if squeeze {
			m, first = z.pack(m), first|deflated
		}
		for s.next(3) == 0 && len(m) > 1 {
			n := 1 + s.next(len(m)-1)
			b.WriteString(ws(first, mask, m[:n]))
			m, first = m[n:], 0
			if s.next(2) == 0 {
				b.WriteString(ws(pingFrame, mask, m[:min(len(m), 100)]))
			}
		}
		b.WriteString(ws(first|lastFrame, mask, m))
	}
	return b.String()
}

// chunkAndSend is FuzzSegments over SCTP: here messages come in the order in which
// they become whole, and all of those of which nothing is missing.

func chunkAndSend(t *testing.T, input []byte, tsn uint32, mode uint8) {
	s := &script{b: input}
	_, want, _ := talk(s, 1+s.next(40))
	lossy := mode&1 != 0
	type piece struct {
		chunk   string
		message int
	}
	var all []piece
	for i, m := range want {
		interleaved := s.next(3) == 0
		for fsn, flags := uint32(0), byte(flagBegin|s.next(2)*flagUnordered); ; fsn++ {
			n := min(len(m), 24+s.next([]int{50, 1000, 20000}[s.next(3)])) // within maxPieces
			if n == len(m) {
				flags |= flagEnd
			}
			if interleaved {
				all = append(all, piece{idata(flags, tsn, uint32(i), fsn, m[:n]), i})
			} else {
				all = append(all, piece{data(flags, tsn, uint16(i), m[:n]), i})
			}
			tsn++
			flags &^= flagBegin
			if m = m[n:]; m == "" {
				break
			}
		}
	}
	order := make([]chunk, len(all))
	for i := range order {
		order[i] = chunk{i, min(i+1+s.next(3)*s.next(2), len(all))} // bundled
	}
	if mode&2 == 0 {
		order = shuffled(s, order)
	}
	a := New(Config{})
	var u Unit
	got := map[string]int{}
	take := func() {
		for a.Next(&u) {
			switch {
			case u.Kind == Message && !u.Cut:
				got[string(u.Payload)]++
			case lossy && u.Cut:
			default:
				t.Fatal(describe(&u))
			}
		}
	}
	there := make([]bool, len(all))
	for ms, c := range order {
		if lossy && s.next(10) == 0 {
			continue
		}
		p := sctpPacket{ms + 1, '>', sack, 5}
		for i := c.from; i < c.to && len(p.data) < 60000; i++ {
			p.data += all[i].chunk
			there[i] = true
		}
		a.Push(p.packet(), PortSIP)
		take()
		if ms%16 == 0 {
			sound(t, a)
		}
	}
	a.Advance(int64(len(order))*1e6 + 10e9)
	take()
	sound(t, a)
	if st := a.Stats(); st.Held != 0 {
		t.Fatalf("left: %+v", st)
	}
	missing := map[int]bool{}
	for i, p := range all {
		missing[p.message] = missing[p.message] || !there[i]
	}
	sent := map[string]int{}
	for i, m := range want {
		if !missing[i] {
			sent[m]++
		}
	}
	for m, n := range sent {
		if got[m] != n {
			t.Fatalf("%d times, want %d: %q", got[m], n, m)
		}
	}
	for m, n := range got {
		if sent[m] != n {
			t.Fatalf("%d times, want %d: %q", n, sent[m], m)
		}
	}
}

// Whatever comes: no panic, the bounds hold, and no byte goes missing uncounted.
func FuzzHostile(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 200, 100, 50})
	f.Add([]byte("sequence tricks, floods of first segments, and Content-Length 4294967295"))
	f.Add(bytes.Repeat([]byte{255, 0, 17, 3}, 100))
	f.Fuzz(func(t *testing.T, input []byte) {
		if len(input) <= 3000 {
			hostile(t, input)
		}
	})
}

var hostilePacked = func() (out [3]string) {
	var z squeezer
	out[0], out[1] = z.pack(opt), z.pack(opt)
	out[2] = z.pack(opt + strings.Repeat("x", 1<<20))
	return out
}()

// sctpPieces are chunks; the first byte of the TSN's place is the script's.
var sctpPieces = []string{
	sack, abort, done, initial(1, 7), initial(2, 700), "\x00\x03\x00\x03", "\x00\x03\xff\xff", "\x03",
	data(whole, 0, 0, opt), data(whole, 0, 0, "x"), data(whole, 0, 0, ""), data(whole, 0, 0, strings.Repeat(inv, 50)), data(flagBegin, 0, 0, inv[:100]), data(0, 0, 0, inv[100:200]), data(flagEnd, 0, 0, inv[200:]),
	data(flagBegin, 0, 1, inv[:len(inv)-5]), data(flagEnd|flagUnordered, 0, 1, inv), idata(flagBegin, 0, 0, 0, inv[:100]), idata(flagEnd, 0, 0, 1, inv[100:]), idata(0, 0, 0, 1, strings.Repeat("z", 5000)),
}

// sctpHostile makes an SCTP packet of a script.
func sctpHostile(s *script, p *packet.Packet, tsn *uint32) {
	p.Transport, p.Flags, p.Payload = packet.SCTP, 0, nil
	if p.Seq = 1; s.next(20) == 0 {
		p.Seq = 2
	}
	for range 1 + s.next(3) {
		c := []byte(sctpPieces[s.next(len(sctpPieces))])
		if len(c) >= 12 && (c[0] == 0 || c[0] == 64) {
			if s.next(8) == 0 {
				*tsn += uint32(s.next(5000)) - 2500
			}
			binary.BigEndian.PutUint32(c[4:], *tsn)
			*tsn++
		}
		p.Payload = append(p.Payload, c...)
	}
}

var pieces = []string{
	"", "\r\n", "\n", opt, inv, inv[:100], opt[30:], mess, notify, ok, "l: 4294967295\r\n\r\n", "l: 5000\r\n\r\n", "l: 3\r\nl: 4\r\n\r\n",
	"OPTIONS sip:a@b SIP/2.0\r\n", "X: y\r\n", "x", "\x00", "\x16\x03\x01\x00\x05hello", "GET / HTTP/1.1\r\n", "Upgrade: websocket\r\n", "HTTP/1.1 101 x\r\n",
	upgradeSIP, upgradeBare, switching, squeezing, ws(textFrame, true, opt), ws(textFrame, false, inv), ws(1, true, opt[:50]), ws(lastFrame, true, opt[50:]),
	ws(1, false, opt[:50]), ws(lastFrame, false, opt[50:]), ws(textFrame, true, strings.Repeat(opt, 30)), ws(textFrame, false, mess[:100]), ws(textFrame, false, mess[100:]),
	ws(textFrame|deflated, true, hostilePacked[0]), ws(textFrame|deflated, false, hostilePacked[1]), ws(1|deflated, true, hostilePacked[0][:30]), ws(lastFrame, true, hostilePacked[0][30:]),
	ws(textFrame|deflated, false, hostilePacked[2]), ws(pingFrame, true, "x"), ws(closeFrame, false, ""), "HEP3\x00\x20\x00\x00\x00\x01\x00\x07\x02" + opt[:19], "EEP3\xff\xff\x00\x00\x00\x01\x00\x07",
	"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "\x17\x03\x03\x00\x20" + strings.Repeat("x", 32),
	strings.Repeat("\r\n", 32<<10), strings.Repeat("x", 5000), strings.Repeat("y\r\n", 20000), strings.Repeat("\xff", 70000), strings.Repeat(opt, 300),
}

func hostile(t *testing.T, input []byte) {
	cfg := Config{MaxMessage: 4 << 10, MaxStreams: 16, MaxStreamBytes: 16 << 10, IdleTimeout: time.Minute}
	cfg.MaxBytes = 3 * cfg.longest()
	if err := (Config{time.Minute, time.Second, cfg.MaxMessage, cfg.MaxStreams, cfg.MaxBytes, cfg.MaxStreamBytes}).Validate(); err != nil {
		t.Fatal(err)
	}
	hostileTo(t, input, cfg, func(a *Assembler) *Assembler { return a })
}

// hostileTo does it with these bounds, and with another Assembler in place of the one
// before after each segment. It gives what comes out.
func hostileTo(t *testing.T, input []byte, cfg Config, again func(a *Assembler) *Assembler) (got []string) {
	a := New(cfg)
	s := &script{b: input}
	var u Unit
	var next [40][2]uint32
	now, probes := int64(1e18), 0
	for s.at < len(input) {
		id, way := s.next(40), s.next(2)
		p := &packet.Packet{
			Src: netip.AddrPortFrom(client.Addr(), uint16(1000+id)), Dst: server, Transport: packet.TCP,
			Seq: next[id][way], Ack: next[id][1-way], Payload: []byte(pieces[s.next(len(pieces))]), Flags: packet.ACK,
		}
		if way == 1 {
			p.Src, p.Dst = p.Dst, p.Src
		}
		if id < 6 {
			sctpHostile(s, p, &next[id][way])
		}
		switch s.next(16) {
		case 0:
			p.Seq += uint32(s.next(20000))
		case 1:
			p.Seq -= uint32(s.next(20000))
		case 2:
			p.Seq += uint32(s.next(1<<16)) << 16
		case 3:
			p.Ack += uint32(s.next(20000))
		case 4:
			p.Cut, p.Missing = true, s.next(70000)
		case 5:
			p.VLANs = []uint16{uint16(s.next(4))}
		case 6:
			p.Flags = packet.TCPFlags(s.next(256))
		case 7:
			now += int64(s.next(1<<16)) * 1e6
		case 8:
			now -= int64(s.next(1<<16)) * 1e6
		case 9:
			p.Payload = p.Payload[:s.next(len(p.Payload)+1)]
		}
		now += int64(s.next(256)) * 1e5
		p.Time = now
		a.Advance(now)
		if s.next(8) != 0 {
			got = append(got, drain(a)...)
		}
		a.Push(p, [...]Ports{PortSIP, PortSIP, PortAny, PortWebSocket | PortHEP}[s.next(4)])
		if n := p.Seq + uint32(len(p.Payload)+p.Missing); s.next(4) != 0 && id >= 6 {
			next[id][way] = n
		}
		if s.next(8) != 0 {
			for a.Next(&u) {
				if len(u.Payload) == 0 || cap(u.Payload) != len(u.Payload) || u.Kind == Message && len(u.Payload) > cfg.MaxMessage {
					t.Fatalf("%v of %d bytes", u.Kind, len(u.Payload))
				}
				if u.Kind == Probe {
					probes++
				}
				got = append(got, describe(&u))
			}
		}
		sound(t, a)
		a = again(a)
	}
	a.Flush()
	got = append(got, drain(a)...)
	sound(t, a)
	if st := a.Stats(); st.Held != 0 || st.Streams != 0 || a.pool.used != 0 || a.waiting != [numWaits]waitList{} {
		t.Fatalf("left: %+v", st)
	}
	return got
}

// The properties of the fuzz functions, with as much input as a test run allows.
func TestRandom(t *testing.T) {
	n := 1000
	if testing.Short() {
		n = 100
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		b := make([]byte, 1+r.IntN(1000))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		hostile(t, b)
		carryAndCut(t, b[:min(len(b), 400)], r.Uint32(), uint8(i))
	}
}
