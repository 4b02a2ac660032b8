// Package dump writes the messages of single Call-IDs into capture files: of all,
// of those that failed, of those for which somebody asks while the program runs, or
// of those that name somebody on a list.
//
// A lane copies each message into a queue of a fixed size and goes on; it never
// waits for a disk (unless Config.Wait says so) and allocates nothing. One worker
// takes from the queue, keeps the last messages in a ring, from which a file gets
// what came before its trigger, and does all that touches the disk. What could not
// be kept or written is counted.
//
// The name of a file is a function of why it was begun and of the Call-ID, masked where
// those are, so that an event can name it before it is there. Frames are made anew (see recent.AppendFrames):
// what carried a message may have been segments, fragments or tunnels.
//
// It does not keep what is no SIP, or has no Call-ID, and reads no clock: ages are
// in packet time, as the names have it.
package dump

import (
	"hash/maphash"
	"path/filepath"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/recent"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// maxCalls is how many Call-IDs may have a file that is still added to.
const maxCalls = 1 << 16

// maxIdle is how long a Call-ID may be silent before its messages begin another
// file, where it is followed from the start: as long as a call may be.
const maxIdle = int64(12 * time.Hour)

// besides is what one call puts into the queue besides a payload, at most: heads, and
// a Call-ID.
const besides = 4*recent.HeadSize + event.MaxText

// Dumper is the lanes' side. Any goroutine may call it.
type Dumper struct {
	cfg  Config
	dir  string
	ring bool
	seed maphash.Seed

	queue   queue // and the lock of all that follows
	calls   *calls
	list    *list
	now     int64 // the greatest packet time seen
	scratch []byte
	record  event.Event
	lane    laneStats

	worker *worker
}

// New makes a Dumper and starts nothing. cfg has passed Validate, and its Dir is
// not empty.
func New(cfg Config) *Dumper { return newDumper(cfg, maxCalls) }

func newDumper(cfg Config, most int) *Dumper {
	d := &Dumper{cfg: cfg, dir: absolute(cfg.Dir), ring: cfg.When.triggered(), seed: maphash.MakeSeed(), calls: newCalls(most)}
	d.scratch = make([]byte, 0, maxDir+2*maxID)
	if cfg.When&List != 0 {
		d.list = newList(cfg.List)
	}
	d.queue.init(cfg.Queue, cfg.Wait)
	d.worker = newWorker(cfg, d.dir, &d.queue, most)
	return d
}

// Start makes the directory, looks what is in it, and starts the worker. The error
// is one line for the user.
func (d *Dumper) Start() error {
	if err := d.worker.folder.open(); err != nil {
		return err
	}
	go d.worker.run()
	return nil
}

// SetList changes Config.List, for the messages from now on, where When has List. Files
// that are open are added to as before. Any goroutine may call it.
func (d *Dumper) SetList(items []string) {
	if d.cfg.When&List == 0 {
		return
	}
	l := newList(items)
	d.queue.Lock()
	defer d.queue.Unlock()
	d.list = l
}

// Close ends the worker when it has written all that was queued; it waits for that.
// Messages after it are not looked at.
func (d *Dumper) Close() {
	d.queue.Lock()
	d.queue.closed = true
	d.queue.Unlock()
	d.queue.room.Broadcast()
	d.queue.rouse()
	<-d.worker.done
}

// Message takes one message. It borrows both for the call.
func (d *Dumper) Message(p *packet.Packet, m *sip.Message) {
	id := m.CallID()
	if len(id) == 0 {
		return
	}
	d.queue.Lock()
	defer d.queue.Unlock()
	d.queue.reserve(besides + len(p.Payload))
	id = d.key(id)
	hash := maphash.Bytes(d.seed, id)
	d.now = max(d.now, p.Time)
	c := d.current(hash, p.Time)
	if c == nil && (d.cfg.When&Always != 0 || d.list.has(m, id)) {
		c = d.open(call{hash: hash, named: p.Time, label: methodLabel(m.Method()), follow: true}, id)
	}
	var flags byte
	if c != nil {
		flags = flagKeep
		if c.follow {
			c.until = p.Time + maxIdle
			d.calls.touch(c, c.over && !(m.IsRequest() && m.Method() == sip.MethodInvite))
		}
	}
	if d.ring {
		flags |= flagHold
	}
	if flags != 0 {
		d.copy(p, m, hash, flags)
	}
}

// copy puts the message into the queue.
func (d *Dumper) copy(p *packet.Packet, m *sip.Message, hash uint64, flags byte) {
	d.lane.messages++
	r := d.queue.put(recent.HeadSize + len(p.Payload))
	if r == nil {
		d.lane.dropped++
		return
	}
	// A header section without its end would run into the next message of its file.
	if p.Cut || m.Problem() != sip.OK && p.Transport != packet.UDP && p.Transport != packet.SCTP {
		flags |= recent.Cut
	}
	r.Fill(byte(opMessage), flags, byte(p.Transport), hash, p.Time)
	r.Ends(p)
	copy(r[recent.HeadSize:], p.Payload)
}

// Event looks whether e is a reason to write a file, and names the file of its
// Call-ID in it. It borrows e for the call.
func (d *Dumper) Event(e *event.Event) {
	id := e.Bytes(e.CallID)
	if len(id) == 0 {
		return
	}
	d.queue.Lock()
	defer d.queue.Unlock()
	d.queue.reserve(besides)
	hash, now := maphash.Bytes(d.seed, id), max(d.now, e.Time)
	c := d.current(hash, now)
	if d.cfg.When&Failed != 0 && failed(e) {
		c = d.trigger(c, call{hash: hash, named: e.Time, label: eventLabel(e.Type)}, now, id)
	}
	if c == nil {
		return
	}
	if c.follow && !c.over && ends(e.Type) {
		d.calls.touch(c, true)
	}
	d.scratch = d.appendPath(d.scratch[:0], c, id)
	e.Set(&e.Dump, d.scratch)
	if e.DumpBy = nil; c.by != nil {
		e.DumpBy = c.by.Label()
	}
}

// Trigger begins a file for a Call-ID, with what came before, or keeps one open
// longer. It appends the path to dst, and nothing when the configuration does not
// ask for such files or there is no room. It copies callID.
func (d *Dumper) Trigger(dst, callID []byte) []byte {
	if d.cfg.When&Alert == 0 || len(callID) == 0 {
		return dst
	}
	d.queue.Lock()
	defer d.queue.Unlock()
	d.queue.reserve(besides)
	id := d.key(callID)
	hash := maphash.Bytes(d.seed, id)
	c := d.trigger(d.current(hash, d.now), call{hash: hash, named: d.now, label: labelAlert}, d.now, id)
	if c == nil {
		return dst
	}
	return d.appendPath(dst, c, id)
}

// trigger makes that the Call-ID has a file, c or a new one, for Linger from now on.
func (d *Dumper) trigger(c *call, otherwise call, now int64, id []byte) *call {
	if c == nil {
		otherwise.over = true
		if c = d.open(otherwise, id); c == nil {
			return nil
		}
	}
	if until := now + int64(d.cfg.Linger); until > c.until {
		c.until = until
		if !c.follow {
			d.calls.touch(c, true)
		}
	}
	return c
}

// current is the Call-ID's file, if it has one that is still added to.
func (d *Dumper) current(hash uint64, now int64) *call {
	if old := d.calls.expired(now); old != nil {
		d.end(old)
	}
	c := d.calls.find(hash)
	if c != nil && c.until < now {
		d.end(c)
		return nil
	}
	return c
}

// open tells the worker of a file; nil when the queue is full.
func (d *Dumper) open(c call, id []byte) *call {
	if old := d.calls.victim(); old != nil {
		d.end(old)
	}
	c.by = d.cfg.mask()
	var room [maxID]byte
	written := appendID(room[:0], id, c.by)
	r := d.queue.put(recent.HeadSize + len(written))
	if r == nil {
		d.lane.refused++
		return nil
	}
	var flags byte
	if !c.follow {
		flags = flagBack
	}
	r.Fill(byte(opOpen), flags, byte(c.label), c.hash, c.named)
	copy(r[recent.HeadSize:], written)
	return d.calls.add(c)
}

// end tells the worker that no more comes. If the queue is full, the worker finds
// out when it has too many files.
func (d *Dumper) end(c *call) {
	if r := d.queue.put(recent.HeadSize); r != nil {
		r.Fill(byte(opClose), 0, 0, c.hash, 0)
	}
	d.calls.drop(c)
}

// key is a Call-ID as the events have it. It borrows id, or scratch space.
func (d *Dumper) key(id []byte) []byte {
	plain := len(id) <= event.MaxText
	for _, c := range id {
		plain = plain && c != '\n' && c != '\r'
	}
	if plain {
		return id
	}
	d.record.Reset()
	d.record.SetKey(&d.record.CallID, id)
	return d.record.Bytes(d.record.CallID)
}

func (d *Dumper) appendPath(dst []byte, c *call, id []byte) []byte {
	dst = append(append(dst, d.dir...), filepath.Separator)
	var room [maxID]byte
	return appendName(dst, c.named, c.label, appendID(room[:0], id, c.by))
}

// failed are the events of Failed.
func failed(e *event.Event) bool {
	switch e.Type {
	case event.CallAttempt, event.AuthFailed, event.OtherFailed, event.OtherTimeout:
		return true
	case event.CallEnd:
		return e.Side == event.ByTimeout
	}
	return false
}

// ends are the events after which not much more is expected of a Call-ID.
func ends(t event.Type) bool {
	return t != event.CallStart && t != event.RegNew && t != event.AuthFailed
}
