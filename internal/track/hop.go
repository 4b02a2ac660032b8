package track

import (
	"net/netip"
)

// maxHops bounds the hops of one transaction that are told apart.
const maxHops = 16

// hop is a request on its way between two addresses (events.md, Identity): the
// same request on another pair of addresses, with another top Via branch, is
// another hop of the same transaction.
type hop struct {
	src, dst netip.AddrPort
	branch   uint64
	vias     uint16
	asked    bool   // the request itself was seen on it
	code     uint16 // last final from the address that was asked; 0 none
	strange  uint16 // last final from another address
	finalAt  int64
	prov     uint16 // last provisional
}

// hops are in the order in which they were first seen.
type hops []hop

// request finds the hop that the request came on, or makes it. again is true
// when it was seen on this hop before: a retransmission.
func (h *hops) request(v *view) (i int, again bool) {
	for i := range *h {
		p := &(*h)[i]
		if v.branch != p.branch || v.vias != p.vias {
			continue
		}
		if p.asked && (p.src == v.p.Src && p.dst == v.p.Dst || v.branch != 0 && p.src.Addr() == v.p.Src.Addr() && p.dst.Addr() == v.p.Dst.Addr()) {
			return i, true
		}
		if !p.asked && (v.branch != 0 || p.dst.Addr() == v.p.Dst.Addr()) { // only its answers were seen so far
			p.src, p.dst, p.asked = v.p.Src, v.p.Dst, true
			return i, false
		}
	}
	if len(*h) == maxHops {
		return -1, false
	}
	*h = append(*h, hop{src: v.p.Src, dst: v.p.Dst, branch: v.branch, vias: v.vias, asked: true})
	return len(*h) - 1, false
}

// answer finds the hop that an answer belongs to (RFC 3261 §17.1.3: by the top
// Via branch; where that names none, by the addresses), or makes one whose
// request was not seen. stranger is true when the answer comes from an address
// that the request was not sent to; mismatch when the branch named no request.
func (h *hops) answer(v *view) (i int, stranger, mismatch bool) {
	best, byBranch := -1, false
	for i := range *h {
		p := &(*h)[i]
		same := p.branch == v.branch && v.branch != 0
		asked := p.dst.Addr() == v.p.Src.Addr()
		switch {
		case same && (asked || !p.asked): // where it was sent is not known without the request
			return i, false, false
		case same && !byBranch:
			best, byBranch = i, true
		case asked && best < 0 && p.src.Addr() == v.p.Dst.Addr() && p.vias == v.vias:
			best = i
		}
	}
	if byBranch {
		return best, true, false
	}
	if best >= 0 {
		return best, false, v.branch != 0
	}
	if len(*h) == maxHops {
		return -1, false, false
	}
	*h = append(*h, hop{src: v.p.Dst, dst: v.p.Src, branch: v.branch, vias: v.vias})
	return len(*h) - 1, false, false
}

// requester is the hop that tells who asked first: the one with the fewest Vias,
// the earliest of them.
func (h hops) requester() int {
	best := 0
	for i := range h {
		if h[i].vias < h[best].vias {
			best = i
		}
	}
	return best
}

// ofRequester reports whether hop i starts at the first requester.
func (h hops) ofRequester(i int) bool {
	if i < 0 || len(h) == 0 {
		return false
	}
	r := &h[h.requester()]
	return h[i].vias == r.vias && h[i].src.Addr() == r.src.Addr()
}

// refused returns the final that the first requester got on his hops, when each
// of them has one: RFC 3261 §16.7 prefers a 6xx, then the lowest class, then the
// earliest. It returns -1 while a branch is open.
func (h hops) refused() int {
	best := -1
	for i := range h {
		if !h.ofRequester(i) {
			continue
		}
		if h[i].code < 300 {
			return -1
		}
		if best < 0 || rank(h[i].code) < rank(h[best].code) {
			best = i
		}
	}
	return best
}

func rank(code uint16) uint16 {
	if code >= 600 {
		return 0
	}
	return code / 100
}

// noted is a final that was seen on a hop where it does not decide, or from a
// stranger: what there is when the timers run out. 0 is none.
func (h hops) noted() (code uint16, at int64) {
	for _, strangers := range []bool{false, true} {
		best := uint16(0)
		for i := range h {
			c := h[i].code
			if strangers {
				c = h[i].strange
			}
			if c >= 300 && (best == 0 || rank(c) < rank(best)) {
				best, at = c, h[i].finalAt
			}
		}
		if best != 0 {
			return best, at
		}
	}
	return 0, 0
}

// strangerOK is a 2xx that only a stranger gave.
func (h hops) strangerOK() (code uint16, at int64) {
	for i := range h {
		if c := h[i].strange; c >= 200 && c < 300 {
			return c, h[i].finalAt
		}
	}
	return 0, 0
}

// redirected reports whether a stranger sent a 3xx.
func (h hops) redirected() bool {
	for i := range h {
		if c := h[i].strange; c >= 300 && c < 400 {
			return true
		}
	}
	return false
}

// branched reports whether a hop has this branch.
func (h hops) branched(branch uint64) bool {
	for i := range h {
		if h[i].branch == branch {
			return true
		}
	}
	return false
}

func (h hops) empty() bool { return len(h) == 0 }

// ringing reports whether a branch is open: a hop without final answer that
// nobody was seen to pass on.
func (h hops) ringing() bool {
	for i := range h {
		if h[i].asked && h[i].code < 200 && !h.passedOn(i) {
			return true
		}
	}
	return false
}

func (h hops) passedOn(i int) bool {
	for j := range h {
		if j != i && h[j].asked && h[j].src.Addr() == h[i].dst.Addr() {
			return true
		}
	}
	return false
}

// branches is the number of addresses that the request was forked to: the hops
// farthest from the caller, where there are several; 0 otherwise.
func (h hops) branches() uint16 {
	far, n := uint16(0), uint16(0)
	for i := range h {
		switch {
		case !h[i].asked:
		case h[i].vias > far:
			far, n = h[i].vias, 1
		case h[i].vias == far:
			n++
		}
	}
	if n < 2 {
		return 0
	}
	return n
}
