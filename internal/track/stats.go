package track

import "github.com/sipcmbeat/sipcmbeat/internal/event"

// Stats are a tracker's counters, totals since New. Every message it sees is one
// of New, Retransmissions, Hops, or an answer.
type Stats struct {
	Requests, Responses uint64
	New                 uint64 // requests that began a transaction
	Retransmissions     uint64 // requests and answers seen before on the same hop
	Hops                uint64 // requests seen before on another hop
	Absorbed            uint64 // ACK, CANCEL and answers that decide nothing
	Challenges          uint64 // first challenges to requests other than INVITE
	ExpiredNonces       uint64 // challenges to credentials whose nonce had only grown old
	Guessed             uint64 // transitions rebuilt from loss
	AnswersToUnusable   uint64 // answers to messages that were a parse-error
	ContactsCut         uint64 // contacts beyond what one AOR may have

	Reports      [NumReports]uint64 // quality reports, by what became of them
	ReportsInSIP uint64             // those among them that requests carried

	Events     [event.NumTypes]uint64
	Evicted    [numWorth]uint64
	Unexpected [numMachines][maxStates][maxSymbols]uint64

	// What is there now.
	Calls, Attempts, Transactions, Bindings, AORs int
	Entries                                       int
	Bytes                                         int64
}

// Stats returns a copy of the counters.
func (t *Tracker) Stats() Stats {
	s := t.stats
	s.Entries, s.Bytes = t.calls.entries, t.calls.bytes
	s.Bindings, s.AORs = t.regs.bindings, len(t.regs.aors)
	return s
}
