package web

import (
	"html/template"
	"net/url"
	"strings"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// asked is what a page was asked, and whom it can ask more.
type asked struct {
	site    *Site
	program Program
	now     time.Time // of the packets
	path    string
	query   url.Values
}

// show is a page: its template, its title, and what the template gets of the answer.
type show struct {
	file, title string
	body        func(a asked, answer any) any
}

// shows are the pages by the path of their row in the table of routes.
var shows = map[string]show{
	"/":            {"overview", "Overview", overview},
	"/events":      {"events", "Events", events},
	"/events/blst": {"types", "Event types", types},
	"/calls":       {"calls", "Calls", calls},
	"/calls/{id}":  {"call", "Call", oneCall},
	"/regs":        {"regs", "Registrations", regs},
	"/regs/{aor}":  {"aor", "Registration", aor},
	"/evrateblst":  {"rates", "Rates", rates},
	"/offenders":   {"offenders", "Offenders", offenders},
	"/alerts":      {"alerts", "Alerts", alerts},
	"/kpi":         {"kpi", "Indicators", indicators},
	"/stats":       {"stats", "Statistics", stats},
	"/counters":    {"counters", "Counters", counters},
	"/methods":     {"methods", "Messages", methods},
	"/config":      {"config", "Configuration", config},
	"/inject":      {"inject", "Put in a message", inject},
	"/health":      {"health", "Health", health},
	"/api/v1/{$}":  {"docs", "API", docs},
}

// functions are what templates can say beyond html/template's own.
var functions = template.FuncMap{
	"fit": fit, "whole": whole, "decimal": decimal, "span": span, "seconds": seconds, "ago": ago,
	"link": link, "below": below, "call": callPath, "words": words, "ticks": ticks, "odd": func(i int) bool { return i%2 == 1 }, "join": strings.Join, "stamp": stamp, "clock": clock,
	"badge": func(kind, word string) mark { return mark{kind, word, ""} },
	"icon": func(ok bool) string {
		if ok {
			return "good"
		}
		return "bad"
	},
	"list": func(v ...any) []any { return v }, "add": func(a, b int) int { return a + b },
	"reason": reason,
	"value":  func(f *float64) float64 { return *f },
	"marks":  marks, "few": few, "explain": explain, "labels": labels, "state": callState, "fate": fate, "length": length, "lasted": lasted, "region": region,
}

// mark is a sign with a word. Kind chooses the icon and the colour: good, warn, bad, off.
type mark struct{ Kind, Word, Why string }

// marks are what is said of a call beside its state.
func marks(c view.Call) (all []mark) {
	add := func(is bool, m mark) {
		if is {
			all = append(all, m)
		}
	}
	add(c.Emergency, mark{"warn", "emergency", "it goes to an emergency number or service"})
	add(c.Forked, mark{"off", "forked", "it rang, or was answered, in more than one place"})
	add(c.Held, mark{"off", "held", "a side was put on hold"})
	add(c.Transferred, mark{"off", "transferred", "a REFER sent a side on to somebody else"})
	add(c.Retransmission > 0, mark{"warn", "repeats", "messages were sent again: they, or their answers, got lost or came late"})
	for _, w := range c.Incomplete {
		all = append(all, mark{"warn", "missed: " + fit(40, w).Short, incomplete(w)})
	}
	return append(all, labels(c.Anomalies)...)
}

// few keeps as many marks as a line of a list has room for.
func few(all []mark) []mark {
	const most = 3
	if len(all) <= most {
		return all
	}
	return append(all[:most-1:most-1], mark{"off", "and " + plural(len(all)-most+1, "more", "more"), ""})
}

// labels explains labels of what does not comply.
func labels(words []string) (all []mark) {
	for _, w := range words {
		m := mark{Kind: "warn", Word: fit(40, w).Short}
		for _, a := range event.AnomalyWords {
			if a.Word != w {
				continue
			}
			if m.Why = a.Meaning; a.RFC != "" {
				m.Why += " (" + a.RFC + ")"
			}
		}
		all = append(all, m)
	}
	return all
}

func incomplete(word string) string {
	for _, w := range event.IncompleteWords {
		if w.Word == word {
			return w.Meaning
		}
	}
	return ""
}

// explain is the marks that have something to explain.
func explain(c view.Call) (all []mark) {
	for _, m := range marks(c) {
		if m.Why != "" {
			all = append(all, m)
		}
	}
	return all
}

// callState says where a call stands: in a word of the state machines, with a sign for
// how it went.
func callState(c view.Call) mark {
	m := mark{Kind: "off", Word: c.State}
	switch {
	case c.Code >= 400 && c.Code != 401 && c.Code != 407 && c.Code != 487:
		m.Kind = "bad"
	case c.State == "failed":
		m.Kind = "warn"
	case c.Answered != nil && c.Ended == nil:
		m.Kind = "good"
	}
	if m.Word = fit(24, words(c.State)).Short; m.Word == "" {
		m.Word = "unknown"
	}
	return m
}

// fate is what became of an event.
func fate(word string) []mark {
	for _, f := range fates {
		if f.Word == word {
			return []mark{{f.Kind, f.Title, f.Why}}
		}
	}
	return []mark{{"off", word, ""}}
}

// fates are the words of view.ShownEvent.Fate.
var fates = []struct{ Word, Kind, Title, Why string }{
	{"sent", "good", "sent", "it went on to the output"},
	{"blacklisted", "off", "type off", "its type is switched off"},
	{"rate", "warn", "over rate", "its source sends more of this type than the limit"},
	{"source", "warn", "source held", "its source is on the list of offenders"},
}

// lasted is how long a call was, or has been, up, in nanoseconds; 0 where it was not
// answered.
func lasted(c view.Call, now time.Time) int64 {
	switch {
	case c.Answered == nil:
		return 0
	case c.Ended != nil:
		return int64(c.Ended.Sub(*c.Answered))
	}
	return int64(max(now.Sub(*c.Answered), 0))
}

// length is lasted for a person.
func length(c view.Call, now time.Time) string {
	if c.Answered == nil {
		return ""
	}
	return span(time.Duration(lasted(c, now)).Truncate(time.Second))
}

// region is where an offender is.
func region(o view.Offender) string {
	if o.City != "" && o.Country != "" {
		return o.City + ", " + o.Country
	}
	return o.City + o.Country
}
