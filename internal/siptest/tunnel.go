package siptest

import (
	"encoding/binary"
	"slices"
	"sync/atomic"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// tunnelCarriers wrap a frame, or the IP packet in it, into each tunnel that the
// program undoes. The headers are laid out from the documents that define them.
var tunnelCarriers = []Carrier{
	{"pbb", func(f packet.Frame) []packet.Frame { // IEEE 802.1ah, in a backbone VLAN
		return inside(ether(f, 0x88e7, []byte{0, 0x01, 0x23, 0x45}, f.Data), 0x88a8, 100)
	}, true},
	{"vntag", func(f packet.Frame) []packet.Frame {
		return one(f, packet.LinkEthernet, join(f.Data[:12], []byte{0x89, 0x26, 0x80, 0x0a, 0, 1}, f.Data[12:]))
	}, true},
	{"vntag-vlan", func(f packet.Frame) []packet.Frame {
		f = VLAN(f, 0x8100, 838)[0]
		return one(f, packet.LinkEthernet, join(f.Data[:12], []byte{0x89, 0x26, 0x80, 0x0a, 0, 1}, f.Data[12:]))
	}, true},
	{"mpls", func(f packet.Frame) []packet.Frame { return ether(f, 0x8847, labels, ip(f)) }, true},
	{"mpls-multicast", func(f packet.Frame) []packet.Frame { return ether(f, 0x8848, labels[4:], ip(f)) }, true},
	{"mpls-ethernet", func(f packet.Frame) []packet.Frame { return ether(f, 0x8847, labels, f.Data) }, true}, // RFC 4448
	{"mpls-ethernet-control-word", func(f packet.Frame) []packet.Frame { // RFC 4385
		return ether(f, 0x8847, labels, []byte{0, 0, 0x12, 0x34}, f.Data)
	}, true},
	{"mpls-ethernet-like-ipv4", func(f packet.Frame) []packet.Frame {
		return ether(f, 0x8847, labels, []byte{0x48, 0x0f, 0xcf}, f.Data[3:])
	}, true},
	{"pppoe", func(f packet.Frame) []packet.Frame { return pppoe(f, 0, pppNumber(f)) }, true},
	{"pppoe-short-protocol", func(f packet.Frame) []packet.Frame { return pppoe(f, 6, pppNumber(f)[1:]) }, true},
	{"vlan-pppoe", func(f packet.Frame) []packet.Frame { return inside(pppoe(f, 0, pppNumber(f)), 0x8100, 838) }, true},
	{"ppp", func(f packet.Frame) []packet.Frame { return one(f, packet.LinkPPP, join(pppNumber(f), ip(f))) }, false},
	{"ppp-hdlc", func(f packet.Frame) []packet.Frame {
		return one(f, packet.LinkPPPHDLC, join([]byte{0xff, 3}, pppNumber(f), ip(f)))
	}, false},
	{"chdlc", func(f packet.Frame) []packet.Frame {
		return one(f, packet.LinkCiscoHDLC, join([]byte{0x0f, 0}, f.Data[12:]))
	}, false},
	{"gre", func(f packet.Frame) []packet.Frame { return gre(f, []byte{0, 0}, f.Data[12:]) }, true},
	{"gre-key-sequence", func(f packet.Frame) []packet.Frame {
		return gre(f, []byte{0xb0, 0}, f.Data[12:14], []byte{1, 2, 0, 0}, []byte{0, 1, 0x09, 0xb6}, []byte{0, 0, 0, 9}, ip(f))
	}, true},
	{"gre-ethernet", func(f packet.Frame) []packet.Frame {
		return gre(f, []byte{0x20, 0, 0x65, 0x58}, []byte{0, 0x60, 0, 0x17}, f.Data)
	}, true},
	{"gre-mpls", func(f packet.Frame) []packet.Frame { return gre(f, []byte{0, 0, 0x88, 0x47}, labels, ip(f)) }, true},
	{"gre-vlan", func(f packet.Frame) []packet.Frame {
		return gre(f, []byte{0, 0, 0x81, 0}, []byte{0, 77}, f.Data[12:])
	}, true},
	{"gre-ppp", func(f packet.Frame) []packet.Frame { return gre(f, []byte{0, 0, 0x88, 0x0b}, pppNumber(f), ip(f)) }, true},
	{"gre-ipv6", func(f packet.Frame) []packet.Frame { return outer6(f, 47, []byte{0, 0}, f.Data[12:]) }, true},
	{"pptp", func(f packet.Frame) []packet.Frame { // RFC 2637
		inside := join([]byte{0xff, 3}, pppNumber(f), ip(f))
		return gre(f, []byte{0x30, 0x81, 0x88, 0x0b}, be16(len(inside)), []byte{0, 7}, []byte{0, 0, 0, 1}, []byte{0, 0, 0, 2}, inside)
	}, true},
	{"erspan1", func(f packet.Frame) []packet.Frame { return gre(f, []byte{0, 0, 0x88, 0xbe}, f.Data) }, true},
	{"erspan1-sequence", func(f packet.Frame) []packet.Frame {
		return gre(f, []byte{0x10, 0, 0x88, 0xbe}, []byte{0, 0, 0, 1}, f.Data)
	}, true},
	{"erspan2", func(f packet.Frame) []packet.Frame {
		return gre(f, []byte{0x10, 0, 0x88, 0xbe}, []byte{0, 0, 0, 1}, []byte{0x13, 0x46, 0, 5}, []byte{0, 0, 0, 3}, f.Data)
	}, true},
	{"erspan3", func(f packet.Frame) []packet.Frame {
		return gre(f, []byte{0x10, 0, 0x22, 0xeb}, []byte{0, 0, 0, 1}, []byte{0x23, 0x46, 0, 5}, []byte{1, 2, 3, 4, 0, 0, 0, 0}, f.Data)
	}, true},
	{"erspan3-platform", func(f packet.Frame) []packet.Frame { // version 2, frame type 0, and the bit O
		return gre(f, []byte{0x10, 0, 0x22, 0xeb}, []byte{0, 0, 0, 1}, []byte{0x23, 0x46, 0, 5}, []byte{1, 2, 3, 4, 0, 0, 0, 1}, make([]byte, 8), f.Data)
	}, true},
	{"erspan3-ip", func(f packet.Frame) []packet.Frame { // frame type 2
		return gre(f, []byte{0x10, 0, 0x22, 0xeb}, []byte{0, 0, 0, 1}, []byte{0x23, 0x46, 0, 5}, []byte{1, 2, 3, 4, 0, 0, 2 << 2, 0}, ip(f))
	}, true},
	{"vxlan", VXLAN, true},
	{"vxlan-ipv6", func(f packet.Frame) []packet.Frame {
		return outer6(f, 17, udp(50000, 8472, []byte{8, 0, 0, 0, 0, 0x01, 0x02, 0}, f.Data))
	}, true},
	{"vxlan-policy", func(f packet.Frame) []packet.Frame {
		return outer4(f, 17, udp(50000, 4789, []byte{0x88, 0, 0, 9, 0, 0x01, 0x02, 0}, f.Data))
	}, true},
	{"vxlan-gpe", func(f packet.Frame) []packet.Frame {
		next := byte(1)
		if f.Data[14]>>4 == 6 {
			next = 2
		}
		return outer4(f, 17, udp(50000, 4790, []byte{0x0c, 0, 0, next, 0, 0x01, 0x02, 0}, ip(f)))
	}, true},
	{"geneve", func(f packet.Frame) []packet.Frame {
		return outer4(f, 17, udp(50000, 6081, []byte{0, 0, 0x65, 0x58, 0, 1, 2, 0}, f.Data))
	}, true},
	{"geneve-options", func(f packet.Frame) []packet.Frame { // as a gateway load balancer sends it: IP, two options
		options := []byte{1, 8, 1, 2, 1, 2, 3, 4, 5, 6, 7, 8, 1, 8, 3, 1, 9, 9, 9, 9}
		return outer4(f, 17, udp(50000, 6081, []byte{byte(len(options) / 4), 0x40}, f.Data[12:14], []byte{0, 1, 2, 0}, options, ip(f)))
	}, true},
	{"gtp", func(f packet.Frame) []packet.Frame { return gtp(f, 0x30) }, true},
	{"gtp-extensions", func(f packet.Frame) []packet.Frame { // sequence number; PDU session container, and a longer one
		return gtp(f, 0x36, []byte{0, 9, 0, 0x85}, []byte{1, 0, 5, 0x40}, []byte{2, 0, 0, 0, 0, 0, 0, 0})
	}, true},
	{"ipip", func(f packet.Frame) []packet.Frame { return outer4(f, ipNumber(f), ip(f)) }, true},
	{"ip-in-ipv6", func(f packet.Frame) []packet.Frame { return outer6(f, ipNumber(f), ip(f)) }, true},
	{"l2tp", func(f packet.Frame) []packet.Frame { // RFC 2661, answered to another port
		return outer4(f, 17, udp(1701, 40001, []byte{0, 2, 0, 1, 0, 2, 0xff, 3}, pppNumber(f), ip(f)))
	}, true},
	{"l2tp-all", func(f packet.Frame) []packet.Frame { // length, sequence numbers, offset
		inside := join(pppNumber(f), ip(f))
		return outer4(f, 17, udp(1701, 1701, []byte{0x4a, 2}, be16(16+len(inside)), []byte{0, 1, 0, 2, 0, 3, 0, 4, 0, 2, 0xee, 0xee}, inside))
	}, true},
	{"tzsp", func(f packet.Frame) []packet.Frame {
		return outer4(f, 17, udp(37008, 37008, []byte{1, 0, 0, 1}, []byte{0, 10, 1, 0xc4, 1}, f.Data))
	}, true},
	{"tzsp-wireless", func(f packet.Frame) []packet.Frame {
		return outer4(f, 17, udp(37008, 37008, []byte{1, 0, 0, 18, 1}, wireless(f, 0x08, 0x01)))
	}, true},
	{"wireless", func(f packet.Frame) []packet.Frame { return one(f, packet.Link80211, wireless(f, 0x08, 0x02)) }, false},
	{"wireless-bridge", func(f packet.Frame) []packet.Frame { return one(f, packet.Link80211, wireless(f, 0x88, 0x83)) }, false},
	{"radiotap", func(f packet.Frame) []packet.Frame {
		return one(f, packet.LinkRadiotap, join([]byte{0, 0, 8, 0, 0, 0, 0, 0}, wireless(f, 0x88, 0x01)))
	}, false},
	{"radiotap-padded", func(f packet.Frame) []packet.Frame { // two words of fields, time, flags: padded, check sequence
		header := []byte{0, 0, 25, 0, 3, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0x30}
		frame := wireless(f, 0x88, 0x01)
		return one(f, packet.LinkRadiotap, join(header, frame[:26], []byte{0, 0}, frame[26:], []byte{0xde, 0xad, 0xbe, 0xef}))
	}, false},
	{"esp-12", func(f packet.Frame) []packet.Frame { return ESP(f, 0, 12) }, true},
	{"esp-16", func(f packet.Frame) []packet.Frame { return ESP(f, 0, 16) }, true},
	{"esp-0", func(f packet.Frame) []packet.Frame { return ESP(f, 0, 0) }, true},
	{"esp-gmac", func(f packet.Frame) []packet.Frame { return ESP(f, 8, 16) }, true},
	{"esp-tunnel", func(f packet.Frame) []packet.Frame { return outer4(f, 50, security(ip(f), ipNumber(f), 0, 12)) }, true},
	{"esp-udp", func(f packet.Frame) []packet.Frame { // RFC 3948, to a phone behind a translator
		return outer4(f, 17, udp(4500, 61000, security(ip(f), ipNumber(f), 0, 12)))
	}, true},
	{"esp-fragments", func(f packet.Frame) []packet.Frame { return cutAll(ESP(f, 0, 12), 304) }, true},
	{"vlan-vxlan-vlan", func(f packet.Frame) []packet.Frame {
		return inside(VXLAN(VLAN(f, 0x8100, 77)[0]), 0x8100, 838)
	}, true},
	{"vxlan-fragments", func(f packet.Frame) []packet.Frame { return reversed(cutAll(VXLAN(f), 400)) }, true},
	{"gre-inner-fragments", func(f packet.Frame) []packet.Frame {
		return each(reversed(Fragments(f, 304)), func(f packet.Frame) []packet.Frame { return gre(f, []byte{0, 0}, f.Data[12:]) })
	}, true},
	{"vxlan-fragments-in-fragments", func(f packet.Frame) []packet.Frame {
		return each(Fragments(f, 304), func(f packet.Frame) []packet.Frame { return cutAll(VXLAN(f), 104) })
	}, true},
	{"mirror-of-a-mirror", func(f packet.Frame) []packet.Frame { // ERSPAN of VXLAN of GTP
		f = VXLAN(gtp(f, 0x30)[0])[0]
		return gre(f, []byte{0, 0, 0x88, 0xbe}, f.Data)
	}, true},
}

// VXLAN puts an Ethernet frame into VXLAN over IPv4.
func VXLAN(f packet.Frame) []packet.Frame {
	return outer4(f, 17, udp(50000, 4789, []byte{8, 0, 0, 0, 0, 0x01, 0x02, 0}, f.Data))
}

// labels are a stack of two: 16 and 3001, the second at the bottom.
var labels = []byte{0, 1, 0, 64, 0, 0xbb, 0x91, 64}

// ip is the IP packet in an Ethernet frame.
func ip(f packet.Frame) []byte { return f.Data[14:] }

// ipNumber is the IP protocol that stands for the packet in f: IPv4 or IPv6.
func ipNumber(f packet.Frame) byte {
	if f.Data[14]>>4 == 4 {
		return 4
	}
	return 41
}

func pppNumber(f packet.Frame) []byte {
	if f.Data[14]>>4 == 4 {
		return []byte{0, 0x21}
	}
	return []byte{0, 0x57}
}

func be16(n int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(n)) }

// ether makes an Ethernet frame between two bridges.
func ether(f packet.Frame, etherType int, parts ...[]byte) []packet.Frame {
	return one(f, packet.LinkEthernet, join([]byte{2, 0, 0, 0, 9, 2, 2, 0, 0, 0, 9, 1}, be16(etherType), join(parts...)))
}

// outer4 makes an Ethernet frame with an IPv4 packet between the ends of a tunnel.
func outer4(f packet.Frame, protocol byte, parts ...[]byte) []packet.Frame {
	payload := join(parts...)
	header := join([]byte{0x45, 0}, be16(20+len(payload)), be16(int(identification.Add(1))), []byte{0, 0, 64, protocol, 0, 0},
		[]byte{198, 51, 100, 1}, []byte{198, 51, 100, 2})
	sumIPv4(header)
	return ether(f, 0x0800, header, payload)
}

func outer6(f packet.Frame, next byte, parts ...[]byte) []packet.Frame {
	payload := join(parts...)
	from := []byte{0x20, 0x01, 0x0d, 0xb8, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}
	to := slices.Clone(from)
	to[15] = 2
	return ether(f, 0x86dd, []byte{0x60, 0, 0, 0}, be16(len(payload)), []byte{next, 64}, from, to, payload)
}

// udp makes a UDP datagram without a checksum.
func udp(from, to int, parts ...[]byte) []byte {
	payload := join(parts...)
	return join(be16(from), be16(to), be16(8+len(payload)), []byte{0, 0}, payload)
}

func gre(f packet.Frame, parts ...[]byte) []packet.Frame { return outer4(f, 47, parts...) }

// pppoe makes a session frame with padding behind.
func pppoe(f packet.Frame, padding int, number []byte) []packet.Frame {
	inside := join(number, ip(f))
	return ether(f, 0x8864, []byte{0x11, 0, 0x03, 0x46}, be16(len(inside)), inside, make([]byte, padding))
}

func gtp(f packet.Frame, flags byte, optional ...[]byte) []packet.Frame {
	inside := join(join(optional...), ip(f))
	return outer4(f, 17, udp(2152, 2152, []byte{flags, 0xff}, be16(len(inside)), []byte{0x2b, 3, 0xd6, 0x9b}, inside))
}

// wireless makes an IEEE 802.11 data frame of an Ethernet frame, with these two
// bytes of frame control. Without the frames that carry a check sequence.
func wireless(f packet.Frame, kind, flags byte) []byte {
	header := []byte{kind, flags, 0, 0, 2, 0, 0, 0, 9, 1, 2, 0, 0, 0, 9, 2, 2, 0, 0, 0, 9, 3, 0x10, 0}
	if flags&3 == 3 {
		header = append(header, 2, 0, 0, 0, 9, 4)
	}
	if kind&0x80 != 0 {
		header = append(header, 0, 0) // quality of service
		if flags&0x80 != 0 {
			header = append(header, 0, 0, 0, 0) // high throughput control
		}
	}
	return join(header, []byte{0xaa, 0xaa, 3, 0, 0, 0}, f.Data[12:])
}

var sequence atomic.Uint32

// ESP puts what the IP packet of an Ethernet frame carries into ESP with NULL
// encryption, in transport mode, with so many bytes of initialization vector and
// integrity value.
func ESP(f packet.Frame, iv, icv int) []packet.Frame {
	at := udpAt(f.Data)
	b := join(f.Data[:at], security(f.Data[at:], 17, iv, icv))
	if b[14]>>4 == 4 {
		binary.BigEndian.PutUint16(b[16:], uint16(len(b)-14))
		b[23] = 50
		sumIPv4(b[14:at])
	} else {
		binary.BigEndian.PutUint16(b[18:], uint16(len(b)-14-40))
		b[20] = 50
	}
	return one(f, packet.LinkEthernet, b)
}

// security makes an ESP packet, RFC 4303 §2. The integrity value looks like one.
func security(inside []byte, next byte, iv, icv int) []byte {
	n := sequence.Add(1)
	b := binary.BigEndian.AppendUint32([]byte{0xc0, 0, byte(iv), byte(icv + 1)}, n)
	b = append(b, noise(n, iv)...)
	b = append(b, inside...)
	padding := (4 - (len(b)+2)%4) % 4
	for i := range padding {
		b = append(b, byte(i+1))
	}
	b = append(b, byte(padding), next)
	return append(b, noise(^n, icv)...)
}

// noise is n bytes without a pattern, the same for the same seed.
func noise(seed uint32, n int) (b []byte) {
	for range n {
		seed = seed*1664525 + 1013904223 // Numerical Recipes
		b = append(b, byte(seed>>24))
	}
	return b
}

// cutAll cuts the outer IP packets of Ethernet frames into fragments.
func cutAll(frames []packet.Frame, size int) []packet.Frame {
	return each(frames, func(f packet.Frame) []packet.Frame { return Fragments(f, size) })
}
