package stream

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/codec"
)

// again is an Assembler that goes on from where a is.
func again(t *testing.T, a *Assembler) *Assembler {
	t.Helper()
	var w codec.Codec
	a.Walk(&w)
	b := New(a.cfg)
	r := codec.Codec{B: w.B, Reading: true}
	if b.Walk(&r); r.Bad || len(r.B) > 0 {
		t.Fatalf("what was written is refused; %d bytes are left", len(r.B))
	}
	sound(t, b)
	return b
}

// keepConfig has room for all that hostile sends.
var keepConfig = Config{MaxMessage: 4 << 10, MaxStreams: 64, MaxStreamBytes: 16 << 10, IdleTimeout: time.Minute, HoleTimeout: time.Second, MaxBytes: 64 << 20}

// TestKeep: whatever comes, what was read up to any segment and goes on in another
// Assembler gives the same units. What the first has still to give when it is left goes
// with it.
func TestKeep(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 300 {
		b := make([]byte, 1+r.IntN(1500))
		for j := range b {
			b[j] = byte(r.Uint32())
		}
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			settled := func(a *Assembler) *Assembler { a.settle(); return a }
			want := hostileTo(t, b, keepConfig, settled)
			got := hostileTo(t, b, keepConfig, func(a *Assembler) *Assembler { return again(t, a) })
			for n := range max(len(got), len(want)) {
				if n >= len(got) || n >= len(want) || got[n] != want[n] {
					t.Fatalf("unit %d of %d and %d:\n%.200s\n%.200s", n, len(got), len(want), slices.Concat(got[min(n, len(got)):], []string{""})[0], slices.Concat(want[min(n, len(want)):], []string{""})[0])
				}
			}
		})
	}
}

// FuzzKeep: any bytes are refused, or make an Assembler that is sound and stays so.
func FuzzKeep(f *testing.F) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 20 {
		b := make([]byte, 1+r.IntN(600))
		for j := range b {
			b[j] = byte(r.Uint32())
		}
		var last []byte
		hostileTo(&testing.T{}, b, keepConfig, func(a *Assembler) *Assembler {
			var w codec.Codec
			a.Walk(&w)
			last = w.B
			return a
		})
		f.Add(last, b)
	}
	f.Fuzz(func(t *testing.T, kept, then []byte) {
		taken := false
		hostileTo(t, then[:min(len(then), 500)], keepConfig, func(a *Assembler) *Assembler {
			if taken {
				return a
			}
			taken = true
			b := New(keepConfig)
			r := codec.Codec{B: kept, Reading: true}
			if b.Walk(&r); r.Bad {
				return a
			}
			sound(t, b)
			return b
		})
	})
}

// TestKeepChanged: the same with single bytes changed of what was written.
func TestKeepChanged(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for i := range 60 {
		b := make([]byte, 200+r.IntN(600))
		for j := range b {
			b[j] = byte(r.Uint32())
		}
		n := 0
		hostileTo(t, b, keepConfig, func(a *Assembler) *Assembler {
			if n++; n%10 != 0 {
				return a
			}
			var w codec.Codec
			a.Walk(&w)
			for range 30 {
				at, was := r.IntN(len(w.B)), byte(0)
				was, w.B[at] = w.B[at], w.B[at]^byte(1+r.IntN(255))
				c := New(keepConfig)
				read := codec.Codec{B: w.B, Reading: true}
				if c.Walk(&read); !read.Bad {
					sound(t, c)
					c.Flush()
					drain(c)
					sound(t, c)
				}
				w.B[at] = was
			}
			return a
		})
		if t.Failed() {
			t.Fatal(i)
		}
	}
}
