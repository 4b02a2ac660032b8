package api

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// listener lets so many connections in at a time and turns the others away at once: they
// would only wait, and take the memory and the descriptors of the capture.
type listener struct {
	net.Listener
	open  atomic.Int64
	most  int64
	count *counts
}

func newListener(l net.Listener, most int, count *counts) *listener {
	return &listener{Listener: l, most: int64(most), count: count}
}

// tooMany is said to whom is turned away, where nobody expects TLS. It fits into the
// buffer of any new connection, so that writing does not wait.
const tooMany = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

// Accept gives the next connection that there is room for.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.open.Add(1) <= l.most {
			l.count.connections.Store(l.open.Load())
			return &conn{Conn: c, of: l}, nil
		}
		l.open.Add(-1)
		l.count.refused[tooManyConnections].Add(1)
		_ = c.SetDeadline(time.Now().Add(50 * time.Millisecond))
		_, _ = c.Write([]byte(tooMany))
		c.Close()
	}
}

// conn gives its place back once.
type conn struct {
	net.Conn
	of   *listener
	once sync.Once
}

func (c *conn) Close() error {
	c.once.Do(func() { c.of.count.connections.Store(c.of.open.Add(-1)) })
	return c.Conn.Close()
}
