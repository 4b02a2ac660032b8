package limit

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// model is the rule as docs/rates.md has it, done the slow way: it keeps every event of
// a key, counts them anew each time in whole numbers, and tries moments until one is calm.
type model struct {
	rates Rates
	keys  map[string]*modelKey
}

type modelKey struct {
	times                       []int64
	over                        bool
	since, lastOver             int64
	exceeded, suppressed, total uint64
	calm                        int64 // when, as long as nothing comes
}

// scaled is the estimate at t times the interval: what is in the running interval, and
// of the one before the part that the window still covers.
func (k *modelKey) scaled(t, interval int64) (n int64) {
	begin := t - t%interval
	for _, at := range k.times {
		switch {
		case at >= begin:
			n += interval
		case at >= begin-interval:
			n += interval - t%interval
		}
	}
	return n
}

func (m *model) isOver(k *modelKey, t int64) bool {
	for i, d := range m.rates.Intervals {
		if limit := m.rates.Limits[i]; d > 0 && limit > 0 && k.scaled(t, int64(d)) > int64(limit)*int64(d) {
			return true
		}
	}
	return false
}

// calmAt is the first calm moment.
func (m *model) calmAt(k *modelKey) int64 {
	if k.calm > 0 {
		return k.calm
	}
	shortest, longest := int64(1<<62), int64(0)
	for i, d := range m.rates.Intervals {
		if d > 0 && m.rates.Limits[i] > 0 {
			shortest, longest = min(shortest, int64(d)), max(longest, int64(d))
		}
	}
	from := max(k.lastOver+shortest, k.times[len(k.times)-1])
	k.calm = from + int64(sort.Search(int(2*longest), func(n int) bool { return !m.isOver(k, from+int64(n)) }))
	return k.calm
}

// told is what is said of a key.
type told struct {
	key                         string
	time, since                 int64
	exceeded, suppressed, total uint64
}

// calms ends what calms down by t, in the order of the keys.
func (m *model) calms(t int64) (all []told) {
	for name, k := range m.keys {
		if !k.over {
			continue
		}
		at := m.calmAt(k)
		if at > t {
			continue
		}
		if k.total > 0 {
			all = append(all, told{name, at, k.since, k.exceeded, k.suppressed, k.total})
		}
		*k = modelKey{times: k.times}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].key < all[j].key })
	return all
}

// see judges an event.
func (m *model) see(name string, t int64) (sent bool, says told) {
	k := m.keys[name]
	if k == nil {
		k = &modelKey{}
		m.keys[name] = k
	}
	k.times, k.calm = append(k.times, t), 0
	for t-k.times[0] > int64(2*time.Minute) { // beyond every window
		k.times = k.times[1:]
	}
	over := m.isOver(k, t)
	if over {
		if !k.over {
			k.over, k.since = true, t
		}
		k.lastOver = t
		k.exceeded++
		if sent = m.leaves()[k.exceeded]; !sent {
			k.suppressed++
			k.total++
			return false, says
		}
	}
	says = told{name, t, k.since, k.exceeded, k.suppressed, k.total}
	k.suppressed = 0
	return true, says
}

// leaves are the numbers of the events that leave, written out.
func (m *model) leaves() map[uint64]bool {
	all := map[uint64]bool{1: true}
	for n := m.rates.ReportMin; n > 0 && n < 100000 && (m.rates.ReportMax == 0 || n < m.rates.ReportMax); n *= 2 {
		all[n] = true
	}
	for n := m.rates.ReportMax; n > 0 && n < 100000; n += m.rates.ReportMax {
		all[n] = true
	}
	return all
}

// run plays events to a Limiter as the engine does.
type run struct {
	l     *Limiter
	calm  event.Event
	calms []event.Event
}

func (r *run) tell(now int64) {
	for r.l.Told(&r.calm, now) {
		if r.l.Judge(&r.calm) == Sent {
			r.calms = append(r.calms, r.calm)
		}
	}
}

func (r *run) see(e *event.Event) Fate {
	r.tell(e.Time)
	return r.l.Judge(e)
}

// happening is an event.
func happening(typ event.Type, src string, t int64) *event.Event {
	e := new(event.Event)
	e.Reset()
	e.Type, e.Time, e.Src = typ, t, netip.AddrPortFrom(netip.MustParseAddr(src), 5060)
	return e
}

// TestModel: the Limiter says of random floods what the slow model says.
func TestModel(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { against(t, rand.New(rand.NewPCG(seed, 1))) })
	}
}

func FuzzModel(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { against(t, rand.New(rand.NewPCG(seed, 2))) })
}

func against(t *testing.T, rnd *rand.Rand) {
	cfg := DefaultConfig()
	cfg.Rates = randomRates(rnd)
	r := &run{l: New(cfg)}
	m := &model{rates: cfg.Rates, keys: map[string]*modelKey{}}
	sources := []string{"192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"}
	now := int64(1767225600e9) + rnd.Int64N(1e10)
	gap := int64(1e6)
	var seen, sent int
	var sumTold, held uint64
	check := func(until int64) {
		want := m.calms(until)
		r.tell(until)
		if len(r.calms) != len(want) {
			t.Fatalf("%d calm down by %d, want %d: %+v", len(r.calms), until, len(want), want)
		}
		if !sort.SliceIsSorted(r.calms, func(i, j int) bool { return r.calms[i].Time < r.calms[j].Time }) {
			t.Fatal("a later one is told first")
		}
		sort.Slice(r.calms, func(i, j int) bool { return keyOf(&r.calms[i]) < keyOf(&r.calms[j]) })
		for i, w := range want {
			e := &r.calms[i]
			got := told{keyOf(e), e.Time, e.Rate.Since, e.Rate.Exceeded, e.Rate.Suppressed, e.Rate.Total}
			sumTold += e.Rate.Suppressed
			if d := got.time - w.time; d < -4 || d > 4 || e.Rate.Ended != event.Calm {
				t.Fatalf("calm at %d, %v; want %d", got.time, e.Rate.Ended, w.time)
			}
			if w.time = got.time; got != w {
				t.Fatalf("told %+v, want %+v", got, w)
			}
		}
		r.calms = r.calms[:0]
	}
	for range 400 + rnd.IntN(800) {
		switch rnd.IntN(100) {
		case 0:
			gap = 1 << rnd.IntN(35)
		case 1:
			now += rnd.Int64N(20e9)
		}
		now += 1 + rnd.Int64N(gap)
		typ, src := event.OtherOK+event.Type(rnd.IntN(2)), sources[rnd.IntN(len(sources))]
		check(now)
		e := happening(typ, src, now)
		name := typ.String() + ":" + show(keyed(e.Src.Addr()))
		leaves, says := m.see(name, now)
		fate := r.see(e)
		if seen++; (fate == Sent) != leaves {
			t.Fatalf("event %d of %s at %d: %v, the model lets it leave: %v", seen, name, now, fate, leaves)
		}
		if fate != Sent {
			held++
			continue
		}
		sent++
		sumTold += e.Rate.Suppressed
		if got := (told{name, now, e.Rate.Since, e.Rate.Exceeded, e.Rate.Suppressed, e.Rate.Total}); got != says {
			t.Fatalf("event %d says %+v, want %+v", seen, got, says)
		}
	}
	check(now + int64(3*time.Hour))
	if held != sumTold || r.l.Stats().Over != 0 || len(r.l.dues) != 0 {
		t.Fatalf("%d of %d are told; %d keys over", sumTold, held, r.l.Stats().Over)
	}
}

func keyOf(e *event.Event) string { return e.Rate.Type.String() + ":" + show(e.Rate.Source) }

func randomRates(rnd *rand.Rand) Rates {
	var r Rates
	for _, d := range []time.Duration{time.Second, 10 * time.Second, time.Minute}[rnd.IntN(3):] {
		limit := float64(rnd.IntN(30))
		if rnd.IntN(6) == 0 {
			d = 0
		}
		if len(r.Intervals) == 0 && limit == 0 {
			limit = 5
		}
		if d == 0 && len(r.Intervals) == 0 {
			d = 500 * time.Millisecond
		}
		if d > 0 && strings.Contains(fmt.Sprint(r.Intervals), d.String()) {
			continue
		}
		r.Limits, r.Intervals = append(r.Limits, limit), append(r.Intervals, d)
	}
	r.ReportMin, r.ReportMax = uint64(rnd.IntN(20)), uint64(rnd.IntN(150))
	return r
}
