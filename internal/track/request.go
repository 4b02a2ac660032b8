package track

import (
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/qos"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// The machine of every other transaction (RFC 3261 §17.1.2): OPTIONS, MESSAGE,
// SUBSCRIBE and their like, REGISTER (whose bindings are register.go's), BYE
// (whose dialog is bye.go's) and re-INVITE.
//
// A request is seen on the hops it passes, and so are its answers. The first 2xx
// decides wherever it is seen; another final only where the first requester gets
// it. What is over is remembered for 64*T1 (RFC 3261 §17.2.2 Timer J), so that a
// retransmission finds it.
const (
	trying    state = iota // the request was seen (RFC 3261 §17.1.2.2 Trying)
	pending                // a provisional answer was seen (Proceeding)
	unasked                // only answers were seen so far
	completed              // decided
)

const (
	sawNew        symbol = iota // the request, or the same with other credentials
	sawAgain                    // a retransmission or another hop
	sawTrying                   // 1xx
	sawOK                       // 2xx
	sawAbsorbed                 // a final of BYE, REGISTER 2xx or re-INVITE: others speak for it
	sawRefused                  // >= 300 to the first requester
	sawAsked                    // a first challenge, an expired nonce, or one that is held
	sawMistaken                 // a challenge that means a wrong password
	sawAside                    // a final elsewhere, or from a stranger
	sawTimerF                   // no final answer in time
	sawTimerOK                  // the same, but a stranger's 2xx was noted
	sawTimerNoted               // the same, but a refusal was noted elsewhere
	sawTimerNone                // the same, for a request that others speak for
)

var requestMachine = machine{
	id:     requestID,
	name:   "request",
	states: []string{"trying", "proceeding", "unasked", "completed"},
	symbols: []string{"request", "again", "1xx", "2xx", "absorbed final", "refused", "challenge", "wrong password", "noted final",
		"Timer F", "Timer F, 2xx noted", "Timer F, refusal noted", "Timer F, silent"},
	cells: requestTable,
}

var requestTable = table{
	trying: {
		sawNew:        {trying, event.None, seen}, // §22.2, under the same CSeq
		sawAgain:      {trying, event.None, ignore},
		sawTrying:     {pending, event.None, seen},           // §17.1.2.2
		sawOK:         {completed, event.OtherOK, seen},      // §17.1.2.2
		sawAbsorbed:   {completed, event.None, seen},         //
		sawRefused:    {completed, event.OtherFailed, seen},  // §17.1.2.2
		sawAsked:      {completed, event.None, seen},         // §22.1
		sawMistaken:   {completed, event.AuthFailed, seen},   // §22.2
		sawAside:      {trying, event.None, ignore},          // §16.7
		sawTimerF:     {completed, event.OtherTimeout, seen}, // §17.1.2.2 Timer F
		sawTimerOK:    {completed, event.OtherOK, guess},     //
		sawTimerNoted: {completed, event.OtherFailed, guess}, //
		sawTimerNone:  {completed, event.None, seen},         //
	},
	pending: {
		sawNew:        {trying, event.None, seen},
		sawAgain:      {pending, event.None, ignore},
		sawTrying:     {pending, event.None, ignore},
		sawOK:         {completed, event.OtherOK, seen},
		sawAbsorbed:   {completed, event.None, seen},
		sawRefused:    {completed, event.OtherFailed, seen},
		sawAsked:      {completed, event.None, seen},
		sawMistaken:   {completed, event.AuthFailed, seen},
		sawAside:      {pending, event.None, ignore},
		sawTimerF:     {completed, event.OtherTimeout, seen},
		sawTimerOK:    {completed, event.OtherOK, guess},
		sawTimerNoted: {completed, event.OtherFailed, guess},
		sawTimerNone:  {completed, event.None, seen},
	},
	unasked: {
		sawNew:       {trying, event.None, seen}, // the answer was early
		sawTrying:    {unasked, event.None, ignore},
		sawAside:     {unasked, event.None, ignore},
		sawOK:        {completed, event.OtherOK, guess},     // the request was missed
		sawAbsorbed:  {completed, event.None, guess},        //
		sawRefused:   {completed, event.OtherFailed, guess}, //
		sawTimerNone: {completed, event.None, ignore},       // a provisional or a challenge alone
	},
	completed: {
		sawNew:      {trying, event.None, seen}, // §22.2, under the same CSeq
		sawAgain:    {completed, event.None, ignore},
		sawTrying:   {completed, event.None, ignore},
		sawOK:       {completed, event.None, ignore},
		sawAbsorbed: {completed, event.None, ignore},
		sawRefused:  {completed, event.None, ignore},
		sawAsked:    {completed, event.None, ignore},
		sawMistaken: {completed, event.None, ignore},
		sawAside:    {completed, event.None, ignore},
	},
}

// request is one such transaction.
type request struct {
	timer timer
	link  link
	set   *callSet
	key   uint64
	state state
	extra int64 // see weigh

	method sip.Method
	ft, tt uint64
	cseq   uint32
	code   uint16       // of the final that decided
	rec    *event.Event // until it is completed
	hops   hops
	near   [1]hop // what hops begins with
	creds  creds
	early  challenges
	holds  *hold // failures that this request decides

	first      int64
	again      int64 // the first requester's last copy
	decided    int64
	toldVias   uint16 // of the hop that it came on
	told       bool   // rec holds a final that the first requester got
	asked      bool   // the request was seen
	passed     bool   // its client went on: it was answered, and we missed that
	challenged bool   // its client went on with credentials: that answer was a challenge

	granted        event.List // contacts of a 2xx to REGISTER, in rec
	grantedCut     bool       // the answer may list more
	grantedExpires int64      // its Expires, in s; -1 is none
}

func (r *request) keyOf() uint64 { return r.key }

const requestSize = 1900 // bytes, with the text of a usual record

func (t *Tracker) newRequest(s *callSet, v *view, tt uint64) *request {
	r := take(&t.pools.requests)
	t.calls.requests++
	*r = request{set: s, key: v.key(tt), state: unasked, method: v.method, ft: v.ft, tt: tt, cseq: v.cseq, first: v.time}
	r.hops = r.near[:0]
	r.rec = take(&t.pools.records)
	r.rec.Reset()
	r.timer.owner, r.link.owner = r, r
	s.requests.put(r)
	t.admit(requestSize)
	return r
}

func (t *Tracker) freeRequest(r *request) {
	t.decide(take1(&r.holds), true, event.NoResponse)
	t.wheel.clear(&r.timer)
	r.link.leave()
	t.forgetRecord(r)
	s := r.set
	s.requests.drop(r)
	t.dismiss(requestSize)
	t.calls.requests--
	give(&t.pools.requests, r)
	t.settle(s)
}

// forgetRecord frees the record of a transaction that is completed: what absorbs
// retransmissions needs none, and there are many of them.
func (t *Tracker) forgetRecord(r *request) {
	if r.rec != nil {
		t.weigh(&r.extra, nil)
		r.rec.Trim(usualRecord)
		give(&t.pools.records, r.rec)
		r.rec = nil
	}
}

// forgetRecords frees the records of what this call completed.
func (t *Tracker) forgetRecords() {
	for i, r := range t.over {
		if r.state == completed {
			t.forgetRecord(r)
		}
		t.over[i] = nil
	}
	t.over = t.over[:0]
}

// stepRequest moves the transaction and says what the table says.
func (t *Tracker) stepRequest(r *request, y symbol) {
	c := t.step(&requestMachine, r.state, y)
	old := r.state
	r.state = c.next
	if old != completed && (y == sawOK || y == sawAbsorbed || y == sawRefused) && r.method != sip.MethodInvite {
		t.proveRequest(r.asked) // a re-INVITE without its request is not told from a late answer
	}
	switch c.emit {
	case event.None:
	case event.AuthFailed:
		t.finishAuthFailed(t.send(event.AuthFailed, r.rec), r.first, r.decided)
	default:
		t.sayRequest(r, c.emit, y)
	}
	if old != c.next {
		t.armRequest(r)
	}
}

func (t *Tracker) armRequest(r *request) {
	t.weigh(&r.extra, r.rec)
	switch r.state {
	case unasked:
		t.arm(&r.timer, t.now, t.cfg.Early)
	case trying:
		t.arm(&r.timer, r.first, t.cfg.Request)
	case completed:
		r.code = r.rec.Code
		t.over = append(t.over, r)
		t.retire(&r.timer, &r.link)
		return
	}
	t.rank(&r.link, worthRequest)
}

func (r *request) expire(t *Tracker) {
	switch r.state {
	case unasked:
		t.endUnasked(r)
	case trying, pending:
		if t.longer(&r.timer, r.first+int64(t.cfg.Request)) {
			return
		}
		t.timeoutRequest(r)
	}
}

// timeoutRequest is Timer F: what was noted elsewhere decides, if anything.
func (t *Tracker) timeoutRequest(r *request) {
	code, at := r.hops.noted()
	if code == 0 {
		code, at = r.hops.strangerOK()
	}
	y := sawTimerF
	switch {
	case r.quiet(), code == 0 && r.challenged:
		y = sawTimerNone
	case code == 401 || code == 407:
		y = sawTimerNone
	case code >= 300:
		y = sawTimerNoted
	case code != 0 && r.method == sip.MethodRegister:
		y = sawTimerNone
		r.decided = at
		t.bound(r)
	case code != 0:
		y = sawTimerOK
	}
	if code != 0 && code != r.rec.Code {
		r.rec.Code, r.rec.Status = code, event.Text{}
	}
	if code != 0 {
		r.decided = at
	}
	if code == 0 {
		t.unsureOf(r, event.NoResponse)
	}
	t.stepRequest(r, y)
	t.decide(take1(&r.holds), code < 200 || code >= 300, event.NoResponse)
}

// endUnasked decides on answers whose request did not come.
func (t *Tracker) endUnasked(r *request) {
	code := r.rec.Code
	switch {
	case r.method == sip.MethodBye && code != 0:
		t.byeAnswered(r, true)
		t.stepRequest(r, sawAbsorbed)
	case code == 401, code == 407:
		t.unsureOf(r, event.NoRegister)
		t.stepRequest(r, sawTimerNone)
	case code == 0, r.quiet(), t.badAnswer(r):
		t.stepRequest(r, sawTimerNone)
	case r.method == sip.MethodRegister && code < 300:
		t.boundUnasked(r)
		t.stepRequest(r, sawAbsorbed)
	case code < 300:
		t.stepRequest(r, sawOK)
	default:
		t.stepRequest(r, sawRefused)
	}
}

func (r *request) flush(t *Tracker, _ bool) {
	if r.state == completed {
		return
	}
	t.wheel.clear(&r.timer)
	r.expire(t)
}

func (r *request) evict(t *Tracker) {
	if r.state != completed {
		r.expire(t)
	}
	if r.set != nil && r.set.requests.get(r.key) == r {
		t.freeRequest(r)
	}
}

// request follows a request that is neither INVITE, ACK nor CANCEL, or is a
// re-INVITE.
func (t *Tracker) request(v *view) {
	s := t.setOf(v)
	r := s.requests.get(v.key(v.tt))
	if r == nil {
		r = earlyAnswer(s, v)
		if r != nil && r.state == completed && r.method != sip.MethodRegister { // decided by its answer alone
			r.asked = true
		}
	}
	if r == nil {
		r = t.newRequest(s, v, v.tt)
	}
	if r.asked && !r.otherCreds(v) && !t.ownBye(r, v) {
		t.repeatRequest(r, v)
		return
	}
	t.startRequest(r, v)
}

// earlyAnswer finds the transaction that an answer began before its request: the
// answer has a To tag that a request outside a dialog has not.
func earlyAnswer(s *callSet, v *view) *request {
	if v.tt != 0 {
		return nil
	}
	for _, r := range s.requests.latest() {
		if (r.state == unasked || r.state == completed && !r.asked) && r.ft == v.ft && r.cseq == v.cseq && r.method == v.method {
			s.requests.drop(r)
			r.key, r.tt = v.key(0), 0
			s.requests.put(r)
			return r
		}
	}
	return nil
}

// otherCreds reports whether a request with the key of r is another one: other
// credentials after a challenge, under the same CSeq.
func (r *request) otherCreds(v *view) bool {
	return v.creds.n > 0 && v.creds.hash != r.creds.hash && r.state == completed && (r.code == 401 || r.code == 407)
}

// ownBye reports whether a BYE that a leg of the dialog sends was seen from
// strangers only so far: theirs had guessed its CSeq, and stands for nothing.
func (t *Tracker) ownBye(r *request, v *view) bool {
	if v.method != sip.MethodBye || v.set == nil {
		return false
	}
	d := v.set.dialogs.get(dialogKey(v.ft, v.tt))
	if d == nil || d.state == ended || !t.isLeg(d, v.p.Src.Addr()) {
		return false
	}
	for i := range r.hops {
		if h := &r.hops[i]; h.asked && t.isLeg(d, h.src.Addr()) || h.code >= 200 {
			return false
		}
	}
	return true
}

func (t *Tracker) startRequest(r *request, v *view) {
	t.stats.New++
	early := r.state == unasked && !r.hops.empty()
	if early && r.early.gave(&v.creds) && !r.hops.branched(v.branch) { // the challenge that it follows up, under the same CSeq
		t.give(&r.early, v.cid, v.creds.aor)
		early = false
	}
	same := r.asked && r.otherCreds(v)
	if early {
		tag := r.rec.To.Tag
		t.fillRequest(r.rec, v)
		if r.rec.To.Tag.Len() == 0 {
			r.rec.To.Tag = tag
		}
	} else {
		if r.rec == nil {
			r.rec = take(&t.pools.records)
		}
		if r.rec.CallID.Len() > 0 || r.state == completed {
			r.rec.Reset()
		}
		t.fillRequest(r.rec, v)
		r.hops, r.told, r.granted = r.near[:0], false, event.List{}
	}
	if same {
		r.rec.Anomalies |= event.CSeqSame
	}
	if r.otherFromTag(v) {
		r.rec.Anomalies |= event.FromTagChanged
	}
	r.hops.request(v)
	r.creds, r.first, r.again, r.asked = v.creds, v.time, 0, true
	r.passed, r.challenged = false, false
	if v.method == sip.MethodRegister {
		t.fillRegister(r.rec)
	}
	if qos.IsText(r.rec.Bytes(r.rec.ContentType)) {
		t.reportIn(r, v)
	}
	r.holds = t.tried(&v.creds, v.cid, r.holds)
	t.stepRequest(r, sawNew)
	t.armRequest(r)
	t.answeredBefore(r)
	t.inDialog(r, v)
	t.subscribing(r, v)
	if early {
		t.replayRequest(r, v)
	}
}

// repeatRequest takes in a retransmission or another hop.
func (t *Tracker) repeatRequest(r *request, v *view) {
	t.stepRequest(r, sawAgain)
	before := r.hops.requester()
	i, again := r.hops.request(v)
	switch {
	case again:
		t.stats.Retransmissions++
		t.stats.RequestsAgain++
	default:
		t.stats.Hops++
	}
	if r.state == completed {
		return
	}
	if again {
		r.rec.RetransRequest++
		if r.hops.ofRequester(i) {
			r.again = max(r.again, v.time)
		}
		return
	}
	if !r.rec.InDialog {
		t.correlate(r.rec, v)
	}
	r.rec.AddLeg(v.p.Src.Addr())
	r.rec.AddLeg(v.p.Dst.Addr())
	if i >= 0 && r.hops.requester() == i && i != before {
		r.rec.Src, r.rec.Dst = v.p.Src, v.p.Dst
		setURI(r.rec, &r.rec.RequestURI, v.m.RequestURI())
	}
}

// sayRequest makes other-ok, other-failed or other-timeout.
func (t *Tracker) sayRequest(r *request, typ event.Type, why symbol) {
	e := t.send(typ, r.rec)
	e.Start, e.Time = r.first, r.decided
	switch why {
	case sawTimerF, sawTimerNoted, sawTimerOK:
		e.Time, e.Timer = t.cutShort(r.first+int64(t.cfg.Request), 'F')
		e.Incomplete |= t.silence(r)
	}
	e.End = e.Time
	unheard := e.Timer == 'F' && t.unheard(r.first)
	if unheard {
		e.Incomplete |= event.NoHistory
	}
	switch typ {
	case event.OtherOK:
		e.Outcome = event.Success
	default:
		e.Outcome = event.Failure
		if typ == event.OtherTimeout {
			e.Code, e.Status = 0, event.Text{}
			if t.ending || t.evicting || r.passed || unheard {
				e.Outcome = event.Unknown
			}
		}
	}
	if !r.asked {
		e.Incomplete |= event.NoRequest
		e.Start, e.End = 0, 0
	} else if r.decided != 0 {
		e.Delay = since(r.first, r.decided)
	}
	e.Contacts.Clear()
	t.subscriptionDecided(r, e)
	t.referDecided(r, typ)
	var to []byte
	if r.tt != 0 || typ != event.OtherTimeout { // the answer's, which those who missed the request see too
		to = e.Bytes(e.To.Tag)
	}
	inOrder(e)
	t.identify(e, e.Bytes(e.CallID), e.Bytes(e.From.Tag), to, number(e.CSeq), e.Bytes(e.CSeqMethod))
}

// finishAuthFailed sets what an auth-failed has besides its request's record.
func (t *Tracker) finishAuthFailed(e *event.Event, asked, at int64) {
	e.Type = event.AuthFailed
	e.Time, e.Start, e.End, e.Outcome = at, asked, at, event.Failure
	e.Delay = since(asked, at)
	e.Contacts.Clear()
	inOrder(e)
	t.identify(e, e.Bytes(e.CallID), e.Bytes(e.From.Tag), number(e.CSeq), e.Bytes(e.CSeqMethod), e.Proof[:])
}
