package privacy

import (
	"errors"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// with are modes where some groups are private.
func with(m Mode, groups ...event.Group) (modes [event.NumGroups]Mode) {
	for _, g := range groups {
		modes[g] = m
	}
	return modes
}

// TestNewRefuses: what cannot be done is said at the start.
func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{Modes: with(Encrypt, event.Tags)}, "a key is needed"},
		{Config{Modes: with(Redact, event.Tags)}, "a key is needed"},
		{Config{Modes: with(Truncate, event.URIs), Key: testKey()}, "uris: truncate is for addresses and numbers only"},
		{Config{Modes: with(NumModes, event.Tags), Key: testKey()}, "tags: no such mode"},
	} {
		if _, err := New(c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

// TestClear: with nothing private, everything stays, and no key is needed.
func TestClear(t *testing.T) {
	s, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range hostile {
		for sh := range event.NumShapes {
			if out, ok := s.Append(nil, groupOf[sh], sh, []byte(v)); !ok || string(out) != v {
				t.Errorf("%q becomes %q", v, out)
			}
		}
	}
	h := event.Hash{1}
	if a := netip.MustParseAddr("192.0.2.1"); s.Addr(a) != a || s.OpenAddr(a) != a || s.Digest(h, event.Tags) != h || s.KeyID() != "" || s.Private(event.Tags) {
		t.Error("something is masked")
	}
}

// secrets are what the hostile values give away.
var secrets = regexp.MustCompile(`(?i)alice|example|secret|4930|1234|192\.0\.2|192-0-2|2001:0?db8|fe80|a84b4c|f81d4f|776asd|a73ksz|asterisk|pbx|7f\.1|3232235777|224\.2`)

// TestNothingClear: whatever hides everything hides it in every shape, also where the value
// is none of that shape. Words stay: see TestWords.
func TestNothingClear(t *testing.T) {
	for _, m := range []Mode{Encrypt, HMAC, Redact} {
		s := newSealer(t, all(m))
		for _, v := range hostile {
			for sh := range event.Word {
				for g := event.Public + 1; g < event.NumGroups; g++ {
					if out, _ := s.Append(nil, g, sh, []byte(v)); secrets.Match(out) {
						t.Errorf("%s, %s, shape %d: %q becomes %q", m, g, sh, v, out)
					}
				}
			}
		}
	}
}

// sealedForm and the others are the grammar of what may be seen of a masked value.
const (
	sealedForm = `0[4-7][0-9a-v]{26,}`
	addrForm   = `(?:\d+\.\d+\.\d+\.\d+|\[?[0-9a-f:]+\]?)`
	tailForm   = `(?:;(?:(?i:lr|ob|rport|alias)(?:=(?:\d{1,5}|on|true))?|(?i:transport)=[A-Za-z-]+|(?i:user)=[a-z]+|(?i:method)=[A-Z]+|` +
		`(?i:ttl|expires)=\d{1,6}|(?i:comp)=sigcomp|(?i:q)=[01.0-9]+|(?i:tag|branch)=` + sealedForm + `|(?i:received|maddr)=(?:` + sealedForm + `|` + addrForm + `)))*(?:;sealed=` + sealedForm + `)?`
	hostForm = `(?:` + sealedForm + `|` + addrForm + `)`
	uriForm  = `(?:(?i:sips?):(?:(?:` + sealedForm + `)?(?::(?:` + sealedForm + `)?)?@)?` + hostForm + `(?::\d*)?` + tailForm +
		`|(?i:tel):` + sealedForm + tailForm + `|(?i:urn|im|pres|mailto|https?|cid|xmpp|h323|fax|modem):(?:` + sealedForm + `)?)`
)

// forms are what a value of a shape looks like when everything is encrypted.
var forms = func() (f [event.NumShapes]*regexp.Regexp) {
	whole := map[event.Shape]string{
		event.Address: hostForm, event.Host: hostForm, event.Whole: uriForm,
		event.NameAddr: `(?:\*|(?:"` + sealedForm + `" )?<` + uriForm + `>` + tailForm + `|` + uriForm + tailForm + `)`,
		event.Scheme:   `(?i:sips?|tel|urn|im|pres|mailto|https?|cid|xmpp|h323|fax|modem)`,
		event.ViaValue: `SIP/2\.0/[A-Za-z-]+ ` + hostForm + `(?::\d*)?` + tailForm,
	}
	for sh := range f {
		f[sh] = regexp.MustCompile(`^(?:` + sealedForm + `|` + whole[event.Shape(sh)] + `)?$`)
	}
	f[event.Digest] = regexp.MustCompile(`^(?:[0-9a-v]{26})?$`)
	return f
}()

// TestGroups: what becomes of parts when one group is private and the value's own is clear.
func TestGroups(t *testing.T) {
	const S = "S" // something sealed
	for _, c := range []struct {
		private event.Group
		group   event.Group
		shape   event.Shape
		in, out string
	}{
		{event.Addresses, event.URIs, event.Whole, "sip:alice@192.0.2.1", "sip:alice@129.68.185.168"},
		{event.Addresses, event.URIs, event.Whole, "sip:alice@[2001:DB8::1]:5060", "sip:alice@S:5060"},
		{event.Addresses, event.URIs, event.Whole, "sip:alice@example.com", "sip:alice@example.com"},
		{event.Addresses, event.URIs, event.Whole, "sip:alice@192.000.002.001", "sip:alice@S"},
		{event.Addresses, event.URIs, event.Whole, "sip:alice@3232235777", "sip:alice@S"},
		{event.Addresses, event.URIs, event.Whole, "sip:alice@0xC0000201", "sip:alice@S"},
		{event.Addresses, event.URIs, event.Whole, "sip:alice@192.0.2.1.", "sip:alice@S"},
		{event.Addresses, event.URIs, event.Whole, "sip:alice@192-0-2-1.dyn.example.net", "sip:alice@S"},
		{event.Addresses, event.URIs, event.Whole, "sip:alice%40192.0.2.1@example.com", "sip:S@example.com"},
		{event.Addresses, event.URIs, event.Whole, "sip:alice@example.com;maddr=192.0.2.1;lr", "sip:alice@example.com;maddr=129.68.185.168;lr"},
		{event.Addresses, event.URIs, event.Whole, "sip:alice@example.com;x=192.0.2.1;lr", "sip:alice@example.com;lr;sealed=S"},
		{event.Addresses, event.URIs, event.ViaValue, "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1;received=192.0.2.1", "SIP/2.0/UDP 129.68.185.168;branch=z9hG4bK1;received=129.68.185.168"},
		{event.Addresses, event.URIs, event.ViaValue, "SIP/2.0/UDP a;branch=z9hG4bK192.0.2.1", "SIP/2.0/UDP a;branch=S"},
		{event.Addresses, event.URIs, event.NameAddr, "\"192.0.2.1\" <sip:a@b>;tag=1", "\"S\" <sip:a@b>;tag=1"},
		{event.Addresses, event.CallIDs, event.CallID, "1@192.0.2.1", S},
		{event.Addresses, event.CallIDs, event.CallID, "1@::ffff:192.0.2.1", S},
		{event.Addresses, event.CallIDs, event.CallID, "1@[2001:db8::1]:5060", S},
		{event.Addresses, event.CallIDs, event.CallID, "1@example.com", "1@example.com"},
		{event.Addresses, event.CallIDs, event.CallID, "f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"},
		{event.Addresses, event.CallIDs, event.CallID, "12:30:45-1", "12:30:45-1"},
		{event.Addresses, event.UserAgents, event.Agent, "Phone 1.2.3", "Phone 1.2.3"},
		{event.Addresses, event.UserAgents, event.Agent, "Phone (192.0.2.1)", S},
		{event.Addresses, event.Errors, event.Plain, "whatever", S},
		{event.Numbers, event.URIs, event.Whole, "sip:+4930123456@example.com;user=phone", "sip:S@example.com;user=phone"},
		{event.Numbers, event.URIs, event.Whole, "sip:200@example.com", "sip:S@example.com"},
		{event.Numbers, event.URIs, event.Whole, "sip:%2B49%2030@example.com", "sip:S@example.com"},
		{event.Numbers, event.URIs, event.Whole, "sip:+4930;phone-context=x@example.com", "sip:S@example.com"},
		{event.Numbers, event.URIs, event.Whole, "sip:u4930123456x@example.com", "sip:S@example.com"},
		{event.Numbers, event.URIs, event.Whole, "sip:alice7@192.0.2.1", "sip:alice7@192.0.2.1"},
		{event.Numbers, event.URIs, event.Whole, "tel:+49-30-123456", "tel:S"},
		{event.Numbers, event.URIs, event.NameAddr, "\"+49 (30) 123456\" <sip:a@b>", "\"S\" <sip:a@b>"},
		{event.Numbers, event.URIs, event.NameAddr, "<sip:a@b>;expires=3600;tag=4", "<sip:a@b>;expires=3600;tag=4"},
		{event.Numbers, event.URIs, event.User, "4930123456", S},
		{event.Numbers, event.URIs, event.Host, "6.5.4.3.2.1.0.3.9.4.e164.arpa", S},
		{event.Numbers, event.URIs, event.Host, "192.168.100.200", "192.168.100.200"},
		{event.Numbers, event.CallIDs, event.CallID, "+4930123456-1@b", S},
		{event.Numbers, event.CallIDs, event.CallID, "4930123456@b", "4930123456@b"},
		{event.Tags, event.URIs, event.NameAddr, "<sip:alice@b>;tag=4", "<sip:alice@b>;tag=S"},
		{event.CallIDs, event.URIs, event.ViaValue, "SIP/2.0/UDP a;branch=z9hG4bK1", "SIP/2.0/UDP a;branch=S"},
		{event.CallIDs, event.URIs, event.Whole, "sip:a@b?Replaces=1", "sip:a@b;sealed=S"},
		{event.URIs, event.URIs, event.Whole, "sip:alice@192.0.2.1:5060;lr", "sip:S@129.68.185.168:5060;lr"},
		{event.URIs, event.Tags, event.Tag, "4", "4"},
	} {
		s := newSealer(t, with(Encrypt, c.private))
		out, _ := s.Append(nil, c.group, c.shape, []byte(c.in))
		if got := regexp.MustCompile(sealedForm).ReplaceAllString(string(out), S); got != c.out {
			t.Errorf("%s private: %q becomes %q, want %q", c.private, c.in, out, c.out)
		}
		if clear, err := s.OpenAs(nil, c.group, c.shape, out); err != nil || string(clear) != c.in {
			t.Errorf("%s private: %q opens to %q, %v", c.private, out, clear, err)
		}
	}
}

// TestOneWay: what the modes that nobody reads again leave.
func TestOneWay(t *testing.T) {
	for _, c := range []struct {
		modes   [event.NumGroups]Mode
		group   event.Group
		shape   event.Shape
		in, out string // no out: left out
	}{
		{with(Truncate, event.Addresses), event.URIs, event.Whole, "sip:alice@192.0.2.1:5060", "sip:alice@192.0.2.0:5060"},
		{with(Truncate, event.Addresses), event.URIs, event.Whole, "sip:[2001:db8:1:2::3]", "sip:[2001:db8:1::]"},
		{with(Truncate, event.Addresses), event.URIs, event.Whole, "sip:192.0.2.001", "sip:H"},
		{with(Truncate, event.Addresses), event.CallIDs, event.CallID, "1@192.0.2.1", "H"},
		{with(Redact, event.Addresses), event.CallIDs, event.CallID, "1@192.0.2.1", "H"},
		{with(Redact, event.Addresses), event.UserAgents, event.Agent, "Phone (192.0.2.1)", ""},
		{with(Redact, event.Addresses), event.URIs, event.Whole, "sip:192.0.2.1", ""},
		{with(Redact, event.Addresses), event.URIs, event.Whole, "sip:a@b;x=1;lr", "sip:a@b;lr"},
		{with(HMAC, event.Addresses), event.URIs, event.Whole, "sip:a@192.0.2.1:5060", "sip:a@[fd58:4563:631d:7f9e:7137:2ebc:3659:689]:5060"},
		{with(Truncate, event.Numbers), event.URIs, event.Whole, "sip:+4930123456@b", "sip:+49301@b"},
		{with(Truncate, event.Numbers), event.URIs, event.Whole, "tel:+49-30-123456", "tel:+49301"},
		{with(Truncate, event.Numbers), event.URIs, event.Whole, "sip:200@b", ""},
		{with(Truncate, event.Numbers), event.URIs, event.Whole, "sip:x4930123456@b", "sip:H@b"},
		{with(Redact, event.Numbers), event.URIs, event.Whole, "sip:200@b", ""},
		{with(Redact, event.URIs), event.URIs, event.NameAddr, "*", ""},
		{with(HMAC, event.URIs), event.URIs, event.Whole, "sip:alice@b:5060;x=1", "sip:H@H:5060;sealed=H"},
		{with(HMAC, event.URIs), event.URIs, event.NameAddr, "Alice <sip:alice@b>;tag=1", "\"H\" <sip:H@H>;tag=1"},
		{with(HMAC, event.Tags), event.Tags, event.Tag, "1", "H"},
		{with(HMAC, event.Tags), event.Errors, event.Plain, "1", "H"},
	} {
		s := newSealer(t, c.modes)
		out, ok := s.Append(nil, c.group, c.shape, []byte(c.in))
		got := regexp.MustCompile(`\b[0-9a-v]{26}\b`).ReplaceAllString(string(out), "H")
		if got != c.out || ok != (c.out != "") {
			t.Errorf("%q becomes %q, %v, want %q", c.in, out, ok, c.out)
		}
	}
}

// TestShapesDiffer: equal values stay equal within a shape and have nothing in common
// beyond it; those of URIs are those that stand alone.
func TestShapesDiffer(t *testing.T) {
	for _, m := range []Mode{Encrypt, HMAC} {
		s := newSealer(t, all(m))
		seen := map[string]event.Shape{}
		for _, sh := range []event.Shape{event.Plain, event.Host, event.User, event.CallID, event.Tag, event.Agent, event.Number, event.Digest} {
			out, _ := s.Append(nil, groupOf[sh], sh, []byte("alice"))
			if other, ok := seen[string(out)]; ok {
				t.Errorf("%s: shapes %d and %d have %q", m, sh, other, out)
			}
			seen[string(out)] = sh
		}
		user, _ := s.Append(nil, event.URIs, event.User, []byte("alice"))
		host, _ := s.Append(nil, event.URIs, event.Host, []byte("b"))
		for _, in := range []string{"sip:alice@b", "SIP:alice@b"} {
			out, _ := s.Append(nil, event.URIs, event.Whole, []byte(in))
			if string(out[4:]) != string(user)+"@"+string(host) {
				t.Errorf("%s: %q becomes %q, its user %q and its host %q", m, in, out, user, host)
			}
		}
	}
}

// TestRotation: what an old key masked opens, nothing is masked with it, and a key that is
// not there is told from an altered text by its name.
func TestRotation(t *testing.T) {
	old, next := testKey(), NewKey()
	before := newSealer(t, all(Encrypt))
	after, err := New(Config{Modes: all(Encrypt), Key: next, OldKeys: []Key{old}})
	if err != nil {
		t.Fatal(err)
	}
	const uri = "sip:alice@192.0.2.1;x=y"
	sealed, _ := before.Append(nil, event.URIs, event.Whole, []byte(uri))
	again, _ := after.Append(nil, event.URIs, event.Whole, []byte(uri))
	if string(sealed) == string(again) || after.KeyID() != next.ID() {
		t.Error("the old key masks")
	}
	then, ok := after.With(old.ID())
	if !ok || then.KeyID() != old.ID() {
		t.Fatal("the old key is gone")
	}
	for _, s := range []*Sealer{before, then} {
		if clear, err := s.Open(nil, event.Whole, sealed); err != nil || string(clear) != uri {
			t.Errorf("opens to %q, %v", clear, err)
		}
	}
	name, _ := before.Append(nil, event.URIs, event.User, []byte("alice"))
	if clear, err := after.Open(nil, event.User, name); err != nil || string(clear) != "alice" {
		t.Errorf("opens to %q, %v", clear, err)
	}
	if clear, err := before.Open(nil, event.Whole, again); !errors.Is(err, ErrAltered) || !strings.Contains(err.Error(), old.ID()) {
		t.Errorf("opens to %q, %v", clear, err)
	}
	if _, ok := before.With(next.ID()); ok {
		t.Error("has a key that it was not given")
	}
	a := netip.MustParseAddr("192.0.2.1")
	if then.OpenAddr(before.Addr(a)) != a || after.OpenAddr(before.Addr(a)) == a {
		t.Error("addresses open with another key than theirs")
	}
}

// TestOpenRefuses: where something sealed is due, nothing else passes.
func TestOpenRefuses(t *testing.T) {
	s := newSealer(t, all(Encrypt))
	for sh, texts := range map[event.Shape][]string{
		event.Plain: {"clear", ""}, event.User: {"alice"}, event.Host: {"example.com"}, event.CallID: {"1@b"}, event.Tag: {"1"},
		event.Whole:    {"sip:alice@192.0.2.1", "sip:b", "tel:110", "urn:x", "clear", "sip:192.0.2.1;x=y"},
		event.NameAddr: {"Alice <sip:192.0.2.1>", "<sip:192.0.2.1>;tag=1", "<sip:192.0.2.1>;x"},
		event.ViaValue: {"SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1", "SIP/2.0/UDP b"},
	} {
		for _, text := range texts {
			if clear, err := s.Open(nil, sh, []byte(text)); err == nil {
				t.Errorf("shape %d: %q opens to %q", sh, text, clear)
			}
		}
	}
	// A parameter that stands beside the sealed ones is a copy of theirs.
	sealed, _ := s.Append(nil, event.URIs, event.Whole, []byte("sip:a@b;transport=udp;x=y"))
	forged := strings.Replace(string(sealed), "transport=udp", "transport=tcp", 1)
	if clear, err := s.Open(nil, event.Whole, []byte(forged)); !errors.Is(err, ErrAltered) {
		t.Errorf("%q opens to %q, %v", forged, clear, err)
	}
}

// TestDigest: keyed as soon as one of its groups is private.
func TestDigest(t *testing.T) {
	h := event.Hash{1, 2, 3}
	for _, m := range []Mode{Encrypt, HMAC, Redact} {
		s := newSealer(t, with(m, event.Tags))
		if s.Digest(h, event.CallIDs, event.URIs) != h {
			t.Error("keyed, though its groups are clear")
		}
		if s.Digest(h, event.CallIDs, event.Tags) == h {
			t.Error("not keyed, though one of its groups is private")
		}
	}
}

// TestRace: one Sealer for all goroutines; go test -race looks.
func TestRace(t *testing.T) {
	s := newSealer(t, all(Encrypt))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				for _, v := range hostile {
					for sh := range event.NumShapes {
						out, _ := s.Append(nil, groupOf[sh], sh, []byte(v))
						s.Open(nil, sh, out)
					}
					s.Digest(event.Hash{}, event.Tags)
					s.Addr(netip.AddrFrom4([4]byte{10, byte(len(v))}))
				}
			}
		})
	}
	wg.Wait()
}

// TestAddressBeyondPassword: an address that is written where user and password are, with
// the colon of a password among its own, is masked, and opens again.
func TestAddressBeyondPassword(t *testing.T) {
	for _, m := range []Mode{Encrypt, HMAC, Redact} {
		s := newSealer(t, with(m, event.Addresses))
		for _, uri := range []string{
			"sip:2A0C:9F3E:77C1:1D2E:0:0:BEEF:77C9@example.com", "sip:alice2a0c:9f3e::77c9@example.com:5060;lr", "sip::ffff:2d8b:4dc9:alice@example.com",
			"im::ffff:2d8b:4dc9:carol@example.org", "tel::ffff:2d8b:4dc9:+1", "sip:2a0c-9f3e-77c1-1d2e--77c9@example.com", "sip:alice@2a0c-9f3e--77c9.ipv6-literal.net",
		} {
			out, ok := s.Append(nil, event.URIs, event.Whole, []byte(uri))
			if lower := strings.ToLower(string(out)); strings.Contains(lower, "9f3e") || strings.Contains(lower, "2d8b") {
				t.Errorf("%s: %s becomes %s", m, uri, out)
			}
			if m != Encrypt {
				continue
			}
			if clear, err := s.OpenAs(nil, event.URIs, event.Whole, out); !ok || err != nil || string(clear) != uri {
				t.Errorf("%s opens to %s, %v; want %s", out, clear, err, uri)
			}
		}
		if out, _ := s.Append(nil, event.URIs, event.Whole, []byte("sip:alice:secret@example.com")); string(out) != "sip:alice:secret@example.com" {
			t.Errorf("%s: too much: %s", m, out)
		}
	}
}
