package track

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// identify sets event.id: a hash of the type and of what makes this event this
// event, each part behind its length, so that two sensors, a second reading of a
// file and a second sending give the same. A file read in a loop gives another
// one each turn. SHA-256, because an attacker must not be able to make two
// events share an id: the second would be dropped as a duplicate.
func (t *Tracker) identify(e *event.Event, parts ...[]byte) {
	b := t.idBuf[:0]
	b = append(b, e.Type.String()...)
	if t.turn > 0 {
		b = binary.BigEndian.AppendUint32(b, uint32(t.turn))
	}
	t.idBuf = b
	e.ID = t.digest(parts)
}

// inOrder lets no event begin behind its end, which clocks that step back and messages
// that overtake others can make it: differences are never below zero.
func inOrder(e *event.Event) {
	if e.End != 0 {
		e.Start = min(e.Start, e.End)
	}
}

// identifyCall sets sip.call.id: the dialog, or the attempt while it has no To tag.
func (t *Tracker) identifyCall(e *event.Event) {
	t.idBuf = t.idBuf[:0]
	if e.Type == event.CallAttempt {
		e.Call = t.digest([][]byte{e.Bytes(e.CallID), e.Bytes(e.From.Tag)})
		return
	}
	a, b := tags(e)
	e.Call = t.digest([][]byte{e.Bytes(e.CallID), a, b})
}

// digest appends parts to idBuf and hashes it.
func (t *Tracker) digest(parts [][]byte) (h event.Hash) {
	b := t.idBuf
	for _, p := range parts {
		b = binary.BigEndian.AppendUint32(b, uint32(len(p)))
		b = append(b, p...)
	}
	t.idBuf = b
	sum := sha256.Sum256(b)
	copy(h[:], sum[:])
	return h
}

// tags are both tags of a dialog in an order that does not depend on who sends.
func tags(e *event.Event) (a, b []byte) {
	a, b = e.Bytes(e.From.Tag), e.Bytes(e.To.Tag)
	if bytes.Compare(a, b) > 0 {
		a, b = b, a
	}
	return a, b
}

// number is n as a part of an identity.
func number(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

// moment is a packet time as a part of an identity.
func moment(at int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(at)) }
