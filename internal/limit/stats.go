package limit

import (
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/metric"
)

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

// ofType is a family by event type.
func ofType(name, help string, n func(fates *[NumFates]uint64) uint64) metric.Row[Stats] {
	return metric.Row[Stats]{Desc: metric.Desc{Group: "events", Name: name, Label: "type", Help: help},
		Each: func(s *Stats, at func(string, uint64)) {
			for t := event.None + 1; t < event.NumTypes; t++ {
				at(t.String(), n(&s.Fates[t]))
			}
		}}
}

func one(kind metric.Kind, name, help string, n func(s *Stats) uint64) metric.Row[Stats] {
	return metric.Row[Stats]{Desc: metric.Desc{Group: "rates", Name: name, Kind: kind, Help: help}, N: n}
}

// Metrics is every counter.
var Metrics = metric.Table[Stats]{
	ofType("events_made", "Events and records of messages, whatever became of them.", func(f *[NumFates]uint64) uint64 {
		return f[Sent] + f[HeldType] + f[HeldRate] + f[HeldSource]
	}),
	ofType("events_sent", "Those that were handed to the output.", func(f *[NumFates]uint64) uint64 { return f[Sent] }),
	ofType("events_blacklisted", "Those that event_types_blst held back.", func(f *[NumFates]uint64) uint64 { return f[HeldType] }),
	ofType("events_held_by_rate", "Those that evr_limits held back.", func(f *[NumFates]uint64) uint64 { return f[HeldRate] }),
	ofType("events_held_by_source", "Those that the source blacklist held back.", func(f *[NumFates]uint64) uint64 { return f[HeldSource] }),
	one(metric.Gauge, "rate_keys", "Pairs of type and source whose rate is measured.", func(s *Stats) uint64 { return uint64(s.Keys) }),
	one(metric.Gauge, "rate_keys_max", "How many there may be: evr_max_entries.", func(s *Stats) uint64 { return uint64(s.MaxEntries) }),
	one(metric.Gauge, "rate_keys_over", "Those that are over a limit, or were and have not calmed down.", func(s *Stats) uint64 { return uint64(s.Over) }),
	one(metric.Counter, "rate_keys_evicted", "Those that gave way because the table was full.", func(s *Stats) uint64 { return s.Evicted }),
	one(metric.Counter, "rate_calm_events", "Records that told of the end of a flood, or what was held when its key went.", func(s *Stats) uint64 { return s.Told }),
	one(metric.Gauge, "offenders", "Sources on the source blacklist.", func(s *Stats) uint64 { return uint64(s.Offenders) }),
	one(metric.Gauge, "offenders_max", "How many there may be.", func(s *Stats) uint64 { return uint64(s.MaxOffenders) }),
	one(metric.Counter, "offenders_evicted", "Those that gave way because the list was full.", func(s *Stats) uint64 { return s.Struck }),
	one(metric.Counter, "offenders_refused", "Sources that were not listed, because those put there by hand fill the list.", func(s *Stats) uint64 { return s.Refused }),
}

// Samples gives the counters on.
func (s *Stats) Samples(add metric.Adder) { Metrics.Samples(s, add) }
