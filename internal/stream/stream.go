// Package stream puts TCP segments together and cuts the bytes into SIP messages.
//
// It follows sequence numbers, not connections: each direction stands alone, so
// that a capture may start in the middle, lose segments, or hold one side only.
// SIP over WebSocket is read out of its frames, HEP is cut into packets, and the
// user messages of SCTP are put together from its chunks. It does not parse headers
// beyond Content-Length, read TLS, follow TCP options, verify checksums, send
// anything, or know the time but by the packets.
//
// A segment's bytes are borrowed from Push until Next has returned false. What a
// Unit holds is borrowed until the next call of any method. Most messages come as
// one segment and are handed out from there; only what is incomplete or out of
// order is copied. In steady state nothing is allocated, and no input makes it
// panic or grow beyond its Config.
package stream

import (
	"fmt"
	"hash/maphash"
	"math/bits"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// A Config bounds an Assembler.
type Config struct {
	IdleTimeout    time.Duration `config:"idle_timeout"`     // from the last segment of a connection to forgetting it
	HoleTimeout    time.Duration `config:"hole_timeout"`     // how long later bytes wait for missing ones
	MaxMessage     int           `config:"max_message"`      // bytes of a message; of a greater one the header section is given
	MaxStreams     int           `config:"max_streams"`      // connections, of some 300 bytes each
	MaxBytes       int           `config:"max_bytes"`        // held in all: incomplete messages and what is out of order
	MaxStreamBytes int           `config:"max_stream_bytes"` // how far ahead of a hole bytes are held, a direction
}

// DefaultConfig suits one capture source.
//
// A second is enough for a retransmission to come (RFC 6298 §2: at first after
// 1 s, later after round-trip times) and little for those who wait. 64 KiB is more
// than any message over UDP can be.
func DefaultConfig() Config {
	return Config{
		IdleTimeout:    5 * time.Minute,
		HoleTimeout:    time.Second,
		MaxMessage:     64 << 10,
		MaxStreams:     65536,
		MaxBytes:       64 << 20,
		MaxStreamBytes: 256 << 10,
	}
}

// Validate names the first key that is out of range, and the range.
func (c Config) Validate() error {
	for _, d := range []struct {
		key          string
		v, low, high time.Duration
	}{
		{"tcp.idle_timeout", c.IdleTimeout, time.Second, 24 * time.Hour},
		{"tcp.hole_timeout", c.HoleTimeout, 10 * time.Millisecond, time.Minute},
	} {
		if d.v < d.low || d.v > d.high {
			return fmt.Errorf("%s: %v is not allowed; allowed: %v to %v", d.key, d.v, d.low, d.high)
		}
	}
	for _, n := range []struct {
		key          string
		v, low, high int
	}{
		{"tcp.max_message", c.MaxMessage, 4 << 10, 1 << 20},
		{"tcp.max_streams", c.MaxStreams, 16, 1 << 22},
		{"tcp.max_stream_bytes", c.MaxStreamBytes, 16 << 10, 1 << 20},
		// Two of the greatest buffers always fit: a full one and the one it grows into.
		{"tcp.max_bytes", c.MaxBytes, 3 * c.longest(), 1 << 30},
	} {
		if n.v < n.low || n.v > n.high {
			return fmt.Errorf("%s: %d is not allowed; allowed: %d to %d", n.key, n.v, n.low, n.high)
		}
	}
	return nil
}

// longest is the size of the greatest buffer: an incomplete message, the bytes
// ahead of a hole, and one piece of a segment that begins just within them.
func (c Config) longest() int {
	return minBuffer << bits.Len(uint((c.MaxMessage+c.MaxStreamBytes+maxPiece-1)/minBuffer))
}

// A Kind says what a Unit is.
type Kind uint8

const (
	// Message is a SIP message: all of it, or with Cut one whose body has a hole or is
	// longer than MaxMessage. Its header section is always whole. It may still be
	// unusable: that is for sip.Message to judge.
	Message Kind = iota
	// Unfinished is a header section without its end; why is in Reason. With Cut the
	// capture lacks the rest, else the sender never sent it.
	Unfinished
	// Probe is what a connection starts with that does not start as SIP; at most one a
	// connection. The rest of the connection is not looked at (TLS) or searched for SIP,
	// quietly.
	Probe
	// KeepAlive is one or more CRLF between messages (RFC 5626 §3.5.1), ping or pong,
	// or another filling that devices send in its place. A segment gives one.
	KeepAlive
	// HEP is a packet of HEP version 3, of which nothing but the length was read.
	HEP
	NumKinds
)

// String gives the word.
func (k Kind) String() string {
	if k < NumKinds {
		return [...]string{"message", "unfinished", "probe", "keep-alive", "hep"}[k]
	}
	return "unknown"
}

// A Reason is why a Unit came out before it was whole.
type Reason uint8

const (
	Whole   Reason = iota // it is whole
	Closed                // FIN, or the port pair was used anew
	Reset                 // RST
	Idle                  // nothing came for IdleTimeout
	Hole                  // bytes are missing in the capture
	Snapped               // a snap length cut the segment
	TooLong               // longer than MaxMessage
	Ended                 // the capture ended
	NumReasons
)

// String gives the word.
func (r Reason) String() string {
	if r < NumReasons {
		return [...]string{"whole", "closed", "reset", "idle", "hole", "snapped", "too long", "capture ended"}[r]
	}
	return "unknown"
}

// A Unit is what comes out. The embedded Packet is that of the segment that
// completed it, with its time. Where a timer brought it out, or the other direction,
// it is that of a segment that is in it, and the time that of the last one, or at
// Idle the deadline. Payload, Cut, Whole and WebSocket are the unit's own.
type Unit struct {
	packet.Packet
	Kind   Kind
	Reason Reason
	Probe  sip.ProbeKind // of a Probe, what it looks like
}

// An Assembler puts the segments of any number of connections together. It serves
// one goroutine.
type Assembler struct {
	cfg       Config
	startLine int // greatest length of a start line

	now, seen int64 // see clock
	table     table
	pool      pool
	windows   windows
	inflater  inflater
	servers   [maxServers]Server
	waiting   [numWaits]waitList
	stats     Stats

	// What the calls of Next have still to do. Of the segment, data is what is not in
	// its place yet, and in, from pos on, what is in order but neither in a unit nor
	// in a buffer.
	p       *packet.Packet // nil when no segment is in work
	ports   Ports
	conn    *conn
	half    *half
	from    int // the direction of p
	seq     uint32
	data    []byte
	in      []byte
	pos     int
	time    int64 // of the units that come out: packet time
	end     int64 // of those that come out because it ends here
	steps   [8]step
	pending int // steps, the next one last
	sweep   sweep

	// Of the message of WebSocket in work: what it says, of which said bytes are given
	// out, where the last of several begins in it, and whether that was compressed.
	text     []byte
	said     int
	mark     int
	deflated bool
	packed   []byte // what was compressed; and scratch

	sctp sctp
	kept []waiting // see Walk
}

// New makes an Assembler. Zero fields of cfg take their defaults; the others must
// have passed Validate.
func New(cfg Config) *Assembler {
	def := DefaultConfig()
	orElse := func(v *int, def int) {
		if *v == 0 {
			*v = def
		}
	}
	orElse(&cfg.MaxMessage, def.MaxMessage)
	orElse(&cfg.MaxStreams, def.MaxStreams)
	orElse(&cfg.MaxBytes, def.MaxBytes)
	orElse(&cfg.MaxStreamBytes, def.MaxStreamBytes)
	if cfg.IdleTimeout == 0 {
		cfg.IdleTimeout = def.IdleTimeout
	}
	if cfg.HoleTimeout == 0 {
		cfg.HoleTimeout = def.HoleTimeout
	}
	a := &Assembler{cfg: cfg, startLine: min(maxStartLine, cfg.MaxMessage), table: newTable(cfg.MaxStreams)}
	a.pool.max = cfg.MaxBytes
	a.table.seed = maphash.MakeSeed()
	a.sctp.init(cfg.MaxStreams)
	return a
}

// Ports says what the ports of a segment are listed for, and so what a connection
// on them may begin with.
type Ports uint8

const (
	// PortSIP: all is followed, and what is no SIP is a Probe.
	PortSIP Ports = 1 << iota
	// PortWebSocket: what begins with a handshake or a frame of WebSocket.
	PortWebSocket
	// PortHEP: what begins with a packet of HEP.
	PortHEP
	// PortAny: what a segment tells beyond doubt: a start line of SIP/2.0, a handshake
	// of WebSocket, a frame that holds such a line, a packet of HEP, a record of TLS.
	PortAny
)

// Push takes a TCP segment, or the chunks of an SCTP packet. It borrows p and its
// bytes until Next has returned false, which has to be waited for: the work is done
// there. It returns false, remembers nothing and counts the packet as OtherPort when
// it is of no connection that ports let it follow.
func (a *Assembler) Push(p *packet.Packet, ports Ports) bool {
	a.settle()
	a.clock(p.Time)
	if p.Transport == packet.SCTP {
		return a.chunked(p, ports)
	}
	return a.segment(p, ports)
}

// Advance lets time pass, to now in Unix nanoseconds: connections become idle, and
// what waits for missing bytes waits no longer. Its units come by Next. It costs
// next to nothing when nothing is due; only it runs timers.
func (a *Assembler) Advance(now int64) {
	a.settle()
	a.clock(now)
	a.sweep = sweepDue
}

// Flush ends the capture: what is held comes out by Next, and all is forgotten.
func (a *Assembler) Flush() {
	a.settle()
	a.sweep = sweepAll
}

// Next gives the next unit of the last Push, Advance or Flush, in order, and false
// when there is none. The unit is borrowed until the next call of any method.
// Units that are not asked for before the next of those calls are counted and gone.
func (a *Assembler) Next(u *Unit) bool {
	for {
		if a.half != nil && a.frame(u) {
			return true
		}
		switch {
		case a.pending > 0:
			if a.step(u) {
				return true
			}
		case a.half != nil && a.half.ended():
			a.then(step{finish, a.half, Closed})
		case a.sctp.busy():
			if a.chunk(u) {
				return true
			}
		case a.rest():
			return false
		}
	}
}

// settle does what a caller left undone.
func (a *Assembler) settle() {
	if a.half == nil && a.pending == 0 && a.sweep == sweepNone && !a.sctp.busy() {
		return
	}
	var u Unit
	for a.Next(&u) {
	}
}

// rest ends the work on one direction. It reports whether that was all.
func (a *Assembler) rest() bool {
	c := a.conn
	if c != nil && !c.listed && !c.dark && c.half[0].state == unseen && c.half[1].state == unseen {
		a.remove(c)
	}
	a.p, a.conn, a.half, a.data, a.in, a.pos = nil, nil, nil, nil, nil, 0
	return !a.due()
}

// stepBack is how far times may step back and be taken for disorder, ns. What
// goes further back is another clock: the next file, or a clock that was set.
const stepBack = int64(time.Second)

// clock moves the time of the timers, which never goes back, by as much as the
// greatest time seen grows.
func (a *Assembler) clock(t int64) {
	switch {
	case t > a.seen:
		if a.seen != 0 {
			a.now += t - a.seen
		}
		a.seen = t
	case a.seen-t > stepBack:
		a.seen = t
	}
}
