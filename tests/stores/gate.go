package stores

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Gate is a way to a server that can be made slow. It counts what goes to the server.
type Gate struct {
	Addr string // of the gate itself

	to    string
	l     net.Listener
	sent  atomic.Int64
	speed atomic.Int64 // bytes a second towards the server; 0: all
	mu    sync.Mutex
	open  map[net.Conn]bool
	done  sync.WaitGroup
}

// NewGate makes a gate to an address, until the test ends.
func NewGate(t testing.TB, to string) *Gate {
	t.Helper()
	g, err := newGate(to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.close)
	return g
}

func newGate(to string) (*Gate, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	g := &Gate{Addr: l.Addr().String(), to: to, l: l, open: map[net.Conn]bool{}}
	g.done.Add(1)
	go g.serve()
	return g, nil
}

// Slow sets how many bytes a second reach the server; 0 is as many as come. What was
// sent is counted anew.
func (g *Gate) Slow(speed int64) { g.speed.Store(speed); g.sent.Store(0) }

// Sent is how many bytes have gone to the server since the last Slow.
func (g *Gate) Sent() int64 { return g.sent.Load() }

func (g *Gate) close() {
	g.l.Close()
	g.mu.Lock()
	for c := range g.open {
		c.Close()
	}
	g.mu.Unlock()
	g.done.Wait()
}

func (g *Gate) serve() {
	defer g.done.Done()
	for {
		from, err := g.l.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("tcp", g.to)
		if err != nil {
			from.(*net.TCPConn).SetLinger(0) // as a port at which nobody listens
			from.Close()
			continue
		}
		g.mu.Lock()
		g.open[from], g.open[to] = true, true
		g.mu.Unlock()
		var both sync.WaitGroup
		both.Add(2)
		go func() { defer both.Done(); g.there(to, from) }()
		go func() { defer both.Done(); io.Copy(from, to); from.Close(); to.Close() }()
		g.done.Add(1)
		go func() {
			defer g.done.Done()
			both.Wait()
			g.mu.Lock()
			delete(g.open, from)
			delete(g.open, to)
			g.mu.Unlock()
		}()
	}
}

// there copies to the server, no faster than speed.
func (g *Gate) there(to, from net.Conn) {
	defer from.Close()
	defer to.Close()
	piece := make([]byte, 8<<10)
	for {
		n, err := from.Read(piece)
		if n > 0 {
			if speed := g.speed.Load(); speed > 0 {
				<-time.After(time.Duration(int64(n) * int64(time.Second) / speed))
			}
			g.sent.Add(int64(n))
			if _, err := to.Write(piece[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
