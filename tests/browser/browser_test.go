// Package browser goes through the pages of the real binary with Debian's Chromium: one
// run has read captures, a hostile one among them, another replays one for ever. What
// the browser finds is held to tshark's reading of the same captures.
//
// The tests start the programs and know the truth; suite.mjs is what the browser does.
// `make browser-tests` installs what it needs; where something is missing the suite says
// so, and fails when CI=true. Screenshots are left in build/screenshots.
package browser

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const captures = "../captures/"

// world is what suite.mjs is told.
type world struct {
	Still  string    `json:"still"`  // address of the run that has read its captures
	Loop   string    `json:"loop"`   // and of the one that replays for ever
	CallID string    `json:"callID"` // of a call in Still
	Ladder []message `json:"ladder"` // its messages, as tshark reads them
	Marker string    `json:"marker"` // what every hostile value begins with
	Shots  string    `json:"shots"`  // folder for screenshots
	Saved  string    `json:"saved"`  // where to save the capture of the call
}

// message is a message as tshark reads it.
type message struct {
	From string `json:"from"`
	To   string `json:"to"`
	Line string `json:"line"`
}

// lacking names what the suite cannot do without.
func lacking() string {
	if _, err := os.Stat(os.Getenv("SIPCMBEAT_BINARY")); err != nil {
		return "SIPCMBEAT_BINARY names no program"
	}
	if _, err := os.Stat(filepath.Join(os.Getenv("SIPCMBEAT_BROWSER_MODULES"), "node_modules", "playwright-core")); err != nil {
		return "SIPCMBEAT_BROWSER_MODULES names no folder with playwright-core"
	}
	for _, tool := range []string{"chromium", "node", "tshark"} {
		if _, err := exec.LookPath(tool); err != nil {
			return "needs " + tool
		}
	}
	return ""
}

// TestPages starts both runs and lets the browser go through them. Each line that
// suite.mjs prints is a check, and a test of its own here.
func TestPages(t *testing.T) {
	if why := lacking(); why != "" {
		if os.Getenv("CI") == "true" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	shots, err := filepath.Abs("../../build/screenshots")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(shots, 0o755); err != nil {
		t.Fatal(err)
	}
	demo, calls := abs(t, captures+"demo.pcap"), abs(t, captures+"04-calls.pcap")
	begin, end := bounds(t, calls)
	nasty := filepath.Join(t.TempDir(), "hostile.pcap")
	if err := writeHostile(nasty, end); err != nil {
		t.Fatal(err)
	}
	day := filepath.Join(t.TempDir(), "day.pcap")
	if err := writeDay(day, begin); err != nil {
		t.Fatal(err)
	}
	w := world{Marker: marker, Shots: shots, Saved: filepath.Join(t.TempDir(), "call.pcap")}
	w.Still = start(t, fmt.Sprintf("  pcap: [%q, %q, %q]\n  replay_flush: none\n  run_forever: true\n  evr_limits: [2, 10, 100]\n", day, calls, nasty))
	w.Loop = start(t, fmt.Sprintf("  pcap: %q\n  replay: true\n  pcap_loop: -1\n  replay_max_delay: 20ms\n  evr_limits: [0, 0, 0]\n", demo))
	w.CallID = callOf(t, calls)
	w.Ladder = read(t, calls, w.CallID)
	if len(w.Ladder) < 5 {
		t.Fatalf("tshark sees %d messages of %s", len(w.Ladder), w.CallID)
	}
	drive(t, w)

	t.Run("the downloaded capture has the messages of the call", func(t *testing.T) {
		if have := read(t, w.Saved, w.CallID); fmt.Sprint(have) != fmt.Sprint(w.Ladder) {
			t.Errorf("the capture has\n%v\nthe call has\n%v", have, w.Ladder)
		}
		out, err := exec.Command(os.Getenv("SIPCMBEAT_BINARY"), "replay", "--format", "table", w.Saved).CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("call-start")) || !bytes.Contains(out, []byte("call-end")) {
			t.Errorf("replay of the capture: %v\n%s", err, out)
		}
	})
}

func abs(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(name)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// start runs the binary with these keys of its section until the test ends, and gives
// the address of its pages.
func start(t *testing.T, keys string) string {
	t.Helper()
	home := t.TempDir()
	port := freePort(t)
	config := fmt.Sprintf("sipcmbeat:\n  http_port: %d\n  event_types_blst: [msg-probe]\n%s\noutput.file: {path: %q, filename: events}\n", port, keys, filepath.Join(home, "out"))
	file := filepath.Join(home, "sipcmbeat.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	c := exec.Command(os.Getenv("SIPCMBEAT_BINARY"), "-c", file, "-e", "--path.home", home, "--path.data", filepath.Join(home, "data"), "--path.logs", filepath.Join(home, "logs"))
	c.Stdout, c.Stderr = &said, &said
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = c.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			_ = c.Process.Kill()
			<-ended
			t.Errorf("sipcmbeat did not end:\n%s", said.String())
		}
		if t.Failed() {
			t.Logf("sipcmbeat said:\n%s", tail(said.String()))
		}
	})
	url := fmt.Sprintf("http://127.0.0.1:%d", port)
	within(t, 30*time.Second, func() bool {
		select {
		case <-ended:
			t.Fatalf("sipcmbeat ended:\n%s", tail(said.String()))
		default:
		}
		resp, err := http.Get(url + "/healthz")
		if err == nil {
			resp.Body.Close()
		}
		return err == nil && resp.StatusCode == http.StatusOK
	})
	return url
}

func tail(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-30):], "\n")
}

func within(t *testing.T, limit time.Duration, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v", limit)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// freePort asks the kernel for a port. Between this and the program's own start somebody
// else could take it, which the program then says.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// callOf is the Call-ID of the first call in a capture.
func callOf(t *testing.T, file string) string {
	t.Helper()
	out := tshark(t, file, "-Y", `sip.Method == "INVITE"`, "-T", "fields", "-e", "sip.Call-ID")
	id, _, _ := strings.Cut(out, "\n")
	return id
}

// bounds are the times of the first and the last frame of a capture, in nanoseconds since
// 1970.
func bounds(t *testing.T, file string) (first, last int64) {
	t.Helper()
	times := strings.Fields(tshark(t, file, "-T", "fields", "-e", "frame.time_epoch"))
	at := func(text string) int64 {
		sec, frac, _ := strings.Cut(text, ".")
		s, err := strconv.ParseInt(sec, 10, 64)
		ns, wrong := strconv.ParseInt((frac + "000000000")[:9], 10, 64)
		if err != nil || wrong != nil {
			t.Fatalf("tshark: %q", text)
		}
		return s*1e9 + ns
	}
	return at(times[0]), at(times[len(times)-1])
}

// read gives the messages of a call in a capture as tshark reads them, in their order.
func read(t *testing.T, file, callID string) (all []message) {
	t.Helper()
	out := tshark(t, file, "-Y", fmt.Sprintf("sip.Call-ID == %q", callID), "-T", "fields", "-e", "ip.src", "-e", "udp.srcport", "-e", "ip.dst", "-e", "udp.dstport", "-e", "sip.Request-Line", "-e", "sip.Status-Line")
	for line := range strings.Lines(out) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 6 {
			t.Fatalf("tshark: %q", line)
		}
		all = append(all, message{From: f[0] + ":" + f[1], To: f[2] + ":" + f[3], Line: f[4] + f[5]})
	}
	return all
}

func tshark(t *testing.T, file string, args ...string) string {
	t.Helper()
	var errs bytes.Buffer
	c := exec.Command("tshark", append([]string{"-n", "-r", file}, args...)...)
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		t.Fatalf("tshark %s: %v\n%s", file, err, errs.String())
	}
	return string(out)
}

// check is a line of suite.mjs.
type check struct {
	Name  string `json:"check"`
	Error string `json:"error"`
	Note  string `json:"note"`
}

// drive runs suite.mjs and makes a test of each of its checks.
func drive(t *testing.T, w world) {
	told, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	c := exec.Command("node", "suite.mjs", os.Getenv("SIPCMBEAT_BROWSER_MODULES"))
	c.Stdin, c.Stderr = bytes.NewReader(told), &errs
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	checks, closing := 0, ""
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var k check
		if err := json.Unmarshal(lines.Bytes(), &k); err != nil {
			closing = lines.Text()
			continue
		}
		checks++
		t.Run(k.Name, func(t *testing.T) {
			if k.Note != "" {
				t.Log(k.Note)
			}
			if k.Error != "" {
				t.Error(k.Error)
			}
		})
	}
	if err := c.Wait(); err != nil {
		t.Fatalf("suite.mjs: %v\n%s", err, errs.String())
	}
	if want := strconv.Itoa(checks) + " checks"; closing != want {
		t.Errorf("suite.mjs ends with %q, not with %q: %s", closing, want, errs.String())
	}
	t.Logf("%d checks; screenshots are in %s", checks, w.Shots)
}
