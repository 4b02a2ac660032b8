package siphash

import (
	"fmt"
	"testing"
)

// TestVectors: CPython 3.11 hashes bytes by SipHash-1-3, with PYTHONHASHSEED=0 under a
// key of zeros; hash(bytes(range(n))) & (2**64 - 1) gave these. The empty bytes, for
// which it gives 0 without hashing, are left out.
func TestVectors(t *testing.T) {
	for _, v := range []struct {
		n    int
		want uint64
	}{
		{1, 0x68a914128e01e473},
		{2, 0x010bac45c41e3669},
		{3, 0x4d4c9a4a8ef6e0ad},
		{7, 0x2f098ab0c751325a},
		{8, 0xead411e67ebe2eea},
		{9, 0x75927f9d95124362},
		{15, 0xf30eb725bb91c9ea},
		{16, 0x8972188433a5c5b7},
		{17, 0x4883c49a2c009c1d},
		{23, 0x37332b1389daa4ff},
		{24, 0x31185a47af932f3a},
		{31, 0x169739443111d49b},
		{33, 0x7fb71d24dfa4c9f6},
		{63, 0x385d3e39e5f37359},
		{64, 0x75e05fd5bbc870c6},
		{100, 0x1c6a66e1506e7908},
	} {
		b := make([]byte, v.n)
		for i := range b {
			b[i] = byte(i)
		}
		if got := (Key{}).Sum(b); got != v.want {
			t.Errorf("%d bytes: %016x, want %016x", v.n, got, v.want)
		}
	}
}

// TestKey: two keys differ, each half of a key counts, and no call allocates.
func TestKey(t *testing.T) {
	k := NewKey()
	if k == NewKey() || k[0] == 0 || k[1] == 0 {
		t.Error("keys are not random")
	}
	text := []byte("a84b4c76e66710@pc33.example.com")
	h := k.Sum(text)
	for i := range k {
		other := k
		other[i]++
		if other.Sum(text) == h {
			t.Errorf("half %d of the key does not count", i)
		}
	}
	if n := testing.AllocsPerRun(100, func() { k.Sum(text) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkSum(b *testing.B) {
	for _, n := range []int{8, 32, 600} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			k, text := NewKey(), make([]byte, n)
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for range b.N {
				k.Sum(text)
			}
		})
	}
}
