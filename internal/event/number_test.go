package event

import (
	"bytes"
	"testing"
)

// numbering is a Masker that gives tokens, and masks some groups.
type numbering struct {
	nothing
	private map[Group]bool
}

func (n numbering) Private(g Group) bool { return n.private[g] }

func (n numbering) Token(dst, e164 []byte) []byte {
	return append(append(dst, "token of "...), e164...)
}

func (n numbering) Append(dst []byte, g Group, _ Shape, b []byte) ([]byte, bool) {
	if n.private[g] {
		return append(dst, bytes.Repeat([]byte("x"), len(b))...), true
	}
	return append(dst, b...), true
}

// A number has a token as soon as it is private, or the URI that it was read from; in that
// case it does not leave itself.
func TestMaskNumber(t *testing.T) {
	const number = "+493012345678"
	for _, c := range []struct {
		private     []Group
		e164, token string
	}{
		{nil, number, ""},
		{[]Group{Addresses}, number, ""},
		{[]Group{URIs}, "", "token of " + number},
		{[]Group{Numbers}, "xxxxxxxxxxxxx", "token of " + number},
		{[]Group{Numbers, URIs}, "xxxxxxxxxxxxx", "token of " + number},
	} {
		var e, masked Event
		e.Reset()
		e.Type = CallEnd
		e.Set(&e.Caller.E164, []byte(number))
		m := numbering{private: map[Group]bool{}}
		for _, g := range c.private {
			m.private[g] = true
		}
		e.Mask(m, &masked)
		if e164, token := string(masked.Bytes(masked.Caller.E164)), string(masked.Bytes(masked.Caller.Token)); e164 != c.e164 || token != c.token {
			t.Errorf("%v: %q, token %q", c.private, e164, token)
		}
		if masked.Callee != (PhoneNumber{}) {
			t.Errorf("%v: a callee from nowhere", c.private)
		}
	}
}
