package event

import (
	"bytes"
	"slices"
	"strings"
)

// Schema is which fields leave, and under which names: the table of fields, or the older
// one, and the headers that the configuration names.
type Schema struct {
	Fields []Field
	plans  [NumTypes][]step
}

// Native are the fields of this version, without headers.
var Native = NewSchema(Fields, nil)

// NewSchema makes a schema of a table of fields, which it copies, and of headers.
func NewSchema(fields []Field, headers []string) *Schema {
	s := &Schema{Fields: slices.Clone(fields)}
	for _, name := range headers {
		s.Fields = append(s.Fields, HeaderField(name))
	}
	s.Fields = sorted(s.Fields)
	for t := range NumTypes {
		s.plans[t] = plan(s.Fields, t)
	}
	return s
}

// plan is the way through a record of one type.
func plan(fields []Field, t Type) (steps []step) {
	for i := range fields {
		if fields[i].In(t) {
			steps = append(steps, step{field: &fields[i], names: quoted("", fields[i].Key), commas: quoted(",", fields[i].Key)})
		}
	}
	for i := range max(len(steps)-1, 0) {
		s, before := &steps[i+1], steps[i].names
		for s.shared < min(len(s.names), len(before))-1 && s.names[s.shared] == before[s.shared] {
			s.shared++
		}
	}
	return steps
}

// The bounds of headers that the configuration names.
const (
	MaxHeaders     = 16
	MaxHeaderName  = 64
	MaxHeaderValue = 256 // bytes; what is beyond is cut
)

// HeaderPrefix is what stands before the name of such a header, which is in lower case.
const HeaderPrefix = "sip.header."

// HeaderField is the row of one header.
func HeaderField(name string) Field {
	prefix := []byte(strings.ToLower(name) + ":")
	return Field{row{HeaderPrefix + strings.ToLower(name), keyword, asText, func(e *Event, v *Value) {
		l := e.Headers
		for b, ok := e.Next(&l); ok; b, ok = e.Next(&l) {
			if bytes.HasPrefix(b, prefix) {
				v.Form, v.Bytes = Str, b[len(prefix):]
				return
			}
		}
	}}, messages}
}

// AddHeader keeps a header behind its name, so that a record that outlives a run says
// what it is of, whatever the configuration names then. named is the name in lower case
// and a colon; dst is room to write in, which is given back.
func (e *Event) AddHeader(dst []byte, named string, value []byte) []byte {
	if len(value) > MaxHeaderValue {
		value = value[:MaxHeaderValue]
		e.Anomalies |= FieldCut
	}
	dst = append(append(dst[:0], named...), value...)
	e.Add(&e.Headers, dst)
	return dst
}
