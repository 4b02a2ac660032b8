package track

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/codec"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// Restoring takes the parts that Snapshot gave into a tracker of its own. Bytes that
// were not written by Snapshot are refused, or are entries that end by themselves.
type Restoring struct {
	pass
	before head
	headed bool
	over   bool
	events []event.Event
	set    *callSet // in work
	held   []*hold  // of which no try was seen
	ids    map[event.Hash]bool
}

// Restored is what was taken up.
type Restored struct {
	Calls    int // answered, and under way
	Bindings int
	Entries  int // calls, transactions and what is remembered of those that are over
}

// Why a state is refused.
var (
	ErrState = errors.New("it does not hold what sipcmbeat keeps")
	ErrAhead = errors.New("its packets are later than this machine's clock")
)

// clockStep is how far the clock of a machine may have been set back between two runs.
const clockStep = int64(time.Minute)

// NewRestoring begins to restore a tracker with this configuration.
func NewRestoring(cfg Config) *Restoring {
	return &Restoring{pass: pass{t: New(cfg), Codec: codec.Codec{Reading: true}}, ids: make(map[event.Hash]bool)}
}

// Part takes one part, which it borrows. After an error nothing of it is usable.
func (r *Restoring) Part(kind byte, b []byte) error {
	r.begin()
	r.B = b
	if r.headed != (kind != partHead) || r.over {
		return ErrState
	}
	switch kind {
	case partHead:
		r.takeHead()
	case partBads:
		r.each(r.takeBad)
	case partReplies:
		r.each(r.takeReply)
	case partClients:
		r.each(r.takeClient)
	case partHolds:
		r.each(r.takeHold)
	case partAORs:
		r.each(r.takeAOR)
	case partSets:
		r.each(r.takeMarked)
	case partClock:
		r.takeClock()
	default:
		return ErrState
	}
	if r.Bad || len(r.B) > 0 {
		return ErrState
	}
	r.makeRoom()
	return nil
}

// each takes entries to the end of the part.
func (r *Restoring) each(take func()) {
	for len(r.B) > 0 && !r.Bad {
		if take(); r.set == nil {
			r.makeRoom() // a part may hold any number
		}
	}
}

// makeRoom keeps the bounds, which may be lower than they were. What a tracker may go
// over them by is left for its next message.
func (r *Restoring) makeRoom() {
	r.t.out = r.events
	if r.t.overBounds() {
		r.t.makeRoom()
	}
	r.events, r.t.out = r.t.out, nil
	if r.set != nil && r.t.calls.sets[r.set.cid] != r.set {
		r.set, r.doubts = nil, nil
	}
}

// overBounds reports whether there is more than one message leaves behind.
func (t *Tracker) overBounds() bool {
	return t.calls.entries > t.cfg.MaxCalls+headroom || t.calls.bytes > t.cfg.MaxCallsMem+headroom*attemptSize ||
		t.regs.bindings > t.cfg.MaxRegs+maxBindings || len(t.regs.aors) > 2*t.cfg.MaxRegs+1 || t.regs.bytes > t.cfg.MaxRegsMem+maxBindings*bindingSize
}

// Done gives the tracker, what is in it, and the events of entries for which there is
// no room any more. now is the wall clock where the packets that come are those of now,
// 0 where they go on where the last run's ended: with it the time between is one that
// nobody saw.
func (r *Restoring) Done(now int64) (t *Tracker, got Restored, evicted []event.Event, err error) {
	if !r.over {
		return nil, got, nil, ErrState
	}
	t = r.t
	if now != 0 && t.now > now+clockStep {
		return nil, got, nil, ErrAhead
	}
	t.stats = Stats{Evicted: t.stats.Evicted, Events: t.stats.Events}
	r.finishSet()
	r.finishHolds()
	r.order()
	r.list()
	if now > t.now {
		t.missed(gap{t.now, now})
	}
	for _, s := range t.calls.sets {
		for _, d := range s.dialogs.items {
			if d.state != ended {
				got.Calls++
			}
		}
		for _, a := range s.attempts.items {
			if a.state != answered && a.state != failed {
				got.Calls++
			}
		}
	}
	got.Bindings, got.Entries = t.regs.bindings, t.calls.entries
	return t, got, r.events, nil
}

func (r *Restoring) takeHead() {
	h := &r.before
	r.pass.head(h)
	t := r.t
	t.seed, t.now, t.start, t.down = h.seed, h.now, h.start, h.down
	t.wheel.tick = t.now >> tickBits
	r.now, r.headed = t.now, true
}

func (r *Restoring) takeClock() {
	now := int64(0)
	r.clocks(&now, &r.t.wheel.seq)
	r.t.now = max(r.t.now, now)
	r.over = true
}

// wound sets a timer that was read, or lets an entry that has none decide at once.
func (r *Restoring) wound(tm *timer) {
	if tm.where != saved {
		tm.at, tm.where = r.t.now, saved
	}
	r.t.wind(tm)
}

func (r *Restoring) takeBad() {
	t, b := r.t, &bad{}
	r.unusable(b)
	used := false
	for _, k := range b.keys {
		if k != 0 && t.bads[k] == nil {
			t.bads[k], used = b, true
		}
	}
	if r.Bad || !used {
		return
	}
	b.timer.owner, b.link.owner = b, b
	r.wound(&b.timer)
	t.rank(&b.link, worthSpent)
	t.admit(badSize)
}

func (r *Restoring) takeReply() {
	t, b := r.t, &badReply{}
	r.reply(b)
	if r.Bad || b.keys == [2]uint64{} || len(t.replies[b.keys[0]])+len(t.replies[b.keys[1]]) >= maxReplies {
		return
	}
	if slices.ContainsFunc(t.replies[first(b.keys)], func(x *badReply) bool { return x.ev.ID == b.ev.ID }) {
		return
	}
	b.timer.owner, b.link.owner = b, b
	t.fileReply(b)
	r.wound(&b.timer)
	t.rank(&b.link, worthSpent)
}

func (r *Restoring) takeClient() {
	t, c := r.t, &client{}
	r.client(c)
	if r.Bad || t.auth.clients[c.key] != nil {
		return
	}
	c.timer.owner, c.link.owner = c, c
	t.auth.clients[c.key] = c
	r.wound(&c.timer)
	t.rank(&c.link, worthSpent)
	t.admit(clientSize)
}

// takeHold keeps a failure until it is known whether its next try was seen after all.
func (r *Restoring) takeHold() {
	h := &hold{}
	if r.hold(h); !r.Bad {
		r.held = append(r.held, h)
	}
}

// addHold makes a failure known under its nonces.
func (r *Restoring) addHold(h *hold) {
	t := r.t
	keys := h.keys[:h.nkeys]
	h.nkeys = 0
	for _, key := range keys {
		if of := t.auth.holds[key]; len(of) < maxHolds && !slices.Contains(of, h) {
			h.keys[h.nkeys] = key
			h.nkeys++
			t.auth.holds[key] = append(of, h)
		}
	}
	h.timer.owner, h.link.owner = h, h
	t.admit(holdSize)
	t.weigh(&h.extra, &h.ev)
	r.ids[h.ev.ID] = true
}

// addChain takes in the failures that one try decides.
func (r *Restoring) addChain(h *hold) {
	for ; h != nil; h = h.next {
		h.timer.where = 0
		r.addHold(h)
	}
}

// finishHolds takes in the others, in the order in which they came, and finds the
// attempts of all.
func (r *Restoring) finishHolds() {
	slices.SortStableFunc(r.held, func(a, b *hold) int { return int(int32(a.timer.seq - b.timer.seq)) })
	for _, h := range r.held {
		if r.ids[h.ev.ID] && !h.open { // one that is open has no identity so far
			continue
		}
		r.addHold(h)
		r.wound(&h.timer)
		w := worthRequest
		if h.retried = h.passed; h.passed {
			w = worthSpent
		}
		r.t.rank(&h.link, w)
	}
	for _, l := range r.linked {
		s := r.t.calls.sets[l.cid]
		if s == nil || l.hold.timer.owner == nil { // not taken in, or gone for want of room
			continue
		}
		if a := s.attempts.get(l.key); a != nil && a.hold == nil {
			a.hold, l.hold.attempt = l.hold, a
		}
	}
}

func (r *Restoring) takeAOR() {
	t, a := r.t, &aor{}
	r.aor(a)
	n := 0
	upTo(&r.pass, &n, maxBindings)
	if r.Bad || a.key != t.hash(a.text) {
		r.Fail()
		return
	}
	known := t.regs.aors[a.key] != nil
	if !known {
		t.regs.aors[a.key] = a
		t.regs.bytes += aorSize + int64(cap(a.text))
	}
	for range n {
		b := &binding{aor: a}
		if r.binding(b); r.Bad {
			return
		}
		if !known {
			r.addBinding(a, b)
		}
	}
	if !known {
		r.addIdle(a, n > 0)
	}
}

// addIdle sets how long an AOR without bindings is known.
func (r *Restoring) addIdle(a *aor, bound bool) {
	t, i := r.t, a.idle
	a.idle = nil
	switch {
	case bound:
	case i == nil || i.timer.where != saved:
		t.restAOR(a)
	default:
		a.idle = i
		i.timer.owner, i.link.owner = i, i
		t.regs.bytes += idleSize
		t.wind(&i.timer)
		t.rank(&i.link, worthForgiven)
	}
}

func (r *Restoring) addBinding(a *aor, b *binding) {
	t := r.t
	b.timer.owner, b.link.owner = b, b
	if a.bindings == nil {
		a.bindings = a.few[:0]
	}
	a.bindings = append(a.bindings, b)
	t.regs.bindings++
	if b.refreshes > 0 {
		t.regs.refreshed++
	}
	t.regs.bytes += bindingSize + int64(cap(b.text))
	if b.agent != nil {
		b.agent = t.agentOf(nil, []byte(b.agent.text))
	}
	if b.until+b.late > r.now+lifetime+ahead {
		b.late = 0
	}
	if r.before.ignorePort != t.cfg.ContactIgnorePort {
		b.alias = 0 // of which only the hash is known
		if t.uri.Parse(b.piece(pieceURI)) {
			b.key = t.contactKey(&t.uri)
		}
	}
	if b.state == bound && r.before.regDelta != int64(t.cfg.RegExpDelta) {
		b.timer.where = 0
		t.arm(&b.timer, b.until+b.late, b.grace(t))
	} else {
		r.wound(&b.timer)
	}
	t.rank(&b.link, b.worth())
}

// takeMarked takes an entry of a Call-ID, or begins with another one.
func (r *Restoring) takeMarked() {
	what := uint8(0)
	upTo(&r.pass, &what, numMarks-1)
	if r.Bad {
		return
	}
	if what == markSet {
		r.takeSet()
		return
	}
	if r.set == nil {
		r.Fail()
		return
	}
	switch what {
	case markAttempt:
		r.takeAttempt()
	case markDialog:
		r.takeDialog()
	case markRequest:
		r.takeRequest()
	default:
		r.takeSubscription()
	}
}

// takeSet begins with a Call-ID, or goes on with one.
func (r *Restoring) takeSet() {
	var cid uint64
	if r.Hash(&cid); r.Bad || r.set != nil && r.set.cid == cid {
		return
	}
	r.finishSet()
	r.makeRoom()
	s := r.t.calls.sets[cid]
	if s == nil {
		s = &callSet{cid: cid}
		r.t.calls.sets[cid] = s
	}
	r.set = s
}

// finishSet puts the entries of a Call-ID into the order that they had, finds the
// INVITEs of doubted dialogs, and forgets a set without entries.
func (r *Restoring) finishSet() {
	s := r.set
	doubts := r.doubts
	r.set, r.doubts = nil, nil
	if s == nil {
		return
	}
	s.attempts.reverse()
	s.dialogs.reverse()
	s.requests.reverse()
	if s.subs != nil {
		s.subs.reverse()
	}
	slices.SortStableFunc(doubts, func(a, b doubtOf) int { return cmp.Compare(a.place, b.place) })
	for _, x := range doubts {
		d := x.dialog
		if d.set != s || s.dialogs.get(d.key) != d { // not taken in, or gone for want of room
			continue
		}
		a := s.attempts.get(x.key)
		if a == nil || len(a.doubts) == maxDoubts || a.state == answered || a.state == failed {
			r.t.freeDialog(d)
			continue
		}
		d.asker, a.doubts = a, append(a.doubts, d)
	}
	if r.t.calls.sets[s.cid] == s {
		r.t.settle(s)
	}
}

func (r *Restoring) takeAttempt() {
	t, s, a := r.t, r.set, &attempt{}
	r.attempt(a)
	if r.Bad || s.attempts.get(a.key) != nil {
		return
	}
	a.set, a.timer.owner, a.link.owner = s, a, a
	s.attempts.put(a)
	t.calls.attempts++
	t.admit(attemptSize)
	t.weigh(&a.extra, &a.rec)
	switch a.state {
	case calling, proceeding, cancelling, leaving, heard:
		r.addChain(a.holds)
	case answered, failed:
		if a.holds = nil; a.timer.where != saved {
			r.addOver(&a.link)
			return
		}
	default:
		a.holds = nil
	}
	r.wound(&a.timer)
	t.rank(&a.link, a.worth())
}

// addOver remembers what is over for the rest of its time.
func (r *Restoring) addOver(l *link) {
	l.until = min(l.until, r.now+int64(time.Hour)) // as long as Completed can be
	r.t.rank(l, worthOver)
}

func (r *Restoring) takeDialog() {
	t, s, d := r.t, r.set, &dialog{}
	r.dialog(d)
	if r.Bad || s.dialogs.get(d.key) != nil {
		return
	}
	d.set, d.timer.owner, d.link.owner = s, d, d
	s.dialogs.put(d)
	t.admit(dialogSize)
	cold := d.cold
	d.cold = nil
	if t.keepCold(d, cold); d.quality != nil {
		t.calls.bytes += qualityEntry
	}
	switch d.state {
	case ended:
		d.timer.where = 0
		r.addOver(&d.link)
		return
	case doubted:
		d.timer.where = 0
		t.rankDialog(d)
		return
	case forgotten: // is none
		r.Fail()
		return
	case confirmed, assumed:
		t.skipTurns(d, t.now)
		if r.before.established != int64(t.cfg.Established) || r.before.alive != int64(t.cfg.Alive) {
			d.timer.where = 0
			t.wheel.set(&d.timer, max(t.due(d)+d.late, t.now))
		}
	}
	if !d.timer.isSet() || d.timer.where == saved {
		r.wound(&d.timer)
	}
	t.rankDialog(d)
}

func (r *Restoring) takeRequest() {
	t, s, q := r.t, r.set, &request{}
	q.hops = q.near[:0]
	r.request(q)
	if r.Bad || s.requests.get(q.key) != nil {
		return
	}
	q.set, q.timer.owner, q.link.owner = s, q, q
	s.requests.put(q)
	t.calls.requests++
	t.admit(requestSize)
	if q.state == completed {
		q.timer.where, q.holds = 0, nil
		r.addOver(&q.link)
		return
	}
	t.weigh(&q.extra, q.rec)
	r.addChain(q.holds)
	r.wound(&q.timer)
	t.rank(&q.link, worthRequest)
}

func (r *Restoring) takeSubscription() {
	t, set, s := r.t, r.set, &subscription{}
	r.subscription(s)
	if r.Bad || set.subs != nil && set.subs.get(s.key) != nil {
		return
	}
	if set.subs == nil {
		set.subs = take(&t.pools.subBags)
	}
	s.set, s.timer.owner, s.link.owner = set, s, s
	set.subs.put(s)
	t.admit(subscriptionSize)
	if s.state == subTerminated {
		s.timer.where = 0
		r.addOver(&s.link)
		return
	}
	r.wound(&s.timer)
	w := worthRequest
	if s.accepted {
		w = worthSubscription
	}
	t.rank(&s.link, w)
}

// order puts each age into the order that it had: that of the deadlines that were set,
// with which an entry mostly changes its worth.
func (r *Restoring) order() {
	for i := range r.t.ages {
		a := &r.t.ages[i]
		var all []*link
		for l := a.head.next; l != &a.head; l = l.next {
			all = append(all, l)
		}
		slices.SortStableFunc(all, func(x, y *link) int { return cmp.Compare(r.t.place(x), r.t.place(y)) })
		for _, l := range all {
			r.t.rank(l, worth(i))
		}
	}
}

// place is where an entry stands among those of its worth: the end of its time where it
// is over, else when its deadline was set, before the last one that was.
func (t *Tracker) place(l *link) int64 {
	var tm *timer
	switch x := l.owner.(type) {
	case *binding:
		tm = &x.timer
	case *idle:
		tm = &x.timer
	case *client:
		tm = &x.timer
	case *bad:
		tm = &x.timer
	case *badReply:
		tm = &x.timer
	case *hold:
		tm = &x.timer
	case *attempt:
		tm = &x.timer
	case *request:
		tm = &x.timer
	case *subscription:
		tm = &x.timer
	case *dialog:
		if tm = &x.timer; x.asker != nil {
			tm = &x.asker.timer
		}
	}
	if !tm.isSet() {
		return l.until
	}
	return int64(int32(tm.seq - t.wheel.seq))
}
