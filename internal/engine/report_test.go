package engine

import (
	"net/netip"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/hep"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/qos"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
	"github.com/sipcmbeat/sipcmbeat/internal/track"
)

const reportedCall = `-- ladder --
0s      alice > bob   INVITE
1s      bob > alice   200
1.01s   alice > bob   ACK
60s     alice > bob   BYE
60.01s  bob > alice   200
`

// byHEP is a frame of a HEP packet of any type.
func byHEP(at time.Duration, typ uint8, src, dst, correlation, payload string) packet.Frame {
	m := hep.Message{Version: 3, Protocol: 17, Type: typ, Src: netip.MustParseAddrPort(src), Dst: netip.MustParseAddrPort(dst),
		Time: siptest.Start + int64(at), CorrelationID: []byte(correlation), Payload: []byte(payload)}
	b, ok := m.Append(nil)
	if !ok {
		panic("not written")
	}
	f := udp(at, "203.0.113.1:40000", "203.0.113.2:9060", string(b))
	return f
}

// TestReports: quality reports by HEP are in the call's end, by the correlation id;
// what is none, or of no call, is counted.
func TestReports(t *testing.T) {
	l, err := siptest.ParseLadder("reported", []byte(reportedCall))
	if err != nil {
		t.Fatal(err)
	}
	calls := ladder(l)
	all := append([]packet.Frame(nil), calls[:3]...)
	const report = `{"report_blocks":[{"fraction_lost":64,"packets_lost":1}],"mos":3.5}`
	all = append(all,
		byHEP(10*time.Second, 5, "192.0.2.1:4001", "192.0.2.2:5001", "c1@ladder", report),
		byHEP(15*time.Second, 35, "192.0.2.2:5001", "192.0.2.1:4001", "c1@ladder", `{"mos":4.5}`),
		byHEP(20*time.Second, 5, "192.0.2.1:4001", "192.0.2.2:5001", "other@ladder", report),
		byHEP(20*time.Second, 34, "192.0.2.1:4001", "192.0.2.2:5001", "c1@ladder", "rubbish"),
		byHEP(20*time.Second, 38, "192.0.2.1:4001", "192.0.2.2:5001", "c1@ladder", "{}"),
		byHEP(20*time.Second, 100, "192.0.2.1:4001", "192.0.2.2:5001", "c1@ladder", "a log"),
	)
	all = append(all, calls[3:]...)
	events, s := run(t, DefaultConfig(), &frames{all: all})
	if len(events) != 2 || events[1].Type != event.CallEnd {
		t.Fatal(summary(events))
	}
	f := siptest.Fields(&events[1])
	for key, want := range map[string]string{"sip.qos.reports": "2", "sip.qos.mos": "3.5", "sip.qos.caller.mos": "3.5", "sip.qos.caller.loss_pct": "25", "sip.qos.callee.mos": "4.5"} {
		if f[key] != want {
			t.Errorf("%s: %q, want %q", key, f[key], want)
		}
	}
	if s.Quality != [qos.NumOutcomes]uint64{3, 1, 1} || s.Track.Reports[track.ReportJoined] != 2 || s.Track.Reports[track.ReportUnknown] != 1 ||
		s.Datagrams[Report] != 5 || s.Datagrams[OtherHEP] != 1 {
		t.Errorf("read %v, joined %v, datagrams %v", s.Quality, s.Track.Reports, s.Datagrams)
	}
}
