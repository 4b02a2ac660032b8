package live

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcap"

	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// port is no other program's: under any, what others on this machine send, or these
// tests in another process, would be counted.
var port = uint16(10000 + os.Getpid()%20000)

func TestConfig(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.Iface = "" }, `iface: "" is not allowed; allowed: the name of an interface, or any`},
		{func(c *Config) { c.Snaplen = 63 }, "snaplen: 63 is not allowed; allowed: 64 to 262144"},
		{func(c *Config) { c.Snaplen = 262145 }, "snaplen: 262145 is not"},
		{func(c *Config) { c.BufferKB = 255 }, "pcap_buf_kb: 255 is not allowed; allowed: 256 to 1048576"},
		{func(c *Config) { c.Timeout = time.Millisecond }, "timeout: 1ms is not allowed; allowed: 10ms to 10s"},
	} {
		cfg := DefaultConfig()
		c.change(&cfg)
		if _, err := Open(cfg); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

// auto is what the filter is made from by default.
func auto(ports ...uint16) capture.FilterConfig {
	f := capture.FilterConfig{Ports: ports}
	f.EtherTypes, f.Protocols, f.TunnelPorts = packet.DefaultConfig().Tunnels()
	return f
}

// The filter compiles on every link type, and lets through what it should.
func TestFilter(t *testing.T) {
	cfg := auto(5060, 5061, 5080)
	for _, link := range packet.Links() {
		if link > 255 {
			continue // gopacket keeps link types in 8 bits
		}
		e := capture.Filter(cfg, link)
		if link == packet.LinkIPv4 || link == packet.LinkIPv6 || link == packet.LinkRaw || link == packet.LinkRawOpen {
			link = packet.LinkRawBSD // what libpcap calls them inside
		}
		code, err := pcap.CompileBPFFilter(layers.LinkType(link), 262144, e)
		if err != nil {
			t.Errorf("%v: %v\n%s", link, err, e)
		}
		if len(code) > 4096 {
			t.Errorf("%v: %d instructions are too many for the kernel", link, len(code))
		}
	}
	if e := capture.Filter(capture.FilterConfig{}, packet.LinkEthernet); e != "" {
		t.Errorf("a filter for nothing: %s", e)
	}

	from, to, other := netip.MustParseAddrPort("192.0.2.1:40000"), netip.MustParseAddrPort("192.0.2.2:5060"), netip.MustParseAddrPort("192.0.2.2:5062")
	from6, to6, other6 := netip.MustParseAddrPort("[2001:db8::1]:40000"), netip.MustParseAddrPort("[2001:db8::2]:5060"), netip.MustParseAddrPort("[2001:db8::2]:5062")
	payload := bytes.Repeat([]byte("OPTIONS "), 200)
	for _, c := range siptest.Carriers {
		for _, ends := range []struct {
			src, dst netip.AddrPort
			want     bool
		}{{from, to, true}, {to, from, true}, {from, other, false}, {from6, to6, true}, {to6, from6, true}, {from6, other6, false}} {
			frames := c.Wrap(packet.Frame{Data: siptest.UDPFrame(ends.src, ends.dst, payload)})
			link := frames[0].Link
			if link > 255 || c.Name == "vlan-3" || c.Name == "sll-vlan" || c.Name == "null-big-endian" || c.Name == "ppp" {
				continue // two tags at most; cooked and tagged is not what the kernel filters; libpcap knows one byte order, and PPP with HDLC's fields
			}
			if c.Tunnel || strings.HasPrefix(c.Name, "hep") || link == packet.Link80211 || link == packet.LinkRadiotap || strings.HasPrefix(c.Name, "fragments") || c.Name == "ip-options" && ends.src.Addr().Is6() {
				ends.want = true // all of them
			}
			if link == packet.LinkRaw {
				link = packet.LinkRawBSD
			}
			if (link == packet.LinkNull || link == packet.LinkLoop) && ends.src.Addr().Is6() {
				continue // libpcap takes the number that this system has for the family
			}
			filter, err := pcap.NewBPF(layers.LinkType(link), 262144, capture.Filter(cfg, frames[0].Link))
			if err != nil {
				t.Fatal(err)
			}
			for i, f := range frames {
				if got := filter.Matches(gopacket.CaptureInfo{CaptureLength: len(f.Data), Length: len(f.Data)}, f.Data); got != ends.want {
					t.Errorf("%s: %v to %v, frame %d: passes %v, want %v", c.Name, ends.src, ends.dst, i, got, ends.want)
				}
			}
		}
	}
}

// permitted skips where the machine does not let a test capture.
func permitted(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("can't capture here: %v", err)
	}
	t.Skipf("can't capture here (needs CAP_NET_RAW and CAP_NET_ADMIN): %v", err)
}

// TestBoth runs what libpcap and the ring have in common.
func TestBoth(t *testing.T) {
	for _, how := range []string{capturePcap, captureRing} {
		for _, c := range []struct {
			name string
			test func(t *testing.T, how string)
		}{
			{"loopback", loopback}, {"carriers", carriers}, {"carriers-any", carriersAny}, {"interface-gone", interfaceGone},
			{"close", closing}, {"idle", idle}, {"open-errors", openErrors}, {"allocs", nextAllocs},
		} {
			t.Run(how+"/"+c.name, func(t *testing.T) { c.test(t, how) })
		}
	}
}

func start(t *testing.T, how string, change func(*Config)) capture.Source {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Timeout = 20 * time.Millisecond
	cfg.Capture = how
	change(&cfg)
	s, err := Open(cfg)
	if err != nil && strings.Contains(err.Error(), "no permission") {
		permitted(t, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s[0].Close() })
	return s[0]
}

// collect closes the source and reads what it has captured, as the end of a run
// does.
func collect(t *testing.T, s capture.Source) (payloads []string, drops map[packet.Drop]int) {
	t.Helper()
	go s.Close()
	<-time.After(time.Millisecond) // so that Close is under way; it does not matter if not
	d := packet.New(packet.DefaultConfig())
	drops = map[packet.Drop]int{}
	var f packet.Frame
	for {
		switch err := s.Next(&f); {
		case err == io.EOF:
			return payloads, drops
		case err == capture.ErrIdle:
		case err != nil:
			t.Fatal(err)
		default:
			why := d.Decode(&f)
			drops[why]++
			if why == packet.OK {
				payloads = append(payloads, string(d.Payload))
			}
		}
	}
}

// Each packet comes once on the loopback interface, alone or under any, and those
// just before the end are not lost.
func loopback(t *testing.T, how string) {
	for _, iface := range []string{"lo", "any"} {
		t.Run(iface, func(t *testing.T) {
			to, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
			if err != nil {
				t.Skipf("no loopback interface: %v", err)
			}
			defer to.Close()
			s := start(t, how, func(c *Config) { c.Iface, c.Auto.Ports = iface, []uint16{uint16(to.LocalAddr().(*net.UDPAddr).Port)} })
			from, err := net.Dial("udp4", to.LocalAddr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer from.Close()
			var want []string
			for i := range 50 {
				m := fmt.Sprintf("OPTIONS sip:%d@example.com SIP/2.0\r\n%s", i, strings.Repeat("x", i*200))
				want = append(want, m)
				if _, err := from.Write([]byte(m)); err != nil {
					t.Fatal(err)
				}
			}
			got, drops := collect(t, s)
			if strings.Join(got, "") != strings.Join(want, "") {
				t.Errorf("%d payloads, want %d: %v", len(got), len(want), drops)
			}
			st := s.Stats()
			if st.Frames != 50 || st.KernelDrops != 0 || st.Bytes == 0 {
				t.Errorf("%+v", st)
			}
			if s.Name() != iface {
				t.Errorf("name %q", s.Name())
			}
		})
	}
}

// pair makes two interfaces joined by a cable.
func pair(t *testing.T) (a, b string) {
	t.Helper()
	a, b = fmt.Sprintf("sipcma%d", os.Getpid()%100000), fmt.Sprintf("sipcmb%d", os.Getpid()%100000)
	t.Cleanup(func() { exec.Command("ip", "link", "del", a).Run() })
	join(t, a, b)
	return a, b
}

func join(t *testing.T, a, b string) {
	t.Helper()
	if out, err := exec.Command("ip", "link", "add", a, "type", "veth", "peer", "name", b).CombinedOutput(); err != nil {
		permitted(t, fmt.Errorf("make a veth pair: %w: %s", err, bytes.TrimSpace(out)))
	}
	for _, name := range []string{a, b} {
		// Without IPv6 the kernel stays silent on them.
		os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0o644)
		if out, err := exec.Command("ip", "link", "set", name, "mtu", "9000", "up").CombinedOutput(); err != nil {
			permitted(t, fmt.Errorf("start %s: %w: %s", name, err, bytes.TrimSpace(out)))
		}
	}
	for _, name := range []string{a, b} {
		state := ""
		for range 1000 { // until then the kernel drops what is sent; on a busy machine that takes a while
			text, _ := os.ReadFile("/sys/class/net/" + name + "/operstate")
			if state = strings.TrimSpace(string(text)); state == "up" {
				break
			}
			<-time.After(10 * time.Millisecond)
		}
		if state != "up" {
			t.Fatalf("%s is %q", name, state)
		}
	}
}

// send puts frames on an interface as they are.
func send(t *testing.T, iface string, frames ...packet.Frame) {
	t.Helper()
	i, err := net.InterfaceByName(iface)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW, 0)
	if err != nil {
		permitted(t, err)
	}
	defer syscall.Close(fd)
	for _, f := range frames {
		if err := syscall.Sendto(fd, f.Data, 0, &syscall.SockaddrLinklayer{Ifindex: i.Index, Halen: 6}); err != nil {
			t.Fatal(err)
		}
	}
}

// Fragments and tags come through the kernel's filter, and the tags, which the
// kernel takes off, are back in the frame.
func carriers(t *testing.T, how string) {
	a, b := pair(t)
	payload := strings.Repeat("OPTIONS sip:bob@example.com SIP/2.0\r\n", 80)
	from, to := netip.MustParseAddrPort("192.0.2.1:40000"), netip.MustParseAddrPort("192.0.2.2:5060")
	from6, to6 := netip.MustParseAddrPort("[2001:db8::1]:40000"), netip.MustParseAddrPort("[2001:db8::2]:5060")
	frame := packet.Frame{Data: siptest.UDPFrame(from, to, []byte(payload))}
	frame6 := packet.Frame{Data: siptest.UDPFrame(from6, to6, []byte(payload))}
	noise := packet.Frame{Data: siptest.UDPFrame(from, netip.MustParseAddrPort("192.0.2.2:53"), []byte("noise"))}
	s := start(t, how, func(c *Config) { c.Iface, c.Auto, c.BufferKB = b, auto(5060), 65536 }) // nobody reads while all is sent
	sent := 0
	var all []packet.Frame // by one socket: to close one takes the kernel 10 ms
	for _, c := range siptest.Carriers {
		if out := c.Wrap(frame); out[0].Link == packet.LinkEthernet && !strings.HasPrefix(c.Name, "no-") && c.Name != "vlan-3" {
			all = slices.Concat(all, out, []packet.Frame{noise}, c.Wrap(frame6))
			sent += 2
			if c.Name == "vlan" || c.Name == "qinq" {
				all = append(all, c.Wrap(noise)...)
			}
		}
	}
	send(t, a, all...)
	got, drops := collect(t, s)
	for _, p := range got {
		if p != payload {
			t.Fatalf("payload of %d bytes %.40q", len(p), p)
		}
	}
	if len(got) != sent {
		t.Errorf("%d datagrams, want %d: %v, %+v", len(got), sent, drops, s.Stats())
	}
}

// Under any the kernel has taken the outer tag off before it filters.
func carriersAny(t *testing.T, how string) {
	a, _ := pair(t)
	from, to := netip.MustParseAddrPort("192.0.2.1:40000"), netip.AddrPortFrom(netip.MustParseAddr("192.0.2.2"), port)
	frame := packet.Frame{Data: siptest.UDPFrame(from, to, []byte("OPTIONS"))}
	for _, c := range siptest.Carriers {
		if c.Name != "plain" && c.Name != "vlan" && c.Name != "qinq" && c.Name != "qinq-9100" {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			s := start(t, how, func(c *Config) { c.Auto.Ports = []uint16{port} })
			send(t, a, c.Wrap(frame)...)
			got, drops := collect(t, s)
			// Once going out of the one end, once coming in at the other.
			if len(got) != 2 {
				t.Errorf("%d datagrams, want 2: %v", len(got), drops)
			}
		})
	}
}

// An interface that goes away gives one error and is waited for; what it delivers
// when it is back is captured.
func interfaceGone(t *testing.T, how string) {
	a, b := pair(t)
	s := start(t, how, func(c *Config) { c.Iface, c.Auto.Ports = b, []uint16{5060} })
	frame := packet.Frame{Data: siptest.UDPFrame(netip.MustParseAddrPort("192.0.2.1:40000"), netip.MustParseAddrPort("192.0.2.2:5060"), []byte("OPTIONS"))}
	var f packet.Frame
	var said []string
	until := func(what string, ok func(err error) bool) {
		t.Helper()
		for range 500 {
			err := s.Next(&f)
			if err != nil && err != capture.ErrIdle {
				said = append(said, err.Error())
			}
			if ok(err) {
				return
			}
		}
		t.Fatalf("%s does not happen; said: %q", what, said)
	}
	send(t, a, frame)
	until("a frame", func(err error) bool { return err == nil })
	if out, err := exec.Command("ip", "link", "del", a).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	until("an error", func(err error) bool { return err != nil && err != capture.ErrIdle })
	until("waiting", func(err error) bool { return err == capture.ErrIdle })
	join(t, a, b)
	again := 0
	until("a frame", func(err error) bool {
		if again++; err != nil && s.Stats().Outages == 1 {
			send(t, a, frame)
		}
		return err == nil
	})
	if len(said) != 1 || !strings.HasPrefix(said[0], fmt.Sprintf("read interface %q: ", b)) || !strings.HasSuffix(said[0], "; waiting for it") {
		t.Errorf("said %q", said)
	}
	if st := s.Stats(); st.Outages != 1 || st.Frames != 2 {
		t.Errorf("%+v", st)
	}
	s.Close()
	until("the end", func(err error) bool { return err == io.EOF })
}

// Close ends a Next that waits, from another goroutine, at any moment.
func closing(t *testing.T, how string) {
	for i := range 20 {
		s := start(t, how, func(c *Config) { c.Iface = "lo" })
		end := make(chan error)
		go func() {
			var f packet.Frame
			for {
				if err := s.Next(&f); err == nil {
					for _, b := range f.Data { // borrowed, and not libpcap's
						_ = b
					}
				} else if err != capture.ErrIdle {
					end <- err
					return
				}
			}
		}()
		if i%2 == 0 {
			go s.Stats()
		}
		s.Close()
		select {
		case err := <-end:
			if err != io.EOF {
				t.Fatal(err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("Next does not end")
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("without a reader", func(t *testing.T) {
		s := start(t, how, func(c *Config) { c.Iface = "lo" })
		s.Close()
		var f packet.Frame
		if err := s.Next(&f); err != io.EOF {
			t.Errorf("%v, want the end", err)
		}
	})
}

func idle(t *testing.T, how string) {
	_, b := pair(t)
	s := start(t, how, func(c *Config) { c.Iface = b })
	var f packet.Frame
	began := time.Now()
	if err := s.Next(&f); err != capture.ErrIdle {
		t.Errorf("%v, want idle", err)
	}
	if took := time.Since(began); took < 15*time.Millisecond {
		t.Errorf("idle after %v", took)
	}
	if now := time.Now().UnixNano(); f.Time < began.Add(-2*(20*time.Millisecond)).UnixNano() || f.Time > now {
		t.Errorf("time %d, want one between %d and %d", f.Time, began.UnixNano(), now)
	}
}

func openErrors(t *testing.T, how string) {
	cfg := DefaultConfig()
	cfg.Capture = how
	cfg.Iface = "nosuch0"
	_, err := Open(cfg)
	if err == nil || !strings.HasPrefix(err.Error(), `open interface "nosuch0": no such interface; there are: any, `) {
		t.Errorf("%v", err)
	}
	s := start(t, how, func(c *Config) { c.Iface = "lo" }) // whether the machine permits
	s.Close()
	cfg.Iface, cfg.Filter = "lo", "port sip and"
	if _, err := Open(cfg); err == nil || !strings.HasPrefix(err.Error(), `bpf: "port sip and" on interface "lo" (ethernet): `) {
		t.Errorf("%v", err)
	}
	_, b := pair(t)
	exec.Command("ip", "link", "set", b, "down").Run()
	cfg.Iface, cfg.Filter = b, ""
	if _, err := Open(cfg); err == nil || err.Error() != fmt.Sprintf("open interface %q: is down; start it: ip link set %s up", b, b) {
		t.Errorf("%v", err)
	}
}

func TestDevices(t *testing.T) {
	devices, err := Devices()
	if err != nil {
		t.Fatal(err)
	}
	if devices[0].Name != "any" {
		t.Errorf("%+v", devices[0])
	}
	for _, d := range devices {
		if d.Name == "lo" && (!d.Loopback || !d.Up) {
			t.Errorf("%+v", d)
		}
	}
}

func nextAllocs(t *testing.T, how string) {
	to, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Skipf("no loopback interface: %v", err)
	}
	defer to.Close()
	s := start(t, how, func(c *Config) {
		c.Iface, c.Auto.Ports = "lo", []uint16{uint16(to.LocalAddr().(*net.UDPAddr).Port)}
	})
	from, err := net.Dial("udp4", to.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	for range 300 {
		from.Write(make([]byte, 600))
	}
	var f packet.Frame
	for s.Next(&f) == capture.ErrIdle {
	}
	if n := testing.AllocsPerRun(200, func() { s.Next(&f) }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}
