package system

import (
	"net"
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

// A file run ends by itself and loses nothing; the record is complete.
func TestFileOutput(t *testing.T) {
	out := t.TempDir()
	began := time.Now()
	p := run(t, join(reading(all...), toFile(out))...).ok()
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	got := written(t, out)
	same(t, got, sent(t, all...))
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	last := 0
	for _, r := range got {
		if r.Metadata.ID != r.Event.ID {
			t.Fatalf("_id %q of event %q", r.Metadata.ID, r.Event.ID)
		}
		if r.ECS.Version != "8.17.0" || r.Agent.Type != "sipcmbeat" || r.Host.Name != host {
			t.Fatalf("%+v", r)
		}
		if o := r.Observer; o.Type != "sip-probe" || o.Product != "sipcmbeat" || o.Vendor != "sipcmbeat" || o.Version != r.Agent.Version || o.Hostname != host {
			t.Fatalf("observer %+v", o)
		}
		if r.Event.End != "" && len(r.Event.End) != len("2026-11-22T04:18:53.831314000Z") {
			t.Fatalf("event.end is %s", r.Event.End)
		}
		if r.Event.Sequence <= last {
			t.Fatalf("sequence %d after %d", r.Event.Sequence, last)
		}
		last = r.Event.Sequence
	}
	if log := p.log(); !strings.Contains(log, "held back by event_types_blst: ") || !strings.Contains(log, "delivered: ") {
		t.Errorf("no summary in the log: %s", log)
	}
	if strings.Contains(p.log(), "Non-zero metrics") {
		t.Error("libbeat's metrics are in the log")
	}
}

// Times keep nine digits, in the record and inside it, unless the user wants less.
func TestNanoseconds(t *testing.T) {
	// The capture has microseconds: one is changed to have more digits.
	text, err := os.ReadFile(captures + "04-calls.pcap")
	if err != nil {
		t.Fatal(err)
	}
	nano := slices.Clone(text)
	copy(nano, []byte{0x4d, 0x3c, 0xb2, 0xa1}) // the same digits, taken for nanoseconds
	path := filepath.Join(t.TempDir(), "nano.pcap")
	if err := os.WriteFile(path, nano, 0o600); err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	run(t, join(reading(path), toFile(out), []string{"-E", "dedup_window=0"})...).ok()
	var long int
	for _, r := range written(t, out) {
		if len(r.Timestamp) == len("2026-11-22T04:18:53.000831314Z") {
			long++
		}
	}
	if long == 0 {
		t.Error("no timestamp has nine digits")
	}
	out = t.TempDir()
	run(t, join(reading(path), toFile(out), []string{"-E", "timestamp.precision=millisecond"})...).ok()
	for _, r := range written(t, out) {
		if len(r.Timestamp) != len("2026-11-22T04:18:53.831Z") {
			t.Fatalf("timestamp %s", r.Timestamp)
		}
	}
}

func TestConsoleOutput(t *testing.T) {
	p := run(t, join(reading(all...), []string{"-E", "output.elasticsearch.enabled=false", "-E", "output.console.enabled=true"})...).ok()
	same(t, records(t, p.stdout.Bytes()), sent(t, all...))
}

// Everything of the queue on disk is delivered before the end, and not again after
// the next start.
func TestDiskQueue(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	args := join(toFile(out), []string{"-E", "queue.disk.max_size=100MB"})
	p := setup(t, dir, join(reading(all[1]), args)...).start()
	p.wait()
	p.ok()
	same(t, written(t, out), sent(t, all[1]))
	p = setup(t, dir, join(reading(all[2]), args)...).start()
	p.wait()
	p.ok()
	same(t, written(t, out), append(sent(t, all[1]), sent(t, all[2])...))
}

// What an output that is down did not take waits on disk and leaves at the next
// start.
func TestDiskQueueOutlivesTheProgram(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	p := setup(t, dir, join(reading(all[1]), []string{
		"-E", "output.elasticsearch.hosts=" + closedPort(t), "-E", "queue.disk.max_size=100MB", "-E", "shutdown_timeout=5s",
	})...).start()
	p.until("end of the capture", func() bool { return strings.Contains(p.log(), "capture ended") })
	p.signal(syscall.SIGTERM)
	p.wait()
	p.ok()
	if !strings.Contains(p.log(), "queue on disk") {
		t.Errorf("nothing is said of what waits on disk: %s", p.log())
	}
	p = setup(t, dir, join(reading(all[2]), toFile(out), []string{"-E", "queue.disk.max_size=100MB"})...).start()
	p.wait()
	p.ok()
	same(t, written(t, out), append(sent(t, all[1]), sent(t, all[2])...))
}

func (p *program) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// closedPort is an address where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Every output of libbeat is in the binary. One that is down is asked again and
// again; a signal ends that with a line that says how much was lost.
func TestOutputsThatAreDown(t *testing.T) {
	for name, settings := range map[string]string{
		"elasticsearch": "",
		"logstash":      "",
		"kafka":         "topic=sip",
		"redis":         "key=sip",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := join(reading(all[1]), []string{"-E", "shutdown_timeout=500ms", "-E", "output." + name + ".hosts=" + closedPort(t)})
			if name != "elasticsearch" {
				args = append(args, "-E", "output.elasticsearch.enabled=false")
			}
			if settings != "" {
				args = append(args, "-E", "output."+name+"."+settings)
			}
			p := setup(t, t.TempDir(), args...).start()
			p.until("end of the capture", func() bool { return strings.Contains(p.log(), "capture ended") })
			p.until("second try", func() bool {
				log := p.log()
				return strings.Count(log, "rror") > 1 || strings.Count(log, "refused") > 1
			})
			p.signal(syscall.SIGHUP)
			p.until("word about SIGHUP", func() bool { return strings.Contains(p.log(), "reload (SIGHUP): nothing to take up") })
			p.signal(syscall.SIGTERM)
			p.wait()
			p.said("80 events not delivered: ")
		})
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	p := setup(t, t.TempDir(), join(reading(all[1]), []string{
		"-E", "shutdown_timeout=1h", "-E", "output.elasticsearch.hosts=" + closedPort(t),
	})...).start()
	p.until("end of the capture", func() bool { return strings.Contains(p.log(), "capture ended") })
	p.signal(syscall.SIGTERM)
	p.until("word about the stop", func() bool { return strings.Contains(p.log(), "stopping (terminated)") })
	p.signal(syscall.SIGINT)
	p.wait()
	p.said("80 events not delivered: second signal (interrupt)")
}

func TestRunForever(t *testing.T) {
	out := t.TempDir()
	p := setup(t, t.TempDir(), join(reading(all[1]), toFile(out), []string{"-E", "run_forever=true"})...).start()
	p.until("waiting", func() bool { return strings.Contains(p.log(), "run_forever: waiting for a signal") })
	p.until("delivery", func() bool { return lines(t, out) == 80 })
	p.signal(syscall.SIGTERM)
	p.wait()
	p.ok()
	same(t, written(t, out), sent(t, all[1]))
}

// A disk that is full loses events: the last line says so.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=64k"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("mount a small file system: %v; run as root", err)
		}
		t.Skipf("mount a small file system: %v; run as root", err)
	}
	defer syscall.Unmount(dir, 0)
	p := run(t, join(reading(all[1]), toFile(dir))...)
	p.said(" events lost: the output could not take them")
}

// A processor changes single fields, and sees all of them.
func TestProcessors(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	more := filepath.Join(dir, "more.yml")
	text := `
processors:
  - drop_fields.fields: [sip.via]
  - drop_event.when.equals.event.action: call-start
  - copy_fields.fields: [{from: sip.from.uri.username, to: site}]
tags: [edge]
`
	if err := os.WriteFile(more, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := setup(t, dir, join(reading(all[1]), toFile(out), []string{"-c", more})...).start()
	p.wait()
	p.ok()
	got := written(t, out)
	if n := byType(got); len(got) != 40 || n["call-end"] != 40 {
		t.Fatalf("%v", n)
	}
	for _, r := range got {
		if _, ok := r.SIP["via"]; ok || !strings.HasPrefix(r.Site, "u1") || !slices.Equal(r.Tags, []string{"edge"}) {
			t.Fatalf("%+v", r)
		}
	}
}

func TestTags(t *testing.T) {
	out := t.TempDir()
	run(t, join(reading(all[1]), toFile(out), []string{"-E", "tags=edge"})...).ok()
	for _, r := range written(t, out) {
		if !slices.Equal(r.Tags, []string{"edge"}) {
			t.Fatalf("tags %v", r.Tags)
		}
	}
}

// Who reads from `replay` may go away.
func TestReplayIntoAClosedPipe(t *testing.T) {
	path := siptest.Program(t)
	c := exec.Command("bash", "-c", `"$0" replay "$@" | head -n 1; exit ${PIPESTATUS[0]}`, path, all[0], all[1], all[2], all[0], all[1], all[2])
	var stderr strings.Builder
	c.Stderr = &stderr
	out, _ := c.Output()
	if code := c.ProcessState.ExitCode(); code != 0 && code != 128+int(syscall.SIGPIPE) || stderr.Len() > 0 {
		t.Errorf("exit %d: %s", code, stderr.String())
	}
	if len(records(t, out)) != 1 {
		t.Errorf("%s", out)
	}
}
