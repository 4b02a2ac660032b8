package packet

import "encoding/binary"

// Numbers in the place of an EtherType that GRE gives a meaning of its own.
const (
	greTEB     = 0x6558 // an Ethernet frame, RFC 1701
	grePPP     = 0x880b // RFC 2637
	greERSPAN  = 0x88be // ERSPAN I and II
	greERSPAN3 = 0x22eb
)

// gre reads a GRE header, RFC 2784 and, with key and sequence number, RFC 2890.
// The routing of RFC 1701 is refused, as RFC 2784 §2.3 wants it. The checksum is
// not verified.
//
// A key tells tunnels apart (Packet.PathHash); of one before an Ethernet frame
// only the upper 24 bits, for NVGRE keeps a number of the flow in the rest, RFC
// 7637 §3.2.
//
// It is ours because gopacket's panics on a short header and allocates for routes.
func gre(d *Decoder, b []byte) (Layer, []byte, Drop) {
	const checksum, routing, key, sequence = 0x80, 0x40, 0x20, 0x10
	if len(b) < 4 {
		return LayerNone, nil, ShortHeader
	}
	flags, protocol := b[0], binary.BigEndian.Uint16(b[2:])
	version := b[1] & 7
	if version == 1 {
		return pptp(b)
	}
	if version != 0 || flags&routing != 0 {
		return LayerNone, nil, BadHeader
	}
	n, keyAt := 4, 4
	if flags&checksum != 0 {
		n, keyAt = n+4, keyAt+4
	}
	if flags&key != 0 {
		n += 4
	}
	if flags&sequence != 0 {
		n += 4
	}
	if len(b) < n {
		return LayerNone, nil, ShortHeader
	}
	if flags&key != 0 {
		id := binary.BigEndian.Uint32(b[keyAt:])
		if protocol == greTEB {
			id >>= 8
		}
		d.mix(id)
	}
	switch {
	case protocol == greERSPAN && flags&sequence != 0:
		return LayerERSPAN2, b[n:], OK
	case protocol == greERSPAN:
		return LayerERSPAN1, b[n:], OK
	case protocol == greERSPAN3:
		return LayerERSPAN3, b[n:], OK
	case protocol == grePPP:
		return LayerPPP, b[n:], OK
	}
	return etherType(protocol), b[n:], OK
}

// pptp reads the enhanced GRE header of PPTP, RFC 2637 §4.1: the key is the length
// of what follows and a call identifier, and without a sequence number nothing
// follows.
func pptp(b []byte) (Layer, []byte, Drop) {
	const key, sequence, acknowledged = 0x20, 0x10, 0x80 // the last in the second byte
	if len(b) < 8 {
		return LayerNone, nil, ShortHeader
	}
	if binary.BigEndian.Uint16(b[2:]) != grePPP || b[0]&key == 0 || b[0]&0xcf != 0 {
		return LayerNone, nil, BadHeader
	}
	if b[0]&sequence == 0 {
		return LayerNone, nil, NotTransport
	}
	n, length := 12, int(binary.BigEndian.Uint16(b[4:]))
	if b[1]&acknowledged != 0 {
		n += 4
	}
	if len(b) < n {
		return LayerNone, nil, ShortHeader
	}
	return LayerPPP, b[n:min(n+length, len(b))], OK
}
