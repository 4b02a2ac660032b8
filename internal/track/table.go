package track

import (
	"slices"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// callSet is everything that is known of one Call-ID. Two Call-IDs whose seeded
// 64-bit hashes collide would share one; with a million in memory the odds are
// one in tens of millions, and nobody outside can aim at it.
type callSet struct {
	cid      uint64
	attempts bag[*attempt]
	dialogs  bag[*dialog]
	requests bag[*request]
	subs     *bag[*subscription] // nil without any
}

// keyed is what a bag holds.
type keyed interface {
	comparable
	keyOf() uint64
}

// bag finds entries by key. Few entries are looked through; a bag that a scanner
// fills under one Call-ID gets an index, so that neither finding nor dropping one of a
// million takes longer.
type bag[T keyed] struct {
	items []T
	index map[uint64]int // where in items
	few   [1]T           // what items begins with
}

const (
	bagIndexed = 16 // entries from which on a bag has an index
	looseLimit = 32 // entries that a search by less than the key looks at, latest first
)

// at is where the entry of a key is, or -1.
func (b *bag[T]) at(key uint64) int {
	if b.index != nil {
		if i, ok := b.index[key]; ok {
			return i
		}
		return -1
	}
	for i := len(b.items) - 1; i >= 0; i-- {
		if b.items[i].keyOf() == key {
			return i
		}
	}
	return -1
}

func (b *bag[T]) get(key uint64) (found T) {
	if i := b.at(key); i >= 0 {
		return b.items[i]
	}
	return found
}

func (b *bag[T]) put(x T) {
	if b.items == nil {
		b.items = b.few[:0]
	}
	b.items = append(b.items, x)
	switch {
	case b.index != nil:
		b.index[x.keyOf()] = len(b.items) - 1
	case len(b.items) > bagIndexed:
		b.reindex()
	}
}

// reindex notes where everything is.
func (b *bag[T]) reindex() {
	b.index = make(map[uint64]int, 2*len(b.items))
	for i, x := range b.items {
		b.index[x.keyOf()] = i
	}
}

// reverse puts the entries into the opposite order.
func (b *bag[T]) reverse() {
	slices.Reverse(b.items)
	if b.index != nil {
		b.reindex()
	}
}

func (b *bag[T]) drop(x T) {
	i := b.at(x.keyOf())
	if i < 0 || b.items[i] != x {
		if i = slices.Index(b.items, x); i < 0 {
			return
		}
	} else if b.index != nil {
		delete(b.index, x.keyOf())
	}
	last := len(b.items) - 1
	moved := b.items[last]
	var none T
	b.items[i], b.items[last] = moved, none
	b.items = b.items[:last]
	if b.index != nil && i != last && b.index[moved.keyOf()] == last {
		b.index[moved.keyOf()] = i
	}
	if last == 0 {
		b.index = nil
	}
}

// latest is the entries that a search by less than the key may look at.
func (b *bag[T]) latest() []T {
	if n := len(b.items); n > looseLimit {
		return b.items[n-looseLimit:]
	}
	return b.items
}

// calls holds the sets by Call-ID.
type calls struct {
	sets    map[uint64]*callSet
	entries int
	up      int // dialogs of worthCall among them
	bytes   int64

	attempts, requests int // among entries
}

func (c *calls) init() { c.sets = make(map[uint64]*callSet) }

// worth orders what gives way when memory is short: the least valuable first. What
// entries are worth, and why, is in worth.go.
type worth uint8

const (
	worthOver         worth = iota // decided, kept a while to absorb retransmissions
	worthSpent                     // the same, kept longer
	worthRequest                   // a transaction without outcome, or a call of which one side alone was heard
	worthAttempt                   // a call that rings
	worthSubscription              // a subscription that both ends know of
	worthCall                      // an answered call
	worthForgiven                  // an AOR without bindings
	worthHearsay                   // a binding that nobody was seen to ask for
	worthBinding                   // one that a REGISTER set
	worthRefreshed                 // one that a later REGISTER refreshed
	numWorth
)

// age is the entries of one worth, oldest first.
type age struct{ head link }

func (a *age) init() { a.head.prev, a.head.next = &a.head, &a.head }

func (a *age) empty() bool { return a.head.next == &a.head }

// link is an entry's place in an age.
type link struct {
	prev, next *link
	owner      evictable
	until      int64 // of what is over: when it may be forgotten
}

// evictable gives way: it sends what is pending, labelled, and is gone after.
type evictable interface{ evict(t *Tracker) }

func (l *link) leave() {
	if l.next == nil {
		return
	}
	l.prev.next, l.next.prev = l.next, l.prev
	l.prev, l.next = nil, nil
}

func (t *Tracker) rank(l *link, w worth) {
	l.leave()
	tail := &t.ages[w].head
	l.prev, l.next = tail.prev, tail
	tail.prev.next, tail.prev = l, l
}

// retire remembers an entry that is decided for as long as retransmissions of it
// may come. All are kept equally long, so that the oldest is the next to go and no
// timer is needed.
func (t *Tracker) retire(tm *timer, l *link) {
	t.wheel.clear(tm)
	l.until = t.now + int64(t.cfg.Completed)
	t.rank(l, worthOver)
}

// forget frees what was over long enough.
func (t *Tracker) forget() {
	over := &t.ages[worthOver].head
	for over.next != over && over.next.until <= t.now {
		over.next.owner.evict(t)
	}
}

// makeRoom evicts until what one message may add fits into the bounds, and so many
// entries at most: a bound that was lowered is reached over many messages. It is
// called between messages, when nobody holds an entry; a decision on the way may
// go over a bound by a few entries until the next message.
func (t *Tracker) makeRoom() {
	const most = 64
	for n := 0; n < most && (t.calls.entries+headroom > t.cfg.MaxCalls || t.calls.bytes+headroom*attemptSize > t.cfg.MaxCallsMem); n++ {
		if !t.evictOldest(t.leastCall(), worthCall) {
			break
		}
	}
	for n := 0; n < most && (t.regs.bindings >= t.cfg.MaxRegs || len(t.regs.aors) > 2*t.cfg.MaxRegs || t.regs.bytes+aorSize+bindingSize > t.cfg.MaxRegsMem); n++ {
		if !t.evictOldest(t.leastBinding(), worthRefreshed) {
			break
		}
	}
}

// headroom is what a message may add to the table of calls, in entries.
const headroom = 6

func (t *Tracker) evictOldest(from, to worth) bool {
	for w := from; w <= to; w++ {
		if l := t.ages[w].head.next; !t.ages[w].empty() {
			t.stats.Evicted[w]++
			t.evicting = true
			l.owner.evict(t)
			t.evicting = false
			return true
		}
	}
	return false
}

// pools keep what was freed, so that a steady load allocates nothing.
type pools struct {
	sets          []*callSet
	attempts      []*attempt
	dialogs       []*dialog
	requests      []*request
	records       []*event.Event
	clients       []*client
	holds         []*hold
	quality       []*quality
	subscriptions []*subscription
	aors          []*aor
	idles         []*idle
	bindings      []*binding
	subBags       []*bag[*subscription]
	cold          [coldSteps][][]byte // see takeCold
}

// maxPool bounds each pool; beyond it the garbage collector takes over.
const maxPool = 1 << 14

func take[T any](pool *[]*T) *T {
	if n := len(*pool); n > 0 {
		x := (*pool)[n-1]
		(*pool)[n-1] = nil
		*pool = (*pool)[:n-1]
		return x
	}
	return new(T)
}

func give[T any](pool *[]*T, x *T) {
	if len(*pool) < maxPool {
		*pool = append(*pool, x)
	}
}

// setOf finds or makes the set of the message's Call-ID.
func (t *Tracker) setOf(v *view) *callSet {
	if v.set == nil {
		v.set = take(&t.pools.sets)
		v.set.cid = v.cid
		t.calls.sets[v.cid] = v.set
	}
	return v.set
}

// settle frees a set that holds nothing any more.
func (t *Tracker) settle(s *callSet) {
	if len(s.attempts.items)+len(s.dialogs.items)+len(s.requests.items) > 0 || s.subs != nil {
		return
	}
	delete(t.calls.sets, s.cid)
	if t.view.set == s {
		t.view.set = nil
	}
	give(&t.pools.sets, s)
}

// usualRecord is the text of a usual record, in bytes: what the sizes of entries
// allow for.
const usualRecord = 2048

// weigh counts what a record takes beyond a usual one, nothing where rec is nil: a
// sender chooses how long values are. extra is what was counted for it before.
func (t *Tracker) weigh(extra *int64, rec *event.Event) {
	n := int64(0)
	if rec != nil {
		n = max(int64(rec.Size())-usualRecord, 0)
	}
	t.calls.bytes += n - *extra
	*extra = n
}

// admit counts an entry in, dismiss counts it out.
func (t *Tracker) admit(n int) {
	t.calls.entries++
	t.calls.bytes += int64(n)
}

func (t *Tracker) dismiss(n int) {
	t.calls.entries--
	t.calls.bytes -= int64(n)
}
