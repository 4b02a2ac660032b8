package track

// The time in which nobody looked: between a stop and the next start.

// gap is such a time.
type gap struct{ from, to int64 }

// missed notes that nothing was seen in g.
func (t *Tracker) missed(g gap) { t.down = g }
