package stream

import (
	"cmp"
	"slices"

	"github.com/sipcmbeat/sipcmbeat/internal/codec"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// What an Assembler remembers from one segment to the next, for a capture that is cut in
// two: connections with how far they were read, the bytes of messages that are not
// whole, what is out of order, what compressed messages refer to.

// Walk writes it, or makes an Assembler that has seen nothing go on from there. Which
// servers speak TLS is counted anew.
func (a *Assembler) Walk(c *codec.Codec) {
	a.settle()
	codec.Whole(c, &a.now)
	codec.Whole(c, &a.seen)
	for l := over; l < numLists; l++ {
		a.walkConns(c, l)
	}
	a.walkAssocs(c)
	if c.Reading {
		a.sortWaiting()
	}
}

// walkConns walks the connections of a list, the oldest first.
func (a *Assembler) walkConns(c *codec.Codec, l list) {
	end := &a.table.ends[l]
	n := 0
	if end.newer != nil && !c.Reading {
		for x := end.newer; x != end; x = x.newer {
			n++
		}
	}
	codec.UpTo(c, &n, 1<<22)
	x := end.newer
	for ; n > 0 && !c.Bad; n-- {
		if !c.Reading {
			k := x.key
			k.walk(c)
			a.walkConn(c, x)
			x = x.newer
			continue
		}
		var k key
		k.walk(c)
		found, hash := a.table.find(&k)
		if found != nil {
			c.Fail()
			return
		}
		y := a.newConn(&k, hash)
		a.stats.Opened--
		a.table.unlink(y)
		y.list = l
		a.table.link(y)
		a.walkConn(c, y)
	}
}

func (k *key) walk(c *codec.Codec) {
	for i := range k.lo {
		codec.Whole(c, &k.lo[i])
		codec.Whole(c, &k.hi[i])
	}
	codec.Whole(c, &k.loPort)
	codec.Whole(c, &k.hiPort)
	codec.Whole(c, &k.family)
}

func (a *Assembler) walkConn(c *codec.Codec, x *conn) {
	c.Flags(&x.listed, &x.sip, &x.probed, &x.quiet, &x.dark, &x.tls, &x.alone[0], &x.alone[1])
	codec.UpTo(c, &x.server, maxServers-1)
	codec.UpTo(c, &x.proto, protoHEP)
	codec.UpTo(c, &x.deflate, deflateOn)
	codec.Whole(c, &x.last)
	codec.Whole(c, &x.time)
	codec.Whole(c, &x.moved)
	for i := range x.half {
		h := &x.half[i]
		h.walk(c)
		a.walkHold(c, x, h)
		a.walkWindow(c, x, h)
		if c.Reading && !h.holds() {
			c.Fail()
		}
	}
}

func (h *half) walk(c *codec.Codec) {
	codec.UpTo(c, &h.state, closed)
	c.Flags(&h.hasISN, &h.hasFIN, &h.hasFar, &h.fresh)
	codec.Whole(c, &h.next)
	codec.Whole(c, &h.isn)
	codec.Whole(c, &h.fin)
	codec.Whole(c, &h.ack)
	codec.Whole(c, &h.far)
	codec.Whole(c, &h.path)
	codec.Whole(c, &h.last)
	codec.UpTo(c, &h.proto, protoHEP)
	codec.UpTo(c, &h.mask, unmasked)
	m := &h.message
	c.Flags(&m.atLine, &m.atGap, &m.bad, &m.open)
	codec.Whole(c, &m.line)
	codec.Whole(c, &m.scanned)
	codec.Whole(c, &m.length)
	codec.Whole(c, &m.value)
	codec.Whole(c, &m.need)
	codec.Whole(c, &m.left)
}

// holds reports whether what is known of a message is within what is held of it: for
// what was read from anybody's bytes.
func (h *half) holds() bool {
	if h.state == unseen || h.state == closed || h.state == dark {
		return h.hold == nil // and the rest is forgotten when it begins anew
	}
	held := int32(0)
	if d := h.hold; d != nil {
		held = int32(d.fill - d.off)
	}
	m := &h.message
	for _, at := range [...]int32{m.line, m.scanned, m.value} {
		if at < 0 || at > max(held, maxSpan) || at > held && h.state != inFrames {
			return false
		}
	}
	return m.line <= held && m.scanned <= held && m.length >= -1 && m.need >= 0 && m.left >= 0 && m.left <= maxBody &&
		(h.state != skipping || m.left > 0)
}

// walkHold walks what a direction holds, nothing mostly.
func (a *Assembler) walkHold(c *codec.Codec, x *conn, h *half) {
	there := h.hold != nil
	if c.Flags(&there); !there {
		return
	}
	if !c.Reading {
		d := h.hold
		b := d.buf[d.off:d.fill]
		c.Bytes(&b, len(b))
		codec.Whole(c, &d.n)
		for _, i := range d.islands[:d.n] {
			i.walk(c)
			b := d.buf[d.place(i.from):d.place(i.to)]
			c.Bytes(&b, len(b))
		}
		a.walkPlace(c, d)
		return
	}
	a.conn, a.half = x, h
	defer func() { a.conn, a.half = nil, nil }()
	most := a.cfg.longest()
	var b []byte
	c.Bytes(&b, most)
	d := a.hold(len(b))
	d.fill = copy(d.buf, b)
	n := 0
	codec.UpTo(c, &n, maxIslands+1)
	reach := uint32(0) // what is known, from next on
	for ; n > 0 && !c.Bad; n-- {
		var i island
		i.walk(c)
		from, to := i.from-h.next, i.to-h.next
		if from <= reach || to <= from || int(to) > a.cfg.MaxStreamBytes+maxPiece {
			c.Fail()
			return
		}
		reach = to
		if c.Bytes(&b, most); len(b) != int(to-from) {
			c.Fail()
			return
		}
		a.room(d, int(to))
		copy(d.buf[d.place(i.from):], b)
		d.islands[d.n] = i
		d.n++
	}
	waits := a.walkPlace(c, d)
	if d.n > 0 && !waits || d.held() == 0 && !waits {
		c.Fail()
	}
	a.stats.Bytes += uint64(d.held())
}

func (i *island) walk(c *codec.Codec) {
	codec.Whole(c, &i.from)
	codec.Whole(c, &i.to)
	codec.Whole(c, &i.since)
	codec.Whole(c, &i.time)
}

// walkPlace walks where the bytes came from and what they wait for. What waits is put
// into its list when all is there; it reports whether it does.
func (a *Assembler) walkPlace(c *codec.Codec, d *hold) bool {
	w := d.wait
	codec.Whole(c, &d.time)
	codec.UpTo(c, &w, numWaits-1)
	codec.Whole(c, &d.since)
	d.packet.Walk(c)
	if c.Reading {
		d.packet.VLANs = d.vlans[:copy(d.vlans[:], d.packet.VLANs)]
		d.packet.Encap = d.encap[:copy(d.encap[:], d.packet.Encap)]
		if w != notWaiting {
			a.kept = append(a.kept, waiting{d, w, d.since})
		}
	}
	return w != notWaiting
}

// waiting is a hold that was read and waits.
type waiting struct {
	hold  *hold
	wait  wait
	since int64
}

// sortWaiting puts those that wait into their lists, in the order of when they began.
func (a *Assembler) sortWaiting() {
	slices.SortStableFunc(a.kept, func(x, y waiting) int { return cmp.Compare(x.since, y.since) })
	for _, w := range a.kept {
		if w.hold.half != nil {
			a.wait(w.hold, w.wait)
			w.hold.since = w.since
		}
	}
	a.kept = nil
}

// walkWindow walks what compressed messages of a direction refer to.
func (a *Assembler) walkWindow(c *codec.Codec, x *conn, h *half) {
	var b []byte
	if h.window != nil {
		b = h.window.buf[:h.window.n]
	}
	if c.Bytes(&b, windowSize); c.Reading && len(b) > 0 {
		a.conn, a.half = x, h
		a.remember(h, b)
		a.conn, a.half = nil, nil
	}
}

// walkAssocs walks the associations, the one that was silent longest first.
func (a *Assembler) walkAssocs(c *codec.Codec) {
	s := &a.sctp
	n := len(s.byKey)
	codec.UpTo(c, &n, 1<<22)
	x := s.ends.newer
	for ; n > 0 && !c.Bad; n-- {
		var k key
		if !c.Reading {
			k = x.key
		}
		k.walk(c)
		if c.Reading {
			if s.byKey[k] != nil {
				c.Fail()
				return
			}
			x = a.newAssoc(&k)
		}
		codec.Whole(c, &x.last)
		c.Flags(&x.listed, &x.sip, &x.probed)
		for i := range x.way {
			a.walkWay(c, x, &x.way[i])
		}
		x = x.newer
	}
	if c.Reading {
		s.sortGathers()
	}
}

func (a *Assembler) walkWay(c *codec.Codec, x *assoc, w *way) {
	c.Flags(&w.known, &w.isInit)
	codec.Whole(c, &w.tag)
	codec.Whole(c, &w.init)
	codec.Whole(c, &w.top)
	for i := range w.seen {
		c.Hash(&w.seen[i])
	}
	there := w.gather != nil
	if c.Flags(&there); !there {
		return
	}
	s := &a.sctp
	if !c.Reading {
		w.gather.walk(c)
		return
	}
	var from packet.Packet
	s.p, s.assoc = &from, x
	g := a.gatherOf(w)
	s.p, s.assoc = nil, nil
	a.readGather(c, g)
}

// walk writes a gather.
func (g *gather) walk(c *codec.Codec) {
	codec.Whole(c, &g.since)
	codec.Whole(c, &g.time)
	g.packet.Walk(c)
	codec.Whole(c, &g.n)
	for p := g.pieces; p != nil; p = p.next {
		p.walk(c)
		b := p.buf[:p.n]
		c.Bytes(&b, len(b))
	}
}

func (p *fragment) walk(c *codec.Codec) {
	c.Hash(&p.group)
	codec.Whole(c, &p.seq)
	c.Flags(&p.first, &p.last)
	codec.Whole(c, &p.since)
}

func (a *Assembler) readGather(c *codec.Codec, g *gather) {
	codec.Whole(c, &g.since)
	codec.Whole(c, &g.time)
	g.packet.Walk(c)
	g.packet.VLANs = g.vlans[:copy(g.vlans[:], g.packet.VLANs)]
	g.packet.Encap = g.encap[:copy(g.encap[:], g.packet.Encap)]
	n := 0
	codec.UpTo(c, &n, maxPieces)
	at, w := &g.pieces, g.way
	var last *fragment
	for ; n > 0 && !c.Bad; n-- {
		var x fragment
		x.walk(c)
		var b []byte
		c.Bytes(&b, a.cfg.MaxStreamBytes)
		if c.Bad || last != nil && !last.before(&x) || len(b) == 0 {
			c.Fail()
			break
		}
		buf, p := a.buffer(len(b)), a.newPiece()
		if w.gather != g { // it had to give way
			a.recycle(buf)
			c.Fail()
			return
		}
		*p = x
		p.buf, p.n, p.next = buf, copy(buf, b), nil
		*at, at, last = p, &p.next, p
		g.n, g.bytes = g.n+1, g.bytes+p.n
		a.sctp.held += p.n
		a.stats.Bytes += uint64(p.n)
	}
	if g.pieces == nil {
		c.Fail()
	}
	a.settleGather(g)
}

// sortGathers puts the gathers into the order of when they began.
func (s *sctp) sortGathers() {
	var all []*gather
	for g := s.first; g != nil; g = g.next {
		all = append(all, g)
	}
	slices.SortStableFunc(all, func(x, y *gather) int { return cmp.Compare(x.since, y.since) })
	s.first, s.last = nil, nil
	for _, g := range all {
		g.prev, g.next = s.last, nil
		if s.last != nil {
			s.last.next = g
		} else {
			s.first = g
		}
		s.last = g
	}
}
