package packet

import (
	"encoding/binary"

	"github.com/google/gopacket"
)

// ethernet reads an Ethernet header. The length check comes first because
// gopacket's refusal is an error value. A length in the place of the EtherType
// (IEEE 802.3) comes back as EtherType 0, which is not IP.
func ethernet(d *Decoder, b []byte) (Layer, []byte, Drop) {
	if len(b) < 14 {
		return LayerNone, nil, ShortHeader
	}
	if err := d.eth.DecodeFromBytes(b, gopacket.NilDecodeFeedback); err != nil {
		return LayerNone, nil, ShortHeader
	}
	d.DstMAC, d.SrcMAC, d.HasMAC = [6]byte(d.eth.DstMAC), [6]byte(d.eth.SrcMAC), true
	return etherType(uint16(d.eth.EthernetType)), d.eth.Payload, OK
}

// vlan reads an IEEE 802.1Q or 802.1ad tag. An identifier of 0 (a priority tag)
// is kept like any other: it tells two mirror points apart.
func vlan(d *Decoder, b []byte) (Layer, []byte, Drop) {
	if len(b) < 4 {
		return LayerNone, nil, ShortHeader
	}
	if err := d.tag.DecodeFromBytes(b, gopacket.NilDecodeFeedback); err != nil {
		return LayerNone, nil, ShortHeader
	}
	d.vlanID(d.tag.VLANIdentifier)
	rest := d.tag.Payload
	if d.cooked && halfTag(uint16(d.tag.Type), rest) {
		d.vlanID((uint16(rest[0])<<8 | uint16(rest[1])) & 0x0fff)
		rest = rest[4:]
	}
	return etherType(uint16(d.tag.Type)), rest, OK
}

func (d *Decoder) vlanID(id uint16) {
	if len(d.VLANs) < maxVLANs {
		d.VLANs = append(d.VLANs, id)
	}
}

// pbb reads the service tag of a provider backbone bridge, IEEE 802.1ah: flags and
// a service identifier, then the customer's frame with its own addresses. The
// identifier tells tunnels apart.
func pbb(d *Decoder, b []byte) (Layer, []byte, Drop) {
	if len(b) < 4 {
		return LayerNone, nil, ShortHeader
	}
	d.mix(binary.BigEndian.Uint32(b) & 0xffffff)
	return LayerEthernet, b[4:], OK
}

// vnTag reads Cisco's VN-Tag, which names the virtual interfaces that a frame goes
// between: 4 bytes and an EtherType.
func vnTag(_ *Decoder, b []byte) (Layer, []byte, Drop) {
	if len(b) < 6 {
		return LayerNone, nil, ShortHeader
	}
	return etherType(binary.BigEndian.Uint16(b[4:])), b[6:], OK
}
