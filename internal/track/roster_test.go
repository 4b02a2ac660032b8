package track

import (
	"math/rand/v2"
	"testing"
)

// checkLists holds the lists against the tables.
func checkLists(t *testing.T, tr *Tracker) {
	t.Helper()
	calls, bindings := map[listed]bool{}, map[listed]bool{}
	for _, s := range tr.calls.sets {
		for _, a := range s.attempts.items {
			if a.state != answered {
				calls[a] = true
			}
		}
		for _, d := range s.dialogs.items {
			if d.state != ended {
				calls[d] = true
			}
		}
	}
	for _, a := range tr.regs.aors {
		for _, b := range a.bindings {
			bindings[b] = true
		}
	}
	checkRoster(t, &tr.lists.calls, calls)
	checkRoster(t, &tr.lists.bindings, bindings)
}

// checkRoster holds a roster against what has to be in it, and its parts against each
// other.
func checkRoster(t *testing.T, r *roster, want map[listed]bool) {
	t.Helper()
	if r.count != len(want) {
		t.Errorf("%d are listed, %d are there", r.count, len(want))
	}
	last, seen := uint64(1<<64-1), 0
	r.before(last, func(number uint64, x *slot) bool {
		seen++
		if number >= last {
			t.Errorf("%d stands behind %d", number, last)
		}
		last = number
		l := x.link.owner.(listed)
		if at, n := r.at(*l.where()); at != x || n != number || !want[l] {
			t.Errorf("%d is not where it says, or gone", number)
		}
		return true
	})
	if seen != r.count || r.count > 0 && r.oldest() != last {
		t.Errorf("%d are found, %d counted; the oldest is %d, not %d", seen, r.count, r.oldest(), last)
	}
	live := 0
	for i, b := range r.blocks {
		if live += int(b.live); b.live == 0 || i > 0 && r.blocks[i-1].first >= b.first {
			t.Errorf("block %d from %d has %d", i, b.first, b.live)
		}
	}
	if live != r.count {
		t.Errorf("%d in blocks, %d counted", live, r.count)
	}
}

// TestRoster adds and drops at random, the oldest most seldom, and reads pages between:
// what was there all the time is on one page, once, and blocks do not pile up.
func TestRoster(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, keep := range []int{2, 50, 400} { // one in so many stays long
		var r roster
		there := map[listed]bool{}
		var short, long []*dialog
		drop := func(from []*dialog, i int) []*dialog {
			d := from[i]
			r.drop(&d.spot)
			delete(there, listed(d))
			from[i] = from[len(from)-1]
			return from[:len(from)-1]
		}
		step := func() {
			d := &dialog{}
			d.link.owner = d
			r.add(&d.link, &d.spot)
			there[d] = true
			if rnd.IntN(keep) == 0 {
				long = append(long, d)
			} else {
				short = append(short, d)
			}
			for len(short) > 300 {
				short = drop(short, rnd.IntN(len(short)))
			}
			for len(long) > 500 {
				long = drop(long, rnd.IntN(len(long)))
			}
		}
		for range 200 {
			all, shownOnce := map[listed]bool{}, map[listed]int{}
			for d := range there {
				all[d] = true
			}
			gone := map[listed]bool{}
			for from := uint64(1<<64 - 1); ; {
				n := 0
				r.before(from, func(number uint64, x *slot) bool {
					if n++; n > 40 {
						return false
					}
					from = number
					shownOnce[x.link.owner.(listed)]++
					return true
				})
				if n <= 40 {
					break
				}
				for range rnd.IntN(80) {
					step()
				}
				for d := range all {
					if !there[d] {
						gone[d] = true
					}
				}
			}
			for d, n := range shownOnce {
				if n != 1 {
					t.Fatalf("an entry is on %d pages", n)
				}
				if !all[d] && !gone[d] && !there[d] {
					t.Fatal("an entry that is nowhere")
				}
			}
			for d := range all {
				if !gone[d] && shownOnce[d] == 0 {
					t.Fatal("an entry was passed over")
				}
			}
			for range 500 {
				step()
			}
			checkRoster(t, &r, there)
			if most := 2 + 8*len(there)/blockSlots; len(r.blocks) > most {
				t.Fatalf("%d blocks for %d entries", len(r.blocks), len(there))
			}
		}
		for len(long) > 0 {
			long = drop(long, len(long)-1)
		}
		for len(short) > 0 {
			short = drop(short, 0)
		}
		checkRoster(t, &r, there)
		if len(r.blocks) > 1 {
			t.Errorf("%d blocks are left", len(r.blocks))
		}
	}
}

// TestRosterAllocs: in steady state nothing is allocated.
func TestRosterAllocs(t *testing.T) {
	var r roster
	ds := make([]dialog, 5000)
	for i := range ds {
		ds[i].link.owner = &ds[i]
		r.add(&ds[i].link, &ds[i].spot)
	}
	i := 0
	turn := func() {
		for range 4 * blockSlots {
			d := &ds[i*7919%len(ds)]
			r.drop(&d.spot)
			r.add(&d.link, &d.spot)
			i++
		}
	}
	for range 100 {
		turn()
	}
	if n := testing.AllocsPerRun(50, turn); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkRoster is what an entry costs that comes and goes among a million.
func BenchmarkRoster(b *testing.B) {
	var r roster
	ds := make([]dialog, crowdSize)
	for i := range ds {
		ds[i].link.owner = &ds[i]
		r.add(&ds[i].link, &ds[i].spot)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		d := &ds[i*7919%len(ds)]
		r.drop(&d.spot)
		r.add(&d.link, &d.spot)
	}
}
