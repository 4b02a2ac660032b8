package event

import "encoding/binary"

// Heard is how media arrived at one end, in thousandths of the unit; what is not
// known is negative.
type Heard struct {
	MOS, MOSMin   int32 // 1 to 5
	Loss, LossMax int32 // percent
	Jitter, Delay int32 // ms
	R             int32
	Packets, Lost int64 // whole
}

// Quality is what reports say about the media of a call: Ends are the caller and the
// callee; of a report alone, the end that reports and the other.
type Quality struct {
	Ends    [2]Heard
	MOS     int32 // the worse, in thousandths; negative is not known
	Reports uint32
}

// Unheard is a Heard of which nothing is known.
var Unheard = Heard{-1, -1, -1, -1, -1, -1, -1, -1, -1}

const (
	heardSize   = 7*4 + 2*8
	qualitySize = 2*heardSize + 8
)

// SetQuality copies q into e: few records have one, and those that have none keep no
// room for it.
func (e *Event) SetQuality(q *Quality) {
	if len(e.buf)+qualitySize > maxBuf {
		e.Anomalies |= FieldCut
		return
	}
	off := len(e.buf)
	for i := range q.Ends {
		h := &q.Ends[i]
		for _, n := range [...]int32{h.MOS, h.MOSMin, h.Loss, h.LossMax, h.Jitter, h.Delay, h.R} {
			e.buf = binary.BigEndian.AppendUint32(e.buf, uint32(n))
		}
		e.buf = binary.BigEndian.AppendUint64(e.buf, uint64(h.Packets))
		e.buf = binary.BigEndian.AppendUint64(e.buf, uint64(h.Lost))
	}
	e.buf = binary.BigEndian.AppendUint32(e.buf, uint32(q.MOS))
	e.buf = binary.BigEndian.AppendUint32(e.buf, q.Reports)
	e.quality = Text{uint16(off), qualitySize}
}

// Quality is what SetQuality put in; ok is false where it did not.
func (e *Event) Quality() (q Quality, ok bool) {
	b := e.Bytes(e.quality)
	if len(b) != qualitySize {
		return Quality{}, false
	}
	next := func() uint32 {
		n := binary.BigEndian.Uint32(b)
		b = b[4:]
		return n
	}
	for i := range q.Ends {
		h := &q.Ends[i]
		for _, to := range [...]*int32{&h.MOS, &h.MOSMin, &h.Loss, &h.LossMax, &h.Jitter, &h.Delay, &h.R} {
			*to = int32(next())
		}
		h.Packets, h.Lost = int64(uint64(next())<<32|uint64(next())), int64(uint64(next())<<32|uint64(next()))
	}
	q.MOS, q.Reports = int32(next()), next()
	return q, true
}

var quality = []row{
	{"sip.qos.mos", double, public, func(e *Event, v *Value) {
		if q, ok := e.Quality(); ok {
			v.milli(q.MOS)
		}
	}},
	{"sip.qos.reports", long, public, func(e *Event, v *Value) {
		if q, ok := e.Quality(); ok {
			v.positive(int64(q.Reports))
		}
	}},
}

// report is what a request has that carries one.
var report = []row{
	{"sip.qos.call_id", keyword, asCallID, func(e *Event, v *Value) { v.str(e, e.QualityCall) }},
	{"sip.qos.codec", keyword, asWord, func(e *Event, v *Value) { v.str(e, e.QualityCodec) }},
}

// heard is the rows of one end; one is true for those that one report alone has.
func heard(name string, end int, one bool) []row {
	milli := func(of func(*Heard) int32) func(*Event, *Value) {
		return func(e *Event, v *Value) {
			if q, ok := e.Quality(); ok {
				v.milli(of(&q.Ends[end]))
			}
		}
	}
	whole := func(of func(*Heard) int64) func(*Event, *Value) {
		return func(e *Event, v *Value) {
			if q, ok := e.Quality(); ok && of(&q.Ends[end]) >= 0 {
				v.integer(of(&q.Ends[end]))
			}
		}
	}
	rows := []row{
		{name + ".mos", double, public, milli(func(h *Heard) int32 { return h.MOS })},
		{name + ".loss_pct", double, public, milli(func(h *Heard) int32 { return h.Loss })},
		{name + ".jitter_ms", double, public, milli(func(h *Heard) int32 { return h.Jitter })},
		{name + ".delay_ms", double, public, milli(func(h *Heard) int32 { return h.Delay })},
		{name + ".r_factor", double, public, milli(func(h *Heard) int32 { return h.R })},
	}
	if one {
		return rows
	}
	return append(rows, []row{
		{name + ".mos_min", double, public, milli(func(h *Heard) int32 { return h.MOSMin })},
		{name + ".loss_max_pct", double, public, milli(func(h *Heard) int32 { return h.LossMax })},
		{name + ".packets", long, public, whole(func(h *Heard) int64 { return h.Packets })},
		{name + ".lost", long, public, whole(func(h *Heard) int64 { return h.Lost })},
	}...)
}
