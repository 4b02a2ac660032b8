package capture

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	bigint "math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/hep"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// hepOf is a packet whose capture id is n and whose payload has this length.
func hepOf(version uint8, n uint32, size int) []byte {
	m := hep.Message{Version: version, Protocol: 17, Type: hep.TypeSIP, Src: netip.MustParseAddrPort("192.0.2.7:5060"),
		Dst: netip.MustParseAddrPort("198.51.100.9:5080"), Time: 1700000000e9, CaptureID: n, Key: []byte("s3cret"),
		Payload: bytes.Repeat([]byte("OPTIONS sip:a@b SIP/2.0\r\n"), size/25+1)[:size]}
	b, ok := m.Append(nil)
	if !ok {
		panic("not written")
	}
	return b
}

func listen(t *testing.T, change func(*HEPConfig)) *HEP {
	t.Helper()
	cfg := DefaultHEPConfig()
	cfg.Listen, cfg.Timeout = []string{"udp:127.0.0.1:0"}, 20*time.Millisecond
	change(&cfg)
	h, err := NewHEP(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

func dial(t *testing.T, h *HEP, n int) net.Conn {
	t.Helper()
	a := h.Addrs()[n]
	c, err := net.Dial(a.Network(), a.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func send(t *testing.T, w io.Writer, b []byte) {
	t.Helper()
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
}

// next waits for a frame, 5 s at most.
func next(t *testing.T, h *HEP) packet.Frame {
	t.Helper()
	var f packet.Frame
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		err := h.Next(&f)
		if err == nil {
			return f
		}
		if !errors.Is(err, ErrIdle) {
			t.Fatal(err)
		}
	}
	t.Fatal("nothing came")
	return f
}

// patience is how long is waited for what has to come, however busy the machine is.
const patience = 30 * time.Second

// until waits for what counters say.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !is(); <-tick.C {
		if time.Now().After(deadline) {
			t.Errorf("never: %s", what)
			return
		}
	}
}

func TestHEPOverUDP(t *testing.T) {
	h := listen(t, func(c *HEPConfig) { c.Listen = append(c.Listen, "udp:[::1]:0") })
	for place, from := range []string{"127.0.0.1", "::1"} {
		c := dial(t, h, place)
		for version := range uint8(3) {
			want := hepOf(version+1, 7, 300+20000*int(version))
			before := time.Now().UnixNano()
			send(t, c, want)
			f := next(t, h)
			if !bytes.Equal(f.Data, want) || f.Link != packet.LinkHEP || f.Wire != len(want) || f.Peer.String() != from || int(f.Source) != place ||
				f.Time < before || f.Time > time.Now().UnixNano() || h.Name() != h.cfg.Listen[place] {
				t.Errorf("version %d from %v: %d bytes of %v at %d, source %d %q", version+1, f.Peer, len(f.Data), f.Link, f.Time, f.Source, h.Name())
			}
		}
	}
	if s := h.Stats(); s.Frames != 6 || s.Bytes < 6*300 || s.KernelDrops+s.Refused+s.WrongKey+s.Broken != 0 {
		t.Errorf("%+v", s)
	}
}

// An address is of one version: 0.0.0.0 and [::] stand beside each other, and none is
// both.
func TestHEPFamilies(t *testing.T) {
	for _, proto := range []string{"udp", "tcp"} {
		h := listen(t, func(c *HEPConfig) { c.Listen = []string{proto + ":0.0.0.0:0"} })
		_, port, _ := net.SplitHostPort(h.Addrs()[0].String())
		six := listen(t, func(c *HEPConfig) { c.Listen = []string{proto + ":[::]:" + port} })
		for from, h := range map[string]*HEP{"127.0.0.1": h, "::1": six} {
			c, err := net.Dial(proto, net.JoinHostPort(from, port))
			if err != nil {
				t.Fatal(err)
			}
			send(t, c, hepOf(3, 7, 300))
			if f := next(t, h); f.Peer.String() != from {
				t.Errorf("%s: %v came to %v", from, f.Peer, h.Addrs())
			}
			c.Close()
		}
		h.Close()
		six.Close()
		both := listen(t, func(c *HEPConfig) { c.Listen = []string{proto + "::0"} })
		_, port, _ = net.SplitHostPort(both.Addrs()[0].String())
		for _, from := range []string{"127.0.0.1", "::1"} {
			c, err := net.Dial(proto, net.JoinHostPort(from, port))
			if err != nil {
				t.Fatal(err)
			}
			send(t, c, hepOf(3, 7, 300))
			if f := next(t, both); f.Peer.String() != from {
				t.Errorf("%v, not %s", f.Peer, from)
			}
			c.Close()
		}
	}
}

func TestHEPIdle(t *testing.T) {
	h := listen(t, func(*HEPConfig) {})
	f := packet.Frame{Wire: 7}
	before := time.Now()
	if err := h.Next(&f); !errors.Is(err, ErrIdle) || f.Time < before.UnixNano() || f.Wire != 7 || time.Since(before) > 10*time.Second {
		t.Errorf("%v at %d after %v", err, f.Time, time.Since(before))
	}
}

// However a stream is cut, its packets come out one by one.
func TestHEPOverTCP(t *testing.T) {
	h := listen(t, func(c *HEPConfig) { c.Listen = []string{"tcp:127.0.0.1:0"} })
	var stream []byte
	var want [][]byte
	for i, size := range []int{10, 5000, 1, 65000, 300, 300} {
		want = append(want, hepOf(3, uint32(i), size))
		stream = append(stream, want[i]...)
	}
	for _, piece := range []int{len(stream), 1, 7, 1400} {
		c := dial(t, h, 0)
		go func() {
			b := stream
			for len(b) > 0 {
				n := min(piece, len(b))
				if piece == 1 && len(b) < len(stream)-5300 { // byte by byte for the first, as they are all alike
					n = len(b)
				}
				if _, err := c.Write(b[:n]); err != nil {
					return
				}
				b = b[n:]
			}
		}()
		for i := range want {
			if f := next(t, h); !bytes.Equal(f.Data, want[i]) || f.Link != packet.LinkHEP || f.Peer.String() != "127.0.0.1" {
				t.Fatalf("packet %d in pieces of %d: %d bytes, want %d", i, piece, len(f.Data), len(want[i]))
			}
		}
		c.Close()
	}
	until(t, "all connections left", func() bool { h.mu.Lock(); defer h.mu.Unlock(); return len(h.conns) == 0 })
	if s := h.Stats(); s.Frames != 24 || s.Broken != 0 {
		t.Errorf("%+v", s)
	}
}

// certificate writes one for 127.0.0.1, signed by itself.
func certificate(t *testing.T) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: bigint.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return cert, key, pool
}

func TestHEPOverTLS(t *testing.T) {
	cert, key, pool := certificate(t)
	told := make(chan Refusal, 8)
	h := listen(t, func(c *HEPConfig) {
		c.Listen, c.Cert, c.Key, c.Refused = []string{"tls:127.0.0.1:0"}, cert, key, func(r Refusal) { told <- r }
	})
	c, err := tls.Dial("tcp", h.Addrs()[0].String(), &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i := range uint32(3) {
		want := hepOf(3, i, 2000)
		send(t, c, want)
		if f := next(t, h); !bytes.Equal(f.Data, want) {
			t.Errorf("packet %d: %d bytes", i, len(f.Data))
		}
	}
	plain := dial(t, h, 0)
	send(t, plain, hepOf(3, 1, 100)) // without TLS
	if r := <-told; r.Why != NoHandshake || r.Peer.String() != "127.0.0.1" || h.Stats().Broken != 1 {
		t.Errorf("%+v, %+v", r, h.Stats())
	}
}

// Who is not allowed to send is counted, and told of once.
func TestHEPRefused(t *testing.T) {
	told := make(chan Refusal, 100)
	h := listen(t, func(c *HEPConfig) {
		c.Listen = []string{"udp:127.0.0.1:0", "tcp:127.0.0.1:0"}
		c.Allow = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("127.0.0.2/32")}
		c.Refused = func(r Refusal) { told <- r }
	})
	udp := dial(t, h, 0)
	for range 10 {
		send(t, udp, hepOf(3, 1, 100))
	}
	tcp := dial(t, h, 1)
	if _, err := tcp.Read(make([]byte, 1)); err == nil {
		t.Error("the connection was taken")
	}
	until(t, "11 refused", func() bool { return h.Stats().Refused == 11 })
	from, err := net.DialUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2)}, h.Addrs()[0].(*net.UDPAddr))
	if err != nil {
		t.Skip(err) // where only 127.0.0.1 is local
	}
	defer from.Close()
	send(t, from, hepOf(3, 9, 100))
	if f := next(t, h); f.Peer.String() != "127.0.0.2" {
		t.Errorf("from %v", f.Peer)
	}
	if len(told) != 1 {
		t.Fatalf("told %d times", len(told))
	}
	if r := <-told; r.Why != WrongAddress || r.Peer.String() != "127.0.0.1" || r.Count != 1 {
		t.Errorf("%+v", r)
	}
}

func TestHEPKeys(t *testing.T) {
	told := make(chan Refusal, 100)
	h := listen(t, func(c *HEPConfig) {
		c.Listen = []string{"udp:127.0.0.1:0", "tcp:127.0.0.1:0"}
		c.AuthKeys, c.Refused = []string{"older", "s3cret"}, func(r Refusal) { told <- r }
	})
	wrong := bytes.Replace(hepOf(3, 1, 100), []byte("s3cret"), []byte("s3creT"), 1)
	udp, tcp := dial(t, h, 0), dial(t, h, 1)
	for _, b := range [][]byte{wrong, hepOf(1, 1, 100), hepOf(2, 1, 100), []byte("OPTIONS sip:a@b SIP/2.0\r\n"), hepOf(3, 5, 100)} {
		send(t, udp, b)
	}
	if f := next(t, h); !bytes.Equal(f.Data, hepOf(3, 5, 100)) {
		t.Errorf("%q", f.Data)
	}
	send(t, tcp, append(bytes.Clone(wrong), hepOf(3, 6, 100)...))
	if f := next(t, h); !bytes.Equal(f.Data, hepOf(3, 6, 100)) {
		t.Errorf("%q", f.Data)
	}
	if s := h.Stats(); s.WrongKey != 5 || s.Frames != 2 || len(told) != 1 {
		t.Errorf("%+v, told %d times", s, len(told))
	}
}

// A connection that does not carry HEP, or not in time, is cut; the others stay.
func TestHEPBadConnections(t *testing.T) {
	told := make(chan Refusal, 100)
	h := listen(t, func(c *HEPConfig) {
		c.Listen, c.MaxConns, c.PacketTimeout = []string{"tcp:127.0.0.1:0"}, 3, 200*time.Millisecond
		c.Refused = func(r Refusal) { told <- r }
	})
	good := dial(t, h, 0)
	send(t, good, hepOf(3, 1, 100))
	next(t, h)
	ends := func(c net.Conn, what string) {
		t.Helper()
		c.SetReadDeadline(time.Now().Add(patience))
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: not cut", what)
		}
	}
	garbage := dial(t, h, 0)
	send(t, garbage, append(hepOf(3, 2, 100), "INVITE sip:a@b SIP/2.0\r\n"...))
	if f := next(t, h); !bytes.Equal(f.Data, hepOf(3, 2, 100)) {
		t.Errorf("%q", f.Data)
	}
	ends(garbage, "garbage")
	slow := dial(t, h, 0)
	stop := make(chan struct{})
	go func() { // a byte now and then: each in time, the packet never
		defer close(stop)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for _, c := range hepOf(3, 3, 500) {
			if _, err := slow.Write([]byte{c}); err != nil {
				return
			}
			<-tick.C
		}
	}()
	ends(slow, "slow")
	<-stop
	until(t, "2 broken", func() bool { return h.Stats().Broken == 2 })
	for n := range uint32(2) {
		send(t, dial(t, h, 0), hepOf(3, n, 100))
		next(t, h)
	}
	until(t, "3 connections", func() bool { h.mu.Lock(); defer h.mu.Unlock(); return len(h.conns) == 3 })
	ends(dial(t, h, 0), "one too many")
	send(t, good, hepOf(3, 4, 100))
	if f := next(t, h); !bytes.Equal(f.Data, hepOf(3, 4, 100)) {
		t.Errorf("%q", f.Data)
	}
	if s := h.Stats(); s.Surplus != 1 || len(told) != 1 {
		t.Errorf("%+v, told %d times", s, len(told))
	}
}

func TestHEPIdleConnection(t *testing.T) {
	h := listen(t, func(c *HEPConfig) { c.Listen, c.IdleTimeout = []string{"tcp:127.0.0.1:0"}, time.Second })
	c := dial(t, h, 0)
	send(t, c, hepOf(3, 1, 100))
	next(t, h)
	c.SetReadDeadline(time.Now().Add(patience))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("%v, want an end", err)
	}
	if s := h.Stats(); s.Broken != 0 {
		t.Errorf("%+v", s)
	}
}

// A sender that nobody reads is held back, and nothing grows.
func TestHEPBackPressure(t *testing.T) {
	h := listen(t, func(c *HEPConfig) { c.Listen = []string{"tcp:127.0.0.1:0"} })
	c := dial(t, h, 0)
	b := hepOf(3, 1, 30000)
	sent := 0
	c.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
	for {
		if _, err := c.Write(b); err != nil {
			break
		}
		if sent++; sent > 20*queued {
			t.Fatal("never held back")
		}
	}
	if len(h.full) != queued {
		t.Errorf("%d packets wait, want %d", len(h.full), queued)
	}
	for range queued {
		next(t, h)
	}
}

// What does not fit into the kernel's buffer is counted.
func TestHEPKernelDrops(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux says so")
	}
	h := listen(t, func(c *HEPConfig) { c.BufferKB = 64 })
	c := dial(t, h, 0)
	const all = 2000
	for range all {
		send(t, c, hepOf(3, 1, 1000))
	}
	got := 0
	for drained := false; !drained; { // what was dropped shows with the next one that comes
		var f packet.Frame
		if err := h.Next(&f); err == nil {
			got++
		} else {
			drained = true
		}
	}
	send(t, c, hepOf(3, 2, 1000))
	next(t, h)
	if s := h.Stats(); s.KernelDrops == 0 || got+int(s.KernelDrops) != all {
		t.Errorf("%d came, %d dropped, of %d", got, s.KernelDrops, all)
	}
}

func TestHEPClose(t *testing.T) {
	h := listen(t, func(c *HEPConfig) {
		c.Listen, c.Timeout = []string{"udp:127.0.0.1:0", "tcp:127.0.0.1:0"}, 10*time.Second
	})
	send(t, dial(t, h, 0), hepOf(3, 1, 100))
	until(t, "a packet", func() bool { return len(h.full) == 1 })
	tcp := dial(t, h, 1)
	send(t, tcp, hepOf(3, 2, 100)[:50])
	time.AfterFunc(50*time.Millisecond, func() {
		h.Close()
		h.Close()
	})
	var f packet.Frame
	if err := h.Next(&f); err != nil || len(f.Data) == 0 {
		t.Error(err)
	}
	before := time.Now()
	if err := h.Next(&f); !errors.Is(err, io.EOF) || time.Since(before) > 9*time.Second { // else Next would have waited for its time to be over
		t.Errorf("%v after %v", err, time.Since(before))
	}
	if err := h.Next(&f); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if s := h.Stats(); s.Broken != 0 {
		t.Errorf("%+v", s)
	}
}

func TestSiptraceSource(t *testing.T) {
	h := listen(t, func(c *HEPConfig) { c.Siptrace = true })
	send(t, dial(t, h, 0), []byte("OPTIONS sip:a@b SIP/2.0\r\nX-Siptrace-Fromip: udp:192.0.2.7:5060\r\nX-Siptrace-Toip: tcp:192.0.2.8:5080\r\n\r\n"))
	f := next(t, h)
	d := packet.New(packet.DefaultConfig())
	if why := d.Decode(&f); why != packet.OK || d.Src.String() != "192.0.2.7:5060" || d.Dst.String() != "192.0.2.8:5080" || d.OuterSrc.String() != "127.0.0.1" {
		t.Errorf("%v: %v to %v from %v", why, d.Src, d.Dst, d.OuterSrc)
	}
}

func TestHEPConfigRefused(t *testing.T) {
	cert, key, _ := certificate(t)
	for want, change := range map[string]func(*HEPConfig){
		"listen: an empty list is not allowed":     func(c *HEPConfig) { c.Listen = nil },
		`listen: "9060" is not allowed; allowed: `: func(c *HEPConfig) { c.Listen = []string{"9060"} },
		`listen: "udp:9060" is not allowed`:        func(c *HEPConfig) { c.Listen = []string{"udp:9060"} },
		`listen: "http:0.0.0.0:1" is not allowed`:  func(c *HEPConfig) { c.Listen = []string{"http:0.0.0.0:1"} },
		`listen: "udp:0.0.0.0:x" is not allowed`:   func(c *HEPConfig) { c.Listen = []string{"udp:0.0.0.0:x"} },
		`listen: "udp:::1:70000" is not allowed`:   func(c *HEPConfig) { c.Listen = []string{"udp:::1:70000"} },
		`listen: "udp:0.0.0.0:9" is not allowed twice`: func(c *HEPConfig) {
			c.Listen = []string{"udp:0.0.0.0:9", "udp:0.0.0.0:9"}
		},
		`listen: "tcp:0.0.0.0:9" is not allowed; allowed: udp`: func(c *HEPConfig) { c.Siptrace, c.Listen = true, []string{"tcp:0.0.0.0:9"} },
		"auth_keys: nothing but an empty list":                 func(c *HEPConfig) { c.Siptrace, c.AuthKeys = true, []string{"s3cret"} },
		"auth_keys: number 2 is empty":                         func(c *HEPConfig) { c.AuthKeys = []string{"s3cret", ""} },
		"cert: nothing is not allowed":                         func(c *HEPConfig) { c.Listen = []string{"tls:0.0.0.0:9"} },
		"key: nothing is not allowed":                          func(c *HEPConfig) { c.Listen, c.Cert = []string{"tls:0.0.0.0:9"}, cert },
		"allow: a network that is none":                        func(c *HEPConfig) { c.Allow = []netip.Prefix{{}} },
		"max_connections: 0 is not allowed":                    func(c *HEPConfig) { c.MaxConns = 0 },
		"idle_timeout: 0s is not allowed":                      func(c *HEPConfig) { c.IdleTimeout = 0 },
		"packet_timeout: 1ns is not allowed":                   func(c *HEPConfig) { c.PacketTimeout = 1 },
		"buffer_kb: 1 is not allowed":                          func(c *HEPConfig) { c.BufferKB = 1 },
		"timeout: 0s is not allowed":                           func(c *HEPConfig) { c.Timeout = 0 },
		fmt.Sprintf("cert: %q with key %q: ", key, cert):       func(c *HEPConfig) { c.Listen, c.Cert, c.Key = []string{"tls:127.0.0.1:0"}, key, cert },
		`listen: "udp:192.0.2.1:9060": `:                       func(c *HEPConfig) { c.Listen = []string{"udp:127.0.0.1:0", "udp:192.0.2.1:9060"} },
		`listen: "tcp:192.0.2.1:9060": `:                       func(c *HEPConfig) { c.Listen = []string{"tcp:192.0.2.1:9060"} },
	} {
		cfg := DefaultHEPConfig()
		change(&cfg)
		h, err := NewHEP(cfg)
		if err == nil {
			h.Close()
		}
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// A sender is told of at once, then once a minute with a sum; beyond 256 senders all
// others together.
func TestRefusals(t *testing.T) {
	var told []Refusal
	r := refusals{tell: func(x Refusal) { told = append(told, x) }}
	at := time.Unix(1700000000, 0)
	one := netip.MustParseAddr("192.0.2.1")
	for i := range 120 { // two a second
		r.note(one, WrongKey, at.Add(time.Duration(i)*time.Second/2))
	}
	r.note(one, WrongKey, at.Add(time.Minute))
	if len(told) != 2 || told[0].Count != 1 || told[1].Count != 120 || told[1].Peer != one || told[1].Why.String() != "wrong key" {
		t.Errorf("%+v", told)
	}
	told = nil
	for i := range 1000 {
		r.note(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), WrongAddress, at.Add(time.Minute))
	}
	if len(r.known) != maxRefused || len(told) != maxRefused-1+1 || told[len(told)-1].Peer.IsValid() {
		t.Errorf("%d known, told %d times", len(r.known), len(told))
	}
	told = nil
	r.note(netip.MustParseAddr("192.0.2.9"), WrongAddress, at.Add(time.Hour))
	if len(r.known) != 1 || len(told) != 1 {
		t.Errorf("%d known, %+v", len(r.known), told)
	}
}

func TestHEPAllocs(t *testing.T) {
	h := listen(t, func(c *HEPConfig) {
		c.AuthKeys, c.Listen = []string{"s3cret"}, []string{"udp:127.0.0.1:0", "tcp:127.0.0.1:0"}
	})
	b := hepOf(3, 1, 500)
	var f packet.Frame
	for place := range 2 {
		c := dial(t, h, place)
		round := func() {
			if _, err := c.Write(b); err != nil {
				t.Fatal(err)
			}
			for h.Next(&f) != nil {
			}
		}
		for range 2 * queued { // until every buffer was used
			round()
		}
		if n := testing.AllocsPerRun(500, round); n >= 1 {
			t.Errorf("%v: %v allocations a packet", h.Addrs()[place].Network(), n)
		}
	}
}

func BenchmarkHEPOverUDP(b *testing.B) {
	cfg := DefaultHEPConfig()
	cfg.Listen = []string{"udp:127.0.0.1:0"}
	h, err := NewHEP(cfg)
	if err != nil {
		b.Fatal(err)
	}
	defer h.Close()
	c, err := net.Dial("udp", h.Addrs()[0].String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	p := hepOf(3, 1, 500)
	var f packet.Frame
	b.ReportAllocs()
	for b.Loop() {
		for range 64 {
			c.Write(p)
		}
		for range 64 {
			for h.Next(&f) != nil {
			}
		}
	}
}

// The certificate is read where it is needed, and nowhere else.
func TestHEPCheckFiles(t *testing.T) {
	cert, key, _ := certificate(t)
	for _, c := range []struct {
		listen, cert string
		fine         bool
	}{
		{"tls:127.0.0.1:0", cert, true},
		{"tls:127.0.0.1:0", "nowhere.pem", false},
		{"tcp:127.0.0.1:0", "nowhere.pem", true},
	} {
		cfg := DefaultHEPConfig()
		cfg.Listen, cfg.Cert, cfg.Key = []string{c.listen}, c.cert, key
		if err := cfg.CheckFiles(); err == nil != c.fine || err != nil && !strings.HasPrefix(err.Error(), "cert: ") {
			t.Errorf("%s with %s: %v", c.listen, c.cert, err)
		}
	}
}
