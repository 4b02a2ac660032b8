package api

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

func TestMetrics(t *testing.T) {
	s := started(t, newFake(), nil)
	resp, text := ask(t, s).do("GET", "/metrics", "")
	for _, want := range []string{
		"# HELP sipcmbeat_frames_total Frames that were read.\n# TYPE sipcmbeat_frames_total counter\nsipcmbeat_frames_total 1234\n",
		`sipcmbeat_drops_total{reason="short header"} 7` + "\n",
		"# TYPE sipcmbeat_entries gauge\nsipcmbeat_entries 12\n",
		`sipcmbeat_http_requests_total{path="/metrics"} 1` + "\n",
		"\nsipcmbeat_libbeat_output_events_acked 17\n", "go_goroutines ", "process_resident_memory_bytes ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("without %s", want)
		}
	}
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Error(resp.Header)
	}
}

func TestStats(t *testing.T) {
	s := started(t, newFake(), nil)
	_, text := ask(t, s).do("GET", "/stats", "")
	var v view.Stats
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	drops, _ := v.Stats["packet"]["drops"].(map[string]any)
	if v.Stats["capture"]["frames"] != 1234.0 || drops["short header"] != 7.0 || v.Stats["http"]["http_faults"] != 0.0 || v.Libbeat["libbeat"] == nil {
		t.Error(text)
	}
}

func TestRates(t *testing.T) {
	s := New(DefaultConfig(), newFake())
	now := time.Now()
	before := s.snapshot()
	before.at = now.Add(-30 * time.Second)
	before.n[counterKey{fakeFrames, ""}] = 1234 - 600
	s.rates.add(before)
	for i := range 20 {
		s.rates.add(snapshot{at: now.Add(time.Duration(i) * time.Hour)})
	}
	if r, _ := s.rates.oldest(); r.n != nil || len(s.rates.past) != rateSteps {
		t.Errorf("%d snapshots", len(s.rates.past))
	}
	s.rates.past = nil
	s.rates.add(before)
	for _, c := range s.counters().Counters {
		if c.Name == "frames" && (c.Rate == nil || *c.Rate < 19 || *c.Rate > 20.1) {
			t.Errorf("%v a second", *c.Rate)
		}
		if c.Kind == "gauge" && c.Rate != nil {
			t.Errorf("%s has a rate", c.Name)
		}
	}
}
