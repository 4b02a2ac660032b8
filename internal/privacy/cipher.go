package privacy

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"hash"
	"net/netip"
	"sync"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/siphash"
	"github.com/tink-crypto/tink-go/v2/daead/subtle"
)

// version is the first byte of what is sealed; docs/privacy.md has the format.
const version = 1

// A label is the kind of a value: a key of its own for HMAC, and associated data for
// AES-SIV, so that equal values of two kinds have nothing in common.
type label uint8

// The labels. Those before labelName are the shapes of package event, by number.
const (
	labelPlain   = label(event.Plain)
	labelAddress = label(event.Address)
	labelHost    = label(event.Host)
	labelUser    = label(event.User)
	labelNumber  = label(event.Number)
	labelDigest  = label(event.Digest)
	labelName    = label(event.NumShapes) + iota - 6 // a display name
	labelTail                                        // parameters and headers
	labelToken                                       // of E.164 numbers
	numLabels
)

// labelNames are written into keys and associated data: part of the format.
var labelNames = [numLabels]string{
	event.Plain: "plain", event.Address: "address", event.Host: "host", event.User: "user",
	event.Whole: "uri", event.NameAddr: "name-addr", event.ViaValue: "via", event.CallID: "call-id",
	event.Tag: "tag", event.Agent: "agent", event.Number: "number", event.Digest: "digest", event.Scheme: "scheme", event.Word: "word",
	labelName: "name", labelTail: "tail", labelToken: "token",
}

// text is base32hex (RFC 4648 §7) in lower case without padding: it can stand for a user,
// a host or a parameter, and survives whoever folds case.
var text = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// keyring is what follows from one key. Its lock is held for one value.
type keyring struct {
	id  string
	siv *subtle.AESSIV // it keeps nothing between two calls

	mu     sync.Mutex
	prefix *prefix
	mac    [numLabels]hash.Hash
	sum    [sha256.Size]byte
	word   []byte // version and sealed value, before it is text
	cache  *cache
}

func newKeyring(k Key) (*keyring, error) {
	siv, err := subtle.NewAESSIV(k.derive("siv", subtle.AESSIVKeySize))
	if err != nil {
		return nil, err
	}
	r := &keyring{
		id: k.ID(), siv: siv,
		prefix: newPrefix([32]byte(k.derive("pfx", 32))),
		cache:  &cache{key: siphash.NewKey()},
	}
	for l, name := range labelNames {
		r.mac[l] = hmac.New(sha256.New, k.derive("hmac "+name, sha256.Size))
	}
	return r, nil
}

// seal appends the text of a sealed value.
func (r *keyring) seal(dst []byte, l label, b []byte) []byte { return r.mask(dst, l, true, b) }

// hash appends the text of a value that nobody reads again.
func (r *keyring) hash(dst []byte, l label, b []byte) []byte { return r.mask(dst, l, false, b) }

func (r *keyring) mask(dst []byte, l label, sealed bool, b []byte) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(b) > maxCached {
		return r.appendMasked(dst, l, sealed, b)
	}
	kind := uint16(l) << 1
	if sealed {
		kind |= 1
	}
	e, known := r.cache.text(kind, b)
	if !known {
		e.out = r.appendMasked(e.out, l, sealed, b)
	}
	return append(dst, e.out...)
}

func (r *keyring) appendMasked(dst []byte, l label, sealed bool, b []byte) []byte {
	if !sealed {
		return text.AppendEncode(dst, r.macSum(l, b))
	}
	out, err := r.siv.EncryptDeterministically(b, associated[l])
	if err != nil { // of values as long as memory
		panic(err)
	}
	r.word = append(append(r.word[:0], version), out...)
	return text.AppendEncode(dst, r.word)
}

// associated is the associated data of each label.
var associated = func() (data [numLabels][]byte) {
	for l, name := range labelNames {
		data[l] = []byte(labels + name)
	}
	return data
}()

// What is wrong with a value that does not open.
var (
	ErrNotSealed = errors.New("the value is not sealed")
	ErrAltered   = errors.New("the value was altered, or sealed with another key")
)

// The least length of a sealed text, of one byte: 18 bytes.
const minSealed = (18*8 + 4) / 5

// isSealed tells whether b has the form of a sealed text; only the key tells whether it is
// one. The first byte is the version: 00000 001xx.
func isSealed(b []byte) bool {
	if len(b) < minSealed || b[0] != '0' || b[1] < '4' || b[1] > '7' {
		return false
	}
	for _, c := range b {
		if c-'0' > 9 && c-'a' > 'v'-'a' {
			return false
		}
	}
	return true
}

// open appends what was sealed. There is one text for each value: unused bits that are not
// zero, and lengths that base32 does not have, are refused.
func (r *keyring) open(dst []byte, l label, b []byte) ([]byte, error) {
	if !isSealed(b) {
		return dst, ErrNotSealed
	}
	raw, err := text.AppendDecode(nil, b)
	if err != nil || text.EncodedLen(len(raw)) != len(b) || string(text.AppendEncode(nil, raw)) != string(b) {
		return dst, ErrAltered
	}
	clear, err := r.siv.DecryptDeterministically(raw[1:], associated[l])
	if err != nil {
		return dst, ErrAltered
	}
	return append(dst, clear...), nil
}

// macSum borrows the first half of HMAC-SHA-256 by the key of a label. The caller has the
// lock.
func (r *keyring) macSum(l label, b []byte) []byte {
	m := r.mac[l]
	m.Reset()
	m.Write(b)
	return m.Sum(r.sum[:0])[:len(r.sum)/2]
}

// digest keys a hash.
func (r *keyring) digest(h event.Hash) event.Hash {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.word = append(r.word[:0], h[:]...)
	return event.Hash(r.macSum(labelDigest, r.word))
}

// addr masks an address by a mode that is not Clear.
func (r *keyring) addr(a netip.Addr, m Mode) netip.Addr {
	switch m {
	case Encrypt:
		return r.sealAddr(a)
	case HMAC:
		return r.hashAddr(a)
	case Truncate:
		p, _ := a.Prefix(keptBits(a)) // of valid addresses and lengths
		return p.Addr()
	}
	return netip.Addr{}
}

func (r *keyring) sealAddr(a netip.Addr) netip.Addr {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, known := r.cache.addr(true, a)
	if !known {
		e.out = r.prefix.seal(a)
	}
	return e.out
}

// hashAddr makes an address of fd00::/8 (RFC 4193) of one that nobody reads again.
func (r *keyring) hashAddr(a netip.Addr) netip.Addr {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, known := r.cache.addr(false, a)
	if !known {
		out := [16]byte{0: 0xfd}
		copy(out[1:], r.macSum(labelAddress, a.AsSlice()))
		e.out = netip.AddrFrom16(out)
	}
	return e.out
}

func (r *keyring) openAddr(a netip.Addr) netip.Addr {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.prefix.open(a)
}
