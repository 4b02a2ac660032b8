package track

import (
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// What answers mean to their request: all judgement about hops, strangers, early and
// repeated answers, and challenges is here. The machine is in request.go.

// requestAnswer follows an answer to a request of this machine: it belongs to the
// request with its tags, else to the one without To tag, else by top Via branch
// and CSeq (RFC 3261 §17.1.3).
func (t *Tracker) requestAnswer(v *view) {
	var r *request
	if v.set != nil {
		r = v.set.requests.get(v.key(v.tt))
		if r == nil && v.tt != 0 {
			r = v.set.requests.get(v.key(0))
			r.takeTag(v)
		}
		if r == nil {
			r = t.requestByBranch(v)
		}
	}
	if r == nil {
		if v.final() && t.unusable(v) {
			return
		}
		r = t.newRequest(t.setOf(v), v, v.tt)
		t.armRequest(r)
	}
	t.answerTo(r, v)
}

// takeTag gives r, of which only answers without To tag were seen, that of the final v:
// a BYE is in a dialog, though its 100 may not say in which.
func (r *request) takeTag(v *view) {
	if r == nil || r.state != unasked || r.rec == nil || r.method != sip.MethodBye || r.rec.Code/100 == 2 || r.rec.To.Tag.Len() > 0 || !v.final() {
		return
	}
	r.set.requests.drop(r)
	r.key, r.tt = v.key(v.tt), v.tt
	r.rec.SetKey(&r.rec.To.Tag, v.m.To().Tag())
	r.set.requests.put(r)
}

func (t *Tracker) requestByBranch(v *view) *request {
	if v.branch == 0 {
		return nil
	}
	for _, r := range v.set.requests.latest() {
		if r.cseq != v.cseq || r.method != v.method {
			continue
		}
		for i := range r.hops {
			if r.hops[i].branch == v.branch {
				return r
			}
		}
	}
	return nil
}

// answerTo takes in an answer to r.
func (t *Tracker) answerTo(r *request, v *view) {
	if !r.asked && r.state == unasked && r.rec.CallID.Len() == 0 {
		t.fillUnasked(r.rec, v)
	}
	i, stranger, mismatch := r.hops.answer(v)
	if !r.asked {
		t.heldTryPassed(v)
	}
	if v.tt != 0 && (!r.asked || r.tt != 0) {
		switch d := r.set.dialogs.get(dialogKey(v.ft, v.tt)); {
		case d == nil:
		case r.asked:
			t.hear(d, v)
		default:
			t.alive(d, v)
		}
	}
	if mismatch && r.state != completed {
		r.rec.Anomalies |= event.ViaMismatch
	}
	if v.code > 100 && !stranger && !v.challenge() && r.creds.n > 0 && r.state != completed {
		t.accept(&r.creds, v.cid, v.time)
		t.decide(take1(&r.holds), false, 0)
	}
	switch {
	case r.state == completed:
		t.afterwards(r, v, i)
	case v.code < 200:
		t.stepRequest(r, sawTrying)
	case i < 0:
		t.stepRequest(r, sawAside)
	case stranger:
		r.hops[i].strange, r.hops[i].finalAt = v.code, v.time
		r.rec.Anomalies |= event.Unsolicited
		if v.code < 300 && r.rec.Code == 0 {
			t.fillOutcome(r, v)
			if r.method == sip.MethodRegister {
				t.keepContacts(r, v)
			}
			r.rec.Code = 0 // not yet
		}
		t.stepRequest(r, sawAside)
	case v.code < 300:
		r.hops[i].code, r.hops[i].finalAt = v.code, v.time
		t.ok(r, v)
	default:
		t.refusal(r, v, i)
	}
}

// afterwards counts what comes when all is decided.
func (t *Tracker) afterwards(r *request, v *view, i int) {
	t.stepRequest(r, sawAside)
	if i < 0 || v.code < 200 {
		return
	}
	if r.hops[i].code == v.code {
		t.stats.Retransmissions++
	} else {
		r.hops[i].code = v.code
	}
	if v.challenge() {
		t.early.read(t, v)
		t.give(&t.early, v.cid, t.requestClient(r, v))
	}
}

// ok takes in the 2xx that decides.
func (t *Tracker) ok(r *request, v *view) {
	if !r.asked && r.decided != 0 && r.rec.Code >= 200 && r.rec.Code < 300 { // the same on the next hop
		t.stats.Absorbed++
		return
	}
	t.fillOutcome(r, v)
	r.decided = v.time
	if r.method == sip.MethodRegister {
		t.keepContacts(r, v)
	}
	if r.method == sip.MethodInvite || r.method == sip.MethodUpdate {
		if d := r.set.dialogs.get(dialogKey(v.ft, v.tt)); d != nil {
			t.sessionTimer(d, v)
			if r.asked && r.rec.Offered.Port == 0 { // it is the offer
				d.held = d.held || t.describesHold(v)
			}
		}
	}
	if r.asked { // else the request may still come
		t.settleOK(r)
	}
}

// fillOutcome adds what a final answer says; the tags of a request inside a dialog
// stay its own, whatever the answer has.
func (t *Tracker) fillOutcome(r *request, v *view) {
	tag := r.rec.To.Tag
	t.fillAnswer(r.rec, v)
	if r.tt != 0 {
		r.rec.To.Tag = tag
	}
	if v.code < 300 {
		t.fillGranted(r, v)
	}
	if !r.rec.InDialog {
		v.within = r.tt != 0
		t.correlate(r.rec, v)
	}
}

// settleOK decides with the 2xx in rec.
func (t *Tracker) settleOK(r *request) {
	switch r.method {
	case sip.MethodRegister:
		t.bound(r)
		t.stepRequest(r, sawAbsorbed)
	case sip.MethodBye:
		t.byeAnswered(r, false)
		t.stepRequest(r, sawAbsorbed)
	case sip.MethodInvite, sip.MethodUpdate:
		if r.method == sip.MethodInvite {
			t.stepRequest(r, sawAbsorbed)
			return
		}
		t.stepRequest(r, sawOK)
	default:
		t.stepRequest(r, sawOK)
	}
}

// refusal takes in a final >= 300 on hop i.
func (t *Tracker) refusal(r *request, v *view, i int) {
	h := &r.hops[i]
	if h.code == v.code {
		r.rec.RetransResponse++
		t.stats.Retransmissions++
		return
	}
	h.code, h.finalAt = v.code, v.time
	deciding := r.hops.ofRequester(i)
	if deciding && (!r.told || v.vias < r.toldVias || rank(v.code) < rank(r.rec.Code)) || !r.told && r.rec.Code == 0 {
		t.fillOutcome(r, v)
		r.told, r.toldVias = r.told || deciding, v.vias
		r.decided = v.time
	}
	if v.challenge() && deciding {
		r.early.read(t, v)
	}
	if !r.asked || !deciding || r.hops.refused() < 0 {
		t.stepRequest(r, sawAside)
		return
	}
	t.settleRefusal(r, v)
}

// settleRefusal decides with the final in rec, that the first requester got.
func (t *Tracker) settleRefusal(r *request, v *view) {
	code := r.rec.Code
	switch {
	case r.method == sip.MethodBye:
		t.byeAnswered(r, false)
	case r.rec.Held:
		t.notHeld(r)
	}
	switch {
	case code == 401 || code == 407:
		t.challengeRequest(r, v)
	case t.countsAsAuthFailed(&r.creds, r.method, code):
		t.stepRequest(r, sawMistaken)
	case r.quiet():
		t.stepRequest(r, sawAbsorbed)
	default:
		t.unsureOf(r, 0)
		t.stepRequest(r, sawRefused)
	}
}

// challengeRequest judges the challenge in r.early.
func (t *Tracker) challengeRequest(r *request, v *view) {
	cid := r.set.cid
	verdict := t.judge(&r.creds, &r.early, cid, r.first)
	t.give(&r.early, cid, t.requestClient(r, v))
	if r.creds.n > 0 {
		t.decide(take1(&r.holds), verdict == wrongPassword || verdict == heldForRetry, 0)
	}
	switch verdict {
	case wrongPassword:
		t.stepRequest(r, sawMistaken)
	case heldForRetry:
		h := t.hold(&r.creds, &r.early, cid, r.rec)
		t.finishAuthFailed(&h.ev, r.first, r.decided)
		if next := r.nextTry(); next != nil { // it overtook the challenge
			next.holds = t.follow(h, next.holds, &next.creds)
		}
		t.unsureOf(r, event.NoResponse)
		t.stepRequest(r, sawAsked)
	default:
		t.stats.Challenges++
		t.unsureOf(r, event.NoResponse)
		t.stepRequest(r, sawAsked)
	}
}

// nextTry finds the request that follows up the challenge of r, where that one was
// seen first.
func (r *request) nextTry() *request {
	for _, next := range r.set.requests.latest() {
		if next == r || next.state == completed || next.method != r.method {
			continue
		}
		if r.early.gave(&next.creds) {
			return next
		}
	}
	return nil
}

// requestClient is the AOR under which the client is given nonces: To's for a
// REGISTER, From's otherwise.
func (t *Tracker) requestClient(r *request, v *view) uint64 {
	if r.creds.n > 0 {
		return r.creds.aor
	}
	party := v.m.From()
	if r.method == sip.MethodRegister {
		party = v.m.To()
	}
	return t.hash(t.aorOf(party.URI()))
}

// replayRequest lets the answers that came before the request decide.
func (t *Tracker) replayRequest(r *request, v *view) {
	for i := range r.hops {
		if c := r.hops[i].code; c >= 200 && c < 300 {
			t.accept(&r.creds, v.cid, v.time)
			t.decide(take1(&r.holds), false, 0)
			t.settleOK(r)
			return
		}
	}
	if r.hops.refused() >= 0 {
		t.settleRefusal(r, v)
	}
}
