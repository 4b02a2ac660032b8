package packet

import "encoding/binary"

// maxLabels bounds a label stack; eight are many.
const maxLabels = 32

// mpls reads a label stack, RFC 3032 §2.1, to its bottom. Nothing says what
// follows: the first half byte tells IPv4 and IPv6 (RFC 4928 §2), and what is
// neither is an Ethernet pseudo-wire (RFC 4448), with a control word (RFC 4385
// §3) or without. A destination address may begin like an IP version or like a
// control word; then the EtherType decides.
//
// Labels don't tell tunnels apart: an entropy label (RFC 6790) is another one for
// each flow, and for each fragment of a datagram.
func mpls(d *Decoder, b []byte) (Layer, []byte, Drop) {
	const bottom = 1 // in the third byte
	for n := 1; ; n++ {
		if len(b) < 4 {
			return LayerNone, nil, ShortHeader
		}
		last := b[2]&bottom != 0
		b = b[4:]
		if last {
			break
		}
		if n == maxLabels {
			return LayerNone, nil, BadHeader
		}
	}
	if len(b) == 0 {
		return LayerNone, nil, ShortHeader
	}
	const controlWord, channel = 0, 1
	switch version := b[0] >> 4; {
	case version == 4 && (isIPv4(b) || !d.isEthernet(b)):
		return LayerIPv4, b, OK
	case version == 6 && (isIPv6(b) || !d.isEthernet(b)):
		return LayerIPv6, b, OK
	case version == controlWord && len(b) > 4 && d.isEthernet(b[4:]):
		return LayerEthernet, b[4:], OK
	case d.isEthernet(b):
		return LayerEthernet, b, OK
	case version == channel: // an associated channel, RFC 5586: management
		return LayerNone, nil, NotIP
	}
	return LayerNone, nil, UnknownNetwork
}

// isEthernet reports whether b begins like an Ethernet frame: with an EtherType
// that is known, or a length (IEEE 802.3) that can be.
func (d *Decoder) isEthernet(b []byte) bool {
	if len(b) < 14 {
		return false
	}
	n := binary.BigEndian.Uint16(b[12:])
	if n < 0x0600 {
		return n >= 3 && int(n) <= len(b)-14 // LLC alone is 3 bytes
	}
	return d.ether.find(n) != LayerNone || strange(n) == NotIP
}

// isIPv4 reports whether b begins like an IPv4 packet that is as long as it says.
func isIPv4(b []byte) bool {
	if len(b) < 20 || b[0]>>4 != 4 {
		return false
	}
	header, total := int(b[0]&0x0f)*4, int(binary.BigEndian.Uint16(b[2:]))
	return header >= 20 && total >= header && total <= len(b)
}

// isIPv6 is the same for IPv6.
func isIPv6(b []byte) bool {
	return len(b) >= 40 && b[0]>>4 == 6 && 40+int(binary.BigEndian.Uint16(b[4:])) <= len(b)
}
