package dump

import (
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// BenchmarkMessage is what a message costs the lane, in package dump alone.
func BenchmarkMessage(b *testing.B) {
	for name, when := range map[string]When{"always": Always, "failed": Failed, "list": List} {
		b.Run(name, func(b *testing.B) {
			d := newBench(b, func(c *Config) {
				if c.When = when; when == List {
					c.List = []string{"alice", "49301234567", "a@example.org"}
				}
			})
			text := []byte(options("0123456789abcdef@192.0.2.1", 400))
			d.msg.Parse(text, false)
			p := packet.Packet{Time: at, Src: alice4, Dst: bob4, Transport: packet.UDP, Payload: text}
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				p.Time++
				d.Message(&p, &d.msg)
				if i%1024 == 0 {
					d.queue.take()
				}
			}
		})
	}
}

// BenchmarkWorker is what a message costs the worker, with the disk: of 90 calls in
// turn, each in its file.
func BenchmarkWorker(b *testing.B) {
	for name, when := range map[string]When{"always": Always, "failed": Failed} {
		b.Run(name, func(b *testing.B) {
			d := newBench(b, func(c *Config) { c.When, c.MaxFile, c.MaxTotal = when, 4<<30, 8<<30 })
			turn := steady(d, 90, 400)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				turn()
				if i%500 == 0 {
					d.work()
				}
			}
		})
	}
}
