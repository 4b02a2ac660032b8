package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// The bounds of streams. A stream looks for new events every so often, so that the
// engine has nothing to do with it, and carries so many each time: what is more is left
// out and told.
const (
	maxStreams  = 32
	streamTick  = 200 * time.Millisecond
	streamBurst = 100
	keepAlive   = 15 * time.Second
	streamStall = 10 * time.Second // a client that takes nothing for so long is cut
)

// stream sends the events that come from now on, as Server-Sent Events: event: event
// with a ShownEvent, event: left-out with a LeftOut. Last-Event-ID goes on where an
// interrupted one ended.
func (c *call) stream() error {
	s := c.s
	if s.count.streams.Add(1) > maxStreams {
		s.count.streams.Add(-1)
		s.count.refused[tooManyStreams].Add(1)
		return refuse(http.StatusServiceUnavailable, fmt.Sprintf("%d streams are open", maxStreams), "GET /api/v1/events, every so often")
	}
	defer s.count.streams.Add(-1)
	from, next := s.events.span()
	if last, err := strconv.ParseUint(c.r.Header.Get("Last-Event-ID"), 10, 64); err == nil && last < next {
		next = max(last+1, from)
	}
	c.w.Header().Set("Content-Type", "text/event-stream")
	c.w.WriteHeader(http.StatusOK)
	out := &stream{to: http.NewResponseController(c.w), w: c.w, reader: newReader(s.events, c.wanted()), next: next, left: &s.count.leftOut}
	if c.r.Method == http.MethodHead || out.send([]byte(": events follow\n\n")) != nil {
		return nil
	}
	tick := time.NewTicker(streamTick)
	defer tick.Stop()
	alive := time.NewTicker(keepAlive)
	defer alive.Stop()
	for {
		var err error
		select {
		case <-c.r.Context().Done():
			return nil
		case <-s.ended:
			return nil
		case <-alive.C:
			err = out.send([]byte(": still here\n\n"))
		case <-tick.C:
			err = out.more()
		}
		if err != nil {
			return nil
		}
	}
}

// stream is one client that is sent events.
type stream struct {
	to     *http.ResponseController
	w      http.ResponseWriter
	reader *reader
	next   uint64 // number of the first that was not sent
	left   *atomic.Uint64
	buf    bytes.Buffer
}

// more sends what has come, the newest streamBurst, and says how many it leaves out.
func (o *stream) more() error {
	from, to := o.reader.ring.span()
	if o.next >= to {
		return nil
	}
	o.buf.Reset()
	begin := max(o.next, from)
	if to-begin > streamBurst {
		begin = to - streamBurst
	}
	if left := begin - o.next; left > 0 {
		o.left.Add(left)
		o.write("left-out", 0, view.LeftOut{LeftOut: left})
	}
	for n := begin; n < to; n++ {
		if e, ok := o.reader.read(n); ok {
			o.write("event", n, e)
		}
	}
	o.next = to
	if o.buf.Len() == 0 {
		return nil
	}
	return o.send(o.buf.Bytes())
}

// write appends one message to the buffer. JSON has no line ends in it.
func (o *stream) write(name string, id uint64, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		return // a record that is no JSON would be a fault of the renderer's tests
	}
	fmt.Fprintf(&o.buf, "event: %s\n", name)
	if id > 0 {
		fmt.Fprintf(&o.buf, "id: %d\n", id)
	}
	fmt.Fprintf(&o.buf, "data: %s\n\n", b)
}

func (o *stream) send(b []byte) error {
	_ = o.to.SetWriteDeadline(time.Now().Add(streamStall))
	if _, err := o.w.Write(b); err != nil {
		return err
	}
	return o.to.Flush()
}
