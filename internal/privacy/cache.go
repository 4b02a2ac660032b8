package privacy

import (
	"bytes"
	"net/netip"

	"github.com/sipcmbeat/sipcmbeat/internal/siphash"
)

// The same values come again and again: users and hosts in each event of a call, agents in
// all. The memory is fixed: 4096 texts of at most maxCached bytes and what they became, and
// 2048 addresses, 4 MB when all are as long as can be. Clear values are in it.
const (
	cacheSets  = 2048 // of two entries
	cacheAddrs = 2048
	maxCached  = 256 // bytes
)

// cache remembers what values became. Its hash is keyed anew in each run, so that nobody
// can send values that push each other out. Its owner has the lock.
type cache struct {
	key   siphash.Key
	texts [cacheSets][2]cached
	addrs [cacheAddrs]cachedAddr
}

type cached struct {
	kind    uint16 // label and whether it is sealed or hashed
	in, out []byte
}

type cachedAddr struct {
	sealed  bool // or hashed
	in, out netip.Addr
}

// text finds the entry of a value. When it is not known yet, the older entry of its set
// gives way: out is then empty, for the caller to fill.
func (c *cache) text(kind uint16, b []byte) (e *cached, known bool) {
	set := &c.texts[(c.key.Sum(b)^uint64(kind)*0x9e3779b97f4a7c15)%cacheSets]
	for i := range set {
		if e = &set[i]; e.kind == kind && bytes.Equal(e.in, b) && len(e.out) > 0 {
			if i > 0 {
				set[0], set[i] = set[i], set[0]
			}
			return &set[0], true
		}
	}
	set[0], set[1] = set[1], set[0]
	e = &set[0]
	e.kind, e.in, e.out = kind, append(e.in[:0], b...), e.out[:0]
	return e, false
}

// addr finds the entry of an address.
func (c *cache) addr(sealed bool, a netip.Addr) (e *cachedAddr, known bool) {
	b := a.As16()
	e = &c.addrs[c.key.Sum(b[:])%cacheAddrs]
	if known = e.in == a && e.sealed == sealed; !known {
		e.in, e.sealed = a, sealed
	}
	return e, known
}
