package track

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/qos"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// walker makes messages out of fuzz bytes: few of everything, so that they meet.
type walker struct {
	in   []byte
	time int64
}

func (w *walker) next(n int) int {
	if len(w.in) == 0 {
		return 0
	}
	b := w.in[0]
	w.in = w.in[1:]
	return int(b) % n
}

func pick[T any](w *walker, from ...T) T { return from[w.next(len(from))] }

// message writes one message on one hop.
func (w *walker) message() (src, dst netip.AddrPort, text []byte) {
	addr := func() netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + w.next(4))}), 5060)
	}
	var b strings.Builder
	method := pick(w, "INVITE", "INVITE", "ACK", "BYE", "CANCEL", "REGISTER", "OPTIONS", "INFO", "UPDATE", "NOTIFY", "REFER", "PRACK", "SUBSCRIBE", "SUBSCRIBE", "NOTIFY")
	code := pick(w, 0, 0, 0, 100, 180, 200, 200, 302, 401, 407, 481, 486, 487, 503, 603)
	if code == 0 {
		fmt.Fprintf(&b, "%s sip:x@example.com SIP/2.0\r\n", method)
	} else {
		fmt.Fprintf(&b, "SIP/2.0 %d X\r\n", code)
	}
	for range 1 + w.next(3) {
		fmt.Fprintf(&b, "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK%s\r\n", pick(w, "1", "2", "3", ""))
	}
	from, to := pick(w, ";tag=a", ";tag=b", ";tag=c", ""), pick(w, "", ";tag=a", ";tag=b", ";tag=c")
	fmt.Fprintf(&b, "From: <sip:u@example.com>%s\r\nTo: <sip:u@example.com>%s\r\nCall-ID: %s\r\nCSeq: %d %s\r\n",
		from, to, pick(w, "x", "y"), 1+w.next(3), method)
	if n := pick(w, "", "", "n1", "n2", "n3"); n != "" {
		name := pick(w, "Authorization", "Proxy-Authorization", "WWW-Authenticate", "Proxy-Authenticate")
		fmt.Fprintf(&b, "%s: Digest username=\"u\", realm=\"r\", nonce=\"%s\", response=\"%s\"%s\r\n",
			name, n, pick(w, "1", "2", ""), pick(w, "", "", ", stale=true"))
	}
	if c := pick(w, "", "*", "<sip:u@10.0.0.1>", "<sip:u@10.0.0.1>;expires=0", "<sip:u@10.0.0.2>, <sip:u@10.0.0.1>;expires=7"); c != "" {
		fmt.Fprintf(&b, "Contact: %s\r\n", c)
	}
	if e := pick(w, "", "0", "5", "60"); e != "" {
		fmt.Fprintf(&b, "Expires: %s\r\n", e)
	}
	if s := pick(w, "", "", "pending", "active;expires=2", "terminated;reason=timeout"); s != "" && code == 0 {
		fmt.Fprintf(&b, "Event: %s\r\nSubscription-State: %s\r\nRefer-To: <sip:v@example.com?Replaces=y>\r\n", pick(w, "presence", "presence;id=1", "refer", "refer;id=2"), s)
	}
	if w.next(8) == 1 {
		b.WriteString("Session-Expires: 2\r\n")
	}
	b.WriteString("\r\n")
	return addr(), addr(), []byte(b.String())
}

// rich writes one message of a larger vocabulary: more methods and codes, forks, both
// transports, session timers, reliable provisional answers.
func (w *walker) rich() (src, dst netip.AddrPort, over packet.Transport, text []byte) {
	addr := func() netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + w.next(4))}), uint16(5060+w.next(2)))
	}
	over = pick(w, packet.UDP, packet.UDP, packet.TCP)
	var b strings.Builder
	method := pick(w, "INVITE", "INVITE", "INVITE", "ACK", "BYE", "BYE", "CANCEL", "REGISTER", "REGISTER", "OPTIONS", "MESSAGE",
		"PUBLISH", "SUBSCRIBE", "NOTIFY", "PRACK", "UPDATE", "REFER", "INFO", "xyz")
	code := pick(w, 0, 0, 0, 0, 100, 180, 183, 199, 200, 200, 200, 202, 300, 302, 401, 407, 408, 422, 423, 481, 486, 487, 491, 500, 503, 603)
	if code == 0 {
		fmt.Fprintf(&b, "%s sip:x@example.com SIP/2.0\r\n", method)
	} else {
		fmt.Fprintf(&b, "SIP/2.0 %d X\r\n", code)
	}
	cseq := 1 + w.next(3)
	for range 1 + w.next(3) { // hops
		fmt.Fprintf(&b, "Via: SIP/2.0/UDP 192.0.2.1;branch=%s\r\n", pick(w, "z9hG4bK1", "z9hG4bK2", "z9hG4bK3", "z9hG4bK4", "", "2543"))
	}
	fmt.Fprintf(&b, "From: <sip:%s@example.com>%s\r\nTo: <sip:%s@example.com>%s\r\n", pick(w, "u", "v"), pick(w, ";tag=a", ";tag=a", ";tag=b", ""),
		pick(w, "u", "v"), pick(w, "", "", ";tag=b", ";tag=c", ";tag=a"))
	fmt.Fprintf(&b, "Call-ID: %s\r\nCSeq: %d %s\r\n", pick(w, "x", "x", "y"), cseq, method)
	if w.next(16) == 1 {
		b.WriteString("no colon\r\n") // cannot be used
	}
	if n := pick(w, "", "", "n1", "n2", "n3"); n != "" {
		name := pick(w, "Authorization", "Proxy-Authorization", "WWW-Authenticate", "Proxy-Authenticate")
		fmt.Fprintf(&b, "%s: Digest username=\"u\", realm=\"%s\", nonce=\"%s\", response=\"%s\"%s\r\n",
			name, pick(w, "r", "r", "s"), n, pick(w, "1", "2", ""), pick(w, "", "", ", stale=true"))
	}
	for _, h := range []struct {
		name   string
		values []string
	}{
		{"Contact", []string{"", "", "*", "<sip:u@10.0.0.1>", "<sip:u@10.0.0.1>;expires=0", "<sip:u@10.0.0.2>, <sip:u@10.0.0.1>;expires=7"}},
		{"Expires", []string{"", "0", "5", "60", "100000"}},
		{"Session-Expires", []string{"", "", "", "2", "20;refresher=uac"}},
		{"RAck", []string{"", "", "1 1 INVITE", "2 3 INVITE"}},
		{"RSeq", []string{"", "", "1"}},
		{"Event", []string{"", "presence", "refer;id=1"}},
		{"Subscription-State", []string{"", "active;expires=2", "terminated", "pending"}},
		{"Refer-To", []string{"", "", "<sip:v@example.com?Replaces=y>"}},
		{"Reason", []string{"", "", "Q.850;cause=16"}},
	} {
		if v := pick(w, h.values...); v != "" {
			fmt.Fprintf(&b, "%s: %s\r\n", h.name, v)
		}
	}
	b.WriteString("\r\n")
	return addr(), addr(), over, []byte(b.String())
}

// FuzzWalk sends any messages in any order through a tracker.
//
// In less than half a minute no dialog starts or ends twice or ends before its start;
// every event has a time, an id and sane spans; no pair of state and symbol is missing in a
// table; after the longest timer nothing is left and nothing is counted; and the same
// messages give the same events again. With leaps of the clock, or in little memory, what
// is forgotten may come again, and all else holds.
func FuzzWalk(f *testing.F) {
	for i := range 120 {
		seed := make([]byte, 600)
		x := uint32(i + 1)
		for j := range seed {
			x = x*1664525 + 1013904223
			seed[j] = byte(x >> 24)
		}
		f.Add(seed, uint8(i*7))
	}
	f.Fuzz(func(t *testing.T, in []byte, how uint8) {
		first := walk(t, in, how)
		if again := walk(t, in, how); again != first {
			t.Errorf("the same messages give\n%s\nand again\n%s", first, again)
		}
	})
}

// The bits of how a walk goes.
const (
	walkDelays  = 1  // reg_del_delay
	walkBounded = 6  // little memory
	walkFlushes = 8  // the end of a capture
	walkReports = 16 // of media
	walkAlive   = 32 // call_alive_interval
	walkRich    = 64 // the larger vocabulary
	walkLeaps   = 128
)

// walked judges the events of a walk.
type walked struct {
	t           *testing.T
	forgets     bool // what is over may begin anew
	began, over map[string]bool
	ids         map[event.Hash]event.Type
	log         strings.Builder
}

func (k *walked) take(got []event.Event) {
	for i := range got {
		k.judge(&got[i])
	}
}

func (k *walked) judge(e *event.Event) {
	a, b := tags(e)
	key := fmt.Sprintf("%s %s %s", e.Bytes(e.CallID), a, b)
	fmt.Fprintf(&k.log, "%d %s %s %d %x %v %d\n", e.Time, e.Type, key, e.Code, e.ID, e.Outcome, e.Incomplete)
	if !k.forgets {
		k.once(e, key)
	}
	if e.Time == 0 || e.ID == (event.Hash{}) || e.Type == event.None {
		k.t.Errorf("%s of %s at %d with the id %x", e.Type, key, e.Time, e.ID)
	}
	if e.Start != 0 && e.End != 0 && e.Start > e.End {
		k.t.Errorf("%s of %s ends %v before it starts", e.Type, key, time.Duration(e.Start-e.End))
	}
	for what, span := range map[string]int64{"pdd": e.PDD, "ring": e.Ring, "setup": e.Setup, "disconnect": e.Disconnect,
		"delay": e.Delay, "duration_min": e.DurationMin, "lifetime": e.Lifetime} {
		if span < -1 { // absent
			k.t.Errorf("%s of %s: %s is %v", e.Type, key, what, time.Duration(span))
		}
	}
}

// once holds what a dialog does once.
func (k *walked) once(e *event.Event, key string) {
	switch e.Type {
	case event.CallStart:
		if k.began[key] {
			k.t.Errorf("%s starts twice", key)
		}
		if k.over[key] {
			k.t.Errorf("%s starts after its end", key)
		}
		k.began[key] = true
	case event.CallAlive:
		if k.over[key] {
			k.t.Errorf("%s is alive after its end", key)
		}
	case event.CallEnd:
		if k.over[key] {
			k.t.Errorf("%s ends twice", key)
		}
		if !k.began[key] && e.Incomplete == 0 {
			k.t.Errorf("%s ends, and neither started nor says what is missing", key)
		}
		k.over[key] = true
	}
	if e.Type == event.CallStart || e.Type == event.CallEnd {
		if k.ids[e.ID] != event.None {
			k.t.Errorf("%s and another event have the id %x", key, e.ID)
		}
		k.ids[e.ID] = e.Type
	}
}

// walk plays the messages that in makes, and returns its events, a line each.
func walk(t *testing.T, in []byte, how uint8) string {
	cfg := DefaultConfig()
	cfg.AuthLinger = 10 * time.Second
	if how&walkDelays != 0 {
		cfg.RegDelDelay = 3 * time.Second
	}
	if how&walkAlive != 0 {
		cfg.Alive = 7 * time.Second
	}
	bounded := how&walkBounded == walkBounded
	if bounded {
		cfg.MaxCalls, cfg.MaxRegs = headroom+3, 1
	}
	tr := New(cfg)
	w := &walker{in: in, time: siptest.Start}
	k := &walked{t: t, forgets: bounded || how&walkLeaps != 0, began: map[string]bool{}, over: map[string]bool{}, ids: map[event.Hash]event.Type{}}
	var m sip.Message
	for len(w.in) > 0 && (k.forgets && how&walkLeaps != 0 || w.time < siptest.Start+int64(28*time.Second)) {
		w.time += int64(pick(w, 0, time.Millisecond, 20*time.Millisecond, 150*time.Millisecond, time.Second, -5*time.Millisecond))
		if how&walkLeaps != 0 {
			w.time += int64(pick(w, 0, 0, 0, 0, 33*time.Second, -33*time.Second, 4*time.Minute, time.Hour))
		}
		p := packet.Packet{Time: w.time, Transport: packet.UDP}
		if how&walkRich != 0 {
			p.Src, p.Dst, p.Transport, p.Payload = w.rich()
		} else {
			p.Src, p.Dst, p.Payload = w.message()
		}
		for range pick(w, 1, 1, 1, 2) { // duplicates
			k.step(tr, &p, &m)
		}
		if how&walkReports != 0 {
			var r qos.Report
			r.Parse([]byte(`{"mos":4,"report_blocks":[{"fraction_lost":1}]}`), p.Src, p.Dst)
			r.CallIDs[2] = []byte(pick(w, "x", "y", "z"))
			r.Kind = qos.Kind(w.next(int(qos.NumKinds)))
			k.take(tr.Report(nil, &p, &r))
		}
	}
	if how&walkFlushes != 0 {
		k.take(tr.Flush(nil, FlushAll))
	}
	checkTables(t, tr)
	checkEmpty(t, tr)
	return k.log.String()
}

func (k *walked) step(tr *Tracker, p *packet.Packet, m *sip.Message) {
	if m.Parse(p.Payload, false) != sip.OK {
		k.take(tr.Unusable(nil, p, m))
		return
	}
	k.take(tr.See(nil, p, m))
}
