package engine

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/codec"
	"github.com/sipcmbeat/sipcmbeat/internal/limit"
	"github.com/sipcmbeat/sipcmbeat/internal/state"
	"github.com/sipcmbeat/sipcmbeat/internal/track"
)

// Save gives everything that is going on to part, which borrows b: at any time, from
// any goroutine, a slice at a time, between which the lanes go on. After Run of inputs
// that were all files, what their ends cut in two is in it too.
func (e *Engine) Save(part func(kind byte, b []byte) error) (err error) {
	e.steer.Lock()
	defer e.steer.Unlock()
	c := e.core
	c.mu.Lock()
	locked := true
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("a fault of this program; please report it: %v", cause)
		}
		if locked {
			c.mu.Unlock()
		}
	}()
	c.track.Snapshot(func(kind byte, b []byte) bool {
		locked = false
		c.mu.Unlock()
		err = part(kind, b)
		c.mu.Lock()
		locked = true
		return err == nil
	})
	if err == nil && c.ended {
		err = e.saveLanes(part)
	}
	if err != nil || c.cfg.Limit == nil {
		return err
	}
	locked = false
	c.mu.Unlock()
	return c.cfg.Limit.Save(func(b []byte) error { return part(partLimit, b) })
}

// The kinds of parts beside the tracker's.
const (
	partDedup = track.KindEnd + iota // the memory of mirror duplicates
	partLane                         // what a lane over files has of messages that are not whole
	partLimit                        // blacklists, and limits that were changed
)

// saveLanes gives what files were cut in two of. What is live goes on without: by the
// time of the next run its connections are elsewhere.
func (e *Engine) saveLanes(part func(kind byte, b []byte) error) error {
	var c codec.Codec
	e.core.dedup.walk(&c, e.core.track.Now())
	if err := part(partDedup, c.B); err != nil {
		return err
	}
	for i, l := range e.lanes {
		c := codec.Codec{B: c.B[:0]}
		codec.Whole(&c, &i)
		l.walk(&c)
		if err := part(partLane, c.B); err != nil {
			return err
		}
	}
	return nil
}

// walk walks what a lane remembers from one frame to the next.
func (l *lane) walk(c *codec.Codec) {
	c.Flags(&l.copies)
	l.dec.Walk(c)
	l.stream.Walk(c)
}

// A Restoring takes what Save gave, into an engine that has not run. Nothing of it is
// used before Done.
type Restoring struct {
	e     *Engine
	track *track.Restoring
	dedup *dedup
	lanes map[int]*lane
	limit limit.Restoring
}

// Restoring begins to take up a state.
func (e *Engine) Restoring() *Restoring {
	return &Restoring{e: e, track: track.NewRestoring(e.core.cfg.Track), lanes: make(map[int]*lane)}
}

// Part takes one part, which it borrows.
func (r *Restoring) Part(kind byte, b []byte) error {
	c := codec.Codec{B: b, Reading: true}
	switch kind {
	case partDedup:
		r.dedup = newDedup(r.e.core.dedup.window)
		r.dedup.walk(&c, 0)
	case partLane:
		var i int
		if codec.UpTo(&c, &i, len(r.e.lanes)-1); c.Bad { // of other inputs
			return nil
		}
		l := newLane(r.e.core.cfg, r.e.lanes[i].in, r.e.core)
		l.walk(&c)
		r.lanes[i] = l
	case partLimit:
		if r.limit.Part(b) != nil {
			return track.ErrState
		}
		return nil
	default:
		return r.track.Part(kind, b)
	}
	if c.Bad || len(c.B) > 0 {
		return track.ErrState
	}
	return nil
}

// Done makes the engine go on from the state. now is the wall clock for live inputs, 0
// for files.
func (r *Restoring) Done(now int64) (track.Restored, error) {
	t, got, evicted, err := r.track.Done(now)
	if err != nil {
		return got, err
	}
	c := r.e.core
	c.mu.Lock()
	defer c.mu.Unlock()
	c.track, c.last = t, nil
	if now == 0 {
		r.goOn()
	}
	if c.cfg.Limit != nil {
		c.cfg.Limit.Restore(&r.limit)
	}
	c.send(evicted)
	return got, nil
}

// goOn lets files be read as if they were one with those of the last run.
func (r *Restoring) goOn() {
	if r.dedup != nil {
		r.e.core.dedup = r.dedup
	}
	for i, from := range r.lanes {
		if l := r.e.lanes[i]; !l.in.Live {
			l.copies, l.dec, l.stream = from.copies, from.dec, from.stream
		}
	}
}

// A Keeper keeps the state of an engine in a file. It is safe for concurrent use.
type Keeper struct {
	file    *state.File
	program string
	clock   func() time.Time

	saving sync.Mutex
	mu     sync.Mutex // of stats
	stats  KeeperStats
}

// KeeperStats are what became of the states that were to be written, totals since the
// start. The others are of the last one that was.
type KeeperStats struct {
	Written, Failed uint64
	Entries         int
	Bytes           int64
	Took            time.Duration
}

// NewKeeper locks the file at path, in which program, a name and a version, will keep
// its state. The error says what cannot be done.
func NewKeeper(path, program string, clock func() time.Time) (*Keeper, error) {
	file, err := state.Open(path)
	if err != nil {
		return nil, err
	}
	return &Keeper{file: file, program: program, clock: clock}, nil
}

// Close gives the file to others.
func (k *Keeper) Close() { k.file.Close() }

// Taken is what Restore says of a file.
type Taken struct {
	Line string // for the user
	Bad  bool   // it could not be used, and was put aside
}

// Restore makes an engine that has not run go on from the file, if there is one. A file
// that cannot be used is put aside, and the engine begins without; the error is for one
// that cannot be read at all. live says that the packets that come are those of now.
func (k *Keeper) Restore(e *Engine, live bool) (Taken, error) {
	at := int64(0)
	if live {
		at = k.clock().UnixNano()
	}
	r := e.Restoring()
	about, err := k.file.Read(track.StateVersion, r.Part)
	if errors.Is(err, os.ErrNotExist) {
		return Taken{Line: fmt.Sprintf("no state in %s yet: beginning without", k.file.Path())}, nil
	}
	var got track.Restored
	if err == nil {
		got, err = r.Done(at)
	}
	var damage *state.Damage
	switch {
	case err == nil:
		ago := k.clock().Sub(time.Unix(0, about.Written)).Round(time.Second)
		return Taken{Line: fmt.Sprintf("took up %s and %s from %s, written %v ago",
			plural(got.Calls, "call"), plural(got.Bindings, "binding"), k.file.Path(), ago)}, nil
	case errors.As(err, &damage):
	case errors.Is(err, track.ErrState), errors.Is(err, track.ErrAhead):
		damage = &state.Damage{Word: "damaged", Text: err.Error()}
	default:
		return Taken{}, err
	}
	name, err := k.file.PutAside(damage.Word, k.clock())
	if err != nil {
		return Taken{}, fmt.Errorf("it cannot be used (%w), and not be put aside: %w", damage, err)
	}
	return Taken{Bad: true, Line: fmt.Sprintf("the state in %s cannot be used: %s; it is kept as %s, and this run begins without it",
		k.file.Path(), damage.Text, name)}, nil
}

// plural writes a count with its noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Save writes the state of an engine in place of the one before.
func (k *Keeper) Save(e *Engine) error {
	k.saving.Lock()
	defer k.saving.Unlock()
	began := k.clock()
	size, err := k.file.Write(state.About{Version: track.StateVersion, Program: k.program, Written: began.UnixNano()}, e.Save)
	took := k.clock().Sub(began)
	e.core.mu.Lock()
	s := e.core.track.Stats()
	e.core.mu.Unlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil {
		k.stats.Failed++
		return fmt.Errorf("write the state: %w", err)
	}
	k.stats.Written++
	k.stats.Bytes, k.stats.Took, k.stats.Entries = size, took, s.Entries+s.Bindings
	return nil
}

// Stats gives the counters.
func (k *Keeper) Stats() KeeperStats {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.stats
}

// keeps tells whether the ends of files decide nothing: what is going on is saved.
func (c *Config) keeps() bool { return c.Keep && c.Flush == track.FlushNone }
