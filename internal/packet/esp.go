package packet

import (
	"encoding/binary"
)

// ESP with NULL encryption (RFC 4303, RFC 2410), as phones of an IMS use it to
// their proxy, is readable: only an integrity value follows the packet. Nothing in
// the packet says that it is not encrypted, nor how long that value is, so both
// are guessed by the trailer, as RFC 5879 describes it: what has to be there
// (alignment, padding of 1, 2, 3 ..., a next header that is worth reading, a
// header there whose length agrees) is there by chance in less than one encrypted
// packet of 100,000.
//
// The guess that was right is tried first for the next packet of the same security
// parameters index to the same address. It is checked like any other, so whoever
// sends packets with a wrong one decides nothing beyond them.

// A shape is what stands before and behind the packet inside.
type shape struct{ iv, icv int } // bytes

// shapes in the order in which they are tried: RFC 5879 §8.
var shapes = [...]shape{
	{0, 12}, // HMAC-MD5-96, HMAC-SHA1-96: RFC 2403, RFC 2404
	{0, 16}, // HMAC-SHA-256-128: RFC 4868
	{8, 16}, // AES-GMAC: RFC 4543
	{0, 0},  // no integrity
	{0, 24}, // HMAC-SHA-384-192
	{0, 32}, // HMAC-SHA-512-256
}

// A security is what the last packet of an index was like.
type security struct {
	key   uint32
	shape uint8 // place in shapes
	next  uint8 // next header; 0 where the entry is unused
}

// securities is how many are remembered: the newer takes the place of the older.
const securities = 1024

// esp reads ESP that is not encrypted, over IP or in UDP (RFC 3948). There an index
// of 0 is the mark of IKE; over IP it is reserved.
func esp(d *Decoder, b []byte) (Layer, []byte, Drop) {
	if len(b) < 8 {
		return LayerNone, nil, ShortHeader
	}
	index := binary.BigEndian.Uint32(b)
	if index == 0 {
		return LayerNone, nil, BadHeader
	}
	key := d.dstHash(index)
	s := &d.security[key%securities]
	known := s.next != 0 && s.key == key
	b = b[8:] // index and sequence number
	if d.Cut {
		return d.espCut(s, known, b)
	}
	if known {
		if next, rest, ok := shapes[s.shape].open(b); ok {
			s.next = next
			return d.espNext(next), rest, OK
		}
	}
	for i, shape := range shapes {
		if next, rest, ok := shape.open(b); ok {
			*s = security{key: key, shape: uint8(i), next: next}
			return d.espNext(next), rest, OK
		}
	}
	return LayerNone, nil, Encrypted
}

// espCut reads a packet whose trailer is missing, by what the last one of the index
// was like.
func (d *Decoder) espCut(s *security, known bool, b []byte) (Layer, []byte, Drop) {
	if !known {
		return LayerNone, nil, Encrypted
	}
	if b = b[min(shapes[s.shape].iv, len(b)):]; !begins(s.next, b) {
		return LayerNone, nil, Encrypted
	}
	d.beyond = 0 // the trailer is missing too, and nobody knows how long its padding was
	return d.espNext(s.next), b, OK
}

// espNext is the layer of a next header. A whole IP packet (tunnel mode) is part of
// ESP, not an IP in IP of its own.
func (d *Decoder) espNext(next uint8) Layer {
	switch next {
	case 4:
		return LayerIPv4
	case 41:
		return LayerIPv6
	}
	return d.ipProto(next)
}

// open takes the packet out of b, the payload of ESP, if b is of this shape.
func (s shape) open(b []byte) (next uint8, rest []byte, ok bool) {
	end := len(b) - s.icv
	if end < s.iv+2 || end%4 != 0 { // RFC 4303 §2.4: the trailer ends on a multiple of 4
		return 0, nil, false
	}
	next, padding := b[end-1], int(b[end-2])
	end -= 2 + padding
	if end < s.iv {
		return 0, nil, false
	}
	for i, v := range b[end : end+padding] {
		if int(v) != i+1 {
			return 0, nil, false
		}
	}
	rest = b[s.iv:end]
	return next, rest, begins(next, rest) && fits(next, rest)
}

// begins reports whether b begins like the protocol that next names, one of those
// that are worth reading.
func begins(next uint8, b []byte) bool {
	switch next {
	case 4:
		return len(b) >= 20 && b[0]>>4 == 4 && b[0]&0x0f >= 5
	case 6:
		const reserved, syn, fin = 0x0e, 0x02, 0x01
		return len(b) >= 20 && b[12]>>4 >= 5 && b[12]&reserved == 0 && b[13]&(syn|fin) != syn|fin
	case 17:
		return len(b) >= 8
	case 41:
		return len(b) >= 40 && b[0]>>4 == 6
	}
	return false
}

// fits reports whether the length that the header of b gives agrees with the length
// of b. A packet in tunnel mode may be followed by padding, RFC 4303 §2.7.
func fits(next uint8, b []byte) bool {
	switch next {
	case 4:
		return isIPv4(b)
	case 6:
		return int(b[12]>>4)*4 <= len(b)
	case 17:
		return int(binary.BigEndian.Uint16(b[4:])) == len(b)
	case 41:
		return isIPv6(b)
	}
	return false
}

// dstHash is a hash of v and the destination address.
func (d *Decoder) dstHash(v uint32) uint32 { return spread(hashAddr(v^fnvBasis, d.Dst.Addr())) }
