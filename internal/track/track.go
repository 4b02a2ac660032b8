// Package track follows SIP as a passive observer sees it and says what happened:
// a call was tried, started, ended; a contact registered, left, expired; a
// request was answered, refused, or not answered.
//
// It is pure: packets' times and parsed messages go in, events come out. It reads
// no clock, opens nothing and logs nothing. Five machines share one tracker, one
// file each with its table on the first screen: attempt.go (an INVITE until its
// outcome), dialog.go (an answered call until its end), register.go (bindings),
// request.go (every other transaction) and subscribe.go (subscriptions). auth.go
// judges challenges.
//
// A Message and a Packet are borrowed for the length of one call; what is kept of
// them is copied, and the events that leave own their bytes. Every table has a
// bound, an order in which it gives way, and a counter.
package track

import (
	"fmt"

	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/qos"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/siphash"
)

// Config holds the timers and bounds of a Tracker. All spans are packet time.
type Config struct {
	Invite      time.Duration // no answer at all to an INVITE: Timer B (RFC 3261 §17.1.1.2)
	Proceeding  time.Duration // after the last provisional answer: Timer C (RFC 3261 §16.6)
	Request     time.Duration // no final answer to another request: Timer F (RFC 3261 §17.1.2.2)
	Bye         time.Duration // no answer to a BYE
	Established time.Duration // a call without a sign of life
	AuthLinger  time.Duration // wait for the request that follows a challenge
	RetryLinger time.Duration // wait for another try after a code that clients retry
	Early       time.Duration // how long an answer may come before its request
	Completed   time.Duration // how long what is over is remembered, to absorb retransmissions
	Alive       time.Duration // between two records of a call that is up; 0: none
	Warmup      time.Duration // reg-new this soon after the start says "history"; 0: the binding's own lifetime, at most 1 h

	RegExpDelta       time.Duration // grace after a binding's lifetime, at most half of it
	RegDelDelay       time.Duration // wait before a reg-del is said; a registration in between takes it back
	ContactIgnorePort bool          // contacts that differ in their port only are one

	AuthFailedCodes []AuthFailedCode // further codes that mean a failed authentication
	Emergency       []string         // numbers of emergency services

	CorrelationHeaders []string // headers that name the other leg of a call, or what all legs share
	Headers            []string // headers that a record has, of its first request

	MaxCalls    int   // calls, attempts and transactions in memory
	MaxCallsMem int64 // bytes of them
	MaxRegs     int   // bindings in memory
	MaxRegsMem  int64 // bytes of them
}

// AuthFailedCode is a code that is taken as a failed authentication when the
// request had credentials. An empty method stands for all.
type AuthFailedCode struct {
	Code   int
	Method sip.Method
	All    bool
}

// DefaultConfig is what the specification names; the bounds on memory are a
// start, which package config replaces by a part of the machine's memory.
func DefaultConfig() Config {
	return Config{
		Invite:      32 * time.Second,
		Proceeding:  180 * time.Second,
		Request:     32 * time.Second,
		Bye:         32 * time.Second,
		Established: 12 * time.Hour,
		AuthLinger:  30 * time.Second,
		RetryLinger: 5 * time.Second,
		Early:       100 * time.Millisecond,
		Completed:   32 * time.Second,
		RegExpDelta: 30 * time.Second,
		Emergency:   []string{"112", "911"},

		CorrelationHeaders: DefaultCorrelationHeaders,

		MaxCalls:    1 << 20,
		MaxCallsMem: 2 << 30,
		MaxRegs:     1 << 20,
		MaxRegsMem:  1 << 30,
	}
}

// Validate names the first setting that cannot be, and what is allowed.
func (c *Config) Validate() error {
	for _, d := range []struct {
		key      string
		value    time.Duration
		min, max time.Duration
	}{
		{"calls_timeouts.invite", c.Invite, time.Second, time.Hour},
		{"calls_timeouts.proceeding", c.Proceeding, time.Second, 24 * time.Hour},
		{"calls_timeouts.request", c.Request, time.Second, time.Hour},
		{"calls_timeouts.bye", c.Bye, time.Second, time.Hour},
		{"calls_timeouts.established", c.Established, time.Minute, 30 * 24 * time.Hour},
		{"calls_timeouts.auth_linger", c.AuthLinger, time.Second, time.Hour},
		{"calls_timeouts.retry_linger", c.RetryLinger, 100 * time.Millisecond, time.Hour},
		{"calls_timeouts.early", c.Early, 0, 10 * time.Second},
		{"calls_timeouts.completed", c.Completed, time.Second, time.Hour},
		{"calls_timeouts.warmup", c.Warmup, 0, 24 * time.Hour},
		{"call_alive_interval", c.Alive, 0, 24 * time.Hour},
		{"reg_exp_delta", c.RegExpDelta, 0, 24 * time.Hour},
		{"reg_del_delay", c.RegDelDelay, 0, time.Hour},
	} {
		if d.value < d.min || d.value > d.max {
			return fmt.Errorf("%s: %v is out of range; allowed: %v to %v", d.key, d.value, d.min, d.max)
		}
	}
	if c.Alive != 0 && c.Alive < minAlive {
		return fmt.Errorf("call_alive_interval: %v is out of range; allowed: 0 (off), %v to 24h", c.Alive, minAlive)
	}
	for _, n := range []struct {
		key   string
		value int64
		min   int64
	}{
		{"calls_max_entries", int64(c.MaxCalls), 64},
		{"calls_max_mem", c.MaxCallsMem, 1 << 20},
		{"regs_max_entries", int64(c.MaxRegs), 64},
		{"regs_max_mem", c.MaxRegsMem, 1 << 20},
	} {
		if n.value < n.min {
			return fmt.Errorf("%s: %d is too small; allowed: %d or more", n.key, n.value, n.min)
		}
	}
	for _, a := range c.AuthFailedCodes {
		if a.Code < 400 || a.Code > 699 || a.Code == 401 || a.Code == 407 {
			return fmt.Errorf("auth_failed_codes: %d is not allowed; allowed: 400 to 699 but 401 and 407, which always count", a.Code)
		}
	}
	if err := validCorrelationHeaders(c.CorrelationHeaders); err != nil {
		return err
	}
	return validNamed(c.Headers)
}

// Flush says what the end of a capture decides.
type Flush uint8

// The ways to end.
const (
	FlushPending Flush = iota // what waits only for a timer
	FlushAll                  // calls still up and bindings still alive too
	FlushNone                 // nothing
)

// Tracker holds everything that is going on. It is not safe for concurrent use.
type Tracker struct {
	cfg   Config
	stats Stats
	seed  siphash.Key

	now   int64 // the greatest packet time seen
	start int64 // the first
	turn  int   // of pcap_loop
	down  gap   // the last time that nobody looked

	wheel wheel
	calls calls
	auth  auth
	regs  registrar
	pools pools
	ages  [numWorth]age

	lists lists // what is there, in the order in which it came

	bads map[uint64]*bad

	replies map[uint64][]*badReply // answers that cannot be used and wait, by the same keys

	correlators wanted // correlation_headers
	headers     named  // those that records have

	capture, iface string
	origins        [8]*origin // see originOf
	nextOrigin     int
	injecting      bool // what comes was put in by hand
	ending         bool // at the end of a capture
	evicting       bool

	out  []event.Event
	view view
	over []*request // completed in this call
	warm []*dialog  // whose records are unpacked in this call

	// What follows is scratch space, used within one call.
	scratch, idBuf []byte
	addr           sip.Addr
	uri            sip.URI
	credentials    sip.Auth // the first of the request in work
	authHeader     sip.Auth
	sdp            sip.SDP
	report         qos.Report
	early          challenges
	temp           event.Event
	packed         []byte
	asked, granted []contact
}

// New makes an empty Tracker.
func New(cfg Config) *Tracker {
	t := &Tracker{cfg: cfg, seed: siphash.NewKey(), bads: make(map[uint64]*bad), replies: make(map[uint64][]*badReply)}
	t.correlators, t.headers = newWanted(cfg.CorrelationHeaders), newNamed(cfg.Headers)
	t.calls.init()
	t.auth.init()
	t.regs.init()
	t.lists.key = siphash.NewKey()
	for i := range t.ages {
		t.ages[i].init()
	}
	return t
}

// SetSource names the capture file or the interface that the next packets come
// from; turn counts the rounds of a file that is read in a loop.
func (t *Tracker) SetSource(capture, iface string, turn int) {
	t.capture, t.iface, t.turn = capture, iface, turn
	t.injecting = false
}

// Restart forgets everything but the counters, the clock too: the same packets come
// again. Nothing is decided by it; Flush comes before.
func (t *Tracker) Restart() {
	fresh := New(t.cfg)
	fresh.stats, fresh.seed, fresh.capture, fresh.iface, fresh.turn = t.stats, t.seed, t.capture, t.iface, t.turn
	fresh.lists = t.lists.restarted()
	*t = *fresh
	for i := range t.ages {
		t.ages[i].init()
	}
}

// Advance moves the clock to now, in Unix nanoseconds, and appends to dst what
// the timers decide. A time before the greatest one seen changes nothing.
func (t *Tracker) Advance(dst []event.Event, now int64) []event.Event {
	t.out = dst
	t.clock(now)
	dst, t.out = t.out, nil
	return dst
}

func (t *Tracker) clock(now int64) {
	if t.start == 0 {
		t.start = now
	}
	if now > t.now {
		t.now = now
		if t.wheel.run(t, now) {
			t.rest()
		}
		t.forget()
	}
}

// clockOf moves the clock to the time of a packet, but not for one of which a HEP
// sender or a proxy told the time: their clocks are not ours, and a moment that is
// ahead of all others would make every timer before it fire. Advance moves it then.
func (t *Tracker) clockOf(p *packet.Packet) {
	if !p.Told() {
		t.clock(p.Time)
	}
}

// See follows one message and appends to dst the events that it decides. It
// borrows p and m for the call.
func (t *Tracker) See(dst []event.Event, p *packet.Packet, m *sip.Message) []event.Event {
	t.out = dst
	t.clockOf(p)
	t.makeRoom()
	v := &t.view
	v.read(t, p, m)
	if v.request {
		t.stats.Requests++
		t.stats.Methods[v.method]++
		t.seeRequest(v)
	} else {
		t.stats.Responses++
		t.stats.Classes[v.code/100%NumClasses]++
		t.seeResponse(v)
	}
	v.p, v.m, v.set = nil, nil, nil
	t.rest()
	dst, t.out = t.out, nil
	return dst
}

func (t *Tracker) seeRequest(v *view) {
	switch v.method {
	case sip.MethodInvite:
		if v.tt == 0 {
			t.invite(v)
		} else {
			t.request(v)
		}
	case sip.MethodAck:
		t.ack(v)
	case sip.MethodCancel:
		t.cancel(v)
	default:
		t.request(v)
	}
}

func (t *Tracker) seeResponse(v *view) {
	switch v.method {
	case sip.MethodInvite:
		t.inviteAnswer(v)
	case sip.MethodAck, sip.MethodCancel:
		t.stats.Absorbed++
	default:
		t.requestAnswer(v)
	}
}

// Flush ends a capture: it decides, in the order of the timers, what only waits
// for one, and labels it.
func (t *Tracker) Flush(dst []event.Event, how Flush) []event.Event {
	t.out = dst
	if how != FlushNone {
		t.ending = true
		for range 3 { // a decision may leave another one behind, which has to be made too
			for _, tm := range t.wheel.all() {
				if tm.isSet() {
					tm.owner.flush(t, how == FlushAll)
					t.rest()
				}
			}
		}
		t.ending = false
	}
	dst, t.out = t.out, nil
	return dst
}

// send appends a copy of rec to the events of this call and returns it.
func (t *Tracker) send(typ event.Type, rec *event.Event) *event.Event {
	if n := len(t.out); n < cap(t.out) {
		t.out = t.out[:n+1]
	} else {
		t.out = append(t.out, event.Event{})
	}
	e := &t.out[len(t.out)-1]
	if rec != nil {
		e.CopyFrom(rec)
	} else {
		e.Reset()
	}
	e.Type = typ
	e.Injected = e.Injected || t.injecting
	if t.ending {
		e.Incomplete |= event.EndOfCapture
	}
	if t.evicting {
		e.Incomplete |= event.Evicted
	}
	t.stats.Events[typ]++
	return e
}

// arm sets tm to fire span after base, on the tracker's clock.
func (t *Tracker) arm(tm *timer, base int64, span time.Duration) {
	t.wheel.set(tm, base+t.behind(base)+int64(span))
}

// behind is how far a packet's time lies behind the clock (another clock stepped back,
// or is late; the file is old), so that its spans count from now and nothing times out
// at once; a small step is only reordering, and 0.
func (t *Tracker) behind(at int64) int64 {
	if late := t.now - at; late > int64(time.Second) {
		return late
	}
	return 0
}

// step looks a transition up, and counts what the table does not list and what is
// rebuilt from loss.
func (t *Tracker) step(m *machine, s state, y symbol) cell {
	c, ok := m.step(s, y)
	switch {
	case !ok:
		t.stats.Unexpected[m.id][s][y]++
	case c.ground == guess:
		t.stats.Guessed++
	}
	return c
}

// since is b - a, never below zero.
func since(a, b int64) int64 { return max(b-a, 0) }
