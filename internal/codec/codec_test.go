package codec

import (
	"math"
	"net/netip"
	"reflect"
	"testing"
)

// all is a value of each shape.
type all struct {
	A    int64
	B    uint8
	C, D uint64
	E, F bool
	G    float64
	H    []byte
	I    string
	J, K netip.AddrPort
	L, M netip.Addr
}

func (x *all) walk(c *Codec) {
	Whole(c, &x.A)
	UpTo(c, &x.B, 9)
	c.Hashes(&x.C, &x.D)
	c.Flags(&x.E, &x.F)
	c.Float(&x.G)
	c.Bytes(&x.H, 100)
	c.Word(&x.I, 100)
	c.AddrPort(&x.J)
	c.AddrPort(&x.K)
	c.Addr(&x.L)
	c.Addr(&x.M)
}

var some = all{
	A: math.MinInt64, B: 9, C: math.MaxUint64, E: true, G: -1.5, H: []byte("bytes"), I: "word",
	J: netip.MustParseAddrPort("[2001:db8::1]:5060"), L: netip.MustParseAddr("192.0.2.1"),
}

// TestWalk: what was written is read, and nothing of it is left.
func TestWalk(t *testing.T) {
	var w Codec
	want := some
	want.walk(&w)
	r := Codec{B: w.B, Reading: true}
	var got all
	if got.walk(&r); r.Bad || len(r.B) > 0 || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %d bytes left, bad %v", got, len(r.B), r.Bad)
	}
	for n := range w.B {
		short := Codec{B: w.B[:n], Reading: true}
		var got all
		if got.walk(&short); !short.Bad {
			t.Errorf("%d of %d bytes are taken for all", n, len(w.B))
		}
	}
}

// TestRefused: what could not have been written.
func TestRefused(t *testing.T) {
	for name, change := range map[string]func(c *Codec){
		"index":   func(c *Codec) { n := 10; Whole(c, &n) },
		"below 0": func(c *Codec) { n := -1; Whole(c, &n) },
		"too big": func(c *Codec) { n := 300; Whole(c, &n) },
	} {
		var w Codec
		change(&w)
		r := Codec{B: w.B, Reading: true}
		x := uint8(1)
		if UpTo(&r, &x, 9); !r.Bad || x != 0 {
			t.Errorf("%s: %d", name, x)
		}
	}
	for _, x := range []float64{math.NaN(), math.Inf(1)} {
		w := Codec{}
		bits := math.Float64bits(x)
		w.Hash(&bits)
		r := Codec{B: w.B, Reading: true}
		if r.Float(&x); !r.Bad || x != 0 {
			t.Errorf("%v is a number", x)
		}
	}
	r := Codec{B: []byte{3, 1, 2, 3}, Reading: true}
	var a netip.AddrPort
	if r.AddrPort(&a); !r.Bad {
		t.Error("an address of three bytes")
	}
	r = Codec{B: []byte{10, 1, 2, 3, 4, 5}, Reading: true}
	var b []byte
	if r.Bytes(&b, 4); !r.Bad || len(b) > 0 {
		t.Error("more bytes than may be")
	}
}

func FuzzWalk(f *testing.F) {
	var w Codec
	x := some
	x.walk(&w)
	f.Add(w.B)
	f.Fuzz(func(t *testing.T, in []byte) {
		var x, again all
		r := Codec{B: in, Reading: true}
		if x.walk(&r); r.Bad {
			return
		}
		var w Codec
		x.walk(&w)
		r = Codec{B: w.B, Reading: true}
		if again.walk(&r); r.Bad || !reflect.DeepEqual(x, again) {
			t.Errorf("%+v, then %+v", x, again)
		}
	})
}
