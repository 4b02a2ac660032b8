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
	LayerHEP
	LayerHEP1
	LayerHEP2
	LayerHEP3
	LayerSiptrace
	numLayers
)

// The kinds of number a decode function may return in place of a row: the kind
// in the upper half, the number in the lower.
const (
	byEtherType Layer = (iota + 1) << 16
	byProto4          // IP protocol after an IPv4 header
	byProto6          // next header after an IPv6 header
	byUDPPort         // a tunnel's destination port, else the payload
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
	proto []uint8  // after IPv4 and IPv6 headers
	ext   []uint8  // after IPv6 headers only
	udp   []uint16 // destination ports
}

var table = [numLayers]layer{
	LayerEthernet:    {"ethernet", false, ethernet, match{link: []Link{LinkEthernet}}},
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
	LayerHEP:         {"hep", false, readHEP, match{link: []Link{LinkHEP}, udp: []uint16{9060}}},
	LayerHEP1:        {"hep1", true, hepPayload, match{}},
	LayerHEP2:        {"hep2", true, hepPayload, match{}},
	LayerHEP3:        {"hep3", true, hepPayload, match{}},
	LayerSiptrace:    {"siptrace", true, readSiptrace, match{link: []Link{LinkSiptrace}}},
}

// String gives the row's name, as it is used in records.
func (l Layer) String() string {
	if l < numLayers && table[l].name != "" {
		return table[l].name
	}
	return fmt.Sprintf("layer %#x", uint32(l))
}

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

// A Decoder turns frames into datagrams and TCP segments, one at a time. The last
// one is the embedded Packet. A Decoder serves one goroutine.
type Decoder struct {
	Packet

	depth  int
	ether  index
	proto4 [256]uint8
	proto6 [256]uint8
	port   index

	beyond int  // bytes that the innermost IP header, or else the capture, says are missing at the end
	six    bool // the innermost IP header is IPv6
	cooked bool // the link header was a Linux cooked one
	frags  assembly

	hep      hep.Packet
	hepKeys  [][]byte
	anyHEP   bool
	hepCount HEPStats

	// Header structs of gopacket, reused.
	eth layers.Ethernet
	tag layers.Dot1Q
	dgm layers.UDP
}

// New makes a Decoder. Zero fields of cfg take their defaults; the others must
// have passed Validate.
func New(cfg Config) *Decoder {
	def := DefaultConfig()
	if cfg.FragmentMax == 0 {
		cfg.FragmentMax = def.FragmentMax
	}
	if cfg.FragmentBytes == 0 {
		cfg.FragmentBytes = def.FragmentBytes
	}
	if cfg.FragmentAge == 0 {
		cfg.FragmentAge = def.FragmentAge
	}
	if cfg.Depth == 0 {
		cfg.Depth = def.Depth
	}
	d := &Decoder{
		depth: cfg.Depth,
		ether: indexBy(func(m match) []uint16 { return m.ether }),
		port:  indexBy(func(m match) []uint16 { return m.udp }),
		frags: newAssembly(cfg),
	}
	for id, row := range table {
		for _, n := range row.match.proto {
			d.proto4[n], d.proto6[n] = uint8(id), uint8(id)
		}
		for _, n := range row.match.ext {
			d.proto6[n] = uint8(id)
		}
	}
	d.setHEP(cfg)
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
		return d.port.find(n), OK
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
	s.HEP = d.hepCount
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
	d.IPID, d.Fragmented = 0, false
	d.VLANs, d.Encap = d.VLANs[:0], d.Encap[:0]
	d.OuterSrc, d.OuterDst = f.Peer, zeroAddr
	d.HEP, d.Whole = HEPInfo{}, false
	d.HasMAC, d.six, d.cooked = false, false, false
}
