package capture

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// A pcapng reads the newer format (draft-ietf-opsawg-pcapng): several sections,
// interfaces and link types in one file. Names, comments, secrets and statistics
// are skipped.
//
// It is ours and not pcapgo's because that one keeps the link type in 8 bits
// (Linux cooked v2 is 276, and tcpdump's default for all interfaces), panics on a
// time resolution of 2^-64 and on some empty options, and takes any length that
// the file names as a size to allocate.
type pcapng struct {
	in     *bufio.Reader
	source uint32
	big    bool
	ifaces []iface
	count  uint64
	kind   uint32 // of the last block
	skip   int    // bytes of the last block up to its closing length, to be passed
	length int    // of the last block
	last   int64  // time of the last packet, for those without
	known  bool   // whether a packet of a known link type was seen
	alien  packet.Link
	aliens bool // whether one of another link type was seen; alien is the first
}

// An iface is an interface description.
type iface struct {
	link   packet.Link
	snap   uint32
	units  uint64 // of time, in a second
	offset int64  // seconds to add
}

const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockPacket    = 2 // obsolete
	blockSimple    = 3
	blockEnhanced  = 6

	optionEnd        = 0
	optionResolution = 9
	optionOffset     = 14

	// maxIfaces bounds the interface descriptions of a section, so that a damaged
	// file can't fill the memory.
	maxIfaces = 4096

	// maxDescription bounds a section header or an interface description.
	maxDescription = 256 << 10
)

var (
	errNoInterface = errors.New("names an interface that was not described")
	errShort       = errors.New("is shorter than its kind allows")
)

func (n *pcapng) open(in *bufio.Reader, source uint32) error {
	*n = pcapng{in: in, source: source, ifaces: n.ifaces[:0]}
	if _, err := in.Peek(28); err != nil {
		return ends(err, errHeaderEnds)
	}
	return nil
}

// next reads blocks up to the next packet.
func (n *pcapng) next(f *packet.Frame) error {
	for {
		if err := n.pass(); err != nil {
			return err
		}
		h, err := n.in.Peek(12)
		if err != nil {
			if len(h) == 0 && err == io.EOF {
				return n.end()
			}
			if len(h) >= 8 && uint32At(h, 4, n.big) == 0 && err == io.EOF { // padding, not a cut
				return n.wrong("block", errors.New("says it is 0 bytes long"))
			}
			return n.damage(err, "a block")
		}
		kind := uint32At(h, 0, n.big)
		if kind == blockSection { // the same in both byte orders
			switch {
			case uint32At(h, 8, true) == 0x1a2b3c4d:
				n.big = true
			case uint32At(h, 8, false) == 0x1a2b3c4d:
				n.big = false
			default:
				return n.wrong("section header", errors.New("has no byte order"))
			}
		}
		length := uint32At(h, 4, n.big)
		if length < 12 || length%4 != 0 || length > math.MaxInt32 {
			return n.wrong("block", fmt.Errorf("says it is %d bytes long", length))
		}
		n.kind, n.length, n.skip = kind, int(length), int(length)-4
		switch kind {
		case blockSection:
			err = n.section()
		case blockInterface:
			err = n.describe()
		case blockEnhanced, blockPacket, blockSimple:
			if err = n.packet(kind, f); err == nil {
				return nil
			}
		}
		if err != nil {
			return err
		}
	}
}

// pass goes to the end of the last block and checks its closing length.
func (n *pcapng) pass() error {
	if n.length == 0 {
		return nil
	}
	if _, err := n.in.Discard(n.skip); err != nil {
		return n.damage(err, n.block())
	}
	b, err := n.in.Peek(4)
	if err != nil {
		return n.damage(err, n.block())
	}
	if got := uint32At(b, 0, n.big); int(got) != n.length {
		return n.wrong("block", fmt.Errorf("is %d bytes long at its start and %d at its end", n.length, got))
	}
	_, err = n.in.Discard(4)
	n.length = 0
	return err
}

// section starts a new section: the interfaces of the last one are gone.
func (n *pcapng) section() error {
	b, err := n.body(16)
	if err != nil {
		return err
	}
	if major, minor := uint16At(b, 4, n.big), uint16At(b, 6, n.big); major != 1 {
		return fmt.Errorf("pcapng version %d.%d is not supported; supported: 1.0", major, minor)
	}
	n.ifaces = n.ifaces[:0]
	return nil
}

// describe reads an interface description. Its number is its place.
func (n *pcapng) describe() error {
	if len(n.ifaces) == maxIfaces {
		return n.wrong("interface description", fmt.Errorf("is one more than %d", maxIfaces))
	}
	b, err := n.body(8)
	if err != nil {
		return err
	}
	i := iface{link: packet.Link(uint16At(b, 0, n.big)), snap: uint32At(b, 4, n.big), units: 1e6}
	for b = b[8:]; len(b) >= 4; {
		code, length := uint16At(b, 0, n.big), int(uint16At(b, 2, n.big))
		if b = b[4:]; code == optionEnd || length > len(b) {
			break
		}
		switch {
		case code == optionResolution && length == 1:
			if i.units = resolution(b[0]); i.units == 0 {
				return n.wrong("interface description", fmt.Errorf("has time resolution %#x", b[0]))
			}
		case code == optionOffset && length == 8:
			hi, lo := uint32At(b, 0, n.big), uint32At(b, 4, n.big)
			if !n.big {
				hi, lo = lo, hi
			}
			i.offset = int64(uint64(hi)<<32 | uint64(lo))
		}
		b = b[min(len(b), (length+3)&^3):]
	}
	n.ifaces = append(n.ifaces, i)
	return nil
}

// resolution gives the units in a second for an if_tsresol byte, 0 if it makes no
// sense: a negative power of ten, or with the top bit of two.
func resolution(b byte) uint64 {
	if b&0x80 != 0 {
		if b &= 0x7f; b > 63 {
			return 0
		}
		return 1 << b
	}
	if b > 19 {
		return 0
	}
	units := uint64(1)
	for range b {
		units *= 10
	}
	return units
}

// body peeks at what is between the two lengths of a description.
func (n *pcapng) body(least int) ([]byte, error) {
	if n.length < 12+least {
		return nil, n.wrong("description", errShort)
	}
	if n.length > maxDescription {
		return nil, n.wrong("description", fmt.Errorf("says it is %d bytes long, at most %d are possible", n.length, maxDescription))
	}
	b, err := n.in.Peek(n.length)
	if err != nil {
		return nil, n.damage(err, n.block())
	}
	return b[8 : n.length-4], nil
}

// packet reads one of the three kinds of packet block.
func (n *pcapng) packet(kind uint32, f *packet.Frame) error {
	fixed := 28 // type, length, interface, time, captured and real length
	if kind == blockSimple {
		fixed = 12 // type, length, real length
	}
	if n.length < fixed+4 {
		return n.wrong("block", errShort)
	}
	h, err := n.in.Peek(fixed)
	if err != nil {
		return broken(err, n.count, truncated(n.count))
	}
	var id, length, wire uint32
	var ticks uint64
	switch kind {
	case blockEnhanced:
		id = uint32At(h, 8, n.big)
	case blockPacket:
		id = uint32(uint16At(h, 8, n.big))
	}
	if int64(id) >= int64(len(n.ifaces)) {
		return n.wrong("block", errNoInterface)
	}
	i := &n.ifaces[id]
	if kind == blockSimple {
		wire = uint32At(h, 8, n.big)
		if length = wire; i.snap != 0 {
			length = min(length, i.snap)
		}
	} else {
		ticks = uint64(uint32At(h, 12, n.big))<<32 | uint64(uint32At(h, 16, n.big))
		length, wire = uint32At(h, 20, n.big), uint32At(h, 24, n.big)
	}
	if length > maxRecord {
		return tooLong(n.count, length)
	}
	if int(length) > n.length-fixed-4 {
		return n.wrong("block", fmt.Errorf("is %d bytes long and says it holds a packet of %d", n.length, length))
	}
	b, err := n.in.Peek(fixed + int(length))
	if err != nil {
		return broken(err, n.count, truncated(n.count))
	}
	if kind != blockSimple { // which has no time: it takes the last packet's
		n.last = i.time(ticks)
	}
	n.count++
	switch {
	case i.link.Known():
		n.known = true
	case !n.aliens:
		n.aliens, n.alien = true, i.link
	}
	f.Time, f.Link, f.Data, f.Wire = n.last, i.link, b[fixed:], wireLength(wire, length)
	f.Source = n.source + uint32(id)
	return nil
}

// time turns a count of units into nanoseconds. What does not fit is held at the
// last second that does.
func (i *iface) time(ticks uint64) int64 {
	seconds, rest := ticks/i.units, ticks%i.units
	switch i.units {
	case 1e6:
		rest *= 1000
	case 1e9:
	default:
		hi, lo := bits.Mul64(rest, 1e9)
		rest, _ = bits.Div64(hi, lo, i.units) // rest < units, so it fits
	}
	const limit = math.MaxInt64/1_000_000_000 - 1
	if seconds > limit {
		seconds = limit
	}
	offset := min(max(i.offset, -limit), limit)
	return min(int64(seconds)+offset, limit)*1e9 + int64(rest)
}

// end is the end of the file. A file of which nothing could be decoded is an
// error, not silence.
func (n *pcapng) end() error {
	if n.aliens && !n.known {
		return errLink(n.alien)
	}
	return io.EOF
}

// damage is the error for what ends in a block that holds no packet, or whose
// packet has been read.
func (n *pcapng) damage(err error, block string) error {
	return broken(err, n.count, fmt.Errorf("ends in the middle of %s (file truncated?); %d packets read", block, n.count))
}

// block names the last block.
func (n *pcapng) block() string {
	switch n.kind {
	case blockSection:
		return "a section header"
	case blockInterface:
		return "an interface description"
	case blockEnhanced, blockPacket, blockSimple:
		return fmt.Sprintf("the block of packet %d", n.count)
	}
	return fmt.Sprintf("a block of type %#x", n.kind)
}

func (n *pcapng) wrong(what string, why error) error {
	return fmt.Errorf("%s after packet %d %w (file damaged?); %d packets read", what, n.count, why, n.count)
}
