package integration

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"syscall"
	"time"
)

// counts are events by their type.
type counts map[string]int

func (c counts) add(more counts) {
	for k, n := range more {
		c[k] += n
	}
}

func (c counts) String() string {
	var parts []string
	for k, n := range c {
		if n != 0 {
			parts = append(parts, fmt.Sprintf("%s %d", k, n))
		}
	}
	if len(parts) == 0 {
		return "nothing"
	}
	sort.Strings(parts)
	return strings.Join(parts, ", ")
}

// beat is the program under test.
type beat struct {
	*process
	room *room
	out  string // where it writes
}

// watch starts the program in the room with these keys of its section, and waits
// until it captures what is sent to probe, or, where that is a port as in udp/9060,
// has that port. Every event but the probes is written, at any rate unless keys set one.
func (r *room) watch(keys string, probe string) *beat {
	r.t.Helper()
	home := r.t.TempDir()
	b := &beat{room: r, out: filepath.Join(home, "out")}
	config := "sipcmbeat:\n  event_types_blst: none\n  stats_interval: 0\n"
	if !strings.Contains(keys, "evr_limits:") {
		config += "  evr_limits: none\n"
	}
	for line := range strings.Lines(keys) {
		config += "  " + line
	}
	config += fmt.Sprintf("\noutput.file: {path: %q, filename: events, rotate_every_kb: 102400}\n", b.out)
	file := filepath.Join(home, "sipcmbeat.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		r.t.Fatal(err)
	}
	b.process = r.start(os.Getenv("SIPCMBEAT_BINARY"), "-c", file, "-e",
		"--path.home", home, "--path.data", filepath.Join(home, "data"), "--path.logs", filepath.Join(home, "logs"))
	b.name = "sipcmbeat"
	if strings.Contains(probe, "/") {
		r.await(b.process, probe)
		return b
	}
	if !within(r.t, 30*time.Second, func() bool {
		r.send(probe, "is anybody listening")
		return b.process.ended() || b.all()["msg-probe"] > 0
	}) || b.process.ended() {
		r.t.Fatalf("sipcmbeat does not capture:\n%s", tail(b.said()))
	}
	return b
}

// all counts what the program wrote.
func (b *beat) all() counts {
	have := counts{}
	for _, e := range b.events() {
		have[e.Event.Action]++
	}
	return have
}

// events are what the program wrote, of each what the tests look at.
func (b *beat) events() (all []written) {
	files, _ := filepath.Glob(filepath.Join(b.out, "events*"))
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			b.room.t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			var e written
			if !strings.HasSuffix(line, "\n") {
				continue // it is being written
			}
			if err := json.Unmarshal([]byte(line), &e); err != nil || e.Event.Action == "" {
				b.room.t.Fatalf("an event that is none: %v\n%s", err, line)
			}
			all = append(all, e)
		}
	}
	return all
}

// written is an event as the program wrote it.
type written struct {
	Event  struct{ Action string }
	Source struct{ IP string }
	Sip    struct {
		Encapsulation []string // the layers around the message, the outer ones first
		HEP           struct {
			Version   int
			CaptureID int `json:"capture_id"`
		}
	}
}

// around names the layers around the messages of the events, as in "vlan, vxlan", and
// of several ways each.
func (b *beat) around() string {
	ways := map[string]bool{}
	for _, e := range b.events() {
		if e.Event.Action != "msg-probe" {
			ways[strings.Join(e.Sip.Encapsulation, ", ")] = true
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(ways)), " | ")
}

// have is all without the probes of watch.
func (b *beat) have() counts {
	have := b.all()
	delete(have, "msg-probe")
	return have
}

// settle waits until the program has written want, and ends it.
func (b *beat) settle(want counts) counts {
	t := b.room.t
	t.Helper()
	within(t, 30*time.Second, func() bool { return b.have().String() == want.String() })
	if err := b.end(syscall.SIGTERM); err != nil {
		t.Errorf("sipcmbeat ended with %v:\n%s", err, tail(b.said()))
	}
	return b.have()
}

// compare ends the program and holds its events to what the other side counted,
// who says it.
func (b *beat) compare(who string, want counts) {
	t := b.room.t
	t.Helper()
	have := b.settle(want)
	t.Logf("%s: %s | sipcmbeat: %s", who, want, have)
	if have.String() != want.String() {
		t.Errorf("the counts differ\n%s", tail(b.said()))
	}
}
