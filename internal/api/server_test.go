package api

import (
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// started is a server on a port of the kernel's, with three events.
func started(t *testing.T, p Program, change func(*Config)) *Server {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Inject, cfg.Version = true, "1.2.3"
	if change != nil {
		change(&cfg)
	}
	s := New(cfg, p)
	s.cfg.Port = 0
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(time.Second) })
	for i, fate := range []string{"sent", "rate", "blacklisted"} {
		s.Watch(sample(i), fate)
	}
	return s
}

// sample is an event whose values are what a hostile sender would send.
func sample(i int) *event.Event {
	var e event.Event
	e.Reset()
	e.Type = []event.Type{event.CallStart, event.AuthFailed, event.OtherOK}[i%3]
	e.Time = noon.Add(time.Duration(i) * time.Second).UnixNano()
	e.Src = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}), 5060)
	e.Dst = netip.MustParseAddrPort("192.0.2.200:5060")
	e.Set(&e.CallID, []byte(hostile))
	e.Set(&e.UserAgent, []byte(hostile))
	return &e
}

type asked struct {
	t      *testing.T
	s      *Server
	header http.Header
}

func ask(t *testing.T, s *Server, pairs ...string) asked {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return asked{t, s, h}
}

var client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Timeout: patience}

// do sends a request and reads the whole answer.
func (a asked) do(method, path, body string) (*http.Response, string) {
	a.t.Helper()
	r, err := http.NewRequest(method, a.s.URL()+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	r.Header = a.header.Clone()
	if h := r.Header.Get("Host"); h != "" {
		r.Host = h
		r.Header.Del("Host")
	}
	resp, err := client.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return resp, string(b)
}

// problem sends what has to be refused with this status, and reads why.
func (a asked) problem(method, path, body string, status int) view.Problem {
	a.t.Helper()
	resp, text := a.do(method, path, body)
	var p view.Problem
	if err := json.Unmarshal([]byte(text), &p); err != nil || resp.StatusCode != status || p.Status != status || resp.Header.Get("Content-Type") != "application/problem+json" {
		a.t.Fatalf("%s %s: %d %s, want %d\n%s", method, path, resp.StatusCode, resp.Header.Get("Content-Type"), status, text)
	}
	return p
}

func TestSwitchByCurl(t *testing.T) {
	f := newFake()
	s := started(t, f, nil)
	for _, c := range []struct {
		value string
		want  bool
	}{{"1", true}, {"0", false}} {
		resp, text := ask(t, s, "Accept", "*/*").do("POST", "/events/blst?other-ok="+c.value, "")
		var list view.TypeList
		if err := json.Unmarshal([]byte(text), &list); err != nil || resp.StatusCode != 200 {
			t.Fatalf("%d %s", resp.StatusCode, text)
		}
		for _, x := range list.Types {
			if x.Type == "other-ok" && x.Blacklisted != c.want {
				t.Errorf("other-ok=%s: %+v", c.value, x)
			}
		}
	}
}

func TestGetChangesNothing(t *testing.T) {
	f := newFake()
	s := started(t, f, nil)
	for path, right := range map[string]string{
		"/events/blst?other-ok=1":    "curl -X POST '" + s.URL() + "/events/blst?other-ok=1'",
		"/events/blst?types=x":       "curl -X PUT",
		"/evrateblst?limits=1":       "curl -X PUT",
		"/offenders?reason=x":        "curl -d source=",
		"/api/v1/reload":             "curl -X POST " + s.URL() + "/api/v1/reload",
		"/api/v1/events/blst?types=": "curl -X PUT",
		"/inject?message=x":          "curl --data-urlencode",
	} {
		resp, _ := ask(t, s).do("GET", path, "")
		p := ask(t, s).problem("GET", path, "", 405)
		if !strings.Contains(strings.Join(p.Allowed, "\n"), right) || strings.Contains(resp.Header.Get("Allow"), "GET") || resp.Header.Get("Allow") == "" {
			t.Errorf("%s: %q, Allow: %s", path, p.Allowed, resp.Header.Get("Allow"))
		}
	}
	if f.said != nil {
		t.Errorf("changed: %v", f.said)
	}
}

// 0.0.0.0 is all of IPv4, as anywhere in the configuration, and not of IPv6.
func TestListensAsItIsTold(t *testing.T) {
	for addr, network := range map[string]string{"0.0.0.0": "0.0.0.0", "127.0.0.1": "127.0.0.1"} {
		cert, key, _ := certificate(t)
		s := started(t, newFake(), func(c *Config) { c.Addr, c.Certificate, c.Key, c.Token = addr, cert, key, token })
		if at := netip.MustParseAddrPort(s.listen.Addr().String()); at.Addr().String() != network {
			t.Errorf("%s: listens on %s", addr, at)
		}
	}
}
