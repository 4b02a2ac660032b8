package dump

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/recent"
)

// When is a set of reasons to write a file.
type When uint8

// The reasons.
const (
	Always  When = 1 << iota // every Call-ID, from its first message on
	Failed                   // a call, a registration or another request that failed
	Alert                    // Trigger was called
	List                     // somebody on Config.List is in it
	numWhen = iota
)

var whenNames = [numWhen]string{"always", "failed", "alert", "list"}

// ParseWhen finds a reason by its name.
func ParseWhen(name string) (When, bool) {
	for i, n := range whenNames {
		if n == name {
			return 1 << i, true
		}
	}
	return 0, false
}

// WhenNames lists the names of all reasons, for messages that say what is allowed.
func WhenNames() string { return strings.Join(whenNames[:], ", ") }

// triggered are the reasons that look back, and so need the ring.
func (w When) triggered() bool { return w&(Failed|Alert) != 0 }

// Config says what is written, where, and how much of it is kept. Sizes are in
// bytes, spans in packet time.
type Config struct {
	Dir  string   // made when it is missing; "" is off
	When When     // what makes a file
	List []string // users, users at hosts, telephone numbers, Call-IDs

	MaxFile  int64         // one file; what does not fit is left out and counted
	MaxFiles int           // files of ours in Dir; the oldest are deleted
	MaxTotal int64         // all of them together
	MaxAge   time.Duration // by the time in the name; 0 is no limit

	RingSize int           // memory for what came before a trigger
	RingAge  time.Duration // how far a file looks back
	Linger   time.Duration // how long after the last trigger messages are still added
	Queue    int           // memory between the lanes and the worker

	// Mask gives what masks the Call-IDs in the names of files, and the messages unless
	// Clear says that those are written as they were; it may give nil, and be nil, where
	// nothing is masked. It is asked for each message.
	Mask  func() recent.Mask
	Clear bool

	// Wait makes a lane wait for room in the queue, as with the events of a file run.
	// Otherwise what does not fit is dropped and counted.
	Wait bool

	// Say is told, once a minute at most, that something could not be written and
	// why. The worker calls it. It may be nil.
	Say func(line string)
}

// The greatest limits.
const (
	MostFiles = 1 << 20
	MostBytes = 1 << 50
)

// DefaultConfig is off; the bounds suit a sensor with a small disk. A caller gives
// up 180 s after the last ringing (RFC 3261 §16.6, Timer C), and the ring has to
// reach to before that; requests are repeated for 32 s (§17.1.1.1).
func DefaultConfig() Config {
	return Config{
		When:     Failed,
		MaxFile:  16 << 20,
		MaxFiles: 10000,
		MaxTotal: 1 << 30,
		MaxAge:   7 * 24 * time.Hour,
		RingSize: 64 << 20,
		RingAge:  5 * time.Minute,
		Linger:   32 * time.Second,
		Queue:    16 << 20,
	}
}

// maxDir bounds the directory's name, so that a path fits into a field.
const maxDir = 512

// Validate names the first setting that cannot be, and what is allowed.
func (c *Config) Validate() error {
	if len(c.Dir) > maxDir || strings.ContainsFunc(c.Dir, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("pcap_dump.dir: %q is not allowed: a path has %d bytes at most and no control characters", c.Dir, maxDir)
	}
	if c.When&List != 0 && len(c.List) == 0 {
		return errors.New("pcap_dump.when: list is not allowed while pcap_dump.list is empty; allowed there: users, user@host, telephone numbers, Call-IDs")
	}
	for _, n := range []struct {
		key              string
		value, low, high int64
		allowed          string
	}{
		{"max_file", c.MaxFile, 64 << 10, 4 << 30, "64KiB to 4GiB"},
		{"max_files", int64(c.MaxFiles), 1, MostFiles, "1 to 1048576"},
		{"max_total", c.MaxTotal, c.MaxFile, MostBytes, "max_file and above"},
		{"ring_size", int64(c.RingSize), minBuffer, 16 << 30, "4MiB to 16GiB"},
		{"queue_size", int64(c.Queue), minBuffer, 1 << 30, "4MiB to 1GiB"},
	} {
		if n.value < n.low || n.value > n.high {
			return fmt.Errorf("pcap_dump.%s: %d is not allowed; allowed: %s", n.key, n.value, n.allowed)
		}
	}
	for _, d := range []struct {
		key       string
		value     time.Duration
		low, high time.Duration
		allowed   string
	}{
		{"max_age", c.MaxAge, 0, 10 * 365 * 24 * time.Hour, "0 (no limit) to 87600h"},
		{"ring_age", c.RingAge, time.Second, 24 * time.Hour, "1s to 24h"},
		{"linger", c.Linger, 0, time.Hour, "0 to 1h"},
	} {
		if d.value < d.low || d.value > d.high {
			return fmt.Errorf("pcap_dump.%s: %v is not allowed; allowed: %s", d.key, d.value, d.allowed)
		}
	}
	return nil
}

// minBuffer lets the longest message, of 1 MiB, into half of a queue.
const minBuffer = 4 << 20
