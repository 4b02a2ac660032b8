package siptest

import (
	"bytes"
	"compress/gzip"
	"net/netip"

	"github.com/sipcmbeat/sipcmbeat/internal/hep"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// hepAgent and hepReceiver are the ends of HEP packets, unlike any in a ladder.
var (
	hepAgent    = netip.MustParseAddrPort("203.0.113.77:40001")
	hepReceiver = netip.MustParseAddrPort("203.0.113.78:9060")
)

// HEPPacket puts the datagram of a frame, as UDPFrame makes it, into a HEP packet. It
// copies; the caller owns the packet.
func HEPPacket(f packet.Frame, version uint8, zip bool) []byte {
	d := packet.New(packet.DefaultConfig())
	f.Link, f.Wire = packet.LinkEthernet, len(f.Data)
	if why := d.Decode(&f); why != packet.OK || d.Transport != packet.UDP {
		panic("siptest: a frame that UDPFrame did not make: " + why.String())
	}
	m := hep.Message{Version: version, Protocol: 17, Type: hep.TypeSIP, Src: d.Src, Dst: d.Dst, Time: f.Time, CaptureID: 7,
		Payload: d.Payload, Compressed: zip}
	if zip {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		w.Write(d.Payload)
		w.Close()
		m.Payload = b.Bytes()
	}
	b, ok := m.Append(nil)
	if !ok {
		panic("siptest: a datagram that does not fit into HEP")
	}
	return b
}

// HEP sends the datagram of an Ethernet frame by HEP over UDP.
func HEP(f packet.Frame, version uint8, zip bool) []packet.Frame {
	return one(f, packet.LinkEthernet, UDPFrame(hepAgent, hepReceiver, HEPPacket(f, version, zip)))
}

// hepCarriers hand the datagram over by HEP.
var hepCarriers = []Carrier{
	{"hep1", func(f packet.Frame) []packet.Frame { return HEP(f, 1, false) }, true},
	{"hep2", func(f packet.Frame) []packet.Frame { return HEP(f, 2, false) }, true},
	{"hep3", func(f packet.Frame) []packet.Frame { return HEP(f, 3, false) }, true},
	{"hep3-gzip", func(f packet.Frame) []packet.Frame { return HEP(f, 3, true) }, true},
	{"hep3-socket", func(f packet.Frame) []packet.Frame { return one(f, packet.LinkHEP, HEPPacket(f, 3, false)) }, true},
	{"hep3-vlan", func(f packet.Frame) []packet.Frame { return inside(HEP(f, 3, false), 0x8100, 838) }, true},
	{"hep3-fragments", func(f packet.Frame) []packet.Frame { return Fragments(HEP(f, 3, false)[0], 304) }, true},
	{"hep3-vxlan", func(f packet.Frame) []packet.Frame { return VXLAN(HEP(f, 3, false)[0]) }, true},
}

// HEPStreamCarriers hand the datagrams over by HEP over TCP.
var HEPStreamCarriers = []StreamCarrier{
	{"hep3-tcp", hepStream(TCPStyle{})},
	{"hep3-tcp-pieces", hepStream(TCPStyle{Piece: 100})},
	{"hep3-tcp-byte", hepStream(TCPStyle{Piece: 1})},
	{"hep3-tcp-reordered", hepStream(TCPStyle{Piece: 100, Reverse: true})},
	{"hep3-tcp-merged", hepStream(TCPStyle{Merge: true})},
	{"hep3-tcp-midstream", hepStream(TCPStyle{Midstream: true})},
}

func hepStream(style TCPStyle) func([]packet.Frame) []packet.Frame {
	return func(frames []packet.Frame) []packet.Frame {
		return TCPFrames(each(frames, func(f packet.Frame) []packet.Frame { return HEP(f, 3, false) }), style)
	}
}
