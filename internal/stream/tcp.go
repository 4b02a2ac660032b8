package stream

import (
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// TCP (RFC 9293), as a bystander sees it.
//
// A segment is, by its sequence number, in order, ahead of a hole, old (a
// retransmission, a keep-alive probe of RFC 9293 §3.8.4, a second mirror's copy),
// or far from all that. A hole waits for its bytes; when it has waited long enough,
// or what is held behind it is too much, it is passed over, which costs the messages
// in it and never the stream. A far segment is another connection whose beginning
// was not seen, or what follows a gap in the capture, if it starts like SIP or
// another one follows on it; else a stray, which changes nothing.

// A half is one direction of a connection.
type half struct {
	state  state
	hasISN bool
	hasFIN bool
	hasFar bool
	fresh  bool // from its beginning, and neither SIP nor anything else was seen in it

	next uint32 // sequence number of the byte that comes next
	isn  uint32
	fin  uint32 // number of the FIN
	ack  uint32 // how far the other end has everything, as it said last
	far  uint32 // number that follows the last far segment
	path uint32 // where its beginning was taken: packet.Packet.PathHash
	last int64  // clock of the last segment that fitted
	hold *hold  // nil if nothing is held

	proto  proto
	mask   masking // of the last frame of WebSocket
	window *window // of compressed messages; nil if nothing is known

	message
}

// before is how far behind next a segment is old and not far. A sender has no more
// than its window on the way, which is 1 GiB at most and 1 MiB hardly ever.
const before = 1 << 20

// A step is a piece of work that Next has to do, in a.half once it is begun.
type step struct {
	do   stepKind
	half *half
	why  Reason
}

type stepKind uint8

const (
	place  stepKind = iota // put the segment's data into its place
	snip                   // pass over the bytes of the segment that a snap length cut
	note                   // note the segment's FIN
	begin                  // begin at the segment's SYN
	reopen                 // begin at the segment's data, in the middle
	finish                 // give what is held, holes passed over, and close
	skip                   // pass over the first hole
	forget                 // forget the connection
)

// then plans a step before all others.
func (a *Assembler) then(s step) {
	a.steps[a.pending] = s
	a.pending++
}

// segment decides what to do with a segment.
func (a *Assembler) segment(p *packet.Packet, ports Ports) bool {
	k, from := keyOf(p)
	c, hash := a.table.find(&k)
	syn := p.Flags.Has(packet.SYN)
	a.ports, a.conn = ports, c
	if c == nil || c.half[from].state == unseen && !c.followed() {
		if ports&PortSIP == 0 && !a.begins(p, syn) {
			a.stats.OtherPort++
			a.conn = nil
			return false
		}
	}
	a.conn = nil
	a.stats.Segments++
	a.stats.Bytes += uint64(len(p.Payload))
	if c == nil {
		if len(p.Payload) == 0 && !syn { // there is nothing to remember
			return true
		}
		c = a.newConn(&k, hash)
	}
	h, other := &c.half[from], &c.half[1-from]
	c.listed = c.listed || ports&PortSIP != 0
	c.quiet = c.quiet || ports&(PortWebSocket|PortHEP) != 0
	c.time = p.Time
	to := c.list
	if to == young && len(p.Payload) > 0 {
		to = open
	}
	if to == open && c.dark {
		to = blind
	}
	a.touch(c, to)
	if p.Flags.Has(packet.ACK) && other.hold != nil {
		other.ack = p.Ack
		a.acknowledged(other, p.Ack)
	}
	if len(p.Payload) == 0 && p.Missing == 0 && p.Flags&(packet.SYN|packet.FIN|packet.RST) == 0 {
		return true
	}
	a.p, a.conn, a.half, a.from, a.time, a.end = p, c, h, from, p.Time, p.Time
	a.seq, a.data = p.Seq, p.Payload
	if syn {
		a.seq++ // a SYN takes a number; data may come with it (RFC 7413)
	}
	switch {
	case p.Flags.Has(packet.RST):
		a.reset(h, other)
	case syn:
		a.synchronise(h, other)
	case c.dark:
		a.inDark(h)
	case p.Seq == h.next && h.hold == nil && h.state != unseen && h.state != closed && p.Missing == 0 && !p.Flags.Has(packet.FIN):
		a.inOrder(h, 0) // most segments: nothing to plan
	default:
		a.plan(h)
	}
	return true
}

// plan plans the steps of a segment, the last one first.
func (a *Assembler) plan(h *half) {
	if a.p.Flags.Has(packet.FIN) {
		a.then(step{do: note, half: h})
	}
	if a.p.Missing > 0 {
		a.then(step{do: snip, half: h})
	}
	if len(a.data) > 0 {
		a.then(step{do: place, half: h})
	}
}

// behind is the sequence number behind the segment's bytes.
func (a *Assembler) behind() uint32 {
	n := a.p.Seq + uint32(len(a.p.Payload)+a.p.Missing)
	if a.p.Flags.Has(packet.SYN) {
		n++
	}
	return n
}

// note notes where a direction ends. Behind a hole that has to be waited for.
func (a *Assembler) note(h *half) {
	if h.state == unseen || h.state == closed {
		return
	}
	fin := a.behind()
	ahead := int32(fin - h.next)
	if ahead < 0 || int(ahead) > a.cfg.MaxStreamBytes+maxPiece {
		return
	}
	h.hasFIN, h.fin = true, fin
	if ahead > 0 {
		if d := a.hold(0); d.wait == notWaiting {
			a.wait(d, forBytes)
		}
	}
}

// ended reports whether all up to the FIN was in order.
func (h *half) ended() bool {
	return h.hasFIN && h.state != closed && h.state != unseen && int32(h.next-h.fin) >= 0
}

// synchronise handles a SYN, and what comes with it.
func (a *Assembler) synchronise(h, other *half) {
	c := a.conn
	late := int32(h.next - a.seq)
	switch {
	case h.state == unseen:
		a.plan(h)
		a.then(step{do: begin, half: h})
		if c.list == over { // the ports are used anew; the other half is yet to come
			a.anew(other)
		}
	case h.hasISN && h.isn == a.p.Seq:
		a.again(h)
	case !h.hasISN && (c.dark && h.state != closed || late >= 0 && late <= before):
		h.isn, h.hasISN = a.p.Seq, true // data was captured before it, or it came when nobody waited for SIP
		a.again(h)
	case a.otherSpace(h):
		a.drop(len(a.data), &a.stats.Mirrored)
		a.data = nil
	default:
		a.plan(h)
		a.then(step{do: begin, half: h})
		a.then(step{finish, h, Closed})
		if c.dark || c.list == over || !a.p.Flags.Has(packet.ACK) {
			a.anew(other)
		}
	}
}

// again handles a SYN that is known.
func (a *Assembler) again(h *half) {
	if a.conn.dark {
		a.inDark(h)
	} else {
		a.plan(h)
	}
}

// anew forgets what was known of a connection as a whole, for a new one between
// the same ends. Its other half, if it is not over, goes on alone.
func (a *Assembler) anew(other *half) {
	c := a.conn
	if c.dark || other.state == closed {
		a.giveUp(other, &a.stats.Lost)
		*other = half{}
	}
	c.sip, c.probed, c.dark, c.tls = false, false, false, false
	c.proto, c.deflate, c.alone = protoSIP, deflateUnknown, [2]bool{}
	if c.list == blind {
		a.touch(c, open)
	}
}

// begin starts a direction at its SYN. On ports that are not listed it waits for
// SIP.
func (a *Assembler) begin(h *half) {
	c := a.conn
	a.forgetWindow(h)
	*h = half{}
	if !c.listed && !c.quiet {
		return
	}
	*h = half{
		state: starting, fresh: true, hasISN: true, isn: a.p.Seq, next: a.p.Seq + 1,
		last: a.now, path: a.p.PathHash(),
	}
	if c.list == over {
		a.touch(c, young)
	}
	if c.list == young && len(a.data) > 0 {
		a.touch(c, open)
	}
}

// otherSpace reports whether a segment that does not fit belongs to another
// sequence space of the same ends: a firewall that changes sequence numbers,
// captured on both sides, or two networks that use the same addresses. Of those
// only the one seen first is followed, as long as it is not silent.
//
// It is known by its mirror point (interface, VLAN, tunnel); where both spaces
// have the same, their messages come twice, or in pieces.
func (a *Assembler) otherSpace(h *half) bool {
	const silent = int64(1e9)
	return h.path != a.p.PathHash() && h.state != closed && a.now-h.last < silent
}

// reset handles RST. One that does not fit the sequence numbers closes nothing, as
// RFC 5961 §3.2 asks of receivers; bystanders are easier to lie to.
func (a *Assembler) reset(h, other *half) {
	a.drop(len(a.data), &a.stats.Skipped) // RFC 9293 §3.10.7: text for people
	a.data = nil
	if ahead := int(int32(a.seq - h.next)); h.state != unseen && !a.conn.dark && (ahead < -before || ahead > a.cfg.MaxStreamBytes) {
		a.stats.Strays++
		return
	}
	a.then(step{finish, other, Reset})
	a.then(step{finish, h, Reset})
}

// inDark passes over the data of a connection that can't be read.
func (a *Assembler) inDark(h *half) {
	a.unreadable(len(a.data))
	a.data = nil
	if a.p.Flags.Has(packet.FIN) {
		a.close(h)
	}
}

// close marks a direction as over. What still comes of it is old.
func (a *Assembler) close(h *half) {
	a.forgetWindow(h)
	h.state, h.hasFar = closed, false
	c := a.conn
	for i := range c.half {
		if s := c.half[i].state; s != closed && s != unseen {
			return
		}
	}
	a.touch(c, over)
}

// acknowledged notes that h's receiver has everything before ack.
func (a *Assembler) acknowledged(h *half, ack uint32) {
	d := h.hold
	if beyond := int32(ack - h.next); d.wait == forBytes && beyond > 0 && int(beyond) <= len(d.buf)+1 {
		a.wait(d, received)
	}
}

// step does the next step, or a part of it. It reports whether it made a unit.
func (a *Assembler) step(u *Unit) bool {
	s := a.steps[a.pending-1]
	a.half = s.half
	switch s.do {
	case place:
		return a.place(u)
	case finish:
		return a.finish(u, s.why)
	case skip:
		return a.skip(u)
	case snip:
		a.pending--
		return a.snip(u)
	case note:
		a.pending--
		a.note(s.half)
	case begin:
		a.pending--
		a.begin(s.half)
	case reopen:
		a.pending--
		a.reopen(s.half)
	case forget:
		a.pending--
		c := a.conn
		a.half = nil
		a.remove(c)
		a.conn = nil
	}
	return false
}

// place puts the segment's data where it belongs, or a piece of it. It returns
// true with the unit that a hole passed over for it brings out.
func (a *Assembler) place(u *Unit) bool {
	h := a.half
	switch ahead := int(int32(a.seq - h.next)); {
	case h.state == unseen && !a.conn.listed && a.opens(a.data) == opensNothing:
		a.drop(len(a.data), &a.stats.Skipped)
		a.data = nil
	case h.state == unseen:
		a.reopen(h)
	case h.state == closed:
		a.afterEnd(h, ahead)
	case ahead < -before || ahead > a.cfg.MaxStreamBytes && a.isFar(h):
		a.strayed(h)
	case ahead <= 0:
		a.inOrder(h, -ahead)
	case ahead <= a.cfg.MaxStreamBytes && a.ahead():
	default:
		return a.gap(u, int(h.hold.islands[0].from-h.next), Hole)
	}
	if len(a.data) == 0 {
		a.pending--
	}
	return false
}

// inOrder takes data of which the first bytes are old.
func (a *Assembler) inOrder(h *half, old int) {
	old = min(old, len(a.data))
	a.repeated(old, len(a.data))
	b := a.data[old:]
	a.seq, a.data = a.seq+uint32(old), nil
	if len(b) == 0 {
		return
	}
	h.hasFar, h.last, a.time = false, a.now, a.p.Time
	d := h.hold
	if d == nil || d.n == 0 {
		if (h.state == searching || h.state == starting && d != nil) && sip.StartsStrict(b) && isKnown(b) {
			// Messages begin where segments do more often than behind a line end: many a
			// body has none. What was held is no start line.
			if h.state == starting {
				a.stats.Resyncs++
			}
			a.giveUp(h, &a.stats.Skipped)
			h.lookForStart(false)
		} else if h.state == searching && a.turns(b) {
			a.giveUp(h, &a.stats.Skipped)
			h.passBody(0)
		}
		a.in, a.pos = b, 0
		a.seq += uint32(len(b))
		h.next = a.seq
		return
	}
	if len(b) > maxPiece {
		b, a.data = b[:maxPiece], b[maxPiece:]
	}
	a.insert(a.seq, b)
	a.seq += uint32(len(b))
	a.absorb()
	h.hold.time = a.time
}

// ahead keeps data that is ahead of a hole, or a piece of it. It reports false
// where there is no room for another piece.
func (a *Assembler) ahead() bool {
	h, b := a.half, a.data[:min(len(a.data), maxPiece)]
	if !a.insert(a.seq, b) {
		return false
	}
	h.hasFar, h.last = false, a.now
	a.stats.OutOfOrder++
	a.seq, a.data = a.seq+uint32(len(b)), a.data[len(b):]
	if h.hold.wait == notWaiting {
		a.wait(h.hold, forBytes)
	}
	return true
}

// isFar reports whether data too far ahead to be held is also far from what is
// held already.
func (a *Assembler) isFar(h *half) bool {
	if h.hold == nil || h.hold.n == 0 {
		return true
	}
	beyond := int(int32(a.seq - h.hold.islands[h.hold.n-1].to))
	return beyond > a.cfg.MaxStreamBytes
}

// strayed handles a segment far from the others.
func (a *Assembler) strayed(h *half) {
	follows := h.hasFar && a.seq == h.far
	switch {
	case a.otherSpace(h):
		a.drop(len(a.data), &a.stats.Mirrored)
	case follows || a.opens(a.data) != opensNothing:
		a.stats.Jumps++
		a.then(step{do: reopen, half: h})
		a.then(step{finish, h, Hole})
		return
	default:
		a.stats.Strays++
		a.drop(len(a.data), &a.stats.Lost)
		h.hasFar, h.far = true, a.seq+uint32(len(a.data)+a.p.Missing)
	}
	a.data = nil
}

// afterEnd handles data of a direction that is over: old, or the start of another
// connection of which the SYN was not seen, or proof that the RST was a lie.
func (a *Assembler) afterEnd(h *half, ahead int) {
	if (ahead >= 0 || ahead < -before) && a.opens(a.data) != opensNothing {
		a.reopen(h)
		return
	}
	if ahead < 0 {
		a.repeated(len(a.data), len(a.data))
	} else {
		a.drop(len(a.data), &a.stats.Lost)
	}
	a.data = nil
}

// reopen begins a direction in the middle, at the segment's data.
func (a *Assembler) reopen(h *half) {
	a.forgetWindow(h)
	c := a.conn
	*h = half{next: a.seq, last: a.now, path: a.p.PathHash(), proto: c.proto}
	h.lookForStart(false)
	if c.list != open {
		a.touch(c, open)
	}
	switch a.opens(a.data) {
	case opensSIP:
		h.proto, h.state = protoSIP, starting
	case opensHandshake:
		h.proto, h.state, h.fresh = protoSIP, starting, true
		c.probed = true // it may have begun before
	case opensFrame:
		c.proto, h.proto = protoWebSocket, protoWebSocket
		h.passBody(0)
	case opensHEP:
		c.proto, h.proto = protoHEP, protoHEP
		h.passBody(0)
	case opensTLS:
		if !c.dark {
			a.shroud(a.data)
		}
		a.darken()
	}
}

// snip passes over what a snap length cut from the end of the segment, if the
// segment was in order.
func (a *Assembler) snip(u *Unit) bool {
	h := a.half
	missing := a.p.Missing
	if h.state == closed || h.state == unseen || h.next != a.behind()-uint32(missing) {
		return false
	}
	if d := h.hold; d != nil && d.n > 0 { // another mirror may have taken some of it whole
		missing = min(missing, int(d.islands[0].from-h.next))
	}
	return a.gap(u, missing, Snapped)
}

// skip passes over the first hole of a direction that has waited long enough, and
// those behind it that have too.
func (a *Assembler) skip(u *Unit) bool {
	h := a.half
	d := h.hold
	switch {
	case d == nil:
		a.pending--
	case d.n > 0 && (a.expired(d.wait, d.since) || a.expired(forBytes, d.islands[0].since)):
		return a.gap(u, int(d.islands[0].from-h.next), Hole)
	case d.n == 0 && h.hasFIN && int32(h.fin-h.next) > 0:
		a.pending--
		return a.gap(u, int(h.fin-h.next), Hole)
	default:
		a.pending--
	}
	return false
}

// finish gives what a direction holds, holes passed over, and closes it.
func (a *Assembler) finish(u *Unit, why Reason) bool {
	h := a.half
	if d := h.hold; d != nil && d.n > 0 {
		return a.gap(u, int(d.islands[0].from-h.next), Hole)
	}
	a.pending--
	if h.state == unseen || h.state == closed {
		return false
	}
	a.time = a.end
	made := a.leftover(u, why)
	a.release(h)
	a.close(h)
	return made
}

// gap passes over n bytes that are missing behind what is in order. It reports
// whether that made a unit of what was incomplete.
func (a *Assembler) gap(u *Unit, n int, why Reason) bool {
	h := a.half
	if why == Hole {
		a.stats.Holes++
		a.stats.HoleBytes += uint64(n)
	} else {
		a.stats.SnapBytes += uint64(n)
	}
	rest := a.unread()
	made := a.leftover(u, why)
	a.forgetWindow(h)
	h.fresh = false
	switch {
	case h.state == dark:
	case rest >= n:
		h.passBody(rest - n)
	default:
		h.lookForStart(true)
	}
	h.next += uint32(n)
	d := h.hold
	switch {
	case d == nil:
	case d.n > 0:
		d.fill += n
		d.off = d.fill
		a.absorb()
		a.time = d.time
	default:
		a.release(h)
	}
	return made
}
