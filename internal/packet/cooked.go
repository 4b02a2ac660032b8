package packet

import "encoding/binary"

// sll reads a Linux cooked header, version 1. It is ours because gopacket's
// slices by the address length of the header and panics on a wild one.
func sll(d *Decoder, b []byte) (Layer, []byte, Drop) {
	if len(b) < 16 {
		return LayerNone, nil, ShortHeader
	}
	d.cooked = true
	return cooked(binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint16(b[14:])), b[16:], OK
}

// sll2 reads a Linux cooked header, version 2, which gopacket has not. The
// interface index goes to Packet.Iface: a capture of all interfaces sees a
// packet on the way in and on the way out of a bridge, and this tells the two
// apart.
func sll2(d *Decoder, b []byte) (Layer, []byte, Drop) {
	if len(b) < 20 {
		return LayerNone, nil, ShortHeader
	}
	d.cooked, d.Iface = true, binary.BigEndian.Uint32(b[4:])
	return cooked(binary.BigEndian.Uint16(b[8:]), binary.BigEndian.Uint16(b[0:])), b[20:], OK
}

// cooked is what follows a cooked header. Netlink devices keep another number in
// the place of the EtherType.
func cooked(hardware, protocol uint16) Layer {
	const netlink = 824 // ARPHRD_NETLINK
	if hardware == netlink {
		return etherType(0)
	}
	return etherType(protocol)
}

// halfTag reports whether b, which an EtherType says is IP, starts with the rest
// of a VLAN tag: identifier and EtherType, but not the 2 bytes that say it is a
// tag. In cooked captures of live interfaces Linux since 6.10 reports the EtherType
// behind all tags, takes the outer tag off and leaves the rest of the inner one;
// libpcap 1.10 then puts the outer one back. A real IP header would need a length
// or flow label equal to its EtherType and a length that fits 4 bytes further on.
func halfTag(etherType uint16, b []byte) bool {
	if len(b) < 4+20 || binary.BigEndian.Uint16(b[2:]) != etherType {
		return false
	}
	b = b[4:]
	switch etherType {
	case 0x0800:
		total := int(binary.BigEndian.Uint16(b[2:]))
		return b[0]>>4 == 4 && total >= 20 && total <= len(b)
	case 0x86dd:
		return b[0]>>4 == 6 && 40+int(binary.BigEndian.Uint16(b[4:])) <= len(b)
	}
	return false
}

// loopback reads the header of a BSD loopback capture: an address family, in the
// byte order of the host that captured (null) or of the network (loop). No
// family is above 255, so both orders are tried for both. It is ours because
// gopacket's refusal allocates, and because IPv6 has five numbers.
func loopback(d *Decoder, b []byte) (Layer, []byte, Drop) {
	if len(b) < 4 {
		return LayerNone, nil, ShortHeader
	}
	family := binary.LittleEndian.Uint32(b)
	if family > 0xffff {
		family = binary.BigEndian.Uint32(b)
	}
	switch family {
	case 2:
		return LayerIPv4, b[4:], OK
	case 10, 23, 24, 28, 30: // Linux, Windows, NetBSD and OpenBSD, FreeBSD, macOS
		return LayerIPv6, b[4:], OK
	}
	return LayerNone, nil, UnknownNetwork
}

// rawIP tells IPv4 from IPv6 by the version.
func rawIP(d *Decoder, b []byte) (Layer, []byte, Drop) {
	if len(b) == 0 {
		return LayerNone, nil, ShortHeader
	}
	switch b[0] >> 4 {
	case 4:
		return LayerIPv4, b, OK
	case 6:
		return LayerIPv6, b, OK
	}
	return LayerNone, nil, UnknownNetwork
}
