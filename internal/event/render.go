package event

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

func itoa(n int) string { return strconv.Itoa(n) }

// codeName is a status code as text: 100 to 699 are made once.
func codeName(code uint16) string {
	if int(code) < len(codeNames) {
		return codeNames[code]
	}
	return ""
}

var codeNames = func() (names [700]string) {
	for i := 100; i < 700; i++ {
		names[i] = itoa(i)
	}
	return
}()

// step is one field on the way through a record, and where it stands in the tree
// of objects.
type step struct {
	field  *Field
	names  []string // each quoted, with its colon
	commas []string // the same with a comma before
	shared int      // leading names that the step before has too
}

func quoted(before, key string) []string {
	names := strings.Split(key, ".")
	for i, n := range names {
		names[i] = before + strconv.Quote(n) + ":"
		if i < len(names)-1 {
			names[i] += "{"
		}
	}
	return names
}

// Renderer writes records as JSON. It keeps its working space, so that a record
// costs no allocation; it is not safe for concurrent use. Without a Schema it is Native.
type Renderer struct {
	Schema *Schema
	v      Value
}

// AppendJSON appends e as one JSON object; a Renderer does the same without
// allocating.
func AppendJSON(dst []byte, e *Event, extra []byte) []byte {
	var r Renderer
	return r.Append(dst, e, extra)
}

// Append appends e as one JSON object without a line end. Text from the wire is
// escaped, and what is no UTF-8 is written as U+FFFD. extra, when not empty, holds
// further members, `"key":value,...`, that go in first.
func (r *Renderer) Append(dst []byte, e *Event, extra []byte) []byte {
	dst = append(dst, '{')
	dst = append(dst, extra...)
	v, comma := &r.v, len(extra) > 0
	depth, shared := 0, 0 // objects open; how many of them the next field is in too
	schema := r.Schema
	if schema == nil {
		schema = Native
	}
	plan := schema.plans[e.Type]
	for i := range plan {
		s := &plan[i]
		shared = min(shared, s.shared)
		s.field.Get(e, v)
		if v.Form == Nothing {
			continue
		}
		for ; depth > shared; depth-- {
			dst = append(dst, '}')
			comma = true
		}
		for last := len(s.names) - 1; ; depth++ {
			if comma {
				dst = append(dst, s.commas[depth]...)
			} else {
				dst = append(dst, s.names[depth]...)
			}
			if comma = false; depth == last {
				break
			}
		}
		dst = v.append(dst)
		comma, shared = true, depth
	}
	for ; depth > 0; depth-- {
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

// append writes the value as JSON.
func (v *Value) append(dst []byte) []byte {
	switch v.Form {
	case Str:
		return AppendString(dst, v.Bytes)
	case Const:
		return append(append(append(dst, '"'), v.Text...), '"')
	case Quoted:
		return AppendString(dst, append(v.text[:0], v.Text...))
	case Int:
		return strconv.AppendInt(dst, v.Int, 10)
	case Float:
		return appendDecimal(dst, v.Int, v.Digits)
	case Bool:
		return strconv.AppendBool(dst, v.Int != 0)
	case Date:
		return append(AppendTime(append(dst, '"'), v.Int), '"')
	case Addr:
		return append(v.Addr.AppendTo(append(dst, '"')), '"')
	case IDHash:
		return append(hex.AppendEncode(append(dst, '"'), v.Hash[:]), '"')
	}
	dst = append(dst, '[')
	first := len(dst)
	for n, ok := v.NextInt(); ok; n, ok = v.NextInt() {
		dst = append(strconv.AppendInt(dst, n, 10), ',')
	}
	for b, ok := v.Next(); ok; b, ok = v.Next() {
		dst = append(AppendString(dst, b), ',')
	}
	if len(dst) > first {
		dst = dst[:len(dst)-1]
	}
	return append(dst, ']')
}

// appendDecimal writes n divided by ten to digits, exactly.
func appendDecimal(dst []byte, n int64, width int) []byte {
	if n < 0 {
		dst, n = append(dst, '-'), -n
	}
	unit := int64(1)
	for range width {
		unit *= 10
	}
	dst = strconv.AppendInt(dst, n/unit, 10)
	if n %= unit; n == 0 {
		return dst
	}
	dst = digits(append(dst, '.'), uint64(n), width)
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

// AppendTime appends Unix nanoseconds as RFC 3339 in UTC with nine digits.
func AppendTime(dst []byte, ns int64) []byte {
	if ns < 0 {
		return time.Unix(0, ns).UTC().AppendFormat(dst, "2006-01-02T15:04:05.000000000Z")
	}
	s := ns / 1e9
	year, month, day := civil(s / 86400)
	dst = digits(dst, uint64(year), 4)
	dst = digits(append(dst, '-'), uint64(month), 2)
	dst = digits(append(dst, '-'), uint64(day), 2)
	dst = digits(append(dst, 'T'), uint64(s/3600%24), 2)
	dst = digits(append(dst, ':'), uint64(s/60%60), 2)
	dst = digits(append(dst, ':'), uint64(s%60), 2)
	dst = digits(append(dst, '.'), uint64(ns%1e9), 9)
	return append(dst, 'Z')
}

// civil is the date of a day after 1970-01-01 in the Gregorian calendar; the year
// begins in March while it counts, so that the leap day comes last.
func civil(days int64) (year, month, day int64) {
	days += 719468 // since 0000-03-01
	era := days / 146097
	inEra := days % 146097
	inYear := (inEra - inEra/1460 + inEra/36524 - inEra/146096) / 365
	year = inYear + era*400
	ofYear := inEra - (365*inYear + inYear/4 - inYear/100)
	m := (5*ofYear + 2) / 153
	day = ofYear - (153*m+2)/5 + 1
	if month = m + 3; month > 12 {
		month -= 12
		year++
	}
	return year, month, day
}

// digits appends n with leading zeros.
func digits(dst []byte, n uint64, width int) []byte {
	at := len(dst)
	dst = append(dst, "000000000"[:width]...)
	for i := at + width - 1; n > 0 && i >= at; i-- {
		dst[i] = byte('0' + n%10)
		n /= 10
	}
	return dst
}

const hexDigits = "0123456789abcdef"

// plain marks the bytes that stand in a JSON string as they are.
var plain = func() (p [256]bool) {
	for c := 0x20; c < 0x7f; c++ {
		p[c] = c != '"' && c != '\\'
	}
	return p
}()

// AppendString appends b as a JSON string. Control characters and DEL are
// escaped, so that a hostile value cannot reach a terminal; bytes that are no
// UTF-8 become U+FFFD.
func AppendString(dst, b []byte) []byte {
	dst = append(dst, '"')
	i := plainPrefix(b)
	dst = append(dst, b[:i]...)
	for i < len(b) {
		if plain[b[i]] {
			dst = append(dst, b[i])
			i++
			continue
		}
		n := 1
		dst, n = appendEscaped(dst, b[i:])
		i += n
	}
	return append(dst, '"')
}

// plainPrefix is how many bytes at the beginning of b are plain; eight at a time
// while that goes. The arithmetic finds a byte below 0x20, a quote, a backslash, or
// one above 0x7e in a word; a borrow may point at a plain byte behind such a one,
// never hide one.
func plainPrefix(b []byte) int {
	const (
		ones  = 0x0101010101010101
		highs = 0x8080808080808080
	)
	i := 0
	for ; len(b)-i >= 8; i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		quote, slash := x^(ones*'"'), x^(ones*'\\')
		low := (x - ones*0x20) &^ x
		if (low|(quote-ones)&^quote|(slash-ones)&^slash|x|(x+ones))&highs != 0 {
			break
		}
	}
	for i < len(b) && plain[b[i]] {
		i++
	}
	return i
}

// appendEscaped writes the first character of b, which is not plain, and returns
// how many bytes of b it took.
func appendEscaped(dst, b []byte) ([]byte, int) {
	switch c := b[0]; {
	case c == '"' || c == '\\':
		return append(dst, '\\', c), 1
	case c == '\n':
		return append(dst, '\\', 'n'), 1
	case c == '\r':
		return append(dst, '\\', 'r'), 1
	case c == '\t':
		return append(dst, '\\', 't'), 1
	case c < utf8.RuneSelf:
		return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15]), 1
	}
	r, n := utf8.DecodeRune(b)
	switch {
	case r == utf8.RuneError && n == 1:
		return append(dst, "\ufffd"...), 1
	case r >= 0x80 && r < 0xa0: // C1 control characters
		return append(dst, '\\', 'u', '0', '0', hexDigits[r>>4], hexDigits[r&15]), n
	}
	return append(dst, b[:n]...), n
}
