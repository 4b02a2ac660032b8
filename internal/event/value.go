package event

import (
	"net/netip"
	"slices"
)

// Form is the shape of a field's value.
type Form uint8

// The shapes. Nothing means that the event does not have the field.
const (
	Nothing    Form = iota
	Str             // one text
	Const           // one text that the program itself knows, as it stands
	Quoted          // one text that somebody else chose
	Int             // whole number
	Float           // number with a fraction
	Bool            // true or false
	Date            // Unix time in nanoseconds
	Addr            // one address
	Strs            // texts in a List
	Consts          // texts that the program itself knows
	Addrs           // addresses in a List
	Codes           // status codes in a List
	Words           // words chosen by a bit set
	IDHash          // hexadecimal
	DistinctTo      // a few texts, each once
)

// Value is what a field's getter found. It borrows from the event.
type Value struct {
	Form   Form
	Bytes  []byte
	Text   string
	Texts  []string
	Int    int64
	Float  float64
	Digits int // of the fraction: a Float is Int divided by ten to this
	List   List
	Addr   netip.Addr
	Hash   Hash
	Word   func(bit int) string
	Some   [8][]byte
	NSome  int
	Also   [6]netip.Addr // after those in List
	NAlso  int
	source *Event
	next   int      // where Next stands
	text   [64]byte // what Next returns of addresses and words
	long   []byte   // room for a text that is put together
}

func (v *Value) str(e *Event, t Text) {
	if t.n > 0 {
		v.Form, v.Bytes = Str, e.Bytes(t)
	}
}

func (v *Value) constant(s string) {
	if s != "" {
		v.Form, v.Text = Const, s
	}
}

func (v *Value) quoted(s string) {
	if s != "" {
		v.Form, v.Text = Quoted, s
	}
}

func (v *Value) constants(s []string) { v.Form, v.Texts = Consts, s }

func (v *Value) integer(n int64) { v.Form, v.Int = Int, n }

func (v *Value) positive(n int64) {
	if n > 0 {
		v.Form, v.Int = Int, n
	}
}

// ms renders a span of nanoseconds as milliseconds; absent spans are left out.
func (v *Value) ms(ns int64) {
	if ns != absent {
		v.Form, v.Float, v.Int, v.Digits = Float, float64(ns)/1e6, ns, 6
	}
}

// milli renders thousandths; a negative number is absent.
func (v *Value) milli(n int32) {
	if n >= 0 {
		v.Form, v.Float, v.Int, v.Digits = Float, float64(n)/1e3, int64(n), 3
	}
}

// seconds does the same in seconds.
func (v *Value) seconds(ns int64) {
	if ns != absent {
		v.Form, v.Float, v.Int, v.Digits = Float, float64(ns)/1e9, ns, 9
	}
}

func (v *Value) flag(b bool) {
	if b {
		v.Form, v.Int = Bool, 1
	}
}

func (v *Value) date(ns int64) {
	if ns != 0 {
		v.Form, v.Int = Date, ns
	}
}

func (v *Value) addr(a netip.Addr) {
	if a.IsValid() {
		v.Form, v.Addr = Addr, a
	}
}

func (v *Value) list(e *Event, form Form, l List) {
	if l.n > 0 {
		v.Form, v.List, v.source = form, l, e
	}
}

func (v *Value) words(bits uint64, word func(int) string) {
	if bits != 0 {
		v.Form, v.Int, v.Word = Words, int64(bits), word
	}
}

func (v *Value) hash(h Hash) {
	if h != (Hash{}) {
		v.Form, v.Hash = IDHash, h
	}
}

// some adds b to a small set of texts, once.
func (v *Value) some(b []byte) {
	if len(b) == 0 || v.NSome == len(v.Some) {
		return
	}
	for _, have := range v.Some[:v.NSome] {
		if string(have) == string(b) {
			return
		}
	}
	v.Some[v.NSome] = b
	v.NSome++
	v.Form = DistinctTo
}

// alsoAddr adds an address behind those of a list, once.
func (v *Value) alsoAddr(e *Event, a netip.Addr) {
	a = a.Unmap()
	if v.NAlso == len(v.Also) || a.IsUnspecified() || e.HasAddr(e.Legs, a) || slices.Contains(v.Also[:v.NAlso], a) {
		return
	}
	v.Also[v.NAlso] = a
	v.NAlso++
	v.Form, v.source = Addrs, e
}

// Next returns the texts of a value that is a list, one a call, in order; each is
// borrowed until the next call. Those that the program itself knows come as bytes
// too.
func (v *Value) Next() ([]byte, bool) {
	switch v.Form {
	case Consts:
		if v.next < len(v.Texts) {
			v.next++
			return append(v.text[:0], v.Texts[v.next-1]...), true
		}
	case Strs:
		return v.source.Next(&v.List)
	case Addrs:
		if t, ok := v.source.Next(&v.List); ok {
			a, _ := netip.AddrFromSlice(t)
			return a.AppendTo(v.text[:0]), true
		}
		if v.next < v.NAlso {
			v.next++
			return v.Also[v.next-1].AppendTo(v.text[:0]), true
		}
	case Words:
		for ; v.next < 64; v.next++ {
			if uint64(v.Int)>>v.next&1 == 1 {
				v.next++
				return append(v.text[:0], v.Word(v.next-1)...), true
			}
		}
	case DistinctTo:
		if v.next < v.NSome {
			v.next++
			return v.Some[v.next-1], true
		}
	}
	return nil, false
}

// NextInt returns the numbers of a list of numbers, one a call.
func (v *Value) NextInt() (int64, bool) {
	if v.Form != Codes {
		return 0, false
	}
	t, ok := v.source.Next(&v.List)
	if !ok {
		return 0, false
	}
	return int64(t[0])<<8 | int64(t[1]), true
}

// Each calls f with what Next returns.
func (v *Value) Each(f func([]byte)) {
	for b, ok := v.Next(); ok; b, ok = v.Next() {
		f(b)
	}
}
