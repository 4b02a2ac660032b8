package packet

import "encoding/binary"

// vxlan reads a VXLAN header, RFC 7348 §5, with the group policy extension, and
// the one of VXLAN-GPE, draft-ietf-nvo3-vxlan-gpe, which its flag P tells apart on
// any of the ports. All other flags must be 0: text on such a port is no tunnel.
// The identifier tells tunnels apart.
//
// It is ours because gopacket's does not know GPE.
func vxlan(d *Decoder, b []byte) (Layer, []byte, Drop) {
	const identifier, policy, nextProtocol = 0x08, 0x80, 0x04
	if len(b) < 8 {
		return LayerNone, nil, ShortHeader
	}
	if b[0]&identifier == 0 || b[0]&^(identifier|policy|nextProtocol) != 0 {
		return LayerNone, nil, BadHeader
	}
	d.mix(binary.BigEndian.Uint32(b[4:]) >> 8)
	if b[0]&nextProtocol == 0 {
		return LayerEthernet, b[8:], OK
	}
	switch b[3] {
	case 1:
		return LayerIPv4, b[8:], OK
	case 2:
		return LayerIPv6, b[8:], OK
	case 3:
		return LayerEthernet, b[8:], OK
	case 5:
		return LayerMPLS, b[8:], OK
	}
	return LayerNone, nil, UnknownNetwork
}
