package track

import (
	"math/rand/v2"
	"testing"
	"time"
)

// fired notes when timers fire.
type fired struct {
	at    []int64
	timer *timer
	again func()
}

func (f *fired) expire(*Tracker) {
	f.at = append(f.at, f.timer.at)
	if f.again != nil {
		f.again()
	}
}
func (f *fired) flush(*Tracker, bool) {}

// TestWheelOrder: timers fire at their time and in the order of their deadlines,
// near and far, however the clock steps.
func TestWheelOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for round := range 200 {
		var w wheel
		start := r.Int64N(2e18)
		w.run(nil, start)
		var order []int64
		timers := make([]*timer, 300)
		owners := make([]*fired, len(timers))
		for i := range timers {
			timers[i] = &timer{}
			owners[i] = &fired{timer: timers[i]}
			timers[i].owner = ordered{owners[i], &order}
			span := []int64{1e6, 1e9, 1e11, 1e13, 1e15, 1e17, 4e18}[r.IntN(7)]
			w.set(timers[i], start+r.Int64N(span))
		}
		cleared := map[int]bool{}
		for range 50 {
			i := r.IntN(len(timers))
			w.clear(timers[i])
			cleared[i] = true
		}
		now := start
		for w.count > 0 {
			now += r.Int64N([]int64{1e6, 1e9, 1e12, 1e15, 1e17, 1e18}[r.IntN(6)])
			w.run(nil, now)
			for i, tm := range timers {
				if !cleared[i] && tm.isSet() && tm.at <= now {
					t.Fatalf("round %d: a timer for %d did not fire at %d", round, tm.at, now)
				}
				if len(owners[i].at) > 0 && owners[i].at[0] > now {
					t.Fatalf("round %d: a timer for %d fired at %d", round, owners[i].at[0], now)
				}
			}
		}
		for i := range order[1:] {
			if order[i] > order[i+1] {
				t.Fatalf("round %d: %d fired after %d", round, order[i+1], order[i])
			}
		}
		if len(order) != len(timers)-len(cleared) {
			t.Fatalf("round %d: %d fired of %d", round, len(order), len(timers)-len(cleared))
		}
	}
}

type ordered struct {
	*fired
	order *[]int64
}

func (o ordered) expire(t *Tracker) {
	*o.order = append(*o.order, o.timer.at)
	o.fired.expire(t)
}

// TestWheelFromWithin: a timer that fires may set and clear others, itself included,
// in the same tick.
func TestWheelFromWithin(t *testing.T) {
	var w wheel
	w.run(nil, 1e18)
	a, b, c := &fired{timer: &timer{}}, &fired{timer: &timer{}}, &fired{timer: &timer{}}
	a.timer.owner, b.timer.owner, c.timer.owner = a, b, c
	w.set(a.timer, 1e18+10)
	w.set(b.timer, 1e18+20)
	a.again = func() {
		w.clear(b.timer)
		w.set(c.timer, 1e18+15)
		if len(a.at) < 3 {
			w.set(a.timer, a.timer.at+1)
		}
	}
	w.run(nil, 1e18+int64(time.Second))
	if len(a.at) != 3 || len(b.at) != 0 || len(c.at) != 1 || w.count != 0 {
		t.Errorf("fired %v, %v, %v; %d left", a.at, b.at, c.at, w.count)
	}
}

// TestWheelLeap: a leap of years costs no walk through them.
func TestWheelLeap(t *testing.T) {
	var w wheel
	f := &fired{timer: &timer{}}
	f.timer.owner = f
	w.run(nil, 1e18)
	w.set(f.timer, 1e18+int64(300*24*time.Hour))
	if n := testing.AllocsPerRun(1, func() {}); n != 0 {
		t.Fatal(n)
	}
	w.run(nil, 9e18)
	if len(f.at) != 1 {
		t.Error("did not fire")
	}
}

// BenchmarkFarTimers: a second of packets, 20 ms apart, while a hundred thousand
// bindings wait for a hundred years.
func BenchmarkFarTimers(b *testing.B) {
	var w wheel
	now := int64(1e18)
	w.run(nil, now)
	for i := range 100_000 {
		w.set(&timer{owner: &fired{}}, now+3e18+int64(i))
	}
	near := &timer{}
	near.owner = &fired{timer: near}
	for b.Loop() {
		for range 50 {
			w.set(near, now+15e6)
			now += 20e6
			w.run(nil, now)
		}
	}
}

// BenchmarkCrowdedTick: deadlines and packets, both 2 µs apart.
func BenchmarkCrowdedTick(b *testing.B) {
	var w wheel
	now := int64(1e18)
	w.run(nil, now)
	for i := range 100_000 {
		tm := &timer{}
		tm.owner = &fired{timer: tm, again: func() { w.set(tm, now+200e6) }}
		w.set(tm, now+int64(i)*2e3)
	}
	for b.Loop() {
		now += 2e3
		w.run(nil, now)
	}
}
