package cmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/elastic/beats/v7/libbeat/cfgfile"
	conf "github.com/elastic/elastic-agent-libs/config"

	"github.com/sipcmbeat/sipcmbeat/beater"
	"github.com/sipcmbeat/sipcmbeat/config"
	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/dump"
	"github.com/sipcmbeat/sipcmbeat/internal/engine"
	"github.com/sipcmbeat/sipcmbeat/internal/enrich"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/limit"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/privacy"
	"github.com/sipcmbeat/sipcmbeat/internal/recent"
)

// maxFaults is how many faults of this program are told; all are counted.
const maxFaults = 10

// printer writes events in one of the formats. Put borrows the event.
type printer interface {
	engine.Sink

	// finish writes what stands behind the last event.
	finish()
}

// format is a value of --format. make gives its printer; w sticks to its first
// error, so printers need not look.
type format struct {
	name, meaning string
	make          func(w *bufio.Writer, colour bool, schema *event.Schema) printer
}

var formats = []format{
	{"ndjson", "one JSON object a line, the fields of docs/fields.md", func(w *bufio.Writer, _ bool, schema *event.Schema) printer {
		return &ndjson{w: w, r: event.Renderer{Schema: schema}}
	}},
	{"table", "one line an event, for reading", func(w *bufio.Writer, colour bool, _ *event.Schema) printer { return newTable(w, colour) }},
	{"ladder", "the messages of each call as arrows, with its events", func(w *bufio.Writer, _ bool, _ *event.Schema) printer { return newLadder(w) }},
	{"csv", "comma-separated, the columns of docs/replay.md", func(w *bufio.Writer, _ bool, _ *event.Schema) printer { return newCSV(w) }},
}

func formatNames() string {
	var names []string
	for _, f := range formats {
		names = append(names, f.name)
	}
	return strings.Join(names, ", ")
}

// replay is one run of the command.
type replay struct {
	format string
	dump   string
	single bool // messages are records too
	filter filter
	cfg    *config.Config
	files  []string // that are there
	within func(name string) string
	wrong  int // lines written about what is not
	stdout *os.File
	stderr *os.File
}

func newReplay() *cobra.Command {
	var r replay
	var about strings.Builder
	for _, f := range formats {
		fmt.Fprintf(&about, "  %-7s %s\n", f.name, f.meaning)
	}
	c := &cobra.Command{
		Use:   "replay FILE...",
		Short: "Read capture files and print what happened, without any output server",
		Long: `Reads capture files (pcap, pcapng, gzip or not; - is standard input) and prints
every event on standard output. No configuration is needed; -c and -E are taken as
by run; types are held back only if they set event_types_blst, and rates are
limited only if they set evr_limits or evr_intervals.

Formats:
` + about.String() + `
Filters go together: an event is printed when all of them let it through. Times are
UTC: 2026-11-22T04:18:53Z, "2026-11-22 04:18:53", or 04:18:53 on the day on which
the capture begins.

Exit status: 0, 1 when a file could not be read to its end (one line each says
why; events up to there are printed), 2 when the command line is wrong.`,
		Example: `  sipcmbeat replay trace.pcap
  sipcmbeat replay trace.pcap --format table --type call-end,call-attempt
  sipcmbeat replay *.pcap.gz --number +49-30-1234567 --format ladder
  tcpdump -w - port 5060 | sipcmbeat replay - --format table`,
	}
	f := c.Flags()
	f.StringVar(&r.format, "format", formats[0].name, formatNames())
	f.StringVar(&r.dump, "dump", "", "write the messages of each Call-ID into a capture file in this directory; with --call, of that one")
	f.BoolVar(&r.single, "messages", false, "each SIP message is a record too, as with messages.enabled; see docs/messages.md")
	f.StringVar(&r.filter.call, "call", "", "only this Call-ID")
	f.StringVar(&r.filter.user, "user", "", "only this user, user@host or @host: in From, To, Request-URI, address of record or credentials")
	f.StringVar(&r.filter.number, "number", "", "only this telephone number there; + and separators do not count")
	f.StringSliceVar(&r.filter.types, "type", nil, "only these event types (repeatable, or separated by commas)")
	f.StringVar(&r.filter.since, "since", "", "only events at this time and after")
	f.StringVar(&r.filter.until, "until", "", "only events before this time")
	c.RunE = func(c *cobra.Command, args []string) error {
		r.stdout, r.stderr = os.Stdout, os.Stderr
		if err := r.prepare(c, args); err != nil {
			return err
		}
		return r.run()
	}
	return c
}

// prepare checks the command line and reads the configuration, if there is one.
func (r *replay) prepare(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usageError{errors.New("replay: no file is named; sipcmbeat replay FILE..., or - for standard input")}
	}
	if !slices.ContainsFunc(formats, func(f format) bool { return f.name == r.format }) {
		return usageError{fmt.Errorf("replay: --format %q is not allowed; allowed: %s", r.format, formatNames())}
	}
	if err := r.filter.compile(); err != nil {
		return usageError{fmt.Errorf("replay: %w", err)}
	}
	if slices.Contains(args, "-") && isatty.IsTerminal(os.Stdin.Fd()) {
		return usageError{errors.New("replay: - reads a capture from standard input, which is a terminal here")}
	}
	section, err := userSection(c)
	if err != nil {
		return err
	}
	r.within = inData(c)
	if r.cfg, err = config.New(section); err != nil {
		return err
	}
	r.cfg.Keys.Messages.Enabled = r.cfg.Keys.Messages.Enabled || r.single
	r.dumpTo()
	for _, w := range r.cfg.Warnings {
		fmt.Fprintf(r.stderr, "sipcmbeat: %s\n", w)
	}
	for _, path := range args {
		err := r.cfg.ReadFiles([]string{path})
		if err == nil {
			_, err = capture.NewFiles(r.cfg.Files)
		}
		if err != nil {
			r.complain(err)
			continue
		}
		r.files = append(r.files, path)
	}
	if len(r.files) == 0 {
		return errSaid
	}
	if err := r.cfg.ReadFiles(r.files); err != nil {
		return err
	}
	return r.checkState()
}

// dumpTo is --dump: what the configuration says of pcap_dump, besides, counts.
func (r *replay) dumpTo() {
	if r.dump == "" {
		return
	}
	k := &r.cfg.Keys.PcapDump
	k.Dir, k.When, k.List = r.dump, []string{"always"}, nil
	if r.filter.call != "" {
		k.When, k.List = []string{"list"}, []string{r.filter.call}
	}
	// The files are the result: none is too old or one too many, and none that was
	// there before is deleted.
	k.MaxAge, k.MaxFiles, k.MaxTotal = 0, dump.MostFiles, dump.MostBytes
}

// userSection is our section of what -c and -E say, nil when neither is given:
// a configuration that happens to lie around changes nothing.
func userSection(c *cobra.Command) (*conf.C, error) {
	all := settings()
	if f := c.Flags().Lookup("c"); f != nil && f.Changed {
		var err error
		if all, err = loaded(); err != nil {
			return nil, err
		}
	}
	beater.LookInto(keystoreOf(all)) // as run does
	if !all.HasField(config.Section) {
		return nil, nil
	}
	return all.Child(config.Section, -1)
}

// loaded is what the files of -c say, and -E.
func loaded() (*conf.C, error) {
	if err := cfgfile.HandleFlags(); err != nil {
		return nil, err
	}
	all, err := cfgfile.Load("", nil)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return all, checkNames(all)
}

// complain writes a line about one file.
func (r *replay) complain(err error) {
	r.wrong++
	fmt.Fprintf(r.stderr, "sipcmbeat: %v\n", err)
}

func (r *replay) run() error {
	out := &stickyWriter{to: r.stdout}
	w := bufio.NewWriterSize(out, 1<<16)
	r.cfg.Files.Idle = func() { w.Flush() } // its error sticks; the lane calls it
	files, err := capture.NewFiles(r.cfg.Files)
	if err != nil {
		return err
	}
	var p printer
	for _, f := range formats {
		if f.name == r.format {
			p = f.make(w, colour(r.stdout), r.cfg.Names)
		}
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	out.failed = cancel
	// A source that waits ends, and the next signal kills.
	context.AfterFunc(ctx, func() { cancel(); files.Close() })

	sealer, err := r.cfg.Sealer(r.within)
	if err != nil {
		return err
	}
	src := &dayOf{Source: files, filter: &r.filter, ctx: ctx}
	sink := &sieve{filter: &r.filter, numbers: enrich.New(r.cfg.Keys.Numbers.Country), to: p}
	if sealer != nil {
		sink.masker = sealer
	}
	if l, ok := r.cfg.ReplayLimit(); ok {
		r.cfg.Engine.Limit = limit.New(l)
	}
	if t, ok := p.(tapper); ok {
		r.cfg.Engine.Tap = t.tap(&r.filter, sink.masker)
	}
	r.cfg.Engine.Fault = func(_ *packet.Frame, cause any) {
		if r.wrong++; r.wrong <= maxFaults {
			fmt.Fprintf(r.stderr, "sipcmbeat: a frame was passed over, a fault of this program; please report it: %v\n", cause)
		}
	}
	var d *dump.Dumper
	if r.cfg.Dump.Dir != "" {
		r.cfg.Dump.Say = func(line string) { fmt.Fprintf(r.stderr, "sipcmbeat: %s\n", line) }
		if sealer != nil {
			by := privacy.NewRewriter(sealer)
			clear := r.cfg.Keys.PcapDump.Clear
			r.cfg.Dump.Mask, r.cfg.Dump.Clear = func() recent.Mask { return by }, clear != nil && *clear
		}
		d = dump.New(r.cfg.Dump)
		if err := d.Start(); err != nil {
			return err
		}
		r.cfg.Engine.Dump = d
	}
	e := engine.New(r.cfg.Engine, []engine.Input{{Source: src, AnyPort: r.cfg.Inputs[0].AnyPort}}, sink)
	keeper, err := r.restore(e)
	if err != nil {
		return err
	}
	done := r.progress(files)
	err = e.Run(ctx)
	done()
	r.save(ctx, keeper, e, err)
	p.finish()
	r.dumped(d)
	return r.ended(ctx, err, w, out, e)
}

// dumped waits for the files of single calls and says what is in none of them.
func (r *replay) dumped(d *dump.Dumper) {
	if d == nil {
		return
	}
	d.Close()
	s := d.Stats()
	if err := s.Check(); err != nil {
		r.complain(err)
	}
	if s.Removed > 0 {
		fmt.Fprintf(r.stderr, "sipcmbeat: pcap_dump: %d files were deleted, the oldest first (max_files, max_total, max_age)\n", s.Removed)
	}
	if n := s.Lost(); n > 0 {
		r.complain(fmt.Errorf("pcap_dump: %d of %d messages are in no file: %d by max_file, %d by the disk, %d because their file was deleted (max_files, max_total)",
			n, s.Wanted, s.Full, s.Unwritten, s.Deleted))
	}
}

// ended writes the lines about what went wrong.
func (r *replay) ended(ctx context.Context, err error, w *bufio.Writer, out *stickyWriter, e *engine.Engine) error {
	stopped := ctx.Err() != nil && out.err == nil
	if flushed := w.Flush(); flushed != nil {
		if errors.Is(flushed, syscall.EPIPE) {
			return nil // who reads has seen enough
		}
		return fmt.Errorf("write standard output: %w", flushed)
	}
	for _, one := range apart(err) {
		r.complain(one)
	}
	stats := e.Stats()
	if err := stats.Check(); err != nil {
		r.complain(err)
	}
	if stopped {
		r.complain(errors.New("stopped by a signal; the capture was not read to its end"))
	}
	if r.wrong > 0 {
		return errSaid
	}
	return nil
}

// apart takes errors.Join apart.
func apart(err error) []error {
	var joined interface{ Unwrap() []error }
	switch {
	case err == nil:
		return nil
	case errors.As(err, &joined):
		return joined.Unwrap()
	}
	return []error{err}
}

// sieve lets through what the filter does, which sees clear values, adds what is looked
// up, and masks it.
type sieve struct {
	filter  *filter
	numbers *enrich.Numbers
	masker  event.Masker // nil: nothing is private
	clear   event.Event
	masked  event.Event
	to      printer
}

// Put implements engine.Sink.
func (s *sieve) Put(e *event.Event) {
	if !s.filter.match(e) {
		return
	}
	s.clear.CopyFrom(e)
	e = &s.clear
	s.numbers.Add(e)
	if s.masker != nil {
		e.Mask(s.masker, &s.masked)
		e = &s.masked
	}
	s.to.Put(e)
}

// stickyWriter remembers the first error and stops the run.
type stickyWriter struct {
	to     io.Writer
	err    error
	failed func()
}

func (w *stickyWriter) Write(b []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.to.Write(b)
	if err != nil {
		w.err = err
		w.failed()
	}
	return n, err
}

// colour tells whether f is a terminal that may get colours (no-color.org).
func colour(f *os.File) bool {
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && isatty.IsTerminal(f.Fd())
}

// ndjson writes events as JSON, one a line.
type ndjson struct {
	w *bufio.Writer
	r event.Renderer
	b []byte
}

// Put implements engine.Sink.
func (p *ndjson) Put(e *event.Event) {
	p.b = append(p.r.Append(p.b[:0], e, nil), '\n')
	p.w.Write(p.b)
}

func (p *ndjson) finish() {}
