package track

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// What a sender writes is cut, and makes no name of a field.
func TestNamedHeaders(t *testing.T) {
	names := []string{"X-Foo", "x_bar", "Subject"}
	text := strings.Replace(offer, "Max-Forwards", "X-Foo: "+strings.Repeat("a", 1000)+"\r\nX-Foo.evil: 1\r\nx-foo\": 2\r\nX_BAR:\r\n folded\r\n value\r\nX-Other: 3\r\nSubject:\r\nMax-Forwards", 1)
	var m sip.Message
	if m.Parse([]byte(text), false) != sip.OK {
		t.Fatal(string(m.AppendProblem(nil)))
	}
	n := newNamed(names)
	var e event.Event
	fill := func() {
		e.Reset()
		e.Type = event.CallStart
		n.fill(&e, &m)
	}
	fill()
	r := event.Renderer{Schema: event.NewSchema(event.Fields, names)}
	got := string(r.Append(nil, &e, nil))
	if want := `"header":{"x-foo":"` + strings.Repeat("a", event.MaxHeaderValue) + `","x_bar":"folded value"}`; !strings.Contains(got, want) {
		t.Errorf("no %s in %s", want, got)
	}
	if !strings.Contains(got, `"field-cut"`) {
		t.Errorf("it is cut, and does not say so: %s", got)
	}
	if allocated := testing.AllocsPerRun(100, fill); allocated != 0 {
		t.Errorf("%v allocations", allocated)
	}
}

func TestNamedHeadersRefused(t *testing.T) {
	many := make([]string, event.MaxHeaders+1)
	for i := range many {
		many[i] = fmt.Sprint("X-", i)
	}
	for _, names := range [][]string{
		{""}, {"X Foo"}, {"X-Foo:"}, {"X.Foo"}, {"X*"}, {"X-Foo", "x-foo"}, {"Via", "v"}, {"authorization"}, {"Proxy-Authorization"},
		{"Authentication-Info"}, {"proxy-authentication-info"},
		{strings.Repeat("x", event.MaxHeaderName+1)}, many,
	} {
		cfg := DefaultConfig()
		cfg.Headers = names
		if err := cfg.Validate(); err == nil || !strings.HasPrefix(err.Error(), "headers: ") {
			t.Errorf("%q: %v", names, err)
		}
	}
	cfg := DefaultConfig()
	for _, names := range [][]string{nil, {"P-Access-Network-Info"}, {"v"}, many[:event.MaxHeaders]} {
		if cfg.Headers = names; cfg.Validate() != nil {
			t.Errorf("%q: %v", names, cfg.Validate())
		}
	}
}

// A record takes no more than its bound, whatever is in the headers.
func TestNamedHeadersBounded(t *testing.T) {
	names := make([]string, event.MaxHeaders)
	var lines strings.Builder
	for i := range names {
		names[i] = fmt.Sprintf("X-%02d%s", i, strings.Repeat("n", event.MaxHeaderName-4))
		fmt.Fprintf(&lines, "%s: %s\r\n", names[i], strings.Repeat("v", 2000))
	}
	text := strings.Replace(offer, "Max-Forwards", lines.String()+"Max-Forwards", 1)
	var m sip.Message
	if m.Parse([]byte(text), false) != sip.OK {
		t.Fatal(string(m.AppendProblem(nil)))
	}
	n := newNamed(names)
	var e event.Event
	e.Reset()
	n.fill(&e, &m)
	if most := event.MaxHeaders * (event.MaxHeaderName + event.MaxHeaderValue + 3); len(e.AppendPacked(nil)) > most+100 {
		t.Errorf("%d bytes, want %d at most", len(e.AppendPacked(nil)), most)
	}
	if e.Count(e.Headers) != event.MaxHeaders {
		t.Errorf("%d headers", e.Count(e.Headers))
	}
}

// What is passed over is not in the list, and the other way round.
func TestWantedMay(t *testing.T) {
	w := newWanted([]string{"X-Foo", "Subject", "v", strings.Repeat("x", 70)})
	for name, want := range map[string]bool{
		"x-foo": true, "s": true, "Subject": true, "Via": true, strings.Repeat("X", 70): true,
		"From": false, "X-Fooo": false, "Expires": false, "Call-ID": false, "Session-ID": false,
	} {
		id := sip.ParseHeader([]byte(name))
		if may, at := w.may(id, []byte(name)), w.find(id, []byte(name)); may != want || at < len(w.all) != want {
			t.Errorf("%s: may be there: %v, found at %d", name, may, at)
		}
	}
}
