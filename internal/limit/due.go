package limit

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"net/netip"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// never is later than every packet.
const never = math.MaxInt64

// due is the time at which a key or an offender is to be looked at, not later than when
// there is something to do.
type due struct {
	at     int64
	place  int32 // in the heap
	rate   *rate
	source *offender
}

// notDue is the place of what is not in the heap.
const notDue = -1

// heap has the earliest due first. It is as long as there are keys over their limits
// and offenders that expire or hold.
type heap []*due

func (h heap) swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = int32(i), int32(j)
}

func (h heap) up(i int) {
	for ; i > 0 && h[i].at < h[(i-1)/2].at; i = (i - 1) / 2 {
		h.swap(i, (i-1)/2)
	}
}

func (h heap) down(i int) {
	for {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(h); c++ {
			if h[c].at < h[least].at {
				least = c
			}
		}
		if least == i {
			return
		}
		h.swap(i, least)
		i = least
	}
}

// fix puts d, whose time may have changed, in its place; it adds it if it is new.
func (h *heap) fix(d *due) {
	if d.place == notDue {
		d.place = int32(len(*h))
		*h = append(*h, d)
	}
	h.up(int(d.place))
	h.down(int(d.place))
}

func (h *heap) remove(d *due) {
	i := int(d.place)
	if i == notDue {
		return
	}
	last := len(*h) - 1
	h.swap(i, last)
	(*h)[last] = nil
	*h = (*h)[:last]
	d.place = notDue
	if i < last {
		h.up(i)
		h.down(i)
	}
}

// schedule notes when something is due.
func (l *Limiter) schedule(d *due) {
	l.dues.fix(d)
	l.wake()
}

// wake sets when Told has something to do.
func (l *Limiter) wake() {
	at := int64(never)
	switch {
	case len(l.tells) > 0, l.walk >= 0, l.ended, l.offenders.undated:
		at = math.MinInt64
	case len(l.dues) > 0:
		at = l.dues[0].at
	}
	l.next.Store(at)
}

// tell is a rate-calm that is to be told.
type tell struct {
	rate event.Rate
	addr netip.Addr
	time int64
}

func (l *Limiter) tell(t tell) {
	l.tells = append(l.tells, t)
	l.next.Store(math.MinInt64)
}

// Told moves the time on to now and gives a rate-calm that is to be said by then, in e,
// which it empties; false when there is none. It is to be called until there is none:
// for each packet, which mostly costs nothing, and before each event is judged.
func (l *Limiter) Told(e *event.Event, now int64) bool {
	if was := l.now.Load(); now > was {
		l.now.Store(now) // once for a packet, though it is asked several times: 3 ns instead of 8
	} else {
		now = was
	}
	if now < l.next.Load() {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.wake()
	l.date(now)
	l.lookAgain(now)
	for len(l.tells) == 0 && len(l.dues) > 0 && l.dues[0].at <= now {
		l.look(l.dues[0])
	}
	if len(l.tells) == 0 && l.ended {
		l.endNext(now)
	}
	if len(l.tells) == 0 {
		return false
	}
	l.write(e, &l.tells[0])
	n := copy(l.tells, l.tells[1:])
	l.tells = l.tells[:n]
	return true
}

// look does what is due, or finds that it is later.
func (l *Limiter) look(d *due) {
	if d.source != nil {
		l.lookSource(d.source)
		return
	}
	r := d.rate
	at := l.calm(r)
	if _, ratio := l.worst(r, at); ratio > 1 { // a nanosecond, by rounding
		at++
	}
	if at > d.at {
		d.at = at
		l.dues.fix(d)
		return
	}
	l.end(r, event.Calm, d.at)
}

// stride is how many keys are looked at again in one step after a change of the limits.
const stride = 64

// lookAgain goes on with the keys whose end may be another by new limits.
func (l *Limiter) lookAgain(now int64) {
	if l.walk < 0 {
		return
	}
	for range stride {
		if l.walk >= len(l.table.slots) {
			l.walk = -1
			return
		}
		if r := l.table.slots[l.walk]; r != nil && r.over {
			r.due.at = max(l.calm(r), now)
			l.dues.fix(&r.due)
		}
		l.walk++
	}
}

// Flush makes Told give what is still to be said of all that is held: the run ends.
func (l *Limiter) Flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	l.next.Store(math.MinInt64)
}

// endNext ends the next spell that held something.
func (l *Limiter) endNext(now int64) {
	for len(l.dues) > 0 && len(l.tells) == 0 {
		d := l.dues[0]
		if d.source != nil {
			l.dues.remove(d)
			l.calmSource(d.source, event.RateStopped, now)
			continue
		}
		l.end(d.rate, event.RateStopped, now)
	}
	if len(l.tells) > 0 {
		return
	}
	l.ended = false
	for _, o := range l.offenders.order {
		l.await(o) // it goes on to be listed
	}
}

// Restart forgets the rates and the time: the same packets come again. What is held is
// told first (Flush).
func (l *Limiter) Restart() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.table.slots {
		if r != nil {
			l.drop(r, event.RateStopped, l.now.Load())
		}
	}
	l.now.Store(0)
	l.turn++
	l.wake()
}

// StepBack sets the time to an earlier one: rates are counted from none, and nobody stays
// on the source blacklist for longer than from now on. What is held is told first (Flush).
func (l *Limiter) StepBack(now int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now.Store(now)
	l.table.epoch++
	for _, o := range l.offenders.order {
		o.first, o.last = min(o.first, now), min(o.last, now)
		if o.expires > 0 {
			o.expires = min(o.expires, now+int64(o.lasts))
		}
		l.await(o)
	}
	l.wake()
}

// write makes the record.
func (l *Limiter) write(e *event.Event, t *tell) {
	e.Reset()
	l.told++
	e.Type, e.Time, e.Rate = event.RateCalm, t.time, t.rate
	e.Start, e.End = t.rate.Since, t.time
	if t.addr.IsValid() {
		e.Src = netip.AddrPortFrom(t.addr, 0)
	}
	var room [128]byte
	b := append(room[:0], "rate-calm"...)
	b = append(b, byte(t.rate.By), byte(t.rate.Type))
	b = event.AppendSource(b, t.rate.Source)
	for _, n := range [...]uint64{uint64(t.rate.Since), uint64(t.time), l.told, uint64(l.turn)} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	sum := sha256.Sum256(b)
	copy(e.ID[:], sum[:])
}
