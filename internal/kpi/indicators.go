package kpi

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// The windows that Indicators shows: the last that was closed, and what runs up to now.
var running = []struct {
	name  string
	span  time.Duration
	grain time.Duration
}{
	{"5m", 5 * time.Minute, time.Minute},
	{"1h", time.Hour, time.Minute},
	{"24h", day, time.Hour},
}

// Indicators gives those of everything, over every window, and then of each peer, over
// the last hour. q.State asks for one window of all, q.Source or q.Text for one peer,
// or those whose names contain it. What a peer has nothing of is left out.
func (c *Counter) Indicators(q view.Query) ([]view.IndicatorSet, error) {
	names := []string{c.cfg.windowName()}
	for _, w := range running {
		if w.name != names[0] {
			names = append(names, w.name)
		}
	}
	if q.State != "" && !slices.Contains(names, q.State) {
		return nil, fmt.Errorf("window: %q is not allowed; allowed: %s", q.State, strings.Join(names, ", "))
	}
	var sets []view.IndicatorSet
	c.mu.Lock()
	wanted := []*peer{&c.total}
	wanted = append(wanted, c.peers.all()...)
	c.mu.Unlock()
	for i, p := range wanted {
		if q.Source != "" && p.name != q.Source || q.Text != "" && !strings.Contains(strings.ToLower(p.name), strings.ToLower(q.Text)) {
			continue
		}
		for _, name := range names {
			if q.State == name || q.State == "" && (i == 0 || q.Source != "" || name == "1h") {
				c.mu.Lock() // anew for each: the lanes go on in between
				set, ok := c.read(p, name)
				c.mu.Unlock()
				if ok {
					sets = append(sets, set)
				}
			}
		}
	}
	return sets, nil
}

// windowName is the window of the records as a user would write it.
func (c *Config) windowName() string { return spanName(c.Window) }

// spanName writes whole seconds without the zeros of 15m0s.
func spanName(d time.Duration) string {
	switch {
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return fmt.Sprintf("%ds", d/time.Second)
}

// read makes the indicators of one window. The caller holds the lock.
func (c *Counter) read(p *peer, name string) (set view.IndicatorSet, ok bool) {
	p.flush()
	now := c.clock
	if name == c.cfg.windowName() {
		if p.lastFrom == 0 {
			return set, false
		}
		set = c.set(p, &p.last, p.lastFrom, p.lastTo)
	}
	for _, w := range running {
		if w.name != name || name == c.cfg.windowName() { // which has been read
			continue
		}
		ring, grain := p.minutes[:], int64(w.grain)
		if w.grain == time.Hour {
			ring = p.hours[:]
		}
		from := now - now%grain - int64(w.span)
		set = c.set(p, since(ring, grain, from, now), from, now)
	}
	set.Window = name
	return set, len(set.Indicators) > 0 || p == &c.total
}

// set makes the indicators of a tally.
func (c *Counter) set(p *peer, t *tally, from, to int64) view.IndicatorSet {
	set := view.IndicatorSet{
		Peer: p.name, Window: c.cfg.windowName(),
		From: time.Unix(0, from).UTC(), To: time.Unix(0, to).UTC(),
	}
	r := &reading{t, c.slots, float64(to-from) / 1e9}
	whole := p == &c.total
	for i := range Table {
		row := &Table[i]
		if row.all && !whole {
			continue
		}
		out := view.Indicator{Name: row.Name, Title: row.Title, Unit: row.Unit, Source: row.Source}
		value := row.read(r, &out)
		if !whole && out.Numerator == 0 && (out.Denominator == 0 || row.form == rate) {
			continue
		}
		if row.form == count || row.form == rate || out.Denominator >= float64(c.cfg.MinSamples) {
			out.Value = &value
		}
		set.Indicators = append(set.Indicators, out)
	}
	c.outcomes(r, &set)
	return set
}

// read fills in numerator and denominator and gives the value.
func (i *Indicator) read(r *reading, out *view.Indicator) (value float64) {
	if i.form == quantile && i.of == nil {
		h := &r.delays[i.hist]
		value, out.Numerator = h.quantile(i.part)
		out.Denominator = float64(h.n)
		return value
	}
	out.Numerator, out.Denominator = i.of(r)
	switch {
	case i.form == count || i.form == quantile:
		return out.Numerator
	case out.Denominator == 0:
		return 0
	case i.form == ratio:
		return 100 * out.Numerator / out.Denominator
	}
	return out.Numerator / out.Denominator
}

// outcomes adds how attempts ended, by code, and the Q.850 causes that were told: what
// there was of it.
func (c *Counter) outcomes(r *reading, set *view.IndicatorSet) {
	add := func(name, title string, n uint32, of float64) {
		if n == 0 {
			return
		}
		out := view.Indicator{Name: name, Title: title, Unit: "%", Numerator: float64(n), Denominator: of, Source: "counted"}
		if of >= float64(c.cfg.MinSamples) {
			value := 100 * out.Numerator / of
			out.Value = &value
		}
		set.Indicators = append(set.Indicators, out)
	}
	all := r.get(attempts)
	add("code_2xx", "Attempts answered", r.codes[answeredSlot], all)
	add("code_none", "Attempts that timed out", r.codes[timeoutSlot], all)
	for slot := restSlot; int(slot) < c.slots.n; slot++ {
		code := fmt.Sprint(c.slots.code[slot])
		if len(code) == 1 {
			code += "xx_other"
		}
		add("code_"+code, "Attempts ended with "+strings.ReplaceAll(code, "_other", ", another"), r.codes[slot], all)
	}
	told := 0.0
	for _, n := range r.causes {
		told += float64(n)
	}
	for cause, n := range r.causes {
		add(fmt.Sprint("q850_", cause), fmt.Sprint("Q.850 cause ", cause), n, told)
	}
}
