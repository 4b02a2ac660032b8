package event

import (
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

type addrPort = netip.AddrPort

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

// step is where a field stands in the tree of objects.
type step struct {
	names  []string // each quoted, with its colon
	shared int      // leading names that the row before has too
}

var steps = func() []step {
	s := make([]step, len(Fields))
	for i := range Fields {
		names := strings.Split(Fields[i].Key, ".")
		for j, n := range names {
			names[j] = strconv.Quote(n) + ":"
		}
		s[i].names = names
		if i == 0 {
			continue
		}
		before := s[i-1].names
		for s[i].shared < min(len(names), len(before))-1 && names[s[i].shared] == before[s[i].shared] {
			s[i].shared++
		}
	}
	return s
}()

// AppendJSON appends e as one JSON object without a line end. Text from the wire
// is escaped, and what is no UTF-8 is written as U+FFFD. extra, when not empty,
// holds further members, `"key":value,...`, that go in first.
func AppendJSON(dst []byte, e *Event, extra []byte) []byte {
	dst = append(dst, '{')
	dst = append(dst, extra...)
	comma := len(extra) > 0
	var v Value
	depth, shared := 0, 0 // objects open; how many of them this row is in too
	var open []string
	for i := range Fields {
		shared = min(shared, steps[i].shared)
		Fields[i].Get(e, &v)
		if v.Form == Nothing {
			continue
		}
		names := steps[i].names
		if open == nil {
			shared = 0
		}
		for ; depth > shared; depth-- {
			dst = append(dst, '}')
			comma = true
		}
		for ; depth < len(names)-1; depth++ {
			if comma {
				dst = append(dst, ',')
			}
			dst = append(append(dst, names[depth]...), '{')
			comma = false
		}
		if comma {
			dst = append(dst, ',')
		}
		dst = v.append(append(dst, names[depth]...))
		comma, open, shared = true, names, depth
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
	case Int:
		return strconv.AppendInt(dst, v.Int, 10)
	case Float:
		return strconv.AppendFloat(dst, v.Float, 'f', -1, 64)
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
	if v.Form == Codes {
		v.EachInt(func(n int64) { dst = append(strconv.AppendInt(dst, n, 10), ',') })
	} else {
		v.Each(func(b []byte) { dst = append(AppendString(dst, b), ',') })
	}
	if len(dst) > first {
		dst = dst[:len(dst)-1]
	}
	return append(dst, ']')
}

// AppendTime appends Unix nanoseconds as RFC 3339 in UTC with nine digits.
func AppendTime(dst []byte, ns int64) []byte {
	return time.Unix(0, ns).UTC().AppendFormat(dst, "2006-01-02T15:04:05.000000000Z")
}

const hexDigits = "0123456789abcdef"

// AppendString appends b as a JSON string. Control characters and DEL are
// escaped, so that a hostile value cannot reach a terminal; bytes that are no
// UTF-8 become U+FFFD.
func AppendString(dst, b []byte) []byte {
	dst = append(dst, '"')
	plain := 0
	for i := 0; i < len(b); {
		c := b[i]
		if c >= 0x20 && c < 0x7f && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, b[plain:i]...)
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
			i++
		case c == '\n':
			dst = append(dst, '\\', 'n')
			i++
		case c == '\r':
			dst = append(dst, '\\', 'r')
			i++
		case c == '\t':
			dst = append(dst, '\\', 't')
			i++
		case c < utf8.RuneSelf:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			i++
		default:
			r, n := utf8.DecodeRune(b[i:])
			switch {
			case r == utf8.RuneError && n == 1:
				dst = append(dst, "\ufffd"...)
			case r >= 0x80 && r < 0xa0: // C1 control characters
				dst = append(dst, '\\', 'u', '0', '0', hexDigits[r>>4], hexDigits[r&15])
			default:
				dst = append(dst, b[i:i+n]...)
			}
			i += n
		}
		plain = i
	}
	return append(append(dst, b[plain:]...), '"')
}
