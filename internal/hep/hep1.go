package hep

import (
	"encoding/binary"
	"net/netip"
)

// Versions 1 and 2 have a fixed header:
//
//	0  1  version
//	1  1  length of the header, as version 1 counts it: never used to find the payload
//	2  1  address family, as the sender's system numbers it
//	3  1  IP protocol
//	4  2  source port
//	6  2  destination port
//	8     source and destination address, 4 or 16 bytes each
//
// and version 2 the block of hep2.go behind it. The payload goes to the end.
const (
	header1 = 8
	base4   = header1 + 2*4
	base6   = header1 + 2*16
)

// is6 tells the address family from its number: 2 is IPv4 everywhere; IPv6 is 10 on
// Linux, 23 on Windows, 24 on NetBSD and OpenBSD, 28 on FreeBSD, 30 on macOS. Of
// another number the header's length may say it.
func is6(family, length uint8) (six, ok bool) {
	switch family {
	case 2:
		return false, true
	case 10, 23, 24, 28, 30:
		return true, true
	}
	switch int(length) {
	case base6, base6 + block2:
		return true, true
	case base4, base4 + block2:
		return false, true
	}
	return false, false
}

// fixed reads version 1 or 2.
func (p *Packet) fixed(b []byte, now int64) Problem {
	if len(b) < base4 {
		return Short
	}
	p.Version, p.Family, p.Protocol = b[0], b[2], b[3]
	six, ok := is6(b[2], b[1])
	if !ok {
		return BadFamily
	}
	src, dst := binary.BigEndian.Uint16(b[4:]), binary.BigEndian.Uint16(b[6:])
	at := base4
	if six {
		if at = base6; len(b) < at {
			return Short
		}
		p.Src, p.Dst = end6(b[8:24], src), end6(b[24:40], dst)
	} else {
		p.Src, p.Dst = end4(b[8:12], src), end4(b[12:16], dst)
	}
	if p.Version == 2 {
		if at, ok = p.block(b, at, now); !ok {
			return Short
		}
	}
	p.payload = span{at, len(b) - at}
	return OK
}

func end4(b []byte, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b)), port)
}

// end6 gives an IPv4 address that is written as IPv6 as what it is.
func end6(b []byte, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte(b)).Unmap(), port)
}
