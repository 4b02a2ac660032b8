package hep

import (
	"encoding/binary"
	"math"
	"net/netip"
)

// MaxSize is the length of the longest packet, in bytes.
const MaxSize = 65535

// A Message is what Append puts into a packet. It borrows its bytes.
type Message struct {
	Version   uint8 // 1, 2 or 3
	Protocol  uint8 // IP protocol; 22 for TLS and WebSocket
	Type      uint8 // of the payload; versions 1 and 2 carry nothing but TypeSIP
	Src, Dst  netip.AddrPort
	Time      int64  // Unix time in nanoseconds, from 0; sent in microseconds
	CaptureID uint32 // version 2 sends the lower 16 bits

	// Version 3 alone; an empty one is left out.
	Node, CorrelationID, Key []byte

	Payload    []byte
	Compressed bool // Payload is compressed; version 3 alone
}

// Append writes the packet to the end of dst, in the layout and the order of chunks
// that Kamailio sends. ok is false, and dst as it was, where it cannot be written:
// addresses of two families or none, more than MaxSize bytes, a version other than
// 1 to 3, or a time that 32 bits of
// seconds don't hold.
func (m *Message) Append(dst []byte) (b []byte, ok bool) {
	src, dest := m.Src.Addr(), m.Dst.Addr()
	if !src.IsValid() || src.Is4() != dest.Is4() || !dest.IsValid() || m.Time < 0 || m.Time/1e9 > math.MaxUint32 || len(m.Payload) > MaxSize {
		return dst, false
	}
	switch m.Version {
	case 1, 2:
		b = m.appendFixed(dst)
	case 3:
		b = m.appendChunks(dst)
	default:
		return dst, false
	}
	if len(b)-len(dst) > MaxSize {
		return dst, false
	}
	return b, true
}

// The address families as Linux numbers them, which is what receivers expect.
const (
	family4 = 2
	family6 = 10
)

func (m *Message) appendFixed(b []byte) []byte {
	if m.Src.Addr().Is4() {
		b = append(b, m.Version, base4, family4, m.Protocol)
	} else {
		b = append(b, m.Version, base6, family6, m.Protocol)
	}
	b = binary.BigEndian.AppendUint16(b, m.Src.Port())
	b = binary.BigEndian.AppendUint16(b, m.Dst.Port())
	b = appendAddr(b, m.Src.Addr())
	b = appendAddr(b, m.Dst.Addr())
	if m.Version == 2 {
		b = binary.LittleEndian.AppendUint32(b, uint32(m.Time/1e9))
		b = binary.LittleEndian.AppendUint32(b, uint32(m.Time%1e9/1e3))
		b = binary.LittleEndian.AppendUint16(b, uint16(m.CaptureID))
		b = append(b, 0, 0)
	}
	return append(b, m.Payload...)
}

func (m *Message) appendChunks(b []byte) []byte {
	at := len(b)
	b = append(b, "HEP3\x00\x00"...)
	family, src, dst := byte(family4), uint16(chunkSrc4), uint16(chunkDst4)
	if !m.Src.Addr().Is4() {
		family, src, dst = family6, chunkSrc6, chunkDst6
	}
	b = append(chunkHead(b, chunkFamily, 1), family)
	b = append(chunkHead(b, chunkProtocol, 1), m.Protocol)
	b = appendAddr(chunkHead(b, src, m.Src.Addr().BitLen()/8), m.Src.Addr())
	b = appendAddr(chunkHead(b, dst, m.Dst.Addr().BitLen()/8), m.Dst.Addr())
	b = binary.BigEndian.AppendUint16(chunkHead(b, chunkSrcPort, 2), m.Src.Port())
	b = binary.BigEndian.AppendUint16(chunkHead(b, chunkDstPort, 2), m.Dst.Port())
	b = binary.BigEndian.AppendUint32(chunkHead(b, chunkSeconds, 4), uint32(m.Time/1e9))
	b = binary.BigEndian.AppendUint32(chunkHead(b, chunkMicros, 4), uint32(m.Time%1e9/1e3))
	b = append(chunkHead(b, chunkType, 1), m.Type)
	b = binary.BigEndian.AppendUint32(chunkHead(b, chunkCaptureID, 4), m.CaptureID)
	payload := uint16(chunkPayload)
	if m.Compressed {
		payload = chunkCompressed
	}
	for _, c := range [...]struct {
		kind  uint16
		value []byte
	}{{chunkNode, m.Node}, {chunkCorrelation, m.CorrelationID}, {chunkKey, m.Key}, {payload, m.Payload}} {
		if len(c.value) > 0 {
			b = append(chunkHead(b, c.kind, len(c.value)), c.value...)
		}
	}
	binary.BigEndian.PutUint16(b[at+4:], uint16(len(b)-at)) // of one that is too long Append makes nothing
	return b
}

// chunkHead writes the header of a chunk of vendor 0 with a value of n bytes.
func chunkHead(b []byte, kind uint16, n int) []byte {
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint16(b, kind)
	return binary.BigEndian.AppendUint16(b, uint16(n+chunkHeader))
}

// appendAddr writes the 4 or 16 bytes of an address.
func appendAddr(b []byte, a netip.Addr) []byte {
	if a.Is4() {
		v := a.As4()
		return append(b, v[:]...)
	}
	v := a.As16()
	return append(b, v[:]...)
}
