package stream

import "bytes"

// Reading lines of a header section.

// sectionEnd reads lines up to the empty one and returns the offset behind it, 0
// while it is not there. It takes up where it stopped.
func (m *message) sectionEnd(d []byte) int {
	line, at := int(m.line), int(m.scanned)
	for {
		lf := bytes.IndexByte(d[at:], '\n')
		if lf < 0 {
			m.line, m.scanned = int32(line), int32(len(d))
			return 0
		}
		at += lf + 1
		c := d[line]
		if c != ' ' && c != '\t' { // else the line before goes on (RFC 3261 §7.3.1)
			if m.value != 0 {
				m.takeLength(d[m.value:line])
			}
			if c == '\n' || c == '\r' && at-line == 2 {
				return at
			}
			if c |= 0x20; c == 'c' || c == 'l' {
				if n := contentLength(d[line:at]); n > 0 {
					m.value = int32(line + n)
				}
			}
		}
		line = at
	}
}

// contentLength is where the value of a Content-Length line starts, 0 for other
// lines.
func contentLength(line []byte) int {
	const name = "content-length"
	n := 1 // the compact form
	if line[0]|0x20 == 'c' {
		if n = len(name); len(line) < n || line[7] != '-' || !equalFold(line[:n], name) {
			return 0
		}
	}
	for n < len(line) && (line[n] == ' ' || line[n] == '\t') {
		n++
	}
	if n == len(line) || line[n] != ':' {
		return 0
	}
	return n + 1
}

// takeLength reads a value of Content-Length.
func (m *message) takeLength(b []byte) {
	m.value = 0
	for len(b) > 0 && isBlank(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isBlank(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	n := int32(0)
	for _, c := range b {
		if c -= '0'; c > 9 {
			m.bad = true
			return
		}
		if n = n*10 + int32(c); n > maxBody {
			n = maxBody + 1
		}
	}
	if len(b) == 0 || m.length >= 0 && m.length != n {
		m.bad = true
		return
	}
	m.length = n
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// holdsFold looks for lower-case s in b, whose case does not matter.
func holdsFold(b []byte, s string) bool {
	for i := 0; i+len(s) <= len(b); i++ {
		if equalFold(b[i:i+len(s)], s) {
			return true
		}
	}
	return false
}

// equalFold compares with lower-case letters, digits, '-' and ' ', case aside.
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i, c := range b {
		if c-'A' < 26 {
			c += 'a' - 'A'
		}
		if c != s[i] {
			return false
		}
	}
	return true
}
