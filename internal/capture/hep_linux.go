package capture

import (
	"encoding/binary"
	"net"
	"net/netip"
	"syscall"
)

// tuneUDP asks for a buffer of this many bytes, beyond the system's limit where the
// program may, and for the number of datagrams that it could not hold.
func tuneUDP(c *net.UDPConn, size int) {
	c.SetReadBuffer(size)
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) {
		syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUFFORCE, size)
		syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RXQ_OVFL, 1)
	})
}

// A dropCounter reads a socket and what its kernel says about drops.
type dropCounter struct {
	oob  [64]byte
	last uint32
	now  uint32
}

// read reads one datagram.
func (d *dropCounter) read(c *net.UDPConn, b []byte) (n int, peer netip.Addr, err error) {
	n, m, _, from, err := c.ReadMsgUDPAddrPort(b, d.oob[:])
	if total, ok := overflow(d.oob[:m]); ok {
		d.now = total
	}
	return n, from.Addr().Unmap(), err
}

// fresh is how many were dropped since it was last asked. The kernel counts in 32 bits.
func (d *dropCounter) fresh() uint64 {
	n := d.now - d.last
	d.last = d.now
	return uint64(n)
}

// overflow reads the control message of SO_RXQ_OVFL, the only one that was asked for:
// length, level and type, then the datagrams dropped since the socket was opened.
func overflow(oob []byte) (total uint32, ok bool) {
	header := syscall.CmsgLen(0)
	if len(oob) < header+4 {
		return 0, false
	}
	order := binary.NativeEndian
	level, kind := order.Uint32(oob[syscall.SizeofCmsghdr-8:]), order.Uint32(oob[syscall.SizeofCmsghdr-4:])
	if level != syscall.SOL_SOCKET || kind != syscall.SO_RXQ_OVFL {
		return 0, false
	}
	return order.Uint32(oob[header:]), true
}
