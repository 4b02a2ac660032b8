package privacy

import "github.com/sipcmbeat/sipcmbeat/internal/event"

// Label is what records say that s masks; nil where it masks nothing.
func (s *Sealer) Label() *event.Label { return s.label }

// newLabel names the groups that are not clear.
func newLabel(keyID string, modes *[event.NumGroups]Mode) *event.Label {
	l := &event.Label{KeyID: keyID}
	for g, m := range modes {
		if m != Clear {
			l.Fields = append(l.Fields, event.Group(g).String()+":"+m.String())
		}
	}
	if len(l.Fields) == 0 {
		return nil
	}
	return l
}

// ReadLabel is the inverse: the modes that a record says it was masked with. It skips
// what it does not know.
func ReadLabel(fields []string) (modes [event.NumGroups]Mode) {
	for _, f := range fields {
		for g := event.Public + 1; g < event.NumGroups; g++ {
			name := g.String()
			if len(f) > len(name) && f[:len(name)] == name && f[len(name)] == ':' {
				if m, ok := ParseMode(f[len(name)+1:]); ok {
					modes[g] = m
				}
			}
		}
	}
	return modes
}
