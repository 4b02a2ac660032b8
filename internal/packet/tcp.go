package packet

import "encoding/binary"

// tcp reads the ports, RFC 9293 §3.1, so that a counter can say whose segment it
// was. Segments are not put together yet.
func tcp(d *Decoder, b []byte) (Layer, []byte, Drop) {
	if len(b) < 4 {
		return LayerNone, nil, ShortHeader
	}
	d.ports(TCP, binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:]))
	return LayerNone, nil, DropTCP
}

// sctp reads the ports, RFC 9260 §3.1. Chunks are not read yet.
func sctp(d *Decoder, b []byte) (Layer, []byte, Drop) {
	if len(b) < 4 {
		return LayerNone, nil, ShortHeader
	}
	d.ports(SCTP, binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:]))
	return LayerNone, nil, DropSCTP
}
