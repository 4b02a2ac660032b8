package engine

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/kpi"
	"github.com/sipcmbeat/sipcmbeat/internal/limit"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// flood is n OPTIONS of one client, each refused, from a time on, with a tick of another
// protocol at the end of rest.
func flood(from time.Duration, n int, rest time.Duration) (all []packet.Frame) {
	add := func(at time.Duration, src, dst, payload string) {
		data := siptest.UDPFrame(netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst), []byte(payload))
		all = append(all, packet.Frame{Time: siptest.Start + int64(at), Link: packet.LinkEthernet, Data: data, Wire: len(data)})
	}
	const scanner, server = "198.51.100.7:5060", "192.0.2.1:5060"
	for i := range n {
		at := from + time.Duration(i)*time.Millisecond
		head := fmt.Sprintf("Via: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK%d\r\nFrom: <sip:a@x>;tag=%[1]d\r\nTo: <sip:b@x>%s\r\nCall-ID: %[1]d\r\nCSeq: 1 OPTIONS\r\n",
			int(from)+i, "%s")
		add(at, scanner, server, "OPTIONS sip:b@x SIP/2.0\r\nMax-Forwards: 70\r\n"+fmt.Sprintf(head, "")+"Content-Length: 0\r\n\r\n")
		add(at+100*time.Microsecond, server, scanner, "SIP/2.0 404 Not Found\r\n"+fmt.Sprintf(head, ";tag=b")+"Content-Length: 0\r\n\r\n")
	}
	if rest > 0 {
		add(from+time.Duration(n)*time.Millisecond+rest, "192.0.2.250:9", "192.0.2.251:9", "tick")
	}
	return all
}

// limited is a limit of 20 a second.
func limited() *limit.Limiter {
	cfg := limit.DefaultConfig()
	cfg.Rates.Limits, cfg.Rates.Intervals = []float64{20}, []time.Duration{time.Second}
	return limit.New(cfg)
}

// TestLimit: what the limiter holds does not reach the sink, but who watches; what it
// has to tell comes by packet time, stamped with it; and the counters agree.
func TestLimit(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Limit = limited()
	watched := map[limit.Fate]int{}
	cfg.Watch = func(e *event.Event, fate limit.Fate) { watched[fate]++ }
	got, s := run(t, cfg, &frames{all: append(flood(0, 1000, time.Hour), flood(2*time.Hour, 150, 0)...)})
	var numbers, told []int
	for i := range got {
		e := &got[i]
		if e.Type == event.RateCalm {
			told = append(told, int(e.Rate.Total))
			continue
		}
		numbers = append(numbers, int(e.Rate.Exceeded))
	}
	within := make([]int, 20)
	want := append(append(append(append([]int(nil), within...), 1, 100, 200, 400, 800), within...), 1, 100)
	if !slices.Equal(numbers, want) || !slices.Equal(told, []int{975, 128}) {
		t.Errorf("left %v, want %v; told %v", numbers, want, told)
	}
	// The flood lasts from 0 to 1 s; by 1.98 s no more than 20 of its 1000 are in the last second.
	calm := got[25]
	if calm.Rate.Ended != event.Calm || calm.Time < siptest.Start+int64(1970*time.Millisecond) || calm.Time > siptest.Start+int64(2*time.Second) {
		t.Errorf("calm after %v: %+v", time.Duration(calm.Time-siptest.Start), calm.Rate)
	}
	if last := got[len(got)-1]; last.Rate.Ended != event.RateStopped || last.Sequence != 1152 {
		t.Errorf("the last is number %d, %+v", last.Sequence, last.Rate)
	}
	if watched[limit.Sent] != len(got) || watched[limit.HeldRate] != 975+128 || s.Limit.Sum(limit.HeldRate) != 975+128 || s.Events[event.RateCalm] != 2 {
		t.Errorf("watched %v, counted %+v", watched, s.Limit)
	}
}

// TestLimitLoop: a file that is read twice floods twice.
func TestLimitLoop(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Limit = limited()
	var k keeper
	src := &turns{frames: frames{all: flood(0, 200, 0)}, left: 1}
	if err := New(cfg, one(src), &k).Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	ids := map[event.Hash]bool{}
	calm := 0
	for i := range k.events {
		ids[k.events[i].ID] = true
		if k.events[i].Type == event.RateCalm {
			calm++
		}
	}
	if len(k.events) != 2*23 || len(ids) != 2*23 || calm != 2 {
		t.Errorf("%d events, %d ids, %d of them rate-calm", len(k.events), len(ids), calm)
	}
}

// turns reads its frames again.
type turns struct {
	frames
	left, turn int
}

func (s *turns) Turn() int { return s.turn }

func (s *turns) Next(f *packet.Frame) error {
	if s.n == len(s.all) && s.left > 0 {
		s.left--
		s.turn++
		s.n = 0
	}
	return s.frames.Next(f)
}

// TestLimitSaved: blacklists and changed limits outlive the run, and a limiter that is
// not there leaves them alone.
func TestLimitSaved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	cfg := DefaultConfig()
	cfg.Limit = limited()
	e := New(cfg, one(&frames{all: flood(0, 200, 0)}), &keeper{})
	if err := e.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := cfg.Limit.SetType("reg-new", true, "me"); err != nil {
		t.Fatal(err)
	}
	if err := cfg.Limit.Offend("203.0.113.0/24", "fraud", 0, "me"); err != nil {
		t.Fatal(err)
	}
	keep := newTestKeeper(t, path)
	if err := keep.Save(e); err != nil {
		t.Fatal(err)
	}
	next := DefaultConfig()
	next.Limit = limited()
	if taken, err := keep.Restore(New(next, one(&frames{}), &keeper{}), false); err != nil || taken.Bad {
		t.Fatal(taken, err)
	}
	if s := next.Limit.Stats(); s.Offenders != 2 || !next.Limit.Types()[event.RegNew-1].Blacklisted { // the flood's source is one
		t.Errorf("%+v", s)
	}
	if taken, err := keep.Restore(New(DefaultConfig(), one(&frames{}), &keeper{}), false); err != nil || taken.Bad {
		t.Error(taken, err)
	}
}

// TestStepBack: after one packet of the far future, or when the clock is set back, rates
// and windows of indicators are of packet time again, and what was held is told.
func TestStepBack(t *testing.T) {
	slowly := func(from time.Duration, n int) (all []packet.Frame) {
		for i := range n {
			all = append(all, flood(from+time.Duration(i)*time.Second, 1, 0)...)
		}
		return all
	}
	for name, in := range map[string][]packet.Frame{
		"future": append(append(slowly(0, 100), flood(300000*time.Hour, 1, 0)...), slowly(200*time.Second, 300)...),
		"back":   append(slowly(48*time.Hour, 101), slowly(0, 300)...),
	} {
		windows := 0
		count := kpi.DefaultConfig()
		count.Closed = func(set view.IndicatorSet) { windows++ }
		cfg := DefaultConfig()
		cfg.Limit, cfg.Count = limited(), kpi.New(count)
		got, s := run(t, cfg, &frames{all: in})
		if held := s.Limit.Sum(limit.HeldRate); held != 0 || len(got) != 401 {
			t.Errorf("%s: %d left, %d were held", name, len(got), held)
		}
		if windows < 2*5 { // of all and of a peer, besides that of the end
			t.Errorf("%s: %d windows were closed", name, windows)
		}
	}

	cfg := DefaultConfig()
	cfg.Limit = limited()
	got, s := run(t, cfg, &frames{all: append(flood(time.Hour, 150, 0), append(flood(0, 30, 0), flood(2*time.Minute, 1, 0)...)...)})
	var told []uint64
	for i := range got {
		if e := &got[i]; e.Type == event.RateCalm {
			told = append(told, e.Rate.Total)
		}
	}
	if !slices.Equal(told, []uint64{128, 9}) || s.Limit.Sum(limit.HeldRate) != 137 {
		t.Errorf("told of %v, %d were held", told, s.Limit.Sum(limit.HeldRate))
	}
}

// TestLateLane: one input that lags does not set the time of rates back.
func TestLateLane(t *testing.T) {
	c := newCore(DefaultConfig(), discard{})
	late, early := &lane{in: Input{Live: true}}, &lane{in: Input{Live: true}}
	c.lanes = []*lane{late, early}
	at := siptest.Start
	early.reached = at
	c.advance(at)
	late.reached = at - int64(time.Hour)
	if c.advance(late.reached); c.heard != at {
		t.Errorf("a lane that lags set the time back by %v", time.Duration(at-c.heard))
	}
	early.left = true
	if c.advance(late.reached); c.heard != late.reached {
		t.Errorf("when the other has ended the time is %v ahead", time.Duration(c.heard-late.reached))
	}
}
