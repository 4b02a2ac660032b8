package track

import (
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// What SUBSCRIBE, REFER, NOTIFY and their answers mean to a subscription: all judgement
// about tags, events, CSeq and refusals is here. The machine is in subscribe.go.

// eventOf is the hash of an event package and its id, which are compared byte by byte
// (RFC 6665 §8.2.1). The id of what a REFER implies is its CSeq number (RFC 3515
// §2.4.6).
func (t *Tracker) eventOf(e *event.Event) uint64 {
	pkg, id := e.Bytes(e.Subscription.Package), e.Bytes(e.Subscription.ID)
	if string(pkg) == referPackage {
		if n, ok := sip.Seconds(id); ok {
			return referOf(n)
		}
	}
	return mix(t.hash(pkg), t.hash(id))
}

const referPackage = "refer"

func referOf(cseq uint32) uint64 { return mix(uint64(cseq), uint64(sip.MethodRefer)) }

// subscribing tells the subscription of its request r, which v has.
func (t *Tracker) subscribing(r *request, v *view) {
	switch v.method {
	case sip.MethodSubscribe:
		t.subscribe(r, t.eventOf(r.rec), 0, v.time)
	case sip.MethodRefer:
		t.subscribe(r, referOf(v.cseq), v.cseq, v.time)
	case sip.MethodNotify:
		switch s := t.notified(r); {
		case s != nil && s.expects(r):
			t.notify(r, s, v.time)
		case s == nil && v.tt == 0:
			r.rec.Anomalies |= event.NoSubscription // RFC 6665 §4.4.1: a NOTIFY is in a dialog
		}
	}
}

// subscribe follows the request that asks for a subscription, or for its refresh.
func (t *Tracker) subscribe(r *request, ev uint64, refer uint32, at int64) {
	var s *subscription
	if r.set.subs != nil {
		s = r.set.subs.get(subKey(r.ft, r.tt, ev))
	}
	if s == nil {
		s = t.newSubscription(r.set, r.ft, r.tt, ev)
	}
	s.asked, s.refer, s.forks = at, refer, r.tt == 0
	t.stepSubscription(s, sawSubscribe)
}

// expects reports whether a NOTIFY is one of the subscription: of one that is over
// only what is late.
func (s *subscription) expects(r *request) bool {
	return s.state != subTerminated || r.cseq <= s.cseq
}

// notified finds the subscription that r, a NOTIFY, is of. One of a REFER may leave
// the id out (RFC 3515 §2.4.6), and is of the last REFER then.
func (t *Tracker) notified(r *request) *subscription {
	if r.set.subs == nil {
		return nil
	}
	ev, e := t.eventOf(r.rec), &r.rec.Subscription
	if e.ID.Len() == 0 && string(r.rec.Bytes(e.Package)) == referPackage {
		last := uint32(0)
		for _, s := range r.set.subs.latest() {
			if s.refer > last && s.subscriber == max(r.tt, noTag) && (s.notifier == 0 || s.notifier == r.ft) {
				last, ev = s.refer, s.event
			}
		}
	}
	return t.subscriptionOf(r.set, r.tt, r.ft, ev, r.first)
}

// notify moves s as r, a NOTIFY, says.
func (t *Tracker) notify(r *request, s *subscription, at int64) {
	if r.cseq < s.cseq {
		t.stepSubscription(s, sawNotifyLate)
		return
	}
	s.cseq = r.cseq
	switch { // RFC 6665 §4.1.3: what NOTIFY says of the time is what counts
	case r.rec.HasExpires:
		s.lasts(at, r.rec.Expires)
	case s.told == 0:
		s.lasts(at, usualLifetime)
	}
	y := sawNotifyActive
	switch r.rec.Subscription.State {
	case event.SubPending:
		y = sawNotifyPending
	case event.SubTerminated:
		y = sawNotifyOver
	}
	t.stepSubscription(s, y)
}

// subscriptionDecided passes the outcome of r to its subscription, and adds to e, the
// event that tells of it, what is known of the subscription.
func (t *Tracker) subscriptionDecided(r *request, e *event.Event) {
	var s *subscription
	switch r.method {
	case sip.MethodSubscribe, sip.MethodRefer:
		s = t.subscribeDecided(r, e.Type)
	case sip.MethodNotify:
		if r.asked {
			s = t.notifyDecided(r, e)
		}
	default:
		return
	}
	if s != nil {
		e.Subscription.Notifies = s.notifies
		if r.method != sip.MethodNotify {
			e.Subscription.State = s.stateTold()
		}
	}
	if e.Subscription.Package.Len() > 0 && e.From.Tag.Len() > 0 && e.To.Tag.Len() > 0 {
		t.identifyCall(e)
	}
}

// stateTold is the state that a SUBSCRIBE's event tells: what the last NOTIFY said,
// and nothing where there was no subscription before it was refused.
func (s *subscription) stateTold() event.SubState {
	switch {
	case s.state == subPending:
		return event.SubPending
	case s.state == subActive:
		return event.SubActive
	case s.state == subTerminated && s.cseq > 0:
		return event.SubTerminated
	}
	return event.NoSubState
}

// subscribeDecided takes in what decided a SUBSCRIBE or REFER.
func (t *Tracker) subscribeDecided(r *request, outcome event.Type) *subscription {
	ev := t.eventOf(r.rec)
	if r.method == sip.MethodRefer {
		ev = referOf(r.cseq)
	} else if r.rec.Subscription.Package.Len() == 0 { // only the answer was seen, which does not tell
		return nil
	}
	if outcome != event.OtherOK {
		return t.subscribeFailed(r, ev, outcome)
	}
	notifier := r.tt
	if tag := r.rec.Bytes(r.rec.To.Tag); notifier == 0 && len(tag) > 0 {
		notifier = t.hash(tag)
	}
	s := t.subscriptionOf(r.set, r.ft, notifier, ev, r.decided)
	switch {
	case s != nil:
	case r.method == sip.MethodRefer && !r.asked && !t.evicting:
		s = t.newSubscription(r.set, r.ft, notifier, ev)
		s.asked, s.refer = r.decided, r.cseq
	default:
		return nil
	}
	if r.method == sip.MethodRefer && r.rec.Subscription.Package.Len() == 0 { // RFC 4488 §4: none
		t.stepSubscription(s, sawSubRefused)
		return nil
	}
	switch {
	case r.method == sip.MethodSubscribe && r.rec.HasExpires:
		s.lasts(r.decided, r.rec.Expires)
	case s.told == 0 || r.method == sip.MethodSubscribe:
		s.lasts(r.decided, usualLifetime)
	}
	s.accepted = true
	t.stepSubscription(s, sawSubGranted)
	return s
}

// subscribeFailed takes in that a SUBSCRIBE or REFER was refused, or not answered,
// which says nothing where answers are not seen.
func (t *Tracker) subscribeFailed(r *request, ev uint64, outcome event.Type) *subscription {
	if r.set.subs == nil {
		return nil
	}
	s := r.set.subs.get(subKey(r.ft, r.tt, ev))
	switch {
	case s == nil || outcome != event.OtherFailed:
	case s.state == notifyWait || endsSubscription(r.rec.Code):
		t.stepSubscription(s, sawSubRefused)
	default:
		t.stepSubscription(s, sawSubKept)
	}
	return s
}

// endsSubscription reports whether a refresh that is refused with code ends the
// subscription (RFC 6665 §4.1.2.2).
func endsSubscription(code uint16) bool {
	switch code {
	case 404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604:
		return true
	}
	return false
}

// notifyDecided takes in what decided a NOTIFY, which its receiver may know of though
// we do not: the subscription is older than what we saw of it.
func (t *Tracker) notifyDecided(r *request, e *event.Event) *subscription {
	s := t.notified(r)
	known := s != nil && s.expects(r)
	code := r.rec.Code
	unknown := e.Type == event.OtherFailed && (code == 481 || code == 489) // RFC 6665 §4.1.3
	switch {
	case known && unknown:
		t.stepSubscription(s, sawNotifyUnknown)
	case known:
		if e.Type == event.OtherOK && !s.accepted {
			s.accepted = true
			t.stepSubscription(s, sawNotifyLate) // worth more now
		}
	case unknown:
		e.Anomalies |= event.NoSubscription
		return nil
	case e.Type != event.OtherOK || r.tt == 0 || t.evicting || r.rec.Subscription.State == event.SubTerminated:
		return nil
	default:
		if s == nil {
			s = t.newSubscription(r.set, r.tt, r.ft, t.eventOf(r.rec))
		}
		s.accepted = true
		t.notify(r, s, r.first)
	}
	if s.notifies < 1<<32-1 {
		s.notifies++
	}
	return s
}
