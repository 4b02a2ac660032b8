package engine

import (
	"context"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/recent"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// BenchmarkRecent reads the same calls with a store of messages, whose memory was used
// before, and without, in turn, and gives how much more CPU time it takes with one: the
// median of the pairs. In pages another goroutine reads pages ten times a second.
func BenchmarkRecent(b *testing.B) {
	load := many(b, 0, 15000)
	store := recent.New(64 << 20)
	once := func(with, pages bool) time.Duration {
		cfg := DefaultConfig()
		if with {
			cfg.Recent = store
		}
		e := New(cfg, one(&frames{all: load}), discard{})
		done, looked := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(looked)
			tick := time.NewTicker(100 * time.Millisecond)
			defer tick.Stop()
			for pages {
				select {
				case <-done:
					return
				case <-tick.C:
					e.Calls(view.Query{})
					e.Bindings(view.Query{})
				}
			}
		}()
		runtime.GC()
		at := cpu(b)
		e.Run(context.Background())
		took := cpu(b) - at
		close(done)
		<-looked
		return took
	}
	once(true, false)
	for name, with := range map[string][2]bool{"store": {true, false}, "pages": {false, true}} {
		b.Run(name, func(b *testing.B) {
			var ratios []float64
			var bare time.Duration
			for i := 0; b.Loop(); i++ {
				var x, y time.Duration
				if i%2 == 0 {
					x, y = once(false, false), once(with[0], with[1])
				} else {
					y, x = once(with[0], with[1]), once(false, false)
				}
				bare += x
				ratios = append(ratios, float64(y)/float64(x))
			}
			slices.Sort(ratios)
			b.ReportMetric(100*(ratios[len(ratios)/2]-1), "%-longer")
			b.ReportMetric(float64(bare.Nanoseconds())/float64(b.N)/float64(len(load)), "ns/message")
		})
	}
}

// cpu is the time that this process has worked, which others on the machine do not add
// to.
func cpu(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
