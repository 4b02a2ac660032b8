package relay

import (
	"encoding/binary"
	"net/netip"

	"github.com/sipcmbeat/sipcmbeat/internal/hep"
)

// masker masks the finished packets of a ring, for one worker.
type masker struct {
	now     func() Mask // Config.Mask
	own     string      // Config.Node, which stays
	by      Mask
	packet  hep.Packet
	payload []byte
	id      []byte
	node    []byte
	out     []byte
}

// mask gives a packet as it leaves; false when there is none that can. What it gives is
// b, or good until the next call.
func (k *masker) mask(b []byte) ([]byte, bool) {
	if k.now == nil {
		return b, true
	}
	if k.by = k.now(); k.by == nil {
		return b, true
	}
	p := &k.packet
	if hep.Decode(b, p, sentAt(b)) != hep.OK {
		return nil, false
	}
	k.payload = k.by.AppendMessage(k.payload[:0], p.Payload(), false)
	m := hep.Message{
		Version: p.Version, Protocol: p.Protocol, Type: p.Type, Src: k.end(p.Src), Dst: k.end(p.Dst), Time: p.Time,
		CaptureID: p.CaptureID, Node: p.Node(), Key: p.Key(), Payload: k.payload,
	}
	if id := p.CorrelationID(); len(id) > 0 {
		k.id = k.by.AppendCallID(k.id[:0], id)
		m.CorrelationID = k.id
	}
	if string(m.Node) != k.own {
		k.node = k.by.AppendNode(k.node[:0], m.Node)
		m.Node = k.node
	}
	var ok bool
	k.out, ok = m.Append(k.out[:0])
	return k.out, ok
}

// sentAt is the time of a packet of version 2 that this program made, by which Decode
// knows the order of its bytes.
func sentAt(b []byte) int64 {
	if len(b) < 2 || b[0] != 2 || len(b) < int(b[1])+4 {
		return 0
	}
	return int64(binary.LittleEndian.Uint32(b[b[1]:])) * 1e9
}

func (k *masker) end(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(k.by.Addr(a.Addr()), a.Port())
}
