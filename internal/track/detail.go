package track

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	shown "github.com/sipcmbeat/sipcmbeat/internal/view"
)

// Detail gives what is known of a Call-ID: the latest of its dialogs and attempts. id
// chooses which of them it is about; with the zero one it is the newest that is not
// over. ok is false where nothing is known.
func (t *Tracker) Detail(of Named, id event.Hash) (detail shown.CallDetail, ok bool) {
	if of.set == 0 {
		of.set = t.hash([]byte(of.CallID))
	}
	s := t.calls.sets[of.set]
	if s == nil {
		return detail, false
	}
	callID := string(event.Key([]byte(of.CallID)))
	var parts []fork
	for _, x := range t.slotsOf(s) {
		e := t.recordOf(x.link.owner)
		if string(e.Bytes(e.CallID)) == callID {
			parts = append(parts, fork{t.shownCall(x.link.owner, e, x), x.link.owner})
		}
	}
	for _, d := range s.dialogs.latest() {
		if d.state == ended {
			parts = append(parts, fork{t.shownOver(d, callID), d})
		}
	}
	if len(parts) == 0 {
		return detail, false
	}
	main := 0
	if want := fmt.Sprintf("%x", id[:]); id != (event.Hash{}) {
		main = max(slices.IndexFunc(parts, func(p fork) bool { return p.call.ID == want }), 0)
	} else if i := slices.IndexFunc(parts, func(p fork) bool { return p.call.Answered != nil }); i > 0 {
		main = i
	}
	detail.Call = parts[main].call
	t.fillDetail(&detail, parts[main].owner)
	for i, p := range parts {
		if i != main {
			detail.Parts = append(detail.Parts, p.call)
		}
	}
	return detail, true
}

// fork is a dialog or an attempt of a Call-ID.
type fork struct {
	call  shown.Call
	owner evictable
}

// shownOver is what is left of a dialog that is over: its record is gone.
func (t *Tracker) shownOver(d *dialog, callID string) shown.Call {
	s := shown.Call{
		CallID: shown.Text([]byte(callID)), State: stateOf(d),
		Answered: timeOf(d.answered), Seen: timeOf(d.seen), Ended: timeOf(d.bye),
		Held: d.held, Retransmission: int(d.retrans), Anomalies: anomaliesOf(d.anomalies),
	}
	if d.bye != 0 {
		s.HangupBy = d.hungUp().String()
	}
	return s
}

// fillDetail adds what only the detail has.
func (t *Tracker) fillDetail(s *shown.CallDetail, owner evictable) {
	span := func(name string, ns int64) {
		if ns >= 0 {
			s.Timings = append(s.Timings, shown.Timing{Name: name, Seconds: float64(ns) / 1e9})
		}
	}
	d, isDialog := owner.(*dialog)
	if !isDialog || d.state != ended {
		e := t.recordOf(owner)
		s.Correlation = shown.Text(e.Bytes(e.Correlation))
		legs := e.Legs
		for b, ok := e.Next(&legs); ok; b, ok = e.Next(&legs) {
			if a, ok := netip.AddrFromSlice(b); ok {
				s.Legs = append(s.Legs, a.Unmap().String())
			}
		}
		span("post-dial", e.PDD)
		if a, ok := owner.(*attempt); ok && a.ringing != 0 {
			over := t.now
			if a.state == failed && a.decided != 0 {
				over = a.decided
			}
			span("ringing", since(a.ringing, over))
		} else {
			span("ringing", e.Ring)
		}
		span("setup", e.Setup)
	}
	if !isDialog {
		return
	}
	if d.answered != 0 {
		over := d.bye
		if over == 0 {
			over = t.now
		}
		span("talk", since(d.answered, over))
	}
	if d.bye != 0 && d.byeAnswer != 0 {
		span("disconnect", since(d.bye, d.byeAnswer))
	}
}
