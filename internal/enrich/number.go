// Package enrich says of events what can be looked up about their values without asking
// anybody: of a telephone number its E.164 form, its country and what it is for.
//
// It changes nothing that was on the wire, guesses no owners, and does its work where
// records leave, off the way of packets. What is looked up is kept in a cache of fixed
// size. Events are borrowed for one call.
package enrich

import (
	"bytes"
	"sync"

	"github.com/nyaruka/phonenumbers"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// Numbers looks telephone numbers up. It is safe for concurrent use: the publisher and
// the pages share one.
type Numbers struct {
	mu         sync.Mutex
	country    string
	young, old map[key]about // two generations: a full one becomes the old one
}

// generation is how many numbers one generation holds; both take a megabyte.
const generation = 8192

// key is a number as dialled, without separators.
type key struct {
	n uint8
	b [maxDialled]byte
}

// maxDialled bounds the digits that are a number: an international prefix and a carrier's
// code may stand before the fifteen of E.164.
const maxDialled = 24

// about is what a number says; all zeros for what is none.
type about struct {
	e164    [event.MaxE164 + 1]byte
	n       uint8
	country [2]byte
	kind    event.NumberKind
	valid   bool
}

// New reads numbers as they are dialled in a country (ISO 3166-1 alpha-2); without one
// only those that begin with + or 00.
func New(country string) *Numbers {
	n := &Numbers{}
	n.SetCountry(country)
	return n
}

// SetCountry reads numbers as another country does from now on.
func (n *Numbers) SetCountry(country string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.young != nil && n.country == country {
		return
	}
	n.country, n.young, n.old = country, map[key]about{}, nil
}

// IsCountry tells whether numbering plans know a country.
func IsCountry(iso string) bool { return phonenumbers.GetSupportedRegions()[iso] }

// Add fills e.Caller and e.Callee, where From, and Request-URI or To, name a telephone
// number. A registration has no callee.
func (n *Numbers) Add(e *event.Event) {
	e.Caller, e.Callee = event.PhoneNumber{}, event.PhoneNumber{}
	n.add(e, &e.Caller, &e.From.URI)
	if string(e.Bytes(e.Method)) == "REGISTER" || e.AOR.All.Len() > 0 {
		return
	}
	if n.add(e, &e.Callee, &e.RequestURI); e.Callee == (event.PhoneNumber{}) {
		n.add(e, &e.Callee, &e.To.URI)
	}
}

func (n *Numbers) add(e *event.Event, to *event.PhoneNumber, u *event.URI) {
	var k key
	if !dialled(&k, e, u) {
		return
	}
	a := n.look(k)
	if a.n > 0 {
		e.Set(&to.E164, a.e164[:a.n])
	}
	to.Country, to.Kind, to.Valid = a.country, a.kind, a.valid
}

// dialled reads a number out of a URI: the user of a sip URI, what a tel URI names; each
// with the context that RFC 3966 §5.1.5 has for local numbers.
func dialled(k *key, e *event.Event, u *event.URI) bool {
	number := e.Bytes(u.User)
	if all := e.Bytes(u.All); bytes.EqualFold(e.Bytes(u.Scheme), []byte("tel")) && len(all) > len("tel:") {
		number = all[len("tel:"):] // with its parameters
	}
	number, parameters, _ := bytes.Cut(number, []byte(";"))
	if len(number) == 0 {
		return false
	}
	if number[0] != '+' {
		if context, ok := contextOf(parameters); ok {
			return len(context) > 0 && context[0] == '+' && k.append(context) && k.append(number)
		}
	}
	return k.append(number) && k.n >= minDialled
}

// minDialled is the length of the shortest number, that of an emergency.
const minDialled = 3

// contextOf is the value of phone-context among parameters.
func contextOf(parameters []byte) ([]byte, bool) {
	for len(parameters) > 0 {
		var one []byte
		one, parameters, _ = bytes.Cut(parameters, []byte(";"))
		if name, value, _ := bytes.Cut(one, []byte("=")); bytes.EqualFold(name, []byte("phone-context")) {
			return value, true
		}
	}
	return nil, false
}

// append adds the digits of b, which may begin with + and have visual separators (RFC
// 3966 §5.1.1); false when there is anything else in it, or too much.
func (k *key) append(b []byte) bool {
	for i, c := range b {
		switch {
		case c == '-' || c == '.' || c == '(' || c == ')' || c == ' ':
		case (c >= '0' && c <= '9' || c == '+' && i == 0 && k.n == 0) && int(k.n) < len(k.b):
			k.b[k.n] = c
			k.n++
		default:
			return false
		}
	}
	return k.n > 0
}

// look gives what a number says, from the cache or the library.
func (n *Numbers) look(k key) about {
	n.mu.Lock()
	defer n.mu.Unlock()
	a, ok := n.young[k]
	if ok {
		return a
	}
	if a, ok = n.old[k]; !ok {
		a = read(string(k.b[:k.n]), n.country)
	}
	if len(n.young) >= generation {
		spare := n.old
		clear(spare)
		n.old, n.young = n.young, spare
		if n.young == nil {
			n.young = make(map[key]about, generation)
		}
	}
	n.young[k] = a
	return a
}

// read asks the numbering plans. A number that says its country itself has an E.164 form
// when its length is possible; one that is only understood by the country it is dialled
// in has one only when it is valid there, since the number of an extension would be given
// the country's code otherwise.
func read(dialled, country string) (a about) {
	if country != "" && phonenumbers.IsEmergencyNumber(dialled, country) {
		copy(a.country[:], country)
		a.kind, a.valid = event.EmergencyNumber, true
		return a
	}
	international := dialled
	if len(dialled) > 2 && dialled[:2] == "00" {
		international = "+" + dialled[2:]
	}
	if dialled[0] != '+' && country != "" {
		if number, err := phonenumbers.Parse(dialled, country); err == nil {
			if a := tell(number); a.valid {
				return a
			}
		}
	}
	if international[0] == '+' {
		if number, err := phonenumbers.Parse(international, "ZZ"); err == nil && phonenumbers.IsPossibleNumber(number) {
			return tell(number)
		}
	}
	return about{}
}

func tell(number *phonenumbers.PhoneNumber) (a about) {
	form := phonenumbers.Format(number, phonenumbers.E164)
	if len(form) > len(a.e164) {
		return about{}
	}
	of := phonenumbers.GetNumberType(number)
	a.n, a.valid = uint8(copy(a.e164[:], form)), of != phonenumbers.UNKNOWN
	if region := phonenumbers.GetRegionCodeForNumber(number); len(region) == len(a.country) {
		copy(a.country[:], region) // those without a country, such as +800, have digits
	}
	a.kind = kind(of, form)
	return a
}

// satellites are the codes of satellite systems (ITU-T E.164 Annex D): Inmarsat, the
// global mobile satellite system, and of the international networks Thuraya.
var satellites = [...]string{"+870", "+881", "+88216"}

func kind(of phonenumbers.PhoneNumberType, form string) event.NumberKind {
	for _, s := range satellites {
		if len(form) > len(s) && form[:len(s)] == s {
			return event.Satellite
		}
	}
	switch of {
	case phonenumbers.FIXED_LINE, phonenumbers.FIXED_LINE_OR_MOBILE: // North America does not tell
		return event.Geographic
	case phonenumbers.MOBILE:
		return event.Mobile
	case phonenumbers.PREMIUM_RATE:
		return event.Premium
	}
	return event.NoKind
}
