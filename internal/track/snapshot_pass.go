package track

import (
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/codec"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// pass is one walk over entries.
type pass struct {
	codec.Codec
	t *Tracker

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
func (p *pass) begin() { p.B, p.capture, p.iface = p.B[:0], "", "" }

// whole walks a number that is mostly small, upTo one that indexes something.
func whole[T codec.Integer](p *pass, x *T)        { codec.Whole(&p.Codec, x) }
func upTo[T codec.Integer](p *pass, x *T, most T) { codec.UpTo(&p.Codec, x, most) }

// time walks packet times; 0 is none. One that is far ahead of the clock comes nearer.
func (p *pass) time(xs ...*int64) {
	for _, x := range xs {
		p.until(x, ahead)
	}
}

// until walks a time that may be so far ahead of the clock.
func (p *pass) until(x *int64, ahead int64) {
	if p.Reading {
		whole(p, x)
		if *x > 0 {
			*x += p.now - 1
		}
		if *x < 0 {
			*x = p.now + *x + 1
		}
		if *x < 0 || *x > p.now+ahead {
			p.Fail()
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

// maxName is the longest name of a file, in bytes.
const maxName = 1 << 16

// record walks what a record says, and where it came from.
func (p *pass) record(e *event.Event) {
	if p.Reading {
		rest, ok := e.Unpack(p.B)
		if !ok {
			p.Fail()
		}
		p.B = rest
	} else {
		p.B = e.AppendPacked(p.B)
	}
	p.origin(&e.Capture, &e.Iface)
}

// origin walks where packets came from, which is told once in a row.
func (p *pass) origin(capture, iface *string) {
	same := *capture == p.capture && *iface == p.iface
	p.Flags(&same)
	if !same {
		if !p.Reading {
			p.capture, p.iface = *capture, *iface
		}
		p.Word(&p.capture, maxName)
		p.Word(&p.iface, maxName)
	}
	*capture, *iface = p.capture, p.iface
}

// timer walks a deadline, and the place among those of the same moment.
func (p *pass) timer(tm *timer, span int64) {
	set := tm.isSet()
	p.Flags(&set)
	if !set {
		return
	}
	at, seq := tm.at, tm.seq
	p.until(&at, span)
	whole(p, &seq)
	if p.Reading && !p.Bad {
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
func (w *wheel) restore(t *timer) {
	w.count++
	w.insert(t)
}
