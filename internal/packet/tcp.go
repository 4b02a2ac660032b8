package packet

import "encoding/binary"

// TCPFlags are the control bits of a TCP header, RFC 9293 §3.1.
type TCPFlags uint8

// The control bits.
const (
	FIN TCPFlags = 1 << iota // the sender has no more to send
	SYN                      // Seq is the initial sequence number
	RST                      // the connection is gone
	PSH
	ACK // Ack is valid
	URG
	ECE
	CWR
)

// Has reports whether all bits of x are set.
func (f TCPFlags) Has(x TCPFlags) bool { return f&x == x }

// String gives the usual letters, "" for none.
func (f TCPFlags) String() string {
	const letters = "FSRPAUEC"
	var b []byte
	for i := range letters {
		if f>>i&1 != 0 {
			b = append(b, letters[i])
		}
	}
	return string(b)
}

// tcp reads a TCP header, RFC 9293 §3.1. Options are skipped, not read: nothing
// in them changes where a byte belongs. The payload is that of one segment, also
// of one that offloading made longer than any on the wire.
//
// It is ours because gopacket's reads the options too, and refuses a segment for a
// malformed one, with an error value, which allocates.
func tcp(d *Decoder, b []byte) (Layer, []byte, Drop) {
	const shortest = 20
	if len(b) < shortest {
		if len(b) >= 4 { // for the counters: whose it was
			d.ports(TCP, binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:]))
		}
		return LayerNone, nil, ShortHeader
	}
	d.ports(TCP, binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:]))
	header := int(b[12]>>4) * 4
	switch {
	case header < shortest:
		return LayerNone, nil, BadHeader
	case header > len(b) && d.Cut:
		return LayerNone, nil, ShortHeader
	case header > len(b):
		return LayerNone, nil, BadHeader
	}
	d.Seq, d.Ack = binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
	d.Flags = TCPFlags(b[13])
	if d.Cut {
		d.Missing = d.beyond
	}
	return LayerNone, b[header:], OK
}

// sctp reads the common header, RFC 9260 §3.1. The payload is the chunks.
func sctp(d *Decoder, b []byte) (Layer, []byte, Drop) {
	const header = 12
	if len(b) >= 4 {
		d.ports(SCTP, binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:]))
	}
	if len(b) < header {
		return LayerNone, nil, ShortHeader
	}
	d.Seq = binary.BigEndian.Uint32(b[4:])
	return LayerNone, b[header:], OK
}
