package event

import (
	"net/netip"
)

// Form is the shape of a field's value.
type Form uint8

// The shapes. Nothing means that the event does not have the field.
const (
	Nothing    Form = iota
	Str             // one text
	Const           // one text that the program itself knows
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
	List   List
	Addr   netip.Addr
	Hash   Hash
	Word   func(bit int) string
	Some   [8][]byte
	NSome  int
	source *Event
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
		v.Form, v.Float = Float, float64(ns)/1e6
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

// Each calls f with each text of a value that is a list, in order. Texts that
// the program knows come as bytes too; f borrows them.
func (v *Value) Each(f func([]byte)) {
	var b [64]byte
	switch v.Form {
	case Consts:
		for _, s := range v.Texts {
			f(append(b[:0], s...))
		}
	case Strs:
		l := v.List
		for t, ok := v.source.Next(&l); ok; t, ok = v.source.Next(&l) {
			f(t)
		}
	case Addrs:
		l := v.List
		for t, ok := v.source.Next(&l); ok; t, ok = v.source.Next(&l) {
			if a, ok := netip.AddrFromSlice(t); ok {
				f(a.AppendTo(b[:0]))
			}
		}
	case Words:
		for bit := range 64 {
			if uint64(v.Int)>>bit&1 == 1 {
				f(append(b[:0], v.Word(bit)...))
			}
		}
	case DistinctTo:
		for _, t := range v.Some[:v.NSome] {
			f(t)
		}
	}
}

// EachInt calls f with each number of a list of numbers.
func (v *Value) EachInt(f func(int64)) {
	if v.Form != Codes {
		return
	}
	l := v.List
	for t, ok := v.source.Next(&l); ok; t, ok = v.source.Next(&l) {
		f(int64(t[0])<<8 | int64(t[1]))
	}
}
