package dump

// ring holds the last messages, whatever their Call-ID: a round of bytes, the
// oldest overwritten. Positions count all bytes ever written, so that one that has
// been overwritten is known by being below tail. Messages of one bucket are
// chained, the newest first; a bucket is a part of the Call-ID's hash, whose seed
// no sender knows. Nothing is allocated after newRing.
type ring struct {
	mem        []byte
	tail, head uint64 // of what is held; both multiples of 8
	last       []uint64
	found      []uint64
}

// buckets is about one for each message that the default ring holds.
const buckets = 1 << 16

func newRing(size int) *ring {
	return &ring{mem: make([]byte, size&^7), head: 8, tail: 8, last: make([]uint64, buckets)} // 0 is no position
}

func (g *ring) at(pos uint64) record { return record(g.mem[pos%uint64(len(g.mem)):]) }

// add copies r.
func (g *ring) add(r record) {
	need, size := uint64(len(r)+7)&^7, uint64(len(g.mem))
	if need > size/2 {
		return
	}
	if left := size - g.head%size; left < need {
		g.room(left)
		pad := g.at(g.head)
		if left >= headSize {
			pad[:headSize].fill(opPad, 0, 0, 0, 0)
		}
		g.head += left
	}
	g.room(need)
	to := g.at(g.head)
	copy(to, r)
	bucket := &g.last[r.hash()%buckets]
	to.setBefore(*bucket)
	*bucket = g.head
	g.head += need
}

// room lets the oldest go until need bytes are free.
func (g *ring) room(need uint64) {
	size := uint64(len(g.mem))
	for g.head+need-g.tail > size {
		left := size - g.tail%size
		if left < headSize || g.at(g.tail).op() == opPad {
			g.tail += left
		} else {
			g.tail += uint64(g.at(g.tail).length()+7) &^ 7
		}
	}
}

// find gives the positions of the messages of a Call-ID that are not older than
// since, the oldest first: as many of the newest as have budget bytes. It borrows
// from g until the next call.
func (g *ring) find(hash uint64, since int64, budget int) []uint64 {
	g.found = g.found[:0]
	for pos := g.last[hash%buckets]; pos >= g.tail && pos != 0; pos = g.at(pos).before() {
		r := g.at(pos)
		if r.hash() != hash || r.time() < since {
			continue
		}
		if budget -= r.length() + maxOverhead; budget < 0 {
			break
		}
		g.found = append(g.found, pos)
	}
	for i, j := 0, len(g.found)-1; i < j; i, j = i+1, j-1 {
		g.found[i], g.found[j] = g.found[j], g.found[i]
	}
	return g.found
}
