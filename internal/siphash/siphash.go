// Package siphash is SipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input
// PRF", 2012; one round a word and three at the end, as Rust, Ruby and Python use it):
// a hash whose key can be kept, so that what was hashed in one run is found in the next.
//
// Who does not know the key cannot choose texts that share a hash. It does no I/O but
// for the key.
package siphash

import (
	"crypto/rand"
	"encoding/binary"
	"math/bits"
)

// Key is what makes the hash ours.
type Key [2]uint64

// NewKey makes a key that nobody can guess.
func NewKey() Key {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return Key{binary.LittleEndian.Uint64(b[:]), binary.LittleEndian.Uint64(b[8:])}
}

// Sum hashes b, which it borrows for the call.
func (k Key) Sum(b []byte) uint64 {
	v0, v1 := k[0]^0x736f6d6570736575, k[1]^0x646f72616e646f6d
	v2, v3 := k[0]^0x6c7967656e657261, k[1]^0x7465646279746573
	last := uint64(len(b)) << 56
	for ; len(b) >= 8; b = b[8:] {
		m := binary.LittleEndian.Uint64(b)
		v3 ^= m
		v0, v1, v2, v3 = round(v0, v1, v2, v3)
		v0 ^= m
	}
	for i := range b {
		last |= uint64(b[i]) << (8 * i)
	}
	v3 ^= last
	v0, v1, v2, v3 = round(v0, v1, v2, v3)
	v0 ^= last
	v2 ^= 0xff
	v0, v1, v2, v3 = round(v0, v1, v2, v3)
	v0, v1, v2, v3 = round(v0, v1, v2, v3)
	v0, v1, v2, v3 = round(v0, v1, v2, v3)
	return v0 ^ v1 ^ v2 ^ v3
}

// round is one SipRound (§2.1). The compiler puts it in its place.
func round(v0, v1, v2, v3 uint64) (uint64, uint64, uint64, uint64) {
	v0 += v1
	v2 += v3
	v1 = bits.RotateLeft64(v1, 13) ^ v0
	v3 = bits.RotateLeft64(v3, 16) ^ v2
	v0 = bits.RotateLeft64(v0, 32) + v3
	v2 += v1
	v1 = bits.RotateLeft64(v1, 17) ^ v2
	v3 = bits.RotateLeft64(v3, 21) ^ v0
	return v0, v1, bits.RotateLeft64(v2, 32), v3
}
