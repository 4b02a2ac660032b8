// Package engine calls the stages in order: capture, packet, stream, sip, track, sink.
// It owns the goroutine of a lane, the clock of a live source, and the shutdown.
//
// It decides nothing about SIP and renders nothing. A frame is borrowed from the
// source for one turn; the events that leave are borrowed by the sink for one Put.
package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/stream"
	"github.com/sipcmbeat/sipcmbeat/internal/track"
)

// Config is what an engine needs to know besides its source and its sink.
type Config struct {
	Packet          packet.Config
	Stream          stream.Config
	Track           track.Config
	Ports           []uint16      // SIP ports
	WebSocketPorts  []uint16      // ports of WebSocket: a connection is followed from its handshake
	AnyPort         bool          // take SIP on any other port too, over WebSocket as well
	DedupWindow     time.Duration // for mirror duplicates; 0 is off
	KeepaliveProbes bool          // keep-alives are msg-probe events
	Flush           track.Flush   // at the end of the last file
	Live            bool          // the source is an interface: its name is one, and the clock goes on without packets

	// Fault is told of a frame that this program failed on, which it borrows. It may
	// be nil.
	Fault func(f *packet.Frame, cause any)

	// Dump, when set, keeps messages.
	Dump Dumper

	// Tap, when set, sees each message that could be parsed before the tracker
	// does. It borrows both until it returns.
	Tap func(p *packet.Packet, m *sip.Message)

	// Copy, when set, is given the same for another program. It borrows both until it
	// returns and must not wait; lanes call it at the same time.
	Copy func(p *packet.Packet, m *sip.Message)
}

// Dumper keeps messages for those who want to look at them later. It borrows what it
// is given until it returns, copies, and does not hold the lane. Message gets every
// message that has a Call-ID, before the tracker does, also one that cannot be used;
// Event gets every event before the sink, and may name a file in it.
type Dumper interface {
	Message(p *packet.Packet, m *sip.Message)
	Event(e *event.Event)
}

// DefaultConfig is right for capture files.
func DefaultConfig() Config {
	return Config{
		Packet:      packet.DefaultConfig(),
		Stream:      stream.DefaultConfig(),
		Track:       track.DefaultConfig(),
		Ports:       []uint16{5060, 5080},
		AnyPort:     true,
		DedupWindow: 100 * time.Millisecond,

		WebSocketPorts: []uint16{80, 8080},
	}
}

// Sink takes events. Put borrows e until it returns; it may block, which holds
// the lane.
type Sink interface {
	Put(e *event.Event)
}

// Engine runs one lane.
type Engine struct {
	src   capture.Source
	lane  *lane
	turns turner
	name  string
	turn  int
	snap  chan chan Stats
	done  chan struct{}
}

// New builds an Engine and starts nothing.
func New(cfg Config, src capture.Source, sink Sink) *Engine {
	e := &Engine{src: src, lane: newLane(cfg, sink), snap: make(chan chan Stats), done: make(chan struct{})}
	e.turns, _ = src.(turner)
	return e
}

// turner is a source that reads its files more than once.
type turner interface{ Turn() int }

// Run reads the source to its end, or until ctx is done, and decides at the end
// what waits only for a timer (files) or nothing (live). The error joins what was
// wrong with single files; what came before and after it was read.
func (e *Engine) Run(ctx context.Context) error {
	defer close(e.done)
	var f packet.Frame
	var wrong []error
	for n := uint(0); ; n++ {
		if n&63 == 0 {
			select {
			case <-ctx.Done():
				return errors.Join(wrong...)
			case reply := <-e.snap:
				reply <- e.stats()
			default:
			}
		}
		err := e.src.Next(&f)
		switch {
		case err == nil:
			e.named()
			e.lane.guard(&f)
		case errors.Is(err, capture.ErrIdle):
			e.lane.dec.Advance(f.Time)
			e.lane.advance(f.Time)
			n = ^uint(0) // look at the context now
		case errors.Is(err, io.EOF):
			if !e.lane.cfg.Live {
				e.lane.end()
			}
			return errors.Join(wrong...)
		case ctx.Err() != nil:
			return errors.Join(wrong...)
		default:
			wrong = append(wrong, err)
			if e.lane.cfg.Live || len(wrong) > maxWrong {
				return fmt.Errorf("capture stopped: %w", errors.Join(wrong...))
			}
		}
	}
}

// maxWrong bounds the errors of one run: a source that fails for ever ends it.
const maxWrong = 10000

// named tells the tracker where the frame came from, when that changed.
func (e *Engine) named() {
	name, turn := e.src.Name(), 0
	if e.turns != nil {
		turn = e.turns.Turn()
	}
	if name == e.name && turn == e.turn {
		return
	}
	if turn != e.turn {
		e.lane.restart()
	}
	e.name, e.turn = name, turn
	if e.lane.cfg.Live {
		e.lane.track.SetSource("", name, 0)
	} else {
		e.lane.track.SetSource(name, "", turn)
	}
}

func (e *Engine) stats() Stats {
	s := e.lane.stats
	s.Capture, s.Packet, s.Stream, s.Track = e.src.Stats(), e.lane.dec.Stats(), e.lane.stream.Stats(), e.lane.track.Stats()
	return s
}

// Stats asks the lane for its counters; it waits for the frame in work. After Run
// has returned it reads them at rest.
func (e *Engine) Stats() Stats {
	reply := make(chan Stats, 1)
	select {
	case e.snap <- reply:
		return <-reply
	case <-e.done:
		return e.stats()
	}
}
