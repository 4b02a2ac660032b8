package packet

import "encoding/binary"

// geneve reads a Geneve header, RFC 8926 §3.4. Options are skipped. A control
// packet carries no frame. The network identifier tells tunnels apart.
//
// It is ours because gopacket's allocates for each option and never empties its
// list of them.
func geneve(d *Decoder, b []byte) (Layer, []byte, Drop) {
	const control = 0x80
	if len(b) < 8 {
		return LayerNone, nil, ShortHeader
	}
	if b[0]>>6 != 0 {
		return LayerNone, nil, BadHeader
	}
	n := 8 + int(b[0]&0x3f)*4
	if len(b) < n {
		return LayerNone, nil, ShortHeader
	}
	if b[1]&control != 0 {
		return LayerNone, nil, NotTransport
	}
	d.mix(binary.BigEndian.Uint32(b[4:]) >> 8)
	return etherType(binary.BigEndian.Uint16(b[2:])), b[n:], OK
}
