package relay

import (
	"bytes"
	"math/rand"
	"testing"
)

// TestRing: what goes in comes out in order and whole, whatever the sizes; a ring
// that is full takes nothing and loses nothing.
func TestRing(t *testing.T) {
	rnd := rand.New(rand.NewSource(1))
	for size := 64; size < 400; size += 7 {
		r := newRing(size)
		var want [][]byte
		serial := byte(0)
		for range 5000 {
			if rnd.Intn(2) == 0 {
				n := rnd.Intn(size / 3)
				refuse := rnd.Intn(10) == 0
				serial++
				room, filled := r.put(n+rnd.Intn(3), func(b []byte) ([]byte, bool) {
					return append(b, bytes.Repeat([]byte{serial}, n)...), !refuse
				})
				if filled != (room && !refuse) {
					t.Fatal("filled without room, or not although there was room")
				}
				if filled {
					want = append(want, bytes.Repeat([]byte{serial}, n))
				}
				if !room && len(want) == 0 {
					t.Fatalf("size %d: empty, and no room for %d", size, n)
				}
				continue
			}
			from, to, _ := r.span()
			n := 0
			for take := rnd.Intn(4); from < to && n < take; n++ {
				var b []byte
				b, from = r.at(from)
				if !bytes.Equal(b, want[0]) {
					t.Fatalf("size %d: %v, want %v", size, b, want[0])
				}
				want = want[1:]
			}
			r.release(from, n)
			if r.waiting() != len(want) {
				t.Fatalf("%d waiting, want %d", r.waiting(), len(want))
			}
		}
	}
}
