package track

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/siphash"
	shown "github.com/sipcmbeat/sipcmbeat/internal/view"
)

// What is in memory, for those who look at it: a page at a time, the newest first, which
// is the order of the rosters. A page is made in slices, between which the caller gives
// its lock back; what goes on meanwhile is found at its number or is gone. A cursor is a
// number: what was there all the time that the pages are read is on one of them, once.

// lists are the rosters: calls that are up or tried, and bindings. What is over is in
// none, but for an attempt that failed.
type lists struct {
	calls, bindings roster
	key             siphash.Key // of cursors
}

// restarted is empty lists whose numbers go on.
func (l *lists) restarted() lists {
	l.calls.empty()
	l.bindings.empty()
	return *l
}

// listAttempt lists an attempt, but while its dialog stands for it.
func (t *Tracker) listAttempt(a *attempt) {
	switch {
	case a.state == answered:
		t.lists.calls.drop(&a.spot)
	case !a.spot.listed():
		t.lists.calls.add(&a.link, &a.spot)
	}
}

// list lists what was restored, the oldest first.
func (r *Restoring) list() {
	type entry struct {
		at   int64
		link *link
	}
	var calls, bindings []entry
	for i := range r.t.ages {
		for l := r.t.ages[i].head.next; l != &r.t.ages[i].head; l = l.next {
			switch x := l.owner.(type) {
			case *attempt:
				if x.state != answered {
					calls = append(calls, entry{max(x.first, x.round), l})
				}
			case *dialog:
				if x.state != ended {
					calls = append(calls, entry{x.first, l})
				}
			case *binding:
				bindings = append(bindings, entry{x.first, l})
			}
		}
	}
	for _, of := range [...]struct {
		entries []entry
		to      *roster
	}{{calls, &r.t.lists.calls}, {bindings, &r.t.lists.bindings}} {
		slices.SortStableFunc(of.entries, func(a, b entry) int { return cmp.Compare(a.at, b.at) })
		for _, e := range of.entries {
			of.to.add(e.link, e.link.owner.(listed).where())
		}
	}
}

// How much is looked at. An entry costs well below a microsecond where nothing is asked
// of it but its state, one to two where its record has to be unpacked, and some where it
// is shown.
const (
	maxLooked  = 50_000 // entries for one page
	sliceCost  = 256    // between two locks
	costShown  = 4
	maxText    = event.MaxText
	cursorSize = 1 + 8 + 4
)

// kinds of cursors.
const (
	cursorCalls byte = iota
	cursorBindings
	afterExact = 1 << 7 // what is the text itself was shown on a page of its own
)

// listing is a page in work.
type listing struct {
	q      shown.Query
	kind   byte
	text   []byte // in lower case
	pivot  int    // see pivotOf
	source netip.Prefix
	begun  bool
	from   uint64 // entries below this number are next
	exact  bool   // see afterExact
	looked int
	page   shown.Page
}

// begin reads what is asked for. The error names what is wrong in it.
func (l *listing) begin(t *Tracker) error {
	q := &l.q
	if q.Limit < 0 || q.Limit > shown.MaxLimit {
		return fmt.Errorf("limit: %d is not allowed; allowed: 1 to %d, 0 (%d)", q.Limit, shown.MaxLimit, shown.DefaultLimit)
	}
	if q.Limit == 0 {
		q.Limit = shown.DefaultLimit
	}
	if len(q.Text) > maxText {
		return fmt.Errorf("text: %d bytes are too many; allowed: %d", len(q.Text), maxText)
	}
	l.text = appendLower(nil, []byte(q.Text))
	l.pivot = pivotOf(l.text)
	if q.Source != "" {
		var err error
		if l.source, err = parseSource(q.Source); err != nil {
			return err
		}
	}
	l.from = math.MaxUint64
	if q.Cursor == "" {
		return nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(q.Cursor)
	if err != nil || len(b) != cursorSize || b[0]&^afterExact != l.kind || binary.BigEndian.Uint32(b[cursorSize-4:]) != t.lists.sign(b[:cursorSize-4]) {
		return fmt.Errorf("cursor: %q is none of this list, or of an earlier run; allowed: the next of the page before, or none to begin", shorten(q.Cursor))
	}
	l.exact = b[0]&afterExact != 0
	l.from = binary.BigEndian.Uint64(b[1:])
	return nil
}

// shorten keeps an error readable.
func shorten(s string) string {
	if len(s) > 64 {
		return s[:64] + "..."
	}
	return s
}

// parseSource reads an address or a network.
func parseSource(s string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
		}
		return p.Masked(), nil
	}
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, fmt.Errorf("source: %q is not allowed; allowed: an address, or a network such as 192.0.2.0/24", shorten(s))
	}
	a = a.Unmap()
	return netip.PrefixFrom(a, a.BitLen()), nil
}

// sign keeps cursors of other runs, and what is none, from being taken for one.
func (l *lists) sign(b []byte) uint32 { return uint32(l.key.Sum(b)) }

// end says what the page says of itself. more tells that there are entries below from.
func (l *listing) end(t *Tracker, r *roster) {
	l.page.Total = r.count
	if l.filtered() {
		l.page.Scanned = l.looked
	}
	if oldest := r.oldest(); oldest == 0 || oldest >= l.from {
		return
	}
	b := make([]byte, 0, cursorSize)
	b = append(b, l.kind)
	if l.exact {
		b[0] |= afterExact
	}
	b = binary.BigEndian.AppendUint64(b, l.from)
	b = binary.BigEndian.AppendUint32(b, t.lists.sign(b))
	l.page.Next = base64.RawURLEncoding.EncodeToString(b)
}

func (l *listing) filtered() bool { return l.q.Text != "" || l.q.Source != "" || l.q.State != "" }

// slice looks at entries until show, which tells whether one is on the page, has filled it,
// or enough was done for now.
func (l *listing) slice(r *roster, shownSoFar func() int, show func(x *slot) bool) (more bool) {
	left := sliceCost
	r.before(l.from, func(number uint64, x *slot) bool {
		if shownSoFar() >= l.q.Limit || l.looked >= maxLooked {
			return false
		}
		if left <= 0 {
			more = true
			return false
		}
		l.from = number
		l.looked++
		left--
		if show(x) {
			left -= costShown
		}
		return true
	})
	if !more && l.looked < maxLooked && shownSoFar() < l.q.Limit {
		l.from = 0 // the end
	}
	return more
}

// fromSource reports whether a is asked for.
func (l *listing) fromSource(a netip.Addr) bool {
	return !l.source.IsValid() || l.source.Contains(a.Unmap())
}

// contains reports whether b contains the text, without regard to the case of ASCII
// letters, which are what SIP has no regard to either.
func (l *listing) contains(b []byte) bool {
	n := len(l.text)
	if n == 0 {
		return true
	}
	c := l.text[l.pivot]
	for _, c := range [...]byte{c, upper(c)} {
		for at := l.pivot; at < len(b); at++ {
			i := bytes.IndexByte(b[at:], c)
			if i < 0 {
				break
			}
			at += i
			if from := at - l.pivot; from+n <= len(b) && equalLower(b[from:from+n], l.text) {
				return true
			}
		}
		if upper(c) == c {
			break
		}
	}
	return false
}

// pivotOf is where the byte of a text in lower case is that records have least of: they
// are full of digits, and their Call-IDs of hexadecimal ones.
func pivotOf(text []byte) (at int) {
	rank := func(c byte) int {
		switch {
		case c >= '0' && c <= '9':
			return 3
		case c >= 'a' && c <= 'f':
			return 2
		case c > 'f' && c <= 'z':
			return 1
		}
		return 0
	}
	for i := range text {
		if rank(text[i]) < rank(text[at]) {
			at = i
		}
	}
	return at
}

func upper(c byte) byte {
	if c >= 'a' && c <= 'z' {
		c -= 'a' - 'A'
	}
	return c
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// equalLower compares b with what is in lower case already, of the same length.
func equalLower(b, text []byte) bool {
	for i := range b {
		if lower(b[i]) != text[i] {
			return false
		}
	}
	return true
}

// timeOf is a packet time as it is shown; nil where there is none.
func timeOf(ns int64) *time.Time {
	if ns == 0 {
		return nil
	}
	at := time.Unix(0, ns).UTC()
	return &at
}

func addrOf(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()).String()
}

// incompleteOf lists what was not seen, anomaliesOf what does not comply.
func incompleteOf(bits event.Incomplete) (words []string) {
	for i := range event.IncompleteWords {
		if bits>>i&1 != 0 {
			words = append(words, event.IncompleteWords[i].Word)
		}
	}
	return words
}

func anomaliesOf(bits event.Anomalies) (words []string) {
	for i := range event.AnomalyWords {
		if bits>>i&1 != 0 {
			words = append(words, event.AnomalyWords[i].Word)
		}
	}
	return words
}
