package track

import (
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// view is what the machines need of one message, read once. It borrows the
// packet and the message for the length of See.
type view struct {
	p    *packet.Packet
	m    *sip.Message
	time int64

	request bool
	method  sip.Method // of the request, or that the answer is to
	code    uint16     // of an answer
	cseq    uint32
	methodH uint64

	cid    uint64 // hash of the Call-ID; never 0
	ft, tt uint64 // hashes of the tags; noTag and 0 where there is none
	branch uint64 // hash of the top Via's branch; 0 without one
	vias   uint16
	within bool // in a dialog of which nobody knows who began it

	set   *callSet // what is known of this Call-ID; nil when nothing
	creds creds
}

func (v *view) read(t *Tracker, p *packet.Packet, m *sip.Message) {
	v.p, v.m, v.time = p, m, p.Time
	v.request, v.method, v.code = m.IsRequest(), m.Method(), uint16(m.Status())
	v.cseq, _ = m.CSeq()
	v.methodH = uint64(v.method)
	if v.method == sip.MethodOther {
		v.methodH = t.hash(m.MethodName())
	}
	v.cid = t.hash(m.CallID())
	v.ft, v.tt = noTag, 0
	if tag := m.From().Tag(); len(tag) > 0 {
		v.ft = t.hash(tag)
	}
	if tag := m.To().Tag(); len(tag) > 0 {
		v.tt = t.hash(tag)
	}
	via := m.Via()
	v.branch = 0
	if b := via.Branch(); len(b) > len("z9hG4bK") {
		v.branch = t.hashToken(b)
	} else if len(b) > 0 {
		v.branch = mix(t.hashToken(b), t.hash(via.Host())) // RFC 2543: unique together with the sender
	}
	v.vias = uint16(min(m.ViaCount(), 1<<16-1))
	v.within = v.request && v.tt != 0 && v.method != sip.MethodAck // an ACK is the caller's
	v.set = t.calls.sets[v.cid]
	v.creds.n = 0
	if v.request {
		v.creds.read(t, v)
	}
}

// final reports whether the message is a final answer.
func (v *view) final() bool { return v.code >= 200 }

// challenge reports whether it asks for credentials.
func (v *view) challenge() bool { return v.code == 401 || v.code == 407 }

// key is what a transaction is known by besides its Call-ID: From tag, CSeq
// number, method, and To tag when the request had one.
func (v *view) key(tt uint64) uint64 {
	return mix(mix(v.ft, tt), mix(uint64(v.cseq), v.methodH))
}

// noTag stands for a tag that is not there (RFC 2543) where there has to be one.
const noTag = 1

// dialogKey is the same whichever side sends.
func dialogKey(a, b uint64) uint64 {
	a, b = max(a, noTag), max(b, noTag)
	return mix(a^b, a+b)
}

// hash is never 0, so that 0 can stand for "none".
func (t *Tracker) hash(b []byte) uint64 { return t.seed.Sum(b) | 1 }

// hashToken is the hash of a token, in which case is of no account (RFC 3261 §7.3.1).
func (t *Tracker) hashToken(b []byte) uint64 {
	t.scratch = t.scratch[:0]
	for _, c := range b {
		t.scratch = append(t.scratch, c|0x20) // tells all characters of a token apart but the case of letters, ^ and ~
	}
	return t.hash(t.scratch)
}

// mix combines two hashes.
func mix(a, b uint64) uint64 {
	h := a*0x9e3779b97f4a7c15 ^ (b + 0x7f4a7c15)
	h ^= h >> 29
	h *= 0xbf58476d1ce4e5b9
	return h ^ h>>32
}
