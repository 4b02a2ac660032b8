package sip

import "testing"

func TestVia(t *testing.T) {
	tests := []struct {
		in, transport, host string
		port                uint16
		branch, received    string
		rport               uint16
	}{
		// RFC 3261 §20.42 and RFC 3581 §7.
		{"SIP/2.0/UDP erlang.bell-telephone.com:5060;branch=z9hG4bK87asdks7", "UDP", "erlang.bell-telephone.com", 5060, "z9hG4bK87asdks7", "", 0},
		{"SIP/2.0/UDP 192.0.2.1:5060 ;received=192.0.2.207;branch=z9hG4bK77asjd", "UDP", "192.0.2.1", 5060, "z9hG4bK77asjd", "192.0.2.207", 0},
		{"SIP / 2.0 / UDP first.example.com: 4000;ttl=16;maddr=224.2.0.1 ;branch=z9hG4bKa7c6a8dlze.1", "UDP", "first.example.com", 4000, "z9hG4bKa7c6a8dlze.1", "", 0},
		{"SIP/2.0/UDP 10.1.1.1:4540;received=192.0.2.1;rport=9988", "UDP", "10.1.1.1", 4540, "", "192.0.2.1", 9988},

		{"SIP/2.0/TCP h", "TCP", "h", 0, "", "", 0},
		{"sip/2.0/tls h;BRANCH=x;Received=y;RPort=1", "tls", "h", 0, "x", "y", 1},
		{"SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bK56sdasks", "WSS", "df7jal23ls0d.invalid", 0, "z9hG4bK56sdasks", "", 0},
		{"SIP/2.0/TLS-SCTP h;branch=x", "TLS-SCTP", "h", 0, "x", "", 0},
		{"SIP/7.0/UDP h;branch=x", "UDP", "h", 0, "x", "", 0},
		{"SIP/2.0/UDP [2001:db8::9:1]:6050;branch=x;received=[2001:db8::9:255]", "UDP", "2001:db8::9:1", 6050, "x", "2001:db8::9:255", 0},
		{"SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255;rport;branch=x", "UDP", "2001:db8::9:1", 0, "x", "2001:db8::9:255", 0},
		{"SIP/2.0/UDP h;branch=x;branch=y", "UDP", "h", 0, "x", "", 0},
		{"SIP/2.0/UDP h;branch=\"x;y\"", "UDP", "h", 0, "x;y", "", 0},
		{"SIP/2.0/UDP h;rport=;branch=x", "UDP", "h", 0, "x", "", 0},
		{"SIP/2.0/UDP h;rport=65536;branch=x", "UDP", "h", 0, "x", "", 0},
		{"SIP/2.0/UDP h;rport=1x;branch=x", "UDP", "h", 0, "x", "", 0},
		{"SIP/2.0/UDP h;", "UDP", "h", 0, "", "", 0},
		{"SIP/2.0/UDP h ; ", "UDP", "h", 0, "", "", 0},
		{"SIP/2.0/UDP h:;branch=x", "UDP", "h", 0, "x", "", 0},
		{" SIP/2.0/UDP\th ", "UDP", "h", 0, "", "", 0},
	}
	var v Via
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			in := []byte(tt.in)
			if !v.Parse(in) {
				t.Fatal("refused")
			}
			equal(t, "Transport", v.Transport(), tt.transport)
			equal(t, "Host", v.Host(), tt.host)
			equal(t, "Branch", v.Branch(), tt.branch)
			equal(t, "Received", v.Received(), tt.received)
			if port, ok := v.Port(); port != tt.port || ok != (tt.port != 0) {
				t.Errorf("Port = %d %v, want %d", port, ok, tt.port)
			}
			if port, ok := v.RPort(); port != tt.rport || ok != (tt.rport != 0) {
				t.Errorf("RPort = %d %v, want %d", port, ok, tt.rport)
			}
			noAllocs(t, "Via", func() {
				v.Parse(in)
				v.Param("branch")
				v.Received()
			})
		})
	}
}

func TestViaParams(t *testing.T) {
	var v Via
	v.Parse([]byte("SIP/2.0/UDP h;rport;ttl=16 ; alias"))
	equal(t, "Bytes", v.Bytes(), "SIP/2.0/UDP h;rport;ttl=16 ; alias")
	if x, ok := v.Param("rport"); !ok || x != nil {
		t.Errorf("rport = %q %v, want there and nil", x, ok)
	}
	if x, ok := v.Param("TTL"); !ok || string(x) != "16" {
		t.Errorf("ttl = %q %v, want 16", x, ok)
	}
	if _, ok := v.Param("branch"); ok {
		t.Error("there is a branch")
	}
	n := 0
	params := v.Params()
	for _, _, ok := params.Next(); ok; _, _, ok = params.Next() {
		n++
	}
	if n != 3 {
		t.Errorf("%d parameters, want 3", n)
	}
}

func TestViaRefused(t *testing.T) {
	var v Via
	for _, in := range []string{
		"", " ", "SIP", "SIP/2.0", "SIP/2.0/", "SIP/2.0/UDP", "SIP/2.0/UDP ", "SIP/2.0/UDP;branch=x", "SIP/2.0/UDPh", "SIP/2.0 UDP h",
		"SIP//UDP h", "/2.0/UDP h", "SIP/2.0// h", "SIP/2.0/U@P h", "S:P/2.0/UDP h", "SIP/2.0/UDP ;branch=x", "SIP/2.0/UDP :5060",
		"SIP/2.0/UDP h:x", "SIP/2.0/UDP h:65536", "SIP/2.0/UDP h:5060x", "SIP/2.0/UDP h x", "SIP/2.0/UDP h,SIP/2.0/UDP i",
		"SIP/2.0/UDP [::1", "SIP/2.0/UDP [x]", "SIP/2.0/UDP 2001:db8::1", "SIP/2.0/UDP h;;", "SIP/2.0/UDP h;;branch=x",
		"SIP/2.0/UDP h;=x", "SIP/2.0/UDP h; ;branch=x", "SIP/2.0/UDP h;branch=\"x", "SIP/2.0/UDP <h>",
	} {
		if v.Parse([]byte(in)) {
			t.Errorf("%q: taken, host %q", in, v.Host())
		}
	}
}

// TestParseParams: the parameters of headers that are no addresses, such as
// Reason (RFC 3326 §2) and Session-ID (RFC 7989 §5).
func TestParseParams(t *testing.T) {
	for in, want := range map[string][2]string{
		`cause=16 ;text="Terminated"`:   {"cause", "16"},
		";;cause=16":                    {"cause", "16"},
		` text = "a;b\"c" `:             {"text", `a;b\"c`},
		"remote=ab30317f1a784dc48ff824": {"remote", "ab30317f1a784dc48ff824"},
		"flag":                          {"flag", ""},
	} {
		p := ParseParams([]byte(in))
		name, value, ok := p.Next()
		if !ok || string(name) != want[0] || string(value) != want[1] {
			t.Errorf("%q: %q = %q %v, want %q = %q", in, name, value, ok, want[0], want[1])
		}
	}
	for _, in := range []string{"", " ", ";", " ; ;"} {
		p := ParseParams([]byte(in))
		if name, _, ok := p.Next(); ok {
			t.Errorf("%q: there is a parameter %q", in, name)
		}
	}
}
