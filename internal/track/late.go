package track

import (
	"slices"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// Rounds of an attempt whose messages overtake each other.
//
// An attempt has one present round: the INVITE with the highest CSeq. With a wrong
// password three of them follow each other in milliseconds, and two taps, or a switch
// that mirrors, may deliver the INVITE of the second or its challenge behind the third.
// What is left of a round is kept for as long as that (events.md, rule 12); the two
// halves find each other by From tag and CSeq, and are judged as if they had been in time.
// A half whose other is lost goes without a word.

// A round whose INVITE was once the present one is known by its CSeq: what comes of it
// later comes again.
const maxRounds = 4

func (a *attempt) knows(cseq uint32) bool { return slices.Contains(a.rounds[:], cseq) }

func (a *attempt) know(cseq uint32) {
	if !a.knows(cseq) {
		copy(a.rounds[1:], a.rounds[:maxRounds-1])
		a.rounds[0] = cseq
	}
}

// openKey finds the half of a round. cseq is its INVITE's.
func openKey(cid, tag uint64, cseq uint32) uint64 {
	return mix(mix(openINVITE, cid), mix(tag, uint64(cseq)))
}

// keepRound keeps what is left of the present round when another begins.
func (t *Tracker) keepRound(a *attempt) {
	switch {
	case a.creds.n > 0 && a.expectsNone():
		t.keepInvite(a, &a.creds, &a.rec, a.round)
	case !a.asking && a.wasChallenged() && a.early.n > 0 && a.early.cseq == a.cseq:
		t.keepChallenge(a, &a.early, &a.rec)
	}
}

// keepInvite keeps an INVITE with credentials that has no answer.
func (t *Tracker) keepInvite(a *attempt, c *creds, rec *event.Event, asked int64) {
	h := t.newHold(c, rec)
	h.asked = asked
	t.keepOpen(h, openKey(a.set.cid, a.key, c.cseq))
}

// keepChallenge keeps a challenge whose INVITE was not seen.
func (t *Tracker) keepChallenge(a *attempt, ch *challenges, rec *event.Event) {
	h := t.newHold(&creds{}, rec)
	h.early = *ch
	t.keepOpen(h, openKey(a.set.cid, a.key, ch.cseq))
}

func (t *Tracker) keepOpen(h *hold, key uint64) {
	h.retried, h.passed, h.open = true, true, true
	t.file(h, key)
	t.rank(&h.link, worthSpent)
	t.arm(&h.timer, t.now, t.cfg.Early)
}

// half finds what is kept of a round; nil where nothing is.
func (t *Tracker) half(a *attempt, cseq uint32) *hold {
	if of := t.auth.holds[openKey(a.set.cid, a.key, cseq)]; len(of) > 0 {
		return of[0]
	}
	return nil
}

// lateInvite takes in an INVITE with credentials of a round that is over.
func (t *Tracker) lateInvite(a *attempt, v *view) {
	h := t.half(a, v.cseq)
	switch {
	case v.creds.n == 0:
	case h != nil && h.early.n > 0:
		failed := t.judge(&v.creds, &h.early, v.cid, v.time) == wrongPassword
		answer := &t.temp
		answer.CopyFrom(&h.ev)
		h.ev.Reset()
		t.fillRequest(&h.ev, v)
		h.ev.Code = answer.Code
		h.ev.Set(&h.ev.Status, answer.Bytes(answer.Status))
		h.ev.Set(&h.ev.Server, answer.Bytes(answer.Server))
		h.ev.SetKey(&h.ev.To.Tag, answer.Bytes(answer.To.Tag))
		t.finishAuthFailed(&h.ev, min(v.time, h.early.given), h.early.given)
		a.know(v.cseq)
		t.release(h, failed, 0)
	case h == nil && !a.knows(v.cseq):
		t.temp.Reset()
		t.fillRequest(&t.temp, v)
		t.keepInvite(a, &v.creds, &t.temp, v.time)
	}
}

// lateChallenge takes in the challenge in t.early of a round that is over.
func (t *Tracker) lateChallenge(a *attempt, v *view) {
	h := t.half(a, v.cseq)
	switch {
	case h != nil && h.early.n == 0:
		failed := t.judge(&h.creds, &t.early, v.cid, h.asked) == wrongPassword
		t.fillAnswer(&h.ev, v)
		t.finishAuthFailed(&h.ev, h.asked, v.time)
		a.know(v.cseq)
		t.release(h, failed, 0)
	case h == nil && !a.knows(v.cseq):
		t.temp.Reset()
		t.fillUnasked(&t.temp, v)
		t.fillAnswer(&t.temp, v)
		t.keepChallenge(a, &t.early, &t.temp)
	}
}
