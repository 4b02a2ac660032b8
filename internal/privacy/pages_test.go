package privacy

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// clearTexts are the texts of pages that name nobody: words of this program, of its
// configuration and of RFC 3261.
var clearTexts = []string{
	"Page.Next", "Call.State", "Call.Transport", "Call.HangupBy", "Call.Incomplete", "Call.Anomalies",
	"CallDetail.PcapPath", // its Call-ID is masked by who names the file
	"Timing.Name", "Message.Transport", "Binding.Transport", "Binding.State", "Binding.Anomalies",
	"Rate.Type", "RateWindow.Interval", "RatePage.Intervals", "Offender.Origin",
	"Offender.Reason", // a limit, or what the operator wrote
	"Alert.ID", "Alert.Type", "Alert.Status", "Indicator.Name", "Indicator.Title", "Indicator.Unit", "Indicator.Source", "IndicatorSet.Window",
}

// shownTypes are what a Program gives that holds captured values.
var shownTypes = []any{view.CallPage{}, view.CallDetail{}, []view.Binding{}, view.BindingPage{}, view.RatePage{}, view.OffenderPage{}, view.AlertPage{}, []view.IndicatorSet{}}

// TestEveryTextIsClassified: a text of a page has a tag, or is on the list of those that
// are clear.
func TestEveryTextIsClassified(t *testing.T) {
	seen := map[string]bool{}
	var look func(x reflect.Type)
	look = func(x reflect.Type) {
		switch x.Kind() {
		case reflect.Pointer, reflect.Slice:
			look(x.Elem())
		case reflect.Struct:
			if x == reflect.TypeFor[time.Time]() {
				return
			}
			for i := range x.NumField() {
				f := x.Field(i)
				of := f.Type
				for of.Kind() == reflect.Slice || of.Kind() == reflect.Pointer {
					of = of.Elem()
				}
				_, tagged := f.Tag.Lookup("private")
				name := x.Name() + "." + f.Name
				switch {
				case of.Kind() != reflect.String:
					look(of)
				case tagged == slices.Contains(clearTexts, name):
					t.Errorf("%s: tagged %v; add a tag private, or the name to the list of those that name nobody", name, tagged)
				}
				seen[name] = true
			}
		}
	}
	for _, v := range shownTypes {
		look(reflect.TypeOf(v))
		planOf(reflect.TypeOf(v)) // panics at a tag that is none
	}
	for _, name := range clearTexts {
		if !seen[name] {
			t.Errorf("%s is not there", name)
		}
	}
}

// detail has something in every text.
func detail() view.CallDetail {
	c := view.Call{ID: strings.Repeat("ab", 16), CallID: "callid-1@192.0.2.17", From: "sip:alice@example.com", To: "sip:+4930123456@example.com", Source: "192.0.2.17:5060",
		Destination: "[2001:db8::7]:5062", UserAgent: "Snom370/8.7", State: "confirmed"}
	return view.CallDetail{Call: c, Parts: []view.Call{c, c}, Legs: []string{"192.0.2.17", "2001:db8::7"}, Correlation: "callid-1@192.0.2.17",
		Messages: []view.Message{{Source: "192.0.2.17:5060", Dest: "192.0.2.18:5060", Line: "INVITE sip:+4930123456@example.com SIP/2.0", CSeq: "1 INVITE"}, {Line: "SIP/2.0 486 alice is busy"}, {Line: "SIP/2.0 180 Ringing"}}}
}

var detailNames = []string{strings.Repeat("ab", 16), "callid-1", "alice", "example.com", "4930123456", "192.0.2.17", "192.0.2.18", "2001:db8::7", "Snom370"}

// TestShow: nothing of what a page names is left, and equal values stay equal.
func TestShow(t *testing.T) {
	for _, mode := range []Mode{Encrypt, HMAC, Redact} {
		d := detail()
		show(newSealer(t, all(mode)), &d, nil)
		text, _ := json.Marshal(d)
		for _, s := range detailNames {
			if strings.Contains(string(text), s) {
				t.Errorf("%s: %q in %s", mode, s, text)
			}
		}
		if d.State != "confirmed" || d.Parts[1].ID != d.ID || d.Correlation != d.CallID || d.Messages[2].Line != "SIP/2.0 180 Ringing" || !strings.HasSuffix(d.Messages[0].Line, " SIP/2.0") {
			t.Errorf("%s: %s", mode, text)
		}
		if mode == Redact {
			continue
		}
		if end, err := netip.ParseAddrPort(d.Destination); err != nil || end.Port() != 5062 || end.Addr().String() != d.Legs[1] || !strings.HasPrefix(d.From, "sip:") {
			t.Errorf("%s: %s", mode, text)
		}
	}
	var d view.CallDetail // nothing in it
	show(newSealer(t, all(Encrypt)), &d, nil)
	if !reflect.DeepEqual(d, view.CallDetail{}) {
		t.Errorf("%+v", d)
	}
}

// TestShowWords: the methods of messages stay while they are words.
func TestShowWords(t *testing.T) {
	for _, mode := range []Mode{Encrypt, HMAC, Redact} {
		d := view.CallDetail{Messages: []view.Message{
			{Method: "INVITE", CSeq: "4294967295 INVITE"}, {Method: "M004930998877", CSeq: "1 M004930998877"}, {Method: "X203.0.113.77", CSeq: "2 203.0.113.77"}, {CSeq: "203.0.113.77"},
		}}
		show(newSealer(t, with(mode, event.Addresses, event.Numbers)), &d, nil)
		if text := fmt.Sprintf("%+v", d); strings.Contains(text, "998877") || strings.Contains(text, "203.0.113") || d.Messages[0].Method != "INVITE" || d.Messages[0].CSeq != "4294967295 INVITE" {
			t.Errorf("%s: %s", mode, text)
		}
	}
}

// TestShowAddresses: in each notation of a page.
func TestShowAddresses(t *testing.T) {
	s := newSealer(t, all(Encrypt))
	for in, net := range map[string]int{"192.0.2.7": 32, "2001:db8::/64": 64, "192.0.2.0/24": 24} {
		got, ok := Address(s, in)
		p, _, good := parseEnd(got)
		if !ok || !good || p.Bits() != net || got == in {
			t.Errorf("%s: %s %v", in, got, ok)
		}
	}
	if got, ok := Address(s, "not an address"); ok || got != "" {
		t.Errorf("%q", got)
	}
	if got := Peer(s, "trunk-a"); got != "trunk-a" {
		t.Error(got)
	}
	for mode, want := range map[Mode]string{Truncate: "192.0.2.0", Redact: leftOut, Clear: "192.0.2.7"} {
		var modes [event.NumGroups]Mode
		modes[event.Addresses] = mode
		if got := Peer(newSealer(t, modes), "192.0.2.7"); got != want {
			t.Errorf("%s: %s, want %s", mode, got, want)
		}
	}
}

// TestPagesFind: what a page has shown is found by it, whether it opens or not, and
// nothing clear is.
func TestPagesFind(t *testing.T) {
	for _, mode := range []Mode{Encrypt, HMAC} {
		p := NewPages(newSealer(t, all(mode)))
		d, b := detail(), view.Binding{AOR: "sip:alice@example.com", Source: "192.0.2.17:5060"}
		r, set := view.Rate{Source: "198.51.100.7"}, view.IndicatorSet{Peer: "198.51.100.8"}
		p.Show(&d)
		p.Show(&b)
		p.Show(&r)
		p.Show(&set)
		for _, c := range []struct {
			ask  func(string) (string, error)
			what string
			want string
		}{
			{p.ID, d.ID, detail().ID}, {p.ID, d.CallID, detail().CallID}, {p.AOR, b.AOR, "sip:alice@example.com"}, {p.Source, r.Source, "198.51.100.7"}, {p.Source, set.Peer, "198.51.100.8"},
			{func(s string) (string, error) { return p.Text(s, event.UserAgents) }, d.UserAgent, detail().UserAgent},
			{func(s string) (string, error) { return p.Text(s, event.CallIDs) }, d.CallID, detail().CallID},
			{func(s string) (string, error) { return p.Text(s, event.URIs) }, d.From, detail().From},
		} {
			if got, err := c.ask(c.what); err != nil || got != c.want {
				t.Errorf("%s: %s: %q, %v; want %q", mode, c.what, got, err, c.want)
			}
		}
		for _, ask := range []func(string) (string, error){p.ID, p.AOR, func(s string) (string, error) { return p.Text(s, event.CallIDs, event.URIs) }} {
			for _, clear := range []string{detail().ID, detail().CallID, "sip:alice@example.com", "alice", "4930123456"} {
				if got, err := ask(clear); err == nil || strings.Contains(err.Error(), "%!") {
					t.Errorf("%s: %q is asked for as %q, %v", mode, clear, got, err)
				}
			}
		}
	}
}

// TestPagesNarrow: an address or a number within a value that is clear otherwise is asked
// for as it was shown, and not as it is; what has none in it is clear.
func TestPagesNarrow(t *testing.T) {
	for _, c := range []struct {
		group event.Group
		mode  Mode
		ids   bool // Call-IDs with one of the group, else URIs
	}{
		{event.Addresses, Encrypt, true}, {event.Addresses, HMAC, true}, {event.Addresses, Truncate, true}, {event.Addresses, Redact, true},
		{event.Numbers, Encrypt, true}, {event.Numbers, HMAC, true}, {event.Numbers, Encrypt, false}, {event.Numbers, HMAC, false},
		{event.Addresses, Encrypt, false}, {event.Addresses, HMAC, false},
	} {
		var modes [event.NumGroups]Mode
		modes[c.group] = c.mode
		p := NewPages(newSealer(t, modes))
		ask, clear, without := p.AOR, "sip:+4930123456@192.0.2.1", "sip:alice@example.com"
		b := view.Binding{AOR: clear}
		d := view.CallDetail{Call: view.Call{CallID: "+4930123456-1@192.0.2.1"}}
		p.Show(&b)
		p.Show(&d)
		shown := b.AOR
		if c.ids {
			ask, clear, without, shown = p.ID, "+4930123456-1@192.0.2.1", "a84b4c76e66710", d.CallID
		}
		if got, err := ask(shown); err != nil || got != clear || shown == clear {
			t.Errorf("%s %s: %q is %q, %v", c.group, c.mode, shown, got, err)
		}
		if got, err := ask(clear); err == nil && got == clear { // an address is taken as a masked one
			t.Errorf("%s %s: %q is taken as %q", c.group, c.mode, clear, got)
		}
		if got, err := ask(without); err != nil || got != without {
			t.Errorf("%s %s: %q is %q, %v", c.group, c.mode, without, got, err)
		}
	}
}

// TestPagesSource: networks are asked for as they are shown.
func TestPagesSource(t *testing.T) {
	with := func(mode Mode) *Pages {
		var modes [event.NumGroups]Mode
		modes[event.Addresses] = mode
		return NewPages(newSealer(t, modes))
	}
	p := with(Encrypt)
	shown, _ := Address(p.s, "192.0.2.0/24")
	if got, err := p.Source(shown); err != nil || got != "192.0.2.0/24" {
		t.Errorf("%s: %s %v", shown, got, err)
	}
	for in, want := range map[string]string{"192.0.2.0": "192.0.2.0/24", "192.0.2.0/24": "192.0.2.0/24", "10.0.0.0/8": "10.0.0.0/8", "192.0.2.7": "", "192.0.2.8/29": "", "": "", "x": "x"} {
		if got, err := with(Truncate).Source(in); got != want || (err != nil) != (want == "" && in != "") {
			t.Errorf("%s: %q %v, want %q", in, got, err, want)
		}
	}
	for _, mode := range []Mode{HMAC, Redact} {
		if got, err := with(mode).Source("192.0.2.7"); err == nil {
			t.Errorf("%s: %s", mode, got)
		}
	}
	if got, err := with(Clear).Source("192.0.2.7"); err != nil || got != "192.0.2.7" {
		t.Error(got, err)
	}
	if got, err := (*Pages)(nil).Source("192.0.2.7"); err != nil || got != "192.0.2.7" {
		t.Error(got, err)
	}
}

// TestPagesWord: words beside addresses are looked for, parts of an address are not.
func TestPagesWord(t *testing.T) {
	p := NewPages(newSealer(t, all(Encrypt)))
	known := func(s string) bool { return strings.Contains("call-end other-ok", s) }
	for text, ok := range map[string]bool{"call-e": true, "OTHER": true, "": true, "192.0": false, "call-end:192": false, "c": false, "trunk": false} {
		if got, err := p.Word(text, known); (err == nil) != ok || err == nil && got != text {
			t.Errorf("%q: %q %v", text, got, err)
		}
	}
}

// TestPagesForget: what is known is bounded.
func TestPagesForget(t *testing.T) {
	p := NewPages(newSealer(t, all(HMAC)))
	for i := range 3 * maxAsked {
		p.note("call_id", string(rune(i)), "x")
	}
	if len(p.known) != maxAsked || len(p.order) != maxAsked {
		t.Errorf("%d %d", len(p.known), len(p.order))
	}
}
