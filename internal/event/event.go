// Package event is the contract with the outside: the record of one happening,
// the table of its types, the table of its fields, and their rendering as JSON.
//
// It does not decide anything: package track says what happened and fills an
// Event; the tables here say under which ECS names it leaves. An Event owns its
// bytes: whatever is put into it is copied into its own buffer, so that it may
// outlive the packet it came from. Events are reused; nothing here allocates
// once the buffers have grown.
package event

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
)

// Bounds of what one record may hold. A longer value is cut and the record says
// so (FieldCut): an index ignores keywords beyond 1024 bytes, and the memory of
// a call has to have an end.
const (
	MaxText = 1024  // bytes of one value
	MaxList = 32    // values in one list
	maxBuf  = 60000 // bytes in all; offsets have 16 bits
)

// Text is a value kept in the event's own buffer.
type Text struct{ off, n uint16 }

// Len is the length in bytes; 0 means absent.
func (t Text) Len() int { return int(t.n) }

// List is a list of values kept in the event's own buffer, each behind a
// length of two bytes.
type List struct {
	off, n uint16
	count  uint8
}

// URI is a URI, whole and split. The parts are views into All.
type URI struct {
	All    Text   `private:"uris,Whole"`
	Scheme Text   `private:"uris,Scheme"`
	User   Text   `private:"uris,User"`
	Host   Text   `private:"uris,Host"`
	Port   uint16 // 0 when not written
}

// HEP is what a HEP packet says of itself; Version 0 is none.
type HEP struct {
	Version, Type uint8
	Vendor        uint16
	CaptureID     uint32
	Node          Text `private:"addresses,Address"` // where it is one
	Correlation   Text `private:"call_ids,CallID"`
	Received      bool // the time is that of the packet's arrival
}

// Party is one side as From, To or Contact describe it.
type Party struct {
	Display Text `private:"uris,User"`
	URI     URI
	Tag     Text `private:"tags,Tag"`
}

// MediaEnd is where one end receives its first media. It is not rendered.
type MediaEnd struct {
	Addr Text   `private:"dropped"`
	Port uint16 `private:"dropped"`
}

// Event is one record. The zero value is empty and ready. It owns its bytes.
//
// The tags private are what Mask does with a member: the group and the shape by which it
// is masked, a digest that is keyed, or that it is dropped. What has none stays.
type Event struct {
	Type     Type
	Outcome  Outcome
	Side     Side // who hung up
	Sequence uint64

	// Unix time in nanoseconds; 0 is absent. Duration is End - Start.
	Time, Start, End int64

	ID     Hash `private:"digest"` // what makes this event this event; also the document id
	CallID Text `private:"call_ids,CallID"`
	Call   Hash `private:"digest"` // the dialog, or the attempt: Call-ID and From tag

	Src, Dst  netip.AddrPort `private:"addresses,Address"` // of the first request
	NAT       netip.AddrPort `private:"addresses,Address"` // from received and rport of the top Via of the answer (RFC 3581)
	Transport Transport
	Direction Direction // see SetDirection
	VLANs     [2]uint16 // outer, inner; 0 is none
	Encap     List
	OuterSrc  netip.Addr `private:"addresses,Address"` // of the outermost IP header of a tunnel, turned like Src and Dst
	OuterDst  netip.Addr `private:"addresses,Address"`
	HEP       HEP
	Legs      List `private:"addresses,Address"` // addresses, 4 or 16 bytes each

	Method     Text `private:"errors,Word"` // of the request that the event is about
	CSeqMethod Text `private:"errors,Word"`
	CSeq       uint32
	HasCSeq    bool

	From, To, Contact Party
	RequestURI        URI
	Caller, Callee    PhoneNumber // of From, and of RequestURI or To
	ViaTransport      Text        `private:"errors,Word"`
	Via               List        `private:"uris,ViaValue"`
	Branch            Text        `private:"call_ids,Plain"`
	MaxForwards       int16       // -1 or 0 with HasMaxForwards false: absent
	HasMaxForwards    bool

	Code   uint16 // the deciding one
	Status Text   `private:"errors,Plain"` // its reason phrase
	Last   uint16 // the last code seen on the deciding leg, when another than Code
	Codes  List   // finals of other legs, two bytes each

	UserAgent, Server Text `private:"user_agents,Agent"`

	PAI, Diversion, History List `private:"uris,NameAddr"`
	Privacy                 List `private:"errors,Word"`
	Headers                 List `private:"errors,Plain"` // that the configuration names; see AddHeader
	PPI, RPID               URI

	ReasonProtocol, ReasonCause List  `private:"errors,Word"`
	ReasonText                  List  `private:"errors,Plain"`
	Q850                        uint8 // ITU-T Q.850 cause, 0 none
	Q850Text                    Text  `private:"errors,Plain"`

	AuthUser   Text `private:"uris,User"`
	AuthRealm  Text `private:"uris,Host"`
	AuthScheme Text `private:"errors,Word"`
	Proof      Hash `private:"dropped"` // of nonce and response: tells one guess from another; never rendered

	Attest       byte // STIR/SHAKEN attestation A, B, C; 0 none (RFC 8588)
	HasIdentity  bool
	IdentityOrig Text  `private:"numbers,Number"`
	IdentityDest List  `private:"numbers,Number"`
	IdentityIAT  int64 // seconds
	IdentityX5U  Text  `private:"uris,Host"` // host of the certificate's address

	SessionLocal, SessionRemote Text `private:"call_ids,CallID"` // RFC 7989

	Correlation  Text `private:"call_ids,CallID"` // what the legs of a call share, by CorrelatedBy
	CorrelatedBy Correlation

	Codecs, Media  List     `private:"errors,Word"`
	Ptime          uint16   // ms
	MaxPtime       uint16   // ms
	Conn           Text     `private:"addresses,Host"`
	Offered        MediaEnd // where the caller receives media
	Answered       MediaEnd // where the callee does
	SRTP, ICE, Ses bool     // Ses: a session description was seen

	ContentType Text `private:"errors,Word"`

	// Milliseconds would lose the resolution of the capture: kept in nanoseconds,
	// rendered as milliseconds with a fraction. -1 is absent, 0 a real zero.
	PDD, Ring, Setup, Disconnect, Delay int64
	PDDSource                           uint16 // the code that ended the post-dial delay
	DurationMin                         int64  // ns since first seen, where the start is not known
	SessionExpires                      uint32 // s
	RetryAfter                          uint32 // s
	Requests                            [NumCounted]uint16
	RetransRequest, RetransResponse     uint32
	Branches                            uint16
	Forked, Held, InDialog, Synthetic   bool
	Emergency                           bool
	Injected                            bool // something of it was put in by hand
	Timer                               byte // 'B', 'C', 'F': the RFC 3261 timer that decided; 0 none

	AOR         URI
	Contacts    List `private:"uris,Whole"` // registration: the contact of this event
	Expires     uint32
	HasExpires  bool
	Lifetime    int64 // ns from the first 2xx to the end
	LifetimeMin bool  // Lifetime is since first seen
	NumContacts uint16
	Refreshes   uint32
	NewLocation bool

	Subscription Subscription
	Transfer     Transfer
	ReferredBy   Text `private:"uris,Whole"`      // on whose behalf (RFC 3892)
	Replaces     Text `private:"call_ids,CallID"` // Call-ID of the call that an INVITE takes over (RFC 3891)
	EarlyMedia   bool // a provisional answer had a session description

	Incomplete Incomplete
	Anomalies  Anomalies

	quality      Text // see SetQuality
	QualityCall  Text `private:"call_ids,CallID"` // Call-ID that a report speaks of
	QualityCodec Text `private:"errors,Word"`

	Error Text `private:"errors,Plain"`
	Probe Text

	parts Text // of the record of a message; see OpenParts

	Rate Rate // what package limit says of it

	Capture string // file name
	Dump    Text   `private:"call_ids,Plain"` // path of the file that the messages are written to
	DumpBy  *Label // how the Call-ID in the path is masked; nil: it is clear
	Iface   string

	masked masked // of a masked record; see Mask

	buf []byte
}

// Hash is the first half of a SHA-256, rendered as hexadecimal.
type Hash [16]byte

// Counted numbers the in-dialog requests that a call's record counts.
type Counted uint8

// The methods counted in sip.call.requests.
const (
	CountReInvite Counted = iota
	CountUpdate
	CountInfo
	CountPrack
	CountRefer
	CountNotify
	CountSubscribe
	CountMessage
	CountOptions
	CountOther
	NumCounted
)

// absent marks a span of time that is not known.
const absent = -1

// Reset empties e and keeps its buffer.
func (e *Event) Reset() {
	buf := e.buf[:0]
	*e = Event{buf: buf, CorrelatedBy: Uncorrelated, PDD: absent, Ring: absent, Setup: absent, Disconnect: absent, Delay: absent, DurationMin: absent, Lifetime: absent}
}

// CopyFrom makes e equal to o; e owns its copy.
func (e *Event) CopyFrom(o *Event) {
	buf := append(e.buf[:0], o.buf...)
	*e = *o
	e.buf = buf
}

// Size is the memory of e in bytes, about.
func (e *Event) Size() int { return 1024 + cap(e.buf) }

// Trim gives a buffer back that has grown beyond n bytes; e is empty then. It is for
// records that go to a pool: a sender chooses how long values are.
func (e *Event) Trim(n int) {
	if cap(e.buf) > n {
		e.buf = nil
		e.Reset()
	}
}

// Bytes borrows the value of t until e changes.
func (e *Event) Bytes(t Text) []byte { return e.buf[t.off : t.off+t.n] }

// Set copies b into t: folded lines become one blank (RFC 3261 §7.3.1), and what
// is beyond MaxText is cut and labelled.
func (e *Event) Set(t *Text, b []byte) {
	if len(b) > MaxText {
		b = b[:MaxText]
		e.Anomalies |= FieldCut
	}
	if len(e.buf)+len(b) > maxBuf {
		e.Anomalies |= FieldCut
		*t = Text{}
		return
	}
	off := len(e.buf)
	if bytes.IndexByte(b, '\n') < 0 {
		e.buf = append(e.buf, b...)
	} else {
		e.buf = appendUnfolded(e.buf, b)
	}
	*t = Text{uint16(off), uint16(len(e.buf) - off)}
}

// SetKey is Set for a value that tells one thing from another, a Call-ID or a tag:
// of a long one that is cut, the end is a digest of the whole (see Key).
func (e *Event) SetKey(t *Text, b []byte) {
	if len(b) <= MaxText {
		e.Set(t, b)
		return
	}
	e.Set(t, Key(b))
	e.Anomalies |= FieldCut
}

// Key is b as a record keeps it: whole up to MaxText bytes, else its beginning, a
// tilde and the first half of its SHA-256 in hexadecimal, so that two that begin
// alike stay two. The caller owns what is longer.
func Key(b []byte) []byte {
	if len(b) <= MaxText {
		return b
	}
	sum := sha256.Sum256(b)
	const digits = sha256.Size
	short := append(make([]byte, 0, MaxText), b[:MaxText-1-digits]...)
	return hex.AppendEncode(append(short, '~'), sum[:digits/2])
}

// SetString is Set for a constant.
func (e *Event) SetString(t *Text, s string) {
	if len(e.buf)+len(s) > maxBuf {
		return
	}
	off := len(e.buf)
	e.buf = append(e.buf, s...)
	*t = Text{uint16(off), uint16(len(s))}
}

// appendUnfolded copies b with every run of white space around a line end as one blank.
func appendUnfolded(dst, b []byte) []byte {
	for i := 0; i < len(b); i++ {
		if b[i] != '\r' && b[i] != '\n' {
			dst = append(dst, b[i])
			continue
		}
		for i+1 < len(b) && (b[i+1] == '\r' || b[i+1] == '\n' || b[i+1] == ' ' || b[i+1] == '\t') {
			i++
		}
		for len(dst) > 0 && dst[len(dst)-1] == ' ' {
			dst = dst[:len(dst)-1]
		}
		dst = append(dst, ' ')
	}
	return dst
}

// SetURI copies a URI. scheme, user and host are its parts, as a parser found
// them inside all; port is 0 when not written.
func (e *Event) SetURI(u *URI, all, scheme, user, host []byte, port uint16) {
	*u = URI{Port: port}
	e.Set(&u.All, all)
	kept := e.Bytes(u.All)
	if len(scheme) > len(kept) {
		return
	}
	u.Scheme = Text{u.All.off, uint16(len(scheme))}
	at := len(scheme) + 1 // the colon
	if len(user) > 0 && at+len(user) <= len(kept) {
		u.User = Text{u.All.off + uint16(at), uint16(len(user))}
		at += len(user)
	}
	if len(host) > 0 && at <= len(kept) {
		if i := bytes.Index(kept[at:], host); i >= 0 {
			u.Host = Text{u.All.off + uint16(at+i), uint16(len(host))}
		}
	}
}

// Add copies b to the end of l. Beyond MaxList the value is left out and the
// record says so.
func (e *Event) Add(l *List, b []byte) { e.add(l, b, true) }

// add copies b as it is, or what is folded on one line: a byte of an address or a
// code may be that of a line feed.
func (e *Event) add(l *List, b []byte, unfold bool) {
	if len(b) > MaxText {
		b = b[:MaxText]
		e.Anomalies |= FieldCut
	}
	if l.count >= MaxList || len(e.buf)+int(l.n)+len(b)+2 > maxBuf {
		e.Anomalies |= FieldCut
		return
	}
	if int(l.off)+int(l.n) != len(e.buf) {
		off := len(e.buf)
		e.buf = append(e.buf, e.buf[l.off:l.off+l.n]...)
		l.off = uint16(off)
	}
	head := len(e.buf)
	e.buf = append(e.buf, 0, 0)
	if unfold && bytes.IndexByte(b, '\n') >= 0 {
		e.buf = appendUnfolded(e.buf, b)
	} else {
		e.buf = append(e.buf, b...)
	}
	n := len(e.buf) - head - 2
	e.buf[head], e.buf[head+1] = byte(n>>8), byte(n)
	l.n += uint16(n + 2)
	l.count++
}

// AddLeg adds an address to the legs, once.
func (e *Event) AddLeg(a netip.Addr) {
	if e.Legs.count > 1 && (a == e.Src.Addr() || a == e.Dst.Addr()) { // both are in it
		return
	}
	e.AddAddr(&e.Legs, a)
}

// AddAddr copies an address to the end of l, once.
func (e *Event) AddAddr(l *List, a netip.Addr) {
	if a.Is4() {
		b := a.As4()
		e.addOnce(l, b[:])
		return
	}
	b := a.As16()
	e.addOnce(l, b[:])
}

func (e *Event) addOnce(l *List, b []byte) {
	if !e.Contains(*l, b) {
		e.add(l, b, false)
	}
}

// HasAddr reports whether l holds a.
func (e *Event) HasAddr(l List, a netip.Addr) bool {
	if a.Is4() {
		b := a.As4()
		return e.Contains(l, b[:])
	}
	b := a.As16()
	return e.Contains(l, b[:])
}

// AddCode copies a status code to the end of l, once.
func (e *Event) AddCode(l *List, code uint16) {
	b := [2]byte{byte(code >> 8), byte(code)}
	e.addOnce(l, b[:])
}

// Clear empties l.
func (l *List) Clear() { *l = List{} }

// Next takes the first value off l; it borrows from e.
func (e *Event) Next(l *List) ([]byte, bool) {
	if l.n < 2 {
		return nil, false
	}
	n := uint16(e.buf[l.off])<<8 | uint16(e.buf[l.off+1])
	b := e.buf[l.off+2 : l.off+2+n]
	l.off += 2 + n
	l.n -= 2 + n
	l.count--
	return b, true
}

// Count is the number of values in l.
func (e *Event) Count(l List) int { return int(l.count) }

// Contains reports whether l holds b.
func (e *Event) Contains(l List, b []byte) bool {
	for v, ok := e.Next(&l); ok; v, ok = e.Next(&l) {
		if bytes.Equal(v, b) {
			return true
		}
	}
	return false
}
