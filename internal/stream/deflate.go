package stream

import (
	"compress/flate"
	"io"
)

// Compressed messages of WebSocket (RFC 7692).
//
// One inflater serves all connections; what makes a connection's own is its window,
// the last 32 KiB of what its sender said, which the next message may refer to
// (context takeover, §7.1.1). Without it, after a hole or where the beginning was
// not seen, a message can be read if it refers to nothing before itself; one that
// does is counted, and the window starts anew behind it.

// windowSize is how far back a message may refer (RFC 1951 §2). A smaller one may
// be negotiated; the greatest fits all.
const windowSize = 32 << 10

// A deflating says whether messages of a connection may be compressed.
type deflating uint8

const (
	deflateUnknown deflating = iota // the handshake was not seen: by RSV1
	deflateOff
	deflateOn
)

// A window is what was said last in a direction.
type window struct {
	half         *half
	buf          []byte
	n            int
	older, newer *window // newer is also the next unused one
}

// maxRatio is how many times its own size a message may become. A match of RFC 1951
// is 258 bytes at most; in the fixed code (§3.2.6), with the distance of a SIP message
// before, it takes 25 bits: a message that is said again shrinks to an 80th. What
// claims more is made to keep us busy.
const maxRatio = 128

// windowCost is what a window takes besides its buffer, in bytes.
const windowCost = 64

// An inflater inflates one message at a time.
type inflater struct {
	src packed
	zr  io.Reader
}

// packed is a compressed message, as a reader.
type packed struct {
	b    []byte
	tail int
}

// blockEnd is what a sender takes off a message (RFC 7692 §7.2.1), and a last block,
// without which the end would be an error.
const blockEnd = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"

func (p *packed) ReadByte() (byte, error) {
	if len(p.b) > 0 {
		c := p.b[0]
		p.b = p.b[1:]
		return c, nil
	}
	if p.tail == len(blockEnd) {
		return 0, io.EOF
	}
	p.tail++
	return blockEnd[p.tail-1], nil
}

func (p *packed) Read(b []byte) (int, error) {
	if len(p.b) > 0 {
		n := copy(b, p.b)
		p.b = p.b[n:]
		return n, nil
	}
	if p.tail == len(blockEnd) {
		return 0, io.EOF
	}
	n := copy(b, blockEnd[p.tail:])
	p.tail += n
	return n, nil
}

// run appends what b inflates to, at most up to max bytes in dst, which borrows
// nothing. It reports whether that is all, and whether b could be read so far.
func (z *inflater) run(dst, b, dict []byte, max int) (out []byte, all, ok bool) {
	z.src = packed{b: b}
	if z.zr == nil {
		z.zr = flate.NewReaderDict(&z.src, dict)
	} else if err := z.zr.(flate.Resetter).Reset(&z.src, dict); err != nil {
		return dst, false, false
	}
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := z.zr.Read(dst[len(dst):min(cap(dst), max+1)])
		dst = dst[:len(dst)+n]
		switch {
		case len(dst) > max:
			return dst[:max], false, true
		case err == io.EOF:
			return dst, true, true
		case err != nil:
			return dst, false, false
		}
	}
}

// inflate appends what the message in packed says to the text.
func (a *Assembler) inflate() {
	h := a.half
	var dict []byte
	if w := h.window; w != nil {
		dict = w.buf[:w.n]
	}
	at := len(a.text)
	var all, ok bool
	a.text, all, ok = a.inflater.run(a.text, a.packed, dict, min(a.cfg.MaxMessage, at+maxRatio*len(a.packed)))
	if all {
		a.stats.Inflated++
		a.remember(h, a.text[at:])
		return
	}
	a.stats.Undeflated++
	a.forgetWindow(h)
	if !ok {
		a.text = a.text[:at]
	}
}

// glance inflates the beginning of a frame, to look at it. It borrows from the
// Assembler until the next message.
func (a *Assembler) glance(f *wsFrame, body []byte) []byte {
	const size = 2 * peek
	a.packed = f.unmask(a.packed[:0], body)
	if cap(a.packed) < size {
		a.packed = append(make([]byte, 0, size), a.packed...)
	}
	out, _, _ := a.inflater.run(a.packed[len(a.packed):], a.packed, nil, peek)
	return out
}

// remember makes b the end of the window of h.
func (a *Assembler) remember(h *half, b []byte) {
	if a.conn.alone[a.way()] || len(b) == 0 {
		return
	}
	w := h.window
	if w == nil {
		if w = a.newWindow(h); w == nil {
			return
		}
	} else {
		w.older.newer, w.newer.older = w.newer, w.older
		a.windows.link(w)
	}
	if n := min(w.n+len(b), windowSize); n > len(w.buf) {
		buf := a.spare(n, w)
		if buf == nil {
			a.forgetWindow(h)
			return
		}
		copy(buf, w.buf[:w.n])
		a.recycle(w.buf)
		w.buf = buf
	}
	b = b[max(0, len(b)-windowSize):]
	if over := w.n + len(b) - windowSize; over > 0 {
		w.n = copy(w.buf, w.buf[over:w.n])
	}
	w.n += copy(w.buf[w.n:], b)
}

// windows are those in use and those that are not.
type windows struct {
	ends window // older is the newest, newer the oldest
	free *window
}

func (l *windows) link(w *window) {
	if l.ends.newer == nil {
		l.ends.older, l.ends.newer = &l.ends, &l.ends
	}
	w.newer, w.older = &l.ends, l.ends.older
	w.older.newer, l.ends.older = w, w
}

// oldest is the window that was used least lately and is not the one given.
func (l *windows) oldest(but *window) *window {
	w := l.ends.newer
	if w == but && w != nil {
		w = w.newer
	}
	if w == &l.ends {
		return nil
	}
	return w
}

func (a *Assembler) newWindow(h *half) *window {
	w := a.windows.free
	if w == nil {
		if !a.spareFits(windowCost, nil) {
			return nil
		}
		a.pool.made += windowCost
		w = new(window)
	} else {
		a.windows.free = w.newer
	}
	*w = window{half: h}
	a.windows.link(w)
	h.window = w
	return w
}

// spareFits reports whether n more bytes may be made for windows, after older ones
// were given up if need be. Windows give way to all else.
func (a *Assembler) spareFits(n int, but *window) bool {
	for !a.pool.fits(n) {
		w := a.windows.oldest(but)
		if w == nil {
			return false
		}
		a.stats.Forgotten++
		a.forgetWindow(w.half)
	}
	return true
}

// spare is buffer for windows; nil if there is no room.
func (a *Assembler) spare(n int, but *window) []byte {
	i := size(n)
	if len(a.pool.buffers[i]) == 0 {
		if !a.spareFits(minBuffer<<i, but) {
			return nil
		}
		a.pool.made += minBuffer << i
		return make([]byte, minBuffer<<i)
	}
	return a.buffer(n)
}

// forgetWindow is for a direction of which something was lost.
func (a *Assembler) forgetWindow(h *half) {
	w := h.window
	if w == nil {
		return
	}
	a.recycle(w.buf)
	w.older.newer, w.newer.older = w.newer, w.older
	h.window = nil
	*w = window{newer: a.windows.free}
	a.windows.free = w
}
