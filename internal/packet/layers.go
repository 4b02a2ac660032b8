package packet

import (
	"fmt"
	"math"

	"github.com/google/gopacket/layers"

	"github.com/sipcmbeat/sipcmbeat/internal/hep"
)

// A Layer is a row of the table below, or, as what a decode function returns, a
// number that the loop looks up there.
type Layer uint32

const (
	LayerNone Layer = iota // no further layer: what is left is the payload
	LayerEthernet
	LayerVLAN
	LayerQinQ
	LayerSLL
	LayerSLL2
	LayerLoopback
	LayerRawIP
	LayerIPv4
	LayerIPv6
	LayerHopByHop
	LayerRouting
	LayerDestination
	LayerFragment
	LayerAuth
	LayerUDP
	LayerTCP
	LayerSCTP
	LayerICMPv4
	LayerICMPv6
	LayerPBB
	LayerVNTag
	LayerMPLS
	LayerPPPoE
	LayerPPP
	LayerCiscoHDLC
	LayerRadiotap
	Layer80211
	LayerSNAP
	LayerIPIP
	Layer4in6
	Layer6in4
	Layer6in6
	LayerGRE
	LayerERSPAN1
	LayerERSPAN2
	LayerERSPAN3
	LayerVXLAN
	LayerGeneve
	LayerGTP
	LayerL2TP
	LayerTZSP
	LayerESP
	LayerHEP
	LayerHEP1
	LayerHEP2
	LayerHEP3
	LayerSiptrace
	numLayers

	NumLayers int = iota - 1
)

// The kinds of number a decode function may return in place of a row: the kind
// in the upper half, the number in the lower.
const (
	byEtherType Layer = (iota + 1) << 16
	byProto4          // IP protocol after an IPv4 header
	byProto6          // next header after an IPv6 header
	byUDPPort         // a tunnel's port, else the payload
	kindMask    Layer = math.MaxUint16 << 16
)

func etherType(n uint16) Layer { return byEtherType | Layer(n) }

// ipProto is the layer with this IP protocol number. The numbers of IPv6
// extension headers mean nothing after an IPv4 header.
func (d *Decoder) ipProto(n uint8) Layer {
	if d.six {
		return byProto6 | Layer(n)
	}
	return byProto4 | Layer(n)
}

// A layer is one row: its name, the function that reads its header, whether it
// is an encapsulation (then it is listed in Packet.Encap), and what leads to it.
//
// The decode function borrows b, keeps what it read in d, and returns what comes
// next, the rest of b, and OK or why it refuses. It never reads the table: that
// would be an initialization cycle, and is the loop's work.
type layer struct {
	name   string
	encap  bool
	decode func(d *Decoder, b []byte) (next Layer, rest []byte, why Drop)
	match  match
}

type match struct {
	link  []Link
	ether []uint16
	proto []uint8 // after IPv4 and IPv6 headers
	four  []uint8 // after IPv4 headers only
	ext   []uint8 // after IPv6 headers only

	// UDP destination ports, and whether a source port tells as much: both ends of most
	// tunnels send to the port, whatever they send from.
	ports   func(*Config) *[]uint16
	answers bool
}

var table = [numLayers]layer{
	LayerEthernet:    {"ethernet", false, ethernet, match{link: []Link{LinkEthernet}, ether: []uint16{greTEB}}},
	LayerVLAN:        {"vlan", true, vlan, match{ether: []uint16{0x8100}}},         // IEEE 802.1Q
	LayerQinQ:        {"qinq", true, vlan, match{ether: []uint16{0x88a8, 0x9100}}}, // IEEE 802.1ad, and before it
	LayerSLL:         {"sll", false, sll, match{link: []Link{LinkSLL}}},
	LayerSLL2:        {"sll2", false, sll2, match{link: []Link{LinkSLL2}}},
	LayerLoopback:    {"loopback", false, loopback, match{link: []Link{LinkNull, LinkLoop}}},
	LayerRawIP:       {"raw", false, rawIP, match{link: []Link{LinkRaw, LinkRawBSD, LinkRawOpen}}},
	LayerIPv4:        {"ipv4", false, ipv4, match{link: []Link{LinkIPv4}, ether: []uint16{0x0800}}}, // RFC 791
	LayerIPv6:        {"ipv6", false, ipv6, match{link: []Link{LinkIPv6}, ether: []uint16{0x86dd}}}, // RFC 8200
	LayerHopByHop:    {"hopbyhop", false, options6, match{ext: []uint8{0}}},                         // RFC 8200 §4.3
	LayerRouting:     {"routing", false, options6, match{ext: []uint8{43}}},                         // RFC 8200 §4.4
	LayerDestination: {"destination", false, options6, match{ext: []uint8{60}}},                     // RFC 8200 §4.6
	LayerFragment:    {"fragment", false, fragment6, match{ext: []uint8{44}}},                       // RFC 8200 §4.5
	LayerAuth:        {"ah", true, auth, match{proto: []uint8{51}}},                                 // RFC 4302
	LayerUDP:         {"udp", false, udp, match{proto: []uint8{17}}},                                // RFC 768
	LayerTCP:         {"tcp", false, tcp, match{proto: []uint8{6}}},                                 // RFC 9293
	LayerSCTP:        {"sctp", false, sctp, match{proto: []uint8{132}}},                             // RFC 9260
	LayerICMPv4:      {"icmp", false, icmp4, match{proto: []uint8{1}}},                              // RFC 792
	LayerICMPv6:      {"icmp6", false, icmp6, match{ext: []uint8{58}}},                              // RFC 4443
	LayerPBB:         {"pbb", true, pbb, match{ether: []uint16{0x88e7}}},                            // IEEE 802.1ah
	LayerVNTag:       {"vntag", true, vnTag, match{ether: []uint16{0x8926}}},                        // IEEE 802.1BR, before it was that
	LayerMPLS:        {"mpls", true, mpls, match{ether: []uint16{0x8847, 0x8848}}},                  // RFC 5332
	LayerPPPoE:       {"pppoe", true, pppoe, match{link: []Link{LinkPPPEther}, ether: []uint16{0x8864}}},
	LayerPPP:         {"ppp", false, ppp, match{link: []Link{LinkPPP, LinkPPPHDLC}}},
	LayerCiscoHDLC:   {"chdlc", false, ciscoHDLC, match{link: []Link{LinkCiscoHDLC}}},
	LayerRadiotap:    {"radiotap", false, radiotap, match{link: []Link{LinkRadiotap}}},
	Layer80211:       {"ieee802.11", false, ieee80211, match{link: []Link{Link80211}}},
	LayerSNAP:        {"snap", false, snap, match{}},
	LayerIPIP:        {"ipip", true, ipv4Inside, match{four: []uint8{4}}},
	Layer4in6:        {"4in6", true, ipv4Inside, match{ext: []uint8{4}}},
	Layer6in4:        {"6in4", true, ipv6Inside, match{four: []uint8{41}}},
	Layer6in6:        {"6in6", true, ipv6Inside, match{ext: []uint8{41}}},
	LayerGRE:         {"gre", true, gre, match{proto: []uint8{47}}},
	LayerERSPAN1:     {"erspan1", true, erspan1, match{}},
	LayerERSPAN2:     {"erspan2", true, erspan2, match{}},
	LayerERSPAN3:     {"erspan3", true, erspan3, match{}},
	LayerVXLAN:       {"vxlan", true, vxlan, match{ports: func(c *Config) *[]uint16 { return &c.VXLANPorts }}},
	LayerGeneve:      {"geneve", true, geneve, match{ports: func(c *Config) *[]uint16 { return &c.GenevePorts }}},
	LayerGTP:         {"gtp", true, gtp, match{ports: func(c *Config) *[]uint16 { return &c.GTPPorts }}},
	LayerL2TP:        {"l2tp", true, l2tp, match{ports: func(c *Config) *[]uint16 { return &c.L2TPPorts }, answers: true}},
	LayerTZSP:        {"tzsp", true, tzsp, match{ports: func(c *Config) *[]uint16 { return &c.TZSPPorts }}},
	LayerESP:         {"esp", true, esp, match{proto: []uint8{50}, ports: func(c *Config) *[]uint16 { return &c.ESPPorts }, answers: true}},
	LayerHEP:         {"hep", false, readHEP, match{link: []Link{LinkHEP}, ports: func(c *Config) *[]uint16 { return &c.HEPPorts }}},
	LayerHEP1:        {"hep1", true, hepPayload, match{}},
	LayerHEP2:        {"hep2", true, hepPayload, match{}},
	LayerHEP3:        {"hep3", true, hepPayload, match{}},
	LayerSiptrace:    {"siptrace", true, readSiptrace, match{link: []Link{LinkSiptrace}, ports: func(c *Config) *[]uint16 { return &c.SiptracePorts }}},
}

// String gives the row's name, as it is used in records.
func (l Layer) String() string {
	if l < numLayers && table[l].name != "" {
		return table[l].name
	}
	return fmt.Sprintf("layer %#x", uint32(l))
}

// Carries reports whether the layer is an encapsulation, which is what Stats counts.
func (l Layer) Carries() bool { return l < numLayers && table[l].encap }

// An index finds a layer by number. A handful of entries in the order of the
// table is searched faster than a map.
type index []struct {
	number uint16
	layer  Layer
}

func (x index) find(number uint16) Layer {
	for _, e := range x {
		if e.number == number {
			return e.layer
		}
	}
	return LayerNone
}

func indexBy[T ~uint8 | ~uint16](numbers func(match) []T) index {
	var x index
	for id, row := range table {
		for _, n := range numbers(row.match) {
			x = append(x, struct {
				number uint16
				layer  Layer
			}{uint16(n), Layer(id)})
		}
	}
	return x
}

var linkIndex = indexBy(func(m match) []Link { return m.link })

// A Decoder turns frames into Packets, one at a time. The last
// one is the embedded Packet. A Decoder serves one goroutine.
type Decoder struct {
	Packet

	depth  int
	ether  index
	proto4 [256]uint8
	proto6 [256]uint8
	port   index // by UDP destination port
	answer index // by UDP source port

	layers   [NumLayers]uint64
	security [securities]security
	padded   bool // the radiotap header says that the next one is padded

	beyond int  // bytes that the innermost IP header, or else the capture, says are missing at the end
	six    bool // the innermost IP header is IPv6
	cooked bool // the link header was a Linux cooked one
	frags  assembly

	hep      hep.Packet
	hepKeys  [][]byte
	anyHEP   bool
	hepCount HEPStats

	// Header structs of gopacket, reused.
	eth  layers.Ethernet
	tag  layers.Dot1Q
	dgm  layers.UDP
	span layers.ERSPANII
}

// New makes a Decoder. Zero fields of cfg take their defaults; the others must
// have passed Validate.
func New(cfg Config) *Decoder {
	cfg = cfg.withDefaults()
	d := &Decoder{
		depth: cfg.Depth,
		ether: indexBy(func(m match) []uint16 { return m.ether }),
		port: indexBy(func(m match) []uint16 {
			if m.ports == nil {
				return nil
			}
			return *m.ports(&cfg)
		}),
		answer: indexBy(func(m match) []uint16 {
			if m.ports == nil || !m.answers {
				return nil
			}
			return *m.ports(&cfg)
		}),
		frags: newAssembly(cfg),

		hepKeys: cfg.HEPKeys,
		anyHEP:  cfg.AnyHEP,
	}
	for id, row := range table {
		for _, n := range row.match.proto {
			d.proto4[n], d.proto6[n] = uint8(id), uint8(id)
		}
		for _, n := range row.match.four {
			d.proto4[n] = uint8(id)
		}
		for _, n := range row.match.ext {
			d.proto6[n] = uint8(id)
		}
	}
	d.anyHEP, d.hepKeys = cfg.AnyHEP, cfg.HEPKeys
	d.VLANs = make([]uint16, 0, maxVLANs)
	d.Encap = make([]Layer, 0, cfg.Depth)
	return d
}

// Decode reads one frame. It borrows f.Data; after OK the embedded Packet holds
// the datagram, which borrows from f.Data or from d until the next Decode.
func (d *Decoder) Decode(f *Frame) Drop {
	d.reset(f)
	next, b := linkIndex.find(uint16(f.Link)), f.Data
	if next == LayerNone {
		return UnknownLink
	}
	byPort := false // whether only a port led to this layer
	for range d.depth {
		id, row, outer := next, &table[next], b
		var why Drop
		if next, b, why = row.decode(d, b); why != OK {
			if byPort && why != HEPAuth { // a hint, not a proof: it may be SIP on the port of a tunnel
				d.Payload = outer
				return OK
			}
			return why
		}
		if row.encap {
			d.Encap = append(d.Encap, id) // within its capacity: at most one a layer
			d.layers[id]++
		}
		byPort = next&kindMask == byUDPPort
		if next >= byEtherType {
			if next, why = d.lookUp(next); why != OK {
				return why
			}
		}
		if next == LayerNone {
			d.Payload = b
			return OK
		}
	}
	return Depth
}

// lookUp turns the number that a decode function returned into a row, LayerNone
// for the payload, or the reason why there is none.
func (d *Decoder) lookUp(l Layer) (Layer, Drop) {
	n := uint16(l)
	switch l & kindMask {
	case byEtherType:
		if id := d.ether.find(n); id != LayerNone {
			return id, OK
		}
		return LayerNone, strange(n)
	case byProto4:
		if id := d.proto4[uint8(n)]; id != 0 {
			return Layer(id), OK
		}
	case byProto6:
		if id := d.proto6[uint8(n)]; id != 0 {
			return Layer(id), OK
		}
	case byUDPPort:
		if id := d.port.find(n); id != LayerNone {
			return id, OK
		}
		return d.answer.find(d.Src.Port()), OK
	}
	return LayerNone, NotTransport
}

// strange tells what surely is not IP from an EtherType that may carry it in a
// way that is not read yet.
func strange(etherType uint16) Drop {
	if etherType < 0x0600 { // a length: IEEE 802.3 with LLC (spanning tree, IS-IS)
		return NotIP
	}
	switch etherType {
	case 0x0806, 0x8035, // ARP, RARP
		0x8809, 0x888e, 0x88cc, // LACP, EAPOL, LLDP
		0x88e3, 0x88f7, 0x8902, 0x9000: // MRP, PTP, CFM, loopback test
		return NotIP
	}
	return UnknownNetwork
}

// Advance gives up the fragments whose time has run out at now (Unix time in
// nanoseconds). Decode does so itself; a source without traffic needs it.
func (d *Decoder) Advance(now int64) { d.frags.expire(now) }

// Stats gives the counters. It is for the goroutine that calls Decode.
func (d *Decoder) Stats() Stats {
	s := d.frags.stats()
	s.Layers, s.HEP = d.layers, d.hepCount
	return s
}

func (d *Decoder) reset(f *Frame) {
	d.frags.expire(f.Time)
	d.frags.used = 0
	d.Time, d.Source, d.Iface = f.Time, f.Source, 0
	d.Src, d.Dst, d.Transport = zeroAddrPort, zeroAddrPort, TransportNone
	d.Payload, d.Cut = nil, f.Wire > len(f.Data)
	d.beyond = max(f.Wire-len(f.Data), 0)
	d.Seq, d.Ack, d.Flags, d.Missing = 0, 0, 0, 0
	d.Whole, d.WebSocket = false, false
	d.IPID, d.Fragmented = 0, false
	d.VLANs, d.Encap = d.VLANs[:0], d.Encap[:0]
	d.OuterSrc, d.OuterDst = f.Peer, zeroAddr
	d.HEP = HEPInfo{}
	d.told = false
	d.HasMAC, d.six, d.cooked, d.padded = false, false, false, false
	d.tunnel = 0
}
