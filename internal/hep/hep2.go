package hep

import (
	"bytes"
	"encoding/binary"
)

// Behind the addresses version 2 has
//
//	0  4  seconds
//	4  4  microseconds
//	8  2  capture id
//	10 2  padding, as a C compiler leaves it
//
// in little-endian order (Kamailio) or that of the sending machine. Some senders
// leave the padding out.
const (
	block2   = 12
	unpadded = 10
)

// year bounds how far a time may be off, in nanoseconds.
const year = 365 * 24 * 3600 * uint64(1e9)

// block reads the block at the place at and returns where the payload begins. The
// time is taken in the order that lands nearer to now, if that is less than a year
// off; the capture id in the same order.
func (p *Packet) block(b []byte, at int, now int64) (payload int, ok bool) {
	if len(b) < at+unpadded {
		return 0, false
	}
	little, big := time2(binary.LittleEndian, b[at:]), time2(binary.BigEndian, b[at:])
	order := binary.ByteOrder(binary.LittleEndian)
	p.Time = little
	if off(big, now) < off(little, now) {
		order, p.Time = binary.BigEndian, big
	}
	if off(p.Time, now) >= year {
		p.Time = 0
	}
	p.CaptureID = uint32(order.Uint16(b[at+8:]))
	payload = at + block2
	switch {
	case len(b) >= payload && begins(b[payload:]):
	case begins(b[at+unpadded:]) || letter(b[at+unpadded:]):
		payload = at + unpadded
	case len(b) < payload:
		return 0, false
	}
	return payload, true
}

// time2 is the time of a block in one byte order, 0 if the microseconds cannot be.
func time2(order binary.ByteOrder, b []byte) int64 {
	s, us := order.Uint32(b), order.Uint32(b[4:])
	if us >= 1e6 {
		return 0
	}
	return int64(s)*1e9 + int64(us)*1e3
}

// off is the distance of two times, also of those that no clock shows.
func off(t, now int64) uint64 { return uint64(max(t, now)) - uint64(min(t, now)) }

// starts are what SIP messages begin with, RFC 3261 and its extensions. Padding that
// was not cleared may hold letters, so a letter alone is the weaker sign.
var starts = [...]string{"SIP/2.0 ", "INVITE ", "ACK ", "BYE ", "CANCEL ", "REGISTER ", "OPTIONS ", "PRACK ", "UPDATE ",
	"INFO ", "SUBSCRIBE ", "NOTIFY ", "PUBLISH ", "MESSAGE ", "REFER "}

func begins(b []byte) bool {
	for _, s := range starts {
		if bytes.HasPrefix(b, []byte(s)) {
			return true
		}
	}
	return false
}

func letter(b []byte) bool { return len(b) > 0 && b[0]|0x20 >= 'a' && b[0]|0x20 <= 'z' }
