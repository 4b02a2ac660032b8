package track

import (
	"slices"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// TestPassport: the numbers of a PASSporT (RFC 8225 §5.2.1), and of its URIs and of what a
// sender writes in their place none.
func TestPassport(t *testing.T) {
	for payload, want := range map[string][]string{ // orig, then dest
		`{"attest":"A","dest":{"tn":["12155550113","12155550114"]},"iat":1,"orig":{"tn":"12155550112"}}`:         {"12155550112", "12155550113", "12155550114"},
		`{"dest": {"uri": ["sip:alice@example.com"], "tn" : [ "12155550113" ]}, "orig": {"tn": "+12155550112"}}`: {"+12155550112", "12155550113"},
		`{"dest":{"uri":["sip:alice@example.com"]},"iat":1,"orig":{"uri":"sip:bob@example.com"}}`:                {""},
		`{"dest":{"uri":["sip:alice@example.com"]},"iat":1,"orig":{"tn":"12155550112"}}`:                         {"12155550112"},
		`{"dest":{"tn":["alice@192.0.2.1","*31#0123","+",""]},"orig":{"tn":"sip:bob@example.com"}}`:              {"", "*31#0123"},
		`{"orig":{"uri":"sip:bob@example.com"},"dest":{"tn":["12155550113"]}}`:                                   {"", "12155550113"},
		`{"orig":{"tn":"12155550112"}}`: {"12155550112"},
		`{"dest":{"tn":"12155550113"}}`: {""},
	} {
		var e event.Event
		e.Reset()
		readPassport(&e, []byte(payload))
		got := []string{string(e.Bytes(e.IdentityOrig))}
		l := e.IdentityDest
		for b, ok := e.Next(&l); ok; b, ok = e.Next(&l) {
			got = append(got, string(b))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", payload, got, want)
		}
	}
}

// TestPassportTime: a time is one until the year 2286; what is longer may be a number of
// somebody.
func TestPassportTime(t *testing.T) {
	for payload, want := range map[string]int64{
		`{"iat":1767225600}`: 1767225600, `{"iat" : 9999999999,"orig":{}}`: 9999999999, `{"iat":49309876501}`: 0, `{"iat":493098765012345678901234}`: 0,
		`{"iat":"1767225600"}`: 0, `{"iat":}`: 0,
	} {
		var e event.Event
		e.Reset()
		if readPassport(&e, []byte(payload)); e.IdentityIAT != want {
			t.Errorf("%s: %d, want %d", payload, e.IdentityIAT, want)
		}
	}
}
