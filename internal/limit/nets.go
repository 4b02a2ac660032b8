package limit

import (
	"cmp"
	"net/netip"
	"slices"
)

// nets finds the longest network that an address is in. A look costs one for each
// length of networks in it, whatever their number.
type nets[T any] struct {
	of     map[netip.Prefix]T
	v4, v6 []length // the longest first
}

// length is how many networks have so many bits.
type length struct{ bits, n int }

func (n *nets[T]) lengths(p netip.Prefix) *[]length {
	if p.Addr().Is4() {
		return &n.v4
	}
	return &n.v6
}

// add takes a network, which is masked and not in it.
func (n *nets[T]) add(p netip.Prefix, v T) {
	if n.of == nil {
		n.of = make(map[netip.Prefix]T)
	}
	n.of[p] = v
	ls := n.lengths(p)
	i, ok := slices.BinarySearchFunc(*ls, p.Bits(), func(l length, bits int) int { return cmp.Compare(bits, l.bits) })
	if !ok {
		*ls = slices.Insert(*ls, i, length{bits: p.Bits()})
	}
	(*ls)[i].n++
}

// remove takes a network out that is in it.
func (n *nets[T]) remove(p netip.Prefix) {
	delete(n.of, p)
	ls := n.lengths(p)
	i := slices.IndexFunc(*ls, func(l length) bool { return l.bits == p.Bits() })
	if (*ls)[i].n--; (*ls)[i].n == 0 {
		*ls = slices.Delete(*ls, i, i+1)
	}
}

// covers tells whether a network, which is masked, is in one of these whole.
func (n *nets[T]) covers(p netip.Prefix) bool {
	ls := n.v6
	if p.Addr().Is4() {
		ls = n.v4
	}
	for _, l := range ls {
		if wider, err := p.Addr().Prefix(l.bits); l.bits <= p.Bits() && err == nil {
			if _, ok := n.of[wider]; ok {
				return true
			}
		}
	}
	return false
}

// find looks an address up that has no zone and is not an IPv4 one written as IPv6.
func (n *nets[T]) find(a netip.Addr) (v T, ok bool) {
	ls := n.v6
	if a.Is4() {
		ls = n.v4
	}
	for _, l := range ls {
		p, _ := a.Prefix(l.bits)
		if v, ok = n.of[p]; ok {
			return v, true
		}
	}
	return v, false
}
