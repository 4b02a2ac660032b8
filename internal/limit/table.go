package limit

import (
	"math"
	"net/netip"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// key is what events are counted by.
type key struct {
	source netip.Prefix
	typ    event.Type
}

// rate is an entry of the table.
type rate struct {
	key        key
	addr       netip.Addr // the last one seen, whole
	slot       int32
	class      int8
	over       bool
	epoch      uint32 // of the windows that win counts for
	prev, next *rate  // in its class, the longest idle first

	last       int64
	seen, held uint64

	// While it is over.
	due        due // when it may have calmed down, or before
	since      int64
	lastOver   int64
	exceeded   uint64
	suppressed uint64
	total      uint64
	offender   *offender

	win [MaxWindows]bucket
}

// table holds the keys: by name, by slot for those who list them, and by how much of a
// limit they had when they were last seen, longest idle first.
type table struct {
	keys    map[key]*rate
	slots   []*rate
	free    []int32
	pool    []*rate
	classes [numClasses]rate // heads of rings
	epoch   uint32           // of the windows
	over    int
	evicted uint64
}

func (t *table) init() {
	t.keys = make(map[key]*rate)
	for i := range t.classes {
		t.classes[i].prev, t.classes[i].next = &t.classes[i], &t.classes[i]
	}
}

// numClasses are the orders of magnitude of the part of a limit: up to an eighth, a
// quarter, a half, once, twice, and so on.
const numClasses = 12

func class(ratio float64) int8 {
	if ratio <= 1.0/8 {
		return 0
	}
	_, exp := math.Frexp(ratio) // ratio is below 2 to this
	return int8(min(exp+3, numClasses-1))
}

// use puts r behind all others of its class.
func (t *table) use(r *rate, ratio float64) {
	r.prev.next, r.next.prev = r.next, r.prev
	r.class = class(ratio)
	t.append(r)
}

func (t *table) append(r *rate) {
	head := &t.classes[r.class]
	r.prev, r.next = head.prev, head
	head.prev.next, head.prev = r, r
}

// atOnce is how many entries go at most when one comes.
const atOnce = 2

// enter makes an entry. When the table is full another one goes, or two when it has
// been made smaller; and up to two that have been idle for so long that nothing of them
// counts.
func (l *Limiter) enter(k key, now int64) *rate {
	t := &l.table
	for range atOnce {
		if r := t.classes[0].next; r != &t.classes[0] && (r.epoch != t.epoch || now-r.last > 2*l.longest) {
			l.drop(r, event.RateEvicted, now)
		}
	}
	for i := 0; i < atOnce && len(t.keys) >= l.cfg.MaxEntries; i++ {
		l.drop(l.victim(now), event.RateEvicted, now)
		t.evicted++
	}
	var r *rate
	if n := len(t.pool); n > 0 {
		r, t.pool = t.pool[n-1], t.pool[:n-1]
	} else {
		r = new(rate)
	}
	*r = rate{key: k, epoch: t.epoch}
	r.due.rate, r.due.place = r, notDue
	if n := len(t.free); n > 0 {
		r.slot, t.free = t.free[n-1], t.free[:n-1]
		t.slots[r.slot] = r
	} else {
		r.slot = int32(len(t.slots))
		t.slots = append(t.slots, r)
	}
	t.keys[k] = r
	t.append(r)
	return r
}

// victim is the entry that is least over its limit and longest idle: of those that are
// longest idle in each class, the one that has least of its limit now; of equal ones,
// the longest idle. One that holds events goes last.
func (l *Limiter) victim(now int64) (least *rate) {
	var part float64
	for i := range l.table.classes {
		head := &l.table.classes[i]
		r := head.next
		if r == head {
			continue
		}
		_, ratio := l.worst(r, now)
		switch {
		case least == nil:
		case r.over != least.over:
			if r.over {
				continue
			}
		case ratio > part, ratio == part && r.last >= least.last:
			continue
		}
		least, part = r, ratio
	}
	return least
}

// drop takes an entry out of the table.
func (l *Limiter) drop(r *rate, why event.RateEnd, now int64) {
	l.end(r, why, now)
	t := &l.table
	delete(t.keys, r.key)
	r.prev.next, r.next.prev = r.next, r.prev
	r.prev, r.next = nil, nil
	t.slots[r.slot] = nil
	t.free = append(t.free, r.slot)
	t.pool = append(t.pool, r)
}
