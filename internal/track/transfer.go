package track

import (
	"bytes"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// What a REFER makes of the call that it is in: one side asks the other to call
// somebody (RFC 3515; blind), perhaps in place of a call that he has (RFC 3891;
// attended), and NOTIFYs tell how that goes (RFC 3515 §2.4.5). The record of the call
// tells the last REFER; the new call is a call of its own.

// transfer takes in r, the first copy of a request of the call d.
func (t *Tracker) transfer(d *dialog, r *request, v *view) {
	switch v.method {
	case sip.MethodRefer:
		t.referred(d, r, v)
	case sip.MethodNotify:
		if string(r.rec.Bytes(r.rec.Subscription.Package)) == referPackage {
			to := &t.record(d).Transfer
			if to.Report(fragStatus(v.m)); to.By == event.NoSide && to.Code > 0 { // the REFER was missed: it came from the other side
				to.By = d.sideOf(v.tt)
			}
		}
	}
}

// referred notes a REFER. One after a transfer that was done changes nothing.
func (t *Tracker) referred(d *dialog, r *request, v *view) {
	from := &r.rec.Transfer
	if from.Target.Len() == 0 || t.look(d).Transfer.Done {
		return
	}
	rec := t.record(d)
	to := &rec.Transfer
	*to = event.Transfer{By: d.sideOf(v.ft)}
	rec.Set(&to.Target, r.rec.Bytes(from.Target))
	rec.SetKey(&to.Replaces, r.rec.Bytes(from.Replaces))
}

// sideOf is the side of a tag; unknown where the caller is, or where the tags do not tell.
func (d *dialog) sideOf(tag uint64) event.Side {
	if d.caller == 0 || d.alike() {
		return event.SideUnknown
	}
	return [...]event.Side{event.Caller, event.Callee}[d.side(tag)]
}

// referDecided notes a REFER that was refused.
func (t *Tracker) referDecided(r *request, outcome event.Type) {
	if r.method != sip.MethodRefer || r.tt == 0 || outcome != event.OtherFailed {
		return
	}
	if d := r.set.dialogs.get(dialogKey(r.ft, r.tt)); d != nil && t.look(d).Transfer.Target.Len() > 0 {
		t.record(d).Transfer.Report(r.rec.Code)
	}
}

// fragStatus is the status code of a message/sipfrag body (RFC 3420): it begins with
// the status line. 0 is none.
func fragStatus(m *sip.Message) uint16 {
	const version = "SIP/2.0 "
	kind, _, _ := bytes.Cut(m.Value(sip.HeaderContentType), []byte{';'})
	b := bytes.TrimLeft(m.Body(), " \t\r\n")
	if !bytes.EqualFold(bytes.TrimSpace(kind), []byte("message/sipfrag")) || len(b) < len(version)+3 || !bytes.EqualFold(b[:len(version)], []byte(version)) {
		return 0
	}
	code := uint16(0)
	for _, c := range b[len(version) : len(version)+3] {
		if c < '0' || c > '9' {
			return 0
		}
		code = 10*code + uint16(c-'0')
	}
	return code
}
