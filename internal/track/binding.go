package track

import (
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// The entries of the registration machine: bindings and the AORs that they hang on,
// how they end, and what their records say.

func (b *binding) expire(t *Tracker) {
	if b.state == bound && !t.evicting && !t.ending {
		over := b.until + b.late + int64(b.grace(t))
		if at := t.prolong(b.refreshed(), over, min(b.lifetime(), time.Hour)+b.grace(t)); at > t.now {
			t.wheel.set(&b.timer, at)
			return
		}
	}
	a := b.aor
	t.stepBinding(b, sawLapsed, nil)
	t.restAOR(a)
}

func (b *binding) flush(t *Tracker, all bool) {
	if b.state == parting || b.until+b.late <= t.now || all {
		t.wheel.clear(&b.timer)
		b.expire(t)
	}
}

func (b *binding) evict(t *Tracker) { t.wheel.clear(&b.timer); b.expire(t) }

// sayBinding makes reg-new, reg-del or reg-expired.
func (t *Tracker) sayBinding(b *binding, typ event.Type, r *request) {
	var e *event.Event
	if r != nil {
		e = t.send(typ, r.rec)
		e.Time, e.Start, e.End = r.decided, r.first, r.decided
		if !r.asked {
			e.Start, e.End = 0, 0
		} else {
			e.Delay = since(r.first, r.decided)
		}
	} else {
		e = t.send(typ, nil)
		t.fillBinding(e, b)
		e.Time = b.until + int64(b.grace(t))
		if typ == event.RegDel {
			e.Time = b.removed
		}
		if t.ending || t.evicting {
			e.Time = min(e.Time, t.now)
		}
	}
	t.fillRegistration(e, b.aor, b.piece(pieceURI))
	e.Incomplete |= b.incomplete
	e.Injected = e.Injected || b.injected
	e.Anomalies |= b.anomalies
	e.Expires, e.HasExpires = b.granted, true
	e.Refreshes = b.refreshes
	switch typ {
	case event.RegNew:
		e.Outcome = event.Success
		e.NewLocation = len(b.aor.bindings) > 1
		e.NumContacts = uint16(len(b.aor.bindings))
	default:
		e.Outcome = event.Success
		e.Start, e.End = b.first, e.Time
		if typ == event.RegExpired {
			e.Incomplete |= b.unsure
			e.Outcome, e.End = event.Unknown, min(b.until, e.Time)
		}
		e.Lifetime, e.LifetimeMin = since(b.first, e.End), b.incomplete != 0
		e.NumContacts = uint16(len(b.aor.bindings) - 1)
		if b.incomplete&event.NoRegister == 0 {
			e.Incomplete &^= event.NoHistory
		}
		if r == nil && t.unheard(b.refreshed()) {
			e.Incomplete |= event.NoHistory
		}
	}
	inOrder(e)
	t.identify(e, b.aor.text, e.Bytes(e.Contact.URI.All), e.Bytes(e.CallID), number(e.CSeq))
}

// sayUnknownRemoval makes the reg-del of an AOR never seen. c is nil for `*`.
func (t *Tracker) sayUnknownRemoval(r *request, a *aor, c *contact) {
	step := t.step(&bindingMachine, unbound, sawRemoved)
	e := t.send(step.emit, r.rec)
	e.Time, e.Start, e.End, e.Outcome = r.decided, 0, 0, event.Success
	e.Incomplete |= event.NoRegister
	uri := []byte("*")
	if c != nil {
		uri = c.addr.URI().Bytes()
	}
	t.fillRegistration(e, a, uri)
	e.Expires, e.HasExpires = 0, false
	inOrder(e)
	t.identify(e, a.text, uri, e.Bytes(e.CallID), number(e.CSeq))
}

// fillRegistration sets AOR and contact.
func (t *Tracker) fillRegistration(e *event.Event, a *aor, uri []byte) {
	e.Contacts.Clear()
	e.Add(&e.Contacts, uri)
	e.Contact = event.Party{}
	if t.uri.Parse(uri) {
		setURI(e, &e.Contact.URI, &t.uri)
	}
	if t.uri.Parse(a.text) {
		setURI(e, &e.AOR, &t.uri)
	}
}

// fillBinding makes the record of a binding without a message.
func (t *Tracker) fillBinding(e *event.Event, b *binding) {
	_ = e.Src.UnmarshalBinary(b.piece(pieceSrc)) // write made it
	_ = e.Dst.UnmarshalBinary(b.piece(pieceDst))
	e.Transport = b.transport
	e.AddLeg(e.Src.Addr())
	e.AddLeg(e.Dst.Addr())
	e.SetString(&e.Method, "REGISTER")
	e.SetString(&e.CSeqMethod, "REGISTER")
	e.CSeq, e.HasCSeq = b.cseq, true
	e.Set(&e.CallID, b.piece(pieceCallID))
	if b.agent != nil {
		e.SetString(&e.UserAgent, b.agent.text)
	}
	e.Set(&e.AuthUser, b.piece(pieceUser))
	if t.uri.Parse(b.aor.text) {
		setURI(e, &e.To.URI, &t.uri)
		setURI(e, &e.From.URI, &t.uri)
	}
	e.Capture, e.Iface = t.capture, t.iface
}

// aorOfRequest finds or makes the AOR of a REGISTER; known is true when a 2xx was
// seen for it before.
func (t *Tracker) aorOfRequest(r *request) (a *aor, known bool) {
	a, key, text := t.findAOR(r)
	if a != nil {
		return a, true
	}
	a = take(&t.pools.aors)
	*a = aor{key: key, text: append(a.text[:0], text...)}
	t.regs.aors[key] = a
	t.regs.bytes += aorSize + int64(cap(a.text))
	t.restAOR(a)
	return a, false
}

// findAOR finds the AOR of a REGISTER; nil where none is known. text is valid until
// the scratch space is used again.
func (t *Tracker) findAOR(r *request) (a *aor, key uint64, text []byte) {
	t.uri.Parse(r.rec.Bytes(r.rec.To.URI.All))
	text = t.aorOf(&t.uri)
	key = t.hash(text)
	return t.regs.aors[key], key, text
}

// restAOR sets how long an AOR without bindings is known.
func (t *Tracker) restAOR(a *aor) {
	if len(a.bindings) > 0 {
		t.wakeAOR(a)
		return
	}
	if a.idle == nil {
		a.idle = take(&t.pools.idles)
		*a.idle = idle{aor: a}
		a.idle.timer.owner, a.idle.link.owner = a.idle, a.idle
		t.regs.bytes += idleSize
	}
	t.arm(&a.idle.timer, t.now, aorMemory)
	t.rank(&a.idle.link, worthForgiven)
}

// wakeAOR ends that, where it began.
func (t *Tracker) wakeAOR(a *aor) {
	if a.idle == nil {
		return
	}
	t.wheel.clear(&a.idle.timer)
	a.idle.link.leave()
	give(&t.pools.idles, a.idle)
	a.idle = nil
	t.regs.bytes -= idleSize
}

func (i *idle) expire(t *Tracker) {
	a := i.aor
	t.wakeAOR(a)
	delete(t.regs.aors, a.key)
	t.regs.bytes -= aorSize + int64(cap(a.text))
	if cap(a.text) <= usualAOR {
		give(&t.pools.aors, a)
	}
}

// usualAOR is how long the text of an AOR is, in bytes, that is worth keeping room for.
const usualAOR = 128

func (i *idle) flush(*Tracker, bool) {}
func (i *idle) evict(t *Tracker)     { i.expire(t) }

func (t *Tracker) newBinding(a *aor, c *contact, r *request, missing event.Incomplete) *binding {
	if len(a.bindings) >= maxBindings {
		t.stats.ContactsCut++
		return nil
	}
	b := take(&t.pools.bindings)
	*b = binding{aor: a, key: c.key, text: b.text[:0], first: r.decided, incomplete: missing}
	b.timer.owner, b.link.owner = b, b
	if a.bindings == nil {
		a.bindings = a.few[:0]
	}
	a.bindings = append(a.bindings, b)
	t.regs.bindings++
	t.regs.bytes += bindingSize + int64(cap(b.text))
	t.lists.bindings.add(&b.link, &b.spot)
	t.rank(&b.link, b.worth())
	return b
}

func (t *Tracker) freeBinding(b *binding) {
	t.wheel.clear(&b.timer)
	b.link.leave()
	t.lists.bindings.drop(&b.spot)
	a := b.aor
	for i := range a.bindings {
		if a.bindings[i] == b {
			last := len(a.bindings) - 1
			a.bindings[i], a.bindings[last] = a.bindings[last], nil
			a.bindings = a.bindings[:last]
			break
		}
	}
	t.regs.bindings--
	if b.refreshes > 0 {
		t.regs.refreshed--
	}
	t.regs.bytes -= bindingSize + int64(cap(b.text))
	b.agent = t.agentOf(b.agent, nil)
	if b.aor = nil; cap(b.text) <= usualBinding {
		give(&t.pools.bindings, b)
	}
}

// usualBinding is the same for a binding.
const usualBinding = 512

// agentOf takes text in the place of old, which is nil or what agentOf returned.
func (t *Tracker) agentOf(old *agent, text []byte) *agent {
	if old != nil {
		if old.text == string(text) {
			return old
		}
		if old.uses--; old.uses == 0 {
			delete(t.regs.agents, old.text)
			t.regs.bytes -= agentSize + int64(len(old.text))
		}
	}
	if len(text) == 0 {
		return nil
	}
	a := t.regs.agents[string(text)]
	if a == nil {
		a = &agent{text: string(text)}
		t.regs.agents[a.text] = a
		t.regs.bytes += agentSize + int64(len(text))
	}
	a.uses++
	return a
}
