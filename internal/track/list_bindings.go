package track

import (
	"fmt"
	"net/netip"

	shown "github.com/sipcmbeat/sipcmbeat/internal/view"
)

// BindingListing is a page of bindings in work.
type BindingListing struct {
	listing
	state state
	out   []shown.Binding
	aors  int
}

// Bindings begins a page. The error names what is wrong in the query.
func (t *Tracker) Bindings(q shown.Query) (*BindingListing, error) {
	l := &BindingListing{listing: listing{q: q, kind: cursorBindings}, out: []shown.Binding{}}
	if err := l.begin(t); err != nil {
		return nil, err
	}
	switch q.State {
	case "":
	case bindingMachine.states[bound]:
		l.state = bound
	case bindingMachine.states[parting]:
		l.state = parting
	default:
		return nil, fmt.Errorf("state: %q is not allowed; allowed: %s, %s", shorten(q.State), bindingMachine.states[bound], bindingMachine.states[parting])
	}
	return l, nil
}

// Slice goes on with the page and reports whether it has to be called again; others may
// use the tracker in between. t is the one that Bindings was called of, or the one that
// came in its place.
func (l *BindingListing) Slice(t *Tracker) (more bool) {
	r := &t.lists.bindings
	if !l.begun {
		l.begun = true
		if l.itself(t) {
			l.end(t, r)
			return false
		}
	}
	more = l.slice(r, func() int { return len(l.out) }, func(x *slot) bool {
		b := x.link.owner.(*binding)
		if !l.wanted(b) || l.exact && t.isAOR(b.aor, l.q.Text) {
			return false
		}
		l.out = append(l.out, shownBinding(b))
		return true
	})
	if !more {
		l.end(t, r)
		l.aors = len(t.regs.aors)
	}
	return more
}

// Page is the page when it is made. The caller owns it.
func (l *BindingListing) Page() shown.BindingPage {
	return shown.BindingPage{Page: l.page, AORs: l.aors, Bindings: l.out}
}

// itself shows the bindings of the AOR that the text is, where there are some, on a
// page of their own: it needs no search.
func (l *BindingListing) itself(t *Tracker) bool {
	if l.q.Text == "" || l.q.Cursor != "" {
		return false
	}
	a := t.aorNamed(l.q.Text)
	if a == nil || len(a.bindings) > l.q.Limit {
		return false
	}
	for i := len(a.bindings) - 1; i >= 0; i-- {
		if l.looked++; l.wanted(a.bindings[i]) {
			l.out = append(l.out, shownBinding(a.bindings[i]))
		}
	}
	l.exact = len(l.out) > 0
	l.aors = len(t.regs.aors)
	return l.exact
}

// aorNamed finds an AOR by its text, or by what follows the scheme sip.
func (t *Tracker) aorNamed(text string) *aor {
	for _, scheme := range [...]string{"", "sip:"} {
		if a := t.regs.aors[t.hash([]byte(scheme+text))]; a != nil && t.isAOR(a, text) {
			return a
		}
	}
	return nil
}

func (t *Tracker) isAOR(a *aor, text string) bool {
	return string(a.text) == text || len(a.text) == len("sip:")+len(text) && string(a.text[:4]) == "sip:" && string(a.text[4:]) == text
}

func (l *BindingListing) wanted(b *binding) bool {
	switch {
	case l.state != unbound && b.state != l.state:
		return false
	case l.source.IsValid() && !l.fromSource(b.source().Addr()):
		return false
	case len(l.text) == 0:
		return true
	}
	return l.contains(b.aor.text) || l.contains(b.piece(pieceURI)) || b.agent != nil && l.contains([]byte(b.agent.text))
}

// source is where the REGISTER came from.
func (b *binding) source() (a netip.AddrPort) {
	_ = a.UnmarshalBinary(b.piece(pieceSrc)) // write made it
	return a
}

// Binding gives the bindings of an AOR, the latest first; false where it is not known.
func (t *Tracker) Binding(text string) ([]shown.Binding, bool) {
	a := t.aorNamed(text)
	if a == nil {
		return nil, false
	}
	out := make([]shown.Binding, 0, len(a.bindings))
	for i := len(a.bindings) - 1; i >= 0; i-- {
		out = append(out, shownBinding(a.bindings[i]))
	}
	return out, true
}

func shownBinding(b *binding) shown.Binding {
	s := shown.Binding{
		AOR:       shown.Text(b.aor.text),
		Contact:   shown.Text(b.piece(pieceURI)),
		Source:    addrOf(b.source()),
		Transport: b.transport.String(),
		CallID:    shown.Text(b.piece(pieceCallID)),
		State:     bindingMachine.states[b.state],
		Since:     timeOf(b.first),
		Refreshed: timeOf(b.refreshed()),
		Expires:   timeOf(b.until),
		Refreshes: int(b.refreshes),
		Anomalies: anomaliesOf(b.anomalies),
	}
	if b.agent != nil {
		s.UserAgent = shown.Text([]byte(b.agent.text))
	}
	return s
}
