package api

import (
	"net/http"

	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// pagesOf makes the pages, by the path of their row. The parameters are checked when one
// is asked; a path that has none gives JSON to everybody.
func pagesOf(s *Server) map[string]http.HandlerFunc { return nil }

// problemPage shows a person an error. It writes the whole answer.
func (s *Server) problemPage(w http.ResponseWriter, r *http.Request, p view.Problem) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(p.Status)
	_, _ = w.Write([]byte(p.Title + ": " + p.Detail + "\n"))
}

// static serves a file that the pages need.
func static(c *call) error { return ErrMissing }
