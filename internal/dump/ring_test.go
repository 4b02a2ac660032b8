package dump

import (
	"bytes"
	"math/rand"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

func message64(hash uint64, at int64, n int) record {
	r := make(record, headSize+n)
	r.fill(opMessage, flagHold, byte(packet.UDP), hash, at)
	for i := range n {
		r[headSize+i] = byte(hash) + byte(i)
	}
	return r
}

// TestRing holds the ring against a list: what is found is the newest of a Call-ID,
// whole, in order, and of the last messages none is missing.
func TestRing(t *testing.T) {
	rnd := rand.New(rand.NewSource(1))
	const size = 1 << 16
	g := newRing(size)
	var all []record
	for i := range 20000 {
		r := message64(uint64(rnd.Intn(40))*buckets+uint64(rnd.Intn(2)), int64(i), rnd.Intn(3000)) // 40 in a bucket
		all = append(all, r)
		g.add(r)
		if g.head-g.tail > size {
			t.Fatalf("holds %d bytes", g.head-g.tail)
		}
		if i%97 != 0 {
			continue
		}
		var want []record
		bytes64 := 0
		for j := len(all) - 1; j >= 0 && bytes64 < size-2*3100; j-- { // less than that is held in any case
			bytes64 += len(all[j]) + 8
			if all[j].hash() == r.hash() {
				want = append(want, all[j])
			}
		}
		found := g.find(r.hash(), 0, size)
		if len(found) < len(want)-1 {
			t.Fatalf("%d found, %d want", len(found), len(want))
		}
		for k := range min(len(found), len(want)) {
			got := g.at(found[len(found)-1-k])
			if !bytes.Equal(got.payload(), want[k].payload()) || got.time() != want[k].time() {
				t.Fatalf("message %d, %d before the last, is another", i, k)
			}
		}
	}
}

func TestRingLooksBack(t *testing.T) {
	g := newRing(1 << 20)
	for i := range 10 {
		g.add(message64(7, int64(i)*int64(time.Second), 1000))
	}
	if n := len(g.find(7, 4*int64(time.Second), 1<<20)); n != 6 {
		t.Errorf("%d found since second 4", n)
	}
	found := g.find(7, 0, 3*(1000+headSize+maxOverhead))
	if len(found) != 3 || g.at(found[0]).time() != 7*int64(time.Second) {
		t.Errorf("%d found within the budget of three", len(found))
	}
	if n := len(g.find(8, 0, 1<<20)); n != 0 {
		t.Errorf("%d found of another Call-ID", n)
	}
	g.add(message64(9, 0, 1<<20)) // too long for the ring: left out
	if n := len(g.find(7, 0, 1<<20)); n != 10 {
		t.Errorf("%d found after one that is too long", n)
	}
}

// TestCalls holds the table against a map, and its order of giving way.
func TestCalls(t *testing.T) {
	rnd := rand.New(rand.NewSource(2))
	const size = 50
	c := newCalls(size)
	model := map[uint64]int64{}
	for i := range 20000 {
		hash := uint64(rnd.Intn(200))
		x := c.find(hash)
		if _, ok := model[hash]; ok != (x != nil) || x != nil && x.named != model[hash] {
			t.Fatalf("step %d: %d found %v, want %v", i, hash, x != nil, ok)
		}
		switch {
		case x != nil && rnd.Intn(3) == 0:
			c.drop(x)
			delete(model, hash)
		case x != nil:
			c.touch(x, rnd.Intn(2) == 0)
		default:
			if old := c.victim(); old != nil {
				delete(model, old.hash)
				c.drop(old)
			}
			c.add(call{hash: hash, named: int64(i)})
			model[hash] = int64(i)
		}
		if c.used != len(model) || c.used > size {
			t.Fatalf("%d used, %d want", c.used, len(model))
		}
	}
	c = newCalls(3)
	for h := range uint64(3) {
		c.add(call{hash: h})
	}
	c.touch(c.find(2), true)
	c.touch(c.find(1), true)
	for _, want := range []uint64{2, 1, 0} { // what is over first, the oldest of it first
		old := c.victim()
		if old.hash != want {
			t.Errorf("%d gives way, want %d", old.hash, want)
		}
		c.drop(old)
		c.add(call{hash: 10 + want})
	}
}
