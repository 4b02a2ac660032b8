package sip

import (
	"strings"
	"testing"
)

func TestURI(t *testing.T) {
	tests := []struct {
		in                           string
		scheme, user, password, host string
		port                         uint16
		hasPort                      bool
		params, headers              string
	}{
		// RFC 3261 §19.1.3.
		{in: "sip:alice@atlanta.com", scheme: "sip", user: "alice", host: "atlanta.com"},
		{in: "sip:alice:secretword@atlanta.com;transport=tcp", scheme: "sip", user: "alice", password: "secretword",
			host: "atlanta.com", params: "transport=tcp"},
		{in: "sips:alice@atlanta.com?subject=project%20x&priority=urgent", scheme: "sips", user: "alice",
			host: "atlanta.com", headers: "subject=project%20x&priority=urgent"},
		{in: "sip:+1-212-555-1212:1234@gateway.com;user=phone", scheme: "sip", user: "+1-212-555-1212", password: "1234",
			host: "gateway.com", params: "user=phone"},
		{in: "sips:1212@gateway.com", scheme: "sips", user: "1212", host: "gateway.com"},
		{in: "sip:alice@192.0.2.4", scheme: "sip", user: "alice", host: "192.0.2.4"},
		{in: "sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com", scheme: "sip", host: "atlanta.com",
			params: "method=REGISTER", headers: "to=alice%40atlanta.com"},
		{in: "sip:alice;day=tuesday@atlanta.com", scheme: "sip", user: "alice;day=tuesday", host: "atlanta.com"},

		{in: "SIP:ALICE@ATLANTA.COM:5060", scheme: "SIP", user: "ALICE", host: "ATLANTA.COM", port: 5060, hasPort: true},
		{in: "sip:h", scheme: "sip", host: "h"},
		{in: "sip:h:0", scheme: "sip", host: "h", hasPort: true},
		{in: "sip:h:65535", scheme: "sip", host: "h", port: 65535, hasPort: true},
		{in: "sip:h:00005060", scheme: "sip", host: "h", port: 5060, hasPort: true},
		{in: "sip:h:", scheme: "sip", host: "h"},
		{in: "sip:a@h:;lr", scheme: "sip", user: "a", host: "h", params: "lr"},
		{in: "sip:example.com.", scheme: "sip", host: "example.com."},
		{in: "sip:a@under_score.example", scheme: "sip", user: "a", host: "under_score.example"},
		{in: "sip:a@[2001:db8::10]:5070;lr", scheme: "sip", user: "a", host: "2001:db8::10", port: 5070, hasPort: true, params: "lr"},
		{in: "sip:[::1]", scheme: "sip", host: "::1"},
		{in: "sip:[::ffff:192.0.2.1]", scheme: "sip", host: "::ffff:192.0.2.1"},
		{in: "sip:[fe80::1%eth0]:5060", scheme: "sip", host: "fe80::1%eth0", port: 5060, hasPort: true},
		{in: "sip:@h", scheme: "sip", host: "h"},
		{in: "sip:a:@h", scheme: "sip", user: "a", host: "h"},
		{in: "sip:a:b:c@h", scheme: "sip", user: "a", password: "b:c", host: "h"},
		{in: "sip:john@example.com@192.0.2.1:5062;lr", scheme: "sip", user: "john@example.com", host: "192.0.2.1",
			port: 5062, hasPort: true, params: "lr"},
		{in: "sip:john@example.com:x@192.0.2.1", scheme: "sip", user: "john@example.com", password: "x", host: "192.0.2.1"},
		{in: "sip:a?b@h?c", scheme: "sip", user: "a?b", host: "h", headers: "c"},
		{in: "sip:a@h;x?y;z", scheme: "sip", user: "a", host: "h", params: "x", headers: "y;z"},
		{in: "sip:a@h;?x", scheme: "sip", user: "a", host: "h", headers: "x"},
		{in: "sip:a@h;x=[::1]:5", scheme: "sip", user: "a", host: "h", params: "x=[::1]:5"},
		{in: "sip:%61@h", scheme: "sip", user: "%61", host: "h"},

		// RFC 3966 §6.
		{in: "tel:+1-201-555-0123", scheme: "tel", user: "+1-201-555-0123"},
		{in: "tel:7042;phone-context=example.com", scheme: "tel", user: "7042", params: "phone-context=example.com"},
		{in: "TEL:863-1234;phone-context=+1-914-555", scheme: "TEL", user: "863-1234", params: "phone-context=+1-914-555"},

		{in: "urn:service:sos", scheme: "urn", user: "service:sos"},
		{in: "urn:service:sos.fire", scheme: "urn", user: "service:sos.fire"},
		{in: "http://www.example.com", scheme: "http", user: "//www.example.com"},
		{in: "mailto:a@b?c", scheme: "mailto", user: "a@b?c"},
		{in: "x-1.2+3:y", scheme: "x-1.2+3", user: "y"},
		{in: "sipx:a@b", scheme: "sipx", user: "a@b"},
	}
	var u URI
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			if !u.Parse([]byte(tt.in)) {
				t.Fatal("refused")
			}
			equal(t, "Bytes", u.Bytes(), tt.in)
			equal(t, "Scheme", u.Scheme(), tt.scheme)
			equal(t, "User", u.User(), tt.user)
			equal(t, "Password", u.Password(), tt.password)
			equal(t, "Host", u.Host(), tt.host)
			equal(t, "params", u.params.of(u.b), tt.params)
			equal(t, "Headers", u.Headers(), tt.headers)
			if port, ok := u.Port(); port != tt.port || ok != tt.hasPort {
				t.Errorf("Port = %d %v, want %d %v", port, ok, tt.port, tt.hasPort)
			}
			if !u.SchemeIs(strings.ToUpper(tt.scheme)) || u.SchemeIs(tt.scheme+"x") {
				t.Error("SchemeIs")
			}
		})
	}
}

func TestURIRefused(t *testing.T) {
	var u URI
	for _, in := range []string{
		"", ":", "sip", "sip:", "sips:", "tel:", "urn:", "tel:;x=y", ":sip:a@b", "1sip:a@b", "-x:y", "s ip:a@b", "alice@example.com",
		"<sip:a@b>", " sip:a@b", "*", "sip:a@", "sip:@", "sip:;lr", "sip:?x", "sip:a@;lr", "sip::5060", "sip:a@:5060",
		"sip:2001:db8::10", "sip:a@2001:db8::10", "sip:a@2001:db8:0:0:0:0:0:10", "sip:[2001:db8::10", "sip:[]", "sip:[1]", "sip:[1:2",
		"sip:[::g]", "sip:[::1]x", "sip:[::1]5060", "sip:a@[::1", "sip:::1]", "sip:h:65536", "sip:h:99999999999999999999", "sip:h:-1",
		"sip:h:5060x", "sip:h:x", "sip:h h", "sip:a@h ", "sip:a@h/x", "sip:a@h,b", "sip:a@h>", "sip:a@\"h\"", "sip:a@h\x00", "sip:a@h#f",
		"sip:a@b@", "sip:a@b@;lr", "sip:a@b@[::1", "sip:a@h:5060:1",
	} {
		if u.Parse([]byte(in)) {
			t.Errorf("%q: taken, host %q", in, u.Host())
		}
		equal(t, "Bytes of a refused URI", u.Bytes(), in)
	}
}

func TestURIParam(t *testing.T) {
	var u URI
	u.Parse([]byte("sip:a@h;Transport=TCP;lr;;x=;y=a=b;transport=udp?z=1"))
	for name, want := range map[string]string{"transport": "TCP", "TRANSPORT": "TCP", "lr": "", "x": "", "y": "a=b"} {
		if v, ok := u.Param(name); !ok || string(v) != want {
			t.Errorf("Param(%s) = %q %v, want %q", name, v, ok, want)
		}
	}
	for _, name := range []string{"", "z", "trans", "a", "TCP"} {
		if v, ok := u.Param(name); ok {
			t.Errorf("Param(%s) = %q, want none", name, v)
		}
	}
	if v, _ := u.Param("lr"); v != nil {
		t.Errorf("a parameter without equals sign has the value %#v, want nil", v)
	}
	if v, _ := u.Param("x"); v == nil {
		t.Error("a parameter with an empty value has the value nil")
	}
	var got []string
	params := u.Params()
	for n, v, ok := params.Next(); ok; n, v, ok = params.Next() {
		got = append(got, string(n)+"="+string(v))
	}
	equal(t, "Params", []byte(strings.Join(got, "|")), "Transport=TCP|lr=|x=|y=a=b|transport=udp")
}

func uris(a, b string) (x, y URI) {
	x.Parse([]byte(a))
	y.Parse([]byte(b))
	return x, y
}

func TestURIEqual(t *testing.T) {
	for _, pair := range [][2]string{
		// RFC 3261 §19.1.4, the examples.
		{"sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"},
		{"sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"},
		{"sip:carol@chicago.com", "sip:carol@chicago.com;security=on"},
		{"sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com", "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com"},
		{"sip:alice@atlanta.com?subject=project%20x&priority=urgent", "sip:alice@atlanta.com?priority=urgent&subject=project%20x"},

		{"SIP:a@h", "sip:a@H"},
		{"sip:a@h;lr", "sip:a@h"},
		{"sip:a@h;lr;x=1", "sip:a@h;x=1"},
		{"sip:a@h;%6Cr=%6f", "sip:a@h;lr=O"},
		{"sip:a:p%61ss@h", "sip:a:pass@h"},
		{"sip:a%2fb@h", "sip:a%2Fb@h"},
		{"sip:a@[2001:DB8::1]", "sip:a@[2001:db8::1]"},
		{"sip:a@h;x=1;x=2", "sip:a@h;x=2;x=1"},
		{"sip:a@h?a=1&a=2", "sip:a@h?a=2&a=1"},
		{"sip:a@h?A=1", "sip:a@h?a=1"},
		{"sip:a@h?a=%31", "sip:a@h?a=1"},
		{"sip:a@h;", "sip:a@h"},
		{"sip:%@h", "sip:%@h"},
		{"sip:%zz@h", "sip:%zz@h"},
		{"tel:+1-201-555-0123", "tel:+12015550123"},
		{"tel:+1(201)555.0123", "TEL:+12015550123"},
		{"tel:7042;phone-context=example.com;x", "tel:7042;x;Phone-Context=EXAMPLE.com"},
		{"urn:service:sos", "URN:service:sos"},
		{"junk", "junk"},
		{"sip:[", "sip:["},
		{"", ""},
	} {
		x, y := uris(pair[0], pair[1])
		if !x.Equal(&y) || !y.Equal(&x) {
			t.Errorf("%s and %s differ", pair[0], pair[1])
		}
	}
}

func TestURINotEqual(t *testing.T) {
	for _, pair := range [][2]string{
		// RFC 3261 §19.1.4, the examples.
		{"sip:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"},
		{"sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"},
		{"sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"},
		{"sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"},

		{"sip:a@h", "sips:a@h"},
		{"sip:a@h", "sip:h"},
		{"sip:a@h", "sip:ab@h"},
		{"sip:a@h", "sip:a:@x"},
		{"sip:a:p@h", "sip:a@h"},
		{"sip:a:p@h", "sip:a:P@h"},
		{"sip:a@h", "sip:a@h."},
		{"sip:a@h:5060", "sip:a@h:5061"},
		{"sip:a@h", "sip:a@h;user=phone"},
		{"sip:a@h", "sip:a@h;TTL=1"},
		{"sip:a@h", "sip:a@h;method=INVITE"},
		{"sip:a@h", "sip:a@h;maddr=192.0.2.1"},
		{"sip:a@h;%74ransport=tcp", "sip:a@h"},
		{"sip:a@h;x=1", "sip:a@h;x"},
		{"sip:a%3Bb@h", "sip:a;b@h"}, // a reserved character is not its escape
		{"sip:%2B49@h", "sip:+49@h"},
		{"sip:a%@h", "sip:a@h"},
		{"sip:a@h?a=1", "sip:a@h?a=2"},
		{"sip:a@h?a=1", "sip:a@h?a=1&b=2"},
		{"sip:a@h?a=1&b=2", "sip:a@h?a=1&c=2"},
		{"tel:+12015550123", "tel:+12015550124"},
		{"tel:+12015550123", "tel:12015550123"},
		{"tel:7042;phone-context=a.example", "tel:7042;phone-context=b.example"},
		{"tel:7042;phone-context=a.example", "tel:7042"},
		{"tel:1", "sip:1"},
		{"urn:service:sos", "urn:service:SOS"},
		{"urn:service:sos", "urn:service:sos.fire"},
		{"junk", "rubbish"},
		{"sip:[", "sip:[["},
		{"sip:a@h;" + strings.Repeat("x;", 40), "sip:a@h;" + strings.Repeat("y;", 40)},
		{"sip:a@h?" + strings.Repeat("x&", 40), "sip:a@h?" + strings.Repeat("y&", 40)},
	} {
		x, y := uris(pair[0], pair[1])
		if x.Equal(&y) || y.Equal(&x) {
			t.Errorf("%s and %s are equal", pair[0], pair[1])
		}
	}
}

// TestURIEqualIsNotTransitive pins what RFC 3261 §19.1.4 says itself.
func TestURIEqualIsNotTransitive(t *testing.T) {
	on, off := uris("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off")
	none, _ := uris("sip:carol@chicago.com", "")
	if !none.Equal(&on) || !none.Equal(&off) || on.Equal(&off) {
		t.Error("security=on, none and security=off do not compare as the RFC has it")
	}
}

func TestAppendUnescaped(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "a": "a", "%61": "a", "%4a%4A": "JJ", "%00": "\x00", "a%20b": "a b", "%": "%", "%4": "%4", "%4g": "%4g",
		"%g4": "%g4", "%%34": "%4", "100%": "100%", "%ff": "\xff", "%2541": "%41",
	} {
		equal(t, in, AppendUnescaped([]byte("<"), []byte(in)), "<"+want)
	}
}

func TestURIDoesNotAllocate(t *testing.T) {
	a := []byte("sip:%61lice:pw@atlanta.com:5060;transport=tcp;x=1?subject=a&priority=b")
	b := []byte("sip:alice:pw@Atlanta.com:5060;x=1;transport=TCP?priority=b&subject=%61")
	tel := []byte("tel:+1-201;x=y")
	buffer := make([]byte, 0, 100)
	var x, y URI
	noAllocs(t, "URI", func() {
		if !x.Parse(a) || !y.Parse(b) || !x.Equal(&y) {
			t.Fatal("not equal")
		}
		x.Param("transport")
		params := x.Params()
		params.Next()
		x.Headers()
		buffer = AppendUnescaped(buffer[:0], x.User())
		x.Parse(tel)
		y.Parse(tel)
		x.Equal(&y)
	})
}
