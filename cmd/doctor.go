package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/elastic/beats/v7/libbeat/cfgfile"
	conf "github.com/elastic/elastic-agent-libs/config"

	"github.com/sipcmbeat/sipcmbeat/beater"
	"github.com/sipcmbeat/sipcmbeat/config"
	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/doctor"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/privacy"
)

// examine is the command doctor: it looks at what the program would see, for a few
// seconds, and writes a page about it.
type examine struct {
	iface   string
	span    time.Duration
	files   []string
	noProbe bool

	out  io.Writer
	cfg  *config.Config
	bad  int
	exam *doctor.Exam

	mu     sync.Mutex // of exam and what follows
	lost   doctor.Losses
	opened []opened

	packets bool // an input has packets, even where nobody sends
}

// opened is a source, and its input.
type opened struct {
	capture.Source
	in *config.Input
}

func newDoctor() *cobra.Command {
	var d examine
	c := &cobra.Command{
		Use:   "doctor [FILE...]",
		Short: "Say what is seen of SIP and what is not, and why",
		Long: `Looks at an interface for a few seconds (or at capture files) without the kernel's
filter, listens where HEP is taken, and says what is seen and what is not: packets, SIP,
one direction only, ports that are not listed, TLS, VLANs, fragments, losses; and whether
the output can be reached. Lines with BAD say what to do. The exit status is 1 if there
is one.`,
		Example: `  sipcmbeat doctor -i eth0
  sipcmbeat doctor -c /etc/sipcmbeat/sipcmbeat.yml --for 30s
  sipcmbeat doctor trace.pcap`,
	}
	f := c.Flags()
	f.StringVarP(&d.iface, "interface", "i", "", "the interface to look at, in place of the configured ones")
	f.DurationVar(&d.span, "for", 5*time.Second, "how long to look")
	f.BoolVar(&d.noProbe, "no-output", false, "do not try the output")
	c.RunE = func(c *cobra.Command, args []string) error {
		d.out, d.files = c.OutOrStdout(), args
		if len(args) > 0 && d.iface != "" {
			return usageError{errors.New("doctor: -i and files are both given; take one")}
		}
		if d.span < 100*time.Millisecond || d.span > time.Hour {
			return usageError{fmt.Errorf("doctor: --for %v is not allowed; allowed: 100ms to 1h", d.span)}
		}
		return d.run(c)
	}
	return c
}

func (d *examine) run(c *cobra.Command) error {
	fmt.Fprintf(d.out, "sipcmbeat %s, %s\n", Version, time.Now().UTC().Format("2006-01-02 15:04:05 UTC"))
	if err := d.configure(c); err != nil {
		d.say(doctor.Finding{Verdict: doctor.Bad, About: "configuration", Text: err.Error()})
		return errSaid
	}
	e := &d.cfg.Engine
	d.exam = doctor.New(doctor.Config{Packet: e.Packet, Stream: e.Stream, Ports: e.Ports, WebSocketPorts: e.WebSocketPorts, Mask: maskOf(d.cfg)})
	began := time.Now()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if seen := d.look(ctx); seen && (d.packets || d.exam.Seen()) {
		for _, f := range d.exam.Report(time.Since(began), d.lost) {
			d.say(f)
		}
	}
	if len(d.files) == 0 && !d.noProbe && ctx.Err() == nil {
		d.output()
	}
	if d.bad > 0 {
		return errSaid
	}
	return nil
}

// maskOf masks addresses while they are private; nil leaves them. Of a passphrase it makes
// no key, since that may have to write a file: they are left out then.
func maskOf(cfg *config.Config) func(netip.Addr) netip.Addr {
	if cfg.Privacy.Modes[event.Addresses] == privacy.Clear {
		return nil
	}
	if cfg.Privacy.Key != (privacy.Key{}) {
		if s, err := privacy.New(cfg.Privacy); err == nil {
			return s.Addr
		}
	}
	return func(netip.Addr) netip.Addr { return netip.Addr{} }
}

// say writes a line, and one about what to do.
func (d *examine) say(f doctor.Finding) {
	if f.Verdict == doctor.Bad {
		d.bad++
	}
	line := func(word, about, text string) {
		fmt.Fprintln(d.out, strings.TrimRight(fmt.Sprintf("%-4s  %-13s  %s", word, about, appendPlain(nil, []byte(text))), " "))
	}
	line(f.Verdict.String(), f.About, f.Text)
	if f.Advice != "" {
		line("", "", "-> "+f.Advice)
	}
}

// configure reads what run would: the file of -c or the usual one, if it is there.
func (d *examine) configure(c *cobra.Command) error {
	section, err := d.section(c)
	if err != nil {
		return err
	}
	if d.cfg, err = config.New(section); err != nil {
		return err
	}
	for _, w := range d.cfg.Warnings {
		d.say(doctor.Finding{Verdict: doctor.Note, About: "configuration", Text: w})
	}
	switch {
	case len(d.files) > 0:
		return d.cfg.ReadFiles(d.files)
	case d.iface != "":
		d.cfg.Inputs = []config.Input{d.cfg.Inputs[0]}
		in := &d.cfg.Inputs[0]
		in.Type, in.Iface, in.Name = config.LiveInput, []string{d.iface}, d.iface
	}
	return nil
}

// section is our part of the configuration, nil when there is none.
func (d *examine) section(c *cobra.Command) (*conf.C, error) {
	if f := c.Flags().Lookup("c"); f == nil || !f.Changed {
		if err := cfgfile.HandleFlags(); err != nil {
			return nil, err
		}
		usual := cfgfile.GetDefaultCfgfile()
		if !filepath.IsAbs(usual) {
			usual = filepath.Join(cfgfile.GetPathConfig(), usual)
		}
		if _, err := os.Stat(usual); err != nil {
			d.noProbe = true
			d.say(doctor.Finding{Verdict: doctor.Note, About: "configuration", Text: "none is given: defaults, and no output to try", Advice: "-c FILE"})
			return userSection(c)
		}
		all, err := cfgfile.Load("", nil)
		if err != nil || !all.HasField(config.Section) {
			return nil, err
		}
		return all.Child(config.Section, -1)
	}
	return userSection(c)
}

// look opens the inputs and examines what they give. It reports whether there was one
// that could be opened.
func (d *examine) look(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, d.span)
	defer cancel()
	began := time.Now()
	var wg sync.WaitGroup
	for i := range d.cfg.Inputs {
		in := &d.cfg.Inputs[i]
		sources, hidden, err := d.open(in)
		if err != nil {
			d.say(unopened(in, err))
			continue
		}
		d.say(doctor.Finding{Verdict: doctor.Fine, About: "capture", Text: in.Name})
		for _, s := range sources {
			d.opened = append(d.opened, opened{s, in})
			wg.Go(func() { d.read(ctx, s, hidden) })
		}
	}
	if len(d.opened) == 0 {
		return false
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done: // files
	case <-ctx.Done():
	}
	for _, s := range d.opened {
		go s.Close()
	}
	<-done
	for _, s := range d.opened {
		st := s.Stats()
		if listens(s.in) {
			for _, f := range listened(s.in.Name, time.Since(began), st) {
				d.say(f)
			}
			continue
		}
		d.packets = true
		d.lost.Kernel += st.KernelDrops
		d.lost.Interface += st.InterfaceDrops
	}
	return true
}

// open opens an input without its filter, and gives what the filter would hide.
func (d *examine) open(in *config.Input) (sources []capture.Source, hidden func(*packet.Frame) bool, err error) {
	if in.Type == config.FileInput {
		files, err := capture.NewFiles(in.Files)
		return []capture.Source{files}, nil, err
	}
	if listens(in) {
		h, err := capture.NewHEP(in.HEP)
		if err != nil {
			return nil, nil, in.Explain(err)
		}
		return []capture.Source{h}, nil, nil
	}
	l := beater.LiveConfig(in, d.cfg)
	passes, err := l.Matcher(packet.LinkEthernet)
	if err != nil {
		return nil, nil, err
	}
	sources, err = openUnfiltered(l)
	return sources, func(f *packet.Frame) bool {
		return passes != nil && f.Link == packet.LinkEthernet && !passes(f)
	}, err
}

// read examines one source to its end.
func (d *examine) read(ctx context.Context, s capture.Source, hidden func(*packet.Frame) bool) {
	var f packet.Frame
	for n := 0; ; n++ {
		switch err := s.Next(&f); {
		case err == nil:
			d.mu.Lock()
			d.exam.Frame(&f, hidden != nil && hidden(&f))
			d.mu.Unlock()
		case errors.Is(err, io.EOF):
			return
		case errors.Is(err, capture.ErrIdle):
		default:
			d.mu.Lock()
			d.say(doctor.Finding{Verdict: doctor.Bad, About: "capture", Text: err.Error()})
			d.mu.Unlock()
		}
		if n%1024 == 0 && ctx.Err() != nil && len(d.files) > 0 {
			return
		}
	}
}

// untestable is what libbeat says of an output that it cannot try.
const untestable = "output doesn't support testing"

// output lets libbeat try the output: its command test output, in a process of its
// own, which it would end.
func (d *examine) output() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		d.say(doctor.Finding{Verdict: doctor.Note, About: "output", Text: "not tried: " + err.Error()})
		return
	}
	var said bytes.Buffer
	home, err := os.MkdirTemp("", "sipcmbeat-doctor-")
	if err != nil {
		d.say(doctor.Finding{Verdict: doctor.Note, About: "output", Text: "not tried: " + err.Error()})
		return
	}
	defer os.RemoveAll(home)
	args := append([]string{"test", "output"}, settingsOf(os.Args[1:])...)
	args = append(args, "--path.data", filepath.Join(home, "data"), "--path.logs", filepath.Join(home, "logs"))
	test := exec.CommandContext(ctx, self, args...)
	test.Stdout, test.Stderr = &said, &said
	err = test.Run()
	text := strings.TrimSpace(said.String())
	last := text[strings.LastIndexByte(text, '\n')+1:]
	first, _, _ := strings.Cut(text, "\n")
	switch {
	case strings.Contains(text, untestable):
		d.say(doctor.Finding{Verdict: doctor.Fine, About: "output", Text: strings.TrimSuffix(last, untestable) + "output; it is not tried"})
	case err != nil:
		d.say(doctor.Finding{Verdict: doctor.Bad, About: "output", Text: strings.TrimSuffix(first, "...") + ": " + strings.TrimSpace(last),
			Advice: "sipcmbeat test output says each step"})
	default:
		d.say(doctor.Finding{Verdict: doctor.Fine, About: "output", Text: strings.TrimSuffix(first, "...") + " can be reached"})
	}
}

// settingsOf gives the flags of a command line that say where the configuration is and
// what it holds.
func settingsOf(all []string) (args []string) {
	for i := 0; i < len(all); i++ {
		flag := settingFlag.FindString(all[i])
		if flag == "" {
			continue
		}
		args = append(args, all[i])
		if flag == all[i] && !strings.HasSuffix(flag, "=") && flag != "--strict.perms" && i+1 < len(all) {
			i++
			args = append(args, all[i])
		}
	}
	return args
}

var settingFlag = regexp.MustCompile(`^(-[ehvN]*[cE]|--(c|E|path\.home|path\.config|strict\.perms)(=|$))`)
