package recent

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"net/netip"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// FileHeader begins a file: pcap 2.4 in nanoseconds, little-endian, each frame an IP
// packet without a link header (LINKTYPE_RAW).
var FileHeader = func() []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, 0xa1b23c4d)
	b = le.AppendUint16(b, 2)
	b = le.AppendUint16(b, 4)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0) // time zone, accuracy
	b = le.AppendUint32(b, 262144)        // snap length
	return le.AppendUint32(b, uint32(packet.LinkRaw))
}()

const (
	maxIP       = math.MaxUint16 // greatest value of an IP length field
	maxSegment  = 32 << 10       // of one TCP segment that we make
	maxFlows    = 16             // directions of TCP and SCTP of one file
	maxOverhead = 16 + 40 + 28   // of a frame: record, IPv6, SCTP with a chunk
)

// A flow is one direction of a TCP connection or SCTP association in a file: what
// comes next in it.
type flow struct {
	src, dst netip.AddrPort
	next     uint32
	tag      uint32 // of SCTP: tells associations apart
}

// Flows are those of one file. The oldest gives way.
type Flows []flow

func (f *Flows) of(src, dst netip.AddrPort) *flow {
	for i := range *f {
		if x := &(*f)[i]; x.src == src && x.dst == dst {
			return x
		}
	}
	if len(*f) >= maxFlows {
		*f = append((*f)[:0], (*f)[1:]...)
	}
	*f = append(*f, flow{src, dst, 1, uint32(len(*f)) + 1})
	return &(*f)[len(*f)-1]
}

// AppendFrames copies a message to dst as the frames of a capture file that would
// have carried it: one UDP datagram, one SCTP packet, or TCP segments whose numbers
// follow those before them. Addresses, ports and time are the message's; what was
// around it (link, VLAN, tunnel, HEP, WebSocket) is not there any more. A message that the capture has only
// in part, or that is longer than a datagram can be, becomes a frame that was cut.
func AppendFrames(dst []byte, r Record, f *Flows) []byte {
	m := message{time: r.Time(), src: r.Src(), dst: r.Dst(), payload: r.Payload()}
	if r.Has(Cut) {
		m.missing = max(r.missing(), 1)
	}
	return m.frames(dst, r.Transport(), f)
}

// A Mask makes messages unreadable; package privacy has one.
type Mask interface {
	// Addr masks the address of a packet.
	Addr(a netip.Addr) netip.Addr
	// AppendCallID appends the masked Call-ID to dst, never nothing.
	AppendCallID(dst, id []byte) []byte
	// AppendMessage appends the masked message to dst, whole; cut says that its own end
	// is missing.
	AppendMessage(dst, message []byte, cut bool) []byte
	// Label says what is masked, and how.
	Label() *event.Label
}

// Writer makes the frames of messages, masked where By is not nil. It is for one
// goroutine.
type Writer struct {
	By      Mask
	scratch []byte
}

// AppendFrames is the function of that name, of the masked message with its masked
// addresses. It keeps nothing of r.
func (w *Writer) AppendFrames(dst []byte, r Record, f *Flows) []byte {
	if w.By == nil {
		return AppendFrames(dst, r, f)
	}
	w.scratch = w.By.AppendMessage(w.scratch[:0], r.Payload(), r.Has(Cut))
	m := message{time: r.Time(), src: masked(w.By, r.Src()), dst: masked(w.By, r.Dst()), payload: w.scratch}
	return m.frames(dst, r.Transport(), f)
}

func masked(by Mask, a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(by.Addr(a.Addr()), a.Port())
}

// frames makes them as the transport has them.
func (m *message) frames(dst []byte, carrier packet.Transport, f *Flows) []byte {
	switch carrier {
	case packet.UDP, packet.TransportNone:
		return m.udp(dst)
	case packet.SCTP:
		return m.sctp(dst, f)
	}
	return m.tcp(dst, f)
}

// A message is what a frame is made of.
type message struct {
	time     int64
	src, dst netip.AddrPort
	payload  []byte
	missing  int // bytes behind payload
}

// open begins a frame whose transport header has head bytes and tail bytes of
// padding: the record header, and the IP header. It cuts the payload where an IP
// length can not say it. It gives the place of the transport header, and the length
// that it should state.
func (m *message) open(dst []byte, proto byte, head, tail int) (b []byte, at, length int) {
	four := m.src.Addr().Is4() && m.dst.Addr().Is4()
	ip, most := 40, maxIP
	if four {
		ip, most = 20, maxIP-20
	}
	whole := head + len(m.payload) + m.missing + tail
	length = min(whole, most)
	if kept := most - head - tail - 1; len(m.payload) > kept+1 {
		m.payload = m.payload[:kept]
		m.missing = whole - head - kept - tail
	}
	b = appendRecord(dst, m.time, ip+head+len(m.payload)+tail, ip+whole)
	start := len(b)
	if four {
		src, dst := m.src.Addr().As4(), m.dst.Addr().As4()
		b = append(b, 0x45, 0, byte((20+length)>>8), byte(20+length), 0, 0, 0x40, 0, 64, proto, 0, 0) // don't fragment
		b = append(append(b, src[:]...), dst[:]...)
		binary.BigEndian.PutUint16(b[start+10:], fold(sum(0, b[start:])))
	} else {
		src, dst := m.src.Addr().As16(), m.dst.Addr().As16()
		b = append(b, 0x60, 0, 0, 0, byte(length>>8), byte(length), proto, 64)
		b = append(append(b, src[:]...), dst[:]...)
	}
	at = len(b)
	b = binary.BigEndian.AppendUint16(b, m.src.Port())
	return binary.BigEndian.AppendUint16(b, m.dst.Port()), at, length
}

// appendRecord copies a record header: time, captured and real length.
func appendRecord(dst []byte, at int64, captured, wire int) []byte {
	le := binary.LittleEndian
	at = min(max(at, 0), math.MaxUint32*1e9)
	dst = le.AppendUint32(dst, uint32(at/1e9))
	dst = le.AppendUint32(dst, uint32(at%1e9))
	dst = le.AppendUint32(dst, uint32(captured))
	return le.AppendUint32(dst, uint32(wire))
}

// udp is RFC 768.
func (m *message) udp(dst []byte) []byte {
	b, at, length := m.open(dst, 17, 8, 0)
	b = append(b, byte(length>>8), byte(length), 0, 0)
	b = append(b, m.payload...)
	check := m.checksum(17, b[at:])
	if check == 0 {
		check = 0xffff // 0 means that there is none
	}
	if m.missing > 0 {
		check = 0
	}
	binary.BigEndian.PutUint16(b[at+6:], check)
	return b
}

// tcp is RFC 9293 §3.1.
func (m *message) tcp(dst []byte, f *Flows) []byte {
	ack := f.of(m.dst, m.src).next
	way := f.of(m.src, m.dst)
	all, missing := m.payload, m.missing
	for first := true; first || len(all) > 0; first = false {
		n := min(len(all), maxSegment)
		m.payload, m.missing = all[:n], 0
		if all = all[n:]; len(all) == 0 {
			m.missing = min(missing, maxSegment-1)
		}
		b, at, _ := m.open(dst, 6, 20, 0)
		b = binary.BigEndian.AppendUint32(b, way.next)
		b = binary.BigEndian.AppendUint32(b, ack)
		b = append(b, 5<<4, byte(packet.PSH|packet.ACK), 0xff, 0xff, 0, 0, 0, 0)
		b = append(b, m.payload...)
		if m.missing == 0 {
			binary.BigEndian.PutUint16(b[at+16:], m.checksum(6, b[at:]))
		}
		way.next += uint32(n + m.missing)
		dst = b
	}
	return dst
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sctp is RFC 9260 §3: a packet with one DATA chunk (§3.3.1) that holds all of the
// message.
func (m *message) sctp(dst []byte, f *Flows) []byte {
	way := f.of(m.src, m.dst)
	const head = 12 + 16
	padding := -len(m.payload) & 3
	if m.missing > 0 {
		padding = 0
	}
	b, at, length := m.open(dst, 132, head, padding)
	b = binary.BigEndian.AppendUint32(b, way.tag)
	b = append(b, 0, 0, 0, 0) // checksum
	chunk := min(length-12-padding, maxIP)
	b = append(b, 0, 3, byte(chunk>>8), byte(chunk)) // DATA, beginning and end
	b = binary.BigEndian.AppendUint32(b, way.next)
	b = append(b, 0, 0, byte(way.next>>8), byte(way.next), 0, 0, 0, 0) // stream, its sequence number, protocol
	b = append(b, m.payload...)
	b = append(b, 0, 0, 0)[:len(b)+padding]
	binary.LittleEndian.PutUint32(b[at+8:], crc32.Checksum(b[at:], castagnoli)) // appendix A
	way.next++
	return b
}

// checksum is that of UDP and TCP, over the pseudo header too (RFC 8200 §8.1, RFC
// 9293 §3.1).
func (m *message) checksum(proto byte, b []byte) uint16 {
	s := uint32(proto) + uint32(len(b))
	src, dst := m.src.Addr().As16(), m.dst.Addr().As16()
	if m.src.Addr().Is4() && m.dst.Addr().Is4() {
		return fold(sum(sum(sum(s, src[12:]), dst[12:]), b))
	}
	return fold(sum(sum(sum(s, src[:]), dst[:]), b))
}

// sum adds b to a ones' complement sum, RFC 1071. 64 KiB of it stay below 2^32.
func sum(s uint32, b []byte) uint32 {
	for ; len(b) > 1; b = b[2:] {
		s += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	return s
}

func fold(s uint32) uint16 {
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return ^uint16(s)
}
