package sip

// authField is a Digest parameter with a getter of its own (RFC 8760 §2.7,
// RFC 7616 §3.3, §3.4).
type authField uint8

const (
	authRealm authField = iota
	authNonce
	authUsername
	authURI
	authResponse
	authAlgorithm
	authOpaque
	authQOP
	authCNonce
	authNC
	authStale
	numAuthFields
)

var authNames = [numAuthFields]string{
	"realm", "nonce", "username", "uri", "response", "algorithm", "opaque", "qop", "cnonce", "nc", "stale",
}

// Auth is one challenge or one set of credentials: the value of an
// Authorization, Proxy-Authorization, WWW-Authenticate or Proxy-Authenticate
// line (RFC 3261 §20.7, §20.27, §20.28, §20.44). It is made to be reused.
type Auth struct {
	b      []byte
	scheme span
	params span
	has    uint16
	fields [numAuthFields]span
}

// Parse reads one value in one pass. It borrows b until the next Parse. False
// when there is no scheme or a quoted string has no end; what could be read is
// there all the same. The first parameter of a name counts.
func (a *Auth) Parse(b []byte) bool {
	*a = Auth{b: b}
	start := skipLWS(b, 0)
	i := start
	for i < len(b) && isTokenByte(b[i]) {
		i++
	}
	if i == start || i < len(b) && !isLWS(b[i]) {
		return false
	}
	a.scheme = mark(start, i)
	a.params = mark(i, len(b))
	for i < len(b) {
		var p param
		p, i = readAuthParam(b, i)
		if p.assigned {
			a.note(p)
		}
		if p.open {
			return false
		}
	}
	return true
}

func (a *Auth) note(p param) {
	name := p.name.of(a.b)
	for f := range authNames {
		if equalFold(name, authNames[f]) {
			if a.has&(1<<f) == 0 {
				a.has |= 1 << f
				a.fields[f] = p.value
			}
			return
		}
	}
}

// readAuthParam reads the auth-param at b[i:] up to its comma and gives the
// offset behind that (RFC 3261 §25.1: auth-param, digest-cln).
func readAuthParam(b []byte, i int) (p param, next int) {
	for i < len(b) && (isLWS(b[i]) || b[i] == ',') {
		i++
	}
	start := i
	for i < len(b) && b[i] > ' ' && b[i] != '=' && b[i] != ',' {
		i++
	}
	p.name = mark(start, i)
	i = skipLWS(b, i)
	if i < len(b) && b[i] == '=' {
		p.assigned = true
		i = skipLWS(b, i+1)
		if i < len(b) && b[i] == '"' {
			end := quoteEnd(b, i)
			if end < 0 {
				p.open = true
				p.value = mark(i+1, len(b))
				return p, len(b)
			}
			p.value = mark(i+1, end-1)
			i = end
		} else {
			end := orEnd(indexByte(b, i, ','), b)
			p.value = trimMark(b, i, end)
			i = end
		}
	}
	return p, min(orEnd(indexByte(b, i, ','), b)+1, len(b))
}

func (a *Auth) field(f authField) []byte { return a.fields[f].of(a.b) }

// Scheme borrows the scheme as written: Digest, Basic, Bearer, anything.
func (a *Auth) Scheme() []byte { return a.scheme.of(a.b) }

// IsDigest tells whether the scheme is Digest, in any case (RFC 3261 §22.4).
func (a *Auth) IsDigest() bool { return equalFold(a.Scheme(), "Digest") }

// Realm borrows, like all the getters of parameters: quotes removed, escapes
// left, empty when the parameter is missing (Has tells).
func (a *Auth) Realm() []byte { return a.field(authRealm) }

// Nonce borrows the nonce.
func (a *Auth) Nonce() []byte { return a.field(authNonce) }

// Username borrows the user name of credentials.
func (a *Auth) Username() []byte { return a.field(authUsername) }

// URI borrows the digest-uri.
func (a *Auth) URI() []byte { return a.field(authURI) }

// Response borrows the request-digest. The first REGISTER of an IMS client has
// it empty (3GPP TS 24.229 §5.1.1.2).
func (a *Auth) Response() []byte { return a.field(authResponse) }

// Algorithm borrows the algorithm; where it is missing, it is MD5.
func (a *Auth) Algorithm() []byte { return a.field(authAlgorithm) }

// Opaque borrows the opaque value.
func (a *Auth) Opaque() []byte { return a.field(authOpaque) }

// QOP borrows the qop of credentials or the qop list of a challenge.
func (a *Auth) QOP() []byte { return a.field(authQOP) }

// CNonce borrows the client's nonce.
func (a *Auth) CNonce() []byte { return a.field(authCNonce) }

// NC borrows the nonce count, eight hexadecimal digits.
func (a *Auth) NC() []byte { return a.field(authNC) }

// Stale tells that a challenge came only because its nonce was old: stale is
// "true" in any case, quoted or not (RFC 7616 §3.3).
func (a *Auth) Stale() bool { return equalFold(a.field(authStale), "true") }

// Has tells whether there is a parameter of this name, in any case.
func (a *Auth) Has(name string) bool {
	_, ok := a.Param(name)
	return ok
}

// Param borrows the value of the first parameter of this name in any case,
// quotes removed, escapes left.
func (a *Auth) Param(name string) ([]byte, bool) {
	b := a.params.of(a.b)
	for i := 0; i < len(b); {
		var p param
		p, i = readAuthParam(b, i)
		if p.assigned && equalFold(p.name.of(b), name) {
			return p.value.of(b), true
		}
	}
	return nil, false
}
