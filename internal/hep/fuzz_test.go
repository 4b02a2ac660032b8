package hep

import (
	"bytes"
	"net/netip"
	"testing"
)

// Whatever comes: what is handed out lies inside the packet or within the bound,
// the same bytes give the same again, and what Append makes of it means the same.
func FuzzDecode(f *testing.F) {
	for _, b := range vectors(f) {
		f.Add(b, now)
	}
	f.Add([]byte(hep3(ends, chunk(0, 0x0b, "\x32"), chunk(0, 0x0f, `{"sip":"SIP/2.0 200 OK\r\n\u00e4"}`))), now)
	f.Add([]byte(hep3(ends, chunk(0, 0x10, string(deflate(f, string(make([]byte, 5000))))))), int64(0))
	f.Fuzz(func(t *testing.T, b []byte, now int64) {
		if len(b) > 1<<17 {
			return
		}
		var p, again Packet
		why := Decode(b, &p, now)
		if int(why) >= NumProblems || why.String() == "" {
			t.Fatalf("problem %d", why)
		}
		if cap(p.unpack.out) > 3*maxInflated {
			t.Fatalf("%d bytes held", cap(p.unpack.out))
		}
		if p.Trailing < 0 || p.Missing < 0 || p.Missing > MaxSize || p.Odd < 0 {
			t.Fatalf("%d trailing, %d missing, %d odd", p.Trailing, p.Missing, p.Odd)
		}
		for _, s := range []span{p.payload, p.node, p.correlation, p.key} {
			if s.n < 0 || s.off < 0 || s.off+s.n > len(b) {
				t.Fatalf("%v is not inside %d bytes", s, len(b))
			}
		}
		if n, ok := Length(b); ok && n != 0 && p.Version == 3 && n != len(b)-p.Trailing && p.Missing == 0 {
			t.Fatalf("length %d of %d bytes, %d trailing", n, len(b), p.Trailing)
		}
		if second := Decode(b, &again, now); second != why || !bytes.Equal(p.Payload(), again.Payload()) {
			t.Fatalf("%v, then %v", why, second)
		}
		if why != OK {
			return
		}
		if len(p.Payload()) == 0 || !p.Src.IsValid() || !p.Dst.IsValid() || p.Version < 1 || p.Version > 3 {
			t.Fatalf("version %d, %v to %v, %d bytes", p.Version, p.Src, p.Dst, len(p.Payload()))
		}
		if p.Version == 2 && p.Time != 0 && off(p.Time, now) >= year {
			t.Fatalf("time %d at %d", p.Time, now)
		}
		if p.unpacked && len(p.Payload()) > maxInflated {
			t.Fatalf("%d bytes of %d", len(p.Payload()), p.payload.n)
		}
		roundTrip(t, &p)
	})
}

func roundTrip(t *testing.T, p *Packet) {
	m := Message{Version: 3, Protocol: p.Protocol, Type: TypeSIP, Src: p.Src, Dst: p.Dst, Time: p.Time, CaptureID: p.CaptureID,
		Node: p.Node(), CorrelationID: p.CorrelationID(), Key: p.Key(), Payload: p.Payload()}
	b, ok := m.Append(nil)
	if !ok {
		return // two families, or too long
	}
	var q Packet
	if why := Decode(b, &q, 0); why != OK {
		t.Fatalf("%v of what Append made: %x", why, b)
	}
	if !bytes.Equal(q.Payload(), m.Payload) || q.Src != unmapped(m.Src) || q.Dst != unmapped(m.Dst) || q.Protocol != m.Protocol ||
		q.CaptureID != m.CaptureID || !bytes.Equal(q.Node(), m.Node) || !bytes.Equal(q.CorrelationID(), m.CorrelationID) || !bytes.Equal(q.Key(), m.Key) {
		t.Fatalf("%+v became %+v", m, q)
	}
	if !bytes.Equal(Key(b), m.Key) {
		t.Fatalf("key %q, want %q", Key(b), m.Key)
	}
	if m.Time >= 1e9 && q.Time != m.Time || q.Trailing+q.Missing+q.Odd != 0 {
		t.Fatalf("time %d became %d; %d trailing, %d missing, %d odd", m.Time, q.Time, q.Trailing, q.Missing, q.Odd)
	}
}

func unmapped(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
