package capture

import (
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// The text is pinned here; package live compiles it and looks what it lets
// through.
func TestFilter(t *testing.T) {
	const rest = " or ip[6:2] & 0x3fff != 0 or ip6[6] = 0 or ip6[6] = 43 or ip6[6] = 44 or ip6[6] = 51 or ip6[6] = 60"
	const sip = "port 5060 or port 5080" + rest
	const mpls = " or ether proto 0x8847 or ether proto 0x8864"
	for _, c := range []struct {
		name string
		cfg  FilterConfig
		link packet.Link
		want string
	}{
		{"nothing", FilterConfig{}, packet.LinkEthernet, ""},
		{"raw", FilterConfig{Ports: []uint16{5060, 5080}}, packet.LinkRaw, sip},
		{"ethernet", FilterConfig{Ports: []uint16{5060, 5080}}, packet.LinkEthernet,
			sip + " or (vlan and (" + sip + " or (vlan and (" + sip + "))))"},
		{"cooked", FilterConfig{Ports: []uint16{5060, 5080}}, packet.LinkSLL,
			sip + " or ether proto 0x8100 or ether proto 0x88a8 or ether proto 0x9100"},
		{"order, doubles and runs", FilterConfig{Ports: []uint16{65535, 5080, 5061, 5060, 5060, 5062, 65534, 0}}, packet.LinkRaw,
			"port 0 or portrange 5060-5062 or port 5080 or portrange 65534-65535" + rest},
		{"WebSocket", FilterConfig{Ports: []uint16{5060}, TCPPorts: []uint16{8080, 80}}, packet.LinkRaw,
			"port 5060 or tcp port 80 or tcp port 8080" + rest},
		{"tunnels", FilterConfig{Ports: []uint16{5060}, TunnelPorts: []uint16{4789, 2152}, Protocols: []uint8{47, 4, 47}}, packet.LinkRaw,
			"port 5060 or udp port 2152 or udp port 4789 or ip proto 4 or ip6 proto 4 or ip proto 47 or ip6 proto 47" + rest},
		{"tunnels in Ethernet", FilterConfig{Ports: []uint16{5060, 5080}, EtherTypes: []uint16{0x8864, 0x8100, 0x8847, 0x8864}}, packet.LinkEthernet,
			sip + mpls + " or (vlan and (" + sip + mpls + " or (vlan and (" + sip + mpls + "))))"},
		{"tunnels in cooked", FilterConfig{Ports: []uint16{5060, 5080}, EtherTypes: []uint16{0x8864, 0x8100, 0x8847}}, packet.LinkSLL2,
			sip + mpls + " or ether proto 0x8100 or ether proto 0x88a8 or ether proto 0x9100"},
		{"tunnels where there is no EtherType", FilterConfig{Ports: []uint16{5060, 5080}, EtherTypes: []uint16{0x8847}}, packet.LinkRaw, sip},
	} {
		if got := Filter(c.cfg, c.link); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}
