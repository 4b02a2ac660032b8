package dump

import (
	"math/rand"
	"testing"
)

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
