package engine

import (
	"github.com/sipcmbeat/sipcmbeat/internal/hep"
	"github.com/sipcmbeat/sipcmbeat/internal/metric"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/qos"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/track"
)

// row and the functions below it make the tables short.
type row = metric.Row[Stats]

func counter(group, name, help string, n func(s *Stats) uint64) row {
	return row{Desc: metric.Desc{Group: group, Name: name, Help: help}, N: n}
}

func gauge[T int | int64](group, name, help string, n func(s *Stats) T) row {
	return row{Desc: metric.Desc{Group: group, Name: name, Kind: metric.Gauge, Help: help},
		N: func(s *Stats) uint64 { return uint64(n(s)) }}
}

// each is a family with a label: the counters of an enum, from first on.
func each[E interface {
	~uint8 | ~uint32
	String() string
}](group, name, label, help string, first E, of func(s *Stats) []uint64) row {
	return row{Desc: metric.Desc{Group: group, Name: name, Label: label, Help: help},
		Each: func(s *Stats, at func(string, uint64)) {
			for i, n := range of(s) {
				if E(i) >= first {
					at(E(i).String(), n)
				}
			}
		}}
}

// Metrics is every counter of an engine: a new one is a row here. What is read of
// Stats and has no row is named in the test, with the reason.
var Metrics = func() (all metric.Table[Stats]) {
	for _, t := range []metric.Table[Stats]{captureMetrics, packetMetrics, streamMetrics, sipMetrics, trackMetrics, qualityMetrics, memoryMetrics} {
		all = append(all, t...)
	}
	return all
}()

// Samples hands every counter on.
func (s *Stats) Samples(add metric.Adder) {
	Metrics.Samples(s, add)
	s.Limit.Samples(add)
}

// Samples hands every counter of the engine on, all of one moment. It may be called at
// any time from any goroutine, as Stats.
func (e *Engine) Samples(add metric.Adder) {
	s := e.Stats()
	s.Samples(add)
}

var captureMetrics = metric.Table[Stats]{
	counter("capture", "frames", "Frames that were read.", func(s *Stats) uint64 { return s.Frames }),
	counter("capture", "frame_bytes", "Bytes of those frames, as captured.", func(s *Stats) uint64 { return s.Bytes }),
	counter("capture", "frame_faults", "Frames that this program failed on, by a fault of its own.", func(s *Stats) uint64 { return s.Faults }),
	counter("capture", "capture_frames", "Frames that sources handed over; in a running lane a few more than frames.", func(s *Stats) uint64 { return s.Capture.Frames }),
	counter("capture", "capture_bytes", "Bytes of those.", func(s *Stats) uint64 { return s.Capture.Bytes }),
	counter("capture", "kernel_drops", "Packets that the kernel dropped because the capture buffer was full (pcap_buf_kb).", func(s *Stats) uint64 { return s.Capture.KernelDrops }),
	counter("capture", "interface_drops", "Packets that the network card or its driver dropped, where it says so.", func(s *Stats) uint64 { return s.Capture.InterfaceDrops }),
	counter("capture", "interface_outages", "Times that an interface went away.", func(s *Stats) uint64 { return s.Capture.Outages }),
	counter("capture", "senders_refused", "Packets and connections of senders that may not send (inputs.allow).", func(s *Stats) uint64 { return s.Capture.Refused }),
	counter("capture", "senders_wrong_key", "HEP packets without one of the keys (inputs.auth_keys).", func(s *Stats) uint64 { return s.Capture.WrongKey }),
	counter("capture", "connections_surplus", "Connections of senders beyond inputs.max_connections.", func(s *Stats) uint64 { return s.Capture.Surplus }),
	counter("capture", "connections_broken", "Connections of senders that were cut: not HEP, too slow, no TLS.", func(s *Stats) uint64 { return s.Capture.Broken }),
}

var packetMetrics = metric.Table[Stats]{
	counter("packet", "frames_decoded", "Frames that gave a datagram, a segment or a packet of SCTP.", func(s *Stats) uint64 { return s.Drops[packet.OK] }),
	each("packet", "frames_dropped", "reason", "Frames that gave none, by the reason.", packet.OK+1, func(s *Stats) []uint64 { return s.Drops[:] }),
	counter("packet", "hep_tcp_decoded", "HEP packets from TCP connections that gave a datagram.", func(s *Stats) uint64 { return s.Capsules[packet.OK] }),
	each("packet", "hep_tcp_dropped", "reason", "HEP packets from TCP connections that gave none, by the reason.", packet.OK+1, func(s *Stats) []uint64 { return s.Capsules[:] }),
	each("packet", "datagrams", "fate", "Datagrams and segments, by what became of them.", Message, func(s *Stats) []uint64 { return s.Datagrams[:] }),
	{Desc: metric.Desc{Group: "packet", Name: "layers", Label: "layer", Help: "Tunnels and tags that were undone, by their kind."},
		Each: func(s *Stats, at func(string, uint64)) {
			for i, n := range s.Packet.Layers {
				if l := packet.Layer(i); l.Carries() || n > 0 { // the others are not counted
					at(l.String(), n)
				}
			}
		}},
	counter("packet", "fragments", "IP fragments taken in.", func(s *Stats) uint64 { return s.Packet.Fragments }),
	counter("packet", "fragments_duplicate", "Fragments that brought nothing new.", func(s *Stats) uint64 { return s.Packet.Duplicates }),
	counter("packet", "fragmented_assembled", "Datagrams put together from fragments.", func(s *Stats) uint64 { return s.Packet.Assembled }),
	counter("packet", "fragmented_evicted", "Fragmented datagrams given up because fragments.max or fragments.bytes was reached.", func(s *Stats) uint64 { return s.Packet.Evicted }),
	counter("packet", "fragmented_expired", "Fragmented datagrams given up because fragments.age was reached.", func(s *Stats) uint64 { return s.Packet.Expired }),
	counter("packet", "fragmented_refused", "Fragmented datagrams given up because their fragments contradict each other.", func(s *Stats) uint64 { return s.Packet.Refused }),
	counter("packet", "hep_packets", "HEP packets read.", func(s *Stats) uint64 { return s.Packet.HEP.Packets }),
	each("packet", "hep_problems", "problem", "HEP packets that could not be read, by the reason.", hep.OK+1, func(s *Stats) []uint64 { return s.Packet.HEP.Problems[:] }),
	counter("packet", "hep_trailing", "HEP packets with bytes behind their end.", func(s *Stats) uint64 { return s.Packet.HEP.Trailing }),
	counter("packet", "hep_odd", "HEP packets with chunks that are not as they should be.", func(s *Stats) uint64 { return s.Packet.HEP.Odd }),
	counter("packet", "hep_untimed", "HEP packets whose time was not taken.", func(s *Stats) uint64 { return s.Packet.HEP.Untimed }),
}

var sipMetrics = metric.Table[Stats]{
	counter("sip", "messages", "SIP messages that are followed, mirror duplicates not among them.", func(s *Stats) uint64 { return s.Datagrams[Message] + s.Units[Message] }),
	each("sip", "requests", "method", "Requests by method; other is every method without a row.", sip.MethodOther, func(s *Stats) []uint64 { return s.Track.Methods[:] }),
	{Desc: metric.Desc{Group: "sip", Name: "responses", Label: "class", Help: "Answers by the class of their code."},
		Each: func(s *Stats, at func(string, uint64)) {
			for i, n := range s.Track.Classes[1:] {
				at(string(rune('1'+i))+"xx", n)
			}
		}},
	each("sip", "unusable", "problem", "Messages that cannot be used, by what is wrong with them; each is a parse-error.", sip.OK+1, func(s *Stats) []uint64 { return s.Problems[:] }),
	each("sip", "from_streams", "fate", "What was put together from TCP segments and SCTP packets, by what became of it.", Message, func(s *Stats) []uint64 { return s.Units[:] }),
}

var qualityMetrics = metric.Table[Stats]{
	counter("quality", "hep_reports", "What HEP carries besides SIP: quality reports, logs and more.", func(s *Stats) (sum uint64) {
		for _, n := range s.HEPTypes {
			sum += n
		}
		return sum
	}),
	each("quality", "reports_read", "outcome", "Quality reports by HEP, by what could be read.", qos.OK, func(s *Stats) []uint64 { return s.Quality[:] }),
	counter("quality", "reports_in_sip", "Quality reports that requests carried.", func(s *Stats) uint64 { return s.Track.ReportsInSIP }),
	each("quality", "reports", "fate", "Quality reports by what became of them.", track.ReportJoined, func(s *Stats) []uint64 { return s.Track.Reports[:] }),
}

var memoryMetrics = metric.Table[Stats]{
	gauge("memory", "calls", "Answered calls that are up and of which both sides were heard.", func(s *Stats) int { return s.Track.Calls }),
	gauge("memory", "attempts", "INVITEs in memory, those among them that are decided and remembered for a while.", func(s *Stats) int { return s.Track.Attempts }),
	gauge("memory", "transactions", "Other transactions in memory, likewise.", func(s *Stats) int { return s.Track.Transactions }),
	gauge("memory", "call_entries", "All entries of the table that calls_max_entries bounds.", func(s *Stats) int { return s.Track.Entries }),
	gauge("memory", "call_bytes", "Memory of them (calls_max_mem).", func(s *Stats) int64 { return s.Track.Bytes }),
	gauge("memory", "bindings", "Bindings in memory (regs_max_entries).", func(s *Stats) int { return s.Track.Bindings }),
	gauge("memory", "aors", "Addresses of record in memory.", func(s *Stats) int { return s.Track.AORs }),
	gauge("memory", "binding_bytes", "Memory of bindings (regs_max_mem).", func(s *Stats) int64 { return s.Track.BindingBytes }),
	gauge("memory", "fragmented_held", "Datagrams that wait for fragments (fragments.max).", func(s *Stats) int { return s.Packet.Held }),
	gauge("memory", "fragment_bytes", "Memory of their fragments (fragments.bytes).", func(s *Stats) int { return s.Packet.Bytes }),
	gauge("memory", "tcp_connections", "TCP connections that are followed (tcp.max_streams).", func(s *Stats) int { return s.Stream.Streams }),
	gauge("memory", "tcp_held_bytes", "Bytes of segments that wait for the rest of a message.", func(s *Stats) int { return s.Stream.Held }),
	gauge("memory", "tcp_buffer_bytes", "Memory of buffers for segments, in use or not (tcp.max_bytes).", func(s *Stats) int { return s.Stream.Memory }),
	gauge("memory", "sctp_associations", "SCTP associations that are followed.", func(s *Stats) int { return s.Stream.SCTP.Associations }),
}
