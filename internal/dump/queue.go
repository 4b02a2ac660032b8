package dump

import (
	"sync"

	"github.com/sipcmbeat/sipcmbeat/internal/recent"
)

// queue is what lies between the lanes and the worker: two buffers of a fixed size,
// one filled by the lanes, the other in the worker's hands. Its lock is held for
// the copy of one message, or for the exchange of the two.
type queue struct {
	sync.Mutex
	room   sync.Cond // the worker has taken a buffer
	fill   []byte
	spare  []byte
	wait   bool
	closed bool
	wake   chan struct{}
}

func (q *queue) init(size int, wait bool) {
	q.room.L = &q.Mutex
	q.fill, q.spare = make([]byte, 0, size/2), make([]byte, 0, size/2)
	q.wait, q.wake = wait, make(chan struct{}, 1)
}

// reserve waits, where that is wanted, until n bytes have room. Only it waits, and so
// gives the lock back for a while: what else the lock guards is looked at afterwards.
func (q *queue) reserve(n int) {
	for q.wait && !q.closed && len(q.fill) > 0 && len(q.fill)+n > cap(q.fill) {
		q.rouse()
		q.room.Wait()
	}
}

// put gives room for a record of n bytes, borrowed until the lock, which the caller
// holds, is given back; nil when there is none.
func (q *queue) put(n int) recent.Record {
	at := len(q.fill)
	if q.closed || at+n > cap(q.fill) {
		return nil
	}
	q.fill = q.fill[:at+n]
	// A worker that slept would have to be woken for each message, which costs more
	// than the copy; it looks by itself a few times a second, and is called only when
	// there is much.
	if len(q.fill) > cap(q.fill)/4 {
		q.rouse()
	}
	return recent.Record(q.fill[at:])
}

func (q *queue) rouse() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take exchanges the buffers. What it gives belongs to the worker until the next
// call.
func (q *queue) take() (batch []byte, closed bool) {
	q.Lock()
	defer q.Unlock()
	batch = q.fill
	q.fill, q.spare = q.spare[:0], batch
	q.room.Broadcast()
	return batch, q.closed
}
