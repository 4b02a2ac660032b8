package hep

import (
	"encoding/binary"
	"net/netip"
)

// Version 3 is a magic of 4 bytes, the total length in 2, and chunks: vendor, type
// and length in 2 bytes each, then the value. Lengths count their own headers, and
// everything is in network byte order (HEP3 specification, revision 37).
const (
	header3     = 6
	chunkHeader = 6
)

// The chunks of vendor 0 that are read.
const (
	chunkFamily      = 0x01
	chunkProtocol    = 0x02
	chunkSrc4        = 0x03
	chunkDst4        = 0x04
	chunkSrc6        = 0x05
	chunkDst6        = 0x06
	chunkSrcPort     = 0x07
	chunkDstPort     = 0x08
	chunkSeconds     = 0x09
	chunkMicros      = 0x0a
	chunkType        = 0x0b
	chunkCaptureID   = 0x0c
	chunkKey         = 0x0e
	chunkPayload     = 0x0f
	chunkCompressed  = 0x10
	chunkCorrelation = 0x11
	chunkNode        = 0x13
	numChunks        = 0x14
)

// sizes are the lengths of the values that have one; 0 is any.
var sizes = [numChunks]int{
	chunkFamily: 1, chunkProtocol: 1, chunkType: 1,
	chunkSrc4: 4, chunkDst4: 4, chunkSrc6: 16, chunkDst6: 16,
	chunkSrcPort: 2, chunkDstPort: 2,
	chunkSeconds: 4, chunkMicros: 4, chunkCaptureID: 4,
}

// read3 is what version 3 says in pieces.
type read3 struct {
	src, dst         [2]netip.Addr // IPv4 and IPv6: some senders give both
	srcPort, dstPort uint16
	seconds, micros  uint32
}

// chunks reads version 3. What is behind the total length is ignored and counted, and
// of what was cut everything that is there is used.
func (p *Packet) chunks(b []byte) Problem {
	if len(b) < header3 {
		return Short
	}
	total := int(binary.BigEndian.Uint16(b[4:]))
	if total < header3 {
		return BadLength
	}
	p.Version = 3
	p.Trailing, p.Missing = max(len(b)-total, 0), max(total-len(b), 0)
	end := min(total, len(b))
	var r read3
	var last uint16 // type of the chunk before
	for at := header3; at < end; {
		vendor, kind, n, fits := chunkAt(b[:end], at)
		if !fits && last == chunkMicros { // 2 bytes too short, as in the example of the draft of 2013
			if v, k, m, ok := chunkAt(b[:end], at-2); ok && v == 0 {
				at, vendor, kind, n, fits = at-2, v, k, m, true
				r.micros >>= 16
				p.Odd++
			}
		}
		if !fits {
			if p.partial(b[:end], at, vendor, kind, n) {
				break
			}
			if p.Odd++; p.payload.n == 0 && p.Missing == 0 {
				return BadLength
			}
			break
		}
		last = kind
		if vendor != 0 {
			last = 0
			if p.Vendor == 0 {
				p.Vendor = vendor
			}
		} else if kind < numChunks {
			p.chunk(&r, kind, span{at + chunkHeader, n - chunkHeader})
		}
		at += n
	}
	return p.finish(&r)
}

// chunkAt reads the header of the chunk at the place at; fits tells whether the
// whole chunk is there.
func chunkAt(b []byte, at int) (vendor, kind uint16, n int, fits bool) {
	if at < header3 || len(b)-at < chunkHeader {
		return 0, 0, 0, false
	}
	vendor, kind = binary.BigEndian.Uint16(b[at:]), binary.BigEndian.Uint16(b[at+2:])
	n = int(binary.BigEndian.Uint16(b[at+4:]))
	return vendor, kind, n, n >= chunkHeader && n <= len(b)-at
}

// partial takes what is there of a payload that was cut.
func (p *Packet) partial(b []byte, at int, vendor, kind uint16, n int) bool {
	if vendor != 0 || kind != chunkPayload || n <= chunkHeader || len(b)-at <= chunkHeader {
		return false
	}
	p.payload, p.compressed = span{at + chunkHeader, len(b) - at - chunkHeader}, false
	p.Missing = max(p.Missing, n-(len(b)-at))
	return true
}

// chunk reads one chunk of vendor 0. Integers are taken at any size that they fit,
// addresses by their size, whatever the type says.
func (p *Packet) chunk(r *read3, kind uint16, s span) {
	v := p.bytes(s)
	if want := sizes[kind]; want != 0 && want != len(v) {
		p.Odd++
	}
	switch kind {
	case chunkFamily:
		p.Family = uint8(number(v, 0xff))
	case chunkProtocol:
		p.Protocol = uint8(number(v, 0xff))
	case chunkSrc4, chunkSrc6:
		address(&r.src, v)
	case chunkDst4, chunkDst6:
		address(&r.dst, v)
	case chunkSrcPort:
		r.srcPort = uint16(number(v, 0xffff))
	case chunkDstPort:
		r.dstPort = uint16(number(v, 0xffff))
	case chunkSeconds:
		r.seconds = uint32(number(v, 0xffffffff))
	case chunkMicros:
		r.micros = uint32(number(v, 0xffffffff))
	case chunkType:
		p.Type = uint8(number(v, 0xff))
	case chunkCaptureID:
		p.CaptureID = uint32(number(v, 0xffffffff))
	case chunkKey:
		p.key = s
	case chunkPayload:
		p.payload, p.compressed = s, false
	case chunkCompressed:
		p.payload, p.compressed = s, true
	case chunkCorrelation:
		p.correlation = s
	case chunkNode:
		p.node = s
	}
}

// number reads an integer of up to 8 bytes; one above most is 0.
func number(v []byte, most uint64) (n uint64) {
	if len(v) > 8 {
		return 0
	}
	for _, c := range v {
		n = n<<8 | uint64(c)
	}
	if n > most {
		return 0
	}
	return n
}

func address(to *[2]netip.Addr, v []byte) {
	switch len(v) {
	case 4:
		to[0] = netip.AddrFrom4([4]byte(v))
	case 16:
		if a := netip.AddrFrom16([16]byte(v)).Unmap(); a.Is4() {
			to[0] = a
		} else {
			to[1] = a
		}
	}
}

// finish puts together what came in pieces.
func (p *Packet) finish(r *read3) Problem {
	six, _ := is6(p.Family, 0)
	p.Src, p.Dst = netip.AddrPortFrom(choose(r.src, six), r.srcPort), netip.AddrPortFrom(choose(r.dst, six), r.dstPort)
	if r.seconds != 0 {
		p.Time = int64(r.seconds) * 1e9
		if r.micros < 1e6 {
			p.Time += int64(r.micros) * 1e3
		}
	}
	switch {
	case !p.Src.Addr().IsValid() || !p.Dst.Addr().IsValid():
		return NoAddress
	case p.payload.n == 0 && p.Missing > 0:
		return Short
	case p.payload.n == 0:
		return NoPayload
	}
	return OK
}

// choose takes the address of the packet's family, else the other one.
func choose(a [2]netip.Addr, six bool) netip.Addr {
	if six && a[1].IsValid() || !a[0].IsValid() {
		return a[1]
	}
	return a[0]
}

// Key borrows the key that the packet b has, without reading the rest of it; empty
// where there is none, as in versions 1 and 2.
func Key(b []byte) (key []byte) {
	if len(b) < header3 || !magic(b) {
		return nil
	}
	b = b[:min(len(b), int(binary.BigEndian.Uint16(b[4:])))]
	for at := header3; at < len(b); {
		vendor, kind, n, fits := chunkAt(b, at)
		if !fits {
			break
		}
		if vendor == 0 && kind == chunkKey {
			key = b[at+chunkHeader : at+n : at+n]
		}
		at += n
	}
	return key
}
