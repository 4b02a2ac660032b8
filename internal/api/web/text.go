package web

import (
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// text is a captured value on a page: what is shown, and the whole of it where that is
// longer.
type text struct {
	Short string
	Full  string // "" where Short is all of it
}

// Longest a value gets anywhere on a page, in characters; and to be a part of an address,
// in bytes. Pages stay short by it, whatever is sent.
const (
	longestValue = 160
	longestName  = 300
)

// fit makes a captured value fit to be shown: visible, and not longer than n characters.
// Escaping is html/template's.
func fit(n int, s string) text {
	whole := clip(visible(clip(s, longestValue+1)), max(longestValue, n))
	if short := clip(whole, n); short != whole {
		return text{Short: short, Full: whole}
	}
	return text{Short: whole}
}

// clip keeps n characters of s, the last an ellipsis where some are left out.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	count := 0
	keep := 0
	for i := range s {
		if count == n-1 {
			keep = i
		}
		if count++; count > n {
			return s[:keep] + "…"
		}
	}
	return s
}

// visible is s with all that a browser or a terminal would act on, or not show, as
// something to see: controls, what changes the direction or has no width as its number
// (\x1b, \u202e), bytes that are no UTF-8 as U+FFFD.
func visible(s string) string {
	plain := true
	for i := 0; i < len(s) && plain; i++ {
		plain = s[i] >= ' ' && s[i] < 0x7F
	}
	if plain {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r < ' ' || r == 0x7F:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r == utf8.RuneError:
			b.WriteRune(utf8.RuneError)
		case hidden(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// hidden says of a character above ASCII that nobody would see it. Cf holds the bidi and
// zero-width ones; the fillers and selectors look like nothing, too.
func hidden(r rune) bool {
	if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp) {
		return true
	}
	switch {
	case r >= 0xFE00 && r <= 0xFE0F, r >= 0xE0100 && r <= 0xE01EF, r == 0x034F, r == 0x115F, r == 0x1160, r == 0x3164, r == 0xFFA0:
		return true
	}
	return unicode.Is(unicode.Zs, r) && r != ' ' && r != 0xA0
}

// whole writes a count with its thousands apart: 12,345.
func whole(v any) string {
	var n float64
	switch v := v.(type) {
	case int:
		n = float64(v)
	case int64:
		n = float64(v)
	case uint64:
		n = float64(v)
	case float64:
		n = v
	}
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return "–"
	}
	if n != math.Trunc(n) {
		return decimal(n)
	}
	s := strconv.FormatFloat(math.Abs(n), 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	if n < 0 {
		s = "−" + s
	}
	return s
}

// decimal writes a measured number with three significant digits.
func decimal(n float64) string {
	switch a := math.Abs(n); {
	case math.IsNaN(n) || math.IsInf(n, 0):
		return "–"
	case a == 0:
		return "0"
	case a == math.Trunc(a):
		return whole(n)
	case a < 0.01:
		return "< 0.01"
	case a < 10:
		return strconv.FormatFloat(n, 'f', 2, 64)
	case a < 100:
		return strconv.FormatFloat(n, 'f', 1, 64)
	}
	return whole(math.Round(n))
}

// reason says in a few words what the code of a refusal means.
func reason(code string) string {
	if word, ok := reasons[code]; ok {
		return word
	}
	switch {
	case code >= "600":
		return "refused everywhere"
	case code >= "500":
		return "a server failed"
	}
	return "refused"
}

// reasons are those that are met most, RFC 3261 §21 and its followers.
var reasons = map[string]string{
	"400": "bad request", "403": "forbidden", "404": "not found", "405": "method not allowed", "406": "not acceptable",
	"408": "no answer in time", "410": "gone", "413": "too large", "415": "media type", "420": "bad extension",
	"421": "extension required", "422": "session timer too small", "423": "interval too brief", "480": "not available",
	"481": "no such dialog", "482": "loop", "483": "too many hops", "484": "number incomplete", "485": "ambiguous",
	"486": "busy", "488": "not acceptable here", "489": "bad event", "491": "request pending", "494": "security agreement",
	"500": "server error", "501": "not implemented", "502": "bad gateway", "503": "overloaded or down", "504": "gateway timed out",
	"505": "version", "513": "too large", "580": "precondition failed", "600": "busy everywhere", "603": "declined",
	"604": "exists nowhere", "606": "not acceptable", "607": "unwanted", "608": "rejected as unwanted",
}

// span writes a length of time: 82 ms, 1.24 s, 3 min 5 s, 2 h 10 min, 4 d 3 h.
func span(d time.Duration) string {
	s := d.Seconds()
	n := int64(math.Round(s))
	switch {
	case d < 0:
		return "−" + span(-d)
	case d == 0:
		return "0 s"
	case d < time.Millisecond:
		return fmt.Sprintf("%.2f ms", s*1000)
	case d < time.Second:
		return fmt.Sprintf("%.0f ms", s*1000)
	case n < 60 && d%time.Second == 0:
		return fmt.Sprintf("%d s", n)
	case d < 10*time.Second:
		return fmt.Sprintf("%.2f s", s)
	case n < 60:
		return fmt.Sprintf("%.1f s", s)
	case n < 3600 && n%60 == 0:
		return fmt.Sprintf("%d min", n/60)
	case n < 3600:
		return fmt.Sprintf("%d min %d s", n/60, n%60)
	case n < 86400:
		return fmt.Sprintf("%d h %d min", n/3600, n%3600/60)
	}
	return fmt.Sprintf("%d d %d h", n/86400, n%86400/3600)
}

// seconds is span of a number of seconds.
func seconds(s float64) string { return span(time.Duration(s * float64(time.Second))) }

// ago says how long t lies before now.
func ago(now time.Time, t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	d := now.Sub(*t)
	switch {
	case d < 0:
		return "in " + span((-d).Round(time.Second))
	case d < time.Second:
		return "just now"
	}
	return span(d.Truncate(time.Second)) + " ago"
}

// link is path with a query of pairs; pairs whose value is "" are left out.
func link(path string, pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// below is the address of one thing of a list: the list's path and, escaped, its name.
// It is "" where nobody could get there by it: where the name is too long, was no UTF-8 on
// the wire, or is one that a browser takes for a step up.
func below(path, name string) string {
	if name == "" || len(name) > longestName || strings.ContainsRune(name, utf8.RuneError) || strings.Trim(name, ".") == "" {
		return ""
	}
	return path + "/" + url.PathEscape(name)
}

// callPath is the address of a call: by its Call-ID, which finds it also when it is over,
// or by sip.call.id where that is too long or was no UTF-8.
func callPath(id, callID string) string {
	if path := below("/calls", callID); path != "" {
		return path
	}
	return below("/calls", id)
}

// ticks cuts a sentence of ours at its backticks: every second part is code.
func ticks(s string) []string { return strings.Split(s, "`") }

// words makes a snake_case or kebab-case name readable.
func words(s string) string { return strings.NewReplacer("_", " ", "-", " ").Replace(s) }

// stamp is a moment for a machine, clock the same for a person where no script runs.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
