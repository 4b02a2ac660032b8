package live

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ring is the memory that the kernel fills and the program reads (TPACKET_V3, in the
// kernel's Documentation/networking/packet_mmap.rst): blocks in turn, each with
// packets behind one another. A block belongs to the side that its status names. It
// is for one goroutine.
type ring struct {
	mem   []byte
	size  int // of a block
	block int // in turn
	held  bool
	left  uint32 // packets in it that were not handed over
	at    uint32 // where the next one starts
}

// Offsets in a block and in the header of a packet (struct tpacket_block_desc, struct
// tpacket3_hdr), and of the address behind it (struct sockaddr_ll).
const (
	blockStatus, blockPackets, blockFirst = 8, 12, 16

	hdrNext, hdrSec, hdrNsec, hdrSnaplen, hdrLen, hdrStatus, hdrMac = 0, 4, 8, 12, 16, 20, 24
	hdrTCI, hdrTPID                                                 = 32, 36
	hdrAddress                                                      = 48

	addrProtocol, addrIndex, addrType, addrKind, addrHalen, addrBytes = 2, 4, 8, 10, 11, 12
	addrEnd                                                           = 20
)

// retire is how long the kernel keeps a block that is not full.
const retire = 20 * time.Millisecond

// newRing gives the socket a ring of so many bytes, at least two blocks.
func newRing(fd, bytes, block int) (*ring, error) {
	const frame = 2048 // counts for nothing but has to divide a block
	n := max(bytes/block, 2)
	req := unix.TpacketReq3{
		Block_size:     uint32(block),
		Block_nr:       uint32(n),
		Frame_size:     frame,
		Frame_nr:       uint32(block / frame * n),
		Retire_blk_tov: uint32(retire / time.Millisecond),
	}
	if err := unix.SetsockoptTpacketReq3(fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &req); err != nil {
		return nil, fmt.Errorf("make a ring of %d KiB: %w", block*n>>10, err)
	}
	mem, err := unix.Mmap(fd, 0, block*n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map a ring of %d KiB: %w", block*n>>10, err)
	}
	return &ring{mem: mem, size: block}, nil
}

// next gives the next packet from its header to the end of its block, nil when the
// kernel has handed over none. It borrows until the next call.
func (r *ring) next() []byte {
	for r.left == 0 {
		if r.held {
			atomic.StoreUint32(r.status(), unix.TP_STATUS_KERNEL)
			r.held = false
			r.block = (r.block + 1) % (len(r.mem) / r.size)
		}
		if atomic.LoadUint32(r.status())&unix.TP_STATUS_USER == 0 {
			return nil
		}
		b := r.bytes()
		r.held, r.left, r.at = true, binary.NativeEndian.Uint32(b[blockPackets:]), binary.NativeEndian.Uint32(b[blockFirst:])
	}
	p := r.bytes()[r.at:]
	r.left--
	r.at += binary.NativeEndian.Uint32(p[hdrNext:])
	return p
}

func (r *ring) bytes() []byte { return r.mem[r.block*r.size:][:r.size:r.size] }

// status is the word by which kernel and program hand the block over; it has to be
// read and written as one, and in order with the bytes.
func (r *ring) status() *uint32 {
	return (*uint32)(unsafe.Pointer(&r.bytes()[blockStatus]))
}

func (r *ring) free() {
	if r.mem != nil {
		_ = unix.Munmap(r.mem) // cannot fail for what Mmap gave
	}
	r.mem = nil
}
