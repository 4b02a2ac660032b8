package tests

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/engine"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/kpi"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// counted runs a capture with a counter and gives what it says of everything over the
// last day.
func counted(t *testing.T, file string) (*kpi.Counter, map[string]view.Indicator, engine.Stats) {
	t.Helper()
	kcfg := kpi.DefaultConfig()
	kcfg.MinSamples = 1
	cfg := engine.DefaultConfig()
	cfg.Count = kpi.New(kcfg)
	_, s := replayAll(t, file, cfg)
	sets, err := cfg.Count.Indicators(view.Query{State: "24h"})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]view.Indicator{}
	for _, x := range sets[0].Indicators {
		all[x.Name] = x
	}
	return cfg.Count, all, s
}

// What is in the minutes is what the engine followed and said.
func TestMinutesHoldEverything(t *testing.T) {
	files, err := filepath.Glob("captures/*.pcap")
	goldens, err2 := filepath.Glob("golden/*/in.pcap")
	if err != nil || err2 != nil || len(files) == 0 || len(goldens) == 0 {
		t.Fatal(err, err2)
	}
	for _, file := range append(files, goldens...) {
		c, _, s := counted(t, file)
		now := c.Now()
		messages, err := c.Methods(view.MethodQuery{From: now.Add(-23 * 3600e9), To: now.Add(3600e9)})
		if err != nil {
			t.Fatal(err)
		}
		if want := s.Track.Requests + s.Track.Responses; messages.Total != want {
			t.Errorf("%s: %d messages by the minute, %d followed", file, messages.Total, want)
		}
		over, err := c.EventsOver(now.Add(-23*3600e9), now.Add(3600e9), 0)
		if err != nil {
			t.Fatal(err)
		}
		said := map[string]uint64{}
		for typ, n := range s.Events {
			if n > 0 {
				said[event.Type(typ).String()] = n
			}
		}
		for _, row := range over.Rows {
			if said[row.Type] != row.Total {
				t.Errorf("%s: %d %s by the minute, %d said", file, row.Total, row.Type, said[row.Type])
			}
			delete(said, row.Type)
		}
		for typ, n := range said {
			t.Errorf("%s: %d %s said, none by the minute", file, n, typ)
		}
	}
}

// check computes the ratios from what a laboratory's own software wrote down of its
// attempts, how many ended by which code (200 are those that were answered), and compares.
func check(t *testing.T, got map[string]view.Indicator, outcomes map[int]int) {
	t.Helper()
	sum := func(codes ...int) (n float64) {
		for _, code := range codes {
			n += float64(outcomes[code])
		}
		return n
	}
	all, redirected := 0.0, sum(300, 301, 302, 305, 380)
	for _, n := range outcomes {
		all += float64(n)
	}
	judged := all - redirected - sum(401, 402, 407)
	for _, want := range []struct {
		name   string
		n, all float64
	}{
		{"asr", sum(200), all - redirected},
		{"asr_raw", sum(200), all},
		{"ner", sum(200, 486, 487, 603), all - redirected},
		{"ser", sum(200), judged},
		{"seer", sum(200, 480, 486, 600, 603), judged},
		{"isa", sum(408, 500, 503, 504), all},
		{"sd", sum(500, 503, 504), all},
	} {
		x := got[want.name]
		if x.Numerator != want.n || x.Denominator != want.all {
			t.Errorf("%s is %v of %v, want %v of %v", want.name, x.Numerator, x.Denominator, want.n, want.all)
		}
		if x.Value != nil && math.Abs(*x.Value-100*want.n/want.all) > 1e-9 {
			t.Errorf("%s is %v", want.name, *x.Value)
		}
	}
}

// The README of these captures' laboratory says what really happened: of 36 attempts 4
// were answered and 2 redirected; 3 rang out (408) and 2 got no answer behind the proxy
// (408), whose two 503 became 500. Of a fork's attempts 9 were answered, two of them twice.
func TestIndicators(t *testing.T) {
	c, failed, _ := counted(t, "captures/05-failed.pcap")
	yes := true
	for _, q := range []view.MethodQuery{{Method: "407", CSeq: "INVITE"}, {Method: "INVITE", Auth: &yes}} { // 36 were challenged and came again
		if s, err := c.Methods(q); err != nil || s.Total != 36 {
			t.Errorf("%+v: %d, %v, want 36", q, s.Total, err)
		}
	}
	check(t, failed, map[int]int{200: 4, 302: 2, 404: 4, 408: 5, 480: 4, 486: 5, 487: 6, 500: 3, 603: 3})
	if x := failed["asr"]; x.Denominator != 34 {
		t.Errorf("asr is of %v, want 34", x.Denominator)
	}
	_, calls, _ := counted(t, "captures/04-calls.pcap")
	check(t, calls, map[int]int{200: 40})
	for name, want := range map[string]float64{"scr": 40, "ssr": 40, "sdt": 40, "sdd": 40, "srd": 40, "pdd": 32} { // 8 had no 180
		if x := calls[name]; x.Denominator != want || name[0] == 's' && name[2] == 'r' && x.Numerator > want {
			t.Errorf("%s is of %v, want %v", name, x.Denominator, want)
		}
	}
	_, fork, _ := counted(t, "golden/fork/in.pcap")
	check(t, fork, map[int]int{200: 9, 404: 2, 603: 2, 487: 3})
}

// The same of every capture of the laboratory whose truth lists all of its calls.
func TestIndicatorsOfTheLaboratory(t *testing.T) {
	paths, _ := filepath.Glob(siptest.Shared(t, "lab") + "/*/truth.json")
	compared := 0
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var truth struct {
			Expected map[string]int
			Dialogs  []struct {
				Call    string `json:"call_id"`
				Tag     string `json:"from_tag"`
				Outcome string
				Code    int
			}
		}
		if err := json.Unmarshal(text, &truth); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		outcomes, seen := map[int]int{}, map[string]bool{}
		for _, d := range truth.Dialogs {
			if d.Outcome != "" && !seen[d.Call+d.Tag] { // a fork's branches are one attempt
				seen[d.Call+d.Tag] = true
				outcomes[d.Code]++
			}
		}
		if answered := outcomes[200]; len(seen) == 0 || truth.Expected["call-attempt"] != len(seen)-answered || truth.Expected["call-start"] > 2*answered {
			continue // it lists examples, or no challenges that were given up
		}
		compared++
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) {
			_, got, _ := counted(t, filepath.Dir(path)+"/capture.pcap")
			check(t, got, outcomes)
		})
	}
	if compared < 10 {
		t.Errorf("%d captures compared", compared)
	}
}
