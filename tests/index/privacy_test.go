package index

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/privacy"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
	"github.com/sipcmbeat/sipcmbeat/tests/stores"
)

// networked is a capture of requests from several networks, so many from each.
func networked(t *testing.T, from map[string][]string) string {
	t.Helper()
	var frames []packet.Frame
	at := time.Date(2026, 11, 22, 4, 0, 0, 0, time.UTC)
	for _, sources := range from {
		for _, source := range sources {
			at = at.Add(time.Second)
			src, dst := netip.AddrPortFrom(netip.MustParseAddr(source), 5060), netip.MustParseAddrPort("198.51.100.1:5060")
			if src.Addr().Is6() {
				dst = netip.MustParseAddrPort("[2001:db8:ffff::1]:5060")
			}
			message := fmt.Appendf(nil, "OPTIONS sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP phone;branch=z9hG4bK%d\r\nMax-Forwards: 70\r\nFrom: <sip:a@example.com>;tag=t\r\n"+
				"To: <sip:example.com>\r\nCall-ID: %d\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n", at.Unix(), at.Unix())
			frames = append(frames, packet.Frame{Time: at.UnixNano(), Link: packet.LinkEthernet, Data: siptest.UDPFrame(src, dst, message)})
		}
	}
	var b bytes.Buffer
	if err := siptest.WritePcap(&b, packet.LinkEthernet, frames); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "in.pcap")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// last is the greatest address of a network.
func last(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < 8*len(b); i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// TestMaskedNetworks: encrypted addresses are addresses, and a search for a range of them
// finds those of one network together, as in clear.
func TestMaskedNetworks(t *testing.T) {
	networks := map[string][]string{
		"192.0.2.0/24":     {"192.0.2.1", "192.0.2.2", "192.0.2.128", "192.0.2.255"},
		"192.0.3.0/24":     {"192.0.3.1", "192.0.3.2"},
		"203.0.113.0/24":   {"203.0.113.7", "203.0.113.8", "203.0.113.9"},
		"2001:db8:1::/48":  {"2001:db8:1::1", "2001:db8:1:ffff::2"},
		"2001:db8:2::/48":  {"2001:db8:2::1"},
		"10.0.0.0/8":       {"10.1.1.1", "10.200.3.4"},
		"2001:db8:8::/125": {"2001:db8:8::1", "2001:db8:8::7"},
	}
	file := networked(t, networks)
	key := privacy.NewKey()
	cfg := privacy.Config{Key: key}
	cfg.Modes[event.Addresses] = privacy.Encrypt
	sealer, err := privacy.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := stores.Elasticsearch(t, stores.Options{})
	run(t, nil, append(reading(file), to(s, "clear-1")...)...)
	run(t, nil, append(append(reading(file), to(s, "masked-1")...), "privacy.addresses=encrypt", "privacy.key="+key.Text())...)
	for index, types := range mappings(t, s, "masked-1") {
		asDeclared(t, index, types)
	}
	for network, sources := range networks {
		clear := netip.MustParsePrefix(network)
		masked := netip.PrefixFrom(sealer.Addr(clear.Addr()), clear.Bits()).Masked()
		for stream, p := range map[string]netip.Prefix{"clear-1": clear, "masked-1": masked} {
			s.Do(t, "POST", "/"+stream+"/_refresh", "", nil)
			for how, query := range map[string]string{
				"range": fmt.Sprintf(`{"range": {"source.ip": {"gte": %q, "lte": %q}}}`, p.Addr(), last(p)),
				"CIDR":  fmt.Sprintf(`{"term": {"source.ip": %q}}`, p),
			} {
				var found struct{ Count int }
				s.Do(t, "POST", "/"+stream+"/_count", `{"query": `+query+`}`, &found)
				if found.Count != len(sources) {
					t.Errorf("%s in %s, asked by %s: %d records, not %d", p, stream, how, found.Count, len(sources))
				}
			}
		}
		var leaked struct{ Count int }
		s.Do(t, "POST", "/masked-1/_count", fmt.Sprintf(`{"query": {"term": {"source.ip": %q}}}`, sources[0]), &leaked)
		if leaked.Count != 0 && sealer.Addr(netip.MustParseAddr(sources[0])).String() != sources[0] {
			t.Errorf("%s is found in clear", sources[0])
		}
	}
}
