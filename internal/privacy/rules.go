package privacy

import (
	"bytes"
	"slices"
	"strconv"
	"time"

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
	sip.HeaderMaxForwards:       {write: writeNumber},
	sip.HeaderExpires:           {write: writeNumber},
	sip.HeaderMinExpires:        {write: writeNumber},
	sip.HeaderRetryAfter:        {write: writeNumber},
	sip.HeaderSessionExpires:    {write: writeSpan},
	sip.HeaderMinSE:             {write: writeNumber},
	sip.HeaderRSeq:              {write: writeNumber},
	sip.HeaderRAck:              {write: writeRAck},
	sip.HeaderDate:              {write: writeDate},
	sip.HeaderAllow:             {write: writeWords},
	sip.HeaderAllowEvents:       {write: writeWords},
	sip.HeaderSupported:         {write: writeWords},
	sip.HeaderRequire:           {write: writeWords},
	sip.HeaderProxyRequire:      {write: writeWords},
	sip.HeaderAccept:            {write: writeWords},
	sip.HeaderPrivacy:           {write: writePrivacy},
	sip.HeaderPriority:          {write: writeWords},
	sip.HeaderSubscriptionState: {write: writeState},
}

// writeWords writes words of the protocol with commas between, without their parameters; a
// comment or a quoted string, and what follows, is left out. If one of them may name
// somebody, none is written.
func writeWords(x *rewriting, value []byte) bool {
	start := len(x.out)
	for one := range bytes.SplitSeq(withoutComment(value), []byte{','}) {
		word, _, _ := bytes.Cut(one, []byte{';'})
		if word = bytes.TrimSpace(word); len(word) == 0 {
			continue
		}
		if !isHarmlessWord(word) {
			return false
		}
		if len(x.out) > start {
			x.out = append(x.out, ", "...)
		}
		x.out = append(x.out, word...)
	}
	return len(x.out) > start
}

func withoutComment(value []byte) []byte {
	if i := bytes.IndexAny(value, `("`); i >= 0 {
		return value[:i]
	}
	return value
}

// writeFirst writes a value without its parameters, of which a boundary may name
// somebody.
func writeFirst(x *rewriting, value []byte) bool {
	value, _, _ = bytes.Cut(value, []byte{';'})
	return writeWords(x, value)
}

// writePrivacy writes the words of a Privacy, which have semicolons between them (RFC 3323
// §4.2).
func writePrivacy(x *rewriting, value []byte) bool {
	x.out = append(x.out, value...)
	for word := range bytes.SplitSeq(value, []byte{';'}) {
		if !isHarmlessWord(bytes.TrimSpace(word)) {
			return false
		}
	}
	return true
}

// unusable stands for what cannot be read, so that it stays so.
var unusable = []byte("unusable")

// writeNumber writes a counter or a span of time, of 32 bits, and of anything else that it
// is none.
func writeNumber(x *rewriting, value []byte) bool {
	if n, ok := sip.Seconds(value); ok {
		x.number(uint64(n))
	} else {
		x.out = append(x.out, unusable...)
	}
	return true
}

// writeSpan is writeNumber for a session, and says who refreshes it (RFC 4028 §4).
func writeSpan(x *rewriting, value []byte) bool {
	writeNumber(x, value)
	_, rest, _ := bytes.Cut(value, []byte{';'})
	params := sip.ParseParams(rest)
	for name, v, ok := params.Next(); ok; name, v, ok = params.Next() {
		if bytes.EqualFold(name, []byte("refresher")) && (string(v) == "uac" || string(v) == "uas") {
			x.param("refresher", v)
			break
		}
	}
	return true
}

// writeRAck writes the numbers of a provisional answer and of its request, and the method
// (RFC 3262 §7.2).
func writeRAck(x *rewriting, value []byte) bool {
	first, rest, _ := bytes.Cut(bytes.TrimSpace(value), []byte{' '})
	n, ok := sip.Seconds(first)
	if !ok {
		return false
	}
	x.number(uint64(n))
	x.out = append(x.out, ' ')
	return writeCSeq(x, bytes.TrimSpace(rest))
}

// writeDate writes a date that is one (RFC 3261 §20.17).
func writeDate(x *rewriting, value []byte) bool {
	x.out = append(x.out, value...)
	_, err := time.Parse("Mon, 2 Jan 2006 15:04:05 GMT", string(value))
	return err == nil
}

// writeState writes the state of a subscription, why it ended and how long it lasts (RFC
// 6665 §8.2.3).
func writeState(x *rewriting, value []byte) bool {
	if !writeFirst(x, value) {
		return false
	}
	_, rest, _ := bytes.Cut(value, []byte{';'})
	params := sip.ParseParams(rest)
	for name, v, ok := params.Next(); ok; name, v, ok = params.Next() {
		for _, known := range [...]string{"reason", "expires", "retry-after"} {
			if !bytes.EqualFold(name, []byte(known)) {
				continue
			}
			if n, ok := sip.Seconds(v); ok && known != "reason" {
				x.param(known, nil)
				x.number(uint64(n))
			}
			if known == "reason" && len(v) > 0 && only(v, isWord) && isHarmlessWord(v) {
				x.param(known, v)
			}
		}
	}
	return true
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
	n, err := strconv.ParseUint(string(number), 10, 32)
	if err != nil || len(method) == 0 || !only(method, isWord) {
		x.out = append(x.out, unusable...)
		return true
	}
	x.number(n)
	x.out = append(append(x.out, ' '), methodOf(method)...)
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
	for _, name := range [...]string{"expires", "reg-id"} {
		if v, ok := x.addr.Param(name); ok {
			if n, ok := sip.Seconds(v); ok {
				x.param(name, nil)
				x.number(uint64(n))
			}
		}
	}
	if v, ok := x.addr.Param("q"); ok && isQ(v) {
		x.param("q", v)
	}
	return true
}

// writeReference writes name and URI alone.
func writeReference(x *rewriting, value []byte) bool {
	if !x.addr.Parse(value) || x.addr.Star() {
		return false
	}
	x.party()
	for _, known := range partyParams {
		if v, ok := x.addr.Param(known.name); ok && slices.Contains(known.values, string(v)) {
			x.param(known.name, v)
		}
	}
	return true
}

// partyParams are the parameters of Remote-Party-ID (draft-ietf-sip-privacy-04 §6).
var partyParams = [...]struct {
	name   string
	values []string
}{
	{"party", []string{"calling", "called"}},
	{"screen", []string{"yes", "no"}},
	{"privacy", []string{"full", "name", "uri", "off"}},
	{"id-type", []string{"subscriber", "user", "term"}},
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
	local, rest, _ := bytes.Cut(value, []byte{';'})
	if local = bytes.TrimSpace(local); x.w.m.Private(event.CallIDs) || !isUUID(local) {
		return false
	}
	x.out = append(x.out, local...)
	params := sip.ParseParams(rest)
	for name, v, ok := params.Next(); ok; name, v, ok = params.Next() {
		if bytes.EqualFold(name, []byte("remote")) && isUUID(v) {
			x.param("remote", v)
			break
		}
	}
	return true
}

// isUUID tells whether a text is one as a Session-ID has it, without hyphens.
func isUUID(b []byte) bool { return len(b) == 32 && only(b, isHex) }

func isHex(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }

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
		if v, ok := x.auth.Param(name); ok && isOfDigest(v) {
			next(name)
			x.out = append(append(x.out, v...), '"')
		}
	}
	return true
}

// isOfDigest tells whether a parameter of a challenge or of credentials is one of those
// that everybody uses (RFC 7616 §3, RFC 3310, RFC 4169), or a counter of tries.
func isOfDigest(b []byte) bool {
	var room [32]byte
	if len(b) == 8 && string(b[:4]) == "0000" && only(b, isHex) {
		return true
	}
	if len(b) > len(room) {
		return false
	}
	switch string(appendLower(room[:0], b)) {
	case "md5", "md5-sess", "sha-256", "sha-256-sess", "sha-512-256", "sha-512-256-sess", "akav1-md5", "akav2-md5",
		"auth", "auth-int", "auth,auth-int", "auth, auth-int", "true", "false":
		return true
	}
	return false
}
