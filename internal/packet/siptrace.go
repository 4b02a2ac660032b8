package packet

import (
	"bytes"
	"encoding/binary"
	"net/netip"
)

// Kamailio's module siptrace can send a plain copy of each message (trace_mode 4 or
// hep_mode_on 0). With xheaders_write set it tells in header fields, which it adds
// at the end of the header section, where the message was seen:
//
//	X-Siptrace-Fromip: udp:192.0.2.7:5060
//	X-Siptrace-Toip: udp:198.51.100.9:5080
//	X-Siptrace-Time: 1700000000 123456
//
// An IPv6 address has brackets or not. Whoever sends SIP through the proxy may put
// the same fields into it, further up: the last one of each name counts.

// readSiptrace takes addresses, transport and time from those fields. What has none,
// or another form, is BadSiptrace.
func readSiptrace(d *Decoder, b []byte) (Layer, []byte, Drop) {
	var from, to end
	var at int64
	for line, rest := nextLine(b); len(line) > 0; line, rest = nextLine(rest) {
		const prefix = "X-Siptrace-"
		if len(line) < len(prefix) || line[0]|0x20 != 'x' || !bytes.EqualFold(line[:len(prefix)], []byte(prefix)) {
			continue
		}
		name, value, _ := bytes.Cut(line[len(prefix):], []byte{':'})
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Fromip")):
			from = readEnd(value)
		case bytes.EqualFold(name, []byte("Toip")):
			to = readEnd(value)
		case bytes.EqualFold(name, []byte("Time")):
			at = readTime(value)
		}
	}
	if !from.addr.IsValid() || !to.addr.IsValid() {
		return LayerNone, nil, BadSiptrace
	}
	proxy := d.Src.Addr() // of the copy
	if !proxy.IsValid() {
		proxy = d.OuterSrc
	}
	d.fromPeer()
	d.addrs(from.at(proxy), to.at(proxy))
	transport := from.transport
	if from.any {
		transport = to.transport
	}
	d.ports(transport, from.port, to.port)
	d.IPID, d.HasMAC, d.Whole = 0, false, true
	if at != 0 && at >= d.Time-maxPast && at <= d.Time+maxFuture {
		d.Time, d.told = at, true
	}
	return LayerNone, b, OK
}

// nextLine takes a line off a header section; it is empty at the end.
func nextLine(b []byte) (line, rest []byte) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return nil, nil // a header that is not whole is none of the proxy's
	}
	return bytes.TrimSuffix(b[:i], []byte{'\r'}), b[i+1:]
}

// An end is one side of a message, as the proxy writes it.
type end struct {
	transport Transport
	any       bool // the proxy does not know the address: it is its own
	addr      netip.Addr
	port      uint16
}

// at is the address, of the proxy where the proxy gives none.
func (e *end) at(proxy netip.Addr) netip.Addr {
	if e.any && proxy.IsValid() {
		return proxy
	}
	return e.addr
}

// readEnd reads transport, address and port; transport, or transport and port, may
// be left out. The address is not valid where b is something else.
func readEnd(b []byte) (e end) {
	e.transport = UDP
	named := false
	name, rest, _ := bytes.Cut(b, []byte{':'})
	for _, t := range siptraceTransports {
		if bytes.EqualFold(name, []byte(t.name)) {
			e.transport, e.any, named, b = t.transport, t.name == "any", true, rest
		}
	}
	if !named { // an IPv6 address with a port could be taken for one without
		if a, ok := readAddr(bytes.Trim(b, "[]")); ok {
			e.addr = a
			return e
		}
	}
	i := max(bytes.LastIndexByte(b, ':'), 0)
	a, ok := readAddr(bytes.Trim(b[:i], "[]"))
	port, fits := decimal(bytes.TrimPrefix(b[i:], []byte{':'}), 65535)
	if ok && fits {
		e.addr, e.port = a, uint16(port)
	}
	return e
}

// siptraceTransports are the names that Kamailio writes.
var siptraceTransports = [...]struct {
	name      string
	transport Transport
}{{"udp", UDP}, {"tcp", TCP}, {"tls", TCP}, {"ws", TCP}, {"wss", TCP}, {"sctp", SCTP}, {"any", UDP}}

// readTime reads seconds and microseconds.
func readTime(b []byte) int64 {
	seconds, micros, _ := bytes.Cut(b, []byte{' '})
	s, ok := decimal(seconds, 1<<33)
	us, fits := decimal(bytes.TrimSpace(micros), 999999)
	if !ok || !fits {
		return 0
	}
	return int64(s)*1e9 + int64(us)*1e3
}

// decimal reads a number of digits alone, at most most.
func decimal(b []byte, most uint64) (n uint64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' || n > most {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, len(b) > 0 && n <= most
}

// readAddr reads an address, as netip.ParseAddr does but for zones, which none that
// comes by mail has. It allocates nothing.
func readAddr(b []byte) (a netip.Addr, ok bool) {
	if bytes.IndexByte(b, ':') < 0 {
		var four [4]byte
		if !readFour(four[:], b) {
			return a, false
		}
		return netip.AddrFrom4(four), true
	}
	var groups [16]byte
	n, gap := 0, -1
	if len(b) > 1 && b[0] == ':' && b[1] == ':' {
		gap, b = 0, b[2:]
	}
	for len(b) > 0 {
		i := bytes.IndexByte(b, ':')
		if i < 0 && bytes.IndexByte(b, '.') >= 0 {
			if n > 12 || !readFour(groups[n:n+4], b) {
				return a, false
			}
			n += 4
			break
		}
		part := b
		if i >= 0 {
			part = b[:i]
		}
		v, hex := hexadecimal(part)
		if n == 16 || !hex {
			return a, false
		}
		binary.BigEndian.PutUint16(groups[n:], v)
		n += 2
		if i < 0 {
			break
		}
		if b = b[i+1:]; len(b) == 0 {
			return a, false // ends in one colon
		}
		if b[0] == ':' {
			if gap >= 0 {
				return a, false
			}
			gap, b = n, b[1:]
		}
	}
	if gap < 0 && n != 16 || gap >= 0 && n > 14 {
		return a, false
	}
	if gap >= 0 {
		copy(groups[16-(n-gap):], groups[gap:n])
		clear(groups[gap : 16-(n-gap)])
	}
	return netip.AddrFrom16(groups).Unmap(), true
}

// readFour reads four numbers with points between them.
func readFour(to, b []byte) bool {
	for i := range to {
		part, rest, more := bytes.Cut(b, []byte{'.'})
		n, ok := decimal(part, 255)
		if !ok || len(part) > 3 || more != (i < 3) || len(part) > 1 && part[0] == '0' {
			return false
		}
		to[i], b = byte(n), rest
	}
	return true
}

// hexadecimal reads up to four digits.
func hexadecimal(b []byte) (v uint16, ok bool) {
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | uint16(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			v = v<<4 | uint16(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return v, len(b) > 0 && len(b) <= 4
}
