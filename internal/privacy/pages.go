package privacy

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// Pages masks what pages show, and finds what is asked for by what they showed: a sealed
// value is opened; what cannot be opened is known as long as it is among the last that
// were shown. Nothing clear is taken where it is private, or who may see no names could
// try them all. Nil takes and shows everything as it is. Safe for concurrent use.
type Pages struct {
	s *Sealer

	mu    sync.Mutex
	known map[string]string // masked, behind its kind: clear
	order []string          // a round of keys
	next  int
}

// maxAsked is some pages of the greatest length.
const maxAsked = 8 << 10

// NewPages makes one of a Sealer that masks something.
func NewPages(s *Sealer) *Pages { return &Pages{s: s, known: map[string]string{}} }

// Of tells whether p masks by s.
func (p *Pages) Of(s *Sealer) bool { return p.s == s }

// Show masks what a page shows, in place: v points to a structure of package view, whose
// tags say what of it is private.
func (p *Pages) Show(v any) {
	if p != nil {
		show(p.s, v, p.note)
	}
}

// Shown notes an event that was shown masked.
func (p *Pages) Shown(clear, masked *event.Event) {
	if p == nil {
		return
	}
	if clear.Call != masked.Call {
		p.note("digest", hex.EncodeToString(masked.Call[:]), hex.EncodeToString(clear.Call[:]))
	}
	if masked.CallID.Len() > 0 {
		p.note("call_id", string(masked.Bytes(masked.CallID)), string(clear.Bytes(clear.CallID)))
	}
}

// asked are the kinds that can be asked for, with the groups that may be in them: where one
// of those is hashed, a value does not open.
var asked = map[string][]event.Group{
	"digest":  nil, // never opens
	"call_id": {event.CallIDs, event.Addresses, event.Numbers},
	"uri":     {event.URIs, event.Numbers, event.Addresses},
	"address": {event.Addresses},
	"peer":    {event.Addresses}, // one that is a source
	"agent":   {event.UserAgents, event.Addresses, event.Numbers},
}

func (p *Pages) note(kind, masked, clear string) {
	of, ok := asked[kind]
	hashed := func(g event.Group) bool {
		m := p.s.Modes()[g]
		return m == HMAC || kind == "call_id" && m > Encrypt // of Call-IDs, nothing is cut or left out
	}
	if !ok || masked == clear || masked == "" || len(of) > 0 && !slices.ContainsFunc(of, hashed) {
		return
	}
	key := kind + " " + masked
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.known[key]; ok {
		return
	}
	if len(p.order) < maxAsked {
		p.order = append(p.order, key)
	} else {
		delete(p.known, p.order[p.next])
		p.order[p.next] = key
		p.next = (p.next + 1) % maxAsked
	}
	p.known[key] = clear
}

func (p *Pages) find(kind, masked string) (clear string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear, ok = p.known[kind+" "+masked]
	return clear, ok
}

// open opens a sealed text of one of these shapes.
func (p *Pages) open(text string, shapes ...event.Shape) (string, bool) {
	for _, s := range shapes {
		if b, err := p.s.Open(nil, s, []byte(text)); err == nil && string(b) != text {
			return string(b), true
		}
	}
	return "", false
}

// anyOf tells the first of these groups that is private.
func (p *Pages) anyOf(of ...event.Group) (event.Group, bool) {
	for _, g := range of {
		if p.s.Private(g) {
			return g, true
		}
	}
	return event.Public, false
}

// errUnknown is of what was shown long ago, or is clear.
func errUnknown(g event.Group) error {
	return fmt.Errorf("privacy.%s masks it, and this is no value that a page has shown lately; take it from a list or an event", g)
}

// ID is the id or the Call-ID of a call that was asked for.
func (p *Pages) ID(id string) (string, error) {
	if p == nil {
		return id, nil
	}
	if clear, ok := p.find("digest", id); ok {
		return clear, nil
	}
	g, private := p.anyOf(asked["call_id"]...)
	if !private {
		return id, nil
	}
	if clear, ok := p.find("call_id", id); ok {
		return clear, nil
	}
	if clear, ok := p.open(id, event.CallID); ok {
		return clear, nil
	}
	if !p.s.Private(event.CallIDs) && p.same(id, event.CallIDs, event.CallID) {
		return id, nil // nothing of it is private
	}
	return "", errUnknown(g)
}

// AOR is the address of record that was asked for.
func (p *Pages) AOR(aor string) (string, error) {
	if p == nil {
		return aor, nil
	}
	g, private := p.anyOf(asked["uri"]...)
	if !private {
		return aor, nil
	}
	if clear, ok := p.find("uri", aor); ok {
		return clear, nil
	}
	if clear, ok := p.open(aor, event.Whole); ok {
		return clear, nil
	}
	if !p.s.Private(event.URIs) && p.same(aor, event.URIs, event.Whole) {
		return aor, nil // nothing of it is private
	}
	return "", errUnknown(g)
}

// same tells whether a text has nothing private in it.
func (p *Pages) same(text string, g event.Group, shape event.Shape) bool {
	out, ok := p.s.Append(nil, g, shape, []byte(text))
	return ok && string(out) == text
}

// Source is the address or network that was asked for. What addresses are masked with
// keeps networks, so that a masked network is asked for as a clear one is.
func (p *Pages) Source(source string) (string, error) {
	if p == nil {
		return source, nil
	}
	mode := p.s.Modes()[event.Addresses]
	if source == "" || mode == Clear {
		return source, nil
	}
	for _, kind := range [...]string{"address", "peer"} {
		if clear, ok := p.find(kind, source); ok {
			return clear, nil
		}
	}
	net, port, ok := parseEnd(source)
	if !ok || port != "" {
		return source, nil // whoever is asked says what is wrong with it
	}
	a := net.Addr().Unmap()
	switch mode {
	case Encrypt:
		net = netip.PrefixFrom(p.s.OpenAddr(a), min(net.Bits(), a.BitLen())).Masked()
		return string(event.AppendSource(nil, net)), nil
	case Truncate:
		short := keptBits(a)
		if net.Bits() <= short {
			return source, nil
		}
		if p.s.Addr(a) == a { // as it is shown
			return netip.PrefixFrom(a, short).String(), nil
		}
	}
	return "", errUnknown(event.Addresses)
}

// errText says what may be looked for.
var errText = errors.New("only a whole value as a page shows it is looked for")

// Text is what lists that show these groups are searched for.
func (p *Pages) Text(text string, of ...event.Group) (string, error) {
	if p == nil {
		return text, nil
	}
	g, private := p.anyOf(of...)
	if text == "" || !private {
		return text, nil
	}
	for _, kind := range [...]string{"digest", "call_id", "uri", "address", "peer", "agent"} {
		if clear, ok := p.find(kind, text); ok {
			return clear, nil
		}
	}
	if clear, ok := p.open(text, event.CallID, event.User, event.Whole, event.Host, event.Agent, event.Number, event.NameAddr); ok {
		return clear, nil
	}
	if a, err := netip.ParseAddr(text); err == nil && p.s.Modes()[event.Addresses] == Encrypt {
		return p.s.OpenAddr(a).String(), nil
	}
	return "", fmt.Errorf("text: %.100q is not allowed while privacy.%s masks what it would find; allowed: %w", text, g, errText)
}

// Word is Text for lists of addresses with words beside them, which can be looked for as
// long as they are none that an address may have in it.
func (p *Pages) Word(text string, words func(lower string) bool) (string, error) {
	lower := strings.ToLower(text)
	if strings.Trim(lower, "0123456789abcdef.:/") != "" && words(lower) {
		return text, nil
	}
	return p.Text(text, event.Addresses)
}
