package web

import (
	"cmp"
	"slices"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// card is a figure of the overview with the page that has more.
type card struct {
	Name, Link, Value, Unit, Note string
	Kind                          string // good, warn, bad, or "" where there is nothing to judge
}

// typeRow is an event type on the overview.
type typeRow struct {
	view.TypeSwitch
	Minute    float64 // events a minute, over the last five
	Hour, Day uint64
	Held      uint64
}

// mostLosses of the overview: the greatest. The others are among the counters.
const mostLosses = 15

func overview(a asked, answer any) any {
	o := answer.(view.Overview)
	now := a.now
	day := a.over(now, 24*time.Hour, 15*time.Minute)
	hour := lines(o.Hour)
	losses := slices.SortedStableFunc(slices.Values(o.Losses), func(a, b view.Counter) int { return cmp.Compare(b.N, a.N) })
	losses, left := part(losses, mostLosses)
	return struct {
		view.Overview
		Cards  []card
		Charts []series
		Rows   []typeRow
		Losses []view.Counter
		Left   int
	}{o, cards(o), []series{
		plot("hour", "Last hour, events a minute", o.Hour.From, time.Minute, lines(o.Hour)),
		plot("day", "Last day, events in 15 minutes", day.From, 15*time.Minute, lines(day)),
	}, typeRows(o.Types, hour, lines(day)), losses, left}
}

// over asks for the events of a time until now.
func (a asked) over(now time.Time, of, step time.Duration) view.EventSeries {
	to := now.Truncate(step).Add(step)
	e, err := a.program.EventsOver(to.Add(-of), to, step)
	if err != nil {
		return view.EventSeries{From: to.Add(-of)} // an empty chart says so
	}
	return e
}

func lines(e view.EventSeries) []line {
	all := make([]line, len(e.Rows))
	for i, row := range e.Rows {
		all[i] = line{name: row.Type, counts: row.Counts}
	}
	return all
}

func typeRows(types []view.TypeSwitch, hour, day []line) []typeRow {
	rows := make([]typeRow, len(types))
	at := map[string]*typeRow{}
	for i, t := range types {
		rows[i] = typeRow{TypeSwitch: t, Held: t.HeldType + t.HeldRate + t.HeldSource}
		at[t.Type] = &rows[i]
	}
	for _, l := range hour {
		r := at[l.name]
		if r == nil {
			continue
		}
		last := l.counts[max(0, len(l.counts)-5):]
		for _, n := range last {
			r.Minute += float64(n) / float64(len(last))
		}
		for _, n := range l.counts {
			r.Hour += n
		}
	}
	for _, l := range day {
		if r := at[l.name]; r != nil {
			for _, n := range l.counts {
				r.Day += n
			}
		}
	}
	return rows
}

// cards are the figures that somebody looks at first.
func cards(o view.Overview) []card {
	var made, sent, held uint64
	off := 0
	for _, t := range o.Types {
		made += t.Made
		sent += t.Sent
		held += t.HeldType + t.HeldRate + t.HeldSource
		if t.Blacklisted {
			off++
		}
	}
	all := []card{
		{Name: "Calls", Link: "/calls", Value: whole(o.Calls), Note: "in memory, with attempts"},
		{Name: "Registrations", Link: "/regs", Value: whole(o.Bindings), Note: "contacts, of " + plural(o.AORs, "address", "addresses")},
		{Name: "Messages", Link: "/methods", Value: speed(o.Messages), Unit: "a second", Note: "over the last minute"},
		{Name: "Events made", Link: "/events", Value: whole(made), Note: speed(o.Events) + " a second"},
		{Name: "Events sent", Link: "/events?fate=sent", Value: whole(sent), Note: share(sent, made)},
		{Name: "Events held", Link: "/events/blst", Value: whole(held), Note: plural(off, "type", "types") + " switched off"},
		{Name: "Over a limit", Link: "/evrateblst?state=over", Value: whole(len(o.Over)), Note: plural(o.Offended, "source", "sources") + " held as offenders", Kind: "good"},
		{Name: "Losses", Link: "#h-losses", Value: whole(lost(o.Losses)), Note: "nothing lost", Kind: "good"},
	}
	if o.Up != nil {
		all[0].Name, all[0].Value, all[0].Note = "Calls up", whole(*o.Up), "of "+whole(o.Calls)+" in memory, with attempts"
	}
	if n := len(o.Over); n > 0 {
		all[6].Kind = "warn"
		if n >= mostOver {
			all[6].Value += "+"
		}
	}
	if lost(o.Losses) > 0 {
		all[7].Kind, all[7].Note = "warn", "since the start; where is below"
	}
	return all
}

// mostOver of the keys over their limit are in the answer.
const mostOver = 20

// speed is a rate that may not be known yet.
func speed(n *float64) string {
	if n == nil {
		return "–"
	}
	return decimal(*n)
}

func lost(losses []view.Counter) (n float64) {
	for _, l := range losses {
		n += l.N
	}
	return n
}

func share(part, of uint64) string {
	if of == 0 {
		return "none made yet"
	}
	return decimal(float64(part)/float64(of)*100) + " % of those made"
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return whole(n) + " " + many
}
