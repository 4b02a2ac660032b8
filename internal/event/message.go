package event

import (
	"encoding/binary"
	"slices"
)

// The record of one SIP message, under the names that Packetbeat gives them, so that
// rules and dashboards made for it work.
//
// It has parts that no event has. They stand behind a table of their own in the
// record's buffer, so that events, which are kept for long, keep no room for them. Such
// a record leaves at once: its parts are not packed.

// Part is one of them.
type Part uint8

// The parts. Of a URI there are five, in this order.
const (
	PartAction Part = iota // sip- and the method in lower case
	PartAccept
	PartAllow     // a list
	PartSupported // a list
	PartLength    // a number, as the two below
	PartExpires
	PartQ // thousandths
	PartLine
	PartTransport
	PartSDPVersion
	PartOwnerUser
	PartOwnerSession
	PartOwnerVersion
	PartOwnerIP
	PartSessionName
	PartConnection
	PartPrivate
	PartAuth = PartPrivate + uriParts
	numParts = int(PartAuth + uriParts)
)

// uriParts is how many parts a URI has: whole, scheme, user, host, port.
const uriParts = 5

const partsSize = 4 * numParts

// OpenParts makes room for the parts, once for a record.
func (e *Event) OpenParts() {
	off := len(e.buf)
	e.buf = append(e.buf, make([]byte, partsSize)...)
	e.parts = Text{uint16(off), uint16(partsSize)}
}

// SetPart copies b, as Set does. OpenParts was called before, as for the others here.
func (e *Event) SetPart(p Part, b []byte) {
	if len(b) == 0 {
		return
	}
	var t Text
	e.Set(&t, b)
	e.SetPartText(p, t)
}

// SetPartNumber keeps a number.
func (e *Event) SetPartNumber(p Part, n uint32) {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], n)
	off := len(e.buf)
	if off+len(b) > maxBuf {
		return
	}
	e.buf = append(e.buf, b[:]...)
	e.SetPartText(p, Text{uint16(off), uint16(len(b))})
}

// SetPartURI copies a URI into the five parts that begin with p.
func (e *Event) SetPartURI(p Part, all, scheme, user, host []byte, port uint16) {
	var u URI
	e.SetURI(&u, all, scheme, user, host, port)
	for i, t := range [...]Text{u.All, u.Scheme, u.User, u.Host} {
		e.SetPartText(p+Part(i), t)
	}
	if port != 0 {
		e.SetPartNumber(p+uriParts-1, uint32(port))
	}
}

// SetPartList keeps a list that was made by Add.
func (e *Event) SetPartList(p Part, l List) { e.SetPartText(p, Text{l.off, l.n}) }

// SetPartText keeps a text that is in the record.
func (e *Event) SetPartText(p Part, t Text) {
	if e.parts.n == 0 {
		return
	}
	at := e.buf[int(e.parts.off)+4*int(p):]
	binary.BigEndian.PutUint16(at, t.off)
	binary.BigEndian.PutUint16(at[2:], t.n)
}

// Part is where a part is; it has length 0 where there is none.
func (e *Event) Part(p Part) Text {
	if e.parts.n == 0 {
		return Text{}
	}
	at := e.buf[int(e.parts.off)+4*int(p):]
	return Text{binary.BigEndian.Uint16(at), binary.BigEndian.Uint16(at[2:])}
}

func (e *Event) partNumber(p Part) (n uint32, ok bool) {
	b := e.Bytes(e.Part(p))
	if len(b) != 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(b), true
}

// answer tells whether it is the record of an answer, which has a code.
func (e *Event) answer() bool { return e.Type == Message && e.Code != 0 }

func part(p Part) func(*Event, *Value) {
	return func(e *Event, v *Value) { v.str(e, e.Part(p)) }
}

func partList(p Part) func(*Event, *Value) {
	return func(e *Event, v *Value) {
		t := e.Part(p)
		v.list(e, Strs, List{off: t.off, n: t.n, count: 1})
	}
}

func partNumber(p Part) func(*Event, *Value) {
	return func(e *Event, v *Value) {
		if n, ok := e.partNumber(p); ok {
			v.integer(int64(n))
		}
	}
}

// partURI is the rows of a URI among the parts.
func partURI(name string, p Part) []row {
	return []row{
		{name + ".original", keyword, asURI, part(p)},
		{name + ".scheme", keyword, asScheme, part(p + 1)},
		{name + ".username", keyword, asUser, part(p + 2)},
		{name + ".host", keyword, asHost, part(p + 3)},
		{name + ".port", long, public, partNumber(p + 4)},
	}
}

// single is what the record of one message alone has.
var single = slices.Concat([]row{
	{"type", keyword, public, func(_ *Event, v *Value) { v.constant("sip") }},
	{"status", keyword, public, func(e *Event, v *Value) {
		if e.Code >= 400 {
			v.constant("Error")
			return
		}
		v.constant("OK")
	}},
	{"network.application", keyword, public, func(_ *Event, v *Value) { v.constant("sip") }},
	{"sip.version", keyword, public, func(_ *Event, v *Value) { v.constant("2.0") }}, // others are parse-errors
	{"sip.accept", keyword, asWord, part(PartAccept)},
	{"sip.allow", keyword, asWord, partList(PartAllow)},
	{"sip.supported", keyword, asWord, partList(PartSupported)},
	{"sip.content_length", long, public, partNumber(PartLength)},
	{"sip.contact.expires", long, public, partNumber(PartExpires)},
	{"sip.contact.line", keyword, asUser, part(PartLine)},
	{"sip.contact.q", double, public, func(e *Event, v *Value) {
		if n, ok := e.partNumber(PartQ); ok {
			v.milli(int32(n))
		}
	}},
	{"sip.contact.transport", keyword, asWord, part(PartTransport)},
	{"sip.sdp.version", keyword, asWord, part(PartSDPVersion)},
	{"sip.sdp.owner.username", keyword, asUser, part(PartOwnerUser)},
	{"sip.sdp.owner.session_id", keyword, asCallID, part(PartOwnerSession)},
	{"sip.sdp.owner.version", keyword, asCallID, part(PartOwnerVersion)},
	{"sip.sdp.owner.ip", ip, asAddress, func(e *Event, v *Value) {
		if a, ok := literal(e.Bytes(e.Part(PartOwnerIP))); ok {
			v.addr(a)
		}
	}},
	{"sip.sdp.session.name", keyword, asUser, part(PartSessionName)},
	{"sip.sdp.connection.info", keyword, asConnection, part(PartConnection)},
}, partURI("sip.private.uri", PartPrivate), slices.DeleteFunc(partURI("sip.auth.uri", PartAuth), func(r row) bool {
	return r.Key == "sip.auth.uri.username" // of an address of a server
}))

// networkAuthentication is event.category of a message with credentials.
var networkAuthentication = []string{"network", "authentication"}

// ofMessages are the fields of the record of one message: those that Packetbeat gives
// it, then ours. A name that ends in a dot stands for all below it.
var ofMessages = []string{
	"@timestamp", "type", "status",
	"event.action", "event.category", "event.dataset", "event.duration", "event.end", "event.kind", "event.outcome",
	"event.reason", "event.sequence", "event.start", "event.type",
	"client.ip", "client.port", "server.ip", "server.port", "source.ip", "source.port", "destination.ip", "destination.port",
	"network.application", "network.community_id", "network.direction", "network.iana_number", "network.protocol", "network.transport", "network.type",
	"related.hosts", "related.ip", "related.user", "user.name",
	"sip.accept", "sip.allow", "sip.auth.realm", "sip.auth.scheme", "sip.auth.uri.", "sip.call_id", "sip.code", "sip.contact.display_info",
	"sip.contact.uri.", "sip.contact.expires", "sip.contact.line", "sip.contact.q", "sip.contact.transport",
	"sip.content_length", "sip.content_type", "sip.cseq.", "sip.from.", "sip.max_forwards", "sip.method",
	"sip.private.uri.", "sip.sdp.connection.", "sip.sdp.owner.", "sip.sdp.session.", "sip.sdp.version",
	"sip.status", "sip.supported", "sip.to.", "sip.type", "sip.uri.", "sip.user_agent.original", "sip.version", "sip.via.original",

	"ecs.version", "event.id", "event.module", "observer.name", "observer.ingress.interface.name",
	"network.vlan.id", "network.inner.vlan.id",
	"sip.anomalies", "sip.encapsulation", "sip.outer.", "sip.hep.", "sip.pcap.path", "sipcmbeat.privacy.",
}

// forMessages lets the record of a message have what is listed, and nothing else.
func forMessages(fields []Field) []Field {
	for i := range fields {
		f := &fields[i]
		f.in &^= 1 << Message
		for _, name := range ofMessages {
			if f.Key == name || name[len(name)-1] == '.' && len(f.Key) > len(name) && f.Key[:len(name)] == name {
				f.in |= 1 << Message
			}
		}
	}
	return fields
}

// SetLower is Set in lower case, behind a constant that is so too.
func (e *Event) SetLower(t *Text, before string, b []byte) {
	if n := MaxText - len(before); len(b) > n {
		b = b[:n]
		e.Anomalies |= FieldCut
	}
	if len(e.buf)+len(before)+len(b) > maxBuf {
		e.Anomalies |= FieldCut
		return
	}
	off := len(e.buf)
	e.buf = appendUnfolded(append(e.buf, before...), b)
	for i, c := range e.buf[off:] {
		if c-'A' < 26 {
			e.buf[off+i] = c | 0x20
		}
	}
	*t = Text{uint16(off), uint16(len(e.buf) - off)}
}
