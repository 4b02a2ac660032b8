package siptest

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
)

// A WSStyle is how messages travel in WebSocket frames, RFC 6455.
type WSStyle struct {
	On        bool
	Handshake bool // else it was missed
	MaskAll   bool // the server masks its frames too, which it should not
	Binary    bool
	Fragment  int  // bytes of a frame, with a ping between two; 0 is a message a frame
	Deflate   bool // permessage-deflate with context takeover, RFC 7692
	Alone     bool // and without
}

// wsWay is one direction.
type wsWay struct {
	style  WSStyle
	client bool
	key    uint32
	z      *flate.Writer
	out    bytes.Buffer
}

// wsKey and wsAccept are those of RFC 6455 §1.3.
const (
	wsKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	wsAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// handshake is the client's request or the server's answer.
func (w *wsWay) handshake() []byte {
	ext := ""
	if w.style.Deflate {
		ext = "Sec-WebSocket-Extensions: permessage-deflate"
		if w.style.Alone {
			ext += "; client_no_context_takeover; server_no_context_takeover"
		}
		ext += "\r\n"
	}
	if w.client {
		return []byte("GET /ws HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " + wsKey +
			"\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n" + ext + "\r\n")
	}
	return []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + wsAccept +
		"\r\nSec-WebSocket-Protocol: sip\r\n" + ext + "\r\n")
}

// wrap is the frames of a message, RFC 6455 §5.2.
func (w *wsWay) wrap(message []byte) []byte {
	const text, binary, ping, deflated = 1, 2, 9, 0x40
	first := byte(text)
	if w.style.Binary {
		first = binary
	}
	if w.style.Deflate {
		message, first = w.deflate(message), first|deflated
	}
	var out []byte
	for op, last := first, false; !last; op = 0 {
		n := len(message)
		if w.style.Fragment > 0 {
			n = min(n, w.style.Fragment)
		}
		if last = n == len(message); last {
			op |= 0x80
		}
		out = w.frame(out, op, message[:n])
		if message = message[n:]; !last {
			out = w.frame(out, 0x80|ping, []byte("are you there"))
		}
	}
	return out
}

func (w *wsWay) frame(out []byte, op byte, data []byte) []byte {
	mask := byte(0)
	if w.client || w.style.MaskAll {
		mask = 0x80
	}
	out = append(out, op)
	switch n := len(data); {
	case n < 126:
		out = append(out, mask|byte(n))
	case n < 1<<16:
		out = binary.BigEndian.AppendUint16(append(out, mask|126), uint16(n))
	default:
		out = binary.BigEndian.AppendUint64(append(out, mask|127), uint64(n))
	}
	if mask == 0 {
		return append(out, data...)
	}
	w.key = w.key*1664525 + 1013904223
	key := binary.BigEndian.AppendUint32(nil, w.key)
	out = append(out, key...)
	for i, c := range data {
		out = append(out, c^key[i&3])
	}
	return out
}

// deflate compresses a message, RFC 7692 §7.2.1.
func (w *wsWay) deflate(message []byte) []byte {
	if w.z == nil {
		w.z, _ = flate.NewWriter(&w.out, flate.DefaultCompression)
	}
	w.out.Reset()
	if w.style.Alone {
		w.z.Reset(&w.out)
	}
	w.z.Write(message)
	w.z.Flush()
	return bytes.Clone(bytes.TrimSuffix(w.out.Bytes(), []byte("\x00\x00\xff\xff")))
}
