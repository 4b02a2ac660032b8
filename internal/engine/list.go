package engine

import (
	"encoding/hex"
	"fmt"
	"io"
	"sync"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/recent"
	"github.com/sipcmbeat/sipcmbeat/internal/track"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// What is shown of calls, bindings and messages while the lanes run. Any goroutine may
// call it at any time. Core's lock is taken for a slice of the work at a time, some
// hundred microseconds at most, and never while anybody is written to.

// slices calls slice with the tracker, under core's lock, until it is done.
func (c *core) slices(slice func(t *track.Tracker) (more bool)) {
	for more := true; more; {
		more = c.slice(slice)
	}
}

func (c *core) slice(slice func(t *track.Tracker) bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slice(c.track)
}

// Calls is a page of the calls that are up or tried. The error names what is wrong in
// the query.
func (e *Engine) Calls(q view.Query) (view.CallPage, error) {
	var l *track.CallListing
	var err error
	e.core.slice(func(t *track.Tracker) bool {
		l, err = t.Calls(q)
		return false
	})
	if err != nil {
		return view.CallPage{}, err
	}
	e.core.slices(l.Slice)
	page := l.Page()
	for i, name := range l.Names() {
		e.core.names.note(page.Calls[i].ID, name)
	}
	return page, nil
}

// Bindings is a page of the bindings. The error names what is wrong in the query.
func (e *Engine) Bindings(q view.Query) (view.BindingPage, error) {
	var l *track.BindingListing
	var err error
	e.core.slice(func(t *track.Tracker) bool {
		l, err = t.Bindings(q)
		return false
	})
	if err != nil {
		return view.BindingPage{}, err
	}
	e.core.slices(l.Slice)
	return l.Page(), nil
}

// Binding gives the bindings of an AOR; false where it is not known.
func (e *Engine) Binding(aor string) (all []view.Binding, ok bool) {
	e.core.slice(func(t *track.Tracker) bool {
		all, ok = t.Binding(aor)
		return false
	})
	return all, ok
}

// Call is all that is known of a call, by sip.call.id of its records or by its Call-ID:
// its dialogs and attempts, and the messages that Config.Recent has. Where only those
// are left its state is recent.Gone.
func (e *Engine) Call(id string) (detail view.CallDetail, ok bool) {
	name, hash := e.named(id)
	e.core.slice(func(t *track.Tracker) bool {
		detail, ok = t.Detail(name, hash)
		return false
	})
	if e.core.cfg.Recent != nil {
		e.recent(name.CallID, &detail, &ok)
	}
	if !ok {
		return detail, false
	}
	if hash != (event.Hash{}) && detail.ID == "" { // what has the id is over
		detail.ID = hex.EncodeToString(hash[:])
	}
	e.core.names.note(detail.ID, name)
	for i := range detail.Parts {
		e.core.names.note(detail.Parts[i].ID, name)
	}
	detail.PcapPath = e.dumped(name.CallID)
	return detail, true
}

// recent adds what the messages say, all of it where nothing else is known.
func (e *Engine) recent(callID string, detail *view.CallDetail, known *bool) {
	detail.Messages, detail.MessagesCut = e.core.cfg.Recent.Messages(callID)
	if *known && detail.From != "" {
		return
	}
	call, ok := e.core.cfg.Recent.Call(callID)
	if !ok {
		return
	}
	if *known { // over, and its record is gone
		was := detail.Call
		call.State, call.Answered, call.Seen, call.Ended = was.State, was.Answered, was.Seen, was.Ended
		call.HangupBy, call.Held, call.Retransmission, call.Anomalies = was.HangupBy, was.Held, was.Retransmission, was.Anomalies
	}
	detail.Call, *known = call, true
}

// dumped asks for the file of a Call-ID as an event that is no reason for one does.
func (e *Engine) dumped(callID string) string {
	if e.core.cfg.Dump == nil {
		return ""
	}
	var about event.Event
	about.Reset()
	about.Type = event.CallStart
	if now := e.Now(); !now.IsZero() {
		about.Time = now.UnixNano()
	}
	about.SetKey(&about.CallID, []byte(callID))
	e.core.cfg.Dump.Event(&about)
	return view.Text(about.Bytes(about.Dump))
}

// WriteCapture writes the messages that Config.Recent has of a call to w, as a capture
// file, and returns how many; where there are none it writes nothing. id is as with
// Call. They are masked where by is not nil.
func (e *Engine) WriteCapture(id string, w io.Writer, by recent.Mask) (messages int, err error) {
	if e.core.cfg.Recent == nil {
		return 0, nil
	}
	name, _ := e.named(id)
	if messages, err = e.core.cfg.Recent.WriteCapture(name.CallID, w, by); err != nil {
		err = fmt.Errorf("write the capture of a call: %w", err)
	}
	return messages, err
}

// named finds the Call-ID of what a caller names. hash is not zero where that was the
// id of one of its calls.
func (e *Engine) named(id string) (name track.Named, hash event.Hash) {
	name = track.Named{CallID: id}
	if len(id) != 2*len(hash) {
		return name, hash
	}
	if _, err := hex.Decode(hash[:], []byte(id)); err != nil {
		return name, event.Hash{}
	}
	if of, ok := e.core.names.find(id); ok {
		return of, hash
	}
	// 32 hexadecimal digits are a Call-ID as some write them, too.
	known := false
	e.core.slice(func(t *track.Tracker) bool {
		_, known = t.Detail(name, event.Hash{})
		return false
	})
	if known {
		return name, event.Hash{}
	}
	s := track.SearchCall(hash)
	e.core.slices(s.Slice)
	if of, ok := s.Found(); ok {
		return of, hash
	}
	return name, event.Hash{}
}

// names are the Call-IDs of ids that were shown last: who follows a link needs no
// search, also when the call is over meanwhile.
type names struct {
	mu    sync.Mutex
	of    map[string]track.Named
	order []string // a round of ids
	next  int
}

// maxNames is some pages of the greatest length.
const maxNames = 8 * view.MaxLimit

func (n *names) note(id string, name track.Named) {
	if id == "" {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.of[id]; ok {
		return
	}
	if n.of == nil {
		n.of = make(map[string]track.Named)
	}
	if len(n.order) < maxNames {
		n.order = append(n.order, id)
	} else {
		delete(n.of, n.order[n.next])
		n.order[n.next] = id
		n.next = (n.next + 1) % maxNames
	}
	n.of[id] = name
}

func (n *names) find(id string) (name track.Named, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	name, ok = n.of[id]
	return name, ok
}
