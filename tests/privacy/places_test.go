package privacy

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/engine"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// step is one message, scene what belongs together.
type step struct {
	at       int64
	src, dst netip.AddrPort
	payload  []byte
}

type scene struct {
	name  string
	steps []step
}

// maxSteps is how many messages of a scene are played: each place costs all of them.
const maxSteps = 12

// spot is somewhere in a message.
type spot struct {
	key      string // what it is, in whatever message
	from, to int
	uri      bool // user, host or display name
	host     bool // a host, all of it
	beside   bool // it stands beside something, or is a piece of it
	put      func(message []byte, canary string) []byte
}

var (
	token   = regexp.MustCompile(`\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_%+*!'$&~` + "`" + `-]+(?:\.[A-Za-z0-9_%+*!'$&~` + "`" + `-]+)*`)
	piece   = regexp.MustCompile(`[A-Za-z0-9]+`)
	quoted  = regexp.MustCompile(`"[^"\r\n]*"`)
	bracket = regexp.MustCompile(`<[^<>\r\n]+>`)
	length  = regexp.MustCompile(`(?im)^(content-length|l)([ \t]*:[ \t]*)[0-9]+`)
	userURI = regexp.MustCompile(`(?i)\bsips?:(?:[^@\s<>";,?=]+@)?(\[[^\]]*\]|[^\s<>";:,?=]+)|\btel:[^\s<>";,]+`)
	jwt     = regexp.MustCompile(`\b([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{8,})\.`)
	parties = regexp.MustCompile(`(?i)^(?:from|to|f|t|contact|m|p-asserted-identity|p-preferred-identity|remote-party-id|diversion|history-info|referred-by|b|refer-to|r)$`)
)

// placesOf are the places of a message: lines and their parts, quoted strings, what is in
// brackets, words and the pieces of words, and where a parameter can be added.
func placesOf(b []byte) (all []spot) {
	head := len(b)
	if i := bytes.Index(b, []byte("\r\n\r\n")); i >= 0 {
		head = i
	}
	var kindOf string
	if first, _, _ := bytes.Cut(b, []byte(" ")); len(first) < 16 {
		kindOf = string(first) // the method, or SIP/2.0
	}
	body := "body"
	if m := regexp.MustCompile(`(?im)^(?:content-type|c)[ \t]*:[ \t]*([^\s;]+)`).FindSubmatch(b[:head]); m != nil {
		body = "body " + string(m[1])
	}
	for at, n := 0, 0; at < len(b); n++ {
		end := at + bytes.IndexByte(b[at:], '\n') + 1
		if end <= at {
			end = len(b)
		}
		line := bytes.TrimRight(b[at:end], "\r\n")
		where, from := "start line", 0
		switch {
		case n > 0 && at <= head:
			colon := bytes.IndexByte(line, ':')
			if colon < 0 {
				where = "continued"
				break
			}
			where, from = strings.ToLower(strings.TrimSpace(string(line[:colon]))), colon+1
		case n > 0:
			if where = body; len(line) > 2 && line[1] == '=' {
				where, from = body+" "+string(line[:2]), 2
			}
		}
		if n == 0 {
			where = kindOf + " " + where
		}
		all = append(all, lineOf(b, at, from, line, where)...)
		at = end
	}
	return all
}

// lineOf are the places of one line.
func lineOf(b []byte, at, from int, line []byte, where string) (all []spot) {
	beside := false
	add := func(what string, x, y int, before, behind string) {
		p := spot{key: where + ": " + what, from: at + x, to: at + y, beside: beside}
		p.put = func(message []byte, canary string) []byte {
			return withLength(slices.Concat(message[:p.from], []byte(before+canary+behind), message[p.to:]))
		}
		// What names a URI: a user, a host, a name before it.
		for _, m := range userURI.FindAllSubmatchIndex(line, -1) {
			colon := m[0] + bytes.IndexByte(line[m[0]:], ':') + 1
			p.uri = p.uri || x >= colon && y <= m[1] && before == "" && behind == ""
			p.host = p.host || x == m[2] && y == m[3] && bytes.IndexByte(line[y:], '@') < 0 && before == "" && behind == ""
		}
		if parties.MatchString(where) && what == "quoted" {
			p.uri = true
		}
		all = append(all, p)
	}
	value := line[from:]
	if len(bytes.TrimSpace(value)) == 0 {
		return nil
	}
	add("all", from, len(line), " ", "")
	for _, m := range quoted.FindAllIndex(value, -1) {
		add("quoted", from+m[0], from+m[1], `"`, `"`)
	}
	for _, m := range bracket.FindAllIndex(value, -1) {
		add("in brackets", from+m[0]+1, from+m[1]-1, "", "")
		add("behind brackets", from+m[1], from+m[1], ";", "")
		add("before brackets", from+m[0], from+m[0], "", " ")
	}
	add("parameter", len(line), len(line), ";", "")
	add("valued parameter", len(line), len(line), ";x=", "")
	add("name of a parameter", len(line), len(line), ";", "=x")
	add("comment", len(line), len(line), " (", ")")
	add("value", len(line), len(line), ",", "")
	add("headers", len(line), len(line), "?a=", "")
	for i, m := range token.FindAllIndex(value, -1) {
		x, y := from+m[0], from+m[1]
		name := nameOf(line[:x])
		if name == "" {
			name = fmt.Sprint("word ", min(i, 3))
		}
		beside = false
		name += " between " + around(line, x, y)
		add(name, x, y, "", "")
		beside = true
		add(name+", glued", x, x, "", "")
		add(name+", behind", y, y, "", "")
		if bytes.ContainsAny(line[x:y], ".-_%+") {
			for j, m := range piece.FindAllIndex(line[x:y], -1) {
				add(fmt.Sprint(name, ", piece ", min(j, 2)), x+m[0], x+m[1], "", "")
			}
		}
	}
	if where == "identity" || where == "y" {
		all = append(all, passport(at+from, value)...)
	}
	return all
}

// nameOf is the name of the parameter whose value follows.
func nameOf(before []byte) string {
	n := len(before)
	if n > 0 && before[n-1] == '"' {
		n--
	}
	if n == 0 || before[n-1] != '=' {
		return ""
	}
	end := n - 1
	for n = end; n > 0 && strings.IndexByte(" ,;?&\t", before[n-1]) < 0; n-- {
	}
	return strings.ToLower(string(before[n:end])) + "="
}

func around(line []byte, x, y int) string {
	near := []byte("^$")
	if x > 0 {
		near[0] = line[x-1]
	}
	if y < len(line) {
		near[1] = line[y]
	}
	return string(near)
}

// passport are the places within the claims of a PASSporT.
func passport(at int, value []byte) (all []spot) {
	m := jwt.FindSubmatchIndex(value)
	if m == nil {
		return nil
	}
	for part := 1; part <= 2; part++ {
		x, y := m[2*part], m[2*part+1]
		claims, err := base64.RawURLEncoding.DecodeString(string(value[x:y]))
		if err != nil {
			continue
		}
		for i, t := range token.FindAllIndex(claims, -1) {
			all = append(all, spot{key: fmt.Sprint("passport ", part, " ", i, " behind ", string(claims[max(0, t[0]-8):t[0]])), from: at + x, to: at + y,
				put: func(message []byte, canary string) []byte {
					changed := slices.Concat(claims[:t[0]], []byte(canary), claims[t[1]:])
					return slices.Concat(message[:at+x], []byte(base64.RawURLEncoding.EncodeToString(changed)), message[at+y:])
				}})
		}
	}
	return all
}

// withLength corrects the Content-Length.
func withLength(b []byte) []byte {
	i := bytes.Index(b, []byte("\r\n\r\n"))
	if i < 0 {
		return b
	}
	head := length.ReplaceAll(b[:i], fmt.Appendf(nil, "${1}${2}%d", len(b)-i-4))
	return slices.Concat(head, b[i:])
}

// broken makes a message one that cannot be used, mostly.
func broken(b []byte, r *rand.Rand) []byte {
	without := func(name string) []byte {
		return regexp.MustCompile(`(?im)^`+name+`[ \t]*:[^\n]*\n`).ReplaceAll(b, nil)
	}
	switch r.IntN(8) {
	case 0:
		return bytes.Replace(b, []byte("SIP/2.0"), []byte("SIP/3.0"), 1)
	case 1:
		return without("(?:cseq)")
	case 2:
		return without("(?:from|f)")
	case 3:
		return without("(?:to|t)")
	case 4:
		return without("(?:call-id|i)")
	case 5:
		return without("(?:via|v)")
	case 6:
		return b[:len(b)*(2+r.IntN(8))/10]
	}
	return bytes.Replace(b, []byte("CSeq: "), []byte("CSeq: x"), 1)
}

// ladders are those of package track.
func ladders(t testing.TB) (all []scene) {
	for _, l := range siptest.Ladders(t, "../../internal/track/testdata/*.txtar") {
		s := scene{name: filepath.Base(l.Name)}
		for _, x := range l.Steps {
			if x.Payload != nil && len(s.steps) < maxSteps {
				s.steps = append(s.steps, step{x.Time, x.Src, x.Dst, x.Payload})
			}
		}
		if len(s.steps) > 0 {
			all = append(all, s)
		}
	}
	return all
}

// captured are the calls of captures.
func captured(t testing.TB, files []string) (all []scene) {
	for _, file := range files {
		cfg := capture.DefaultFilesConfig()
		cfg.Paths = []string{file}
		src, err := capture.NewFiles(cfg)
		if err != nil {
			t.Fatal(err)
		}
		var calls []string
		steps := map[string][]step{}
		run := engine.DefaultConfig()
		run.Tap = func(p *packet.Packet, m *sip.Message) {
			id := string(m.CallID())
			if steps[id] == nil {
				calls = append(calls, id)
			}
			if len(steps[id]) < maxSteps {
				steps[id] = append(steps[id], step{p.Time, p.Src, p.Dst, bytes.Clone(m.Raw())})
			}
		}
		_ = engine.New(run, []engine.Input{{Source: src, AnyPort: true}}, nothing{}).Run(context.Background())
		src.Close()
		for i, id := range calls {
			if i < 10 {
				all = append(all, scene{fmt.Sprint(file, " ", i), steps[id]})
			}
		}
	}
	return all
}

type nothing struct{}

func (nothing) Put(*event.Event) {}

// files are messages, each in a file of its own.
func files(t testing.TB, paths []string) (all []scene) {
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte("SIP/2.0")) && len(b) < 8<<10 {
			all = append(all, scene{filepath.Base(path), []step{stepOf(b)}})
		}
	}
	return all
}

// stepOf is a message between two hosts.
func stepOf(b []byte) step {
	return step{siptest.Start, netip.MustParseAddrPort("192.0.2.1:5060"), netip.MustParseAddrPort("192.0.2.2:5060"), b}
}
