package sip

import "bytes"

// Addr is an address with header parameters: name-addr or addr-spec, as in
// From, To, Contact, Route, P-Asserted-Identity or Diversion (RFC 3261 §20.10,
// §25.1). It is made to be reused.
type Addr struct {
	b       []byte
	display span
	params  span
	tag     span
	odd     Oddity
	star    bool
	bare    bool // an addr-spec without angle brackets
	uri     URI
	uriAt   int // where its bytes begin
}

// Parse reads one value. It borrows b until the next Parse. False when it is
// no address; what could be read is there all the same. A lone `*` is one
// (Star). Without angle brackets the parameters belong to the header, not to
// the URI (RFC 3261 §20.10).
func (a *Addr) Parse(b []byte) bool { return a.parse(b) == OK }

func (a *Addr) parse(b []byte) Problem {
	*a = Addr{b: b}
	i := skipLWS(b, 0)
	if i == len(b) {
		return EmptyHeader
	}
	if b[i] == '*' {
		if rest := skipLWS(b, i+1); rest == len(b) || b[rest] == ';' {
			a.star = true
			return a.parameters(b, rest)
		}
	}
	lt, why := a.name(b, i)
	var rest int
	var ok bool
	if lt >= 0 {
		rest, ok = a.nameAddr(b, lt)
	} else {
		rest, ok = a.addrSpec(b, i)
	}
	if !ok && why == OK {
		why = BrokenHeader
	}
	if rest < len(b) {
		if p := a.parameters(b, rest); why == OK {
			why = p
		}
	}
	return why
}

// name reads the display name and finds the angle bracket, -1 for an
// addr-spec. Whatever stands before the bracket is taken as the name as long as
// its quotes pair up: `"John "Jo" Doe" <sip:...>` is wrong, and clear enough.
func (a *Addr) name(b []byte, i int) (lt int, why Problem) {
	if b[i] == '<' {
		return i, OK
	}
	if b[i] == '"' {
		end := quoteEnd(b, i)
		if end < 0 {
			lt = indexByte(b, i, '<')
			a.display = trimMark(b, i+1, orEnd(lt, b))
			return lt, OpenQuote
		}
		if lt = skipLWS(b, end); lt < len(b) && b[lt] == '<' {
			a.display = mark(i+1, end-1)
			return lt, OK
		}
		lt = indexByte(b, end, '<')
	} else {
		lt = indexByte(b, i, '<')
	}
	if lt < 0 || isSpecBefore(b[i:lt]) {
		return -1, OK
	}
	a.display = trimMark(b, i, lt)
	name := a.display.of(b)
	if isTokens(name) {
		return lt, OK
	}
	a.odd |= OddDisplayName
	if bytes.Count(name, quote)%2 != 0 {
		return lt, OpenQuote
	}
	return lt, OK
}

// isSpecBefore tells whether what stands before an angle bracket is an
// addr-spec and the bracket part of a quoted parameter: sip:a@b;p="<".
func isSpecBefore(b []byte) bool {
	at := bytes.IndexByte(b, '"')
	if at < 0 {
		return false
	}
	semicolon := bytes.IndexByte(b[:at], ';')
	return semicolon >= 0 && bytes.IndexByte(b[:semicolon], ':') >= 0
}

// isTokens: display-name = *(token LWS) when it is not quoted (RFC 3261 §25.1).
func isTokens(b []byte) bool {
	for _, c := range b {
		if !isTokenByte(c) && !isLWS(c) {
			return false
		}
	}
	return true
}

// nameAddr reads the URI in the angle brackets that open at b[lt] and gives
// the offset of what follows them.
func (a *Addr) nameAddr(b []byte, lt int) (rest int, ok bool) {
	gt := indexByte(b, lt, '>')
	closed := gt >= 0
	if !closed {
		gt = orEnd(indexByte(b, lt, ';'), b)
	}
	uri := trimMark(b, lt+1, gt)
	if int(uri.len) != gt-lt-1 {
		a.odd |= OddSpaceInURI
	}
	ok = a.spec(uri)
	if !closed {
		return gt, false
	}
	rest = skipLWS(b, gt+1)
	if rest < len(b) && b[rest] != ';' {
		return orEnd(indexByte(b, rest, ';'), b), false
	}
	return rest, ok
}

func (a *Addr) addrSpec(b []byte, i int) (rest int, ok bool) {
	a.bare = true
	rest = orEnd(indexByte(b, i, ';'), b)
	return rest, a.spec(trimMark(b, i, rest))
}

// spec parses the URI. White space is tolerated around it and everywhere but in
// host and port (RFC 4475 §3.1.2.14), and noted.
func (a *Addr) spec(at span) bool {
	a.uriAt = int(at.off)
	ok := a.uri.Parse(at.of(a.b))
	if a.uri.space {
		a.odd |= OddSpaceInURI
	}
	return ok
}

// parameters reads the header parameters that begin with the semicolon at
// b[i], once, for what is judged and for the tag.
func (a *Addr) parameters(b []byte, i int) (why Problem) {
	if i == len(b) {
		return OK
	}
	a.params = mark(i+1, len(b))
	tagged := false
	for i++; i < len(b); {
		var p param
		p, i = readParam(b, i)
		if p.odd {
			a.odd |= OddParam
		}
		if p.open {
			why = OpenQuote
		}
		if !tagged && p.name.len == 3 && equalFold(p.name.of(b), "tag") {
			a.tag, tagged = p.value, true
			if !isTagLike(a.tag.of(b)) {
				why = BrokenHeader
			}
		}
	}
	if b[len(b)-1] == ';' {
		a.odd |= OddParam
	}
	return why
}

// isTagLike: a tag is a token (RFC 3261 §19.3). Others are used in the field,
// binary rubbish among them, and compare as well; but one that holds a
// separator is the start of a second value.
func isTagLike(b []byte) bool {
	for _, c := range b {
		if class[c]&inTag == 0 {
			return false
		}
	}
	return true
}

// Bytes borrows the whole value.
func (a *Addr) Bytes() []byte { return a.b }

// Star tells that the value is the `*` of a Contact that removes all bindings
// (RFC 3261 §10.2.2).
func (a *Addr) Star() bool { return a.star }

// Display borrows the display name, its quotes removed, its escapes left
// (RFC 3261 §25.1: quoted-pair).
func (a *Addr) Display() []byte { return a.display.of(a.b) }

// URI is the parsed URI. It borrows and is good until the next Parse.
func (a *Addr) URI() *URI { return &a.uri }

// Tag borrows the tag parameter (RFC 3261 §19.3); empty without one.
func (a *Addr) Tag() []byte { return a.tag.of(a.b) }

// Param borrows the value of the first header parameter of this name in any
// case, quotes removed, escapes left.
func (a *Addr) Param(name string) ([]byte, bool) { return a.Params().find(name) }

// Params walks the header parameters; those of the URI are URI().Params. It
// borrows.
func (a *Addr) Params() Params { return Params{b: a.params.of(a.b)} }
