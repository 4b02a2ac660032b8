package sip

import (
	"bytes"
	"encoding/binary"
)

// Kind is what a payload on a SIP port is.
type Kind uint8

// The kinds of payload.
const (
	KindSIP       Kind = iota // starts like SIP: for Message.Parse
	KindKeepAlive             // CR, LF, NUL and blanks only, or STUN (RFC 5626 §3.5)
	KindProbe                 // anything else
)

// String gives the keyword.
func (k Kind) String() string {
	switch k {
	case KindSIP:
		return "sip"
	case KindKeepAlive:
		return "keep-alive"
	case KindProbe:
		return "probe"
	}
	return "unknown"
}

// ProbeKind is what a payload that is not SIP looks like.
type ProbeKind uint8

// The kinds of probe.
const (
	ProbeNone ProbeKind = iota
	ProbeSTUN           // RFC 8489 §5, or RFC 3489 §11.1 without the cookie
	ProbeDNS            // RFC 1035 §4.1
	ProbeTLS            // RFC 8446 §5.1, DTLS too
	ProbeRTP            // RFC 3550 §5.1, §6.4
	ProbeHTTP           // RFC 9112 §3, §4, and RTSP
	ProbeSSDP           // UPnP Device Architecture §1
	ProbeText           // anything printable
	ProbeBinary
	NumProbeKinds
)

var probeKinds = [NumProbeKinds]string{"none", "stun", "dns", "tls", "rtp", "http", "ssdp", "text", "binary"}

// String gives the keyword of sip.probe.kind.
func (k ProbeKind) String() string {
	if k >= NumProbeKinds {
		return "unknown"
	}
	return probeKinds[k]
}

// minSIP is the least a SIP message can be; smaller payloads are none.
const minSIP = 13

// Classify tells what a datagram's payload is before it is parsed. It borrows
// b during the call. ProbeKind is set for a probe, and ProbeSTUN for a
// keep-alive that is STUN.
//
// A payload starts like SIP when it has 13 bytes or more behind leading fill
// and its first line has "SIP/" as first or last word, or a method token and a
// sip, sips or tel URI; or when Parse would find a start line behind a line or
// two of junk.
func Classify(b []byte) (Kind, ProbeKind) {
	if isSTUN(b) {
		return KindKeepAlive, ProbeSTUN
	}
	start := skipBefore(b)
	if start == len(b) {
		return KindKeepAlive, ProbeNone
	}
	if len(b)-start >= minSIP && (startsLikeSIP(firstLine(b[start:])) || resync(b, start) >= 0) {
		return KindSIP, ProbeNone
	}
	return KindProbe, probeKind(b)
}

// StartsStrict tells whether b begins, behind CRLFs at most, with a request
// line or status line of SIP/2.0 as the grammar has it: what is asked of
// traffic on ports that are not listed. It borrows b during the call.
func StartsStrict(b []byte) bool {
	i := 0
	for i < len(b) && (b[i] == '\r' || b[i] == '\n') {
		i++
	}
	return len(b)-i >= minSIP && isStrictStart(firstLine(b[i:]))
}

// isStrictStart: Method SP scheme: ... SP SIP/2.0, or SIP/2.0 SP 3DIGIT
// (RFC 3261 §7.1, §7.2).
func isStrictStart(line []byte) bool {
	const version = "SIP/2.0"
	n := len(line)
	if n < len(version)+4 {
		return false
	}
	if string(line[:len(version)]) == version {
		code := line[len(version):]
		return code[0] == ' ' && code[1]-'1' < 6 && isDigit(code[2]) && isDigit(code[3]) &&
			(len(code) == 4 || code[4] == ' ')
	}
	uri := n - len(version) - 1
	if line[uri] != ' ' || string(line[uri+1:]) != version {
		return false
	}
	method := 0
	for method < uri && isTokenByte(line[method]) {
		method++
	}
	if method == 0 || method >= uri || line[method] != ' ' {
		return false
	}
	var u URI
	target := line[method+1 : uri]
	return u.readScheme(target) > 0 && !hasLWS(target)
}

// startsLikeSIP is the lenient test for ports that are SIP's.
func startsLikeSIP(line []byte) bool {
	if isSIPSlash(line) {
		return true
	}
	line = trim(line)
	last := len(line)
	for last > 0 && !isLWS(line[last-1]) {
		last--
	}
	if last > 0 && isSIPSlash(line[last:]) {
		return true
	}
	end := wordEnd(line, 0)
	if !isToken(line[:end]) {
		return false
	}
	var u URI
	target := line[skipLWS(line, end):]
	return u.readScheme(target) > 0 && u.kind != uriOpaque
}

// isSTUN: two zero bits, a length that fits, the magic cookie (RFC 8489 §5).
func isSTUN(b []byte) bool {
	return len(b) >= 20 && b[0]&0xC0 == 0 && binary.BigEndian.Uint32(b[4:]) == 0x2112A442
}

// probeKind tries the binary protocols before the text ones, the strictest
// test first.
func probeKind(b []byte) ProbeKind {
	switch {
	case isClassicSTUN(b):
		return ProbeSTUN
	case isTLS(b):
		return ProbeTLS
	case isDNS(b):
		return ProbeDNS
	case isRTP(b):
		return ProbeRTP
	}
	return textKind(b)
}

// isClassicSTUN: a binding request or answer of RFC 3489 §11.1.
func isClassicSTUN(b []byte) bool {
	if len(b) < 20 || int(binary.BigEndian.Uint16(b[2:])) != len(b)-20 {
		return false
	}
	t := binary.BigEndian.Uint16(b)
	return t == 0x0001 || t == 0x0101 || t == 0x0111
}

// isTLS: a record header of TLS (major version 3) or DTLS (254).
func isTLS(b []byte) bool {
	if len(b) < 5 || b[0] < 20 || b[0] > 25 {
		return false
	}
	return b[1] == 3 && b[2] <= 4 || b[1] == 0xFE && b[2] >= 0xFC
}

// isDNS: a header with a known opcode and one question that can be read to its
// type and class (RFC 1035 §4.1.1, §4.1.2).
func isDNS(b []byte) bool {
	const header = 12
	if len(b) < header+5 || b[2]>>3&0xF > 6 || binary.BigEndian.Uint16(b[4:]) != 1 {
		return false
	}
	i := header
	for b[i] != 0 {
		if b[i] > 63 {
			return false
		}
		if i += int(b[i]) + 1; i+5 > len(b) {
			return false
		}
	}
	return true
}

// isRTP: version 2, room for the contributing sources, and a payload type of
// RFC 3551 §6 or a packet type of RTCP.
func isRTP(b []byte) bool {
	if len(b) < 8 || b[0]>>6 != 2 {
		return false
	}
	if t := b[1]; t >= 192 && t <= 223 {
		return true
	}
	t := b[1] & 0x7F
	return len(b) >= 12+4*int(b[0]&0xF) && (t <= 34 || t >= 96)
}

// textKind looks at the first line and at no more than the start of the rest.
func textKind(b []byte) ProbeKind {
	const sample = 512
	if len(b) > sample {
		b = b[:sample]
	}
	for _, c := range b {
		if c < ' ' && !isLWS(c) || c >= 0x7F {
			return ProbeBinary
		}
	}
	line := firstLine(b)
	switch {
	case bytes.HasPrefix(line, []byte("M-SEARCH * HTTP/")), bytes.HasPrefix(line, []byte("NOTIFY * HTTP/")):
		return ProbeSSDP
	case isHTTPWord(line):
		return ProbeHTTP
	}
	last := len(line)
	for last > 0 && line[last-1] != ' ' {
		last--
	}
	if last > 0 && isHTTPWord(line[last:]) {
		return ProbeHTTP
	}
	return ProbeText
}

func isHTTPWord(b []byte) bool {
	return bytes.HasPrefix(b, []byte("HTTP/")) || bytes.HasPrefix(b, []byte("RTSP/"))
}
