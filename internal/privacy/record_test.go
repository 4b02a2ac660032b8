package privacy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// record is one as calls have it.
func record(typ event.Type) *event.Event {
	var e event.Event
	e.Reset()
	e.Type, e.Time, e.Start, e.End, e.Transport = typ, 3e9, 1e9, 2e9, event.UDP
	e.ID, e.Call = event.Hash{1}, event.Hash{2}
	e.Src, e.Dst = netip.MustParseAddrPort("192.0.2.1:5060"), netip.MustParseAddrPort("[2001:db8::2]:5061")
	e.AddLeg(e.Src.Addr())
	e.AddLeg(e.Dst.Addr())
	e.Set(&e.CallID, []byte(`a84b4c76e66710"@pc33.atlanta.com`))
	e.Correlation, e.CorrelatedBy = e.CallID, event.ByCallID
	e.SetURI(&e.From.URI, []byte("sip:%61lice@Atlanta.COM:5070;transport=udp;x=y"), []byte("sip"), []byte("%61lice"), []byte("Atlanta.COM"), 5070)
	e.SetURI(&e.To.URI, []byte("sips:+4930123456@[2001:DB8::9]"), []byte("sips"), []byte("+4930123456"), []byte("2001:DB8::9"), 0)
	e.SetURI(&e.RequestURI, []byte("tel:+4930123456;phone-context=x"), []byte("tel"), []byte("+4930123456"), nil, 0)
	e.SetURI(&e.Contact.URI, []byte("sip:alice@192.0.2.101"), []byte("sip"), []byte("alice"), []byte("192.0.2.101"), 0)
	e.Set(&e.From.Display, []byte("Alice \xff Müller"))
	e.Set(&e.From.Tag, []byte("1928301774"))
	e.Set(&e.UserAgent, []byte("Phone <1.0> (192.0.2.1)"))
	e.Set(&e.AuthUser, []byte("alice"))
	e.Set(&e.AuthRealm, []byte("atlanta.com"))
	e.Add(&e.Via, []byte("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKnashds8;received=192.0.2.9;rport"))
	e.Add(&e.Via, []byte("SIP / 2.0 / TCP pc33.atlanta.com"))
	e.Add(&e.PAI, []byte(`"Alice" <sip:alice@atlanta.com>;x=1`))
	e.Add(&e.PAI, []byte("nonsense, really"))
	e.Set(&e.Conn, []byte("192.0.2.200"))
	e.Set(&e.Status, []byte("Busy Here"))
	e.Add(&e.ReasonText, []byte("alice is out"))
	e.Add(&e.ReasonText, []byte("User busy"))
	e.Set(&e.Error, []byte(`the header From: "alice"`))
	e.Set(&e.Branch, []byte("z9hG4bKnashds8"))
	e.AddHeader(nil, "x-cid:", []byte("leg one"))
	e.Rate = event.Rate{By: event.ByRate, Type: typ, Source: netip.MustParsePrefix("192.0.2.0/24"), Exceeded: 2, Limit: 1}
	e.Add(&e.Contacts, []byte("*"))
	return &e
}

// schemas are the names under which records leave.
var schemas = map[string]*event.Schema{
	"native": event.NewSchema(event.Fields, []string{"X-CID"}),
	"legacy": event.NewSchema(event.OlderFields(), []string{"X-CID"}),
}

func masked(t testing.TB, s *Sealer, e *event.Event, schema *event.Schema) (clear, sealed []byte) {
	t.Helper()
	var m event.Event
	e.Mask(s, &m)
	r := event.Renderer{Schema: schema}
	return r.Append(nil, e, nil), r.Append(nil, &m, nil)
}

func reader(t testing.TB, keys ...Key) *Reader {
	t.Helper()
	r, err := NewReader(keys[0], keys[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// oneWay takes the fields out of a record that are never read back.
func oneWay(t testing.TB, text []byte) string {
	t.Helper()
	var tree map[string]any
	if err := json.Unmarshal(text, &tree); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	for _, path := range []string{"event.id", "network.community_id", "sip.call.id", "sip.subscription.id"} {
		names := strings.Split(path, ".")
		at := tree
		for _, n := range names[:len(names)-1] {
			at, _ = at[n].(map[string]any)
		}
		delete(at, names[len(names)-1])
	}
	out, _ := json.Marshal(tree)
	return string(out)
}

// TestRecord: a record opens to what it was, in both schemas, of each type, alone and
// inside what Elasticsearch gives.
func TestRecord(t *testing.T) {
	s := newSealer(t, all(Encrypt))
	r := reader(t, testKey())
	for name, schema := range schemas {
		for typ := event.CallStart; typ < event.NumTypes; typ++ {
			if typ == event.Message && name == "legacy" {
				continue
			}
			clear, sealed := masked(t, s, record(typ), schema)
			got, did, err := r.Record(nil, sealed)
			if err != nil {
				t.Errorf("%s of %s: %v\n%s", typ, name, err, sealed)
				continue
			}
			if w, g := oneWay(t, clear), oneWay(t, got); w != g {
				t.Errorf("%s of %s:\n%s\nwas\n%s", typ, name, g, w)
			}
			if did.Records != 1 || did.Values == 0 {
				t.Errorf("%+v", did)
			}
			hit := fmt.Appendf(nil, ` {"hits": [{"_id":"x", "_source": %s}, {"_source":%s }]}`, sealed, sealed)
			want := fmt.Appendf(nil, ` {"hits": [{"_id":"x", "_source": %s}, {"_source":%s }]}`, got, got)
			if got, did, err = r.Record(nil, hit); err != nil || !bytes.Equal(got, want) || did.Records != 2 {
				t.Errorf("of Elasticsearch: %v, %+v\n%s", err, did, got)
			}
		}
	}
}

// TestRecordClear: what has no label is copied, byte by byte.
func TestRecordClear(t *testing.T) {
	r := reader(t, testKey())
	for _, text := range []string{
		`{}`, `{"a":1}`, ` { "a" : [ 1 , -2.5e7, null,true , "x\u0041\"" ] , "b":{ } } `, `[]`, `[{"a":{}},{}]`,
		`{"sip":{"call_id":"x","status":"y"},"sipcmbeat":{"rate":{"key":"192.0.2.1"}}}`, `{"sipcmbeat":{"privacy":{}}}`, `{"":{"":""}}`,
	} {
		if got, did, err := r.Record([]byte("before"), []byte(text)); err != nil || string(got) != "before"+text || did != (Opened{}) {
			t.Errorf("%s: %s, %+v, %v", text, got, did, err)
		}
	}
	for _, text := range []string{``, `7`, `x`, `{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,}`, `{,}`, `{"a" 1}`, `{a:1}`, `"x`, `[1,]`, `[1`, `{} {}`, `{"a":"\"}`, strings.Repeat("[", 1000)} {
		if got, _, err := r.Record(nil, []byte(text)); err == nil || len(got) > 0 {
			t.Errorf("%s is taken: %s", text, got)
		}
	}
}

// TestRecordNames: names with dots, as some programs write objects, are the same names.
func TestRecordNames(t *testing.T) {
	s := newSealer(t, all(Encrypt))
	id, _ := s.Append(nil, event.CallIDs, event.CallID, []byte("x@y"))
	flat := fmt.Sprintf(`{"sip.call_id":%q,"sipcmbeat.privacy.key_id":%q,"sipcmbeat.privacy.fields":["call_ids:encrypt"],"z":1}`, id, s.KeyID())
	half := fmt.Sprintf(`{"sipcmbeat":{"privacy.key_id":%q,"privacy.fields":["call_ids:encrypt"]},"sip":{"call_id":%q},"z":1}`, s.KeyID(), id)
	for in, want := range map[string]string{flat: `{"sip.call_id":"x@y","z":1}`, half: `{"sip":{"call_id":"x@y"},"z":1}`} {
		if got, _, err := reader(t, testKey()).Record(nil, []byte(in)); err != nil || string(got) != want {
			t.Errorf("%s: %s, %v", in, got, err)
		}
	}
}

// TestRecordKeys: the record says which key it needs, which is found among several.
func TestRecordKeys(t *testing.T) {
	s := newSealer(t, all(Encrypt))
	clear, sealed := masked(t, s, record(event.CallEnd), nil)
	other := NewKey()
	if got, _, err := reader(t, other, testKey()).Record(nil, sealed); err != nil || oneWay(t, got) != oneWay(t, clear) {
		t.Errorf("%v: %s", err, got)
	}
	var missing MissingKey
	if _, _, err := reader(t, other).Record(nil, sealed); !errors.As(err, &missing) || missing.ID != s.KeyID() {
		t.Errorf("%v", err)
	}
}

// TestRecordModes: what is masked one way stays and is counted; every other value opens.
func TestRecordModes(t *testing.T) {
	for m := HMAC; m < NumModes; m++ {
		for g := event.Public + 1; g < event.NumGroups; g++ {
			if !Allowed(g, m) {
				continue
			}
			modes := all(Encrypt)
			modes[g] = m
			_, sealed := masked(t, newSealer(t, modes), record(event.OtherFailed), schemas["native"])
			got, did, err := reader(t, testKey()).Record(nil, sealed)
			if err != nil || !json.Valid(got) || did.Values == 0 || did.OneWay == 0 {
				t.Errorf("%s, %s: %v, %+v\n%s", g, m, err, did, sealed)
			}
		}
	}
}

// TestRecordAltered: a changed character of a sealed value is found, and named.
func TestRecordAltered(t *testing.T) {
	s := newSealer(t, all(Encrypt))
	_, sealed := masked(t, s, record(event.CallEnd), schemas["native"])
	r := reader(t, testKey())
	at := bytes.Index(sealed, []byte(`"call_id":"`)) + len(`"call_id":"`)
	for i := range minSealed {
		for _, c := range []byte("0fvz!") {
			b := bytes.Clone(sealed)
			if b[at+i] == c {
				continue
			}
			b[at+i] = c
			if got, _, err := r.Record(nil, b); err == nil || len(got) > 0 || !strings.HasPrefix(err.Error(), "sip.call_id: ") {
				t.Fatalf("character %d is %c: %v", i, c, err)
			}
		}
	}
}

// TestValue: a single value opens whatever it is, and nothing else does.
func TestValue(t *testing.T) {
	s := newSealer(t, all(Encrypt))
	r := reader(t, testKey())
	for shape, text := range map[event.Shape]string{
		event.Plain: "x", event.Host: "atlanta.com", event.User: "alice", event.CallID: "a@b", event.Tag: "t", event.Agent: "Phone 1", event.Number: "+4930123",
		event.Whole: "sip:alice@atlanta.com;x=y", event.NameAddr: `"Alice" <sip:alice@atlanta.com>`, event.ViaValue: "SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bKx",
	} {
		sealed, ok := s.Append(nil, groupOf[shape], shape, []byte(text))
		if got, _, err := r.Value(nil, sealed); !ok || err != nil || string(got) != text {
			t.Errorf("%s: %q, %v", text, got, err)
		}
		sealed[len(sealed)/2] ^= 1
		if got, _, err := r.Value(nil, sealed); err == nil {
			t.Errorf("%s, altered, opens to %q", text, got)
		}
	}
	for _, text := range []string{"", "alice", "sip:alice@atlanta.com", "192.0.2.1"} {
		if got, _, err := r.Value(nil, []byte(text)); err == nil || len(got) > 0 {
			t.Errorf("%q opens to %q", text, got)
		}
	}
}

// FuzzRecord: any input is refused or copied, and what is copied is as valid as it was.
func FuzzRecord(f *testing.F) {
	_, sealed := masked(f, newSealer(f, all(Encrypt)), record(event.CallEnd), nil)
	f.Add(sealed)
	f.Add([]byte(`{"a":[1,{"_source":{}}],"sipcmbeat":{"privacy":{"key_id":"x"}}}`))
	r := reader(f, testKey())
	f.Fuzz(func(t *testing.T, in []byte) {
		out, _, err := r.Record(nil, in)
		if json.Valid(in) != json.Valid(out) && json.Valid(in) && err == nil {
			t.Errorf("%q becomes %q", in, out)
		}
	})
}

func BenchmarkRecord(b *testing.B) {
	_, sealed := masked(b, newSealer(b, all(Encrypt)), record(event.CallEnd), nil)
	r := reader(b, testKey())
	var out []byte
	b.SetBytes(int64(len(sealed)))
	b.ReportAllocs()
	for range b.N {
		var err error
		if out, _, err = r.Record(out[:0], sealed); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMask(b *testing.B) {
	e := record(event.CallEnd)
	s := newSealer(b, all(Encrypt))
	var m event.Event
	b.ReportAllocs()
	for range b.N {
		e.Mask(s, &m)
	}
}

// TestSchemeOfHost: what looks like the scheme of a URI and is a host is masked as its URI
// is, and opens with it.
func TestSchemeOfHost(t *testing.T) {
	e := record(event.CallEnd)
	e.SetURI(&e.RequestURI, []byte("pbx.example.com:5060"), []byte("pbx.example.com"), []byte("5060"), nil, 0)
	e.SetURI(&e.Contact.URI, []byte("URN:service:sos"), []byte("URN"), []byte("service"), nil, 0)
	for _, m := range []Mode{Encrypt, HMAC, Redact} {
		clear, sealed := masked(t, newSealer(t, all(m)), e, schemas["native"])
		if bytes.Contains(sealed, []byte("pbx")) || !bytes.Contains(sealed, []byte(`"scheme":"URN"`)) {
			t.Errorf("%s: %s", m, sealed)
		}
		if m != Encrypt {
			continue
		}
		opened, _, err := reader(t, testKey()).Record(nil, sealed)
		if err != nil || oneWay(t, opened) != oneWay(t, clear) {
			t.Errorf("%v\n got %s\nwant %s", err, opened, clear)
		}
	}
}

// checkParts masks a URI as a record has it, and holds its parts to those masked alone.
func checkParts(t *testing.T, s *Sealer, text []byte) {
	t.Helper()
	var u sip.URI
	u.Parse(text)
	var e, m event.Event
	e.Reset()
	port, _ := u.Port()
	e.SetURI(&e.RequestURI, u.Bytes(), u.Scheme(), u.User(), u.Host(), port)
	e.Mask(s, &m)
	want := func(shape event.Shape, of event.Text) string {
		b, ok := s.Append(nil, event.URIs, shape, e.Bytes(of))
		if !ok {
			return ""
		}
		return string(b)
	}
	got, was := &m.RequestURI, &e.RequestURI
	if g, w := string(m.Bytes(got.All)), want(event.Whole, was.All); g != w {
		t.Errorf("%q is %q, not %q", text, g, w)
	}
	if g, w := string(m.Bytes(got.Scheme)), want(event.Scheme, was.Scheme); g != w {
		t.Errorf("%q: scheme %q, not %q", text, g, w)
	}
	if g, w := string(m.Bytes(got.User)), want(event.User, was.User); g != w {
		t.Errorf("%q: user %q, not %q, in %q", text, g, w, m.Bytes(got.All))
	}
	if g, w := string(m.Bytes(got.Host)), want(event.Host, was.Host); g != w {
		t.Errorf("%q: host %q, not %q, in %q", text, g, w, m.Bytes(got.All))
	}
}

// mixtures are modes that meet in one URI.
func mixtures(t testing.TB) (all []*Sealer) {
	for m := range NumModes * NumModes * NumModes {
		var modes [event.NumGroups]Mode
		modes[event.Addresses], modes[event.Numbers], modes[event.URIs] = m%NumModes, m/NumModes%NumModes, m/NumModes/NumModes
		modes[event.Geo] = Encrypt // so that something is private
		if Allowed(event.URIs, modes[event.URIs]) {
			all = append(all, newSealer(t, modes))
		}
	}
	return all
}

// FuzzParts: the parts of a masked URI are what they would be alone, in every mixture of
// modes.
func FuzzParts(f *testing.F) {
	for _, v := range hostile {
		f.Add([]byte(v))
	}
	all := mixtures(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		if bytes.ContainsAny(text, "\r\n") {
			return // a record has it on one line
		}
		for _, s := range all {
			checkParts(t, s, text)
		}
	})
}
