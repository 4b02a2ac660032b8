package tests

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/dump"
	"github.com/sipcmbeat/sipcmbeat/internal/engine"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// upTo is a capture that lasts until a given time, whatever is in it: a last frame
// of another protocol lets the timers run as they did in the whole capture.
type upTo struct {
	capture.Source
	last  int64 // of the frames seen
	end   int64
	ended bool
}

func (s *upTo) Next(f *packet.Frame) error {
	err := s.Source.Next(f)
	if err == nil {
		s.last = max(s.last, f.Time)
	}
	if err == io.EOF && !s.ended && s.end > 0 {
		s.ended = true
		tick := netip.MustParseAddrPort("192.0.2.250:9")
		*f = packet.Frame{Time: s.end, Link: packet.LinkEthernet, Data: siptest.UDPFrame(tick, tick, []byte("tick"))}
		return nil
	}
	return err
}

// dumped is a record, what it is compared by, and where its messages went.
type dumped struct {
	text, path string
}

// follow runs a capture through the engine, with a dumper or without.
func follow(t *testing.T, file string, cfg dump.Config, end int64) ([]dumped, int64) {
	t.Helper()
	files := capture.DefaultFilesConfig()
	files.Paths = []string{file}
	src, err := capture.NewFiles(files)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	e := engine.DefaultConfig()
	var d *dump.Dumper
	if cfg.Dir != "" {
		d = dump.New(cfg)
		if err := d.Start(); err != nil {
			t.Fatal(err)
		}
		e.Dump = d
	}
	var l lines
	s := &upTo{Source: src, end: end}
	run := engine.New(e, []engine.Input{{Source: s}}, &l)
	if err := run.Run(context.Background()); err != nil {
		t.Log(err) // a damaged file, read up to there
	}
	if d != nil {
		d.Close()
		s := d.Stats()
		if err := s.Check(); err != nil || s.Lost() > 0 || s.Refused > 0 || s.Empty > 0 {
			t.Errorf("%s: %v, %+v", file, err, s)
		}
	}
	return comparable(t, l.b), s.last
}

// comparable leaves out of records what a dump cannot have: the place in the whole
// stream of events, the file, and what was around the message.
func comparable(t *testing.T, ndjson []byte) (all []dumped) {
	for _, line := range bytes.Split(bytes.TrimSpace(ndjson), []byte("\n")) {
		if len(line) == 0 {
			continue
		}
		var r map[string]any
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		// What is new to a registrar depends on the Call-IDs before it.
		if action, _ := r["event"].(map[string]any)["action"].(string); strings.HasPrefix(action, "reg-") {
			continue
		}
		sip, _ := r["sip"].(map[string]any)
		pcap, _ := sip["pcap"].(map[string]any)
		path, _ := pcap["dump"].(string)
		delete(sip, "pcap")
		delete(sip, "encapsulation")
		delete(sip, "outer")
		delete(sip, "hep")
		delete(r, "observer")
		delete(r["event"].(map[string]any), "sequence")
		if network, ok := r["network"].(map[string]any); ok {
			delete(network, "vlan")
			delete(network, "inner")
		}
		text, _ := json.Marshal(r)
		all = append(all, dumped{string(text), path})
	}
	return all
}

// TestDumpIsTheCall: a file that was written for a Call-ID gives, alone, the events
// that the whole capture gave for it.
func TestDumpIsTheCall(t *testing.T) {
	captures, _ := filepath.Glob("../../shared/lab/*/*.pcap")
	if len(captures) == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("the captures beside the checkout are missing")
		}
		captures, _ = filepath.Glob("captures/*.pcap")
	}
	files, events := 0, 0
	for _, file := range captures {
		cfg := dump.DefaultConfig()
		cfg.Dir, cfg.When, cfg.MaxAge, cfg.Wait = filepath.Join(t.TempDir(), "dump"), dump.Always, 0, true
		all, end := follow(t, file, cfg, 0)
		want := map[string][]string{}
		for _, e := range all {
			if e.path != "" {
				want[e.path] = append(want[e.path], e.text)
			}
		}
		for path, want := range want {
			files++
			got, _ := follow(t, path, dump.Config{}, end)
			events += len(want)
			var have []string
			for _, e := range got {
				have = append(have, e.text)
			}
			slices.Sort(have)
			slices.Sort(want)
			if !slices.Equal(have, want) {
				t.Errorf("%s, %s:\n%s", file, filepath.Base(path), different(have, want))
			}
		}
	}
	t.Logf("%d captures, %d files, %d events", len(captures), files, events)
	if files < 10 {
		t.Errorf("only %d files", files)
	}
}

// TestDumpOfFailures: with the default reasons each event that says a failure has a
// file, and the file alone gives that event.
func TestDumpOfFailures(t *testing.T) {
	captures, _ := filepath.Glob("captures/*.pcap")
	more, _ := filepath.Glob("golden/*/in.pcap")
	found := 0
	for _, file := range append(captures, more...) {
		cfg := dump.DefaultConfig()
		cfg.Dir, cfg.MaxAge, cfg.Wait = filepath.Join(t.TempDir(), "dump"), 0, true
		all, end := follow(t, file, cfg, 0)
		for _, e := range all {
			failure := strings.Contains(e.text, `"action":"call-attempt"`) || strings.Contains(e.text, `"action":"auth-failed"`) ||
				strings.Contains(e.text, `"action":"other-failed"`) || strings.Contains(e.text, `"action":"other-timeout"`)
			if failure && e.path == "" {
				t.Errorf("%s: no file for %s", file, e.text)
			}
			if !failure || e.path == "" {
				continue
			}
			found++
			got, _ := follow(t, e.path, dump.Config{}, end)
			if !slices.ContainsFunc(got, func(x dumped) bool { return x.text == e.text }) {
				t.Errorf("%s, %s:\n%s", file, filepath.Base(e.path), different(nil, []string{e.text}))
			}
		}
	}
	if t.Logf("%d failures", found); found < 30 {
		t.Errorf("only %d failures", found)
	}
}

func different(have, want []string) string {
	var b strings.Builder
	for _, s := range have {
		if !slices.Contains(want, s) {
			fmt.Fprintf(&b, "have %s\n", s)
		}
	}
	for _, s := range want {
		if !slices.Contains(have, s) {
			fmt.Fprintf(&b, "want %s\n", s)
		}
	}
	return b.String()
}
