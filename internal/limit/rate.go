package limit

import (
	"net/netip"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// near is the part of a limit from which on a record says how near it is.
const near = 0.8

// judgeRate counts e for its key and says whether it leaves.
func (l *Limiter) judgeRate(e *event.Event, src netip.Addr, now int64) Fate {
	k := key{keyed(src), e.Type}
	r := l.table.keys[k]
	if r == nil {
		r = l.enter(k, now)
	}
	r.addr, r.last = src, now
	r.seen++
	if r.epoch != l.table.epoch {
		r.win, r.epoch = [MaxWindows]bucket{}, l.table.epoch
	}
	for i := range l.windows {
		r.win[i].add(now, l.windows[i].Interval)
	}
	worst, ratio := l.worst(r, now)
	l.table.use(r, ratio)
	switch {
	case ratio > 1:
		return l.over(e, r, worst, now)
	case r.over:
		l.leave(e, r, worst, now)
	case ratio >= near:
		l.fill(&e.Rate, r, worst, now)
	}
	return Sent
}

// over is the fate of an event over the limit.
func (l *Limiter) over(e *event.Event, r *rate, worst int, now int64) Fate {
	if !r.over {
		r.over, r.since = true, now
		r.exceeded, r.suppressed, r.total = 0, 0, 0
		r.lastOver = now
		l.table.over++
		r.due.at = l.calm(r)
		l.schedule(&r.due)
	}
	r.lastOver = now
	r.exceeded++
	if l.reports(r.exceeded) {
		l.leave(e, r, worst, now)
		return Sent
	}
	r.suppressed++
	r.total++
	r.held++
	switch {
	case r.total == l.rates.ReportMin:
		r.offender = l.accuse(r, worst, now)
	case r.offender != nil && r.offender.gone:
		r.offender = nil
	}
	if r.offender != nil {
		l.hit(r.offender, e, now)
		r.offender.held++
	}
	return HeldRate
}

// reports tells whether the n-th event over a limit leaves.
func (l *Limiter) reports(n uint64) bool {
	least, most := l.rates.ReportMin, l.rates.ReportMax
	switch {
	case n == 1:
		return true
	case most > 0 && n >= most:
		return n%most == 0
	case least == 0 || n%least != 0:
		return false
	}
	times := n / least
	return times&(times-1) == 0
}

// leave says of a record that leaves what was held before it.
func (l *Limiter) leave(e *event.Event, r *rate, worst int, now int64) {
	l.fill(&e.Rate, r, worst, now)
	r.suppressed = 0
}

// fill writes what there is to say of a key.
func (l *Limiter) fill(to *event.Rate, r *rate, worst int, now int64) {
	*to = event.Rate{By: event.ByRate, Type: r.key.typ, Source: r.key.source}
	if r.over {
		to.Exceeded, to.Suppressed, to.Total, to.Since = r.exceeded, r.suppressed, r.total, r.since
	}
	if worst >= 0 {
		w := &l.windows[worst]
		to.Current, to.Limit, to.Period, to.Nanos = r.win[worst].at(now, w.Interval), w.Limit, w.Name, w.Interval
	}
}

// worst is the window in which a key is furthest over its limit, or nearest to it, and
// the part of the limit that it has come to; -1 where nothing has a limit.
func (l *Limiter) worst(r *rate, now int64) (window int, ratio float64) {
	window = -1
	if r.epoch != l.table.epoch {
		return window, 0
	}
	for i := range l.windows {
		w := &l.windows[i]
		if w.Limit == 0 {
			continue
		}
		if part := r.win[i].at(now, w.Interval) / w.Limit; part > ratio || window < 0 {
			window, ratio = i, part
		}
	}
	return window, ratio
}

// calm is when a key will have calmed down if nothing of it comes any more.
func (l *Limiter) calm(r *rate) int64 {
	t := r.lastOver + l.shortest
	if r.epoch != l.table.epoch {
		return t
	}
	for i := range l.windows {
		if w := &l.windows[i]; w.Limit > 0 {
			t = max(t, r.win[i].under(r.last, w.Interval, w.Limit))
		}
	}
	return t
}

// end ends a spell over the limit, and tells what was held in it.
func (l *Limiter) end(r *rate, why event.RateEnd, now int64) {
	if !r.over {
		return
	}
	l.dues.remove(&r.due)
	l.table.over--
	if r.total > 0 {
		var t tell
		worst, _ := l.worst(r, now)
		l.fill(&t.rate, r, worst, now)
		t.rate.Ended, t.addr, t.time = why, r.addr, now
		l.tell(t)
	}
	r.over, r.offender, r.suppressed, r.total, r.exceeded, r.since = false, nil, 0, 0, 0, 0
}
