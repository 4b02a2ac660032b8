// Package perturb damages captures the way networks and mirrors do, and looks
// whether the events stay true: packets lost, doubled, and out of order.
//
// The whole engine runs, without libbeat. What holds, and what is allowed, is in
// judge_test.go; how captures are damaged in change_test.go.
package perturb

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/engine"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

var keepIn = flag.String("keep", "", "directory to write the damaged captures into, to look at them")

const beside = "../../../shared"

// TestLab: the captures of the laboratory beside the checkout. Where they are missing
// it says so, and fails when CI=true.
func TestLab(t *testing.T) {
	var files []string
	for _, pattern := range []string{"/lab/*/*.pcap*", "/lab/*/*/*.pcap*"} {
		found, err := filepath.Glob(beside + pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) == 0 {
		const why = "the captures beside the checkout (../shared) are missing"
		if os.Getenv("CI") == "true" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	perturbAll(t, files, beside+"/lab/")
}

// TestShipped: the captures that come with the sources.
func TestShipped(t *testing.T) {
	var files []string
	for _, pattern := range []string{"../golden/*/in.pcap", "../captures/*.pcap"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatal("no captures", pattern, err)
		}
		files = append(files, found...)
	}
	perturbAll(t, files, "../")
}

// perturbAll runs every change over every capture; a subtest's name is the capture,
// the change and its seed, so that one can be run alone.
func perturbAll(t *testing.T, files []string, prefix string) {
	for _, file := range files {
		name := strings.ReplaceAll(strings.TrimPrefix(file, prefix), "/", ":")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			frames := load(t, file)
			end := afterwards(frames)
			clean := run(t, append(slices.Clip(frames), end))
			for _, c := range changes {
				seeds := c.seeds
				if len(frames) > manyFrames {
					seeds = 1
				}
				for seed := range seeds {
					t.Run(fmt.Sprintf("%s,seed=%d", c.name, seed), func(t *testing.T) {
						changed := append(c.make(frames, newDice(name, c.name, seed)), end)
						c.judge(t, clean, run(t, changed))
						if *keepIn != "" {
							write(t, filepath.Join(*keepIn, name+","+c.name+","+fmt.Sprint(seed)+".pcap"), changed)
						}
						if t.Failed() {
							t.Logf("run only this: go test ./tests/perturb -run '%s'", exactly(t.Name()))
						}
					})
				}
			}
		})
	}
}

// manyFrames is from where on a capture has enough of everything for one seed.
const manyFrames = 20000

// afterwards is a frame that says nothing, an hour and a half after the last of frames: the end of
// a capture labels what waits for a timer, and here the timers are to decide.
func afterwards(frames []packet.Frame) packet.Frame {
	at := int64(0)
	for _, f := range frames {
		at = max(at, f.Time)
	}
	data := siptest.UDPFrame(netip.MustParseAddrPort("192.0.2.1:9"), netip.MustParseAddrPort("192.0.2.2:9"), []byte("nothing"))
	return packet.Frame{Time: at + int64(90*time.Minute), Link: packet.LinkEthernet, Data: data, Wire: len(data)}
}

// exactly is the pattern that chooses one subtest.
func exactly(name string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		parts[i] = "^" + strings.NewReplacer("%", "%", ".", "[.]", "+", "[+]").Replace(p) + "$"
	}
	return strings.Join(parts, "/")
}

// load reads all frames of a capture. What is behind damage of the file is left out,
// as the program does.
func load(t *testing.T, file string) []packet.Frame {
	t.Helper()
	cfg := capture.DefaultFilesConfig()
	cfg.Paths = []string{file}
	src, err := capture.NewFiles(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var frames []packet.Frame
	for {
		var f packet.Frame
		err := src.Next(&f)
		switch {
		case err == nil:
			f.Data = append([]byte(nil), f.Data...)
			frames = append(frames, f)
		case errors.Is(err, io.EOF):
			return frames
		}
	}
}

// list is a source of frames that are there already.
type list struct {
	frames []packet.Frame
	buf    []byte
}

func (l *list) Next(f *packet.Frame) error {
	if len(l.frames) == 0 {
		return io.EOF
	}
	*f = l.frames[0]
	l.buf = append(l.buf[:0], f.Data...)
	f.Data = l.buf
	l.frames = l.frames[1:]
	return nil
}

func (l *list) Name() string         { return "list" }
func (l *list) Stats() capture.Stats { return capture.Stats{} }
func (l *list) Close() error         { return nil }

// outcome is what one run gave: its events, and the messages that reached the tracker.
type outcome struct {
	events   []record
	messages messages
}

// run sends frames through the whole engine, as from a file.
func run(t *testing.T, frames []packet.Frame) outcome {
	t.Helper()
	o := outcome{messages: messages{}}
	cfg := engine.DefaultConfig()
	cfg.Tap = func(p *packet.Packet, m *sip.Message) { o.messages.note(p, m) }
	e := engine.New(cfg, []engine.Input{{Source: &list{frames: frames}}}, &o)
	if err := e.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	stats := e.Stats()
	if err := stats.Check(); err != nil {
		t.Error(err)
	}
	return o
}

// Put implements engine.Sink.
func (o *outcome) Put(e *event.Event) { o.events = append(o.events, keep(e)) }

// write makes a capture file of frames (pcap with nanoseconds).
func write(t *testing.T, file string, frames []packet.Frame) {
	t.Helper()
	order := binary.LittleEndian
	b := order.AppendUint32(nil, 0xa1b23c4d)
	b = append(b, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0) // version, zone, accuracy, snap length
	b = order.AppendUint32(b, uint32(frames[0].Link))
	for _, f := range frames {
		b = order.AppendUint32(order.AppendUint32(b, uint32(f.Time/1e9)), uint32(f.Time%1e9))
		b = order.AppendUint32(order.AppendUint32(b, uint32(len(f.Data))), uint32(f.Wire))
		b = append(b, f.Data...)
	}
	if err := os.WriteFile(file, b, 0o644); err != nil {
		t.Fatal(err)
	}
}
