package track

import (
	"bytes"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// What of a single message does not comply. What needs more than one message to be seen
// is labelled where the machines see it. A label is certain or it is not given: what may
// be due to how we see the traffic is none.

// oddities turns what the parser noticed, and what shows only beside the packet, into
// labels.
func (t *Tracker) oddities(v *view) (a event.Anomalies) {
	m := v.m
	if o := m.Oddities(); o != 0 {
		for _, pair := range oddityLabels {
			if o&pair.odd != 0 {
				a |= pair.label
			}
		}
	}
	if m.BodyCut() {
		a |= event.BodyTruncated
	}
	if n, ok := m.ContentLength(); ok && n > 0 && !m.Has(sip.HeaderContentType) {
		a |= event.NoContentType
	}
	if repeated(m) {
		a |= event.RepeatedHeader
	}
	if v.request && !v.p.Told() { // what others tell of ports and transports is not certain
		a |= viaLabels(v)
	}
	return a
}

var oddityLabels = [...]struct {
	odd   sip.Oddity
	label event.Anomalies
}{
	{sip.OddLFOnly, event.LFOnly},
	{sip.OddJunkBefore, event.JunkBefore},
	{sip.OddStartLineSpace, event.StartLineSpace},
	{sip.OddNoBranch, event.NoBranch},
	{sip.OddNoFromTag, event.NoFromTag},
	{sip.OddControlChar, event.ControlChar},
	{sip.OddContentLengthShort, event.BytesAfterBody},
	{sip.OddDisplayName, event.DisplayName},
	{sip.OddSpaceInURI, event.SpaceInURI},
	{sip.OddNoMaxForwards, event.NoMaxForwards},
	{sip.OddNoContentLength, event.NoContentLength},
	{sip.OddParam, event.BadParam},
	{sip.OddHeaderName, event.BadHeaderName},
	{sip.OddURIHeaders, event.URIHeaders},
	{sip.OddDate, event.BadDate},
	{sip.OddCSeqLarge, event.CSeqLarge},
	{sip.OddCallID, event.CallIDSpace},
}

// single are the headers that may come once, besides those whose repetition makes a
// message unusable (RFC 3261 §7.3.1, §20).
const single uint64 = 1<<sip.HeaderMaxForwards | 1<<sip.HeaderExpires | 1<<sip.HeaderContentType | 1<<sip.HeaderUserAgent |
	1<<sip.HeaderServer | 1<<sip.HeaderSubject | 1<<sip.HeaderPriority | 1<<sip.HeaderRetryAfter | 1<<sip.HeaderDate |
	1<<sip.HeaderSessionExpires | 1<<sip.HeaderMinSE | 1<<sip.HeaderEvent | 1<<sip.HeaderSubscriptionState |
	1<<sip.HeaderReferTo | 1<<sip.HeaderReferredBy | 1<<sip.HeaderReplaces | 1<<sip.HeaderRSeq | 1<<sip.HeaderRAck

// repeated reports whether one of them is there twice.
func repeated(m *sip.Message) bool {
	once := uint64(0)
	for i := range m.NumHeaders() {
		id, _, _ := m.HeaderAt(i)
		bit := uint64(1) << id & single
		if once&bit != 0 {
			return true
		}
		once |= bit
	}
	return false
}

// carriers are the transports that a Via names, and what carries them (RFC 3261 §18.1.1,
// RFC 7118 §5.2, RFC 4168 §5). Others are not judged.
var carriers = [...]struct {
	via string
	by  packet.Transport
}{
	{"UDP", packet.UDP}, {"TCP", packet.TCP}, {"TLS", packet.TCP}, {"WS", packet.TCP}, {"WSS", packet.TCP},
	{"SCTP", packet.SCTP}, {"TLS-SCTP", packet.SCTP}, {"DTLS-UDP", packet.UDP},
}

// viaLabels holds the top Via of a request against the packet that it came in.
func viaLabels(v *view) (a event.Anomalies) {
	via := v.m.Via()
	written := via.Transport()
	for i := range carriers {
		c := &carriers[i]
		if len(written) == len(c.via) && bytes.EqualFold(written, []byte(c.via)) && v.p.Transport != c.by {
			a |= event.ViaTransport
		}
	}
	port, ok := via.Port()
	if !ok {
		port = 5060
	}
	if v.p.Transport == packet.UDP && port != v.p.Src.Port() {
		if _, asks := via.Param("rport"); !asks {
			a |= event.NoRPort
		}
	}
	return a
}

// checkCSeq labels a request of a call whose number is not above those before it from
// the same side (RFC 3261 §12.2.1.1), and notes the number. Who is on which side is known
// where the caller is. A lower number shortly after anything else of the call is none: on
// the way to us the requests may have overtaken each other (events.md, rule 12).
func (t *Tracker) checkCSeq(d *dialog, v *view) event.Anomalies {
	if d.caller == 0 || d.alike() {
		return 0
	}
	last := &d.cseqs[d.side(v.ft)]
	switch {
	case v.cseq < *last:
		if since(d.seen, v.time) <= int64(t.cfg.Early) {
			return 0
		}
		return event.CSeqBack
	case v.cseq == *last && *last != 0:
		return event.CSeqSame
	}
	*last = v.cseq
	return 0
}

// alike reports whether both sides have the same tag, most often none (RFC 2543): then it
// does not tell who sends.
func (d *dialog) alike() bool { return d.key == dialogKey(d.caller, d.caller) }

// looseDialog finds the call of an ACK or a BYE without To tag: the only one of its
// Call-ID that is up and has the From tag.
func (t *Tracker) looseDialog(s *callSet, from uint64) (found *dialog) {
	for _, d := range s.dialogs.latest() {
		switch d.state {
		case awaited, confirmed, assumed, ending, endingOld:
		default:
			continue
		}
		if d.caller != from {
			e := t.look(d)
			if t.hash(e.Bytes(e.To.Tag)) != from && t.hash(e.Bytes(e.From.Tag)) != from {
				continue
			}
		}
		if found != nil {
			return nil
		}
		found = d
	}
	return found
}

// otherFromTag reports whether r is the retry with credentials of a request whose From
// tag was another (RFC 3261 §22.2).
func (r *request) otherFromTag(v *view) bool {
	if v.creds.n == 0 {
		return false
	}
	for _, x := range r.set.requests.latest() {
		if x.method == r.method && x.ft != r.ft && x.cseq+1 == r.cseq && x.state == completed && (x.code == 401 || x.code == 407) {
			return true
		}
	}
	return false
}
