package api

import (
	"net/http"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// switches shows the event types with what became of their events.
func (s *pages) switches(w http.ResponseWriter, r *http.Request) {
	types := s.program.Types()
	held := 0
	for _, t := range types {
		if t.Blacklisted {
			held++
		}
	}
	s.render(w, r, http.StatusOK, "types", "Event types", struct {
		Types []view.TypeSwitch
		Held  int
	}{types, held})
}

// over asks for the events of a time until now.
func (s *pages) over(id, caption string, of, step time.Duration) series {
	to := s.program.Now().Truncate(step).Add(step)
	e, err := s.program.EventsOver(to.Add(-of), to, step)
	if err != nil {
		return series{ID: id, Caption: caption, Step: step}
	}
	names, counts := make([]string, len(e.Rows)), make([][]uint64, len(e.Rows))
	for i, row := range e.Rows {
		names[i], counts[i] = row.Type, row.Counts
	}
	return plot(id, caption, e.From, step, names, counts)
}
