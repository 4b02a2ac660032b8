package packet_test

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

func BenchmarkDecode(b *testing.B) {
	payload := bytes.Repeat([]byte("x"), 568)
	for _, ends := range []struct{ name, src, dst string }{
		{"ipv4", "192.0.2.1:5060", "192.0.2.2:5060"},
		{"ipv6", "[2001:db8::1]:5060", "[2001:db8::2]:5060"},
	} {
		segment := packet.Frame{Link: packet.LinkEthernet, Data: siptest.TCPFrame(netip.MustParseAddrPort(ends.src), netip.MustParseAddrPort(ends.dst), 1, 2, packet.ACK, payload)}
		b.Run(ends.name+"/tcp", func(b *testing.B) {
			d := packet.New(packet.DefaultConfig())
			b.SetBytes(int64(len(payload)))
			b.ReportAllocs()
			for b.Loop() {
				d.Decode(&segment)
			}
		})
		frame := packet.Frame{Data: siptest.UDPFrame(netip.MustParseAddrPort(ends.src), netip.MustParseAddrPort(ends.dst), payload)}
		for _, c := range siptest.Carriers {
			frames := c.Wrap(frame)
			b.Run(ends.name+"/"+c.Name, func(b *testing.B) {
				d := packet.New(packet.DefaultConfig())
				b.SetBytes(int64(len(payload)))
				b.ReportAllocs()
				for b.Loop() {
					for i := range frames {
						frames[i].Time += 2e9 // so that no fragment is a late duplicate
						d.Decode(&frames[i])
					}
				}
			})
		}
	}
}

// BenchmarkFlood is a flood of first fragments with nothing to follow.
func BenchmarkFlood(b *testing.B) {
	payload := bytes.Repeat([]byte("x"), 3000)
	frame := packet.Frame{Data: siptest.UDPFrame(netip.MustParseAddrPort("192.0.2.1:5060"), netip.MustParseAddrPort("192.0.2.2:5060"), payload)}
	first := siptest.Fragments(frame, 1480)[0]
	d := packet.New(packet.DefaultConfig())
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		first.Data[18], first.Data[19], first.Data[29] = byte(i>>8), byte(i), byte(i>>16)
		d.Decode(&first)
	}
}

// BenchmarkEncrypted is ESP that fits no shape.
func BenchmarkEncrypted(b *testing.B) {
	frame := siptest.ESP(packet.Frame{Data: siptest.UDPFrame(netip.MustParseAddrPort("192.0.2.1:5060"), netip.MustParseAddrPort("192.0.2.2:5060"), bytes.Repeat([]byte("x"), 568))}, 0, 20)[0]
	d := packet.New(packet.DefaultConfig())
	b.ReportAllocs()
	for b.Loop() {
		if why := d.Decode(&frame); why != packet.Encrypted {
			b.Fatal(why)
		}
	}
}
