package recent

import (
	"bytes"
	"math/rand"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

func message64(hash uint64, at int64, n int) Record {
	r := make(Record, HeadSize+n)
	r.Fill(0, 1, byte(packet.UDP), hash, at)
	for i := range n {
		r[HeadSize+i] = byte(hash) + byte(i)
	}
	return r
}

// TestRing holds the ring against a list: what is found is the newest of a Call-ID,
// whole, in order, and of the last messages none is missing.
func TestRing(t *testing.T) {
	rnd := rand.New(rand.NewSource(1))
	const size = 1 << 16
	g := NewRing(size)
	var all []Record
	for i := range 20000 {
		r := message64(uint64(rnd.Intn(40))*buckets+uint64(rnd.Intn(2)), int64(i), rnd.Intn(3000)) // 40 in a bucket
		all = append(all, r)
		g.Add(r)
		if g.head-g.tail > size {
			t.Fatalf("holds %d bytes", g.head-g.tail)
		}
		if i%97 != 0 {
			continue
		}
		var want []Record
		bytes64 := 0
		for j := len(all) - 1; j >= 0 && bytes64 < size-2*3100; j-- { // less than that is held in any case
			bytes64 += len(all[j]) + 8
			if all[j].Hash() == r.Hash() {
				want = append(want, all[j])
			}
		}
		found := g.Find(r.Hash(), 0, size)
		if len(found) < len(want)-1 {
			t.Fatalf("%d found, %d want", len(found), len(want))
		}
		for k := range min(len(found), len(want)) {
			got := g.At(found[len(found)-1-k])
			if !bytes.Equal(got.Payload(), want[k].Payload()) || got.Time() != want[k].Time() {
				t.Fatalf("message %d, %d before the last, is another", i, k)
			}
		}
	}
}

func TestRingLooksBack(t *testing.T) {
	g := NewRing(1 << 20)
	for i := range 10 {
		g.Add(message64(7, int64(i)*int64(time.Second), 1000))
	}
	if n := len(g.Find(7, 4*int64(time.Second), 1<<20)); n != 6 {
		t.Errorf("%d found since second 4", n)
	}
	found := g.Find(7, 0, 3*(1000+HeadSize+maxOverhead))
	if len(found) != 3 || g.At(found[0]).Time() != 7*int64(time.Second) {
		t.Errorf("%d found within the budget of three", len(found))
	}
	if n := len(g.Find(8, 0, 1<<20)); n != 0 {
		t.Errorf("%d found of another Call-ID", n)
	}
	g.Add(message64(9, 0, 1<<20)) // too long for the ring: left out
	if n := len(g.Find(7, 0, 1<<20)); n != 10 {
		t.Errorf("%d found after one that is too long", n)
	}
}
