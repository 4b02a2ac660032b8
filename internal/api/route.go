package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/sipcmbeat/sipcmbeat/internal/api/web"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// Route is a row of the table of Routes: one method of one path. The server, the
// OpenAPI document and docs/http.md are made of it.
type Route struct {
	Method  string
	Path    string // a pattern of http.ServeMux, without the method
	Twin    string // a path that always gives JSON
	Summary string
	Params  []Param
	Body    any      // of a change: a value of the type, which a form can have too; nil is none
	Answer  any      // a value of the type; nil where only Media says what it is
	Media   []string // further forms of the answer
	Page    bool     // a person is shown a page
	Changes bool
	Open    bool   // needs no token
	Fails   int    // a status besides 200 whose answer is no Problem
	Example string // of a change: what a person writes behind curl; of a method that is not allowed it is the right form

	do   func(c *call) (any, error) // gives the answer
	send func(c *call) error        // or writes it, where it is not JSON
}

// Param is a parameter of a Route.
type Param struct {
	Name    string
	In      string // path, query
	Kind    Kind
	Enum    []string
	Min     int
	Max     int  // of Whole; of Text its length
	Need    bool // it has to be there
	Meaning string
}

// PlainPath is Path without what only http.ServeMux understands.
func (row *Route) PlainPath() string { return plainPath(row.Path) }

// Paths are the path and the twin.
func (row *Route) Paths() []string {
	if row.Twin == "" {
		return []string{row.PlainPath()}
	}
	return []string{row.PlainPath(), row.Twin}
}

func plainPath(path string) string {
	return strings.TrimSuffix(strings.Replace(path, "...}", "}", 1), "{$}")
}

// Kind is what a parameter looks like.
type Kind uint8

// The kinds.
const (
	Text     Kind = iota
	Word          // one of Enum
	Whole         // Min to Max
	Flag          // 0, 1, true, false
	Moment        // RFC 3339, or seconds since 1970, or a duration before now such as -1h
	Duration      // 1m, 1h30m
	Address       // an address or a network
)

// MaxParam is how many bytes the value of a text may have that has no Max.
const MaxParam = 512

// Allowed says it in words.
func (p Param) Allowed() string {
	switch p.Kind {
	case Word:
		return strings.Join(p.Enum, ", ")
	case Whole:
		return fmt.Sprintf("%d to %d", p.Min, p.Max)
	case Flag:
		return "0, 1"
	case Moment:
		return "a time"
	case Duration:
		return "a duration"
	case Address:
		return "an address or a network"
	case Text:
	}
	return "text"
}

// call is one request on its way.
type call struct {
	s      *Server
	w      http.ResponseWriter
	r      *http.Request
	row    *Route
	values url.Values // of the parameters, checked; and of a form
	page   bool       // a person asks
	who    string
}

// refusal is a Problem as an error.
type refusal struct {
	view.Problem
	allow string // the header Allow of a 405
}

func (e *refusal) Error() string { return e.Detail }

// refuse makes an error of a status, of what was wrong and what is right.
func refuse(status int, detail string, allowed ...string) error {
	return &refusal{Problem: view.Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail, Allowed: allowed}}
}

// node is a path with its rows.
type node struct {
	path string
	json bool              // whatever is accepted
	rows map[string]*Route // by method
}

// mux puts the rows under their paths.
func (s *Server) mux() *http.ServeMux {
	nodes := map[string]*node{}
	add := func(path string, row *Route, json bool) {
		n := nodes[path]
		if n == nil {
			n = &node{path: path, json: json, rows: map[string]*Route{}}
			nodes[path] = n
		}
		n.rows[row.Method] = row
	}
	for i := range s.routes {
		row := &s.routes[i]
		add(row.Path, row, strings.HasPrefix(row.Path, "/api/") && !row.Page)
		if row.Twin != "" {
			add(row.Twin, row, true)
		}
	}
	mux := http.NewServeMux()
	for path, n := range nodes {
		if path == "/" {
			path = "/{$}"
		}
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { s.serve(n, w, r) })
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		c := s.call(w, r, nil)
		c.fail(refuse(http.StatusNotFound, "there is nothing at this path", s.paths()...))
	})
	return mux
}

// paths are where one can begin.
func (s *Server) paths() (all []string) {
	for i := range s.routes {
		if p := s.routes[i].Path; s.routes[i].Method == http.MethodGet && !strings.Contains(p, "{") {
			all = append(all, p)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (s *Server) call(w http.ResponseWriter, r *http.Request, row *Route) *call {
	return &call{s: s, w: w, r: r, row: row, page: wantsPage(r), who: r.RemoteAddr}
}

// serve finds the row of the method and lets it answer.
func (s *Server) serve(n *node, w http.ResponseWriter, r *http.Request) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	c := s.call(w, r, n.rows[method])
	c.page = c.page && !n.json && !strings.HasPrefix(r.URL.Path, profilerPath)
	if method == http.MethodPost && isForm(r) {
		if err := c.override(n); err != nil {
			c.fail(err)
			return
		}
	}
	if c.row == nil {
		c.fail(c.notAllowed(n, r.Method))
		return
	}
	s.count.request(c.row)
	if err := c.check(n); err != nil {
		c.fail(err)
		return
	}
	if show := s.pages[c.row.Path]; c.page && c.row.Page && show != nil {
		c.w.Header().Add("Vary", "Accept")
		show(c.w, c.r)
		return
	}
	if c.row.send != nil {
		if err := c.row.send(c); err != nil {
			c.fail(err)
		}
		return
	}
	answer, err := c.row.do(c)
	if err != nil {
		c.fail(err)
		return
	}
	c.answer(n, answer)
}

// override takes the method that a form names: it can have GET and POST alone.
func (c *call) override(n *node) error {
	if err := c.readForm(n.mostBody()); err != nil {
		return err
	}
	named := c.r.PostForm.Get(methodField)
	if named == "" {
		return nil
	}
	row := n.rows[named]
	if row == nil || !row.Changes {
		return c.notAllowed(n, named)
	}
	c.row = row
	return nil
}

// mostBody is what a form of this path may hold: its method is known only when it is read.
func (n *node) mostBody() int64 {
	for _, row := range n.rows {
		if _, ok := row.Body.(view.Injected); ok {
			return maxMessage
		}
	}
	return maxBody
}

// The fields that a form has besides: the method, and the page that comes after.
const (
	methodField = "_method"
	nextField   = "next"
)

// notAllowed says which methods are, and how the changes are written.
func (c *call) notAllowed(n *node, method string) error {
	var allow, forms []string
	for _, m := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPost, http.MethodDelete} {
		row := n.rows[m]
		if m == http.MethodHead {
			row = n.rows[http.MethodGet]
		}
		if row == nil {
			continue
		}
		allow = append(allow, m)
		if row.Changes {
			forms = append(forms, "curl "+strings.ReplaceAll(row.Example, here, web.Base(c.r)))
		} else if m == http.MethodGet {
			forms = append(forms, "GET "+n.path)
		}
	}
	err := refuse(http.StatusMethodNotAllowed, fmt.Sprintf("%s is not allowed here", method), forms...).(*refusal)
	err.allow = strings.Join(allow, ", ")
	return err
}

// changesOnly is the answer to a GET that would change something.
func (c *call) changesOnly(n *node, name string) error {
	err := c.notAllowed(n, http.MethodGet).(*refusal)
	err.Detail = fmt.Sprintf("%s in a GET would change something, and a GET changes nothing", name)
	err.Allowed = slices.DeleteFunc(err.Allowed, func(s string) bool { return strings.HasPrefix(s, "GET ") })
	err.allow = strings.TrimPrefix(err.allow, "GET, HEAD, ")
	return err
}
