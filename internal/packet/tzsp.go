package packet

import "encoding/binary"

// tzsp reads a TZSP header, as MikroTik's routers and Wireshark have it: version,
// type, what is inside, and tagged fields up to the one that ends them.
func tzsp(_ *Decoder, b []byte) (Layer, []byte, Drop) {
	const received, forTransmit = 0, 1
	const padding, end = 0, 1
	const ethernetFrame, ieee80211 = 1, 18
	if len(b) < 4 {
		return LayerNone, nil, ShortHeader
	}
	if b[0] != 1 {
		return LayerNone, nil, BadHeader
	}
	if b[1] != received && b[1] != forTransmit { // a keep-alive, or for the sniffer itself
		return LayerNone, nil, NotTransport
	}
	inside := binary.BigEndian.Uint16(b[2:])
	b = b[4:]
	for {
		if len(b) == 0 {
			return LayerNone, nil, ShortHeader
		}
		if b[0] == end {
			break
		}
		n := 1
		if b[0] != padding {
			if len(b) < 2 {
				return LayerNone, nil, ShortHeader
			}
			n = 2 + int(b[1])
		}
		if len(b) < n {
			return LayerNone, nil, ShortHeader
		}
		b = b[n:]
	}
	switch inside {
	case ethernetFrame:
		return LayerEthernet, b[1:], OK
	case ieee80211:
		return Layer80211, b[1:], OK
	}
	return LayerNone, nil, UnknownNetwork
}
