package engine

import (
	"fmt"
	"slices"
	"sync"

	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/limit"
	"github.com/sipcmbeat/sipcmbeat/internal/metric"
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

// Stats are an engine's counters, totals since the start; Sums has what they add up to.
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
	Telling       bool // each message is a record too

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
	sum.Events, sum.Track, sum.Telling = c.given, c.track.Stats(), c.cfg.Messages
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
// being counted. A frame that the program failed on may be missing on the way.
func (s *Stats) Check() error {
	for typ, n := range s.Events {
		made := s.Track.Events[typ]
		if event.Type(typ) == event.RateCalm {
			made += s.Limit.Told
		}
		if made != n && event.Type(typ) != event.Message {
			return fmt.Errorf("counters disagree: events made = events handed on: %d, not %d of type %s", made, n, event.Type(typ))
		}
	}
	told, followed := s.Events[event.Message], uint64(0)
	if s.Telling {
		followed = s.Datagrams[Message] + s.Units[Message]
	}
	if told > followed || told+s.Faults < followed {
		return fmt.Errorf("counters disagree: records of messages = messages: %d, not %d", told, followed)
	}
	for typ, fates := range s.Limit.Fates {
		var judged uint64
		for _, n := range fates {
			judged += n
		}
		if judged != s.Events[typ] {
			return fmt.Errorf("counters disagree: events made = sent + held + blacklisted: %d, not %d of type %s", judged, s.Events[typ], event.Type(typ))
		}
	}
	v := metric.Values{}
	s.Samples(v.Add)
	return v.Check(Sums, float64(s.Faults))
}
