package dump

// op is what a record in the queue asks for.
type op byte

const (
	opMessage op = iota // payload: the message
	opOpen              // a file for this hash; payload: the Call-ID as its name has it
	opClose             // no more for it
)

// Flags of a record in the queue.
const (
	flagKeep = 1 << iota // into the file of its hash
	flagHold             // into the ring
	flagBack             // of opOpen: with what the ring holds
)
