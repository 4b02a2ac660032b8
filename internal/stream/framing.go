package stream

import (
	"bytes"

	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// Framing (RFC 3261 §18.3, §7.5): a message is a header section up to the empty
// line, and as many bytes as Content-Length says. Without one the body is empty:
// over a stream it has to be there (§20.14), and where it is not, nothing says
// where the body ends.
//
// What does not begin as SIP between two messages, and what follows a
// Content-Length that can't be, is passed over up to the next line that is a
// request line or status line of SIP/2.0 as the grammar has it and is followed by a
// header line. The latter tells a message from a line of a body (message/sipfrag,
// RFC 3420). A whole message inside a body is taken for one where its own is lost.

// state is what a direction is at.
type state uint8

const (
	unseen    state = iota // no segment to begin with was seen
	starting               // before a message, or in its start line
	inHeader               // in a header section
	inBody                 // in a body of known length
	skipping               // in a body that is not kept
	searching              // out of step: a start line is looked for
	inUpgrade              // in the header section of what may be a WebSocket handshake
	inFrames               // before a frame of WebSocket, or in one
	inHEP                  // before a packet of HEP, or in one
	dark                   // not read
	closed                 // over
)

// A message is how far the reading of a message has come. Offsets are from its
// first byte.
type message struct {
	atLine  bool  // searching: a line begins here
	atGap   bool  // searching: or it does not, for something is missing before
	bad     bool  // Content-Length is no number, or there are two of different value
	line    int32 // start of the current line; while searching, end of a start line
	scanned int32 // no line end from line up to here
	length  int32 // value of Content-Length, -1 for none
	value   int32 // where the value of the Content-Length in work starts, 0 for none
	need    int32 // inBody: length of the whole message
	left    int32 // skipping: bytes still to come

	// inFrames: line is where the next frame begins, left how much of the text is given
	// out, value how many messages of WebSocket wait for the rest of one of SIP.
	open bool // the last frame was not the last of its message
}

// A proto is what a direction speaks.
type proto uint8

const (
	protoSIP proto = iota
	protoWebSocket
	protoHEP
)

// between are the states that a direction is in where a message begins.
var between = [...]state{protoSIP: starting, protoWebSocket: inFrames, protoHEP: inHEP}

const (
	// maxStartLine bounds the search for the end of a start line.
	maxStartLine = 8 << 10

	// maxBody is the greatest body that is passed over by its length. A
	// Content-Length beyond it is a lie or a mistake, and believing it would make the
	// connection unreadable for good.
	maxBody = 16 << 20

	// someBytes are enough to tell what a connection starts with, where it is no text.
	someBytes = 5

	// piece is how much of a segment is put behind an incomplete message at a time;
	// most need no more, and the rest is then read where it is.
	piece = 4 << 10
)

// avail is what is in order and not given out.
func (a *Assembler) avail() []byte {
	if d := a.half.hold; d != nil {
		return d.buf[d.off:d.fill]
	}
	return a.in[a.pos:]
}

// more makes more bytes available: wanted ones, where that is known. It reports
// false when there are none; then all that is left is held.
func (a *Assembler) more(wanted int) bool {
	rest := a.in[a.pos:]
	if len(rest) == 0 {
		return false
	}
	d := a.half.hold
	if d == nil { // they all are available
		d = a.hold(len(rest))
		d.fill = copy(d.buf, rest)
		d.time = a.time
		a.pos = len(a.in)
		return false
	}
	rest = rest[:min(len(rest), max(wanted, piece))]
	a.room(d, len(rest))
	d.fill += copy(d.buf[d.fill:], rest)
	d.time = a.time
	a.pos += len(rest)
	return true
}

// consume takes n bytes off. When what is left in the buffer is all of the
// segment, it is read from there on.
func (a *Assembler) consume(n int) {
	h := a.half
	d := h.hold
	if d == nil {
		a.pos += n
		return
	}
	d.off += n
	if left := d.fill - d.off; d.n == 0 && left <= a.pos && d.wait == notWaiting {
		a.pos -= left
		a.release(h)
	}
}

// pass takes n bytes off and counts them.
func (a *Assembler) pass(n int, count *uint64) {
	a.drop(n, count)
	a.consume(n)
}

func (a *Assembler) drop(n int, count *uint64) { *count += uint64(n) }

// repeated counts twice bytes of n as seen before.
func (a *Assembler) repeated(twice, n int) {
	a.stats.Repeated += uint64(twice)
	if twice > 0 && twice < n {
		a.stats.Overlaps++
	}
}

// frame gives the next unit of what is in order in the current direction. When it
// returns false, all that is left is held.
func (a *Assembler) frame(u *Unit) bool {
	for {
		d := a.avail()
		if len(d) == 0 {
			if a.more(0) {
				continue
			}
			if h := a.half; h.state == searching && h.proto == protoSIP && !a.conn.listed && h.hold == nil && len(a.data) == 0 {
				*h = half{} // to be taken up by a segment that starts like SIP
			}
			return false
		}
		var made, again bool
		switch h := a.half; h.state {
		case starting:
			made, again = a.start(u, d)
		case inHeader:
			made, again = a.header(u, d)
		case inBody:
			made, again = a.body(u, d)
		case skipping:
			n := min(len(d), int(h.left))
			h.left -= int32(n)
			a.pass(n, &a.stats.Skipped)
			if again = true; h.left == 0 {
				h.passBody(0)
			}
		case searching:
			again = a.search(d)
		case inUpgrade:
			made, again = a.upgrade(u, d)
		case inFrames:
			made, again = a.frames(u, d)
		case inHEP:
			made, again = a.capsule(u, d)
		case dark:
			a.unreadable(len(d))
			a.consume(len(d))
			again = true
		case unseen, closed:
			a.pass(len(d), &a.stats.Lost)
			again = true
		}
		if made || !again {
			return made
		}
	}
}

// start reads what is between messages, and the first line of one.
func (a *Assembler) start(u *Unit, d []byte) (made, again bool) {
	h := a.half
	if h.scanned == 0 {
		if n := filling(d); n > 0 {
			a.give(u, KeepAlive, Whole, n)
			return true, false
		}
		if h.fresh && isHEP(d) {
			if len(d) < hepHeader {
				return false, a.more(hepHeader - len(d))
			}
			a.conn.proto, h.proto, h.fresh = protoHEP, protoHEP, false
			h.passBody(0)
			return false, true
		}
	}
	lf := bytes.IndexByte(d[h.scanned:], '\n')
	if lf < 0 {
		h.scanned = int32(len(d))
		if len(d) <= a.startLine && (isToken(d[0]) || len(d) < someBytes) {
			return false, a.more(0)
		}
		return a.stranger(u, d), true
	}
	end := int(h.scanned) + lf + 1
	if end > a.startLine || !isUsual(d[:end]) && !isLikeSIP(d, end) {
		if h.fresh && isHandshake(bytes.TrimRight(d[:end], "\r\n")) {
			h.message = message{}
			h.state = inUpgrade
			return false, true
		}
		return a.stranger(u, d), true
	}
	h.headerFrom(end)
	h.fresh, a.conn.sip = false, true
	return false, true
}

// shortest is the least that sip.Classify takes for SIP.
const shortest = 13

// isUsual tells most start lines faster than isLikeSIP.
func isUsual(line []byte) bool {
	return len(line) > shortest && (string(line[:8]) == "SIP/2.0 " || string(line[len(line)-10:]) == " SIP/2.0\r\n")
}

// isLikeSIP tells whether d starts like SIP, judged by its first line, which ends
// at end. What Classify calls too short may go on behind it.
func isLikeSIP(d []byte, end int) bool {
	kind, _ := sip.Classify(d[:max(end, min(len(d), shortest))])
	return kind == sip.KindSIP
}

// filling counts the bytes before a message that are none of it: CRLF, and NUL and
// blanks, which some devices send in its place. The latter are none where something
// else than a message follows: many a binary protocol begins with NUL.
func filling(d []byte) int {
	n, ends := 0, 0
	for ; n < len(d); n++ {
		switch d[n] {
		case '\r', '\n':
			if n == ends {
				ends++
			}
			continue
		case 0, ' ', '\t':
			continue
		}
		if isToken(d[n]) {
			return n
		}
		return ends
	}
	return n
}

// headerFrom begins a header section whose first line ends at end.
func (h *half) headerFrom(end int) {
	h.message = message{line: int32(end), scanned: int32(end), length: -1}
	h.state = inHeader
}

// lookForStart is for when it is not known any more where a message starts.
func (h *half) lookForStart(atGap bool) {
	h.message = message{atLine: true, atGap: atGap}
	h.state = searching
}

// passBody passes over n bytes, behind which a message starts.
func (h *half) passBody(n int) {
	h.message = message{left: int32(n)}
	if h.state = skipping; n == 0 {
		h.state = between[h.proto]
	}
}

// stranger is for what begins where a message should and is none. If that is the
// beginning of a connection, it is its Probe.
func (a *Assembler) stranger(u *Unit, d []byte) bool {
	h, c := a.half, a.conn
	first := h.fresh && !c.probed && !c.sip && c.proto == protoSIP
	h.lookForStart(false)
	h.fresh = false
	if first && !c.listed {
		a.ignore(d)
		return false
	}
	if !first {
		a.stats.Resyncs++
		return false
	}
	kind, probe := sip.Classify(d)
	if kind == sip.KindSIP { // a line of junk, and then a start line
		a.stats.Resyncs++
		return false
	}
	n := a.startLineIn(d)
	h.atLine = d[n-1] == '\n'
	a.probe(u, probe, Whole, n)
	return true
}

// probe gives the Probe of a connection.
func (a *Assembler) probe(u *Unit, kind sip.ProbeKind, why Reason, n int) {
	c := a.conn
	c.probed = true
	if kind == sip.ProbeTLS && a.p != nil {
		a.shroud(a.avail()[:n])
	}
	a.give(u, Probe, why, n)
	u.Probe = kind
	if c.dark {
		a.darken()
	}
}

// ignore is for a connection that begins as something else where no Probe is asked
// for: nothing more of it is looked at.
func (a *Assembler) ignore(d []byte) {
	a.conn.dark = true
	if startsTLS(d) && a.p != nil {
		a.shroud(d)
	}
	a.darken()
}

// darken makes both directions of a connection dark.
func (a *Assembler) darken() {
	c := a.conn
	for i := range c.half {
		h := &c.half[i]
		a.giveUp(h, &a.stats.Unread)
		if h.state != closed {
			h.state = dark
		}
	}
	if c.list == open {
		a.touch(c, blind)
	}
}

// startLineIn is where the first start line of SIP in d begins that is not its
// first line, or a last line that may become one, or the length of d.
func (a *Assembler) startLineIn(d []byte) int {
	for at := 0; ; {
		lf := bytes.IndexByte(d[at:], '\n')
		switch {
		case lf < 0 && at > 0 && len(d)-at <= a.startLine:
			return at
		case lf < 0:
			return len(d)
		}
		if at += lf + 1; at == len(d) || isToken(d[at]) && sip.StartsStrict(d[at:]) {
			return at
		}
	}
}

// header reads header lines up to the empty one.
func (a *Assembler) header(u *Unit, d []byte) (made, again bool) {
	h := a.half
	end := h.sectionEnd(d)
	if end > a.cfg.MaxMessage || end == 0 && len(d) > a.cfg.MaxMessage {
		h.lookForStart(false)
		a.give(u, Unfinished, TooLong, a.cfg.MaxMessage)
		u.Cut = true
		return true, false
	}
	if end == 0 {
		return false, a.more(0)
	}
	body := int(max(h.length, 0))
	switch {
	case h.bad || body > maxBody:
		cut := !h.bad
		h.lookForStart(false)
		a.stats.Resyncs++
		a.give(u, Message, Whole, end)
		if cut {
			u.Cut, u.Reason = true, TooLong
		}
	case end+body > a.cfg.MaxMessage:
		h.passBody(body)
		a.give(u, Message, TooLong, end)
		u.Cut = true
	default:
		h.need, h.state = int32(end+body), inBody
		return a.body(u, d)
	}
	return true, false
}

// body waits for the end of the message.
func (a *Assembler) body(u *Unit, d []byte) (made, again bool) {
	h := a.half
	n := int(h.need)
	if len(d) < n {
		return false, a.more(n - len(d))
	}
	h.passBody(0)
	a.give(u, Message, Whole, n)
	return true, false
}

// isToken tells the bytes of a method or a header name (RFC 3261 §25.1) and the
// first ones of a status line.
func isToken(c byte) bool {
	switch {
	case c-'0' < 10, c|0x20 >= 'a' && c|0x20 <= 'z':
		return true
	}
	return bytes.IndexByte([]byte("-.!%*_+`'~"), c) >= 0
}

// unread is how many bytes of the current body are still to come, -1 where that is
// not known.
func (a *Assembler) unread() int {
	switch h := a.half; h.state {
	case inBody:
		return int(h.need) - len(a.avail())
	case skipping:
		return int(h.left)
	case inFrames:
		return a.unreadFrame()
	case inHEP:
		if n := int(h.need) - len(a.avail()); n >= 0 {
			return n
		}
	}
	return -1
}

// received reports whether the other end has more of a direction than was seen: what is
// incomplete lacks what the capture lost, and not what its sender kept.
func (h *half) received() bool {
	beyond := int32(h.ack - h.next)
	return h.hold != nil && beyond > 0 && beyond <= before
}

// leftover is for what is incomplete and stays so. It reports whether that is a
// unit.
func (a *Assembler) leftover(u *Unit, why Reason) bool {
	h, c := a.half, a.conn
	d := a.avail()
	if len(d) == 0 {
		return false
	}
	if h.hold != nil && (why == Hole || why == Snapped || why == Ended) {
		a.time = h.hold.time
	}
	kind := Unfinished
	switch h.state {
	case inBody:
		kind = Message
	case inHeader:
	case inFrames:
		return a.leftFrames(u, d, why)
	case inHEP:
		a.pass(len(d), &a.stats.Lost)
		return false
	case inUpgrade:
		if !h.fresh || c.probed || c.sip || !c.listed || why == Hole {
			a.pass(len(d), &a.stats.Skipped)
			return false
		}
		a.probe(u, sip.ProbeHTTP, why, len(d))
		return true
	case starting:
		like, probe := sip.Classify(d)
		switch {
		case like == sip.KindSIP || !h.fresh && isToken(d[0]):
		case h.fresh && !c.probed && !c.sip && c.listed && why != Hole:
			a.probe(u, probe, why, len(d))
			return true
		default:
			a.pass(len(d), &a.stats.Skipped)
			return false
		}
	default:
		a.pass(len(d), &a.stats.Skipped)
		return false
	}
	if kind == Unfinished && (why == Hole || why == Idle && h.received()) {
		a.stats.Broken++
		a.pass(len(d), &a.stats.Lost)
		return false
	}
	a.give(u, kind, why, len(d))
	u.Cut = kind == Message || why == Snapped || why == Ended
	return true
}

// give makes a unit of the first n bytes.
func (a *Assembler) give(u *Unit, k Kind, why Reason, n int) {
	a.label(u, k, why)
	u.Payload = a.avail()[:n:n]
	a.stats.UnitBytes[k] += uint64(n)
	a.consume(n)
}

// label fills a unit but for its payload, and counts it.
func (a *Assembler) label(u *Unit, k Kind, why Reason) {
	h := a.half
	if d := h.hold; a.p != nil && h == &a.conn.half[a.from] {
		u.Packet = *a.p
	} else {
		u.Packet = d.packet
	}
	u.Time = a.time
	u.Cut, u.Kind, u.Reason, u.Probe = false, k, why, sip.ProbeNone
	a.stats.Units[k]++
}

// giveUp forgets what h holds; it is counted.
func (a *Assembler) giveUp(h *half, count *uint64) {
	a.forgetWindow(h)
	if h.hold != nil {
		a.drop(h.hold.held(), count)
		a.release(h)
	}
}

// loseHold takes from a direction what it holds. It goes on behind that.
func (a *Assembler) loseHold(h *half) {
	have := h.hold.fill - h.hold.off
	a.giveUp(h, &a.stats.Lost)
	switch h.state {
	case inBody:
		h.passBody(int(h.need) - have)
	case starting, inHeader, searching, inUpgrade, inFrames, inHEP:
		h.lookForStart(false)
	}
}
