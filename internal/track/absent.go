package track

// What was sent and not seen, of which nobody tells: a mirror port that is too slow, a
// switch that copies one direction. Messages prove others: an answer its request, an ACK
// of a dialog the answer to its INVITE. The share of the proven ones that were not seen is
// an estimate of what is lost of all.
//
// What it is not: a loss that leaves no trace (a provisional answer, a whole call) is in
// neither number; one that a retransmission made up for is none; whoever sends ACKs or
// answers of his own invention proves messages that nobody sent.

// Absent is a kind of message that others prove.
type Absent uint8

// The kinds.
const (
	AbsentRequest Absent = iota // its final answer was seen
	AbsentFinal                 // a final answer to an INVITE, whose ACK was seen
	NumAbsent
)

// String names the kind in counters.
func (a Absent) String() string { return [...]string{"request", "answer to INVITE"}[a] }

// Strayed is what shows a call whose beginning was not seen.
type Strayed uint8

// The messages that do.
const (
	StrayedBye     Strayed = iota
	StrayedRequest         // a re-INVITE, UPDATE, INFO or REFER
	NumStrayed
)

// String names it in counters.
func (s Strayed) String() string { return [...]string{"BYE", "request in dialog"}[s] }

// settledIn reports whether what is proven now was sent while somebody looked: since the
// start, or the last time that nobody did, the longest wait of a transaction is over.
func (t *Tracker) settledIn() bool {
	return since(max(t.start, t.down.to), t.now) >= int64(max(t.cfg.Proceeding, t.cfg.Request)) && !t.ending && !t.evicting
}

// prove counts a message that another one proves, and that was seen.
func (t *Tracker) prove() {
	if t.settledIn() {
		t.stats.Proven++
	}
}

// proveRequest counts a request of which an answer decided.
func (t *Tracker) proveRequest(seen bool) {
	if t.settledIn() {
		t.stats.Proven++
		if !seen {
			t.stats.Missing[AbsentRequest]++
		}
	}
}

// unseenFinal counts the answer that an ACK proves, where it does.
func (t *Tracker) unseenFinal(proven bool) {
	if proven && t.settledIn() {
		t.stats.Proven++
		t.stats.Missing[AbsentFinal]++
	}
}
