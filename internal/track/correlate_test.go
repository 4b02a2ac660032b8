package track

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// The table is in the order of the documented list, which is that of trust.
func TestCorrelationsInOrder(t *testing.T) {
	if len(correlations) != len(event.CorrelationWords) {
		t.Fatalf("%d methods, %d documented", len(correlations), len(event.CorrelationWords))
	}
	for i := range correlations {
		if correlations[i].by != event.Correlation(i) {
			t.Errorf("row %d is %s", i, correlations[i].by)
		}
	}
}

// Each method finds its id without allocating, also among as many headers as fit into a datagram.
func TestCorrelateNoAllocation(t *testing.T) {
	many := strings.Repeat("X-Padding-1: y\r\n", 3000)
	for _, c := range []struct{ headers, want string }{
		{"Session-ID: AB30317F1A784DC48FF824D0D3715D86;remote=00000000000000000000000000000000\r\n", "ab30317f1a784dc48ff824d0d3715d86 session-id"},
		{many + "X-Genesys-CallUUID: 0123456789\r\n", "0123456789 x-cid"},
		{"P-Charging-Vector: icid-value=0123456789\r\n", "0123456789 icid"},
		{"", "0123456789@x call-id-suffix"},
	} {
		text := "INVITE sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@example.com>;tag=1\r\n" +
			"To: <sip:b@example.com>\r\nCall-ID: 0123456789@x_b2b-1\r\nCSeq: 1 INVITE\r\n" + c.headers + "\r\n"
		var m sip.Message
		if m.Parse([]byte(text), false) != sip.OK {
			t.Fatal(c.headers)
		}
		tr := New(DefaultConfig())
		v := &tr.view
		v.read(tr, &packet.Packet{Time: siptest.Start}, &m)
		var e event.Event
		n := testing.AllocsPerRun(10, func() {
			e.Reset()
			e.SetKey(&e.CallID, m.CallID())
			tr.correlate(&e, v)
		})
		if got := fmt.Sprintf("%s %s", e.Bytes(e.Correlation), e.CorrelatedBy); got != c.want || n != 0 {
			t.Errorf("%s, %v allocations; want %s", got, n, c.want)
		}
	}
}

func TestHeadersRefused(t *testing.T) {
	many := make([]string, MaxCorrelationHeaders+1)
	for i := range many {
		many[i] = fmt.Sprint("X-", i)
	}
	for _, names := range [][]string{{""}, {"X CID"}, {"X-CID:"}, {"v"}, {"call-id"}, {"X-CID", "x-cid"}, many} {
		cfg := DefaultConfig()
		cfg.CorrelationHeaders = names
		if err := cfg.Validate(); err == nil || !strings.HasPrefix(err.Error(), "correlation_headers: ") {
			t.Errorf("%q: %v", names, err)
		}
	}
	cfg := DefaultConfig()
	for _, names := range [][]string{nil, DefaultCorrelationHeaders, {"Subject"}, many[:MaxCorrelationHeaders]} {
		if cfg.CorrelationHeaders = names; cfg.Validate() != nil {
			t.Errorf("%q: %v", names, cfg.Validate())
		}
	}
}
