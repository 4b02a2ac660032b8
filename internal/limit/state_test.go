package limit

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// parts are what Save gives.
func parts(t testing.TB, l *Limiter) (all [][]byte) {
	t.Helper()
	if err := l.Save(func(b []byte) error { all = append(all, bytes.Clone(b)); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

// takeUp makes a Limiter go on from another.
func takeUp(t testing.TB, cfg Config, all [][]byte) *Limiter {
	t.Helper()
	var r Restoring
	for _, b := range all {
		if err := r.Part(b); err != nil {
			t.Fatal(err)
		}
	}
	l := New(cfg)
	l.Restore(&r)
	return l
}

// TestSaved: what was changed, and who is on the list, outlive the run.
func TestSaved(t *testing.T) {
	r := with(func(cfg *Config) { cfg.Rates.ReportMin = 2 })
	r.tell(t0)
	r.l.SetTypes([]string{"reg-new", "other-ok"}, "me")
	r.l.SetLimits(view.Limits{Limits: []float64{5, 0, 0}}, "me")
	r.l.Offend("192.0.2.0/24", "reason \xff", time.Hour, "me")
	r.l.Offend("2001:db8::1", "", 0, "me")
	r.l.Blame(netip.MustParseAddr("198.51.100.1"), "scan", time.Minute)
	for n := range 600 {
		src := fmt.Sprintf("10.0.%d.%d", n>>8, n&255)
		for range 10 {
			e := happening(event.CallEnd, src, t0+int64(n))
			e.SetString(&e.UserAgent, "ua "+src)
			r.see(e)
		}
	}
	cfg := DefaultConfig()
	cfg.Rates.ReportMin = 2
	var said []string
	cfg.Say = func(line string) { said = append(said, line) }
	all := parts(t, r.l)
	l := takeUp(t, cfg, all)
	if l.held != r.l.held || !l.rates.equal(&r.l.rates) || len(l.offenders.order) != 603 || len(said) != 2 {
		t.Fatalf("held %v, rates %v, %d sources, said %q", l.held, &l.rates, len(l.offenders.order), said)
	}
	for p, o := range r.l.offenders.all {
		if got := l.offenders.all[p]; got == nil || !reflect.DeepEqual(got.view(), o.view()) {
			t.Fatalf("%v: %+v, was %+v", p, got, o)
		}
	}
	again := run{l: l}
	again.tell(t0 + 1000)
	if left := again.flood(event.RegDel, "192.0.2.5", t0+1000, 1, 3); !slices.Equal(left, []int{1, 2}) {
		t.Errorf("%v left", left)
	}
	again.tell(t0 + 3600*sec)
	if got := listed(t, l, view.Query{Limit: 1000}); len(got) != 600 {
		t.Errorf("%d after an hour", len(got))
	}
	again.tell(t0 + 3601*sec)
	if got := listed(t, l, view.Query{}); !slices.Equal(got, []string{"2001:db8::1"}) {
		t.Errorf("%v after more than an hour", got)
	}
}

// TestSavedOrder: who has been without events for longest gives way first, also in the
// next run.
func TestSavedOrder(t *testing.T) {
	few := func(cfg *Config) { cfg.MaxOffenders = 3 }
	r := with(few)
	r.tell(t0)
	for n := range 3 {
		r.l.Blame(netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}), "scan", 0)
	}
	r.flood(event.RegNew, "10.0.0.0", t0+100, 1, 1)
	r.flood(event.RegNew, "10.0.0.2", t0+200, 1, 1)
	cfg := DefaultConfig()
	few(&cfg)
	l := takeUp(t, cfg, parts(t, r.l))
	l.Blame(netip.MustParseAddr("10.0.0.9"), "scan", 0)
	got := listed(t, l, view.Query{})
	if slices.Sort(got); !slices.Equal(got, []string{"10.0.0.0", "10.0.0.2", "10.0.0.9"}) {
		t.Errorf("%v are left", got)
	}
}

// TestConfigurationCounts: a change holds only as long as the configuration says what
// it said when the change was made.
func TestConfigurationCounts(t *testing.T) {
	r := with(func(cfg *Config) { cfg.Held[event.MsgProbe] = true })
	r.l.SetType("reg-new", true, "me")
	r.l.SetLimits(view.Limits{Limits: []float64{5, 0, 0}}, "me")
	var said []string
	cfg := DefaultConfig()
	cfg.Held[event.OtherOK] = true
	cfg.Rates.ReportMax = 5000
	cfg.Say = func(line string) { said = append(said, line) }
	l := takeUp(t, cfg, parts(t, r.l))
	if l.held != cfg.Held || !l.rates.equal(&cfg.Rates) || len(said) != 2 || !strings.Contains(said[0], "other-ok, as the configuration says now") {
		t.Errorf("held %v, rates %v, said %q", l.held, &l.rates, said)
	}
	same := with(nil) // nothing was changed: nothing is said
	said = nil
	if takeUp(t, cfg, parts(t, same.l)); len(said) != 0 {
		t.Error(said)
	}
	next := r.l.cfg // the same by a reload
	next.Allow = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	if r.l.Configure(next); !r.l.held[event.RegNew] || r.l.rates.Limits[0] != 5 {
		t.Error("a reload without a change of the list drops what was changed")
	}
	next.Held[event.RegDel] = true
	if r.l.Configure(next); r.l.held != next.Held || r.l.rates.Limits[0] != 5 {
		t.Error("a reload with another list does not take it up")
	}
	if left := r.flood(event.CallEnd, "192.0.2.1", t0, 1, 50); len(left) != 50 {
		t.Error("the allow list is not taken up")
	}
}

func TestDamagedState(t *testing.T) {
	r := with(nil)
	r.l.Offend("192.0.2.0/24", "x", time.Hour, "me")
	for _, b := range append(parts(t, r.l), nil, []byte{9}) {
		for n := range b {
			if n == 1 && b[0] == partOffenders { // none
				continue
			}
			if new(Restoring).Part(b[:n]) == nil {
				t.Errorf("%d of %d bytes are taken for all", n, len(b))
			}
		}
	}
}

// FuzzState: whatever is read leaves a Limiter that works and writes the same again.
func FuzzState(f *testing.F) {
	r := with(nil)
	r.l.Offend("192.0.2.0/24", "x", time.Hour, "me")
	r.l.SetLimits(view.Limits{Limits: []float64{5, 0, 0}}, "me")
	for _, b := range parts(f, r.l) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Restoring
		if r.Part(b) != nil {
			return
		}
		l := New(DefaultConfig())
		l.Restore(&r)
		once := parts(t, l)
		if again := parts(t, takeUp(t, DefaultConfig(), once)); !reflect.DeepEqual(sorted(once), sorted(again)) {
			t.Errorf("%q, then %q", once, again)
		}
		tell := run{l: l}
		tell.flood(event.OtherOK, "192.0.2.1", t0, 1, 200)
	})
}

func sorted(all [][]byte) (lengths []int) {
	for _, b := range all {
		lengths = append(lengths, len(b))
	}
	return lengths
}

// FuzzChanges: whatever is changed while events come, each has one fate, what is held is
// told, and no table is larger than it may be.
func FuzzChanges(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) { changed(t, rand.New(rand.NewPCG(seed, 3))) })
}

func changed(t *testing.T, rnd *rand.Rand) {
	cfg := DefaultConfig()
	cfg.Rates, cfg.MaxEntries, cfg.MaxOffenders = randomRates(rnd), 16+rnd.IntN(30), 1+rnd.IntN(8)
	r := &run{l: New(cfg)}
	now := t0
	var made, toldOf uint64
	address := func() string { return fmt.Sprintf("10.0.0.%d", rnd.IntN(40)) }
	for range 3000 {
		now += rnd.Int64N(1 << rnd.IntN(34))
		switch rnd.IntN(60) {
		case 0:
			rates := randomRates(rnd)
			r.l.Configure(Config{Held: cfg.Held, Rates: rates, MaxEntries: 16 + rnd.IntN(30), OffenderLife: time.Minute, MaxOffenders: cfg.MaxOffenders})
		case 1:
			r.l.SetType("other-ok", rnd.IntN(2) == 0, "me")
		case 2:
			r.l.ForgetRate("other-failed", address(), "me")
		case 3:
			r.l.Offend(address(), "", time.Duration(rnd.IntN(1e10)), "me")
		case 4:
			r.l.Forgive(address(), "me")
		case 5:
			r.l.Offend(fmt.Sprintf("10.0.0.%d/%d", rnd.IntN(256), 24+rnd.IntN(8)), "", 0, "me")
		case 6:
			r.l.Forgive(fmt.Sprintf("10.0.0.%d/%d", rnd.IntN(256), 24+rnd.IntN(8)), "me")
		case 7:
			r.l.Blame(netip.MustParseAddr(address()), "", time.Minute)
		case 8:
			if rnd.IntN(20) == 0 {
				r.l.Flush()
				r.tell(now)
				r.l.Restart()
				now = t0
			}
		}
		e := happening(event.OtherOK+event.Type(rnd.IntN(2)), address(), now)
		if made++; r.see(e) == Sent {
			toldOf += e.Rate.Suppressed
		}
		s := r.l.Stats()
		if s.Keys > 46 || s.Offenders > cfg.MaxOffenders || len(r.l.dues) > s.Over+s.Offenders {
			t.Fatalf("%+v, %d due", s, len(r.l.dues))
		}
	}
	r.l.Flush()
	r.tell(now)
	for i := range r.calms {
		toldOf += r.calms[i].Rate.Suppressed
	}
	s := r.l.Stats()
	judged := s.Sum(Sent) + s.Sum(HeldType) + s.Sum(HeldRate) + s.Sum(HeldSource)
	if judged != made+s.Told || s.Sum(HeldRate)+s.Sum(HeldSource) != toldOf || s.Told != uint64(len(r.calms)) {
		t.Fatalf("%d made, %d judged, %d told; %d held, %d of them told", made, judged, s.Told, s.Sum(HeldRate)+s.Sum(HeldSource), toldOf)
	}
}
