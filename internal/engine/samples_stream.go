package engine

import (
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/metric"
	"github.com/sipcmbeat/sipcmbeat/internal/stream"
	"github.com/sipcmbeat/sipcmbeat/internal/track"
)

var streamMetrics = metric.Table[Stats]{
	counter("stream", "tcp_segments", "TCP segments of connections that are followed.", func(s *Stats) uint64 { return s.Stream.Segments }),
	counter("stream", "tcp_other_port", "Segments and packets of SCTP that are not: on no listed port, and no SIP.", func(s *Stats) uint64 { return s.Stream.OtherPort }),
	counter("stream", "stream_bytes", "Bytes of segments and SCTP chunks; each is in one of the next families, or held.", func(s *Stats) uint64 { return s.Stream.Bytes }),
	each("stream", "stream_unit_bytes", "kind", "Bytes that went into what was put together, by its kind.", stream.Message, func(s *Stats) []uint64 { return s.Stream.UnitBytes[:] }),
	counter("stream", "stream_bytes_skipped", "Bytes of rubbish between messages, of bodies that are too long, behind what is no SIP.", func(s *Stats) uint64 { return s.Stream.Skipped }),
	counter("stream", "stream_bytes_unread", "Bytes of TLS, and of connections that are not looked at.", func(s *Stats) uint64 { return s.Stream.Unread }),
	counter("stream", "stream_bytes_handshake", "Bytes of WebSocket handshakes.", func(s *Stats) uint64 { return s.Stream.Handshake }),
	counter("stream", "stream_bytes_framed", "Bytes of WebSocket frames that were read.", func(s *Stats) uint64 { return s.Stream.Framed }),
	counter("stream", "stream_bytes_repeated", "Bytes that were seen before.", func(s *Stats) uint64 { return s.Stream.Repeated }),
	counter("stream", "stream_bytes_mirrored", "Bytes of another sequence space between the same ends.", func(s *Stats) uint64 { return s.Stream.Mirrored }),
	counter("stream", "stream_bytes_lost", "Bytes that came and could not be used: of header sections with a hole, of connections that were pushed out.", func(s *Stats) uint64 { return s.Stream.Lost }),
	each("stream", "stream_units", "kind", "What was put together, by its kind.", stream.Message, func(s *Stats) []uint64 { return s.Stream.Units[:] }),
	counter("stream", "stream_broken", "Header sections with a hole.", func(s *Stats) uint64 { return s.Stream.Broken }),
	counter("stream", "tcp_opened", "TCP connections that were followed.", func(s *Stats) uint64 { return s.Stream.Opened }),
	counter("stream", "tcp_evicted", "TCP connections pushed out because of tcp.max_streams.", func(s *Stats) uint64 { return s.Stream.Evicted }),
	counter("stream", "tcp_given_up", "Directions that lost what they held because of tcp.max_bytes.", func(s *Stats) uint64 { return s.Stream.GivenUp }),
	counter("stream", "tcp_out_of_order", "Segments ahead of a hole.", func(s *Stats) uint64 { return s.Stream.OutOfOrder }),
	counter("stream", "tcp_overlaps", "Segments of which a part was seen before.", func(s *Stats) uint64 { return s.Stream.Overlaps }),
	counter("stream", "tcp_contradictions", "Pieces that came again with other bytes.", func(s *Stats) uint64 { return s.Stream.Contradictions }),
	counter("stream", "tcp_holes", "Gaps in TCP that did not fill within tcp.hole_timeout: segments that were not captured.", func(s *Stats) uint64 { return s.Stream.Holes }),
	counter("stream", "tcp_hole_bytes", "Bytes of those gaps.", func(s *Stats) uint64 { return s.Stream.HoleBytes }),
	counter("stream", "tcp_snapped_bytes", "Bytes that a snap length cut off.", func(s *Stats) uint64 { return s.Stream.SnapBytes }),
	counter("stream", "tcp_resyncs", "Start lines that had to be searched for, holes aside.", func(s *Stats) uint64 { return s.Stream.Resyncs }),
	counter("stream", "tcp_jumps", "Directions that went on far from where they were.", func(s *Stats) uint64 { return s.Stream.Jumps }),
	counter("stream", "tcp_strays", "Segments far from all others.", func(s *Stats) uint64 { return s.Stream.Strays }),
	counter("stream", "websocket_data_frames", "WebSocket frames with data that were read whole.", func(s *Stats) uint64 { return s.Stream.DataFrames }),
	counter("stream", "websocket_control_frames", "WebSocket control frames that were read whole.", func(s *Stats) uint64 { return s.Stream.ControlFrames }),
	counter("stream", "websocket_frames", "Both together.", func(s *Stats) uint64 { return s.Stream.Frames }),
	counter("stream", "websocket_lost_frames", "WebSocket frames that are too long, or of a message whose beginning was lost.", func(s *Stats) uint64 { return s.Stream.LostFrames }),
	counter("stream", "websocket_inflated", "Compressed messages that were read.", func(s *Stats) uint64 { return s.Stream.Inflated }),
	counter("stream", "websocket_undeflated", "Compressed messages that could not be read.", func(s *Stats) uint64 { return s.Stream.Undeflated }),
	counter("stream", "websocket_forgotten", "Windows of compression given up because of tcp.max_bytes.", func(s *Stats) uint64 { return s.Stream.Forgotten }),
	counter("stream", "sctp_packets", "SCTP packets of associations that are followed.", func(s *Stats) uint64 { return s.Stream.SCTP.Packets }),
	counter("stream", "sctp_chunks", "Chunks in them; the sum of the next four.", func(s *Stats) uint64 { return s.Stream.SCTP.Chunks }),
	counter("stream", "sctp_data", "Chunks with new user data.", func(s *Stats) uint64 { return s.Stream.SCTP.Data }),
	counter("stream", "sctp_repeated", "Chunks that were seen before.", func(s *Stats) uint64 { return s.Stream.SCTP.Repeated }),
	counter("stream", "sctp_control", "Control chunks.", func(s *Stats) uint64 { return s.Stream.SCTP.Control }),
	counter("stream", "sctp_malformed", "Chunks with a length that cannot be.", func(s *Stats) uint64 { return s.Stream.SCTP.Malformed }),
	counter("stream", "sctp_incomplete", "User messages given up for want of a chunk.", func(s *Stats) uint64 { return s.Stream.SCTP.Incomplete }),
	counter("stream", "sctp_evicted", "SCTP associations pushed out by others.", func(s *Stats) uint64 { return s.Stream.SCTP.Evicted }),
	counter("stream", "tls_connections", "Connections that are TLS and cannot be read.", func(s *Stats) uint64 { return s.Stream.TLSConnections }),
	counter("stream", "tls_bytes", "Bytes of them.", func(s *Stats) uint64 { return s.Stream.TLSBytes }),
}

var trackMetrics = metric.Table[Stats]{
	counter("track", "track_requests", "Requests that were followed; the sum of the next four.", func(s *Stats) uint64 { return s.Track.Requests }),
	counter("track", "track_new", "Requests that began a transaction.", func(s *Stats) uint64 { return s.Track.New }),
	counter("track", "track_requests_again", "Requests seen before on the same hop.", func(s *Stats) uint64 { return s.Track.RequestsAgain }),
	counter("track", "track_hops", "Requests seen before on another hop.", func(s *Stats) uint64 { return s.Track.Hops }),
	counter("track", "track_satellites", "ACK and CANCEL, which are of another request's transaction.", func(s *Stats) uint64 { return s.Track.Satellites }),
	counter("track", "track_responses", "Answers that were followed.", func(s *Stats) uint64 { return s.Track.Responses }),
	counter("track", "track_retransmissions", "Requests and answers seen before on the same hop.", func(s *Stats) uint64 { return s.Track.Retransmissions }),
	counter("track", "track_absorbed", "ACK, CANCEL and answers that decide nothing.", func(s *Stats) uint64 { return s.Track.Absorbed }),
	counter("track", "track_challenges", "First challenges to requests other than INVITE.", func(s *Stats) uint64 { return s.Track.Challenges }),
	counter("track", "track_expired_nonces", "Challenges to credentials whose nonce had only grown old.", func(s *Stats) uint64 { return s.Track.ExpiredNonces }),
	counter("track", "track_guessed", "Transitions rebuilt from loss.", func(s *Stats) uint64 { return s.Track.Guessed }),
	counter("track", "track_answers_to_unusable", "Answers to messages that were a parse-error.", func(s *Stats) uint64 { return s.Track.AnswersToUnusable }),
	counter("track", "track_contacts_cut", "Contacts beyond what one address of record may have.", func(s *Stats) uint64 { return s.Track.ContactsCut }),
	each("track", "track_events", "type", "Events that the tracker made.", event.None+1, func(s *Stats) []uint64 { return s.Track.Events[:] }),
	{Desc: metric.Desc{Group: "track", Name: "track_evicted", Label: "what", Help: "Entries that gave way for want of memory (calls_max_*, regs_max_*), by what they are."},
		Each: func(s *Stats, at func(string, uint64)) {
			for i, n := range s.Track.Evicted {
				at(track.EvictedWords[i], n)
			}
		}},
	{Desc: metric.Desc{Group: "track", Name: "track_unexpected", Label: "machine", Help: "Transitions that a state machine does not list, by the machine (docs/states.md)."},
		Each: func(s *Stats, at func(string, uint64)) {
			for i, states := range s.Track.Unexpected {
				var sum uint64
				for _, symbols := range states {
					for _, n := range symbols {
						sum += n
					}
				}
				at(track.MachineNames[i], sum)
			}
		}},
	counter("track", "loss_proven", "Messages that others prove to have been sent, seen or not: requests by their final answer, answers to INVITE by their ACK.", func(s *Stats) uint64 { return s.Track.Proven }),
	each("track", "loss_missing", "what", "Those of them that were not seen.", track.AbsentRequest, func(s *Stats) []uint64 { return s.Track.Missing[:] }),
	each("track", "loss_unknown_calls", "by", "Calls whose beginning was not seen, by what showed them; they may be older than the capture.", track.StrayedBye, func(s *Stats) []uint64 { return s.Track.Unknown[:] }),
}

// Loss is how many packets are known to have been sent, and how many of them were not
// captured though nothing reported it: messages that others prove, and TCP segments.
// unseen by sent, over a minute, is capture_loss_ratio.
func (s *Stats) Loss() (unseen, sent uint64) {
	for _, n := range s.Track.Missing {
		unseen += n
	}
	return unseen + s.Stream.Holes, s.Track.Proven + s.Stream.Segments + s.Stream.Holes
}
