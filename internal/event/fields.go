package event

import (
	"bytes"
	"cmp"
	"net/netip"
	"slices"
	"strings"
)

// Field is one row of the record: its key, its mapping type and how to read it.
// The description stands in _meta/fields.yml; a test holds the two sets equal.
type Field struct {
	row
	in types // the types that can have it
}

// row is how the tables below are written.
type row struct {
	Key     string
	Mapping string // keyword, long, double, ip, date_nanos, boolean
	Secrecy
	get func(e *Event, v *Value)
}

// Secrecy is whether a value names somebody, and how it is made up: package privacy may
// mask it (see Event.Mask), and sipcmbeat decrypt reads it back by it.
type Secrecy struct {
	Private Group
	Shape   Shape
}

// What a row says of its value.
var (
	public       = Secrecy{}
	asAddress    = Secrecy{Addresses, Address}
	asMedia      = Secrecy{Addresses, Host}
	asConnection = Secrecy{Addresses, Plain}
	asFlow       = Secrecy{Addresses, Digest}
	asURI        = Secrecy{URIs, Whole}
	asScheme     = Secrecy{URIs, Scheme}
	asNameAddr   = Secrecy{URIs, NameAddr}
	asVia        = Secrecy{URIs, ViaValue}
	asUser       = Secrecy{URIs, User}
	asHost       = Secrecy{URIs, Host}
	asNumber     = Secrecy{Numbers, Number}
	asToken      = Secrecy{Numbers, Digest}
	asCallID     = Secrecy{CallIDs, CallID}
	asCall       = Secrecy{CallIDs, Digest}
	asHash       = Secrecy{CallIDs, Digest} // of everything that makes the event this one
	asPath       = Secrecy{CallIDs, Plain}
	asBranch     = Secrecy{CallIDs, Plain} // as in a Via
	asAgent      = Secrecy{UserAgents, Agent}
	asTag        = Secrecy{Tags, Tag}
	asText       = Secrecy{Errors, Plain}
	asWord       = Secrecy{Errors, Word}
	asPhrase     = Secrecy{Errors, Plain} // one that everybody uses stays: see usual
)

// types is a set of types.
type types uint32

const (
	anyType  types = 1<<NumTypes - 1
	calls    types = 1<<CallStart | 1<<CallAttempt | 1<<CallEnd | 1<<CallAlive
	regs     types = 1<<RegNew | 1<<RegDel | 1<<RegExpired
	messages types = anyType &^ (1 << MsgProbe)
	requests types = 1<<OtherOK | 1<<OtherFailed | 1<<OtherTimeout | 1<<AuthFailed
)

// In reports whether a record of this type can have the field.
func (f *Field) In(t Type) bool { return f.in>>t&1 == 1 }

// Get reads the field from e into v, which borrows from e. A field that e's type
// cannot have is Nothing, whatever is left in e from what led to it.
func (f *Field) Get(e *Event, v *Value) {
	v.Form, v.NSome, v.NAlso, v.next, v.List = Nothing, 0, 0, 0, List{}
	if f.In(e.Type) {
		f.get(e, v)
	}
}

// ECSVersion is the version of the Elastic Common Schema that the names follow.
const ECSVersion = "8.17.0"

const (
	keyword = "keyword"
	long    = "long"
	double  = "double"
	ip      = "ip"
	date    = "date_nanos"
	boolean = "boolean"
)

// Fields is the table of fields, sorted so that those of one object stand
// together. A new field is one row in the tables below and its description in
// _meta/fields.yml.
var Fields = forMessages(sorted(slices.Concat(
	only(anyType, base), only(anyType, ends), only(messages, message), only(1<<Message, single), only(calls, call), only(calls|requests, dialogs),
	only(calls, transferred), only(calls|requests, transfer), only(requests, subscription),
	only(regs, registration), only(anyType, labels),
	only(rated, rates), only(1<<RateCalm, calm),
	only(1<<CallEnd|requests, quality), only(requests, report),
	only(1<<CallEnd, heard("sip.qos.caller", 0, false)), only(1<<CallEnd, heard("sip.qos.callee", 1, false)),
	only(requests, heard("sip.qos.local", 0, true)), only(requests, heard("sip.qos.remote", 1, true)),
	only(anyType, address("source", false)),
	only(anyType, address("client", false)),
	only(anyType, address("destination", true)),
	only(anyType, address("server", true)),
	only(messages, party("sip.from", func(e *Event) *Party { return &e.From })),
	only(messages, party("sip.to", func(e *Event) *Party { return &e.To })),
	only(messages, party("sip.contact", func(e *Event) *Party { return &e.Contact })),
	only(messages, uri("sip.uri", func(e *Event) *URI { return &e.RequestURI })),
	only(messages, telephone("sip.number.caller", func(e *Event) *PhoneNumber { return &e.Caller })),
	only(messages&^regs, telephone("sip.number.callee", func(e *Event) *PhoneNumber { return &e.Callee })),
	only(regs, uri("sip.registration.aor", func(e *Event) *URI { return &e.AOR })),
)))

// only makes fields of rows that no other types have.
func only(in types, rows []row) []Field {
	fields := make([]Field, len(rows))
	for i, r := range rows {
		fields[i] = Field{r, in}
	}
	return fields
}

var base = []row{
	{"@timestamp", date, public, func(e *Event, v *Value) { v.date(e.Time) }},
	{"ecs.version", keyword, public, func(e *Event, v *Value) { v.constant(ECSVersion) }},
	{"event.action", keyword, asWord, func(e *Event, v *Value) {
		if e.Type == Message {
			v.str(e, e.Part(PartAction))
			return
		}
		v.constant(Kinds[e.Type].Name)
	}},
	{"event.category", keyword, public, func(e *Event, v *Value) {
		if e.Type == Message && e.AuthScheme.n > 0 {
			v.constants(networkAuthentication)
			return
		}
		v.constants(Kinds[e.Type].Category)
	}},
	{"event.dataset", keyword, public, func(e *Event, v *Value) { v.constant(Kinds[e.Type].Dataset) }},
	{"event.duration", long, public, func(e *Event, v *Value) {
		if e.Start != 0 && e.End != 0 {
			v.integer(max(e.End-e.Start, 0))
		}
	}},
	{"event.end", date, public, func(e *Event, v *Value) { v.date(e.End) }},
	{"event.id", keyword, asHash, func(e *Event, v *Value) { v.hash(e.ID) }},
	{"event.kind", keyword, public, func(e *Event, v *Value) { v.constant("event") }},
	{"event.module", keyword, public, func(e *Event, v *Value) { v.constant("sipcmbeat") }},
	{"event.outcome", keyword, public, func(e *Event, v *Value) {
		if e.Type != Message || e.Outcome != Unknown { // of a request there is none yet
			v.constant(e.Outcome.String())
		}
	}},
	{"event.reason", keyword, asPhrase, func(e *Event, v *Value) {
		if e.Q850Text.n > 0 && e.Status.n == 0 && e.masked.gone&goneStatus == 0 {
			v.str(e, e.Q850Text)
			return
		}
		v.str(e, e.Status)
	}},
	{"event.sequence", long, public, func(e *Event, v *Value) { v.positive(int64(e.Sequence)) }},
	{"event.start", date, public, func(e *Event, v *Value) { v.date(e.Start) }},
	{"event.type", keyword, public, func(e *Event, v *Value) {
		if e.Type == CallAttempt && (e.Code == 403 || e.Code >= 600) {
			v.constants(denied)
			return
		}
		v.constants(Kinds[e.Type].Type)
	}},
	{"error.message", keyword, asText, func(e *Event, v *Value) { v.str(e, e.Error) }},
	{"tags", keyword, public, func(e *Event, v *Value) {
		switch {
		case e.Emergency && e.Injected:
			v.constants(tagBoth)
		case e.Emergency:
			v.constants(tagEmergency)
		case e.Injected:
			v.constants(tagInjected)
		}
	}},
	{"observer.name", keyword, asAddress, func(e *Event, v *Value) { v.str(e, e.HEP.Node) }},
	{"observer.ingress.interface.name", keyword, public, func(e *Event, v *Value) { v.quoted(e.Iface) }},
}

var (
	tagEmergency = []string{"emergency"}
	tagInjected  = []string{"injected"}
	tagBoth      = []string{"emergency", "injected"}
)

var ends = []row{
	{"network.community_id", keyword, asFlow, func(e *Event, v *Value) { v.communityID(e) }},
	{"network.direction", keyword, public, func(e *Event, v *Value) { v.constant(e.Direction.String()) }},
	{"network.iana_number", keyword, public, func(e *Event, v *Value) {
		v.constant([...]string{"", "17", "6", "132"}[e.Transport])
	}},
	{"network.inner.vlan.id", keyword, public, func(e *Event, v *Value) { v.vlan(e.VLANs[1]) }},
	{"network.protocol", keyword, public, func(e *Event, v *Value) {
		if e.Type != MsgProbe {
			v.constant("sip")
		}
	}},
	{"network.transport", keyword, public, func(e *Event, v *Value) { v.constant(e.Transport.String()) }},
	{"network.type", keyword, public, func(e *Event, v *Value) { v.constant(family(e)) }},
	{"network.vlan.id", keyword, public, func(e *Event, v *Value) { v.vlan(e.VLANs[0]) }},
	{"client.nat.ip", ip, asAddress, func(e *Event, v *Value) { v.addr(e.NAT.Addr()) }},
	{"client.nat.port", long, public, func(e *Event, v *Value) { v.positive(int64(e.NAT.Port())) }},
	{"user.name", keyword, asUser, func(e *Event, v *Value) {
		if e.AuthUser.n > 0 || e.Type == Message {
			v.str(e, e.AuthUser)
			return
		}
		if e.masked.gone&goneAuthUser == 0 {
			v.str(e, e.From.URI.User)
		}
	}},
	{"user.domain", keyword, asHost, func(e *Event, v *Value) {
		if e.AuthRealm.n > 0 {
			v.str(e, e.AuthRealm)
			return
		}
		if e.masked.gone&goneAuthRealm == 0 {
			v.str(e, e.From.URI.Host)
		}
	}},
	{"user.id", keyword, asURI, func(e *Event, v *Value) {
		if e.AOR.All.n > 0 {
			v.str(e, e.AOR.All)
			return
		}
		if v.str(e, e.masked.userID); v.Form == Nothing && e.masked.gone&goneUserID == 0 {
			v.aor(e, &e.From.URI)
		}
	}},
	{"user_agent.original", keyword, asAgent, func(e *Event, v *Value) { v.str(e, e.UserAgent) }},
	{"url.domain", keyword, asHost, func(e *Event, v *Value) { v.str(e, e.RequestURI.Host) }},
	{"url.full", keyword, asURI, func(e *Event, v *Value) { v.str(e, e.RequestURI.All) }},
	{"url.original", keyword, asURI, func(e *Event, v *Value) { v.str(e, e.RequestURI.All) }},
	{"url.port", long, public, func(e *Event, v *Value) { v.positive(int64(e.RequestURI.Port)) }},
	{"url.scheme", keyword, asScheme, func(e *Event, v *Value) { v.str(e, e.RequestURI.Scheme) }},
	{"url.username", keyword, asUser, func(e *Event, v *Value) { v.str(e, e.RequestURI.User) }},
	{"related.hosts", keyword, asHost, func(e *Event, v *Value) {
		for i, host := range e.hosts() {
			if e.Type == Message || e.isName(i, host) {
				v.some(host)
			}
		}
		v.some(e.Bytes(e.Part(PartPrivate + 3)))
	}},
	{"related.ip", ip, asAddress, func(e *Event, v *Value) {
		v.list(e, Addrs, e.Legs)
		e.otherAddrs(v, true)
	}},
	{"related.user", keyword, asUser, func(e *Event, v *Value) {
		v.some(e.Bytes(e.From.URI.User))
		v.some(e.Bytes(e.To.URI.User))
		v.some(e.Bytes(e.RequestURI.User))
		v.some(e.Bytes(e.AuthUser))
		if e.Type == Message {
			v.some(e.Bytes(e.Contact.URI.User))
			v.some(e.Bytes(e.Part(PartPrivate + 2)))
			v.some(e.Bytes(e.Part(PartOwnerUser)))
		}
	}},
}

func (v *Value) vlan(id uint16) {
	if id != 0 {
		v.constant(vlanNames[id&0xfff])
	}
}

// vlanNames holds the 4096 identifiers as text: ECS has network.vlan.id as a keyword.
var vlanNames = func() (names [4096]string) {
	for i := range names {
		names[i] = itoa(i)
	}
	return
}()

var message = []row{
	{"sip.call_id", keyword, asCallID, func(e *Event, v *Value) { v.str(e, e.CallID) }},
	{"sip.code", long, public, func(e *Event, v *Value) { v.positive(int64(e.Code)) }},
	{"sip.status", keyword, asPhrase, func(e *Event, v *Value) { v.str(e, e.Status) }},
	{"sip.response.class", keyword, public, func(e *Event, v *Value) {
		if e.Code >= 100 && e.Code < 700 {
			v.constant([...]string{"1xx", "2xx", "3xx", "4xx", "5xx", "6xx"}[e.Code/100-1])
		}
	}},
	{"sip.type", keyword, public, func(e *Event, v *Value) {
		if e.Code > 0 && !e.Synthetic {
			v.constant("response")
		} else if e.Method.n > 0 {
			v.constant("request")
		}
	}},
	{"sip.method", keyword, asWord, func(e *Event, v *Value) { v.str(e, e.Method) }},
	{"sip.cseq.code", long, public, func(e *Event, v *Value) {
		if e.HasCSeq {
			v.integer(int64(e.CSeq))
		}
	}},
	{"sip.cseq.method", keyword, asWord, func(e *Event, v *Value) { v.str(e, e.CSeqMethod) }},
	{"sip.max_forwards", long, public, func(e *Event, v *Value) {
		if e.HasMaxForwards {
			v.integer(int64(e.MaxForwards))
		}
	}},
	{"sip.via.original", keyword, asVia, func(e *Event, v *Value) { v.list(e, Strs, e.Via) }},
	{"sip.via.transport", keyword, asWord, func(e *Event, v *Value) { v.str(e, e.ViaTransport) }},
	{"tls.established", boolean, public, func(e *Event, v *Value) {
		v.flag(overTLS(e.Bytes(e.ViaTransport)))
	}},
	{"sip.content_type", keyword, asWord, func(e *Event, v *Value) { v.str(e, e.ContentType) }},
	{"sip.user_agent.original", keyword, asAgent, func(e *Event, v *Value) { v.str(e, e.UserAgent) }},
	{"sip.server.original", keyword, asAgent, func(e *Event, v *Value) { v.str(e, e.Server) }},
	{"sip.auth.realm", keyword, asHost, func(e *Event, v *Value) { v.str(e, e.AuthRealm) }},
	{"sip.auth.scheme", keyword, asWord, func(e *Event, v *Value) { v.str(e, e.AuthScheme) }},
	{"sip.auth.username", keyword, asUser, func(e *Event, v *Value) { v.str(e, e.AuthUser) }},
	{"sip.pai", keyword, asNameAddr, func(e *Event, v *Value) { v.list(e, Strs, e.PAI) }},
	{"sip.ppi", keyword, asURI, func(e *Event, v *Value) { v.str(e, e.PPI.All) }},
	{"sip.rpid", keyword, asURI, func(e *Event, v *Value) { v.str(e, e.RPID.All) }},
	{"sip.diversion", keyword, asNameAddr, func(e *Event, v *Value) { v.list(e, Strs, e.Diversion) }},
	{"sip.history_info", keyword, asNameAddr, func(e *Event, v *Value) { v.list(e, Strs, e.History) }},
	{"sip.privacy", keyword, asWord, func(e *Event, v *Value) { v.list(e, Strs, e.Privacy) }},
	{"sip.reason.protocol", keyword, asWord, func(e *Event, v *Value) { v.list(e, Strs, e.ReasonProtocol) }},
	{"sip.reason.cause", keyword, asWord, func(e *Event, v *Value) { v.list(e, Strs, e.ReasonCause) }},
	{"sip.reason.text", keyword, asPhrase, func(e *Event, v *Value) { v.list(e, Strs, e.ReasonText) }},
	{"sip.q850.cause", long, public, func(e *Event, v *Value) { v.positive(int64(e.Q850)) }},
	{"sip.q850.text", keyword, asPhrase, func(e *Event, v *Value) { v.str(e, e.Q850Text) }},
	{"sip.retry_after_s", long, public, func(e *Event, v *Value) { v.positive(int64(e.RetryAfter)) }},
	{"sip.session_id.local", keyword, asCallID, func(e *Event, v *Value) { v.str(e, e.SessionLocal) }},
	{"sip.session_id.remote", keyword, asCallID, func(e *Event, v *Value) { v.str(e, e.SessionRemote) }},
	{"sip.identity.present", boolean, public, func(e *Event, v *Value) { v.flag(e.HasIdentity) }},
	{"sip.identity.attest", keyword, public, func(e *Event, v *Value) {
		if e.Attest >= 'A' && e.Attest <= 'C' {
			v.constant("ABC"[e.Attest-'A' : e.Attest-'A'+1])
		}
	}},
	{"sip.identity.orig", keyword, asNumber, func(e *Event, v *Value) { v.str(e, e.IdentityOrig) }},
	{"sip.identity.dest", keyword, asNumber, func(e *Event, v *Value) { v.list(e, Strs, e.IdentityDest) }},
	{"sip.identity.iat", long, public, func(e *Event, v *Value) { v.positive(e.IdentityIAT) }},
	{"sip.identity.iat_age_s", long, public, func(e *Event, v *Value) {
		if e.IdentityIAT > 0 && e.Start != 0 {
			v.integer(e.Start/1e9 - e.IdentityIAT)
		}
	}},
	{"sip.identity.x5u_host", keyword, asHost, func(e *Event, v *Value) { v.str(e, e.IdentityX5U) }},
	{"sip.identity.signature", keyword, public, func(e *Event, v *Value) {
		if e.HasIdentity {
			v.constant("not_checked")
		}
	}},
	{"sip.sdp.codecs", keyword, asWord, func(e *Event, v *Value) { v.list(e, Strs, e.Codecs) }},
	{"sip.sdp.media", keyword, asWord, func(e *Event, v *Value) { v.list(e, Strs, e.Media) }},
	{"sip.sdp.ptime", long, public, func(e *Event, v *Value) { v.positive(int64(e.Ptime)) }},
	{"sip.sdp.maxptime", long, public, func(e *Event, v *Value) { v.positive(int64(e.MaxPtime)) }},
	{"sip.sdp.srtp", boolean, public, func(e *Event, v *Value) { v.flag(e.SRTP) }},
	{"sip.sdp.ice", boolean, public, func(e *Event, v *Value) { v.flag(e.ICE) }},
	{"sip.sdp.connection.address", keyword, asMedia, func(e *Event, v *Value) { v.str(e, e.Conn) }},
	{"sip.transaction.branch", keyword, asBranch, func(e *Event, v *Value) { v.str(e, e.Branch) }},
	{"sip.transaction.delay_ms", double, public, func(e *Event, v *Value) { v.ms(e.Delay) }},
	{"sip.transaction.retransmissions.request", long, public, func(e *Event, v *Value) { v.positive(int64(e.RetransRequest)) }},
	{"sip.transaction.retransmissions.response", long, public, func(e *Event, v *Value) { v.positive(int64(e.RetransResponse)) }},
	{"sip.transaction.timer", keyword, public, func(e *Event, v *Value) {
		if e.Timer >= 'A' && e.Timer <= 'Z' {
			v.constant("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[e.Timer-'A' : e.Timer-'A'+1])
		}
	}},
	{"sip.emergency", boolean, public, func(e *Event, v *Value) { v.flag(e.Emergency) }},
	{"sip.referred_by", keyword, asURI, func(e *Event, v *Value) { v.str(e, e.ReferredBy) }},
}

// overTLS tells whether a transport of Via is encrypted on its hop.
func overTLS(transport []byte) bool {
	for _, t := range [...]string{"TLS", "WSS", "TLS-SCTP"} {
		if len(transport) == len(t) && bytes.EqualFold(transport, []byte(t)) {
			return true
		}
	}
	return false
}

var call = []row{
	{"sip.call.id", keyword, asCall, func(e *Event, v *Value) { v.hash(e.Call) }},
	{"sip.call.hangup_by", keyword, public, func(e *Event, v *Value) { v.constant(e.Side.String()) }},
	{"sip.call.setup_ms", double, public, func(e *Event, v *Value) { v.ms(e.Setup) }},
	{"sip.call.pdd_ms", double, public, func(e *Event, v *Value) { v.ms(e.PDD) }},
	{"sip.call.pdd_source", keyword, public, func(e *Event, v *Value) {
		if e.PDD != absent {
			v.constant(codeName(e.PDDSource))
		}
	}},
	{"sip.call.ring_ms", double, public, func(e *Event, v *Value) { v.ms(e.Ring) }},
	{"sip.call.disconnect_ms", double, public, func(e *Event, v *Value) { v.ms(e.Disconnect) }},
	{"sip.call.duration_ms", double, public, func(e *Event, v *Value) {
		if e.Type == CallEnd && e.Start != 0 && e.End != 0 {
			v.ms(max(e.End-e.Start, 0))
		}
	}},
	{"sip.call.duration_min", long, public, func(e *Event, v *Value) {
		if e.DurationMin != absent {
			v.integer(e.DurationMin)
		}
	}},
	{"sip.call.forked", boolean, public, func(e *Event, v *Value) { v.flag(e.Forked) }},
	{"sip.call.held", boolean, public, func(e *Event, v *Value) { v.flag(e.Held) }},
	{"sip.call.synthetic", boolean, public, func(e *Event, v *Value) { v.flag(e.Synthetic) }},
	{"sip.call.branches", long, public, func(e *Event, v *Value) { v.positive(int64(e.Branches)) }},
	{"sip.call.legs", ip, asAddress, func(e *Event, v *Value) { v.list(e, Addrs, e.Legs) }},
	{"sip.call.leg_codes", long, public, func(e *Event, v *Value) { v.list(e, Codes, e.Codes) }},
	{"sip.call.last_code", long, public, func(e *Event, v *Value) { v.positive(int64(e.Last)) }},
	{"sip.call.session_expires_s", long, public, func(e *Event, v *Value) { v.positive(int64(e.SessionExpires)) }},
	{"sip.call.requests.reinvite", long, public, counted(CountReInvite)},
	{"sip.call.requests.update", long, public, counted(CountUpdate)},
	{"sip.call.requests.info", long, public, counted(CountInfo)},
	{"sip.call.requests.prack", long, public, counted(CountPrack)},
	{"sip.call.requests.refer", long, public, counted(CountRefer)},
	{"sip.call.requests.notify", long, public, counted(CountNotify)},
	{"sip.call.requests.subscribe", long, public, counted(CountSubscribe)},
	{"sip.call.requests.message", long, public, counted(CountMessage)},
	{"sip.call.requests.options", long, public, counted(CountOptions)},
	{"sip.call.requests.other", long, public, counted(CountOther)},
}

// dialogs is what calls and the requests beside and inside them have.
var dialogs = []row{
	{"sip.call.in_dialog", boolean, public, func(e *Event, v *Value) { v.flag(e.InDialog) }},
	{"sip.correlation.id", keyword, asCallID, func(e *Event, v *Value) { v.str(e, e.Correlation) }},
	{"sip.correlation.method", keyword, public, func(e *Event, v *Value) {
		if e.Correlation.n > 0 {
			v.constant(e.CorrelatedBy.String())
		}
	}},
}

func counted(n Counted) func(*Event, *Value) {
	return func(e *Event, v *Value) { v.positive(int64(e.Requests[n])) }
}

var registration = []row{
	{"sip.registration.contact", keyword, asURI, func(e *Event, v *Value) { v.list(e, Strs, e.Contacts) }},
	{"sip.registration.contacts", long, public, func(e *Event, v *Value) { v.positive(int64(e.NumContacts)) }},
	{"sip.registration.expires", long, public, func(e *Event, v *Value) {
		if e.HasExpires {
			v.integer(int64(e.Expires))
		}
	}},
	{"sip.registration.lifetime_s", double, public, func(e *Event, v *Value) {
		if !e.LifetimeMin {
			v.seconds(e.Lifetime)
		}
	}},
	{"sip.registration.lifetime_min_s", double, public, func(e *Event, v *Value) {
		if e.LifetimeMin {
			v.seconds(e.Lifetime)
		}
	}},
	{"sip.registration.new_location", boolean, public, func(e *Event, v *Value) { v.flag(e.NewLocation) }},
	{"sip.registration.refresh_count", long, public, func(e *Event, v *Value) { v.positive(int64(e.Refreshes)) }},
}

var labels = []row{
	{"sipcmbeat.privacy.fields", keyword, public, func(e *Event, v *Value) {
		if l := e.masked.label; l != nil && len(l.Fields) > 0 {
			v.constants(l.Fields)
		}
	}},
	{"sipcmbeat.privacy.key_id", keyword, public, func(e *Event, v *Value) {
		if l := e.masked.label; l != nil {
			v.constant(l.KeyID)
		}
	}},
	{"sip.encapsulation", keyword, public, func(e *Event, v *Value) { v.list(e, Strs, e.Encap) }},
	{"sip.outer.destination.ip", ip, asAddress, func(e *Event, v *Value) { v.addr(e.OuterDst) }},
	{"sip.outer.source.ip", ip, asAddress, func(e *Event, v *Value) { v.addr(e.OuterSrc) }},
	{"sip.hep.version", long, public, func(e *Event, v *Value) { v.positive(int64(e.HEP.Version)) }},
	{"sip.hep.protocol_type", long, public, func(e *Event, v *Value) { v.positive(int64(e.HEP.Type)) }},
	{"sip.hep.vendor_id", long, public, func(e *Event, v *Value) { v.positive(int64(e.HEP.Vendor)) }},
	{"sip.hep.capture_id", long, public, func(e *Event, v *Value) { v.positive(int64(e.HEP.CaptureID)) }},
	{"sip.hep.node", keyword, asAddress, func(e *Event, v *Value) { v.str(e, e.HEP.Node) }},
	{"sip.hep.correlation_id", keyword, asCallID, func(e *Event, v *Value) { v.str(e, e.HEP.Correlation) }},
	{"sip.hep.timestamp_source", keyword, public, func(e *Event, v *Value) {
		if e.HEP.Received {
			v.constant("receive")
		}
	}},
	{"sip.pcap.dump", keyword, asPath, func(e *Event, v *Value) { v.str(e, e.Dump) }},
	{"sip.pcap.path", keyword, public, func(e *Event, v *Value) { v.quoted(e.Capture) }},
	{"sip.probe.kind", keyword, public, func(e *Event, v *Value) { v.str(e, e.Probe) }},
	{"sip.incomplete", keyword, public, func(e *Event, v *Value) {
		v.words(uint64(e.Incomplete), func(i int) string { return IncompleteWords[i].Word })
	}},
	{"sip.anomalies", keyword, public, func(e *Event, v *Value) {
		v.words(uint64(e.Anomalies), func(i int) string { return AnomalyWords[i].Word })
	}},
}

// address is the rows of one end. The client is the source of the first request
// and the server its destination, so four ECS objects come of two addresses. Of a
// single answer the source is who sent it; the client is who had asked.
func address(name string, dst bool) []row {
	turned := name == "source" || name == "destination"
	end := func(e *Event) netip.AddrPort {
		if dst != (turned && e.answer()) {
			return e.Dst
		}
		return e.Src
	}
	return []row{
		{name + ".ip", ip, asAddress, func(e *Event, v *Value) { v.addr(end(e).Addr()) }},
		{name + ".port", long, public, func(e *Event, v *Value) { v.positive(int64(end(e).Port())) }},
	}
}

// uri is the rows of one URI, whole and split.
func uri(name string, of func(*Event) *URI) []row {
	return []row{
		{name + ".original", keyword, asURI, func(e *Event, v *Value) { v.str(e, of(e).All) }},
		{name + ".scheme", keyword, asScheme, func(e *Event, v *Value) { v.str(e, of(e).Scheme) }},
		{name + ".username", keyword, asUser, func(e *Event, v *Value) { v.str(e, of(e).User) }},
		{name + ".host", keyword, asHost, func(e *Event, v *Value) { v.str(e, of(e).Host) }},
		{name + ".port", long, public, func(e *Event, v *Value) { v.positive(int64(of(e).Port)) }},
	}
}

// party is the rows of From, To or Contact under Packetbeat's names.
func party(name string, of func(*Event) *Party) []row {
	return append(uri(name+".uri", func(e *Event) *URI { return &of(e).URI }),
		row{name + ".display_info", keyword, asUser, func(e *Event, v *Value) { v.str(e, of(e).Display) }},
		row{name + ".tag", keyword, asTag, func(e *Event, v *Value) { v.str(e, of(e).Tag) }})
}

// sorted orders by object path, so that a renderer opens each object once.
func sorted(fields []Field) []Field {
	slices.SortFunc(fields, func(a, b Field) int {
		return cmp.Compare(strings.ReplaceAll(a.Key, ".", "\x00"), strings.ReplaceAll(b.Key, ".", "\x00"))
	})
	return fields
}
