package track

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// Recorder makes records of single messages, which need nothing that is known of
// others: so each lane has one and uses it beside the others. What it fills owns its
// bytes.
type Recorder struct {
	addr        sip.Addr
	uri         sip.URI
	credentials sip.Auth
	sdp         sip.SDP
	headers     named
	id          []byte
}

// NewRecorder makes a Recorder of records that have these headers, as Config.Headers.
func NewRecorder(headers []string) *Recorder { return &Recorder{headers: newNamed(headers)} }

// associated is a header that Packetbeat reads (RFC 7315 §4.1).
var associated = []byte("P-Associated-URI")

// Record fills e with what one message says. It borrows p and m for the call. turn
// counts the rounds of a file that is read in a loop.
func (r *Recorder) Record(e *event.Event, p *packet.Packet, m *sip.Message, turn int) {
	e.Reset()
	e.Type = event.Message
	e.OpenParts()
	fillPacket(e, p, m.IsRequest())
	e.OuterSrc, e.OuterDst = p.OuterSrc, p.OuterDst // as source and destination
	e.Time, e.Start, e.End = p.Time, p.Time, p.Time
	r.identify(e, p, turn)
	if m.IsRequest() {
		e.Set(&e.Method, m.MethodName())
		setURI(e, &e.RequestURI, m.RequestURI())
	} else {
		r.answer(e, m)
	}
	var action event.Text
	e.SetLower(&action, "sip-", m.MethodName())
	e.SetPartText(event.PartAction, action)
	e.SetKey(&e.CallID, m.CallID())
	setParty(e, &e.From, m.From())
	setParty(e, &e.To, m.To())
	n, method := m.CSeq()
	e.CSeq, e.HasCSeq = n, true
	e.Set(&e.CSeqMethod, method)
	setMaxForwards(e, m)
	addValues(e, &e.Via, m, sip.HeaderVia)
	if b := m.Value(sip.HeaderUserAgent); b != nil {
		e.Set(&e.UserAgent, b)
	}
	r.options(e, m)
	r.addresses(e, m)
	r.authorization(e, m)
	r.body(e, m)
	r.headers.fill(e, m)
}

// identify makes the same message one record, whoever reads the capture and however
// often. A retransmission is a message of its own.
func (r *Recorder) identify(e *event.Event, p *packet.Packet, turn int) {
	b := append(r.id[:0], event.Message.String()...)
	if turn > 0 {
		b = binary.BigEndian.AppendUint32(b, uint32(turn))
	}
	b = binary.BigEndian.AppendUint64(b, uint64(p.Time))
	src, dst := p.Src.Addr().As16(), p.Dst.Addr().As16()
	b = binary.BigEndian.AppendUint16(append(b, src[:]...), p.Src.Port())
	b = binary.BigEndian.AppendUint16(append(b, dst[:]...), p.Dst.Port())
	r.id = append(b, p.Payload...)
	sum := sha256.Sum256(r.id)
	copy(e.ID[:], sum[:])
}

func (r *Recorder) answer(e *event.Event, m *sip.Message) {
	e.Code = uint16(m.Status())
	e.Set(&e.Status, m.ReasonPhrase())
	switch {
	case e.Code >= 300:
		e.Outcome = event.Failure
	case e.Code >= 200:
		e.Outcome = event.Success
	}
}

// options are the headers that say what a side can do, and of what kind the body is.
func (r *Recorder) options(e *event.Event, m *sip.Message) {
	if b := m.Value(sip.HeaderAccept); len(b) > 0 {
		var t event.Text
		e.SetLower(&t, "", b)
		e.SetPartText(event.PartAccept, t)
	}
	r.words(e, m, event.PartAllow, sip.HeaderAllow)
	r.words(e, m, event.PartSupported, sip.HeaderSupported)
	if n, ok := m.ContentLength(); ok {
		e.SetPartNumber(event.PartLength, uint32(n))
	}
	if b := m.Value(sip.HeaderContentType); len(b) > 0 {
		e.SetLower(&e.ContentType, "", b)
	}
}

// words keeps the values of a header in lower case.
func (r *Recorder) words(e *event.Event, m *sip.Message, to event.Part, h sip.Header) {
	if !m.Has(h) {
		return
	}
	var l event.List
	values := m.Values(h)
	for b, ok := values.Next(); ok; b, ok = values.Next() {
		r.id = r.id[:0]
		for _, c := range b {
			if c-'A' < 26 {
				c |= 0x20
			}
			r.id = append(r.id, c)
		}
		e.Add(&l, r.id)
	}
	e.SetPartList(to, l)
}

// addresses are the first Contact, and the first of the user's own URIs.
func (r *Recorder) addresses(e *event.Event, m *sip.Message) {
	contacts := m.Values(sip.HeaderContact)
	if b, ok := contacts.Next(); ok && r.addr.Parse(b) && !r.addr.Star() {
		setParty(e, &e.Contact, &r.addr)
		if b, ok := r.addr.Param("expires"); ok {
			if n, ok := sip.Seconds(b); ok {
				e.SetPartNumber(event.PartExpires, n)
			}
		}
		if b, ok := r.addr.Param("q"); ok {
			if n, ok := thousandths(b); ok {
				e.SetPartNumber(event.PartQ, n)
			}
		}
		if b, ok := r.addr.URI().Param("line"); ok {
			e.SetPart(event.PartLine, b)
		}
		if b, ok := r.addr.URI().Param("transport"); ok && len(b) > 0 {
			var t event.Text
			e.SetLower(&t, "", b)
			e.SetPartText(event.PartTransport, t)
		}
	}
	lines := m.Named(associated)
	b, ok := lines.Next()
	if !ok {
		return
	}
	if r.addr.Parse(firstOf(b)) {
		setPartURI(e, event.PartPrivate, r.addr.URI())
	}
}

// firstOf is the first of several values between commas; one inside angle brackets or
// quotes parts nothing (RFC 3261 §7.3.1).
func firstOf(b []byte) []byte {
	quoted, bracket := false, false
	for i, c := range b {
		switch {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '<' || c == '>':
			bracket = c == '<'
		case c == ',' && !bracket:
			return b[:i]
		}
	}
	return b
}

// thousandths reads a q value (RFC 3261 §25.1: qvalue).
func thousandths(b []byte) (n uint32, ok bool) {
	whole, fraction := true, 0
	for _, c := range b {
		switch {
		case c == '.' && whole:
			whole = false
		case c-'0' >= 10 || fraction == 3:
			return 0, false
		case whole && n > 1000:
			return 0, false
		default:
			if n = n*10 + uint32(c-'0'); !whole {
				fraction++
			}
		}
	}
	for ; fraction < 3; fraction++ {
		n *= 10
	}
	return n, len(b) > 0 && n <= 1000
}

func setPartURI(e *event.Event, to event.Part, u *sip.URI) {
	port, _ := u.Port()
	e.SetPartURI(to, u.Bytes(), u.Scheme(), u.User(), u.Host(), port)
}

// authorization is what the first credentials say but their secrets.
func (r *Recorder) authorization(e *event.Event, m *sip.Message) {
	b := m.Value(sip.HeaderAuthorization)
	if b == nil {
		b = m.Value(sip.HeaderProxyAuthorization)
	}
	if b == nil || !r.credentials.Parse(b) {
		return
	}
	a := &r.credentials
	e.Set(&e.AuthScheme, a.Scheme())
	e.Set(&e.AuthRealm, a.Realm())
	e.Set(&e.AuthUser, a.Username())
	if u := a.URI(); len(u) > 0 && r.uri.Parse(u) {
		setPartURI(e, event.PartAuth, &r.uri)
	}
}

// body is the head of a session description; the body itself is not kept.
func (r *Recorder) body(e *event.Event, m *sip.Message) {
	b := m.Body()
	if len(b) == 0 {
		return
	}
	b = sip.SDPBody(m.Value(sip.HeaderContentType), b)
	s := &r.sdp
	if len(b) == 0 || !s.Parse(b) {
		return
	}
	e.SetPart(event.PartSDPVersion, s.Version())
	user, session, version := s.Owner()
	e.SetPart(event.PartOwnerUser, unlessHyphen(user))
	e.SetPart(event.PartOwnerSession, session)
	e.SetPart(event.PartOwnerVersion, version)
	e.SetPart(event.PartOwnerIP, s.Origin())
	e.SetPart(event.PartSessionName, unlessHyphen(s.Session()))
	if info := s.Info(); len(info) > 0 {
		e.SetPart(event.PartConnection, info)
		e.Set(&e.Conn, s.Connection())
	}
}

// unlessHyphen leaves out the hyphen that stands for no name (RFC 8866 §5.2, §5.3).
func unlessHyphen(b []byte) []byte {
	if len(b) == 1 && b[0] == '-' {
		return nil
	}
	return b
}
