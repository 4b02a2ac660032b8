package track

import (
	"bytes"
	"net/netip"
	"strconv"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// fillPacket copies what the packet says: addresses as the request has them, so
// an answer's are reversed.
func (t *Tracker) fillPacket(e *event.Event, p *packet.Packet, request bool) {
	fillPacket(e, p, request)
	e.Capture, e.Iface = t.capture, t.iface
	e.Injected = e.Injected || t.injecting
}

func fillPacket(e *event.Event, p *packet.Packet, request bool) {
	e.Src, e.Dst = p.Src, p.Dst
	e.OuterSrc, e.OuterDst = p.OuterSrc, p.OuterDst
	if !request {
		e.Src, e.Dst = p.Dst, p.Src
		e.OuterSrc, e.OuterDst = p.OuterDst, p.OuterSrc
	}
	e.Transport = event.Transport(p.Transport)
	e.VLANs = [2]uint16{}
	for i, id := range p.VLANs {
		if i < len(e.VLANs) {
			e.VLANs[i] = id
		}
	}
	for _, l := range p.Encap {
		e.Add(&e.Encap, []byte(l.String()))
	}
	if h := &p.HEP; h.Version != 0 {
		e.HEP = event.HEP{Version: h.Version, Type: h.Type, Vendor: h.Vendor, CaptureID: h.CaptureID, Received: h.Received}
		e.Set(&e.HEP.Node, h.Node)
		e.SetKey(&e.HEP.Correlation, h.CorrelationID)
	}
	e.AddAddr(&e.Legs, p.Src.Addr()) // AddLeg takes both ends for known, which are new here
	e.AddAddr(&e.Legs, p.Dst.Addr())
}

// fillRequest copies what a record tells of a request. e is empty before.
func (t *Tracker) fillRequest(e *event.Event, v *view) {
	m := v.m
	t.fillPacket(e, v.p, v.request)
	t.fillCommon(e, v)
	setURI(e, &e.RequestURI, m.RequestURI())
	e.Set(&e.Method, m.MethodName())
	via := m.Via()
	e.SetKey(&e.Branch, via.Branch())
	e.Set(&e.ViaTransport, via.Transport())
	t.fillList(e, &e.Via, sip.HeaderVia)
	if n, ok := setMaxForwards(e, m); !ok || n > 255 {
		e.Anomalies |= event.BadMaxForwards
	}
	if b := m.Value(sip.HeaderUserAgent); b != nil {
		e.Set(&e.UserAgent, b)
	}
	t.fillContact(e, &e.Contact)
	t.fillList(e, &e.PAI, sip.HeaderPAssertedIdentity)
	t.fillList(e, &e.Diversion, sip.HeaderDiversion)
	t.fillList(e, &e.History, sip.HeaderHistoryInfo)
	t.fillPrivacy(e)
	t.fillAddr(e, &e.PPI, sip.HeaderPPreferredIdentity)
	t.fillAddr(e, &e.RPID, sip.HeaderRemotePartyID)
	t.fillAuth(e)
	t.fillReason(e)
	t.fillSDP(e)
	t.fillIdentity(e)
	t.fillReference(e)
	if b := m.Value(sip.HeaderSessionID); b != nil {
		local, remote := sessionID(b)
		e.Set(&e.SessionLocal, local)
		e.Set(&e.SessionRemote, remote)
	}
	e.Emergency = t.emergency(v)
	t.headers.fill(e, m)
	t.correlate(e, v)
}

// setMaxForwards gives the number as it is written; false where it is no number.
func setMaxForwards(e *event.Event, m *sip.Message) (n uint32, ok bool) {
	b := m.Value(sip.HeaderMaxForwards)
	if len(b) == 0 {
		return 0, true
	}
	if n, ok = sip.Seconds(b); ok {
		e.MaxForwards, e.HasMaxForwards = int16(min(n, 32767)), true
	}
	return n, ok
}

// fillCommon copies what request and answer share.
func (t *Tracker) fillCommon(e *event.Event, v *view) {
	m := v.m
	e.SetKey(&e.CallID, m.CallID())
	setParty(e, &e.From, m.From())
	setParty(e, &e.To, m.To())
	n, method := m.CSeq()
	e.CSeq, e.HasCSeq = n, true
	e.Set(&e.CSeqMethod, method)
	e.Anomalies |= t.oddities(v)
	if b := m.Value(sip.HeaderContentType); b != nil {
		e.Set(&e.ContentType, b)
	}
}

// fillUnasked makes the record of a request of which only an answer was seen.
func (t *Tracker) fillUnasked(e *event.Event, v *view) {
	t.fillPacket(e, v.p, false)
	t.fillCommon(e, v)
	_, method := v.m.CSeq()
	e.Set(&e.Method, method)
	via := v.m.Via()
	e.SetKey(&e.Branch, via.Branch())
	e.Set(&e.ViaTransport, via.Transport())
}

// fillAnswer adds what a final answer says.
func (t *Tracker) fillAnswer(e *event.Event, v *view) {
	m := v.m
	e.Code = v.code
	e.Set(&e.Status, m.ReasonPhrase())
	e.SetKey(&e.To.Tag, m.To().Tag())
	if e.To.Tag.Len() == 0 {
		e.Anomalies |= event.NoToTag
	}
	switch ua, server := m.Value(sip.HeaderUserAgent), m.Value(sip.HeaderServer); {
	case ua != nil:
		e.Set(&e.Server, ua)
	case server != nil:
		e.Set(&e.Server, server)
	}
	if b := m.Value(sip.HeaderRetryAfter); b != nil {
		e.RetryAfter, _ = sip.Seconds(b)
	}
	t.fillNAT(e, v)
	e.Anomalies |= t.oddities(v)
	t.fillReason(e)
	t.fillSDP(e)
	if b := m.Value(sip.HeaderSessionID); b != nil {
		local, _ := sessionID(b) // the answering side's own
		e.Set(&e.SessionRemote, local)
	}
	e.AddLeg(v.p.Src.Addr())
	e.AddLeg(v.p.Dst.Addr())
}

// fillNAT takes the address that the request came from, as the answering side saw
// it (RFC 3581 §4): most often it is where the answer goes.
func (t *Tracker) fillNAT(e *event.Event, v *view) {
	via := v.m.Via()
	received := via.Received()
	if len(received) == 0 {
		return
	}
	host := v.p.Dst.Addr()
	t.scratch = host.AppendTo(t.scratch[:0])
	if !bytes.Equal(t.scratch, received) {
		var err error
		if host, err = netip.ParseAddr(string(received)); err != nil {
			return
		}
	}
	port, _ := via.RPort()
	if own, ok := via.Port(); bytes.Equal(via.Host(), received) && (port == 0 || port == own || !ok && port == 5060) {
		return // it is where the client itself says it is: nothing translates
	}
	e.NAT = netip.AddrPortFrom(host.WithZone(""), port) // a zone means something to its host alone
}

func setURI(e *event.Event, to *event.URI, u *sip.URI) {
	port, _ := u.Port()
	e.SetURI(to, u.Bytes(), u.Scheme(), u.User(), u.Host(), port)
}

func setParty(e *event.Event, to *event.Party, a *sip.Addr) {
	e.Set(&to.Display, a.Display())
	setURI(e, &to.URI, a.URI())
	e.SetKey(&to.Tag, a.Tag())
}

// fillList copies every value of a header.
func (t *Tracker) fillList(e *event.Event, l *event.List, h sip.Header) {
	if !t.view.m.Has(h) {
		return
	}
	l.Clear()
	addValues(e, l, t.view.m, h)
}

func addValues(e *event.Event, l *event.List, m *sip.Message, h sip.Header) {
	values := m.Values(h)
	for b, ok := values.Next(); ok; b, ok = values.Next() {
		e.Add(l, b)
	}
}

// fillPrivacy splits on semicolons (RFC 3323 §4.2).
func (t *Tracker) fillPrivacy(e *event.Event) {
	b := t.view.m.Value(sip.HeaderPrivacy)
	for len(b) > 0 {
		word, rest, _ := bytes.Cut(b, []byte{';'})
		if word = bytes.TrimSpace(word); len(word) > 0 {
			e.Add(&e.Privacy, word)
		}
		b = rest
	}
}

func (t *Tracker) fillAddr(e *event.Event, to *event.URI, h sip.Header) {
	b := t.view.m.Value(h)
	if b == nil {
		return
	}
	if t.addr.Parse(b) {
		setURI(e, to, t.addr.URI())
	}
}

func (t *Tracker) fillContact(e *event.Event, to *event.Party) {
	m := t.view.m
	if !m.Has(sip.HeaderContact) {
		return
	}
	values := m.Values(sip.HeaderContact)
	b, ok := values.Next()
	if !ok {
		return
	}
	if !t.addr.Parse(b) {
		e.Anomalies |= event.ContactBroken
		return
	}
	if !t.addr.Star() {
		setParty(e, to, &t.addr)
	}
	if _, more := values.Next(); more && t.view.method == sip.MethodInvite {
		e.Anomalies |= event.ManyContacts
	}
}

// fillAuth copies user, realm and scheme of the first credentials, which the view
// has read.
func (t *Tracker) fillAuth(e *event.Event) {
	if t.view.creds.n == 0 {
		return
	}
	a := &t.credentials
	e.Set(&e.AuthScheme, a.Scheme())
	e.Set(&e.AuthUser, a.Username())
	e.Set(&e.AuthRealm, a.Realm())
	t.idBuf = t.idBuf[:0]
	e.Proof = t.digest([][]byte{a.Nonce(), a.Response()})
}

// fillReason reads Reason headers (RFC 3326): protocol, cause and text of each.
func (t *Tracker) fillReason(e *event.Event) {
	m := t.view.m
	if !m.Has(sip.HeaderReason) {
		return
	}
	e.ReasonProtocol.Clear()
	e.ReasonCause.Clear()
	e.ReasonText.Clear()
	values := m.Values(sip.HeaderReason)
	for b, ok := values.Next(); ok; b, ok = values.Next() {
		protocol, rest, _ := bytes.Cut(b, []byte{';'})
		protocol = bytes.TrimSpace(protocol)
		e.Add(&e.ReasonProtocol, protocol)
		params := sip.ParseParams(rest)
		var cause, text []byte
		for name, value, ok := params.Next(); ok; name, value, ok = params.Next() {
			switch {
			case bytes.EqualFold(name, []byte("cause")):
				cause = value
			case bytes.EqualFold(name, []byte("text")):
				text = value
			}
		}
		if cause != nil {
			e.Add(&e.ReasonCause, cause)
		}
		if text != nil {
			e.Add(&e.ReasonText, text)
		}
		if bytes.EqualFold(protocol, []byte("Q.850")) {
			if n, ok := sip.Seconds(cause); ok && n < 128 {
				e.Q850 = uint8(n)
				e.Set(&e.Q850Text, text)
			}
		}
	}
}

// fillSDP takes the summary of a session description. That of the answer, which
// comes later, replaces that of the offer: it is what was agreed on.
func (t *Tracker) fillSDP(e *event.Event) {
	m := t.view.m
	body := m.Body()
	if len(body) == 0 {
		return
	}
	body = sip.SDPBody(m.Value(sip.HeaderContentType), body)
	s := &t.sdp
	if len(body) == 0 {
		return
	}
	if !s.Parse(body) {
		if !m.BodyCut() {
			e.Anomalies |= event.BadSDP
		}
		return
	}
	e.Codecs.Clear()
	e.Media.Clear()
	for i := range s.NumCodecs() {
		e.Add(&e.Codecs, s.Codec(i))
	}
	for i := range s.NumMedia() {
		e.Add(&e.Media, s.Media(i).Type)
	}
	e.Set(&e.Conn, s.Connection())
	e.Ptime, e.MaxPtime = uint16(min(s.Ptime(), 1<<16-1)), uint16(min(s.MaxPtime(), 1<<16-1))
	e.SRTP, e.ICE, e.Ses = s.SRTP(), s.ICE(), true
	to := &e.Answered
	if t.view.request {
		to = &e.Offered
	}
	for i := range s.NumMedia() {
		if m := s.Media(i); m.Port != 0 {
			if to.Port, to.Addr = m.Port, e.Conn; !bytes.Equal(m.Connection, e.Bytes(e.Conn)) {
				e.Set(&to.Addr, m.Connection)
			}
			break
		}
	}
}

// sessionID splits a Session-ID (RFC 7989 §5): the sender's UUID and the other's.
func sessionID(b []byte) (local, remote []byte) {
	local, rest, _ := bytes.Cut(b, []byte{';'})
	params := sip.ParseParams(rest)
	for name, value, ok := params.Next(); ok; name, value, ok = params.Next() {
		if bytes.EqualFold(name, []byte("remote")) {
			remote = value
		}
	}
	return bytes.TrimSpace(local), remote
}

// emergency reports whether a request asks for an emergency service: its URN
// (RFC 5031), the priority (RFC 3261 §20.26), or a number from the configuration.
func (t *Tracker) emergency(v *view) bool {
	if v.method != sip.MethodInvite && v.method != sip.MethodMessage {
		return false
	}
	u := v.m.RequestURI()
	if u.SchemeIs("urn") {
		const sos = "urn:service:sos"
		b := u.Bytes()
		return len(b) >= len(sos) && bytes.EqualFold(b[:len(sos)], []byte(sos)) && (len(b) == len(sos) || b[len(sos)] == '.' || b[len(sos)] == ';')
	}
	if b := v.m.Value(sip.HeaderPriority); b != nil && bytes.EqualFold(b, []byte("emergency")) {
		return true
	}
	user := u.User()
	for _, n := range t.cfg.Emergency {
		if string(user) == n {
			return true
		}
	}
	return false
}

// aorOf writes an address of record into the tracker's scratch space: scheme,
// unescaped user, lower-case host, port if written (events.md, Identity). It is
// valid until the next call.
func (t *Tracker) aorOf(u *sip.URI) []byte {
	b := appendLower(t.scratch[:0], u.Scheme())
	b = append(b, ':')
	if user := u.User(); len(user) > 0 {
		b = sip.AppendUnescaped(b, user)
		if len(u.Host()) > 0 { // a telephone number has none
			b = append(b, '@')
		}
	}
	b = appendLower(b, u.Host())
	if port, ok := u.Port(); ok {
		b = strconv.AppendUint(append(b, ':'), uint64(port), 10)
	}
	t.scratch = b
	return b
}

func appendLower(dst, b []byte) []byte {
	for _, c := range b {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}
