package sip

import (
	"bytes"
	"strings"
)

// maxCompared bounds the parameters, and the headers, that Equal compares one
// with another. URIs with more are compared byte by byte from there on.
const maxCompared = 32

// Equal compares two URIs. It borrows both during the call.
//
// sip and sips follow RFC 3261 §19.1.4: the schemes must agree; user and
// password compare with case, everything else without; a character and its
// %XX are the same unless it is a reserved one (RFC 2396 §2.2); a port, or a
// user, ttl, method, maddr or transport parameter, in one URI only makes a
// difference, another parameter does not; headers must be the same in any
// order. tel follows RFC 3966 §4: visual separators do not count and both must
// have the same parameters. Other schemes compare by bytes behind the scheme, and what
// Parse refused compares by bytes altogether.
//
// Equal is reflexive and symmetric, but, as §19.1.4 has it, not transitive.
func (u *URI) Equal(o *URI) bool {
	if !u.valid || !o.valid {
		return bytes.Equal(u.b, o.b)
	}
	if u.kind != o.kind || !equalFoldBytes(u.Scheme(), o.Scheme()) {
		return false
	}
	switch u.kind {
	case uriSIP:
		return equalUnescaped(u.User(), o.User(), false) &&
			equalUnescaped(u.Password(), o.Password(), false) &&
			equalFoldBytes(u.Host(), o.Host()) && u.hasPort == o.hasPort && u.port == o.port &&
			equalParams(u.params.of(u.b), o.params.of(o.b), sipParamCounts) &&
			equalHeaders(u.Headers(), o.Headers())
	case uriTel:
		return equalNumber(u.User(), o.User()) &&
			equalParams(u.params.of(u.b), o.params.of(o.b), telParamCounts)
	}
	return bytes.Equal(u.User(), o.User())
}

// reserved characters mean something else when they are escaped (RFC 2396
// §2.2, which RFC 3261 §19.1.4 refers to).
const reserved = ";/?:@&=+$,"

// symbol reads one character at b[i:], escaped or not. An escaped reserved
// character is not the character itself.
func symbol(b []byte, i int) (c byte, special bool, next int) {
	if b[i] == '%' && i+2 < len(b) {
		if high, low := hexValue(b[i+1]), hexValue(b[i+2]); high < 16 && low < 16 {
			c = high<<4 | low
			return c, strings.IndexByte(reserved, c) >= 0, i + 3
		}
	}
	return b[i], false, i + 1
}

// equalUnescaped compares two strings with %XX decoded where RFC 3261 §19.1.4
// lets it.
func equalUnescaped(a, b []byte, fold bool) bool {
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		var c, d byte
		var cs, ds bool
		c, cs, i = symbol(a, i)
		d, ds, j = symbol(b, j)
		if fold {
			c, d = lower(c), lower(d)
		}
		if c != d || cs != ds {
			return false
		}
	}
	return i == len(a) && j == len(b)
}

// sipParamCounts: in one URI only, these make a difference (RFC 3261 §19.1.4;
// transport by its examples: a URI without it can resolve to others).
func sipParamCounts(name []byte) bool {
	for i := range countedParams {
		if equalUnescaped(name, countedParams[i], true) {
			return true
		}
	}
	return false
}

// countedParams is never written to.
var countedParams = byteNames([]string{"transport", "user", "maddr", "method", "ttl"})

func telParamCounts([]byte) bool { return true }

// equalParams compares two parameter lists both ways round.
func equalParams(a, b []byte, counts func([]byte) bool) bool {
	if len(a) == 0 && len(b) == 0 || bytes.Equal(a, b) {
		return true
	}
	if bytes.Count(a, []byte{';'}) >= maxCompared || bytes.Count(b, []byte{';'}) >= maxCompared {
		return false
	}
	return paramsIn(a, b, counts) && paramsIn(b, a, counts)
}

// paramsIn tells whether b agrees with every parameter of a. Of a name that is
// there several times one agreeing value is enough, so that a list agrees with
// itself.
func paramsIn(a, b []byte, counts func([]byte) bool) bool {
	params := Params{b: a}
	for {
		name, value, ok := params.Next()
		if !ok {
			return true
		}
		if found, agrees := lookFor(b, name, value); !agrees && (found || counts(name)) {
			return false
		}
	}
}

func lookFor(b, name, value []byte) (found, agrees bool) {
	params := Params{b: b}
	for {
		n, v, ok := params.Next()
		if !ok || agrees {
			return found, agrees
		}
		if equalUnescaped(n, name, true) {
			found = true
			agrees = equalUnescaped(v, value, true)
		}
	}
}

// equalHeaders compares name=value&name=value in any order. Values compare
// with case: the rules of each header field (RFC 3261 §20) are not applied.
func equalHeaders(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	n := bytes.Count(a, []byte{'&'})
	if n >= maxCompared || n != bytes.Count(b, []byte{'&'}) {
		return false
	}
	return headersIn(a, b) && headersIn(b, a)
}

func headersIn(a, b []byte) bool {
	for len(a) > 0 {
		var name, value []byte
		name, value, a = cutHeader(a)
		found := false
		for rest := b; len(rest) > 0 && !found; {
			var n, v []byte
			n, v, rest = cutHeader(rest)
			found = equalUnescaped(n, name, true) && equalUnescaped(v, value, false)
		}
		if !found {
			return false
		}
	}
	return true
}

func cutHeader(b []byte) (name, value, rest []byte) {
	h, rest, _ := bytes.Cut(b, []byte{'&'})
	name, value, _ = bytes.Cut(h, []byte{'='})
	return name, value, rest
}

// equalNumber compares telephone numbers without the visual separators of
// RFC 3966 §5.1.1; hexadecimal digits of local numbers without case.
func equalNumber(a, b []byte) bool {
	i, j := 0, 0
	for {
		for i < len(a) && isSeparator(a[i]) {
			i++
		}
		for j < len(b) && isSeparator(b[j]) {
			j++
		}
		if i == len(a) || j == len(b) {
			return i == len(a) && j == len(b)
		}
		if lower(a[i]) != lower(b[j]) {
			return false
		}
		i, j = i+1, j+1
	}
}

func isSeparator(c byte) bool { return c == '-' || c == '.' || c == '(' || c == ')' }
