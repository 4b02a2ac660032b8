package track

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// TestManyStrangers: a stranger who answers one INVITE a thousand times is kept
// maxDoubts times, and not at all when the one that was asked refuses.
func TestManyStrangers(t *testing.T) {
	const headers = "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@example.com>;tag=a\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n"
	tr := New(DefaultConfig())
	var m sip.Message
	see := func(src, dst, text string) {
		p := packet.Packet{
			Time: siptest.Start, Transport: packet.UDP, Payload: []byte(text),
			Src: netip.MustParseAddrPort(src), Dst: netip.MustParseAddrPort(dst),
		}
		if m.Parse(p.Payload, false) != sip.OK {
			t.Fatal(string(m.AppendProblem(nil)))
		}
		tr.See(nil, &p, &m)
	}
	see("192.0.2.1:5060", "192.0.2.2:5060", "INVITE sip:b@example.com SIP/2.0\r\nTo: <sip:b@example.com>\r\n"+headers)
	for i := range 1000 {
		see("192.0.2.9:5060", "192.0.2.1:5060", fmt.Sprintf("SIP/2.0 200 OK\r\nTo: <sip:b@example.com>;tag=%d\r\n", i)+headers)
	}
	if n := tr.Stats().Entries; n != 1+maxDoubts {
		t.Errorf("%d entries, want the attempt and %d doubts", n, maxDoubts)
	}
	see("192.0.2.2:5060", "192.0.2.1:5060", "SIP/2.0 486 Busy Here\r\nTo: <sip:b@example.com>;tag=b\r\n"+headers)
	if n := tr.Stats().Entries; n != 1 {
		t.Errorf("%d entries after the refusal, want the attempt", n)
	}
	checkTables(t, tr)
	checkEmpty(t, tr)
}
