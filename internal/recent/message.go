package recent

import (
	"bytes"
	"hash/maphash"
	"io"
	"net/netip"
	"strconv"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// MaxMessages is how many messages of one Call-ID are shown, the newest.
const MaxMessages = 500

// maxShown bounds the bytes that are copied for them, maxWritten those of a capture.
const (
	maxShown   = 4 << 20
	maxWritten = 48 << 20
)

// Gone is the state of a call of which only messages are left.
const Gone = "gone"

// Messages gives what is shown of the messages of a Call-ID, the oldest first, without
// their bodies. cut tells that there were older ones, or ones too many to be shown.
func (s *Store) Messages(callID string) (all []view.Message, cut bool) {
	found, cut := s.Find([]byte(callID), MaxMessages, maxShown)
	var m sip.Message
	seen := make(map[same]bool, len(found))
	for _, r := range found {
		m.Parse(r.Payload(), r.Has(Cut))
		x := shown(r, &m)
		key := same{r.Src(), r.Dst(), maphash.Bytes(s.seed, r.Payload())}
		x.Repeat = seen[key]
		seen[key] = true
		all = append(all, x)
	}
	return all, cut
}

// same is what a retransmission has in common with the message before: its hop, and
// every byte (RFC 3261 §17.1.1.2, §17.2.1).
type same struct {
	src, dst netip.AddrPort
	payload  uint64
}

func shown(r Record, m *sip.Message) view.Message {
	x := view.Message{
		Time: time.Unix(0, r.Time()).UTC(), Source: ends(r.Src()), Dest: ends(r.Dst()), Transport: r.Transport().String(),
		Line: view.Text(firstLine(r.Payload())), Bytes: len(r.Payload()), Code: m.Status(),
		SDP: len(sip.SDPBody(m.Value(sip.HeaderContentType), m.Body())) > 0,
	}
	number, method := m.CSeq()
	if len(method) > 0 {
		x.CSeq = view.Text(append(strconv.AppendUint(nil, uint64(number), 10), append([]byte{' '}, method...)...))
	}
	if m.IsRequest() {
		method = m.MethodName()
	}
	x.Method = view.Text(method)
	return x
}

func ends(a netip.AddrPort) string { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()).String() }

// firstLine is the first that is not empty.
func firstLine(b []byte) []byte {
	b = bytes.TrimLeft(b, "\r\n")
	if i := bytes.IndexAny(b, "\r\n"); i >= 0 {
		b = b[:i]
	}
	return b
}

// Call makes of the messages of a Call-ID what can be said of it when nobody follows it
// any more; false where there are none. It is made of the oldest request that is left.
func (s *Store) Call(callID string) (c view.Call, ok bool) {
	found, _ := s.Find([]byte(callID), MaxMessages, maxShown)
	if len(found) == 0 {
		return c, false
	}
	var m sip.Message
	first := found[0]
	for _, r := range found {
		if m.Parse(r.Payload(), r.Has(Cut)); m.IsRequest() {
			first = r
			break
		}
	}
	m.Parse(first.Payload(), first.Has(Cut))
	last := time.Unix(0, found[len(found)-1].Time()).UTC()
	c = view.Call{
		CallID: view.Text(m.CallID()), State: Gone, From: view.Text(m.From().URI().Bytes()), To: view.Text(m.To().URI().Bytes()),
		Source: ends(first.Src()), Destination: ends(first.Dst()), Transport: first.Transport().String(),
		UserAgent: view.Text(m.Value(sip.HeaderUserAgent)), Seen: &last,
	}
	if !m.IsRequest() {
		c.Source, c.Destination, c.UserAgent = c.Destination, c.Source, ""
	} else if m.Method() == sip.MethodInvite && len(m.To().Tag()) == 0 {
		at := time.Unix(0, first.Time()).UTC()
		c.Started = &at
	}
	return c, true
}

// WriteCapture writes the messages of a Call-ID to w, as a capture file of frames that
// would have carried them, and returns how many; without any it writes nothing. They are
// masked where by is not nil. It holds no lock while it writes.
func (s *Store) WriteCapture(callID string, w io.Writer, by Mask) (messages int, err error) {
	found, _ := s.Find([]byte(callID), 1<<20, maxWritten)
	if len(found) == 0 {
		return 0, nil
	}
	const chunk = 256 << 10
	b := append(make([]byte, 0, chunk), FileHeader...)
	var f Flows
	frames := Writer{By: by}
	for _, r := range found {
		if b = frames.AppendFrames(b, r, &f); len(b) > chunk/2 {
			if _, err := w.Write(b); err != nil {
				return messages, err
			}
			b = b[:0]
		}
		messages++
	}
	_, err = w.Write(b)
	return messages, err
}
