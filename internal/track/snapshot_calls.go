package track

import (
	"slices"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// What is kept of calls and transactions. Each function walks the fields of one type of
// entry; those that it leaves out are listed in snapshot_test.go with the reason.

func (p *pass) hops(h *hops) {
	n := len(*h)
	upTo(p, &n, maxHops)
	if p.Reading {
		*h = slices.Grow((*h)[:0], n)[:n]
	}
	for i := range *h {
		p.hop(&(*h)[i])
	}
}

func (p *pass) hop(h *hop) {
	if p.Reading {
		*h = hop{}
	}
	p.AddrPort(&h.src)
	p.AddrPort(&h.dst)
	p.Hash(&h.branch)
	whole(p, &h.vias)
	p.Flags(&h.asked)
	upTo(p, &h.code, maxCode)
	upTo(p, &h.strange, maxCode)
	p.time(&h.finalAt)
	upTo(p, &h.prov, maxCode)
}

// maxCode is the greatest status code.
const maxCode = 699

func (p *pass) creds(c *creds) {
	upTo(p, &c.n, maxCreds)
	if c.n == 0 {
		if p.Reading {
			*c = creds{}
		}
		return
	}
	for i := range c.list[:c.n] {
		p.cred(&c.list[i])
	}
	p.Hashes(&c.hash, &c.aor)
	p.Hash(&c.cid)
	whole(p, &c.cseq)
}

func (p *pass) cred(c *cred) {
	p.Flags(&c.proxy, &c.response)
	p.Hashes(&c.realm, &c.nonce)
}

func (p *pass) challenges(c *challenges) {
	upTo(p, &c.n, maxCreds)
	upTo(p, &c.code, maxCode)
	p.time(&c.given)
	p.Hash(&c.cid)
	whole(p, &c.cseq)
	for i := range c.list[:c.n] {
		p.challenge(&c.list[i])
	}
}

func (p *pass) challenge(c *challenge) {
	p.Hashes(&c.realm, &c.nonce)
	p.Flags(&c.anyRealm, &c.stale)
}

func (p *pass) attempt(a *attempt) {
	p.Hash(&a.key)
	upTo(p, &a.state, heard)
	p.timer(&a.timer, ahead)
	p.time(&a.link.until)
	p.record(&a.rec)
	p.hops(&a.hops)
	whole(p, &a.cseq)
	p.creds(&a.creds)
	p.challenges(&a.early)
	p.holds(&a.holds)
	p.time(&a.first, &a.round, &a.again, &a.last, &a.decided, &a.cancelled, &a.ringing)
	upTo(p, &a.ringCode, maxCode)
	p.Flags(&a.asked, &a.asking, &a.said, &a.told, &a.overheard)
	whole(p, &a.missed)
	for i := range a.rounds {
		whole(p, &a.rounds[i])
	}
	whole(p, &a.toldVias)
	p.Hashes(&a.ackTag, &a.ackBranch)
	whole(p, &a.dialogs)
}

func (p *pass) dialog(d *dialog) {
	p.Hash(&d.key)
	upTo(p, &d.state, doubted)
	p.timer(&d.timer, ahead)
	p.time(&d.link.until)
	p.packed(d)
	p.Hash(&d.caller)
	whole(p, &d.cseq)
	p.time(&d.first, &d.answered, &d.seen, &d.refreshed, &d.bye, &d.byeAnswer)
	p.late(&d.late)
	whole(p, &d.byeCSeq)
	p.doubt(d)
	for i := range d.byes {
		p.Flags(&d.byes[i])
		p.time(&d.byeOpen[i])
		whole(p, &d.byeSeqs[i])
		whole(p, &d.cseqs[i])
	}
	p.Flags(&d.foreign, &d.elsewhere, &d.byeLost, &d.acked, &d.byAck, &d.overheard, &d.accepted)
	whole(p, &d.expires)
	whole(p, &d.session)
	whole(p, &d.turns)
	p.reports(&d.quality)
	for i := range d.requests {
		whole(p, &d.requests[i])
	}
	whole(p, &d.retrans)
	upTo(p, &d.anomalies, event.Anomalies(1<<len(event.AnomalyWords)-1))
	p.Flags(&d.held)
	upTo(p, &d.heard, bothSides)
}

// packed walks a record that is packed already. What is read of it is borrowed.
func (p *pass) packed(d *dialog) {
	there := d.cold != nil
	p.Flags(&there)
	if !there {
		return
	}
	e := &p.t.temp
	if !p.Reading {
		e.Capture, e.Iface = "", ""
		if d.from != nil {
			e.Capture, e.Iface = d.from.capture, d.from.iface
		}
		p.origin(&e.Capture, &e.Iface)
		p.B = append(p.B, d.cold...)
		return
	}
	var from origin
	p.origin(&from.capture, &from.iface)
	whole := p.B
	rest, ok := e.Unpack(p.B)
	if !ok {
		p.Fail()
		return
	}
	p.B, d.cold = rest, whole[:len(whole)-len(rest)]
	e.Capture, e.Iface = from.capture, from.iface
	d.rec, d.from, d.by = e, p.t.originOf(e), e.CorrelatedBy
	p.t.noteLegs(d)
	d.rec = nil
}

// doubt tells whose INVITE a doubted dialog answers, and which of several it is.
func (p *pass) doubt(d *dialog) {
	if d.state != doubted {
		return
	}
	var of doubtOf
	if !p.Reading && d.asker != nil {
		of.key, of.place = d.asker.key, slices.Index(d.asker.doubts, d)
	}
	p.Hash(&of.key)
	if upTo(p, &of.place, maxDoubts-1); p.Reading {
		of.dialog = d
		p.doubts = append(p.doubts, of)
	}
}

// doubtOf is a doubted dialog whose attempt is told by its From tag.
type doubtOf struct {
	dialog *dialog
	key    uint64
	place  int
}

// late walks how far times are behind the clock.
func (p *pass) late(x *int64) { upTo(p, x, max(p.now, 0)) }

func (p *pass) request(r *request) {
	p.Hash(&r.key)
	upTo(p, &r.state, completed)
	p.timer(&r.timer, ahead)
	p.time(&r.link.until)
	upTo(p, &r.method, sip.NumMethods-1)
	p.Hashes(&r.ft, &r.tt)
	whole(p, &r.cseq)
	upTo(p, &r.code, maxCode)
	p.hops(&r.hops)
	p.creds(&r.creds)
	p.challenges(&r.early)
	p.holds(&r.holds)
	p.time(&r.first, &r.again, &r.decided)
	whole(p, &r.toldVias)
	p.Flags(&r.told, &r.asked, &r.passed, &r.challenged)
	if r.state != completed { // else it has none
		p.requestRecord(r)
	}
}

// requestRecord walks the record and the list that is kept in it.
func (p *pass) requestRecord(r *request) {
	if p.Reading {
		r.rec = take(&p.t.pools.records)
		r.rec.Reset()
	}
	p.record(r.rec)
	n := r.rec.Count(r.granted)
	upTo(p, &n, 255)
	list := r.granted
	for range n {
		v, _ := r.rec.Next(&list)
		if p.Reading {
			v = nil
		}
		if p.Bytes(&v, 1<<16-1); p.Reading {
			r.rec.Add(&r.granted, v)
		}
	}
	p.Flags(&r.grantedCut)
	whole(p, &r.grantedExpires)
	if p.Reading && (r.grantedExpires < -1 || r.grantedExpires >= 1<<32) {
		p.Fail()
	}
}

// reports walks what was heard of a call's quality, nil mostly.
func (p *pass) reports(q **quality) {
	there := *q != nil
	p.Flags(&there)
	if !there {
		return
	}
	if p.Reading {
		*q = &quality{}
	}
	x := *q
	whole(p, &x.reports)
	p.Hash(&x.last)
	for i := range x.ends {
		p.reception(&x.ends[i])
	}
}

func (p *pass) reception(h *reception) {
	upTo(p, &h.rank, rankWhole)
	for _, m := range [...]*mean{&h.mos, &h.loss, &h.delay, &h.rating} {
		p.Float(&m.sum)
		whole(p, &m.n)
	}
	p.Float(&h.mosMin)
	p.Float(&h.lossMax)
	p.Float(&h.jitter)
	p.Hashes(&h.packets, &h.lost)
	whole(p, &h.has)
}

// holds walks the failures that one try decides, in their order.
func (p *pass) holds(chain **hold) {
	n := 0
	for h := *chain; h != nil; h = h.next {
		n++
	}
	upTo(p, &n, maxChain)
	if !p.Reading {
		for h := *chain; h != nil; h = h.next {
			p.hold(h)
		}
		return
	}
	for range n {
		h := &hold{}
		p.hold(h)
		h.retried = true
		*chain, chain = h, &h.next
	}
}

// maxChain is how many failures one try decides: maxHolds for each of its nonces, under
// the Call-ID and the address.
const maxChain = 2 * maxCreds * maxHolds

// hold walks a failure, and tells the attempt whose challenge it was.
func (p *pass) hold(h *hold) {
	p.timer(&h.timer, ahead)
	p.record(&h.ev)
	upTo(p, &h.nkeys, len(h.keys))
	for i := range h.keys[:h.nkeys] {
		p.Hash(&h.keys[i])
	}
	p.Flags(&h.passed, &h.proved, &h.open)
	p.creds(&h.creds)
	p.challenges(&h.early)
	p.time(&h.asked)
	var of linkedHold
	if h.attempt != nil {
		of = linkedHold{h, h.attempt.set.cid, h.attempt.key}
	}
	p.Hashes(&of.cid, &of.key)
	if p.Reading && of.cid != 0 {
		of.hold = h
		p.linked = append(p.linked, of)
	}
}

// linkedHold is the failure of an attempt that is told by Call-ID and From tag.
type linkedHold struct {
	hold     *hold
	cid, key uint64
}

func (p *pass) subscription(s *subscription) {
	p.Hash(&s.key)
	upTo(p, &s.state, subTerminated)
	p.timer(&s.timer, ahead)
	p.time(&s.link.until)
	p.Hashes(&s.subscriber, &s.notifier, &s.event)
	p.time(&s.asked, &s.told)
	upTo(p, &s.lifetime, maxLifetime)
	whole(p, &s.refer)
	whole(p, &s.cseq)
	whole(p, &s.notifies)
	p.Flags(&s.accepted, &s.forks)
}

func (p *pass) client(c *client) {
	p.Hash(&c.key)
	p.timer(&c.timer, ahead)
	for i := range c.nonces {
		p.nonce(&c.nonces[i])
	}
	upTo(p, &c.next, maxNonces-1)
}

func (p *pass) nonce(n *nonce) {
	p.Hash(&n.hash)
	p.time(&n.given)
	p.Hash(&n.cid)
	whole(p, &n.cseq)
	p.Flags(&n.accepted)
}

func (p *pass) unusable(b *bad) {
	p.timer(&b.timer, ahead)
	p.Hashes(&b.keys[0], &b.keys[1])
}

func (p *pass) reply(b *badReply) {
	p.timer(&b.timer, ahead)
	p.Hashes(&b.keys[0], &b.keys[1])
	if p.Reading {
		b.ev = take(&p.t.pools.records)
		b.ev.Reset()
	}
	p.record(b.ev)
}
