package packet

import "encoding/binary"

// l2tp reads the header of an L2TP data message, RFC 2661 §3.1, in which a PPP
// frame follows. Control messages carry none, and version 3 (RFC 3931) is not
// read: its header is as long as the two ends agreed on before.
func l2tp(d *Decoder, b []byte) (Layer, []byte, Drop) {
	const control, length, sequence, offset, reserved = 0x8000, 0x4000, 0x0800, 0x0200, 0x34f0
	if len(b) < 6 {
		return LayerNone, nil, ShortHeader
	}
	flags := binary.BigEndian.Uint16(b)
	if flags&0x0f != 2 || flags&reserved != 0 {
		return LayerNone, nil, BadHeader
	}
	if flags&control != 0 {
		return LayerNone, nil, NotTransport
	}
	n := 2
	if flags&length != 0 {
		total := int(binary.BigEndian.Uint16(b[2:]))
		if n += 2; total < n || total > len(b) && !d.Cut {
			return LayerNone, nil, BadLength
		}
		b = b[:min(total, len(b))]
	}
	idAt := n
	n += 4 // tunnel and session
	if flags&sequence != 0 {
		n += 4
	}
	if flags&offset != 0 {
		if len(b) < n+2 {
			return LayerNone, nil, ShortHeader
		}
		n += 2 + int(binary.BigEndian.Uint16(b[n:]))
	}
	if len(b) < n {
		return LayerNone, nil, ShortHeader
	}
	d.mix(binary.BigEndian.Uint32(b[idAt:]))
	return LayerPPP, b[n:], OK
}
