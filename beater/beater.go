// Package beater runs the engine inside libbeat: it opens the capture, turns
// events into libbeat's, and sees to it that a run ends when, and only when, the
// output has taken everything.
//
// It is, with cmd, the only package that knows libbeat, and the only one that
// captures from interfaces. Events are borrowed from the lane for one Put and
// copied into the ring; what libbeat gets is its own.
package beater

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/elastic/beats/v7/libbeat/beat"
	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/logp"

	"github.com/sipcmbeat/sipcmbeat/config"
	"github.com/sipcmbeat/sipcmbeat/internal/api"
	"github.com/sipcmbeat/sipcmbeat/internal/dump"
	"github.com/sipcmbeat/sipcmbeat/internal/engine"
	"github.com/sipcmbeat/sipcmbeat/internal/enrich"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/kpi"
	"github.com/sipcmbeat/sipcmbeat/internal/limit"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/privacy"
	"github.com/sipcmbeat/sipcmbeat/internal/recent"
)

// Voice says a line to the user where the log goes to a file. Any goroutine may call
// it.
type Voice interface {
	Warned(line string) // of a key that is ignored
	Stuck(line string)  // of a run that waits
}

// Beater is the program as libbeat sees it.
type Beater struct {
	cfg  *config.Config
	log  *logp.Logger
	told Voice
	read Reader // nil: there is no reload
	keys *secrets
	maps bool // events are made as maps
	once sync.Once
	quit chan struct{}
}

// newBeater checks the whole section and that the files are there. It starts
// nothing.
func newBeater(b *beat.Beat, section *conf.C, maps bool, told Voice, read Reader) (beat.Beater, error) {
	if b.InSetupCmd && section.HasField("config") {
		// libbeat's, for programs with modules; it is written into a section that is there.
		if _, err := section.Remove("config", -1); err != nil {
			return nil, err
		}
	}
	cfg, err := config.New(section)
	if err != nil {
		return nil, err
	}
	bt := &Beater{cfg: cfg, log: b.Info.Logger.Named(config.Section), maps: maps, told: told, read: read, quit: make(chan struct{})}
	bt.keys = newSecrets(b)
	for _, w := range cfg.Warnings {
		bt.log.Warn(w)
		told.Warned(w)
	}
	for i := range cfg.Inputs {
		if b.InSetupCmd && !cfg.Inputs[i].Live() {
			continue // the files may come later
		}
		if err := check(&cfg.Inputs[i], cfg); err != nil {
			return nil, err
		}
	}
	return bt, nil
}

// Stop ends Run. libbeat calls it when its manager asks for it; signals come to
// Run itself.
func (bt *Beater) Stop() { bt.once.Do(func() { close(bt.quit) }) }

// Run captures until the files are read or a signal comes, then waits for the
// output. Its error becomes the last line and the exit status.
//
// libbeat would take the signals, close its publisher first and call Stop after,
// when nothing can be published any more; so they are taken from it.
func (bt *Beater) Run(b *beat.Beat) error {
	signals, hangups := make(chan os.Signal, 4), make(chan os.Signal, 1) // one that waits stands for all
	signal.Reset(syscall.SIGTERM, syscall.SIGINT)
	signal.Ignore(syscall.SIGHUP)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	signal.Notify(hangups, syscall.SIGHUP) // for good: what comes after this run would kill the process
	defer signal.Stop(signals)
	over := make(chan struct{})
	defer close(over)

	keeper, err := openState(bt.cfg, b)
	if err != nil {
		return err
	}
	if keeper != nil {
		defer keeper.Close()
	}
	notify, err := newNotifier(os.Getenv)
	if err != nil {
		bt.log.Warn(err)
	}
	r := &run{
		cfg:     bt.cfg,
		log:     bt.log,
		live:    bt.cfg.Live(),
		signals: signals,
		hangups: hangups,
		quit:    bt.quit,
		told:    bt.told,
		keeper:  keeper,
		metrics: newMetrics(b),
		notify:  notify,
		version: b.Info.Version,
		agent:   b.Info.ID.String(),
		reader:  newReloader(bt.read, bt.keys, b),
		within:  dataOf(b),
	}
	sealer, err := r.cfg.Sealer(r.within)
	if err != nil {
		return err
	}
	r.sealer.Store(sealer)
	if r.inputs, err = openAll(bt.cfg, r.masker, func(text string) { bt.log.Warn(text) }); err != nil {
		return err
	}
	if err := r.start(b.Publisher, bt.maps); err != nil {
		return err
	}
	notify.say("READY=1", "STATUS=running")
	go r.hangUps(over)
	err = r.wait()
	if r.drained && !b.Manager.Enabled() {
		if c, ok := b.Publisher.(io.Closer); ok {
			c.Close() // a disk queue tidies its folder; libbeat itself does not close it here
		}
	}
	return err
}

// run is one run: the engine in goroutines of its own, the publisher in another, and
// wait, which looks at both.
type run struct {
	cfg     *config.Config
	log     *logp.Logger
	inputs  []engine.Input
	live    bool // some go on until they are stopped
	signals <-chan os.Signal
	hangups <-chan os.Signal
	quit    <-chan struct{}
	metrics metrics
	told    Voice
	notify  *notifier // nil: no service manager
	version string
	agent   string    // agent.id
	reader  *reloader // nil: there is no reload

	steer   sync.Mutex                     // of reloads, one at a time
	running atomic.Pointer[config.Config]  // cfg and what was reloaded; nil before the first
	sealer  atomic.Pointer[privacy.Sealer] // masks what leaves; nil: nothing is private
	writer  atomic.Pointer[privacy.Rewriter]
	within  func(name string) string // path.data

	engine  *engine.Engine
	keeper  *engine.Keeper // nil: no saved state
	dump    *dump.Dumper   // nil: off
	ring    *ring
	numbers *enrich.Numbers
	ledger  ledger
	client  beat.Client
	cancel  context.CancelFunc
	limit   *limit.Limiter
	faults  atomic.Uint64
	loss    losses

	delivered atomic.Uint64     // see highest
	last      chan struct{}     // closed to ask for the last of them
	reported  chan struct{}     // closed after it
	restats   chan config.Stats // what a reload asks for
	reporting bool              // records of statistics may come

	server *api.Server // nil: off
	health health

	unsaved atomic.Bool   // the last state could not be written
	whole   bool          // all was read, and the state of then is to be kept; known once nothing is being read
	records atomic.Uint64 // that are no events
	count   *kpi.Counter
	windows *indicators // nil: no records of them

	disk  *diskQueue    // nil: libbeat's queue is in memory
	moved moves         // when progress was last looked at
	stuck time.Duration // for how long nothing has moved
	out   *output       // nil: no HEP output

	began     time.Time
	captured  chan error    // the engine's error, once
	published chan struct{} // closed when the ring is empty and closed
	reading   bool          // the engine runs
	sending   bool          // the publisher runs
	readError error

	deadline <-chan time.Time // after the first signal
	stopping bool
	drained  bool
}

// Put implements engine.Sink: it copies to the ring what the limiter lets leave.
func (r *run) Put(e *event.Event) { r.ring.put(e) }

// Wait implements engine.Waiter: the reader of a file leaves half of the queue free, to
// an interface beside it, or for the events of one frame, which cannot wait without
// holding up all who ask the engine.
func (r *run) Wait() { r.ring.await() }

// maxFaults is how many faults of one run are logged; all are counted.
const maxFaults = 10

// fault logs a fault of this program, without the frame, which is private. The
// lane calls it and goes on.
func (r *run) fault(_ *packet.Frame, cause any) {
	if n := r.faults.Add(1); n <= maxFaults {
		r.log.Errorf("a frame was passed over, a fault of this program; please report it: %v", cause)
	}
}

func (r *run) start(pipeline beat.Pipeline, maps bool) error {
	var err error
	r.client, err = pipeline.ConnectWith(beat.ClientConfig{
		PublishMode:    beat.GuaranteedSend,
		EventListener:  &r.ledger,
		ClientListener: &r.ledger,
	})
	if err != nil {
		return fmt.Errorf("connect to the publisher: %w", err)
	}
	if r.metrics.onDisk() {
		r.disk = &diskQueue{metrics: r.metrics}
	}
	r.ring = newRing(r.cfg.EventBufferSize, !r.live)
	r.numbers = enrich.New(r.cfg.Keys.Numbers.Country)
	r.cfg.Engine.Fault = r.fault
	r.startRelay()
	if err := r.startDump(); err != nil {
		r.client.Close()
		return err
	}
	r.cfg.Limit.Say = func(line string) { r.log.Info(line) }
	r.cfg.Limit.Name = r.sayNet
	r.limit = limit.New(r.cfg.Limit)
	r.cfg.Engine.Limit = r.limit
	r.startCount()
	r.cfg.Engine.Trouble = func(_ string, err error) { r.log.Error(err) }
	r.newServer(r.version)
	if r.server != nil {
		r.cfg.Engine.Watch = r.watch
		if size := r.cfg.Keys.HTTP.MessagesMem; size > 0 {
			r.cfg.Engine.Recent = recent.New(int(size))
		}
	}
	r.engine = engine.New(r.cfg.Engine, r.inputs, r)
	for _, in := range r.inputs {
		if in.Live {
			r.log.Infof("capturing from %s", in.Name)
		}
	}
	r.began, r.captured, r.published = time.Now(), make(chan error, 1), make(chan struct{})

	var ctx context.Context
	ctx, r.cancel = context.WithCancel(context.Background())
	p := &publisher{ring: r.ring, client: r.client, numbers: r.numbers, maps: maps, tree: newTree(r.cfg.Names), sealer: &r.sealer, done: r.published}
	go p.run() // first: what the saved state has no room for is sent
	err = r.restore()
	if err == nil {
		err = r.startServer()
	}
	if err != nil {
		r.ring.close()
		r.lastWindow()
		<-r.published
		r.client.Close()
		return err
	}
	r.watchHealth()
	r.reading, r.sending = true, true
	r.startReports()
	go func() {
		err := r.capture(ctx)
		if r.dump != nil {
			r.dump.Close()
		}
		r.lastWindow()
		r.captured <- err
	}()
	return nil
}

// startDump starts what writes the files of single calls, if they are wanted.
func (r *run) startDump() error {
	if r.cfg.Dump.Dir == "" {
		return nil
	}
	r.cfg.Dump.Say = func(line string) { r.log.Warn(line) }
	r.cfg.Dump.Mask, r.cfg.Dump.Clear = r.fileMask, isTrue(r.cfg.Keys.PcapDump.Clear)
	r.dump = dump.New(r.cfg.Dump)
	r.cfg.Engine.Dump = r.dump
	return r.dump.Start()
}

// poll is how often the end of the delivery is looked for.
const poll = 20 * time.Millisecond

// wait goes on until everything is delivered, or a stop leaves no more time.
func (r *run) wait() error {
	const every = time.Minute
	status := time.NewTicker(every)
	defer status.Stop()
	const often = 10 * time.Second
	progress := time.NewTicker(often)
	defer progress.Stop()
	signs, stop := r.notify.signs()
	defer stop()
	var look <-chan time.Time // for the end of the delivery, once all is handed over
	for !r.finished() {
		if !r.reading && !r.sending && look == nil {
			ticker := time.NewTicker(poll)
			defer ticker.Stop()
			look = ticker.C
		}
		select {
		case err := <-r.captured:
			r.readEnded(err)
		case <-r.published:
			r.sending, r.published = false, nil
			r.lastReport()
		case <-r.reported:
			r.reporting, r.reported = false, nil
		case <-r.counted():
			r.windows.open = false
		case s := <-r.signals:
			if r.stopping {
				return r.end(fmt.Sprintf("second signal (%v)", s))
			}
			r.stop(s.String())
		case <-r.quit:
			r.quit = nil
			if !r.stopping {
				r.stop("the manager")
			}
		case <-r.deadline:
			return r.end(fmt.Sprintf("no delivery within shutdown_timeout (%v)", r.now().ShutdownTimeout))
		case <-r.relayed():
			r.endRelay()
		case <-status.C:
			r.status()
		case <-progress.C:
			r.progress(often)
		case <-signs:
			r.alive()
		case <-look:
		}
	}
	r.drained = true
	return r.end("")
}

// stop asks the lane to end and sets the time until which the output may take
// what is left.
func (r *run) stop(who string) {
	r.stopping = true
	r.notify.say("STOPPING=1", "STATUS=delivering what is left")
	r.log.Infof("stopping (%s): what is left is delivered, for at most %v; a second signal ends at once", who, r.now().ShutdownTimeout)
	r.deadline = time.After(r.now().ShutdownTimeout)
	if r.reading && !r.live {
		r.cancel() // first: a stop in the middle of a file is not its end
	}
	closeAll(r.inputs)
	if !r.reading {
		r.ring.close()
	}
}

// readEnded is told when all inputs have ended, at the end of the files or because
// the capture failed.
func (r *run) readEnded(err error) {
	r.reading = false
	r.health.end()
	r.readError = err // the log has it
	r.summary()
	r.drainRelay()
	if !r.live && r.cfg.RunForever && !r.stopping {
		r.log.Info("the last file is read; run_forever: waiting for a signal")
		return
	}
	r.ring.close()
}

// sent is how many records were to be delivered so far.
func (r *run) sent() uint64 { return r.ring.accepted.Load() + r.records.Load() }

// finished tells whether everything is read and delivered.
func (r *run) finished() bool {
	if r.reading || r.sending || r.reporting || r.counted() != nil || r.relayed() != nil || r.ledger.done()+r.ledger.refused.Load() < r.sent() {
		return false
	}
	return r.disk == nil || r.stopping || r.disk.empty(time.Now())
}

// end closes what is open and makes the last line. why is "" when nothing is left.
func (r *run) end(why string) error {
	r.stopServer()
	r.saveChanges()
	r.ring.abort()
	if r.windows != nil {
		close(r.windows.aborted)
	}
	r.cancel()
	closeAll(r.inputs)
	if r.relayed() != nil {
		r.endRelay()
	}
	left := r.sent() - min(r.ledger.done(), r.sent())
	delivered, dropped := r.ledger.acked.Load(), r.metrics.dropped()
	if r.disk != nil {
		delivered = r.metrics.sent()
		if r.disk.holds() {
			r.log.Warn("events that the output has not taken wait in the queue on disk and leave after the next start")
		}
	}
	if why == "" {
		r.checkSums()
		r.client.Close()
		why = "the queue was closed" // of what it refused, if anything
	}
	r.log.Info(deliveredLine(delivered-min(dropped, delivered), r.metrics.there(), r.metrics.aside()))
	return r.verdict(why, left, dropped)
}

// deliveredLine is the last line of a run that ends well.
func deliveredLine(delivered, there, aside uint64) string {
	line := "delivered: " + plural(delivered, "event")
	if there > 0 {
		line += fmt.Sprintf("; %d of them had been there before and are stored once", there)
	}
	if aside > 0 {
		line += fmt.Sprintf("; %d of them went to the dead letter index: the index refused them", aside)
	}
	return line
}

// verdict is what went wrong, on one line.
func (r *run) verdict(why string, left, dropped uint64) error {
	var wrong []error
	if r.readError != nil {
		wrong = append(wrong, oneLine(r.readError))
	}
	if left > 0 {
		wrong = append(wrong, fmt.Errorf("%s not delivered: %s", plural(left, "event"), why))
	}
	if r.reading {
		wrong = append(wrong, fmt.Errorf("the capture was not read to its end: %s", why))
	}
	if dropped > 0 && !r.live { // a live run has said so in its status lines
		wrong = append(wrong, fmt.Errorf("%s lost: the output could not take them (a full disk, a record that the index refuses); "+
			"the log says why, and *-events-data-*.ndjson beside it has what an index refused", plural(dropped, "event")))
	}
	return joinLine(wrong)
}
