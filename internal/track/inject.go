package track

import "github.com/sipcmbeat/sipcmbeat/internal/sip"

// Messages that somebody puts in by hand, to try something out. They are followed like
// all others, at the time of the clock, which they do not move. Whatever is said because
// of one, or of a call, binding or transaction that one had a part in, is marked: nobody
// shall take it for traffic.

// Injecting makes the next messages ones that were put in by hand, until SetSource.
func (t *Tracker) Injecting() { t.injecting = true }

// MarkInjected marks what goes on under the Call-ID of a message that was put in. Of a
// Call-ID that has more than looseLimit entries of a kind, the latest: those that one
// message may touch.
func (t *Tracker) MarkInjected(m *sip.Message) {
	if len(m.CallID()) == 0 {
		return
	}
	s := t.calls.sets[t.hash(m.CallID())]
	if s == nil {
		return
	}
	for _, a := range s.attempts.latest() {
		a.rec.Injected = true
	}
	for _, d := range s.dialogs.latest() {
		if d.state != ended {
			t.record(d).Injected = true
		}
	}
	for _, r := range s.requests.latest() {
		if r.rec != nil {
			r.rec.Injected = true
		}
	}
	t.rest()
}
