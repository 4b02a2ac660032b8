package sip

// HostAt is where the host stands in Bytes, brackets included; an empty place for schemes
// without one.
func (u *URI) HostAt() (from, to int) { return bracketed(u.b, u.host) }

// HostAt is where the host of sent-by stands in Bytes, brackets included.
func (v *Via) HostAt() (from, to int) { return bracketed(v.b, v.host) }

func bracketed(b []byte, host span) (from, to int) {
	from, to = int(host.off), int(host.off+host.len)
	if from > 0 && to < len(b) && b[from-1] == '[' && b[to] == ']' {
		from, to = from-1, to+1
	}
	return from, to
}

// URIAt is where the URI stands in Bytes, without angle brackets and the white space in
// them; an empty place where there is none.
func (a *Addr) URIAt() (from, to int) {
	if len(a.uri.b) == 0 {
		return 0, 0
	}
	from = a.uriAt
	return from, from + len(a.uri.b)
}
