package capture

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// Who connects and says nothing keeps nobody out: at the maximum the oldest of those
// gives way, and whoever sends what may be sent stays.
func TestHEPSilentConnections(t *testing.T) {
	h := listen(t, func(c *HEPConfig) {
		c.Listen, c.MaxConns, c.PacketTimeout, c.AuthKeys = []string{"tcp:127.0.0.1:0"}, 4, 200*time.Millisecond, []string{"s3cret"}
	})
	good := dial(t, h, 0)
	send(t, good, hepOf(3, 1, 100))
	next(t, h)
	stranger := dial(t, h, 0)
	send(t, stranger, bytes.Replace(hepOf(3, 2, 100), []byte("s3cret"), []byte("guess!"), 1))
	dial(t, h, 0)
	dial(t, h, 0)
	until(t, "4 connections", func() bool { h.mu.Lock(); defer h.mu.Unlock(); return len(h.conns) == 4 })
	until(t, "1 wrong key", func() bool { return h.Stats().WrongKey == 1 })
	var f packet.Frame
	for began := time.Now(); time.Since(began) < 300*time.Millisecond; { // longer than PacketTimeout
		if err := h.Next(&f); !errors.Is(err, ErrIdle) {
			t.Fatalf("%v, %q", err, f.Data)
		}
	}
	late := dial(t, h, 0)
	send(t, late, hepOf(3, 3, 100))
	if f := next(t, h); !bytes.Equal(f.Data, hepOf(3, 3, 100)) {
		t.Errorf("%q", f.Data)
	}
	send(t, good, hepOf(3, 4, 100))
	if f := next(t, h); !bytes.Equal(f.Data, hepOf(3, 4, 100)) {
		t.Errorf("%q", f.Data)
	}
	stranger.SetReadDeadline(time.Now().Add(patience))
	if _, err := stranger.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the oldest of the silent ones is still there")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.conns); n != 4 {
		t.Errorf("%d connections", n)
	}
}

// noDeadline notes a write that could wait for ever.
type noDeadline struct {
	net.Conn
	write time.Time
	never bool
}

func (c *noDeadline) SetDeadline(t time.Time) error { c.write = t; return c.Conn.SetDeadline(t) }
func (c *noDeadline) SetWriteDeadline(t time.Time) error {
	c.write = t
	return c.Conn.SetWriteDeadline(t)
}
func (c *noDeadline) Read(b []byte) (int, error) {
	c.never = c.never || c.write.IsZero()
	return c.Conn.Read(b)
}

// TLS writes within Read, so each Read has a deadline for writing too.
func TestHEPWriteDeadline(t *testing.T) {
	cert, key, pool := certificate(t)
	h := listen(t, func(c *HEPConfig) { c.Listen, c.Cert, c.Key = []string{"tls:127.0.0.1:0"}, cert, key })
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := net.Pipe()
	watched := &noDeadline{Conn: ours}
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.serve(h.listeners[0], tls.Server(watched, &tls.Config{Certificates: []tls.Certificate{pair}}), &sender{})
	}()
	c := tls.Client(theirs, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"})
	send(t, c, hepOf(3, 1, 100))
	next(t, h)
	theirs.Close()
	<-done
	if watched.never {
		t.Error("a Read whose writes have no deadline")
	}
}
