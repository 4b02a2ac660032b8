package dump

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/recent"
)

const (
	maxOpen        = 64        // file descriptors
	maxPend        = 256 << 10 // bytes that wait for one write
	maxIdleBuffers = 64
)

// file is a file that is still added to, as the worker knows it.
type file struct {
	hash  uint64
	name  string
	named int64
	kept  *kept       // nil until it is made
	info  os.FileInfo // of what was made
	fd    *os.File    // nil while closed
	flows recent.Flows
	fate  fate
	size  int64
	pend  []byte // frames that wait to be written
	count uint64 // of them

	older, newer *file // in the order in which they were taken on
}

// fate is why nothing more goes into a file.
type fate uint8

const (
	fine fate = iota
	full
	existing
	deleted
)

// worker is the one goroutine that touches the disk.
type worker struct {
	cfg    Config
	queue  *queue
	folder folder
	ring   *recent.Ring
	frames recent.Writer
	stats  workerStats
	files  map[uint64]*file
	ends   file // older is the newest, newer the oldest
	most   int
	dirty  []*file
	open   []*file // with a descriptor, the least used first
	idle   [][]byte
	now    int64 // for the age of files
	said   bool
	done   chan struct{}
}

func newWorker(cfg Config, dir string, q *queue, most int) *worker {
	w := &worker{cfg: cfg, queue: q, files: map[uint64]*file{}, most: most, done: make(chan struct{})}
	w.folder = folder{dir: dir, cfg: cfg, stats: &w.stats}
	w.ends.older, w.ends.newer = &w.ends, &w.ends
	if cfg.When.triggered() {
		w.ring = recent.NewRing(cfg.RingSize)
	}
	return w
}

// run works until the queue is closed and empty.
func (w *worker) run() {
	defer close(w.done)
	poll, minute := time.NewTicker(pollEvery), time.NewTicker(sayEvery)
	defer poll.Stop()
	defer minute.Stop()
	for {
		select {
		case <-w.queue.wake:
		case <-poll.C:
		case <-minute.C:
			w.said = false
			w.tell(w.folder.scan())
		}
		batch, closed := w.queue.take()
		w.batch(batch)
		if closed && len(batch) == 0 {
			break
		}
		if closed {
			w.queue.rouse()
		}
	}
	for _, f := range w.files {
		w.finish(f)
	}
	w.folder.close()
}

// batch does what the lanes asked for.
func (w *worker) batch(batch []byte) {
	if len(batch) == 0 {
		return
	}
	now := int64(math.MaxInt64)
	for b := batch; len(b) > 0; {
		r := recent.Record(b[:recent.Record(b).Len()])
		b = b[len(r):]
		switch op(r.Op()) {
		case opMessage:
			now = min(now, r.Time())
			if r.Has(flagHold) && w.ring != nil {
				w.ring.Add(r)
			}
			if r.Has(flagKeep) {
				w.keep(w.files[r.Hash()], r)
			}
		case opOpen:
			w.begin(r)
		case opClose:
			if f := w.files[r.Hash()]; f != nil {
				w.finish(f)
			}
		}
	}
	for _, f := range w.dirty {
		w.flush(f)
	}
	w.dirty = w.dirty[:0]
	// The least time: one frame whose clock is wrong must not make all files too old.
	if now < math.MaxInt64 {
		w.now = now
	}
	w.tell(w.folder.limit(w.now))
}

// begin takes a file on, with what the ring has for it.
func (w *worker) begin(r recent.Record) {
	hash := r.Hash()
	if old := w.files[hash]; old != nil {
		w.finish(old)
	}
	if len(w.files) >= w.most { // the queue was full when one was to be closed
		w.finish(w.ends.newer)
	}
	f := &file{hash: hash, name: string(appendName(nil, r.Time(), label(r.Kind()), r.Payload())), named: r.Time(), older: w.ends.older, newer: &w.ends}
	f.older.newer, w.ends.older = f, f
	w.files[hash] = f
	if r.Has(flagBack) && w.ring != nil {
		since := r.Time() - int64(w.cfg.RingAge)
		for _, pos := range w.ring.Find(hash, since, int(min(w.cfg.MaxFile, math.MaxInt32))) {
			w.keep(f, w.ring.At(pos))
		}
	}
}

// keep puts a message among those that wait to be written.
func (w *worker) keep(f *file, r recent.Record) {
	w.stats.wanted.Add(1)
	if f == nil { // closed to make room
		w.stats.unwritten.Add(1)
		return
	}
	if f.kept != nil && f.kept.gone {
		f.fate = deleted
	}
	if f.fate != fine {
		w.lost(f, 1)
		return
	}
	if len(f.pend) == 0 {
		if f.pend == nil && len(w.idle) > 0 {
			f.pend, w.idle = w.idle[len(w.idle)-1], w.idle[:len(w.idle)-1]
		}
		if f.size == 0 {
			f.pend = append(f.pend, recent.FileHeader...)
		}
		w.dirty = append(w.dirty, f)
	}
	if w.frames.By = nil; !w.cfg.Clear {
		w.frames.By = w.cfg.mask()
	}
	before := len(f.pend)
	f.pend = w.frames.AppendFrames(f.pend, r, &f.flows)
	if f.size+int64(len(f.pend)) > w.cfg.MaxFile {
		f.pend, f.fate = f.pend[:before], full
		w.lost(f, 1)
		return
	}
	f.count++
	if len(f.pend) >= maxPend {
		w.flush(f)
	}
}

// lost counts n messages that a file does not get.
func (w *worker) lost(f *file, n uint64) {
	switch f.fate {
	case full:
		w.stats.full.Add(n)
	case existing:
		w.stats.existing.Add(n)
	case deleted:
		w.stats.deleted.Add(n)
	case fine:
		w.stats.unwritten.Add(n)
	}
}

// flush writes what waits. What cannot be written is counted and forgotten; the
// file keeps whole frames.
func (w *worker) flush(f *file) {
	if f.count > 0 {
		if err := w.write(f); err != nil {
			w.failed(f, err)
		} else {
			w.stats.written.Add(f.count)
		}
	}
	f.count = 0
	if f.pend == nil {
		return
	}
	if cap(f.pend) <= 2*maxPend && len(w.idle) < maxIdleBuffers {
		w.idle = append(w.idle, f.pend[:0])
	}
	f.pend = nil
}

// failed notes why the messages that wait are lost.
func (w *worker) failed(f *file, err error) {
	was := f.fate
	switch {
	case f.kept == nil && errors.Is(err, fs.ErrExist):
		f.fate = existing
	case f.kept != nil && errors.Is(err, fs.ErrNotExist):
		f.fate = deleted
	default:
		f.fate = fine // another try with the next message
		w.tell(fmt.Errorf("write a file: %w", plain(err)))
	}
	w.lost(f, f.count)
	if f.fate == fine {
		f.fate = was
	}
}

// write appends what waits to the file, or leaves it as it was.
func (w *worker) write(f *file) error {
	if f.kept != nil && f.kept.gone {
		return fs.ErrNotExist
	}
	if err := w.ready(f); err != nil {
		return err
	}
	n, err := f.fd.Write(f.pend)
	if err != nil {
		if n > 0 {
			err = errors.Join(err, f.fd.Truncate(f.size))
		}
		return err
	}
	if f.size == 0 {
		w.stats.files.Add(1)
	}
	f.size += int64(n)
	w.folder.grew(f.kept, int64(n))
	return nil
}

// ready sees to it that the file has a descriptor.
func (w *worker) ready(f *file) (err error) {
	if f.fd != nil {
		if i := slices.Index(w.open, f); i < len(w.open)-1 {
			w.open = append(slices.Delete(w.open, i, i+1), f)
		}
		return nil
	}
	if len(w.open) >= maxOpen {
		w.shut(w.open[0])
	}
	if f.kept == nil {
		if f.fd, f.kept, err = w.folder.create(f.name, f.named); err == nil {
			f.info, err = f.fd.Stat()
		}
	} else {
		f.fd, err = w.folder.append(f.name, f.info, f.size)
	}
	if f.fd != nil {
		w.open = append(w.open, f)
	}
	return err
}

// shut closes the descriptor.
func (w *worker) shut(f *file) {
	if f.fd == nil {
		return
	}
	w.tell(f.fd.Close())
	f.fd = nil
	if i := slices.Index(w.open, f); i >= 0 {
		w.open = slices.Delete(w.open, i, i+1)
	}
}

// finish ends a file.
func (w *worker) finish(f *file) {
	w.flush(f)
	w.shut(f)
	switch {
	case f.kept == nil && f.fate == fine:
		w.stats.empty.Add(1)
	case f.kept != nil && f.size == 0:
		w.folder.remove(f.kept)
	}
	f.older.newer, f.newer.older = f.newer, f.older
	delete(w.files, f.hash)
}

// plain leaves the name of the file out, which has a Call-ID in it: those are
// private and in no log.
func plain(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// tell says an error, once a minute.
func (w *worker) tell(err error) {
	if err == nil || w.said || w.cfg.Say == nil {
		return
	}
	w.said = true
	w.cfg.Say(fmt.Sprintf("pcap_dump: %v; calls go on being followed, and what is lost is counted", err))
}
