package stream

import (
	"hash/maphash"
	"math/bits"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// A key is a pair of addresses and ports, the lower one first, so that both
// directions have the same.
//
// The mirror point is not in it: a segment that two mirrors took is one segment,
// its second copy old bytes, and what one mirror lost the other may have. Nor are
// VLANs and tunnels; see half.path for what that costs.
type key struct {
	lo, hi         [16]byte
	loPort, hiPort uint16
	family         uint16 // 4 and 4-in-6 are different ends
}

// keyOf gives the key of a segment and its direction: 0 from the lower end.
func keyOf(p *packet.Packet) (k key, from int) {
	src, dst := p.Src, p.Dst
	if dst.Compare(src) < 0 {
		src, dst, from = dst, src, 1
	}
	k = key{lo: src.Addr().As16(), hi: dst.Addr().As16(), loPort: src.Port(), hiPort: dst.Port()}
	if src.Addr().Is4() {
		k.family = 4
	}
	return k, from
}

// A conn is both directions of a connection.
type conn struct {
	key     key
	hash    uint32
	list    list
	listed  bool // on a port of SIP
	sip     bool // SIP was seen
	probed  bool // its Probe was given
	quiet   bool // on a port of WebSocket or HEP: what it starts with is no Probe
	dark    bool // TLS, or nothing to be followed: nothing in it is read
	tls     bool
	server  uint8 // of TLS: in servers
	proto   proto // what was seen in one direction
	deflate deflating
	alone   [2]bool // each compressed message of this direction stands alone
	last    int64
	time    int64 // of the last segment: packet time, where last is the clock's
	moved   int64 // clock when it was put into its list
	half    [2]half

	chain        *conn // next with the same hash, or next unused one
	older, newer *conn
}

// A list holds connections in the order of their last segment, as touch has it. At
// the maximum the oldest of the first list that has one has to go.
type list uint8

const (
	over  list = iota // FIN both ways, or RST; kept a while for stragglers
	young             // nothing but SYN seen: what a SYN flood leaves
	blind             // dark
	open
	numLists
)

// followed tells whether segments are taken whatever they begin with.
func (c *conn) followed() bool { return c.listed || c.quiet || c.dark || c.proto != protoSIP }

// linger is how long a closed connection is remembered, ns: so long a straggler of
// its last segments starts no new one.
const linger = int64(30e9)

// A table holds connections by key. They are made a block at a time, so that they
// have fixed places, and used again.
type table struct {
	max   int
	count int // in use
	made  int
	seed  maphash.Seed
	heads []*conn
	free  *conn
	ends  [numLists]conn // older is the newest, newer the oldest
	last  *conn          // the one found last: segments come in trains
}

const blockSize = 128

func newTable(max int) table {
	return table{max: max, heads: make([]*conn, 1<<bits.Len(uint(max)))}
}

// find gives the connection of a key, nil if there is none, and the key's hash,
// which is seeded, so that nobody can choose keys that share one.
func (t *table) find(k *key) (*conn, uint32) {
	if t.last != nil && t.last.key == *k {
		return t.last, t.last.hash
	}
	h := uint32(maphash.Comparable(t.seed, *k))
	for c := t.heads[int(h)&(len(t.heads)-1)]; c != nil; c = c.chain {
		if c.hash == h && c.key == *k {
			t.last = c
			return c, h
		}
	}
	return nil, h
}

// add makes a connection; there must be room for it.
func (t *table) add(k *key, hash uint32) *conn {
	if t.free == nil {
		block := make([]conn, min(blockSize, t.max-t.made))
		t.made += len(block)
		for i := range block {
			block[i].chain, t.free = t.free, &block[i]
		}
	}
	c := t.free
	t.free = c.chain
	head := &t.heads[int(hash)&(len(t.heads)-1)]
	*c = conn{key: *k, hash: hash, chain: *head}
	*head, t.last = c, c
	t.count++
	return c
}

func (t *table) remove(c *conn) {
	t.unlink(c)
	at := &t.heads[int(c.hash)&(len(t.heads)-1)]
	for *at != c {
		at = &(*at).chain
	}
	*at = c.chain
	c.chain, t.free = t.free, c
	if t.last == c {
		t.last = nil
	}
	t.count--
}

// oldest is the connection of l that was silent longest, nil if it is empty.
func (t *table) oldest(l list) *conn {
	if c := t.ends[l].newer; c != nil && c != &t.ends[l] {
		return c
	}
	return nil
}

// link makes c the newest of its list.
func (t *table) link(c *conn) {
	end := &t.ends[c.list]
	if end.newer == nil {
		end.older, end.newer = end, end
	}
	c.newer, c.older = end, end.older
	c.older.newer, end.older = c, c
}

func (t *table) unlink(c *conn) {
	c.older.newer, c.newer.older = c.newer, c.older
}

// order is how exact the order of a list is, ns: moving a connection costs more
// than all else that is done for a segment.
const order = int64(time.Second)

// touch notes that a segment of c came.
func (a *Assembler) touch(c *conn, l list) {
	c.last = a.now
	if c.list == l && a.now-c.moved < order {
		return
	}
	a.table.unlink(c)
	c.list, c.moved = l, a.now
	a.table.link(c)
}

// newConn makes a connection, at the maximum in place of another.
func (a *Assembler) newConn(k *key, hash uint32) *conn {
	if a.table.count == a.table.max {
		for l := over; ; l++ {
			if c := a.table.oldest(l); c != nil {
				a.stats.Evicted++
				a.remove(c)
				break
			}
		}
	}
	c := a.table.add(k, hash)
	c.list, c.last, c.moved = young, a.now, a.now
	a.table.link(c)
	a.stats.Opened++
	return c
}

// remove forgets a connection and what it holds.
func (a *Assembler) remove(c *conn) {
	for i := range c.half {
		a.giveUp(&c.half[i], &a.stats.Lost)
	}
	a.table.remove(c)
}
