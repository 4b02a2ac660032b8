package api

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/metric"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// fake is a Program with something of everything in it, also values as a hostile sender
// makes them.
type fake struct {
	mu      sync.Mutex
	held    map[string]bool
	limits  []float64
	sources []view.Offender
	said    []string // changes
	unready bool
	wrong   error // of Reload
}

const hostile = "<script>alert(1)</script>\x1b[31m\xff\u2028'\"&"

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func newFake() *fake {
	return &fake{held: map[string]bool{"other-ok": true}, limits: []float64{20, 240, 3600},
		sources: []view.Offender{{Source: "192.0.2.66", Origin: "rate", Reason: hostile, First: noon, Last: noon, UserAgents: []string{hostile}},
			{Source: "2001:db8::/64", Origin: "hand", First: noon, Last: noon}}}
}

func (f *fake) did(who, format string, args ...any) {
	f.said = append(f.said, who+" "+fmt.Sprintf(format, args...))
}

func (f *fake) Now() time.Time { return noon }

var fakeFrames = &metric.Desc{Group: "capture", Name: "frames", Kind: metric.Counter, Help: "Frames that were read."}
var fakeDrops = &metric.Desc{Group: "packet", Name: "drops", Kind: metric.Counter, Label: "reason", Help: "Frames without a datagram."}
var fakeEntries = &metric.Desc{Group: "track", Name: "entries", Kind: metric.Gauge, Help: "Calls and transactions in memory."}

func (f *fake) Samples(add metric.Adder) {
	add(fakeFrames, "", 1234)
	add(fakeDrops, "short header", 7)
	add(fakeDrops, "no IP", 0)
	add(fakeEntries, "", 12)
}

func (f *fake) Libbeat() map[string]any {
	return map[string]any{"libbeat": map[string]any{"output": map[string]any{"events": map[string]any{"acked": int64(17)}, "type": "file"}}}
}

func (f *fake) calls() []view.Call {
	return []view.Call{
		{ID: "aa", CallID: "call-1@example.com", State: "confirmed", From: "sip:alice@example.com", To: "sip:bob@example.com", Source: "192.0.2.1:5060", Destination: "192.0.2.2:5060", Transport: "udp", Started: &noon, Answered: &noon},
		{ID: "bb", CallID: hostile, State: "early", From: hostile, UserAgent: hostile, Source: "192.0.2.66:5060", Anomalies: []string{"field-cut"}},
	}
}

func (f *fake) Calls(q view.Query) (view.CallPage, error) {
	if q.Cursor != "" {
		return view.CallPage{}, errors.New("cursor: not one of this list")
	}
	all := f.calls()
	return view.CallPage{Page: view.Page{Total: len(all)}, Calls: all[:min(q.Limit, len(all))]}, nil
}

func (f *fake) Call(id string) (view.CallDetail, error) {
	for _, c := range f.calls() {
		if id == c.ID || id == c.CallID {
			return view.CallDetail{Call: c, Legs: []string{"192.0.2.1", "192.0.2.2"}, Timings: []view.Timing{{Name: "setup", Seconds: 1.5}}, Messages: []view.Message{
				{Time: noon, Source: "192.0.2.1:5060", Dest: "192.0.2.2:5060", Transport: "udp", Line: "INVITE sip:" + hostile + " SIP/2.0", Method: "INVITE", CSeq: "1 INVITE", SDP: true, Bytes: 700},
				{Time: noon.Add(time.Second), Source: "192.0.2.2:5060", Dest: "192.0.2.1:5060", Transport: "udp", Line: "SIP/2.0 200 OK", Method: "INVITE", Code: 200, CSeq: "1 INVITE", Bytes: 500}}}, nil
		}
	}
	return view.CallDetail{}, view.ErrMissing
}

func (f *fake) WriteCapture(callID string, w io.Writer) (int, error) {
	if _, err := f.Call(callID); err != nil {
		return 0, nil
	}
	_, err := w.Write([]byte{0xd4, 0xc3, 0xb2, 0xa1})
	return 1, err
}

func (f *fake) Bindings(q view.Query) (view.BindingPage, error) {
	b, _ := f.Binding("sip:alice@example.com")
	return view.BindingPage{Page: view.Page{Total: 1}, AORs: 1, Bindings: b}, nil
}

func (f *fake) Binding(aor string) ([]view.Binding, error) {
	if aor != "sip:alice@example.com" {
		return nil, view.ErrMissing
	}
	return []view.Binding{{AOR: aor, Contact: "sip:alice@192.0.2.1", State: "registered", UserAgent: hostile, Expires: &noon}}, nil
}

func (f *fake) Types() (all []view.TypeSwitch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for t := event.None + 1; t < event.NumTypes; t++ {
		all = append(all, view.TypeSwitch{Type: t.String(), Meaning: event.Kinds[t].Sentence, Blacklisted: f.held[t.String()], Made: 10, Sent: 9, HeldRate: 1})
	}
	return all
}

func (f *fake) SetTypes(blacklisted []string, who string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.held)
	for _, t := range blacklisted {
		f.held[t] = true
	}
	f.did(who, "types %v", blacklisted)
	return nil
}

func (f *fake) SetType(name string, blacklisted bool, who string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held[name] = blacklisted
	f.did(who, "type %s %v", name, blacklisted)
	return nil
}

func (f *fake) Rates(q view.Query) (view.RatePage, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return view.RatePage{Page: view.Page{Total: 1}, Limits: f.limits, Intervals: []string{"1s", "1m", "1h"}, ReportMin: 100, ReportMax: 10000,
		Rates: []view.Rate{{Type: "auth-failed", Source: "192.0.2.66", Over: true, Since: &noon, Suppressed: 41, Held: 41, Seen: 61, Last: noon,
			Windows: []view.RateWindow{{Interval: "1s", Rate: 61, Limit: 20}}}}}, nil
}

func (f *fake) SetLimits(l view.Limits, who string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l.Limits != nil && len(l.Limits) != 3 {
		return errors.New("evr_limits: 3 are allowed, one for each of evr_intervals")
	}
	f.limits = l.Limits
	f.did(who, "limits %v", l.Limits)
	return nil
}

func (f *fake) ForgetRate(typ, source, who string) error {
	if source != "192.0.2.66" {
		return fmt.Errorf("the rate of %s from %s is %w", typ, source, view.ErrMissing)
	}
	return nil
}

func (f *fake) Offenders(q view.Query) (view.OffenderPage, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return view.OffenderPage{Page: view.Page{Total: len(f.sources)}, Offenders: slices.Clone(f.sources)}, nil
}

func (f *fake) Offend(source, reason string, lasts time.Duration, who string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sources = append(f.sources, view.Offender{Source: source, Origin: "hand", Reason: reason, First: noon, Last: noon})
	return nil
}

func (f *fake) Forgive(source, who string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := len(f.sources)
	f.sources = slices.DeleteFunc(f.sources, func(o view.Offender) bool { return o.Source == source })
	if len(f.sources) == before {
		return fmt.Errorf("%s is %w", source, view.ErrMissing)
	}
	return nil
}

func (f *fake) Alerts(q view.Query) (view.AlertPage, error) {
	return view.AlertPage{Page: view.Page{Total: 1}, Alerts: []view.Alert{{ID: "1", Time: noon, Type: "scan", Status: "new", Source: "192.0.2.66", Message: hostile}}}, nil
}

func (f *fake) Methods(q view.MethodQuery) (view.MethodSeries, error) {
	return view.MethodSeries{From: noon.Add(-time.Hour), To: noon, Step: "1m0s", Rows: []view.MethodCount{{Method: "INVITE", CSeq: "INVITE", Counts: make([]uint64, 60), Total: 0}}}, nil
}

func (f *fake) EventsOver(from, to time.Time, step time.Duration) (view.EventSeries, error) {
	counts := make([]uint64, min(max(int(to.Sub(from)/step), 0), 1440))
	for i := range counts {
		counts[i] = uint64(i % 7)
	}
	return view.EventSeries{From: from, To: to, Step: step.String(), Rows: []view.EventCount{{Type: "call-start", Counts: counts, Total: 180}, {Type: "call-end", Counts: counts, Total: 180}}, Total: 360}, nil
}

func (f *fake) Indicators(q view.Query) ([]view.IndicatorSet, error) {
	v := 97.5
	return []view.IndicatorSet{{From: noon.Add(-time.Minute), To: noon, Indicators: []view.Indicator{
		{Name: "asr", Title: "Answer-seizure ratio", Unit: "%", Value: &v, Numerator: 39, Denominator: 40, Source: "ITU-T E.411"},
		{Name: "ner", Title: "Network effectiveness ratio", Unit: "%", Numerator: 1, Denominator: 2, Source: "ITU-T E.425"}}}}, nil
}

func (f *fake) Config() []view.Setting {
	return []view.Setting{{Key: "ports", Value: "[5060, 5080]", Default: "[5060, 5080]", Meaning: "The SIP ports."},
		{Key: "http.auth.token", Value: "this-must-not-be-seen", Meaning: "Who knows it may ask.", Secret: true}}
}

func (f *fake) Reload(who string) (view.Reloaded, error) {
	return view.Reloaded{Changed: []string{"event_types_blst"}}, f.wrong
}

func (f *fake) Inject(m view.Injected, who string) error {
	if _, err := netip.ParseAddrPort(m.Source); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.did(who, "inject %d bytes", len(m.Message))
	return nil
}

func (f *fake) Live() view.Health {
	return view.Health{OK: true, Checks: []view.Check{{Name: "lanes", OK: true, Detail: "every live input goes on"}}}
}

func (f *fake) Ready() view.Health {
	return view.Health{OK: !f.unready, Checks: []view.Check{{Name: "packets", OK: !f.unready, Detail: "the last packet came 1 s ago"}}}
}

// faulty fails on one question.
type faulty struct{ *fake }

func (faulty) Indicators(view.Query) ([]view.IndicatorSet, error) { panic("a fault") }
