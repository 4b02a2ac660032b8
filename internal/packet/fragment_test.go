package packet

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// datagramOf is a UDP datagram with n bytes of payload, no two places alike.
func datagramOf(n int) []byte {
	b := join(with(udpHeader, 4, (8+n)>>8, 5, 8+n), make([]byte, n))
	for i := range n {
		b[8+i] = byte(i*7 + i>>8)
	}
	return b
}

// frag4 is an IPv4 fragment in a raw frame, at a time in seconds.
func frag4(at float64, id, offset int, more bool, b []byte) Frame {
	place := offset / 8
	if more {
		place |= 0x2000
	}
	total := 20 + len(b)
	f := wire(LinkRaw, with(ip4, 2, total>>8, 3, total, 4, id>>8, 5, id, 6, place>>8, 7, place), b)
	f.Time = int64(at * 1e9)
	return f
}

// frag6 is the same for IPv6.
func frag6(at float64, id, offset int, more bool, b []byte) Frame {
	place := offset
	if more {
		place |= 1
	}
	length := 8 + len(b)
	f := wire(LinkRaw, with(ip6, 4, length>>8, 5, length, 6, 44),
		[]byte{17, 0, byte(place >> 8), byte(place), byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id)}, b)
	f.Time = int64(at * 1e9)
	return f
}

type fragmenter func(at float64, id, offset int, more bool, b []byte) Frame

// cuts are the fragments of b of size bytes each.
func cuts(f fragmenter, at float64, id int, b []byte, size int) []Frame {
	var out []Frame
	for offset := 0; offset < len(b); offset += size {
		end := min(offset+size, len(b))
		out = append(out, f(at, id, offset, end < len(b), b[offset:end]))
	}
	return out
}

func TestFragments(t *testing.T) {
	b := datagramOf(3001)
	for name, f := range map[string]fragmenter{"ipv4": frag4, "ipv6": frag6} {
		in := cuts(f, 1, 0x4321, b, 1232) // three
		for _, c := range []struct {
			name  string
			order []int
			want  []Drop
		}{
			{"in order", []int{0, 1, 2}, []Drop{Fragment, Fragment, OK}},
			{"last first", []int{2, 1, 0}, []Drop{Fragment, Fragment, OK}},
			{"middle last", []int{2, 0, 1}, []Drop{Fragment, Fragment, OK}},
			{"each twice", []int{0, 0, 1, 1, 2, 2}, []Drop{Fragment, FragmentDuplicate, Fragment, FragmentDuplicate, OK, FragmentDuplicate}},
			{"all twice", []int{0, 1, 2, 0, 1, 2}, []Drop{Fragment, Fragment, OK, FragmentDuplicate, FragmentDuplicate, FragmentDuplicate}},
		} {
			t.Run(name+" "+c.name, func(t *testing.T) {
				d := New(Config{})
				for i, n := range c.order {
					why := d.Decode(&in[n])
					if why != c.want[i] {
						t.Fatalf("step %d: %v, want %v", i, why, c.want[i])
					}
					if why == OK && (!bytes.Equal(d.Payload, b[8:]) || !d.Fragmented || d.Src.Port() != 5060 || d.IPID != 0x4321) {
						t.Errorf("not the datagram: %d bytes, %+v", len(d.Payload), d.Packet)
					}
				}
				if s := d.Stats(); s.Held != 0 || s.Bytes != 0 || s.Assembled != 1 {
					t.Errorf("%+v", s)
				}
			})
		}
	}
}

// Sizes at the edges of units, words and pages.
func TestFragmentSizes(t *testing.T) {
	for _, n := range []int{1, 8, 9, 500, 504, 505, 2040, 2041, 4088, 65535 - 20 - 8, 65535 - 8} {
		for _, size := range []int{8, 504, 512, 520, 1480, 2048, 2056, 32768} {
			b := datagramOf(n)
			in := cuts(frag6, 1, n, b, size)
			if n == 65535-8 { // all that a length field can say
				b[4], b[5] = 0xff, 0xff
				in = cuts(frag6, 1, n, b, size)
			}
			if len(in) < 2 || len(in) > 1000 && n < 65000 {
				continue
			}
			rand.New(rand.NewPCG(1, uint64(n))).Shuffle(len(in), func(i, j int) { in[i], in[j] = in[j], in[i] })
			d := New(Config{FragmentBytes: slabSize})
			var why Drop
			for i := range in {
				if why = d.Decode(&in[i]); i < len(in)-1 && why != Fragment {
					t.Fatalf("%d bytes by %d: fragment %d: %v", n, size, i, why)
				}
			}
			if why != OK || !bytes.Equal(d.Payload, b[8:]) {
				t.Errorf("%d bytes by %d: %v, %d bytes", n, size, why, len(d.Payload))
			}
		}
	}
}

// Equal bytes in another cut are taken.
func TestFragmentsRecut(t *testing.T) {
	b := datagramOf(3000)
	in := []Frame{
		frag4(1, 7, 0, true, b[:1480]),
		frag4(1, 7, 800, true, b[800:2080]),   // half new
		frag4(1, 7, 1000, true, b[1000:1400]), // nothing new
		frag4(1, 7, 1480, false, b[1480:]),    // the rest
	}
	want := []Drop{Fragment, Fragment, FragmentDuplicate, OK}
	d := New(Config{})
	for i := range in {
		if why := d.Decode(&in[i]); why != want[i] {
			t.Fatalf("step %d: %v, want %v", i, why, want[i])
		}
	}
	if !bytes.Equal(d.Payload, b[8:]) {
		t.Error("not the datagram")
	}
}

func TestFragmentRefusals(t *testing.T) {
	b := datagramOf(3000)
	evil := slices.Clone(b)
	for i := range evil {
		evil[i] ^= 0x55
	}
	snapped := frag4(1, 7, 1480, true, b[1480:2960])
	snapped.Data, snapped.Wire = snapped.Data[:600], len(snapped.Data)
	for _, c := range []struct {
		name string
		in   []Frame
		want []Drop
	}{
		{"empty", []Frame{frag4(1, 7, 0, true, nil)}, []Drop{FragmentLength}},
		{"empty last", []Frame{frag4(1, 7, 1480, false, nil)}, []Drop{FragmentLength}},
		{"no multiple of 8", []Frame{frag4(1, 7, 0, true, b[:1479])}, []Drop{FragmentLength}},
		{"no multiple of 8, ipv6", []Frame{frag6(1, 7, 0, true, b[:1479])}, []Drop{FragmentLength}},
		{"beyond 65535", []Frame{frag4(1, 7, 65528, false, b[:8])}, []Drop{FragmentLength}},
		{"a later one cut by a snap length", []Frame{snapped}, []Drop{FragmentCut}},
		{"other bytes for the same place",
			[]Frame{frag4(1, 7, 0, true, b[:1480]), frag4(1, 7, 0, true, evil[:1480]), frag4(1, 7, 1480, false, b[1480:])},
			[]Drop{Fragment, FragmentOverlap, FragmentOverlap}},
		{"other bytes for a part",
			[]Frame{frag4(1, 7, 0, true, b[:1480]), frag4(1, 7, 1472, true, evil[1472:2000])},
			[]Drop{Fragment, FragmentOverlap}},
		{"other bytes for the last unit, which is no whole one",
			[]Frame{frag4(1, 7, 3000, false, b[3000:3003]), frag4(1, 7, 3000, false, evil[3000:3003])},
			[]Drop{Fragment, FragmentOverlap}},
		{"two ends", []Frame{frag4(1, 7, 1480, false, b[1480:]), frag4(1, 7, 1480, false, b[1480:3000])},
			[]Drop{Fragment, FragmentOverlap}},
		{"more behind the end", []Frame{frag4(1, 7, 1480, false, b[1480:2000]), frag4(1, 7, 2000, true, b[2000:2400])},
			[]Drop{Fragment, FragmentOverlap}},
		{"an end before what is there", []Frame{frag4(1, 7, 2000, true, b[2000:2400]), frag4(1, 7, 1480, false, b[1480:2000])},
			[]Drop{Fragment, FragmentOverlap}},
		{"the end announced with more to come", []Frame{frag4(1, 7, 1480, false, b[1480:2000]), frag4(1, 7, 1480, true, b[1480:2000])},
			[]Drop{Fragment, FragmentOverlap}},
		{"reassembled payload with a bad length",
			[]Frame{frag4(1, 7, 0, true, with(b[:1480], 4, 0xff)), frag4(1, 7, 1480, false, b[1480:])},
			[]Drop{Fragment, BadLength}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := New(Config{})
			for i := range c.in {
				if why := d.Decode(&c.in[i]); why != c.want[i] {
					t.Fatalf("step %d: %v, want %v", i, why, c.want[i])
				}
			}
			if n := testing.AllocsPerRun(50, func() { d.Decode(&c.in[len(c.in)-1]) }); n != 0 {
				t.Errorf("%v allocations a frame", n)
			}
		})
	}
}

// What is not of one datagram is not mixed.
func TestFragmentsApart(t *testing.T) {
	b := datagramOf(2000)
	first := func() Frame { return frag4(1, 7, 0, true, b[:1480]) }
	for name, change := range map[string]func(f *Frame){
		"identification": func(f *Frame) { f.Data[5] = 8 },
		"source":         func(f *Frame) { f.Data[15] = 9 },
		"destination":    func(f *Frame) { f.Data[19] = 9 },
		"protocol":       func(f *Frame) { f.Data[9] = 6 },
		"interface":      func(f *Frame) { f.Source = 4 },
		"vlan": func(f *Frame) {
			f.Link, f.Data = LinkEthernet, join(with(ether4, 12, 0x81, 13, 0), []byte{0, 5, 8, 0}, f.Data)
			f.Wire = len(f.Data)
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, one, other := New(Config{}), first(), frag4(1, 7, 1480, false, b[1480:])
			change(&other)
			d.Decode(&one)
			if why := d.Decode(&other); why != Fragment || d.Stats().Held != 2 {
				t.Errorf("%v, %d held; want another datagram", why, d.Stats().Held)
			}
		})
	}
}

func TestFirstFragmentCut(t *testing.T) {
	b := datagramOf(3000)
	in := cuts(frag4, 1, 7, b, 1480)
	for i := range in { // a snap length of 500
		in[i].Data = in[i].Data[:min(500, len(in[i].Data))]
	}
	want := []Drop{OK, FragmentCut, FragmentDuplicate} // the last fits
	d := New(Config{})
	for i := range in {
		if why := d.Decode(&in[i]); why != want[i] {
			t.Fatalf("step %d: %v, want %v", i, why, want[i])
		}
		if i == 0 && (!d.Cut || !bytes.Equal(d.Payload, b[8:480])) {
			t.Errorf("cut %v, %d bytes", d.Cut, len(d.Payload))
		}
	}
	if s := d.Stats(); s.Held != 0 || s.Bytes != 0 {
		t.Errorf("%+v", s)
	}
}

func TestFragmentAge(t *testing.T) {
	b := datagramOf(2000)
	first := func(at float64, id int) Frame { return frag4(at, id, 0, true, b[:1480]) }
	last := func(at float64, id int) Frame { return frag4(at, id, 1480, false, b[1480:]) }
	run := func(d *Decoder, in ...Frame) (out []Drop) {
		for i := range in {
			out = append(out, d.Decode(&in[i]))
		}
		return out
	}
	for _, c := range []struct {
		name string
		in   []Frame
		want []Drop
		left int
	}{
		{"30 s are in time", []Frame{first(100, 7), last(130, 7)}, []Drop{Fragment, OK}, 0},
		{"31 s are not", []Frame{first(100, 7), last(131, 7)}, []Drop{Fragment, Fragment}, 1},
		{"29 s back are in time", []Frame{first(100, 7), last(71, 7)}, []Drop{Fragment, OK}, 0},
		{"the clock leaps and comes back", []Frame{first(1e9, 6), first(100, 7), last(101, 7)}, []Drop{Fragment, Fragment, OK}, 0},
		{"too old, behind one that is not", []Frame{first(100, 6), first(75, 7), last(106, 7)}, []Drop{Fragment, Fragment, Fragment}, 2},
		{"a duplicate after 1 s is one", []Frame{first(100, 7), last(100, 7), first(101, 7)}, []Drop{Fragment, OK, FragmentDuplicate}, 0},
		{"the same identification after 2 s is another datagram",
			[]Frame{first(100, 7), last(100, 7), first(102, 7), last(102, 7)}, []Drop{Fragment, OK, Fragment, OK}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := New(Config{})
			if got := run(d, c.in...); !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
			if s := d.Stats(); s.Held != c.left {
				t.Errorf("%d held, want %d", s.Held, c.left)
			}
		})
	}
	t.Run("other traffic and ticks move the time", func(t *testing.T) {
		d := New(Config{})
		run(d, first(100, 7), first(110, 8))
		d.Advance(130e9)
		if s := d.Stats(); s.Held != 2 || s.Expired != 0 {
			t.Errorf("at 130 s: %+v", s)
		}
		f := wire(LinkRaw, ip4, udpHeader, body)
		f.Time = 131e9
		d.Decode(&f)
		if s := d.Stats(); s.Held != 1 || s.Expired != 1 {
			t.Errorf("at 131 s: %+v", s)
		}
		d.Advance(141e9)
		if s := d.Stats(); s.Held != 0 || s.Expired != 2 || s.Bytes != 0 {
			t.Errorf("at 141 s: %+v", s)
		}
	})
}

func TestFragmentBounds(t *testing.T) {
	b := datagramOf(2000)
	t.Run("datagrams", func(t *testing.T) {
		d := New(Config{FragmentMax: 10})
		for id := range 25 {
			f := frag4(1, id, 0, true, b[:1480])
			if why := d.Decode(&f); why != Fragment {
				t.Fatal(why)
			}
		}
		if s := d.Stats(); s.Held != 10 || s.Evicted != 15 {
			t.Errorf("%+v", s)
		}
		// The newest are there, the oldest are not.
		for _, c := range []struct {
			id   int
			want Drop
		}{{24, OK}, {15, OK}, {14, Fragment}, {0, Fragment}} {
			f := frag4(1, c.id, 1480, false, b[1480:])
			if why := d.Decode(&f); why != c.want {
				t.Errorf("datagram %d: %v, want %v", c.id, why, c.want)
			}
		}
	})
	t.Run("remembered identifications", func(t *testing.T) {
		d := New(Config{FragmentMax: 10})
		for id := range 25 {
			for _, f := range cuts(frag4, 1, id, b, 1480) {
				d.Decode(&f)
			}
		}
		if s := d.Stats(); s.Held != 0 || s.Evicted != 0 || s.Assembled != 25 {
			t.Errorf("%+v", s)
		}
		if n := d.frags.done; n != 10 {
			t.Errorf("%d remembered, want 10", n)
		}
	})
	t.Run("bytes", func(t *testing.T) {
		d := New(Config{FragmentBytes: 3 * slabSize})
		for id := range 200 { // a page each
			f := frag4(1, id, 0, true, b[:1480])
			d.Decode(&f)
			if s := d.Stats(); s.Bytes > 3*slabSize {
				t.Fatalf("%d bytes held", s.Bytes)
			}
		}
		if s := d.Stats(); s.Held != 96 || s.Evicted != 104 {
			t.Errorf("%+v", s)
		}
		// A datagram that is spread over all its pages pushes out the others, not itself.
		for offset := 0; offset < 65536; offset += pageSize {
			f := frag4(1, 9999, offset, true, b[:8])
			if why := d.Decode(&f); why != Fragment {
				t.Fatal(why)
			}
		}
		if s := d.Stats(); s.Bytes > 3*slabSize || s.Held < 2 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("the oldest never pushes out itself", func(t *testing.T) {
		d := New(Config{FragmentBytes: slabSize})
		for id := range slabPages {
			f := frag4(1, id, 0, true, b[:1480])
			d.Decode(&f)
		}
		f := frag4(1, 0, 1480, false, b[1480:])
		if why := d.Decode(&f); why != OK {
			t.Errorf("%v, want %v", why, OK)
		}
		if s := d.Stats(); s.Held != slabPages-1 || s.Evicted != 0 { // its one page is enough
			t.Errorf("%+v", s)
		}
		f = frag4(1, 1, 4096, true, b[:8])
		if why := d.Decode(&f); why != Fragment {
			t.Errorf("%v, want %v", why, Fragment)
		}
		f = frag4(1, 1, 8192, true, b[:8])
		d.Decode(&f)
		f = frag4(1, 1, 1480, true, b[1480:2000])
		if why := d.Decode(&f); why != Fragment || d.Stats().Evicted != 1 {
			t.Errorf("%v, %+v", why, d.Stats())
		}
	})
	t.Run("memory is used again", func(t *testing.T) {
		d := New(Config{FragmentMax: 64, FragmentBytes: slabSize})
		at, id := 1.0, 0
		in := frag4(at, 0, 0, true, b[:1480])
		step := func() {
			id++
			in.Data[4], in.Data[5] = byte(id>>8), byte(id)
			in.Time += int64(time.Millisecond)
			d.Decode(&in)
		}
		for range 1000 {
			step()
		}
		if n := testing.AllocsPerRun(1000, step); n != 0 {
			t.Errorf("%v allocations a fragment", n)
		}
		if len(d.frags.datagrams) > 2*64+3 || len(d.frags.slabs) != 1 {
			t.Errorf("%d datagrams, %d slabs", len(d.frags.datagrams), len(d.frags.slabs))
		}
	})
}

// Fragments of a packet that is itself inside fragments have a buffer of their own.
func TestFragmentsInFragments(t *testing.T) {
	b := datagramOf(3000)
	var in []Frame
	for i, f := range cuts(frag6, 1, 7, b, 1000) {
		// What is behind the IPv6 header, in fragments again.
		for _, g := range cuts(frag6, 1, 100+i, f.Data[40:], 504) {
			g.Data[40] = 44
			in = append(in, g)
		}
	}
	d := New(Config{})
	var got []byte
	for i := range in {
		if d.Decode(&in[i]) == OK {
			got = bytes.Clone(d.Payload)
		}
	}
	if !bytes.Equal(got, b[8:]) {
		t.Errorf("%d bytes", len(got))
	}
	if s := d.Stats(); s.Held != 0 || s.Assembled != 4 { // three pieces in pieces, and the whole
		t.Errorf("%+v", s)
	}
}

func TestFragmentAllocs(t *testing.T) {
	b := datagramOf(3000)
	in := cuts(frag4, 1, 7, b, 1480)
	d := New(Config{})
	round := func() {
		for i := range in {
			in[i].Time += 2e9 // beyond doneAge
			d.Decode(&in[i])
		}
		if !d.Fragmented {
			t.Fatal("not put together")
		}
	}
	if n := testing.AllocsPerRun(200, round); n != 0 {
		t.Errorf("%v allocations a datagram", n)
	}
}
