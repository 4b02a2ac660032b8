package cmd

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// pages is a program that answers as docs/http.md says, with values of a test.
type pages struct {
	made   atomic.Uint64 // rises with each look at the overview
	token  string
	status int    // in place of an answer
	name   string // in every text
	raw    string // in place of JSON
}

func (p *pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case p.raw != "":
		_, _ = io.WriteString(w, p.raw)
		return
	case p.token != "" && r.Header.Get("Authorization") != "Bearer "+p.token:
		p.problem(w, http.StatusUnauthorized, "the token is missing "+p.name)
		return
	case p.status != 0:
		w.Header().Set("Location", "http://192.0.2.1/")
		p.problem(w, p.status, "not for "+p.name)
		return
	}
	x := p.name
	var answer any
	switch r.URL.Path {
	case "/api/v1/overview":
		n := p.made.Add(10)
		answer = map[string]any{
			"time": time.Unix(1700000000, 0), "calls": 12, "calls_up": 5, "aors": 3, "bindings": 4, "offenders": 1, "version": "1.2.3" + x,
			"health": map[string]any{"ok": x == "", "checks": []any{
				map[string]any{"name": "packets" + x, "ok": true, "detail": "they come"},
				map[string]any{"name": "output" + x, "ok": x == "", "detail": "nothing is taken" + x},
			}},
			"types": []any{
				map[string]any{"type": "call-start" + x, "made": n, "sent": n},
				map[string]any{"type": "other-ok" + x, "made": 1000, "sent": 0, "blacklisted": true, "blacklisted_events": 1000},
				map[string]any{"type": "reg-new", "made": 0},
			},
			"losses": []any{map[string]any{"group": "capture" + x, "name": "kernel_drops" + x, "label_value": "eth0" + x, "value": 7, "per_second": 0.5}},
		}
	case "/api/v1/evrateblst":
		answer = map[string]any{"intervals": []string{"1s", "1m", "1h"}, "rates": []any{
			map[string]any{"type": "reg-new", "source": "192.0.2.1", "windows": []any{map[string]any{"rate": 1}, map[string]any{"rate": 2}}},
			map[string]any{"type": "auth-failed" + x, "source": "2001:db8::/64" + x, "over": true, "held": 9, "windows": []any{map[string]any{"rate": 5}, map[string]any{"rate": 300}, map[string]any{"rate": 4000}}},
		}}
	case "/api/v1/stats":
		answer = map[string]any{"uptime_seconds": 3725.5, "libbeat": map[string]any{"libbeat": map[string]any{
			"output":   map[string]any{"events": map[string]any{"acked": p.made.Load(), "active": 2, "failed": 3, "dropped": 4}},
			"pipeline": map[string]any{"queue": map[string]any{"max_events": 3200, "filled": map[string]any{"events": 3000, "pct": 0.94}}},
		}}}
	default:
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

func (p *pages) problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"status": status, "detail": detail})
}

// topOf runs the command against p.
func topOf(t *testing.T, p *pages, args ...string) (string, error) {
	t.Helper()
	s := httptest.NewServer(p)
	defer s.Close()
	c := newTop()
	var out bytes.Buffer
	c.SetOut(&out)
	c.SetErr(io.Discard)
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetArgs(append([]string{"--url", s.URL, "--interval", "100ms"}, args...))
	err := c.Execute()
	return strings.ReplaceAll(out.String(), s.URL, "URL"), err
}

// What is no terminal gets one picture as text.
func TestTopPrints(t *testing.T) {
	got, err := topOf(t, &pages{token: "s3cret"}, "--token", "s3cret")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"sipcmbeat 1.2.3 at URL, up 1h2m5s, ", "\nwell (2 checked)\n", "calls up 5, in memory 12   contacts 4, users seen 3 ",
		"other-ok (off) ", "\ncall-start ", "2001:db8::/64 ", " over limit\n", "capture kernel_drops (eth0) ",
		"queue 3000 events of 3200, nearly full\n", "delivered 20, ", "on their way 2, sent again 3, dropped 4\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "reg-new  ") && strings.Contains(got, "\nreg-new") || strings.Contains(got, "\x1b") {
		t.Errorf("a type without events, or an escape, in\n%s", got)
	}
	if strings.Index(got, "2001:db8") > strings.Index(got, "192.0.2.1 ") {
		t.Error("who makes most is not the first")
	}
	var rate float64
	_, after, _ := strings.Cut(got, "\ncall-start ")
	if _, err := fmt.Sscan(after, &rate); err != nil || rate < 10 || rate > 100 {
		t.Errorf("10 events in a tenth of a second are %v a second: %v", rate, err)
	}
}

// hostile is what a captured header may hold.
const hostile = "\x1b[2J\x1b]0;title\x07\u202egnp.\u0085\r\nok\u2028<script>"

// Nothing of a captured text reaches the terminal but what can be seen.
func TestTopHostile(t *testing.T) {
	p := &pages{name: hostile}
	got, err := topOf(t, p)
	if err != nil {
		t.Fatal(err)
	}
	plainly(t, got)
	for _, want := range []string{`\x1b[2J`, `\u202e`, "NOT WELL  output"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	var b bytes.Buffer
	s := screen{out: &b, size: func() (int, int) { return 60, 12 }, colour: true}
	a := new(answers)
	srv := httptest.NewServer(p)
	defer srv.Close()
	c, err := newTopClient(srv.URL, "", "")
	if err != nil {
		t.Fatal(err)
	}
	if a, err = c.ask(context.Background()); err != nil {
		t.Fatal(err)
	}
	s.draw(picture{now: a, failed: fmt.Errorf("a fault")}.lines(c.place, s.height()))
	text := b.String()
	for _, own := range []string{"\x1b[H", "\x1b[K", "\x1b[J", "\x1b[0m", "\x1b[1m", "\x1b[31m", "\x1b[32m"} {
		text = strings.ReplaceAll(text, own, "")
	}
	text = strings.ReplaceAll(text, "\r\n", "\n")
	plainly(t, text)
	lines := strings.Split(text, "\n")
	if len(lines) != 12 || !strings.Contains(lines[11], "lines more") {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
	for _, l := range lines {
		if utf8.RuneCountInString(l) > 60 {
			t.Errorf("too long: %q", l)
		}
	}
}

func plainly(t *testing.T, text string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Error("no UTF-8")
	}
	for _, r := range text {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Fatalf("%U reaches the terminal in %q", r, text)
		}
	}
}

// What goes wrong is said in one line, which names what to do.
func TestTopRefusals(t *testing.T) {
	long := "{\"version\": \"" + strings.Repeat("x", maxAnswer) + "\"}"
	for _, x := range []struct {
		name string
		p    *pages
		want []string
	}{
		{"no token", &pages{token: "s3cret"}, []string{"http.auth.token", "--token", tokenVariable}},
		{"forbidden", &pages{status: 403}, []string{"refuses: not for ", "http.names"}},
		{"elsewhere", &pages{status: 302}, []string{"answers 302 Found"}},
		{"another program", &pages{raw: "<html>"}, []string{"is no sipcmbeat", "--url"}},
		{"nothing there", &pages{status: 404}, []string{"is no sipcmbeat", "--url"}},
		{"too long", &pages{raw: long}, []string{"more than 8 MiB"}},
		{"hostile", &pages{status: 500, name: hostile}, []string{"500", `\x1b[2J`}},
	} {
		got, err := topOf(t, x.p)
		if err == nil || got != "" || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q, %v", x.name, got, err)
			continue
		}
		plainly(t, err.Error())
		for _, want := range x.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", x.name, err)
			}
		}
	}
	s := httptest.NewServer(&pages{})
	s.Close()
	c, _ := newTopClient(s.URL, "", "")
	if _, err := c.ask(context.Background()); err == nil || !strings.Contains(err.Error(), "http_port") || !strings.Contains(err.Error(), "--url") {
		t.Errorf("%v", err)
	}
	for _, place := range []string{"", "127.0.0.1:8080", "ftp://x", "http://", "http://u:p@x", "http://x/a?b", "http://x\x1b"} {
		if _, err := newTopClient(place, "", ""); err == nil || !strings.Contains(err.Error(), "--url") {
			t.Errorf("%q: %v", place, err)
		}
	}
	if _, err := newTopClient("https://x", "", "nowhere.pem"); err == nil || !strings.Contains(err.Error(), "--ca") {
		t.Errorf("%v", err)
	}
}

// buffer is a terminal that a test reads while it is drawn on.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// On a terminal the picture is drawn anew: when answers come, at the space bar, when the
// terminal has another size. It lives through a program that does not answer. q ends it.
func TestTopOnATerminal(t *testing.T) {
	p := &pages{}
	server := httptest.NewServer(p)
	defer server.Close()
	c, err := newTopClient(server.URL, "", "")
	if err != nil {
		t.Fatal(err)
	}
	tp := top{client: c, interval: time.Hour, clock: time.Now}
	first, err := tp.ask(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var out buffer
	var width atomic.Int64
	width.Store(80)
	s := screen{out: &out, size: func() (int, int) { return int(width.Load()), 40 }}
	keys, ended := make(chan byte), make(chan error, 1)
	go func() { ended <- tp.run(context.Background(), &s, keys, picture{now: first}) }()
	drawn := func(n int) string {
		t.Helper()
		deadline := time.Now().Add(10 * time.Second)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for strings.Count(out.String(), "\x1b[J") < n {
			if time.Now().After(deadline) {
				t.Fatalf("drawn %d times, not %d", strings.Count(out.String(), "\x1b[J"), n)
			}
			<-tick.C
		}
		return out.String()
	}
	drawn(1)
	keys <- ' '
	if got := drawn(2); strings.Contains(got, "\x1b[31m") || !strings.Contains(got, "call-start") {
		t.Errorf("a colour that nobody wants, or no events: %q", got)
	}
	width.Store(50)
	drawn(3)
	server.Close()
	keys <- 'x' // nothing
	keys <- ' '
	if got := drawn(4); !strings.Contains(got, "no answer since then: ") {
		t.Errorf("%q", got)
	}
	keys <- 'q'
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestColumnsOfTalkers: each number stands below its interval, also where one is off.
func TestColumnsOfTalkers(t *testing.T) {
	p := picture{now: &answers{rates: view.RatePage{Intervals: []string{"1s", "0", "1h"}, Rates: []view.Rate{
		{Type: "auth-failed", Source: "192.0.2.66", Held: 5, Windows: []view.RateWindow{{Interval: "1s", Rate: 11}, {Interval: "1h", Rate: 33}}}}}}}
	got := p.talkers()
	head, row := strings.Join(strings.Fields(got.name+got.head), " "), strings.Join(strings.Fields(got.rows[0].text), " ")
	if head != "SOURCE EVENT IN 1s IN 1h HELD" || row != "192.0.2.66 auth-failed 11 33 5" {
		t.Errorf("%q above %q", head, row)
	}
}
