package sip

import "bytes"

// Header is the identity of a header field name, whichever way it is written:
// long or compact, in any case (RFC 3261 §7.3.1, §7.3.3).
type Header uint8

// The header fields this program knows by name. Every other one is HeaderOther
// and is found by Message.Named.
const (
	HeaderOther Header = iota
	HeaderVia
	HeaderFrom
	HeaderTo
	HeaderCallID
	HeaderCSeq
	HeaderContact
	HeaderContentLength
	HeaderContentType
	HeaderMaxForwards
	HeaderExpires
	HeaderAuthorization
	HeaderProxyAuthorization
	HeaderWWWAuthenticate
	HeaderProxyAuthenticate
	HeaderReason
	HeaderRetryAfter
	HeaderSessionExpires
	HeaderPAssertedIdentity
	HeaderPPreferredIdentity
	HeaderRemotePartyID
	HeaderDiversion
	HeaderHistoryInfo
	HeaderPrivacy
	HeaderUserAgent
	HeaderServer
	HeaderEvent
	HeaderSubscriptionState
	HeaderReferTo
	HeaderReferredBy
	HeaderReplaces
	HeaderRequire
	HeaderProxyRequire
	HeaderSupported
	HeaderAllow
	HeaderAccept
	HeaderRoute
	HeaderRecordRoute
	HeaderRSeq
	HeaderRAck
	HeaderSessionID
	HeaderIdentity
	HeaderPChargingVector
	HeaderPriority
	HeaderDate
	HeaderWarning
	HeaderMinExpires
	HeaderMinSE
	HeaderContentEncoding
	HeaderSubject
	HeaderPath
	HeaderServiceRoute
	HeaderAuthenticationInfo
	HeaderAllowEvents
	HeaderAcceptContact
	HeaderRejectContact
	HeaderRequestDisposition
	HeaderIdentityInfo
	NumHeaders
)

// headerInfo is one row of the name table. list: commas separate values
// (RFC 3261 §7.3.1); the four authentication headers have commas inside one
// value and are no lists.
type headerInfo struct {
	name    string
	compact byte
	list    bool
}

// headers is the name table. Compact forms are those of the IANA registry of
// header fields; the five rows after Authentication-Info are there so that
// each of them has an identity.
var headers = [NumHeaders]headerInfo{
	HeaderVia:                {"Via", 'v', true},                 // RFC 3261 §20.42
	HeaderFrom:               {"From", 'f', false},               // §20.20
	HeaderTo:                 {"To", 't', false},                 // §20.39
	HeaderCallID:             {"Call-ID", 'i', false},            // §20.8
	HeaderCSeq:               {"CSeq", 0, false},                 // §20.16
	HeaderContact:            {"Contact", 'm', true},             // §20.10
	HeaderContentLength:      {"Content-Length", 'l', false},     // §20.14
	HeaderContentType:        {"Content-Type", 'c', false},       // §20.15
	HeaderMaxForwards:        {"Max-Forwards", 0, false},         // §20.22
	HeaderExpires:            {"Expires", 0, false},              // §20.19
	HeaderAuthorization:      {"Authorization", 0, false},        // §20.7
	HeaderProxyAuthorization: {"Proxy-Authorization", 0, false},  // §20.28
	HeaderWWWAuthenticate:    {"WWW-Authenticate", 0, false},     // §20.44
	HeaderProxyAuthenticate:  {"Proxy-Authenticate", 0, false},   // §20.27
	HeaderReason:             {"Reason", 0, true},                // RFC 3326 §2
	HeaderRetryAfter:         {"Retry-After", 0, false},          // RFC 3261 §20.33
	HeaderSessionExpires:     {"Session-Expires", 'x', false},    // RFC 4028 §4
	HeaderPAssertedIdentity:  {"P-Asserted-Identity", 0, true},   // RFC 3325 §9.1
	HeaderPPreferredIdentity: {"P-Preferred-Identity", 0, true},  // RFC 3325 §9.2
	HeaderRemotePartyID:      {"Remote-Party-ID", 0, true},       // draft-ietf-sip-privacy-04 §6
	HeaderDiversion:          {"Diversion", 0, true},             // RFC 5806 §4
	HeaderHistoryInfo:        {"History-Info", 0, true},          // RFC 7044 §5
	HeaderPrivacy:            {"Privacy", 0, false},              // RFC 3323 §4.2, semicolons
	HeaderUserAgent:          {"User-Agent", 0, false},           // RFC 3261 §20.41
	HeaderServer:             {"Server", 0, false},               // §20.35
	HeaderEvent:              {"Event", 'o', false},              // RFC 6665 §8.2.1
	HeaderSubscriptionState:  {"Subscription-State", 0, false},   // RFC 6665 §8.2.3
	HeaderReferTo:            {"Refer-To", 'r', false},           // RFC 3515 §2.1
	HeaderReferredBy:         {"Referred-By", 'b', false},        // RFC 3892 §3
	HeaderReplaces:           {"Replaces", 0, false},             // RFC 3891 §6.1
	HeaderRequire:            {"Require", 0, true},               // RFC 3261 §20.32
	HeaderProxyRequire:       {"Proxy-Require", 0, true},         // §20.29
	HeaderSupported:          {"Supported", 'k', true},           // §20.37
	HeaderAllow:              {"Allow", 0, true},                 // §20.5
	HeaderAccept:             {"Accept", 0, true},                // §20.1
	HeaderRoute:              {"Route", 0, true},                 // §20.34
	HeaderRecordRoute:        {"Record-Route", 0, true},          // §20.30
	HeaderRSeq:               {"RSeq", 0, false},                 // RFC 3262 §7.1
	HeaderRAck:               {"RAck", 0, false},                 // RFC 3262 §7.2
	HeaderSessionID:          {"Session-ID", 0, false},           // RFC 7989 §5
	HeaderIdentity:           {"Identity", 'y', false},           // RFC 8224 §4
	HeaderPChargingVector:    {"P-Charging-Vector", 0, false},    // RFC 7315 §4.6
	HeaderPriority:           {"Priority", 0, false},             // RFC 3261 §20.26
	HeaderDate:               {"Date", 0, false},                 // §20.17, a comma inside
	HeaderWarning:            {"Warning", 0, true},               // §20.43
	HeaderMinExpires:         {"Min-Expires", 0, false},          // §20.23
	HeaderMinSE:              {"Min-SE", 0, false},               // RFC 4028 §5
	HeaderContentEncoding:    {"Content-Encoding", 'e', true},    // RFC 3261 §20.12
	HeaderSubject:            {"Subject", 's', false},            // §20.36
	HeaderPath:               {"Path", 0, true},                  // RFC 3327 §4
	HeaderServiceRoute:       {"Service-Route", 0, true},         // RFC 3608 §5
	HeaderAuthenticationInfo: {"Authentication-Info", 0, false},  // RFC 3261 §20.6
	HeaderAllowEvents:        {"Allow-Events", 'u', true},        // RFC 6665 §8.2.2
	HeaderAcceptContact:      {"Accept-Contact", 'a', true},      // RFC 3841 §9.2
	HeaderRejectContact:      {"Reject-Contact", 'j', true},      // RFC 3841 §9.2
	HeaderRequestDisposition: {"Request-Disposition", 'd', true}, // RFC 3841 §9.1
	HeaderIdentityInfo:       {"Identity-Info", 'n', false},      // RFC 4474 §9
}

// String gives the long name as the RFC writes it; "other" for HeaderOther.
func (h Header) String() string {
	if h == HeaderOther || h >= NumHeaders {
		return "other"
	}
	return headers[h].name
}

// nameIndex finds a row of headers by name: compact by letter, long by a hash
// with open addressing. It is derived from the table when the program starts
// and never written again.
type nameIndex struct {
	letter [256]Header
	slot   [256]Header
}

var names = indexNames()

func indexNames() (x nameIndex) {
	for h := HeaderOther + 1; h < NumHeaders; h++ {
		if c := headers[h].compact; c != 0 {
			x.letter[c], x.letter[c-'a'+'A'] = h, h
		}
		i := nameSlot([]byte(headers[h].name))
		for x.slot[i] != HeaderOther {
			i++
		}
		x.slot[i] = h
	}
	return x
}

// nameSlot hashes a name of two bytes or more by its length and three of its
// letters, so that upper and lower case meet.
func nameSlot(b []byte) uint8 {
	n := len(b)
	return uint8(n)*7 ^ (b[0]|0x20)*5 ^ (b[n-1]|0x20)*29 ^ (b[n/2]|0x20)*3
}

// ParseHeader tells which header a name is, long or compact, in any case; HeaderOther
// when the table has none. It borrows name.
func ParseHeader(name []byte) Header { return headerOf(name) }

// headerOf tells which header a written name is.
func headerOf(name []byte) Header {
	if len(name) < 2 {
		if len(name) == 0 {
			return HeaderOther
		}
		return names.letter[name[0]]
	}
	for i := nameSlot(name); ; i++ {
		h := names.slot[i]
		if h == HeaderOther {
			return h
		}
		if s := headers[h].name; string(name) == s || equalFold(name, s) {
			return h
		}
	}
}

// Lines walks the header lines of one name in the order of the message. It
// borrows from the message and is good until its next Parse.
type Lines struct {
	m    *Message
	name []byte
	next int
	id   Header
}

// Next gives the next line's value without the white space around it, folding
// left in place (RFC 3261 §7.3.1). The value borrows the message's bytes.
func (l *Lines) Next() ([]byte, bool) {
	if l.m == nil {
		return nil, false
	}
	for l.next < len(l.m.lines) {
		x := &l.m.lines[l.next]
		l.next++
		if x.id == l.id && (l.name == nil || equalFoldBytes(x.name.of(l.m.raw), l.name)) {
			return x.value.of(l.m.raw), true
		}
	}
	return nil, false
}

// Values walks the values of one name over all its lines. Where the grammar
// makes the header a list, commas separate them (RFC 3261 §7.3.1), except in
// quotes and angle brackets, and empty elements are passed over; other headers
// have one value a line. It borrows from the message until its next Parse.
type Values struct {
	lines Lines
	rest  []byte
	list  bool
}

// Next gives the next value without the white space around it. The value
// borrows the message's bytes.
func (v *Values) Next() ([]byte, bool) {
	for {
		for len(v.rest) > 0 {
			end := len(v.rest)
			if bytes.IndexByte(v.rest, ',') >= 0 {
				end = valueEnd(v.rest, 0)
			}
			value := trim(v.rest[:end:end])
			v.rest = v.rest[min(end+1, len(v.rest)):]
			if len(value) > 0 {
				return value, true
			}
		}
		line, ok := v.lines.Next()
		if !ok || !v.list {
			return line, ok
		}
		v.rest = line
	}
}

// valueEnd finds the comma that ends the list element at b[i:], else the end.
// An open quote or angle bracket runs to the end of the line: where the
// element ends is then anybody's guess, and one broken value is better than
// many wrong ones.
func valueEnd(b []byte, i int) int {
	for i < len(b) {
		switch b[i] {
		case ',':
			return i
		case '"':
			end := quoteEnd(b, i)
			if end < 0 {
				return len(b)
			}
			i = end
			continue
		case '<':
			end := indexByte(b, i, '>')
			if end < 0 {
				return len(b)
			}
			i = end
		}
		i++
	}
	return len(b)
}
