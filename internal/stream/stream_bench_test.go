package stream_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strconv"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
	"github.com/sipcmbeat/sipcmbeat/internal/stream"
)

// loadMessages reads the parser's messages of the load generator, each behind a
// line with its length.
func loadMessages(tb testing.TB) (all [][]byte) {
	tb.Helper()
	b, err := os.ReadFile("../sip/testdata/load.txt")
	if err != nil {
		tb.Fatal(err)
	}
	for len(b) > 0 {
		length, rest, _ := bytes.Cut(b, []byte("\n"))
		n, err := strconv.Atoi(string(length))
		if err != nil || n > len(rest) {
			tb.Fatalf("load.txt: message %d: bad length %q", len(all), length)
		}
		all = append(all, rest[:n:n])
		b = rest[n+1:]
	}
	return all
}

const benchPeers = 1000

// benchFrames are the frames of count messages to as many ends as there are, over
// UDP or TCP. Over TCP piece bytes go into a segment (0: a message), and every
// message is acknowledged.
func benchFrames(b *testing.B, count int, tcp bool, piece int) (frames []packet.Frame) {
	messages := loadMessages(b)
	proxy := netip.MustParseAddrPort("192.0.2.10:5060")
	next := make([]uint32, benchPeers)
	r := rand.New(rand.NewPCG(1, 2)) // in order, a processor knows them by heart
	for i := range count {
		m := messages[r.IntN(len(messages))]
		peer := r.IntN(benchPeers)
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(peer >> 8), byte(peer)}), uint16(20000+peer))
		add := func(data []byte) {
			frames = append(frames, packet.Frame{Time: int64(i) * 1e5, Link: packet.LinkEthernet, Data: data, Wire: len(data)})
		}
		if !tcp {
			add(siptest.UDPFrame(from, proxy, m))
			continue
		}
		for len(m) > 0 {
			n := len(m)
			if piece > 0 {
				n = min(n, piece)
			}
			add(siptest.TCPFrame(from, proxy, next[peer], 1, packet.ACK|packet.PSH, m[:n]))
			next[peer] += uint32(n)
			m = m[n:]
		}
		add(siptest.TCPFrame(proxy, from, 1, next[peer], packet.ACK, nil))
	}
	return frames
}

// BenchmarkMessage is the way of a message from the frame to the parser, over UDP
// and over TCP; an operation is a message.
func BenchmarkMessage(b *testing.B) {
	const count = 20000
	for _, c := range []struct {
		name  string
		tcp   bool
		piece int
	}{{"udp", false, 0}, {"tcp", true, 0}, {"tcp-300", true, 300}, {"tcp-20", true, 20}} {
		frames := benchFrames(b, count, c.tcp, c.piece)
		for _, parse := range []bool{true, false} {
			name := c.name
			if !parse {
				name += "/unparsed"
			}
			b.Run(name, func(b *testing.B) {
				d := packet.New(packet.DefaultConfig())
				a := stream.New(stream.DefaultConfig())
				var u stream.Unit
				var m sip.Message
				done, units := 0, 0
				b.ReportAllocs()
				for b.Loop() {
					for ok := false; !ok; { // up to the last frame of a message
						f := &frames[done%len(frames)]
						if done++; done%len(frames) == 0 {
							a = stream.New(stream.DefaultConfig()) // sequence numbers start anew
						}
						if d.Decode(f) != packet.OK {
							b.Fatal("dropped")
						}
						if d.Transport == packet.UDP {
							if kind, _ := sip.Classify(d.Payload); kind == sip.KindSIP && parse {
								m.Parse(d.Payload, d.Cut)
							}
							units++
							break
						}
						a.Advance(f.Time)
						for a.Next(&u) {
						}
						a.Push(&d.Packet, stream.PortSIP)
						for a.Next(&u) {
							if units++; parse {
								m.Parse(u.Payload, u.Cut)
							}
						}
						ok = len(d.Payload) == 0
					}
				}
				if units < b.N-1 {
					b.Fatalf("%d units of %d messages", units, b.N)
				}
			})
		}
	}
}

// BenchmarkFlood is segments that start connections with nothing to follow.
func BenchmarkFlood(b *testing.B) {
	for _, c := range []struct {
		name    string
		flags   packet.TCPFlags
		payload string
	}{{"syn", packet.SYN, ""}, {"data", packet.ACK, "OPTIONS sip:a@b SIP/2.0\r\nX: y"}} {
		b.Run(c.name, func(b *testing.B) {
			a := stream.New(stream.DefaultConfig())
			p := packet.Packet{Dst: netip.MustParseAddrPort("192.0.2.10:5060"), Transport: packet.TCP, Flags: c.flags, Payload: []byte(c.payload)}
			var u stream.Unit
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				p.Src = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), uint16(i))
				p.Time += 1000
				a.Push(&p, stream.PortSIP)
				for a.Next(&u) {
				}
			}
			s := a.Stats()
			b.ReportMetric(float64(s.Memory)/float64(max(s.Streams, 1)), "B/stream")
		})
	}
}

// BenchmarkDisorder is segments in the wrong order, in pairs.
func BenchmarkDisorder(b *testing.B) {
	messages := loadMessages(b)
	var all []byte
	for _, m := range messages {
		all = append(all, m...)
	}
	a := stream.New(stream.DefaultConfig())
	p := packet.Packet{Src: netip.MustParseAddrPort("192.0.2.1:5060"), Dst: netip.MustParseAddrPort("192.0.2.10:5060"), Transport: packet.TCP}
	p.Flags = packet.SYN
	a.Push(&p, stream.PortSIP)
	p.Flags, p.Seq = packet.ACK, 1
	var u stream.Unit
	b.SetBytes(1000)
	b.ReportAllocs()
	at, base, units := 0, uint32(1), 0
	push := func(from, to int) {
		p.Seq, p.Payload = base+uint32(from), all[from:to]
		a.Push(&p, stream.PortSIP)
		for a.Next(&u) {
			units++
		}
	}
	for b.Loop() { // 1000 bytes
		if at+1000 > len(all) {
			push(at, len(all))
			base, at = base+uint32(len(all)), 0
		}
		push(at+500, at+1000)
		push(at, at+500)
		at += 1000
	}
	if s := fmt.Sprint(units); s == "0" {
		b.Fatal("no units")
	}
}

// BenchmarkCarried is the way of a message through WebSocket and SCTP, as in
// BenchmarkMessage without the parser.
func BenchmarkCarried(b *testing.B) {
	messages := loadMessages(b)
	ends := [2]netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:40000"), netip.MustParseAddrPort("192.0.2.2:5060")}
	var plain []packet.Frame
	for i, m := range messages {
		plain = append(plain, packet.Frame{Time: int64(i) * 1e5, Data: siptest.UDPFrame(ends[i&1], ends[1-i&1], m)})
	}
	for _, c := range siptest.StreamCarriers {
		switch c.Name {
		case "tcp", "websocket", "websocket-deflate", "sctp":
		default:
			continue
		}
		frames := c.Wrap(plain)
		b.Run(c.Name, func(b *testing.B) {
			d := packet.New(packet.DefaultConfig())
			a := stream.New(stream.DefaultConfig())
			var u stream.Unit
			b.ReportAllocs()
			at, units := 0, 0
			for b.Loop() {
				for before := units; units == before; at++ {
					if at == len(frames) {
						at = 0
						a.Flush()
					}
					if d.Decode(&frames[at]) != packet.OK {
						b.Fatal("dropped")
					}
					a.Push(&d.Packet, stream.PortSIP)
					for a.Next(&u) {
						units++
					}
				}
			}
		})
	}
}
