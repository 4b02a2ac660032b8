package privacy

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"sync"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// show masks what a page shows, in place: v points to a structure of package view. What
// of it is private, and how, its members say:
//
//	From string `private:"uris,uri"`
//
// has the group and the kind; a kind may have several groups, separated by plus signs.
// Without a tag a text is public; a test has the list of those. Members that are left
// out become empty. note is told of what can be asked for, and may be nil.
func show(m event.Masker, v any, note func(kind, masked, clear string)) {
	w := shower{m: m, w: NewRewriter(m), note: note}
	x := reflect.ValueOf(v).Elem()
	w.walk(x, planOf(x.Type()))
}

// kind is how a text of a page is made up. Those of records are shapes.
type kind struct {
	name  string
	shape event.Shape
	text  func(w *shower, groups []event.Group, s string) (string, bool) // nil: by its shape
}

// kinds are the words of a tag.
var kinds = map[string]kind{
	"text":    {name: "text", shape: event.Plain},
	"uri":     {name: "uri", shape: event.Whole},
	"call_id": {name: "call_id", shape: event.CallID},
	"agent":   {name: "agent", shape: event.Agent},
	"word":    {name: "word", shape: event.Word},
	"cseq":    {name: "cseq", text: (*shower).cseq},
	"digest":  {name: "digest", text: (*shower).digest},
	"address": {name: "address", text: (*shower).address},
	"peer":    {name: "peer", text: (*shower).peer},
	"line":    {name: "line", text: (*shower).line},
}

// plan is what of a type is private.
type plan struct {
	groups []event.Group // of a text; nil: public
	kind   kind
	of     *plan    // of a pointer or a list: its element
	fields []member // of a structure
}

type member struct {
	index int
	plan  *plan
}

var plans sync.Map // of reflect.Type: *plan, nil where nothing is private

// planOf is nil where nothing of t is private.
func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	p := makePlan(t)
	plans.Store(t, p)
	return p
}

func makePlan(t reflect.Type) *plan {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		if of := planOf(t.Elem()); of != nil {
			return &plan{of: of}
		}
	case reflect.Struct:
		var p plan
		for i := range t.NumField() {
			f := t.Field(i)
			if !f.IsExported() {
				continue
			}
			of := planOf(f.Type)
			if tag, ok := f.Tag.Lookup("private"); ok {
				of = tagged(t, f, tag)
			}
			if of != nil {
				p.fields = append(p.fields, member{i, of})
			}
		}
		if p.fields != nil {
			return &p
		}
	}
	return nil
}

// tagged reads a tag. One that is wrong is a fault that every test finds.
func tagged(t reflect.Type, f reflect.StructField, tag string) *plan {
	names, word, _ := strings.Cut(tag, ",")
	k, ok := kinds[word]
	p := &plan{kind: k}
	for name := range strings.SplitSeq(names, "+") {
		g := groupNamed(name)
		ok = ok && g != event.Public
		p.groups = append(p.groups, g)
	}
	list := f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.String
	if !ok || !list && f.Type.Kind() != reflect.String {
		panic(fmt.Sprintf("%s.%s: the tag private:%q is none", t, f.Name, tag))
	}
	if list {
		return &plan{of: p}
	}
	return p
}

func groupNamed(name string) event.Group {
	for g := event.Public + 1; g < event.NumGroups; g++ {
		if g.String() == name {
			return g
		}
	}
	return event.Public
}

// shower is one call of show.
type shower struct {
	m    event.Masker
	w    *Rewriter
	note func(kind, masked, clear string) // told of what can be asked for; may be nil
	b    []byte
}

func (w *shower) walk(v reflect.Value, p *plan) {
	switch {
	case p == nil:
	case p.groups != nil:
		if s := v.String(); s != "" {
			masked := w.text(p, s)
			if v.SetString(masked); w.note != nil && masked != s && masked != "" {
				w.note(p.kind.name, masked, s)
			}
		}
	case p.fields != nil:
		for _, f := range p.fields {
			w.walk(v.Field(f.index), f.plan)
		}
	case v.Kind() == reflect.Pointer:
		if !v.IsNil() {
			w.walk(v.Elem(), p.of)
		}
	default:
		for i := range v.Len() {
			w.walk(v.Index(i), p.of)
		}
	}
}

// text masks a text that is not empty; "" leaves it out.
func (w *shower) text(p *plan, s string) string {
	if p.kind.text != nil {
		masked, ok := p.kind.text(w, p.groups, s)
		if !ok {
			return ""
		}
		return masked
	}
	out, ok := w.m.Append(w.b[:0], p.groups[0], p.kind.shape, []byte(s))
	if !ok {
		return ""
	}
	w.b = out
	return string(out)
}

// digest keys a hash in hexadecimal.
func (w *shower) digest(groups []event.Group, s string) (string, bool) {
	return Digest(w.m, s, groups...)
}

// Digest keys a hash as pages write it; false where it is none.
func Digest(m event.Masker, s string, groups ...event.Group) (string, bool) {
	var h event.Hash
	if len(s) != 2*len(h) {
		return "", false
	}
	if _, err := hex.Decode(h[:], []byte(s)); err != nil {
		return "", false
	}
	h = m.Digest(h, groups...)
	return hex.EncodeToString(h[:]), true
}

// address masks an address, one with a port, or a network.
func (w *shower) address(_ []event.Group, s string) (string, bool) { return Address(w.m, s) }

// peer masks what is named by its address; a name of the configuration stays.
func (w *shower) peer(_ []event.Group, s string) (string, bool) { return Peer(w.m, s), true }

// leftOut is a peer whose address is left out: none at all would be everybody.
const leftOut = "private"

// Peer masks a text that is an address or a network, and leaves others as they are.
func Peer(m event.Masker, s string) string {
	if _, _, ok := parseEnd(s); !ok {
		return s
	}
	masked, ok := Address(m, s)
	if !ok {
		return leftOut
	}
	return masked
}

// Address masks an address, one with a port, or a network; false where nothing of it is
// shown, or it is none of these.
func Address(m event.Masker, s string) (string, bool) {
	if !m.Private(event.Addresses) {
		return s, true
	}
	p, port, ok := parseEnd(s)
	if !ok {
		return "", false
	}
	if port != "" {
		a := m.Addr(p.Addr())
		if !a.IsValid() {
			return "", false
		}
		if a.Is6() {
			return "[" + a.String() + "]:" + port, true
		}
		return a.String() + ":" + port, true
	}
	p = Network(m, p)
	if !p.IsValid() {
		return "", false
	}
	return string(event.AppendSource(nil, p)), true
}

// Network masks an address or a network of a list; that of a masked one of another
// family is one address. Not valid where it is left out.
func Network(m event.Masker, p netip.Prefix) netip.Prefix {
	a := m.Addr(p.Addr())
	if !a.IsValid() {
		return netip.Prefix{}
	}
	if a.BitLen() != p.Addr().BitLen() {
		return netip.PrefixFrom(a, a.BitLen())
	}
	return netip.PrefixFrom(a, p.Bits()).Masked()
}

// parseEnd reads an address, one with a port, or a network.
func parseEnd(s string) (p netip.Prefix, port string, ok bool) {
	if a, err := netip.ParseAddr(s); err == nil {
		a = a.WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), "", true
	}
	if end, err := netip.ParseAddrPort(s); err == nil {
		a := end.Addr().WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), s[strings.LastIndexByte(s, ':')+1:], true
	}
	p, err := netip.ParsePrefix(s)
	return p, "", err == nil
}

// line masks the start line of a message.
func (w *shower) line(_ []event.Group, s string) (string, bool) {
	return string(w.w.AppendLine(nil, []byte(s))), true
}

// cseq masks the method behind a number.
func (w *shower) cseq(groups []event.Group, s string) (string, bool) {
	number, method, ok := strings.Cut(s, " ")
	out, shown := w.m.Append(append([]byte(number), ' '), groups[0], event.Word, []byte(method))
	return string(out), ok && shown
}
