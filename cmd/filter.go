package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// filter is what replay is asked for. The zero value lets everything through.
type filter struct {
	call, user, number string
	types              []string
	since, until       string

	any        bool // whether there is something to look at
	only       [event.NumTypes]bool
	id         string // call as a record has it
	name, host []byte
	digits     []byte
	from, to   moment
}

// moment is a point in time, or a time of day before the day is known.
type moment struct {
	set   bool
	clock bool  // at counts from midnight
	at    int64 // Unix time in nanoseconds
}

// compile reads the options.
func (f *filter) compile() error {
	f.any = f.call != "" || f.user != "" || f.number != "" || len(f.types) > 0 || f.since != "" || f.until != ""
	f.id = string(event.Key([]byte(f.call)))
	for _, name := range f.types {
		t, ok := event.ParseType(name)
		if !ok {
			return fmt.Errorf("--type %q is not allowed; allowed: %s", name, event.TypeNames())
		}
		f.only[t] = true
	}
	if f.user != "" {
		name, host, _ := strings.Cut(f.user, "@")
		if f.name, f.host = []byte(name), []byte(host); name == "" && host == "" {
			return fmt.Errorf("--user %q is nobody; allowed: USER, USER@HOST, @HOST", f.user)
		}
	}
	if f.number != "" {
		if f.digits = appendDigits(nil, []byte(f.number)); len(f.digits) == 0 {
			return fmt.Errorf("--number %q holds no digit; allowed: a telephone number, such as +49-30-1234567", f.number)
		}
	}
	var err error
	if f.from, err = readMoment(f.since); err != nil {
		return fmt.Errorf("--since %w", err)
	}
	if f.to, err = readMoment(f.until); err != nil {
		return fmt.Errorf("--until %w", err)
	}
	return nil
}

var errMoment = errors.New(`is no time; allowed: 2026-11-22T04:18:53Z, 2026-11-22T04:18, "2026-11-22 04:18:53", 2026-11-22, 04:18:53, 04:18`)

// readMoment reads a time; without a zone it is UTC, as everything printed.
func readMoment(text string) (moment, error) {
	if text == "" {
		return moment{}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			return moment{set: true, at: t.UnixNano()}, nil
		}
	}
	for _, layout := range []string{"15:04:05", "15:04"} {
		if t, err := time.Parse(layout, text); err == nil {
			at := time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute +
				time.Duration(t.Second())*time.Second + time.Duration(t.Nanosecond())
			return moment{set: true, clock: true, at: int64(at)}, nil
		}
	}
	return moment{}, fmt.Errorf("%q %w", text, errMoment)
}

// on sets the day of a time of day.
func (m *moment) on(at int64) {
	if m.clock {
		m.at += time.Unix(0, at).UTC().Truncate(24 * time.Hour).UnixNano()
		m.clock = false
	}
}

// match tells whether all that is asked for is true of e.
func (f *filter) match(e *event.Event) bool {
	switch {
	case !f.any:
		return true
	case len(f.types) > 0 && !f.only[e.Type]:
		return false
	case f.from.set && e.Time < f.from.at, f.to.set && e.Time >= f.to.at:
		return false
	case f.call != "" && string(e.Bytes(e.CallID)) != f.id:
		return false
	case f.user != "" && !f.someone(e, f.isUser):
		return false
	case f.digits != nil && !f.someone(e, f.isNumber):
		return false
	}
	return true
}

// someone asks about everybody that e names.
func (f *filter) someone(e *event.Event, is func(user, host []byte) bool) bool {
	for _, u := range [...]*event.URI{&e.From.URI, &e.To.URI, &e.RequestURI, &e.AOR} {
		user, host := userOf(e, u)
		if is(user, host) {
			return true
		}
	}
	user, realm := e.Bytes(e.AuthUser), e.Bytes(e.AuthRealm)
	if name, host, ok := bytes.Cut(user, []byte("@")); ok && is(name, host) {
		return true
	}
	return len(user) > 0 && is(user, realm)
}

// userOf gives user and host of a URI; of a tel URI the number.
func userOf(e *event.Event, u *event.URI) (user, host []byte) {
	user, host = e.Bytes(u.User), e.Bytes(u.Host)
	if len(user) == 0 && strings.EqualFold(string(e.Bytes(u.Scheme)), "tel") {
		all := e.Bytes(u.All)
		user = all[min(len("tel:"), len(all)):]
		host = nil
	}
	if i := bytes.IndexByte(user, ';'); i >= 0 { // RFC 3261 §19.1.6: parameters of a number
		user = user[:i]
	}
	return user, host
}

func (f *filter) isUser(user, host []byte) bool {
	return (len(f.name) == 0 || bytes.Equal(user, f.name)) && (len(f.host) == 0 || bytes.EqualFold(host, f.host))
}

func (f *filter) isNumber(user, _ []byte) bool {
	var b [64]byte
	return bytes.Equal(appendDigits(b[:0], user), f.digits)
}

// appendDigits copies the digits of a telephone number, nothing when there is
// anything else than digits, + and separators in it.
func appendDigits(dst, number []byte) []byte {
	start := len(dst)
	for _, c := range number {
		switch {
		case c >= '0' && c <= '9':
			dst = append(dst, c)
		case !strings.ContainsRune("+-.() /", rune(c)):
			return dst[:start]
		}
	}
	return dst
}

// dayOf tells the filter on which day the capture begins. It tells the end of the
// capture from a stop too: a stop decides nothing about what is still going on.
type dayOf struct {
	capture.Source
	filter *filter
	known  bool
	ctx    context.Context // done: what ends now does not end by itself
}

// Next implements capture.Source.
func (s *dayOf) Next(f *packet.Frame) error {
	err := s.Source.Next(f)
	if err == io.EOF && s.ctx.Err() != nil {
		return s.ctx.Err()
	}
	if err == nil && !s.known {
		s.known = true
		s.filter.from.on(f.Time)
		s.filter.to.on(f.Time)
	}
	return err
}

// Turn is how often all files have been read before.
func (s *dayOf) Turn() int {
	if t, ok := s.Source.(interface{ Turn() int }); ok {
		return t.Turn()
	}
	return 0
}
