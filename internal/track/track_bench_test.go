package track

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// load is a call, a ping and a registration, as ladders write them.
const load = `-- ladder --
0s      alice > bob   INVITE
20ms    bob > alice   100
40ms    bob > alice   180
4s      bob > alice   200
4.02s   alice > bob   ACK
64s     alice > bob   BYE
64.01s  bob > alice   200
70s     alice > bob   OPTIONS call=o
70.01s  bob > alice   200 call=o
71s     alice > bob   OPTIONS call=p
71.01s  bob > alice   200 call=p
72s     alice > bob   REGISTER call=r contact=sip:alice@192.0.2.1 expires=60
72.01s  bob > alice   200 call=r contact=sip:alice@192.0.2.1;expires=60
`

// sight is a message of the load, parsed before.
type sight struct {
	at int64 // since the beginning of a round
	p  packet.Packet
	m  sip.Message
}

// loadSights is the load so many times, each with a Call-ID of its own.
func loadSights(t testing.TB, times int) []sight {
	l, err := siptest.ParseLadder("load", []byte(load))
	if err != nil {
		t.Fatal(err)
	}
	sights := make([]sight, 0, times*len(l.Steps))
	for i := range l.Steps {
		for c := range times {
			s := &l.Steps[i]
			text := strings.ReplaceAll(string(s.Payload), "@ladder", fmt.Sprintf("@%d", c))
			sights = append(sights, sight{at: s.Time - siptest.Start + int64(c)*int64(time.Millisecond)})
			x := &sights[len(sights)-1]
			x.p = packet.Packet{Src: s.Src, Dst: s.Dst, Transport: packet.UDP, Payload: []byte(text)}
			if x.m.Parse(x.p.Payload, false) != sip.OK {
				t.Fatal(text)
			}
		}
	}
	return sights
}

// BenchmarkSee is the cost of a message in the tracker alone. The messages are so few that
// they stay in the cache, as one that was just parsed does.
func BenchmarkSee(b *testing.B) {
	sights := loadSights(b, 25)
	tr := New(DefaultConfig())
	var events []event.Event
	turn := siptest.Start
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; {
		for i := range sights {
			x := &sights[i]
			x.p.Time = turn + x.at
			events = tr.See(events[:0], &x.p, &x.m)
			if n++; n == b.N {
				break
			}
		}
		turn += int64(10 * time.Minute)
	}
}

// BenchmarkTimers is the cost of setting and firing one, a million waiting.
func BenchmarkTimers(b *testing.B) {
	var w wheel
	o := &counting{}
	timers := make([]timer, 1<<20)
	for i := range timers {
		timers[i].owner = o
		w.set(&timers[i], int64(i)*int64(time.Millisecond))
	}
	b.ReportAllocs()
	b.ResetTimer()
	for n := range b.N {
		t := &timers[n%len(timers)]
		w.set(t, int64(n+len(timers))*int64(time.Millisecond))
		w.run(nil, int64(n)*int64(time.Millisecond))
	}
}

type counting struct{ n int }

func (c *counting) expire(*Tracker)      { c.n++ }
func (c *counting) flush(*Tracker, bool) {}
