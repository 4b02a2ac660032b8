package track

import (
	"bytes"
	"encoding/base64"
	"strconv"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// fillIdentity reads what an Identity header claims (RFC 8224, RFC 8588): the
// attestation, the numbers, the age, and whose certificate. The signature is not
// checked, and the record says so.
func (t *Tracker) fillIdentity(e *event.Event) {
	b := t.view.m.Value(sip.HeaderIdentity)
	if b == nil {
		return
	}
	e.HasIdentity = true
	token, params, _ := bytes.Cut(b, []byte{';'})
	_, rest, _ := bytes.Cut(bytes.TrimSpace(token), []byte{'.'})
	payload, _, _ := bytes.Cut(rest, []byte{'.'})
	if n := base64.RawURLEncoding.DecodedLen(len(payload)); n > 0 && n <= maxIdentity {
		t.scratch = append(t.scratch[:0], make([]byte, n)...)
		if n, err := base64.RawURLEncoding.Decode(t.scratch, payload); err == nil {
			readPassport(e, t.scratch[:n])
		}
	}
	p := sip.ParseParams(params)
	for name, value, ok := p.Next(); ok; name, value, ok = p.Next() {
		if bytes.EqualFold(name, []byte("info")) {
			e.Set(&e.IdentityX5U, hostOf(value))
		}
	}
}

// maxIdentity bounds the payload that is decoded, in bytes.
const maxIdentity = 4096

// readPassport takes the claims of a PASSporT payload (RFC 8225 §5, RFC 8588 §4).
// It looks for the claims by their names and does not check the whole as JSON.
func readPassport(e *event.Event, b []byte) {
	if v := jsonString(b, `"attest"`); len(v) == 1 {
		e.Attest = v[0]
	}
	if _, after, ok := bytes.Cut(b, []byte(`"orig"`)); ok {
		if v := jsonString(after, `"tn"`); isTN(v) {
			e.Set(&e.IdentityOrig, v)
		}
	}
	if _, after, ok := bytes.Cut(b, []byte(`"dest"`)); ok {
		_, after, _ = bytes.Cut(after, []byte(`"tn"`)) // a list of "uri" may stand beside it
		if list, ok := bytes.CutPrefix(bytes.TrimLeft(after, " :"), []byte{'['}); ok {
			list, _, _ = bytes.Cut(list, []byte{']'})
			for len(list) > 0 {
				var v []byte
				if _, list, ok = bytes.Cut(list, []byte{'"'}); !ok {
					break
				}
				if v, list, ok = bytes.Cut(list, []byte{'"'}); !ok {
					break
				}
				if isTN(v) {
					e.Add(&e.IdentityDest, v)
				}
			}
		}
	}
	if _, after, ok := bytes.Cut(b, []byte(`"iat"`)); ok {
		after = bytes.TrimLeft(after, " :")
		n := 0
		for n < len(after) && after[n] >= '0' && after[n] <= '9' {
			n++
		}
		if n <= maxSeconds {
			e.IdentityIAT, _ = strconv.ParseInt(string(after[:n]), 10, 64)
		}
	}
}

// maxSeconds is how many digits a time in seconds has until the year 2286. More may be a
// telephone number.
const maxSeconds = 10

// isTN tells whether a claim is a telephone number, as those of "tn" are (RFC 8225 §5.2.1):
// anything else would leave as one, whatever is private.
func isTN(b []byte) bool {
	b = bytes.TrimPrefix(b, []byte{'+'})
	for _, c := range b {
		if c-'0' > 9 && c != '*' && c != '#' {
			return false
		}
	}
	return len(b) > 0
}

// jsonString is the text value behind a name; it borrows from b.
func jsonString(b []byte, name string) []byte {
	_, after, ok := bytes.Cut(b, []byte(name))
	if !ok {
		return nil
	}
	after = bytes.TrimLeft(after, " :")
	if len(after) == 0 || after[0] != '"' {
		return nil
	}
	v, _, ok := bytes.Cut(after[1:], []byte{'"'})
	if !ok {
		return nil
	}
	return v
}

// hostOf is the host of an https address in angle brackets.
func hostOf(b []byte) []byte {
	_, b, ok := bytes.Cut(b, []byte("://"))
	if !ok {
		return nil
	}
	if i := bytes.IndexAny(b, "/:?>"); i >= 0 {
		b = b[:i]
	}
	return b
}
