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

// Inject follows a message that somebody puts in by hand as if it had come now, by the
// clock of packets, in a lane of its own; Now tells whether that goes yet. It borrows the
// payload, and is no mirror duplicate. What comes of it is marked (event.Event.Injected);
// Dump and Copy do not get it, for it never was on a wire. It gives the message's fate;
// what is no SIP, or longer than MaxInject, is not looked at and is a Probe. Any
// goroutine may call it.
func (e *Engine) Inject(payload []byte, src, dst netip.AddrPort, carrier packet.Transport) Fate {
	if kind, _ := sip.Classify(payload); len(payload) > MaxInject || kind != sip.KindSIP {
		return Probe
	}
	p := packet.Packet{Time: e.Now(), Src: src, Dst: dst, Transport: carrier, Payload: payload, Whole: true}
	l := e.injecting()
	l.mu.Lock()
	defer l.release()
	l.stats.Frames++
	l.stats.Bytes += uint64(len(payload))
	l.stats.Drops[packet.OK]++
	fate := l.message(&p, false)
	l.stats.Datagrams[fate]++
	return fate
}

// Now is the clock of packets, in Unix nanoseconds; 0 before the first.
func (e *Engine) Now() int64 {
	e.core.mu.Lock()
	defer e.core.mu.Unlock()
	return e.core.track.Now()
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
		cfg.Dump, cfg.Copy = nil, nil
		l = newLane(cfg, Input{Name: injectName, Live: true}, e.core)
		l.name, l.injects = injectName, true
		e.inject.Store(l)
	}
	return l
}
