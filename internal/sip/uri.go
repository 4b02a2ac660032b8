package sip

import "bytes"

// URI is one URI: sip and sips (RFC 3261 §19.1), tel (RFC 3966), or any other
// scheme, whose rest is then opaque. It is made to be reused.
type URI struct {
	b        []byte
	scheme   span
	user     span
	password span
	host     span
	params   span
	headers  span
	port     uint16
	hasPort  bool
	valid    bool // what Parse returned
	space    bool // white space in user, parameters, headers or an opaque part
	kind     uriKind
}

type uriKind uint8

const (
	uriOpaque uriKind = iota
	uriSIP
	uriTel
)

// Parse reads one URI without white space around it. It borrows b until the
// next Parse. It refuses what has no scheme, no host, a port that is none, or
// an IPv6 address without brackets (RFC 5118 §4.2); the characters of user,
// parameters and headers are not judged.
func (u *URI) Parse(b []byte) bool {
	*u = URI{b: b}
	i := u.readScheme(b)
	if i <= 0 || i == len(b) {
		return false
	}
	switch u.kind {
	case uriSIP:
		u.valid = u.hierarchical(b, i)
	case uriTel:
		end := orEnd(indexByte(b, i, ';'), b)
		u.user = mark(i, end)
		u.params = mark(min(end+1, len(b)), len(b))
		u.space = hasLWS(b[i:])
		u.valid = u.user.len > 0
	case uriOpaque:
		u.user = mark(i, len(b))
		u.space = hasLWS(b[i:])
		u.valid = true
	}
	return u.valid
}

// readScheme notes the scheme and gives the offset behind its colon, 0 without
// one (RFC 3261 §25.1: scheme).
func (u *URI) readScheme(b []byte) int {
	if len(b) > 3 && b[3] == ':' && b[0]|0x20 == 's' && b[1]|0x20 == 'i' && b[2]|0x20 == 'p' {
		u.kind, u.scheme = uriSIP, span{0, 3}
		return 4
	}
	i := 0
	for i < len(b) && (lower(b[i])-'a' < 26 || i > 0 && (isDigit(b[i]) || b[i] == '+' || b[i] == '-' || b[i] == '.')) {
		i++
	}
	if i == 0 || i == len(b) || b[i] != ':' {
		return 0
	}
	u.scheme = mark(0, i)
	switch {
	case equalFold(b[:i], "sips"):
		u.kind = uriSIP
	case equalFold(b[:i], "tel"):
		u.kind = uriTel
	}
	return i + 1
}

// hierarchical reads [user[:password]@]host[:port][;params][?headers]
// (RFC 3261 §19.1.1). An @ in the user ought to be escaped; where it is not,
// as with e-mail addresses as user names, the last one before the parameters
// ends the user.
func (u *URI) hierarchical(b []byte, i int) bool {
	at := i
	for at < len(b) && class[b[at]]&inUser != 0 {
		at++
	}
	plain := at < len(b) && b[at] == '@' // as nearly every user is
	if !plain {
		at = indexByte(b, i, '@')
	}
	host := i
	for {
		if at >= 0 {
			host = at + 1
		}
		end, ok := u.hostPort(b, host)
		if ok && (end == len(b) || b[end] == ';' || b[end] == '?') {
			u.userinfo(b, i, at, plain)
			u.tail(b, end)
			return true
		}
		if at < 0 {
			return false
		}
		again := atBefore(b, host)
		if again < 0 {
			u.userinfo(b, i, at, plain)
			return false
		}
		at, plain = again, false
	}
}

// atBefore is the next @ in b[i:] that stands before parameters, headers and
// whatever can be in no address.
func atBefore(b []byte, i int) int {
	for ; i < len(b); i++ {
		switch b[i] {
		case '@':
			return i
		case ';', '?', ',', '<', '>', '"', ' ', '\t', '\r', '\n':
			return -1
		}
	}
	return -1
}

// userinfo reads user and password before the @ at b[at], if there is one. A
// plain user has neither colon nor white space.
func (u *URI) userinfo(b []byte, i, at int, plain bool) {
	if at < 0 {
		return
	}
	end := at
	if !plain {
		u.space = hasLWS(b[i:at])
		if colon := bytes.IndexByte(b[i:at], ':'); colon >= 0 {
			end = i + colon
			u.password = mark(end+1, at)
		}
	}
	u.user = mark(i, end)
}

func (u *URI) hostPort(b []byte, i int) (end int, ok bool) {
	u.host, end, ok = readHost(b, i)
	if ok && end < len(b) && b[end] == ':' {
		u.port, u.hasPort, end, ok = readPort(b, end+1)
	}
	return end, ok
}

// tail reads parameters and headers behind the host.
func (u *URI) tail(b []byte, i int) {
	if i == len(b) {
		return
	}
	u.space = u.space || hasLWS(b[i:])
	if b[i] == ';' {
		end := orEnd(indexByte(b, i, '?'), b)
		u.params = mark(i+1, end)
		i = end
	}
	if i < len(b) {
		u.headers = mark(i+1, len(b))
	}
}

// readHost reads a host at b[i:]; an IPv6 reference without its brackets. Host
// names have letters, digits, hyphens and dots (RFC 3261 §25.1); underscore,
// %-escapes and bytes above ASCII occur in the field and harm nobody. Of an
// IPv6 address only the characters are judged: three colons in a row are to be
// tolerated (RFC 5118 §4.10).
func readHost(b []byte, i int) (host span, end int, ok bool) {
	if i < len(b) && b[i] == '[' {
		return readReference(b, i+1)
	}
	start := i
	for i < len(b) && class[b[i]]&inHost != 0 {
		i++
	}
	return mark(start, i), i, i > start
}

func readReference(b []byte, i int) (host span, end int, ok bool) {
	start, colons, zone := i, 0, false
	for ; i < len(b) && b[i] != ']'; i++ {
		c := b[i]
		switch {
		case c == ':':
			colons++
		case c == '%':
			zone = true // RFC 4007 §11, which has no place in SIP but is seen
		case isDigit(c), c == '.', lower(c)-'a' < 6, zone && isTokenByte(c):
		default:
			return span{}, i, false
		}
	}
	if i == len(b) {
		return span{}, i, false
	}
	return mark(start, i), i + 1, colons >= 2
}

// readPort reads a port at b[i:], behind the colon. No digits are no port, as
// in "host:", which is tolerated.
func readPort(b []byte, i int) (port uint16, has bool, end int, ok bool) {
	n, digits := decimal(b[i:], 1<<16)
	return uint16(n), digits > 0, i + digits, n < 1<<16
}

// Bytes borrows the whole URI.
func (u *URI) Bytes() []byte { return u.b }

// Scheme borrows the scheme as written, nil without one.
func (u *URI) Scheme() []byte { return u.scheme.of(u.b) }

// SchemeIs compares the scheme without case (RFC 3261 §19.1.4).
func (u *URI) SchemeIs(s string) bool { return equalFold(u.Scheme(), s) }

// User borrows the user part as written, escapes left, without the password;
// of tel the number; of other schemes all that is behind the colon.
func (u *URI) User() []byte { return u.user.of(u.b) }

// Password borrows the password as written (RFC 3261 §19.1.1).
func (u *URI) Password() []byte { return u.password.of(u.b) }

// Host borrows the host, an IPv6 address without brackets, a trailing dot
// kept; empty for schemes without one.
func (u *URI) Host() []byte { return u.host.of(u.b) }

// Port is the port and whether one is written.
func (u *URI) Port() (uint16, bool) { return u.port, u.hasPort }

// Param borrows the value of the first parameter of this name in any case.
func (u *URI) Param(name string) (value []byte, ok bool) { return u.Params().find(name) }

// Params walks the parameters of a sip, sips or tel URI. It borrows.
func (u *URI) Params() Params { return Params{b: u.params.of(u.b)} }

// Headers borrows what is behind the question mark (RFC 3261 §19.1.1).
func (u *URI) Headers() []byte { return u.headers.of(u.b) }

// AppendUnescaped copies b to dst with every %XX decoded (RFC 3261 §19.1.2)
// and returns the longer slice. A percent sign that starts no escape stays.
func AppendUnescaped(dst, b []byte) []byte {
	for i := 0; i < len(b); i++ {
		if b[i] == '%' && i+2 < len(b) {
			high, low := hexValue(b[i+1]), hexValue(b[i+2])
			if high < 16 && low < 16 {
				dst = append(dst, high<<4|low)
				i += 2
				continue
			}
		}
		dst = append(dst, b[i])
	}
	return dst
}

// hexValue is 16 for what is no hexadecimal digit.
func hexValue(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	if c = lower(c) - 'a'; c < 6 {
		return c + 10
	}
	return 16
}
