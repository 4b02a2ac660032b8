package packet

import (
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/hep"
)

// HEPInfo is what a HEP packet says besides addresses and payload.
type HEPInfo struct {
	Version       uint8  // 1, 2 or 3; 0: no HEP
	Type          uint8  // of the payload: 1 is SIP, see the constants of package hep
	Vendor        uint16 // of the first chunk that is not generic, else 0
	CaptureID     uint32 // of the agent
	Node          []byte // the agent's name; borrowed
	CorrelationID []byte // borrowed
	Received      bool   // Time is the frame's: the packet has none, or one that cannot be
}

// SIP reports whether the payload is SIP.
func (h *HEPInfo) SIP() bool { return h.Type == hep.TypeSIP || h.Type == hep.TypeSIPJSON }

// HEPStats are counters of what is odd in HEP packets that were read.
type HEPStats struct {
	Packets  uint64 // read
	Problems [hep.NumProblems]uint64
	Trailing uint64 // packets with bytes behind their end
	Odd      uint64 // packets with chunks that are not as they should be
	Untimed  uint64 // packets whose time was not taken
}

func (s *HEPStats) add(o *HEPStats) {
	s.Packets += o.Packets
	for i := range o.Problems {
		s.Problems[i] += o.Problems[i]
	}
	s.Trailing += o.Trailing
	s.Odd += o.Odd
	s.Untimed += o.Untimed
}

// How far the time of a HEP packet may be from that of its frame. Agents buffer and
// their clocks differ, so the past is wide. The future is narrow: nothing is ahead of
// its own arrival but by a wrong clock.
const (
	maxPast   = int64(24 * time.Hour)
	maxFuture = int64(10 * time.Second)
)

// isHEP3 reports whether b is one whole HEP packet of version 3: magic and length.
func isHEP3(b []byte) bool {
	if len(b) < 6 || b[1] != 'E' {
		return false
	}
	n, ok := hep.Length(b)
	return ok && n == len(b)
}

// readHEP reads a HEP packet of any version. Addresses, ports, transport and time
// become those of the packet inside; the addresses of the HEP packet itself are
// kept as OuterSrc and OuterDst.
func readHEP(d *Decoder, b []byte) (Layer, []byte, Drop) {
	p := &d.hep
	why := hep.Decode(b, p, d.Time)
	if why != hep.OK {
		if p.Version == 3 || d.Transport == TransportNone { // else it may be anything on this port
			d.hepCount.Problems[why]++
		}
		return LayerNone, nil, BadHEP
	}
	if !hep.Authorized(p.Key(), d.hepKeys) {
		return LayerNone, nil, HEPAuth
	}
	d.hepCount.Packets++
	if p.Trailing > 0 {
		d.hepCount.Trailing++
	}
	if p.Odd > 0 {
		d.hepCount.Odd++
	}
	d.fromPeer()
	d.mix(p.CaptureID)
	d.addrs(p.Src.Addr(), p.Dst.Addr())
	d.ports(hepTransport(p.Protocol), p.Src.Port(), p.Dst.Port())
	d.IPID, d.HasMAC, d.Whole = 0, false, true
	if p.Version == 3 { // the others go to the end, whatever that is
		d.Cut = p.Missing > 0
	}
	d.HEP = HEPInfo{Version: p.Version, Type: p.Type, Vendor: p.Vendor, CaptureID: p.CaptureID,
		Node: p.Node(), CorrelationID: p.CorrelationID(), Received: true}
	if p.Time != 0 && p.Time >= d.Time-maxPast && p.Time <= d.Time+maxFuture {
		d.Time, d.HEP.Received, d.told = p.Time, false, true
	} else {
		d.hepCount.Untimed++
	}
	return LayerHEP1 + Layer(p.Version-1), p.Payload(), OK
}

// DecodeHEP reads the HEP packet that is the payload of p, which a stream put
// together, as if d had come to it through the layers of p. It borrows p, and what it
// hands out borrows from p.Payload. p must not be d's own.
func (d *Decoder) DecodeHEP(p *Packet) Drop {
	vlans, encap := append(d.VLANs[:0], p.VLANs...), append(d.Encap[:0], p.Encap...)
	d.Packet = *p
	d.VLANs, d.Encap, d.Payload = vlans, encap, nil
	d.Seq, d.Ack, d.Flags, d.Missing, d.Fragmented = 0, 0, 0, 0, false
	id, b, why := readHEP(d, p.Payload)
	if why != OK {
		return why
	}
	if len(d.Encap) < d.depth {
		d.Encap = append(d.Encap, id)
	}
	d.layers[id]++
	d.Payload = b
	return OK
}

// fromPeer tells what one sender sends to a socket from what another one does.
func (d *Decoder) fromPeer() {
	if d.OuterSrc.IsValid() && !d.OuterDst.IsValid() {
		d.tunnel = hashAddr(d.tunnel, d.OuterSrc)
	}
}

// hepPayload ends the walk; its rows name the version in Packet.Encap.
func hepPayload(_ *Decoder, b []byte) (Layer, []byte, Drop) { return LayerNone, b, OK }

// hepTransport is the network transport of an IP protocol in a HEP packet. 22 stands
// for TLS, and WebSocket too, where Kamailio sends it; 50 for WebSocket where
// OpenSIPS does. What gives none is taken for UDP.
func hepTransport(protocol uint8) Transport {
	switch protocol {
	case 6, 22, 50:
		return TCP
	case 132:
		return SCTP
	case 0, 17:
		return UDP
	}
	return TransportNone
}
