package track

import (
	"bytes"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// fillReference copies what a request says of other dialogs: the subscription that it
// is of (RFC 6665 §8.2), whom to call and for whom (RFC 3515, 3892), which call to
// take over (RFC 3891).
func (t *Tracker) fillReference(e *event.Event) {
	m := t.view.m
	switch t.view.method {
	case sip.MethodSubscribe:
		t.fillEvent(e)
		t.fillExpires(e)
	case sip.MethodNotify:
		t.fillEvent(e)
		t.fillSubscriptionState(e)
	case sip.MethodRefer:
		if b := m.Value(sip.HeaderReferTo); b != nil && t.addr.Parse(b) {
			t.fillTarget(e, t.addr.URI())
		}
	case sip.MethodInvite:
		if b := m.Value(sip.HeaderReplaces); b != nil {
			setReplaces(e, &e.Replaces, b)
		}
	}
	if b := m.Value(sip.HeaderReferredBy); b != nil && t.addr.Parse(b) {
		e.Set(&e.ReferredBy, t.addr.URI().Bytes())
	}
}

// fillEvent takes package and id of Event (RFC 6665 §8.2.1).
func (t *Tracker) fillEvent(e *event.Event) {
	b := t.view.m.Value(sip.HeaderEvent)
	pkg, rest, _ := bytes.Cut(b, []byte{';'})
	e.SetKey(&e.Subscription.Package, bytes.TrimSpace(pkg))
	params := sip.ParseParams(rest)
	for name, value, ok := params.Next(); ok; name, value, ok = params.Next() {
		if bytes.EqualFold(name, []byte("id")) {
			e.SetKey(&e.Subscription.ID, value)
		}
	}
}

// fillExpires takes the Expires of a SUBSCRIBE, or of its 2xx.
func (t *Tracker) fillExpires(e *event.Event) {
	if n, ok := sip.Seconds(t.view.m.Value(sip.HeaderExpires)); ok {
		e.Expires, e.HasExpires = n, true
	}
}

// fillSubscriptionState reads Subscription-State (RFC 6665 §8.2.3).
func (t *Tracker) fillSubscriptionState(e *event.Event) {
	word, rest, _ := bytes.Cut(t.view.m.Value(sip.HeaderSubscriptionState), []byte{';'})
	word = bytes.TrimSpace(word)
	for s := event.SubPending; s <= event.SubTerminated; s++ {
		if bytes.EqualFold(word, []byte(s.String())) {
			e.Subscription.State = s
		}
	}
	params := sip.ParseParams(rest)
	for name, value, ok := params.Next(); ok; name, value, ok = params.Next() {
		switch {
		case bytes.EqualFold(name, []byte("reason")):
			e.Set(&e.Subscription.Reason, value)
		case bytes.EqualFold(name, []byte("expires")):
			if n, ok := sip.Seconds(value); ok {
				e.Expires, e.HasExpires = n, true
			}
		case bytes.EqualFold(name, []byte("retry-after")):
			e.Subscription.RetryAfter, _ = sip.Seconds(value)
		}
	}
}

// fillGranted adds what the 2xx to r says of its subscription: for how long, and
// whether a REFER has one (RFC 4488 §4: not with Refer-Sub: false).
func (t *Tracker) fillGranted(r *request, v *view) {
	switch r.method {
	case sip.MethodSubscribe:
		t.fillExpires(r.rec)
	case sip.MethodRefer:
		lines := v.m.Named([]byte("Refer-Sub"))
		if b, ok := lines.Next(); ok && len(b) >= 5 && bytes.EqualFold(b[:5], []byte("false")) {
			return
		}
		r.rec.SetString(&r.rec.Subscription.Package, referPackage)
	}
}

// fillTarget takes whom a REFER asks to call, and which call that one is to take over:
// a Replaces among the headers of its URI, escaped (RFC 3891 §5).
func (t *Tracker) fillTarget(e *event.Event, u *sip.URI) {
	b, headers := u.Bytes(), u.Headers()
	if len(headers) > 0 {
		b = b[:len(b)-len(headers)-1]
	}
	e.Set(&e.Transfer.Target, b)
	for len(headers) > 0 {
		var one []byte
		one, headers, _ = bytes.Cut(headers, []byte{'&'})
		if name, value, _ := bytes.Cut(one, []byte{'='}); bytes.EqualFold(name, []byte("Replaces")) {
			t.scratch = sip.AppendUnescaped(t.scratch[:0], value)
			setReplaces(e, &e.Transfer.Replaces, t.scratch)
			return
		}
	}
}

// setReplaces takes the Call-ID of a Replaces (RFC 3891 §6.1).
func setReplaces(e *event.Event, to *event.Text, b []byte) {
	id, _, _ := bytes.Cut(b, []byte{';'})
	e.SetKey(to, bytes.TrimSpace(id))
}
