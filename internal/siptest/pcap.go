package siptest

import (
	"encoding/binary"
	"io"
	"net/netip"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// UDPFrame lays out an Ethernet frame with an IPv4 or IPv6 header, as the
// addresses ask, and a UDP header, with right lengths and checksums. It copies
// payload; the caller owns the frame.
func UDPFrame(src, dst netip.AddrPort, payload []byte) []byte {
	b := []byte{
		0x02, 0, 0, 0, 0, 2, // to
		0x02, 0, 0, 0, 0, 1, // from
		0x08, 0x00, // EtherType
	}
	length := 8 + len(payload)
	if src.Addr().Is4() {
		b = append(b,
			0x45, 0, byte((20+length)>>8), byte(20+length), // version, header length, total length
			0, 1, 0x40, 0, // identification, don't fragment
			64, 17, 0, 0, // time to live, UDP, checksum
		)
	} else {
		b[12], b[13] = 0x86, 0xdd
		b = append(b,
			0x60, 0, 0, 0, // version
			byte(length>>8), byte(length), 17, 64, // payload length, UDP, hop limit
		)
	}
	b = append(b, src.Addr().AsSlice()...)
	b = append(b, dst.Addr().AsSlice()...)
	if src.Addr().Is4() {
		sumIPv4(b[14:34])
	}
	at := len(b)
	b = binary.BigEndian.AppendUint16(b, src.Port())
	b = binary.BigEndian.AppendUint16(b, dst.Port())
	b = append(b, byte(length>>8), byte(length), 0, 0)
	b = append(b, payload...)

	pseudo := uint32(17 + length)
	pseudo = sum(pseudo, src.Addr().AsSlice())
	pseudo = sum(pseudo, dst.Addr().AsSlice())
	check := fold(sum(pseudo, b[at:]))
	if check == 0 { // RFC 768: 0 means no checksum
		check = 0xffff
	}
	binary.BigEndian.PutUint16(b[at+6:], check)
	return b
}

// sumIPv4 sets the checksum of an IPv4 header.
func sumIPv4(header []byte) {
	header[10], header[11] = 0, 0
	binary.BigEndian.PutUint16(header[10:], fold(sum(0, header)))
}

// sum adds b to a ones' complement sum, RFC 1071.
func sum(s uint32, b []byte) uint32 {
	for ; len(b) > 1; b = b[2:] {
		s += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	return s
}

func fold(s uint32) uint16 {
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return ^uint16(s)
}

// WritePcap writes a capture file: little-endian, in nanoseconds, all frames
// under one link type whatever their own. It borrows frames.
func WritePcap(w io.Writer, link packet.Link, frames []packet.Frame) error {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, 0xa1b23c4d) // nanoseconds
	b = le.AppendUint16(b, 2)             // version 2.4
	b = le.AppendUint16(b, 4)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0) // time zone, accuracy
	b = le.AppendUint32(b, 262144)        // snap length
	b = le.AppendUint32(b, uint32(link))
	for _, f := range frames {
		b = le.AppendUint32(b, uint32(f.Time/1e9))
		b = le.AppendUint32(b, uint32(f.Time%1e9))
		b = le.AppendUint32(b, uint32(len(f.Data)))
		b = le.AppendUint32(b, uint32(max(f.Wire, len(f.Data))))
		b = append(b, f.Data...)
	}
	_, err := w.Write(b)
	return err
}

// WritePcapng writes a pcapng file of one section: little-endian, in
// nanoseconds, an interface for each pair of link type and source. It borrows
// frames.
func WritePcapng(w io.Writer, frames []packet.Frame) error {
	le := binary.LittleEndian
	b := pcapngBlock(nil, 0x0a0d0d0a, func(b []byte) []byte {
		b = le.AppendUint32(b, 0x1a2b3c4d) // byte order
		b = le.AppendUint16(b, 1)          // version 1.0
		b = le.AppendUint16(b, 0)
		return le.AppendUint64(b, ^uint64(0)) // length of the section: not given
	})
	type iface struct {
		link   packet.Link
		source uint32
	}
	ids := map[iface]uint32{}
	for _, f := range frames {
		id, ok := ids[iface{f.Link, f.Source}]
		if !ok {
			id = uint32(len(ids))
			ids[iface{f.Link, f.Source}] = id
			b = pcapngBlock(b, 1, func(b []byte) []byte { // interface description
				b = le.AppendUint16(b, uint16(f.Link))
				b = le.AppendUint16(b, 0)
				b = le.AppendUint32(b, 262144)        // snap length
				b = append(b, 9, 0, 1, 0, 9, 0, 0, 0) // if_tsresol: 10^-9
				return append(b, 0, 0, 0, 0)          // end of options
			})
		}
		b = pcapngBlock(b, 6, func(b []byte) []byte { // enhanced packet
			b = le.AppendUint32(b, id)
			b = le.AppendUint32(b, uint32(uint64(f.Time)>>32))
			b = le.AppendUint32(b, uint32(uint64(f.Time)))
			b = le.AppendUint32(b, uint32(len(f.Data)))
			b = le.AppendUint32(b, uint32(max(f.Wire, len(f.Data))))
			return append(b, f.Data...)
		})
	}
	_, err := w.Write(b)
	return err
}

// pcapngBlock appends a block: type, length, body padded to 4 bytes, length.
func pcapngBlock(b []byte, kind uint32, body func([]byte) []byte) []byte {
	at := len(b)
	b = binary.LittleEndian.AppendUint32(b, kind)
	b = append(b, 0, 0, 0, 0)
	b = body(b)
	for (len(b)-at)%4 != 0 {
		b = append(b, 0)
	}
	length := uint32(len(b) - at + 4)
	binary.LittleEndian.PutUint32(b[at+4:], length)
	return binary.LittleEndian.AppendUint32(b, length)
}
