package live

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcap"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// Warnings says what a filter of the user's own would hide, in words for the log;
// none where nothing is hidden, or where it can't be told.
//
// The filter is tried on a few frames. It may ask for addresses and ports; so the
// frames have those that it names. If SIP over UDP between none of them passes, it
// is another kind of filter, and nothing is said.
func (c Config) Warnings() []string {
	if c.Filter == "" {
		return nil
	}
	link := packet.LinkEthernet
	if c.Iface == allIfaces {
		link = packet.LinkSLL
	}
	filter, err := pcap.NewBPF(layers.LinkType(link), maxSnaplen, c.Filter)
	if err != nil {
		return nil // Open says so
	}
	passes := func(frame []byte) bool {
		return filter.Matches(gopacket.CaptureInfo{CaptureLength: len(frame), Length: len(frame)}, frame)
	}
	s, ok := samples{link: link, tagged: words(c.Filter)["vlan"]}.find(c, passes)
	if !ok {
		return nil
	}
	var hidden []string
	for _, p := range probes {
		if p.untagged && s.tagged {
			continue // it has an opinion about tags
		}
		if !slices.ContainsFunc(s.frames(p), passes) {
			hidden = append(hidden, p.what)
		}
	}
	if hidden == nil {
		return nil
	}
	return []string{fmt.Sprintf("the filter hides %s: SIP in it is not seen; without a filter of its own, the program makes one that lets all of it through",
		strings.Join(hidden, ", "))}
}

// A probe is something that a filter on ports easily forgets.
type probe struct {
	what     string
	untagged bool // only where the filter says nothing about tags
	tags     int  // the kernel has taken the outer one off before it filters
	offset   int  // of a fragment, in units of 8 bytes
	protocol byte
	port     uint16 // of a tunnel, 0 for the one that passes
}

var probes = []probe{
	{what: "all fragments of a datagram but the first", protocol: 17, offset: 185},
	{what: "frames with two VLAN tags", protocol: 17, tags: 1, untagged: true},
	{what: "VXLAN", protocol: 17, port: 4789},
	{what: "GRE", protocol: 47},
	{what: "IP in IP", protocol: 4},
}

// samples makes frames of one link type between two ends.
type samples struct {
	link   packet.Link
	tagged bool
	src    netip.AddrPort
	dst    netip.AddrPort
}

// find looks for ends between which the filter lets plain SIP through.
func (s samples) find(c Config, passes func([]byte) bool) (samples, bool) {
	addrs, ports := named(c.Filter)
	other := netip.MustParseAddr("192.0.2.250")
	for _, a := range append(addrs, netip.MustParseAddr("192.0.2.251")) {
		for _, b := range append(addrs, other) {
			for _, p := range append(append(ports, c.Auto.Ports...), 5060) {
				for _, q := range []uint16{p, 40000} {
					s.src, s.dst = netip.AddrPortFrom(a, q), netip.AddrPortFrom(b, p)
					if slices.ContainsFunc(s.frames(probe{protocol: 17}), passes) {
						return s, true
					}
				}
			}
		}
	}
	return s, false
}

// frames gives the frame of a probe, and another one with a tag if the filter may
// want that.
func (s samples) frames(p probe) [][]byte {
	all := [][]byte{s.frame(p)}
	if s.tagged {
		p.tags++
		all = append(all, s.frame(p))
	}
	return all
}

func (s samples) frame(p probe) []byte {
	src, dst := s.src.Addr().As4(), s.dst.Addr().As4()
	b := make([]byte, 12, 128) // addresses, all 0
	if s.link == packet.LinkSLL {
		b = b[:14]
	}
	for range p.tags {
		b = append(b, 0x81, 0, 0, 1)
	}
	b = append(b, 8, 0, 0x45, 0, 0, 64, 0, 1)
	b = binary.BigEndian.AppendUint16(b, uint16(p.offset))
	b = append(b, 64, p.protocol, 0, 0)
	b = append(append(b, src[:]...), dst[:]...)
	from, to := s.src.Port(), s.dst.Port()
	if p.port != 0 {
		from, to = 50000, p.port
	}
	if p.offset == 0 && p.protocol == 17 {
		b = binary.BigEndian.AppendUint16(b, from)
		b = binary.BigEndian.AppendUint16(b, to)
		b = append(b, 0, 44, 0, 0)
	}
	return append(b, make([]byte, 48)...)
}

// words is the set of words of a filter.
func words(filter string) map[string]bool {
	set := map[string]bool{}
	for _, w := range fields(filter) {
		set[w] = true
	}
	return set
}

func fields(filter string) []string {
	return strings.FieldsFunc(filter, func(r rune) bool { return strings.ContainsRune(" \t\n()!=&|", r) })
}

// most is how many addresses and ports of a filter are tried.
const most = 8

// named lists the IPv4 addresses and networks, and the ports, that a filter names.
func named(filter string) (addrs []netip.Addr, ports []uint16) {
	before := ""
	for _, w := range fields(filter) {
		if a, err := netip.ParseAddr(w); err == nil && a.Is4() && len(addrs) < most {
			addrs = append(addrs, a)
		}
		if p, err := netip.ParsePrefix(w); err == nil && p.Addr().Is4() && len(addrs) < most {
			addrs = append(addrs, p.Addr())
		}
		if before == "port" || before == "portrange" || before == "or" {
			low, _, _ := strings.Cut(w, "-")
			if n, err := strconv.ParseUint(low, 10, 16); err == nil && len(ports) < most {
				ports = append(ports, uint16(n))
			}
		}
		before = w
	}
	return addrs, ports
}
