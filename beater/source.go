package beater

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/sipcmbeat/sipcmbeat/config"
	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/capture/live"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// source is what frames come from, with one addition: a stop in the middle of a
// file is not its end.
type source struct {
	capture.Source
	live    bool
	stopped atomic.Bool
	ended   atomic.Bool // read to its end
}

// errStopped ends an engine without the decisions of the end of a capture.
var errStopped = errors.New("stopped")

// Next implements capture.Source.
func (s *source) Next(f *packet.Frame) error {
	err := s.Source.Next(f)
	if err == io.EOF && !s.live && s.stopped.Load() {
		return errStopped
	}
	if err == io.EOF {
		s.ended.Store(true)
	}
	return err
}

// Turn is how often all files have been read before.
func (s *source) Turn() int {
	if t, ok := s.Source.(interface{ Turn() int }); ok {
		return t.Turn()
	}
	return 0
}

// stop lets a Next that waits return. Live, what the kernel has captured is still
// delivered, then io.EOF; from a file nothing more comes.
func (s *source) stop() {
	s.stopped.Store(true)
	go s.Close() // may wait for a Next in another goroutine
}

// liveConfig is the part of c that package live takes.
func liveConfig(c *config.Config) live.Config {
	l := live.DefaultConfig()
	l.Iface, l.Filter, l.Snaplen = c.Iface, c.BPF, c.Snaplen
	l.Promisc, l.BufferKB = c.Promiscuous, c.PcapBufKB
	l.Auto = c.Filter
	return l
}

// openFiles looks whether the files are there.
func openFiles(c *config.Config) (capture.Source, error) {
	files, err := capture.NewFiles(c.Files)
	if err != nil {
		return nil, fmt.Errorf("%s.pcap: %w", config.Section, err)
	}
	return files, nil
}
