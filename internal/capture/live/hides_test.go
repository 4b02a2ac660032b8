package live

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

func TestWarnings(t *testing.T) {
	const fragments, tags, vxlan, gre, ipip = "all fragments of a datagram but the first", "frames with two VLAN tags", "VXLAN", "GRE", "IP in IP"
	for _, c := range []struct {
		iface, filter string
		want          []string
	}{
		{"eth0", "", nil},
		{"eth0", "ip or ip6 or vlan", nil},
		{"eth0", "port 5060", []string{fragments, tags, vxlan, gre, ipip}},
		{"any", "port 5060", []string{fragments, tags, vxlan, gre, ipip}},
		{"eth0", "port 7060 or port 7080", []string{fragments, tags, vxlan, gre, ipip}},
		{"eth0", "portrange 7000-7100", []string{fragments, tags, vxlan, gre, ipip}},
		{"eth0", "udp", []string{tags, gre, ipip}},
		{"eth0", "ip", []string{tags}},
		{"eth0", "host 10.1.2.3 and port 5060", []string{fragments, tags, vxlan, gre, ipip}},
		{"eth0", "host 10.1.2.3", []string{tags}},
		{"eth0", "src net 10.0.0.0/8 and dst host 10.1.2.3", []string{tags}},
		{"eth0", "udp dst port 5070", []string{fragments, tags, vxlan, gre, ipip}},
		{"eth0", "port 5060 or (ip[6:2] & 0x1fff != 0) or (vlan and port 5060)", []string{vxlan, gre, ipip}},
		{"eth0", "vlan and port 5060", []string{fragments, vxlan, gre, ipip}},
		{"eth0", "not port 22", nil},   // two tags and all
		{"eth0", "tcp port 5060", nil}, // no fragments there
		{"eth0", "port sip and", nil},  // refused when it opens
		{"eth0", capture.Filter(auto(5060), packet.LinkEthernet), nil},
		{"any", capture.Filter(auto(5060), packet.LinkSLL), nil},
	} {
		cfg := DefaultConfig()
		cfg.Iface, cfg.Filter, cfg.Auto.Ports = c.iface, c.filter, []uint16{5060}
		got := cfg.Warnings()
		if (c.want == nil) != (got == nil) || got != nil && !strings.HasPrefix(got[0], "the filter hides "+strings.Join(c.want, ", ")+": ") {
			t.Errorf("%s on %s: %q, want %q", c.filter, c.iface, got, c.want)
		}
	}
}

// What Warnings says of tags is what the kernel does: it takes the outer one off
// before it filters.
func TestOwnFilterAndTags(t *testing.T) {
	a, b := pair(t)
	frame := packet.Frame{Data: siptest.UDPFrame(netip.MustParseAddrPort("192.0.2.1:40000"), netip.MustParseAddrPort("192.0.2.2:5060"), []byte("OPTIONS"))}
	s := start(t, captureRing, func(c *Config) { c.Iface, c.Filter = b, "port 5060" })
	for _, c := range siptest.Carriers {
		if c.Name == "plain" || c.Name == "vlan" || c.Name == "qinq" {
			send(t, a, c.Wrap(frame)...)
		}
	}
	if got, drops := collect(t, s); len(got) != 2 {
		t.Errorf("%d datagrams of three, want the plain one and the one with one tag: %v", len(got), drops)
	}
}
