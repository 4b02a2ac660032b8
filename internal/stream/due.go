package stream

// Timers.

type sweep uint8

const (
	sweepNone sweep = iota
	sweepDue
	sweepAll
)

// due plans the next thing that a timer or the end of the capture asks for. It
// reports false if there is none.
func (a *Assembler) due() bool {
	if a.sweep == sweepNone {
		return false
	}
	for w := forBytes; w < numWaits; w++ {
		if d := a.waiting[w].first; d != nil && a.expired(w, d.since) {
			a.conn, a.half, a.time = d.conn, d.half, d.time
			a.then(step{do: skip, half: d.half})
			return true
		}
	}
	for l := over; l < numLists; l++ {
		c := a.table.oldest(l)
		if c == nil {
			continue
		}
		age := int64(a.cfg.IdleTimeout)
		if l == over {
			age = min(age, linger)
		}
		why := Idle
		if a.sweep == sweepAll {
			why = Ended
		} else if c.last+age > a.now {
			continue
		}
		a.conn, a.end = c, c.time
		if why == Idle {
			a.end += int64(a.cfg.IdleTimeout)
		}
		a.half = &c.half[0]
		a.then(step{do: forget})
		a.then(step{finish, &c.half[1], why})
		a.then(step{finish, &c.half[0], why})
		return true
	}
	if a.dueSCTP() {
		return true
	}
	a.sweep = sweepNone
	return false
}
