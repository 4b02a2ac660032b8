package capture

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// FilterConfig says what a live capture has to let through.
type FilterConfig struct {
	Ports       []uint16 // of SIP, over UDP, TCP and SCTP, at either end
	TCPPorts    []uint16 // of WebSocket, at either end
	TunnelPorts []uint16 // UDP ports of tunnels (VXLAN, GTP-U, ...)
	Protocols   []uint8  // IP protocols of tunnels (GRE is 47, IP in IP 4 and 41)
	EtherTypes  []uint16 // of tunnels (MPLS, PPPoE, ...); VLAN tags are looked into anyway
}

// vlanTypes are the EtherTypes of VLAN tags.
var vlanTypes = []uint16{0x8100, 0x88a8, 0x9100}

// Filter writes the expression, in the language of pcap-filter(7), that lets
// through what cfg asks for on interfaces of this link type, "" for everything if
// cfg asks for nothing.
//
// A port is looked for where it is: in the first fragment. So that datagrams can
// be put together, every fragment is let through, and every IPv6 packet with an
// extension header, in which libpcap doesn't look for ports.
//
// A tunnel is let through whole, whatever it carries: the filter can't look inside.
//
// On Ethernet the same is let through inside one and two VLAN tags. libpcap's
// word vlan moves what is read after it, up to the end of the expression, by one
// tag; hence the nesting. Cooked captures know no such word. There the kernel has
// taken the outer tag off before it filters, and a frame with a second one is
// let through whole. Of a wireless card's frames libpcap looks into some kinds only.
func Filter(cfg FilterConfig, link packet.Link) string {
	var terms []string
	terms = append(terms, portTerms("", cfg.Ports)...)
	terms = append(terms, portTerms("tcp ", cfg.TCPPorts)...)
	terms = append(terms, portTerms("udp ", cfg.TunnelPorts)...)
	for _, p := range ordered(cfg.Protocols) {
		terms = append(terms, fmt.Sprintf("ip proto %d", p), fmt.Sprintf("ip6 proto %d", p))
	}
	tunnels, tags := etherTerms(cfg.EtherTypes, vlanTypes), etherTerms(vlanTypes, nil)
	if len(terms)+len(tunnels) == 0 {
		return ""
	}
	terms = append(terms, "ip[6:2] & 0x3fff != 0") // more fragments, or an offset
	for _, header := range []int{0, 43, 44, 51, 60} {
		terms = append(terms, fmt.Sprintf("ip6[6] = %d", header))
	}
	switch link {
	case packet.LinkEthernet:
		e := strings.Join(append(terms, tunnels...), " or ")
		return fmt.Sprintf("%s or (vlan and (%s or (vlan and (%s))))", e, e, e)
	case packet.Link80211, packet.LinkRadiotap:
		return "type data"
	case packet.LinkSLL, packet.LinkSLL2:
		return strings.Join(slices.Concat(terms, tunnels, tags), " or ")
	}
	return strings.Join(terms, " or ")
}

// etherTerms gives a term for each EtherType that is not in but.
func etherTerms(types, but []uint16) (terms []string) {
	for _, n := range ordered(types) {
		if !slices.Contains(but, n) {
			terms = append(terms, fmt.Sprintf("ether proto %#x", n))
		}
	}
	return terms
}

// ordered is a sorted copy without doubles.
func ordered[T uint8 | uint16](list []T) []T {
	return slices.Compact(slices.Sorted(slices.Values(list)))
}

// portTerms gives a term for each run of ports, in order.
func portTerms(proto string, ports []uint16) (terms []string) {
	ports = ordered(ports)
	for len(ports) > 0 {
		n := 1
		for n < len(ports) && int(ports[n]) == int(ports[0])+n {
			n++
		}
		if n == 1 {
			terms = append(terms, fmt.Sprintf("%sport %d", proto, ports[0]))
		} else {
			terms = append(terms, fmt.Sprintf("%sportrange %d-%d", proto, ports[0], ports[n-1]))
		}
		ports = ports[n:]
	}
	return terms
}
