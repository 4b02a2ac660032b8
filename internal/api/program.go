// Package api is the HTTP server: pages for a person, JSON for a program, and the
// changes that can be made while the program runs.
//
// It reads what a Program shows and asks it for changes; it holds no lock of the
// engine while it writes to a client, and knows nothing of libbeat.
package api

import (
	"io"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/metric"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// Program is the running program as the API sees it. Every method may be called by any
// goroutine at any time and takes at most some tens of milliseconds. who, where it is
// asked for, is the client's address for the log.
type Program interface {
	Now() time.Time // the clock of packets: where a file is read, the file's
	Samples(add metric.Adder)
	Libbeat() map[string]any // libbeat's own metrics

	Calls(q view.Query) (view.CallPage, error)
	Call(id string) (view.CallDetail, error) // by id or Call-ID; view.ErrMissing alone, or around a reason
	WriteCapture(callID string, w io.Writer) (messages int, err error)
	Bindings(q view.Query) (view.BindingPage, error)
	Binding(aor string) ([]view.Binding, error) // view.ErrMissing as with Call

	Types() []view.TypeSwitch
	SetTypes(blacklisted []string, who string) error
	SetType(name string, blacklisted bool, who string) error

	Rates(q view.Query) (view.RatePage, error)
	SetLimits(l view.Limits, who string) error
	ForgetRate(typ, source, who string) error

	Offenders(q view.Query) (view.OffenderPage, error)
	Offend(source, reason string, lasts time.Duration, who string) error
	Forgive(source, who string) error
	Alerts(q view.Query) (view.AlertPage, error)

	Methods(q view.MethodQuery) (view.MethodSeries, error)
	EventsOver(from, to time.Time, step time.Duration) (view.EventSeries, error)
	Indicators(q view.Query) ([]view.IndicatorSet, error)

	Config() []view.Setting // secrets masked
	Reload(who string) (view.Reloaded, error)
	Inject(m view.Injected, who string) error

	Live() view.Health  // it runs, whatever it sees
	Ready() view.Health // it does what it is there for
}
