package web

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// TestVisible: what a browser or a terminal acts on, or nobody sees, is written out; what
// people write stays as it is.
func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"sip:alice@example.com":       "sip:alice@example.com",
		"Jürgen 東京 📞":                 "Jürgen 東京 📞",
		"\x1b[31m\x07\r\n\t":          `\x1b[31m\x07\x0d\x0a\x09`,
		"\x7f\u0085":                  `\x7f\u0085`,
		"a\u202eb\u2066c\u200bd":      `a\u202eb\u2066c\u200bd`,
		"\ufeff\u2028\u3164\ufe0f":    `\ufeff\u2028\u3164\ufe0f`,
		"\U000e0041":                  `\ue0041`,
		"\xff\xc0\xaf":                "\ufffd\ufffd\ufffd",
		"<b>&\"'":                     "<b>&\"'", // html/template escapes
		"a\u00a0b\u2003c":             "a\u00a0b\\u2003c",
		strings.Repeat("\u202e", 3e4): strings.Repeat(`\u202e`, 3e4),
	} {
		if have := visible(in); have != want {
			t.Errorf("visible(%.40q) = %.80q, want %.80q", in, have, want)
		}
	}
}

// TestFit: a value has a bound, whatever it is made of, and is cut between characters.
func TestFit(t *testing.T) {
	if v := fit(10, "short"); v.Short != "short" || v.Full != "" {
		t.Errorf("short: %+v", v)
	}
	if v := fit(4, "äöüß"); v.Short != "äöüß" || v.Full != "" {
		t.Errorf("exactly: %+v", v)
	}
	if v := fit(3, "äöüß"); v.Short != "äö…" || v.Full != "äöüß" {
		t.Errorf("one too many: %+v", v)
	}
	for _, s := range []string{strings.Repeat("a", 1e6), strings.Repeat("\xff", 1e6), strings.Repeat("東", 1e6), strings.Repeat("\u202e", 1e6)} {
		v := fit(20, s)
		if utf8.RuneCountInString(v.Short) != 20 || utf8.RuneCountInString(v.Full) > longestValue || !utf8.ValidString(v.Full) {
			t.Errorf("%.8q: %d and %d characters", s, utf8.RuneCountInString(v.Short), utf8.RuneCountInString(v.Full))
		}
	}
}

// TestBelow: a name in an address stays one step of it, or there is no address.
func TestBelow(t *testing.T) {
	for name, want := range map[string]string{
		"sip:a@b":                  "/x/sip:a@b",
		"a/b?c#d%":                 "/x/a%2Fb%3Fc%23d%25",
		"../../etc":                "/x/..%2F..%2Fetc",
		"\"><script>":              "/x/%22%3E%3Cscript%3E",
		"..":                       "",
		".":                        "",
		"":                         "",
		"no UTF-8 \ufffd":          "",
		strings.Repeat("a", 1e3):   "",
		"javascript:alert(1)":      "/x/javascript:alert%281%29",
		"line\r\nSet-Cookie: evil": "/x/line%0D%0ASet-Cookie:%20evil",
	} {
		if have := below("/x", name); have != want {
			t.Errorf("below(%.40q) = %q, want %q", name, have, want)
		}
	}
	if have := callPath("00ff", ".."); have != "/calls/00ff" {
		t.Errorf("a call named ..: %q", have)
	}
}

// TestFigures: numbers and times as people write them.
func TestFigures(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 820 * time.Microsecond: "0.82 ms", 82 * time.Millisecond: "82 ms", 1240 * time.Millisecond: "1.24 s", 4 * time.Second: "4 s", 12300 * time.Millisecond: "12.3 s",
		time.Minute: "1 min", 185 * time.Second: "3 min 5 s", 130 * time.Minute: "2 h 10 min", 99 * time.Hour: "4 d 3 h", -time.Second: "−1 s",
	} {
		if have := span(d); have != want {
			t.Errorf("span(%v) = %q, want %q", d, have, want)
		}
	}
	for n, want := range map[float64]string{0: "0", 7: "7", 1234567: "1,234,567", -1234: "−1,234", 0.001: "< 0.01", 0.5: "0.50", 12.34: "12.3", 1234.5: "1,235"} {
		if have := decimal(n); have != want {
			t.Errorf("decimal(%v) = %q, want %q", n, have, want)
		}
	}
	if whole(uint64(1e9)) != "1,000,000,000" || whole(12) != "12" || whole(0) != "0" {
		t.Error("whole")
	}
}

// TestPlot: what is most comes first, what is least becomes one line, and nothing is
// lost between the lines, the sums and the total.
func TestPlot(t *testing.T) {
	var all []line
	want := uint64(0)
	for n := range 12 {
		counts := []uint64{uint64(n), uint64(2 * n), 1}[:2+n%2]
		for _, c := range counts {
			want += c
		}
		all = append(all, line{name: string(rune('a' + n)), counts: counts})
	}
	p := plot("x", "x", time.Unix(0, 0), time.Minute, all)
	if len(p.Names) != mostLines || p.Names[0] != "l" || p.Names[mostLines-1] != "4 others" || len(p.Rows) != 3 || len(p.Times) != 3 {
		t.Fatalf("%v, %d rows", p.Names, len(p.Rows))
	}
	cells, sums := uint64(0), uint64(0)
	for _, row := range p.Rows {
		for _, n := range row {
			cells += n
		}
	}
	for _, n := range p.Totals {
		sums += n
	}
	if cells != want || sums != want || p.Total != want {
		t.Errorf("cells %d, sums %d, total %d, want %d", cells, sums, p.Total, want)
	}
	if p := plot("x", "x", time.Unix(0, 0), time.Minute, nil); p.Total != 0 || p.Empty == "" {
		t.Errorf("of nothing: %+v", p)
	}
}

// TestLadder: columns in the order seen, arrows between them, and bounds.
func TestLadder(t *testing.T) {
	at := time.Unix(1e9, 0)
	message := func(ms int, from, to, line string) view.Message {
		return view.Message{Time: at.Add(time.Duration(ms) * time.Millisecond), Source: from, Dest: to, Line: line}
	}
	l := draw([]view.Message{message(0, "192.0.2.1:5060", "192.0.2.2:5060", "INVITE sip:b SIP/2.0"), message(20, "192.0.2.2:5060", "192.0.2.1:5060", "SIP/2.0 200 OK"), message(30, "192.0.2.2:5060", "192.0.2.2:5060", "OPTIONS sip:b SIP/2.0")}, 0)
	if len(l.Hosts) != 2 || l.Hosts[0].Address != "192.0.2.1" || l.Hosts[0].Port != "port 5060" || !l.Drawn || l.Of != 3 {
		t.Errorf("%+v", l)
	}
	a := l.Arrows
	if a[0].X1 != l.Hosts[0].X || a[0].X2 != l.Hosts[1].X || a[1].X1 != a[0].X2 || a[1].X2 != a[0].X1 || !a[2].Loop || a[1].Delta != 20*time.Millisecond || a[1].Label != "200 OK" || a[0].Label != "INVITE sip:b" {
		t.Errorf("%+v", a)
	}
	var many []view.Message
	for n := range 300 {
		many = append(many, message(n, strings.Repeat("x", n), "b", "x"))
	}
	if l := draw(many, 250); len(l.Arrows) != 50 || l.First != 251 || l.Last != 300 || l.Drawn || l.Arrows[0].Delta != time.Millisecond {
		t.Errorf("%d arrows from %d to %d, drawn %v", len(l.Arrows), l.First, l.Last, l.Drawn)
	}
	if l := draw(nil, 0); len(l.Arrows) != 0 {
		t.Errorf("of nothing: %+v", l)
	}
}

// TestPlace: each path lights up one entry of the navigation.
func TestPlace(t *testing.T) {
	for path, want := range map[string]string{"/": "/", "/calls": "/calls", "/calls/x": "/calls", "/events": "/events", "/events/blst": "/events/blst", "/api/v1/": "/api/v1/", "/nothing": ""} {
		if have := place(path); have != want {
			t.Errorf("place(%q) = %q, want %q", path, have, want)
		}
	}
}
