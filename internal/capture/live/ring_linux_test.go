package live

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

var from, to = netip.MustParseAddrPort("192.0.2.1:40000"), netip.AddrPortFrom(netip.MustParseAddr("192.0.2.2"), port)

// Tags that the kernel takes off are put back as they were, and a filter of the
// user's sees them.
func TestRingTags(t *testing.T) {
	a, b := pair(t)
	frame := packet.Frame{Data: siptest.UDPFrame(from, to, []byte("OPTIONS"))}
	for _, c := range []struct {
		name   string
		filter string
		frame  packet.Frame
		want   bool
	}{
		{"802.1Q", "", siptest.VLAN(frame, 0x8100, 7)[0], true},
		{"802.1ad", "", siptest.VLAN(frame, 0x88a8, 7)[0], true},
		{"two", "", siptest.VLAN(siptest.VLAN(frame, 0x8100, 9)[0], 0x88a8, 7)[0], true},
		{"a filter of the tag", "vlan 7", siptest.VLAN(frame, 0x8100, 7)[0], true},
		{"a filter of another", "vlan 8", siptest.VLAN(frame, 0x8100, 7)[0], false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, captureRing, func(l *Config) { l.Iface, l.Auto.Ports, l.Filter = b, []uint16{port}, c.filter })
			send(t, a, c.frame)
			go s.Close()
			var f packet.Frame
			got := false
			for err := error(nil); err != io.EOF; {
				if err = s.Next(&f); err == nil {
					got = true
					if string(f.Data) != string(c.frame.Data) || f.Wire != len(f.Data) {
						t.Errorf("%d bytes of %d: %x\nwant %x", len(f.Data), f.Wire, f.Data, c.frame.Data)
					}
				}
			}
			if got != c.want {
				t.Errorf("passes %v, want %v", got, c.want)
			}
		})
	}
}

// Under any each frame says which interface it passed, with its tag.
func TestRingAny(t *testing.T) {
	a, b := pair(t)
	s := start(t, captureRing, func(c *Config) { c.Auto.Ports = []uint16{port} })
	send(t, a, siptest.VLAN(packet.Frame{Data: siptest.UDPFrame(from, to, []byte("OPTIONS"))}, 0x8100, 7)...)
	go s.Close()
	d := packet.New(packet.DefaultConfig())
	seen := map[uint32]string{}
	var f packet.Frame
	for err := error(nil); err != io.EOF; {
		if err = s.Next(&f); err == nil {
			if why := d.Decode(&f); why != packet.OK {
				t.Fatalf("%v: %x", why, f.Data)
			}
			seen[d.Iface] = fmt.Sprint(string(d.Payload), d.VLANs, d.Src)
		}
	}
	for _, name := range []string{a, b} {
		i, err := net.InterfaceByName(name)
		if err != nil {
			t.Fatal(err)
		}
		if want := "OPTIONS[7] 192.0.2.1:40000"; seen[uint32(i.Index)] != want {
			t.Errorf("%s: %q, want %q", name, seen[uint32(i.Index)], want)
		}
	}
}

// Workers share the flows: each packet comes once, both directions of a flow and all
// fragments of a datagram to the same one.
func TestWorkers(t *testing.T) {
	for _, iface := range []string{"", allIfaces} {
		t.Run("iface "+iface, func(t *testing.T) {
			a, b := pair(t)
			cfg := DefaultConfig()
			cfg.Iface, cfg.Capture, cfg.Workers, cfg.Auto.Ports, cfg.Timeout = b, captureRing, 2, []uint16{port}, 20*time.Millisecond
			if iface != "" {
				cfg.Iface = iface
			}
			all, err := Open(cfg)
			if err != nil && strings.Contains(err.Error(), "no permission") {
				permitted(t, err)
			}
			if err != nil {
				t.Fatal(err)
			}
			const flows = 64
			long := strings.Repeat("x", 4000)
			var frames []packet.Frame
			for i := range flows {
				client := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}), 40000)
				frames = append(frames, packet.Frame{Data: siptest.UDPFrame(client, to, fmt.Appendf(nil, "%d request", i))})
				frames = append(frames, packet.Frame{Data: siptest.UDPFrame(to, client, fmt.Appendf(nil, "%d answer", i))})
				for _, c := range siptest.Carriers {
					if c.Name == "fragments" {
						frames = append(frames, c.Wrap(packet.Frame{Data: siptest.UDPFrame(client, to, fmt.Appendf(nil, "%d %s", i, long))})...)
					}
				}
			}
			send(t, a, frames...)
			worker := map[string]int{}
			counts := make([]int, len(all))
			for w, s := range all {
				got, drops := collect(t, s)
				counts[w] = len(got)
				for _, p := range got {
					flow, what, _ := strings.Cut(p, " ")
					if what == long {
						continue // hashed without ports: with its flow or not
					}
					if last, ok := worker[flow]; ok && last != w {
						t.Errorf("flow %s is at two workers", flow)
					}
					worker[flow] = w
				}
				if counts[w] == 0 {
					t.Errorf("worker %d has nothing: %v", w, drops)
				}
			}
			want := 3 * flows
			if iface != "" {
				want *= 2 // going out of the one end, coming in at the other
			}
			if counts[0]+counts[1] != want {
				t.Errorf("%v datagrams, want %d", counts, want)
			}
		})
	}
}

// What does not fit is lost, and counted.
func TestRingOverrun(t *testing.T) {
	a, b := pair(t)
	s := start(t, captureRing, func(c *Config) { c.Iface, c.Auto.Ports, c.BufferKB, c.BlockSize = b, []uint16{port}, 256, 64<<10 })
	frame := packet.Frame{Data: siptest.UDPFrame(from, to, make([]byte, 1400))}
	const sent = 1000
	send(t, a, slices.Repeat([]packet.Frame{frame}, sent)...)
	got, _ := collect(t, s)
	if st := s.Stats(); st.KernelDrops == 0 || int(st.KernelDrops)+len(got) != sent {
		t.Errorf("%d captured and %d lost of %d", len(got), st.KernelDrops, sent)
	}
}

// The counters of cards are read where the system has them.
func TestNicDrops(t *testing.T) {
	if _, err := os.Stat("/sys/class/net/lo/statistics/rx_dropped"); err != nil {
		t.Skip("no counters here")
	}
	d := nicDrops{}
	d.begin("lo")
	d.start = 0
	d.names = []string{"lo", "nosuch0"}
	_ = d.lost()
	if d.last > 0 && d.lost() < d.last {
		t.Error("the counter went down")
	}
}
