package privacy

import (
	"bytes"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// sealedParam is the parameter that holds all parameters and headers, when not each of
// them may be seen.
const sealedParam = "sealed"

// isTail tells whether what follows a URI or a host can be taken apart as parameters.
func isTail(b []byte) bool { return len(b) == 0 || b[0] == ';' }

// tail masks parameters and what follows a question mark. Those that are harmless stay,
// and those that are known are masked in their place. When there are others, all of the
// tail is masked once more as one parameter, by the strictest mode of what may be in it:
// what is seen before that one is a copy.
func (p *pass) tail(dst, b []byte) []byte {
	m := p.mixed(labelTail)
	if len(b) == 0 || m == Clear {
		return append(dst, b...)
	}
	if p.open {
		return p.openTail(dst, b, m)
	}
	dst, others := p.params(dst, b)
	if others && m <= HMAC {
		dst = append(dst, ";"+sealedParam+"="...)
		return p.part(dst, labelTail, b, m, true, true)
	}
	return dst
}

// openTail opens the parameters in their place, or that which holds them all. Those beside
// it are copies, and have to be what they were.
func (p *pass) openTail(dst, b []byte, m Mode) []byte {
	last := bytes.LastIndexByte(b, ';')
	sealed, ok := bytes.CutPrefix(b[last+1:], []byte(sealedParam+"="))
	if last < 0 || !ok || m != Encrypt || !isSealed(sealed) {
		dst, others := p.params(dst, b)
		if others && m == Encrypt {
			p.fail(ErrAltered)
		}
		return dst
	}
	start := len(dst)
	dst = p.part(dst, labelTail, sealed, Encrypt, true, true)
	if p.err != nil {
		return dst
	}
	again := *p
	again.open = false
	if masked := again.tail(nil, dst[start:]); !bytes.Equal(masked, b) {
		p.fail(ErrAltered)
	}
	return dst
}

// params appends the parameters that may be seen, and tells whether there are others.
func (p *pass) params(dst, b []byte) (out []byte, others bool) {
	if !isPlainTail(b) {
		if p.open {
			return append(dst, b...), true
		}
		return dst, true
	}
	for rest := b[1:]; ; {
		var one []byte
		var more bool
		one, rest, more = bytes.Cut(rest, []byte{';'})
		start := len(dst)
		dst = append(dst, ';')
		var ok bool
		if dst, ok = p.param(dst, one); !ok {
			others = true
			if p.open {
				dst = append(dst, one...)
			} else {
				dst = dst[:start]
			}
		}
		if !more {
			return dst, others
		}
	}
}

// isPlainTail: parameters alone, without quotes, blanks and whatever else would have to be
// read with care.
func isPlainTail(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c >= 0x7f || c == '"' || c == '<' || c == '>' || c == ',' || c == '?' || c == '\\' {
			return false
		}
	}
	return b[0] == ';'
}

// param appends a parameter that is harmless as it is, and one that is known with its
// value masked; ok is false for others.
func (p *pass) param(dst, b []byte) (out []byte, ok bool) {
	name, value, assigned := bytes.Cut(b, []byte{'='})
	var room [16]byte
	if len(name) > len(room) {
		return dst, false
	}
	key := appendLower(room[:0], name)
	if harmless(key, value, assigned) {
		return append(dst, b...), true
	}
	if len(value) == 0 {
		return dst, false
	}
	head := b[:len(name)+1]
	switch string(key) {
	case "tag":
		return p.text(append(dst, head...), event.Tags, label(event.Tag), value), true
	case "branch":
		return p.text(append(dst, head...), event.CallIDs, labelPlain, value), true
	case "received", "maddr":
		if value[0] != '[' {
			return p.host(append(dst, head...), labelHost, value), true
		}
		if n := len(value); value[n-1] == ']' {
			if _, ok := canonical(value[1 : n-1]); ok {
				return p.reference(append(dst, head...), value), true
			}
		}
	}
	return dst, false
}

// appendLower folds ASCII alone.
func appendLower(dst, b []byte) []byte {
	for _, c := range b {
		if c-'A' < 26 {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return dst
}

// harmless is the closed list of what names nobody: by name and by value, for a sender may
// write whatever he likes into either.
func harmless(name, value []byte, assigned bool) bool {
	switch string(name) {
	case "lr", "ob", "rport", "alias":
		return !assigned || len(value) <= 5 && isDigits(value) || string(value) == "on" || string(value) == "true"
	case "transport":
		return isTransport(value)
	case "user":
		return string(value) == "phone" || string(value) == "ip" || string(value) == "dialog"
	case "method":
		return sip.ParseMethod(value).String() == string(value)
	case "ttl", "expires":
		return len(value) < manyDigits && isDigits(value)
	case "comp":
		return string(value) == "sigcomp"
	case "q":
		return isQ(value)
	}
	return false
}

func isDigits(b []byte) bool {
	for _, c := range b {
		if c-'0' > 9 {
			return false
		}
	}
	return len(b) > 0
}

// isQ: qvalue of RFC 3261 §25.1.
func isQ(b []byte) bool {
	if len(b) == 0 || len(b) > 5 || b[0] != '0' && b[0] != '1' {
		return false
	}
	return len(b) == 1 || b[1] == '.' && (len(b) == 2 || isDigits(b[2:]))
}
