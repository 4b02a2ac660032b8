package qos

import (
	"bytes"
	"net/netip"
)

// text reads application/vq-rtcpxr (RFC 6035 §4.6). Its first line names the
// report; lines that follow LocalMetrics are what the reporter received, those that
// follow RemoteMetrics what the other end did. Drafts of it, which telephones still
// send, have the addresses behind LocalMetrics.
func (r *Report) text(body []byte) Outcome {
	first, rest := cutLine(body)
	name, _ := cutName(first)
	switch {
	case equalFold(name, "VQSessionReport"):
		r.Kind = Session
	case equalFold(name, "VQIntervalReport"), equalFold(name, "VQAlertReport"):
		r.Kind = Interval
	default:
		return Foreign
	}
	m := &r.Here
	for len(rest) > 0 {
		var line []byte
		line, rest = cutLine(rest)
		name, value := cutName(line)
		switch {
		case equalFold(name, "LocalMetrics"):
			m = &r.Here
		case equalFold(name, "RemoteMetrics"):
			m = &r.There
		default:
			r.line(m, name, value)
		}
	}
	return r.outcome()
}

// line reads one line; what has no row here is passed.
func (r *Report) line(m *Metrics, name, value []byte) {
	for i := range lineNames {
		if equalFold(name, lineNames[i].name) {
			lineNames[i].read(r, m, value)
			return
		}
	}
}

var lineNames = [...]struct {
	name string
	read func(r *Report, m *Metrics, value []byte)
}{
	{"CallID", func(r *Report, _ *Metrics, v []byte) { r.CallIDs[0] = v }},
	{"LocalID", func(r *Report, _ *Metrics, v []byte) { r.LocalID = addrSpec(v) }},
	{"RemoteID", func(r *Report, _ *Metrics, v []byte) { r.RemoteID = addrSpec(v) }},
	{"OrigID", func(r *Report, _ *Metrics, v []byte) { r.Originate = addrSpec(v) }},
	{"LocalAddr", func(r *Report, _ *Metrics, v []byte) { r.Local = address(v) }},
	{"RemoteAddr", func(r *Report, _ *Metrics, v []byte) { r.Remote = address(v) }},
	{"DialogID", func(r *Report, _ *Metrics, v []byte) { r.dialog(v) }},
	{"SessionDesc", func(r *Report, _ *Metrics, v []byte) {
		if pd := get(v, "PD"); len(pd) > 0 && r.Codec == nil {
			r.Codec = pd
		}
	}},
	{"PacketLoss", func(_ *Report, m *Metrics, v []byte) { m.loss(numberOf(v, "NLR")) }},
	{"Delay", func(_ *Report, m *Metrics, v []byte) { m.delays(v) }},
	{"QualityEst", func(_ *Report, m *Metrics, v []byte) { m.estimates(v) }},
}

// delays reads the round trip, or twice the one-way delay where that alone is
// given, and the interarrival jitter; all are in ms.
func (m *Metrics) delays(v []byte) {
	m.delay(numberOf(v, "RTD"))
	for _, oneWay := range [...]string{"SOWD", "OWD"} {
		if m.Has&HasDelay == 0 {
			m.delay(2 * numberOf(v, oneWay))
		}
	}
	m.jitter(numberOf(v, "IAJ"))
}

// estimates reads MOS and R: of listening quality, which is what one direction has,
// else of conversational quality.
func (m *Metrics) estimates(v []byte) {
	for _, name := range [...]string{"MOSLQ", "MOSCQ"} {
		if m.Has&HasMOS == 0 {
			m.set(HasMOS, &m.MOS, numberOf(v, name), 1, 5)
		}
	}
	for _, name := range [...]string{"RLQ", "RCQ"} {
		if m.Has&HasR == 0 {
			m.set(HasR, &m.R, numberOf(v, name), 0, maxRating)
		}
	}
}

// dialog reads a Call-ID and the two tags behind it.
func (r *Report) dialog(v []byte) {
	id, rest, _ := bytes.Cut(v, []byte{';'})
	if id = trim(id); r.CallIDs[0] == nil {
		r.CallIDs[0] = id
	} else if !bytes.Equal(id, r.CallIDs[0]) {
		r.CallIDs[1] = id
	}
	for len(rest) > 0 {
		var param []byte
		param, rest, _ = bytes.Cut(rest, []byte{';'})
		name, value, _ := bytes.Cut(param, []byte{'='})
		switch name, value = trim(name), trim(value); {
		case equalFold(name, "from-tag"):
			r.FromTag = value
		case equalFold(name, "to-tag"):
			r.ToTag = value
		}
	}
}

// addrSpec is the URI of a name-addr or an addr-spec, without parameters behind the
// closing bracket.
func addrSpec(v []byte) []byte {
	if open := bytes.IndexByte(v, '<'); open >= 0 {
		v = v[open+1:]
		if end := bytes.IndexByte(v, '>'); end >= 0 {
			v = v[:end]
		}
	}
	return trim(v)
}

// address reads IP=… PORT=…
func address(v []byte) netip.AddrPort {
	ip := get(v, "IP")
	if len(ip) > 2 && ip[0] == '[' && ip[len(ip)-1] == ']' {
		ip = ip[1 : len(ip)-1]
	}
	a := value{bytes: ip}.addr()
	if !a.IsValid() {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a, value{bytes: get(v, "PORT")}.port())
}

// numberOf is the number behind name=, not a number where there is none.
func numberOf(v []byte, name string) float64 { return value{bytes: get(v, name)}.number() }

// get is what stands behind name= up to the next blank.
func get(v []byte, name string) []byte {
	for len(v) > 0 {
		for len(v) > 0 && v[0] <= ' ' {
			v = v[1:]
		}
		end := 0
		for quoted := false; end < len(v) && (quoted || v[end] > ' '); end++ {
			if v[end] == '"' {
				quoted = !quoted
			}
		}
		word := v[:end]
		v = v[end:]
		if eq := bytes.IndexByte(word, '='); eq >= 0 && equalFold(word[:eq], name) {
			return word[eq+1:]
		}
	}
	return nil
}

func cutLine(b []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(b, []byte{'\n'})
	return trim(line), rest
}

func cutName(line []byte) (name, value []byte) {
	name, value, _ = bytes.Cut(line, []byte{':'})
	return trim(name), trim(value)
}
