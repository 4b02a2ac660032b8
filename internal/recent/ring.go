package recent

import "slices"

// Ring holds the last records, whatever their Call-ID: a round of bytes, the
// oldest overwritten. Positions count all bytes ever written, so that one that has
// been overwritten is known by being below tail, which may be within a record: to go
// from one to the next would read memory that is in no cache. Records of one bucket are
// chained, the newest first; a bucket is a part of the Call-ID's hash, whose seed
// no sender knows. Nothing is allocated after NewRing. It is not safe for concurrent
// use.
type Ring struct {
	mem        []byte
	tail, head uint64 // of what is held whole; both multiples of 8
	last       []uint64
	found      []uint64
}

// buckets is about one for each message that 64 MiB hold.
const buckets = 1 << 16

// NewRing makes a ring of size bytes, which the kernel gives as they are first used.
func NewRing(size int) *Ring { return newRing(size, buckets) }

func newRing(size, buckets int) *Ring {
	return &Ring{mem: make([]byte, size&^7), head: 8, tail: 8, last: make([]uint64, buckets)} // 0 is no position
}

// at is the record at a position, without its end.
func (g *Ring) at(pos uint64) Record { return Record(g.mem[pos%uint64(len(g.mem)):]) }

// At borrows the record at a position that Find gave, until the next Add.
func (g *Ring) At(pos uint64) Record {
	r := g.at(pos)
	return r[:r.Len()]
}

// Add copies r.
func (g *Ring) Add(r Record) {
	if to := g.Put(len(r), r.Hash()); to != nil {
		copy(to, r[:HeadSize-8])
		copy(to[HeadSize:], r[HeadSize:])
	}
}

// Put gives room for a record of n bytes with this hash, which the caller fills before
// anything else is asked of the ring; nil where it is too long for it.
func (g *Ring) Put(n int, hash uint64) Record {
	need, size := uint64(n+7)&^7, uint64(len(g.mem))
	if need > size/2 {
		return nil
	}
	if left := size - g.head%size; left < need {
		g.head += left
	}
	if end := g.head + need; end > size {
		g.tail = max(g.tail, end-size)
	}
	to := g.at(g.head)[:n:n]
	bucket := &g.last[hash%uint64(len(g.last))]
	to.setBefore(*bucket)
	*bucket = g.head
	g.head += need
	return to
}

// Find gives the positions of the records of a Call-ID that are not older than
// since, the oldest first: as many of the newest as have budget bytes, with what their
// frames take besides. It borrows from g until the next call.
func (g *Ring) Find(hash uint64, since int64, budget int) []uint64 {
	g.found = g.found[:0]
	for pos := g.newest(hash); g.holds(pos); pos = g.at(pos).before() {
		r := g.at(pos)
		if r.Hash() != hash || r.Time() < since {
			continue
		}
		if budget -= r.Len() + maxOverhead; budget < 0 {
			break
		}
		g.found = append(g.found, pos)
	}
	slices.Reverse(g.found)
	return g.found
}

// newest is where the records of a hash, and of others in its bucket, begin.
func (g *Ring) newest(hash uint64) uint64 { return g.last[hash%uint64(len(g.last))] }

// holds reports whether a position has not been overwritten.
func (g *Ring) holds(pos uint64) bool { return pos != 0 && pos >= g.tail }
