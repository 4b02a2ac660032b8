package track

import (
	"net/netip"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// What a call's record takes while nothing needs it.
//
// A call is up for minutes and its record is needed twice, when it starts and when it
// ends. In between the record is packed (event.AppendPacked) into a buffer of its own,
// and what comes meanwhile is counted in the dialog itself. record and look unpack it
// for the rest of the call of See, Advance, Flush, Unusable or Report; rest packs what
// was changed again.

// kept is a record that is packed while nobody looks at it.
type kept struct {
	rec     *event.Event // nil while it is packed
	cold    []byte       // the packed record, owned; nil while there is none
	from    *origin
	legs    [6]uint32 // hashes of the addresses in it
	numLegs uint8     // beyond len(legs) they are not all there
	changed bool      // rec is newer than cold
}

// origin is where packets come from.
type origin struct{ capture, iface string }

// record is d's record, to be read and changed until the end of this call, or until d
// is over.
func (t *Tracker) record(d *dialog) *event.Event {
	e := t.look(d)
	d.changed = true
	return e
}

// look is d's record, to be read only.
func (t *Tracker) look(d *dialog) *event.Event {
	if d.rec != nil {
		return d.rec
	}
	d.rec = take(&t.pools.records)
	if d.cold == nil {
		d.rec.Reset()
	} else {
		d.rec.Unpack(d.cold)
	}
	if d.from != nil {
		d.rec.Capture, d.rec.Iface = d.from.capture, d.from.iface
	}
	t.warm = append(t.warm, d)
	return d.rec
}

// rest ends a call: it packs the records that were looked at, and forgets those of
// completed transactions.
func (t *Tracker) rest() {
	for i, d := range t.warm {
		if d.rec != nil {
			t.pack(d)
		}
		t.warm[i] = nil
	}
	t.warm = t.warm[:0]
	if len(t.over) > 0 {
		t.forgetRecords()
	}
}

// pack lets go of a record, and keeps it in few bytes where it was changed.
func (t *Tracker) pack(d *dialog) {
	if d.changed {
		t.packed = d.rec.AppendPacked(t.packed[:0])
		t.keepCold(d, t.packed)
		d.from = t.originOf(d.rec)
		d.by = d.rec.CorrelatedBy
		t.noteLegs(d)
	}
	t.letGo(d)
}

// letGo gives the unpacked record back.
func (t *Tracker) letGo(d *dialog) {
	if d.rec != nil {
		d.rec.Trim(usualRecord)
		give(&t.pools.records, d.rec)
		d.rec, d.changed = nil, false
	}
}

// dropRecord forgets a record that nothing needs any more.
func (t *Tracker) dropRecord(d *dialog) {
	t.letGo(d)
	t.keepCold(d, nil)
	d.from, d.numLegs = nil, 0
}

// keepCold copies b into a buffer of d's own.
func (t *Tracker) keepCold(d *dialog, b []byte) {
	if steps(len(b)) != steps(cap(d.cold)) {
		t.calls.bytes += int64(coldStep * (steps(len(b)) - steps(cap(d.cold))))
		t.pools.giveCold(d.cold)
		d.cold = t.pools.takeCold(len(b))
	}
	d.cold = append(d.cold[:0], b...)
}

// Buffers for packed records come in multiples of coldStep bytes, so that those of
// calls that are over fit the next; what is longer than usual is not kept.
const (
	coldStep  = 64
	coldSteps = usualRecord / coldStep
)

func steps(n int) int { return (n + coldStep - 1) / coldStep }

func (p *pools) takeCold(n int) []byte {
	s := steps(n)
	if s == 0 {
		return nil
	}
	if s <= coldSteps {
		if free := p.cold[s-1]; len(free) > 0 {
			b := free[len(free)-1]
			free[len(free)-1] = nil
			p.cold[s-1] = free[:len(free)-1]
			return b
		}
	}
	return make([]byte, 0, s*coldStep)
}

func (p *pools) giveCold(b []byte) {
	if s := steps(cap(b)); s > 0 && s <= coldSteps && len(p.cold[s-1]) < maxPool/coldSteps {
		p.cold[s-1] = append(p.cold[s-1], b[:0])
	}
}

// originOf is where e's packet came from, one for all records of the same; nil where
// that has no name. Of many, those of late are shared.
func (t *Tracker) originOf(e *event.Event) *origin {
	if e.Capture == "" && e.Iface == "" {
		return nil
	}
	for _, s := range t.origins {
		if s != nil && s.capture == e.Capture && s.iface == e.Iface {
			return s
		}
	}
	s := &origin{e.Capture, e.Iface}
	t.origins[t.nextOrigin%len(t.origins)] = s
	t.nextOrigin++
	return s
}

// noteLegs notes which addresses d's record has.
func (t *Tracker) noteLegs(d *dialog) {
	d.numLegs = 0
	list := d.rec.Legs
	for b, ok := d.rec.Next(&list); ok; b, ok = d.rec.Next(&list) {
		if a, ok := netip.AddrFromSlice(b); ok && int(d.numLegs) < len(d.legs) {
			d.legs[d.numLegs] = t.hashAddr(a)
		}
		d.numLegs++
	}
}

// isLeg reports whether a message of d came from or went to a.
func (t *Tracker) isLeg(d *dialog, a netip.Addr) bool {
	if d.rec != nil {
		return d.rec.HasAddr(d.rec.Legs, a)
	}
	h := t.hashAddr(a)
	for i := range d.legs[:min(int(d.numLegs), len(d.legs))] {
		if d.legs[i] == h {
			return true
		}
	}
	return int(d.numLegs) > len(d.legs) && t.look(d).HasAddr(d.rec.Legs, a)
}

// addLeg adds an address to the legs of d, once.
func (t *Tracker) addLeg(d *dialog, a netip.Addr) {
	if !t.isLeg(d, a) {
		t.record(d).AddLeg(a)
	}
}

// hashAddr tells addresses apart; the hash is seeded, so that nobody outside can aim.
func (t *Tracker) hashAddr(a netip.Addr) uint32 {
	b := a.As16()
	return uint32(t.hash(b[:]) >> 32)
}
