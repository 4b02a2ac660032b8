package track

import "time"

// The time in which nobody looked: between a stop and the next start, where the packets
// that come are those of now.
//
// What was decided in it is not known: a refresh, a BYE or an answer may have been
// missed. So a binding or a session timer that ran out meanwhile gets the time in which
// another sign of life has to come; what silence decides about something that was not
// heard of since is labelled `history`; and so is a binding that may have been made
// meanwhile. A capture file that follows on another one has no such time.

// gap is such a time, the last one; both 0 where there was none.
type gap struct{ from, to int64 }

// missed notes that nothing was seen in g.
func (t *Tracker) missed(g gap) {
	t.down = g
	for _, s := range t.calls.sets {
		for _, d := range s.dialogs.items {
			t.skipTurns(d, g.to)
		}
	}
}

// skipTurns leaves out the turns of call_alive_interval up to now, where more than one
// is open: what a call was like then nobody saw.
func (t *Tracker) skipTurns(d *dialog, now int64) {
	if t.cfg.Alive == 0 {
		return
	}
	over := t.turnsOver(d, now)
	if over > int64(d.turns)+1 || over+1 < int64(d.turns) { // the latter: another interval
		d.turns = uint32(over)
	}
}

// turnsOver is how many turns of d are over by now. What was before its last message is
// in any case.
func (t *Tracker) turnsOver(d *dialog, now int64) int64 {
	at := max(now-d.late, min(d.seen, now))
	return min(max(at-d.upSince(), 0)/int64(t.cfg.Alive), 1<<31)
}

// unheard reports whether what was last heard of at this time may have gone on while
// nobody looked.
func (t *Tracker) unheard(at int64) bool { return t.down.to != 0 && at <= t.down.from }

// prolong is when something runs out that would have at this time, and lasts for span:
// later, where it was last heard of before nobody looked and ran out before anybody did
// again.
func (t *Tracker) prolong(heard, at int64, span time.Duration) int64 {
	if t.unheard(heard) && at <= t.down.to {
		return t.down.to + int64(span)
	}
	return at
}

// grown reports whether nobody looked for so long that a binding may have been made
// that is refreshed by now: shorter than Timer F, whoever registers is still trying.
func (t *Tracker) grown(at int64, span time.Duration) bool {
	return t.down.to-t.down.from > int64(t.cfg.Request) && since(t.down.to, at) < int64(span)
}
