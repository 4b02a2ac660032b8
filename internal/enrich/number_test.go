package enrich

import (
	"fmt"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// with makes an event whose From and Request-URI are these.
func with(from, to string) *event.Event {
	e := &event.Event{}
	e.Reset()
	e.Type = event.CallEnd
	for _, x := range []struct {
		to   *event.URI
		text string
	}{{&e.From.URI, from}, {&e.RequestURI, to}} {
		var u sip.URI
		if x.text != "" && u.Parse([]byte(x.text)) {
			e.SetURI(x.to, []byte(x.text), u.Scheme(), u.User(), u.Host(), 0)
		}
	}
	return e
}

func said(e *event.Event, n *event.PhoneNumber) string {
	country := string(n.Country[:])
	if n.Country[0] == 0 {
		country = ""
	}
	return fmt.Sprintf("%s %s %s %v", e.Bytes(n.E164), country, n.Kind, n.Valid)
}

// What numbers say stands in ITU-T E.164 and in the national plans: the German ones in
// BNetzA's (030 is Berlin, 0151 mobile, 0900 premium), the British in Ofcom's.
func TestNumbers(t *testing.T) {
	const none = "   false"
	for _, c := range []struct{ country, uri, want string }{
		{"", "sip:+493012345678@example.com", "+493012345678 DE geo true"},
		{"", "sip:00493012345678@example.com", "+493012345678 DE geo true"},
		{"", "sip:03012345678@example.com", none},
		{"DE", "sip:03012345678@example.com", "+493012345678 DE geo true"},
		{"DE", "sip:+493012345678@example.com", "+493012345678 DE geo true"},
		{"DE", "sip:0049-30-12345678@example.com", "+493012345678 DE geo true"},
		{"DE", "sip:493012345678@example.com", "+493012345678 DE geo true"},
		{"GB", "sip:0049-30-12345678@example.com", "+493012345678 DE geo true"},
		{"US", "sip:011493012345678@example.com", "+493012345678 DE geo true"},
		{"US", "sip:00493012345678@example.com", "+493012345678 DE geo true"},
		{"", "tel:+44-20-7183-8750", "+442071838750 GB geo true"},
		{"", "tel:7183-8750;phone-context=+44-20", "+442071838750 GB geo true"},
		{"GB", "tel:02071838750;phone-context=example.com", none},
		{"", "sip:+4915123456789;npdi=yes@example.com;user=phone", "+4915123456789 DE mobile true"},
		{"", "sip:+491512345678@example.com", "+491512345678 DE  false"}, // a digit short
		{"", "sip:+4915123456789@example.com", "+4915123456789 DE mobile true"},
		{"DE", "sip:09001234567@example.com", "+499001234567 DE premium true"},
		{"", "sip:+881612345678@example.com", "+881612345678  satellite true"},
		{"", "sip:+8821612345678@example.com", "+8821612345678  satellite true"},
		{"", "sip:+12025550123@example.com", "+12025550123 US geo true"},
		{"", "sip:+80012345678@example.com", "+80012345678   true"},
		{"DE", "sip:112@example.com", " DE emergency true"},
		{"US", "sip:911@example.com", " US emergency true"},
		{"", "sip:112@example.com", none},
		{"DE", "sip:1001@example.com", none}, // an extension
		{"DE", "sip:alice@example.com", none},
		{"DE", "sip:+@example.com", none},
		{"DE", "sip:+4930123x@example.com", none},
		{"", "sip:+999123456789@example.com", none},
		{"", "sip:+49301234567890123456789012345@example.com", none},
		{"DE", "sip:example.com", none},
		{"DE", "", none},
	} {
		n := New(c.country)
		e := with(c.uri, c.uri)
		for range 2 { // from the library, from the cache
			n.Add(e)
			for _, x := range []*event.PhoneNumber{&e.Caller, &e.Callee} {
				if got := said(e, x); got != c.want {
					t.Errorf("%s in %q: %q, want %q", c.uri, c.country, got, c.want)
				}
			}
		}
	}
}

// The callee is whom the Request-URI names, where it names a number; a registration has
// none.
func TestCallee(t *testing.T) {
	n := New("")
	e := with("sip:alice@example.com", "sip:gw@example.com")
	uri := []byte("sip:+493012345678@example.com")
	e.SetURI(&e.To.URI, uri, uri[:3], uri[4:17], uri[18:], 0)
	if n.Add(e); string(e.Bytes(e.Callee.E164)) != "+493012345678" || e.Caller != (event.PhoneNumber{}) {
		t.Errorf("%q of To, caller %+v", e.Bytes(e.Callee.E164), e.Caller)
	}
	e.SetString(&e.Method, "REGISTER")
	if n.Add(e); e.Callee != (event.PhoneNumber{}) {
		t.Errorf("a registration has a callee: %q", e.Bytes(e.Callee.E164))
	}
}

// What is kept has a bound, and another country begins anew.
func TestCache(t *testing.T) {
	n := New("")
	for i := range 3 * generation {
		n.Add(with(fmt.Sprintf("sip:+4930%07d@example.com", i), ""))
		if len(n.young) > generation || len(n.old) > generation {
			t.Fatalf("%d and %d numbers are kept", len(n.young), len(n.old))
		}
	}
	e := with("sip:03012345678@example.com", "")
	n.Add(e)
	before := e.Caller
	if n.SetCountry("DE"); len(n.young) > 0 || len(n.old) > 0 {
		t.Error("numbers are kept that another country read")
	}
	if n.Add(e); before != (event.PhoneNumber{}) || e.Caller.E164.Len() == 0 {
		t.Errorf("%+v before, %+v after", before, e.Caller)
	}
}

func TestIsCountry(t *testing.T) {
	for iso, want := range map[string]bool{"DE": true, "US": true, "GB": true, "UK": false, "de": false, "": false, "001": false} {
		if IsCountry(iso) != want {
			t.Errorf("%q: %v", iso, !want)
		}
	}
}

// FuzzNumber: whatever a user is, what is said of it is an E.164 number, or nothing, and
// the library does not fail.
func FuzzNumber(f *testing.F) {
	for _, s := range []string{"+493012345678", "00493012345678", "tel:1;phone-context=+49", "+1 (202) 555-0123", "++49", "011", "112"} {
		f.Add(s, "DE")
	}
	f.Fuzz(func(t *testing.T, user, country string) {
		if !IsCountry(country) {
			country = ""
		}
		e := with("sip:"+user+"@example.com", "tel:"+user)
		New(country).Add(e)
		for _, n := range []*event.PhoneNumber{&e.Caller, &e.Callee} {
			form := e.Bytes(n.E164)
			if len(form) == 0 {
				continue
			}
			if form[0] != '+' || len(form) > event.MaxE164+1 {
				t.Fatalf("%q is %q", user, form)
			}
			again := with("sip:"+string(form)+"@example.com", "")
			if New("").Add(again); string(again.Bytes(again.Caller.E164)) != string(form) {
				t.Fatalf("%q of %q becomes %q", form, user, again.Bytes(again.Caller.E164))
			}
		}
	})
}

// BenchmarkAdd is what an event costs whose numbers were seen lately, and one whose numbers
// are new.
func BenchmarkAdd(b *testing.B) {
	all := make([]*event.Event, 4*generation)
	for i := range all {
		all[i] = with(fmt.Sprintf("sip:+4930%07d@example.com", i), fmt.Sprintf("sip:+4420718%05d@example.com", i))
	}
	for name, some := range map[string]int{"seen": 1000, "new": len(all)} {
		b.Run(name, func(b *testing.B) {
			n := New("")
			var e event.Event
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				e.CopyFrom(all[i%some])
				n.Add(&e)
			}
		})
	}
}
