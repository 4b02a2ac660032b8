package metric

import "strings"

// Groups are the groups of all tables, in the order in which they are shown, with what
// they count. stats_groups takes these names.
var Groups = []struct{ Name, Meaning string }{
	{"capture", "frames as they come from interfaces, files and sockets, and what was lost before"},
	{"packet", "layers, fragments and tunnels: frames to datagrams"},
	{"stream", "TCP, WebSocket and SCTP: segments to messages"},
	{"sip", "messages by method, class and problem"},
	{"track", "what messages are to their transactions, and what was not seen"},
	{"events", "events, and which of them leave"},
	{"rates", "limits of rates, and the source blacklist"},
	{"quality", "quality reports"},
	{"kpi", "messages by the minute, and indicators"},
	{"memory", "what is there now"},
	{"queue", "the queue between tracking and libbeat (event_buffer_size)"},
	{"output", "libbeat's queue and output"},
	{"dump", "files of single calls (pcap_dump)"},
	{"hep_output", "copies to HEP receivers"},
	{"state", "the saved state"},
	{"http", "the HTTP server"},
}

// Row is a row of a stage's table: a family, and how it is read from the counters S.
// One of N, F and Each is set.
type Row[S any] struct {
	Desc
	N    func(s *S) uint64
	F    func(s *S) float64
	Each func(s *S, at func(value string, n uint64)) // of a family with a label: each value with its counter
}

// Table is all rows of a stage.
type Table[S any] []Row[S]

// Samples hands each counter of s on, those that are zero too.
func (t Table[S]) Samples(s *S, add Adder) {
	for i := range t {
		r := &t[i]
		switch {
		case r.Each != nil:
			r.Each(s, func(value string, n uint64) { add(&r.Desc, value, float64(n)) })
		case r.F != nil:
			add(&r.Desc, "", r.F(s))
		default:
			add(&r.Desc, "", float64(r.N(s)))
		}
	}
}

// Prefix stands before every name at /metrics.
const Prefix = "sipcmbeat_"

// Prometheus is the name of the family at /metrics.
func (d *Desc) Prometheus() string {
	if d.Kind == Counter {
		return Prefix + d.Name + "_total"
	}
	return Prefix + d.Name
}

// Fraction tells whether values may have a fraction; others are whole numbers. The
// unit says it.
func (d *Desc) Fraction() bool {
	return strings.HasSuffix(d.Name, "_ratio") || strings.HasSuffix(d.Name, "_seconds")
}

// Field is the name of a sample below sip.stats in a record: that of the family, and
// behind a dot the label's value with _ for all but letters and digits.
func (d *Desc) Field(value string) string {
	if d.Label == "" {
		return d.Name
	}
	return d.Name + "." + Snake(value)
}

// Snake is a value in lower case, with one _ for everything but letters and digits.
func Snake(value string) string {
	var b strings.Builder
	for _, c := range strings.ToLower(value) {
		switch {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			b.WriteRune(c)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "_"):
			b.WriteByte('_')
		}
	}
	return strings.Trim(b.String(), "_")
}
