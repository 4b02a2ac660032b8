package event

import (
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestAppendTime(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		ns := r.Int64N(7e18)
		want := time.Unix(0, ns).UTC().Format("2006-01-02T15:04:05.000000000Z")
		if got := string(AppendTime(nil, ns)); got != want {
			t.Fatalf("AppendTime(%d) = %s, want %s", ns, got, want)
		}
	}
	if got := string(AppendTime(nil, -1)); got != "1969-12-31T23:59:59.999999999Z" {
		t.Error(got)
	}
}

func TestAppendString(t *testing.T) {
	for in, want := range map[string]string{
		"":                   `""`,
		"plain":              `"plain"`,
		`"quoted" \ back`:    `"\"quoted\" \\ back"`,
		"a\r\n\tb":           `"a\r\n\tb"`,
		"\x1b[31mred\x7f":    `"\u001b[31mred\u007f"`,
		"\x00":               `"\u0000"`,
		"M\u00fcller \u20ac": "\"M\u00fcller \u20ac\"",
		"bad \xff\xc3 end":   "\"bad \ufffd\ufffd end\"",
		"\u009b2J":           `"\u009b2J"`, // a C1 control character that terminals obey
	} {
		if got := string(AppendString(nil, []byte(in))); got != want {
			t.Errorf("AppendString(%q) = %s, want %s", in, got, want)
		}
		long := "prefix of some length " + in + " and what follows it"
		var back string
		if err := json.Unmarshal(AppendString(nil, []byte(long)), &back); err != nil || back != strings.ToValidUTF8(long, "\ufffd") && !strings.Contains(in, "\xff") {
			t.Errorf("AppendString(%q) comes back as %q, %v", long, back, err)
		}
		if !json.Valid(AppendString(nil, []byte(in))) {
			t.Errorf("AppendString(%q) is no JSON", in)
		}
	}
}

// full has a value in every field that its type can have.
func full(typ Type) *Event {
	e := &Event{}
	e.Reset()
	e.Type, e.Time, e.Start, e.End, e.Sequence = typ, 3e9, 1e9, 2e9, 7
	e.ID, e.Call = Hash{1}, Hash{2}
	e.Src, e.Dst, e.NAT = netip.MustParseAddrPort("192.0.2.1:5060"), netip.MustParseAddrPort("192.0.2.2:5061"), netip.MustParseAddrPort("198.51.100.1:6000")
	e.OuterSrc, e.OuterDst = netip.MustParseAddr("198.51.100.8"), netip.MustParseAddr("2001:db8::8")
	e.HEP = HEP{Version: 3, Type: 1, Vendor: 2, CaptureID: 234, Received: true}
	e.Transport, e.VLANs, e.Side, e.Outcome = UDP, [2]uint16{100, 200}, Caller, Success
	for _, x := range []*Text{&e.CallID, &e.HEP.Node, &e.HEP.Correlation, &e.Method, &e.CSeqMethod, &e.ViaTransport, &e.Branch, &e.Status, &e.UserAgent, &e.Server,
		&e.Q850Text, &e.AuthUser, &e.AuthRealm, &e.AuthScheme, &e.IdentityOrig, &e.IdentityX5U, &e.SessionLocal, &e.SessionRemote,
		&e.Conn, &e.ContentType, &e.Error, &e.Probe, &e.QualityCall, &e.QualityCodec,
		&e.Subscription.Package, &e.Subscription.ID, &e.Subscription.Reason, &e.Transfer.Target, &e.Transfer.Replaces, &e.ReferredBy, &e.Replaces} {
		e.SetString(x, "x")
	}
	for _, p := range []*Party{&e.From, &e.To, &e.Contact} {
		e.SetString(&p.Display, "Alice")
		e.SetString(&p.Tag, "t")
		e.SetURI(&p.URI, []byte("sip:u@example.com:5070"), []byte("sip"), []byte("u"), []byte("example.com"), 5070)
	}
	for _, u := range []*URI{&e.RequestURI, &e.AOR, &e.PPI, &e.RPID} {
		e.SetURI(u, []byte("sip:v@example.org:5080"), []byte("sip"), []byte("v"), []byte("example.org"), 5080)
	}
	for _, n := range []*PhoneNumber{&e.Caller, &e.Callee} {
		*n = PhoneNumber{Country: [2]byte{'D', 'E'}, Kind: Premium, Valid: true}
		e.SetString(&n.E164, "+499001234567")
		e.SetString(&n.Token, "token")
	}
	for _, l := range []*List{&e.Encap, &e.Via, &e.PAI, &e.Diversion, &e.History, &e.Privacy, &e.ReasonProtocol, &e.ReasonCause,
		&e.ReasonText, &e.IdentityDest, &e.Codecs, &e.Media, &e.Contacts} {
		e.Add(l, []byte("one"))
		e.Add(l, []byte("two"))
	}
	e.AddAddr(&e.Legs, netip.MustParseAddr("192.0.2.1"))
	e.AddAddr(&e.Legs, netip.MustParseAddr("2001:db8::1"))
	e.AddCode(&e.Codes, 486)
	e.Capture, e.Iface = `a "b".pcap`, "eth0"
	e.Set(&e.Dump, []byte("/spool/x.pcap"))
	e.CSeq, e.HasCSeq, e.MaxForwards, e.HasMaxForwards = 3, true, 70, true
	e.Code, e.Last, e.Q850, e.Attest, e.HasIdentity, e.IdentityIAT = 486, 487, 17, 'A', true, 1
	e.Ptime, e.MaxPtime, e.SRTP, e.ICE = 20, 60, true, true
	e.PDD, e.Ring, e.Setup, e.Disconnect, e.Delay, e.PDDSource, e.DurationMin = 1, 2, 3, 4, 5, 180, 6
	e.SessionExpires, e.RetryAfter, e.RetransRequest, e.RetransResponse, e.Branches = 90, 5, 1, 2, 3
	for i := range e.Requests {
		e.Requests[i] = 1
	}
	e.Forked, e.Held, e.InDialog, e.Synthetic, e.Emergency, e.Timer = true, true, true, true, true, 'B'
	e.Expires, e.HasExpires, e.Lifetime, e.NumContacts, e.Refreshes, e.NewLocation = 60, true, 1e9, 2, 3, true
	e.Subscription.State, e.Subscription.RetryAfter, e.Subscription.Notifies = SubActive, 60, 4
	e.Transfer.By, e.Transfer.Code, e.Transfer.Done, e.EarlyMedia = Callee, 200, true, true
	e.Correlation, e.CorrelatedBy = e.CallID, BySessionID
	e.Incomplete, e.Anomalies = NoInvite|EndOfCapture, LFOnly|ContactBroken
	one := Heard{MOS: 4321, MOSMin: 1000, Loss: 0, LossMax: 1, Jitter: 20, Delay: 1 << 30, R: 93200, Packets: 1 << 40, Lost: 0}
	e.Direction = Inbound
	e.ViaTransport = Text{}
	e.SetString(&e.ViaTransport, "TLS")
	e.SetQuality(&Quality{Ends: [2]Heard{one, one}, MOS: 4321, Reports: 2})
	if typ == Message {
		fillParts(e)
	}
	e.Rate = Rate{By: ByRate, Ended: Calm, Type: OtherOK, Source: netip.MustParsePrefix("2001:db8::/64"), Exceeded: 400, Suppressed: 199, Total: 397,
		Current: 30.25, Limit: 20, Period: "1s", Nanos: 1e9, Since: 1767225600e9}
	return e
}

// fillParts sets every part.
func fillParts(e *Event) {
	e.OpenParts()
	for p := PartAction; p < PartPrivate; p++ {
		e.SetPart(p, []byte("x"))
	}
	for _, p := range []Part{PartLength, PartExpires, PartQ} {
		e.SetPartNumber(p, 500)
	}
	for _, p := range []Part{PartAllow, PartSupported} {
		var l List
		e.Add(&l, []byte("invite"))
		e.Add(&l, []byte("ack"))
		e.SetPartList(p, l)
	}
	e.SetPart(PartOwnerIP, []byte("192.0.2.7"))
	for _, p := range []Part{PartPrivate, PartAuth} {
		e.SetPartURI(p, []byte("sip:v@example.org:5080"), []byte("sip"), []byte("v"), []byte("example.org"), 5080)
	}
}

// TestFieldsAppear: every row of the table is written by some type.
func TestFieldsAppear(t *testing.T) {
	written := map[string]bool{}
	for typ := CallStart; typ < NumTypes; typ++ {
		for _, min := range []bool{false, true} {
			e := full(typ)
			e.LifetimeMin = min
			e.masked.label = shouting{}.Label()
			var v Value
			for i := range Fields {
				if Fields[i].Get(e, &v); v.Form != Nothing {
					written[Fields[i].Key] = true
				}
			}
			var tree map[string]any
			if err := json.Unmarshal(AppendJSON(nil, e, []byte(`"extra":{"x":1}`)), &tree); err != nil {
				t.Fatalf("%s: %v\n%s", typ, err, AppendJSON(nil, e, nil))
			}
		}
	}
	for i := range Fields {
		if !written[Fields[i].Key] {
			t.Errorf("%s is never written", Fields[i].Key)
		}
	}
}

// TestProbe: what a msg-probe says of itself is there.
func TestProbe(t *testing.T) {
	got := string(AppendJSON(nil, full(MsgProbe), nil))
	for _, want := range []string{`"probe":{"kind":"x"}`, `"encapsulation":["one","two"]`, `"pcap":{"dump":"/spool/x.pcap","path":"a \"b\".pcap"}`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	if strings.Contains(got, `"from":`) {
		t.Errorf("a probe has no From: %s", got)
	}
}

// TestNesting reads the objects back by their dotted keys.
func TestNesting(t *testing.T) {
	e := full(CallAttempt)
	var tree map[string]any
	if err := json.Unmarshal(AppendJSON(nil, e, nil), &tree); err != nil {
		t.Fatal(err)
	}
	var v Value
	for i := range Fields {
		f := &Fields[i]
		if f.Get(e, &v); v.Form == Nothing {
			continue
		}
		var at any = tree
		for _, name := range strings.Split(f.Key, ".") {
			m, ok := at.(map[string]any)
			if !ok {
				t.Fatalf("%s: %q is no object", f.Key, name)
			}
			at = m[name]
		}
		if at == nil {
			t.Errorf("%s is not in the record", f.Key)
		}
	}
}

func TestAppendDecimal(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 1: "0.000001", 2480000: "2.48", 60e9: "60000", -1500000: "-1.5", 111986000: "111.986"} {
		if got := string(appendDecimal(nil, n, 6)); got != want {
			t.Errorf("appendDecimal(%d) = %s, want %s", n, got, want)
		}
	}
}

func TestBounds(t *testing.T) {
	var e Event
	e.Reset()
	e.Set(&e.CallID, []byte(strings.Repeat("x", 5000)))
	if e.CallID.Len() != MaxText || e.Anomalies&FieldCut == 0 {
		t.Error("a long value is not cut and labelled")
	}
	for range 100 {
		e.Add(&e.PAI, []byte(strings.Repeat("y", 900)))
	}
	if n := e.Count(e.PAI); n != MaxList {
		t.Errorf("a list of %d values", n)
	}
	for range 1000 {
		e.Set(&e.Status, []byte(strings.Repeat("z", 900)))
	}
	if len(e.buf) > maxBuf {
		t.Errorf("%d bytes are kept", len(e.buf))
	}
}

func TestUnfolding(t *testing.T) {
	var e Event
	e.Set(&e.Status, []byte("Busy\r\n   Here \n\tnow"))
	if got := string(e.Bytes(e.Status)); got != "Busy Here now" {
		t.Errorf("%q", got)
	}
}

// TestNoAllocation: a record costs none, to copy and to render.
func TestNoAllocation(t *testing.T) {
	e := full(CallEnd)
	var c Event
	var r Renderer
	buf := r.Append(nil, e, nil)
	c.CopyFrom(e)
	if n := testing.AllocsPerRun(100, func() { buf = r.Append(buf[:0], e, nil) }); n != 0 {
		t.Errorf("rendering allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() { c.CopyFrom(e) }); n != 0 {
		t.Errorf("copying allocates %v times", n)
	}
}

func BenchmarkAppend(b *testing.B) {
	e := full(CallEnd)
	var r Renderer
	buf := r.Append(nil, e, nil)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for range b.N {
		buf = r.Append(buf[:0], e, nil)
	}
}

// What is listed for messages is a field, and stands there once.
func TestOfMessages(t *testing.T) {
	for i, name := range ofMessages {
		found := false
		for j := range Fields {
			f := &Fields[j]
			found = found || f.Key == name || strings.HasSuffix(name, ".") && strings.HasPrefix(f.Key, name)
		}
		if !found {
			t.Errorf("%s is no field", name)
		}
		for _, other := range ofMessages[:i] {
			if strings.HasPrefix(name, other) && (name == other || strings.HasSuffix(other, ".")) {
				t.Errorf("%s is in %s", name, other)
			}
		}
	}
}
