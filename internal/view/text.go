package view

import (
	"strings"
	"unicode/utf8"
)

// MaxText is the longest text that is shown, in bytes, which is what records keep.
const MaxText = 1024

// Text is b as it is shown: UTF-8, with U+FFFD for what is none, and cut where it is
// longer than MaxText. It copies; escaping is left to whoever writes it.
func Text(b []byte) string {
	s := strings.ToValidUTF8(string(b[:min(len(b), MaxText+utf8.UTFMax)]), "\ufffd")
	if len(s) <= MaxText {
		return s
	}
	n := MaxText
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
