package stores

import (
	"crypto/tls"
	"encoding/json"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/elastic/go-lumber/lj"
	"github.com/elastic/go-lumber/log"
	lumber "github.com/elastic/go-lumber/server/v2"
)

// Logstash is the receiving side of a Logstash: Elastic's own server of the Lumberjack
// protocol, in this process. It acknowledges what it has kept.
type Logstash struct {
	Addr string
	CA   string // of its certificate, where it speaks TLS

	tls *tls.Config
	mu  sync.Mutex
	l   *lumber.Server
	all [][]byte
	ack bool
	out sync.WaitGroup
}

// quiet is a log of go-lumber's, which tells of every connection.
type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}
func (quiet) Print(...any)          {}

var hush sync.Once

// Lumberjack is a Logstash's beats input, until the test ends.
func Lumberjack(t testing.TB, withTLS bool) *Logstash {
	t.Helper()
	hush.Do(func() { log.Logger = quiet{} })
	addr, err := FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	s := &Logstash{Addr: addr, ack: true}
	if withTLS {
		ca, err := NewCA(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		cert, key, err := ca.Sign("logstash", "127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		s.CA, s.tls = ca.File, &tls.Config{Certificates: []tls.Certificate{pair}}
	}
	s.Start(t)
	t.Cleanup(func() { s.Kill(t) })
	return s
}

// Start listens, again after a Kill.
func (s *Logstash) Start(t testing.TB) {
	t.Helper()
	l, err := net.Listen("tcp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	if s.tls != nil {
		l = tls.NewListener(l, s.tls)
	}
	server, err := lumber.NewWithListener(l, lumber.Timeout(10*time.Second), lumber.Keepalive(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.l = server
	s.out.Add(1)
	go func() {
		defer s.out.Done()
		for b := range server.ReceiveChan() {
			s.keep(b)
		}
	}()
}

func (s *Logstash) keep(b *lj.Batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range b.Events {
		text, err := json.Marshal(e)
		if err != nil {
			panic(err) // it came as JSON
		}
		s.all = append(s.all, text)
	}
	if s.ack {
		b.ACK()
	}
}

// Mute makes the server keep what comes, but acknowledge nothing: its answers are
// lost. A Kill and a Start end it.
func (s *Logstash) Mute() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ack = false
}

// Kill closes the port and the connections.
func (s *Logstash) Kill(testing.TB) {
	s.mu.Lock()
	l := s.l
	s.l, s.ack = nil, true
	s.mu.Unlock()
	if l != nil {
		l.Close()
		s.out.Wait()
	}
}

// Events are what came, oldest first.
func (s *Logstash) Events() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([][]byte(nil), s.all...)
}
