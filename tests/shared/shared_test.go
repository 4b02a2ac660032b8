// Package shared runs the real binary over the captures and the load generator
// that stand beside the checkout, and compares the events with the truth that
// comes with them. Where they are missing it says so, and fails when CI=true.
package shared

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const beside = "../../../shared"

// binary is the program under test.
func binary(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat(beside + "/tools"); err != nil {
		stop(t, "the captures beside the checkout (../shared) are missing")
	}
	path := os.Getenv("SIPCMBEAT_BINARY")
	if path == "" {
		stop(t, "SIPCMBEAT_BINARY is not set; run make shared-tests")
	}
	return path
}

// stop skips, or fails where nothing may be skipped.
func stop(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// TestLab: the captures of the laboratory, against what really happened.
func TestLab(t *testing.T) {
	agree(t, "lab captures right", nil, "python3", beside+"/tools/lab.py", binary(t), beside+"/lab")
}

// TestCorpus: the captures of other projects, against an independent oracle.
func TestCorpus(t *testing.T) {
	agree(t, "captures agree", map[string]string{
		"hepagent.rs__sip_ipv6.pcap": "IPv6 addresses without brackets in the Request-URI: refused by RFC 5118 section 4.2, a parse-error by events.md; tshark counts them",
	}, "python3", beside+"/tools/compare.py", binary(t), beside+"/corpus")
}

// agree runs a comparing tool, which prints `NAME: what differs` for each capture.
// A name that differs is a failure, but for those in except, with the reason; and so
// is one of these that does not.
func agree(t *testing.T, closing string, except map[string]string, command ...string) {
	t.Helper()
	out, _ := exec.Command(command[0], command[1:]...).CombinedOutput() // its exit says whether all agree
	closed := false
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		if strings.HasSuffix(line, closing) {
			closed = true
			t.Log(line)
			continue
		}
		name, what, _ := strings.Cut(line, ": ")
		if except[name] == "" {
			t.Errorf("%s: %s", name, what)
		}
		delete(except, name)
	}
	if !closed {
		t.Fatalf("%s did not end as it should:\n%s", command[1], out)
	}
	for name := range except {
		t.Errorf("%s agrees now: take it off the exceptions", name)
	}
}

// TestLoad: 100,000 messages of the generator, every event and no other.
func TestLoad(t *testing.T) {
	bin := binary(t)
	for _, options := range loads {
		t.Run(strings.Join(options, " "), func(t *testing.T) {
			dir := t.TempDir()
			capture, events, truth := filepath.Join(dir, "load.pcap"), filepath.Join(dir, "events"), filepath.Join(dir, "truth.json")
			args := append([]string{beside + "/perf/genload.py", capture, "--events", events, "--truth", truth}, options...)
			if out, err := exec.Command("python3", args...).CombinedOutput(); err != nil {
				t.Fatalf("generate load: %v\n%s", err, out)
			}
			out, err := exec.Command(bin, "replay", capture).Output()
			if err != nil {
				t.Fatalf("replay: %v", err)
			}
			compareCounts(t, truth, out)
			compareEvents(t, events, out)
		})
	}
}

type record struct {
	Event struct{ Action string }
	SIP   struct {
		CallID string `json:"call_id"`
	}
}

func records(t *testing.T, out []byte) (all []record) {
	t.Helper()
	for _, line := range bytes.Split(bytes.TrimSpace(out), []byte("\n")) {
		var r record
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func compareCounts(t *testing.T, truth string, out []byte) {
	t.Helper()
	data, err := os.ReadFile(truth)
	if err != nil {
		t.Fatal(err)
	}
	var want struct{ Events map[string]int }
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	have := map[string]int{}
	for _, r := range records(t, out) {
		have[r.Event.Action]++
	}
	for action, n := range want.Events {
		if have[action] != n {
			t.Errorf("%d %s, want %d", have[action], action, n)
		}
		delete(have, action)
	}
	for action, n := range have {
		t.Errorf("%d %s, which the load does not have", n, action)
	}
}

// compareEvents pairs events by type and Call-ID.
func compareEvents(t *testing.T, file string, out []byte) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	left := map[[2]string]int{}
	for s := bufio.NewScanner(f); s.Scan(); {
		var e struct {
			Type   string
			CallID string `json:"call_id"`
		}
		if err := json.Unmarshal(s.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		left[[2]string{e.Type, e.CallID}]++
	}
	for _, r := range records(t, out) {
		left[[2]string{r.Event.Action, r.SIP.CallID}]--
	}
	wrong := 0
	for key, n := range left {
		if n != 0 {
			if wrong++; wrong <= 10 {
				t.Errorf("%s of %q: %+d", key[0], key[1], -n)
			}
		}
	}
	if wrong > 10 {
		t.Errorf("and %d more", wrong-10)
	}
}
