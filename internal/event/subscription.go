package event

// Subscription is what SUBSCRIBE and NOTIFY say of their subscription (RFC 6665
// §8.2); Package is empty for everything else. Its Expires is the record's own, and
// its dialog is Call.
type Subscription struct {
	Package    Text `private:"errors,Word"`     // the event type, "refer" for what a REFER implies
	ID         Text `private:"call_ids,CallID"` // the id parameter: free text
	State      SubState
	Reason     Text   `private:"errors,Word"`
	RetryAfter uint32 // s
	Notifies   uint32 // NOTIFYs of it that had an outcome, with this one
}

// SubState is the state of a subscription, as the notifier tells it.
type SubState uint8

// The states (RFC 6665 §4.1.3). NoSubState: not told yet.
const (
	NoSubState SubState = iota
	SubPending
	SubActive
	SubTerminated
)

// String is the word of Subscription-State.
func (s SubState) String() string { return [...]string{"", "pending", "active", "terminated"}[s] }

// Transfer is what a REFER asks for, and in a call's record what became of it.
type Transfer struct {
	Target   Text   `private:"uris,Whole"`      // the URI of Refer-To, without its headers
	Replaces Text   `private:"call_ids,CallID"` // Call-ID of the call that is to be taken over: an attended transfer
	By       Side   // who asked
	Code     uint16 // the last status that was reported, or the refusal of the REFER
	Done     bool   // a 2xx was reported
}

// Report notes a status of the new call. A final one stands, whatever provisional comes
// late, and a 2xx above all.
func (t *Transfer) Report(code uint16) {
	if code < 100 || code > 699 || t.Done || code < 200 && t.Code >= 200 {
		return
	}
	t.Code, t.Done = code, code >= 200 && code < 300
}

var subscription = []row{
	{"sip.subscription.event", keyword, asWord, func(e *Event, v *Value) { v.str(e, e.Subscription.Package) }},
	{"sip.subscription.event_id", keyword, asCallID, func(e *Event, v *Value) { v.str(e, e.Subscription.ID) }},
	{"sip.subscription.expires", long, public, func(e *Event, v *Value) {
		if e.HasExpires && e.Subscription.Package.n > 0 {
			v.integer(int64(e.Expires))
		}
	}},
	{"sip.subscription.id", keyword, asCall, func(e *Event, v *Value) {
		if e.Subscription.Package.n > 0 {
			v.hash(e.Call)
		}
	}},
	{"sip.subscription.notifies", long, public, func(e *Event, v *Value) { v.positive(int64(e.Subscription.Notifies)) }},
	{"sip.subscription.reason", keyword, asWord, func(e *Event, v *Value) { v.str(e, e.Subscription.Reason) }},
	{"sip.subscription.retry_after_s", long, public, func(e *Event, v *Value) { v.positive(int64(e.Subscription.RetryAfter)) }},
	{"sip.subscription.state", keyword, public, func(e *Event, v *Value) { v.constant(e.Subscription.State.String()) }},
}

// transfer is what a REFER has as well as the call that it is about.
var transfer = []row{
	{"sip.call.transfer.replaces", keyword, asCallID, func(e *Event, v *Value) { v.str(e, e.Transfer.Replaces) }},
	{"sip.call.transfer.target", keyword, asURI, func(e *Event, v *Value) { v.str(e, e.Transfer.Target) }},
}

var transferred = []row{
	{"sip.call.early_media", boolean, public, func(e *Event, v *Value) { v.flag(e.EarlyMedia) }},
	{"sip.call.replaces", keyword, asCallID, func(e *Event, v *Value) { v.str(e, e.Replaces) }},
	{"sip.call.transfer.by", keyword, public, func(e *Event, v *Value) { v.constant(e.Transfer.By.String()) }},
	{"sip.call.transfer.code", long, public, func(e *Event, v *Value) { v.positive(int64(e.Transfer.Code)) }},
	{"sip.call.transferred", boolean, public, func(e *Event, v *Value) { v.flag(e.Transfer.Done) }},
}
