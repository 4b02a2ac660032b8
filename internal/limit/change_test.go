package limit

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// TestWhileItIsChanged: whatever people read and change while events are judged, in a
// table that is too small, what was held adds up to what was told, and every event has a
// fate.
func TestWhileItIsChanged(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Rates = Rates{Limits: []float64{3, 20}, Intervals: []time.Duration{time.Second, time.Minute}, ReportMin: 5, ReportMax: 50}
	cfg.MaxEntries, cfg.MaxOffenders = minEntries, 8
	l := New(cfg)
	over := make(chan struct{})
	var wg sync.WaitGroup
	for seed, do := range []func(r *rand.Rand, source string) error{
		func(r *rand.Rand, _ string) error { _, err := l.Rates(view.Query{State: stateOver}); return err },
		func(r *rand.Rand, _ string) error { _, err := l.Offenders(view.Query{}); return err },
		func(r *rand.Rand, _ string) error { return l.Save(func([]byte) error { return nil }) },
		func(r *rand.Rand, source string) error {
			return l.Offend(source, "", time.Duration(r.IntN(9))*time.Second, "test")
		},
		func(r *rand.Rand, source string) error { _ = l.Forgive(source, "test"); return nil },
		func(r *rand.Rand, source string) error { _ = l.ForgetRate("other-ok", source, "test"); return nil },
		func(r *rand.Rand, source string) error {
			l.Blame(netip.MustParseAddr(source), "test", time.Duration(1+r.IntN(3))*time.Second)
			return nil
		},
		func(r *rand.Rand, _ string) error {
			return l.SetLimits(view.Limits{Limits: []float64{float64(r.IntN(5)), 20}, Intervals: []string{fmt.Sprintf("%dms", 500+r.IntN(3)), "1m"}}, "test")
		},
		func(r *rand.Rand, _ string) error { return l.SetType("other-failed", r.IntN(2) == 0, "test") },
		func(r *rand.Rand, _ string) error {
			c := cfg
			c.MaxEntries, c.MaxOffenders = minEntries+r.IntN(9), 4+r.IntN(9)
			l.Configure(c)
			return nil
		},
	} {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(seed), 3))
			for {
				select {
				case <-over:
					return
				default:
				}
				// Who is full of those put there by hand says so.
				if err := do(r, fmt.Sprintf("192.0.2.%d", r.IntN(20))); err != nil && seed != 3 {
					t.Error(seed, err)
				}
			}
		})
	}

	var fates [NumFates]uint64
	var suppressed uint64
	var e, said event.Event
	told := func(now int64) {
		for l.Told(&said, now) {
			suppressed += said.Rate.Suppressed
			fates[l.Judge(&said)]++
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	now := t0
	for range 30000 {
		now += r.Int64N(40 * int64(time.Millisecond))
		told(now)
		e.Reset()
		e.Type, e.Time = event.OtherOK, now
		if r.IntN(4) == 0 {
			e.Type = event.OtherFailed
		}
		e.Emergency = r.IntN(50) == 0
		e.Src = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(r.IntN(30))}), 5060)
		fate := l.Judge(&e)
		if e.Emergency && fate != Sent {
			t.Fatalf("an emergency call was %s", fate)
		}
		if fate == Sent {
			suppressed += e.Rate.Suppressed
		}
		fates[fate]++
	}
	close(over)
	wg.Wait()
	l.Flush()
	told(now)
	if held := fates[HeldRate] + fates[HeldSource]; held != suppressed || held == 0 { // which of both is chance
		t.Errorf("%d were held, %d were told of; %v", held, suppressed, fates)
	}
	s := l.Stats()
	for f := range NumFates {
		if s.Sum(f) != fates[f] {
			t.Errorf("%s: %d counted, %d seen", f, s.Sum(f), fates[f])
		}
	}
}
