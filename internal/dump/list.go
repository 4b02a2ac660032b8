package dump

import (
	"bytes"
	"strings"

	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// list is Config.List, ready to look into. An item is a Call-ID, a user, a user at
// a host, or a telephone number, of which digits alone count; whatever it may be, it
// is compared as.
type list struct {
	words   map[string]struct{} // Call-IDs and users
	users   map[string]struct{} // user@host, the host in lower case
	numbers map[string]struct{} // digits
	scratch []byte
}

func newList(items []string) *list {
	if len(items) == 0 {
		return nil
	}
	l := &list{words: map[string]struct{}{}, users: map[string]struct{}{}, numbers: map[string]struct{}{}, scratch: make([]byte, 0, 512)}
	for _, item := range items {
		l.words[item] = struct{}{}
		if user, host, ok := strings.Cut(item, "@"); ok {
			l.users[user+"@"+strings.ToLower(host)] = struct{}{}
		}
		if digits := appendDigits(nil, []byte(item)); len(digits) > 0 {
			l.numbers[string(digits)] = struct{}{}
		}
	}
	return l
}

// has reports whether somebody on the list is named by the message: its Call-ID, or
// the user of From, To or Request-URI. It borrows m.
func (l *list) has(m *sip.Message, callID []byte) bool {
	if l == nil {
		return false
	}
	_, ok := l.words[string(callID)]
	return ok || l.names(m.From().URI()) || l.names(m.To().URI()) || l.names(m.RequestURI())
}

func (l *list) names(u *sip.URI) bool {
	user := u.User()
	if len(user) == 0 && u.SchemeIs("tel") { // RFC 3966
		user = u.Bytes()[len("tel:"):]
	}
	if i := bytes.IndexByte(user, ';'); i >= 0 { // parameters of a number, RFC 3261 §19.1.6
		user = user[:i]
	}
	if len(user) == 0 {
		return false
	}
	b := sip.AppendUnescaped(l.scratch[:0], user)
	l.scratch = b[:0]
	if _, ok := l.words[string(b)]; ok {
		return true
	}
	if len(l.numbers) > 0 {
		n := len(b)
		if b = appendDigits(b, b); len(b) > n {
			if _, ok := l.numbers[string(b[n:])]; ok {
				return true
			}
		}
		b = b[:n]
	}
	if len(l.users) == 0 {
		return false
	}
	b = append(b, '@')
	for _, c := range u.Host() {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	l.scratch = b[:0]
	_, ok := l.users[string(b)]
	return ok
}

// appendDigits copies the digits of a telephone number to dst, and nothing when
// there is anything but digits, + and separators in it.
func appendDigits(dst, number []byte) []byte {
	start := len(dst)
	for _, c := range number {
		switch {
		case c >= '0' && c <= '9':
			dst = append(dst, c)
		case strings.IndexByte("+-.() /", c) < 0:
			return dst[:start]
		}
	}
	return dst
}
