package api

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/metric"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
	"golang.org/x/net/html"
)

// crowd is a Program with as much of everything as a page can be asked for, and every
// value as long and as hostile as a sender can make it.
type crowd struct{ *fake }

// nasty is long, and has whatever a browser, a terminal or a template would act on.
func nasty(n int) string {
	return fmt.Sprintf("%d ", n) + strings.Repeat(hostile+"\u202e\u200b\x00{{.}}<img src=x onerror=alert(1)>\" onclick=\"alert(1)", 12)
}

func at(n int) *time.Time {
	t := noon.Add(-time.Duration(n) * time.Second)
	return &t
}

func (c crowd) Samples(add metric.Adder) {
	for g := range 30 {
		for n := range 40 {
			d := &metric.Desc{Group: fmt.Sprintf("group%d", g), Name: fmt.Sprintf("a_counter_with_a_long_name_%d_drops", n), Label: "reason", Help: "A sentence that says what is counted, and when, and what not."}
			add(d, "a value of some length", float64(1e9+n))
		}
	}
}

func (c crowd) call(n int) view.Call {
	return view.Call{ID: fmt.Sprintf("%032x", n), CallID: nasty(n), State: "confirmed", From: nasty(n), To: nasty(n), Source: "[2001:db8:1111:2222:3333:4444:5555:6666]:65535",
		Destination: "[2001:db8:1111:2222:3333:4444:5555:7777]:65535", Transport: "udp", UserAgent: nasty(n), Started: at(n), Answered: at(n), Code: 603, Forked: true, Held: true,
		Transferred: true, Emergency: true, Retransmission: 9, Incomplete: []string{"ack", "bye"}, Anomalies: []string{"lf-only", "no-to-tag", "cseq-same", "unknown-label"}}
}

func (c crowd) Calls(q view.Query) (view.CallPage, error) {
	p := view.CallPage{Page: view.Page{Total: 1e6, Scanned: 1e5, Next: nasty(0)}}
	for n := range q.Limit {
		p.Calls = append(p.Calls, c.call(n))
	}
	return p, nil
}

func (c crowd) Call(id string) (view.CallDetail, error) {
	if id == "none" {
		return view.CallDetail{}, view.ErrMissing
	}
	d := view.CallDetail{Call: c.call(1), Correlation: nasty(1), MessagesCut: true, PcapPath: nasty(2)}
	for n := range 1000 {
		d.Parts, d.Legs, d.Timings = append(d.Parts, c.call(n)), append(d.Legs, nasty(n)), append(d.Timings, view.Timing{Name: "setup", Seconds: 1})
		d.Messages = append(d.Messages, view.Message{Time: *at(-n), Source: fmt.Sprintf("192.0.2.%d:5060", n%7), Dest: fmt.Sprintf("192.0.2.%d:5060", (n+1)%7), Transport: "udp",
			Line: "INVITE " + nasty(n), CSeq: nasty(n), Method: "INVITE", Code: n % 700, Repeat: n%5 == 0, SDP: true, Bytes: 1234})
	}
	d.Timings = d.Timings[:8]
	return d, nil
}

func (c crowd) Bindings(q view.Query) (view.BindingPage, error) {
	p := view.BindingPage{Page: view.Page{Total: 1e6, Next: "x"}, AORs: 1e6}
	all, _ := c.Binding("x")
	p.Bindings = all[:q.Limit]
	return p, nil
}

func (c crowd) Binding(aor string) (all []view.Binding, err error) {
	for n := range 1000 {
		all = append(all, view.Binding{AOR: nasty(n), Contact: nasty(n), Source: "[2001:db8:1111:2222:3333:4444:5555:6666]:65535", Transport: "udp", UserAgent: nasty(n), CallID: nasty(n), State: "registered",
			Since: at(n), Refreshed: at(n), Expires: at(-n), Refreshes: n, Anomalies: []string{"late-refresh", "contact-rewritten", "call-id-changed"}})
	}
	return all, nil
}

func (c crowd) Rates(q view.Query) (view.RatePage, error) {
	p := view.RatePage{Page: view.Page{Total: 1e6, Next: "x"}, Limits: []float64{20, 240, 3600}, Intervals: []string{"1s", "1m", "1h"}, ReportMin: 100, ReportMax: 10000}
	for range q.Limit {
		p.Rates = append(p.Rates, view.Rate{Type: "other-timeout", Source: "2001:db8:1111:2222::/64", Over: true, Since: at(0), Seen: 1e9, Held: 1e9, Last: noon,
			Windows: []view.RateWindow{{Interval: "1s", Rate: 1e6, Limit: 20}, {Interval: "1m", Rate: 1e6, Limit: 240}, {Interval: "1h", Rate: 1e6, Limit: 3600}}})
	}
	return p, nil
}

func (c crowd) Offenders(q view.Query) (view.OffenderPage, error) {
	p := view.OffenderPage{Page: view.Page{Total: 1e6, Next: "x"}}
	for n := range q.Limit {
		p.Offenders = append(p.Offenders, view.Offender{Source: "2001:db8:1111:2222::/64", Origin: "rate", Reason: nasty(n), Hits: 1e9, Held: 1e9, First: noon, Last: noon, Expires: at(-n),
			UserAgents: []string{nasty(n), nasty(n)}, Country: "United Kingdom", City: nasty(n)})
	}
	return p, nil
}

func (c crowd) Alerts(q view.Query) (view.AlertPage, error) {
	p := view.AlertPage{Page: view.Page{Total: 1e6, Next: "x"}}
	for n := range q.Limit {
		p.Alerts = append(p.Alerts, view.Alert{ID: "1", Time: noon, Type: "scan", Status: "new", Source: "192.0.2.66", Message: nasty(n)})
	}
	return p, nil
}

func (c crowd) Methods(q view.MethodQuery) (view.MethodSeries, error) {
	m := view.MethodSeries{From: q.From, To: q.To, Step: q.Step.String()}
	for n := range 400 {
		counts := make([]uint64, 97)
		for k := range counts {
			counts[k] = uint64(1e6 + n)
		}
		m.Rows = append(m.Rows, view.MethodCount{Method: nasty(n), CSeq: nasty(n), Auth: 1, ToTag: 1, Counts: counts, Total: 1e9})
	}
	return m, nil
}

func (c crowd) EventsOver(from, to time.Time, step time.Duration) (view.EventSeries, error) {
	s := view.EventSeries{From: from, To: to, Step: step.String(), Total: 1e9}
	for t := event.None + 1; t < event.NumTypes; t++ {
		counts := make([]uint64, to.Sub(from)/step)
		for k := range counts {
			counts[k] = 1e6
		}
		s.Rows = append(s.Rows, view.EventCount{Type: t.String(), Counts: counts, Total: 1e9})
	}
	return s, nil
}

func (c crowd) Indicators(q view.Query) (all []view.IndicatorSet, err error) {
	one, _ := c.fake.Indicators(q)
	for n := range 200 {
		set := one[0]
		set.Peer = nasty(n)
		for len(set.Indicators) < 12 {
			set.Indicators = append(set.Indicators, set.Indicators[0])
		}
		all = append(all, set)
	}
	return all, nil
}

func (c crowd) Config() (all []view.Setting) {
	for n := range 400 {
		all = append(all, view.Setting{Key: fmt.Sprintf("section.a_key_of_some_length_%d", n), Value: nasty(n), Default: "30s", Meaning: "A sentence of usual length that says what the key does.", Reload: n%2 == 0})
	}
	return all
}

func (c crowd) Ready() view.Health {
	h := view.Health{}
	for n := range 12 {
		h.Checks = append(h.Checks, view.Check{Name: "check_" + fmt.Sprint(n), Detail: nasty(n)})
	}
	return h
}

// paths are those that people are shown, with what makes them longest.
var paths = []string{"/", "/events", "/events/blst", "/calls", "/calls?limit=1000", "/calls/x", "/calls/x?cursor=500", "/regs", "/regs/x", "/evrateblst", "/offenders", "/alerts",
	"/kpi", "/stats?zeros=1", "/counters", "/methods", "/methods?from=-24h", "/config", "/inject", "/health", "/api/v1/", "/nothing-here", "/calls/none", "/calls?limit=wrong"}

// maxPage is how long a page may be.
const maxPage = 200_000

// TestPagesAreShortAndEscaped: whatever a sender does, a page has no element, no
// attribute and no address that is not ours, shows nothing that cannot be seen, and is
// bounded.
func TestPagesAreShortAndEscaped(t *testing.T) {
	s := started(t, crowd{newFake()}, nil)
	for i := range 200 {
		e := sample(i)
		e.Set(&e.From.URI.All, []byte(nasty(i)))
		e.Set(&e.To.URI.All, []byte(nasty(i)))
		s.Watch(e, "sent")
	}
	for _, path := range paths {
		resp, page := ask(t, s, "Accept", "text/html").do("GET", path, "")
		if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
			t.Errorf("%s: %s\n%s", path, resp.Header.Get("Content-Type"), page)
			continue
		}
		t.Logf("%s: %d, %d bytes", path, resp.StatusCode, len(page))
		if len(page) > maxPage {
			t.Errorf("%s has %d bytes", path, len(page))
		}
		for _, bad := range []string{"\x1b", "\u202e", "\u200b", "\x00", "ZgotmplZ"} {
			if i := strings.Index(page, bad); i >= 0 {
				t.Errorf("%s has %q: %q", path, bad, page[max(0, i-60):min(len(page), i+60)])
			}
		}
		checkMarkup(t, path, page)
		if policy := resp.Header.Get("Content-Security-Policy"); strings.Contains(policy, "unsafe") || !strings.Contains(policy, "script-src 'self'") {
			t.Errorf("%s: the policy is %q", path, policy)
		}
	}
}

// What pages are made of. An element or an attribute that is not here is somebody else's.
var (
	ownElements = regexp.MustCompile(`^(html|head|meta|title|link|script|body|a|header|nav|main|footer|h[1-3]|p|ul|ol|li|dl|dt|dd|div|span|strong|small|bdi|code|time|section|figure|figcaption|details|summary|` +
		`table|thead|tbody|tfoot|tr|th|td|form|label|input|select|option|textarea|button|datalist|svg|symbol|use|g|path|line|text)$`)
	ownAttributes = regexp.MustCompile(`^(id|class|href|src|rel|type|name|content|charset|lang|defer|aria-[a-z]+|role|tabindex|title|datetime|data-(live|refresh|stream|of|v|at|no-sort)|scope|method|action|` +
		`value|placeholder|autocomplete|spellcheck|list|checked|selected|required|min|max|step|maxlength|rows|open|download|viewbox|width|height|d|x|y|x1|x2|y1|y2|xmlns)$`)
)

// checkMarkup reads a page as a browser does.
func checkMarkup(t *testing.T, path, page string) {
	t.Helper()
	z := html.NewTokenizer(strings.NewReader(page))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return
		case html.StartTagToken, html.SelfClosingTagToken:
			e := z.Token()
			if !ownElements.MatchString(e.Data) {
				t.Errorf("%s has an element %q", path, e.Data)
			}
			for _, a := range e.Attr {
				if !ownAttributes.MatchString(strings.ToLower(a.Key)) {
					t.Errorf("%s has an attribute %s of %s: %q", path, a.Key, e.Data, a.Val)
				}
				if (a.Key == "href" || a.Key == "src" || a.Key == "action") &&
					(!strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "#") || strings.HasPrefix(a.Val, "//") || strings.ContainsAny(a.Val, " <>'\"\\")) {
					t.Errorf("%s leads to %q", path, a.Val)
				}
			}
			if e.Data == "script" && z.Next() != html.EndTagToken {
				t.Errorf("%s has a script in it", path)
			}
		}
	}
}

// TestPagesAreWhole: with little in it every page says what it is for, and what is on it
// can be reached from every other.
func TestPagesAreWhole(t *testing.T) {
	s := started(t, newFake(), nil)
	want := map[string][]string{
		"/":                           {"The probe is well", "Registrations", "call-start", "Over a limit"},
		"/events":                     {"auth-failed", "over rate", "call-start"},
		"/events?type=call-end":       {"Nothing fits the filter"},
		"/events/blst":                {`value="other-ok" checked`, `value="call-start" aria-label`, "9"},
		"/calls":                      {"sip:alice@example.com", "/calls/call-1@example.com", "/calls/bb"},
		"/calls/aa":                   {"Ladder", "INVITE sip:", "200 OK", "/api/v1/pcap?call=call-1%40example.com", "1.50 s"},
		"/regs":                       {"/regs/sip:alice@example.com"},
		"/regs/sip:alice@example.com": {"sip:alice@192.0.2.1"},
		"/evrateblst":                 {"192.0.2.66", "Events in 1m", "Forget"},
		"/offenders":                  {"192.0.2.66", "2001:db8::/64", "Hold its events"},
		"/alerts?status=new":          {"scan"},
		"/kpi":                        {"97.5", "too few"},
		"/stats":                      {"drops", "short header", "1 more is zero"},
		"/counters?text=short":        {"reason = ", "packet"},
		"/methods?from=-6h&auth=1":    {"last 6 hours", "with"},
		"/config":                     {"ports", "secret"},
		"/config?text=nowhere+at+all": {"No key fits"},
		"/health":                     {"the last packet came 1 s ago"},
		"/inject":                     {"The whole message"},
		"/api/v1/":                    {"openapi.json", "/calls/{id}"},
		"/nowhere":                    {"Not Found"},
		"/events?fate=wrong":          {"sent", "blacklisted"},
	}
	for path, words := range want {
		_, page := ask(t, s, "Accept", "text/html,application/xhtml+xml,*/*;q=0.8").do("GET", path, "")
		for _, w := range words {
			if !strings.Contains(page, w) {
				t.Errorf("%s does not have %q:\n%s", path, w, page)
			}
		}
		if strings.Contains(page, "this-must-not-be-seen") {
			t.Errorf("%s shows a secret", path)
		}
	}
}

// TestPageForms: the forms of the pages do without a script what they say.
func TestPageForms(t *testing.T) {
	f := newFake()
	s := started(t, f, nil)
	post := func(path string, fields url.Values, want string) {
		t.Helper()
		resp, body := ask(t, s, "Accept", "text/html", "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin").do("POST", path, fields.Encode())
		if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != want {
			t.Errorf("POST %s: %d to %q\n%s", path, resp.StatusCode, resp.Header.Get("Location"), body)
		}
	}
	post("/events/blst", url.Values{"_method": {"PUT"}, "types": {"", "msg-probe", "reg-new"}, "next": {"/events/blst#saved"}}, "/events/blst#saved")
	post("/events/blst", url.Values{"_method": {"PUT"}, "types": {""}, "next": {"/events/blst#saved"}}, "/events/blst#saved")
	post("/evrateblst", url.Values{"_method": {"PUT"}, "limits": {"1", "2", "3"}, "report_min": {"10"}, "report_max": {"100"}, "next": {"/evrateblst#saved"}}, "/evrateblst#saved")
	post("/evrateblst?type=auth-failed&source=192.0.2.66", url.Values{"_method": {"DELETE"}, "next": {"/evrateblst#saved"}}, "/evrateblst#saved")
	post("/offenders", url.Values{"source": {"192.0.2.9"}, "reason": {"asked for"}, "lasts": {"24h"}, "next": {"/offenders#saved"}}, "/offenders#saved")
	post("/offenders?source=192.0.2.9", url.Values{"_method": {"DELETE"}, "next": {"/offenders#saved"}}, "/offenders#saved")
	post("/reload", url.Values{"next": {"/config#saved"}}, "/config#saved")
	post("/offenders", url.Values{"source": {"192.0.2.9"}, "next": {"https://example.com/"}}, "/offenders")
	if len(f.said) < 3 || !strings.Contains(f.said[0], "[msg-probe reg-new]") || !strings.HasSuffix(f.said[1], "types []") || !strings.Contains(f.said[2], "[1 2 3]") {
		t.Errorf("changes: %q", f.said)
	}
	f.wrong = errors.New("ports: 70000 is not allowed")
	_, page := ask(t, s, "Accept", "text/html", "Content-Type", "application/x-www-form-urlencoded").do("POST", "/reload", "")
	if !strings.Contains(page, "70000 is not allowed") {
		t.Errorf("a reload that is refused says:\n%s", page)
	}
}

// odd is a Program of which one window of rates is turned off.
type odd struct{ *fake }

func (o odd) Rates(view.Query) (view.RatePage, error) {
	return view.RatePage{Page: view.Page{Total: 1}, Limits: []float64{20, 240, 3600}, Intervals: []string{"1s", "0", "1h"}, Rates: []view.Rate{{Type: "auth-failed", Source: "192.0.2.66",
		Last: noon, Windows: []view.RateWindow{{Interval: "1s", Rate: 11, Limit: 20}, {Interval: "1h", Rate: 33, Limit: 3600}}}}}, nil
}

// TestColumnsOfRates: each number stands below its interval, also where one is off.
func TestColumnsOfRates(t *testing.T) {
	s := started(t, odd{newFake()}, nil)
	table := regexp.MustCompile(`(?s)<thead>(.*?)</thead>\s*<tbody>(.*?)</tbody>`)
	cell := regexp.MustCompile(`<t[hd][^>]*>([^<]*)`)
	for _, path := range []string{"/", "/evrateblst"} {
		_, page := ask(t, s, "Accept", "text/html").do("GET", path, "")
		found := 0
		for _, m := range table.FindAllStringSubmatch(page, -1) {
			head, row := cell.FindAllStringSubmatch(m[1], -1), cell.FindAllStringSubmatch(m[2], -1)
			for i, h := range head {
				if want, ok := map[string]string{"In 1s": "11", "In 0": "?", "In 1h": "33"}[h[1]]; ok {
					found++
					if i >= len(row) || !strings.HasPrefix(row[i][1], want) {
						t.Errorf("%s: no %s below %s in %q", path, want, h[1], row)
					}
				}
			}
		}
		if found != 2 {
			t.Errorf("%s: %d columns", path, found)
		}
	}
}

// TestCommandsOfPages: what a page offers to be copied goes to where the page came from.
func TestCommandsOfPages(t *testing.T) {
	s := started(t, newFake(), nil)
	for path, want := range map[string]string{
		"/events/blst": "curl -X POST '" + s.URL() + "/events/blst?other-ok=1'",
		"/offenders":   "curl -s '" + s.URL() + "/offenders?format=ipset' | ipset restore",
	} {
		if _, page := ask(t, s, "Accept", "text/html").do("GET", path, ""); !strings.Contains(html.UnescapeString(page), want) {
			t.Errorf("%s does not offer %s", path, want)
		}
	}
}

// TestStatic: what pages need is served with its kind, for ever under its version, and
// nothing else is.
func TestStatic(t *testing.T) {
	s := started(t, newFake(), nil)
	_, page := ask(t, s, "Accept", "text/html").do("GET", "/", "")
	found := 0
	for _, m := range regexp.MustCompile(`"(/static/[^"]+)"`).FindAllStringSubmatch(page, -1) {
		found++
		resp, body := ask(t, s).do("GET", m[1], "")
		if resp.StatusCode != 200 || body == "" || !strings.Contains(resp.Header.Get("Cache-Control"), "immutable") || resp.Header.Get("Content-Type") == "" {
			t.Errorf("%s: %d, %v", m[1], resp.StatusCode, resp.Header)
		}
	}
	if found < 5 {
		t.Errorf("only %d files", found)
	}
	for _, path := range []string{"/static/base.html", "/static/..%2fbase.html", "/static/LICENSE", "/static/"} {
		if resp, _ := ask(t, s).do("GET", path, ""); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
}
