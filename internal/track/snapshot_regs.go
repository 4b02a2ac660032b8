package track

import (
	"net/netip"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// What is kept of registrations.

func (p *pass) aor(a *aor) {
	p.Hash(&a.key)
	p.Bytes(&a.text, maxAOR)
	idling := a.idle != nil
	p.Flags(&idling)
	if !idling {
		return
	}
	if p.Reading {
		a.idle = &idle{aor: a}
	}
	p.timer(&a.idle.timer, ahead)
}

// maxAOR is the longest address of record, in bytes.
const maxAOR = 1 << 16

func (p *pass) binding(b *binding) {
	upTo(p, &b.state, parting)
	p.timer(&b.timer, lifetime+ahead)
	p.Hashes(&b.key, &b.alias)
	p.Bytes(&b.text, numPieces*event.MaxText)
	for i := range b.ends {
		whole(p, &b.ends[i])
	}
	p.agent(&b.agent)
	whole(p, &b.cseq)
	whole(p, &b.refreshes)
	upTo(p, &b.transport, event.SCTP)
	p.Flags(&b.injected)
	p.time(&b.first, &b.removed)
	p.until(&b.until, lifetime+ahead)
	p.late(&b.late)
	whole(p, &b.granted)
	upTo(p, &b.incomplete, event.Incomplete(1<<len(event.IncompleteWords)-1))
	upTo(p, &b.unsure, event.Incomplete(1<<len(event.IncompleteWords)-1))
	upTo(p, &b.anomalies, event.Anomalies(1<<len(event.AnomalyWords)-1))
	if p.Reading && (!b.ordered() || b.state == unbound) {
		p.Fail()
	}
}

// ordered reports whether the pieces of the text are in it, and the addresses are some.
func (b *binding) ordered() bool {
	last := uint16(0)
	for _, end := range b.ends {
		if end < last || int(end) > len(b.text) {
			return false
		}
		last = end
	}
	var a netip.AddrPort
	return a.UnmarshalBinary(b.piece(pieceSrc)) == nil && a.UnmarshalBinary(b.piece(pieceDst)) == nil
}

// agent walks the name of a program, nil without one. What is read is nobody else's.
func (p *pass) agent(a **agent) {
	text := p.t.scratch[:0]
	if *a != nil {
		text = append(text, (*a).text...)
	}
	p.t.scratch = text
	if p.Bytes(&text, event.MaxText); p.Reading && len(text) > 0 {
		*a = &agent{text: string(text)}
	}
}
