package packet

import "encoding/binary"

// radiotap passes the header that a wireless card puts before a frame
// (radiotap.org; all in little-endian). Of its fields only the flags matter here:
// whether the frame's header is padded. A check sequence at the end of the frame
// is behind what IP says is its length.
//
// It is ours because gopacket's reads all fields, and beyond a short header.
func radiotap(d *Decoder, b []byte) (Layer, []byte, Drop) {
	const timestamp, flags, more = 1 << 0, 1 << 1, 1 << 31
	const padded = 0x20
	if len(b) < 8 {
		return LayerNone, nil, ShortHeader
	}
	n := int(binary.LittleEndian.Uint16(b[2:]))
	if b[0] != 0 || n < 8 {
		return LayerNone, nil, BadHeader
	}
	if len(b) < n {
		return LayerNone, nil, ShortHeader
	}
	header := b[:n]
	present := binary.LittleEndian.Uint32(header[4:])
	at := 8
	for word := present; word&more != 0; at += 4 {
		if len(header) < at+4 {
			return LayerNone, nil, BadHeader
		}
		word = binary.LittleEndian.Uint32(header[at:])
	}
	if present&timestamp != 0 {
		at = (at+7)&^7 + 8
	}
	d.padded = present&flags != 0 && at < len(header) && header[at]&padded != 0
	return Layer80211, b[n:], OK
}

// ieee80211 reads the header of a data frame, IEEE 802.11-2020 §9.2 and §9.3.2.
// What is encrypted (most of it is, unless the card has the key), in fragments, or
// several frames in one (A-MSDU), is refused.
func ieee80211(d *Decoder, b []byte) (Layer, []byte, Drop) {
	const (
		data, noData, quality                               = 2, 4, 8 // type; bits of the subtype
		toDS, fromDS, moreFragments, protected, highControl = 0x01, 0x02, 0x04, 0x40, 0x80
		aggregate                                           = 0x80
	)
	if len(b) < 24 {
		return LayerNone, nil, ShortHeader
	}
	subtype, flags := b[0]>>4, b[1]
	if b[0]&3 != 0 {
		return LayerNone, nil, BadHeader
	}
	if b[0]>>2&3 != data || subtype&noData != 0 {
		return LayerNone, nil, NotIP
	}
	if flags&protected != 0 {
		return LayerNone, nil, Encrypted
	}
	if flags&moreFragments != 0 || b[22]&0x0f != 0 {
		return LayerNone, nil, UnknownNetwork
	}
	n, to, from := 24, 4, 10
	switch flags & (toDS | fromDS) {
	case toDS:
		to = 16
	case fromDS:
		from = 16
	case toDS | fromDS:
		to, from, n = 16, 24, 30
	}
	if subtype&quality != 0 {
		if len(b) < n+2 {
			return LayerNone, nil, ShortHeader
		}
		if b[n]&aggregate != 0 {
			return LayerNone, nil, UnknownNetwork
		}
		if n += 2; flags&highControl != 0 {
			n += 4
		}
	}
	if d.padded {
		n = (n + 3) &^ 3
		d.padded = false
	}
	if len(b) < n {
		return LayerNone, nil, ShortHeader
	}
	d.DstMAC, d.SrcMAC, d.HasMAC = [6]byte(b[to:]), [6]byte(b[from:]), true
	return LayerSNAP, b[n:], OK
}

// snap reads the header of IEEE 802.2 LLC with the extension that holds an
// EtherType, RFC 1042.
func snap(_ *Decoder, b []byte) (Layer, []byte, Drop) {
	if len(b) < 8 {
		return LayerNone, nil, ShortHeader
	}
	if b[0] != 0xaa || b[1] != 0xaa || b[2] != 3 || b[3] != 0 || b[4] != 0 || b[5] != 0 && b[5] != 0xf8 {
		return LayerNone, nil, NotIP
	}
	return etherType(binary.BigEndian.Uint16(b[6:])), b[8:], OK
}
