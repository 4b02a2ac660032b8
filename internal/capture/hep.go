package capture

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/hep"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// A HEPConfig says where to listen for HEP and whom to hear.
type HEPConfig struct {
	// Listen is where: udp, tcp or tls, a colon, address and port, as in
	// udp:0.0.0.0:9060. Port 0 is a free one. 0.0.0.0 is all of IPv4, [::] all of IPv6,
	// no address all of both.
	Listen []string

	Siptrace bool // plain copies of messages, by Kamailio's siptrace, in place of HEP; by UDP alone

	Cert, Key string // files in PEM, for tls

	AuthKeys []string       // a packet must have one of them; none: no check
	Allow    []netip.Prefix // who may send; none: everybody

	MaxConns      int           // connections at a time; more are refused, or one that never sent anything gives way
	IdleTimeout   time.Duration // a connection that is silent for so long is closed
	PacketTimeout time.Duration // so long a packet may take from its first byte, and a TLS handshake
	BufferKB      int           // between kernel and program, for UDP

	// Refused is told of what was not taken, once a minute for each sender. It is
	// called by many goroutines, one at a time, must not block, and may be nil.
	Refused func(Refusal)

	// Timeout is after how long without a packet Next gives ErrIdle.
	Timeout time.Duration
}

// DefaultHEPConfig listens where senders send to by default.
func DefaultHEPConfig() HEPConfig {
	return HEPConfig{
		Listen:        []string{"udp:0.0.0.0:9060"},
		MaxConns:      256,
		IdleTimeout:   time.Hour,
		PacketTimeout: 30 * time.Second,
		BufferKB:      8192,
		Timeout:       100 * time.Millisecond,
	}
}

// Validate names the first key that is out of range, and the range. It opens
// nothing; a key is never in the error.
func (c *HEPConfig) Validate() error {
	if len(c.Listen) == 0 {
		return errors.New("listen: an empty list is not allowed; allowed: places such as udp:0.0.0.0:9060")
	}
	for i, place := range c.Listen {
		proto, addr, err := splitPlace(place)
		switch {
		case err != nil:
			return err
		case c.Siptrace && proto != "udp":
			return fmt.Errorf("listen: %q is not allowed; allowed: udp, since copies of messages come by nothing else", place)
		case proto == "tls" && c.Cert == "":
			return errors.New("cert: nothing is not allowed with tls; allowed: a file with a certificate in PEM")
		case proto == "tls" && c.Key == "":
			return errors.New("key: nothing is not allowed with tls; allowed: a file with the certificate's key in PEM")
		}
		for _, other := range c.Listen[:i] {
			if other == place && !strings.HasSuffix(addr, ":0") {
				return fmt.Errorf("listen: %q is not allowed twice", place)
			}
		}
	}
	for i, k := range c.AuthKeys {
		if k == "" {
			return fmt.Errorf("auth_keys: number %d is empty; allowed: texts of at least one character", i+1)
		}
	}
	if c.Siptrace && len(c.AuthKeys) > 0 {
		return errors.New("auth_keys: nothing but an empty list is allowed for copies of messages, which have no key; use allow")
	}
	for _, p := range c.Allow {
		if !p.IsValid() {
			return errors.New("allow: a network that is none is not allowed; allowed: networks such as 192.0.2.0/24 or 2001:db8::/32")
		}
	}
	switch {
	case c.MaxConns < 1 || c.MaxConns > 65536:
		return fmt.Errorf("max_connections: %d is not allowed; allowed: 1 to 65536", c.MaxConns)
	case c.IdleTimeout < time.Second || c.IdleTimeout > 30*24*time.Hour:
		return fmt.Errorf("idle_timeout: %v is not allowed; allowed: 1s to 720h", c.IdleTimeout)
	case c.PacketTimeout < 100*time.Millisecond || c.PacketTimeout > 10*time.Minute:
		return fmt.Errorf("packet_timeout: %v is not allowed; allowed: 100ms to 10m", c.PacketTimeout)
	case c.BufferKB < 64 || c.BufferKB > 1<<20:
		return fmt.Errorf("buffer_kb: %d is not allowed; allowed: 64 to %d", c.BufferKB, 1<<20)
	case c.Timeout < 10*time.Millisecond || c.Timeout > 10*time.Second:
		return fmt.Errorf("timeout: %v is not allowed; allowed: 10ms to 10s", c.Timeout)
	}
	return nil
}

// splitPlace takes udp:0.0.0.0:9060 apart.
func splitPlace(place string) (proto, addr string, err error) {
	proto, addr, _ = strings.Cut(place, ":")
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil || proto != "udp" && proto != "tcp" && proto != "tls" {
		return "", "", fmt.Errorf("listen: %q is not allowed; allowed: udp, tcp or tls, address and port, as in udp:0.0.0.0:9060 or tcp:[::]:9060", place)
	}
	return proto, addr, nil
}

// A received packet, on its way from a socket to Next.
type received struct {
	data []byte // of MaxSize bytes, kept
	n    int
	time int64
	peer netip.Addr
	from *listener
}

// queued is how many packets may wait between the sockets and Next. They are of 64
// KiB each, but only what was ever used of them is in memory. Bursts wait in the
// kernel's buffer.
const queued = 256

// A listener is one place to listen at.
type listener struct {
	place string
	index uint32
	udp   *net.UDPConn
	tcp   net.Listener
	tls   bool
}

// HEP is a Source that listens on sockets. Its frames are HEP packets, of link type
// packet.LinkHEP, or packet.LinkSiptrace; their time is that of their arrival.
type HEP struct {
	cfg       HEPConfig
	senders   atomic.Pointer[senders]
	listeners []*listener

	full, free chan *received
	errs       chan error
	done       chan struct{}
	close      sync.Once
	working    sync.WaitGroup

	// For the goroutine that calls Next.
	last  *received
	name  string
	timer *time.Timer

	mu    sync.Mutex
	conns map[net.Conn]*sender

	refusals refusals
	count    hepCounters
}

type hepCounters struct {
	frames, bytes, drops           atomic.Uint64
	refused, keys, surplus, broken atomic.Uint64
}

// NewHEP starts to listen at all places, or gives the first error.
func NewHEP(cfg HEPConfig) (*HEP, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	h := &HEP{cfg: cfg, name: cfg.Listen[0], conns: map[net.Conn]*sender{},
		full: make(chan *received, queued), free: make(chan *received, queued), errs: make(chan error, 1), done: make(chan struct{}),
		timer: time.NewTimer(cfg.Timeout)}
	h.senders.Store(newSenders(cfg.AuthKeys, cfg.Allow))
	for range queued {
		h.free <- &received{}
	}
	h.refusals.tell = cfg.Refused
	for i, place := range cfg.Listen {
		l, err := cfg.listen(place)
		if err != nil {
			h.Close()
			return nil, err
		}
		l.index = uint32(i)
		h.listeners = append(h.listeners, l)
	}
	for _, l := range h.listeners {
		if l.udp != nil {
			h.working.Go(func() { h.datagrams(l) })
		} else {
			h.working.Go(func() { h.accept(l) })
		}
	}
	return h, nil
}

func (c *HEPConfig) listen(place string) (*listener, error) {
	proto, addr, err := splitPlace(place)
	if err != nil {
		return nil, err
	}
	l := &listener{place: place, tls: proto == "tls"}
	of := family(addr)
	if proto == "udp" {
		at, err := net.ResolveUDPAddr("udp"+of, addr)
		if err == nil {
			l.udp, err = net.ListenUDP("udp"+of, at)
		}
		if err != nil {
			return nil, fmt.Errorf("listen: %q: %w", place, err)
		}
		tuneUDP(l.udp, c.BufferKB<<10)
		return l, nil
	}
	var secure *tls.Config
	if l.tls {
		pair, err := c.certificate()
		if err != nil {
			return nil, err
		}
		secure = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	if l.tcp, err = net.Listen("tcp"+of, addr); err != nil {
		return nil, fmt.Errorf("listen: %q: %w", place, err)
	}
	if l.tls {
		l.tcp = tls.NewListener(l.tcp, secure)
	}
	return l, nil
}

// family is 4 or 6 for an address of that version, so that 0.0.0.0 hears no IPv6 and
// may stand beside [::]; "" for a name, or for no address, which is all of both.
func family(addr string) string {
	host, _, _ := net.SplitHostPort(addr)
	switch a, err := netip.ParseAddr(host); {
	case err != nil:
		return ""
	case a.Is4():
		return "4"
	}
	return "6"
}

func (c *HEPConfig) certificate() (pair tls.Certificate, err error) {
	if pair, err = tls.LoadX509KeyPair(c.Cert, c.Key); err != nil {
		err = fmt.Errorf("cert: %q with key %q: %w", c.Cert, c.Key, err)
	}
	return pair, err
}

// CheckFiles tells whether the certificate can be read, where one is needed.
func (c *HEPConfig) CheckFiles() error {
	for _, place := range c.Listen {
		if proto, _, _ := splitPlace(place); proto == "tls" {
			_, err := c.certificate()
			return err
		}
	}
	return nil
}

// Addrs lists where the source listens, in the order of Listen.
func (h *HEP) Addrs() (all []net.Addr) {
	for _, l := range h.listeners {
		if l.udp != nil {
			all = append(all, l.udp.LocalAddr())
		} else {
			all = append(all, l.tcp.Addr())
		}
	}
	return all
}

// datagrams reads one UDP socket until Close.
func (h *HEP) datagrams(l *listener) {
	var drops dropCounter
	for {
		var r *received
		select {
		case r = <-h.free:
		case <-h.done:
			return
		}
		if r.data == nil {
			r.data = make([]byte, hep.MaxSize)
		}
		for {
			n, peer, err := drops.read(l.udp, r.data)
			if err != nil {
				if !h.failed(l, err) {
					return
				}
				continue
			}
			h.count.drops.Add(drops.fresh())
			r.n, r.time, r.peer, r.from = n, time.Now().UnixNano(), peer, l
			if n > 0 && h.mayCome(peer) && h.mayKey(peer, r.data[:n]) {
				break
			}
		}
		h.full <- r // has room for all there are
	}
}

// failed tells Next of an error, waits a moment and reports whether to go on.
func (h *HEP) failed(l *listener, err error) bool {
	select {
	case <-h.done:
		return false
	default:
	}
	select {
	case h.errs <- fmt.Errorf("listen: %q: %w", l.place, err):
	default: // the last one was not read yet
	}
	return !errors.Is(err, net.ErrClosed) && h.pause(100*time.Millisecond)
}

// pause waits and reports whether to go on.
func (h *HEP) pause(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-h.done:
		return false
	}
}

// senders is who may send.
type senders struct {
	keys  [][]byte
	allow []netip.Prefix
}

func newSenders(keys []string, allow []netip.Prefix) *senders {
	s := &senders{allow: allow}
	for _, k := range keys {
		s.keys = append(s.keys, []byte(k))
	}
	return s
}

func (s *senders) may(peer netip.Addr) bool {
	return len(s.allow) == 0 || slices.ContainsFunc(s.allow, func(p netip.Prefix) bool { return p.Contains(peer) })
}

// SetSenders changes who may send: keys as AuthKeys, allow as Allow of a HEPConfig that
// has passed Validate. Connections of those who may not any more are closed. Any
// goroutine may call it.
func (h *HEP) SetSenders(keys []string, allow []netip.Prefix) {
	s := newSenders(keys, allow)
	h.senders.Store(s)
	h.mu.Lock()
	defer h.mu.Unlock()
	for c, from := range h.conns {
		if !s.may(from.peer) {
			cut(c)
		}
	}
}

// mayCome reports whether a sender may send, by its address.
func (h *HEP) mayCome(peer netip.Addr) bool {
	if h.senders.Load().may(peer) {
		return true
	}
	h.count.refused.Add(1)
	h.refusals.note(peer, WrongAddress, time.Now())
	return false
}

// mayKey reports whether a packet has a key that it may have.
func (h *HEP) mayKey(peer netip.Addr, b []byte) bool {
	if keys := h.senders.Load().keys; len(keys) == 0 || hep.Authorized(hep.Key(b), keys) {
		return true
	}
	h.count.keys.Add(1)
	h.refusals.note(peer, WrongKey, time.Now())
	return false
}

// Next implements Source.
func (h *HEP) Next(f *packet.Frame) error {
	if h.last != nil {
		h.free <- h.last // has room for all there are
		h.last = nil
	}
	select {
	case r := <-h.full:
		return h.hand(f, r)
	default:
	}
	h.timer.Reset(h.cfg.Timeout)
	select {
	case r := <-h.full:
		return h.hand(f, r)
	case err := <-h.errs:
		return err
	case <-h.timer.C:
		f.Time = time.Now().UnixNano()
		return ErrIdle
	case <-h.done:
	}
	h.working.Wait()
	select {
	case r := <-h.full:
		return h.hand(f, r)
	default:
		return io.EOF
	}
}

func (h *HEP) hand(f *packet.Frame, r *received) error {
	h.last, h.name = r, r.from.place
	h.count.frames.Add(1)
	h.count.bytes.Add(uint64(r.n))
	link := packet.LinkHEP
	if h.cfg.Siptrace {
		link = packet.LinkSiptrace
	}
	*f = packet.Frame{Time: r.time, Link: link, Data: r.data[:r.n:r.n], Wire: r.n, Source: r.from.index, Peer: r.peer}
	return nil
}

// Name implements Source: the place that the last frame came to.
func (h *HEP) Name() string { return h.name }

// Stats implements Source.
func (h *HEP) Stats() Stats {
	c := &h.count
	return Stats{Frames: c.frames.Load(), Bytes: c.bytes.Load(), KernelDrops: c.drops.Load(),
		Refused: c.refused.Load(), WrongKey: c.keys.Load(), Surplus: c.surplus.Load(), Broken: c.broken.Load()}
}

// Close implements Source. What was received before is still delivered.
func (h *HEP) Close() error {
	h.close.Do(func() {
		close(h.done)
		for _, l := range h.listeners {
			if l.udp != nil {
				l.udp.Close()
			} else {
				l.tcp.Close()
			}
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		for c := range h.conns {
			cut(c)
		}
	})
	return nil
}
