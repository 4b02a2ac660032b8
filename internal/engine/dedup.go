package engine

import (
	"encoding/binary"
	"hash/maphash"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// dedup recognises mirror duplicates: the same datagram, taken a second time at
// another interface, VLAN or tunnel within the window. One that comes again by the
// same way is a retransmission, which the tracker counts; but not one with the same
// IP identification, which no host uses twice so soon: a mirror that copies both
// directions of a port delivers every packet twice on one interface.
//
// The table has a fixed size, two places a row, the older one overwritten: where
// traffic is so dense that a datagram is pushed out before its copy comes, the
// copy is taken for another hop or a retransmission, which makes no event either.
type dedup struct {
	window int64 // ns; 0 is off
	seed   maphash.Seed
	ready  bool
	key    [40]byte
	rows   [dedupRows][2]sighting
}

const dedupRows = 1 << 13

type sighting struct {
	hash uint64
	time int64
	path uint32
}

func (d *dedup) again(p *packet.Packet) bool {
	if d.window == 0 {
		return false
	}
	if !d.ready {
		d.seed, d.ready = maphash.MakeSeed(), true
	}
	h := maphash.Bytes(d.seed, p.Payload)
	src, dst := p.Src.Addr().As16(), p.Dst.Addr().As16()
	key := append(append(d.key[:0], src[:]...), dst[:]...)
	key = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(key, p.Src.Port()), p.Dst.Port())
	h ^= maphash.Bytes(d.seed, binary.BigEndian.AppendUint32(key, p.IPID))
	path := p.PathHash()
	row := &d.rows[h%dedupRows]
	for i := range row {
		s := &row[i]
		if s.hash == h && s.time != 0 && p.Time-s.time <= d.window && s.time-p.Time <= d.window {
			return s.path != path || p.IPID != 0
		}
	}
	older := &row[0]
	if row[1].time < row[0].time {
		older = &row[1]
	}
	*older = sighting{hash: h, time: p.Time, path: path}
	return false
}
