package event

import (
	"bytes"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"unsafe"
)

// unpacked are the fields that a packed record leaves out.
var unpacked = map[string]bool{"Capture": true, "Iface": true, "Sequence": true, "Direction": true, "Rate": true, "Caller": true, "Callee": true, "buf": true, "parts": true, "masked": true, "DumpBy": true}

// leaf is one value of a record: a text, a list, a URI, a number.
type leaf struct {
	name string
	v    reflect.Value
}

// leaves lists all values of e that are packed, by reflection: a field that is added
// to Event is in it.
func leaves(e *Event) (all []leaf) {
	var walk func(name string, v reflect.Value)
	walk = func(name string, v reflect.Value) {
		switch v.Interface().(type) {
		case Text, List, URI, Hash, netip.Addr, netip.AddrPort:
			all = append(all, leaf{name, v})
			return
		}
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				f := v.Field(i)
				if n := v.Type().Field(i).Name; !unpacked[n] {
					walk(name+"."+n, reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem())
				}
			}
		case reflect.Array:
			for i := range v.Len() {
				walk(name, v.Index(i))
			}
		default:
			all = append(all, leaf{name, v})
		}
	}
	walk("", reflect.ValueOf(e).Elem())
	return all
}

// set gives a leaf a value that another is not likely to have: n counts them.
func (l leaf) set(t *testing.T, e *Event, n int) {
	switch x := l.v.Addr().Interface().(type) {
	case *Text:
		value := []byte(strings.Repeat("t", n%7) + l.name)
		if l.name == ".quality" {
			value = make([]byte, qualitySize)
		}
		e.Set(x, value)
	case *List:
		for i := range 3 {
			switch l.name {
			case ".Legs":
				e.AddAddr(x, []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("192.0.2.10")}[i])
			case ".Codes":
				e.AddCode(x, uint16(486+i))
			default:
				e.Add(x, []byte(strings.Repeat("l", i*100)))
			}
		}
	case *URI:
		e.SetURI(x, []byte("sip:"+l.name+"@h.example:1;p"), []byte("sip"), []byte(l.name), []byte("h.example"), uint16(n+1))
	case *Hash:
		*x = Hash{byte(n + 1), 15: 1}
	case *netip.Addr:
		*x = netip.MustParseAddr("2001:db8::7")
	case *netip.AddrPort:
		*x = netip.AddrPortFrom([]netip.Addr{netip.MustParseAddr("192.0.2.9"), netip.MustParseAddr("::ffff:192.0.2.1"), netip.MustParseAddr("fe80::1%zone")}[n%3], uint16(n))
	case *bool:
		*x = true
	case *Type:
		*x = NumTypes - 1
	case *Outcome:
		*x = Failure
	case *Side:
		*x = SideUnknown
	case *SubState:
		*x = SubTerminated
	case *Transport:
		*x = SCTP
	case *Correlation:
		*x = ByHEP
	case *Incomplete:
		*x = 1<<numIncomplete - 1
	case *Anomalies:
		*x = 1<<numAnomalies - 1
	case *uint8:
		*x = math.MaxUint8
	case *int16:
		*x = math.MinInt16
	case *uint16:
		*x = math.MaxUint16
	case *uint32:
		*x = math.MaxUint32
	case *int64:
		*x = []int64{math.MinInt64 + 1, 0, math.MaxInt64 - 1, 1767225600e9}[n%4]
	default:
		t.Fatalf("%s: this test cannot set a %T: teach it, and AppendPacked", l.name, x)
	}
}

// value is what a leaf says, wherever its bytes stand.
func (l leaf) value(e *Event) any {
	switch x := l.v.Interface().(type) {
	case Text:
		return string(e.Bytes(x))
	case URI:
		return [...]any{string(e.Bytes(x.All)), string(e.Bytes(x.Scheme)), string(e.Bytes(x.User)), string(e.Bytes(x.Host)), x.Port}
	case List:
		all := ""
		for v, ok := e.Next(&x); ok; v, ok = e.Next(&x) {
			all += string(v) + "\n"
		}
		return all
	}
	return l.v.Interface()
}

// back packs e and unpacks it into another record, which held something before.
func back(t *testing.T, e *Event) *Event {
	t.Helper()
	b := e.AppendPacked([]byte("before"))
	got := full(RegNew)
	rest, ok := got.Unpack(append(b, "behind"...)[len("before"):])
	if !ok || string(rest) != "behind" {
		t.Fatalf("unpacking fails: %v, %q is left", ok, rest)
	}
	return got
}

func same(t *testing.T, want, got *Event) {
	t.Helper()
	wants, gots := leaves(want), leaves(got)
	for i := range wants {
		if w, g := wants[i].value(want), gots[i].value(got); !reflect.DeepEqual(w, g) {
			t.Errorf("%s: %v comes back as %v", wants[i].name, w, g)
		}
	}
}

// TestPack: each field comes back, alone, with all others, and absent.
func TestPack(t *testing.T) {
	var empty, zero, every Event
	empty.Reset()
	same(t, &empty, back(t, &empty))
	same(t, &zero, back(t, &zero))
	every.Reset()
	for i, l := range leaves(&every) {
		l.set(t, &every, i)
		var one Event
		one.Reset()
		leaves(&one)[i].set(t, &one, i)
		same(t, &one, back(t, &one))
	}
	same(t, &every, back(t, &every))
	for typ := CallStart; typ < NumTypes; typ++ {
		if typ == Message { // has parts, and is never packed
			continue
		}
		e := full(typ)
		e.Caller, e.Callee = PhoneNumber{}, PhoneNumber{}
		got := back(t, e)
		same(t, e, got)
		got.Sequence, got.Capture, got.Iface, got.Direction, got.Rate = e.Sequence, e.Capture, e.Iface, e.Direction, e.Rate
		if want, got := AppendJSON(nil, e, nil), AppendJSON(nil, got, nil); !bytes.Equal(want, got) {
			t.Errorf("it reads\n%s\nwas\n%s", got, want)
		}
	}
	if n := len(empty.AppendPacked(nil)); n > 24 {
		t.Errorf("an empty record takes %d bytes", n)
	}
}

// TestPackLargest: a record whose buffer is full, and whose texts share bytes, comes
// back.
func TestPackLargest(t *testing.T) {
	var e Event
	e.Reset()
	long := bytes.Repeat([]byte{'x'}, MaxText)
	e.Set(&e.Conn, long)
	e.Offered.Addr, e.Answered.Addr = e.Conn, e.Conn
	for _, l := range []*List{&e.Via, &e.PAI, &e.Diversion} {
		for range MaxList {
			e.Add(l, long)
		}
	}
	same(t, &e, back(t, &e))
}

// TestUnpackDamaged: what is cut, or says what cannot be, is refused.
func TestUnpackDamaged(t *testing.T) {
	var got Event
	b := full(CallEnd).AppendPacked(nil)
	for n := range b {
		if _, ok := got.Unpack(b[:n]); ok {
			t.Errorf("the first %d of %d bytes are taken for a record", n, len(b))
		}
		if len(got.buf) != 0 || got.Type != None {
			t.Fatal("what was refused is left in the record")
		}
	}
	for _, breaks := range []func(e *Event){
		func(e *Event) { e.Type = NumTypes },
		func(e *Event) { e.Outcome = Failure + 1 },
		func(e *Event) { e.Side = SideUnknown + 1 },
		func(e *Event) { e.Transport = SCTP + 1 },
		func(e *Event) { e.Incomplete = 1 << numIncomplete },
		func(e *Event) { e.Anomalies = 1 << numAnomalies },
		func(e *Event) { e.Add(&e.Legs, []byte("12345")) },
		func(e *Event) { e.Add(&e.Codes, []byte("1")) },
		func(e *Event) { e.Set(&e.quality, []byte("short")) },
		func(e *Event) { e.From.URI.Host.n += 100 },
		func(e *Event) { e.PAI.count = MaxList + 1 },
	} {
		e := full(CallEnd)
		breaks(e)
		if _, ok := got.Unpack(e.AppendPacked(nil)); ok {
			t.Errorf("taken for a record: %x", e.AppendPacked(nil))
		}
	}
}

// TestPackNoAllocation: buffers that have grown are used again.
func TestPackNoAllocation(t *testing.T) {
	e := full(CallEnd)
	var back Event
	var b []byte
	round := func() {
		b = e.AppendPacked(b[:0])
		if _, ok := back.Unpack(b); !ok {
			t.Fatal("unpacking fails")
		}
	}
	round()
	if n := testing.AllocsPerRun(100, round); n != 0 {
		t.Errorf("a round allocates %v times", n)
	}
}

// FuzzUnpack: any input is refused or makes a record that renders and packs to what
// unpacks to the same.
func FuzzUnpack(f *testing.F) {
	for typ := CallStart; typ < NumTypes; typ++ {
		f.Add(full(typ).AppendPacked(nil))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var e Event
		if _, ok := e.Unpack(in); !ok {
			return
		}
		for _, l := range leaves(&e) {
			l.value(&e)
		}
		AppendJSON(nil, &e, nil)
		same(t, &e, back(t, &e))
	})
}

func BenchmarkPack(b *testing.B) {
	e := full(CallEnd)
	var packed []byte
	b.ReportAllocs()
	for range b.N {
		packed = e.AppendPacked(packed[:0])
	}
	b.ReportMetric(float64(len(packed)), "B/record")
}

func BenchmarkUnpack(b *testing.B) {
	packed := full(CallEnd).AppendPacked(nil)
	var e Event
	b.ReportAllocs()
	for range b.N {
		e.Unpack(packed)
	}
}

// A call that is known by its own Call-ID keeps it once.
func TestPackCallIDOnce(t *testing.T) {
	var e, got Event
	e.Reset()
	e.SetKey(&e.CallID, []byte("3848276298220188511@atlanta.example.com"))
	plain := len(e.AppendPacked(nil))
	e.Correlation, e.CorrelatedBy = e.CallID, ByCallID
	b := e.AppendPacked(nil)
	if len(b) > plain {
		t.Errorf("%d bytes, %d without the correlation", len(b), plain)
	}
	if _, ok := got.Unpack(b); !ok || !bytes.Equal(got.Bytes(got.Correlation), e.Bytes(e.CallID)) || got.CorrelatedBy != ByCallID {
		t.Errorf("%q by %s", got.Bytes(got.Correlation), got.CorrelatedBy)
	}
}

// TestUnpackSource: the source alone is that of the whole.
func TestUnpackSource(t *testing.T) {
	for _, src := range []netip.AddrPort{{}, netip.MustParseAddrPort("192.0.2.1:5060"), netip.MustParseAddrPort("[2001:db8::1]:5060")} {
		var e, got Event
		e.Reset()
		e.Type, e.Time, e.Src = CallStart, 1, src
		e.Set(&e.CallID, []byte("x"))
		if b := e.AppendPacked(nil); !got.UnpackSource(b) || got.Src != src {
			t.Errorf("%v is read as %v", src, got.Src)
		}
	}
	var e Event
	if e.UnpackSource(nil) {
		t.Error("nothing has a source")
	}
}
