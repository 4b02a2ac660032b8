package track

import "github.com/sipcmbeat/sipcmbeat/internal/event"

// What ACKs tell, mostly of answers that were not seen.

// ack follows an ACK. One to a 2xx has a branch of its own, one to another final
// that of its INVITE (RFC 3261 §17.1.1.3).
func (t *Tracker) ack(v *view) {
	t.stats.Absorbed++
	t.stats.Satellites++
	if v.set == nil {
		t.unseenFinal(t.assume(v) != nil)
		return
	}
	if d := v.set.dialogs.get(dialogKey(v.ft, v.tt)); d != nil {
		if !d.acked && d.answered != 0 {
			t.prove()
		}
		d.acked, d.overheard = true, false // who acknowledges a 2xx had called for it
		t.heldByAck(d, v)
		t.alive(d, v)
		return
	}
	a := v.set.attempts.get(v.ft)
	switch {
	case v.tt == 0:
		t.looseAck(v, a)
		return
	case a == nil:
		t.unseenFinal(t.assume(v) != nil)
		return
	}
	if v.cseq > a.cseq && a.rec.HasAddr(a.rec.Legs, v.p.Src.Addr()) {
		a.missed = max(a.missed, v.cseq)
		return
	}
	if a.cseq != v.cseq || a.ackTag != 0 {
		return
	}
	if code, _ := a.hops.noted(); code != 0 {
		return
	}
	if a.hops.branched(v.branch) {
		return
	}
	if a.dialogs == 1 {
		t.looseAck(v, a)
	}
	a.ackTag, a.ackBranch = v.tt, v.branch
	a.rec.SetKey(&a.rec.To.Tag, v.m.To().Tag())
}

// notAcked takes back what an ACK said that came before its INVITE on this hop: it has
// the branch of that INVITE, and is to a refusal.
func (a *attempt) notAcked(v *view) {
	if a.ackTag != 0 && a.ackBranch == v.branch && v.branch != 0 {
		a.ackTag, a.rec.To.Tag = 0, event.Text{}
	}
}

// looseAck takes the ACK of a 2xx that has no To tag, or another one, for that of the
// only call which it can be of. Another tag may be that of a branch whose 2xx was missed, so
// that is not labelled.
func (t *Tracker) looseAck(v *view, a *attempt) {
	if a != nil && a.hops.branched(v.branch) { // it is the ACK of a refusal
		return
	}
	d := t.looseDialog(v.set, v.ft)
	if d == nil || d.caller != v.ft || d.cseq != v.cseq {
		return
	}
	d.acked = true
	if v.tt == 0 {
		d.anomalies |= event.NoToTag
	}
	t.alive(d, v)
}
