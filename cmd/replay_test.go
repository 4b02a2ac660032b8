package cmd

import (
	"bufio"
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

func TestPlain(t *testing.T) {
	for given, want := range map[string]string{
		"alice":          "alice",
		"héllo 你":        "héllo 你",
		"a\x1b[31mb":     `a\x1b[31mb`,
		"a\r\nb\x00\x7f": `a\x0d\x0ab\x00\x7f`,
		"\xff\xc3":       `\xff\xc3`,
		"\u0085\u009b1m": `\x85\x9b1m`,
		"a\u202eb":       `a\u202eb`,
		"a\u200bb\ufeff": `a\u200bb\ufeff`,
		`\x1b`:           `\\x1b`,
		"\U000e0001":     `\U000e0001`,
	} {
		if got := string(appendPlain(nil, []byte(given))); got != want {
			t.Errorf("%q gives %q, want %q", given, got, want)
		}
	}
}

func TestPad(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  string
	}{{"ab", 4, "ab  "}, {"abcd", 4, "abcd"}, {"abcde", 4, "abc~"}, {"äöüßx", 4, "äöü~"}, {"äöü", 4, "äöü "},
		{`ab\xe4cd`, 6, `ab~   `}, {`ab\xe4cd`, 7, `ab\xe4~`}, {`\u202eabc`, 4, `~   `}, {`a\\bcd`, 4, `a\\~`}, {`a\\bcd`, 3, `a~ `}, {`\U000e0001a`, 10, `~         `},
		{"", 2, "  "}} {
		if got := string(pad(nil, []byte(c.text), c.width)); got != c.want {
			t.Errorf("%q in %d: %q", c.text, c.width, got)
		}
	}
}

func TestDurations(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0.00ms", 350 * time.Microsecond: "0.35ms", 350 * time.Millisecond: "350ms", 62123 * time.Millisecond: "62.1s",
		599 * time.Second: "599.0s", 725 * time.Second: "12m05s", 11220 * time.Second: "3h07m",
	} {
		if got := string(appendDuration(nil, d)); got != want || len(got) > spanWidth {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

// an is an event from Alice to Bob.
func an(typ event.Type, change func(e *event.Event)) *event.Event {
	e := new(event.Event)
	e.Reset()
	e.Type, e.Time = typ, time.Date(2026, 11, 22, 4, 18, 53, 0, time.UTC).UnixNano()
	e.Src, e.Dst = netip.MustParseAddrPort("192.0.2.1:5060"), netip.MustParseAddrPort("198.51.100.2:5060")
	e.Set(&e.CallID, []byte("call-1@example.org"))
	e.SetURI(&e.From.URI, []byte("sip:+49-30-1234@example.org"), []byte("sip"), []byte("+49-30-1234"), []byte("example.org"), 0)
	e.SetURI(&e.To.URI, []byte("sip:bob@example.com"), []byte("sip"), []byte("bob"), []byte("example.com"), 0)
	e.SetURI(&e.RequestURI, []byte("tel:+4930999;phone-context=x"), []byte("tel"), nil, nil, 0)
	e.Set(&e.AuthUser, []byte("1001"))
	if change != nil {
		change(e)
	}
	return e
}

func TestFilter(t *testing.T) {
	e := an(event.CallEnd, nil)
	for _, c := range []struct {
		f    filter
		want bool
	}{
		{filter{}, true},
		{filter{call: "call-1@example.org"}, true},
		{filter{call: "call-1"}, false},
		{filter{types: []string{"call-start", "call-end"}}, true},
		{filter{types: []string{"call-start"}}, false},
		{filter{user: "bob"}, true},
		{filter{user: "bob@EXAMPLE.com"}, true},
		{filter{user: "bob@example.org"}, false},
		{filter{user: "@EXAMPLE.com"}, true},
		{filter{user: "@example.net"}, false},
		{filter{user: "bob@"}, true},
		{filter{user: "1001"}, true},
		{filter{user: "bo"}, false},
		{filter{number: "+49 (30) 1234"}, true},
		{filter{number: "49301234"}, true},
		{filter{number: "4930999"}, true},
		{filter{number: "301234"}, false},
		{filter{since: "2026-11-22T04:18:53Z"}, true},
		{filter{since: "2026-11-22T05:18:53+01:00"}, true},
		{filter{since: "2026-11-22 04:18:54"}, false},
		{filter{until: "2026-11-22 04:18:53"}, false},
		{filter{until: "04:18:54"}, true},
		{filter{since: "04:18"}, true},
		{filter{since: "2026-11-22T04:18"}, true},
		{filter{since: "2026-11-22T04:19"}, false},
		{filter{since: "04:19"}, false},
		{filter{since: "2026-11-23"}, false},
		{filter{user: "bob", types: []string{"call-start"}}, false},
	} {
		if err := c.f.compile(); err != nil {
			t.Fatal(err)
		}
		c.f.from.on(e.Time - int64(time.Hour))
		c.f.to.on(e.Time - int64(time.Hour))
		if got := c.f.match(e); got != c.want {
			t.Errorf("%+v: %v", c.f, got)
		}
	}
}

func TestFilterRefuses(t *testing.T) {
	for _, f := range []filter{
		{types: []string{"call-ends"}}, {user: "@"}, {number: "alice"}, {since: "yesterday"}, {until: "25:00"}, {since: "2026-13-01"},
	} {
		if err := f.compile(); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v: %v", f, err)
		}
	}
}

// print runs events through a printer.
func print(make func(w *bufio.Writer) printer, events ...*event.Event) string {
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	p := make(w)
	for _, e := range events {
		p.Put(e)
	}
	p.finish()
	w.Flush()
	return b.String()
}

func TestTable(t *testing.T) {
	end := an(event.CallEnd, func(e *event.Event) {
		e.SetString(&e.Method, "BYE")
		e.Code = 200
		e.Set(&e.Status, []byte("OK\x1b]0;owned\x07"))
		e.End = e.Time
		e.Start = e.Time - int64(62100*time.Millisecond)
		e.Side = event.Caller
		e.Incomplete = event.NoInvite
		e.Anomalies = event.LFOnly
	})
	next := an(event.RegNew, func(e *event.Event) {
		e.Time += int64(24 * time.Hour)
		e.SetURI(&e.AOR, []byte("sip:carol@example.org"), []byte("sip"), []byte("carol"), []byte("example.org"), 0)
		e.Add(&e.Contacts, []byte("sip:carol@192.0.2.9:5062;transport=udp"))
	})
	got := print(func(w *bufio.Writer) printer { return newTable(w, false) }, end, next)
	want := []string{
		"Sunday, 22 November 2026, UTC",
		"TIME          EVENT         FROM                        TO                        WHAT                            LASTED  ENDED    LABELS",
		`04:18:53.000  call-end      +49-30-1234@example.org  -> +4930999                  BYE 200 OK\x1b]0;owned\x07       62.1s  caller   [invite] lf-only`,
		"",
		"Monday, 23 November 2026, UTC",
		"TIME          EVENT         FROM                        TO                        WHAT                            LASTED  ENDED    LABELS",
		"04:18:53.000  reg-new       carol@example.org        -> carol@192.0.2.9:5062",
		"",
		"2 events: 1 call-end, 1 reg-new",
		"",
	}
	if got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	if got := print(func(w *bufio.Writer) printer { return newTable(w, false) }); got != "no events\n" {
		t.Errorf("%q", got)
	}
}

// Of a side that is left out nothing but the port is shown.
func TestTableLeftOut(t *testing.T) {
	var e event.Event
	e.Reset()
	e.Type, e.Time = event.OtherOK, 1
	e.Src, e.Dst = netip.AddrPortFrom(netip.Addr{}, 5060), netip.AddrPortFrom(netip.Addr{}, 5062)
	lines := strings.Split(print(func(w *bufio.Writer) printer { return newTable(w, false) }, &e), "\n")
	if got := strings.Join(strings.Fields(lines[2])[2:5], " "); got != ":5060 -> :5062" {
		t.Errorf("%q", lines[2])
	}
}

// Whatever the texts hold, a line is a line, and its columns have their widths.
func TestTableKeepsItsColumns(t *testing.T) {
	e := an(event.CallAttempt, func(e *event.Event) {
		long := []byte(strings.Repeat("\x1bü", 200))
		e.SetURI(&e.From.URI, append([]byte("sip:"), long...), []byte("sip"), long, nil, 0)
		e.Set(&e.Status, append(long, "\r\n\x9b"...))
		e.Code, e.Anomalies, e.Incomplete = 486, ^event.Anomalies(0), ^event.Incomplete(0)
	})
	lines := strings.Split(print(func(w *bufio.Writer) printer { return newTable(w, false) }, e), "\n")
	line := lines[2]
	if at := utf8.RuneCountInString(line[:strings.Index(line, "->")]); at != timeWidth+2+typeWidth+2+partyWidth+1 {
		t.Errorf("the arrow stands at %d: %s", at, line)
	}
	if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == utf8.RuneError }) {
		t.Errorf("%q", line)
	}
}

func TestCSV(t *testing.T) {
	evil := an(event.CallEnd, func(e *event.Event) {
		e.Set(&e.Status, []byte(`=HYPERLINK("http://x","a, b")`))
		e.Set(&e.UserAgent, []byte("+1-2"))
		e.SetURI(&e.To.URI, []byte("+4930999"), nil, nil, nil, 0)
		e.Set(&e.Server, []byte("two\r\nlines"))
		e.AddCode(&e.Codes, 503)
		e.Add(&e.Codecs, []byte("PCMA"))
		e.Add(&e.Codecs, []byte("@x"))
	})
	got := print(newCSV, evil)
	lines := strings.Split(got, "\r\n")
	if len(lines) != 3 || lines[2] != "" {
		t.Fatalf("%d lines: %q", len(lines), lines)
	}
	cells := map[string]string{}
	for i, cell := range splitCSV(lines[1]) {
		cells[csvColumns[i]] = cell
	}
	for name, want := range map[string]string{
		"event.action": "call-end", "source.ip": "192.0.2.1", "source.port": "5060", "sip.call_id": "call-1@example.org",
		"event.reason":        `"'=HYPERLINK(""http://x"",""a, b"")"`,
		"user_agent.original": "'+1-2",
		"sip.server.original": "two lines",
		"sip.sdp.codecs":      "PCMA;@x",
		"@timestamp":          "2026-11-22T04:18:53.000000000Z",
		"sip.call.hangup_by":  "",
	} {
		if cells[name] != want {
			t.Errorf("%s is %q, want %q", name, cells[name], want)
		}
	}
}

// splitCSV takes a line apart and leaves the quotes.
func splitCSV(line string) (cells []string) {
	from, quoted := 0, false
	for i, c := range line + "," {
		switch {
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			cells = append(cells, line[from:min(i, len(line))])
			from = i + 1
		}
	}
	return cells
}

func TestFormula(t *testing.T) {
	for text, want := range map[string]bool{
		"": false, "alice": false, "+493012345": false, "5": false, "=1": true, "-1": true, "@x": true, "+1+1": true, "+": true, "\tx": true, "+49 30": true,
	} {
		if got := isFormula(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// docs/replay.md lists the columns.
func TestCSVColumnsAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("../docs/replay.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, m := range regexp.MustCompile("(?m)^\\| \\d+ \\| `([^`]+)` \\|").FindAllStringSubmatch(string(doc), -1) {
		listed = append(listed, m[1])
	}
	if !slices.Equal(listed, csvColumns) {
		t.Errorf("docs/replay.md lists %v\nthe program writes %v", listed, csvColumns)
	}
}

func TestArrowLine(t *testing.T) {
	const lane = 16
	for _, c := range []struct {
		from, to, n int
		label, want string
	}{
		{0, 1, 2, "INVITE", "|- INVITE ----->|"},
		{1, 0, 2, "180", "|<-------- 180 -|"},
		{0, 2, 3, "BYE", "|- BYE ------------------------>|"},
		{2, 1, 3, "200", "|               |<-------- 200 -|"},
		{1, 1, 2, "OPTIONS", "|               |<> OPTIONS"},
		{0, 1, 2, "ÄÖÜ", "|- ÄÖÜ -------->|"},
	} {
		if got := arrowLine(c.from, c.to, c.n, lane, c.label); got != c.want {
			t.Errorf("%d to %d of %d:\n%s\nwant\n%s", c.from, c.to, c.n, got, c.want)
		}
	}
}

// A scanner that uses one Call-ID for all it sends does not fill the memory.
func TestLadderIsBounded(t *testing.T) {
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	l := newLadder(w)
	var none filter
	see := l.tap(&none, nil)
	var m sip.Message
	text := "OPTIONS sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:x@y>\r\nCall-ID: one\r\nCSeq: 1 OPTIONS\r\n\r\n"
	if p := m.Parse([]byte(text), false); p != sip.OK {
		t.Fatal(p)
	}
	p := packet.Packet{Src: netip.MustParseAddrPort("192.0.2.1:5060"), Dst: netip.MustParseAddrPort("192.0.2.2:5060")}
	for range maxLadder + 5 {
		see(&p, &m)
	}
	l.finish()
	w.Flush()
	if n := len(l.order[0].arrows); n != maxLadder {
		t.Errorf("%d kept", n)
	}
	if !strings.Contains(b.String(), "not all is shown: 5 messages") {
		t.Error("nothing is said of what was cut")
	}
}

// What a filter does not let through takes no place from what it does.
func TestLadderForgetsWhatIsFiltered(t *testing.T) {
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	l := newLadder(w)
	see := l.tap(&filter{any: true}, nil)
	p := packet.Packet{Src: netip.MustParseAddrPort("192.0.2.1:5060"), Dst: netip.MustParseAddrPort("192.0.2.2:5060")}
	var m sip.Message
	send := func(id string) {
		text := "OPTIONS sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:x@y>\r\nCall-ID: " +
			id + "\r\nCSeq: 1 OPTIONS\r\n\r\n"
		if why := m.Parse([]byte(text), false); why != sip.OK {
			t.Fatal(why)
		}
		see(&p, &m)
	}
	shown := func(id string) {
		send(id)
		l.Put(an(event.OtherOK, func(e *event.Event) { e.Set(&e.CallID, []byte(id)) }))
	}
	shown("first")
	for i := range maxArrows + 9 {
		send(fmt.Sprint("other-", i))
	}
	shown("last")
	l.finish()
	w.Flush()
	got := b.String()
	if n := strings.Count(got, "- OPTIONS -"); n != 2 || strings.Count(got, "Call-ID ") != 2 {
		t.Errorf("%d messages shown: %s", n, got)
	}
	if !strings.Contains(got, "11 messages were forgotten to make room") || l.arrows > maxArrows {
		t.Errorf("%d kept; %s", l.arrows, got)
	}
}

// Nobody needs 60,000 characters. Messages and events of one Call-ID meet all the
// same, and --call takes it whole or as a record has it.
func TestLadderCutsCallIDs(t *testing.T) {
	long := bytes.Repeat([]byte("x"), 60_000)
	got := print(func(w *bufio.Writer) printer { return newLadder(w) }, an(event.CallEnd, func(e *event.Event) { e.Set(&e.CallID, long) }))
	if head, _, _ := strings.Cut(got, "\n"); len(head) != len("Call-ID ")+idWidth || !strings.HasSuffix(head, "x~") {
		t.Errorf("%d characters: %.300s", len(head), head)
	}
	var m sip.Message
	text := "OPTIONS sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:x@y>\r\nCall-ID: " +
		string(long) + "\r\nCSeq: 1 OPTIONS\r\n\r\n"
	if why := m.Parse([]byte(text), false); why != sip.OK {
		t.Fatal(why)
	}
	e := an(event.OtherOK, func(e *event.Event) { e.SetKey(&e.CallID, long) })
	for _, asked := range []string{string(long), string(event.Key(long))} {
		f := filter{call: asked}
		if err := f.compile(); err != nil {
			t.Fatal(err)
		}
		l := newLadder(bufio.NewWriter(&bytes.Buffer{}))
		l.tap(&f, nil)(&packet.Packet{}, &m)
		if f.match(e) {
			l.Put(e)
		}
		if len(l.order) != 1 || len(l.order[0].arrows) != 1 || len(l.order[0].events) != 1 {
			t.Errorf("asked for %d characters: %d Call-IDs", len(asked), len(l.order))
		}
	}
}

func TestProgress(t *testing.T) {
	for _, c := range []struct {
		frames, bytes uint64
		size          int64
		want          string
	}{
		{0, 0, 0, "0 frames, 0/s"},
		{1500, 100000, 248000, "1500 frames, 750/s, 50%"},
		{3_000_000, 1 << 30, 0, "3.0M frames, 1.5M/s"},
		{100, 1000, 10, "100 frames, 50/s, 99%"},
	} {
		if got := progressLine(capture.Stats{Frames: c.frames, Bytes: c.bytes}, c.size, 2*time.Second); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestFormatsAreNamed(t *testing.T) {
	if got := formatNames(); got != "ndjson, table, ladder, csv" {
		t.Error(got)
	}
	for _, f := range formats {
		if f.make(bufio.NewWriter(&bytes.Buffer{}), false, nil) == nil {
			t.Error(fmt.Sprint(f.name, " makes nothing"))
		}
	}
}
