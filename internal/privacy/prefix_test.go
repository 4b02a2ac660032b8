package privacy

import (
	"encoding/hex"
	"math/bits"
	"net/netip"
	"testing"
)

// TestPrefixVectors: draft-denis-ipcrypt, appendix "Test Vectors", ipcrypt-pfx.
func TestPrefixVectors(t *testing.T) {
	const (
		basic    = "0123456789abcdeffedcba98765432101032547698badcfeefcdab8967452301"
		prefixes = "2b7e151628aed2a6abf7158809cf4f3ca9f5ba40db214c3798f2e1c23456789a"
	)
	for _, v := range []struct{ key, clear, sealed string }{
		{basic, "0.0.0.0", "151.82.155.134"},
		{basic, "255.255.255.255", "94.185.169.89"},
		{basic, "192.0.2.1", "100.115.72.131"},
		{basic, "2001:db8::1", "c180:5dd4:2587:3524:30ab:fa65:6ab6:f88"},
		// one /24
		{prefixes, "10.0.0.47", "19.214.210.244"},
		{prefixes, "10.0.0.129", "19.214.210.80"},
		{prefixes, "10.0.0.234", "19.214.210.30"},
		// one /16
		{prefixes, "172.16.5.193", "210.78.229.136"},
		{prefixes, "172.16.97.42", "210.78.179.241"},
		{prefixes, "172.16.248.177", "210.78.121.215"},
		// one /64
		{prefixes, "2001:db8::a5c9:4e2f:bb91:5a7d", "7cec:702c:1243:f70:1956:125:b9bd:1aba"},
		{prefixes, "2001:db8::7234:d8f1:3c6e:9a52", "7cec:702c:1243:f70:a3ef:c8e:95c1:cd0d"},
		{prefixes, "2001:db8::f1e0:937b:26d4:8c1a", "7cec:702c:1243:f70:443c:c8e:6a62:b64d"},
		// one /32
		{prefixes, "2001:db8:3a5c:0:e7d1:4b9f:2c8a:f673", "7cec:702c:3503:bef:e616:96bd:be33:a9b9"},
		{prefixes, "2001:db8:9f27:0:b4e2:7a3d:5f91:c8e6", "7cec:702c:a504:b74e:194a:3d90:b047:2d1a"},
		{prefixes, "2001:db8:d8b4:0:193c:a5e7:8b2f:46d1", "7cec:702c:f840:aa67:1b8:e84f:ac9d:77fb"},
	} {
		key, err := hex.DecodeString(v.key)
		if err != nil {
			t.Fatal(err)
		}
		p := newPrefix([32]byte(key))
		clear, sealed := netip.MustParseAddr(v.clear), netip.MustParseAddr(v.sealed)
		if got := p.seal(clear); got != sealed {
			t.Errorf("%s becomes %s, want %s", clear, got, sealed)
		}
		if got := p.open(sealed); got != clear {
			t.Errorf("%s opens to %s, want %s", sealed, got, clear)
		}
	}
}

// common is how many bits two addresses of one family share.
func common(a, b netip.Addr) int {
	x, y := a.AsSlice(), b.AsSlice()
	for i := range x {
		if d := x[i] ^ y[i]; d != 0 {
			return 8*i + bits.LeadingZeros8(d)
		}
	}
	return 8 * len(x)
}

// FuzzPrefix: what two addresses share is kept exactly, nothing more, and both open.
func FuzzPrefix(f *testing.F) {
	f.Add([]byte("0123456789abcdef"), []byte("0123456789abcdeg"), true)
	f.Add([]byte{10, 0, 0, 1}, []byte{10, 0, 0, 2}, false)
	f.Add(make([]byte, 16), []byte{15: 1}, true)
	f.Add([]byte{12: 192, 14: 2}, []byte{10: 0xff, 11: 0xff}, true)
	p := newPrefix([32]byte([]byte("an AES key and another AES key.!")))
	f.Fuzz(func(t *testing.T, x, y []byte, six bool) {
		n := 4
		if six {
			n = 16
		}
		if len(x) < n || len(y) < n {
			return
		}
		a, _ := netip.AddrFromSlice(x[:n])
		b, _ := netip.AddrFromSlice(y[:n])
		if a.Is4In6() || b.Is4In6() {
			return // those are IPv4
		}
		sa, sb := p.seal(a), p.seal(b)
		if sa.Is4() == six {
			t.Fatalf("%s becomes %s: another family", a, sa)
		}
		if common(sa, sb) != common(a, b) {
			t.Fatalf("%s and %s share %d bits, %s and %s %d", a, b, common(a, b), sa, sb, common(sa, sb))
		}
		if p.open(sa) != a || p.open(sb) != b {
			t.Fatalf("%s opens to %s, %s to %s", sa, p.open(sa), sb, p.open(sb))
		}
	})
}

func BenchmarkPrefix(b *testing.B) {
	p := newPrefix([32]byte([]byte("an AES key and another AES key.!")))
	for _, a := range []string{"192.0.2.1", "2001:db8::1"} {
		addr := netip.MustParseAddr(a)
		b.Run(a, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.seal(addr)
			}
		})
	}
}
