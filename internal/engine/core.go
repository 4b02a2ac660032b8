package engine

import (
	"sync"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/limit"
	"github.com/sipcmbeat/sipcmbeat/internal/track"
)

// core is what the lanes share, under one lock: the tracker, the memory of mirror
// duplicates, the order of events and the way out. A lane holds the lock for one of
// these steps at a time, never while it reads, decodes or parses.
//
// Time: the tracker's clock is the greatest time of all packets. A live lane without
// packets moves it on by the wall clock, but never beyond what every other live lane
// has reached: one that is ready to hand over packets of a moment ago would find
// their timers fired. Sources give a packet or a tick within their timeout, 100 ms,
// so that is how far idle time lags behind. Files count for nothing in that; beside
// live lanes their packets are old ones, of which the tracker counts spans from now.
type core struct {
	cfg   Config
	lanes []*lane

	mu     sync.Mutex
	track  *track.Tracker
	dedup  *dedup
	sink   Sink
	events []event.Event
	calm   event.Event // what the limiter tells
	seq    uint64
	given  [event.NumTypes]uint64
	last   *lane // whose source the tracker knows

	heard int64         // the time of rates and counts: the greatest of all packets since the clock stepped back
	set   bool          // the tracker's clock is the live lanes'
	clock chan struct{} // closed then

	names names // of calls that were shown; it has a lock of its own

	ended bool // all inputs were files, which were read to their ends and cut off nothing
}

func newCore(cfg Config, sink Sink) *core {
	return &core{cfg: cfg, track: track.New(cfg.Track), dedup: newDedup(int64(cfg.DedupWindow)), sink: sink, clock: make(chan struct{})}
}

// send keeps the grown slice and hands each event on. What the limiter has to tell by
// the time of an event comes before it. The caller holds the lock.
func (c *core) send(events []event.Event) {
	for i := range events {
		c.tell(min(events[i].Time, c.heard))
		c.hand(&events[i])
	}
	c.events = events[:0]
	c.tell(c.heard)
}

// hand numbers an event, and hands it on unless the limiter holds it.
func (c *core) hand(e *event.Event) {
	c.seq++
	e.Sequence = c.seq
	e.SetDirection(c.cfg.Internal)
	c.given[e.Type]++
	if c.cfg.Count != nil {
		c.cfg.Count.Count(e)
	}
	fate := limit.Sent
	if c.cfg.Limit != nil {
		fate = c.cfg.Limit.Judge(e)
	}
	if c.cfg.Dump != nil {
		c.cfg.Dump.Event(e)
	}
	if c.cfg.Watch != nil {
		c.cfg.Watch(e, fate)
	}
	if fate == limit.Sent {
		c.sink.Put(e)
	}
}

// tell hands on what the limiter has to say of what it held, up to now.
func (c *core) tell(now int64) {
	if c.cfg.Limit == nil {
		return
	}
	for c.cfg.Limit.Told(&c.calm, now) {
		c.hand(&c.calm)
	}
}

// advance moves the clock and hands on what timers decide. The caller holds the lock.
func (c *core) advance(now int64) {
	if now < c.heard-stepBack && c.behind() {
		c.anew(now)
		c.heard = now
	}
	c.heard = max(c.heard, now)
	if c.cfg.Count != nil {
		c.cfg.Count.Advance(now)
	}
	c.send(c.track.Advance(c.events[:0], now))
}

// stepBack is how far packets may be behind the ones before them. Beyond that the clock
// was set back, or one before was wrong: rates and counts begin anew, for on a clock that
// stands still all that comes is of one moment.
const stepBack = int64(5 * time.Second)

// behind tells whether no lane is where the time of rates is. The caller holds the lock.
func (c *core) behind() bool {
	for _, l := range c.lanes {
		if !l.left && l.reached >= c.heard-stepBack {
			return false
		}
	}
	return true
}

// anew lets rates and counts begin anew, and says what was held before. The caller holds the lock.
func (c *core) anew(now int64) {
	if c.cfg.Limit != nil {
		c.restHeld()
		c.cfg.Limit.StepBack(now)
	}
	if c.cfg.Count != nil {
		c.cfg.Count.StepBack()
	}
}

// sendMessage hands on the record of one message. The caller holds the lock.
func (c *core) sendMessage(e *event.Event) {
	c.seq++
	e.Sequence = c.seq
	e.SetDirection(c.cfg.Internal)
	c.given[event.Message]++
	if c.cfg.Limit == nil || c.cfg.Limit.Judge(e) == limit.Sent {
		c.sink.Put(e)
	}
}

// tellRest hands on what the limiter has still to say when the run ends.
func (c *core) tellRest() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.restHeld()
}

// restHeld does it. The caller holds the lock.
func (c *core) restHeld() {
	if c.cfg.Limit != nil {
		c.cfg.Limit.Flush()
		c.tell(c.heard)
	}
}

// start lets files be read once every live lane has a time, or has ended: had the
// packets of a file set the clock first, its leap to now would end what they began.
// The caller holds the lock.
func (c *core) start() {
	if c.set {
		return
	}
	for _, l := range c.lanes {
		if l.in.Live && !l.left && l.reached == 0 {
			return
		}
	}
	c.set = true
	close(c.clock)
}

// reached is the time that every running live lane has reached. The caller holds
// the lock.
func (c *core) reached(now int64) int64 {
	for _, l := range c.lanes {
		if l.in.Live && !l.left {
			now = min(now, l.reached)
		}
	}
	return now
}

// flush decides what only waits for a timer.
func (c *core) flush(l *lane) {
	l.mu.Lock()
	defer l.release()
	l.lock()
	defer l.unlock()
	c.send(c.track.Flush(c.events[:0], c.cfg.Flush))
}

// trouble tells of an error of an input.
func (c *core) trouble(l *lane, err error) {
	if c.cfg.Trouble == nil {
		return
	}
	l.lock()
	defer l.unlock()
	c.cfg.Trouble(l.in.Name, err)
}
