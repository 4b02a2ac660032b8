package track

import (
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// inDialog tells the dialog of its request, and makes the dialog known where its
// beginning was not seen.
func (t *Tracker) inDialog(r *request, v *view) {
	if v.method == sip.MethodBye {
		t.byeAsked(v)
		return
	}
	d := v.set.dialogs.get(dialogKey(v.ft, v.tt))
	if d == nil && v.tt == 0 {
		return
	}
	if d == nil {
		if a := t.openAttempt(v); a != nil {
			r.rec.InDialog = true
			countRequest(&a.rec.Requests, v.method)
			sameLeg(r.rec, &a.rec)
			if v.method == sip.MethodInvite && a.ackTag == 0 { // who sends a re-INVITE saw the 2xx that we missed
				a.confirmedBy(v)
			}
			return
		}
		if d = t.assumedBy(v); d == nil {
			return
		}
	}
	r.rec.InDialog = true
	t.correlateWith(r.rec, d)
	label := t.checkCSeq(d, v)
	t.alive(d, v)
	r.rec.Anomalies |= label
	d.anomalies |= label
	countRequest(&d.requests, v.method)
	t.transfer(d, r, v)
	if v.method == sip.MethodInvite || v.method == sip.MethodUpdate {
		r.rec.Held = !d.held && t.describesHold(v)
		d.held = d.held || r.rec.Held
	}
}

// assumedBy makes the dialog that a request with both tags shows to be up; nil for one
// that shows nothing, or that is of a subscription.
func (t *Tracker) assumedBy(v *view) *dialog {
	switch v.method {
	case sip.MethodInvite, sip.MethodUpdate, sip.MethodInfo, sip.MethodRefer:
		if !v.set.inSubscription(v.ft, v.tt) {
			t.stats.Unknown[StrayedRequest]++
			return t.assume(v)
		}
	}
	return nil
}

// countRequest counts a request inside a call.
func countRequest(counts *[event.NumCounted]uint16, m sip.Method) {
	if n := counted(m); counts[n] < 1<<16-1 {
		counts[n]++
	}
}

// openAttempt finds the attempt whose early dialog a request is in.
func (t *Tracker) openAttempt(v *view) *attempt {
	if a := v.set.attempts.get(v.ft); a != nil {
		return a
	}
	return v.set.attempts.get(v.tt)
}

// confirmedBy notes a request that only an answered call can have.
func (a *attempt) confirmedBy(v *view) {
	if tag := v.m.To().Tag(); v.ft == a.key {
		a.ackTag = v.tt
		a.rec.SetKey(&a.rec.To.Tag, tag)
	} else {
		a.ackTag = v.ft
		a.rec.SetKey(&a.rec.To.Tag, v.m.From().Tag())
	}
}

func counted(m sip.Method) event.Counted {
	switch m {
	case sip.MethodInvite:
		return event.CountReInvite
	case sip.MethodUpdate:
		return event.CountUpdate
	case sip.MethodInfo:
		return event.CountInfo
	case sip.MethodPrack:
		return event.CountPrack
	case sip.MethodRefer:
		return event.CountRefer
	case sip.MethodNotify:
		return event.CountNotify
	case sip.MethodSubscribe:
		return event.CountSubscribe
	case sip.MethodMessage:
		return event.CountMessage
	case sip.MethodOptions:
		return event.CountOptions
	}
	return event.CountOther
}
