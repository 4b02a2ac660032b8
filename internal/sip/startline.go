package sip

import "bytes"

// Method is a request method. Methods are case-sensitive (RFC 3261 §7.1):
// "invite" is MethodOther.
type Method uint8

// The methods of RFC 3261 and its extensions.
const (
	MethodOther Method = iota
	MethodInvite
	MethodAck
	MethodBye
	MethodCancel
	MethodOptions
	MethodRegister
	MethodPrack     // RFC 3262
	MethodSubscribe // RFC 6665
	MethodNotify    // RFC 6665
	MethodPublish   // RFC 3903
	MethodInfo      // RFC 6086
	MethodRefer     // RFC 3515
	MethodMessage   // RFC 3428
	MethodUpdate    // RFC 3311
	NumMethods
)

var methods = [NumMethods]string{
	"other", "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "PRACK", "SUBSCRIBE",
	"NOTIFY", "PUBLISH", "INFO", "REFER", "MESSAGE", "UPDATE",
}

// String gives the method as on the wire, "other" for MethodOther.
func (m Method) String() string {
	if m >= NumMethods {
		return "other"
	}
	return methods[m]
}

// ParseMethod tells which method a token is. It borrows b during the call.
func ParseMethod(b []byte) Method {
	switch string(b) {
	case "INVITE":
		return MethodInvite
	case "ACK":
		return MethodAck
	case "BYE":
		return MethodBye
	case "CANCEL":
		return MethodCancel
	case "OPTIONS":
		return MethodOptions
	case "REGISTER":
		return MethodRegister
	case "PRACK":
		return MethodPrack
	case "SUBSCRIBE":
		return MethodSubscribe
	case "NOTIFY":
		return MethodNotify
	case "PUBLISH":
		return MethodPublish
	case "INFO":
		return MethodInfo
	case "REFER":
		return MethodRefer
	case "MESSAGE":
		return MethodMessage
	case "UPDATE":
		return MethodUpdate
	}
	return MethodOther
}

// Bounds of the search for a start line behind junk: it costs a datagram that
// is no SIP at all this much and no more.
const (
	resyncBytes = 1024
	resyncLines = 4
)

// skipBefore passes over what may stand before a start line: CRLF (RFC 3261
// §7.5) and, from devices that keep a binding alive with them, NUL and blanks.
func skipBefore(b []byte) int {
	i := 0
	for i < len(b) && isFill(b[i]) {
		i++
	}
	return i
}

func isFill(c byte) bool {
	return c == '\r' || c == '\n' || c == 0 || c == ' ' || c == '\t'
}

// resync finds the start line among the few lines behind the one at start,
// which is none. -1 where there is none.
func resync(b []byte, start int) int {
	at := start
	for range resyncLines {
		lf := indexByte(b, at, '\n')
		if lf < 0 || lf+1-start >= resyncBytes {
			return -1
		}
		at = lf + 1
		if isStrictStart(firstLine(b[at:])) {
			return at
		}
	}
	return -1
}

// firstLine is the line at the start of b without its line end.
func firstLine(b []byte) []byte {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		b = b[:i]
	}
	if n := len(b); n > 0 && b[n-1] == '\r' {
		b = b[:n-1]
	}
	return b
}

// startLine reads the start line at raw[from:to] and blames it where it is
// broken. The SIP-Version is compared without case (RFC 3261 §7.1).
func (m *Message) startLine(from, to int) Problem {
	b := m.raw[from:to]
	n := len(b)
	for n > 0 && isLWS(b[n-1]) {
		n--
	}
	if len(b) >= 4 && isSIPSlash(b) {
		m.statusLine(b, from)
	} else {
		if n < len(b) {
			m.odd |= OddStartLineSpace
		}
		m.requestLine(b[:n], from)
	}
	return m.problem
}

// isSIPSlash tells whether b begins with "SIP/".
func isSIPSlash(b []byte) bool {
	return len(b) >= 4 && b[0]|0x20 == 's' && b[1]|0x20 == 'i' && b[2]|0x20 == 'p' && b[3] == '/'
}

// isVersion2 tells whether a word that isSIPSlash is SIP/2.0.
func isVersion2(word []byte) bool { return string(word[4:]) == "2.0" }

// statusLine reads SIP-Version SP Status-Code SP Reason-Phrase (RFC 3261
// §7.2). A missing space after the code is tolerated where no reason follows.
func (m *Message) statusLine(b []byte, from int) {
	i := wordEnd(b, 0)
	if !isVersion2(b[:i]) {
		m.blame(BadVersion, HeaderOther)
	}
	code := skipLWS(b, i)
	n, digits := decimal(b[code:], 1<<16-1)
	end := code + digits
	if digits == 0 || end < len(b) && !isLWS(b[end]) {
		m.blame(BadStatus, HeaderOther)
		return
	}
	if n < 100 || n > 699 {
		m.blame(StatusRange, HeaderOther)
		return
	}
	if digits != 3 {
		m.blame(BadStatus, HeaderOther)
	}
	m.status = uint16(n)
	if code != i+1 || b[i] != ' ' || end == len(b) || b[end] != ' ' {
		m.odd |= OddStartLineSpace
	}
	reason := min(end+1, len(b))
	stop := len(b)
	for stop > reason && isLWS(b[stop-1]) {
		stop--
	}
	m.reason = mark(from+reason, from+stop)
}

// requestLine reads Method SP Request-URI SP SIP-Version (RFC 3261 §7.1). More
// white space between the three is tolerated (RFC 4475 §3.1.2.9), inside the
// URI it is not: where would the URI end?
func (m *Message) requestLine(b []byte, from int) {
	i := wordEnd(b, 0)
	if i == 0 || i == len(b) {
		m.blame(BadStartLine, HeaderOther)
		return
	}
	m.isRequest = true
	m.methodName = mark(from, from+i)
	m.method = ParseMethod(b[:i])
	if m.method == MethodOther && !isToken(b[:i]) {
		m.blame(BadMethod, HeaderOther)
	}
	// Nearly every request line ends like this and has no other space.
	const tail = " SIP/2.0"
	if end := len(b) - len(tail); end > i+1 && b[i] == ' ' && string(b[end:]) == tail && !isLWS(b[i+1]) && !isLWS(b[end-1]) {
		m.requestURI(b[i+1 : end : end])
		return
	}
	version := len(b)
	for version > i && !isLWS(b[version-1]) {
		version--
	}
	if !isSIPSlash(b[version:]) {
		// Best effort: one word behind the method is its URI.
		if version == i+1 {
			m.blame(NoVersion, HeaderOther)
			m.requestURI(b[version:len(b):len(b)])
			return
		}
		m.blame(BadStartLine, HeaderOther)
		return
	}
	if !isVersion2(b[version:]) {
		m.blame(BadVersion, HeaderOther)
	}
	u, e := skipLWS(b, i), version
	for e > u && isLWS(b[e-1]) {
		e--
	}
	if u != i+1 || e != version-1 || b[i] != ' ' || b[e] != ' ' {
		m.odd |= OddStartLineSpace
	}
	m.requestURI(b[min(u, e):e:e])
}

func (m *Message) requestURI(b []byte) {
	ok := m.uri.Parse(b)
	switch {
	case len(b) > 0 && b[0] == '<':
		m.blame(BracketsAroundURI, HeaderOther)
	case m.uri.space || !ok && hasLWS(b):
		m.blame(SpaceInRequestURI, HeaderOther)
	case !ok:
		m.blame(BadRequestURI, HeaderOther)
	}
	if m.uri.headers.len > 0 {
		m.odd |= OddURIHeaders
	}
}

// wordEnd is the end of the word at b[i:].
func wordEnd(b []byte, i int) int {
	for i < len(b) && !isLWS(b[i]) {
		i++
	}
	return i
}
