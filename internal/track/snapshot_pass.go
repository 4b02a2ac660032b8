package track

import (
	"encoding/binary"
	"math"
	"net/netip"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// pass is one walk over entries: it appends what they are to b, or takes it from
// there. Writing and reading are the same pass, so that the two cannot differ. What is
// read may be anybody's bytes: whatever could not have been written sets bad.
type pass struct {
	t       *Tracker
	b       []byte
	reading bool
	bad     bool

	now            int64  // the clock when the writing began: times are told from there
	capture, iface string // of the last record in this part

	// When reading: what hangs on an attempt that may come later.
	linked []linkedHold
	doubts []doubtOf // of the set in work
}

// A clock beyond maxClock is not believed, and no time is more than ahead of it, which
// is how far the clock of a HEP sender may be. It keeps every deadline within 64 bits.
const (
	maxClock = 3_000_000_000 * int64(time.Second) // in the year 2065
	ahead    = 31 * 24 * int64(time.Hour)
	lifetime = 1 << 32 * int64(time.Second) // of a binding, at most
)

// begin starts a part, which can be read without those before it.
func (p *pass) begin() { p.b, p.capture, p.iface = p.b[:0], "", "" }

// integer is what whole walks.
type integer interface {
	~int | ~uint8 | ~int8 | ~uint16 | ~uint32 | ~int64 | ~uint64
}

// whole walks a number that is mostly small.
func whole[T integer](p *pass, x *T) {
	if !p.reading {
		p.b = binary.AppendVarint(p.b, int64(*x))
		return
	}
	n, size := binary.Varint(p.b)
	if size <= 0 {
		p.fail()
		*x = 0
		return
	}
	p.b = p.b[size:]
	if *x = T(n); int64(*x) != n {
		p.fail()
	}
}

// upTo walks a number that indexes something or counts it.
func upTo[T integer](p *pass, x *T, most T) {
	whole(p, x)
	if p.reading && (*x < 0 || *x > most) {
		p.fail()
		*x = 0
	}
}

// fail ends the reading: nothing is left to take.
func (p *pass) fail() { p.bad, p.b = true, nil }

// hash walks a number of which every bit counts.
func (p *pass) hash(x *uint64) {
	if !p.reading {
		p.b = binary.LittleEndian.AppendUint64(p.b, *x)
		return
	}
	if len(p.b) < 8 {
		p.fail()
		*x = 0
		return
	}
	*x = binary.LittleEndian.Uint64(p.b)
	p.b = p.b[8:]
}

func (p *pass) hashes(xs ...*uint64) {
	for _, x := range xs {
		p.hash(x)
	}
}

// time walks packet times; 0 is none. One that is far ahead of the clock comes nearer.
func (p *pass) time(xs ...*int64) {
	for _, x := range xs {
		p.until(x, ahead)
	}
}

// until walks a time that may be so far ahead of the clock.
func (p *pass) until(x *int64, ahead int64) {
	if p.reading {
		whole(p, x)
		if *x > 0 {
			*x += p.now - 1
		}
		if *x < 0 {
			*x = p.now + *x + 1
		}
		if *x < 0 || *x > p.now+ahead {
			p.fail()
			*x = 0
		}
		return
	}
	// As what it is after or before the clock: one more than that, so that 0 is free.
	n := int64(0)
	switch at := min(*x, p.now+ahead); {
	case at <= 0:
	case at >= p.now:
		n = at - p.now + 1
	default:
		n = at - p.now - 1
	}
	whole(p, &n)
}

func (p *pass) flags(flags ...*bool) {
	for _, f := range flags {
		n := uint8(0)
		if *f {
			n = 1
		}
		upTo(p, &n, 1)
		*f = n == 1
	}
}

// number walks a measured value.
func (p *pass) number(x *float64) {
	bits := math.Float64bits(*x)
	p.hash(&bits)
	if *x = math.Float64frombits(bits); math.IsNaN(*x) || math.IsInf(*x, 0) {
		p.fail()
		*x = 0
	}
}

// text walks bytes, at most so many. Reading copies.
func (p *pass) text(x *[]byte, most int) {
	n := len(*x)
	upTo(p, &n, most)
	if !p.reading {
		p.b = append(p.b, *x...)
		return
	}
	if n > len(p.b) {
		p.fail()
		n = 0
	}
	*x = append((*x)[:0], p.b[:n]...)
	p.b = p.b[n:]
}

// word walks a name; most parts have few of them.
func (p *pass) word(x *string) {
	b := []byte(*x)
	p.text(&b, maxName)
	*x = string(b)
}

// maxName is the longest name of a file, in bytes.
const maxName = 1 << 16

func (p *pass) addr(x *netip.AddrPort) {
	var room [64]byte
	b, _ := x.AppendBinary(room[:0])
	p.text(&b, len(room))
	if p.reading && x.UnmarshalBinary(b) != nil {
		p.fail()
		*x = netip.AddrPort{}
	}
}

// record walks what a record says, and where it came from.
func (p *pass) record(e *event.Event) {
	if p.reading {
		rest, ok := e.Unpack(p.b)
		if !ok {
			p.fail()
		}
		p.b = rest
	} else {
		p.b = e.AppendPacked(p.b)
	}
	p.origin(&e.Capture, &e.Iface)
}

// origin walks where packets came from, which is told once in a row.
func (p *pass) origin(capture, iface *string) {
	same := *capture == p.capture && *iface == p.iface
	p.flags(&same)
	if !same {
		if !p.reading {
			p.capture, p.iface = *capture, *iface
		}
		p.word(&p.capture)
		p.word(&p.iface)
	}
	*capture, *iface = p.capture, p.iface
}

// timer walks a deadline, and the place among those of the same moment.
func (p *pass) timer(tm *timer, span int64) {
	set := tm.isSet()
	p.flags(&set)
	if !set {
		return
	}
	at, seq := tm.at, tm.seq
	p.until(&at, span)
	whole(p, &seq)
	if p.reading && !p.bad {
		tm.at, tm.seq, tm.where = at, seq, saved
	}
}

// saved marks a timer that was read and is not set yet.
const saved = -2

// wind sets a timer that was read, where there was one.
func (t *Tracker) wind(tm *timer) {
	if tm.where == saved {
		tm.where = 0
		t.wheel.restore(tm)
	}
}

// restore arms t for what it says, in the place among others that it had.
func (p *wheel) restore(t *timer) {
	p.seq = max(p.seq, t.seq)
	p.count++
	p.insert(t)
}
