package dump

import (
	"encoding/binary"
	"net/netip"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// A record is what a lane leaves in the queue: a head of fixed size and then the
// payload. In the ring it is the same. It borrows the memory it stands in.
//
//	0  length u32, with the head   5  flags     8  hash of the Call-ID u64
//	4  op                          6  transport, or label
//	16 time i64    24 source, 40 destination, 16 bytes each    56, 58 ports u16
//	60 bytes that the capture lacks u32    64 the one before it in the ring u64
type record []byte

const headSize = 72

// op is what a record asks for.
type op uint8

const (
	opMessage op = iota // payload: the message
	opOpen              // a file for this hash; payload: the Call-ID
	opClose             // no more for it
	opPad               // in the ring: nothing up to its end
)

const (
	flagKeep = 1 << iota // into the file of its hash
	flagHold             // into the ring
	flagCut              // bytes at the end are missing
	flagBack             // of opOpen: with what the ring holds
	flagSrc4             // the source is an IPv4 address
	flagDst4             // the destination is one
)

func (r record) length() int                 { return int(binary.LittleEndian.Uint32(r)) }
func (r record) op() op                      { return op(r[4]) }
func (r record) has(flag byte) bool          { return r[5]&flag != 0 }
func (r record) transport() packet.Transport { return packet.Transport(r[6]) }
func (r record) label() label                { return label(r[6]) }
func (r record) hash() uint64                { return binary.LittleEndian.Uint64(r[8:]) }
func (r record) time() int64                 { return int64(binary.LittleEndian.Uint64(r[16:])) }
func (r record) missing() int                { return int(binary.LittleEndian.Uint32(r[60:])) }
func (r record) before() uint64              { return binary.LittleEndian.Uint64(r[64:]) }
func (r record) setBefore(p uint64)          { binary.LittleEndian.PutUint64(r[64:], p) }
func (r record) payload() []byte             { return r[headSize:r.length()] }

func (r record) src() netip.AddrPort { return r.end(24, 56, flagSrc4) }
func (r record) dst() netip.AddrPort { return r.end(40, 58, flagDst4) }

func (r record) end(addr, port int, four byte) netip.AddrPort {
	a := netip.AddrFrom16([16]byte(r[addr : addr+16]))
	if r.has(four) {
		a = a.Unmap()
	}
	return netip.AddrPortFrom(a, binary.LittleEndian.Uint16(r[port:]))
}

// fill writes a head into r, whose length is the record's.
func (r record) fill(o op, flags, kind byte, hash uint64, at int64) {
	le := binary.LittleEndian
	le.PutUint32(r, uint32(len(r)))
	r[4], r[5], r[6], r[7] = byte(o), flags, kind, 0
	le.PutUint64(r[8:], hash)
	le.PutUint64(r[16:], uint64(at))
	le.PutUint64(r[64:], 0)
}

// ends writes where a message came from and went to, and what is missing of it.
func (r record) ends(p *packet.Packet) {
	le := binary.LittleEndian
	src, dst := p.Src.Addr().As16(), p.Dst.Addr().As16()
	copy(r[24:], src[:])
	copy(r[40:], dst[:])
	le.PutUint16(r[56:], p.Src.Port())
	le.PutUint16(r[58:], p.Dst.Port())
	le.PutUint32(r[60:], uint32(max(p.Missing, 0)))
	if p.Src.Addr().Is4() {
		r[5] |= flagSrc4
	}
	if p.Dst.Addr().Is4() {
		r[5] |= flagDst4
	}
}
