package stream

import (
	"bytes"
	"encoding/binary"

	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// SIP over WebSocket (RFC 6455, RFC 7118), as a bystander sees it.
//
// A connection is WebSocket by its handshake, seen in either direction, or, where
// that was missed, by a segment that begins with a frame that holds the beginning
// of a SIP message. From there on each direction is frames. The frames of a message
// stay as they came until its last one is there, pings between them as well; then
// all are unmasked into one buffer of the Assembler. A message of WebSocket is one
// of SIP (RFC 7118 §5); where it is several, or a part, its text is a stream.
//
// A hole costs the messages whose frames it touches. Within a frame the next one is
// found by the length of it; else frames go on where a segment begins with a
// header that fits, or where a header is followed by the beginning of a SIP
// message.

// The opcodes, RFC 6455 §5.2.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xa
)

const (
	// maxHandshake bounds the header section of a handshake; cookies make it long.
	maxHandshake = 16 << 10

	// maxSpan is how many messages of WebSocket a SIP message may take. Each costs
	// that those before it are unmasked once more.
	maxSpan = 16

	// peek is how much of a frame is looked at to tell whether it is SIP.
	peek = 512
)

// A masking says whether a direction masks its frames: clients do, servers do not
// (RFC 6455 §5.1).
type masking uint8

const (
	maskUnknown masking = iota
	masked
	unmasked
)

// A wsFrame is the header of a frame.
type wsFrame struct {
	fin, deflated bool // FIN, RSV1 (RFC 7692 §6)
	opcode        byte
	mask          masking
	key           [4]byte
	header        int // its length
	length        int // of what follows
}

func (f *wsFrame) control() bool { return f.opcode >= opClose }

// A reading is what became of reading a header.
type reading uint8

const (
	readShort reading = iota // more bytes are needed
	readBad                  // it is none
	readOK
)

// readFrame reads the header of a frame, RFC 6455 §5.2. What the RFC forbids is
// none; so is a frame longer than any that could be passed over.
func readFrame(d []byte) (f wsFrame, r reading) {
	if len(d) < 1 {
		return f, readShort
	}
	f.fin, f.deflated, f.opcode = d[0]&0x80 != 0, d[0]&0x40 != 0, d[0]&0x0f
	switch {
	case d[0]&0x30 != 0, f.opcode > opBinary && f.opcode < opClose, f.opcode > opPong,
		f.deflated && f.opcode != opText && f.opcode != opBinary,
		f.control() && !f.fin:
		return f, readBad
	case len(d) < 2:
		return f, readShort
	}
	f.header, f.length = 2, int(d[1]&0x7f)
	switch {
	case f.length > 125 && f.control():
		return f, readBad
	case f.length == 126:
		if f.header = 4; len(d) < f.header {
			return f, readShort
		}
		if f.length = int(binary.BigEndian.Uint16(d[2:])); f.length < 126 {
			return f, readBad
		}
	case f.length == 127:
		if f.header = 10; len(d) < f.header {
			return f, readShort
		}
		n := binary.BigEndian.Uint64(d[2:])
		if n < 1<<16 || n > maxBody {
			return f, readBad
		}
		f.length = int(n)
	}
	if f.mask = unmasked; d[1]&0x80 != 0 {
		f.mask = masked
		if f.header += 4; len(d) < f.header {
			return f, readShort
		}
		f.key = [4]byte(d[f.header-4:])
	}
	return f, readOK
}

// unmask appends what a frame holds, b, to dst (RFC 6455 §5.3).
func (f *wsFrame) unmask(dst, b []byte) []byte {
	at := len(dst)
	dst = append(dst, b...)
	if f.mask != masked {
		return dst
	}
	key := uint64(binary.LittleEndian.Uint32(f.key[:]))
	key |= key << 32
	out := dst[at:]
	for ; len(out) >= 8; out = out[8:] {
		binary.LittleEndian.PutUint64(out, binary.LittleEndian.Uint64(out)^key)
	}
	for i := range out {
		out[i] ^= f.key[i&3]
	}
	return dst
}

// upgrade reads the header section of what may be a handshake (RFC 6455 §4.1,
// §4.2.2).
func (a *Assembler) upgrade(u *Unit, d []byte) (made, again bool) {
	h, c := a.half, a.conn
	end := h.emptyLine(d)
	switch {
	case end == 0 && len(d) <= maxHandshake && len(d) < a.cfg.MaxMessage:
		return false, a.more(0)
	case end == 0:
		return a.stranger(u, d), true
	case !isWebSocket(d[:end]):
		return a.stranger(u, d[:end]), true
	}
	head := d[:end]
	if head[0] == 'H' { // the answer decides (RFC 7692 §5.1)
		ext := headerLine(head, "sec-websocket-extensions:")
		c.deflate = deflateOff
		if holdsFold(ext, "permessage-deflate") {
			c.deflate = deflateOn
			from := a.way()
			c.alone[from] = holdsFold(ext, "server_no_context_takeover")
			c.alone[1-from] = holdsFold(ext, "client_no_context_takeover")
		}
	}
	first := h.fresh && !c.probed && !c.sip && c.listed && c.proto == protoSIP
	c.proto, h.proto = protoWebSocket, protoWebSocket
	forSIP := hasWord(headerLine(head, "sec-websocket-protocol:"), "sip")
	h.passBody(0)
	if !first || forSIP {
		a.pass(end, &a.stats.Handshake)
		return false, true
	}
	a.probe(u, sip.ProbeHTTP, Whole, end)
	return true, false
}

// way is the direction in work.
func (a *Assembler) way() int {
	if a.half == &a.conn.half[1] {
		return 1
	}
	return 0
}

// emptyLine is the offset behind the first empty line, 0 while it is not there.
func (m *message) emptyLine(d []byte) int {
	for at := int(m.scanned); ; {
		lf := bytes.IndexByte(d[at:], '\n')
		if lf < 0 {
			return 0
		}
		next := at + lf + 1
		if lf == 0 || lf == 1 && d[at] == '\r' {
			return next
		}
		at = next
		m.scanned = int32(at)
	}
}

// isHandshake tells a line that may be the first one of a handshake.
func isHandshake(line []byte) bool {
	return bytes.HasPrefix(line, []byte("GET ")) && holdsFold(line[max(0, len(line)-11):], " http/1.1") ||
		bytes.HasPrefix(line, []byte("HTTP/1.1 101 "))
}

// isWebSocket tells a WebSocket handshake from other HTTP (RFC 6455 §4.1, §4.2.2).
func isWebSocket(d []byte) bool { return hasWord(headerLine(d, "upgrade:"), "websocket") }

// headerLine is the value of the first header line with a name, which is in lower
// case and ends in a colon.
func headerLine(d []byte, name string) []byte {
	for {
		lf := bytes.IndexByte(d, '\n')
		if lf < 0 || len(d)-lf-1 < len(name) {
			return nil
		}
		d = d[lf+1:]
		if d[0]|0x20 == name[0] && foldedLine(d[:len(name)], name) {
			value, _, _ := bytes.Cut(d[len(name):], []byte{'\n'})
			return value
		}
	}
}

// foldedLine is equalFold for names that end in a colon.
func foldedLine(b []byte, name string) bool {
	n := len(name) - 1
	return b[n] == ':' && equalFold(b[:n], name[:n])
}

// hasWord looks for a word in a list that commas separate.
func hasWord(list []byte, word string) bool {
	for len(list) > 0 {
		var item []byte
		item, list, _ = bytes.Cut(list, []byte{','})
		if equalFold(bytes.TrimSpace(item), word) {
			return true
		}
	}
	return false
}

// frames reads frames up to the last one of a message, and gives what it says.
func (a *Assembler) frames(u *Unit, d []byte) (made, again bool) {
	h := a.half
	for {
		if len(a.text) > 0 {
			return a.speak(u)
		}
		at := int(h.line)
		f, r := readFrame(d[at:])
		switch {
		case r == readShort:
			return false, a.more(0)
		case r == readBad || h.mask != maskUnknown && h.mask != f.mask || f.deflated && a.conn.deflate == deflateOff:
			a.outOfStep(at)
			return false, true
		case f.opcode == opContinuation && !h.open, !f.control() && f.opcode != opContinuation && h.open:
			a.astray(&f, at)
			return false, true
		}
		end := at + f.header + f.length
		if end > a.cfg.MaxMessage {
			return a.longFrame(u, d, &f, end)
		}
		if len(d) < end {
			return false, a.more(end - len(d))
		}
		h.mask = f.mask
		a.stats.Frames++
		if f.control() {
			a.stats.ControlFrames++
		} else {
			a.stats.DataFrames++
		}
		switch {
		case f.control() && at == 0:
			a.pass(end, &a.stats.Framed)
			return false, true
		case f.control():
			h.line = int32(end)
		default:
			h.line, h.open = int32(end), !f.fin
			if f.fin {
				a.decode(d[:end])
				return false, true
			}
		}
	}
}

// outOfStep is for what is no frame where one should be: all up to there is lost.
func (a *Assembler) outOfStep(at int) {
	a.stats.Resyncs++
	a.forgetWindow(a.half)
	a.half.lookForStart(false)
	a.pass(at, &a.stats.Lost)
}

// astray is for a frame that belongs to a message whose beginning was lost, and for
// one that begins a message where the one before has no end.
func (a *Assembler) astray(f *wsFrame, at int) {
	h := a.half
	a.forgetWindow(h)
	h.passBody(0)
	if f.opcode == opContinuation {
		a.stats.LostFrames++
		h.passBody(f.header + f.length)
	}
	a.pass(at, &a.stats.Lost)
}

// decode makes the text of the whole messages in d, which is frames, and of what is
// there of the last one. It reports whether that one is deflated.
func (a *Assembler) decode(d []byte) (deflated bool) {
	h := a.half
	a.text, a.packed, a.mark = a.text[:0], a.packed[:0], 0
	for len(d) > 0 {
		f, r := readFrame(d)
		if r != readOK {
			break
		}
		body := d[f.header:min(f.header+f.length, len(d))]
		whole := len(body) == f.length
		d = d[f.header+len(body):]
		if f.control() {
			continue
		}
		if f.opcode != opContinuation {
			deflated, a.mark = f.deflated, len(a.text)
		}
		if deflated {
			a.packed = f.unmask(a.packed, body)
		} else {
			a.text = f.unmask(a.text, body)
		}
		if deflated && f.fin && whole {
			a.inflate()
			a.packed = a.packed[:0]
		}
	}
	a.said = int(h.left)
	a.deflated = deflated
	if len(a.text) <= a.said { // nothing, or nothing that can be read
		a.heard()
	}
	return deflated
}

// heard ends a message, or several: their frames are done.
func (a *Assembler) heard() {
	h := a.half
	n := int(h.line)
	a.text, a.said = a.text[:0], 0
	h.passBody(0)
	a.pass(n, &a.stats.Framed)
}

// speak gives the next unit of the text.
func (a *Assembler) speak(u *Unit) (made, again bool) {
	h, c := a.half, a.conn
	t := a.text[a.said:]
	if len(t) == 0 {
		a.heard()
		return false, true
	}
	parted := a.mark > a.said && sip.StartsStrict(a.text[a.mark:])
	if parted { // what was to go on is another message
		t = a.text[a.said:a.mark]
	}
	if n := filling(t); n > 0 {
		a.tell(u, KeepAlive, Whole, n)
		return true, false
	}
	kind, probe := sip.Classify(t)
	if kind != sip.KindSIP {
		first := h.fresh && !c.probed && !c.sip && c.listed
		h.fresh = false
		if !first {
			a.stats.Resyncs++
			a.said = len(a.text)
			return false, true
		}
		c.probed = true
		a.tell(u, Probe, Whole, len(t))
		u.Probe = probe
		return true, false
	}
	h.fresh, c.sip = false, true
	m := message{length: -1}
	end := m.sectionEnd(t)
	n := len(t)
	if end > 0 && m.length >= 0 && !m.bad {
		n = end + int(m.length)
	}
	switch {
	case end > 0 && n <= len(t):
		a.tell(u, Message, Whole, n)
	case !parted && !a.deflated && int(h.value) < maxSpan:
		h.value++
		h.left = int32(a.said)
		a.text, a.said = a.text[:0], 0
		return false, true
	default:
		a.part(u, end, Closed, len(t))
	}
	return true, false
}

// part gives n bytes of a message that is not whole; its header section ends at end,
// 0 where it has no end.
func (a *Assembler) part(u *Unit, end int, why Reason, n int) {
	kind := Unfinished
	if end > 0 {
		kind = Message
	}
	a.tell(u, kind, why, n)
	u.Cut = kind == Message || why == Snapped || why == Ended || why == TooLong
}

// tell makes a unit of the next n bytes of the text.
func (a *Assembler) tell(u *Unit, k Kind, why Reason, n int) {
	a.label(u, k, why)
	u.Payload = a.text[a.said : a.said+n : a.said+n]
	u.Whole, u.WebSocket = true, true
	a.said += n
}

// longFrame gives the beginning of a message that is longer than MaxMessage, and
// passes over the rest of the frame, which ends at end.
func (a *Assembler) longFrame(u *Unit, d []byte, f *wsFrame, end int) (made, again bool) {
	h := a.half
	n := a.cfg.MaxMessage
	if len(d) < n {
		return false, a.more(n - len(d))
	}
	a.stats.LostFrames++
	made = a.leftFrames(u, d[:n], TooLong)
	h.mask = f.mask
	h.passBody(end - n)
	return made, true
}

// leftFrames gives what d, frames of which the last one is not whole, says. It
// takes d off and reports whether that made a unit.
func (a *Assembler) leftFrames(u *Unit, d []byte, why Reason) bool {
	h := a.half
	h.line = 0
	if deflated := a.decode(d); deflated {
		a.stats.Undeflated++
	}
	a.forgetWindow(h)
	t := a.text[min(a.said, len(a.text)):]
	made := false
	if kind, _ := sip.Classify(t); len(t) > 0 && kind == sip.KindSIP {
		m := message{length: -1}
		end := m.sectionEnd(t)
		n := len(t)
		if why == TooLong && end > 0 {
			n = end
		}
		if made = end > 0 || why != Hole; made {
			a.part(u, end, why, n)
		} else {
			a.stats.Broken++
		}
	}
	a.text, a.said = a.text[:0], 0
	h.passBody(0)
	if made {
		a.pass(len(d), &a.stats.Framed)
	} else {
		a.pass(len(d), &a.stats.Lost)
	}
	return made
}

// unreadFrame is how many bytes of the current frame are still to come, -1 where that
// is not known.
func (a *Assembler) unreadFrame() int {
	d := a.avail()
	at := int(a.half.line)
	f, r := readFrame(d[at:])
	if r != readOK {
		return -1
	}
	return at + f.header + f.length - len(d)
}

// searchFrame looks for the next frame that begins a SIP message. It reports whether
// to go on.
func (a *Assembler) searchFrame(d []byte) bool {
	h := a.half
	for at := range d {
		f, r := readFrame(d[at:])
		switch {
		case r == readBad, f.opcode != opText && f.opcode != opBinary, r == readOK && h.mask != maskUnknown && h.mask != f.mask:
			continue
		case r == readShort, len(d)-at < f.header+min(f.length, peek):
			if at > 0 {
				a.pass(at, &a.stats.Skipped)
				return true
			}
			return a.more(0)
		case a.saysSIP(&f, d[at:]):
			a.pass(at, &a.stats.Skipped)
			h.passBody(0)
			return true
		}
	}
	a.pass(len(d), &a.stats.Skipped)
	return true
}

// saysSIP tells whether a frame, the first of its message, begins like SIP.
func (a *Assembler) saysSIP(f *wsFrame, d []byte) bool {
	body := d[f.header:min(len(d), f.header+min(f.length, peek))]
	if len(body) < shortest {
		return false
	}
	if !f.deflated {
		if c := body[0] ^ f.key[0]; !isToken(c) && c != '\r' && c != '\n' {
			return false
		}
		a.packed = f.unmask(a.packed[:0], body)
		return sip.StartsStrict(a.packed)
	}
	if a.conn != nil && a.conn.deflate == deflateOff {
		return false
	}
	return sip.StartsStrict(a.glance(f, body))
}

// fitsFrame tells whether a segment begins with a frame, for a direction of frames
// that is out of step.
func (a *Assembler) fitsFrame(h *half, d []byte) bool {
	f, r := readFrame(d)
	if r != readOK || f.opcode == opContinuation || h.mask != maskUnknown && h.mask != f.mask {
		return false
	}
	end := f.header + f.length
	if end == len(d) {
		return true
	}
	if end < len(d) {
		g, r := readFrame(d[end:])
		return r != readBad && (r == readShort || g.mask == f.mask)
	}
	return !f.control() && a.saysSIP(&f, d)
}
