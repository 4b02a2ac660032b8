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
// nothing in steady state. Everything else may be called by any goroutine at any time,
// and holds the lanes up for tens of microseconds at most.
package kpi

import (
	"sync"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// Counter counts. Make one with New.
//
// Messages and the series of events stand at the minute of their own time. For the
// indicators an event counts when it is said: at its own time where the clock has come
// there since the last one, else now. So no window that was closed changes any more.
type Counter struct {
	cfg    Config
	slots  *slots
	window int64 // its length
	reply  [700]uint8

	// The lanes' alone.
	high int64               // the clock: the greatest time that Advance was told
	low  int64               // all that is decided up to it has been counted
	next int64               // the second at which readers are told the clock
	over []view.IndicatorSet // closed, and not handed over yet

	mu    sync.Mutex // of what follows
	clock int64      // high, for who reads
	began int64      // the first time
	open  int64      // the start of the open window; 0: none
	up    int        // calls that started since began, and did not end
	days  days
	total peer
	peers *peers
	facts facts
}

// New builds an empty Counter. cfg is valid.
func New(cfg Config) *Counter {
	c := &Counter{cfg: cfg, slots: newSlots(&cfg), window: int64(cfg.Window), peers: newPeers(&cfg)}
	for i, code := range shared {
		c.reply[code] = uint8(i) + 1
	}
	return c
}

// Advance moves the clock to now, in Unix nanoseconds. It comes before the timers of
// that moment are fired. A time before the greatest one seen changes nothing.
func (c *Counter) Advance(now int64) {
	if now <= c.high {
		return
	}
	c.low, c.high = c.high, now
	if now < c.next {
		return
	}
	c.next = now - now%int64(time.Second) + int64(time.Second)
	c.mu.Lock()
	c.clock = now
	if c.began == 0 {
		c.began = now
	}
	if c.open != 0 && c.low >= c.open+c.window {
		c.close(c.open + c.window)
	}
	if c.low/minute != c.peers.turn {
		c.peers.pass(c.low)
	}
	c.mu.Unlock()
	c.handOver()
}

// See counts a message.
func (c *Counter) See(p *packet.Packet, m *sip.Message) {
	if !p.Told() {
		c.Advance(p.Time)
	}
	k := kindOf(m)
	c.mu.Lock()
	c.days.message(c.high, p.Time, k)
	if !m.IsRequest() {
		c.answer(p, m)
	}
	c.mu.Unlock()
	if c.over != nil {
		c.handOver()
	}
}

// answer counts what the indicators say of answers.
func (c *Counter) answer(p *packet.Packet, m *sip.Message) {
	now := c.moment(c.high)
	t := c.total.at(now)
	t.n[responses]++
	if share := c.reply[min(max(m.Status(), 0), len(c.reply)-1)]; share > 0 {
		t.shares[share-1]++
	}
	if m.Method() != sip.MethodRegister || m.Status() < 200 {
		return
	}
	n := registeredNot
	switch code := m.Status(); {
	case code < 300:
		n = registered2xx
	case code < 400, code == 401, code == 402, code == 407:
		return
	}
	t.n[n]++
	one, two := c.peers.of(p.Dst.Addr(), p.Src.Addr(), false)
	if one != nil {
		one.at(now).n[n]++
	}
	if two != nil {
		two.at(now).n[n]++
	}
}

// Count counts an event.
func (c *Counter) Count(e *event.Event) {
	c.mu.Lock()
	c.days.event(c.high, e.Time, e.Type)
	now := c.moment(e.Time)
	f := &c.facts
	f.read(e, c.slots)
	if f.up > 0 || f.up < 0 && e.Start >= c.began && c.up > 0 {
		c.up += f.up
	}
	t := c.total.at(now)
	t.add(f)
	t.peak = max(t.peak, uint32(c.up))
	one, two := c.peers.of(e.Src.Addr(), e.Dst.Addr(), f.asks)
	if one != nil {
		one.at(now).add(f)
	}
	if two != nil {
		two.at(now).add(f)
	}
	c.mu.Unlock()
	if c.over != nil {
		c.handOver()
	}
}

// moment is the time at which something counts for the indicators. It opens the window
// of that time, and closes the one before.
func (c *Counter) moment(at int64) int64 {
	at = min(max(at, c.low), c.high)
	c.low = at
	if c.open != 0 && at >= c.open+c.window {
		c.close(c.open + c.window)
	}
	if c.open == 0 {
		c.open = at - at%c.window
	}
	return at
}

// close ends the open window at a moment.
func (c *Counter) close(end int64) {
	all := append([]*peer{&c.total}, c.peers.all()...)
	for _, p := range all {
		p.flush()
		p.last, p.lastFrom, p.lastTo = p.window, c.open, end
		p.window = tally{}
	}
	if c.cfg.Closed != nil && c.total.last.events > 0 {
		for _, p := range all {
			if p.last.events > 0 {
				c.over = append(c.over, c.set(p, &p.last, c.open, end))
			}
		}
	}
	c.open = 0
}

// handOver gives closed windows away, while no lock is held that somebody who reads
// would wait for.
func (c *Counter) handOver() {
	over := c.over
	c.over = nil
	for _, set := range over {
		c.cfg.Closed(set)
	}
}

// Close ends the open window at the last moment that was seen: nothing more comes.
func (c *Counter) Close() {
	c.mu.Lock()
	if c.open != 0 {
		c.close(min(c.open+c.window, max(c.high, c.open+1)))
	}
	c.mu.Unlock()
	c.handOver()
}

// Restart puts the clock back to the beginning: the same packets come again. What was
// counted stays.
func (c *Counter) Restart() {
	c.Close()
	c.low, c.high, c.next = 0, 0, 0
	c.mu.Lock()
	c.began, c.up = 0, 0
	c.mu.Unlock()
}

// StepBack ends the open window and lets the clock begin anew, at an earlier time: the
// one before was wrong. What was counted stays, also the calls that are up.
func (c *Counter) StepBack() {
	c.Close()
	c.low, c.high, c.next = 0, 0, 0
}

// Configure takes up Trunks and MinSamples of cfg, which is valid, while lanes run. Any
// goroutine may call it.
func (c *Counter) Configure(cfg Config) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cfg.MinSamples, c.cfg.Trunks = cfg.MinSamples, cfg.Trunks
	c.peers.name(cfg.Trunks)
}

// Now is the clock, to the second.
func (c *Counter) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Unix(0, c.clock).UTC()
}

// minute is the grain of everything that is kept, in nanoseconds.
const minute = int64(time.Minute)
