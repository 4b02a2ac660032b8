package track

import (
	"slices"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// The dialog machine: a call from its 2xx to its end (RFC 3261 §12, §13, §15).
//
// We may have missed the beginning: a re-INVITE or an ACK shows a call that is up,
// a BYE one that was. What we rebuild is labelled. A dialog ends once, whoever
// hangs up and however often; a BYE that the other side refuses as unknown, or
// that a stranger sends into silence, ends nothing.
const (
	awaited     state = iota // a 2xx whose INVITE was not seen yet (events.md, rule 12)
	confirmed                // answered (RFC 3261 §12.1 Confirmed)
	assumed                  // up when we first saw it
	ending                   // confirmed, and a BYE is open
	endingOld                // assumed, and a BYE is open
	leavingCall              // a BYE while the INVITE has no final answer
	stray                    // a BYE of a dialog that nothing else is known of
	ended                    // call-end was said
	forgotten                // over without an event
	doubted                  // a 2xx from an address that was not asked: counts when the INVITE's timers run out
)

const (
	sawItsInvite  symbol = iota // the INVITE of an early 2xx
	sawWaited                   // no INVITE came within the wait
	sawIts2xx                   // the 2xx came after the BYE, or after its ACK
	sawBare2xx                  // the same, and its INVITE was not seen yet
	sawByeAsked                 // a BYE
	sawByeOK                    // answered 2xx
	sawByeUnknown               // answered 481 (RFC 3261 §15.1.2)
	sawByeFailed                // answered with another final
	sawByeDenied                // answered with a challenge
	sawByeSilent                // not answered in time
	sawByeForeign               // not answered, and from an address that is no leg
	sawLingered                 // retry_linger after a BYE with the INVITE open
	sawRefusal                  // that INVITE was refused
	sawExpired                  // session timer (RFC 4028 §10) or call_timeout
	sawGone                     // assumed, and long silent
	sawTurn                     // call_alive_interval passed once more
)

var dialogMachine = machine{
	id:     dialogID,
	name:   "dialog",
	states: []string{"awaited", "confirmed", "assumed", "ending", "ending-old", "leaving", "stray", "ended", "forgotten", "doubted"},
	symbols: []string{"INVITE", "waited", "2xx", "2xx alone", "BYE", "BYE 2xx", "BYE 481", "BYE refused", "BYE challenged", "BYE unanswered",
		"BYE foreign", "lingered", "INVITE refused", "expired", "silent", "still up"},
	cells: dialogTable,
}

var dialogTable = table{
	awaited: {
		sawItsInvite: {confirmed, event.CallStart, seen},
		sawWaited:    {confirmed, event.CallStart, guess},
		sawByeAsked:  {ending, event.CallStart, guess}, // a BYE of the dialog ends the wait
		sawRefusal:   {forgotten, event.None, seen},    // a stranger's, and no INVITE called for it
	},
	confirmed: {
		sawByeAsked:   {ending, event.None, seen},    // §15.1.1
		sawByeOK:      {ended, event.CallEnd, guess}, // the BYE was missed
		sawByeUnknown: {ended, event.CallEnd, guess},
		sawByeFailed:  {ended, event.CallEnd, guess},
		sawByeDenied:  {confirmed, event.None, ignore},
		sawExpired:    {ended, event.CallEnd, seen}, // RFC 4028 §10
		sawTurn:       {confirmed, event.CallAlive, seen},
	},
	assumed: {
		sawIts2xx:     {confirmed, event.CallStart, seen}, // its ACK was first
		sawBare2xx:    {awaited, event.None, guess},
		sawByeAsked:   {endingOld, event.None, seen},
		sawByeOK:      {ended, event.CallEnd, guess},
		sawByeUnknown: {ended, event.CallEnd, guess},
		sawByeFailed:  {ended, event.CallEnd, guess},
		sawByeDenied:  {assumed, event.None, ignore},
		sawGone:       {forgotten, event.None, seen},
		sawExpired:    {forgotten, event.None, seen},
		sawTurn:       {assumed, event.CallAlive, guess},
	},
	ending: {
		sawByeAsked:   {ending, event.None, ignore},  // a crossing BYE, or the next with credentials
		sawByeOK:      {ended, event.CallEnd, seen},  // §15.1.1
		sawByeUnknown: {ended, event.CallEnd, seen},  // §15.1.1: 481 ends it too
		sawByeFailed:  {ended, event.CallEnd, seen},  // §15.1.1: the session is over at the BYE
		sawByeDenied:  {confirmed, event.None, seen}, // §22.2: the call stays up until it is accepted
		sawByeSilent:  {ended, event.CallEnd, seen},  // §15.1.1, §17.1.2.2 Timer F
		sawByeForeign: {confirmed, event.None, seen}, // ends nothing
		sawExpired:    {ended, event.CallEnd, seen},
	},
	endingOld: {
		sawByeAsked:   {endingOld, event.None, ignore},
		sawByeOK:      {ended, event.CallEnd, guess},
		sawByeUnknown: {ended, event.CallEnd, guess},
		sawByeFailed:  {ended, event.CallEnd, guess},
		sawByeDenied:  {assumed, event.None, seen},
		sawByeSilent:  {ended, event.CallEnd, guess},
		sawByeForeign: {assumed, event.None, seen},
		sawExpired:    {ended, event.CallEnd, guess},
	},
	leavingCall: {
		sawIts2xx:     {ending, event.CallStart, seen}, // the 2xx was late
		sawBare2xx:    {ending, event.CallStart, guess},
		sawByeAsked:   {leavingCall, event.None, ignore},
		sawByeOK:      {leavingCall, event.None, seen}, // the INVITE decides
		sawByeUnknown: {forgotten, event.None, seen},   // §15.1.2
		sawByeFailed:  {leavingCall, event.None, seen},
		sawByeDenied:  {forgotten, event.None, seen},
		sawByeForeign: {forgotten, event.None, seen},
		sawLingered:   {ended, event.CallEnd, guess}, // the 2xx was missed
		sawRefusal:    {forgotten, event.None, seen}, // call-attempt says it
	},
	stray: {
		sawIts2xx:     {ending, event.CallStart, guess}, // reordered
		sawBare2xx:    {ending, event.CallStart, guess},
		sawByeAsked:   {stray, event.None, ignore},
		sawByeOK:      {ended, event.CallEnd, guess}, // only its end was seen
		sawByeUnknown: {forgotten, event.None, seen}, // §15.1.2: wrong tags
		sawByeFailed:  {ended, event.CallEnd, guess},
		sawByeDenied:  {forgotten, event.None, seen},
		sawByeSilent:  {ended, event.CallEnd, guess},
		sawByeForeign: {forgotten, event.None, seen}, // a known Call-ID, other tags, no 2xx
	},
	ended: {
		sawItsInvite:  {ended, event.None, ignore},
		sawIts2xx:     {ended, event.None, ignore},
		sawBare2xx:    {ended, event.None, ignore},
		sawByeAsked:   {ended, event.None, ignore},
		sawByeOK:      {ended, event.None, ignore},
		sawByeUnknown: {ended, event.None, ignore},
		sawByeFailed:  {ended, event.None, ignore},
		sawByeDenied:  {ended, event.None, ignore},
	},
	doubted: {
		sawWaited:     {confirmed, event.CallStart, guess}, // nothing else came
		sawIts2xx:     {confirmed, event.CallStart, seen},  // the one that was asked says so too
		sawBare2xx:    {doubted, event.None, ignore},
		sawByeAsked:   {ending, event.CallStart, guess},
		sawByeDenied:  {doubted, event.None, ignore},
		sawByeUnknown: {forgotten, event.None, seen},
		sawRefusal:    {forgotten, event.None, seen}, // the one that was asked refused
	},
	forgotten: {
		sawByeAsked:   {forgotten, event.None, ignore},
		sawByeOK:      {forgotten, event.None, ignore},
		sawByeUnknown: {forgotten, event.None, ignore},
		sawByeFailed:  {forgotten, event.None, ignore},
		sawByeDenied:  {forgotten, event.None, ignore},
	},
}

// dialog is one answered call.
type dialog struct {
	timer timer
	link  link
	spot  spot
	set   *callSet
	key   uint64
	state state

	kept
	caller uint64 // hash of the tag of who called; 0 where that is not known
	cseq   uint32 // of the INVITE

	first     int64 // when it was first seen
	answered  int64 // its 2xx; 0 where that was not seen
	seen      int64 // last sign of life
	late      int64 // how far that was behind the clock
	refreshed int64 // when the session timer was last set
	bye       int64 // the BYE that ends it
	byeAnswer int64
	byeCSeq   uint32
	byes      [2]bool   // from the caller, from the callee
	byeOpen   [2]int64  // BYEs that are not challenged, from the caller, from the callee
	byeSeqs   [2]uint32 // their CSeq
	asker     *attempt  // of a doubted one: whose INVITE it answers
	overheard bool      // an awaited one, of a 2xx that nothing called for
	foreign   bool      // the BYE comes from an address that is no leg
	elsewhere bool      // more than this BYE is known of its Call-ID
	accepted  bool      // a BYE was answered 2xx
	byeLost   bool      // only the answer to the BYE was seen
	cseqs     [2]uint32 // highest CSeq of a request, by side
	acked     bool
	heard     sides
	up        bool     // counted in calls.up
	byAck     bool     // assumed from an ACK
	expires   uint32   // s, of the session timer; 0 is off
	turns     uint32   // of call_alive_interval that are over
	session   uint32   // s, what it was last set to; 0 never
	quality   *quality // what reports said; nil without any

	// What came since the record was packed.
	requests  [event.NumCounted]uint16
	retrans   uint32 // answers again
	anomalies event.Anomalies
	held      bool
	by        event.Correlation // of the record, when it was packed
}

func (d *dialog) keyOf() uint64 { return d.key }

// unanswered reports whether a 2xx to the INVITE of the dialog, seen at, is news:
// only a BYE was seen, or an ACK that overtook it.
func (t *Tracker) unanswered(d *dialog, at int64) bool {
	return d.state == leavingCall || d.state == stray || d.state == doubted ||
		d.state == assumed && d.byAck && since(d.first, at) <= int64(t.cfg.Early)
}

const dialogSize = 632 // bytes, with its share of the tables; keepCold counts the packed record

// newDialog makes an empty one in state s, first seen at.
func (t *Tracker) newDialog(set *callSet, s state, key uint64, at int64) *dialog {
	d := take(&t.pools.dialogs)
	*d = dialog{set: set, key: key, state: s, first: at, seen: at}
	d.timer.owner, d.link.owner = d, d
	set.dialogs.put(d)
	t.lists.calls.add(&d.link, &d.spot)
	t.admit(dialogSize)
	return d
}

func (t *Tracker) freeDialog(d *dialog) {
	t.wheel.clear(&d.timer)
	d.link.leave()
	t.lists.calls.drop(&d.spot)
	t.freeQuality(d)
	s := d.set
	s.dialogs.drop(d)
	d.settled()
	t.dropRecord(d)
	t.isUp(d, false)
	t.dismiss(dialogSize)
	give(&t.pools.dialogs, d)
	t.settle(s)
}

// answered starts a call at the 2xx to the attempt's INVITE; once per dialog.
func (t *Tracker) answered(a *attempt, v *view) {
	d := t.heardDialog(a.set, dialogKey(v.ft, v.tt))
	if d != nil && !t.unanswered(d, v.time) {
		t.alive(d, v)
		if a.state != answered {
			t.stepAttempt(a, saw2xx)
		}
		return
	}
	if !a.asking && v.cseq == a.cseq { // its INVITE may still come
		if d == nil {
			t.newDialog2xx(a.set, a, v)
			return
		}
	}
	if a.rec.PDD < 0 && a.asked {
		a.rec.PDD, a.rec.PDDSource = since(a.first, v.time), v.code
	}
	late := d != nil
	if !late {
		d = t.newDialog(a.set, confirmed, dialogKey(v.ft, v.tt), v.time)
	}
	t.fillDialog(d, a, v)
	t.stepAttempt(a, saw2xx)
	a.dialogs++
	if a.dialogs > 1 {
		t.markForked(a)
	}
	if late {
		t.stepDialog(d, sawIts2xx)
		if d.byeAnswer != 0 {
			t.stepDialog(d, sawByeOK)
		}
	} else {
		t.sayStart(d)
		t.armDialog(d)
	}
	t.dropDoubts(a)
}

// fillDialog makes the dialog's record of its attempt and the 2xx.
func (t *Tracker) fillDialog(d *dialog, a *attempt, v *view) {
	e := t.record(d)
	e.CopyFrom(&a.rec)
	e.Incomplete &^= event.NoResponse
	e.Anomalies &^= event.SyntheticFinal
	e.Synthetic = false
	d.acked = d.acked || a.ackTag != 0 && a.ackTag == v.tt
	if d.hear(v); a.asked {
		d.heard = bothSides
	}
	t.fillAnswer(e, v)
	t.correlate(e, v)
	e.Start, e.Setup = a.first, since(a.first, v.time)
	e.Delay = since(a.round, v.time)
	if a.ringing != 0 {
		e.Ring = since(a.ringing, v.time)
	}
	if !a.asked {
		e.Start, e.Setup, e.Delay = 0, -1, -1
		e.Incomplete |= event.NoInvite
	}
	if a.creds.n > 0 || a.asked {
		e.Branches = a.hops.branches()
	}
	for i := range a.hops {
		if c := a.hops[i].code; c >= 300 {
			e.AddCode(&e.Codes, c)
		}
	}
	t.finishStart(d, v, v.ft)
}

// finishStart sets what every start has.
func (t *Tracker) finishStart(d *dialog, v *view, caller uint64) {
	d.caller, d.cseq, d.answered, d.seen, d.late = caller, v.cseq, v.time, v.time, t.behind(v.time)
	d.cseqs[0] = max(d.cseqs[0], v.cseq)
	contacts := v.m.Values(sip.HeaderContact)
	if _, ok := contacts.Next(); !ok {
		t.record(d).Anomalies |= event.NoContact
	} else if _, more := contacts.Next(); more {
		t.record(d).Anomalies |= event.ManyContacts
	}
	t.sessionTimer(d, v)
}

// newDialog2xx keeps a 2xx whose INVITE was not seen yet. a may be nil.
func (t *Tracker) newDialog2xx(s *callSet, a *attempt, v *view) {
	d := s.dialogs.get(dialogKey(v.ft, v.tt))
	if d == nil {
		d = t.newDialog(s, awaited, dialogKey(v.ft, v.tt), v.time)
	} else if !t.unanswered(d, v.time) {
		return
	}
	late := d.state != awaited
	if a != nil && a.asked {
		t.fillDialog(d, a, v)
	} else {
		e := t.record(d)
		e.Reset()
		t.fillUnasked(e, v)
		if a != nil {
			e.SetKey(&e.From.Tag, a.rec.Bytes(a.rec.From.Tag))
		}
		t.fillAnswer(e, v)
		d.hear(v)
		t.correlate(e, v)
		t.finishStart(d, v, v.ft)
	}
	t.record(d).Incomplete |= event.NoInvite
	if late {
		t.stepDialog(d, sawBare2xx)
		if d.byeAnswer != 0 {
			t.stepDialog(d, sawByeOK)
		}
		return
	}
	t.armDialog(d)
}

// newOverheard keeps the 2xx of somebody who was not asked, to an INVITE that nothing
// called for: it counts if that INVITE comes within the wait, and is nothing else.
func (t *Tracker) newOverheard(a *attempt, v *view) {
	if len(a.set.dialogs.items) > maxDoubts || a.set.dialogs.get(dialogKey(v.ft, v.tt)) != nil {
		return
	}
	t.newDialog2xx(a.set, nil, v)
	a.overheard = true
	a.set.dialogs.get(dialogKey(v.ft, v.tt)).overheard = true
}

// completeDialog gives a 2xx that was early its INVITE.
func (t *Tracker) completeDialog(d *dialog, a *attempt) {
	d.heard = bothSides
	at, answer, e := d.answered, &t.temp, t.record(d)
	answer.CopyFrom(e)
	e.CopyFrom(&a.rec)
	e.Code = answer.Code
	e.Set(&e.Status, answer.Bytes(answer.Status))
	e.Set(&e.Server, answer.Bytes(answer.Server))
	e.SetKey(&e.To.Tag, answer.Bytes(answer.To.Tag))
	e.Set(&e.Answered.Addr, answer.Bytes(answer.Answered.Addr))
	e.Answered.Port = answer.Answered.Port
	if answer.CorrelatedBy < e.CorrelatedBy {
		sameLeg(e, answer)
	}
	e.Start, e.Setup, e.Delay = min(a.first, at), since(a.first, at), since(a.round, at)
	if e.PDD < 0 {
		e.PDD, e.PDDSource = since(a.first, at), answer.Code
	}
	if a.ringing != 0 {
		e.Ring = since(a.ringing, at)
	}
	a.dialogs++
	if a.dialogs > 1 {
		t.markForked(a)
	}
	t.stepDialog(d, sawItsInvite)
}

// doubt keeps the 2xx of a stranger: it starts a call only if nobody who was asked
// answers before the INVITE's timers run out.
func (t *Tracker) doubt(a *attempt, v *view) {
	key := dialogKey(v.ft, v.tt)
	if a.state == answered || len(a.doubts) == maxDoubts || a.set.dialogs.get(key) != nil {
		return
	}
	d := t.newDialog(a.set, doubted, key, v.time)
	d.asker, a.doubts = a, append(a.doubts, d)
	t.fillDialog(d, a, v)
	t.armDialog(d)
}

// maxDoubts is how many 2xx of strangers one INVITE may have: somebody who sends many
// is not asked.
const maxDoubts = 4

// settled takes d off the doubts of its attempt: it is decided, or gone.
func (d *dialog) settled() {
	if a := d.asker; a != nil {
		a.doubts = slices.DeleteFunc(a.doubts, func(x *dialog) bool { return x == d })
		d.asker = nil
	}
}

// markForked labels every dialog of an INVITE that was answered more than once.
func (t *Tracker) markForked(a *attempt) {
	for _, d := range a.set.dialogs.latest() {
		if d.caller == a.key && d.state != ended {
			e := t.record(d)
			e.Forked, e.Branches = true, a.hops.branches()
		}
	}
	a.rec.Forked = true
}

// assume takes a dialog as established that was up before we saw it: silently.
func (t *Tracker) assume(v *view) *dialog {
	if v.tt == 0 {
		return nil
	}
	d := t.newDialog(t.setOf(v), assumed, dialogKey(v.ft, v.tt), v.time)
	e := t.record(d)
	t.fillRequest(e, v)
	e.Incomplete |= event.NoInvite
	e.RequestURI = event.URI{}
	d.hear(v)
	if v.method == sip.MethodAck {
		d.caller, d.cseq, d.acked, d.byAck = v.ft, v.cseq, true, true
	}
	t.armDialog(d)
	return d
}

// assumeAnswered makes the dialog that an ACK of an unseen 2xx speaks of.
func (t *Tracker) assumeAnswered(a *attempt) {
	key := dialogKey(a.key, a.ackTag)
	if a.set.dialogs.get(key) != nil {
		return
	}
	d := t.newDialog(a.set, assumed, key, a.first)
	d.seen, d.caller, d.cseq, d.acked = t.now, a.key, a.cseq, true
	e := t.record(d)
	if d.heard = side(a.key, a.ackTag); a.rang() {
		d.heard = bothSides
	}
	e.CopyFrom(&a.rec)
	e.Incomplete |= event.NoResponse
	t.unseenFinal(true)
	t.armDialog(d)
}

// alive notes a sign of life.
func (t *Tracker) alive(d *dialog, v *view) {
	if d.state == ended {
		return
	}
	d.seen = max(d.seen, v.time)
	d.late = t.behind(d.seen)
	t.hear(d, v)
	t.addLeg(d, v.p.Src.Addr())
	t.addLeg(d, v.p.Dst.Addr())
}

// sessionTimer takes over what a 2xx to INVITE or UPDATE says (RFC 4028 §7.2):
// an interval counts from that 2xx, and none turns the timer off.
func (t *Tracker) sessionTimer(d *dialog, v *view) {
	if v.code < 200 || v.code > 299 {
		return
	}
	d.expires = 0
	if b := v.m.Value(sip.HeaderSessionExpires); b != nil {
		if n, ok := sip.Seconds(b); ok && n > 0 {
			d.expires, d.refreshed = n, v.time
			d.session = n
		}
	}
	if d.state == confirmed {
		t.armDialog(d)
	}
}
