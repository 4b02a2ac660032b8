// Package delivery sends events of the real binary into real servers, through the
// troubles that servers, networks and disks have, and looks for every event
// afterwards. docs/delivery.md has what it found.
//
// SIPCMBEAT_BINARY names the binary; without it one is built.
package delivery

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
	"github.com/sipcmbeat/sipcmbeat/tests/stores"
)

var update = flag.Bool("update", false, "write the tables of docs/delivery.md anew")

const (
	calls    = 1500
	sent     = 2 * calls         // a call-start and a call-end each
	patience = 120 * time.Second // for what must happen, on two cores
)

// messages are those of one answered call; more are header lines of its INVITE.
func messages(n int, more string) (all []string) {
	for _, m := range []struct{ first, cseq, to string }{
		{"INVITE sip:bob@192.0.2.2 SIP/2.0", "1 INVITE", ""},
		{"SIP/2.0 200 OK", "1 INVITE", ";tag=b"},
		{"ACK sip:bob@192.0.2.2 SIP/2.0", "1 ACK", ";tag=b"},
		{"BYE sip:bob@192.0.2.2 SIP/2.0", "2 BYE", ";tag=b"},
		{"SIP/2.0 200 OK", "2 BYE", ";tag=b"},
	} {
		all = append(all, fmt.Sprintf("%s\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK%d-%s\r\nFrom: <sip:alice@example.com>;tag=a%d\r\n"+
			"To: <sip:bob@example.com>%s\r\nCall-ID: %d@delivery\r\nCSeq: %s\r\nContact: <sip:alice@192.0.2.1>\r\n%sContent-Length: 0\r\n\r\n",
			m.first, n, m.cseq[:1], n, m.to, n, m.cseq, more))
		more = ""
	}
	return all
}

var ends = [2]netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:5060"), netip.MustParseAddrPort("192.0.2.2:5060")}

// way is how a message goes: the callee's are answers.
func way(message string) (src, dst netip.AddrPort) {
	if strings.HasPrefix(message, "SIP/2.0") {
		return ends[1], ends[0]
	}
	return ends[0], ends[1]
}

// capture writes a capture file of so many calls, one after the other.
func capture(t testing.TB, calls int) string { return captureWith(t, calls, nil) }

// captureWith has header lines of single calls besides.
func captureWith(t testing.TB, calls int, more map[int]string) string {
	t.Helper()
	var frames []packet.Frame
	for n := range calls {
		for _, m := range messages(n, more[n]) {
			src, dst := way(m)
			data := siptest.UDPFrame(src, dst, []byte(m))
			frames = append(frames, packet.Frame{
				Time: siptest.Start + int64(len(frames))*int64(10*time.Millisecond), Link: packet.LinkEthernet, Data: data, Wire: len(data),
			})
		}
	}
	path := filepath.Join(t.TempDir(), "calls.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(siptest.WritePcap(f, packet.LinkEthernet, frames), f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// beat is a run of the program.
type beat struct {
	t      testing.TB
	home   string
	stats  string // where it tells its counters
	cmd    *exec.Cmd
	stderr *lockedBuffer
	ended  chan struct{}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// begin starts the program with a configuration: keys at the top, in YAML. Its log
// goes to files below home, which a later run may have too.
func begin(t testing.TB, home, config string, args ...string) *beat {
	t.Helper()
	path := siptest.Program(t)
	b := &beat{t: t, home: home, stderr: &lockedBuffer{}, ended: make(chan struct{})}
	var err error
	if b.stats, err = stores.FreeAddr(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(home, "sipcmbeat.yml")
	config += fmt.Sprintf("\nhttp: {enabled: true, host: 127.0.0.1, port: %s}\nsetup.ilm.enabled: false\n", b.stats[strings.LastIndexByte(b.stats, ':')+1:])
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	b.cmd = exec.Command(path, append(args, "-c", file, "--path.home", home, "--path.data", filepath.Join(home, "data"), "--path.logs", filepath.Join(home, "logs"))...)
	b.cmd.Stderr = b.stderr
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = b.cmd.Wait()
		close(b.ended)
	}()
	t.Cleanup(b.kill)
	return b
}

// kill ends the program as a crash does.
func (b *beat) kill() {
	_ = b.cmd.Process.Kill()
	<-b.ended
}

// log is all that the program has logged, and what it wrote to standard error.
func (b *beat) log() string {
	var all strings.Builder
	paths, _ := filepath.Glob(filepath.Join(b.home, "logs", "sipcmbeat-2*"))
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			b.t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			var entry struct {
				Level   string `json:"log.level"`
				Message string
			}
			if json.Unmarshal([]byte(line), &entry) == nil && !strings.HasSuffix(entry.Message, " info") {
				fmt.Fprintf(&all, "%s %s\n", entry.Level, entry.Message)
			}
		}
	}
	return all.String() + b.stderr.String()
}

// until waits for what must become true while the program runs.
func (b *beat) until(what string, is func() bool) {
	b.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(patience)
	for !is() {
		select {
		case <-tick.C:
		case <-b.ended:
			if is() {
				return
			}
			b.t.Fatalf("ended before %s: %s", what, b.log())
		case <-limit:
			b.t.Fatalf("no %s: %s", what, b.log())
		}
	}
}

// says waits until the log has one of these.
func (b *beat) says(texts ...string) {
	b.t.Helper()
	b.until(strings.Join(texts, " or "), func() bool {
		log := b.log()
		for _, text := range texts {
			if strings.Contains(log, text) {
				return true
			}
		}
		return false
	})
}

// exits waits for the end and its status.
func (b *beat) exits(code int) {
	b.t.Helper()
	select {
	case <-b.ended:
	case <-time.After(patience):
		b.t.Fatalf("it does not end: %s", b.log())
	}
	if got := b.cmd.ProcessState.ExitCode(); got != code {
		b.t.Fatalf("exit %d, want %d: %s", got, code, b.log())
	}
}

// stop asks the program to end.
func (b *beat) stop() { _ = b.cmd.Process.Signal(syscall.SIGTERM) }

// counter is one of libbeat's, of a running program; -1 when it cannot be asked.
func (b *beat) counter(path string) int {
	resp, err := http.Get("http://" + b.stats + "/stats")
	if err != nil {
		return -1
	}
	defer resp.Body.Close()
	var at any
	if json.NewDecoder(resp.Body).Decode(&at) != nil {
		return -1
	}
	for name := range strings.SplitSeq(path, ".") {
		m, _ := at.(map[string]any)
		at = m[name]
	}
	n, ok := at.(float64)
	if !ok {
		return -1
	}
	return int(n)
}

// idOf is the id of an event.
func idOf(t testing.TB, text []byte) string {
	t.Helper()
	var e struct{ Event struct{ ID string } }
	if err := json.Unmarshal(text, &e); err != nil || e.Event.ID == "" {
		t.Fatalf("no event: %v: %s", err, text)
	}
	return e.Event.ID
}

// idsOf are those of events as an output wrote them: each says beside itself under
// which _id a consumer may store it.
func idsOf(t testing.TB, all [][]byte) (ids []string) {
	t.Helper()
	for _, text := range all {
		id := idOf(t, text)
		var e struct {
			Metadata struct {
				ID string `json:"_id"`
			} `json:"@metadata"`
		}
		if err := json.Unmarshal(text, &e); err != nil || e.Metadata.ID != id {
			t.Fatalf("@metadata._id is %q, event.id %q", e.Metadata.ID, id)
		}
		ids = append(ids, id)
	}
	return ids
}

// events are all of a capture as `replay` prints them, by their ids.
func events(t testing.TB, capture string) map[string]string {
	t.Helper()
	path := siptest.Program(t)
	out, err := exec.Command(path, "replay", capture).Output()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for line := range bytes.Lines(out) {
		all[idOf(t, line)] = string(line)
	}
	return all
}

// expected are their ids.
func expected(t testing.TB, capture string) map[string]bool {
	t.Helper()
	ids := map[string]bool{}
	for id := range events(t, capture) {
		ids[id] = true
	}
	return ids
}

// distinct fails unless found are the expected events, each at least once, and
// returns how many there are and how many came again.
func distinct(t testing.TB, found []string, want map[string]bool) (different, again int) {
	t.Helper()
	seen := map[string]bool{}
	for _, id := range found {
		if !want[id] {
			t.Fatalf("event %s was not sent", id)
		}
		seen[id] = true
	}
	return len(seen), len(found) - len(seen)
}
