package event

import (
	"net/netip"
	"testing"
)

// textOf is what a field says of e, "" when nothing.
func textOf(t *testing.T, e *Event, key string) string {
	t.Helper()
	for i := range Fields {
		if Fields[i].Key != key {
			continue
		}
		var v Value
		switch Fields[i].Get(e, &v); v.Form {
		case Nothing:
			return ""
		case Str:
			return string(v.Bytes)
		case Const:
			return v.Text
		case Bool:
			return "true"
		default:
			t.Fatalf("%s is of form %d", key, v.Form)
		}
	}
	t.Fatalf("no field %s", key)
	return ""
}

// The vectors of the specification (corelight/community-id-spec, baseline), which have
// both ways of each flow; those of one port tell only the addresses apart.
func TestCommunityID(t *testing.T) {
	for _, c := range []struct {
		transport Transport
		src, dst  string
		want      string
	}{
		{TCP, "128.232.110.120:34855", "66.35.250.204:80", "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
		{UDP, "192.168.1.52:54585", "8.8.8.8:53", "1:d/FP5EW3wiY1vCndhwleRRKHowQ="},
		{SCTP, "192.168.170.8:7", "192.168.170.56:7", "1:MP2EtRCAUIZvTw6MxJHLV7N7JDs="},
		{TCP, "[2001:470:e5bf:dead:4957:2174:e82c:4887]:63943", "[2607:f8b0:400c:c03::1a]:25", "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4="},
		{NoTransport, "192.0.2.1:1", "192.0.2.2:2", ""},
	} {
		e := new(Event)
		e.Reset()
		e.Type, e.Transport = MsgProbe, c.transport
		for _, ends := range [][2]string{{c.src, c.dst}, {c.dst, c.src}} {
			e.Src, e.Dst = netip.MustParseAddrPort(ends[0]), netip.MustParseAddrPort(ends[1])
			if got := textOf(t, e, "network.community_id"); got != c.want {
				t.Errorf("%s %v: %s, want %s", c.transport, ends, got, c.want)
			}
		}
	}
	if got := textOf(t, &Event{Type: CallEnd, Transport: UDP}, "network.community_id"); got != "" {
		t.Errorf("without addresses: %s", got)
	}
}

func TestDirection(t *testing.T) {
	inside := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")}
	for ends, want := range map[[2]string]string{
		{"192.0.2.1:5060", "198.51.100.1:5060"}:          "outbound",
		{"198.51.100.1:5060", "192.0.2.1:5060"}:          "inbound",
		{"192.0.2.1:5060", "192.0.2.255:5060"}:           "internal",
		{"198.51.100.1:5060", "203.0.113.1:5060"}:        "external",
		{"[2001:db8::1]:5060", "[2001:db9::1]:5060"}:     "outbound",
		{"[::ffff:192.0.2.1]:5060", "198.51.100.1:5060"}: "outbound",
	} {
		e := &Event{Type: CallStart, Src: netip.MustParseAddrPort(ends[0]), Dst: netip.MustParseAddrPort(ends[1])}
		e.SetDirection(inside)
		if got := textOf(t, e, "network.direction"); got != want {
			t.Errorf("%v: %q, want %s", ends, got, want)
		}
	}
	for name, e := range map[string]*Event{
		"no address": {Type: CallStart},
		"no network": {Type: CallStart, Src: netip.MustParseAddrPort("192.0.2.1:1"), Dst: netip.MustParseAddrPort("192.0.2.2:2")},
	} {
		if name == "no address" {
			e.SetDirection(inside)
		} else {
			e.SetDirection(nil)
		}
		if got := textOf(t, e, "network.direction"); got != "" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// The user is the AOR of the registration, else that of From, written alike.
func TestUserID(t *testing.T) {
	for all, c := range map[string]struct {
		scheme, user, host string
		port               uint16
		want               string
	}{
		"sip:alice@Example.ORG;user=phone": {"sip", "alice", "Example.ORG", 0, "sip:alice@example.org"},
		"SIPS:%61li%63e@h.example:5061":    {"SIPS", "%61li%63e", "h.example", 5061, "sips:alice@h.example:5061"},
		"sip:a%zz%4@h":                     {"sip", "a%zz%4", "h", 0, "sip:a%zz%4@h"},
		"sip:h.example":                    {"sip", "", "h.example", 0, "sip:h.example"},
		"sip:alice:secret@h":               {"sip", "alice", "h", 0, "sip:alice@h"},
		"tel:+491234":                      {"tel", "+491234", "", 0, "tel:+491234"},
	} {
		e := new(Event)
		e.Reset()
		e.Type = CallEnd
		e.SetURI(&e.From.URI, []byte(all), []byte(c.scheme), []byte(c.user), []byte(c.host), c.port)
		if got := textOf(t, e, "user.id"); got != c.want {
			t.Errorf("%s: %s, want %s", all, got, c.want)
		}
		e.SetURI(&e.AOR, []byte("sip:bob@h"), []byte("sip"), []byte("bob"), []byte("h"), 0)
		if got := textOf(t, e, "user.id"); got != "sip:bob@h" {
			t.Errorf("of a registration: %s", got)
		}
	}
	e := new(Event)
	e.Reset()
	e.Type = CallEnd
	if got := textOf(t, e, "user.id"); got != "" {
		t.Errorf("without From: %s", got)
	}
}

func TestTLS(t *testing.T) {
	for transport, want := range map[string]string{
		"TLS": "true", "tls": "true", "WSS": "true", "TLS-SCTP": "true", "UDP": "", "WS": "", "TLSX": "", "": "",
	} {
		e := new(Event)
		e.Reset()
		e.Type = CallEnd
		e.SetString(&e.ViaTransport, transport)
		if got := textOf(t, e, "tls.established"); got != want {
			t.Errorf("%q: %q", transport, got)
		}
	}
}

func TestSIPType(t *testing.T) {
	for want, set := range map[string]func(*Event){
		"":         func(*Event) {},
		"request":  func(e *Event) { e.SetString(&e.Method, "INVITE") },
		"response": func(e *Event) { e.SetString(&e.Method, "INVITE"); e.Code = 486 },
	} {
		e := new(Event)
		e.Reset()
		e.Type = CallAttempt
		set(e)
		if got := textOf(t, e, "sip.type"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if e.Synthetic = e.Code > 0; e.Synthetic {
			if got := textOf(t, e, "sip.type"); got != "request" {
				t.Errorf("of a status that nobody saw: %q", got)
			}
		}
	}
}
