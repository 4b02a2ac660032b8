package sip

import (
	"strings"
	"testing"
)

func codecs(s *SDP) string {
	var all []string
	for i := range s.NumCodecs() {
		all = append(all, string(s.Codec(i)))
	}
	return strings.Join(all, " ")
}

// TestSDP reads the example of RFC 8866 §5.
func TestSDP(t *testing.T) {
	body := strings.ReplaceAll(`v=0
o=jdoe 3724394400 3724394405 IN IP4 198.51.100.1
s=Call to John Smith
i=SDP Offer #1
u=http://www.jdoe.example.com/home.html
e=Jane Doe <jane@jdoe.example.com>
p=+1 617 555-6011
c=IN IP4 198.51.100.2/127
t=0 0
m=audio 49170 RTP/AVP 0
m=audio 49180 RTP/AVP 0
m=video 51372/2 RTP/AVP 99
c=IN IP6 2001:db8::2
a=rtpmap:99 h263-1998/90000
a=ptime:20
a=maxptime:150
`, "\n", "\r\n")
	for _, b := range []string{body, strings.ReplaceAll(body, "\r\n", "\n"), "\r\n" + body, strings.TrimSpace(body)} {
		var s SDP
		in := []byte(b)
		if !s.Parse(in) {
			t.Fatal("refused")
		}
		equal(t, "Origin", s.Origin(), "198.51.100.1")
		equal(t, "Session", s.Session(), "Call to John Smith")
		equal(t, "Connection", s.Connection(), "198.51.100.2")
		if s.NumMedia() != 3 {
			t.Fatalf("NumMedia = %d, want 3", s.NumMedia())
		}
		for i, want := range []struct {
			kind, connection string
			port             uint16
		}{{"audio", "198.51.100.2", 49170}, {"audio", "198.51.100.2", 49180}, {"video", "2001:db8::2", 51372}} {
			m := s.Media(i)
			equal(t, "Type", m.Type, want.kind)
			equal(t, "Proto", m.Proto, "RTP/AVP")
			equal(t, "Connection", m.Connection, want.connection)
			equal(t, "Direction", m.Direction, "sendrecv")
			if m.Port != want.port {
				t.Errorf("port %d, want %d", m.Port, want.port)
			}
		}
		if got := codecs(&s); got != "PCMU h263-1998" {
			t.Errorf("codecs %q", got)
		}
		if s.Ptime() != 20 || s.MaxPtime() != 150 || s.SRTP() || s.ICE() || s.Held() {
			t.Errorf("ptime %d, maxptime %d, SRTP %v, ICE %v, held %v", s.Ptime(), s.MaxPtime(), s.SRTP(), s.ICE(), s.Held())
		}
		noAllocs(t, "SDP", func() {
			s.Parse(in)
			s.Connection()
			for i := range s.NumMedia() {
				s.Media(i)
			}
			for i := range s.NumCodecs() {
				s.Codec(i)
			}
			s.Held()
		})
	}
}

func TestSDPCodecs(t *testing.T) {
	const head = "v=0\nc=IN IP4 192.0.2.1\n"
	many := head + "m=audio 1 RTP/AVP"
	for i := 96; i < 128; i++ {
		many += " " + string(rune('0'+i/100)) + string(rune('0'+i/10%10)) + string(rune('0'+i%10))
	}
	many += " 0 8\n"
	manyWant := ""
	for i := range 32 {
		name := "c" + string(rune('a'+i/26)) + string(rune('a'+i%26))
		many += "a=rtpmap:" + string(rune('0'+(96+i)/100)) + string(rune('0'+(96+i)/10%10)) + string(rune('0'+(96+i)%10)) + " " + name + "/8000\n"
		manyWant += name + " "
	}
	for name, tt := range map[string]struct{ in, want string }{
		"static, RFC 3551 §6": {head + "m=audio 1 RTP/AVP 0 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18\n",
			"PCMU GSM G723 DVI4 LPC PCMA G722 L16 QCELP CN MPA G728 G729"},
		"static video":               {head + "m=video 1 RTP/AVP 25 26 28 31 32 33 34\n", "CelB JPEG nv H261 MPV MP2T H263"},
		"reserved and unassigned":    {head + "m=audio 1 RTP/AVP 1 2 19 20 24 27 35 72 95 127 128 999999999999999999999\n", ""},
		"the order of the offer":     {head + "m=audio 1 RTP/AVP 18 101 96 0\na=rtpmap:0 PCMU/8000\na=rtpmap:96 opus/48000/2\na=rtpmap:101 telephone-event/8000\n", "G729 telephone-event opus PCMU"},
		"an rtpmap wins":             {head + "m=audio 1 RTP/AVP 0\na=rtpmap:0 G7221/16000\n", "G7221"},
		"an rtpmap of another media": {head + "m=audio 1 RTP/AVP 96\na=rtpmap:96 opus/48000\nm=video 2 RTP/AVP 96\n", "opus"},
		"an rtpmap that is not used": {head + "m=audio 1 RTP/AVP 0\na=rtpmap:96 opus/48000\n", "PCMU"},
		"each once, case aside":      {head + "m=audio 1 RTP/AVP 96 97 0\na=rtpmap:96 opus/48000\na=rtpmap:97 OPUS/16000\na=rtpmap:0 pcmu/8000\n", "opus pcmu"},
		"two media":                  {head + "m=audio 1 RTP/AVP 0 8\nm=audio 2 RTP/AVP 8 9\n", "PCMU PCMA G722"},
		"a refused media":            {head + "m=audio 1 RTP/AVP 0\nm=video 0 RTP/AVP 31\n", "PCMU"},
		"a bundled media":            {head + "m=audio 1 RTP/AVP 0\nm=video 0 RTP/AVP 31\na=bundle-only\n", "PCMU H261"},
		"fax":                        {head + "m=image 1 udptl t38\n", "t38"},
		"a star":                     {head + "m=message 1 TCP/MSRP *\n", ""},
		"no format":                  {head + "m=audio 1 RTP/AVP\nm=audio 1\nm=\n", ""},
		"rtpmap without name":        {head + "m=audio 1 RTP/AVP 96\na=rtpmap:96\na=rtpmap:\na=rtpmap:x y\na=rtpmap:300 z\n", ""},
		"more than there is room":    {many, strings.TrimSpace(manyWant)},
	} {
		t.Run(name, func(t *testing.T) {
			var s SDP
			s.Parse([]byte(tt.in))
			if got := codecs(&s); got != tt.want {
				t.Errorf("codecs %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSDPFlags(t *testing.T) {
	const head = "v=0\nc=IN IP4 192.0.2.1\n"
	for name, tt := range map[string]struct {
		in              string
		srtp, ice, held bool
	}{
		"plain":                        {in: head + "m=audio 1 RTP/AVP 0\n"},
		"SAVP":                         {in: head + "m=audio 1 RTP/SAVP 0\n", srtp: true},
		"DTLS-SRTP":                    {in: head + "m=audio 1 UDP/TLS/RTP/SAVPF 0\n", srtp: true},
		"crypto":                       {in: head + "m=audio 1 RTP/AVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\n", srtp: true},
		"fingerprint of the session":   {in: head + "a=fingerprint:sha-256 4A:AD\nm=audio 1 RTP/AVP 0\n", srtp: true},
		"ICE credentials":              {in: head + "a=ice-ufrag:8hhY\nm=audio 1 RTP/AVP 0\n", ice: true},
		"ICE candidate":                {in: head + "m=audio 1 RTP/AVP 0\na=candidate:1 1 UDP 2130706431 192.0.2.1 8998 typ host\n", ice: true},
		"sendonly":                     {in: head + "m=audio 1 RTP/AVP 0\na=sendonly\n", held: true},
		"inactive":                     {in: head + "m=audio 1 RTP/AVP 0\na=inactive\n", held: true},
		"recvonly is the other side":   {in: head + "m=audio 1 RTP/AVP 0\na=recvonly\n"},
		"sendonly for the session":     {in: head + "a=sendonly\nm=audio 1 RTP/AVP 0\n", held: true},
		"the media overrules":          {in: head + "a=sendonly\nm=audio 1 RTP/AVP 0\na=sendrecv\n"},
		"one of two":                   {in: head + "m=audio 1 RTP/AVP 0\na=sendonly\nm=video 2 RTP/AVP 31\n"},
		"the other one is refused":     {in: head + "m=audio 1 RTP/AVP 0\na=sendonly\nm=video 0 RTP/AVP 31\n", held: true},
		"all refused":                  {in: head + "m=audio 0 RTP/AVP 0\na=sendonly\n"},
		"no media":                     {in: head + "a=sendonly\n"},
		"0.0.0.0, RFC 2543 appendix B": {in: "v=0\nc=IN IP4 0.0.0.0\nm=audio 1 RTP/AVP 0\n", held: true},
		"0.0.0.0 of one media":         {in: head + "m=audio 1 RTP/AVP 0\nc=IN IP4 0.0.0.0\n", held: true},
		"a media with another address": {in: "v=0\nc=IN IP4 0.0.0.0\nm=audio 1 RTP/AVP 0\nc=IN IP4 192.0.2.1\n"},
		"a word that is no direction":  {in: head + "m=audio 1 RTP/AVP 0\na=sendonly:x y\na=Sendonly2\n", held: true},
	} {
		t.Run(name, func(t *testing.T) {
			var s SDP
			if !s.Parse([]byte(tt.in)) {
				t.Fatal("refused")
			}
			if s.SRTP() != tt.srtp || s.ICE() != tt.ice || s.Held() != tt.held {
				t.Errorf("SRTP %v, ICE %v, held %v; want %v, %v, %v", s.SRTP(), s.ICE(), s.Held(), tt.srtp, tt.ice, tt.held)
			}
		})
	}
}

func TestSDPDirections(t *testing.T) {
	var s SDP
	s.Parse([]byte("v=0\nm=audio 1 RTP/AVP 0\na=sendrecv\nm=audio 1 RTP/AVP 0\na=sendonly\nm=audio 1 RTP/AVP 0\na=recvonly\nm=audio 1 RTP/AVP 0\na=inactive\n"))
	for i, want := range []string{"sendrecv", "sendonly", "recvonly", "inactive"} {
		equal(t, "Direction", s.Media(i).Direction, want)
	}
}

// TestSDPBounds: what is beyond the summary's bounds is counted and does no
// harm.
func TestSDPBounds(t *testing.T) {
	var s SDP
	s.Parse([]byte("v=0\nc=IN IP4 192.0.2.1\n" + strings.Repeat("m=audio 1 RTP/AVP 0\na=sendonly\nc=IN IP4 192.0.2.2\n", 100)))
	if s.NumMedia() != 100 {
		t.Errorf("NumMedia = %d, want 100", s.NumMedia())
	}
	for _, i := range []int{-1, maxMedia, 99, 100} {
		if m := s.Media(i); m.Type != nil || m.Port != 0 {
			t.Errorf("Media(%d) = %+v, want none", i, m)
		}
	}
	equal(t, "first media's c=", s.Media(0).Connection, "192.0.2.2")
	equal(t, "Connection", s.Connection(), "192.0.2.1")
}

// TestSDPRefused: what is no SDP is refused, what is broken is read as far as
// it goes, and nothing of another body is left.
func TestSDPRefused(t *testing.T) {
	var s SDP
	for _, in := range []string{
		"", "\r\n", "v", "V=0\n", "hello", "o=- 1 1 IN IP4 192.0.2.1\n", "=", "v:0", "<?xml version=\"1.0\"?>",
	} {
		s.Parse([]byte("v=0\no=- 1 1 IN IP4 192.0.2.1\ns=x\nc=IN IP4 192.0.2.1\nm=audio 1 RTP/SAVP 0\na=ptime:20\na=ice-ufrag:x\na=sendonly\n"))
		if s.Parse([]byte(in)) {
			t.Errorf("%q: taken", in)
		}
		if s.NumMedia() != 0 || s.NumCodecs() != 0 || s.Ptime() != 0 || s.SRTP() || s.ICE() || s.Held() ||
			len(s.Connection()) != 0 || len(s.Session()) != 0 {
			t.Errorf("%q: something of the last body is left", in)
		}
	}
	s.Parse([]byte("m=audio 1 RTP/AVP 0\nm=audio 65536 RTP/AVP 8\nm=audio -1\nc=\nc=IN\no=a b\na=\na=ptime:x\na=maxptime:\na\n=\n"))
	if got := codecs(&s); got != "PCMU" || s.NumMedia() != 3 || s.Ptime() != 0 {
		t.Errorf("codecs %q, %d media, ptime %d", got, s.NumMedia(), s.Ptime())
	}
}

func TestSDPBody(t *testing.T) {
	const sdp = "v=0\r\ns=-\r\n"
	part := func(headers, content string) string { return "--b1\r\n" + headers + "\r\n" + content + "\r\n" }
	const end = "--b1--\r\n"
	tests := []struct{ name, contentType, body, want string }{
		{"plain", "application/sdp", sdp, sdp},
		{"in capitals, with a parameter", " Application/SDP ;charset=utf-8", sdp, sdp},
		{"no type, SDP", "", sdp, sdp},
		{"first part", "multipart/mixed;boundary=b1", part("Content-Type: application/sdp\r\n", sdp) + part("", "x") + end, sdp},
		{"second part", "multipart/mixed; boundary=\"b1\"", part("Content-Type: application/isup\r\n", "\x00\r\n\x01") +
			part("Content-Type: application/sdp\r\n", sdp) + end, sdp},
		{"compact, folded, other headers", "MULTIPART/MIXED;x=y;Boundary=b1",
			part("X: y\r\nc:\r\n application/sdp\r\nZ: application/pdf\r\n", sdp) + end, sdp},
		{"a preamble", "multipart/mixed;boundary=b1", "--b\r\nnot yet\r\n" + part("c: application/sdp\r\n", sdp) + end, sdp},
		{"white space behind the delimiter", "multipart/mixed;boundary=b1", "--b1 \t\r\nc: application/sdp\r\n\r\n" + sdp + "\r\n--b1--", sdp},
		{"LF only", "multipart/mixed;boundary=b1", "--b1\nc: application/sdp\n\nv=0\n\n--b1--\n", "v=0\n"},
		{"the last delimiter is missing", "multipart/mixed;boundary=b1", "--b1\r\nc: application/sdp\r\n\r\n" + sdp, sdp},
		{"the body is cut in it", "multipart/mixed;boundary=b1", "--b1\r\nc: application/sdp\r\n\r\n" + sdp + "\r\n--b", sdp + "\r\n--b"},
		{"nested", "multipart/mixed;boundary=b1", part("Content-Type: multipart/alternative;\r\n boundary=b2\r\n",
			"--b2\r\nc: application/sdp\r\n\r\n"+sdp+"\r\n--b2--") + end, sdp},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			contentType, body := []byte(tt.contentType), []byte(tt.body)
			got := SDPBody(contentType, body)
			if got == nil {
				t.Fatal("not found")
			}
			equal(t, "SDPBody", got, tt.want)
			noAllocs(t, "SDPBody", func() { SDPBody(contentType, body) })
		})
	}
}

func TestSDPBodyRefused(t *testing.T) {
	const sdp = "v=0\r\ns=-\r\n"
	const part = "--b1\r\nc: application/sdp\r\n\r\n" + sdp + "\r\n--b1--\r\n"
	nest := "application/sdp"
	body := sdp
	for i := range maxDepth {
		b := string(rune('a' + i))
		body = "--" + b + "\r\nc: " + nest + "\r\n\r\n" + body + "\r\n--" + b + "--"
		nest = "multipart/mixed;boundary=" + b
	}
	for _, tt := range []struct{ name, contentType, body string }{
		{"another type", "text/plain", sdp},
		{"a longer type", "application/sdpx", sdp},
		{"no type, no SDP", "", "hello"},
		{"no boundary", "multipart/mixed", part},
		{"an empty boundary", "multipart/mixed;boundary=", part},
		{"another boundary", "multipart/mixed;boundary=b2", part},
		{"a longer boundary", "multipart/mixed;boundary=b", part},
		{"a boundary beyond 70 bytes, RFC 2046 §5.1.1", "multipart/mixed;boundary=" + strings.Repeat("b", 71),
			strings.ReplaceAll(part, "b1", strings.Repeat("b", 71))},
		{"no SDP part", "multipart/mixed;boundary=b1", strings.Replace(part, "application/sdp", "text/plain", 1)},
		{"a part without type", "multipart/mixed;boundary=b1", "--b1\r\n\r\n" + sdp + "\r\n--b1--"},
		{"only the last delimiter", "multipart/mixed;boundary=b1", "--b1--\r\nc: application/sdp\r\n\r\n" + sdp},
		{"delimiters and nothing else", "multipart/mixed;boundary=b1", "--b1\r\n--b1\r\n--b1\r\n--b1"},
		{"nothing", "multipart/mixed;boundary=b1", ""},
		{"a part of headers only", "multipart/mixed;boundary=b1", "--b1\r\nc: text/plain"},
		{"an empty SDP", "multipart/mixed;boundary=b1", "--b1\r\nc: application/sdp\r\n\r\n--b1--"},
		{"too deep", nest, body},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := SDPBody([]byte(tt.contentType), []byte(tt.body)); got != nil {
				t.Errorf("found %q", got)
			}
		})
	}
}
