package system

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// more writes a configuration that is read besides the shipped one.
func more(t *testing.T, dir, text string) string {
	t.Helper()
	path := filepath.Join(dir, "more.yml")
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil { // never half a file
		t.Fatal(err)
	}
	return path
}

// reload asks for a reload and waits until its line is in the log, one more than were
// there.
func (p *program) reload(line string) {
	p.t.Helper()
	n := strings.Count(p.log(), line)
	p.signal(syscall.SIGHUP)
	p.until("log line "+line, func() bool { return strings.Count(p.log(), line) > n })
}

// TestReloadWhileReading: files are read at full speed, in a loop, and the configuration
// changes all the time. Every event arrives, none twice, in order.
func TestReloadWhileReading(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	const turns = 400
	with := []string{
		"sipcmbeat: {calls_timeouts.established: 13h, numbers.emergency: [\"999\"], event_types_blst: none}\n",
		"sipcmbeat: {internal_networks: private, calls_max_entries: 5000, call_alive_interval: 1h, reg_exp_delta: 5s}\n",
		"sipcmbeat: {calls_timeouts.invite: soon}\n", // refused
	}
	p := setup(t, dir, join(reading(all[1]), toFile(out), []string{
		"-c", more(t, dir, with[1]), "-E", fmt.Sprint("pcap_loop=", turns), "-E", "event_buffer_size=64", "-E", "evr_limits=none", "-E", "logging.level=info",
	})...).start()
	p.until("events", func() bool { return lines(t, out) > 0 })
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	running, sent := true, 0
	for running {
		select {
		case <-tick.C:
			more(t, dir, with[sent%len(with)])
			if p.cmd.Process.Signal(syscall.SIGHUP) == nil {
				sent++
			}
		case err := <-p.done:
			p.done <- err
			running = false
		}
	}
	p.wait()
	p.ok()
	log := p.log()
	taken, refused := strings.Count(log, "in effect now: "), strings.Count(log, "everything runs on as it was")
	if taken == 0 || refused == 0 || taken+refused > sent {
		t.Errorf("%d orders, %d reloads, %d refused\n%s", sent, taken, refused, log)
	}
	got := written(t, out)
	if n := byType(got); len(got) != 80*turns || n["call-start"] != 40*turns || n["call-end"] != 40*turns {
		t.Errorf("%d events: %v", len(got), n)
	}
	seen := make([]bool, len(got)+1)
	for i := range got {
		if s := got[i].Event.Sequence; s < 1 || s > len(got) || seen[s] {
			t.Fatalf("event.sequence %d of %d events comes twice, or there is a gap", s, len(got))
		}
		seen[got[i].Event.Sequence] = true
	}
	t.Logf("%d orders, %d taken up, %d refused, %d events", sent, taken, refused, len(got))
}

// TestReloadLive: calls come while the configuration changes. No packet is lost, and
// what changed is in effect for the next one.
func TestReloadLive(t *testing.T) {
	dir, out, listen := t.TempDir(), t.TempDir(), freeUDP(t)
	input := "sipcmbeat.inputs: [{type: hep, listen: \"udp:" + listen + "\"%s}]\n"
	path := more(t, dir, fmt.Sprintf(input, ""))
	p := setup(t, dir, join(toFile(out), []string{
		"-c", path, "-E", "logging.level=info", "-E", "evr_limits=none", "-E", "stats_interval=0", "-E", "calls_timeouts.bye=7s", "-E", "state.enabled=false",
	})...).start()
	a := newAgent(t, listen)
	p.until("capture", func() bool { return strings.Contains(p.log(), "capturing from") })
	call := 0
	calls := func(n int, user string) {
		for range n {
			id := fmt.Sprint("c", call)
			at := time.Since(a.base)
			a.send(at, "INVITE sip:"+user+"@example.com SIP/2.0", id, "INVITE", 1, bound)
			a.send(at+time.Millisecond, "SIP/2.0 200 OK", id, "INVITE", 1, bound)
			call++
		}
	}
	until := func(n int) { // all were followed
		p.until(fmt.Sprint(n, " events"), func() bool { return lines(t, out) == n })
	}
	calls(50, "bob")
	until(50)

	// The one of -E stays, whatever the file says; what needs a restart is named.
	more(t, dir, fmt.Sprintf(input, "")+"sipcmbeat: {calls_timeouts.bye: 9s, numbers.emergency: bob, snaplen: 1000}\nlogging.level: debug\n")
	p.reload("bob")
	if !strings.Contains(p.log(), `sipcmbeat.numbers.emergency: "bob" is not allowed`) {
		t.Errorf("log: %s", p.log())
	}
	more(t, dir, fmt.Sprintf(input, "")+"sipcmbeat: {calls_timeouts.bye: 9s, numbers.emergency: \"4711\", event_types_blst: call-start, snaplen: 1000}\nname: other\n")
	p.reload("in effect now: sipcmbeat.numbers.emergency, sipcmbeat.event_types_blst; different in the configuration, " +
		"and in effect after a restart only: sipcmbeat.snaplen, name")
	calls(50, "bob")  // held back
	calls(50, "4711") // emergency calls never are
	until(100)

	more(t, dir, fmt.Sprintf(input, ", auth_keys: [s3cret]")+"sipcmbeat.event_types_blst: none\n")
	p.reload("in effect now: sipcmbeat.numbers.emergency, sipcmbeat.event_types_blst, sipcmbeat.inputs.0.auth_keys")
	calls(50, "bob") // without the key
	more(t, dir, fmt.Sprintf(input, ""))
	p.reload("in effect now: ")
	calls(50, "bob")
	until(150)
	if strings.Contains(p.log(), "s3cret") {
		t.Error("a key is in the log")
	}

	stop, stopped := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_ = p.cmd.Process.Signal(syscall.SIGHUP)
				n++
			case <-stop:
				stopped <- n
				return
			}
		}
	}()
	for turn := range 40 {
		more(t, dir, fmt.Sprintf(input, "")+fmt.Sprintf("sipcmbeat: {calls_timeouts.invite: %ds, internal_networks: [192.0.2.%d]}\n", turn%30+2, turn))
		calls(50, "bob")
		until(150 + 50*(turn+1))
	}
	close(stop)
	orders := <-stopped
	p.signal(syscall.SIGTERM)
	p.wait()
	p.ok()
	if n := byType(written(t, out)); n["call-start"] != 150+40*50 {
		t.Errorf("%v", n)
	}
	t.Logf("%d orders while calls came, %d reloads that changed something", orders, strings.Count(p.log(), "in effect now: "))
}

// TestSteeredByHTTP: a reload, a message that is put in, and a look from the terminal,
// each at a running program.
func TestSteeredByHTTP(t *testing.T) {
	dir, out, listen, pages := t.TempDir(), t.TempDir(), freeUDP(t), closedPort(t)
	_, port, _ := strings.Cut(pages, ":")
	base := "sipcmbeat.inputs: [{type: hep, listen: \"udp:" + listen + "\"}]\nsipcmbeat.event_types_blst: none\n" +
		"sipcmbeat.http: {inject: true, auth.token: first-of-two-tokens}\nsipcmbeat.http_port: " + port + "\n"
	p := setup(t, dir, join(toFile(out), []string{"-c", more(t, dir, base), "-E", "logging.level=info", "-E", "state.enabled=false"})...).start()
	p.until("pages", func() bool { return strings.Contains(p.log(), "pages and counters at") })
	ask := func(token, path, body string) (int, string) {
		t.Helper()
		r, err := http.NewRequest(http.MethodPost, "http://"+pages+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(text)
	}
	const first, second = "first-of-two-tokens", "second-of-two-tokens"
	options := func(id string) string {
		text, _ := json.Marshal(map[string]string{"source": "192.0.2.1:5060", "destination": "192.0.2.2:5060",
			"message": "MESSAGE sip:a@b SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bK" + id + "\nFrom: <sip:a@b>;tag=f\nTo: <sip:a@b>\nCall-ID: " + id + "\nCSeq: 1 MESSAGE\n\n"})
		return string(text)
	}
	a := newAgent(t, listen)
	a.send(0, "OPTIONS sip:bob@example.com SIP/2.0", "real", "OPTIONS", 1, "")
	a.send(time.Millisecond, "SIP/2.0 200 OK", "real", "OPTIONS", 1, "")
	p.until("an event", func() bool { return lines(t, out) == 1 })
	if code, text := ask(first, "/api/v1/inject", options("by-hand")); code != http.StatusOK {
		t.Errorf("%d %s", code, text)
	}
	if code, text := ask(first, "/api/v1/inject", strings.ReplaceAll(options("x"), "MESSAGE sip:a@b SIP/2.0", "hello there")); code != http.StatusBadRequest || !strings.Contains(text, "a whole SIP message") {
		t.Errorf("%d %s", code, text)
	}

	more(t, dir, base+"sipcmbeat.ports: x\n")
	if code, text := ask(first, "/api/v1/reload", ""); code != http.StatusUnprocessableEntity || !strings.Contains(text, `sipcmbeat.ports: \"x\" is not allowed`) {
		t.Errorf("%d %s", code, text)
	}
	more(t, dir, strings.Replace(base, first, second, 1)+"sipcmbeat: {calls_timeouts.request: 2s, snaplen: 1000}\n")
	code, text := ask(first, "/api/v1/reload", "")
	if want := `{"changed":["sipcmbeat.calls_timeouts.request","sipcmbeat.http.auth.token"],"restart":["sipcmbeat.snaplen"]}`; code != http.StatusOK || strings.TrimSpace(text) != want {
		t.Errorf("%d %s, want %s", code, text, want)
	}
	if code, _ := ask(first, "/api/v1/reload", ""); code != http.StatusUnauthorized {
		t.Errorf("%d with the token of before", code)
	}
	p.until("the timeout of what was put in", func() bool { return lines(t, out) == 2 }) // of 2 s now, not of 32
	for _, r := range written(t, out) {
		if hand := r.Event.Action == "other-timeout"; hand != slices.Equal(r.Tags, []string{"injected"}) {
			t.Errorf("%s has tags %v", r.Event.Action, r.Tags)
		}
	}

	path := siptest.Program(t)
	top := exec.Command(path, "top", "--url", "http://"+pages, "--interval", "100ms")
	if text, err := top.CombinedOutput(); err == nil || !strings.Contains(string(text), "asks for its token (http.auth.token)") || strings.Count(string(text), "\n") != 1 {
		t.Errorf("without the token: %v, %s", err, text)
	}
	top = exec.Command(path, "top", "--url", "http://"+pages, "--interval", "100ms")
	top.Env = append(os.Environ(), "SIPCMBEAT_TOKEN="+second)
	seen, err := top.CombinedOutput()
	for _, want := range []string{"sipcmbeat ", "other-ok ", "other-timeout ", "\nnothing lost", "\noutput: queue "} {
		if err != nil || !strings.Contains(string(seen), want) {
			t.Fatalf("%v, no %q in\n%s", err, want, seen)
		}
	}
	t.Logf("%s", seen)
	p.signal(syscall.SIGTERM)
	p.wait()
	p.ok()
	if strings.Contains(p.log(), second) {
		t.Error("a token is in the log")
	}
}
