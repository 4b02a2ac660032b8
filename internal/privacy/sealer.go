package privacy

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// Sealer masks values by the modes of their groups and opens them. It is an event.Masker,
// safe for concurrent use.
type Sealer struct {
	modes [event.NumGroups]Mode
	rest  Mode // of what may hold values of several groups
	keys  []*keyring
	label *event.Label
}

var _ event.Masker = (*Sealer)(nil)

// Allowed tells whether a mode makes sense for a group: only addresses and numbers have a
// beginning that says less than the whole.
func Allowed(g event.Group, m Mode) bool {
	return m != Truncate || g == event.Addresses || g == event.Numbers
}

// New makes a Sealer. A key is needed as soon as something is private: hashes of private
// values are keyed in every mode.
func New(cfg Config) (*Sealer, error) {
	s := &Sealer{modes: cfg.Modes}
	s.modes[event.Public] = Clear
	for g, m := range s.modes {
		if m >= NumModes || !Allowed(event.Group(g), m) {
			return nil, fmt.Errorf("%s: %s is for addresses and numbers only", event.Group(g), m)
		}
		s.rest = max(s.rest, m)
	}
	if s.modes[event.Errors] == Clear {
		s.modes[event.Errors] = textMode(s.rest)
	}
	if s.rest != Clear && cfg.Key == (Key{}) {
		return nil, errors.New("a key is needed: something is private")
	}
	for _, k := range append([]Key{cfg.Key}, cfg.OldKeys...) {
		if k == (Key{}) {
			continue
		}
		r, err := newKeyring(k)
		if err != nil {
			return nil, err
		}
		s.keys = append(s.keys, r)
	}
	s.label = newLabel(s.KeyID(), &s.modes)
	return s, nil
}

// textMode is m for texts that are no beginning of anything.
func textMode(m Mode) Mode {
	if m == Truncate {
		return HMAC
	}
	return m
}

// Modes are what becomes of each group. Errors are never clear while something is private,
// for they quote it: they have the strictest of the other modes then.
func (s *Sealer) Modes() [event.NumGroups]Mode { return s.modes }

// KeyID names the key that masks, empty without one.
func (s *Sealer) KeyID() string {
	if len(s.keys) == 0 {
		return ""
	}
	return s.keys[0].id
}

// With is a Sealer whose first key is that of this id, false where there is none: what is
// masked without a trace of its key, as addresses are, opens with the right one only.
func (s *Sealer) With(id string) (*Sealer, bool) {
	for i, r := range s.keys {
		if r.id != id {
			continue
		}
		if i == 0 {
			return s, true
		}
		other := *s
		other.keys = append([]*keyring{r}, append(s.keys[:i:i], s.keys[i+1:]...)...)
		return &other, true
	}
	return nil, false
}

// Private tells whether a group is masked at all.
func (s *Sealer) Private(g event.Group) bool { return s.modes[g] != Clear }

// Digest keys a hash of private values of these groups, when one of them is private.
func (s *Sealer) Digest(h event.Hash, of ...event.Group) event.Hash {
	for _, g := range of {
		if s.modes[g] != Clear {
			return s.keys[0].digest(labelDigest, h[:])
		}
	}
	return h
}

// Token appends the keyed hash of a number in its E.164 form, in every mode but clear.
func (s *Sealer) Token(dst, e164 []byte) []byte {
	return s.keys[0].hash(dst, labelToken, e164)
}

// Addr masks an address; the zero Addr leaves it out. IPv4-mapped addresses are IPv4, and
// a zone is dropped.
func (s *Sealer) Addr(a netip.Addr) netip.Addr { return s.addr(a, s.modes[event.Addresses]) }

func (s *Sealer) addr(a netip.Addr, m Mode) netip.Addr {
	if m == Clear || !a.IsValid() {
		return a
	}
	a = a.Unmap().WithZone("")
	switch m {
	case Encrypt:
		return s.keys[0].sealAddr(a)
	case HMAC:
		return s.keys[0].hashAddr(a)
	case Truncate:
		bits := 48
		if a.Is4() {
			bits = 24
		}
		p, _ := a.Prefix(bits) // of valid addresses and lengths
		return p.Addr()
	}
	return netip.Addr{}
}

// OpenAddr is the address that the first key masked as a.
func (s *Sealer) OpenAddr(a netip.Addr) netip.Addr {
	if !a.IsValid() || len(s.keys) == 0 {
		return a
	}
	return s.keys[0].openAddr(a.Unmap().WithZone(""))
}

// Append appends the masked b, of a group and a shape, to dst; ok is false when the value
// is to be left out. It borrows b until it returns.
func (s *Sealer) Append(dst []byte, g event.Group, shape event.Shape, b []byte) (out []byte, ok bool) {
	return s.atom(dst, s.modes[g], label(shape), b)
}

// atom masks a value as a whole. The empty one stays: there is nothing to hide.
func (s *Sealer) atom(dst []byte, m Mode, l label, b []byte) ([]byte, bool) {
	switch {
	case m == Clear || len(b) == 0:
		return append(dst, b...), true
	case m == Encrypt:
		return s.keys[0].seal(dst, l, b), true
	case m == HMAC:
		return s.keys[0].hash(dst, l, b), true
	}
	return dst, false
}

// Open appends to dst the value of a shape that b was made of.
func (s *Sealer) Open(dst []byte, shape event.Shape, b []byte) ([]byte, error) {
	return s.openAtom(dst, label(shape), b)
}

// openAtom tries the key and then the old ones.
func (s *Sealer) openAtom(dst []byte, l label, b []byte) ([]byte, error) {
	err := ErrAltered
	for _, r := range s.keys {
		var out []byte
		if out, err = r.open(dst, l, b); err == nil {
			return out, nil
		}
	}
	return dst, err
}
