package packet

import "encoding/binary"

// gtp reads a GTP-U header, 3GPP TS 29.281 §5.1, and its chain of extension
// headers, §5.2. Only a G-PDU carries a packet, which is IPv4 or IPv6 by its
// version. The tunnel endpoint identifier tells tunnels apart.
//
// It is ours because gopacket's allocates for each extension header, never empties
// its list of them, and reckons lengths in 16 bits.
func gtp(d *Decoder, b []byte) (Layer, []byte, Drop) {
	const versionAndType, version1, extension, optional = 0xf0, 0x30, 0x04, 0x07
	const gPDU = 255
	if len(b) < 8 {
		return LayerNone, nil, ShortHeader
	}
	if b[0]&versionAndType != version1 {
		return LayerNone, nil, BadHeader
	}
	if b[1] != gPDU {
		return LayerNone, nil, NotTransport
	}
	end := min(8+int(binary.BigEndian.Uint16(b[2:])), len(b)) // the IP header says whether something is missing
	id, rest := binary.BigEndian.Uint32(b[4:]), b[8:end]
	if b[0]&optional != 0 {
		if len(rest) < 4 {
			return LayerNone, nil, ShortHeader
		}
		next := rest[3]
		rest = rest[4:]
		for b[0]&extension != 0 && next != 0 {
			if len(rest) == 0 {
				return LayerNone, nil, ShortHeader
			}
			n := int(rest[0]) * 4
			if n == 0 {
				return LayerNone, nil, BadHeader
			}
			if len(rest) < n {
				return LayerNone, nil, ShortHeader
			}
			next, rest = rest[n-1], rest[n:]
		}
	}
	d.mix(id)
	return LayerRawIP, rest, OK
}
