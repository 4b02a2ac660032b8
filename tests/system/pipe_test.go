package system

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// lockedBuffer is written by a program that is still running.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(text)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func namedPipe(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// ended waits for the end of a program.
func ended(t *testing.T, c *exec.Cmd) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("the program does not end")
	}
}

// Events of a pipe that idles are shown while it idles, and a signal ends who waits
// for it.
func TestReplayOfAPipe(t *testing.T) {
	path := siptest.Program(t)
	text, err := os.ReadFile(all[1])
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"json":  {nil, `"action":"call-end"`},
		"table": {[]string{"--format", "table"}, "call-end"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := exec.Command(path, append([]string{"replay", "-"}, c.args...)...)
			var stdout, stderr lockedBuffer
			p.Stdout, p.Stderr = &stdout, &stderr
			in, err := p.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = p.Process.Kill() })
			if _, err := in.Write(text); err != nil {
				t.Fatal(err)
			}
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			late := time.After(patience)
			for strings.Count(stdout.String(), c.want) < 40 {
				select {
				case <-tick.C:
				case <-late:
					t.Fatalf("shown: %s", stdout.String())
				}
			}
			if err := p.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			ended(t, p)
			if code := p.ProcessState.ExitCode(); code != 1 || stderr.String() != "sipcmbeat: stopped by a signal; the capture was not read to its end\n" {
				t.Errorf("exit %d: %s", code, stderr.String())
			}
		})
	}
}

// A named pipe whose writer says nothing keeps nobody.
func TestReplayOfANamedPipe(t *testing.T) {
	path := siptest.Program(t)
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		pipe := namedPipe(t)
		p := exec.Command(path, "replay", pipe)
		var stderr bytes.Buffer
		p.Stderr = &stderr
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.Process.Kill() })
		defer writer(t, pipe).Close()
		if err := p.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		ended(t, p)
		if code := p.ProcessState.ExitCode(); code != 1 || !strings.Contains(stderr.String(), "stopped by a signal") {
			t.Errorf("%v: exit %d: %s", s, code, stderr.String())
		}
	}
}

// writer opens a named pipe as soon as somebody reads it.
func writer(t *testing.T, pipe string) *os.File {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("nobody reads the pipe")
		}
		if f, err := os.OpenFile(pipe, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
			return f
		}
	}
}

// A terminal holds no capture; who asks for standard input there forgot the pipe.
func TestTerminal(t *testing.T) {
	tty, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no terminal to be had: %v", err)
	}
	defer tty.Close()
	p := setup(t, t.TempDir(), "-E", "pcap=-")
	p.cmd.Stdin = tty
	p.start().wait()
	p.said("sipcmbeat.pcap: - reads a capture from standard input, which is a terminal here")
}

// A run that was stopped says that the file was not read to its end.
func TestRunOfANamedPipe(t *testing.T) {
	out := t.TempDir()
	p := setup(t, t.TempDir(), join(reading(namedPipe(t)), toFile(out))...).start()
	p.until("start", func() bool { return strings.Contains(p.log(), "sipcmbeat start running") })
	p.signal(syscall.SIGTERM)
	if p.wait() != 0 {
		t.Errorf("exit %d: %s", p.code(), p.stderr.String())
	}
	if !strings.Contains(p.log(), ", before the end of the files; 0 frames") {
		t.Errorf("nothing is said of the end: %s", p.log())
	}
}
