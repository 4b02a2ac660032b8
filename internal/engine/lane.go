package engine

import (
	"sync"
	"sync/atomic"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/qos"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/stream"
	"github.com/sipcmbeat/sipcmbeat/internal/track"
)

// lane is the way of a packet from one input: a handful of calls. It owns what it
// calls but the core, which all lanes share. Its goroutine holds mu for each frame,
// so that counters are read between two.
type lane struct {
	cfg  Config
	in   Input
	core *core

	f      packet.Frame // in work
	turns  turner
	errors int
	halted bool // given up with frames unread

	rounds atomic.Uint64 // of a live lane: packets, and pauses without one
	over   atomic.Bool   // a live lane that has ended
	seen   uint64        // rounds at the last look

	mu       sync.Mutex
	ports    portSet
	web      portSet // of WebSocket
	hep      portSet // of HEP
	dec      *packet.Decoder
	stream   *stream.Assembler
	unit     stream.Unit
	capsules *packet.Decoder // of HEP packets from TCP connections; nil before the first
	msg      sip.Message
	rep      qos.Report
	key      [36]byte
	stats    Stats
	name     string // of the source of the last frame
	turn     int
	copies   bool // HEP or siptrace was seen

	injects bool // what comes was put in by hand

	recorder *track.Recorder // nil: messages are no records
	record   event.Event     // of the message in work

	holds bool // this lane holds core's lock

	// Under core's lock.
	reached int64 // the time of the last frame or tick
	left    bool  // it has ended
}

// turner is a source that reads its files more than once.
type turner interface{ Turn() int }

func newLane(cfg Config, in Input, c *core) *lane {
	cfg.AnyPort = cfg.AnyPort || in.AnyPort
	cfg.Packet.AnyHEP = cfg.AnyPort
	l := &lane{cfg: cfg, in: in, core: c, dec: packet.New(cfg.Packet), stream: stream.New(cfg.Stream)}
	l.turns, _ = in.Source.(turner)
	l.ports.add(cfg.Ports)
	l.web.add(cfg.WebSocketPorts)
	l.hep.add(cfg.Packet.HEPPorts)
	if cfg.Messages {
		l.recorder = track.NewRecorder(cfg.Track.Headers)
	}
	return l
}

// lock takes the core, and tells the tracker whose packets come.
func (l *lane) lock() {
	l.core.mu.Lock()
	l.holds = true
	if l.core.last != l {
		l.core.last = l
		if l.in.Live {
			l.core.track.SetSource("", l.name, 0)
		} else {
			l.core.track.SetSource(l.name, "", l.turn)
		}
		if l.injects {
			l.core.track.Injecting()
		}
	}
}

func (l *lane) unlock() {
	l.holds = false
	l.core.mu.Unlock()
}

// places is how many sources of its own an input may have: the interfaces of a file.
const places = 1 << 16

// guard follows the frame in l.f.
func (l *lane) guard() {
	l.mu.Lock()
	defer l.release()
	l.f.Source += uint32(l.in.Place * places)
	l.frame(&l.f)
}

// release ends what the lane does under mu; it is deferred. It lives through a fault
// of this program: it counts it, hands the frame out as a seed for the fuzz tests, and
// the lane goes on.
func (l *lane) release() {
	if cause := recover(); cause != nil {
		l.fault(cause)
	}
	l.mu.Unlock()
}

func (l *lane) fault(cause any) {
	if !l.holds {
		l.lock()
	}
	defer l.unlock()
	l.stats.Faults++
	if l.cfg.Fault != nil {
		l.cfg.Fault(&l.f, cause)
	}
}

// named notes where the frame came from, when that changed. Where the lane is
// alone, a new turn of its files begins anew.
func (l *lane) named(alone bool) {
	name, turn := l.in.Source.Name(), 0
	if l.turns != nil {
		turn = l.turns.Turn()
	}
	if name == l.name && turn == l.turn {
		return
	}
	if turn != l.turn && alone {
		l.restart()
	}
	l.name, l.turn = name, turn
	l.lock()
	l.core.last = nil // the next one to lock tells the tracker
	l.unlock()
}

// frame follows one frame. It borrows f for the call.
func (l *lane) frame(f *packet.Frame) {
	l.stats.Frames++
	l.stats.Bytes += uint64(f.Wire)
	l.advance(f.Time)
	why := l.dec.Decode(f)
	l.stats.Drops[why]++
	if why == packet.OK {
		if p := &l.dec.Packet; (p.Transport == packet.TCP || p.Transport == packet.SCTP) && !p.Whole {
			l.segment(p)
		} else {
			l.carried(p)
		}
	}
	poison(f)
}

// carried follows what a frame, or a HEP packet, carries whole.
func (l *lane) carried(p *packet.Packet) {
	l.copies = l.copies || p.Whole
	if p.HEP.Version != 0 && !p.HEP.SIP() {
		l.report(p)
	} else {
		l.datagram(p)
	}
}

// advance lets time pass: what streams give up comes first, it is older.
func (l *lane) advance(now int64) {
	l.stream.Advance(now)
	l.units()
	c := l.core
	l.lock()
	l.reached = now
	c.advance(now)
	c.start()
	l.unlock()
}

// idle lets time pass without a frame, for the others as far as all have come.
func (l *lane) idle(now int64) {
	l.mu.Lock()
	defer l.release()
	l.f.Data = nil // the source's again
	l.dec.Advance(now)
	l.stream.Advance(now)
	l.units()
	c := l.core
	l.lock()
	l.reached = now
	c.advance(c.reached(now))
	c.start()
	l.unlock()
}

// leave ends the lane's part in the clock.
func (l *lane) leave() {
	l.lock()
	l.left = true
	l.core.start()
	l.unlock()
}

// end decides what streams hold, which waits for bytes that do not come.
func (l *lane) end() {
	l.mu.Lock()
	defer l.release()
	l.f.Data = nil
	l.stream.Flush()
	l.units()
}

// restart ends a turn of files that are read more than once: the same packets come
// again, with the same times, and give the same events again, each turn with ids of
// its own.
func (l *lane) restart() {
	first := l.f.Data // of the new turn: read already
	l.end()
	l.f.Data = first
	c := l.core
	c.flush(l)
	l.lock()
	c.restHeld()
	if c.cfg.Limit != nil {
		c.cfg.Limit.Restart()
	}
	c.track.Restart()
	c.heard = 0
	if c.cfg.Count != nil {
		c.cfg.Count.Restart()
	}
	c.dedup = newDedup(c.dedup.window)
	l.unlock()
}

// segment follows one TCP segment or SCTP packet. Which connections are followed: as
// with datagrams, those on a listed port, and others that begin as SIP.
func (l *lane) segment(p *packet.Packet) {
	ports := l.listed(p)
	if ports == 0 || !l.stream.Push(p, ports) {
		l.stats.Datagrams[OtherPort]++
		return
	}
	l.stats.Datagrams[Segment]++
	l.units()
}

// listed says what the ports of a packet are listed for.
func (l *lane) listed(p *packet.Packet) (ports stream.Ports) {
	src, dst := p.Src.Port(), p.Dst.Port()
	if l.ports.has(src) || l.ports.has(dst) {
		ports |= stream.PortSIP
	}
	if l.web.has(src) || l.web.has(dst) {
		ports |= stream.PortWebSocket
	}
	if l.hep.has(src) || l.hep.has(dst) {
		ports |= stream.PortHEP
	}
	if l.cfg.AnyPort {
		ports |= stream.PortAny
	}
	return ports
}

// units follows what the streams have put together.
func (l *lane) units() {
	for u := &l.unit; l.stream.Next(u); {
		p := &u.Packet
		p.IPID = 0 // of one of its segments
		if u.Kind != stream.HEP && u.Kind != stream.KeepAlive && l.twice() && l.again(p) {
			l.stats.Units[MirrorDuplicate]++
			continue
		}
		switch u.Kind {
		case stream.Message, stream.Unfinished:
			l.stats.Units[l.message(p, u.Reason == stream.Ended)]++
		case stream.Probe:
			l.stats.Units[Probe]++
			l.probe(p, u.Probe, why(p, u.Probe))
		case stream.KeepAlive:
			l.stats.Units[KeepAlive]++
			if l.cfg.KeepaliveProbes {
				l.probe(p, sip.ProbeNone, "keep-alive")
			}
		case stream.HEP:
			l.stats.Units[Capsule]++
			l.capsule(p)
		}
	}
}

// twice tells whether the messages of streams may come a second time, from another
// lane or a copy by HEP. A segment that comes twice to one lane is the stream's matter.
func (l *lane) twice() bool { return l.copies || len(l.core.lanes) > 1 }

// capsule follows a packet of HEP that came by TCP. The stream still borrows the
// packet of the lane's own decoder, so there is another one.
func (l *lane) capsule(p *packet.Packet) {
	if l.capsules == nil {
		l.capsules = packet.New(l.cfg.Packet)
	}
	why := l.capsules.DecodeHEP(p)
	l.stats.Capsules[why]++
	if why == packet.OK {
		l.carried(&l.capsules.Packet)
	}
}

// datagram follows one datagram. Which ones are read: on a listed port, and on any
// other, when the configuration or a HEP sender says so, what is SIP by its first
// line.
func (l *lane) datagram(p *packet.Packet) {
	listed := l.ports.has(p.Src.Port()) || l.ports.has(p.Dst.Port())
	if !listed && !((l.cfg.AnyPort || p.Whole) && sip.StartsStrict(p.Payload)) {
		l.stats.Datagrams[OtherPort]++
		return
	}
	kind, probe := sip.Classify(p.Payload)
	if kind == sip.KindKeepAlive && !l.cfg.KeepaliveProbes {
		l.stats.Datagrams[KeepAlive]++
		return
	}
	if l.again(p) {
		l.stats.Datagrams[MirrorDuplicate]++
		return
	}
	switch kind {
	case sip.KindKeepAlive:
		l.stats.Datagrams[KeepAlive]++
		l.probe(p, probe, "keep-alive")
	case sip.KindProbe:
		l.stats.Datagrams[Probe]++
		l.probe(p, probe, why(p, probe))
	default:
		l.stats.Datagrams[l.message(p, false)]++
	}
}

// again tells whether p is a mirror duplicate.
func (l *lane) again(p *packet.Packet) bool {
	h := l.core.dedup.sum(p, &l.key)
	l.lock()
	again := l.core.dedup.again(p, h)
	l.unlock()
	return again
}

// message follows one SIP message and returns its fate. ended says that the end of
// the capture cut it off.
func (l *lane) message(p *packet.Packet, ended bool) Fate {
	problem := l.msg.Parse(p.Payload, p.Cut)
	l.stats.Problems[problem]++
	if l.cfg.Dump != nil {
		l.cfg.Dump.Message(p, &l.msg)
	}
	if l.cfg.Recent != nil {
		l.cfg.Recent.Message(p, &l.msg)
	}
	if l.cfg.Copy != nil && problem == sip.OK {
		l.cfg.Copy(p, &l.msg)
	}
	told := l.recorder != nil && problem == sip.OK
	if told {
		l.tell(p)
	}
	c, fate := l.core, Message
	l.lock()
	var events []event.Event
	if problem != sip.OK {
		fate = Unusable
		events = c.track.Unusable(c.events[:0], p, &l.msg)
	} else {
		if l.cfg.Tap != nil {
			l.cfg.Tap(p, &l.msg)
		}
		if l.cfg.Count != nil {
			l.cfg.Count.See(p, &l.msg)
		}
		if told { // behind what may fail before the message is counted
			c.sendMessage(&l.record)
		}
		events = c.track.See(c.events[:0], p, &l.msg)
	}
	if l.injects {
		c.track.MarkInjected(&l.msg)
	}
	if ended {
		for i := range events {
			events[i].Incomplete |= event.EndOfCapture
		}
	}
	c.send(events)
	l.unlock()
	return fate
}

// tell makes the record of the message in work.
func (l *lane) tell(p *packet.Packet) {
	l.recorder.Record(&l.record, p, &l.msg, l.turn)
	l.record.Injected = l.injects
	if l.in.Live {
		l.record.Iface = l.name
	} else {
		l.record.Capture = l.name
	}
}

// probe follows what is no SIP.
func (l *lane) probe(p *packet.Packet, kind sip.ProbeKind, what string) {
	c := l.core
	l.lock()
	c.send(c.track.Probe(c.events[:0], p, kind, what))
	l.unlock()
}

// why says in words what a probe is.
func why(p *packet.Packet, kind sip.ProbeKind) string {
	if len(p.Payload) < minMessage {
		return "too small for SIP"
	}
	if c := p.Payload[0] | 0x20; c < 'a' || c > 'z' {
		return "does not start with a letter"
	}
	return "another protocol: " + kind.String()
}

// minMessage is the size below which nothing can be a SIP message, in bytes.
const minMessage = 13

// portSet is a set of ports.
type portSet [1 << 16 / 64]uint64

func (s *portSet) add(ports []uint16) {
	for _, p := range ports {
		s[p>>6] |= 1 << (p & 63)
	}
}

func (s *portSet) has(p uint16) bool { return s[p>>6]>>(p&63)&1 == 1 }
