package track

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// bad remembers a message that was a parse-error, so that the answers to it make
// no event of their own.
type bad struct {
	timer timer
	link  link
	keys  [2]uint64 // Call-ID and top Via branch; 0 where they could not be read
}

const badSize = 200

// Unusable makes the parse-error of a message that Parse refused, and remembers
// the message. It borrows p and m for the call.
func (t *Tracker) Unusable(dst []event.Event, p *packet.Packet, m *sip.Message) []event.Event {
	t.out = dst
	t.clockOf(p)
	t.makeRoom()
	keys, request, whole := t.badKeys(m), m.IsRequest(), m.Problem() != sip.Truncated
	switch {
	case !request && whole && (t.bads[keys[0]] != nil || t.bads[keys[1]] != nil):
		t.stats.AnswersToUnusable++
	case !request && whole && keys != [2]uint64{} && len(t.replies[keys[0]])+len(t.replies[keys[1]]) < maxReplies:
		t.awaitBad(keys, p, m)
	default:
		if request && whole && m.Method() != sip.MethodAck { // an ACK has no answer
			t.dropReplies(keys)
			t.remember(keys, p.Time)
		}
		t.fillUnusable(t.send(event.ParseError, nil), p, m)
	}
	t.rest()
	dst, t.out = t.out, nil
	return dst
}

// badReply is the parse-error of an answer that waits for the request that it may be to:
// one that is broken too is answered with what it has (events.md, rule 12).
type badReply struct {
	timer timer
	link  link
	keys  [2]uint64
	ev    *event.Event
	extra int64
}

// maxReplies is how many answers wait for one request: who sends more is not asked.
const maxReplies = 16

func (t *Tracker) awaitBad(keys [2]uint64, p *packet.Packet, m *sip.Message) {
	b := &badReply{keys: keys, ev: take(&t.pools.records)}
	b.timer.owner, b.link.owner = b, b
	b.ev.Reset()
	b.ev.Type = event.ParseError
	t.fillUnusable(b.ev, p, m)
	t.fileReply(b)
	t.arm(&b.timer, p.Time, t.cfg.Early)
	t.rank(&b.link, worthSpent)
}

// fileReply makes b found by its keys, and counts it.
func (t *Tracker) fileReply(b *badReply) {
	for _, k := range b.keys {
		if k != 0 {
			t.replies[k] = append(t.replies[k], b)
		}
	}
	t.admit(badSize)
	t.weigh(&b.extra, b.ev)
}

// dropReplies forgets the answers to a request that turns out to be broken.
func (t *Tracker) dropReplies(keys [2]uint64) {
	for _, k := range keys {
		for k != 0 && len(t.replies[k]) > 0 {
			t.freeReply(t.replies[k][0])
			t.stats.AnswersToUnusable++
		}
	}
}

func (t *Tracker) freeReply(b *badReply) {
	for _, k := range b.keys {
		left := slices.DeleteFunc(t.replies[k], func(x *badReply) bool { return x == b })
		if len(left) == 0 {
			delete(t.replies, k)
		} else {
			t.replies[k] = left
		}
	}
	t.wheel.clear(&b.timer)
	b.link.leave()
	t.dismiss(badSize)
	t.weigh(&b.extra, nil)
	b.ev.Trim(usualRecord)
	give(&t.pools.records, b.ev)
	b.ev = nil
}

func (b *badReply) expire(t *Tracker) {
	missing := b.ev.Incomplete
	t.send(event.ParseError, b.ev).Incomplete = missing // all of it was seen
	t.freeReply(b)
}

func (b *badReply) flush(t *Tracker, _ bool) { t.wheel.clear(&b.timer); b.expire(t) }
func (b *badReply) evict(t *Tracker)         { b.expire(t) }

func (t *Tracker) badKeys(m *sip.Message) (keys [2]uint64) {
	if b := m.CallID(); len(b) > 0 {
		keys[0] = t.hash(b)
	}
	if b := m.Via().Branch(); len(b) > len("z9hG4bK") {
		keys[1] = t.hashToken(b)
	}
	return keys
}

func (t *Tracker) remember(keys [2]uint64, at int64) {
	if keys == [2]uint64{} {
		return
	}
	if old := t.bads[keys[0]]; old != nil && keys[0] != 0 {
		t.arm(&old.timer, at, t.cfg.Request)
		return
	}
	b := &bad{keys: keys}
	b.timer.owner, b.link.owner = b, b
	for _, k := range keys {
		if k != 0 && t.bads[k] == nil {
			t.bads[k] = b
		}
	}
	t.arm(&b.timer, at, t.cfg.Request)
	t.rank(&b.link, worthSpent)
	t.admit(badSize)
}

func (b *bad) expire(t *Tracker) {
	for _, k := range b.keys {
		if t.bads[k] == b {
			delete(t.bads, k)
		}
	}
	t.wheel.clear(&b.timer)
	b.link.leave()
	t.dismiss(badSize)
}

func (b *bad) flush(*Tracker, bool) {}
func (b *bad) evict(t *Tracker)     { b.expire(t) }

// unusable reports whether an answer without a request is one to a parse-error.
func (t *Tracker) unusable(v *view) bool {
	if len(t.bads) == 0 || t.bads[v.cid] == nil && (v.branch == 0 || t.bads[v.branch] == nil) {
		return false
	}
	t.stats.AnswersToUnusable++
	return true
}

// badAnswer is the same for an answer that waited, badInvite for one to an INVITE.
func (t *Tracker) badAnswer(r *request) bool { return t.answersBad(r.set.cid, r.hops) }
func (t *Tracker) badInvite(a *attempt) bool { return !a.asked && t.answersBad(a.set.cid, a.hops) }

func (t *Tracker) answersBad(cid uint64, at hops) bool {
	if len(t.bads) == 0 {
		return false
	}
	found := t.bads[cid] != nil
	for i := range at {
		found = found || at[i].branch != 0 && t.bads[at[i].branch] != nil
	}
	if found {
		t.stats.AnswersToUnusable++
	}
	return found
}

// fillUnusable makes the record of a parse-error in e, which is empty but for its type.
func (t *Tracker) fillUnusable(e *event.Event, p *packet.Packet, m *sip.Message) {
	t.view.m, t.view.p, t.view.request = m, p, false // its Via is not to be relied on
	t.fillPacket(e, p, m.IsRequest())
	e.Time, e.Outcome = p.Time, event.Failure
	e.SetKey(&e.CallID, m.CallID())
	setParty(e, &e.From, m.From())
	setParty(e, &e.To, m.To())
	e.Set(&e.Method, m.MethodName())
	if m.IsRequest() {
		setURI(e, &e.RequestURI, m.RequestURI())
		e.Set(&e.UserAgent, m.Value(sip.HeaderUserAgent))
	} else {
		e.Code = uint16(m.Status())
		e.Set(&e.Status, m.ReasonPhrase())
		e.Set(&e.Server, m.Value(sip.HeaderServer))
	}
	if n, method := m.CSeq(); len(method) > 0 {
		e.CSeq, e.HasCSeq = n, true
		e.Set(&e.CSeqMethod, method)
	}
	e.Anomalies |= t.oddities(&t.view)
	if m.Problem() == sip.Truncated {
		e.Anomalies |= event.HeaderTruncated
	}
	t.scratch = m.AppendProblem(t.scratch[:0])
	e.Set(&e.Error, t.scratch)
	t.identifyPacket(e, p)
	t.view.m, t.view.p = nil, nil
}

// Probe makes the msg-probe of a payload that is no SIP. It borrows p.
func (t *Tracker) Probe(dst []event.Event, p *packet.Packet, kind sip.ProbeKind, why string) []event.Event {
	t.out = dst
	t.clockOf(p)
	e := t.send(event.MsgProbe, nil)
	t.fillPacket(e, p, true)
	e.Time, e.Outcome = p.Time, event.Unknown
	e.SetString(&e.Probe, kind.String())
	e.SetString(&e.Error, why)
	t.identifyPacket(e, p)
	dst, t.out = t.out, nil
	return dst
}

// identifyPacket is the identity of what is known by its packet alone.
func (t *Tracker) identifyPacket(e *event.Event, p *packet.Packet) {
	var at [8]byte
	binary.BigEndian.PutUint64(at[:], uint64(p.Time))
	t.identify(e, at[:], endpoint(p.Src), endpoint(p.Dst), p.Payload)
}

func endpoint(a netip.AddrPort) []byte {
	ip := a.Addr().As16()
	return binary.BigEndian.AppendUint16(ip[:], a.Port())
}
