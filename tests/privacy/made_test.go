package privacy

import (
	"encoding/base64"
	"strings"
	"testing"
)

// What real captures seldom have: every header and body that this program reads something of.

const claims = `{"attest":"A","dest":{"tn":["12155551213","12155551214"],"uri":["sip:bob@example.net"]},"iat":1767225600,"orig":{"tn":"12155551212","uri":"sip:alice@example.com"},"origid":"123e4567-e89b-12d3-a456-426655440000"}`

const richInvite = `INVITE sip:+12155551213:secret@example.net:5060;user=phone;transport=udp?Subject=hello&Replaces=a%40b SIP/2.0
Via: SIP/2.0/UDP proxy.example.com:5060;branch=z9hG4bKproxy;received=192.0.2.7;rport=5062;maddr=224.0.0.1;ttl=1;alias;keep
Via: SIP/2.0/TLS [2001:db8::9]:5061;branch=z9hG4bKfirst;received=2001:db8::8, SIP/2.0/WSS abc.invalid;branch=z9hG4bKsecond
Max-Forwards: 69
From: "Alice A." <sip:alice@example.com:5060;line=abc>;tag=fromtag;epid=0123;isup-oli=0
To: Bob <sips:bob@[2001:db8::1]:5061;transport=tls>
Contact: "Alice" <sip:alice@192.0.2.1:5060;transport=tcp;line=xyz;ob;gr=urn:uuid:f81d4fae>;expires=3600;q=0.5;+sip.instance="<urn:uuid:0>";reg-id=1, <sip:other@192.0.2.3>
Call-ID: callid.1@192.0.2.1
CSeq: 314159 INVITE
Route: <sip:route.example.com;lr>, <sip:192.0.2.11;lr;r2=on>
Record-Route: <sip:192.0.2.12;lr;ftag=fromtag>
Path: <sip:path.example.com;lr>
P-Asserted-Identity: "Alice" <sip:+12155551212@example.com;user=phone>, <tel:+12155551212;phone-context=example.com>
P-Preferred-Identity: "Al" <sip:alice@example.com>
P-Associated-URI: <sip:alice2@example.com>, <tel:+12155551212>
Remote-Party-ID: "Alice" <sip:alice@example.com>;party=calling;screen=yes;privacy=off;id-type=subscriber
Diversion: <sip:carol@example.com>;reason=unconditional;counter=1;privacy=full
History-Info: <sip:bob@example.net?Reason=SIP%3Bcause%3D302>;index=1.1;rc=1, <sip:dave@192.0.2.5>;index=1.2
Referred-By: <sip:referrer@example.com>;cid="20398823.2UWQFN309shb3@referrer.example"
Replaces: 425928@bobster.example.org;to-tag=7743;from-tag=6472;early-only
Privacy: id;critical;history
Reason: Q.850;cause=16;text="Normal call clearing", SIP;cause=600;text="Busy with Bob"
Session-ID: ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2;logme
Session-Expires: 1800;refresher=uac
Min-SE: 90
User-Agent: Phone/1.2 (alice-laptop)
Server: Gateway 3.4.5.6
Subject: a call for Bob
Organization: Example Inc.
Call-Info: <http://www.example.com/alice/photo.jpg>;purpose=icon
Alert-Info: <http://www.example.com/sounds/moo.wav>
Error-Info: <sip:not-in-service@example.com>
Warning: 307 isi.edu "Session parameter 'foo' not understood"
Date: Thu, 21 Feb 2002 13:02:03 GMT
Timestamp: 54
Expires: 7200
Priority: emergency
Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, FOO
Allow-Events: dialog, presence.winfo
Supported: 100rel, timer, path, foo
Require: 100rel, foo
Proxy-Require: sec-agree
Accept: application/sdp, application/dialog-info+xml;level=1
Accept-Language: da, en-gb;q=0.8
Accept-Contact: *;audio;methods="INVITE";explicit
Geolocation: <cid:target123@alice.example.com>, <sip:3sdefrhy2jj7@lis.example.com>
P-Charging-Vector: icid-value="AyretyU0dm+6O2IrT5tAFrbHLso=023551024";orig-ioi=home1.net;icid-generated-at=192.0.2.6
P-Access-Network-Info: 3GPP-E-UTRAN-FDD; utran-cell-id-3gpp=262011234567
Authorization: Digest username="alice", realm="atlanta.example.com", nonce="84a4cc6f3082121f32b42a2187831a9e", uri="sip:bob@192.0.2.4;user=phone", response="7587245234b3434cc3412213e5f113a5", cnonce="0a4f113b", qop=auth, nc=00000001, algorithm=MD5, opaque="5ccc069c403ebaf9f0171e9517f40e41", auts="xx"
Proxy-Authorization: Digest username="alice@example.com", realm="192.0.2.20", nonce="c60f3082ee1212b402a21831ae", uri="tel:+12155551213", response="245f23415f11432b3434341c022"
Identity: PASSPORT;info=<https://biloxi.example.org/biloxi.cer>;alg=ES256;ppt=shaken
X-Custom: some value; with=parameters
X-Asterisk-HangupCause: Normal Clearing
Content-Type: application/sdp
Content-Length: 0

v=0
o=alice 2890844526 2890844527 IN IP4 192.0.2.30
s=Session of Alice
i=About the session
u=http://www.example.com/seminars
e=j.doe@example.com (Jane Doe)
p=+1 617 555-6011
c=IN IP4 192.0.2.31/127
b=AS:64
t=0 0
k=clear:secret
a=group:BUNDLE audio
a=ice-ufrag:F7gI
a=ice-pwd:x9cml/YzichV2+XlhiMu8g
m=audio 49170 RTP/SAVP 0 8 97 101
i=of the media
c=IN IP4 192.0.2.32
a=rtpmap:0 PCMU/8000
a=rtpmap:97 iLBC/8000/1
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=ptime:20
a=maxptime:40
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz
a=candidate:1 1 UDP 2130706431 192.0.2.33 8998 typ host
a=rtcp:49171 IN IP4 192.0.2.34
a=sendrecv
m=video 51372 RTP/AVP 31
a=rtpmap:31 H261/90000
`

const richAnswer = `SIP/2.0 200 OK for Alice
Via: SIP/2.0/UDP proxy.example.com:5060;branch=z9hG4bKproxy;received=192.0.2.7;rport=5062
From: "Alice A." <sip:alice@example.com:5060;line=abc>;tag=fromtag
To: Bob <sips:bob@[2001:db8::1]:5061;transport=tls>;tag=totag
Call-ID: callid.1@192.0.2.1
CSeq: 314159 INVITE
Contact: <sip:bob@192.0.2.4:5060>
Server: Example PBX 11
Retry-After: 18000;duration=3600 (I'm in a meeting)
Reason: Q.850;cause=31;text="unknown text"
Warning: 399 192.0.2.9 "bob is away"
Session-ID: 47755a9de7794ba387653f2099600ef2;remote=ab30317f1a784dc48ff824d0d3715d86
P-Asserted-Identity: <tel:+12155551213>
WWW-Authenticate: Digest realm="atlanta.example.com", domain="sip:boxesbybob.com", qop="auth", nonce="f84f1cec41e6cbe5aea9c8e88d359", opaque="", stale=FALSE, algorithm=MD5
Proxy-Authenticate: Digest realm="192.0.2.9", nonce="84f1c1ae6cbe5ua9c8e88dfa3ecm3459"
Authentication-Info: nextnonce="47364c23432d2e131a5fb210812c"
Unsupported: foo
Content-Type: application/sdp
Content-Length: 0

v=0
o=- 1 1 IN IP6 2001:db8::30
s=-
c=IN IP6 2001:db8::31
t=0 0
m=audio 0 RTP/AVP 0
c=IN IP4 0.0.0.0
`

const richRefer = `REFER sip:bob@192.0.2.4:5060 SIP/2.0
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKrefer
Max-Forwards: 70
From: "Alice A." <sip:alice@example.com>;tag=fromtag
To: Bob <sips:bob@example.net>;tag=totag
Call-ID: callid.1@192.0.2.1
CSeq: 314160 REFER
Contact: <sip:alice@192.0.2.1:5060>
Refer-To: "Carol" <sip:carol@example.org:5070;transport=tcp?Replaces=090459243588173445%40192.0.2.77%3Bto-tag%3D7m2n3wq%3Bfrom-tag%3D31431&Require=replaces>
Referred-By: "Al" <sip:alice@example.com>
Refer-Sub: true
Target-Dialog: fa77as7dad8-sd98ajzz@host.example.com;local-tag=kkaz-;remote-tag=6544
Content-Length: 0

`

const richNotify = `NOTIFY sip:alice@192.0.2.1:5060 SIP/2.0
Via: SIP/2.0/UDP 192.0.2.4:5060;branch=z9hG4bKnotify
Max-Forwards: 70
From: Bob <sips:bob@example.net>;tag=totag
To: "Alice A." <sip:alice@example.com>;tag=fromtag
Call-ID: callid.1@192.0.2.1
CSeq: 7 NOTIFY
Contact: <sip:bob@192.0.2.4:5060>
Event: refer;id=93809823
Subscription-State: terminated;reason=noresource;expires=60;retry-after=30
Content-Type: message/sipfrag;version=2.0
Content-Length: 0

SIP/2.0 486 Busy with Carol
Reason: Q.850;cause=17
`

const richPublish = `PUBLISH sip:collector@example.org SIP/2.0
Via: SIP/2.0/TCP 192.0.2.4:5060;branch=z9hG4bKpublish
Max-Forwards: 70
From: <sip:bob@example.net>;tag=publisher
To: <sip:collector@example.org>
Call-ID: report.1@192.0.2.4
CSeq: 1 PUBLISH
Event: vq-rtcpxr
SIP-If-Match: dx200xyz
Expires: 3600
Content-Type: application/vq-rtcpxr
Content-Length: 0

VQSessionReport: CallTerm
CallID: callid.1@192.0.2.1
LocalID: Bob <sip:bob@example.net>
RemoteID: "Alice" <sip:alice@example.com>
OrigID: <sip:alice@example.com>
LocalGroup: bob-phone-00390676
RemoteGroup: alice-phone
LocalAddr: IP=192.0.2.34 PORT=5000 SSRC=2468abcd
LocalMAC: 00:1f:5b:cc:21:0f
RemoteAddr: IP=192.0.2.33 PORT=5002 SSRC=1357efff
RemoteMAC: 00:26:08:8e:95:02
LocalMetrics:
Timestamps: START=2004-10-10T18:23:43Z STOP=2004-10-01T18:26:02Z
SessionDesc: PT=18 PD=G729 SR=8000 FD=20 FO=20 FPP=2 PPS=50 FMTP="annexb=no" PLC=3 SSUP=on
JitterBuffer: JBA=3 JBR=2 JBN=40 JBM=80 JBX=120
PacketLoss: NLR=5.0 JDR=2.0
BurstGapLoss: BLD=0 BD=0 GLD=2.0 GD=500 GMIN=16
Delay: RTD=200 ESD=140 SOWD=140 IAJ=2 MAJ=10
Signal: SL=-21 NL=-50 RERL=55
QualityEst: RLQ=90 RCQ=85 EXTRI=90 MOSLQ=4.2 MOSCQ=4.3 QoEEstAlg=P.564
RemoteMetrics:
QualityEst: MOSLQ=4.1
DialogID: callid.1@192.0.2.1;to-tag=totag;from-tag=fromtag
`

const richBye = `BYE sip:bob@192.0.2.4:5060 SIP/2.0
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKbye
Max-Forwards: 70
From: "Alice A." <sip:alice@example.com>;tag=fromtag
To: Bob <sips:bob@example.net>;tag=totag
Call-ID: callid.1@192.0.2.1
CSeq: 314161 BYE
User-Agent: Phone/1.3
Reason: SIP;cause=200;text="Call completed elsewhere by Carol";protocol=x
P-RTP-Stat: PS=100,OS=16000,PR=99,OR=15840,PL=1,JI=3,LA=20,DU=2,EN=G711u,DE=G711u
X-RTP-Stat: CS=0;PS=100;ES=100;OS=16000;SP=0/0;SO=0;QS=-;PR=99;ER=99;OR=15840;CR=0;SR=0;QR=-;PL=0,0;BL=0;LS=0;RB=0/0;SB=0/0;EN=PCMU;DE=PCMU;JI=12,2;DL=45,2,2;IP=192.0.2.31:49170,192.0.2.34:5000
Content-Length: 0

`

const richMixed = `MESSAGE im:carol@example.org SIP/2.0
v: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKmessage
Max-Forwards: 70
f: tel:+12155551212;tag=short
t: urn:service:sos
i: message.1
CSeq: 1 MESSAGE
s: short subject
m: mailto:alice@example.com
r: http://example.com/refer?to=x
b: pres:alice@example.com
o: presence;id=7
u: presence
k: 100rel
y: PASSPORT;info=<https://biloxi.example.org/biloxi.cer>
x: 90;refresher=uas
e: gzip
c: multipart/mixed;boundary="unique-boundary-1"
l: 0

--unique-boundary-1
Content-Type: application/sdp

v=0
o=carol 1 2 IN IP4 192.0.2.50
s=Carol
c=IN IP4 192.0.2.51
t=0 0
m=audio 4000 RTP/AVP 0
--unique-boundary-1
Content-Type: application/pidf+xml
Content-ID: <target123@alice.example.com>

<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="pres:alice@example.com">
<tuple id="sg89ae"><status><basic>open</basic></status><contact priority="0.8">tel:+09012345678</contact></tuple>
</presence>
--unique-boundary-1--
`

const richRegister = `REGISTER sip:registrar.example.com SIP/2.0
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKregister;rport
Max-Forwards: 70
From: <sip:Al%69ce@Example.COM>;tag=reg
To: <sip:Al%69ce@Example.COM>
Call-ID: register.1
CSeq: 1 REGISTER
Contact: <sip:alice@192.0.2.1:5060;line=abc>;expires=60, "other" <sip:alice@[2001:db8::5]:5062>;expires=0
Authorization: Digest username="alice", realm="example.com", nonce="n", uri="sip:registrar.example.com", response="r"
User-Agent: Phone/1.2
Content-Length: 0

`

const richRegistered = `SIP/2.0 200 OK
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKregister;rport=40000;received=192.0.2.99
From: <sip:Al%69ce@Example.COM>;tag=reg
To: <sip:Al%69ce@Example.COM>;tag=registrar
Call-ID: register.1
CSeq: 1 REGISTER
Contact: <sip:alice@192.0.2.1:5060;line=abc>;expires=60
P-Associated-URI: <sip:alice@example.com>
Service-Route: <sip:orig@scscf.home1.net;lr>
Content-Length: 0

`

// made are scenes of these.
func made(testing.TB) []scene {
	encode := base64.RawURLEncoding.EncodeToString
	token := encode([]byte(`{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"https://cert.example.org/passport.cer"}`)) + "." + encode([]byte(claims)) + ".rq3pjT1hoRwakEGjHCnWSwUnshd0-zJ6F1VOgFWSjHBr8Qjpjlk"
	build := func(back bool, text string) step {
		s := stepOf(withLength([]byte(strings.ReplaceAll(strings.ReplaceAll(text, "PASSPORT", token), "\n", "\r\n"))))
		if back {
			s.src, s.dst = s.dst, s.src
		}
		return s
	}
	all := []scene{
		{"made call", []step{build(false, richInvite), build(true, richAnswer), build(false, richRefer), build(true, richNotify), build(true, richPublish), build(false, richBye)}},
		{"made refusal", []step{build(false, richInvite), build(true, strings.Replace(richAnswer, "200 OK", "488 Sorry", 1))}},
		{"made requests", []step{build(false, richMixed), build(false, strings.Replace(richMixed, "MESSAGE", "FOO", 2))}},
		{"made registration", []step{build(false, richRegister), build(true, richRegistered)}},
	}
	for _, s := range all {
		for i := range s.steps {
			s.steps[i].at += int64(i) * 1e9
		}
	}
	return all
}
