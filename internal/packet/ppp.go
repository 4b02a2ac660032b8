package packet

import "encoding/binary"

// pppoe reads the header of a PPPoE session, RFC 2516 §4; gopacket's is no layer
// to reuse. What is beyond the length is padding. Discovery has an EtherType of
// its own.
func pppoe(_ *Decoder, b []byte) (Layer, []byte, Drop) {
	const versionAndType, session = 0x11, 0
	if len(b) < 6 {
		return LayerNone, nil, ShortHeader
	}
	if b[0] != versionAndType || b[1] != session {
		return LayerNone, nil, BadHeader
	}
	end := 6 + int(binary.BigEndian.Uint16(b[4:]))
	return LayerPPP, b[6:min(end, len(b))], OK
}

// ppp reads the protocol field, RFC 1661 §2, of one byte where it is compressed
// (§6.5), behind the address and control fields of RFC 1662 §3.1 where they are
// there. A capture of a serial line may turn out to be one of Cisco's HDLC.
func ppp(d *Decoder, b []byte) (Layer, []byte, Drop) {
	if len(b) >= 2 && b[0] == 0xff && b[1] == 0x03 {
		b = b[2:]
	} else if isCiscoHDLC(b) {
		return ciscoHDLC(d, b)
	}
	if len(b) == 0 {
		return LayerNone, nil, ShortHeader
	}
	protocol, n := uint16(b[0]), 1
	if b[0]&1 == 0 {
		if len(b) < 2 {
			return LayerNone, nil, ShortHeader
		}
		protocol, n = binary.BigEndian.Uint16(b), 2
	}
	switch {
	case protocol == 0x0021:
		return LayerIPv4, b[n:], OK
	case protocol == 0x0057: // RFC 5072
		return LayerIPv6, b[n:], OK
	case protocol == 0x0281, protocol == 0x0283: // RFC 3032 §4.3
		return LayerMPLS, b[n:], OK
	case protocol >= 0x4000: // control protocols
		return LayerNone, nil, NotIP
	}
	return LayerNone, nil, UnknownNetwork // compressed headers, multilink, bridging
}

// isCiscoHDLC reports whether b begins with the address (to one, to all) and
// control field of Cisco's HDLC. No protocol of PPP looks like that.
func isCiscoHDLC(b []byte) bool {
	return len(b) >= 4 && (b[0] == 0x0f || b[0] == 0x8f) && b[1] == 0
}

// ciscoHDLC reads the header of Cisco's HDLC, RFC 1547 §4.3.1: address, control,
// and an EtherType.
func ciscoHDLC(_ *Decoder, b []byte) (Layer, []byte, Drop) {
	if len(b) < 4 {
		return LayerNone, nil, ShortHeader
	}
	if !isCiscoHDLC(b) {
		return LayerNone, nil, BadHeader
	}
	return etherType(binary.BigEndian.Uint16(b[2:])), b[4:], OK
}
