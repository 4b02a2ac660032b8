package track

import (
	"bytes"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// contact is one contact of a REGISTER or of its 2xx.
type contact struct {
	addr    sip.Addr
	key     uint64
	expires int64 // s; -1 where none is written
	used    bool
}

// readContacts parses a list kept in e.
func (t *Tracker) readContacts(dst []contact, e *event.Event, l event.List) (contacts []contact, star bool) {
	for b, ok := e.Next(&l); ok; b, ok = e.Next(&l) {
		dst = grow(dst)
		c := &dst[len(dst)-1]
		if !c.addr.Parse(b) {
			e.Anomalies |= event.ContactBroken
			dst = dst[:len(dst)-1]
			continue
		}
		if c.addr.Star() {
			star = true
			dst = dst[:len(dst)-1]
			continue
		}
		c.key, c.expires, c.used = t.contactKey(c.addr.URI()), -1, false
		if x, ok := c.addr.Param("expires"); ok {
			if n, ok := sip.Seconds(x); ok {
				c.expires = int64(n)
			}
		}
	}
	return dst, star
}

func grow(s []contact) []contact {
	if len(s) < cap(s) {
		return s[:len(s)+1]
	}
	return append(s, contact{})
}

// contactKey indexes a contact by scheme, user, host and port.
func (t *Tracker) contactKey(u *sip.URI) uint64 {
	b := appendLower(t.scratch[:0], u.Scheme())
	b = sip.AppendUnescaped(append(b, ':'), u.User())
	b = appendLower(append(b, '@'), u.Host())
	if port, ok := u.Port(); ok && !t.cfg.ContactIgnorePort {
		b = append(b, ':', byte(port>>8), byte(port))
	}
	t.scratch = b
	return t.hash(b)
}

// find looks a contact up among the AOR's bindings (RFC 3261 §19.1.4), by what was
// registered or by what the registrar made of it.
func (t *Tracker) find(a *aor, c *contact) *binding {
	for _, b := range a.bindings {
		if b.key == c.key && (t.cfg.ContactIgnorePort || t.sameURI(b.piece(pieceURI), c.addr.URI())) {
			return b
		}
	}
	for _, b := range a.bindings {
		if b.alias == c.key && b.alias != 0 {
			return b
		}
	}
	return nil
}

func (t *Tracker) sameURI(kept []byte, u *sip.URI) bool {
	if bytes.Equal(kept, u.Bytes()) {
		return true
	}
	return t.uri.Parse(kept) && t.uri.Equal(u)
}

// match finds a requested contact in the answer: as it is, or as the registrar
// rewrote it (events.md, rule 8).
func (t *Tracker) match(a *aor, b *binding, c *contact, asked, granted []contact) *contact {
	for i := range granted {
		if g := &granted[i]; !g.used && g.key == c.key && (t.cfg.ContactIgnorePort || g.addr.URI().Equal(c.addr.URI())) {
			return g
		}
	}
	if b != nil && b.alias != 0 { // as it rewrote it before
		for i := range granted {
			if g := &granted[i]; !g.used && g.key == b.alias {
				return g
			}
		}
	}
	for i := range granted {
		g := &granted[i]
		if g.used || !sameUser(g.addr.URI(), c.addr.URI()) {
			continue
		}
		if other := t.find(a, g); other != nil && other != b {
			continue
		}
		if t.names(g, c) || len(asked) == 1 && len(granted) == 1 {
			return g
		}
	}
	return nil
}

func sameUser(a, b *sip.URI) bool {
	return bytes.EqualFold(a.Scheme(), b.Scheme()) && bytes.Equal(a.User(), b.User())
}

// names reports whether a parameter in the answer, received or x-something, names
// the contact that was asked for.
func (t *Tracker) names(g, c *contact) bool {
	for _, params := range [...]sip.Params{g.addr.Params(), g.addr.URI().Params()} {
		for name, value, ok := params.Next(); ok; name, value, ok = params.Next() {
			switch {
			case len(name) >= 2 && (name[0]|0x20) == 'x' && name[1] == '-':
			case len(name) >= 8 && bytes.EqualFold(name[:8], []byte("received")):
			default:
				continue
			}
			host := c.addr.URI().Host()
			if namesHost(value, host) {
				return true
			}
		}
	}
	return false
}

// namesHost reports whether host stands in value, and not as a part of a longer one.
func namesHost(value, host []byte) bool {
	if len(host) == 0 {
		return false
	}
	for at := 0; ; {
		i := bytes.Index(value[at:], host)
		if i < 0 {
			return false
		}
		at += i
		end := at + len(host)
		if (at == 0 || !ofHost(value[at-1])) && (end == len(value) || !ofHost(value[end])) {
			return true
		}
		at++
	}
}

func ofHost(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c == '.' || c == '-'
}
