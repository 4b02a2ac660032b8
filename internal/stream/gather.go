package stream

import "github.com/sipcmbeat/sipcmbeat/internal/sip"

// Putting fragmented user messages together, RFC 9260 §6.9.

// collect holds the data of a chunk, or gives the message that it makes whole.
func (a *Assembler) collect(u *Unit, w *way, x fragment, body []byte) bool {
	s := &a.sctp
	if g := w.gather; g != nil && (g.n == maxPieces || g.bytes+len(body) > a.cfg.MaxStreamBytes) {
		a.lose(g)
	}
	buf, p := a.buffer(len(body)), a.newPiece()
	g := a.gatherOf(w)
	at := &g.pieces
	for *at != nil && (*at).before(&x) {
		at = &(*at).next
	}
	if y := *at; y != nil && y.group == x.group && y.seq == x.seq { // two of one number: the first stays
		a.stats.Repeated += uint64(len(body))
		a.recycle(buf)
		*p = fragment{next: s.unusedPiece}
		s.unusedPiece = p
		return false
	}
	*p = x
	p.buf, p.n, p.next = buf, copy(buf, body), *at
	*at = p
	g.n, g.bytes, g.time = g.n+1, g.bytes+p.n, s.p.Time
	s.held += p.n
	if run := g.whole(p); run != nil {
		s.text = g.join(s.text[:0], run)
		a.take(g, run, func(x *fragment) bool { return x.last })
		return a.userMessage(u, s.assoc, nil, s.text, false, Whole)
	}
	return false
}

func (p *fragment) before(x *fragment) bool {
	if p.group != x.group {
		return p.group < x.group
	}
	return int32(p.seq-x.seq) < 0
}

// follows tells whether x is the chunk behind p.
func (p *fragment) follows(x *fragment) bool {
	return x != nil && x.group == p.group && x.seq == p.seq+1 && !x.first && !p.last
}

// whole is the first piece of the message that p is in, nil if one is missing.
func (g *gather) whole(p *fragment) *fragment {
	var run, before *fragment
	holds := false // the run holds p
	for x := g.pieces; x != nil; before, x = x, x.next {
		switch {
		case x.first:
			run, holds = x, false
		case before == nil || !before.follows(x):
			run, holds = nil, false
		}
		if holds = holds || x == p; holds && x.last && run != nil {
			return run
		}
	}
	return nil
}

// join appends what the pieces from run on that follow on each other hold.
func (g *gather) join(dst []byte, run *fragment) []byte {
	for x := run; ; x = x.next {
		dst = append(dst, x.buf[:x.n]...)
		if !x.follows(x.next) {
			return dst
		}
	}
}

// take takes pieces out, from run on up to the one that is the last.
func (a *Assembler) take(g *gather, run *fragment, last func(*fragment) bool) {
	at := &g.pieces
	for *at != run {
		at = &(*at).next
	}
	for done := false; !done; {
		x := *at
		done = last(x)
		*at = x.next
		a.freePiece(g, x)
	}
	a.settleGather(g)
}

// settleGather frees a gather that holds nothing, or sets its time anew.
func (a *Assembler) settleGather(g *gather) {
	s := &a.sctp
	if g.pieces != nil {
		g.since = g.pieces.since
		for x := g.pieces; x != nil; x = x.next {
			g.since = min(g.since, x.since)
		}
		return
	}
	s.unlink(g)
	g.way.gather = nil
	g.assoc, g.way = nil, nil
	g.next, s.unusedGather = s.unusedGather, g
}

func (a *Assembler) freePiece(g *gather, x *fragment) {
	s := &a.sctp
	g.n, g.bytes = g.n-1, g.bytes-x.n
	s.held -= x.n
	a.recycle(x.buf)
	*x = fragment{next: s.unusedPiece}
	s.unusedPiece = x
}

func (a *Assembler) newPiece() *fragment {
	s := &a.sctp
	p := s.unusedPiece
	if p == nil {
		a.makeRoom(pieceCost)
		a.pool.made += pieceCost
		return new(fragment)
	}
	s.unusedPiece = p.next
	return p
}

// gatherOf is the gather of w, the direction in work.
func (a *Assembler) gatherOf(w *way) *gather {
	s := &a.sctp
	if w.gather != nil {
		return w.gather
	}
	g := s.unusedGather
	if g == nil {
		a.makeRoom(gatherCost)
		a.pool.made += gatherCost
		g = new(gather)
	} else {
		s.unusedGather = g.next
	}
	*g = gather{assoc: s.assoc, way: w, since: a.now, packet: *s.p, prev: s.last}
	g.packet.Payload = nil
	g.packet.VLANs = g.vlans[:copy(g.vlans[:], s.p.VLANs)]
	g.packet.Encap = g.encap[:copy(g.encap[:], s.p.Encap)]
	if s.last != nil {
		s.last.next = g
	} else {
		s.first = g
	}
	s.last, w.gather = g, g
	return g
}

func (s *sctp) unlink(g *gather) {
	if g.prev != nil {
		g.prev.next = g.next
	} else {
		s.first = g.next
	}
	if g.next != nil {
		g.next.prev = g.prev
	} else {
		s.last = g.prev
	}
	g.prev, g.next = nil, nil
}

// lose gives up all that a direction holds.
func (a *Assembler) lose(g *gather) {
	a.stats.Lost += uint64(g.bytes)
	a.stats.SCTP.Incomplete++
	for g.pieces != nil {
		x := g.pieces
		g.pieces = x.next
		a.freePiece(g, x)
	}
	a.settleGather(g)
}

// abandon gives up the message of the oldest piece. It reports whether what is there
// of it makes a unit: a header section that is whole, or that the sender did not
// end.
func (a *Assembler) abandon(u *Unit, g *gather, why Reason) bool {
	s := &a.sctp
	a.stats.SCTP.Incomplete++
	x := g.pieces
	for x.since != g.since {
		x = x.next
	}
	first := g.pieces
	for first.group != x.group {
		first = first.next
	}
	s.text = s.text[:0]
	if first.first {
		s.text = g.join(s.text, first)
	}
	c, held := g.assoc, g.bytes
	a.take(g, first, func(x *fragment) bool { return x.next == nil || x.next.group != x.group })
	if g.assoc != nil {
		held -= g.bytes
	}
	m := message{length: -1}
	kind, _ := sip.Classify(s.text)
	switch end := m.sectionEnd(s.text); {
	case len(s.text) == 0 || kind != sip.KindSIP || !c.listed && !sip.StartsStrict(s.text) || len(s.text) > a.cfg.MaxMessage:
		a.stats.Lost += uint64(held)
		return false
	case end == 0 && why == Hole:
		a.stats.Broken++
		a.stats.Lost += uint64(held)
		return false
	case end > 0:
		a.utter(u, g, Message, why, s.text)
		u.Cut = true
	default:
		a.utter(u, g, Unfinished, why, s.text)
		u.Cut = why == Ended
	}
	a.stats.Lost += uint64(held - len(s.text))
	c.sip = true
	return true
}
