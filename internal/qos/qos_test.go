package qos

import (
	"math"
	"net/netip"
	"strings"
	"testing"
)

var (
	alice = netip.MustParseAddrPort("192.0.2.1:40001")
	relay = netip.MustParseAddrPort("192.0.2.9:30001")
)

// session is the form of RFC 6035 §4.6.1; the values are ours.
const session = "VQSessionReport: CallTerm\r\n" +
	"CallID:6dg37f1890463\r\n" +
	"LocalID:Alice <sip:alice@example.org>\r\n" +
	"RemoteID:Bill <sip:bill@example.org>\r\n" +
	"OrigID:Alice <sip:alice@example.org>\r\n" +
	"LocalGroup:example-phone-55671\r\n" +
	"RemoteGroup:example-gateway-09871\r\n" +
	"LocalAddr:IP=10.10.1.100 PORT=5000 SSRC=1a3b5c7d\r\n" +
	"LocalMAC:00:1f:5b:cc:21:0f\r\n" +
	"RemoteAddr:IP=11.1.1.150 PORT=5002 SSRC=0x2468abcd\r\n" +
	"LocalMetrics:\r\n" +
	"Timestamps:START=2004-10-10T18:23:43Z STOP=2004-10-01T18:26:02Z\r\n" +
	"SessionDesc:PT=18 PD=G729 SR=8000 FD=20 FO=20 FPP=2 PPS=50 FMTP=\"annexb=no a\" PLC=3 SSUP=on\r\n" +
	"JitterBuffer:JBA=3 JBR=2 JBN=40 JBM=80 JBX=120\r\n" +
	"PacketLoss:NLR=5.0 JDR=2.0\r\n" +
	"BurstGapLoss:BLD=0 BD=0 GLD=2.0 GD=500 GMIN=16\r\n" +
	"Delay:RTD=200 ESD=140 SOWD=200 IAJ=2 MAJ=10\r\n" +
	"Signal:SL=-18 NL=-50 RERL=55\r\n" +
	"QualityEst:RLQ=90 RCQ=85 EXTRI=90 MOSLQ=4.2 MOSCQ=4.3 QoEEstAlg=AlgX\r\n" +
	"RemoteMetrics:\r\n" +
	"SessionDesc:PT=18 PD=G729 SR=8000\r\n" +
	"PacketLoss:NLR=1.5 JDR=2.0\r\n" +
	"Delay:SOWD=60 IAJ=4\r\n" +
	"QualityEst:RLQ=127 MOSCQ=3.9\r\n" +
	"DialogID:1890463548@alice.example.org;to-tag=8472761;from-tag=9123dh311\r\n"

// rtcp has the shape that rtpengine writes: white space behind the bracket, unsigned
// numbers, a list of source descriptions behind.
const rtcp = `{ "sender_information":{"ntp_timestamp_sec":3719322562,"ntp_timestamp_usec":3758534470,"octets":642720,"rtp_timestamp":360902880, "packets":4017},` +
	`"ssrc":2543003035,"type":200,"report_count":1,"report_blocks":[{"source_ssrc":1393754395,"highest_seq_no":29662,"fraction_lost":64,"ia_jitter":160,"packets_lost":12,"lsr":0,"dlsr":0}],` +
	`"sdes_report_count":1,"sdes_information": [ {"sdes_chunk_ssrc":2543003035,"type":1,"text":"a \"b\" {"}] }`

// probe has the shape of captagent's and hepagent's reports.
const probe = `{"CORRELATION_ID":"x@192.0.2.1","RTP_SIP_CALL_ID":"x@192.0.2.1","DELTA":19.971924,"JITTER":0.2,"REPORT_TS":1443793820,"TL_BYTE":0,"SKEW":0.701172,` +
	`"TOTAL_PK":990,"PACKET_LOSS":10,"SEQ":0,"MAX_JITTER":0.57,"MEAN_JITTER":0.25,"MIN_MOS":4.1,"MEAN_MOS":4.3,"MOS":4.4,"RFACTOR":92.4,"MEAN_RFACTOR":91.5,` +
	`"SRC_IP":"192.168.1.1", "SRC_PORT":21122, "DST_IP":"192.168.1.2","DST_PORT":52268,"CODEC_PT":8, "CLOCK":8000,"CODEC_NAME":"pcma","TYPE":"HANGUP"}`

// controller has the shape of horaclifix's reports.
const controller = `{"NAME":"sbc","INC_REALM":"access","OUT_REALM":"core","INC_ID":"in@sbc","INC_RTP_BYTE":1,"INC_RTP_PK":4988,"INC_RTP_PK_LOSS":12,"INC_RTP_AVG_JITTER":8,` +
	`"INC_RTP_MAX_JITTER":22,"INC_RTCP_AVG_LAT":30,"INC_MOS":420,"INC_RVAL":8500,"OUT_ID":"out@sbc","OUT_RTP_PK":5000,"OUT_RTP_PK_LOSS":0,"OUT_RTP_AVG_JITTER":9,"OUT_MOS":410,"OUT_RVAL":8300}`

func TestSession(t *testing.T) {
	var r Report
	if out := r.Parse([]byte(session), alice, relay); out != OK {
		t.Fatal(out)
	}
	for _, c := range []struct{ what, have, want string }{
		{"kind", r.Kind.String(), "session"},
		{"Call-ID", string(r.CallIDs[0]), "6dg37f1890463"},
		{"Call-ID of the dialog", string(r.CallIDs[1]), "1890463548@alice.example.org"},
		{"from", string(r.FromTag), "9123dh311"},
		{"to", string(r.ToTag), "8472761"},
		{"local", string(r.LocalID), "sip:alice@example.org"},
		{"remote", string(r.RemoteID), "sip:bill@example.org"},
		{"caller", string(r.Originate), "sip:alice@example.org"},
		{"local address", r.Local.String(), "10.10.1.100:5000"},
		{"remote address", r.Remote.String(), "11.1.1.150:5002"},
		{"codec", string(r.Codec), "G729"},
	} {
		if c.have != c.want {
			t.Errorf("%s: %q, want %q", c.what, c.have, c.want)
		}
	}
	same(t, "here", r.Here, Metrics{Has: HasMOS | HasLoss | HasJitter | HasDelay | HasR, MOS: 4.2, Loss: 5, Jitter: 2, Delay: 200, R: 90})
	same(t, "there", r.There, Metrics{Has: HasMOS | HasLoss | HasJitter | HasDelay, MOS: 3.9, Loss: 1.5, Jitter: 4, Delay: 120})
}

func same(t *testing.T, what string, have, want Metrics) {
	t.Helper()
	if have != want {
		t.Errorf("%s: %+v, want %+v", what, have, want)
	}
}

func TestJSON(t *testing.T) {
	var r Report
	if out := r.Parse([]byte(rtcp), alice, relay); out != OK {
		t.Fatal(out)
	}
	if r.Kind != RTCP || r.Local != alice || r.Remote != relay {
		t.Errorf("%v from %v to %v", r.Kind, r.Local, r.Remote)
	}
	// 64/256 (RFC 3550 §6.4.1); the sender's packets are what the other end should get.
	same(t, "rtcp here", r.Here, Metrics{Has: HasLoss | HasTicks | HasLost, Loss: 25, Ticks: 160, Lost: 12})
	same(t, "rtcp there", r.There, Metrics{Has: HasPackets, Packets: 4017})

	if out := r.Parse([]byte(probe), alice, relay); out != OK {
		t.Fatal(out)
	}
	if r.Kind != Stream || r.Local.String() != "192.168.1.2:52268" || r.Remote.String() != "192.168.1.1:21122" || string(r.CallIDs[0]) != "x@192.0.2.1" || string(r.Codec) != "pcma" {
		t.Errorf("%v, %v hears %v, %q, %q", r.Kind, r.Local, r.Remote, r.CallIDs, r.Codec)
	}
	same(t, "probe", r.Here, Metrics{Has: HasMOS | HasMOSMin | HasLoss | HasJitter | HasR | HasPackets | HasLost,
		MOS: 4.3, MOSMin: 4.1, Loss: 1, Jitter: 0.25, R: 91.5, Packets: 1000, Lost: 10})

	if out := r.Parse([]byte(controller), alice, relay); out != OK {
		t.Fatal(out)
	}
	if r.Kind != Session || r.Side != Caller || string(r.CallIDs[0]) != "in@sbc" || string(r.CallIDs[1]) != "out@sbc" {
		t.Errorf("%v, %v, %q", r.Kind, r.Side, r.CallIDs)
	}
	same(t, "towards the caller", r.Here, Metrics{Has: HasMOS | HasLoss | HasJitter | HasR | HasPackets | HasLost, MOS: 4.1, Jitter: 9, R: 83, Packets: 5000})
	same(t, "towards the callee", r.There, Metrics{Has: HasMOS | HasLoss | HasJitter | HasDelay | HasR | HasPackets | HasLost,
		MOS: 4.2, Loss: 0.24, Jitter: 8, Delay: 30, R: 85, Packets: 5000, Lost: 12})
}

// TestOdd: what senders really write.
func TestOdd(t *testing.T) {
	for _, c := range []struct {
		name, body string
		out        Outcome
		here       Metrics
	}{
		{"captagent's comma before the bracket", `{"report_blocks":[{"fraction_lost":0,"ia_jitter":8,"packets_lost":0,}],"report_count":1,}`, OK,
			Metrics{Has: HasLoss | HasTicks | HasLost, Ticks: 8}},
		{"cut", `{"report_blocks":[{"fraction_lost":128,"ia_jitter":8},`, OK, Metrics{Has: HasLoss | HasTicks, Loss: 50, Ticks: 8}},
		{"numbers as text", `{"report_blocks":[{"fraction_lost":"128","lsr":"0"}]}`, OK, Metrics{Has: HasLoss, Loss: 50}},
		{"a negative cumulative loss in 24 bits", `{"report_blocks":[{"fraction_lost":0,"packets_lost":16777215}]}`, OK, Metrics{Has: HasLoss | HasLost}},
		{"jitter below zero", `{"report_blocks":[{"fraction_lost":0,"ia_jitter":4294962322}]}`, OK, Metrics{Has: HasLoss}},
		{"the worse of two blocks", `{"report_blocks":[{"fraction_lost":64,"packets_lost":3},{"fraction_lost":128,"packets_lost":1}]}`, OK,
			Metrics{Has: HasLoss | HasLost, Loss: 50, Lost: 3}},
		{"XR that is empty", `{"report_blocks":[{"fraction_lost":0}],"report_blocks_xr":{"type":0,"fraction_lost":0,"round_trip_delay":0}}`, OK, Metrics{Has: HasLoss}},
		{"XR", `{"report_blocks_xr":{"type":7,"fraction_lost":64,"round_trip_delay":120,"end_system_delay":11}}`, OK,
			Metrics{Has: HasLoss | HasDelay, Loss: 25, Delay: 120}},
		{"XR of captagent", `{"extended_report_information":{"loss_rate":64,"round_trip_delay":80,"R_fact":90,"ext_R_fact":127,"MOS_CQ":41,"MOS_LQ":43,"RX_conf":[{"PLC":1}]}}`, OK,
			Metrics{Has: HasLoss | HasDelay | HasR | HasMOS, Loss: 25, Delay: 80, R: 90, MOS: 4.3}},
		{"XR without estimates", `{"extended_report_information":{"round_trip_delay":80,"R_fact":127,"MOS_LQ":127,"MOS_CQ":127}}`, OK, Metrics{Has: HasDelay, Delay: 80}},
		{"MOS beside", `{"mos":4.25,"report_blocks":[]}`, OK, Metrics{Has: HasMOS, MOS: 4.25}},
		{"no packets", `{"sender_information":{},"report_blocks":[]}`, Empty, Metrics{}},
		{"empty", ``, Foreign, Metrics{}},
		{"binary", "\x81\xc9\x00\x07", Foreign, Metrics{}},
		{"a list", `[{"fraction_lost":1}]`, Foreign, Metrics{}},
		{"deep", strings.Repeat(`{"a":`, 100) + "1", Foreign, Metrics{}},
		{"long", `{"mos":4,"x":"` + strings.Repeat("x", MaxBody) + `"}`, TooLong, Metrics{}},
		{"a draft's form", "VQSessionReport : CallTerm\nLocalMetrics:\nCallID:c1\nLocalAddr:IP=::1 PORT=2 SSRC=1\nDelay:RTD=0 ESD=239 OWD=40 IAJ=0\n", OK,
			Metrics{Has: HasDelay | HasJitter, Delay: 80}},
		{"a blank that is missing", "VQIntervalReport\nLocalMetrics:\nPacketLoss:NLR=1.5JDR=0.0 MOS\nQualityEst:MOSLQ=3.8", OK, Metrics{Has: HasMOS, MOS: 3.8}},
		{"out of range", "VQSessionReport\nPacketLoss:NLR=101\nQualityEst:MOSLQ=12.7 RLQ=-1\nDelay:RTD=65535", Empty, Metrics{}},
		{"not a number", "VQSessionReport\nPacketLoss:NLR=NaN\nQualityEst:MOSLQ=Inf RLQ=", Empty, Metrics{}},
	} {
		var r Report
		if out := r.Parse([]byte(c.body), alice, relay); out != c.out {
			t.Errorf("%s: %v, want %v", c.name, out, c.out)
		}
		if c.out == OK {
			same(t, c.name, r.Here, c.here)
		}
	}
}

func TestEscapes(t *testing.T) {
	var r Report
	r.Parse([]byte(`{"RTP_SIP_CALL_ID":"a\/b\u0040\"c","MOS":4,"CODEC_NAME":"G\/x"}`), alice, relay)
	if string(r.CallIDs[0]) != `a/b@"c` || string(r.Codec) != "G/x" {
		t.Errorf("%q %q", r.CallIDs[0], r.Codec)
	}
}

func TestIsText(t *testing.T) {
	for text, want := range map[string]bool{"application/vq-rtcpxr": true, "Application/VQ-RTCPXR ; x=y": true, "application/sdp": false, "": false} {
		if IsText([]byte(text)) != want {
			t.Errorf("%q", text)
		}
	}
}

func TestAllocation(t *testing.T) {
	var r Report
	for body, most := range map[string]float64{session: 2, rtcp: 0, probe: 2, controller: 0, `{"RTP_SIP_CALL_ID":"a\/b","MOS":4}`: 0} {
		b := []byte(body)
		r.Parse(b, alice, relay)
		if n := testing.AllocsPerRun(100, func() { r.Parse(b, alice, relay) }); n > most {
			t.Errorf("%v allocations for %.20s, more than its %v addresses", n, body, most)
		}
	}
}

// FuzzParse: whatever comes, the values are in their ranges, and the same body gives
// the same report.
func FuzzParse(f *testing.F) {
	for _, body := range []string{session, rtcp, probe, controller, `{"a":[[{}],"x",1e9]}`, "VQAlertReport: Type=NLR\nDelay:RTD=1e3"} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var r, again Report
		out := r.Parse(body, alice, relay)
		if again.Parse(body, alice, relay) != out || r.Here != again.Here || r.There != again.There || string(r.CallIDs[0]) != string(again.CallIDs[0]) {
			t.Fatal("twice the same body, and two reports")
		}
		if out == OK && r.Here.Has|r.There.Has == 0 {
			t.Fatal("read, and without values")
		}
		if len(r.CallIDs[0])+len(r.CallIDs[1]) > 4*len(body) {
			t.Fatal("identifiers longer than the body")
		}
		for _, m := range []Metrics{r.Here, r.There} {
			check(t, m)
		}
	})
}

func check(t *testing.T, m Metrics) {
	t.Helper()
	for _, v := range []struct {
		has       Has
		v         float64
		low, high float64
	}{
		{HasMOS, m.MOS, 1, 5}, {HasMOSMin, m.MOSMin, 1, 5}, {HasLoss, m.Loss, 0, 100}, {HasJitter, m.Jitter, 0, maxMillis},
		{HasDelay, m.Delay, 0, maxMillis}, {HasR, m.R, 0, maxRating}, {HasTicks, float64(m.Ticks), 0, 1e7},
		{HasPackets, float64(m.Packets), 0, 1 << 41}, {HasLost, float64(m.Lost), 0, 1 << 32},
	} {
		if m.Has&v.has == 0 {
			if v.v != 0 {
				t.Fatalf("value %v that is not there", v.v)
			}
		} else if math.IsNaN(v.v) || v.v < v.low || v.v > v.high {
			t.Fatalf("value %b: %v", v.has, v.v)
		}
	}
}
