package track

import (
	"net/netip"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// What the messages of an INVITE mean to its attempt: all judgement about
// retransmissions, hops, CSeq, credentials and strangers is here.

// invite follows an INVITE that forms a dialog.
func (t *Tracker) invite(v *view) {
	s := t.setOf(v)
	if d := s.dialogs.get(dialogKey(v.ft, 0)); d != nil && d.answered != 0 && d.state != ended && v.cseq > d.cseq {
		t.request(v) // RFC 2543: the callee has no tag, so a re-INVITE has none either
		return
	}
	a := s.attempts.get(v.ft)
	if a == nil {
		a = t.sameCaller(s, v)
	}
	if a == nil {
		a = t.newAttempt(s, v.ft)
	}
	switch {
	case !a.asked && a.cseq > v.cseq: // a late copy of an earlier round
		t.lateRound(a, v)
	case a.beginsRound(v):
		t.startRound(a, v)
	default:
		t.repeatInvite(a, v)
	}
}

// beginsRound reports whether an INVITE begins a transaction of its own.
func (a *attempt) beginsRound(v *view) bool {
	switch {
	case !a.asking && a.cseq <= v.cseq:
		return true
	case v.cseq != a.cseq:
		return v.cseq > a.cseq
	}
	// Credentials under the same CSeq after a challenge: against RFC 3261 §22.2, and common.
	return v.creds.n > 0 && v.creds.hash != a.creds.hash &&
		(a.state == challenged || a.state == denied || a.state == failed && a.wasChallenged())
}

func (a *attempt) wasChallenged() bool { return a.rec.Code == 401 || a.rec.Code == 407 }

// sameCaller finds the attempt that an INVITE with another From tag goes on with:
// loose clients change the tag on the retry with credentials (events.md, rule 17).
func (t *Tracker) sameCaller(s *callSet, v *view) *attempt {
	if v.creds.n == 0 {
		return nil
	}
	for _, a := range s.attempts.latest() {
		if (a.state == challenged || a.state == denied || a.state == failed && a.wasChallenged()) && a.cseq+1 == v.cseq {
			s.attempts.drop(a)
			a.key = v.ft
			s.attempts.put(a)
			a.rec.Anomalies |= event.FromTagChanged
			return a
		}
	}
	return nil
}

// startRound makes v the attempt's present INVITE.
func (t *Tracker) startRound(a *attempt, v *view) {
	early := a.state == heard && a.cseq == v.cseq && !a.hops.empty()
	retry := a.state == failed && v.creds.n > 0 && a.wasChallenged()
	over := a.state == answered || a.state == failed && !retry
	same := a.asking && v.cseq == a.cseq && v.creds.n > 0
	t.dropDoubts(a) // they answered another INVITE
	if a.cseq < v.cseq {
		t.keepRound(a)
	}
	if over || !a.asked {
		a.first, a.said, a.dialogs = v.time, false, 0
	}
	if early {
		tag := a.rec.To.Tag
		t.fillRequest(&a.rec, v)
		a.rec.To.Tag = tag
		if a.ringing != 0 {
			a.rec.PDD, a.rec.PDDSource = since(a.first, a.ringing), a.ringCode
		}
	} else {
		t.temp.CopyFrom(&a.rec)
		a.rec.Reset()
		t.fillRequest(&a.rec, v)
		if !over && a.first != v.time && t.temp.RequestURI.All.Len() > 0 {
			a.keepFirst(&t.temp)
		}
		a.hops, a.told, a.ringing, a.last = a.hops[:0], false, 0, 0
	}
	if !v.m.Has(sip.HeaderContact) {
		a.rec.Anomalies |= event.NoContact
	}
	if same {
		a.rec.Anomalies |= event.CSeqSame
	}
	a.hops.request(v)
	a.know(v.cseq)
	a.cseq, a.creds, a.round, a.again, a.missed, a.overheard = v.cseq, v.creds, v.time, 0, 0, false
	a.asked, a.asking, a.cancelled, a.ackTag = true, true, 0, 0
	a.holds = t.tried(&v.creds, v.cid, a.holds)
	t.stats.New++
	t.stepAttempt(a, sawInvite)
	t.armAttempt(a)
	if t.answeredAlready(a, v) {
		return
	}
	if early {
		t.replayEarly(a, v)
	}
}

// lateRound takes in the INVITE of an earlier round, of which the answers to a later one
// were seen first: it says who calls whom.
func (t *Tracker) lateRound(a *attempt, v *view) {
	t.stats.Hops++
	if a.state != heard {
		return
	}
	tag := a.rec.To.Tag
	t.fillRequest(&a.rec, v)
	a.rec.To.Tag = tag
	a.asked, a.first = true, v.time
}

// keepFirst keeps what a record has of the attempt's first INVITE, whoever it was
// sent to later: from where to where it went, whom it asked for.
func (a *attempt) keepFirst(first *event.Event) {
	a.rec.Anomalies |= first.Anomalies & (event.FromTagChanged | event.CSeqSame)
	a.rec.Src, a.rec.Dst = first.Src, first.Dst
	legs := first.Legs
	for b, ok := first.Next(&legs); ok; b, ok = first.Next(&legs) {
		if leg, ok := netip.AddrFromSlice(b); ok {
			a.rec.AddAddr(&a.rec.Legs, leg)
		}
	}
	u := first.RequestURI
	a.rec.SetURI(&a.rec.RequestURI, first.Bytes(u.All), first.Bytes(u.Scheme), first.Bytes(u.User), first.Bytes(u.Host), u.Port)
}

// answeredAlready looks for a dialog of this INVITE: its 2xx was there first, or
// the INVITE is a late copy of one long answered.
func (t *Tracker) answeredAlready(a *attempt, v *view) bool {
	found := false
	for _, d := range a.set.dialogs.latest() {
		if d.caller != a.key || d.cseq != v.cseq || t.unanswered(d, v.time) {
			continue
		}
		found = true
		if d.state == awaited {
			t.completeDialog(d, a)
		}
	}
	if found {
		a.state = answered
		t.accept(&a.creds, v.cid, v.time)
		t.decide(take1(&a.holds), false, 0)
		t.armAttempt(a)
	}
	return found
}

// replayEarly lets the answers that came before the INVITE decide.
func (t *Tracker) replayEarly(a *attempt, v *view) {
	if a.last != 0 {
		t.stepAttempt(a, saw1xx)
	}
	if a.ringing != 0 {
		t.accept(&a.creds, v.cid, v.time)
		t.decide(take1(&a.holds), false, 0)
	}
	if i := a.hops.refused(); i >= 0 {
		t.refuse(a, a.hops[i].finalAt)
	}
}

// repeatInvite takes in an INVITE of a round that is known: a retransmission,
// another hop, or a late copy of an earlier round.
func (t *Tracker) repeatInvite(a *attempt, v *view) {
	t.stepAttempt(a, sawRepeat)
	a.addLegs(v)
	if v.cseq < a.cseq {
		t.stats.Hops++
		t.lateInvite(a, v)
		return
	}
	before := -1
	if len(a.hops) > 0 {
		before = a.hops.requester()
	}
	i, again := a.hops.request(v)
	if again {
		a.rec.RetransRequest++
		t.stats.Retransmissions++
		t.stats.RequestsAgain++
		if a.hops.ofRequester(i) {
			a.again = max(a.again, v.time)
		}
		return
	}
	t.stats.Hops++
	a.notAcked(v)
	t.correlate(&a.rec, v)
	if i >= 0 && before >= 0 && a.hops.requester() == i && i != before && a.state != answered && a.state != failed {
		t.moveRequester(a, v)
	}
}

// moveRequester takes who called whom from a hop nearer to the caller, seen later.
func (t *Tracker) moveRequester(a *attempt, v *view) {
	a.rec.Src, a.rec.Dst = v.p.Src, v.p.Dst
	setURI(&a.rec, &a.rec.RequestURI, v.m.RequestURI())
}

func (a *attempt) addLegs(v *view) {
	a.rec.AddLeg(v.p.Src.Addr())
	a.rec.AddLeg(v.p.Dst.Addr())
}

// inviteAnswer follows an answer to an INVITE.
func (t *Tracker) inviteAnswer(v *view) {
	var a *attempt
	if v.set != nil {
		if r := v.set.requests.get(v.key(v.tt)); r != nil { // to a re-INVITE
			t.answerTo(r, v)
			return
		}
		if t.ofDialog(v) {
			return
		}
	}
	if v.set != nil {
		if a = v.set.attempts.get(v.ft); a == nil {
			if a = t.byBranch(v); a != nil {
				v.ft = a.key // the dialog has the tag of its INVITE
			}
		}
	}
	if a == nil {
		if v.final() && t.unusable(v) {
			return
		}
		if v.final() && v.code < 300 {
			t.newDialog2xx(t.setOf(v), nil, v)
			return
		}
		a = t.newAttempt(t.setOf(v), v.ft)
		a.cseq = v.cseq
		t.armAttempt(a)
	}
	switch {
	case v.cseq < a.cseq:
		t.lateAnswer(a, v)
	case v.cseq > a.cseq && a.expectsNone() && !a.rec.HasAddr(a.rec.Legs, v.p.Src.Addr()):
		a.rec.Anomalies |= event.Unsolicited // nobody that was asked; nothing called for another INVITE
		t.stepAttempt(a, sawNoted)
		if v.final() && v.code < 300 {
			t.newOverheard(a, v)
		}
	case v.cseq > a.cseq, v.code >= 300 && a.state == failed && !a.asked && !a.said && a.rec.Code == 0:
		t.heldTryPassed(v)
		t.missedRound(a, v)
		t.answerInvite(a, v)
	default:
		t.answerInvite(a, v)
	}
}

// ofDialog takes in an answer with the tags of a known dialog: a 2xx again, or
// the answer to a re-INVITE that was not seen. A final >= 300 to the INVITE of a
// caller who was answered is a branch that lost.
func (t *Tracker) ofDialog(v *view) bool {
	d := v.set.dialogs.get(dialogKey(v.ft, v.tt))
	a := v.set.attempts.get(v.ft)
	if d != nil && d.state == awaited && d.overheard && a != nil && a.rec.HasAddr(a.rec.Legs, v.p.Src.Addr()) {
		return t.heardDialog(v.set, d.key) != nil // one that was asked says so too
	}
	if d != nil && (t.unanswered(d, v.time) || d.state == assumed && a != nil && a.cseq == v.cseq) {
		if d.state == assumed && d.byAck && v.code >= 300 { // the ACK was to this refusal
			t.freeDialog(d)
		}
		return false
	}
	if d != nil && v.code >= 200 {
		t.alive(d, v)
		if v.cseq == d.cseq && v.code < 300 {
			d.retrans++
			t.stats.Retransmissions++
		} else {
			t.sessionTimer(d, v)
		}
		if a != nil && v.cseq == a.cseq {
			a.hops.answer(v)
			a.addLegs(v)
		}
		return true
	}
	if v.code < 300 || a != nil {
		return false
	}
	for _, d := range v.set.dialogs.latest() {
		if d.caller == v.ft && d.cseq == v.cseq {
			return true
		}
	}
	return false
}

// byBranch finds the attempt of an answer whose From tag is not the INVITE's
// (RFC 3261 §17.1.3).
func (t *Tracker) byBranch(v *view) *attempt {
	if v.branch == 0 {
		return nil
	}
	for _, a := range v.set.attempts.latest() {
		if a.cseq != v.cseq {
			continue
		}
		for i := range a.hops {
			if a.hops[i].branch == v.branch {
				return a
			}
		}
	}
	return nil
}

// lateAnswer takes in the answer to an earlier round: a 2xx still starts a call,
// a challenge still gives its nonce.
func (t *Tracker) lateAnswer(a *attempt, v *view) {
	t.stats.Absorbed++
	switch {
	case v.final() && v.code < 300:
		t.answered(a, v)
	case v.challenge():
		t.early.read(t, v)
		t.lateChallenge(a, v)
		t.give(&t.early, v.cid, a.creds.aor)
	}
}

// expectsNone reports whether the present INVITE is open and was seen: nothing has
// called for another one.
func (a *attempt) expectsNone() bool {
	return a.asking && (a.state == calling || a.state == proceeding || a.state == cancelling)
}

// missedRound makes room for a round whose INVITE was not seen, or comes later.
func (t *Tracker) missedRound(a *attempt, v *view) {
	t.dropDoubts(a)
	t.keepRound(a)
	if a.state == answered || a.state == failed && !a.wasChallenged() {
		a.asked, a.said, a.first, a.dialogs = false, false, 0, 0
		a.rec.Reset()
	}
	a.cseq, a.round, a.again, a.missed, a.asking, a.told = v.cseq, v.time, 0, 0, false, false
	a.overheard = false
	a.hops, a.creds.n, a.ringing, a.last, a.cancelled, a.ackTag = a.hops[:0], 0, 0, 0, 0, 0
	a.rec.Code, a.rec.Status, a.rec.CSeq = 0, event.Text{}, v.cseq
	a.state = heard
	t.armAttempt(a)
}

// answerInvite takes in an answer to the present round.
func (t *Tracker) answerInvite(a *attempt, v *view) {
	if !a.asked && a.rec.CallID.Len() == 0 {
		t.fillUnasked(&a.rec, v)
	}
	a.addLegs(v)
	i, stranger, mismatch := a.hops.answer(v)
	if mismatch {
		a.rec.Anomalies |= event.ViaMismatch
	}
	if v.code > 100 && !stranger && !v.challenge() && a.creds.n > 0 {
		t.accept(&a.creds, v.cid, v.time)
		t.decide(take1(&a.holds), false, 0)
	}
	switch {
	case v.code < 200:
		t.provisional(a, v, i)
	case v.code < 300 && !stranger:
		if i >= 0 {
			a.hops[i].code, a.hops[i].finalAt = v.code, v.time
		}
		t.answered(a, v)
	default:
		t.refused(a, v, i, stranger)
	}
}

// provisional takes in a 1xx: any keeps Timer C from running out; one of 180 to
// 183 ends the post-dial delay, with or without To tag.
func (t *Tracker) provisional(a *attempt, v *view, i int) {
	if i >= 0 {
		if a.hops[i].prov == v.code {
			a.rec.RetransResponse++
			t.stats.Retransmissions++
		}
		a.hops[i].prov = v.code
	}
	a.last = max(a.last, v.time)
	if v.code >= 180 && v.code <= 183 && a.ringing == 0 {
		a.ringing, a.ringCode = v.time, v.code
		if a.asked {
			a.rec.PDD, a.rec.PDDSource = since(a.first, v.time), v.code
		}
	}
	if v.code > 100 && len(sip.SDPBody(v.m.Value(sip.HeaderContentType), v.m.Body())) > 0 {
		a.rec.EarlyMedia = true // RFC 3960 §2
	}
	t.stepAttempt(a, saw1xx)
}

// refused takes in a final >= 300, or any final from a stranger.
func (t *Tracker) refused(a *attempt, v *view, i int, stranger bool) {
	if i < 0 {
		t.stepAttempt(a, sawNoted)
		return
	}
	if !stranger {
		a.notAcked(v)
	}
	h := &a.hops[i]
	if stranger {
		h.strange, h.finalAt = v.code, v.time
		a.rec.Anomalies |= event.Unsolicited
		if v.code < 300 && a.asking {
			t.doubt(a, v)
		}
		t.stepAttempt(a, sawNoted)
		return
	}
	if h.code == v.code {
		a.rec.RetransResponse++
		t.stats.Retransmissions++
		return
	}
	h.code, h.finalAt = v.code, v.time
	deciding := a.hops.ofRequester(i)
	if (deciding && (!a.told || v.vias < a.toldVias || rank(v.code) < rank(a.rec.Code))) || !a.told && a.rec.Code == 0 {
		t.fillAnswer(&a.rec, v)
		t.correlate(&a.rec, v)
		a.told, a.toldVias = a.told || deciding, v.vias
		a.decided = v.time
	}
	if v.challenge() && deciding {
		a.early.read(t, v)
	}
	switch {
	case !a.asking && (a.state == heard || v.vias > 1), // the INVITE may still come; or who got this is not known
		a.missed > a.cseq && !v.challenge(): // the caller has gone on
		t.stepAttempt(a, sawNoted)
		return
	}
	if !deciding || a.hops.refused() < 0 {
		t.stepAttempt(a, sawNoted)
		return
	}
	t.refuse(a, v.time)
}

// refuse decides with the final in rec, that the first requester got.
func (t *Tracker) refuse(a *attempt, at int64) {
	code := a.rec.Code
	a.decided = at
	switch {
	case a.state == answered || a.state == failed:
		t.stepAttempt(a, sawFinal)
	case code == 401 || code == 407:
		t.challenge(a)
	case t.countsAsAuthFailed(&a.creds, sip.MethodInvite, code):
		t.stepAttempt(a, sawWrong)
	case clientsRetry(code), a.leftBehind():
		t.stepAttempt(a, sawRetryable)
	default:
		t.stepAttempt(a, sawFinal)
	}
}

// leftBehind reports whether a 487 came that nobody was seen to ask for, with a 3xx from
// a stranger or a 2xx to a later INVITE: a caller who follows the 3xx leaves this INVITE
// behind, and the next may come.
func (a *attempt) leftBehind() bool {
	return a.rec.Code == 487 && a.cancelled == 0 && (a.overheard || a.hops.redirected())
}

// challenge judges the challenge in a.early.
func (t *Tracker) challenge(a *attempt) {
	cid := a.set.cid
	verdict := t.judge(&a.creds, &a.early, cid, a.round)
	t.give(&a.early, cid, t.clientOf(a))
	if a.creds.n > 0 {
		t.decide(take1(&a.holds), verdict == wrongPassword || verdict == heldForRetry, 0)
	}
	switch verdict {
	case wrongPassword:
		t.stepAttempt(a, sawWrong)
	case heldForRetry:
		h := t.hold(&a.creds, &a.early, cid, &a.rec)
		t.finishAuthFailed(&h.ev, a.round, a.decided)
		h.attempt, a.hold = a, h
		t.stepAttempt(a, sawChallenge)
	default:
		t.stepAttempt(a, sawChallenge)
	}
}

// clientOf is the AOR under which a caller is given nonces.
func (t *Tracker) clientOf(a *attempt) uint64 {
	if a.creds.n > 0 {
		return a.creds.aor
	}
	return t.hash(t.aorOf(t.view.m.From().URI()))
}

// clientsRetry lists the codes after which clients usually try again with the
// same Call-ID (events.md, rule 3; RFC 3261 §8.1.3.4, §8.1.3.5, §21).
func clientsRetry(code uint16) bool {
	switch code {
	case 413, 415, 416, 420, 421, 422, 423, 428, 429, 433, 436, 437, 438, 439, 440, 484, 491, 494:
		return true
	}
	return code >= 300 && code < 400
}

// cancel follows a CANCEL: it counts when it comes from the first requester.
func (t *Tracker) cancel(v *view) {
	t.stats.Absorbed++
	t.stats.Satellites++
	if v.set == nil {
		return
	}
	a := v.set.attempts.get(v.ft)
	if a == nil || a.cseq != v.cseq || a.state == cancelling {
		return
	}
	for i := range a.hops {
		h := &a.hops[i]
		if h.branch == v.branch && (v.branch != 0 || h.vias == v.vias) || h.src.Addr() == v.p.Src.Addr() && h.vias == v.vias {
			if a.hops.ofRequester(i) && h.src.Addr() == v.p.Src.Addr() {
				if a.state == calling || a.state == proceeding {
					t.fillReason(&a.rec)
				}
				a.cancelled = v.time
				t.stepAttempt(a, sawCancel)
				return
			}
		}
	}
}
