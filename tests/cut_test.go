package tests

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/engine"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
	"github.com/sipcmbeat/sipcmbeat/internal/track"
)

// TestCut: a capture that is cut in two behind any tenth packet, and read by two runs
// with the state of the first saved for the second, gives the same events as the whole:
// the same ids and fields in the same order, event.sequence aside.
func TestCut(t *testing.T) {
	for _, pattern := range []string{"golden/*/in.pcap", "captures/*.pcap"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal("no captures", err)
		}
		for _, file := range files {
			t.Run(file, func(t *testing.T) { Cut(t, file, 10) })
		}
	}
}

// Cut cuts one capture behind every so many packets.
func Cut(t *testing.T, file string, every int) {
	all := frames(t, file)
	want := cutLines(runs(t, all))
	for at := every; at < len(all); at += every {
		if got := cutLines(runs(t, all[:at], all[at:])); !bytes.Equal(got, want) {
			t.Fatalf("cut behind packet %d of %d:\n%s", at, len(all), firstDifference(got, want))
		}
	}
	var pieces [][]packet.Frame
	for at := 0; at < len(all); at += every {
		pieces = append(pieces, all[at:min(at+every, len(all))])
	}
	if got := cutLines(runs(t, pieces...)); !bytes.Equal(got, want) {
		t.Errorf("cut into %d:\n%s", len(pieces), firstDifference(got, want))
	}
}

var sequence = regexp.MustCompile(`"sequence":\d+,?`)

func cutLines(b []byte) []byte { return sequence.ReplaceAll(b, nil) }

// frames reads a capture into memory.
func frames(t *testing.T, file string) (all []packet.Frame) {
	t.Helper()
	files := capture.DefaultFilesConfig()
	files.Paths = []string{file}
	src, err := capture.NewFiles(files)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var f packet.Frame
	for {
		err := src.Next(&f)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			continue
		}
		kept := f
		kept.Data = bytes.Clone(f.Data)
		all = append(all, kept)
	}
}

// piece is a source of some frames of a capture.
type piece struct {
	left []packet.Frame
	buf  []byte
}

func (p *piece) Next(f *packet.Frame) error {
	if len(p.left) == 0 {
		return io.EOF
	}
	*f = p.left[0]
	p.buf = append(p.buf[:0], f.Data...)
	f.Data, p.left = p.buf, p.left[1:]
	return nil
}

func (p *piece) Name() string         { return "in.pcap" }
func (p *piece) Stats() capture.Stats { return capture.Stats{} }
func (p *piece) Close() error         { return nil }

// runs reads the pieces of a capture, one engine after the other, and gives the events
// of all.
func runs(t *testing.T, pieces ...[]packet.Frame) []byte {
	t.Helper()
	type part struct {
		kind byte
		b    []byte
	}
	var saved []part
	var l lines
	for i, some := range pieces {
		cfg := engine.DefaultConfig()
		cfg.Keep = len(pieces) > 1
		if i < len(pieces)-1 {
			cfg.Flush = track.FlushNone
		}
		e := engine.New(cfg, []engine.Input{{Source: &piece{left: some}}}, &l)
		if i > 0 {
			r := e.Restoring()
			for _, p := range saved {
				if err := r.Part(p.kind, p.b); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := r.Done(0); err != nil {
				t.Fatal(err)
			}
		}
		if err := e.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		s := e.Stats()
		if err := s.Check(); err != nil {
			t.Error(err)
		}
		saved = nil
		err := e.Save(func(kind byte, b []byte) error {
			saved = append(saved, part{kind, bytes.Clone(b)})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return l.b
}

// TestCutShared does the same with the captures of the laboratory and of other projects
// that stand beside the checkout: every kind of transport and tunnel. Long ones are cut
// less often.
func TestCutShared(t *testing.T) {
	files, _ := filepath.Glob(siptest.Shared(t, "lab") + "/*/*.pcap*")
	more, _ := filepath.Glob(siptest.Shared(t, "corpus") + "/*/*.pcap*")
	files = append(files, more...)
	if len(files) == 0 {
		t.Fatal("no captures")
	}
	for _, file := range files {
		t.Run(filepath.Base(filepath.Dir(file))+"/"+filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			every := 10
			if n := len(frames(t, file)); n > most {
				every = n / most * 10
			}
			Cut(t, file, every)
		})
	}
}

// most is how many packets a capture may have that is cut behind every tenth.
const most = 100
