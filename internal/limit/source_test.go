package limit

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// listed gives the sources of a page, in order.
func listed(t *testing.T, l *Limiter, q view.Query) (sources []string) {
	t.Helper()
	page, err := l.Offenders(q)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range page.Offenders {
		sources = append(sources, o.Source)
	}
	return sources
}

// TestOffend: the events of a source on the list are held by the same rule, whatever
// their type; the longest network counts; and what is held is told when it is forgiven.
func TestOffend(t *testing.T) {
	var said []string
	r := with(func(cfg *Config) { cfg.Say = func(line string) { said = append(said, line) } })
	r.tell(t0)
	for _, source := range []string{"192.0.2.0/24", "192.0.2.7", "2001:db8::1"} {
		if err := r.l.Offend(source, "fraud\x1b[2J", 0, "192.0.2.200"); err != nil {
			t.Fatal(err)
		}
	}
	var left []int
	for n := 1; n <= 450; n++ {
		e := happening(event.CallStart+event.Type(n%8), "192.0.2.7", t0+int64(n))
		if fate := r.see(e); fate == Sent {
			if left = append(left, n); e.Rate.By != event.BySource || e.Rate.Exceeded != uint64(n) || e.Rate.Period != "" || e.Rate.Type != event.None {
				t.Errorf("event %d says %+v", n, e.Rate)
			}
		} else if fate != HeldSource {
			t.Error(fate)
		}
	}
	if !slices.Equal(left, []int{1, 100, 200, 400}) {
		t.Errorf("%v left", left)
	}
	if left := r.flood(event.RegNew, "192.0.2.8", t0+500, 1, 10); !slices.Equal(left, []int{1}) {
		t.Errorf("of the network %v left", left)
	}
	if left := r.flood(event.RegNew, "2001:db8::2", t0+520, 1, 10); len(left) != 10 {
		t.Errorf("of another address %v left", left)
	}
	e := happening(event.CallStart, "192.0.2.7", t0+600)
	if e.Emergency = true; r.see(e) != Sent || e.Rate.By != event.NotHeld {
		t.Error("an emergency call is held")
	}
	page, err := r.l.Offenders(view.Query{Source: "192.0.2.7"})
	if err != nil || len(page.Offenders) != 2 {
		t.Fatalf("%+v, %v", page, err)
	}
	if o := page.Offenders[1]; o.Hits != 450 || o.Held != 446 || o.Origin != "hand" || o.Expires != nil || o.First.UnixNano() != t0 || o.Last.UnixNano() != t0+450 {
		t.Errorf("%+v", o)
	}
	if err := r.l.Forgive("192.0.2.7", "192.0.2.200"); err != nil {
		t.Fatal(err)
	}
	r.tell(t0 + 700)
	if len(r.calms) != 1 || r.calms[0].Rate.Ended != event.RateForgotten || r.calms[0].Rate.Total != 446 || r.calms[0].Rate.Suppressed != 50 {
		t.Errorf("told %+v", r.calms)
	}
	if len(said) != 4 || said[1] != `source blacklist: 192.0.2.7 was put on it by 192.0.2.200, until it is forgiven: "fraud\x1b[2J"` ||
		said[3] != "source blacklist: 192.0.2.7 was taken off it by 192.0.2.200" {
		t.Errorf("said\n%s", strings.Join(said, "\n"))
	}
}

// TestQuietSource: a source that sends nothing for ten minutes has calmed down; it
// stays on the list, and is counted anew.
func TestQuietSource(t *testing.T) {
	r := with(nil)
	r.tell(t0)
	if err := r.l.Offend("192.0.2.7", "", time.Hour, "me"); err != nil {
		t.Fatal(err)
	}
	r.flood(event.RegNew, "192.0.2.7", t0, 1, 10)
	r.tell(t0 + 11*60*sec)
	if len(r.calms) != 1 || r.calms[0].Time != t0+9+quiet || r.calms[0].Rate.Total != 9 || r.calms[0].Rate.Ended != event.Calm {
		t.Fatalf("told %+v", r.calms)
	}
	if left := r.flood(event.RegNew, "192.0.2.7", t0+12*60*sec, 1, 10); !slices.Equal(left, []int{1}) {
		t.Errorf("%v left", left)
	}
	r.flood(event.RegNew, "192.0.2.7", t0+3600*sec-10, 1, 9)
	r.tell(t0 + 3601*sec)
	if n := len(r.calms); n != 3 || r.calms[2].Rate.Ended != event.RateExpired || r.calms[2].Time != t0+3600*sec || len(listed(t, r.l, view.Query{})) != 0 {
		t.Errorf("told %+v", r.calms)
	}
}

// TestByRate: a key of which as many were held as it takes puts its source on the list,
// which holds nothing more than the key, until an hour has passed.
func TestByRate(t *testing.T) {
	r := with(nil)
	for n := range 200 {
		e := happening(event.AuthFailed, "192.0.2.9", t0+int64(n))
		e.SetString(&e.UserAgent, fmt.Sprintf("scanner %d", n%7))
		r.see(e)
	}
	page, err := r.l.Offenders(view.Query{Text: "SCANNER", State: "rate"})
	if err != nil || len(page.Offenders) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	// 20 within the limit, two over it that left, so 178 held; the list begins with the
	// 100th of them.
	o := page.Offenders[0]
	if o.Source != "192.0.2.9" || o.Reason != "auth-failed: 122 in 1s, limit 20" || o.Hits != 178 || o.Held != 178 || len(o.UserAgents) != maxAgents {
		t.Errorf("%+v", o)
	}
	if fate := r.see(happening(event.RegNew, "192.0.2.9", t0+300)); fate != Sent {
		t.Errorf("another type of the source: %v", fate)
	}
	r.tell(t0 + 199 + 3600*sec - 1)
	if n := len(listed(t, r.l, view.Query{})); n != 1 {
		t.Error("it is gone too soon")
	}
	r.tell(t0 + 199 + 3600*sec)
	if n := len(listed(t, r.l, view.Query{})); n != 0 {
		t.Error("it is still there")
	}
}

// TestByRateAgain: all that is held of a source counts, also of a type that is over its
// limit later, and of a flood that comes again.
func TestByRateAgain(t *testing.T) {
	r := with(func(cfg *Config) {
		cfg.Rates.Limits, cfg.Rates.Intervals = []float64{20}, []time.Duration{time.Second}
	})
	r.flood(event.AuthFailed, "192.0.2.1", t0, 1, 320)
	r.flood(event.RegNew, "192.0.2.1", t0+1000, 1, 320)
	r.tell(t0 + 60*sec)
	r.flood(event.RegNew, "192.0.2.1", t0+60*sec, 1, 320)
	page, err := r.l.Offenders(view.Query{})
	if err != nil || len(page.Offenders) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	s := r.l.Stats()
	if o, held := page.Offenders[0], s.Sum(HeldRate); o.Held != held || o.Hits != held {
		t.Errorf("%d hits, %d held, want %d of both", o.Hits, o.Held, held)
	}
}

// TestBlame: what a detection lists is held and expires; what a hand lists stays.
func TestBlame(t *testing.T) {
	r := with(func(cfg *Config) { cfg.Allow = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} })
	r.tell(t0)
	r.l.Offend("192.0.2.1", "hand", 0, "me")
	for _, source := range []string{"192.0.2.1", "192.0.2.2", "2001:db8::1", "10.1.1.1"} {
		if ok := r.l.Blame(netip.MustParseAddr(source), "scan", time.Minute); ok != (source != "10.1.1.1") {
			t.Error(source)
		}
	}
	if got := listed(t, r.l, view.Query{State: "detection"}); len(got) != 2 || !slices.Contains(got, "2001:db8::/64") {
		t.Error(got)
	}
	r.flood(event.RegNew, "192.0.2.2", t0+30*sec, 1, 3)
	r.tell(t0 + 61*sec)
	if got := listed(t, r.l, view.Query{}); !slices.Equal(got, []string{"192.0.2.2", "192.0.2.1"}) {
		t.Error(got)
	}
	if err := r.l.Offend("192.0.2.2", "now by hand", time.Hour, "me"); err != nil {
		t.Fatal(err)
	}
	if got := listed(t, r.l, view.Query{State: "hand"}); len(got) != 2 {
		t.Error(got)
	}
	r.tell(t0 + 2*3600*sec)
	if len(r.calms) != 1 || r.calms[0].Rate.Total != 2 { // quiet for ten minutes, before it expired
		t.Errorf("told %+v", r.calms)
	}
}

// TestBeforeAnyPacket: a source that is listed before there is a time begins its own
// with the first packet.
func TestBeforeAnyPacket(t *testing.T) {
	r := with(nil)
	r.l.Offend("192.0.2.1", "", time.Minute, "me")
	r.tell(t0)
	if o := r.l.offenders.order[0]; o.first != t0 || o.expires != t0+60*sec {
		t.Errorf("%+v", o)
	}
	r.tell(t0 + 60*sec)
	if len(r.l.offenders.order) != 0 {
		t.Error("it does not expire")
	}
}

// TestFullList: what nobody listed by hand gives way; when a hand filled it all,
// there is no room, and an event is not held for it.
func TestFullList(t *testing.T) {
	r := with(func(cfg *Config) { cfg.MaxOffenders, cfg.Rates.ReportMin = 4, 2 })
	for n := range 6 {
		r.flood(event.RegNew, fmt.Sprintf("10.0.0.%d", n), t0+int64(n)*1000, 1, 30)
	}
	if got := listed(t, r.l, view.Query{}); !slices.Equal(got, []string{"10.0.0.5", "10.0.0.4", "10.0.0.3", "10.0.0.2"}) {
		t.Error(got)
	}
	for n := range 4 {
		if err := r.l.Offend(fmt.Sprintf("10.1.0.%d", n), "", 0, "me"); err != nil {
			t.Error(err)
		}
	}
	if err := r.l.Offend("10.1.0.9", "", 0, "me"); err == nil || !strings.Contains(err.Error(), "forgive some") {
		t.Error(err)
	}
	r.flood(event.RegNew, "10.0.0.5", t0+1e5, 1, 100)
	if s := r.l.Stats(); s.Offenders != 4 || s.Struck != 6 || s.Refused != 1 {
		t.Errorf("%+v", s)
	}
}

// TestPardon: who is put on the allow list leaves the blacklist, whoever put him there,
// and does not come back with the saved state; a wider network stays.
func TestPardon(t *testing.T) {
	var said []string
	r := with(func(cfg *Config) { cfg.Say = func(line string) { said = append(said, line) } })
	r.tell(t0)
	r.flood(event.RegNew, "10.0.0.5", t0, 1, 300)
	for _, source := range []string{"10.1.0.0/16", "10.0.0.0/8", "192.0.2.1", "2001:db8::1"} {
		if err := r.l.Offend(source, "", 0, "me"); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 2 {
		r.l.Blame(netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}), "scan", 0)
	}
	r.flood(event.RegDel, "10.0.0.0", t0+500, 1, 5)
	before := parts(t, r.l)
	cfg := r.l.cfg
	cfg.Allow = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/15"), netip.MustParsePrefix("2001:db8::/32")}
	said = nil
	r.l.Configure(cfg)
	for _, l := range []*Limiter{r.l, takeUp(t, cfg, before)} {
		got := listed(t, l, view.Query{})
		if slices.Sort(got); !slices.Equal(got, []string{"10.0.0.0/8", "192.0.2.1"}) {
			t.Errorf("listed %v", got)
		}
	}
	if want := "source blacklist: 5 sources taken off it, which evr_allow has"; !slices.Equal(said, []string{want, want}) {
		t.Errorf("said %q", said)
	}
	if r.tell(t0 + 600); len(r.calms) != 1 || r.calms[0].Rate.Ended != event.RateForgotten || r.calms[0].Rate.Total != 4 {
		t.Errorf("told %+v", r.calms)
	}
	if err := r.l.Offend("10.1.2.0/24", "", 0, "me"); err == nil {
		t.Error("a network that is never held is taken")
	}
	if err := r.l.Offend("10.0.0.0/14", "", 0, "me"); err != nil {
		t.Errorf("a network that is wider than what is never held: %v", err)
	}
}

func TestSourceRefused(t *testing.T) {
	l := with(func(cfg *Config) { cfg.Allow = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} }).l
	for _, source := range []string{"", "x", "192.0.2.1/33", "0.0.0.0/0", "::/0", "fe80::1%eth0", "::ffff:192.0.2.0/120", "10.2.3.4", "192.0.2.1; rm"} {
		if err := l.Offend(source, "", 0, "me"); err == nil {
			t.Errorf("%q is taken", source)
		}
	}
	if err := l.Offend("192.0.2.1", "", -time.Second, "me"); err == nil {
		t.Error("a time below zero is taken")
	}
	if err := l.Forgive("192.0.2.1", "me"); !errors.Is(err, view.ErrMissing) || err.Error() != "source: 192.0.2.1 is not there; allowed: one that is on the list" {
		t.Error(err)
	}
	for _, q := range []view.Query{{Cursor: "x"}, {Cursor: "1.2"}, {Cursor: "1.-2.3"}, {State: "x"}, {Source: "x"}} {
		if _, err := l.Offenders(q); err == nil {
			t.Errorf("%+v is taken", q)
		}
		if _, err := l.Rates(q); err == nil {
			t.Errorf("rates: %+v is taken", q)
		}
	}
}

// TestPages: all pages together are all entries, those over a limit first.
func TestPages(t *testing.T) {
	r := with(func(cfg *Config) { cfg.Rates.ReportMin = 2 })
	for n := range 1000 {
		r.flood(event.OtherOK, fmt.Sprintf("10.0.%d.%d", n>>8, n&255), t0+int64(n)*100, 1, 1+n%37)
	}
	var all []view.Rate
	q := view.Query{Limit: 64}
	for {
		page, err := r.l.Rates(q)
		if err != nil || len(page.Rates) > 64 || page.Total != 1000 || page.Scanned != 0 {
			t.Fatalf("%d rates of %d, %v", len(page.Rates), page.Total, err)
		}
		all = append(all, page.Rates...)
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	seen := map[string]bool{}
	for i, v := range all {
		if seen[v.Source] = true; i > 0 && (v.Over && !all[i-1].Over || v.Over && v.Suppressed > all[i-1].Suppressed) {
			t.Errorf("%d: %+v behind %+v", i, v, all[i-1])
		}
	}
	if len(all) != 1000 || len(seen) != 1000 {
		t.Errorf("%d entries, %d keys", len(all), len(seen))
	}
	page, err := r.l.Rates(view.Query{Text: "OTHER-OK:10.0.2.", State: "over", Limit: 1000})
	if err != nil || page.Scanned != 1000 || len(page.Rates) == 0 {
		t.Errorf("%+v, %v", page, err)
	}
	for _, v := range page.Rates {
		if !v.Over || !strings.HasPrefix(v.Source, "10.0.2.") {
			t.Errorf("%+v", v)
		}
	}
	if page, _ = r.l.Rates(view.Query{Source: "10.0.1.0/24", Limit: 1000}); len(page.Rates) != 256 {
		t.Errorf("%d of the network", len(page.Rates))
	}
	var sources []string
	for q = (view.Query{Limit: 50}); ; {
		page, err := r.l.Offenders(q)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Offenders {
			sources = append(sources, o.Source)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	slices.Sort(sources)
	if n := r.l.Stats().Offenders; len(slices.Compact(sources)) != n || n == 0 {
		t.Errorf("%d sources of %d", len(sources), n)
	}
}

// TestAllOffenders: who asks for all gets all, more than a page has.
func TestAllOffenders(t *testing.T) {
	r := with(nil)
	r.tell(t0)
	want := view.MaxLimit + 500
	for n := range want {
		r.l.Blame(netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), "scan", 0)
	}
	for _, q := range []view.Query{{All: true}, {All: true, Limit: 3, Cursor: "0.0.0"}} {
		got := listed(t, r.l, q)
		if slices.Sort(got); len(slices.Compact(got)) != want {
			t.Errorf("%+v: %d of %d", q, len(got), want)
		}
	}
	if got := listed(t, r.l, view.Query{All: true, Source: "10.0.1.0/24"}); len(got) != 256 {
		t.Errorf("%d of the network", len(got))
	}
}

// TestStepBack: when the time is set back nobody stays on the list for longer than from
// then on, and who was there for ever does.
func TestStepBack(t *testing.T) {
	l := New(DefaultConfig())
	var e event.Event
	const then, now = int64(90000 * time.Hour), int64(80000 * time.Hour)
	l.Told(&e, then)
	for source, lasts := range map[string]time.Duration{"192.0.2.1": time.Hour, "192.0.2.2": 0} {
		if err := l.Offend(source, "", lasts, "test"); err != nil {
			t.Fatal(err)
		}
	}
	l.StepBack(now)
	l.Told(&e, now+int64(time.Hour)-1)
	if n := l.Stats().Offenders; n != 2 {
		t.Errorf("%d are left within the hour", n)
	}
	l.Told(&e, now+int64(time.Hour))
	page, _ := l.Offenders(view.Query{})
	if len(page.Offenders) != 1 || page.Offenders[0].Source != "192.0.2.2" || page.Offenders[0].Last.UnixNano() != now {
		t.Errorf("after it: %+v", page.Offenders)
	}
}
