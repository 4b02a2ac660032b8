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
