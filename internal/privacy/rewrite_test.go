package privacy

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// invite has something of everything.
const invite = "INVITE sip:+4930123456@pbx.example.com:5070;transport=udp SIP/2.0\r\n" +
	"v: SIP/2.0/UDP 192.0.2.17:5060;branch=z9hG4bKabcdefgh1;rport, SIP/2.0/TCP inner.example.com;branch=z9hG4bKabcdefgh2\r\n" +
	"Max-Forwards: 70\r\n" +
	"f: \"Alice Liddell\" <sip:alice.l@example.com>;tag=fromtag-12345\r\n" +
	"t: <sip:+4930123456@example.com>\r\n" +
	"i: call-id-987654@192.0.2.17\r\n" +
	"CSeq: 7 INVITE\r\n" +
	"m: <sip:alice.l@192.0.2.17:5060;ob>;expires=300;+sip.instance=\"<urn:uuid:f81d4fae>\"\r\n" +
	"Record-Route: <sip:proxy.example.com;lr>\r\n" +
	"P-Asserted-Identity: \"Alice\" <sip:alice.l@example.com>, <tel:+4930987654>\r\n" +
	"Proxy-Authorization: Digest username=\"alice.auth\", realm=\"realm.example.com\", nonce=\"nonce-abcdefg\", uri=\"sip:example.com\", response=\"0123456789abcdef0123456789abcdef\", cnonce=\"cnonce-1\", nc=00000001, qop=auth, ck=\"secretck\"\r\n" +
	"Replaces: old-call-55@example.com;to-tag=aaaa-tag;from-tag=bbbb-tag\r\n" +
	"Reason: Q.850;cause=16;text=\"call to +4930123456 cleared\"\r\n" +
	"Event: refer;id=93809824\r\n" +
	"User-Agent: Snom370/8.7 (MAC 000413aabbcc)\r\n" +
	"X-Customer: secret customer 42\r\n" +
	"Subject: the merger\r\n" +
	"Allow: INVITE, ACK, BYE\r\n" +
	"Supported: 100rel,\r\n replaces\r\n" +
	"Content-Type: application/sdp;charset=utf-8\r\n" +
	"l: 24\r\n\r\n" +
	"c=IN IP4 192.0.2.99\r\nbody"

// named are the clear values of invite.
var named = []string{
	"4930123456", "pbx.example.com", "192.0.2.17", "abcdefgh1", "abcdefgh2", "inner.example.com", "Alice", "Liddell", "alice.l", "fromtag-12345",
	"call-id-987654", "urn:uuid", "proxy.example.com", "4930987654", "alice.auth", "realm.example.com", "nonce-abcdefg", "0123456789abcdef0123456789abcdef", "cnonce-1",
	"secretck", "93809824", "old-call-55", "aaaa-tag", "bbbb-tag", "cleared", "Snom370", "000413aabbcc", "X-Customer", "secret customer", "merger", "192.0.2.99", "body",
}

// TestRewriteNode: the name of a probe stays unless it is an address.
func TestRewriteNode(t *testing.T) {
	for _, mode := range []Mode{Encrypt, HMAC, Truncate, Redact} {
		s := newSealer(t, [event.NumGroups]Mode{event.Addresses: mode})
		w := NewRewriter(s)
		for _, name := range []string{"", "edge-1", "[edge]"} {
			if got := w.AppendNode(nil, []byte(name)); string(got) != name {
				t.Errorf("%s: %q became %q", mode, name, got)
			}
		}
		for _, name := range []string{"192.0.2.17", "192.0.2.17:9060", "2001:db8:1:2::17", "[2001:db8:1:2::17]", "[2001:db8:1:2::17]:9060"} {
			if got := w.AppendNode(nil, []byte(name)); string(got) == name {
				t.Errorf("%s: %q became %q", mode, name, got)
			}
		}
		for _, name := range []string{"edge-1", "192.0.2.17", "192.0.2.17:9060", "[2001:db8:1:2::17]:9060"} {
			var e, masked event.Event
			e.Reset()
			e.Set(&e.HEP.Node, []byte(name))
			e.Mask(s, &masked)
			got := w.AppendNode(nil, []byte(name))
			if want := masked.Bytes(masked.HEP.Node); !bytes.Equal(got, want) {
				t.Errorf("%s: %q, a record has %q", mode, got, want)
			}
			if opened := s.appendAddr(nil, got); mode == Encrypt && string(opened) != name {
				t.Errorf("%q opens to %q, not %q", got, opened, name)
			}
		}
	}
}

// TestRewrite: in every mode nothing of the message is left, it is one all the same, and
// what is harmless stays.
func TestRewrite(t *testing.T) {
	for _, mode := range []Mode{Encrypt, HMAC, Redact} {
		w := NewRewriter(newSealer(t, all(mode)))
		got := w.AppendMessage([]byte("before "), []byte(invite), false)
		got, ok := bytes.CutPrefix(got, []byte("before "))
		var m sip.Message
		if !ok || m.Parse(got, false) != sip.OK {
			t.Fatalf("%s: %s: %v", mode, got, m.Problem())
		}
		for _, s := range named {
			if bytes.Contains(got, []byte(s)) {
				t.Errorf("%s: %q in\n%s", mode, s, got)
			}
		}
		for _, s := range []string{"\r\nMax-Forwards: 70\r\n", "\r\nCSeq: 7 INVITE\r\n", "\r\nReason: Q.850;cause=16\r\n", "\r\nEvent: refer;id=", "\r\nSupported: 100rel, replaces\r\n",
			"\r\nAllow: INVITE, ACK, BYE\r\n", "\r\nContent-Type: application/sdp\r\n", ";expires=300\r\n", "\r\nContent-Length: 0\r\n\r\n", "Proxy-Authorization: Digest"} {
			if !bytes.Contains(got, []byte(s)) {
				t.Errorf("%s: no %q in\n%s", mode, s, got)
			}
		}
		if m.ViaCount() != 2 || len(m.From().Tag()) == 0 || len(m.To().Tag()) != 0 || len(m.CallID()) == 0 || len(m.Via().Branch()) == 0 {
			t.Errorf("%s:\n%s", mode, got)
		}
		if again := w.AppendMessage(nil, []byte(invite), false); !bytes.Equal(again, got) {
			t.Errorf("%s: another time\n%s", mode, again)
		}
	}
}

// TestRewriteSame: what is masked in a message is what a record has.
func TestRewriteSame(t *testing.T) {
	s := newSealer(t, all(Encrypt))
	var m, was sip.Message
	was.Parse([]byte(invite), false)
	m.Parse(NewRewriter(s).AppendMessage(nil, []byte(invite), false), false)
	for _, x := range []struct {
		shape     event.Shape
		was, have []byte
	}{
		{event.CallID, was.CallID(), m.CallID()}, {event.Tag, was.From().Tag(), m.From().Tag()}, {event.Whole, was.RequestURI().Bytes(), m.RequestURI().Bytes()},
		{event.User, was.From().Display(), m.From().Display()}, {event.Whole, was.To().URI().Bytes(), m.To().URI().Bytes()},
		{event.ViaValue, was.Via().Bytes(), m.Via().Bytes()}, {event.Agent, was.Value(sip.HeaderUserAgent), m.Value(sip.HeaderUserAgent)},
	} {
		if clear, err := s.Open(nil, x.shape, x.have); err != nil || !bytes.Equal(clear, x.was) {
			t.Errorf("%s opens to %q, %v; want %q", x.have, clear, err, x.was)
		}
	}
}

// TestRewriteOneGroup: other groups stay, but bodies, nonces and unknown headers do in no
// mode.
func TestRewriteOneGroup(t *testing.T) {
	var modes [event.NumGroups]Mode
	modes[event.UserAgents] = Encrypt
	got := string(NewRewriter(newSealer(t, modes)).AppendMessage(nil, []byte(invite), false))
	for _, s := range []string{"INVITE sip:+4930123456@pbx.example.com:5070;transport=udp SIP/2.0\r\n", "\"Alice Liddell\" <sip:alice.l@example.com>;tag=fromtag-12345", "call-id-987654@192.0.2.17", "alice.auth"} {
		if !strings.Contains(got, s) {
			t.Errorf("no %q in\n%s", s, got)
		}
	}
	for _, s := range []string{"Snom370", "nonce-abcdefg", "0123456789abcdef", "secretck", "merger", "192.0.2.99", "X-Customer"} {
		if strings.Contains(got, s) {
			t.Errorf("%q in\n%s", s, got)
		}
	}
}

// TestRewriteBroken: what cannot be used stays so, and tells nothing.
func TestRewriteBroken(t *testing.T) {
	w := NewRewriter(newSealer(t, all(Encrypt)))
	for _, text := range []string{
		strings.Replace(invite, "CSeq: 7 INVITE", "CSeq: INVITE alice.l", 1),
		strings.Replace(invite, "l: 24", "l: alice.l", 1),
		strings.Replace(invite, "Max-Forwards: 70", "alice.l without a colon", 1),
		strings.Replace(invite, "f: \"Alice Liddell\" <", "f: \"Alice Liddell <", 1),
		strings.Replace(invite, "t: <sip:", "t: <", 1),
		strings.Replace(invite, "INVITE sip:", "INVITE  alice.l sip:", 1),
		strings.Replace(invite, " SIP/2.0\r\nv", " alice.l/2.0\r\nv", 1),
		"SIP/2.0 alice.l\r\n\r\n", "alice.l", "", "\r\n\r\n",
	} {
		got := w.AppendMessage(nil, []byte(text), true)
		var m sip.Message
		if m.Parse(got, false) == sip.OK {
			t.Errorf("good:\n%s", got)
		}
		for _, s := range named {
			if bytes.Contains(got, []byte(s)) {
				t.Errorf("%q in\n%s", s, got)
			}
		}
	}
}

// TestRewriteHeaders: of headers that stay, what they are for stays, whatever a sender wrote
// beside it, or in its place.
func TestRewriteHeaders(t *testing.T) {
	w := NewRewriter(newSealer(t, all(Encrypt)))
	for _, c := range []struct{ was, want string }{ // "" is left out
		{"Max-Forwards: 70 (alice)", "Max-Forwards: 70"},
		{"Max-Forwards: alice", "Max-Forwards: unusable"},
		{"Expires: 49 30 987 650 123", "Expires: 49"},
		{"Expires: 4930987650123", "Expires: 4294967295"},
		{"Min-SE: 90;alice=x", "Min-SE: 90"},
		{"Retry-After: 120;duration=alice (in a meeting)", "Retry-After: 120"},
		{"Session-Expires: 1800;refresher=uac;alice", "Session-Expires: 1800;refresher=uac"},
		{"Session-Expires: 1800;refresher=alice", "Session-Expires: 1800"},
		{"RSeq: 988789", "RSeq: 988789"},
		{"RAck: 776656 1 INVITE", "RAck: 776656 1 INVITE"},
		{"RAck: alice 1 INVITE", ""},
		{"RAck: 776656 4930987650123 INVITE", "RAck: 776656 unusable"},
		{"Date: Sat, 13 Nov 2010 23:29:00 GMT", "Date: Sat, 13 Nov 2010 23:29:00 GMT"},
		{"Date: Sat, 13 Nov 2010 23:29:00 alice", ""},
		{"Date: alice", ""},
		{"Allow: INVITE,ACK , FOO;x=alice", "Allow: INVITE, ACK, FOO"},
		{"Allow: INVITE, alice@example.com", ""},
		{"Allow: INVITE, <alice>", ""},
		{"Priority: urgent (for alice)", "Priority: urgent"},
		{"Supported: 100rel, 4930987650123", ""},
		{"Supported: 49 30 987 650 123", ""},
		{"Require: 2a0c-9f3e--77c9", ""},
		{"Accept: application/sdp;level=alice, text/plain", "Accept: application/sdp, text/plain"},
		{"Privacy: id;critical", "Privacy: id;critical"},
		{"Privacy: id;4930987650123", ""},
		{"Subscription-State: terminated;reason=noresource;expires=60;retry-after=30;alice=1", "Subscription-State: terminated;reason=noresource;expires=60;retry-after=30"},
		{"Subscription-State: active;expires=alice;reason=4930987650123", "Subscription-State: active"},
		{"Event: dialog;alice=1", "Event: dialog"},
		{"WWW-Authenticate: Digest algorithm=SHA-256, qop=\"auth,auth-int\", stale=alice", "WWW-Authenticate: Digest algorithm=\"SHA-256\", qop=\"auth,auth-int\""},
		{"Authorization: Digest nc=00000001, qop=alice, algorithm=4930987", "Authorization: Digest nc=\"00000001\""},
		{"Session-ID: ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2", ""},
	} {
		name, _, _ := strings.Cut(c.was, ":")
		message := "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n" + c.was + "\r\n\r\n"
		have := ""
		for line := range strings.SplitSeq(string(w.AppendMessage(nil, []byte(message), false)), "\r\n") {
			if strings.HasPrefix(line, name+":") {
				have = line
			}
		}
		if have != c.want {
			t.Errorf("%s\nbecomes %q,\nwant    %q", c.was, have, c.want)
		}
	}
}

// TestRewriteParams: parameters of addresses are those that somebody reads.
func TestRewriteParams(t *testing.T) {
	w := NewRewriter(newSealer(t, all(Redact)))
	for was, want := range map[string]string{
		"Contact: <sip:a@b>;expires=300;q=0.5;reg-id=1":                                      ";expires=300;reg-id=1;q=0.5",
		"Contact: <sip:a@b>;expires=4930987650123;q=45.139.77.201;reg-id=45.139.77.201":      ";expires=4294967295",
		"Remote-Party-ID: <sip:a@b>;party=calling;screen=yes;privacy=off;id-type=subscriber": ";party=calling;screen=yes;privacy=off;id-type=subscriber",
		"Remote-Party-ID: <sip:a@b>;party=alice;screen=alice;privacy=alice;id-type=alice":    "",
	} {
		name, _, _ := strings.Cut(was, ":")
		out := string(w.AppendMessage(nil, []byte("SIP/2.0 200 OK\r\nCSeq: 1 OPTIONS\r\n"+was+"\r\n\r\n"), false))
		if line := name + ": <" + nobody + ">" + want + "\r\n"; !strings.Contains(out, line) {
			t.Errorf("no %q in\n%s", line, out)
		}
	}
}

// TestRewriteVersion: a version is a number, and another word none; neither makes a message
// that can be used.
func TestRewriteVersion(t *testing.T) {
	w := NewRewriter(newSealer(t, all(Encrypt)))
	for _, version := range []string{"SIP/alice.0", "SIP/2.0.4930987650123", "SIP/alice"} {
		for _, text := range []string{strings.Replace(invite, "SIP/2.0", version, 1), version + " 200 OK\r\n\r\n"} {
			var m sip.Message
			if got := w.AppendMessage(nil, []byte(text), false); bytes.Contains(got, []byte(version[4:])) || m.Parse(got, false) == sip.OK {
				t.Errorf("%s", got)
			}
		}
	}
}

// TestRewriteIsBounded: however long a message is, and whatever it repeats.
func TestRewriteIsBounded(t *testing.T) {
	w := NewRewriter(newSealer(t, all(Encrypt)))
	for _, more := range []string{
		"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n", "v:\r\n", "v: ,,,\r\n", "From: <sip:a@b>\r\n", "Route: <sip:a@b>, <sip:c@d>\r\n", "User-Agent: " + strings.Repeat("x", 5000) + "\r\n",
	} {
		long := strings.Replace(invite, "Max-Forwards", strings.Repeat(more, 1<<20/len(more))+"Max-Forwards", 1)
		if n := len(w.AppendMessage(nil, []byte(long), false)); n > maxRewritten+8*maxValue {
			t.Errorf("%d bytes", n)
		}
	}
	long := strings.Replace(invite, "call-id-987654", strings.Repeat("x", 1<<17), 1)
	long = strings.Replace(long, "alice.l@", strings.Repeat("y", 1<<17)+"@", -1)
	got := w.AppendMessage(nil, []byte(long), false)
	var m sip.Message
	if m.Parse(got, false); len(got) > maxRewritten || len(m.CallID()) == 0 {
		t.Errorf("%d bytes", len(got))
	}
}

// TestRewriteAddresses: a frame needs an address, also when it is left out.
func TestRewriteAddresses(t *testing.T) {
	w := NewRewriter(newSealer(t, all(Redact)))
	for in, want := range map[string]string{"198.51.100.1": "192.0.0.8", "::ffff:198.51.100.1": "192.0.0.8", "2001:db8::1": "100:0:0:1::"} {
		if got := w.Addr(netip.MustParseAddr(in)); got != netip.MustParseAddr(want) {
			t.Errorf("%s: %v, want %s", in, got, want)
		}
	}
}

// FuzzRewrite: what comes of a message that can be used can be used, of another cannot;
// what it names is gone from where it stood; and it is the same each time.
func FuzzRewrite(f *testing.F) {
	f.Add([]byte(invite), uint8(Encrypt))
	f.Add([]byte("SIP/2.0 486 alice is busy\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: a <sip:a@b>;tag=1\r\nTo: sip:c@d;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\r\n"), uint8(Redact))
	f.Add([]byte("REGISTER sip:[2001:db8::1] SIP/2.0\nVia: SIP / 2.0 / UDP  h ;branch=z9hG4bK1\nFrom: sip:a@b\nTo: sip:a@b\nCall-ID: x\nCSeq: 1 REGISTER\nContact: *\n\n"), uint8(HMAC))
	var by [NumModes]*Rewriter
	for _, mode := range []Mode{Encrypt, HMAC, Redact} {
		by[mode] = NewRewriter(newSealer(f, all(mode)))
	}
	f.Fuzz(func(t *testing.T, b []byte, mode uint8) {
		w := by[mode%uint8(NumModes)]
		if w == nil {
			return
		}
		var was, m sip.Message
		why := was.Parse(b, false)
		got := w.AppendMessage(nil, b, false)
		if is := m.Parse(got, false); (is == sip.OK) != (why == sip.OK) {
			t.Fatalf("%v became %v:\n%q\n%q", why, is, b, got)
		}
		if !bytes.Equal(got, w.AppendMessage(nil, b, false)) {
			t.Error("differs each time")
		}
		if why != sip.OK {
			return
		}
		if was.IsRequest() != m.IsRequest() || was.Method() != m.Method() || was.Status() != m.Status() || (len(was.To().Tag()) > 0) != (len(m.To().Tag()) > 0) || len(m.Body()) > 0 {
			t.Errorf("%q\n%q", b, got)
		}
		for _, x := range [][2][]byte{
			{was.CallID(), m.CallID()}, {was.From().Tag(), m.From().Tag()}, {was.To().Tag(), m.To().Tag()}, {was.From().Display(), m.From().Display()},
			{was.From().URI().User(), m.From().URI().User()}, {was.RequestURI().User(), m.RequestURI().User()}, {was.Value(sip.HeaderUserAgent), m.Value(sip.HeaderUserAgent)},
		} {
			if len(x[0]) > 0 && bytes.Equal(x[0], x[1]) && string(x[0]) != "anonymous" {
				t.Errorf("%q stays:\n%q", x[0], got)
			}
		}
	})
}

// BenchmarkRewrite is what a message costs a worker.
func BenchmarkRewrite(b *testing.B) {
	w := NewRewriter(newSealer(b, all(Encrypt)))
	var out []byte
	b.SetBytes(int64(len(invite)))
	b.ReportAllocs()
	for b.Loop() {
		out = w.AppendMessage(out[:0], []byte(invite), false)
	}
}
