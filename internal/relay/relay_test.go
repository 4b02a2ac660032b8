package relay

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/hep"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

const patience = 10 * time.Second

// message is one that a lane would hand over.
func message(t testing.TB, n int, method string, pad int) (packet.Packet, *sip.Message) {
	text := fmt.Sprintf("%s sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK%d\r\nFrom: <sip:a@example.com>;tag=1\r\n"+
		"To: <sip:b@example.com>\r\nCall-ID: call-%d\r\nCSeq: 1 %s\r\nMax-Forwards: 70\r\nContent-Length: %d\r\n\r\n%s", method, n, n, method, pad, strings.Repeat("x", pad))
	m := new(sip.Message)
	p := packet.Packet{Time: 1700000000123456000 + int64(n)*1000, Src: netip.MustParseAddrPort("192.0.2.1:5060"), Dst: netip.MustParseAddrPort("198.51.100.2:5080"),
		Transport: packet.UDP, Payload: []byte(text)}
	if m.Parse(p.Payload, false) != sip.OK {
		t.Fatal(string(m.AppendProblem(nil)))
	}
	return p, m
}

// inbox gathers what a receiver got.
type inbox struct {
	mu   sync.Mutex
	got  []hep.Packet
	some chan struct{}
}

func newInbox() *inbox { return &inbox{some: make(chan struct{}, 1<<16)} }

func (in *inbox) take(b []byte) {
	var p hep.Packet
	if hep.Decode(bytes.Clone(b), &p, 1700000000e9) != hep.OK {
		return
	}
	in.mu.Lock()
	in.got = append(in.got, p)
	in.mu.Unlock()
	in.some <- struct{}{}
}

// wait returns the first n packets.
func (in *inbox) wait(t testing.TB, n int) []hep.Packet {
	t.Helper()
	late := time.After(patience)
	for {
		in.mu.Lock()
		all := in.got
		in.mu.Unlock()
		have := len(all)
		if have >= n {
			return all[:n]
		}
		select {
		case <-in.some:
		case <-late:
			t.Fatalf("%d packets, want %d", have, n)
		}
	}
}

// stream reads HEP 3 from a connection until its end.
func (in *inbox) stream(c net.Conn) {
	head := make([]byte, 6)
	for {
		if _, err := io.ReadFull(c, head); err != nil {
			return
		}
		n, ok := hep.Length(head)
		if !ok {
			return
		}
		b := make([]byte, n)
		copy(b, head)
		if _, err := io.ReadFull(c, b[6:]); err != nil {
			return
		}
		in.take(b)
	}
}

func listenUDP(t testing.TB, in *inbox) string {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		b := make([]byte, 1<<16)
		for {
			n, _, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			in.take(b[:n])
		}
	}()
	return c.LocalAddr().String()
}

// server is a TCP or TLS receiver that can go and come back.
type server struct {
	l  net.Listener
	mu sync.Mutex
	cs []net.Conn
	in *inbox
}

func serve(t testing.TB, addr string, cfg *tls.Config, in *inbox) *server {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if cfg != nil {
		l = tls.NewListener(l, cfg)
	}
	s := &server{l: l, in: in}
	t.Cleanup(s.close)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.cs = append(s.cs, c)
			s.mu.Unlock()
			go in.stream(c)
		}
	}()
	return s
}

func (s *server) close() {
	s.l.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.cs {
		c.Close()
	}
}

func begin(t testing.TB, cfg Config, notice func(string, error)) *Relay {
	t.Helper()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	r := New(cfg, notice)
	r.Start()
	return r
}

// finish closes the relay and holds its counters against each other.
func finish(t testing.TB, r *Relay, drain time.Duration) Stats {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	r.Close(ctx)
	s := r.Stats()
	if err := s.Check(); err != nil {
		t.Error(err)
	}
	return s
}

func config(transport string, targets ...string) Config {
	cfg := DefaultConfig()
	cfg.Transport, cfg.Targets = transport, targets
	cfg.AuthKey, cfg.CaptureID, cfg.Node = "s3cret", 42, "probe-1"
	return cfg
}

// TestSame: what arrives is what was seen, by every transport and version.
func TestSame(t *testing.T) {
	cert, pool := certificate(t, "127.0.0.1")
	for _, transport := range []string{"udp", "udp 2", "tcp", "tls"} {
		in := newInbox()
		cfg := config(transport)
		switch transport {
		case "udp":
			cfg.Targets = []string{listenUDP(t, in)}
		case "udp 2":
			cfg.Transport, cfg.Version, cfg.AuthKey, cfg.Targets = "udp", 2, "", []string{listenUDP(t, in)}
		case "tcp":
			cfg.Targets = []string{serve(t, "127.0.0.1:0", nil, in).l.Addr().String()}
		case "tls":
			cfg.Targets = []string{serve(t, "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}}, in).l.Addr().String()}
			cfg.TLS = &tls.Config{RootCAs: pool}
		}
		r := begin(t, cfg, nil)
		const n = 200
		var sent []packet.Packet
		for i := range n {
			p, m := message(t, i, "OPTIONS", i)
			if i%2 == 1 {
				p.Transport = packet.TCP
				p.Src, p.Dst = netip.MustParseAddrPort("[2001:db8::1]:5060"), netip.MustParseAddrPort("[2001:db8::2]:5061")
			}
			sent = append(sent, p)
			r.Copy(&p, m)
			if cfg.Transport == "udp" {
				in.wait(t, i+1) // a burst may be more than the receiver's buffer
			}
		}
		got := in.wait(t, n)
		for i := range got {
			g, want := &got[i], &sent[i]
			if !bytes.Equal(g.Payload(), want.Payload) || g.Src != want.Src || g.Dst != want.Dst || g.Time != want.Time || g.CaptureID != 42 || g.Type != hep.TypeSIP ||
				g.Protocol != []uint8{17, 6}[i%2] || int(g.Version) != cfg.Version {
				t.Fatalf("%s: packet %d: %v to %v at %d, protocol %d, id %d: %q", transport, i, g.Src, g.Dst, g.Time, g.Protocol, g.CaptureID, g.Payload())
			}
			if cfg.Version == 3 && (string(g.CorrelationID()) != fmt.Sprintf("call-%d", i) || string(g.Key()) != "s3cret" || string(g.Node()) != "probe-1") {
				t.Fatalf("%s: packet %d: %q %q %q", transport, i, g.CorrelationID(), g.Key(), g.Node())
			}
		}
		if s := finish(t, r, patience); s.Targets[0].Sent != n || s.Seen != n {
			t.Errorf("%s: %+v", transport, s)
		}
	}
}

// TestFilters: by the CSeq's method, by who sent it, and whether HEP brought it.
func TestFilters(t *testing.T) {
	answer := "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
	for _, c := range []struct {
		name     string
		set      func(*Config, *packet.Packet)
		answered bool
		passes   bool
	}{
		{"nothing set", func(*Config, *packet.Packet) {}, false, true},
		{"another method", func(c *Config, _ *packet.Packet) { c.Methods = []string{"INVITE", "BYE"} }, false, false},
		{"an answer to the method", func(c *Config, _ *packet.Packet) { c.Methods = []string{"INVITE"} }, true, true},
		{"the method", func(c *Config, _ *packet.Packet) { c.Methods = []string{"BYE", "OPTIONS"} }, false, true},
		{"another source", func(c *Config, _ *packet.Packet) {
			c.Sources = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
		}, false, false},
		{"the source", func(c *Config, _ *packet.Packet) { c.Sources = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} }, false, true},
		{"by HEP", func(_ *Config, p *packet.Packet) { p.HEP.Version, p.HEP.CaptureID = 3, 7 }, false, true},
		{"by HEP, not wanted", func(c *Config, p *packet.Packet) { c.Received, p.HEP.Version, p.HEP.CaptureID = false, 3, 7 }, false, false},
		{"sent by this program", func(_ *Config, p *packet.Packet) {
			p.HEP = packet.HEPInfo{Version: 3, CaptureID: 42, Node: []byte("probe-1")}
		}, false, false},
		{"the same number, another node", func(_ *Config, p *packet.Packet) {
			p.HEP = packet.HEPInfo{Version: 3, CaptureID: 42, Node: []byte("probe-2")}
		}, false, true},
	} {
		in := newInbox()
		cfg := config("udp", listenUDP(t, in))
		p, m := message(t, 1, "OPTIONS", 0)
		if c.answered {
			p.Payload = []byte(answer)
			if m.Parse(p.Payload, false) != sip.OK {
				t.Fatal("answer")
			}
		}
		c.set(&cfg, &p)
		r := begin(t, cfg, nil)
		r.Copy(&p, m)
		if s := finish(t, r, patience); s.Targets[0].Sent == 1 != c.passes || s.Filtered+s.Returned == 1 == c.passes {
			t.Errorf("%s: %+v", c.name, s)
		}
	}
}

// TestPassedOn: what came by HEP keeps its agent and its correlation id.
func TestPassedOn(t *testing.T) {
	in := newInbox()
	r := begin(t, config("udp", listenUDP(t, in)), nil)
	p, m := message(t, 1, "OPTIONS", 0)
	p.HEP = packet.HEPInfo{Version: 3, CaptureID: 7, Node: []byte("edge"), CorrelationID: []byte("leg-a")}
	r.Copy(&p, m)
	g := &in.wait(t, 1)[0]
	if g.CaptureID != 7 || string(g.Node()) != "edge" || string(g.CorrelationID()) != "leg-a" || string(g.Key()) != "s3cret" {
		t.Errorf("%d %q %q %q", g.CaptureID, g.Node(), g.CorrelationID(), g.Key())
	}
	finish(t, r, patience)
}

// TestReceiverRestarts: what comes while the receiver is known to be away waits, and
// none of it is lost; that it was away is told once, and once that it is back.
func TestReceiverRestarts(t *testing.T) {
	in := newInbox()
	s := serve(t, "127.0.0.1:0", nil, in)
	addr := s.l.Addr().String()
	notices := make(chan error, 100)
	r := begin(t, config("tcp", addr), func(_ string, err error) { notices <- err })
	send := func(from, to int) {
		for i := from; i < to; i++ {
			p, m := message(t, i, "OPTIONS", 0)
			r.Copy(&p, m)
		}
	}
	send(0, 10)
	in.wait(t, 10)
	s.close()
	if err := next(t, notices); err == nil {
		t.Error("reachable, and the receiver is away")
	}
	send(10, 20)
	again := newInbox()
	serve(t, addr, nil, again)
	if err := next(t, notices); err != nil {
		t.Error(err)
	}
	send(20, 30)
	for i, g := range again.wait(t, 20) {
		if id := string(g.CorrelationID()); id != fmt.Sprintf("call-%d", 10+i) {
			t.Errorf("message %d is %s", i, id)
		}
	}
	st := finish(t, r, patience).Targets[0]
	if st.Opened != 2 || st.Sent != 30 || st.Retried != 0 || len(notices) != 0 {
		t.Errorf("%+v, %d more notices", st, len(notices))
	}
}

// TestBrokenBatch: a batch that breaks off is written again to the next connection,
// whole.
func TestBrokenBatch(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r := begin(t, config("tcp", l.Addr().String()), nil)
	const n = 1000
	go func() {
		for i := range n { // more than the buffers of a connection hold
			p, m := message(t, i, "OPTIONS", 20000)
			for before := r.Stats().Targets[0].Full; ; before = r.Stats().Targets[0].Full {
				if r.Copy(&p, m); r.Stats().Targets[0].Full == before {
					break
				}
			}
		}
	}()
	first, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	io.ReadFull(first, make([]byte, 100000)) // in the middle of a packet
	first.Close()
	in := newInbox()
	second, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	go in.stream(second)
	got := in.wait(t, 1)
	for last := ""; last != fmt.Sprintf("call-%d", n-1); last = string(got[len(got)-1].CorrelationID()) {
		got = in.wait(t, len(got)+1)
	}
	for i := range got[1:] { // without a hole
		var a, b int
		fmt.Sscanf(string(got[i].CorrelationID()), "call-%d", &a)
		fmt.Sscanf(string(got[i+1].CorrelationID()), "call-%d", &b)
		if b != a+1 {
			t.Fatalf("%d comes after %d", b, a)
		}
	}
	finish(t, r, patience)
}

func next(t *testing.T, notices <-chan error) error {
	t.Helper()
	select {
	case err := <-notices:
		return err
	case <-time.After(patience):
		t.Fatal("no notice")
		return nil
	}
}

// TestFull: a receiver that is not there costs the newest messages, which are
// counted; the rest is left when the time to drain is over.
func TestFull(t *testing.T) {
	cfg := config("tcp", "127.0.0.1:1")
	cfg.Buffer = minBuffer
	r := begin(t, cfg, nil)
	const n = 5000
	for i := range n {
		p, m := message(t, i, "OPTIONS", 0)
		r.Copy(&p, m)
	}
	s := finish(t, r, 50*time.Millisecond).Targets[0]
	if s.Full == 0 || s.Waiting == 0 || s.Full+s.Waiting != n || s.Sent != 0 {
		t.Errorf("%+v", s)
	}
}

// TestSlow: a receiver that reads nothing blocks neither the lane nor the end.
func TestSlow(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cfg := config("tcp", l.Addr().String())
	cfg.Buffer = minBuffer
	r := begin(t, cfg, nil)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i, still, sent := 0, 0, uint64(0); still < 10; i++ { // until the system's buffers are full too
		p, m := message(t, i, "OPTIONS", 30000)
		r.Copy(&p, m)
		st := r.Stats().Targets[0]
		if st.Sent != sent || st.Waiting == 0 || st.Full == 0 {
			still, sent = 0, st.Sent
			continue
		}
		still++
		<-tick.C
	}
	if s := finish(t, r, 50*time.Millisecond).Targets[0]; s.Waiting == 0 {
		t.Errorf("%+v", s)
	}
}

// TestTooLong: what no datagram holds, and no HEP packet.
func TestTooLong(t *testing.T) {
	in := newInbox()
	r := begin(t, config("udp", listenUDP(t, in)), nil)
	for _, pad := range []int{65300, 65600, 1 << 20, 100} {
		p, m := message(t, pad, "OPTIONS", pad)
		r.Copy(&p, m)
	}
	in.wait(t, 1)
	if s := finish(t, r, patience).Targets[0]; s.TooLong != 3 || s.Sent != 1 {
		t.Errorf("%+v", s)
	}
}

// TestNobodyListens: datagrams that are refused are counted, and told once.
func TestNobodyListens(t *testing.T) {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := c.LocalAddr().String()
	c.Close()
	notices := make(chan error, 100)
	r := begin(t, config("udp", addr), func(_ string, err error) { notices <- err })
	for i := range 50 {
		p, m := message(t, i, "OPTIONS", 0)
		r.Copy(&p, m)
	}
	if next(t, notices) == nil {
		t.Error("reachable")
	}
	s := finish(t, r, patience).Targets[0]
	if s.Failed == 0 || s.Sent+s.Failed != 50 || len(notices) != 0 {
		t.Errorf("%+v, %d more notices", s, len(notices))
	}
}

// TestWrongCertificate: nothing leaves to a receiver that is not who it should be.
func TestWrongCertificate(t *testing.T) {
	for name, host := range map[string]string{"unknown issuer": "127.0.0.1", "another name": "192.0.2.1"} {
		cert, pool := certificate(t, host)
		if name == "unknown issuer" {
			_, pool = certificate(t, host)
		}
		in := newInbox()
		s := serve(t, "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}}, in)
		cfg := config("tls", s.l.Addr().String())
		cfg.TLS = &tls.Config{RootCAs: pool}
		notices := make(chan error, 100)
		r := begin(t, cfg, func(_ string, err error) { notices <- err })
		p, m := message(t, 1, "OPTIONS", 0)
		r.Copy(&p, m)
		if err := next(t, notices); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("%s: %v", name, err)
		}
		if s := finish(t, r, 10*time.Millisecond).Targets[0]; s.Waiting != 1 || s.Opened != 0 {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// certificate makes one for a host, and the pool that trusts it.
func certificate(t testing.TB, host string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.ParseIP(host)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// TestLanes: many hand over at once; each target gets everything.
func TestLanes(t *testing.T) {
	a, b := newInbox(), newInbox()
	r := begin(t, config("tcp", serve(t, "127.0.0.1:0", nil, a).l.Addr().String(), serve(t, "127.0.0.1:0", nil, b).l.Addr().String()), nil)
	const lanes, each = 4, 500
	var wait sync.WaitGroup
	for l := range lanes {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for i := range each {
				p, m := message(t, l*each+i, "OPTIONS", 10)
				r.Copy(&p, m)
			}
		}()
	}
	wait.Wait()
	s := finish(t, r, patience)
	for i, in := range []*inbox{a, b} {
		seen := map[string]bool{}
		for _, g := range in.wait(t, lanes*each) {
			seen[string(g.CorrelationID())] = true
		}
		if len(seen) != lanes*each || s.Targets[i].Sent != lanes*each {
			t.Errorf("target %d: %d messages, %+v", i, len(seen), s.Targets[i])
		}
	}
}

// TestAllocation: a lane allocates nothing.
func TestAllocation(t *testing.T) {
	cfg := config("tcp", "127.0.0.1:1")
	r := New(cfg, nil) // no worker: nothing else allocates
	p, m := message(t, 1, "OPTIONS", 500)
	if n := testing.AllocsPerRun(100, func() { r.Copy(&p, m) }); n != 0 {
		t.Errorf("%v allocations a message", n)
	}
}

// BenchmarkCopy is what a message costs the lane.
func BenchmarkCopy(b *testing.B) {
	r := New(config("tcp", "127.0.0.1:1"), nil)
	p, m := message(b, 1, "INVITE", 500)
	b.SetBytes(int64(len(p.Payload)))
	b.ReportAllocs()
	ring := r.targets[0].ring
	for b.Loop() {
		r.Copy(&p, m)
		_, to, _ := ring.span()
		ring.release(to, ring.waiting())
	}
}
