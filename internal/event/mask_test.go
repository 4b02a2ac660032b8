package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

// shouting is a Masker whose values say what they were.
type shouting struct{ left [NumGroups]bool } // groups that are left out

func (m shouting) Label() *Label {
	return &Label{KeyID: "0123456789abcdef", Fields: []string{"uris:encrypt"}}
}

func (m shouting) Addr(a netip.Addr) netip.Addr {
	if m.left[Addresses] {
		return netip.Addr{}
	}
	b := a.AsSlice()
	b[0] ^= 0xff
	a, _ = netip.AddrFromSlice(b)
	return a
}

func (m shouting) Append(dst []byte, g Group, s Shape, b []byte) ([]byte, bool) {
	if m.left[g] {
		return append(dst, "rest"...), false
	}
	if s == Scheme && string(b) == "sip" { // which everybody knows
		return append(dst, b...), true
	}
	if s == Whole { // made of its parts, as by every Masker
		scheme, rest, _ := bytes.Cut(b, []byte(":"))
		user, host, ok := bytes.Cut(rest, []byte("@"))
		if !ok {
			return fmt.Appendf(dst, "%s:!%d%d%s", scheme, g, User, rest), true
		}
		return fmt.Appendf(dst, "%s:!%d%d%s@!%d%d%s", scheme, g, User, user, g, Host, host), true
	}
	return fmt.Appendf(dst, "!%d%d%s", g, s, b), true
}

func (m shouting) Digest(h Hash, _ ...Group) Hash { h[15] ^= 0xff; return h }
func (m shouting) Private(Group) bool             { return true }

// TestMaskDump: the path of a capture file stays where the Call-ID in it is masked already,
// as it is now or in any way, and is masked where it is clear, as after a reload.
func TestMaskDump(t *testing.T) {
	const path = "/spool/call-1.pcap"
	for _, c := range []struct {
		by   *Label
		stay bool
	}{
		{nil, false},
		{&Label{KeyID: "0123456789abcdef", Fields: []string{"uris:encrypt"}}, true},
		{&Label{KeyID: "fedcba9876543210", Fields: []string{"uris:encrypt"}}, false},
		{&Label{KeyID: "0123456789abcdef", Fields: []string{"addresses:encrypt"}}, false},
		{&Label{KeyID: "fedcba9876543210", Fields: []string{"addresses:encrypt", "call_ids:redact"}}, true},
	} {
		var e, masked Event
		e.Reset()
		e.Set(&e.Dump, []byte(path))
		e.DumpBy = c.by
		e.Mask(shouting{}, &masked)
		if got := string(masked.Bytes(masked.Dump)); (got == path) != c.stay {
			t.Errorf("named by %+v: %s", c.by, got)
		}
	}
}

// member is one value of a record and the tag of its member.
type member struct {
	name, tag string
	v         reflect.Value
}

func members(e *Event) (all []member) {
	var walk func(name, tag string, v reflect.Value)
	walk = func(name, tag string, v reflect.Value) {
		switch v.Interface().(type) {
		case Text, List, Hash, netip.Addr, netip.AddrPort, netip.Prefix:
			all = append(all, member{name, tag, v})
			return
		case masked, []byte:
			return
		}
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				f, of := v.Field(i), v.Type().Field(i)
				walk(name+"."+of.Name, of.Tag.Get("private"), reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem())
			}
		case reflect.Array:
			for i := range v.Len() {
				walk(name, tag, v.Index(i))
			}
		default:
			all = append(all, member{name, tag, v})
		}
	}
	walk("", "", reflect.ValueOf(e).Elem())
	return all
}

// shown is what a member says, wherever its bytes stand.
func (m member) shown(e *Event) []string {
	switch x := m.v.Interface().(type) {
	case Text:
		if x.n == 0 {
			return nil
		}
		return []string{string(e.Bytes(x))}
	case List:
		var all []string
		for b, ok := e.Next(&x); ok; b, ok = e.Next(&x) {
			all = append(all, string(b))
		}
		return all
	}
	return []string{fmt.Sprint(m.v.Interface())}
}

// every is a record of which each member says something.
func every(t *testing.T) *Event {
	t.Helper()
	var e Event
	e.Reset()
	for i, l := range leaves(&e) {
		l.set(t, &e, i)
	}
	e.SetURI(&e.From.URI, []byte("sip:from@h.example:1;p"), []byte("sip"), []byte("from"), []byte("h.example"), 1)
	e.Capture, e.Iface, e.Sequence, e.Direction = "capture", "eth0", 7, Inbound
	e.Rate = Rate{By: ByRate, Source: netip.MustParsePrefix("192.0.2.0/24")}
	e.Set(&e.HEP.Node, []byte("192.0.2.77"))
	for _, n := range []*PhoneNumber{&e.Caller, &e.Callee} {
		n.Country, n.Kind, n.Valid = [2]byte{'D', 'E'}, Premium, true
		e.Set(&n.E164, []byte("+499001234567"))
		e.Set(&n.Token, []byte("token"))
	}
	e.Headers.Clear()
	e.AddHeader(nil, "x-cid:", []byte("value"))
	e.AddHeader(nil, "x-other:", []byte("another"))
	return &e
}

// TestMaskMembers: each member is masked as its tag says, and each without a tag is what
// it was. A new member that Mask does not copy fails here.
func TestMaskMembers(t *testing.T) {
	e, got := every(t), full(CallEnd)
	e.Mask(shouting{}, got)
	was, is := members(e), members(got)
	for i, m := range was {
		a, b := m.shown(e), is[i].shown(got)
		if len(a) == 0 && !strings.HasPrefix(m.name, ".parts") {
			t.Errorf("%s is not set by this test", m.name)
		}
		want := slices.Clone(a)
		group, shape, _ := strings.Cut(m.tag, ",")
		switch {
		case m.tag == "digest":
			want = []string{fmt.Sprint(shouting{}.Digest(m.v.Interface().(Hash)))}
		case m.tag == "dropped":
			want = nil
			if k := is[i].v.Kind(); k != reflect.Struct {
				want = []string{fmt.Sprint(reflect.Zero(is[i].v.Type()).Interface())}
			}
		case shape == "Address":
			for j := range want {
				if want[j] == b[j] {
					t.Errorf("%s: %q stays", m.name, b[j])
				}
			}
			continue
		case m.tag != "":
			g := slices.Index(GroupNames[:], group)
			s := slices.Index([]string{"Plain", "Address", "Host", "User", "Whole", "NameAddr", "ViaValue", "CallID", "Tag", "Agent", "Number", "Digest", "Scheme", "Word"}, shape)
			for j := range want {
				name := ""
				if m.name == ".Headers" {
					name, want[j], _ = strings.Cut(want[j], ":")
					name += ":"
				}
				masked, _ := shouting{}.Append(nil, Group(g), Shape(s), []byte(want[j]))
				want[j] = name + string(masked)
			}
		}
		if !reflect.DeepEqual(want, b) && len(want)+len(b) > 0 {
			t.Errorf("%s `%s`: %q becomes %q", m.name, m.tag, a, b)
		}
	}
}

// TestMaskFields: of a record of each type exactly the private fields change, and none is
// gone.
func TestMaskFields(t *testing.T) {
	changed := map[string]bool{}
	for typ := CallStart; typ < NumTypes; typ++ {
		e := every(t)
		e.Type, e.Incomplete, e.Anomalies = typ, 0, 0
		if typ == Message {
			fillParts(e)
			e.SetPart(PartOwnerIP, []byte("2001:DB8::5"))
			e.SetPartURI(PartPrivate, []byte("sip:p@q"), []byte("sip"), []byte("p"), []byte("q"), 5)
			e.SetPartURI(PartAuth, []byte("sip:a@b"), []byte("sip"), []byte("a"), []byte("b"), 6)
		}
		var got Event
		e.Mask(shouting{}, &got)
		for i := range Fields {
			f := &Fields[i]
			var v, w Value
			f.Get(e, &v)
			f.Get(&got, &w)
			if strings.HasPrefix(f.Key, "sipcmbeat.privacy.") {
				continue
			}
			a, b := string(v.append(nil)), string(w.append(nil))
			if v.Form == Nothing || w.Form == Nothing {
				if v.Form != w.Form {
					t.Errorf("%s of %s: %s becomes %s", f.Key, typ, a, b)
				}
				continue
			}
			constant := f.Key == "event.action" && typ != Message || f.Shape == Scheme // all are sip
			if (a != b) != (f.Private != Public && !constant) {
				t.Errorf("%s of %s, %q: %s becomes %s", f.Key, typ, f.Private, a, b)
			}
			changed[f.Key] = changed[f.Key] || a != b || f.Shape == Scheme
		}
	}
	for i := range Fields {
		if f := &Fields[i]; f.Private != Public && !changed[f.Key] {
			t.Errorf("%s is never set by this test", f.Key)
		}
	}
}

// TestMaskLeftOut: what a group leaves out is in no field, nor does another value come in
// its place.
func TestMaskLeftOut(t *testing.T) {
	e := every(t)
	e.Type = OtherFailed
	for g := Addresses; g < NumGroups; g++ {
		var m shouting
		m.left[g] = true
		var got Event
		e.Mask(m, &got)
		text := string(AppendJSON(nil, &got, nil))
		if !json.Valid([]byte(text)) || strings.Contains(text, "rest") {
			t.Errorf("%s: %s", g, text)
		}
		for i := range Fields {
			f := &Fields[i]
			var v Value
			if f.Get(&got, &v); f.Private == g && f.Shape != Digest && v.Form != Nothing && f.Key != "event.action" {
				t.Errorf("%s: %s is %s", g, f.Key, v.append(nil))
			}
		}
	}
}

// TestMaskLarge: sealed values are not cut at MaxText; what has no room at all is left
// out, and the record says so.
func TestMaskLarge(t *testing.T) {
	var e, got Event
	e.Reset()
	long := bytes.Repeat([]byte{'x'}, MaxText)
	e.Set(&e.From.Display, long)
	e.Mask(shouting{}, &got)
	if n := got.From.Display.Len(); n <= MaxText || got.Anomalies&FieldCut != 0 {
		t.Errorf("%d bytes are left; anomalies %x", n, got.Anomalies)
	}
	for _, l := range []*List{&e.Via, &e.PAI, &e.Diversion} {
		for range MaxList {
			e.Add(l, long)
		}
	}
	e.Anomalies = 0
	e.Mask(growing{}, &got)
	if len(got.buf) > maxMasked || got.Anomalies&FieldCut == 0 {
		t.Errorf("%d bytes; anomalies %x", len(got.buf), got.Anomalies)
	}
	for _, m := range members(&got) {
		for _, b := range m.shown(&got) {
			if strings.HasPrefix(b, "x") {
				t.Errorf("%s is clear", m.name)
			}
		}
	}
}

// growing makes values much longer.
type growing struct{ shouting }

func (growing) Append(dst []byte, _ Group, _ Shape, b []byte) ([]byte, bool) {
	return append(append(dst, '!'), bytes.Repeat(b, 3)...), true
}

// TestUsual: phrases of everybody stay, in any case; others do not.
func TestUsual(t *testing.T) {
	for _, s := range []string{"OK", "Ok", "Busy Here", "SERVER INTERNAL ERROR", "Normal call clearing"} {
		if !Usual([]byte(s)) {
			t.Errorf("%q is unusual", s)
		}
	}
	for _, s := range []string{"", "OK ", "Busy Here 192.0.2.1", "alice", strings.Repeat("x", 2000)} {
		if Usual([]byte(s)) {
			t.Errorf("%q is usual", s)
		}
	}
	for p := range phrases {
		if len(p) > maxPhrase || p != strings.ToLower(p) || p == "" {
			t.Errorf("%q can not be found", p)
		}
	}
}

// TestMaskNoAllocation: buffers that have grown are used again.
func TestMaskNoAllocation(t *testing.T) {
	e := full(CallEnd)
	var got Event
	var m Masker = nothing{}
	if n := testing.AllocsPerRun(100, func() { e.Mask(m, &got) }); n != 0 {
		t.Errorf("a record allocates %v times", n)
	}
}

// nothing masks nothing.
type nothing struct{}

func (nothing) Addr(a netip.Addr) netip.Addr   { return a }
func (nothing) Digest(h Hash, _ ...Group) Hash { return h }
func (nothing) Private(Group) bool             { return false }
func (nothing) Append(dst []byte, _ Group, _ Shape, b []byte) ([]byte, bool) {
	return append(dst, b...), true
}

// TestMaskNothing: a record that is masked by who masks nothing reads as it did.
func TestMaskNothing(t *testing.T) {
	for typ := CallStart; typ < NumTypes; typ++ {
		e := full(typ)
		var got Event
		e.Mask(nothing{}, &got)
		if want, text := AppendJSON(nil, e, nil), AppendJSON(nil, &got, nil); !bytes.Equal(want, text) {
			t.Errorf("it reads\n%s\nwas\n%s", text, want)
		}
	}
}

func BenchmarkMaskNothing(b *testing.B) {
	e := full(CallEnd)
	var got Event
	b.ReportAllocs()
	for range b.N {
		e.Mask(nothing{}, &got)
	}
}

// TestMaskIDs: ids by which a call or a subscription is known again elsewhere go with the Call-IDs.
func TestMaskIDs(t *testing.T) {
	want := []string{"sip.subscription.event_id", "sip.sdp.owner.session_id", "sip.sdp.owner.version"}
	for _, r := range Fields {
		if slices.Contains(want, r.Key) && r.Secrecy != asCallID {
			t.Errorf("%s: %v", r.Key, r.Secrecy)
		}
	}
}
