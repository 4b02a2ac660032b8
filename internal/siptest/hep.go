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
