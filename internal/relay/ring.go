package relay

import (
	"encoding/binary"
	"sync"
)

// ring holds packets in the order in which they came, each behind its length in four
// bytes and in one piece; where the end of the memory leaves too little room, a mark
// says that the next one is at the beginning. Many write, one reads: what is between
// read and write is not touched until the reader lets go of it, so that it reads
// without the lock.
type ring struct {
	mu     sync.Mutex
	mem    []byte
	read   uint64 // positions that only grow; modulo the size they are places
	write  uint64
	count  int
	closed bool
	wake   chan struct{} // holds a token when there is something new to look at
}

const (
	lengthSize = 4
	wrapped    = 1<<32 - 1 // in place of a length
)

func newRing(size int) *ring {
	return &ring{mem: make([]byte, size), wake: make(chan struct{}, 1)}
}

// put lets fill append a packet of at most most bytes to the memory that it is
// given. It reports whether there was room; fill may refuse, and then nothing is
// kept.
func (r *ring) put(most int, fill func([]byte) ([]byte, bool)) (room, filled bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	size := uint64(len(r.mem))
	at, free := r.write%size, size-(r.write-r.read)
	skip := uint64(0)
	if need := uint64(lengthSize + most); size-at < need {
		skip, at = size-at, 0
		if free < skip+need {
			return false, false
		}
	} else if free < need {
		return false, false
	}
	from := at + lengthSize
	b, ok := fill(r.mem[from : from : from+uint64(most)])
	if !ok || len(b) > most {
		return true, false
	}
	if skip >= lengthSize {
		binary.BigEndian.PutUint32(r.mem[size-skip:], wrapped)
	}
	binary.BigEndian.PutUint32(r.mem[at:], uint32(len(b)))
	r.write += skip + lengthSize + uint64(len(b))
	r.count++
	r.signal()
	return true, true
}

func (r *ring) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// span is the part that the reader may read: positions.
func (r *ring) span() (from, to uint64, closed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.read, r.write, r.closed
}

// at is the packet at a position below the end of a span, and the position behind it.
func (r *ring) at(pos uint64) (b []byte, next uint64) {
	size := uint64(len(r.mem))
	place := pos % size
	n := uint64(wrapped)
	if size-place >= lengthSize {
		n = uint64(binary.BigEndian.Uint32(r.mem[place:]))
	}
	if n == wrapped {
		pos += size - place
		place = 0
		n = uint64(binary.BigEndian.Uint32(r.mem))
	}
	return r.mem[place+lengthSize : place+lengthSize+n], pos + lengthSize + n
}

// release lets go of n packets, up to a position.
func (r *ring) release(pos uint64, n int) {
	r.mu.Lock()
	r.read = pos
	r.count -= n
	r.mu.Unlock()
}

func (r *ring) waiting() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count
}

// close tells the reader that nothing comes any more.
func (r *ring) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.signal()
}
