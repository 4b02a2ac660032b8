package beater

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/mattn/go-isatty"

	"github.com/sipcmbeat/sipcmbeat/config"
	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/capture/live"
	"github.com/sipcmbeat/sipcmbeat/internal/engine"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// check looks at everything about an input that can be known without opening it.
func check(in *config.Input, cfg *config.Config) error {
	switch in.Type {
	case config.FileInput:
		if slices.Contains(in.Pcap, "-") && isatty.IsTerminal(os.Stdin.Fd()) {
			return in.Explain(errors.New("pcap: - reads a capture from standard input, which is a terminal here"))
		}
		_, err := openFiles(in)
		return err
	case config.LiveInput:
		if err := LiveConfig(in, cfg).Validate(); err != nil {
			return in.Explain(err)
		}
	case config.HEPInput:
		if err := in.HEP.CheckFiles(); err != nil {
			return in.Explain(err)
		}
	}
	return nil
}

// open starts an input. An interface has a source for each of its workers.
func open(in *config.Input, cfg *config.Config, mask func() event.Masker, note func(string)) (sources []capture.Source, err error) {
	switch in.Type {
	case config.FileInput:
		return openFiles(in)
	case config.LiveInput:
		l := LiveConfig(in, cfg)
		l.Note = note
		for _, w := range l.Warnings() {
			note(in.Explain(fmt.Errorf("bpf: %s", w)).Error())
		}
		sources, err := live.Open(l)
		if errors.Is(err, live.ErrBPF) {
			err = in.Explain(err)
		}
		return sources, err
	}
	h, err := listen(in, mask, note)
	if err != nil {
		return nil, in.Explain(err)
	}
	return []capture.Source{h}, nil
}

// listen starts to take HEP, or copies of messages. Whoever is not heard is told of, by
// the masked address where mask gives something.
func listen(in *config.Input, mask func() event.Masker, note func(string)) (*capture.HEP, error) {
	cfg := in.HEP
	cfg.Refused = func(r capture.Refusal) { note(refusedLine(in.Name, r, mask)) }
	return capture.NewHEP(cfg)
}

func refusedLine(input string, r capture.Refusal, mask func() event.Masker) string {
	if m := mask(); m != nil && r.Peer.IsValid() {
		r.Peer = m.Addr(r.Peer)
	}
	return fmt.Sprintf("input %s: %v", input, r)
}

// openAll starts all inputs, or none. note is told what the user may want to know.
func openAll(cfg *config.Config, mask func() event.Masker, note func(string)) (inputs []engine.Input, err error) {
	for i := range cfg.Inputs {
		in := &cfg.Inputs[i]
		sources, err := open(in, cfg, mask, note)
		if err != nil {
			closeAll(inputs)
			return nil, err
		}
		for _, s := range sources {
			inputs = append(inputs, engine.Input{Source: s, Name: in.Name, Live: in.Live(), Place: in.Place, AnyPort: in.AnyPort})
		}
	}
	return inputs, nil
}

// closeAll lets every Next that waits return. Live, what the kernel has captured is
// still delivered, then io.EOF; from a file nothing more comes.
func closeAll(inputs []engine.Input) {
	for _, in := range inputs {
		go in.Source.Close() // may wait for a Next in another goroutine
	}
}

// LiveConfig is the part of the configuration that package live takes.
func LiveConfig(in *config.Input, cfg *config.Config) live.Config {
	l := live.DefaultConfig()
	l.Iface, l.Filter, l.Snaplen = in.Iface[0], in.BPF, in.Snaplen
	l.Promisc, l.BufferKB = in.Promiscuous, in.PcapBufKB
	l.Capture, l.Workers, l.FanoutGroup, l.BlockSize = in.Capture, in.Workers, in.FanoutGroup, int(in.BlockSize)
	l.Auto = cfg.Filter
	return l
}

// openFiles looks whether the files are there.
func openFiles(in *config.Input) ([]capture.Source, error) {
	files, err := capture.NewFiles(in.Files)
	if err != nil {
		return nil, in.Explain(fmt.Errorf("pcap: %w", err))
	}
	return []capture.Source{files}, nil
}
