package stream

import (
	"encoding/binary"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// SCTP (RFC 9260), as a bystander sees it.
//
// A user message is one SIP message; it needs no Content-Length. Most are one chunk
// and are given out as they come, in the order of the capture: the order of a stream
// (SSN) is not waited for, as the answer to a request is not in its stream. The
// chunks of one that is fragmented are held until all are there, for HoleTimeout. A
// chunk seen before, by its TSN, is a retransmission, or another mirror's copy.

// The chunk types that are looked at, RFC 9260 §3.2, RFC 8260 §2.1.
const (
	chunkData             = 0
	chunkInit             = 1
	chunkInitAck          = 2
	chunkAbort            = 6
	chunkShutdownComplete = 14
	chunkIData            = 64
)

// The flags of a DATA chunk, RFC 9260 §3.3.1.
const (
	flagEnd       = 1
	flagBegin     = 2
	flagUnordered = 4
)

const (
	// maxPieces is how many chunks a direction holds.
	maxPieces = 256

	// tsnWindow is how far back a TSN is known to have been seen or not. One further off,
	// either way, begins anew: to give a message twice is better than not at all.
	tsnWindow = 1024
)

// SCTPStats are counters of SCTP. The bytes of user data are in the sums of Stats.
type SCTPStats struct {
	Packets      uint64 // taken
	Chunks       uint64 // in them: the sum of those that follow
	Data         uint64 // DATA and I-DATA with new user data, in messages or lost
	Repeated     uint64 // seen before
	Control      uint64
	Malformed    uint64 // with a length that can't be; the rest of the packet is not read
	Incomplete   uint64 // user messages given up for want of a chunk
	Associations int    // now
	Evicted      uint64 // associations pushed out by others
}

// An assoc is both directions of an association.
type assoc struct {
	key          key
	last         int64 // clock of the last packet
	listed       bool  // on a port of SIP
	sip, probed  bool
	way          [2]way
	older, newer *assoc // newer is also the next unused one
}

// A way is one direction of an association.
type way struct {
	known  bool // top is
	isInit bool // init is
	tag    uint32
	init   uint32 // initial TSN
	top    uint32 // greatest TSN
	seen   [tsnWindow / 64]uint64
	gather *gather
}

// A fragment is the data of one chunk of a fragmented message.
type fragment struct {
	group       uint64 // one for all chunks of a message, as far as the headers tell
	seq         uint32 // TSN, or FSN
	first, last bool
	since       int64 // clock when it came
	buf         []byte
	n           int
	next        *fragment // in order of group and seq; also the next unused one
}

// A gather is what a direction holds.
type gather struct {
	assoc      *assoc
	way        *way
	pieces     *fragment
	n, bytes   int
	since      int64 // clock when the oldest piece came
	time       int64 // packet time of the last piece
	packet     packet.Packet
	vlans      [4]uint16
	encap      [8]packet.Layer
	prev, next *gather // in the order of since; next is also the next unused one
}

// What pieces and gathers take besides their buffers, in bytes.
const (
	pieceCost  = 80
	gatherCost = 512
)

// An sctp is all associations.
type sctp struct {
	max          int
	byKey        map[key]*assoc
	ends         assoc // older is the newest, newer the oldest
	unused       *assoc
	unusedPiece  *fragment
	unusedGather *gather
	first, last  *gather
	held         int    // bytes of pieces
	text         []byte // of a message whose pieces were joined

	// What the calls of Next have still to do.
	p       *packet.Packet // nil when no packet is in work
	rest    []byte
	assoc   *assoc
	from    int
	leaving *assoc // its pieces come out, why says for what reason
	why     Reason
	drop    bool    // and it is forgotten then
	late    *gather // the message of its oldest piece is given up
}

// perStream is how many connections there may be for an association, which takes some
// 700 bytes.
const perStream = 4

func (s *sctp) init(streams int) {
	s.max = max(streams/perStream, 16)
	s.byKey = make(map[key]*assoc)
	s.ends.older, s.ends.newer = &s.ends, &s.ends
}

func (s *sctp) busy() bool { return s.p != nil || s.leaving != nil || s.late != nil }

func (s *sctp) oldest() *gather { return s.first }

// chunked takes a packet.
func (a *Assembler) chunked(p *packet.Packet, ports Ports) bool {
	s := &a.sctp
	k, from := keyOf(p)
	c := s.byKey[k]
	if c == nil && ports&PortSIP == 0 && (ports&PortAny == 0 || !holdsSIP(p.Payload)) {
		a.stats.OtherPort++
		return false
	}
	if c == nil {
		c = a.newAssoc(&k)
	}
	c.listed = c.listed || ports&PortSIP != 0
	c.last = a.now
	c.older.newer, c.newer.older = c.newer, c.older
	s.link(c)
	a.stats.SCTP.Packets++
	s.p, s.rest, s.assoc, s.from = p, p.Payload, c, from
	return true
}

// holdsSIP tells whether a chunk begins with SIP beyond doubt.
func holdsSIP(b []byte) bool {
	for len(b) >= 4 {
		n := int(binary.BigEndian.Uint16(b[2:]))
		if n < 4 {
			return false
		}
		if header := dataHeader(b[0]); header > 0 && b[1]&flagBegin != 0 && min(n, len(b)) > header && sip.StartsStrict(b[header:min(n, len(b))]) {
			return true
		}
		b = b[min((n+3)&^3, len(b)):]
	}
	return false
}

// dataHeader is the length of the header of a data chunk, 0 for others.
func dataHeader(kind byte) int {
	switch kind {
	case chunkData:
		return 16
	case chunkIData:
		return 20
	}
	return 0
}

func (s *sctp) link(c *assoc) {
	c.newer, c.older = &s.ends, s.ends.older
	c.older.newer, s.ends.older = c, c
}

// newAssoc makes an association, at the maximum in place of the one that was silent
// longest.
func (a *Assembler) newAssoc(k *key) *assoc {
	s := &a.sctp
	if len(s.byKey) >= s.max {
		a.stats.SCTP.Evicted++
		a.forgetAssoc(s.ends.newer)
	}
	c := s.unused
	if c == nil {
		c = new(assoc)
	} else {
		s.unused = c.newer
	}
	*c = assoc{key: *k}
	s.link(c)
	s.byKey[*k] = c
	return c
}

// forgetAssoc forgets an association and what it holds.
func (a *Assembler) forgetAssoc(c *assoc) {
	s := &a.sctp
	for i := range c.way {
		if g := c.way[i].gather; g != nil {
			a.lose(g)
		}
	}
	delete(s.byKey, c.key)
	c.older.newer, c.newer.older = c.newer, c.older
	*c = assoc{newer: s.unused}
	s.unused = c
}

// chunk does the next piece of work on SCTP. It reports whether it made a unit.
func (a *Assembler) chunk(u *Unit) bool {
	s := &a.sctp
	switch {
	case s.leaving != nil:
		return a.leave(u)
	case s.late != nil:
		g := s.late
		s.late = nil
		return a.abandon(u, g, Hole)
	case len(s.rest) < 4:
		s.p, s.rest, s.assoc = nil, nil, nil
		return false
	}
	b := s.rest
	n := int(binary.BigEndian.Uint16(b[2:]))
	a.stats.SCTP.Chunks++
	if n < 4 || n > len(b) && !s.p.Cut {
		a.stats.SCTP.Malformed++
		s.rest = nil
		return false
	}
	cut := n > len(b)
	s.rest = b[min((n+3)&^3, len(b)):]
	b = b[:min(n, len(b))]
	w := &s.assoc.way[s.from]
	switch kind := b[0]; kind {
	case chunkData, chunkIData:
		if header := dataHeader(kind); len(b) >= header {
			return a.userData(u, w, b, header, cut)
		}
		a.stats.SCTP.Malformed++
		return false
	case chunkInit, chunkInitAck:
		a.initiated(w, b)
	case chunkAbort:
		s.leaving, s.why = s.assoc, Reset
	case chunkShutdownComplete:
		s.leaving, s.why = s.assoc, Closed
	}
	a.stats.SCTP.Control++
	return false
}

// initiated handles INIT and INIT ACK (RFC 9260 §3.3.2): the direction begins anew, if
// it is not a retransmission.
func (a *Assembler) initiated(w *way, b []byte) {
	if len(b) < 20 {
		return
	}
	tsn := binary.BigEndian.Uint32(b[16:])
	if w.isInit && w.init == tsn {
		return
	}
	if w.gather != nil {
		a.lose(w.gather)
	}
	*w = way{isInit: true, init: tsn, known: true, top: tsn - 1}
}

// isNew notes a TSN. It reports false if it was seen before.
func (w *way) isNew(tsn, tag uint32) bool {
	if w.tag != tag && w.tag != 0 { // another association between the same ends
		w.known = false
	}
	w.tag = tag
	ahead := int32(tsn - w.top)
	switch {
	case !w.known || ahead <= -tsnWindow || ahead >= tsnWindow:
		w.known, w.top = true, tsn
		clear(w.seen[:])
	case ahead > 0:
		w.shift(int(ahead))
		w.top = tsn
	default:
		i := int(-ahead)
		old := w.seen[i/64]
		w.seen[i/64] |= 1 << (i % 64)
		return old == w.seen[i/64]^1<<(i%64)
	}
	w.seen[0] |= 1
	return true
}

// shift moves what is seen back by n.
func (w *way) shift(n int) {
	words, rest := n/64, n%64
	for i := len(w.seen) - 1; i >= 0; i-- {
		var v uint64
		if j := i - words; j >= 0 {
			v = w.seen[j] << rest
			if j > 0 && rest > 0 {
				v |= w.seen[j-1] >> (64 - rest)
			}
		}
		w.seen[i] = v
	}
}

// userData takes a DATA or an I-DATA chunk.
func (a *Assembler) userData(u *Unit, w *way, b []byte, header int, cut bool) bool {
	tsn, body := binary.BigEndian.Uint32(b[4:]), b[header:]
	a.stats.Bytes += uint64(len(body))
	if !w.isNew(tsn, a.sctp.p.Seq) {
		a.stats.SCTP.Repeated++
		a.stats.Repeated += uint64(len(body))
		return false
	}
	a.stats.SCTP.Data++
	first, last := b[1]&flagBegin != 0, b[1]&flagEnd != 0
	switch {
	case first && last:
		return a.userMessage(u, a.sctp.assoc, nil, body, cut, Whole)
	case cut || len(body) == 0:
		a.stats.Lost += uint64(len(body))
		return false
	}
	seq, group := tsn, uint64(binary.BigEndian.Uint16(b[8:]))<<32
	if b[0] == chunkIData {
		group |= 1<<62 | uint64(binary.BigEndian.Uint32(b[12:]))
		if seq = 0; !first { // the place has the PPID else
			seq = binary.BigEndian.Uint32(b[16:])
		}
	} else if b[1]&flagUnordered == 0 {
		group |= uint64(binary.BigEndian.Uint16(b[10:]))
	}
	if b[1]&flagUnordered != 0 {
		group |= 1 << 63
	}
	return a.collect(u, w, fragment{group: group, seq: seq, first: first, last: last, since: a.now}, body)
}

// userMessage makes a unit of a user message, which counts its bytes. g is nil if it
// is from the packet in work.
func (a *Assembler) userMessage(u *Unit, c *assoc, g *gather, b []byte, cut bool, why Reason) bool {
	if len(b) == 0 {
		return false
	}
	kind, probe := sip.Classify(b)
	k := Message
	switch {
	case kind == sip.KindKeepAlive:
		k = KeepAlive
	case kind == sip.KindSIP && (c.listed || sip.StartsStrict(b)):
		c.sip = true
	case c.listed && !c.sip && !c.probed:
		k, c.probed = Probe, true
	default:
		a.stats.Skipped += uint64(len(b))
		return false
	}
	if len(b) > a.cfg.MaxMessage {
		a.stats.Skipped += uint64(len(b) - a.cfg.MaxMessage)
		b, cut, why = b[:a.cfg.MaxMessage], true, TooLong
	}
	a.utter(u, g, k, why, b)
	u.Cut = cut
	if k == Probe {
		u.Probe = probe
	}
	return true
}

// utter makes a unit of b.
func (a *Assembler) utter(u *Unit, g *gather, k Kind, why Reason, b []byte) {
	if g == nil {
		u.Packet = *a.sctp.p
	} else {
		u.Packet = g.packet
		u.Time = g.time
	}
	u.Payload = b[:len(b):len(b)]
	u.Whole, u.Kind, u.Reason, u.Probe = true, k, why, sip.ProbeNone
	a.stats.Units[k]++
	a.stats.UnitBytes[k] += uint64(len(b))
}

// leave gives what an association holds that is over.
func (a *Assembler) leave(u *Unit) bool {
	s := &a.sctp
	for i := range s.leaving.way {
		if g := s.leaving.way[i].gather; g != nil {
			return a.abandon(u, g, s.why)
		}
	}
	if s.drop {
		a.forgetAssoc(s.leaving)
	}
	s.leaving, s.drop = nil, false
	return false
}

// dueSCTP plans the next thing that a timer or the end of the capture asks for. It reports
// false if there is none.
func (a *Assembler) dueSCTP() bool {
	s := &a.sctp
	if g := s.first; g != nil && g.since+int64(a.cfg.HoleTimeout) <= a.now {
		s.unlink(g)
		if g.prev = s.last; s.last != nil {
			s.last.next = g
		} else {
			s.first = g
		}
		s.last, s.late = g, g
		return true
	}
	c := s.ends.newer
	if c == &s.ends {
		return false
	}
	switch {
	case a.sweep == sweepAll:
		s.why = Ended
	case c.last+int64(a.cfg.IdleTimeout) <= a.now:
		s.why = Idle
	default:
		return false
	}
	s.leaving, s.drop = c, true
	return true
}
