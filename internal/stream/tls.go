package stream

import (
	"net/netip"
	"slices"
)

// TLS can't be read. Its connections are counted for each server, so that somebody
// who misses calls sees where they went.

// A Server is one end that speaks TLS.
type Server struct {
	Addr        netip.AddrPort
	Connections uint64
	Bytes       uint64 // of both directions
}

// maxServers is how many servers are told apart. A new one takes the place of that
// with the fewest connections.
const maxServers = 64

// startsTLS tells whether d begins with a record of TLS (RFC 8446 §5.1): its type, a
// version from SSL 3.0 to TLS 1.3, and a length that is allowed. A first record is a
// handshake of a plausible type too.
func startsTLS(d []byte) bool {
	const shortestRecord, longestRecord = 1, 1<<14 + 2048
	if len(d) < 6 || d[0] < 20 || d[0] > 23 || d[1] != 3 || d[2] > 4 {
		return false
	}
	n := int(d[3])<<8 | int(d[4])
	if n < shortestRecord || n > longestRecord {
		return false
	}
	switch d[0] {
	case 20: // change cipher spec: one byte of value 1
		return n == 1 && d[5] == 1
	case 21: // an alert, in the clear or not
		return n == 2 && d[5]-1 < 2 || n >= 16
	case 22: // a handshake, in the clear or not
		return d[5] <= 24 || n >= 32
	}
	return n >= 16 // data: with an authentication tag
}

// shroud marks the connection as TLS and counts it, where d is a record.
func (a *Assembler) shroud(d []byte) {
	const clientHello, serverHello = 1, 2
	c := a.conn
	c.dark, c.tls = true, true
	server := a.p.Dst
	switch hello := len(d) > 5 && d[0] == 22; {
	case hello && d[5] == clientHello:
	case hello && d[5] == serverHello, a.p.Src.Port() < a.p.Dst.Port():
		server = a.p.Src
	}
	a.stats.TLSConnections++
	least := 0
	for i := range a.servers {
		if a.servers[i].Addr == server {
			least = i
			break
		}
		if a.servers[i].Connections < a.servers[least].Connections {
			least = i
		}
	}
	s := &a.servers[least]
	if s.Addr != server {
		*s = Server{Addr: server}
	}
	s.Connections++
	c.server = uint8(least)
}

// unreadable counts n bytes of a connection that is not read.
func (a *Assembler) unreadable(n int) {
	a.stats.Unread += uint64(n)
	c := a.conn
	if !c.tls {
		return
	}
	a.stats.TLSBytes += uint64(n)
	if s := &a.servers[c.server]; a.p != nil && (s.Addr == a.p.Src || s.Addr == a.p.Dst) {
		s.Bytes += uint64(n)
	}
}

// Unreadable lists the servers that speak TLS, those with most connections first.
// The caller owns the slice.
func (a *Assembler) Unreadable() []Server {
	all := make([]Server, 0, maxServers)
	for _, s := range a.servers {
		if s.Connections > 0 {
			all = append(all, s)
		}
	}
	slices.SortStableFunc(all, func(x, y Server) int {
		switch {
		case x.Connections > y.Connections:
			return -1
		case x.Connections < y.Connections:
			return 1
		}
		return 0
	})
	return all
}
