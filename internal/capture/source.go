// Package capture delivers frames: from capture files (pcap and pcapng, gzip or
// not), from sockets to which HEP is sent, and, in its subpackage live, from
// interfaces. It also writes the kernel filter for the latter.
//
// It does not look into frames; package packet does. It needs neither cgo nor
// libpcap; only the subpackage does. With package api it is where the wall clock
// may be read: for replay at recorded speed.
//
// A frame's bytes belong to its source and are borrowed until the next call of
// Next. Reading a frame allocates nothing.
package capture

import (
	"errors"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// ErrIdle is what Next gives when a live source has seen nothing for a while. The
// frame then holds nothing but Time, which is the wall clock in Unix nanoseconds:
// the caller lets its timers run to it, needs no clock of its own, and calls again.
var ErrIdle = errors.New("no packet for a while")

// A Source is where frames come from.
type Source interface {
	// Next fills f with the next frame; f.Data is borrowed until the next call.
	//
	// It gives io.EOF when there is no more and ErrIdle when there is none now, with
	// f.Time set to the wall clock and nothing else of f changed. Any other error is a
	// line for the user and given once: the caller reports it and calls Next again,
	// which goes on with what can still be read, or gives io.EOF.
	Next(f *packet.Frame) error

	// Name is the file or interface of the last frame. It is for the goroutine that
	// calls Next.
	Name() string

	// Stats gives the counters since the source was opened. Any goroutine may call it.
	Stats() Stats

	// Close makes Next end, also one that waits, and frees what the source holds. Any
	// goroutine may call it, more than once.
	Close() error
}

// Stats are counters of a source.
type Stats struct {
	Frames uint64 // handed over
	Bytes  uint64 // of those frames, as captured

	KernelDrops    uint64 // lost because the capture buffer was full
	InterfaceDrops uint64 // lost by the network card or its driver, where it says so
	Outages        uint64 // how often an interface went away

	// Of a source that listens on sockets; what is in none of Frames.
	Refused  uint64 // datagrams and connections of senders that may not send
	WrongKey uint64 // packets without one of the keys
	Surplus  uint64 // connections beyond the limit
	Broken   uint64 // connections that were cut: not HEP, too slow, no TLS
}

// Add adds the counters of another source.
func (s *Stats) Add(o *Stats) {
	s.Frames += o.Frames
	s.Bytes += o.Bytes
	s.KernelDrops += o.KernelDrops
	s.InterfaceDrops += o.InterfaceDrops
	s.Outages += o.Outages
	s.Refused += o.Refused
	s.WrongKey += o.WrongKey
	s.Surplus += o.Surplus
	s.Broken += o.Broken
}
