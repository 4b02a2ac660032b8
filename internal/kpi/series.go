package kpi

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// steps is a span of time cut into equal steps, in nanoseconds, aligned to the clock.
type steps struct {
	from, to, step int64
	n              int
}

// cut reads what is asked for. Without an end it is now, without a start an hour
// before. What is not kept any more is left out.
func (c *Counter) cut(from, to time.Time, step time.Duration) (s steps, err error) {
	if step == 0 {
		step = time.Minute
	}
	if step < time.Minute || step > day || step%time.Minute != 0 {
		return s, fmt.Errorf("step: %v is not allowed; allowed: whole minutes from 1m to 24h", step)
	}
	now := c.Now()
	if now.UnixNano() == 0 { // nothing was seen yet
		return steps{step: int64(step)}, nil
	}
	if to.IsZero() {
		to = now
	}
	if from.IsZero() {
		from = to.Add(-time.Hour)
	}
	if !from.Before(to) {
		return s, fmt.Errorf("from: %s is not before to: %s; allowed: an earlier time", from.UTC().Format(time.RFC3339), to.UTC().Format(time.RFC3339))
	}
	oldest, newest := now.Add(-kept), now.Add(ahead)
	if from.After(newest) || to.Before(oldest) {
		return s, fmt.Errorf("from, to: nothing is kept of that time; allowed: from %s to %s",
			oldest.Format(time.RFC3339), now.Format(time.RFC3339))
	}
	if from.Before(oldest) {
		from = oldest
	}
	if to.After(newest) {
		to = newest
	}
	s.step = int64(step)
	s.from = from.UnixNano() - from.UnixNano()%s.step
	s.n = int((to.UnixNano() - s.from + s.step - 1) / s.step)
	s.to = s.from + int64(s.n)*s.step
	return s, nil
}

// within calls do for each minute of an hour that belongs to a step.
func (s *steps) within(hour int64, do func(minute, step int)) {
	for m := range perHour {
		if at := hour*int64(time.Hour) + m*minute; at >= s.from && at < s.to {
			do(int(m), int((at-s.from)/s.step))
		}
	}
}

// each calls do for each hour that is kept, with the lock held for one at a time.
func (c *Counter) each(s *steps, do func(b *block)) {
	for i := range c.days.ring {
		c.mu.Lock()
		b := c.days.ring[i]
		if b != nil && (b.hour+1)*int64(time.Hour) > s.from && b.hour*int64(time.Hour) < s.to {
			do(b)
		}
		c.mu.Unlock()
	}
}

// Methods counts messages by kind over steps of time.
func (c *Counter) Methods(q view.MethodQuery) (view.MethodSeries, error) {
	s, err := c.cut(q.From, q.To, q.Step)
	if err != nil {
		return view.MethodSeries{}, err
	}
	want, err := newFilter(&q)
	if err != nil {
		return view.MethodSeries{}, err
	}
	counts := map[kind][]uint64{}
	c.each(&s, func(b *block) {
		for i, k := range b.kinds {
			if !want.takes(k.parts()) {
				continue
			}
			row := counts[k]
			if row == nil && len(counts) >= maxRows { // hours may have different odd codes each
				k = k.class()
				row = counts[k]
			}
			if row == nil {
				row = make([]uint64, s.n)
				counts[k] = row
			}
			s.within(b.hour, func(minute, step int) { row[step] += uint64(b.rows[i][minute]) })
		}
	})
	out := view.MethodSeries{From: time.Unix(0, s.from).UTC(), To: time.Unix(0, s.to).UTC(), Step: spanName(time.Duration(s.step)), Rows: []view.MethodCount{}}
	for k, row := range counts {
		line := k.line()
		if line.Counts, line.Total = row, sum(row); line.Total > 0 {
			out.Rows = append(out.Rows, line)
			out.Total += line.Total
		}
	}
	slices.SortFunc(out.Rows, func(a, b view.MethodCount) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(a.Method, b.Method), cmp.Compare(a.CSeq, b.CSeq),
			cmp.Compare(a.Auth, b.Auth), cmp.Compare(a.ToTag, b.ToTag))
	})
	return out, nil
}

// EventsOver counts events by type over steps of time; every type that had any has a
// row, in the order of the types.
func (c *Counter) EventsOver(from, to time.Time, step time.Duration) (view.EventSeries, error) {
	s, err := c.cut(from, to, step)
	if err != nil {
		return view.EventSeries{}, err
	}
	var counts [event.NumTypes][]uint64
	for t := range counts {
		counts[t] = make([]uint64, s.n)
	}
	c.each(&s, func(b *block) {
		for t := range counts {
			s.within(b.hour, func(minute, step int) { counts[t][step] += uint64(b.events[t][minute]) })
		}
	})
	out := view.EventSeries{From: time.Unix(0, s.from).UTC(), To: time.Unix(0, s.to).UTC(), Step: spanName(time.Duration(s.step)), Rows: []view.EventCount{}}
	for t := range counts {
		if n := sum(counts[t]); n > 0 {
			out.Rows = append(out.Rows, view.EventCount{Type: event.Type(t).String(), Counts: counts[t], Total: n})
			out.Total += n
		}
	}
	return out, nil
}

func sum(row []uint64) (n uint64) {
	for _, c := range row {
		n += c
	}
	return n
}

// filter is what a query asks for.
type filter struct {
	any       bool // every method and code
	request   bool
	method    sip.Method
	low, high int // codes
	cseq      sip.Method
	anyCSeq   bool
	auth, tag int // -1 is any
}

const methodWords = "INVITE, ACK, BYE, CANCEL, OPTIONS, REGISTER, PRACK, SUBSCRIBE, NOTIFY, PUBLISH, INFO, REFER, MESSAGE, UPDATE, other"

func newFilter(q *view.MethodQuery) (f filter, err error) {
	f = filter{any: q.Method == "", anyCSeq: q.CSeq == "", auth: flag(q.Auth), tag: flag(q.ToTag)}
	if !f.anyCSeq {
		if f.cseq, err = methodOf(q.CSeq); err != nil {
			return f, fmt.Errorf("cseq: %q is not allowed; allowed: %s", q.CSeq, methodWords)
		}
	}
	if f.any {
		return f, nil
	}
	word := strings.ToLower(q.Method)
	if n, bad := strconv.Atoi(strings.TrimSuffix(word, "xx")); bad == nil {
		class := strings.HasSuffix(word, "xx")
		switch {
		case class && n >= 1 && n <= 6:
			f.low, f.high = 100*n, 100*n+99
			return f, nil
		case !class && n >= 100 && n <= 699:
			f.low, f.high = n, n
			return f, nil
		}
	}
	f.request = true
	if f.method, err = methodOf(q.Method); err != nil {
		return f, fmt.Errorf("method: %q is not allowed; allowed: %s, a code from 100 to 699, 1xx to 6xx", q.Method, methodWords)
	}
	return f, nil
}

func flag(b *bool) int {
	switch {
	case b == nil:
		return -1
	case *b:
		return 1
	}
	return 0
}

func methodOf(word string) (sip.Method, error) {
	if strings.EqualFold(word, sip.MethodOther.String()) {
		return sip.MethodOther, nil
	}
	m := sip.ParseMethod([]byte(strings.ToUpper(word)))
	if m == sip.MethodOther {
		return m, errors.New("no method")
	}
	return m, nil
}

// takes reports whether a kind is asked for. An answer has no credentials. A rest of a
// class is found by its class alone.
func (f *filter) takes(p parts) bool {
	if f.tag >= 0 && p.tag != f.tag || f.auth >= 0 && p.auth != f.auth || !f.anyCSeq && p.method != f.cseq {
		return false
	}
	switch {
	case f.any:
		return true
	case f.request:
		return p.code == 0 && p.method == f.method
	case p.class:
		return p.code == f.low && f.high > f.low
	}
	return p.code >= f.low && p.code <= f.high
}

// line names a kind: that of an answer by its code, of a rest by its class.
func (k kind) line() view.MethodCount {
	p := k.parts()
	out := view.MethodCount{Method: p.method.String(), CSeq: p.method.String(), Auth: p.auth, ToTag: p.tag}
	switch {
	case p.class:
		out.Method = fmt.Sprintf("%dxx", p.code/100)
	case p.code > 0:
		out.Method = strconv.Itoa(p.code)
	}
	return out
}
