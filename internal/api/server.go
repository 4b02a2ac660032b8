package api

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/api/web"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// How long a client may take, and how long its header may be.
const (
	headerTime = 5 * time.Second
	readTime   = 15 * time.Second
	writeTime  = 30 * time.Second
	idleTime   = 60 * time.Second
	maxHeader  = 12 << 10 // net/http adds 4 KiB
)

// Server answers for a Program. Nothing that it does waits for a client while it holds
// something of the Program.
type Server struct {
	cfg     Config
	program Program
	routes  []Route
	pages   map[string]http.HandlerFunc // by the path of the row
	site    *web.Site
	http    *http.Server
	cross   *http.CrossOriginProtection
	events  *ring
	count   counts
	rates   rates
	scraper http.Handler

	token atomic.Pointer[string]          // "" asks for none
	pair  atomic.Pointer[tls.Certificate] // nil without TLS, or before the start

	began  time.Time
	listen *listener
	ended  chan struct{} // closed when nothing is accepted any more
	stop   context.CancelFunc
	wait   sync.WaitGroup
}

// New builds a Server and starts nothing.
func New(cfg Config, p Program) *Server {
	s := &Server{cfg: cfg, program: p, cross: http.NewCrossOriginProtection(), events: newRing(cfg.MaxEvents, cfg.Schema), began: time.Now(), ended: make(chan struct{})}
	s.events.enrich = cfg.Enrich
	s.events.mask, s.events.shown = s.cfg.masker, cfg.Shown
	s.token.Store(&cfg.Token)
	s.routes = Routes()
	if !cfg.Profiler {
		s.routes = without(s.routes, profilerPath)
	}
	s.count.init(s.routes)
	s.scraper = s.scrape()
	s.pages = pagesOf(s)
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	var only http.Protocols
	only.SetHTTP1(true)
	s.http = &http.Server{
		Handler:           s.guard(s.mux()),
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       readTime,
		WriteTimeout:      writeTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		Protocols:         &only,
		ErrorLog:          log.New(io.Discard, "", 0), // who scans the port would fill the log
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	return s
}

// Watch takes an event and what became of it, one of Fates. It borrows e, copies it and
// waits for nobody.
func (s *Server) Watch(e *event.Event, fate string) { s.events.put(e, fate) }

// Start listens and returns. Its error names the address.
func (s *Server) Start() error {
	network := "tcp"
	if a, err := netip.ParseAddr(s.cfg.Addr); err == nil && a.Is4() {
		network = "tcp4" // else 0.0.0.0 would be all of IPv6 too
	}
	l, err := net.Listen(network, s.cfg.address())
	if err != nil {
		return fmt.Errorf("listen on %s: %w", s.cfg.address(), errors.Unwrap(err))
	}
	s.listen = newListener(l, s.cfg.MaxConnections, &s.count)
	var from net.Listener = s.listen
	if s.cfg.Certificate != "" {
		pair, err := s.cfg.Pair()
		if err != nil {
			l.Close()
			return err
		}
		s.pair.Store(pair)
		from = tls.NewListener(from, &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.pair.Load(), nil }})
	}
	s.wait.Go(func() { _ = s.http.Serve(from) })
	s.wait.Go(s.measure)
	return nil
}

// Renew changes the token and, where there is one, the certificate, for the requests and
// the connections from now on: those of a Config that is valid and has the same files.
// It tells whether the certificate is another one. Any goroutine may call it.
func (s *Server) Renew(token string, pair *tls.Certificate) (another bool) {
	s.token.Store(&token)
	if pair == nil {
		return false
	}
	before := s.pair.Swap(pair)
	return before == nil || !slices.EqualFunc(before.Certificate, pair.Certificate, bytes.Equal)
}

// URL is where the server is reached, once it has started.
func (s *Server) URL() string {
	scheme := "http://"
	if s.cfg.Certificate != "" {
		scheme = "https://"
	}
	return scheme + s.listen.Addr().String()
}

// Close ends the streams, lets what is being answered go on for at most grace, and
// ends.
func (s *Server) Close(grace time.Duration) {
	close(s.ended)
	s.stop()
	if s.listen == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		s.http.Close()
	}
	s.wait.Wait()
}

// fault counts a fault of this program and tells the log of it.
func (s *Server) fault(format string, args ...any) {
	s.count.faults.Add(1)
	if s.cfg.Fault != nil {
		s.cfg.Fault("a fault of this program, please report it: " + fmt.Sprintf(format, args...))
	}
}
