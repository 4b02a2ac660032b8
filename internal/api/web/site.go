package api

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
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

//go:embed web
var web embed.FS

// policy lets a page load nothing but what this program serves, run no script and take no
// style that stands in the page itself: a captured value that got past the escaping would
// still do nothing.
const policy = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"

// pages renders what a Program shows for a person. Its templates and files are parsed
// once; the rest is made for each request.
type pages struct {
	program Program
	events  recentEvents
	speeds  speeds
	sets    map[string]*template.Template // by the name of their file, without .html
	assets  map[string]asset              // by what follows /static/
}

// asset is an embedded file.
type asset struct {
	body    []byte
	kind    string
	version string // of its content, in its address: it may be cached for ever
}

// entry is a line of the navigation.
type entry struct{ Path, Name string }

// section is a group of it.
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
	{"Program", []entry{{"/health", "Health"}, {"/config", "Configuration"}, {"/api/v1/", "API"}}},
}

// page is what every template gets.
type page struct {
	Title  string
	Path   string // of the entry of the navigation that it belongs to
	Now    time.Time
	Ready  view.Health
	Nav    []section
	Said   string // what a change just did
	Asked  string // the query, so that a form keeps it
	Body   any
	assets map[string]asset
}

// Asset is the address of an embedded file.
func (p page) Asset(name string) string { return "/static/" + name + "?v=" + p.assets[name].version }

func newPages(p Program, events recentEvents) (*pages, error) {
	s := &pages{program: p, events: events, sets: map[string]*template.Template{}, assets: map[string]asset{}}
	base, err := template.New("base").Funcs(template.FuncMap{
		"fit": fit, "whole": whole, "decimal": decimal, "span": span, "seconds": seconds, "ago": ago,
		"link": link, "below": below, "words": words, "elapsed": elapsed, "join": strings.Join, "marks": marks,
		"stamp": stamp, "clock": clock, "list": func(v ...any) []any { return v }, "add": func(a, b int) int { return a + b },
	}).ParseFS(web, "web/base.html", "web/parts.html")
	if err != nil {
		return nil, fmt.Errorf("parse templates: %w", err)
	}
	files, err := fs.Glob(web, "web/pages/*.html")
	if err != nil {
		return nil, fmt.Errorf("list templates: %w", err)
	}
	for _, file := range files {
		set, err := template.Must(base.Clone()).ParseFS(web, file)
		if err != nil {
			return nil, fmt.Errorf("parse %s: %w", file, err)
		}
		s.sets[strings.TrimSuffix(path.Base(file), ".html")] = set
	}
	for _, pattern := range []string{"web/static/*", "web/third_party/uplot/*.min.*"} {
		names, _ := fs.Glob(web, pattern)
		for _, name := range names {
			body, err := web.ReadFile(name)
			if err != nil {
				return nil, fmt.Errorf("read %s: %w", name, err)
			}
			sum := sha256.Sum256(body)
			s.assets[path.Base(name)] = asset{body, kinds[path.Ext(name)], hex.EncodeToString(sum[:6])}
		}
	}
	return s, nil
}

// kinds are the media types of what is embedded.
var kinds = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

// render writes a page. body is what its own template gets as .Body.
func (s *pages) render(w http.ResponseWriter, r *http.Request, status int, name, title string, body any) {
	p := page{
		Title: title, Path: place(r.URL.Path), Now: s.program.Now(), Ready: s.program.Ready(), Nav: navigation,
		Said: said[r.URL.Query().Get("done")], Body: body, assets: s.assets,
	}
	var b bytes.Buffer
	if err := s.sets[name].ExecuteTemplate(&b, "base.html", p); err != nil {
		http.Error(w, "render "+name+": "+err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // who left needs no answer
}

// trouble shows an error on a page of its own.
func (s *pages) trouble(w http.ResponseWriter, r *http.Request, status int, what string) {
	s.render(w, r, status, "error", http.StatusText(status), struct{ Status, What string }{strconv.Itoa(status), what})
}

// place finds the entry of the navigation that a path belongs to.
func place(path string) string {
	best := ""
	for _, s := range navigation {
		for _, e := range s.Entries {
			if path == e.Path || e.Path != "/" && strings.HasPrefix(path, strings.TrimSuffix(e.Path, "/")+"/") && len(e.Path) > len(best) {
				if best = e.Path; path == e.Path {
					return best
				}
			}
		}
	}
	return best
}

// said are the sentences after a change, by the word that a form's answer carries in its
// address: a sentence that stood there itself could be anybody's.
var said = map[string]string{
	"types":   "Saved. The switches below are in effect.",
	"limits":  "Saved. The new limits are in effect.",
	"forget":  "Forgotten. What this source sends is counted from zero.",
	"offend":  "Added. Events of this source are held from now on.",
	"forgive": "Forgiven. Events of this source are sent again.",
	"reload":  "The configuration was read again.",
}

// static serves an embedded file. Its address has the version of its content.
func (s *pages) static(w http.ResponseWriter, r *http.Request) {
	a, ok := s.assets[strings.TrimPrefix(r.URL.Path, "/static/")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("ETag", `"`+a.version+`"`)
	if r.URL.Query().Get("v") == a.version {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		h.Set("Cache-Control", "no-cache")
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.body))
}

// Bounds of one page of a list for a person, so that no page gets long.
const (
	pageRows    = 50
	pageMaxRows = 100
)

// query reads what a list is asked for.
func query(r *http.Request) view.Query {
	v := r.URL.Query()
	q := view.Query{Limit: pageRows, Cursor: v.Get("cursor"), Text: v.Get("text"), Source: v.Get("source"), State: v.Get("state")}
	if n, err := strconv.Atoi(v.Get("limit")); err == nil && n > 0 {
		q.Limit = min(n, pageMaxRows)
	}
	return q
}

// listing is what the head and the foot of a list need.
type listing struct {
	view.Page
	Query view.Query
	Shown int
	What  string // of these, in the plural
	More  string // address of the next page
	First string // and of the first, where this is another one
	Empty string // what to say where there is none at all
}

// list describes the page of a list that a request asked for.
func list(r *http.Request, q view.Query, p view.Page, shown int, what, empty string) listing {
	l := listing{Page: p, Query: q, Shown: shown, What: what, Empty: empty}
	at := r.URL.Query()
	for name := range at {
		if !slices.Contains([]string{"text", "source", "state", "limit", "type"}, name) {
			at.Del(name)
		}
	}
	to := func(cursor string) string {
		at.Del("cursor")
		if cursor != "" {
			at.Set("cursor", cursor)
		}
		return r.URL.Path + "?" + at.Encode()
	}
	if p.Next != "" {
		l.More = to(p.Next)
	}
	if q.Cursor != "" {
		l.First = to("")
	}
	return l
}

// Filtered says that somebody asked for a part.
func (l listing) Filtered() bool { return l.Query.Text+l.Query.Source+l.Query.State != "" }

// stamp is a moment for a machine, clock the same for a person where no script runs.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
