package recent

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

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
		for _, frame := range frames(t, AppendFrames(nil, recorded(p), new(Flows))) {
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
