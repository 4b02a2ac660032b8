package stream

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

func TestConfig(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.IdleTimeout = time.Millisecond }, "tcp.idle_timeout: 1ms is not allowed; allowed: 1s to 24h0m0s"},
		{func(c *Config) { c.IdleTimeout = 25 * time.Hour }, "tcp.idle_timeout: 25h0m0s is not"},
		{func(c *Config) { c.HoleTimeout = time.Millisecond }, "tcp.hole_timeout: 1ms is not allowed; allowed: 10ms to 1m0s"},
		{func(c *Config) { c.MaxMessage = 4095 }, "tcp.max_message: 4095 is not allowed; allowed: 4096 to 1048576"},
		{func(c *Config) { c.MaxStreams = 15 }, "tcp.max_streams: 15 is not allowed; allowed: 16 to 4194304"},
		{func(c *Config) { c.MaxBytes = 1 << 20 }, "tcp.max_bytes: 1048576 is not allowed; allowed: 1572864 to 1073741824"},
		{func(c *Config) { c.MaxStreamBytes = 2 << 20 }, "tcp.max_stream_bytes: 2097152 is not allowed; allowed: 16384 to 1048576"},
	} {
		cfg := DefaultConfig()
		c.change(&cfg)
		if err := cfg.Validate(); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

func TestStrings(t *testing.T) {
	for k := range NumKinds {
		if s := k.String(); s == "" || s == "unknown" {
			t.Errorf("kind %d has no name", k)
		}
	}
	for r := range NumReasons {
		if s := r.String(); s == "" || s == "unknown" {
			t.Errorf("reason %d has no name", r)
		}
	}
	if NumKinds.String() != "unknown" || NumReasons.String() != "unknown" {
		t.Error("names of what there is not")
	}
}

func TestSizes(t *testing.T) {
	if n := int(unsafe.Sizeof(hold{})); n > holdSize || n < holdSize-128 {
		t.Errorf("a hold takes %d bytes, counted %d", n, holdSize)
	}
	if n := unsafe.Sizeof(conn{}); n > 320 {
		t.Errorf("a connection takes %d bytes, more than its documentation says", n)
	}
}

// peer is one of many ends.
func peer(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), uint16(i))
}

func from(i, ms int, flags packet.TCPFlags, seq uint32, data string) *packet.Packet {
	return &packet.Packet{Time: int64(ms) * 1e6, Src: peer(i), Dst: server, Transport: packet.TCP, Flags: flags, Seq: seq, Payload: []byte(data)}
}

// small is a Config whose bounds are quickly reached.
func small() Config {
	cfg := DefaultConfig()
	cfg.MaxStreams, cfg.MaxMessage, cfg.MaxStreamBytes = 100, 8<<10, 32<<10
	cfg.MaxBytes = 3 * cfg.longest()
	return cfg
}

// Floods push out what they brought before what was there.
func TestFlood(t *testing.T) {
	for _, c := range []struct {
		name   string
		push   func(a *Assembler, i int)
		memory int
	}{
		{"SYN", func(a *Assembler, i int) { a.Push(from(i, i, syn, 7, ""), PortSIP) }, 0},
		{"SYN with data", func(a *Assembler, i int) { a.Push(from(i, i, syn, 7, "OPTIONS"), PortSIP) }, 1 << 20},
		{"opened and closed", func(a *Assembler, i int) {
			a.Push(from(i, i, syn, 7, ""), PortSIP)
			a.Push(from(i, i, fin, 8, ok), PortSIP)
		}, 0},
		{"opened and reset", func(a *Assembler, i int) {
			a.Push(from(i, i, syn, 7, ""), PortSIP)
			a.Push(from(i, i, rst, 8, ""), PortSIP)
		}, 0},
		{"binary", func(a *Assembler, i int) {
			a.Push(from(i, i, syn, 7, ""), PortSIP)
			a.Push(from(i, i, ack, 8, "\x80\x00\x00\x00\x00\x00\x00"), PortSIP)
		}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := New(small())
			for _, s := range opening {
				a.Push(s.packet(), PortSIP)
			}
			a.Push(seg{1, '>', ack, 0, inv[:100], nil}.packet(), PortSIP)
			for i := range 10000 {
				c.push(a, i)
				if i%100 == 0 {
					sound(t, a)
				}
			}
			s := a.Stats()
			if s.Streams > 100 || s.Evicted < 9000 || s.Memory > max(c.memory, 8<<10) {
				t.Errorf("%+v", s)
			}
			if c.name == "SYN with data" || c.name == "binary" {
				return // these are as good as any other
			}
			a.Push(seg{2, '>', ack, 100, inv[100:], nil}.packet(), PortSIP)
			check(t, drain(a), []string{"2> message inv"})
		})
	}
}

// At the maximum of bytes the oldest lose what they hold, and go on.
func TestMaxBytes(t *testing.T) {
	cfg := small()
	cfg.MaxStreams = 5000
	a := New(cfg)
	const n = 3000
	for i := range n {
		a.Push(from(i, i, syn, 7, ""), PortSIP)
		a.Push(from(i, i, ack, 8, inv[:len(head(inv))+10]), PortSIP) // in the body
	}
	sound(t, a)
	s := a.Stats()
	if s.GivenUp == 0 || s.Streams != n || s.Held+int(s.Lost) != n*(len(head(inv))+10) {
		t.Fatalf("%+v", s)
	}
	whole := 0
	for i := range n {
		a.Push(from(i, n+i, ack, 8+uint32(len(head(inv))+10), inv[len(head(inv))+10:]+opt), PortSIP)
		got := drain(a)
		switch {
		case len(got) == 2 && strings.HasSuffix(got[0], "message inv"):
			whole++
			fallthrough
		case len(got) == 1:
			if !strings.HasSuffix(got[len(got)-1], "message opt") {
				t.Fatal(got)
			}
		default:
			t.Fatal(got)
		}
	}
	if whole+int(s.GivenUp) != n {
		t.Errorf("%d messages whole, %d directions lost what they held", whole, s.GivenUp)
	}
	sound(t, a)
}

// One direction can't take more than its share, however its segments lie.
func TestMaxStreamBytes(t *testing.T) {
	a := New(small())
	a.Push(from(1, 0, syn, 7, ""), PortSIP)
	data := strings.Repeat("x", 1000)
	for i := range 100000 {
		a.Push(from(1, 1, ack, 8+uint32(i*7919%200000), data[:1+i%1000]), PortSIP)
		for range drain(a) {
			t.Fatal("a unit of nothing")
		}
	}
	sound(t, a)
	if s := a.Stats(); s.Memory > 3*a.cfg.longest() || s.Held > 8<<10+32<<10+maxPiece {
		t.Errorf("%+v", s)
	}
}

// Bytes that come one by one are looked at a bounded number of times. Were it not
// so, a megabyte would take minutes.
func TestLinear(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const n = 1 << 20
	start := "OPTIONS sip:a@b SIP/2.0\r\n"
	for name, data := range map[string]string{
		"a long header line":       start + "X: " + strings.Repeat("x", n),
		"many header lines":        start + strings.Repeat("X: y\r\n", n/6),
		"a folded header line":     start + "l:" + strings.Repeat("\r\n 0", n/4),
		"many Content-Lengths":     start + strings.Repeat("l: 5\r\n", n/6),
		"a long body":              start + fmt.Sprintf("l: %d\r\n\r\n", n-100) + strings.Repeat("y", n),
		"a body that is not kept":  start + fmt.Sprintf("l: %d\r\n\r\n", 2*n) + strings.Repeat("y", n),
		"CRLF":                     strings.Repeat("\r\n", n/2),
		"a long line of rubbish":   opt + strings.Repeat("x", n),
		"lines of rubbish":         opt + strings.Repeat("xy\r\n", n/4),
		"start lines":              opt + "x\r\n" + strings.Repeat(start, n/len(start)),
		"start lines, names":       opt + "x\r\n" + strings.Repeat(start+strings.Repeat("n", 60), n/(len(start)+60)),
		"long start lines":         opt + "x\r\n" + strings.Repeat("OPTIONS sip:"+strings.Repeat("a", 8000)+" SIP/2.0\r\n", n/8000),
		"a connection of one line": strings.Repeat("x", n),
	} {
		t.Run(name, func(t *testing.T) {
			cfg := DefaultConfig()
			cfg.MaxMessage = n
			a := New(cfg)
			p := from(1, 0, syn, 7, "")
			a.Push(p, PortSIP)
			drain(a)
			p.Flags = ack
			began := time.Now()
			var u Unit
			b := []byte(data)
			for i := range b {
				p.Seq, p.Payload = 8+uint32(i), b[i:i+1]
				a.Push(p, PortSIP)
				for a.Next(&u) {
				}
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("took %v", took)
			}
			sound(t, a)
		})
	}
}

// In steady state nothing is allocated.
func TestAllocs(t *testing.T) {
	a := New(Config{MaxStreams: 64})
	var u Unit
	var p packet.Packet
	now, seq, isn := int64(1e18), uint32(0), uint32(0)
	push := func(flags packet.TCPFlags, at uint32, data string) {
		p = packet.Packet{Time: now, Src: client, Dst: server, Transport: packet.TCP, Flags: flags, Seq: at, Payload: buffer[:copy(buffer, data)], VLANs: vlans}
		a.Advance(now)
		for a.Next(&u) {
		}
		a.Push(&p, PortSIP)
		for a.Next(&u) {
		}
		now += 1e6
	}
	inOrder := func(parts ...string) {
		for _, s := range parts {
			push(ack, seq, s)
			seq += uint32(len(s))
		}
	}
	two, long := opt+inv, strings.Repeat("x", 35000)
	for name, f := range map[string]func(){
		"a message a segment":    func() { inOrder(opt) },
		"two messages a segment": func() { inOrder(two) },
		"a message in pieces":    func() { inOrder(inv[:10], inv[10:200], inv[200:201], inv[201:]) },
		"keep-alives":            func() { inOrder("\r\n\r\n", "\r\n") },
		"rubbish":                func() { inOrder("rubbish\r\nmore", " of it\r\n", opt) },
		"too long": func() {
			inOrder("OPTIONS sip:a@b SIP/2.0\r\nl: 70000\r\n\r\n", long, long)
		},
		"disorder": func() {
			push(ack, seq+100, inv[100:])
			push(ack, seq, inv[:100])
			seq += uint32(len(inv))
		},
		"retransmissions": func() {
			inOrder(opt)
			push(ack, seq-uint32(len(opt)), opt)
		},
		"holes": func() {
			seq += 100
			inOrder(inv)
			now += 2e9
			inOrder(opt)
		},
		"connections": func() {
			isn += 1e8
			push(syn, isn, "")
			seq = isn + 1
			inOrder(opt)
			push(fin, seq, "")
			isn += 1e8
			push(syn, isn, "")
			seq = isn + 1
		},
	} {
		f()
		if n := testing.AllocsPerRun(200, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	i := 0
	flood := func() {
		i++
		binary.BigEndian.PutUint32(buffer, uint32(i))
		p = packet.Packet{Time: now, Src: netip.AddrPortFrom(netip.AddrFrom4([4]byte(buffer[:4])), 5060), Dst: server, Transport: packet.TCP, Flags: syn}
		a.Push(&p, PortSIP)
		for a.Next(&u) {
		}
	}
	for range 100 {
		flood()
	}
	if n := testing.AllocsPerRun(200, flood); n != 0 {
		t.Errorf("new connections: %v allocations", n)
	}
}

var (
	buffer = make([]byte, 64<<10)
	vlans  = []uint16{1, 2}
)

// The clock of the timers goes on from where it was when times step back, and does
// not go back itself.
func TestClock(t *testing.T) {
	a := New(Config{})
	at := func(ms int) int64 {
		a.Advance(int64(ms) * 1e6)
		drain(a)
		return a.now / 1e6
	}
	for _, c := range []struct{ ms, want int }{
		{5000, 0}, {5100, 100}, {5050, 100}, {5100, 100}, {5200, 200}, // disorder
		{1000, 200}, {1100, 300}, // another file
		{90000, 89200}, {1200, 89200}, {1300, 89300}, // one wrong time
	} {
		if got := at(c.ms); got != int64(c.want) {
			t.Errorf("at %d ms: %d, want %d", c.ms, got, c.want)
		}
	}
	// A hole is passed over even if the clock was set back since.
	a = New(Config{})
	a.Push(seg{50000, '>', syn, 0, "", nil}.packet(), PortSIP)
	a.Push(seg{50001, '>', ack, 10, "x\r\n" + opt, nil}.packet(), PortSIP)
	got := drain(a)
	for ms := 1000; ms <= 2100; ms += 100 {
		a.Advance(int64(ms) * 1e6)
		got = append(got, drain(a)...)
	}
	check(t, got, []string{"50001> message opt"})
}
