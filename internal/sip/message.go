// Package sip turns the bytes of one SIP message into its parts: start line,
// headers, URIs, Via, name-addr, credentials, SDP (RFC 3261 §7, §19, §20, §25;
// RFC 8866).
//
// It reads one whole message at a time. It does not frame a stream, join
// fragments, keep state between messages, decide what a message means, do any
// I/O or know the time. It judges only what makes a message unusable
// (Problem); what does not comply but can be used is noted (Oddity), and the
// grammar of headers that nobody relies on is not checked at all.
//
// Bytes belong to the caller. Parse borrows its argument: the value holds
// offsets into it, every []byte a getter returns borrows the same bytes, and
// both are good until the next Parse of that value or until the owner reuses
// the bytes, whichever is first. Functions that begin with Append copy to the
// slice they are given. Nothing in this package owns packet bytes, and nothing
// on the packet path allocates once a Message has grown to its traffic.
package sip

import "math"

// span is a place in the bytes that the value holding it borrows. No message
// comes near 4 GiB: see maxMessage.
type span struct{ off, len uint32 }

func mark(from, to int) span { return span{uint32(from), uint32(to - from)} }

// of gives the bytes, without capacity beyond them, so that an append by the
// caller can not write into the frame.
func (s span) of(b []byte) []byte {
	end := s.off + s.len
	return b[s.off:end:end]
}

// line is one header field with its folded lines, RFC 3261 §7.3.1. The value
// is without the white space around it.
type line struct {
	name, value span
	id          Header
}

// Message is one parsed SIP message. It is made to be reused: a lane has one
// and calls Parse on it for each message. The zero value is an empty message.
type Message struct {
	raw   []byte
	lines []line
	first [NumHeaders]uint16 // of each name, its first index in lines plus one

	method        Method
	problem       Problem
	problemHeader Header
	isRequest     bool
	cut           bool
	judged        bool // the oddities that Parse leaves to Oddities are in odd
	hasLength     bool
	ended         bool  // the header section has its empty line
	seen          uint8 // which headers of inOnce
	status        uint16
	odd           Oddity
	start         int  // of the start line
	methodName    span // of the request line
	reason        span
	callID        span
	body          span
	length        int
	cseq          cseq
	uri           URI
	from, to      Addr
	via           Via
}

const (
	// maxMessage keeps every offset in 31 bits, so that spans and int agree
	// on 32-bit machines too. What is beyond it is not looked at.
	maxMessage = math.MaxInt32
	// maxLines bounds the header index (655 kB); a UDP datagram holds 21,844
	// lines at most. Lines beyond it are judged, but not indexed.
	maxLines = 1 << 15
)

// Problem is what the last Parse returned.
func (m *Message) Problem() Problem { return m.problem }

// ProblemHeader is the header to blame; HeaderOther when it is the start line,
// the header section as a whole or a line without name.
func (m *Message) ProblemHeader() Header { return m.problemHeader }

// AppendProblem copies a sentence for operators to dst and returns the longer
// slice: the header and the reason, such as "CSeq: number is 2^32 or more".
// It holds no bytes of the message.
func (m *Message) AppendProblem(dst []byte) []byte {
	return appendProblem(dst, m.problem, m.problemHeader)
}

// Raw borrows all bytes that Parse was given.
func (m *Message) Raw() []byte { return m.raw }

// IsRequest tells a request from a response (RFC 3261 §7.1, §7.2). False too
// for a start line that is neither.
func (m *Message) IsRequest() bool { return m.isRequest }

// Method is that of the request line or, for a response, of CSeq
// (RFC 3261 §8.2.6.2).
func (m *Message) Method() Method {
	if m.isRequest {
		return m.method
	}
	return m.cseq.id
}

// MethodName is Method as written, for those that are MethodOther. It borrows.
func (m *Message) MethodName() []byte {
	if m.isRequest {
		return m.methodName.of(m.raw)
	}
	return m.cseq.method.of(m.raw)
}

// Status is the status code of a response, 0 for a request (RFC 3261 §7.2).
func (m *Message) Status() int { return int(m.status) }

// ReasonPhrase borrows a response's reason phrase, which may be empty and is
// UTF-8 at its sender's word only (RFC 3261 §7.2).
func (m *Message) ReasonPhrase() []byte { return m.reason.of(m.raw) }

// RequestURI is the parsed Request-URI, empty for a response. It borrows and
// is good until the next Parse.
func (m *Message) RequestURI() *URI { return &m.uri }

// CallID borrows the Call-ID, compared byte by byte (RFC 3261 §20.8).
func (m *Message) CallID() []byte { return m.callID.of(m.raw) }

// From is the parsed From (RFC 3261 §20.20). It borrows and is good until the
// next Parse.
func (m *Message) From() *Addr { return &m.from }

// To is the parsed To (RFC 3261 §20.39). It borrows and is good until the next
// Parse.
func (m *Message) To() *Addr { return &m.to }

// CSeq is number and method as written (RFC 3261 §20.16). The method borrows.
func (m *Message) CSeq() (number uint32, method []byte) {
	return m.cseq.number, m.cseq.method.of(m.raw)
}

// Via is the topmost Via value, parsed (RFC 3261 §20.42). It borrows and is
// good until the next Parse.
func (m *Message) Via() *Via { return &m.via }

// ViaCount counts the values of all Via lines: how many hops the request has
// passed (RFC 3261 §16.6 step 8).
func (m *Message) ViaCount() int {
	n := 0
	values := m.Values(HeaderVia)
	for _, ok := values.Next(); ok; _, ok = values.Next() {
		n++
	}
	return n
}

// Has tells whether there is a line of this name.
func (m *Message) Has(h Header) bool { return h < NumHeaders && m.first[h] != 0 }

// Value borrows the value of the first line of this name, without the white
// space around it, folding left in place; nil when there is none.
func (m *Message) Value(h Header) []byte {
	if !m.Has(h) {
		return nil
	}
	return m.lines[m.first[h]-1].value.of(m.raw)
}

// Lines walks every line of one name. It borrows until the next Parse.
func (m *Message) Lines(h Header) Lines {
	if !m.Has(h) {
		return Lines{}
	}
	return Lines{m: m, id: h, next: int(m.first[h]) - 1}
}

// Values walks the comma-separated values over all lines of one name
// (RFC 3261 §7.3.1). It borrows until the next Parse.
func (m *Message) Values(h Header) Values {
	return Values{lines: m.Lines(h), list: h < NumHeaders && headers[h].list}
}

// Named walks the lines of a name in any case. A name of the table, long or
// compact, finds the lines in both forms (RFC 3261 §7.3.3). It borrows the
// name too, while the walk lasts.
func (m *Message) Named(name []byte) Lines {
	h := headerOf(name)
	lines := m.Lines(h)
	if h == HeaderOther {
		lines.name = name
	}
	return lines
}

// NumHeaders is how many header lines are indexed, folded ones counted once.
func (m *Message) NumHeaders() int { return len(m.lines) }

// HeaderAt gives the i-th header line: its identity, its name as written, its
// value without the white space around it. Both slices borrow.
func (m *Message) HeaderAt(i int) (id Header, name, value []byte) {
	x := &m.lines[i]
	return x.id, x.name.of(m.raw), x.value.of(m.raw)
}

// Body borrows the body, cut to Content-Length when that is shorter
// (RFC 3261 §18.3). Without Content-Length it is all that is left.
func (m *Message) Body() []byte { return m.body.of(m.raw) }

// BodyCut tells that the body is not whole: Content-Length is beyond the bytes
// there are, or the snap length cut a message that has none.
func (m *Message) BodyCut() bool {
	if m.hasLength {
		return m.length > int(m.body.len)
	}
	return m.cut
}

// ContentLength is the first Content-Length that is a number, and whether
// there is one (RFC 3261 §20.14). Beyond 2^31-1 it is 2^31-1.
func (m *Message) ContentLength() (int, bool) { return m.length, m.hasLength }

// Oddities is what does not comply in the message. The rarer checks are made
// at the first call after a Parse.
func (m *Message) Oddities() Oddity {
	if !m.judged {
		m.judged = true
		m.odd |= m.lateOddities()
	}
	return m.odd
}
