package sip

import (
	"strings"
	"testing"
)

func TestAddr(t *testing.T) {
	tests := []struct {
		in, display, uri, tag, params string
	}{
		// RFC 3261 §20.10, §20.20, §20.39.
		{`"A. G. Bell" <sip:agb@bell-telephone.com> ;tag=a48s`, "A. G. Bell", "sip:agb@bell-telephone.com", "a48s", "tag=a48s"},
		{"sip:+12125551212@server.phone2net.com;tag=887s", "", "sip:+12125551212@server.phone2net.com", "887s", "tag=887s"},
		{"Anonymous <sip:c8oqz84zk7z@privacy.org>;tag=hyh8", "Anonymous", "sip:c8oqz84zk7z@privacy.org", "hyh8", "tag=hyh8"},
		{`"Mr. Watson" <sip:watson@worcester.bell-telephone.com>;q=0.7; expires=3600`, "Mr. Watson",
			"sip:watson@worcester.bell-telephone.com", "", "q=0.7|expires=3600"},
		{`"Mr. Watson" <mailto:watson@bell-telephone.com> ;q=0.1`, "Mr. Watson", "mailto:watson@bell-telephone.com", "", "q=0.1"},
		{"<sips:bob@192.0.2.4>;expires=60", "", "sips:bob@192.0.2.4", "", "expires=60"},

		{"<sip:a@b;lr;tag=x>;tag=y", "", "sip:a@b;lr;tag=x", "y", "tag=y"},
		{"sip:a@b;lr;tag=y", "", "sip:a@b", "y", "lr=|tag=y"},
		{"sip:a@b?x=y;tag=z", "", "sip:a@b?x=y", "z", "tag=z"},
		{"tel:+49301234;tag=z", "", "tel:+49301234", "z", "tag=z"},
		{"<tel:+49301234;phone-context=x>;tag=z", "", "tel:+49301234;phone-context=x", "z", "tag=z"},
		{"  \t<sip:a@b>\t ", "", "sip:a@b", "", ""},
		{`""<sip:a@b>`, "", "sip:a@b", "", ""},
		{`"a\"b\\" <sip:a@b>`, `a\"b\\`, "sip:a@b", "", ""},
		{`"<sip:x@y>;tag=1" <sip:a@b>`, "<sip:x@y>;tag=1", "sip:a@b", "", ""},
		{`"a,b;c" <sip:a@b>;TAG=T`, "a,b;c", "sip:a@b", "T", "TAG=T"},
		{"a b\tc<sip:a@b>", "a b\tc", "sip:a@b", "", ""},
		{"J\xc3\xb6rg <sip:a@b>", "J\xc3\xb6rg", "sip:a@b", "", ""},
		{"a;b <sip:a@b>;c=d", "a;b", "sip:a@b", "", "c=d"},
		{`sip:a@b;x="<y>"`, "", "sip:a@b", "", "x=<y>"},
		{`<sip:a@b>;x="a;b=\"c" ; y = z ;w`, "", "sip:a@b", "", `x=a;b=\"c|y=z|w=`},
		{"<sip:a@b>;tag=1;tag=2", "", "sip:a@b", "1", "tag=1|tag=2"},
		{`<sip:a@b>;tag="quoted"`, "", "sip:a@b", "quoted", "tag=quoted"},
		{"<sip:a@b>;tag=1\x91\x0e\x00@/=", "", "sip:a@b", "1\x91\x0e\x00@/=", "tag=1\x91\x0e\x00@/="},
		{"<sip:a@b>;x=<y>", "", "sip:a@b", "", "x=<y>"},
		{"<sip:a@b>;;x", "", "sip:a@b", "", "x="},
		{"<sip:a@b>;x=1 2;y", "", "sip:a@b", "", "x=1 2|y="},
		{"<sip:a@b>;=v;x", "", "sip:a@b", "", "=v|x="},
		{"<sip:a@b>;received=\"sip:192.0.2.1:5060;transport=udp\"", "", "sip:a@b", "", "received=sip:192.0.2.1:5060;transport=udp"},
		// RFC 7044 §5, RFC 5806 §4.
		{"<sip:bob@biloxi.example.com?Reason=SIP%3Bcause%3D302>;index=1.1", "", "sip:bob@biloxi.example.com?Reason=SIP%3Bcause%3D302", "", "index=1.1"},
		{`<sip:+19195551002@h>;reason=user-busy;privacy="full";counter=4`, "", "sip:+19195551002@h", "", "reason=user-busy|privacy=full|counter=4"},
	}
	var a Addr
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			in := []byte(tt.in)
			if !a.Parse(in) {
				t.Fatal("refused")
			}
			if a.Star() {
				t.Error("Star")
			}
			equal(t, "Bytes", a.Bytes(), tt.in)
			equal(t, "Display", a.Display(), tt.display)
			equal(t, "URI", a.URI().Bytes(), tt.uri)
			equal(t, "Tag", a.Tag(), tt.tag)
			var got []string
			params := a.Params()
			for n, v, ok := params.Next(); ok; n, v, ok = params.Next() {
				got = append(got, string(n)+"="+string(v))
			}
			equal(t, "Params", []byte(strings.Join(got, "|")), tt.params)
			noAllocs(t, "Addr", func() {
				a.Parse(in)
				a.Param("tag")
				p := a.Params()
				p.Next()
			})
		})
	}
}

func TestAddrStar(t *testing.T) {
	var a Addr
	for _, in := range []string{"*", " * ", "*;expires=0"} {
		if !a.Parse([]byte(in)) || !a.Star() || a.URI().Bytes() != nil {
			t.Errorf("%q: star %v, URI %q", in, a.Star(), a.URI().Bytes())
		}
	}
	wantParam(t, &a, "expires", "0")
	for _, in := range []string{"**", "*x", "* x", "<*>", "sip:*"} {
		if a.Parse([]byte(in)); a.Star() {
			t.Errorf("%q is no star", in)
		}
	}
}

func TestAddrRefused(t *testing.T) {
	tests := []struct {
		in, uri, tag string // what is read all the same
	}{
		{"", "", ""},
		{" \t", "", ""},
		{";tag=1", "", "1"},
		{"Alice", "Alice", ""},
		{"Alice;tag=1", "Alice", "1"},
		{"<>", "", ""},
		{"<>;tag=1", "", "1"},
		{"<sip:a@b", "sip:a@b", ""},
		{"<sip:a@b;tag=1", "sip:a@b", "1"},
		{"<sip:a@b>x", "sip:a@b", ""},
		{"<sip:a@b> x;tag=1", "sip:a@b", "1"},
		{"<sip:a@b>,<sip:c@d>", "sip:a@b", ""},
		{"<sip:a@b>tag=1", "sip:a@b", ""},
		{"<sip:a@b><sip:c@d>", "sip:a@b", ""},
		{"<<sip:a@b>>", "<sip:a@b", ""},
		{"<alice@example.com>;tag=1", "alice@example.com", "1"},
		{"<sip:2001:db8::1>", "sip:2001:db8::1", ""},
		{`"Alice <sip:a@b>;tag=1`, "sip:a@b", "1"},
		{`"Alice\" <sip:a@b>;tag=1`, "sip:a@b", "1"},
		{`"`, `"`, ""},
		{`"\`, `"\`, ""},
		{`"Alice" sip:a@b;tag=1`, `"Alice" sip:a@b`, "1"},
		{`"Alice"`, `"Alice"`, ""},
		{`Al"ice <sip:a@b>;tag=1`, "sip:a@b", "1"},
		{`<sip:a@b>;tag="1`, "sip:a@b", "1"},
		{`<sip:a@b>;x="1;tag=2`, "sip:a@b", ""},
		{"<sip:a@b>;tag=1,2", "sip:a@b", "1,2"},
		{"<sip:a@b>;tag=1 2", "sip:a@b", "1 2"},
		{"<sip:a@b>;tag=<1>", "sip:a@b", "<1>"},
		{"sip:a@b c;tag=1", "sip:a@b c", "1"},
		{"sip:a@b,sip:c@d", "sip:a@b,sip:c@d", ""},
	}
	var a Addr
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			if a.Parse([]byte(tt.in)) {
				t.Error("taken")
			}
			equal(t, "URI", a.URI().Bytes(), tt.uri)
			equal(t, "Tag", a.Tag(), tt.tag)
		})
	}
}
