package beater

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/elastic/beats/v7/libbeat/beat"
	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/logp"
	"github.com/elastic/elastic-agent-libs/logp/logptest"
	"github.com/elastic/elastic-agent-libs/monitoring"

	"github.com/sipcmbeat/sipcmbeat/config"
	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/capture/live"
	"github.com/sipcmbeat/sipcmbeat/internal/engine"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/limit"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// pipe is a libbeat of which the test decides when an event is delivered.
type pipe struct {
	mu     sync.Mutex
	cfg    beat.ClientConfig
	events []beat.Event
	auto   bool // acknowledges at once
	closed bool
	got    chan struct{} // a token for each batch
}

func newPipe(auto bool) *pipe { return &pipe{auto: auto, got: make(chan struct{}, 1024)} }

func (p *pipe) Connect() (beat.Client, error) { return p.ConnectWith(beat.ClientConfig{}) }

func (p *pipe) ConnectWith(c beat.ClientConfig) (beat.Client, error) {
	p.cfg = c
	return p, nil
}

func (p *pipe) Publish(e beat.Event) { p.PublishAll([]beat.Event{e}) }

func (p *pipe) PublishAll(events []beat.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range events {
		p.events = append(p.events, e)
		p.cfg.EventListener.AddEvent(e, true)
	}
	if p.auto {
		p.cfg.EventListener.ACKEvents(len(events))
	}
	p.got <- struct{}{}
}

func (p *pipe) Close() error {
	p.closed = true
	return nil
}

func (p *pipe) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.events)
}

// start makes a run over a configuration and starts it.
func start(t *testing.T, p *pipe, text string) (*run, chan os.Signal, chan error) {
	t.Helper()
	section, err := conf.NewConfigFrom(text)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.New(section)
	if err != nil {
		t.Fatal(err)
	}
	return startWith(t, p, cfg, logptest.NewTestingLogger(t, ""))
}

func startWith(t *testing.T, p *pipe, cfg *config.Config, log *logp.Logger, with ...func(*run)) (*run, chan os.Signal, chan error) {
	t.Helper()
	signals := make(chan os.Signal, 4)
	r := &run{cfg: cfg, log: log, live: cfg.Live(), signals: signals}
	sealer, err := cfg.Sealer(func(name string) string { return filepath.Join(t.TempDir(), name) })
	if err != nil {
		t.Fatal(err)
	}
	r.sealer.Store(sealer)
	for _, set := range with {
		set(r)
	}
	if r.inputs, err = openAll(cfg, r.masker, nil); err != nil {
		t.Fatal(err)
	}
	if err := r.start(p, false); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- r.wait() }()
	return r, signals, done
}

const calls = "pcap: ../tests/captures/04-calls.pcap\n"

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

func result(t *testing.T, done chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		t.Fatal("the run does not end")
		return nil
	}
}

func TestRunEndsWhenAllIsDelivered(t *testing.T) {
	p := newPipe(true)
	r, _, done := start(t, p, calls)
	if err := result(t, done); err != nil {
		t.Fatal(err)
	}
	if p.count() != 80 || !p.closed || !r.drained {
		t.Errorf("%d events, closed %v, drained %v", p.count(), p.closed, r.drained)
	}
	if p.cfg.PublishMode != beat.GuaranteedSend {
		t.Error("an event may be given up after some tries")
	}
}

// A file's reader that waits for the output holds up nobody who asks the engine, and the
// clock is that of the packets.
func TestAnswersWhileTheOutputWaits(t *testing.T) {
	p := newPipe(false)
	p.got = make(chan struct{}) // libbeat takes nothing
	r, signals, done := start(t, p, calls+"pcap_loop: 50\nevent_buffer_size: 64\nevr_limits: none\nhttp_port: 0\n")
	for deadline := time.Now().Add(patience); r.ring.waiting() <= 32; {
		if time.Now().After(deadline) {
			t.Fatalf("%d wait", r.ring.waiting())
		}
		runtime.Gosched()
	}
	asked := make(chan time.Time)
	go func() {
		r.engine.Stats()
		asked <- r.Now()
	}()
	select {
	case now := <-asked:
		if time.Since(now) < 24*time.Hour {
			t.Errorf("the clock is at %v", now)
		}
	case <-time.After(patience):
		t.Error("the engine does not answer")
	}
	go func() {
		for range p.got {
		}
	}()
	signals <- syscall.SIGTERM
	signals <- syscall.SIGTERM
	_ = result(t, done)
}

func TestRunWaitsForTheOutput(t *testing.T) {
	p := newPipe(false)
	_, _, done := start(t, p, calls)
	for n := 0; n < 80; n = p.count() {
		<-p.got
	}
	for range 79 {
		p.cfg.EventListener.ACKEvents(1)
	}
	select {
	case err := <-done:
		t.Fatalf("the run ended with an event on its way: %v", err)
	case <-time.After(5 * poll):
	}
	p.cfg.EventListener.ACKEvents(1)
	if err := result(t, done); err != nil {
		t.Error(err)
	}
}

func TestTypesAreHeldBack(t *testing.T) {
	p := newPipe(true)
	r, _, done := start(t, p, calls+"event_types_blst: call-start")
	if err := result(t, done); err != nil {
		t.Fatal(err)
	}
	if held := r.limit.Stats().Fates[event.CallStart][limit.HeldType]; p.count() != 40 || held != 40 {
		t.Errorf("%d sent, %d held back", p.count(), held)
	}
}

func TestRunForeverEndsBySignal(t *testing.T) {
	p := newPipe(true)
	_, signals, done := start(t, p, calls+"run_forever: true")
	for n := 0; n < 80; n = p.count() {
		<-p.got
	}
	select {
	case err := <-done:
		t.Fatalf("the run ended by itself: %v", err)
	case <-time.After(5 * poll):
	}
	signals <- syscall.SIGTERM
	if err := result(t, done); err != nil {
		t.Error(err)
	}
}

func TestDeadOutputIsGivenUpAfterASignal(t *testing.T) {
	for name, text := range map[string]string{
		"read":     calls,
		"forever":  calls + "run_forever: true",
		"blocked":  calls + "event_buffer_size: 16",
		"replayed": calls + "replay: true",
	} {
		t.Run(name, func(t *testing.T) {
			p := newPipe(false)
			r, signals, done := start(t, p, text+"\nshutdown_timeout: 50ms")
			<-p.got
			signals <- syscall.SIGTERM
			err := result(t, done)
			left := r.ring.accepted.Load()
			if want := plural(left, "event") + " not delivered"; err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %s", err, want)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than a line: %q", err)
			}
		})
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	p := newPipe(false)
	_, signals, done := start(t, p, calls+"shutdown_timeout: 1h")
	<-p.got
	signals <- syscall.SIGTERM
	signals <- syscall.SIGINT
	if err := result(t, done); err == nil || !strings.Contains(err.Error(), "not delivered: second signal (interrupt)") {
		t.Error(err)
	}
}

func TestDamagedFileIsAnErrorAfterItsEvents(t *testing.T) {
	text, err := os.ReadFile("../tests/captures/04-calls.pcap")
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(t.TempDir(), "cut.pcap")
	if err := os.WriteFile(cut, text[:len(text)-7], 0o600); err != nil {
		t.Fatal(err)
	}
	p := newPipe(true)
	_, _, done := start(t, p, "pcap: "+cut)
	err = result(t, done)
	if err == nil || !strings.Contains(err.Error(), cut) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
	if p.count() < 70 {
		t.Errorf("%d events from before the damage", p.count())
	}
}

// mute is a Voice that keeps what it is told.
type mute struct{ lines []string }

func (m *mute) Warned(line string) { m.lines = append(m.lines, line) }
func (m *mute) Stuck(line string)  { m.lines = append(m.lines, line) }

// A file run that does not go on says what it waits for, and nothing else does.
func TestNoProgress(t *testing.T) {
	registry := monitoring.NewRegistry()
	for name, c := range map[string]struct {
		disk, live      bool
		accepted, acked uint64
		want            string
	}{
		"output":        {accepted: 7, acked: 2, want: "no progress for 1m0s: 5 events wait for the output; the log says why"},
		"queue on disk": {disk: true, accepted: 7, acked: 2, want: "no progress for 1m0s: 5 events wait for the queue on disk (queue.disk), which takes no more; the disk may be full, or the output slow and queue.disk.max_size reached"},
		"all delivered": {accepted: 7, acked: 7},
		"live":          {live: true, accepted: 7, acked: 2},
	} {
		t.Run(name, func(t *testing.T) {
			var told mute
			r := &run{cfg: &config.Config{}, log: logptest.NewTestingLogger(t, ""), ring: newRing(4, false), told: &told,
				inputs: []engine.Input{{Source: stopped{}}}, live: c.live, metrics: metrics{stats: registry}}
			if c.disk {
				r.disk = &diskQueue{metrics: r.metrics}
			}
			r.ring.accepted.Store(c.accepted)
			r.ledger.acked.Store(c.acked)
			r.progress(time.Minute)
			if len(told.lines) > 0 {
				t.Errorf("after what moved: %q", told.lines)
			}
			r.progress(time.Minute)
			if got := strings.Join(told.lines, "\n"); got != c.want {
				t.Errorf("%s\nwant %s", got, c.want)
			}
			told.lines = nil
			r.progress(10 * time.Second)
			if len(told.lines) > 0 {
				t.Errorf("said again after ten seconds: %q", told.lines)
			}
			r.progress(50 * time.Second)
			if (len(told.lines) > 0) != (c.want != "") {
				t.Errorf("after another minute: %q", told.lines)
			}
			told.lines = nil
			r.ledger.acked.Add(1)
			r.progress(time.Minute)
			if len(told.lines) > 0 {
				t.Errorf("it goes on: %q", told.lines)
			}
		})
	}
}

func TestDeliveredLine(t *testing.T) {
	for want, n := range map[string][3]uint64{
		"delivered: 1 event":  {1, 0, 0},
		"delivered: 0 events": {0, 0, 0},
		"delivered: 9 events; 4 of them had been there before and are stored once": {9, 4, 0},
		"delivered: 9 events; 4 of them had been there before and are stored once; " +
			"2 of them went to the dead letter index: the index refused them": {9, 4, 2},
	} {
		if got := deliveredLine(n[0], n[1], n[2]); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// stopped is a source that gives nothing.
type stopped struct{}

func (stopped) Next(*packet.Frame) error { return io.EOF }
func (stopped) Name() string             { return "" }
func (stopped) Stats() capture.Stats     { return capture.Stats{} }
func (stopped) Close() error             { return nil }

func TestStatusLine(t *testing.T) {
	r := &run{cfg: &config.Config{}, ring: newRing(4, false), live: true}
	var s engine.Stats
	s.Frames, s.Datagrams[engine.Message], s.Datagrams[engine.KeepAlive] = 5, 1, 2
	s.Units[engine.Message], s.Units[engine.KeepAlive], s.Datagrams[engine.Segment] = 2, 1, 9
	s.Drops[packet.OK], s.Drops[packet.NotIP] = 3, 2
	s.Events[event.CallEnd] = 1
	s.Capture.KernelDrops = 7
	s.Track.Entries, s.Track.Bindings, s.Track.Bytes = 3, 1, 5<<20
	s.Limit.Fates[event.OtherOK][limit.HeldType] = 4
	s.Limit.Fates[event.AuthFailed][limit.HeldRate] = 9
	r.ring.dropped[event.CallEnd].Store(6)
	want := "5 frames, 3 messages; events: 1 call-end; held back by event_types_blst: 4 other-ok; held back by evr_limits: 9 auth-failed; not followed: 3 keep-alives; " +
		"frames without a datagram: 2 not IP; lost: 7 packets by the kernel (pcap_buf_kb, buffer_kb), 6 events by the full queue (event_buffer_size); " +
		"in memory: 3 calls and transactions, 1 binding, 5 MiB"
	if got := r.line(&s); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestErrorsOnOneLine(t *testing.T) {
	many := errors.Join(errors.New("a"), errors.New("b"), errors.New("c"), errors.New("d"), errors.New("e"))
	if got := oneLine(many).Error(); got != "a; b; c; and 2 more, see the log" {
		t.Error(got)
	}
	if got := oneLine(errors.New("a")).Error(); got != "a" {
		t.Error(got)
	}
}

// config can't take the defaults of live from there: it is built without cgo.
func TestLiveDefaultsAreTheSame(t *testing.T) {
	cfg, err := config.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	got, want := LiveConfig(&cfg.Inputs[0], cfg), live.DefaultConfig()
	got.Auto, want.Auto = cfg.Filter, cfg.Filter
	if len(cfg.Filter.Ports) == 0 || got.Iface != want.Iface || got.Snaplen != want.Snaplen || got.Promisc != want.Promisc ||
		got.BufferKB != want.BufferKB || got.Capture != want.Capture || got.Workers != want.Workers || got.BlockSize != want.BlockSize || got.Filter != want.Filter || got.Timeout != want.Timeout {
		t.Errorf("config says %+v, live %+v", got, want)
	}
	if err := got.Validate(); err != nil {
		t.Error(err)
	}
}

// Who looks into events gets maps.
func TestLooksInside(t *testing.T) {
	for text, want := range map[string]bool{
		"":                                false,
		"output.elasticsearch.hosts: [a]": false,
		"output.file: {path: /tmp, filename: x}\ntags: [a]":      false,
		"processors: [{drop_fields.fields: [sip.via.original]}]": true,
		"fields: {a: b}": true,
		"output.kafka: {hosts: [a], topic: 'x-%{[event.dataset]}'}":                    true,
		"output.elasticsearch.indices: [{index: a, when.equals: {event.kind: alert}}]": true,
	} {
		root, err := conf.NewConfigFrom(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := looksInside(root); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// A stop in the middle of a file is not its end: calls that are up decide nothing.
func TestStoppedFileIsNotAtItsEnd(t *testing.T) {
	p := newPipe(true)
	_, signals, done := start(t, p, calls+"replay: true\nreplay_scale: 1000\nreplay_flush: all\nevent_types_blst: none")
	signals <- syscall.SIGTERM
	if err := result(t, done); err != nil && !strings.Contains(err.Error(), "not read to its end") {
		t.Error(err)
	}
	for _, e := range p.events {
		if words, err := e.Fields.GetValue("sip.incomplete"); err == nil {
			t.Errorf("an event says %v", words)
		}
	}
}

// Several inputs are read in one run, and the last line names each.
func TestSeveralInputs(t *testing.T) {
	p := newPipe(true)
	r, _, done := start(t, p, "inputs: [{type: file, pcap: ../tests/captures/04-calls.pcap}, {type: file, pcap: ../tests/captures/01-reg.pcap}]")
	if err := result(t, done); err != nil {
		t.Fatal(err)
	}
	sum, each := r.engine.Inputs()
	if sum.Frames != each[0].Frames+each[1].Frames || each[0].Frames == 0 || each[1].Frames == 0 || p.count() <= 80 {
		t.Errorf("%d frames, %d and %d, %d events", sum.Frames, each[0].Frames, each[1].Frames, p.count())
	}
	line := perInput(each)
	for _, want := range []string{"; from ../tests/captures/04-calls.pcap: ", "; from ../tests/captures/01-reg.pcap: "} {
		if !strings.Contains(line, want) {
			t.Errorf("%q lacks %q", line, want)
		}
	}
	each = []engine.InputStats{{Name: "eth0", Live: true}, {Name: "eth0", Live: true}, {Name: "eth1", Live: true, Ended: true}}
	each[0].Frames, each[1].Frames, each[1].Capture.KernelDrops = 3, 4, 5
	if got, want := perInput(each), "; from eth0: 7 frames, 0 messages, 5 lost; from eth1: 0 frames, 0 messages, ended"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestPlural: counts in the log have the right noun.
func TestPlural(t *testing.T) {
	for want, got := range map[string]string{
		"1 entry": plural(1, "entry"), "25000 entries": plural(25000, "entry"), "0 times": plural(0, "time"), "2 events": plural(2, "event"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
