package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
)

// headers are on every answer: a browser loads nothing from elsewhere, shows the pages
// in no frame, and keeps nothing.
var headers = [][2]string{
	{"Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"},
	{"X-Content-Type-Options", "nosniff"},
	{"Referrer-Policy", "same-origin"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Cross-Origin-Opener-Policy", "same-origin"},
	{"Cache-Control", "no-store"},
}

// guard is in front of every row: who may ask, from where, and by which name.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, h := range headers {
			w.Header().Set(h[0], h[1])
		}
		counted := &written{ResponseWriter: w, count: &s.count}
		defer s.caught(counted, r)
		c := s.call(counted, r, nil)
		if r.Host != "" && !s.named(r.Host) { // HTTP/1.0 has none, and no browser speaks that
			s.count.refused[wrongHost].Add(1)
			c.fail(refuse(http.StatusMisdirectedRequest, "this server does not go by the name "+cut(r.Host)+": a page from elsewhere could have been led here",
				append([]string{"localhost", "127.0.0.1", "names in http.names"}, s.cfg.Names...)...))
			return
		}
		if !s.authorized(r) {
			s.count.refused[noToken].Add(1)
			w.Header().Add("WWW-Authenticate", `Bearer realm="sipcmbeat"`)
			w.Header().Add("WWW-Authenticate", `Basic realm="sipcmbeat", charset="UTF-8"`)
			c.fail(refuse(http.StatusUnauthorized, "the token is missing or wrong",
				"Authorization: Bearer and the token (http.auth.token)", "any user name, with the token as the password"))
			return
		}
		if err := s.cross.Check(r); err != nil {
			s.count.refused[crossOrigin].Add(1)
			c.fail(refuse(http.StatusForbidden, "a page from elsewhere asked for a change", "changes from the pages of this server, or from programs that are no browser"))
			return
		}
		next.ServeHTTP(counted, r)
	})
}

// named tells whether a Host is one that the server goes by. On loopback a name of
// somebody else's that leads here (DNS rebinding) would make his page one of ours.
func (s *Server) named(host string) bool {
	if !s.cfg.loopback() {
		return true // there is a certificate, and its name is looked at by who asks
	}
	name := nameOf(host)
	return isLoopback(host) || slices.ContainsFunc(s.cfg.Names, func(n string) bool { return strings.EqualFold(n, name) })
}

// nameOf is a Host without the port.
func nameOf(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

// isLoopback tells whether a Host is this machine's name for itself.
func isLoopback(host string) bool {
	name := nameOf(host)
	a, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return name == "localhost" || err == nil && a.Unmap().IsLoopback()
}

// authorized tells whether the token is there, or none is asked for. Both are hashed,
// so that the time it takes says nothing of either.
func (s *Server) authorized(r *http.Request) bool {
	if *s.token.Load() == "" || isOpen(r.URL.Path) {
		return true
	}
	return s.hasToken(r)
}

func (s *Server) hasToken(r *http.Request) bool {
	_, given, ok := r.BasicAuth()
	if scheme, rest, _ := strings.Cut(r.Header.Get("Authorization"), " "); !ok && strings.EqualFold(scheme, "Bearer") {
		given = strings.TrimSpace(rest)
	}
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(*s.token.Load()))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// isOpen is of the probes, which then say yes or no alone.
func isOpen(path string) bool { return path == "/healthz" || path == "/readyz" }

// caught turns a fault of this program into an answer. The capture goes on.
func (s *Server) caught(w *written, r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	if cause == http.ErrAbortHandler {
		panic(cause)
	}
	s.fault("a request was not answered: %v\n%s", cause, debug.Stack())
	if w.status == 0 {
		s.call(w, r, nil).fail(refuse(http.StatusInternalServerError, "a fault of this program; the log has it"))
	}
}

// written counts answers by the class of their status.
type written struct {
	http.ResponseWriter
	count  *counts
	status int
}

func (w *written) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
		w.count.answer(status)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *written) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *written) Unwrap() http.ResponseWriter { return w.ResponseWriter }
