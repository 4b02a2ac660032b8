package track

import (
	"github.com/sipcmbeat/sipcmbeat/internal/siphash"
)

// What a tracker knows, as bytes for the next run (docs/decisions/0012-saved-state.md).
//
// It is written in slices, between which messages may be followed: one Call-ID and one
// AOR are whole as of one moment, the others of other moments of the same writing. What
// hangs on several Call-IDs, the failures that wait for another try, is written first,
// and what is found twice counts once.

// StateVersion is the version of what Snapshot writes. It changes with any field of any
// entry, and of event.Event; a test tells.
const StateVersion = 1

// The kinds of parts, which only Restore understands.
const (
	partHead    = 16 + iota // the configuration that matters, the key of the hashes, the clock
	partBads                // messages that were a parse-error
	partReplies             // answers that cannot be used and wait
	partClients             // nonces
	partHolds               // failures of which no further try was seen
	partAORs                // addresses of record with their bindings
	partSets                // Call-IDs with their attempts, dialogs and requests
	partClock               // the clock at the end
	KindEnd                 // the first kind that is not a tracker's
)

// What is written before the lock is given back, and so how long a message waits: some
// 1 µs an entry, and the copying.
const (
	sliceEntries = 512
	sliceBytes   = 256 << 10
)

// What stands before each entry of partSets.
const (
	markSet = iota
	markAttempt
	markDialog
	markRequest
	markSubscription
	numMarks
)

// head is what the next run has to know before all others.
type head struct {
	ignorePort  bool
	established int64 // these three are in deadlines
	alive       int64
	regDelta    int64
	seed        siphash.Key
	now, start  int64
	down        gap
}

func (p *pass) head(h *head) {
	p.Flags(&h.ignorePort)
	whole(p, &h.established)
	whole(p, &h.alive)
	whole(p, &h.regDelta)
	p.Hashes(&h.seed[0], &h.seed[1])
	upTo(p, &h.now, maxClock)
	upTo(p, &h.start, maxClock)
	upTo(p, &h.down.from, maxClock)
	upTo(p, &h.down.to, maxClock)
}

func (t *Tracker) head() head {
	return head{
		ignorePort: t.cfg.ContactIgnorePort, established: int64(t.cfg.Established), alive: int64(t.cfg.Alive), regDelta: int64(t.cfg.RegExpDelta),
		seed: t.seed, now: clocked(t.now), start: clocked(t.start), down: t.down,
	}
}

// clocked is a clock that is believed.
func clocked(at int64) int64 { return min(max(at, 0), maxClock) }

// clocks is what has moved on while the rest was written.
func (p *pass) clocks(now *int64, seq *uint32) {
	upTo(p, now, maxClock)
	whole(p, seq)
}

// slicer writes a snapshot.
type slicer struct {
	pass
	put     func(kind byte, b []byte) bool
	kind    byte
	entries int
	from    int // where the present Call-ID begins in this slice
	stopped bool
}

// Snapshot gives everything that is going on to put, in parts that only Restore
// understands. put borrows b; while it runs others may use the tracker, and when it
// returns the caller has it again. Returning false ends the writing.
//
// The most that happens between two calls of put is sliceEntries entries, or one AOR.
func (t *Tracker) Snapshot(put func(kind byte, b []byte) bool) {
	s := &slicer{pass: pass{t: t, now: clocked(t.now)}, put: put}
	h := t.head()
	s.open(partHead)
	s.pass.head(&h)
	s.open(partBads)
	for key, b := range t.bads {
		if first(b.keys) == key && s.next(1) && t.bads[key] == b {
			s.pass.unusable(b)
		}
	}
	s.open(partReplies)
	for key, of := range t.replies {
		s.next(len(of))
		for _, x := range t.replies[key] {
			if first(x.keys) == key && !s.stopped {
				s.pass.reply(x)
			}
		}
	}
	s.open(partClients)
	for key, c := range t.auth.clients {
		if s.next(1) && t.auth.clients[key] == c {
			s.pass.client(c)
		}
	}
	s.open(partHolds)
	for key := range t.auth.holds {
		s.next(maxHolds)
		for _, h := range t.auth.holds[key] {
			if (!h.retried || h.passed) && h.keys[0] == key && !s.stopped {
				s.pass.hold(h)
			}
		}
	}
	s.open(partAORs)
	for key, a := range t.regs.aors {
		if s.next(1+len(a.bindings)) && t.regs.aors[key] == a {
			s.bindings(a)
		}
	}
	s.open(partSets)
	for cid, set := range t.calls.sets {
		n := set.size()
		if s.next(n) && t.calls.sets[cid] == set {
			s.entries += set.size() - n // what came meanwhile
			s.set(cid, set)
		}
	}
	s.open(partClock)
	now, seq := clocked(t.now), t.wheel.seq
	s.clocks(&now, &seq)
	s.give()
}

// Now is the clock: the greatest packet time seen.
func (t *Tracker) Now() int64 { return t.now }

// first is the key under which what has these is written.
func first(keys [2]uint64) uint64 {
	if keys[0] != 0 {
		return keys[0]
	}
	return keys[1]
}

// open begins the parts of a kind.
func (s *slicer) open(kind byte) {
	s.give()
	s.kind = kind
}

// next makes room for n entries that are to be of one moment: it reports whether they
// are wanted. What the caller has of the tracker may be gone when it returns, and its
// memory be something else's.
func (s *slicer) next(n int) bool {
	if s.entries > 0 && s.entries+n > sliceEntries || len(s.B) >= sliceBytes {
		s.give()
	}
	s.entries += n
	return !s.stopped
}

// give hands over what is written.
func (s *slicer) give() {
	if len(s.B) > 0 && !s.stopped {
		s.stopped = !s.put(s.kind, s.B)
	}
	s.entries = 0
	s.begin()
}

func (s *slicer) bindings(a *aor) {
	s.pass.aor(a)
	n := len(a.bindings)
	upTo(&s.pass, &n, maxBindings)
	for _, b := range a.bindings {
		s.pass.binding(b)
	}
}

// size is how many entries there are under a Call-ID.
func (s *callSet) size() int {
	n := len(s.attempts.items) + len(s.dialogs.items) + len(s.requests.items)
	if s.subs != nil {
		n += len(s.subs.items)
	}
	return n
}

// set writes what is known of a Call-ID. One that somebody fills takes several slices;
// it is written backwards, so that nothing that goes meanwhile hides another entry.
func (s *slicer) set(cid uint64, set *callSet) {
	s.begun(cid)
	if set.size() > sliceEntries {
		s.entries = 0 // each counts its own
	}
	_ = each(s, cid, set, func(c *callSet) *bag[*attempt] { return &c.attempts }, markAttempt, (*pass).attempt) &&
		each(s, cid, set, func(c *callSet) *bag[*dialog] { return &c.dialogs }, markDialog, (*pass).dialog) &&
		each(s, cid, set, func(c *callSet) *bag[*request] { return &c.requests }, markRequest, (*pass).request) &&
		each(s, cid, set, func(c *callSet) *bag[*subscription] { return c.subs }, markSubscription, (*pass).subscription)
}

// begun begins with a Call-ID, or goes on with it in another slice.
func (s *slicer) begun(cid uint64) {
	s.from = len(s.B)
	s.mark(markSet)
	s.Hash(&cid)
}

// each reports whether the Call-ID is still there.
func each[T keyed](s *slicer, cid uint64, set *callSet, of func(*callSet) *bag[T], mark uint8, write func(*pass, T)) bool {
	b := of(set)
	if b == nil {
		return true
	}
	large := set.size() > sliceEntries
	for i := len(b.items) - 1; i >= 0; i-- {
		if large && s.entries >= sliceEntries || len(s.B)-s.from >= sliceBytes {
			s.give()
			if s.stopped || s.t.calls.sets[cid] != set {
				return false
			}
			s.begun(cid)
			if b = of(set); b == nil {
				break
			}
			if i = min(i, len(b.items)-1); i < 0 {
				break
			}
		}
		if large {
			s.entries++
		}
		s.mark(mark)
		write(&s.pass, b.items[i])
	}
	return true
}

// mark tells what comes next.
func (s *slicer) mark(what uint8) { upTo(&s.pass, &what, numMarks-1) }
