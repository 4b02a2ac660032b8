package privacy

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/api"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// patience is how long a test waits for what must happen.
const patience = 60 * time.Second

// here is where the daemon listens: an address that is in no capture, so that its own
// pages do not look like a leak.
const here = "127.0.0.99"

// daemon is a run with everything on: pages, files of calls, HEP output, indicators,
// statistics, a log of every detail.
type daemon struct {
	t      *testing.T
	dir    string
	cmd    *exec.Cmd
	output bytes.Buffer // standard output and error
	http   string
	hep    *receiver
	done   chan error
}

// begin starts a daemon that reads captures as fast as it can, and goes on.
func begin(t *testing.T, input []string, settings ...string) *daemon {
	t.Helper()
	d := &daemon{t: t, http: here + ":" + freePort(t), hep: receive(t), done: make(chan error, 1)}
	var err error
	if d.dir, err = os.MkdirTemp("", "daemon"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(d.dir) })
	for _, name := range []string{"out", "dumps"} {
		if err := os.Mkdir(filepath.Join(d.dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	shipped, err := os.ReadFile("../../sipcmbeat.yml")
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(d.dir, "sipcmbeat.yml")
	if err := os.WriteFile(config, shipped, 0o600); err != nil {
		t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(d.http)
	args := join([]string{"-c", config, "--path.data", filepath.Join(d.dir, "data"), "--path.logs", filepath.Join(d.dir, "logs"), "-e",
		"-E", "output.elasticsearch.enabled=false", "-E", "output.file.enabled=true", "-E", "output.file.path=" + filepath.Join(d.dir, "out"),
		"-E", "logging.level=debug", "-E", "http_addr=" + host, "-E", "http_port=" + port, "-E", "http.messages_mem=64MiB", "-E", "http.max_events=5000",
		"-E", "stats_interval=1s", "-E", "stats_groups=all", "-E", "kpi.records=true", "-E", "kpi.window=10s",
		"-E", "messages.enabled=true", "-E", "event_types_blst=none",
		"-E", "pcap_dump.dir=" + filepath.Join(d.dir, "dumps"), "-E", "pcap_dump.when=always", "-E", "pcap_dump.clear=false",
		"-E", "hep_output.targets=" + d.hep.addr, "-E", "hep_output.clear=false", "-E", "hep_output.relay=true",
	}, named, input, settings)
	d.cmd = exec.Command(siptest.Program(t), args...)
	d.cmd.Stdout, d.cmd.Stderr = &d.output, &d.output
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { d.done <- d.cmd.Wait() }()
	t.Cleanup(func() { d.cmd.Process.Kill(); <-d.done })
	d.until("pages", func() bool {
		r, err := http.Get("http://" + d.http + "/healthz")
		if err == nil {
			r.Body.Close()
		}
		return err == nil
	})
	return d
}

// until waits, and looks every so often, at most for patience.
func (d *daemon) until(what string, is func() bool) {
	d.t.Helper()
	tick, end := time.NewTicker(20*time.Millisecond), time.After(patience)
	defer tick.Stop()
	for !is() {
		select {
		case err := <-d.done:
			d.done <- err
			d.t.Fatalf("ended before there were %s: %v\n%s", what, err, d.output.Bytes())
		case <-end:
			d.t.Fatalf("no %s in %v", what, patience)
		case <-tick.C:
		}
	}
}

// stop ends the daemon in order: what it says last is in what it said.
func (d *daemon) stop() {
	d.t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		d.t.Fatal(err)
	}
	select {
	case err := <-d.done:
		d.done <- err
	case <-time.After(patience):
		d.t.Fatal("the daemon does not stop")
	}
}

// get gives what an address answers, also with an error.
func (d *daemon) get(path string) (body []byte, kind string) {
	d.t.Helper()
	r, err := http.NewRequest(http.MethodGet, "http://"+d.http+path, nil)
	if err != nil {
		d.t.Fatalf("%q: %v", path, err)
	}
	r.Header.Set("Accept", "text/html, */*;q=0.5")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	head := &bytes.Buffer{}
	resp.Header.Write(head)
	return append(head.Bytes(), body...), resp.Header.Get("Content-Type")
}

// receiver takes HEP over UDP.
type receiver struct {
	addr string
	mu   sync.Mutex
	got  []byte
	n    int
}

func receive(t *testing.T) *receiver {
	t.Helper()
	c, err := net.ListenPacket("udp", here+":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	r := &receiver{addr: c.LocalAddr().String()}
	go func() {
		b := make([]byte, 1<<16)
		for {
			n, _, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			r.mu.Lock()
			r.got, r.n = append(append(r.got, b[:n]...), '\n'), r.n+1
			r.mu.Unlock()
		}
	}()
	return r
}

func (r *receiver) bytes() ([]byte, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got), r.n
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", here+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// TestDaemonTellsNothing: records and their ids, the log of every detail, each page and
// each answer, counters, streams, files of calls and their names, HEP output, records of
// indicators and of statistics.
func TestDaemonTellsNothing(t *testing.T) {
	files := append([]string{"../captures/01-reg.pcap", "../captures/04-calls.pcap", "../captures/05-failed.pcap"},
		"../golden/auth-failed/in.pcap", "../golden/bad-messages/in.pcap", "../golden/tunnels/in.pcap", "../golden/others/in.pcap", "../golden/fragments/in.pcap")
	if _, err := os.Stat(beside + "/lab"); err == nil {
		files = append(files, matches(t, beside+"/lab/08-tcp-a/*.pcap", beside+"/lab/09-ipv6-a/*.pcap", beside+"/lab/12-misc-a/*.pcap", beside+"/lab/14-svcrack-a/*.pcap")...)
	}
	ours := idle(t)
	for _, mode := range maskAll {
		t.Run(mode.String(), func(t *testing.T) { daemonTellsNothing(t, files, mode.String(), ours) })
	}
}

// idle are the lines of all pages of a daemon that has seen nothing: words and examples of
// our own.
func idle(t *testing.T) map[string]bool {
	d := begin(t, []string{"-E", "sipcmbeat.inputs=[{type: hep, listen: \"udp:" + here + ":" + freePort(t) + "\"}]", "-E", "state.enabled=false"})
	ours := map[string]bool{}
	d.crawl(func(_, _ string, body []byte) {
		for line := range bytes.Lines(body) {
			ours[string(line)] = true
		}
	})
	d.stop()
	return ours
}

// ofItself is what the program says of itself and of the machine, on lines with other things:
// defaults of keys, and libbeat's line about the host.
var ofItself = regexp.MustCompile(`"default":"[^"]*"|.*"system_info".*`)

// without leaves lines out that are ours.
func without(ours map[string]bool, body []byte) (rest []byte) {
	for line := range bytes.Lines(ofItself.ReplaceAll(body, nil)) {
		if !ours[string(line)] {
			rest = append(rest, line...)
		}
	}
	return rest
}

func daemonTellsNothing(t *testing.T, files []string, mode string, ours map[string]bool) {
	all := &secrets{values: map[string]string{}, public: map[string]bool{}}
	var paths []string
	for _, file := range files {
		path := unnamed(t, file)
		paths = append(paths, path)
		s := collect(t, path)
		maps.Copy(all.values, s.values)
		maps.Copy(all.public, s.public)
	}
	x, raw := newSearcher(all), all.bytesToo()
	d := begin(t, []string{"-E", "pcap=" + strings.Join(paths, ","), "-E", "run_forever=true"}, everything(mode)...)
	d.until("the end of the captures", func() bool { return len(outputs(t, d)) > 0 && d.over() })
	pages := d.crawl(func(path, kind string, body []byte) {
		if strings.Contains(kind, "pcap") {
			tells(t, raw, "GET "+path, body)
			return
		}
		tells(t, x, "GET "+path, without(ours, body))
	})
	stream := d.stream()
	tells(t, x, "stream", stream)
	if pages < 30 || len(stream) < 1000 {
		t.Errorf("%d pages, %d bytes of a stream", pages, len(stream))
	}
	d.stop()
	tells(t, x, "standard error and log", without(ours, d.output.Bytes()))
	records := outputs(t, d)
	tells(t, x, "records", records)
	for _, dataset := range []string{"sip.stats", "sip.kpi", "sip.call", `"dataset":"sip"`} {
		if !bytes.Contains(records, []byte(dataset)) {
			t.Errorf("there are no records of %s", dataset)
		}
	}
	tellsFiles(t, raw, "log", filepath.Join(d.dir, "logs"))
	if n := tellsFiles(t, raw, "dump", filepath.Join(d.dir, "dumps")); n == 0 {
		t.Error("there are no files of calls")
	}
	got, n := d.hep.bytes()
	if n == 0 {
		t.Error("nothing came by HEP")
	}
	tells(t, raw, "HEP output", got)
}

// outputs is what the file output has written.
func outputs(t *testing.T, d *daemon) (all []byte) {
	t.Helper()
	for _, file := range mustGlob(t, filepath.Join(d.dir, "out", "*")) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}

func mustGlob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// over tells whether the captures are read and what came of them is delivered.
func (d *daemon) over() bool {
	health, _ := d.get("/api/v1/health")
	return bytes.Contains(health, []byte("the files are read")) && bytes.Contains(health, []byte(" 0 on their way"))
}

// crawl looks at everything that can be asked for without changing anything: the table of
// routes, and from page to page what is linked.
func (d *daemon) crawl(look func(path, kind string, body []byte)) (n int) {
	var todo []string
	seen := map[string]bool{}
	add := func(path string) {
		if u, err := url.Parse(path); err == nil && u.Host == "" && !seen[path] && strings.HasPrefix(path, "/") && len(seen) < 600 {
			if page := u.Path; perPath[shape(page)] == 0 || count(seen, shape(page)) < perPath[shape(page)] {
				seen[path] = true
				todo = append(todo, path)
			}
		}
	}
	for _, row := range api.Routes() {
		if row.Method != http.MethodGet || strings.Contains(row.Path, "pprof") || strings.HasSuffix(row.Path, "/stream") {
			continue
		}
		for _, path := range row.Paths() {
			if !strings.Contains(path, "{") {
				add(path)
			}
		}
	}
	for len(todo) > 0 {
		path := todo[0]
		todo = todo[1:]
		body, kind := d.get(path)
		if static(path) {
			continue
		}
		n++
		look(path, kind, body)
		for _, m := range links.FindAllSubmatch(body, -1) {
			add(strings.ReplaceAll(string(m[1]), "&amp;", "&"))
		}
		for _, id := range callIDs.FindAllSubmatch(body, -1) {
			var text string
			if json.Unmarshal(id[1], &text) == nil {
				add("/api/v1/calls/" + url.PathEscape(text))
				add("/calls/" + url.PathEscape(text))
				add("/api/v1/pcap?call=" + url.QueryEscape(text))
			}
		}
	}
	return n
}

var (
	links   = regexp.MustCompile(`(?:href|src|action)="([^"#]+)"`)
	callIDs = regexp.MustCompile(`"call_id":\s*("(?:[^"\\]|\\.)*")`)
)

// perPath bounds how many pages of one kind are looked at.
var perPath = map[string]int{"calls": 60, "regs": 60, "api": 120, "events": 60}

// shape is the first part of a path.
func shape(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return first
}

func count(seen map[string]bool, of string) (n int) {
	for path := range seen {
		if shape(path) == of {
			n++
		}
	}
	return n
}

// static are pages that are the same without any traffic, with examples of their own.
func static(path string) bool {
	return strings.HasPrefix(path, "/static/") || path == "/api/v1/" || path == "/api/v1/openapi.json" || strings.HasPrefix(path, "/inject")
}

// stream reads the stream of events from the first that is kept.
func (d *daemon) stream() []byte {
	d.t.Helper()
	r, err := http.NewRequest(http.MethodGet, "http://"+d.http+"/api/v1/events/stream", nil)
	if err != nil {
		d.t.Fatal(err)
	}
	r.Header.Set("Last-Event-ID", "1")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	var got bytes.Buffer
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for n := 0; n < 100 && lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "data:") {
			n++
		}
		fmt.Fprintln(&got, lines.Text())
		if n >= 50 {
			break
		}
	}
	return got.Bytes()
}
