package api

import (
	"bytes"
	_ "embed"
	"fmt"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/api/web"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// overview gathers what a person looks at first.
func overview(c *call) (any, error) {
	p := c.s.program
	now := p.Now()
	o := view.Overview{Time: now, Health: p.Ready(), Types: some(p.Types()), Losses: []view.Counter{}, Links: c.s.paths(), Version: c.s.cfg.Version, Started: c.s.began.UTC(), Inject: c.s.cfg.Inject}
	o.Health.Checks = some(o.Health.Checks)
	one := view.Query{Limit: 1}
	if page, err := p.Calls(one); err == nil {
		o.Calls = page.Total
	}
	if page, err := p.Bindings(one); err == nil {
		o.AORs, o.Bindings = page.AORs, page.Total
	}
	if page, err := p.Rates(view.Query{Limit: web.MostOver, State: "over"}); err == nil {
		o.Over = page.Rates
	}
	o.Over = some(o.Over)
	if page, err := p.Offenders(one); err == nil {
		o.Offended = page.Total
	}
	if series, err := p.EventsOver(now.Add(-time.Hour), now, time.Minute); err == nil {
		o.Hour = series
	}
	o.Hour.Rows = some(o.Hour.Rows)
	for _, n := range c.s.counters().Counters {
		if n.N > 0 && slices.Contains(losses, n.Name) {
			o.Losses = append(o.Losses, n)
		}
		switch n.Name {
		case "calls":
			up := int(n.N)
			o.Up = &up
		case "messages":
			o.Messages = plus(o.Messages, n.Rate)
		case "events_made":
			o.Events = plus(o.Events, n.Rate)
		}
	}
	for i := range c.s.count.requests {
		o.Requests += c.s.count.requests[i].Load()
	}
	return o, nil
}

// losses are the counters of what should have been seen, kept or sent.
var losses = []string{
	"kernel_drops", "interface_drops", "frame_faults", "fragmented_evicted", "stream_bytes_lost", "tcp_evicted", "tcp_given_up", "tcp_hole_bytes",
	"sctp_evicted", "track_evicted", "loss_missing", "queue_dropped", "output_failed", "kpi_windows_lost", "dump_dropped", "dump_refused", "dump_full",
	"dump_unwritten", "hep_output_full", "hep_output_failed", "http_faults",
}

// plus adds to a sum that is nil as long as nothing is known.
func plus(sum, n *float64) *float64 {
	if sum == nil || n == nil {
		return n
	}
	both := *sum + *n
	return &both
}

func lastEvents(c *call) (any, error) { return newReader(c.s.events, c.wanted()).page(c.query()) }

func types(c *call) (any, error) { return view.TypeList{Types: some(c.s.program.Types())}, nil }

// some is an empty list in place of null.
func some[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func calls(c *call) (any, error) {
	p, err := c.s.program.Calls(c.query())
	p.Calls = some(p.Calls)
	return p, err
}

func oneCall(c *call) (any, error) {
	d, err := c.s.program.Call(c.text("id"))
	if err == view.ErrMissing {
		err = fmt.Errorf("the call %q is %w: it has ended long ago, or was never seen", cut(c.text("id")), view.ErrMissing)
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

// maxPcap bounds a capture file that is made in memory before it is sent, so that a slow
// client holds nothing of the engine.
const maxPcap = 64 << 20

type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxPcap {
		return 0, fmt.Errorf("the capture would be longer than %d MiB", maxPcap>>20)
	}
	return b.Buffer.Write(p)
}

func pcap(c *call) error {
	var b bounded
	n, err := c.s.program.WriteCapture(c.text("call"), &b)
	if err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("messages of the call %q are %w", cut(c.text("call")), view.ErrMissing)
	}
	c.w.Header().Set("Content-Disposition", `attachment; filename="call.pcap"`)
	c.write(http.StatusOK, "application/vnd.tcpdump.pcap", b.Bytes())
	return nil
}

func bindings(c *call) (any, error) {
	p, err := c.s.program.Bindings(c.query())
	p.Bindings = some(p.Bindings)
	return p, err
}

func oneBinding(c *call) (any, error) {
	all, err := c.s.program.Binding(c.text("aor"))
	if err == view.ErrMissing {
		err = fmt.Errorf("%q is %w: nobody is registered there, as far as was seen", cut(c.text("aor")), view.ErrMissing)
	}
	if err != nil {
		return nil, err
	}
	return view.Bindings{AOR: c.text("aor"), Bindings: all}, nil
}

func rateList(c *call) (any, error) {
	p, err := c.s.program.Rates(c.query())
	p.Rates, p.Limits, p.Intervals = some(p.Rates), some(p.Limits), some(p.Intervals)
	return p, err
}

func alerts(c *call) (any, error) {
	q := c.query()
	q.State = c.text("status")
	p, err := c.s.program.Alerts(q)
	p.Alerts = some(p.Alerts)
	return p, err
}

// offenders are a page of them, or all in a form for other programs.
func offenders(c *call) (any, error) {
	format := c.text("format")
	if format == "" && !c.page && accepts(c.r, "text/plain") && !accepts(c.r, "application/json") {
		format = "plain"
	}
	if format == "plain" || format == "ipset" {
		return c.plainOffenders(format)
	}
	c.page = c.page && format == ""
	p, err := c.s.program.Offenders(c.query())
	p.Offenders = some(p.Offenders)
	return p, err
}

// plain is an answer that is text.
type plain string

// plainOffenders is one source a line, or what ipset restore reads: two sets, since one
// has addresses of one family.
func (c *call) plainOffenders(format string) (any, error) {
	if m := c.s.cfg.masker(); m != nil && m.Private(event.Addresses) {
		return nil, refuse(http.StatusUnprocessableEntity,
			"addresses are private (privacy.addresses): a list of masked ones would make a firewall block whom it does not mean",
			"format=json, with masked addresses", "privacy.addresses: clear")
	}
	var b, lines strings.Builder
	if format == "ipset" {
		for _, set := range []string{"sipcmbeat4 hash:net family inet", "sipcmbeat6 hash:net family inet6"} {
			fmt.Fprintf(&b, "create %s -exist\n", set)
		}
		b.WriteString("flush sipcmbeat4\nflush sipcmbeat6\n")
	}
	q := c.query()
	q.All = true // a page after another would leave out who has been active in between
	p, err := c.s.program.Offenders(q)
	if err != nil {
		return nil, err
	}
	for _, o := range p.Offenders {
		net, err := netip.ParsePrefix(o.Source)
		if a, wrong := netip.ParseAddr(o.Source); wrong == nil {
			net, err = netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), nil
		}
		switch {
		case err != nil:
		case format == "plain":
			fmt.Fprintln(&lines, o.Source)
		case net.Addr().Is4():
			fmt.Fprintf(&lines, "add sipcmbeat4 %s -exist\n", o.Source)
		default:
			fmt.Fprintf(&lines, "add sipcmbeat6 %s -exist\n", o.Source)
		}
	}
	return plain(b.String() + lines.String()), nil
}

func indicators(c *call) (any, error) {
	q := c.query()
	q.Source, q.State = c.text("peer"), c.text("window")
	sets, err := c.s.program.Indicators(q)
	return view.Indicators{Sets: some(sets)}, err
}

// wholeMinutes reads step.
func (c *call) wholeMinutes() (time.Duration, error) {
	d := c.duration("step")
	if d%time.Minute != 0 || d > 24*time.Hour {
		return 0, refuse(http.StatusBadRequest, fmt.Sprintf("step: %v is not allowed", d), "whole minutes, 24h at most")
	}
	return d, nil
}

func methods(c *call) (any, error) {
	step, err := c.wholeMinutes()
	if err != nil {
		return nil, err
	}
	s, err := c.s.program.Methods(view.MethodQuery{Method: c.text("method"), CSeq: c.text("cseq"), Auth: c.flag("auth"), ToTag: c.flag("totag"),
		From: c.moment("from"), To: c.moment("to"), Step: step})
	s.Rows = some(s.Rows)
	return s, err
}

func eventsOver(c *call) (any, error) {
	step, err := c.wholeMinutes()
	if err != nil {
		return nil, err
	}
	now := c.s.program.Now()
	begin, end := c.moment("from"), c.moment("to")
	if end.IsZero() {
		end = now
	}
	if begin.IsZero() {
		begin = end.Add(-time.Hour)
	}
	if step == 0 {
		step = time.Minute
	}
	s, err := c.s.program.EventsOver(begin, end, step)
	s.Rows = some(s.Rows)
	return s, err
}

func stats(c *call) (any, error)    { return c.s.stats(), nil }
func counters(c *call) (any, error) { return c.s.counters(), nil }

// metrics answers by itself; the header that allows compression is left to it.
func metrics(c *call) error {
	c.s.scraper.ServeHTTP(c.w, c.r)
	return nil
}

// settings are shown without the values of secrets, whatever the Program gave.
func settings(c *call) (any, error) {
	all := some(c.s.program.Config())
	for i := range all {
		if all[i].Secret {
			all[i].Value = ""
		}
	}
	return view.Settings{Settings: all}, nil
}

func injectForm(c *call) (any, error) {
	if !c.s.cfg.Inject {
		return view.Done{Done: "switched off; http.inject: true switches it on"}, nil
	}
	return view.Done{Done: "switched on"}, nil
}

func health(c *call) (any, error) {
	h := c.s.program.Ready()
	h.Checks = some(h.Checks)
	return h, nil
}

// health is 200 or 503. Without the token it says no more than that.
func (c *call) health(h view.Health) error {
	h.Checks = some(h.Checks)
	if *c.s.token.Load() != "" && !c.s.hasToken(c.r) {
		h.Checks = []view.Check{}
	}
	status := http.StatusOK
	if !h.OK {
		status = http.StatusServiceUnavailable
	}
	c.json(status, "application/json", h)
	return nil
}

//go:embed openapi.json
var document []byte

func openapi(c *call) error {
	c.write(http.StatusOK, "application/json", document)
	return nil
}

func profiler(c *call) error {
	switch name := c.text("name"); name {
	case "":
		pprof.Index(c.w, c.r)
	case "cmdline":
		return fmt.Errorf("%w: the command line may hold secrets", view.ErrMissing)
	case "profile":
		pprof.Profile(c.w, c.r)
	case "trace":
		pprof.Trace(c.w, c.r)
	case "symbol":
		pprof.Symbol(c.w, c.r)
	default:
		pprof.Handler(name).ServeHTTP(c.w, c.r)
	}
	return nil
}
