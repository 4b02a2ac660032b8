package sip

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// seeds adds this package's messages and, where the shared folder is, the
// torture messages.
func seeds(f *testing.F, add func([]byte)) {
	for _, raw := range loadMessages(f) {
		add(raw)
	}
	for _, raw := range hostile(200) {
		add(raw)
	}
	files, _ := filepath.Glob("../../../shared/torture/*/*.dat")
	for _, name := range files {
		if raw, err := os.ReadFile(name); err == nil {
			add(raw)
		}
	}
	add(message("+m: <sip:a@b>;q=1, *", "+Supported: a,b", "+Date: x", "+X-CID: 1"))
	add(response("!SIP/2.0 200"))
}

// inside fails unless b, which a getter returned, lies in raw and has no room
// to grow.
func inside(t *testing.T, what string, raw, b []byte) {
	t.Helper()
	if len(b) == 0 {
		return
	}
	if cap(b) != len(b) {
		t.Fatalf("%s: len %d, cap %d", what, len(b), cap(b))
	}
	for i := 0; i+len(b) <= len(raw); i++ {
		if &raw[i] == &b[0] {
			return
		}
	}
	t.Fatalf("%s: %q is not in the bytes parsed", what, b)
}

// describe writes everything a message says; each slice is checked on the way.
// It stops after a hundred headers and values and knows the place of a slice
// by looking for it, so that only short messages are worth it.
func describe(t *testing.T, m *Message) string {
	var out bytes.Buffer
	raw := m.Raw()
	write := func(what string, b []byte) {
		inside(t, what, raw, b)
		fmt.Fprintf(&out, "%s %q %v\n", what, b, b == nil)
	}
	params := func(what string, p Params) {
		n := 0
		for name, value, ok := p.Next(); ok; name, value, ok = p.Next() {
			if n++; n < 50 {
				write(what+" name", name)
				write(what+" value", value)
			}
		}
		if n > len(raw) {
			t.Fatalf("%s: %d parameters in %d bytes", what, n, len(raw))
		}
	}
	uri := func(what string, u *URI) {
		for i, b := range [][]byte{u.Bytes(), u.Scheme(), u.User(), u.Password(), u.Host(), u.Headers()} {
			write(fmt.Sprint(what, i), b)
		}
		port, ok := u.Port()
		fmt.Fprintln(&out, port, ok)
		params(what, u.Params())
	}
	addr := func(what string, a *Addr) {
		write(what+" display", a.Display())
		write(what+" tag", a.Tag())
		write(what, a.Bytes())
		uri(what, a.URI())
		params(what, a.Params())
	}
	number, method := m.CSeq()
	length, has := m.ContentLength()
	fmt.Fprintln(&out, m.Problem(), m.ProblemHeader(), m.IsRequest(), m.Method(), m.Status(), number, length, has,
		m.BodyCut(), m.Oddities(), m.NumHeaders())
	write("method", m.MethodName())
	write("reason", m.ReasonPhrase())
	write("Call-ID", m.CallID())
	write("CSeq method", method)
	write("body", m.Body())
	uri("Request-URI", m.RequestURI())
	addr("From", m.From())
	addr("To", m.To())
	v := m.Via()
	for i, b := range [][]byte{v.Bytes(), v.Transport(), v.Host(), v.Branch(), v.Received()} {
		write(fmt.Sprint("Via ", i), b)
	}
	params("Via", v.Params())
	for i := range min(m.NumHeaders(), 100) {
		id, name, value := m.HeaderAt(i)
		fmt.Fprintln(&out, id)
		write("name", name)
		write("value", value)
	}
	total := 0
	for h := HeaderOther; h < NumHeaders; h++ {
		values := m.Values(h)
		n := 0
		for b, ok := values.Next(); ok; b, ok = values.Next() {
			if n++; n < 100 {
				write("list", b)
			}
		}
		total += n
	}
	if total > len(raw) || m.ViaCount() > total {
		t.Fatalf("%d values in %d bytes, %d Vias", total, len(raw), m.ViaCount())
	}
	return out.String()
}

// FuzzParse: whatever the bytes, every slice lies inside them, iterating ends
// after no more steps than there are bytes, the same bytes parse to the same
// whatever was parsed before, and Classify agrees with Parse about what SIP is.
func FuzzParse(f *testing.F) {
	seeds(f, func(raw []byte) {
		f.Add(raw, false)
		f.Add(raw[:len(raw)/2], true)
	})
	dirty := message("+m: <sip:a@b>", "Content-Length: 77", "+Date: x")
	f.Fuzz(func(t *testing.T, raw []byte, cut bool) {
		before := bytes.Clone(raw)
		var fresh, used Message
		used.Parse(dirty, true)
		if a, b := fresh.Parse(raw, cut), used.Parse(raw, cut); a != b {
			t.Fatalf("%s, and %s after another message", a, b)
		}
		if len(raw) > 4096 {
			if n := steps(&fresh); n > len(raw) {
				t.Fatalf("%d steps over %d bytes", n, len(raw))
			}
			return
		}
		if a, b := describe(t, &fresh), describe(t, &used); a != b {
			t.Fatalf("a fresh message says\n%s\nand a used one\n%s", a, b)
		}
		kind, what := Classify(raw)
		if fresh.Problem() == OK && len(raw)-skipBefore(raw) >= minSIP && kind != KindSIP {
			t.Fatalf("Parse takes what Classify calls %s %s", kind, what)
		}
		if StartsStrict(raw) && kind != KindSIP {
			t.Fatalf("StartsStrict takes what Classify calls %s %s", kind, what)
		}
		if !bytes.Equal(raw, before) {
			t.Fatal("the bytes were changed")
		}
	})
}

// FuzzURI: Equal is reflexive and symmetric, slices lie inside, and what
// AppendUnescaped gives is never longer.
func FuzzURI(f *testing.F) {
	for _, s := range []string{
		"sip:alice:pw@atlanta.com:5060;transport=tcp;lr?subject=a&b=c", "sips:%61lice@[2001:db8::1]", "sip:a@b@c",
		"tel:+1-201-555-0123;phone-context=x", "urn:service:sos", "sip:h;x=1;x=2;;y?a&a=1", "sip:[::1", "junk", "",
	} {
		f.Add([]byte(s), []byte("sip:alice@atlanta.com;x=1"))
		f.Add([]byte(s), []byte(s))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		var x, y URI
		x.Parse(a)
		y.Parse(b)
		if !x.Equal(&x) || !y.Equal(&y) {
			t.Fatal("a URI differs from itself")
		}
		if x.Equal(&y) != y.Equal(&x) {
			t.Fatal("Equal is not symmetric")
		}
		for _, s := range [][]byte{x.Scheme(), x.User(), x.Password(), x.Host(), x.Headers()} {
			inside(t, "URI", a, s)
		}
		n := 0
		params := x.Params()
		for name, value, ok := params.Next(); ok; name, value, ok = params.Next() {
			n++
			inside(t, "name", a, name)
			inside(t, "value", a, value)
		}
		if n > len(a) {
			t.Fatalf("%d parameters in %d bytes", n, len(a))
		}
		if u := AppendUnescaped(nil, a); len(u) > len(a) {
			t.Fatalf("unescaped %q is longer", u)
		}
		var address Addr
		address.Parse(a)
		for _, s := range [][]byte{address.Display(), address.Tag(), address.URI().Host()} {
			inside(t, "Addr", a, s)
		}
		var via Via
		via.Parse(a)
		for _, s := range [][]byte{via.Transport(), via.Host(), via.Branch(), via.Received()} {
			inside(t, "Via", a, s)
		}
	})
}

// FuzzSDP: slices lie inside, bounds hold, and the summary does not depend on
// what was parsed before.
func FuzzSDP(f *testing.F) {
	f.Add([]byte("application/sdp"), []byte("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1/127\r\nm=audio 1 RTP/SAVP 0 96 101\r\n"+
		"a=rtpmap:96 opus/48000/2\r\na=sendonly\r\na=ptime:20\r\nm=image 0 udptl t38\r\nc=IN IP4 0.0.0.0\r\n"))
	f.Add([]byte("multipart/mixed;boundary=b"), []byte("x\r\n--b\r\nc: application/sdp\r\n\r\nv=0\r\n--b--"))
	f.Add([]byte("multipart/mixed;boundary=\"b\""), []byte("--b\r\nc: multipart/mixed;\r\n boundary=c\r\n\r\n--c\r\n--c\r\n\r\n--b--"))
	for _, raw := range loadMessages(f) {
		var m Message
		if m.Parse(raw, false); len(m.Body()) > 0 {
			f.Add(m.Value(HeaderContentType), m.Body())
		}
	}
	f.Fuzz(func(t *testing.T, contentType, body []byte) {
		var fresh, used SDP
		used.Parse([]byte("v=0\nm=audio 1 RTP/SAVP 0 8 96\na=rtpmap:96 x/1\na=inactive\na=bundle-only\n"))
		if fresh.Parse(body) != used.Parse(body) {
			t.Fatal("the outcome depends on the last body")
		}
		texts := [2]string{}
		for i, s := range []*SDP{&fresh, &used} {
			var out bytes.Buffer
			fmt.Fprintln(&out, s.NumMedia(), s.NumCodecs(), s.Ptime(), s.MaxPtime(), s.SRTP(), s.ICE(), s.Held())
			for _, b := range [][]byte{s.Connection(), s.Origin(), s.Session()} {
				inside(t, "SDP", body, b)
				fmt.Fprintf(&out, "%q\n", b)
			}
			for j := range s.NumMedia() {
				m := s.Media(j)
				inside(t, "media", body, m.Type)
				inside(t, "proto", body, m.Proto)
				inside(t, "connection", body, m.Connection)
				fmt.Fprintf(&out, "%q\n", m)
				if j > maxMedia {
					break
				}
			}
			for j := range s.NumCodecs() {
				fmt.Fprintf(&out, "%q\n", s.Codec(j))
			}
			texts[i] = out.String()
		}
		if texts[0] != texts[1] {
			t.Fatalf("the summary depends on the last body:\n%s\n%s", texts[0], texts[1])
		}
		if got := SDPBody(contentType, body); len(got) > len(body) {
			t.Fatal("the part is longer than the body")
		}
	})
}

// FuzzAuth: slices lie inside, the first parameter of a name is the one that
// getter and Param give.
func FuzzAuth(f *testing.F) {
	for _, s := range []string{
		`Digest username="Mufasa", realm="a\"b", nonce="c", uri="sip:d", response="e", stale=TRUE, qop=auth, nc=00000001`,
		"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Digest realm=\"a", "Digest ,=,a=,\"b\"", "NoOneKnowsThisScheme opaque-data=here",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var a Auth
		ok := a.Parse(b)
		if ok && len(a.Scheme()) == 0 {
			t.Fatal("taken without scheme")
		}
		getters := [][]byte{a.Realm(), a.Nonce(), a.Username(), a.URI(), a.Response(), a.Algorithm(), a.Opaque(), a.QOP(), a.CNonce(), a.NC()}
		for i, got := range getters {
			inside(t, authNames[i], b, got)
			if v, _ := a.Param(authNames[i]); !bytes.Equal(v, got) {
				t.Fatalf("%s: getter %q, Param %q", authNames[i], got, v)
			}
		}
		inside(t, "scheme", b, a.Scheme())
		if s, n := Seconds(b); !n && s != 0 {
			t.Fatal("seconds without a number")
		}
	})
}
