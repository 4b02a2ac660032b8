package privacy

import (
	"bytes"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// maxWord is more bytes than words of the protocol have, lists of them included.
const maxWord = 256

// word masks a word of the protocol: a method, the type of a body, the name of a codec.
// Nearly all come from registries, and stay in every mode; a sender may write an address or
// a number into each. Parameters, of which the boundary of a body is one, are masked as those
// of a URI.
func (p *pass) word(dst, b []byte) []byte {
	if isHarmlessWord(b) {
		return append(dst, b...)
	}
	if i := bytes.IndexByte(b, ';'); i > 0 && isHarmlessWord(b[:i]) && !p.isLong(b) {
		return p.tail(append(dst, b[:i]...), b[i:])
	}
	return p.free(dst, label(event.Word), b)
}

// isHarmlessWord tells whether a text is made of words and holds neither an address, nor as
// many digits as a number has, nor a run of letters and digits as identifiers have.
func isHarmlessWord(b []byte) bool {
	if len(b) > maxWord || len(b) > 1 && b[0] == '0' && b[1] >= '4' && b[1] <= '7' { // or it may be some of a sealed text
		return false
	}
	run, digits := 0, false
	for _, c := range b {
		switch {
		case isDigit(c) || isLetter(c):
			run, digits = run+1, digits || isDigit(c)
			if run >= minSealed || digits && run >= minSealed/2 { // or what is left of a sealed text
				return false
			}
		case !isWord(c) && c != ' ' && c != ',':
			return false
		default:
			run, digits = 0, false
		}
	}
	return !holdsAddress(b) && !holdsNumber(b)
}
