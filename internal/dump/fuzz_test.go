package dump

import (
	"bytes"
	"net/netip"
	"path/filepath"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// FuzzName: a name is one safe word, known again, and no two Call-IDs share one.
func FuzzName(f *testing.F) {
	for _, id := range hostile {
		if len(id) < 1000 {
			f.Add([]byte(id), []byte("x"), int64(at))
		}
	}
	f.Fuzz(func(t *testing.T, a, b []byte, when int64) {
		when = max(0, min(when, 1<<62))
		name := string(appendName(nil, when, labelAlert, a))
		if filepath.Base(name) != name || len(name) > 200 {
			t.Errorf("%q", name)
		}
		if got, ok := nameTime(name); !ok || got != when {
			t.Errorf("%q is read as %d, %v", name, got, ok)
		}
		if !bytes.Equal(a, b) && name == string(appendName(nil, when, labelAlert, b)) {
			t.Errorf("%q and %q share %q", a, b, name)
		}
	})
}

// FuzzFrames: whatever the message, its frames are read again, with its bytes or,
// where not all of them, as cut.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("x"), uint32(1), []byte{192, 0, 2, 1}, []byte{192, 0, 2, 2}, uint16(5060), uint8(1), false, 0, int64(at))
	f.Add([]byte("x"), uint32(70000), make([]byte, 16), make([]byte, 16), uint16(0), uint8(2), true, 1<<30, int64(-1))
	f.Fuzz(func(t *testing.T, text []byte, times uint32, src, dst []byte, port uint16, transport uint8, cut bool, missing int, when int64) {
		p := packet.Packet{Time: when, Transport: packet.Transport(transport % 4), Cut: cut, Missing: missing}
		p.Payload = bytes.Repeat(text, int(times%100000)/(len(text)+1)+1)
		from, _ := netip.AddrFromSlice(src)
		to, _ := netip.AddrFromSlice(dst)
		port = 5060 + port%512 // no tunnel's
		p.Src, p.Dst = netip.AddrPortFrom(from, port), netip.AddrPortFrom(to, port+1)
		var got []byte
		var short bool
		d := packet.New(packet.DefaultConfig())
		for _, frame := range frames(t, appendFrames(nil, recorded(p), new(flows))) {
			short = short || frame.Wire > len(frame.Data)
			if len(frame.Data) > 262144 {
				t.Fatalf("a frame of %d bytes", len(frame.Data))
			}
			if d.Decode(&frame) == packet.OK {
				got = append(got, d.Payload...)
			}
		}
		if p.Transport == packet.SCTP { // its payload is chunks
			return
		}
		if !bytes.HasPrefix(p.Payload, got) || len(got) < len(p.Payload) && !short || cut && !short {
			t.Errorf("%d bytes of %d read, short %v", len(got), len(p.Payload), short)
		}
	})
}
