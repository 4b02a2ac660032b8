package track

import (
	"bytes"
	"slices"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// The binding machine: an AOR's contact from the 2xx that confirms it to its end
// (RFC 3261 §10).
//
// A registrar's 2xx lists every binding of the AOR, with the rest of its life; the
// REGISTER names those it sets or removes. Both are looked at, contact by contact.
// What was bound before we began shows only in such lists: a contact that nobody
// was seen to register is new to us and labelled. A binding dies at its deadline
// and a grace, for phones that refresh late.
const (
	unbound  state = iota // not known
	bound                 // within its lifetime, or in the grace after it
	parting               // removed, and reg_del_delay is not over
	released              // over
)

const (
	sawGranted symbol = iota // a 2xx gives it a lifetime
	sawRemoved               // expires=0, Expires: 0 or Contact: *
	sawOmitted               // the 2xx to a REGISTER that names it lists others only
	sawParted                // removed, and reg_del_delay is set
	sawLapsed                // its lifetime and the grace are over
)

var bindingMachine = machine{
	id:      bindingID,
	name:    "binding",
	states:  []string{"unbound", "bound", "parting", "released"},
	symbols: []string{"granted", "removed", "omitted", "parted", "lapsed"},
	cells:   bindingTable,
}

var bindingTable = table{
	unbound: {
		sawGranted: {bound, event.RegNew, seen},     // §10.3 step 7
		sawRemoved: {released, event.RegDel, guess}, // of an AOR never seen
	},
	bound: {
		sawGranted: {bound, event.None, seen},          // §10.2.4: a refresh
		sawRemoved: {released, event.RegDel, seen},     // §10.2.2
		sawOmitted: {released, event.RegDel, seen},     // §10.3 step 8: not in the list, not bound
		sawParted:  {parting, event.None, seen},        // §10.2.2
		sawLapsed:  {released, event.RegExpired, seen}, // §10.3
	},
	parting: {
		sawGranted: {bound, event.None, seen}, // back before anybody noticed
		sawRemoved: {parting, event.None, ignore},
		sawOmitted: {parting, event.None, ignore},
		sawParted:  {parting, event.None, ignore},
		sawLapsed:  {released, event.RegDel, seen},
	},
}

// registrar is what we know of all registrars.
type registrar struct {
	aors      map[uint64]*aor
	agents    map[string]*agent
	bindings  int
	refreshed int // of worthRefreshed among them
	bytes     int64
}

func (r *registrar) init() { r.aors, r.agents = make(map[uint64]*aor), make(map[string]*agent) }

// aor is an address of record that a 2xx to REGISTER was seen for.
type aor struct {
	key      uint64
	text     []byte
	bindings []*binding
	few      [1]*binding // what bindings begins with
	idle     *idle       // while there are none
}

// idle is how long an AOR without bindings is known.
type idle struct {
	timer timer
	link  link
	aor   *aor
}

// binding is one contact of an AOR. There are many, and they live long: what is seldom
// asked for is kept as bytes.
type binding struct {
	timer timer
	link  link
	spot  spot
	aor   *aor

	key, alias uint64                // of the contact, and of what the registrar made of it
	text       []byte                // its pieces, one behind the other
	ends       [numPieces - 1]uint16 // of all but the last
	state      state
	transport  event.Transport
	injected   bool // something of it was put in by hand
	incomplete event.Incomplete
	unsure     event.Incomplete // of its end: what was not seen of a REGISTER since the last 2xx
	granted    uint32           // s
	agent      *agent           // nil without one

	first, until    int64 // first 2xx; end of the lifetime
	late            int64 // how far the packets' times are behind the clock
	removed         int64 // the 2xx of a removal that waits
	anomalies       event.Anomalies
	cseq, refreshes uint32
}

// What entries take, with their share of the tables, in bytes.
const (
	aorSize     = 130 // and its text
	idleSize    = 96
	bindingSize = 220            // and its text
	agentSize   = 96             // and its text
	maxBindings = 1000           // of one AOR
	aorMemory   = 24 * time.Hour // how long an AOR without bindings is known
)

// The pieces of binding.text: texts, and the addresses of the REGISTER.
const (
	pieceURI = iota
	pieceCallID
	pieceUser
	pieceSrc
	pieceDst
	numPieces
)

// agent is a User-Agent, kept once for all bindings that have it.
type agent struct {
	text string
	uses int
}

func (b *binding) piece(i int) []byte {
	from, to := 0, len(b.text)
	if i > 0 {
		from = int(b.ends[i-1])
	}
	if i < len(b.ends) {
		to = int(b.ends[i])
	}
	return b.text[from:to]
}

// fillRegister keeps the contacts of a REGISTER.
func (t *Tracker) fillRegister(e *event.Event) {
	t.fillList(e, &e.Contacts, sip.HeaderContact)
	if b := t.view.m.Value(sip.HeaderExpires); b != nil {
		if n, ok := sip.Seconds(b); ok {
			e.Expires, e.HasExpires = n, true
		}
	}
}

// keepContacts keeps those of its 2xx.
func (t *Tracker) keepContacts(r *request, v *view) {
	t.fillList(r.rec, &r.granted, sip.HeaderContact)
	r.grantedCut = r.rec.Count(r.granted) >= event.MaxList
	r.grantedExpires = -1
	if b := v.m.Value(sip.HeaderExpires); b != nil {
		if n, ok := sip.Seconds(b); ok {
			r.grantedExpires = int64(n)
		}
	}
}

// bound follows the 2xx to a REGISTER that was seen.
func (t *Tracker) bound(r *request) {
	asked, star := t.readContacts(t.asked[:0], r.rec, r.rec.Contacts)
	granted, _ := t.readContacts(t.granted[:0], r.rec, r.granted)
	t.asked, t.granted = asked, granted
	a, known := t.aorOfRequest(r)
	if star {
		t.removeAll(r, a, known, granted)
	}
	for i := range asked {
		c := &asked[i]
		if r.wants(c) == 0 {
			t.removeContact(r, a, known, c, granted)
			continue
		}
		t.setContact(r, a, c, asked, granted)
	}
	for i := range granted {
		if !granted[i].used {
			t.listed(r, a, &granted[i], event.NoRegister)
		}
	}
	t.restAOR(a)
}

// boundUnasked follows a 2xx whose REGISTER was not seen.
func (t *Tracker) boundUnasked(r *request) {
	granted, _ := t.readContacts(t.granted[:0], r.rec, r.granted)
	t.granted = granted
	a, _ := t.aorOfRequest(r)
	for i := range a.bindings { // those listed are certain again
		a.bindings[i].unsure = event.NoRegister
	}
	for i := range granted {
		t.listed(r, a, &granted[i], event.NoRegister)
	}
	t.restAOR(a)
}

// wants is the lifetime that a REGISTER asks for a contact, in s; -1 where it
// leaves that open.
func (r *request) wants(c *contact) int64 {
	if c.expires >= 0 {
		return c.expires
	}
	if r.rec.HasExpires {
		return int64(r.rec.Expires)
	}
	return -1
}

// lifetime is what a contact got: by the parameter in the answer, the answer's
// Expires, the request's parameter, the request's Expires, or 3600 s (RFC 3261
// §10.2.4, §10.3; events.md, rule 9).
func (r *request) lifetime(asked, granted *contact) int64 {
	switch {
	case granted != nil && granted.expires >= 0:
		return granted.expires
	case r.grantedExpires >= 0:
		return r.grantedExpires
	case asked != nil && r.wants(asked) >= 0:
		return r.wants(asked)
	}
	return 3600
}

// removeAll follows `Contact: *`.
func (t *Tracker) removeAll(r *request, a *aor, known bool, granted []contact) {
	if !known {
		t.sayUnknownRemoval(r, a, nil)
		return
	}
	for i := len(a.bindings) - 1; i >= 0; i-- {
		b, kept := a.bindings[i], false
		for j := range granted {
			kept = kept || t.find(a, &granted[j]) == b
		}
		if !kept {
			t.remove(b, r)
		}
	}
}

// removeContact follows a contact with the lifetime 0.
func (t *Tracker) removeContact(r *request, a *aor, known bool, c *contact, granted []contact) {
	for i := range granted { // what is listed all the same is not new
		if granted[i].key == c.key {
			granted[i].used = true
		}
	}
	if b := t.find(a, c); b != nil {
		t.remove(b, r)
	} else if !known {
		t.sayUnknownRemoval(r, a, c)
	}
}

// setContact follows a contact that a REGISTER sets or refreshes.
func (t *Tracker) setContact(r *request, a *aor, c *contact, asked, granted []contact) {
	b := t.find(a, c)
	g := t.match(a, b, c, asked, granted)
	if g == nil && len(granted) > 0 && !r.grantedCut {
		if b != nil {
			t.stepBinding(b, sawOmitted, r)
		}
		return
	}
	if g != nil {
		g.used = true
	}
	s := r.lifetime(c, g)
	if s == 0 {
		if b != nil {
			t.remove(b, r)
		}
		return
	}
	var missing event.Incomplete
	if t.warmingUp(r.decided, s) {
		missing = event.NoHistory
	}
	b = t.grant(r, a, b, c, s, missing)
	if b == nil {
		return
	}
	if len(granted) == 0 {
		b.anomalies |= event.RegNoContact
	}
	if g != nil && g.key != c.key {
		b.alias = g.key
		b.anomalies |= event.ContactRewritten
	}
	t.sayBound(b, r)
}

// listed follows a contact that a 2xx lists and its REGISTER does not name.
func (t *Tracker) listed(r *request, a *aor, c *contact, missing event.Incomplete) {
	s := r.lifetime(nil, c)
	if b := t.find(a, c); b != nil {
		switch {
		case s == 0:
			t.remove(b, r)
		case c.expires >= 0 || r.grantedExpires >= 0:
			t.extend(b, r.decided, s)
		}
		return
	}
	if s == 0 {
		return
	}
	if b := t.grant(r, a, nil, c, s, missing); b != nil {
		t.sayBound(b, r)
	}
}

// warmingUp reports whether a binding of s seconds may have existed before we
// began.
func (t *Tracker) warmingUp(at, s int64) bool {
	w := t.cfg.Warmup
	if w == 0 {
		w = min(time.Duration(s)*time.Second, time.Hour)
	}
	return since(t.start, at) < int64(w) || t.grown(at, w)
}

// grant makes or refreshes a binding.
func (t *Tracker) grant(r *request, a *aor, b *binding, c *contact, s int64, missing event.Incomplete) *binding {
	if b == nil {
		if b = t.newBinding(a, c, r, missing); b == nil {
			return nil
		}
		t.write(b, c.addr.URI().Bytes(), r)
	} else {
		if !bytes.Equal(b.piece(pieceCallID), r.rec.Bytes(r.rec.CallID)) {
			b.anomalies |= event.CallIDChanged
		}
		t.write(b, nil, r)
		if b.refreshes++; b.refreshes == 1 {
			t.regs.refreshed++
			t.rank(&b.link, b.worth())
		}
		if r.decided > b.until && !t.unheard(b.refreshed()) {
			b.anomalies |= event.LateRefresh
		}
	}
	b.anomalies |= r.rec.Anomalies
	t.extend(b, r.decided, s)
	return b
}

// extend gives a binding s seconds from at.
func (t *Tracker) extend(b *binding, at, s int64) {
	b.unsure = 0
	b.granted = uint32(min(s, 1<<32-1))
	b.until, b.late = at+int64(b.lifetime()), t.behind(at)
	if b.state != parting {
		t.arm(&b.timer, b.until+b.late, b.grace(t))
	}
}

func (b *binding) lifetime() time.Duration { return time.Duration(b.granted) * time.Second }

// refreshed is when the binding last got its lifetime.
func (b *binding) refreshed() int64 { return b.until - int64(b.lifetime()) }

// grace is reg_exp_delta, never more than half of the lifetime.
func (b *binding) grace(t *Tracker) time.Duration {
	return min(t.cfg.RegExpDelta, b.lifetime()/2)
}

// write keeps what an event of the binding will need. Without a URI the one that
// was registered first stays.
func (t *Tracker) write(b *binding, uri []byte, r *request) {
	e, before := r.rec, cap(b.text)
	if uri == nil {
		b.text = b.text[:b.ends[pieceURI]]
	} else {
		const ends = 2 * (4 + 2) // addresses and ports
		b.text = slices.Grow(b.text[:0], len(cut(uri))+e.CallID.Len()+e.AuthUser.Len()+ends)
		b.append(pieceURI, cut(uri))
	}
	b.append(pieceCallID, cut(e.Bytes(e.CallID)))
	b.append(pieceUser, cut(e.Bytes(e.AuthUser)))
	var room [64]byte
	src, _ := e.Src.AppendBinary(room[:0])
	b.append(pieceSrc, src)
	dst, _ := e.Dst.AppendBinary(room[:0])
	b.append(pieceDst, dst)
	t.regs.bytes += int64(cap(b.text) - before)
	b.agent = t.agentOf(b.agent, cut(e.Bytes(e.UserAgent)))
	b.cseq, b.transport, b.injected = e.CSeq, e.Transport, b.injected || e.Injected || t.injecting
}

// append copies a piece to the end of the text.
func (b *binding) append(piece int, text []byte) {
	if b.text = append(b.text, text...); piece < len(b.ends) {
		b.ends[piece] = uint16(len(b.text))
	}
}

func cut(b []byte) []byte { return b[:min(len(b), event.MaxText)] }

// remove takes a binding away, at once or after reg_del_delay.
func (t *Tracker) remove(b *binding, r *request) {
	if t.cfg.RegDelDelay > 0 {
		b.removed = r.decided
		t.write(b, nil, r)
		t.stepBinding(b, sawParted, r)
		return
	}
	t.stepBinding(b, sawRemoved, r)
}

// sayBound steps a binding that a 2xx confirmed.
func (t *Tracker) sayBound(b *binding, r *request) { t.stepBinding(b, sawGranted, r) }

// stepBinding moves the binding and says what the table says. r is the REGISTER
// behind it; nil for a timer.
func (t *Tracker) stepBinding(b *binding, y symbol, r *request) {
	c := t.step(&bindingMachine, b.state, y)
	if c.emit != event.None {
		t.sayBinding(b, c.emit, r)
	}
	old := b.state
	b.state = c.next
	switch {
	case c.next == released:
		t.freeBinding(b)
	case c.next == parting && old != parting:
		t.arm(&b.timer, b.removed, t.cfg.RegDelDelay)
	case old == parting && c.next == bound:
		t.arm(&b.timer, b.until+b.late, b.grace(t))
	}
}
