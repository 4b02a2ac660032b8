package event

import (
	"bytes"
	"net/netip"
)

// hosts are those of the URIs that say who talks to whom.
func (e *Event) hosts() [4][]byte {
	return [...][]byte{e.Bytes(e.From.URI.Host), e.Bytes(e.To.URI.Host), e.Bytes(e.RequestURI.Host), e.Bytes(e.Contact.URI.Host)}
}

// isName tells whether one of hosts is no address.
func (e *Event) isName(i int, host []byte) bool {
	if e.masked.on {
		return e.masked.names>>i&1 == 1
	}
	_, ok := literal(host)
	return !ok
}

// otherAddrs adds the addresses that are no legs: those that are written in URIs and
// session descriptions. inURIs is false where those of URIs are more private than others.
func (e *Event) otherAddrs(v *Value, inURIs bool) {
	if e.masked.on {
		l := e.masked.ips
		for b, ok := e.Next(&l); ok && v.NAlso < len(v.Also); b, ok = e.Next(&l) {
			v.Also[v.NAlso], _ = netip.AddrFromSlice(b)
			v.NAlso++
			v.Form, v.source = Addrs, e
		}
		return
	}
	for _, host := range e.hosts() {
		if a, ok := literal(host); ok && inURIs {
			v.alsoAddr(e, a)
		}
	}
	if a, ok := literal(e.Bytes(e.Conn)); ok {
		v.alsoAddr(e, a)
	}
	if e.NAT.IsValid() {
		v.alsoAddr(e, e.NAT.Addr())
	}
	if a, ok := literal(e.Bytes(e.Part(PartOwnerIP))); ok {
		v.alsoAddr(e, a)
	}
}

// family is that of the addresses of e, as network.type has it.
func family(e *Event) string {
	switch a := e.Src.Addr(); {
	case e.masked.on:
		return e.masked.family
	case a.Is4():
		return "ipv4"
	case a.Is6():
		return "ipv6"
	}
	return ""
}

// literal reads an address that is written as such, in brackets or not. Only one
// of IPv6 allocates.
func literal(b []byte) (netip.Addr, bool) {
	if len(b) > 2 && b[0] == '[' && b[len(b)-1] == ']' {
		b = b[1 : len(b)-1]
	}
	if bytes.IndexByte(b, ':') >= 0 {
		a, err := netip.ParseAddr(string(b))
		return a.WithZone(""), err == nil
	}
	var a [4]byte
	for i := range a {
		n, digits := 0, 0
		for ; digits < len(b) && digits < 3 && b[digits] >= '0' && b[digits] <= '9'; digits++ {
			n = n*10 + int(b[digits]-'0')
		}
		if digits == 0 || n > 255 || digits > 1 && b[0] == '0' {
			return netip.Addr{}, false
		}
		a[i] = byte(n)
		if b = b[digits:]; i < 3 {
			if len(b) == 0 || b[0] != '.' {
				return netip.Addr{}, false
			}
			b = b[1:]
		}
	}
	return netip.AddrFrom4(a), len(b) == 0
}
