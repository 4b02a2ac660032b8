package packet

import (
	"encoding/binary"
	"net/netip"
)

// ipv6 reads an IPv6 header, RFC 8200 §3. A payload length of 0 is a jumbogram
// (RFC 2675) or comes from segmentation offload and means all there is.
//
// It is ours because gopacket's reads hop-by-hop options along with it, which
// allocates for each option, and then takes the payload length as if it did not
// count them.
func ipv6(d *Decoder, b []byte) (Layer, []byte, Drop) {
	if len(b) < 40 {
		return LayerNone, nil, ShortHeader
	}
	if b[0]>>4 != 6 {
		return LayerNone, nil, BadHeader
	}
	rest := b[40:]
	if length := int(binary.BigEndian.Uint16(b[4:])); length != 0 {
		d.beyond = max(length-len(rest), 0)
		if d.Cut = length > len(rest); !d.Cut {
			rest = rest[:length]
		}
	}
	d.six = true
	d.IPID = 0
	d.addrs(netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40])))
	return d.ipProto(b[6]), rest, OK
}

// options6 passes an extension header of the common shape: next header, length
// in units of 8 bytes beyond the first 8. What is in it is not read. With a
// routing header, Dst stays what the IPv6 header says.
//
// It is ours because gopacket's allocates for each option.
func options6(d *Decoder, b []byte) (Layer, []byte, Drop) {
	if len(b) < 8 {
		return LayerNone, nil, ShortHeader
	}
	n := int(b[1])*8 + 8
	if len(b) < n {
		return LayerNone, nil, ShortHeader
	}
	return d.ipProto(b[0]), b[n:], OK
}

// auth passes an authentication header, RFC 4302 §2.2: its length is in units of
// 4 bytes, minus 2.
func auth(d *Decoder, b []byte) (Layer, []byte, Drop) {
	if len(b) < 12 {
		return LayerNone, nil, ShortHeader
	}
	n := int(b[1])*4 + 8
	if n < 12 {
		return LayerNone, nil, BadHeader
	}
	if len(b) < n {
		return LayerNone, nil, ShortHeader
	}
	return d.ipProto(b[0]), b[n:], OK
}

// fragment6 reads a fragment header, RFC 8200 §4.5. One that is first and last
// at once (an atomic fragment) stands for itself and is never put together with
// others, RFC 6946.
func fragment6(d *Decoder, b []byte) (Layer, []byte, Drop) {
	if len(b) < 8 {
		return LayerNone, nil, ShortHeader
	}
	d.IPID = binary.BigEndian.Uint32(b[4:])
	place := binary.BigEndian.Uint16(b[2:])
	offset, more := int(place&^7), place&1 != 0
	if offset == 0 && !more {
		return d.ipProto(b[0]), b[8:], OK
	}
	return d.assemble(b[0], offset, more, b[8:])
}
