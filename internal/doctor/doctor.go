// Package doctor looks at traffic for a few seconds and says what is seen of SIP and
// what is not: one direction only, ports that are not listed, TLS, tags, fragments,
// losses.
//
// It follows no calls and captures nothing itself; connections it puts together with
// package stream. Frames are borrowed for one call. Its tables are bounded; what does
// not fit is counted in all, not in detail.
package doctor

import (
	"encoding/binary"
	"net/netip"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/stream"
)

// Config says what the program takes for SIP, and where.
type Config struct {
	Packet         packet.Config
	Stream         stream.Config
	Ports          []uint16
	WebSocketPorts []uint16

	// Mask masks the addresses that a Report names, one that it leaves out is not valid;
	// nil names them as they are.
	Mask func(netip.Addr) netip.Addr
}

// Exam gathers what is seen.
type Exam struct {
	dec      *packet.Decoder
	capsules *packet.Decoder // of HEP packets from TCP connections
	stream   *stream.Assembler
	unit     stream.Unit
	ports    map[uint16]stream.Ports
	mask     func(netip.Addr) netip.Addr

	frames, sip, hidden uint64
	over                [numWays]uint64
	requests, answers   uint64
	drops               [packet.NumDrops]uint64
	fragmented          uint64 // messages
	otherPorts          map[uint16]uint64
	pairs               map[pair]*talk
	vlans               map[uint16]uint64
	encaps              map[string]uint64
	tls                 map[netip.AddrPort]uint64
	recent              map[uint64]int64 // when a payload was seen
	repeated            uint64           // SIP that came again at once
	content             uint64           // datagrams and segments with content on SIP ports
	probes              uint64           // of them, what is no SIP
	reports             uint64           // by HEP, and no SIP
}

// What carried a message, beside UDP.
const (
	byTCP = iota
	byWebSocket
	bySCTP
	numWays
)

// pair is two hosts, the lower address first.
type pair struct{ a, b netip.Addr }

// talk counts messages from a to b and back.
type talk struct{ there, back uint64 }

// maxRows bounds each table.
const maxRows = 4096

// New makes an Exam.
func New(cfg Config) *Exam {
	x := &Exam{
		mask:       cfg.Mask,
		dec:        packet.New(cfg.Packet),
		capsules:   packet.New(cfg.Packet),
		stream:     stream.New(cfg.Stream),
		ports:      map[uint16]stream.Ports{},
		otherPorts: map[uint16]uint64{},
		pairs:      map[pair]*talk{},
		vlans:      map[uint16]uint64{},
		encaps:     map[string]uint64{},
		tls:        map[netip.AddrPort]uint64{},
		recent:     map[uint64]int64{},
	}
	for _, list := range []struct {
		ports []uint16
		as    stream.Ports
	}{{cfg.Ports, stream.PortSIP}, {cfg.WebSocketPorts, stream.PortWebSocket}, {cfg.Packet.HEPPorts, stream.PortHEP}} {
		for _, p := range list.ports {
			x.ports[p] |= list.as
		}
	}
	return x
}

// Frame looks at one frame. hidden says that the program's own filter would not have
// let it through.
func (x *Exam) Frame(f *packet.Frame, hidden bool) {
	x.frames++
	x.stream.Advance(f.Time)
	x.units(hidden)
	why := x.dec.Decode(f)
	x.drops[why]++
	if why != packet.OK {
		return
	}
	p := &x.dec.Packet
	if p.Whole || p.Transport == packet.UDP {
		x.carried(p, hidden)
		return
	}
	ports := x.listed(p)
	onSIP := ports&stream.PortSIP != 0
	if onSIP && len(p.Payload) > 0 {
		x.content++
	}
	if p.Transport == packet.TCP && (onSIP || p.Src.Port() == sipsPort || p.Dst.Port() == sipsPort) && isTLS(p.Payload) {
		server := p.Dst
		if x.ports[p.Src.Port()]&stream.PortSIP != 0 || p.Src.Port() == sipsPort {
			server = p.Src
		}
		bump(x.tls, server)
	}
	if x.stream.Push(p, ports|stream.PortAny) {
		x.units(hidden)
	}
}

// listed says what the ports of a packet are listed for.
func (x *Exam) listed(p *packet.Packet) stream.Ports {
	return x.ports[p.Src.Port()] | x.ports[p.Dst.Port()]
}

// carried looks at what a datagram, or a HEP packet, carries whole.
func (x *Exam) carried(p *packet.Packet, hidden bool) {
	if p.HEP.Version != 0 && !p.HEP.SIP() {
		x.reports++
		return
	}
	onSIP := x.listed(p)&stream.PortSIP != 0
	if onSIP && len(p.Payload) > 0 {
		x.content++
	}
	if sip.StartsStrict(p.Payload) {
		x.message(p, onSIP || p.Whole, hidden) // what is handed over by HEP is SIP on every port
		return
	}
	if kind, _ := sip.Classify(p.Payload); onSIP && kind == sip.KindProbe {
		x.probes++
	}
}

// units looks at what the connections have put together.
func (x *Exam) units(hidden bool) {
	for u := &x.unit; x.stream.Next(u); {
		switch p := &u.Packet; {
		case u.Kind == stream.HEP:
			if hidden && x.listed(p)&stream.PortHEP == 0 {
				continue // to another program, or to ours, which listens there
			}
			if x.capsules.DecodeHEP(p) == packet.OK {
				x.carried(&x.capsules.Packet, hidden)
			}
		case (u.Kind == stream.Message || u.Kind == stream.Unfinished) && sip.StartsStrict(p.Payload):
			x.message(p, x.listed(p)&(stream.PortSIP|stream.PortWebSocket) != 0, hidden)
		}
	}
}

// Seen tells whether there was a frame.
func (x *Exam) Seen() bool { return x.frames > 0 }

// sipsPort is where SIP over TLS is by default (RFC 3261 §19.1.2).
const sipsPort = 5061

// isTLS tells whether b starts with a record of TLS (RFC 8446 §5.1).
func isTLS(b []byte) bool {
	return len(b) >= 5 && b[0] >= 20 && b[0] <= 23 && b[1] == 3 && b[2] <= 4 && binary.BigEndian.Uint16(b[3:]) <= 1<<14+256
}

func (x *Exam) message(p *packet.Packet, listed, hidden bool) {
	x.sip++
	request := !answers(p.Payload)
	if request {
		x.requests++
	} else {
		x.answers++
	}
	if hidden {
		x.hidden++
	}
	switch {
	case p.WebSocket:
		x.over[byWebSocket]++
	case p.Transport == packet.TCP:
		x.over[byTCP]++
	case p.Transport == packet.SCTP:
		x.over[bySCTP]++
	}
	if p.Fragmented {
		x.fragmented++
	}
	if !listed {
		server := p.Dst.Port()
		if !request {
			server = p.Src.Port()
		}
		bump(x.otherPorts, server)
	}
	for _, id := range p.VLANs {
		bump(x.vlans, id)
	}
	for _, l := range p.Encap {
		if l != packet.LayerVLAN && l != packet.LayerQinQ && l != packet.LayerFragment {
			bump(x.encaps, l.String())
		}
	}
	x.direction(p)
	x.again(p)
}

// answers tells an answer from a request.
func answers(b []byte) bool {
	for len(b) > 0 && (b[0] == '\r' || b[0] == '\n') {
		b = b[1:]
	}
	return len(b) > 3 && string(b[:4]) == "SIP/"
}

func (x *Exam) direction(p *packet.Packet) {
	if p.Src.Addr() == p.Dst.Addr() {
		return // a host with itself has none
	}
	k, there := pair{p.Src.Addr(), p.Dst.Addr()}, true
	if k.b.Less(k.a) {
		k.a, k.b, there = k.b, k.a, false
	}
	t := x.pairs[k]
	if t == nil {
		if len(x.pairs) >= maxRows {
			return
		}
		t = new(talk)
		x.pairs[k] = t
	}
	if there {
		t.there++
	} else {
		t.back++
	}
}

// again counts messages that come twice within the time in which no sender repeats
// one (Timer T1 is 500 ms, RFC 3261 §17.1.1.1).
func (x *Exam) again(p *packet.Packet) {
	h := uint64(14695981039346656037) // FNV-1a
	mix := func(b []byte) {
		for _, c := range b {
			h = (h ^ uint64(c)) * 1099511628211
		}
	}
	mix(p.Payload)
	src, dst := p.Src.Addr().As16(), p.Dst.Addr().As16()
	mix(src[:])
	mix(dst[:])
	if last, ok := x.recent[h]; ok && p.Time-last < 100e6 {
		x.repeated++
		return
	}
	if len(x.recent) >= maxRows {
		clear(x.recent)
	}
	x.recent[h] = p.Time
}

// bump counts a row, as long as there is room for it.
func bump[K comparable](m map[K]uint64, k K) {
	if _, ok := m[k]; ok || len(m) < maxRows {
		m[k]++
	}
}
