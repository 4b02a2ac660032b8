package shared

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestIdentity: no two events of a capture share an event.id, which is the id of the
// document: the second would be taken for a repeat and lost. A capture that has a packet
// twice, at the same time, has its event twice.
func TestIdentity(t *testing.T) {
	program := binary(t)
	var files []string
	for _, pattern := range []string{"/lab/*/*.pcap*", "/lab/*/*/*.pcap*", "/corpus/*.pcap*"} {
		some, err := filepath.Glob(beside + pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, some...)
	}
	if len(files) < 100 {
		t.Fatalf("%d captures beside the checkout", len(files))
	}
	for _, file := range files {
		out, err := exec.Command(program, "replay", file).Output()
		if err != nil && len(out) == 0 {
			continue // it is none; other tests look at that
		}
		seen := map[string]string{}
		for line := range strings.Lines(string(out)) {
			var e struct {
				Time  string `json:"@timestamp"`
				Event struct{ ID, Action string }
			}
			if json.Unmarshal([]byte(line), &e) != nil {
				continue
			}
			what := e.Event.Action + " at " + e.Time
			packet := e.Event.Action == "parse-error" || e.Event.Action == "msg-probe"
			if was, ok := seen[e.Event.ID]; ok && !(packet && was == what) {
				t.Errorf("%s: %s and %s have the id %s", file, was, what, e.Event.ID)
			}
			seen[e.Event.ID] = what
		}
	}
}
