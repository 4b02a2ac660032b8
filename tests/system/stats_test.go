package system

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// statistic is what the tests look at in a record of statistics.
type statistic struct {
	Timestamp string `json:"@timestamp"`
	Metadata  struct {
		ID string `json:"_id"`
	} `json:"@metadata"`
	Event struct {
		Kind, Module, Dataset, Action, ID string
		Start, End                        time.Time
		Duration                          int64
	}
	SIP struct{ Stats map[string]any }
}

// statistics reads what output.file wrote of them so far, by group.
func statistics(t *testing.T, dir string) map[string][]statistic {
	t.Helper()
	all := map[string][]statistic{}
	for _, path := range glob(t, filepath.Join(dir, "events-*.ndjson")) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			var s statistic
			if !bytes.HasSuffix(line, []byte("\n")) || !bytes.Contains(line, []byte(`"sip.stats"`)) {
				continue
			}
			if err := json.Unmarshal(line, &s); err != nil {
				t.Fatalf("%v in %s", err, line)
			}
			group, _ := s.SIP.Stats["group"].(string)
			all[group] = append(all[group], s)
		}
	}
	return all
}

// leaves are the numbers of an object by their paths.
func leaves(object any, before string, into map[string]float64) map[string]float64 {
	if m, ok := object.(map[string]any); ok {
		for name, v := range m {
			leaves(v, strings.TrimPrefix(before+"."+name, "."), into)
		}
	} else if n, ok := object.(float64); ok {
		into[before] = n
	}
	return into
}

// TestStatistics: a live run writes its counters each second and at the end. The totals
// are what went in and what is in the output, and the differences add up to them.
func TestStatistics(t *testing.T) {
	dir, out, listen := t.TempDir(), t.TempDir(), freeUDP(t)
	p := setup(t, dir, join(toFile(out), []string{
		"-E", "sipcmbeat.inputs=[{type: hep, listen: \"udp:" + listen + "\"}]", "-E", "stats_interval=1s", "-E", "evr_limits=[0,0,0]", "-E", "http_port=0", "-E", "logging.level=info",
	})...).start()
	a := newAgent(t, listen)
	p.until("capture", func() bool { return strings.Contains(p.log(), "capturing from") })
	const calls = 40
	for i := range calls {
		at, id := time.Duration(i)*50*time.Millisecond, fmt.Sprint("c", i)
		a.send(at, "INVITE sip:bob@example.com SIP/2.0", id, "INVITE", 1, bound)
		a.send(at+5*time.Millisecond, "SIP/2.0 200 OK", id, "INVITE", 1, bound)
		a.send(at+6*time.Millisecond, "ACK sip:bob@example.com SIP/2.0", id, "ACK", 1, "")
		a.send(at+30*time.Millisecond, "OPTIONS sip:bob@example.com SIP/2.0", "o"+id, "OPTIONS", 1, "")
		a.send(at+31*time.Millisecond, "SIP/2.0 404 Not Found", "o"+id, "OPTIONS", 1, "")
		a.send(at+40*time.Millisecond, "BYE sip:bob@example.com SIP/2.0", id, "BYE", 2, "")
		a.send(at+45*time.Millisecond, "SIP/2.0 200 OK", id, "BYE", 2, "")
		if i == calls/2 { // in two intervals at least
			p.until("statistics", func() bool { return len(statistics(t, out)["sip"]) > 0 })
		}
	}
	p.until("the calls", func() bool { n := byType(written(t, out)); return n["call-start"] == calls && n["call-end"] == calls })
	p.signal(syscall.SIGTERM)
	p.wait()
	p.ok()
	if log := p.log(); strings.Contains(log, "disagree") {
		t.Error(log)
	}
	all := statistics(t, out)
	ids := map[string]bool{}
	totals := map[string]float64{}
	for group, records := range all {
		sums := map[string]float64{}
		for i, r := range records {
			if r.Event.Kind != "metric" || r.Event.Module != "sipcmbeat" || r.Event.Action != "" || r.Event.ID != r.Metadata.ID || ids[r.Event.ID] ||
				r.Event.End.Sub(r.Event.Start).Nanoseconds() != r.Event.Duration || r.Event.Duration <= 0 {
				t.Errorf("%s: %+v", group, r)
			}
			ids[r.Event.ID] = true
			if i > 0 && r.Event.Start.Before(records[i-1].Event.End) {
				t.Errorf("%s: the interval from %v overlaps the one to %v", group, r.Event.Start, records[i-1].Event.End)
			}
			for name, n := range leaves(r.SIP.Stats["delta"], "", map[string]float64{}) {
				sums[name] += n
			}
		}
		delete(records[len(records)-1].SIP.Stats, "delta")
		last := leaves(records[len(records)-1].SIP.Stats, "", map[string]float64{})
		for name, n := range sums {
			if last[name] != n {
				t.Errorf("%s: the differences are %v, the total is %v", name, n, last[name])
			}
		}
		for name, n := range last {
			totals[name] = n
		}
	}
	if len(all["sip"]) < 2 {
		t.Errorf("%d records of the group sip", len(all["sip"]))
	}
	records := 0
	for _, of := range all {
		records += len(of)
	}
	for name, want := range map[string]float64{
		"frames": 7 * calls, "capture_frames": 7 * calls, "messages": 7 * calls, "layers.hep3": 7 * calls,
		"requests.invite": calls, "requests.ack": calls, "requests.bye": calls, "requests.options": calls,
		"responses.2xx": 2 * calls, "responses.4xx": calls, "track_new": 3 * calls, "track_satellites": calls,
		"events_made.call_start": calls, "events_made.call_end": calls, "events_made.other_failed": calls, "events_blacklisted.other_failed": calls,
		"queue_accepted": 2 * calls, "loss_missing.request": 0, "queue_dropped.call_start": 0,
	} {
		if totals[name] != want {
			t.Errorf("%s is %v, want %v", name, totals[name], want)
		}
	}
	if n := totals["output_sent"]; n != totals["queue_accepted"]+totals["metric_records"] || totals["metric_records"] >= float64(records) {
		t.Errorf("%v were sent, with %v records of statistics of %d", n, totals["metric_records"], records)
	}
	if log, want := p.log(), fmt.Sprintf("delivered: %d events", 2*calls+records); !strings.Contains(log, want) {
		t.Errorf("no %q in %s", want, log)
	}
}

// TestStatisticsOfFiles: a run over files says nothing of itself, and once at its end
// when it is asked to.
func TestStatisticsOfFiles(t *testing.T) {
	out := t.TempDir()
	run(t, join(toFile(out), reading(all...))...).ok()
	if n := statistics(t, out); len(n) > 0 {
		t.Errorf("nobody asked, and there are %v", n)
	}
	out = t.TempDir()
	run(t, join(toFile(out), reading(all...), []string{"-E", "stats_interval=1h", "-E", "stats_groups=[sip, events]"})...).ok()
	n := statistics(t, out)
	if len(n) != 2 || len(n["sip"]) != 1 || len(n["events"]) != 1 {
		t.Errorf("statistics: %v", n)
	}
}
