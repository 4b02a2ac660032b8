package hep

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/hex"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
)

// now is shortly after the time in the vectors, 1700000000.123456.
const (
	sent = int64(1700000000123456000)
	now  = sent + 5e9
)

// vectors reads the golden packets: those of the specification beside the checkout
// where they are, else our copy.
func vectors(t testing.TB) map[string][]byte {
	t.Helper()
	data, err := os.ReadFile("../../../shared/spec/hep-vectors.txt")
	if err != nil {
		if data, err = os.ReadFile("testdata/vectors.txt"); err != nil {
			t.Fatal(err)
		}
	}
	all := map[string][]byte{}
	s := bufio.NewScanner(bytes.NewReader(data))
	for s.Scan() {
		name, digits, ok := strings.Cut(s.Text(), "\t")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		if all[name], err = hex.DecodeString(digits); err != nil {
			t.Fatal(name, err)
		}
	}
	if len(all) < 14 {
		t.Fatalf("%d vectors", len(all))
	}
	return all
}

func TestVectors(t *testing.T) {
	const four, six = "192.0.2.7:5060 198.51.100.9:5080", "[2001:db8::7]:5060 [2001:db8::9]:5080"
	all := vectors(t)
	for name, want := range map[string]struct {
		version, protocol, kind uint8
		ends                    string
		time                    int64
		id                      uint32
		correlation, key        string
		payload                 string // beginning
	}{
		"v1_udp4":                              {1, 17, 1, four, 0, 0, "", "", "OPTIONS sip:100@"},
		"v1_tls4_proto22":                      {1, 22, 1, "192.0.2.7:41000 198.51.100.9:5061", 0, 0, "", "", "OPTIONS sip:100@"},
		"v1_udp6_af10":                         {1, 17, 1, six, 0, 0, "", "", "OPTIONS sip:100@"},
		"v2_udp4_kamailio_LE_len16_pad2":       {2, 17, 1, four, sent, 234, "", "", "OPTIONS sip:100@"},
		"v2_udp4_len28_variant":                {2, 17, 1, four, sent, 234, "", "", "OPTIONS sip:100@"},
		"v2_udp4_BE_no_pad_variant":            {2, 17, 1, four, sent, 234, "", "", "OPTIONS sip:100@"},
		"v2_udp6_kamailio":                     {2, 17, 1, six, sent, 234, "", "", "OPTIONS sip:100@"},
		"v3_udp4_cid_auth":                     {3, 17, 1, four, sent, 234, "corr-1", "s3cret", "OPTIONS sip:100@"},
		"v3_EEP3_magic":                        {3, 17, 1, four, sent, 234, "", "", "OPTIONS sip:100@"},
		"v3_vendor_chunk_unknown_then_payload": {3, 17, 1, four, sent, 234, "", "", "OPTIONS sip:100@"},
		"v3_gzip_payload":                      {3, 17, 1, four, sent, 234, "", "", "OPTIONS sip:100@"},
		"v3_zlib_payload":                      {3, 17, 1, four, sent, 234, "", "", "OPTIONS sip:100@"},
		"v3_log_type100":                       {3, 17, 100, four, sent, 234, "hepvec@192.0.2.7", "", "hello"},
		"v3_spec_rev37_example":                {3, 17, 1, "212.202.0.1:12010 82.116.0.211:5060", 1313440459120000000, 228, "", "", "INVITE sip:bob"},
	} {
		b := all[name]
		var p Packet
		if why := Decode(b, &p, now); why != OK {
			t.Errorf("%s: %v", name, why)
			continue
		}
		if p.Version != want.version || p.Protocol != want.protocol || p.Type != want.kind || p.Time != want.time || p.CaptureID != want.id {
			t.Errorf("%s: version %d, protocol %d, type %d, time %d, id %d", name, p.Version, p.Protocol, p.Type, p.Time, p.CaptureID)
		}
		if got := p.Src.String() + " " + p.Dst.String(); got != want.ends {
			t.Errorf("%s: %s, want %s", name, got, want.ends)
		}
		if string(p.CorrelationID()) != want.correlation || string(p.Key()) != want.key || !bytes.HasPrefix(p.Payload(), []byte(want.payload)) {
			t.Errorf("%s: correlation %q, key %q, payload %q", name, p.CorrelationID(), p.Key(), p.Payload())
		}
		if p.Trailing+p.Missing+p.Odd != 0 {
			t.Errorf("%s: %d trailing, %d missing, %d odd", name, p.Trailing, p.Missing, p.Odd)
		}
	}
	var p Packet
	if Decode(all["v3_vendor_chunk_unknown_then_payload"], &p, now); p.Vendor != 5 {
		t.Errorf("vendor %d", p.Vendor)
	}
	want := slices.Clone(all["v3_udp4_cid_auth"])
	Decode(want, &p, now)
	plain := bytes.Clone(p.Payload())
	for _, name := range []string{"v3_gzip_payload", "v3_zlib_payload", "v1_udp4", "v2_udp6_kamailio", "v2_udp4_BE_no_pad_variant"} {
		if Decode(all[name], &p, now); !bytes.Equal(p.Payload(), plain) {
			t.Errorf("%s: payload %q", name, p.Payload())
		}
	}
}

// The vectors that are laid out as Kamailio does come out of Append byte by byte.
func TestAppendVectors(t *testing.T) {
	all := vectors(t)
	for _, name := range []string{"v1_udp4", "v1_tls4_proto22", "v1_udp6_af10", "v2_udp4_kamailio_LE_len16_pad2", "v2_udp6_kamailio",
		"v3_udp4_cid_auth", "v3_log_type100"} {
		var p Packet
		Decode(all[name], &p, now)
		m := Message{Version: p.Version, Protocol: p.Protocol, Type: p.Type, Src: p.Src, Dst: p.Dst, Time: p.Time, CaptureID: p.CaptureID,
			CorrelationID: p.CorrelationID(), Key: p.Key(), Payload: p.Payload()}
		if got, ok := m.Append(nil); !ok || !bytes.Equal(got, all[name]) {
			t.Errorf("%s:\n%x\nwant\n%x", name, got, all[name])
		}
	}
}

var (
	a4 = netip.MustParseAddrPort("192.0.2.7:5060")
	b4 = netip.MustParseAddrPort("198.51.100.9:5080")
	a6 = netip.MustParseAddrPort("[2001:db8::7]:5060")
	b6 = netip.MustParseAddrPort("[2001:db8::9]:5080")
)

const sip = "OPTIONS sip:100@198.51.100.9 SIP/2.0\r\nCall-ID: x\r\n\r\n"

func message(version uint8) Message {
	return Message{Version: version, Protocol: 17, Type: TypeSIP, Src: a4, Dst: b4, Time: sent, CaptureID: 234, Payload: []byte(sip)}
}

func encode(t testing.TB, m Message) []byte {
	t.Helper()
	b, ok := m.Append(nil)
	if !ok {
		t.Fatal("not written")
	}
	return b
}

func TestAppendRefuses(t *testing.T) {
	for name, change := range map[string]func(*Message){
		"no address":     func(m *Message) { m.Src = netip.AddrPort{} },
		"two families":   func(m *Message) { m.Dst = b6 },
		"version 4":      func(m *Message) { m.Version = 4 },
		"before 1970":    func(m *Message) { m.Time = -1 },
		"after 2106":     func(m *Message) { m.Time = 1 << 62 },
		"too long":       func(m *Message) { m.Payload = make([]byte, 65500) },
		"too long a key": func(m *Message) { m.Key = make([]byte, 65536+10) },
	} {
		m := message(3)
		change(&m)
		if b, ok := m.Append([]byte("kept")); ok || string(b) != "kept" {
			t.Errorf("%s: written", name)
		}
	}
}

// Address families of every system, and those that only the length tells.
func TestFamilies(t *testing.T) {
	m := message(1)
	m.Src, m.Dst = a6, b6
	six := encode(t, m)
	for _, family := range []byte{10, 23, 24, 28, 30, 26 /* Solaris, by the length */} {
		b := slices.Clone(six)
		b[2] = family
		var p Packet
		if why := Decode(b, &p, now); why != OK || p.Src != a6 || p.Dst != b6 || string(p.Payload()) != sip {
			t.Errorf("family %d: %v %v", family, why, p.Src)
		}
	}
	b := slices.Clone(six)
	b[1], b[2] = 99, 99
	var p Packet
	if why := Decode(b, &p, now); why != BadFamily {
		t.Errorf("family 99: %v", why)
	}
}

// Version 2 with padding that was not cleared, in either order, with a time that
// cannot be.
func TestVersion2(t *testing.T) {
	plain := encode(t, message(2))
	for name, c := range map[string]struct {
		change func(b []byte) []byte
		time   int64
		id     uint32
	}{
		"letters in the padding": {func(b []byte) []byte { b[26], b[27] = 'x', 'y'; return b }, sent, 234},
		"no padding":             {func(b []byte) []byte { return slices.Delete(b, 26, 28) }, sent, 234},
		"an unknown method, no padding": {func(b []byte) []byte {
			return append(slices.Delete(b, 26, len(b)), "FROB"+sip...)
		}, sent, 234},
		"big-endian": {func(b []byte) []byte {
			slices.Reverse(b[16:20])
			slices.Reverse(b[20:24])
			slices.Reverse(b[24:26])
			return b
		}, sent, 234},
		"years ago":                   {func(b []byte) []byte { b[19], b[18] = 0x50, 0; return b }, 0, 234},
		"microseconds that cannot be": {func(b []byte) []byte { copy(b[20:24], "\xff\xff\xff\xff"); return b }, 0, 234},
	} {
		var p Packet
		b := c.change(slices.Clone(plain))
		if why := Decode(b, &p, now); why != OK || p.Time != c.time || p.CaptureID != c.id || !strings.HasSuffix(string(p.Payload()), sip) || len(p.Payload()) > len(sip)+4 {
			t.Errorf("%s: %v, time %d, id %d, payload %q", name, why, p.Time, p.CaptureID, p.Payload())
		}
	}
}

// chunk lays one out: vendor, type, length, value.
func chunk(vendor, kind int, value string) string {
	n := len(value) + 6
	return string([]byte{byte(vendor >> 8), byte(vendor), byte(kind >> 8), byte(kind), byte(n >> 8), byte(n)}) + value
}

// hep3 puts a magic and the total length in front of chunks.
func hep3(chunks ...string) string {
	all := strings.Join(chunks, "")
	n := len(all) + 6
	return "HEP3" + string([]byte{byte(n >> 8), byte(n)}) + all
}

var ends = chunk(0, 1, "\x02") + chunk(0, 2, "\x11") + chunk(0, 3, "\xc0\x00\x02\x07") + chunk(0, 4, "\xc6\x33\x64\x09") +
	chunk(0, 7, "\x13\xc4") + chunk(0, 8, "\x13\xd8")

// What real senders get wrong, and is read all the same.
func TestLenient3(t *testing.T) {
	text := chunk(0, 0x0f, sip)
	for name, c := range map[string]struct {
		b                      string
		trailing, missing, odd int
	}{
		"exact":                       {hep3(ends, text), 0, 0, 0},
		"EEP1":                        {"EEP1" + hep3(ends, text)[4:], 0, 0, 0},
		"payload first":               {hep3(text, ends), 0, 0, 0},
		"trailing bytes":              {hep3(ends, text) + "\x00\x00\x00", 3, 0, 0},
		"bytes behind the chunks":     {hep3(ends, text, "\x00\x00\x00"), 0, 0, 1},
		"a total length too great":    {"HEP3\x02\x20" + hep3(ends, text)[6:], 0, 0x220 - len(hep3(ends, text)), 0},
		"unknown chunks":              {hep3(chunk(2, 3, "abcd"), ends, chunk(0, 0x77, ""), chunk(0xffff, 0xffff, "x"), text), 0, 0, 0},
		"an IPv4 address in 16 bytes": {hep3(strings.Replace(ends, chunk(0, 3, "\xc0\x00\x02\x07"), chunk(0, 3, strings.Repeat("\x00", 10)+"\xff\xff\xc0\x00\x02\x07"), 1), text), 0, 0, 1},
		"a port of 4 bytes":           {hep3(strings.Replace(ends, chunk(0, 7, "\x13\xc4"), chunk(0, 7, "\x00\x00\x13\xc4"), 1), text), 0, 0, 1},
		"a protocol of 2 bytes":       {hep3(strings.Replace(ends, chunk(0, 2, "\x11"), chunk(0, 2, "\x00\x11"), 1), text), 0, 0, 1},
		"addresses of both families":  {hep3(ends, chunk(0, 5, strings.Repeat("\x00", 16)), chunk(0, 6, strings.Repeat("\x00", 16)), text), 0, 0, 0},
	} {
		var p Packet
		if why := Decode([]byte(c.b), &p, now); why != OK || p.Src != a4 || p.Dst != b4 || p.Protocol != 17 || string(p.Payload()) != sip {
			t.Errorf("%s: %v, %v to %v, protocol %d, payload %q", name, why, p.Src, p.Dst, p.Protocol, p.Payload())
		}
		if p.Trailing != c.trailing || p.Missing != c.missing || p.Odd != c.odd {
			t.Errorf("%s: %d trailing, %d missing, %d odd, want %d, %d, %d", name, p.Trailing, p.Missing, p.Odd, c.trailing, c.missing, c.odd)
		}
	}
}

// The example of the draft of 2013 gives its microseconds 2 bytes too few, and the
// chunk's length counts them.
func TestDraftExample(t *testing.T) {
	b := vectors(t)["v3_spec_rev37_example"]
	at := bytes.Index(b, []byte("\x00\x00\x00\x0a\x00\x0a")) + 6
	b = slices.Delete(slices.Clone(b), at, at+2)
	for _, total := range []byte{113, 111} {
		b[5] = total
		var p Packet
		if why := Decode(b, &p, now); why != OK || p.CaptureID != 228 || p.Time != 1313440459054464000 || string(p.Payload()) != "INVITE sip:bob" || p.Odd != 1 {
			t.Errorf("%v, id %d, time %d, payload %q, %d odd", why, p.CaptureID, p.Time, p.Payload(), p.Odd)
		}
	}
}

func TestCut(t *testing.T) {
	b := encode(t, message(3))
	var p Packet
	if why := Decode(b[:len(b)-10], &p, now); why != OK || p.Missing != 10 || string(p.Payload()) != sip[:len(sip)-10] {
		t.Errorf("%v, %d missing, payload %q", why, p.Missing, p.Payload())
	}
}

func TestRefused(t *testing.T) {
	text := chunk(0, 0x0f, sip)
	for name, c := range map[string]struct {
		b    string
		want Problem
	}{
		"nothing":                {"", NotHEP},
		"SIP":                    {sip, NotHEP},
		"version 4":              {"\x04" + strings.Repeat("\x00", 40), NotHEP},
		"HEP4":                   {"HEP4\x00\x06", NotHEP},
		"version 1, cut":         {"\x01\x10\x02\x11\x13\xc4\x13\xc4\x01\x02\x03\x04\x01\x02\x03", Short},
		"version 1, no payload":  {"\x01\x10\x02\x11\x13\xc4\x13\xc4\x01\x02\x03\x04\x01\x02\x03\x04", NoPayload},
		"version 1, IPv6, cut":   {"\x01\x28\x0a\x11\x13\xc4\x13\xc4" + strings.Repeat("x", 31), Short},
		"version 2, no block":    {"\x02\x10\x02\x11\x13\xc4\x13\xc4\x01\x02\x03\x04\x01\x02\x03\x04OPTIONS", Short},
		"magic alone":            {"HEP3", Short},
		"a total length of 5":    {"HEP3\x00\x05" + ends + text, BadLength},
		"nothing inside":         {hep3(), NoAddress},
		"no addresses":           {hep3(text), NoAddress},
		"one address":            {hep3(chunk(0, 3, "abcd"), text), NoAddress},
		"an address of 5 bytes":  {hep3(chunk(0, 3, "abcde"), chunk(0, 4, "abcd"), text), NoAddress},
		"no payload":             {hep3(ends), NoPayload},
		"an empty payload":       {hep3(ends, chunk(0, 0x0f, "")), NoPayload},
		"cut before the payload": {hep3(ends, text)[:40], Short},
		"a chunk of 5 bytes":     {hep3(ends, "\x00\x00\x00\x77\x00\x05", text), BadLength},
		"a chunk beyond the end": {hep3(ends, "\x00\x00\x00\x77\xff\xff", text), BadLength},
		"JSON without SIP":       {hep3(ends, chunk(0, 0x0b, "\x32"), chunk(0, 0x0f, `{"sip":"hello"}`)), NoPayload},
		"JSON that does not end": {hep3(ends, chunk(0, 0x0b, "\x32"), chunk(0, 0x0f, `{"sip":"hel`)), NoPayload},
		"compressed rubbish":     {hep3(ends, chunk(0, 0x10, "\xff\xff\xff\xff")), BadDeflate},
		"gzip that does not end": {hep3(ends, chunk(0, 0x10, "\x1f\x8b\x08\x08\x00\x00\x00\x00\x00\x00name")), BadDeflate},
		"zlib with a dictionary": {hep3(ends, chunk(0, 0x10, "\x78\xbb\x00\x00\x00\x00")), BadDeflate},
		"compressed nothing":     {hep3(ends, chunk(0, 0x10, string(deflate(t, "")))), NoPayload},
	} {
		var p Packet
		if why := Decode([]byte(c.b), &p, now); why != c.want {
			t.Errorf("%s: %v, want %v", name, why, c.want)
		}
	}
}

func squeeze(t testing.TB, w io.WriteCloser, out *bytes.Buffer, text string) []byte {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func deflate(t testing.TB, text string) []byte {
	var out bytes.Buffer
	w, _ := flate.NewWriter(&out, 6)
	return squeeze(t, w, &out, text)
}

// The three wrappings, and the headers that gzip may have.
func TestCompressed(t *testing.T) {
	long := sip + strings.Repeat("X: y\r\n", 3000)
	var plain, named, z bytes.Buffer
	g := gzip.NewWriter(&named)
	g.Name, g.Comment, g.Extra = "name", "comment", []byte("extra")
	var p Packet
	for name, b := range map[string][]byte{
		"deflate":          deflate(t, long[:5000]),
		"gzip":             squeeze(t, gzip.NewWriter(&plain), &plain, long[:5000]),
		"gzip with a name": squeeze(t, g, &named, long[:5000]),
		"zlib":             squeeze(t, zlib.NewWriter(&z), &z, long[:5000]),
	} {
		if why := Decode([]byte(hep3(ends, chunk(0, 0x10, string(b)))), &p, now); why != OK || string(p.Payload()) != long[:5000] {
			t.Errorf("%s: %v, %d bytes", name, why, len(p.Payload()))
		}
	}
}

// A bomb stops at the bound: by ratio when it is small, by size when it is large.
func TestBomb(t *testing.T) {
	for _, n := range []int{100_000, 10_000_000, 50_000_000} {
		b := deflate(t, strings.Repeat("A", n))
		var p Packet
		if why := Decode([]byte(hep3(ends, chunk(0, 0x10, string(b)))), &p, now); why != TooLarge {
			t.Errorf("%d bytes in %d: %v", n, len(b), why)
		}
		if cap(p.unpack.out) > 3*maxInflated {
			t.Errorf("%d bytes held", cap(p.unpack.out))
		}
	}
	// What does not shrink a hundredfold, and is just longer than the bound.
	noise := make([]byte, maxInflated+1)
	x := uint32(1)
	for i := range noise {
		x = x*1664525 + 1013904223
		noise[i] = "01"[x>>31]
	}
	for n, want := range map[int]Problem{maxInflated: OK, maxInflated + 1: TooLarge} {
		b := deflate(t, string(noise[:n]))
		if len(b) > 65000 {
			t.Fatal(len(b))
		}
		var p Packet
		if why := Decode([]byte(hep3(ends, chunk(0, 0x10, string(b)))), &p, now); why != want {
			t.Errorf("%d bytes in %d: %v, want %v", n, len(b), why, want)
		}
	}
}

func TestSIPInJSON(t *testing.T) {
	want := "SIP/2.0 200 OK\r\nSubject: \"ü\" / 😀\r\n\r\n"
	for _, text := range []string{
		`{"from":"a","payload":"SIP/2.0 200 OK\r\nSubject: \"\u00fc\" / \ud83d\ude00\r\n\r\n","x":1}`,
		`{"a":{"b":["SIP/3","SIP\/2.0 200 OK\r\nSubject: \"ü\" \/ 😀\r\n\r\n"]}}`,
	} {
		var p Packet
		for _, body := range []string{chunk(0, 0x0f, text), chunk(0, 0x10, string(deflate(t, text)))} {
			if why := Decode([]byte(hep3(ends, chunk(0, 0x0b, "\x32"), body)), &p, now); why != OK || string(p.Payload()) != want || p.Type != TypeSIPJSON {
				t.Errorf("%v, type %d, payload %q", why, p.Type, p.Payload())
			}
		}
	}
}

func TestAuthorized(t *testing.T) {
	m := message(3)
	m.Key = []byte("s3cret")
	var with, without, one Packet
	Decode(encode(t, m), &with, now)
	Decode(encode(t, message(3)), &without, now)
	Decode(encode(t, message(1)), &one, now)
	keys := [][]byte{[]byte("other"), []byte("s3cret")}
	for name, c := range map[string]struct {
		p    *Packet
		keys [][]byte
		want bool
	}{
		"none wanted":            {&with, nil, true},
		"the right one":          {&with, keys, true},
		"another one":            {&with, keys[:1], false},
		"none given":             {&without, keys, false},
		"version 1":              {&one, keys, false},
		"version 1, none wanted": {&one, nil, true},
	} {
		if key := Key(c.p.data); string(key) != string(c.p.Key()) {
			t.Errorf("%s: key %q", name, key)
		}
		if got := Authorized(c.p.Key(), c.keys); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestLength(t *testing.T) {
	for in, want := range map[string]struct {
		n  int
		ok bool
	}{
		"": {0, true}, "H": {0, true}, "HEP3\x01": {0, true}, "HEP3\x01\x02": {0x102, true}, "EEP3\x00\x06rest": {6, true},
		"HEP3\x00\x05": {0, false}, "HEX": {0, false}, "INVITE sip:": {0, false}, "\x01\x10\x02": {0, false}, "EEP2\x00\x09": {0, false},
	} {
		if n, ok := Length([]byte(in)); n != want.n || ok != want.ok {
			t.Errorf("%q: %d %v", in, n, ok)
		}
	}
}

// Packets that real agents sent, beside the checkout.
func TestRealPackets(t *testing.T) {
	read := func(name string) []byte {
		b, err := os.ReadFile("../../../shared/messages/hep/" + name)
		if err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skip("needs the messages beside the checkout, in ../shared")
		}
		return b
	}
	var p Packet
	if why := Decode(read("salto-hepv2-stub.bin"), &p, 1571254000e9); why != OK || string(p.Payload()) != "SIP/2.0" || p.CaptureID != 1 || p.Time != 1571254062044436000 {
		t.Errorf("version 2: %v, id %d, time %d, payload %q", why, p.CaptureID, p.Time, p.Payload())
	}
	// 16 bytes in the chunks of IPv4 addresses, and a total length of a longer packet.
	if why := Decode(read("salto-hepv3-1.bin"), &p, now); why != OK || p.Src.String() != "79.142.86.118:5063" || p.Dst.String() != "212.48.197.150:5060" ||
		string(p.Key()) != "myhep" || string(p.Payload()) != "NOTIFY" || p.CaptureID != 2004 || p.Odd != 2 || p.Missing != 0x220-140 {
		t.Errorf("version 3: %v, %v to %v, key %q, payload %q, id %d, %d odd, %d missing", why, p.Src, p.Dst, p.Key(), p.Payload(), p.CaptureID, p.Odd, p.Missing)
	}
	if why := Decode(read("salto-hepv3-rtcp.bin"), &p, now); why != OK || p.Type != TypeRTCP || !bytes.HasPrefix(p.Payload(), []byte(`{"sender_information"`)) {
		t.Errorf("RTCP: %v, type %d, payload %q", why, p.Type, p.Payload())
	}
}

func TestNoAllocation(t *testing.T) {
	m := message(3)
	m.Key, m.Node, m.CorrelationID = []byte("key"), []byte("node"), []byte("x")
	json := []byte(hep3(ends, chunk(0, 0x0b, "\x32"), chunk(0, 0x0f, `{"sip":"SIP/2.0 200 OK\r\n\r\n"}`)))
	gz := vectors(t)["v3_gzip_payload"]
	all := [][]byte{encode(t, message(1)), encode(t, message(2)), encode(t, m), json, gz}
	var p Packet
	keys := [][]byte{[]byte("key")}
	buf := make([]byte, 0, 2000)
	round := func() {
		for _, b := range all {
			if Decode(b, &p, now) != OK {
				t.Fatal("refused")
			}
			Authorized(p.Key(), keys)
			Key(b)
		}
		m.Append(buf)
	}
	if n := testing.AllocsPerRun(100, round); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, version := range []uint8{1, 2, 3} {
		b.Run(string('0'+rune(version)), func(b *testing.B) {
			m := message(version)
			in := encode(b, m)
			var p Packet
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				if Decode(in, &p, now) != OK {
					b.Fatal("refused")
				}
			}
		})
	}
}
