package privacy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/bits"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/privacy"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// told is what of a record these tests look at.
type told struct {
	Source struct{ IP netip.Addr }
	Event  struct{ Action string }
	User   struct{ Name, ID string }
	SIP    struct {
		CallID string `json:"call_id"`
		From   struct {
			Tag string
			URI struct{ Original, Username, Host string }
		}
		To struct {
			Tag string
			URI struct{ Original, Username, Host string }
		}
		Number struct{ Caller, Callee struct{ E164, Token string } }
	}
	Sipcmbeat struct {
		Privacy struct {
			KeyID string `json:"key_id"`
		}
	}
}

func records(t *testing.T, out []byte) (all []told) {
	t.Helper()
	for line := range bytes.Lines(out) {
		var r told
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, r)
	}
	return all
}

// request is an OPTIONS of which one part or another is of interest.
type request struct{ src, from, to, callID, tag string }

// written writes requests into a capture, a second apart.
func written(t *testing.T, requests []request) string {
	t.Helper()
	var frames []packet.Frame
	start := time.Date(2026, 11, 22, 4, 0, 0, 0, time.UTC)
	for i, r := range requests {
		message := fmt.Sprintf("OPTIONS %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%d\r\nMax-Forwards: 70\r\nFrom: <%s>;tag=%s\r\nTo: <%s>\r\n"+
			"Call-ID: %s\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n", r.to, bracketed(r.src), i, r.from, r.tag, r.to, r.callID)
		src := netip.AddrPortFrom(netip.MustParseAddr(r.src), 5060)
		dst := netip.MustParseAddrPort("198.51.100.1:5060")
		if src.Addr().Is6() {
			dst = netip.MustParseAddrPort("[2001:db8:ffff::1]:5060")
		}
		frames = append(frames, packet.Frame{Time: start.Add(time.Duration(i) * time.Second).UnixNano(), Link: packet.LinkEthernet, Data: siptest.UDPFrame(src, dst, []byte(message))})
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

func bracketed(addr string) string {
	if strings.Contains(addr, ":") {
		return "[" + addr + "]"
	}
	return addr
}

// common is how many bits two addresses share from the left.
func common(a, b netip.Addr) int {
	x, y := a.AsSlice(), b.AsSlice()
	for i := range x {
		if d := x[i] ^ y[i]; d != 0 {
			return 8*i + bits.LeadingZeros8(d)
		}
	}
	return 8 * len(x)
}

// TestEqualStaysEqual: one user is one masked user wherever he is, in every mode that keeps
// equality and at every sensor with the key; a value of another kind is another.
func TestEqualStaysEqual(t *testing.T) {
	const same = "alicealice"
	requests := []request{
		{"192.0.2.1", "sip:" + same + "@example.com", "sip:bob@example.net", "c1", "t1"},
		{"192.0.2.2", "sip:bob@example.net", "sip:" + same + "@example.org", same, same},
	}
	sensors := []string{written(t, requests), written(t, requests)}
	for _, mode := range []string{"encrypt", "hmac"} {
		out, _ := replayed(t, sensors[0], everything(mode)...)
		again, _ := replayed(t, sensors[1], everything(mode)...)
		path := regexp.MustCompile(`"pcap":\{"path":"[^"]*"\},?`) // each has its own file
		if a, b := path.ReplaceAll(out, nil), path.ReplaceAll(again, nil); !bytes.Equal(a, b) || len(a) == len(out) {
			t.Errorf("%s: two sensors with one key say\n%s\nand\n%s", mode, a, b)
		}
		r := records(t, out)
		if len(r) != 2 {
			t.Fatalf("%s: %d records", mode, len(r))
		}
		first, second := &r[0].SIP, &r[1].SIP
		alice, bob := first.From.URI.Username, first.To.URI.Username
		if alice == "" || alice != second.To.URI.Username || bob == "" || bob != second.From.URI.Username || alice == bob || r[0].User.Name != alice {
			t.Errorf("%s: From %q and %q, To %q and %q", mode, alice, second.From.URI.Username, bob, second.To.URI.Username)
		}
		if first.From.URI.Host != "" && first.From.URI.Host == second.To.URI.Host || first.To.URI.Host != second.From.URI.Host {
			t.Errorf("%s: hosts %q %q, %q %q", mode, first.From.URI.Host, first.To.URI.Host, second.From.URI.Host, second.To.URI.Host)
		}
		kinds := []string{alice, second.CallID, second.From.Tag}
		if slices.Sort(kinds); len(slices.Compact(kinds)) != 3 {
			t.Errorf("%s: user, Call-ID and tag of one text are %v", mode, kinds)
		}
		other, _ := replayed(t, sensors[0], append(everything(mode), "-E", "privacy.key="+otherKey.Text())...)
		if o := records(t, other)[0].SIP; o.From.URI.Username == alice || o.CallID == first.CallID {
			t.Errorf("%s: another key gives the same", mode)
		}
	}
}

var otherKey = privacy.Key{31: 1}

// TestPrefixesStay: masked addresses of one network are neighbours, of both families.
func TestPrefixesStay(t *testing.T) {
	sources := []string{"192.0.2.1", "192.0.2.77", "192.0.2.255", "192.0.3.1", "10.1.2.3", "2001:db8:1:2::3", "2001:db8:1:2::4", "2001:db8:1:3::3", "2a00::1"}
	var requests []request
	for i, s := range sources {
		requests = append(requests, request{s, "sip:a@example.com", "sip:b@example.com", fmt.Sprint("call-", i), "t"})
	}
	out, _ := replayed(t, written(t, requests), everything("encrypt")...)
	masked := map[string]netip.Addr{} // by the order of their records, a second apart
	r := records(t, out)
	if len(r) != len(sources) {
		t.Fatalf("%d records of %d", len(r), len(sources))
	}
	for i := range r {
		masked[sources[i]] = r[i].Source.IP
	}
	for i, a := range sources {
		for _, b := range sources[i+1:] {
			x, y := netip.MustParseAddr(a), netip.MustParseAddr(b)
			if x.BitLen() != y.BitLen() {
				continue
			}
			if want, got := common(x, y), common(masked[a], masked[b]); want != got {
				t.Errorf("%s and %s share %d bits, masked %s and %s %d", a, b, want, masked[a], masked[b], got)
			}
		}
		if masked[a].String() == a {
			t.Errorf("%s is not masked", a)
		}
	}
}

// TestTokensMeet: the ways of dialling one number have one token, and it is no hash that
// anybody could compute.
func TestTokensMeet(t *testing.T) {
	var requests []request
	for i, number := range []string{"+493012345678", "00493012345678", "03012345678", "+49-30-12345678", "+493012345679"} {
		requests = append(requests, request{"192.0.2.1", "sip:" + number + "@example.com", "sip:desk@example.com", fmt.Sprint("call-", i), "t"})
	}
	file := written(t, requests)
	for _, mode := range []string{"encrypt", "hmac", "redact", "truncate"} {
		settings := everything(mode)
		if mode == "truncate" {
			settings = []string{"-E", "privacy.numbers=truncate", "-E", "privacy.key=" + testKey.Text()}
		}
		out, _ := replayed(t, file, join(settings, named)...)
		r := records(t, out)
		token := r[0].SIP.Number.Caller.Token
		for i := range r[:4] {
			if n := r[i].SIP.Number; n.Caller.Token != token || token == "" || n.Callee.Token != "" {
				t.Errorf("%s: token %q of number %d, %q of the first", mode, n.Caller.Token, i, token)
			}
		}
		if r[4].SIP.Number.Caller.Token == token {
			t.Errorf("%s: two numbers have one token", mode)
		}
		if e164 := r[0].SIP.Number.Caller.E164; mode == "truncate" && e164 != "+49301" || mode == "redact" && e164 != "" {
			t.Errorf("%s: %q", mode, e164)
		}
	}
	clear, _ := replayed(t, file, named...)
	for i, r := range records(t, clear) {
		if n := r.SIP.Number.Caller; n.Token != "" || i < 4 && n.E164 != "+493012345678" {
			t.Errorf("in clear: %+v", n)
		}
	}
}
