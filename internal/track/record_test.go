package track

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// sender plays messages that tests write themselves.
type sender struct {
	t      testing.TB
	tr     *Tracker
	now    int64
	m      sip.Message
	events []event.Event
}

// see sends text from src to dst; the events are borrowed until the next call.
func (s *sender) see(src, dst, text string) []event.Event {
	p := packet.Packet{
		Time: s.now, Transport: packet.UDP, Payload: []byte(text),
		Src: netip.AddrPortFrom(netip.MustParseAddr(src), 5060), Dst: netip.AddrPortFrom(netip.MustParseAddr(dst), 5060),
	}
	if s.m.Parse(p.Payload, false) != sip.OK {
		s.t.Fatalf("%s\n%s", s.m.AppendProblem(nil), text)
	}
	s.events = s.tr.See(s.events[:0], &p, &s.m)
	return s.events
}

// inDialog is a message of one call.
func inDialog(first string, cseq int, method string) string {
	return fmt.Sprintf("%s\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK%d%s\r\nFrom: <sip:a@example.com>;tag=a\r\nTo: <sip:b@example.com>;tag=b\r\n"+
		"Call-ID: x\r\nCSeq: %d %s\r\nContact: <sip:a@192.0.2.1>\r\n\r\n", first, cseq, method, cseq, method)
}

// TestPackedLegs: an address is a leg of a call while its record is packed, those
// that the dialog itself has no room for too, and none twice.
func TestPackedLegs(t *testing.T) {
	s := &sender{t: t, tr: New(DefaultConfig()), now: siptest.Start}
	s.tr.SetSource("calls.pcap", "", 0)
	s.see("192.0.2.1", "192.0.2.2", inDialog("INVITE sip:b@example.com SIP/2.0", 2, "INVITE"))
	s.tr.SetSource("other.pcap", "", 0)
	d := s.tr.calls.sets[s.tr.hash([]byte("x"))].dialogs.items[0]
	if d.rec != nil || len(d.cold) == 0 {
		t.Fatal("the record of a call that is up is not packed")
	}
	for round := range 2 {
		for i := range 12 {
			s.see(fmt.Sprintf("192.0.2.%d", 1+i), "192.0.2.2", inDialog("INFO sip:b@example.com SIP/2.0", 3+12*round+i, "INFO"))
		}
	}
	for i := range 12 {
		if !s.tr.isLeg(d, netip.MustParseAddr(fmt.Sprintf("192.0.2.%d", 1+i))) {
			t.Errorf("192.0.2.%d is no leg", 1+i)
		}
	}
	if s.tr.isLeg(d, netip.MustParseAddr("192.0.2.77")) {
		t.Error("192.0.2.77 is a leg")
	}
	s.tr.rest()
	s.see("192.0.2.1", "192.0.2.2", inDialog("BYE sip:b@example.com SIP/2.0", 99, "BYE"))
	got := s.see("192.0.2.2", "192.0.2.1", inDialog("SIP/2.0 200 OK", 99, "BYE"))
	if len(got) != 1 || got[0].Type != event.CallEnd {
		t.Fatalf("%d events", len(got))
	}
	e := &got[0]
	if n := e.Count(e.Legs); n != 12 {
		t.Errorf("%d legs, want 12", n)
	}
	if e.Requests[event.CountInfo] != 24 || e.Capture != "calls.pcap" {
		t.Errorf("%d INFO, capture %q", e.Requests[event.CountInfo], e.Capture)
	}
	if d.rec != nil || d.cold != nil {
		t.Error("the record of a call that is over is kept")
	}
	checkTables(t, s.tr)
	checkEmpty(t, s.tr)
}

// TestColdBuffers: what is freed fits the next record, and the count of bytes is that
// of the buffers.
func TestColdBuffers(t *testing.T) {
	tr := New(DefaultConfig())
	d := &dialog{}
	for _, n := range []int{1, 64, 65, 1000, usualRecord, usualRecord + 1, 60000, 0} {
		b := bytes.Repeat([]byte{byte(n)}, n)
		tr.keepCold(d, b)
		if !bytes.Equal(d.cold, b) || int64(cap(d.cold)) != tr.calls.bytes {
			t.Errorf("%d bytes: %d are kept in %d, %d are counted", n, len(d.cold), cap(d.cold), tr.calls.bytes)
		}
	}
	for s, free := range tr.pools.cold {
		for _, b := range free {
			if cap(b) != (s+1)*coldStep {
				t.Errorf("a buffer of %d bytes waits among those of %d", cap(b), (s+1)*coldStep)
			}
		}
	}
}

// TestSteadyLoad: what is freed is used again, so that a load that does not grow
// allocates nothing.
func TestSteadyLoad(t *testing.T) {
	sights := loadSights(t, 50)
	tr := New(DefaultConfig())
	var events []event.Event
	turn := siptest.Start
	round := func() {
		for i := range sights {
			x := &sights[i]
			x.p.Time = turn + x.at
			events = tr.See(events[:0], &x.p, &x.m)
		}
		turn += int64(10 * time.Minute)
	}
	for range 5 {
		round()
	}
	if n := testing.AllocsPerRun(10, round); n > 0 {
		t.Errorf("a round of %d messages allocates %v times", len(sights), n)
	}
}
