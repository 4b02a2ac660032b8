package event

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// legacy renders e in the older names, as flat keys.
func legacy(t *testing.T, e *Event) map[string]string {
	t.Helper()
	r := Renderer{Schema: NewSchema(OlderFields(), nil)}
	var tree map[string]any
	text := r.Append(nil, e, nil)
	if err := json.Unmarshal(text, &tree); err != nil {
		t.Fatalf("%s: %v\n%s", e.Type, err, text)
	}
	all := map[string]string{}
	var walk func(prefix string, v any)
	walk = func(prefix string, v any) {
		if m, ok := v.(map[string]any); ok {
			for k, x := range m {
				walk(strings.TrimPrefix(prefix+"."+k, "."), x)
			}
			return
		}
		all[prefix] = fmt.Sprint(v)
	}
	walk("", tree)
	return all
}

// olderValues are what the older fields say of the record that full makes, by type where
// it differs. call-end and the like have the numbers of the last answer.
var olderValues = map[string]string{
	"sip.from": "sip:u@example.com:5070", "sip.to": "sip:u@example.com:5070", "sip.contact": "sip:u@example.com:5070",
	"sip.fromtag": "t", "sip.totag": "t", "sip.request.method": "x", "uri.original": "sip:v@example.org:5080",
	"sip.response.status": "486", "sip.response.last": "487", "sip.sip_reason": "x", "sip.pai1": "one", "sip.pai2": "two",
	"sip.originator": "caller-terminated", "sip.unmatched_invite": "true",
	"sip.pdd": "120", "sip.ring_time": "3400", "sip.fr_delay": "56", "event.duration": "62", "event.min_length": "7",
	"event.lifetime": "90", "event.min_lifetime": "90", "uas.original": "x", "client.transport": "udp", "server.transport": "udp",
	"attrs.filename": `a "b".pcap`, "err_info": "x",
	"rate.exceeded": "400", "rate.ex_diff": "199", "rate.crt": "30.25", "rate.lim": "20", "rate.period": "1000",
	"rate.since": "2026-01-01T00:00:00.000000000Z", "rate.key": "other-ok:2001:db8::/64",
}

// TestOlder renders each type in the older names and checks every row of the table: it
// is there with the value it had, in the types that had it, and what came in its place
// is not.
func TestOlder(t *testing.T) {
	seen := map[string]bool{}
	for typ := CallStart; typ < NumTypes; typ++ {
		if typ == Message {
			continue
		}
		for _, min := range []bool{false, true} {
			e := full(typ)
			e.Start, e.End = 1e9, 63e9+999e6
			e.PDD, e.Ring, e.Delay, e.DurationMin, e.Lifetime, e.LifetimeMin = 120999999, 3400e6, 56e6, 7999e6, 90e9, min
			got := legacy(t, e)
			for i := range Older {
				o := &Older[i]
				if o.Mapping == "" {
					for key := range got {
						if name, all := strings.CutSuffix(o.Key, "*"); key == name || all && strings.HasPrefix(key, name) {
							t.Errorf("%s: %s is there", typ, key)
						}
					}
					continue
				}
				want := olderValues[o.Key]
				if o.Key == "type" {
					want = typ.String()
				}
				if o.in>>typ&1 == 0 || o.Key == "event.lifetime" && min || o.Key == "event.min_lifetime" && !min {
					want = ""
				}
				if got[o.Key] != want {
					t.Errorf("%s: %s is %q, want %q", typ, o.Key, got[o.Key], want)
				}
				if want == "" {
					continue
				}
				seen[o.Key] = true
				for _, here := range strings.Split(o.Here, ", ") {
					if _, ok := got[here]; ok && here != o.Key && here != "sip.incomplete" {
						t.Errorf("%s: %s is there beside %s", typ, here, o.Key)
					}
				}
			}
		}
	}
	for i := range Older {
		if o := &Older[i]; o.Mapping != "" && !seen[o.Key] {
			t.Errorf("%s is never written", o.Key)
		}
	}
}

// Who hung up, in the older words.
func TestOlderOriginator(t *testing.T) {
	for side, want := range map[Side]string{
		NoSide: "", Caller: "caller-terminated", Callee: "callee-terminated", Both: "caller-terminated", ByTimeout: "timeout-terminated", SideUnknown: "",
	} {
		e := full(CallEnd)
		e.Side = side
		if got := legacy(t, e)["sip.originator"]; got != want {
			t.Errorf("%s: %q, want %q", side, got, want)
		}
	}
}

// What is not known is left out, never a zero.
func TestOlderAbsent(t *testing.T) {
	var e Event
	e.Reset()
	e.Type, e.Time, e.Code = CallEnd, 1e9, 200
	got := legacy(t, &e)
	for _, key := range []string{"event.duration", "event.min_length", "sip.pdd", "sip.ring_time", "sip.fr_delay", "sip.pai1", "sip.unmatched_invite", "sip.from"} {
		if value, ok := got[key]; ok {
			t.Errorf("%s is %q", key, value)
		}
	}
	if got["sip.response.last"] != "200" {
		t.Errorf("sip.response.last is %q", got["sip.response.last"])
	}
}

// No name is a text and an object at once: an index refuses the second.
func TestOlderNamesDoNotCollide(t *testing.T) {
	fields := OlderFields()
	for i := range fields {
		for j := range fields {
			if i != j && (fields[i].Key == fields[j].Key || strings.HasPrefix(fields[j].Key, fields[i].Key+".")) {
				t.Errorf("%s and %s", fields[i].Key, fields[j].Key)
			}
		}
	}
	for _, o := range Older {
		for _, here := range strings.Split(o.Here, ", ") {
			found := here == ""
			for i := range Fields {
				found = found || Fields[i].Key == here
			}
			if !found {
				t.Errorf("%s: %s is no field", o.Key, here)
			}
		}
	}
}
