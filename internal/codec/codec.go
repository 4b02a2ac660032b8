// Package codec walks values: it appends them to bytes, or takes them from there, by the
// same calls, so that writing and reading cannot differ. What is read may be anybody's
// bytes: whatever could not have been written makes the walk bad, and the values zero.
//
// The bytes have no version and no tags; who keeps them keeps a version beside them.
package codec

import (
	"encoding/binary"
	"math"
	"net/netip"
)

// Codec is one walk. The zero value writes.
type Codec struct {
	B       []byte // what is written, or still to be read
	Reading bool
	Bad     bool // what is read is none of ours
}

// Integer is what Whole walks.
type Integer interface {
	~int | ~uint8 | ~int8 | ~int16 | ~uint16 | ~int32 | ~uint32 | ~int64 | ~uint64
}

// Whole walks a number that is mostly small.
func Whole[T Integer](c *Codec, x *T) {
	if !c.Reading {
		c.B = binary.AppendVarint(c.B, int64(*x))
		return
	}
	n, size := binary.Varint(c.B)
	if size <= 0 {
		c.Fail()
		*x = 0
		return
	}
	c.B = c.B[size:]
	if *x = T(n); int64(*x) != n {
		c.Fail()
	}
}

// UpTo walks a number that indexes something or counts it: 0 to most.
func UpTo[T Integer](c *Codec, x *T, most T) {
	if Whole(c, x); c.Reading && (*x < 0 || *x > most) {
		c.Fail()
		*x = 0
	}
}

// Fail ends a reading: nothing is left to take.
func (c *Codec) Fail() { c.Bad, c.B = true, nil }

// Hashes walks numbers of which every bit counts.
func (c *Codec) Hashes(xs ...*uint64) {
	for _, x := range xs {
		c.Hash(x)
	}
}

// Hash walks one of them.
func (c *Codec) Hash(x *uint64) {
	if !c.Reading {
		c.B = binary.LittleEndian.AppendUint64(c.B, *x)
		return
	}
	if len(c.B) < 8 {
		c.Fail()
		*x = 0
		return
	}
	*x = binary.LittleEndian.Uint64(c.B)
	c.B = c.B[8:]
}

// Flags walks yes and no.
func (c *Codec) Flags(flags ...*bool) {
	for _, f := range flags {
		n := uint8(0)
		if *f {
			n = 1
		}
		UpTo(c, &n, 1)
		*f = n == 1
	}
}

// Float walks a measured value, which is a number.
func (c *Codec) Float(x *float64) {
	bits := math.Float64bits(*x)
	c.Hash(&bits)
	if *x = math.Float64frombits(bits); math.IsNaN(*x) || math.IsInf(*x, 0) {
		c.Fail()
		*x = 0
	}
}

// Bytes walks bytes, at most so many. Reading copies, into the room that x has.
func (c *Codec) Bytes(x *[]byte, most int) {
	n := len(*x)
	UpTo(c, &n, most)
	if !c.Reading {
		c.B = append(c.B, *x...)
		return
	}
	if n > len(c.B) {
		c.Fail()
		n = 0
	}
	*x = append((*x)[:0], c.B[:n]...)
	c.B = c.B[n:]
}

// Word walks a text, at most so many bytes.
func (c *Codec) Word(x *string, most int) {
	b := []byte(*x)
	c.Bytes(&b, most)
	*x = string(b)
}

// AddrPort walks an address with its port, which may be none. A zone is left out.
func (c *Codec) AddrPort(x *netip.AddrPort) {
	if !c.Reading {
		at := len(c.B)
		c.B, _ = netip.AddrPortFrom(x.Addr().WithZone(""), x.Port()).AppendBinary(append(c.B, 0))
		c.length(at)
		return
	}
	if b := c.short(); x.UnmarshalBinary(b) != nil || x.Addr().Zone() != "" {
		c.Fail()
		*x = netip.AddrPort{}
	}
}

// Addr walks an address, which may be none. A zone is left out.
func (c *Codec) Addr(x *netip.Addr) {
	if !c.Reading {
		at := len(c.B)
		c.B, _ = x.WithZone("").AppendBinary(append(c.B, 0))
		c.length(at)
		return
	}
	if b := c.short(); x.UnmarshalBinary(b) != nil || x.Zone() != "" {
		c.Fail()
		*x = netip.Addr{}
	}
}

// length notes at how many bytes, less than 128, were written behind it.
func (c *Codec) length(at int) { c.B[at] = byte(len(c.B) - at - 1) }

// short reads them. It borrows.
func (c *Codec) short() []byte {
	if len(c.B) == 0 || int(c.B[0]) >= len(c.B) {
		c.Fail()
		return nil
	}
	n := 1 + int(c.B[0])
	b := c.B[1:n]
	c.B = c.B[n:]
	return b
}
