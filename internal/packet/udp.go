package packet

import (
	"net/netip"

	"github.com/google/gopacket"
)

// udp reads a UDP header, RFC 768. A length of 0 means all there is: a jumbogram
// (RFC 2675 §4) or segmentation offload. What is beyond the length is padding.
// A length beyond a whole IP payload is refused, as every receiver does.
//
// The checksum is not verified: offloading leaves it wrong in captures made on
// the sending host.
func udp(d *Decoder, b []byte) (Layer, []byte, Drop) {
	if len(b) < 8 {
		return LayerNone, nil, ShortHeader
	}
	// Before gopacket, whose refusal is an error value.
	length := int(b[4])<<8 | int(b[5])
	if length != 0 && (length < 8 || length > len(b) && !d.Cut) {
		return LayerNone, nil, BadLength
	}
	if err := d.dgm.DecodeFromBytes(b, gopacket.NilDecodeFeedback); err != nil {
		return LayerNone, nil, ShortHeader
	}
	if length != 0 {
		d.Cut = length > len(b)
	}
	d.ports(UDP, uint16(d.dgm.SrcPort), uint16(d.dgm.DstPort))
	if d.anyHEP && isHEP3(d.dgm.Payload) {
		return LayerHEP, d.dgm.Payload, OK
	}
	return byUDPPort | Layer(d.dgm.DstPort), d.dgm.Payload, OK
}

func (d *Decoder) ports(t Transport, src, dst uint16) {
	d.Transport = t
	d.Src, d.Dst = netip.AddrPortFrom(d.Src.Addr(), src), netip.AddrPortFrom(d.Dst.Addr(), dst)
}
