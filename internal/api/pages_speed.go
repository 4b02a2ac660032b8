package api

import (
	"context"
	"sync"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/metric"
)

// speedEvery is how often the counters are read for their rates, speedOver over how many
// such readings a rate is taken.
const (
	speedEvery = 5 * time.Second
	speedOver  = 6
)

// reading is the value of every counter at a moment.
type reading struct {
	at     time.Time
	values map[sampleKey]float64
}

// sampleKey names a sample.
type sampleKey struct{ name, value string }

// speeds keeps the last readings of the counters, so that a page can say what is added a
// second. The time is that of the ticker: rates are of the program, not of the packets.
type speeds struct {
	mu   sync.Mutex
	kept []reading // oldest first, at most speedOver+1
}

// run reads the counters until ctx ends.
func (s *speeds) run(ctx context.Context, p Program) {
	tick := time.NewTicker(speedEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			s.take(now, p)
		}
	}
}

func (s *speeds) take(now time.Time, p Program) {
	r := reading{at: now, values: map[sampleKey]float64{}}
	p.Samples(func(d *metric.Desc, value string, n float64) {
		if d.Kind == metric.Counter {
			r.values[sampleKey{d.Name, value}] = n
		}
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept = append(s.kept, r); len(s.kept) > speedOver+1 {
		s.kept = append(s.kept[:0], s.kept[1:]...)
	}
}

// all gives what was added to each counter a second, over which time; nil as long as
// there is only one reading.
func (s *speeds) all() (map[sampleKey]float64, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.kept) < 2 {
		return nil, 0
	}
	first, last := s.kept[0], s.kept[len(s.kept)-1]
	over := last.at.Sub(first.at)
	rates := make(map[sampleKey]float64, len(last.values))
	for k, n := range last.values {
		if was, ok := first.values[k]; ok && over > 0 {
			rates[k] = (n - was) / over.Seconds()
		}
	}
	return rates, over
}
