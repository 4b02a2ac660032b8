package engine

import "time"

// Now is the clock of packets, the greatest time seen: the zero time before the first.
// It may be called by any goroutine.
func (e *Engine) Now() time.Time {
	e.core.mu.Lock()
	now := e.core.track.Now()
	e.core.mu.Unlock()
	if now == 0 {
		return time.Time{}
	}
	return time.Unix(0, now).UTC()
}

// Rounds appends how often each live lane that has not ended went round, and the place of
// its input. A lane without packets goes round some ten times a second. It takes no lock.
func (e *Engine) Rounds(dst []Round) []Round {
	for i, l := range e.lanes {
		if l.in.Live && !l.over.Load() {
			dst = append(dst, Round{Input: i, N: l.rounds.Load()})
		}
	}
	return dst
}

// Round is how often the lane of an input went round.
type Round struct {
	Input int
	N     uint64
}
