package event

import (
	"encoding/binary"
	"net/netip"
)

// A record in few bytes, for calls that are up for long and for the saved state: one
// bit for each field that is absent, or for several that most records have not, and for
// one that is there its value: numbers as variable-length integers, texts behind their
// length.
//
// Writing and reading are one walk over the fields (packing.record), so that the two
// cannot differ. The format has no version and no tags: who keeps it beyond a run
// keeps a version beside it.

// AppendPacked appends e to dst: every field but Capture, Iface, Sequence,
// Direction, Caller and Callee. It borrows e and owns nothing.
func (e *Event) AppendPacked(dst []byte) []byte {
	p := packing{e: e, b: dst}
	p.record()
	return p.b
}

// Unpack makes e what AppendPacked wrote at the beginning of b, and returns what
// stands behind it. It copies, and is safe on any input: where b is not such a record
// ok is false and e is empty.
func (e *Event) Unpack(b []byte) (rest []byte, ok bool) {
	e.Reset()
	p := packing{e: e, b: b, reading: true}
	p.record()
	if p.bad {
		e.Reset()
		return nil, false
	}
	return p.b, true
}

// UnpackSource reads Src, and what stands before it, of a record that AppendPacked wrote:
// for who looks for one among many. Of the rest e has nothing.
func (e *Event) UnpackSource(b []byte) (ok bool) {
	e.Reset()
	p := packing{e: e, b: b, reading: true}
	p.what()
	p.addrPort(&e.Src)
	return !p.bad
}

// packing is one walk over the fields of e: it appends to b, or takes from it.
type packing struct {
	e       *Event
	b       []byte
	reading bool
	bad     bool // what is read is no record

	bits byte // which of the next fields are there; when writing, b[at] holds them
	at   int
	used int // of the eight bits
}

// record visits every field. What two texts share (a part of a URI) is kept once.
func (p *packing) record() {
	e := p.e
	p.what()
	p.ends()
	p.texts(&e.CallID, &e.Method, &e.CSeqMethod, &e.Branch, &e.ViaTransport, &e.Status, &e.UserAgent, &e.Server, &e.Conn, &e.ContentType)
	p.party(&e.From)
	p.party(&e.To)
	p.party(&e.Contact)
	p.uri(&e.RequestURI)
	number(p, &e.CSeq, 0)
	number(p, &e.MaxForwards, 0)
	number(p, &e.Code, 0)
	number(p, &e.Last, 0)
	p.list(&e.Codes, codeSize)
	p.flags(&e.HasCSeq, &e.HasMaxForwards)
	p.lists(&e.Via, &e.Codecs, &e.Media)
	p.media()
	p.call()
	p.seldom()
	p.others()
	p.correlation()
	p.identity()
	p.registration()
	p.report()
}

// The lengths that values of a list may have, beside any: a status code, an address.
const (
	anySize  = 0
	codeSize = 2
	addrSize = 4 // or 16
)

func (p *packing) what() {
	e := p.e
	upTo(p, &e.Type, NumTypes-1)
	upTo(p, &e.Outcome, Failure)
	upTo(p, &e.Side, SideUnknown)
	upTo(p, &e.Incomplete, 1<<numIncomplete-1)
	upTo(p, &e.Anomalies, 1<<numAnomalies-1)
	number(p, &e.Time, 0)
	number(p, &e.Start, 0)
	number(p, &e.End, 0)
	p.hash(&e.ID)
	p.hash(&e.Call)
}

func (p *packing) ends() {
	e := p.e
	p.addrPort(&e.Src)
	p.addrPort(&e.Dst)
	p.addrPort(&e.NAT)
	p.list(&e.Legs, addrSize)
	upTo(p, &e.Transport, SCTP)
	if p.present(e.VLANs != [2]uint16{} || e.Encap.count > 0 || e.OuterSrc.IsValid() || e.OuterDst.IsValid()) {
		number(p, &e.VLANs[0], 0)
		number(p, &e.VLANs[1], 0)
		p.list(&e.Encap, anySize)
		p.addr(&e.OuterSrc)
		p.addr(&e.OuterDst)
	}
	if p.present(e.HEP != HEP{}) {
		p.hep(&e.HEP)
	}
}

func (p *packing) hep(h *HEP) {
	number(p, &h.Version, 0)
	number(p, &h.Type, 0)
	number(p, &h.Vendor, 0)
	number(p, &h.CaptureID, 0)
	p.texts(&h.Node, &h.Correlation)
	p.flags(&h.Received)
}

func (p *packing) media() {
	e := p.e
	number(p, &e.Ptime, 0)
	number(p, &e.MaxPtime, 0)
	for _, m := range [...]*MediaEnd{&e.Offered, &e.Answered} {
		p.texts(&m.Addr)
		number(p, &m.Port, 0)
	}
	p.flags(&e.SRTP, &e.ICE, &e.Ses)
}

func (p *packing) call() {
	e := p.e
	for _, span := range [...]*int64{&e.PDD, &e.Ring, &e.Setup, &e.Disconnect, &e.Delay, &e.DurationMin, &e.Lifetime} {
		number(p, span, absent)
	}
	number(p, &e.PDDSource, 0)
	number(p, &e.SessionExpires, 0)
	number(p, &e.RetryAfter, 0)
	if p.present(e.Requests != [NumCounted]uint16{}) {
		for i := range e.Requests {
			number(p, &e.Requests[i], 0)
		}
	}
	number(p, &e.RetransRequest, 0)
	number(p, &e.RetransResponse, 0)
	number(p, &e.Branches, 0)
	number(p, &e.Timer, 0)
	p.flags(&e.Forked, &e.Held, &e.InDialog, &e.Synthetic, &e.Emergency, &e.Injected, &e.EarlyMedia)
}

func (p *packing) seldom() {
	e := p.e
	if p.present(lists(e.PAI, e.Diversion, e.History, e.Privacy, e.Headers) || e.PPI != URI{} || e.RPID != URI{}) {
		p.lists(&e.PAI, &e.Diversion, &e.History, &e.Privacy, &e.Headers)
		p.uri(&e.PPI)
		p.uri(&e.RPID)
	}
	if p.present(lists(e.ReasonProtocol, e.ReasonCause, e.ReasonText) || texts(e.Q850Text) || e.Q850 != 0) {
		p.lists(&e.ReasonProtocol, &e.ReasonCause, &e.ReasonText)
		number(p, &e.Q850, 0)
		p.texts(&e.Q850Text)
	}
	if p.present(texts(e.AuthUser, e.AuthRealm, e.AuthScheme) || e.Proof != Hash{}) {
		p.texts(&e.AuthUser, &e.AuthRealm, &e.AuthScheme)
		p.hash(&e.Proof)
	}
	if p.present(texts(e.SessionLocal, e.SessionRemote, e.Error, e.Probe, e.Dump)) {
		p.texts(&e.SessionLocal, &e.SessionRemote, &e.Error, &e.Probe, &e.Dump)
	}
}

// others walks what the record says of other dialogs.
func (p *packing) others() {
	s, t := &p.e.Subscription, &p.e.Transfer
	if !p.present(texts(p.e.ReferredBy, p.e.Replaces) || *s != Subscription{} || *t != Transfer{}) {
		return
	}
	p.texts(&p.e.ReferredBy, &p.e.Replaces, &t.Target, &t.Replaces, &s.Package, &s.ID, &s.Reason)
	upTo(p, &t.By, SideUnknown)
	number(p, &t.Code, 0)
	p.flags(&t.Done)
	upTo(p, &s.State, SubTerminated)
	number(p, &s.RetryAfter, 0)
	number(p, &s.Notifies, 0)
}

// correlation: most calls have their Call-ID, which is kept once.
func (p *packing) correlation() {
	e := p.e
	if number(p, &e.CorrelatedBy, ByCallID); e.CorrelatedBy > Uncorrelated {
		p.bad, e.CorrelatedBy = true, Uncorrelated
	}
	if e.CorrelatedBy != ByCallID {
		p.texts(&e.Correlation)
	} else if p.reading {
		e.Correlation = e.CallID
	}
}

func (p *packing) identity() {
	e := p.e
	if !p.present(e.HasIdentity || e.Attest != 0 || e.IdentityIAT != 0 || texts(e.IdentityOrig, e.IdentityX5U) || lists(e.IdentityDest)) {
		return
	}
	number(p, &e.Attest, 0)
	p.flags(&e.HasIdentity)
	p.texts(&e.IdentityOrig, &e.IdentityX5U)
	p.lists(&e.IdentityDest)
	number(p, &e.IdentityIAT, 0)
}

func (p *packing) registration() {
	e := p.e
	if !p.present(e.AOR != URI{} || lists(e.Contacts) || e.Expires != 0 || e.HasExpires || e.NumContacts != 0 || e.Refreshes != 0 || e.LifetimeMin || e.NewLocation) {
		return
	}
	p.uri(&e.AOR)
	p.lists(&e.Contacts)
	number(p, &e.Expires, 0)
	number(p, &e.NumContacts, 0)
	number(p, &e.Refreshes, 0)
	p.flags(&e.HasExpires, &e.LifetimeMin, &e.NewLocation)
}

func (p *packing) report() {
	e := p.e
	if !p.present(texts(e.quality, e.QualityCall, e.QualityCodec)) {
		return
	}
	p.texts(&e.quality, &e.QualityCall, &e.QualityCodec)
	if n := e.quality.n; n != 0 && n != qualitySize {
		p.bad = true
	}
}

// texts reports whether one of them is there, lists the same.
func texts(texts ...Text) bool {
	for _, t := range texts {
		if t.n > 0 {
			return true
		}
	}
	return false
}

func lists(lists ...List) bool {
	for _, l := range lists {
		if l.count > 0 {
			return true
		}
	}
	return false
}

// present walks the bit of one field: whether it is there.
func (p *packing) present(there bool) bool {
	if p.used == 0 {
		if p.reading {
			p.bits = p.byte()
		} else {
			p.bits, p.at = 0, len(p.b)
			p.b = append(p.b, 0)
		}
	}
	bit := byte(1) << p.used
	p.used = (p.used + 1) & 7
	if p.reading {
		return p.bits&bit != 0
	}
	if there {
		p.b[p.at] |= bit
	}
	return there
}

func (p *packing) flags(flags ...*bool) {
	for _, f := range flags {
		*f = p.present(*f)
	}
}

type integer interface {
	~uint8 | ~int16 | ~uint16 | ~uint32 | ~int64 | ~uint64
}

// number walks a number; none is its value when it is absent.
func number[T integer](p *packing, x *T, none T) {
	if !p.present(*x != none) {
		*x = none
		return
	}
	if !p.reading {
		p.b = binary.AppendVarint(p.b, int64(*x)-int64(none))
		return
	}
	n := p.varint() + int64(none)
	if *x = T(n); int64(*x) != n {
		p.bad = true
	}
}

// upTo walks a number that indexes a table, or a set of bits.
func upTo[T integer](p *packing, x *T, most T) {
	if number(p, x, 0); *x > most {
		p.bad, *x = true, 0
	}
}

func (p *packing) texts(texts ...*Text) {
	for _, t := range texts {
		if p.present(t.n > 0) {
			p.text(t)
		}
	}
}

// text walks a text that is there.
func (p *packing) text(t *Text) {
	if p.reading {
		*t = p.keep(p.bytes())
		return
	}
	p.append(p.e.Bytes(*t))
}

func (p *packing) party(x *Party) {
	p.texts(&x.Display)
	p.uri(&x.URI)
	p.texts(&x.Tag)
}

// uri walks a URI. Its parts stand in order in the whole: the scheme at its
// beginning, the user behind the colon, the host somewhere after.
func (p *packing) uri(u *URI) {
	if !p.present(*u != URI{}) {
		return
	}
	if p.present(u.All.n > 0) {
		p.text(&u.All)
	}
	p.part(u, &u.Scheme)
	p.part(u, &u.User)
	p.part(u, &u.Host)
	number(p, &u.Port, 0)
}

// part walks a part of a URI: a view into the whole.
func (p *packing) part(u *URI, t *Text) {
	if !p.present(t.n > 0) {
		return
	}
	if !p.reading {
		p.b = binary.AppendUvarint(p.b, uint64(t.off-u.All.off))
		p.b = binary.AppendUvarint(p.b, uint64(t.n))
		return
	}
	off, n := p.upTo(int(u.All.n)), p.upTo(int(u.All.n))
	if off+n > int(u.All.n) {
		p.bad = true
		return
	}
	*t = Text{u.All.off + uint16(off), uint16(n)}
}

func (p *packing) lists(lists ...*List) {
	for _, l := range lists {
		p.list(l, anySize)
	}
}

// list walks a list whose values have this size.
func (p *packing) list(l *List, size int) {
	if !p.present(l.count > 0) {
		return
	}
	if p.reading {
		p.readList(l, size)
		return
	}
	p.b = append(p.b, l.count)
	of := *l
	for v, ok := p.e.Next(&of); ok; v, ok = p.e.Next(&of) {
		p.append(v)
	}
}

func (p *packing) readList(l *List, size int) {
	count := int(p.byte())
	if count > MaxList {
		p.bad = true
	}
	for i := 0; i < count && !p.bad; i++ {
		v := p.bytes()
		if size != anySize && len(v) != size && (size != addrSize || len(v) != 16) || len(p.e.buf)+len(v)+2 > maxUnpacked {
			p.bad = true
			return
		}
		p.value(l, v)
	}
}

// value copies v to the end of a list that is being read.
func (p *packing) value(l *List, v []byte) {
	e := p.e
	if l.count == 0 {
		l.off = uint16(len(e.buf))
	}
	e.buf = append(append(e.buf, byte(len(v)>>8), byte(len(v))), v...)
	l.n += uint16(len(v) + 2)
	l.count++
}

func (p *packing) hash(h *Hash) {
	if !p.present(*h != Hash{}) {
		return
	}
	if p.reading {
		copy(h[:], p.take(len(h)))
		return
	}
	p.b = append(p.b, h[:]...)
}

func (p *packing) addr(a *netip.Addr) {
	if !p.present(a.IsValid()) {
		return
	}
	if p.reading {
		p.bad = a.UnmarshalBinary(p.bytes()) != nil || p.bad
		return
	}
	var room [64]byte
	b, _ := a.AppendBinary(room[:0])
	p.append(b)
}

func (p *packing) addrPort(a *netip.AddrPort) {
	if !p.present(*a != netip.AddrPort{}) {
		return
	}
	if p.reading {
		p.bad = a.UnmarshalBinary(p.bytes()) != nil || p.bad
		return
	}
	var room [64]byte
	b, _ := a.AppendBinary(room[:0])
	p.append(b)
}

// append writes b behind its length.
func (p *packing) append(b []byte) {
	p.b = append(binary.AppendUvarint(p.b, uint64(len(b))), b...)
}

// maxUnpacked is how long a record's own buffer can be: maxBuf, and what texts share
// there, which are written one by one. Offsets have 16 bits.
const maxUnpacked = 1<<16 - 1

// keep copies b into the record.
func (p *packing) keep(b []byte) Text {
	if len(p.e.buf)+len(b) > maxUnpacked {
		p.bad = true
		return Text{}
	}
	off := len(p.e.buf)
	p.e.buf = append(p.e.buf, b...)
	return Text{uint16(off), uint16(len(b))}
}

// take reads n bytes; nil, and the walk is bad, where there are fewer.
func (p *packing) take(n int) []byte {
	if n > len(p.b) {
		p.bad, p.b = true, nil
		return nil
	}
	b := p.b[:n]
	p.b = p.b[n:]
	return b
}

func (p *packing) byte() byte {
	if b := p.take(1); b != nil {
		return b[0]
	}
	return 0
}

// bytes reads what append wrote; it borrows.
func (p *packing) bytes() []byte { return p.take(p.upTo(maxUnpacked)) }

// upTo reads a length or an offset.
func (p *packing) upTo(most int) int {
	n, size := binary.Uvarint(p.b)
	if size <= 0 || n > uint64(most) {
		p.bad, p.b = true, nil
		return 0
	}
	p.b = p.b[size:]
	return int(n)
}

func (p *packing) varint() int64 {
	n, size := binary.Varint(p.b)
	if size <= 0 {
		p.bad, p.b = true, nil
		return 0
	}
	p.b = p.b[size:]
	return n
}
