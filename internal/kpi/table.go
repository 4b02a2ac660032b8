package kpi

import "fmt"

// Indicator is a row of the table of indicators: docs/kpi.md is made of it.
type Indicator struct {
	Name    string
	Title   string
	Unit    string // %, s, or "" for a number
	Formula string // in words
	Source  string // where it comes from

	form form
	of   func(r *reading) (numerator, denominator float64)
	all  bool // of everything alone, not of a peer
	hist delay
	part float64 // of a quantile
}

// form is how the value comes of numerator and denominator.
type form uint8

const (
	ratio    form = iota // percent
	mean                 // the quotient
	count                // the numerator, however few
	rate                 // the quotient, however few
	quantile             // out of a histogram
)

// reading is a tally and what is needed to read it.
type reading struct {
	*tally
	s       *slots
	seconds float64 // that the tally is of
}

func (r *reading) get(c counter) float64 { return float64(r.n[c]) }

func (r *reading) sum(list []uint8) (n float64) {
	for _, slot := range list {
		n += float64(r.codes[slot])
	}
	return n
}

func (r *reading) answered() float64 { return float64(r.codes[answeredSlot]) }
func (r *reading) timeouts() float64 { return float64(r.codes[timeoutSlot]) }

// seized is all attempts but those that were redirected.
func (r *reading) seized() float64 { return r.get(attempts) - r.sum(r.s.redirected) }

// judged is all attempts but those that ser_exclude names.
func (r *reading) judged() float64 { return r.get(attempts) - r.sum(r.s.excluded) }

func (r *reading) registrations() float64 {
	return r.get(registered2xx) + r.get(registeredNot) + r.get(registeredTimeout)
}

const (
	rfc6076 = "RFC 6076"
	homer   = "HOMER"
	own     = "this program"
)

// Table is the indicators, in the order in which they are shown.
var Table = []Indicator{
	{Name: "attempts", Title: "Call attempts", Formula: "Attempts that were answered, refused, or timed out: call-start and call-attempt. What the end of a capture cut off is none.", Source: "counted", form: count,
		of: func(r *reading) (float64, float64) { return r.get(attempts), 0 }},
	{Name: "cps", Title: "Call attempts a second", Formula: "Attempts divided by the seconds of the window.", Source: "counted", form: rate,
		of: func(r *reading) (float64, float64) { return r.get(attempts), r.seconds }},
	{Name: "concurrent", Title: "Calls up, at most", Formula: "The most calls that were up at a time, of those that started since the program did.", Source: "counted", form: count, all: true,
		of: func(r *reading) (float64, float64) { return float64(r.peak), 0 }},
	{Name: "asr", Title: "Answer-seizure ratio", Unit: "%", Formula: "Answered attempts of all attempts but those that ended with 3xx.", Source: homer + "; a challenge and the INVITE with credentials are one attempt already", form: ratio,
		of: func(r *reading) (float64, float64) { return r.answered(), r.seized() }},
	{Name: "asr_raw", Title: "Answer-seizure ratio, of all", Unit: "%", Formula: "Answered attempts of all attempts.", Source: "ITU-T E.411, E.437", form: ratio,
		of: func(r *reading) (float64, float64) { return r.answered(), r.get(attempts) }},
	{Name: "ner", Title: "Network effectiveness ratio", Unit: "%", Formula: "Attempts that were answered, or ended with a code of `kpi.ner_codes`, of all attempts but those that ended with 3xx. With no-answer in the list, a 408 or a timeout behind a 180 to 183 counts too.", Source: homer + "; ITU-T E.437", form: ratio,
		of: func(r *reading) (float64, float64) {
			effective := r.answered() + r.sum(r.s.ner)
			if r.s.noAnswer {
				effective = min(effective+r.get(noAnswer), r.seized())
			}
			return effective, r.seized()
		}},
	{Name: "ser", Title: "Session establishment ratio", Unit: "%", Formula: "Answered attempts of all attempts but those that ended with a code of `kpi.ser_exclude`.", Source: rfc6076, form: ratio,
		of: func(r *reading) (float64, float64) { return r.answered(), r.judged() }},
	{Name: "seer", Title: "Session establishment effectiveness ratio", Unit: "%", Formula: "Attempts that were answered, or ended with 480, 486, 600 or 603, of all attempts but those that ended with a code of `kpi.ser_exclude`.", Source: rfc6076, form: ratio,
		of: func(r *reading) (float64, float64) { return r.answered() + r.sum(r.s.seer), r.judged() }},
	{Name: "isa", Title: "Ineffective session attempts", Unit: "%", Formula: "Attempts that ended with 408, 500, 503 or 504, or timed out, of all attempts.", Source: rfc6076, form: ratio,
		of: func(r *reading) (float64, float64) { return r.sum(r.s.isa) + r.timeouts(), r.get(attempts) }},
	{Name: "isa_count_homer", Title: "Ineffective session attempts, a count", Formula: "Attempts that ended with 408, 500 or 503.", Source: homer, form: count,
		of: func(r *reading) (float64, float64) { return r.sum(r.s.isaHomer), r.get(attempts) }},
	{Name: "sd", Title: "Session defects", Unit: "%", Formula: "Attempts that ended with 500, 503 or 504, of all attempts. HOMER's count is the numerator.", Source: homer, form: ratio,
		of: func(r *reading) (float64, float64) { return r.sum(r.s.sd), r.get(attempts) }},
	{Name: "timeouts", Title: "Attempts without an answer", Unit: "%", Formula: "Attempts that timed out (Timer B, Timer C), of all attempts.", Source: "counted", form: ratio,
		of: func(r *reading) (float64, float64) { return r.timeouts(), r.get(attempts) }},
	{Name: "ssr", Title: "Session success ratio", Unit: "%", Formula: "Answered calls that ended as calls do, of all calls that ended and attempts that failed. They do not with a Q.850 cause other than 16, 17 and 31, when they timed out, or when the ACK was missing.", Source: homer + " names it; the formula is ours", form: ratio,
		of: func(r *reading) (float64, float64) { return r.get(successes), r.get(over) }},
	{Name: "scr", Title: "Session completion ratio", Unit: "%", Formula: "Attempts that failed by an answer, and answered calls whose BYE was answered, of all calls that ended and attempts that failed. A call counts when it ends.", Source: rfc6076, form: ratio,
		of: func(r *reading) (float64, float64) { return r.get(completed), r.get(over) }},
	delayMean("pdd", pdd, "Post-dial delay", "From the first INVITE to the first 180 to 183, of attempts that had one.", own),
	delayPart("pdd", pdd, "Post-dial delay"),
	delayMean("srd", srd, "Session request delay", "From the first INVITE to the first 180 to 183, else to the 2xx, of answered attempts.", rfc6076),
	delayPart("srd", srd, "Session request delay"),
	delayMean("sfd", sfd, "Session request delay of failures", "From the first INVITE to the final answer, of attempts that did not end with 3xx, 401, 402 or 407; to the end of Timer B without any answer.", rfc6076),
	delayPart("sfd", sfd, "Session request delay of failures"),
	delayMean("ring", ring, "Ringing", "From the first 180 to 183 to the end of the attempt.", own),
	delayMean("sdt", sdt, "Session duration (ACD)", "From the 2xx to the BYE, of calls whose answer was seen.", rfc6076),
	delayMean("sdd", sdd, "Session disconnect delay", "From the BYE to its answer, 32 s without one.", rfc6076),
	delayPart("sdd", sdd, "Session disconnect delay"),
	short("6s", "6 s", short6), short("20s", "20 s", short20), short("60s", "60 s", short60), short("180s", "180 s", short180),
	{Name: "ahr", Title: "Hops of an INVITE", Formula: "The mean number of Via values of an INVITE where it was captured.", Source: homer, form: mean, of: hopsMean},
	{Name: "ahr_p95", Title: "Hops of an INVITE, 95 %", Formula: "So many Via values had 95 % of INVITEs at most.", Source: homer, form: quantile, of: hopsPart},
	{Name: "ahr_max", Title: "Hops of an INVITE, the most", Formula: "The most Via values that an INVITE had.", Source: homer, form: count, of: hopsMost},
	{Name: "ahr_max_forwards", Title: "Hops of an INVITE, by Max-Forwards", Formula: "The mean of 70 less Max-Forwards: hops since the caller, where he began with 70.", Source: own, form: mean,
		of: func(r *reading) (float64, float64) { return r.get(forwarded), r.get(forwards) }},
	{Name: "rsr", Title: "Registration success ratio", Unit: "%", Formula: "2xx answers to REGISTER, of those and what ira counts.", Source: own, form: ratio,
		of: func(r *reading) (float64, float64) { return r.get(registered2xx), r.registrations() }},
	{Name: "ira", Title: "Ineffective registration attempts", Unit: "%", Formula: "4xx but 401, 402 and 407, 5xx and 6xx answers to REGISTER, and REGISTERs without an answer, of those and 2xx answers. Answers are counted as messages: one that passes two legs is two.", Source: rfc6076, form: ratio,
		of: func(r *reading) (float64, float64) {
			return r.get(registeredNot) + r.get(registeredTimeout), r.registrations()
		}},
	delayMean("rrd", rrd, "Registration request delay", "From the REGISTER (with credentials) to its 2xx, of new bindings; a refresh makes no event.", rfc6076),
	delayPart("rrd", rrd, "Registration request delay"),
	{Name: "options_availability", Title: "OPTIONS answered", Unit: "%", Formula: "OPTIONS outside calls that got any final answer, of those that were sent. They count for the peer that was asked.", Source: own, form: ratio,
		of: func(r *reading) (float64, float64) { return r.get(optionsAnswered), r.get(options) }},
	delayMean("ord", ord, "OPTIONS response delay", "From an OPTIONS outside calls to its final answer.", own),
	{Name: "retransmissions_invite", Title: "INVITEs sent again", Unit: "%", Formula: "Retransmitted INVITEs of attempts, of them and the attempts.", Source: own, form: ratio,
		of: func(r *reading) (float64, float64) { return r.get(inviteRepeats), r.get(invites) }},
	{Name: "retransmissions_other", Title: "Other requests sent again", Unit: "%", Formula: "Retransmissions of requests that made an other-ok, other-failed or other-timeout, of them and the requests.", Source: own, form: ratio,
		of: func(r *reading) (float64, float64) { return r.get(otherRepeats), r.get(others) }},
	{Name: "auth_failed", Title: "Failed authentications", Formula: "auth-failed events. A call that failed by a wrong password is one of them, and no attempt.", Source: "counted", form: count,
		of: func(r *reading) (float64, float64) { return r.get(authFailed), 0 }},
	share(400), share(408), share(413), share(420), share(481), share(482), share(483), share(488), share(513),
}

// OfAll reports whether no single peer has the indicator.
func (i *Indicator) OfAll() bool { return i.all }

// Prefix is what the fields of records begin with.
const Prefix = "sip.kpi."

// Field is a field of the records.
type Field struct{ Name, Description string }

// Fields are those of an indicator: its value, where there were enough samples, its
// numerator, and its denominator where it has one.
func (i *Indicator) Fields() []Field {
	unit := ""
	switch {
	case i.Unit == "%":
		unit = ", in percent"
	case i.Unit == "s":
		unit = ", in seconds"
	}
	fields := []Field{{Prefix + i.Name + ".value", i.Title + unit + "."}}
	if i.form == count {
		return fields
	}
	return append(fields,
		Field{Prefix + i.Name + ".numerator", i.Title + ": what is divided."},
		Field{Prefix + i.Name + ".denominator", i.Title + ": what it is divided by."})
}

// Counted reports whether the value alone says everything.
func (i *Indicator) Counted() bool { return i.form == count }

func delayMean(name string, d delay, title, formula, source string) Indicator {
	return Indicator{Name: name, Title: title, Unit: "s", Formula: "The mean. " + formula, Source: source, form: mean,
		of: func(r *reading) (float64, float64) { return r.delays[d].seconds(), float64(r.delays[d].n) }}
}

func delayPart(name string, d delay, title string) Indicator {
	return Indicator{Name: name + "_p95", Title: title + ", 95 %", Unit: "s", Source: own, form: quantile, hist: d, part: 0.95,
		Formula: "95 % were no longer, to some percent. The numerator is how many these are."}
}

func short(name, title string, c counter) Indicator {
	return Indicator{Name: "short_calls_" + name, Title: "Calls shorter than " + title, Unit: "%", Source: own, form: ratio,
		Formula: "Calls that sdt counts and that lasted less than " + title + ", of all that it counts.",
		of:      func(r *reading) (float64, float64) { return r.get(c), float64(r.delays[sdt].n) }}
}

func share(code int) Indicator {
	at := 0
	for shared[at] != code {
		at++
	}
	return Indicator{Name: fmt.Sprint("share_", code), Title: fmt.Sprintf("Answers %d", code), Unit: "%", Source: homer + "'s alarms", form: ratio, all: true,
		Formula: fmt.Sprintf("Answers %d of all answers, as messages.", code),
		of:      func(r *reading) (float64, float64) { return float64(r.shares[at]), r.get(responses) }}
}

func hopsMean(r *reading) (sum, n float64) {
	for hops, c := range r.hops {
		sum += float64(hops) * float64(c)
		n += float64(c)
	}
	return sum, n
}

// hopsPart gives the value as the numerator, for there is one for each number of hops.
func hopsPart(r *reading) (hops, n float64) {
	_, n = hopsMean(r)
	below := 0.0
	for i, c := range r.hops {
		if below += float64(c); below >= 0.95*n {
			return float64(i), n
		}
	}
	return 0, n
}

func hopsMost(r *reading) (most, n float64) {
	_, n = hopsMean(r)
	for i, c := range r.hops {
		if c > 0 {
			most = float64(i)
		}
	}
	return most, n
}
