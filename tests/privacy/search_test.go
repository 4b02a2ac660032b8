package privacy

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// needle is a value that is looked for.
type needle struct {
	value string // in lower case
	field string
	whole bool // only where no letter or digit stands beside it
	digit bool // and not where our own numbers stand
}

// A searcher finds many values in much text. Each value is known by the rarest eight of
// its bytes, or four where it is short; where these occur, the rest is compared.
type searcher struct {
	long, short map[uint64][]place
	filter      []uint64 // bits of the hashes of both
}

type place struct {
	of *needle
	at int // of the gram in the value
}

const (
	longGram, shortGram = 8, 4
	filterBits          = 1 << 22
)

// minSecret is the length in bytes of the shortest value that is looked for: three letters
// stand by chance in every sealed text.
const minSecret = 4

// newSearcher takes the values of a capture, without those that may not be looked for; see
// excluded.
func newSearcher(s *secrets) *searcher {
	var needles []*needle
	for value, field := range s.values {
		if s.excluded(value) {
			continue
		}
		n := &needle{value: value, field: field}
		// What base32hex or hexadecimal may spell by chance: 32 letters to the fifth are
		// met in some ten megabytes, so a word that short counts where it stands alone.
		n.whole = len(value) < 8 && strings.Trim(value, wordBytes) == ""
		// And what times and durations may spell: of digits there are only ten.
		n.digit = len(value) < 12 && strings.Trim(value, "0123456789") == ""
		n.whole = n.whole || n.digit
		needles = append(needles, n)
	}
	return index(needles)
}

const wordBytes = "abcdefghijklmnopqrstuvwxyz0123456789"

func index(needles []*needle) *searcher {
	x := &searcher{long: map[uint64][]place{}, short: map[uint64][]place{}, filter: make([]uint64, filterBits/64)}
	counts := map[uint64]int{}
	for _, n := range needles {
		size := gramOf(n.value)
		for i := range len(n.value) - size + 1 {
			counts[gram(n.value[i:], size)]++
		}
	}
	for _, n := range needles {
		size := gramOf(n.value)
		best := 0
		for i := range len(n.value) - size + 1 {
			if counts[gram(n.value[i:], size)] < counts[gram(n.value[best:], size)] {
				best = i
			}
		}
		g, in := gram(n.value[best:], size), x.short
		if size == longGram {
			in = x.long
		}
		in[g] = append(in[g], place{n, best})
		h := hash(g)
		x.filter[h/64] |= 1 << (h % 64)
	}
	return x
}

func gramOf(value string) int {
	if len(value) >= longGram {
		return longGram
	}
	return shortGram
}

func gram(b string, size int) uint64 {
	var x [8]byte
	copy(x[:], b[:size])
	return binary.LittleEndian.Uint64(x[:])
}

func hash(g uint64) uint64 { return g * 0x9e3779b97f4a7c15 >> (64 - 22) }

// hit is a value that was found.
type hit struct {
	needle
	context string
}

func (h hit) String() string { return fmt.Sprintf("%s %q in %q", h.field, h.value, h.context) }

// maxHits is how many are told of one output.
const maxHits = 5

// search looks for the values in what the program has said, in any case.
func (x *searcher) search(output []byte) (hits []hit) {
	text := string(lower(output))
	look := func(i int, g uint64, in map[uint64][]place) {
		h := hash(g)
		if x.filter[h/64]>>(h%64)&1 == 0 {
			return
		}
		for _, p := range in[g] {
			at := i - p.at
			end := at + len(p.of.value)
			if at < 0 || end > len(text) || text[at:end] != p.of.value || !p.of.stands(text, at, end) {
				continue
			}
			if len(hits) < maxHits && !slices.ContainsFunc(hits, func(h hit) bool { return h.value == p.of.value }) {
				hits = append(hits, hit{*p.of, string(output[max(0, at-80):min(len(output), end+60)])})
			}
		}
	}
	for i := range len(text) - shortGram + 1 {
		four := uint64(text[i]) | uint64(text[i+1])<<8 | uint64(text[i+2])<<16 | uint64(text[i+3])<<24
		look(i, four, x.short)
		if i+longGram <= len(text) {
			look(i, gram(text[i:], longGram), x.long)
		}
	}
	return hits
}

// stands tells whether what was found counts as the value.
func (n *needle) stands(text string, at, end int) bool {
	beside := func(i int, letters string) bool {
		return i >= 0 && i < len(text) && strings.IndexByte(letters, text[i]) >= 0
	}
	if !n.whole {
		return true
	}
	if beside(at-1, wordBytes) || beside(end, wordBytes) {
		return false
	}
	if !n.digit {
		return true
	}
	// Numbers of our own: of JSON ("port":1001), of lists, of dates and fractions, and
	// cells of CSV.
	switch {
	case beside(at-1, ".-+:,[ ") && !(at > 1 && text[at-1] == ':' && beside(at-2, "ps")):
		return false
	case beside(end, ".-"):
		return false
	}
	return true
}

// excluded tells which values are not looked for, and each has its reason:
//
//   - shorter than minSecret;
//   - a word of our own vocabulary (vocabulary): a user called "register" can't be told
//     from the method;
//   - the value of a public field of the same capture, where it is a single word or number:
//     a user called as a port or a transport is.
func (s *secrets) excluded(value string) bool {
	if len(value) < minSecret || vocabulary[value] {
		return true
	}
	return s.public[value] && len(value) < 8 && strings.Trim(value, wordBytes) == ""
}

// vocabulary are words that the program says of itself: names of fields, of types, of
// anomalies, of methods and header fields, in lower case.
var vocabulary = func() map[string]bool {
	all := map[string]bool{}
	add := func(text string) {
		text = strings.ToLower(text)
		all[text] = true
		for _, word := range strings.FieldsFunc(text, func(r rune) bool { return !strings.ContainsRune(wordBytes, r) }) {
			all[word] = true
		}
	}
	for i := range schema.Fields {
		add(schema.Fields[i].Key)
	}
	for i := range event.Older {
		add(event.Older[i].Key)
	}
	for i := range event.Kinds {
		add(event.Kinds[i].Name)
		add(event.Kinds[i].Dataset)
		for _, word := range append(event.Kinds[i].Category, event.Kinds[i].Type...) {
			add(word)
		}
	}
	for _, w := range event.IncompleteWords {
		add(w.Word)
	}
	for _, w := range event.AnomalyWords {
		add(w.Word)
	}
	for h := sip.Header(1); h < sip.NumHeaders; h++ {
		add(h.String())
	}
	for _, text := range []string{
		"invite ack bye cancel register options info prack update subscribe notify refer message publish",
		"unknown success failure request response native legacy clear encrypt hmac truncate redact",
		"sipcmbeat sip sips tel udp tcp tls sctp ws wss sip/2.0 anonymous restricted",
		"good open keepalive", // of badges, counters and keys; users of the malformed messages are called so
	} {
		add(text)
	}
	return all
}()

// TestSearch: the search finds what is there, whatever stands around it, and nothing else.
func TestSearch(t *testing.T) {
	s := &secrets{values: map[string]string{}, public: map[string]bool{"5060": true}}
	for _, v := range []string{"bob1", "1001", "5060", "alice@example.com", "192.0.2.1", "register", "abc", "a84b4c76e66710", "72002000"} {
		s.put("field", v)
	}
	x := newSearcher(s)
	for text, want := range map[string]int{
		`"username":"bob1"`: 1, `"username":"BOB1"`: 1, "xbob1x": 0, "bob12": 0, "<sip:bob1@h>": 1,
		`"username":"1001"`: 1, "sip:1001@h": 1, `"port":1001,`: 0, "2026-11-26T10:00:00.1001Z": 0, ",1001,": 0, "10:00:00.000  1001": 0,
		`"port":"5060"`: 0, "register abc": 0, "20261122T044423.872002000Z": 0, "sip:72002000@h": 1, "72002000": 1,
		"xalice@example.comx": 1, "ALICE@EXAMPLE.COM": 1, "alice@example.co": 0,
		"192.0.2.1": 1, "192.0.2.10": 1, "a84b4c76e66710": 1, "xa84b4c76e66710x 192.0.2.1": 2, "": 0, "bob": 0,
	} {
		if got := x.search([]byte(text)); len(got) != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// TestVocabulary: what is excluded holds no names.
func TestVocabulary(t *testing.T) {
	for _, word := range []string{"alice", "bob", "carol", "atlanta", "example", "com", "sipp", "caller1"} {
		if vocabulary[word] {
			t.Errorf("%q is a word of ours", word)
		}
	}
	if !vocabulary["register"] || !vocabulary["sip.call_id"] || !vocabulary["user-agent"] {
		t.Error("words of ours are missing:", vocabulary["register"], vocabulary["sip.call_id"], vocabulary["user-agent"])
	}
}
