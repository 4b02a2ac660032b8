package track

import (
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// Stats are a tracker's counters, totals since New. Every request it sees is one of New,
// RequestsAgain, Hops and Satellites.
type Stats struct {
	Requests, Responses uint64

	// Methods are the requests by method, Classes the answers by the first digit of
	// their code.
	Methods [sip.NumMethods]uint64
	Classes [NumClasses]uint64

	New               uint64 // requests that began a transaction
	Retransmissions   uint64 // requests and answers seen before on the same hop
	RequestsAgain     uint64 // the requests among Retransmissions
	Hops              uint64 // requests seen before on another hop
	Satellites        uint64 // ACK and CANCEL, which are of another request's transaction
	Absorbed          uint64 // ACK, CANCEL and answers that decide nothing
	Challenges        uint64 // first challenges to requests other than INVITE
	ExpiredNonces     uint64 // challenges to credentials whose nonce had only grown old
	Guessed           uint64 // transitions rebuilt from loss
	AnswersToUnusable uint64 // answers to messages that were a parse-error
	ContactsCut       uint64 // contacts beyond what one AOR may have

	Proven  uint64             // messages that others prove to have been sent; see Absent
	Missing [NumAbsent]uint64  // those of them that were not seen
	Unknown [NumStrayed]uint64 // calls whose beginning was not seen, by what showed them; they may be older than the capture

	Reports      [NumReports]uint64 // quality reports, by what became of them
	ReportsInSIP uint64             // those among them that requests carried

	Events     [event.NumTypes]uint64
	Evicted    [numWorth]uint64
	Unexpected [numMachines][maxStates][maxSymbols]uint64

	// What is there now. Entries are all of the table of calls; Attempts and Transactions
	// those of them that are open or remembered.
	Calls, Attempts, Transactions, Bindings, AORs int
	Entries                                       int
	Bytes, BindingBytes                           int64
}

// NumClasses is that of the classes of answers, of which the first is none.
const NumClasses = 7

// Stats returns a copy of the counters.
func (t *Tracker) Stats() Stats {
	s := t.stats
	s.Entries, s.Bytes = t.calls.entries, t.calls.bytes
	s.Calls, s.Attempts, s.Transactions = t.calls.up, t.calls.attempts, t.calls.requests
	s.Bindings, s.AORs, s.BindingBytes = t.regs.bindings, len(t.regs.aors), t.regs.bytes
	return s
}
