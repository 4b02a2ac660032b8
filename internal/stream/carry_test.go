package stream_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
	"github.com/sipcmbeat/sipcmbeat/internal/stream"
)

// Every way that messages travel over TCP gives the same messages, at the same
// times and between the same ends.
func TestStreamCarriers(t *testing.T) {
	type message struct {
		time     int64
		src, dst netip.AddrPort
		payload  string
	}
	ends := []netip.AddrPort{
		netip.MustParseAddrPort("192.0.2.1:40000"), netip.MustParseAddrPort("192.0.2.2:5060"), netip.MustParseAddrPort("192.0.2.3:5060"),
		netip.MustParseAddrPort("[2001:db8::1]:40000"), netip.MustParseAddrPort("[2001:db8::2]:5060"),
	}
	var want []message
	var frames []packet.Frame
	for i, m := range loadMessages(t) {
		way := [][2]int{{0, 1}, {1, 0}, {1, 2}, {3, 4}, {4, 3}, {4, 3}}[i%6]
		w := message{int64(i/6) * 1e7, ends[way[0]], ends[way[1]], string(m)}
		want = append(want, w)
		frames = append(frames, packet.Frame{Time: w.time, Source: 3, Data: siptest.UDPFrame(w.src, w.dst, m)})
	}
	for _, c := range siptest.StreamCarriers {
		t.Run(c.Name, func(t *testing.T) {
			d := packet.New(packet.DefaultConfig())
			a := stream.New(stream.DefaultConfig())
			var got []message
			var u stream.Unit
			keepAlives, webSocket := 0, strings.HasPrefix(c.Name, "websocket")
			take := func() {
				for a.Next(&u) {
					switch {
					case u.Kind == stream.KeepAlive:
						keepAlives++
					case u.Kind != stream.Message || u.Cut || u.Reason != stream.Whole || u.Source != 3 ||
						u.WebSocket != webSocket || u.Whole != (webSocket || u.Transport == packet.SCTP):
						t.Fatalf("%v, %v, from %d, %v, %v", u.Kind, u.Reason, u.Source, u.WebSocket, u.Whole)
					default:
						got = append(got, message{u.Time, u.Src, u.Dst, string(u.Payload)})
					}
				}
			}
			for _, f := range c.Wrap(frames) {
				a.Advance(f.Time)
				take()
				if why := d.Decode(&f); why != packet.OK || d.Transport == packet.UDP {
					t.Fatalf("%v over %v", why, d.Transport)
				}
				a.Push(&d.Packet, stream.PortSIP)
				take()
			}
			s := a.Stats()
			a.Flush()
			take()
			if !slices.Equal(got, want) {
				t.Fatalf("%d messages, want %d\n%+v", len(got), len(want), s)
			}
			if err := s.Check(); err != nil || s.Holes+s.Strays+s.Jumps+s.Resyncs+s.Lost+s.Skipped != 0 {
				t.Errorf("%v\n%+v", err, s)
			}
			if strings.HasSuffix(c.Name, "keep-alive") != (keepAlives > 0) {
				t.Errorf("%d keep-alives", keepAlives)
			}
		})
	}
}
