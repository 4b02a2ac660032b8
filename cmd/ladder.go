package cmd

import (
	"bufio"
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// tapper is a printer that wants to see messages too.
type tapper interface {
	tap(f *filter, masker event.Masker) func(p *packet.Packet, m *sip.Message)
}

// Bounds of what the ladder keeps in memory until the end; what is beyond is
// counted, and said.
const (
	maxArrows  = 200_000
	maxLines   = 100_000 // of events
	maxLadder  = 4096    // arrows of one Call-ID: a scanner uses one for all it sends
	maxColumns = 6       // endpoints side by side; more are written as texts
	idWidth    = 200     // characters of it that are written
)

// ladder writes for each Call-ID its events and its messages as arrows between
// columns of endpoints. It has to see the whole capture before it can write.
type ladder struct {
	w       *bufio.Writer
	calls   map[string]*sequence
	order   []*sequence // nil: forgotten
	oldest  int         // in order: where to look for what can be forgotten
	arrows  int
	lines   int
	cutMsgs uint64
	cutEvts uint64
	forgot  uint64 // messages
	all     bool   // no filter: sequences without an event are shown too
	labels  map[string]string
	masker  event.Masker // nil: nothing is private
	s       []byte
}

// sequence is what one Call-ID has.
type sequence struct {
	id     string
	events []string
	ends   []netip.AddrPort
	arrows []arrow
}

// arrow is one message.
type arrow struct {
	at       int64
	src, dst netip.AddrPort
	label    string
}

func newLadder(w *bufio.Writer) *ladder {
	return &ladder{w: w, calls: make(map[string]*sequence), labels: make(map[string]string)}
}

func (l *ladder) sequence(id []byte) *sequence {
	if s, ok := l.calls[string(id)]; ok {
		return s
	}
	s := &sequence{id: string(id)}
	l.calls[s.id] = s
	l.order = append(l.order, s)
	return s
}

// tap implements tapper: it keeps each message that a filter for one Call-ID does
// not rule out. The other filters ask about events, and are applied at the end.
func (l *ladder) tap(f *filter, masker event.Masker) func(*packet.Packet, *sip.Message) {
	l.all, l.masker = !f.any, masker
	return func(p *packet.Packet, m *sip.Message) {
		id := event.Key(m.CallID()) // as events have it
		if f.call != "" && string(id) != f.id {
			return
		}
		if l.arrows == maxArrows && !l.forget() {
			l.cutMsgs++
			return
		}
		src, dst := p.Src, p.Dst
		if masker != nil {
			id, _ = masker.Append(nil, event.CallIDs, event.CallID, id)
			src, dst = netip.AddrPortFrom(masker.Addr(src.Addr()), src.Port()), netip.AddrPortFrom(masker.Addr(dst.Addr()), dst.Port())
		}
		s := l.sequence(id)
		if len(s.arrows) == maxLadder {
			l.cutMsgs++
			return
		}
		l.arrows++
		s.arrows = append(s.arrows, arrow{p.Time, src, dst, l.label(m)})
	}
}

// forget makes room where a filter is: the oldest Call-ID goes of which no event was
// let through by now.
func (l *ladder) forget() bool {
	if l.all {
		return false
	}
	if l.oldest > 2*maxLines {
		l.order = slices.DeleteFunc(l.order, func(s *sequence) bool { return s == nil })
		l.oldest = 0
	}
	for ; l.oldest < len(l.order); l.oldest++ {
		s := l.order[l.oldest]
		if len(s.events) > 0 {
			continue
		}
		l.arrows -= len(s.arrows)
		l.forgot += uint64(len(s.arrows))
		delete(l.calls, s.id)
		l.order[l.oldest] = nil
		l.oldest++
		if len(s.arrows) > 0 {
			return true
		}
	}
	return false
}

// word is a method as it may be shown: a sender can write anybody into one.
func (l *ladder) word(method []byte) []byte {
	if l.masker == nil {
		return method
	}
	out, ok := l.masker.Append(nil, event.Errors, event.Word, method)
	if !ok {
		return []byte("UNKNOWN")
	}
	return out
}

// label names a message: the method, or code and reason, with the method where it
// is not plain.
func (l *ladder) label(m *sip.Message) string {
	b := l.s[:0]
	if m.IsRequest() {
		b = appendPlain(b, l.word(m.MethodName()))
		if len(m.Body()) > 0 && bytes.Contains(m.Value(sip.HeaderContentType), []byte("sdp")) {
			b = append(b, " SDP"...)
		}
	} else {
		b = strconv.AppendInt(b, int64(m.Status()), 10)
		if _, method := m.CSeq(); string(method) != "INVITE" {
			b = appendPlain(append(b, ' '), l.word(method))
		}
		if reason := m.ReasonPhrase(); len(reason) > 0 && (l.masker == nil || event.Usual(reason)) {
			b = appendPlain(append(b, ' '), reason)
		}
	}
	l.s = cut(b, labelWidth)
	if label, ok := l.labels[string(l.s)]; ok {
		return label
	}
	label := string(l.s)
	if len(l.labels) < 4096 {
		l.labels[label] = label
	}
	return label
}

// Put implements engine.Sink.
func (l *ladder) Put(e *event.Event) {
	if e.Type == event.Message {
		return // it is an arrow
	}
	if l.lines == maxLines {
		l.cutEvts++
		return
	}
	l.lines++
	s := l.sequence(e.Bytes(e.CallID))
	line := time.Unix(0, e.Time).UTC().AppendFormat(nil, "15:04:05.000")
	line = append(line, "  "...)
	line = appendEvent(line, e, &l.s)
	s.events = append(s.events, strings.TrimRight(string(line), " "))
}

// finish writes all of it.
func (l *ladder) finish() {
	shown := 0
	for _, s := range l.order {
		if s == nil || len(s.events) == 0 && !l.all {
			continue
		}
		if shown++; shown > 1 {
			l.w.WriteByte('\n')
		}
		l.write(s)
	}
	if shown == 0 {
		fmt.Fprintln(l.w, "no events")
	}
	if l.cutMsgs > 0 || l.cutEvts > 0 {
		fmt.Fprintf(l.w, "\nnot all is shown: %d messages and %d events are beyond what is kept (%d messages, %d of one Call-ID, %d events); use --call\n",
			l.cutMsgs, l.cutEvts, maxArrows, maxLadder, maxLines)
	}
	if l.forgot > 0 {
		fmt.Fprintf(l.w, "\n%d messages were forgotten to make room (%d are kept), the oldest of Call-IDs without such an event; "+
			"a call that came to one later lacks its first ones; use --call\n", l.forgot, maxArrows)
	}
}

func (l *ladder) write(s *sequence) {
	id := appendPlain(nil, []byte(s.id))
	if len(id) == 0 {
		id = []byte("(none)")
	}
	fmt.Fprintf(l.w, "Call-ID %s", cut(id, idWidth))
	if len(s.arrows) > 0 {
		fmt.Fprintf(l.w, "  %s", time.Unix(0, s.arrows[0].at).UTC().Format("2006-01-02 UTC"))
	}
	l.w.WriteByte('\n')
	for _, e := range s.events {
		fmt.Fprintf(l.w, "%s\n", e)
	}
	if len(s.arrows) == 0 {
		return
	}
	for _, a := range s.arrows {
		for _, end := range [...]netip.AddrPort{a.src, a.dst} {
			if !slices.Contains(s.ends, end) {
				s.ends = append(s.ends, end)
			}
		}
		if len(s.ends) > maxColumns {
			break
		}
	}
	if len(s.ends) > maxColumns {
		l.texts(s)
		return
	}
	l.columns(s)
}

// texts writes messages that go between too many places to be drawn.
func (l *ladder) texts(s *sequence) {
	for _, a := range s.arrows {
		fmt.Fprintf(l.w, "%s  %s > %s  %s\n", clock(a.at), endText(a.src), endText(a.dst), a.label)
	}
}

const (
	labelWidth = 22
	minLane    = labelWidth + 6
)

func clock(at int64) string { return time.Unix(0, at).UTC().Format("15:04:05.000") }

// endText is where a message comes from or goes to; of an address that is left out the
// port remains.
func endText(a netip.AddrPort) string {
	if !a.Addr().IsValid() {
		return ":" + strconv.Itoa(int(a.Port()))
	}
	return a.String()
}

// columns draws the arrows.
func (l *ladder) columns(s *sequence) {
	lane := minLane
	for _, end := range s.ends {
		lane = max(lane, min(len(endText(end))+2, 44))
	}
	line := []byte(strings.Repeat(" ", timeWidth+2))
	for _, end := range s.ends {
		line = pad(line, []byte(endText(end)), lane)
	}
	fmt.Fprintf(l.w, "%s\n", bytes.TrimRight(line, " "))
	for _, a := range s.arrows {
		fmt.Fprintf(l.w, "%s  %s\n", clock(a.at), arrowLine(slices.Index(s.ends, a.src), slices.Index(s.ends, a.dst), len(s.ends), lane, a.label))
	}
}

// arrowLine draws one arrow between the columns from and to of n.
func arrowLine(from, to, n, lane int, label string) string {
	line := []byte(strings.Repeat(" ", (n-1)*lane+1))
	for i := range n {
		line[i*lane] = '|'
	}
	if from == to { // a message to itself
		return strings.TrimRight(string(line[:from*lane+1])+"<> "+label, " ")
	}
	left, right := min(from, to)*lane, max(from, to)*lane
	for i := left + 1; i < right; i++ {
		line[i] = '-'
	}
	if from < to {
		line[right-1] = '>'
	} else {
		line[left+1] = '<'
	}
	// The label stands in the lane next to the sender.
	text := " " + label + " "
	at := left + 2
	if from > to {
		at = right - len([]rune(text)) - 1
	}
	out := string(line[:at]) + text + string(line[at+len([]rune(text)):])
	return strings.TrimRight(out, " ")
}
