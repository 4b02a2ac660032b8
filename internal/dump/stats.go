package dump

import (
	"fmt"
	"sync/atomic"
)

// laneStats are counted under the lock of the queue.
type laneStats struct{ messages, dropped, refused uint64 }

// Stats are counters since Start. Of the messages for files, Wanted is the sum of
// those written and of those that were not, once the worker rests.
type Stats struct {
	Messages uint64 // given to the queue
	Dropped  uint64 // of them, by the full queue
	Refused  uint64 // files not begun, because the queue was full

	Wanted    uint64 // messages for a file, from the queue and from the ring
	Written   uint64
	Full      uint64 // not written: the file had reached MaxFile
	Unwritten uint64 // not written: the disk did not take them
	Existing  uint64 // not written: a file of that name was there already
	Deleted   uint64 // not written: the file had been deleted

	Files   uint64 // written
	Empty   uint64 // named in an event, and never a message for them
	Removed uint64 // deleted by the limits
	Held    int    // files of ours in the directory
	Bytes   int64  // of them
}

// Lost is how many messages are in no file though they should be.
func (s *Stats) Lost() uint64 { return s.Dropped + s.Full + s.Unwritten + s.Deleted }

// Check reports a sum that does not agree. Before Close something may be under way.
func (s *Stats) Check() error {
	if sum := s.Written + s.Full + s.Unwritten + s.Existing + s.Deleted; sum != s.Wanted {
		return fmt.Errorf("counters disagree: messages for capture files = written + full + unwritten + existing + deleted: %d, not %d", sum, s.Wanted)
	}
	return nil
}

// workerStats are the worker's, read by others.
type workerStats struct {
	wanted, written, full, unwritten, existing, deleted atomic.Uint64
	files, empty, removed                               atomic.Uint64
	held, bytes                                         atomic.Int64
}

// Stats gives the counters. Any goroutine may call it.
func (d *Dumper) Stats() Stats {
	d.queue.Lock()
	l := d.lane
	d.queue.Unlock()
	w := &d.worker.stats
	return Stats{
		Messages: l.messages, Dropped: l.dropped, Refused: l.refused,
		Wanted: w.wanted.Load(), Written: w.written.Load(), Full: w.full.Load(), Unwritten: w.unwritten.Load(),
		Existing: w.existing.Load(), Deleted: w.deleted.Load(),
		Files: w.files.Load(), Empty: w.empty.Load(), Removed: w.removed.Load(),
		Held: int(w.held.Load()), Bytes: w.bytes.Load(),
	}
}
