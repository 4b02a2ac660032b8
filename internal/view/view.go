// Package view is what a person or a program is shown of the running engine: calls,
// bindings, messages, rates, offenders, indicators, health. The stages fill these
// structures, package api renders them; their JSON names are the API's.
//
// They own their values. Nothing here decides, and nothing is borrowed.
package view

import (
	"errors"
	"time"
)

// ErrMissing is said of a thing that is not there.
var ErrMissing = errors.New("not there")

// Query asks for a part of a list. Lists are read newest first, a page at a time: Cursor
// is the Next of the page before.
type Query struct {
	Limit  int    // entries; 0 is DefaultLimit
	Cursor string // opaque; "" begins
	All    bool   // of offenders: every one at once, whatever Limit and Cursor
	Text   string // only what contains this, without regard to case; "" is everything
	Source string // only from this address or network
	State  string // only in this state
	Type   string // only of this type
	From   time.Time
	To     time.Time
}

// Bounds of one page.
const (
	DefaultLimit = 100
	MaxLimit     = 1000
)

// Page is what every list says of itself.
type Page struct {
	Total   int    `json:"total"`             // entries in memory, whatever the filter
	Scanned int    `json:"scanned,omitempty"` // entries looked at for this page, when the filter let some out
	Next    string `json:"next,omitempty"`    // cursor of the next page; "" at the end
}

// Call is a call, or an attempt at one, in memory.
type Call struct {
	ID             string     `json:"id" private:"addresses+numbers+call_ids+tags,digest"` // sip.call.id of its records
	CallID         string     `json:"call_id" private:"call_ids,call_id"`
	State          string     `json:"state"` // of the machine that follows it, docs/states.md
	From           string     `json:"from,omitempty" private:"uris,uri"`
	To             string     `json:"to,omitempty" private:"uris,uri"`
	Source         string     `json:"source,omitempty" private:"addresses,address"`      // address and port of the caller's side
	Destination    string     `json:"destination,omitempty" private:"addresses,address"` // and of the callee's
	Transport      string     `json:"transport,omitempty"`
	UserAgent      string     `json:"user_agent,omitempty" private:"user_agents,agent"`
	Started        *time.Time `json:"started,omitempty"` // the INVITE
	Answered       *time.Time `json:"answered,omitempty"`
	Seen           *time.Time `json:"seen,omitempty"` // the last message
	Ended          *time.Time `json:"ended,omitempty"`
	HangupBy       string     `json:"hangup_by,omitempty"` // caller, callee, both, unknown: whose BYE it is
	Code           int        `json:"code,omitempty"`
	Forked         bool       `json:"forked,omitempty"`
	Held           bool       `json:"held,omitempty"`
	Transferred    bool       `json:"transferred,omitempty"`
	Emergency      bool       `json:"emergency,omitempty"`
	Retransmission int        `json:"retransmissions,omitempty"`
	Incomplete     []string   `json:"incomplete,omitempty"`
	Anomalies      []string   `json:"anomalies,omitempty"`
}

// CallPage is a page of calls.
type CallPage struct {
	Page
	Calls []Call `json:"calls"`
}

// CallDetail is all that is known of one Call-ID.
type CallDetail struct {
	Call
	Parts       []Call    `json:"parts,omitempty"`                            // the other attempts and dialogs of the Call-ID
	Legs        []string  `json:"legs,omitempty" private:"addresses,address"` // addresses, in the order seen
	Correlation string    `json:"correlation,omitempty" private:"call_ids,call_id"`
	Timings     []Timing  `json:"timings,omitempty"`
	Messages    []Message `json:"messages,omitempty"` // oldest first
	MessagesCut bool      `json:"messages_cut,omitempty"`
	PcapPath    string    `json:"pcap_path,omitempty"` // of the file that pcap_dump writes
}

// Timing is a delay of a call with its name: setup, post-dial, ringing, talk, disconnect.
type Timing struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
}

// Message is one message of a ladder.
type Message struct {
	Time      time.Time `json:"time"`
	Source    string    `json:"source" private:"addresses,address"`
	Dest      string    `json:"destination" private:"addresses,address"`
	Transport string    `json:"transport"`
	Line      string    `json:"line" private:"uris,line"` // the start line
	CSeq      string    `json:"cseq,omitempty" private:"errors,cseq"`
	Method    string    `json:"method,omitempty" private:"errors,word"` // of a request, or that the answer is to
	Code      int       `json:"code,omitempty"`
	Repeat    bool      `json:"repeat,omitempty"` // the same message on the same hop as one before
	SDP       bool      `json:"sdp,omitempty"`
	Bytes     int       `json:"bytes"`
}

// Binding is a contact of an AOR.
type Binding struct {
	AOR       string     `json:"aor" private:"uris,uri"`
	Contact   string     `json:"contact" private:"uris,uri"`
	Source    string     `json:"source,omitempty" private:"addresses,address"`
	Transport string     `json:"transport,omitempty"`
	UserAgent string     `json:"user_agent,omitempty" private:"user_agents,agent"`
	CallID    string     `json:"call_id,omitempty" private:"call_ids,call_id"`
	State     string     `json:"state"`
	Since     *time.Time `json:"since,omitempty"`
	Refreshed *time.Time `json:"refreshed,omitempty"`
	Expires   *time.Time `json:"expires,omitempty"`
	Refreshes int        `json:"refreshes,omitempty"`
	Anomalies []string   `json:"anomalies,omitempty"`
}

// BindingPage is a page of bindings.
type BindingPage struct {
	Page
	AORs     int       `json:"aors"`
	Bindings []Binding `json:"bindings"`
}

// Rate is a key of the table of rates: an event type of a source.
type Rate struct {
	Type       string       `json:"type"`
	Source     string       `json:"source" private:"addresses,address"` // address, or the /64 of IPv6
	Over       bool         `json:"over"`                               // events are held back
	Since      *time.Time   `json:"since,omitempty"`
	Suppressed uint64       `json:"suppressed"` // held since then
	Held       uint64       `json:"held"`       // held ever
	Seen       uint64       `json:"seen"`
	Last       time.Time    `json:"last"`
	Windows    []RateWindow `json:"windows"`
}

// RateWindow is what a key had in one window.
type RateWindow struct {
	Interval string  `json:"interval"` // as in the configuration: 1s, 1m
	Rate     float64 `json:"rate"`     // events in the sliding window
	Limit    float64 `json:"limit"`    // 0 measures only
}

// RatePage is a page of rates, those over their limit first.
type RatePage struct {
	Page
	Limits    []float64 `json:"limits"`
	Intervals []string  `json:"intervals"`
	ReportMin uint64    `json:"report_min"`
	ReportMax uint64    `json:"report_max"`
	Rates     []Rate    `json:"rates"`
}

// Measured are the intervals of the windows that each rate has: one of 0 is turned off.
func (p RatePage) Measured() (on []string) {
	for _, i := range p.Intervals {
		if i != "0" {
			on = append(on, i)
		}
	}
	return on
}

// Limits are the limits of rates, to be changed at run time. What is nil stays.
type Limits struct {
	Limits    []float64 `json:"limits,omitempty"`
	Intervals []string  `json:"intervals,omitempty"`
	ReportMin *uint64   `json:"report_min,omitempty"`
	ReportMax *uint64   `json:"report_max,omitempty"`
}

// TypeSwitch is an event type and what becomes of its events.
type TypeSwitch struct {
	Type        string `json:"type"`
	Meaning     string `json:"meaning"`
	Blacklisted bool   `json:"blacklisted"`
	Made        uint64 `json:"made"`
	Sent        uint64 `json:"sent"`
	HeldType    uint64 `json:"blacklisted_events"`
	HeldRate    uint64 `json:"held_by_rate"`
	HeldSource  uint64 `json:"held_by_source"`
}

// Offender is an entry of the source blacklist.
type Offender struct {
	Source     string     `json:"source" private:"addresses,address"` // address or network
	Origin     string     `json:"origin"`                             // rate, detection, hand
	Reason     string     `json:"reason"`
	Hits       uint64     `json:"hits"`
	Held       uint64     `json:"held"`
	First      time.Time  `json:"first"`
	Last       time.Time  `json:"last"`
	Expires    *time.Time `json:"expires,omitempty"`
	UserAgents []string   `json:"user_agents,omitempty" private:"user_agents,agent"`
	Country    string     `json:"country,omitempty" private:"geo,text"`
	City       string     `json:"city,omitempty" private:"geo,text"`
}

// OffenderPage is a page of offenders.
type OffenderPage struct {
	Page
	Offenders []Offender `json:"offenders"`
	Masked    bool       `json:"masked,omitempty"` // addresses are private: sources are named as they are shown here
}

// Alert is a finding.
type Alert struct {
	ID      string    `json:"id"`
	Time    time.Time `json:"time"`
	Type    string    `json:"type"`
	Status  string    `json:"status"` // new, old
	Source  string    `json:"source,omitempty" private:"addresses,address"`
	Message string    `json:"message" private:"errors,text"`
}

// AlertPage is a page of alerts.
type AlertPage struct {
	Page
	Alerts []Alert `json:"alerts"`
}

// MethodQuery asks for messages by minute. What is empty or nil is not looked at.
type MethodQuery struct {
	Method string // a request method, or a status code or class of answers (200, 4xx)
	CSeq   string // the method that answers are to
	Auth   *bool  // requests with credentials, or without
	ToTag  *bool
	From   time.Time
	To     time.Time
	Step   time.Duration // whole minutes; 0 is one
}

// MethodSeries is how many messages there were.
type MethodSeries struct {
	From  time.Time     `json:"from"`
	To    time.Time     `json:"to"`
	Step  string        `json:"step"`
	Rows  []MethodCount `json:"rows"`
	Total uint64        `json:"total"`
}

// MethodCount is one kind of message over the steps.
type MethodCount struct {
	Method string   `json:"method"` // of a request; of an answer its code
	CSeq   string   `json:"cseq"`
	Auth   int      `json:"auth"`  // 0, 1
	ToTag  int      `json:"totag"` // 0, 1
	Counts []uint64 `json:"counts"`
	Total  uint64   `json:"total"`
}

// EventSeries is events by type over time.
type EventSeries struct {
	From  time.Time    `json:"from"`
	To    time.Time    `json:"to"`
	Step  string       `json:"step"`
	Rows  []EventCount `json:"rows"`
	Total uint64       `json:"total"`
}

// EventCount is the events of a type over the steps.
type EventCount struct {
	Type   string   `json:"type"`
	Counts []uint64 `json:"counts"`
	Total  uint64   `json:"total"`
}

// Indicator is a service indicator (KPI) of one window.
type Indicator struct {
	Name        string   `json:"name"` // asr, ner, ...
	Title       string   `json:"title"`
	Unit        string   `json:"unit"`            // %, s, or "" for a count
	Value       *float64 `json:"value,omitempty"` // left out when too few samples say nothing
	Numerator   float64  `json:"numerator"`
	Denominator float64  `json:"denominator"`
	Source      string   `json:"source"` // where the formula stands
}

// IndicatorSet is the indicators of everything, or of one peer.
type IndicatorSet struct {
	Peer       string      `json:"peer" private:"addresses,peer"` // "" is all
	Window     string      `json:"window"`                        // 1m, 5m, 1h, 24h
	From       time.Time   `json:"from"`
	To         time.Time   `json:"to"`
	Indicators []Indicator `json:"indicators"`
}

// Health is what the program knows of its own state.
type Health struct {
	OK     bool    `json:"ok"`
	Checks []Check `json:"checks"`
}

// Check is one question of Health.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"` // a sentence
}

// Setting is one key of the running configuration. A secret's Value is not here.
type Setting struct {
	Key     string `json:"key"`
	Value   string `json:"value"`
	Default string `json:"default"`
	Meaning string `json:"meaning"`
	Reload  bool   `json:"reload"` // a reload takes it up; else a restart does
	Secret  bool   `json:"secret,omitempty"`
}

// Reloaded is what a reload of the configuration did.
type Reloaded struct {
	Changed []string `json:"changed"` // keys that are in effect now
	Restart []string `json:"restart"` // keys that differ and need a restart
}

// Injected is a message that somebody puts into the engine by hand.
type Injected struct {
	Message     string `json:"message"`     // the whole SIP message; lines end with CRLF, or LF alone
	Source      string `json:"source"`      // address and port; 127.0.0.1:5060
	Destination string `json:"destination"` // address and port
	Transport   string `json:"transport"`   // udp, tcp
}
