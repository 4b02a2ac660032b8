package privacy

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// Field appends to dst what stands in a field of a record whose clear value is this one,
// so that records can be searched for what is masked in them. An address field takes a
// network too, which holds the masked addresses of it when they are encrypted. The error
// says why there is no such value.
func (s *Sealer) Field(dst []byte, key string, value []byte) ([]byte, error) {
	f, ok := secrecyOf(privateFields(), []byte(key))
	if !ok {
		return dst, fmt.Errorf("%s: is no field that is ever masked; allowed: those with a group in docs/fields.md, and sip.header.NAME", key)
	}
	if f.Private == event.Numbers && f.Shape == event.Digest {
		return s.tokenField(dst, key, value)
	}
	if f.Shape == event.Digest {
		return dst, fmt.Errorf("%s: is a keyed hash of several values; allowed: the fields that hold one of them, as sip.call_id", key)
	}
	if f.Shape == event.Address {
		out, err := s.addressField(dst, key, string(value))
		if err != nil {
			return dst, err
		}
		return out, nil
	}
	phrase := f.Private == event.Errors && f.Shape == event.Plain && !strings.HasPrefix(key, event.HeaderPrefix)
	if phrase && event.Usual(value) {
		return append(dst, value...), nil
	}
	out, ok := s.Append(dst, f.Private, f.Shape, value)
	if !ok {
		return dst, errLeftOut(key)
	}
	return out, nil
}

func (s *Sealer) tokenField(dst []byte, key string, value []byte) ([]byte, error) {
	if len(value) < 2 || value[0] != '+' || !isDigits(value[1:]) {
		return dst, fmt.Errorf("%s: %.200q is not allowed; allowed: a number in its E.164 form, as +4930123456", key, value)
	}
	if !s.Private(event.Numbers) {
		return dst, fmt.Errorf("%s: is in records only while privacy.numbers is not clear", key)
	}
	return s.Token(dst, value), nil
}

// addressField takes an address or a network, with or without the type of event that a
// key of rates has before it.
func (s *Sealer) addressField(dst []byte, key, value string) ([]byte, error) {
	if name, source, ok := strings.Cut(value, ":"); ok {
		if _, ok := event.ParseType(name); ok {
			dst, value = append(append(dst, name...), ':'), source
		}
	}
	if p, err := netip.ParsePrefix(value); err == nil {
		return s.networkField(dst, key, p)
	}
	a, err := netip.ParseAddr(value)
	if err != nil {
		return dst, fmt.Errorf("%s: %.200q is not allowed; allowed: an address, or a network as 192.0.2.0/24", key, value)
	}
	if a = s.Addr(a); !a.IsValid() {
		return dst, errLeftOut(key)
	}
	return a.AppendTo(dst), nil
}

func errLeftOut(key string) error {
	return fmt.Errorf("%s: is left out of records", key)
}

func (s *Sealer) networkField(dst []byte, key string, p netip.Prefix) ([]byte, error) {
	a, bits := p.Addr(), p.Bits()
	if a.Is4In6() && bits >= 96 {
		a, bits = a.Unmap(), bits-96
	}
	short := keptBits(a)
	switch m := s.modes[event.Addresses]; {
	case m == HMAC:
		return dst, fmt.Errorf("%s: privacy.addresses: hmac keeps no networks; allowed: an address", key)
	case m == Redact:
		return dst, errLeftOut(key)
	case m == Truncate && bits > short:
		return dst, fmt.Errorf("%s: privacy.addresses: truncate keeps /%d alone; allowed: no smaller network", key, short)
	case m == Truncate:
		return netip.PrefixFrom(a, bits).Masked().AppendTo(dst), nil
	}
	return netip.PrefixFrom(s.Addr(a), bits).Masked().AppendTo(dst), nil
}
