package capture

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// maxRecord bounds the captured bytes of a packet. It is twice the greatest snap
// length of tcpdump and Wireshark (262,144); what says more is damage.
const maxRecord = 512 << 10

// bufferSize holds a record and its header, so that a frame is borrowed from the
// buffer and never copied.
const bufferSize = maxRecord + 64

// A format reads the records of one kind of capture file. next gives io.EOF at
// the end, and an error that names the packet for damage.
type format interface {
	next(f *packet.Frame) error
}

// A pcap reads the classic format (draft-ietf-opsawg-pcap).
//
// It is ours and not pcapgo's because that one keeps the link type in 8 bits
// (Linux cooked v2 is 276), refuses a record longer than the snap length of the
// file header or than the packet was on the wire (some writers get either wrong),
// and does not say which packet is damaged.
type pcap struct {
	in     *bufio.Reader
	big    bool  // byte order
	scale  int64 // nanoseconds of a unit of the fraction
	header int   // bytes of a record header
	link   packet.Link
	count  uint64
	skip   int // bytes of the last record, still in the buffer
}

// The first four bytes of a file, read as big-endian.
const (
	magicMicro       = 0xa1b2c3d4
	magicMicroLittle = 0xd4c3b2a1
	magicNano        = 0xa1b23c4d
	magicNanoLittle  = 0x4d3cb2a1
	magicPatched     = 0xa1b2cd34 // by A. Kuznetsov, 1999: longer record headers
	magicPatchLittle = 0x34cdb2a1
	magicNG          = 0x0a0d0d0a
)

// The record header of the patched libpcap is the usual one and then interface
// index (4 bytes), protocol (2), packet type (1) and padding (1), which are not
// read: the link layer says the same. Its later variant of 28 bytes, with processor
// numbers, has the same magic number and is not read; its first packet is wrong by
// 4 bytes, its second damage.
const (
	recordHeader        = 16
	patchedRecordHeader = 24
)

var errHeaderEnds = errors.New("ends in the middle of the file header")

// open reads the file header.
func (p *pcap) open(in *bufio.Reader) error {
	h, err := in.Peek(24)
	if err != nil {
		return ends(err, errHeaderEnds)
	}
	*p = pcap{in: in, skip: 24, scale: 1, header: recordHeader}
	switch binary.BigEndian.Uint32(h) {
	case magicMicro:
		p.big, p.scale = true, 1000
	case magicMicroLittle:
		p.scale = 1000
	case magicNano:
		p.big = true
	case magicPatched:
		p.big, p.scale, p.header = true, 1000, patchedRecordHeader
	case magicPatchLittle:
		p.scale, p.header = 1000, patchedRecordHeader
	}
	if major, minor := uint32At(h, 4, p.big)>>16, uint32At(h, 4, p.big)&0xffff; p.big && (major != 2 || minor < 4) {
		return fmt.Errorf("pcap version %d.%d is not supported; supported: 2.4", major, minor)
	} else if !p.big && (minor != 2 || major < 4) { // the two halves are the other way round
		return fmt.Errorf("pcap version %d.%d is not supported; supported: 2.4", minor, major)
	}
	// The upper bits say how long the frame check sequence is, which the IP length
	// trims away like any trailer.
	link := uint32At(h, 20, p.big) & 0x03ffffff
	if link > 0xffff {
		return fmt.Errorf("link type %d is not supported; supported: %s", link, supported())
	}
	p.link = packet.Link(link)
	if !p.link.Known() {
		return errLink(p.link)
	}
	return nil
}

func (p *pcap) next(f *packet.Frame) error {
	if _, err := p.in.Discard(p.skip); err != nil { // it was peeked at, so it is there
		return err
	}
	p.skip = 0
	h, err := p.in.Peek(p.header)
	if err != nil {
		if len(h) == 0 && err == io.EOF {
			return io.EOF
		}
		return p.damage(err)
	}
	seconds, fraction := uint32At(h, 0, p.big), uint32At(h, 4, p.big)
	length, wire := uint32At(h, 8, p.big), uint32At(h, 12, p.big)
	if length > maxRecord {
		return tooLong(p.count, length)
	}
	b, err := p.in.Peek(p.header + int(length))
	if err != nil {
		return p.damage(err)
	}
	p.skip = len(b)
	p.count++
	f.Time = int64(seconds)*1e9 + int64(fraction)*p.scale
	f.Link, f.Data, f.Wire = p.link, b[p.header:], wireLength(wire, length)
	return nil
}

func (p *pcap) damage(err error) error { return broken(err, p.count, truncated(p.count)) }

// wireLength is never below what was captured; some writers leave it 0.
func wireLength(wire, captured uint32) int { return int(max(wire, captured)) }

// ends gives how for the end of the input, and any other error as it is.
func ends(err, how error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return how
	}
	return err
}

// broken is ends, and says of every other error how many packets came before it.
// Behind the last member of a gzip file, what is no member is bad only by its first
// bytes; everything that was compressed has been read then.
func broken(err error, count uint64, how error) error {
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return how
	case errors.Is(err, gzip.ErrHeader):
		return fmt.Errorf("something that is no gzip follows the compressed capture; %d packets read", count)
	}
	return fmt.Errorf("%w after packet %d (file damaged?); %d packets read", err, count, count)
}

func truncated(count uint64) error {
	return fmt.Errorf("ends in the middle of packet %d (file truncated?); %d packets read", count+1, count)
}

func tooLong(count uint64, length uint32) error {
	return fmt.Errorf("packet %d says it is %d bytes long, at most %d are possible (file damaged?); %d packets read",
		count+1, length, maxRecord, count)
}

func uint32At(b []byte, at int, big bool) uint32 {
	if big {
		return binary.BigEndian.Uint32(b[at:])
	}
	return binary.LittleEndian.Uint32(b[at:])
}

func uint16At(b []byte, at int, big bool) uint16 {
	if big {
		return binary.BigEndian.Uint16(b[at:])
	}
	return binary.LittleEndian.Uint16(b[at:])
}
