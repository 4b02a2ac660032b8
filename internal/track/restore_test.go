package track

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// joined writes parts one behind the other, for the fuzzer; apart takes them apart.
func joined(parts []part) (b []byte) {
	for _, p := range parts {
		b = append(b, p.kind)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(p.b)))
		b = append(b, p.b...)
	}
	return b
}

func apart(b []byte) (parts []part) {
	for len(b) >= 3 {
		kind, n := b[0], min(int(binary.LittleEndian.Uint16(b[1:])), len(b)-3)
		parts = append(parts, part{kind, b[3 : 3+n]})
		b = b[3+n:]
	}
	return parts
}

// halfway is what is going on in the middle of a ladder.
func halfway(l *siptest.Ladder) []part {
	tr := New(DefaultConfig())
	var m sip.Message
	for i := range l.Steps[:len(l.Steps)*2/3] {
		s := &l.Steps[i]
		p := packet.Packet{Time: s.Time, Src: s.Src, Dst: s.Dst, Transport: packet.UDP, Payload: s.Payload}
		if m.Parse(s.Payload, false) == sip.OK {
			tr.See(nil, &p, &m)
		} else {
			tr.Unusable(nil, &p, &m)
		}
	}
	return shoot(tr)
}

// FuzzRestore restores any bytes: nothing panics, and what was not refused follows
// messages and ends by itself like what was seen: the tables agree, and after the
// longest timers nothing is left.
func FuzzRestore(f *testing.F) {
	for i, l := range siptest.Ladders(f, "testdata/*.txtar") {
		f.Add(joined(halfway(l)), uint8(i))
	}
	f.Fuzz(func(t *testing.T, in []byte, how uint8) { restoreAny(t, apart(in), in, how) })
}

// TestRestoreChanged: the same of what is kept of each ladder, with single bytes changed.
func TestRestoreChanged(t *testing.T) {
	n := 0
	for _, l := range siptest.Ladders(t, "testdata/*.txtar") {
		parts := halfway(l)
		for _, p := range parts {
			for i := range p.b {
				if n++; n%changedEvery != 0 {
					continue
				}
				was := p.b[i]
				p.b[i] ^= byte(n*0x9e37>>7) | 1
				restoreAny(t, parts, p.b, uint8(n>>4))
				if p.b[i] = was; t.Failed() {
					t.Fatalf("%s, kind %d, byte %d", l.Name, p.kind, i)
				}
			}
		}
	}
}

// changedEvery keeps the test short: one byte of so many is changed.
const changedEvery = 41

func restoreAny(t *testing.T, parts []part, in []byte, how uint8) {
	cfg := DefaultConfig()
	if how&1 == 1 {
		cfg.MaxCalls, cfg.MaxRegs, cfg.ContactIgnorePort = 64, 64, true
		cfg.Established, cfg.RegExpDelta = time.Hour, time.Second
	}
	if how&8 == 8 {
		cfg.Alive = time.Minute
	}
	if how&16 == 16 {
		cfg.MaxCalls, cfg.MaxRegs = headroom+2, 1
	}
	r := NewRestoring(cfg)
	for _, p := range parts {
		if r.Part(p.kind, p.b) != nil {
			return
		}
	}
	now := int64(0)
	if how&2 == 2 {
		now = siptest.Start + int64(time.Hour)
	}
	tr, got, _, err := r.Done(now)
	if err != nil {
		return
	}
	if got.Bindings != tr.regs.bindings || got.Entries < got.Calls {
		t.Errorf("%+v", got)
	}
	checkTables(t, tr)
	checkChains(t, tr)
	w := &walker{in: in, time: tr.now}
	var m sip.Message
	for range 20 {
		src, dst, text := w.message()
		p := packet.Packet{Time: w.time, Src: src, Dst: dst, Transport: packet.UDP, Payload: text}
		if m.Parse(text, false) == sip.OK {
			tr.See(nil, &p, &m)
		} else {
			tr.Unusable(nil, &p, &m)
		}
		w.time += int64(w.next(3)) * int64(time.Second)
	}
	checkChains(t, tr)
	shoot(tr)
	if how&4 == 4 {
		tr.Flush(nil, FlushAll)
	}
	for _, at := range []int64{9_050e15, 9_100e15, 9_150e15, 9_200e15} {
		tr.Advance(nil, at)
	}
	left(t, tr)
}

// TestBounds: a tracker with lower bounds keeps them, and says what it could not keep.
func TestBounds(t *testing.T) {
	tr := New(DefaultConfig())
	for _, x := range loadSights(t, 200)[:2000] {
		x.p.Time = siptest.Start + x.at
		tr.See(nil, &x.p, &x.m)
	}
	parts := shoot(tr)
	cfg := DefaultConfig()
	cfg.MaxCalls, cfg.MaxRegs = 64, 64
	r := NewRestoring(cfg)
	for _, p := range parts {
		if err := r.Part(p.kind, p.b); err != nil {
			t.Fatal(err)
		}
		if most := cfg.MaxCalls + headroom; r.t.calls.entries > most {
			t.Fatalf("%d entries after a part, want %d at most", r.t.calls.entries, most)
		}
	}
	low, got, evicted, err := r.Done(0)
	if err != nil || got.Entries > cfg.MaxCalls+headroom {
		t.Fatal(err, got)
	}
	for i := range evicted {
		if evicted[i].Incomplete&event.Evicted == 0 {
			t.Errorf("%s is not marked evicted", evicted[i].Type)
		}
	}
	if len(evicted) == 0 {
		t.Error("calls that have no room gave no event")
	}
	checkTables(t, low)
	checkEmpty(t, low)
}

// TestSlices: between two parts no more than sliceEntries entries are written, whatever
// is under one Call-ID, and what changes meanwhile breaks nothing.
func TestSlices(t *testing.T) {
	tr := New(DefaultConfig())
	var m sip.Message
	see := func(i int, cid string) {
		text := fmt.Appendf(nil, "OPTIONS sip:x@a SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK%d\r\nFrom: <sip:u@a>;tag=%d\r\nTo: <sip:u@a>\r\nCall-ID: %s\r\nCSeq: 1 OPTIONS\r\n\r\n", i, i, cid)
		src, dst := netip.MustParseAddrPort("192.0.2.1:5060"), netip.MustParseAddrPort("192.0.2.2:5060")
		p := packet.Packet{Time: siptest.Start + int64(i)*1e5, Src: src, Dst: dst, Transport: packet.UDP, Payload: text}
		if m.Parse(text, false) != sip.OK {
			t.Fatal(string(text))
		}
		tr.See(nil, &p, &m)
	}
	const many = 5000
	for i := range many {
		see(i, "one") // a scanner
	}
	for i := range many {
		see(many+i, fmt.Sprint(i))
	}
	r, seen := NewRestoring(DefaultConfig()), 2*many
	tr.Snapshot(func(kind byte, b []byte) bool {
		before := r.t.calls.entries
		if err := r.Part(kind, b); err != nil {
			t.Fatal(err)
		}
		if n := r.t.calls.entries - before; n > sliceEntries {
			t.Errorf("%d entries in one part", n)
		}
		for range 50 { // lanes go on
			see(seen, fmt.Sprint(seen%many))
			seen++
		}
		return true
	})
	again, got, _, err := r.Done(0)
	if err != nil || got.Entries < 2*many {
		t.Errorf("%v %+v, want %d entries at least", err, got, 2*many)
	}
	checkTables(t, again)
	checkEmpty(t, again)
	stopped := 0
	tr.Snapshot(func(byte, []byte) bool { stopped++; return stopped < 3 })
	if stopped != 3 {
		t.Errorf("%d parts after a failure", stopped)
	}
}

// checkChains: a failure is in one chain at most, once, and what is freed is in none; so
// that no walk over them is without end.
func checkChains(t *testing.T, tr *Tracker) {
	t.Helper()
	seen := map[*hold]bool{}
	for _, h := range tr.pools.holds {
		if seen[h] {
			t.Fatal("a failure was freed twice")
		}
		seen[h] = true
	}
	chain := func(h *hold) {
		for ; h != nil; h = h.next {
			if seen[h] {
				t.Fatal("a failure is in a chain twice, in two, or freed")
			}
			seen[h] = true
		}
	}
	free := map[*dialog]bool{}
	for _, d := range tr.pools.dialogs {
		if free[d] {
			t.Fatal("a dialog was freed twice")
		}
		free[d] = true
	}
	for _, s := range tr.calls.sets {
		for _, q := range s.requests.items {
			chain(q.holds)
		}
		for _, a := range s.attempts.items {
			chain(a.holds)
			for _, d := range a.doubts {
				if free[d] || d.asker != a {
					t.Fatal("a doubted dialog is not its attempt's")
				}
			}
		}
	}
	for _, s := range tr.calls.sets {
		for _, a := range s.attempts.items {
			if h := a.hold; h != nil && (h.timer.owner == nil || h.attempt != a) {
				t.Fatal("an attempt waits for a failure that is freed or another's")
			}
		}
	}
	for _, of := range tr.auth.holds {
		for _, h := range of {
			if h.timer.owner == nil || h.next == h || (h.retried && !h.passed) != seen[h] {
				t.Fatal("a failure is known by its nonce, and freed or in no chain")
			}
		}
	}
}

// TestBoundsWithin: nor does one part that holds more than there is room for take more,
// while it is read.
func TestBoundsWithin(t *testing.T) {
	const many, room = 400, 64
	c := &teller{t: t, tr: New(DefaultConfig()), time: siptest.Start}
	for i := range many {
		c.see("OPTIONS sip:x@a SIP/2.0", "OPTIONS", fmt.Sprint(i), "")
	}
	cfg := DefaultConfig()
	cfg.MaxCalls = room
	r := NewRestoring(cfg)
	for _, p := range shoot(c.tr) {
		if p.kind != partSets {
			if err := r.Part(p.kind, p.b); err != nil {
				t.Fatal(err)
			}
			continue
		}
		r.begin()
		r.B = p.b
		r.each(func() {
			if r.takeMarked(); r.t.calls.entries > room+headroom+1 {
				t.Fatalf("%d entries in memory, want %d at most", r.t.calls.entries, room+headroom+1)
			}
		})
	}
	if _, _, evicted, err := r.Done(0); err != nil || len(evicted) < many-room-headroom {
		t.Error(err, len(evicted))
	}
}
