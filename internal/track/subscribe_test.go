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

// pair sends messages between two addresses through a tracker.
type pair struct {
	tr   *Tracker
	now  int64
	m    sip.Message
	p    packet.Packet
	out  []event.Event
	t    testing.TB
	ends [2]netip.AddrPort
}

func newPair(t testing.TB, cfg Config) *pair {
	return &pair{
		tr: New(cfg), now: siptest.Start, t: t,
		ends: [2]netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:5060"), netip.MustParseAddrPort("192.0.2.2:5060")},
	}
}

// say sends text from one of the ends to the other.
func (k *pair) say(from int, text []byte) {
	if k.m.Parse(text, false) != sip.OK {
		k.t.Fatal(string(k.m.AppendProblem(nil)))
	}
	k.now += int64(time.Millisecond)
	k.p = packet.Packet{Time: k.now, Src: k.ends[from], Dst: k.ends[1-from], Transport: packet.UDP, Payload: text}
	k.out = k.tr.Advance(k.out[:0], k.now)
	k.out = k.tr.See(k.out, &k.p, &k.m)
}

// last is the last event of what was said, behind those of what gave way to it.
func (k *pair) last() *event.Event {
	if len(k.out) == 0 {
		k.t.Fatal("no event")
	}
	return &k.out[len(k.out)-1]
}

// sipText writes a message of call id; tags are as From and To of a request of the first
// end, or of the answer to it, have them.
func sipText(start, from, to string, id, cseq int, method, more string) []byte {
	return fmt.Appendf(nil, "%s\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK%d-%d-%s\r\nFrom: <sip:u@example.com>;tag=%s\r\n"+
		"To: <sip:v@example.com>%s\r\nCall-ID: %d\r\nCSeq: %d %s\r\nMax-Forwards: 70\r\n%sContent-Length: 0\r\n\r\n", start, id, cseq, method, from, to, id, cseq, method, more)
}

// TestSubscriptionsSteady: subscriptions that come and go allocate nothing once there
// were as many.
func TestSubscriptionsSteady(t *testing.T) {
	k := newPair(t, DefaultConfig())
	var texts [4][][]byte
	for i := range texts {
		texts[i] = [][]byte{
			sipText("SUBSCRIBE sip:v@example.com SIP/2.0", "a", "", i, 1, "SUBSCRIBE", "Event: presence\r\nExpires: 60\r\n"),
			sipText("SIP/2.0 200 OK", "a", ";tag=b", i, 1, "SUBSCRIBE", "Expires: 60\r\n"),
			sipText("NOTIFY sip:u@example.com SIP/2.0", "b", ";tag=a", i, 1, "NOTIFY", "Event: presence\r\nSubscription-State: active;expires=60\r\n"),
			sipText("SIP/2.0 200 OK", "b", ";tag=a", i, 1, "NOTIFY", ""),
			sipText("REFER sip:v@example.com SIP/2.0", "a", ";tag=b", i, 2, "REFER", "Refer-To: <sip:w@example.com?Replaces=x%40y%3Bto-tag%3D1>\r\n"),
			sipText("SIP/2.0 202 Accepted", "a", ";tag=b", i, 2, "REFER", ""),
			sipText("NOTIFY sip:u@example.com SIP/2.0", "b", ";tag=a", i, 2, "NOTIFY", "Event: refer\r\nSubscription-State: terminated;reason=noresource\r\n"),
			sipText("SIP/2.0 481 Gone", "b", ";tag=a", i, 2, "NOTIFY", ""),
		}
	}
	from := [...]int{0, 1, 1, 0, 0, 1, 1, 0}
	round := func() {
		for i := range texts {
			for j, text := range texts[i] {
				k.say(from[j], text)
			}
		}
		k.now += int64(10 * time.Minute)
	}
	for range 8 {
		round()
	}
	if n := testing.AllocsPerRun(20, round); n != 0 {
		t.Errorf("%v allocations a round", n)
	}
	checkTables(t, k.tr)
	checkEmpty(t, k.tr)
}

// TestSubscriptionsGiveWay: however many subscriptions are granted, an answered call
// stays; and one that is only asked for goes before one that is granted.
func TestSubscriptionsGiveWay(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxCalls = 64
	k := newPair(t, cfg)
	k.say(0, sipText("INVITE sip:v@example.com SIP/2.0", "a", "", 0, 1, "INVITE", ""))
	k.say(1, sipText("SIP/2.0 200 OK", "a", ";tag=b", 0, 1, "INVITE", ""))
	k.say(0, sipText("SUBSCRIBE sip:v@example.com SIP/2.0", "a", "", 1, 1, "SUBSCRIBE", "Event: dialog\r\n"))
	k.say(1, sipText("SIP/2.0 200 OK", "a", ";tag=b", 1, 1, "SUBSCRIBE", "Expires: 3600\r\n"))
	for i := range 1000 {
		k.say(0, sipText("SUBSCRIBE sip:v@example.com SIP/2.0", "a", "", 2+i, 1, "SUBSCRIBE", "Event: presence\r\n"))
		checkTables(t, k.tr)
	}
	k.say(1, sipText("NOTIFY sip:u@example.com SIP/2.0", "b", ";tag=a", 1, 1, "NOTIFY", "Event: dialog\r\nSubscription-State: active;expires=60\r\n"))
	k.say(0, sipText("SIP/2.0 481 Gone", "b", ";tag=a", 1, 1, "NOTIFY", ""))
	if e := k.last(); e.Type != event.OtherFailed || e.Anomalies&event.NoSubscription != 0 {
		t.Errorf("the granted subscription gave way to others that were asked for")
	}
	for i := range 1000 {
		k.say(0, sipText("SUBSCRIBE sip:v@example.com SIP/2.0", "a", "", 2000+i, 1, "SUBSCRIBE", "Event: presence\r\n"))
		k.say(1, sipText("SIP/2.0 200 OK", "a", ";tag=b", 2000+i, 1, "SUBSCRIBE", "Expires: 3600\r\n"))
	}
	if n := k.tr.Stats().Entries; n > cfg.MaxCalls {
		t.Errorf("%d entries with a bound of %d", n, cfg.MaxCalls)
	}
	k.say(0, sipText("BYE sip:v@example.com SIP/2.0", "a", ";tag=b", 0, 2, "BYE", ""))
	k.say(1, sipText("SIP/2.0 200 OK", "a", ";tag=b", 0, 2, "BYE", ""))
	if e := k.last(); e.Type != event.CallEnd || e.Incomplete&event.NoInvite != 0 {
		t.Errorf("the call gave way to subscriptions")
	}
	checkEmpty(t, k.tr)
}
