package privacy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// Record appends to dst the record that line was made of: its values opened, and without
// what says that they were masked. What has no label is copied. The error names the field
// that does not open; dst is as it was then.
func (r *Reader) Record(dst, line []byte) ([]byte, Opened, error) {
	w := walk{r: r, b: line, dst: dst}
	if w.space(); w.i == len(line) || line[w.i] != '{' && line[w.i] != '[' {
		w.fail("no object")
	}
	w.value()
	if w.space(); w.err == nil && w.i < len(w.b) {
		w.fail("something stands behind it")
	}
	if w.err != nil {
		return dst, Opened{}, w.err
	}
	return w.dst, w.did, nil
}

// walk is one way through JSON, which copies it.
type walk struct {
	r   *Reader
	b   []byte
	i   int
	dst []byte
	did Opened
	err error

	path   []byte  // names with dots between, from the record on
	sealer *Sealer // of the record; nil: it is clear
	depth  int
}

const maxDepth = 64

func (w *walk) fail(text string) {
	if w.err == nil {
		w.err = fmt.Errorf("no JSON, byte %d: %s", w.i+1, text)
	}
}

// space copies white space.
func (w *walk) space() {
	for w.i < len(w.b) && isSpace(w.b[w.i]) {
		w.dst = append(w.dst, w.b[w.i])
		w.i++
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// take copies a byte that has to be there.
func (w *walk) take(c byte, missing string) bool {
	if w.i == len(w.b) || w.b[w.i] != c {
		w.fail(missing)
		return false
	}
	w.dst, w.i = append(w.dst, c), w.i+1
	return true
}

// value copies a value, behind white space.
func (w *walk) value() {
	w.space()
	if w.depth++; w.depth > maxDepth {
		w.fail("too deep")
	}
	if w.i == len(w.b) {
		w.fail("it ends too soon")
	}
	if w.err != nil {
		return
	}
	switch w.b[w.i] {
	case '{':
		if len(w.path) == 0 || bytes.Equal(w.path, source[1:]) || bytes.HasSuffix(w.path, source) {
			w.record()
		} else {
			w.object()
		}
	case '[':
		w.array()
	case '"':
		w.text()
	default:
		end := skip(w.b, w.i)
		if end == w.i {
			w.fail("no value")
		}
		w.dst, w.i = append(w.dst, w.b[w.i:end]...), end
	}
	w.depth--
}

// source is where Elasticsearch has the record of a hit, behind other names.
var source = []byte("._source")

// record copies an object that may have a label.
func (w *walk) record() {
	path, sealer := w.path, w.sealer
	w.path = w.path[len(w.path):]
	if w.sealer, w.err = w.label(); w.err == nil {
		w.object()
	}
	w.path, w.sealer = path, sealer
}

// object copies an object, without the label of the record.
func (w *walk) object() {
	w.take('{', "no object")
	above, members := len(w.path), 0
	for begun := false; ; begun = true {
		mark := len(w.dst)
		if members > 0 {
			w.dst = append(w.dst, ',')
		}
		w.space()
		if !begun && w.i < len(w.b) && w.b[w.i] == '}' {
			break
		}
		if w.i == len(w.b) || w.b[w.i] != '"' {
			w.fail("no name")
			return
		}
		end := skip(w.b, w.i)
		w.down(w.b[w.i:end])
		w.dst, w.i = append(w.dst, w.b[w.i:end]...), end
		w.space()
		if !w.take(':', "no colon") {
			return
		}
		start := len(w.dst)
		if w.value(); w.err != nil {
			return
		}
		if w.isLabel(w.dst[start:]) {
			w.dst = w.dst[:mark]
		} else {
			members++
		}
		w.path = w.path[:above]
		if w.space(); w.i == len(w.b) || w.b[w.i] != ',' {
			break
		}
		w.i++
	}
	w.take('}', "an object does not end")
}

// down adds a quoted name to the path.
func (w *walk) down(name []byte) {
	if len(w.path) > 0 {
		w.path = append(w.path, '.')
	}
	if len(name) > 2 {
		w.path = append(w.path, name[1:len(name)-1]...)
	}
}

// isLabel tells whether the member that path names is there because something is masked.
func (w *walk) isLabel(value []byte) bool {
	if w.sealer == nil {
		return false
	}
	rest, ok := bytes.CutPrefix(w.path, []byte("sipcmbeat.privacy"))
	return ok && (len(rest) == 0 || rest[0] == '.') || string(w.path) == "sipcmbeat" && string(value) == "{}"
}

// array copies an array; its values have the path of the whole.
func (w *walk) array() {
	w.take('[', "no array")
	if w.space(); w.i < len(w.b) && w.b[w.i] == ']' {
		w.take(']', "")
		return
	}
	for w.err == nil {
		w.value()
		if w.space(); w.i == len(w.b) || w.b[w.i] != ',' {
			break
		}
		w.take(',', "")
	}
	w.take(']', "an array does not end")
}

// text copies a text, opened if it is a private one.
func (w *walk) text() {
	end := skip(w.b, w.i)
	raw := w.b[w.i:end]
	if len(raw) < 2 || raw[len(raw)-1] != '"' {
		w.fail("a text does not end")
		return
	}
	w.i = end
	secrecy, private := secrecyOf(w.r.fields, w.path)
	if !private || w.sealer == nil {
		w.dst = append(w.dst, raw...)
		return
	}
	value := raw[1 : len(raw)-1]
	if bytes.IndexByte(value, '\\') >= 0 {
		var text string
		if json.Unmarshal(raw, &text) != nil {
			w.fail("no text")
			return
		}
		value = []byte(text)
	}
	out, err := w.open(secrecy, value)
	switch {
	case err != nil:
		w.err = fmt.Errorf("%s: %w", w.path, err)
	case bytes.Equal(out, value):
		w.dst = append(w.dst, raw...)
	default:
		w.did.Values++
		w.dst = event.AppendString(w.dst, out)
	}
}

// open gives the value of a field; it borrows from b or the Reader.
func (w *walk) open(secrecy event.Secrecy, b []byte) ([]byte, error) {
	s := w.sealer
	mode := s.modes[secrecy.Private]
	if secrecy.Shape == event.Digest || mode == HMAC || mode == Truncate {
		w.did.OneWay++
	}
	switch {
	case secrecy.Shape == event.Digest:
		return b, nil
	case secrecy.Shape == event.Address:
		if mode == Encrypt {
			w.r.text = s.appendAddr(w.r.text[:0], b)
			return w.r.text, nil
		}
		return b, nil
	case secrecy == event.Secrecy{Private: event.Errors, Shape: event.Plain} && event.Usual(b):
		return b, nil
	case secrecy == event.Secrecy{Private: event.CallIDs, Shape: event.Plain} && bytes.HasSuffix(b, []byte(".pcap")):
		return b, nil // of a file that is named by a masked Call-ID
	}
	return w.r.known(s, secrecy, b)
}

// maxOpened bounds what a Reader remembers: of one call the same values come in each
// record, and several times.
const maxOpened = 4096

// known opens a value that may have been opened before. The result is borrowed.
func (r *Reader) known(s *Sealer, secrecy event.Secrecy, b []byte) ([]byte, error) {
	if r.opener != s || len(r.opened) > maxOpened {
		clear(r.opened)
		r.opener = s
	}
	r.text = append(append(r.text[:0], byte(secrecy.Private), byte(secrecy.Shape)), b...)
	if out, ok := r.opened[string(r.text)]; ok {
		return out, nil
	}
	out, err := s.OpenAs(nil, secrecy.Private, secrecy.Shape, b)
	if err == nil {
		r.opened[string(r.text)] = out
	}
	return out, err
}

// appendAddr opens an address, one with a port, or the one in the key of a rate: a type and a colon may
// stand before it, the length of a prefix behind. A text that holds none stays.
func (s *Sealer) appendAddr(dst, b []byte) []byte {
	if a, err := netip.ParseAddr(string(b)); err == nil {
		return s.openAs(a).AppendTo(dst)
	}
	if end, err := netip.ParseAddrPort(string(b)); err == nil {
		return netip.AddrPortFrom(s.openAs(end.Addr()), end.Port()).AppendTo(dst)
	}
	if p, err := netip.ParsePrefix(string(b)); err == nil {
		return netip.PrefixFrom(s.OpenAddr(p.Addr()), p.Bits()).Masked().AppendTo(dst)
	}
	if name, rest, ok := bytes.Cut(b, colon); ok {
		if _, ok := event.ParseType(string(name)); ok {
			return s.appendAddr(append(append(dst, name...), ':'), rest)
		}
	}
	return append(dst, b...)
}

// openAs opens an address; one of IPv4 that is written as one of IPv6 stays one.
func (s *Sealer) openAs(a netip.Addr) netip.Addr {
	out := s.OpenAddr(a)
	if a.Is4In6() {
		out = netip.AddrFrom16(out.As16())
	}
	return out
}

// label finds how the record at w.i was masked; nil where it is clear. Most records have
// the label of the one before.
func (w *walk) label() (*Sealer, error) {
	var id string
	var fields []string
	for i := w.i + 1; i < len(w.b); {
		if c := w.b[i]; isSpace(c) || c == ',' || c == ':' {
			i++
			continue
		}
		end := skip(w.b, i)
		if w.b[i] != '"' || end == i {
			break // it ends, or is no JSON, as the copy will find
		}
		name := w.b[i:end]
		for i = end; i < len(w.b) && (isSpace(w.b[i]) || w.b[i] == ':'); i++ {
		}
		end = skip(w.b, i)
		raw := w.b[i:end]
		if i = max(end, i+1); !bytes.HasPrefix(name, []byte(`"sipcmbeat`)) {
			continue
		}
		if w.r.last.sealer != nil && string(name) == `"sipcmbeat"` && bytes.Equal(raw, w.r.last.raw) {
			w.did.Records++
			return w.r.last.sealer, nil
		}
		readLabel(string(name[1:len(name)-1]), raw, &id, &fields)
		w.r.last.raw = append(w.r.last.raw[:0], raw...)
	}
	if id == "" && len(fields) == 0 {
		w.r.last.sealer = nil
		return nil, nil
	}
	s, ok := w.r.keys.With(id)
	if !ok {
		w.r.last.sealer = nil
		return nil, MissingKey{id}
	}
	w.did.Records++
	w.r.last.sealer = s.As(ReadLabel(fields))
	return w.r.last.sealer, nil
}

// readLabel reads key id and fields where they stand: in the object sipcmbeat or its
// privacy, or under names with dots. What is not as this program writes it is skipped.
func readLabel(name string, raw []byte, id *string, fields *[]string) {
	switch name {
	case "sipcmbeat", "sipcmbeat.privacy":
		var members map[string]json.RawMessage
		if json.Unmarshal(raw, &members) == nil {
			for below, value := range members {
				readLabel(name+"."+below, value, id, fields)
			}
		}
	case "sipcmbeat.privacy.key_id":
		_ = json.Unmarshal(raw, id)
	case "sipcmbeat.privacy.fields":
		_ = json.Unmarshal(raw, fields)
	}
}

// skip is where the value at b[i] ends; i where there is none. It does not judge what is
// in it.
func skip(b []byte, i int) int {
	if i == len(b) {
		return i
	}
	switch b[i] {
	case '"':
		return skipText(b, i)
	case '{', '[':
		for depth := 0; i < len(b); i++ {
			switch b[i] {
			case '"':
				i = skipText(b, i) - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
		}
		return i
	}
	for i < len(b) && (b[i] >= '0' && b[i] <= '9' || b[i] >= 'a' && b[i] <= 'z' || b[i] == '-' || b[i] == '+' || b[i] == '.' || b[i] == 'E') {
		i++
	}
	return i
}

func skipText(b []byte, i int) int {
	for i++; i < len(b); i++ {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return len(b)
		}
		i += n
		escapes := 0
		for at := i - 1; b[at] == '\\'; at-- {
			escapes++
		}
		if escapes%2 == 0 {
			return i + 1
		}
	}
	return len(b)
}
