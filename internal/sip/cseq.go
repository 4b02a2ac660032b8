package sip

// cseq is what CSeq says; the span is in the message.
type cseq struct {
	number uint32
	method span
	id     Method
}

// sequence reads CSeq: 1*DIGIT LWS Method (RFC 3261 §20.16), which lies at raw
// offset off, and holds the method against the request line (§8.1.1.5).
func (m *Message) sequence(b []byte, off int) {
	n, digits := decimal(b, 1<<32)
	method := skipLWS(b, digits)
	end := wordEnd(b, method)
	m.cseq.method = mark(off+method, off+end)
	m.cseq.id = ParseMethod(b[method:end])
	switch {
	case digits == 0:
		m.blame(CSeqNotNumber, HeaderCSeq)
		return
	case n == 1<<32:
		m.blame(CSeqTooLarge, HeaderCSeq)
		return
	}
	m.cseq.number = uint32(n)
	if n >= 1<<31 {
		m.odd |= OddCSeqLarge
	}
	switch {
	case method == digits || method == end || end < len(b):
		m.blame(BrokenHeader, HeaderCSeq)
	case m.isRequest && string(b[method:end]) != string(m.methodName.of(m.raw)):
		m.blame(CSeqMethod, HeaderCSeq)
	case m.cseq.id == MethodOther && !isToken(b[method:end]):
		m.blame(BrokenHeader, HeaderCSeq)
	}
}

// decimal reads the digits at the start of b: their value, at most limit, and
// how many they are. It never overflows: limit is 2^32 at most.
func decimal(b []byte, limit uint64) (n uint64, digits int) {
	for digits < len(b) && isDigit(b[digits]) {
		n = min(n*10+uint64(b[digits]-'0'), limit)
		digits++
	}
	return n, digits
}

// Seconds reads delta-seconds (RFC 3261 §20.19, §25.1) as Expires,
// Session-Expires, Min-SE and Retry-After have them: parameters and comments
// behind the number are left out of account, and what is above 2^32-1 is
// 2^32-1. It borrows b during the call.
func Seconds(b []byte) (uint32, bool) {
	i := skipLWS(b, 0)
	n, digits := decimal(b[i:], 1<<32-1)
	i += digits
	if digits == 0 || i < len(b) && !isLWS(b[i]) && b[i] != ';' && b[i] != '(' && b[i] != ',' {
		return 0, false
	}
	return uint32(n), true
}
