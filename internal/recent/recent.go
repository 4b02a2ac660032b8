// Package recent keeps the last SIP messages in memory, whatever they are of, so that
// those of one Call-ID can be looked at and written into a capture file afterwards.
//
// It holds the ring, the form of what is in it and the making of frames, which package
// dump uses for what came before a trigger; there one worker has a ring, here Store is
// several that lanes write to at the same time. What is kept is whole messages, with
// their bodies: they leave in a capture file only, never in what a page shows.
//
// What is put in is copied, what is taken out is a copy that the caller owns. It reads
// no clock and knows no calls.
package recent

import (
	"bytes"
	"hash/maphash"
	"slices"
	"sync"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// Bounds of a Store's memory, in bytes. Half of a part is the longest message that is
// kept.
const (
	MinSize     = 1 << 20
	MaxSize     = 16 << 30
	DefaultSize = 64 << 20

	maxParts = 8
	minPart  = 4 << 20
)

// Store keeps messages for lanes that write at the same time. A Call-ID has its part,
// so that its messages are in one ring, in the order in which they came, and lanes
// seldom wait for each other; a flood of one Call-ID pushes out those of its part alone.
type Store struct {
	seed  maphash.Seed
	size  int // of a part
	parts []part

	mu     sync.Mutex // of record: Call-IDs of unusual forms
	record event.Event
}

// part is a ring, made with its first message, and its lock, which is held for the copy
// of one message, or of some on the way out.
type part struct {
	mu   sync.Mutex
	ring *Ring
	sum  Stats
	_    [64]byte // another part's lock stands in another cache line
}

// Stats are the counters of a Store: totals since New, and what it takes now.
type Stats struct {
	Messages uint64 // kept
	TooLong  uint64 // longer than half of a part
	Bytes    int    // of the parts that are in use
}

// New makes a Store of size bytes at most, which are taken as messages come.
func New(size int) *Store {
	n := min(max(size/minPart, 1), maxParts)
	return &Store{seed: maphash.MakeSeed(), size: size / n, parts: make([]part, n)}
}

// Message keeps a copy of one message that has a Call-ID. It borrows both for the call.
// Any goroutine may call it.
func (s *Store) Message(p *packet.Packet, m *sip.Message) {
	id := m.CallID()
	if len(id) == 0 {
		return
	}
	hash := s.hash(id)
	var flags byte
	// A header section without its end would run into the next message of its file.
	if p.Cut || m.Problem() != sip.OK && p.Transport != packet.UDP && p.Transport != packet.SCTP {
		flags = Cut
	}
	x := s.part(hash)
	x.mu.Lock()
	if x.ring == nil {
		x.ring = newRing(s.size, max(s.size>>10, 1<<8))
		x.sum.Bytes = s.size
	}
	if r := x.ring.Put(HeadSize+len(p.Payload), hash); r != nil {
		r.Fill(0, flags, byte(p.Transport), hash, p.Time)
		r.Ends(p)
		copy(r[HeadSize:], p.Payload)
		x.sum.Messages++
	} else {
		x.sum.TooLong++
	}
	x.mu.Unlock()
}

func (s *Store) part(hash uint64) *part { return &s.parts[(hash>>32)%uint64(len(s.parts))] }

// hash is that of a Call-ID as records have it: on one line, of a bounded length.
func (s *Store) hash(id []byte) uint64 {
	if len(id) <= event.MaxText && bytes.IndexByte(id, '\n') < 0 && bytes.IndexByte(id, '\r') < 0 {
		return maphash.Bytes(s.seed, id)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.record.Reset()
	s.record.SetKey(&s.record.CallID, id)
	return maphash.Bytes(s.seed, s.record.Bytes(s.record.CallID))
}

// Stats gives the counters.
func (s *Store) Stats() (sum Stats) {
	for i := range s.parts {
		x := &s.parts[i]
		x.mu.Lock()
		sum.Messages += x.sum.Messages
		sum.TooLong += x.sum.TooLong
		sum.Bytes += x.sum.Bytes
		x.mu.Unlock()
	}
	return sum
}

// What is done between two locks of a part: records passed by, and bytes copied.
const (
	sliceRecords = 512
	sliceBytes   = 64 << 10
)

// Find copies the messages of a Call-ID, the oldest first: the newest that are no more
// than most and than budget bytes. cut tells that there are older ones.
func (s *Store) Find(callID []byte, most, budget int) (found []Record, cut bool) {
	hash := s.hash(callID)
	x := s.part(hash)
	next := uint64(0)
	for first := true; first || next != 0; first = false {
		found, next, cut = x.find(found, next, first, hash, most, &budget)
	}
	slices.Reverse(found)
	slices.SortStableFunc(found, func(a, b Record) int { // lanes are not in step
		switch {
		case a.Time() < b.Time():
			return -1
		case a.Time() > b.Time():
			return 1
		}
		return 0
	})
	return found, cut
}

// find goes on with the chain at a position, or begins; it returns where to go on, 0 at
// the end.
func (x *part) find(found []Record, pos uint64, first bool, hash uint64, most int, budget *int) (_ []Record, next uint64, cut bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	g := x.ring
	if g == nil {
		return found, 0, false
	}
	if first {
		pos = g.newest(hash)
	}
	for records, bytes := 0, 0; g.holds(pos); records++ {
		if records >= sliceRecords || bytes >= sliceBytes {
			return found, pos, false
		}
		r := g.At(pos)
		if pos = r.before(); r.Hash() != hash {
			continue
		}
		if *budget -= len(r); len(found) >= most || *budget < 0 {
			return found, 0, true
		}
		bytes += len(r)
		found = append(found, slices.Clone(r))
	}
	return found, 0, false
}
