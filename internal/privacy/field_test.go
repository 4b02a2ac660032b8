package privacy

import (
	"encoding/json"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// TestField: what a field is said to have is what the masked record has in it, and of
// addresses, tokens and users what the vectors say, which another program has checked.
func TestField(t *testing.T) {
	s := newSealer(t, all(Encrypt))
	for name, schema := range schemas {
		e := record(event.CallEnd)
		e.Set(&e.From.Display, []byte("Alice Müller")) // what JSON can hold as it is
		e.Rate.Source = netip.MustParsePrefix("192.0.2.1/32")
		clear, sealed := masked(t, s, e, schema)
		was, is := leaves(t, clear), leaves(t, sealed)
		n := 0
		for key, f := range privateFields() {
			if was[key] == "" || f.Shape == event.Digest {
				continue
			}
			n++
			if got, err := s.Field(nil, key, []byte(was[key])); err != nil || string(got) != is[key] {
				t.Errorf("%s, %s: %q, %v, want %q", name, key, got, err, is[key])
			}
		}
		if n < 20 {
			t.Errorf("%s: only %d fields", name, n)
		}
	}
	text, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	for _, a := range v.Addresses {
		if got, err := s.Field(nil, "source.ip", []byte(a.Clear)); err != nil || string(got) != a.Encrypt {
			t.Errorf("%s: %s, %v, want %s", a.Clear, got, err, a.Encrypt)
		}
	}
	for number, token := range v.Token {
		if got, err := s.Field(nil, "sip.number.caller.token", []byte(number)); err != nil || string(got) != token {
			t.Errorf("%s: %s, %v, want %s", number, got, err, token)
		}
	}
}

// TestFieldHeader: headers that the configuration names are masked whatever they say, also
// what would stay as the phrase of a status.
func TestFieldHeader(t *testing.T) {
	s := newSealer(t, all(Encrypt))
	for _, value := range []string{"leg one", "ringing"} {
		e := record(event.CallEnd)
		e.Headers.Clear()
		e.AddHeader(nil, "x-cid:", []byte(value))
		_, sealed := masked(t, s, e, schemas["native"])
		want := leaves(t, sealed)["sip.header.x-cid"]
		if got, err := s.Field(nil, "sip.header.x-cid", []byte(value)); err != nil || string(got) != want || want == value {
			t.Errorf("%s: %q, %v, want %q", value, got, err, want)
		}
	}
	if got, err := s.Field(nil, "sip.status", []byte("ringing")); err != nil || string(got) != "ringing" {
		t.Errorf("%q, %v", got, err)
	}
}

// leaves are the texts of a record by the path of their field.
func leaves(t testing.TB, text []byte) map[string]string {
	t.Helper()
	var tree map[string]any
	if err := json.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, v := range v {
				walk(path+"."+k, v)
			}
		case string:
			found[strings.TrimPrefix(path, ".")] = v
		}
	}
	walk("", tree)
	return found
}

// TestFieldNetwork: the masked network holds the masked addresses of a network, in every
// mode that keeps networks.
func TestFieldNetwork(t *testing.T) {
	s := newSealer(t, all(Encrypt))
	for _, c := range []struct{ network, inside, want string }{
		{"192.0.2.0/24", "192.0.2.1", "129.68.185.0/24"}, // 129.68.185.168 in vectors.json
		{"::ffff:192.0.2.0/120", "192.0.2.1", "129.68.185.0/24"},
		{"192.0.2.1/32", "192.0.2.1", "129.68.185.168/32"},
	} {
		got, err := s.Field(nil, "source.ip", []byte(c.network))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %s, %v, want %s", c.network, got, err, c.want)
		}
	}
	for mode, network := range map[Mode]string{Truncate: "192.0.2.0/24", Clear: "192.0.2.0/28"} {
		modes := all(Encrypt)
		modes[event.Addresses] = mode
		if got, err := newSealer(t, modes).Field(nil, "source.ip", []byte(network)); err != nil || string(got) != network {
			t.Errorf("%s: %s, %v", mode, got, err)
		}
	}
}

// TestFieldRefused: each with what is allowed.
func TestFieldRefused(t *testing.T) {
	for _, c := range []struct {
		mode             Mode
		field, text, why string
	}{
		{Encrypt, "source.port", "1", "no field that is ever masked"},
		{Encrypt, "sip.call.id", "x", "keyed hash of several values"},
		{Encrypt, "source.ip", "alice", "an address, or a network"},
		{Encrypt, "sip.number.caller.token", "030 1", "E.164"},
		{HMAC, "source.ip", "192.0.2.0/24", "keeps no networks"},
		{Redact, "source.ip", "192.0.2.0/24", "left out"},
		{Redact, "user.name", "alice", "left out"},
		{Truncate, "source.ip", "192.0.2.0/25", "keeps /24 alone"},
		{Truncate, "source.ip", "2001:db8::/49", "keeps /48 alone"},
		{Clear, "sip.number.caller.token", "+4930123456", "while privacy.numbers is not clear"},
	} {
		modes := all(Encrypt)
		for g := range modes {
			if Allowed(event.Group(g), c.mode) {
				modes[g] = c.mode
			}
		}
		got, err := newSealer(t, modes).Field(nil, c.field, []byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.why) || len(got) > 0 {
			t.Errorf("%s %s=%s: %q, %v, want %s", c.mode, c.field, c.text, got, err, c.why)
		}
	}
}
