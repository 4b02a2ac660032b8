package event

import (
	"slices"
	"strings"
)

// The names of the older program (2019 to 2024), for dashboards that exist: schema:
// legacy writes them instead of those that came in their place. What the older program
// did not have keeps its name, and the record of a single message has none.

// OlderName is a row of the table: an older field, and what says the same here.
type OlderName struct {
	Key     string // of the older program; one that ends in * stands for all that begin so
	Mapping string // as its template had it; "" where this version cannot say it yet
	Here    string // the fields here, with commas between
	Note    string
	get     func(e *Event, v *Value)
	in      types
}

// Older is the table. docs/upgrade.md is made of it, and the fields of schema: legacy.
var Older = []OlderName{
	{"type", keyword, "event.action", "", field("event.action"), anyType},
	{"sip.from", keyword, "sip.from.uri.original", "the other parts of From are left out: a text and an object cannot have one name", field("sip.from.uri.original"), messages},
	{"sip.to", keyword, "sip.to.uri.original", "as sip.from", field("sip.to.uri.original"), messages},
	{"sip.contact", keyword, "sip.contact.uri.original", "as sip.from", field("sip.contact.uri.original"), messages},
	{"sip.fromtag", keyword, "sip.from.tag", "", field("sip.from.tag"), messages},
	{"sip.totag", keyword, "sip.to.tag", "", field("sip.to.tag"), messages},
	{"sip.request.method", keyword, "sip.method", "", field("sip.method"), messages},
	{"uri.original", keyword, "url.original, url.full", "sip.uri.original stays", field("url.original"), messages},
	{"sip.response.status", keyword, "sip.code", "of call-start, call-attempt, reg-new and auth-failed", field("sip.code"), began},
	{"sip.response.last", keyword, "sip.code, sip.call.last_code", "of all others", func(e *Event, v *Value) {
		v.positive(int64(e.Last))
		if e.Last == 0 {
			v.positive(int64(e.Code))
		}
	}, messages &^ began},
	{"sip.sip_reason", keyword, "event.reason, sip.status", "", field("event.reason"), messages},
	{"sip.pai1", keyword, "sip.pai", "the first", listed(0), messages},
	{"sip.pai2", keyword, "sip.pai", "the second; those behind it are left out", listed(1), messages},
	{"sip.originator", keyword, "sip.call.hangup_by", "caller-, callee- or timeout-terminated; of two BYEs that cross, caller-terminated; left out where it is unknown", func(e *Event, v *Value) {
		v.constant([...]string{Caller: "caller-terminated", Callee: "callee-terminated", Both: "caller-terminated", ByTimeout: "timeout-terminated", SideUnknown: ""}[e.Side])
	}, 1 << CallEnd},
	{"sip.unmatched_invite", boolean, "sip.incomplete", "true where it holds invite; sip.incomplete stays", func(e *Event, v *Value) {
		v.flag(e.Incomplete&NoInvite != 0)
	}, 1 << CallEnd},
	{"sip.pdd", long, "sip.call.pdd_ms", "whole milliseconds; left out where it is not known", whole(func(e *Event) int64 { return e.PDD }, 1e6), calls},
	{"sip.ring_time", long, "sip.call.ring_ms", "as sip.pdd", whole(func(e *Event) int64 { return e.Ring }, 1e6), calls},
	{"sip.fr_delay", long, "sip.transaction.delay_ms", "as sip.pdd", whole(func(e *Event) int64 { return e.Delay }, 1e6), messages},
	{"event.duration", long, "event.duration, sip.call.duration_ms", "whole seconds in place of nanoseconds; of call-end alone", whole(func(e *Event) int64 {
		if e.Start == 0 || e.End == 0 {
			return absent
		}
		return max(e.End-e.Start, 0)
	}, 1e9), 1 << CallEnd},
	{"event.min_length", long, "sip.call.duration_min", "whole seconds", whole(func(e *Event) int64 { return e.DurationMin }, 1e9), 1 << CallEnd},
	{"event.duration2", "", "event.duration", "one duration is enough", nil, 0},
	{"event.duration3", "", "event.duration", "as event.duration2", nil, 0},
	{"event.lifetime", long, "sip.registration.lifetime_s", "whole seconds", whole(func(e *Event) int64 {
		if e.LifetimeMin {
			return absent
		}
		return e.Lifetime
	}, 1e9), regs},
	{"event.min_lifetime", long, "sip.registration.lifetime_min_s", "whole seconds", whole(func(e *Event) int64 {
		if !e.LifetimeMin {
			return absent
		}
		return e.Lifetime
	}, 1e9), regs},
	{"uas.original", keyword, "sip.server.original", "", field("sip.server.original"), messages},
	{"client.transport", keyword, "network.transport, sip.via.transport", "", field("network.transport"), anyType},
	{"server.transport", keyword, "network.transport, sip.via.transport", "", field("network.transport"), anyType},
	{"attrs.filename", keyword, "sip.pcap.path", "", field("sip.pcap.path"), anyType},
	{"err_info", keyword, "error.message", "", field("error.message"), anyType},
	{"rate.exceeded", long, "sipcmbeat.rate.exceeded", "", field("sipcmbeat.rate.exceeded"), rated},
	{"rate.ex_diff", long, "sipcmbeat.rate.suppressed", "without the event itself", field("sipcmbeat.rate.suppressed"), rated},
	{"rate.crt", double, "sipcmbeat.rate.current", "", field("sipcmbeat.rate.current"), rated},
	{"rate.lim", double, "sipcmbeat.rate.limit", "", field("sipcmbeat.rate.limit"), rated},
	{"rate.period", long, "sipcmbeat.rate.period", "milliseconds in place of 1m", func(e *Event, v *Value) { v.positive(e.Rate.Nanos / 1e6) }, rated},
	{"rate.since", date, "sipcmbeat.rate.since", "", field("sipcmbeat.rate.since"), rated},
	{"rate.key", keyword, "sipcmbeat.rate.key", "", field("sipcmbeat.rate.key"), rated},
	{"geoip.*", "", "", "not in this version yet: addresses are not looked up", nil, 0},
	{"encrypt", "", "sipcmbeat.privacy.key_id", "another cipher, and the id of its key; sipcmbeat.privacy.key_id stays", nil, 0},
	{"encrypt_flags", "", "sipcmbeat.privacy.fields", "words such as addresses:encrypt in place of bits; sipcmbeat.privacy.fields stays", nil, 0},
	{"dbg.*", "", "", "not in this version: the states of another program", nil, 0},
	{"counters.*", "", "", "not in this version yet: there are no statistics records; the log has a line a minute", nil, 0},
}

// began are the types whose code the older program called status.
const began types = 1<<CallStart | 1<<CallAttempt | 1<<RegNew | 1<<AuthFailed

// OlderTypes are fields whose name is the older one, and whose mapping was another.
var OlderTypes = map[string]string{"client.ip": keyword, "client.port": keyword, "server.ip": keyword, "server.port": keyword}

// kept stay in schema: legacy although an older field says the same: other rows, and
// those who look for what is missing, need them.
var kept = []string{"sip.incomplete", "sipcmbeat.privacy.key_id", "sipcmbeat.privacy.fields"}

// shadowed are objects whose names the older program gave to texts.
var shadowed = []string{"sip.from.", "sip.to.", "sip.contact."}

// OlderFields is the table of fields of schema: legacy.
func OlderFields() []Field {
	var gone []string
	for i := range Older {
		gone = append(gone, strings.Split(Older[i].Here, ", ")...)
	}
	var fields []Field
	for _, f := range Fields {
		in := f.in &^ (1 << Message)
		if slices.ContainsFunc(shadowed, func(s string) bool { return strings.HasPrefix(f.Key, s) }) ||
			slices.Contains(gone, f.Key) && !slices.Contains(kept, f.Key) || in == 0 {
			continue
		}
		f.in = in
		if mapping, ok := OlderTypes[f.Key]; ok {
			f.Mapping = mapping
		}
		fields = append(fields, f)
	}
	for i := range Older {
		if o := &Older[i]; o.get != nil {
			fields = append(fields, Field{row{o.Key, o.Mapping, o.secrecy(), o.get}, o.in &^ (1 << Message)})
		}
	}
	return sorted(fields)
}

// secrecy is that of what says the same here.
func (o *OlderName) secrecy() Secrecy {
	here, _, _ := strings.Cut(o.Here, ",")
	for i := range Fields {
		if Fields[i].Key == here {
			return Fields[i].Secrecy
		}
	}
	return public
}

// field reads what a field of this version says.
func field(key string) func(*Event, *Value) {
	i := slices.IndexFunc(Fields, func(f Field) bool { return f.Key == key })
	if i < 0 {
		panic("event: no field " + key) // a test makes the table
	}
	get := Fields[i].get
	return func(e *Event, v *Value) { get(e, v) }
}

// listed is one of the P-Asserted-Identity values.
func listed(n int) func(*Event, *Value) {
	return func(e *Event, v *Value) {
		l := e.PAI
		for i := 0; ; i++ {
			b, ok := e.Next(&l)
			if !ok {
				return
			}
			if i == n {
				v.Form, v.Bytes = Str, b
				return
			}
		}
	}
}

// whole is a span of nanoseconds in a larger unit, without a fraction.
func whole(of func(*Event) int64, unit int64) func(*Event, *Value) {
	return func(e *Event, v *Value) {
		if ns := of(e); ns != absent {
			v.integer(ns / unit)
		}
	}
}
