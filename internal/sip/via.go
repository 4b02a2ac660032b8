package sip

// Via is one Via value (RFC 3261 §20.42). It is made to be reused.
type Via struct {
	b         []byte
	transport span
	host      span
	params    span
	branch    span
	received  span
	rport     uint16
	hasRPort  bool
	port      uint16
	hasPort   bool
	odd       Oddity
}

// Parse reads one value:
//
//	SIP / 2.0 / UDP host[:port] ;params
//
// with white space allowed around the slashes. It borrows b until the next
// Parse. A semicolon at the end is tolerated, other empty parameters are not
// (RFC 4475 §3.1.2.1). The protocol's name and version are not judged: the
// start line's are.
func (v *Via) Parse(b []byte) bool {
	b = trim(b)
	*v = Via{b: b}
	i := v.sentProtocol(b)
	if i < 0 {
		return false
	}
	var ok bool
	if v.host, i, ok = readHost(b, i); !ok {
		return false
	}
	if i = skipLWS(b, i); i < len(b) && b[i] == ':' {
		v.port, v.hasPort, i, ok = readPort(b, skipLWS(b, i+1))
		if !ok {
			return false
		}
		i = skipLWS(b, i)
	}
	if i == len(b) {
		return true
	}
	if b[i] != ';' {
		return false
	}
	v.params = mark(i+1, len(b))
	return v.parameters(b, i+1)
}

// sentProtocol reads name / version / transport LWS and gives the offset of
// the sent-by, -1 when it is broken.
func (v *Via) sentProtocol(b []byte) int {
	i := 8
	if len(b) < i || string(b[:i]) != "SIP/2.0/" {
		if i = slashed(b, slashed(b, 0)); i < 0 {
			return -1
		}
	}
	start := i
	for i < len(b) && isTokenByte(b[i]) {
		i++
	}
	v.transport = mark(start, i)
	host := skipLWS(b, i)
	if i == start || host == i {
		return -1
	}
	return host
}

// slashed passes over token SLASH (RFC 3261 §25.1), -1 when it is not there.
func slashed(b []byte, i int) int {
	if i < 0 {
		return -1
	}
	start := skipLWS(b, i)
	i = start
	for i < len(b) && isTokenByte(b[i]) {
		i++
	}
	if i == start {
		return -1
	}
	if i = skipLWS(b, i); i == len(b) || b[i] != '/' {
		return -1
	}
	return skipLWS(b, i+1)
}

// parameters reads them once for those that every message is asked for.
func (v *Via) parameters(b []byte, i int) bool {
	ok := true
	for i < len(b) {
		var p param
		p, i = readParam(b, i)
		name := p.name.of(b)
		switch {
		case p.open || len(name) == 0:
			ok = false
		case p.odd:
			v.odd |= OddParam
		case v.branch.len == 0 && equalFold(name, "branch"):
			v.branch = p.value
		case v.received.len == 0 && equalFold(name, "received"):
			v.received = p.value
		case !v.hasRPort && equalFold(name, "rport"):
			value := p.value.of(b)
			n, digits := decimal(value, 1<<16)
			if digits > 0 && digits == len(value) && n < 1<<16 {
				v.rport, v.hasRPort = uint16(n), true
			}
		}
	}
	if b[len(b)-1] == ';' {
		v.odd |= OddParam
	}
	return ok
}

// Bytes borrows the whole value.
func (v *Via) Bytes() []byte { return v.b }

// Transport borrows the transport as written: UDP, TCP, TLS, SCTP, WS, WSS or
// anything else (RFC 3261 §20.42).
func (v *Via) Transport() []byte { return v.transport.of(v.b) }

// Host borrows the sent-by host, an IPv6 address without its brackets.
func (v *Via) Host() []byte { return v.host.of(v.b) }

// Port is the sent-by port and whether one is written.
func (v *Via) Port() (uint16, bool) { return v.port, v.hasPort }

// Branch borrows the branch parameter (RFC 3261 §8.1.1.7).
func (v *Via) Branch() []byte { return v.branch.of(v.b) }

// Received borrows the received parameter, brackets removed where an IPv6
// address has them (RFC 3261 §18.2.1, RFC 5118 §4.5).
func (v *Via) Received() []byte {
	r := v.received.of(v.b)
	if n := len(r); n > 1 && r[0] == '[' && r[n-1] == ']' {
		r = r[1 : n-1 : n-1]
	}
	return r
}

// RPort is the port that a server filled in (RFC 3581 §4). false for a bare
// rport, which Param shows.
func (v *Via) RPort() (uint16, bool) { return v.rport, v.hasRPort }

// Param borrows the value of the first parameter of this name in any case,
// quotes removed.
func (v *Via) Param(name string) ([]byte, bool) { return v.Params().find(name) }

// Params walks the parameters. It borrows.
func (v *Via) Params() Params { return Params{b: v.params.of(v.b)} }
