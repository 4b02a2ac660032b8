package sip

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"testing"
)

// loadMessages reads testdata/load.txt: 96 messages of the load generator, each
// behind a line with its length.
func loadMessages(tb testing.TB) [][]byte {
	tb.Helper()
	b, err := os.ReadFile("testdata/load.txt")
	if err != nil {
		tb.Fatal(err)
	}
	var all [][]byte
	for len(b) > 0 {
		length, rest, _ := bytes.Cut(b, []byte("\n"))
		n, err := strconv.Atoi(string(length))
		if err != nil || n > len(rest) {
			tb.Fatalf("load.txt: message %d: bad length %q", len(all), length)
		}
		all = append(all, rest[:n:n])
		b = rest[n+1:]
	}
	return all
}

func benchParse(b *testing.B, all [][]byte) {
	total := 0
	for _, raw := range all {
		total += len(raw)
	}
	var m Message
	for _, raw := range all {
		m.Parse(raw, false)
	}
	b.SetBytes(int64(total / len(all)))
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		m.Parse(all[i%len(all)], false)
	}
}

// BenchmarkParse is a message of the average load.
func BenchmarkParse(b *testing.B) { benchParse(b, loadMessages(b)) }

// BenchmarkLineScan finds the line ends of the same messages, bodies too, and
// does nothing else: the yardstick.
func BenchmarkLineScan(b *testing.B) {
	all := loadMessages(b)
	total := 0
	for _, raw := range all {
		total += len(raw)
	}
	b.SetBytes(int64(total / len(all)))
	b.ReportAllocs()
	lines := 0
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		rest := all[i%len(all)]
		for {
			lf := bytes.IndexByte(rest, '\n')
			if lf < 0 {
				break
			}
			lines++
			rest = rest[lf+1:]
		}
	}
	if lines == 0 && b.N > 1 {
		b.Fatal("no lines")
	}
}

// BenchmarkParseAndRead is Parse and what tracking reads of every message.
func BenchmarkParseAndRead(b *testing.B) {
	all := loadMessages(b)
	var m Message
	n := 0
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		raw := all[i%len(all)]
		if kind, _ := Classify(raw); kind != KindSIP || m.Parse(raw, false) != OK {
			continue
		}
		n += len(m.CallID()) + len(m.From().Tag()) + len(m.To().Tag()) + len(m.Via().Branch())
		n += m.ViaCount() + int(m.Oddities()) + len(m.Value(HeaderUserAgent))
		if len(m.Body()) > 0 {
			n++
		}
	}
	if n == 0 && b.N > 1 {
		b.Fatal("nothing read")
	}
}

func BenchmarkClassify(b *testing.B) {
	all := loadMessages(b)
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		if kind, _ := Classify(all[i%len(all)]); kind != KindSIP {
			b.Fatal("not SIP")
		}
	}
}

// hostile gives the inputs that a parser with a loop in a loop dies of, each
// scaled by n.
func hostile(n int) map[string][]byte {
	const (
		start = "REGISTER sip:example.com SIP/2.0\r\n"
		rest  = "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@example.com>;tag=1\r\n" +
			"To: <sip:a@example.com>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n"
		end = "\r\n"
	)
	many := func(s string) string { return strings.Repeat(s, n/len(s)) }
	shapes := map[string]string{
		"headers":         start + rest + many("a:\r\n") + end,
		"unknown-names":   start + rest + many("Xyzzy: 1\r\n") + end,
		"vias":            start + rest + many("v: SIP/2.0/UDP h\r\n") + end,
		"long-header":     start + rest + "Subject: " + many("x") + "\r\n" + end,
		"long-name":       start + rest + many("x") + ": 1\r\n" + end,
		"no-colon":        start + rest + many("x\r\n") + end,
		"folds":           start + rest + "Subject: " + many("\r\n x") + "\r\n" + end,
		"tabs":            start + rest + "Subject: " + many("\t") + "\r\n" + end,
		"bare-crs":        start + rest + "Subject: " + many("\r") + "\r\n" + end,
		"nuls":            start + rest + "Subject: " + many("\x00") + "\r\n" + end,
		"from-semicolons": start + "From: <sip:a@b>" + many(";") + "\r\n" + rest + end,
		"from-spaces":     start + "From: <sip:a@b>" + many("; ") + "\r\n" + rest + end,
		"from-equals":     start + "From: <sip:a@b>;" + many("=") + "\r\n" + rest + end,
		"from-quotes":     start + "From: " + many(`"`) + "<sip:a@b>\r\n" + rest + end,
		"from-escapes":    start + `From: "` + many(`\`) + "\r\n" + rest + end,
		"from-brackets":   start + "From: " + many("<") + "\r\n" + rest + end,
		"from-ats":        start + "From: <sip:" + many("a@") + ">\r\n" + rest + end,
		"from-references": start + "From: <sip:" + many("@[:") + ">\r\n" + rest + end,
		"from-colons":     start + "From: <sip:" + many(":") + ">\r\n" + rest + end,
		"via-semicolons":  start + "Via: SIP/2.0/UDP h" + many(";") + "\r\n" + rest + end,
		"via-params":      start + "Via: SIP/2.0/UDP h" + many(";branch") + "\r\n" + rest + end,
		"via-commas":      start + "Via: " + many(",") + "\r\n" + rest + end,
		"contact-commas":  start + rest + "m: ?" + many(",") + "\r\n" + end,
		"contact-values":  start + rest + "m: ?" + many(",a") + "\r\n" + end,
		"contact-quotes":  start + rest + "m: ?" + many(`",`) + "\r\n" + end,
		"contact-open":    start + rest + "m: ?" + many("<,") + "\r\n" + end,
		"cseq-digits":     start + "CSeq: " + many("9") + "\r\n" + rest + end,
		"length-digits":   start + rest + "l: " + many("1") + "\r\n" + end,
		"start-line":      "INVITE sip:" + many("a") + " SIP/2.0\r\n" + rest + end,
		"start-spaces":    "INVITE" + many(" ") + "sip:a SIP/2.0\r\n" + rest + end,
		"leading-crlf":    many("\r\n") + start + rest + end,
		"junk-lines":      many("x\r\n") + start + rest + end,
		"no-line-end":     many("x"),
	}
	out := make(map[string][]byte, len(shapes))
	for name, s := range shapes {
		out[name] = []byte(s)
	}
	return out
}

// BenchmarkHostile parses and reads 60,000 bytes of each shape; the ns/B of
// all of them are of one order, and the same at twice the size.
func BenchmarkHostile(b *testing.B) {
	for name, raw := range hostile(60_000) {
		b.Run(name, func(b *testing.B) {
			var m Message
			m.Parse(raw, false)
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i++ {
				Classify(raw)
				m.Parse(raw, false)
				m.Oddities()
				m.ViaCount()
			}
		})
	}
}
