package track

import (
	"bytes"
	"net/netip"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/qos"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// Quality reports are joined to calls: by Call-ID, and within one by the tags that
// the report names, else by the addresses of its media, else to the latest call. A
// report makes no entry; one whose call is not known, or over, is counted.
//
// A report speaks of the media that arrived at one end. Which end is found by what
// it says itself, by where the SDP of each end asks for media, by the URIs that it
// names, last by the addresses of the signalling.

// ReportFate is what became of a quality report.
type ReportFate uint8

// The fates.
const (
	ReportJoined     ReportFate = iota // to one end of a call
	ReportUndirected                   // to a call; which end it speaks of is not known
	ReportAgain                        // the same as the one before it, sent again with credentials
	ReportEarly                        // of a call that is not answered
	ReportLate                         // of a call that is over
	ReportUnknown                      // of no call that is known
	NumReports
)

// String names the fate in counters.
func (f ReportFate) String() string {
	return [...]string{"joined", "without direction", "repeated", "before the answer", "late", "of unknown calls"}[f]
}

// quality is what the reports of one call said.
type quality struct {
	ends    [3]reception // the caller, the callee, and what could not be told
	reports uint32
	last    uint64 // hash of the last report that SIP carried
}

const (
	undirected     = 2
	qualityEntry   = 512 // bytes
	ordinaryRate   = 8000
	likelyRTCPPort = 1 // above that of RTP (RFC 3550 §11)
)

// reportRank is how much a report counts: one of a higher rank takes the place of those
// before it, one of a lower rank adds only what they had not.
type reportRank uint8

const (
	rankPart    reportRank = iota // of a part of the session
	rankHearsay                   // of the whole session, from the other end
	rankWhole                     // of the whole session, from the end itself
)

// reception gathers what arrived at one end.
type reception struct {
	rank                     reportRank
	mos, loss, delay, rating mean
	mosMin, lossMax, jitter  float64
	packets, lost            uint64
	has                      qos.Has
}

// mean is an average in the making.
type mean struct {
	sum float64
	n   uint32
}

func (m *mean) add(x float64) { m.sum += x; m.n++ }

func (m *mean) value() float64 { return m.sum / float64(m.n) }

// add takes in what one report says. rate is that of the RTP clock in Hz.
func (h *reception) add(m *qos.Metrics, rank reportRank, rate float64) {
	if rank > h.rank {
		h.mos, h.loss, h.delay, h.rating, h.jitter, h.rank = mean{}, mean{}, mean{}, mean{}, 0, rank
		h.has &^= qos.HasJitter
	}
	has := m.Has
	jitter := m.Jitter
	if has&qos.HasJitter == 0 && has&qos.HasTicks != 0 {
		jitter = float64(m.Ticks) * 1000 / rate
		has |= qos.HasJitter
	}
	if has&qos.HasPackets != 0 {
		h.packets = max(h.packets, m.Packets)
	}
	if has&qos.HasLost != 0 {
		h.lost = max(h.lost, m.Lost)
	}
	h.has |= has & (qos.HasPackets | qos.HasLost)
	if rank < h.rank {
		return
	}
	if has&qos.HasMOS != 0 {
		h.mos.add(m.MOS)
		h.lowest(m.MOS)
	}
	if has&qos.HasMOSMin != 0 {
		h.lowest(m.MOSMin)
	}
	if has&qos.HasLoss != 0 {
		h.loss.add(m.Loss)
		h.lossMax = max(h.lossMax, m.Loss)
	}
	if has&qos.HasJitter != 0 {
		h.jitter = max(h.jitter, jitter)
	}
	if has&qos.HasDelay != 0 {
		h.delay.add(m.Delay)
	}
	if has&qos.HasR != 0 {
		h.rating.add(m.R)
	}
	h.has |= has
}

func (h *reception) lowest(mos float64) {
	if h.has&qos.HasMOSMin == 0 || mos < h.mosMin {
		h.mosMin = mos
		h.has |= qos.HasMOSMin
	}
}

// told is what the record says.
func (h *reception) told() event.Heard {
	e := event.Unheard
	for _, m := range [...]struct {
		to   *int32
		mean *mean
	}{{&e.MOS, &h.mos}, {&e.Loss, &h.loss}, {&e.Delay, &h.delay}, {&e.R, &h.rating}} {
		if m.mean.n > 0 {
			*m.to = milli(m.mean.value())
		}
	}
	if h.has&qos.HasMOSMin != 0 {
		e.MOSMin = milli(h.mosMin)
	}
	if h.has&qos.HasLoss != 0 {
		e.LossMax = milli(h.lossMax)
	}
	if h.has&qos.HasJitter != 0 {
		e.Jitter = milli(h.jitter)
	}
	if h.has&qos.HasPackets != 0 {
		e.Packets = int64(h.packets)
	}
	if h.has&qos.HasLost != 0 {
		e.Lost = int64(h.lost)
		// What was lost since the beginning says more than the average of parts.
		if h.rank == rankPart && h.packets > 0 && h.has&qos.HasPackets != 0 {
			e.Loss = milli(min(100*float64(h.lost)/float64(h.packets), 100))
		}
	}
	return e
}

func milli(x float64) int32 { return int32(x*1000 + 0.5) }

// Report joins a report to its call and appends to dst the events that are due by
// its time. It borrows p and r for the call.
func (t *Tracker) Report(dst []event.Event, p *packet.Packet, r *qos.Report) []event.Event {
	t.out = dst
	t.clockOf(p)
	t.makeRoom()
	t.stats.Reports[t.join(r, netip.Addr{}, 0)]++
	t.rest()
	dst, t.out = t.out, nil
	return dst
}

// reportIn joins the report in the body of a request, and tells it in the request's
// own record: a session report comes when the call is over.
func (t *Tracker) reportIn(r *request, v *view) {
	rep := &t.report
	body := v.m.Body()
	if rep.ParseText(body) != qos.OK {
		return
	}
	t.stats.ReportsInSIP++
	t.stats.Reports[t.join(rep, v.p.Src.Addr(), t.hash(body))]++
	var here, there reception
	here.add(&rep.Here, rankWhole, ordinaryRate)
	there.add(&rep.There, rankWhole, ordinaryRate)
	q := event.Quality{Ends: [2]event.Heard{here.told(), there.told()}, MOS: -1, Reports: 1}
	for i := range q.Ends {
		q.Ends[i].MOSMin, q.Ends[i].LossMax = -1, -1 // of one report, the same as without
		q.MOS = worse(q.MOS, q.Ends[i].MOS)
	}
	r.rec.SetQuality(&q)
	r.rec.SetKey(&r.rec.QualityCall, rep.CallIDs[0])
	r.rec.Set(&r.rec.QualityCodec, rep.Codec)
}

// worse is the lower of two, of which a negative one is not known.
func worse(a, b int32) int32 {
	if a < 0 || b >= 0 && b < a {
		return b
	}
	return a
}

// join gives a report to the calls of its Call-IDs. from is who sent it by SIP, and
// body what it sent; both zero otherwise.
func (t *Tracker) join(r *qos.Report, from netip.Addr, body uint64) ReportFate {
	fate := ReportUnknown
	for i, id := range r.CallIDs {
		if len(id) == 0 || i > 0 && bytes.Equal(id, r.CallIDs[0]) || i > 1 && bytes.Equal(id, r.CallIDs[1]) {
			continue
		}
		if s := t.calls.sets[t.hash(id)]; s != nil {
			fate = min(fate, t.joinSet(s, r, from, body))
		}
	}
	return fate
}

func (t *Tracker) joinSet(s *callSet, r *qos.Report, from netip.Addr, body uint64) ReportFate {
	d, fate := t.reportedDialog(s, r)
	if d == nil {
		return fate
	}
	q := d.quality
	if q == nil {
		q = take(&t.pools.quality)
		*q = quality{}
		d.quality = q
		t.calls.bytes += qualityEntry
	}
	if body != 0 {
		if body == q.last {
			return ReportAgain
		}
		q.last = body
	}
	q.reports++
	here, there := undirected, undirected
	fate = ReportUndirected
	if side := reportingEnd(t.look(d), r, from); side != qos.SideUnknown {
		here = int(side - qos.Caller)
		there = 1 - here
		fate = ReportJoined
	}
	own, other := rankPart, rankPart
	if r.Kind.Final() {
		own, other = rankWhole, rankHearsay
	}
	if r.Side != qos.SideUnknown { // a third party measured both
		other = own
	}
	rate := clockRate(t.look(d))
	q.ends[here].add(&r.Here, own, rate)
	q.ends[there].add(&r.There, other, rate)
	return fate
}

// reportedDialog finds the call in a set that a report speaks of; nil and why there
// is none otherwise.
func (t *Tracker) reportedDialog(s *callSet, r *qos.Report) (*dialog, ReportFate) {
	if len(r.FromTag) > 0 && len(r.ToTag) > 0 {
		if d := s.dialogs.get(dialogKey(t.hash(r.FromTag), t.hash(r.ToTag))); d != nil {
			return d.takesReports()
		}
	}
	var latest *dialog
	fate := ReportUnknown
	if len(s.attempts.items) > 0 {
		fate = ReportEarly
	}
	all := s.dialogs.latest()
	for i := len(all) - 1; i >= 0; i-- {
		d, why := all[i].takesReports()
		if d == nil {
			if why == ReportLate {
				fate = ReportLate
			}
			continue
		}
		if len(all) == 1 || mediaEnd(t.look(d), r.Local, true) >= 0 || mediaEnd(t.look(d), r.Remote, true) >= 0 {
			return d, ReportJoined
		}
		if latest == nil {
			latest = d
		}
	}
	return latest, fate
}

// takesReports is d while its call-end is not said.
func (d *dialog) takesReports() (*dialog, ReportFate) {
	switch d.state {
	case confirmed, assumed, ending, endingOld, awaited:
		return d, ReportJoined
	case ended:
		return nil, ReportLate
	}
	return nil, ReportEarly
}

// reportingEnd tells which end a report's Local is.
func reportingEnd(e *event.Event, r *qos.Report, from netip.Addr) qos.Side {
	if r.Side != qos.SideUnknown {
		return r.Side
	}
	end := func(i int) qos.Side { return qos.Caller + qos.Side(i) }
	if i := mediaEnd(e, r.Local, true); i >= 0 {
		return end(i)
	}
	if i := mediaEnd(e, r.Remote, true); i >= 0 {
		return end(1 - i)
	}
	if i := partyEnd(e, r.LocalID); i >= 0 {
		return end(i)
	}
	if i := partyEnd(e, r.RemoteID); i >= 0 {
		return end(1 - i)
	}
	if len(r.Originate) > 0 && !bytes.Equal(r.LocalID, r.RemoteID) {
		switch {
		case bytes.Equal(r.Originate, r.LocalID):
			return qos.Caller
		case bytes.Equal(r.Originate, r.RemoteID):
			return qos.Callee
		}
	}
	if i := mediaEnd(e, r.Local, false); i >= 0 {
		return end(i)
	}
	if i := mediaEnd(e, r.Remote, false); i >= 0 {
		return end(1 - i)
	}
	if !from.IsValid() {
		from = r.Local.Addr()
	}
	switch src, dst := e.Src.Addr(), e.Dst.Addr(); {
	case src == dst:
	case from == src:
		return qos.Caller
	case from == dst:
		return qos.Callee
	}
	return qos.SideUnknown
}

// mediaEnd tells whose media address a is: 0 the caller's, 1 the callee's, -1 nobody's
// or both's. exact compares the port too, which is RTP's or the one above.
func mediaEnd(e *event.Event, a netip.AddrPort, exact bool) int {
	if !a.IsValid() {
		return -1
	}
	found := -1
	var text [48]byte
	want := a.Addr().Unmap().AppendTo(text[:0])
	for i, m := range [...]event.MediaEnd{e.Offered, e.Answered} {
		if !bytes.Equal(e.Bytes(m.Addr), want) || exact && a.Port() != m.Port && a.Port() != m.Port+likelyRTCPPort {
			continue
		}
		if found >= 0 {
			return -1
		}
		found = i
	}
	return found
}

// partyEnd tells whose URI it is by user and host: 0 From's, 1 To's, -1 nobody's or
// both's.
func partyEnd(e *event.Event, uri []byte) int {
	var u sip.URI
	if len(uri) == 0 || !u.Parse(uri) {
		return -1
	}
	found := -1
	for i, party := range [...]*event.Party{&e.From, &e.To} {
		if !bytes.Equal(e.Bytes(party.URI.User), u.User()) || !bytes.EqualFold(e.Bytes(party.URI.Host), u.Host()) {
			continue
		}
		if found >= 0 {
			return -1
		}
		found = i
	}
	return found
}

// rates are the RTP clocks of codecs whose clock is not 8000 Hz, in Hz (RFC 7587
// §4.1, RFC 4867 §8.2, RFC 5577).
var rates = [...]struct {
	codec string
	rate  float64
}{{"opus", 48000}, {"AMR-WB", 16000}, {"G7221", 16000}, {"EVS", 16000}}

// clockRate is that of the first codec that was agreed on: a report of jitter in
// units of the clock does not name it.
func clockRate(e *event.Event) float64 {
	list := e.Codecs
	first, ok := e.Next(&list)
	for _, r := range rates {
		if ok && bytes.EqualFold(first, []byte(r.codec)) {
			return r.rate
		}
	}
	return ordinaryRate
}

// fillQuality tells in a call-end what the reports said, and lets go of them.
func (t *Tracker) fillQuality(e *event.Event, d *dialog) {
	if d.quality == nil {
		return
	}
	q := event.Quality{Ends: [2]event.Heard{d.quality.ends[0].told(), d.quality.ends[1].told()}, Reports: d.quality.reports}
	q.MOS = worse(worse(q.Ends[0].MOS, q.Ends[1].MOS), d.quality.ends[undirected].told().MOS)
	e.SetQuality(&q)
	t.freeQuality(d)
}

func (t *Tracker) freeQuality(d *dialog) {
	if d.quality != nil {
		t.calls.bytes -= qualityEntry
		give(&t.pools.quality, d.quality)
		d.quality = nil
	}
}
