package beater

import (
	"io"
	"time"

	"github.com/elastic/elastic-agent-libs/monitoring"

	"github.com/sipcmbeat/sipcmbeat/internal/api"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// The methods of this file are how the server of the pages sees a run: api.Program. They
// are called by any goroutine. What they give is clear: see masked.
var _ api.Program = (*run)(nil)

// Now is the wall clock where an input is live, else the time of the packets. Where the
// files begin anew (pcap_loop), it is the last one that was counted until a packet comes.
func (r *run) Now() time.Time {
	if !r.live {
		if now := r.engine.Now(); !now.IsZero() {
			return now
		}
		if now := r.count.Now(); now.UnixNano() != 0 {
			return now
		}
	}
	return time.Now().UTC()
}

// Libbeat gives libbeat's own counters: the queue, the output, the process.
func (r *run) Libbeat() map[string]any {
	if r.metrics.stats == nil {
		return map[string]any{}
	}
	all := monitoring.CollectStructSnapshot(r.metrics.stats, monitoring.Full, false)
	kept := map[string]any{}
	for _, name := range []string{"libbeat", "beat", "system"} {
		if part, ok := all[name]; ok {
			kept[name] = part
		}
	}
	return kept
}

// Calls lists calls in memory.
func (r *run) Calls(q view.Query) (view.CallPage, error) { return r.engine.Calls(q) }

// Call is one of them.
func (r *run) Call(id string) (view.CallDetail, error) {
	d, ok := r.engine.Call(id)
	return d, there(ok)
}

// there is what the API takes for a thing that is not there.
func there(ok bool) error {
	if !ok {
		return view.ErrMissing
	}
	return nil
}

// WriteCapture writes the messages of a call.
func (r *run) WriteCapture(callID string, w io.Writer) (messages int, err error) {
	return r.engine.WriteCapture(callID, w, nil)
}

// Bindings lists bindings.
func (r *run) Bindings(q view.Query) (view.BindingPage, error) { return r.engine.Bindings(q) }

// Binding is the contacts of an AOR.
func (r *run) Binding(aor string) ([]view.Binding, error) {
	all, ok := r.engine.Binding(aor)
	return all, there(ok)
}

// Types are the event types with what became of their events.
func (r *run) Types() []view.TypeSwitch { return r.limit.Types() }

// SetTypes holds these types back and no others.
func (r *run) SetTypes(blacklisted []string, who string) error {
	return r.limit.SetTypes(blacklisted, who)
}

// SetType holds one type back, or lets it leave.
func (r *run) SetType(name string, blacklisted bool, who string) error {
	return r.limit.SetType(name, blacklisted, who)
}

// Rates lists the rates.
func (r *run) Rates(q view.Query) (view.RatePage, error) { return r.limit.Rates(q) }

// SetLimits changes limits.
func (r *run) SetLimits(l view.Limits, who string) error { return r.limit.SetLimits(l, who) }

// ForgetRate lets a rate begin anew.
func (r *run) ForgetRate(typ, source, who string) error {
	return r.limit.ForgetRate(typ, source, who)
}

// Offenders lists the source blacklist.
func (r *run) Offenders(q view.Query) (view.OffenderPage, error) { return r.limit.Offenders(q) }

// Offend puts a source on it.
func (r *run) Offend(source, reason string, lasts time.Duration, who string) error {
	return r.limit.Offend(source, reason, lasts, who)
}

// Forgive takes a source off it.
func (r *run) Forgive(source, who string) error { return r.limit.Forgive(source, who) }

// Alerts lists findings: there are no detections yet.
func (r *run) Alerts(q view.Query) (view.AlertPage, error) { return view.AlertPage{}, nil }

// Methods are messages by minute.
func (r *run) Methods(q view.MethodQuery) (view.MethodSeries, error) { return r.count.Methods(q) }

// EventsOver are events by minute.
func (r *run) EventsOver(from, to time.Time, step time.Duration) (view.EventSeries, error) {
	return r.count.EventsOver(from, to, step)
}

// Indicators are the indicators of the service.
func (r *run) Indicators(q view.Query) ([]view.IndicatorSet, error) { return r.count.Indicators(q) }

// Config is the running configuration, without secrets.
func (r *run) Config() []view.Setting { return r.now().Settings() }

// Live tells whether the run goes on at all.
func (r *run) Live() view.Health { return healthOf(r.lanesCheck(time.Now())) }

// Ready tells whether it does what it is there for.
func (r *run) Ready() view.Health { return healthOf(r.checks(time.Now())...) }
