package perturb

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// record is what is compared of an event.
type record struct {
	typ        event.Type
	id         string // event.id; for what is known by its packet alone, the key
	key        string // the same event, as far as loss cannot take it away
	call, aor  string
	from, to   string // tags
	cseq       uint32
	code       uint16
	incomplete event.Incomplete
	text       string // for people
}

// keep copies what is compared. The identity that loss cannot change: of a call the
// Call-ID and the tags (of an attempt only From's: the INVITE with the last CSeq may be
// lost), of a binding AOR and contact (the REGISTER that set it may be lost, and a
// refresh speaks for it), of another transaction Call-ID, From tag, CSeq and method, of
// a packet addresses and what is wrong with it.
func keep(e *event.Event) record {
	r := record{typ: e.Type, id: hex.EncodeToString(e.ID[:]), cseq: e.CSeq, code: e.Code, incomplete: e.Incomplete}
	call, from, to := string(e.Bytes(e.CallID)), string(e.Bytes(e.From.Tag)), string(e.Bytes(e.To.Tag))
	r.call, r.from, r.to = call, from, to
	var parts []string
	switch e.Type {
	case event.CallStart, event.CallEnd:
		parts = []string{call, min(from, to), max(from, to)}
	case event.CallAttempt:
		parts = []string{call, from}
	case event.RegNew, event.RegDel, event.RegExpired:
		r.aor = string(e.Bytes(e.AOR.All))
		parts = []string{r.aor, string(e.Bytes(e.Contact.URI.All))}
	case event.AuthFailed:
		parts = []string{r.id}
	case event.ParseError, event.MsgProbe:
		parts = []string{e.Src.String(), e.Dst.String(), call, string(e.Bytes(e.Error)), string(e.Bytes(e.Probe))}
		r.id = strings.Join(parts, " ")
	default:
		parts = []string{call, from, number(uint64(e.CSeq)), string(e.Bytes(e.CSeqMethod))}
	}
	r.key = e.Type.String() + " " + strings.Join(parts, " ")
	r.text = fmt.Sprintf("%s call-id=%s tags=%s/%s cseq=%d %s code=%d contact=%s at=%s error=%s missing=%s", e.Type, call, from, to, e.CSeq,
		e.Bytes(e.CSeqMethod), e.Code, e.Bytes(e.Contact.URI.All), time.Unix(0, e.Time).UTC().Format("15:04:05.000000"), e.Bytes(e.Error), missing(e.Incomplete))
	return r
}

func missing(i event.Incomplete) string {
	var words []string
	for n, w := range event.IncompleteWords {
		if i>>n&1 == 1 {
			words = append(words, w.Word)
		}
	}
	return strings.Join(words, ",")
}

// message is one message on one hop, by what tells it from others.
type message struct {
	src, dst netip.AddrPort
	call     string
	from, to string // tags
	aor      string // of a REGISTER
	cseq     uint32
	method   string
	code     int // 0 is a request
	branch   string
}

// seen is how often a message came, and when first.
type seen struct {
	n     int
	first int64
}

type messages map[message]seen

func (m messages) note(p *packet.Packet, s *sip.Message) {
	n, method := s.CSeq()
	k := message{
		src: p.Src, dst: p.Dst, call: string(s.CallID()), from: string(s.From().Tag()), to: string(s.To().Tag()),
		cseq: n, method: string(method), code: s.Status(), branch: string(s.Via().Branch()),
	}
	if k.method == "REGISTER" {
		k.aor = string(s.To().URI().Bytes())
	}
	x := m[k]
	if x.n++; x.n == 1 {
		x.first = p.Time
	}
	m[k] = x
}

func (m messages) total() (n int) {
	for _, x := range m {
		n += x.n
	}
	return n
}

// afterLoss holds a capture with packets lost against the whole one: it says nothing
// else, but what it labels, and what nobody could know better; and of nothing that was
// answered that it was not.
func afterLoss(t *testing.T, clean, changed outcome) {
	t.Helper()
	left := map[string]int{}
	unanswered := map[string]bool{}
	for _, r := range clean.events {
		left[r.key]++
		unanswered[r.key] = unanswered[r.key] || r.code == 0
	}
	for _, r := range changed.events {
		if left[r.key] > 0 && r.code == 0 && r.incomplete == 0 && !unanswered[r.key] {
			t.Errorf("without loss there is an answer to\n  %s", r.text)
		}
		if left[r.key]--; left[r.key] < 0 && r.incomplete == 0 && !unknowable(r, clean, changed) {
			t.Errorf("without loss there is no\n  %s", r.text)
		}
	}
}

// afterLossComplete holds that what is left of a call is enough where it is. A call-start
// has to be said if one 2xx to its INVITE is left, on whatever leg, from somebody who was
// asked; a call-end if the 2xx to a BYE is left, or a BYE of a leg and such a 2xx to the INVITE; a
// call-attempt if an INVITE of it is left, unless something is that an answered call has
// too. By a timer is also said. What is not left may be missing, and nothing else.
func afterLossComplete(t *testing.T, clean, changed outcome) {
	t.Helper()
	afterLoss(t, clean, changed)
	said := map[string]bool{}
	for _, r := range changed.events {
		said[r.key] = true
	}
	for _, r := range clean.events {
		if said[r.key] || r.incomplete != 0 {
			continue
		}
		if left := changed.messages.left(r); left != "" {
			t.Errorf("%s is left, and yet there is no\n  %s", left, r.text)
		}
	}
}

// left names what is enough to say r again; "" where nothing is.
func (m messages) left(r record) string {
	asked, legs := map[netip.Addr]bool{}, map[netip.Addr]bool{}
	for k := range m {
		if k.call == r.call && k.method == "INVITE" && k.code == 0 {
			asked[k.dst.Addr()] = true
		}
		if k.call == r.call && k.method != "BYE" {
			legs[k.src.Addr()], legs[k.dst.Addr()] = true, true
		}
	}
	var invite, answer, bye, byeOK, ack bool
	for k := range m {
		if k.call != r.call {
			continue
		}
		same := k.from == r.from && k.to == r.to || k.from == r.to && k.to == r.from
		switch {
		case k.method == "INVITE" && k.code == 0:
			invite = invite || k.from == r.from && k.cseq == r.cseq && k.to == ""
		case k.method == "INVITE" && k.code/100 == 2:
			answer = answer || same && k.to == r.to && asked[k.src.Addr()] && (k.cseq == r.cseq || r.typ == event.CallEnd)
		case k.method == "BYE":
			bye = bye || same && k.code == 0 && k.cseq == r.cseq && legs[k.src.Addr()]
			byeOK = byeOK || same && k.code/100 == 2 && k.cseq == r.cseq
		case k.method == "ACK":
			ack = ack || k.from == r.from
		}
	}
	switch {
	case r.typ == event.CallStart && answer:
		return "a 2xx"
	case r.typ == event.CallEnd && byeOK:
		return "the 2xx to a BYE"
	case r.typ == event.CallEnd && bye && answer:
		return "a BYE and the 2xx to the INVITE"
	case r.typ == event.CallAttempt && invite && !ack && !bye && !answer:
		return "an INVITE"
	}
	return ""
}

// unknowable reports whether an event says that nothing came, and of all that did come
// not one message is left: a binding expired that was removed by REGISTERs of which every
// message is lost, or nobody followed a challenge up, of which every message of the next
// INVITE is. Who has the capture sees just that.
func unknowable(r record, clean, changed outcome) bool {
	switch {
	case r.typ == event.RegExpired:
	case r.typ == event.CallAttempt && (r.code == 401 || r.code == 407):
	default:
		return false
	}
	known := int64(0) // the last of what the event was made of, or that says again that it is bound
	for m, x := range changed.messages {
		if m.call == r.call && m.cseq == r.cseq || r.aor != "" && m.aor == r.aor && m.code/100 == 2 {
			known = max(known, x.first)
		}
	}
	lost := 0
	for m, x := range clean.messages {
		if x.first <= known || m.call != r.call && (r.aor == "" || m.aor != r.aor) {
			continue
		}
		if changed.messages[m].n > 0 {
			return false
		}
		lost++
	}
	return lost > 0
}

// asBefore holds a capture in which nothing is missing against the one it was made of:
// the events are the same, one by one. What the clean capture had to rebuild, because
// packets are missing there, is the same by its key.
func asBefore(t *testing.T, clean, changed outcome) {
	t.Helper()
	compare(t, clean, changed, func(record) bool { return false })
}

// asBeforeLater is asBefore for frames that come again later than mirrors deliver them:
// each is a packet of its own, and so is each parse-error and msg-probe, which are known
// by their packet alone.
func asBeforeLater(t *testing.T, clean, changed outcome) {
	t.Helper()
	compare(t, clean, changed, func(r record) bool { return r.typ == event.ParseError || r.typ == event.MsgProbe })
}

// asBeforeSoon is asBefore for frames that come again as soon as mirrors deliver them.
// The memory of mirror duplicates has a fixed size, so that in dense traffic one of some
// thousand is pushed out by others; then a parse-error or msg-probe comes twice.
func asBeforeSoon(t *testing.T, clean, changed outcome) {
	t.Helper()
	few := clean.messages.total() / 1000
	compare(t, clean, changed, func(r record) bool {
		few--
		return few >= 0 && (r.typ == event.ParseError || r.typ == event.MsgProbe)
	})
}

// compare reports what one outcome has and the other has not; more may say of an event
// that it may come more often in the changed one.
func compare(t *testing.T, clean, changed outcome, more func(record) bool) {
	t.Helper()
	left, sample := map[string]int{}, map[string]record{}
	rebuilt := map[string]bool{}
	for _, r := range clean.events {
		if r.incomplete != 0 {
			rebuilt[r.key] = true
		}
	}
	count := func(r record, n int) {
		id := r.typ.String() + " " + r.id
		if rebuilt[r.key] {
			id = r.key
		}
		left[id] += n
		if _, ok := sample[id]; !ok {
			sample[id] = r
		}
	}
	for _, r := range clean.events {
		count(r, -1)
	}
	for _, r := range changed.events {
		count(r, 1)
	}
	var wrong []string
	for id, n := range left {
		if n < 0 || n > 0 && !more(sample[id]) {
			wrong = append(wrong, fmt.Sprintf("%+d %s", n, sample[id].text))
		}
	}
	sort.Strings(wrong)
	for _, w := range wrong {
		t.Error(w)
	}
}
