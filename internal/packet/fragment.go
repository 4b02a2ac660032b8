package packet

import (
	"bytes"
	"hash/maphash"
	"math/bits"
	"time"
)

// Fragments of IPv4 (RFC 791 §3.2) and IPv6 (RFC 8200 §4.5) are put together
// here, by the same code.
//
// Fragments belong together when identification, addresses, protocol (IPv4) and
// mirror point (Packet.PathHash) agree. The mirror point is in the key so that
// equal addresses in two VLANs or tunnels don't mix, and so that a second mirror
// gives a second datagram, which the next stage knows as a mirror duplicate like
// any other. It costs those datagrams whose fragments took two interfaces.
//
// Overlap: bytes that came twice must be the same, else the whole datagram is
// given up and the rest of it refused. Receivers differ in which copy they take
// (the older BSD, Windows and Linux each in its way), so whoever chooses can be
// shown another message than the receiver. Current receivers drop such a
// datagram: RFC 5722 §4 asks it for IPv6, Linux does it for IPv4 as well. Equal
// bytes in another cut are taken, unlike there: two routers may cut twice.
//
// A tiny fragment is no special case: ports are read only when the datagram is
// whole, so the trick of RFC 1858 §3 shows nothing.
//
// Bounds: the number of datagrams, the pages they hold, and their age. At either
// maximum the oldest is given up, never the newest: an attacker's fragments push
// out his own. A datagram may be cut into any number of pieces, for bytes are kept
// by place, not by piece: a page for every 2 KiB that something arrived in, and a
// bit for every 8 bytes, the unit that offsets count in.
//
// Memory is taken as needed up to the bounds and kept. Beyond FragmentBytes there
// are the buffers that whole datagrams are handed out in, 64 KiB for each level of
// fragments in fragments that was met.

const (
	maxDatagram = 65535 // RFC 791 §3.1: total length; the payload of IPv6 is no longer

	pageSize  = 2048
	pageUnits = pageSize / 8
	slabPages = maxDatagram/pageSize + 1 // pages are made that many at a time
	slabSize  = slabPages * pageSize     // holds one datagram of the greatest size

	// doneAge is how long the identification of a datagram that was put together,
	// or given up for a contradiction, is remembered, so that late duplicates
	// start no new one. It is short because identifications of 16 bits come round
	// again: a sender of 65,536 datagrams a second would lose some.
	doneAge = int64(time.Second)
)

type key struct {
	src, dst [16]byte
	id, path uint32
	proto    uint8 // 0 for IPv6, where RFC 8200 §4.5 leaves it out
	six      bool
}

type state uint8

const (
	held    state = iota // waiting for the rest
	done                 // handed out
	refused              // contradicted itself
)

// A datagram in assembly, or the memory of one. Links are places in
// assembly.datagrams.
type datagram struct {
	key          key
	state        state
	proto        uint8            // next header, from the first fragment
	start        int64            // packet time of the first fragment seen; of the end for done and refused
	total        int              // length, -1 until the last fragment was seen
	end          int              // greatest end of a fragment that is not the last
	units        int              // units of 8 bytes that are there
	pages        [slabPages]int32 // place of the page + 1, 0 for none
	chain        int32            // next with the same hash
	older, newer int32
}

// The first two datagrams are the ends of the two lists, each in order of start.
const (
	heldList int32 = iota
	doneList
	firstDatagram
)

type assembly struct {
	max      int // datagrams in each list
	maxPages int
	age      int64

	seed      maphash.Seed
	heads     []int32 // by hash, 0 for none
	datagrams []datagram
	freed     int32 // unused datagrams, by chain
	held      int
	done      int

	slabs [][]byte
	have  [][pageUnits / 64]uint64 // by page: a bit for each unit that is there
	free  []int32                  // pages

	out  [][]byte // buffers of whole datagrams, one a level
	used int      // how many of them the current Decode has handed out

	count Stats
}

func newAssembly(cfg Config) assembly {
	a := assembly{
		max:      cfg.FragmentMax,
		maxPages: cfg.FragmentBytes / slabSize * slabPages,
		age:      int64(cfg.FragmentAge),
		seed:     maphash.MakeSeed(),
		heads:    make([]int32, 1<<bits.Len(uint(cfg.FragmentMax))),
	}
	a.datagrams = make([]datagram, firstDatagram, firstDatagram+16)
	for l := range a.datagrams {
		a.datagrams[l].older, a.datagrams[l].newer = int32(l), int32(l)
	}
	return a
}

// assemble takes a fragment in. It borrows b; when the datagram is whole it
// returns it as the rest, in a buffer of d's.
//
// A first fragment that a snap length cut is handed on as it is, Cut: the
// datagram can't become whole any more, and a SIP message starts with what
// matters. Its other fragments are then duplicates.
func (d *Decoder) assemble(proto uint8, offset int, more bool, b []byte) (Layer, []byte, Drop) {
	end := offset + len(b)
	if d.Cut && offset > 0 {
		return LayerNone, nil, FragmentCut
	}
	if len(b) == 0 || end > maxDatagram || more && !d.Cut && len(b)%8 != 0 {
		return LayerNone, nil, FragmentLength
	}
	k := key{src: d.Src.Addr().As16(), dst: d.Dst.Addr().As16(), id: d.IPID, path: d.PathHash(), six: d.six}
	if !d.six {
		k.proto = proto
	}
	a := &d.frags
	a.count.Fragments++
	i, g := a.open(&k, d.Time)
	switch g.state {
	case done:
		a.count.Duplicates++
		return LayerNone, nil, FragmentDuplicate
	case refused:
		return LayerNone, nil, FragmentOverlap
	case held:
	}
	if d.Cut {
		a.close(i, done, d.Time)
		return d.ipProto(proto), b, OK
	}
	if offset == 0 {
		g.proto = proto
	}
	fresh, agrees := 0, g.fits(end, more)
	if agrees {
		fresh, agrees = a.put(i, offset, b)
	}
	switch {
	case !agrees:
		a.close(i, refused, d.Time)
		a.count.Refused++
		return LayerNone, nil, FragmentOverlap
	case fresh == 0:
		a.count.Duplicates++
		return LayerNone, nil, FragmentDuplicate
	case g.total < 0 || g.units < (g.total+7)/8:
		return LayerNone, nil, Fragment
	}
	d.Fragmented = true
	whole := a.handOut(g)
	proto = g.proto
	a.close(i, done, d.Time)
	a.count.Assembled++
	return d.ipProto(proto), whole, OK
}

// fits notes where the fragment ends and reports whether that agrees with the
// others: there is one end of the datagram, and nothing beyond it.
func (g *datagram) fits(end int, more bool) bool {
	if more {
		g.end = max(g.end, end)
		return g.total < 0 || end < g.total
	}
	if g.total >= 0 && g.total != end || g.end >= end {
		return false
	}
	g.total = end
	return true
}

// put copies b to its place in datagram i. It returns how many units of 8 bytes
// are new, and whether those that were there are the same.
func (a *assembly) put(i int32, offset int, b []byte) (fresh int, agrees bool) {
	for len(b) > 0 {
		page, in := offset/pageSize, offset%pageSize
		n := min(len(b), 512-in%512) // the bytes of one word of bits
		p := a.page(i, page)
		at := a.bytes(p)[in : in+n]
		word := &a.have[p][in/512]
		units := (n + 7) / 8
		mask := (uint64(1)<<units - 1) << (in % 512 / 8) // units == 64 shifts to 0, and 0-1 is all
		switch *word & mask {
		case 0:
			copy(at, b)
			fresh += units
		case mask:
			if !bytes.Equal(at, b[:n]) {
				return fresh, false
			}
		default:
			f, ok := merge(at, b[:n], *word>>(in%512/8))
			if !ok {
				return fresh, false
			}
			fresh += f
		}
		*word |= mask
		offset, b = offset+n, b[n:]
	}
	a.datagrams[i].units += fresh
	return fresh, true
}

// merge copies those units of b that have says are missing in at, and compares
// the others.
func merge(at, b []byte, have uint64) (fresh int, agrees bool) {
	for from := 0; from < len(b); from += 8 {
		to := min(from+8, len(b))
		if have>>(from/8)&1 == 0 {
			copy(at[from:to], b[from:to])
			fresh++
		} else if !bytes.Equal(at[from:to], b[from:to]) {
			return fresh, false
		}
	}
	return fresh, true
}

// handOut copies a whole datagram out of its pages into the buffer of this
// level. What it returns borrows from a until the next Decode.
func (a *assembly) handOut(g *datagram) []byte {
	if a.used == len(a.out) {
		a.out = append(a.out, make([]byte, slabSize))
	}
	b := a.out[a.used][:g.total]
	a.used++
	for page := 0; page*pageSize < g.total; page++ {
		copy(b[page*pageSize:], a.bytes(g.pages[page]-1))
	}
	return b
}

// page returns the page of datagram i with this number, and makes it if needed.
func (a *assembly) page(i int32, number int) int32 {
	if p := a.datagrams[i].pages[number]; p != 0 {
		return p - 1
	}
	if len(a.free) == 0 && len(a.have) < a.maxPages {
		for p := range slabPages {
			a.free = append(a.free, int32(len(a.have)+slabPages-1-p))
		}
		a.slabs = append(a.slabs, make([]byte, slabSize))
		a.have = append(a.have, make([][pageUnits / 64]uint64, slabPages)...)
	}
	for len(a.free) == 0 {
		// Another one than i holds pages: all of i's fit into one slab.
		oldest := a.datagrams[heldList].newer
		if oldest == i {
			oldest = a.datagrams[i].newer
		}
		a.evict(oldest)
	}
	p := a.free[len(a.free)-1]
	a.free = a.free[:len(a.free)-1]
	a.have[p] = [pageUnits / 64]uint64{}
	a.datagrams[i].pages[number] = p + 1
	a.count.Bytes += pageSize
	return p
}

func (a *assembly) bytes(page int32) []byte {
	at := int(page) % slabPages * pageSize
	return a.slabs[page/slabPages][at : at+pageSize]
}

// open finds the datagram of a key, or makes one.
func (a *assembly) open(k *key, now int64) (int32, *datagram) {
	head := a.head(k)
	for i := *head; i != 0; i = a.datagrams[i].chain {
		g := &a.datagrams[i]
		if g.key != *k {
			continue
		}
		if !g.old(now, a.age) {
			return i, g
		}
		if g.state == held {
			a.count.Expired++
		}
		a.remove(i)
		break
	}
	if a.held == a.max {
		a.evict(a.datagrams[heldList].newer)
	}
	i := a.freed
	if i != 0 {
		a.freed = a.datagrams[i].chain
	} else {
		i = int32(len(a.datagrams))
		a.datagrams = append(a.datagrams, datagram{})
	}
	g := &a.datagrams[i]
	*g = datagram{key: *k, start: now, total: -1, chain: *head}
	*head = i
	a.link(i, heldList)
	a.held++
	return i, g
}

// close ends the assembly of i and remembers its identification.
func (a *assembly) close(i int32, how state, now int64) {
	a.release(i)
	a.unlink(i)
	a.held--
	if a.done == a.max {
		a.remove(a.datagrams[doneList].newer)
	}
	g := &a.datagrams[i]
	g.state, g.start = how, now
	a.link(i, doneList)
	a.done++
}

func (a *assembly) evict(i int32) {
	a.count.Evicted++
	a.remove(i)
}

// expire gives up what is older than its age at now.
func (a *assembly) expire(now int64) {
	if a.held+a.done == 0 {
		return
	}
	for a.held > 0 && a.datagrams[a.datagrams[heldList].newer].old(now, a.age) {
		a.count.Expired++
		a.remove(a.datagrams[heldList].newer)
	}
	for a.done > 0 && a.datagrams[a.datagrams[doneList].newer].old(now, a.age) {
		a.remove(a.datagrams[doneList].newer)
	}
}

// old reports whether the time of g is up at now. A start that far ahead of now
// is as old: a capture's clock may leap and come back.
func (g *datagram) old(now, age int64) bool {
	if g.state != held {
		age = doneAge
	}
	d := now - g.start
	return d > age || d < -age
}

// remove forgets datagram i.
func (a *assembly) remove(i int32) {
	g := &a.datagrams[i]
	if g.state == held {
		a.release(i)
		a.held--
	} else {
		a.done--
	}
	a.unlink(i)
	at := a.head(&g.key)
	for *at != i {
		at = &a.datagrams[*at].chain
	}
	*at = g.chain
	g.chain, a.freed = a.freed, i
}

// release gives back the pages of datagram i.
func (a *assembly) release(i int32) {
	g := &a.datagrams[i]
	for n, p := range g.pages {
		if p != 0 {
			a.free = append(a.free, p-1)
			a.count.Bytes -= pageSize
			g.pages[n] = 0
		}
	}
}

func (a *assembly) link(i, list int32) {
	g, l := &a.datagrams[i], &a.datagrams[list]
	g.newer, g.older = list, l.older
	a.datagrams[l.older].newer = i
	l.older = i
}

func (a *assembly) unlink(i int32) {
	g := &a.datagrams[i]
	a.datagrams[g.older].newer = g.newer
	a.datagrams[g.newer].older = g.older
}

// head is where the chain of a key starts. The hash is seeded, so that nobody
// can choose keys that share one.
func (a *assembly) head(k *key) *int32 {
	return &a.heads[maphash.Comparable(a.seed, *k)&uint64(len(a.heads)-1)]
}

func (a *assembly) stats() Stats {
	s := a.count
	s.Held = a.held
	return s
}
