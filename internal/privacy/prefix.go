package privacy

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"net/netip"
)

// prefix maps addresses to addresses so that two which share their first n bits, and not
// one more, share exactly n after it: ipcrypt-pfx of draft-denis-ipcrypt (§6), which is the
// construction of Xu, Fan, Ammar and Moon ("Prefix-preserving IP address anonymization",
// 2002) on the exclusive or of two AES-128. Each bit is turned over or not by the bits
// before it. An IPv4 address is the end of its IPv4-mapped one (RFC 4291 §2.5.5.2), of
// which 96 bits stay: so the families are masked apart, by prefixes that are never equal.
//
// It holds the blocks that it works in: one goroutine at a time.
type prefix struct {
	one, two cipher.Block
	in, a, b [aes.BlockSize]byte
}

func newPrefix(key [32]byte) *prefix {
	p := new(prefix)
	var err error
	if p.one, err = aes.NewCipher(key[:16]); err == nil {
		p.two, err = aes.NewCipher(key[16:])
	}
	if err != nil { // of the length alone
		panic(err)
	}
	return p
}

// seal maps a, without zone and not IPv4-mapped.
func (p *prefix) seal(a netip.Addr) netip.Addr { return p.walk(a, false) }

// open is the way back.
func (p *prefix) open(a netip.Addr) netip.Addr { return p.walk(a, true) }

// walk goes from the first bit to the last. What the pads are made of are the clear bits
// before, with a one in front of them, which says how many there are.
func (p *prefix) walk(a netip.Addr, back bool) netip.Addr {
	in := a.As16()
	hi, lo := binary.BigEndian.Uint64(in[:8]), binary.BigEndian.Uint64(in[8:])
	padHi, padLo := uint64(0), uint64(1)
	bit := 127
	if a.Is4() {
		padHi, padLo, bit = 1<<32, 0xffff, 31
	}
	outHi, outLo := hi, lo
	for ; bit >= 0; bit-- {
		word, out := &lo, &outLo
		if bit >= 64 {
			word, out = &hi, &outHi
		}
		shift := bit & 63
		flip := p.pad(padHi, padLo)
		*out ^= flip << shift
		clear := *word >> shift & 1
		if back {
			clear ^= flip
		}
		padHi, padLo = padHi<<1|padLo>>63, padLo<<1|clear
	}
	binary.BigEndian.PutUint64(in[:8], outHi)
	binary.BigEndian.PutUint64(in[8:], outLo)
	if a.Is4() {
		return netip.AddrFrom4([4]byte(in[12:]))
	}
	return netip.AddrFrom16(in)
}

// pad is the bit that follows from a prefix.
func (p *prefix) pad(hi, lo uint64) uint64 {
	binary.BigEndian.PutUint64(p.in[:8], hi)
	binary.BigEndian.PutUint64(p.in[8:], lo)
	p.one.Encrypt(p.a[:], p.in[:])
	p.two.Encrypt(p.b[:], p.in[:])
	return uint64(p.a[15]^p.b[15]) & 1
}
