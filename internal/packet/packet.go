// Package packet turns a captured frame into a datagram, a TCP segment or an SCTP
// packet: it walks link layers, tags, tunnels and IP headers down to the payload
// and puts IP fragments together.
//
// It does not look into the payload, put TCP segments together, read SCTP chunks,
// decrypt, verify checksums (offloading leaves them wrong in captures made on the
// sending host), follow IPv4 source routes or IPv6 routing headers, or read a
// clock: time is the frame's. What it refuses has a Drop of its own, counted by the
// caller.
//
// A frame is borrowed for one call of Decode. What Decode hands out borrows from
// the frame or from the decoder's own buffers until the next Decode. In steady
// state nothing is allocated, and no input makes it panic or grow beyond its
// Config.
package packet

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"
)

// A Link is a link type: what the first header of a frame is. The numbers are
// the LINKTYPE_ values that pcap and pcapng files use.
type Link uint16

const (
	LinkNull      Link = 0   // BSD loopback, address family in the byte order of the capturing host
	LinkEthernet  Link = 1   // Ethernet II or IEEE 802.3
	LinkRawBSD    Link = 12  // DLT_RAW on most systems: IPv4 or IPv6, no link header
	LinkRawOpen   Link = 14  // DLT_RAW on OpenBSD
	LinkRaw       Link = 101 // IPv4 or IPv6, no link header
	LinkLoop      Link = 108 // OpenBSD loopback, address family in network byte order
	LinkSLL       Link = 113 // Linux cooked capture, version 1
	LinkIPv4      Link = 228 // IPv4, no link header
	LinkIPv6      Link = 229 // IPv6, no link header
	LinkSLL2      Link = 276 // Linux cooked capture, version 2
	LinkPPP       Link = 9   // PPP, with or without HDLC's address and control fields
	LinkPPPHDLC   Link = 50  // PPP or Cisco's HDLC on a serial line
	LinkPPPEther  Link = 51  // PPPoE session, without the Ethernet header
	LinkCiscoHDLC Link = 104
	Link80211     Link = 105
	LinkRadiotap  Link = 127 // IEEE 802.11 behind what the card says of it
	linkUSB       Link = 220
	linkNflog     Link = 239

	// Numbers of our own, of no capture file: what sockets give.
	LinkHEP      Link = 0xfe01 // a HEP packet
	LinkSiptrace Link = 0xfe02 // a SIP message that Kamailio's module siptrace copied
)

// Known reports whether frames of this link type can be read from a capture.
func (l Link) Known() bool {
	return l != LinkHEP && l != LinkSiptrace && linkIndex.find(uint16(l)) != LayerNone
}

// Links lists the link types that can be read from a capture. The caller owns the
// slice.
func Links() []Link {
	var all []Link
	for _, e := range linkIndex {
		if l := Link(e.number); l.Known() {
			all = append(all, l)
		}
	}
	return all
}

// String gives the usual short name of the link type, or its number.
func (l Link) String() string {
	switch l {
	case LinkNull:
		return "null"
	case LinkEthernet:
		return "ethernet"
	case LinkRaw, LinkRawBSD, LinkRawOpen:
		return "raw"
	case LinkLoop:
		return "loop"
	case LinkSLL:
		return "linux-sll"
	case LinkIPv4:
		return "ipv4"
	case LinkIPv6:
		return "ipv6"
	case LinkSLL2:
		return "linux-sll2"
	case LinkHEP:
		return "hep"
	case LinkSiptrace:
		return "siptrace"
	case LinkPPP:
		return "ppp"
	case LinkPPPHDLC:
		return "ppp-hdlc"
	case LinkPPPEther:
		return "ppp-ether"
	case LinkCiscoHDLC:
		return "cisco-hdlc"
	case Link80211:
		return "ieee802.11"
	case LinkRadiotap:
		return "radiotap"
	case linkUSB:
		return "usb"
	case linkNflog:
		return "nflog"
	}
	return fmt.Sprintf("link type %d", uint16(l))
}

// A Frame is what a capture source hands over.
type Frame struct {
	Time   int64      // Unix time in nanoseconds
	Link   Link       // what Data starts with
	Data   []byte     // borrowed from the source until its next frame
	Wire   int        // length on the wire; more than len(Data) where a snap length cut the frame
	Source uint32     // which interface or input it came from
	Peer   netip.Addr // who sent it, where a socket received it; else not valid
}

// A Transport is the protocol that carried a payload.
type Transport uint8

const (
	TransportNone Transport = iota
	UDP
	TCP
	SCTP
)

// String gives the name in lower case, "" for none.
func (t Transport) String() string {
	switch t {
	case TransportNone:
		return ""
	case UDP:
		return "udp"
	case TCP:
		return "tcp"
	case SCTP:
		return "sctp"
	}
	return fmt.Sprintf("transport %d", uint8(t))
}

// A Packet is a datagram, a TCP segment or an SCTP packet, and where it came from.
// After a Decode that gave OK all fields are valid; after any other outcome those
// that were read before it. The Payload of an SCTP packet is its chunks.
//
// Payload, VLANs and Encap borrow: they are valid until the next Decode.
type Packet struct {
	Time   int64  // the frame's; of a datagram put together, that of the fragment that completed it
	Source uint32 // the frame's
	Iface  uint32 // interface index in a Linux cooked v2 header, else 0

	Src, Dst  netip.AddrPort // of the innermost IP header; an IPv4 header gives 4-byte addresses
	Transport Transport
	Payload   []byte
	Cut       bool // bytes at the end of Payload are missing: a snap length, or a mirror that shortens frames

	// Of a TCP segment, else zero. Seq is the number of the first byte of Payload, or
	// of the SYN before it; of an SCTP packet, whose Payload is its chunks, it is the
	// verification tag.
	Seq, Ack uint32
	Flags    TCPFlags
	Missing  int // how many bytes of the segment are behind Payload and not in it, where Cut; 0 if not known

	Whole     bool // Payload is one whole message although Transport may be TCP, TLS, SCTP or WebSocket: who sent it by HEP or siptrace, or a stream, framed it
	WebSocket bool // a WebSocket frame carried it

	IPID       uint32 // identification of the innermost IPv4 or IPv6 fragment header, else 0
	Fragmented bool   // Payload was put together from fragments

	VLANs []uint16 // VLAN identifiers, outermost first; the first four
	Encap []Layer  // what was passed beyond plain Ethernet, IP and UDP, outermost first

	OuterSrc, OuterDst netip.Addr // of the outermost IP header where there are several, else zero; OuterSrc is the frame's Peer where it has one

	HEP HEPInfo // valid if HEP.Version is not 0: a HEP packet carried it

	SrcMAC, DstMAC [6]byte // of the innermost Ethernet header; valid if HasMAC
	HasMAC         bool

	told   bool   // see Told
	tunnel uint32 // a hash of what tells tunnels apart, 0 outside of any
}

// maxVLANs is how many VLAN identifiers a Packet keeps. More tags are passed,
// not kept: two are common, three exist, and what is further in tells no two
// mirror points apart.
const maxVLANs = 4

// The numbers of FNV-1a, 32 bits.
const (
	fnvBasis uint32 = 2166136261
	fnvPrime uint32 = 16777619
)

// spread brings the upper bits of a hash down, where a table takes its place from.
func spread(h uint32) uint32 { return h ^ h>>15 }

// hashAddr adds an address to a hash.
func hashAddr(h uint32, a netip.Addr) uint32 {
	if a.Is4() {
		b := a.As4()
		return (h ^ binary.BigEndian.Uint32(b[:])) * fnvPrime
	}
	b := a.As16()
	for i := 0; i < len(b); i += 4 {
		h = (h ^ binary.BigEndian.Uint32(b[i:])) * fnvPrime
	}
	return h
}

// mix adds what tells two tunnels apart to the hash of the path: the addresses of
// outer IP headers, and a tunnel's own number where it has one. What may differ
// between two packets of one tunnel is left out: ports, labels, sequence numbers.
func (p *Packet) mix(v uint32) { p.tunnel = (p.tunnel ^ v) * fnvPrime }

// PathHash tells mirror points apart: packets taken at one place have one hash,
// and the same packet taken on another interface, VLAN or tunnel has another, also
// in a tunnel of the same kind between other ends, or by another HEP sender. The
// innermost addresses are left out.
func (p *Packet) PathHash() uint32 {
	h := fnvBasis
	mix := func(v uint32) { h = (h ^ v) * fnvPrime }
	mix(p.Source)
	mix(p.Iface)
	mix(p.tunnel)
	for _, id := range p.VLANs {
		mix(1<<16 | uint32(id))
	}
	for _, l := range p.Encap {
		mix(2<<16 | uint32(l))
	}
	if p.HEP.Version != 0 {
		mix(p.HEP.CaptureID)
		for _, b := range p.OuterSrc.As16() {
			mix(uint32(b))
		}
	}
	return spread(h)
}

// Told reports whether Time is not that of the frame but what a HEP sender or a
// proxy says: another clock, by which the frame may be early or late.
func (p *Packet) Told() bool { return p.told }

// A Drop says what Decode made of a frame: OK, or why there is no payload.
type Drop uint8

const (
	OK                Drop = iota // a datagram or a segment
	Fragment                      // a fragment, held until the rest of its datagram is there
	FragmentDuplicate             // a fragment whose bytes are there already, or whose datagram was complete less than doneAge ago
	FragmentOverlap               // a fragment that contradicts another one; its whole datagram is given up
	FragmentLength                // an empty fragment, one that is no multiple of 8 bytes and not the last, or one beyond byte 65535
	FragmentCut                   // a fragment other than the first that a snap length cut
	ShortHeader                   // the frame ends within a header
	BadHeader                     // a version or header length that cannot be
	BadLength                     // a length field that contradicts another one
	UnknownLink                   // a link type without a row in the table
	NotIP                         // ARP, LLDP, spanning tree, ... : never carries SIP
	UnknownNetwork                // an EtherType or address family without a row
	NotTransport                  // an IP protocol without a row: ICMP echo, IGMP, OSPF, ...
	ICMPError                     // ICMP that quotes a packet; quoted SIP is no message
	Encrypted                     // ESP or IEEE 802.11 that is not in clear
	Depth                         // more layers than Config.Depth
	BadHEP                        // HEP that cannot be read
	HEPAuth                       // HEP without one of Config.HEPKeys
	BadSiptrace                   // a copy of a message that does not say where it was seen

	NumDrops int = iota
)

var dropNames = [NumDrops]string{
	OK:                "ok",
	Fragment:          "fragment held",
	FragmentDuplicate: "duplicate fragment",
	FragmentOverlap:   "contradicting fragments",
	FragmentLength:    "bad fragment length",
	FragmentCut:       "cut fragment",
	ShortHeader:       "short header",
	BadHeader:         "bad header",
	BadLength:         "bad length",
	UnknownLink:       "unknown link type",
	NotIP:             "not IP",
	UnknownNetwork:    "unknown network protocol",
	NotTransport:      "no transport protocol",
	ICMPError:         "ICMP error",
	Encrypted:         "encrypted",
	Depth:             "too many layers",
	BadHEP:            "bad HEP",
	HEPAuth:           "HEP with a wrong key",
	BadSiptrace:       "siptrace copy without addresses",
}

// String names the outcome for counters and logs.
func (d Drop) String() string {
	if int(d) < NumDrops {
		return dropNames[d]
	}
	return fmt.Sprintf("drop %d", uint8(d))
}

// A Config bounds a Decoder and says where tunnels are found. Of the lists of UDP
// ports, nil is the default, an empty one none.
type Config struct {
	FragmentMax   int           `config:"fragment_max"`   // datagrams in assembly, and as many identifications remembered
	FragmentBytes int           `config:"fragment_bytes"` // bytes held for them
	FragmentAge   time.Duration `config:"fragment_age"`   // from the first fragment seen to giving up, in packet time
	Depth         int           `config:"depth"`          // layers of one frame

	VXLANPorts  []uint16 `config:"vxlan_ports"`
	GenevePorts []uint16 `config:"geneve_ports"`
	GTPPorts    []uint16 `config:"gtp_ports"`
	TZSPPorts   []uint16 `config:"tzsp_ports"`
	L2TPPorts   []uint16 `config:"l2tp_ports"`
	ESPPorts    []uint16 `config:"esp_ports"`

	HEPPorts      []uint16 `config:"hep_ports"`
	AnyHEP        bool     `config:",ignore"`        // take HEP version 3 on every other UDP port too
	HEPKeys       [][]byte `config:",ignore"`        // keys of which a HEP packet must have one; none is no check
	SiptracePorts []uint16 `config:"siptrace_ports"` // to which Kamailio sends plain copies of messages
}

// DefaultConfig gives the bounds that suit one capture source. RFC 8200 §4.5
// allows a receiver 60 s for the rest of a datagram, RFC 791 §3.2 proposes 15 s
// to start with, and Linux takes 30 s. Each tunnel takes up to four layers: a
// mirror of a mirror of an overlay network still fits into the depth.
func DefaultConfig() Config {
	return Config{
		FragmentMax: 4096, FragmentBytes: 16 << 20, FragmentAge: 30 * time.Second, Depth: 32,

		VXLANPorts:  []uint16{4789, 4790, 8472}, // RFC 7348; VXLAN-GPE; Linux before it had a number
		GenevePorts: []uint16{6081},             // RFC 8926
		GTPPorts:    []uint16{2152},             // 3GPP TS 29.281
		TZSPPorts:   []uint16{37008},
		L2TPPorts:   []uint16{1701}, // RFC 2661
		ESPPorts:    []uint16{4500}, // RFC 3948
		HEPPorts:    []uint16{9060},
	}
}

// withDefaults fills in what is not set.
func (c Config) withDefaults() Config {
	def := DefaultConfig()
	c.FragmentMax = cmp.Or(c.FragmentMax, def.FragmentMax)
	c.FragmentBytes = cmp.Or(c.FragmentBytes, def.FragmentBytes)
	c.FragmentAge = cmp.Or(c.FragmentAge, def.FragmentAge)
	c.Depth = cmp.Or(c.Depth, def.Depth)
	for id := range table {
		if ports := table[id].match.ports; ports != nil && *ports(&c) == nil {
			*ports(&c) = *ports(&def)
		}
	}
	return c
}

// Validate names the first key that is out of range, and the range.
func (c Config) Validate() error {
	check := func(key string, v, low, high int) error {
		if v < low || v > high {
			return fmt.Errorf("%s: %d is not allowed; allowed: %d to %d", key, v, low, high)
		}
		return nil
	}
	if err := check("fragment_max", c.FragmentMax, 1, 1<<20); err != nil {
		return err
	}
	// One datagram of the greatest size always fits.
	if err := check("fragment_bytes", c.FragmentBytes, slabSize, 1<<30); err != nil {
		return err
	}
	if c.FragmentAge < time.Second || c.FragmentAge > 10*time.Minute {
		return fmt.Errorf("fragment_age: %v is not allowed; allowed: 1s to 10m", c.FragmentAge)
	}
	if err := check("depth", c.Depth, 4, 64); err != nil {
		return err
	}
	taken := map[uint16]string{}
	for id := range table {
		ports := table[id].match.ports
		if ports == nil {
			continue
		}
		key := table[id].name + "_ports"
		for _, p := range *ports(&c) {
			if other, ok := taken[p]; ok && other != key {
				return fmt.Errorf("%s: %d is not allowed; allowed: ports that are not in %s", key, p, other)
			}
			taken[p] = key
		}
	}
	return nil
}

// Tunnels lists where the encapsulations that are read are found: EtherTypes, IP
// protocols, and UDP ports, so that a capture filter can let them through. The
// caller owns the slices.
func (c Config) Tunnels() (ether []uint16, proto []uint8, udp []uint16) {
	c = c.withDefaults()
	for id := range table {
		row := &table[id]
		m := &row.match
		if !row.encap && m.ports == nil {
			continue
		}
		ether = append(ether, m.ether...)
		proto = append(append(append(proto, m.proto...), m.four...), m.ext...)
		if m.ports != nil {
			udp = append(udp, *m.ports(&c)...)
		}
	}
	return ether, proto, udp
}

// Stats are counters of a Decoder. Held and Bytes are what is there now, the others
// totals since New.
type Stats struct {
	Layers [NumLayers]uint64 // how often each encapsulation was undone, by Layer

	// Of fragments.
	Held       int    // datagrams in assembly
	Bytes      int    // bytes of the pages they hold
	Fragments  uint64 // fragments taken in
	Assembled  uint64 // datagrams put together
	Evicted    uint64 // datagrams given up because FragmentMax or FragmentBytes was reached
	Expired    uint64 // datagrams given up because FragmentAge was reached
	Refused    uint64 // datagrams given up because their fragments contradict each other
	Duplicates uint64 // fragments that brought nothing new

	HEP HEPStats
}

// Add adds the counters of another Decoder.
func (s *Stats) Add(o *Stats) {
	for i := range o.Layers {
		s.Layers[i] += o.Layers[i]
	}
	s.Held += o.Held
	s.Bytes += o.Bytes
	s.Fragments += o.Fragments
	s.Assembled += o.Assembled
	s.Evicted += o.Evicted
	s.Expired += o.Expired
	s.Refused += o.Refused
	s.Duplicates += o.Duplicates
	s.HEP.add(&o.HEP)
}
