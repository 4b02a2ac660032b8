package sip

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func TestParseRequest(t *testing.T) {
	// RFC 3261 §24.2, F1.
	raw := []byte(strings.ReplaceAll(`INVITE sip:bob@biloxi.com SIP/2.0
Via: SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bKnashds8
Max-Forwards: 70
To: Bob <sip:bob@biloxi.com>
From: Alice <sip:alice@atlanta.com>;tag=1928301774
Call-ID: a84b4c76e66710
CSeq: 314159 INVITE
Contact: <sip:alice@pc33.atlanta.com>
Content-Type: application/sdp
Content-Length: 5

v=0

and bytes behind the body`, "\n", "\r\n"))
	m := parsed(t, raw)
	if !m.IsRequest() || m.Method() != MethodInvite || m.Status() != 0 {
		t.Errorf("request %v, method %s, status %d", m.IsRequest(), m.Method(), m.Status())
	}
	equal(t, "MethodName", m.MethodName(), "INVITE")
	equal(t, "ReasonPhrase", m.ReasonPhrase(), "")
	equal(t, "RequestURI", m.RequestURI().Bytes(), "sip:bob@biloxi.com")
	equal(t, "CallID", m.CallID(), "a84b4c76e66710")
	equal(t, "From tag", m.From().Tag(), "1928301774")
	equal(t, "To user", m.To().URI().User(), "bob")
	equal(t, "Via host", m.Via().Host(), "pc33.atlanta.com")
	equal(t, "Raw", m.Raw(), string(raw))
	equal(t, "Body", m.Body(), "v=0\r\n")
	number, method := m.CSeq()
	if number != 314159 || string(method) != "INVITE" {
		t.Errorf("CSeq = %d %s", number, method)
	}
	if n, ok := m.ContentLength(); n != 5 || !ok || m.BodyCut() {
		t.Errorf("Content-Length %d %v, cut %v", n, ok, m.BodyCut())
	}
	if m.Oddities() != OddContentLengthShort {
		t.Errorf("oddities %q", m.Oddities())
	}
	if m.NumHeaders() != 9 {
		t.Errorf("NumHeaders = %d, want 9", m.NumHeaders())
	}
	id, name, value := m.HeaderAt(6)
	if id != HeaderContact || string(name) != "Contact" || string(value) != "<sip:alice@pc33.atlanta.com>" {
		t.Errorf("HeaderAt(6) = %s, %q, %q", id, name, value)
	}
}

func TestParseResponse(t *testing.T) {
	m := parsed(t, response("!SIP/2.0 404 Not  Found ", "CSeq: 2 NEWMETHOD"))
	if m.IsRequest() || m.Status() != 404 {
		t.Errorf("request %v, status %d", m.IsRequest(), m.Status())
	}
	if m.Method() != MethodOther {
		t.Errorf("Method = %s, want other", m.Method())
	}
	equal(t, "MethodName", m.MethodName(), "NEWMETHOD")
	equal(t, "ReasonPhrase", m.ReasonPhrase(), "Not  Found")
	equal(t, "RequestURI", m.RequestURI().Bytes(), "")
	if m := parsed(t, response()); m.Method() != MethodOptions {
		t.Errorf("Method = %s, want that of CSeq", m.Method())
	}
}

// TestParseAccepts lists what is no problem, and how it is noted.
func TestParseAccepts(t *testing.T) {
	tests := []struct {
		name string
		raw  []byte
		odd  Oddity
	}{
		{"the base of the other cases", message(), 0},
		{"a response", response(), 0},
		{"CRLFs before the start line, RFC 3261 §7.5", append([]byte("\r\n\r\n"), message()...), 0},
		{"NULs before it", append([]byte("\x00\x00"), message()...), OddJunkBefore},
		{"blanks before it", append([]byte(" \t"), message()...), OddJunkBefore},
		{"a junk line before it", append([]byte("\x01\x02 junk\r\n"), message()...), OddJunkBefore},
		{"a junk line before a status line", append([]byte("junk\r\n"), response()...), OddJunkBefore},
		{"four junk lines", append([]byte("a\r\nb\r\nc\r\nd\r\n"), message()...), OddJunkBefore},
		{"half a message before it", append([]byte("-Length: 0\r\n\r\n"), message()...), OddJunkBefore},
		{"bare LFs", bytes.ReplaceAll(message(), []byte("\r\n"), []byte("\n")), OddLFOnly},
		{"one bare LF", bytes.Replace(message(), []byte("\r\n"), []byte("\n"), 1), OddLFOnly},
		{"a bare LF as empty line", append(bytes.TrimSuffix(message(), []byte("\r\n")), '\n'), OddLFOnly},
		{"lower-case version, RFC 3261 §7.1", message("!OPTIONS sip:bob@example.com sip/2.0"), 0},
		{"lower-case version in a response", response("!sip/2.0 200 OK"), 0},
		{"two spaces after the method", message("!OPTIONS  sip:bob@example.com SIP/2.0"), OddStartLineSpace},
		{"two spaces before the version", message("!OPTIONS sip:bob@example.com  SIP/2.0"), OddStartLineSpace},
		{"a tab in the start line", message("!OPTIONS\tsip:bob@example.com SIP/2.0"), OddStartLineSpace},
		{"a space at its end", message("!OPTIONS sip:bob@example.com SIP/2.0 "), OddStartLineSpace},
		{"two spaces before the status", response("!SIP/2.0  200 OK"), OddStartLineSpace},
		{"no space after the status", response("!SIP/2.0 200"), OddStartLineSpace},
		{"no reason", response("!SIP/2.0 200 "), 0},
		{"the least status", response("!SIP/2.0 100 Trying"), 0},
		{"the greatest status", response("!SIP/2.0 699 Whatever"), 0},
		{"an unknown method", message("!PING sip:bob@example.com SIP/2.0", "CSeq: 1 PING"), 0},
		{"an unknown scheme", message("!OPTIONS x-y.z+1:anything SIP/2.0"), 0},
		{"a tel URI", message("!OPTIONS tel:+1-201-555-0123 SIP/2.0"), 0},
		{"an emergency URN", message("!OPTIONS urn:service:sos SIP/2.0"), 0},
		{"headers in the Request-URI", message("!OPTIONS sip:bob@example.com?subject=x SIP/2.0"), OddURIHeaders},
		{"no Max-Forwards", message("-Max-Forwards"), OddNoMaxForwards},
		{"no From tag, RFC 2543", message("From: <sip:alice@example.com>"), OddNoFromTag},
		{"an empty From tag", message("From: <sip:alice@example.com>;tag="), OddNoFromTag},
		{"no branch", message("Via: SIP/2.0/UDP 192.0.2.1"), OddNoBranch},
		{"only the cookie as branch", message("Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK"), OddNoBranch},
		{"a NUL in a header", message("+User-Agent: a\x00b"), OddControlChar},
		{"a control character in another", message("+Subject: a\x1bb"), OddControlChar},
		{"a bare CR in a header", message("+Subject: a\rb"), OddControlChar},
		{"two CRs and a LF", message("+Subject: a\r"), OddControlChar},
		{"control characters and a bare LF", bytes.Replace(message("+Subject: \x01"), []byte("\r\n"), []byte("\n"), 1),
			OddControlChar | OddLFOnly},
		{"tabs", message("+Subject:\ta\tb\t"), 0},
		{"bytes above ASCII", message("+Subject: gr\xc3\xbc\xc3\x9fe \xff"), 0},
		{"a header name that is no token", message("+Sub ject: x"), OddHeaderName},
		{"a header name of UTF-8", message("+Stra\xc3\x9fe: x"), OddHeaderName},
		{"spaces before the colon", message("-From", "+From  \t: <sip:alice@example.com>;tag=1"), 0},
		{"no space after the colon", message("Call-ID:1"), 0},
		{"an empty header that is not mandatory", message("+Supported:"), 0},
		{"a colon as value", message("+Subject: :"), 0},
		{"white space in the Call-ID", message("Call-ID: a b"), OddCallID},
		{"a Call-ID of separators", message(`Call-ID: a:"[](){}<>/?\@x`), 0},
		{"leading zeros in CSeq", message("CSeq: 0000000000000000001 OPTIONS"), 0},
		{"CSeq 0", message("CSeq: 0 OPTIONS"), 0},
		{"CSeq of 2^31 - 1", message("CSeq: 2147483647 OPTIONS"), 0},
		{"CSeq of 2^31", message("CSeq: 2147483648 OPTIONS"), OddCSeqLarge},
		{"CSeq of 2^32 - 1", message("CSeq: 4294967295 OPTIONS"), OddCSeqLarge},
		{"another method in a response's CSeq", response("CSeq: 1 INVITE"), 0},
		{"two Content-Lengths that agree", message("+l: 0"), 0},
		{"Content-Length 00", message("Content-Length: 00"), 0},
		{"no Content-Length over UDP", message("-Content-Length"), 0},
		{"no Content-Length over TCP", message("-Content-Length", "Via: SIP/2.0/TCP h;branch=z9hG4bK1"), OddNoContentLength},
		{"no Content-Length over tls", message("-Content-Length", "Via: SIP/2.0/tls h;branch=z9hG4bK1"), OddNoContentLength},
		{"no Content-Length over WebSocket, RFC 7118 §5.1", message("-Content-Length", "Via: SIP/2.0/WS h;branch=z9hG4bK1"), 0},
		{"bytes behind the body", append(message(), "x"...), OddContentLengthShort},
		{"two Vias in one line", message("Via: SIP/2.0/UDP a;branch=z9hG4bK1 , SIP/2.0/UDP b"), 0},
		{"a broken second Via", message("Via: SIP/2.0/UDP a;branch=z9hG4bK1, junk", "+Via:"), 0},
		{"a semicolon at the end of Via", message("Via: SIP/2.0/UDP a;branch=z9hG4bK1;"), OddParam},
		{"a word behind a Via parameter", message("Via: SIP/2.0/UDP a;rport x;branch=z9hG4bK1"), OddParam},
		{"a word behind a quoted parameter", message(`From: <sip:alice@example.com>;x="1"y;tag=1`), OddParam},
		{"a word behind the last parameter", message("To: <sip:bob@example.com>;x y"), OddParam},
		{"empty parameters in From", message("From: <sip:alice@example.com>;;tag=1"), OddParam},
		{"a semicolon at the end of To", message("To: <sip:bob@example.com>;"), OddParam},
		{"binary rubbish in a tag", message("To: <sip:bob@example.com>;tag=5af5720\x91\x0e\xe7b\x01"), OddControlChar},
		{"an unquoted display name with a comma", message("To: Bell, Alexander <sip:bob@example.com>"), OddDisplayName},
		{"an unquoted display name of UTF-8", message("To: J\xc3\xb6rg <sip:bob@example.com>"), OddDisplayName},
		{"quotes inside a quoted name", message(`To: "John "Jo" Doe" <sip:bob@example.com>`), OddDisplayName},
		{"spaces in a URI's brackets", message("To: < sip:bob@example.com >"), OddSpaceInURI},
		{"a space in a user", message("To: <sip:bob smith@example.com>"), OddSpaceInURI},
		{"Contact: *", message("+Contact: *"), 0},
		{"a Date in GMT", message("+Date: Sat, 13 Nov 2010 23:29:00 GMT"), 0},
		{"a Date in another zone", message("+Date: Sat, 13 Nov 2010 23:29:00 +0100"), OddDate},
		{"an empty Date", message("+Date:"), OddDate},
		{"a question mark in a bracketed REGISTER Contact",
			message("!REGISTER sip:example.com SIP/2.0", "CSeq: 1 REGISTER", "+m: <sip:a@b?c=d>, sip:a@b;x=\"?\""), 0},
		{"a question mark in the Contact of another request", message("+m: sip:a@b?c=d"), 0},
		{"a question mark in a display name",
			message("!REGISTER sip:example.com SIP/2.0", "CSeq: 1 REGISTER", "+m: \"Who?\" <sip:a@b>"), 0},
	}
	var m Message
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if kind, what := Classify(tt.raw); kind != KindSIP {
				t.Errorf("Classify = %s %s, want sip", kind, what)
			}
			if why := m.Parse(tt.raw, false); why != OK {
				t.Fatalf("Parse = %s (%s), want ok\n%s", why, m.AppendProblem(nil), tt.raw)
			}
			if m.Oddities() != tt.odd {
				t.Errorf("oddities %q, want %q", m.Oddities(), tt.odd)
			}
			if len(m.CallID()) == 0 || m.From().URI().Bytes() == nil || len(m.Via().Transport()) == 0 {
				t.Errorf("Call-ID %q, From %q, Via %q", m.CallID(), m.From().Bytes(), m.Via().Bytes())
			}
			noAllocs(t, "Parse", func() { m.Parse(tt.raw, false); m.Oddities() })
		})
	}
}

// TestParseRefuses lists the problems, each with the sentence an operator gets.
func TestParseRefuses(t *testing.T) {
	const notFirst = "start line: neither a request line nor a status line"
	register := func(contact string) []byte {
		return message("!REGISTER sip:example.com SIP/2.0", "CSeq: 1 REGISTER", "+"+contact)
	}
	tests := []struct {
		name string
		raw  []byte
		want Problem
		text string
	}{
		{"nothing", nil, BadStartLine, notFirst},
		{"only an empty line", []byte("\r\n"), BadStartLine, notFirst},
		{"one word", message("!OPTIONS"), BadStartLine, notFirst},
		{"three words, no version", message("!OPTIONS sip:a@b foo"), BadStartLine, notFirst},
		{"HTTP", message("!GET / HTTP/1.1"), BadStartLine, notFirst},
		{"SSDP", message("!NOTIFY * HTTP/1.1"), BadStartLine, notFirst},
		{"no method", message("!sip:bob@example.com SIP/2.0"), BadMethod, "start line: method is not a token"},
		{"a colon in the method", message("!OPT:IONS sip:bob@example.com SIP/2.0"), BadMethod, "start line: method is not a token"},
		{"no version", message("!OPTIONS sip:bob@example.com"), NoVersion, "start line: no SIP version"},
		{"version 3.0", message("!OPTIONS sip:bob@example.com SIP/3.0"), BadVersion, "start line: version is not SIP/2.0"},
		{"version 2.00", message("!OPTIONS sip:bob@example.com SIP/2.00"), BadVersion, "start line: version is not SIP/2.0"},
		{"version without number", message("!OPTIONS sip:bob@example.com SIP/"), BadVersion, "start line: version is not SIP/2.0"},
		{"version 1.0 in a response", response("!SIP/1.0 200 OK"), BadVersion, "start line: version is not SIP/2.0"},
		{"no status", response("!SIP/2.0 OK"), BadStatus, "start line: status is not three digits"},
		{"only a version", response("!SIP/2.0"), BadStatus, "start line: status is not three digits"},
		{"a status with a letter", response("!SIP/2.0 20O OK"), BadStatus, "start line: status is not three digits"},
		{"a status with a zero in front", response("!SIP/2.0 0200 OK"), BadStatus, "start line: status is not three digits"},
		{"status 0", response("!SIP/2.0 000 OK"), StatusRange, "start line: status is outside 100-699"},
		{"status 99", response("!SIP/2.0 99 X"), StatusRange, "start line: status is outside 100-699"},
		{"status 700", response("!SIP/2.0 700 X"), StatusRange, "start line: status is outside 100-699"},
		{"status 2^32 + 5", response("!SIP/2.0 4294967301 X"), StatusRange, "start line: status is outside 100-699"},
		{"a negative status", response("!SIP/2.0 -200 X"), BadStatus, "start line: status is not three digits"},
		{"no Request-URI", message("!OPTIONS SIP/2.0"), BadRequestURI, "start line: Request-URI is broken"},
		{"two spaces and no Request-URI", message("!OPTIONS  SIP/2.0"), BadRequestURI, "start line: Request-URI is broken"},
		{"a star as Request-URI", message("!OPTIONS * SIP/2.0"), BadRequestURI, "start line: Request-URI is broken"},
		{"a Request-URI without scheme", message("!OPTIONS bob@example.com SIP/2.0"), BadRequestURI, "start line: Request-URI is broken"},
		{"without host", message("!OPTIONS sip:bob@ SIP/2.0"), BadRequestURI, "start line: Request-URI is broken"},
		{"with an open bracket", message("!OPTIONS sip:[::1 SIP/2.0"), BadRequestURI, "start line: Request-URI is broken"},
		{"IPv6 without brackets", message("!OPTIONS sip:bob@2001:db8::1 SIP/2.0"), BadRequestURI, "start line: Request-URI is broken"},
		{"a port above 65535", message("!OPTIONS sip:bob@h:65536 SIP/2.0"), BadRequestURI, "start line: Request-URI is broken"},
		{"a Request-URI in brackets", message("!OPTIONS <sip:bob@example.com> SIP/2.0"), BracketsAroundURI, "start line: Request-URI in angle brackets"},
		{"a space in it", message("!OPTIONS sip:bob@example.com; lr SIP/2.0"), SpaceInRequestURI, "start line: white space in the Request-URI"},
		{"a tab in it", message("!OPTIONS sip:bob\t@example.com SIP/2.0"), SpaceInRequestURI, "start line: white space in the Request-URI"},
		{"a folded start line", message("!OPTIONS sip:bob@example.com\r\n SIP/2.0"), NoVersion, "start line: no SIP version"},
		{"a fold behind the start line", message("^ folded: x"), NoName, "header line: no name before the value"},

		{"a header without colon", message("+Max-Forwards 70"), NoColon, "header line: no colon"},
		{"a header of a blank in front", message("+: value"), NoName, "header line: no name before the value"},
		{"no empty line", bytes.TrimSuffix(message(), []byte("\r\n")), NoEnd, "header section: no empty line at its end"},
		{"no line end either", bytes.TrimSuffix(message(), []byte("\r\n\r\n")), NoEnd, "header section: no empty line at its end"},
		{"a lone CR at the end", bytes.TrimSuffix(message(), []byte("\n")), NoEnd, "header section: no empty line at its end"},
		{"a start line and no more", []byte("OPTIONS sip:a@b SIP/2.0"), NoEnd, "header section: no empty line at its end"},
		{"bare CRs as line ends", bytes.ReplaceAll(message(), []byte("\r\n"), []byte("\r")), BadStartLine, notFirst},

		{"no From", message("-From"), MissingHeader, "From: missing"},
		{"no To", message("-To"), MissingHeader, "To: missing"},
		{"no Call-ID", message("-Call-ID"), MissingHeader, "Call-ID: missing"},
		{"no CSeq", message("-CSeq"), MissingHeader, "CSeq: missing"},
		{"no Via", message("-Via"), MissingHeader, "Via: missing"},
		{"a REGISTER with nothing in it", []byte("REGISTER sip:192.0.2.1:5060 SIP/2.0\r\nExpires: 3600\r\n\r\n"), MissingHeader, "From: missing"},
		{"an empty From", message("From:"), EmptyHeader, "From: empty"},
		{"an empty To", message("To: \t "), EmptyHeader, "To: empty"},
		{"an empty Call-ID", message("Call-ID: "), EmptyHeader, "Call-ID: empty"},
		{"an empty CSeq", message("CSeq:"), EmptyHeader, "CSeq: empty"},
		{"an empty Via", message("Via:"), EmptyHeader, "Via: empty"},
		{"two Froms", message("+f: <sip:alice@example.com>;tag=1928301774"), RepeatedHeader, "From: more than one"},
		{"two Tos", message("+t: <sip:bob@example.com>"), RepeatedHeader, "To: more than one"},
		{"two Call-IDs", message("+i: a84b4c76e66710"), RepeatedHeader, "Call-ID: more than one"},
		{"two CSeqs", message("+CSeq: 314159 OPTIONS"), RepeatedHeader, "CSeq: more than one"},

		{"an open quote in From", message(`From: "Alice <sip:alice@example.com>;tag=1`), OpenQuote, "From: quoted string without end"},
		{"an escaped last quote", message(`From: "Alice\" <sip:alice@example.com>;tag=1`), OpenQuote, "From: quoted string without end"},
		{"a quote in the middle", message(`To: Bob" <sip:bob@example.com>`), OpenQuote, "To: quoted string without end"},
		{"an odd quote behind the name", message(`To: "Bob" x" <sip:bob@example.com>`), OpenQuote, "To: quoted string without end"},
		{"an open quote in a parameter", message(`To: <sip:bob@example.com>;x="y`), OpenQuote, "To: quoted string without end"},
		{"no closing bracket", message("From: <sip:alice@example.com;tag=1"), BrokenHeader, "From: broken"},
		{"empty brackets", message("From: <>;tag=1"), BrokenHeader, "From: broken"},
		{"a name and no URI", message("From: Alice;tag=1"), BrokenHeader, "From: broken"},
		{"a URI without scheme", message("From: <alice@example.com>;tag=1"), BrokenHeader, "From: broken"},
		{"a quoted name and a bare URI", message(`From: "Alice" sip:alice@example.com;tag=1`), BrokenHeader, "From: broken"},
		{"a word behind the brackets", message("To: <sip:bob@example.com> x"), BrokenHeader, "To: broken"},
		{"two values", message("To: <sip:bob@example.com>, <sip:eve@example.com>"), BrokenHeader, "To: broken"},
		{"two values with tags", message("To: <sip:bob@example.com>;tag=1, <sip:eve@example.com>;tag=2"), BrokenHeader, "To: broken"},
		{"white space in the tag", message("From: <sip:alice@example.com>;tag=1 2"), BrokenHeader, "From: broken"},
		{"a bare URI with a space", message("From: sip:alice@example.com x;tag=1"), BrokenHeader, "From: broken"},

		{"a Via of one word", message("Via: x"), BrokenHeader, "Via: broken"},
		{"without transport", message("Via: SIP/2.0 h;branch=z9hG4bK1"), BrokenHeader, "Via: broken"},
		{"with an empty transport", message("Via: SIP/2.0/ h;branch=z9hG4bK1"), BrokenHeader, "Via: broken"},
		{"without version", message("Via: SIP//UDP h;branch=z9hG4bK1"), BrokenHeader, "Via: broken"},
		{"without host", message("Via: SIP/2.0/UDP ;branch=z9hG4bK1"), BrokenHeader, "Via: broken"},
		{"nothing behind the transport", message("Via: SIP/2.0/UDP"), BrokenHeader, "Via: broken"},
		{"a Via port of letters", message("Via: SIP/2.0/UDP h:sip;branch=z9hG4bK1"), BrokenHeader, "Via: broken"},
		{"a Via port above 65535", message("Via: SIP/2.0/UDP h:99999;branch=z9hG4bK1"), BrokenHeader, "Via: broken"},
		{"IPv6 without brackets in Via", message("Via: SIP/2.0/UDP 2001:db8::1;branch=z9hG4bK1"), BrokenHeader, "Via: broken"},
		{"empty Via parameters", message("Via: SIP/2.0/UDP h;;branch=z9hG4bK1"), BrokenHeader, "Via: broken"},
		{"an empty first Via value", message("Via: , SIP/2.0/UDP h;branch=z9hG4bK1"), BrokenHeader, "Via: broken"},
		{"an open quote in Via", message(`Via: SIP/2.0/UDP h;branch="z9hG4bK1`), BrokenHeader, "Via: broken"},

		{"CSeq without number", message("CSeq: OPTIONS"), CSeqNotNumber, "CSeq: number is no number"},
		{"a negative CSeq", message("CSeq: -1 OPTIONS"), CSeqNotNumber, "CSeq: number is no number"},
		{"CSeq without method", message("CSeq: 1"), BrokenHeader, "CSeq: broken"},
		{"CSeq without white space", message("CSeq: 1OPTIONS"), BrokenHeader, "CSeq: broken"},
		{"CSeq with a third word", message("CSeq: 1 OPTIONS x"), BrokenHeader, "CSeq: broken"},
		{"CSeq of a response with no token", response("CSeq: 1 a/b"), BrokenHeader, "CSeq: broken"},
		{"CSeq of 2^32", message("CSeq: 4294967296 OPTIONS"), CSeqTooLarge, "CSeq: number is 2^32 or more"},
		{"CSeq of 2^64 + 1", message("CSeq: 18446744073709551617 OPTIONS"), CSeqTooLarge, "CSeq: number is 2^32 or more"},
		{"CSeq of another method", message("CSeq: 1 INVITE"), CSeqMethod, "CSeq: method is not the request's"},
		{"CSeq of another case", message("CSeq: 1 options"), CSeqMethod, "CSeq: method is not the request's"},
		{"CSeq of another unknown method", message("!FOO sip:a@b SIP/2.0", "CSeq: 1 BAR"), CSeqMethod, "CSeq: method is not the request's"},

		{"a negative Content-Length", message("Content-Length: -1"), LengthNotNumber, "Content-Length: not a number"},
		{"an empty Content-Length", message("Content-Length:"), LengthNotNumber, "Content-Length: not a number"},
		{"Content-Length of letters", message("Content-Length: zero"), LengthNotNumber, "Content-Length: not a number"},
		{"a fraction", message("Content-Length: 0.5"), LengthNotNumber, "Content-Length: not a number"},
		{"a list of them", message("Content-Length: 0, 0"), LengthNotNumber, "Content-Length: not a number"},
		{"two that differ", message("+Content-Length: 1"), LengthConflict, "Content-Length: two different values"},

		{"an ambiguous Contact", register("m: sip:a@b?c=d"), AmbiguousContact, "Contact: question mark in a URI without angle brackets"},
		{"the second of two", register("m: <sip:a@b>, sip:a@b?c=d"), AmbiguousContact, "Contact: question mark in a URI without angle brackets"},
		{"the first of two", register("m: sip:a@b?c=d, *"), AmbiguousContact, "Contact: question mark in a URI without angle brackets"},
	}
	var m Message
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := m.Parse(tt.raw, false)
			if text := string(m.AppendProblem(nil)); got != tt.want || text != tt.text {
				t.Errorf("%s: %q, want %s: %q", got, text, tt.want, tt.text)
			}
			if m.Problem() != got {
				t.Errorf("Problem() = %s after Parse returned %s", m.Problem(), got)
			}
			noAllocs(t, "Parse", func() { m.Parse(tt.raw, false); m.Oddities() })
		})
	}
}

// TestFirstProblemCounts: in the order of the bytes, what is missing last.
func TestFirstProblemCounts(t *testing.T) {
	raw := message("!OPTIONS <sip:bob@example.com> SIP/2.0", "-To", "^no colon", "CSeq: x", "From: ?")
	var m Message
	if why := m.Parse(raw, false); why != BracketsAroundURI {
		t.Errorf("Parse = %s, want %s", why, BracketsAroundURI)
	}
	raw = message("-To", "^no colon", "CSeq: x", "From: ?")
	if why := m.Parse(raw, false); why != NoColon {
		t.Errorf("Parse = %s, want %s", why, NoColon)
	}
	raw = message("-To", "CSeq: x", "From: ?")
	if why := m.Parse(raw, false); why != BrokenHeader || m.ProblemHeader() != HeaderFrom {
		t.Errorf("Parse = %s in %s, want %s in From", why, m.ProblemHeader(), BrokenHeader)
	}
}

// TestReadsOnAfterAProblem: a record can be made of a message that cannot be
// used.
func TestReadsOnAfterAProblem(t *testing.T) {
	var m Message
	m.Parse(message("!OPTIONS <sip:bob@example.com> SIP/9.0", `From: "x <sip:alice@example.com>;tag=77`,
		"To: <sip:bob@example.com;tag=88", "^junk", "CSeq: 99999999999 OPTIONS", "Via: SIP/2.0/UDP h;;;branch=z9hG4bK1"), false)
	if m.Problem() != BadVersion {
		t.Errorf("problem %s, want %s", m.Problem(), BadVersion)
	}
	if !m.IsRequest() || m.Method() != MethodOptions {
		t.Errorf("request %v, method %s", m.IsRequest(), m.Method())
	}
	equal(t, "Call-ID", m.CallID(), "a84b4c76e66710")
	equal(t, "From tag", m.From().Tag(), "77")
	equal(t, "From user", m.From().URI().User(), "alice")
	equal(t, "To tag", m.To().Tag(), "88")
	equal(t, "Via host", m.Via().Host(), "h")
	equal(t, "branch", m.Via().Branch(), "z9hG4bK1")
	_, method := m.CSeq()
	equal(t, "CSeq method", method, "OPTIONS")
	equal(t, "Max-Forwards", m.Value(HeaderMaxForwards), "70")

	m.Parse(message("!OPTIONS sip:bob@example.com", "-Call-ID"), false)
	equal(t, "Request-URI without version", m.RequestURI().Bytes(), "sip:bob@example.com")
	equal(t, "CallID that is missing", m.CallID(), "")
}

// TestReuse: nothing of one message is left in the next.
func TestReuse(t *testing.T) {
	var m Message
	m.Parse(message("+Subject: x", "Content-Length: 5", "+m: <sip:a@b>"), true)
	m.Parse([]byte("SIP/2.0 200 OK\r\nx: y\r\n\r\n"), false)
	if m.IsRequest() || m.Method() != MethodOther || m.Status() != 200 || len(m.MethodName()) != 0 {
		t.Errorf("request %v, method %s %q, status %d", m.IsRequest(), m.Method(), m.MethodName(), m.Status())
	}
	for what, b := range map[string][]byte{
		"Request-URI": m.RequestURI().Bytes(), "Call-ID": m.CallID(), "From": m.From().Bytes(),
		"From tag": m.From().Tag(), "To": m.To().Bytes(), "To user": m.To().URI().User(),
		"Via": m.Via().Bytes(), "branch": m.Via().Branch(), "Subject": m.Value(HeaderSubject), "body": m.Body(),
	} {
		equal(t, what, b, "")
	}
	number, method := m.CSeq()
	if _, has := m.ContentLength(); has || number != 0 || len(method) != 0 || m.BodyCut() {
		t.Errorf("Content-Length %v, CSeq %d %q, cut %v", has, number, method, m.BodyCut())
	}
	if m.Has(HeaderContact) || m.NumHeaders() != 1 {
		t.Errorf("Contact %v, %d headers", m.Has(HeaderContact), m.NumHeaders())
	}
}

// TestCut takes a message apart byte by byte, as a snap length does.
func TestCut(t *testing.T) {
	whole := message("-Content-Length", "+Content-Length: 4", "+Subject: x\r\n folded")
	whole = append(whole, "v=0\n"...)
	head := len(whole) - 4
	var m Message
	for n := range whole {
		why := m.Parse(whole[:n], true)
		if n < head && why != Truncated {
			t.Fatalf("%d bytes: %s (%s), want truncated", n, why, m.AppendProblem(nil))
		}
		if n >= head && (why != OK || !m.BodyCut() || len(m.Body()) != n-head) {
			t.Fatalf("%d bytes: %s, cut %v, body of %d", n, why, m.BodyCut(), len(m.Body()))
		}
		// What is kept of a cut message is what the whole one has.
		if id := m.CallID(); len(id) > 0 && string(id) != "a84b4c76e66710" {
			t.Fatalf("%d bytes: Call-ID %q", n, id)
		}
		if tag := m.From().Tag(); len(tag) > 0 && string(tag) != "1928301774" {
			t.Fatalf("%d bytes: From tag %q", n, tag)
		}
		if number, _ := m.CSeq(); number != 0 && number != 314159 {
			t.Fatalf("%d bytes: CSeq %d", n, number)
		}
		if u := m.RequestURI().Bytes(); len(u) > 0 && string(u) != "sip:bob@example.com" {
			t.Fatalf("%d bytes: Request-URI %q", n, u)
		}
		if odd := m.Oddities(); odd != 0 {
			t.Fatalf("%d bytes: oddities %q", n, odd)
		}
		if n > len("OPTIONS ") && m.Method() != MethodOptions {
			t.Fatalf("%d bytes: method %s", n, m.Method())
		}
	}
	equal(t, "text", m.AppendProblem(nil), "message: no problem")
	m.Parse(whole[:head-2], true)
	equal(t, "text", m.AppendProblem(nil), "header section: cut by the snap length")
}

// TestTruncatedButBroken: a problem in front of the cut is the one to name.
func TestTruncatedButBroken(t *testing.T) {
	var m Message
	raw := message("^no colon")
	if why := m.Parse(raw[:len(raw)-4], true); why != NoColon {
		t.Errorf("Parse = %s, want %s", why, NoColon)
	}
}

// TestLoad: the messages of the load generator are sound.
func TestLoad(t *testing.T) {
	var m Message
	for i, raw := range loadMessages(t) {
		if why := m.Parse(raw, false); why != OK || m.Oddities() != 0 || m.BodyCut() {
			t.Errorf("message %d: %s, oddities %q, cut %v\n%s", i, m.AppendProblem(nil), m.Oddities(), m.BodyCut(), raw)
		}
		if !StartsStrict(raw) {
			t.Errorf("message %d: StartsStrict refuses it", i)
		}
		noAllocs(t, "Parse", func() { m.Parse(raw, false); m.Oddities() })
	}
}

func TestBody(t *testing.T) {
	tests := []struct {
		name       string
		length     string
		body       string
		cut        bool
		want       string
		wantCut    bool
		wantLength int
	}{
		{"none", "Content-Length: 0", "", false, "", false, 0},
		{"whole", "Content-Length: 3", "abc", false, "abc", false, 3},
		{"longer than said", "Content-Length: 2", "abc", false, "ab", false, 2},
		{"shorter than said", "Content-Length: 4", "abc", false, "abc", true, 4},
		{"cut", "Content-Length: 4", "abc", true, "abc", true, 4},
		{"cut behind the body", "Content-Length: 2", "abc", true, "ab", false, 2},
		{"length not said", "X: y", "abc", false, "abc", false, 0},
		{"length not said, cut", "X: y", "abc", true, "abc", true, 0},
		{"a length beyond 31 bits", "Content-Length: 99999999999999999999", "abc", false, "abc", true, 1<<31 - 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var m Message
			raw := append(message("-Content-Length", "+"+tt.length), tt.body...)
			if why := m.Parse(raw, tt.cut); why != OK {
				t.Fatal(why)
			}
			equal(t, "Body", m.Body(), tt.want)
			if m.BodyCut() != tt.wantCut {
				t.Errorf("BodyCut = %v, want %v", m.BodyCut(), tt.wantCut)
			}
			if n, _ := m.ContentLength(); n != tt.wantLength {
				t.Errorf("ContentLength = %d, want %d", n, tt.wantLength)
			}
		})
	}
}

// TestResync: junk is passed over within a bound, and Classify agrees.
func TestResync(t *testing.T) {
	far := "x\r\n" + strings.Repeat("y", resyncBytes)
	for name, tt := range map[string]struct {
		before string
		kind   Kind
		want   Problem
	}{
		"four lines":           {"a\nb\nc\nd\n", KindSIP, OK},
		"five lines":           {"a\nb\nc\nd\ne\n", KindProbe, BadStartLine},
		"more than 1024 bytes": {far + "\r\n", KindProbe, BadStartLine},
		"a broken start line":  {"OPTIONS sip:[ SIP/2.0\r\n", KindSIP, OK},
		"another version":      {"OPTIONS sip:a SIP/7.0\r\n", KindSIP, OK},
		"an HTTP request":      {"GET / HTTP/1.0\r\n\r\n", KindSIP, OK},
	} {
		t.Run(name, func(t *testing.T) {
			raw := append([]byte(tt.before), message()...)
			if kind, _ := Classify(raw); kind != tt.kind {
				t.Errorf("Classify = %s, want %s", kind, tt.kind)
			}
			var m Message
			if why := m.Parse(raw, false); why != tt.want {
				t.Errorf("Parse = %s, want %s", why, tt.want)
			}
			if tt.want == OK {
				equal(t, "Request-URI", m.RequestURI().Bytes(), "sip:bob@example.com")
				if m.Oddities() != OddJunkBefore {
					t.Errorf("oddities %q, want junk-before", m.Oddities())
				}
			}
		})
	}
	// A header or body line that looks like a start line does no harm to a
	// message whose own is sound.
	m := parsed(t, append(message("Content-Length: 18"), "SIP/2.0 200 Fine\r\n"...))
	if m.Status() != 0 || m.Oddities() != 0 {
		t.Errorf("status %d, oddities %q", m.Status(), m.Oddities())
	}
}

// TestManyHeaders: the index has a bound; what is beyond it is judged.
func TestManyHeaders(t *testing.T) {
	var m Message
	lines := strings.Repeat("+x: y\r\n", maxLines+10)
	raw := message("^a: b\r\n" + strings.TrimSuffix(strings.ReplaceAll(lines, "+", ""), "\r\n"))
	if why := m.Parse(raw, false); why != OK {
		t.Fatal(why)
	}
	if m.NumHeaders() != maxLines {
		t.Errorf("NumHeaders = %d, want %d", m.NumHeaders(), maxLines)
	}
	equal(t, "Call-ID", m.CallID(), "a84b4c76e66710")
	if m.Has(HeaderCallID) || !m.Has(HeaderAcceptContact) {
		t.Error("the Call-ID line is beyond the index and is in it all the same")
	}
}

// TestHostileInputs counts instead of taking the time: no shape of input may
// make the iterators yield more than there are bytes. BenchmarkHostile shows
// the times.
func TestHostileInputs(t *testing.T) {
	var m Message
	for name, raw := range hostile(60_000) {
		t.Run(name, func(t *testing.T) {
			m.Parse(raw, false)
			m.Parse(raw, true)
			m.Parse(raw, false)
			if n := steps(&m); n > len(raw) {
				t.Errorf("%d steps over %d bytes", n, len(raw))
			}
			noAllocs(t, "Parse", func() { m.Parse(raw, false); m.Oddities(); m.ViaCount() })
		})
	}
}

// steps counts what every iterator over the message yields.
func steps(m *Message) int {
	n := 0
	for h := HeaderOther; h < NumHeaders; h++ {
		values := m.Values(h)
		for _, ok := values.Next(); ok; _, ok = values.Next() {
			n++
		}
	}
	for _, p := range []Params{m.From().Params(), m.To().Params(), m.Via().Params(), m.RequestURI().Params()} {
		for _, _, ok := p.Next(); ok; _, _, ok = p.Next() {
			n++
		}
	}
	return n
}

// TestGettersDoNotAllocate calls everything a message offers.
func TestGettersDoNotAllocate(t *testing.T) {
	raw := message("+m: <sip:a@b;x=y>;q=1, <sip:c@d>", "+Authorization: Digest realm=\"r\", nonce=\"n\"",
		"+X-CID: 1", "+Date: x", "+Accept: a, b")
	m := parsed(t, raw)
	buffer := make([]byte, 0, 256)
	name := []byte("x-cid")
	noAllocs(t, "getters", func() {
		m.Problem()
		m.ProblemHeader()
		buffer = m.AppendProblem(buffer[:0])
		m.Raw()
		m.IsRequest()
		m.Method()
		m.MethodName()
		m.Status()
		m.ReasonPhrase()
		m.RequestURI().Param("x")
		m.CallID()
		m.From().Param("tag")
		m.To().Display()
		m.CSeq()
		m.Via().Param("branch")
		m.Via().Received()
		m.ViaCount()
		m.Has(HeaderFrom)
		m.Value(HeaderFrom)
		for h := HeaderOther; h < NumHeaders; h++ {
			lines := m.Lines(h)
			for _, ok := lines.Next(); ok; _, ok = lines.Next() {
			}
		}
		steps(m)
		lines := m.Named(name)
		lines.Next()
		m.HeaderAt(m.NumHeaders() - 1)
		m.Body()
		m.BodyCut()
		m.ContentLength()
		_ = m.Oddities().String()
		StartsStrict(raw)
		Classify(raw)
	})
}

// TestBorrowedSlicesHaveNoRoom: an append by a caller must not write into the
// frame.
func TestBorrowedSlicesHaveNoRoom(t *testing.T) {
	m := parsed(t, message("+Accept: a, b"))
	values := m.Values(HeaderAccept)
	value, _ := values.Next()
	for what, b := range map[string][]byte{
		"CallID": m.CallID(), "tag": m.From().Tag(), "user": m.From().URI().User(), "branch": m.Via().Branch(),
		"value": m.Value(HeaderVia), "list element": value,
	} {
		if cap(b) != len(b) {
			t.Errorf("%s: len %d, cap %d", what, len(b), cap(b))
		}
	}
}

func TestProblemStrings(t *testing.T) {
	seen := map[string]bool{}
	for p := OK; p < NumProblems; p++ {
		s := p.String()
		if s == "" || seen[s] || problems[p].reason == "" || problems[p].subject == "" {
			t.Errorf("problem %d: keyword %q is empty or there twice, or has no text", p, s)
		}
		seen[s] = true
	}
	if s := NumProblems.String(); s != "unknown" {
		t.Errorf("beyond the last: %q", s)
	}
}

func TestOddityStrings(t *testing.T) {
	if endOfOddities != 1<<NumOddities {
		t.Errorf("NumOddities = %d, the last bit is %b", NumOddities, endOfOddities>>1)
	}
	seen := map[string]bool{}
	for i := range NumOddities {
		s := (Oddity(1) << i).String()
		if s == "" || seen[s] {
			t.Errorf("oddity %d: %q is empty or there twice", i, s)
		}
		seen[s] = true
	}
	for o, want := range map[Oddity]string{
		0: "", endOfOddities: "", OddLFOnly: "lf-only", OddCallID: "call-id",
		OddNoFromTag | OddLFOnly | OddDate: "lf-only,no-from-tag,date",
	} {
		if o.String() != want {
			t.Errorf("%b = %q, want %q", uint32(o), o.String(), want)
		}
	}
}

func ExampleMessage_AppendProblem() {
	var m Message
	m.Parse([]byte("OPTIONS sip:a@b SIP/2.0\r\nCSeq: 4294967296 OPTIONS\r\n\r\n"), false)
	fmt.Println(string(m.AppendProblem(nil)))
	// Output: CSeq: number is 2^32 or more
}
