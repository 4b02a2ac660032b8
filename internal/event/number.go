package event

// NumberKind is what a telephone number is for, as its numbering plan says.
type NumberKind uint8

// The kinds. NoKind is any other: toll-free, shared cost, personal, unknown.
const (
	NoKind NumberKind = iota
	Geographic
	Mobile
	Satellite
	Premium
	EmergencyNumber
	NumNumberKinds
)

// String is the word in sip.number.*.type.
func (k NumberKind) String() string {
	return [NumNumberKinds]string{"", "geo", "mobile", "satellite", "premium", "emergency"}[k]
}

// PhoneNumber is what is told of the user of a URI that is a telephone number; see package
// enrich, which fills it when a record leaves.
type PhoneNumber struct {
	E164    Text    `private:"numbers,Number"` // with its + (ITU-T E.164); an emergency number has none
	Country [2]byte // ISO 3166-1 alpha-2, zeros where it has none
	Kind    NumberKind
	Valid   bool // its numbering plan has such a number
	Token   Text `private:"numbers,Digest"` // keyed, of the E.164 form; only masked records have one
}

// MaxE164 is the greatest number of digits of a number with its country code (ITU-T E.164
// §6).
const MaxE164 = 15

// telephone is the rows of one number.
func telephone(name string, of func(*Event) *PhoneNumber) []row {
	return []row{
		{name + ".e164", keyword, asNumber, func(e *Event, v *Value) { v.str(e, of(e).E164) }},
		{name + ".country_iso", keyword, public, func(e *Event, v *Value) {
			if c := &of(e).Country; c[0] != 0 {
				v.Form, v.Bytes = Str, c[:]
			}
		}},
		{name + ".type", keyword, public, func(e *Event, v *Value) { v.constant(of(e).Kind.String()) }},
		{name + ".valid", boolean, public, func(e *Event, v *Value) {
			if n := of(e); n.E164.n > 0 || n.Kind != NoKind {
				v.Form, v.Int = Bool, 0
				v.flag(n.Valid)
			}
		}},
		{name + ".token", keyword, asToken, func(e *Event, v *Value) { v.str(e, of(e).Token) }},
	}
}

// tokener is a Masker that gives numbers a name by which they meet.
type tokener interface {
	Token(dst, e164 []byte) []byte
}

// number masks a number. It was read out of a URI: where those are private and numbers are
// not, it is left out.
func (k *masking) number(n *PhoneNumber) {
	clear := k.from.Bytes(n.E164)
	numbers, uris := k.m.Private(Numbers), k.m.Private(URIs)
	if k.text(&n.E164, asNumber); uris && !numbers {
		n.E164 = Text{}
	}
	k.text(&n.Token, asToken)
	if t, ok := k.m.(tokener); ok && len(clear) > 0 && (numbers || uris) {
		at := len(k.to.buf)
		k.to.buf = t.Token(k.to.buf, clear)
		k.place(&n.Token, at)
	}
}
