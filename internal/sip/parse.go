package sip

import "bytes"

// Parse reads one message. It borrows raw until the next Parse. cut says that
// the capture's snap length removed bytes at the end.
//
// The first problem, in the order of the bytes, is returned; missing headers
// come last. Parsing goes on behind it as well as it can, so that a record can
// be made of a message that cannot be used. Of a header section without its
// end the last line is not judged, and where the snap length cut it, it is not
// even kept: half a Call-ID is another call's.
func (m *Message) Parse(raw []byte, cut bool) Problem {
	m.reset(raw, cut)
	b := m.raw
	start := skipBefore(b)
	for _, c := range b[:start] {
		if c != '\r' && c != '\n' {
			m.odd |= OddJunkBefore
		}
	}
	end, next := m.lineEnd(start)
	if m.startLine(start, end) != OK {
		if at := resync(b, start); at >= 0 {
			m.restart()
			m.odd |= OddJunkBefore
			start = at
			end, next = m.lineEnd(start)
			m.startLine(start, end)
		}
	}
	m.body = mark(len(b), len(b))
	if next < 0 {
		if cut && m.problem != OK {
			m.halfStartLine()
		}
		m.unfinished()
	} else {
		m.headerSection(next)
	}
	m.start = start
	m.complete()
	return m.problem
}

// reset forgets the last message and keeps the grown index.
func (m *Message) reset(raw []byte, cut bool) {
	if len(raw) > maxMessage {
		raw, cut = raw[:maxMessage], true
	}
	m.raw, m.cut = raw, cut
	m.lines = m.lines[:0]
	clear(m.first[:])
	m.restart()
	m.hasLength, m.judged, m.ended, m.seen = false, false, false, 0
	m.length = 0
	m.callID, m.body, m.cseq = span{}, span{}, cseq{}
	m.via.b = nil
}

// restart forgets the start line.
func (m *Message) restart() {
	m.method, m.isRequest, m.status = MethodOther, false, 0
	m.problem, m.problemHeader, m.odd = OK, HeaderOther, 0
	m.methodName, m.reason, m.uri = span{}, span{}, URI{}
}

// halfStartLine takes back what the other half of a cut start line could
// contradict; the method stays.
func (m *Message) halfStartLine() {
	m.problem, m.uri = OK, URI{}
	m.odd &= OddJunkBefore
}

// blame notes a problem; the first counts.
func (m *Message) blame(p Problem, h Header) {
	if m.problem == OK {
		m.problem, m.problemHeader = p, h
	}
}

// unfinished notes that the header section has no end.
func (m *Message) unfinished() {
	if m.cut {
		m.blame(Truncated, HeaderOther)
	} else {
		m.blame(NoEnd, HeaderOther)
	}
}

// lineEnd finds the end of the line that starts at i: the offset of its CRLF
// or LF, and of the next line, which is -1 when the bytes end first. A bare CR
// ends no line (RFC 3261 §7).
func (m *Message) lineEnd(i int) (end, next int) {
	lf := bytes.IndexByte(m.raw[i:], '\n')
	if lf < 0 {
		end = len(m.raw)
		if end > i && m.raw[end-1] == '\r' {
			end-- // half a line end
		}
		return end, -1
	}
	end = i + lf
	if lf > 0 && m.raw[end-1] == '\r' {
		return end - 1, end + 1
	}
	m.odd |= OddLFOnly
	return end, end + 1
}

// headerSection reads header lines from p up to the empty line, RFC 3261 §7.3.
func (m *Message) headerSection(p int) {
	b := m.raw
	for p < len(b) {
		switch {
		case b[p] == '\n':
			m.odd |= OddLFOnly
			m.ended, m.body = true, mark(p+1, len(b))
			return
		case b[p] == '\r' && p+1 < len(b) && b[p+1] == '\n':
			m.ended, m.body = true, mark(p+2, len(b))
			return
		case b[p] == ' ' || b[p] == '\t':
			// Only the start line can be before it: the loop below takes the
			// folded lines of every header.
			m.blame(NoName, HeaderOther)
		}
		end, next := m.lineEnd(p)
		for next >= 0 && next < len(b) && (b[next] == ' ' || b[next] == '\t') {
			end, next = m.lineEnd(next)
		}
		if next < 0 {
			m.unfinished()
			if !m.cut {
				m.headerLine(p, end)
			}
			break
		}
		m.headerLine(p, end)
		p = next
	}
	m.unfinished()
}

// headerLine splits name and value, indexes the line and hands it to its
// judge.
func (m *Message) headerLine(p, end int) {
	b := m.raw[p:end]
	colon := bytes.IndexByte(b, ':')
	if colon < 0 {
		m.blame(NoColon, HeaderOther)
		return
	}
	n := colon
	for n > 0 && (b[n-1] == ' ' || b[n-1] == '\t') {
		n--
	}
	if n == 0 {
		m.blame(NoName, HeaderOther)
		return
	}
	id := headerOf(b[:n])
	v := colon + 1
	for v < len(b) && isLWS(b[v]) {
		v++
	}
	e := len(b)
	for e > v && isLWS(b[e-1]) {
		e--
	}
	if id == HeaderOther && !isToken(b[:n]) {
		m.odd |= OddHeaderName
	}
	value := mark(p+v, p+e)
	if len(m.lines) < maxLines {
		m.lines = append(m.lines, line{mark(p, p+n), value, id})
		if m.first[id] == 0 {
			m.first[id] = uint16(len(m.lines))
		}
	}
	if id <= HeaderContentLength && id != HeaderOther {
		m.judge(id, value)
	}
}

// judge looks at the headers without which a message is of no use.
func (m *Message) judge(id Header, value span) {
	b := value.of(m.raw)
	switch id {
	case HeaderVia:
		if m.via.b == nil {
			m.topVia(b)
		}
	case HeaderFrom:
		if m.once(id, b) {
			m.address(&m.from, id, b)
			if len(m.from.Tag()) == 0 {
				m.odd |= OddNoFromTag
			}
		}
	case HeaderTo:
		if m.once(id, b) {
			m.address(&m.to, id, b)
		}
	case HeaderCallID:
		if m.once(id, b) {
			m.callID = value
		}
	case HeaderCSeq:
		if m.once(id, b) {
			m.sequence(b, int(value.off))
		}
	case HeaderContact:
		if m.method == MethodRegister && bytes.IndexByte(b, '?') >= 0 {
			m.registerContacts(b)
		}
	case HeaderContentLength:
		m.contentLength(b)
	}
}

// inOnce are the headers that must come once and only once.
const inOnce = 1<<HeaderFrom | 1<<HeaderTo | 1<<HeaderCallID | 1<<HeaderCSeq

// once tells whether this is the first line of such a header (RFC 4475
// §3.3.8).
func (m *Message) once(id Header, b []byte) bool {
	bit := uint8(1) << id
	if m.seen&bit != 0 {
		m.blame(RepeatedHeader, id)
		return false
	}
	m.seen |= bit
	if len(b) == 0 {
		m.blame(EmptyHeader, id)
	}
	return true
}

func (m *Message) address(a *Addr, id Header, b []byte) {
	if why := a.parse(b); why != OK {
		m.blame(why, id)
	}
	m.odd |= a.odd
}

func (m *Message) topVia(b []byte) {
	if len(b) == 0 {
		m.blame(EmptyHeader, HeaderVia)
	}
	if bytes.IndexByte(b, ',') >= 0 {
		b = trim(b[:valueEnd(b, 0)])
	}
	if !m.via.Parse(b) {
		m.blame(BrokenHeader, HeaderVia)
	}
	m.odd |= m.via.odd
	if branch := m.via.Branch(); len(branch) == 0 || equalFold(branch, "z9hG4bK") {
		m.odd |= OddNoBranch
	}
}

// registerContacts refuses a URI that has headers and no angle brackets: does
// what follows the question mark belong to the URI or to the Contact?
func (m *Message) registerContacts(b []byte) {
	for i := 0; i < len(b); {
		end := valueEnd(b, i)
		if value := b[i:end]; bytes.IndexByte(value, '?') >= 0 {
			var a Addr
			a.Parse(trim(value))
			if a.bare && a.uri.headers.len > 0 {
				m.blame(AmbiguousContact, HeaderContact)
				return
			}
		}
		i = end + 1
	}
}

func (m *Message) contentLength(b []byte) {
	n, digits := decimal(b, maxMessage)
	if digits == 0 || digits != len(b) {
		m.blame(LengthNotNumber, HeaderContentLength)
		return
	}
	if m.hasLength && m.length != int(n) {
		m.blame(LengthConflict, HeaderContentLength)
		return
	}
	m.length, m.hasLength = int(n), true
}

// complete judges the message as a whole: what is missing, where the body
// ends.
func (m *Message) complete() {
	if m.seen != inOnce || m.via.b == nil {
		m.missing()
	}
	if m.hasLength && m.length < int(m.body.len) {
		m.body.len = uint32(m.length)
		m.odd |= OddContentLengthShort
	}
}

// missing blames what is not there and clears what Parse left of the last
// message.
func (m *Message) missing() {
	for _, id := range [...]Header{HeaderFrom, HeaderTo, HeaderCallID, HeaderCSeq} {
		if m.seen&(1<<id) == 0 {
			m.blame(MissingHeader, id)
		}
	}
	if m.seen&(1<<HeaderFrom) == 0 {
		m.from = Addr{}
	}
	if m.seen&(1<<HeaderTo) == 0 {
		m.to = Addr{}
	}
	if m.via.b == nil {
		m.via = Via{}
		m.blame(MissingHeader, HeaderVia)
	}
}

// lateOddities are those whose check would cost every message something and
// that few callers ask for.
func (m *Message) lateOddities() (odd Oddity) {
	header := m.raw[m.start:m.body.off]
	if m.odd&OddLFOnly == 0 && hasControls(header) || m.odd&OddLFOnly != 0 && hasControlsSlow(header) {
		odd |= OddControlChar
	}
	if hasLWS(m.CallID()) {
		odd |= OddCallID
	}
	if m.ended && m.isRequest && !m.Has(HeaderMaxForwards) {
		odd |= OddNoMaxForwards
	}
	if t := m.via.Transport(); m.ended && !m.hasLength && (equalFold(t, "TCP") || equalFold(t, "TLS")) {
		odd |= OddNoContentLength
	}
	if date := m.Value(HeaderDate); date != nil {
		if n := len(date); n < 3 || !equalFold(date[n-3:], "GMT") {
			odd |= OddDate
		}
	}
	return odd
}
