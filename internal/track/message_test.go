package track

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// offer has everything that a record of a message can say.
const offer = "INVITE sip:bob@example.com:5070 SIP/2.0\r\n" +
	"Via: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1, SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK0\r\n" +
	"Max-Forwards: 69\r\n" +
	"From: \"Alice\" <sip:alice@example.com>;tag=1c15\r\n" +
	"To: Bob <sip:bob@example.com>\r\n" +
	"Call-ID: 1589@192.0.2.1\r\n" +
	"CSeq: 2 INVITE\r\n" +
	"Contact: \"A\" <sip:alice@192.0.2.1:5062;line=aca6;transport=TCP>;expires=1200;q=0.5, <sip:second@192.0.2.3>\r\n" +
	"P-Associated-URI: <sip:private@ims.example.com:5080>, <tel:+4930>\r\n" +
	"Authorization: Digest username=\"alice-auth\",realm=\"example.com\",nonce=\"n\",uri=\"sip:example.com:5090\",response=\"secret\"\r\n" +
	"Allow: INVITE,ACK , BYE\r\n" +
	"Supported: 100rel, Timer\r\n" +
	"Accept: Application/SDP\r\n" +
	"User-Agent: Phone/1.0\r\n" +
	"Content-Type: Application/SDP\r\n" +
	"Content-Length: 143\r\n\r\n" +
	"v=0\r\no=owner 15893 15894 IN IP4 192.0.2.77\r\ns=Phone-Call\r\nc=IN IP4 192.0.2.78\r\nt=0 0\r\nm=audio 6000 RTP/AVP 8\r\nc=IN IP4 192.0.2.79\r\na=rtpmap:8 PCMA/8000\r\n"

// offered is what Packetbeat says of it, but for what docs/messages.md names.
const offered = `
@timestamp 2026-01-01T00:00:00.000000000Z
client.ip 192.0.2.1
client.port 5060
destination.ip 192.0.2.2
destination.port 5060
event.action sip-invite
event.category network,authentication
event.dataset sip
event.duration 0
event.end 2026-01-01T00:00:00.000000000Z
event.kind event
event.start 2026-01-01T00:00:00.000000000Z
event.type info,protocol
network.application sip
network.community_id 1:j2hjtbj7fowe5YBidJkt0KASgiw=
network.iana_number 6
network.protocol sip
network.transport tcp
network.type ipv4
related.hosts example.com,192.0.2.1,ims.example.com
related.ip 192.0.2.1,192.0.2.2,192.0.2.78,192.0.2.77
related.user alice,bob,alice-auth,private,owner
server.ip 192.0.2.2
server.port 5060
sip.accept application/sdp
sip.allow invite,ack,bye
sip.auth.realm example.com
sip.auth.scheme Digest
sip.auth.uri.host example.com
sip.auth.uri.original sip:example.com:5090
sip.auth.uri.port 5090
sip.auth.uri.scheme sip
sip.call_id 1589@192.0.2.1
sip.contact.display_info A
sip.contact.expires 1200
sip.contact.line aca6
sip.contact.q 0.5
sip.contact.transport tcp
sip.contact.uri.host 192.0.2.1
sip.contact.uri.original sip:alice@192.0.2.1:5062;line=aca6;transport=TCP
sip.contact.uri.port 5062
sip.contact.uri.scheme sip
sip.contact.uri.username alice
sip.content_length 143
sip.content_type application/sdp
sip.cseq.code 2
sip.cseq.method INVITE
sip.from.display_info Alice
sip.from.tag 1c15
sip.from.uri.host example.com
sip.from.uri.original sip:alice@example.com
sip.from.uri.scheme sip
sip.from.uri.username alice
sip.max_forwards 69
sip.method INVITE
sip.private.uri.host ims.example.com
sip.private.uri.original sip:private@ims.example.com:5080
sip.private.uri.port 5080
sip.private.uri.scheme sip
sip.private.uri.username private
sip.sdp.connection.address 192.0.2.78
sip.sdp.connection.info IN IP4 192.0.2.78
sip.sdp.owner.ip 192.0.2.77
sip.sdp.owner.session_id 15893
sip.sdp.owner.username owner
sip.sdp.owner.version 15894
sip.sdp.session.name Phone-Call
sip.sdp.version 0
sip.supported 100rel,timer
sip.to.display_info Bob
sip.to.uri.host example.com
sip.to.uri.original sip:bob@example.com
sip.to.uri.scheme sip
sip.to.uri.username bob
sip.type request
sip.uri.host example.com
sip.uri.original sip:bob@example.com:5070
sip.uri.port 5070
sip.uri.scheme sip
sip.uri.username bob
sip.user_agent.original Phone/1.0
sip.version 2.0
sip.via.original SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1,SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK0
source.ip 192.0.2.1
source.port 5060
status OK
type sip
user.name alice-auth
`

// recorded makes the record of one message from 192.0.2.1 to .2, or of an answer back.
func recorded(t testing.TB, r *Recorder, e *event.Event, text string) {
	t.Helper()
	var m sip.Message
	if m.Parse([]byte(text), false) != sip.OK {
		t.Fatalf("%s in\n%s", m.AppendProblem(nil), text)
	}
	p := packet.Packet{Time: siptest.Start, Transport: packet.TCP, Payload: []byte(text),
		Src: netip.MustParseAddrPort("192.0.2.1:5060"), Dst: netip.MustParseAddrPort("192.0.2.2:5060")}
	if !m.IsRequest() {
		p.Src, p.Dst = p.Dst, p.Src
	}
	r.Record(e, &p, &m, 0)
}

// flat is a record as lines of key and value, in the order of the fields.
func flat(e *event.Event) string {
	var b strings.Builder
	var tree map[string]any
	if err := json.Unmarshal(event.AppendJSON(nil, e, nil), &tree); err != nil {
		return err.Error()
	}
	var v event.Value
	for i := range event.Fields {
		key := event.Fields[i].Key
		if event.Fields[i].Get(e, &v); v.Form == event.Nothing || key == "event.id" || key == "event.module" || key == "ecs.version" {
			continue
		}
		var at any = tree
		for _, name := range strings.Split(key, ".") {
			at = at.(map[string]any)[name]
		}
		text, _ := json.Marshal(at)
		b.WriteString(key + " " + strings.NewReplacer(`"`, "", "[", "", "]", "").Replace(string(text)) + "\n")
	}
	return b.String()
}

func TestRecord(t *testing.T) {
	var r Recorder
	var e event.Event
	recorded(t, &r, &e, offer)
	got := strings.Split(flat(&e), "\n")
	for i, want := range strings.Split(strings.TrimPrefix(offered, "\n"), "\n") {
		if i >= len(got) || got[i] != want {
			t.Fatalf("line %d of\n%s\nwant %s", i, strings.Join(got, "\n"), want)
		}
	}
	if text := string(event.AppendJSON(nil, &e, nil)); strings.Contains(text, "secret") || strings.Contains(text, "rtpmap") {
		t.Errorf("what is private is in the record: %s", text)
	}
}

// An answer has the ends of its request, and the source of its packet.
func TestRecordOfAnAnswer(t *testing.T) {
	const text = "SIP/2.0 %s\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@example.com>;tag=1\r\nTo: <sip:100@example.com>;tag=2\r\n" +
		"Call-ID: x\r\nCSeq: 1 REGISTER\r\nServer: registrar\r\nContent-Length: 0\r\n\r\n"
	for status, want := range map[string]string{
		"100 Trying":       "event.reason Trying;sip.code 100;status OK",
		"200 OK":           "event.outcome success;event.reason OK;sip.code 200;status OK",
		"302 Moved":        "event.outcome failure;event.reason Moved;sip.code 302;status OK",
		"401 Unauthorized": "event.outcome failure;event.reason Unauthorized;sip.code 401;status Error",
		"603 Decline":      "event.outcome failure;sip.status Decline;status Error",
	} {
		var r Recorder
		var e event.Event
		recorded(t, &r, &e, strings.Replace(text, "%s", status, 1))
		got := flat(&e)
		for _, line := range append(strings.Split(want, ";"), "client.ip 192.0.2.1", "server.ip 192.0.2.2", "source.ip 192.0.2.2", "destination.ip 192.0.2.1",
			"event.action sip-register", "sip.type response", "sip.cseq.method REGISTER", "sip.to.uri.username 100") {
			if !strings.Contains(got, line+"\n") {
				t.Errorf("%s: no %q in\n%s", status, line, got)
			}
		}
		for _, key := range []string{"sip.method", "sip.user_agent", "sip.uri."} {
			if strings.Contains(got, "\n"+key) {
				t.Errorf("%s: %s in\n%s", status, key, got)
			}
		}
		if strings.Contains(got, "event.outcome") != strings.Contains(want, "outcome") {
			t.Errorf("%s: %s", status, got)
		}
	}
}

// The id is that of the packet.
func TestRecordIdentity(t *testing.T) {
	var r Recorder
	var m sip.Message
	ids := map[event.Hash]bool{}
	for _, change := range []func(p *packet.Packet, turn *int){
		func(*packet.Packet, *int) {},
		func(p *packet.Packet, _ *int) { p.Time++ },
		func(p *packet.Packet, _ *int) { p.Src = netip.MustParseAddrPort("192.0.2.3:5060") },
		func(p *packet.Packet, _ *int) { p.Dst = netip.MustParseAddrPort("192.0.2.2:5061") },
		func(p *packet.Packet, _ *int) { p.Payload = []byte(strings.Replace(offer, "69", "68", 1)) },
		func(_ *packet.Packet, turn *int) { *turn = 1 },
	} {
		p := packet.Packet{Time: siptest.Start, Transport: packet.UDP, Payload: []byte(offer),
			Src: netip.MustParseAddrPort("192.0.2.1:5060"), Dst: netip.MustParseAddrPort("192.0.2.2:5060")}
		turn := 0
		change(&p, &turn)
		m.Parse(p.Payload, false)
		var a, b event.Event
		r.Record(&a, &p, &m, turn)
		r.Record(&b, &p, &m, turn)
		if a.ID != b.ID || ids[a.ID] {
			t.Error("one id for two, or two for one")
		}
		ids[a.ID] = true
	}
}

// What a sender makes long is cut, and cannot break a record.
func TestRecordBounded(t *testing.T) {
	long := strings.Repeat("x", 3000)
	text := strings.Replace(offer, "Supported: 100rel", "Supported: "+strings.Repeat(long+",", 60)+"100rel", 1)
	for _, old := range []string{"alice@", "Phone/1.0", "1589@", "owner", "Phone-Call", "Application/SDP\r\nUser", "private@", "example.com:5090"} {
		text = strings.Replace(text, old, long+old, 1)
	}
	var r Recorder
	var e event.Event
	recorded(t, &r, &e, text)
	if n := e.Size(); n > 70000 || e.Anomalies&event.FieldCut == 0 {
		t.Errorf("%d bytes, labels %b", n, e.Anomalies)
	}
	if strings.HasPrefix(flat(&e), "invalid") {
		t.Error(flat(&e))
	}
}

func TestThousandths(t *testing.T) {
	for text, want := range map[string]uint32{"0.5": 500, "0.500": 500, "1": 1000, "0": 0, "1.0": 1000, "0.07": 70, ".3": 300} {
		if n, ok := thousandths([]byte(text)); !ok || n != want {
			t.Errorf("%s is %d, %v", text, n, ok)
		}
	}
	for _, text := range []string{"", "1.001", "2", "0.1234", "-1", "a", "0..1", "99999999999"} {
		if n, ok := thousandths([]byte(text)); ok {
			t.Errorf("%q is taken for %d", text, n)
		}
	}
}

func TestRecordNoAllocation(t *testing.T) {
	var r Recorder
	var e event.Event
	var m sip.Message
	p := packet.Packet{Time: siptest.Start, Transport: packet.UDP, Payload: []byte(offer),
		Src: netip.MustParseAddrPort("192.0.2.1:5060"), Dst: netip.MustParseAddrPort("192.0.2.2:5060")}
	m.Parse(p.Payload, false)
	one := func() { r.Record(&e, &p, &m, 0) }
	one()
	if n := testing.AllocsPerRun(100, one); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkRecord is the cost of a message's record beside that of following it.
func BenchmarkRecord(b *testing.B) {
	for _, c := range []struct{ name, text string }{
		{"invite", offer},
		{"options", offer[:strings.Index(offer, "Contact")] + "Content-Length: 0\r\n\r\n"},
	} {
		b.Run(c.name, func(b *testing.B) {
			var r Recorder
			var e event.Event
			var m sip.Message
			p := packet.Packet{Time: siptest.Start, Transport: packet.UDP, Payload: []byte(c.text),
				Src: netip.MustParseAddrPort("192.0.2.1:5060"), Dst: netip.MustParseAddrPort("192.0.2.2:5060")}
			if m.Parse(p.Payload, false) != sip.OK {
				b.Fatal(c.text)
			}
			b.ReportAllocs()
			for b.Loop() {
				r.Record(&e, &p, &m, 0)
			}
		})
	}
}

// What is folded in the message is on one line in the record, in lower case too.
func TestRecordUnfolds(t *testing.T) {
	text := strings.NewReplacer("Accept: Application/SDP", "Accept: Application/SDP,\r\n\tText/HTML",
		"Content-Type: Application/SDP", "Content-Type: Application/SDP;\r\n A=B").Replace(offer)
	var r Recorder
	var e event.Event
	recorded(t, &r, &e, text)
	got := string(event.AppendJSON(nil, &e, nil))
	for _, want := range []string{`"accept":"application/sdp, text/html"`, `"content_type":"application/sdp; a=b"`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
}
