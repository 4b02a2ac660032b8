package engine

import (
	"fmt"
	"slices"
	"sync"

	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/limit"
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
	Limit   limit.Stats // of the same moment as Events
}

// Add adds the counters of another input.
func (s *Stats) Add(o *Stats) {
	s.Frames += o.Frames
	s.Bytes += o.Bytes
	s.Faults += o.Faults
	for i := range o.Drops {
		s.Drops[i] += o.Drops[i]
	}
	for i := range o.Datagrams {
		s.Datagrams[i] += o.Datagrams[i]
		s.Units[i] += o.Units[i]
	}
	for i := range o.Problems {
		s.Problems[i] += o.Problems[i]
	}
	for i := range o.Capsules {
		s.Capsules[i] += o.Capsules[i]
	}
	for i := range o.HEPTypes {
		s.HEPTypes[i] += o.HEPTypes[i]
	}
	for i := range o.Quality {
		s.Quality[i] += o.Quality[i]
	}
	s.Capture.Add(&o.Capture)
	s.Packet.Add(&o.Packet)
	s.Stream.Add(&o.Stream)
}

// InputStats are the counters of one input. Events and Track are of all inputs
// together, and zero here.
type InputStats struct {
	Name  string
	Live  bool
	Ended bool
	Stats
}

// Stats gives the sums over all inputs. It waits for the frames in work, and may be
// called at any time from any goroutine.
func (e *Engine) Stats() Stats {
	sum, _ := e.Inputs()
	return sum
}

// Inputs gives the sums, and what belongs to each input, in the order of New, all of
// one moment. Behind them is what was put in by hand, if anything was.
func (e *Engine) Inputs() (sum Stats, each []InputStats) {
	lanes := e.lanes
	if l := e.inject.Load(); l != nil {
		lanes = append(slices.Clip(lanes), l)
	}
	each = make([]InputStats, len(lanes))
	var wg sync.WaitGroup
	for i, l := range lanes { // may wait for a Next, so before any lock, and for all at once
		each[i] = InputStats{Name: l.in.Name, Live: l.in.Live}
		if l.in.Source != nil {
			wg.Go(func() { each[i].Capture = l.in.Source.Stats() })
		}
	}
	wg.Wait()
	for _, l := range lanes {
		l.mu.Lock()
		defer l.mu.Unlock()
	}
	c := e.core
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, l := range lanes {
		s := &each[i]
		from := s.Capture
		s.Stats = l.stats
		s.Capture, s.Packet, s.Stream, s.Ended = from, l.dec.Stats(), l.stream.Stats(), l.left
		sum.Add(&s.Stats)
	}
	sum.Events, sum.Track = c.given, c.track.Stats()
	if c.cfg.Limit != nil {
		sum.Limit = c.cfg.Limit.Stats()
	} else {
		for t, n := range c.given {
			sum.Limit.Fates[t][limit.Sent] = n
		}
	}
	return sum, each
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
	for t, n := range s.Events {
		if event.Type(t) != event.Message {
			events += n
		}
	}
	followed := s.Datagrams[Message] + s.Units[Message]
	told := s.Events[event.Message]
	if told == 0 { // messages are no records
		told = followed
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
	var judged uint64
	for f := range limit.NumFates {
		judged += s.Limit.Sum(f)
	}
	for _, sum := range []struct {
		what       string
		have, want uint64
	}{
		{"frames = decoded + dropped", drops, s.Frames},
		{"datagrams = messages + probes + errors + keep-alives + duplicates + other ports", fates, s.Drops[packet.OK] + s.Capsules[packet.OK]},
		{"HEP packets in TCP = decoded + dropped", capsules, s.Units[Capsule]},
		{"messages = requests + answers", t.Requests + t.Responses, followed},
		{"records of messages = messages", told, followed},
		{"unusable = problems", problems, s.Datagrams[Unusable] + s.Units[Unusable]},
		{"reports = HEP types", reports, s.Datagrams[Report] + s.Datagrams[OtherHEP]},
		{"reports = read + not", quality, s.Datagrams[Report]},
		{"reports read = joined + not", joined, s.Quality[qos.OK] + t.ReportsInSIP},
		{"segments and SCTP packets taken = followed", s.Stream.Segments + s.Stream.SCTP.Packets, s.Datagrams[Segment]},
		{"units = messages + unusable + probes + keep-alives", units, given},
		{"events made = events handed on", made + s.Limit.Told, events},
		{"events made = sent + held + blacklisted", judged, events},
	} {
		if sum.have != sum.want && (sum.have > sum.want || sum.have+s.Faults < sum.want) {
			return fmt.Errorf("counters disagree: %s: %d, not %d", sum.what, sum.have, sum.want)
		}
	}
	return nil
}
