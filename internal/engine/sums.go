package engine

import "github.com/sipcmbeat/sipcmbeat/internal/metric"

// Sums are the equations between an engine's counters, in the order of a packet's way.
// What is on the left is counted later on that way.
var Sums = []metric.Sum{
	{Left: "frames_decoded + frames_dropped", Right: "frames", Meaning: "each frame gives a datagram, or is dropped for a reason"},
	{Left: "datagrams", Right: "frames_decoded + hep_tcp_decoded", Meaning: "each datagram has one fate"},
	{Left: "hep_tcp_decoded + hep_tcp_dropped", Right: "from_streams{HEP packets in TCP}", Meaning: "so has each HEP packet from a TCP connection"},
	{Left: "tcp_segments + sctp_packets", Right: "datagrams{segments}", Meaning: "segments are followed by their stream"},
	{Left: "stream_unit_bytes + stream_bytes_skipped + stream_bytes_unread + stream_bytes_handshake + stream_bytes_framed + stream_bytes_repeated + stream_bytes_mirrored + stream_bytes_lost + tcp_held_bytes",
		Right: "stream_bytes", Meaning: "each byte of a segment is used, passed over, or held"},
	{Left: "from_streams", Right: "stream_units", Meaning: "what streams put together has one fate"},
	{Left: "websocket_data_frames + websocket_control_frames", Right: "websocket_frames", Meaning: ""},
	{Left: "sctp_data + sctp_repeated + sctp_control + sctp_malformed", Right: "sctp_chunks", Meaning: ""},
	{Left: "requests + responses", Right: "messages", Meaning: "each message is a request of a method, or an answer of a class"},
	{Left: "datagrams{messages} + from_streams{messages}", Right: "messages", Meaning: "messages come alone, or out of streams"},
	{Left: "unusable", Right: "datagrams{unusable} + from_streams{unusable}", Meaning: "what cannot be used has a problem"},
	{Left: "track_requests + track_responses", Right: "messages", Meaning: "each message is tracked"},
	{Left: "track_new + track_requests_again + track_hops + track_satellites", Right: "track_requests", Meaning: "each request is new, a repetition, a hop, or an ACK or CANCEL"},
	{Left: "reports_read", Right: "datagrams{reports}", Meaning: "each quality report by HEP is read, or not for a reason"},
	{Left: "hep_reports", Right: "datagrams{reports} + datagrams{other HEP}", Meaning: ""},
	{Left: "reports", Right: "reports_read{read} + reports_in_sip", Meaning: "each report that was read has one fate"},
	{Left: "events_made", Right: "track_events + events_made{message} + rate_calm_events", Meaning: "each event that the tracker makes is handed on, with records of messages and of floods that are over"},
	{Left: "events_sent + events_blacklisted + events_held_by_rate + events_held_by_source", Right: "events_made", Meaning: "each is sent or held back"},
}
