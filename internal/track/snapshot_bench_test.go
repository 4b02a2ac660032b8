package track

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// BenchmarkSnapshot writes a million entries: calls that are up with their attempts, and
// bindings. longest-us is the longest time between two parts, for which a lane waits.
func BenchmarkSnapshot(b *testing.B) {
	const calls = 400_000
	tr := upAndBound(b, calls)
	var size int
	longest := time.Duration(0)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		size = 0
		last := time.Now()
		tr.Snapshot(func(_ byte, part []byte) bool {
			longest = max(longest, time.Since(last))
			size += len(part)
			last = time.Now()
			return true
		})
	}
	entries := tr.Stats().Entries + tr.Stats().Bindings
	b.ReportMetric(float64(longest.Microseconds()), "longest-us")
	b.ReportMetric(float64(entries), "entries")
	b.ReportMetric(float64(size)/float64(entries), "bytes/entry")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(entries), "ns/entry")
}

// BenchmarkRestore takes the same up again.
func BenchmarkRestore(b *testing.B) {
	const calls = 100_000
	parts := shoot(upAndBound(b, calls))
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		takeUp(b, benchConfig(), parts, 0)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(2.5*calls), "ns/entry")
}

func benchConfig() Config {
	cfg := DefaultConfig()
	cfg.MaxCalls, cfg.MaxRegs, cfg.MaxCallsMem, cfg.MaxRegsMem = 1<<22, 1<<22, 1<<33, 1<<33
	return cfg
}

// upAndBound is a tracker with so many calls that are up, and half as many bindings.
func upAndBound(tb testing.TB, calls int) *Tracker {
	tr := New(benchConfig())
	var m sip.Message
	var events []event.Event
	src, dst := netip.MustParseAddrPort("192.0.2.1:5060"), netip.MustParseAddrPort("192.0.2.2:5060")
	see := func(i int, head, to, method, more string) {
		text := fmt.Appendf(nil, "%s\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKnashds8%d\r\nMax-Forwards: 70\r\nFrom: \"Alice\" <sip:alice%d@atlanta.example.com>;tag=1928301774%d\r\n"+
			"To: <sip:u%d@biloxi.example.com>%s\r\nCall-ID: a84b4c76e66710-%s-%d@pc33.atlanta.example.com\r\nCSeq: 314159 %s\r\nUser-Agent: Softphone Beta 1.5\r\nContact: <sip:alice@pc33.atlanta.example.com>;expires=3600\r\n%s\r\n",
			head, i, i, i, i, to, method, i, method, more)
		p := packet.Packet{Time: siptest.Start + int64(i)*1000, Src: src, Dst: dst, Transport: packet.UDP, Payload: text}
		if head[:4] == "SIP/" {
			p.Src, p.Dst = dst, src
		}
		if m.Parse(text, false) != sip.OK {
			tb.Fatal(string(text))
		}
		events = tr.See(events[:0], &p, &m)
	}
	for i := range calls {
		see(i, "INVITE sip:bob@biloxi.example.com SIP/2.0", "", "INVITE", "")
		see(i, "SIP/2.0 200 OK", ";tag=a6c85cf", "INVITE", "")
		if i%2 == 0 {
			see(i, "REGISTER sip:biloxi.example.com SIP/2.0", "", "REGISTER", "")
			see(i, "SIP/2.0 200 OK", ";tag=a6c85cf", "REGISTER", "")
		}
	}
	return tr
}
