package track

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
	shown "github.com/sipcmbeat/sipcmbeat/internal/view"
)

// callPage reads a page; between is called between two slices.
func callPage(t testing.TB, tr *Tracker, q shown.Query, between func()) shown.CallPage {
	t.Helper()
	l, err := tr.Calls(q)
	if err != nil {
		t.Fatal(err)
	}
	for l.Slice(tr) {
		between()
	}
	return l.Page()
}

func bindingPage(t testing.TB, tr *Tracker, q shown.Query, between func()) shown.BindingPage {
	t.Helper()
	l, err := tr.Bindings(q)
	if err != nil {
		t.Fatal(err)
	}
	for l.Slice(tr) {
		between()
	}
	return l.Page()
}

func nothing() {}

// listedAs is the list after each step of a ladder: states with what else is said.
func listedAs(t *testing.T, text string) []string {
	t.Helper()
	l, err := siptest.ParseLadder("x", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	tr := New(DefaultConfig())
	var m sip.Message
	var out []string
	for i := range l.Steps {
		s := &l.Steps[i]
		tr.Advance(nil, s.Time)
		if s.Payload != nil {
			p := packet.Packet{Time: s.Time, Src: s.Src, Dst: s.Dst, Transport: packet.UDP, Payload: s.Payload}
			m.Parse(s.Payload, false)
			tr.See(nil, &p, &m)
		}
		var words []string
		for _, c := range callPage(t, tr, shown.Query{}, nothing).Calls {
			w := c.State
			if c.Code != 0 {
				w += fmt.Sprint(" ", c.Code)
			}
			if c.HangupBy != "" {
				w += " by " + c.HangupBy
			}
			if c.Forked {
				w += " forked"
			}
			words = append(words, w)
		}
		for _, b := range bindingPage(t, tr, shown.Query{}, nothing).Bindings {
			words = append(words, fmt.Sprint(b.AOR, " ", b.State, " ", b.Refreshes))
		}
		out = append(out, strings.Join(words, ", "))
		checkTables(t, tr)
	}
	return out
}

// TestListStates: after each step the list says what the machines say.
func TestListStates(t *testing.T) {
	for _, c := range []struct {
		name, ladder string
		want         []string
	}{
		{"a call", "0s alice > bob INVITE\n20ms bob > alice 180\n4s bob > alice 200\n4.02s alice > bob ACK\n64s alice > bob BYE\n64.01s bob > alice 200\n",
			[]string{"calling", "proceeding", "confirmed 200", "confirmed 200", "ending 200 by caller", ""}},
		{"refused", "0s alice > bob INVITE\n20ms bob > alice 486\n21ms alice > bob ACK\n60s tick\n", []string{"calling", "failed 486", "failed 486", ""}},
		{"cancelled", "0s alice > bob INVITE\n1s bob > alice 180\n2s alice > bob CANCEL\n2.1s bob > alice 487 re=INVITE\n", []string{"calling", "proceeding", "cancelling", "failed 487"}},
		{"challenged", "0s alice > bob INVITE\n20ms bob > alice 401 challenge=n\n50ms alice > bob INVITE new auth=n\n", []string{"calling", "challenged 401", "calling"}},
		{"forked", "0s alice > bob INVITE\n1s bob > alice 200\n1.1s bob > alice 200 to=c\n", []string{"calling", "confirmed 200", "confirmed 200 forked, confirmed 200 forked"}},
		{"newest first", "0s alice > bob INVITE call=x\n1s alice > bob INVITE call=y\n2s bob > alice 180 call=y\n3s bob > alice 200 call=x\n",
			[]string{"calling", "calling, calling", "proceeding, calling", "confirmed 200, proceeding"}},
		{"mid-call", "0s alice > bob INVITE to=b\n1s bob > alice 200\n", []string{"assumed", "assumed"}},
		{"registered", "0s alice > bob REGISTER contact=sip:alice@192.0.2.1 expires=60\n10ms bob > alice 200 contact=sip:alice@192.0.2.1;expires=60\n" +
			"30s alice > bob REGISTER contact=sip:alice@192.0.2.1 expires=60\n30.01s bob > alice 200 contact=sip:alice@192.0.2.1;expires=60\n200s tick\n",
			[]string{"", "sip:alice@example.com bound 0", "sip:alice@example.com bound 0", "sip:alice@example.com bound 1", ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := listedAs(t, "-- ladder --\n"+c.ladder)
			if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("lists\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

// population is a tracker into which calls and bindings come, and from which they go.
type population struct {
	t      testing.TB
	tr     *Tracker
	c      crowd
	now    int64
	events []event.Event
	up     []int
	next   int
}

func newPopulation(t testing.TB) *population {
	return &population{t: t, tr: New(benchConfig()), c: crowd{short: true}, now: siptest.Start}
}

func (p *population) see(answer bool, i int, text []byte) {
	k := packet.Packet{Time: p.now, Transport: packet.UDP, Payload: text}
	k.Src, k.Dst = ends(answer, i)
	if p.c.m.Parse(text, false) != sip.OK {
		p.t.Fatal(string(text))
	}
	p.events = p.tr.See(p.events[:0], &k, &p.c.m)
}

func (p *population) come() int {
	p.now += int64(time.Millisecond)
	i := p.next
	p.next++
	p.c.start(i, p.see)
	p.c.bind(i, 1, p.see)
	p.up = append(p.up, i)
	return i
}

func (p *population) goAway(at int) {
	p.now += int64(time.Millisecond)
	i := p.up[at]
	p.up[at] = p.up[len(p.up)-1]
	p.up = p.up[:len(p.up)-1]
	p.c.end(i, p.see)
	first := strings.Replace(string(p.c.register(i, "REGISTER sip:voip.example.net SIP/2.0", 2, "")), "expires=3600", "expires=0", 1)
	p.see(false, i, []byte(first))
	p.see(true, i, []byte(strings.Replace(strings.Replace(first, "REGISTER sip:voip.example.net SIP/2.0", okLine, 1), "Contact: ", "X: ", 1)))
}

// TestPaging: while calls and bindings come and go, also between the slices of a page,
// no page repeats what another has, and what was there all the time is on one.
func TestPaging(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	p := newPopulation(t)
	for range 3000 {
		p.come()
	}
	for _, filter := range []shown.Query{{}, {Text: "7@VOIP"}, {State: "confirmed", Source: "10.0.0.0/8"}} {
		wanted := func(text string) bool { return filter.Text == "" || strings.Contains(text, "7@voip") }
		before := map[string]bool{}
		for _, i := range p.up {
			before[fmt.Sprintf("%08x-348b-a7f8-2cbd-63940384716b", i)] = wanted(fmt.Sprintf("sip:u%07d@voip.example.net sip:+4930%08d@voip.example.net", i, i))
		}
		change := func() {
			for range rnd.IntN(10) {
				p.come()
				p.goAway(rnd.IntN(len(p.up)))
			}
		}
		calls, bindings := map[string]int{}, map[string]int{}
		q := filter
		for pages := 0; ; pages++ {
			q.Limit = 1 + rnd.IntN(200)
			page := callPage(t, p.tr, q, change)
			if len(page.Calls) > q.Limit || page.Total < len(page.Calls) || (page.Scanned > 0) != (filter != shown.Query{}) {
				t.Fatalf("%d calls of %d, %d looked at", len(page.Calls), page.Total, page.Scanned)
			}
			for _, c := range page.Calls {
				calls[c.CallID]++
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
			change()
		}
		if filter.State != "" {
			filter.State = "bound"
		}
		q = filter
		for {
			q.Limit = 1 + rnd.IntN(200)
			page := bindingPage(t, p.tr, q, change)
			for _, b := range page.Bindings {
				bindings[b.AOR]++
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
			change()
		}
		found := 0
		for _, i := range p.up { // what is up now and was before was there all the time
			id := fmt.Sprintf("%08x-348b-a7f8-2cbd-63940384716b", i)
			if before[id] {
				if found++; calls[id] != 1 {
					t.Errorf("%+v: call %d is on %d pages", filter, i, calls[id])
				}
			}
			if aor := fmt.Sprintf("sip:r%07d@voip.example.net", i); before[id] && wanted(aor) && filter.Source == "" && bindings[aor] != 1 {
				t.Errorf("%+v: %s is on %d pages", filter, aor, bindings[aor])
			}
		}
		if found < 100 {
			t.Errorf("%+v: %d stayed", filter, found)
		}
		for id, n := range calls {
			if n > 1 {
				t.Errorf("%+v: %s is there %d times", filter, id, n)
			}
		}
		checkTables(t, p.tr)
	}
}

// TestExact: what names a call or an AOR is found without a search, alone, and what
// merely contains it on the pages after.
func TestExact(t *testing.T) {
	p := newPopulation(t)
	for range 500 {
		p.come()
	}
	id := fmt.Sprintf("%08x-348b-a7f8-2cbd-63940384716b", 77)
	page := callPage(t, p.tr, shown.Query{Text: id}, nothing)
	if len(page.Calls) != 1 || page.Calls[0].CallID != id || page.Scanned > 2 || page.Next == "" {
		t.Fatalf("%+v", page)
	}
	if page = callPage(t, p.tr, shown.Query{Text: id, Cursor: page.Next}, nothing); len(page.Calls) != 0 || page.Next != "" || page.Scanned != 500 {
		t.Errorf("%+v", page)
	}
	for _, text := range []string{"sip:r0000077@voip.example.net", "r0000077@voip.example.net"} {
		page := bindingPage(t, p.tr, shown.Query{Text: text}, nothing)
		if len(page.Bindings) != 1 || page.Bindings[0].AOR != "sip:r0000077@voip.example.net" || page.Scanned != 1 || page.AORs != 500 {
			t.Errorf("%s: %+v", text, page)
		}
		if page = bindingPage(t, p.tr, shown.Query{Text: text, Cursor: page.Next}, nothing); len(page.Bindings) != 0 || page.Next != "" {
			t.Errorf("%s again: %+v", text, page)
		}
		if all, ok := p.tr.Binding(text); !ok || len(all) != 1 {
			t.Errorf("%s: %v %v", text, all, ok)
		}
	}
	if _, ok := p.tr.Binding("sip:nobody@voip.example.net"); ok {
		t.Error("nobody is known")
	}
	b := bindingPage(t, p.tr, shown.Query{Limit: 1}, nothing).Bindings[0]
	want := shown.Binding{AOR: "sip:r0000499@voip.example.net", Contact: "sip:r0000499@11.1.1.243:56506", Source: "10.1.1.243:52995", Transport: "udp",
		CallID: "ec4ecb4efd26e9f6b54cecda000001f3", State: "bound"}
	if at := siptest.Start + 500*int64(time.Millisecond); b.Since.UnixNano() != at || b.Refreshed.UnixNano() != at || b.Expires.UnixNano() != at+int64(time.Hour) {
		t.Errorf("since %v, refreshed %v, expires %v", b.Since, b.Refreshed, b.Expires)
	}
	if b.Since, b.Refreshed, b.Expires = nil, nil, nil; fmt.Sprint(b) != fmt.Sprint(want) {
		t.Errorf("%+v, want %+v", b, want)
	}
}

// TestListRefusals: what cannot be asked is named, with what can.
func TestListRefusals(t *testing.T) {
	p := newPopulation(t)
	for range 200 {
		p.come()
	}
	calls, bindings := callPage(t, p.tr, shown.Query{}, nothing).Next, bindingPage(t, p.tr, shown.Query{}, nothing).Next
	other := newPopulation(t)
	for range 200 {
		other.come()
	}
	for _, c := range []struct {
		q            shown.Query
		calls, binds string // of the error; "" is none
	}{
		{shown.Query{Limit: 1001}, "limit: 1001", "limit: 1001"},
		{shown.Query{Limit: -1}, "limit: -1", "limit: -1"},
		{shown.Query{Cursor: "x"}, "cursor: \"x\"", "cursor: \"x\""},
		{shown.Query{Cursor: calls}, "", "cursor: "},
		{shown.Query{Cursor: bindings}, "cursor: ", ""},
		{shown.Query{Cursor: calls[:len(calls)-1] + "_"}, "cursor: ", "cursor: "},
		{shown.Query{Cursor: strings.Repeat("A", 1<<20)}, "cursor: ", "cursor: "},
		{shown.Query{Cursor: callPage(t, other.tr, shown.Query{}, nothing).Next}, "cursor: ", "cursor: "},
		{shown.Query{Source: "nobody"}, "source: \"nobody\"", "source: \"nobody\""},
		{shown.Query{Source: "10.0.0.0/33"}, "source: ", "source: "},
		{shown.Query{Source: "fe80::1%eth0"}, "source: ", "source: "},
		{shown.Query{Source: "::ffff:10.1.0.0/112"}, "", ""},
		{shown.Query{State: "up"}, "state: \"up\" is not allowed; allowed: calling, ", "state: \"up\" is not allowed; allowed: bound, parting"},
		{shown.Query{State: "ended"}, "state: ", "state: "},
		{shown.Query{State: "confirmed"}, "", "state: "},
		{shown.Query{Text: strings.Repeat("x", 1025)}, "text: 1025 bytes", "text: 1025 bytes"},
	} {
		_, err := p.tr.Calls(c.q)
		if (err == nil) != (c.calls == "") || err != nil && !strings.HasPrefix(err.Error(), c.calls) {
			t.Errorf("calls %.99v: %v", c.q, err)
		}
		if _, err = p.tr.Bindings(c.q); (err == nil) != (c.binds == "") || err != nil && (!strings.HasPrefix(err.Error(), c.binds) || len(err.Error()) > 400) {
			t.Errorf("bindings %.99v: %v", c.q, err)
		}
	}
	// A cursor outlives what it is of, and the files' next turn.
	p.tr.Restart()
	if page := callPage(t, p.tr, shown.Query{Cursor: calls}, nothing); len(page.Calls) != 0 || page.Next != "" {
		t.Errorf("after a restart: %+v", page)
	}
}

// TestHostileValues: what is shown is UTF-8 and has an end.
func TestHostileValues(t *testing.T) {
	tr := New(DefaultConfig())
	see := func(text string) {
		var m sip.Message
		p := packet.Packet{Time: siptest.Start, Transport: packet.UDP, Payload: []byte(text)}
		p.Src, p.Dst = ends(text[:4] == "SIP/", 1)
		if m.Parse(p.Payload, false) != sip.OK {
			t.Fatal(text)
		}
		tr.See(nil, &p, &m)
	}
	for _, method := range []string{"INVITE", "REGISTER"} {
		head := fmt.Sprintf("Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\nFrom: \"\x1b[31m\" <sip:\xffa%s\xc3@a>;tag=%s\r\nCall-ID: \xfe%s\xfd\r\nCSeq: 1 %s\r\nUser-Agent: <script>%s\xe4\r\nContact: <sip:\xf0u%s@b>;expires=60\r\n",
			strings.Repeat("\u00e4", 2000), strings.Repeat("t", 3000), strings.Repeat("i", 3000), method, strings.Repeat("z", 3000), strings.Repeat("\xff\x41", 400))
		see(method + " sip:x@a SIP/2.0\r\nTo: <sip:t\xff@a>\r\n" + head + "\r\n")
		see("SIP/2.0 200 OK\r\nTo: <sip:t\xff@a>;tag=" + strings.Repeat("x", 2000) + "\r\n" + head + "\r\n")
	}
	check := func(s string) {
		if !utf8.ValidString(s) || len(s) > 1024 || s == "" {
			t.Errorf("%d bytes: %q", len(s), s)
		}
	}
	calls, bindings := callPage(t, tr, shown.Query{}, nothing).Calls, bindingPage(t, tr, shown.Query{}, nothing).Bindings
	if len(calls) != 1 || len(bindings) != 1 {
		t.Fatal(calls, bindings)
	}
	for _, s := range []string{calls[0].CallID, calls[0].From, calls[0].To, calls[0].UserAgent, bindings[0].AOR, bindings[0].Contact, bindings[0].UserAgent, bindings[0].CallID} {
		check(s)
	}
	l, _ := tr.Calls(shown.Query{})
	l.Slice(tr)
	if d, ok := tr.Detail(l.Names()[0], event.Hash{}); !ok || d.ID != calls[0].ID || d.State != "confirmed" {
		t.Errorf("%v %+v", ok, d)
	}
	if !strings.Contains(calls[0].To, "\ufffd") {
		t.Errorf("To is %q", calls[0].To)
	}
}

// TestDetail: one Call-ID with its forks, and the way to it by the id of its records.
func TestDetail(t *testing.T) {
	l, err := siptest.ParseLadder("x", []byte("-- ladder --\n0s alice > bob INVITE call=x\n1s bob > alice 180 call=x\n3s bob > alice 200 call=x\n3.01s alice > bob ACK call=x\n3.1s bob > alice 200 to=c call=x\n3.2s alice > bob ACK to=c call=x\n13s alice > bob BYE to=c call=x\n13.5s tick\n"))
	if err != nil {
		t.Fatal(err)
	}
	tr := New(DefaultConfig())
	var m sip.Message
	var events []event.Event
	ids := map[string]event.Hash{}
	for i := range l.Steps {
		s := &l.Steps[i]
		events = tr.Advance(events[:0], s.Time)
		if s.Payload != nil {
			p := packet.Packet{Time: s.Time, Src: s.Src, Dst: s.Dst, Transport: packet.UDP, Payload: s.Payload}
			m.Parse(s.Payload, false)
			events = tr.See(events, &p, &m)
		}
		for i := range events {
			ids[string(events[i].Bytes(events[i].To.Tag))] = events[i].Call
		}
	}
	d, ok := tr.Detail(Named{CallID: "x@ladder"}, event.Hash{})
	if !ok || d.State == "" || len(d.Parts) != 1 || !d.Forked || len(d.Legs) != 2 {
		t.Fatalf("%v %+v", ok, d)
	}
	for tag, id := range ids {
		s := SearchCall(id)
		for s.Slice(tr) {
		}
		n, ok := s.Found()
		if !ok || n.CallID != "x@ladder" {
			t.Errorf("the id of %s leads to %q", tag, n.CallID)
		}
		d, ok := tr.Detail(n, id)
		if !ok || d.ID != fmt.Sprintf("%x", id[:]) {
			t.Errorf("%s: %v %+v", tag, ok, d)
		}
		spans := map[string]float64{}
		for _, x := range d.Timings {
			spans[x.Name] = x.Seconds
		}
		want := map[string]float64{"post-dial": 1, "ringing": 2, "setup": 3, "talk": 10.5}
		if tag == "c" {
			want = map[string]float64{"post-dial": 1, "ringing": 2.1, "setup": 3.1, "talk": 9.9}
		}
		if fmt.Sprint(spans) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", tag, spans, want)
		}
	}
	s := SearchCall(event.Hash{1})
	for s.Slice(tr) {
	}
	if _, ok := s.Found(); ok {
		t.Error("an id of nothing leads somewhere")
	}
	if _, ok := tr.Detail(Named{CallID: "y@ladder"}, event.Hash{}); ok {
		t.Error("nothing is known of y")
	}
	// What is over is told by the Call-ID for a while.
	tr.Advance(nil, tr.now+int64(32*time.Second))
	d, ok = tr.Detail(Named{CallID: "x@ladder"}, event.Hash{})
	if !ok || d.State != "confirmed" || len(d.Parts) != 1 || d.Parts[0].State != "ended" || d.Parts[0].HangupBy != "caller" {
		t.Errorf("%v %+v", ok, d)
	}
}

// TestListRestored: after a restart the order is by age again.
func TestListRestored(t *testing.T) {
	p := newPopulation(t)
	for range 300 {
		p.come()
	}
	p.tr.Advance(nil, p.now+int64(time.Minute))
	want := callPage(t, p.tr, shown.Query{Limit: 1000}, nothing)
	wantBindings := bindingPage(t, p.tr, shown.Query{Limit: 1000}, nothing)
	tr := takeUp(t, benchConfig(), shoot(p.tr), 0)
	if got := callPage(t, tr, shown.Query{Limit: 1000}, nothing); len(got.Calls) != 300 || fmt.Sprint(callIDs(got)) != fmt.Sprint(callIDs(want)) {
		t.Error("calls are in another order")
	}
	got := bindingPage(t, tr, shown.Query{Limit: 1000}, nothing)
	for i := range got.Bindings {
		if got.Bindings[i].AOR != wantBindings.Bindings[i].AOR {
			t.Fatal("bindings are in another order")
		}
	}
}

func callIDs(p shown.CallPage) (ids []string) {
	for _, c := range p.Calls {
		ids = append(ids, c.ID)
	}
	return ids
}

// FuzzQuery: whatever is asked, a page keeps its bounds.
func FuzzQuery(f *testing.F) {
	f.Add(10, "", "alice", "10.0.0.0/8", "confirmed")
	f.Add(0, "AAAA", "", "", "")
	p := newPopulation(f)
	for range 50 {
		p.come()
	}
	f.Fuzz(func(t *testing.T, limit int, cursor, text, source, state string) {
		q := shown.Query{Limit: limit, Cursor: cursor, Text: text, Source: source, State: state}
		if l, err := p.tr.Calls(q); err == nil {
			for l.Slice(p.tr) {
			}
			if page := l.Page(); len(page.Calls) > shown.MaxLimit || page.Scanned > 100 {
				t.Errorf("%d calls", len(page.Calls))
			}
		}
		if l, err := p.tr.Bindings(q); err == nil {
			for l.Slice(p.tr) {
			}
		}
		if _, err := netip.ParsePrefix(source); err == nil {
			if _, err := parseSource(source); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestContains holds the search against strings.Contains.
func TestContains(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	const letters = "aAbBxXzZ019@.\xe4"
	word := func(n int) (w []byte) {
		for range rnd.IntN(n) {
			w = append(w, letters[rnd.IntN(len(letters))])
		}
		return w
	}
	low := func(b []byte) string { return string(appendLower(nil, b)) }
	for range 200_000 {
		hay, text := word(30), word(4)
		l := listing{text: []byte(low(text))}
		l.pivot = pivotOf(l.text)
		if got, want := l.contains(hay), strings.Contains(low(hay), low(text)); got != want {
			t.Fatalf("%q in %q: %v", text, hay, got)
		}
	}
}
