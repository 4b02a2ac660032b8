package live

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/gopacket/pcap"
	"golang.org/x/sys/unix"

	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// ringSource captures by AF_PACKET. Frames are read where the kernel has put them.
//
// Under "any" one socket without an interface delivers what all of them carry, from
// the network header on, and each frame gets a cooked header (LINKTYPE_LINUX_SLL2)
// that names its interface: one ring however many interfaces there are, also those
// that come later, and a packet that passes two of them is known as one.
type ringSource struct {
	cfg    Config
	worker int
	link   packet.Link
	cooked bool
	loop   int32 // index of the loopback interface where packets of both ways are seen

	mu    sync.Mutex // of what follows, held while Next waits
	fd    int        // -1 once freed
	used  bool       // somebody reads: he frees the ring
	ring  *ring
	drops uint64
	poll  [1]unix.PollFd

	frames, bytes atomic.Uint64
	closed        atomic.Int64  // when, Unix time in nanoseconds; 0 while open
	done          chan struct{} // closed when the ring is freed
	nic           nicDrops
}

// headroom is what is kept free before each packet: for a cooked header and a tag.
const headroom = 24

// openRing starts to capture. It gives errNoRing where libpcap may still do it.
func openRing(cfg Config, worker int) (capture.Source, error) {
	s := &ringSource{cfg: cfg, worker: worker, fd: -1, cooked: cfg.Iface == allIfaces, done: make(chan struct{})}
	if err := s.open(); err != nil {
		s.free()
		return nil, err
	}
	if worker == 0 {
		s.nic.begin(cfg.Iface)
	}
	return s, nil
}

func (s *ringSource) open() error {
	program, index, err := s.prepare()
	if err != nil {
		return err
	}
	kind := unix.SOCK_RAW
	if s.cooked {
		kind = unix.SOCK_DGRAM
	}
	// Protocol 0: nothing comes before all is set.
	if s.fd, err = unix.Socket(unix.AF_PACKET, kind|unix.SOCK_CLOEXEC, 0); err != nil {
		return fmt.Errorf("open interface %q: %w: socket: %w", s.cfg.Iface, errNoRing, err)
	}
	for _, o := range []struct{ option, value int }{
		{unix.PACKET_VERSION, unix.TPACKET_V3}, {unix.PACKET_RESERVE, headroom},
	} {
		if err := unix.SetsockoptInt(s.fd, unix.SOL_PACKET, o.option, o.value); err != nil {
			return fmt.Errorf("open interface %q: %w: %w", s.cfg.Iface, errNoRing, err)
		}
	}
	if s.ring, err = newRing(s.fd, s.cfg.BufferKB<<10, s.cfg.BlockSize); err != nil {
		return fmt.Errorf("open interface %q: %w: %w", s.cfg.Iface, errNoRing, err)
	}
	if s.loop != 0 && !s.cooked {
		_ = unix.SetsockoptInt(s.fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1) // since Linux 4.20; looked at again below
	}
	if s.cfg.Promisc && !s.cooked {
		_ = unix.SetsockoptPacketMreq(s.fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, // an interface that can not see more
			&unix.PacketMreq{Ifindex: int32(index), Type: unix.PACKET_MR_PROMISC})
	}
	return s.bind(program, index)
}

// bind lets packets come. Until the worker has joined its group it takes none, or
// each would come to all.
func (s *ringSource) bind(program []unix.SockFilter, index int) error {
	fail := func(what string, err error) error {
		return fmt.Errorf("open interface %q: %s: %w", s.cfg.Iface, what, err)
	}
	const ret = unix.BPF_RET | unix.BPF_K
	if err := s.attach([]unix.SockFilter{{Code: ret}}); err != nil {
		return fail("set a filter", err)
	}
	all := &unix.SockaddrLinklayer{Protocol: hton(unix.ETH_P_ALL), Ifindex: index}
	if err := unix.Bind(s.fd, all); err != nil {
		return fail("bind", err)
	}
	if s.cfg.Workers > 1 {
		// By addresses and ports, of fragments by addresses: a datagram's fragments meet
		// at one worker. The kernel could put them together first, but it takes the copy of
		// a second interface for an overlap, and counts nothing.
		group := s.cfg.FanoutGroup | unix.PACKET_FANOUT_HASH<<16
		if err := unix.SetsockoptInt(s.fd, unix.SOL_PACKET, unix.PACKET_FANOUT, group); err != nil {
			return fail(fmt.Sprintf("join fanout_group %d (another program may have it for another interface)", s.cfg.FanoutGroup), err)
		}
	}
	if len(program) == 0 {
		program = []unix.SockFilter{{Code: ret, K: uint32(s.cfg.Snaplen)}}
	}
	if err := s.attach(program); err != nil {
		return fail(fmt.Sprintf("set a filter of %d instructions", len(program)), err)
	}
	_, _ = unix.GetsockoptTpacketStatsV3(s.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS) // counted from here
	s.poll[0] = unix.PollFd{Fd: int32(s.fd), Events: unix.POLLIN}
	return nil
}

func (s *ringSource) attach(program []unix.SockFilter) error {
	err := unix.SetsockoptSockFprog(s.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
		&unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
	runtime.KeepAlive(program)
	return err
}

// prepare finds out, through libpcap, what the interface delivers, and compiles the
// filter for it. libpcap's errors about interfaces and permissions are ours.
func (s *ringSource) prepare() (program []unix.SockFilter, index int, err error) {
	probe := s.cfg
	probe.Promisc, probe.BufferKB = false, 256
	handle, err := activate(probe)
	if err != nil {
		return nil, 0, fmt.Errorf("open interface %q: %w", s.cfg.Iface, err)
	}
	defer handle.Close()
	s.link = packet.Link(handle.LinkType())
	if !s.link.Known() {
		return nil, 0, fmt.Errorf("open interface %q: link type %d (%v) is not supported", s.cfg.Iface, uint16(s.link), s.link)
	}
	if s.link == packet.LinkSLL != s.cooked {
		return nil, 0, fmt.Errorf("%w: interface %q has no link header of its own", errNoRing, s.cfg.Iface)
	}
	if expression := s.cfg.filterFor(s.link); expression != "" {
		code, err := handle.CompileBPFFilter(expression)
		if err != nil {
			return nil, 0, s.cfg.filterError(expression, s.link, err)
		}
		if program, err = s.translate(code); err != nil {
			return nil, 0, err
		}
	}
	if s.cooked {
		s.link = packet.LinkSLL2
		if lo, err := net.InterfaceByName("lo"); err == nil {
			s.loop = int32(lo.Index)
		}
		return program, 0, nil
	}
	i, err := net.InterfaceByName(s.cfg.Iface)
	if err != nil {
		return nil, 0, fmt.Errorf("open interface %q: %w", s.cfg.Iface, err)
	}
	if i.Flags&net.FlagLoopback != 0 {
		s.loop = int32(i.Index)
	}
	return program, i.Index, nil
}

// translate makes a program for the kernel of libpcap's. One for cooked captures
// reads a header that the kernel does not have: packets start behind it, and what it
// says is read in other ways (linux/filter.h, SKF_AD_*).
func (s *ringSource) translate(code []pcap.BPFInstruction) ([]unix.SockFilter, error) {
	const sll = 16 // bytes
	program := make([]unix.SockFilter, len(code))
	for i, in := range code {
		program[i] = unix.SockFilter(in)
		class, mode := in.Code&0x07, in.Code&0xe0
		if !s.cooked || class != unix.BPF_LD && class != unix.BPF_LDX ||
			mode != unix.BPF_ABS && mode != unix.BPF_IND && mode != unix.BPF_MSH || in.K >= 1<<31 {
			continue
		}
		switch {
		case in.K >= sll:
			program[i].K = in.K - sll
		case in.K == 14 && mode == unix.BPF_ABS:
			program[i].K = ancillary + 0 // protocol
		case in.K == 0 && mode == unix.BPF_ABS:
			program[i].K = ancillary + 4 // packet type
		default:
			return nil, fmt.Errorf("%w: the filter reads byte %d of the cooked header", errNoRing, in.K)
		}
	}
	return program, nil
}

// ancillary is SKF_AD_OFF.
const ancillary = 1<<32 - 0x1000

// hton gives a number of 16 bits in network byte order.
func hton(v uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], v)
	return binary.NativeEndian.Uint16(b[:])
}

// ownGroup is a fan-out group that other programs of this machine hardly have.
func ownGroup() int { return os.Getpid() & 0xffff }

// Next implements capture.Source. The time it gives with ErrIdle is behind that of
// every packet that the kernel still keeps back. After Close it gives what was
// captured before, then io.EOF.
func (s *ringSource) Next(f *packet.Frame) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	for s.fd >= 0 {
		if p := s.ring.next(); p != nil {
			if !s.frame(f, p) {
				continue
			}
			if closed := s.closed.Load(); closed != 0 && f.Time > closed {
				break
			}
			s.frames.Add(1)
			s.bytes.Add(uint64(len(f.Data)))
			return nil
		}
		ready, err := s.wait()
		switch {
		case err != nil:
			s.free()
			return fmt.Errorf("read interface %q: %w", s.cfg.Iface, err)
		case ready:
		case s.closed.Load() != 0:
			s.free()
			return io.EOF
		default:
			f.Time = time.Now().Add(-2 * retire).UnixNano()
			return capture.ErrIdle
		}
	}
	s.free()
	return io.EOF
}

// wait waits until the kernel hands a block over. After Close that is soon, or never.
func (s *ringSource) wait() (ready bool, err error) {
	limit := s.cfg.Timeout
	if s.closed.Load() != 0 {
		limit = min(limit, 3*retire)
	}
	n, err := unix.Poll(s.poll[:], int(limit/time.Millisecond))
	switch {
	case err == unix.EINTR:
		return true, nil
	case err != nil:
		return false, err
	case n == 0:
		return false, nil
	case s.poll[0].Revents&unix.POLLIN != 0: // first what is there
		return true, nil
	}
	code, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	switch {
	case err != nil:
		return false, err
	case code == int(unix.ENETDOWN):
		return false, errors.New("it went down or away")
	case code != 0:
		return false, unix.Errno(code)
	}
	return true, nil
}

// frame makes a frame of a packet in the ring. It gives false for one that comes
// twice: on loopback the kernel shows each going out and coming in.
func (s *ringSource) frame(f *packet.Frame, p []byte) bool {
	order := binary.NativeEndian
	address := p[hdrAddress : hdrAddress+addrEnd]
	if address[addrKind] == unix.PACKET_OUTGOING && s.loop != 0 && int32(order.Uint32(address[addrIndex:])) == s.loop {
		return false
	}
	mac, n, status := int(order.Uint16(p[hdrMac:])), int(order.Uint32(p[hdrSnaplen:])), order.Uint32(p[hdrStatus:])
	*f = packet.Frame{
		Time:   int64(order.Uint32(p[hdrSec:]))*1e9 + int64(order.Uint32(p[hdrNsec:])),
		Link:   s.link,
		Wire:   int(order.Uint32(p[hdrLen:])),
		Source: s.cfg.Source,
	}
	tci, tpid := uint16(order.Uint32(p[hdrTCI:])), uint16(unix.ETH_P_8021Q)
	tagged := status&unix.TP_STATUS_VLAN_VALID != 0 || tci != 0
	if status&unix.TP_STATUS_VLAN_TPID_VALID != 0 {
		tpid = order.Uint16(p[hdrTPID:])
	}
	start := mac
	switch {
	case s.cooked:
		start = cook(p, mac, address, tagged, tpid, tci)
	case tagged && s.link == packet.LinkEthernet && n >= 12:
		start = mac - 4
		copy(p[start:], p[mac:mac+12])
		binary.BigEndian.PutUint16(p[start+12:], tpid)
		binary.BigEndian.PutUint16(p[start+14:], tci)
	}
	f.Data = p[start : mac+n : mac+n]
	f.Wire += mac - start
	return true
}

// cook writes a header of LINKTYPE_LINUX_SLL2 before the packet, and the tag that the
// kernel has taken off behind it. It gives where the header starts.
func cook(p []byte, mac int, address []byte, tagged bool, tpid, tci uint16) (start int) {
	protocol := [2]byte(address[addrProtocol:])
	start = mac - 20
	if tagged {
		start -= 4
		binary.BigEndian.PutUint16(p[mac-4:], tci)
		copy(p[mac-2:], protocol[:])
		binary.BigEndian.PutUint16(protocol[:], tpid)
	}
	h := p[start : start+20]
	copy(h, protocol[:])
	h[2], h[3] = 0, 0
	binary.BigEndian.PutUint32(h[4:], binary.NativeEndian.Uint32(address[addrIndex:]))
	binary.BigEndian.PutUint16(h[8:], binary.NativeEndian.Uint16(address[addrType:]))
	h[10], h[11] = address[addrKind], address[addrHalen]
	copy(h[12:], address[addrBytes:addrEnd])
	return start
}

// Name implements capture.Source.
func (s *ringSource) Name() string { return s.cfg.Iface }

// Stats implements capture.Source. It may have to wait for a Next that waits, at
// most Timeout.
func (s *ringSource) Stats() capture.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count()
	return capture.Stats{Frames: s.frames.Load(), Bytes: s.bytes.Load(), KernelDrops: s.drops, InterfaceDrops: s.nic.lost()}
}

// count asks the kernel how much was lost; asking sets its counter to 0.
func (s *ringSource) count() {
	if s.fd < 0 {
		return
	}
	if st, err := unix.GetsockoptTpacketStatsV3(s.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS); err == nil {
		s.drops += uint64(st.Drops)
	}
}

// free gives the ring back. It is called under mu.
func (s *ringSource) free() {
	select {
	case <-s.done:
		return
	default:
		close(s.done)
	}
	s.count()
	if s.ring != nil {
		s.ring.free()
	}
	if s.fd >= 0 {
		unix.Close(s.fd)
	}
	s.fd = -1
}

// Close implements capture.Source. Who reads frees the ring, when there is no more in
// it: a frame may be in work that lies there. Where nobody reads for some three
// Timeouts, Close does it.
func (s *ringSource) Close() error {
	s.closed.CompareAndSwap(0, time.Now().UnixNano())
	select {
	case <-s.done:
		return nil
	case <-time.After(3*s.cfg.Timeout + 100*time.Millisecond):
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.used {
		s.free()
	}
	return nil
}

// nicDrops reads what network cards and drivers have lost since the beginning.
type nicDrops struct {
	names []string
	start uint64
	last  uint64
}

func (d *nicDrops) begin(iface string) {
	d.names = []string{iface}
	if iface == allIfaces {
		d.names = nil
		all, _ := net.Interfaces()
		for _, i := range all {
			d.names = append(d.names, i.Name)
		}
	}
	d.start = d.read()
}

// lost never goes down, also when an interface goes away or starts anew.
func (d *nicDrops) lost() uint64 {
	if now := d.read(); now > d.start {
		d.last = max(d.last, now-d.start)
	}
	return d.last
}

func (d *nicDrops) read() (sum uint64) {
	for _, name := range d.names {
		for _, counter := range []string{"rx_dropped", "rx_missed_errors"} {
			text, err := os.ReadFile("/sys/class/net/" + name + "/statistics/" + counter)
			var n uint64
			if err == nil {
				_, err = fmt.Sscan(strings.TrimSpace(string(text)), &n)
			}
			if err == nil {
				sum += n
			}
		}
	}
	return sum
}
