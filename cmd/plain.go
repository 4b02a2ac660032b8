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

// cut shortens a plain text to a width in characters; what was cut ends in ~.
func cut(b []byte, width int) []byte {
	if len(b) <= width || utf8.RuneCount(b) <= width {
		return b
	}
	at := 0
	for range width - 1 {
		_, n := utf8.DecodeRune(b[at:])
		at += n
	}
	return append(b[:at:at], '~')
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
