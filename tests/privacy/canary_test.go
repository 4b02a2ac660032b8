package privacy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/privacy"
	"github.com/sipcmbeat/sipcmbeat/internal/recent"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/track"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// Captures hold what their makers thought of. Here a canary is put into each place of real
// messages in turn: a word, a number, an address, in the ways that people and programs write
// them. Whatever the program makes of the message, no canary may be in what leaves.

// kind is what a canary is.
type kind int

const (
	letters kind = iota
	digits
	four
	six
	numKinds
)

func (k kind) String() string { return [...]string{"letters", "digits", "IPv4", "IPv6"}[k] }

// forms are the ways in which a canary is written, the usual one first.
var forms = [numKinds][]string{
	letters: {"zqxcanary", "ZQXcanary", "%7Aqxcanary", "zqx-canary", "canary.zqx", "zqx@canary", "zqx:canary", "zqx;canary", "zqx canary", "zqx/canary", "zqx,canary", "zqx?canary"},
	digits:  {"4930987650123", "+4930987650123", "004930987650123", "+49-30-987-650-123", "%2B4930987650123", "49 30 987 650 123", "(49)30.987.650.123", "%34%39%33%30%39%38%37%36%35%30%31%32%33", "4930987650123@192.0.2.9", "a4930987650123b", "4930987650123;a=b", "4.9.3.0.9.8.7.6.5.0.1.2.3", "sip:4930987650123", "49/30987650123", "3.2.1.0.5.6.7.8.9.0.3.9.4.e164.arpa"},
	four:    {"45.139.77.201", "45-139-77-201", "45.139.77.201.", "0x2d8b4dc9", "[::ffff:45.139.77.201]", "45%2E139%2E77%2E201", "a45.139.77.201", "045.139.077.201", "a@45.139.77.201", "45.139.77.201:5060", "45_139_77_201", "sip:45.139.77.201", "::ffff:2d8b:4dc9", "201.77.139.45.in-addr.arpa"},
	six:     {"2a0c:9f3e:77c1:1d2e::beef:77c9", "[2a0c:9f3e:77c1:1d2e::beef:77c9]", "2A0C:9F3E:77C1:1D2E:0:0:BEEF:77C9", "2a0c:9f3e:77c1:1d2e::beef:77c9%eth0", "2a0c%3A9f3e%3A77c1%3A1d2e%3A%3Abeef%3A77c9", "a@2a0c:9f3e:77c1:1d2e::beef:77c9", "[2a0c:9f3e:77c1:1d2e::beef:77c9]:5060", "2a0c-9f3e-77c1-1d2e--beef-77c9.ipv6-literal.net"},
}

// hostForms are ways to write an IPv4 address that only a resolver takes for one: they stand
// for it in hosts alone.
var hostForms = []string{"764104137", "0x2d.0x8b.0x4d.0xc9", "055.0213.0115.0311", "45.9129417", "0X2D8B4DC9"}

// traces are what is looked for: what no masked value spells by chance (base32hex has
// neither x nor z), in lower case, and of numbers without what stands between digits.
var traces = [numKinds][]string{
	letters: {"zqx"},
	digits:  {"30987650", "05678903"},
	four:    {"45.139.77.201", "45-139-77-201", "45_139_77_201", "045.139.077.201", "0x2d8b4dc9", "2d8b:4dc9", "764104137", "201.77.139.45", "0x2d.0x8b", "055.0213", "45.9129417"},
	six:     {"2a0c:9f3e", "2a0c-9f3e", "2a0c9f3e", "beef:77c9", "beef-77c9"},
}

// holds tells whether a canary is in a text, escaped or not.
func holds(k kind, text []byte) bool {
	text = bytes.ToLower(text)
	if shows(k, text) {
		return true
	}
	return bytes.IndexByte(text, '%') >= 0 && shows(k, bytes.ToLower(sip.AppendUnescaped(nil, text)))
}

func shows(k kind, text []byte) bool {
	if k == digits {
		n := 0
		plain := make([]byte, len(text))
		for _, c := range text {
			if strings.IndexByte("-.() /", c) < 0 {
				plain[n] = c
				n++
			}
		}
		text = plain[:n]
	}
	for _, s := range traces[k] {
		if bytes.Contains(text, []byte(s)) {
			return true
		}
	}
	return false
}

// words is where letters may be seen although everything is private: docs/privacy.md, "Words
// that a sender chooses stay while they are words". The rest of such a value may not be seen.
var words = map[string]*regexp.Regexp{
	"sip.method": whole, "sip.request.method": whole, "sip.cseq.method": whole, "event.action": whole, // any token is a method (RFC 3261 §25.1)
	"sip.allow": whole, "sip.supported": whole, // methods, option tags (RFC 3261 §27.1)
	"sip.accept": whole, "sip.content_type": whole, // media types; their parameters are masked
	"sip.via.transport": whole, "sip.contact.transport": whole, // other-transport (RFC 3261 §25.1)
	"sip.auth.scheme":     whole,                            // auth-scheme of other credentials (RFC 3261 §25.1)
	"sip.privacy":         whole,                            // priv-value (RFC 3323 §4.2)
	"sip.reason.protocol": whole, "sip.reason.cause": whole, // other protocols may have other causes than numbers (RFC 3326 §2)
	"sip.subscription.event": whole, "sip.subscription.reason": whole, // event packages and reasons (RFC 6665 §8.2)
	"sip.sdp.codecs": whole, "sip.sdp.media": whole, "sip.qos.codec": whole, // names of encodings and of media (RFC 8866)
	"sip.sdp.version": whole, // a number; nobody has used another than 0

	// The same in rewritten messages: of the start line the method, of Via the transport, of
	// credentials the scheme, of Reason the protocol.
	"to start line": regexp.MustCompile(`^\S+`), "to CSeq": whole, "to RAck": whole, "to Allow": whole,
	"to Supported": whole, "to Require": whole, "to Proxy-Require": whole,
	"to Accept": whole, "to Content-Type": whole,
	"to Via":           regexp.MustCompile(`^Via: SIP/2\.0/\S+`),
	"to Authorization": first, "to Proxy-Authorization": first, "to WWW-Authenticate": first, "to Proxy-Authenticate": first,
	"to Privacy": whole, "to Priority": whole, // other-priority (RFC 3261 §25.1)
	"to Reason": regexp.MustCompile(`^Reason: [^;]+`),
	"to Event":  regexp.MustCompile(`^Event: [^;]+`), "to Allow-Events": whole, "to Subscription-State": whole,

	// And on pages.
	"Messages.method": whole, "Messages.cseq": whole, "Messages.line": regexp.MustCompile(`^\S+`),
}

var whole, first = regexp.MustCompile(`(?s)^.*$`), regexp.MustCompile(`^\S+ \S+`)

// allowed tells whether a canary may be seen there.
func allowed(k kind, out, text string) bool {
	word := words[out]
	return k == letters && word != nil && !holds(k, []byte(word.ReplaceAllString(text, "")))
}

// mask is one way to mask, which all outputs are made with.
type mask struct {
	name  string
	m     *privacy.Sealer
	w     *privacy.Rewriter
	group event.Group // the only one that is private; Public: all are
}

func masks(t testing.TB) (all []mask) {
	add := func(name string, mode privacy.Mode, groups ...event.Group) {
		cfg := privacy.Config{Key: testKey}
		for _, g := range groups {
			cfg.Modes[g] = mode
		}
		s, err := privacy.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		k := mask{name: name + " " + mode.String(), m: s, w: privacy.NewRewriter(s)}
		if len(groups) == 1 {
			k.group = groups[0]
		}
		all = append(all, k)
	}
	var every []event.Group
	for g := event.Public + 1; g < event.NumGroups; g++ {
		every = append(every, g)
	}
	for _, mode := range maskAll {
		add("all", mode, every...)
		for _, g := range []event.Group{event.Addresses, event.Numbers, event.URIs} {
			add("only "+g.String(), mode, g)
		}
	}
	return all
}

// birds plays messages and looks for canaries in what leaves.
type birds struct {
	t       testing.TB
	masks   []mask
	record  *track.Recorder
	reader  *privacy.Reader
	schemas []*event.Schema
	seen    map[string]int // places
	found   map[string]bool
	cases   int
	hits    int // records with a canary in them, before they are masked
	out     []byte
	masked  event.Event
	clear   event.Event
	msg     sip.Message
}

var canaryHeaders = []string{"Contact", "Record-Route", "P-Asserted-Identity", "P-Charging-Vector", "Subject", "Organization", "Via", "Call-Info",
	"Identity", "Reason", "Authorization", "Geolocation", "X-Custom", "From", "User-Agent", "History-Info"}

func newBirds(t testing.TB) *birds {
	reader, err := privacy.NewReader(testKey)
	if err != nil {
		t.Fatal(err)
	}
	return &birds{
		t: t, masks: masks(t), record: track.NewRecorder(canaryHeaders), reader: reader, seen: map[string]int{}, found: map[string]bool{},
		schemas: []*event.Schema{event.NewSchema(event.Fields, canaryHeaders), event.NewSchema(event.OlderFields(), canaryHeaders)},
	}
}

// play follows messages, one of which has canaries in it, and looks at what comes of them.
func (b *birds) play(steps []step, at int, c trial) {
	b.cases++
	cfg := track.DefaultConfig()
	cfg.Headers = canaryHeaders
	tr := track.New(cfg)
	var events []event.Event
	look := func(got []event.Event) {
		for i := range got {
			b.look(&got[i], c)
		}
		events = got[:0]
	}
	for i := range steps {
		s := &steps[i]
		look(tr.Advance(events, s.at))
		p := packet.Packet{Time: s.at, Src: s.src, Dst: s.dst, Transport: packet.UDP, Payload: s.payload}
		if b.msg.Parse(s.payload, false) != sip.OK {
			look(tr.Unusable(events, &p, &b.msg))
			continue
		}
		if i == at || c.ends {
			var e event.Event
			b.record.Record(&e, &p, &b.msg, 0)
			b.look(&e, c)
		}
		look(tr.See(events, &p, &b.msg))
	}
	b.pages(tr, &steps[at], c)
	look(tr.Flush(events, track.FlushAll))
	b.rewrite(steps[at].payload, c)
}

// pages looks at what the HTTP pages show of calls, bindings and the message.
func (b *birds) pages(tr *track.Tracker, s *step, c trial) {
	messages := recent.New(recent.MinSize)
	b.msg.Parse(s.payload, false)
	messages.Message(&packet.Packet{Time: s.at, Src: s.src, Dst: s.dst, Transport: packet.UDP, Payload: s.payload}, &b.msg)
	id := string(b.msg.CallID())
	shown := func() (all struct {
		Calls    view.CallPage
		Bindings view.BindingPage
		Gone     view.Call
		Messages []view.Message
	}) {
		if l, err := tr.Calls(view.Query{}); err == nil {
			for l.Slice(tr) {
			}
			all.Calls = l.Page()
		}
		if l, err := tr.Bindings(view.Query{}); err == nil {
			for l.Slice(tr) {
			}
			all.Bindings = l.Page()
		}
		all.Gone, _ = messages.Call(id)
		all.Messages, _ = messages.Messages(id)
		return all
	}
	clear, err := json.Marshal(shown())
	if err != nil {
		b.t.Error(err)
	}
	if !slices.ContainsFunc(c.kinds, func(k kind) bool { return holds(k, clear) }) {
		return
	}
	for i := range b.masks {
		m := &b.masks[i]
		if !c.meantAny(m.group) {
			continue
		}
		all := shown()
		privacy.NewPages(m.m).Show(&all)
		b.out, _ = json.Marshal(all)
		for _, k := range c.kinds {
			if c.meant(k, m.group) && holds(k, b.out) {
				b.leaks(c, k, m)
			}
		}
	}
}

// look masks one record in every way.
func (b *birds) look(e *event.Event, c trial) {
	b.clear.CopyFrom(e)
	numbers.Add(&b.clear)
	r := event.Renderer{Schema: b.schemas[0]}
	b.out = r.Append(b.out[:0], &b.clear, nil)
	var in []kind
	for _, k := range c.kinds {
		if holds(k, b.out) {
			in = append(in, k)
		}
	}
	if in == nil {
		return
	}
	b.hits++
	for i := range b.masks {
		m := &b.masks[i]
		if !c.meantAny(m.group) {
			continue
		}
		b.clear.Mask(m.m, &b.masked)
		for _, schema := range b.schemas {
			if schema != b.schemas[0] && e.Type == event.Message {
				continue
			}
			r := event.Renderer{Schema: schema}
			b.out = r.Append(b.out[:0], &b.masked, nil)
			for _, k := range in {
				if c.meant(k, m.group) && holds(k, b.out) {
					b.leaks(c, k, m)
				}
			}
		}
		if t, ok := b.t.(*testing.T); ok && m.name == "all encrypt" && b.hits%16 == 0 {
			mixed(t, &secrets{clear: []*event.Event{&b.clear}}, m.m, b.reader, b.schemas[0], true)
		}
	}
}

// leaks finds the fields of the record in b.out that a canary is in.
func (b *birds) leaks(c trial, k kind, m *mask) {
	var tree map[string]any
	d := json.NewDecoder(bytes.NewReader(b.out))
	d.UseNumber()
	if err := d.Decode(&tree); err != nil {
		b.t.Errorf("no JSON: %s", b.out)
		return
	}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		if below, ok := v.(map[string]any); ok {
			for name, v := range below {
				walk(strings.TrimPrefix(path+"."+name, "."), v)
			}
			return
		}
		if below, ok := v.([]any); ok {
			for _, v := range below {
				walk(path, v)
			}
			return
		}
		if text := fmt.Sprint(v); holds(k, []byte(text)) {
			b.tell(c, k, m, path, text)
		}
	}
	walk("", tree)
}

// rewrite looks at the message as capture files and the HEP output have it.
func (b *birds) rewrite(message []byte, c trial) {
	for i := range b.masks {
		m := &b.masks[i]
		if !c.meantAny(m.group) {
			continue
		}
		b.out = m.w.AppendMessage(b.out[:0], message, (b.cases+i)%8 == 0)
		for _, k := range c.kinds {
			if !c.meant(k, m.group) || !holds(k, b.out) {
				continue
			}
			for n, line := range bytes.Split(b.out, []byte("\r\n")) {
				where, _, _ := bytes.Cut(line, []byte(":"))
				if n == 0 {
					where = []byte("start line")
				}
				if holds(k, line) {
					b.tell(c, k, m, "to "+string(where), string(line))
				}
			}
		}
	}
}

// tell reports a leak, once for each place and output.
func (b *birds) tell(c trial, k kind, m *mask, out, text string) {
	if allowed(k, out, text) {
		return
	}
	key := fmt.Sprint(k, out, c.place, m.group)
	if b.found[key] {
		return
	}
	b.found[key] = true
	b.t.Errorf("%s: %v at %s is in %s: %.200q\n%s", m.name, k, c.place, out, text, c.text)
}

// trial is one change of a message.
type trial struct {
	place string
	text  string // that was put there
	kinds []kind
	uri   bool // it is within a user, a host or the name before them
	ends  bool // it is in all messages
}

// meant tells whether a canary has to be masked where only one group is private.
func (c *trial) meant(k kind, only event.Group) bool {
	switch only {
	case event.Public:
		return true
	case event.Addresses:
		return k == four || k == six
	case event.Numbers:
		return k == digits && c.uri
	case event.URIs:
		return k == letters && c.uri
	}
	return false
}

func (c *trial) meantAny(only event.Group) bool {
	return slices.ContainsFunc(c.kinds, func(k kind) bool { return c.meant(k, only) })
}

// scenes puts canaries into each message of each scene. A place of a kind of message that
// was met before is passed over, unless there are visits left.
func (b *birds) scenes(all []scene, visits int, r *rand.Rand) {
	for n, s := range all {
		for i := range s.steps {
			b.message(s, i, visits, r)
		}
		if visits > 0 || n%8 == 0 {
			b.ends(s)
		}
		if len(b.found) > 200 {
			return // it is clear by now
		}
	}
}

// message puts canaries into one message.
func (b *birds) message(s scene, at int, visits int, r *rand.Rand) {
	payload := s.steps[at].payload
	all := placesOf(payload)
	try := func(text []byte, c trial) {
		steps := slices.Clone(s.steps)
		steps[at].payload = text
		b.play(steps, at, c)
	}
	few := visits == 0
	fresh := 0
	for i := range all {
		p := &all[i]
		n := b.seen[p.key]
		if n > visits {
			continue
		}
		b.seen[p.key]++
		fresh++
		if few && p.beside && r.IntN(4) > 0 {
			continue
		}
		for k := range numKinds {
			if few && r.IntN(3) == 0 {
				continue
			}
			form := forms[k][0]
			if !few || r.IntN(2) == 0 {
				form = forms[k][r.IntN(len(forms[k]))]
			}
			c := trial{place: p.key, text: form, kinds: []kind{k}, uri: p.uri}
			text := p.put(payload, form)
			part := r.IntN(4) == 0 // of the messages, which are made ones that cannot be used
			if !few || !part {
				try(text, c)
			}
			if text = broken(text, r); part && bytes.Contains(text, []byte(form)) { // or it was cut in two
				c.place += ", broken"
				try(text, c)
			}
		}
		if p.host {
			form := hostForms[r.IntN(len(hostForms))]
			try(p.put(payload, form), trial{place: p.key, text: form, kinds: []kind{four}})
		}
	}
	for range fresh / 16 { // several at once
		c := trial{place: "several", kinds: []kind{letters, digits, four, six}}
		text, last := payload, len(payload)+1
		for i := len(all) - 1; i >= 0; i-- {
			p := &all[i]
			if p.to >= last || r.IntN(3) > 0 {
				continue
			}
			k := kind(r.IntN(int(numKinds)))
			form := forms[k][r.IntN(len(forms[k]))]
			text = slices.Concat(text[:p.from], []byte(form), text[p.to:])
			c.text += form + " at " + p.key + "\n"
			last = p.from
		}
		try(withLength(text), c)
	}
}

// ends are the addresses of the packets, of which one is the canary.
func (b *birds) ends(s scene) {
	for _, k := range []kind{four, six} {
		steps := slices.Clone(s.steps)
		first := steps[0].src
		for i := range steps {
			for _, end := range []*netip.AddrPort{&steps[i].src, &steps[i].dst} {
				if end.Addr() == first.Addr() {
					*end = netip.AddrPortFrom(netip.MustParseAddr(forms[k][0]), end.Port())
				}
			}
		}
		b.play(steps, 0, trial{place: "source of " + s.name, kinds: []kind{k}, ends: true})
	}
}

// TestCanary: nothing that a message may say leaves in clear while everything is private,
// nor what a single private group is about. SIPCMBEAT_CANARY=2 does much more.
func TestCanary(t *testing.T) {
	t.Parallel()
	b := newBirds(t)
	b.scenes(slices.Concat(made(t), ladders(t), captured(t, own(t))), visits(t), chosen(t))
	t.Logf("%d places, %d trials, %d records", len(b.seen), b.cases, b.hits)
	if b.cases < 1000 || b.hits < 1000 {
		t.Errorf("only %d trials and %d records", b.cases, b.hits)
	}
}

// TestSharedCanary is the same with messages of other projects, and those of RFC 4475 and
// RFC 5118.
func TestSharedCanary(t *testing.T) {
	t.Parallel()
	b := newBirds(t)
	b.scenes(slices.Concat(files(t, shared(t, "/messages/*/*.sip", "/messages/*/*.txt", "/torture/4475/*.dat", "/torture/5118/*")), captured(t, lab(t))), visits(t), chosen(t))
	t.Logf("%d places, %d trials, %d records", len(b.seen), b.cases, b.hits)
}

// visits is how often a place is visited again: with 0, and without the variable, it is
// visited once, and not in every way.
func visits(t testing.TB) int {
	n, err := strconv.Atoi(os.Getenv("SIPCMBEAT_CANARY"))
	if err != nil {
		return 0
	}
	return n
}

// chosen are always the same choices, other ones for each number of visits.
func chosen(t testing.TB) *rand.Rand { return rand.New(rand.NewPCG(1, uint64(visits(t)))) }

// FuzzCanary: nothing of a canary in any message leaves. which is the place, how what is put
// there. Its inputs are large: with -fuzzminimizetime 10x it does not spend its time on them.
func FuzzCanary(f *testing.F) {
	for _, s := range slices.Concat(made(f), ladders(f)[:20]) {
		for i := range s.steps {
			f.Add(s.steps[i].payload, uint16(31*i), uint16(i))
		}
	}
	b := newBirds(f) // with sealers, whose caches are large
	f.Fuzz(func(t *testing.T, message []byte, which, how uint16) {
		b.t, b.found = t, map[string]bool{}
		for k := range numKinds {
			if len(message) > 4<<10 || holds(k, message) {
				return
			}
		}
		all := placesOf(message)
		if len(all) == 0 {
			return
		}
		p := &all[int(which)%len(all)]
		k := kind(how % uint16(numKinds))
		form := forms[k][int(how/uint16(numKinds))%len(forms[k])]
		if message = p.put(message, form); holds(k, message) {
			b.play([]step{stepOf(message)}, 0, trial{place: p.key, text: form, kinds: []kind{k}})
		}
	})
}
