package packet

// Inside reports whether b lies in the frame or in a buffer of the decoder's: it is
// a part, not a copy.
func (d *Decoder) Inside(frame, b []byte) bool {
	inside := within(frame, b) || d.HEP.Version == 3 && within(d.hep.Payload(), b)
	for _, buffer := range d.frags.out {
		inside = inside || within(buffer, b)
	}
	if d.HEP.Version == 3 { // compressed
		inside = inside || within(d.hep.Payload(), b)
	}
	return inside
}

func within(a, b []byte) bool {
	if len(b) == 0 {
		return true
	}
	for i := range a {
		if &a[i] == &b[0] {
			return i+len(b) <= len(a)
		}
	}
	return false
}

// Securities is how many security parameters indices are remembered.
const Securities = securities
