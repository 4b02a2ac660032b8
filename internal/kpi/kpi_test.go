package kpi

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/metric"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// start is a round hour.
var start = time.Date(2024, 3, 1, 10, 0, 0, 0, time.UTC)

func at(after time.Duration) int64 { return start.Add(after).UnixNano() }

// message parses a request, or an answer when first is a number.
func message(t testing.TB, first, cseq string, more ...string) *sip.Message {
	t.Helper()
	line, tag := first+" sip:bob@example.com SIP/2.0", ""
	if first[0] >= '0' && first[0] <= '9' {
		line = "SIP/2.0 " + first + " Text"
	}
	for _, m := range more {
		if m == "tag" {
			tag = ";tag=b"
		}
	}
	text := line + "\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\nFrom: <sip:alice@example.com>;tag=a\r\n" +
		"To: <sip:bob@example.com>" + tag + "\r\nCall-ID: x\r\nCSeq: 1 " + cseq + "\r\nContent-Length: 0\r\n"
	for _, m := range more {
		if m != "tag" {
			text += m + "\r\n"
		}
	}
	var m sip.Message
	if p := m.Parse([]byte(text+"\r\n"), false); p != sip.OK {
		t.Fatalf("%s: %v", first, p)
	}
	return &m
}

func packetAt(at int64) *packet.Packet {
	return &packet.Packet{Time: at, Src: netip.MustParseAddrPort("192.0.2.1:5060"), Dst: netip.MustParseAddrPort("198.51.100.1:5060")}
}

// ended makes the event of an attempt that ended with code; 0 is a timeout.
func ended(after time.Duration, code int) *event.Event {
	e := new(event.Event)
	e.Reset()
	e.Type, e.Outcome = event.CallAttempt, event.Failure
	e.Time, e.Start = at(after), at(after-2*time.Second)
	e.Code = uint16(code)
	e.Src, e.Dst = netip.MustParseAddrPort("192.0.2.1:5060"), netip.MustParseAddrPort("198.51.100.1:5060")
	e.SetString(&e.Method, "INVITE")
	switch {
	case code == 0:
		e.Timer, e.Start = 'B', at(after-32*time.Second)
	case code < 300:
		e.Type, e.Outcome = event.CallStart, event.Success
	}
	return e
}

// talked makes the call-end of an answered call whose BYE was answered.
func talked(after, lasted time.Duration) *event.Event {
	e := ended(after, 200)
	e.Type, e.Side = event.CallEnd, event.Caller
	e.Start, e.End = e.Time-int64(lasted), e.Time
	e.Disconnect = int64(50 * time.Millisecond)
	return e
}

// value finds an indicator of everything over the last hour.
func value(t *testing.T, c *Counter, name string) view.Indicator {
	t.Helper()
	sets, err := c.Indicators(view.Query{State: "1h"})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range sets[0].Indicators {
		if x.Name == name {
			return x
		}
	}
	return view.Indicator{}
}

func check(t *testing.T, c *Counter, name string, numerator, denominator, want float64) {
	t.Helper()
	x := value(t, c, name)
	if x.Value == nil {
		t.Errorf("%s has no value: %v of %v", name, x.Numerator, x.Denominator)
		return
	}
	if math.Abs(x.Numerator-numerator) > 1e-9 || math.Abs(x.Denominator-denominator) > 1e-9 || math.Abs(*x.Value-want) > 1e-9 {
		t.Errorf("%s = %v (%v / %v), want %v (%v / %v)", name, *x.Value, x.Numerator, x.Denominator, want, numerator, denominator)
	}
}

// The attempts of a busy minute, and what the formulas make of them by hand.
func TestFormulas(t *testing.T) {
	outcomes := map[int]int{200: 60, 486: 10, 487: 5, 603: 3, 404: 4, 408: 2, 500: 2, 503: 1, 504: 1, 302: 3, 407: 2, 480: 2, 600: 1, 0: 4}
	c := New(DefaultConfig())
	c.Advance(at(0))
	n := 0
	for code, times := range outcomes {
		for range times {
			n++
			c.Advance(at(time.Duration(n) * time.Millisecond))
			c.Count(ended(time.Duration(n)*time.Millisecond, code))
		}
	}
	if n != 100 {
		t.Fatal(n)
	}
	check(t, c, "attempts", 100, 0, 100)
	check(t, c, "asr", 60, 97, 100*60.0/97)             // 100 less three 302
	check(t, c, "asr_raw", 60, 100, 60)                 //
	check(t, c, "ner", 78, 97, 100*78.0/97)             // 60 + 10 + 5 + 3
	check(t, c, "ser", 60, 95, 100*60.0/95)             // 100 less 3 and 2
	check(t, c, "seer", 76, 95, 80)                     // 60 + 10 (486) + 3 (603) + 2 (480) + 1 (600)
	check(t, c, "isa", 10, 100, 10)                     // 2 + 2 + 1 + 1 and four timeouts
	check(t, c, "isa_count_homer", 5, 100, 5)           // 408, 500, 503
	check(t, c, "sd", 4, 100, 4)                        // 500, 503, 504
	check(t, c, "timeouts", 4, 100, 4)                  //
	check(t, c, "code_486", 10, 100, 10)                //
	check(t, c, "code_none", 4, 100, 4)                 //
	check(t, c, "sfd", 2*31+32*4, 35, (2*31.0+32*4)/35) // 40 failures less 3 and 2: 31 after 2 s, 4 after Timer B
	check(t, c, "scr", 36, 40, 90)                      // no call has ended yet: 40 failures, of which 36 by an answer
	check(t, c, "concurrent", 60, 0, 60)
}

// A call that rang and was not answered is effective where the configuration says so.
func TestNoAnswer(t *testing.T) {
	cfg := DefaultConfig()
	cfg.NERCodes, cfg.MinSamples = []string{"486", NoAnswer}, 1
	c := New(cfg)
	c.Advance(at(0))
	rang := ended(0, 408)
	rang.Ring = int64(time.Second)
	silent := ended(0, 0)
	silent.Ring = int64(time.Second)
	for _, e := range []*event.Event{rang, silent, ended(0, 408), ended(0, 487), ended(0, 486)} {
		c.Count(e)
	}
	check(t, c, "ner", 3, 5, 60)

	cfg.NERCodes = []string{"408", NoAnswer} // which counts once
	c = New(cfg)
	c.Advance(at(0))
	for _, e := range []*event.Event{rang, silent, ended(0, 404), ended(0, 404), ended(0, 404)} {
		c.Count(e)
	}
	check(t, c, "ner", 2, 5, 40)
}

func TestCallsThatEnd(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MinSamples = 1
	c := New(cfg)
	c.Advance(at(0))
	for range 6 {
		c.Count(ended(0, 200))
	}
	normal := talked(2*time.Minute, time.Minute)
	normal.Q850 = 16
	broken := talked(2*time.Minute, 10*time.Second)
	broken.Q850 = 41 // temporary failure
	unacked := talked(2*time.Minute, 2*time.Second)
	unacked.Anomalies |= event.AckMissing
	dead := talked(2*time.Minute, 3*time.Second) // its BYE was not answered
	dead.Disconnect, dead.Timer, dead.Code = -1, 'F', 0
	unseen := talked(2*time.Minute, 3*time.Second) // or was, and it could not be seen
	unseen.Disconnect, unseen.Timer, unseen.Incomplete = -1, 'F', event.NoResponse
	c.Advance(at(2 * time.Minute))
	for _, e := range []*event.Event{normal, broken, unacked, dead, unseen} {
		c.Count(e)
	}
	c.Count(ended(2*time.Minute, 404))
	check(t, c, "ssr", 1, 5, 20) // of four calls and a failure; the call of which nobody knows is left out
	check(t, c, "scr", 4, 5, 80) // three and the failure
	check(t, c, "sdt", 78, 5, 78.0/5)
	check(t, c, "sdd", 32.15, 4, 32.15/4)
	check(t, c, "short_calls_6s", 3, 5, 60)
	check(t, c, "short_calls_20s", 4, 5, 80)
	check(t, c, "short_calls_60s", 4, 5, 80)
	check(t, c, "short_calls_180s", 5, 5, 100)
	check(t, c, "q850_41", 1, 2, 50)
	check(t, c, "concurrent", 6, 0, 6)
	if c.up != 1 {
		t.Errorf("%d calls up, want 1", c.up)
	}
}

// What is cut off by the end of a capture is no failure; the second branch of a fork is
// no attempt; a call that was up before the program was takes none away.
func TestNoAttempts(t *testing.T) {
	c := New(DefaultConfig())
	c.Advance(at(0))
	cut := ended(0, 0)
	cut.Outcome, cut.Incomplete = event.Unknown, event.EndOfCapture
	fork := ended(0, 200)
	fork.Forked = true
	wrong := ended(0, 407)
	wrong.Type = event.AuthFailed
	older := talked(time.Second, time.Hour)
	for _, e := range []*event.Event{ended(0, 200), fork, cut, wrong, older} {
		c.Advance(e.Time)
		c.Count(e)
	}
	if x := value(t, c, "attempts"); x.Numerator != 1 {
		t.Errorf("%v attempts, want 1", x.Numerator)
	}
	if x := value(t, c, "auth_failed"); x.Numerator != 1 {
		t.Errorf("%v failed authentications, want 1", x.Numerator)
	}
	if c.up != 2 {
		t.Errorf("%d calls up, want 2", c.up)
	}
	if x := value(t, c, "asr"); x.Value != nil {
		t.Errorf("asr is %v of one attempt", *x.Value)
	}
}

func TestDelays(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MinSamples = 1
	c := New(cfg)
	c.Advance(at(0))
	rang := ended(0, 200)
	rang.PDD, rang.PDDSource, rang.Ring = int64(400*time.Millisecond), 180, int64(3*time.Second)
	quick := ended(0, 200)
	quick.PDD, quick.PDDSource = int64(200*time.Millisecond), 200
	quick.RetransRequest = 2
	for i, hops := range []int{1, 3} {
		e := []*event.Event{rang, quick}[i]
		for range hops {
			e.Add(&e.Via, []byte("SIP/2.0/UDP 192.0.2.1"))
		}
		e.MaxForwards, e.HasMaxForwards = int16(71-hops), true
		c.Count(e)
	}
	reg := ended(0, 200)
	reg.Type, reg.Delay = event.RegNew, int64(20*time.Millisecond)
	c.Count(reg)
	for i, typ := range []event.Type{event.OtherOK, event.OtherFailed, event.OtherTimeout} {
		e := ended(0, 200)
		e.Type, e.Outcome, e.Timer = typ, event.Failure, 0
		e.Set(&e.Method, []byte("OPTIONS"))
		e.Delay = int64(i) * int64(10*time.Millisecond)
		c.Count(e)
	}
	check(t, c, "pdd", 0.4, 1, 0.4)
	check(t, c, "srd", 0.6, 2, 0.3)
	check(t, c, "ring", 3, 1, 3)
	check(t, c, "rrd", 0.02, 1, 0.02)
	check(t, c, "ord", 0.01, 2, 0.005)
	check(t, c, "options_availability", 2, 3, 100*2.0/3)
	check(t, c, "ahr", 4, 2, 2)
	check(t, c, "ahr_max", 3, 2, 3)
	check(t, c, "ahr_max_forwards", 2, 2, 1) // Max-Forwards 70 and 68
	check(t, c, "retransmissions_invite", 2, 4, 50)
}

// Registrations are counted by their answers.
func TestRegistrations(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MinSamples = 1
	c := New(cfg)
	for _, code := range []string{"401", "401", "200", "200", "403", "503", "302", "100"} {
		c.See(packetAt(at(0)), message(t, code, "REGISTER"))
	}
	lost := ended(0, 0)
	lost.Type = event.OtherTimeout
	lost.Set(&lost.Method, []byte("REGISTER"))
	c.Count(lost)
	check(t, c, "rsr", 2, 5, 40)
	check(t, c, "ira", 3, 5, 60)
	c.See(packetAt(at(0)), message(t, "481", "BYE"))
	check(t, c, "share_481", 1, 9, 100.0/9)
}

// No ratio leaves 0 to 100 %, whatever comes.
func TestRatiosStayWithin(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 50 {
		cfg := DefaultConfig()
		cfg.MinSamples = 1
		cfg.NERCodes = []string{"404", "408", "486", NoAnswer}
		cfg.SERExclude = []string{"4xx", "600"}
		cfg.Trunks = []string{"carrier=198.51.100.0/24"}
		cfg.Closed = func(set view.IndicatorSet) { within(t, set) }
		c := New(cfg)
		now := time.Duration(0)
		for range 400 {
			now += time.Duration(r.IntN(3)) * time.Second
			c.Advance(at(now))
			c.Count(randomEvent(r, now))
			c.See(packetAt(at(now)), message(t, fmt.Sprint(200+r.IntN(500)), "REGISTER"))
		}
		sets, err := c.Indicators(view.Query{})
		if err != nil || len(sets) < 4 {
			t.Fatal(round, len(sets), err)
		}
		for _, set := range sets {
			within(t, set)
		}
		c.Close()
	}
}

func within(t *testing.T, set view.IndicatorSet) {
	t.Helper()
	for _, x := range set.Indicators {
		if x.Numerator < 0 || x.Denominator < 0 || x.Value != nil && (math.IsNaN(*x.Value) || *x.Value < 0 || x.Unit == "%" && *x.Value > 100) {
			t.Errorf("%s %s: %v of %v", set.Peer, x.Name, x.Numerator, x.Denominator)
		}
	}
}

func randomEvent(r *rand.Rand, now time.Duration) *event.Event {
	codes := []int{200, 200, 200, 302, 404, 407, 408, 480, 486, 487, 499, 500, 503, 600, 699, 0}
	e := ended(now-time.Duration(r.IntN(40))*time.Second, codes[r.IntN(len(codes))])
	if r.IntN(3) == 0 {
		e = talked(now, time.Duration(r.IntN(400))*time.Second)
	}
	if r.IntN(3) == 0 {
		e.Type = event.Type(1 + r.IntN(int(event.NumTypes)-1))
	}
	methods := []string{"INVITE", "OPTIONS", "REGISTER", "BYE"}
	e.Set(&e.Method, []byte(methods[r.IntN(len(methods))]))
	e.Src = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(r.IntN(30))}), 5060)
	e.Ring, e.PDD, e.Delay = int64(r.IntN(5)-1)*1e9, int64(r.IntN(5)-1)*1e9, int64(r.IntN(5)-1)*1e9
	e.PDDSource = uint16(178 + r.IntN(6))
	e.RetransRequest = uint32(r.IntN(4))
	e.Disconnect = int64(r.IntN(3) - 1)
	if e.Disconnect < 0 {
		e.Timer = 'F'
	}
	e.Q850, e.Forked = uint8(r.IntN(128)), r.IntN(10) == 0
	e.MaxForwards, e.HasMaxForwards = int16(r.IntN(300)), true
	return e
}

// The sum of two histograms is the histogram of both.
func TestHistogramsMerge(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		var one, two, both histogram
		for i := range r.IntN(300) {
			span := int64(math.Exp(r.Float64() * 35))
			both.add(span)
			if i%3 == 0 {
				one.add(span)
			} else {
				two.add(span)
			}
		}
		if one.merge(&two); one != both {
			t.Fatalf("%+v\n%+v", one, both)
		}
	}
}

// A quantile is where it is, to the width of a bucket: a quarter of a power of two.
func TestQuantile(t *testing.T) {
	var h histogram
	for ms := 1; ms <= 1000; ms++ {
		h.add(int64(ms) * int64(time.Millisecond))
	}
	got, below := h.quantile(0.95)
	if math.Abs(got-0.95) > 0.02 || below != 950 {
		t.Errorf("95 %% of 1 to 1000 ms: %v s, %v", got, below)
	}
	for b := range numBuckets - 1 {
		if bucketOf(bound(b)*1e6) != b || bucketOf(bound(b+1)*1e6-1) != b {
			t.Errorf("bucket %d from %d to %d ms does not hold its bounds", b, bound(b), bound(b+1))
		}
	}
	if bucketOf(math.MaxInt64) != numBuckets-1 || bucketOf(-5) != 0 {
		t.Error("what is beyond the bounds has no bucket")
	}
}

// Windows follow each other, aligned to the clock, and hold every event once.
func TestWindows(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MinSamples = 1
	var sets []view.IndicatorSet
	cfg.Closed = func(set view.IndicatorSet) {
		if set.Peer == "" {
			sets = append(sets, set)
		}
	}
	c := New(cfg)
	told := 0
	for _, after := range []time.Duration{5, 10, 59, 60, 61, 300, 301, 250, 3 * 3600} { // 250 is late
		after *= time.Second
		c.Advance(at(after))
		c.Count(ended(after, 486))
		told++
	}
	c.Close()
	var got []string
	for _, s := range sets {
		got = append(got, fmt.Sprintf("%v+%v: %v", s.From.Sub(start), s.To.Sub(s.From), s.Indicators[0].Numerator))
	}
	const want = "0s+1m0s: 3, 1m0s+1m0s: 2, 5m0s+1m0s: 3, 3h0m0s+1ns: 1"
	if strings.Join(got, ", ") != want {
		t.Errorf("have %v\nwant %s", strings.Join(got, ", "), want)
	}
	sets = nil
	if c.Close(); len(sets) > 0 {
		t.Error("an empty window was handed over")
	}
}

// A timer that fires late, because packets are rare, counts at its own time.
func TestTimersCountWhenTheyAreDue(t *testing.T) {
	cfg := DefaultConfig()
	var from []time.Duration
	cfg.Closed = func(set view.IndicatorSet) {
		if set.Peer == "" {
			from = append(from, set.From.Sub(start))
		}
	}
	c := New(cfg)
	c.Advance(at(0))
	c.Advance(at(time.Hour)) // the next packet; the timers of the time between are fired now
	c.Count(ended(32*time.Second, 0))
	c.Count(ended(32*time.Minute, 0))
	c.Count(ended(time.Hour, 486))
	c.Close()
	if fmt.Sprint(from) != "[0s 32m0s 1h0m0s]" {
		t.Error(from)
	}
}

func TestPeers(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Peers, cfg.MinSamples = 2, 1
	cfg.Trunks = []string{"carrier=198.51.100.0/24", "office=203.0.113.0/24", "office=2001:db8::/32", "near=198.51.100.7"}
	c := New(cfg)
	call := func(src, dst string, code, times int) {
		for range times {
			e := ended(0, code)
			e.Src = netip.AddrPortFrom(netip.MustParseAddr(src), 5060)
			e.Dst = netip.AddrPortFrom(netip.MustParseAddr(dst), 5060)
			c.Count(e)
		}
	}
	c.Advance(at(0))
	call("192.0.2.1", "198.51.100.1", 200, 3)      // carrier
	call("2001:db8::1", "198.51.100.7", 486, 2)    // office and near
	call("::ffff:203.0.113.5", "10.0.0.1", 200, 1) // office
	call("10.0.0.1", "10.0.0.2", 200, 1)
	call("10.0.0.3", "10.0.0.2", 486, 1)
	call("10.0.0.4", "10.0.0.2", 486, 5) // no place
	have := func() string {
		sets, err := c.Indicators(view.Query{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range sets {
			if s.Peer != "" {
				got = append(got, fmt.Sprintf("%s %v", s.Peer, s.Indicators[0].Numerator))
			}
		}
		return strings.Join(got, ", ")
	}
	if got := have(); got != "carrier 3, office 3, near 2, 10.0.0.1 1, 10.0.0.3 1, other 5" {
		t.Error(got)
	}
	// The busiest without a place takes that of the least busy, with nothing lost.
	c.Advance(at(61 * time.Second))
	c.Advance(at(62 * time.Second))
	call("10.0.0.4", "10.0.0.2", 486, 2)
	if got := have(); got != "carrier 3, office 3, near 2, 10.0.0.3 1, 10.0.0.4 2, other 6" {
		t.Error(got)
	}
	one, err := c.Indicators(view.Query{Source: "carrier"})
	if err != nil || len(one) != 4 || one[0].Window != "1m" || one[1].Window != "5m" {
		t.Error(len(one), err)
	}
	if _, err := c.Indicators(view.Query{State: "2h"}); err == nil || !strings.Contains(err.Error(), "allowed: 1m, 5m, 1h, 24h") {
		t.Error(err)
	}
}

// Trunks change while everything goes on: who stays goes on, who goes is in the rest.
func TestConfigure(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Trunks = []string{"carrier=198.51.100.0/24", "office=192.0.2.0/24"}
	c := New(cfg)
	c.Advance(at(0))
	c.Count(ended(0, 200)) // from the office to the carrier
	cfg.Trunks = []string{"new=192.0.2.1", "carrier=203.0.113.0/24", "carrier=198.51.100.0/24"}
	cfg.MinSamples = 1
	c.Configure(cfg)
	c.Count(ended(0, 486))
	sets, err := c.Indicators(view.Query{State: "5m"})
	var got []string
	for _, s := range sets {
		got = append(got, fmt.Sprintf("%s %v", s.Peer, s.Indicators[0].Numerator))
	}
	if strings.Join(got, ", ") != " 2, new 1, carrier 2, other 1" || err != nil {
		t.Error(got, err)
	}
	if x := value(t, c, "asr"); x.Value == nil || *x.Value != 50 {
		t.Error("min_samples stays as it was")
	}
}

func TestValidate(t *testing.T) {
	for _, wrong := range []struct {
		change func(c *Config)
		want   string
	}{
		{func(c *Config) { c.Window = 7 * time.Second }, "kpi.window: 7s"},
		{func(c *Config) { c.Window = 7 * time.Minute }, "kpi.window: 7m0s"},
		{func(c *Config) { c.Window = 2 * time.Hour }, "kpi.window: 2h0m0s"},
		{func(c *Config) { c.MinSamples = 0 }, "kpi.min_samples: 0"},
		{func(c *Config) { c.Peers = 33 }, "kpi.peers: 33"},
		{func(c *Config) { c.NERCodes = []string{"302"} }, `kpi.ner_codes: "302"`},
		{func(c *Config) { c.NERCodes = []string{"busy"} }, `kpi.ner_codes: "busy"`},
		{func(c *Config) { c.SERExclude = []string{"2xx"} }, `kpi.ser_exclude: "2xx"`},
		{func(c *Config) { c.SERExclude = []string{"200"} }, `kpi.ser_exclude: "200"`},
		{func(c *Config) { c.NERCodes = slices.Repeat([]string{"486"}, 33) }, "kpi.ner_codes: 33 items"},
		{func(c *Config) { c.SERExclude = slices.Repeat([]string{"3xx"}, 33) }, "kpi.ser_exclude: 33 items"},
		{func(c *Config) { c.Trunks = slices.Repeat([]string{"a=192.0.2.0/24"}, 65) }, "trunks: 65 items"},
		{func(c *Config) { c.Trunks = []string{"192.0.2.0/24"} }, `trunks: "192.0.2.0/24"`},
		{func(c *Config) { c.Trunks = []string{"a=192.0.2.0/99"} }, `trunks: "a=192.0.2.0/99"`},
		{func(c *Config) { c.Trunks = []string{"other=192.0.2.0/24"} }, `trunks: "other=192.0.2.0/24"`},
		{func(c *Config) { c.Trunks = []string{"10.0.0.1=192.0.2.0/24"} }, `trunks: "10.0.0.1=192.0.2.0/24"`},
	} {
		cfg := DefaultConfig()
		wrong.change(&cfg)
		if err := cfg.Validate(); err == nil || !strings.HasPrefix(err.Error(), wrong.want) || !strings.Contains(err.Error(), "allowed: ") {
			t.Errorf("have %v, want %s and what is allowed", err, wrong.want)
		}
	}
	cfg := DefaultConfig()
	cfg.NERCodes, cfg.Trunks = []string{"486", "699", NoAnswer}, []string{"carrier = 192.0.2.1", "carrier=2001:db8::/32"}
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
}

// Who reads holds no lane up for long, and sees whole numbers: go test -race.
func TestReadersBesideALane(t *testing.T) {
	c := New(DefaultConfig())
	c.Advance(at(0))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 50 {
			if _, err := c.Indicators(view.Query{}); err != nil {
				t.Error(err)
			}
			if _, err := c.Methods(view.MethodQuery{}); err != nil {
				t.Error(err)
			}
			if _, err := c.EventsOver(time.Time{}, time.Time{}, 0); err != nil {
				t.Error(err)
			}
			c.Samples(func(*metric.Desc, string, float64) {})
		}
	}()
	m := message(t, "200", "REGISTER")
	for n := time.Duration(0); ; n++ {
		select {
		case <-done:
			return
		default:
		}
		c.Advance(at(n * time.Second))
		c.See(packetAt(at(n*time.Second)), m)
		c.Count(ended(n*time.Second, 486))
	}
}

func TestSamples(t *testing.T) {
	c := New(DefaultConfig())
	c.Advance(at(0))
	for i := range 40 {
		c.Count(ended(0, 200+286*(i%2)))
	}
	got := map[string]float64{}
	c.Samples(func(d *metric.Desc, label string, n float64) { got[d.Name+" "+label] = n })
	for name, want := range map[string]float64{
		"kpi_calls_up ": 20, "kpi_ratio_percent asr": 50, "kpi_ratio_percent ner": 100, "kpi_events ": 40, "kpi_messages ": 0,
	} {
		if n, ok := got[name]; !ok || n != want {
			t.Errorf("%s is %v, want %v", name, n, want)
		}
	}
	if _, ok := got["kpi_ratio_percent rsr"]; ok {
		t.Error("a ratio of nothing")
	}
}
