package siptest

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// TCPFrame lays out an Ethernet frame with an IPv4 or IPv6 header, as the
// addresses ask, and a TCP header, with right lengths and checksums. It copies
// payload, of at most 65,495 bytes; the caller owns the frame.
func TCPFrame(src, dst netip.AddrPort, seq, ack uint32, flags packet.TCPFlags, payload []byte) []byte {
	b := []byte{
		0x02, 0, 0, 0, 0, 2, // to
		0x02, 0, 0, 0, 0, 1, // from
		0x08, 0x00, // EtherType
	}
	length := 20 + len(payload)
	if src.Addr().Is4() {
		b = append(b,
			0x45, 0, byte((20+length)>>8), byte(20+length), // version, header length, total length
			0, 1, 0x40, 0, // identification, don't fragment
			64, 6, 0, 0, // time to live, TCP, checksum
		)
	} else {
		b[12], b[13] = 0x86, 0xdd
		b = append(b,
			0x60, 0, 0, 0, // version
			byte(length>>8), byte(length), 6, 64, // payload length, TCP, hop limit
		)
	}
	b = append(b, src.Addr().AsSlice()...)
	b = append(b, dst.Addr().AsSlice()...)
	if src.Addr().Is4() {
		sumIPv4(b[14:34])
	}
	at := len(b)
	b = binary.BigEndian.AppendUint16(b, src.Port())
	b = binary.BigEndian.AppendUint16(b, dst.Port())
	b = binary.BigEndian.AppendUint32(b, seq)
	b = binary.BigEndian.AppendUint32(b, ack)
	b = append(b,
		0x50, byte(flags), // header length
		0xfa, 0xf0, // window
		0, 0, 0, 0) // checksum, urgent pointer
	b = append(b, payload...)

	pseudo := uint32(6 + length)
	pseudo = sum(pseudo, src.Addr().AsSlice())
	pseudo = sum(pseudo, dst.Addr().AsSlice())
	binary.BigEndian.PutUint16(b[at+16:], fold(sum(pseudo, b[at:])))
	return b
}

// A StreamCarrier is one way for messages to reach the program over a connection. Wrap takes
// Ethernet frames as UDPFrame makes them, in the order of their time, borrows
// them, and returns the frames that carry their payloads, which the caller owns: a
// connection for each pair of ends, with the times of the messages.
type StreamCarrier struct {
	Name string
	Wrap func(frames []packet.Frame) []packet.Frame
}

// StreamCarriers are all of them. The program must make the same of every one.
var StreamCarriers = []StreamCarrier{
	{"tcp", func(f []packet.Frame) []packet.Frame { return TCPFrames(f, TCPStyle{}) }},
	{"tcp-pieces", func(f []packet.Frame) []packet.Frame { return TCPFrames(f, TCPStyle{Piece: 100}) }},
	{"tcp-byte", func(f []packet.Frame) []packet.Frame { return TCPFrames(f, TCPStyle{Piece: 1}) }},
	{"tcp-reordered", func(f []packet.Frame) []packet.Frame { return TCPFrames(f, TCPStyle{Piece: 100, Reverse: true}) }},
	{"tcp-twice", func(f []packet.Frame) []packet.Frame { return TCPFrames(f, TCPStyle{Piece: 100, Twice: true}) }},
	{"tcp-midstream", func(f []packet.Frame) []packet.Frame { return TCPFrames(f, TCPStyle{Midstream: true}) }},
	{"tcp-merged", func(f []packet.Frame) []packet.Frame { return TCPFrames(f, TCPStyle{Merge: true}) }},
	{"tcp-keep-alive", func(f []packet.Frame) []packet.Frame { return TCPFrames(f, TCPStyle{KeepAlive: true}) }},

	{"websocket", webSocket(TCPStyle{}, WSStyle{Handshake: true})},
	{"websocket-pieces", webSocket(TCPStyle{Piece: 7}, WSStyle{Handshake: true, Binary: true})},
	{"websocket-merged", webSocket(TCPStyle{Merge: true}, WSStyle{Handshake: true})},
	{"websocket-reordered", webSocket(TCPStyle{Piece: 100, Reverse: true}, WSStyle{Handshake: true})},
	{"websocket-midstream", webSocket(TCPStyle{Midstream: true}, WSStyle{})},
	{"websocket-fragments", webSocket(TCPStyle{}, WSStyle{Handshake: true, MaskAll: true, Fragment: 100})},
	{"websocket-deflate", webSocket(TCPStyle{}, WSStyle{Handshake: true, Deflate: true})},
	{"websocket-deflate-alone", webSocket(TCPStyle{Midstream: true}, WSStyle{Deflate: true, Alone: true})},
	{"websocket-deflate-fragments", webSocket(TCPStyle{Piece: 50, Twice: true}, WSStyle{Handshake: true, Deflate: true, Fragment: 60})},
	{"websocket-keep-alive", webSocket(TCPStyle{KeepAlive: true}, WSStyle{Handshake: true})},

	{"sctp", func(f []packet.Frame) []packet.Frame { return SCTPFrames(f, SCTPStyle{}) }},
	{"sctp-bundled", func(f []packet.Frame) []packet.Frame { return SCTPFrames(f, SCTPStyle{Piece: 200, Bundle: true}) }},
	{"sctp-pieces", func(f []packet.Frame) []packet.Frame { return SCTPFrames(f, SCTPStyle{Piece: 100}) }},
	{"sctp-reordered", func(f []packet.Frame) []packet.Frame { return SCTPFrames(f, SCTPStyle{Piece: 100, Reverse: true}) }},
	{"sctp-twice", func(f []packet.Frame) []packet.Frame { return SCTPFrames(f, SCTPStyle{Piece: 300, Twice: true}) }},
	{"sctp-interleaved", func(f []packet.Frame) []packet.Frame {
		return SCTPFrames(f, SCTPStyle{Piece: 300, Interleave: true, Midstream: true})
	}},
}

// webSocket is TCPFrames with frames of WebSocket in it.
func webSocket(style TCPStyle, ws WSStyle) func([]packet.Frame) []packet.Frame {
	ws.On = true
	style.WebSocket = ws
	return func(f []packet.Frame) []packet.Frame { return TCPFrames(f, style) }
}

// A TCPStyle is how messages travel.
type TCPStyle struct {
	Piece     int  // bytes of a segment; 0 is a message a segment
	Reverse   bool // the segments of a message come last one first
	Twice     bool // every segment comes twice
	Midstream bool // no SYN and no FIN
	Merge     bool // messages of one time and direction share segments
	KeepAlive bool // CRLFCRLF before every message, CRLF back
	WebSocket WSStyle
}

// maxSegment is what fits behind any header, in bytes.
const maxSegment = 60000

// TCPFrames carries the payloads of UDP frames over TCP, see StreamCarrier.
// Sequence numbers start just below 2^32, so that they wrap.
func TCPFrames(frames []packet.Frame, style TCPStyle) []packet.Frame {
	type direction struct{ src, dst netip.AddrPort }
	next := map[direction]uint32{}
	d := packet.New(packet.Config{HEPPorts: []uint16{}}) // a HEP packet is a payload here
	var out, opened []packet.Frame
	var last direction
	var run []byte // of style.Merge
	sockets := map[direction]*wsWay{}
	var send func(like packet.Frame, way direction, flags packet.TCPFlags, payload []byte)
	send = func(like packet.Frame, way direction, flags packet.TCPFlags, payload []byte) {
		back := direction{way.dst, way.src}
		if _, ok := next[way]; !ok {
			next[way], next[back] = 0xffffff00, 0xfffffe00
			if !style.Midstream {
				out = append(out,
					segment(like, TCPFrame(way.src, way.dst, next[way]-1, 0, packet.SYN, nil)),
					segment(like, TCPFrame(way.dst, way.src, next[back]-1, next[way], packet.SYN|packet.ACK, nil)),
					segment(like, TCPFrame(way.src, way.dst, next[way], next[back], packet.ACK, nil)))
			}
			opened = append(opened, segment(like, TCPFrame(way.src, way.dst, 0, 0, 0, nil)))
			if style.WebSocket.Handshake {
				send(like, way, 0, sockets[way].handshake())
				send(like, back, 0, sockets[back].handshake())
			}
		}
		var train []packet.Frame
		for len(payload) > 0 || flags != 0 {
			n := min(len(payload), maxSegment)
			if style.Piece > 0 {
				n = min(n, style.Piece)
			}
			f := segment(like, TCPFrame(way.src, way.dst, next[way], next[back], packet.ACK|packet.PSH|flags, payload[:n]))
			train = append(train, f)
			next[way] += uint32(n)
			payload, flags = payload[n:], 0
		}
		if style.Reverse {
			slices.Reverse(train)
		}
		if style.Twice {
			train = twice(train)
		}
		out = append(out, train...)
	}
	var f packet.Frame
	flush := func() {
		if len(run) > 0 {
			send(f, last, 0, run)
			run = nil
		}
	}
	for _, g := range frames {
		g.Link, g.Wire = packet.LinkEthernet, len(g.Data)
		if why := d.Decode(&g); why != packet.OK || d.Transport != packet.UDP {
			panic("siptest: a frame that UDPFrame did not make: " + why.String())
		}
		way := direction{d.Src, d.Dst}
		if !style.Merge || way != last || g.Time != f.Time {
			flush()
		}
		f, last = g, way
		back := direction{way.dst, way.src}
		if sockets[way] == nil {
			sockets[way], sockets[back] = &wsWay{style: style.WebSocket, client: true}, &wsWay{style: style.WebSocket}
		}
		wrap := func(w direction, payload []byte) []byte {
			if style.WebSocket.On {
				return sockets[w].wrap(payload)
			}
			return payload
		}
		if style.KeepAlive {
			send(g, way, 0, wrap(way, []byte("\r\n\r\n")))
			send(g, back, 0, wrap(back, []byte("\r\n")))
		}
		run = append(run, wrap(way, d.Payload)...)
	}
	flush()
	if !style.Midstream {
		for _, g := range opened {
			d.Decode(&g)
			g.Time = f.Time
			way, back := direction{d.Src, d.Dst}, direction{d.Dst, d.Src}
			send(g, way, packet.FIN, nil)
			next[way]++
			send(g, back, packet.FIN, nil)
		}
	}
	return out
}

// segment is a frame with the time and source of another.
func segment(like packet.Frame, data []byte) packet.Frame {
	return packet.Frame{Time: like.Time, Source: like.Source, Link: packet.LinkEthernet, Data: data, Wire: len(data)}
}
