package track

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// vantages are other ways to see the same traffic: another sensor, a second copy, a later
// start. steps are those of a ladder; what is returned is what is seen.
var vantages = []struct {
	name string
	see  func(steps []siptest.Step) []siptest.Step
}{
	{"again", func(s []siptest.Step) []siptest.Step { return s }},
	{"with a clock of its own", func(s []siptest.Step) []siptest.Step {
		for i := range s {
			s[i].Time += int64(26 * time.Hour)
		}
		return s
	}},
	{"every message twice", func(s []siptest.Step) (all []siptest.Step) {
		for _, x := range s {
			all = append(all, x, x)
		}
		return all
	}},
	{"hops in another order", func(s []siptest.Step) []siptest.Step {
		for i := 1; i < len(s); i++ {
			a, b := &s[i-1], &s[i]
			if a.Payload != nil && b.Payload != nil && b.Time-a.Time <= int64(time.Millisecond) && a.Src != b.Src {
				*a, *b = *b, *a
				a.Time, b.Time = b.Time, a.Time
				i++
			}
		}
		return s
	}},
	{"only what the first sender sends and gets", func(s []siptest.Step) []siptest.Step {
		first := slices.IndexFunc(s, func(x siptest.Step) bool { return x.Payload != nil })
		if first < 0 {
			return s
		}
		who := s[first].Src.Addr()
		return slices.DeleteFunc(s, func(x siptest.Step) bool {
			return x.Payload != nil && x.Src.Addr() != who && x.Dst.Addr() != who
		})
	}},
	{"without its requests", func(s []siptest.Step) []siptest.Step {
		return slices.DeleteFunc(s, func(x siptest.Step) bool { return x.Payload != nil && !strings.HasPrefix(string(x.Payload), "SIP/2.0") })
	}},
	{"from the second message on", func(s []siptest.Step) []siptest.Step { return s[min(1, len(s)):] }},
	{"from the middle on", func(s []siptest.Step) []siptest.Step { return s[len(s)/2:] }},
}

// TestIdentity: an event has the same event.id from wherever it is seen, and no two share one.
// Events of two vantages are the same when type, Call-ID and time are, and no other is like it.
func TestIdentity(t *testing.T) {
	same := make([]int, len(vantages))
	for _, l := range siptest.Ladders(t, "testdata/*.txtar") {
		events := play(t, l)
		unshared(t, l.Name, events)
		want := identities(events, 0)
		for i, v := range vantages {
			seen := *l
			seen.Steps = v.see(slices.Clone(l.Steps))
			shift := int64(0)
			if v.name == "with a clock of its own" {
				shift = int64(26 * time.Hour)
			}
			for key, id := range identities(play(t, &seen), shift) {
				if was, ok := want[key]; ok && was != id && was != several && id != several {
					t.Errorf("%s, %s: %s is %s, and was %s", filepath.Base(l.Name), v.name, key, id, was)
				} else if ok {
					same[i]++
				}
			}
		}
	}
	for i, v := range vantages {
		if same[i] < 20 {
			t.Errorf("%s: %d events are compared", v.name, same[i])
		}
	}
}

// TestAliveIdentity: who comes to a call in its middle, or comes back to it, counts its
// turns from there; a turn of his is not one of somebody else at another time.
func TestAliveIdentity(t *testing.T) {
	const all = `
-- config --
call_alive_interval=1m
-- ladder --
0s     alice > bob   INVITE
1s     bob > alice   200
1.1s   alice > bob   ACK
90s    alice > bob   INFO
90.1s  bob > alice   200
200s   alice > bob   INFO
200.1s bob > alice   200
300s   tick
-- want --
`
	l, err := siptest.ParseLadder("alive", []byte(all))
	if err != nil {
		t.Fatal(err)
	}
	at := map[event.Hash]int64{}
	for _, from := range []int{0, 3, 5} {
		late := *l
		late.Steps = l.Steps[from:]
		n := 0
		for _, e := range play(t, &late) {
			if e.Type != event.CallAlive {
				continue
			}
			n++
			if was, ok := at[e.ID]; ok && was != e.Time {
				t.Errorf("the turns at %v and %v share %x", time.Duration(was-siptest.Start), time.Duration(e.Time-siptest.Start), e.ID)
			}
			at[e.ID] = e.Time
		}
		if n == 0 {
			t.Errorf("from step %d: no call-alive", from)
		}
	}
}

// several stands for events that cannot be told apart without their id.
const several = "several"

// unshared holds that no two events of a ladder have the same id.
func unshared(t *testing.T, file string, events []event.Event) {
	t.Helper()
	ids := map[event.Hash]int{}
	for i := range events {
		if j, ok := ids[events[i].ID]; ok {
			t.Errorf("%s: events %d and %d share %x", filepath.Base(file), j+1, i+1, events[i].ID)
		}
		ids[events[i].ID] = i
	}
}

// identities are the ids of events by what else they are known by. Left out are those whose
// identity is a packet's, with its time, and bindings whose REGISTER was not seen: what the
// registrar made of a contact may not be what was registered, and calls that say that they are
// up since they were first seen.
func identities(events []event.Event, shift int64) map[string]string {
	all := map[string]string{}
	for i := range events {
		e := &events[i]
		id := fmt.Sprintf("%x", e.ID)
		if e.Type == event.ParseError || e.Type == event.MsgProbe || e.Incomplete&event.NoRegister != 0 {
			continue
		}
		if e.Type == event.CallAlive && e.Start == 0 {
			continue
		}
		key := fmt.Sprintf("%s of %s at %v", e.Type, e.Bytes(e.CallID), time.Duration(e.Time-shift-siptest.Start))
		if _, ok := all[key]; ok {
			id = several
		}
		all[key] = id
	}
	return all
}
