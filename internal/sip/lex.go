package sip

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strings"
)

// isLWS: white space inside a value is SP, HTAB and the line ends of folding; a
// bare CR or LF counts as such too, for the header section was cut into lines
// before (RFC 3261 §25.1: LWS).
func isLWS(c byte) bool { return class[c]&inLWS != 0 }

func isDigit(c byte) bool { return c-'0' < 10 }

func skipLWS(b []byte, i int) int {
	for i < len(b) && isLWS(b[i]) {
		i++
	}
	return i
}

func hasLWS(b []byte) bool {
	for _, c := range b {
		if isLWS(c) {
			return true
		}
	}
	return false
}

// hasControls tells whether there is a control character other than HTAB and
// the line ends CRLF and LF, in bytes whose LFs nearly all have their CR: then
// twice the LFs is the number of control characters there should be, counted
// eight bytes at a time, and the exact look is for what differs.
func hasControls(b []byte) bool {
	const (
		low7 = 0x7F7F7F7F7F7F7F7F
		high = 0x8080808080808080
		room = 0x6060606060606060 // 0x20 + 0x60 = 0x80
	)
	controls, i := 0, 0
	for ; len(b)-i >= 8; i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		controls += 8 - bits.OnesCount64((x&low7+room|x)&high)
	}
	for ; i < len(b); i++ {
		if b[i] < ' ' {
			controls++
		}
	}
	return controls != 2*bytes.Count(b, lf) && hasControlsSlow(b)
}

// One-byte strings to count; never written to.
var (
	lf    = []byte{'\n'}
	quote = []byte{'"'}
)

func hasControlsSlow(b []byte) bool {
	for i, c := range b {
		if c < ' ' && c != '\t' && c != '\n' && !(c == '\r' && (i+1 == len(b) || b[i+1] == '\n')) {
			return true
		}
	}
	return false
}

// trim borrows b without the white space around it.
func trim(b []byte) []byte {
	i, n := skipLWS(b, 0), len(b)
	for n > i && isLWS(b[n-1]) {
		n--
	}
	return b[i:n:n]
}

// indexByte is bytes.IndexByte from i on, in offsets of b.
func indexByte(b []byte, i int, c byte) int {
	at := bytes.IndexByte(b[i:], c)
	if at < 0 {
		return -1
	}
	return i + at
}

// trimMark marks b[from:to] without the white space around it.
func trimMark(b []byte, from, to int) span {
	from = min(skipLWS(b, from), to)
	for to > from && isLWS(b[to-1]) {
		to--
	}
	return mark(from, to)
}

// orEnd turns "not found" into the end.
func orEnd(i int, b []byte) int {
	if i < 0 {
		return len(b)
	}
	return i
}

// quoteEnd is the offset behind the quoted string that starts at b[i], -1 when
// it has no end. A backslash takes any byte with it (RFC 3261 §25.1).
func quoteEnd(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// The classes of bytes that are looked up one by one in loops.
const (
	inToken uint8 = 1 << iota // RFC 3261 §25.1: token
	inHost                    // see readHost
	inLWS                     // see isLWS
	inUser                    // RFC 3261 §25.1: user, without ; and ?, which can begin parameters and headers too
	inTag                     // see isTagLike
	inName                    // a parameter's name, which need not be a token
)

// class is made from the grammar when the program starts and never written
// again.
var class = classes()

func classes() (t [256]uint8) {
	const alphanum = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	add := func(set string, bit uint8) {
		for _, c := range []byte(set) {
			t[c] |= bit
		}
	}
	add(alphanum+"-.!%*_+`'~", inToken)
	add(alphanum+"-._%", inHost)
	add(" \t\r\n", inLWS)
	add(alphanum+"-_.!~*'()%&=+$,/", inUser)
	for c := range t {
		if strings.IndexByte(" \t\r\n,<>\"", byte(c)) < 0 {
			t[c] |= inTag
		}
		if c > ' ' && c != '=' && c != ';' {
			t[c] |= inName
		}
		if c >= 0x80 {
			t[c] |= inHost
		}
	}
	return t
}

// IsToken tells whether b is a token (RFC 3261 §25.1): a method, the name of a header.
func IsToken(b []byte) bool { return isToken(b) }

func isToken(b []byte) bool {
	for _, c := range b {
		if !isTokenByte(c) {
			return false
		}
	}
	return len(b) > 0
}

func isTokenByte(c byte) bool { return class[c]&inToken != 0 }

// lower is ASCII only: SIP's case-insensitive words are (RFC 3261 §7.3.1), and
// other bytes compare as they are.
func lower(c byte) byte {
	if c-'A' < 26 {
		c += 'a' - 'A'
	}
	return c
}

// equalFold compares with a string, ASCII case aside.
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i := range b {
		if b[i] != s[i] && lower(b[i]) != lower(s[i]) {
			return false
		}
	}
	return true
}

func equalFoldBytes(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

// byteNames makes a table that getters and comparisons can use without
// converting; nobody writes to its slices.
func byteNames(from []string) [][]byte {
	to := make([][]byte, len(from))
	for i, s := range from {
		to[i] = []byte(s)[:len(s):len(s)]
	}
	return to
}
