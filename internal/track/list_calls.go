package track

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	shown "github.com/sipcmbeat/sipcmbeat/internal/view"
)

// CallListing is a page of calls in work.
type CallListing struct {
	listing
	out   []shown.Call
	named []Named
}

// Named is a Call-ID by which Detail finds it: as records have it, and the set it has
// here, 0 for that of the Call-ID. The record's may be another than the one on the wire,
// which was folded or too long.
type Named struct {
	CallID string
	set    uint64
}

// unlisted are states of what is in no list: over, or told by the dialog.
var (
	unlistedAttempt = [...]state{answered}
	unlistedDialog  = [...]state{ended, forgotten}
)

// callStates are the states by which calls are asked for.
var callStates = func() (names []string) {
	for s, name := range attemptMachine.states {
		if !slices.Contains(unlistedAttempt[:], state(s)) {
			names = append(names, name)
		}
	}
	for s, name := range dialogMachine.states {
		if !slices.Contains(unlistedDialog[:], state(s)) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}()

// Calls begins a page of calls that are up, attempts, and attempts that failed a short
// while ago. The error names what is wrong in the query.
func (t *Tracker) Calls(q shown.Query) (*CallListing, error) {
	l := &CallListing{listing: listing{q: q, kind: cursorCalls}, out: []shown.Call{}}
	if err := l.begin(t); err != nil {
		return nil, err
	}
	if q.State != "" && !slices.Contains(callStates, q.State) {
		return nil, fmt.Errorf("state: %q is not allowed; allowed: %s", shorten(q.State), strings.Join(callStates, ", "))
	}
	return l, nil
}

// Slice goes on with the page and reports whether it has to be called again; others may
// use the tracker in between. t is the one that Calls was called of, or the one that
// came in its place.
func (l *CallListing) Slice(t *Tracker) (more bool) {
	r := &t.lists.calls
	if !l.begun {
		l.begun = true
		if l.itself(t) {
			l.end(t, r)
			return false
		}
	}
	more = l.slice(r, func() int { return len(l.out) }, func(x *slot) bool {
		if !l.inState(x.link.owner) || !l.may(t, x.link.owner) {
			return false
		}
		e := t.recordOf(x.link.owner)
		if !l.wanted(e) || l.exact && l.is(e) {
			return false
		}
		l.add(t, x, e)
		return true
	})
	if !more {
		l.end(t, r)
	}
	return more
}

func (l *CallListing) add(t *Tracker, x *slot, e *event.Event) {
	l.named = append(l.named, Named{string(e.Bytes(e.CallID)), setOf(x.link.owner).cid})
	l.out = append(l.out, t.shownCall(x.link.owner, e, x))
}

// setOf is the set that a dialog or an attempt is in.
func setOf(x evictable) *callSet {
	if a, ok := x.(*attempt); ok {
		return a.set
	}
	return x.(*dialog).set
}

// Names are the Call-IDs of the calls on the page, in its order.
func (l *CallListing) Names() []Named { return l.named }

// Page is the page when it is made. The caller owns it.
func (l *CallListing) Page() shown.CallPage { return shown.CallPage{Page: l.page, Calls: l.out} }

// is reports whether the text is the record's Call-ID.
func (l *listing) is(e *event.Event) bool { return string(e.Bytes(e.CallID)) == l.q.Text }

// itself shows what is of the Call-ID that the text is, where something is, on a page of
// its own: it needs no search.
func (l *CallListing) itself(t *Tracker) bool {
	if l.q.Text == "" || l.q.Cursor != "" {
		return false
	}
	s := t.calls.sets[t.hash([]byte(l.q.Text))]
	if s == nil || len(s.attempts.items)+len(s.dialogs.items) > min(l.q.Limit, looseLimit) {
		return false
	}
	for _, x := range t.slotsOf(s) {
		l.looked++
		if e := t.recordOf(x.link.owner); l.inState(x.link.owner) && l.is(e) && l.wanted(e) {
			l.add(t, x, e)
		}
	}
	l.exact = len(l.out) > 0
	return l.exact
}

// slotsOf are those of a Call-ID that are listed, the newest first, of the latest.
func (t *Tracker) slotsOf(s *callSet) (all []*slot) {
	type numbered struct {
		number uint64
		x      *slot
	}
	var of []numbered
	add := func(p *spot) {
		if p.listed() {
			x, number := t.lists.calls.at(*p)
			of = append(of, numbered{number, x})
		}
	}
	for _, d := range s.dialogs.latest() {
		add(&d.spot)
	}
	for _, a := range s.attempts.latest() {
		add(&a.spot)
	}
	slices.SortFunc(of, func(a, b numbered) int {
		if a.number > b.number {
			return -1
		}
		return 1
	})
	for _, n := range of {
		all = append(all, n.x)
	}
	return all
}

func (l *CallListing) inState(x evictable) bool { return l.q.State == "" || stateOf(x) == l.q.State }

func stateOf(x evictable) string {
	switch x := x.(type) {
	case *attempt:
		return attemptMachine.states[x.state]
	case *dialog:
		return dialogMachine.states[x.state]
	}
	return ""
}

// may reports whether a record can be asked for, by what is seen without unpacking it:
// the source, and the texts, which stand in it as they are.
func (l *CallListing) may(t *Tracker, x evictable) bool {
	d, ok := x.(*dialog)
	if !ok || d.rec != nil {
		return true
	}
	if l.source.IsValid() && !(t.temp.UnpackSource(d.cold) && l.fromSource(t.temp.Src.Addr())) {
		return false
	}
	return l.contains(d.cold)
}

// wanted reports whether a record is asked for.
func (l *CallListing) wanted(e *event.Event) bool {
	if !l.fromSource(e.Src.Addr()) {
		return false
	}
	return len(l.text) == 0 || l.contains(e.Bytes(e.CallID)) || l.contains(e.Bytes(e.From.URI.All)) || l.contains(e.Bytes(e.To.URI.All)) ||
		l.contains(e.Bytes(e.UserAgent))
}

// recordOf is the record of a call, borrowed until the next one is asked for. Unlike
// look it leaves a packed one packed.
func (t *Tracker) recordOf(x evictable) *event.Event {
	switch x := x.(type) {
	case *attempt:
		return &x.rec
	case *dialog:
		if x.rec != nil {
			return x.rec
		}
		t.temp.Unpack(x.cold)
	}
	return &t.temp
}

// callHash is sip.call.id of a record; see identifyCall.
func (t *Tracker) callHash(x evictable, e *event.Event) event.Hash {
	t.idBuf = t.idBuf[:0]
	if _, ok := x.(*attempt); ok {
		return t.digest([][]byte{e.Bytes(e.CallID), e.Bytes(e.From.Tag)})
	}
	a, b := tags(e)
	return t.digest([][]byte{e.Bytes(e.CallID), a, b})
}

// printOf is the beginning of an id, never 0.
func printOf(h event.Hash) uint32 {
	return max(uint32(h[0])<<24|uint32(h[1])<<16|uint32(h[2])<<8|uint32(h[3]), 1)
}

// shownCall makes what is shown of a call whose record is e. x is its place, which
// remembers the id; it may be nil.
func (t *Tracker) shownCall(owner evictable, e *event.Event, x *slot) shown.Call {
	id := t.callHash(owner, e)
	if x != nil {
		x.print = printOf(id)
	}
	s := shown.Call{
		ID:             fmt.Sprintf("%x", id[:]),
		CallID:         shown.Text(e.Bytes(e.CallID)),
		State:          stateOf(owner),
		From:           shown.Text(e.Bytes(e.From.URI.All)),
		To:             shown.Text(e.Bytes(e.To.URI.All)),
		Source:         addrOf(e.Src),
		Destination:    addrOf(e.Dst),
		Transport:      e.Transport.String(),
		UserAgent:      shown.Text(e.Bytes(e.UserAgent)),
		Code:           int(e.Code),
		Forked:         e.Forked,
		Held:           e.Held,
		Transferred:    e.Transfer.Done,
		Emergency:      e.Emergency,
		Retransmission: int(e.RetransRequest) + int(e.RetransResponse),
	}
	anomalies := e.Anomalies
	switch o := owner.(type) {
	case *attempt:
		s.Started, s.Seen = timeOf(o.first), timeOf(max(o.first, o.round, o.last, o.decided, o.cancelled))
		if o.state == failed {
			s.Ended = timeOf(o.decided)
		}
	case *dialog:
		s.Started, s.Answered, s.Seen, s.Ended = timeOf(e.Start), timeOf(o.answered), timeOf(o.seen), timeOf(o.bye)
		s.Held = s.Held || o.held
		s.Retransmission += int(o.retrans)
		if anomalies |= o.anomalies; o.bye != 0 {
			s.HangupBy = o.hungUp().String()
		}
	}
	s.Incomplete, s.Anomalies = incompleteOf(e.Incomplete), anomaliesOf(anomalies)
	return s
}

// A CallSearch looks for the call with an id.
type CallSearch struct {
	id       event.Hash
	from     uint64
	computed int
	found    Named
}

// SearchCall begins to look for the call with this id.
func SearchCall(id event.Hash) *CallSearch { return &CallSearch{id: id, from: 1<<64 - 1} }

// Slice goes on and reports whether it has to be called again; others may use the
// tracker in between. Ids that were not asked for so far are made, those of so many
// calls as a page looks at: who asks again finds the next.
func (s *CallSearch) Slice(t *Tracker) (more bool) {
	want := printOf(s.id)
	passed, made := 0, 0
	t.lists.calls.before(s.from, func(number uint64, x *slot) bool {
		if passed >= 16*sliceCost || made >= sliceCost {
			more = true
			return false
		}
		s.from = number
		passed++
		if x.print != 0 && x.print != want || x.print == 0 && s.computed >= maxLooked {
			return true
		}
		e := t.recordOf(x.link.owner)
		id := t.callHash(x.link.owner, e)
		if x.print == 0 {
			x.print = printOf(id)
			s.computed++
			made++
		}
		if id == s.id {
			s.found = Named{string(e.Bytes(e.CallID)), setOf(x.link.owner).cid}
			return false
		}
		return true
	})
	return more
}

// Found is what was found; false where nothing was.
func (s *CallSearch) Found() (Named, bool) { return s.found, s.found.set != 0 }
