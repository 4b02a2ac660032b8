package privacy

import (
	"bytes"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// pass is one way through one value, to mask it or to open it: what is masked has the same
// grammar as what it was made of, so that one walk does for both. Parts that a key is not
// needed for stay as they were.
type pass struct {
	modes *[event.NumGroups]Mode
	key   *keyring
	base  Mode // of the value's group
	open  bool
	gone  bool  // a part is to be left out, and with it the value
	err   error // the first part that did not open
}

// maxParsed is the length in bytes up to which a value is taken apart. A masked one may be
// longer: a parameter of a few bytes becomes one of nearly forty.
const maxParsed = 2048

func (p *pass) isLong(b []byte) bool {
	return len(b) > maxParsed && !(p.open && len(b) <= 10*maxParsed)
}

// value walks a value of a shape. Where nothing is masked it stays.
func (p *pass) value(dst []byte, g event.Group, shape event.Shape, b []byte) []byte {
	p.base = p.modes[g]
	if len(b) == 0 || p.base == Clear && p.mixed(labelTail) == Clear {
		return append(dst, b...)
	}
	if shape == event.Word {
		return p.word(dst, b)
	}
	if shape == event.Scheme && isScheme(b) {
		return append(dst, b...)
	}
	if p.base == Redact && !p.open {
		p.gone = true
		return dst
	}
	if shape == event.Digest {
		return p.digest(dst, b)
	}
	switch shape {
	case event.Address, event.Host:
		return p.host(dst, label(shape), b)
	case event.User:
		return p.user(dst, b)
	case event.Number:
		return p.number(dst, labelNumber, b)
	case event.Whole:
		return p.whole(dst, b)
	case event.NameAddr:
		return p.nameAddr(dst, b)
	case event.ViaValue:
		return p.via(dst, b)
	case event.Scheme: // it may be a host, and is masked as its URI is
		return p.unparsed(dst, b)
	}
	return p.text(dst, g, label(shape), b)
}

// digest keys a hash that is there as text.
func (p *pass) digest(dst, b []byte) []byte {
	if p.base == Clear || p.open {
		return append(dst, b...)
	}
	return p.key.hash(dst, labelDigest, b)
}

// mixed is the strictest mode of what parameters (labelTail) may hold, and of what a value
// that cannot be taken apart may.
func (p *pass) mixed(l label) Mode {
	m := max(p.base, p.modes[event.Addresses], p.modes[event.Numbers])
	if l == labelTail {
		m = max(m, p.modes[event.CallIDs], p.modes[event.Tags])
	}
	return textMode(m)
}

// part masks or opens what has no parts. m is the mode that it is masked by; sealing tells
// that the readers of it must expect a sealed text, and strict that they must find one.
func (p *pass) part(dst []byte, l label, b []byte, m Mode, sealing, strict bool) []byte {
	switch {
	case len(b) == 0:
		return dst
	case p.open && sealing && isSealed(b):
		out, err := p.key.open(dst, l, b)
		p.fail(err)
		return out
	case p.open:
		if strict {
			p.fail(ErrNotSealed)
		}
		return append(dst, b...)
	case m == Encrypt || m == Clear && sealing && isSealed(b):
		// What merely looks sealed is sealed, so that it opens to itself.
		return p.key.seal(dst, l, b)
	case m == Clear:
		return append(dst, b...)
	case m == HMAC:
		return p.key.hash(dst, l, b)
	}
	p.gone = true
	return dst
}

func (p *pass) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

// readers tells what who opens must expect where the mode is base, or that of one of the
// groups whose values may stand there.
func (p *pass) readers(base Mode, groups ...event.Group) (sealing, strict bool) {
	sealing, strict = base == Encrypt, base == Encrypt
	for _, g := range groups {
		m := p.modes[g]
		sealing = sealing || m == Encrypt
		strict = strict && m <= Encrypt
	}
	return sealing, strict
}

// free masks a text of the base's group in which addresses and numbers may stand: the
// strictest of the modes is that of the whole.
func (p *pass) free(dst []byte, l label, b []byte) []byte {
	m := p.base
	if a := textMode(p.modes[event.Addresses]); a > m && !p.open && holdsAddress(b) {
		m = a
	}
	if n := textMode(p.modes[event.Numbers]); n > m && !p.open && holdsNumber(b) {
		m = n
	}
	sealing, strict := p.readers(p.base, event.Addresses, event.Numbers)
	return p.part(dst, l, b, textMode(m), sealing, strict)
}

// text masks a value of a group that may hold an address, as Call-IDs do, or a number with
// its plus; other digits prove nothing there. Identifiers are hashed where the value would
// be left out: what they tie together is worth keeping.
func (p *pass) text(dst []byte, g event.Group, l label, b []byte) []byte {
	own := textMode(p.modes[g])
	m := own
	if a := textMode(p.modes[event.Addresses]); a > m && !p.open && holdsAddress(b) {
		m = a
	}
	if n := textMode(p.modes[event.Numbers]); n > m && !p.open && holdsPlus(b) {
		m = n
	}
	if g == event.CallIDs || g == event.Tags {
		m = max(own, min(m, HMAC))
	}
	sealing, strict := p.readers(p.modes[g], event.Addresses, event.Numbers)
	return p.part(dst, l, b, m, sealing, strict)
}

// user masks the user of a URI as sent. One that is a number belongs to the numbers, when
// they are private, one in which a number stands too.
func (p *pass) user(dst, b []byte) []byte {
	if n := p.modes[event.Numbers]; n != Clear && !p.open && isNumber(b) {
		return p.number(dst, labelUser, b)
	}
	return p.free(dst, labelUser, b)
}

func (p *pass) number(dst []byte, l label, b []byte) []byte {
	m := p.modes[event.Numbers]
	if m == Clear {
		m = p.base
	}
	if m == Truncate && !p.open && isNumber(b) {
		out := truncateNumber(dst, b)
		p.gone = p.gone || len(out) == len(dst)
		return out
	}
	sealing, strict := p.readers(m)
	return p.part(dst, l, b, textMode(m), sealing, strict)
}

// host masks a host. An address belongs to the addresses, when they are private; in the
// notation of netip it becomes an address, in any other a text. A name may hold a number, as
// that of a tenant or of ENUM (RFC 6116).
func (p *pass) host(dst []byte, l label, b []byte) []byte {
	m := p.modes[event.Addresses]
	if m == Clear {
		m = p.base
	}
	if a, ok := canonical(b); ok {
		switch {
		case p.open && m == Encrypt:
			return p.key.openAddr(a).AppendTo(dst)
		case p.open || m == Clear:
			return append(dst, b...)
		}
		masked := p.key.addr(a, m)
		p.gone = p.gone || !masked.IsValid()
		return masked.AppendTo(dst)
	}
	if p.modes[event.Addresses] == Clear || p.open || !isAddress(b) {
		m = p.base
	}
	if n := p.modes[event.Numbers]; n > m && !p.open && holdsNumber(b) {
		m = n
	}
	sealing, strict := p.readers(p.base, event.Addresses, event.Numbers)
	return p.part(dst, l, b, textMode(m), sealing, strict)
}

// reference is host for what may stand in brackets, and has to when it becomes an IPv6
// address.
func (p *pass) reference(dst, b []byte) []byte {
	inner, had := bytes.CutPrefix(b, []byte{'['})
	if had {
		inner = inner[:len(inner)-1]
	}
	start := len(dst)
	dst = append(dst, '[')
	dst = p.host(dst, labelHost, inner)
	if bytes.IndexByte(dst[start:], ':') >= 0 {
		return append(dst, ']')
	}
	return append(dst[:start], dst[start+1:]...)
}

// opaque are the schemes of which the rest is masked as one, and that stay themselves.
// Others are masked too: in `pbx.example.com:5060` the host looks like a scheme.
var opaque = map[string]bool{
	"urn": true, "im": true, "pres": true, "mailto": true, "http": true, "https": true, "cid": true,
	"xmpp": true, "h323": true, "fax": true, "modem": true,
}

// isScheme tells whether a scheme is one that stays.
func isScheme(b []byte) bool {
	var room [8]byte
	if len(b) > len(room) {
		return false
	}
	switch lower := appendLower(room[:0], b); string(lower) {
	case "sip", "sips", "tel":
		return true
	default:
		return opaque[string(lower)]
	}
}

// isApart tells whether a URI can be masked in parts and read again: its scheme is known,
// and the signs that end a user are not in one.
func isApart(u *sip.URI) bool {
	b, scheme := u.Bytes(), u.Scheme()
	i := len(scheme) + 1
	switch {
	case u.SchemeIs("sip"), u.SchemeIs("sips"):
		from, _ := u.HostAt()
		return i >= from || isUserinfo(b[i:from-1]) && !isSix(b[i:from-1]) // an address beyond the colon of a password
	case u.SchemeIs("tel"):
		return isUserinfo(u.User())
	}
	return isScheme(scheme)
}

func isUserinfo(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c == '@' || c == '<' || c == '>' || c == '"' || c == ',' {
			return false
		}
	}
	return true
}

// whole masks a URI: scheme, port and harmless parameters stay. One that cannot be taken
// apart is masked as one text.
func (p *pass) whole(dst, b []byte) []byte {
	var u sip.URI
	if p.isLong(b) || !u.Parse(b) || !isApart(&u) {
		return p.unparsed(dst, b)
	}
	return p.uri(dst, &u)
}

// unparsed masks a value as one text, by the strictest mode of what it may hold.
func (p *pass) unparsed(dst, b []byte) []byte {
	m := p.mixed(labelTail)
	return p.part(dst, labelPlain, b, m, true, m == Encrypt)
}

func (p *pass) uri(dst []byte, u *sip.URI) []byte {
	b := u.Bytes()
	i := len(u.Scheme()) + 1
	dst = append(dst, b[:i]...)
	switch {
	case u.SchemeIs("sip"), u.SchemeIs("sips"):
		from, to := u.HostAt()
		if i < from {
			dst = p.userinfo(dst, b[i:from-1])
		}
		return p.behind(p.reference(dst, b[from:to]), b[to:])
	case u.SchemeIs("tel"):
		user := u.User()
		return p.tail(p.user(dst, user), b[i+len(user):])
	}
	return p.free(dst, labelPlain, b[i:])
}

// behind masks what follows a host: the port stays.
func (p *pass) behind(dst, b []byte) []byte {
	i := 0
	for i < len(b) && b[i] != ';' && b[i] != '?' {
		i++
	}
	return p.tail(append(dst, b[:i]...), b[i:])
}

// userinfo masks what stands before the host, and appends the @ behind it.
func (p *pass) userinfo(dst, b []byte) []byte {
	user, password, has := bytes.Cut(b, colon)
	dst = p.user(dst, user)
	if has {
		dst = p.free(append(dst, ':'), labelPlain, password)
	}
	return append(dst, '@')
}

// nameAddr masks what is in a From, To, Contact or the like.
func (p *pass) nameAddr(dst, b []byte) []byte {
	var a sip.Addr
	if len(b) == 1 && b[0] == '*' {
		return append(dst, b...)
	}
	if p.isLong(b) || !a.Parse(b) || a.Star() || !isApart(a.URI()) {
		return p.unparsed(dst, b)
	}
	from, to := a.URIAt()
	if from == 0 && bytes.IndexByte(b[:to], '?') < 0 && isTail(b[to:]) {
		return p.tail(p.uri(dst, a.URI()), b[to:])
	}
	if from == 0 || b[from-1] != '<' || to == len(b) || b[to] != '>' || !isTail(b[to+1:]) {
		return p.unparsed(dst, b)
	}
	dst = p.name(dst, b[:from-1])
	dst = append(p.uri(append(dst, '<'), a.URI()), '>')
	return p.tail(dst, b[to+1:])
}

// name masks all that stands before the angle bracket, quotes and blanks included: masked
// it is a quoted string and a blank.
func (p *pass) name(dst, b []byte) []byte {
	inner, ok := bytes.CutPrefix(b, []byte{'"'})
	if ok {
		inner, ok = bytes.CutSuffix(inner, []byte{'"', ' '})
	}
	sealing, strict := p.readers(p.base, event.Addresses, event.Numbers)
	switch {
	case len(b) == 0:
		return dst
	case p.open && ok && sealing && isSealed(inner):
		return p.part(dst, labelName, inner, Encrypt, true, true)
	case p.open:
		return p.part(dst, labelName, b, Clear, false, strict)
	case ok && sealing && isSealed(inner):
		defer func(m Mode) { p.base = m }(p.base)
		p.base = max(p.base, Encrypt)
	}
	start := len(dst)
	dst = p.free(append(dst, '"'), labelName, b)
	if bytes.Equal(dst[start+1:], b) {
		return append(dst[:start], b...)
	}
	return append(dst, '"', ' ')
}

// via masks a Via: protocol, port and harmless parameters stay.
func (p *pass) via(dst, b []byte) []byte {
	var v sip.Via
	if p.isLong(b) || !v.Parse(b) || len(v.Bytes()) != len(b) {
		return p.unparsed(dst, b)
	}
	from, to := v.HostAt()
	if !isProtocol(b[:from]) {
		return p.unparsed(dst, b)
	}
	return p.behind(p.reference(append(dst, b[:from]...), b[from:to]), b[to:])
}

// isProtocol: the protocol of a Via as everybody writes it.
func isProtocol(b []byte) bool {
	const sip = "SIP/2.0/"
	if len(b) < len(sip)+1 || string(b[:len(sip)]) != sip || b[len(b)-1] != ' ' {
		return false
	}
	return isTransport(b[len(sip) : len(b)-1])
}

func isTransport(b []byte) bool {
	var room [8]byte
	if len(b) > len(room) {
		return false
	}
	switch string(appendLower(room[:0], b)) {
	case "udp", "tcp", "tls", "sctp", "ws", "wss", "tls-sctp":
		return true
	}
	return false
}
