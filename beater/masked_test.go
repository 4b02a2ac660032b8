package beater

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap/zaptest/observer"

	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/logp/logptest"

	"github.com/sipcmbeat/sipcmbeat/config"
	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// namedThere are what the messages below name.
var namedThere = []string{"198.51.100.23", "203.0.113.9", "alice-liddell", "4930555777", "secret-pbx.example", "private-call-4711", "private-reg-4712", "from-tag-77", "Snom-Private"}

func secretMessage(first, id, more string) string {
	return first + "\nVia: SIP/2.0/UDP 198.51.100.23;branch=z9hG4bK" + id + "\nFrom: \"alice-liddell\" <sip:alice-liddell@secret-pbx.example>;tag=from-tag-77\n" +
		"To: <sip:+4930555777@secret-pbx.example>" + more + "\nCall-ID: " + id + "@198.51.100.23\nCSeq: 1 " + strings.Fields(first + " REGISTER x")[0] + "\n" +
		"Contact: <sip:alice-liddell@198.51.100.23>;expires=60\nUser-Agent: Snom-Private/1.0\nMax-Forwards: 70\nContent-Length: 0\n\n"
}

// private starts a run whose pages mask everything in one way, with a call and a
// registration in memory.
func private(t *testing.T, mode, more string) (r *run, logs *observer.ObservedLogs, end func(), base string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	text := calls + fmt.Sprintf("run_forever: true\nevent_types_blst: none\nhttp_port: %d\nhttp.inject: true\nprivacy.key: %s\n", port, strings.Repeat("0123456789abcdef", 4)) + more
	for _, g := range []string{"addresses", "uris", "numbers", "call_ids", "user_agents", "geo", "errors", "tags"} {
		text += fmt.Sprintf("privacy.%s: %s\n", g, mode)
	}
	section, err := conf.NewConfigFrom(text)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.New(section)
	if err != nil {
		t.Fatal(err)
	}
	p := newPipe(true)
	log, logs := logptest.NewTestingLoggerWithObserver(t, "")
	r, signals, done := startWith(t, p, cfg, log)
	for n := 0; n < 80; n = p.count() {
		<-p.got
	}
	for _, m := range []string{
		secretMessage("INVITE sip:+4930555777@secret-pbx.example SIP/2.0", "private-call-4711", ""),
		secretMessage("REGISTER sip:secret-pbx.example SIP/2.0", "private-reg-4712", ""),
	} {
		if err := r.Inject(view.Injected{Message: m, Source: "198.51.100.23:5060", Destination: "203.0.113.9:5060"}, "a test"); err != nil {
			t.Fatal(err)
		}
		// What is put in by hand is not kept for ladders; what is captured is.
		seen := packet.Packet{Time: time.Now().UnixNano(), Src: netip.MustParseAddrPort("198.51.100.23:5060"), Dst: netip.MustParseAddrPort("203.0.113.9:5060"),
			Transport: packet.UDP, Payload: []byte(strings.ReplaceAll(m, "\n", "\r\n"))}
		var parsed sip.Message
		parsed.Parse(seen.Payload, false)
		r.cfg.Engine.Recent.Message(&seen, &parsed)
	}
	ok := strings.Replace(secretMessage("SIP/2.0 200 OK", "private-reg-4712", ";tag=x"), "CSeq: 1 SIP/2.0", "CSeq: 1 REGISTER", 1)
	if err := r.Inject(view.Injected{Message: ok, Source: "203.0.113.9:5060", Destination: "198.51.100.23:5060"}, "a test"); err != nil {
		t.Fatal(err)
	}
	for n := 0; n < 81; n = p.count() {
		<-p.got
	}
	return r, logs, func() {
		signals <- syscall.SIGTERM
		if err := result(t, done); err != nil {
			t.Error(err)
		}
	}, fmt.Sprintf("http://127.0.0.1:%d", port)
}

func fetch(t *testing.T, path, accept string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func leaks(t *testing.T, where, text string) {
	t.Helper()
	for _, s := range namedThere {
		if strings.Contains(text, s) {
			t.Errorf("%s has %q in it", where, s)
		}
	}
}

// TestPagesAreMasked: no page, no form of it, no capture file and no line of the log namedThere
// anybody; and what is shown can be asked for.
func TestPagesAreMasked(t *testing.T) {
	for _, mode := range []string{"encrypt", "hmac", "redact"} {
		t.Run(mode, func(t *testing.T) {
			r, logs, end, base := private(t, mode, "")
			if err := r.limit.Offend("198.51.100.23", "by a test", 0, "a test"); err != nil {
				t.Fatal(err)
			}
			var found view.CallPage
			_, text := fetch(t, base+"/calls?limit=1", "application/json")
			if err := json.Unmarshal([]byte(text), &found); err != nil || len(found.Calls) != 1 || found.Calls[0].ID == "" {
				t.Fatalf("%v %s", err, text)
			}
			call := found.Calls[0]
			for _, path := range []string{"/", "/events?limit=1000", "/calls?limit=1000", "/calls/" + call.ID, "/regs?limit=1000", "/evrateblst", "/offenders", "/alerts", "/kpi",
				"/stats", "/counters", "/metrics", "/methods", "/config", "/health", "/api/v1/pcap?call=" + call.ID} {
				for _, accept := range []string{"application/json", "text/html"} {
					status, text := fetch(t, base+path, accept)
					if leaks(t, path, text); status != http.StatusOK {
						t.Errorf("%s: %d %.300s", path, status, text)
					}
				}
			}
			if mode != "redact" {
				asked(t, base, call)
			}
			refused(t, base)
			noFirewall(t, base)
			end()
			if logs.FilterMessageSnippet("put in by hand").Len() == 0 || logs.FilterMessageSnippet("source blacklist").Len() == 0 {
				t.Error("the log does not say what was done")
			}
			for _, line := range logs.All() {
				leaks(t, "the log", line.Message)
			}
		})
	}
}

// asked: what a page shows leads to what it is about.
func asked(t *testing.T, base string, call view.Call) {
	var d view.CallDetail
	for _, id := range []string{call.ID, call.CallID} {
		_, text := fetch(t, base+"/calls/"+url.PathEscape(id), "application/json")
		if err := json.Unmarshal([]byte(text), &d); err != nil || d.CallID != call.CallID || len(d.Messages) != 1 || !strings.HasPrefix(d.Messages[0].Line, "INVITE sip:") {
			t.Errorf("%s: %v %.300s", id, err, text)
		}
	}
	var regs view.BindingPage
	_, text := fetch(t, base+"/regs", "application/json")
	if err := json.Unmarshal([]byte(text), &regs); err != nil || len(regs.Bindings) != 1 {
		t.Fatalf("%v %s", err, text)
	}
	if status, text := fetch(t, base+"/regs/"+url.PathEscape(regs.Bindings[0].AOR), "application/json"); status != http.StatusOK {
		t.Errorf("%d %s", status, text)
	}
	source := netip.MustParseAddrPort(call.Source).Addr().String()
	for _, query := range []string{"text=" + url.QueryEscape(call.CallID), "text=" + url.QueryEscape(call.From)} {
		var found view.CallPage
		_, text := fetch(t, base+"/calls?"+query, "application/json")
		if err := json.Unmarshal([]byte(text), &found); err != nil || len(found.Calls) != 1 || found.Calls[0].ID != call.ID {
			t.Errorf("%s: %v %.300s", query, err, text)
		}
	}
	var offenders view.OffenderPage
	_, text = fetch(t, base+"/offenders?source="+source, "application/json")
	if err := json.Unmarshal([]byte(text), &offenders); err != nil || len(offenders.Offenders) != 1 || offenders.Offenders[0].Source != source {
		t.Errorf("%v %s", err, text)
	}
	var events view.EventPage
	_, text = fetch(t, base+"/events?source="+source, "application/json")
	if err := json.Unmarshal([]byte(text), &events); err != nil || len(events.Events) == 0 || !strings.Contains(string(events.Events[0].Record), source) {
		t.Errorf("%v %s", err, text)
	}
	req, _ := http.NewRequest(http.MethodDelete, base+"/offenders?source="+source, nil)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	if leaks(t, "DELETE /offenders", string(b)); resp.StatusCode != http.StatusOK {
		t.Errorf("%d %s", resp.StatusCode, b)
	}
}

// refused: who knows a clear value does not learn whether it is there.
func refused(t *testing.T, base string) {
	for path, want := range map[string]string{
		"/calls/private-call-4711@198.51.100.23":            "404 privacy.call_ids masks it",
		"/api/v1/pcap?call=private-call-4711@198.51.100.23": "404 privacy.call_ids masks it",
		"/regs/sip:+4930555777@secret-pbx.example":          "404 privacy.uris masks it",
		"/calls?text=alice-liddell":                         "400 is not allowed while privacy.call_ids masks",
		"/regs?text=alice-liddell":                          "400 is not allowed while",
		"/offenders?format=plain":                           "422 addresses are private",
		"/offenders?format=ipset":                           "422 addresses are private",
		"/evrateblst?text=198.51":                           "400 is not allowed while privacy.addresses masks",
		"/kpi?text=198.51":                                  "400 is not allowed while privacy.addresses masks",
	} {
		status, text := fetch(t, base+path, "application/json")
		code, reason, _ := strings.Cut(want, " ")
		if fmt.Sprint(status) != code || !strings.Contains(text, reason) {
			t.Errorf("%s: %d %s, want %s", path, status, text, want)
		}
	}
}

// noFirewall: the page of offenders offers no list that is refused.
func noFirewall(t *testing.T, base string) {
	_, text := fetch(t, base+"/offenders", "text/html")
	if strings.Contains(text, "format=ipset") || !strings.Contains(text, "sipcmbeat encrypt") {
		t.Error("the page of offenders is that of clear addresses")
	}
}

// TestClearCapture: pcap_dump.clear: true is meant for the capture of a call too.
func TestClearCapture(t *testing.T) {
	_, _, end, base := private(t, "encrypt", "pcap_dump.clear: true\n")
	var found view.CallPage
	_, text := fetch(t, base+"/calls?limit=1", "application/json")
	if err := json.Unmarshal([]byte(text), &found); err != nil || len(found.Calls) != 1 {
		t.Fatalf("%v %s", err, text)
	}
	if _, text := fetch(t, base+"/api/v1/pcap?call="+found.Calls[0].ID, "*/*"); !strings.Contains(text, "alice-liddell") {
		t.Errorf("%q", text)
	}
	end()
}

// TestRefusalsAreMasked: who sends HEP and may not is told of by a masked address.
func TestRefusalsAreMasked(t *testing.T) {
	r := &run{}
	section, _ := conf.NewConfigFrom("privacy.addresses: encrypt\nprivacy.key: " + strings.Repeat("0123456789abcdef", 4))
	cfg, err := config.New(section)
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := cfg.Sealer(nil)
	if err != nil {
		t.Fatal(err)
	}
	refusal := capture.Refusal{Peer: netip.MustParseAddr("198.51.100.23"), Why: capture.WrongKey, Count: 1}
	if got := refusedLine("x", refusal, r.masker); !strings.Contains(got, "198.51.100.23") {
		t.Error(got)
	}
	r.sealer.Store(sealer)
	if got := refusedLine("x", refusal, r.masker); strings.Contains(got, "198.51.100.23") || !strings.Contains(got, sealer.Addr(refusal.Peer).String()) {
		t.Error(got)
	}
}
