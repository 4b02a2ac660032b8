package api

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

const token = "correct-horse-battery"

// A page from elsewhere that is led here by its name (DNS rebinding) reads nothing.
func TestHost(t *testing.T) {
	s := started(t, newFake(), func(c *Config) { c.Names = []string{"probe.example.com"} })
	for _, host := range []string{"localhost", "LOCALHOST:1234", "127.0.0.1", "127.1.2.3:80", "[::1]:8080", "probe.example.com", "Probe.example.com.:443"} {
		if resp, text := ask(t, s, "Host", host).do("GET", "/stats", ""); resp.StatusCode != 200 {
			t.Errorf("%s: %d %s", host, resp.StatusCode, text)
		}
	}
	for _, host := range []string{"evil.example.com", "evil.example.com:8080", "localhost.evil.example.com", "192.0.2.1", "[2001:db8::1]:8080", "0.0.0.0", "probe.example.com.evil"} {
		p := ask(t, s, "Host", host).problem("GET", "/stats", "", 421)
		if !strings.Contains(strings.Join(p.Allowed, " "), "probe.example.com") {
			t.Errorf("%s: %q", host, p.Allowed)
		}
	}
}

// A probe of a balancer speaks HTTP/1.0 and names no host; no page can.
func TestNoHost(t *testing.T) {
	s := started(t, newFake(), nil)
	c, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	fmt.Fprint(c, "GET /healthz HTTP/1.0\r\n\r\n")
	if b, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(b), "HTTP/1.0 200 ") {
		t.Errorf("%v, %s", err, b)
	}
}

// A page from elsewhere changes nothing by a form or a script; a program that is no
// browser sends no origin.
func TestOrigin(t *testing.T) {
	f := newFake()
	s := started(t, f, nil)
	for _, h := range [][]string{
		{"Origin", "https://evil.example.com"}, {"Origin", "null"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"},
		{"Origin", "http://127.0.0.1:1"}, {"Sec-Fetch-Site", "cross-site", "Origin", s.URL()},
	} {
		ask(t, s, h...).problem("POST", "/events/blst?other-ok=1", "", 403)
		ask(t, s, append(h, "Content-Type", "application/x-www-form-urlencoded")...).problem("POST", "/offenders", "_method=DELETE&source=192.0.2.66", 403)
	}
	if f.said != nil {
		t.Errorf("changed: %v", f.said)
	}
	for _, h := range [][]string{nil, {"Origin", s.URL()}, {"Sec-Fetch-Site", "same-origin"}, {"Sec-Fetch-Site", "none"}} {
		if resp, text := ask(t, s, h...).do("POST", "/events/blst?other-ok=1", ""); resp.StatusCode != 200 {
			t.Errorf("%q: %d %s", h, resp.StatusCode, text)
		}
	}
	if resp, _ := ask(t, s, "Origin", "https://evil.example.com").do("GET", "/stats", ""); resp.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("another origin may read")
	}
}

func TestToken(t *testing.T) {
	s := started(t, newFake(), func(c *Config) { c.Token = token })
	for _, h := range [][]string{
		nil, {"Authorization", "Bearer wrong"}, {"Authorization", "Bearer "}, {"Authorization", "Bearer " + token[1:]}, {"Authorization", token},
		{"Authorization", "Basic " + token}, {"Authorization", "Bearer " + token + "x"},
	} {
		for _, path := range []string{"/stats", "/", "/nix", "/static/x.css", "/api/v1/openapi.json", "/healthz/", "/debug/pprof/"} {
			if resp, text := ask(t, s, h...).do("GET", path, ""); resp.StatusCode != 401 || len(resp.Header.Values("WWW-Authenticate")) != 2 || strings.Contains(text, token) {
				t.Errorf("%q %s: %d %s", h, path, resp.StatusCode, text)
			}
		}
		resp, text := ask(t, s, h...).do("GET", "/readyz", "")
		if resp.StatusCode != 200 || strings.TrimSpace(text) != `{"ok":true,"checks":[]}` {
			t.Errorf("%q: readyz says %d %s", h, resp.StatusCode, text)
		}
	}
	r, _ := http.NewRequest("GET", s.URL()+"/stats", nil)
	r.SetBasicAuth("anybody", token)
	for _, h := range []string{"Bearer " + token, "bearer " + token, r.Header.Get("Authorization")} {
		if resp, text := ask(t, s, "Authorization", h).do("GET", "/stats", ""); resp.StatusCode != 200 {
			t.Errorf("%s: %d %s", h, resp.StatusCode, text)
		}
	}
	if _, text := ask(t, s, "Authorization", "Bearer "+token).do("GET", "/readyz", ""); !strings.Contains(text, "packet") {
		t.Error(text)
	}
}

// certificate makes one of 127.0.0.1 that signs itself.
func certificate(t *testing.T) (cert, key string, roots *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	write := func(path, kind string, b []byte) {
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(cert, "CERTIFICATE", der)
	write(key, "PRIVATE KEY", secret)
	roots = x509.NewCertPool()
	parsed, _ := x509.ParseCertificate(der)
	roots.AddCert(parsed)
	return cert, key, roots
}

// TestPageOfStrangers: a page that refuses somebody without the token, or under another
// name, says nothing of how the program is.
func TestPageOfStrangers(t *testing.T) {
	f := newFake()
	f.unready = true
	s := started(t, f, func(c *Config) { c.Token = token })
	for _, x := range []struct {
		status int
		header []string
		known  bool
	}{
		{http.StatusUnauthorized, nil, false},
		{http.StatusMisdirectedRequest, []string{"Host", "evil.example"}, false},
		{http.StatusNotFound, []string{"Authorization", "Bearer " + token}, true},
	} {
		resp, page := ask(t, s, append(x.header, "Accept", "text/html")...).do("GET", "/nowhere", "")
		known := strings.Contains(page, "1 problem") || strings.Contains(page, "<time")
		if resp.StatusCode != x.status || known != x.known || !strings.Contains(page, "What is right") {
			t.Errorf("%d, says how it is: %v\n%s", resp.StatusCode, known, page)
		}
	}
}

func TestTLS(t *testing.T) {
	cert, key, roots := certificate(t)
	s := started(t, newFake(), func(c *Config) { c.Certificate, c.Key, c.Token = cert, key, token })
	https := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}, Timeout: patience}
	defer https.CloseIdleConnections()
	r, _ := http.NewRequest("GET", s.URL()+"/stats", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := https.Do(r)
	if err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	resp.Body.Close()
	if resp, err := http.Get("http" + strings.TrimPrefix(s.URL(), "https") + "/stats"); err == nil && resp.StatusCode == 200 {
		t.Error("answers without TLS")
	}
}

// What is wrong with a change is said, and nothing is changed.
func TestWrongChanges(t *testing.T) {
	f := newFake()
	s := started(t, f, nil)
	const jsonType, form = "application/json", "application/x-www-form-urlencoded"
	for _, c := range []struct {
		method, path, kind, body string
		status                   int
		says                     string
	}{
		{"PUT", "/events/blst", jsonType, `{"types": ["other-okay"]}`, 400, "call-start"},
		{"PUT", "/events/blst", form, "types=other-okay", 400, "call-start"},
		{"PUT", "/events/blst", jsonType, `{"types": "other-ok"}`, 400, "types"},
		{"PUT", "/events/blst", jsonType, `{"typos": []}`, 400, "types"},
		{"PUT", "/events/blst", form, `typos=x`, 400, "types"},
		{"PUT", "/events/blst", jsonType, `{}`, 400, "types"},
		{"PUT", "/events/blst", jsonType, ``, 400, "types"},
		{"PUT", "/events/blst", jsonType, `null`, 400, "types"},
		{"PUT", "/events/blst", jsonType, `{"types": []} {}`, 400, "types"},
		{"PUT", "/events/blst", "text/plain", `x`, 415, "application/json"},
		{"PUT", "/events/blst", "", `x`, 415, "application/json"},
		{"PUT", "/events/blst", jsonType, `{"types": ["` + strings.Repeat("x", maxBody) + `"]}`, 413, "at most"},
		{"PUT", "/events/blst", form, strings.Repeat("x", maxBody+1), 413, "at most"},
		{"POST", "/events/blst?other-okay=1", "", "", 400, "other-ok"},
		{"POST", "/events/blst?other-ok=2", "", "", 400, "0"},
		{"POST", "/events/blst?other-ok=1&other-ok=0", "", "", 400, "once"},
		{"POST", "/events/blst", "", "", 400, "other-ok=1"},
		{"POST", "/events/blst", "multipart/form-data; boundary=x", "--x--", 415, "urlencoded"},
		{"PUT", "/evrateblst", jsonType, `{"limits": [1]}`, 400, ""},
		{"PUT", "/evrateblst", jsonType, `{"report_min": null}`, 400, "limits"},
		{"PUT", "/evrateblst", jsonType, `{"limits": [1, null, 3]}`, 400, "limits"},
		{"PUT", "/evrateblst", jsonType, `{"limits": ["x"]}`, 400, "limits"},
		{"PUT", "/evrateblst", jsonType, `{"report_min": -1}`, 400, "limits"},
		{"PUT", "/evrateblst", form, `limits=1,x`, 400, "numbers"},
		{"PUT", "/evrateblst", jsonType, `{}`, 400, "limits"},
		{"DELETE", "/evrateblst?type=auth-failed", "", "", 400, "source"},
		{"DELETE", "/evrateblst?type=auth-failed&source=x", "", "", 400, "address"},
		{"DELETE", "/evrateblst?type=auth-failed&source=192.0.2.1", "", "", 404, ""},
		{"POST", "/offenders", jsonType, `{"source": "example.com"}`, 400, "address"},
		{"POST", "/offenders", form, "source=192.0.2.1&lasts=for+ever", 400, "24h"},
		{"POST", "/offenders", form, "source=192.0.2.1&lasts=-1h", 400, "24h"},
		{"POST", "/offenders", form, "source=192.0.2.1&reason=" + strings.Repeat("x", maxReason+1), 400, "at most"},
		{"DELETE", "/offenders", "", "", 400, "source"},
		{"DELETE", "/offenders?source=203.0.113.1", "", "", 404, ""},
		{"POST", "/offenders", form, "_method=PATCH", 405, "DELETE"},
		{"POST", "/inject", jsonType, `{"message": "x", "source": "192.0.2.1", "destination": "192.0.2.1:1", "transport": "udp"}`, 400, "port"},
		{"POST", "/inject", jsonType, `{"message": "x", "source": "192.0.2.1:1", "destination": "192.0.2.1:1", "transport": "carrier pigeon"}`, 400, "tcp"},
		{"POST", "/inject", jsonType, `{"message": "` + strings.Repeat("x", maxMessage) + `"}`, 413, "at most"},
		{"PATCH", "/events/blst", "", "", 405, "PUT"},
		{"DELETE", "/stats", "", "", 405, "GET /stats"},
		{"OPTIONS", "/calls", "", "", 405, "GET /calls"},
		{"TRACE", "/calls", "", "", 405, "GET /calls"},
		{"POST", "/calls/aa", "", "", 405, "GET"},
		{"GET", "/calls?limit=0", "", "", 400, "1 to 1000"},
		{"GET", "/calls?limit=1001", "", "", 400, "1 to 1000"},
		{"GET", "/calls?source=x", "", "", 400, "address"},
		{"GET", "/calls?limit=", "", "", 400, "1 to 1000"},
		{"GET", "/events?type=", "", "", 400, "call-start"},
		{"GET", "/calls?nix=1", "", "", 400, "cursor"},
		{"GET", "/calls?text=%zz", "", "", 400, ""},
		{"GET", "/calls?text=" + strings.Repeat("x", MaxParam+1), "", "", 400, "at most"},
		{"GET", "/calls?cursor=x", "", "", 400, ""},
		{"GET", "/events?cursor=x", "", "", 400, "next"},
		{"GET", "/events?type=nix", "", "", 400, "call-start"},
		{"GET", "/events?fate=nix", "", "", 400, "blacklisted"},
		{"GET", "/methods?from=yesterday", "", "", 400, "time"},
		{"GET", "/methods?step=90s", "", "", 400, "minutes"},
		{"GET", "/api/v1/pcap", "", "", 400, "call"},
		{"GET", "/api/v1/pcap?call=nix", "", "", 404, ""},
		{"GET", "/calls/nix", "", "", 404, ""},
		{"GET", "/regs/..%2f..%2fetc%2fpasswd", "", "", 404, ""},
		{"GET", "/static/..%2fserver.go", "", "", 404, ""},
		{"GET", "/debug/pprof/", "", "", 404, "/stats"},
	} {
		p := ask(t, s, "Content-Type", c.kind).problem(c.method, c.path, c.body, c.status)
		if !strings.Contains(p.Detail+" "+strings.Join(p.Allowed, " "), c.says) || p.Detail == "" {
			t.Errorf("%s %s %.40s: %q, allowed %q, want %q in it", c.method, c.path, c.body, p.Detail, p.Allowed, c.says)
		}
	}
	if f.said != nil {
		t.Errorf("changed: %v", f.said)
	}
}

// Forms do what JSON does. A person is led back to the page.
func TestForms(t *testing.T) {
	f := newFake()
	s := started(t, f, nil)
	const form, html = "application/x-www-form-urlencoded", "text/html,application/xhtml+xml,*/*;q=0.8"
	for _, c := range []struct{ path, body, to string }{
		{"/events/blst", "_method=PUT&types=msg-probe&types=other-ok", "/events/blst"},
		{"/events/blst", "other-ok=0", "/events/blst"},
		{"/evrateblst", "_method=PUT&limits=1,2,3", "/evrateblst"},
		{"/offenders", "source=192.0.2.9&reason=x&next=/offenders?done=offend", "/offenders?done=offend"},
		{"/offenders", "_method=DELETE&source=192.0.2.9&next=//evil.example.com/", "/offenders"},
		{"/offenders", "source=192.0.2.9&next=https://evil.example.com/", "/offenders"},
		{"/offenders", "source=192.0.2.9&next=/%5Cevil.example.com/", "/offenders"},
	} {
		resp, text := ask(t, s, "Content-Type", form, "Accept", html).do("POST", c.path, c.body)
		if resp.StatusCode != 303 || resp.Header.Get("Location") != c.to {
			t.Errorf("%s %s: %d to %s, want %s: %s", c.path, c.body, resp.StatusCode, resp.Header.Get("Location"), c.to, text)
		}
	}
	want := "types [msg-probe other-ok]|type other-ok false|limits [1 2 3]"
	var said []string
	for _, line := range f.said {
		_, what, _ := strings.Cut(line, " ")
		said = append(said, what)
	}
	if got := strings.Join(said, "|"); got != want {
		t.Errorf("done: %s, want %s", got, want)
	}
}

func TestWhoGetsAPage(t *testing.T) {
	for accept, want := range map[string]bool{
		"":    false,
		"*/*": false,
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": true,
		"application/json":                  false,
		"application/json, text/html;q=0.5": false,
		"text/html;q=0":                     false,
		"text/html;q=x":                     true,
		"text/plain":                        false,
		";;;,/,text/html":                   true,
	} {
		r := &http.Request{Header: http.Header{"Accept": {accept}}}
		if got := wantsPage(r); got != want {
			t.Errorf("%q: %v", accept, got)
		}
	}
}

// No captured value leaves as anything but text: JSON has no markup, no control
// characters and is valid UTF-8, and no browser takes it for something else.
func TestHostileValues(t *testing.T) {
	f := newFake()
	s := started(t, f, nil)
	for _, path := range []string{"/calls", "/calls/bb", "/regs", "/offenders", "/alerts", "/events", "/offenders?format=plain", "/offenders?format=ipset", "/calls/" + "%3Cscript%3E%1B", "/stats?%3Cscript%3E%1b=1", "/%3Cscript%3E"} {
		resp, text := ask(t, s).do("GET", path, "")
		if strings.ContainsAny(text, "<>\x1b\x00") || !utf8.ValidString(text) || strings.Contains(text, "\u2028") {
			t.Errorf("%s: %q", path, text)
		}
		if resp.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(resp.Header.Get("Content-Security-Policy"), "default-src 'none'") || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", path, resp.Header)
		}
	}
}

func TestSecretsAreMasked(t *testing.T) {
	s := started(t, newFake(), func(c *Config) { c.Token = token })
	for _, row := range Routes() {
		if row.Method != http.MethodGet || strings.Contains(row.Path, "stream") {
			continue
		}
		for _, accept := range []string{"*/*", "text/html"} {
			_, text := ask(t, s, "Authorization", "Bearer "+token, "Accept", accept).do("GET", filled.Replace(row.PlainPath()), "")
			if strings.Contains(text, token) || strings.Contains(text, "this-must-not-be-seen") {
				t.Errorf("%s shows a secret", row.Path)
			}
		}
	}
}

func TestOffendersForOtherPrograms(t *testing.T) {
	s := started(t, newFake(), nil)
	const lines = "192.0.2.66\n2001:db8::/64\n"
	for _, h := range [][]string{{"/offenders?format=plain"}, {"/offenders", "Accept", "text/plain"}, {"/api/v1/offenders?format=plain"}} {
		if resp, text := ask(t, s, h[1:]...).do("GET", h[0], ""); text != lines || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
			t.Errorf("%q: %q", h, text)
		}
	}
	if resp, text := ask(t, s, "Accept", "text/html").do("GET", "/offenders?format=json", ""); resp.Header.Get("Content-Type") != "application/json" || !strings.HasPrefix(text, `{"total":2,`) {
		t.Errorf("a browser that asks for JSON gets %.100q", text)
	}
	want := "create sipcmbeat4 hash:net family inet -exist\ncreate sipcmbeat6 hash:net family inet6 -exist\nflush sipcmbeat4\nflush sipcmbeat6\n" +
		"add sipcmbeat4 192.0.2.66 -exist\nadd sipcmbeat6 2001:db8::/64 -exist\n"
	if _, text := ask(t, s).do("GET", "/offenders?format=ipset", ""); text != want {
		t.Error(text)
	}
}

// restless has pages of one source each, and the last source moves to the first place
// after each, as one does that goes on sending.
type restless struct{ *fake }

func (r restless) Offenders(q view.Query) (p view.OffenderPage, err error) {
	p, err = r.fake.Offenders(q)
	if q.All || err != nil {
		return p, err
	}
	at, _ := strconv.Atoi(q.Cursor)
	if p.Offenders = p.Offenders[at : at+1]; at+1 < p.Total {
		p.Next = strconv.Itoa(at + 1)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sources = append(r.sources[p.Total-1:], r.sources[:p.Total-1]...)
	return p, nil
}

// TestAllOffenders: what a firewall is given has every source, whatever happens while it
// is made.
func TestAllOffenders(t *testing.T) {
	f := newFake()
	f.sources = append(f.sources, view.Offender{Source: "192.0.2.67", Origin: "rate", First: noon, Last: noon})
	s := started(t, restless{f}, nil)
	if _, text := ask(t, s).do("GET", "/offenders?format=plain", ""); text != "192.0.2.66\n2001:db8::/64\n192.0.2.67\n" {
		t.Error(text)
	}
}

func TestInjectIsOff(t *testing.T) {
	f := newFake()
	s := started(t, f, func(c *Config) { c.Inject = false })
	p := ask(t, s, "Content-Type", "application/json").problem("POST", "/inject", `{"message":"x"}`, 403)
	if !strings.Contains(strings.Join(p.Allowed, " "), "http.inject") || f.said != nil {
		t.Error(p, f.said)
	}
}

// What a proxy on this machine passes on comes from elsewhere.
func TestInjectThroughProxy(t *testing.T) {
	f := newFake()
	s := started(t, f, func(c *Config) { c.Names = []string{"probe.example.com"} })
	const body = `{"message":"x","source":"192.0.2.1:1","destination":"192.0.2.2:1"}`
	for _, h := range [][]string{{"X-Forwarded-For", "203.0.113.9"}, {"Forwarded", "for=203.0.113.9"}, {"X-Real-Ip", "203.0.113.9"}, {"Via", "1.1 proxy"}, {"Host", "probe.example.com"}} {
		ask(t, s, append(h, "Content-Type", "application/json")...).problem("POST", "/inject", body, 403)
	}
	if f.said != nil {
		t.Errorf("taken: %q", f.said)
	}
	if resp, text := ask(t, s, "Content-Type", "application/json").do("POST", "/inject", body); resp.StatusCode != 200 {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
}

// A form may carry as long a message as JSON may; other forms stay short.
func TestLongForms(t *testing.T) {
	s := started(t, newFake(), nil)
	form := ask(t, s, "Content-Type", "application/x-www-form-urlencoded")
	fields := "source=192.0.2.1:1&destination=192.0.2.2:1&message=" + strings.Repeat("x", 2*maxBody)
	if resp, text := form.do("POST", "/inject", fields); resp.StatusCode != 200 {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	form.problem("POST", "/inject", "message="+strings.Repeat("x", maxMessage), 413)
	form.problem("POST", "/offenders", "source="+strings.Repeat("x", 2*maxBody), 413)
}

func TestProfilerIsAskedFor(t *testing.T) {
	s := started(t, newFake(), func(c *Config) { c.Profiler = true })
	for path, want := range map[string]int{"/debug/pprof/": 200, "/debug/pprof/heap?debug=1": 200, "/debug/pprof/cmdline": 404, "/debug/pprof/nix": 404} {
		if resp, text := ask(t, s).do("GET", path, ""); resp.StatusCode != want {
			t.Errorf("%s: %d %.200s", path, resp.StatusCode, text)
		}
	}
}

// A fault in one answer is told, and ends nothing else.
func TestFault(t *testing.T) {
	var said []string
	s := started(t, faulty{newFake()}, func(c *Config) { c.Fault = func(line string) { said = append(said, line) } })
	ask(t, s).problem("GET", "/kpi", "", 500)
	if resp, _ := ask(t, s).do("GET", "/calls", ""); resp.StatusCode != 200 || len(said) != 1 || s.count.faults.Load() != 1 {
		t.Error(resp.StatusCode, said)
	}
}

// A thousand connections take no more than their places, and when they are gone
// everybody is served again.
func TestThousandConnections(t *testing.T) {
	const most = 16
	s := started(t, newFake(), func(c *Config) { c.MaxConnections = most })
	client.CloseIdleConnections()
	addr := strings.TrimPrefix(s.URL(), "http://")
	var open []net.Conn
	for range 1000 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
	}
	last := open[len(open)-1]
	_ = last.SetDeadline(time.Now().Add(patience))
	if b, err := io.ReadAll(last); err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 503 ") {
		t.Errorf("the last: %q %v", b, err)
	}
	if n := s.count.refused[tooManyConnections].Load(); n < 1000-most || s.count.connections.Load() > most {
		t.Errorf("%d refused, %d open", n, s.count.connections.Load())
	}
	for _, c := range open {
		c.Close()
	}
	until(t, "no place is free", func() bool { return s.count.connections.Load() == 0 })
	if resp, _ := ask(t, s).do("GET", "/healthz", ""); resp.StatusCode != 200 {
		t.Error(resp.StatusCode)
	}
}

// patience is how long is waited for what has to come, however busy the machine is.
const patience = 30 * time.Second

// until waits for something.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal(what)
		}
	}
}

// A client that sends its header or body slowly, or takes its answer slowly, is cut.
func TestSlowClients(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "",
		"header":  "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
		"body":    "PUT /events/blst HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
	} {
		t.Run(name, func(t *testing.T) {
			cfg := DefaultConfig()
			s := New(cfg, newFake())
			s.cfg.Port = 0
			s.http.ReadHeaderTimeout, s.http.ReadTimeout = 100*time.Millisecond, 200*time.Millisecond
			if err := s.Start(); err != nil {
				t.Fatal(err)
			}
			defer s.Close(time.Second)
			c, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			fmt.Fprint(c, text)
			_ = c.SetDeadline(time.Now().Add(patience))
			b, err := io.ReadAll(c)
			if err != nil {
				t.Errorf("not cut: %v", err)
			}
			if name == "body" && (!strings.HasPrefix(string(b), "HTTP/1.1 408 ") || strings.Contains(string(b), "read tcp")) {
				t.Errorf("answered %s", b)
			}
		})
	}
}

func TestLongHeader(t *testing.T) {
	s := started(t, newFake(), nil)
	r, _ := http.NewRequest("GET", s.URL()+"/stats", nil)
	r.Header.Set("X-Long", strings.Repeat("x", 17<<10))
	if resp, err := client.Do(r); err == nil { // or cut, with what was not read
		if resp.Body.Close(); resp.StatusCode != 431 {
			t.Error(resp.StatusCode)
		}
	}
	if resp, _ := ask(t, s, "X-Long", strings.Repeat("x", 11<<10)).do("GET", "/stats", ""); resp.StatusCode != 200 {
		t.Error(resp.StatusCode)
	}
}

// What is no HTTP ends with its connection.
func TestRubbish(t *testing.T) {
	s := started(t, newFake(), nil)
	for _, text := range []string{"\x16\x03\x01\x02\x00\x01", "INVITE sip:a@b SIP/2.0\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET http://evil/ HTTP/1.1\r\nHost: evil\r\n\r\n", strings.Repeat("\x00", 1<<16)} {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "http://"))
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(patience))
		fmt.Fprint(c, text)
		_ = c.(*net.TCPConn).CloseWrite()
		line, _ := bufio.NewReader(c).ReadString('\n')
		if strings.HasPrefix(line, "HTTP/1.1 2") {
			t.Errorf("%q: %s", text, line)
		}
		c.Close()
	}
	if resp, _ := ask(t, s).do("GET", "/healthz", ""); resp.StatusCode != 200 {
		t.Error(resp.StatusCode)
	}
}
