package recent

import (
	"encoding/binary"
	"net/netip"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// A Record is a message, or something else that its maker tells by the op: a head of
// fixed size and then the payload. It borrows the memory it stands in.
//
//	0  length u32, with the head   5  flags     8  hash of the Call-ID u64
//	4  op                          6  transport, or what else op says
//	16 time i64    24 source, 40 destination, 16 bytes each    56, 58 ports u16
//	60 bytes that the capture lacks u32    64 the one before it in the ring u64
type Record []byte

// HeadSize is the length of the head, in bytes.
const HeadSize = 72

// Flags beside the lowest five, which are the maker's.
const (
	Cut  = 1 << (iota + 5) // bytes at the end are missing
	src4                   // the source is an IPv4 address
	dst4                   // the destination is one
)

// What the head says.
func (r Record) Len() int                    { return int(binary.LittleEndian.Uint32(r)) }
func (r Record) Op() byte                    { return r[4] }
func (r Record) Has(flag byte) bool          { return r[5]&flag != 0 }
func (r Record) Kind() byte                  { return r[6] }
func (r Record) Transport() packet.Transport { return packet.Transport(r[6]) }
func (r Record) Hash() uint64                { return binary.LittleEndian.Uint64(r[8:]) }
func (r Record) Time() int64                 { return int64(binary.LittleEndian.Uint64(r[16:])) }
func (r Record) Src() netip.AddrPort         { return r.end(24, 56, src4) }
func (r Record) Dst() netip.AddrPort         { return r.end(40, 58, dst4) }
func (r Record) missing() int                { return int(binary.LittleEndian.Uint32(r[60:])) }
func (r Record) before() uint64              { return binary.LittleEndian.Uint64(r[64:]) }
func (r Record) setBefore(p uint64)          { binary.LittleEndian.PutUint64(r[64:], p) }

// Payload borrows what stands behind the head.
func (r Record) Payload() []byte { return r[HeadSize:r.Len()] }

func (r Record) end(addr, port int, four byte) netip.AddrPort {
	a := netip.AddrFrom16([16]byte(r[addr : addr+16]))
	if r.Has(four) {
		a = a.Unmap()
	}
	return netip.AddrPortFrom(a, binary.LittleEndian.Uint16(r[port:]))
}

// Fill writes a head into r, whose length is the record's.
func (r Record) Fill(op, flags, kind byte, hash uint64, at int64) {
	le := binary.LittleEndian
	le.PutUint32(r, uint32(len(r)))
	r[4], r[5], r[6], r[7] = op, flags, kind, 0
	le.PutUint64(r[8:], hash)
	le.PutUint64(r[16:], uint64(at))
}

// Ends writes where a message came from and went to, and what is missing of it.
func (r Record) Ends(p *packet.Packet) {
	le := binary.LittleEndian
	src, dst := p.Src.Addr().As16(), p.Dst.Addr().As16()
	copy(r[24:], src[:])
	copy(r[40:], dst[:])
	le.PutUint16(r[56:], p.Src.Port())
	le.PutUint16(r[58:], p.Dst.Port())
	le.PutUint32(r[60:], uint32(max(p.Missing, 0)))
	if p.Src.Addr().Is4() {
		r[5] |= src4
	}
	if p.Dst.Addr().Is4() {
		r[5] |= dst4
	}
}
