package stream

import (
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// A tongue is what a segment begins with that tells, without what came before it,
// what a direction speaks.
type tongue uint8

const (
	opensNothing tongue = iota
	opensSIP
	opensHandshake // of WebSocket
	opensFrame     // of WebSocket, with the beginning of a SIP message in it
	opensHEP
	opensTLS
)

// begins reports whether a segment on ports that are not SIP's is one to begin with.
// a.conn is its connection, nil if there is none.
func (a *Assembler) begins(p *packet.Packet, syn bool) bool {
	switch {
	case syn && a.ports&(PortWebSocket|PortHEP) != 0:
		return true
	case len(p.Payload) == 0:
		return a.conn != nil
	}
	return a.opens(p.Payload) != opensNothing
}

// opens tells what d, the beginning of a segment, opens, as far as the ports ask for
// it.
func (a *Assembler) opens(d []byte) tongue {
	const everywhere = PortSIP | PortAny
	if len(d) == 0 {
		return opensNothing
	}
	switch c := d[0]; {
	case c >= 20 && c <= 23:
		if a.ports&(everywhere|PortWebSocket) != 0 && (a.conn == nil || !a.conn.sip) && startsTLS(d) {
			return opensTLS
		}
	case c == 'G' || c == 'H' || c == 'E':
		if a.ports&(everywhere|PortHEP) != 0 && startsHEP(d) {
			return opensHEP
		}
		if a.ports&(everywhere|PortWebSocket) != 0 && c != 'E' && startsHandshake(d) {
			return opensHandshake
		}
	case c&0x0f == opText || c&0x0f == opBinary:
		if a.ports&(everywhere|PortWebSocket) != 0 && c&0x30 == 0 && a.startsFrame(d) {
			return opensFrame
		}
	}
	if a.ports&everywhere != 0 && sip.StartsStrict(d) {
		return opensSIP
	}
	return opensNothing
}

// startsHandshake tells whether a segment holds the line that makes HTTP a
// handshake, and the first one.
func startsHandshake(d []byte) bool {
	const longest = 4 << 10
	d = d[:min(len(d), longest)]
	for i, c := range d {
		if c == '\n' {
			return isHandshake(d[:max(i-1, 0)]) && isWebSocket(d)
		}
	}
	return false
}

// startsFrame tells whether a segment begins with a frame that holds the beginning
// of a SIP message. A compressed one has to end with the segment, or to have another
// behind it.
func (a *Assembler) startsFrame(d []byte) bool {
	f, r := readFrame(d)
	if r != readOK {
		return false
	}
	if f.deflated {
		end := f.header + f.length
		if !f.fin || end > len(d) {
			return false
		}
		if g, r := readFrame(d[end:]); end < len(d) && (r == readBad || r == readOK && g.mask != f.mask) {
			return false
		}
	}
	return a.saysSIP(&f, d)
}

// turns tells whether a direction that is out of step goes on with segment d, and
// makes it speak what d does.
func (a *Assembler) turns(d []byte) bool {
	h, c := a.half, a.conn
	switch h.proto {
	case protoWebSocket:
		return a.fitsFrame(h, d)
	case protoHEP:
		return startsHEP(d)
	}
	switch a.opens(d) {
	case opensFrame:
		h.proto = protoWebSocket
	case opensHEP:
		h.proto = protoHEP
	default:
		return false
	}
	c.proto = h.proto
	return true
}
