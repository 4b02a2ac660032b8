package kpi

import (
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// counter numbers what is counted for the indicators.
type counter uint8

const (
	attempts  counter = iota // that reached a final answer or timed out
	noAnswer                 // 408 or a timeout, behind a 180 to 183; no 408 where ner counts each
	over                     // attempts that failed and answered calls that ended, of which the end is known
	successes                // answered calls among them that ended as calls do
	completed                // those whose last request was answered
	short6                   // answered calls that lasted less than 6 s
	short20
	short60
	short180
	invites // with repeats
	inviteRepeats
	others // of other requests
	otherRepeats
	registered2xx // answers to REGISTER
	registeredNot
	registeredTimeout
	options
	optionsAnswered
	authFailed
	responses // messages
	forwards  // INVITEs with Max-Forwards
	forwarded // the sum of 70 - Max-Forwards
	numCounters
)

// delay numbers the histograms.
type delay uint8

const (
	rrd delay = iota
	srd
	sfd
	pdd
	sdd
	sdt
	ring
	ord
	numDelays
)

// shared are the codes of which the share of all answers is an indicator; the slot of a
// code is its place.
var shared = [...]int{400, 408, 413, 420, 481, 482, 483, 488, 513}

const (
	maxHops   = event.MaxList
	numCauses = 128
)

// tally is what was counted in a span of time.
type tally struct {
	n      [numCounters]uint32
	codes  [maxSlots]uint32 // outcomes of attempts
	shares [len(shared)]uint32
	hops   [maxHops + 1]uint32 // INVITEs by their number of Via
	causes [numCauses]uint32   // Q.850
	delays [numDelays]histogram
	events uint32
	peak   uint32 // calls up at a time
}

// merge adds what o has counted.
func (t *tally) merge(o *tally) {
	for i, n := range o.n {
		t.n[i] += n
	}
	for i, n := range o.codes {
		t.codes[i] += n
	}
	for i, n := range o.shares {
		t.shares[i] += n
	}
	for i, n := range o.hops {
		t.hops[i] += n
	}
	for i, n := range o.causes {
		t.causes[i] += n
	}
	for i := range o.delays {
		t.delays[i].merge(&o.delays[i])
	}
	t.events += o.events
	t.peak = max(t.peak, o.peak)
}

// facts is what one event adds to a tally.
type facts struct {
	adds              [10]addend
	spans             [5]span
	nAdds, nSpans     int
	slot, hops, cause uint8
	asks              bool // an OPTIONS: it counts for whom it asks
	up                int  // calls
}

type addend struct {
	to counter
	n  uint32
}

func (f *facts) add(to counter, n uint32) {
	if n > 0 {
		f.adds[f.nAdds] = addend{to, n}
		f.nAdds++
	}
}

type span struct {
	of delay
	ns int64
}

func (f *facts) span(of delay, ns int64) {
	if ns >= 0 {
		f.spans[f.nSpans] = span{of, ns}
		f.nSpans++
	}
}

// add counts an event.
func (t *tally) add(f *facts) {
	for _, a := range f.adds[:f.nAdds] {
		t.n[a.to] += a.n
	}
	if f.slot != noSlot {
		t.codes[f.slot]++
	}
	if f.hops > 0 {
		t.hops[f.hops]++
	}
	if f.cause > 0 {
		t.causes[f.cause]++
	}
	for _, s := range f.spans[:f.nSpans] {
		t.delays[s.of].add(s.ns)
	}
	t.events++
}

// timerF is how long a BYE waits for its answer: 64*T1 (RFC 3261 §17.1.2.2).
const timerF = 32 * time.Second

// unsure is what makes a timeout none: it may only be that the answer was not seen, or
// that nobody looked to the end.
const unsure = event.NoResponse | event.EndOfCapture | event.Evicted | event.NoHistory

// read takes from an event what it adds.
func (f *facts) read(e *event.Event, s *slots) {
	f.nAdds, f.nSpans, f.slot, f.hops, f.cause, f.asks, f.up = 0, 0, noSlot, 0, 0, false, 0
	switch e.Type {
	case event.CallStart:
		f.callStart(e)
	case event.CallAttempt:
		if e.Outcome != event.Unknown { // else it neither failed nor timed out
			f.callAttempt(e, s)
		}
	case event.CallEnd:
		f.callEnd(e)
	case event.RegNew:
		f.span(rrd, e.Delay)
	case event.AuthFailed:
		f.add(authFailed, 1)
	case event.OtherOK, event.OtherFailed, event.OtherTimeout:
		f.request(e)
	case event.None, event.RegDel, event.RegExpired, event.ParseError, event.MsgProbe, event.CallAlive, event.Message,
		event.RateCalm, event.NumTypes:
	}
}

func (f *facts) callStart(e *event.Event) {
	f.up = 1
	if e.Forked { // another branch of an attempt that has counted
		return
	}
	f.slot = answeredSlot
	f.add(attempts, 1)
	f.span(srd, e.PDD)
	f.invite(e)
}

func (f *facts) callAttempt(e *event.Event, s *slots) {
	f.slot = timeoutSlot
	f.add(attempts, 1)
	f.add(over, 1)
	if e.Code >= 300 && e.Code < 700 {
		f.slot = s.of[e.Code]
	}
	heard := f.slot != timeoutSlot && e.Timer == 0 && !e.Synthetic
	if heard {
		f.add(completed, 1)
	}
	if (f.slot == timeoutSlot || e.Code == 408 && !s.ner408) && e.Ring >= 0 {
		f.add(noAnswer, 1)
	}
	switch {
	case e.Start == 0 || e.Code/100 == 3 || e.Code == 401 || e.Code == 402 || e.Code == 407:
	case heard, e.Timer == 'B' && f.slot == timeoutSlot:
		f.span(sfd, e.Time-e.Start)
	}
	f.cause = e.Q850
	f.invite(e)
}

// invite reads what is said of the INVITE of an attempt.
func (f *facts) invite(e *event.Event) {
	if e.PDDSource >= 180 && e.PDDSource <= 183 {
		f.span(pdd, e.PDD)
	}
	f.span(ring, e.Ring)
	if e.Incomplete&(event.NoInvite|event.NoRequest) != 0 {
		return
	}
	f.hops = uint8(e.Count(e.Via))
	if e.HasMaxForwards && e.MaxForwards >= 0 && e.MaxForwards <= 70 {
		f.add(forwards, 1)
		f.add(forwarded, uint32(70-e.MaxForwards))
	}
	repeats := min(e.RetransRequest, 1<<15)
	f.add(invites, 1+repeats)
	f.add(inviteRepeats, repeats)
}

func (f *facts) callEnd(e *event.Event) {
	f.cause = e.Q850
	if e.Start != 0 || e.Incomplete&event.Evicted != 0 && e.DurationMin >= 0 {
		f.up = -1
	}
	silent := e.Side == event.ByTimeout || e.Timer == 'F'
	sure := e.Incomplete&unsure == 0
	switch {
	case e.Disconnect >= 0:
		f.span(sdd, e.Disconnect)
	case e.Timer == 'F' && sure:
		f.span(sdd, int64(timerF))
	}
	if e.Start == 0 { // its answer was not seen: it is no session of ours
		return
	}
	lasted := max(e.End-e.Start, 0)
	f.span(sdt, lasted)
	for i, most := range [...]time.Duration{6 * time.Second, 20 * time.Second, time.Minute, 3 * time.Minute} {
		if lasted < int64(most) {
			f.add(short6+counter(i), 1)
		}
	}
	if silent && !sure {
		return
	}
	f.add(over, 1)
	if !silent {
		f.add(completed, 1)
		if e.Anomalies&event.AckMissing == 0 && usual(e.Q850) {
			f.add(successes, 1)
		}
	}
}

// usual reports whether a Q.850 cause, or none, is that of a call that ended as calls
// do: normal clearing, busy, normal.
func usual(cause uint8) bool { return cause == 0 || cause == 16 || cause == 17 || cause == 31 }

func (f *facts) request(e *event.Event) {
	repeats := min(e.RetransRequest, 1<<15)
	if e.Incomplete&event.NoRequest == 0 {
		f.add(others, 1+repeats)
		f.add(otherRepeats, repeats)
	}
	timeout := e.Type == event.OtherTimeout
	if timeout && e.Outcome == event.Unknown {
		return
	}
	switch sip.ParseMethod(e.Bytes(e.Method)) {
	case sip.MethodRegister:
		if timeout {
			f.add(registeredTimeout, 1)
		}
	case sip.MethodOptions:
		if e.InDialog || e.Incomplete&event.NoRequest != 0 {
			return
		}
		f.asks = true
		f.add(options, 1)
		if !timeout {
			f.add(optionsAnswered, 1)
			f.span(ord, e.Delay)
		}
	}
}
