//go:build !linux

package capture

import (
	"net"
	"net/netip"
)

// tuneUDP asks for a buffer of this many bytes.
func tuneUDP(c *net.UDPConn, size int) { c.SetReadBuffer(size) }

// A dropCounter reads a socket. What the kernel drops shows on Linux alone.
type dropCounter struct{}

func (*dropCounter) read(c *net.UDPConn, b []byte) (n int, peer netip.Addr, err error) {
	n, from, err := c.ReadFromUDPAddrPort(b)
	return n, from.Addr().Unmap(), err
}

func (*dropCounter) fresh() uint64 { return 0 }
