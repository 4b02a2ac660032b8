package live

import (
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// lasting is a capture that outlives its interface: one that goes away is said once,
// waited for, opened again and counted.
type lasting struct {
	cfg    Config
	worker int

	mu     sync.Mutex // of what follows; not held while a Next waits
	now    capture.Source
	before capture.Stats // of what was open earlier
	closed bool

	gone bool // for the goroutine that calls Next
	quit chan struct{}
}

func newLasting(cfg Config, worker int) (*lasting, error) {
	s, err := openOne(cfg, worker)
	if err != nil {
		return nil, err
	}
	return &lasting{cfg: cfg, worker: worker, now: s, quit: make(chan struct{})}, nil
}

// Next implements capture.Source.
func (s *lasting) Next(f *packet.Frame) error {
	if s.gone {
		return s.wait(f)
	}
	err := s.now.Next(f)
	if err == nil || err == capture.ErrIdle || err == io.EOF {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return io.EOF
	}
	s.gone = true
	last := s.now.Stats()
	s.before.Add(&last)
	s.before.Outages++
	s.now.Close()
	return fmt.Errorf("%w; waiting for it", err)
}

// wait waits for the interface for a moment.
func (s *lasting) wait(f *packet.Frame) error {
	pause := time.NewTimer(s.cfg.Timeout)
	defer pause.Stop()
	select {
	case <-s.quit:
		return io.EOF
	case <-pause.C:
	}
	f.Time = time.Now().UnixNano()
	if s.cfg.Iface != allIfaces {
		if i, err := net.InterfaceByName(s.cfg.Iface); err != nil || i.Flags&net.FlagUp == 0 {
			return capture.ErrIdle
		}
	}
	again, err := openOne(s.cfg, s.worker)
	if err != nil {
		return capture.ErrIdle // not ready yet
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now, s.gone = again, false
	if s.closed {
		s.now.Close()
		return io.EOF
	}
	if s.cfg.Note != nil {
		s.cfg.Note(fmt.Sprintf("interface %s is back", s.cfg.Iface))
	}
	return capture.ErrIdle
}

// Name implements capture.Source.
func (s *lasting) Name() string { return s.cfg.Iface }

// Stats implements capture.Source.
func (s *lasting) Stats() capture.Stats {
	s.mu.Lock()
	now, sum, gone := s.now, s.before, s.gone
	s.mu.Unlock()
	if !gone {
		last := now.Stats()
		sum.Add(&last)
	}
	return sum
}

// Close implements capture.Source.
func (s *lasting) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.quit)
	}
	now := s.now
	s.mu.Unlock()
	return now.Close()
}
