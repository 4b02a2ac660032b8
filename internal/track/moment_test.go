package track

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// teller sends short messages of calls and phones through a tracker.
type teller struct {
	t    *testing.T
	tr   *Tracker
	time int64
	m    sip.Message
}

func (c *teller) see(first, method, cid, toTag string) {
	c.t.Helper()
	text := fmt.Appendf(nil, "%s\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK%s\r\nFrom: <sip:u@a>;tag=f\r\nTo: <sip:%s@a>%s\r\nCall-ID: %s\r\nCSeq: 1 %s\r\nContact: <sip:%s@192.0.2.1>;expires=60\r\n\r\n",
		first, cid, cid, toTag, cid, method, cid)
	p := packet.Packet{Time: c.time, Src: netip.MustParseAddrPort("192.0.2.1:5060"), Dst: netip.MustParseAddrPort("192.0.2.2:5060"), Transport: packet.UDP, Payload: text}
	if first[:4] == "SIP/" {
		p.Src, p.Dst = p.Dst, p.Src
	}
	if c.m.Parse(text, false) != sip.OK {
		c.t.Fatal(string(text))
	}
	c.tr.See(nil, &p, &c.m)
}

// TestMoment: while a snapshot is written, calls are answered, others end, and their
// memory becomes that of new ones. What is under one Call-ID is of one moment, and no
// entry comes to stand under another's Call-ID.
func TestMoment(t *testing.T) {
	c := &teller{t: t, tr: New(DefaultConfig()), time: siptest.Start}
	const many = 3000
	for i := range many {
		c.see("OPTIONS sip:x@a SIP/2.0", "OPTIONS", fmt.Sprint("gone", i), "")
		c.see("REGISTER sip:a SIP/2.0", "REGISTER", fmt.Sprint("phone", i), "")
		c.see(okLine, "REGISTER", fmt.Sprint("phone", i), ";tag=t")
	}
	c.time += int64(31 * time.Second)
	for i := range many {
		c.see("INVITE sip:x@a SIP/2.0", "INVITE", fmt.Sprint("call", i), "")
	}
	r := NewRestoring(DefaultConfig())
	kinds := map[byte]int{}
	c.tr.Snapshot(func(kind byte, b []byte) bool {
		if err := r.Part(kind, b); err != nil {
			t.Fatalf("part of kind %d: %v", kind, err)
		}
		switch kinds[kind]++; {
		case kind == partSets && kinds[kind] == 2: // the OPTIONS are over, and new ones take their memory
			c.time += int64(3 * time.Second)
			for i := range 2 * many {
				c.see("OPTIONS sip:x@a SIP/2.0", "OPTIONS", fmt.Sprint("new", i), "")
			}
		case kind == partSets:
			for i := range many {
				if i%7 == kinds[kind]%7 {
					c.see(okLine, "INVITE", fmt.Sprint("call", i), ";tag=t")
				}
			}
		}
		return true
	})
	again, got, _, err := r.Done(0)
	if err != nil || got.Bindings != many || got.Calls < many {
		t.Fatal(err, got)
	}
	for cid, s := range again.calls.sets {
		for _, a := range s.attempts.items {
			if again.hash(a.rec.Bytes(a.rec.CallID)) != cid {
				t.Fatalf("an INVITE of %s stands under another Call-ID", a.rec.Bytes(a.rec.CallID))
			}
			if a.state == calling && len(s.dialogs.items) > 0 {
				t.Fatalf("%s is answered and not", a.rec.Bytes(a.rec.CallID))
			}
		}
		for _, q := range s.requests.items {
			if q.state != completed && again.hash(q.rec.Bytes(q.rec.CallID)) != cid {
				t.Fatalf("a request of %s stands under another Call-ID", q.rec.Bytes(q.rec.CallID))
			}
		}
	}
}

// TestNoRoomForTry: an INVITE failed with an old nonce and its next try, under another
// Call-ID, has no room in the next run: the failure is said with it, and the INVITE does
// not wait for it for ever.
func TestNoRoomForTry(t *testing.T) {
	c := &teller{t: t, tr: New(DefaultConfig()), time: siptest.Start}
	auth := func(nonce string) string {
		return "INVITE sip:x@a SIP/2.0\r\nProxy-Authorization: Digest username=\"u\", realm=\"r\", nonce=\"" + nonce + "\", response=\"1\""
	}
	c.see(auth("old"), "INVITE", "one", "")
	c.see("SIP/2.0 407 X\r\nProxy-Authenticate: Digest realm=\"r\", nonce=\"new\"", "INVITE", "one", ";tag=t")
	c.see(auth("new"), "INVITE", "two", "")
	r := NewRestoring(DefaultConfig())
	for _, p := range shoot(c.tr) {
		if err := r.Part(p.kind, p.b); err != nil {
			t.Fatal(err)
		}
	}
	gone := 0
	for _, s := range r.t.calls.sets {
		for _, a := range s.attempts.items {
			if a.holds != nil {
				gone++
				r.finishSet()
				a.evict(r.t)
				break
			}
		}
	}
	tr, _, _, err := r.Done(0)
	if err != nil || gone != 1 {
		t.Fatal(err, gone)
	}
	checkChains(t, tr)
	for range 100 {
		c.time += int64(5 * time.Second)
		tr.Advance(nil, c.time)
	}
	left(t, tr)
}
