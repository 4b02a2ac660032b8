package packet_test

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// Every carrier gives the same datagrams, once each.
func TestCarriers(t *testing.T) {
	type datagram struct {
		src, dst string
		payload  []byte
	}
	var want []datagram
	for _, ends := range [][2]string{{"192.0.2.1:5060", "192.0.2.2:5080"}, {"[2001:db8::1]:5060", "[2001:db8::2]:5080"}} {
		for _, n := range []int{1, 300, 1400, 9000} {
			want = append(want, datagram{ends[0], ends[1], bytes.Repeat([]byte("OPTIONS sip:a@b SIP/2.0\r\n"), n/25+1)[:n]})
		}
	}
	for _, c := range siptest.Carriers {
		t.Run(c.Name, func(t *testing.T) {
			d := packet.New(packet.DefaultConfig())
			for i, w := range want {
				frame := packet.Frame{Time: int64(i) * 1e9, Source: 5, Data: siptest.UDPFrame(netip.MustParseAddrPort(w.src), netip.MustParseAddrPort(w.dst), w.payload)}
				got := 0
				for _, f := range c.Wrap(frame) {
					switch why := d.Decode(&f); why {
					case packet.OK:
						got++
					case packet.Fragment:
						continue
					case packet.FragmentDuplicate:
						if !strings.Contains(c.Name, "twice") {
							t.Fatalf("%v", why)
						}
						continue
					default:
						t.Fatalf("%d bytes: %v", len(w.payload), why)
					}
					payload := d.Payload
					if strings.HasPrefix(c.Name, "no-") { // where padding can't be told from payload
						payload = bytes.TrimRight(payload, "\x00")
					}
					if d.Src.String() != w.src || d.Dst.String() != w.dst || !bytes.Equal(payload, w.payload) || d.Time != frame.Time || d.Source != 5 || d.Cut {
						t.Fatalf("%d bytes: not the datagram: %v to %v, %d bytes", len(w.payload), d.Src, d.Dst, len(d.Payload))
					}
				}
				if got != 1 && !(got == 2 && len(w.payload) < 300 && strings.Contains(c.Name, "twice")) {
					t.Fatalf("%d bytes: %d datagrams, want 1", len(w.payload), got)
				}
			}
		})
	}
}
