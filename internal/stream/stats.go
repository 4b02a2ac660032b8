package stream

import (
	"cmp"
	"fmt"
	"slices"
)

// Stats are counters of an Assembler. Streams, Held and Memory are what is there
// now, the others totals since New.
type Stats struct {
	Segments  uint64 // taken
	OtherPort uint64 // refused: not on a listed port, and not of a direction that is followed

	// Bytes came in segments. Each is in one of the sums below, or held.
	Bytes     uint64
	UnitBytes [NumKinds]uint64
	Skipped   uint64 // rubbish between messages, bodies that are too long, the rest behind a Probe, text in a RST
	Unread    uint64 // of TLS, and of connections that are not looked at
	Handshake uint64 // of WebSocket
	Framed    uint64 // frames of WebSocket that were read; what they say is in Units, not in UnitBytes
	Repeated  uint64 // seen before: retransmissions, probes, the copies of a second mirror
	Mirrored  uint64 // of another sequence space between the same ends
	Lost      uint64 // of header sections with a hole, of connections that were pushed out, strays
	Held      int

	Units  [NumKinds]uint64
	Broken uint64 // header sections that had a hole

	Streams int    // connections
	Opened  uint64 // connections
	Evicted uint64 // connections pushed out because of MaxStreams
	GivenUp uint64 // directions that lost what they held because of MaxBytes
	Memory  int    // bytes of all buffers, in use or not

	OutOfOrder     uint64 // segments ahead of a hole
	Overlaps       uint64 // segments of which a part was seen before
	Contradictions uint64 // pieces that came again with other bytes while they were held
	Holes          uint64 // passed over
	HoleBytes      uint64
	SnapBytes      uint64 // that a snap length cut off
	Resyncs        uint64 // start lines that had to be searched for, holes aside
	Jumps          uint64 // directions that went on far from where they were
	Strays         uint64 // segments far from all others

	// Of WebSocket.
	Frames                    uint64 // read whole: the sum of the next two
	DataFrames, ControlFrames uint64
	LostFrames                uint64 // too long, or of a message whose beginning was lost
	Inflated                  uint64 // compressed messages
	Undeflated                uint64 // compressed messages that could not be read: they refer to what was lost, grow beyond belief, or are none
	Forgotten                 uint64 // windows given up because of MaxBytes

	SCTP SCTPStats

	// Of TLS: bytes are in Unread too.
	TLSConnections, TLSBytes uint64
	TLS                      [4]Server // those with most connections
}

// Check reports bytes that went missing uncounted.
func (s *Stats) Check() error {
	sum := s.Skipped + s.Unread + s.Handshake + s.Framed + s.Repeated + s.Mirrored + s.Lost + uint64(s.Held)
	for _, n := range s.UnitBytes {
		sum += n
	}
	if sum != s.Bytes {
		return fmt.Errorf("counters disagree: bytes of segments = bytes of units + passed over + held: %d, not %d", sum, s.Bytes)
	}
	c := &s.SCTP
	if n := c.Data + c.Repeated + c.Control + c.Malformed; n != c.Chunks {
		return fmt.Errorf("counters disagree: chunks = data + repeated + control + malformed: %d, not %d", n, c.Chunks)
	}
	if n := s.DataFrames + s.ControlFrames; n != s.Frames {
		return fmt.Errorf("counters disagree: frames = data + control: %d, not %d", n, s.Frames)
	}
	return nil
}

// Stats gives the counters. It is for the goroutine that calls Push, between two
// calls.
func (a *Assembler) Stats() Stats {
	a.settle()
	s := a.stats
	s.Streams, s.Memory = a.table.count, a.pool.made
	s.Held = a.sctp.held
	s.SCTP.Associations = len(a.sctp.byKey)
	copy(s.TLS[:], a.Unreadable())
	if end := &a.pool.ends; end.newer != nil {
		for d := end.newer; d != end; d = d.newer {
			s.Held += d.held()
		}
	}
	return s
}

// Add adds the counters of another Assembler.
func (s *Stats) Add(o *Stats) {
	s.Segments += o.Segments
	s.OtherPort += o.OtherPort
	s.Bytes += o.Bytes
	for i := range o.UnitBytes {
		s.UnitBytes[i] += o.UnitBytes[i]
	}
	s.Skipped += o.Skipped
	s.Unread += o.Unread
	s.Handshake += o.Handshake
	s.Framed += o.Framed
	s.Repeated += o.Repeated
	s.Mirrored += o.Mirrored
	s.Lost += o.Lost
	s.Held += o.Held
	for i := range o.Units {
		s.Units[i] += o.Units[i]
	}
	s.Broken += o.Broken
	s.Streams += o.Streams
	s.Opened += o.Opened
	s.Evicted += o.Evicted
	s.GivenUp += o.GivenUp
	s.Memory += o.Memory
	s.OutOfOrder += o.OutOfOrder
	s.Overlaps += o.Overlaps
	s.Contradictions += o.Contradictions
	s.Holes += o.Holes
	s.HoleBytes += o.HoleBytes
	s.SnapBytes += o.SnapBytes
	s.Resyncs += o.Resyncs
	s.Jumps += o.Jumps
	s.Strays += o.Strays
	s.Frames += o.Frames
	s.DataFrames += o.DataFrames
	s.ControlFrames += o.ControlFrames
	s.LostFrames += o.LostFrames
	s.Inflated += o.Inflated
	s.Undeflated += o.Undeflated
	s.Forgotten += o.Forgotten
	s.SCTP.add(&o.SCTP)
	s.TLSConnections += o.TLSConnections
	s.TLSBytes += o.TLSBytes
	s.addServers(o.TLS[:])
}

func (s *SCTPStats) add(o *SCTPStats) {
	s.Packets += o.Packets
	s.Chunks += o.Chunks
	s.Data += o.Data
	s.Repeated += o.Repeated
	s.Control += o.Control
	s.Malformed += o.Malformed
	s.Incomplete += o.Incomplete
	s.Associations += o.Associations
	s.Evicted += o.Evicted
}

// addServers merges servers by address, and keeps those with most connections.
func (s *Stats) addServers(more []Server) {
	var all []Server
	for _, n := range slices.Concat(s.TLS[:], more) {
		if n.Connections == 0 {
			continue
		}
		if i := slices.IndexFunc(all, func(m Server) bool { return m.Addr == n.Addr }); i >= 0 {
			all[i].Connections += n.Connections
			all[i].Bytes += n.Bytes
		} else {
			all = append(all, n)
		}
	}
	slices.SortStableFunc(all, func(a, b Server) int { return cmp.Compare(b.Connections, a.Connections) })
	s.TLS = [len(s.TLS)]Server{}
	copy(s.TLS[:], all)
}
