// Package kpi counts: messages and events by minute over the last day, and the
// indicators of service that follow from events (answer-seizure ratio, delays, ...),
// of everything and of each peer.
//
// It counts attempts as the events tell them: a challenge and the INVITE with
// credentials are one, the branches of a fork are one, and an attempt counts when it
// is over. It decides nothing, keeps nothing over a restart, and reads no clock: time
// is that of packets. It borrows what it is shown for the call; what it hands out is
// the caller's.
//
// Lanes call Advance, See and Count, one at a time, under core's lock; they allocate
// nothing in steady state and take a few tens of nanoseconds. Everything else may be
// called by any goroutine at any time, and holds the lanes up for tens of microseconds.
package kpi

import (
	"sync"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// Counter counts. Make one with New.
type Counter struct {
	cfg Config

	// The lanes' alone. All that is decided by packets up to low has been counted; high
	// is the clock: the greatest time that Advance was told.
	low, high, next int64

	mu   sync.Mutex // of what follows, and of each write of high
	days days
}

// New builds an empty Counter.
func New(cfg Config) *Counter { return &Counter{cfg: cfg} }

// Advance moves the clock to now, in Unix nanoseconds. It comes before the timers of
// that moment are fired. A time before the greatest one seen changes nothing.
func (c *Counter) Advance(now int64) {
	if now <= c.high {
		return
	}
	c.mu.Lock()
	c.low, c.high = c.high, now
	c.mu.Unlock()
}

// See counts a message.
func (c *Counter) See(p *packet.Packet, m *sip.Message) {
	if !p.Told() {
		c.Advance(p.Time)
	}
	c.mu.Lock()
	c.days.message(c.high, p.Time, kindOf(m))
	c.mu.Unlock()
}

// Count counts an event.
func (c *Counter) Count(e *event.Event) {
	c.mu.Lock()
	c.days.event(c.high, e.Time, e.Type)
	c.mu.Unlock()
}

// Restart puts the clock back to the beginning: the same packets come again. What was
// counted stays.
func (c *Counter) Restart() {
	c.mu.Lock()
	c.low, c.high = 0, 0
	c.mu.Unlock()
}

// minute is the grain of everything that is kept, in nanoseconds.
const minute = int64(time.Minute)
