// Package qos reads reports of how media arrived: RTCP and RTCP XR as JSON, as HEP
// types 5, 34, 35 and 38 carry them, and application/vq-rtcpxr (RFC 6035).
//
// It does no I/O, has no clock, knows no calls and estimates nothing: a report
// without a MOS gets none. What a value cannot be by its definition is left out. A
// Report borrows the body it was read from; reading allocates nothing but for the
// text of addresses.
package qos

import "net/netip"

// MaxBody is the longest body that is read, in bytes. RFC 6035 reports are below
// 4 KiB; longer ones are none.
const MaxBody = 16 << 10

// Kind is what a report speaks of.
type Kind uint8

// The kinds. The last two speak of a whole session, the others of a part of it.
const (
	RTCP     Kind = iota // one RTCP packet (RFC 3550 §6.4)
	Periodic             // a probe that follows the RTP stream
	Interval             // VQIntervalReport, VQAlertReport (RFC 6035 §4.6)
	Stream               // the last report of such a probe
	Session              // VQSessionReport (RFC 6035 §4.6), or a border controller's
	NumKinds
)

// String names the kind.
func (k Kind) String() string {
	return [...]string{"rtcp", "periodic", "interval", "stream", "session"}[k]
}

// Final reports whether it speaks of the whole session.
func (k Kind) Final() bool { return k >= Stream }

// Has says which of the Metrics are there.
type Has uint16

// The Metrics one by one.
const (
	HasMOS Has = 1 << iota
	HasMOSMin
	HasLoss
	HasJitter
	HasTicks
	HasDelay
	HasR
	HasPackets
	HasLost
	hasSharp // the better of two sources of one value was seen; used while reading
)

// Metrics are of the media that one end received. What is not in Has is zero.
type Metrics struct {
	Has     Has
	MOS     float64 // 1 to 5; listening quality where there are two
	MOSMin  float64 // the lowest within the report
	Loss    float64 // percent
	Jitter  float64 // ms
	Ticks   uint32  // jitter in units of the RTP clock (RFC 3550 §6.4.1), which the report does not name
	Delay   float64 // round trip in ms
	R       float64 // 0 to 120 (ITU-T G.107)
	Packets uint64  // that were sent to it, or counted on the way
	Lost    uint64  // since the beginning
}

// Side is which end of the call Local is, where the report itself says so.
type Side uint8

// The sides.
const (
	SideUnknown Side = iota
	Caller
	Callee
)

// Report is one report. Its bytes are borrowed from the body, or from the Report
// itself where the body had them escaped; both until the next Parse.
type Report struct {
	Kind    Kind
	CallIDs [3][]byte // the second is that of another leg, the third what the carrier of the report says
	FromTag []byte    // of the DialogID
	ToTag   []byte

	// Local measured what it received, Here; There is what Remote received, as far
	// as Local knows.
	Local, Remote                netip.AddrPort // of the media
	LocalID, RemoteID, Originate []byte         // URIs (RFC 6035 §4.6.2); Originate called
	Side                         Side
	Here, There                  Metrics
	Codec                        []byte

	buf  []byte // unescaped strings
	work reading
}

// Outcome is what Parse made of a body.
type Outcome uint8

// The outcomes.
const (
	OK      Outcome = iota
	Foreign         // not a form that is known
	Empty           // no value in it that could be used
	TooLong
	NumOutcomes
)

// String names the outcome in counters.
func (o Outcome) String() string {
	return [...]string{"read", "of an unknown form", "without values", "too long"}[o]
}

// Parse reads the payload of a HEP packet of type 5, 34, 35 or 38. Senders mix the
// types, so the body's own form decides. src and dst are the addresses that the HEP
// packet tells: of RTCP, who sent the report and to whom; of a probe, the stream. r
// borrows body.
func (r *Report) Parse(body []byte, src, dst netip.AddrPort) Outcome {
	r.reset()
	body = trim(body)
	switch {
	case len(body) > MaxBody:
		return TooLong
	case len(body) > 0 && body[0] == '{':
		return r.json(body, src, dst)
	}
	return r.text(body)
}

// ParseText reads a body of application/vq-rtcpxr, which r borrows.
func (r *Report) ParseText(body []byte) Outcome {
	r.reset()
	if body = trim(body); len(body) > MaxBody {
		return TooLong
	}
	return r.text(body)
}

func (r *Report) reset() { *r = Report{buf: r.buf[:0]} }

// IsText reports whether a Content-Type is application/vq-rtcpxr.
func IsText(contentType []byte) bool {
	const want = "application/vq-rtcpxr"
	for i, c := range contentType {
		if c == ';' {
			contentType = contentType[:i]
			break
		}
	}
	return equalFold(trim(contentType), want)
}

func (r *Report) outcome() Outcome {
	r.Here.Has &^= hasSharp
	r.There.Has &^= hasSharp
	if r.Here.Has|r.There.Has == 0 {
		return Empty
	}
	return OK
}

// set keeps v if it is one that the value can have.
func (m *Metrics) set(what Has, to *float64, v, low, high float64) bool {
	if !(v >= low && v <= high) { // also NaN
		return false
	}
	*to = v
	m.Has |= what
	return true
}

// mos takes a MOS as written: 1 to 5, or in hundredths, as border controllers count.
func (m *Metrics) mos(what Has, to *float64, v float64) {
	if v >= 100 {
		v /= 100
	}
	m.set(what, to, v, 1, 5)
}

// rating takes an R factor, whole or in hundredths; 127 is "unavailable" (RFC 3611
// §4.7.5).
func (m *Metrics) rating(v float64) {
	if v >= 200 {
		v /= 100
	}
	m.set(HasR, &m.R, v, 0, maxRating)
}

// delay takes a round trip; 0 is "not measured" (RFC 3611 §4.7.3).
func (m *Metrics) delay(v float64) {
	if v > 0 {
		m.set(HasDelay, &m.Delay, v, 0, maxMillis)
	}
}

func (m *Metrics) jitter(v float64) { m.set(HasJitter, &m.Jitter, v, 0, maxMillis) }

func (m *Metrics) loss(v float64) { m.set(HasLoss, &m.Loss, v, 0, 100) }

// lost takes a cumulative number; a negative one, with more duplicates than losses,
// is none, also where a sender left it as 24 bits (RFC 3550 §6.4.1).
func (m *Metrics) lost(v float64) {
	if v < 0 || v >= 1<<23 && v < 1<<24 || v >= 1<<32-1<<24 {
		v = 0
	}
	if v < 1<<32 {
		m.Lost = uint64(v)
		m.Has |= HasLost
	}
}

func (m *Metrics) packets(v float64) {
	if v >= 0 && v < 1<<40 {
		m.Packets = uint64(v)
		m.Has |= HasPackets
	}
}

const (
	maxMillis = 60000
	maxRating = 120 // wideband goes beyond 100
)

func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] <= ' ') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] <= ' ') {
		b = b[:len(b)-1]
	}
	return b
}

func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i := range b {
		if lower(b[i]) != lower(s[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}
