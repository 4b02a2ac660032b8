package privacy

import (
	"fmt"
	"net/netip"
	"strconv"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// field is one private value of an event.
type field struct {
	group event.Group
	shape event.Shape
	value []byte
}

// callEnd are the private values of the record of a call's end, as the laboratory's calls
// have them; n goes into what no two calls share.
func callEnd(n int) []field {
	f := []field{
		{event.URIs, event.Whole, []byte("sip:+4930123456@sip.example.com;user=phone")}, // request
		{event.URIs, event.Whole, []byte("sip:alice@example.com")},
		{event.URIs, event.Whole, []byte("sip:+4930123456@example.com;user=phone")},
		{event.URIs, event.User, []byte("alice")}, {event.URIs, event.User, []byte("+4930123456")},
		{event.URIs, event.Host, []byte("example.com")}, {event.URIs, event.Host, []byte("example.com")},
		{event.URIs, event.Plain, []byte("Alice Example")},
		{event.URIs, event.NameAddr, []byte("\"Alice\" <sip:alice@192.0.2.17:5060;transport=udp>;expires=3600")},
		{event.URIs, event.NameAddr, []byte("<sip:+4930654321@example.com;user=phone>")}, // identity
		{event.URIs, event.ViaValue, []byte("SIP/2.0/UDP 192.0.2.17:5060;branch=z9hG4bK-" + strconv.Itoa(n) + ";rport")},
		{event.CallIDs, event.CallID, []byte("f81d4fae-7dec-11d0-a765-00a0c91e6bf6-" + strconv.Itoa(n))},
		{event.CallIDs, event.Plain, []byte("ab30317f1a784dc48ff824d0d3715d86")}, // session
		{event.Tags, event.Tag, []byte("a73kszlfl" + strconv.Itoa(n))}, {event.Tags, event.Tag, []byte("1928301774" + strconv.Itoa(n))},
		{event.UserAgents, event.Agent, []byte("Example Phone 3.14.1")}, {event.UserAgents, event.Agent, []byte("Example Proxy 5.8.2")},
		{event.Numbers, event.Number, []byte("+4930123456")}, {event.Numbers, event.Number, []byte("+4930654321")},
		{event.Geo, event.Plain, []byte("Berlin")}, {event.Geo, event.Plain, []byte("52.52,13.40")},
		{event.Errors, event.Plain, []byte("Busy here")},
	}
	return f
}

// BenchmarkEvent masks all private values of an event: those of one that was seen before,
// of the next of many calls between the same users, and of users that were never seen.
func BenchmarkEvent(b *testing.B) {
	addrs := []netip.Addr{netip.MustParseAddr("192.0.2.17"), netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("2001:db8::5"), netip.MustParseAddr("203.0.113.9")}
	const many = 20000
	run := func(b *testing.B, m Mode, events [][]field) {
		s := newSealer(b, all(m))
		buf := make([]byte, 0, 8192)
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			buf = buf[:0]
			for _, f := range events[i%len(events)] {
				buf, _ = s.Append(buf, f.group, f.shape, f.value)
			}
			for _, a := range addrs {
				s.Addr(a)
			}
			for range 5 { // event.id, sip.call.id, network.community_id, related.hash, sip.signature
				s.Digest(event.Hash{}, event.CallIDs)
			}
			i++
		}
	}
	same, next, strange := [][]field{callEnd(1)}, make([][]field, many), make([][]field, many)
	for n := range many {
		next[n], strange[n] = callEnd(n), callEnd(n)
		strange[n][1].value = fmt.Appendf(nil, "sip:user%d@example.com", n)
		strange[n][3].value = fmt.Appendf(nil, "user%d", n)
		strange[n][0].value = fmt.Appendf(nil, "sip:+4930%d@sip.example.com;user=phone", n)
		strange[n][17].value = fmt.Appendf(nil, "+4930%d", n)
	}
	for _, m := range []Mode{Encrypt, HMAC} {
		b.Run(m.String()+"/same", func(b *testing.B) { run(b, m, same) })
		b.Run(m.String()+"/next", func(b *testing.B) { run(b, m, next) })
		b.Run(m.String()+"/strange", func(b *testing.B) { run(b, m, strange) })
	}
}

// BenchmarkSeal is one value without the cache: AES-SIV and text, both ways.
func BenchmarkSeal(b *testing.B) {
	r := newSealer(b, all(Encrypt)).keys[0]
	for _, n := range []int{8, 32, 128, 1024} {
		value := make([]byte, n)
		sealed := r.appendMasked(nil, labelUser, true, value)
		buf := make([]byte, 0, 4096)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.appendMasked(buf, labelUser, true, value)
			}
		})
		b.Run(fmt.Sprint(n, "/open"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.open(buf, labelUser, sealed); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestAllocs: what was seen before is masked without allocating.
func TestAllocs(t *testing.T) {
	s := newSealer(t, all(Encrypt))
	buf := make([]byte, 0, 8192)
	for _, f := range callEnd(1) {
		if n := testing.AllocsPerRun(100, func() { s.Append(buf, f.group, f.shape, f.value) }); n > 0 {
			t.Errorf("%q: %v allocations", f.value, n)
		}
	}
	a := netip.MustParseAddr("2001:db8::1")
	if n := testing.AllocsPerRun(100, func() { s.Addr(a); s.Digest(event.Hash{}, event.Tags) }); n > 0 {
		t.Errorf("address and digest: %v allocations", n)
	}
}
