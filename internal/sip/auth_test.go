package sip

import "testing"

func TestAuthCredentials(t *testing.T) {
	// RFC 2617 §3.5, with SIP's folding.
	in := []byte("Digest username=\"Mufasa\",\r\n realm=\"testrealm@host.com\",\r\n" +
		" nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", uri=\"sip:a,b@c\", qop=auth, nc=00000001 ,\r\n" +
		" cnonce=\"0a4f113b\", response=\"6629fae49393a05397450978507c4ef1\", algorithm=MD5,\r\n" +
		" opaque=\"5ccc069c403ebaf9f0171e9517f40e41\", x=y")
	var a Auth
	if !a.Parse(in) {
		t.Fatal("refused")
	}
	equal(t, "Scheme", a.Scheme(), "Digest")
	equal(t, "Realm", a.Realm(), "testrealm@host.com")
	equal(t, "Nonce", a.Nonce(), "dcd98b7102dd2f0e8b11d0f600bfb0c093")
	equal(t, "Username", a.Username(), "Mufasa")
	equal(t, "URI", a.URI(), "sip:a,b@c")
	equal(t, "Response", a.Response(), "6629fae49393a05397450978507c4ef1")
	equal(t, "Algorithm", a.Algorithm(), "MD5")
	equal(t, "Opaque", a.Opaque(), "5ccc069c403ebaf9f0171e9517f40e41")
	equal(t, "QOP", a.QOP(), "auth")
	equal(t, "CNonce", a.CNonce(), "0a4f113b")
	equal(t, "NC", a.NC(), "00000001")
	if !a.IsDigest() || a.Stale() || !a.Has("REALM") || a.Has("stale") || a.Has("real") {
		t.Error("IsDigest, Stale or Has")
	}
	if v, ok := a.Param("X"); !ok || string(v) != "y" {
		t.Errorf("Param(X) = %q %v, want y", v, ok)
	}
	noAllocs(t, "Auth", func() {
		a.Parse(in)
		a.Param("x")
		a.Stale()
		a.IsDigest()
	})
}

func TestAuth(t *testing.T) {
	tests := []struct {
		in, scheme, realm, nonce string
		stale                    bool
	}{
		{`Digest realm="a", nonce="b", stale=true`, "Digest", "a", "b", true},
		{`Digest realm="a", nonce="b", stale="TRUE"`, "Digest", "a", "b", true},
		{`digest STALE=True,REALM=a,NONCE=b`, "digest", "a", "b", true},
		{`Digest realm="a",nonce="b",stale=false`, "Digest", "a", "b", false},
		{`Digest realm="a",nonce="b",stale=`, "Digest", "a", "b", false},
		{`Digest realm="a",nonce="b",stale`, "Digest", "a", "b", false},
		{`Digest realm = "a" , nonce = "b"`, "Digest", "a", "b", false},
		{`Digest realm="a\"b", nonce=""`, "Digest", `a\"b`, "", false},
		{`Digest realm="a", realm="c", nonce="b"`, "Digest", "a", "b", false},
		{`Digest , ,realm="a",,nonce="b",`, "Digest", "a", "b", false},
		{`Digest realm="a, nonce=\"x\"", nonce="b"`, "Digest", `a, nonce=\"x\"`, "b", false},
		{`Digest xrealm="z", realm="a", nonce="b"`, "Digest", "a", "b", false},
		{`Digest realm="a"junk, nonce="b"`, "Digest", "a", "b", false},
		{`Digest`, "Digest", "", "", false},
		{`Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==`, "Basic", "", "", false},
		{`Basic realm="a"`, "Basic", "a", "", false},
		{`Bearer authz_server="https://a", error="invalid_token"`, "Bearer", "", "", false},
		{`NoOneKnowsThisScheme opaque-data=here`, "NoOneKnowsThisScheme", "", "", false},
		{`  Digest   realm=a`, "Digest", "a", "", false},
	}
	var a Auth
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			if !a.Parse([]byte(tt.in)) {
				t.Fatal("refused")
			}
			equal(t, "Scheme", a.Scheme(), tt.scheme)
			equal(t, "Realm", a.Realm(), tt.realm)
			equal(t, "Nonce", a.Nonce(), tt.nonce)
			if a.Stale() != tt.stale {
				t.Errorf("Stale = %v, want %v", a.Stale(), tt.stale)
			}
			if a.IsDigest() != (tt.scheme == "Digest" || tt.scheme == "digest") {
				t.Errorf("IsDigest = %v", a.IsDigest())
			}
		})
	}
}

// TestAuthEmptyResponse: there and empty is not the same as missing
// (3GPP TS 24.229 §5.1.1.2).
func TestAuthEmptyResponse(t *testing.T) {
	var a Auth
	a.Parse([]byte(`Digest username="u", realm="r", nonce="", uri="sip:r", response=""`))
	if v, ok := a.Param("response"); !ok || len(v) != 0 || len(a.Response()) != 0 {
		t.Errorf("response = %q %v, want there and empty", v, ok)
	}
	a.Parse([]byte(`Digest username="u", realm="r"`))
	if _, ok := a.Param("response"); ok {
		t.Error("a response that is missing is there")
	}
}

func TestAuthRefused(t *testing.T) {
	var a Auth
	for _, in := range []string{"", " ", ",", "=", `"Digest"`, `Digest,realm="a"`, `Digest="a"`, "Di@gest realm=a", "Dig\x00est"} {
		if a.Parse([]byte(in)) {
			t.Errorf("%q: taken as scheme %q", in, a.Scheme())
		}
	}
	for _, in := range []string{`Digest realm="a`, `Digest realm="a\"`, `Digest realm="a", nonce="`, `Digest realm="a", nonce="b`} {
		if a.Parse([]byte(in)) {
			t.Errorf("%q: taken", in)
		}
		if !a.Has("realm") {
			t.Errorf("%q: the realm is not read", in)
		}
	}
}
