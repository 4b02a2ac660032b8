package kpi

import (
	"net/netip"
)

// Who is counted by himself: the trunks, which the configuration names, at whichever
// end of the request they are; and of the sources that are none the busiest. The rest is
// one peer more. An OPTIONS that is no trunk's counts for whom it asks.
//
// New sources get a place as long as there is one. When all are taken, once a minute the
// source without one that had most in that minute takes the place of the least busy, if
// that had less; what was counted of it goes to the rest. So a flood of invented sources
// pushes out nobody who is busier than each of them.

// otherName is the peer of all that have no place.
const otherName = "other"

// peer is what is counted of one, or of everything.
type peer struct {
	name    string
	addr    netip.Addr // of one that may give way
	now     tally      // of the minute at, not in what follows yet
	minute  int64      // since 1970
	dirty   bool       // something is in now
	window  tally      // the open one
	last    tally      // the last that was closed
	minutes [minuteSlots]*slot
	hours   [hourSlots]*slot

	lastFrom, lastTo int64  // of last
	hits             uint32 // in this minute
	busy             uint32 // in those before, each half of the next
}

// slot is what was counted in a minute or an hour.
type slot struct {
	at int64 // its number since 1970
	tally
}

const (
	minuteSlots = 64 // the last hour
	hourSlots   = 26 // the last day
	maxWaiting  = 8 * maxPeers
)

// peers finds them.
type peers struct {
	max     int
	trunks  []trunk
	named   map[string]*peer
	placed  map[netip.Addr]*peer
	waiting map[netip.Addr]uint32 // hits of this minute of those without a place
	other   *peer
	order   []*peer // trunks, then in the order that they came, then the rest
	turn    int64   // the minute of hits
}

func newPeers(cfg *Config) *peers {
	s := &peers{max: cfg.Peers, named: map[string]*peer{}, placed: map[netip.Addr]*peer{}, waiting: map[netip.Addr]uint32{}}
	s.name(cfg.Trunks)
	return s
}

// name takes up trunks, in the order in which they are written. One whose name was there
// goes on; what was counted of one that is gone goes to the rest.
func (s *peers) name(items []string) {
	named, order := map[string]*peer{}, []*peer(nil)
	s.trunks, _ = trunks(items)
	for _, item := range items {
		name := trunkName(item)
		if named[name] != nil {
			continue
		}
		if named[name] = s.named[name]; named[name] == nil {
			named[name] = &peer{name: name}
		}
		order = append(order, named[name])
	}
	if s.other == nil && (s.max > 0 || len(s.trunks) > 0) {
		s.other = &peer{name: otherName}
	}
	for _, p := range s.order {
		switch {
		case p.addr.IsValid():
			order = append(order, p)
		case named[p.name] == nil:
			s.other.take(p)
		}
	}
	s.named, s.order = named, order
}

// all are those with a place, and the rest.
func (s *peers) all() []*peer {
	if s.other == nil {
		return nil
	}
	return append(s.order[:len(s.order):len(s.order)], s.other)
}

// trunk is the peer that an address belongs to, nil without one.
func (s *peers) trunk(a netip.Addr) *peer {
	a = a.Unmap()
	for i := range s.trunks {
		if s.trunks[i].net.Contains(a) {
			return s.named[s.trunks[i].name]
		}
	}
	return nil
}

// of are the peers that a request from one address to another counts for, one or two;
// nil is none. Of those without a trunk it is the source, or whom it asks.
func (s *peers) of(src, dst netip.Addr, asked bool) (one, two *peer) {
	if s.other == nil {
		return nil, nil
	}
	if len(s.trunks) > 0 {
		one, two = s.trunk(src), s.trunk(dst)
		switch {
		case one == nil:
			one, two = two, nil
		case one == two:
			two = nil
		}
	}
	switch {
	case one != nil:
	case asked:
		one = s.place(dst)
	default:
		one = s.place(src)
	}
	return one, two
}

// place is the peer of a source that is no trunk.
func (s *peers) place(a netip.Addr) *peer {
	a = a.Unmap()
	if p := s.placed[a]; p != nil {
		p.hits++
		return p
	}
	switch {
	case !a.IsValid() || s.max == 0:
	case len(s.placed) < s.max:
		return s.admit(a)
	case s.waiting[a] > 0 || len(s.waiting) < maxWaiting:
		s.waiting[a]++
	}
	return s.other
}

func (s *peers) admit(a netip.Addr) *peer {
	p := &peer{name: a.String(), addr: a, hits: 1}
	s.placed[a] = p
	s.order = append(s.order, p)
	return p
}

// pass ends the minutes before now.
func (s *peers) pass(now int64) {
	if now/minute == s.turn {
		return
	}
	s.turn = now / minute
	var least *peer
	for _, p := range s.order {
		p.busy, p.hits = p.busy/2+p.hits, 0
		if p.addr.IsValid() && (least == nil || p.busy < least.busy) {
			least = p
		}
	}
	var best netip.Addr
	most := uint32(0)
	for a, n := range s.waiting {
		if n > most || n == most && a.Less(best) {
			best, most = a, n
		}
	}
	if least != nil && most > least.busy {
		s.replace(least, best)
	}
	clear(s.waiting)
}

// replace gives the place of p to another.
func (s *peers) replace(p *peer, by netip.Addr) {
	s.other.take(p)
	delete(s.placed, p.addr)
	for i := range s.order {
		if s.order[i] == p {
			s.order = append(s.order[:i], s.order[i+1:]...)
			break
		}
	}
	s.admit(by)
}

// take adds what was counted of o. Both closed their windows together.
func (p *peer) take(o *peer) {
	p.flush()
	o.flush()
	p.window.merge(&o.window)
	switch {
	case o.lastFrom > p.lastFrom:
		p.last, p.lastFrom, p.lastTo = o.last, o.lastFrom, o.lastTo
	case o.lastFrom == p.lastFrom:
		p.last.merge(&o.last)
	}
	for _, s := range o.minutes {
		p.takeSlot(s, p.minutes[:])
	}
	for _, s := range o.hours {
		p.takeSlot(s, p.hours[:])
	}
}

func (p *peer) takeSlot(s *slot, ring []*slot) {
	if s == nil {
		return
	}
	if own := ring[s.at%int64(len(ring))]; own == nil || own.at <= s.at {
		slotOf(ring, s.at).merge(&s.tally)
	}
}

// slotOf finds the slot of a minute or an hour, and empties it when it is of another.
func slotOf(ring []*slot, at int64) *slot {
	place := &ring[at%int64(len(ring))]
	if *place == nil {
		*place = new(slot)
	}
	if (*place).at != at {
		**place = slot{at: at}
	}
	return *place
}

// at is where what happens at a moment is counted.
func (p *peer) at(now int64) *tally {
	if m := now / minute; m != p.minute || !p.dirty {
		p.flush()
		p.minute, p.dirty = m, true
	}
	return &p.now
}

// flush puts what was counted of the last minute where it is kept: before the next one,
// the end of a window, or somebody who reads.
func (p *peer) flush() {
	if !p.dirty {
		return
	}
	p.window.merge(&p.now)
	slotOf(p.minutes[:], p.minute).merge(&p.now)
	slotOf(p.hours[:], p.minute/perHour).merge(&p.now)
	p.now, p.dirty = tally{}, false
}

// since sums the slots from one moment to another, both within.
func since(ring []*slot, grain, from, to int64) *tally {
	sum := new(tally)
	for _, s := range ring {
		if s != nil && s.at >= from/grain && s.at <= to/grain {
			sum.merge(&s.tally)
		}
	}
	return sum
}
