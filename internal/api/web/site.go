// Package web makes the pages that people read: HTML from what package api answers to
// programs. Templates, style and scripts are embedded; nothing is loaded from elsewhere.
//
// It asks and changes nothing beyond a few questions to Program, and serves nothing
// itself: package api does. Captured values are hostile: they are made visible, cut, and
// escaped by html/template, and no script gets any.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

//go:embed *.html pages static third_party/uplot
var files embed.FS

// Program is what pages need beyond the answer that they show.
type Program interface {
	Now() time.Time
	Ready() view.Health
	Live() view.Health
	EventsOver(from, to time.Time, step time.Duration) (view.EventSeries, error)
	Methods(q view.MethodQuery) (view.MethodSeries, error)
	Rates(q view.Query) (view.RatePage, error)
}

// Route is what the page of the API says of a path.
type Route struct{ Method, Path, Twin, Summary, Example string }

// Site renders the pages. Its templates and files are read once, at New.
type Site struct {
	program Program
	inject  bool
	routes  []Route
	sets    map[string]*template.Template // by the name of their file, without .html
	assets  map[string]asset              // by their name
}

// asset is an embedded file.
type asset struct {
	body    []byte
	kind    string
	version string // of its content, and in its address: it may be cached for ever
}

// entry is a line of the navigation, section a group of it.
type entry struct{ Path, Name string }

type section struct {
	Name    string
	Entries []entry
}

var navigation = []section{
	{"", []entry{{"/", "Overview"}}},
	{"Traffic", []entry{{"/calls", "Calls"}, {"/regs", "Registrations"}, {"/events", "Events"}, {"/methods", "Messages"}}},
	{"Findings", []entry{{"/alerts", "Alerts"}, {"/offenders", "Offenders"}}},
	{"What is sent", []entry{{"/events/blst", "Event types"}, {"/evrateblst", "Rates"}}},
	{"Figures", []entry{{"/kpi", "Indicators"}, {"/stats", "Statistics"}, {"/counters", "Counters"}}},
	{"Program", []entry{{"/health", "Health"}, {"/config", "Configuration"}, {"/inject", "Put in a message"}, {"/api/v1/", "API"}}},
}

// page is what every template gets.
type page struct {
	Title string
	Path  string // of the entry of the navigation that it belongs to
	Base  string // how the reader reached this server, for commands
	Known bool   // the reader may know how the program is: what follows
	Now   time.Time
	Ready view.Health
	Nav   []section
	Body  any // of its own
	site  *Site
}

// Asset is the address of an embedded file.
func (p page) Asset(name string) string {
	return "/static/" + name + "?v=" + p.site.assets[name].version
}

// Failing counts the checks that fail.
func (p page) Failing() (n int) {
	for _, c := range p.Ready.Checks {
		if !c.OK {
			n++
		}
	}
	return max(n, 1)
}

// New parses what is embedded. inject tells whether messages can be put in by hand.
func New(p Program, routes []Route, inject bool) *Site {
	s := &Site{program: p, routes: routes, inject: inject, sets: map[string]*template.Template{}, assets: map[string]asset{}}
	base := template.Must(template.New("base").Funcs(functions).ParseFS(files, "base.html", "parts.html"))
	for _, file := range glob("pages/*.html") {
		s.sets[strings.TrimSuffix(path.Base(file), ".html")] = template.Must(template.Must(base.Clone()).ParseFS(files, file))
	}
	for _, file := range append(glob("static/*"), glob("third_party/uplot/*.min.*")...) {
		body, err := files.ReadFile(file)
		if err != nil {
			panic(err) // it is embedded
		}
		sum := sha256.Sum256(body)
		s.assets[path.Base(file)] = asset{body, kinds[path.Ext(file)], hex.EncodeToString(sum[:6])}
	}
	return s
}

func glob(pattern string) []string {
	names, err := fs.Glob(files, pattern)
	if err != nil {
		panic(err) // a pattern that is none
	}
	return names
}

// kinds are the media types of what is embedded.
var kinds = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

// Page renders the answer of a row of the routes to a request.
func (s *Site) Page(row string, r *http.Request, answer any) ([]byte, error) {
	show, ok := shows[row]
	if !ok {
		return nil, fmt.Errorf("render %s: there is no such page", row)
	}
	a := asked{site: s, query: r.URL.Query(), path: r.URL.Path, program: s.program, now: s.program.Now()}
	return s.render(show.file, title(show.title, answer), r, a.now, show.body(a, answer))
}

// title names what a page is of, so that several open ones can be told apart.
func title(of string, answer any) string {
	switch v := answer.(type) {
	case view.CallDetail:
		if v.From != "" || v.To != "" {
			return of + " " + fit(40, v.From).Short + " → " + fit(40, v.To).Short
		}
		return of + " " + fit(60, v.CallID).Short
	case view.Bindings:
		return of + " " + fit(60, v.AOR).Short
	}
	return of
}

// Problem renders an error.
func (s *Site) Problem(r *http.Request, p view.Problem) ([]byte, error) {
	return s.render("error", p.Title, r, s.program.Now(), p)
}

// Base is how a client reached this server: what stands before the path.
func Base(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

func (s *Site) render(file, title string, r *http.Request, now time.Time, body any) ([]byte, error) {
	p := page{Title: title, Path: place(r.URL.Path), Base: Base(r), Known: true, Now: now, Nav: navigation, Body: body, site: s}
	if e, ok := body.(view.Problem); ok && (e.Status == http.StatusUnauthorized || e.Status == http.StatusMisdirectedRequest) {
		p.Known = false // without the token, or led here by a page from elsewhere
	} else {
		p.Ready = s.program.Ready()
	}
	var b bytes.Buffer
	if err := s.sets[file].ExecuteTemplate(&b, "base.html", p); err != nil {
		return nil, fmt.Errorf("render %s: %w", file, err)
	}
	return b.Bytes(), nil
}

// place finds the entry of the navigation that a path belongs to: the longest that it is,
// or is below.
func place(path string) string {
	best := ""
	for _, s := range navigation {
		for _, e := range s.Entries {
			if len(e.Path) > len(best) && (path == e.Path || e.Path != "/" && strings.HasPrefix(path, strings.TrimSuffix(e.Path, "/")+"/")) {
				best = e.Path
			}
		}
	}
	return best
}

// Static serves an embedded file by its name. Its address has the version of its
// content, so that it is asked for once.
func (s *Site) Static(w http.ResponseWriter, r *http.Request, name string) bool {
	a, ok := s.assets[name]
	if !ok {
		return false
	}
	h := w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("ETag", `"`+a.version+`"`)
	h.Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("v") == a.version {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.body))
	return true
}
