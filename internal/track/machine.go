package track

import "github.com/sipcmbeat/sipcmbeat/internal/event"

// state and symbol number the rows and columns of a machine's table.
type (
	state  uint8
	symbol uint8
)

// ground is why a machine moves.
type ground uint8

const (
	unlisted ground = iota // not foreseen: the machine stays, and it is counted
	seen                   // the messages say so
	ignore                 // legal, and no reason to move
	guess                  // rebuilt from what is left after a loss
)

// cell is one transition: where to, which event leaves, and on what ground.
type cell struct {
	next   state
	emit   event.Type
	ground ground
}

// machine is a table with its names; the rows are states, the columns symbols.
type machine struct {
	id      int
	name    string
	states  []string
	symbols []string
	cells   table
}

// The machines, in the order of their counters.
const (
	attemptID = iota
	dialogID
	requestID
	bindingID
	subscriptionID
	numMachines
)

// machines is all of them, by number.
var machines = [numMachines]*machine{&attemptMachine, &dialogMachine, &requestMachine, &bindingMachine, &subscriptionMachine}

// MachineNames are their names, in the order of Stats.Unexpected.
var MachineNames = func() (names [numMachines]string) {
	for i, m := range machines {
		names[i] = m.name
	}
	return names
}()

// maxStates and maxSymbols bound the tables, for the counters.
const (
	maxStates  = 16
	maxSymbols = 24
)

// table is what the machine files write down.
type table [][]cell

// step looks a transition up. A pair that is not listed stays where it is, and
// ok is false.
func (m *machine) step(s state, y symbol) (c cell, ok bool) {
	if int(s) < len(m.cells) && int(y) < len(m.cells[s]) {
		if c := m.cells[s][y]; c.ground != unlisted {
			return c, true
		}
	}
	return cell{next: s}, false
}
