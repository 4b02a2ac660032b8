package stream

import (
	"bytes"

	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// search looks for the next start line. It reports whether to go on.
func (a *Assembler) search(d []byte) bool {
	h := a.half
	switch {
	case h.proto == protoWebSocket:
		return a.searchFrame(d)
	case h.proto == protoHEP:
		return a.searchHEP(d)
	case h.line > 0:
		return a.confirm(d)
	case !h.atLine:
		lf := bytes.IndexByte(d, '\n')
		if lf < 0 {
			a.pass(len(d), &a.stats.Skipped)
			return true
		}
		h.atLine = true
		a.pass(lf+1, &a.stats.Skipped)
		return true
	}
	for at, from := 0, int(h.scanned); ; {
		lf := bytes.IndexByte(d[from:], '\n')
		if lf < 0 {
			return a.tail(d, at)
		}
		end := from + lf + 1
		if isToken(d[at]) && end-at <= a.startLine && sip.StartsStrict(d[at:end]) && (at > 0 || !h.atGap || isKnown(d)) {
			h.line, h.scanned = int32(end-at), int32(end-at)
			a.pass(at, &a.stats.Skipped)
			return true
		}
		at, from = end, end
	}
}

// isKnown tells whether a start line that need not begin a line is whole: what is
// left of INVITE without its first letter is a method too, but one that nobody uses.
func isKnown(line []byte) bool {
	word, _, _ := bytes.Cut(line, []byte{' '})
	return sip.ParseMethod(word) != sip.MethodOther || bytes.HasPrefix(word, []byte("SIP/"))
}

// tail keeps the last line of d, which has no end yet and starts at at, if it may
// become a start line.
func (a *Assembler) tail(d []byte, at int) bool {
	h := a.half
	switch n := len(d) - at; {
	case n == 0 || n > a.startLine || !isToken(d[at]):
		h.atLine, h.atGap, h.scanned = n == 0, false, 0
		a.pass(len(d), &a.stats.Skipped)
		return true
	case at > 0:
		h.atGap, h.scanned = false, int32(n)
		a.pass(at, &a.stats.Skipped)
		return true
	}
	h.scanned = int32(len(d))
	return a.more(0)
}

// confirm reads the line behind a start line that was found: a header line makes
// it one.
func (a *Assembler) confirm(d []byte) bool {
	h := a.half
	const longestName = 64
	n := int(h.line)
	for n < len(d) && isToken(d[n]) && n-int(h.line) <= longestName {
		n++
	}
	named := n > int(h.line)
	for n < len(d) && (d[n] == ' ' || d[n] == '\t') && n-int(h.line) <= 2*longestName {
		n++
	}
	switch {
	case n == len(d):
		return a.more(0)
	case named && d[n] == ':':
		h.headerFrom(int(h.line))
		a.conn.sip = true
		return true
	}
	n = int(h.line)
	h.line, h.scanned, h.atGap = 0, 0, false
	a.pass(n, &a.stats.Skipped)
	return true
}
