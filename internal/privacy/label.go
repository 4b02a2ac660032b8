package privacy

import (
	"strings"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// MinPassphrase is the least length of a passphrase, in bytes.
const MinPassphrase = minPhrase

// ReadPassphrase reads a passphrase from a file that nobody but its owner may read. The
// end of its line is no part of it.
func ReadPassphrase(path string) (string, error) {
	b, err := secretFile(path, maxKeyFile)
	return strings.TrimRight(string(b), "\r\n"), err
}

// ParseMode finds a mode by its word.
func ParseMode(word string) (Mode, bool) {
	for m := Clear; m < NumModes; m++ {
		if m.String() == word {
			return m, true
		}
	}
	return Clear, false
}

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
