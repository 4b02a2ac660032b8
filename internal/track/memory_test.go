package track

import (
	"fmt"
	"net/netip"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// TestMemoryBound: what a sender writes into a message, and how much of it, does not
// take more memory than the configuration gives. The heap is measured, not our own
// count of it.
func TestMemoryBound(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(1000)) // heap collects where it is measured
	const bound = 4 << 20
	long := strings.Repeat("P-Asserted-Identity: <sip:"+strings.Repeat("x", 900)+"@a>\r\nDiversion: <sip:"+strings.Repeat("y", 900)+"@a>\r\n", 30)
	for _, flood := range []struct {
		name, method, contact, more string
		answer                      bool
	}{
		{"short INVITE", "INVITE", "<sip:u@10.0.0.1>", "", false},
		{"long INVITE", "INVITE", "<sip:u@10.0.0.1>", long, false},
		{"long OPTIONS", "OPTIONS", "<sip:u@10.0.0.1>", long, false},
		{"long call", "INVITE", "<sip:u@10.0.0.1>", long, true},
		{"subscription", "SUBSCRIBE", "<sip:u@10.0.0.1>", "Event: presence;id=1\r\nExpires: 600000\r\n", true},
		{"long contact", "REGISTER", "<sip:" + strings.Repeat("z", 1000) + "@10.0.0.1>;expires=3600", "", true},
	} {
		t.Run(flood.name, func(t *testing.T) {
			cfg := DefaultConfig()
			cfg.MaxCallsMem, cfg.MaxRegsMem = bound, bound
			before := heap()
			tr := New(cfg)
			var m sip.Message
			see := func(i int, src, dst, text string) {
				p := packet.Packet{
					Time: siptest.Start + int64(i)*100_000, Transport: packet.UDP, Payload: []byte(text),
					Src: netip.MustParseAddrPort(src), Dst: netip.MustParseAddrPort(dst),
				}
				if m.Parse(p.Payload, false) != sip.OK {
					t.Fatal(string(m.AppendProblem(nil)))
				}
				tr.See(nil, &p, &m)
			}
			var most uint64
			for i := range 12000 {
				headers := fmt.Sprintf("Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK%d\r\nFrom: <sip:u%d@a>;tag=a\r\nCall-ID: %d%s\r\nCSeq: 1 %s\r\nUser-Agent: %s\r\nContact: %s\r\n%s",
					i, i, i, strings.Repeat("c", 200), flood.method, strings.Repeat("q", 900), flood.contact, flood.more)
				see(i, "192.0.2.1:5060", "192.0.2.2:5060", fmt.Sprintf("%s sip:x@a SIP/2.0\r\nTo: <sip:u%d@a>\r\n%s\r\n", flood.method, i, headers))
				if flood.answer {
					see(i, "192.0.2.2:5060", "192.0.2.1:5060", fmt.Sprintf("SIP/2.0 200 OK\r\nTo: <sip:u%d@a>;tag=b\r\n%s\r\n", i, headers))
				}
				if i%3000 == 2999 {
					most = max(most, heap())
				}
			}
			// Both tables may be full, and freed entries wait in pools.
			if grown := most - min(most, before); grown > 2*bound+bound {
				t.Errorf("the heap grew by %d KiB with bounds of %d KiB each for calls and bindings", grown>>10, bound>>10)
			} else {
				t.Logf("%d KiB", grown>>10)
			}
			runtime.KeepAlive(tr)
		})
	}
}

// heap is what is in use after a collection, in bytes.
func heap() uint64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}
