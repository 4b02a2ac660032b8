package privacy

import "testing"

// An address is found in whatever a user agent makes of it; a number of five parts, or of
// three, is none.
func TestHoldsAddress(t *testing.T) {
	for text, want := range map[string]bool{
		"192.0.2.1": true, "x192.0.2.1y": true, "z9hG4bKnp104984053-44ce4a41192.168.1.2": true, "192.0.2.1234": true, "7-192-0-2-1-x": true,
		"a_192_0_2_1": true, "2001:db8::1": true, "abc@[2001:db8::1]": true, "192%2e0%2e2%2e1": true,
		"1.2.3": false, "192.0.300.1": false, "192.0-2.1": false, "a84b4c76e66710": false, "sipp/3.6": false, "": false,
	} {
		if got := holdsAddress([]byte(text)); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// What else stands for an address in a text, and what looks like one.
func TestHoldsOtherAddress(t *testing.T) {
	for text, want := range map[string]bool{
		"2a0c-9f3e-77c1-1d2e--beef-77c9.ipv6-literal.net": true, "BYE2a0c-9f3e-77c1-1d2e--beef-77c9": true, "2001-db8--1": true,
		"2001_db8_0_0_0_0_0_1": true, "2A0C:9F3E:77C1:1D2E:0:0:BEEF:77C9foo": true, "032a0c:9f3e:77c1::77c9": true, "x.2001-db8--1-5060": true,
		"e.::ffff:2d8b:4dc9": true, "x0xC0000201y": true, "a 0xc0000201": true, "0xc0000201": true, "13:02:2a0c::1": true, "9F3E:77C1:1D2E:0:0:BEEF:77C9": true, ":ffff:2d8b:4dc9": true,
		"x;--2a0c-9f3e-77c1-1d2e--beef-77c9": true, "face--2a0c-9f3e-77c1-1d2e--beef-77c9": true,
		"f81d4fae-7dec-11d0-a765-00a0c91e6bf6": false, "z9hG4bK-d8754z-5d7d2c0b7c21ef65-1---d8754z-": false, "00:1f:5b:cc:21:0f": false,
		"Thu, 21 Feb 2002 13:02:03 GMT": false, "a--b": false, "-----": false, "0xc000": false, "2001-db8-a-b-c": false, "--": false, "---": false, "a---b": false, "1-2---a-b": false, "x-y-z--a": false,
		"aa-bb-cc-dd-ee-ff": false, "20x": false, "0x": false,
	} {
		if got := holdsAddress([]byte(text)); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
