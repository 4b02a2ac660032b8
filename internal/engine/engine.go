// Package engine calls the stages in order: capture, packet, stream, sip, track, limit, sink.
// It owns the lanes with their goroutines, the clock of live sources, and the shutdown.
//
// It decides nothing about SIP and renders nothing. A frame is borrowed from the
// source for one turn; the events that leave are borrowed by the sink for one Put.
package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/kpi"
	"github.com/sipcmbeat/sipcmbeat/internal/limit"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/recent"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/stream"
	"github.com/sipcmbeat/sipcmbeat/internal/track"
)

// Config is what an engine needs to know besides its inputs and its sink.
type Config struct {
	Packet          packet.Config
	Stream          stream.Config
	Track           track.Config
	Ports           []uint16       // SIP ports
	WebSocketPorts  []uint16       // ports of WebSocket: a connection is followed from its handshake
	AnyPort         bool           // take SIP on any other port too, over WebSocket as well, from every input
	DedupWindow     time.Duration  // for mirror duplicates; 0 is off
	Internal        []netip.Prefix // networks within the perimeter, for network.direction; none: it is left out
	KeepaliveProbes bool           // keep-alives are msg-probe events
	Flush           track.Flush    // at the end of the last file
	Keep            bool           // what is going on is saved after it: with FlushNone the end cuts nothing off
	Messages        bool           // each message that could be parsed is a record too, before the events that it makes

	// Limit, when set, says which events leave; without, all do. It is this engine's alone.
	Limit *limit.Limiter

	// Watch, when set, sees each event, but for records of messages, and what became of
	// it. It borrows e until it returns and must not wait.
	Watch func(e *event.Event, fate limit.Fate)

	// Fault is told of a frame that this program failed on, which it borrows. It may
	// be nil. Fault, Tap and Trouble are called by one lane at a time.
	Fault func(f *packet.Frame, cause any)

	// Dump, when set, keeps messages.
	Dump Dumper

	// Recent, when set, keeps the last messages for who looks at a call.
	Recent *recent.Store

	// Tap, when set, sees each message that could be parsed before the tracker
	// does. It borrows both until it returns.
	Tap func(p *packet.Packet, m *sip.Message)

	// Count, when set, counts each message that could be parsed, before the tracker sees
	// it, and each event, whether it leaves or not.
	Count *kpi.Counter

	// Copy, when set, is given the same for another program. It borrows both until it
	// returns and must not wait; lanes call it at the same time.
	Copy func(p *packet.Packet, m *sip.Message)

	// Trouble is told at once of each error of an input. It may be nil: Run gives the
	// errors too.
	Trouble func(input string, err error)
}

// Dumper keeps messages for those who want to look at them later. It borrows what it
// is given until it returns, copies, and does not hold the lane. Message gets every
// message that has a Call-ID, before the tracker does, also one that cannot be used;
// Event gets every event before the sink, and may name a file in it.
type Dumper interface {
	Message(p *packet.Packet, m *sip.Message)
	Event(e *event.Event)
}

// Input is where frames come from. The engine closes no source.
type Input struct {
	Source capture.Source
	Name   string // in status lines
	Live   bool   // Source's name is an interface, and the clock goes on without packets

	// Place tells mirror points apart; inputs with one number are one place, as the
	// workers of an interface are.
	Place int

	AnyPort bool // take SIP on any port, whatever Config says
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

// Sink takes events. Put borrows e until it returns and is called by one lane at a
// time; it may block, which holds all lanes.
type Sink interface {
	Put(e *event.Event)
}

// Waiter is a Sink that blocks in Put as rarely as it can. Wait is called before each
// frame of a file, and may block until there is room: it holds no lock, so that
// nothing that asks the Engine waits with it, and no live lane does.
type Waiter interface{ Wait() }

// Engine runs lanes: one goroutine for each live input, and one for all files.
type Engine struct {
	core  *core
	lanes []*lane
	wait  func() // before a frame of a file

	inject atomic.Pointer[lane] // of what is put in by hand; nil before the first

	mu    sync.Mutex // of wrong, and while inject is made
	wrong []error

	steer sync.Mutex // of Save and Reload: what is saved has one configuration
}

// New builds an Engine and starts nothing.
func New(cfg Config, inputs []Input, sink Sink) *Engine {
	e := &Engine{core: newCore(cfg, sink), wait: func() {}}
	files, live := 0, 0
	for _, in := range inputs {
		e.lanes = append(e.lanes, newLane(cfg, in, e.core))
		if in.Live {
			live++
		} else {
			files++
		}
	}
	e.core.lanes = e.lanes
	if w, ok := sink.(Waiter); ok && files > 0 {
		e.wait = w.Wait
	}
	return e
}

// Run reads all inputs to their end, or until ctx is done. An input that ends or
// fails does not end the others. When all were files, and were read to their ends,
// what waits only for a timer is decided. The error joins what was wrong with single
// files and with inputs that ended by an error.
func (e *Engine) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	var files []*lane
	for _, l := range e.lanes {
		if l.in.Live {
			wg.Go(func() { e.runLive(ctx, l) })
		} else {
			files = append(files, l)
		}
	}
	wg.Go(func() { e.runFiles(ctx, files) })
	wg.Wait()
	e.core.tellRest()
	return errors.Join(e.wrong...)
}

// often is how many frames are read between two looks at the context.
const often = 64

// runLive reads a live input to its end. An error that the source goes on after is
// only told; the one that it ends by counts.
func (e *Engine) runLive(ctx context.Context, l *lane) {
	defer l.over.Store(true)
	defer l.leave()
	var failed error
	for n := uint(0); ; n++ {
		l.rounds.Add(1)
		if n%often == 0 && ctx.Err() != nil {
			return
		}
		err := l.in.Source.Next(&l.f)
		switch {
		case err == nil:
			failed = nil
			l.named(false)
			l.guard()
		case errors.Is(err, capture.ErrIdle):
			failed = nil
			l.idle(l.f.Time)
			n = ^uint(0) // look at the context now
		case errors.Is(err, io.EOF):
			if failed != nil && ctx.Err() == nil {
				e.keep(fmt.Errorf("capture stopped: %w", failed))
			}
			return
		case ctx.Err() != nil:
			return
		default:
			if l.errors++; l.errors > maxWrong {
				e.keep(fmt.Errorf("capture stopped: %w", err))
				return
			}
			failed = err
			e.core.trouble(l, err)
		}
	}
}

// Hanging names a live lane that has not ended and has not gone on since the last call, or
// since the start; ok is false where there is none. Without packets a lane goes round some
// ten times a second; so one that has not moved for seconds hangs. It takes no lock that a
// lane could hold. Files count for nothing: they may wait for the output, or for who writes
// a pipe. One goroutine may call it, after Run has begun.
func (e *Engine) Hanging() (name string, ok bool) {
	for _, l := range e.lanes {
		if !l.in.Live || l.over.Load() {
			continue
		}
		now := l.rounds.Load()
		if now == l.seen && !ok {
			name, ok = l.in.Name, true
		}
		l.seen = now
	}
	return name, ok
}

// runFiles reads all file inputs, always the oldest of their next frames, so that
// several files give the same events however fast each can be read.
func (e *Engine) runFiles(ctx context.Context, lanes []*lane) {
	if len(lanes) == 0 {
		return
	}
	only := len(lanes) == len(e.lanes) // no live ones
	if !only {
		select {
		case <-e.core.clock:
		case <-ctx.Done():
			for _, l := range lanes {
				l.halted = true
			}
			return
		}
	}
	running := make([]*lane, 0, len(lanes))
	for _, l := range lanes {
		if e.read(ctx, l) {
			running = append(running, l)
		}
	}
	for n := uint(0); len(running) > 0; n++ {
		if n%often == 0 && ctx.Err() != nil {
			for _, l := range running {
				l.halted = true
			}
			return
		}
		oldest := 0
		for i, l := range running[1:] {
			if l.f.Time < running[oldest].f.Time {
				oldest = i + 1
			}
		}
		l := running[oldest]
		e.wait()
		l.named(len(e.lanes) == 1)
		l.guard()
		if !e.read(ctx, l) {
			running = append(running[:oldest], running[oldest+1:]...)
		}
	}
	switch whole := only && ctx.Err() == nil && !e.Unread(); {
	case whole && e.core.cfg.keeps():
		e.core.mu.Lock()
		e.core.ended = true
		e.core.mu.Unlock()
	case whole:
		for _, l := range lanes {
			l.end()
		}
		e.core.flush(lanes[0])
	}
}

// read fetches the next frame of a file. It gives false when there is none.
func (e *Engine) read(ctx context.Context, l *lane) bool {
	for {
		err := l.in.Source.Next(&l.f)
		switch {
		case err == nil:
			return true
		case errors.Is(err, capture.ErrIdle):
			l.idle(l.f.Time)
			if ctx.Err() != nil {
				l.halted = true
				return false
			}
		case errors.Is(err, io.EOF) && ctx.Err() == nil:
			l.leave()
			return false
		case ctx.Err() != nil:
			l.halted = true
			l.leave()
			return false
		default:
			e.keep(err)
			e.core.trouble(l, err)
			if l.errors++; l.errors > maxWrong {
				l.halted = true
				l.leave()
				return false
			}
		}
	}
}

// maxWrong bounds the errors of one input: a source that fails for ever ends it.
const maxWrong = 10000

// Unread tells, after Run, whether a file was not read to its end.
func (e *Engine) Unread() bool {
	for _, l := range e.lanes {
		if l.halted {
			return true
		}
	}
	return false
}

// keep remembers an error for the end of Run.
func (e *Engine) keep(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.wrong = append(e.wrong, err)
}
