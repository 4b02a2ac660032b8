package event

import "strings"

// Type is what happened: the value of event.action.
type Type uint8

// The types: twelve; two that are off unless they are asked for, call-alive and the
// record of a single message; and what package limit says of the events that it held.
const (
	None Type = iota
	CallStart
	CallAttempt
	CallEnd
	RegNew
	RegDel
	RegExpired
	AuthFailed
	OtherOK
	OtherFailed
	OtherTimeout
	ParseError
	MsgProbe
	CallAlive
	Message
	RateCalm
	NumTypes
)

// Kind describes a type: its name, its place in the ECS categorisation and the
// sentence that the documents use.
type Kind struct {
	Name     string
	Dataset  string
	Category []string
	Type     []string
	Sentence string
}

// Kinds is the table of types: a new type is one row here and the cell of a
// machine in package track that emits it.
var Kinds = [NumTypes]Kind{
	CallStart: {"call-start", "sip.call", networkSession, []string{"start", "connection", "protocol"},
		"A call was answered: the first 2xx to an INVITE without a To tag, once per dialog."},
	CallAttempt: {"call-attempt", "sip.call", networkSession, []string{"end", "protocol"},
		"A call was tried and not answered: refused, cancelled, challenged and given up, or timed out. Once per attempt."},
	CallEnd: {"call-end", "sip.call", networkSession, []string{"end", "protocol"},
		"An answered call is over. Once per dialog, whichever side hung up."},
	RegNew: {"reg-new", "sip.registration", networkSession, []string{"start", "protocol"},
		"A contact was registered that was not known before."},
	RegDel: {"reg-del", "sip.registration", networkSession, []string{"end", "protocol"},
		"A contact was removed by a REGISTER."},
	RegExpired: {"reg-expired", "sip.registration", networkSession, []string{"end", "protocol"},
		"A contact's lifetime ran out without a refresh."},
	AuthFailed: {"auth-failed", "sip.transaction", []string{"network", "authentication"}, []string{"start", "denied", "protocol"},
		"A request with credentials was challenged again: a wrong password, most likely."},
	OtherOK: {"other-ok", "sip.transaction", network, info,
		"Another request (OPTIONS, MESSAGE, SUBSCRIBE, ...) was answered with a 2xx."},
	OtherFailed: {"other-failed", "sip.transaction", network, info,
		"Another request, or a REGISTER, was refused."},
	OtherTimeout: {"other-timeout", "sip.transaction", network, info,
		"Another request, or a REGISTER, had no final answer in 32 s."},
	ParseError: {"parse-error", "sip.parse_error", network, info,
		"A message starts like SIP and cannot be used; error.message names the header and the reason."},
	MsgProbe: {"msg-probe", "sip.parse_error", network, info,
		"Something on a SIP port that is neither SIP nor a keep-alive; sip.probe.kind says what."},
	CallAlive: {"call-alive", "sip.call", networkSession, info,
		"An answered call is still up: every `call_alive_interval` since its answer. Off by default."},
	Message: {"message", "sip", network, info,
		"A SIP message was seen: `messages.enabled`, off by default. Its event.action is sip- and the method, as in sip-invite; docs/messages.md has its fields."},
	RateCalm: {"rate-calm", "sip.rate", network, []string{"info"},
		"Events of one type and source had been over a limit and were held back; that is over, and sipcmbeat.rate.total says how many were. docs/rates.md tells more."},
}

var (
	network        = []string{"network"}
	networkSession = []string{"network", "session"}
	info           = []string{"info", "protocol"}
	denied         = []string{"end", "denied", "protocol"}
)

// String is the name used in event.action and in the configuration.
func (t Type) String() string { return Kinds[t].Name }

// ParseType finds a type by its name.
func ParseType(name string) (Type, bool) {
	for t := CallStart; t < NumTypes; t++ {
		if Kinds[t].Name == name {
			return t, true
		}
	}
	return None, false
}

// TypeNames lists the names of all types, for messages that say what is allowed.
func TypeNames() string {
	names := make([]string, 0, NumTypes)
	for t := CallStart; t < NumTypes; t++ {
		names = append(names, Kinds[t].Name)
	}
	return strings.Join(names, ", ")
}

// Outcome is event.outcome.
type Outcome uint8

// The values that ECS knows.
const (
	Unknown Outcome = iota
	Success
	Failure
)

// String is the ECS value.
func (o Outcome) String() string { return [...]string{"unknown", "success", "failure"}[o] }

// Side says who hung up: sip.call.hangup_by.
type Side uint8

// The sides. NoSide leaves the field out.
const (
	NoSide Side = iota
	Caller
	Callee
	Both
	ByTimeout
	SideUnknown
)

// String is the value of the field.
func (s Side) String() string {
	return [...]string{"", "caller", "callee", "both", "timeout", "unknown"}[s]
}

// Transport is the protocol that carried the message.
type Transport uint8

// The transports.
const (
	NoTransport Transport = iota
	UDP
	TCP
	SCTP
)

// String is the ECS value of network.transport.
func (t Transport) String() string { return [...]string{"", "udp", "tcp", "sctp"}[t] }

// IANA is the protocol number.
func (t Transport) IANA() int64 { return [...]int64{0, 17, 6, 132}[t] }

// Incomplete says what was not seen: the closed list of sip.incomplete.
type Incomplete uint16

// What may be missing.
const (
	NoInvite Incomplete = 1 << iota
	NoResponse
	NoAck
	NoBye
	NoRegister
	NoRequest
	NoHistory
	Evicted
	EndOfCapture
	numIncomplete = iota
)

// IncompleteWord is a word of the closed list and its meaning.
type IncompleteWord struct{ Word, Meaning string }

// IncompleteWords is in the order of the bits.
var IncompleteWords = [numIncomplete]IncompleteWord{
	{"invite", "the INVITE that began the call was not seen"},
	{"response", "the answer that decided was not seen; or none was, and the client did not ask to the end as one does that has none (over TCP that cannot be seen)"},
	{"ack", "no ACK of the 2xx was seen"},
	{"bye", "the BYE was not seen, only its answer"},
	{"register", "the REGISTER that set or removed the binding, or may have, was not seen"},
	{"request", "the request was not seen, only its answer or what follows it"},
	{"history", "seen too soon after the start to tell a refresh from a new registration, or silent since before a time in which the program did not run"},
	{"evicted", "memory ran short before the outcome was known"},
	{"end-of-capture", "the capture ended before the outcome was certain"},
}

// Correlation is how the legs of a call were found to belong together: the closed
// list of sip.correlation.method.
type Correlation uint8

// The methods, the most trusted first. Uncorrelated leaves the fields out.
const (
	BySessionID Correlation = iota
	ByHeader
	ByCharging
	ByHEP
	BySuffix
	ByCallID
	Uncorrelated
	numCorrelations = iota - 1
)

// CorrelationWord is a method, where it is defined, and what the legs share by it.
type CorrelationWord struct{ Word, RFC, Meaning string }

// CorrelationWords is in the order of trust.
var CorrelationWords = [numCorrelations]CorrelationWord{
	{"session-id", "RFC 7989 §6", "the UUID that the caller put into Session-ID, which every leg carries; where who called is not known, the lesser of both UUIDs"},
	{"x-cid", "", "a header of `correlation_headers`: most often the Call-ID of the leg before"},
	{"icid", "RFC 7315 §4.6", "the icid-value of P-Charging-Vector"},
	{"hep", "", "the correlation id (chunk 0x11) of a HEP packet, where it is not the Call-ID"},
	{"call-id-suffix", "", "the Call-ID without what a back-to-back user agent is known to append"},
	{"call-id", "RFC 3261 §20.8", "the leg's own Call-ID: the other legs are found by it where they name it"},
}

// String is the value of the field.
func (c Correlation) String() string {
	if c >= numCorrelations {
		return ""
	}
	return CorrelationWords[c].Word
}

// Anomalies is a set of labels of sip.anomalies: what on the wire does not comply.
type Anomalies uint64

// The closed list.
const (
	LFOnly Anomalies = 1 << iota
	JunkBefore
	StartLineSpace
	NoBranch
	NoFromTag
	ControlChar
	BytesAfterBody
	DisplayName
	SpaceInURI
	BodyTruncated
	HeaderTruncated
	NoMaxForwards
	NoContact
	NoToTag
	AckMissing
	CSeqBack
	ViaMismatch
	Unsolicited
	FromTagChanged
	CallIDChanged
	LateRefresh
	RegNoContact
	ContactRewritten
	SyntheticFinal
	FieldCut
	ContactBroken
	NoContentLength
	BadParam
	BadHeaderName
	URIHeaders
	BadDate
	CSeqLarge
	CallIDSpace
	NoSubscription
	NoRPort
	ViaTransport
	BadMaxForwards
	NoContentType
	RepeatedHeader
	ManyContacts
	BadSDP
	CSeqSame
	numAnomalies = iota
)

// AnomalyWord is a keyword of the closed list, where the rule stands, and what it means.
type AnomalyWord struct{ Word, RFC, Meaning string }

// AnomalyWords is in the order of the bits.
var AnomalyWords = [numAnomalies]AnomalyWord{
	{"lf-only", "RFC 3261 §7", "lines end with LF instead of CRLF"},
	{"junk-before", "RFC 3261 §7.5", "something stands before the start line"},
	{"start-line-space", "RFC 3261 §7.1", "extra white space in the start line"},
	{"no-branch", "RFC 3261 §8.1.1.7", "the top Via has no branch, or only the magic cookie"},
	{"no-from-tag", "RFC 3261 §8.1.1.3", "From has no tag"},
	{"control-char", "RFC 3261 §25.1", "control characters in the header section"},
	{"bytes-after-body", "RFC 3261 §18.3", "bytes behind the end that Content-Length gives"},
	{"display-name", "RFC 3261 §25.1", "a display name without quotes holds characters that need them"},
	{"space-in-uri", "RFC 3261 §25.1", "white space inside the brackets of a URI"},
	{"body-truncated", "RFC 3261 §18.3", "the body is shorter than Content-Length says (snap length, or a wrong header)"},
	{"truncated", "", "the capture's snap length cut the header section"},
	{"no-max-forwards", "RFC 3261 §8.1.1.6", "a request without Max-Forwards"},
	{"no-contact", "RFC 3261 §12.1", "an INVITE, or a 2xx to it, without Contact"},
	{"no-to-tag", "RFC 3261 §8.2.6.2, §12.2.1.1", "a final answer without To tag, or an ACK or a BYE of a call that has one"},
	{"ack-missing", "RFC 3261 §13.2.2.4", "no ACK of the 2xx was seen before the call ended, though something later of the caller was"},
	{"cseq-back", "RFC 3261 §12.2.1.1", "a request with a lower CSeq than the one before it"},
	{"via-mismatch", "RFC 3261 §17.1.3", "the top Via of an answer names no request, though tags and CSeq do"},
	{"unsolicited", "RFC 3261 §17.1.3", "an answer to nothing: from an address that was not asked, or with a CSeq that was not sent"},
	{"from-tag-changed", "RFC 3261 §22.2", "the From tag changed on the retry with credentials"},
	{"call-id-changed", "RFC 3261 §10.2.4", "the Call-ID changed over the refreshes of a binding"},
	{"late-refresh", "RFC 3261 §10.2.4", "a binding was refreshed after its lifetime, within reg_exp_delta"},
	{"reg-no-contact", "RFC 3261 §10.3", "a 2xx to REGISTER lists no contact"},
	{"contact-rewritten", "RFC 3261 §10.3", "the registrar answered with another contact than the one registered"},
	{"synthetic-final", "RFC 3261 §9.1", "the code was not seen on the caller's leg: the call was cancelled and nothing came"},
	{"field-cut", "", "a value was longer than this program keeps"},
	{"contact-broken", "RFC 3261 §20.10", "a Contact that cannot be read"},
	{"no-content-length", "RFC 3261 §20.14", "no Content-Length over TCP or TLS"},
	{"param", "RFC 3261 §25.1", "From, To or the top Via has an empty or malformed parameter"},
	{"header-name", "RFC 3261 §7.3.1", "a header name that is no token"},
	{"uri-headers", "RFC 3261 §19.1.1", "headers in the Request-URI"},
	{"date", "RFC 3261 §20.17", "a Date whose zone is not GMT"},
	{"cseq-large", "RFC 3261 §8.1.1.5", "a CSeq of 2^31 or more"},
	{"call-id-space", "RFC 3261 §20.8", "white space inside the Call-ID"},
	{"no-subscription", "RFC 6665 §4.1.3, §4.4.1", "a NOTIFY of no subscription: outside a dialog, or refused with 481 or 489 and none was seen"},
	{"no-rport", "RFC 3581 §3", "a request by UDP that came from another port than its Via says and does not ask for rport: the answer goes where nobody may listen"},
	{"via-transport", "RFC 3261 §18.1.1", "a request by another transport than its top Via says"},
	{"max-forwards", "RFC 3261 §20.22", "a Max-Forwards that is no number from 0 to 255"},
	{"no-content-type", "RFC 3261 §20.15", "a body without Content-Type"},
	{"repeated-header", "RFC 3261 §7.3.1", "a header that may come once came again"},
	{"many-contacts", "RFC 3261 §8.1.1.8, §12.1.1", "an INVITE, or a 2xx to it, with more than one Contact"},
	{"sdp", "RFC 8866 §5", "a body that is called a session description and does not begin like one"},
	{"cseq-same", "RFC 3261 §12.2.1.1, §22.2", "a request with the CSeq of the one before it: inside a call, or the retry with credentials"},
}
