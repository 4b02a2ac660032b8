package tests

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/engine"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

var update = flag.Bool("update", false, "write golden/*/want.ndjson anew; each change needs its reason in the commit")

// lines is a sink that renders records one a line.
type lines struct {
	r event.Renderer
	b []byte
}

func (l *lines) Put(e *event.Event) { l.b = append(l.r.Append(l.b, e, nil), '\n') }

// replay runs a capture through the whole engine, without libbeat.
func replay(t *testing.T, file string) []byte {
	t.Helper()
	return replayWith(t, file, engine.DefaultConfig())
}

func replayWith(t *testing.T, file string, cfg engine.Config) []byte {
	t.Helper()
	records, _ := replayAll(t, file, cfg)
	return records
}

func replayAll(t *testing.T, file string, cfg engine.Config) ([]byte, engine.Stats) {
	t.Helper()
	files := capture.DefaultFilesConfig()
	files.Paths = []string{file}
	src, err := capture.NewFiles(files)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var l lines
	e := engine.New(cfg, []engine.Input{{Source: src}}, &l)
	if err := e.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	s := e.Stats()
	if err := s.Check(); err != nil {
		t.Error(err)
	}
	return l.b, s
}

// TestGolden runs the engine over golden/<case>/in.pcap. Two things judge it: the
// counts of expect.json, which come from the software that made the capture, and
// want.ndjson, which is our own output, kept so that a change of any field is seen.
// Where there is a messages.ndjson it is the same with records of messages.
// The oracle test holds the fields of want.ndjson against tshark.
func TestGolden(t *testing.T) {
	dirs, err := filepath.Glob("golden/*")
	if err != nil || len(dirs) == 0 {
		t.Fatal("no goldens", err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			if _, err := os.Stat(dir + "/README.md"); err != nil {
				t.Error("no README.md that says where the capture comes from")
			}
			got := replay(t, dir+"/in.pcap")
			counts(t, dir+"/expect.json", got)
			same(t, dir+"/want.ndjson", got)
			if _, err := os.Stat(dir + "/messages.ndjson"); err == nil {
				cfg := engine.DefaultConfig()
				cfg.Messages = true
				got := replayWith(t, dir+"/in.pcap", cfg)
				counts(t, dir+"/expect.json", got)
				same(t, dir+"/messages.ndjson", got)
			}
		})
	}
}

// same holds records against a file, or writes it.
func same(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("records differ from %s:\n%s", filepath.Base(file), firstDifference(got, want))
	}
}

// counts compares the number of events of each type that expect.json names.
func counts(t *testing.T, file string, got []byte) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	have := map[string]int{}
	for _, line := range bytes.Split(bytes.TrimSpace(got), []byte("\n")) {
		var record struct{ Event struct{ Action string } }
		if err := json.Unmarshal(line, &record); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		have[record.Event.Action]++
	}
	for action, n := range want {
		if have[action] != n {
			t.Errorf("%d %s, want %d", have[action], action, n)
		}
	}
}

func firstDifference(got, want []byte) string {
	a, b := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(a), len(b)) {
		switch {
		case i >= len(a):
			return "missing: " + b[i]
		case i >= len(b):
			return "new: " + a[i]
		case a[i] != b[i]:
			return "have: " + a[i] + "\nwant: " + b[i]
		}
	}
	return ""
}
