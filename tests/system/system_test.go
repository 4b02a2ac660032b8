// Package system runs the real binary as a user does: a capture goes in, what comes
// out of the output is looked at. SIPCMBEAT_BINARY names the binary; without it one
// is built.
package system

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// patience is how long a test waits for what must happen.
const patience = 60 * time.Second

const captures = "../captures/"

var all = []string{captures + "01-reg.pcap", captures + "04-calls.pcap", captures + "05-failed.pcap"}

// program is a run of the binary in a folder of its own, with the configuration
// that is shipped.
type program struct {
	t      *testing.T
	dir    string
	cmd    *exec.Cmd
	stdout bytes.Buffer
	stderr bytes.Buffer
	done   chan error
}

// setup prepares a folder; args go behind those that every run has.
func setup(t *testing.T, dir string, args ...string) *program {
	t.Helper()
	path := siptest.Program(t)
	shipped, err := os.ReadFile("../../sipcmbeat.yml")
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "sipcmbeat.yml")
	if err := os.WriteFile(config, shipped, 0o600); err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, dir: dir, done: make(chan error, 1)}
	p.cmd = exec.Command(path, append([]string{
		"-c", config, "--path.data", filepath.Join(dir, "data"), "--path.logs", filepath.Join(dir, "logs"),
	}, args...)...)
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	return p
}

func (p *program) start() *program {
	p.t.Helper()
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	p.t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	return p
}

// wait gives the exit status.
func (p *program) wait() int {
	p.t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		p.t.Fatalf("the program does not end; it wrote %s\nlog: %s", p.stderr.String(), p.log())
		return -1
	}
}

// run starts the program and waits for its end.
func run(t *testing.T, args ...string) *program {
	t.Helper()
	p := setup(t, t.TempDir(), args...).start()
	p.wait()
	return p
}

func (p *program) code() int { return p.cmd.ProcessState.ExitCode() }

// ok fails unless the program ended well and without a word.
func (p *program) ok() *program {
	p.t.Helper()
	if p.code() != 0 || p.stderr.Len() > 0 {
		p.t.Fatalf("exit %d: %s\nlog: %s", p.code(), p.stderr.String(), p.log())
	}
	return p
}

// said fails unless the program ended with exit 1 and one line that holds text.
func (p *program) said(text string) {
	p.t.Helper()
	lines := strings.Split(strings.TrimSpace(p.stderr.String()), "\n")
	if p.code() != 1 || len(lines) != 1 || !strings.Contains(lines[0], text) {
		p.t.Errorf("exit %d and %q, want exit 1 and a line with %q", p.code(), lines, text)
	}
}

// log is what the program logged: the messages, without libbeat's account of the
// machine.
func (p *program) log() string {
	var b strings.Builder
	for _, path := range glob(p.t, filepath.Join(p.dir, "logs", "*")) {
		text, err := os.ReadFile(path)
		if err != nil {
			p.t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			var entry struct {
				Level   string `json:"log.level"`
				Logger  string `json:"log.logger"`
				Message string
			}
			if json.Unmarshal([]byte(line), &entry) == nil && !strings.HasSuffix(entry.Message, " info") {
				fmt.Fprintf(&b, "%s %s: %s\n", entry.Level, entry.Logger, entry.Message)
			}
		}
	}
	return b.String()
}

// until waits for something to become true of a running program.
func (p *program) until(what string, is func() bool) {
	p.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(patience)
	for !is() {
		select {
		case <-tick.C:
		case err := <-p.done:
			p.t.Fatalf("ended before %s: %v: %s", what, err, p.stderr.String())
		case <-limit:
			p.t.Fatalf("no %s; log: %s", what, p.log())
		}
	}
}

// toFile is the older program's way to ask for a file, and how the shipped
// configuration is told to.
func toFile(dir string) []string {
	return []string{
		"-E", "output.elasticsearch.enabled=false", "-E", "output.file.enabled=true",
		"-E", "output.file.path=" + dir, "-E", "output.file.filename=events",
	}
}

func reading(paths ...string) []string { return []string{"-E", "pcap=" + strings.Join(paths, ",")} }

func join(lists ...[]string) (all []string) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// record is what the tests look at in an event.
type record struct {
	Timestamp string `json:"@timestamp"`
	Metadata  struct {
		ID string `json:"_id"`
	} `json:"@metadata"`
	Event struct {
		Action, ID, Start, End string
		Sequence               int
	}
	ECS      struct{ Version string }
	Observer struct{ Type, Product, Vendor, Version, Hostname string }
	Host     struct{ Name string }
	Agent    struct{ Type, Version string }
	Tags     []string
	Site     string
	SIP      map[string]any

	Sipcmbeat struct {
		Rate struct {
			Exceeded, Suppressed, Total int
			Ended, Key                  string
		}
	}
}

func records(t *testing.T, text []byte) (all []record) {
	t.Helper()
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatalf("%v in %s", err, lines.Text())
		}
		all = append(all, r)
	}
	return all
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// lines counts what output.file has written so far, which may end within a line.
func lines(t *testing.T, dir string) (n int) {
	t.Helper()
	for _, path := range glob(t, filepath.Join(dir, "events-*.ndjson")) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		n += bytes.Count(text, []byte("\n"))
	}
	return n
}

// written reads what output.file wrote.
func written(t *testing.T, dir string) (all []record) {
	t.Helper()
	for _, path := range glob(t, filepath.Join(dir, "events-*.ndjson")) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, records(t, text)...)
	}
	return all
}

// replayed is what `replay` prints: every event of every type.
func replayed(t *testing.T, paths ...string) []record {
	t.Helper()
	path := siptest.Program(t)
	out, err := exec.Command(path, append([]string{"replay"}, paths...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	return records(t, out)
}

// held are the types that are not sent by default.
var held = map[string]bool{"msg-probe": true, "parse-error": true, "other-ok": true, "other-failed": true, "other-timeout": true}

func byType(all []record) map[string]int {
	n := map[string]int{}
	for _, r := range all {
		n[r.Event.Action]++
	}
	return n
}

// same fails unless two sets of events are the same by their ids, each once.
func same(t *testing.T, got, want []record) {
	t.Helper()
	seen := map[string]int{}
	for _, r := range got {
		seen[r.Event.ID]++
	}
	for id, n := range seen {
		if n > 1 {
			t.Errorf("event %s came %d times", id, n)
		}
	}
	for _, r := range want {
		if seen[r.Event.ID] == 0 {
			t.Errorf("%s %s did not come", r.Event.Action, r.Event.ID)
		}
		delete(seen, r.Event.ID)
	}
	for id := range seen {
		t.Errorf("event %s came and was not expected", id)
	}
	if len(want) == 0 {
		t.Error("nothing was expected: the test says nothing")
	}
}

// sent is what of these files leaves by default.
func sent(t *testing.T, paths ...string) (all []record) {
	for _, r := range replayed(t, paths...) {
		if !held[r.Event.Action] {
			all = append(all, r)
		}
	}
	return all
}
