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
	strictest := Clear
	s.modes[event.Public] = Clear
	for g, m := range s.modes {
		if m >= NumModes {
			return nil, fmt.Errorf("%s: no such mode: %d", event.Group(g), uint8(m))
		}
		if !Allowed(event.Group(g), m) {
			return nil, fmt.Errorf("%s: %s is for addresses and numbers only", event.Group(g), m)
		}
		strictest = max(strictest, m)
	}
	if s.modes[event.Errors] == Clear {
		s.modes[event.Errors] = textMode(strictest)
	}
	if strictest != Clear && cfg.Key == (Key{}) {
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
			return s.keys[0].digest(h)
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
func (s *Sealer) Addr(a netip.Addr) netip.Addr {
	m := s.modes[event.Addresses]
	if m == Clear || !a.IsValid() {
		return a
	}
	return s.keys[0].addr(a.Unmap().WithZone(""), m)
}

// OpenAddr is the address that the first key masked as a.
func (s *Sealer) OpenAddr(a netip.Addr) netip.Addr {
	if !a.IsValid() || len(s.keys) == 0 {
		return a
	}
	return s.keys[0].openAddr(a.Unmap().WithZone(""))
}

// Append appends the masked b, of a group and a shape, to dst; ok is false when the value
// is to be left out. It borrows b until it returns. A value of a clear group may hold some
// of a private one, an address in a Call-ID: what Private says of its group does not save
// the call.
func (s *Sealer) Append(dst []byte, g event.Group, shape event.Shape, b []byte) (out []byte, ok bool) {
	if len(s.keys) == 0 {
		return append(dst, b...), true
	}
	p := pass{modes: &s.modes, key: s.keys[0]}
	out = p.value(dst, g, shape, b)
	if p.gone {
		return dst, false
	}
	return out, true
}

// Open is OpenAs for the group that values of a shape belong to. A Plain value may be of
// any group: it has to be sealed.
func (s *Sealer) Open(dst []byte, shape event.Shape, b []byte) ([]byte, error) {
	if shape == event.Plain {
		err := ErrNotSealed
		for _, r := range s.keys {
			var out []byte
			if out, err = r.open(dst, labelPlain, b); err == nil {
				return out, nil
			}
		}
		return dst, err
	}
	return s.OpenAs(dst, groupOf[shape], shape, b)
}

// groupOf are the groups that values of a shape belong to, if nobody says otherwise.
var groupOf = [event.NumShapes]event.Group{
	event.Plain: event.Errors, event.Address: event.Addresses, event.Host: event.URIs, event.User: event.URIs,
	event.Whole: event.URIs, event.NameAddr: event.URIs, event.ViaValue: event.URIs, event.CallID: event.CallIDs,
	event.Tag: event.Tags, event.Agent: event.UserAgents, event.Number: event.Numbers, event.Scheme: event.URIs, event.Word: event.Errors,
}

// OpenAs appends to dst the value of a group and a shape that Append made b of, by a Sealer
// of the same modes. It tries the key and then the old ones, one for all parts of a value.
// What was masked one way stays as it is. The error says that b is not sealed where it
// should be (ErrNotSealed), or was altered or sealed with a key that is not there
// (ErrAltered).
func (s *Sealer) OpenAs(dst []byte, g event.Group, shape event.Shape, b []byte) ([]byte, error) {
	err := ErrNotSealed
	for _, r := range s.keys {
		p := pass{modes: &s.modes, key: r, open: true}
		out := p.value(dst, g, shape, b)
		if p.err == nil {
			return out, nil
		}
		err = p.err
	}
	if len(s.keys) == 0 {
		return append(dst, b...), nil
	}
	return dst, fmt.Errorf("%w (%s)", err, s.keyIDs())
}

// keyIDs names the keys that were tried.
func (s *Sealer) keyIDs() string {
	ids := "keys tried:"
	for _, r := range s.keys {
		ids += " " + r.id
	}
	return ids
}
