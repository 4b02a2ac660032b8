package beater

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/logp/logptest"

	"github.com/sipcmbeat/sipcmbeat/config"
	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/engine"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// manager is what listens to sd_notify(3).
type manager struct{ *net.UnixConn }

func listenAs(t *testing.T, name string) manager {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return manager{c}
}

// heard is the next datagram, "" when there is none within the time.
func (m manager) heard(t *testing.T, within time.Duration) string {
	t.Helper()
	b := make([]byte, 4096)
	if err := m.SetReadDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	n, err := m.Read(b)
	if err != nil {
		return ""
	}
	return string(b[:n])
}

func environment(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestNotifier(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	abstract := fmt.Sprintf("@sipcmbeat-test-%d", os.Getpid())
	for _, name := range []string{path, abstract} {
		m := listenAs(t, name)
		n, err := newNotifier(environment("NOTIFY_SOCKET", name))
		if err != nil {
			t.Fatal(err)
		}
		n.say("READY=1", "STATUS=running")
		if got := m.heard(t, patience); got != "READY=1\nSTATUS=running" {
			t.Errorf("%s heard %q", name, got)
		}
		if signs, _ := n.signs(); signs != nil {
			t.Error("signs of life that nobody asks for")
		}
	}
	for _, c := range []struct {
		pid, usec string
		want      time.Duration
	}{
		{"", "30000000", 10 * time.Second},
		{fmt.Sprint(os.Getpid()), "30000000", 10 * time.Second},
		{"1", "30000000", 0}, // for another process
		{"", "", 0},
		{"", "soon", 0},
	} {
		n, err := newNotifier(environment("NOTIFY_SOCKET", path, "WATCHDOG_PID", c.pid, "WATCHDOG_USEC", c.usec))
		if err != nil || n.every != c.want {
			t.Errorf("pid %q, limit %q: every %v, want %v, %v", c.pid, c.usec, n.every, c.want, err)
		}
	}
}

// A reload is told with the time of the manager's own clock, and its end, whatever came
// of it.
func TestNotifiesReload(t *testing.T) {
	name := filepath.Join(t.TempDir(), "notify")
	m := listenAs(t, name)
	r, f, signals, done := reloading(t, calls+"run_forever: true", "")
	hangups := make(chan os.Signal, 1)
	n, err := newNotifier(environment("NOTIFY_SOCKET", name))
	if err != nil {
		t.Fatal(err)
	}
	told := &run{cfg: r.cfg, log: r.log, engine: r.engine, limit: r.limit, count: r.count, reader: r.reader, notify: n, hangups: hangups}
	over := make(chan struct{})
	go told.hangUps(over) // r has begun, without a manager
	defer close(over)
	for _, wrong := range []bool{false, true} {
		want := "READY=1\nSTATUS=running"
		if wrong {
			f.set("sipcmbeat.ports: x", nil)
			want = `READY=1` + "\n" + `STATUS=running as before; the reload was refused: sipcmbeat.ports: "x" is not allowed; allowed: 1 to 65535`
		}
		before := monotonic()
		hangups <- syscall.SIGHUP
		text := m.heard(t, patience)
		var at int64
		if n, _ := fmt.Sscanf(text, "RELOADING=1\nMONOTONIC_USEC=%d", &at); n != 1 || at < before || at > monotonic() {
			t.Errorf("heard %q", text)
		}
		if text = m.heard(t, patience); text != want {
			t.Errorf("heard %q", text)
		}
	}
	signals <- syscall.SIGTERM
	if err := result(t, done); err != nil {
		t.Error(err)
	}
}

func TestNobodyToNotify(t *testing.T) {
	n, err := newNotifier(environment("WATCHDOG_USEC", "30000000"))
	if n != nil || err != nil {
		t.Errorf("%v, %v", n, err)
	}
	n.say("READY=1")
	if signs, _ := n.signs(); signs != nil {
		t.Error("signs of life to nobody")
	}
	if n, err := newNotifier(environment("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "none"))); n != nil || err == nil {
		t.Errorf("a socket that is not there: %v, %v", n, err)
	}
}

// silent is a live source without a packet, until it hangs.
type silent struct {
	hang    atomic.Bool
	hanging chan struct{} // closed when it does
	release chan struct{}
	rounds  chan struct{}
}

func (q *silent) Next(f *packet.Frame) error {
	if q.hang.Load() {
		close(q.hanging)
		<-q.release
		return io.EOF
	}
	select {
	case q.rounds <- struct{}{}:
	case <-q.release:
	case <-time.After(time.Millisecond):
	}
	f.Time = time.Now().UnixNano()
	return capture.ErrIdle
}
func (q *silent) Name() string         { return "quiet0" }
func (q *silent) Stats() capture.Stats { return capture.Stats{} }
func (q *silent) Close() error         { return nil }

// A quiet link is alive, and so is one whose output takes nothing; a lane that hangs
// is not.
func TestSignsOfLife(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	m := listenAs(t, path)
	n, err := newNotifier(environment("NOTIFY_SOCKET", path, "WATCHDOG_USEC", "30000000"))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.New(conf.NewConfig())
	if err != nil {
		t.Fatal(err)
	}
	q := &silent{hanging: make(chan struct{}), release: make(chan struct{}), rounds: make(chan struct{})}
	r := &run{cfg: cfg, log: logptest.NewTestingLogger(t, ""), live: true, notify: n,
		inputs: []engine.Input{{Source: q, Name: "quiet0", Live: true}}}
	if err := r.start(newPipe(false), false); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		<-q.rounds
		<-q.rounds
		r.alive()
		if got := m.heard(t, patience); got != "WATCHDOG=1" {
			t.Fatalf("heard %q of a quiet link", got)
		}
	}
	q.hang.Store(true)
	select {
	case <-q.hanging:
	case <-time.After(patience):
		t.Fatal("the source is not asked any more")
	}
	r.engine.Hanging() // what was done before
	r.alive()
	if got := m.heard(t, 50*time.Millisecond); got != "" {
		t.Errorf("heard %q of a lane that hangs", got)
	}
	r.stop("the test")
	if got := m.heard(t, patience); got != "STOPPING=1\nSTATUS=delivering what is left" {
		t.Errorf("heard %q of a stop", got)
	}
	r.reading = false // its last events wait for the output
	r.alive()
	if got := m.heard(t, patience); got != "WATCHDOG=1" {
		t.Errorf("heard %q of a run that delivers what is left", got)
	}
	r.cancel()
	close(q.release)
	<-r.captured
}
