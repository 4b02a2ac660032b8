package packet

import (
	"math/bits"

	"github.com/sipcmbeat/sipcmbeat/internal/codec"
)

// What a Decoder remembers from one frame to the next, for a capture that is cut in two:
// the fragments of datagrams that are not whole, those that are done, and what ESP was
// like.

// Walk writes it, or makes a Decoder that has seen no frame go on from there.
func (d *Decoder) Walk(c *codec.Codec) {
	d.walkSecurities(c)
	a := &d.frags
	a.walkList(c, heldList, a.held)
	a.walkList(c, doneList, a.done)
}

func (d *Decoder) walkSecurities(c *codec.Codec) {
	n := 0
	for i := range d.security {
		if d.security[i].next != 0 {
			n++
		}
	}
	codec.UpTo(c, &n, securities)
	for i := 0; n > 0 && i < securities; i++ {
		if s := &d.security[i]; c.Reading || s.next != 0 {
			n--
			codec.UpTo(c, &i, securities-1)
			s = &d.security[i]
			codec.Whole(c, &s.key)
			codec.UpTo(c, &s.shape, uint8(len(shapes)-1))
			codec.Whole(c, &s.next)
		}
	}
}

// walkList walks the datagrams of a list, the oldest first.
func (a *assembly) walkList(c *codec.Codec, list int32, n int) {
	codec.UpTo(c, &n, 1<<24)
	at := a.datagrams[list].newer
	for ; n > 0 && !c.Bad; n-- {
		var g datagram
		if !c.Reading {
			g = a.datagrams[at]
			at = g.newer
		}
		g.walk(c)
		if !c.Reading {
			a.walkPages(c, &g)
			continue
		}
		if (g.state == held) != (list == heldList) {
			c.Fail()
			return
		}
		i, made := a.open(&g.key, g.start)
		made.proto, made.total, made.end = g.proto, g.total, g.end
		a.readPages(c, i)
		if g.state != held {
			a.close(i, g.state, g.start)
		}
	}
}

func (g *datagram) walk(c *codec.Codec) {
	k := &g.key
	for i := range k.src {
		codec.Whole(c, &k.src[i])
		codec.Whole(c, &k.dst[i])
	}
	codec.Whole(c, &k.id)
	codec.Whole(c, &k.path)
	codec.Whole(c, &k.proto)
	c.Flags(&k.six)
	codec.UpTo(c, &g.state, refused)
	codec.Whole(c, &g.proto)
	codec.Whole(c, &g.start)
	codec.Whole(c, &g.total)
	codec.UpTo(c, &g.end, maxDatagram)
	if g.total < -1 || g.total > maxDatagram {
		c.Fail()
	}
}

// walkPages writes what there is of a datagram: for each page its number + 1, which units
// are there, and the bytes; 0 behind the last.
func (a *assembly) walkPages(c *codec.Codec, g *datagram) {
	for n, p := range g.pages {
		if p == 0 {
			continue
		}
		n++
		codec.Whole(c, &n)
		for i := range a.have[p-1] {
			c.Hash(&a.have[p-1][i])
		}
		b := a.bytes(p - 1)
		c.Bytes(&b, pageSize)
	}
	end := 0
	codec.Whole(c, &end)
}

// readPages reads them. What is there is within the datagram, so that as many units as
// it has are all of it.
func (a *assembly) readPages(c *codec.Codec, i int32) {
	for n := 0; ; {
		if codec.UpTo(c, &n, slabPages); n == 0 || c.Bad {
			return
		}
		if a.datagrams[i].pages[n-1] != 0 {
			c.Fail()
			return
		}
		p := a.page(i, n-1)
		b := a.bytes(p)
		for w := range a.have[p] {
			c.Hash(&a.have[p][w])
			a.datagrams[i].units += bits.OnesCount64(a.have[p][w])
		}
		if c.Bytes(&b, pageSize); len(b) != pageSize || a.beyond(i, n-1, p) {
			c.Fail()
			return
		}
	}
}

// beyond reports whether a page has units behind the end of its datagram.
func (a *assembly) beyond(i int32, number int, p int32) bool {
	total := a.datagrams[i].total
	if total < 0 {
		total = maxDatagram
	}
	units := (total+7)/8 - number*pageUnits // that there may be in this page
	for u := max(units, 0); u < pageUnits; u++ {
		if a.have[p][u/64]>>(u%64)&1 == 1 {
			return true
		}
	}
	return false
}

// maxKept bounds the names in a HEP packet that are kept, in bytes.
const maxKept = 1 << 16

// Walk writes a Packet but for its payload, or reads one, which owns what it has.
func (p *Packet) Walk(c *codec.Codec) {
	codec.Whole(c, &p.Time)
	codec.Whole(c, &p.Source)
	codec.Whole(c, &p.Iface)
	c.AddrPort(&p.Src)
	c.AddrPort(&p.Dst)
	codec.UpTo(c, &p.Transport, SCTP)
	codec.Whole(c, &p.Seq)
	codec.Whole(c, &p.Ack)
	codec.Whole(c, &p.Flags)
	codec.UpTo(c, &p.Missing, 1<<30)
	c.Flags(&p.Cut, &p.Whole, &p.WebSocket, &p.Fragmented, &p.HasMAC, &p.told)
	codec.Whole(c, &p.IPID)
	codec.Whole(c, &p.tunnel)
	walkFew(c, &p.VLANs, maxVLANs, 1<<16-1)
	walkFew(c, &p.Encap, maxLayers, Layer(NumLayers))
	c.Addr(&p.OuterSrc)
	c.Addr(&p.OuterDst)
	for i := range p.SrcMAC {
		codec.Whole(c, &p.SrcMAC[i])
		codec.Whole(c, &p.DstMAC[i])
	}
	h := &p.HEP
	codec.Whole(c, &h.Version)
	codec.Whole(c, &h.Type)
	codec.Whole(c, &h.Vendor)
	codec.Whole(c, &h.CaptureID)
	c.Bytes(&h.Node, maxKept)
	c.Bytes(&h.CorrelationID, maxKept)
	c.Flags(&h.Received)
}

// maxLayers is how many layers a Packet may have come through.
const maxLayers = 64

func walkFew[T codec.Integer](c *codec.Codec, list *[]T, most int, greatest T) {
	n := len(*list)
	if codec.UpTo(c, &n, most); c.Reading {
		*list = make([]T, n)
	}
	for i := range *list {
		codec.UpTo(c, &(*list)[i], greatest)
	}
}
