package stream

import (
	"bytes"
	"math/bits"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// Bounds of what one direction holds.
const (
	// maxIslands is how many pieces out of order a direction holds. A capture that
	// loses every second segment reaches it; then the first hole is given up.
	maxIslands = 48

	// maxPiece is how much of a segment is taken at once where it has to be copied.
	// Segments are longer only where offloading joins more than IP allows.
	maxPiece = 64 << 10

	minBuffer  = 2 << 10
	numBuffers = 14 // sizes: 2 KiB to 16 MiB
)

// An island is a piece that is ahead of a hole.
type island struct {
	from, to uint32
	since    int64 // clock when its first byte came
	time     int64 // packet time when its last byte came
}

// A hold is what one direction has to keep: the bytes of an incomplete message,
// and behind them islands, each in its place in one buffer, so that what becomes
// whole is in one piece.
//
//	buf  |  given out  | incomplete message |  hole  | island | hole | island |
//	     0            off                 fill
//
// fill is the place of half.next. Where bytes come twice, the first stay. Receivers
// differ in that, for bytes ahead of a hole; but what was in order is delivered
// and can't be replaced anywhere, and a second copy that differs comes from a
// damaged or a forged segment more often than the first.
type hold struct {
	conn      *conn
	half      *half
	buf       []byte
	off, fill int
	islands   [maxIslands + 1]island // one more for what comes in order
	n         int
	time      int64 // packet time of the last bytes in order

	// packet is where the bytes came from, for units that no segment brings out.
	packet packet.Packet
	vlans  [4]uint16
	encap  [8]packet.Layer

	wait         wait
	since        int64 // clock when the waiting began
	prev, next   *hold // of those that wait
	older, newer *hold // of all holds; newer is also the next unused one
}

// holdSize is what a hold itself takes, in bytes, rounded up.
const holdSize = 1728

// A pool keeps buffers and holds for use again. What it made counts, whether it is
// in use or not.
type pool struct {
	max, made int // bytes
	buffers   [numBuffers][][]byte
	holds     *hold // unused
	ends      hold  // older is the newest, newer the oldest in use
	used      int   // holds in use
}

// size is the index of the smallest buffer that takes n bytes.
func size(n int) int {
	if n <= minBuffer {
		return 0
	}
	return bits.Len(uint(n-1) / minBuffer)
}

// fits reports whether n more bytes may be made, after unused buffers were let go
// if that helps.
func (p *pool) fits(n int) bool {
	for i := numBuffers - 1; i >= 0 && p.made+n > p.max; i-- {
		for len(p.buffers[i]) > 0 && p.made+n > p.max {
			last := len(p.buffers[i]) - 1
			p.buffers[i][last] = nil
			p.buffers[i] = p.buffers[i][:last]
			p.made -= minBuffer << i
		}
	}
	return p.made+n <= p.max
}

func (p *pool) link(d *hold) {
	if p.ends.newer == nil {
		p.ends.older, p.ends.newer = &p.ends, &p.ends
	}
	d.newer, d.older = &p.ends, p.ends.older
	d.older.newer, p.ends.older = d, d
	p.used++
}

// oldest is the oldest hold in use that is not the one given.
func (p *pool) oldest(but *hold) *hold {
	d := p.ends.newer
	if d == but && d != nil {
		d = d.newer
	}
	if d == &p.ends {
		return nil
	}
	return d
}

// makeRoom lets n more bytes be made, at the maximum by giving up what others
// hold, the oldest first. The current direction's is kept: half the maximum is
// enough for it.
func (a *Assembler) makeRoom(n int) {
	for !a.pool.fits(n) {
		if !a.giveWay() {
			return // a Config that Validate refuses
		}
	}
}

// giveWay gives something up for the current direction: a window first, then what
// SCTP holds, where that is more than half of all, then the oldest hold.
func (a *Assembler) giveWay() bool {
	if w := a.windows.oldest(nil); w != nil {
		a.stats.Forgotten++
		a.forgetWindow(w.half)
		return true
	}
	var own *hold
	if a.half != nil {
		own = a.half.hold
	}
	d := a.pool.oldest(own)
	if g := a.sctp.oldest(); g != nil && (d == nil || a.sctp.held > a.pool.max/2) {
		a.stats.GivenUp++
		a.lose(g)
		return true
	}
	if d == nil {
		return false
	}
	a.stats.GivenUp++
	a.loseHold(d.half)
	return true
}

// buffer gives a buffer for n bytes, and all of it.
func (a *Assembler) buffer(n int) []byte {
	i := size(n)
	if last := len(a.pool.buffers[i]) - 1; last >= 0 {
		b := a.pool.buffers[i][last]
		a.pool.buffers[i] = a.pool.buffers[i][:last]
		return b
	}
	a.makeRoom(minBuffer << i)
	a.pool.made += minBuffer << i
	return make([]byte, minBuffer<<i)
}

func (a *Assembler) recycle(b []byte) {
	if len(b) > 0 {
		i := size(len(b))
		a.pool.buffers[i] = append(a.pool.buffers[i], b)
	}
}

// hold gives the current direction a hold with room for n bytes.
func (a *Assembler) hold(n int) *hold {
	h := a.half
	if h.hold != nil {
		a.room(h.hold, n)
		return h.hold
	}
	buf := a.buffer(n)
	d := a.pool.holds
	if d == nil {
		a.makeRoom(holdSize)
		a.pool.made += holdSize
		d = new(hold)
	} else {
		a.pool.holds = d.newer
	}
	d.conn, d.half, d.buf, d.off, d.fill, d.n, d.wait = a.conn, h, buf, 0, 0, 0, notWaiting
	d.time = a.time
	if a.p != nil {
		d.packet = *a.p
		d.packet.Payload = nil
		d.packet.VLANs = d.vlans[:copy(d.vlans[:], a.p.VLANs)]
		d.packet.Encap = d.encap[:copy(d.encap[:], a.p.Encap)]
	}
	a.pool.link(d)
	h.hold = d
	return d
}

// room makes d take n more bytes behind fill.
func (a *Assembler) room(d *hold, n int) {
	if d.fill+n <= len(d.buf) {
		return
	}
	top := d.top()
	need := max(d.fill+n, top) - d.off
	// Moving is for a buffer of which half is free, so that a byte is moved a bounded
	// number of times on its way through.
	if need <= len(d.buf) && (d.off >= len(d.buf)/2 || len(d.buf) >= a.cfg.longest()) {
		copy(d.buf, d.buf[d.off:top])
	} else {
		b := a.buffer(max(need, 2*len(d.buf)))
		copy(b, d.buf[d.off:top])
		a.recycle(d.buf)
		d.buf = b
	}
	d.fill, d.off = d.fill-d.off, 0
}

// top is the end of the last byte that is there.
func (d *hold) top() int {
	if d.n == 0 {
		return d.fill
	}
	return d.place(d.islands[d.n-1].to)
}

// place is where the byte with a sequence number, not before half.next, belongs.
func (d *hold) place(seq uint32) int { return d.fill + int(seq-d.half.next) }

// release gives the hold of h back. Its bytes stay as they are until the next call.
func (a *Assembler) release(h *half) {
	d := h.hold
	if d == nil {
		return
	}
	a.wait(d, notWaiting)
	a.recycle(d.buf)
	d.older.newer, d.newer.older = d.newer, d.older
	a.pool.used--
	d.conn, d.half, d.buf, h.hold = nil, nil, nil, nil
	d.newer, a.pool.holds = a.pool.holds, d
}

// held counts the bytes that d holds.
func (d *hold) held() int {
	n := d.fill - d.off
	for _, i := range d.islands[:d.n] {
		n += int(i.to - i.from)
	}
	return n
}

// insert puts b, whose first byte is number seq, not before half.next, into its
// place. Bytes that are there already stay. It reports false where there are too
// many islands already.
func (a *Assembler) insert(seq uint32, b []byte) bool {
	h := a.half
	at := int(seq - h.next)
	d := a.hold(at + len(b))
	to := seq + uint32(len(b))
	offset := func(s uint32) int { return int(s - h.next) } // never wraps: all are ahead
	i := 0
	for i < d.n && offset(d.islands[i].to) < at {
		i++
	}
	j := i
	for j < d.n && offset(d.islands[j].from) <= at+len(b) {
		j++
	}
	if i == j && (d.n == len(d.islands) || d.n == maxIslands && at > 0) {
		return false
	}
	// Islands i to j touch or overlap b: they become one.
	merged := island{from: seq, to: to, since: a.now, time: a.p.Time}
	pos, twice := at, 0
	for _, x := range d.islands[i:j] {
		if from := offset(x.from); from > pos {
			copy(d.buf[d.fill+pos:d.fill+from], b[pos-at:])
		}
		if from, end := max(offset(x.from), at), min(offset(x.to), at+len(b)); from < end {
			twice += end - from
			if !bytes.Equal(d.buf[d.fill+from:d.fill+end], b[from-at:end-at]) {
				a.stats.Contradictions++
			}
		}
		pos = offset(x.to)
		merged.since = min(merged.since, x.since)
	}
	if pos < at+len(b) {
		copy(d.buf[d.fill+pos:], b[pos-at:])
	}
	if i < j {
		if first := d.islands[i]; offset(first.from) < at {
			merged.from = first.from
		}
		if last := d.islands[j-1]; offset(last.to) > at+len(b) {
			merged.to = last.to
		}
	}
	a.repeated(twice, len(b))
	d.n = i + 1 + copy(d.islands[i+1:], d.islands[j:d.n])
	d.islands[i] = merged
	return true
}

// absorb makes what of the islands is in order so.
func (a *Assembler) absorb() {
	d := a.half.hold
	n := 0
	for n < d.n && d.islands[n].from == a.half.next {
		a.half.next = d.islands[n].to
		d.fill += int(d.islands[n].to - d.islands[n].from)
		d.time = d.islands[n].time
		n++
	}
	if n > 0 {
		d.n = copy(d.islands[:], d.islands[n:d.n])
		a.wait(d, notWaiting)
	}
	if d.n > 0 {
		a.wait(d, forBytes)
	}
}

// Waiting for missing bytes.

type wait uint8

const (
	notWaiting wait = iota
	forBytes        // HoleTimeout
	received        // the receiver has acknowledged them: they will hardly come
	numWaits
)

// ackedWait is how long later bytes wait for missing ones that the receiver has
// acknowledged, ns: they were lost by the capture, not on the way, or two
// interfaces put the acknowledgement first. It is less than the disorder that the
// tracker forgives.
const ackedWait = int64(50e6)

// A waitList holds those that wait, in the order of when they began.
type waitList struct{ first, last *hold }

// wait puts d into another list, as the one that came last.
func (a *Assembler) wait(d *hold, w wait) {
	if d.wait == w {
		return
	}
	if l := &a.waiting[d.wait]; d.wait != notWaiting {
		if d.prev != nil {
			d.prev.next = d.next
		} else {
			l.first = d.next
		}
		if d.next != nil {
			d.next.prev = d.prev
		} else {
			l.last = d.prev
		}
	}
	d.wait, d.since, d.prev, d.next = w, a.now, nil, nil
	if w == notWaiting {
		return
	}
	l := &a.waiting[w]
	if d.prev = l.last; d.prev != nil {
		d.prev.next = d
	} else {
		l.first = d
	}
	l.last = d
}

// expired reports whether d has waited long enough, in its list, at clock now.
func (a *Assembler) expired(w wait, since int64) bool {
	if w == received {
		return since+ackedWait <= a.now
	}
	return since+int64(a.cfg.HoleTimeout) <= a.now
}
