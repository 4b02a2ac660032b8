package track

import (
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// The subscription machine: SUBSCRIBE, or the REFER that implies one (RFC 3515
// §2.4.4), until a NOTIFY or the time ends it (RFC 6665 §4.1.2).
//
// We see the requests of both sides on any of the legs they pass, and may have missed
// any of them, the beginning above all: subscriptions live for days. The NOTIFY may
// come before the 2xx to SUBSCRIBE, and after a fork from several notifiers, each of
// which is a subscription of its own (§4.1.4). Nothing is said of a subscription
// itself: the events of its requests carry what is known of it. What is not known of
// a NOTIFY its receiver tells: one that he accepts belongs to a subscription that we
// take from there; one that he refuses as unknown, or that is in no dialog, to none.
const (
	notifyWait    state = iota // asked for, and no NOTIFY yet (RFC 6665 §4.1.2 notify_wait)
	subPending                 // not yet authorized (pending)
	subActive                  // (active)
	subTerminated              // over; kept a while for what is late (terminated)
)

const (
	sawSubscribe     symbol = iota // SUBSCRIBE or REFER: the first, a refresh, or another try
	sawSubGranted                  // its 2xx
	sawSubRefused                  // a final that ends the subscription, or begins none
	sawSubKept                     // a final of a refresh after which it goes on
	sawNotifyPending               // NOTIFY, with that Subscription-State
	sawNotifyActive                // the same; without the header, or with a state that we do not know, too
	sawNotifyOver                  // the same, terminated
	sawNotifyLate                  // a NOTIFY older than the last one
	sawNotifyUnknown               // NOTIFY refused: its receiver knows of no subscription
	sawTimerN                      // no NOTIFY came
	sawSubLapsed                   // its time is over, and was not extended
)

var subscriptionMachine = machine{
	id:     subscriptionID,
	name:   "subscription",
	states: []string{"notify_wait", "pending", "active", "terminated"},
	symbols: []string{"SUBSCRIBE", "2xx", "refused", "refresh refused", "NOTIFY pending", "NOTIFY active", "NOTIFY terminated",
		"late NOTIFY", "NOTIFY unknown", "Timer N", "lapsed"},
	cells: subscriptionTable,
}

var subscriptionTable = table{
	notifyWait: {
		sawSubscribe:     {notifyWait, event.None, seen}, // RFC 3261 §22.2: with credentials
		sawSubGranted:    {notifyWait, event.None, seen}, // §4.1.2.1
		sawSubRefused:    {subTerminated, event.None, seen},
		sawSubKept:       {notifyWait, event.None, ignore}, // a challenge is no answer
		sawNotifyPending: {subPending, event.None, seen},   // §4.1.2.4: before the 2xx, too
		sawNotifyActive:  {subActive, event.None, seen},
		sawNotifyOver:    {subTerminated, event.None, seen}, // a fetch, §4.4.3; or refused
		sawNotifyLate:    {notifyWait, event.None, ignore},
		sawNotifyUnknown: {subTerminated, event.None, seen}, // §4.2.2
		sawTimerN:        {subTerminated, event.None, seen}, // §4.1.2.4
	},
	subPending: {
		sawSubscribe:     {subPending, event.None, ignore},
		sawSubGranted:    {subPending, event.None, seen},
		sawSubRefused:    {subTerminated, event.None, seen}, // §4.1.2.2
		sawSubKept:       {subPending, event.None, ignore},  // §4.1.2.2
		sawNotifyPending: {subPending, event.None, ignore},
		sawNotifyActive:  {subActive, event.None, seen},
		sawNotifyOver:    {subTerminated, event.None, seen}, // §4.1.3
		sawNotifyLate:    {subPending, event.None, ignore},
		sawNotifyUnknown: {subTerminated, event.None, seen}, // §4.2.2
		sawSubLapsed:     {subTerminated, event.None, seen}, // §4.2.1.4
	},
	subActive: {
		sawSubscribe:     {subActive, event.None, ignore},
		sawSubGranted:    {subActive, event.None, seen},
		sawSubRefused:    {subTerminated, event.None, seen},
		sawSubKept:       {subActive, event.None, ignore},
		sawNotifyPending: {subPending, event.None, seen},
		sawNotifyActive:  {subActive, event.None, ignore},
		sawNotifyOver:    {subTerminated, event.None, seen},
		sawNotifyLate:    {subActive, event.None, ignore},
		sawNotifyUnknown: {subTerminated, event.None, seen},
		sawSubLapsed:     {subTerminated, event.None, seen},
	},
	subTerminated: {
		sawSubscribe:     {notifyWait, event.None, seen}, // the dialog of a call goes on without it
		sawSubGranted:    {subTerminated, event.None, ignore},
		sawSubRefused:    {subTerminated, event.None, ignore},
		sawSubKept:       {subTerminated, event.None, ignore},
		sawNotifyPending: {subPending, event.None, guess}, // the refresh was missed
		sawNotifyActive:  {subActive, event.None, guess},
		sawNotifyOver:    {subTerminated, event.None, ignore},
		sawNotifyLate:    {subTerminated, event.None, ignore},
		sawNotifyUnknown: {subTerminated, event.None, ignore},
	},
}

// subscription is one of one notifier; it keeps no text.
type subscription struct {
	timer timer
	link  link
	set   *callSet
	key   uint64
	state state

	subscriber uint64 // hash of his tag
	notifier   uint64 // the same; 0 where neither 2xx nor NOTIFY told it
	event      uint64 // hash of package and id
	asked      int64  // when the SUBSCRIBE was first seen; 0 where it was not
	told       int64  // when the lifetime was last told
	lifetime   uint32 // s
	refer      uint32 // CSeq of the REFER that implies it; 0 is none
	cseq       uint32 // highest of a NOTIFY
	notifies   uint32 // with an outcome
	accepted   bool   // both ends have shown that they know of it
	forks      bool   // the SUBSCRIBE was outside a dialog, and may have several notifiers
}

func (s *subscription) keyOf() uint64 { return s.key }

const (
	subscriptionSize = 256 // bytes

	// usualLifetime, in seconds, is for a subscription of which nobody told it: each
	// package has a default of its own (RFC 6665 §5.4.4), an hour with most.
	usualLifetime = 3600
	// maxLifetime bounds how long one is remembered, whatever is granted: the registration
	// state of IMS lasts 600000 s (3GPP TS 24.229 §5.1.1.3).
	maxLifetime = 7 * 24 * 3600
)

// subKey is what tells the subscriptions of one Call-ID from each other (RFC 6665
// §4.4.1): the tags and the event.
func subKey(subscriber, notifier, event uint64) uint64 {
	return mix(mix(max(subscriber, noTag), notifier), event)
}

func (t *Tracker) newSubscription(set *callSet, subscriber, notifier, ev uint64) *subscription {
	s := take(&t.pools.subscriptions)
	*s = subscription{
		set: set, key: subKey(subscriber, notifier, ev), state: notifyWait,
		subscriber: max(subscriber, noTag), notifier: notifier, event: ev,
	}
	s.timer.owner, s.link.owner = s, s
	if set.subs == nil {
		set.subs = take(&t.pools.subBags)
	}
	set.subs.put(s)
	t.admit(subscriptionSize)
	return s
}

func (t *Tracker) freeSubscription(s *subscription) {
	t.wheel.clear(&s.timer)
	s.link.leave()
	set := s.set
	set.subs.drop(s)
	if len(set.subs.items) == 0 {
		give(&t.pools.subBags, set.subs)
		set.subs = nil
	}
	t.dismiss(subscriptionSize)
	s.set = nil
	give(&t.pools.subscriptions, s)
	t.settle(set)
}

// stepSubscription moves the subscription. at is the packet time of what moves it.
func (t *Tracker) stepSubscription(s *subscription, y symbol) {
	s.state = t.step(&subscriptionMachine, s.state, y).next
	w := worthRequest // anybody can send a SUBSCRIBE
	if s.accepted {
		w = worthSubscription
	}
	switch s.state {
	case notifyWait:
		t.arm(&s.timer, s.asked, t.cfg.Request)
	case subPending, subActive:
		t.arm(&s.timer, s.told, time.Duration(s.lifetime)*time.Second+t.cfg.Request)
	case subTerminated:
		t.retire(&s.timer, &s.link)
		return
	}
	t.rank(&s.link, w)
}

func (s *subscription) expire(t *Tracker) {
	if s.state == notifyWait {
		t.stepSubscription(s, sawTimerN)
		return
	}
	t.stepSubscription(s, sawSubLapsed)
}

// flush decides nothing: no event waits for a subscription.
func (s *subscription) flush(*Tracker, bool) {}

func (s *subscription) evict(t *Tracker) { t.freeSubscription(s) }

// lasts sets the lifetime anew.
func (s *subscription) lasts(at int64, seconds uint32) {
	s.told, s.lifetime = at, min(seconds, maxLifetime)
}

// subscriptionOf finds the subscription of these tags and event. One whose notifier
// is not known yet becomes that of the first who shows up; another notifier within
// Timer N is a branch of a fork, and has one of its own (RFC 6665 §4.1.4).
func (t *Tracker) subscriptionOf(set *callSet, subscriber, notifier, ev uint64, at int64) *subscription {
	if set.subs == nil {
		return nil
	}
	if s := set.subs.get(subKey(subscriber, notifier, ev)); s != nil {
		return s
	}
	if s := set.subs.get(subKey(subscriber, 0, ev)); s != nil {
		set.subs.drop(s)
		s.notifier, s.key = notifier, subKey(subscriber, notifier, ev)
		set.subs.put(s)
		return s
	}
	for _, o := range set.subs.latest() {
		if o.subscriber == max(subscriber, noTag) && o.event == ev && o.forks && since(o.asked, at) <= int64(t.cfg.Request) {
			s := t.newSubscription(set, subscriber, notifier, ev)
			s.asked, s.told, s.lifetime, s.refer, s.forks = o.asked, o.told, o.lifetime, o.refer, true
			t.stepSubscription(s, sawSubscribe)
			return s
		}
	}
	return nil
}

// inSubscription reports whether a dialog is that of a subscription, and so says
// nothing of a call.
func (s *callSet) inSubscription(a, b uint64) bool {
	if s.subs == nil {
		return false
	}
	key := dialogKey(a, b)
	for _, o := range s.subs.latest() {
		if o.notifier != 0 && dialogKey(o.subscriber, o.notifier) == key {
			return true
		}
	}
	return false
}
