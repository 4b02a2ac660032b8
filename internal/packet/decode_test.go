package packet_test

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// carried calls f with every frame of every carrier, of a message over IPv4 and IPv6.
func carried(f func(carrier string, frame packet.Frame, payload []byte)) {
	payload := []byte(strings.Repeat("OPTIONS sip:bob@example.com SIP/2.0\r\n", 12))
	for _, ends := range [][2]string{{"192.0.2.1:5060", "192.0.2.2:5080"}, {"[2001:db8::1]:5060", "[2001:db8::2]:5080"}} {
		plain := packet.Frame{Time: 1e18, Data: siptest.UDPFrame(netip.MustParseAddrPort(ends[0]), netip.MustParseAddrPort(ends[1]), payload)}
		for _, c := range siptest.Carriers {
			for _, frame := range c.Wrap(plain) {
				f(c.Name, frame, payload)
			}
		}
	}
}

// sound checks what has to hold of every frame, whatever is in it.
func sound(t *testing.T, d *packet.Decoder, frame *packet.Frame) packet.Drop {
	t.Helper()
	depth := packet.DefaultConfig().Depth
	why := d.Decode(frame)
	switch {
	case int(why) >= packet.NumDrops:
		t.Fatalf("outcome %d", why)
	case len(d.VLANs) > 4 || cap(d.VLANs) > 4 || len(d.Encap) > depth || cap(d.Encap) > depth:
		t.Fatalf("%d VLANs, %d layers", len(d.VLANs), len(d.Encap))
	case why != packet.OK && d.Payload != nil:
		t.Fatal("a payload of a dropped frame")
	case why != packet.OK:
	case d.Transport == packet.TransportNone && !d.Whole || !d.Src.IsValid() || !d.Dst.IsValid():
		t.Fatalf("%v from %v to %v", d.Transport, d.Src, d.Dst)
	case d.Missing < 0 || d.Missing > 0 && !d.Cut:
		t.Fatalf("%d bytes missing, cut %v", d.Missing, d.Cut)
	case d.OuterSrc.IsValid() != d.OuterDst.IsValid() && !frame.Peer.IsValid():
		t.Fatalf("outside %v to %v", d.OuterSrc, d.OuterDst)
	case !d.Inside(frame.Data, d.Payload):
		t.Fatal("the payload is outside of frame and buffers")
	}
	return why
}

// Every frame of every carrier, cut at every length: by a snap length, and by a
// tool that writes the captured length for both. What comes out as the message is
// its beginning.
func TestEveryHeaderCut(t *testing.T) {
	small := packet.Config{FragmentBytes: 65536, FragmentMax: 4} // made quickly
	carried(func(carrier string, frame packet.Frame, payload []byte) {
		whole := frame
		for n := range whole.Data {
			for _, wire := range []int{len(whole.Data), n} {
				frame.Data, frame.Wire = whole.Data[:n], wire
				d := packet.New(small)
				why := sound(t, d, &frame)
				if why == packet.OK && d.Dst.Port() == 5080 && d.Transport == packet.UDP && !strings.Contains(carrier, "fragments") &&
					!bytes.HasPrefix(payload, bytes.TrimRight(d.Payload, "\x00")) && !strings.HasPrefix(carrier, "no-") {
					t.Fatalf("%s cut to %d of %d bytes: %q", carrier, n, len(whole.Data), d.Payload)
				}
			}
		}
		// The last byte of what is no fragment, check sequence, padding or trailer.
		frame.Data, frame.Wire = whole.Data[:len(whole.Data)-5], len(whole.Data)
		d := packet.New(small)
		if why := sound(t, d, &frame); carrier != "fragments-8" && why != packet.OK && why != packet.Fragment && why != packet.FragmentCut && why != packet.Encrypted {
			t.Errorf("%s cut near the end: %v", carrier, why)
		}
	})
}

// Every byte and every pair of bytes of every header zeroed, and at its greatest.
func TestEveryFieldExtreme(t *testing.T) {
	d := packet.New(packet.DefaultConfig())
	carried(func(carrier string, frame packet.Frame, _ []byte) {
		whole := frame.Data
		end := min(len(whole), 200)
		for at := range end {
			for _, n := range []int{1, 2, 4} {
				for _, value := range []byte{0, 1, 0x7f, 0x80, 0xff} {
					frame.Data = bytes.Clone(whole)
					for i := at; i < min(at+n, len(whole)); i++ {
						frame.Data[i] = value
					}
					sound(t, d, &frame)
				}
			}
		}
	})
	if s := d.Stats(); s.Bytes > packet.DefaultConfig().FragmentBytes {
		t.Errorf("%d bytes held", s.Bytes)
	}
}

// Whatever comes: the payload lies inside the frame or inside a buffer of the
// decoder, the lists are bounded, and the same frame gives the same again.
func FuzzDecode(f *testing.F) {
	seen := map[string]bool{}
	carried(func(carrier string, frame packet.Frame, _ []byte) {
		if key := carrier + string(frame.Data[14]>>4); !seen[key] { // one of each
			f.Add(uint16(frame.Link), frame.Data, 0)
			seen[key] = true
		}
	})
	f.Fuzz(func(t *testing.T, link uint16, data []byte, missing int) {
		if len(data) > 70000 {
			return
		}
		frame := packet.Frame{Time: 1e18, Link: packet.Link(link), Data: data, Wire: len(data) + max(0, missing%100)}
		d := packet.New(packet.Config{FragmentBytes: 65536, FragmentMax: 4})
		if why := sound(t, d, &frame); why != packet.OK || d.Fragmented {
			return
		}
		first := bytes.Clone(d.Payload)
		if again := sound(t, d, &frame); again != packet.OK && again != packet.FragmentDuplicate || again == packet.OK && !bytes.Equal(first, d.Payload) {
			t.Fatalf("%v the second time", again)
		}
	})
}
