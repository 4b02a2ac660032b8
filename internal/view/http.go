package view

import (
	"encoding/json"
	"time"
)

// Problem is an answer that is an error (RFC 9457), and what would be right.
type Problem struct {
	Type    string   `json:"type"` // about:blank: the status says what kind of error it is
	Title   string   `json:"title"`
	Status  int      `json:"status"`
	Detail  string   `json:"detail"`            // what was wrong, in a sentence
	Allowed []string `json:"allowed,omitempty"` // what is right in its place
}

// Done is the answer to a change that has nothing to show.
type Done struct {
	Done string `json:"done"` // a sentence
}

// Overview is the program at a glance.
type Overview struct {
	Time     time.Time    `json:"time"` // of the packets
	Health   Health       `json:"health"`
	Calls    int          `json:"calls"`                         // in memory
	Up       *int         `json:"calls_up,omitempty"`            // of them, those that are answered and not over
	Messages *float64     `json:"messages_per_second,omitempty"` // over the last minute
	Events   *float64     `json:"events_per_second,omitempty"`
	AORs     int          `json:"aors"`
	Bindings int          `json:"bindings"`
	Over     []Rate       `json:"over_limit"`  // keys whose events are held back
	Offended int          `json:"offenders"`   // entries of the source blacklist
	Types    []TypeSwitch `json:"types"`       // events by type since the start
	Hour     EventSeries  `json:"last_hour"`   // by minute
	Losses   []Counter    `json:"losses"`      // counters of what was lost, that are not zero
	Links    []string     `json:"links"`       // the other pages
	Version  string       `json:"version"`     // of the program
	Started  time.Time    `json:"started"`     // when it began
	Inject   bool         `json:"inject"`      // messages can be put in by hand
	Requests uint64       `json:"http_served"` // by this server
}

// ShownEvent is one of the last events, and what became of it.
type ShownEvent struct {
	Number uint64          `json:"number"` // counts events since the start
	Time   time.Time       `json:"time"`
	Type   string          `json:"type"`
	Fate   string          `json:"fate"` // sent, blacklisted, rate, source
	Source string          `json:"source,omitempty"`
	Call   string          `json:"call,omitempty"` // sip.call.id
	CallID string          `json:"call_id,omitempty"`
	From   string          `json:"from,omitempty"`
	To     string          `json:"to,omitempty"`
	Code   int             `json:"code,omitempty"`
	Record json.RawMessage `json:"record"` // as it leaves, docs/fields.md
}

// EventPage is a page of the last events, newest first.
type EventPage struct {
	Page
	Events []ShownEvent `json:"events"`
}

// LeftOut is told in a stream of events.
type LeftOut struct {
	LeftOut uint64 `json:"left_out"` // events, because there were more than the stream carries
}

// TypeList is the event types.
type TypeList struct {
	Types []TypeSwitch `json:"types"`
}

// TypeNames are the event types that are held back.
type TypeNames struct {
	Types []string `json:"types"`
}

// Bindings are the contacts of one AOR.
type Bindings struct {
	AOR      string    `json:"aor"`
	Bindings []Binding `json:"bindings"`
}

// NewOffender is a source that somebody blacklists by hand.
type NewOffender struct {
	Source string `json:"source"`           // address or network
	Reason string `json:"reason,omitempty"` // for whoever reads the list
	Lasts  string `json:"lasts,omitempty"`  // a duration such as 24h; "" is until it is taken off
}

// Indicators are the sets of all peers.
type Indicators struct {
	Sets []IndicatorSet `json:"sets"`
}

// Stats are all counters, by group and name; a counter with a label is an object of its
// values. Libbeat has those of the queue and the output.
type Stats struct {
	Time    time.Time                 `json:"time"` // of the machine
	Uptime  float64                   `json:"uptime_seconds"`
	Stats   map[string]map[string]any `json:"stats"`
	Libbeat map[string]any            `json:"libbeat"`
}

// Counter is one counter with its rate.
type Counter struct {
	Group string   `json:"group"`
	Name  string   `json:"name"`
	Label string   `json:"label,omitempty"`
	Value string   `json:"label_value,omitempty"`
	Kind  string   `json:"kind"` // counter, gauge
	N     float64  `json:"value"`
	Rate  *float64 `json:"per_second,omitempty"` // over the last minute; of a counter
	Help  string   `json:"help"`
}

// Counters are all of them.
type Counters struct {
	Time     time.Time `json:"time"` // of the machine
	Over     float64   `json:"over_seconds"`
	Counters []Counter `json:"counters"`
}

// Settings are the running configuration.
type Settings struct {
	Settings []Setting `json:"settings"`
}
