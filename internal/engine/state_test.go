package engine

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
	"github.com/sipcmbeat/sipcmbeat/internal/track"
)

// traffic is frames of many requests and answers, each with a Call-ID of its own.
func traffic(from, n int) (all []packet.Frame) {
	for i := from; i < from+n; i++ {
		f := ask(time.Duration(i) * time.Millisecond)
		if i%2 == 1 {
			f = reply(time.Duration(i) * time.Millisecond)
		}
		f.Data = bytes.Replace(f.Data, []byte("Call-ID: x"), []byte("Call-ID: "+string(rune('a'+i/2%26))), 1)
		all = append(all, f)
	}
	return all
}

// wallClock is a clock that a test moves.
type wallClock struct {
	mu sync.Mutex
	at time.Time
}

func (c *wallClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(time.Second)
	return c.at
}

func newTestKeeper(t *testing.T, path string) *Keeper {
	t.Helper()
	clock := &wallClock{at: time.Date(2026, 11, 22, 4, 18, 53, 0, time.UTC)}
	k, err := NewKeeper(path, "sipcmbeat 1.2.3", clock.now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k
}

// TestSaveWhileRunning: a state that is written while several lanes run can be taken up,
// as often as it is written.
func TestSaveWhileRunning(t *testing.T) {
	cfg := DefaultConfig()
	var k keeper
	inputs := []Input{
		{Source: &frames{all: traffic(0, 4000)}, Live: true, Place: 0},
		{Source: &frames{all: traffic(0, 4000)}, Live: true, Place: 1},
	}
	e := New(cfg, inputs, &k)
	keep := newTestKeeper(t, filepath.Join(t.TempDir(), "state"))
	done := make(chan error, 1)
	go func() { done <- e.Run(context.Background()) }()
	for running := true; running; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			running = false
		default:
		}
		if err := keep.Save(e); err != nil {
			t.Fatal(err)
		}
		other := New(cfg, inputs, discard{})
		if taken, err := keep.Restore(other, false); err != nil || taken.Bad {
			t.Fatal(taken, err)
		}
	}
	s := keep.Stats()
	if s.Written == 0 || s.Failed != 0 || s.Entries == 0 || s.Bytes == 0 || s.Took == 0 {
		t.Errorf("%+v", s)
	}
	sum := e.Stats()
	if err := sum.Check(); err != nil {
		t.Error(err)
	}
}

// TestKeeper: what is said of a state that is not there, is there, cannot be used, and
// cannot be written.
func TestKeeper(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	keep := newTestKeeper(t, path)
	fresh := func() *Engine { return New(DefaultConfig(), one(&frames{}), discard{}) }
	taken, err := keep.Restore(fresh(), true)
	if err != nil || taken.Bad || taken.Line != "no state in "+path+" yet: beginning without" {
		t.Error(taken, err)
	}
	e := New(DefaultConfig(), one(&frames{all: traffic(0, 100)}), discard{})
	if err := e.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := keep.Save(e); err != nil {
		t.Fatal(err)
	}
	taken, err = keep.Restore(fresh(), false)
	if err != nil || taken.Bad || !strings.HasPrefix(taken.Line, "took up 0 calls and 0 bindings from "+path+", written ") {
		t.Error(taken, err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	whole[len(whole)/2] ^= 1
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err = keep.Restore(fresh(), false)
	if err != nil || !taken.Bad || !strings.Contains(taken.Line, "a checksum does not agree") || !strings.Contains(taken.Line, path+".damaged-20261122T") {
		t.Error(taken, err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error("the damaged file is still there")
	}
	if err := os.RemoveAll(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	if err := keep.Save(e); err == nil || keep.Stats().Failed != 1 {
		t.Errorf("written without a directory: %v, %+v", err, keep.Stats())
	}
}

// TestClockAhead: a state of packets that are later than now is put aside in a live run,
// whose timers would wait for that time.
func TestClockAhead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	clock := &wallClock{at: time.Unix(0, siptest.Start).Add(-time.Hour)}
	keep, err := NewKeeper(path, "", clock.now)
	if err != nil {
		t.Fatal(err)
	}
	defer keep.Close()
	e := New(DefaultConfig(), one(&frames{all: traffic(0, 10)}), discard{})
	if err := e.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := keep.Save(e); err != nil {
		t.Fatal(err)
	}
	fresh := New(DefaultConfig(), one(&frames{}), discard{})
	if taken, err := keep.Restore(fresh, true); err != nil || !taken.Bad || !strings.Contains(taken.Line, "later than this machine's clock") {
		t.Error(taken, err)
	}
}

// TestSaveFault: a fault while a state is written is an error, and the lanes go on.
func TestSaveFault(t *testing.T) {
	e := New(DefaultConfig(), one(&frames{all: traffic(0, 10)}), discard{})
	if err := e.Save(func(byte, []byte) error { panic("x") }); err == nil || !strings.Contains(err.Error(), "a fault of this program") {
		t.Error(err)
	}
	wrong := errors.New("wrong")
	if err := e.Save(func(byte, []byte) error { return wrong }); !errors.Is(err, wrong) {
		t.Error(err)
	}
	if err := e.Run(context.Background()); err != nil {
		t.Error(err)
	}
}

// TestEvictedAtStart: what a state holds beyond the bounds leaves as events, with their
// numbers.
func TestEvictedAtStart(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Flush, cfg.Keep = track.FlushNone, true
	var all []packet.Frame
	for i := range 200 {
		f := ask(time.Duration(i) * time.Millisecond)
		f.Data = bytes.Replace(f.Data, []byte("Call-ID: x"), []byte{'C', 'a', 'l', 'l', '-', 'I', 'D', ':', ' ', byte('0' + i%64)}, 1)
		f.Data = bytes.Replace(f.Data, []byte("branch=z9hG4bK1"), []byte("branch=z9hG4bK"+string(rune('A'+i/64))), 1)
		all = append(all, f)
	}
	e := New(cfg, one(&frames{all: all}), discard{})
	if err := e.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "state")
	keep := newTestKeeper(t, path)
	if err := keep.Save(e); err != nil {
		t.Fatal(err)
	}
	entries := e.Stats().Track.Entries
	cfg.Track.MaxCalls = 16
	var k keeper
	low := New(cfg, one(&frames{}), &k)
	if _, err := keep.Restore(low, false); err != nil {
		t.Fatal(err)
	}
	sum := low.Stats()
	if len(k.events) == 0 || sum.Track.Entries+len(k.events) != entries || sum.Track.Entries > 32 {
		t.Errorf("%d of %d entries, %d events", sum.Track.Entries, entries, len(k.events))
	}
	for i := range k.events {
		if k.events[i].Incomplete&event.Evicted == 0 || k.events[i].Sequence != uint64(i+1) {
			t.Errorf("event %d: %v", i, k.events[i].Incomplete)
		}
	}
	if err := low.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	sum = low.Stats()
	if err := sum.Check(); err != nil {
		t.Error(err)
	}
}
