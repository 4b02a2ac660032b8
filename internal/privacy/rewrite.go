package privacy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strconv"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// Rewriter makes whole messages unreadable, for what writes or sends them: capture files
// and the HEP output. A message stays one, and of the same dialog; what names somebody is
// masked as in records, so that what is made of masked messages is what masking makes of
// clear ones.
//
// What stays is a closed list (rules): headers that it does not have are left out, and
// bodies, digest responses and nonces are in every mode. Safe for concurrent use.
type Rewriter struct {
	m    event.Masker
	idle chan *rewriting
}

// NewRewriter makes one of a Masker.
func NewRewriter(m event.Masker) *Rewriter {
	return &Rewriter{m: m, idle: make(chan *rewriting, 4)}
}

// Of tells whether w masks by m.
func (w *Rewriter) Of(m event.Masker) bool { return w.m == m }

// Label is what records say that w masks; nil where it is not told.
func (w *Rewriter) Label() *event.Label { return event.LabelOf(w.m) }

// Bounds of what is written, in bytes: of one message, and of a value of which none may
// be missing.
const (
	maxRewritten = 60000
	maxValue     = 4 << 10
	maxMethod    = 32
)

// What stands where a value is left out that a message cannot be without: RFC 3323 §4.1
// has the URI, RFC 7600 §4.7 and RFC 9780 the addresses, which nobody has.
const (
	nobody     = "sip:anonymous@anonymous.invalid"
	nobodyHost = "anonymous.invalid"
)

var (
	nowhere4 = netip.AddrFrom4([4]byte{192, 0, 0, 8})
	nowhere6 = netip.AddrFrom16([16]byte{0: 1, 7: 1})
)

// everything is what keys a hash as soon as anything is private.
var everything = []event.Group{event.Addresses, event.URIs, event.Numbers, event.CallIDs, event.UserAgents, event.Geo, event.Errors, event.Tags}

// Addr masks the address of a packet; where addresses are left out it is one that nobody
// has, of the same family.
func (w *Rewriter) Addr(a netip.Addr) netip.Addr {
	switch masked := w.m.Addr(a); {
	case masked.IsValid() || !a.IsValid():
		return masked
	case a.Unmap().Is4():
		return nowhere4
	}
	return nowhere6
}

// AppendCallID appends a masked Call-ID to dst: what a record has, or, where those are
// left out, a keyed hash, so that two calls stay two. It borrows id.
func (w *Rewriter) AppendCallID(dst, id []byte) []byte {
	return w.key(dst, event.CallIDs, event.CallID, "call-id", id)
}

// AppendNode appends the name of a probe to dst, as a record has it. It borrows name.
func (w *Rewriter) AppendNode(dst, name []byte) []byte { return event.AppendNode(dst, w.m, name) }

// key masks a value that tells one thing from another.
func (w *Rewriter) key(dst []byte, g event.Group, s event.Shape, label string, b []byte) []byte {
	if out, ok := w.m.Append(dst, g, s, event.Key(b)); ok {
		return out
	}
	return w.token(dst, label, b)
}

// token is a keyed hash of a value that is not shown in any mode.
func (w *Rewriter) token(dst []byte, label string, b []byte) []byte {
	hash := sha256.New()
	hash.Write([]byte(label))
	hash.Write([]byte{0})
	hash.Write(b)
	sum := w.m.Digest(event.Hash(hash.Sum(nil)[:len(event.Hash{})]), everything...)
	return hex.AppendEncode(dst, sum[:])
}

// AppendMessage appends the masked message to dst. cut says that its end is missing. It
// borrows both. The message ends with its headers, of which the last is Content-Length:
// 0, whatever it had behind them.
func (w *Rewriter) AppendMessage(dst, message []byte, cut bool) []byte {
	var x *rewriting
	select {
	case x = <-w.idle:
	default:
		x = new(rewriting)
	}
	dst = x.message(w, dst, message, cut)
	x.forget()
	select {
	case w.idle <- x:
	default:
	}
	return dst
}

// AppendLine appends the masked start line of a message to dst. It borrows line.
func (w *Rewriter) AppendLine(dst, line []byte) []byte {
	x := rewriting{w: w, out: dst}
	x.startLine(line)
	return x.out
}

// rewriting is a message in work.
type rewriting struct {
	w    *Rewriter
	msg  sip.Message
	addr sip.Addr
	via  sip.Via
	auth sip.Auth
	uri  sip.URI
	flat []byte
	out  []byte

	walked, seen [sip.NumHeaders]bool // of a name: its lines were looked at, and one was written
}

// forget lets go of what was borrowed, and of much memory.
func (x *rewriting) forget() {
	x.msg.Parse(nil, false)
	x.addr, x.via, x.auth, x.uri = sip.Addr{}, sip.Via{}, sip.Auth{}, sip.URI{}
	x.w, x.out = nil, nil
	if cap(x.flat) > maxRewritten {
		x.flat = nil
	}
}

func (x *rewriting) message(w *Rewriter, dst, message []byte, cut bool) []byte {
	x.w, x.out = w, dst
	x.walked, x.seen = [sip.NumHeaders]bool{}, [sip.NumHeaders]bool{}
	start := len(dst)
	x.msg.Parse(message, cut)
	switch {
	case x.msg.Problem() != sip.OK:
		x.startLine(firstLine(message))
	case x.msg.IsRequest():
		x.request(x.msg.MethodName(), x.msg.RequestURI().Bytes(), []byte("SIP/2.0"))
	default:
		x.out = append(x.out, "SIP/2.0 "...)
		x.number(uint64(x.msg.Status()))
		x.reason(x.msg.ReasonPhrase())
	}
	x.end()
	for i := range x.msg.NumHeaders() {
		h, _, value := x.msg.HeaderAt(i)
		r := &rules[h]
		if r.write == nil || r.all && x.walked[h] {
			continue
		}
		x.walked[h] = true
		if !r.all {
			x.line(start, h, value)
			continue
		}
		values := x.msg.Values(h)
		for value, ok := values.Next(); ok; value, ok = values.Next() {
			x.line(start, h, value)
		}
	}
	at := len(x.out)
	x.out = append(x.out, ending...)
	if x.msg.Problem() != sip.OK { // what made it unusable may be among what is left out
		if x.msg.Parse(x.out[start:], false) == sip.OK {
			x.out = append(append(x.out[:at], "unusable\r\n"...), ending...)
		}
	}
	return x.out
}

const ending = "Content-Length: 0\r\n\r\n"

// line writes a header, or leaves it out. What a message cannot be without is short
// enough to be written also when there is no room for others.
func (x *rewriting) line(start int, h sip.Header, value []byte) {
	r := &rules[h]
	must := r.must && !x.seen[h]
	x.seen[h] = true
	if len(x.out)-start+2*len(value) > maxRewritten && !must {
		return
	}
	if bytes.IndexByte(value, '\n') >= 0 || bytes.IndexByte(value, '\r') >= 0 {
		value = x.unfold(value)
	}
	if len(value) > maxValue && !r.long {
		if !must {
			return
		}
		value = nil
	}
	at := len(x.out)
	x.out = append(append(x.out, h.String()...), ": "...)
	body := len(x.out)
	if !r.write(x, value) || !onOneLine(x.out[body:]) {
		x.out = x.out[:at]
		return
	}
	x.end()
}

func (x *rewriting) end() { x.out = append(x.out, '\r', '\n') }

// unfold gives b on one line. It is good until the next call.
func (x *rewriting) unfold(b []byte) []byte {
	x.flat = x.flat[:0]
	for i := 0; i < len(b); i++ {
		if b[i] != '\r' && b[i] != '\n' {
			x.flat = append(x.flat, b[i])
			continue
		}
		for i+1 < len(b) && (b[i+1] == '\r' || b[i+1] == '\n' || b[i+1] == ' ' || b[i+1] == '\t') {
			i++
		}
		for len(x.flat) > 0 && x.flat[len(x.flat)-1] == ' ' {
			x.flat = x.flat[:len(x.flat)-1]
		}
		x.flat = append(x.flat, ' ')
	}
	return x.flat
}

// startLine writes the first line without its end: method, masked URI and version, or
// version, status and masked reason phrase.
func (x *rewriting) startLine(line []byte) {
	line = bytes.TrimSpace(line)
	first, rest, _ := bytes.Cut(line, []byte{' '})
	if len(first) > 4 && bytes.EqualFold(first[:4], []byte("SIP/")) {
		code, reason, _ := bytes.Cut(bytes.TrimLeft(rest, " "), []byte{' '})
		if !isVersion(first) || len(code) > 3 || !only(code, isDigit) {
			x.out = append(x.out, "BROKEN"...)
			return
		}
		x.out = append(append(append(x.out, first...), ' '), code...)
		x.reason(reason)
		return
	}
	rest = bytes.TrimSpace(rest)
	version := []byte(nil)
	if i := bytes.LastIndexByte(rest, ' '); i >= 0 && isVersion(rest[i+1:]) {
		rest, version = bytes.TrimSpace(rest[:i]), rest[i+1:]
	}
	if version == nil && sip.ParseMethod(first) == sip.MethodOther {
		first = nil
	}
	x.request(first, rest, version)
}

// isVersion tells whether a word is a SIP-Version, of whatever number.
func isVersion(b []byte) bool {
	const prefix = len("SIP/")
	return len(b) > prefix && len(b) <= prefix+len("10.10") && bytes.EqualFold(b[:prefix], []byte("SIP/")) &&
		only(b[prefix:], func(c byte) bool { return isDigit(c) || c == '.' })
}

// request writes a request line; a version that is nil is left out.
func (x *rewriting) request(method, uri, version []byte) {
	x.out = append(append(x.out, methodOf(method)...), ' ')
	if x.uri.Parse(uri) && len(uri) <= maxValue {
		x.whole(uri)
	} else {
		x.broken(uri)
	}
	if version != nil {
		x.out = append(append(x.out, ' '), version...)
	}
}

// unknown stands for a method that is none, or that may name somebody.
var unknown = []byte("UNKNOWN")

// methodOf is the method as it is written.
func methodOf(b []byte) []byte {
	if len(b) > 0 && len(b) <= maxMethod && only(b, isWord) && isHarmlessWord(b) {
		return b
	}
	return unknown
}

// reason writes a blank and a masked reason phrase; one that everybody uses stays.
func (x *rewriting) reason(phrase []byte) {
	x.out = append(x.out, ' ')
	if event.Usual(phrase) {
		x.out = append(x.out, phrase...)
		return
	}
	if out, ok := x.w.m.Append(x.out, event.Errors, event.Plain, clip(phrase)); ok && onOneLine(out[len(x.out):]) {
		x.out = out
	}
}

// whole writes a URI. One that cannot be masked in parts has what it became as its host.
func (x *rewriting) whole(uri []byte) {
	at := len(x.out)
	if len(uri) > 0 && len(uri) <= maxValue {
		out, ok := x.w.m.Append(x.out, event.URIs, event.Whole, uri)
		if ok && len(out) > at && only(out[at:], inBrackets) {
			var masked sip.URI
			if masked.Parse(out[at:]) {
				x.out = out
				return
			}
			if only(out[at:], func(c byte) bool { return isDigit(c) || isLetter(c) }) {
				x.out = append(x.out, "sip:"...)
				x.out, _ = x.w.m.Append(x.out, event.URIs, event.Whole, uri)
				return
			}
		}
	}
	x.out = append(x.out[:at], nobody...)
}

// broken writes what cannot be read as what it should be, so that it stays unreadable.
func (x *rewriting) broken(b []byte) {
	m := x.w.m
	switch {
	case m.Private(event.URIs):
		if out, ok := m.Append(x.out, event.URIs, event.Plain, clip(b)); ok {
			x.out = out
			return
		}
	case !m.Private(event.Addresses) && !m.Private(event.Numbers) && !m.Private(event.Tags) && !m.Private(event.CallIDs):
		x.out = append(x.out, clip(b)...)
		return
	}
	x.out = append(x.out, "<>"...)
}

// clip bounds a text as records do.
func clip(b []byte) []byte { return b[:min(len(b), event.MaxText)] }

// quoted writes a display name, or nothing.
func (x *rewriting) quoted(name []byte) {
	if len(name) == 0 {
		return
	}
	out, ok := x.w.m.Append(append(x.out, '"'), event.URIs, event.User, clip(name))
	if !ok {
		return
	}
	body := out[len(x.out)+1:]
	for i := 0; i < len(body); i++ {
		switch {
		case body[i] == '\\' && i+1 < len(body):
			i++
		case body[i] == '\\' || body[i] == '"':
			body[i] = '\''
		}
	}
	x.out = append(out, '"', ' ')
}

// param writes ;name=value.
func (x *rewriting) param(name string, value []byte) {
	x.out = append(append(append(append(x.out, ';'), name...), '='), value...)
}

// keyed writes ;name= and a masked value that tells one thing from another.
func (x *rewriting) keyed(name string, value []byte) {
	x.param(name, nil)
	x.out = x.w.key(x.out, event.Tags, event.Tag, "tag", value)
}

// number writes n.
func (x *rewriting) number(n uint64) { x.out = strconv.AppendUint(x.out, n, 10) }

func firstLine(b []byte) []byte {
	b = bytes.TrimLeft(b, "\r\n")
	if i := bytes.IndexAny(b, "\r\n"); i >= 0 {
		b = b[:i]
	}
	return b
}

// only tells whether all of b is of a class.
func only(b []byte, is func(c byte) bool) bool {
	for _, c := range b {
		if !is(c) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// isWord: a token with the slash of a version (RFC 3261 §25.1).
func isWord(c byte) bool {
	return isDigit(c) || isLetter(c) || bytes.IndexByte([]byte("-.!%*_+`'~/"), c) >= 0
}

// inBrackets: what a URI may have in a line and in angle brackets.
func inBrackets(c byte) bool { return c > ' ' && c != '<' && c != '>' && c != '"' && c != 0x7f }

func onOneLine(b []byte) bool {
	return bytes.IndexByte(b, '\n') < 0 && bytes.IndexByte(b, '\r') < 0
}
