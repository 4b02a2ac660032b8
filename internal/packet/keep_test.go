package packet

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/codec"
)

// keepOn is a Decoder that goes on from where d is.
func keepOn(t *testing.T, d *Decoder, cfg Config) *Decoder {
	t.Helper()
	var w codec.Codec
	d.Walk(&w)
	other := New(cfg)
	r := codec.Codec{B: w.B, Reading: true}
	if other.Walk(&r); r.Bad || len(r.B) > 0 {
		t.Fatalf("what was written is refused; %d bytes are left", len(r.B))
	}
	return other
}

// mixed are fragments of many datagrams, some twice, some that contradict themselves.
func mixed(seed uint64) []Frame {
	r := rand.New(rand.NewPCG(seed, 1))
	var all []Frame
	for id := range 40 {
		b := datagramOf(100 + r.IntN(9000))
		of := cuts(frag4, float64(id)/10, id, b, 8*(1+r.IntN(150)))
		if r.IntN(4) == 0 {
			of = cuts(frag6, float64(id)/10, id, b, 8*(1+r.IntN(150)))
		}
		if r.IntN(6) == 0 {
			of = append(of, cuts(frag4, float64(id)/10, id, datagramOf(101+r.IntN(4000)), 256)...)
		}
		if r.IntN(3) == 0 {
			of = of[:len(of)-1]
		}
		all = append(all, of...)
	}
	r.Shuffle(len(all), func(i, j int) {
		if d := i - j; d < 60 && d > -60 {
			all[i], all[j] = all[j], all[i]
		}
	})
	return all
}

// TestKeep: fragments give the same datagrams when another Decoder goes on before any of
// them.
func TestKeep(t *testing.T) {
	cfg := DefaultConfig()
	for seed := range uint64(5) {
		decode := func(again bool) (got [][]byte) {
			d := New(cfg)
			for _, f := range mixed(seed) {
				if again {
					d = keepOn(t, d, cfg)
				}
				why := d.Decode(&f)
				got = append(got, []byte(why.String()))
				if why == OK {
					got = append(got, bytes.Clone(d.Payload))
				}
			}
			return got
		}
		want, got := decode(false), decode(true)
		if !slices.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("seed %d: another outcome", seed)
		}
	}
}

// TestPacketWalk: every field of a Packet but its payload is kept.
func TestPacketWalk(t *testing.T) {
	var p Packet
	v := reflect.ValueOf(&p).Elem()
	fillPacket(v)
	p.told, p.tunnel, p.Payload = true, 7, nil
	var w codec.Codec
	p.Walk(&w)
	var got Packet
	r := codec.Codec{B: w.B, Reading: true}
	if got.Walk(&r); r.Bad || len(r.B) > 0 || !reflect.DeepEqual(p, got) {
		t.Errorf("bad %v, %d left:\n%+v\n%+v", r.Bad, len(r.B), p, got)
	}
}

func fillPacket(v reflect.Value) {
	if !v.CanSet() {
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(3)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		v.SetUint(2)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fillPacket(v.Index(1))
	case reflect.Array:
		for i := range v.Len() {
			fillPacket(v.Index(i))
		}
	case reflect.Struct:
		if m, ok := v.Addr().Interface().(interface{ UnmarshalText([]byte) error }); ok {
			if m.UnmarshalText([]byte("192.0.2.1")) != nil {
				_ = m.UnmarshalText([]byte("192.0.2.1:5060"))
			}
			return
		}
		for i := range v.NumField() {
			fillPacket(v.Field(i))
		}
	}
}

// FuzzKeep: any bytes are refused, or make a Decoder that decodes.
func FuzzKeep(f *testing.F) {
	cfg := DefaultConfig()
	cfg.FragmentMax, cfg.FragmentBytes = 16, 2*slabSize
	for seed := range uint64(3) {
		d := New(cfg)
		for _, x := range mixed(seed)[:50] {
			d.Decode(&x)
		}
		var w codec.Codec
		d.Walk(&w)
		f.Add(w.B, seed)
	}
	f.Fuzz(func(t *testing.T, kept []byte, seed uint64) {
		d := New(cfg)
		r := codec.Codec{B: kept, Reading: true}
		if d.Walk(&r); r.Bad {
			return
		}
		for _, x := range mixed(seed % 8) {
			d.Decode(&x)
		}
		keepOn(t, d, cfg)
		d.Advance(1 << 62)
	})
}

// TestKeepChanged: with single bytes changed of what was written it is refused, or makes a
// Decoder that decodes, within its bounds, and can be kept again.
func TestKeepChanged(t *testing.T) {
	cfg := DefaultConfig()
	r := rand.New(rand.NewPCG(9, 9))
	for seed := range uint64(4) {
		all := mixed(seed)
		d := New(cfg)
		for i := range all[:len(all)/2] {
			d.Decode(&all[i])
		}
		var w codec.Codec
		d.Walk(&w)
		for range 300 {
			at := r.IntN(len(w.B))
			was := w.B[at]
			w.B[at] ^= byte(1 + r.IntN(255))
			x := New(cfg)
			read := codec.Codec{B: w.B, Reading: true}
			if x.Walk(&read); !read.Bad {
				for i := range all {
					x.Decode(&all[i])
				}
				if s := x.Stats(); s.Held > cfg.FragmentMax || s.Bytes > cfg.FragmentBytes {
					t.Errorf("byte %d as %#x: %d datagrams of %d bytes are held", at, w.B[at], s.Held, s.Bytes)
				}
				keepOn(t, x, cfg)
			}
			w.B[at] = was
		}
	}
}
