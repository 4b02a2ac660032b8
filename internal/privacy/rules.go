package privacy

import (
	"bytes"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// rule is what becomes of a header. write appends what stands behind the colon and tells
// whether the line is written at all; it borrows value, which is on one line.
type rule struct {
	write func(x *rewriting, value []byte) bool
	all   bool // value by value, where commas separate them
	must  bool // a message cannot be without it
	long  bool // write takes a value of any length
}

// rules is the closed list of headers that stay. What has no row is left out: nobody
// knows what it tells.
var rules = [sip.NumHeaders]rule{
	sip.HeaderVia:    {write: writeVia, all: true, must: true},
	sip.HeaderFrom:   {write: writeParty, must: true},
	sip.HeaderTo:     {write: writeParty, must: true},
	sip.HeaderCallID: {write: writeCallID, must: true, long: true},
	sip.HeaderCSeq:   {write: writeCSeq, must: true},

	sip.HeaderContact:            {write: writeContact, all: true},
	sip.HeaderReferTo:            {write: writeReference},
	sip.HeaderReferredBy:         {write: writeReference},
	sip.HeaderRemotePartyID:      {write: writeReference, all: true},
	sip.HeaderPPreferredIdentity: {write: writeReference, all: true},
	sip.HeaderReplaces:           {write: writeReplaces},
	sip.HeaderRoute:              {write: writeNamed, all: true},
	sip.HeaderRecordRoute:        {write: writeNamed, all: true},
	sip.HeaderPath:               {write: writeNamed, all: true},
	sip.HeaderServiceRoute:       {write: writeNamed, all: true},
	sip.HeaderPAssertedIdentity:  {write: writeNamed, all: true},
	sip.HeaderDiversion:          {write: writeNamed, all: true},
	sip.HeaderHistoryInfo:        {write: writeNamed, all: true},

	sip.HeaderUserAgent: {write: writeAgent, long: true},
	sip.HeaderServer:    {write: writeAgent, long: true},
	sip.HeaderSessionID: {write: writeSession},

	sip.HeaderAuthorization:      {write: writeAuth, long: true},
	sip.HeaderProxyAuthorization: {write: writeAuth, long: true},
	sip.HeaderWWWAuthenticate:    {write: writeAuth, long: true},
	sip.HeaderProxyAuthenticate:  {write: writeAuth, long: true},

	sip.HeaderReason:            {write: writeReason, all: true},
	sip.HeaderContentType:       {write: writeFirst},
	sip.HeaderEvent:             {write: writeEvent},
	sip.HeaderMaxForwards:       {write: writeNumbers},
	sip.HeaderExpires:           {write: writeNumbers},
	sip.HeaderMinExpires:        {write: writeNumbers},
	sip.HeaderRetryAfter:        {write: writeNumbers},
	sip.HeaderSessionExpires:    {write: writeNumbers},
	sip.HeaderMinSE:             {write: writeNumbers},
	sip.HeaderRSeq:              {write: writeNumbers},
	sip.HeaderRAck:              {write: writeNumbers},
	sip.HeaderDate:              {write: writeKept},
	sip.HeaderAllow:             {write: writeKept},
	sip.HeaderAllowEvents:       {write: writeKept},
	sip.HeaderSupported:         {write: writeKept},
	sip.HeaderRequire:           {write: writeKept},
	sip.HeaderProxyRequire:      {write: writeKept},
	sip.HeaderAccept:            {write: writeKept},
	sip.HeaderPrivacy:           {write: writeKept},
	sip.HeaderPriority:          {write: writeKept},
	sip.HeaderSubscriptionState: {write: writeKept},
}

// writeKept writes a value as it is, if it is words: a comment or a quoted string, and
// what follows, is left out.
func writeKept(x *rewriting, value []byte) bool { return x.kept(value, namesNobody) }

// writeNumbers is writeKept for counters and spans of time.
func writeNumbers(x *rewriting, value []byte) bool { return x.kept(value, counts) }

func (x *rewriting) kept(value []byte, harmless func([]byte) bool) bool {
	if i := bytes.IndexAny(value, `("<@`); i >= 0 {
		value = bytes.TrimRight(value[:i], " \t;,")
	}
	x.out = append(x.out, value...)
	return len(value) > 0 && only(value, isPlain) && harmless(value)
}

// namesNobody tells whether words hold neither an address nor a number of somebody.
func namesNobody(b []byte) bool {
	for word := range bytes.FieldsSeq(b) {
		if holdsNumber(word) {
			return false
		}
	}
	return !holdsAddress(b)
}

// counts is namesNobody where numbers alone, with a method behind them or not, are those of
// RAck, RSeq and the like.
func counts(b []byte) bool {
	const digits = 10 // of 32 bits
	for word := range bytes.FieldsSeq(b) {
		if !(len(word) <= digits && only(word, isDigit)) && !namesNobody(word) {
			return false
		}
	}
	return true
}

// isPlain: what lists of words, numbers, parameters and dates are made of.
func isPlain(c byte) bool { return isWord(c) || bytes.IndexByte([]byte(" \t,;:="), c) >= 0 }

// writeFirst writes a value without its parameters, of which a boundary may name
// somebody.
func writeFirst(x *rewriting, value []byte) bool {
	value, _, _ = bytes.Cut(value, []byte{';'})
	return writeKept(x, bytes.TrimSpace(value))
}

// writeEvent writes the package, and the id of a subscription (RFC 6665 §8.2.1) masked:
// a sender may write anything there.
func writeEvent(x *rewriting, value []byte) bool {
	if !writeFirst(x, value) {
		return false
	}
	_, rest, _ := bytes.Cut(value, []byte{';'})
	params := sip.ParseParams(rest)
	for name, v, ok := params.Next(); ok; name, v, ok = params.Next() {
		if bytes.EqualFold(name, []byte("id")) && len(v) > 0 && len(v) <= 32 && only(v, isWord) {
			x.param("id", x.w.key(nil, event.CallIDs, event.CallID, "event id", v))
			break
		}
	}
	return true
}

// writeReason writes protocol and cause of a Reason (RFC 3326 §2), no text.
func writeReason(x *rewriting, value []byte) bool {
	protocol, rest, _ := bytes.Cut(value, []byte{';'})
	if protocol = bytes.TrimSpace(protocol); len(protocol) == 0 || !isHarmlessWord(protocol) {
		return false
	}
	x.out = append(x.out, protocol...)
	params := sip.ParseParams(rest)
	for name, v, ok := params.Next(); ok; name, v, ok = params.Next() {
		if bytes.EqualFold(name, []byte("cause")) && len(v) > 0 && len(v) < manyDigits && only(v, isDigit) {
			x.param("cause", v)
			break
		}
	}
	return true
}

// writeCSeq writes a number and a method, and of anything else that it is none.
func writeCSeq(x *rewriting, value []byte) bool {
	number, method := value, []byte(nil)
	if i := bytes.IndexAny(value, " \t"); i >= 0 {
		number, method = value[:i], value[i:]
	}
	method = bytes.TrimSpace(method)
	if len(number) == 0 || len(number) > 20 || !only(number, isDigit) || len(method) == 0 || !only(method, isWord) {
		x.out = append(x.out, "unusable"...)
		return true
	}
	x.out = append(append(append(x.out, number...), ' '), methodOf(method)...)
	return true
}

func writeCallID(x *rewriting, value []byte) bool {
	x.out = x.w.AppendCallID(x.out, value)
	return true
}

// writeVia writes a Via with its branch, by which transactions are told apart. One that
// is written in an unusual way is masked as everybody writes it.
func writeVia(x *rewriting, value []byte) bool {
	if !x.via.Parse(value) {
		x.broken(value)
		return true
	}
	if x.viaValue(value) {
		return true
	}
	transport := x.via.Transport()
	if len(transport) > 16 || !isHarmlessWord(transport) {
		transport = []byte("UDP")
	}
	branch := x.via.Branch()
	from, _ := x.via.HostAt()
	usual := append(append(append([]byte("SIP/2.0/"), transport...), ' '), x.via.Bytes()[from:]...)
	if x.viaValue(usual) {
		return true
	}
	x.out = append(append(append(append(x.out, "SIP/2.0/"...), transport...), ' '), nobodyHost...)
	if len(branch) > 0 {
		x.out = append(x.out, ";branch="...)
		if bytes.HasPrefix(branch, cookie) {
			x.out = append(x.out, cookie...)
		}
		x.out = x.w.token(x.out, "branch", branch)
	}
	return true
}

// viaValue writes a Via, if what comes of it is one.
func (x *rewriting) viaValue(value []byte) bool {
	at := len(x.out)
	out, ok := x.w.m.Append(x.out, viaGroup, event.ViaValue, value)
	var masked sip.Via
	if !ok || !onOneLine(out[at:]) || !masked.Parse(out[at:]) {
		return false
	}
	x.out = out
	return true
}

// viaGroup is what a Via is private with.
const viaGroup = event.URIs

// cookie begins the branch of RFC 3261 §8.1.1.7.
var cookie = []byte("z9hG4bK")

// writeParty writes From or To: name, URI and tag.
func writeParty(x *rewriting, value []byte) bool {
	if !x.addr.Parse(value) {
		x.broken(value)
		return true
	}
	x.party()
	if tag := x.addr.Tag(); len(tag) > 0 {
		x.keyed("tag", tag)
	}
	return true
}

// party writes name and URI of the address that was read last.
func (x *rewriting) party() {
	x.quoted(x.addr.Display())
	x.out = append(x.out, '<')
	x.whole(x.addr.URI().Bytes())
	x.out = append(x.out, '>')
}

// writeContact writes name and URI, and how long they are good (RFC 3261 §20.10).
func writeContact(x *rewriting, value []byte) bool {
	if !x.addr.Parse(value) {
		x.broken(value)
		return true
	}
	if x.addr.Star() {
		x.out = append(x.out, '*')
		return true
	}
	x.party()
	for _, name := range [...]string{"expires", "q", "reg-id"} {
		if v, ok := x.addr.Param(name); ok && len(v) > 0 && len(v) <= 20 && only(v, func(c byte) bool { return isDigit(c) || c == '.' }) {
			x.param(name, v)
		}
	}
	return true
}

// writeReference writes name and URI alone.
func writeReference(x *rewriting, value []byte) bool {
	if !x.addr.Parse(value) || x.addr.Star() {
		return false
	}
	x.party()
	for _, name := range [...]string{"party", "screen", "privacy", "id-type"} { // of Remote-Party-ID
		if v, ok := x.addr.Param(name); ok && len(v) > 0 && len(v) <= 20 && only(v, isLetter) {
			x.param(name, v)
		}
	}
	return true
}

// writeNamed writes a name and URI as records have them in lists.
func writeNamed(x *rewriting, value []byte) bool {
	out, ok := x.w.m.Append(x.out, event.URIs, event.NameAddr, value)
	if ok {
		x.out = out
	}
	return ok
}

// writeReplaces writes the dialog that is replaced (RFC 3891 §6.1).
func writeReplaces(x *rewriting, value []byte) bool {
	id, rest, _ := bytes.Cut(value, []byte{';'})
	if id = bytes.TrimSpace(id); len(id) == 0 {
		return false
	}
	x.out = x.w.AppendCallID(x.out, id)
	params := sip.ParseParams(rest)
	for name, v, ok := params.Next(); ok; name, v, ok = params.Next() {
		for _, tag := range [...]string{"to-tag", "from-tag"} {
			if bytes.EqualFold(name, []byte(tag)) && len(v) > 0 {
				x.keyed(tag, v)
			}
		}
	}
	return true
}

func writeAgent(x *rewriting, value []byte) bool {
	out, ok := x.w.m.Append(x.out, event.UserAgents, event.Agent, clip(value))
	if ok {
		x.out = out
	}
	return ok
}

// writeSession writes a Session-ID (RFC 7989), which names a call, only where those are
// clear: a masked one would be none.
func writeSession(x *rewriting, value []byte) bool {
	return !x.w.m.Private(event.CallIDs) && writeKept(x, value)
}

// writeAuth writes a challenge or credentials: scheme, realm, user, and of nonce and
// response a keyed hash, by which one try can be told from another, and no more.
func writeAuth(x *rewriting, value []byte) bool {
	ok := x.auth.Parse(value)
	scheme := x.auth.Scheme()
	if !ok || len(scheme) > 32 || !isHarmlessWord(scheme) {
		return false
	}
	x.out = append(x.out, scheme...)
	first := true
	next := func(name string) {
		if !first {
			x.out = append(x.out, ',')
		}
		first = false
		x.out = append(append(append(x.out, ' '), name...), `="`...)
	}
	for _, masked := range [...]struct {
		name  string
		group event.Group
		shape event.Shape
		value []byte
	}{
		{"username", event.URIs, event.User, x.auth.Username()},
		{"realm", event.URIs, event.Host, x.auth.Realm()},
		{"uri", event.URIs, event.Whole, x.auth.URI()},
	} {
		if len(masked.value) == 0 {
			continue
		}
		before, was := len(x.out), first
		next(masked.name)
		at := len(x.out)
		out, ok := x.w.m.Append(x.out, masked.group, masked.shape, clip(masked.value))
		if !ok || bytes.IndexByte(out[at:], '"') >= 0 || bytes.IndexByte(out[at:], '\\') >= 0 {
			x.out, first = x.out[:before], was
			continue
		}
		x.out = append(out, '"')
	}
	if v := x.auth.Nonce(); len(v) > 0 {
		next("nonce")
		x.out = append(x.w.token(x.out, "nonce", v), '"')
	}
	if v := x.auth.Response(); len(v) > 0 {
		next("response")
		x.out = append(x.w.token(x.out, "response", v), '"')
	}
	for _, name := range [...]string{"algorithm", "qop", "nc", "stale"} {
		if v, ok := x.auth.Param(name); ok && len(v) > 0 && len(v) <= 32 && only(v, func(c byte) bool { return isWord(c) || c == ',' }) && counts(v) {
			next(name)
			x.out = append(append(x.out, v...), '"')
		}
	}
	return true
}
