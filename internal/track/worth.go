package track

import "github.com/sipcmbeat/sipcmbeat/internal/event"

// What gives way when memory is short.
//
// Whoever can send a packet can make entries: an INVITE, an ACK, a 2xx or a re-INVITE
// with a Call-ID that nobody else knows makes one each, and a flood of them fills any
// table. What one message can make is therefore worth less than what takes two sides:
// a call is worth keeping when its caller and its callee were both heard, a binding
// when a REGISTER set it, and more when one refreshed it. Within one worth the oldest
// gives way. In asymmetric captures that show one side of every call, calls compete
// with what is not answered yet.
//
// What is worth most leaves a share of the table to what may become the like: when
// calls alone fill it, the oldest of them gives way, and not each new one.

// EvictedWords names, in the order of Stats.Evicted, what gave way.
var EvictedWords = [numWorth]string{
	worthOver:         "finished",
	worthSpent:        "remembered challenges and faulty messages",
	worthRequest:      "open transactions and calls heard from one side",
	worthAttempt:      "unanswered calls",
	worthSubscription: "subscriptions",
	worthCall:         "answered calls",
	worthForgiven:     "AORs without bindings",
	worthHearsay:      "bindings known from answers only",
	worthBinding:      "bindings",
	worthRefreshed:    "refreshed bindings",
}

// sides is which sides of a dialog were heard: two bits, of the sender with the
// greater hash of its tag and of the other.
type sides uint8

const bothSides sides = 3

// side is the bit of a sender with this tag, where the other's is to.
func side(from, to uint64) sides {
	if from > to {
		return 1
	}
	return 2
}

// hear notes whose message it is. A refusal shows nothing: who gets a request of a
// dialog that is not there answers 481 (RFC 3261 §12.2.2).
func (d *dialog) hear(v *view) {
	switch {
	case v.request:
		d.heard |= side(v.ft, v.tt)
	case v.code < 300:
		d.heard |= side(v.tt, v.ft)
	}
}

// hear is d.hear for a dialog that may be worth more after it.
func (t *Tracker) hear(d *dialog, v *view) {
	before := d.heard
	if d.hear(v); d.heard != before && d.link.next != nil && d.state != ended {
		t.rankDialog(d)
	}
}

// newcomers is the share of a table, one part in so many, that calls that are up and
// bindings that were refreshed leave to others.
const newcomers = 8

// leastCall is the least worth that gives way in the table of calls now.
func (t *Tracker) leastCall() worth {
	if t.calls.entries-t.calls.up <= t.calls.entries/newcomers {
		return worthCall
	}
	return worthOver
}

// leastBinding is the same for bindings.
func (t *Tracker) leastBinding() worth {
	if t.ages[worthForgiven].empty() && t.regs.bindings-t.regs.refreshed <= t.regs.bindings/newcomers {
		return worthRefreshed
	}
	return worthForgiven
}

// rankDialog puts a dialog that is not over where its worth says.
func (t *Tracker) rankDialog(d *dialog) {
	w := d.worth()
	t.isUp(d, w == worthCall)
	t.rank(&d.link, w)
}

// isUp counts a dialog among the calls that are up, or not.
func (t *Tracker) isUp(d *dialog, up bool) {
	if up != d.up {
		if d.up = up; up {
			t.calls.up++
		} else {
			t.calls.up--
		}
	}
}

// cutShort is when an RFC 3261 timer decides: not yet, where its entry gives way.
func (t *Tracker) cutShort(at int64, timer byte) (int64, byte) {
	if t.evicting && at > t.now {
		return t.now, 0
	}
	return at, timer
}

// rang reports whether the callee's side was heard.
func (a *attempt) rang() bool { return a.last != 0 }

// worth of a call that is tried.
func (a *attempt) worth() worth {
	switch a.state {
	case answered, failed:
		return worthSpent
	case heard, challenged, denied, retrying: // who is real comes back at once
		return worthRequest
	}
	if a.rang() {
		return worthAttempt
	}
	return worthRequest
}

// worth of a dialog. It is over in the state ended, see retire.
func (d *dialog) worth() worth {
	switch d.state {
	case stray, leavingCall, doubted:
		return worthRequest
	}
	if d.heard == bothSides {
		return worthCall
	}
	return worthRequest
}

// worth of a binding.
func (b *binding) worth() worth {
	switch {
	case b.refreshes > 0:
		return worthRefreshed
	case b.incomplete&event.NoRegister != 0:
		return worthHearsay
	}
	return worthBinding
}
