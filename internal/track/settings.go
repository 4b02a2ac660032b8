package track

import "time"

// SetConfig takes other settings up while calls go on: all but ContactIgnorePort and
// Headers, in which entries are. What waits for a timer waits as long as it would had it
// begun with the new ones; what was remembered for Completed goes by the old one. A
// bound that is lower now is reached over the next messages.
//
// give is called after every sliceEntries entries: while it runs others may use the
// tracker, and when it returns the caller has it again.
func (t *Tracker) SetConfig(cfg Config, give func()) {
	c := change{t: t, before: t.cfg, mark: t.wheel.seq, give: give}
	cfg.ContactIgnorePort, cfg.Headers = t.cfg.ContactIgnorePort, t.cfg.Headers
	t.cfg, t.correlators = cfg, newWanted(cfg.CorrelationHeaders)
	if c.ofCalls() {
		for cid, s := range t.calls.sets {
			if t.calls.sets[cid] == s {
				c.set(cid, s)
			}
		}
	}
	if c.ofBindings() {
		for key, a := range t.regs.aors {
			if t.regs.aors[key] == a {
				c.bindings(a)
			}
		}
	}
}

// change is one walk over what waits.
type change struct {
	t      *Tracker
	before Config
	mark   uint32 // timers that were set later have the new spans
	n      int    // entries since the last give
	give   func()
}

// ofCalls tells whether a span of something under a Call-ID has changed.
func (c *change) ofCalls() bool {
	a, b := &c.before, &c.t.cfg
	return a.Invite != b.Invite || a.Proceeding != b.Proceeding || a.Request != b.Request || a.Bye != b.Bye || a.Established != b.Established ||
		a.AuthLinger != b.AuthLinger || a.RetryLinger != b.RetryLinger || a.Early != b.Early || a.Alive != b.Alive
}

func (c *change) ofBindings() bool {
	return c.before.RegExpDelta != c.t.cfg.RegExpDelta || c.before.RegDelDelay != c.t.cfg.RegDelDelay
}

// set reaches everything under a Call-ID.
func (c *change) set(cid uint64, s *callSet) {
	_ = reach(c, cid, s, func(s *callSet) *bag[*attempt] { return &s.attempts }, c.attempt) &&
		reach(c, cid, s, func(s *callSet) *bag[*dialog] { return &s.dialogs }, c.dialog) &&
		reach(c, cid, s, func(s *callSet) *bag[*request] { return &s.requests }, c.request) &&
		reach(c, cid, s, func(s *callSet) *bag[*subscription] { return s.subs }, func(s *subscription) {
			c.shift(&s.timer, c.before.Request, c.t.cfg.Request)
		})
}

// reach reports whether the Call-ID is still there. It goes backwards: what goes
// meanwhile hides nothing, and what is met twice has the new span already.
func reach[T keyed](c *change, cid uint64, s *callSet, of func(*callSet) *bag[T], do func(T)) bool {
	b := of(s)
	if b == nil {
		return true
	}
	for i := len(b.items) - 1; i >= 0; i-- {
		do(b.items[i])
		if !c.rest() {
			continue
		}
		if c.t.calls.sets[cid] != s {
			return false
		}
		if b = of(s); b == nil {
			return true
		}
		i = min(i, len(b.items))
	}
	return true
}

// rest lets others use the tracker after some entries, and tells whether it did.
func (c *change) rest() bool {
	if c.n++; c.n < sliceEntries {
		return false
	}
	c.n = 0
	c.give()
	return true
}

// shift moves a deadline by what its span has changed.
func (c *change) shift(tm *timer, before, now time.Duration) {
	if tm.isSet() && before != now && int32(tm.seq-c.mark) <= 0 {
		c.t.wheel.set(tm, max(tm.at+int64(now-before), c.t.now))
	}
}

// longer sets a timer that fires anew, and reports it, where its span was made longer
// before the walk came by.
func (t *Tracker) longer(tm *timer, at int64) bool {
	if at <= t.now || t.ending || t.evicting || tm.isSet() {
		return false
	}
	t.wheel.set(tm, at)
	return true
}

func (c *change) attempt(a *attempt) {
	was, is := &c.before, &c.t.cfg
	switch a.state {
	case calling, cancelling:
		c.shift(&a.timer, was.Invite, is.Invite)
	case challenged, denied:
		if a.hold != nil {
			c.shift(&a.timer, was.RetryLinger, is.RetryLinger)
			return
		}
		c.shift(&a.timer, was.AuthLinger, is.AuthLinger)
	case retrying:
		c.shift(&a.timer, was.RetryLinger, is.RetryLinger)
	case heard:
		c.shift(&a.timer, was.Early, is.Early)
	default:
		c.shift(&a.timer, was.Proceeding, is.Proceeding)
	}
}

func (c *change) dialog(d *dialog) {
	was, is, t := &c.before, &c.t.cfg, c.t
	switch d.state {
	case awaited:
		c.shift(&d.timer, was.Early, is.Early)
	case confirmed, assumed:
		if was.Established != is.Established || was.Alive != is.Alive {
			t.skipTurns(d, t.now)
			t.wheel.set(&d.timer, max(t.due(d)+d.late, t.now))
		}
	case leavingCall:
		c.shift(&d.timer, was.RetryLinger, is.RetryLinger)
	case ending, endingOld, stray:
		c.shift(&d.timer, was.Bye, is.Bye)
	}
}

func (c *change) request(r *request) {
	was, is := &c.before, &c.t.cfg
	switch r.state {
	case unasked:
		c.shift(&r.timer, was.Early, is.Early)
	case trying, pending:
		c.shift(&r.timer, was.Request, is.Request)
	}
}

// bindings reaches those of an AOR, of which there are few.
func (c *change) bindings(a *aor) {
	t := c.t
	for _, b := range a.bindings {
		switch {
		case !b.timer.isSet() || int32(b.timer.seq-c.mark) > 0:
		case b.state == parting:
			c.shift(&b.timer, c.before.RegDelDelay, t.cfg.RegDelDelay)
		case c.before.RegExpDelta != t.cfg.RegExpDelta:
			t.wheel.set(&b.timer, max(b.until+b.late+int64(b.grace(t)), t.now))
		}
		c.n++
	}
	c.rest()
}
