package beater

import (
	"sync/atomic"

	"github.com/sipcmbeat/sipcmbeat/internal/engine"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/metric"
)

// Samples hands on every counter of the run: those of the engine, and of what surrounds
// it. Any goroutine may call it once the run has started.
func (r *run) Samples(add metric.Adder) {
	s := r.engine.Stats() // first: what leaves the engine meanwhile is counted behind it
	s.Samples(add)
	r.count.Samples(add)
	h := r.host()
	h.Samples(add)
}

// host is the counters of what surrounds the engine.
func (r *run) host() engine.Host {
	h := engine.Host{
		Waiting:   r.ring.waiting(),
		Room:      len(r.ring.slots),
		LossRatio: r.loss.ratio(),
		Dump:      r.dumped(),
		State:     r.kept(),

		Stored:     r.metrics.uint("libbeat.output.events.acked"),
		Duplicates: r.metrics.there(),
		DeadLetter: r.metrics.aside(),
		Retried:    r.metrics.uint("libbeat.output.events.failed"),
		Removed:    r.ledger.filtered.Load(),
	}
	for i := range event.NumTypes {
		h.Dropped[i] = r.ring.dropped[i].Load()
	}
	if r.out != nil {
		h.Relay = r.out.relay.Stats()
	}
	lost := r.metrics.dropped()
	acked := r.ledger.acked.Load() // those too that the output gave up
	h.Acknowledged = highest(&r.delivered, acked-min(lost, acked))
	h.Failed = lost + r.ledger.refused.Load()
	h.Windows = r.windows.lost()
	h.Records, h.Accepted = r.records.Load(), r.ring.accepted.Load()
	h.Sent = h.Accepted + h.Records
	h.Pending = h.Sent - min(h.Acknowledged+h.Failed+h.Removed, h.Sent)
	return h
}

// highest keeps a counter that is the difference of two from falling: libbeat counts one
// a moment before the other.
func highest(seen *atomic.Uint64, now uint64) uint64 {
	for {
		old := seen.Load()
		if now <= old {
			return old
		}
		if seen.CompareAndSwap(old, now) {
			return now
		}
	}
}

// checkSums says when the counters of a run that is over do not agree.
func (r *run) checkSums() {
	v := metric.Values{}
	r.Samples(v.Add)
	for _, s := range engine.HostSums {
		if s.Left == engine.OutputSum && (r.disk != nil || r.metrics.stats == nil) {
			continue // it counts events of the last run too, or nothing
		}
		if err := v.Check([]metric.Sum{s}, 0); err != nil {
			r.log.Error(err)
		}
	}
}
