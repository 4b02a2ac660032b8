package track

import (
	"bytes"
	"net/netip"
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
	aors     map[uint64]*aor
	bindings int
	bytes    int64
}

func (r *registrar) init() { r.aors = make(map[uint64]*aor) }

// aor is an address of record that a 2xx to REGISTER was seen for.
type aor struct {
	timer    timer
	link     link
	key      uint64
	text     []byte
	bindings []*binding
}

// binding is one contact of an AOR.
type binding struct {
	timer timer
	link  link
	aor   *aor
	state state
	size  int64 // bytes that are counted for it

	key, alias uint64 // of the contact, and of what the registrar made of it
	text       []byte // contact URI, Call-ID, User-Agent, digest user, one behind the other
	ends       [4]uint16
	cseq       uint32
	refreshes  uint32
	src, dst   netip.AddrPort
	transport  event.Transport

	first, until int64 // first 2xx; end of the lifetime
	late         int64 // how far the packets' times are behind the clock
	granted      int64 // ns
	removed      int64 // the 2xx of a removal that waits
	incomplete   event.Incomplete
	anomalies    event.Anomalies
}

const (
	aorSize     = 250
	bindingSize = 300            // without its texts
	maxBindings = 1000           // of one AOR
	aorMemory   = 24 * time.Hour // how long an AOR without bindings is known
)

// The pieces of binding.text.
const (
	pieceURI = iota
	pieceCallID
	pieceAgent
	pieceUser
)

func (b *binding) piece(i int) []byte {
	from := uint16(0)
	if i > 0 {
		from = b.ends[i-1]
	}
	return b.text[from:b.ends[i]]
}

// contact is one contact of a REGISTER or of its 2xx.
type contact struct {
	addr    sip.Addr
	key     uint64
	expires int64 // s; -1 where none is written
	used    bool
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

// readContacts parses a list kept in e.
func (t *Tracker) readContacts(dst []contact, e *event.Event, l event.List) (contacts []contact, star bool) {
	for b, ok := e.Next(&l); ok; b, ok = e.Next(&l) {
		dst = grow(dst)
		c := &dst[len(dst)-1]
		if !c.addr.Parse(b) {
			e.Anomalies |= event.ContactBroken
			dst = dst[:len(dst)-1]
			continue
		}
		if c.addr.Star() {
			star = true
			dst = dst[:len(dst)-1]
			continue
		}
		c.key, c.expires, c.used = t.contactKey(c.addr.URI()), -1, false
		if x, ok := c.addr.Param("expires"); ok {
			if n, ok := sip.Seconds(x); ok {
				c.expires = int64(n)
			}
		}
	}
	return dst, star
}

func grow(s []contact) []contact {
	if len(s) < cap(s) {
		return s[:len(s)+1]
	}
	return append(s, contact{})
}

// contactKey indexes a contact by scheme, user, host and port.
func (t *Tracker) contactKey(u *sip.URI) uint64 {
	b := appendLower(t.scratch[:0], u.Scheme())
	b = sip.AppendUnescaped(append(b, ':'), u.User())
	b = appendLower(append(b, '@'), u.Host())
	if port, ok := u.Port(); ok && !t.cfg.ContactIgnorePort {
		b = append(b, ':', byte(port>>8), byte(port))
	}
	t.scratch = b
	return t.hash(b)
}

// find looks a contact up among the AOR's bindings (RFC 3261 §19.1.4), by what was
// registered or by what the registrar made of it.
func (t *Tracker) find(a *aor, c *contact) *binding {
	for _, b := range a.bindings {
		if b.key == c.key && (t.cfg.ContactIgnorePort || t.sameURI(b.piece(pieceURI), c.addr.URI())) {
			return b
		}
	}
	for _, b := range a.bindings {
		if b.alias == c.key && b.alias != 0 {
			return b
		}
	}
	return nil
}

func (t *Tracker) sameURI(kept []byte, u *sip.URI) bool {
	if bytes.Equal(kept, u.Bytes()) {
		return true
	}
	return t.uri.Parse(kept) && t.uri.Equal(u)
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
		t.setContact(r, a, known, c, asked, granted)
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
func (t *Tracker) setContact(r *request, a *aor, known bool, c *contact, asked, granted []contact) {
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

// match finds a requested contact in the answer: as it is, or as the registrar
// rewrote it (events.md, rule 8).
func (t *Tracker) match(a *aor, b *binding, c *contact, asked, granted []contact) *contact {
	for i := range granted {
		if g := &granted[i]; !g.used && g.key == c.key && (t.cfg.ContactIgnorePort || g.addr.URI().Equal(c.addr.URI())) {
			return g
		}
	}
	if b != nil && b.alias != 0 { // as it rewrote it before
		for i := range granted {
			if g := &granted[i]; !g.used && g.key == b.alias {
				return g
			}
		}
	}
	for i := range granted {
		g := &granted[i]
		if g.used || !sameUser(g.addr.URI(), c.addr.URI()) {
			continue
		}
		if other := t.find(a, g); other != nil && other != b {
			continue
		}
		if t.names(g, c) || len(asked) == 1 && len(granted) == 1 {
			return g
		}
	}
	return nil
}

func sameUser(a, b *sip.URI) bool {
	return bytes.EqualFold(a.Scheme(), b.Scheme()) && bytes.Equal(a.User(), b.User())
}

// names reports whether a parameter in the answer, received or x-something, names
// the contact that was asked for.
func (t *Tracker) names(g, c *contact) bool {
	for _, params := range [...]sip.Params{g.addr.Params(), g.addr.URI().Params()} {
		for name, value, ok := params.Next(); ok; name, value, ok = params.Next() {
			switch {
			case len(name) >= 2 && (name[0]|0x20) == 'x' && name[1] == '-':
			case len(name) >= 8 && bytes.EqualFold(name[:8], []byte("received")):
			default:
				continue
			}
			host := c.addr.URI().Host()
			if namesHost(value, host) {
				return true
			}
		}
	}
	return false
}

// namesHost reports whether host stands in value, and not as a part of a longer one.
func namesHost(value, host []byte) bool {
	if len(host) == 0 {
		return false
	}
	for at := 0; ; {
		i := bytes.Index(value[at:], host)
		if i < 0 {
			return false
		}
		at += i
		end := at + len(host)
		if (at == 0 || !ofHost(value[at-1])) && (end == len(value) || !ofHost(value[end])) {
			return true
		}
		at++
	}
}

func ofHost(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c == '.' || c == '-'
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
	return since(t.start, at) < int64(w)
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
		b.refreshes++
		if r.decided > b.until {
			b.anomalies |= event.LateRefresh
		}
	}
	b.anomalies |= r.rec.Anomalies
	t.extend(b, r.decided, s)
	return b
}

// extend gives a binding s seconds from at.
func (t *Tracker) extend(b *binding, at, s int64) {
	s = min(s, 1<<32)
	b.granted = s * int64(time.Second)
	b.until, b.late = at+b.granted, t.behind(at)
	if b.state != parting {
		t.arm(&b.timer, b.until+b.late, b.grace(t))
	}
}

// grace is reg_exp_delta, never more than half of the lifetime.
func (b *binding) grace(t *Tracker) time.Duration {
	return min(t.cfg.RegExpDelta, time.Duration(b.granted/2))
}

// write keeps what an event of the binding will need. Without a URI the one that
// was registered first stays.
func (t *Tracker) write(b *binding, uri []byte, r *request) {
	if uri != nil {
		b.text = append(b.text[:0], cut(uri)...)
		b.ends[pieceURI] = uint16(len(b.text))
	}
	b.text = b.text[:b.ends[pieceURI]]
	for i, piece := range [...]event.Text{r.rec.CallID, r.rec.UserAgent, r.rec.AuthUser} {
		b.text = append(b.text, cut(r.rec.Bytes(piece))...)
		b.ends[i+1] = uint16(len(b.text))
	}
	t.weighBinding(b)
	b.cseq, b.src, b.dst, b.transport = r.rec.CSeq, r.rec.Src, r.rec.Dst, r.rec.Transport
}

// weighBinding counts a binding's memory: a sender chooses how long its texts are.
func (t *Tracker) weighBinding(b *binding) {
	n := bindingSize + int64(cap(b.text))
	t.regs.bytes += n - b.size
	b.size = n
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

func (b *binding) expire(t *Tracker) {
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
	e.Anomalies |= b.anomalies
	e.Expires, e.HasExpires = uint32(min(b.granted/int64(time.Second), 1<<32-1)), true
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
			e.Outcome, e.End = event.Unknown, min(b.until, e.Time)
		}
		e.Lifetime, e.LifetimeMin = since(b.first, e.End), b.incomplete != 0
		e.NumContacts = uint16(len(b.aor.bindings) - 1)
		if b.incomplete&event.NoRegister == 0 {
			e.Incomplete &^= event.NoHistory
		}
	}
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
	e.Src, e.Dst, e.Transport = b.src, b.dst, b.transport
	e.AddLeg(b.src.Addr())
	e.AddLeg(b.dst.Addr())
	e.SetString(&e.Method, "REGISTER")
	e.SetString(&e.CSeqMethod, "REGISTER")
	e.CSeq, e.HasCSeq = b.cseq, true
	e.Set(&e.CallID, b.piece(pieceCallID))
	e.Set(&e.UserAgent, b.piece(pieceAgent))
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
	t.uri.Parse(r.rec.Bytes(r.rec.To.URI.All))
	text := t.aorOf(&t.uri)
	key := t.hash(text)
	if a := t.regs.aors[key]; a != nil {
		return a, true
	}
	a = &aor{key: key, text: append([]byte(nil), text...)}
	a.timer.owner, a.link.owner = a, a
	t.regs.aors[key] = a
	t.regs.bytes += aorSize + int64(len(a.text))
	t.rank(&a.link, worthForgiven)
	return a, false
}

// restAOR sets how long an AOR without bindings is known.
func (t *Tracker) restAOR(a *aor) {
	if len(a.bindings) > 0 {
		t.wheel.clear(&a.timer)
		a.link.leave()
		return
	}
	t.arm(&a.timer, t.now, aorMemory)
	t.rank(&a.link, worthForgiven)
}

func (a *aor) expire(t *Tracker) {
	t.wheel.clear(&a.timer)
	a.link.leave()
	delete(t.regs.aors, a.key)
	t.regs.bytes -= aorSize + int64(len(a.text))
}

func (a *aor) flush(*Tracker, bool) {}
func (a *aor) evict(t *Tracker)     { a.expire(t) }

func (t *Tracker) newBinding(a *aor, c *contact, r *request, missing event.Incomplete) *binding {
	if len(a.bindings) >= maxBindings {
		t.stats.ContactsCut++
		return nil
	}
	b := &binding{aor: a, key: c.key, first: r.decided, incomplete: missing}
	b.timer.owner, b.link.owner = b, b
	a.bindings = append(a.bindings, b)
	t.regs.bindings++
	t.weighBinding(b)
	t.rank(&b.link, worthBinding)
	return b
}

func (t *Tracker) freeBinding(b *binding) {
	t.wheel.clear(&b.timer)
	b.link.leave()
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
	t.regs.bytes -= b.size
}
