// Package metric is the form in which every stage hands its counters on: a name, what
// it counts, and the value of now. Records of statistics, pages and Prometheus are made
// of the same samples, so that one name means one thing everywhere.
//
// It counts nothing itself and keeps nothing.
package metric

// Kind is how a value moves.
type Kind uint8

// The kinds.
const (
	Counter Kind = iota // only rises, from the start of the program
	Gauge               // is what is there now
)

// String is the word that Prometheus has for it.
func (k Kind) String() string { return [...]string{"counter", "gauge"}[k] }

// Desc describes a family of samples: one row of a stage's table. Name is snake_case,
// without a prefix and without _total; unit last where there is one (bytes, seconds).
type Desc struct {
	Group string // a stage, as in stats_groups: capture, packet, stream, sip, track, events, output, ...
	Name  string // unique over all groups
	Kind  Kind
	Label string // name of the only label, "" without; its values are a closed list
	Help  string // a sentence for the documents
}

// Adder takes the samples of one moment: of each its family, the value of the label, "" where
// there is none, and the number.
type Adder func(d *Desc, value string, n float64)
