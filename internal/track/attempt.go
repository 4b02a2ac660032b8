package track

import (
	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// The INVITE machine: a call that is tried, until its outcome (RFC 3261 §13, §17.1.1).
//
// We see copies of the messages on any of the legs they pass, some lost, some
// twice, answers up to 100 ms before their request. One attempt is all of it: the
// hops of the INVITE through proxies, the branches of a fork, the round of a
// challenge and the INVITE with credentials. What decides is what the first
// requester is told; what is seen elsewhere is noted, for when his leg stays
// silent. An answered call is handed to the dialog machine; the attempt stays for
// a while, so that losing branches and retransmissions make no event.
const (
	calling    state = iota // INVITE seen, no answer (RFC 3261 §17.1.1.2 Calling)
	proceeding              // a provisional answer was seen (Proceeding)
	challenged              // 401 or 407: the INVITE with credentials may come
	denied                  // the same, and auth-failed was said
	retrying                // a code after which clients try again with the same Call-ID
	cancelling              // the first requester sent CANCEL
	leaving                 // a BYE while the INVITE is open
	answered                // a 2xx was seen
	failed                  // call-attempt was said
	heard                   // only answers were seen so far
)

const (
	sawInvite    symbol = iota // the first INVITE, a higher CSeq, or other credentials
	sawRepeat                  // a retransmission, another hop, a late lower CSeq
	saw1xx                     // provisional, on any leg
	saw2xx                     // a dialog was made of it
	sawChallenge               // to the first requester
	sawWrong                   // a challenge that means a wrong password
	sawDenied                  // a challenge held back proved to be a wrong password
	sawRetryable               // a final >= 300 that clients follow with another try
	sawFinal                   // any other final >= 300 to the first requester
	sawNoted                   // a final elsewhere, or from a stranger
	sawCancel                  // from the first requester
	sawBye                     // with one of the attempt's tags
	sawStayed                  // that BYE was refused
	sawLeft                    // that BYE stands
	sawAcked                   // time is up, but an ACK showed that the call was answered
	sawTimeout                 // time is up
	sawRinging                 // time is up for an early provisional answer
	sawSilence                 // time is up, and there is nothing to say
)

var attemptMachine = machine{
	id:   attemptID,
	name: "attempt",
	states: []string{"calling", "proceeding", "challenged", "denied", "retrying", "cancelling", "leaving",
		"answered", "failed", "heard"},
	symbols: []string{"INVITE", "repeat", "1xx", "2xx", "challenge", "wrong password", "denied", "retryable final", "final",
		"noted final", "CANCEL", "BYE", "BYE refused", "BYE stands", "acked", "timeout", "still ringing", "silence"},
	cells: attemptTable,
}

// What happens on a timeout depends on the state alone, so there is one symbol
// for Timer B, Timer C and every linger; lingers are in attempt.linger.
var attemptTable = table{
	calling: {
		sawInvite:    {calling, event.None, seen}, // the challenge was missed
		sawRepeat:    {calling, event.None, ignore},
		saw1xx:       {proceeding, event.None, seen},    // §17.1.1.2
		saw2xx:       {answered, event.CallStart, seen}, // §13.2.2.4
		sawChallenge: {challenged, event.None, seen},    // §22.2
		sawWrong:     {denied, event.AuthFailed, seen},  // §22.2
		sawRetryable: {retrying, event.None, seen},      // §8.1.3.5
		sawFinal:     {failed, event.CallAttempt, seen}, // §13.2.2.3
		sawNoted:     {calling, event.None, ignore},     // §16.7: the proxy has not chosen yet
		sawCancel:    {cancelling, event.None, seen},    // §9.1
		sawBye:       {leaving, event.None, guess},      // §15: early BYE, or the 2xx was missed
		sawAcked:     {answered, event.None, guess},     // the 2xx was missed
		sawTimeout:   {failed, event.CallAttempt, seen}, // §17.1.1.2 Timer B
	},
	proceeding: {
		sawInvite:    {calling, event.None, seen},
		sawRepeat:    {proceeding, event.None, ignore},
		saw1xx:       {proceeding, event.None, seen}, // §16.7 step 2: Timer C starts anew
		saw2xx:       {answered, event.CallStart, seen},
		sawChallenge: {challenged, event.None, seen},
		sawWrong:     {denied, event.AuthFailed, seen},
		sawRetryable: {retrying, event.None, seen},
		sawFinal:     {failed, event.CallAttempt, seen},
		sawNoted:     {proceeding, event.None, ignore},
		sawCancel:    {cancelling, event.None, seen},
		sawBye:       {leaving, event.None, guess},
		sawAcked:     {answered, event.None, guess},
		sawTimeout:   {failed, event.CallAttempt, seen}, // §16.8 Timer C
	},
	challenged: {
		sawInvite:    {calling, event.None, seen}, // §22.2: with credentials
		sawRepeat:    {challenged, event.None, ignore},
		saw1xx:       {challenged, event.None, ignore},
		saw2xx:       {answered, event.CallStart, guess}, // the INVITE with credentials was missed
		sawDenied:    {denied, event.None, seen},         // the event left with the hold
		sawWrong:     {denied, event.AuthFailed, guess},
		sawChallenge: {challenged, event.None, ignore},
		sawRetryable: {retrying, event.None, guess},
		sawFinal:     {failed, event.CallAttempt, guess},
		sawNoted:     {challenged, event.None, ignore},
		sawCancel:    {challenged, event.None, ignore},
		sawBye:       {leaving, event.None, guess},
		sawTimeout:   {failed, event.CallAttempt, seen}, // nobody followed up
	},
	denied: {
		sawInvite:    {calling, event.None, seen},
		sawRepeat:    {denied, event.None, ignore},
		saw1xx:       {denied, event.None, ignore},
		saw2xx:       {answered, event.CallStart, guess},
		sawChallenge: {denied, event.None, ignore},
		sawWrong:     {denied, event.None, ignore},
		sawDenied:    {denied, event.None, ignore},
		sawRetryable: {retrying, event.None, guess},
		sawFinal:     {failed, event.CallAttempt, guess},
		sawNoted:     {denied, event.None, ignore},
		sawCancel:    {denied, event.None, ignore},
		sawBye:       {leaving, event.None, guess},
		sawTimeout:   {failed, event.None, seen}, // auth-failed said it
	},
	retrying: {
		sawInvite:    {calling, event.None, seen}, // §8.1.3.4, §8.1.3.5
		sawRepeat:    {retrying, event.None, ignore},
		saw1xx:       {retrying, event.None, ignore},
		saw2xx:       {answered, event.CallStart, seen}, // §13.2.2.4: another branch
		sawChallenge: {challenged, event.None, guess},
		sawRetryable: {retrying, event.None, ignore},
		sawFinal:     {retrying, event.None, ignore},
		sawNoted:     {retrying, event.None, ignore},
		sawCancel:    {retrying, event.None, ignore},
		sawBye:       {leaving, event.None, guess},
		sawTimeout:   {failed, event.CallAttempt, seen},
	},
	cancelling: {
		sawInvite:    {calling, event.None, seen},
		sawRepeat:    {cancelling, event.None, ignore},
		saw1xx:       {cancelling, event.None, ignore},
		saw2xx:       {answered, event.CallStart, seen}, // §9.1: the 2xx wins the race
		sawChallenge: {challenged, event.None, seen},
		sawWrong:     {denied, event.AuthFailed, seen},
		sawRetryable: {retrying, event.None, seen},
		sawFinal:     {failed, event.CallAttempt, seen}, // §9.2: 487
		sawNoted:     {cancelling, event.None, ignore},
		sawCancel:    {cancelling, event.None, ignore},
		sawBye:       {leaving, event.None, guess},
		sawAcked:     {answered, event.None, guess},
		sawTimeout:   {failed, event.CallAttempt, guess}, // §9.1: 64*T1 after the CANCEL
	},
	leaving: {
		sawInvite:    {calling, event.None, seen},
		sawRepeat:    {leaving, event.None, ignore},
		saw1xx:       {leaving, event.None, ignore},
		saw2xx:       {answered, event.CallStart, seen},
		sawChallenge: {challenged, event.None, seen},
		sawWrong:     {denied, event.AuthFailed, seen},
		sawRetryable: {failed, event.CallAttempt, seen}, // who hangs up does not try again
		sawFinal:     {failed, event.CallAttempt, seen}, // §15.1.2: the INVITE gets 487
		sawNoted:     {leaving, event.None, ignore},
		sawCancel:    {leaving, event.None, ignore},
		sawBye:       {leaving, event.None, ignore},
		sawStayed:    {proceeding, event.None, seen}, // §15.1.2: 481
		sawLeft:      {answered, event.None, guess},
	},
	answered: {
		sawInvite:    {calling, event.None, seen}, // the same Call-ID and From tag for another call
		sawRepeat:    {answered, event.None, ignore},
		saw1xx:       {answered, event.None, ignore},    // a branch that still rings
		saw2xx:       {answered, event.CallStart, seen}, // §13.2.2.4: a fork, two dialogs
		sawChallenge: {answered, event.None, ignore},
		sawWrong:     {answered, event.None, ignore},
		sawDenied:    {answered, event.None, ignore},
		sawRetryable: {answered, event.None, ignore},
		sawFinal:     {answered, event.None, ignore}, // a branch that lost
		sawNoted:     {answered, event.None, ignore},
		sawCancel:    {answered, event.None, ignore},
		sawBye:       {answered, event.None, ignore},
		sawStayed:    {answered, event.None, ignore},
		sawLeft:      {answered, event.None, ignore},
	},
	failed: {
		sawInvite:    {calling, event.None, seen}, // a new attempt, or a late retry with credentials
		sawRepeat:    {failed, event.None, ignore},
		saw1xx:       {failed, event.None, ignore},
		saw2xx:       {answered, event.CallStart, seen}, // §9.1: later than we waited
		sawChallenge: {failed, event.None, ignore},
		sawWrong:     {failed, event.None, ignore},
		sawDenied:    {failed, event.None, ignore},
		sawRetryable: {failed, event.None, ignore},
		sawFinal:     {failed, event.None, ignore},
		sawNoted:     {failed, event.None, ignore},
		sawCancel:    {failed, event.None, ignore},
		sawBye:       {failed, event.None, ignore},
	},
	heard: {
		sawInvite:    {calling, event.None, seen}, // the answer was early
		sawRepeat:    {heard, event.None, ignore},
		saw1xx:       {heard, event.None, ignore},
		saw2xx:       {answered, event.CallStart, seen},
		sawNoted:     {heard, event.None, ignore},
		sawCancel:    {heard, event.None, ignore},
		sawBye:       {heard, event.None, ignore},
		sawChallenge: {challenged, event.None, guess},    // the INVITE of this round was missed
		sawTimeout:   {failed, event.CallAttempt, guess}, // the INVITE was missed
		sawRinging:   {proceeding, event.None, guess},    // the INVITE of this round was missed
		sawSilence:   {failed, event.None, ignore},       // a provisional or a challenge alone
	},
}

// attempt is one call that is tried.
type attempt struct {
	timer timer
	link  link
	spot  spot
	set   *callSet
	key   uint64 // hash of the From tag
	state state
	extra int64 // see weigh

	rec   event.Event // what a record of it says
	hops  hops
	cseq  uint32
	creds creds
	early challenges // of an answer that came before its INVITE
	hold  *hold      // a failure of this attempt that waits
	holds *hold      // failures that the present INVITE decides

	first, round int64 // first INVITE of all, and of this CSeq
	again        int64 // the first requester's last copy of it
	rounds       [maxRounds]uint32
	ackBranch    uint64 // of the ACK that ackTag is of
	overheard    bool   // somebody who was not asked answered a later INVITE
	missed       uint32 // CSeq of a later INVITE that was not seen, only what follows it
	last         int64  // last provisional
	decided      int64  // time of the final in rec
	cancelled    int64  // the first requester's CANCEL
	ringing      int64  // first 180 to 183
	ringCode     uint16 // which it was
	asked        bool   // an INVITE was seen
	asking       bool   // the INVITE of this CSeq was seen
	said         bool   // call-attempt was said
	toldVias     uint16 // of the hop that it came on
	told         bool   // rec holds a final that the first requester got
	ackTag       uint64 // To tag of an ACK for a 2xx that was not seen
	dialogs      uint16
	doubts       []*dialog // 2xx of strangers, which wait for this attempt's timer
}

func (a *attempt) keyOf() uint64 { return a.key }

const attemptSize = 2600 // bytes, with the text of a usual record

func (t *Tracker) newAttempt(s *callSet, key uint64) *attempt {
	a := take(&t.pools.attempts)
	t.calls.attempts++
	rec, h := a.rec, a.hops[:0]
	*a = attempt{set: s, key: key, state: heard, rec: rec, hops: h}
	a.rec.Reset()
	a.timer.owner, a.link.owner = a, a
	s.attempts.put(a)
	t.admit(attemptSize)
	return a
}

func (t *Tracker) freeAttempt(a *attempt) {
	t.dropDoubts(a)
	t.decide(take1(&a.holds), true, event.NoResponse)
	t.wheel.clear(&a.timer)
	a.link.leave()
	t.lists.calls.drop(&a.spot)
	if a.hold != nil {
		a.hold.attempt = nil
		a.hold = nil
	}
	s := a.set
	s.attempts.drop(a)
	t.weigh(&a.extra, nil)
	t.dismiss(attemptSize)
	a.rec.Trim(usualRecord)
	t.calls.attempts--
	give(&t.pools.attempts, a)
	t.settle(s)
}

// stepAttempt moves the attempt and says what the table says; a call-start is
// the caller's to say, who has the dialog.
func (t *Tracker) stepAttempt(a *attempt, y symbol) {
	c := t.step(&attemptMachine, a.state, y)
	old := a.state
	switch c.emit {
	case event.CallAttempt:
		t.sayAttempt(a, y)
	case event.AuthFailed:
		t.finishAuthFailed(t.send(event.AuthFailed, &a.rec), a.round, a.decided)
	}
	a.state = c.next
	if old != answered && old != failed && (y == sawChallenge || y == sawWrong || y == sawRetryable || y == sawFinal) {
		t.refusedDialogs(a)
	}
	if old != c.next || y == saw1xx {
		t.armAttempt(a)
	}
}

// armAttempt sets the linger of the present state and its worth.
func (t *Tracker) armAttempt(a *attempt) {
	t.weigh(&a.extra, &a.rec)
	t.listAttempt(a)
	switch a.state {
	case calling:
		t.arm(&a.timer, a.round, t.cfg.Invite)
	case proceeding:
		t.arm(&a.timer, max(a.last, a.round), t.cfg.Proceeding)
	case challenged, denied:
		t.arm(&a.timer, a.decided, t.cfg.AuthLinger)
	case retrying:
		t.arm(&a.timer, a.decided, t.cfg.RetryLinger)
	case cancelling:
		t.arm(&a.timer, a.cancelled, t.cfg.Invite)
	case leaving: // the dialog that the BYE made decides, much earlier; or it was answered under another CSeq
		t.arm(&a.timer, t.now, t.cfg.Proceeding)
	case answered:
		if !a.hops.ringing() {
			t.retire(&a.timer, &a.link)
			return
		}
		// a losing branch may ring as long as Timer C lets it
		t.arm(&a.timer, t.now, t.cfg.Proceeding)
	case failed:
		if !a.wasChallenged() && !a.hops.ringing() {
			t.retire(&a.timer, &a.link)
			return
		}
		// a person may be typing the password
		t.arm(&a.timer, t.now, t.cfg.Proceeding)
	case heard:
		t.arm(&a.timer, t.now, t.cfg.Early)
	}
	t.rank(&a.link, a.worth())
}

func (a *attempt) expire(t *Tracker) {
	switch a.state {
	case calling, proceeding, cancelling:
		if at, _ := t.waits(a); t.longer(&a.timer, at) {
			return
		}
		if len(a.doubts) > 0 {
			for len(a.doubts) > 0 {
				t.stepDialog(a.doubts[0], sawWaited)
			}
			if a.state == answered {
				return
			}
		}
		if a.ackTag != 0 {
			t.assumeAnswered(a)
			t.stepAttempt(a, sawAcked)
			return
		}
		t.stepAttempt(a, sawTimeout)
		t.decide(take1(&a.holds), true, event.NoResponse)
	case challenged, denied:
		if a.hold != nil { // its next try is under way elsewhere
			t.arm(&a.timer, t.now, t.cfg.RetryLinger)
			return
		}
		t.stepAttempt(a, sawTimeout)
	case retrying:
		t.stepAttempt(a, sawTimeout)
	case heard:
		t.endWait(a)
	default:
		t.freeAttempt(a)
	}
}

// endWait decides on answers whose INVITE did not come.
func (t *Tracker) endWait(a *attempt) {
	switch code := a.rec.Code; {
	case code == 0 && a.asked:
		t.stepAttempt(a, sawRinging)
	case code == 401 || code == 407:
		if a.asked {
			t.stepAttempt(a, sawChallenge)
		} else {
			t.stepAttempt(a, sawSilence)
		}
	case code >= 300 && !t.badInvite(a):
		t.stepAttempt(a, sawTimeout)
	default:
		t.stepAttempt(a, sawSilence)
	}
}

func (a *attempt) flush(t *Tracker, all bool) {
	if a.state == answered || a.state == failed {
		return
	}
	t.wheel.clear(&a.timer)
	a.expire(t)
}

func (a *attempt) evict(t *Tracker) {
	switch a.state {
	case calling, proceeding, cancelling, challenged, retrying, heard:
		if a.state == heard {
			t.endWait(a)
		} else {
			t.stepAttempt(a, sawTimeout)
		}
	}
	t.decide(take1(&a.holds), true, event.NoResponse)
	if a.set != nil {
		t.freeAttempt(a)
	}
}

// take1 empties *p and returns what it held.
func take1(p **hold) *hold {
	h := *p
	*p = nil
	return h
}

// sayAttempt makes the call-attempt. What decided is in rec; on a timeout it is
// what was noted elsewhere, if anything.
func (t *Tracker) sayAttempt(a *attempt, why symbol) {
	at, timer, missing := a.decided, byte(0), event.Incomplete(0)
	if why == sawTimeout && (a.state == calling || a.state == proceeding || a.state == cancelling) {
		at, timer = t.silentOutcome(a)
		missing = t.inviteSilence(a)
		at, timer = t.cutShort(at, timer)
	}
	if a.said {
		return
	}
	a.said = true
	if timer == 0 && a.rec.Code >= 300 {
		t.proveRequest(a.asking)
	}
	e := t.send(event.CallAttempt, &a.rec)
	e.Incomplete |= missing
	e.Time, e.End = at, at
	e.Outcome = event.Failure
	if !a.asking || a.missed > a.cseq || a.leftBehind() { // perhaps an earlier INVITE was
		e.Incomplete |= event.NoRequest
	}
	if a.asked {
		e.Start = a.first
	}
	unheard := why == sawTimeout && t.unheard(max(a.round, a.last, a.decided, a.cancelled))
	if unheard {
		e.Incomplete |= event.NoHistory
	}
	if e.Code == 0 && (t.ending || t.evicting || unheard) || e.Synthetic && unheard {
		e.Outcome = event.Unknown
	}
	if a.ringing != 0 {
		e.Ring = since(a.ringing, at)
	}
	e.Timer = timer
	if a.told && a.asking {
		e.Delay = since(a.round, a.decided)
	}
	for i := range a.hops {
		if c := a.hops[i].code; c >= 300 && !a.hops.ofRequester(i) {
			e.AddCode(&e.Codes, c)
		}
	}
	e.Branches = a.hops.branches()
	t.identifyCall(e)
	inOrder(e)
	t.identify(e, e.Bytes(e.CallID), e.Bytes(e.From.Tag), number(e.CSeq))
}

// waits is until when the present state waits for an answer, and by which timer.
func (t *Tracker) waits(a *attempt) (at int64, timer byte) {
	switch a.state {
	case cancelling:
		return a.cancelled + int64(t.cfg.Invite), 0
	case proceeding:
		return max(a.last, a.round) + int64(t.cfg.Proceeding), 'C'
	}
	return a.round + int64(t.cfg.Invite), 'B'
}

// silentOutcome fills in what is known when the first requester was not seen to
// get a final: the code noted elsewhere; 487 after a CANCEL (RFC 3261 §9.2).
func (t *Tracker) silentOutcome(a *attempt) (at int64, timer byte) {
	code, _ := a.hops.noted()
	if a.state == cancelling {
		if code == 0 {
			code = 487
		}
		a.rec.Synthetic = true
		a.rec.Anomalies |= event.SyntheticFinal
		a.rec.Incomplete |= event.NoResponse
	}
	at, timer = t.waits(a)
	if code != a.rec.Code {
		a.rec.Code, a.rec.Status = code, event.Text{}
	}
	return at, timer
}
