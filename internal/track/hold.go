package track

import "github.com/sipcmbeat/sipcmbeat/internal/sip"

// What puts a call on hold: a re-INVITE or UPDATE that is not refused, or where the
// re-INVITE had no offer, its 2xx or ACK (RFC 3264 §8.4, RFC 3261 §14.1).

// describesHold reports whether v has a session description that puts on hold.
func (t *Tracker) describesHold(v *view) bool {
	body := v.m.Body()
	if len(body) == 0 {
		return false
	}
	body = sip.SDPBody(v.m.Value(sip.HeaderContentType), body)
	return len(body) > 0 && t.sdp.Parse(body) && t.sdp.Held()
}

// notHeld takes back that r put its call on hold: it was refused, and the session stays
// as it was (RFC 3261 §14.1, RFC 3311 §5.2). A challenge refuses, too; the try with
// credentials says it again.
func (t *Tracker) notHeld(r *request) {
	r.rec.Held = false
	if d := r.set.dialogs.get(dialogKey(r.ft, r.tt)); d != nil {
		d.held = false
	}
}

// heldByAck notes a hold that the ACK of a re-INVITE asks for: it answers the offer of the
// 2xx (RFC 3261 §14.1).
func (t *Tracker) heldByAck(d *dialog, v *view) {
	again := v.cseq > d.cseq || d.side(v.ft) == 1
	d.held = d.held || d.caller != 0 && again && t.describesHold(v)
}
