package privacy

import (
	"bytes"
	"errors"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// testKey is that of testdata/vectors.json: the bytes 0 to 31.
func testKey() (k Key) {
	for i := range k {
		k[i] = byte(i)
	}
	return k
}

// all are modes where every group has the same.
func all(m Mode) (modes [event.NumGroups]Mode) {
	for g := event.Public + 1; g < event.NumGroups; g++ {
		modes[g] = m
	}
	return modes
}

func newSealer(t testing.TB, modes [event.NumGroups]Mode) *Sealer {
	t.Helper()
	s, err := New(Config{Modes: modes, Key: testKey()})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// hostile are values that have bitten somebody, or look as if they would.
var hostile = []string{
	"", "a", "alice", "+4930123456", "sip:alice@example.com", "sip:+4930123456@192.0.2.1:5060;user=phone;transport=UDP",
	"sips:alice:secret@[2001:db8::1]:5061;lr", "sip:[2001:DB8::1];maddr=[2001:db8::2]", "sip:192.0.2.1", "sip:@example.com",
	"tel:+49-30-123456;phone-context=example.com", "urn:service:sos", "pbx.example.com:5060", "mailto:alice@example.com",
	"sip:a@b@192.0.2.1", "sip:a@b?Replaces=abc%40192.0.2.1;tag=1", "sip:alice@example.com;sealed=0456", "sip:a;b=c@d;x=\"y;z\"",
	"\"Alice +49 30 1234567\" <sip:alice@example.com>;tag=a73kszlfl", "Alice <sip:alice@192.0.2.1>", "<sip:alice@example.com>",
	"sip:alice@example.com;tag=1", "sip:alice@example.com?x=y;tag=1", "<tel:+4930123456>;tag=1;expires=3600;q=0.5", "*", "* ",
	"\"a\\\"b\" <sip:a@b>", "<sip:a@b>, <sip:c@d>", " <sip:a@b>", "< sip:a@b >", "<sip:a@b> ;tag=1", "<0456:a@b>;tag=1",
	"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776asdhds;rport;received=192.0.2.2", "SIP/2.0/TCP [2001:db8::9]:5060;branch=z9hG4bK1",
	"SIP / 2.0 / UDP first.example.com: 4000;ttl=16;maddr=224.2.0.1 ;branch=z9hG4bKa7c6a8dlze.1", "SIP/2.0/UDP host;received=[2001:DB8::1]",
	"SIP/2.0/UDP host;received=2001:DB8::1;tag=;branch", "SIP/2.0/UDP host;sealed=041", "SIP/2.0/UDP host;;",
	"a84b4c76e66710@192.0.2.1", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6@example.com", "\xff\xfe\x00", "a\r\nb", "::ffff:192.0.2.1",
	"192.0.2.001", "0x7f.1", "3232235777", "2001:db8::", "fe80::1%eth0", "192.0.2.1.", "192-0-2-1.example.net", "19%32.0.2.1",
	"Asterisk PBX 16.2.1.4", "041h7d8fvs4qsqg8ktr1v0b3lpgd8", "\"0456789abcdefghijklmnopqrstuv0123\" <sip:a@b>",
	"sip:0456789abcdefghijklmnopqrstuv0123@0456789abcdefghijklmnopqrstuv0123;tag=0456789abcdefghijklmnopqrstuv0123",
	"<sip:a@b>;tag=0456789abcdefghijklmnopqrstuv0123;sealed=0456789abcdefghijklmnopqrstuv0123", "sip:a@b;sealed",
}

// addSeeds gives every hostile value in every shape, and the sealed form of each again.
func addSeeds(f *testing.F) {
	s := newSealer(f, all(Encrypt))
	for _, v := range hostile {
		for shape := range event.NumShapes {
			f.Add([]byte(v), uint8(shape), uint32(0))
			f.Add([]byte(v), uint8(shape), uint32(0x5a5a))
			sealed, _ := s.Append(nil, groupOf[shape], shape, []byte(v))
			f.Add(sealed, uint8(shape), uint32(0x3333))
		}
	}
	f.Add(append([]byte("<sip:a@b?"), bytes.Repeat([]byte{'x'}, 1900)...), uint8(event.NameAddr), uint32(1))
	f.Add(append([]byte("<sip:a@b>"), bytes.Repeat([]byte(";tag=1"), 330)...), uint8(event.NameAddr), uint32(1))
	f.Add(bytes.Repeat([]byte{'x'}, 1024), uint8(event.Plain), uint32(0))
	f.Add(append([]byte("sip:"), bytes.Repeat([]byte{':'}, 1020)...), uint8(event.Whole), uint32(1))
}

// FuzzSeal: with everything encrypted, a value opens to itself and to nothing else.
func FuzzSeal(f *testing.F) {
	addSeeds(f)
	s := newSealer(f, all(Encrypt))
	f.Fuzz(func(t *testing.T, b []byte, shape uint8, at uint32) {
		sh := event.Shape(shape) % event.NumShapes
		if sh == event.Digest {
			return // one way
		}
		g := groupOf[sh]
		masked, ok := s.Append([]byte("before"), g, sh, b)
		masked, kept := bytes.CutPrefix(masked, []byte("before"))
		if !ok || !kept {
			t.Fatalf("%q is left out", b)
		}
		if sh != event.Word && !forms[sh].Match(masked) { // words stay: see TestWords
			t.Fatalf("%q becomes %q, which shows more than it may", b, masked)
		}
		again, _ := s.Append(nil, g, sh, b)
		if !bytes.Equal(masked, again) {
			t.Fatalf("%q becomes %q and %q", b, masked, again)
		}
		clear, err := s.Open(nil, sh, masked)
		if sh == event.Plain && len(b) == 0 {
			return
		}
		if err != nil || !bytes.Equal(clear, b) {
			t.Fatalf("%q becomes %q and opens to %q, %v", b, masked, clear, err)
		}
		if !isSealed(masked) {
			return // parts of it are clear or an address
		}
		bit := int(at) % (8 * len(masked))
		masked[bit/8] ^= 1 << (bit % 8)
		if clear, err := s.Open(nil, sh, masked); err == nil {
			t.Fatalf("%q with bit %d flipped opens to %q", masked, bit, clear)
		}
		masked[bit/8] ^= 1 << (bit % 8)
		for _, other := range [][]byte{masked[:len(masked)-1-int(at)%len(masked)], append(masked[:len(masked):len(masked)], byte(at)), masked[1:]} {
			if len(other) == 0 || sh == event.Word && string(other) == "0" { // which is a word, also alone
				continue
			}
			if clear, err := s.Open(nil, sh, other); err == nil {
				t.Fatalf("%q opens to %q", other, clear)
			}
		}
	})
}

// FuzzMixed: whatever groups are encrypted and clear, a value opens to itself; and whatever
// their modes are, nothing breaks, and equal values stay equal.
func FuzzMixed(f *testing.F) {
	addSeeds(f)
	keyring := newSealer(f, all(Encrypt)).keys
	f.Fuzz(func(t *testing.T, b []byte, shape uint8, bits uint32) {
		sh := event.Shape(shape) % event.NumShapes
		var modes [event.NumGroups]Mode
		for g := event.Public + 1; g < event.NumGroups; g++ {
			modes[g] = Mode(bits >> g & 1)
		}
		g := groupOf[sh]
		if bits>>16&1 == 1 {
			g = event.Group(bits>>17) % event.NumGroups
		}
		s := &Sealer{modes: modes, keys: keyring}
		masked, ok := s.Append(nil, g, sh, b)
		clear, err := s.OpenAs(nil, g, sh, masked)
		if sh != event.Digest && (!ok || err != nil || !bytes.Equal(clear, b)) {
			t.Fatalf("%v: %q becomes %q and opens to %q, %v", modes, b, masked, clear, err)
		}
		for g := event.Public + 1; g < event.NumGroups; g++ {
			if modes[g] = Mode(bits>>(2*g)) % NumModes; !Allowed(g, modes[g]) {
				modes[g] = HMAC
			}
		}
		s = &Sealer{modes: modes, keys: keyring}
		one, ok := s.Append(nil, g, sh, b)
		two, _ := s.Append(nil, g, sh, b)
		if !bytes.Equal(one, two) || !ok && len(one) > 0 {
			t.Fatalf("%v: %q becomes %q and %q", modes, b, one, two)
		}
	})
}

// FuzzOpen: no text opens but those that were sealed with the key.
func FuzzOpen(f *testing.F) {
	for _, v := range hostile {
		f.Add([]byte(v), uint8(0))
	}
	s := newSealer(f, all(Encrypt))
	f.Fuzz(func(t *testing.T, b []byte, l uint8) {
		lab := label(l) % numLabels
		if _, err := s.keys[0].open(nil, lab, b); err == nil || !errors.Is(err, ErrNotSealed) && !errors.Is(err, ErrAltered) {
			t.Fatalf("%q opens: %v", b, err)
		}
		for sh := range event.NumShapes {
			out, err := s.Open(nil, sh, b)
			if err != nil {
				continue
			}
			if again, ok := s.Append(nil, groupOf[sh], sh, out); !ok || sh != event.Digest && !bytes.Equal(again, b) {
				t.Fatalf("shape %d: %q opens to %q, which becomes %q", sh, b, out, again)
			}
		}
	})
}
