package siptest

import (
	"encoding/binary"
	"hash/crc32"
	"net/netip"
	"slices"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// SCTPFrame lays out an Ethernet frame with an IPv4 or IPv6 header, as the addresses
// ask, and an SCTP packet of these chunks, with right lengths and checksums
// (RFC 9260 §3). It copies chunks; the caller owns the frame.
func SCTPFrame(src, dst netip.AddrPort, tag uint32, chunks ...[]byte) []byte {
	body := binary.BigEndian.AppendUint16(nil, src.Port())
	body = binary.BigEndian.AppendUint16(body, dst.Port())
	body = binary.BigEndian.AppendUint32(body, tag)
	body = append(body, 0, 0, 0, 0)
	body = append(body, slices.Concat(chunks...)...)
	binary.LittleEndian.PutUint32(body[8:], crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
	// A UDP frame has the headers before it, and as many bytes of its own to spare.
	b := UDPFrame(src, dst, body[8:])
	at := udpAt(b)
	copy(b[at:], body)
	if src.Addr().Is4() {
		b[14+9] = 132
		sumIPv4(b[14:34])
	} else {
		b[14+6] = 132
	}
	return b
}

// The flags of a DATA chunk.
const (
	SCTPEnd       = 1
	SCTPBegin     = 2
	SCTPUnordered = 4
)

// SCTPData is a DATA chunk, RFC 9260 §3.3.1, of stream 0, padded.
func SCTPData(flags byte, tsn uint32, ssn uint16, data []byte) []byte {
	return sctpChunk(0, flags, binary.BigEndian.AppendUint32(nil, tsn), []byte{0, 0, byte(ssn >> 8), byte(ssn), 0, 0, 0, 0}, data)
}

// SCTPIData is an I-DATA chunk, RFC 8260 §2.1, of stream 0, padded.
func SCTPIData(flags byte, tsn, mid, fsn uint32, data []byte) []byte {
	place := binary.BigEndian.AppendUint32(nil, mid)
	if place = binary.BigEndian.AppendUint32(place, fsn); flags&SCTPBegin != 0 {
		clear(place[4:]) // the PPID
	}
	return sctpChunk(64, flags, binary.BigEndian.AppendUint32(nil, tsn), []byte{0, 0, 0, 0}, place, data)
}

func sctpChunk(kind, flags byte, parts ...[]byte) []byte {
	body := slices.Concat(parts...)
	b := []byte{kind, flags, byte((len(body) + 4) >> 8), byte(len(body) + 4)}
	b = append(b, body...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// An SCTPStyle is how messages travel.
type SCTPStyle struct {
	Piece      int  // bytes of a chunk; 0 is a message a chunk
	Bundle     bool // control chunks before and behind it, and the chunks of a message in one packet
	Interleave bool // I-DATA
	Reverse    bool // the packets of a message come last one first
	Twice      bool // every packet comes twice
	Midstream  bool // no INIT
}

// SCTPFrames carries the payloads of UDP frames over SCTP, see StreamCarrier. TSNs
// start just below 2^32, so that they wrap.
func SCTPFrames(frames []packet.Frame, style SCTPStyle) []packet.Frame {
	type direction struct{ src, dst netip.AddrPort }
	type state struct{ tsn, message uint32 }
	ways := map[direction]*state{}
	d := packet.New(packet.DefaultConfig())
	var out []packet.Frame
	for _, f := range frames {
		f.Link, f.Wire = packet.LinkEthernet, len(f.Data)
		if why := d.Decode(&f); why != packet.OK || d.Transport != packet.UDP {
			panic("siptest: a frame that UDPFrame did not make: " + why.String())
		}
		w := ways[direction{d.Src, d.Dst}]
		if w == nil {
			for i, way := range []direction{{d.Src, d.Dst}, {d.Dst, d.Src}} {
				ways[way] = &state{tsn: 0xfffffff0}
				if !style.Midstream {
					init := sctpChunk(byte(1+i), 0, []byte{0, 0, 0, 7, 0, 1, 0, 0, 0, 1, 0, 1, 0xff, 0xff, 0xff, 0xf0})
					out = append(out, segment(f, SCTPFrame(way.src, way.dst, uint32(7*i), init)))
				}
			}
			w = ways[direction{d.Src, d.Dst}]
		}
		var chunks [][]byte
		for rest, fsn := d.Payload, uint32(0); ; fsn++ {
			n := len(rest)
			if style.Piece > 0 {
				n = min(n, style.Piece)
			}
			flags := byte(0)
			if fsn == 0 {
				flags |= SCTPBegin
			}
			if n == len(rest) {
				flags |= SCTPEnd
			}
			if style.Interleave {
				chunks = append(chunks, SCTPIData(flags, w.tsn, w.message, fsn, rest[:n]))
			} else {
				chunks = append(chunks, SCTPData(flags, w.tsn, uint16(w.message), rest[:n]))
			}
			w.tsn++
			if rest = rest[n:]; len(rest) == 0 {
				break
			}
		}
		w.message++
		if style.Bundle {
			sack := sctpChunk(3, 0, make([]byte, 12))
			chunks = [][]byte{slices.Concat(sack, slices.Concat(chunks...), sctpChunk(4, 0, []byte{0, 1, 0, 5, 9}))}
		}
		var train []packet.Frame
		for _, c := range chunks {
			train = append(train, segment(f, SCTPFrame(d.Src, d.Dst, 7, c)))
		}
		if style.Reverse {
			slices.Reverse(train)
		}
		if style.Twice {
			train = twice(train)
		}
		out = append(out, train...)
	}
	return out
}
