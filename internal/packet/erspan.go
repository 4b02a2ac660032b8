package packet

import (
	"encoding/binary"

	"github.com/google/gopacket"
)

// The three types of ERSPAN, draft-foschiano-erspan-03: a mirrored Ethernet frame
// in GRE. What their headers say of the frame's VLAN is not read: where the tag
// was taken off, it is not part of the frame. The number of the session tells
// mirror points apart.

// erspan1 has no header.
func erspan1(_ *Decoder, b []byte) (Layer, []byte, Drop) { return LayerEthernet, b, OK }

// erspan2 reads the header of type II. There are senders of type I that number
// their packets, which is how GRE announces type II: they are told by what is an
// Ethernet header.
func erspan2(d *Decoder, b []byte) (Layer, []byte, Drop) {
	if len(b) < 8 {
		return LayerNone, nil, ShortHeader
	}
	if b[0]>>4 != 1 {
		if d.isEthernet(b) {
			return LayerEthernet, b, OK
		}
		return LayerNone, nil, BadHeader
	}
	if err := d.span.DecodeFromBytes(b, gopacket.NilDecodeFeedback); err != nil {
		return LayerNone, nil, ShortHeader
	}
	d.mix(uint32(d.span.SessionID))
	return LayerEthernet, d.span.Payload, OK
}

// erspan3 reads the header of type III, which gopacket has not: 12 bytes, and 8
// more for the platform where the last bit says so.
func erspan3(d *Decoder, b []byte) (Layer, []byte, Drop) {
	const ethernetFrame, ipPacket = 0, 2 // frame type
	n := 12
	if len(b) < n {
		return LayerNone, nil, ShortHeader
	}
	if b[0]>>4 != 2 {
		return LayerNone, nil, BadHeader
	}
	if b[11]&1 != 0 {
		n += 8
	}
	if len(b) < n {
		return LayerNone, nil, ShortHeader
	}
	d.mix(uint32(binary.BigEndian.Uint16(b[2:]) & 0x03ff))
	switch b[10] >> 2 & 0x1f {
	case ethernetFrame:
		return LayerEthernet, b[n:], OK
	case ipPacket:
		return LayerRawIP, b[n:], OK
	}
	return LayerNone, nil, UnknownNetwork
}
