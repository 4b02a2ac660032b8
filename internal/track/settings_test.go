package track

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// steered sends messages through a tracker and keeps the events, by type.
type steered struct {
	*testing.T
	tr   *Tracker
	now  time.Duration // since the start
	said []string
	kept []event.Event
	m    sip.Message
}

func newSteered(t *testing.T) *steered { return &steered{T: t, tr: New(DefaultConfig())} }

func (c *steered) at() int64 { return siptest.Start + int64(c.now) }

func (c *steered) take(events []event.Event) {
	for i := range events {
		e := &events[i]
		c.said = append(c.said, fmt.Sprintf("%v %v +%v", e.Type, e.Outcome, time.Duration(e.Time-siptest.Start)))
		c.kept = append(c.kept, event.Event{})
		c.kept[len(c.kept)-1].CopyFrom(e)
	}
}

func (c *steered) send(first, cseq, cid, toTag, more string) {
	c.Helper()
	method, _, _ := strings.Cut(cseq, " ")
	text := fmt.Appendf(nil, "%s\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK%s%s\r\nFrom: <sip:u@a>;tag=f\r\nTo: <sip:%s@a>%s\r\nCall-ID: %s\r\nCSeq: %s\r\n%s\r\n",
		first, cid, method, cid, toTag, cid, cseq, more)
	p := packet.Packet{Time: c.at(), Src: netip.MustParseAddrPort("192.0.2.1:5060"), Dst: netip.MustParseAddrPort("192.0.2.2:5060"), Transport: packet.UDP, Payload: text}
	if strings.HasPrefix(first, "SIP/") {
		p.Src, p.Dst = p.Dst, p.Src
	}
	if c.m.Parse(text, false) != sip.OK {
		c.Fatal(string(text))
	}
	c.take(c.tr.See(nil, &p, &c.m))
}

// pass lets time pass, a second at a time.
func (c *steered) pass(d time.Duration) {
	for end := c.now + d; c.now < end; {
		c.now = min(c.now+time.Second, end)
		c.take(c.tr.Advance(nil, c.at()))
	}
}

// set takes other settings up, and counts how often others could go on.
func (c *steered) set(change func(*Config)) (pauses int) {
	cfg := c.tr.cfg
	change(&cfg)
	c.tr.SetConfig(cfg, func() { pauses++ })
	return pauses
}

func (c *steered) want(lines ...string) {
	c.Helper()
	if !slices.Equal(c.said, lines) {
		c.Errorf("got\n%s\nwant\n%s", strings.Join(c.said, "\n"), strings.Join(lines, "\n"))
	}
	c.said = c.said[:0]
}

// Each span of what waits, made shorter and longer while it waits. What is expected are
// the timers of RFC 3261 §17 with the new span, counted from where they began.
func TestSetConfigSpans(t *testing.T) {
	ask := func(method string) func(c *steered) {
		return func(c *steered) { c.send(method+" sip:x@a SIP/2.0", "1 "+method, "one", "", "") }
	}
	call := func(c *steered) {
		ask("INVITE")(c)
		c.send("SIP/2.0 200 OK", "1 INVITE", "one", ";tag=t", "")
		c.send("ACK sip:x@a SIP/2.0", "1 ACK", "one", ";tag=t", "")
		c.said = nil
	}
	for _, x := range []struct {
		name   string
		begin  func(c *steered)
		set    func(cfg *Config, d time.Duration)
		before time.Duration
		want   string // an event, of which %v is the time
	}{
		{"invite", ask("INVITE"), func(cfg *Config, d time.Duration) { cfg.Invite = d }, 32 * time.Second, "call-attempt failure +%v"},
		{"request", ask("OPTIONS"), func(cfg *Config, d time.Duration) { cfg.Request = d }, 32 * time.Second, "other-timeout failure +%v"},
		{"proceeding", func(c *steered) { ask("INVITE")(c); c.send("SIP/2.0 180 Ringing", "1 INVITE", "one", ";tag=t", "") },
			func(cfg *Config, d time.Duration) { cfg.Proceeding = d }, 180 * time.Second, "call-attempt failure +%v"},
		{"established", call, func(cfg *Config, d time.Duration) { cfg.Established = d }, 12 * time.Hour, "call-end unknown +%v"},
	} {
		for _, to := range []time.Duration{x.before / 2, x.before * 2} {
			t.Run(fmt.Sprint(x.name, to), func(t *testing.T) {
				c := newSteered(t)
				x.begin(c)
				c.pass(x.before / 4)
				c.want()
				c.set(func(cfg *Config) { x.set(cfg, to) })
				c.pass(to - x.before/4 - time.Second)
				c.want()
				c.pass(2 * time.Second)
				c.want(fmt.Sprintf(x.want, to))
				checkEmpty(t, c.tr)
			})
		}
	}
}

// What has waited for longer than it may now is decided at once.
func TestSetConfigOverdue(t *testing.T) {
	c := newSteered(t)
	c.send("OPTIONS sip:x@a SIP/2.0", "1 OPTIONS", "one", "", "")
	c.pass(20 * time.Second)
	c.set(func(cfg *Config) { cfg.Request = 5 * time.Second })
	c.pass(time.Second)
	c.want("other-timeout failure +5s")
}

// call_alive_interval begins for calls that are up, and says nothing of the past.
func TestSetConfigAlive(t *testing.T) {
	c := newSteered(t)
	c.send("INVITE sip:x@a SIP/2.0", "1 INVITE", "one", "", "")
	c.send("SIP/2.0 200 OK", "1 INVITE", "one", ";tag=t", "")
	c.send("ACK sip:x@a SIP/2.0", "1 ACK", "one", ";tag=t", "")
	c.said = nil
	c.pass(63 * time.Minute)
	c.set(func(cfg *Config) { cfg.Alive = 10 * time.Minute })
	c.pass(8 * time.Minute)
	c.want("call-alive unknown +1h10m0s")
	c.set(func(cfg *Config) { cfg.Alive = 30 * time.Minute })
	c.pass(20 * time.Minute)
	c.want("call-alive unknown +1h30m0s")
	c.set(func(cfg *Config) { cfg.Alive = 0 })
	c.pass(2 * time.Hour)
	c.want()
}

func TestSetConfigBindings(t *testing.T) {
	c := newSteered(t)
	const contact = "Contact: <sip:u@192.0.2.1>;expires=600\r\n"
	register := func() {
		c.send("REGISTER sip:a SIP/2.0", "1 REGISTER", "one", "", contact)
		c.send("SIP/2.0 200 OK", "1 REGISTER", "one", ";tag=t", contact)
		c.said = nil
	}
	register()
	c.set(func(cfg *Config) { cfg.RegExpDelta = 2 * time.Second })
	c.pass(603 * time.Second)
	c.want("reg-expired unknown +10m2s")

	c = newSteered(t)
	register()
	c.set(func(cfg *Config) { cfg.RegDelDelay = 10 * time.Second })
	c.send("REGISTER sip:a SIP/2.0", "2 REGISTER", "one", "", "Contact: <sip:u@192.0.2.1>;expires=0\r\n")
	c.send("SIP/2.0 200 OK", "2 REGISTER", "one", ";tag=t", "")
	c.pass(time.Second)
	c.want()
	c.set(func(cfg *Config) { cfg.RegDelDelay = 0 })
	c.pass(time.Second)
	c.want("reg-del success +0s")
}

// Lists are those of the next message.
func TestSetConfigLists(t *testing.T) {
	c := newSteered(t)
	c.set(func(cfg *Config) {
		cfg.Emergency = []string{"999"}
		cfg.CorrelationHeaders = []string{"X-Leg"}
		cfg.AuthFailedCodes = []AuthFailedCode{{Code: 403, All: true}}
		cfg.Headers = []string{"X-Leg"} // is not taken
	})
	c.send("INVITE sip:999@a SIP/2.0", "1 INVITE", "one", "", "X-Leg: shared-by-all\r\n")
	c.send("SIP/2.0 486 Busy", "1 INVITE", "one", ";tag=t", "")
	if e := &c.kept[0]; !e.Emergency || string(e.Bytes(e.Correlation)) != "shared-by-all" || e.Count(e.Headers) != 0 {
		t.Errorf("emergency %v, correlation %q", e.Emergency, e.Bytes(e.Correlation))
	}
	c.said = nil
	const credentials = "Authorization: Digest username=\"u\", realm=\"r\", nonce=\"n\", response=\"1\"\r\n"
	c.send("REGISTER sip:a SIP/2.0", "1 REGISTER", "two", "", credentials)
	c.send("SIP/2.0 403 Forbidden", "1 REGISTER", "two", ";tag=t", "")
	c.want("auth-failed failure +0s")
}

// A bound that is lowered is reached over the next messages, some entries at each, and
// every entry that gives way says so.
func TestSetConfigBounds(t *testing.T) {
	c := newSteered(t)
	const many = 3000
	for i := range many {
		c.send("OPTIONS sip:x@a SIP/2.0", "1 OPTIONS", fmt.Sprint(i), "", "")
	}
	c.set(func(cfg *Config) { cfg.MaxCalls = 1000 })
	for n := 0; c.tr.Stats().Entries > 1000; n++ {
		before := len(c.said)
		c.send("OPTIONS sip:x@a SIP/2.0", "1 OPTIONS", fmt.Sprint("later", n), "", "")
		if got := len(c.said) - before; got > 64 {
			t.Fatalf("%d at one message", got)
		}
		if n > 40 {
			t.Fatalf("%d entries after %d messages", c.tr.Stats().Entries, n)
		}
	}
	checkTables(t, c.tr)
	checkEmpty(t, c.tr)
}

// The walk gives the tracker to others again and again, who may change everything.
func TestSetConfigPauses(t *testing.T) {
	c := newSteered(t)
	const many = 4 * sliceEntries
	for i := range many {
		c.send("OPTIONS sip:x@a SIP/2.0", fmt.Sprint(i+1, " OPTIONS"), "same", "", "") // under one Call-ID
		c.send("OPTIONS sip:x@a SIP/2.0", "1 OPTIONS", fmt.Sprint("other", i), "", "")
	}
	cfg, n := c.tr.cfg, 0
	cfg.Request = time.Minute
	c.tr.SetConfig(cfg, func() {
		if n++; n == 3 {
			for i := range many { // half of it is over now
				c.send("SIP/2.0 200 OK", fmt.Sprint(i+1, " OPTIONS"), "same", ";tag=t", "")
			}
			c.pass(40 * time.Second)
		}
	})
	if n < 4 {
		t.Errorf("%d pauses", n)
	}
	checkTables(t, c.tr)
	c.said = nil
	c.pass(time.Minute)
	for _, line := range c.said {
		if line != "other-timeout failure +1m0s" {
			t.Fatal(line)
		}
	}
	if len(c.said) != many {
		t.Errorf("%d of %d", len(c.said), many)
	}
	checkEmpty(t, c.tr)

	n = 0
	for i := range many {
		c.send("OPTIONS sip:x@a SIP/2.0", "1 OPTIONS", fmt.Sprint("third", i), "", "")
	}
	cfg.Request = 10 * time.Second
	c.tr.SetConfig(cfg, func() { c.tr.Restart() }) // a file that begins anew
	checkEmpty(t, c.tr)
}
