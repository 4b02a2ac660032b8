package event

import "net/netip"

// Rate is what is said of the limit that a record came near, or went beyond, or that
// held others of its kind back. It is not kept with a record: package limit sets it when
// the record leaves. It owns nothing; its texts are constants of the limits.
type Rate struct {
	By    HeldBy
	Ended RateEnd // of rate-calm alone
	Type  Type    // whose events are meant; None is all of the source

	Source     netip.Prefix // whose: an address, a /64 of IPv6, or a network
	Exceeded   uint64       // events over the limit since Since
	Suppressed uint64       // held since the last record of the key that left
	Total      uint64       // held since Since

	// Of the window that is furthest over its limit.
	Current float64 // events in the window
	Limit   float64
	Period  string // its length as the configuration has it
	Nanos   int64  // the same

	Since int64 // the first event over the limit, Unix time in nanoseconds
}

// HeldBy is what holds events of a key back.
type HeldBy uint8

// Not held: no limit is near.
const (
	NotHeld HeldBy = iota
	ByRate
	BySource
)

// String is the value of sipcmbeat.rate.by.
func (h HeldBy) String() string { return [...]string{"", "rate", "source"}[h] }

// RateEnd is why a rate-calm is said.
type RateEnd uint8

// The ends.
const (
	NotEnded      RateEnd = iota
	Calm                  // the rate is back under its limits
	RateEvicted           // the table of rates was full
	RateForgotten         // somebody forgot the key, or took the source off the blacklist
	RateExpired           // the source's time on the blacklist is over
	RateStopped           // the run ends, or its clock was set back
)

// String is the value of sipcmbeat.rate.ended.
func (r RateEnd) String() string {
	return [...]string{"", "calm", "evicted", "forgotten", "expired", "stopped"}[r]
}

// rated are the types that a limit is asked about.
const rated = anyType &^ (1 << Message)

var rates = []row{
	{"sipcmbeat.rate.by", keyword, public, func(e *Event, v *Value) { v.constant(e.Rate.By.String()) }},
	{"sipcmbeat.rate.current", double, public, func(e *Event, v *Value) {
		if e.Rate.Limit > 0 {
			v.thousandths(e.Rate.Current)
		}
	}},
	{"sipcmbeat.rate.exceeded", long, public, func(e *Event, v *Value) { v.positive(int64(e.Rate.Exceeded)) }},
	{"sipcmbeat.rate.key", keyword, private, func(e *Event, v *Value) { v.rateKey(e) }},
	{"sipcmbeat.rate.limit", double, public, func(e *Event, v *Value) {
		if e.Rate.Limit > 0 {
			v.thousandths(e.Rate.Limit)
		}
	}},
	{"sipcmbeat.rate.period", keyword, public, func(e *Event, v *Value) { v.constant(e.Rate.Period) }},
	{"sipcmbeat.rate.since", date, public, func(e *Event, v *Value) { v.date(e.Rate.Since) }},
	{"sipcmbeat.rate.suppressed", long, public, func(e *Event, v *Value) {
		if e.Rate.Exceeded > 0 {
			v.integer(int64(e.Rate.Suppressed))
		}
	}},
	{"sipcmbeat.rate.total", long, public, func(e *Event, v *Value) {
		if e.Rate.Exceeded > 0 {
			v.integer(int64(e.Rate.Total))
		}
	}},
	{"sipcmbeat.rate.type", keyword, public, func(e *Event, v *Value) {
		if e.Rate.By != NotHeld && e.Rate.Type != None {
			v.constant(Kinds[e.Rate.Type].Name)
		}
	}},
}

var calm = []row{
	{"sipcmbeat.rate.ended", keyword, public, func(e *Event, v *Value) { v.constant(e.Rate.Ended.String()) }},
}

// rateKey writes the key of a rate: the type, a colon, the source.
func (v *Value) rateKey(e *Event) {
	r := &e.Rate
	if r.By == NotHeld {
		return
	}
	b := v.long[:0]
	if r.Type != None {
		b = append(append(b, Kinds[r.Type].Name...), ':')
	}
	b = AppendSource(b, r.Source)
	v.long, v.Form, v.Bytes = b, Str, b
}

// AppendSource writes a network, one of a single address as that address.
func AppendSource(dst []byte, p netip.Prefix) []byte {
	if p.IsSingleIP() {
		return p.Addr().AppendTo(dst)
	}
	return p.AppendTo(dst)
}

// thousandths renders a number that is not negative with three digits behind the point.
func (v *Value) thousandths(x float64) {
	n := int64(x*1e3 + 0.5)
	v.Form, v.Float, v.Int, v.Digits = Float, float64(n)/1e3, n, 3
}
