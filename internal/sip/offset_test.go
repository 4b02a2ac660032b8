package sip

import "testing"

// TestOffsets: where host and URI stand, so that what is around them can be kept.
func TestOffsets(t *testing.T) {
	for in, want := range map[string]string{
		"sip:alice@example.com:5060;lr": "example.com", "sip:[2001:db8::1]:5060": "[2001:db8::1]", "sip:a@b@192.0.2.1": "192.0.2.1",
		"sip:@b": "b", "tel:+49": "", "urn:service:sos": "",
	} {
		var u URI
		if !u.Parse([]byte(in)) {
			t.Fatalf("%q is refused", in)
		}
		if from, to := u.HostAt(); in[from:to] != want {
			t.Errorf("%q: host %q, want %q", in, in[from:to], want)
		}
	}
	for in, want := range map[string]string{
		"SIP/2.0/UDP [2001:db8::1]:5060;branch=1": "[2001:db8::1]", "SIP/2.0/UDP pc33.example.com": "pc33.example.com",
	} {
		var v Via
		if !v.Parse([]byte(in)) {
			t.Fatalf("%q is refused", in)
		}
		if from, to := v.HostAt(); in[from:to] != want {
			t.Errorf("%q: host %q, want %q", in, in[from:to], want)
		}
	}
	for in, want := range map[string]string{
		"\"A <b>\" <sip:a@b;lr>;tag=1": "sip:a@b;lr", "sip:a@b;tag=1": "sip:a@b", "< sip:a@b >": "sip:a@b", "*": "",
	} {
		var a Addr
		a.Parse([]byte(in))
		if from, to := a.URIAt(); in[from:to] != want {
			t.Errorf("%q: URI %q, want %q", in, in[from:to], want)
		}
	}
}
