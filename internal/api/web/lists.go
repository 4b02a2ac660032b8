package api

import (
	"net/http"
	"strings"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// regs lists the bindings.
func (s *pages) regs(w http.ResponseWriter, r *http.Request) {
	q := query(r)
	p, err := s.program.Bindings(q)
	if err != nil {
		s.trouble(w, r, http.StatusBadRequest, err.Error())
		return
	}
	s.render(w, r, http.StatusOK, "regs", "Registrations", struct {
		List     listing
		AORs     int
		Bindings []view.Binding
	}{list(r, q, p.Page, len(p.Bindings), "bindings", "No contact is registered as far as was seen. One shows up here with the first REGISTER that is answered with 200."), p.AORs, p.Bindings})
}

// aor shows the bindings of one address of record.
func (s *pages) aor(w http.ResponseWriter, r *http.Request) {
	aor := r.PathValue("aor")
	all, ok := s.program.Binding(aor)
	if !ok {
		s.trouble(w, r, http.StatusNotFound, "No binding of this address is in memory: it was removed, it ran out, or it was never seen.")
		return
	}
	left := 0
	if len(all) > pageMaxRows {
		all, left = all[:pageMaxRows], len(all)-pageMaxRows
	}
	s.render(w, r, http.StatusOK, "aor", "Registration", struct {
		AOR      string
		Bindings []view.Binding
		Left     int
	}{aor, all, left})
}

// rates shows who sends how many events of which type.
func (s *pages) rates(w http.ResponseWriter, r *http.Request) {
	q := query(r)
	p, err := s.program.Rates(q)
	if err != nil {
		s.trouble(w, r, http.StatusBadRequest, err.Error())
		return
	}
	over := 0
	for _, k := range p.Rates {
		if k.Over {
			over++
		}
	}
	type limit struct {
		Interval string
		Limit    float64
	}
	limits := make([]limit, min(len(p.Limits), len(p.Intervals)))
	for i := range limits {
		limits[i] = limit{p.Intervals[i], p.Limits[i]}
	}
	s.render(w, r, http.StatusOK, "rates", "Rates", struct {
		List   listing
		Page   view.RatePage
		Limits []limit
		Over   int
	}{list(r, q, p.Page, len(p.Rates), "keys", "Nothing was counted yet. A key is an event type of one source; it shows up here with its first event."), p, limits, over})
}

// offenders shows the source blacklist.
func (s *pages) offenders(w http.ResponseWriter, r *http.Request) {
	q := query(r)
	p, err := s.program.Offenders(q)
	if err != nil {
		s.trouble(w, r, http.StatusBadRequest, err.Error())
		return
	}
	s.render(w, r, http.StatusOK, "offenders", "Offenders", struct {
		List      listing
		Offenders []view.Offender
	}{list(r, q, p.Page, len(p.Offenders), "sources", "No source is held. Sources get here by a rate that stays over its limit, by a detection, or by hand with the form below."), p.Offenders})
}

// alerts shows the findings.
func (s *pages) alerts(w http.ResponseWriter, r *http.Request) {
	q := query(r)
	p, err := s.program.Alerts(q)
	if err != nil {
		s.trouble(w, r, http.StatusBadRequest, err.Error())
		return
	}
	s.render(w, r, http.StatusOK, "alerts", "Alerts", struct {
		List   listing
		Alerts []view.Alert
	}{list(r, q, p.Page, len(p.Alerts), "findings", "No findings. Who sends too many events is under Rates, who is held is under Offenders."), p.Alerts})
}

// config shows the running configuration.
func (s *pages) config(w http.ResponseWriter, r *http.Request) {
	v := r.URL.Query()
	text, changed := strings.ToLower(v.Get("text")), v.Get("changed") != ""
	all := s.program.Config()
	var rows []view.Setting
	for _, k := range all {
		if (text == "" || strings.Contains(strings.ToLower(k.Key+" "+k.Meaning), text)) && (!changed || k.Value != k.Default) {
			rows = append(rows, k)
		}
	}
	left := 0
	if len(rows) > mostCounters {
		rows, left = rows[:mostCounters], len(rows)-mostCounters
	}
	s.render(w, r, http.StatusOK, "config", "Configuration", struct {
		Settings []view.Setting
		All      int
		Left     int
		Text     string
		Changed  bool
	}{rows, len(all), left, v.Get("text"), changed})
}

// health shows what the program knows of its own state.
func (s *pages) health(w http.ResponseWriter, r *http.Request) {
	s.render(w, r, http.StatusOK, "health", "Health", struct{ Live, Ready view.Health }{s.program.Live(), s.program.Ready()})
}

// elapsed is the time between two moments, where both are known.
func elapsed(from, to *time.Time) string {
	if from == nil || to == nil || from.IsZero() || to.IsZero() {
		return ""
	}
	return span(to.Sub(*from))
}
