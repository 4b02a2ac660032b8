package engine

import (
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/qos"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/stream"
	"github.com/sipcmbeat/sipcmbeat/internal/track"
)

// lane is the way of a packet from one capture source: one goroutine, a handful
// of calls. It owns everything it calls.
type lane struct {
	cfg      Config
	ports    portSet
	web      portSet // of WebSocket
	dec      *packet.Decoder
	stream   *stream.Assembler
	unit     stream.Unit
	capsules *packet.Decoder // of HEP packets from TCP connections; nil before the first
	msg      sip.Message
	dedup    dedup
	rep      qos.Report
	track    *track.Tracker
	sink     Sink
	events   []event.Event
	seq      uint64
	stats    Stats
}

func newLane(cfg Config, sink Sink) *lane {
	cfg.Packet.AnyHEP = cfg.AnyPort
	l := &lane{cfg: cfg, dec: packet.New(cfg.Packet), stream: stream.New(cfg.Stream), track: track.New(cfg.Track), sink: sink}
	l.ports.add(cfg.Ports)
	l.web.add(cfg.WebSocketPorts)
	l.dedup.window = int64(cfg.DedupWindow)
	return l
}

// guard follows one frame and lives through a fault of this program: it counts
// it, hands the frame out as a seed for the fuzz tests, and goes on.
func (l *lane) guard(f *packet.Frame) {
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		l.stats.Faults++
		if l.cfg.Fault != nil {
			l.cfg.Fault(f, cause)
		}
	}()
	l.frame(f)
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
	l.send(l.track.Advance(l.events[:0], now))
}

// end decides what only waits for a timer or for more bytes, which do not come.
func (l *lane) end() {
	l.stream.Flush()
	l.units()
	l.send(l.track.Flush(l.events[:0], l.cfg.Flush))
}

// restart ends a turn of files that are read more than once: the same packets come
// again, with the same times, and give the same events again, each turn with ids of
// its own.
func (l *lane) restart() {
	l.end()
	l.track.Restart()
	l.dedup = dedup{window: l.dedup.window}
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
	if l.cfg.AnyPort {
		ports |= stream.PortAny
	}
	return ports
}

// units follows what the streams have put together.
func (l *lane) units() {
	for u := &l.unit; l.stream.Next(u); {
		p := &u.Packet
		switch u.Kind {
		case stream.Message, stream.Unfinished:
			events, fate := l.message(p)
			l.stats.Units[fate]++
			if u.Reason == stream.Ended {
				for i := range events {
					events[i].Incomplete |= event.EndOfCapture
				}
			}
			l.send(events)
		case stream.Probe:
			l.stats.Units[Probe]++
			l.send(l.track.Probe(l.events[:0], p, u.Probe, why(p, u.Probe)))
		case stream.KeepAlive:
			l.stats.Units[KeepAlive]++
			if l.cfg.KeepaliveProbes {
				l.send(l.track.Probe(l.events[:0], p, sip.ProbeNone, "keep-alive"))
			}
		case stream.HEP:
			l.stats.Units[Capsule]++
			l.capsule(u)
		}
	}
}

// capsule follows what a HEP packet of a TCP connection carries. The stream still
// borrows the lane's own decoder's packet, so it has one of its own.
func (l *lane) capsule(u *stream.Unit) {
	if l.capsules == nil {
		l.capsules = packet.New(l.cfg.Packet)
	}
	f := packet.Frame{
		Time: u.Time, Link: packet.LinkHEP, Data: u.Payload, Wire: len(u.Payload), Source: u.Source, Peer: u.Src.Addr(),
	}
	why := l.capsules.Decode(&f)
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
	if l.dedup.again(p) {
		l.stats.Datagrams[MirrorDuplicate]++
		return
	}
	switch kind {
	case sip.KindKeepAlive:
		l.stats.Datagrams[KeepAlive]++
		l.send(l.track.Probe(l.events[:0], p, probe, "keep-alive"))
	case sip.KindProbe:
		l.stats.Datagrams[Probe]++
		l.send(l.track.Probe(l.events[:0], p, probe, why(p, probe)))
	default:
		events, fate := l.message(p)
		l.stats.Datagrams[fate]++
		l.send(events)
	}
}

// message follows one SIP message and returns its events and its fate.
func (l *lane) message(p *packet.Packet) ([]event.Event, Fate) {
	problem := l.msg.Parse(p.Payload, p.Cut)
	l.stats.Problems[problem]++
	if l.cfg.Dump != nil {
		l.cfg.Dump.Message(p, &l.msg)
	}
	if problem != sip.OK {
		return l.track.Unusable(l.events[:0], p, &l.msg), Unusable
	}
	if l.cfg.Tap != nil {
		l.cfg.Tap(p, &l.msg)
	}
	if l.cfg.Copy != nil {
		l.cfg.Copy(p, &l.msg)
	}
	return l.track.See(l.events[:0], p, &l.msg), Message
}

// send keeps the grown slice and hands each event on.
func (l *lane) send(events []event.Event) {
	for i := range events {
		l.seq++
		events[i].Sequence = l.seq
		l.stats.Events[events[i].Type]++
		if l.cfg.Dump != nil {
			l.cfg.Dump.Event(&events[i])
		}
		l.sink.Put(&events[i])
	}
	l.events = events[:0]
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
