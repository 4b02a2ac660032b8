package track

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// Headers that the configuration names are looked for in one walk over the lines of a
// message, which compares few of them: by their lengths most are passed over.

// header is one that is looked for.
type header struct {
	id   sip.Header // of those that package sip knows
	name []byte     // of others
}

// wanted is a list of them.
type wanted struct {
	all  []header
	lens uint64    // a bit for each of their lengths
	ids  [2]uint64 // and one for each that package sip knows
}

func newWanted(names []string) (w wanted) {
	for _, name := range names {
		id := sip.ParseHeader([]byte(name))
		w.all = append(w.all, header{id, []byte(name)})
		if id == sip.HeaderOther {
			w.lens |= 1 << min(len(name), 63)
		} else {
			w.ids[id>>6&1] |= 1 << (id & 63)
		}
	}
	return w
}

// in tells whether m may have one of them.
func (w *wanted) in(m *sip.Message) bool {
	for i := range w.all {
		if m.Has(w.all[i].id) {
			return true
		}
	}
	return false
}

// may tells whether a header can be in the list: of most it says no.
func (w *wanted) may(id sip.Header, name []byte) bool {
	if id == sip.HeaderOther {
		return w.lens>>min(len(name), 63)&1 != 0
	}
	return w.ids[id>>6&1]>>(id&63)&1 != 0
}

// find is the place of a header in the list; beyond its end where it is not in it.
func (w *wanted) find(id sip.Header, name []byte) int {
	for i := range w.all {
		if h := &w.all[i]; h.id == id && (id != sip.HeaderOther || bytes.EqualFold(h.name, name)) {
			return i
		}
	}
	return len(w.all)
}

// named are the headers that records have: sip.header.
type named struct {
	wanted
	prefixes []string // the name in lower case and a colon, of each
	scratch  []byte
}

func newNamed(names []string) named {
	n := named{wanted: newWanted(names)}
	for _, name := range names {
		n.prefixes = append(n.prefixes, strings.ToLower(name)+":")
	}
	return n
}

// fill copies the first line of each into e, which has none yet.
func (n *named) fill(e *event.Event, m *sip.Message) {
	if len(n.all) == 0 || !n.in(m) {
		return
	}
	e.Headers.Clear()
	var have uint
	for i := range m.NumHeaders() {
		id, name, value := m.HeaderAt(i)
		if !n.may(id, name) {
			continue
		}
		if j := n.find(id, name); j < len(n.all) && have>>j&1 == 0 && len(value) > 0 {
			have |= 1 << j
			n.scratch = e.AddHeader(n.scratch, n.prefixes[j], value)
		}
	}
}

// validHeaders refuses what is no name of a header, and what is there twice.
func validHeaders(key string, names []string, most int, example string) error {
	if len(names) > most {
		return fmt.Errorf("%s: %d headers are too many; allowed: %d", key, len(names), most)
	}
	for i, name := range names {
		if !sip.IsToken([]byte(name)) {
			return fmt.Errorf("%s: %q is not allowed; allowed: names of headers, such as %s", key, name, example)
		}
		h := sip.ParseHeader([]byte(name))
		if slices.ContainsFunc(names[:i], func(other string) bool {
			return strings.EqualFold(name, other) || h != sip.HeaderOther && h == sip.ParseHeader([]byte(other))
		}) {
			return fmt.Errorf("%s: %s is there twice", key, name)
		}
	}
	return nil
}

// secret are the headers with digests of a password: of the client, and of the server
// that shows that it knows it too (rspauth, RFC 7616 §3.5). None has a compact form.
var secret = [...]string{"Authorization", "Proxy-Authorization", "Authentication-Info", "Proxy-Authentication-Info"}

// validNamed refuses names that make no name of a field, and headers that hold what
// tells a password.
func validNamed(names []string) error {
	const key, example = "headers", "P-Access-Network-Info"
	if err := validHeaders(key, names, event.MaxHeaders, example); err != nil {
		return err
	}
	for _, name := range names {
		plain := strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
		if !plain || len(name) > event.MaxHeaderName {
			return fmt.Errorf("%s: %q is not allowed; allowed: letters, digits, - and _, up to %d, such as %s", key, name, event.MaxHeaderName, example)
		}
		if slices.ContainsFunc(secret[:], func(s string) bool { return strings.EqualFold(s, name) }) {
			return fmt.Errorf("%s: %s holds what a password can be guessed by; allowed: other headers (user, realm and scheme are in records)", key, name)
		}
	}
	return nil
}
