// Package privacy proves what docs/privacy.md promises: that no private value leaves by any
// road while its group is masked, that what was encrypted opens to what it was, and what
// stays equal and what does not.
//
// It runs the real binary over captures, and collects what is private of them by its own
// way: from the messages as they were on the wire, and from the clear events by the table
// of fields.
package privacy

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"html"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/engine"
	"github.com/sipcmbeat/sipcmbeat/internal/enrich"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// headers are those that every run names: they hold addresses, users and hosts.
var headers = []string{"Contact", "Record-Route", "Route", "P-Asserted-Identity", "P-Charging-Vector", "Subject", "Organization", "Via", "Call-Info", "Alert-Info"}

// secrets are the private values of a capture, each with where it was.
type secrets struct {
	values map[string]string // in lower case, to the field
	public map[string]bool   // values of public fields, in lower case
	clear  []*event.Event
}

// collect reads a capture and takes down what is private of it.
func collect(t *testing.T, file string) *secrets {
	t.Helper()
	files := capture.DefaultFilesConfig()
	files.Paths = []string{file}
	src, err := capture.NewFiles(files)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	s := &secrets{values: map[string]string{}, public: map[string]bool{}}
	cfg := engine.DefaultConfig()
	cfg.Messages = true
	cfg.Track.Headers = headers
	cfg.Tap = s.message
	e := engine.New(cfg, []engine.Input{{Source: src, AnyPort: true}}, s)
	_ = e.Run(context.Background()) // of a damaged capture it is what could be read
	return s
}

var (
	schema  = event.NewSchema(event.Fields, headers)
	numbers = enrich.New("DE")
)

// Put implements engine.Sink: the values of private fields, by their column.
func (s *secrets) Put(e *event.Event) {
	kept := &event.Event{}
	kept.CopyFrom(e)
	numbers.Add(kept)
	s.clear = append(s.clear, kept)
	var v event.Value
	for i := range schema.Fields {
		f := &schema.Fields[i]
		f.Get(kept, &v)
		take := func(b []byte) {
			// A word (a method, a codec) stays where it is one; what somebody wrote into it is
			// looked for by what else says it.
			if f.Private == event.Public || f.Shape == event.Word || f.Shape == event.Scheme && schemes[string(lower(b))] {
				s.public[strings.ToLower(string(b))] = true
				return
			}
			s.field(f.Key, string(b))
		}
		switch v.Form {
		case event.Str:
			take(v.Bytes)
		case event.Const, event.Quoted:
			take([]byte(v.Text))
		case event.Addr:
			if f.Private != event.Public {
				s.addr(f.Key, v.Addr)
			}
		case event.IDHash:
			take([]byte(hex.EncodeToString(v.Hash[:])))
		case event.Int, event.Float, event.Bool, event.Date, event.Nothing, event.Consts, event.Codes, event.Words:
		case event.Strs, event.Addrs, event.DistinctTo:
			v.Each(take)
		}
	}
}

// message takes down what a message has, whatever this program makes of it.
func (s *secrets) message(p *packet.Packet, m *sip.Message) {
	for _, a := range []netip.Addr{p.Src.Addr(), p.Dst.Addr(), p.OuterSrc, p.OuterDst} {
		s.addr("address", a)
	}
	s.add("Call-ID", string(m.CallID()))
	s.uri("Request-URI", m.RequestURI())
	for i := range m.NumHeaders() {
		id, name, value := m.HeaderAt(i)
		field := string(name)
		switch id {
		case sip.HeaderFrom, sip.HeaderTo, sip.HeaderContact, sip.HeaderPAssertedIdentity, sip.HeaderRemotePartyID, sip.HeaderReferTo:
			var a sip.Addr
			if a.Parse(value) {
				s.uri(field, a.URI())
				s.add(field+" name", string(a.Display()))
				if tag, ok := a.Param("tag"); ok {
					s.add(field+" tag", string(tag))
				}
			}
		case sip.HeaderUserAgent, sip.HeaderServer:
			s.add(field, string(value))
		case sip.HeaderAuthorization, sip.HeaderProxyAuthorization, sip.HeaderWWWAuthenticate, sip.HeaderProxyAuthenticate:
			for _, m := range quotedParameter.FindAllSubmatch(value, -1) {
				s.add(field+" "+string(m[1]), string(m[2]))
			}
		}
		s.inside(field, string(value))
	}
	s.body(string(m.Body()))
}

// quotedParameter is one of a challenge or of credentials. Algorithms and such have no
// quotes.
var quotedParameter = regexp.MustCompile(`(?i)\b(username|realm|nonce|cnonce|response|uri|opaque|ck|ik)="([^"]+)"`)

var (
	inURI = regexp.MustCompile(`(?i)sips?:([^@\s<>";,]+)@(\[[^\]]*\]|[^\s<>";:,?]+)`)
	ip4   = regexp.MustCompile(`\b\d{1,3}(?:\.\d{1,3}){3}\b`)
	ip6   = regexp.MustCompile(`[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}`)
)

// inside takes addresses, users and hosts out of any text.
func (s *secrets) inside(field, text string) {
	for _, m := range inURI.FindAllStringSubmatch(text, -1) {
		s.user(field, m[1])
		s.host(field, m[2])
	}
	for _, m := range append(ip4.FindAllString(text, -1), ip6.FindAllString(text, -1)...) {
		if a, err := netip.ParseAddr(m); err == nil {
			s.addr(field, a)
		}
	}
}

// body takes what SDP says of people and addresses, and every line of what is no SDP.
func (s *secrets) body(text string) {
	s.inside("body", text)
	sdp := strings.HasPrefix(text, "v=0")
	for _, line := range strings.FieldsFunc(text, func(r rune) bool { return r == '\r' || r == '\n' }) {
		if kind, value, ok := strings.Cut(line, "="); sdp && ok && (kind == "o" || kind == "e" || kind == "p" || kind == "k" || strings.HasPrefix(value, "crypto:") || strings.HasPrefix(value, "ice-pwd:")) {
			s.add("SDP "+kind, value)
		}
		if !sdp && len(line) >= 16 && len(line) < 256 && !strings.HasPrefix(line, "Content-") { // as in multipart
			s.add("body", line)
		}
	}
}

func (s *secrets) uri(field string, u *sip.URI) {
	if u == nil {
		return
	}
	s.user(field, string(u.User()))
	s.host(field, string(u.Host()))
	s.add(field, string(u.Bytes()))
	s.add(field+" password", string(u.Password()))
}

func (s *secrets) host(field, host string) {
	if a, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		s.addr(field, a)
		return
	}
	s.add(field+" host", host)
}

// user takes a user, and a number in its forms.
func (s *secrets) user(field, user string) {
	s.add(field+" user", user)
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		if strings.ContainsRune("+-.() ", r) {
			return -1
		}
		return '!'
	}, strings.SplitN(user, ";", 2)[0])
	if strings.Contains(digits, "!") || len(digits) < 6 {
		return
	}
	s.add(field+" number", digits)
	for _, prefix := range []string{"00", "49", "0049", "0"} { // as it is dialled elsewhere
		if rest, ok := strings.CutPrefix(digits, prefix); ok && len(rest) >= 7 {
			s.add(field+" number", rest)
		}
	}
}

// field takes a value of a private column, and what is told by its parts.
func (s *secrets) field(key, value string) {
	if event.Usual([]byte(value)) {
		return // a phrase of RFC 3261 that is on every telephone
	}
	if a, err := netip.ParseAddr(strings.Trim(value, "[]")); err == nil {
		s.addr(key, a)
		return
	}
	s.add(key, value)
	s.inside(key, value)
	if strings.HasSuffix(key, ".username") || strings.HasSuffix(key, "user.name") || key == "related.user" || strings.HasSuffix(key, "e164") {
		s.user(key, value)
	}
	if user, host, ok := strings.Cut(value, "@"); ok && strings.HasSuffix(key, "call_id") {
		s.add(key, user)
		s.host(key, host)
	}
}

// addr takes an address in every notation.
func (s *secrets) addr(field string, a netip.Addr) {
	a = a.Unmap().WithZone("")
	if !a.IsValid() || a.IsUnspecified() || a == netip.IPv6Loopback() {
		return // they name nobody
	}
	s.add(field, a.String())
	raw := a.AsSlice()
	s.put(field+" in hexadecimal", hex.EncodeToString(raw))
	if a.Is4() && a.As4() != [4]byte{255, 255, 255, 255} { // that is the greatest span of time too, which longer ones are cut to
		s.put(field+" as a number", fmt.Sprint(binary.BigEndian.Uint32(raw)))
		s.put(field+" with dashes", strings.ReplaceAll(a.String(), ".", "-"))
		s.put(field+" with underscores", strings.ReplaceAll(a.String(), ".", "_"))
		s.put(field+" mapped", netip.AddrFrom16(a.As16()).StringExpanded())
		return
	}
	s.put(field+" expanded", a.StringExpanded())
	s.put(field+" with dashes", strings.ReplaceAll(a.StringExpanded(), ":", "-"))
}

// raw are the bytes of addresses, for files and packets that hold such.
func (s *secrets) raw() map[string]string {
	all := map[string]string{}
	for value, field := range s.values {
		if a, err := netip.ParseAddr(value); err == nil {
			all[string(a.Unmap().AsSlice())] = field + " (" + value + ") in bytes"
		}
	}
	return all
}

// add takes a value as it is, and as it is written in JSON, in HTML, and in the path of a
// URL.
func (s *secrets) add(field, value string) {
	if value == "" {
		return
	}
	s.put(field, value)
	s.put(field+" unescaped", strings.ReplaceAll(value, "%40", "@"))
	escaped := string(event.AppendString(nil, []byte(value)))
	s.put(field+" in JSON", escaped[1:len(escaped)-1])
	s.put(field+" in HTML", html.EscapeString(value))
}

func (s *secrets) put(field, value string) {
	value = string(lower([]byte(value)))
	if _, ok := s.values[value]; !ok {
		s.values[value] = field
	}
}

// schemes are those that stay: docs/privacy.md.
var schemes = map[string]bool{
	"sip": true, "sips": true, "tel": true, "urn": true, "im": true, "pres": true, "mailto": true, "http": true, "https": true,
	"cid": true, "xmpp": true, "h323": true, "fax": true, "modem": true,
}

// lower is bytes.ToLower of ASCII: what is no UTF-8 stays.
func lower(b []byte) []byte {
	b = bytes.Clone(b)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return b
}
