package track

import (
	"bytes"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// What the silence after a request means.
//
// A request that nobody answered and one whose answer we missed look alike, but for
// one thing: over UDP a client that hears nothing asks again, at 500 ms, 1.5 s, 3.5 s
// and so on, until its transaction times out (RFC 3261 §17.1.1.2 Timer A, §17.1.2.2
// Timer E). One that stopped asking got an answer, or gave up before its time, as
// scanners do; which of them, nobody can tell who did not see the answer. So a timeout
// is certain only where the client asked to the end; any other is labelled [response].
// Over TCP and SCTP nothing is repeated, and after a provisional answer no INVITE is:
// silence tells nothing there.

// T1 and T2 are the estimates that clients begin with (RFC 3261 §17.1.1.1).
const (
	timerT1 = 500 * time.Millisecond
	timerT2 = 4 * time.Second
)

// askedToTheEnd reports whether a client whose first copy was seen at first and whose
// last at last had no answer: its next copy was not due before the transaction's
// timeout. One copy may be lost where they come every T2.
func askedToTheEnd(over event.Transport, invite bool, first, last int64, timeout time.Duration) bool {
	if over != event.UDP {
		return false
	}
	after := time.Duration(since(first, last))
	next := 2*after + timerT1
	if !invite {
		next = min(next, after+2*timerT2)
	}
	return next >= timeout-2*timerT1
}

// answeredBefore looks at what a new request tells of an earlier one of its client that
// is open. With credentials after none, or for another nonce, that one was challenged,
// and is no timeout: the try that follows speaks for it. And nobody registers anew while
// a REGISTER is open (RFC 3261 §10.2).
func (t *Tracker) answeredBefore(r *request) {
	if r.creds.n == 0 && r.method != sip.MethodRegister {
		return
	}
	for _, p := range r.set.requests.latest() {
		switch {
		case p == r, p.method != r.method, p.ft != r.ft, p.cseq >= r.cseq, p.state != trying && p.state != pending, p.quiet():
		case r.creds.n > 0 && !p.creds.shares(&r.creds):
			p.challenged = true
		case r.method == sip.MethodRegister:
			p.passed = true
		}
	}
}

// shares reports whether both have a nonce in common.
func (c *creds) shares(o *creds) bool {
	for i := range c.list[:c.n] {
		for j := range o.list[:o.n] {
			if c.list[i].nonce == o.list[j].nonce {
				return true
			}
		}
	}
	return false
}

// quiet reports whether nothing is said of the request's outcome itself.
func (r *request) quiet() bool { return r.method == sip.MethodBye || r.method == sip.MethodInvite }

// silence says what is missing of a request that timed out.
func (t *Tracker) silence(r *request) event.Incomplete {
	if t.ending || t.evicting || t.unheard(r.first) || !r.passed && askedToTheEnd(r.rec.Transport, false, r.first, r.again, t.cfg.Request) {
		return 0
	}
	return event.NoResponse
}

// inviteSilence says the same of an INVITE. After a CANCEL its 487 is what was not seen.
func (t *Tracker) inviteSilence(a *attempt) event.Incomplete {
	if t.ending || t.evicting || t.unheard(max(a.round, a.last, a.cancelled)) || a.state == calling && askedToTheEnd(a.rec.Transport, true, a.round, a.again, t.cfg.Invite) {
		return 0
	}
	return event.NoResponse
}

// byeSilence says the same of the BYE that ends a call, where nothing else is missing in
// its record.
func (t *Tracker) byeSilence(d *dialog, e *event.Event) event.Incomplete {
	last := int64(0)
	for _, r := range d.set.requests.latest() {
		if r.method == sip.MethodBye && r.cseq == d.byeCSeq {
			last = max(last, r.again)
		}
	}
	if t.ending || t.evicting || t.unheard(max(d.seen, d.bye)) || e.Incomplete != 0 || askedToTheEnd(e.Transport, false, d.bye, last, t.cfg.Bye) {
		return 0
	}
	return event.NoResponse
}

// unsureOf notes what was not seen of a REGISTER whose outcome is not known: it may have
// ended or refreshed the bindings that it names. Without the request they are those of its
// Call-ID. The next 2xx that speaks of a binding makes it certain again.
func (t *Tracker) unsureOf(r *request, missing event.Incomplete) {
	if r.method != sip.MethodRegister {
		return
	}
	a, _, _ := t.findAOR(r)
	if a == nil || len(a.bindings) == 0 {
		return
	}
	asked, star := t.readContacts(t.asked[:0], r.rec, r.rec.Contacts)
	t.asked = asked
	for _, b := range a.bindings {
		if bytes.Equal(b.piece(pieceCallID), r.rec.Bytes(r.rec.CallID)) {
			if r.cseq > b.cseq {
				b.unsure = missing
			}
			continue
		}
		named := star
		for i := range asked {
			named = named || asked[i].key == b.key
		}
		if named && r.first > b.until-int64(b.lifetime()) {
			b.unsure = missing
		}
	}
}
