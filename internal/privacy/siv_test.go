package privacy

import (
	"bytes"
	"crypto/aes"
	"encoding/hex"
	"testing"

	"github.com/tink-crypto/tink-go/v2/daead/subtle"
)

// TestSIVLibrary: what is sealed is what the library seals, of every length up to some
// blocks, and by every label.
func TestSIVLibrary(t *testing.T) {
	key := testKey().derive("siv", subtle.AESSIVKeySize)
	library, err := subtle.NewAESSIV(key)
	if err != nil {
		t.Fatal(err)
	}
	s := newSIV(key)
	value := bytes.Repeat([]byte("0123456789abcdef!"), 20)
	for l := range numLabels {
		for n := range len(value) {
			want, err := library.EncryptDeterministically(value[:n], associated[l])
			if err != nil {
				t.Fatal(err)
			}
			if got := s.seal([]byte("before"), l, value[:n]); string(got) != "before"+string(want) {
				t.Fatalf("%s, %d bytes: %x, not %x", labelNames[l], n, got[6:], want)
			}
		}
	}
	if n := testing.AllocsPerRun(100, func() { s.seal(value[:0:0], 0, nil) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzSIVLibrary is the same of any key and value.
func FuzzSIVLibrary(f *testing.F) {
	f.Add([]byte("key"), []byte("value"), uint8(0))
	f.Fuzz(func(t *testing.T, k, value []byte, l uint8) {
		key := make([]byte, subtle.AESSIVKeySize)
		copy(key, k)
		library, err := subtle.NewAESSIV(key)
		if err != nil {
			t.Fatal(err)
		}
		at := label(l) % numLabels
		want, _ := library.EncryptDeterministically(value, associated[at])
		if got := newSIV(key).seal(nil, at, value); !bytes.Equal(got, want) {
			t.Errorf("%x, not %x", got, want)
		}
	})
}

// TestCMACVectors are those of RFC 4493 §4 in NIST SP 800-38B for AES-256.
func TestCMACVectors(t *testing.T) {
	b := func(text string) []byte {
		out, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	key := b("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
	s := newSIV(append(key, key...))
	message := b("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710")
	for n, want := range map[int]string{
		0: "028962f61b7bf89efc6b551f4667d983", 16: "28a7023f452e8f82bd4bf28d8c37c35c",
		40: "aaf3d8f1de5640c232f5b169b9c911e6", 64: "e1992190549f6ed5696a2c056c315410",
	} {
		if got := s.cmac(message[:n]); hex.EncodeToString(got[:]) != want {
			t.Errorf("%d bytes: %x, not %s", n, got, want)
		}
	}
	if len(s.x) != aes.BlockSize {
		t.Error("a block is not a block")
	}
}

func BenchmarkSIV(b *testing.B) {
	s := newSIV(testKey().derive("siv", subtle.AESSIVKeySize))
	value := []byte("a84b4c76e66710@pc33.atlanta.com")
	var out []byte
	b.ReportAllocs()
	for range b.N {
		out = s.seal(out[:0], labelPlain, value)
	}
}
