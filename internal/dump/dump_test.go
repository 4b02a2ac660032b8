package dump

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/recent"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// bench drives a Dumper without its goroutine: work does what the worker would.
type bench struct {
	*Dumper
	t   testing.TB
	msg sip.Message
	now int64
}

func newBench(t testing.TB, change func(*Config)) *bench {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Dir = filepath.Join(t.TempDir(), "dump")
	change(&cfg)
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	b := &bench{Dumper: newDumper(cfg, 100), t: t, now: at}
	if err := b.worker.folder.open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.worker.folder.close)
	return b
}

func (b *bench) work() {
	batch, _ := b.queue.take()
	b.worker.batch(batch)
}

// sees is a message of a Call-ID, span after the start.
func (b *bench) sees(span time.Duration, id, text string) {
	b.t.Helper()
	if text == "" {
		text = options(id, 0)
	}
	p := packet.Packet{Time: at + int64(span), Src: alice4, Dst: bob4, Transport: packet.UDP, Payload: []byte(text)}
	b.msg.Parse(p.Payload, false)
	b.Message(&p, &b.msg)
}

// says is an event of a Call-ID; it gives the path in it.
func (b *bench) says(span time.Duration, id string, typ event.Type) string {
	var e event.Event
	e.Reset()
	e.Type, e.Time = typ, at+int64(span)
	e.SetKey(&e.CallID, []byte(id))
	b.Event(&e)
	return string(e.Bytes(e.Dump))
}

// ends works off what there is and closes the files, as the worker does at the end.
func (b *bench) ends() Stats {
	b.t.Helper()
	b.work()
	for _, f := range b.worker.files {
		b.worker.finish(f)
	}
	s := b.Stats()
	if err := s.Check(); err != nil {
		b.t.Error(err)
	}
	return s
}

// names lists the directory: labels and Call-IDs with the number of messages.
func (b *bench) names() (all []string) {
	b.t.Helper()
	entries, err := os.ReadDir(b.cfg.Dir)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, fmt.Sprintf("%s %d", e.Name(), b.count(filepath.Join(b.cfg.Dir, e.Name()))))
	}
	return all
}

// count is the number of whole frames in a file.
func (b *bench) count(path string) (n int) {
	b.t.Helper()
	data, err := os.ReadFile(path)
	if err != nil || len(data) < len(recent.FileHeader) || string(data[:len(recent.FileHeader)]) != string(recent.FileHeader) {
		b.t.Errorf("%s: %v, %d bytes, or no header", path, err, len(data))
		return -1
	}
	for data = data[len(recent.FileHeader):]; len(data) > 0; n++ {
		if len(data) < 16 || len(data) < 16+int(binary.LittleEndian.Uint32(data[8:])) {
			b.t.Errorf("%s: ends within frame %d", path, n)
			return n
		}
		data = data[16+binary.LittleEndian.Uint32(data[8:]):]
	}
	return n
}

func (b *bench) want(want ...string) {
	b.t.Helper()
	got := b.names()
	for i := range want {
		want[i] = "20261122T" + want[i]
	}
	if !slices.Equal(got, want) {
		b.t.Errorf("files:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestFailed: a file has what came before the failure, then what comes in linger;
// a later failure makes another file; other Call-IDs have none.
func TestFailed(t *testing.T) {
	b := newBench(t, func(c *Config) {})
	for i := range 3 {
		b.sees(time.Duration(i)*time.Second, "bad", "")
		b.sees(time.Duration(i)*time.Second, "good", "")
	}
	if path := b.says(2*time.Second, "good", event.OtherOK); path != "" {
		t.Errorf("other-ok has a file: %s", path)
	}
	path := b.says(2*time.Second, "bad", event.OtherFailed)
	if want := filepath.Join(b.cfg.Dir, "20261122T041855.123456789Z_other-failed_bad.pcap"); path != want {
		t.Errorf("path %s, want %s", path, want)
	}
	b.work()
	b.sees(33*time.Second, "bad", "") // within 32 s
	if again := b.says(33*time.Second, "bad", event.AuthFailed); again != path {
		t.Errorf("a second failure within linger has another file: %s", again)
	}
	b.sees(64*time.Second, "bad", "") // within 32 s of the second
	b.sees(66*time.Second, "bad", "") // too late
	if path := b.says(66*time.Second, "bad", event.OtherOK); path != "" {
		t.Errorf("an event after linger names %s", path)
	}
	if again := b.says(67*time.Second, "bad", event.OtherTimeout); again == path || again == "" {
		t.Errorf("a late failure has the path %q", again)
	}
	s := b.ends()
	b.want("041855.123456789Z_other-failed_bad.pcap 5", "042000.123456789Z_other-timeout_bad.pcap 6")
	if s.Files != 2 || s.Lost() != 0 || s.Messages != 9 {
		t.Errorf("%+v", s)
	}
}

// TestWhatFails: which events are failures.
func TestWhatFails(t *testing.T) {
	for typ := event.CallStart; typ < event.NumTypes; typ++ {
		want := typ == event.CallAttempt || typ == event.AuthFailed || typ == event.OtherFailed || typ == event.OtherTimeout
		if got := failed(&event.Event{Type: typ, Side: event.Caller}); got != want {
			t.Errorf("%s: %v", typ, got)
		}
	}
	if !failed(&event.Event{Type: event.CallEnd, Side: event.ByTimeout}) {
		t.Error("a call that nobody ended is no failure")
	}
}

// TestRingAge: a file looks back so far and not farther.
func TestRingAge(t *testing.T) {
	b := newBench(t, func(c *Config) { c.RingAge = 10 * time.Second })
	for i := range 20 {
		b.sees(time.Duration(i)*time.Second, "x", "")
	}
	b.says(19*time.Second, "x", event.CallAttempt)
	b.ends()
	b.want("041912.123456789Z_call-attempt_x.pcap 11")
}

// TestAlways: each Call-ID has its file from the first message on, and every event
// names it.
func TestAlways(t *testing.T) {
	b := newBench(t, func(c *Config) { c.When = Always })
	for i := range 3 {
		b.sees(time.Duration(i)*time.Second, "a", "")
		b.sees(time.Duration(i)*time.Minute, "b", "")
		b.work()
	}
	path := b.says(time.Hour, "a", event.OtherOK)
	b.sees(time.Hour, "a", "")
	if again := b.says(2*time.Hour, "a", event.OtherFailed); again != path || filepath.Base(path) != "20261122T041853.123456789Z_options_a.pcap" {
		t.Errorf("paths %s and %s", path, again)
	}
	b.sees(15*time.Hour, "a", "") // longer than any call is silent
	if b.worker.ring != nil {
		t.Error("there is a ring that nobody needs")
	}
	b.ends()
	b.want("041853.123456789Z_options_a.pcap 4", "041853.123456789Z_options_b.pcap 3", "191853.123456789Z_options_a.pcap 1")
}

// TestTrigger: somebody asks for a file while the program runs.
func TestTrigger(t *testing.T) {
	b := newBench(t, func(c *Config) { c.When = Alert })
	b.sees(0, "a", "")
	b.sees(time.Second, "b", "")
	if path := b.says(time.Second, "a", event.CallAttempt); path != "" {
		t.Errorf("a failure has a file: %s", path)
	}
	path := string(b.Trigger(nil, []byte("a")))
	if filepath.Base(path) != "20261122T041854.123456789Z_alert_a.pcap" {
		t.Errorf("path %s", path)
	}
	if named := b.says(2*time.Second, "a", event.CallEnd); named != path {
		t.Errorf("an event names %q", named)
	}
	b.sees(2*time.Second, "a", "")
	b.Trigger(nil, []byte("nobody"))
	if s := b.ends(); s.Empty != 1 {
		t.Errorf("%+v", s)
	}
	b.want("041854.123456789Z_alert_a.pcap 2")
	if got := newBench(t, func(*Config) {}).Trigger([]byte("x"), []byte("a")); string(got) != "x" {
		t.Errorf("without alert in when: %s", got)
	}
}

// TestList: whose calls are written.
func TestList(t *testing.T) {
	for _, c := range []struct {
		item, from, to, uri string
		want                bool
	}{
		{"alice", "sip:alice@h", "sip:x@h", "sip:x@h", true},
		{"alice", "sip:x@h", "sip:alice@h", "sip:x@h", true},
		{"alice", "sip:x@h", "sip:x@h", "sip:alice@h", true},
		{"alice", "sip:Alice@h", "sip:alicex@h", "sip:x@alice", false},
		{"alice", "sip:%61lice@h", "sip:x@h", "sip:x@h", true},
		{"alice@h.example", "sip:alice@H.Example:5070", "sip:x@h", "sip:x@h", true},
		{"alice@h.example", "sip:alice@h", "sip:x@h", "sip:x@h", false},
		{"+49 30 1234567", "tel:+49-30-1234567;phone-context=x", "sip:x@h", "sip:x@h", true},
		{"+49 30 1234567", "sip:+49301234567;npdi@h", "sip:x@h", "sip:x@h", true},
		{"49301234567", "sip:x@h", "sip:(49)30.123-4567@h", "sip:x@h", true},
		{"49301234567", "sip:x@h", "sip:149301234567@h", "sip:x@h", false},
		{"the-call@h", "sip:x@h", "sip:x@h", "sip:x@h", true},
		{"the-cal", "sip:x@h", "sip:x@h", "sip:x@h", false},
	} {
		b := newBench(t, func(cfg *Config) { cfg.When, cfg.List = List, []string{"zz", c.item} })
		text := strings.NewReplacer("sip:b@example.com SIP", c.uri+" SIP", "<sip:a@example.com>", "<"+c.from+">", "To: <sip:b@example.com>", "To: <"+c.to+">").
			Replace(options("the-call@h", 0))
		b.sees(0, "", text)
		b.sees(time.Second, "the-call@h", "") // names nobody, but the Call-ID is known
		b.ends()
		if n := len(b.names()); n != 1 && c.want || n != 0 && !c.want && c.item != "the-call@h" {
			t.Errorf("%v: %d files", c, n)
		}
	}
}

// TestHostileCallIDs: whatever the Call-ID, its file is in the directory, and the
// event names it.
func TestHostileCallIDs(t *testing.T) {
	b := newBench(t, func(c *Config) { c.When = Always })
	files := 0
	for _, id := range hostile {
		text := options(id, 0)
		b.sees(0, id, text)
		if id = string(b.msg.CallID()); id == "" {
			continue
		}
		path := b.says(0, id, event.OtherOK)
		b.work()
		if path == "" {
			t.Errorf("%.40q: the event names no file", id)
			continue
		}
		if filepath.Dir(path) != b.cfg.Dir || b.count(path) < 1 {
			t.Errorf("%.40q: %s", id, path)
		}
		files++
	}
	if n := len(b.names()); n < 15 || n > files {
		t.Errorf("%d files", n)
	}
	if outside, _ := os.ReadDir(filepath.Dir(b.cfg.Dir)); len(outside) != 1 {
		t.Errorf("something beside the directory: %v", outside)
	}
	b.ends()
}

// TestFoldedCallID: a Call-ID that is folded is the same in message and event.
func TestFoldedCallID(t *testing.T) {
	b := newBench(t, func(c *Config) {})
	b.sees(0, "", strings.Replace(options("a b", 0), "a b", "a\r\n  b", 1))
	b.says(0, string(b.msg.CallID()), event.OtherFailed)
	if s := b.ends(); s.Files != 1 || s.Written != 1 {
		t.Errorf("%+v", s)
	}
}

// TestFullQueue: what does not fit is dropped and counted, and nobody waits.
func TestFullQueue(t *testing.T) {
	b := newBench(t, func(c *Config) { c.When, c.Queue = Always, 4<<20 })
	big := options("x", 60000)
	for range 100 {
		b.sees(0, "x", big)
	}
	for i := range 1000 { // until not even the head of a file fits
		b.sees(0, fmt.Sprint("y", i), options(fmt.Sprint("y", i), 500))
	}
	s := b.Stats()
	if s.Dropped == 0 || s.Refused == 0 || s.Messages <= s.Dropped {
		t.Errorf("%+v", s)
	}
	if s := b.ends(); s.Written != s.Messages-s.Dropped {
		t.Errorf("%+v", s)
	}
	b.sees(0, "x", "")
	if after := b.ends(); after.Dropped != s.Dropped {
		t.Errorf("there is room again, and still %d dropped, not %d", after.Dropped, s.Dropped)
	}
}

// TestMaxFile: a file has an end, and whole frames up to there.
func TestMaxFile(t *testing.T) {
	b := newBench(t, func(c *Config) { c.When, c.MaxFile = Always, 64<<10 })
	for range 100 {
		b.sees(0, "x", options("x", 2000))
	}
	s := b.ends()
	if s.Full == 0 || s.Written+s.Full != 100 || s.Bytes > 64<<10 || s.Bytes < 60<<10 {
		t.Errorf("%+v", s)
	}
	b.want(fmt.Sprintf("041853.123456789Z_options_x.pcap %d", s.Written))
}

// TestLimits: the oldest go first, files of others never.
func TestLimits(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		want   int
	}{
		"files": {func(c *Config) { c.MaxFiles = 7 }, 7},
		"total": {func(c *Config) { c.MaxFile, c.MaxTotal = 64<<10, 64<<10 }, 21}, // 3104 bytes each
		"age":   {func(c *Config) { c.MaxAge = 4500 * time.Millisecond }, 5},
	} {
		b := newBench(t, func(cfg *Config) { cfg.When = Always; c.change(cfg) })
		for _, foreign := range []string{"notes.txt", "trace.pcap", "20261122T041853.123456789Z_mine_x.pcap"} {
			os.WriteFile(filepath.Join(b.cfg.Dir, foreign), recent.FileHeader, 0o600)
		}
		old := filepath.Join(b.cfg.Dir, "20251122T041853.123456789Z_invite_old.pcap")
		os.WriteFile(old, recent.FileHeader, 0o600)
		os.Mkdir(filepath.Join(b.cfg.Dir, "20241122T041853.123456789Z_invite_dir.pcap"), 0o700)
		b.worker.folder.open() // as after a restart
		for i := range 40 {
			b.sees(time.Duration(i)*time.Second, fmt.Sprint("x", 10+i), options(fmt.Sprint("x", 10+i), 2800))
			b.work()
		}
		s := b.ends()
		entries, _ := os.ReadDir(b.cfg.Dir)
		var ours []string
		for _, e := range entries {
			if _, ok := nameTime(e.Name()); ok && !e.IsDir() {
				ours = append(ours, e.Name())
			}
		}
		if len(ours) != c.want || s.Held != c.want || len(entries) != c.want+4 || int(s.Removed) != 41-c.want {
			t.Errorf("%s: %d files of ours, %d in all: %+v", name, len(ours), len(entries), s)
		}
		if !strings.HasSuffix(ours[len(ours)-1], "x49.pcap") {
			t.Errorf("%s: the newest is gone, there is %s", name, ours[len(ours)-1])
		}
	}
}

// TestDeletedWhileWritten: a file that is deleted, by the limits or by somebody, gets
// no more and comes not back.
func TestDeletedWhileWritten(t *testing.T) {
	b := newBench(t, func(c *Config) { c.When, c.MaxFiles = Always, 2 })
	for i := range 3 {
		b.sees(time.Duration(i), fmt.Sprint("x", i), "")
		b.work()
	}
	b.sees(4, "x0", "") // the limits have taken it
	b.worker.shut(b.worker.open[len(b.worker.open)-1])
	os.Remove(filepath.Join(b.cfg.Dir, "20261122T041853.123456791Z_options_x2.pcap"))
	b.sees(4, "x2", "") // somebody has
	if s := b.ends(); s.Deleted != 2 || s.Written != 3 {
		t.Errorf("%+v", s)
	}
	b.want("041853.123456790Z_options_x1.pcap 1")
}

// TestLinks: a link with the name of a file is neither followed nor deleted, also
// when it comes while the file is closed.
func TestLinks(t *testing.T) {
	b := newBench(t, func(c *Config) { c.When = Always })
	victim := filepath.Join(t.TempDir(), "victim")
	os.WriteFile(victim, []byte("precious"), 0o600)
	link := filepath.Join(b.cfg.Dir, "20261122T041853.123456789Z_options_x.pcap")
	if err := os.Symlink(victim, link); err != nil {
		t.Fatal(err)
	}
	b.sees(0, "x", "")
	b.sees(0, "y", "")
	b.work()
	other := filepath.Join(b.cfg.Dir, "20261122T041853.123456789Z_options_y.pcap")
	for _, f := range b.worker.files {
		b.worker.shut(f)
	}
	os.Remove(other)
	os.Symlink(victim, other)
	b.sees(1, "y", "")
	b.work()
	os.Remove(other)
	inside := filepath.Join(b.cfg.Dir, "inside")
	os.WriteFile(inside, []byte("precious"), 0o600)
	os.Symlink("inside", other) // one that does not lead out
	b.sees(2, "y", "")
	s := b.ends()
	for _, path := range []string{victim, inside} {
		if got, _ := os.ReadFile(path); string(got) != "precious" {
			t.Errorf("%s was written to: %q", path, got)
		}
	}
	if s.Existing != 1 || s.Deleted != 2 || s.Written != 1 {
		t.Errorf("%+v", s)
	}
}

// TestModes: directory and files are for their owner alone.
func TestModes(t *testing.T) {
	b := newBench(t, func(c *Config) { c.When = Always })
	b.sees(0, "x", "")
	b.work()
	for path, want := range map[string]os.FileMode{b.cfg.Dir: 0o700 | os.ModeDir, filepath.Join(b.cfg.Dir, "20261122T041853.123456789Z_options_x.pcap"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

// TestSecondRun: the same packets again find their files there.
func TestSecondRun(t *testing.T) {
	b := newBench(t, func(c *Config) { c.When = Always })
	b.sees(0, "x", "")
	b.ends()
	again := newBench(t, func(c *Config) { c.When, c.Dir = Always, b.cfg.Dir })
	again.sees(0, "x", "")
	again.sees(1, "x", "")
	if s := again.ends(); s.Existing != 2 || s.Lost() != 0 || s.Files != 0 {
		t.Errorf("%+v", s)
	}
	again.want("041853.123456789Z_options_x.pcap 1")
}

// TestDirectoryGone: it is made again, and only what came in between is lost.
func TestDirectoryGone(t *testing.T) {
	var said []string
	b := newBench(t, func(c *Config) { c.When, c.Say = Always, func(line string) { said = append(said, line) } })
	os.RemoveAll(b.cfg.Dir)
	for i := range 3 {
		b.sees(time.Duration(i), fmt.Sprint("secret", i), "")
		b.work()
	}
	if s := b.ends(); s.Unwritten != 1 || s.Files != 2 {
		t.Errorf("%+v", s)
	}
	if len(said) != 1 || strings.Contains(said[0], "secret") {
		t.Errorf("said: %q", said)
	}
}

// TestManyFiles: more files than descriptors, each with its messages in order.
func TestManyFiles(t *testing.T) {
	b := newBench(t, func(c *Config) { c.When = Always })
	const calls = 90
	for i := range 5 {
		for c := range calls {
			b.sees(time.Duration(i), fmt.Sprint("x", c), "")
		}
		b.work()
		if n := len(b.worker.open); n > maxOpen {
			t.Fatalf("%d files open", n)
		}
	}
	if s := b.ends(); s.Files != calls || s.Written != 5*calls {
		t.Errorf("%+v", s)
	}
	for _, name := range b.names() {
		if !strings.HasSuffix(name, ".pcap 5") {
			t.Error(name)
		}
	}
}

// TestManyCalls: what ended longest ago gives way, and the worker forgets it too.
func TestManyCalls(t *testing.T) {
	b := newBench(t, func(c *Config) { c.When = Always })
	for i := range 1000 {
		b.sees(time.Duration(i), fmt.Sprint("x", i), "")
		if i%37 == 0 {
			b.work()
		}
	}
	b.work()
	if b.calls.used > 100 || len(b.worker.files) > 100 {
		t.Errorf("%d calls, %d files", b.calls.used, len(b.worker.files))
	}
	if s := b.ends(); s.Files != 1000 {
		t.Errorf("%+v", s)
	}
}

// TestLostCloses: where the queue has no room to say that files are done, the worker
// lets the oldest go by itself, however many there are, without looking at all.
func TestLostCloses(t *testing.T) {
	b := newBench(t, func(c *Config) { c.When = Always })
	const most = 1 << 16
	w := newWorker(b.cfg, b.dir, &b.queue, most)
	r := make(recent.Record, recent.HeadSize)
	begun := time.Now()
	for i := range uint64(4 * most) { // hours where each looks at all
		r.Fill(byte(opOpen), 0, byte(methodLabel(sip.MethodOptions)), i, at)
		w.begin(r)
	}
	if len(w.files) != most || w.files[3*most-1] != nil || w.files[3*most] == nil || w.files[4*most-1] == nil {
		t.Errorf("%d files", len(w.files))
	}
	t.Log(time.Since(begun))
}

// TestDiskFull: a full disk costs messages; what is written is whole, and it goes on
// when there is room.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Logf("not tested: mount a small tmpfs: %v", err) // needs root
		return
	}
	defer syscall.Unmount(dir, 0)
	var said []string
	b := newBench(t, func(c *Config) {
		c.When, c.Dir, c.Say = Always, filepath.Join(dir, "dump"), func(line string) { said = append(said, line) }
	})
	for i := range 20 {
		b.sees(time.Duration(i), "x", options("x", 30001))
		b.sees(time.Duration(i), "y", options("y", 3001))
		b.work()
	}
	s := b.Stats()
	if s.Unwritten < 10 || s.Written < 8 || s.Check() != nil {
		t.Errorf("%+v, %v", s, s.Check())
	}
	if len(said) != 1 || !strings.Contains(said[0], "no space left") {
		t.Errorf("said: %q", said)
	}
	os.Remove(filepath.Join(b.cfg.Dir, "20261122T041853.123456789Z_options_x.pcap"))
	for _, f := range b.worker.files {
		b.worker.shut(f) // or the space stays taken
	}
	b.sees(1000, "y", options("y", 3001))
	b.sees(1000, "z", options("z", 3001))
	if after := b.ends(); after.Written != s.Written+2 {
		t.Errorf("%+v, before %+v", after, s)
	}
	b.names() // counts frames
	b.worker.folder.close()
}

// TestGoroutines: lanes and worker at once, with waiting and without.
func TestGoroutines(t *testing.T) {
	for _, wait := range []bool{true, false} {
		cfg := DefaultConfig()
		cfg.Dir, cfg.When, cfg.Wait, cfg.Queue, cfg.RingSize = filepath.Join(t.TempDir(), "dump"), Always|Failed|Alert, wait, 4<<20, 4<<20
		d := newDumper(cfg, 50)
		if err := d.Start(); err != nil {
			t.Fatal(err)
		}
		const lanes, each = 4, 2000
		var group sync.WaitGroup
		for lane := range lanes {
			group.Add(1)
			go func() {
				defer group.Done()
				var m sip.Message
				var e event.Event
				for i := range each {
					id := fmt.Sprintf("%d-%d", lane, i%100)
					p := packet.Packet{Time: at + int64(i), Src: alice4, Dst: bob4, Transport: packet.UDP, Payload: []byte(options(id, 2000))}
					m.Parse(p.Payload, false)
					d.Message(&p, &m)
					if i%10 == 0 {
						e.Reset()
						e.Type, e.Time = event.OtherFailed, p.Time
						e.Set(&e.CallID, m.CallID())
						d.Event(&e)
						d.Trigger(nil, m.CallID())
						d.Stats()
					}
				}
			}()
		}
		group.Wait()
		d.Close()
		s := d.Stats()
		if err := s.Check(); err != nil || s.Messages != lanes*each || s.Unwritten > 0 {
			t.Errorf("wait %v: %v, %+v", wait, err, s)
		}
		if wait && (s.Dropped > 0 || s.Refused > 0 || s.Written < lanes*each) {
			t.Errorf("waiting, and still lost: %+v", s)
		}
	}
}

// TestCannotStart: a directory that cannot be made is said at the start.
func TestCannotStart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	os.WriteFile(file, nil, 0o600)
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		cfg := DefaultConfig()
		cfg.Dir = dir
		if err := New(cfg).Start(); err == nil || !strings.Contains(err.Error(), "pcap_dump.dir") {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

// steady gives turns of a lane in a steady state: so many calls come, fail and go.
func steady(b *bench, calls, size int) func() {
	var texts [][]byte
	for i := range calls {
		texts = append(texts, []byte(options(fmt.Sprintf("%06d", i), size)))
	}
	var e event.Event
	n := 0
	return func() {
		n++
		p := packet.Packet{Time: at + int64(n)*1e6, Src: alice4, Dst: bob4, Transport: packet.UDP, Payload: texts[n%len(texts)]}
		b.msg.Parse(p.Payload, false)
		b.Message(&p, &b.msg)
		if n%10 == 0 {
			e.Reset()
			e.Type, e.Time = event.OtherFailed, p.Time
			e.Set(&e.CallID, b.msg.CallID())
			b.Event(&e)
		}
		if n%1000 == 0 {
			b.queue.take()
		}
	}
}

// TestNoAllocation: the lane's side costs none, with room in the queue and without.
func TestNoAllocation(t *testing.T) {
	for _, when := range []When{Always, Failed, List, Always | Failed | Alert | List} {
		b := newBench(t, func(c *Config) {
			if c.When = when; when&List != 0 {
				c.List = []string{"alice", "49301234567", "a@example.org"}
			}
		})
		turn := steady(b, 400, 400) // more calls than the table holds
		for range 5000 {
			turn()
		}
		if n := testing.AllocsPerRun(5000, turn); n > 0 {
			t.Errorf("%b: %v allocations a message", when, n)
		}
		b.queue.fill = b.queue.fill[:cap(b.queue.fill)]
		b.worker.queue.spare = b.worker.queue.spare[:0]
		if n := testing.AllocsPerRun(900, turn); n > 0 {
			t.Errorf("%b: %v allocations a message with a full queue", when, n)
		}
	}
}

// TestSetList: the list is that of the next message; without list in When it is none.
func TestSetList(t *testing.T) {
	for _, when := range []When{List, Failed} {
		b := newBench(t, func(cfg *Config) { cfg.When, cfg.List = when, []string{"nobody"} })
		b.sees(0, "one@h", options("one@h", 0))
		b.SetList([]string{"two@h"})
		b.sees(time.Second, "two@h", options("two@h", 0))
		b.ends()
		if n := len(b.names()); n != 1 && when == List || n != 0 && when == Failed {
			t.Errorf("%v: %d files", when, n)
		}
	}
}
