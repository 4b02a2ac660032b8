package track

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/qos"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// talk plays messages and reports of one call: alice 192.0.2.1 with media at
// 192.0.2.11:4000, bob 192.0.2.2 with media at 192.0.2.12:5000.
type talk struct {
	t   *testing.T
	tr  *Tracker
	m   sip.Message
	at  int64
	all []event.Event
}

func newTalk(t *testing.T) *talk {
	return &talk{t: t, tr: New(DefaultConfig()), at: siptest.Start}
}

func (k *talk) keep(events []event.Event) {
	for i := range events {
		k.all = append(k.all, event.Event{})
		k.all[len(k.all)-1].CopyFrom(&events[i])
	}
}

func (k *talk) wait(d time.Duration) { k.at += int64(d) }

// see sends a message; src is the last digit of the sender's address.
func (k *talk) see(src, dst int, start, headers, body string) {
	k.t.Helper()
	k.wait(10 * time.Millisecond)
	text := start + "\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n" + headers
	if body != "" {
		text += fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
	} else {
		text += "Content-Length: 0\r\n\r\n"
	}
	p := k.packet(src, dst, []byte(text))
	if k.m.Parse(p.Payload, false) != sip.OK {
		k.t.Fatal(string(k.m.AppendProblem(nil)))
	}
	k.keep(k.tr.See(nil, &p, &k.m))
}

func (k *talk) packet(src, dst int, payload []byte) packet.Packet {
	addr := func(n int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}), 5060)
	}
	return packet.Packet{Time: k.at, Src: addr(src), Dst: addr(dst), Transport: packet.UDP, Payload: payload}
}

// report sends one as HEP carries it.
func (k *talk) report(src, dst, callID, body string) {
	k.t.Helper()
	k.wait(time.Second)
	var r qos.Report
	if out := r.Parse([]byte(body), netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst)); out != qos.OK {
		k.t.Fatal(out)
	}
	r.CallIDs[2] = []byte(callID)
	p := k.packet(1, 2, []byte(body))
	k.keep(k.tr.Report(nil, &p, &r))
}

const inCall = "From: <sip:alice@example.org>;tag=a\r\nTo: <sip:bob@example.org>%s\r\nCall-ID: c1\r\nCSeq: %s\r\nContact: <sip:x@192.0.2.1>\r\n"

func media(host, port string, codec string) string {
	return "v=0\r\no=- 1 1 IN IP4 " + host + "\r\ns=-\r\nc=IN IP4 " + host + "\r\nt=0 0\r\nm=audio " + port + " RTP/AVP " + codec + "\r\n"
}

func (k *talk) begin(codec string) {
	const sdp = "Content-Type: application/sdp\r\n"
	k.see(1, 2, "INVITE sip:bob@example.org SIP/2.0", fmt.Sprintf(inCall, "", "1 INVITE")+sdp, media("192.0.2.11", "4000", codec))
	k.see(2, 1, "SIP/2.0 200 OK", fmt.Sprintf(inCall, ";tag=b", "1 INVITE")+sdp, media("192.0.2.12", "5000", codec))
	k.see(1, 2, "ACK sip:bob@example.org SIP/2.0", fmt.Sprintf(inCall, ";tag=b", "1 ACK"), "")
}

func (k *talk) end() {
	k.see(1, 2, "BYE sip:bob@example.org SIP/2.0", fmt.Sprintf(inCall, ";tag=b", "2 BYE"), "")
	k.see(2, 1, "SIP/2.0 200 OK", fmt.Sprintf(inCall, ";tag=b", "2 BYE"), "")
}

// want compares the fields below sip.qos of the last event with lines key=value.
func (k *talk) want(typ event.Type, fields string) {
	k.t.Helper()
	e := &k.all[len(k.all)-1]
	if e.Type != typ {
		k.t.Fatalf("%s, want %s", e.Type, typ)
	}
	have := map[string]string{}
	for key, value := range siptest.Fields(e) {
		if name, ok := strings.CutPrefix(key, "sip.qos."); ok {
			have[name] = value
		}
	}
	for _, f := range strings.Fields(fields) {
		key, value, _ := strings.Cut(f, "=")
		if have[key] != value {
			k.t.Errorf("%s is %q, want %q", key, have[key], value)
		}
		delete(have, key)
	}
	for key, value := range have {
		k.t.Errorf("also %s=%s", key, value)
	}
}

func (k *talk) fates(want ...uint64) {
	k.t.Helper()
	var w [NumReports]uint64
	copy(w[:], want)
	if k.tr.stats.Reports != w {
		k.t.Errorf("reports %v, want %v", k.tr.stats.Reports, w)
	}
	checkTables(k.t, k.tr)
	checkEmpty(k.t, k.tr)
}

// TestRTCP: what alice sends in RTCP is what alice received; her packets are those
// that bob should get (RFC 3550 §6.4).
func TestRTCP(t *testing.T) {
	k := newTalk(t)
	k.begin("8")
	const report = `{"sender_information":{"packets":%d},"report_blocks":[{"fraction_lost":%d,"packets_lost":%d,"ia_jitter":%d}]}`
	k.report("192.0.2.11:4001", "192.0.2.12:5001", "c1", fmt.Sprintf(report, 500, 64, 10, 160))
	k.report("192.0.2.12:5001", "192.0.2.11:4001", "c1", fmt.Sprintf(report, 400, 0, 0, 8))
	k.report("192.0.2.11:4001", "192.0.2.12:5001", "c1", fmt.Sprintf(report, 1000, 0, 20, 80))
	k.report("192.0.2.12:5001", "192.0.2.11:4001", "c1", fmt.Sprintf(report, 800, 0, 0, 16))
	k.end()
	k.want(event.CallEnd, `reports=4
		caller.loss_pct=2.5 caller.loss_max_pct=25 caller.lost=20 caller.packets=800 caller.jitter_ms=20
		callee.loss_pct=0 callee.loss_max_pct=0 callee.lost=0 callee.packets=1000 callee.jitter_ms=2`)
	k.fates(4)
}

// TestRTCPOfRelay: a relay stands between; each end's reports reach it from that
// end's media address, and are forwarded from the relay's.
func TestRTCPOfRelay(t *testing.T) {
	k := newTalk(t)
	k.begin("8")
	const block = `{"report_blocks":[{"fraction_lost":64}]}`
	k.report("192.0.2.12:5001", "192.0.2.9:30001", "c1", block)
	k.report("192.0.2.9:30003", "192.0.2.11:4001", "c1", block)
	k.end()
	k.want(event.CallEnd, `reports=2 callee.loss_pct=25 callee.loss_max_pct=25`)
	k.fates(2)
}

// TestProbe: a probe sees the stream from bob to alice; its last report takes the
// place of the periodic ones.
func TestProbe(t *testing.T) {
	k := newTalk(t)
	k.begin("8")
	const report = `{"RTP_SIP_CALL_ID":"c1","MOS":%s,"JITTER":%s,"RFACTOR":80,"TOTAL_PK":%d,"PACKET_LOSS":1,"SRC_IP":"192.0.2.12","SRC_PORT":5000,"DST_IP":"192.0.2.11","DST_PORT":4000,"TYPE":"%s"}`
	k.report("192.0.2.9:1", "192.0.2.9:2", "", fmt.Sprintf(report, "4.0", "7", 99, "PERIODIC"))
	k.report("192.0.2.9:1", "192.0.2.9:2", "", fmt.Sprintf(report, "3.0", "5", 199, "PERIODIC"))
	k.end()
	k.want(event.CallEnd, `reports=2 mos=3.5 caller.mos=3.5 caller.mos_min=3 caller.jitter_ms=7 caller.r_factor=80
		caller.packets=200 caller.lost=1 caller.loss_pct=0.5 caller.loss_max_pct=1`)

	k = newTalk(t)
	k.begin("8")
	k.report("192.0.2.9:1", "192.0.2.9:2", "", fmt.Sprintf(report, "4.0", "7", 99, "PERIODIC"))
	k.report("192.0.2.9:1", "192.0.2.9:2", "", fmt.Sprintf(report, "3.7", "2", 199, "HANGUP"))
	k.end()
	k.want(event.CallEnd, `reports=2 mos=3.7 caller.mos=3.7 caller.mos_min=3.7 caller.jitter_ms=2 caller.r_factor=80
		caller.packets=200 caller.lost=1 caller.loss_pct=0.5 caller.loss_max_pct=1`)
	k.fates(2)
}

// TestClockRate: jitter in units of the RTP clock is of the codec's (RFC 7587 §4.1).
func TestClockRate(t *testing.T) {
	k := newTalk(t)
	k.begin("96\r\na=rtpmap:96 opus/48000/2")
	k.report("192.0.2.11:4001", "192.0.2.12:5001", "c1", `{"report_blocks":[{"fraction_lost":0,"ia_jitter":480}]}`)
	k.end()
	k.want(event.CallEnd, `reports=1 caller.loss_pct=0 caller.loss_max_pct=0 caller.jitter_ms=10`)
}

const vq = "VQSessionReport: CallTerm\r\nCallID:c1\r\nLocalID:Bob <sip:bob@example.org>\r\nRemoteID:<sip:alice@example.org>\r\nOrigID:<sip:alice@example.org>\r\n" +
	"LocalAddr:IP=10.0.0.5 PORT=5000 SSRC=0x1\r\nRemoteAddr:IP=10.0.0.6 PORT=4000 SSRC=0x2\r\nLocalMetrics:\r\nSessionDesc:PT=8 PD=PCMA SR=8000\r\n" +
	"PacketLoss:NLR=1.5 JDR=0.0\r\nDelay:RTD=100 IAJ=4\r\nQualityEst:RLQ=88 MOSLQ=4.1\r\nRemoteMetrics:\r\nPacketLoss:NLR=7.0\r\nQualityEst:MOSLQ=2.9\r\n" +
	"DialogID:c1;to-tag=b;from-tag=a\r\n"

const publish = "From: <sip:bob@example.org>;tag=p\r\nTo: <sip:collector@example.org>%s\r\nCall-ID: p1\r\nCSeq: %d PUBLISH\r\nEvent: vq-rtcpxr\r\nContent-Type: application/vq-rtcpxr\r\n"

func (k *talk) publish(cseq int, more string) {
	k.see(2, 3, "PUBLISH sip:collector@example.org SIP/2.0", fmt.Sprintf(publish, "", cseq)+more, vq)
}

// TestSessionReport: bob's session report in the middle of the BYE says what bob
// received, and at second hand what alice did; its own record says it too.
func TestSessionReport(t *testing.T) {
	const own = `mos=2.9 reports=1 call_id=c1 codec=PCMA local.mos=4.1 local.loss_pct=1.5 local.jitter_ms=4 local.delay_ms=100 local.r_factor=88 remote.mos=2.9 remote.loss_pct=7`
	k := newTalk(t)
	k.begin("8")
	k.report("192.0.2.11:4001", "192.0.2.12:5001", "c1", `{"report_blocks":[{"fraction_lost":64,"ia_jitter":80}],"mos":4.2}`)
	k.see(1, 2, "BYE sip:bob@example.org SIP/2.0", fmt.Sprintf(inCall, ";tag=b", "2 BYE"), "")
	k.publish(1, "")
	// A collector that asks for credentials gets the same again.
	k.see(3, 2, "SIP/2.0 401 Unauthorized", fmt.Sprintf(publish, ";tag=q", 1)+"WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n", "")
	k.publish(2, "Authorization: Digest username=\"bob\", realm=\"r\", nonce=\"n\", uri=\"sip:x\", response=\"1\"\r\n")
	k.see(3, 2, "SIP/2.0 200 OK", fmt.Sprintf(publish, ";tag=q", 2), "")
	k.want(event.OtherOK, own)
	k.see(2, 1, "SIP/2.0 200 OK", fmt.Sprintf(inCall, ";tag=b", "2 BYE"), "")
	k.want(event.CallEnd, `reports=2 mos=2.9 callee.mos=4.1 callee.mos_min=4.1 callee.loss_pct=1.5 callee.loss_max_pct=1.5 callee.jitter_ms=4 callee.delay_ms=100 callee.r_factor=88
		caller.mos=2.9 caller.mos_min=2.9 caller.loss_pct=7 caller.loss_max_pct=25`)
	k.fates(2, 0, 1)

	// After the end it is late, and its own record is all that is left.
	k = newTalk(t)
	k.begin("8")
	k.end()
	k.want(event.CallEnd, "")
	k.publish(1, "")
	k.see(3, 2, "SIP/2.0 200 OK", fmt.Sprintf(publish, ";tag=q", 1), "")
	k.want(event.OtherOK, own)
	k.report("192.0.2.11:4001", "192.0.2.12:5001", "c1", `{"mos":4.2}`)
	k.fates(0, 0, 0, 0, 2)
}

// TestFirstHand: what an end says of itself counts more than what the other says of
// it, whichever comes first.
func TestFirstHand(t *testing.T) {
	alices := strings.NewReplacer("LocalID:Bob <sip:bob@", "LocalID:<sip:alice@", "RemoteID:<sip:alice@", "RemoteID:<sip:bob@", "MOSLQ=4.1", "MOSLQ=3.3", "MOSLQ=2.9", "MOSLQ=1.1").Replace(vq)
	for _, order := range [][]string{{vq, alices}, {alices, vq}} {
		k := newTalk(t)
		k.begin("8")
		for _, body := range order {
			k.report("192.0.2.77:1", "192.0.2.78:1", "", body)
		}
		k.end()
		f := siptest.Fields(&k.all[len(k.all)-1])
		if f["sip.qos.caller.mos"] != "3.3" || f["sip.qos.callee.mos"] != "4.1" || f["sip.qos.mos"] != "3.3" {
			t.Errorf("caller %s, callee %s", f["sip.qos.caller.mos"], f["sip.qos.callee.mos"])
		}
	}
}

// TestBorderController: its report speaks of both directions, under both Call-IDs.
func TestBorderController(t *testing.T) {
	k := newTalk(t)
	k.begin("8")
	k.report("192.0.2.77:1", "192.0.2.78:1", "out@sbc", `{"INC_ID":"c1","OUT_ID":"out@sbc","INC_MOS":420,"INC_RTP_PK":90,"INC_RTP_PK_LOSS":10,"OUT_MOS":310,"OUT_RTP_AVG_JITTER":9}`)
	k.end()
	k.want(event.CallEnd, `reports=1 mos=3.1 caller.mos=3.1 caller.mos_min=3.1 caller.jitter_ms=9
		callee.mos=4.2 callee.mos_min=4.2 callee.loss_pct=10 callee.loss_max_pct=10 callee.packets=100 callee.lost=10`)
	k.fates(1)
}

// TestReportsOfNoCall: nothing is made, everything is counted.
func TestReportsOfNoCall(t *testing.T) {
	k := newTalk(t)
	const report = `{"mos":4.2}`
	k.report("192.0.2.11:4001", "192.0.2.12:5001", "c1", report)
	k.report("192.0.2.11:4001", "192.0.2.12:5001", "", report)
	if n := len(k.tr.calls.sets); n != 0 {
		t.Errorf("%d sets", n)
	}
	k.see(1, 2, "INVITE sip:bob@example.org SIP/2.0", fmt.Sprintf(inCall, "", "1 INVITE"), "")
	k.report("192.0.2.11:4001", "192.0.2.12:5001", "c1", report)
	k.see(2, 1, "SIP/2.0 200 OK", fmt.Sprintf(inCall, ";tag=b", "1 INVITE"), "")
	k.see(1, 2, "ACK sip:bob@example.org SIP/2.0", fmt.Sprintf(inCall, ";tag=b", "1 ACK"), "")
	k.report("192.0.2.77:4001", "192.0.2.78:5001", "c1", report) // without SDP nobody knows whose it is
	k.end()
	k.want(event.CallEnd, "mos=4.2 reports=1")
	k.fates(0, 1, 0, 1, 0, 2)
}

// TestReportAllocation: reports of a call that is up allocate nothing.
func TestReportAllocation(t *testing.T) {
	k := newTalk(t)
	k.begin("8")
	var r qos.Report
	body := []byte(`{"sender_information":{"packets":500},"report_blocks":[{"fraction_lost":64,"packets_lost":10,"ia_jitter":160}]}`)
	p := k.packet(1, 2, body)
	src, dst, id := netip.MustParseAddrPort("192.0.2.11:4001"), netip.MustParseAddrPort("192.0.2.12:5001"), []byte("c1")
	one := func() {
		p.Time += int64(time.Millisecond)
		r.Parse(body, src, dst)
		r.CallIDs[2] = id
		k.tr.Report(nil, &p, &r)
	}
	one()
	if n := testing.AllocsPerRun(1000, one); n != 0 {
		t.Errorf("%v allocations a report", n)
	}
}
