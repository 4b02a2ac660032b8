package api

import (
	"net/http"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// The parameters of every list.
var (
	limitParam  = Param{Name: "limit", In: "query", Kind: Whole, Min: 1, Max: view.MaxLimit, Meaning: "Entries of one page; 100 without it."}
	cursorParam = Param{Name: "cursor", In: "query", Meaning: "next of the page before."}
	textParam   = Param{Name: "text", In: "query", Meaning: "Only what contains this, without regard to case."}
	sourceParam = Param{Name: "source", In: "query", Kind: Address, Meaning: "Only from this address or network."}
	fromParam   = Param{Name: "from", In: "query", Kind: Moment, Meaning: "The beginning: a time (RFC 3339), seconds since 1970, or a span before now such as -1h."}
	toParam     = Param{Name: "to", In: "query", Kind: Moment, Meaning: "The end, in the same forms; now without it."}
	stepParam   = Param{Name: "step", In: "query", Kind: Duration, Meaning: "How long one step is, in whole minutes; 1m without it."}
)

func state(meaning string) Param { return Param{Name: "state", In: "query", Meaning: meaning} }

// oneType is a parameter that names an event type.
func oneType(meaning string) Param {
	return Param{Name: "type", In: "query", Kind: Word, Enum: typeNames(), Meaning: meaning}
}

func typeNames() (names []string) {
	for t := event.None + 1; t < event.NumTypes; t++ {
		names = append(names, t.String())
	}
	return names
}

// switches are the event types as parameters.
func switches() (all []Param) {
	for _, name := range typeNames() {
		all = append(all, Param{Name: name, In: "query", Kind: Flag, Meaning: "1 holds " + name + " back, 0 lets it leave."})
	}
	return all
}

// listForms are the forms of a list of sources beside JSON and the page.
var listForms = Param{Name: "format", In: "query", Kind: Word, Enum: []string{"json", "plain", "ipset"},
	Meaning: "plain: one source a line. ipset: for ipset restore. Without it Accept decides."}

// profilerPath is below which the profiler is.
const profilerPath = "/debug/pprof"

// here is what examples have where the server is.
const here = "http://127.0.0.1:8080"

// Routes is the table.
func Routes() []Route {
	const get, put, post, del = http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete
	events := []Param{limitParam, cursorParam, oneType("Only of this type."), {Name: "fate", In: "query", Kind: Word, Enum: Fates, Meaning: "Only with this fate: sent, or why it was held back."}, sourceParam, textParam}
	return []Route{
		{Method: get, Path: "/", Twin: "/api/v1/overview", Page: true, Summary: "The program at a glance.", Answer: view.Overview{}, do: overview},

		{Method: get, Path: "/events", Twin: "/api/v1/events", Page: true, Summary: "The last events, also those that were held back.", Params: events, Answer: view.EventPage{}, do: lastEvents},
		{Method: get, Path: "/api/v1/events/stream", Summary: "The events from now on, as Server-Sent Events: `event` has one as in the list, `left-out` says how many a slow client missed.",
			Params: events[2:], Media: []string{"text/event-stream"}, send: (*call).stream},
		{Method: get, Path: "/events/blst", Twin: "/api/v1/events/blst", Page: true, Summary: "The event types and which are held back.", Answer: view.TypeList{}, do: types},
		{Method: put, Path: "/events/blst", Twin: "/api/v1/events/blst", Changes: true, Summary: "Holds back these types, and no others.", Body: view.TypeNames{}, Answer: view.TypeList{},
			Example: `-X PUT -H 'Content-Type: application/json' -d '{"types": ["other-ok", "msg-probe"]}' ` + here + `/events/blst`, do: setTypes},
		{Method: post, Path: "/events/blst", Twin: "/api/v1/events/blst", Changes: true, Summary: "Holds single types back (1), or lets them leave (0).", Params: switches(), Answer: view.TypeList{},
			Example: `-X POST '` + here + `/events/blst?other-ok=1'`, do: switchTypes},

		{Method: get, Path: "/calls", Twin: "/api/v1/calls", Page: true, Summary: "Calls, and attempts at calls, in memory.", Params: []Param{limitParam, cursorParam, textParam, sourceParam, state("Only in this state, docs/states.md.")}, Answer: view.CallPage{}, do: calls},
		{Method: get, Path: "/calls/{id}", Twin: "/api/v1/calls/{id}", Page: true, Summary: "One call: its messages, legs and delays.",
			Params: []Param{{Name: "id", In: "path", Need: true, Meaning: "sip.call.id of its records, or the Call-ID."}}, Answer: view.CallDetail{}, do: oneCall},
		{Method: get, Path: "/api/v1/pcap", Summary: "The messages of one call as a capture file.", Media: []string{"application/vnd.tcpdump.pcap"},
			Params: []Param{{Name: "call", In: "query", Need: true, Max: 4096, Meaning: "The Call-ID, or sip.call.id."}}, send: pcap},
		{Method: get, Path: "/regs", Twin: "/api/v1/regs", Page: true, Summary: "Bindings: the contacts of addresses of record.", Params: []Param{limitParam, cursorParam, textParam, sourceParam, state("Only in this state.")}, Answer: view.BindingPage{}, do: bindings},
		{Method: get, Path: "/regs/{aor}", Twin: "/api/v1/regs/{aor}", Page: true, Summary: "The contacts of one address of record.",
			Params: []Param{{Name: "aor", In: "path", Need: true, Meaning: "The address of record, such as sip:alice@example.com."}}, Answer: view.Bindings{}, do: oneBinding},

		{Method: get, Path: "/evrateblst", Twin: "/api/v1/evrateblst", Page: true, Summary: "Rates of events by type and source, those over a limit first.",
			Params: []Param{limitParam, cursorParam, textParam, sourceParam, oneType("Only of this type."), {Name: "state", In: "query", Kind: Word, Enum: []string{"over"}, Meaning: "over: only those over a limit."}}, Answer: view.RatePage{}, do: rateList},
		{Method: put, Path: "/evrateblst", Twin: "/api/v1/evrateblst", Changes: true, Summary: "Sets limits of rates; what is left out stays.", Body: view.Limits{}, Answer: view.RatePage{},
			Example: `-X PUT -H 'Content-Type: application/json' -d '{"limits": [20, 240, 3600]}' ` + here + `/evrateblst`, do: setLimits},
		{Method: del, Path: "/evrateblst", Twin: "/api/v1/evrateblst", Changes: true, Summary: "Forgets the rate of one type and source.", Answer: view.Done{},
			Params:  []Param{needed(oneType("The type.")), {Name: "source", In: "query", Kind: Address, Need: true, Meaning: "The source, as in the list."}},
			Example: `-X DELETE '` + here + `/evrateblst?type=auth-failed&source=192.0.2.66'`, do: forgetRate},

		{Method: get, Path: "/alerts", Twin: "/api/v1/alerts", Page: true, Summary: "Findings.",
			Params: []Param{limitParam, cursorParam, textParam, sourceParam, {Name: "type", In: "query", Meaning: "Only of this type."}, {Name: "status", In: "query", Kind: Word, Enum: []string{"new", "old"}, Meaning: "Only with this status."}, fromParam, toParam}, Answer: view.AlertPage{}, do: alerts},
		{Method: get, Path: "/offenders", Twin: "/api/v1/offenders", Page: true, Summary: "The source blacklist: what comes from there is held back. Plain and ipset forms have all of it.",
			Params: []Param{limitParam, cursorParam, textParam, sourceParam, listForms}, Answer: view.OffenderPage{}, Media: []string{"text/plain"}, do: offenders},
		{Method: post, Path: "/offenders", Twin: "/api/v1/offenders", Changes: true, Summary: "Puts a source on the blacklist.", Body: view.NewOffender{}, Answer: view.OffenderPage{},
			Example: `-d source=192.0.2.66 -d reason=scan -d lasts=24h ` + here + `/offenders`, do: offend},
		{Method: del, Path: "/offenders", Twin: "/api/v1/offenders", Changes: true, Summary: "Takes a source off the blacklist.", Answer: view.Done{},
			Params:  []Param{{Name: "source", In: "query", Kind: Address, Need: true, Meaning: "The source, as in the list."}},
			Example: `-X DELETE '` + here + `/offenders?source=192.0.2.66'`, do: forgive},

		{Method: get, Path: "/kpi", Twin: "/api/v1/kpi", Page: true, Summary: "Indicators of the service.", Params: []Param{
			{Name: "text", In: "query", Meaning: "Only peers whose name contains this."},
			{Name: "peer", In: "query", Meaning: "Only the peer of this name: a trunk, an address or other."},
			{Name: "window", In: "query", Meaning: "Only this window, in which all traffic is: 5m, 1h, 24h or kpi.window."}}, Answer: view.Indicators{}, do: indicators},
		{Method: get, Path: "/methods", Twin: "/api/v1/stats/method", Page: true, Summary: "Messages by minute: requests and answers of the last day.", Answer: view.MethodSeries{}, do: methods,
			Params: []Param{
				{Name: "method", In: "query", Meaning: "A method of requests, or a code (200) or class (4xx) of answers."},
				{Name: "cseq", In: "query", Meaning: "The method in CSeq, which answers have too."},
				{Name: "auth", In: "query", Kind: Flag, Meaning: "1: requests with credentials; 0: without."},
				{Name: "totag", In: "query", Kind: Flag, Meaning: "1: with a To tag; 0: without."}, fromParam, toParam, stepParam}},
		{Method: get, Path: "/api/v1/stats/events", Summary: "Events by type and minute, of the last day.", Params: []Param{fromParam, toParam, stepParam}, Answer: view.EventSeries{}, do: eventsOver},
		{Method: get, Path: "/stats", Twin: "/api/v1/stats", Page: true, Summary: "All counters by group, docs/metrics.md, and libbeat's.", Answer: view.Stats{}, do: stats},
		{Method: get, Path: "/counters", Twin: "/api/v1/counters", Page: true, Summary: "All counters with their rates over the last minute.", Answer: view.Counters{}, do: counters},
		{Method: get, Path: "/metrics", Summary: "The same counters for Prometheus.", Media: []string{"text/plain"}, send: metrics},

		{Method: get, Path: "/config", Twin: "/api/v1/config", Page: true, Summary: "The running configuration without secrets.", Answer: view.Settings{}, do: settings},
		{Method: post, Path: "/reload", Twin: "/api/v1/reload", Changes: true, Summary: "Reads the configuration again, all or nothing.", Answer: view.Reloaded{}, Example: `-X POST ` + here + `/api/v1/reload`, do: reload},
		{Method: get, Path: "/inject", Twin: "/api/v1/inject", Page: true, Summary: "Whether messages can be put in by hand.", Answer: view.Done{}, do: injectForm},
		{Method: post, Path: "/inject", Twin: "/api/v1/inject", Changes: true, Summary: "Puts one SIP message into the engine, from this machine alone; http.inject switches it on, and its events are marked.", Body: view.Injected{}, Answer: view.Done{},
			Example: `--data-urlencode message@message.txt -d source=192.0.2.1:5060 -d destination=192.0.2.2:5060 -d transport=udp ` + here + `/inject`, do: inject},

		{Method: get, Path: "/healthz", Open: true, Summary: "Whether the program runs: 200 or 503.", Answer: view.Health{}, Fails: 503, send: func(c *call) error { return c.health(c.s.program.Live()) }},
		{Method: get, Path: "/readyz", Open: true, Summary: "Whether it does what it is there for: 200, or 503 with what is wrong. Without the token, where one is set, yes or no alone.", Answer: view.Health{}, Fails: 503, send: func(c *call) error { return c.health(c.s.program.Ready()) }},
		{Method: get, Path: "/health", Twin: "/api/v1/health", Page: true, Summary: "What /readyz asks, with all that it found; always 200.", Answer: view.Health{}, do: health},
		{Method: get, Path: "/static/{name}", Summary: "A file that the pages need.", Media: []string{"text/css", "text/javascript", "image/svg+xml"},
			Params: []Param{{Name: "name", In: "path", Need: true, Meaning: "Its name."}, {Name: "v", In: "query", Meaning: "Its version."}}, send: static},
		{Method: get, Path: "/api/v1/{$}", Page: true, Summary: "This description, for a person.", Media: []string{"application/json"}, send: openapi},
		{Method: get, Path: "/api/v1/openapi.json", Summary: "This description (OpenAPI 3.1).", Media: []string{"application/json"}, send: openapi},
		{Method: get, Path: profilerPath + "/{name...}", Summary: "Go's profiler, where http.profiler is true.", Media: []string{"application/octet-stream", "text/html", "text/plain"},
			Params: []Param{{Name: "name", In: "path", Meaning: "A profile, such as heap; empty: the list."}, {Name: "seconds", In: "query", Kind: Whole, Min: 1, Max: 25, Meaning: "How long."}, {Name: "debug", In: "query", Kind: Whole, Max: 2, Meaning: "1: as text."}, {Name: "gc", In: "query", Kind: Whole, Max: 1, Meaning: "1: collect first."}}, send: profiler},
	}
}

func needed(p Param) Param {
	p.Need = true
	return p
}
