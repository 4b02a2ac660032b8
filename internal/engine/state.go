package engine

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/state"
	"github.com/sipcmbeat/sipcmbeat/internal/track"
)

// Save gives everything that is going on to part, which borrows b: at any time, from
// any goroutine, a slice at a time, between which the lanes go on. After Run of inputs
// that were all files, what their ends cut in two is in it too.
func (e *Engine) Save(part func(kind byte, b []byte) error) (err error) {
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
	return err
}

// A Restoring takes what Save gave, into an engine that has not run. Nothing of it is
// used before Done.
type Restoring struct {
	e     *Engine
	track *track.Restoring
}

// Restoring begins to take up a state.
func (e *Engine) Restoring() *Restoring {
	return &Restoring{e: e, track: track.NewRestoring(e.core.cfg.Track)}
}

// Part takes one part, which it borrows.
func (r *Restoring) Part(kind byte, b []byte) error {
	return r.track.Part(kind, b)
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
	c.send(evicted)
	return got, nil
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
		return Taken{Line: fmt.Sprintf("took up %d calls and %d bindings from %s, written %v ago", got.Calls, got.Bindings, k.file.Path(), ago)}, nil
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
