package beater

import (
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

func numbered(n uint64) *event.Event {
	e := new(event.Event)
	e.Reset()
	e.Type, e.Sequence = event.CallEnd, n
	e.Set(&e.CallID, []byte("some-call-id@example.org"))
	return e
}

func sequences(batch []*event.Event) (all []uint64) {
	for _, e := range batch {
		all = append(all, e.Sequence)
	}
	return all
}

func TestRingKeepsOrderOverItsEnd(t *testing.T) {
	r := newRing(4, false)
	var next, want uint64
	batch := make([]*event.Event, 0, 3)
	for range 10 {
		for range 3 {
			next++
			r.put(numbered(next))
		}
		batch = r.take(batch)
		for _, got := range sequences(batch) {
			if want++; got != want {
				t.Fatalf("event %d, want %d", got, want)
			}
		}
		if len(batch) != 3 {
			t.Fatalf("%d events in a batch", len(batch))
		}
	}
}

func TestRingCopies(t *testing.T) {
	r := newRing(4, false)
	e := numbered(1)
	r.put(e)
	e.Reset()
	if got := r.take(make([]*event.Event, 0, 1)); string(got[0].Bytes(got[0].CallID)) != "some-call-id@example.org" {
		t.Error("the ring borrows")
	}
}

func TestFullRingDropsTheNewest(t *testing.T) {
	r := newRing(4, false)
	for n := range uint64(6) {
		r.put(numbered(n + 1))
	}
	if got := sequences(r.take(make([]*event.Event, 0, 9))); len(got) != 4 || got[0] != 1 || got[3] != 4 {
		t.Errorf("kept %v", got)
	}
	if n := r.dropped[event.CallEnd].Load(); n != 2 {
		t.Errorf("%d counted as dropped", n)
	}
	if n := r.accepted.Load(); n != 4 {
		t.Errorf("%d counted as accepted", n)
	}
}

func TestFullRingWaits(t *testing.T) {
	r := newRing(2, true)
	done := make(chan struct{})
	go func() {
		for n := range uint64(100) {
			r.put(numbered(n + 1))
		}
		r.close()
		close(done)
	}()
	var all []uint64
	batch := make([]*event.Event, 0, 2)
	for batch = r.take(batch); len(batch) > 0; batch = r.take(batch) {
		all = append(all, sequences(batch)...)
	}
	<-done
	if len(all) != 100 || all[99] != 100 {
		t.Errorf("%d events, the last %d", len(all), all[len(all)-1])
	}
}

func TestAbortFreesWhoWaits(t *testing.T) {
	r := newRing(1, true)
	r.put(numbered(1))
	began, done := make(chan struct{}), make(chan struct{})
	go func() {
		close(began)
		r.put(numbered(2))
		close(done)
	}()
	<-began
	r.abort()
	<-done
	if n := r.accepted.Load() + r.dropped[event.CallEnd].Load(); n != 2 {
		t.Errorf("%d of 2 accounted for", n)
	}
}

// A hostile sender chooses how long texts are: the memory has a bound of its own.
func TestRingIsBoundedInBytes(t *testing.T) {
	r := newRing(16, false)
	long := numbered(1)
	text := make([]byte, event.MaxText)
	for range event.MaxList {
		long.Add(&long.Via, text)
	}
	for range 16 {
		r.put(long)
	}
	if n, most := r.accepted.Load(), uint64(16*slotBytes/long.Size()+1); n > most {
		t.Errorf("%d of %d bytes each are kept, want %d", n, long.Size(), most)
	}
	if r.accepted.Load() == 0 {
		t.Error("an event larger than a slot never fits")
	}
}

func TestRingAllocatesNothingInSteadyState(t *testing.T) {
	r := newRing(64, false)
	e, batch := numbered(1), make([]*event.Event, 0, 8)
	step := func() {
		for range 8 {
			r.put(e)
		}
		batch = r.take(batch)
	}
	for range 4 {
		step()
	}
	if n := testing.AllocsPerRun(100, step); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Records of messages leave a quarter of a live queue to events; both are counted.
func TestMessagesGiveWay(t *testing.T) {
	r := newRing(8, false)
	record := numbered(0)
	record.Type = event.Message
	for range 10 {
		r.put(record)
	}
	r.put(numbered(1))
	if n := r.waiting(); n != 7 {
		t.Errorf("%d wait, want 6 messages and an event", n)
	}
	if n := r.dropped[event.Message].Load(); n != 4 {
		t.Errorf("%d messages are counted as dropped, want 4", n)
	}
	r.put(numbered(2))
	r.put(numbered(3))
	if n := r.dropped[event.CallEnd].Load(); n != 1 {
		t.Errorf("%d events are counted as dropped, want 1", n)
	}
}

// A file run holds them all: its reader waits.
func TestMessagesOfFilesWait(t *testing.T) {
	r := newRing(4, true)
	record := numbered(0)
	record.Type = event.Message
	done := make(chan struct{})
	go func() {
		for range 10 {
			r.put(record)
		}
		r.close()
		close(done)
	}()
	n := 0
	for batch := r.take(make([]*event.Event, 0, 2)); len(batch) > 0; batch = r.take(batch) {
		n += len(batch)
	}
	<-done
	if n != 10 || r.dropped[event.Message].Load() != 0 {
		t.Errorf("%d of 10 come out", n)
	}
}
