package track

import (
	"math/rand/v2"
	"testing"
)

type item uint64

func (x *item) keyOf() uint64 { return uint64(*x) }

// TestBag: what is put is found under its key until it is dropped, whether few or many
// are there, in whatever order.
func TestBag(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var b bag[*item]
		there := map[*item]bool{}
		var all []*item
		for range 200 {
			switch r.IntN(8) {
			case 0, 1, 2, 3:
				x := item(r.IntN(120))
				if b.get(x.keyOf()) != nil {
					continue
				}
				b.put(&x)
				there[&x], all = true, append(all, &x)
			case 4:
				b.reverse()
			default:
				if len(all) > 0 {
					i := r.IntN(len(all))
					b.drop(all[i])
					delete(there, all[i])
				}
			}
			if len(b.items) != len(there) {
				t.Fatalf("%d are there, want %d", len(b.items), len(there))
			}
			for x := range there {
				if b.get(x.keyOf()) != x {
					t.Fatalf("%d is not found", *x)
				}
			}
		}
	}
}
