package engine

import (
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/track"
)

// lane is the way of a packet from one capture source: one goroutine, a handful
// of calls. It owns everything it calls.
type lane struct {
	cfg    Config
	ports  portSet
	dec    *packet.Decoder
	msg    sip.Message
	dedup  dedup
	track  *track.Tracker
	sink   Sink
	events []event.Event
	seq    uint64
	stats  Stats
}

func newLane(cfg Config, sink Sink) *lane {
	l := &lane{cfg: cfg, dec: packet.New(cfg.Packet), track: track.New(cfg.Track), sink: sink}
	l.ports.add(cfg.Ports)
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
	l.send(l.track.Advance(l.events[:0], f.Time))
	why := l.dec.Decode(f)
	l.stats.Drops[why]++
	if why == packet.OK {
		l.datagram(&l.dec.Packet)
	}
	poison(f)
}

// datagram follows one datagram. Which ones are read: on a listed port, and on
// any other, when the configuration says so, what is SIP by its first line.
func (l *lane) datagram(p *packet.Packet) {
	listed := l.ports.has(p.Src.Port()) || l.ports.has(p.Dst.Port())
	if !listed && !(l.cfg.AnyPort && sip.StartsStrict(p.Payload)) {
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
		l.message(p)
	}
}

// message follows one SIP message.
func (l *lane) message(p *packet.Packet) {
	problem := l.msg.Parse(p.Payload, p.Cut)
	l.stats.Problems[problem]++
	if problem != sip.OK {
		l.stats.Datagrams[Unusable]++
		l.send(l.track.Unusable(l.events[:0], p, &l.msg))
		return
	}
	l.stats.Datagrams[Message]++
	if l.cfg.Tap != nil {
		l.cfg.Tap(p, &l.msg)
	}
	l.send(l.track.See(l.events[:0], p, &l.msg))
}

// send keeps the grown slice and hands each event on.
func (l *lane) send(events []event.Event) {
	for i := range events {
		l.seq++
		events[i].Sequence = l.seq
		l.stats.Events[events[i].Type]++
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
