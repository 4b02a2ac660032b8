package cmd

import (
	"bufio"
	"fmt"
	"strconv"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// table writes one line an event for a person: when, what, who to whom, the code
// and its reason, how long, who hung up, and what was not seen. Columns have fixed
// widths, so that lines come as events do; ~ ends what did not fit.
type table struct {
	w      *bufio.Writer
	colour bool
	day    int64 // of the last line, in days since 1970
	begun  bool
	counts [event.NumTypes]uint64
	b, s   []byte
}

// Widths of the columns, in characters.
const (
	timeWidth  = 12
	typeWidth  = 12
	partyWidth = 24
	whatWidth  = 28
	spanWidth  = 8
	sideWidth  = 7
)

func newTable(w *bufio.Writer, colour bool) *table { return &table{w: w, colour: colour} }

// Put implements engine.Sink.
func (t *table) Put(e *event.Event) {
	t.counts[e.Type]++
	at := time.Unix(0, e.Time).UTC()
	if day := e.Time / int64(24*time.Hour); !t.begun || day != t.day {
		t.heading(at)
		t.begun, t.day = true, day
	}
	b := t.b[:0]
	b = t.paint(b, e)
	b = at.AppendFormat(b, "15:04:05.000")
	b = append(b, "  "...)
	b = appendEvent(b, e, &t.s)
	for b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	if t.colour {
		b = append(b, "\x1b[0m"...)
	}
	t.b = append(b, '\n')
	t.w.Write(t.b)
}

// heading names the day and the columns.
func (t *table) heading(at time.Time) {
	if t.begun {
		t.w.WriteByte('\n')
	}
	fmt.Fprintf(t.w, "%s\n%-*s  %-*s  %-*s    %-*s  %-*s  %*s  %-*s  %s\n", at.Format("Monday, 2 January 2006, UTC"),
		timeWidth, "TIME", typeWidth, "EVENT", partyWidth, "FROM", partyWidth, "TO", whatWidth, "WHAT",
		spanWidth, "LASTED", sideWidth, "ENDED", "LABELS")
}

// paint sets the colour of a line.
func (t *table) paint(b []byte, e *event.Event) []byte {
	if !t.colour {
		return b
	}
	switch e.Type {
	case event.CallAttempt, event.OtherFailed, event.OtherTimeout, event.RegExpired:
		return append(b, "\x1b[33m"...)
	case event.AuthFailed, event.ParseError, event.MsgProbe:
		return append(b, "\x1b[31m"...)
	case event.CallStart:
		return append(b, "\x1b[32m"...)
	}
	return append(b, "\x1b[39m"...)
}

// finish writes how many there were.
func (t *table) finish() {
	var sum uint64
	for _, n := range t.counts {
		sum += n
	}
	if sum == 0 {
		fmt.Fprintln(t.w, "no events")
		return
	}
	fmt.Fprintf(t.w, "\n%s", events(sum))
	sep := ": "
	for typ, n := range t.counts {
		if n > 0 {
			fmt.Fprintf(t.w, "%s%d %v", sep, n, event.Type(typ))
			sep = ", "
		}
	}
	t.w.WriteByte('\n')
}

func events(n uint64) string {
	if n == 1 {
		return "1 event"
	}
	return strconv.FormatUint(n, 10) + " events"
}

// appendEvent writes an event behind its time. s is scratch space.
func appendEvent(b []byte, e *event.Event, s *[]byte) []byte {
	b = pad(b, append((*s)[:0], e.Type.String()...), typeWidth)
	b = append(b, "  "...)
	*s = appendFrom((*s)[:0], e)
	b = pad(b, *s, partyWidth)
	b = append(b, " -> "...)
	*s = appendTo((*s)[:0], e)
	b = pad(b, *s, partyWidth)
	b = append(b, "  "...)
	*s = appendWhat((*s)[:0], e)
	b = pad(b, *s, whatWidth)
	b = append(b, "  "...)
	span := appendSpan((*s)[:0], e)
	for n := len(span); n < spanWidth; n++ {
		b = append(b, ' ')
	}
	b = append(append(b, span...), "  "...)
	b = pad(b, append((*s)[:0], e.Side.String()...), sideWidth)
	b = append(b, "  "...)
	return appendLabels(b, e)
}

// appendFrom says who began.
func appendFrom(b []byte, e *event.Event) []byte {
	if e.Type == event.RateCalm {
		return event.AppendSource(b, e.Rate.Source)
	}
	uri := &e.From.URI
	if e.AOR.All.Len() > 0 {
		uri = &e.AOR
	}
	return appendParty(b, e, uri, endText(e.Src))
}

// appendTo says with whom: the number that was called, or the contact.
func appendTo(b []byte, e *event.Event) []byte {
	if e.Type == event.RateCalm {
		return append(b, '-') // with whom: with anybody
	}
	l := e.Contacts
	if contact, ok := e.Next(&l); ok {
		return appendPlain(b, shortURI(contact))
	}
	if user, _ := userOf(e, &e.RequestURI); len(user) > 0 {
		return appendParty(b, e, &e.RequestURI, "")
	}
	return appendParty(b, e, &e.To.URI, endText(e.Dst))
}

func appendParty(b []byte, e *event.Event, u *event.URI, otherwise string) []byte {
	user, host := userOf(e, u)
	switch {
	case len(user) == 0 && len(host) == 0:
		return append(b, otherwise...)
	case len(user) == 0:
		return appendPlain(b, host)
	case len(host) == 0:
		return appendPlain(b, user)
	}
	return appendPlain(append(appendPlain(b, user), '@'), host)
}

// shortURI leaves out scheme and parameters.
func shortURI(b []byte) []byte {
	for _, scheme := range []string{"sip:", "sips:", "tel:"} {
		if len(b) > len(scheme) && string(b[:len(scheme)]) == scheme {
			b = b[len(scheme):]
			break
		}
	}
	for i, c := range b {
		if c == ';' || c == '?' || c == '>' {
			return b[:i]
		}
	}
	return b
}

// appendWhat says what decided.
func appendWhat(b []byte, e *event.Event) []byte {
	if r := &e.Rate; e.Type == event.RateCalm {
		b = append(strconv.AppendUint(b, r.Total, 10), ' ')
		if r.Type != event.None {
			b = append(append(b, r.Type.String()...), ' ')
		}
		return append(append(b, "held, "...), r.Ended.String()...)
	}
	if e.Error.Len() > 0 {
		return appendPlain(b, e.Bytes(e.Error))
	}
	b = appendPlain(b, e.Bytes(e.Method))
	if e.Code != 0 {
		b = append(b, ' ')
		b = strconv.AppendUint(b, uint64(e.Code), 10)
		b = append(b, ' ')
		b = appendPlain(b, e.Bytes(e.Status))
	}
	if e.Timer != 0 && e.Code == 0 {
		b = append(append(b, " no answer, timer "...), e.Timer)
	}
	return b
}

// appendSpan says how long it took.
func appendSpan(b []byte, e *event.Event) []byte {
	switch {
	case e.Type == event.Message: // it takes no time
	case e.Start != 0 && e.End != 0:
		return appendDuration(b, time.Duration(max(e.End-e.Start, 0)))
	case e.DurationMin >= 0 && e.Type == event.CallEnd:
		return appendDuration(append(b, '>'), time.Duration(e.DurationMin))
	}
	return b
}

// appendDuration writes three or four digits: 350ms, 62.1s, 12m05s, 3h07m.
func appendDuration(b []byte, d time.Duration) []byte {
	switch {
	case d < time.Millisecond:
		return append(strconv.AppendFloat(b, float64(d)/1e6, 'f', 2, 64), "ms"...)
	case d < time.Second:
		return append(strconv.AppendInt(b, d.Milliseconds(), 10), "ms"...)
	case d < 10*time.Minute:
		return append(strconv.AppendFloat(b, d.Seconds(), 'f', 1, 64), 's')
	case d < time.Hour:
		return fmt.Appendf(b, "%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Appendf(b, "%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}

// appendLabels writes what was not seen in brackets, then what does not comply.
func appendLabels(b []byte, e *event.Event) []byte {
	for i, word := range event.IncompleteWords {
		if e.Incomplete>>i&1 == 1 {
			b = append(append(append(b, '['), word.Word...), "] "...)
		}
	}
	if e.Emergency {
		b = append(b, "EMERGENCY "...)
	}
	for i, word := range event.AnomalyWords {
		if e.Anomalies>>i&1 == 1 {
			b = append(append(b, word.Word...), ' ')
		}
	}
	return b
}
