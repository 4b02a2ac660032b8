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

// The families of samples.
var (
	madeEvents = metric.Desc{Group: "events", Name: "events_made", Kind: metric.Counter, Label: "type", Help: "Events and records of messages, whatever became of them."}
	sentEvents = metric.Desc{Group: "events", Name: "events_sent", Kind: metric.Counter, Label: "type", Help: "Those that were handed to the output."}
	heldEvents = [NumFates]metric.Desc{
		HeldType:   {Group: "events", Name: "events_blacklisted", Kind: metric.Counter, Label: "type", Help: "Those that event_types_blst held back."},
		HeldRate:   {Group: "events", Name: "events_held_by_rate", Kind: metric.Counter, Label: "type", Help: "Those that evr_limits held back."},
		HeldSource: {Group: "events", Name: "events_held_by_source", Kind: metric.Counter, Label: "type", Help: "Those that the source blacklist held back."},
	}
	rateKeys      = metric.Desc{Group: "rates", Name: "rate_keys", Kind: metric.Gauge, Help: "Pairs of type and source whose rate is measured."}
	rateKeysMax   = metric.Desc{Group: "rates", Name: "rate_keys_max", Kind: metric.Gauge, Help: "How many there may be: evr_max_entries."}
	rateKeysOver  = metric.Desc{Group: "rates", Name: "rate_keys_over", Kind: metric.Gauge, Help: "Those that are over a limit, or were and have not calmed down."}
	rateEvicted   = metric.Desc{Group: "rates", Name: "rate_keys_evicted", Kind: metric.Counter, Help: "Those that gave way because the table was full."}
	rateTold      = metric.Desc{Group: "rates", Name: "rate_calm_events", Kind: metric.Counter, Help: "Records that told of the end of a flood, or what was held when its key went."}
	offendersNow  = metric.Desc{Group: "rates", Name: "offenders", Kind: metric.Gauge, Help: "Sources on the source blacklist."}
	offendersGone = metric.Desc{Group: "rates", Name: "offenders_evicted", Kind: metric.Counter, Help: "Those that gave way because the list was full."}
	offendersNot  = metric.Desc{Group: "rates", Name: "offenders_refused", Kind: metric.Counter, Help: "Sources that were not listed, because those put there by hand fill the list."}
)

// Samples gives the counters on.
func (s *Stats) Samples(add metric.Adder) {
	for t := event.None + 1; t < event.NumTypes; t++ {
		f, name := &s.Fates[t], t.String()
		add(&madeEvents, name, float64(f[Sent]+f[HeldType]+f[HeldRate]+f[HeldSource]))
		add(&sentEvents, name, float64(f[Sent]))
		for fate := HeldType; fate < NumFates; fate++ {
			add(&heldEvents[fate], name, float64(f[fate]))
		}
	}
	for _, one := range []struct {
		desc *metric.Desc
		n    float64
	}{
		{&rateKeys, float64(s.Keys)}, {&rateKeysMax, float64(s.MaxEntries)}, {&rateKeysOver, float64(s.Over)},
		{&rateEvicted, float64(s.Evicted)}, {&rateTold, float64(s.Told)},
		{&offendersNow, float64(s.Offenders)}, {&offendersGone, float64(s.Struck)}, {&offendersNot, float64(s.Refused)},
	} {
		add(one.desc, "", one.n)
	}
}

// Samples gives the counters of now on.
func (l *Limiter) Samples(add metric.Adder) {
	s := l.Stats()
	s.Samples(add)
}
