package web

import (
	"cmp"
	"slices"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
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
	refused, kinds := a.refused(now)
	return struct {
		view.Overview
		Cards   []card
		Refused []refusals
		Kinds   int // of refusals, that found no place
		Talkers view.RatePage
		Charts  []series
		Rows    []typeRow
		Losses  []view.Counter
		Left    int
	}{o, cards(o, hour), refused, kinds, a.talkers(), []series{
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

// Bounds of the tables of the first screen: what fails most, and who makes most events.
const (
	mostRefusals = 6
	mostTalkers  = 6
)

// talkers asks who makes most events, those over a limit first. Of the windows the two
// longest are enough at a glance.
func (a asked) talkers() view.RatePage {
	p, err := a.program.Rates(view.Query{Limit: mostTalkers})
	if err != nil {
		return view.RatePage{} // an empty table says so
	}
	p.Intervals = p.Measured()
	p.Intervals = p.Intervals[max(0, len(p.Intervals)-2):]
	for i, k := range p.Rates {
		p.Rates[i].Windows = k.Windows[max(0, len(k.Windows)-2):]
	}
	return p
}

// refusals are the answers of one code to one method, over the last hour.
type refusals struct {
	Code, Method string
	Last, Hour   uint64 // in the last five minutes, and in all
}

// refused finds what was refused most in the last hour. A challenge (401, 407) and the
// end of a cancelled call (487) are how SIP works, and no failure.
func (a asked) refused(now time.Time) ([]refusals, int) {
	to := now.Truncate(time.Minute).Add(time.Minute)
	m, err := a.program.Methods(view.MethodQuery{From: to.Add(-time.Hour), To: to, Step: time.Minute})
	if err != nil {
		return nil, 0 // an empty table says so
	}
	var all []refusals
	at := map[[2]string]int{}
	for _, row := range m.Rows {
		if len(row.Method) != 3 || row.Method < "400" || row.Method > "699" || row.Method == "401" || row.Method == "407" || row.Method == "487" {
			continue
		}
		key := [2]string{row.Method, row.CSeq}
		i, ok := at[key]
		if !ok {
			i = len(all)
			at[key] = i
			all = append(all, refusals{Code: row.Method, Method: row.CSeq})
		}
		all[i].Hour += row.Total
		for _, n := range row.Counts[max(0, len(row.Counts)-5):] {
			all[i].Last += n
		}
	}
	slices.SortStableFunc(all, func(a, b refusals) int {
		return cmp.Or(cmp.Compare(b.Last, a.Last), cmp.Compare(b.Hour, a.Hour))
	})
	return part(all, mostRefusals)
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
func cards(o view.Overview, hour []line) []card {
	var made, sent, held uint64
	for _, t := range o.Types {
		made += t.Made
		sent += t.Sent
		held += t.HeldType + t.HeldRate + t.HeldSource
	}
	all := []card{
		{Name: "Calls", Link: "/calls", Value: whole(o.Calls), Note: "in memory, with attempts"},
		answered(hour),
		{Name: "Wrong passwords", Link: "/events?type=" + event.AuthFailed.String(), Value: whole(sum(hour, event.AuthFailed)), Note: "requests, last hour"},
		{Name: "Over a limit", Link: "/evrateblst?state=over", Value: whole(len(o.Over)), Note: plural(o.Offended, "source", "sources") + " on the blacklist", Kind: "good"},
		{Name: "Registrations", Link: "/regs", Value: whole(o.Bindings), Note: "contacts; " + plural(o.AORs, "address", "addresses") + " seen"},
		{Name: "Messages", Link: "/methods", Value: speed(o.Messages), Unit: "a second", Note: "over the last minute"},
		{Name: "Events made", Link: "/events", Value: whole(made), Note: whole(sent) + " sent, " + whole(held) + " held"},
		{Name: "Losses", Link: "#h-losses", Value: whole(lost(o.Losses)), Note: "nothing lost", Kind: "good"},
	}
	if o.Up != nil {
		all[0].Name, all[0].Value, all[0].Note = "Calls up", whole(*o.Up), "of "+whole(o.Calls)+" in memory, with attempts"
	}
	if n := len(o.Over); n > 0 {
		all[3].Kind, all[3].Note = "warn", plural(n, "source and type is", "sources and types are")+" held back"
		if n >= MostOver {
			all[3].Value += "+"
		}
	}
	if lost(o.Losses) > 0 {
		all[7].Kind, all[7].Note = "warn", "since the start; where is below"
	}
	return all
}

// answered is how many of the calls that were tried came about. It counts events, so it
// is there at once; the indicators have what goes by a definition.
func answered(hour []line) card {
	c := card{Name: "Calls answered", Link: "/kpi", Value: "–", Note: "none tried in the last hour"}
	started, failed := sum(hour, event.CallStart), sum(hour, event.CallAttempt)
	if of := started + failed; of > 0 {
		c.Value, c.Unit = decimal(float64(started)/float64(of)*100), "%"
		c.Note = whole(started) + " of " + whole(of) + ", last hour"
	}
	return c
}

// sum is how many events of a type there were.
func sum(lines []line, t event.Type) (n uint64) {
	for _, l := range lines {
		if l.name == t.String() {
			for _, k := range l.counts {
				n += k
			}
		}
	}
	return n
}

// MostOver is how many of the keys over their limit are in the answer.
const MostOver = 20

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

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return whole(n) + " " + many
}
