package limit

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// addresses are so many sources.
func addresses(n int) []netip.AddrPort {
	all := make([]netip.AddrPort, n)
	for i := range all {
		all[i] = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 5060)
	}
	return all
}

// load is a steady load: a thousand sources, some of which flood and calm down, and one
// on the blacklist.
func load(r *run) func() {
	all := addresses(1000)
	r.tell(t0)
	r.l.Offend("10.0.3.0/24", "", 0, "me")
	e := happening(event.OtherOK, "10.0.0.1", t0)
	n, now := 0, t0
	return func() {
		for range 1000 {
			n++
			now += 1e6
			e.Src, e.Time = all[n%len(all)], now
			if n%4 > 0 {
				e.Src = all[n>>12%8]
			}
			r.tell(now)
			r.l.Judge(e)
		}
		r.calms = r.calms[:0]
	}
}

// TestAllocs: a steady load allocates nothing, floods and what is told of them neither.
func TestAllocs(t *testing.T) {
	r := with(nil)
	step := load(r)
	for range 300 {
		step()
	}
	if s := r.l.Stats(); s.Over == 0 || s.Sum(HeldRate) == 0 || s.Sum(HeldSource) == 0 {
		t.Fatalf("no load: %+v", s)
	}
	if n := testing.AllocsPerRun(100, step); n != 0 {
		t.Errorf("%v allocations in a thousand events", n)
	}
}

func BenchmarkJudge(b *testing.B) {
	for _, keys := range []int{1, 1000, 100000} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			r := with(nil)
			all := addresses(keys)
			e := happening(event.OtherOK, "10.0.0.1", t0)
			now := t0
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				if n++; n == len(all) {
					n = 0
				}
				now += 1e5
				e.Src, e.Time = all[n], now
				r.tell(now)
				r.l.Judge(e)
			}
		})
	}
	b.Run("full", func(b *testing.B) { // each event comes from another source
		r := with(func(cfg *Config) { cfg.MaxEntries = 10000 })
		e := happening(event.OtherOK, "10.0.0.1", t0)
		now, n := t0, uint32(0)
		b.ReportAllocs()
		for b.Loop() {
			n++
			now += 1e5
			e.Src, e.Time = netip.AddrPortFrom(netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}), 1), now
			r.tell(now)
			r.l.Judge(e)
		}
	})
	b.Run("tell", func(b *testing.B) { // a packet that makes no event
		r := with(nil)
		now := t0
		for b.Loop() {
			now++
			r.tell(now)
		}
	})
}

func BenchmarkRates(b *testing.B) {
	r := with(nil)
	for i, a := range addresses(100000) {
		e := happening(event.OtherOK, "10.0.0.1", t0+int64(i))
		e.Src = a
		r.see(e)
	}
	b.ReportAllocs()
	for b.Loop() {
		if page, err := r.l.Rates(view.Query{Text: "10.1.1."}); err != nil || len(page.Rates) != 100 {
			b.Fatal(err, len(page.Rates))
		}
	}
}

// TestConcurrent: changes and lists from other goroutines while events come. It is for
// the race detector.
func TestConcurrent(t *testing.T) {
	r := with(func(cfg *Config) { cfg.MaxEntries = 2000; cfg.Rates.ReportMin = 2 })
	cfg := r.l.cfg
	var others sync.WaitGroup
	stop := make(chan struct{})
	for _, work := range []func(i int){
		func(i int) { r.l.Rates(view.Query{Text: "10."}); r.l.Types(); r.l.Stats() },
		func(i int) { r.l.Offenders(view.Query{}); r.l.Forgive(fmt.Sprintf("10.0.0.%d", i%256), "me") },
		func(i int) {
			r.l.SetType("reg-new", i%2 == 0, "me")
			r.l.SetLimits(view.Limits{Limits: []float64{float64(i % 3), 5, 6}}, "me")
		},
		func(i int) {
			r.l.Offend(fmt.Sprintf("10.0.%d.0/24", i%4), "", time.Second, "me")
			r.l.ForgetRate("other-ok", "10.0.0.7", "me")
		},
		func(i int) { r.l.Save(func([]byte) error { return nil }); r.l.Configure(cfg) },
	} {
		others.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					work(i)
				}
			}
		})
	}
	e := happening(event.OtherOK, "10.0.0.1", t0)
	all := addresses(3000)
	for n := range 20000 {
		e.Src, e.Time = all[n*n%len(all)], t0+int64(n)*1e5
		e.SetString(&e.UserAgent, "ua")
		r.see(e)
		e.Reset()
		e.Type = event.OtherOK
	}
	close(stop)
	others.Wait()
	s := r.l.Stats()
	if sum := s.Sum(Sent) + s.Sum(HeldType) + s.Sum(HeldRate) + s.Sum(HeldSource); sum != 20000+s.Told {
		t.Errorf("%d judged", sum)
	}
}
