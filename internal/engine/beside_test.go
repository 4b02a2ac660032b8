package engine

import (
	"context"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// slow is a live source whose first tick comes late.
type slow struct {
	asked  chan struct{} // a file was read
	ticked *atomic.Bool
	ended  chan struct{}
}

func (s *slow) Next(f *packet.Frame) error {
	if s.ticked.Load() {
		<-s.ended // the file is read to its end
		return io.EOF
	}
	select {
	case <-s.asked:
	case <-time.After(50 * time.Millisecond):
	}
	s.ticked.Store(true)
	f.Time = time.Now().UnixNano()
	return capture.ErrIdle
}

func (s *slow) Name() string         { return "eth0" }
func (s *slow) Stats() capture.Stats { return capture.Stats{} }
func (s *slow) Close() error         { return nil }

// patient is a file that notes when it is first read.
type patient struct {
	frames
	live  *slow
	early bool
}

func (p *patient) Next(f *packet.Frame) error {
	if !p.live.ticked.Load() {
		p.early = true
		close(p.live.asked)
	}
	err := p.frames.Next(f)
	if err == io.EOF {
		close(p.live.ended)
	}
	return err
}

// TestFileWaitsForTheClock: beside an interface no packet of a file is looked at
// before the clock is now. Its leap in the middle of a call would be a timeout.
func TestFileWaitsForTheClock(t *testing.T) {
	live := &slow{asked: make(chan struct{}), ticked: new(atomic.Bool), ended: make(chan struct{})}
	file := &patient{frames: frames{all: []packet.Frame{udp(0, "192.0.2.1:5060", "192.0.2.2:5060", options)}}, live: live}
	var k keeper
	e := New(DefaultConfig(), []Input{{Source: live, Name: "eth0", Live: true}, {Source: file, Name: "file"}}, &k)
	if err := e.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if file.early {
		t.Error("the file was read before the live input had a time")
	}
	if s := e.Stats(); s.Datagrams[Message] != 1 {
		t.Errorf("%v", s.Datagrams)
	}
}
