package dump

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"strings"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/recent"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// A label is the word in a file's name that says why it was written: the type of
// the event, the method of the first message, or alert.
type label uint8

const (
	labelMethod label = 64
	labelAlert  label = 128
)

func eventLabel(t event.Type) label  { return label(t) }
func methodLabel(m sip.Method) label { return labelMethod + label(m) }

func (l label) String() string {
	switch {
	case l >= labelAlert:
		return "alert"
	case l >= labelMethod:
		return methodWords[(l-labelMethod)%label(sip.NumMethods)]
	}
	return event.Type(l % label(event.NumTypes)).String()
}

var methodWords = func() (words [sip.NumMethods]string) {
	for m := range words {
		words[m] = strings.ToLower(sip.Method(m).String())
	}
	return words
}()

// A file's name is TIME_LABEL_CALLID.pcap: the time in UTC with nanoseconds, and the
// Call-ID with every byte but letters, digits and . _ @ - as %XX. One that is longer
// than maxID ends in a tilde and a part of its SHA-256, so that two that begin alike
// stay two. It is the same on every run over the same packets.
const (
	timeLayout = "20060102T150405.000000000Z"
	suffix     = ".pcap"
	maxID      = 100
	digest     = 8 // bytes of the hash
)

// mask is what masks now, nil where nothing is masked.
func (c *Config) mask() recent.Mask {
	if c.Mask == nil {
		return nil
	}
	return c.Mask()
}

// appendID copies a Call-ID to dst as it stands in the name of a file, masked where by is
// not nil. It borrows id.
func appendID(dst, id []byte, by recent.Mask) []byte {
	if by != nil {
		id = by.AppendCallID(make([]byte, 0, 2*maxID), id)
	}
	return appendSafe(dst, id)
}

// appendName copies the name of a file to dst, of a Call-ID that appendID has written. It
// borrows id.
func appendName(dst []byte, at int64, l label, id []byte) []byte {
	dst = time.Unix(0, max(at, 0)).UTC().AppendFormat(dst, timeLayout)
	dst = append(append(append(dst, '_'), l.String()...), '_')
	return append(append(dst, id...), suffix...)
}

func appendSafe(dst, id []byte) []byte {
	const digits = "0123456789ABCDEF"
	start := len(dst)
	for _, c := range id {
		if safe(c) {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', digits[c>>4], digits[c&15])
		}
		if len(dst)-start > maxID {
			sum := sha256.Sum256(id)
			return hex.AppendEncode(append(dst[:start+maxID-2*digest-1], '~'), sum[:digest])
		}
	}
	return dst
}

func safe(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '@' || c == '-'
}

// nameTime tells whether a name is one that appendName makes, and the time in it:
// nothing else is ever deleted.
func nameTime(name string) (int64, bool) {
	rest, ok := strings.CutSuffix(name, suffix)
	if !ok || len(rest) < len(timeLayout)+1 || rest[len(timeLayout)] != '_' {
		return 0, false
	}
	at, err := time.Parse(timeLayout, rest[:len(timeLayout)])
	if err != nil {
		return 0, false
	}
	word, id, ok := strings.Cut(rest[len(timeLayout)+1:], "_")
	if !ok || !isLabel(word) || len(id) > maxID {
		return 0, false
	}
	for i := range len(id) {
		if c := id[i]; !safe(c) && c != '%' && c != '~' {
			return 0, false
		}
	}
	return at.UnixNano(), true
}

func isLabel(word string) bool {
	if _, ok := event.ParseType(word); ok || word == labelAlert.String() {
		return true
	}
	for _, w := range methodWords {
		if w == word {
			return true
		}
	}
	return false
}

// absolute is the directory as it stands in the events.
func absolute(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		return abs
	}
	return dir
}
