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

// FuzzWalk sends any messages in any order through a tracker. In less than half a
// minute no dialog starts or ends twice or ends before its start; no pair of state
// and symbol is missing in a table; and after the longest timer nothing is left.
func FuzzWalk(f *testing.F) {
	for i := range 40 {
		seed := make([]byte, 600)
		x := uint32(i + 1)
		for j := range seed {
			x = x*1664525 + 1013904223
			seed[j] = byte(x >> 24)
		}
		f.Add(seed, uint8(i*7))
	}
	f.Fuzz(func(t *testing.T, in []byte, how uint8) { walk(t, in, how) })
}

func walk(t *testing.T, in []byte, how uint8) {
	cfg := DefaultConfig()
	cfg.AuthLinger = 10 * time.Second
	if how&1 == 1 {
		cfg.RegDelDelay = 3 * time.Second
	}
	if how&32 == 32 {
		cfg.Alive = 7 * time.Second
	}
	bounded := how&6 == 6
	if bounded {
		cfg.MaxCalls, cfg.MaxRegs = headroom+3, 1
	}
	tr := New(cfg)
	w := &walker{in: in, time: siptest.Start}
	began, over := map[string]int{}, map[string]int{}
	n := 0
	var events []event.Event
	take := func(got []event.Event) {
		for i := range got {
			n++
			e := &got[i]
			a, b := tags(e)
			key := fmt.Sprintf("%s %s %s", e.Bytes(e.CallID), a, b)
			switch e.Type {
			case event.CallStart:
				if began[key] != 0 && !bounded {
					t.Errorf("%s starts twice", key)
				}
				if over[key] != 0 && !bounded {
					t.Errorf("%s starts after its end", key)
				}
				began[key] = n
			case event.CallAlive:
				if over[key] != 0 && !bounded {
					t.Errorf("%s is alive after its end", key)
				}
			case event.CallEnd:
				if over[key] != 0 && !bounded {
					t.Errorf("%s ends twice", key)
				}
				over[key] = n
			}
			if e.Start != 0 && e.End != 0 && e.Time == 0 {
				t.Errorf("%s without time", e.Type)
			}
		}
		events = got[:0]
	}
	var m sip.Message
	for len(w.in) > 0 && w.time < siptest.Start+int64(28*time.Second) {
		w.time += int64(pick(w, 0, time.Millisecond, 20*time.Millisecond, 150*time.Millisecond, time.Second, -5*time.Millisecond))
		src, dst, text := w.message()
		p := packet.Packet{Time: w.time, Src: src, Dst: dst, Transport: packet.UDP, Payload: text}
		if m.Parse(text, false) != sip.OK {
			take(tr.Unusable(events, &p, &m))
			continue
		}
		take(tr.See(events, &p, &m))
		if how&16 == 16 {
			var r qos.Report
			r.Parse([]byte(`{"mos":4,"report_blocks":[{"fraction_lost":1}]}`), src, dst)
			r.CallIDs[2] = []byte(pick(w, "x", "y", "z"))
			r.Kind = qos.Kind(w.next(int(qos.NumKinds)))
			take(tr.Report(events, &p, &r))
		}
	}
	if how&8 == 8 {
		take(tr.Flush(events, FlushAll))
	}
	checkTables(t, tr)
	checkEmpty(t, tr)
}
