package system

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// flood writes a capture: n REGISTERs of a scanner that are refused, one a millisecond,
// and between them calls of another client that are refused, one in ten seconds.
func flood(t *testing.T, n int) string {
	t.Helper()
	server := netip.MustParseAddrPort("192.0.2.1:5060")
	var frames []packet.Frame
	ask := func(at time.Duration, client, method, id string, code string) {
		from := netip.MustParseAddrPort(client + ":5060")
		for i, first := range []string{method + " sip:b@example.com SIP/2.0", "SIP/2.0 " + code} {
			src, dst, tag := from, server, ""
			if i == 1 {
				src, dst, tag = server, from, ";tag=b"
			}
			data := siptest.UDPFrame(src, dst, fmt.Appendf(nil, "%s\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s\r\nMax-Forwards: 70\r\n"+
				"From: <sip:a@example.com>;tag=%[3]s\r\nTo: <sip:b@example.com>%[4]s\r\nCall-ID: %[3]s\r\nCSeq: 1 %[5]s\r\nContent-Length: 0\r\n\r\n",
				first, client, id, tag, method))
			frames = append(frames, packet.Frame{Time: siptest.Start + int64(at) + int64(i)*1e5, Link: packet.LinkEthernet, Data: data, Wire: len(data)})
		}
	}
	for i := range n {
		at := time.Duration(i) * time.Millisecond
		ask(at, "198.51.100.7", "REGISTER", fmt.Sprintf("f%d", i), "403 Forbidden")
		if i%10000 == 0 {
			ask(at+500*time.Microsecond, "203.0.113.1", "INVITE", fmt.Sprintf("c%d", i), "486 Busy Here")
		}
	}
	path := filepath.Join(t.TempDir(), "flood.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := siptest.WritePcap(f, packet.LinkEthernet, frames); err != nil {
		t.Fatal(err)
	}
	return path
}

// The limits that are the default: of a flood 20 within the limit leave, then the 1st,
// the 100th and so on over it, and at the end of the file the rest is told. Other
// sources and other types are not touched, and nothing is missing from the sum.
func TestFlood(t *testing.T) {
	const n = 25000
	out, capture := t.TempDir(), flood(t, n)
	p := run(t, join(reading(capture), toFile(out), []string{"-E", "event_types_blst=none"})...).ok()
	var left []int
	told, calls := 0, 0
	for _, r := range written(t, out) {
		rate := &r.Sipcmbeat.Rate
		told += rate.Suppressed
		switch r.Event.Action {
		case "other-failed":
			left = append(left, rate.Exceeded)
		case "call-attempt":
			calls++
		case "rate-calm":
			if rate.Ended != "stopped" || rate.Total != n-len(left) || rate.Key != "other-failed:198.51.100.7" {
				t.Errorf("told %+v", rate)
			}
		default:
			t.Error(r.Event.Action)
		}
	}
	want := append(make([]int, 20), 1, 100, 200, 400, 800, 1600, 3200, 6400, 10000, 20000)
	if !slices.Equal(left, want) || calls != 3 || told != n-len(left) {
		t.Errorf("%v left, want %v; %d calls; %d told of %d", left, want, calls, told, n-len(left))
	}
	if log := p.log(); !strings.Contains(log, fmt.Sprintf("held back by evr_limits: %d other-failed", n-len(left))) || strings.Contains(log, "counters disagree") {
		t.Errorf("log: %s", log)
	}
}

// Without limits all of it leaves; replay has none unless it is told.
func TestNoLimits(t *testing.T) {
	out, capture := t.TempDir(), flood(t, 2000)
	run(t, join(reading(capture), toFile(out), []string{"-E", "event_types_blst=none", "-E", "evr_limits=none"})...).ok()
	same(t, written(t, out), replayed(t, capture))
	if n := lines(t, out); n != 2001 {
		t.Errorf("%d events", n)
	}
}
