package limit

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// origin is who put a source on the list.
type origin uint8

const (
	byRate origin = iota
	byDetection
	byHand
	numOrigins
)

func (o origin) String() string { return [...]string{"rate", "detection", "hand"}[o] }

// Bounds of what is kept of a source.
const (
	maxAgents = 4
	maxAgent  = 128 // bytes
	maxReason = 256 // bytes
)

// quiet is how long a source whose events are held sends none before the rest is told.
const quiet = int64(10 * time.Minute)

// offender is an entry of the source blacklist.
type offender struct {
	source netip.Prefix
	origin origin
	reason string
	agents []string

	hits, held  uint64
	first, last int64
	expires     int64         // 0 is never
	lasts       time.Duration // after now, by hand; after the last hit, of others

	gone       bool // it is no longer on the list
	index      int  // in order
	prev, next *offender
	due        due

	// Of what holds all events of the source.
	addr       netip.Addr
	since      int64
	n          uint64
	suppressed uint64
	total      uint64
}

// offenders is the list. Those that nobody put there by hand are in a ring, the longest
// without a hit first, and go first when there are too many.
type offenders struct {
	all     map[netip.Prefix]*offender
	order   []*offender
	ring    offender
	holding nets[*offender] // by hand or by detections
	undated bool            // some came before any packet
	evicted uint64
	refused uint64 // there was no room
}

func (s *offenders) init() {
	s.all = make(map[netip.Prefix]*offender)
	s.ring.prev, s.ring.next = &s.ring, &s.ring
}

// list puts a source on the list that is not on it; nil when those put there by hand
// leave no room.
func (l *Limiter) list(source netip.Prefix, by origin, reason string, now int64) *offender {
	s := &l.offenders
	for len(s.order) >= l.cfg.MaxOffenders {
		oldest := s.ring.next
		if oldest == &s.ring {
			s.refused++
			return nil
		}
		l.strike(oldest, event.RateEvicted, now)
		s.evicted++
	}
	o := &offender{source: source, origin: by, reason: clip(reason, maxReason), first: now, last: now, index: len(s.order)}
	o.due.source, o.due.place = o, notDue
	s.all[source] = o
	s.order = append(s.order, o)
	l.link(o)
	return o
}

// link puts o where its origin belongs.
func (l *Limiter) link(o *offender) {
	s := &l.offenders
	if o.origin != byHand {
		o.prev, o.next = s.ring.prev, &s.ring
		s.ring.prev.next, s.ring.prev = o, o
	}
	if o.origin != byRate {
		s.holding.add(o.source, o)
	}
}

// unlink is the reverse.
func (l *Limiter) unlink(o *offender) {
	if o.prev != nil {
		o.prev.next, o.next.prev = o.next, o.prev
		o.prev, o.next = nil, nil
	}
	if o.origin != byRate {
		l.offenders.holding.remove(o.source)
	}
}

// strike takes a source off the list and tells what was held of it.
func (l *Limiter) strike(o *offender, why event.RateEnd, now int64) {
	l.calmSource(o, why, now)
	l.unlink(o)
	l.dues.remove(&o.due)
	s := &l.offenders
	delete(s.all, o.source)
	last := s.order[len(s.order)-1]
	s.order[o.index], last.index = last, o.index
	s.order[len(s.order)-1] = nil
	s.order = s.order[:len(s.order)-1]
	o.gone = true
}

// accuse lists the source of a key of which many events were held.
func (l *Limiter) accuse(r *rate, worst int, now int64) *offender {
	o := l.offenders.all[r.key.source]
	if o == nil {
		w := &l.windows[worst]
		reason := fmt.Sprintf("%s: %.0f in %s, limit %g", r.key.typ, r.win[worst].at(now, w.Interval), w.Name, w.Limit)
		if o = l.list(r.key.source, byRate, reason, now); o == nil {
			return nil
		}
		o.lasts = l.cfg.OffenderLife
		o.expires = now + int64(o.lasts)
		l.await(o)
	}
	o.hits += r.total - 1 // those before this one
	o.held += r.total - 1
	return o
}

// hit notes an event of a source on the list.
func (l *Limiter) hit(o *offender, e *event.Event, now int64) {
	o.hits++
	o.last = now
	if o.origin != byHand && o.lasts > 0 {
		o.expires = now + int64(o.lasts)
	}
	if o.prev != nil {
		o.prev.next, o.next.prev = o.next, o.prev
		o.prev, o.next = l.offenders.ring.prev, &l.offenders.ring
		o.prev.next, o.next.prev = o, o
	}
	agent := e.Bytes(e.UserAgent)
	if len(agent) == 0 || len(o.agents) >= maxAgents {
		return
	}
	agent = agent[:min(len(agent), maxAgent)]
	for _, have := range o.agents {
		if have == string(agent) {
			return
		}
	}
	o.agents = append(o.agents, string(agent))
}

// judgeSource is the fate of an event whose source is on the list.
func (l *Limiter) judgeSource(e *event.Event, o *offender, now int64) Fate {
	l.hit(o, e, now)
	o.addr = e.Src.Addr().Unmap().WithZone("")
	if o.n++; o.n == 1 {
		o.since = now
		l.await(o)
	}
	if l.reports(o.n) {
		o.fill(&e.Rate)
		o.suppressed = 0
		return Sent
	}
	o.suppressed++
	o.total++
	o.held++
	return HeldSource
}

func (o *offender) fill(to *event.Rate) {
	*to = event.Rate{By: event.BySource, Source: o.source, Exceeded: o.n, Suppressed: o.suppressed, Total: o.total, Since: o.since}
}

// calmSource tells what was held of a source and not told; what comes is counted anew.
func (l *Limiter) calmSource(o *offender, why event.RateEnd, now int64) {
	if o.total > 0 {
		t := tell{addr: o.addr, time: now}
		o.fill(&t.rate)
		t.rate.Ended = why
		l.tell(t)
	}
	o.n, o.suppressed, o.total, o.since = 0, 0, 0, 0
}

// await notes when there is something to do with a source.
func (l *Limiter) await(o *offender) {
	at := int64(never)
	if o.expires > 0 {
		at = o.expires
	}
	if o.n > 0 {
		at = min(at, o.last+quiet)
	}
	if at == never {
		l.dues.remove(&o.due)
		l.wake()
		return
	}
	o.due.at = at
	l.schedule(&o.due)
}

// lookSource does what is due with a source.
func (l *Limiter) lookSource(o *offender) {
	now := o.due.at
	if o.expires > 0 && o.expires <= now {
		l.strike(o, event.RateExpired, now)
		return
	}
	if o.n > 0 && o.last+quiet <= now {
		l.calmSource(o, event.Calm, now)
	}
	l.await(o)
}

// date gives those a time that came before any packet.
func (l *Limiter) date(now int64) {
	if !l.offenders.undated || now == 0 {
		return
	}
	l.offenders.undated = false
	for _, o := range l.offenders.order {
		if o.first > 0 {
			continue
		}
		o.first, o.last = now, now
		if o.lasts > 0 {
			o.expires = now + int64(o.lasts)
		}
		l.await(o)
	}
}

// Blame puts a source on the list for what a detection found; its events are held. It
// stays until lasts after its last event; 0 is for ever. What is on the list by hand
// stays as it is. An address on the allow list is not blamed.
func (l *Limiter) Blame(source netip.Addr, reason string, lasts time.Duration) bool {
	source = source.Unmap().WithZone("")
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.allow.find(source); ok || !source.IsValid() {
		return false
	}
	return l.put(keyed(source), byDetection, reason, lasts)
}

// put lists a source, or changes what is there unless somebody put it there by hand.
func (l *Limiter) put(source netip.Prefix, by origin, reason string, lasts time.Duration) bool {
	now := l.now.Load()
	o := l.offenders.all[source]
	switch {
	case o == nil:
		if o = l.list(source, by, reason, now); o == nil {
			return false
		}
	case o.origin == byHand && by != byHand:
		return true
	default:
		l.unlink(o)
		o.origin, o.reason = by, clip(reason, maxReason)
		l.link(o)
	}
	o.lasts, o.expires = lasts, 0
	switch {
	case now == 0:
		l.offenders.undated = true
	case lasts > 0:
		o.expires = now + int64(lasts)
	}
	l.await(o)
	return true
}

// Lengths of networks that may be listed by hand: a shorter one would be a mistake.
const (
	leastBits4 = 8
	leastBits6 = 16
)

// allowedSource is what Offend and Forgive take.
const allowedSource = "an address, or a network of /8 to /32, of IPv6 of /16 to /128"

// parseSource reads an address or a network.
func parseSource(text string) (netip.Prefix, error) {
	bad := fmt.Errorf("source: %q is not allowed; allowed: %s", text, allowedSource)
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil || p.Addr().Is4In6() {
		return p, bad
	}
	least := leastBits6
	if p.Addr().Is4() {
		least = leastBits4
	}
	if p.Bits() < least {
		return p, bad
	}
	return p.Masked(), nil
}

// Offend puts a source on the list by hand: its events are held. lasts 0 is until
// somebody forgives it.
func (l *Limiter) Offend(source, reason string, lasts time.Duration, who string) error {
	p, err := parseSource(source)
	if err != nil {
		return err
	}
	if lasts < 0 || lasts > maxLife {
		return fmt.Errorf("lasts: %v is not allowed; allowed: 0 (until it is forgiven) to %v", lasts, maxLife)
	}
	if reason = clip(reason, maxReason); reason == "" {
		reason = "by hand"
	}
	l.mu.Lock()
	if l.allow.covers(p) {
		l.mu.Unlock()
		return fmt.Errorf("source: %s is on the list of those who are never held back (evr_allow)", source)
	}
	ok, most := l.put(p, byHand, reason, lasts), l.cfg.MaxOffenders
	l.mu.Unlock()
	if !ok {
		return fmt.Errorf("source: there are %d sources on the list, as many as it takes, all put there by hand; forgive some", most)
	}
	until := "until it is forgiven"
	if lasts > 0 {
		until = "for " + lasts.String()
	}
	l.say(fmt.Sprintf("source blacklist: %s was put on it by %s, %s: %q", l.name(p), who, until, reason))
	return nil
}

// Forgive takes a source off the list.
func (l *Limiter) Forgive(source, who string) error {
	p, err := parseSource(source)
	if err != nil {
		return err
	}
	l.mu.Lock()
	o := l.offenders.all[p]
	if o == nil && p.Addr().Is6() && p.IsSingleIP() { // by its /64, as rates list it
		o = l.offenders.all[keyed(p.Addr())]
	}
	if o != nil {
		p = o.source
		l.strike(o, event.RateForgotten, l.now.Load())
		l.wake()
	}
	l.mu.Unlock()
	if o == nil {
		return fmt.Errorf("source: %s is %w; allowed: one that is on the list", source, view.ErrMissing)
	}
	l.say(fmt.Sprintf("source blacklist: %s was taken off it by %s", l.name(p), who))
	return nil
}

// pardon takes those off the list who are never held back: it is given to firewalls. It
// gives a line for the log, "" where there is nothing to say.
func (l *Limiter) pardon() string {
	n, order := 0, l.offenders.order
	for i := len(order) - 1; i >= 0; i-- { // from the end: the last one takes the place of one that goes
		if o := order[i]; l.allow.covers(o.source) {
			l.strike(o, event.RateForgotten, l.now.Load())
			n++
		}
	}
	if n == 0 {
		return ""
	}
	l.wake()
	return fmt.Sprintf("source blacklist: %s taken off it, which evr_allow has", plural(n, "source"))
}

func show(p netip.Prefix) string { return string(event.AppendSource(nil, p)) }

// clip cuts a text to so many bytes, of which none is broken.
func clip(s string, most int) string {
	if len(s) > most {
		s = s[:most]
	}
	return strings.ToValidUTF8(s, "")
}

// agentsOf are the user agents of a source as a page may show them.
func (o *offender) agentsOf() []string {
	all := slices.Clone(o.agents)
	for i := range all {
		all[i] = strings.ToValidUTF8(all[i], "\uFFFD")
	}
	return all
}
