// Package limit says which events may leave: not those of a type on the type blacklist,
// not those of a source on the source blacklist, and of a type and source that make too
// many, only some. Everything is counted, and what is held back is told of.
//
// A rate has a key: the type of the event and the address that it came from (the first
// request's source after tunnels; of IPv6 its /64). For each window of the
// configuration a key has an estimate of the events in the last interval, this one too,
// whatever becomes of it; the key is over when an estimate is more than its limit. Time
// is packet time, and only moves on.
//
// What is held. The events over a limit are numbered from 1 from the moment when the
// key goes over until it calms down. Those that leave are number 1, then Min, 2·Min,
// 4·Min ... below Max, and every multiple of Max; so with 100 and 10000: 1, 100, 200,
// 400, 800, 1600, 3200, 6400, 10000, 20000, 30000 ... Min 0 leaves the doubling out,
// Max 0 the multiples, and the doubling then has no end. An event within the limits
// leaves, also between two that are over.
//
// What is told. Each record of a key that leaves before it has calmed down says how
// many were held since the last that left (Suppressed) and since it went over (Total).
// It has calmed down when, at the same time, every estimate is at its limit or below,
// and for the length of the shortest window no event was over; then a rate-calm tells
// what is left to tell, stamped with that moment. It comes by packet time, whether the key sends
// again or not; so it does when the key has to go because the table is full, is
// forgotten, the run ends, or its clock is set back (StepBack). If nothing was held, nothing is said. So the Suppressed of
// all records add up to what was held.
//
// Never held by a rate or for a source: calls to emergency numbers, records of single
// messages (they are a stream for who wants every one, and have their own switch),
// rate-calm, and what comes from an address on the allow list. Emergency calls pass the
// type blacklist too. What the type blacklist holds is not measured: it would fill the
// table with what nobody wants.
//
// It reads no clock and does no I/O. An event is borrowed for the call; what is kept of
// it is copied. Judge, Told and their like are for one goroutine at a time, that of the
// engine's core; everything else may be called by any at any time.
package limit

import (
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// Fate is what becomes of an event.
type Fate uint8

// The fates.
const (
	Sent Fate = iota
	HeldType
	HeldRate
	HeldSource
	NumFates
)

// String is the word for it in lists.
func (f Fate) String() string { return [...]string{"sent", "blacklisted", "rate", "source"}[f] }

// Limiter judges events.
type Limiter struct {
	say  func(string)
	name func(netip.Prefix) string
	next atomic.Int64 // when Told has something to do
	now  atomic.Int64 // packet time
	turn int          // of files that are read more than once

	changing sync.Mutex // of SetLimits and Configure, before mu

	mu       sync.Mutex
	cfg      Config               // as the file has it
	held     [event.NumTypes]bool // as it is now
	rates    Rates                // the same
	windows  []Window             // of rates, those that are on
	shortest int64                // of those with a limit
	longest  int64
	allow    nets[struct{}]

	table table
	dues  heap
	tells []tell // what Told gives next
	told  uint64 // rate-calm records
	ended bool   // Flush was called
	walk  int    // the slot from which keys are looked at again; -1 is none

	offenders offenders
	fates     [event.NumTypes][NumFates]uint64
}

// New makes a Limiter of a Config that is valid.
func New(cfg Config) *Limiter {
	l := &Limiter{say: cfg.Say, name: cfg.Name}
	if l.name == nil {
		l.name = show
	}
	if l.say == nil {
		l.say = func(string) {}
	}
	l.table.init()
	l.offenders.init()
	l.cfg, l.held = cfg, cfg.Held
	l.allowed(cfg.Allow)
	l.apply(cfg.Rates)
	l.walk = -1
	l.next.Store(never)
	return l
}

// allowed takes up the list of those who are never held.
func (l *Limiter) allowed(list []netip.Prefix) {
	l.allow = nets[struct{}]{}
	for _, p := range list {
		p = p.Masked()
		if _, ok := l.allow.of[p]; !ok {
			l.allow.add(p, struct{}{})
		}
	}
}

// Judge says whether e leaves, and writes into it what there is to say of its rate. It
// borrows e. What Told gives for the time of e comes before.
func (l *Limiter) Judge(e *event.Event) Fate {
	l.mu.Lock()
	fate := l.judge(e)
	l.fates[e.Type][fate]++
	l.mu.Unlock()
	return fate
}

func (l *Limiter) judge(e *event.Event) Fate {
	switch {
	case e.Emergency:
		return Sent
	case l.held[e.Type]:
		return HeldType
	case e.Type == event.Message || e.Type == event.RateCalm:
		return Sent
	}
	src := e.Src.Addr().Unmap().WithZone("")
	if !src.IsValid() {
		return Sent
	}
	if _, ok := l.allow.find(src); ok {
		return Sent
	}
	now := l.now.Load()
	if o, ok := l.offenders.holding.find(src); ok {
		return l.judgeSource(e, o, now)
	}
	if len(l.windows) == 0 {
		return Sent
	}
	return l.judgeRate(e, src, now)
}

// keyed is a source as the tables know it: of IPv6 its /64, which one customer has.
func keyed(a netip.Addr) netip.Prefix {
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits)
	return p
}
