package sip

import "bytes"

// Bounds of an SDP summary. Media beyond them are counted only, codecs beyond
// them are left out.
const (
	maxMedia  = 8
	maxCodecs = 32
)

// Media is one media description (RFC 8866 §5.14). Its slices borrow the body.
type Media struct {
	Type       []byte // audio, video, image, application ...
	Proto      []byte // RTP/AVP, UDP/TLS/RTP/SAVPF, udptl ...
	Direction  []byte // sendrecv, sendonly, recvonly, inactive (RFC 8866 §6.7)
	Connection []byte // its own c= address, else the session's
	Port       uint16 // 0: refused (RFC 3264 §6)
}

// media holds what Media shows.
type media struct {
	kind, proto, formats, connection span
	direction                        direction
	port                             uint16
	bundled                          bool
}

type direction uint8

const (
	dirUnset direction = iota
	dirSendRecv
	dirSendOnly
	dirRecvOnly
	dirInactive
)

var directions = [...]string{
	dirUnset: "sendrecv", dirSendRecv: "sendrecv", dirSendOnly: "sendonly",
	dirRecvOnly: "recvonly", dirInactive: "inactive",
}

// directionNames and staticNames are handed out by getters, which borrow them;
// nobody writes to them.
var directionNames = byteNames(directions[:])

// staticCodecs are the payload types that need no rtpmap (RFC 3551 §6).
var staticCodecs = [35]string{
	0: "PCMU", 3: "GSM", 4: "G723", 5: "DVI4", 6: "DVI4", 7: "LPC", 8: "PCMA", 9: "G722",
	10: "L16", 11: "L16", 12: "QCELP", 13: "CN", 14: "MPA", 15: "G728", 16: "DVI4", 17: "DVI4",
	18: "G729", 25: "CelB", 26: "JPEG", 28: "nv", 31: "H261", 32: "MPV", 33: "MP2T", 34: "H263",
}

var staticNames = byteNames(staticCodecs[:])

// codec is a name in the body or, when static is not 0, the payload type
// static-1 of the table.
type codec struct {
	name   span
	static uint8
}

// SDP is a summary of a session description (RFC 8866): enough to say who
// sends what to where. It is no validator, and it is made to be reused.
type SDP struct {
	body        []byte
	version     span
	owner       span // the whole o=
	origin      span
	name        span
	info        span // the session's whole c=
	connection  span
	first       span // the first media's c=
	media       [maxMedia]media
	numMedia    int
	codecs      [maxCodecs]codec
	numCodecs   int
	ptime       int
	maxPtime    int
	srtp        bool
	ice         bool
	direction   direction
	rtpmap      [128]span // of the media being read; valid where mapped says so
	mapped      [2]uint64
	staticsSeen uint64 // which static names are in codecs already
}

// Parse reads a body. It borrows it until the next Parse. False when it does
// not begin with a v= line (RFC 8866 §5); what could be read is there all the
// same. Lines may end with CRLF or LF (RFC 8866 §5).
func (s *SDP) Parse(body []byte) bool {
	s.reset(body)
	i := skipLWS(body, 0)
	ok := len(body)-i > 1 && body[i] == 'v' && body[i+1] == '='
	for i < len(body) {
		end := orEnd(indexByte(body, i, '\n'), body)
		stop := end
		for stop > i && isLWS(body[stop-1]) {
			stop--
		}
		if stop-i >= 2 && body[i+1] == '=' {
			s.field(body[i], mark(i+2, stop))
		}
		i = end + 1
	}
	s.closeMedia()
	return ok
}

func (s *SDP) reset(body []byte) {
	if len(body) > maxMessage {
		body = body[:maxMessage]
	}
	s.body = body
	s.version, s.owner, s.info = span{}, span{}, span{}
	s.origin, s.name, s.connection, s.first = span{}, span{}, span{}, span{}
	s.numMedia, s.numCodecs, s.ptime, s.maxPtime = 0, 0, 0, 0
	s.srtp, s.ice, s.direction = false, false, dirUnset
	s.mapped, s.staticsSeen = [2]uint64{}, 0
}

// current is the media being read, nil before the first and beyond the last
// that is kept.
func (s *SDP) current() *media {
	if s.numMedia == 0 || s.numMedia > maxMedia {
		return nil
	}
	return &s.media[s.numMedia-1]
}

func (s *SDP) field(kind byte, v span) {
	switch kind {
	case 'v':
		s.version = v
	case 'o':
		s.owner, s.origin = v, s.word(v, 5)
	case 's':
		s.name = v
	case 'c':
		s.connectionLine(v)
	case 'm':
		s.closeMedia()
		s.numMedia++
		if m := s.current(); m != nil {
			s.openMedia(m, v)
		}
	case 'a':
		s.attribute(v)
	}
}

// word is the n-th word of a field, from 0; empty when there are fewer.
func (s *SDP) word(v span, n int) span {
	b := v.of(s.body)
	i := skipLWS(b, 0)
	for ; n > 0; n-- {
		i = skipLWS(b, wordEnd(b, i))
	}
	return mark(int(v.off)+i, int(v.off)+wordEnd(b, i))
}

// connectionLine reads c=IN IP4 address[/ttl] (RFC 8866 §5.7).
func (s *SDP) connectionLine(v span) {
	address := s.word(v, 2)
	if slash := bytes.IndexByte(address.of(s.body), '/'); slash >= 0 {
		address.len = uint32(slash)
	}
	if s.numMedia == 0 {
		s.info, s.connection = v, address
		return
	}
	if s.first.len == 0 {
		s.first = address
	}
	if m := s.current(); m != nil {
		m.connection = address
	}
}

// openMedia reads m=type port[/number] proto format ... (RFC 8866 §5.14).
func (s *SDP) openMedia(m *media, v span) {
	*m = media{kind: s.word(v, 0), proto: s.word(v, 2), connection: s.connection}
	n, _ := decimal(s.word(v, 1).of(s.body), 1<<16)
	if n < 1<<16 {
		m.port = uint16(n)
	}
	formats := s.word(v, 3)
	m.formats = mark(int(formats.off), int(v.off+v.len))
	s.mapped = [2]uint64{}
	if bytes.Contains(m.proto.of(s.body), []byte("SAVP")) {
		s.srtp = true
	}
}

func (s *SDP) attribute(v span) {
	b := v.of(s.body)
	name, value := b, b[:0]
	colon := bytes.IndexByte(b, ':')
	if colon >= 0 {
		name, value = b[:colon], b[colon+1:]
	}
	switch string(name) {
	case "sendrecv":
		s.setDirection(dirSendRecv)
	case "sendonly":
		s.setDirection(dirSendOnly)
	case "recvonly":
		s.setDirection(dirRecvOnly)
	case "inactive":
		s.setDirection(dirInactive)
	case "rtpmap":
		s.mapping(value, int(v.off)+colon+1)
	case "ptime":
		setOnce(&s.ptime, value)
	case "maxptime":
		setOnce(&s.maxPtime, value)
	case "crypto", "fingerprint": // RFC 4568, RFC 8122
		s.srtp = true
	case "bundle-only":
		if m := s.current(); m != nil {
			m.bundled = true
		}
	case "ice-ufrag", "candidate": // RFC 8839
		s.ice = true
	}
}

func (s *SDP) setDirection(d direction) {
	if s.numMedia == 0 {
		s.direction = d
	} else if m := s.current(); m != nil {
		m.direction = d
	}
}

func setOnce(to *int, b []byte) {
	if n, digits := decimal(trim(b), 1<<16); *to == 0 && digits > 0 {
		*to = int(n)
	}
}

// mapping reads rtpmap:type name/clock (RFC 8866 §6.6) at offset off.
func (s *SDP) mapping(b []byte, off int) {
	start := skipLWS(b, 0)
	n, digits := decimal(b[start:], 128)
	if digits == 0 || n >= 128 {
		return
	}
	i := skipLWS(b, start+digits)
	end := i
	for end < len(b) && b[end] != '/' && !isLWS(b[end]) {
		end++
	}
	s.rtpmap[n] = mark(off+i, off+end)
	s.mapped[n/64] |= 1 << (n % 64)
}

// refused: port 0 (RFC 3264 §6), unless the media shares another's port
// (RFC 9143 §6).
func (m *media) refused() bool { return m.port == 0 && !m.bundled }

// closeMedia adds the codecs of the media that ends, in the order of its
// formats; a refused one has none.
func (s *SDP) closeMedia() {
	m := s.current()
	if m == nil || m.refused() {
		return
	}
	b := m.formats.of(s.body)
	for i := 0; i < len(b) && s.numCodecs < maxCodecs; {
		i = skipLWS(b, i)
		end := wordEnd(b, i)
		if end > i {
			s.format(b[i:end], int(m.formats.off)+i)
		}
		i = end
	}
}

// format finds the name of one format: its rtpmap, else the static table. A
// format that is no number, such as udptl's t38, is its own name.
func (s *SDP) format(b []byte, off int) {
	n, digits := decimal(b, 128)
	switch {
	case digits != len(b):
		if isToken(b) && b[0] != '*' {
			s.addCodec(codec{name: mark(off, off+len(b))})
		}
	case n >= 128:
	case s.mapped[n/64]>>(n%64)&1 != 0:
		s.addCodec(codec{name: s.rtpmap[n]})
	case int(n) < len(staticNames) && len(staticNames[n]) > 0 && s.staticsSeen>>n&1 == 0:
		s.staticsSeen |= 1 << n
		s.addCodec(codec{static: uint8(n) + 1})
	}
}

// addCodec adds a name once, whatever its clock rate and case (RFC 8866 §6.6
// names codecs without case).
func (s *SDP) addCodec(c codec) {
	name := s.codecName(c)
	if s.numCodecs == maxCodecs || len(name) == 0 {
		return
	}
	for _, old := range s.codecs[:s.numCodecs] {
		if equalFoldBytes(s.codecName(old), name) {
			return
		}
	}
	s.codecs[s.numCodecs] = c
	s.numCodecs++
}

func (s *SDP) codecName(c codec) []byte {
	if c.static > 0 {
		return staticNames[c.static-1]
	}
	return c.name.of(s.body)
}

// NumMedia is how many media descriptions there are; Media shows the first 8.
func (s *SDP) NumMedia() int { return s.numMedia }

// Media gives the i-th media description, from 0; an empty one beyond those
// that are kept. Its slices borrow the body.
func (s *SDP) Media(i int) Media {
	if i < 0 || i >= min(s.numMedia, maxMedia) {
		return Media{}
	}
	m := &s.media[i]
	return Media{
		Type:       m.kind.of(s.body),
		Proto:      m.proto.of(s.body),
		Direction:  directionNames[s.directionOf(m)],
		Connection: m.connection.of(s.body),
		Port:       m.port,
	}
}

// directionOf: the media's own, else the session's, else sendrecv (RFC 8866
// §6.7).
func (s *SDP) directionOf(m *media) direction {
	if m.direction != dirUnset {
		return m.direction
	}
	return s.direction
}

// NumCodecs is how many different codec names there are, 32 at most.
func (s *SDP) NumCodecs() int { return s.numCodecs }

// Codec borrows the i-th codec name, such as PCMU, opus or telephone-event, in
// the order of the offer.
func (s *SDP) Codec(i int) []byte { return s.codecName(s.codecs[:s.numCodecs][i]) }

// Connection borrows the session's c= address, else the first media's
// (RFC 8866 §5.7).
func (s *SDP) Connection() []byte {
	if s.connection.len > 0 {
		return s.connection.of(s.body)
	}
	return s.first.of(s.body)
}

// Version borrows the v= line (RFC 8866 §5.1).
func (s *SDP) Version() []byte { return s.version.of(s.body) }

// Info borrows the session's c= line, empty where each media has its own.
func (s *SDP) Info() []byte { return s.info.of(s.body) }

// Owner borrows user name, session identifier and version of the o= line
// (RFC 8866 §5.2).
func (s *SDP) Owner() (user, session, version []byte) {
	return s.word(s.owner, 0).of(s.body), s.word(s.owner, 1).of(s.body), s.word(s.owner, 2).of(s.body)
}

// Origin borrows the address of the o= line (RFC 8866 §5.2).
func (s *SDP) Origin() []byte { return s.origin.of(s.body) }

// Session borrows the s= line (RFC 8866 §5.3).
func (s *SDP) Session() []byte { return s.name.of(s.body) }

// Ptime is the first a=ptime in milliseconds, 0 without one (RFC 8866 §6.4).
func (s *SDP) Ptime() int { return s.ptime }

// MaxPtime is the first a=maxptime in milliseconds, 0 without one (RFC 8866
// §6.5).
func (s *SDP) MaxPtime() int { return s.maxPtime }

// SRTP tells that media are or can be encrypted: RTP/SAVP or SAVPF, a=crypto
// or a=fingerprint (RFC 3711, RFC 4568, RFC 5763).
func (s *SDP) SRTP() bool { return s.srtp }

// ICE tells that ICE is offered or used (RFC 8839 §4).
func (s *SDP) ICE() bool { return s.ice }

// Held tells that every media that is not refused is on hold: sendonly,
// inactive, or sent to 0.0.0.0 as RFC 2543 did (RFC 3264 §8.4).
func (s *SDP) Held() bool {
	held := false
	for i := range s.media[:min(s.numMedia, maxMedia)] {
		m := &s.media[i]
		if m.refused() {
			continue
		}
		d := s.directionOf(m)
		if d != dirSendOnly && d != dirInactive && string(m.connection.of(s.body)) != "0.0.0.0" {
			return false
		}
		held = true
	}
	return held
}

// maxDepth bounds multiparts inside multiparts; each level reads its bytes
// once.
const maxDepth = 3

// SDPBody borrows the session description of a message body: the body itself
// when its Content-Type is application/sdp (or is missing and it begins like
// one), the first such part of a multipart body (RFC 5621, RFC 2046 §5.1), nil
// when there is none. It borrows both arguments.
func SDPBody(contentType, body []byte) []byte {
	if len(contentType) == 0 {
		if bytes.HasPrefix(body, []byte("v=0")) {
			return body
		}
		return nil
	}
	for range maxDepth {
		if isMediaType(contentType, "application/sdp") {
			return body
		}
		boundary := boundaryOf(contentType)
		if boundary == nil {
			return nil
		}
		contentType, body = findPart(boundary, body)
	}
	return nil
}

// isMediaType compares the type without its parameters (RFC 3261 §20.15).
func isMediaType(contentType []byte, want string) bool {
	return equalFold(trim(contentType[:orEnd(indexByte(contentType, 0, ';'), contentType)]), want)
}

// boundaryOf gives the delimiter of a multipart type. One above 70 bytes is
// not allowed (RFC 2046 §5.1.1) and would make the search slow.
func boundaryOf(contentType []byte) []byte {
	const multipart = "multipart/"
	t := trim(contentType)
	if len(t) < len(multipart) || !equalFold(t[:len(multipart)], multipart) {
		return nil
	}
	semicolon := indexByte(t, 0, ';')
	if semicolon < 0 {
		return nil
	}
	boundary, _ := Params{b: t[semicolon+1:]}.find("boundary")
	if len(boundary) == 0 || len(boundary) > 70 {
		return nil
	}
	return boundary
}

// findPart gives type and content of the first part that is SDP or a multipart
// itself.
func findPart(boundary, b []byte) (contentType, content []byte) {
	i, _ := delimiter(boundary, b, 0)
	for i >= 0 {
		next, end := delimiter(boundary, b, i)
		part := b[i:end]
		head, body := splitPart(part)
		if isMediaType(head, "application/sdp") || boundaryOf(head) != nil {
			return head, body
		}
		i = next
	}
	return nil, nil
}

// delimiter finds the next delimiter line at or after i: the offset of the
// line behind it (-1 when it is the last or missing) and the end of the part
// before it, whose last CRLF belongs to the delimiter (RFC 2046 §5.1.1).
func delimiter(boundary, b []byte, i int) (next, end int) {
	start := i
	for i < len(b) {
		after := orEnd(indexByte(b, i, '\n'), b)
		rest, ok := bytes.CutPrefix(b[i:after], dashes)
		if ok {
			rest, ok = bytes.CutPrefix(rest, boundary)
		}
		last := ok && bytes.HasPrefix(rest, dashes)
		if last || ok && len(trim(rest)) == 0 {
			end = i
			if end > start && b[end-1] == '\n' {
				end--
			}
			if end > start && b[end-1] == '\r' {
				end--
			}
			if last || after == len(b) {
				return -1, end
			}
			return after + 1, end
		}
		i = after + 1
	}
	return -1, len(b)
}

// dashes is never written to.
var dashes = []byte("--")

// splitPart reads a part's Content-Type, folded or not, and gives what is
// behind its empty line.
func splitPart(b []byte) (contentType, content []byte) {
	var start int // of the value being read
	var ours bool
	for i := 0; i < len(b); {
		lf := indexByte(b, i, '\n')
		if lf < 0 {
			break
		}
		field := trim(b[i:lf])
		switch colon := bytes.IndexByte(field, ':'); {
		case len(field) == 0:
			return contentType, b[lf+1:]
		case b[i] == ' ' || b[i] == '\t':
			if ours {
				contentType = trim(b[start:lf])
			}
		case colon > 0:
			ours = headerOf(trim(field[:colon])) == HeaderContentType
			if ours {
				start = indexByte(b, i, ':') + 1
				contentType = trim(b[start:lf])
			}
		}
		i = lf + 1
	}
	return contentType, nil
}
