// Package privacy makes values that name a person unreadable, and readable again for who
// has the key.
//
// It knows shapes of values, not records: package event says which value has which shape.
// It allocates nothing for values that it has seen lately, and keeps no clear value
// anywhere but in a cache of fixed size.
package privacy

import (
	"net/netip"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// Mode is what becomes of the values of a group.
type Mode uint8

// The modes.
const (
	Clear    Mode = iota // as they are
	Encrypt              // readable again with the key
	HMAC                 // one way, equal values stay equal
	Truncate             // of addresses the network, of numbers the beginning
	Redact               // left out
	NumModes
)

// String is the word of the configuration.
func (m Mode) String() string {
	return [...]string{"clear", "encrypt", "hmac", "truncate", "redact"}[m]
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

// keptBits is how many bits of an address Truncate keeps.
func keptBits(a netip.Addr) int {
	if a.Is4() {
		return 24
	}
	return 48
}

// Config is what a Sealer needs to know.
type Config struct {
	Modes   [event.NumGroups]Mode
	Key     Key   // by which values are masked
	OldKeys []Key // that values may also have been masked with: for opening
}

// Key is a master key of 32 bytes.
type Key [32]byte
