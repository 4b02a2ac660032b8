package kpi

import (
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// What is kept by minute lies in blocks of an hour, so that a step of the clock, however
// wide, costs nothing: a block that is too old is emptied when its place is needed.
const (
	kept    = 24 * time.Hour
	ahead   = time.Hour                       // as far as a sender's clock may be before ours
	blocks  = int(kept/time.Hour) + 2         // 24 hours back and one ahead touch 26
	perDay  = int64(kept/time.Hour) * perHour // minutes
	perHour = int64(time.Hour / time.Minute)
)

// A kind is what tells messages apart: of a request its method, whether it has
// credentials and a To tag; of an answer its code, the method of its CSeq and whether it
// has a To tag.
type kind uint16

const (
	requests = int(sip.NumMethods) * 4
	codes    = 600 // 100 to 699
	classes  = 6   // 1xx to 6xx: for what there is no room
	answers  = (codes + classes) * int(sip.NumMethods) * 2
	numKinds = requests + answers
)

// kindOf tells the kind of m.
func kindOf(m *sip.Message) kind {
	tag, auth := 0, 0
	if len(m.To().Tag()) > 0 {
		tag = 1
	}
	if m.IsRequest() {
		if m.Has(sip.HeaderAuthorization) || m.Has(sip.HeaderProxyAuthorization) {
			auth = 1
		}
		return kind(int(m.Method())<<2 | auth<<1 | tag)
	}
	code := min(max(m.Status(), 100), 100+codes-1) - 100
	return answer(code, m.Method(), tag)
}

// answer is the kind of an answer; code counts from 100, and the classes follow.
func answer(code int, method sip.Method, tag int) kind {
	return kind(requests + (code*int(sip.NumMethods)+int(method))*2 + tag)
}

// class is the kind that stands for k when there is no room for k itself.
func (k kind) class() kind {
	p := k.parts()
	if p.code == 0 {
		return k
	}
	return answer(codes+p.code/100-1, p.method, p.tag)
}

// parts is a kind taken apart.
type parts struct {
	method    sip.Method // of the request, or of the CSeq
	code      int        // 0 of a request; of a class its lowest code
	class     bool
	auth, tag int
}

func (k kind) parts() parts {
	if int(k) < requests {
		return parts{method: sip.Method(k >> 2), auth: int(k >> 1 & 1), tag: int(k & 1)}
	}
	n := int(k) - requests
	p := parts{tag: n & 1, method: sip.Method(n / 2 % int(sip.NumMethods))}
	if p.code = n / 2 / int(sip.NumMethods); p.code >= codes {
		p.class, p.code = true, (p.code-codes)*100
	}
	p.code += 100
	return p
}

// maxRows bounds the kinds of one hour. Behind them there is room for every class, so
// that whoever sends odd codes for an hour spoils no more than that hour's detail.
const (
	maxRows = 1024
	allRows = maxRows + requests + classes*int(sip.NumMethods)*2
)

// row is the messages of a kind, or events of a type, in one hour.
type row [perHour]uint32

// block is one hour.
type block struct {
	hour   int64            // since 1970
	index  [numKinds]uint16 // the row of a kind, plus one
	kinds  []kind           // of each row
	rows   []row
	events [event.NumTypes]row
}

// days is the blocks of the last day, in a ring by the hour.
type days struct {
	ring [blocks]*block

	messages, late, early           uint64 // all; those too old to have a minute, those too far ahead
	events, eventsLate, eventsEarly uint64
}

// message counts one message at the minute of its own time.
func (d *days) message(now, at int64, k kind) {
	d.messages++
	b, ok := d.at(now, at, &d.late, &d.early)
	if !ok {
		return
	}
	i := b.index[k]
	if i == 0 {
		i = b.add(k)
	}
	b.rows[i-1][at/minute%perHour]++
}

// event counts one event at the minute of its own time.
func (d *days) event(now, at int64, t event.Type) {
	d.events++
	if b, ok := d.at(now, at, &d.eventsLate, &d.eventsEarly); ok {
		b.events[t][at/minute%perHour]++
	}
}

// at finds the block of a moment, which it empties when it is of another hour.
func (d *days) at(now, at int64, late, early *uint64) (b *block, ok bool) {
	switch {
	case at < now-int64(kept) || at < 0:
		*late++
		return nil, false
	case at > now+int64(ahead):
		*early++
		return nil, false
	}
	hour := at / int64(time.Hour)
	place := &d.ring[hour%int64(blocks)]
	if *place == nil {
		*place = &block{hour: hour}
	}
	if (*place).hour != hour {
		(*place).reset(hour)
	}
	return *place, true
}

func (b *block) reset(hour int64) {
	for _, k := range b.kinds {
		b.index[k] = 0
	}
	b.hour, b.kinds, b.rows = hour, b.kinds[:0], b.rows[:0]
	b.events = [event.NumTypes]row{}
}

// add makes room for a kind, or finds where it goes when there is none.
func (b *block) add(k kind) uint16 {
	if len(b.rows) >= maxRows {
		if k = k.class(); b.index[k] != 0 {
			return b.index[k]
		}
	}
	b.kinds, b.rows = append(b.kinds, k), append(b.rows, row{})
	b.index[k] = uint16(len(b.rows))
	return b.index[k]
}
