package event

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
)

// Two long Call-IDs that begin alike are two, in the record and so in event.id.
func TestKeyTellsLongOnesApart(t *testing.T) {
	long := strings.Repeat("L", 3000)
	a, b := Key([]byte(long+"1")), Key([]byte(long+"2"))
	if bytes.Equal(a, b) || len(a) != MaxText || !bytes.Equal(a, Key([]byte(long+"1"))) {
		t.Errorf("%d bytes: %s, %s", len(a), a[len(a)-40:], b[len(b)-40:])
	}
	if short := Key([]byte("x@y")); string(short) != "x@y" {
		t.Errorf("%s", short)
	}
	var e Event
	e.SetKey(&e.CallID, []byte(long+"1"))
	if !bytes.Equal(e.Bytes(e.CallID), a) || e.Anomalies&FieldCut == 0 {
		t.Error("a long Call-ID is not kept by its key, or not labelled")
	}
}

func TestLiteral(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1":           "192.0.2.1",
		"0.0.0.255":           "0.0.0.255",
		"2001:db8::1":         "2001:db8::1",
		"[2001:db8::1]":       "2001:db8::1",
		"fe80::1%eth0":        "fe80::1",
		"":                    "",
		"example.com":         "",
		"192.0.2":             "",
		"192.0.2.1.":          "",
		"192.0.2.1.5":         "",
		"192.0.2.256":         "",
		"192.0.2.01":          "",
		"192.0.2.1x":          "",
		"1.2.3.4567":          "",
		"[192.0.2.1":          "",
		"2001:db8::1::2":      "",
		"192.0.2.1, 10.0.0.1": "",
	} {
		got, ok := literal([]byte(text))
		if ok != (want != "") || ok && got != netip.MustParseAddr(want) {
			t.Errorf("%q: %v, %v; want %q", text, got, ok, want)
		}
	}
}

// A byte of an address or a code may be that of a line feed, and is none.
func TestAddressesKeepTheirBytes(t *testing.T) {
	var e Event
	e.Reset()
	for _, text := range []string{"10.0.0.10", "192.10.32.9", "2001:db8:a0a::a"} {
		a := netip.MustParseAddr(text)
		e.AddAddr(&e.Legs, a)
		e.AddAddr(&e.Legs, a)
		if !e.HasAddr(e.Legs, a) {
			t.Errorf("%s is not kept", text)
		}
	}
	if e.Legs.count != 3 {
		t.Errorf("%d addresses, want 3", e.Legs.count)
	}
	e.AddCode(&e.Codes, 266) // 1, 10
	if codes := e.Bytes(Text{e.Codes.off, e.Codes.n}); !bytes.Equal(codes, []byte{0, 2, 1, 10}) {
		t.Errorf("codes %v", codes)
	}
}
