package sip

import (
	"strings"
	"testing"
)

// TestHeaderNames: the names and compact forms as the IANA registry of header
// fields has them (RFC 3261 §20 and the RFCs named in the table).
func TestHeaderNames(t *testing.T) {
	tests := []struct {
		want    Header
		name    string
		compact string
	}{
		{HeaderVia, "Via", "v"}, {HeaderFrom, "From", "f"}, {HeaderTo, "To", "t"}, {HeaderCallID, "Call-ID", "i"},
		{HeaderCSeq, "CSeq", ""}, {HeaderContact, "Contact", "m"}, {HeaderContentLength, "Content-Length", "l"},
		{HeaderContentType, "Content-Type", "c"}, {HeaderMaxForwards, "Max-Forwards", ""}, {HeaderExpires, "Expires", ""},
		{HeaderAuthorization, "Authorization", ""}, {HeaderProxyAuthorization, "Proxy-Authorization", ""},
		{HeaderWWWAuthenticate, "WWW-Authenticate", ""}, {HeaderProxyAuthenticate, "Proxy-Authenticate", ""},
		{HeaderReason, "Reason", ""}, {HeaderRetryAfter, "Retry-After", ""}, {HeaderSessionExpires, "Session-Expires", "x"},
		{HeaderPAssertedIdentity, "P-Asserted-Identity", ""}, {HeaderPPreferredIdentity, "P-Preferred-Identity", ""},
		{HeaderRemotePartyID, "Remote-Party-ID", ""}, {HeaderDiversion, "Diversion", ""},
		{HeaderHistoryInfo, "History-Info", ""}, {HeaderPrivacy, "Privacy", ""}, {HeaderUserAgent, "User-Agent", ""},
		{HeaderServer, "Server", ""}, {HeaderEvent, "Event", "o"}, {HeaderSubscriptionState, "Subscription-State", ""},
		{HeaderReferTo, "Refer-To", "r"}, {HeaderReferredBy, "Referred-By", "b"}, {HeaderReplaces, "Replaces", ""},
		{HeaderRequire, "Require", ""}, {HeaderProxyRequire, "Proxy-Require", ""}, {HeaderSupported, "Supported", "k"},
		{HeaderAllow, "Allow", ""}, {HeaderAccept, "Accept", ""}, {HeaderRoute, "Route", ""},
		{HeaderRecordRoute, "Record-Route", ""}, {HeaderRSeq, "RSeq", ""}, {HeaderRAck, "RAck", ""},
		{HeaderSessionID, "Session-ID", ""}, {HeaderIdentity, "Identity", "y"},
		{HeaderPChargingVector, "P-Charging-Vector", ""}, {HeaderPriority, "Priority", ""}, {HeaderDate, "Date", ""},
		{HeaderWarning, "Warning", ""}, {HeaderMinExpires, "Min-Expires", ""}, {HeaderMinSE, "Min-SE", ""},
		{HeaderContentEncoding, "Content-Encoding", "e"}, {HeaderSubject, "Subject", "s"}, {HeaderPath, "Path", ""},
		{HeaderServiceRoute, "Service-Route", ""}, {HeaderAuthenticationInfo, "Authentication-Info", ""},
		{HeaderAllowEvents, "Allow-Events", "u"}, {HeaderAcceptContact, "Accept-Contact", "a"},
		{HeaderRejectContact, "Reject-Contact", "j"}, {HeaderRequestDisposition, "Request-Disposition", "d"},
		{HeaderIdentityInfo, "Identity-Info", "n"},
	}
	if len(tests) != int(NumHeaders)-1 {
		t.Errorf("%d names tested, the table has %d", len(tests), NumHeaders-1)
	}
	letters := map[byte]Header{}
	for _, tt := range tests {
		if tt.want.String() != tt.name {
			t.Errorf("String = %q, want %q", tt.want.String(), tt.name)
		}
		spellings := []string{tt.name, strings.ToLower(tt.name), strings.ToUpper(tt.name)}
		if tt.compact != "" {
			spellings = append(spellings, tt.compact, strings.ToUpper(tt.compact))
			letters[tt.compact[0]] = tt.want
		}
		for _, s := range spellings {
			if got := headerOf([]byte(s)); got != tt.want {
				t.Errorf("%q is %s, want %s", s, got, tt.name)
			}
			// Base has some of the names itself, hence no look at problems.
			var m Message
			m.Parse(message("+"+s+": value"), false)
			id, name, value := m.HeaderAt(m.NumHeaders() - 1)
			if id != tt.want || string(name) != s || string(value) != "value" {
				t.Errorf("line %q: %s, %q, %q", s, id, name, value)
			}
		}
	}
	for c := byte('a'); c <= 'z'; c++ {
		if got := headerOf([]byte{c}); got != letters[c] {
			t.Errorf("compact %q is %s, want %s", c, got, letters[c])
		}
	}
}

func TestHeaderNamesRefused(t *testing.T) {
	for _, s := range []string{
		"", " ", "w", "5", ":", "Vi", "Viaa", "Vib", "C\rSeq", "Call\rID", "Call_ID", "CallID", "Fro\x6e",
		"From ", "\xd6ia", "X-CID", "Via:", "other", strings.Repeat("x", 300),
	} {
		if got := headerOf([]byte(s)); got != HeaderOther {
			t.Errorf("%q is %s, want other", s, got)
		}
	}
	if s := HeaderOther.String(); s != "other" {
		t.Errorf("HeaderOther = %q", s)
	}
	if s := NumHeaders.String(); s != "other" {
		t.Errorf("NumHeaders = %q", s)
	}
}

// TestCommasSeparate: which headers are lists (RFC 3261 §7.3.1 and each
// header's grammar). The four authentication headers are not, by name.
func TestCommasSeparate(t *testing.T) {
	lists := []Header{
		HeaderVia, HeaderContact, HeaderReason, HeaderPAssertedIdentity, HeaderPPreferredIdentity,
		HeaderRemotePartyID, HeaderDiversion, HeaderHistoryInfo, HeaderRequire, HeaderProxyRequire, HeaderSupported,
		HeaderAllow, HeaderAccept, HeaderRoute, HeaderRecordRoute, HeaderWarning, HeaderContentEncoding, HeaderPath,
		HeaderServiceRoute, HeaderAllowEvents, HeaderAcceptContact, HeaderRejectContact, HeaderRequestDisposition,
	}
	want := map[Header]bool{}
	for _, h := range lists {
		want[h] = true
	}
	for h := HeaderOther; h < NumHeaders; h++ {
		if headers[h].list != want[h] {
			t.Errorf("%s: list %v, want %v", h, headers[h].list, want[h])
		}
	}
}

func TestValues(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		id    Header
		want  string
	}{
		{"one", []string{"+m: <sip:a@b>"}, HeaderContact, "<sip:a@b>"},
		{"two in one line", []string{"+m: <sip:a@b>;q=1 ,\t<sip:c@d>"}, HeaderContact, "<sip:a@b>;q=1|<sip:c@d>"},
		{"two lines", []string{"+m: <sip:a@b>", "+Contact: <sip:c@d>"}, HeaderContact, "<sip:a@b>|<sip:c@d>"},
		{"both", []string{"+m: a,b", "+CONTACT: c,d"}, HeaderContact, "a|b|c|d"},
		{"a comma in quotes", []string{`+m: "Bell, A." <sip:a@b>, c`}, HeaderContact, `"Bell, A." <sip:a@b>|c`},
		{"an escaped quote", []string{`+m: "a\",b" <sip:a@b>,c`}, HeaderContact, `"a\",b" <sip:a@b>|c`},
		{"a comma in brackets", []string{"+m: <sip:a,b@c>,<sip:d@e>"}, HeaderContact, "<sip:a,b@c>|<sip:d@e>"},
		{"quotes in brackets", []string{`+m: <sip:a"@b>,<sip:d"@e>`}, HeaderContact, `<sip:a"@b>|<sip:d"@e>`},
		{"empty elements", []string{"+Allow: ,INVITE,, ACK ,"}, HeaderAllow, "INVITE|ACK"},
		{"an empty line", []string{"+Supported:", "+k: path"}, HeaderSupported, "path"},
		{"only empty ones", []string{"+Supported: , ,"}, HeaderSupported, ""},
		{"folded", []string{"+Allow: INVITE\r\n ,ACK,\r\n\tBYE"}, HeaderAllow, "INVITE|ACK|BYE"},
		{"an open quote", []string{`+m: "a, b`, "+m: c"}, HeaderContact, `"a, b|c`},
		{"an open bracket", []string{"+m: <a, b", "+m: c"}, HeaderContact, "<a, b|c"},
		{"no list", []string{"+Date: Sat, 13 Nov 2010 23:29:00 GMT"}, HeaderDate, "Sat, 13 Nov 2010 23:29:00 GMT"},
		{"challenges", []string{`+WWW-Authenticate: Digest realm="a", nonce="b"`, "+WWW-Authenticate: Basic x"},
			HeaderWWWAuthenticate, `Digest realm="a", nonce="b"|Basic x`},
		{"no list and empty", []string{"+Subject:", "+s: x"}, HeaderSubject, "|x"},
		{"absent", nil, HeaderSubject, ""},
		{"unknown headers", []string{"+X-X: a,b", "+X-Y: c"}, HeaderOther, "a,b|c"},
		{"beyond the table", nil, NumHeaders, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			equal(t, "values", join(parsed(t, message(tt.lines...)).Values(tt.id)), tt.want)
		})
	}
}

func TestLines(t *testing.T) {
	m := parsed(t, message("+Supported: a, b", "+X-CID: 1", "+k:", "+x-cid:2", "+SUPPORTED: c"))
	want := []string{"a, b", "", "c"}
	lines := m.Lines(HeaderSupported)
	for _, w := range want {
		got, ok := lines.Next()
		if !ok || string(got) != w {
			t.Errorf("line %q %v, want %q", got, ok, w)
		}
	}
	for range 2 {
		if got, ok := lines.Next(); ok || got != nil {
			t.Errorf("behind the last: %q", got)
		}
	}
	if v := m.Value(HeaderSupported); string(v) != "a, b" {
		t.Errorf("Value = %q, want the first line", v)
	}
	if v := m.Value(HeaderSubject); v != nil {
		t.Errorf("Value of an absent header = %q, want nil", v)
	}
	if v := parsed(t, message("+s:")).Value(HeaderSubject); v == nil || len(v) != 0 {
		t.Errorf("Value of an empty header = %#v, want empty and not nil", v)
	}
	if v := m.Value(NumHeaders); v != nil || m.Has(NumHeaders) {
		t.Errorf("beyond the table: %q", v)
	}
}

func TestNamed(t *testing.T) {
	m := parsed(t, message("+Supported: a", "+X-CID: 1", "+k: b", "+x-cid:2", "+X-CIDs: 3"))
	for name, want := range map[string]string{
		"X-CID": "1|2", "x-cid": "1|2", "X-CI": "", "supported": "a|b", "k": "a|b", "": "", "via": "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776asdhds",
	} {
		var got []string
		lines := m.Named([]byte(name))
		for v, ok := lines.Next(); ok; v, ok = lines.Next() {
			got = append(got, string(v))
		}
		if s := strings.Join(got, "|"); s != want {
			t.Errorf("Named(%q) = %q, want %q", name, s, want)
		}
	}
	var zero Lines
	if _, ok := zero.Next(); ok {
		t.Error("the zero Lines has a line")
	}
	var empty Message
	lines := empty.Named([]byte("X"))
	if _, ok := lines.Next(); ok || empty.ViaCount() != 0 || empty.Has(HeaderVia) {
		t.Error("the zero Message has headers")
	}
}

// TestFolding folds every header that is taken apart, at every place where
// the grammar has white space (RFC 3261 §7.3.1, §25.1).
func TestFolding(t *testing.T) {
	for _, fold := range []string{"\r\n ", "\r\n\t", "\n ", "\r\n \r\n\t ", " \r\n  "} {
		f := func(s string) string { return strings.ReplaceAll(s, "~", fold) }
		m := parsed(t, message(
			f("Via: ~SIP~/~2.0~/~UDP~192.0.2.7~:~5062~;~branch~=~z9hG4bKx~;~received~=~192.0.2.8~;~rport~=~77~,~SIP/2.0/TCP~h2"),
			f("From: ~\"A~B\"~<sip:alice@example.com>~;~x~=~\"q~r\"~;~tag~=~t1~"),
			f("To: ~sip:bob@example.com~;~tag~=~t2"),
			f("Call-ID: ~a84b4c76e66710~"),
			f("CSeq: ~314159~OPTIONS~"),
			f("Content-Length: ~0~"),
			f("+m: ~<sip:a@b>~,~*~"),
			f("+Authorization: ~Digest~realm~=~\"r\"~,~nonce~=~n~"),
			f("+Expires: ~60~"),
		))
		equal(t, "transport", m.Via().Transport(), "UDP")
		equal(t, "host", m.Via().Host(), "192.0.2.7")
		equal(t, "branch", m.Via().Branch(), "z9hG4bKx")
		equal(t, "received", m.Via().Received(), "192.0.2.8")
		if port, ok := m.Via().Port(); port != 5062 || !ok {
			t.Errorf("port %d %v, want 5062", port, ok)
		}
		if port, ok := m.Via().RPort(); port != 77 || !ok {
			t.Errorf("rport %d %v, want 77", port, ok)
		}
		if n := m.ViaCount(); n != 2 {
			t.Errorf("ViaCount = %d, want 2", n)
		}
		equal(t, "display", m.From().Display(), f("A~B"))
		equal(t, "From tag", m.From().Tag(), "t1")
		wantParam(t, m.From(), "x", f("q~r"))
		equal(t, "To tag", m.To().Tag(), "t2")
		equal(t, "To URI", m.To().URI().Bytes(), "sip:bob@example.com")
		equal(t, "Call-ID", m.CallID(), "a84b4c76e66710")
		if number, _ := m.CSeq(); number != 314159 {
			t.Errorf("CSeq %d, want 314159", number)
		}
		equal(t, "Contacts", join(m.Values(HeaderContact)), "<sip:a@b>|*")
		var a Auth
		a.Parse(m.Value(HeaderAuthorization))
		equal(t, "realm", a.Realm(), "r")
		equal(t, "nonce", a.Nonce(), "n")
		if s, ok := Seconds(m.Value(HeaderExpires)); s != 60 || !ok {
			t.Errorf("Expires = %d %v, want 60", s, ok)
		}
		if odd := m.Oddities() &^ OddLFOnly; odd != 0 {
			t.Errorf("fold %q: oddities %q", fold, odd)
		}
	}
}

func TestMethods(t *testing.T) {
	names := map[string]Method{
		"INVITE": MethodInvite, "ACK": MethodAck, "BYE": MethodBye, "CANCEL": MethodCancel, "OPTIONS": MethodOptions,
		"REGISTER": MethodRegister, "PRACK": MethodPrack, "SUBSCRIBE": MethodSubscribe, "NOTIFY": MethodNotify,
		"PUBLISH": MethodPublish, "INFO": MethodInfo, "REFER": MethodRefer, "MESSAGE": MethodMessage, "UPDATE": MethodUpdate,
	}
	if len(names) != int(NumMethods)-1 {
		t.Errorf("%d methods tested, there are %d", len(names), NumMethods-1)
	}
	for name, want := range names {
		if got := ParseMethod([]byte(name)); got != want || got.String() != name {
			t.Errorf("%s is %s", name, got)
		}
		if got := ParseMethod([]byte(strings.ToLower(name))); got != MethodOther {
			t.Errorf("%s in lower case is %s: methods are case-sensitive", name, got)
		}
		m := parsed(t, message("!"+name+" sip:a@b SIP/2.0", "CSeq: 1 "+name))
		if m.Method() != want {
			t.Errorf("%s parsed as %s", name, m.Method())
		}
	}
	for _, name := range []string{"", "INVIT", "INVITEE", "INVITE ", "FOO", "other"} {
		if got := ParseMethod([]byte(name)); got != MethodOther {
			t.Errorf("%q is %s, want other", name, got)
		}
	}
	if MethodOther.String() != "other" || NumMethods.String() != "other" {
		t.Error("what is no method has a name")
	}
}

func TestSeconds(t *testing.T) {
	for s, want := range map[string]uint32{
		"0": 0, "3600": 3600, "  3600  ": 3600, "1800;refresher=uac": 1800, "18000 ;duration=3600": 18000,
		"5 (I'm in a meeting)": 5, "120(later)": 120, "60, 70": 60, "007": 7, "4294967295": 1<<32 - 1,
		"4294967296": 1<<32 - 1, "280297596632815": 1<<32 - 1, strings.Repeat("9", 200): 1<<32 - 1, "\r\n 90": 90,
	} {
		if got, ok := Seconds([]byte(s)); got != want || !ok {
			t.Errorf("Seconds(%q) = %d %v, want %d", s, got, ok, want)
		}
	}
	for _, s := range []string{"", " ", "-1", "+1", "a", "1a", "3600.5", "3600s", ";x=1", "0x10", "(1)", "\"60\""} {
		if got, ok := Seconds([]byte(s)); got != 0 || ok {
			t.Errorf("Seconds(%q) = %d %v, want none", s, got, ok)
		}
	}
	b := []byte("1800;refresher=uac")
	noAllocs(t, "Seconds", func() { Seconds(b) })
}
