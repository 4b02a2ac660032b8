// Package hep reads and writes the Homer Encapsulation Protocol, versions 1, 2 and 3
// (also called EEP): how proxies, session border controllers and capture agents
// hand over the SIP that they see, with its addresses and its time.
//
// Decode is lenient, for senders differ in byte order, padding and sizes; Append is
// exact, for receivers are strict. The package does no I/O and reads no clock, and
// checks no key by itself: see Authorized. A compressed payload is inflated up to a
// bound.
//
// A Packet is reused. It borrows from the bytes that Decode was given, or, for a
// payload that had to be unpacked, from its own buffer, until the next Decode.
package hep

import (
	"crypto/subtle"
	"encoding/binary"
	"net/netip"
)

// Protocol types: what the payload is (chunk 0x0b).
const (
	TypeSIP      = 1
	TypeRTCP     = 5   // RTCP as JSON
	TypeRTPAgent = 34  // voice quality of a stream, as JSON
	TypeRTCPXR   = 35  // voice quality, short; RTCP-XR in the field
	TypeHoraclix = 38  // voice quality of Oracle's session border controllers, as JSON
	TypeSIPJSON  = 50  // SIP as a text in JSON
	TypeLog      = 100 // a line of a log
)

// A Problem says what Decode made of the bytes: OK, or why it refuses them.
type Problem uint8

// The problems.
const (
	OK         Problem = iota
	NotHEP             // neither a version byte nor a magic
	Short              // ends before the payload
	BadFamily          // an address family of no system
	BadLength          // a length that cannot be
	NoAddress          // version 3 without both addresses
	NoPayload          // nothing inside, or JSON without SIP
	BadDeflate         // a compressed payload that cannot be inflated
	TooLarge           // a compressed payload that inflates beyond the bound

	NumProblems int = iota
)

// String names the problem for counters.
func (p Problem) String() string {
	return [...]string{"ok", "not HEP", "short", "bad address family", "bad length", "no address", "no payload", "bad compression", "inflates too far"}[p]
}

// A Packet is one HEP packet. After a Decode that gave OK all fields are valid.
type Packet struct {
	Version  uint8 // 1, 2 or 3
	Family   uint8 // as sent: the number of the sender's system
	Protocol uint8 // IP protocol, as sent: 17, 6, 132; 22 and 50 stand for TLS and WebSocket
	Type     uint8 // of the payload; TypeSIP where the packet does not say
	Src, Dst netip.AddrPort

	Time      int64  // Unix time in nanoseconds, 0 where there is none that can be
	CaptureID uint32 // of the agent; 16 bits in version 2
	Vendor    uint16 // the first one that is not generic, else 0

	Trailing int // bytes behind the end that the packet gives
	Missing  int // bytes that its lengths speak of and that are not there
	Odd      int // chunks of a fixed size that have another, and chunks that do not fit

	payload, node, correlation, key span
	compressed                      bool
	unpacked                        bool // payload lies in unpack.out
	data                            []byte
	unpack                          unpacker
}

// A span is a part of the packet.
type span struct{ off, n int }

func (p *Packet) bytes(s span) []byte { return p.data[s.off : s.off+s.n : s.off+s.n] }

// Payload borrows what the packet carries: not compressed, and for TypeSIPJSON the
// SIP text alone.
func (p *Packet) Payload() []byte {
	if p.unpacked {
		return p.unpack.out
	}
	return p.bytes(p.payload)
}

// Node borrows the agent's name, empty where it gives none.
func (p *Packet) Node() []byte { return p.bytes(p.node) }

// CorrelationID borrows what ties packets of one call together, empty where there is
// none.
func (p *Packet) CorrelationID() []byte { return p.bytes(p.correlation) }

// Key borrows the key that the sender identifies itself with, empty where there is
// none.
func (p *Packet) Key() []byte { return p.bytes(p.key) }

// Authorized reports whether key is one of keys. The time it takes says nothing but
// their number and lengths. Without keys everybody may send; with them, versions 1
// and 2, which have no place for one, may not.
func Authorized(key []byte, keys [][]byte) bool {
	found := 0
	for _, k := range keys {
		found |= subtle.ConstantTimeCompare(key, k)
	}
	return found == 1 || len(keys) == 0
}

// Decode reads the packet b, which p then borrows. now is Unix time in nanoseconds,
// for what a time of version 2 may mean.
func Decode(b []byte, p *Packet, now int64) Problem {
	p.reset(b)
	var why Problem
	switch {
	case len(b) == 0:
		return NotHEP
	case b[0] == 1 || b[0] == 2:
		why = p.fixed(b, now)
	case magic(b):
		why = p.chunks(b)
	default:
		return NotHEP
	}
	if why != OK {
		return why
	}
	return p.open()
}

func (p *Packet) reset(b []byte) {
	u := p.unpack
	u.out = u.out[:0]
	*p = Packet{data: b, unpack: u, Type: TypeSIP}
}

// open unpacks a payload that is not plain.
func (p *Packet) open() Problem {
	if p.compressed {
		if why := p.unpack.inflate(p.bytes(p.payload)); why != OK {
			return why
		}
		p.unpacked = true
	}
	if p.Type == TypeSIPJSON && !p.unpack.sipText(p.Payload()) {
		return NoPayload
	}
	p.unpacked = p.unpacked || p.Type == TypeSIPJSON
	if len(p.Payload()) == 0 {
		return NoPayload
	}
	return OK
}

// magic reports whether b begins as version 3: HEP3 or EEP3 (revision 37), or EEP1
// (the draft of 2013).
func magic(b []byte) bool {
	if len(b) < 4 || b[1] != 'E' || b[2] != 'P' {
		return false
	}
	return b[3] == '3' && (b[0] == 'H' || b[0] == 'E') || b[0] == 'E' && b[3] == '1'
}

// Length tells how long the version 3 packet is that b, a part of a stream, begins
// with; 0 where b is too short to tell. ok is false where b begins with something
// else. No other version can be told apart in a stream.
func Length(b []byte) (n int, ok bool) {
	if len(b) < header3 {
		var whole [4]byte
		have := copy(whole[:], b)
		for _, m := range [...]string{"HEP3", "EEP3", "EEP1"} {
			if string(whole[:have]) == m[:have] {
				return 0, true
			}
		}
		return 0, false
	}
	if n = int(binary.BigEndian.Uint16(b[4:])); !magic(b) || n < header3 {
		return 0, false
	}
	return n, true
}
