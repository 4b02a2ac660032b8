package track

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
)

// expirer is what a timer belongs to.
type expirer interface {
	// expire is called once when the timer's time has come; it may set it again.
	expire(t *Tracker)
	// flush is called at the end of a capture for a timer that is still set; it
	// decides what waits only for a timer, and nothing else.
	flush(t *Tracker, all bool)
}

// timer is one deadline, linked into a slot of the wheel. Its owner holds it by
// value; it must not be copied while it is set.
type timer struct {
	at         int64 // Unix time in nanoseconds, on the tracker's clock
	prev, next *timer
	owner      expirer
	seq        uint32 // of two that are due at once, which was set first; it may wrap
	where      int8   // level + 1; 0 is not set, due is taken off to fire
	slot       uint8
}

// Wheel geometry: a tick is 2^20 ns (1 ms); five levels of 256 slots reach 36 years,
// and what is later waits in one more list. Within a tick each message looks at what is
// not due yet, so a tick is short: a flood of requests is a flood of deadlines later.
const (
	tickBits   = 20
	levelBits  = 8
	levelSlots = 1 << levelBits
	levels     = 5
	farLevel   = levels
)

// wheel holds timers by deadline. Setting and clearing cost the same however many
// there are; due timers come out in the order of their deadlines, not of their slots.
type wheel struct {
	tick     int64
	soonest  int64 // no timer of the present tick is due before
	far      int64 // no timer of the last list is due before this tick
	era      int64 // when that list was last looked through, in slots of the highest level
	seq      uint32
	count    int
	slots    [levels + 1][levelSlots]*timer
	occupied [levels][levelSlots / 64]uint64
	due      []*timer
}

// set arms t for at, whether or not it was set before.
func (w *wheel) set(t *timer, at int64) {
	w.clear(t)
	w.seq++
	t.at, t.seq = at, w.seq
	w.count++
	w.insert(t)
}

func (w *wheel) insert(t *timer) {
	tick := max(t.at>>tickBits, w.tick)
	t.where, t.slot = farLevel+1, 0
	for l := range levels {
		if (tick>>(l*levelBits))-(w.tick>>(l*levelBits)) < levelSlots {
			t.where, t.slot = int8(l+1), uint8(tick>>(l*levelBits))
			w.occupied[l][t.slot>>6] |= 1 << (t.slot & 63)
			break
		}
	}
	if tick == w.tick {
		w.soonest = min(w.soonest, t.at)
	}
	head := &w.slots[t.where-1][t.slot]
	if t.where == farLevel+1 && (*head == nil || tick < w.far) {
		w.far = tick
	}
	t.prev, t.next = nil, *head
	if *head != nil {
		(*head).prev = t
	}
	*head = t
}

// isSet reports whether t is armed.
func (t *timer) isSet() bool { return t.where != 0 }

// clear disarms t; it may be called on one that is not set.
func (w *wheel) clear(t *timer) {
	switch t.where {
	case 0:
		return
	case due:
		t.where = 0
	default:
		w.unlink(t)
	}
	w.count--
}

func (w *wheel) unlink(t *timer) {
	if t.next != nil {
		t.next.prev = t.prev
	}
	if t.prev != nil {
		t.prev.next = t.next
	} else {
		w.slots[t.where-1][t.slot] = t.next
		if t.next == nil && t.where-1 < farLevel {
			w.occupied[t.where-1][t.slot>>6] &^= 1 << (t.slot & 63)
		}
	}
	t.prev, t.next, t.where = nil, nil, 0
}

// run fires every timer whose deadline is not after now, earliest first, and
// reports whether there was one.
func (w *wheel) run(tr *Tracker, now int64) (fired bool) {
	end := now >> tickBits
	if w.count == 0 {
		w.tick = max(w.tick, end)
		return false
	}
	if end < w.tick || end == w.tick && now < w.soonest {
		return false
	}
	for {
		for w.collect(now) {
			for _, t := range w.due {
				if t.where != due { // cleared, or set again, by one before it
					continue
				}
				t.where = 0
				w.count--
				t.owner.expire(tr)
				fired = true
			}
		}
		if w.tick == end {
			return fired
		}
		w.tick = w.after(end)
		w.cascade()
	}
}

// never is later than any deadline.
const never = math.MaxInt64

// due marks a timer that was taken off the wheel and has not fired yet.
const due = -1

// collect takes the due timers of the present slot into w.due, in order.
func (w *wheel) collect(now int64) bool {
	w.due, w.soonest = w.due[:0], never
	for t := w.slots[0][uint8(w.tick)]; t != nil; {
		next := t.next
		if t.at <= now {
			w.unlink(t)
			t.where = due
			w.due = append(w.due, t)
		} else {
			w.soonest = min(w.soonest, t.at)
		}
		t = next
	}
	sortTimers(w.due)
	return len(w.due) > 0
}

func sortTimers(ts []*timer) {
	slices.SortFunc(ts, func(a, b *timer) int {
		if c := cmp.Compare(a.at, b.at); c != 0 {
			return c
		}
		return int(int32(a.seq - b.seq))
	})
}

// after is the next tick at which something may be due, at most end.
func (w *wheel) after(end int64) int64 {
	next := end
	for l := range levels {
		base := w.tick >> (l * levelBits)
		if d := w.nextOccupied(l, uint8(base)); d > 0 {
			next = min(next, (base+int64(d))<<(l*levelBits))
		}
	}
	if w.slots[farLevel][0] != nil {
		next = min(next, w.far)
	}
	return max(next, w.tick+1)
}

// nextOccupied is the distance (1 to 255) from slot s to the next one in use, or 0.
func (w *wheel) nextOccupied(level int, s uint8) int {
	for d := 1; d < levelSlots; {
		i := uint8(int(s) + d)
		word := w.occupied[level][i>>6] >> (i & 63)
		if word != 0 {
			if d += bits.TrailingZeros64(word); d < levelSlots {
				return d
			}
			return 0
		}
		d += 64 - int(i&63)
	}
	return 0
}

// eraBits is a slot of the highest level, in bits of a tick: 52 days.
const eraBits = (levels - 1) * levelBits

// cascade spreads the slots that begin at the present tick over the lower levels.
func (w *wheel) cascade() {
	if era := w.tick >> eraBits; era != w.era {
		w.era = era
		w.nearer()
	}
	for l := levels - 1; l > 0; l-- {
		if w.tick&(1<<(l*levelBits)-1) != 0 {
			continue
		}
		for t := w.slots[l][uint8(w.tick>>(l*levelBits))]; t != nil; {
			next := t.next
			w.unlink(t)
			w.insert(t)
			t = next
		}
	}
}

// nearer takes what the levels reach now off the last list. It is as long as senders
// like: any binding may be asked for 136 years.
func (w *wheel) nearer() {
	w.far = never
	for t := w.slots[farLevel][0]; t != nil; {
		next, tick := t.next, t.at>>tickBits
		if tick>>eraBits-w.era < levelSlots {
			w.unlink(t)
			w.insert(t)
		} else {
			w.far = min(w.far, tick)
		}
		t = next
	}
}

// all lists every timer that is set, by deadline: for the end of a capture.
func (w *wheel) all() []*timer {
	ts := make([]*timer, 0, w.count)
	for l := range w.slots {
		for _, t := range w.slots[l] {
			for ; t != nil; t = t.next {
				ts = append(ts, t)
			}
		}
	}
	sortTimers(ts)
	return ts
}
