package limit

import "github.com/sipcmbeat/sipcmbeat/internal/event"

// Stats are counters, totals since the start, but for those that say what is there now.
type Stats struct {
	Fates [event.NumTypes][NumFates]uint64 // of the events that were judged
	Told  uint64                           // rate-calm records

	Keys, Over, MaxEntries int // now
	Evicted                uint64

	Offenders, MaxOffenders int // now
	Struck                  uint64
	Refused                 uint64 // sources for which there was no room
}

// Stats gives the counters.
func (l *Limiter) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Stats{
		Fates: l.fates, Told: l.told,
		Keys: len(l.table.keys), Over: l.table.over, MaxEntries: l.cfg.MaxEntries, Evicted: l.table.evicted,
		Offenders: len(l.offenders.order), MaxOffenders: l.cfg.MaxOffenders, Struck: l.offenders.evicted, Refused: l.offenders.refused,
	}
}

// Sum adds up a fate over all types; those of single messages are left out.
func (s *Stats) Sum(f Fate) (n uint64) {
	for t := range s.Fates {
		if event.Type(t) != event.Message {
			n += s.Fates[t][f]
		}
	}
	return n
}
