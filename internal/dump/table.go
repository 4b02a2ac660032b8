package dump

import "github.com/sipcmbeat/sipcmbeat/internal/recent"

// call is a Call-ID that has a file, as the lanes know it.
type call struct {
	hash   uint64
	named  int64 // the time in the file's name
	until  int64 // messages later than this begin another file
	label  label
	by     recent.Mask // masks the Call-ID in the name; nil: nothing does
	follow bool        // there from its first message on, not because of a trigger
	over   bool        // in the list of those that ended

	self, chain, newer, older int32
}

// calls is a table of a fixed size. Those that are over give way first, the oldest
// of them before the others; it allocates nothing after newCalls.
type calls struct {
	slab  []call
	heads []int32
	free  int32
	used  int
	ends  [2]struct{ newest, oldest int32 } // of those that go on, and of those over
}

const noCall = -1

func newCalls(size int) *calls {
	c := &calls{slab: make([]call, size), heads: make([]int32, size)}
	for i := range c.slab {
		c.slab[i].chain, c.heads[i] = int32(i)+1, noCall
	}
	c.slab[size-1].chain = noCall
	for i := range c.ends {
		c.ends[i].newest, c.ends[i].oldest = noCall, noCall
	}
	return c
}

func (c *calls) find(hash uint64) *call {
	for i := c.heads[hash%uint64(len(c.heads))]; i != noCall; i = c.slab[i].chain {
		if c.slab[i].hash == hash {
			return &c.slab[i]
		}
	}
	return nil
}

// victim is who gives way when the table is full, nil while it is not.
func (c *calls) victim() *call {
	if c.free != noCall {
		return nil
	}
	if i := c.ends[1].oldest; i != noCall {
		return &c.slab[i]
	}
	return &c.slab[c.ends[0].oldest]
}

// expired is the oldest of those that are over, when its time has passed.
func (c *calls) expired(now int64) *call {
	if i := c.ends[1].oldest; i != noCall && c.slab[i].until < now {
		return &c.slab[i]
	}
	return nil
}

// add takes x in; there is room, and none of that hash.
func (c *calls) add(x call) *call {
	i := c.free
	e := &c.slab[i]
	c.free = e.chain
	c.used++
	head := &c.heads[x.hash%uint64(len(c.heads))]
	x.self, x.chain = i, *head
	*e, *head = x, i
	c.link(i)
	return e
}

// drop takes x out.
func (c *calls) drop(x *call) {
	p := &c.heads[x.hash%uint64(len(c.heads))]
	for *p != x.self {
		p = &c.slab[*p].chain
	}
	*p = x.chain
	c.unlink(x.self)
	x.chain, c.free = c.free, x.self
	c.used--
}

// touch makes x the newest of its list, or of the other one.
func (c *calls) touch(x *call, over bool) {
	c.unlink(x.self)
	x.over = over
	c.link(x.self)
}

func (c *calls) list(x *call) *struct{ newest, oldest int32 } {
	if x.over {
		return &c.ends[1]
	}
	return &c.ends[0]
}

func (c *calls) link(i int32) {
	x := &c.slab[i]
	l := c.list(x)
	x.newer, x.older = noCall, l.newest
	if l.newest != noCall {
		c.slab[l.newest].newer = i
	} else {
		l.oldest = i
	}
	l.newest = i
}

func (c *calls) unlink(i int32) {
	x := &c.slab[i]
	l := c.list(x)
	if x.newer != noCall {
		c.slab[x.newer].older = x.older
	} else {
		l.newest = x.older
	}
	if x.older != noCall {
		c.slab[x.older].newer = x.newer
	} else {
		l.oldest = x.newer
	}
}
