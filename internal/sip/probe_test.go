package sip

import (
	"encoding/binary"
	"strings"
	"testing"
)

// stun is a message of RFC 8489 §5 with n bytes of attributes.
func stun(messageType uint16, cookie uint32, n int) []byte {
	b := make([]byte, 20+n)
	binary.BigEndian.PutUint16(b, messageType)
	binary.BigEndian.PutUint16(b[2:], uint16(n))
	binary.BigEndian.PutUint32(b[4:], cookie)
	return b
}

func TestClassify(t *testing.T) {
	const cookie = 0x2112A442
	dns := "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07version\x04bind\x00\x00\x10\x00\x03"
	tests := []struct {
		name string
		in   string
		kind Kind
		what ProbeKind
	}{
		{"a request", "OPTIONS sip:a@b SIP/2.0\r\n", KindSIP, ProbeNone},
		{"a response", "SIP/2.0 200 OK\r\n", KindSIP, ProbeNone},
		{"CRLFs first", "\r\n\r\nOPTIONS sip:a@b SIP/2.0\r\n", KindSIP, ProbeNone},
		{"NULs first", "\x00\x00OPTIONS sip:a@b SIP/2.0\r\n", KindSIP, ProbeNone},
		{"junk first", "junk\r\nOPTIONS sip:a@b SIP/2.0\r\n", KindSIP, ProbeNone},
		{"binary junk first", "\xff\xfe\r\nSIP/2.0 200 OK\r\n", KindSIP, ProbeNone},
		{"no line end", "OPTIONS sip:a@b SIP/2.0", KindSIP, ProbeNone},
		{"another version", "OPTIONS sip:a@b SIP/7.0\r\n", KindSIP, ProbeNone},
		{"a version in lower case", "sip/2.0 200 OK\r\n", KindSIP, ProbeNone},
		{"a status that is none", "SIP/2.0 whatever\r\n", KindSIP, ProbeNone},
		{"no version, sip", "OPTIONS sip:lab.test\r\n", KindSIP, ProbeNone},
		{"no version, sips", "OPTIONS SIPS:lab.test\r\n", KindSIP, ProbeNone},
		{"no version, tel", "INVITE tel:+49301234567\r\n", KindSIP, ProbeNone},
		{"cut in the URI", "INVITE sip:alice@exam", KindSIP, ProbeNone},
		{"a first byte that is no letter", "!interesting-Method sip:a@b SIP/2.0\r\n", KindSIP, ProbeNone},
		{"a URI in brackets", "INVITE <sip:a@b> SIP/2.0\r\n", KindSIP, ProbeNone},
		{"another scheme", "OPTIONS x:y SIP/2.0\r\n", KindSIP, ProbeNone},
		{"a space behind the version", "OPTIONS sip:a@b SIP/2.0 \t\r\n", KindSIP, ProbeNone},
		{"13 bytes", "BYE sip:a@b\r\n", KindSIP, ProbeNone},

		{"nothing", "", KindKeepAlive, ProbeNone},
		{"CRLF", "\r\n", KindKeepAlive, ProbeNone},
		{"double CRLF, RFC 5626 §3.5.1", "\r\n\r\n", KindKeepAlive, ProbeNone},
		{"one LF", "\n", KindKeepAlive, ProbeNone},
		{"NULs", "\x00\x00\x00\x00", KindKeepAlive, ProbeNone},
		{"blanks", " \t \r\n\x00", KindKeepAlive, ProbeNone},
		{"many NULs", strings.Repeat("\x00", 2000), KindKeepAlive, ProbeNone},
		{"STUN, RFC 5626 §3.5.2", string(stun(1, cookie, 0)), KindKeepAlive, ProbeSTUN},
		{"a STUN answer", string(stun(0x101, cookie, 12)), KindKeepAlive, ProbeSTUN},
		{"a STUN indication", string(stun(0x11, cookie, 8)), KindKeepAlive, ProbeSTUN},

		{"12 bytes of SIP", "BYE sip:a@b\n", KindProbe, ProbeText},
		{"a short status line", "SIP/2.0 2\r\n", KindProbe, ProbeText},
		{"jaK", "jaK", KindProbe, ProbeText},
		{"one letter", "x", KindProbe, ProbeText},
		{"words", "stats items\r\n", KindProbe, ProbeText},
		{"another scheme, no version", "OPTIONS mailto:a@b\r\n", KindProbe, ProbeText},
		{"a method and no more", "OPTIONS      \r\n", KindProbe, ProbeText},
		{"a bracket and no version", "INVITE <sip:a@b>\r\n", KindProbe, ProbeText},
		{"no method token", "IN@VITE sip:a@b\r\n", KindProbe, ProbeText},
		{"SIP/ in the middle", "hello SIP/2.0 world\r\n", KindProbe, ProbeText},
		{"a start line too far down", "a\nb\nc\nd\ne\nSIP/2.0 200 OK\r\n", KindProbe, ProbeText},
		{"HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", KindProbe, ProbeHTTP},
		{"an HTTP answer", "HTTP/1.1 200 OK\r\n\r\n", KindProbe, ProbeHTTP},
		{"RTSP", "OPTIONS rtsp://h/x RTSP/1.0\r\n\r\n", KindProbe, ProbeHTTP},
		{"an RTSP answer", "RTSP/1.0 200 OK\r\n\r\n", KindProbe, ProbeHTTP},
		{"SSDP notify", "NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n\r\n", KindProbe, ProbeSSDP},
		{"SSDP search", "M-SEARCH * HTTP/1.1\r\n\r\n", KindProbe, ProbeSSDP},
		{"a NOTIFY of HTTP for a path", "NOTIFY /x HTTP/1.1\r\n\r\n", KindProbe, ProbeHTTP},
		{"DNS", dns, KindProbe, ProbeDNS},
		{"DNS without question", dns[:4] + "\x00\x00" + dns[6:], KindProbe, ProbeBinary},
		{"DNS with a compressed name", dns[:12] + "\xc0\x0c\x00\x10\x00\x03", KindProbe, ProbeBinary},
		{"DNS with a cut name", dns[:20], KindProbe, ProbeBinary},
		{"TLS client hello", "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", KindProbe, ProbeTLS},
		{"TLS alert", "\x15\x03\x03\x00\x02\x02\x28", KindProbe, ProbeTLS},
		{"DTLS", "\x16\xfe\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x10", KindProbe, ProbeTLS},
		{"TLS of no version", "\x16\x09\x01\x00\xa5\x01\x00", KindProbe, ProbeBinary},
		{"RTP", "\x80\x00\x00\x01\x00\x00\x00\xa0\x12\x34\x56\x78payload", KindProbe, ProbeRTP},
		{"RTP, dynamic, marker", "\x80\xe0\x00\x01\x00\x00\x00\xa0\x12\x34\x56\x78payload", KindProbe, ProbeRTP},
		{"RTCP", "\x81\xc8\x00\x06\x12\x34\x56\x78", KindProbe, ProbeRTP},
		{"RTP without room for its sources", "\x8f\x00\x00\x01\x00\x00\x00\xa0\x12\x34\x56\x78", KindProbe, ProbeBinary},
		{"RTP of a reserved type", "\x80\x48\x00\x01\x00\x00\x00\xa0\x12\x34\x56\x78", KindProbe, ProbeBinary},
		{"STUN of RFC 3489", string(stun(1, 0, 8)), KindProbe, ProbeSTUN},
		{"STUN of no known type", string(stun(0x0ABC, 0, 8)), KindProbe, ProbeBinary},
		{"STUN whose length is wrong", string(append(stun(1, 0, 8), 1)), KindProbe, ProbeBinary},
		{"random bytes", "\xda\x90\xfc\xab\xc1\xe1\x84\x96\xe7\xc0\xc3\xf8\xf9\xe7", KindProbe, ProbeBinary},
		{"text with a NUL", "hello\x00world", KindProbe, ProbeBinary},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := []byte(tt.in)
			kind, what := Classify(b)
			if kind != tt.kind || what != tt.what {
				t.Errorf("%s %s, want %s %s", kind, what, tt.kind, tt.what)
			}
			noAllocs(t, "Classify", func() { Classify(b); StartsStrict(b) })
		})
	}
}

func TestStartsStrict(t *testing.T) {
	for _, in := range []string{
		"OPTIONS sip:a@b SIP/2.0\r\n", "OPTIONS sip:a@b SIP/2.0", "OPTIONS sip:a@b SIP/2.0\nVia", "SIP/2.0 200 OK\r\n", "SIP/2.0 100 \r\n",
		"SIP/2.0 699\r\n\r\n", "\r\n\r\nBYE tel:1 SIP/2.0\r\n", "!x-y urn:service:sos SIP/2.0\r\n",
	} {
		if !StartsStrict([]byte(in)) {
			t.Errorf("%q: refused", in)
		}
	}
	for _, in := range []string{
		"", "\r\n", "SIP/2.0", "SIP/2.0 200", "SIP/2.0 20 OK\r\n", "SIP/2.0 099 X\r\n", "SIP/2.0 700 X\r\n", "SIP/2.0 2000 OK\r\n",
		"SIP/2.0  200 OK\r\n", "SIP/2.0\t200 OK\r\n", "sip/2.0 200 OK\r\n", "SIP/3.0 200 OK\r\n", "SIP/2.01 200 OK\r\n",
		"OPTIONS sip:a@b\r\n", "OPTIONS sip:a@b SIP/3.0\r\n", "OPTIONS sip:a@b sip/2.0\r\n", "OPTIONS sip:a@b SIP/2.0 \r\n",
		"OPTIONS sip:a@b  SIP/2.0\r\n", "OPTIONS  sip:a@b SIP/2.0\r\n", "OPTIONS sip:a b SIP/2.0\r\n", "OPTIONS <sip:a@b> SIP/2.0\r\n",
		"OPTIONS a@b SIP/2.0\r\n", "OPTIONS * SIP/2.0\r\n", "OPTIONS SIP/2.0\r\n", " OPTIONS sip:a@b SIP/2.0\r\n", "OP@IONS sip:a@b SIP/2.0\r\n",
		" sip:a@b SIP/2.0\r\n", "\x00OPTIONS sip:a@b SIP/2.0\r\n", "junk\r\nOPTIONS sip:a@b SIP/2.0\r\n", "GET / HTTP/1.1\r\n\r\n",
		"a SIP/2.0\r\n\r\n\r\n",
	} {
		if StartsStrict([]byte(in)) {
			t.Errorf("%q: taken", in)
		}
	}
}

func TestKindStrings(t *testing.T) {
	want := []string{"none", "stun", "dns", "tls", "rtp", "http", "ssdp", "text", "binary", "unknown"}
	for k := ProbeNone; k <= NumProbeKinds; k++ {
		if k.String() != want[k] {
			t.Errorf("%d = %q, want %q", k, k, want[k])
		}
	}
	for k, s := range []string{"sip", "keep-alive", "probe", "unknown"} {
		if Kind(k).String() != s {
			t.Errorf("%d = %q, want %q", k, Kind(k), s)
		}
	}
}
