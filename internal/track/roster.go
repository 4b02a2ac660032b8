package track

import (
	"math"
	"slices"
)

// roster is entries in the order in which they came into memory, each with a number
// that is never given twice: a list that is read a page at a time goes on below a
// number, whatever came and went meanwhile. Finding a number costs the logarithm of how
// many blocks there are, adding and dropping an entry a few memory accesses.
type roster struct {
	blocks []*block // by number; none is empty
	seq    uint64   // the last number given
	count  int
	table  []*block // by id - 1
	ids    []uint32 // that no block has
	free   []*block
}

const (
	blockSlots = 126 // a block is 2 KiB
	sparse     = 32  // from so few entries on a block is looked at to be merged
	maxFree    = 64
)

// block is a run of a roster. Where entries leave, slots are empty; neighbours that are
// emptier than half together become one, so that entries that stay for long do not hold
// the places of those that came with them.
type block struct {
	first uint64 // the number that slot.after counts from
	id    uint32
	used  uint16 // slots behind it are new
	live  uint16 // slots that are not empty
	slots [blockSlots]slot
}

type slot struct {
	link  *link  // nil where the entry left
	after uint32 // its number, after the block's first
	print uint32 // the beginning of sip.call.id; 0 where it was not asked for
}

// spot is an entry's place in a roster. The zero value is none. There are millions of
// them: an id is half as long as a pointer.
type spot struct {
	block uint32 // its id
	at    uint16
}

// listed is an entry of a roster.
type listed interface {
	evictable
	where() *spot
}

func (a *attempt) where() *spot { return &a.spot }
func (d *dialog) where() *spot  { return &d.spot }
func (b *binding) where() *spot { return &b.spot }

func (s *spot) listed() bool { return s.block != 0 }

// add gives the entry of l, whose place is s, the next number.
func (r *roster) add(l *link, s *spot) {
	r.seq++
	var b *block
	if n := len(r.blocks); n > 0 {
		b = r.blocks[n-1]
	}
	if b == nil || int(b.used) == blockSlots || r.seq-b.first > math.MaxUint32 {
		b = r.newBlock()
		b.first = r.seq
		r.blocks = append(r.blocks, b)
	}
	b.slots[b.used] = slot{link: l, after: uint32(r.seq - b.first)}
	*s = spot{b.id, b.used}
	b.used++
	b.live++
	r.count++
}

func (r *roster) newBlock() *block {
	var b *block
	if n := len(r.free); n > 0 {
		b = r.free[n-1]
		r.free[n-1] = nil
		r.free = r.free[:n-1]
	} else {
		b = new(block)
	}
	if n := len(r.ids); n > 0 {
		b.id = r.ids[n-1]
		r.ids = r.ids[:n-1]
	} else {
		r.table = append(r.table, nil)
		b.id = uint32(len(r.table))
	}
	r.table[b.id-1] = b
	return b
}

// at is the slot of an entry that is listed, with its number.
func (r *roster) at(s spot) (x *slot, number uint64) {
	b := r.table[s.block-1]
	x = &b.slots[s.at]
	return x, b.first + uint64(x.after)
}

// drop takes an entry out, where it is in it.
func (r *roster) drop(s *spot) {
	if !s.listed() {
		return
	}
	b := r.table[s.block-1]
	b.slots[s.at] = slot{}
	*s = spot{}
	b.live--
	r.count--
	if b.live&(b.live-1) != 0 || b.live > sparse { // at each half of what was left
		return
	}
	i := r.index(b.first)
	if b.live == 0 {
		r.remove(i)
		return
	}
	if i+1 < len(r.blocks)-1 && r.merge(i) { // the last one is being filled
		return
	}
	if i > 0 && i < len(r.blocks)-1 {
		r.merge(i - 1)
	}
}

// index is the block that a number is in, or would be; -1 before all.
func (r *roster) index(number uint64) int {
	i, found := slices.BinarySearchFunc(r.blocks, number, func(b *block, n uint64) int {
		switch {
		case b.first < n:
			return -1
		case b.first > n:
			return 1
		}
		return 0
	})
	if !found {
		i--
	}
	return i
}

func (r *roster) remove(i int) {
	b := r.blocks[i]
	r.blocks = slices.Delete(r.blocks, i, i+1)
	r.table[b.id-1] = nil
	r.ids = append(r.ids, b.id)
	if len(r.free) < maxFree {
		*b = block{}
		r.free = append(r.free, b)
	}
}

// merge makes one of block i and the next, where both together are emptier than half.
func (r *roster) merge(i int) bool {
	a, b := r.blocks[i], r.blocks[i+1]
	last := int(b.used) - 1
	for last > 0 && b.slots[last].link == nil {
		last--
	}
	if a.live+b.live > blockSlots/2 || b.first+uint64(b.slots[last].after)-a.first > math.MaxUint32 {
		return false
	}
	n := 0
	for _, from := range [...]*block{a, b} {
		for j := range from.slots[:from.used] {
			x := from.slots[j]
			if x.link == nil {
				continue
			}
			from.slots[j] = slot{}
			x.after = uint32(from.first + uint64(x.after) - a.first)
			a.slots[n] = x
			*x.link.owner.(listed).where() = spot{a.id, uint16(n)}
			n++
		}
	}
	a.used, a.live = uint16(n), uint16(n)
	r.remove(i + 1)
	return true
}

// before visits the entries with numbers below from, the newest first, until visit
// returns false. It must not change the roster.
func (r *roster) before(from uint64, visit func(number uint64, x *slot) bool) {
	if from == 0 {
		return
	}
	for i := r.index(from - 1); i >= 0; i-- {
		b := r.blocks[i]
		for j := int(b.used) - 1; j >= 0; j-- {
			x := &b.slots[j]
			number := b.first + uint64(x.after)
			if x.link != nil && number < from && !visit(number, x) {
				return
			}
		}
	}
}

// oldest is the least number there is, or 0.
func (r *roster) oldest() uint64 {
	if len(r.blocks) == 0 {
		return 0
	}
	b := r.blocks[0]
	for j := range b.slots[:b.used] {
		if b.slots[j].link != nil {
			return b.first + uint64(b.slots[j].after)
		}
	}
	return 0
}

// empty forgets all entries, and gives no number again.
func (r *roster) empty() { *r = roster{seq: r.seq} }
