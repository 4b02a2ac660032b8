package track

import (
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// Calls that stay up: with call_alive_interval one says so each time that the interval
// has passed since its answer, or since it was first seen where that was missed.
// A call has one timer; it stands at what is due next, the turn or the deadline.

// minAlive bounds call_alive_interval: a leap of the clock makes every turn in it.
const minAlive = time.Minute

// due is when something is next to be done for a call that is up. Like the deadline it
// is a time of the call's packets.
func (t *Tracker) due(d *dialog) int64 {
	at := t.deadline(d)
	if t.cfg.Alive > 0 {
		at = min(at, t.nextTurn(d))
	}
	return at
}

// nextTurn is when the interval passes next.
func (t *Tracker) nextTurn(d *dialog) int64 {
	return d.upSince() + int64(d.turns+1)*int64(t.cfg.Alive)
}

// upSince is the call's answer, or when it was first seen.
func (d *dialog) upSince() int64 {
	if d.answered != 0 {
		return d.answered
	}
	return d.first
}

// expireCall does what is due for a call that is up. At the same moment the deadline
// goes first: a call that is over is not alive.
func (t *Tracker) expireCall(d *dialog) {
	if t.deadline(d)+d.late <= t.now && t.deadline(d) <= t.due(d) {
		t.stepDialog(d, sawExpired)
		return
	}
	if t.cfg.Alive > 0 && t.nextTurn(d)+d.late <= t.now {
		// No more can be open than pass without a sign of life, but in a state that
		// somebody else wrote.
		over := t.turnsOver(d, min(t.now, t.deadline(d)+d.late))
		if most := int64(t.cfg.Established/t.cfg.Alive) + 1; over-int64(d.turns) > most {
			d.turns = uint32(over - most)
		}
		d.turns++
		t.stepDialog(d, sawTurn)
	}
	t.wheel.set(&d.timer, t.due(d)+d.late)
}

// sayAlive makes the call-alive of the turn that is over. Its id has the number of the
// turn, which is the same for everybody who saw the answer. Who did not counts from
// when he came: there the moment tells the turns of two from each other, and those
// before a restart from those after it.
func (t *Tracker) sayAlive(d *dialog) {
	e := t.sendCall(event.CallAlive, d)
	e.Time = d.upSince() + int64(d.turns)*int64(t.cfg.Alive)
	e.Start, e.End = d.answered, 0
	e.DurationMin = since(d.upSince(), e.Time)
	t.identifyCall(e)
	a, b := tags(e)
	if d.answered == 0 {
		t.identify(e, e.Bytes(e.CallID), a, b, moment(e.Time))
		return
	}
	t.identify(e, e.Bytes(e.CallID), a, b, number(d.turns))
}
