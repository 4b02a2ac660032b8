package event

import (
	"bytes"
	"math"
	"net/netip"
	"slices"
	"strings"
)

// Label says in a record that it was masked: how, and with which key.
type Label struct {
	KeyID  string
	Fields []string // group:mode, in the order of the groups
}

// hides tells whether what l is of masks a group.
func (l *Label) hides(g Group) bool {
	return l != nil && slices.ContainsFunc(l.Fields, func(f string) bool {
		name, _, _ := strings.Cut(f, ":")
		return name == g.String()
	})
}

// same tells whether what l is of masks as what other is of does.
func (l *Label) same(other *Label) bool {
	return l != nil && other != nil && l.KeyID == other.KeyID && slices.Equal(l.Fields, other.Fields)
}

// labeler is a Masker that says what it does.
type labeler interface{ Label() *Label }

// LabelOf is what records say of m, nil where m says nothing.
func LabelOf(m Masker) *Label {
	if l, ok := m.(labeler); ok {
		return l.Label()
	}
	return nil
}

// masked is what a masked record has besides: what its clear values would have said in
// fields that are made of several. The zero value is that of a record that is clear.
type masked struct {
	on     bool
	label  *Label
	userID Text  // where it does not follow from the masked parts of From
	ips    List  // of related.ip, behind the legs
	names  uint8 // bits: which of hosts are no addresses
	gone   gone
	family string // network.type
}

// gone are values that were there and are left out.
type gone uint8

const (
	goneStatus gone = 1 << iota
	goneAuthUser
	goneAuthRealm
	goneUserID
)

// maxMasked is how long the buffer of a masked record may be: sealed values are some 1.6
// times as long as clear ones, and none of them is cut. What does not fit, of a record
// whose private values have more than 35 KiB, is left out, and the record says so
// (FieldCut). Offsets have 16 bits.
const maxMasked = math.MaxUint16

// Mask makes dst a copy of e whose private values are masked; dst owns its bytes. The
// members of Event say in their tags of which group and shape they are. A masked record
// is made to leave: it can be rendered and copied, not packed.
func (e *Event) Mask(m Masker, dst *Event) {
	buf := dst.buf[:0]
	*dst = *e
	dst.buf = buf
	dst.masked = masked{on: true}
	dst.masked.label = LabelOf(m)
	k := masking{m: m, from: e, to: dst}
	k.record()
}

// masking is one walk over the members of a record. Each member of to holds what from
// has until it is visited.
type masking struct {
	m        Masker
	from, to *Event
}

// record visits every member that has bytes, or names somebody.
func (k *masking) record() {
	e := k.to
	k.ends()
	k.keep(&e.quality, &e.Probe)
	k.keepLists(&e.Encap, &e.Codes)
	k.words()
	k.ids()
	k.party(&e.From)
	k.party(&e.To)
	k.party(&e.Contact)
	for _, u := range [...]*URI{&e.RequestURI, &e.PPI, &e.RPID, &e.AOR} {
		k.uri(u)
	}
	k.list(&e.Via, asVia)
	for _, l := range [...]*List{&e.PAI, &e.Diversion, &e.History} {
		k.list(l, asNameAddr)
	}
	k.list(&e.Contacts, asURI)
	k.text(&e.ReferredBy, asURI)
	k.text(&e.Transfer.Target, asURI)
	k.text(&e.UserAgent, asAgent)
	k.text(&e.Server, asAgent)
	k.text(&e.AuthUser, asUser)
	k.text(&e.AuthRealm, asHost)
	k.number(&e.Caller)
	k.number(&e.Callee)
	k.text(&e.IdentityOrig, asNumber)
	k.list(&e.IdentityDest, asNumber)
	k.text(&e.IdentityX5U, asHost)
	k.phrases()
	k.headers()
	k.parts()
	k.made()
}

// words masks the words of the protocol that a sender chooses.
func (k *masking) words() {
	e := k.to
	for _, t := range [...]*Text{
		&e.Method, &e.CSeqMethod, &e.ViaTransport, &e.AuthScheme, &e.ContentType, &e.QualityCodec,
		&e.Subscription.Package, &e.Subscription.Reason,
	} {
		k.text(t, asWord)
	}
	k.text(&e.Subscription.ID, asCallID)
	for _, l := range [...]*List{&e.Privacy, &e.ReasonProtocol, &e.ReasonCause, &e.Codecs, &e.Media} {
		k.list(l, asWord)
	}
}

// ends masks the addresses. The ports stay.
func (k *masking) ends() {
	e := k.to
	for _, a := range [...]*netip.AddrPort{&e.Src, &e.Dst, &e.NAT} {
		if a.IsValid() {
			*a = netip.AddrPortFrom(k.addr(a.Addr()), a.Port())
		}
	}
	for _, a := range [...]*netip.Addr{&e.OuterSrc, &e.OuterDst} {
		if a.IsValid() {
			*a = k.addr(*a)
		}
	}
	legs := e.Legs
	e.Legs = List{}
	for b, ok := k.from.Next(&legs); ok; b, ok = k.from.Next(&legs) {
		a, _ := netip.AddrFromSlice(b)
		k.addAddr(&e.Legs, a)
	}
	k.node(&e.HEP.Node)
	k.text(&e.Conn, asMedia)
	e.Offered, e.Answered = MediaEnd{}, MediaEnd{}
	e.Rate.Source = k.network(e.Rate.Source)
}

// addr masks an address; one of IPv4 that is written as one of IPv6 stays one.
func (k *masking) addr(a netip.Addr) netip.Addr { return maskAddr(k.m, a) }

func maskAddr(m Masker, a netip.Addr) netip.Addr {
	b := m.Addr(a)
	if a.Is4In6() && b.Is4() {
		b = netip.AddrFrom16(b.As16())
	}
	return b
}

// network masks a network by its address: where prefixes are kept, it is the network of
// its masked addresses.
func (k *masking) network(p netip.Prefix) netip.Prefix {
	if !p.IsValid() {
		return p
	}
	a, bits := k.addr(p.Addr()), p.Bits()
	if a.BitLen() != p.Addr().BitLen() {
		bits = a.BitLen()
	}
	return netip.PrefixFrom(a, bits).Masked()
}

// addAddr adds the masked a to a list, once.
func (k *masking) addAddr(l *List, a netip.Addr) {
	if a = k.addr(a); a.IsValid() {
		k.to.AddAddr(l, a)
	}
}

// What is in the hashes of a record.
var (
	inID   = []Group{Addresses, URIs, Numbers, CallIDs, Tags}
	inCall = []Group{Addresses, Numbers, CallIDs, Tags} // a Call-ID may be little more than an address
)

// ids masks what tells one call, one event from another.
func (k *masking) ids() {
	e := k.to
	e.ID = k.m.Digest(e.ID, inID...)
	e.Call = k.m.Digest(e.Call, inCall...)
	e.Proof = Hash{}
	same := e.Correlation == e.CallID
	k.text(&e.CallID, asCallID)
	if same {
		e.Correlation = e.CallID
	} else {
		k.text(&e.Correlation, asCallID)
	}
	for _, t := range [...]*Text{&e.HEP.Correlation, &e.SessionLocal, &e.SessionRemote, &e.Replaces, &e.Transfer.Replaces, &e.QualityCall} {
		k.text(t, asCallID)
	}
	k.text(&e.Branch, asBranch)
	if by := e.DumpBy; by.hides(CallIDs) || by.same(e.masked.label) { // the file is found by it
		k.keep(&e.Dump)
	} else {
		k.text(&e.Dump, asPath)
	}
}

// phrases masks what people or programs wrote.
func (k *masking) phrases() {
	e := k.to
	k.phrase(&e.Status)
	k.phrase(&e.Q850Text)
	texts := e.ReasonText
	e.ReasonText = List{}
	for b, ok := k.from.Next(&texts); ok; b, ok = k.from.Next(&texts) {
		k.add(&e.ReasonText, asPhrase, b, Usual(b))
	}
	k.text(&e.Error, asText)
}

func (k *masking) phrase(t *Text) {
	if Usual(k.from.Bytes(*t)) {
		k.keep(t)
	} else {
		k.text(t, asPhrase)
	}
}

// headers masks the values of headers; their names stay.
func (k *masking) headers() {
	e := k.to
	headers := e.Headers
	e.Headers = List{}
	for b, ok := k.from.Next(&headers); ok; b, ok = k.from.Next(&headers) {
		n := bytes.IndexByte(b, ':') + 1
		at, list := len(e.buf), e.Headers
		k.add(&e.Headers, asText, b[n:], false)
		if e.Headers.count == list.count {
			continue
		}
		k.insert(&e.Headers, at, list, b[:n])
	}
}

// insert puts name before the last value of l, which stands at at.
func (k *masking) insert(l *List, at int, before List, name []byte) {
	e := k.to
	if len(e.buf)+len(name) > maxMasked {
		e.buf, *l = e.buf[:at], before
		e.Anomalies |= FieldCut
		return
	}
	e.buf = append(e.buf, name...)
	value := e.buf[at+2:]
	copy(value[len(name):], value)
	copy(value, name)
	e.buf[at], e.buf[at+1] = byte(len(value)>>8), byte(len(value))
	l.n += uint16(len(name))
}

func (k *masking) party(p *Party) {
	k.text(&p.Display, asUser)
	k.uri(&p.URI)
	k.text(&p.Tag, asTag)
}

// uri masks a URI; its parts are those of the masked whole.
func (k *masking) uri(u *URI) {
	e, was := k.to, *u
	if was.All.n == 0 {
		*u = URI{Port: was.Port}
		return
	}
	k.text(&u.All, asURI)
	all, clear := e.Bytes(u.All), k.from.Bytes(was.All)
	if bytes.Equal(all, clear) {
		for _, t := range [...]*Text{&u.Scheme, &u.User, &u.Host} {
			if t.n > 0 { // one that is absent stands nowhere
				t.off += u.All.off - was.All.off
			}
		}
		return
	}
	scheme := k.from.Bytes(was.Scheme)
	ends := userEnds(scheme)
	if n := len(scheme); n >= len(all) || !bytes.Equal(all[:n], scheme) || ends == "" {
		k.text(&u.Scheme, asScheme)
		k.text(&u.User, asUser)
		k.text(&u.Host, asHost)
		return
	}
	u.Scheme.off = u.All.off
	u.User, u.Host = Text{}, Text{}
	at := int(was.Scheme.n) + 1
	if was.User.n > 0 {
		end := at + endOf(all[at:], ends)
		u.User = k.within(u, at, end)
		if at = bytes.IndexByte(all[end:], '@'); at >= 0 {
			at += end + 1
		}
	} else if at < len(all) && (all[at] == '@' || all[at] == ':') { // no user, but an @, or a password
		at += bytes.IndexByte(all[at:], '@') + 1
	}
	if was.Host.n > 0 && at >= 0 {
		if at < len(all) && all[at] == '[' {
			u.Host = k.within(u, at+1, at+endOf(all[at:], "]"))
		} else {
			u.Host = k.within(u, at, at+endOf(all[at:], ":;?"))
		}
	}
}

// userEnds are the signs that end the user of a masked URI, which has the parts of the
// clear one; none where the scheme is one that is not masked in parts.
func userEnds(scheme []byte) string {
	var room [8]byte
	switch string(appendLower(room[:0], scheme)) {
	case "sip", "sips":
		return ":@"
	case "tel":
		return ";"
	}
	return ""
}

// within is a part of the whole of u, from and to offsets in it.
func (k *masking) within(u *URI, from, to int) Text {
	if from >= to {
		return Text{}
	}
	return Text{u.All.off + uint16(from), uint16(to - from)}
}

// endOf is where the first of signs stands in b, or b ends.
func endOf(b []byte, signs string) int {
	if i := bytes.IndexAny(b, signs); i >= 0 {
		return i
	}
	return len(b)
}

// literal masks a text that is an address, and keeps any other.
func (k *masking) literal(t *Text) {
	a, ok := literal(k.from.Bytes(*t))
	if !ok {
		k.keep(t)
		return
	}
	e := k.to
	at := len(e.buf)
	if a = k.addr(a); a.IsValid() {
		e.buf = a.AppendTo(e.buf)
	}
	k.place(t, at)
}

// node masks the name of a probe.
func (k *masking) node(t *Text) {
	at := len(k.to.buf)
	k.to.buf = AppendNode(k.to.buf, k.m, k.from.Bytes(*t))
	k.place(t, at)
}

// AppendNode appends the name of a probe to dst, masked where it is an address, of which a
// port stays. It borrows name.
func AppendNode(dst []byte, m Masker, name []byte) []byte {
	if a, ok := literal(name); ok {
		if a = maskAddr(m, a); a.IsValid() {
			dst = a.AppendTo(dst)
		}
		return dst
	}
	if bytes.IndexByte(name, ':') >= 0 {
		if end, err := netip.ParseAddrPort(string(name)); err == nil {
			if a := maskAddr(m, end.Addr()); a.IsValid() {
				dst = netip.AddrPortFrom(a, end.Port()).AppendTo(dst)
			}
			return dst
		}
	}
	return append(dst, name...)
}

// parts masks those of the record of a message.
func (k *masking) parts() {
	from, to := k.from, k.to
	if from.parts.n == 0 {
		return
	}
	to.OpenParts()
	for p := PartAction; p < PartPrivate; p++ {
		t := from.Part(p)
		switch p {
		case PartOwnerIP:
			k.literal(&t)
		case PartLine, PartOwnerUser, PartSessionName:
			k.text(&t, asUser)
		case PartOwnerSession, PartOwnerVersion: // with them a call is known again elsewhere
			k.text(&t, asCallID)
		case PartConnection:
			k.text(&t, asConnection)
		case PartAction, PartAccept, PartTransport, PartSDPVersion:
			k.text(&t, asWord)
		case PartAllow, PartSupported:
			l := List{off: t.off, n: t.n, count: 1}
			k.list(&l, asWord)
			t = Text{l.off, l.n}
		default:
			k.keep(&t)
		}
		to.SetPartText(p, t)
	}
	for _, p := range [...]Part{PartPrivate, PartAuth} {
		u := URI{All: from.Part(p), Scheme: from.Part(p + 1), User: from.Part(p + 2), Host: from.Part(p + 3)}
		port := from.Part(p + 4)
		k.uri(&u)
		k.keep(&port)
		for i, t := range [...]Text{u.All, u.Scheme, u.User, u.Host, port} {
			to.SetPartText(p+Part(i), t)
		}
	}
}

// made masks what fields are made of that read several members.
func (k *masking) made() {
	from, to := k.from, k.to
	for i, host := range from.hosts() {
		if _, ok := literal(host); !ok {
			to.masked.names |= 1 << i
		}
	}
	var v Value
	if from.otherAddrs(&v, k.m.Private(Addresses) || !k.m.Private(URIs)); v.NAlso > 0 {
		for _, a := range v.Also[:v.NAlso] {
			if b := k.m.Addr(a); b.IsValid() && !to.HasAddr(to.Legs, b) {
				to.AddAddr(&to.masked.ips, b)
			}
		}
	}
	to.masked.family = family(from)
	for _, g := range [...]struct {
		was, is Text
		bit     gone
	}{
		{from.Status, to.Status, goneStatus}, {from.AuthUser, to.AuthUser, goneAuthUser}, {from.AuthRealm, to.AuthRealm, goneAuthRealm},
		{from.AOR.All, to.AOR.All, goneUserID}, {from.From.URI.User, to.From.URI.User, goneUserID}, {from.From.URI.Host, to.From.URI.Host, goneUserID},
	} {
		if g.was.n > 0 && g.is.n == 0 {
			to.masked.gone |= g.bit
		}
	}
	if u := &from.From.URI; from.AOR.All.n == 0 && !from.normal(u) {
		v = Value{}
		v.aor(from, u)
		at := len(to.buf)
		out, ok := k.m.Append(to.buf, URIs, Whole, v.Bytes)
		if ok {
			to.buf = out
			k.place(&to.masked.userID, at)
		}
		if to.masked.userID.n == 0 {
			to.masked.gone |= goneUserID
		}
	}
}

// normal tells whether the address of record that a URI names has its parts as they are
// written, and is masked by them.
func (e *Event) normal(u *URI) bool {
	switch string(e.Bytes(u.Scheme)) {
	case "sip", "sips":
		if u.Host.n == 0 { // what stands in the address of record alone is read as a host
			return false
		}
	case "tel":
	default:
		return false
	}
	for _, c := range e.Bytes(u.Host) {
		if c >= 'A' && c <= 'Z' || c == ':' {
			return false
		}
	}
	return bytes.IndexByte(e.Bytes(u.User), '%') < 0
}

// text masks a text.
func (k *masking) text(t *Text, s Secrecy) {
	if t.n == 0 {
		*t = Text{}
		return
	}
	e := k.to
	at := len(e.buf)
	out, ok := k.m.Append(e.buf, s.Private, s.Shape, k.from.Bytes(*t))
	if !ok {
		*t = Text{}
		return
	}
	e.buf = out
	k.place(t, at)
}

// keep copies texts as they are.
func (k *masking) keep(texts ...*Text) {
	for _, t := range texts {
		if t.n == 0 {
			*t = Text{}
			continue
		}
		at := len(k.to.buf)
		k.to.buf = append(k.to.buf, k.from.Bytes(*t)...)
		k.place(t, at)
	}
}

// place makes t what was appended at at, or leaves it out where there is no room.
func (k *masking) place(t *Text, at int) {
	e := k.to
	if len(e.buf) > maxMasked {
		e.buf = e.buf[:at]
		e.Anomalies |= FieldCut
	}
	if *t = (Text{}); len(e.buf) > at {
		*t = Text{uint16(at), uint16(len(e.buf) - at)}
	}
}

// list masks the values of a list.
func (k *masking) list(l *List, s Secrecy) {
	values := *l
	*l = List{}
	for b, ok := k.from.Next(&values); ok; b, ok = k.from.Next(&values) {
		k.add(l, s, b, false)
	}
}

func (k *masking) keepLists(lists ...*List) {
	for _, l := range lists {
		values := *l
		*l = List{}
		for b, ok := k.from.Next(&values); ok; b, ok = k.from.Next(&values) {
			k.add(l, public, b, true)
		}
	}
}

// add adds a value to l, masked or kept. l is the last in the buffer, or empty.
func (k *masking) add(l *List, s Secrecy, b []byte, keep bool) {
	e := k.to
	at := len(e.buf)
	out, ok := append(e.buf, 0, 0), true
	if keep {
		out = append(out, b...)
	} else {
		out, ok = k.m.Append(out, s.Private, s.Shape, b)
	}
	if !ok {
		return
	}
	if len(out) > maxMasked {
		e.Anomalies |= FieldCut
		return
	}
	n := len(out) - at - 2
	out[at], out[at+1] = byte(n>>8), byte(n)
	e.buf = out
	if l.count == 0 {
		l.off = uint16(at)
	}
	l.n += uint16(n + 2)
	l.count++
}
