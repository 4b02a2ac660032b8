package track

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// An INVITE with nothing wrong, and the answer to it.
const (
	goodInvite = "INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n" +
		"From: <sip:alice@example.com>;tag=a\r\nTo: <sip:bob@example.com>\r\nCall-ID: anomaly@example.com\r\nCSeq: 1 INVITE\r\n" +
		"Contact: <sip:alice@192.0.2.1>\r\nUser-Agent: phone\r\nContent-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n"
	goodBusy = "SIP/2.0 486 Busy Here\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:alice@example.com>;tag=a\r\n" +
		"To: <sip:bob@example.com>;tag=b\r\nCall-ID: anomaly@example.com\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
)

// ofOneMessage are the anomalies that one message shows: what of the good INVITE is
// replaced by what, the source port where it is another, and the labels that come of it.
var ofOneMessage = []struct {
	name  string
	edits []string // old, new, in both messages
	port  uint16
	by    packet.Transport
	want  string
}{
	{"nothing", nil, 5060, packet.UDP, ""},
	{"bare line feeds", []string{"phone\r\n", "phone\n"}, 5060, packet.UDP, "lf-only"},
	{"something before the start line", []string{"INVITE sip", "junk\r\nINVITE sip"}, 5060, packet.UDP, "junk-before"},
	{"two blanks in the start line", []string{"INVITE sip", "INVITE  sip"}, 5060, packet.UDP, "start-line-space"},
	{"no branch", []string{";branch=z9hG4bK1", ""}, 5060, packet.UDP, "no-branch"},
	{"no From tag", []string{"com>;tag=a", "com>"}, 5060, packet.UDP, "no-from-tag"},
	{"a control character", []string{"phone", "pho\x01ne"}, 5060, packet.UDP, "control-char"},
	{"bytes behind the body", []string{"v=0\r\n", "v=0\r\nx"}, 5060, packet.UDP, "bytes-after-body"},
	{"a display name", []string{"From: <", "From: Alice, her <"}, 5060, packet.UDP, "display-name"},
	{"a blank in a URI", []string{"To: <sip", "To: < sip"}, 5060, packet.UDP, "space-in-uri"},
	{"half a body", []string{"Length: 5", "Length: 50"}, 5060, packet.UDP, "body-truncated"},
	{"no Max-Forwards", []string{"Max-Forwards: 70\r\n", ""}, 5060, packet.UDP, "no-max-forwards"},
	{"Max-Forwards beyond 255", []string{"Max-Forwards: 70", "Max-Forwards: 256"}, 5060, packet.UDP, "max-forwards"},
	{"Max-Forwards in words", []string{"Max-Forwards: 70", "Max-Forwards: many"}, 5060, packet.UDP, "max-forwards"},
	{"Max-Forwards 255", []string{"Max-Forwards: 70", "Max-Forwards: 255"}, 5060, packet.UDP, ""},
	{"Max-Forwards 0", []string{"Max-Forwards: 70", "Max-Forwards: 0"}, 5060, packet.UDP, ""},
	{"no Contact", []string{"Contact: <sip:alice@192.0.2.1>\r\n", ""}, 5060, packet.UDP, "no-contact"},
	{"a broken Contact", []string{"Contact: <sip:alice@192.0.2.1>", "Contact: <sip:alice@"}, 5060, packet.UDP, "contact-broken"},
	{"two Contacts", []string{"Contact: <sip:alice@192.0.2.1>", "Contact: <sip:alice@192.0.2.1>, <sip:alice@192.0.2.9>"}, 5060, packet.UDP, "many-contacts"},
	{"a long value", []string{"phone", strings.Repeat("p", 2000)}, 5060, packet.UDP, "field-cut"},
	{"a long value that fits", []string{"phone", strings.Repeat("p", event.MaxText)}, 5060, packet.UDP, ""},
	{"TCP", []string{"UDP 192.0.2.1;branch=z9hG4bK1", "TCP 192.0.2.1;branch=z9hG4bK1"}, 5060, packet.TCP, ""},
	{"TCP without Content-Length", []string{"UDP 192.0.2.1;branch=z9hG4bK1", "TCP 192.0.2.1;branch=z9hG4bK1", "Content-Length: 5\r\n", ""}, 5060, packet.TCP, "no-content-length"},
	{"UDP without Content-Length", []string{"Content-Length: 5\r\n", ""}, 5060, packet.UDP, ""},
	{"a CSeq of 2^31", []string{"CSeq: 1 ", "CSeq: 2147483648 "}, 5060, packet.UDP, "cseq-large"},
	{"a blank in the Call-ID", []string{"anomaly@", "ano maly@"}, 5060, packet.UDP, "call-id-space"},
	{"an empty parameter", []string{"com>;tag=a", "com>;;tag=a"}, 5060, packet.UDP, "param"},
	{"a header name", []string{"User-Agent: phone", "User Agent: phone"}, 5060, packet.UDP, "header-name"},
	{"headers in the Request-URI", []string{"INVITE sip:bob@example.com", "INVITE sip:bob@example.com?subject=x"}, 5060, packet.UDP, "uri-headers"},
	{"a Date", []string{"User-Agent: phone", "Date: Sat, 13 Nov 2010 23:29:00 +0100"}, 5060, packet.UDP, "date"},
	{"no Content-Type", []string{"Content-Type: application/sdp\r\n", ""}, 5060, packet.UDP, "no-content-type"},
	{"a body that is no SDP", []string{"v=0\r\n", "hello"}, 5060, packet.UDP, "sdp"},
	{"another body that is no SDP", []string{"application/sdp", "text/plain"}, 5060, packet.UDP, ""},
	{"User-Agent twice", []string{"User-Agent: phone", "User-Agent: phone\r\nUser-Agent: phone"}, 5060, packet.UDP, "repeated-header"},
	{"a list in two lines", []string{"User-Agent: phone", "Allow: INVITE\r\nAllow: ACK"}, 5060, packet.UDP, ""},
	{"another port", nil, 40000, packet.UDP, "no-rport"},
	{"another port, and rport", []string{";branch=z9hG4bK1", ";rport;branch=z9hG4bK1"}, 40000, packet.UDP, ""},
	{"the port that Via says", []string{"UDP 192.0.2.1", "UDP 192.0.2.1:40000"}, 40000, packet.UDP, ""},
	{"another port of TCP", []string{"UDP 192.0.2.1;branch=z9hG4bK1", "TCP 192.0.2.1;branch=z9hG4bK1"}, 40000, packet.TCP, ""},
	{"UDP that says TCP", []string{"UDP 192.0.2.1;branch=z9hG4bK1", "TCP 192.0.2.1;branch=z9hG4bK1"}, 5060, packet.UDP, "via-transport"},
	{"TCP that says UDP", nil, 5060, packet.TCP, "via-transport"},
	{"TLS that was taken off", []string{"UDP 192.0.2.1;branch=z9hG4bK1", "tls 192.0.2.1;branch=z9hG4bK1"}, 5060, packet.TCP, ""},
	{"WebSocket", []string{"UDP 192.0.2.1;branch=z9hG4bK1", "WSS df7jal23ls0d.invalid;branch=z9hG4bK1"}, 40000, packet.TCP, ""},
	{"a transport that nobody knows", []string{"UDP 192.0.2.1;branch=z9hG4bK1", "QUIC 192.0.2.1;branch=z9hG4bK1"}, 5060, packet.UDP, ""},
}

// TestAnomaliesOfMessages: each label comes of what it is for, alone, and does not come
// of what is like it.
func TestAnomaliesOfMessages(t *testing.T) {
	for _, c := range ofOneMessage {
		edit := strings.NewReplacer(c.edits...)
		invite := edit.Replace(goodInvite)
		if invite == goodInvite && c.edits != nil {
			t.Fatalf("%s: nothing is replaced", c.name)
		}
		if got := wordsOf(seeCall(t, invite, edit.Replace(goodBusy), c.port, c.by)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// seeCall plays an INVITE and its refusal and returns the labels of the call-attempt.
func seeCall(t *testing.T, invite, busy string, port uint16, by packet.Transport) event.Anomalies {
	t.Helper()
	tr := New(DefaultConfig())
	alice, bob := netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), port), netip.MustParseAddrPort("192.0.2.2:5060")
	var events []event.Event
	for i, text := range []string{invite, busy} {
		p := packet.Packet{Time: siptest.Start + int64(i)*1e9, Src: alice, Dst: bob, Transport: by, Payload: []byte(text)}
		if i == 1 {
			p.Src, p.Dst = bob, alice
		}
		var m sip.Message
		if why := m.Parse(p.Payload, false); why != sip.OK {
			t.Fatalf("%s\n%s", why, text)
		}
		events = tr.See(events, &p, &m)
	}
	if len(events) != 1 || events[0].Type != event.CallAttempt {
		t.Fatalf("%d events of\n%s", len(events), invite)
	}
	return events[0].Anomalies
}

func wordsOf(a event.Anomalies) string {
	var words []string
	for i, w := range event.AnomalyWords {
		if a>>i&1 == 1 {
			words = append(words, w.Word)
		}
	}
	return strings.Join(words, ",")
}

// elsewhere are labels that TestTruncated shows: they need a snap length.
var elsewhere = event.HeaderTruncated

// TestAnomaliesAreShown: every label of the list comes in a ladder or in the table above,
// and is absent in another.
func TestAnomaliesAreShown(t *testing.T) {
	shown, absent := elsewhere, elsewhere
	for _, c := range ofOneMessage {
		for i, w := range event.AnomalyWords {
			if c.want == w.Word {
				shown |= 1 << i
			} else {
				absent |= 1 << i
			}
		}
	}
	for _, l := range siptest.Ladders(t, "testdata/*.txtar") {
		for _, e := range play(t, l) {
			shown |= e.Anomalies
		}
	}
	for i, w := range event.AnomalyWords {
		if shown>>i&1 == 0 {
			t.Errorf("%s is never shown", w.Word)
		}
		if absent>>i&1 == 0 {
			t.Errorf("%s is never absent", w.Word)
		}
	}
	if n := len(event.AnomalyWords); n > 62 {
		t.Errorf("%d labels do not fit into the set and its packed form", n)
	}
}

// TestTruncated: a header section that the snap length cut.
func TestTruncated(t *testing.T) {
	text := []byte(goodInvite[:strings.Index(goodInvite, "User-Agent")+4])
	for _, cut := range []bool{true, false} {
		tr := New(DefaultConfig())
		var m sip.Message
		m.Parse(text, cut)
		events := tr.Unusable(nil, &packet.Packet{Time: siptest.Start, Src: netip.MustParseAddrPort("192.0.2.1:5060"),
			Dst: netip.MustParseAddrPort("192.0.2.2:5060"), Transport: packet.UDP, Payload: text}, &m)
		if len(events) != 1 || (events[0].Anomalies&event.HeaderTruncated != 0) != cut {
			t.Errorf("cut: %v, %d events, %s", cut, len(events), wordsOf(events[0].Anomalies))
		}
	}
}
