// Package relay sends the SIP messages that the engine follows to other programs, by
// HEP over UDP, TCP or TLS.
//
// A lane hands over a message and goes on: Copy writes the finished HEP packet into
// a ring of bytes, one a target, and never waits. A worker a target sends, masked where
// Config.Mask is not nil, connects again when it has to, and is the only one that waits. What the ring has no room for
// is the newest, dropped and counted. Packets and messages are borrowed for the
// length of Copy; nothing of them is kept but the bytes in the ring.
//
// It does not store what could not be sent, does not compress, and sends nothing but
// SIP: no reports, no logs.
package relay

import (
	"context"
	"crypto/tls"
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/sipcmbeat/sipcmbeat/internal/hep"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// Config says what is sent where.
type Config struct {
	Targets   []string    // host:port; each gets everything
	Transport string      // udp, tcp, tls
	TLS       *tls.Config // of the client; without a ServerName that of the target's host
	Version   int         // 2, over UDP alone, or 3
	AuthKey   string      // version 3 sends it, in clear text
	CaptureID uint32      // of this program
	Node      string      // its name

	Methods  []string       // requests and their answers; none is all
	Sources  []netip.Prefix // of who sent the message; none is all
	Received bool           // what came by HEP is sent on too
	Buffer   int            // bytes that may wait for a target

	// Mask gives what makes messages unreadable, with their addresses, their correlation ids
	// and the names of those who sent them here.
	// It may give nil, and be nil, where they leave as they are, and is asked for each
	// message. What waits in the buffer is clear: the workers mask.
	Mask func() Mask
}

// A Mask makes messages unreadable; package privacy has one.
type Mask interface {
	Addr(a netip.Addr) netip.Addr
	AppendCallID(dst, id []byte) []byte
	AppendNode(dst, name []byte) []byte
	AppendMessage(dst, message []byte, cut bool) []byte
}

// DefaultConfig has no targets.
func DefaultConfig() Config {
	return Config{Transport: "udp", Version: 3, Received: true, Buffer: 8 << 20}
}

// The bounds of Buffer, in bytes: one message of the greatest size always fits.
const (
	minBuffer = 256 << 10
	maxBuffer = 1 << 30
)

// Validate names the first setting that cannot be, and what is allowed.
func (c *Config) Validate() error {
	for i, target := range c.Targets {
		host, port, err := net.SplitHostPort(target)
		if n, bad := net.LookupPort("udp", port); err != nil || host == "" || bad != nil || n == 0 {
			return fmt.Errorf("targets: %q is not allowed; allowed: host:port, such as homer.example.com:9060", target)
		}
		if slices.Contains(c.Targets[:i], target) {
			return fmt.Errorf("targets: %q stands there twice", target)
		}
	}
	if !slices.Contains([]string{"udp", "tcp", "tls"}, c.Transport) {
		return fmt.Errorf("transport: %q is not allowed; allowed: udp, tcp, tls", c.Transport)
	}
	if c.Version != 2 && c.Version != 3 {
		return fmt.Errorf("version: %d is not allowed; allowed: 2, 3", c.Version)
	}
	if c.Version == 2 && c.Transport != "udp" {
		return fmt.Errorf("version: 2 is not allowed with transport %s, in which it has no length; allowed: 3", c.Transport)
	}
	if c.Version == 2 && c.CaptureID > math.MaxUint16 {
		return fmt.Errorf("capture_id: %d is not allowed with version 2; allowed: 0 to 65535", c.CaptureID)
	}
	if c.Version == 2 && c.AuthKey != "" {
		return fmt.Errorf("auth_key: version 2 has no place for one; allowed: version 3")
	}
	if len(c.AuthKey) > maxName || len(c.Node) > maxName {
		return fmt.Errorf("auth_key and node: allowed: up to %d bytes", maxName)
	}
	if c.Buffer < minBuffer || c.Buffer > maxBuffer {
		return fmt.Errorf("buffer: %d is not allowed; allowed: %d to %d", c.Buffer, minBuffer, maxBuffer)
	}
	return nil
}

// maxName bounds what stands in every packet, in bytes.
const maxName = 256

// Loops names the first target that is one of listen, where this program receives
// HEP: what it sends would come back. They are written as capture.HEPConfig has
// them, udp:0.0.0.0:9060.
func (c *Config) Loops(listen []string) error {
	for _, target := range c.Targets {
		host, port, _ := net.SplitHostPort(target)
		for _, l := range listen {
			transport, rest, _ := strings.Cut(l, ":")
			at, atPort, err := net.SplitHostPort(rest)
			if err != nil || transport != c.Transport || atPort != port {
				continue
			}
			all := []string{at}
			if at == "" {
				all = []string{"0.0.0.0", "::"}
			}
			if strings.EqualFold(at, host) || slices.ContainsFunc(all, func(at string) bool {
				a, err := netip.ParseAddr(at)
				return err == nil && own(host, a)
			}) {
				return fmt.Errorf("targets: %s is where this program itself receives HEP (%s): what it sends would come back", target, l)
			}
		}
	}
	return nil
}

// own reports whether a host as written in a target is what listens at addr, of which
// 0.0.0.0 is all of IPv4 and :: all of IPv6. Names
// but localhost are not looked up: what they mean may change.
func own(host string, addr netip.Addr) bool {
	if strings.EqualFold(host, "localhost") {
		return addr.IsLoopback() || addr.IsUnspecified()
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	if a = a.Unmap().WithZone(""); a == addr.Unmap() {
		return true
	}
	if !addr.IsUnspecified() || a.Is4() != addr.Is4() {
		return false
	}
	return a.IsLoopback() || a.IsUnspecified() || ofThisMachine(a)
}

func ofThisMachine(a netip.Addr) bool {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, x := range all {
		if p, err := netip.ParsePrefix(x.String()); err == nil && p.Addr().Unmap() == a {
			return true
		}
	}
	return false
}

// Relay sends to all targets.
type Relay struct {
	cfg     Config
	node    []byte
	chosen  atomic.Pointer[choice]
	targets []*target
	stop    context.CancelFunc
	wait    sync.WaitGroup

	seen     atomic.Uint64
	filtered atomic.Uint64
	returned atomic.Uint64
}

// New builds a Relay and starts nothing. notice is told when a target can be reached
// or no more, err being nil in the first case; it is called by the workers and may
// be nil.
func New(cfg Config, notice func(target string, err error)) *Relay {
	r := &Relay{cfg: cfg, node: []byte(cfg.Node)}
	r.Choose(&cfg)
	if notice == nil {
		notice = func(string, error) {}
	}
	for _, addr := range cfg.Targets {
		r.targets = append(r.targets, newTarget(&r.cfg, addr, notice))
	}
	return r
}

// choice is what can change while a Relay runs.
type choice struct {
	key     []byte
	methods [][]byte
	sources []netip.Prefix
}

// Choose takes AuthKey, Methods and Sources of a Config that has passed Validate, for
// the messages from now on. Any goroutine may call it.
func (r *Relay) Choose(cfg *Config) {
	c := &choice{key: []byte(cfg.AuthKey), sources: cfg.Sources}
	for _, m := range cfg.Methods {
		c.methods = append(c.methods, []byte(m))
	}
	r.chosen.Store(c)
}

// Start makes the workers. They end with Close.
func (r *Relay) Start() {
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	for _, t := range r.targets {
		r.wait.Add(1)
		go func() {
			defer r.wait.Done()
			t.run(ctx)
		}()
	}
}

// Close lets the workers send what waits until ctx is done, and ends them. What is
// left then is counted. Copy must not be called any more.
func (r *Relay) Close(ctx context.Context) {
	for _, t := range r.targets {
		t.ring.close()
	}
	done := make(chan struct{})
	go func() {
		r.wait.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
	r.stop()
	<-done
	for _, t := range r.targets {
		t.left.Store(uint64(t.ring.waiting()))
	}
}

// Copy takes one message. It borrows both until it returns, never waits, and may be
// called by several lanes.
func (r *Relay) Copy(p *packet.Packet, m *sip.Message) {
	r.seen.Add(1)
	if p.HEP.Version != 0 && r.own(&p.HEP) {
		r.returned.Add(1)
		return
	}
	c := r.chosen.Load()
	if !r.wants(c, p, m) {
		r.filtered.Add(1)
		return
	}
	h := hep.Message{
		Version: uint8(r.cfg.Version), Protocol: protocol(p.Transport), Type: hep.TypeSIP,
		Src: p.Src, Dst: p.Dst, Time: p.Time, CaptureID: r.cfg.CaptureID,
		Node: r.node, CorrelationID: m.CallID(), Key: c.key, Payload: p.Payload,
	}
	if p.HEP.Version > 1 { // whose it is stays told
		h.CaptureID = p.HEP.CaptureID
		if len(p.HEP.Node) > 0 && len(p.HEP.Node) <= maxName {
			h.Node = p.HEP.Node
		}
		if len(p.HEP.CorrelationID) > 0 {
			h.CorrelationID = p.HEP.CorrelationID
		}
	}
	if len(h.CorrelationID) > maxCorrelation {
		h.CorrelationID = h.CorrelationID[:maxCorrelation]
	}
	for _, t := range r.targets {
		t.put(&h)
	}
}

// maxCorrelation bounds the correlation id: it stands in the message too, and must
// not make a packet too long that fits.
const maxCorrelation = 512

// own reports whether a HEP packet is one that this program has sent: it was
// captured on its way, or somebody sent it back.
func (r *Relay) own(h *packet.HEPInfo) bool {
	if h.CaptureID != r.cfg.CaptureID {
		return false
	}
	if h.Version == 3 {
		return string(h.Node) == r.cfg.Node
	}
	return h.Version == 2 && r.cfg.Version == 2 && r.cfg.CaptureID != 0
}

func (r *Relay) wants(c *choice, p *packet.Packet, m *sip.Message) bool {
	if p.HEP.Version != 0 && !r.cfg.Received {
		return false
	}
	if len(c.methods) > 0 {
		_, method := m.CSeq()
		if !slices.ContainsFunc(c.methods, func(want []byte) bool { return string(want) == string(method) }) {
			return false
		}
	}
	if len(c.sources) == 0 {
		return true
	}
	src := p.Src.Addr().Unmap()
	for _, prefix := range c.sources {
		if prefix.Contains(src) {
			return true
		}
	}
	return false
}

// protocol is the IP protocol of a transport.
func protocol(t packet.Transport) uint8 {
	switch t {
	case packet.TCP:
		return 6
	case packet.SCTP:
		return 132
	}
	return 17
}

// Stats are counters since Start. Seen is Returned, Filtered and what went to the
// targets.
type Stats struct {
	Seen     uint64
	Filtered uint64 // by method, source, or because it came by HEP
	Returned uint64 // sent by this program itself, and seen again
	Targets  []TargetStats
}

// TargetStats are those of one target: Taken is the sum of Sent, Full, TooLong,
// Failed and Waiting.
type TargetStats struct {
	Addr    string
	Taken   uint64
	Sent    uint64 // handed to the system; what the network loses nobody tells
	Bytes   uint64
	Full    uint64 // dropped: the buffer had no room
	TooLong uint64 // for a HEP packet, or for UDP
	Failed  uint64 // the system refused them
	Waiting uint64 // in the buffer; after Close: left there
	Retried uint64 // written a second time after a connection broke
	Opened  uint64 // connections
}

// Stats returns the counters.
func (r *Relay) Stats() Stats {
	s := Stats{Seen: r.seen.Load(), Filtered: r.filtered.Load(), Returned: r.returned.Load()}
	for _, t := range r.targets {
		s.Targets = append(s.Targets, t.stats())
	}
	return s
}

// Check reports the first sum that does not agree. It holds when no Copy runs and
// the workers are at rest.
func (s *Stats) Check() error {
	for i := range s.Targets {
		t := &s.Targets[i]
		if sum := t.Sent + t.Full + t.TooLong + t.Failed + t.Waiting; sum != t.Taken {
			return fmt.Errorf("counters disagree: HEP output to %s: %d of %d messages", t.Addr, sum, t.Taken)
		}
		if t.Taken+s.Filtered+s.Returned != s.Seen {
			return fmt.Errorf("counters disagree: HEP output to %s took %d of %d messages", t.Addr, t.Taken, s.Seen)
		}
	}
	return nil
}
