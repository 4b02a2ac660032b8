package event

import (
	"bytes"
	"testing"
)

// ITU-T E.164 Annex D, as of 2016: each zone has one of these.
func TestCountryCode(t *testing.T) {
	for digits, want := range map[string]int{
		"12025550123": 1, "74951234567": 1, "20212345678": 2, "212512345678": 3, "27111234567": 2, "3312345678": 2, "35312345678": 3,
		"37012345678": 3, "38112345678": 3, "39061234567": 2, "493012345678": 2, "420212345678": 3, "50212345678": 3, "5112345678": 2,
		"59112345678": 3, "6512345678": 2, "67012345678": 3, "80012345678": 3, "8112345678": 2, "85212345678": 3, "8613800138000": 2,
		"88012345678": 3, "88216123456": 3, "9112345678": 2, "96112345678": 3, "97212345678": 3, "9812345678": 2, "99512345678": 3,
		"0123": 0, "12": 0, "": 0,
	} {
		if got := CountryCode([]byte(digits)); got != want {
			t.Errorf("%s: %d digits, want %d", digits, got, want)
		}
	}
}

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
