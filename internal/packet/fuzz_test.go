package packet

import (
	"bytes"
	"testing"
)

// within reports whether b is a part of a, not a copy.
func within(a, b []byte) bool {
	if len(b) == 0 {
		return true
	}
	for i := range a {
		if &a[i] == &b[0] {
			return i+len(b) <= len(a)
		}
	}
	return false
}

// Whatever comes: the payload lies inside the frame or inside a buffer of the
// decoder, the lists are bounded, and the same frame gives the same again.
func FuzzDecode(f *testing.F) {
	for _, seed := range []Frame{
		wire(LinkEthernet, ether4, ip4, udpHeader, body),
		wire(LinkEthernet, ether6, ip6, udpHeader, body),
		wire(LinkEthernet, with(ether4, 12, 0x88, 13, 0xa8), []byte{0, 1, 0x81, 0, 0, 2, 8, 0}, ip4, udpHeader, body),
		wire(LinkSLL, make([]byte, 14), []byte{8, 0}, ip4, udpHeader, body),
		wire(LinkSLL2, []byte{0x86, 0xdd}, make([]byte, 18), ip6, udpHeader, body),
		wire(LinkNull, []byte{2, 0, 0, 0}, ip4, udpHeader, body),
		wire(LinkIPv6, with(ip6, 6, 0, 5, 20), []byte{17, 0, 5, 2, 0, 0, 1, 0}, udpHeader, body),
		wire(LinkIPv6, with(ip6, 6, 51, 5, 24), []byte{17, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, udpHeader, body),
		wire(LinkIPv4, with(ip4, 9, 6, 3, 44), tcpHeader, body),
		wire(LinkHEP, hepPacket(2)),
		wire(LinkHEP, hepPacket(3)),
		wire(LinkEthernet, ether4, udpIP4(9060, hepPacket(1))),
		wire(LinkEthernet, ether4, udpIP4(9999, hepPacket(3))),
		frag4(1, 7, 0, true, datagramOf(16)),
		frag6(1, 7, 8, false, datagramOf(16)),
	} {
		f.Add(uint16(seed.Link), seed.Data, 0)
	}
	f.Fuzz(func(t *testing.T, link uint16, data []byte, missing int) {
		if len(data) > 70000 {
			return
		}
		fr := Frame{Time: 1e18, Link: Link(link), Data: data, Wire: len(data) + max(0, missing%100)}
		d := New(Config{FragmentBytes: slabSize, FragmentMax: 4, AnyHEP: true})
		d.port = append(d.port, struct { // a tunnel, so that layers repeat
			number uint16
			layer  Layer
		}{4789, LayerEthernet})
		why := d.Decode(&fr)
		if int(why) >= NumDrops {
			t.Fatalf("outcome %d", why)
		}
		if len(d.VLANs) > maxVLANs || len(d.Encap) > d.depth {
			t.Fatalf("%d VLANs, %d layers", len(d.VLANs), len(d.Encap))
		}
		if why != OK {
			if d.Payload != nil {
				t.Fatal("a payload of a dropped frame")
			}
			return
		}
		if d.Transport != UDP && d.Transport != TCP && !d.Whole || d.Missing > 0 && !d.Cut || d.Missing < 0 || !d.Src.IsValid() || !d.Dst.IsValid() {
			t.Fatalf("%v from %v to %v", d.Transport, d.Src, d.Dst)
		}
		inside := within(data, d.Payload)
		for _, b := range d.frags.out {
			inside = inside || within(b, d.Payload)
		}
		inside = inside || d.HEP.Version == 3 && within(d.hep.Payload(), d.Payload)
		if !inside {
			t.Fatal("the payload is outside of frame and buffers")
		}
		first := bytes.Clone(d.Payload)
		if !d.Fragmented {
			if again := d.Decode(&fr); again != OK && again != FragmentDuplicate || again == OK && !bytes.Equal(first, d.Payload) {
				t.Fatalf("%v the second time", again)
			}
		}
	})
}

// A datagram that is cut anywhere, mixed with another one, in any order and with
// duplicates, comes out whole, once, and no more than the bound is held.
func FuzzFragments(f *testing.F) {
	f.Add([]byte("INVITE sip:bob@example.com SIP/2.0\r\n"), []byte{1, 0, 2, 1, 0}, false)
	f.Add(bytes.Repeat([]byte("0123456789abcdef"), 300), []byte{30, 5, 3, 2, 1, 0, 60, 7}, true)
	f.Add(bytes.Repeat([]byte{0}, 5000), []byte{0, 0, 0, 255}, true)
	f.Fuzz(func(t *testing.T, payload, script []byte, six bool) {
		if len(payload) == 0 || len(payload) > 60000 || len(script) == 0 || len(script) > 200 {
			return
		}
		at := 0
		step := func() int { // the script, over and over
			at++
			return int(script[(at-1)%len(script)])
		}
		make1 := frag4
		if six {
			make1 = frag6
		}
		// Two datagrams of the same bytes, cut differently. Big ones are cut coarser, so
		// that a run is quick.
		b := join(with(udpHeader, 4, (8+len(payload))>>8, 5, 8+len(payload)), payload)
		var frames [2][]Frame
		for n := range frames {
			for offset := 0; offset < len(b); {
				end := min(offset+8*(1+step())*(1+len(b)/8192), len(b))
				frames[n] = append(frames[n], make1(1, 100+n, offset, end < len(b), b[offset:end]))
				offset = end
			}
		}
		var order []Frame
		for n := range frames {
			for _, fr := range frames[n] {
				for range 1 + step()%2 { // once or twice, anywhere among the others
					i := (step()*256 + step()) % (len(order) + 1)
					order = append(order, fr)
					last := len(order) - 1
					order[i], order[last] = order[last], order[i]
				}
			}
		}
		const bound = 2 * slabSize
		d := New(Config{FragmentBytes: bound})
		whole := map[uint32]int{}
		for i := range order {
			switch why := d.Decode(&order[i]); why {
			case OK:
				if !bytes.Equal(d.Payload, payload) || (d.Fragmented != (len(frames[d.IPID-100]) > 1)) {
					t.Fatalf("%d bytes, want %d", len(d.Payload), len(payload))
				}
				if d.Fragmented {
					whole[d.IPID]++
				}
			case Fragment, FragmentDuplicate:
			default:
				t.Fatalf("fragment %d of %d: %v", i, len(order), why)
			}
			if s := d.Stats(); s.Bytes > bound || s.Bytes != heldPages(d)*pageSize {
				t.Fatalf("%d bytes held in %d pages", s.Bytes, heldPages(d))
			}
		}
		for n := range frames {
			if len(frames[n]) > 1 && whole[uint32(100+n)] != 1 {
				t.Fatalf("datagram %d came out %d times", n, whole[uint32(100+n)])
			}
		}
		if s := d.Stats(); s.Held != 0 || s.Bytes != 0 {
			t.Fatalf("left: %+v", s)
		}
	})
}

// FuzzHostileFragments throws fragments of any place, length, content and time
// at a small decoder: it stays within its bounds, and its books agree.
func FuzzHostileFragments(f *testing.F) {
	f.Add([]byte{1, 0, 3, 1, 0, 1, 3, 2, 0, 0, 0, 2, 3, 1, 1, 9})
	f.Fuzz(func(t *testing.T, script []byte) {
		b := make([]byte, 65536)
		d := New(Config{FragmentBytes: slabSize, FragmentMax: 3})
		now := 0.0
		for ; len(script) >= 4; script = script[4:] {
			id, offset, n, how := int(script[0]%6), int(script[1])*256, int(script[2])*16+int(script[3]>>5), script[3]
			b[0] = how // now and then other bytes
			fr := frag4(now, id, offset, how&1 != 0, b[:n])
			if how&2 != 0 {
				fr = frag6(now, id, offset, how&1 != 0, b[:n])
			}
			if how&4 != 0 {
				now += float64(script[0]) / 4
			}
			if how&8 != 0 {
				now -= float64(script[1]) / 4
			}
			if how&16 != 0 {
				fr.Wire += 100
			}
			why := d.Decode(&fr)
			s := d.Stats()
			if s.Bytes > slabSize || s.Held > 3 || d.frags.done > 3 || s.Bytes != heldPages(d)*pageSize {
				t.Fatalf("%v: %+v, %d pages", why, s, heldPages(d))
			}
			if len(d.frags.free)+heldPages(d) != len(d.frags.have) || len(d.frags.datagrams) > 2+6+1 {
				t.Fatalf("%v: %d free, %d held, %d pages, %d datagrams", why, len(d.frags.free), heldPages(d), len(d.frags.have), len(d.frags.datagrams))
			}
		}
	})
}

// heldPages counts the pages that hang on the list of datagrams in assembly.
func heldPages(d *Decoder) (n int) {
	for i := d.frags.datagrams[heldList].newer; i != heldList; i = d.frags.datagrams[i].newer {
		for _, p := range d.frags.datagrams[i].pages {
			if p != 0 {
				n++
			}
		}
	}
	return n
}
