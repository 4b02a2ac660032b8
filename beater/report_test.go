package beater

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/common/acker"
	"github.com/elastic/elastic-agent-libs/mapstr"

	"github.com/sipcmbeat/sipcmbeat/config"
	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/engine"
	"github.com/sipcmbeat/sipcmbeat/internal/metric"
	"github.com/sipcmbeat/sipcmbeat/internal/stream"
)

// statistics are the records among what a pipe got, and how many events.
func (p *pipe) statistics() (records []beat.Event, events int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.events {
		if set, _ := e.Fields.GetValue("event.dataset"); set == "sip.stats" {
			records = append(records, e)
		} else {
			events++
		}
	}
	return records, events
}

// ofGroup are the statistics of one group.
func ofGroup(t *testing.T, records []beat.Event, group string) (all []mapstr.M) {
	t.Helper()
	for _, e := range records {
		o, err := e.Fields.GetValue("sip.stats")
		if err != nil {
			t.Fatal(err)
		}
		if m := o.(mapstr.M); m["group"] == group {
			all = append(all, m.Flatten())
		}
	}
	return all
}

// A run over files says nothing of itself unless it is asked.
func TestFilesHaveNoStatistics(t *testing.T) {
	p := newPipe(true)
	_, _, done := start(t, p, calls)
	if err := result(t, done); err != nil {
		t.Fatal(err)
	}
	if records, events := p.statistics(); len(records) != 0 || events != 80 {
		t.Errorf("%d records of statistics, %d events", len(records), events)
	}
}

func TestLastStatisticsAreTheTotals(t *testing.T) {
	p := newPipe(true)
	r, _, done := start(t, p, calls+"stats_interval: 1h\nstats_groups: [events, queue, output]")
	if err := result(t, done); err != nil {
		t.Fatal(err)
	}
	records, events := p.statistics()
	if len(records) != 3 || events != 80 || r.records.Load() != 3 || r.sent() != 83 {
		t.Fatalf("%d records, %d events, %d sent", len(records), events, r.sent())
	}
	got := ofGroup(t, records, "events")[0]
	want := mapstr.M{"group": "events"}
	for _, name := range []string{"events_made", "events_sent"} {
		for _, typ := range []string{".call_start", ".call_end"} {
			want[name+typ], want["delta."+name+typ] = int64(40), int64(40)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v\nwant %v", got, want)
	}
	e := records[0]
	id, _ := e.Fields.GetValue("event.id")
	if e.Meta["_id"] != id || len(id.(string)) != 32 || records[1].Meta["_id"] == id {
		t.Errorf("ids %v, %v", e.Meta["_id"], id)
	}
	if kind, _ := e.Fields.GetValue("event.kind"); kind != "metric" {
		t.Errorf("event.kind %v", kind)
	}
}

// The differences of all records are the totals of the last, whatever was between.
func TestDifferencesAddUp(t *testing.T) {
	p := newPipe(true)
	_, signals, done := start(t, p, "pcap: ../tests/captures/04-calls.pcap\nreplay: true\nreplay_scale: 0.05\nrun_forever: true\nstats_interval: 1s\nstats_groups: [capture, events]")
	for records, _ := p.statistics(); len(ofGroup(t, records, "capture")) < 3; records, _ = p.statistics() {
		<-p.got
	}
	signals <- syscall.SIGTERM
	if err := result(t, done); err != nil {
		t.Fatal(err)
	}
	records, _ := p.statistics()
	for _, group := range []string{"capture", "events"} {
		all := ofGroup(t, records, group)
		sums := map[string]int64{}
		for _, m := range all {
			for name, v := range m {
				if name, ok := strings.CutPrefix(name, "delta."); ok {
					sums[name] += v.(int64)
				}
			}
		}
		for name, v := range all[len(all)-1] {
			if n, ok := v.(int64); ok && !strings.HasPrefix(name, "delta.") && sums[name] != n {
				t.Errorf("%s: the differences are %d, the total is %d", name, sums[name], n)
			}
		}
	}
	for i := 1; i < len(records); i++ { // an interval begins where the one before ended
		from, _ := records[i].Fields.GetValue("event.start")
		to, _ := records[i-1].Fields.GetValue("event.end")
		begin, _ := records[i-1].Fields.GetValue("event.start")
		if from != to && from != begin {
			t.Errorf("from %v, and the one before went from %v to %v", from, begin, to)
		}
	}
}

// A record that the output does not take holds the end, as an event does.
func TestStatisticsAreWaitedFor(t *testing.T) {
	p := newPipe(false)
	_, _, done := start(t, p, calls+"stats_interval: 1h\nstats_groups: sip")
	for n := 0; n < 81; n = p.count() {
		<-p.got
	}
	p.cfg.EventListener.ACKEvents(80)
	select {
	case err := <-done:
		t.Fatalf("the run ended with a record on its way: %v", err)
	case <-time.After(5 * poll):
	}
	p.cfg.EventListener.ACKEvents(1)
	if err := result(t, done); err != nil {
		t.Error(err)
	}
}

func TestStatisticsOfADeadOutput(t *testing.T) {
	p := newPipe(false)
	r, signals, done := start(t, p, calls+"stats_interval: 1h\nstats_groups: sip\nshutdown_timeout: 50ms")
	for n := 0; n < 81; n = p.count() {
		<-p.got
	}
	signals <- syscall.SIGTERM
	if err := result(t, done); err == nil || !strings.Contains(err.Error(), "81 events not delivered") {
		t.Errorf("the end is %v", err)
	}
	v := metric.Values{}
	r.Samples(v.Add)
	if err := v.Check(engine.HostSums[:3], 0); err != nil || v["output_pending"] != 81 {
		t.Errorf("%v, %v pending", err, v["output_pending"])
	}
}

// lossAt is the counters of a capture in which some of the segments are missing.
func lossAt(holes, segments, reported uint64) *engine.Stats {
	return &engine.Stats{Stream: stream.Stats{Holes: holes, Segments: segments}, Capture: capture.Stats{KernelDrops: reported}}
}

func TestLossIsToldOf(t *testing.T) {
	var l losses
	now := time.Unix(1000, 0)
	for i, step := range []struct {
		s     *engine.Stats
		after time.Duration
		say   string // in the line
		bad   bool
		ratio float64
	}{
		{lossAt(0, 1000, 0), time.Minute, "", false, 0},
		{lossAt(9, 1091, 0), time.Minute, "", false, 0.09},                           // too few to be told of
		{lossAt(59, 1541, 0), time.Minute, "50 of 500 packets", true, 0.1},           //
		{lossAt(60, 1550, 0), time.Minute, "", false, 0.1},                           // not enough packets: it stays
		{lossAt(109, 1991, 0), time.Minute, "", false, 0.1},                          // told a moment ago
		{lossAt(159, 2441, 0), 10 * time.Minute, "report no loss", true, 0.1},        //
		{lossAt(209, 2891, 7), 11 * time.Minute, "report 7 packets lost", true, 0.1}, //
		{lossAt(209, 3891, 7), time.Minute, "hardly anything", false, 0},             //
		{lossAt(209, 4891, 7), time.Minute, "", false, 0},
	} {
		now = now.Add(step.after)
		line, bad := l.look(step.s, now)
		if bad != step.bad || (line == "") != (step.say == "") || !strings.Contains(line, step.say) || fmt.Sprintf("%.2f", l.ratio()) != fmt.Sprintf("%.2f", step.ratio) {
			t.Errorf("step %d: %q (%v), ratio %.3f", i, line, bad, l.ratio())
		}
		if l.high() != (step.ratio > lossShare && i > 1) {
			t.Errorf("step %d: too much: %v", i, l.high())
		}
	}
}

// What is counted while the records before a reload are handed over is in those behind
// it, of the groups that were there and of others.
func TestDifferencesOverReload(t *testing.T) {
	n := 0.0
	counters := []*metric.Desc{{Group: "capture", Name: "frames"}, {Group: "events", Name: "events_made"}}
	p := newPipe(false)
	p.cfg.EventListener = acker.Nil()
	r := &run{client: p, last: make(chan struct{}), restats: make(chan config.Stats, 1)}
	rep := &reporter{groups: []string{"capture"}, from: time.Now(), samples: func(add metric.Adder) {
		n += 10 // more each time that somebody looks
		for _, d := range counters {
			add(d, "", n)
		}
	}}
	done := make(chan struct{})
	go func() { defer close(done); r.report(rep, time.Hour) }()
	r.restats <- config.Stats{Every: time.Hour, Groups: []string{"capture", "events"}}
	<-p.got
	close(r.last)
	<-done
	records, _ := p.statistics()
	sum := int64(0)
	for _, m := range ofGroup(t, records, "capture") {
		sum += m["delta.frames"].(int64)
	}
	events := ofGroup(t, records, "events")
	if sum != int64(n) || len(events) != 1 || events[0]["delta.events_made"] != int64(10) {
		t.Errorf("the differences are %d, the total %v; of the group that came %v", sum, n, events)
	}
}
