package track

import (
	"bytes"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// part is one part of a snapshot.
type part struct {
	kind byte
	b    []byte
}

// shoot copies the parts of a snapshot.
func shoot(tr *Tracker) (parts []part) {
	tr.Snapshot(func(kind byte, b []byte) bool {
		parts = append(parts, part{kind, bytes.Clone(b)})
		return true
	})
	return parts
}

// takeUp restores what was shot. now is the time up to which nobody looked, 0 for none.
func takeUp(t testing.TB, cfg Config, parts []part, now int64) *Tracker {
	t.Helper()
	r := NewRestoring(cfg)
	for _, p := range parts {
		if err := r.Part(p.kind, p.b); err != nil {
			t.Fatalf("part of kind %d: %v", p.kind, err)
		}
	}
	tr, _, evicted, err := r.Done(now)
	if err != nil || len(evicted) > 0 {
		t.Fatal(err, len(evicted))
	}
	return tr
}

// TestRestartLadders: each ladder gives the same when the program ends and begins anew
// before each of its steps.
func TestRestartLadders(t *testing.T) {
	ladders(t, "testdata/*.txtar", func(t *testing.T, l *siptest.Ladder) {
		want := playCut(t, l, false)
		if got := playCut(t, l, true); got != want {
			t.Errorf("with restarts:\n%s\nwithout:\n%s", got, want)
		}
	})
}

// playCut runs a ladder and renders its events, all that they hold.
func playCut(t *testing.T, l *siptest.Ladder, cut bool) string {
	cfg, how := ladderConfig(t, l)
	tr := New(cfg)
	var out []byte
	var r event.Renderer
	var events []event.Event
	keep := func(got []event.Event) {
		for i := range got {
			out = append(r.Append(out, &got[i], nil), '\n')
		}
		events = got[:0]
	}
	var m sip.Message
	for i := range l.Steps {
		s := &l.Steps[i]
		if cut {
			tr = takeUp(t, cfg, shoot(tr), 0)
		}
		tr.SetSource("a.pcap", "", 0)
		keep(tr.Advance(events, s.Time))
		if s.Payload == nil {
			continue
		}
		p := packet.Packet{Time: s.Time, Src: s.Src, Dst: s.Dst, Transport: packet.UDP, Payload: s.Payload}
		if m.Parse(s.Payload, false) != sip.OK {
			keep(tr.Unusable(events, &p, &m))
			continue
		}
		keep(tr.See(events, &p, &m))
	}
	if cut {
		tr = takeUp(t, cfg, shoot(tr), 0)
		tr.SetSource("a.pcap", "", 0)
	}
	keep(tr.Flush(events, how))
	checkTables(t, tr)
	checkEmpty(t, tr)
	return string(out)
}
