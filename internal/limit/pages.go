package limit

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// piece is how many entries are copied while the lock is held: some microseconds.
const piece = 256

// place is where an entry stands in a list: that with the greater class first, then that
// with the greater score, then that with the lesser number. A cursor is the place of the
// last entry of a page. Entries move while a list is read, so one may be on two pages or
// on none.
type place struct {
	class  int
	score  uint64
	number int
}

func (p place) compare(o place) int {
	return cmp.Or(cmp.Compare(o.class, p.class), cmp.Compare(o.score, p.score), cmp.Compare(p.number, o.number))
}

func (p place) String() string { return fmt.Sprintf("%d.%d.%d", p.class, p.score, p.number) }

var errCursor = errors.New(`cursor: not one that a page gave; allowed: the "next" of the page before, or none`)

// parsePlace reads a cursor.
func parsePlace(text string) (p place, err error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return p, errCursor
	}
	var wrong [3]error
	p.class, wrong[0] = strconv.Atoi(parts[0])
	p.score, wrong[1] = strconv.ParseUint(parts[1], 10, 64)
	p.number, wrong[2] = strconv.Atoi(parts[2])
	if errors.Join(wrong[:]...) != nil {
		return p, errCursor
	}
	return p, nil
}

// best keeps the first entries of a list behind a place, however they come.
type best[T any] struct {
	after *place
	most  int
	found []found[T]
	worst *place // of those that are kept, once there are enough
	more  bool   // there are others behind
}

type found[T any] struct {
	place
	item *T
}

// newBest reads what a query says of the page.
func newBest[T any](q *view.Query) (*best[T], error) {
	b := &best[T]{most: q.Limit}
	if b.most <= 0 {
		b.most = view.DefaultLimit
	}
	b.most = min(b.most, view.MaxLimit)
	if q.All {
		b.most = math.MaxInt32 // more than any list has
		return b, nil
	}
	if q.Cursor != "" {
		p, err := parsePlace(q.Cursor)
		if err != nil {
			return nil, err
		}
		b.after = &p
	}
	return b, nil
}

// add takes an entry, which it copies.
func (b *best[T]) add(p place, item *T) {
	switch {
	case b.after != nil && p.compare(*b.after) <= 0:
		return
	case b.worst != nil && p.compare(*b.worst) > 0:
		b.more = true
		return
	}
	kept := *item
	b.found = append(b.found, found[T]{p, &kept})
	if len(b.found) > 2*b.most+piece {
		b.cut()
	}
}

// cut leaves the first ones.
func (b *best[T]) cut() {
	slices.SortFunc(b.found, func(x, y found[T]) int { return x.compare(y.place) })
	if len(b.found) > b.most {
		clear(b.found[b.most:])
		b.found, b.more = b.found[:b.most], true
		b.worst = &place{}
		*b.worst = b.found[b.most-1].place
	}
}

// page gives the entries in order, and the cursor of the next page.
func (b *best[T]) page() (all []found[T], next string) {
	if b.cut(); b.more {
		next = b.found[len(b.found)-1].String()
	}
	return b.found, next
}

// within reads the address or network of a query; everything is in none.
func within(q *view.Query) (p netip.Prefix, all bool, err error) {
	if q.Source == "" {
		return p, true, nil
	}
	p, err = netip.ParsePrefix(q.Source)
	if a, wrong := netip.ParseAddr(q.Source); wrong == nil {
		a = a.Unmap().WithZone("")
		p, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	if err != nil {
		return p, false, fmt.Errorf("source: %q is not allowed; allowed: an address, or a network such as 192.0.2.0/24", q.Source)
	}
	return p.Masked(), false, nil
}

// filter is what of a list is asked for.
type filter struct {
	text, state string // in lower case; "" is everything
	source      netip.Prefix
	anywhere    bool // whatever the source
}

// newFilter reads a query. The error names what is wrong in it, and what is allowed.
func newFilter(q *view.Query, states ...string) (f filter, err error) {
	if q.State != "" && !slices.Contains(states, q.State) {
		return f, fmt.Errorf("state: %q is not allowed; allowed: %s, or none", q.State, strings.Join(states, ", "))
	}
	f.text, f.state = strings.ToLower(q.Text), q.State
	f.source, f.anywhere, err = within(q)
	return f, err
}

// some tells whether it leaves anything out.
func (f *filter) some() bool { return f.text != "" || f.state != "" || !f.anywhere }

func (f *filter) from(source netip.Prefix) bool { return f.anywhere || f.source.Overlaps(source) }

// contains tells whether a text has what is asked for in it, without regard to case.
func (f *filter) contains(text string) bool {
	return f.text == "" || strings.Contains(strings.ToLower(text), f.text)
}

// States of rates in a query.
const stateOver = "over"

// Rates lists keys, those over their limits first and of them those of which most was
// held since; then those that have come nearest to a limit. It copies some at a time, so
// that events do not wait for it.
func (l *Limiter) Rates(q view.Query) (view.RatePage, error) {
	var page view.RatePage
	only, err := newFilter(&q, stateOver)
	if err != nil {
		return page, err
	}
	list, err := newBest[rate](&q)
	if err != nil {
		return page, err
	}
	room := make([]rate, 0, piece)
	var windows []Window
	scanned := 0
	for from := 0; ; from += piece {
		l.mu.Lock()
		if from == 0 {
			page.Total, windows = len(l.table.keys), l.windows
			page.Limits, page.ReportMin, page.ReportMax = slices.Clone(l.rates.Limits), l.rates.ReportMin, l.rates.ReportMax
			for _, d := range l.rates.Intervals {
				page.Intervals = append(page.Intervals, DurationText(d))
			}
		}
		slots := l.table.slots
		room = room[:0]
		for _, r := range slots[min(from, len(slots)):min(from+piece, len(slots))] {
			if r == nil {
				continue
			}
			scanned++
			if (only.state == "" || r.over) && only.from(r.key.source) {
				room = append(room, *r)
			}
		}
		epoch, now := l.table.epoch, l.now.Load()
		l.mu.Unlock()
		for i := range room {
			r := &room[i]
			if r.epoch != epoch {
				r.win, r.epoch = [MaxWindows]bucket{}, epoch
			}
			if only.contains(r.key.typ.String() + ":" + show(r.key.source)) {
				list.add(r.place(windows, now), r)
			}
		}
		if from+piece >= len(slots) {
			break
		}
	}
	if only.some() {
		page.Scanned = scanned
	}
	now := l.now.Load()
	items, next := list.page()
	page.Next, page.Rates = next, make([]view.Rate, 0, len(items))
	for _, f := range items {
		page.Rates = append(page.Rates, f.item.view(windows, now))
	}
	return page, nil
}

// place orders keys.
func (r *rate) place(windows []Window, now int64) place {
	if r.over {
		return place{1, r.total, int(r.slot)}
	}
	var part float64
	for i := range windows {
		if w := &windows[i]; w.Limit > 0 {
			part = max(part, r.win[i].at(now, w.Interval)/w.Limit)
		}
	}
	return place{0, uint64(part * 1e6), int(r.slot)}
}

func (r *rate) view(windows []Window, now int64) view.Rate {
	v := view.Rate{
		Type: r.key.typ.String(), Source: show(r.key.source), Over: r.over,
		Suppressed: r.total, Held: r.held, Seen: r.seen, Last: time.Unix(0, r.last).UTC(),
		Windows: make([]view.RateWindow, len(windows)),
	}
	if r.over {
		v.Since = stamp(r.since)
	}
	for i := range windows {
		w := &windows[i]
		v.Windows[i] = view.RateWindow{Interval: w.Name, Rate: r.win[i].at(max(now, r.last), w.Interval), Limit: w.Limit}
	}
	return v
}

func stamp(ns int64) *time.Time {
	if ns == 0 {
		return nil
	}
	t := time.Unix(0, ns).UTC()
	return &t
}

// SetLimits changes the limits; what is not given stays.
func (l *Limiter) SetLimits(v view.Limits, who string) error {
	l.changing.Lock() // two who change something else do not undo each other's
	defer l.changing.Unlock()
	l.mu.Lock()
	before, now := l.rates.clone(), l.rates.clone()
	l.mu.Unlock()
	if v.Limits != nil {
		now.Limits = slices.Clone(v.Limits)
	}
	if v.Intervals != nil {
		now.Intervals = nil
		for _, text := range v.Intervals {
			d, err := time.ParseDuration(text)
			if err != nil {
				return fmt.Errorf("intervals: %q is not allowed; allowed: %s", text, AllowedIntervals)
			}
			now.Intervals = append(now.Intervals, d)
		}
	}
	if v.ReportMin != nil {
		now.ReportMin = *v.ReportMin
	}
	if v.ReportMax != nil {
		now.ReportMax = *v.ReportMax
	}
	if err := now.Validate(); err != nil {
		return err
	}
	if now.equal(&before) {
		return nil
	}
	l.mu.Lock()
	l.apply(now)
	l.mu.Unlock()
	l.say(fmt.Sprintf("evr_limits: %s; was: %s; changed by %s", &now, &before, who))
	return nil
}

// ForgetRate forgets a key: its events are counted from none. What is held is told.
func (l *Limiter) ForgetRate(typ, source, who string) error {
	t, err := parseType(typ)
	if err != nil {
		return err
	}
	p, err := parseSource(source)
	if err != nil {
		return err
	}
	if p.IsSingleIP() {
		p = keyed(p.Addr())
	}
	l.mu.Lock()
	r := l.table.keys[key{p, t}]
	if r != nil {
		l.drop(r, event.RateForgotten, l.now.Load())
		l.wake()
	}
	l.mu.Unlock()
	if r == nil {
		return fmt.Errorf("source: a rate of %s from %s is %w; allowed: a type and a source of the list of rates", typ, source, view.ErrMissing)
	}
	l.say(fmt.Sprintf("rates: %s:%s was forgotten by %s", typ, l.name(p), who))
	return nil
}

// Offenders lists the source blacklist, those with the last event first.
func (l *Limiter) Offenders(q view.Query) (view.OffenderPage, error) {
	var page view.OffenderPage
	only, err := newFilter(&q, byRate.String(), byDetection.String(), byHand.String())
	if err != nil {
		return page, err
	}
	list, err := newBest[offender](&q)
	if err != nil {
		return page, err
	}
	room := make([]offender, 0, piece)
	l.mu.Lock()
	order := slices.Clone(l.offenders.order) // one that goes would move another
	l.mu.Unlock()
	page.Total = len(order)
	for some := range slices.Chunk(order, piece) {
		room = room[:0]
		l.mu.Lock()
		for _, o := range some {
			if !o.gone && (only.state == "" || o.origin.String() == only.state) && only.from(o.source) {
				room = append(room, *o)
			}
		}
		l.mu.Unlock()
		for i := range room {
			o := &room[i]
			if only.contains(show(o.source) + " " + o.reason + " " + strings.Join(o.agents, " ")) {
				list.add(place{0, uint64(o.last), o.index}, o)
			}
		}
	}
	if only.some() {
		page.Scanned = page.Total
	}
	items, next := list.page()
	page.Next, page.Offenders = next, make([]view.Offender, 0, len(items))
	for _, f := range items {
		page.Offenders = append(page.Offenders, f.item.view())
	}
	return page, nil
}

func (o *offender) view() view.Offender {
	return view.Offender{
		Source: show(o.source), Origin: o.origin.String(), Reason: o.reason, Hits: o.hits, Held: o.held,
		First: time.Unix(0, o.first).UTC(), Last: time.Unix(0, o.last).UTC(), Expires: stamp(o.expires), UserAgents: o.agentsOf(),
	}
}
