package track

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// lossy shows a tracker calls and registrations, two a second, of which a share is lost
// before anybody sees it. Nothing is sent twice.
type lossy struct {
	t      *testing.T
	tr     *Tracker
	share  float64
	rand   *rand.Rand
	m      sip.Message
	events []event.Event

	sent, lost int
}

func (l *lossy) say(at int64, out bool, start, cid, cseq, tag string) {
	l.sent++
	if l.rand.Float64() < l.share {
		l.lost++
		return
	}
	text := start + "\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK" + cid + cseq[2:] + "\r\nFrom: <sip:a@example.com>;tag=f" + cid +
		"\r\nTo: <sip:b@example.com>" + tag + "\r\nCall-ID: " + cid + "\r\nCSeq: " + cseq + "\r\nContact: <sip:a@192.0.2.1>\r\nContent-Length: 0\r\n\r\n"
	p := packet.Packet{Time: at, Transport: packet.UDP, Payload: []byte(text),
		Src: netip.MustParseAddrPort("192.0.2.1:5060"), Dst: netip.MustParseAddrPort("192.0.2.2:5060")}
	if !out {
		p.Src, p.Dst = p.Dst, p.Src
	}
	if l.m.Parse(p.Payload, false) != sip.OK {
		l.t.Fatal(text)
	}
	l.events = l.tr.Advance(l.events[:0], at)
	l.events = l.tr.See(l.events[:0], &p, &l.m)
}

func (l *lossy) run(n int) {
	const ms = int64(time.Millisecond)
	for i := range n {
		at, cid := siptest.Start+int64(i)*int64(time.Second), fmt.Sprint("c", i)
		const tag = ";tag=t"
		l.say(at, true, "INVITE sip:b@example.com SIP/2.0", cid, "1 INVITE", "")
		l.say(at+10*ms, false, "SIP/2.0 180 Ringing", cid, "1 INVITE", tag)
		l.say(at+200*ms, false, "SIP/2.0 200 OK", cid, "1 INVITE", tag)
		l.say(at+210*ms, true, "ACK sip:b@example.com SIP/2.0", cid, "1 ACK", tag)
		l.say(at+600*ms, true, "BYE sip:b@example.com SIP/2.0", cid, "2 BYE", tag)
		l.say(at+610*ms, false, "SIP/2.0 200 OK", cid, "2 BYE", tag)
		l.say(at+700*ms, true, "OPTIONS sip:b@example.com SIP/2.0", "o"+cid, "1 OPTIONS", "")
		l.say(at+710*ms, false, "SIP/2.0 404 Not Found", "o"+cid, "1 OPTIONS", tag)
	}
	l.tr.Advance(l.events[:0], siptest.Start+int64(n)*int64(time.Second)+int64(time.Hour))
}

// TestAbsent: what is proven and was not seen is the share that was lost.
func TestAbsent(t *testing.T) {
	for _, share := range []float64{0, 0.01, 0.05, 0.2} {
		l := &lossy{t: t, tr: New(DefaultConfig()), share: share, rand: rand.New(rand.NewPCG(1, 2))}
		l.run(10000)
		s := l.tr.Stats()
		lost, missing := float64(l.lost)/float64(l.sent), s.Missing[AbsentRequest]+s.Missing[AbsentFinal]
		found := float64(missing) / float64(s.Proven)
		t.Logf("%.4f of %d messages lost, %.4f of %d proven ones; %v", lost, l.sent, found, s.Proven, s.Missing)
		if s.Proven < 20000 || found < 0.9*lost || found > 1.1*lost {
			t.Errorf("%.4f of the messages were lost, the estimate is %.4f (%v of %d)", lost, found, s.Missing, s.Proven)
		}
		checkTables(t, l.tr)
	}
}

// TestAbsentAtStart: what began before the capture is no loss.
func TestAbsentAtStart(t *testing.T) {
	l := &lossy{t: t, tr: New(DefaultConfig()), rand: rand.New(rand.NewPCG(1, 2))}
	for i := range int64(100) {
		at, cid := siptest.Start+i*int64(time.Second), fmt.Sprint("c", i)
		l.say(at, false, "SIP/2.0 200 OK", cid, "1 INVITE", ";tag=t")
		l.say(at+1e6, true, "ACK sip:b@example.com SIP/2.0", "a"+cid, "1 ACK", ";tag=t")
		l.say(at+2e6, true, "BYE sip:b@example.com SIP/2.0", "b"+cid, "2 BYE", ";tag=t")
	}
	s := l.tr.Stats()
	if s.Proven != 0 || s.Missing != [NumAbsent]uint64{} || s.Unknown[StrayedBye] != 100 {
		t.Errorf("%d proven, %v missing, %v unknown", s.Proven, s.Missing, s.Unknown)
	}
}
