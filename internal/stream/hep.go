package stream

import "encoding/binary"

// HEP over TCP: packets of HEP version 3 one behind the other, each with its length
// in front. What is in them is for internal/hep.

// hepHeader is the length of the magic number and the length field.
const hepHeader = 6

// isHEP tells whether d begins with the magic number of HEP version 3, by its name
// or by the older one, or with a part of it.
func isHEP(d []byte) bool {
	n := min(len(d), 4)
	return n > 0 && (string(d[:n]) == "HEP3"[:n] || string(d[:n]) == "EEP3"[:n])
}

// startsHEP tells whether d begins with the magic number, a length and a first chunk
// that fits in.
func startsHEP(d []byte) bool {
	const chunk = 6 // vendor, type, length
	if len(d) < hepHeader+chunk || !isHEP(d) {
		return false
	}
	total, first := int(binary.BigEndian.Uint16(d[4:])), int(binary.BigEndian.Uint16(d[10:]))
	return first >= chunk && hepHeader+first <= total
}

// capsule gives the next packet of HEP.
func (a *Assembler) capsule(u *Unit, d []byte) (made, again bool) {
	h := a.half
	if len(d) < hepHeader {
		if isHEP(d) {
			return false, a.more(hepHeader - len(d))
		}
		a.stats.Resyncs++
		h.lookForStart(false)
		return false, true
	}
	n := int(binary.BigEndian.Uint16(d[4:]))
	switch {
	case !isHEP(d) || n < hepHeader:
		a.stats.Resyncs++
		h.lookForStart(false)
		return false, true
	case n > a.cfg.MaxMessage: // less than the 65535 that the length can say
		h.passBody(n)
		return false, true
	case len(d) < n:
		h.need = int32(n)
		return false, a.more(n - len(d))
	}
	h.passBody(0)
	a.give(u, HEP, Whole, n)
	return true, false
}

// searchHEP looks for the next packet. It reports whether to go on.
func (a *Assembler) searchHEP(d []byte) bool {
	for at := range d {
		switch rest := d[at:]; {
		case !isHEP(rest):
		case len(rest) < hepHeader+6:
			if at > 0 {
				a.pass(at, &a.stats.Skipped)
				return true
			}
			return a.more(0)
		case startsHEP(rest):
			a.pass(at, &a.stats.Skipped)
			a.half.passBody(0)
			return true
		}
	}
	a.pass(len(d), &a.stats.Skipped)
	return true
}
