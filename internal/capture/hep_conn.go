package capture

import (
	"crypto/tls"
	"net"
	"net/netip"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/hep"
)

// accept takes connections until Close.
func (h *HEP) accept(l *listener) {
	for {
		c, err := l.tcp.Accept()
		if err != nil {
			if !h.failed(l, err) {
				return
			}
			continue
		}
		peer := peerOf(c)
		if !h.mayCome(peer) {
			c.Close()
			continue
		}
		n := h.enter(c, peer)
		if n == nil {
			c.Close()
			continue
		}
		h.working.Go(func() {
			defer h.leave(c)
			h.serve(l, c, n)
		})
	}
}

func peerOf(c net.Conn) netip.Addr {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// A sender is the other end of a connection.
type sender struct {
	peer  netip.Addr
	since time.Time
	known bool // a packet of it was taken; under the lock of conns
	told  bool // the same, for the goroutine that reads
}

// enter counts a connection in; nil where it may not come, there are too many, or the end
// has come.
func (h *HEP) enter(c net.Conn, peer netip.Addr) *sender {
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case <-h.done:
		return nil
	default:
	}
	if !h.senders.Load().may(peer) { // not any more
		return nil
	}
	now := time.Now()
	if len(h.conns) >= h.cfg.MaxConns {
		h.count.surplus.Add(1)
		h.refusals.note(peer, TooMany, now)
		if !h.makeRoom(now) {
			return nil
		}
	}
	s := &sender{peer: peer, since: now}
	h.conns[c] = s
	return s
}

// makeRoom ends the connection that has been there longest without a packet that was
// taken, if that is long enough for one: else a few who connect and say nothing would
// keep out everybody. The caller holds the lock.
func (h *HEP) makeRoom(now time.Time) bool {
	var oldest net.Conn
	since := now.Add(-h.cfg.PacketTimeout)
	for c, s := range h.conns {
		if !s.known && s.since.Before(since) {
			oldest, since = c, s.since
		}
	}
	if oldest == nil {
		return false
	}
	cut(oldest)
	delete(h.conns, oldest)
	return true
}

// cut closes a connection at once: the last words of TLS could have to wait.
func cut(c net.Conn) {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	c.Close()
}

func (h *HEP) leave(c net.Conn) {
	c.Close()
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.conns, c)
}

// serve reads packets from one connection. It ends at the first byte that cannot
// belong to one: nothing after it could be told apart.
//
// Its deadlines are for writing too: TLS answers within Read, and who never reads
// would make that wait for ever (RFC 8446 §4.6.3).
func (h *HEP) serve(l *listener, c net.Conn, s *sender) {
	if t, ok := c.(*tls.Conn); ok {
		c.SetDeadline(time.Now().Add(h.cfg.PacketTimeout))
		if t.Handshake() != nil {
			h.broken(s.peer, NoHandshake)
			return
		}
	}
	buf := make([]byte, 4096)
	for n := 0; ; {
		// A packet that has begun keeps its deadline, however it trickles.
		if n == 0 {
			c.SetDeadline(time.Now().Add(h.cfg.IdleTimeout))
		}
		m, err := c.Read(buf[n:])
		if m > 0 {
			begun := n == 0
			if n += m; begun {
				c.SetDeadline(time.Now().Add(h.cfg.PacketTimeout))
			}
			taken, need, ok := h.take(l, s, buf[:n])
			if !ok {
				return
			}
			if taken > 0 {
				n = copy(buf, buf[taken:n])
				c.SetDeadline(time.Now().Add(h.cfg.PacketTimeout))
			}
			if need > len(buf) {
				buf = append(make([]byte, 0, hep.MaxSize), buf[:n]...)[:hep.MaxSize]
			}
		}
		if err != nil {
			if n > 0 {
				h.broken(s.peer, Unfinished)
			}
			return
		}
	}
}

// take hands on the packets that b begins with. need is the length of the one after
// them, as far as it is known; ok is false where the connection has to end.
func (h *HEP) take(l *listener, s *sender, b []byte) (taken, need int, ok bool) {
	for taken < len(b) {
		n, is := hep.Length(b[taken:])
		switch {
		case !is:
			h.broken(s.peer, NotHEP)
			return taken, 0, false
		case n == 0 || n > len(b)-taken:
			return taken, n, true
		}
		if h.mayKey(s.peer, b[taken:taken+n]) {
			h.know(s)
			if !h.deliver(l, s.peer, b[taken:taken+n]) {
				return taken, 0, false
			}
		}
		taken += n
	}
	return taken, 0, true
}

// know notes that a sender is one.
func (h *HEP) know(s *sender) {
	if s.told {
		return
	}
	s.told = true
	h.mu.Lock()
	s.known = true
	h.mu.Unlock()
}

// deliver copies a packet for Next. It waits for room, and with it the sender.
func (h *HEP) deliver(l *listener, peer netip.Addr, b []byte) bool {
	select {
	case r := <-h.free:
		if r.data == nil {
			r.data = make([]byte, hep.MaxSize)
		}
		r.n, r.time, r.peer, r.from = copy(r.data, b), time.Now().UnixNano(), peer, l
		h.full <- r // has room for all there are
		return true
	case <-h.done:
		return false
	}
}

// broken counts a connection that did not end as it should.
func (h *HEP) broken(peer netip.Addr, why RefusalReason) {
	select {
	case <-h.done: // we ended it
		return
	default:
	}
	h.count.broken.Add(1)
	h.refusals.note(peer, why, time.Now())
}
