package beater

import (
	"sync"
	"sync/atomic"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// ring is the queue between the lane and the publisher. It holds copies: a slot
// is made when it is first needed, so that a queue that never fills costs little,
// and up to maxSpare used ones are kept, so that in steady state nothing is
// allocated.
//
// It has two bounds: events, and slotBytes of memory for each of them, since a
// hostile sender chooses how long values are. When full it makes put wait (files)
// or drops the newest (live). Records of messages, of which there are many more, leave
// a quarter of it to events.
type ring struct {
	wait     bool
	maxBytes int

	mu       sync.Mutex
	room     sync.Cond // for put
	some     sync.Cond // for take
	slots    []*event.Event
	head, n  int
	bytes    int
	spare    []*event.Event
	closed   bool // nothing comes any more
	aborted  bool // and nothing is waited for
	accepted atomic.Uint64
	dropped  [event.NumTypes]atomic.Uint64
}

const (
	slotBytes = 4 << 10
	maxSpare  = 1024
	maxWait   = 4096 // events for which a file's reader runs ahead: more only takes memory
)

func newRing(size int, wait bool) *ring {
	if wait {
		size = min(size, maxWait)
	}
	r := &ring{wait: wait, maxBytes: size * slotBytes, slots: make([]*event.Event, size)}
	r.room.L, r.some.L = &r.mu, &r.mu
	return r
}

// put copies e to the end.
func (r *ring) put(e *event.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.full() && r.wait && !r.aborted {
		r.room.Wait()
	}
	if r.full() || r.aborted || e.Type == event.Message && !r.wait && r.crowded() {
		r.dropped[e.Type].Add(1)
		return
	}
	var slot *event.Event
	if last := len(r.spare) - 1; last >= 0 {
		slot, r.spare = r.spare[last], r.spare[:last]
	} else {
		slot = new(event.Event)
	}
	slot.CopyFrom(e)
	r.slots[(r.head+r.n)%len(r.slots)] = slot
	r.n++
	r.bytes += slot.Size()
	r.accepted.Add(1)
	if r.n == 1 {
		r.some.Signal()
	}
}

// await waits until half of the room is free.
func (r *ring) await() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for (r.n > len(r.slots)/2 || r.bytes > r.maxBytes/2) && !r.aborted && !r.closed {
		r.room.Wait()
	}
}

func (r *ring) full() bool {
	return r.n == len(r.slots) || r.n > 0 && r.bytes >= r.maxBytes
}

// crowded tells whether what is left is for events.
func (r *ring) crowded() bool {
	return r.n >= len(r.slots)/4*3 || r.bytes >= r.maxBytes/4*3
}

// take waits for events and fills batch with those that are there, oldest first,
// in place of those of the last take, which it takes back. It gives none when the
// ring is closed and empty.
func (r *ring) take(batch []*event.Event) []*event.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, slot := range batch {
		if len(r.spare) < maxSpare && slot.Size() <= 2*slotBytes {
			r.spare = append(r.spare, slot)
		}
	}
	batch = batch[:0]
	for r.n == 0 && !r.closed {
		r.some.Wait()
	}
	for r.n > 0 && len(batch) < cap(batch) {
		slot := r.slots[r.head]
		r.slots[r.head] = nil
		r.head = (r.head + 1) % len(r.slots)
		r.n--
		r.bytes -= slot.Size()
		batch = append(batch, slot)
	}
	r.room.Broadcast()
	return batch
}

// close says that nothing comes any more; what is there can still be taken.
func (r *ring) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.some.Broadcast()
	r.room.Broadcast()
}

// abort lets a put that waits go, and drops what comes after.
func (r *ring) abort() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.aborted = true
	r.room.Broadcast()
}

// waiting is how many events are there.
func (r *ring) waiting() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n
}
