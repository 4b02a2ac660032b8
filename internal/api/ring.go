package api

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// Fates are what can become of an event.
var Fates = []string{"sent", "blacklisted", "rate", "source"}

// ring keeps copies of the last events, oldest first. It has two bounds, events and
// bytes, since a sender chooses how long values are. put is called under the engine's
// lock, so that whoever reads holds the ring for the copy of one event at a time and
// renders it outside.
type ring struct {
	schema *event.Schema
	enrich func(*event.Event)  // of what is read; nil is nothing
	mask   func() event.Masker // gives nil where nothing is masked
	shown  func(clear, masked *event.Event)

	mu      sync.Mutex
	slots   []slot
	head, n int
	bytes   int
	next    uint64 // number of the next event; the first is 1
}

type slot struct {
	e    event.Event
	fate string
	size int
}

// The bounds of memory: of all slots, and of the buffer that an empty one keeps.
const (
	slotBytes = 8 << 10
	keptBytes = 4 << 10
)

func newRing(size int, schema *event.Schema) *ring {
	if schema == nil {
		schema = event.Native
	}
	return &ring{schema: schema, slots: make([]slot, size), next: 1}
}

// put copies e to the end and lets the oldest go.
func (r *ring) put(e *event.Event, fate string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.n == len(r.slots) {
		r.drop()
	}
	s := &r.slots[(r.head+r.n)%len(r.slots)]
	s.e.Trim(keptBytes)
	s.e.CopyFrom(e)
	s.fate, s.size = fate, s.e.Size()
	r.n++
	r.next++
	r.bytes += s.size
	for r.bytes > slotBytes*len(r.slots) && r.n > 1 {
		r.drop()
		r.slots[(r.head+len(r.slots)-1)%len(r.slots)].e.Trim(keptBytes)
	}
}

// drop lets the oldest go.
func (r *ring) drop() {
	r.bytes -= r.slots[r.head].size
	r.head = (r.head + 1) % len(r.slots)
	r.n--
}

// span is the numbers of the events that are there: from, and to, which is not.
func (r *ring) span() (from, to uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.next - uint64(r.n), r.next
}

// copy copies the event of a number; false when it is gone.
func (r *ring) copy(number uint64, to *event.Event) (fate string, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	from := r.next - uint64(r.n)
	if number < from || number >= r.next {
		return "", false
	}
	s := &r.slots[(r.head+int(number-from))%len(r.slots)]
	to.CopyFrom(&s.e)
	return s.fate, true
}

// eventFilter is what of the events a client wants to see.
type eventFilter struct {
	typ    event.Type // None is all
	fate   string
	source netip.Prefix
	text   []byte // in lower case
}

func (c *call) wanted() eventFilter {
	w := eventFilter{fate: c.text("fate"), text: bytes.ToLower([]byte(c.text("text")))}
	w.typ, _ = event.ParseType(c.text("type"))
	if a, err := netip.ParseAddr(c.text("source")); err == nil {
		w.source = netip.PrefixFrom(a.WithZone("").Unmap(), a.Unmap().BitLen())
	} else if p, err := netip.ParsePrefix(c.text("source")); err == nil {
		w.source = p.Masked()
	}
	return w
}

// reader renders events one by one: those of the ring are clear, and masked here, so that
// the filter too sees what is shown. It is used by one goroutine.
type reader struct {
	ring  *ring
	want  eventFilter
	json  event.Renderer
	clear event.Event
	e     event.Event
	buf   []byte
}

func newReader(r *ring, w eventFilter) *reader {
	return &reader{ring: r, want: w, json: event.Renderer{Schema: r.schema}}
}

// read gives the event of a number; false when it is gone, or not wanted.
func (r *reader) read(number uint64) (view.ShownEvent, bool) {
	fate, ok := r.ring.copy(number, &r.clear)
	e, w := &r.clear, &r.want
	if !ok || w.typ != event.None && e.Type != w.typ || w.fate != "" && fate != w.fate {
		return view.ShownEvent{}, false
	}
	if r.ring.enrich != nil {
		r.ring.enrich(e)
	}
	if m := r.ring.mask(); m != nil {
		e.Mask(m, &r.e)
		e = &r.e
		if r.ring.shown != nil {
			r.ring.shown(&r.clear, e)
		}
	}
	if w.source.IsValid() && !w.source.Contains(e.Src.Addr().Unmap()) {
		return view.ShownEvent{}, false
	}
	r.buf = r.json.Append(r.buf[:0], e, nil)
	if len(w.text) > 0 && !bytes.Contains(bytes.ToLower(r.buf), w.text) {
		return view.ShownEvent{}, false
	}
	shown := view.ShownEvent{Number: number, Time: time.Unix(0, e.Time).UTC(), Type: e.Type.String(), Fate: fate, Record: bytes.Clone(r.buf)}
	said := func(t event.Text) string { return strings.ToValidUTF8(string(e.Bytes(t)), "\uFFFD") }
	shown.CallID, shown.From, shown.To, shown.Code = said(e.CallID), said(e.From.URI.All), said(e.To.URI.All), int(e.Code)
	if e.Call != (event.Hash{}) {
		shown.Call = hex.EncodeToString(e.Call[:])
	}
	if e.Src.Addr().IsValid() {
		shown.Source = e.Src.Addr().String()
	}
	return shown, true
}

// page reads the events before the cursor, newest first.
func (r *reader) page(q view.Query) (view.EventPage, error) {
	from, to := r.ring.span()
	p := view.EventPage{Page: view.Page{Total: int(to - from)}, Events: []view.ShownEvent{}}
	if q.Cursor != "" {
		before, err := strconv.ParseUint(q.Cursor, 10, 64)
		if err != nil {
			return p, refuse(400, "cursor: "+strconv.Quote(cut(q.Cursor))+" is not allowed", "the value of next of the page before")
		}
		to = min(to, before)
	}
	for n := to; n > from; n-- {
		if len(p.Events) == q.Limit {
			p.Next = strconv.FormatUint(n, 10)
			break
		}
		p.Scanned++
		if e, ok := r.read(n - 1); ok {
			p.Events = append(p.Events, e)
		}
	}
	return p, nil
}
