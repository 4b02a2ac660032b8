package cmd

import (
	"bufio"
	"bytes"
	"strconv"
	"strings"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// csvColumns are the columns of --format csv, by the names of docs/fields.md. The
// list is stable: a new column goes to its end.
var csvColumns = []string{
	"@timestamp", "event.action", "event.outcome", "event.reason",
	"source.ip", "source.port", "destination.ip", "destination.port", "network.transport",
	"sip.method", "sip.code", "sip.call_id",
	"sip.from.uri.original", "sip.to.uri.original", "sip.uri.original",
	"user.name", "user_agent.original", "sip.server.original",
	"event.start", "event.end", "event.duration",
	"sip.call.hangup_by", "sip.call.pdd_ms", "sip.call.ring_ms", "sip.call.setup_ms", "sip.call.duration_ms",
	"sip.q850.cause", "sip.sdp.codecs",
	"sip.registration.aor.original", "sip.registration.contact", "sip.registration.expires", "sip.registration.lifetime_s",
	"sip.incomplete", "sip.anomalies", "error.message", "event.sequence", "event.id",
}

// csvWriter writes RFC 4180 with a header line. Values of a list are joined by
// semicolons. A text from the wire that a spreadsheet would take for a formula gets
// an apostrophe in front: one that begins with = - @ or a tab, and one that begins
// with + unless only digits follow, which is a telephone number.
type csvWriter struct {
	w    *bufio.Writer
	rows []*event.Field
	b    []byte
}

func newCSV(w *bufio.Writer) printer {
	p := &csvWriter{w: w}
	for i, name := range csvColumns {
		p.rows = append(p.rows, fieldNamed(name))
		if i > 0 {
			p.b = append(p.b, ',')
		}
		p.b = append(p.b, name...)
	}
	w.Write(append(p.b, "\r\n"...))
	return p
}

func fieldNamed(name string) *event.Field {
	for i := range event.Fields {
		if event.Fields[i].Key == name {
			return &event.Fields[i]
		}
	}
	panic("cmd: no field " + name) // a test makes the table
}

// Put implements engine.Sink.
func (p *csvWriter) Put(e *event.Event) {
	b := p.b[:0]
	var v event.Value
	var text []byte
	for i, f := range p.rows {
		if i > 0 {
			b = append(b, ',')
		}
		f.Get(e, &v)
		text = appendText(text[:0], &v)
		b = appendCSV(b, text, fromWire(v.Form))
	}
	p.b = append(b, "\r\n"...)
	p.w.Write(p.b)
}

func (p *csvWriter) finish() {}

// fromWire tells whether somebody else chose the text.
func fromWire(f event.Form) bool {
	return f == event.Str || f == event.Quoted || f == event.Strs || f == event.DistinctTo
}

// appendText writes a value as a text.
func appendText(dst []byte, v *event.Value) []byte {
	switch v.Form {
	case event.Nothing:
		return dst
	case event.Str:
		return appendPlain(dst, v.Bytes)
	case event.Const:
		return append(dst, v.Text...)
	case event.Quoted:
		return appendPlain(dst, []byte(v.Text))
	case event.Int:
		return strconv.AppendInt(dst, v.Int, 10)
	case event.Float:
		return strconv.AppendFloat(dst, v.Float, 'f', -1, 64)
	case event.Bool:
		return strconv.AppendBool(dst, v.Int != 0)
	case event.Date:
		return event.AppendTime(dst, v.Int)
	case event.Addr:
		return v.Addr.AppendTo(dst)
	case event.IDHash:
		const digits = "0123456789abcdef"
		for _, c := range v.Hash {
			dst = append(dst, digits[c>>4], digits[c&15])
		}
		return dst
	case event.Codes:
		for n, ok := v.NextInt(); ok; n, ok = v.NextInt() {
			dst = append(strconv.AppendInt(dst, n, 10), ';')
		}
	case event.Strs, event.Consts, event.Addrs, event.Words, event.DistinctTo:
		for b, ok := v.Next(); ok; b, ok = v.Next() {
			dst = append(appendPlain(dst, b), ';')
		}
	}
	return bytes.TrimSuffix(dst, []byte(";"))
}

// appendCSV writes a cell.
func appendCSV(dst, text []byte, wire bool) []byte {
	s := string(text)
	if wire && isFormula(s) {
		s = "'" + s
	}
	if !strings.ContainsAny(s, "\",\r\n") {
		return append(dst, s...)
	}
	return append(append(append(dst, '"'), strings.ReplaceAll(s, `"`, `""`)...), '"')
}

func isFormula(s string) bool {
	if s == "" {
		return false
	}
	switch s[0] {
	case '=', '-', '@', '\t', '\r':
		return true
	case '+':
		return strings.Trim(s[1:], "0123456789") != "" || len(s) == 1
	}
	return false
}
