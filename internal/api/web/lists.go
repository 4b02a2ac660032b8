package web

import (
	"strings"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// Rows of one page of a list for a person, so that no page gets long. Programs may ask
// for more.
const Rows = 50

// listing is what the head and the foot of a list need.
type listing struct {
	view.Page
	Query map[string]string // the fields of its filter that are filled in
	Shown int
	What  string // of these, in the plural
	Order string // which come first
	More  string // address of the next page
	First string // and of the first, where this is another one
	Empty string // what to say where there is none at all
}

// list describes a page of a list.
func (a asked) list(p view.Page, shown int, what, empty string) listing {
	l := listing{Page: p, Shown: shown, What: what, Order: "newest first", Empty: empty, Query: map[string]string{}}
	at := []string{}
	for _, name := range []string{"text", "source", "state", "type", "fate", "status", "limit", "from", "to"} {
		v := a.query.Get(name)
		at = append(at, name, v)
		if v != "" && name != "limit" {
			l.Query[name] = v
		}
	}
	if p.Next != "" {
		l.More = link(a.path, append(at, "cursor", p.Next)...)
	}
	if a.query.Get("cursor") != "" {
		l.First = link(a.path, at...)
	}
	return l
}

// Filtered says that somebody asked for a part.
func (l listing) Filtered() bool { return len(l.Query) > 0 }

// part keeps the first n of a list, and counts what is left.
func part[T any](all []T, n int) (some []T, left int) {
	if len(all) <= n {
		return all, 0
	}
	return all[:n], len(all) - n
}

func regs(a asked, answer any) any {
	p := answer.(view.BindingPage)
	return struct {
		List     listing
		AORs     int
		Bindings []view.Binding
	}{a.list(p.Page, len(p.Bindings), "bindings", "No contact is registered, as far as was seen. One shows up here with the first REGISTER that is answered with 200."), p.AORs, p.Bindings}
}

func aor(a asked, answer any) any {
	p := answer.(view.Bindings)
	some, left := part(p.Bindings, Rows)
	return struct {
		AOR      string
		Bindings []view.Binding
		Left     int
	}{p.AOR, some, left}
}

func rates(a asked, answer any) any {
	p := answer.(view.RatePage)
	type limit struct {
		Interval string
		Limit    float64
	}
	over := 0
	for _, k := range p.Rates {
		if k.Over {
			over++
		}
	}
	limits := make([]limit, min(len(p.Limits), len(p.Intervals)))
	for i := range limits {
		limits[i] = limit{p.Intervals[i], p.Limits[i]}
	}
	l := a.list(p.Page, len(p.Rates), "keys", "Nothing was counted yet. A key shows up here with the first event of its type and source.")
	l.Order = "those over a limit first"
	return struct {
		List   listing
		Page   view.RatePage
		Limits []limit
		Over   int
	}{l, p, limits, over}
}

func offenders(a asked, answer any) any {
	p := answer.(view.OffenderPage)
	return struct {
		List      listing
		Offenders []view.Offender
		Masked    bool
	}{a.list(p.Page, len(p.Offenders), "sources", "No source is held. Sources get here by a rate that stays over its limit, by a detection, or by hand with the form below."), p.Offenders, p.Masked}
}

func alerts(a asked, answer any) any {
	p := answer.(view.AlertPage)
	return struct {
		List   listing
		Alerts []view.Alert
	}{a.list(p.Page, len(p.Alerts), "findings", "No findings. Who sends too many events is under Rates, whose events are held is under Offenders."), p.Alerts}
}

// mostRows of a page whose list has no cursor.
const mostRows = 400

// mostKeys of the configuration on one page.
const mostKeys = 250

func config(a asked, answer any) any {
	p := answer.(view.Settings)
	text, changed := strings.ToLower(a.query.Get("text")), a.query.Get("changed") != ""
	var rows []view.Setting
	for _, k := range p.Settings {
		if (text == "" || strings.Contains(strings.ToLower(k.Key+" "+k.Meaning), text)) && (!changed || k.Value != k.Default) {
			rows = append(rows, k)
		}
	}
	rows, left := part(rows, mostKeys)
	return struct {
		Settings  []view.Setting
		All, Left int
		Text      string
		Changed   bool
	}{rows, len(p.Settings), left, a.query.Get("text"), changed}
}

func inject(a asked, answer any) any { return struct{ On bool }{a.site.inject} }

func docs(a asked, answer any) any { return struct{ Routes []Route }{a.site.routes} }

func health(a asked, answer any) any {
	return struct{ Live, Ready view.Health }{a.program.Live(), a.program.Ready()}
}

func events(a asked, answer any) any {
	p := answer.(view.EventPage)
	stream := ""
	if !a.query.Has("cursor") { // older ones stand still
		stream = link("/api/v1/events/stream", "type", a.query.Get("type"), "fate", a.query.Get("fate"), "source", a.query.Get("source"), "text", a.query.Get("text"))
	}
	return struct {
		List   listing
		Events []view.ShownEvent
		Types  []string
		Fates  any
		Stream string
	}{a.list(p.Page, len(p.Events), "events", "No event yet. They come with calls, registrations and other requests; whether packets come is under Health."),
		p.Events, strings.Split(event.TypeNames(), ", "), fates, stream}
}

func types(a asked, answer any) any { return answer.(view.TypeList) }
