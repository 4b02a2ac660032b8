package engine

import (
	"net/netip"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// MaxInject is the longest message that Inject takes, in bytes: what a datagram holds.
const MaxInject = 65507

// injectName is the input's in counters, and the interface in records.
const injectName = "inject"

// Injection is what became of a message for Inject.
type Injection uint8

// Only the first two were followed.
const (
	Injected       Injection = iota
	InjectedBroken           // as one that cannot be used
	InjectTooLong
	InjectNoSIP
	InjectNoClock // no packet has come yet, and so it has no time
)

// Inject follows a message that somebody puts in by hand as if it had come now, by the
// clock of packets, in a lane of its own. It borrows the payload, and takes it for no
// mirror duplicate. What comes of it is marked (event.Event.Injected); Dump, Copy and Recent do
// not get it, for it never was on a wire. Any goroutine may call it.
func (e *Engine) Inject(payload []byte, src, dst netip.AddrPort, carrier packet.Transport) Injection {
	if len(payload) > MaxInject {
		return InjectTooLong
	}
	if kind, _ := sip.Classify(payload); kind != sip.KindSIP {
		return InjectNoSIP
	}
	e.core.mu.Lock()
	now := e.core.heard
	e.core.mu.Unlock()
	if now == 0 {
		return InjectNoClock
	}
	p := packet.Packet{Time: now, Src: src, Dst: dst, Transport: carrier, Payload: payload, Whole: true}
	l := e.injecting()
	l.mu.Lock()
	defer l.release()
	l.stats.Frames++
	l.stats.Bytes += uint64(len(payload))
	l.stats.Drops[packet.OK]++
	fate := l.message(&p, false)
	l.stats.Datagrams[fate]++
	if fate == Unusable {
		return InjectedBroken
	}
	return Injected
}

// injecting is the lane for Inject, made when it is first needed. It is none of core's
// lanes: nothing waits for its clock.
func (e *Engine) injecting() *lane {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.inject.Load()
	if l == nil {
		e.core.mu.Lock() // of Reload
		cfg := e.core.cfg
		e.core.mu.Unlock()
		cfg.Dump, cfg.Copy, cfg.Recent = nil, nil, nil
		l = newLane(cfg, Input{Name: injectName, Live: true}, e.core)
		l.name, l.injects = injectName, true
		e.inject.Store(l)
	}
	return l
}
