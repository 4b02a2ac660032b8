package beater

import (
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/elastic-agent-libs/monitoring"
)

// ledger counts what libbeat does with our events. It is the EventListener and
// the ClientListener of the one client.
type ledger struct {
	added    atomic.Uint64 // given to the queue, or taken out by a processor
	filtered atomic.Uint64 // taken out by a processor
	acked    atomic.Uint64 // delivered, or refused for good by the output; with a disk queue: on disk
	refused  atomic.Uint64 // not taken by the queue, which was closing
}

func (l *ledger) AddEvent(_ beat.Event, published bool) {
	l.added.Add(1)
	if !published {
		l.filtered.Add(1)
	}
}

func (l *ledger) ACKEvents(n int)               { l.acked.Add(uint64(n)) }
func (l *ledger) ClientClosed()                 {}
func (l *ledger) Closing()                      {}
func (l *ledger) Closed()                       {}
func (l *ledger) NewEvent()                     {}
func (l *ledger) Filtered()                     {}
func (l *ledger) Published()                    {}
func (l *ledger) DroppedOnPublish(_ beat.Event) { l.refused.Add(1) }
func (l *ledger) done() uint64                  { return l.acked.Load() + l.filtered.Load() }

// metrics reads libbeat's own counters.
type metrics struct {
	stats, state *monitoring.Registry
}

func newMetrics(b *beat.Beat) metrics {
	return metrics{stats: b.Monitoring.StatsRegistry(), state: b.Monitoring.StateRegistry()}
}

func (m metrics) uint(name string) uint64 {
	if m.stats == nil {
		return 0
	}
	if v, ok := m.stats.Get(name).(*monitoring.Uint); ok {
		return v.Get()
	}
	return 0
}

// dropped counts events that the output gave up: a full disk, a refused mapping.
func (m metrics) dropped() uint64 { return m.uint("libbeat.output.events.dropped") }

// sent counts events that the output is done with, each once.
func (m metrics) sent() uint64 {
	return m.uint("libbeat.output.events.acked") + m.dropped() +
		m.uint("libbeat.output.events.duplicates") + m.uint("libbeat.output.events.dead_letter")
}

// onDisk tells whether libbeat's queue is the one on disk.
func (m metrics) onDisk() bool {
	if m.state == nil {
		return false
	}
	name, ok := m.state.Get("queue.name").(*monitoring.String)
	return ok && name.Get() == "disk"
}

// diskQueue tells when libbeat's queue on disk is empty. An acknowledgement means
// there that an event is on disk, and the gauge of what is in the queue falls only
// when a whole segment file is deleted. So: all that was added has been read (older
// runs' events are read first), the output is done with all that was read, and
// nothing changes for a while.
type diskQueue struct {
	metrics
	seen  uint64
	since time.Time
}

// quiet is how long nothing has to change: reading a segment takes milliseconds.
const quiet = 400 * time.Millisecond

func (q *diskQueue) empty(now time.Time) bool {
	if read := q.read(); read != q.seen || q.since.IsZero() {
		q.seen, q.since = read, now
	}
	return !q.holds() && now.Sub(q.since) >= quiet
}

// holds tells whether something is known to be there.
func (q *diskQueue) holds() bool {
	read := q.read()
	return read < q.uint("libbeat.pipeline.queue.added.events") || q.sent() < read
}

func (q *diskQueue) read() uint64 { return q.uint("libbeat.pipeline.queue.consumed.events") }

// plural writes a count with its noun.
func plural(n uint64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if stem, ok := strings.CutSuffix(noun, "ry"); ok { // entry
		return fmt.Sprintf("%d %sries", n, stem)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
