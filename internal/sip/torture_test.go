package sip

import (
	"strings"
	"testing"
)

// verdict is what a message of RFC 4475 or RFC 5118 must come to, by the text
// of the section and, where an observer has to decide what a server would
// refuse, by what makes a message unusable.
type verdict struct {
	section string
	problem Problem
	header  Header
	odd     Oddity
	check   func(*testing.T, *Message)
}

var torture = map[string]verdict{
	// RFC 4475 §3.1.1: valid.
	"4475/wsinv.dat": {"§3.1.1.1", OK, 0, 0, func(t *testing.T, m *Message) {
		equal(t, "method", m.MethodName(), "INVITE")
		equal(t, "Request-URI", m.RequestURI().Bytes(), "sip:vivekg@chair-dnrc.example.com;unknownparam")
		equal(t, "To tag", m.To().Tag(), "1918181833n")
		equal(t, "From display", m.From().Display(), `J Rosenberg \\\"`)
		equal(t, "From tag", m.From().Tag(), "98asjd8")
		equal(t, "Max-Forwards", m.Value(HeaderMaxForwards), "0068")
		number, method := m.CSeq()
		if number != 9 || string(method) != "INVITE" {
			t.Errorf("CSeq = %d %s, want 9 INVITE", number, method)
		}
		equal(t, "Via transport", m.Via().Transport(), "UDP")
		equal(t, "Via host", m.Via().Host(), "192.0.2.2")
		equal(t, "Via branch", m.Via().Branch(), "390skdjuw")
		if n := m.ViaCount(); n != 3 {
			t.Errorf("ViaCount = %d, want 3", n)
		}
		equal(t, "Subject", m.Value(HeaderSubject), "")
		equal(t, "NewFangledHeader", first(m.Named([]byte("newfangledheader"))),
			"newfangled value\r\n continued newfangled value")
		var contact Addr
		contact.Parse(m.Value(HeaderContact))
		equal(t, "Contact display", contact.Display(), `Quoted string \"\"`)
		wantParam(t, &contact, "newparam", "newvalue")
		wantParam(t, &contact, "q", "0.33")
		if len(m.Body()) != 150 {
			t.Errorf("body of %d bytes, want 150", len(m.Body()))
		}
	}},
	"4475/intmeth.dat": {"§3.1.1.2", OK, 0, OddControlChar, func(t *testing.T, m *Message) {
		equal(t, "method", m.MethodName(), "!interesting-Method0123456789_*+`.%indeed'~")
		equal(t, "user", m.RequestURI().User(), "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*")
		equal(t, "password", m.RequestURI().Password(), "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)")
		equal(t, "host", m.RequestURI().Host(), "example.com")
		equal(t, "From display", m.From().Display(), "token1~` token2'+_ token3*%!.-")
		equal(t, "From tag", m.From().Tag(), "_token~1'+`*%!-.")
		equal(t, "branch", m.Via().Branch(), "z9hG4bK-.!%66*_+`'~")
		equal(t, "To display", m.To().Display(), "BEL:\\\a NUL:\\\x00 DEL:\\\x7f")
		equal(t, "extension header", first(m.Named([]byte("extensionHeader-!.%*+_`'~"))), "\ufeff大停電")
	}},
	"4475/esc01.dat": {"§3.1.1.3", OK, 0, 0, func(t *testing.T, m *Message) {
		equal(t, "user", m.RequestURI().User(), "sips%3Auser%40example.com")
		equal(t, "host", m.RequestURI().Host(), "example.net")
		equal(t, "To user", AppendUnescaped(nil, m.To().URI().User()), "user")
		equal(t, "From user", AppendUnescaped(nil, m.From().URI().User()), "I have spaces")
		equal(t, "Content-Type", m.Value(HeaderContentType), "application/sdp")
		var contact Addr
		contact.Parse(m.Value(HeaderContact))
		equal(t, "Contact user", AppendUnescaped(nil, contact.URI().User()), "caller")
	}},
	"4475/escnull.dat": {"§3.1.1.4", OK, 0, 0, func(t *testing.T, m *Message) {
		equal(t, "From user", AppendUnescaped(nil, m.From().URI().User()), "null-\x00-null")
		equal(t, "Contacts", join(m.Values(HeaderContact)), "<sip:%00@host5.example.com>|<sip:%00%00@host5.example.com>")
	}},
	"4475/esc02.dat": {"§3.1.1.5", OK, 0, 0, func(t *testing.T, m *Message) {
		equal(t, "method", m.MethodName(), "RE%47IST%45R")
		if m.Method() != MethodOther {
			t.Errorf("method is %s: no escape is one in a method name", m.Method())
		}
		equal(t, "Contacts", join(m.Values(HeaderContact)), "<sip:alias1@host1.example.com>|<sip:alias3@host3.example.com>")
	}},
	"4475/lwsdisp.dat": {"§3.1.1.6", OK, 0, 0, func(t *testing.T, m *Message) {
		equal(t, "From display", m.From().Display(), "caller")
	}},
	"4475/longreq.dat": {"§3.1.1.7", OK, 0, OddNoBranch, func(t *testing.T, m *Message) {
		if n := m.ViaCount(); n != 34 {
			t.Errorf("ViaCount = %d, want 34", n)
		}
		equal(t, "Via host", m.Via().Host(), "sip33.example.com")
	}},
	"4475/dblreq.dat": {"§3.1.1.8", OK, 0, OddContentLengthShort, func(t *testing.T, m *Message) {
		if m.Method() != MethodRegister || len(m.Body()) != 0 {
			t.Errorf("%s with %d bytes of body, want REGISTER and none", m.Method(), len(m.Body()))
		}
	}},
	"4475/semiuri.dat": {"§3.1.1.9", OK, 0, 0, func(t *testing.T, m *Message) {
		equal(t, "user", m.RequestURI().User(), "user;par=u%40example.net")
		equal(t, "host", m.RequestURI().Host(), "example.com")
		equal(t, "Accept", join(m.Values(HeaderAccept)), "application/sdp|application/pkcs7-mime|"+
			"multipart/mixed|multipart/signed|message/sip|message/sipfrag")
	}},
	"4475/transports.dat": {"§3.1.1.10", OK, 0, 0, func(t *testing.T, m *Message) {
		want := []string{"UDP", "SCTP", "TLS", "UNKNOWN", "TCP"}
		values := m.Values(HeaderVia)
		for _, transport := range want {
			var v Via
			value, ok := values.Next()
			if !ok || !v.Parse(value) {
				t.Fatalf("Via %q: not parsed", value)
			}
			equal(t, "transport", v.Transport(), transport)
		}
	}},
	"4475/mpart01.dat": {"§3.1.1.11", OK, 0, 0, func(t *testing.T, m *Message) {
		if len(m.Body()) != 553 {
			t.Errorf("body of %d bytes, want 553", len(m.Body()))
		}
		if sdp := SDPBody(m.Value(HeaderContentType), m.Body()); sdp != nil {
			t.Errorf("SDP found in a body that has none: %q", sdp)
		}
	}},
	"4475/unreason.dat": {"§3.1.1.12", OK, 0, 0, func(t *testing.T, m *Message) {
		equal(t, "reason", m.ReasonPhrase(), "= 2**3 * 5**2 но сто девяносто девять - простое")
	}},
	"4475/noreason.dat": {"§3.1.1.13", OK, 0, 0, func(t *testing.T, m *Message) {
		if m.Status() != 100 || len(m.ReasonPhrase()) != 0 {
			t.Errorf("%d %q, want 100 and no reason", m.Status(), m.ReasonPhrase())
		}
	}},

	// RFC 4475 §3.1.2: invalid; what a liberal element may accept is OK here.
	"4475/badinv01.dat": {"§3.1.2.1", BrokenHeader, HeaderVia, OddNoBranch | OddParam, nil},
	"4475/clerr.dat": {"§3.1.2.2", OK, 0, 0, func(t *testing.T, m *Message) {
		if n, ok := m.ContentLength(); n != 9999 || !ok || !m.BodyCut() {
			t.Errorf("Content-Length %d %v, cut %v; want 9999, true and true", n, ok, m.BodyCut())
		}
	}},
	"4475/ncl.dat":      {"§3.1.2.3", LengthNotNumber, HeaderContentLength, 0, nil},
	"4475/scalar02.dat": {"§3.1.2.4", CSeqTooLarge, HeaderCSeq, 0, nil},
	"4475/scalarlg.dat": {"§3.1.2.5", CSeqTooLarge, HeaderCSeq, 0, func(t *testing.T, m *Message) {
		if m.Status() != 503 {
			t.Errorf("status %d, want 503", m.Status())
		}
		if n, ok := Seconds(m.Value(HeaderRetryAfter)); n != 1<<32-1 || !ok {
			t.Errorf("Retry-After = %d %v, want 2^32-1", n, ok)
		}
	}},
	"4475/quotbal.dat":  {"§3.1.2.6", OpenQuote, HeaderTo, 0, nil},
	"4475/ltgtruri.dat": {"§3.1.2.7", BracketsAroundURI, 0, OddNoBranch, nil},
	"4475/lwsruri.dat":  {"§3.1.2.8", SpaceInRequestURI, 0, 0, nil},
	"4475/lwsstart.dat": {"§3.1.2.9", OK, 0, OddStartLineSpace, func(t *testing.T, m *Message) {
		equal(t, "Request-URI", m.RequestURI().Bytes(), "sip:user@example.com")
	}},
	"4475/trws.dat":     {"§3.1.2.10", OK, 0, OddStartLineSpace, nil},
	"4475/escruri.dat":  {"§3.1.2.11", OK, 0, OddURIHeaders, nil},
	"4475/baddate.dat":  {"§3.1.2.12", OK, 0, OddDate, nil},
	"4475/regbadct.dat": {"§3.1.2.13", AmbiguousContact, HeaderContact, 0, nil},
	"4475/badaspec.dat": {"§3.1.2.14", OK, 0, OddSpaceInURI, func(t *testing.T, m *Message) {
		equal(t, "To user", m.To().URI().User(), "t.watson")
	}},
	"4475/baddn.dat": {"§3.1.2.15", NoEnd, 0, OddDisplayName, nil}, // the archive lacks the empty line
	"4475-alt/baddn.with-empty-line.dat": {"§3.1.2.15", OK, 0, OddDisplayName, func(t *testing.T, m *Message) {
		equal(t, "From display", m.From().Display(), "Bell, Alexander")
		equal(t, "From tag", m.From().Tag(), "43")
	}},
	"4475/badvers.dat":    {"§3.1.2.16", BadVersion, 0, 0, nil},
	"4475/mismatch01.dat": {"§3.1.2.17", CSeqMethod, HeaderCSeq, 0, nil},
	"4475/mismatch02.dat": {"§3.1.2.18", CSeqMethod, HeaderCSeq, 0, nil},
	"4475/bigcode.dat":    {"§3.1.2.19", StatusRange, 0, 0, nil},

	// RFC 4475 §3.2 to §3.4: syntax is fine where the RFC says so.
	"4475/badbranch.dat": {"§3.2.1", OK, 0, OddNoBranch, nil},
	"4475/insuf.dat":     {"§3.3.1", MissingHeader, HeaderFrom, OddNoMaxForwards, nil},
	"4475/unkscm.dat": {"§3.3.2", OK, 0, 0, func(t *testing.T, m *Message) {
		equal(t, "scheme", m.RequestURI().Scheme(), "nobodyKnowsThisScheme")
		equal(t, "opaque part", m.RequestURI().User(), "totallyopaquecontent")
	}},
	"4475/novelsc.dat": {"§3.3.3", OK, 0, 0, func(t *testing.T, m *Message) {
		equal(t, "scheme", m.RequestURI().Scheme(), "soap.beep")
	}},
	"4475/unksm2.dat": {"§3.3.4", OK, 0, 0, func(t *testing.T, m *Message) {
		equal(t, "To scheme", m.To().URI().Scheme(), "isbn")
		equal(t, "From scheme", m.From().URI().Scheme(), "http")
		equal(t, "From tag", m.From().Tag(), "3234233")
	}},
	"4475/bext01.dat": {"§3.3.5", OK, 0, 0, func(t *testing.T, m *Message) {
		equal(t, "Require", join(m.Values(HeaderRequire)), "nothingSupportsThis|nothingSupportsThisEither")
		equal(t, "Proxy-Require", join(m.Values(HeaderProxyRequire)), "noProxiesSupportThis|norDoAnyProxiesSupportThis")
	}},
	"4475/invut.dat": {"§3.3.6", OK, 0, 0, nil},
	"4475/regaut01.dat": {"§3.3.7", OK, 0, 0, func(t *testing.T, m *Message) {
		var a Auth
		if !a.Parse(m.Value(HeaderAuthorization)) || a.IsDigest() {
			t.Error("Authorization of an unknown scheme: refused or taken for Digest")
		}
		equal(t, "scheme", a.Scheme(), "NoOneKnowsThisScheme")
		v, _ := a.Param("opaque-data")
		equal(t, "opaque-data", v, "here")
	}},
	"4475/multi01.dat": {"§3.3.8", RepeatedHeader, HeaderCSeq, 0, nil},
	"4475/mcl01.dat":   {"§3.3.9", LengthConflict, HeaderContentLength, OddContentLengthShort, nil},
	"4475/bcast.dat": {"§3.3.10", OK, 0, 0, func(t *testing.T, m *Message) {
		equal(t, "Via host", m.Via().Host(), "192.0.2.198")
	}},
	"4475/zeromf.dat": {"§3.3.11", OK, 0, 0, func(t *testing.T, m *Message) {
		equal(t, "Max-Forwards", m.Value(HeaderMaxForwards), "0")
	}},
	"4475/cparam01.dat": {"§3.3.12", OK, 0, 0, func(t *testing.T, m *Message) {
		contactParam(t, m, false)
	}},
	"4475/cparam02.dat": {"§3.3.13", OK, 0, 0, func(t *testing.T, m *Message) {
		contactParam(t, m, true)
	}},
	"4475/regescrt.dat": {"§3.3.14", OK, 0, 0, func(t *testing.T, m *Message) {
		var contact Addr
		contact.Parse(m.Value(HeaderContact))
		equal(t, "Contact URI headers", contact.URI().Headers(), "Route=%3Csip:sip.example.com%3E")
	}},
	"4475/sdp01.dat": {"§3.3.15", OK, 0, 0, nil},
	"4475/inv2543.dat": {"§3.4.1", OK, 0, OddNoBranch | OddNoFromTag | OddNoMaxForwards, func(t *testing.T, m *Message) {
		wantParam(t, m.To(), "user", "phone")
		v, ok := m.From().URI().Param("user")
		if !ok || string(v) != "phone" {
			t.Errorf("From URI user = %q, want phone: in angle brackets it is the URI's", v)
		}
	}},

	// RFC 5118 §4.
	"5118/ipv6-good.dat": {"§4.1", OK, 0, 0, func(t *testing.T, m *Message) {
		equal(t, "host", m.RequestURI().Host(), "2001:db8::10")
		equal(t, "Via host", m.Via().Host(), "2001:db8::9:1")
	}},
	"5118/ipv6-bad.dat": {"§4.2", BadRequestURI, 0, 0, nil},
	"5118/port-ambiguous.dat": {"§4.3", OK, 0, 0, func(t *testing.T, m *Message) {
		equal(t, "host", m.RequestURI().Host(), "2001:db8::10:5070")
		if port, ok := m.RequestURI().Port(); ok {
			t.Errorf("port %d, want none: it is part of the address", port)
		}
	}},
	"5118/port-unambiguous.dat": {"§4.4", OK, 0, 0, func(t *testing.T, m *Message) {
		equal(t, "host", m.RequestURI().Host(), "2001:db8::10")
		if port, ok := m.RequestURI().Port(); port != 5070 || !ok {
			t.Errorf("port %d %v, want 5070", port, ok)
		}
	}},
	"5118/via-received-param-with-delim.dat": {"§4.5", OK, 0, 0, func(t *testing.T, m *Message) {
		equal(t, "received", m.Via().Received(), "2001:db8::9:255")
	}},
	"5118/via-received-param-no-delim.dat": {"§4.5", OK, 0, 0, func(t *testing.T, m *Message) {
		equal(t, "received", m.Via().Received(), "2001:db8::9:255")
	}},
	"5118/ipv6-in-sdp.dat": {"§4.6", OK, 0, 0, func(t *testing.T, m *Message) {
		var s SDP
		s.Parse(SDPBody(m.Value(HeaderContentType), m.Body()))
		equal(t, "c=", s.Connection(), "2001:db8::20")
		if !m.BodyCut() { // Content-Length 268, CRLF body of 251
			t.Error("BodyCut = false, want true")
		}
	}},
	"5118/mult-ip-in-header.dat": {"§4.7", OK, 0, 0, func(t *testing.T, m *Message) {
		if n := m.ViaCount(); n != 3 {
			t.Errorf("ViaCount = %d, want 3", n)
		}
	}},
	// Content-Length 181, CRLF body of 189.
	"5118/mult-ip-in-sdp.dat": {"§4.8", OK, 0, OddContentLengthShort, func(t *testing.T, m *Message) {
		var s SDP
		s.Parse(m.Body())
		equal(t, "audio c=", s.Media(0).Connection, "192.0.2.1")
		equal(t, "video c=", s.Media(1).Connection, "2001:db8::1")
	}},
	// Content-Length 236, CRLF body of 245.
	"5118/ipv4-mapped-ipv6.dat": {"§4.9", OK, 0, OddContentLengthShort, func(t *testing.T, m *Message) {
		equal(t, "Via host", m.Via().Host(), "::ffff:192.0.2.10")
		if port, ok := m.Via().Port(); port != 19823 || !ok {
			t.Errorf("Via port %d %v, want 19823", port, ok)
		}
	}},
	"5118/ipv6-bug-abnf-3-colons.dat": {"§4.10", OK, 0, 0, func(t *testing.T, m *Message) {
		equal(t, "host", m.RequestURI().Host(), "2001:db8:::192.0.2.1")
	}},
	"5118/ipv6-correct-abnf-2-colons.dat": {"§4.10", OK, 0, 0, func(t *testing.T, m *Message) {
		equal(t, "host", m.RequestURI().Host(), "2001:db8::192.0.2.1")
	}},
}

func first(l Lines) []byte {
	v, _ := l.Next()
	return v
}

func join(v Values) []byte {
	var all []string
	for x, ok := v.Next(); ok; x, ok = v.Next() {
		all = append(all, string(x))
	}
	return []byte(strings.Join(all, "|"))
}

func wantParam(t *testing.T, a *Addr, name, want string) {
	t.Helper()
	v, ok := a.Param(name)
	if !ok || string(v) != want {
		t.Errorf("parameter %s = %q %v, want %q", name, v, ok, want)
	}
}

// contactParam: without angle brackets the parameter is the header's, with
// them it is the URI's (RFC 3261 §20.10).
func contactParam(t *testing.T, m *Message, inURI bool) {
	t.Helper()
	var contact Addr
	if !contact.Parse(m.Value(HeaderContact)) {
		t.Fatal("Contact not parsed")
	}
	_, header := contact.Param("unknownparam")
	_, uri := contact.URI().Param("unknownparam")
	if header == inURI || uri != inURI {
		t.Errorf("unknownparam: header %v, URI %v; want %v, %v", header, uri, !inURI, inURI)
	}
}

func TestTorture(t *testing.T) {
	rows := strings.Split(strings.TrimSpace(string(shared(t, "torture/valid_expected.tsv"))), "\n")[1:]
	files := map[string]string{"4475-alt/baddn.with-empty-line.dat": "valid"}
	for _, row := range rows {
		columns := strings.Split(row, "\t")
		files[columns[0]] = columns[2]
		if !strings.HasSuffix(columns[1], strings.TrimPrefix(torture[columns[0]].section, "§")) {
			t.Errorf("%s: section %q here, %q in the list", columns[0], torture[columns[0]].section, columns[1])
		}
	}
	if len(files) != len(torture) {
		t.Errorf("%d files in the list, %d verdicts", len(files), len(torture))
	}
	var m Message // reused, so that each file also meets the remains of another
	for file, validity := range files {
		t.Run(file, func(t *testing.T) {
			v, ok := torture[file]
			if !ok {
				t.Fatal("no verdict")
			}
			raw := shared(t, "torture/"+file)
			if kind, _ := Classify(raw); kind != KindSIP {
				t.Errorf("Classify = %s, want sip", kind)
			}
			got := m.Parse(raw, false)
			if got != v.problem || m.ProblemHeader() != v.header {
				t.Errorf("%s: %s: %s, want %s in %s", v.section, got, m.AppendProblem(nil), v.problem, v.header)
			}
			if validity == "valid" && v.problem != OK {
				t.Errorf("the RFC calls it valid, the verdict is %s", v.problem)
			}
			if m.Oddities() != v.odd {
				t.Errorf("%s: oddities %q, want %q", v.section, m.Oddities(), v.odd)
			}
			if v.check != nil {
				v.check(t, &m)
			}
			noAllocs(t, "Parse", func() { m.Parse(raw, false); m.Oddities() })
		})
	}
}
