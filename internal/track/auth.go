package track

import (
	"slices"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// Judging a challenge.
//
// A request with credentials that is challenged again has either a wrong
// password or a nonce that the server no longer takes, and real servers leave
// out `stale=true` (RFC 7616 §3.3). What tells them apart is the nonce: one that
// the server gave this client a moment ago, and that nothing was accepted with
// yet, is fresh, and failing on it is a wrong password. Failing on an older one
// proves nothing until the client has tried again with the new nonce: the
// failure is held for retry_linger, and the answer to that try decides.

// verdict is what a challenge means for the request it answers.
type verdict uint8

const (
	firstChallenge verdict = iota // no credentials were given for its realm
	expiredNonce                  // stale=true
	wrongPassword                 // said at once
	heldForRetry                  // an older nonce: the next try decides
)

const (
	maxCreds  = 4 // credentials of one request, challenges of one answer
	maxNonces = 4 // nonces remembered of one client
)

// creds are the credentials of one request.
type creds struct {
	n    int
	list [maxCreds]cred
	hash uint64 // tells one set from another: nonces and responses
	aor  uint64 // the client's AOR
	cid  uint64 // of the request that has them
	cseq uint32
}

type cred struct {
	proxy    bool // Proxy-Authorization
	realm    uint64
	nonce    uint64
	response bool // has a response that is not empty
}

func (c *creds) read(t *Tracker, v *view) {
	m := v.m
	c.n, c.hash, c.cid, c.cseq = 0, 0, v.cid, v.cseq
	for _, h := range [...]sip.Header{sip.HeaderAuthorization, sip.HeaderProxyAuthorization} {
		if !m.Has(h) {
			continue
		}
		lines := m.Lines(h)
		for b, ok := lines.Next(); ok && c.n < maxCreds; b, ok = lines.Next() {
			a := &t.authHeader
			if c.n == 0 {
				a = &t.credentials
			}
			if !a.Parse(b) {
				continue
			}
			c.list[c.n] = cred{
				proxy: h == sip.HeaderProxyAuthorization, realm: t.hash(a.Realm()),
				nonce: t.hash(a.Nonce()), response: len(a.Response()) > 0,
			}
			c.hash = mix(c.hash, mix(t.hash(a.Nonce()), t.hash(a.Response())))
			c.n++
		}
	}
	if c.n > 0 {
		party := m.From()
		if m.Method() == sip.MethodRegister {
			party = m.To()
		}
		c.aor = t.hash(t.aorOf(party.URI()))
	}
}

// challenges are those of one answer.
type challenges struct {
	n     int
	code  uint16
	cid   uint64 // of the request that was challenged
	cseq  uint32
	list  [maxCreds]challenge
	given int64
}

type challenge struct {
	realm, nonce uint64
	anyRealm     bool // without a realm: counts as naming the credentials' one
	stale        bool
}

func (c *challenges) read(t *Tracker, v *view) {
	c.n, c.code, c.given, c.cid, c.cseq = 0, v.code, v.time, v.cid, v.cseq
	h := sip.HeaderWWWAuthenticate
	if v.code == 407 {
		h = sip.HeaderProxyAuthenticate
	}
	lines := v.m.Lines(h)
	for b, ok := lines.Next(); ok && c.n < maxCreds; b, ok = lines.Next() {
		a := &t.authHeader
		if !a.Parse(b) {
			continue
		}
		realm := a.Realm()
		c.list[c.n] = challenge{realm: t.hash(realm), anyRealm: len(realm) == 0, nonce: t.hash(a.Nonce()), stale: a.Stale()}
		c.n++
	}
}

// gave reports whether credentials have a nonce of these challenges.
func (c *challenges) gave(to *creds) bool {
	for i := range to.list[:to.n] {
		for j := range c.list[:c.n] {
			if to.list[i].nonce == c.list[j].nonce {
				return true
			}
		}
	}
	return false
}

// client remembers the nonces that a client was given. There is one under the
// Call-ID and one under AOR and realm.
type client struct {
	timer  timer
	link   link
	key    uint64
	nonces [maxNonces]nonce
	next   int
}

type nonce struct {
	hash     uint64
	given    int64
	cid      uint64 // of the request that it was given to
	cseq     uint32
	accepted bool
}

// hold is a failure that waits for the client's next try.
type hold struct {
	timer   timer
	link    link // while no try was seen; then it goes with that
	extra   int64
	ev      event.Event // the auth-failed that will be said or not
	keys    [3*maxCreds + 1]uint64
	nkeys   int
	attempt *attempt   // whose challenge it was; nil for another request
	retried bool       // the next try was seen; its answer decides
	passed  bool       // it got through; what may still prove the failure is waited for
	proved  bool       // the nonce was fresh, as a late challenge showed
	creds   creds      // of the request
	asked   int64      // when it was sent, of one that is open
	open    bool       // no failure so far: no answer was seen, or not the request
	early   challenges // the answer, of one whose request was not seen
	next    *hold      // decided by the same try
}

// auth holds the clients and the failures that wait.
type auth struct {
	clients map[uint64]*client
	holds   map[uint64][]*hold // by nonce and by Call-ID, maxHolds of each
}

func (a *auth) init() {
	a.clients = make(map[uint64]*client)
	a.holds = make(map[uint64][]*hold)
}

// judge says what a challenge means for a request with these credentials, sent
// at asked. cid is the client's Call-ID.
func (t *Tracker) judge(c *creds, ch *challenges, cid uint64, asked int64) verdict {
	verdict := firstChallenge
	for i := range c.list[:c.n] {
		cr := &c.list[i]
		if !cr.response || cr.proxy != (ch.code == 407) {
			continue
		}
		for j := range ch.list[:ch.n] {
			x := &ch.list[j]
			switch {
			case !x.anyRealm && x.realm != cr.realm:
			case x.stale:
				return expiredNonce
			case x.nonce == cr.nonce, t.fresh(cid, cr.nonce, c, asked), t.fresh(mix(c.aor, cr.realm), cr.nonce, c, asked):
				verdict = wrongPassword
			case t.accepted(cid, x.nonce), t.accepted(mix(c.aor, x.realm), x.nonce):
				// The try with the new nonce was seen before, and got through.
			case verdict == firstChallenge:
				verdict = heldForRetry
			}
		}
	}
	return verdict
}

// fresh reports whether the client was given this nonce within auth_linger before
// asked and nothing was accepted with it: as far as was seen, and its CSeq shows no
// request in between that was not.
func (t *Tracker) fresh(client, hash uint64, use *creds, asked int64) bool {
	c := t.auth.clients[client]
	if c == nil {
		return false
	}
	for i := range c.nonces {
		if n := &c.nonces[i]; n.hash == hash && n.given != 0 {
			missed := n.cid == use.cid && use.cseq > n.cseq+1
			return !n.accepted && !missed && since(n.given, asked) <= int64(t.cfg.AuthLinger)
		}
	}
	return false
}

// accepted reports whether something of the client got through with this nonce.
func (t *Tracker) accepted(client, hash uint64) bool {
	c := t.auth.clients[client]
	if c == nil {
		return false
	}
	for i := range c.nonces {
		if c.nonces[i].hash == hash {
			return c.nonces[i].accepted
		}
	}
	return false
}

// give remembers the nonces of a challenge for the client, under its Call-ID and
// under its AOR and the realm.
func (t *Tracker) give(ch *challenges, cid, aor uint64) {
	t.proveHeld(ch)
	for i := range ch.list[:ch.n] {
		x := &ch.list[i]
		t.giveTo(cid, x.nonce, ch)
		t.giveTo(mix(aor, x.realm), x.nonce, ch)
	}
}

func (t *Tracker) giveTo(key, hash uint64, ch *challenges) {
	n := t.nonceOf(key, hash, ch.given)
	if !n.accepted && ch.given >= n.given {
		n.given, n.cid, n.cseq = ch.given, ch.cid, ch.cseq
	}
}

// nonceOf finds or makes the entry of a nonce, the oldest making room.
func (t *Tracker) nonceOf(key, hash uint64, at int64) *nonce {
	c := t.auth.clients[key]
	if c == nil {
		c = take(&t.pools.clients)
		*c = client{key: key}
		c.timer.owner, c.link.owner = c, c
		t.auth.clients[key] = c
		t.rank(&c.link, worthSpent)
		t.admit(clientSize)
	}
	t.arm(&c.timer, at, t.cfg.AuthLinger)
	for i := range c.nonces {
		if n := &c.nonces[i]; n.hash == hash {
			return n
		}
	}
	n := &c.nonces[c.next]
	*n = nonce{hash: hash}
	c.next = (c.next + 1) % maxNonces
	return n
}

const clientSize = 256

// accept marks the nonces of a request that got through, seen at.
func (t *Tracker) accept(c *creds, cid uint64, at int64) {
	for i := range c.list[:c.n] {
		cr := &c.list[i]
		t.nonceOf(cid, cr.nonce, at).accepted = true
		t.nonceOf(mix(c.aor, cr.realm), cr.nonce, at).accepted = true
	}
}

func (c *client) expire(t *Tracker) {
	delete(t.auth.clients, c.key)
	t.wheel.clear(&c.timer)
	c.link.leave()
	t.dismiss(clientSize)
	give(&t.pools.clients, c)
}

func (c *client) evict(t *Tracker)     { c.expire(t) }
func (c *client) flush(*Tracker, bool) {}

// hold keeps the failure of rec back until the client has tried again, which is
// the caller's to finish.
func (t *Tracker) hold(c *creds, ch *challenges, cid uint64, rec *event.Event) *hold {
	h := t.newHold(c, rec)
	t.file(h, cid)
	for i := range c.list[:c.n] {
		t.file(h, mix(failedKey, mix(cid, c.list[i].nonce)))
	}
	for i := range ch.list[:ch.n] {
		x := &ch.list[i]
		t.file(h, mix(cid, x.nonce))
		t.file(h, mix(mix(c.aor, x.realm), x.nonce))
	}
	t.rank(&h.link, worthRequest)
	t.arm(&h.timer, ch.given, t.cfg.RetryLinger)
	return h
}

func (t *Tracker) newHold(c *creds, rec *event.Event) *hold {
	h := take(&t.pools.holds)
	buf := h.ev
	*h = hold{ev: buf, creds: *c}
	h.ev.CopyFrom(rec)
	h.ev.Injected = h.ev.Injected || t.injecting
	h.timer.owner, h.link.owner = h, h
	t.admit(holdSize)
	t.weigh(&h.extra, &h.ev)
	return h
}

// What the keys of a failure begin with that are not those of the nonces that its
// challenge gave.
const (
	failedKey  = iota + 1 // the nonce that it was on
	openINVITE            // the From tag and CSeq of an INVITE whose challenge may be late
)

// file makes h found by key.
func (t *Tracker) file(h *hold, key uint64) {
	if of := t.auth.holds[key]; len(of) < maxHolds {
		h.keys[h.nkeys] = key
		h.nkeys++
		t.auth.holds[key] = append(of, h)
	}
}

const (
	holdSize = 2048
	maxHolds = 16 // failures that one try decides: requests under way when the nonce ran out
)

// follow puts h before the holds that the try with c decides. One with a CSeq too high
// is not the first: that one was missed, and may have got through.
func (t *Tracker) follow(h, holds *hold, c *creds) *hold {
	h.retried, h.next = true, holds
	if c.cid == h.creds.cid && c.cseq > h.creds.cseq+1 {
		h.ev.Incomplete |= event.NoRequest
	}
	t.wheel.clear(&h.timer)
	h.link.leave()
	return h
}

// tried adds to holds the failures that a request with these credentials will
// decide.
func (t *Tracker) tried(c *creds, cid uint64, holds *hold) *hold {
	if c.n == 0 || len(t.auth.holds) == 0 {
		return holds
	}
	for i := range c.list[:c.n] {
		cr := &c.list[i]
		for _, key := range [...]uint64{mix(cid, cr.nonce), mix(mix(c.aor, cr.realm), cr.nonce)} {
			for _, h := range t.auth.holds[key] {
				if !h.retried {
					holds = t.follow(h, holds, c)
				}
			}
		}
	}
	return holds
}

// decide ends the failures that waited for a try: said when it failed too, or
// was not answered; dropped when it got through.
func (t *Tracker) decide(holds *hold, failed bool, missing event.Incomplete) {
	for h := holds; h != nil; {
		next := h.next
		if failed || h.proved {
			t.release(h, true, missing)
		} else {
			t.pass(h)
		}
		h = next
	}
}

// pass keeps a failure whose try got through for as long as messages overtake others:
// the challenge that gave its nonce may be late.
func (t *Tracker) pass(h *hold) {
	if h.attempt != nil {
		h.attempt.hold, h.attempt = nil, nil
	}
	h.retried, h.passed, h.next = true, true, nil
	t.rank(&h.link, worthSpent)
	t.arm(&h.timer, t.now, t.cfg.Early)
}

// proveHeld follows a challenge that is seen late, after the failure on the nonce that
// it gave: the nonce was fresh.
func (t *Tracker) proveHeld(ch *challenges) {
	if len(t.auth.holds) == 0 {
		return
	}
	for i := range ch.list[:ch.n] {
		key := mix(failedKey, mix(ch.cid, ch.list[i].nonce))
		for {
			of := t.auth.holds[key]
			at := slices.IndexFunc(of, func(h *hold) bool { return !h.proved && h.ev.CSeq == ch.cseq+1 })
			if at < 0 {
				break
			}
			h := of[at]
			h.proved = true
			if h.passed || !h.retried {
				t.release(h, true, 0)
			}
		}
	}
}

func (t *Tracker) release(h *hold, say bool, missing event.Incomplete) {
	if say {
		e := t.send(event.AuthFailed, &h.ev)
		e.Incomplete |= missing
		if a := h.attempt; a != nil && a.state == challenged {
			t.stepAttempt(a, sawDenied)
		}
	} else if !h.open {
		t.stats.ExpiredNonces++
	}
	if h.attempt != nil {
		h.attempt.hold = nil
	}
	for _, key := range h.keys[:h.nkeys] {
		left := slices.DeleteFunc(t.auth.holds[key], func(x *hold) bool { return x == h })
		if len(left) == 0 {
			delete(t.auth.holds, key)
		} else {
			t.auth.holds[key] = left
		}
	}
	t.wheel.clear(&h.timer)
	h.link.leave()
	t.weigh(&h.extra, nil)
	t.dismiss(holdSize)
	h.attempt, h.next, h.timer.owner = nil, nil, nil
	h.ev.Trim(usualRecord)
	give(&t.pools.holds, h)
}

// heldTryPassed follows an answer above 100 that is no challenge, to a request that was
// not seen: it got through, and what was held for the same client before it was
// challenged for an old nonce only.
func (t *Tracker) heldTryPassed(v *view) {
	if len(t.auth.holds) == 0 || v.code <= 100 || v.challenge() {
		return
	}
	for {
		of := t.auth.holds[v.cid]
		i := slices.IndexFunc(of, func(h *hold) bool { return !h.retried && h.ev.CSeq < v.cseq && h.ev.HasAddr(h.ev.Legs, v.p.Src.Addr()) })
		if i < 0 {
			return
		}
		t.pass(of[i])
	}
}

// Nobody tries again who has not got the new challenge, and who has it does at once,
// but for a client that gives up: what decided was not seen.
// It may have got through while nobody looked: then nothing is said.
func (h *hold) expire(t *Tracker)        { t.release(h, !h.passed && !t.unheard(h.ev.Time), event.NoResponse) }
func (h *hold) evict(t *Tracker)         { t.release(h, !h.passed, 0) }
func (h *hold) flush(t *Tracker, _ bool) { t.wheel.clear(&h.timer); t.release(h, !h.passed, 0) }

// countsAsAuthFailed reports whether the configuration takes this final for a
// failed authentication (auth_failed_codes).
func (t *Tracker) countsAsAuthFailed(c *creds, method sip.Method, code uint16) bool {
	if c.n == 0 || len(t.cfg.AuthFailedCodes) == 0 {
		return false
	}
	for _, a := range t.cfg.AuthFailedCodes {
		if a.Code == int(code) && (a.All || a.Method == method) {
			return true
		}
	}
	return false
}
