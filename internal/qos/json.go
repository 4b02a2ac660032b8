package qos

import (
	"math"
	"net/netip"
	"strconv"
	"unicode/utf8"
)

// JSON as it comes: rtpengine and captagent write it with printf, so a comma may
// stand before a closing bracket, numbers may be strings (Asterisk: "lsr":"0"), and
// the end may be cut. The scanner takes what it can name and passes the rest.

// names are the values that are read, by the object they stand in. Of arrays of
// objects the members have the array's name.
//
// sender_information, report_blocks: RTCP (RFC 3550 §6.4), HEP type 5, from
// rtpengine, heplify, Asterisk, FreeSWITCH. report_blocks_xr: heplify,
// extended_report_information: captagent; both are a VoIP Metrics block (RFC 3611
// §4.7). In capitals: probes (HEP type 34, 35) and horaclifix (38), whose MOS and R
// are in hundredths.
var names = map[string]func(p *reading, v value){
	"sender_information.packets": func(p *reading, v value) { p.r.There.packets(v.number()) },

	"report_blocks.fraction_lost": func(p *reading, v value) { p.block.fraction = v.number() },
	"report_blocks.packets_lost":  func(p *reading, v value) { p.block.lost = v.number() },
	"report_blocks.ia_jitter":     func(p *reading, v value) { p.block.jitter = v.number() },

	"report_blocks_xr.fraction_lost":    func(p *reading, v value) { p.xrLoss(v) },
	"report_blocks_xr.round_trip_delay": func(p *reading, v value) { p.r.Here.delay(v.number()) },
	"report_blocks_xr.r_factor":         func(p *reading, v value) { p.xrRating(v) },
	"report_blocks_xr.mos_lq":           func(p *reading, v value) { p.xrMOS(v, true) },
	"report_blocks_xr.mos_cq":           func(p *reading, v value) { p.xrMOS(v, false) },

	"extended_report_information.loss_rate":        func(p *reading, v value) { p.xrLoss(v) },
	"extended_report_information.round_trip_delay": func(p *reading, v value) { p.r.Here.delay(v.number()) },
	"extended_report_information.R_fact":           func(p *reading, v value) { p.xrRating(v) },
	"extended_report_information.MOS_LQ":           func(p *reading, v value) { p.xrMOS(v, true) },
	"extended_report_information.MOS_CQ":           func(p *reading, v value) { p.xrMOS(v, false) },

	"mos":      func(p *reading, v value) { p.pickMOS(v.number(), false) },
	"r_factor": func(p *reading, v value) { p.r.Here.rating(v.number()) },
	"rfactor":  func(p *reading, v value) { p.r.Here.rating(v.number()) },

	"CORRELATION_ID":  func(p *reading, v value) { p.r.CallIDs[1] = v.text(p.r) },
	"RTP_SIP_CALL_ID": func(p *reading, v value) { p.r.CallIDs[0] = v.text(p.r) },
	"MOS":             func(p *reading, v value) { p.mos(v, false) },
	"MEAN_MOS":        func(p *reading, v value) { p.mos(v, true) },
	"MIN_MOS":         func(p *reading, v value) { p.r.Here.mos(HasMOSMin, &p.r.Here.MOSMin, v.number()) },
	"RFACTOR":         func(p *reading, v value) { p.rating(v, false) },
	"MEAN_RFACTOR":    func(p *reading, v value) { p.rating(v, true) },
	"JITTER":          func(p *reading, v value) { p.jitter(v, false) },
	"MEAN_JITTER":     func(p *reading, v value) { p.jitter(v, true) },
	"TOTAL_PK":        func(p *reading, v value) { p.r.Here.packets(v.number()) },
	"EXPECTED_PK":     func(p *reading, v value) { p.expected = v.number() },
	"PACKET_LOSS":     func(p *reading, v value) { p.r.Here.lost(v.number()) },
	"CODEC_NAME":      func(p *reading, v value) { p.r.Codec = v.text(p.r) },
	"SRC_IP":          func(p *reading, v value) { p.src.addr = v.addr() },
	"SRC_PORT":        func(p *reading, v value) { p.src.port = v.port() },
	"DST_IP":          func(p *reading, v value) { p.dst.addr = v.addr() },
	"DST_PORT":        func(p *reading, v value) { p.dst.port = v.port() },
	"TYPE":            func(p *reading, v value) { p.last = equalFold(v.bytes, "HANGUP") || equalFold(v.bytes, "FINAL") },

	"INC_ID":             func(p *reading, v value) { p.r.CallIDs[0] = v.text(p.r) },
	"OUT_ID":             func(p *reading, v value) { p.r.CallIDs[1] = v.text(p.r) },
	"INC_MOS":            func(p *reading, v value) { p.sbc(&p.r.There).mos(HasMOS, &p.r.There.MOS, v.number()) },
	"INC_RVAL":           func(p *reading, v value) { p.sbc(&p.r.There).rating(v.number()) },
	"INC_RTP_PK":         func(p *reading, v value) { p.sbc(&p.r.There).packets(v.number()) },
	"INC_RTP_PK_LOSS":    func(p *reading, v value) { p.sbc(&p.r.There).lost(v.number()) },
	"INC_RTP_AVG_JITTER": func(p *reading, v value) { p.sbc(&p.r.There).jitter(v.number()) },
	"INC_RTCP_AVG_LAT":   func(p *reading, v value) { p.sbc(&p.r.There).delay(v.number()) },
	"OUT_MOS":            func(p *reading, v value) { p.sbc(&p.r.Here).mos(HasMOS, &p.r.Here.MOS, v.number()) },
	"OUT_RVAL":           func(p *reading, v value) { p.sbc(&p.r.Here).rating(v.number()) },
	"OUT_RTP_PK":         func(p *reading, v value) { p.sbc(&p.r.Here).packets(v.number()) },
	"OUT_RTP_PK_LOSS":    func(p *reading, v value) { p.sbc(&p.r.Here).lost(v.number()) },
	"OUT_RTP_AVG_JITTER": func(p *reading, v value) { p.sbc(&p.r.Here).jitter(v.number()) },
	"OUT_RTCP_AVG_LAT":   func(p *reading, v value) { p.sbc(&p.r.Here).delay(v.number()) },
}

// reading is the state of one parse.
type reading struct {
	r   *Report
	b   []byte
	at  int
	key [64]byte

	block      struct{ fraction, lost, jitter float64 } // of the report block in work; -1 is none
	src, dst   ending
	expected   float64
	last       bool // the probe's last report
	probe      bool // a key of a probe was seen
	controller bool // a key of a border controller
}

// ending is an address in two values.
type ending struct {
	addr netip.Addr
	port uint16
}

func (e ending) or(other netip.AddrPort) netip.AddrPort {
	if !e.addr.IsValid() || e.addr.IsUnspecified() {
		return other
	}
	return netip.AddrPortFrom(e.addr, e.port)
}

func (r *Report) json(body []byte, src, dst netip.AddrPort) Outcome {
	p := &r.work // it would escape from the stack
	*p = reading{r: r, b: body}
	p.noBlock()
	if !p.object("", maxNesting) && r.Here.Has|r.There.Has == 0 {
		return Foreign
	}
	switch {
	case p.controller:
		r.Kind, r.Side = Session, Caller
		r.Here.expect()
		r.There.expect()
	case p.probe:
		// The probe saw the stream from src to dst: dst is who received it.
		r.Kind, r.Local, r.Remote = Periodic, p.dst.or(dst), p.src.or(src)
		if p.last {
			r.Kind = Stream
		}
		if p.expected > 0 {
			r.Here.packets(p.expected)
			r.Here.share()
		} else {
			r.Here.expect()
		}
	default:
		r.Kind, r.Local, r.Remote = RTCP, src, dst
	}
	return r.outcome()
}

// share makes the loss in percent of what was lost of how many.
func (m *Metrics) share() {
	if m.Has&HasLost != 0 && m.Has&HasPackets != 0 && m.Packets > 0 {
		m.loss(min(100*float64(m.Lost)/float64(m.Packets), 100))
	}
}

// expect turns packets that arrived into packets that were sent.
func (m *Metrics) expect() {
	if m.Has&HasPackets != 0 {
		m.Packets += m.Lost
		m.share()
	}
}

func (p *reading) noBlock() { p.block.fraction, p.block.lost, p.block.jitter = -1, -1, -1 }

// endBlock takes over a report block: the first, and of several each that is worse.
func (p *reading) endBlock() {
	m, b := &p.r.Here, &p.block
	if b.fraction >= 0 && b.fraction < 256 {
		if share := b.fraction * 100 / 256; m.Has&HasLoss == 0 || share > m.Loss {
			m.loss(share)
		}
	}
	if b.lost >= 0 {
		before, had := m.Lost, m.Has&HasLost != 0
		m.lost(b.lost)
		if had {
			m.Lost = max(m.Lost, before)
		}
	}
	// 10^7 units are minutes: a sender that computed below zero.
	if b.jitter >= 0 && b.jitter < 1e7 && (m.Has&HasTicks == 0 || b.jitter > float64(m.Ticks)) {
		m.Ticks = uint32(b.jitter)
		m.Has |= HasTicks
	}
	p.noBlock()
}

// xrLoss takes a loss rate in 256ths (RFC 3611 §4.7.1); senders without XR write 0.
func (p *reading) xrLoss(v value) {
	if n := v.number(); n > 0 && n < 256 {
		p.r.Here.loss(n * 100 / 256)
	}
}

// xrMOS takes a MOS in tenths, 10 to 50 (RFC 3611 §4.7.5), or a plain one.
func (p *reading) xrMOS(v value, listening bool) {
	n := v.number()
	if n >= 10 && n <= 50 {
		n /= 10
	}
	p.pickMOS(n, listening)
}

// xrRating takes an R factor; 0 stands where there is no XR.
func (p *reading) xrRating(v value) {
	if n := v.number(); n > 0 && n <= 100 {
		p.r.Here.rating(n)
	}
}

func (p *reading) mos(v value, mean bool) {
	n := v.number()
	if n >= 100 {
		n /= 100
	}
	p.pickMOS(n, mean)
	p.probe = true
}

// pickMOS keeps the better source of two, whichever comes first.
func (p *reading) pickMOS(n float64, better bool) {
	m := &p.r.Here
	if !better && m.Has&hasSharp != 0 {
		return
	}
	if m.set(HasMOS, &m.MOS, n, 1, 5) && better {
		m.Has |= hasSharp
	}
}

func (p *reading) rating(v value, mean bool) {
	if mean || p.r.Here.Has&HasR == 0 {
		p.r.Here.rating(v.number())
	}
	p.probe = true
}

func (p *reading) jitter(v value, mean bool) {
	if mean || p.r.Here.Has&HasJitter == 0 {
		p.r.Here.jitter(v.number())
	}
	p.probe = true
}

func (p *reading) sbc(m *Metrics) *Metrics {
	p.controller = true
	return m
}

// value is a scalar as it stands, without quotes.
type value struct {
	bytes   []byte
	quoted  bool
	escaped bool
}

// number is not a number where the value is none: no range holds that.
func (v value) number() float64 {
	if len(v.bytes) == 0 || len(v.bytes) > 32 {
		return math.NaN()
	}
	f, err := strconv.ParseFloat(string(v.bytes), 64)
	if err != nil {
		return math.NaN()
	}
	return f
}

func (v value) port() uint16 {
	if n := v.number(); n > 0 && n < 1<<16 {
		return uint16(n)
	}
	return 0
}

func (v value) addr() netip.Addr {
	if len(v.bytes) == 0 || len(v.bytes) > 45 {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(string(v.bytes))
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}

// text borrows the value; an escaped one is written into r.
func (v value) text(r *Report) []byte {
	if !v.quoted {
		return nil
	}
	if !v.escaped {
		return v.bytes
	}
	from := len(r.buf)
	for i := 0; i < len(v.bytes); i++ {
		c := v.bytes[i]
		if c != '\\' || i+1 == len(v.bytes) {
			r.buf = append(r.buf, c)
			continue
		}
		i++
		if v.bytes[i] != 'u' || i+4 >= len(v.bytes) {
			r.buf = append(r.buf, v.bytes[i]) // quote, backslash, slash: what identifiers have
			continue
		}
		n, err := strconv.ParseUint(string(v.bytes[i+1:i+5]), 16, 16)
		if err != nil {
			n = utf8.RuneError
		}
		r.buf = utf8.AppendRune(r.buf, rune(n))
		i += 4
	}
	return r.buf[from:len(r.buf):len(r.buf)]
}

// maxNesting bounds objects in objects: reports have three.
const maxNesting = 8

func (p *reading) blank() {
	for p.at < len(p.b) && (p.b[p.at] <= ' ' || p.b[p.at] == ',') {
		p.at++
	}
}

// object reads members up to its closing bracket; false where the text ends before
// or is no JSON. name is what the members are looked up under.
func (p *reading) object(name string, depth int) bool {
	if depth == 0 {
		return false
	}
	p.at++
	for {
		p.blank()
		if p.at >= len(p.b) {
			return false
		}
		if p.b[p.at] == '}' {
			p.at++
			return true
		}
		if p.b[p.at] != '"' {
			return false
		}
		key, ok := p.str()
		if !ok {
			return false
		}
		for p.at < len(p.b) && (p.b[p.at] <= ' ') {
			p.at++
		}
		if p.at >= len(p.b) || p.b[p.at] != ':' {
			return false
		}
		p.at++
		if !p.member(name, key.bytes, depth) {
			return false
		}
	}
}

// member reads the value of a key: a scalar goes to names, an object or an array is
// walked under the key's own name.
func (p *reading) member(name string, key []byte, depth int) bool {
	p.blank()
	if p.at >= len(p.b) {
		return false
	}
	switch p.b[p.at] {
	case '{':
		return p.object(inner(key), depth-1)
	case '[':
		return p.array(inner(key), depth-1)
	}
	v, ok := p.scalar()
	if !ok {
		return false
	}
	full := append(p.key[:0], name...)
	if name != "" {
		full = append(full, '.')
	}
	if len(full)+len(key) > len(p.key) {
		return true
	}
	if take := names[string(append(full, key...))]; take != nil {
		take(p, v)
	}
	return true
}

// inner is the name that members of an object are looked up under.
func inner(key []byte) string {
	for _, name := range [...]string{"sender_information", "report_blocks", "report_blocks_xr", "extended_report_information"} {
		if string(key) == name {
			return name
		}
	}
	return "-"
}

func (p *reading) array(name string, depth int) bool {
	if depth == 0 {
		return false
	}
	p.at++
	for {
		p.blank()
		if p.at >= len(p.b) {
			return false
		}
		switch p.b[p.at] {
		case ']':
			p.at++
			return true
		case '{':
			if !p.object(name, depth-1) {
				return false
			}
			if name == "report_blocks" {
				p.endBlock()
			}
		case '[':
			if !p.array(name, depth-1) {
				return false
			}
		default:
			if _, ok := p.scalar(); !ok {
				return false
			}
		}
	}
}

func (p *reading) scalar() (value, bool) {
	if p.b[p.at] == '"' {
		return p.str()
	}
	from := p.at
	for p.at < len(p.b) {
		switch c := p.b[p.at]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '-', c == '+', c == '.':
			p.at++
			continue
		}
		break
	}
	return value{bytes: p.b[from:p.at]}, p.at > from
}

func (p *reading) str() (value, bool) {
	p.at++
	v := value{quoted: true}
	for from := p.at; p.at < len(p.b); p.at++ {
		switch p.b[p.at] {
		case '\\':
			v.escaped = true
			p.at++
		case '"':
			v.bytes = p.b[from:p.at]
			p.at++
			return v, true
		}
	}
	return v, false
}
