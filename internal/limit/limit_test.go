package limit

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/metric"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// t0 begins a second, a minute and an hour.
const t0 = int64(1767225600e9)

const sec = int64(time.Second)

// with makes a Limiter of the default, changed.
func with(change func(*Config)) *run {
	cfg := DefaultConfig()
	if change != nil {
		change(&cfg)
	}
	return &run{l: New(cfg)}
}

// flood sees n events of a type and source, every so many nanoseconds from a time, and
// gives the numbers of those that left, counted from 1.
func (r *run) flood(typ event.Type, src string, from, every int64, n int) (left []int) {
	for i := range n {
		if r.see(happening(typ, src, from+int64(i)*every)) == Sent {
			left = append(left, i+1)
		}
	}
	return left
}

// TestDoubling: the first 20 of a second are within the limit; of those over it leave
// the 1st, 100th, 200th, 400th, 800th, 1600th, 3200th, 6400th, 10000th, 20000th, 30000th.
func TestDoubling(t *testing.T) {
	r := with(nil)
	left := r.flood(event.OtherFailed, "192.0.2.1", t0, 1e4, 31000)
	var want []int
	for n := range 20 {
		want = append(want, n+1)
	}
	for _, over := range []int{1, 100, 200, 400, 800, 1600, 3200, 6400, 10000, 20000, 30000} {
		want = append(want, 20+over)
	}
	if !slices.Equal(left, want) {
		t.Errorf("left: %v\nwant: %v", left, want)
	}
	r.tell(t0 + 3*3600*sec)
	if len(r.calms) != 1 {
		t.Fatalf("%d are told", len(r.calms))
	}
	e := &r.calms[0]
	if got := e.Rate; got.Total != 31000-31 || got.Suppressed != 980 || got.Exceeded != 30980 || got.Ended != event.Calm || got.Since != t0+20e4 ||
		e.Src.Addr() != netip.MustParseAddr("192.0.2.1") || e.Start != got.Since || e.End != e.Time || e.ID == (event.Hash{}) {
		t.Errorf("told %+v", got)
	}
	// 31000 are in the hour of t0; the limit of 3600 is reached again when 3600/31000 of
	// it is still in the window.
	part := 1 - 3600.0/31000
	if at := t0 + 3600*sec + int64(3600e9*part); e.Time < at-10 || e.Time > at+10 {
		t.Errorf("calm at %v, want %v", time.Unix(0, e.Time).UTC(), time.Unix(0, at).UTC())
	}
}

// TestReports: the bounds of the doubling.
func TestReports(t *testing.T) {
	for _, c := range []struct {
		min, max uint64
		want     []uint64
	}{
		{100, 10000, []uint64{1, 100, 200, 400, 800, 1600, 3200, 6400, 10000, 20000}},
		{100, 400, []uint64{1, 100, 200, 400, 800, 1200, 1600}},
		{0, 7000, []uint64{1, 7000, 14000}},
		{3000, 0, []uint64{1, 3000, 6000, 12000}},
		{1, 8, []uint64{1, 2, 4, 8, 16, 24}},
		{0, 0, []uint64{1}},
		{7, 5, []uint64{1, 5, 10, 15}},
	} {
		l := with(func(cfg *Config) { cfg.Rates.ReportMin, cfg.Rates.ReportMax = c.min, c.max }).l
		var got []uint64
		for n := uint64(1); n <= 20000 && len(got) < len(c.want); n++ {
			if l.reports(n) {
				got = append(got, n)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("min %d, max %d: %v, want %v", c.min, c.max, got, c.want)
		}
	}
}

// TestExempt: who is never held.
func TestExempt(t *testing.T) {
	r := with(func(cfg *Config) {
		cfg.Held[event.CallStart] = true
		cfg.Allow = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("192.0.2.1/32")}
	})
	for _, c := range []struct {
		name   string
		change func(*event.Event)
		want   Fate
	}{
		{"emergency", func(e *event.Event) { e.Emergency = true }, Sent},
		{"emergency of a type that is held", func(e *event.Event) { e.Emergency, e.Type = true, event.CallStart }, Sent},
		{"a type that is held", func(e *event.Event) { e.Type = event.CallStart }, HeldType},
		{"a type that is held, allowed", func(e *event.Event) {
			e.Type = event.CallStart
			e.Src = netip.MustParseAddrPort("192.0.2.1:5060")
		}, HeldType},
		{"message", func(e *event.Event) { e.Type = event.Message }, Sent},
		{"rate-calm", func(e *event.Event) { e.Type = event.RateCalm }, Sent},
		{"allowed network", func(e *event.Event) { e.Src = netip.MustParseAddrPort("192.0.2.77:5060") }, Sent},
		{"allowed network, as IPv6", func(e *event.Event) { e.Src = netip.MustParseAddrPort("[::ffff:192.0.2.77]:5060") }, Sent},
		{"allowed IPv6", func(e *event.Event) { e.Src = netip.MustParseAddrPort("[2001:db8:5::1]:5060") }, Sent},
		{"no source", func(e *event.Event) { e.Src = netip.AddrPort{} }, Sent},
		{"another", func(*event.Event) {}, HeldRate},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.l.Restart()
			var fate Fate
			for i := range 60 {
				e := happening(event.OtherOK, "198.51.100.1", t0+int64(i))
				c.change(e)
				fate = r.see(e)
			}
			if fate != c.want {
				t.Errorf("%v, want %v", fate, c.want)
			}
		})
	}
}

// TestMeasureOnly: a limit of 0 measures, an interval of 0 is off, and no window is
// nothing.
func TestMeasureOnly(t *testing.T) {
	r := with(func(cfg *Config) {
		cfg.Rates.Limits, cfg.Rates.Intervals = []float64{0, 5}, []time.Duration{time.Second, 0}
	})
	if left := r.flood(event.OtherOK, "192.0.2.1", t0, 1, 1000); len(left) != 1000 {
		t.Errorf("%d of 1000 left", len(left))
	}
	page, err := r.l.Rates(view.Query{})
	if err != nil || len(page.Rates) != 1 || len(page.Rates[0].Windows) != 1 || page.Rates[0].Windows[0].Rate != 1000 || page.Rates[0].Over {
		t.Errorf("%+v, %v", page, err)
	}
	r = with(func(cfg *Config) { cfg.Rates.Limits, cfg.Rates.Intervals = nil, nil })
	if left := r.flood(event.OtherOK, "192.0.2.1", t0, 1, 1000); len(left) != 1000 || r.l.Stats().Keys != 0 {
		t.Errorf("%d of 1000 left", len(left))
	}
}

// TestNear: a record says how near a limit is, from 80 % on.
func TestNear(t *testing.T) {
	r := with(nil)
	for n := 1; n <= 20; n++ {
		e := happening(event.OtherOK, "2001:db8::7", t0+int64(n))
		r.see(e)
		if got := e.Rate; (got.By == event.ByRate) != (n >= 16) || n >= 16 && (int(got.Current) != n || got.Limit != 20 || got.Period != "1s" || got.Exceeded != 0) {
			t.Errorf("event %d says %+v", n, got)
		}
	}
}

// TestKeyOfIPv6: a /64 is one source; the record has the whole address.
func TestKeyOfIPv6(t *testing.T) {
	r := with(nil)
	for n := range 200 {
		r.see(happening(event.OtherOK, fmt.Sprintf("2001:db8::%x", n+1), t0+int64(n)))
	}
	r.l.Flush()
	r.tell(t0 + 200)
	if s := r.l.Stats(); s.Keys != 1 || len(r.calms) != 1 || r.calms[0].Src.Addr().String() != "2001:db8::c8" || r.calms[0].Rate.Source.String() != "2001:db8::/64" {
		t.Errorf("%d keys; told %+v", s.Keys, r.calms)
	}
}

// TestEviction: the table is full; nobody's event is held for it, the flood stays, and
// one that goes tells its total.
func TestEviction(t *testing.T) {
	r := with(func(cfg *Config) { cfg.MaxEntries = 16 })
	r.flood(event.OtherOK, "192.0.2.1", t0, 1e4, 300)
	for n := range 4000 {
		if fate := r.see(happening(event.OtherOK, fmt.Sprintf("10.0.%d.%d", n>>8, n&255), t0+3e6+int64(n))); fate != Sent {
			t.Fatal(fate)
		}
	}
	if s := r.l.Stats(); s.Keys != 16 || s.Over != 1 || s.Evicted != 4001-16 || len(r.calms) != 0 {
		t.Errorf("%+v, %d told", s, len(r.calms))
	}
	for n := range 16 { // all are over now: that least over and longest idle goes
		r.flood(event.OtherFailed, fmt.Sprintf("10.1.0.%d", n), t0+4e6+int64(n)*1e5, 1e3, 30+n)
	}
	r.tell(t0 + 6e6)
	if len(r.calms) != 1 || r.calms[0].Rate.Ended != event.RateEvicted || r.calms[0].Rate.Source.String() != "10.1.0.0/32" || r.calms[0].Rate.Total != 9 {
		t.Errorf("told %+v", r.calms)
	}
}

// TestIdleGoes: a key that has long been idle leaves the table when another comes.
func TestIdleGoes(t *testing.T) {
	r := with(nil)
	for n := range 100 {
		r.see(happening(event.OtherOK, fmt.Sprintf("10.0.0.%d", n), t0))
	}
	for n := range 60 {
		r.see(happening(event.OtherOK, fmt.Sprintf("10.0.1.%d", n), t0+3*3600*sec))
	}
	if s := r.l.Stats(); s.Keys != 60 || s.Evicted != 0 {
		t.Errorf("%+v", s)
	}
}

// TestFlush: at the end everything is told, and nothing twice.
func TestFlush(t *testing.T) {
	r := with(nil)
	if err := r.l.Offend("198.51.100.0/24", "test", 0, "me"); err != nil {
		t.Fatal(err)
	}
	for n := range 50 {
		r.flood(event.OtherOK, fmt.Sprintf("10.0.0.%d", n), t0+int64(n)*1e6, 1e3, 50)
	}
	r.flood(event.RegNew, "198.51.100.9", t0+6e7, 1, 50)
	for range 2 {
		r.l.Flush()
		r.tell(t0 + 7e7)
	}
	var sum uint64
	for i := range r.calms {
		if sum += r.calms[i].Rate.Suppressed; r.calms[i].Rate.Ended != event.RateStopped {
			t.Error(r.calms[i].Rate.Ended)
		}
	}
	if sum != 50*29+49 || len(r.calms) != 51 {
		t.Errorf("%d told in %d records", sum, len(r.calms))
	}
	ids := map[event.Hash]bool{}
	for i := range r.calms {
		ids[r.calms[i].ID] = true
	}
	if len(ids) != 51 {
		t.Error("two records have one id")
	}
}

// TestRestart: the time of the packets begins anew.
func TestRestart(t *testing.T) {
	r := with(nil)
	var first []int
	for turn := range 3 {
		left := r.flood(event.OtherOK, "192.0.2.1", t0, 1e5, 500)
		r.l.Flush()
		r.tell(t0 + sec)
		r.l.Restart()
		if first == nil {
			first = left
		}
		if !slices.Equal(left, first) || len(r.calms) != turn+1 {
			t.Errorf("turn %d: %v, %d told", turn, left, len(r.calms))
		}
	}
	if r.calms[0].ID == r.calms[1].ID {
		t.Error("two turns have one id")
	}
}

// TestSetLimits: limits that are lifted end a flood, by and by.
func TestSetLimits(t *testing.T) {
	var said []string
	r := with(func(cfg *Config) { cfg.Say = func(line string) { said = append(said, line) } })
	for n := range 300 {
		r.flood(event.OtherOK, fmt.Sprintf("10.0.%d.%d", n>>8, n&255), t0, 0, 100)
	}
	if err := r.l.SetLimits(view.Limits{Limits: []float64{0, 0, 0}}, "me"); err != nil {
		t.Fatal(err)
	}
	for n := range 10 {
		r.tell(t0 + sec + int64(n))
	}
	if s := r.l.Stats(); s.Over != 0 || len(r.calms) != 300 {
		t.Errorf("%d keys are over, %d told", s.Over, len(r.calms))
	}
	least := uint64(5)
	if err := r.l.SetLimits(view.Limits{Limits: []float64{1}, Intervals: []string{"10s"}, ReportMin: &least}, "me"); err != nil {
		t.Fatal(err)
	}
	if left := r.flood(event.OtherOK, "10.0.0.1", t0+2*sec, 1, 12); !slices.Equal(left, []int{1, 2, 6, 11}) {
		t.Errorf("%v left", left)
	}
	want := []string{
		"evr_limits: 0 in 1s, 0 in 1m, 0 in 1h, reports 100 and 10000; was: 20 in 1s, 240 in 1m, 3600 in 1h, reports 100 and 10000; changed by me",
		"evr_limits: 1 in 10s, reports 5 and 10000; was: 0 in 1s, 0 in 1m, 0 in 1h, reports 100 and 10000; changed by me",
	}
	if !slices.Equal(said, want) {
		t.Errorf("said\n%s", strings.Join(said, "\n"))
	}
}

func TestSetLimitsRefused(t *testing.T) {
	l := with(nil).l
	for _, c := range []struct {
		limits view.Limits
		want   string
	}{
		{view.Limits{Limits: []float64{1}}, "evr_limits: 1 limit and evr_intervals: 3 intervals do not fit"},
		{view.Limits{Limits: []float64{1, 2, -3}}, "evr_limits: -3 is not allowed"},
		{view.Limits{Intervals: []string{"1s", "1s", "1m"}}, "evr_intervals: 1s is not allowed"},
		{view.Limits{Intervals: []string{"1s", "x", "1m"}}, `intervals: "x" is not allowed`},
		{view.Limits{Intervals: []string{"1s", "1ms", "1m"}}, "evr_intervals: 1ms is not allowed"},
	} {
		if err := l.SetLimits(c.limits, "me"); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %s", c.limits, err, c.want)
		}
	}
	if page, _ := l.Rates(view.Query{}); !slices.Equal(page.Limits, []float64{20, 240, 3600}) || !slices.Equal(page.Intervals, []string{"1s", "1m", "1h"}) {
		t.Errorf("a wrong change changed something: %+v", page)
	}
}

// TestTypes: the switches of types.
func TestTypes(t *testing.T) {
	var said []string
	r := with(func(cfg *Config) {
		cfg.Held[event.OtherOK] = true
		cfg.Say = func(line string) { said = append(said, line) }
	})
	r.flood(event.OtherOK, "192.0.2.1", t0, 1, 10)
	if err := r.l.SetType("other-ok", false, "192.0.2.200"); err != nil {
		t.Fatal(err)
	}
	r.flood(event.OtherOK, "192.0.2.1", t0+10, 1, 30)
	if err := r.l.SetTypes([]string{"reg-new", "reg-del"}, "192.0.2.200"); err != nil {
		t.Fatal(err)
	}
	r.l.SetType("reg-new", true, "nobody")
	for _, err := range []error{r.l.SetType("x", true, ""), r.l.SetTypes([]string{"reg-new", "none"}, "")} {
		if err == nil || !strings.Contains(err.Error(), "allowed: call-start, ") {
			t.Error(err)
		}
	}
	want := view.TypeSwitch{Type: "other-ok", Meaning: event.Kinds[event.OtherOK].Sentence, Made: 40, Sent: 21, HeldType: 10, HeldRate: 9}
	var held []string
	for _, s := range r.l.Types() {
		if s.Type == "other-ok" && s != want {
			t.Errorf("%+v, want %+v", s, want)
		}
		if s.Blacklisted {
			held = append(held, s.Type)
		}
	}
	if !slices.Equal(held, []string{"reg-new", "reg-del"}) {
		t.Error(held)
	}
	if !slices.Equal(said, []string{
		"event_types_blst: none are held back now, was: other-ok; changed by 192.0.2.200",
		"event_types_blst: reg-del, reg-new are held back now, was: none; changed by 192.0.2.200",
	}) {
		t.Errorf("said\n%s", strings.Join(said, "\n"))
	}
	sum := map[string]float64{}
	stats := r.l.Stats()
	stats.Samples(func(d *metric.Desc, _ string, n float64) { sum[d.Name] += n })
	if sum["events_made"] != sum["events_sent"]+sum["events_blacklisted"]+sum["events_held_by_rate"]+sum["events_held_by_source"] || sum["events_made"] != 40 {
		t.Errorf("%v", sum)
	}
}

// TestForget: a key is counted from none, and what was held is told.
func TestForget(t *testing.T) {
	r := with(nil)
	r.flood(event.OtherOK, "2001:db8::5", t0, 1, 40)
	if err := r.l.ForgetRate("other-ok", "2001:db8::1", "me"); err != nil {
		t.Fatal(err)
	}
	r.tell(t0 + 50)
	if len(r.calms) != 1 || r.calms[0].Rate.Ended != event.RateForgotten || r.calms[0].Rate.Total != 19 {
		t.Errorf("told %+v", r.calms)
	}
	if left := r.flood(event.OtherOK, "2001:db8::5", t0+60, 1, 20); len(left) != 20 {
		t.Errorf("%d left", len(left))
	}
	if err := r.l.ForgetRate("other-ok", "192.0.2.1", ""); !errors.Is(err, view.ErrMissing) {
		t.Error(err)
	}
	for _, err := range []error{r.l.ForgetRate("other-ok", "192.0.2.1", ""), r.l.ForgetRate("x", "192.0.2.1", ""), r.l.ForgetRate("other-ok", "x", "")} {
		if err == nil {
			t.Error("nothing is wrong")
		}
	}
}

// TestChangesAtOnce: two who change different limits at the same time both have their
// way.
func TestChangesAtOnce(t *testing.T) {
	for range 200 {
		l := New(DefaultConfig())
		least, most := uint64(7), uint64(70000)
		var wg sync.WaitGroup
		for _, v := range []view.Limits{{ReportMin: &least}, {ReportMax: &most}, {Limits: []float64{1, 2, 3}}} {
			wg.Go(func() {
				if err := l.SetLimits(v, "test"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		page, err := l.Rates(view.Query{})
		if err != nil || page.ReportMin != least || page.ReportMax != most || page.Limits[0] != 1 {
			t.Fatalf("%+v, %v", page, err)
		}
	}
}
