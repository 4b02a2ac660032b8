package event

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strconv"
)

// Direction is the way of the first request over the perimeter of a network. It is not
// kept with a record: the engine sets it when the record leaves.
type Direction uint8

// The directions that ECS knows. NoDirection: no network is said to be internal.
const (
	NoDirection Direction = iota
	Internal
	Outbound
	Inbound
	External
)

// String is the ECS value.
func (d Direction) String() string {
	return [...]string{"", "internal", "outbound", "inbound", "external"}[d]
}

// SetDirection tells the direction of e by the networks that are internal: that of the
// request, and of the record of a single answer that of the answer.
func (e *Event) SetDirection(internal []netip.Prefix) {
	if len(internal) == 0 || !e.Src.IsValid() || !e.Dst.IsValid() {
		return
	}
	within := func(a netip.Addr) bool {
		a = a.Unmap().WithZone("")
		for _, p := range internal {
			if p.Contains(a) {
				return true
			}
		}
		return false
	}
	src, dst := e.Src, e.Dst
	if e.answer() {
		src, dst = dst, src
	}
	switch from, to := within(src.Addr()), within(dst.Addr()); {
	case from && to:
		e.Direction = Internal
	case from:
		e.Direction = Outbound
	case to:
		e.Direction = Inbound
	default:
		e.Direction = External
	}
}

// communityID writes the Community ID of a flow, version 1 with seed 0: a hash of its
// ends, the lower first, so that other programs find the same flow.
// https://github.com/corelight/community-id-spec
func (v *Value) communityID(e *Event) {
	src, dst := e.Src, e.Dst
	if !src.IsValid() || !dst.IsValid() || e.Transport == NoTransport {
		return
	}
	if src.Compare(dst) > 0 {
		src, dst = dst, src
	}
	var room [2 + 16 + 16 + 2 + 4]byte
	b := appendAddr(room[:2], src.Addr()) // behind the seed
	b = appendAddr(b, dst.Addr())
	b = append(b, byte(e.Transport.IANA()), 0)
	b = binary.BigEndian.AppendUint16(b, src.Port())
	b = binary.BigEndian.AppendUint16(b, dst.Port())
	sum := sha1.Sum(b)
	v.Form = Str
	v.Bytes = base64.StdEncoding.AppendEncode(append(v.text[:0], "1:"...), sum[:])
}

// appendAddr appends an address of 4 or 16 bytes.
func appendAddr(dst []byte, a netip.Addr) []byte {
	if a.Is4() {
		b := a.As4()
		return append(dst, b[:]...)
	}
	b := a.As16()
	return append(dst, b[:]...)
}

// aor writes the address of record that a URI names, as package track writes those of
// registrations: the user unescaped, the host in lower case, the port if there is one.
func (v *Value) aor(e *Event, u *URI) {
	if u.User.n == 0 && u.Host.n == 0 {
		return
	}
	b := append(appendLower(v.long[:0], e.Bytes(u.Scheme)), ':')
	if u.User.n > 0 {
		b = appendUnescaped(b, e.Bytes(u.User))
		if u.Host.n > 0 { // a telephone number has none
			b = append(b, '@')
		}
	}
	b = appendLower(b, e.Bytes(u.Host))
	if u.Port > 0 {
		b = strconv.AppendUint(append(b, ':'), uint64(u.Port), 10)
	}
	v.long, v.Form, v.Bytes = b, Str, b
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

// appendUnescaped undoes the escapes of RFC 3261 §25.1; what is none stays.
func appendUnescaped(dst, b []byte) []byte {
	for i := 0; i < len(b); i++ {
		var c [1]byte
		if b[i] == '%' && i+2 < len(b) {
			if _, err := hex.Decode(c[:], b[i+1:i+3]); err == nil {
				dst = append(dst, c[0])
				i += 2
				continue
			}
		}
		dst = append(dst, b[i])
	}
	return dst
}
