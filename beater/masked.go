package beater

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/api"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/privacy"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// masked is a run as the pages see it: while something is private, what it gives is masked,
// and what it is asked for is opened.
type masked struct {
	*run
	last atomic.Pointer[privacy.Pages]
}

var _ api.Program = (*masked)(nil)

// pages are those of the sealer of now, nil where nothing is private: they take
// everything as it is.
func (s *masked) pages() *privacy.Pages {
	sealer := s.sealer.Load()
	if sealer == nil {
		return nil
	}
	p := s.last.Load()
	if p == nil || !p.Of(sealer) { // the first, or another since a reload
		p = privacy.NewPages(sealer)
		s.last.Store(p)
	}
	return p
}

// note knows an event again that was shown.
func (s *masked) note(clear, hidden *event.Event) { s.pages().Shown(clear, hidden) }

// who are the groups that lists of calls and bindings show.
var who = []event.Group{event.CallIDs, event.URIs, event.Numbers, event.Addresses, event.UserAgents, event.Tags}

// ask opens what a list is asked for.
func (s *masked) ask(q *view.Query, text func(string) (string, error)) (err error) {
	if q.Source, err = s.pages().Source(q.Source); err != nil {
		return fmt.Errorf("source: %w", err)
	}
	q.Text, err = text(q.Text)
	return err
}

// anybody looks for whom a text names.
func (s *masked) anybody(text string) (string, error) { return s.pages().Text(text, who...) }

// missing is the answer to an id that says nothing here.
func missing(what, id string, why error) error {
	return fmt.Errorf("the %s %.100q is %w: %w", what, id, view.ErrMissing, why)
}

// Calls lists calls in memory.
func (s *masked) Calls(q view.Query) (view.CallPage, error) {
	if err := s.ask(&q, s.anybody); err != nil {
		return view.CallPage{}, err
	}
	page, err := s.run.Calls(q)
	s.pages().Show(&page)
	return page, err
}

// Call is one of them.
func (s *masked) Call(id string) (view.CallDetail, error) {
	clear, err := s.pages().ID(id)
	if err != nil {
		return view.CallDetail{}, missing("call", id, err)
	}
	d, err := s.run.Call(clear)
	s.pages().Show(&d)
	return d, err
}

// WriteCapture writes the messages of a call.
func (s *masked) WriteCapture(callID string, w io.Writer) (messages int, err error) {
	clear, err := s.pages().ID(callID)
	if err != nil {
		return 0, missing("call", callID, err)
	}
	by := s.fileMask()
	if isTrue(s.cfg.Keys.PcapDump.Clear) {
		by = nil
	}
	return s.engine.WriteCapture(clear, w, by)
}

// Bindings lists bindings.
func (s *masked) Bindings(q view.Query) (view.BindingPage, error) {
	if err := s.ask(&q, s.anybody); err != nil {
		return view.BindingPage{}, err
	}
	page, err := s.run.Bindings(q)
	s.pages().Show(&page)
	return page, err
}

// Binding is the contacts of an AOR.
func (s *masked) Binding(aor string) ([]view.Binding, error) {
	clear, err := s.pages().AOR(aor)
	if err != nil {
		return nil, missing("address of record", aor, err)
	}
	all, err := s.run.Binding(clear)
	s.pages().Show(&all)
	return all, err
}

// isType tells whether the name of an event type contains a text.
func isType(text string) bool {
	for t := event.None + 1; t < event.NumTypes; t++ {
		if strings.Contains(t.String(), text) {
			return true
		}
	}
	return false
}

// Rates lists the rates.
func (s *masked) Rates(q view.Query) (view.RatePage, error) {
	if err := s.ask(&q, func(text string) (string, error) { return s.pages().Word(text, isType) }); err != nil {
		return view.RatePage{}, err
	}
	page, err := s.run.Rates(q)
	s.pages().Show(&page)
	return page, err
}

// ForgetRate lets a rate begin anew.
func (s *masked) ForgetRate(typ, source, who string) error {
	return s.about(source, func(clear string) error { return s.run.ForgetRate(typ, clear, who) })
}

// about does something with a source that is named as pages show it.
func (s *masked) about(source string, do func(clear string) error) error {
	clear, err := s.pages().Source(source)
	if err != nil {
		return fmt.Errorf("source: %w", err)
	}
	if err = do(clear); err != nil && clear != source { // it may quote what it was asked for
		return errors.New(strings.ReplaceAll(err.Error(), clear, source))
	}
	return err
}

// Offenders lists the source blacklist.
func (s *masked) Offenders(q view.Query) (view.OffenderPage, error) {
	text := func(text string) (string, error) { return s.pages().Text(text, event.Addresses, event.UserAgents) }
	if err := s.ask(&q, text); err != nil {
		return view.OffenderPage{}, err
	}
	page, err := s.run.Offenders(q)
	s.pages().Show(&page)
	if sealer := s.sealer.Load(); sealer != nil {
		page.Masked = sealer.Private(event.Addresses)
	}
	return page, err
}

// Offend puts a source on it.
func (s *masked) Offend(source, reason string, lasts time.Duration, who string) error {
	return s.about(source, func(clear string) error { return s.run.Offend(clear, reason, lasts, who) })
}

// Forgive takes a source off it.
func (s *masked) Forgive(source, who string) error {
	return s.about(source, func(clear string) error { return s.run.Forgive(clear, who) })
}

// Alerts lists findings.
func (s *masked) Alerts(q view.Query) (view.AlertPage, error) {
	if err := s.ask(&q, s.anybody); err != nil {
		return view.AlertPage{}, err
	}
	page, err := s.run.Alerts(q)
	s.pages().Show(&page)
	return page, err
}

// Indicators are the indicators of the service. Names of trunks are the operator's own.
func (s *masked) Indicators(q view.Query) ([]view.IndicatorSet, error) {
	named := func(text string) (string, error) { return s.pages().Word(text, func(string) bool { return true }) }
	if err := s.ask(&q, named); err != nil {
		return nil, err
	}
	sets, err := s.run.Indicators(q)
	s.pages().Show(&sets)
	return sets, err
}
