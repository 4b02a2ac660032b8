// Package live captures from interfaces: on Linux from a ring of memory that the
// kernel shares (AF_PACKET), elsewhere and where that is not possible through
// libpcap. It is the only package that needs cgo, and only the program itself
// imports it.
//
// It opens one interface, or all of them ("any"), sets a kernel filter and hands
// frames over. It does not look into them, send anything, or choose the
// interface.
//
// A frame's bytes belong to the source and are borrowed until the next call of
// Next.
package live

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/google/gopacket/pcap"

	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// A Config says what to capture.
type Config struct {
	Iface    string `config:"iface"`       // "any" for all interfaces
	Filter   string `config:"bpf"`         // in the language of pcap-filter(7); empty: made from Auto
	Snaplen  int    `config:"snaplen"`     // bytes of a frame
	Promisc  bool   `config:"promiscuous"` // also frames for others; "any" never gets them
	BufferKB int    `config:"pcap_buf_kb"` // between kernel and program, of each worker

	Capture     string `config:"capture"`      // auto, af_packet or pcap
	Workers     int    `config:"workers"`      // sources that share the packets, af_packet only
	FanoutGroup int    `config:"fanout_group"` // 0: one of our own
	BlockSize   int    `config:"block_size"`   // bytes that the kernel hands over at a time, af_packet only

	// Timeout is how long the kernel may keep a packet back to hand over many at
	// once, and after how long without one Next gives ErrIdle.
	Timeout time.Duration `config:",ignore"`

	Auto   capture.FilterConfig `config:",ignore"` // empty: everything
	Source uint32               `config:",ignore"` // for Frame.Source

	// Note is told in a sentence what the user may want to know: what was taken in
	// place of what. It may be nil.
	Note func(text string) `config:",ignore"`
}

// DefaultConfig captures whole frames from all interfaces. With receive offload a
// frame may be 64 KiB long, so the snap length is libpcap's greatest, and a block
// holds one. The buffer holds some 45,000 messages; where few come, its 256
// blocks are handed over every 20 ms, and the program may stand still for 5 s.
func DefaultConfig() Config {
	return Config{
		Iface: "any", Snaplen: maxSnaplen, Promisc: true, BufferKB: 32768,
		Capture: captureAuto, Workers: 1, BlockSize: 128 << 10, Timeout: 100 * time.Millisecond,
	}
}

const (
	maxSnaplen = 262144
	allIfaces  = "any"
	maxWorkers = 64

	captureAuto = "auto"
	captureRing = "af_packet"
	capturePcap = "pcap"
)

// Validate names the first key that is out of range, and the range.
func (c Config) Validate() error {
	switch {
	case c.Iface == "":
		return errors.New(`iface: "" is not allowed; allowed: the name of an interface, or any`)
	case c.Snaplen < 64 || c.Snaplen > maxSnaplen:
		return fmt.Errorf("snaplen: %d is not allowed; allowed: 64 to %d", c.Snaplen, maxSnaplen)
	case c.BufferKB < 256 || c.BufferKB > 1<<20:
		return fmt.Errorf("pcap_buf_kb: %d is not allowed; allowed: 256 to %d", c.BufferKB, 1<<20)
	case c.Capture != captureAuto && c.Capture != captureRing && c.Capture != capturePcap:
		return fmt.Errorf("capture: %q is not allowed; allowed: auto, af_packet, pcap", c.Capture)
	case c.Workers < 1 || c.Workers > maxWorkers:
		return fmt.Errorf("workers: %d is not allowed; allowed: 1 to %d", c.Workers, maxWorkers)
	case c.Workers > 1 && c.Capture == capturePcap:
		return fmt.Errorf("workers: %d is not allowed with capture: pcap; allowed: 1, or capture: af_packet", c.Workers)
	case c.FanoutGroup < 0 || c.FanoutGroup > 1<<16-1:
		return fmt.Errorf("fanout_group: %d is not allowed; allowed: 1 to 65535, or 0 for one of our own", c.FanoutGroup)
	case c.BlockSize < 64<<10 || c.BlockSize > 64<<20 || c.BlockSize&(c.BlockSize-1) != 0:
		return fmt.Errorf("block_size: %d is not allowed; allowed: a power of two, 64KiB to 64MiB", c.BlockSize)
	case c.Timeout < 10*time.Millisecond || c.Timeout > 10*time.Second:
		return fmt.Errorf("timeout: %v is not allowed; allowed: 10ms to 10s", c.Timeout)
	}
	return nil
}

// Open starts to capture, with a source for each worker. The interface must be
// there and up; one that goes away later is waited for.
func Open(cfg Config) ([]capture.Source, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.FanoutGroup == 0 {
		cfg.FanoutGroup = ownGroup()
	}
	var all []capture.Source
	for i := range cfg.Workers {
		s, err := newLasting(cfg, i)
		if err != nil {
			for _, s := range all {
				s.Close()
			}
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// openOne opens what cfg.Capture says, or the better one of what is possible.
func openOne(cfg Config, worker int) (capture.Source, error) {
	if cfg.Capture == capturePcap {
		return openPcap(cfg)
	}
	s, err := openRing(cfg, worker)
	if err == nil || cfg.Capture == captureRing || cfg.Workers > 1 || !errors.Is(err, errNoRing) {
		return s, err
	}
	if cfg.Note != nil {
		cfg.Note(fmt.Sprintf("interface %s is captured through libpcap: %v", cfg.Iface, err))
	}
	return openPcap(cfg)
}

// errNoRing is the kind of error after which libpcap may do better.
var errNoRing = errors.New("AF_PACKET is not possible")

// filterFor is the expression for frames of this link type.
func (c *Config) filterFor(link packet.Link) string {
	if c.Filter != "" {
		return c.Filter
	}
	return capture.Filter(c.Auto, link)
}

// filterError says which expression was refused.
func (c *Config) filterError(expression string, link packet.Link, err error) error {
	return fmt.Errorf("%w: %q on interface %q (%v): %w", ErrBPF, expression, c.Iface, link, err)
}

// ErrBPF is the key of the filter, and in the error for one that can not be used.
var ErrBPF = errors.New("bpf")

// A Device is an interface that can be captured.
type Device struct {
	Name        string
	Description string
	Addrs       []netip.Addr
	Up          bool // is in use
	Loopback    bool
}

// Devices lists the interfaces, "any" first. Devices that libpcap can read but
// that carry no network (USB, D-Bus, netfilter queues) are left out.
func Devices() ([]Device, error) {
	all, err := pcap.FindAllDevs()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	const loopback, up = 1, 2 // PCAP_IF_LOOPBACK, PCAP_IF_UP
	devices := []Device{{Name: allIfaces, Description: "all interfaces", Up: true}}
	for _, i := range all {
		if _, err := net.InterfaceByName(i.Name); err != nil {
			continue
		}
		d := Device{Name: i.Name, Description: i.Description, Up: i.Flags&up != 0, Loopback: i.Flags&loopback != 0}
		for _, a := range i.Addresses {
			if addr, ok := netip.AddrFromSlice(a.IP); ok {
				d.Addrs = append(d.Addrs, addr)
			}
		}
		devices = append(devices, d)
	}
	return devices, nil
}

func names() (all []string) {
	devices, err := Devices()
	if err != nil {
		return []string{allIfaces}
	}
	for _, d := range devices {
		all = append(all, d.Name)
	}
	return all
}
