package siptest

import (
	"encoding/binary"
	"slices"
	"sync/atomic"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// A Carrier is one way for a frame to reach the program. Wrap takes an Ethernet
// frame as UDPFrame makes it, borrows it, and returns the frames that carry it,
// which the caller owns. They have its Time and Source.
type Carrier struct {
	Name   string
	Wrap   func(f packet.Frame) []packet.Frame
	Tunnel bool // a kernel's filter can't look inside and lets all of it through
}

// Carriers are all of them. The program must make the same of every one.
var Carriers = slices.Concat(plainCarriers, tunnelCarriers, hepCarriers)

// plainCarriers are link types, tags and fragments; tunnelCarriers stand in
// tunnel.go, hepCarriers in hep.go.
var plainCarriers = []Carrier{
	{"plain", func(f packet.Frame) []packet.Frame { return one(f, packet.LinkEthernet, f.Data) }, false},
	{"trailer", func(f packet.Frame) []packet.Frame { return one(f, packet.LinkEthernet, join(f.Data, trailer)) }, false},
	{"vlan", func(f packet.Frame) []packet.Frame { return VLAN(f, 0x8100, 838) }, false},
	{"qinq", func(f packet.Frame) []packet.Frame { return inside(VLAN(f, 0x8100, 420), 0x88a8, 838) }, false},
	{"qinq-9100", func(f packet.Frame) []packet.Frame { return inside(VLAN(f, 0x8100, 420), 0x9100, 838) }, false},
	{"vlan-3", func(f packet.Frame) []packet.Frame { return inside(inside(VLAN(f, 0x8100, 1), 0x8100, 2), 0x88a8, 3) }, false},
	{"sll", SLL, false},
	{"sll-vlan", func(f packet.Frame) []packet.Frame { return SLL(VLAN(f, 0x8100, 838)[0]) }, false},
	{"sll2", SLL2, false},
	{"null", func(f packet.Frame) []packet.Frame {
		return one(f, packet.LinkNull, join([]byte{family(f), 0, 0, 0}, f.Data[14:]))
	}, false},
	{"null-big-endian", func(f packet.Frame) []packet.Frame {
		return one(f, packet.LinkNull, join([]byte{0, 0, 0, family(f)}, f.Data[14:]))
	}, false},
	{"loop", func(f packet.Frame) []packet.Frame {
		return one(f, packet.LinkLoop, join([]byte{0, 0, 0, family(f)}, f.Data[14:]))
	}, false},
	{"raw", func(f packet.Frame) []packet.Frame { return one(f, packet.LinkRaw, f.Data[14:]) }, false},
	{"ip-options", func(f packet.Frame) []packet.Frame { return one(f, packet.LinkEthernet, options(f.Data)) }, false},
	{"no-udp-length", func(f packet.Frame) []packet.Frame {
		return one(f, packet.LinkEthernet, zeroed(f.Data, udpAt(f.Data)+4, 2))
	}, false},
	{"no-ip-length", func(f packet.Frame) []packet.Frame {
		return one(f, packet.LinkEthernet, zeroed(f.Data, ipLengthAt(f.Data), 2))
	}, false},
	{"fragments", func(f packet.Frame) []packet.Frame { return Fragments(f, 304) }, false},
	{"fragments-8", func(f packet.Frame) []packet.Frame { return Fragments(f, 8) }, false},
	{"fragments-reversed", func(f packet.Frame) []packet.Frame { return reversed(Fragments(f, 304)) }, false},
	{"fragments-twice", func(f packet.Frame) []packet.Frame { return twice(Fragments(f, 304)) }, false},
	{"fragments-options", func(f packet.Frame) []packet.Frame { f.Data = options(f.Data); return Fragments(f, 304) }, false},
	{"fragments-qinq", func(f packet.Frame) []packet.Frame {
		return inside(each(Fragments(f, 304), func(f packet.Frame) []packet.Frame { return VLAN(f, 0x8100, 420) }), 0x88a8, 838)
	}, false},
	{"fragments-sll", func(f packet.Frame) []packet.Frame { return each(reversed(Fragments(f, 304)), SLL) }, false},
	{"hep1", func(f packet.Frame) []packet.Frame { return HEP(f, 1, false) }, true},
	{"hep2", func(f packet.Frame) []packet.Frame { return HEP(f, 2, false) }, true},
	{"hep3", func(f packet.Frame) []packet.Frame { return HEP(f, 3, false) }, true},
	{"hep3-gzip", func(f packet.Frame) []packet.Frame { return HEP(f, 3, true) }, true},
	{"hep3-socket", func(f packet.Frame) []packet.Frame { return one(f, packet.LinkHEP, HEPPacket(f, 3, false)) }, true},
	{"hep3-vlan", func(f packet.Frame) []packet.Frame { return inside(HEP(f, 3, false), 0x8100, 838) }, true},
	{"hep3-fragments", func(f packet.Frame) []packet.Frame { return Fragments(HEP(f, 3, false)[0], 304) }, true},
}

var trailer = []byte{0xde, 0xad, 0xbe, 0xef, 'S', 'I', 'P', '/', '2', '.', '0'}

// VLAN puts a tag into an Ethernet frame. It borrows f; the caller owns what it
// returns. The same is true of the wrappers below.
func VLAN(f packet.Frame, etherType, id uint16) []packet.Frame {
	tag := binary.BigEndian.AppendUint16(nil, etherType)
	tag = binary.BigEndian.AppendUint16(tag, 3<<13|id) // priority 3
	return one(f, packet.LinkEthernet, join(f.Data[:12], tag, f.Data[12:]))
}

// SLL makes a Linux cooked frame, version 1, of an Ethernet frame.
func SLL(f packet.Frame) []packet.Frame {
	return one(f, packet.LinkSLL, join(
		[]byte{0, 0, 0, 1, 0, 6}, f.Data[6:12], []byte{0, 0}, // to us, Ethernet, 6 bytes of address
		f.Data[12:]))
}

// SLL2 makes a Linux cooked frame, version 2, of an Ethernet frame.
func SLL2(f packet.Frame) []packet.Frame {
	return one(f, packet.LinkSLL2, join(
		f.Data[12:14], []byte{0, 0, 0, 0, 0, 7, 0, 1, 0, 6}, f.Data[6:12], []byte{0, 0}, // interface 7, Ethernet, to us
		f.Data[14:]))
}

var identification atomic.Uint32

// Fragments cuts the IP payload of an Ethernet frame into pieces of size bytes,
// a multiple of 8. A frame that fits is returned whole. Each call takes another
// identification.
func Fragments(f packet.Frame, size int) []packet.Frame {
	id := identification.Add(1)
	at := udpAt(f.Data)
	header, payload := f.Data[:at], f.Data[at:]
	if len(payload) <= size {
		return one(f, packet.LinkEthernet, f.Data)
	}
	var out []packet.Frame
	for offset := 0; offset < len(payload); offset += size {
		piece := payload[offset:min(offset+size, len(payload))]
		more := offset+len(piece) < len(payload)
		if header[14]>>4 == 4 {
			out = append(out, one(f, packet.LinkEthernet, fragment4(header, piece, id, offset, more))...)
		} else {
			out = append(out, one(f, packet.LinkEthernet, fragment6(header, piece, id, offset, more))...)
		}
	}
	return out
}

func fragment4(header, piece []byte, id uint32, offset int, more bool) []byte {
	b := join(header, piece)
	place := uint16(offset / 8)
	if more {
		place |= 0x2000
	}
	binary.BigEndian.PutUint16(b[16:], uint16(len(b)-14)) // total length
	binary.BigEndian.PutUint16(b[18:], uint16(id))
	binary.BigEndian.PutUint16(b[20:], place)
	sumIPv4(b[14:len(header)])
	return b
}

// fragment6 puts the fragment header before the UDP header, so a destination
// options header stays in the part that is not cut.
func fragment6(header, piece []byte, id uint32, offset int, more bool) []byte {
	place := uint16(offset)
	if more {
		place |= 1
	}
	next := header[20]
	if len(header) > 14+40 {
		next = header[14+40]
	}
	extension := []byte{next, 0}
	extension = binary.BigEndian.AppendUint16(extension, place)
	extension = binary.BigEndian.AppendUint32(extension, id)
	b := join(header, extension, piece)
	binary.BigEndian.PutUint16(b[18:], uint16(len(b)-14-40)) // payload length
	if len(header) == 14+40 {
		b[20] = 44
	} else {
		b[14+40] = 44 // next header of the options
	}
	return b
}

// options puts a router alert into the IPv4 header, or a hop-by-hop header with
// one behind the IPv6 header.
func options(frame []byte) []byte {
	if frame[14]>>4 == 4 {
		b := join(frame[:34], []byte{148, 4, 0, 0}, frame[34:]) // RFC 2113
		b[14] = 0x46
		binary.BigEndian.PutUint16(b[16:], uint16(len(b)-14))
		sumIPv4(b[14:38])
		return b
	}
	b := join(frame[:54], []byte{frame[20], 0, 5, 2, 0, 0, 1, 0}, frame[54:]) // RFC 2711, padded by 2 bytes
	b[20] = 0
	binary.BigEndian.PutUint16(b[18:], uint16(len(b)-54))
	return b
}

// udpAt is where the UDP header of an untagged Ethernet frame starts.
func udpAt(frame []byte) int {
	if frame[14]>>4 == 4 {
		return 14 + int(frame[14]&15)*4
	}
	if frame[20] == 0 { // hop-by-hop
		return 14 + 40 + 8
	}
	return 14 + 40
}

func ipLengthAt(frame []byte) int {
	if frame[14]>>4 == 4 {
		return 16
	}
	return 18
}

func zeroed(frame []byte, at, n int) []byte {
	b := slices.Clone(frame)
	clear(b[at : at+n])
	return b
}

// family is the address family of a BSD loopback header: 2, or 30 as macOS has
// it for IPv6.
func family(f packet.Frame) byte {
	if f.Data[14]>>4 == 4 {
		return 2
	}
	return 30
}

func one(f packet.Frame, link packet.Link, data []byte) []packet.Frame {
	f.Link, f.Data = link, slices.Clone(data)
	f.Wire = len(data)
	return []packet.Frame{f}
}

func join(parts ...[]byte) []byte { return slices.Concat(parts...) }

func inside(frames []packet.Frame, etherType, id uint16) []packet.Frame {
	return each(frames, func(f packet.Frame) []packet.Frame { return VLAN(f, etherType, id) })
}

func each(frames []packet.Frame, wrap func(packet.Frame) []packet.Frame) []packet.Frame {
	var out []packet.Frame
	for _, f := range frames {
		out = append(out, wrap(f)...)
	}
	return out
}

func reversed(frames []packet.Frame) []packet.Frame {
	slices.Reverse(frames)
	return frames
}

func twice(frames []packet.Frame) []packet.Frame {
	return each(frames, func(f packet.Frame) []packet.Frame { return []packet.Frame{f, f} })
}
