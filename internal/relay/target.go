package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/hep"
)

// target is one receiver with its ring and its worker.
type target struct {
	cfg    *Config
	addr   string
	ring   *ring
	notice func(string, error)
	batch  []byte
	masker masker

	conn    net.Conn
	unhook  func() bool   // keeps the end of ctx from closing conn
	gone    chan struct{} // closed when a stream's other end has closed it
	down    bool          // notice was told
	good    int           // datagrams since the last error
	backoff time.Duration

	taken, sent, bytes, full, tooLong, failed, retried, opened, left atomic.Uint64
}

func newTarget(cfg *Config, addr string, notice func(string, error)) *target {
	return &target{cfg: cfg, addr: addr, ring: newRing(cfg.Buffer), notice: notice, backoff: firstBackoff, masker: masker{now: cfg.Mask, own: cfg.Node}}
}

const (
	firstBackoff = 250 * time.Millisecond
	lastBackoff  = 30 * time.Second
	dialTimeout  = 5 * time.Second
	keepAlive    = 15 * time.Second

	maxDatagram = 65507   // bytes of UDP payload over IPv4 (RFC 768, RFC 791)
	maxBatch    = 1 << 16 // bytes that are written to a stream at once
	overhead    = 256     // of a HEP packet, besides names and payload
)

// put writes the packet into the ring; it does not wait.
func (t *target) put(m *hep.Message) {
	t.taken.Add(1)
	if len(m.Payload) > hep.MaxSize {
		t.tooLong.Add(1)
		return
	}
	most := overhead + len(m.Node) + len(m.Key) + len(m.CorrelationID) + len(m.Payload)
	room, filled := t.ring.put(most, func(b []byte) ([]byte, bool) {
		b, ok := m.Append(b)
		return b, ok && (t.cfg.Transport != "udp" || len(b) <= maxDatagram)
	})
	switch {
	case !room:
		t.full.Add(1)
	case !filled:
		t.tooLong.Add(1)
	}
}

func (t *target) stats() TargetStats {
	return TargetStats{Addr: t.addr, Taken: t.taken.Load(), Sent: t.sent.Load(), Bytes: t.bytes.Load(), Full: t.full.Load(),
		TooLong: t.tooLong.Load(), Failed: t.failed.Load(), Waiting: uint64(t.ring.waiting()), Retried: t.retried.Load(), Opened: t.opened.Load()}
}

// run sends until the ring is closed and empty, or ctx is done.
func (t *target) run(ctx context.Context) {
	defer t.hangUp()
	for ctx.Err() == nil {
		from, to, closed := t.ring.span()
		if from == to {
			if closed {
				return
			}
			t.idle(ctx)
			continue
		}
		if t.conn == nil {
			if err := t.dial(ctx); err != nil {
				t.report(err)
				t.pause(ctx)
				continue
			}
			t.unhook = context.AfterFunc(ctx, closing(t.conn)) // a write that hangs ends
		}
		if t.cfg.Transport == "udp" {
			t.datagrams(from, to)
		} else if err := t.stream(from, to); err != nil {
			t.hangUp()
			t.report(err)
			t.pause(ctx)
		}
	}
}

func closing(c net.Conn) func() { return func() { c.Close() } }

// idle waits for packets, and notices meanwhile that the other end has gone.
func (t *target) idle(ctx context.Context) {
	select {
	case <-t.ring.wake:
	case <-t.gone: // nil without a stream: never
		t.hangUp()
		t.report(errClosed)
	case <-ctx.Done():
	}
}

// pause waits before the next try, longer each time.
func (t *target) pause(ctx context.Context) {
	timer := time.NewTimer(t.backoff)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	t.backoff = min(2*t.backoff, lastBackoff)
}

// report tells of a target that cannot be reached, once until it can be again.
func (t *target) report(err error) {
	if err != nil && !t.down || err == nil && t.down {
		t.down = err != nil
		t.notice(t.addr, err)
	}
}

func (t *target) dial(ctx context.Context) error {
	d := net.Dialer{Timeout: dialTimeout, KeepAlive: keepAlive}
	network := "tcp"
	if t.cfg.Transport == "udp" {
		network = "udp"
	}
	conn, err := d.DialContext(ctx, network, t.addr)
	if err != nil {
		return err
	}
	if t.cfg.Transport == "tls" {
		if conn, err = t.handshake(ctx, conn); err != nil {
			return err
		}
	}
	t.conn = conn
	t.opened.Add(1)
	if network == "tcp" {
		t.watch()
		t.report(nil)
	}
	return nil
}

func (t *target) handshake(ctx context.Context, conn net.Conn) (net.Conn, error) {
	cfg := t.cfg.TLS.Clone()
	if cfg == nil {
		cfg = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if cfg.ServerName == "" {
		cfg.ServerName, _, _ = net.SplitHostPort(t.addr)
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	c := tls.Client(conn, cfg)
	if err := c.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

// watch reads what no receiver sends, to learn that it has closed the connection:
// what is written after that is lost without an error.
func (t *target) watch() {
	t.gone = make(chan struct{})
	go func(c net.Conn, gone chan struct{}) {
		io.Copy(io.Discard, c)
		close(gone)
	}(t.conn, t.gone)
}

func (t *target) hangUp() {
	if t.conn != nil {
		t.unhook()
		t.conn.Close()
		t.conn, t.gone = nil, nil
	}
}

// errClosed is what a stream is closed with by the other end.
var errClosed = errors.New("closed by the receiver")

// stream writes a batch. What the system took counts as sent; a batch that broke off
// is written again, whole, to the next connection.
func (t *target) stream(from, to uint64) error {
	select {
	case <-t.gone:
		return errClosed
	default:
	}
	batch, n, bad, pos := t.batch[:0], 0, 0, from
	for pos < to {
		b, next := t.ring.at(pos)
		b, ok := t.masker.mask(b)
		if !ok {
			bad, pos = bad+1, next
			continue
		}
		if n > 0 && len(batch)+len(b) > maxBatch {
			break
		}
		batch, n, pos = append(batch, b...), n+1, next
	}
	t.batch = batch
	if len(batch) > 0 {
		if _, err := t.conn.Write(batch); err != nil {
			t.retried.Add(uint64(n))
			return err
		}
	}
	t.backoff = firstBackoff
	t.sent.Add(uint64(n))
	t.tooLong.Add(uint64(bad))
	t.bytes.Add(uint64(len(batch)))
	t.ring.release(pos, n+bad)
	return nil
}

// enoughGood is how many datagrams without an error show that a target is there
// again: its refusal comes back only with one of the next.
const enoughGood = 16

// datagrams writes one packet after the other. An error is of one of them: the
// packet is lost and counted, the next is tried.
func (t *target) datagrams(from, to uint64) {
	for pos := from; pos < to && t.conn != nil; {
		b, next := t.ring.at(pos)
		b, ok := t.masker.mask(b)
		if !ok || len(b) > maxDatagram {
			t.tooLong.Add(1)
			t.ring.release(next, 1)
			pos = next
			continue
		}
		_, err := t.conn.Write(b)
		t.good++
		switch {
		case err == nil:
			t.sent.Add(1)
			t.bytes.Add(uint64(len(b)))
			if t.good >= enoughGood {
				t.backoff = firstBackoff
				t.report(nil)
			}
		case errors.Is(err, syscall.EMSGSIZE):
			t.tooLong.Add(1)
		default:
			t.failed.Add(1)
			t.good = 0
			t.report(err)
			if !errors.Is(err, syscall.ECONNREFUSED) { // its name may mean another address by now
				t.hangUp()
			}
		}
		t.ring.release(next, 1)
		pos = next
	}
}
