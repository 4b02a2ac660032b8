package engine

import (
	"encoding/binary"

	"github.com/sipcmbeat/sipcmbeat/internal/codec"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/siphash"
)

// dedup recognises mirror duplicates: the same message, taken a second time at
// another interface, VLAN or tunnel, or by HEP, within the window. One that comes
// again by the same way is a retransmission, which the tracker counts. Where both
// copies tell their IP identification, it alone decides: no host uses one twice so
// soon, and a mirror that copies both directions of a port delivers every packet twice
// on one interface. A HEP sender, a stream and most of IPv6 have none to tell.
//
// The table has a fixed size, two places a row, the older one overwritten: where
// traffic is so dense that a datagram is pushed out before its copy comes, the
// copy is taken for another hop or a retransmission, which makes no event either.
type dedup struct {
	window int64 // ns; 0 is off
	seed   siphash.Key
	rows   [dedupRows][2]sighting
}

func newDedup(window int64) *dedup { return &dedup{window: window, seed: siphash.NewKey()} }

const dedupRows = 1 << 13

type sighting struct {
	hash uint64
	time int64
	path uint32
	ipid uint32 // 0: not known
}

// sum is the datagram's hash. It reads nothing that changes, so lanes call it
// without the lock.
func (d *dedup) sum(p *packet.Packet, key *[36]byte) uint64 {
	if d.window == 0 {
		return 0
	}
	src, dst := p.Src.Addr().As16(), p.Dst.Addr().As16()
	k := append(append(key[:0], src[:]...), dst[:]...)
	k = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(k, p.Src.Port()), p.Dst.Port())
	return d.seed.Sum(p.Payload) ^ d.seed.Sum(k)
}

// again tells whether the datagram with this hash is a mirror duplicate.
func (d *dedup) again(p *packet.Packet, h uint64) bool {
	if d.window == 0 {
		return false
	}
	path := p.PathHash()
	row := &d.rows[h%dedupRows]
	for i := range row {
		s := &row[i]
		if s.hash != h || s.time == 0 || p.Time-s.time > d.window || s.time-p.Time > d.window {
			continue
		}
		same := s.path != path
		if s.ipid != 0 && p.IPID != 0 {
			same = s.ipid == p.IPID
		}
		if same {
			s.ipid = max(s.ipid, p.IPID)
			return true
		}
	}
	older := &row[0]
	if row[1].time < row[0].time {
		older = &row[1]
	}
	*older = sighting{hash: h, time: p.Time, path: path, ipid: p.IPID}
	return false
}

// walk walks what was seen within the window before now.
func (d *dedup) walk(c *codec.Codec, now int64) {
	c.Hashes(&d.seed[0], &d.seed[1])
	fresh := func(s *sighting) bool { return s.time != 0 && s.time >= now-d.window }
	n := 0
	for i := range d.rows {
		for j := range d.rows[i] {
			if fresh(&d.rows[i][j]) {
				n++
			}
		}
	}
	codec.UpTo(c, &n, 2*dedupRows)
	if c.Reading {
		for ; n > 0 && !c.Bad; n-- {
			d.read(c)
		}
		return
	}
	for i := range d.rows {
		for j := range d.rows[i] {
			if s := &d.rows[i][j]; fresh(s) {
				s.walk(c, &j)
			}
		}
	}
}

func (d *dedup) read(c *codec.Codec) {
	var s sighting
	var place int
	s.walk(c, &place)
	d.rows[s.hash%dedupRows][place] = s
}

// walk walks one datagram, and which of the two of its row it is.
func (s *sighting) walk(c *codec.Codec, place *int) {
	codec.UpTo(c, place, len(dedup{}.rows[0])-1)
	c.Hash(&s.hash)
	codec.Whole(c, &s.time)
	codec.Whole(c, &s.path)
	codec.Whole(c, &s.ipid)
}
