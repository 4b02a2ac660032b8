package sip

// param is one parameter of `;name=value`; the spans are in the bytes read.
type param struct {
	name, value span
	assigned    bool // there is an equals sign
	open        bool // the value is a quoted string without end
	odd         bool // empty, without name, or with something behind the value
}

// readParam reads the parameter at b[i:] up to its semicolon and gives the
// offset behind that. White space, folds included, may be around every
// separator; a quoted string is given without its quotes (RFC 3261 §25.1: SEMI,
// EQUAL, generic-param).
func readParam(b []byte, i int) (p param, next int) {
	i = skipLWS(b, i)
	start := i
	for i < len(b) && class[b[i]]&inName != 0 {
		i++
	}
	p.name = mark(start, i)
	p.odd = i == start
	if i < len(b) && b[i] <= ' ' {
		i = skipLWS(b, i)
	}
	if i < len(b) && b[i] == '=' {
		p.assigned = true
		i = skipLWS(b, i+1)
		if i < len(b) && b[i] == '"' {
			end := quoteEnd(b, i)
			if end < 0 {
				p.open = true
				p.value = mark(i+1, len(b))
				return p, len(b)
			}
			p.value = mark(i+1, end-1)
			i = skipLWS(b, end)
		} else {
			end := orEnd(indexByte(b, i, ';'), b)
			p.value = trimMark(b, i, end)
			return p, min(end+1, len(b))
		}
	}
	if i < len(b) && b[i] != ';' {
		p.odd = true
		i = indexByte(b, i, ';')
	}
	if i < 0 || i == len(b) {
		return p, len(b)
	}
	return p, i + 1
}

// Params walks parameters. It borrows the bytes of the value it came from.
type Params struct {
	b    []byte
	next int
}

// ParseParams walks `name=value;name=value`, as what stands behind the first
// semicolon of a Reason or a Session-ID; it borrows b.
func ParseParams(b []byte) Params { return Params{b: b} }

// Next gives the next parameter's name and value, which borrow. The value is
// nil without an equals sign; of a quoted string the quotes are removed and
// the escapes left (RFC 3261 §25.1). Empty parameters are passed over.
func (p *Params) Next() (name, value []byte, ok bool) {
	for p.next < len(p.b) {
		var x param
		x, p.next = readParam(p.b, p.next)
		if x.name.len == 0 && !x.assigned {
			continue
		}
		if x.assigned {
			value = x.value.of(p.b)
		}
		return x.name.of(p.b), value, true
	}
	return nil, nil, false
}

// find gives the first parameter of a name in any case.
func (p Params) find(name string) ([]byte, bool) {
	for {
		n, value, ok := p.Next()
		if !ok {
			return nil, false
		}
		if equalFold(n, name) {
			return value, true
		}
	}
}
