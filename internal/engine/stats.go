package engine

import (
	"fmt"

	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/qos"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/stream"
	"github.com/sipcmbeat/sipcmbeat/internal/track"
)

// Fate is what became of a datagram.
type Fate uint8

// The fates; each datagram has one.
const (
	Message         Fate = iota // a SIP message, followed
	Unusable                    // starts like SIP, and cannot be used
	Probe                       // something else on a SIP port
	KeepAlive                   // CRLF, NUL, STUN
	MirrorDuplicate             // the same datagram from another mirror point
	OtherPort                   // not on a listed port, and no SIP by its first line
	Segment                     // of a TCP connection or an SCTP association that is followed
	Capsule                     // a packet of HEP from a TCP connection
	Report                      // a quality report by HEP
	OtherHEP                    // what else HEP carries: logs, CDRs
	NumFates
)

// String names the fate in counters.
func (f Fate) String() string {
	return [...]string{"messages", "unusable", "probes", "keep-alives", "mirror duplicates", "other ports", "segments", "HEP packets in TCP", "reports", "other HEP"}[f]
}

// Stats are an engine's counters, totals since the start. Frames is the sum of
// Drops, Drops[packet.OK] and Capsules[packet.OK] the sum of Datagrams, and the messages among Datagrams
// and Units are those that the tracker took.
type Stats struct {
	Frames, Bytes uint64
	Faults        uint64 // frames that this program failed on
	Drops         [packet.NumDrops]uint64
	Capsules      [packet.NumDrops]uint64 // the same of HEP packets from TCP connections
	Datagrams     [NumFates]uint64        // and segments
	Units         [NumFates]uint64        // put together from segments
	HEPTypes      [256]uint64             // the reports and other HEP among Datagrams, by their type
	Quality       [qos.NumOutcomes]uint64 // the reports, by what could be read
	Problems      [sip.NumProblems]uint64
	Events        [event.NumTypes]uint64

	Capture capture.Stats
	Packet  packet.Stats
	Stream  stream.Stats
	Track   track.Stats
}

// Check reports the first sum that does not agree: something was lost without
// being counted.
func (s *Stats) Check() error {
	var drops, fates, events, problems uint64
	for _, n := range s.Drops {
		drops += n
	}
	for _, n := range s.Datagrams {
		fates += n
	}
	for _, n := range s.Events {
		events += n
	}
	for _, n := range s.Problems[sip.OK+1:] {
		problems += n
	}
	var reports uint64
	for _, n := range s.HEPTypes {
		reports += n
	}
	var quality, joined uint64
	for _, n := range s.Quality {
		quality += n
	}
	for _, n := range s.Track.Reports {
		joined += n
	}
	var units, given, capsules uint64
	for _, n := range s.Capsules {
		capsules += n
	}
	for _, n := range s.Units {
		units += n
	}
	for _, n := range s.Stream.Units {
		given += n
	}
	if err := s.Stream.Check(); err != nil {
		return err
	}
	t := &s.Track
	var made uint64
	for _, n := range t.Events {
		made += n
	}
	for _, sum := range []struct {
		what       string
		have, want uint64
	}{
		{"frames = decoded + dropped", drops, s.Frames},
		{"datagrams = messages + probes + errors + keep-alives + duplicates + other ports", fates, s.Drops[packet.OK] + s.Capsules[packet.OK]},
		{"HEP packets in TCP = decoded + dropped", capsules, s.Units[Capsule]},
		{"messages = requests + answers", t.Requests + t.Responses, s.Datagrams[Message] + s.Units[Message]},
		{"unusable = problems", problems, s.Datagrams[Unusable] + s.Units[Unusable]},
		{"reports = HEP types", reports, s.Datagrams[Report] + s.Datagrams[OtherHEP]},
		{"reports = read + not", quality, s.Datagrams[Report]},
		{"reports read = joined + not", joined, s.Quality[qos.OK] + t.ReportsInSIP},
		{"segments and SCTP packets taken = followed", s.Stream.Segments + s.Stream.SCTP.Packets, s.Datagrams[Segment]},
		{"units = messages + unusable + probes + keep-alives", units, given},
		{"events made = events handed on", made, events},
	} {
		if sum.have != sum.want && (sum.have > sum.want || sum.have+s.Faults < sum.want) {
			return fmt.Errorf("counters disagree: %s: %d, not %d", sum.what, sum.have, sum.want)
		}
	}
	return nil
}
