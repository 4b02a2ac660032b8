package siptest

import (
	"bufio"
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
)

// A Ladder is a scenario that a SIP engineer can read without Go: messages with
// their times, and the events that they must make. Its file is a txtar archive:
//
//	What the case shows, with the section of the RFC.
//	-- ladder --
//	0s     alice > proxy   INVITE
//	10ms   proxy > bob     INVITE
//	2s     bob > proxy     200
//	2.01s  proxy > alice   200
//	60s    alice > bob     BYE
//	-- want --
//	2s     call-start
//	60s    call-end        duration=58s by=caller
//
// A message line is: time, who sends, who gets it, a method or a status code, and
// words that say what is special about it:
//
//	again        the same bytes as the last time on this hop: a retransmission
//	lost         it is sent, and nobody sees it
//	new          a request outside the dialog, though there is one
//	call=x       another Call-ID, x@ladder; each call keeps its own state
//	as=caller    on whose behalf a stranger sends: caller or callee
//	from=tag to=tag cseq=n branch=b port=n
//	             From tag, To tag, CSeq number, Via branch, source port
//	re=METHOD    the request that an answer is to, where it is not the last one
//	user=x       the user of the AOR, where it is not the sender's name
//	contact=uri[,uri]  expires=n   contacts with parameters; Expires header
//	auth=nonce[/realm][/response]  credentials; challenge=nonce[/realm][/stale]
//	proxy-auth=...                 the same as Proxy-Authorization
//	event=package[;id=x]           Event header; state=active[;expires=n] Subscription-State
//	sdp[=sendonly|inactive|...]    a session description; its direction, or an address to
//	                               receive at (0.0.0.0 is hold, as RFC 2543 had it)
//	frag=code                      a message/sipfrag body: the status of the call that was asked for
//	compact      with the short names of headers (RFC 3261 §7.3.3)
//	hep=id       it comes by HEP, with this correlation id
//	| Name: value                  further header lines
//
// Without words a request that its sender got before in this call is passed on,
// with one more Via; any other is new, with the next CSeq of its side. An answer
// is to the last request on its hop, and has the To tag b. `tick` in place of a
// message lets time pass; `restart` is a tick at which the program begins anew, which
// it stopped at the line before. A want line is: time, type, and the fields to check.
type Ladder struct {
	Name   string
	Text   string
	Config map[string]string
	Steps  []Step
	Want   []Want
}

// A Step is one datagram, or a tick where Payload is nil.
type Step struct {
	Time     int64 // Unix time in nanoseconds
	Restart  bool  // the program begins anew before it
	Src, Dst netip.AddrPort
	Payload  []byte
	HEP      string // correlation id of the HEP packet that it came in; "" is none
	Line     string
}

// A Want is an event to come: its time, type and fields as written.
type Want struct {
	Time   int64
	Type   string
	Fields []string // key=value
	Line   string
}

// Start is the time of 0s in every ladder.
var Start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()

// Ladders reads the ladders whose files match a pattern (path/filepath), each with its file
// as its name. It is a failure if there are none.
func Ladders(t testing.TB, pattern string) (all []*Ladder) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no ladders %s: %v", pattern, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		l, err := ParseLadder(file, data)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
	return all
}

// ParseLadder reads a ladder from a txtar archive.
func ParseLadder(name string, data []byte) (*Ladder, error) {
	a := txtar.Parse(data)
	l := &Ladder{Name: name, Text: string(a.Comment), Config: map[string]string{}}
	w := &world{calls: map[string]*dialog{}, actors: map[string]netip.Addr{}, sent: map[string][]byte{}}
	for _, f := range a.Files {
		for n, line := range lines(f.Data) {
			var err error
			switch f.Name {
			case "config":
				k, v, _ := strings.Cut(line, "=")
				l.Config[strings.TrimSpace(k)] = strings.TrimSpace(v)
			case "ladder":
				err = l.step(w, line)
			case "want":
				err = l.want(line)
			default:
				err = fmt.Errorf("no such section")
			}
			if err != nil {
				return nil, fmt.Errorf("%s: section %s, line %d: %q: %w", name, f.Name, n+1, line, err)
			}
		}
	}
	return l, nil
}

// lines yields the lines that are neither empty nor comments, with their numbers.
func lines(b []byte) func(func(int, string) bool) {
	return func(yield func(int, string) bool) {
		s := bufio.NewScanner(bytes.NewReader(b))
		for n := 0; s.Scan(); n++ {
			line := strings.TrimSpace(s.Text())
			if line != "" && !strings.HasPrefix(line, "#") && !yield(n, line) {
				return
			}
		}
	}
}

func (l *Ladder) want(line string) error {
	f := strings.Fields(line)
	if f[0] == "nothing" {
		return nil
	}
	if len(f) < 2 {
		return fmt.Errorf("needs a time and a type")
	}
	d, err := time.ParseDuration(f[0])
	if err != nil {
		return err
	}
	l.Want = append(l.Want, Want{Time: Start + int64(d), Type: f[1], Fields: f[2:], Line: line})
	return nil
}

func (l *Ladder) step(w *world, line string) error {
	text, extra, _ := strings.Cut(line, "|")
	f := strings.Fields(text)
	d, err := time.ParseDuration(f[0])
	if err != nil {
		return err
	}
	at := Start + int64(d)
	if len(f) == 2 && (f[1] == "tick" || f[1] == "restart") {
		l.Steps = append(l.Steps, Step{Time: at, Line: line, Restart: f[1] == "restart"})
		return nil
	}
	if len(f) < 5 || f[2] != ">" {
		return fmt.Errorf("is not: time sender > receiver message")
	}
	m := &message{src: f[1], dst: f[3], what: f[4], words: map[string]string{}}
	for _, word := range f[5:] {
		k, v, _ := strings.Cut(word, "=")
		m.words[k] = v
	}
	if extra != "" {
		for _, h := range strings.Split(extra, "|") {
			m.headers = append(m.headers, strings.TrimSpace(h))
		}
	}
	payload, err := w.build(m)
	if err != nil {
		return err
	}
	if _, lost := m.words["lost"]; lost {
		return nil
	}
	l.Steps = append(l.Steps, Step{Time: at, Src: w.addr(m.src, m.port("port")), Dst: w.addr(m.dst, 5060), Payload: payload, HEP: m.words["hep"], Line: line})
	return nil
}

// world is what the builder remembers.
type world struct {
	calls  map[string]*dialog
	actors map[string]netip.Addr
	sent   map[string][]byte // last bytes by call, hop and message
	serial int
}

// dialog is one Call-ID.
type dialog struct {
	id        string
	caller    string // who sent the first request
	fromTag   string
	toTag     string // of the last answer but 100
	toUser    string
	answered  bool
	cseq      [2]int // by side: caller, callee
	invite    int    // CSeq number of the last dialog-forming INVITE
	requests  []*request
	registers bool
}

// request is one that was sent on one hop.
type request struct {
	src, dst, method, ruri string
	fromTag, toTag         string
	from, to               string
	cseq                   int
	vias                   []string
	branch                 string
}

type message struct {
	src, dst, what string
	words          map[string]string
	headers        []string
}

func (m *message) port(key string) uint16 {
	if n, err := strconv.Atoi(m.words[key]); err == nil {
		return uint16(n)
	}
	return 5060
}

func (m *message) has(key string) bool { _, ok := m.words[key]; return ok }

func (m *message) or(key, value string) string {
	if v, ok := m.words[key]; ok {
		return v
	}
	return value
}

// addr gives each actor an address of its own (RFC 5737).
func (w *world) addr(name string, port uint16) netip.AddrPort {
	a, ok := w.actors[name]
	if !ok {
		a = netip.AddrFrom4([4]byte{192, 0, 2, byte(len(w.actors) + 1)})
		w.actors[name] = a
	}
	return netip.AddrPortFrom(a, port)
}

func (w *world) build(m *message) ([]byte, error) {
	id := m.or("call", "c1")
	d := w.calls[id]
	if d == nil {
		d = &dialog{id: id}
		w.calls[id] = d
	}
	key := strings.Join([]string{id, m.src, m.dst, m.what, m.words["re"]}, " ")
	if m.has("again") {
		b := w.sent[key]
		if b == nil {
			return nil, fmt.Errorf("was not sent before")
		}
		return b, nil
	}
	var b []byte
	var err error
	if code, e := strconv.Atoi(m.what); e == nil {
		b, err = w.answer(d, m, code)
	} else {
		b = w.request(d, m)
	}
	w.sent[key] = b
	return b, err
}

// request writes a request.
func (w *world) request(d *dialog, m *message) []byte {
	w.addr(m.src, 0)
	w.addr(m.dst, 0)
	var r *request
	if inv := d.hopByHop(m); inv != nil {
		next := *inv
		r, next.method = &next, m.what
		if m.what == "ACK" {
			next.toTag = m.or("to", d.toTag)
		}
	} else if r = w.passedOn(d, m); r == nil {
		r = w.fresh(d, m)
	}
	w.serial++
	r.branch = m.or("branch", fmt.Sprintf("z9hG4bK-%d", w.serial))
	if inv := d.hopByHop(m); inv != nil {
		r.branch = m.or("branch", inv.branch)
		r.vias = inv.vias[1:]
	}
	via := "SIP/2.0/UDP " + w.addr(m.src, m.port("port")).String()
	if r.branch != "" {
		via += ";branch=" + r.branch
	}
	r.vias = append([]string{via}, r.vias...)
	d.requests = append(d.requests, r)
	return w.write(d, m, r.method+" "+r.ruri+" SIP/2.0", r, "")
}

// hopByHop is the INVITE whose branch a CANCEL or the ACK of a refusal has.
func (d *dialog) hopByHop(m *message) *request {
	if m.what == "CANCEL" || m.what == "ACK" && !d.answered {
		return d.last(m.src, m.dst, "INVITE")
	}
	return nil
}

// passedOn is the request that a proxy sends on.
func (w *world) passedOn(d *dialog, m *message) *request {
	if m.has("new") || m.has("as") || m.has("cseq") || m.src == d.caller {
		return nil
	}
	for i := len(d.requests) - 1; i >= 0; i-- {
		r := d.requests[i]
		if r.dst == m.src && r.method == m.what && r.src != m.dst {
			next := *r
			next.src, next.dst = m.src, m.dst
			return &next
		}
	}
	return nil
}

// fresh is a request that its sender makes.
func (w *world) fresh(d *dialog, m *message) *request {
	if d.caller == "" {
		d.caller, d.fromTag, d.toUser = m.src, "a", m.or("user", m.dst)
		if m.what == "REGISTER" {
			d.toUser = m.or("user", m.src)
		}
	}
	side := 0
	if m.src != d.caller {
		side = 1
	}
	switch m.words["as"] {
	case "caller":
		side = 0
	case "callee":
		side = 1
	}
	r := &request{src: m.src, dst: m.dst, method: m.what}
	inDialog := d.toTag != "" && !m.has("new")
	switch m.what {
	case "INVITE":
		inDialog = inDialog && d.answered
	case "CANCEL":
		inDialog = false
	case "REGISTER", "MESSAGE", "PUBLISH":
		inDialog = false
	}
	local, remote := fmt.Sprintf("sip:%s@example.com", d.caller), fmt.Sprintf("sip:%s@example.com", d.toUser)
	r.fromTag, r.toTag = d.fromTag, ""
	if inDialog {
		r.toTag = d.toTag
	}
	if side == 1 {
		local, remote = remote, local
		r.fromTag, r.toTag = d.toTag, d.fromTag
		if r.fromTag == "" {
			r.fromTag = "b"
		}
	}
	r.fromTag, r.toTag = m.or("from", r.fromTag), m.or("to", r.toTag)
	r.from, r.to, r.ruri = local, remote, remote
	switch {
	case m.has("cseq"):
		r.cseq, _ = strconv.Atoi(m.words["cseq"])
		d.cseq[side] = max(d.cseq[side], r.cseq)
	case m.what == "ACK" || m.what == "CANCEL":
		r.cseq = d.invite
	default:
		d.cseq[side]++
		r.cseq = d.cseq[side]
	}
	if m.what == "INVITE" {
		d.invite = r.cseq
		if !inDialog {
			d.answered = false
		}
	}
	if m.what == "REGISTER" {
		r.ruri = "sip:example.com"
		r.from, r.to = remote, remote
		d.registers = true
	}
	return r
}

// last is the last request on a hop.
func (d *dialog) last(src, dst, method string) *request {
	for i := len(d.requests) - 1; i >= 0; i-- {
		if r := d.requests[i]; r.src == src && r.dst == dst && (method == "" || r.method == method) {
			return r
		}
	}
	return nil
}

// answer writes an answer.
func (w *world) answer(d *dialog, m *message, code int) ([]byte, error) {
	w.addr(m.src, 0)
	w.addr(m.dst, 0)
	var r *request
	for i := len(d.requests) - 1; i >= 0 && r == nil; i-- {
		q := d.requests[i]
		if q.method == "ACK" || m.has("re") && q.method != m.words["re"] || m.has("cseq") && strconv.Itoa(q.cseq) != m.words["cseq"] {
			continue
		}
		if q.src == m.dst && (q.dst == m.src || m.has("stranger")) {
			r = q
		}
	}
	if r == nil {
		return nil, fmt.Errorf("answers no request")
	}
	answer := *r
	tag := answer.toTag
	if tag == "" && code > 100 {
		tag = "b"
	}
	answer.toTag = m.or("to", tag)
	answer.fromTag = m.or("from", answer.fromTag)
	if code > 100 && r.toTag == "" && r.method != "CANCEL" {
		d.toTag = answer.toTag
	}
	if r.method == "INVITE" && code >= 200 && code < 300 {
		d.answered = true
	}
	start := fmt.Sprintf("SIP/2.0 %d %s", code, reason(code))
	return w.write(d, m, start, &answer, r.method), nil
}

func reason(code int) string {
	return map[int]string{489: "Bad Event",
		100: "Trying", 180: "Ringing", 183: "Session Progress", 200: "OK", 202: "Accepted", 302: "Moved Temporarily",
		401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 407: "Proxy Authentication Required", 408: "Request Timeout",
		481: "Call/Transaction Does Not Exist", 486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here",
		500: "Server Internal Error", 503: "Service Unavailable", 603: "Decline",
	}[code]
}

// write lays a message out.
func (w *world) write(d *dialog, m *message, start string, r *request, answerTo string) []byte {
	var b strings.Builder
	line := func(format string, args ...any) {
		if m.has("compact") {
			if name, rest, ok := strings.Cut(format, ":"); ok && short[name] != "" {
				format = short[name] + ":" + rest
			}
		}
		fmt.Fprintf(&b, format+"\r\n", args...)
	}
	line("%s", start)
	if !m.has("no-via") {
		for _, v := range r.vias {
			line("Via: %s", v)
		}
	}
	party := func(name, uri, tag string) {
		if tag != "" {
			tag = ";tag=" + tag
		}
		line(name+": <%s>%s", uri, tag)
	}
	party("From", r.from, r.fromTag)
	party("To", r.to, r.toTag)
	id := d.id
	if !strings.Contains(id, "@") {
		id += "@ladder"
	}
	line("Call-ID: %s", id)
	line("CSeq: %d %s", r.cseq, r.method)
	if answerTo == "" {
		line("Max-Forwards: %d", 70-len(r.vias)+1)
	}
	switch {
	case m.has("contact"):
		for _, c := range strings.Split(m.words["contact"], ",") {
			uri, params, _ := strings.Cut(c, ";")
			if params != "" {
				params = ";" + params
			}
			if uri == "*" {
				line("Contact: *")
			} else if uri != "" {
				line("Contact: <%s>%s", uri, params)
			}
		}
	case r.method == "INVITE" && m.what != "100":
		line("Contact: <sip:%s@%s>", m.src, w.addr(m.src, 5060))
	}
	if m.has("expires") {
		line("Expires: %s", m.words["expires"])
	}
	credentials(line, m)
	if m.has("event") {
		line("Event: %s", m.words["event"])
	}
	if m.has("state") {
		line("Subscription-State: %s", m.words["state"])
	}
	for _, h := range m.headers {
		line("%s", h)
	}
	kind, body := m.body(w)
	if kind != "" {
		line("Content-Type: %s", kind)
	}
	line("Content-Length: %d", len(body))
	line("")
	return []byte(b.String() + body)
}

// short are the compact names (RFC 3261 §7.3.3).
var short = map[string]string{"Via": "v", "From": "f", "To": "t", "Call-ID": "i", "Contact": "m", "Content-Length": "l"}

// credentials writes what auth, proxy-auth and challenge ask for.
func credentials(line func(string, ...any), m *message) {
	for _, c := range []struct{ key, header string }{{"auth", "Authorization"}, {"proxy-auth", "Proxy-Authorization"}} {
		if !m.has(c.key) {
			continue
		}
		p := append(strings.Split(m.words[c.key], "/"), "", "")
		realm, response := p[1], p[2]
		if realm == "" {
			realm = "example.com"
		}
		switch response {
		case "":
			response = "6629fae49393a05397450978507c4ef1"
		case "empty":
			response = ""
		}
		line(`%s: Digest username="%s", realm="%s", nonce="%s", uri="sip:example.com", response="%s"`, c.header, m.src, realm, p[0], response)
	}
	if !m.has("challenge") {
		return
	}
	header := "WWW-Authenticate"
	if m.what == "407" {
		header = "Proxy-Authenticate"
	}
	p := append(strings.Split(m.words["challenge"], "/"), "", "")
	realm, stale := p[1], ""
	if realm == "" {
		realm = "example.com"
	}
	if p[2] == "stale" {
		stale = ", stale=true"
	}
	line(`%s: Digest realm="%s", nonce="%s"%s`, header, realm, p[0], stale)
}
