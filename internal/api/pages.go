package api

import (
	"net/http"
	"strconv"

	"github.com/sipcmbeat/sipcmbeat/internal/api/web"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// pagesOf makes the pages, by the path of their row: what the row gives to a program is
// shown to a person. The parameters are checked when one is asked; a path that has none
// gives JSON to everybody.
func pagesOf(s *Server) map[string]http.HandlerFunc {
	listed := make([]web.Route, len(s.routes))
	for i, row := range s.routes {
		listed[i] = web.Route{Method: row.Method, Path: row.Path, Twin: row.Twin, Summary: row.Summary, Example: row.Example}
	}
	s.site = web.New(s.program, listed, s.cfg.Inject)
	all := map[string]http.HandlerFunc{}
	for i := range s.routes {
		if row := &s.routes[i]; row.Page {
			all[row.Path] = func(w http.ResponseWriter, r *http.Request) { s.page(w, r, row) }
		}
	}
	return all
}

// page lets a row answer, and shows that.
func (s *Server) page(w http.ResponseWriter, r *http.Request, row *Route) {
	c := s.call(w, r, row)
	c.page, c.values = true, r.URL.Query()
	for _, p := range row.Params {
		switch {
		case p.In == "path":
			c.values.Set(p.Name, r.PathValue(p.Name))
		case p.Name == limitParam.Name: // a page stays short, whatever a program may ask for
			n, err := strconv.Atoi(c.values.Get(p.Name))
			if err != nil || n < 1 || n > web.Rows {
				n = web.Rows
			}
			c.values.Set(p.Name, strconv.Itoa(n))
		}
	}
	answer, err := c.shown()
	if err != nil {
		c.fail(err)
		return
	}
	if text, ok := answer.(plain); ok { // a form was asked for that is for programs
		c.write(http.StatusOK, "text/plain; charset=utf-8", []byte(text))
		return
	}
	if !c.page { // the row was asked for JSON by name
		c.json(http.StatusOK, "application/json", answer)
		return
	}
	html, err := s.site.Page(row.Path, r, answer)
	if err != nil {
		s.fault("the page %s was not made: %v", row.Path, err)
		c.fail(refuse(http.StatusInternalServerError, "a fault of this program; the log has it"))
		return
	}
	c.write(http.StatusOK, "text/html; charset=utf-8", html)
}

// shown is what a page shows: the answer of its row, but for a few.
func (c *call) shown() (any, error) {
	switch c.row.Path {
	case "/stats": // with the rates, which the row has no place for
		return c.s.counters(), nil
	case "/methods":
		if c.text("from") == "" {
			c.values.Set("from", "-1h")
		}
		if c.text("step") == "" {
			c.values.Set("step", steps[c.text("from")])
		}
	}
	if c.row.do == nil {
		return nil, nil
	}
	return c.row.do(c)
}

// steps are those of the spans that the page of messages offers.
var steps = map[string]string{"-1h": "1m", "-6h": "5m", "-24h": "15m"}

// problemPage shows a person an error. It writes the whole answer.
func (s *Server) problemPage(w http.ResponseWriter, r *http.Request, p view.Problem) {
	html, err := s.site.Problem(r, p)
	if err != nil {
		http.Error(w, p.Title+": "+p.Detail, p.Status)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(html)))
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(html) // who has gone away misses it
	}
}

// static serves a file that the pages need.
func static(c *call) error {
	if !c.s.site.Static(c.w, c.r, c.text("name")) {
		return view.ErrMissing
	}
	return nil
}
