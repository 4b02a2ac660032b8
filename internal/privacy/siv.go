package privacy

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
)

// siv seals as AES-SIV (RFC 5297) does, with what does not change from value to value made
// once: the library makes a cipher and two MACs anew for each, which costs more than all
// else that masking does. The library opens, so what is read was checked by it; a test
// holds both equal, and to the RFC's vectors. It is not safe for concurrent use.
type siv struct {
	mac, ctr cipher.Block
	k1, k2   block            // sub-keys of CMAC (RFC 4493 §2.3)
	begun    [numLabels]block // S2V of the associated data, before the value (§2.4)
	x, y     block            // here, because an interface's arguments are on the heap
	room     []byte
}

type block = [aes.BlockSize]byte

func newSIV(key []byte) *siv {
	s := &siv{}
	var err, wrong error
	s.mac, err = aes.NewCipher(key[:32])
	s.ctr, wrong = aes.NewCipher(key[32:])
	if err != nil || wrong != nil { // of keys of 32 bytes
		panic("AES-256 is not there")
	}
	s.mac.Encrypt(s.x[:], s.x[:])
	s.k1 = double(s.x)
	s.k2 = double(s.k1)
	var zero block
	start := double(s.cmac(zero[:]))
	for l, data := range associated {
		sum := s.cmac(data)
		subtle.XORBytes(s.begun[l][:], start[:], sum[:])
	}
	return s
}

// double multiplies by x in GF(2^128), without a branch on what it doubles.
func double(b block) block {
	hi, lo := binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
	binary.BigEndian.PutUint64(b[:8], hi<<1|lo>>63)
	binary.BigEndian.PutUint64(b[8:], lo<<1^0x87&-(hi>>63))
	return b
}

// cmac is AES-CMAC (RFC 4493). The result is valid until the next call.
func (s *siv) cmac(b []byte) block {
	s.x = block{}
	for ; len(b) > aes.BlockSize; b = b[aes.BlockSize:] {
		subtle.XORBytes(s.x[:], s.x[:], b[:aes.BlockSize])
		s.mac.Encrypt(s.x[:], s.x[:])
	}
	subtle.XORBytes(s.x[:], s.x[:], b)
	last := &s.k1
	if len(b) < aes.BlockSize {
		s.x[len(b)] ^= 0x80
		last = &s.k2
	}
	subtle.XORBytes(s.x[:], s.x[:], last[:])
	s.mac.Encrypt(s.x[:], s.x[:])
	return s.x
}

// seal appends the vector and the ciphertext of b, which is borrowed.
func (s *siv) seal(dst []byte, l label, b []byte) []byte {
	s.room = append(s.room[:0], b...)
	if end := s.begun[l]; len(b) >= aes.BlockSize {
		tail := s.room[len(b)-aes.BlockSize:]
		subtle.XORBytes(tail, tail, end[:])
	} else {
		end = double(end)
		subtle.XORBytes(end[:], end[:], b)
		end[len(b)] ^= 0x80
		s.room = append(s.room[:0], end[:]...)
	}
	v := s.cmac(s.room)
	dst = append(dst, v[:]...)
	s.y = v
	s.y[8] &= 0x7f // so that the counter never carries (§2.6)
	s.y[12] &= 0x7f
	count := binary.BigEndian.Uint32(s.y[12:])
	at := len(dst)
	dst = append(dst, b...)
	for out := dst[at:]; len(out) > 0; count++ {
		binary.BigEndian.PutUint32(s.y[12:], count)
		s.ctr.Encrypt(s.x[:], s.y[:])
		out = out[subtle.XORBytes(out, out, s.x[:]):]
	}
	return dst
}
