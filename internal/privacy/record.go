package privacy

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// Reader opens records of JSON: those of this program, native or with older names, and
// those inside a "_source", as Elasticsearch gives them out. What it does not open it
// copies byte by byte. It is not safe for concurrent use.
type Reader struct {
	keys   *Sealer
	fields map[string]event.Secrecy

	text   []byte            // room for one value
	opened map[string][]byte // by group, shape and text, of opener
	opener *Sealer
	last   struct {
		raw    []byte // the object sipcmbeat of the record before
		sealer *Sealer
	}
}

// Opened counts what a Reader did with values.
type Opened struct {
	Records int // with a label of privacy
	Values  int // opened
	OneWay  int // masked in a way that is never undone, hashes included
}

// MissingKey is the error of a record whose key is not there.
type MissingKey struct{ ID string }

func (e MissingKey) Error() string { return "it was sealed with key " + e.ID + ", which is not given" }

// NewReader makes a Reader of a key and of others.
func NewReader(key Key, others ...Key) (*Reader, error) {
	s, err := New(Config{Key: key, OldKeys: others})
	if err != nil {
		return nil, err
	}
	return &Reader{keys: s, fields: privateFields(), opened: map[string][]byte{}}, nil
}

// privateFields are the fields that are masked, native and with older names.
func privateFields() map[string]event.Secrecy {
	fields := map[string]event.Secrecy{kpiPeer: {Private: event.Addresses, Shape: event.Address}}
	for _, table := range [][]event.Field{event.OlderFields(), event.Fields} {
		for i := range table {
			if f := &table[i]; f.Private != event.Public {
				fields[f.Key] = f.Secrecy
			}
		}
	}
	return fields
}

// secrecyOf is that of a field by its key, false for one that is never masked. Headers that
// the configuration names have no row of their own.
func secrecyOf(fields map[string]event.Secrecy, key []byte) (event.Secrecy, bool) {
	secrecy, private := fields[string(key)]
	if !private && bytes.HasPrefix(key, []byte(event.HeaderPrefix)) {
		return event.Secrecy{Private: event.Errors, Shape: event.Plain}, true
	}
	return secrecy, private
}

// kpiPeer is the only private field of records that are no events: an address, or a name
// that the configuration gives.
const kpiPeer = "sip.kpi.peer"

// As is a Sealer of the same keys with other modes.
func (s *Sealer) As(modes [event.NumGroups]Mode) *Sealer {
	other := *s
	other.modes, other.label = modes, newLabel(s.KeyID(), &modes)
	return &other
}

// Value opens a single value of whatever shape that holds a sealed text, and says which
// it is. An address does not say whether it is masked: it is no such value.
func (r *Reader) Value(dst, b []byte) ([]byte, event.Shape, error) {
	for _, k := range r.keys.keys {
		for l := range numLabels {
			if out, err := k.open(dst, l, b); err == nil {
				return out, min(event.Shape(l), event.NumShapes), nil
			}
		}
	}
	var modes [event.NumGroups]Mode
	for g := event.Public + 1; g < event.NumGroups; g++ {
		modes[g] = Encrypt
	}
	s := r.keys.As(modes)
	err := ErrNotSealed
	for _, shape := range [...]event.Shape{event.ViaValue, event.Whole, event.NameAddr} {
		out, wrong := s.Open(dst, shape, b)
		if wrong == nil && !bytes.Equal(out[len(dst):], b) {
			return out, shape, nil
		}
		if errors.Is(wrong, ErrAltered) {
			err = wrong
		}
	}
	if isSealed(b) {
		err = ErrAltered
	}
	return dst, event.Plain, fmt.Errorf("%w (%s)", err, r.keys.keyIDs())
}

// Addr opens an address that was masked by the key of an id, the first where it is empty.
func (r *Reader) Addr(a netip.Addr, keyID string) (netip.Addr, error) {
	s := r.keys
	if keyID != "" {
		var ok bool
		if s, ok = r.keys.With(keyID); !ok {
			return a, MissingKey{keyID}
		}
	}
	return s.OpenAddr(a), nil
}
