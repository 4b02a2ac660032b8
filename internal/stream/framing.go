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
}

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
			if h := a.half; h.state == searching && !a.conn.listed && h.hold == nil {
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
		case dark:
			a.pass(len(d), &a.stats.Unread)
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
		h.state = starting
	}
}

// stranger is for what begins where a message should and is none. If that is the
// beginning of a connection, it is its Probe.
func (a *Assembler) stranger(u *Unit, d []byte) bool {
	h, c := a.half, a.conn
	first := h.fresh && !c.probed && !c.sip
	h.lookForStart(false)
	h.fresh = false
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
	c.dark = kind == sip.ProbeTLS || kind == sip.ProbeHTTP && isWebSocket(a.avail()[:n])
	a.give(u, Probe, why, n)
	u.Probe = kind
	if !c.dark {
		return
	}
	for i := range c.half {
		a.giveUp(&c.half[i], &a.stats.Unread)
		if c.half[i].state != closed {
			c.half[i].state = dark
		}
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

// isWebSocket tells a WebSocket handshake from other HTTP (RFC 6455 §4.1, §4.2.2),
// by what is there of it.
func isWebSocket(d []byte) bool {
	return bytes.HasPrefix(d, []byte("HTTP/1.1 101 ")) || holdsFold(d, "\nupgrade: websocket")
}

// holdsFold looks for lower-case s in b, whose case does not matter.
func holdsFold(b []byte, s string) bool {
	for i := 0; i+len(s) <= len(b); i++ {
		if equalFold(b[i:i+len(s)], s) {
			return true
		}
	}
	return false
}

// equalFold compares with lower-case letters, digits, '-' and ' ', case aside.
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i, c := range b {
		if c-'A' < 26 {
			c += 'a' - 'A'
		}
		if c != s[i] {
			return false
		}
	}
	return true
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

// sectionEnd reads lines up to the empty one and returns the offset behind it, 0
// while it is not there. It takes up where it stopped.
func (h *half) sectionEnd(d []byte) int {
	line, at := int(h.line), int(h.scanned)
	for {
		lf := bytes.IndexByte(d[at:], '\n')
		if lf < 0 {
			h.line, h.scanned = int32(line), int32(len(d))
			return 0
		}
		at += lf + 1
		c := d[line]
		if c != ' ' && c != '\t' { // else the line before goes on (RFC 3261 §7.3.1)
			if h.value != 0 {
				h.takeLength(d[h.value:line])
			}
			if c == '\n' || c == '\r' && at-line == 2 {
				return at
			}
			if c |= 0x20; c == 'c' || c == 'l' {
				if n := contentLength(d[line:at]); n > 0 {
					h.value = int32(line + n)
				}
			}
		}
		line = at
	}
}

// contentLength is where the value of a Content-Length line starts, 0 for other
// lines.
func contentLength(line []byte) int {
	const name = "content-length"
	n := 1 // the compact form
	if line[0]|0x20 == 'c' {
		if n = len(name); len(line) < n || line[7] != '-' || !equalFold(line[:n], name) {
			return 0
		}
	}
	for n < len(line) && (line[n] == ' ' || line[n] == '\t') {
		n++
	}
	if n == len(line) || line[n] != ':' {
		return 0
	}
	return n + 1
}

// takeLength reads a value of Content-Length.
func (h *half) takeLength(b []byte) {
	h.value = 0
	for len(b) > 0 && isBlank(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isBlank(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	n := int32(0)
	for _, c := range b {
		if c -= '0'; c > 9 {
			h.bad = true
			return
		}
		if n = n*10 + int32(c); n > maxBody {
			n = maxBody + 1
		}
	}
	if len(b) == 0 || h.length >= 0 && h.length != n {
		h.bad = true
		return
	}
	h.length = n
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

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

// search looks for the next start line. It reports whether to go on.
func (a *Assembler) search(d []byte) bool {
	h := a.half
	switch {
	case h.line > 0:
		return a.confirm(d)
	case !h.atLine:
		lf := bytes.IndexByte(d, '\n')
		if lf < 0 {
			a.pass(len(d), &a.stats.Skipped)
			return true
		}
		h.atLine = true
		a.pass(lf+1, &a.stats.Skipped)
		return true
	}
	for at, from := 0, int(h.scanned); ; {
		lf := bytes.IndexByte(d[from:], '\n')
		if lf < 0 {
			return a.tail(d, at)
		}
		end := from + lf + 1
		if isToken(d[at]) && end-at <= a.startLine && sip.StartsStrict(d[at:end]) && (at > 0 || !h.atGap || isKnown(d)) {
			h.line, h.scanned = int32(end-at), int32(end-at)
			a.pass(at, &a.stats.Skipped)
			return true
		}
		at, from = end, end
	}
}

// isKnown tells whether a start line that need not begin a line is whole: what is
// left of INVITE without its first letter is a method too, but one that nobody uses.
func isKnown(line []byte) bool {
	word, _, _ := bytes.Cut(line, []byte{' '})
	return sip.ParseMethod(word) != sip.MethodOther || bytes.HasPrefix(word, []byte("SIP/"))
}

// tail keeps the last line of d, which has no end yet and starts at at, if it may
// become a start line.
func (a *Assembler) tail(d []byte, at int) bool {
	h := a.half
	switch n := len(d) - at; {
	case n == 0 || n > a.startLine || !isToken(d[at]):
		h.atLine, h.atGap, h.scanned = n == 0, false, 0
		a.pass(len(d), &a.stats.Skipped)
		return true
	case at > 0:
		h.atGap, h.scanned = false, int32(n)
		a.pass(at, &a.stats.Skipped)
		return true
	}
	h.scanned = int32(len(d))
	return a.more(0)
}

// confirm reads the line behind a start line that was found: a header line makes
// it one.
func (a *Assembler) confirm(d []byte) bool {
	h := a.half
	const longestName = 64
	n := int(h.line)
	for n < len(d) && isToken(d[n]) && n-int(h.line) <= longestName {
		n++
	}
	named := n > int(h.line)
	for n < len(d) && (d[n] == ' ' || d[n] == '\t') && n-int(h.line) <= 2*longestName {
		n++
	}
	switch {
	case n == len(d):
		return a.more(0)
	case named && d[n] == ':':
		h.headerFrom(int(h.line))
		a.conn.sip = true
		return true
	}
	n = int(h.line)
	h.line, h.scanned, h.atGap = 0, 0, false
	a.pass(n, &a.stats.Skipped)
	return true
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
	}
	return -1
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
	case starting:
		like, probe := sip.Classify(d)
		switch {
		case like == sip.KindSIP || !h.fresh && isToken(d[0]):
		case h.fresh && !c.probed && !c.sip && why != Hole:
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
	if kind == Unfinished && why == Hole {
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
	h := a.half
	if d := h.hold; a.p != nil && h == &a.conn.half[a.from] {
		u.Packet = *a.p
	} else {
		u.Packet = d.packet
	}
	u.Time = a.time
	u.Payload = a.avail()[:n:n]
	u.Cut, u.Kind, u.Reason, u.Probe = false, k, why, sip.ProbeNone
	a.stats.Units[k]++
	a.stats.UnitBytes[k] += uint64(n)
	a.consume(n)
}

// giveUp forgets what h holds; it is counted.
func (a *Assembler) giveUp(h *half, count *uint64) {
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
	case starting, inHeader, searching:
		h.lookForStart(false)
	}
}
