package track

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// Which calls are legs of one: sip.correlation.id.
//
// A back-to-back user agent ends a call on one side and makes another on the other,
// with its own Call-ID and tags. What it lets through, or writes into the new INVITE,
// tells that both are one. We look for it in the table below, the most trusted first,
// in the INVITE on each of its hops and in its final answer, and the best that was found
// when an event is said stands in the event. The value stays readable: people look for
// it in other programs too.
//
// One term has to find all legs, so the id is what every leg can know by itself:
//
//   - Session-ID has two UUIDs, the sender's first. The callee's comes only with the
//     answer, each branch of a fork has another, and a transfer changes it (RFC 7989
//     §8, §10). The caller's is in the first INVITE already and goes through every
//     intermediary (§7): it is the id. An INVITE that has none may get it from an
//     intermediary, which the answer then names as remote. A Session-ID without remote
//     is of the older kind (RFC 7329; RFC 7989 §11): one UUID, in both directions.
//     Where only the middle of a call is seen, nobody knows whose UUID is whose; the
//     lesser of both is the same on both legs.
//   - A header such as X-CID, and a suffix at a Call-ID, name the Call-ID of the leg
//     before. Where that leg is known, its id is the id: so a chain of three legs has
//     one, and a leg before that has a Session-ID lends it. Else it is the Call-ID
//     itself, which is also the id of a leg that has nothing better.
//
// All of this is what the messages of the leg say, not when they came, but for the id of
// the leg before, which is seen before: its INVITE makes this one. Two sensors that see
// the same legs say the same.

// correlation is a row of the table. find gives the value, which borrows from the
// message or the tracker's scratch until the next call; nil when there is none.
type correlation struct {
	by    event.Correlation
	named bool // the value may be the Call-ID of another leg
	find  func(t *Tracker, v *view) []byte
}

// correlations is in the order of trust.
var correlations = [...]correlation{
	{event.BySessionID, false, sessionOf},   // RFC 7989
	{event.ByHeader, true, namedLeg},        // correlation_headers
	{event.ByCharging, false, chargingID},   // RFC 7315 §4.6
	{event.ByHEP, false, hepCorrelation},    // chunk 0x11
	{event.BySuffix, true, withoutSuffixes}, //
	{event.ByCallID, false, ownCallID},      // RFC 3261 §20.8
}

// leastShared is the shortest value, in bytes, that is taken for a call's own: what is
// shorter is a counter or a flag, and would join strangers.
const leastShared = 8

// correlate finds what e's leg shares with others in v, unless e has something as good.
func (t *Tracker) correlate(e *event.Event, v *view) {
	for i := range correlations {
		c := &correlations[i]
		if e.Correlation.Len() > 0 && c.by >= e.CorrelatedBy {
			return
		}
		id := c.find(t, v)
		if len(id) < leastShared && c.by != event.ByCallID {
			continue
		}
		switch {
		case c.by == event.ByCallID:
			e.Correlation = e.CallID
		case bytes.Equal(id, v.m.CallID()):
			continue // it names itself
		case !c.named || !t.legBefore(e, id):
			e.SetKey(&e.Correlation, id)
		}
		if e.CorrelatedBy = c.by; e.Correlation.Len() > 0 {
			return
		}
	}
}

// legBefore gives e the id of the leg whose Call-ID is id; false where none is known.
func (t *Tracker) legBefore(e *event.Event, id []byte) bool {
	var rec *event.Event
	switch s := t.calls.sets[t.hash(id)]; {
	case s == nil:
		return false
	case len(s.attempts.items) > 0:
		rec = &s.attempts.items[0].rec
	case len(s.dialogs.items) > 0:
		rec = t.look(s.dialogs.items[0])
	default:
		return false
	}
	if rec.Correlation.Len() == 0 {
		return false
	}
	e.SetKey(&e.Correlation, rec.Bytes(rec.Correlation))
	return true
}

// correlateWith gives the request inside d its id. Most have their Call-ID, for which
// the record of d need not be unpacked.
func (t *Tracker) correlateWith(e *event.Event, d *dialog) {
	if d.rec == nil && d.by == event.ByCallID {
		e.Correlation, e.CorrelatedBy = e.CallID, event.ByCallID
		return
	}
	sameLeg(e, t.look(d))
}

// sameLeg gives e the id of another record of the call.
func sameLeg(e, of *event.Event) {
	if of.Correlation.Len() > 0 {
		e.SetKey(&e.Correlation, of.Bytes(of.Correlation))
		e.CorrelatedBy = of.CorrelatedBy
	}
}

// sessionOf is the UUID of who called (RFC 7989 §5): the sender's in the request that
// begins a dialog and in the ACK, the other one in an answer.
func sessionOf(t *Tracker, v *view) []byte {
	b := v.m.Value(sip.HeaderSessionID)
	if b == nil {
		return nil
	}
	local, remote := sessionID(b)
	var mine, other [uuidLen]byte
	hasMine, hasOther := uuid(&mine, local), uuid(&other, remote)
	caller := &mine
	switch {
	case remote == nil && hasMine: // RFC 7989 §11
	case v.request && !v.within:
		if !hasMine {
			caller, hasMine = &other, hasOther
		}
	case !v.within:
		caller, hasMine = &other, hasOther
	case !hasMine, hasOther && bytes.Compare(other[:], mine[:]) < 0:
		caller, hasMine = &other, hasOther
	}
	if !hasMine {
		return nil
	}
	t.scratch = append(t.scratch[:0], caller[:]...)
	return t.scratch
}

const uuidLen = 32

// uuid reads a UUID without hyphens in lower case (RFC 7989 §5), as it is meant to be,
// or otherwise, as some write it; false for none and for the nil UUID.
func uuid(to *[uuidLen]byte, b []byte) bool {
	n, other := 0, byte(0)
	for _, c := range b {
		switch {
		case c == '-':
			continue
		case c >= 'A' && c <= 'F':
			c += 'a' - 'A'
		case c >= '0' && c <= '9' || c >= 'a' && c <= 'f':
		default:
			return false
		}
		if n == uuidLen {
			return false
		}
		to[n] = c
		n++
		other |= c ^ '0'
	}
	return n == uuidLen && other != 0
}

// header is one of correlation_headers.
type header struct {
	id   sip.Header // of those that package sip knows
	name []byte     // of others
}

// MaxCorrelationHeaders bounds correlation_headers.
const MaxCorrelationHeaders = 16

// DefaultCorrelationHeaders are what is in use: X-CID and X-Call-ID, which HOMER and
// sngrep read, and their like name the Call-ID of the leg before; the others are ids
// that products of BroadSoft, Avaya, Cisco, Microsoft and Genesys pass on.
var DefaultCorrelationHeaders = []string{
	"X-CID", "X-Call-ID", "X-CallID", "X-Original-Call-ID", "X-Orig-Call-ID",
	"X-BroadWorks-Correlation-Info", "AV-Global-Session-ID", "Cisco-Guid", "Ms-Correlation-Id", "X-Genesys-CallUUID",
}

// validHeaders refuses what is no name of a header, and those that RFC 3261 wants in
// every message, which join no legs.
func validHeaders(names []string) error {
	const key = "correlation_headers"
	if len(names) > MaxCorrelationHeaders {
		return fmt.Errorf("%s: %d headers are too many; allowed: %d", key, len(names), MaxCorrelationHeaders)
	}
	for i, name := range names {
		if !sip.IsToken([]byte(name)) {
			return fmt.Errorf("%s: %q is not allowed; allowed: names of headers, such as X-CID", key, name)
		}
		switch h := sip.ParseHeader([]byte(name)); h {
		case sip.HeaderVia, sip.HeaderFrom, sip.HeaderTo, sip.HeaderCallID, sip.HeaderCSeq, sip.HeaderContact, sip.HeaderContentLength, sip.HeaderMaxForwards:
			return fmt.Errorf("%s: %s joins no legs; allowed: headers that name the other leg, such as X-CID", key, h)
		}
		for _, other := range names[:i] {
			if bytes.EqualFold([]byte(name), []byte(other)) {
				return fmt.Errorf("%s: %s is there twice", key, name)
			}
		}
	}
	return nil
}

// setHeaders readies the names for looking up. By their lengths most headers of a message
// are passed over.
func (t *Tracker) setHeaders(names []string) {
	t.headers, t.headerLens = nil, 0
	for _, name := range names {
		t.headers = append(t.headers, header{sip.ParseHeader([]byte(name)), []byte(name)})
		t.headerLens |= 1 << min(len(name), 63)
	}
}

// namedLeg is the value of the first of correlation_headers that the message has.
func namedLeg(t *Tracker, v *view) (value []byte) {
	best := len(t.headers)
	if !slices.ContainsFunc(t.headers, func(h header) bool { return v.m.Has(h.id) }) {
		return nil
	}
	for i := range v.m.NumHeaders() {
		id, name, b := v.m.HeaderAt(i)
		if id == sip.HeaderOther && t.headerLens>>min(len(name), 63)&1 == 0 {
			continue
		}
		for j := range t.headers[:best] {
			h := &t.headers[j]
			if h.id == id && (id != sip.HeaderOther || bytes.EqualFold(h.name, name)) && len(b) >= leastShared {
				best, value = j, b
				break
			}
		}
	}
	return value
}

// chargingID is the icid-value of P-Charging-Vector (RFC 7315 §4.6, §5.6).
func chargingID(_ *Tracker, v *view) []byte {
	params := sip.ParseParams(v.m.Value(sip.HeaderPChargingVector))
	for name, value, ok := params.Next(); ok; name, value, ok = params.Next() {
		if bytes.EqualFold(name, []byte("icid-value")) {
			return value
		}
	}
	return nil
}

func hepCorrelation(_ *Tracker, v *view) []byte { return v.p.HEP.CorrelationID }

func ownCallID(_ *Tracker, v *view) []byte { return v.m.CallID() }

// suffixes are what back-to-back user agents append to the Call-ID of the leg before,
// each with a number, also several. The list is closed: what is less distinct, such as
// "-1", ends the Call-IDs of many user agents that are none.
var suffixes = [...]string{
	"-b2b_", "-onnet_", // Sippy
	"_b2b-", "_pbx-", "_xfer-", // SEMS in Sipwise's C5, and HOMER's example
}

const maxSuffixDigits = 4

// withoutSuffixes is the Call-ID without them; nil when it has none.
func withoutSuffixes(_ *Tracker, v *view) []byte {
	id := v.m.CallID()
	whole := len(id)
	for n := withoutSuffix(id); n < len(id); n = withoutSuffix(id) {
		id = id[:n]
	}
	if len(id) == whole {
		return nil
	}
	return id
}

// withoutSuffix is the length of id without its last suffix.
func withoutSuffix(id []byte) int {
	end := len(id)
	for end > 0 && len(id)-end <= maxSuffixDigits && id[end-1] >= '0' && id[end-1] <= '9' {
		end--
	}
	if n := len(id) - end; n == 0 || n > maxSuffixDigits {
		return len(id)
	}
	for _, s := range suffixes {
		if bytes.HasSuffix(id[:end], []byte(s)) {
			return end - len(s)
		}
	}
	return len(id)
}
