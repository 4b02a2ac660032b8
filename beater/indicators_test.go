package beater

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/elastic-agent-libs/mapstr"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/privacy"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// indicators are the records of indicators among events.
func (p *pipe) indicators() (out []beat.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.events {
		if m, ok := e.Fields["event"].(mapstr.M); ok && m["dataset"] == "sip.kpi" {
			out = append(out, e)
		}
	}
	return out
}

func number(t *testing.T, e *beat.Event, field string) float64 {
	t.Helper()
	v, err := e.Fields.GetValue(field)
	if err != nil {
		return 0
	}
	return v.(float64)
}

// A file whose records of indicators are asked for gives those of every window, the last
// one too, before it ends, and their sums are what the capture's maker says of it: 40
// calls were answered, none failed.
func TestIndicatorsOfAFile(t *testing.T) {
	p := newPipe(true)
	r, _, done := start(t, p, calls+"kpi: {records: true, window: 10s, peers: 0}\n")
	if err := result(t, done); err != nil {
		t.Fatal(err)
	}
	records := p.indicators()
	if uint64(len(records)) != r.records.Load() || p.count() != 80+len(records) || len(records) < 2 {
		t.Fatalf("%d records of indicators of %d, %d in all", len(records), r.records.Load(), p.count())
	}
	var answered, of float64
	for i := range records {
		e := &records[i]
		answered += number(t, e, "sip.kpi.asr.numerator")
		of += number(t, e, "sip.kpi.asr.denominator")
		m := e.Fields["event"].(mapstr.M)
		if m["kind"] != "metric" || m["module"] != "sipcmbeat" || len(m["id"].(string)) != 32 || e.Meta["_id"] != m["id"] || m["duration"].(int64) <= 0 {
			t.Errorf("%v", e.Fields)
		}
		if s, _ := e.Fields.GetValue("sip.kpi.window_s"); s.(int64) < 1 || s.(int64) > 10 {
			t.Errorf("a window of %v s", s)
		}
	}
	if answered != 40 || of != 40 {
		t.Errorf("%v answered of %v, want 40 of 40", answered, of)
	}
}

// Without being asked for there are none: a file run says what it saw.
func TestNoIndicators(t *testing.T) {
	p := newPipe(true)
	r, _, done := start(t, p, calls)
	if err := result(t, done); err != nil {
		t.Fatal(err)
	}
	if len(p.indicators()) != 0 || r.count == nil {
		t.Error("records that nobody asked for, or nothing is counted")
	}
}

// The end waits for their delivery as for that of events.
func TestRunWaitsForIndicators(t *testing.T) {
	p := newPipe(false)
	r, _, done := start(t, p, calls+"kpi: {records: true, window: 10s}\n")
	deadline := time.After(patience)
	for len(p.indicators()) < 2 || p.count() < 80 || r.records.Load() != uint64(len(p.indicators())) {
		select {
		case <-p.got:
		case <-deadline:
			t.Fatal("nothing comes")
		}
	}
	p.cfg.EventListener.ACKEvents(79)
	select {
	case err := <-done:
		t.Fatalf("the run ended with records on their way: %v", err)
	case <-time.After(5 * poll):
	}
	for range 1000 { // some may still come
		n := p.count() - int(r.ledger.acked.Load())
		p.cfg.EventListener.ACKEvents(n)
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			return
		case <-time.After(poll):
		}
	}
	t.Fatal("the run does not end")
}

// A live input never waits: what there is no room for is counted.
func TestIndicatorsAreBounded(t *testing.T) {
	w := &indicators{sets: make(chan view.IndicatorSet, 1), aborted: make(chan struct{})}
	w.put(view.IndicatorSet{})
	w.put(view.IndicatorSet{})
	if w.lost() != 1 {
		t.Errorf("%d lost, want 1", w.lost())
	}
	w.wait = true
	close(w.aborted)
	w.put(view.IndicatorSet{})
	if w.lost() != 2 {
		t.Errorf("%d lost, want 2", w.lost())
	}
}

func TestKPIRecord(t *testing.T) {
	value := 60.0
	from := time.Date(2024, 3, 1, 10, 0, 0, 0, time.UTC)
	set := view.IndicatorSet{Peer: "carrier", From: from, To: from.Add(time.Minute), Indicators: []view.Indicator{
		{Name: "asr", Value: &value, Numerator: 60, Denominator: 100},
		{Name: "ner", Numerator: 3, Denominator: 5},
		{Name: "attempts", Value: &value, Numerator: 60},
		{Name: "rsr"},
		{Name: "code_486", Numerator: 3, Denominator: 5},
	}}
	e := kpiRecord(&set, "agent", nil)
	got, err := json.Marshal(e.Fields["sip"])
	const want = `{"kpi":{"asr":{"denominator":100,"numerator":60,"value":60},"attempts":{"value":60},"ner":{"denominator":5,"numerator":3},"peer":"carrier","window_s":60}}`
	if err != nil || string(got) != want {
		t.Errorf("%v\nhave %s\nwant %s", err, got, want)
	}
	if again := kpiRecord(&set, "agent", nil); again.Meta["_id"] != e.Meta["_id"] {
		t.Error("one window, two ids")
	}
	if other := kpiRecord(&set, "another", nil); other.Meta["_id"] == e.Meta["_id"] {
		t.Error("the windows of two sensors have one id")
	}
	if e.Timestamp != set.To || e.Fields["event"].(mapstr.M)["end"] != "2024-03-01T10:01:00.000000000Z" {
		t.Error(e.Timestamp, e.Fields["event"])
	}
}

// TestKPIRecordIsMasked: a peer that is an address is masked, with the hash of it; a trunk
// has its name from the configuration.
func TestKPIRecordIsMasked(t *testing.T) {
	for mode, want := range map[privacy.Mode]string{privacy.Truncate: "198.51.100.0", privacy.Redact: "private"} {
		var cfg privacy.Config
		cfg.Modes[event.Addresses], cfg.Key = mode, privacy.Key{1}
		mask, err := privacy.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ids := map[any]bool{}
		for _, peer := range []string{"198.51.100.23", "198.51.100.24"} {
			set := view.IndicatorSet{Peer: peer, From: time.Unix(60, 0), To: time.Unix(120, 0)}
			clear, e := kpiRecord(&set, "agent", nil), kpiRecord(&set, "agent", mask)
			if got, _ := e.Fields.GetValue("sip.kpi.peer"); got != want || e.Meta["_id"] == clear.Meta["_id"] {
				t.Errorf("%s: %v %v", mode, got, e.Meta)
			}
			if id, _ := e.Fields.GetValue("sipcmbeat.privacy.key_id"); id != mask.KeyID() {
				t.Errorf("%s: key %v, not %s", mode, id, mask.KeyID())
			}
			if mode == privacy.Encrypt {
				reader, err := privacy.NewReader(cfg.Key)
				if err != nil {
					t.Fatal(err)
				}
				sealed, err := json.Marshal(e.Fields)
				if err != nil {
					t.Fatal(err)
				}
				opened, _, err := reader.Record(nil, sealed)
				if err != nil || !bytes.Contains(opened, []byte(`"peer":"`+peer+`"`)) || bytes.Contains(opened, []byte("privacy")) {
					t.Errorf("%v: %s", err, opened)
				}
			}
			ids[e.Meta["_id"]] = true
		}
		if len(ids) != 2 {
			t.Errorf("%s: two peers with one id", mode)
		}
		set := view.IndicatorSet{Peer: "carrier", From: time.Unix(60, 0), To: time.Unix(120, 0)}
		e := kpiRecord(&set, "agent", mask)
		if got, _ := e.Fields.GetValue("sip.kpi.peer"); got != "carrier" {
			t.Errorf("%s: %v", mode, got)
		}
	}
}
