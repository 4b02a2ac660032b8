package track

import (
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// How a dialog ends: BYEs, their answers, and the timers.

// stepDialog moves the dialog and says what the table says. It reports whether
// the dialog is still there.
func (t *Tracker) stepDialog(d *dialog, y symbol) bool {
	c := t.step(&dialogMachine, d.state, y)
	switch c.emit {
	case event.CallStart:
		t.sayStart(d)
		if a := d.set.attempts.get(d.caller); a != nil && a.cseq <= d.cseq && a.state != answered {
			t.stepAttempt(a, saw2xx)
		}
	case event.CallEnd:
		t.sayEnd(d, y)
	case event.CallAlive:
		t.sayAlive(d)
	}
	old := d.state
	d.state = c.next
	if old == doubted && c.next != doubted {
		d.settled()
	}
	if c.next == forgotten {
		t.freeDialog(d)
		return false
	}
	if old != c.next {
		t.armDialog(d)
	}
	return true
}

// armDialog sets the timer of the present state and its worth.
func (t *Tracker) armDialog(d *dialog) {
	switch d.state {
	case awaited:
		t.arm(&d.timer, d.answered, t.cfg.Early)
	case confirmed, assumed:
		t.wheel.set(&d.timer, max(t.due(d)+d.late, t.now))
	case ending, endingOld:
		t.arm(&d.timer, d.bye, t.cfg.Bye)
	case leavingCall:
		t.arm(&d.timer, d.bye, t.cfg.RetryLinger)
	case doubted: // the attempt has the timer
		t.wheel.clear(&d.timer)
	case stray:
		t.arm(&d.timer, d.bye, t.cfg.Bye)
	case ended:
		t.lists.calls.drop(&d.spot)
		t.dropRecord(d)
		t.isUp(d, false)
		t.retire(&d.timer, &d.link)
		return
	}
	t.rankDialog(d)
}

// deadline is when an established call is over without a BYE: call_timeout after
// the last sign of life, or the session timer, whichever is first. It is a time of the
// call's packets, which the clock reaches d.late later.
func (t *Tracker) deadline(d *dialog) int64 {
	at := d.seen + int64(t.cfg.Established)
	if d.expires > 0 && d.state == confirmed {
		span := time.Duration(d.expires) * time.Second
		at = min(at, t.prolong(d.seen, d.refreshed+int64(span), span))
	}
	return at
}

func (d *dialog) expire(t *Tracker) {
	switch d.state {
	case awaited:
		if d.overheard {
			t.stepDialog(d, sawRefusal)
			return
		}
		t.stepDialog(d, sawWaited)
	case confirmed, assumed:
		t.expireCall(d)
	case ending, endingOld:
		if d.foreign && d.byeAnswer == 0 {
			t.dropBye(d)
			t.stepDialog(d, sawByeForeign)
			return
		}
		t.stepDialog(d, sawByeSilent)
	case leavingCall:
		t.endLeaving(d)
	case stray:
		if d.elsewhere {
			t.stepDialog(d, sawByeForeign)
			return
		}
		t.stepDialog(d, sawByeSilent)
	}
}

func (d *dialog) flush(t *Tracker, all bool) {
	switch d.state {
	case ended:
		return
	case confirmed, assumed:
		if all && d.state == confirmed {
			t.wheel.clear(&d.timer)
			t.stepDialog(d, sawExpired)
		}
		return
	}
	t.wheel.clear(&d.timer)
	d.expire(t)
}

func (d *dialog) evict(t *Tracker) {
	switch d.state {
	case ended, doubted:
	case confirmed:
		t.stepDialog(d, sawExpired)
	case assumed:
		if !t.stepDialog(d, sawExpired) {
			return
		}
	default:
		s, key := d.set, d.key
		d.expire(t)
		if s.dialogs.get(key) != d {
			return
		}
		if d.state == confirmed { // it starts and is over, for us
			t.stepDialog(d, sawExpired)
		}
	}
	if d.set != nil && d.set.dialogs.get(d.key) == d {
		t.freeDialog(d)
	}
}

// byeAsked follows the first copy of a BYE.
func (t *Tracker) byeAsked(v *view) {
	s := t.setOf(v)
	d := t.heardDialog(s, dialogKey(v.ft, v.tt))
	if d == nil && v.tt == 0 {
		if d = t.looseDialog(s, v.ft); d != nil {
			d.anomalies |= event.NoToTag
		}
	}
	if d == nil {
		d = t.byeOfAttempt(s, v.ft, v.tt, v.m.From().Tag(), v.m.To().Tag(), v.time)
	}
	if d == nil {
		d = t.newStray(s, v)
	}
	if d.state == ended {
		return
	}
	foreign := !t.isLeg(d, v.p.Src.Addr())
	if d.bye == 0 || d.foreign && !foreign && !d.accepted {
		d.bye, d.byeCSeq, d.foreign = v.time, v.cseq, foreign
		d.byes = [2]bool{}
		if v.m.Has(sip.HeaderReason) {
			t.fillReason(t.record(d))
		}
	}
	if side := d.side(v.ft); !foreign || d.foreign {
		d.byes[side] = true
		d.byeOpen[side], d.byeSeqs[side] = v.time, v.cseq
	}
	if !foreign {
		d.anomalies |= t.checkCSeq(d, v)
		t.alive(d, v)
	}
	if !d.timer.isSet() && d.state != doubted { // it was made for this BYE
		t.armDialog(d)
	}
	t.stepDialog(d, sawByeAsked)
}

// heardDialog finds the dialog that a BYE or its answer speaks of; a stranger's 2xx that
// nothing called for makes none.
func (t *Tracker) heardDialog(s *callSet, key uint64) *dialog {
	d := s.dialogs.get(key)
	if d != nil && d.state == awaited && d.overheard {
		t.stepDialog(d, sawRefusal)
		return nil
	}
	return d
}

// byeOfAttempt makes the dialog that a BYE of an attempt speaks of: its INVITE is
// open, or the 2xx of this branch was missed. from and to are the tags. It returns
// nil where no attempt has one of them.
func (t *Tracker) byeOfAttempt(s *callSet, ft, tt uint64, from, to []byte, at int64) *dialog {
	callee := to
	a := s.attempts.get(ft)
	if a == nil || !a.asked {
		a, callee = s.attempts.get(tt), from
	}
	if a == nil || !a.asked {
		return nil
	}
	state := leavingCall
	if a.state == answered || a.state == failed {
		state = stray
	}
	d := t.newDialog(s, state, dialogKey(ft, tt), at)
	e := t.record(d)
	e.CopyFrom(&a.rec)
	e.Incomplete |= event.NoResponse
	e.SetKey(&e.To.Tag, callee)
	d.caller, d.cseq, d.elsewhere = a.key, a.cseq, state == stray
	if state == leavingCall {
		t.unseenFinal(a.ackTag != 0) // else the caller may have given up
		t.stepAttempt(a, sawBye)
	}
	return d
}

// newStray makes the dialog of a BYE that nothing else is known of.
func (t *Tracker) newStray(s *callSet, v *view) *dialog {
	elsewhere := len(s.dialogs.items)+len(s.attempts.items) > 0
	d := t.newDialog(s, stray, dialogKey(v.ft, v.tt), v.time)
	if d.elsewhere = elsewhere; !elsewhere {
		t.stats.Unknown[StrayedBye]++
	}
	e := t.record(d)
	t.fillRequest(e, v)
	e.Incomplete |= event.NoInvite
	e.RequestURI = event.URI{}
	return d
}

// side is 0 for the caller, 1 for the callee.
func (d *dialog) side(tag uint64) int {
	if tag == d.caller {
		return 0
	}
	return 1
}

// byeAnswered passes the outcome of a BYE to its dialog. late is true when only
// the answer was seen.
func (t *Tracker) byeAnswered(r *request, lost bool) {
	key := dialogKey(r.ft, r.tt)
	d := t.heardDialog(r.set, key)
	code := r.rec.Code
	if d == nil && r.tt == 0 {
		d = t.looseDialog(r.set, r.ft)
	}
	if d == nil && lost {
		d = t.byeOfAnswer(r)
	}
	if d == nil {
		return
	}
	if d.state == ended {
		return
	}
	if d.state == awaited || d.state == doubted && code != 481 && code != 401 && code != 407 { // a BYE of the dialog ends the wait, and so does its answer
		t.stepDialog(d, sawWaited)
	}
	if lost {
		d.byeLost = d.bye == 0
		d.byes[d.side(r.ft)] = true
	}
	if d.bye == 0 {
		d.bye, d.byeCSeq = r.decided, r.cseq
	}
	if !d.timer.isSet() && d.state != doubted {
		t.armDialog(d)
	}
	if d.state == leavingCall && d.accepted && code >= 300 {
		return // a BYE was accepted before: to this one there is no call any more
	}
	d.accepted = d.accepted || code < 300
	if code != 401 && code != 407 {
		d.byeAnswer = r.decided
		e := t.record(d)
		e.Code = code
		e.Set(&e.Status, r.rec.Bytes(r.rec.Status))
	}
	attempt := d.set.attempts.get(d.caller)
	leaving := d.state == leavingCall
	gone := false
	switch {
	case code < 300:
		gone = !t.stepDialog(d, sawByeOK)
	case (code == 401 || code == 407) && d.otherBye(r):
	case code == 401 || code == 407:
		t.dropBye(d)
		gone = !t.stepDialog(d, sawByeDenied)
	case d.state == stray && d.elsewhere:
		gone = !t.stepDialog(d, sawByeForeign)
	case code == 481:
		gone = !t.stepDialog(d, sawByeUnknown)
	default:
		gone = !t.stepDialog(d, sawByeFailed)
	}
	if gone && leaving && attempt != nil {
		t.stepAttempt(attempt, sawStayed)
	}
}

// byeOfAnswer makes the dialog of a BYE of which only the answer was seen, where
// that answer says that there was one; nil otherwise.
func (t *Tracker) byeOfAnswer(r *request) *dialog {
	code := r.rec.Code
	if code == 481 || code == 401 || code == 407 || t.badAnswer(r) {
		return nil
	}
	for _, tag := range [...]uint64{r.ft, r.tt} { // the INVITE was open then, and refused since
		if a := r.set.attempts.get(tag); a != nil && a.state == failed && a.told && r.decided <= a.decided {
			return nil
		}
	}
	if d := t.byeOfAttempt(r.set, r.ft, r.tt, r.rec.Bytes(r.rec.From.Tag), r.rec.Bytes(r.rec.To.Tag), r.decided); d != nil {
		return d
	}
	if code >= 300 && len(r.set.dialogs.items)+len(r.set.attempts.items) > 0 {
		return nil
	}
	d := t.newDialog(r.set, stray, dialogKey(r.ft, r.tt), r.first)
	e := t.record(d)
	e.CopyFrom(r.rec)
	e.Incomplete = event.NoInvite
	return d
}

// dropBye forgets a BYE that ended nothing.
func (t *Tracker) dropBye(d *dialog) {
	d.bye, d.byeAnswer, d.foreign, d.accepted, d.byes, d.byeOpen = 0, 0, false, false, [2]bool{}, [2]int64{}
}

// otherBye takes the BYE of the other side, which crossed the challenged r, as the
// one that ends the dialog; false where there is none.
func (d *dialog) otherBye(r *request) bool {
	side := d.side(r.ft)
	other := 1 - side
	if d.foreign || d.byeOpen[other] == 0 || d.caller == 0 {
		return false
	}
	d.bye, d.byeCSeq = d.byeOpen[other], d.byeSeqs[other]
	d.byes[side], d.byeOpen[side] = false, 0
	return true
}

// endLeaving decides on a BYE whose INVITE had no final answer.
func (t *Tracker) endLeaving(d *dialog) {
	a := d.set.attempts.get(d.caller)
	y, next := sawLingered, sawLeft
	if d.foreign && d.byeAnswer == 0 {
		y, next = sawByeForeign, sawStayed
	}
	t.stepDialog(d, y)
	if a != nil && a.state == leaving {
		t.stepAttempt(a, next)
	}
}

// refusedDialogs drops what a refusal of the INVITE speaks for: its BYE, and the
// 2xx of a stranger.
func (t *Tracker) refusedDialogs(a *attempt) {
	t.dropDoubts(a)
	for _, d := range a.set.dialogs.latest() {
		if d.state == leavingCall && d.caller == a.key {
			t.stepDialog(d, sawRefusal)
			return
		}
	}
}

// dropDoubts forgets the 2xx of strangers when one that was asked answered, or
// when their attempt goes, whose timer is theirs.
func (t *Tracker) dropDoubts(a *attempt) {
	for len(a.doubts) > 0 {
		t.stepDialog(a.doubts[0], sawRefusal)
	}
}

// sendCall appends a copy of d's record, with what came since it was packed.
func (t *Tracker) sendCall(typ event.Type, d *dialog) *event.Event {
	e := t.send(typ, t.look(d))
	for i, n := range d.requests { // beside those of the early dialog
		e.Requests[i] += min(n, 1<<16-1-e.Requests[i])
	}
	e.RetransResponse += d.retrans
	e.Anomalies |= d.anomalies
	e.Held = e.Held || d.held
	if d.session > 0 {
		e.SessionExpires = d.session
	}
	return e
}

// sayStart makes the call-start.
func (t *Tracker) sayStart(d *dialog) {
	e := t.sendCall(event.CallStart, d)
	e.Time, e.End, e.Outcome = d.answered, d.answered, event.Success
	t.proveRequest(e.Incomplete&event.NoInvite == 0)
	t.identifyCall(e)
	a, b := tags(e)
	inOrder(e)
	t.identify(e, e.Bytes(e.CallID), a, b)
}

// sayEnd makes the call-end.
func (t *Tracker) sayEnd(d *dialog, why symbol) {
	e := t.sendCall(event.CallEnd, d)
	e.Time = d.bye
	if why == sawExpired {
		e.Time = t.deadline(d)
		if t.ending || t.evicting {
			e.Time = t.now
		}
		e.Side, e.Code, e.Status = event.ByTimeout, 0, event.Text{}
		if d.bye != 0 {
			e.Time = d.bye
		}
	} else {
		e.Side = d.hungUp()
		e.SetString(&e.Method, "BYE")
		e.SetString(&e.CSeqMethod, "BYE")
		e.CSeq = d.byeCSeq
		if d.byeAnswer != 0 {
			e.Disconnect = since(d.bye, d.byeAnswer)
		} else {
			e.Code, e.Status, e.Timer = 0, event.Text{}, 'F'
			e.Incomplete |= t.byeSilence(d, e)
		}
	}
	e.End = e.Time
	e.Start = d.answered
	e.Outcome = event.Success
	switch {
	case d.answered == 0:
		e.Outcome = event.Unknown
		if d.first < e.Time && (d.state == assumed || d.state == endingOld) {
			e.DurationMin = since(d.first, e.Time)
		}
	case why == sawExpired:
		e.Outcome = event.Unknown
		if t.ending || t.evicting {
			e.Start, e.End = 0, 0
			e.Side = event.SideUnknown
			e.DurationMin = since(d.answered, e.Time)
		}
	}
	if (why == sawExpired || why == sawByeSilent) && t.unheard(max(d.seen, d.bye)) {
		e.Incomplete |= event.NoHistory
	}
	if d.byeLost {
		e.Incomplete |= event.NoBye
	}
	if d.answered != 0 && !d.acked {
		e.Incomplete |= event.NoAck
		if d.callerHeard() {
			e.Anomalies |= event.AckMissing
		}
	}
	t.fillQuality(e, d)
	t.identifyCall(e)
	a, b := tags(e)
	inOrder(e)
	t.identify(e, e.Bytes(e.CallID), a, b)
}

// callerHeard reports whether something of the caller was seen inside the call, where
// his ACK would have come too: past a proxy that does not record its route goes neither
// (RFC 3261 §16.6), and of a path on which one direction is seen only that.
func (d *dialog) callerHeard() bool {
	return !d.byeLost && (d.byes[0] || d.byes[1] && d.byeAnswer != 0) || d.cseqs[0] > d.cseq
}

// hungUp tells who sent the BYE, by the tags.
func (d *dialog) hungUp() event.Side {
	switch {
	case d.caller == 0, d.alike():
		return event.SideUnknown
	case d.byes[0] && d.byes[1]:
		return event.Both
	case d.byes[0]:
		return event.Caller
	}
	return event.Callee
}
