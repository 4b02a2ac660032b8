package cmd

import (
	"strconv"
	"unicode"
	"unicode/utf8"
)

// appendPlain writes text from the wire so that it can do no harm in a terminal
// or a file of lines: control characters, terminal escapes, characters that turn
// the direction of writing or have no width, and bytes that are no UTF-8 become
// \x1b, \u202e and their like; a backslash is doubled so that nothing can pretend
// to be one of these.
func appendPlain(dst, b []byte) []byte {
	for len(b) > 0 {
		if c := b[0]; c >= ' ' && c < 0x7f && c != '\\' {
			dst, b = append(dst, c), b[1:]
			continue
		}
		r, n := utf8.DecodeRune(b)
		switch {
		case r == '\\':
			dst = append(dst, `\\`...)
		case r == utf8.RuneError && n == 1, r < 0x100 && !unicode.IsPrint(r):
			c := b[0]
			if n > 1 {
				c = byte(r)
			}
			const digits = "0123456789abcdef"
			dst = append(dst, '\\', 'x', digits[c>>4], digits[c&15])
		case !unicode.IsPrint(r):
			quoted := strconv.QuoteRuneToASCII(r)
			dst = append(dst, quoted[1:len(quoted)-1]...)
		default:
			dst = append(dst, b[:n]...)
		}
		b = b[n:]
	}
	return dst
}

// cut shortens a plain text to a width in characters; what was cut ends in ~. An
// escape stays whole or goes, or it would be another one.
func cut(b []byte, width int) []byte {
	if len(b) <= width || utf8.RuneCount(b) <= width {
		return b
	}
	at := 0
	for left := width - 1; ; {
		bytes, wide := unit(b[at:])
		if left -= wide; left < 0 {
			return append(b[:at:at], '~')
		}
		at += bytes
	}
}

// unit is the length of the first character or escape of a plain text, in bytes and
// in characters.
func unit(b []byte) (bytes, wide int) {
	if b[0] != '\\' || len(b) < 2 {
		_, n := utf8.DecodeRune(b)
		return n, 1
	}
	switch b[1] {
	case 'x':
		wide = len(`\x1b`)
	case 'u':
		wide = len(`\u202e`)
	case 'U':
		wide = len(`\U000e0001`)
	default:
		wide = len(`\\`)
	}
	wide = min(wide, len(b))
	return wide, wide
}

// pad writes b in a column of this width.
func pad(dst, b []byte, width int) []byte {
	b = cut(b, width)
	dst = append(dst, b...)
	for n := utf8.RuneCount(b); n < width; n++ {
		dst = append(dst, ' ')
	}
	return dst
}
