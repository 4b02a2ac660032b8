package privacy

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/privacy"
)

// alone masks one group.
func alone(t *testing.T, g event.Group, m privacy.Mode) *privacy.Sealer {
	t.Helper()
	cfg := privacy.Config{Key: testKey}
	cfg.Modes[g] = m
	s, err := privacy.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// of are the values of a group, by the table of fields: those that no field of another
// group has too, which stays clear and is not theirs to hide. Of addresses it is the text,
// of numbers what begins with a plus: docs/privacy.md says what is taken for one within
// another value.
func (s *secrets) of(g event.Group) *secrets {
	mine := &secrets{values: map[string]string{}, public: s.public}
	others := map[string]bool{}
	var v event.Value
	for _, e := range s.clear {
		for i := range schema.Fields {
			f := &schema.Fields[i]
			f.Get(e, &v)
			take := func(text string) {
				switch {
				case f.Private != g || f.Shape == event.Digest || f.Shape == event.Word:
					others[string(lower([]byte(text)))] = true
				case event.Usual([]byte(text)):
				case f.Key == "sip.transaction.branch": // some make their tags of it
				case g == event.Addresses && f.Mapping != "ip":
				case g == event.Numbers && !strings.HasPrefix(text, "+"):
				default:
					mine.put(f.Key, text)
				}
			}
			switch v.Form {
			case event.Str:
				take(string(v.Bytes))
			case event.Addr:
				take(v.Addr.String())
			case event.Strs, event.Addrs, event.DistinctTo:
				v.Each(func(b []byte) { take(string(b)) })
			}
		}
	}
	for value := range mine.values {
		_, err := netip.ParseAddr(value)
		if g != event.Addresses && (others[value] || err == nil) {
			delete(mine.values, value)
		}
	}
	return mine
}

// TestOneGroupAlone: what one group hides does not stand in the fields of the others,
// which are clear. Users and hosts in a Call-ID or a User-Agent, and tags in a branch, are
// not theirs: whoever leaves those clear has them.
func TestOneGroupAlone(t *testing.T) { oneGroupAlone(t, append(own(t), lab(t)...)) }

// TestSharedOneGroupAlone is the same over the captures of other projects.
func TestSharedOneGroupAlone(t *testing.T) { oneGroupAlone(t, corpus(t)) }

// mostAlone bounds the records of a long capture: what follows is more of the same.
const mostAlone = 3000

func oneGroupAlone(t *testing.T, files []string) {
	for _, file := range files {
		t.Run(name(file), func(t *testing.T) {
			t.Parallel()
			s := collect(t, unnamed(t, file))
			s.clear = s.clear[:min(len(s.clear), mostAlone)]
			for _, g := range []event.Group{event.Addresses, event.Numbers, event.CallIDs, event.UserAgents} {
				x := newSearcher(s.of(g))
				for _, mode := range []privacy.Mode{privacy.Encrypt, privacy.Redact} {
					m := alone(t, g, mode)
					for _, h := range x.search(maskedAs(s.clear, m, schema)) {
						t.Errorf("%s: %s: %v", g, mode, h)
					}
				}
			}
		})
	}
}
