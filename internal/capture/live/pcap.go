package live

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/gopacket/pcap"

	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// openPcap starts to capture through libpcap.
//
// The kernel hands packets over in blocks, when one is full or Timeout has passed
// (TPACKET_V3 on Linux), and not each at once (libpcap's immediate mode, which is
// TPACKET_V2): there each packet takes a slot of the greatest length, 8 MiB hold
// 32 of them with the default snap length, and any burst is lost. The price is a
// delay of at most Timeout, and that the last block has to be waited for at the
// end, which Close does.
//
// On the loopback interface the kernel shows each packet twice, going out and
// coming in; libpcap leaves the first out, also under "any". Bridges are another
// matter: under "any" a packet is seen on each interface it passes, and the
// cooked header that libpcap gives through gopacket (version 1) does not say
// which. Where that matters, capture on one interface.
func openPcap(cfg Config) (capture.Source, error) {
	handle, err := activate(cfg)
	if err != nil {
		return nil, fmt.Errorf("open interface %q: %w", cfg.Iface, err)
	}
	link := packet.Link(handle.LinkType())
	if !link.Known() {
		handle.Close()
		return nil, fmt.Errorf("open interface %q: link type %d (%v) is not supported", cfg.Iface, uint16(link), link)
	}
	if filter := cfg.filterFor(link); filter != "" {
		if err := handle.SetBPFFilter(filter); err != nil {
			handle.Close()
			return nil, cfg.filterError(filter, link, err)
		}
	}
	return &pcapSource{
		cfg:    cfg,
		link:   link,
		handle: handle,
		buf:    make([]byte, 0, cfg.Snaplen),
		done:   make(chan struct{}),
	}, nil
}

func activate(cfg Config) (*pcap.Handle, error) {
	if cfg.Iface == allIfaces {
		cfg.Promisc = false // it is a warning there, and gopacket takes warnings for errors
	}
	inactive, err := pcap.NewInactiveHandle(cfg.Iface)
	if err != nil {
		return nil, err
	}
	defer inactive.CleanUp()
	for _, err := range []error{
		inactive.SetSnapLen(cfg.Snaplen),
		inactive.SetPromisc(cfg.Promisc),
		inactive.SetTimeout(cfg.Timeout),
		inactive.SetBufferSize(cfg.BufferKB << 10),
	} {
		if err != nil {
			return nil, err
		}
	}
	handle, err := inactive.Activate()
	if err == nil {
		return handle, nil
	}
	switch err.Error() { // gopacket keeps the type to itself
	case "Cannot set as promisc":
		cfg.Promisc = false
		return activate(cfg)
	case "No Such Device":
		return nil, fmt.Errorf("no such interface; there are: %s", strings.Join(names(), ", "))
	case "Permission Denied":
		return nil, errors.New("no permission; run as root, or give the program CAP_NET_RAW: setcap cap_net_raw+ep PROGRAM")
	case "Interface Not Up":
		return nil, fmt.Errorf("is down; start it: ip link set %s up", cfg.Iface)
	}
	return nil, err
}

// pcapSource is an open capture. Frames are copied out of libpcap's ring: Close may
// come from another goroutine while a frame is still looked at, and frees the ring.
type pcapSource struct {
	cfg  Config
	link packet.Link

	mu     sync.Mutex   // of handle, held while Next waits
	handle *pcap.Handle // nil once freed
	buf    []byte
	idle   int // how often Next found nothing since Close
	last   capture.Stats
	recent pcap.Stats // libpcap counts in 32 bits: what it said last

	frames, bytes atomic.Uint64
	closed        atomic.Int64  // when, Unix time in nanoseconds; 0 while open
	done          chan struct{} // closed when the handle is freed
}

// Next implements capture.Source. The time it gives with ErrIdle may be ahead of
// packets that the kernel still keeps back, by Timeout at most. After Close it gives what was captured before,
// then io.EOF.
func (s *pcapSource) Next(f *packet.Frame) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.handle == nil {
		return io.EOF
	}
	data, info, err := s.handle.ZeroCopyReadPacketData()
	closed := s.closed.Load()
	switch {
	case err == nil:
	case err == pcap.NextErrorTimeoutExpired:
		// Twice, since the timers of kernel and poll run apart.
		if closed != 0 {
			s.idle++
		}
		if s.idle < 2 {
			f.Time = time.Now().UnixNano()
			return capture.ErrIdle
		}
		s.free()
		return io.EOF
	case err == io.EOF:
		s.free()
		return io.EOF
	default:
		if err == pcap.NextErrorReadError {
			err = s.handle.Error()
		}
		s.free()
		return fmt.Errorf("read interface %q: %w", s.cfg.Iface, err)
	}
	at := info.Timestamp.UnixNano()
	if closed != 0 && at > closed {
		s.free()
		return io.EOF
	}
	s.buf = append(s.buf[:0], data...)
	s.frames.Add(1)
	s.bytes.Add(uint64(len(data)))
	*f = packet.Frame{Time: at, Link: s.link, Data: s.buf, Wire: info.Length, Source: s.cfg.Source}
	return nil
}

// Name implements capture.Source.
func (s *pcapSource) Name() string { return s.cfg.Iface }

// Stats implements capture.Source. It may have to wait for a Next that waits, at
// most Timeout.
func (s *pcapSource) Stats() capture.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count()
	st := s.last
	st.Frames, st.Bytes = s.frames.Load(), s.bytes.Load()
	return st
}

// count asks libpcap how much was lost.
func (s *pcapSource) count() {
	if s.handle == nil {
		return
	}
	now, err := s.handle.Stats()
	if err != nil {
		return // the interface is gone: what was known last stays
	}
	s.last.KernelDrops += uint64(uint32(now.PacketsDropped - s.recent.PacketsDropped))
	s.last.InterfaceDrops += uint64(uint32(now.PacketsIfDropped - s.recent.PacketsIfDropped))
	s.recent = *now
}

// free gives the ring back. It is called under mu.
func (s *pcapSource) free() {
	s.count()
	s.handle.Close()
	s.handle = nil
	close(s.done)
}

// Close implements capture.Source. While another goroutine calls Next it waits for
// that one to get what was captured before, some three Timeouts at most.
func (s *pcapSource) Close() error {
	s.closed.CompareAndSwap(0, time.Now().UnixNano())
	select {
	case <-s.done:
		return nil
	case <-time.After(3*s.cfg.Timeout + 100*time.Millisecond):
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.handle != nil {
		s.free()
	}
	return nil
}
