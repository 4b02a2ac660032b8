package packet

import (
	"encoding/binary"
	"net/netip"
)

var (
	zeroAddr     netip.Addr
	zeroAddrPort netip.AddrPort
)

// addrs notes the ends of an IP header. Those of the outermost of several are
// kept as OuterSrc and OuterDst; all but the innermost tell tunnels apart.
func (d *Decoder) addrs(src, dst netip.Addr) {
	if from := d.Src.Addr(); from.IsValid() {
		to := d.Dst.Addr()
		if !d.OuterSrc.IsValid() {
			d.OuterSrc, d.OuterDst = from, to
		}
		d.tunnel = hashAddr(hashAddr(d.tunnel, from), to)
	}
	d.Src, d.Dst = netip.AddrPortFrom(src, 0), netip.AddrPortFrom(dst, 0)
}

// ipv4 reads an IPv4 header, RFC 791 §3.1. Options are skipped, not read: a
// source route leaves Dst the next hop.
//
// It is ours because gopacket's refuses a packet for its options, also for the
// legal ones of two bytes, and an observer must not lose a call to them.
//
// A total length beyond the frame is a cut, whether or not the capture says so:
// many tools write the captured length for both. A total length of 0 comes from
// segmentation offload and means all there is.
func ipv4(d *Decoder, b []byte) (Layer, []byte, Drop) {
	if len(b) < 20 {
		return LayerNone, nil, ShortHeader
	}
	header, total := int(b[0]&0x0f)*4, int(binary.BigEndian.Uint16(b[2:]))
	if b[0]>>4 != 4 || header < 20 {
		return LayerNone, nil, BadHeader
	}
	if total != 0 {
		if total < header {
			return LayerNone, nil, BadLength
		}
		d.beyond = max(total-len(b), 0)
		if d.Cut = total > len(b); !d.Cut {
			b = b[:total] // the rest is padding or an Ethernet trailer
		}
	}
	if len(b) < header {
		return LayerNone, nil, ShortHeader
	}
	d.six = false
	d.addrs(netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20])))
	d.IPID = uint32(binary.BigEndian.Uint16(b[4:]))

	const moreFragments, offsetMask = 0x2000, 0x1fff
	place := binary.BigEndian.Uint16(b[6:])
	if place&(moreFragments|offsetMask) == 0 {
		return d.ipProto(b[9]), b[header:], OK
	}
	return d.assemble(b[9], int(place&offsetMask)*8, place&moreFragments != 0, b[header:])
}
