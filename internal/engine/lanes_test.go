package engine

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
	"github.com/sipcmbeat/sipcmbeat/internal/stream"
)

// answer is the 200 to options.
var answer = strings.Replace(strings.Replace(options, "OPTIONS sip:b@example.com SIP/2.0", "SIP/2.0 200 OK", 1),
	"To: <sip:b@example.com>", "To: <sip:b@example.com>;tag=2", 1)

func ask(at time.Duration) packet.Frame {
	return udp(at, "192.0.2.1:5060", "192.0.2.2:5060", options)
}

func reply(at time.Duration) packet.Frame {
	return udp(at, "192.0.2.2:5060", "192.0.2.1:5060", answer)
}

// all runs an engine over inputs and gives its events and counters.
func all(t *testing.T, cfg Config, inputs ...Input) ([]event.Event, Stats, []InputStats) {
	t.Helper()
	var k keeper
	e := New(cfg, inputs, &k)
	if err := e.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	sum, each := e.Inputs()
	if err := sum.Check(); err != nil {
		t.Error(err)
	}
	return k.events, sum, each
}

func file(place int, frames ...packet.Frame) Input {
	return Input{Source: source(frames...), Place: place}
}

func source(all ...packet.Frame) *frames { return &frames{all: all} }

// TestLanesShare: one tap delivers the requests, another the answers.
func TestLanesShare(t *testing.T) {
	events, sum, each := all(t, DefaultConfig(), file(0, reply(time.Second)), file(1, ask(0)))
	if len(events) != 1 || events[0].Type != event.OtherOK || events[0].Sequence != 1 {
		t.Errorf("events: %s", summary(events))
	}
	if sum.Frames != 2 || each[0].Frames != 1 || each[1].Frames != 1 || sum.Track.Requests != 1 || !each[0].Ended {
		t.Errorf("frames %d = %d + %d, ended %v", sum.Frames, each[0].Frames, each[1].Frames, each[0].Ended)
	}
}

// TestFilesInOrder: cut into several files by any rule, a capture gives the same
// events.
func TestFilesInOrder(t *testing.T) {
	var whole []packet.Frame
	for i := range 40 {
		f := ask(time.Duration(i) * time.Second)
		if i%2 == 1 {
			f = reply(time.Duration(i) * time.Second)
		}
		f.Data = []byte(strings.Replace(string(f.Data), "Call-ID: x", "Call-ID: "+string(rune('a'+i/2)), 1))
		whole = append(whole, f)
	}
	want, _, _ := all(t, DefaultConfig(), file(0, whole...))
	for name, of := range map[string]func(i int) int{
		"in turn":   func(i int) int { return i % 3 },
		"in pieces": func(i int) int { return i / 14 },
		"uneven":    func(i int) int { return i * i % 3 },
	} {
		var parts [3][]packet.Frame
		for i, f := range whole {
			parts[of(i)] = append(parts[of(i)], f)
		}
		got, _, _ := all(t, DefaultConfig(), file(0, parts[0]...), file(1, parts[1]...), file(2, parts[2]...))
		if a, b := summary(want), summary(got); a != b {
			t.Errorf("%s:\n%s\nwant:\n%s", name, b, a)
		}
	}
}

// TestMirrorInputs: the same datagram from another input is a mirror duplicate, from
// another worker of the same interface a retransmission.
func TestMirrorInputs(t *testing.T) {
	frame, again := ask(0), ask(50*time.Millisecond)
	frame, again = identified(frame, 0), identified(again, 0)
	for place, dups := range []uint64{0, 1} {
		_, sum, _ := all(t, DefaultConfig(), file(0, frame), file(place, again))
		if sum.Datagrams[MirrorDuplicate] != dups || sum.Track.Retransmissions != 1-dups {
			t.Errorf("place %d: %d duplicates, %d retransmissions", place, sum.Datagrams[MirrorDuplicate], sum.Track.Retransmissions)
		}
	}
}

// script is a live source of which the test decides what comes next.
type script struct {
	frames
	next chan func(f *packet.Frame) error
}

func newScript() *script { return &script{next: make(chan func(*packet.Frame) error)} }

func (s *script) Next(f *packet.Frame) error {
	step, ok := <-s.next
	if !ok {
		return io.EOF
	}
	return step(f)
}

func (s *script) frame(want packet.Frame) {
	s.next <- func(f *packet.Frame) error { *f = want; return nil }
}

func (s *script) tick(at time.Duration) {
	s.next <- func(f *packet.Frame) error { f.Time = siptest.Start + int64(at); return capture.ErrIdle }
}

func (s *script) fail(err error) { s.next <- func(*packet.Frame) error { return err } }

// TestIdleWaits: the clock of an idle interface does not run ahead of another one
// that has not handed over what it holds.
func TestIdleWaits(t *testing.T) {
	a, b, old := newScript(), newScript(), source()
	var k keeper
	e := New(DefaultConfig(), []Input{{Source: a, Live: true}, {Source: b, Live: true, Place: 1}, {Source: old}}, &k)
	done := make(chan error)
	go func() { done <- e.Run(context.Background()) }()
	a.frame(ask(0))
	b.tick(10 * time.Millisecond)
	a.tick(40 * time.Second) // b may hold the answer still
	a.tick(40 * time.Second) // the one before has been followed
	b.frame(reply(31 * time.Second))
	b.tick(40 * time.Second)
	close(a.next)
	b.tick(120 * time.Second)
	close(b.next)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if len(k.events) != 1 || k.events[0].Type != event.OtherOK {
		t.Errorf("events: %s", summary(k.events))
	}
}

// TestLiveAndFile: a file's end decides nothing while an interface is watched, and
// its packets may be old.
func TestLiveAndFile(t *testing.T) {
	a := newScript()
	var k keeper
	e := New(DefaultConfig(), []Input{{Source: source(ask(0))}, {Source: a, Live: true, Place: 1}}, &k)
	done := make(chan error)
	go func() { done <- e.Run(context.Background()) }()
	a.tick(time.Hour)
	close(a.next)
	if err := <-done; err != nil || len(k.events) > 1 {
		t.Errorf("%v, events: %s", err, summary(k.events))
	}
	for _, ev := range k.events { // the file may have been read before the tick
		if ev.Incomplete&event.EndOfCapture != 0 {
			t.Errorf("events: %s", summary(k.events))
		}
	}
}

// TestLaneFails: an input that fails ends alone; one that goes on after an error
// leaves none behind.
func TestLaneFails(t *testing.T) {
	a, b := newScript(), newScript()
	var k keeper
	var told []string
	cfg := DefaultConfig()
	cfg.Trouble = func(input string, err error) { told = append(told, input+": "+err.Error()) }
	e := New(cfg, []Input{{Source: a, Name: "a", Live: true}, {Source: b, Name: "b", Live: true, Place: 1}}, &k)
	done := make(chan error)
	go func() { done <- e.Run(context.Background()) }()
	gone := errors.New("gone")
	a.fail(gone)
	close(a.next)
	b.fail(errors.New("gone for a while"))
	b.frame(ask(0))
	b.frame(reply(time.Second))
	close(b.next)
	err := <-done
	if !errors.Is(err, gone) || strings.Contains(err.Error(), "while") {
		t.Errorf("error %v", err)
	}
	slices.Sort(told)
	if want := []string{"a: gone", "b: gone for a while"}; !slices.Equal(told, want) {
		t.Errorf("told %q", told)
	}
	if len(k.events) != 1 {
		t.Errorf("events: %s", summary(k.events))
	}
}

// TestStatsWhileRunning: the sums agree at any moment, under the race detector too.
func TestStatsWhileRunning(t *testing.T) {
	var lots []packet.Frame
	for i := range 2000 {
		lots = append(lots, ask(time.Duration(i)*time.Millisecond), reply(time.Duration(i)*time.Millisecond))
	}
	faults := 0
	cfg := DefaultConfig()
	cfg.Tap = func(*packet.Packet, *sip.Message) {
		if faults++; faults%10 == 0 {
			panic("on purpose")
		}
	}
	e := New(cfg, []Input{
		{Source: source(lots...), Live: true}, {Source: source(lots...), Live: true, Place: 1}, file(2, lots...), file(3, lots...),
	}, discard{})
	var wg sync.WaitGroup
	wg.Go(func() { e.Run(context.Background()) })
	for range 50 {
		s := e.Stats()
		if err := s.Check(); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	s := e.Stats()
	if err := s.Check(); err != nil || s.Frames != uint64(4*len(lots)) || s.Faults == 0 {
		t.Errorf("%v, %d frames, %d faults", err, s.Frames, s.Faults)
	}
}

// TestAdd: every counter is summed over the lanes.
func TestAdd(t *testing.T) {
	for _, sum := range []func() (reflect.Value, reflect.Value){
		func() (reflect.Value, reflect.Value) {
			var a, b capture.Stats
			fill(reflect.ValueOf(&b).Elem())
			a.Add(&b)
			return reflect.ValueOf(a), reflect.ValueOf(b)
		},
		func() (reflect.Value, reflect.Value) {
			var a, b packet.Stats
			fill(reflect.ValueOf(&b).Elem())
			a.Add(&b)
			return reflect.ValueOf(a), reflect.ValueOf(b)
		},
		func() (reflect.Value, reflect.Value) {
			var a, b stream.Stats
			fill(reflect.ValueOf(&b).Elem())
			a.Add(&b)
			return reflect.ValueOf(a), reflect.ValueOf(b)
		},
		func() (reflect.Value, reflect.Value) {
			var a, b Stats
			fill(reflect.ValueOf(&b).Elem())
			a.Add(&b)
			b.Events, b.Track, b.Limit, b.Telling = a.Events, a.Track, a.Limit, a.Telling // of the core
			return reflect.ValueOf(a), reflect.ValueOf(b)
		},
	} {
		a, b := sum()
		for i := range a.NumField() {
			if !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
				t.Errorf("%s: %s is not summed", a.Type(), a.Type().Field(i).Name)
			}
		}
	}
}

// servers counts those that fill has made.
var servers byte

// fill sets all numbers to 1.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if s, ok := v.Addr().Interface().(*stream.Server); ok {
			s.Connections, s.Bytes = 1, 1 // one server, each with an address of its own
			s.Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, servers}), 5061)
			servers++
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i))
		}
	case reflect.Bool:
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	default:
		v.SetUint(1)
	}
}

// TestManyPlaces: inputs are told apart however many there are, and all interfaces of
// a file too.
func TestManyPlaces(t *testing.T) {
	again := identified(ask(50*time.Millisecond), 0)
	again.Source = 1<<16 - 1
	for _, place := range []int{64, 1024} {
		_, sum, _ := all(t, DefaultConfig(), file(0, identified(ask(0), 0)), file(place, again), file(2*place, again))
		if sum.Datagrams[MirrorDuplicate] != 2 {
			t.Errorf("place %d: %d duplicates", place, sum.Datagrams[MirrorDuplicate])
		}
	}
}

// TestMirrorStreams: a TCP connection that two inputs see is followed once.
func TestMirrorStreams(t *testing.T) {
	at := []time.Duration{0, time.Second}
	taps := make([][]packet.Frame, 3)
	for tap := range taps {
		var plain []packet.Frame
		for i, text := range []string{options, answer} {
			f := udp(at[i]+time.Duration(tap)*time.Millisecond, "192.0.2.1:40000", "192.0.2.2:5060", text)
			if i == 1 {
				f = udp(at[i]+time.Duration(tap)*time.Millisecond, "192.0.2.2:5060", "192.0.2.1:40000", text)
			}
			plain = append(plain, f)
		}
		taps[tap] = siptest.StreamCarriers[0].Wrap(plain)
	}
	events, sum, _ := all(t, DefaultConfig(), file(0, taps[0]...), file(1, taps[1]...), file(2, taps[2]...))
	if len(events) != 1 || events[0].Type != event.OtherOK || sum.Units[Message] != 2 || sum.Units[MirrorDuplicate] != 4 || sum.Track.Retransmissions != 0 {
		t.Errorf("%v, %d retransmissions, events: %s", sum.Units, sum.Track.Retransmissions, summary(events))
	}
}

// faulty fails on its first event.
type faulty struct{ keeper }

func (f *faulty) Put(e *event.Event) {
	if len(f.events) == 0 {
		f.events = append(f.events, event.Event{})
		panic("on purpose")
	}
	f.keeper.Put(e)
}

// TestFaultWithoutFrame: a fault while time passes ends nothing, neither on a live
// input nor at the end of a file.
func TestFaultWithoutFrame(t *testing.T) {
	for _, live := range []bool{true, false} {
		a, told := newScript(), 0
		cfg := DefaultConfig()
		cfg.Fault = func(f *packet.Frame, cause any) {
			if told++; f.Data != nil || cause != "on purpose" {
				t.Errorf("%v, a frame of %d bytes that has gone", cause, len(f.Data))
			}
		}
		e := New(cfg, []Input{{Source: a, Live: live}}, &faulty{})
		done := make(chan error)
		go func() { done <- e.Run(context.Background()) }()
		a.frame(ask(0))
		if live {
			a.tick(time.Minute)
		}
		close(a.next)
		if err := <-done; err != nil {
			t.Error(err)
		}
		s := e.Stats()
		if err := s.Check(); err != nil || told != 1 || s.Faults != 1 {
			t.Errorf("live %v: %v, %d faults told, %d counted", live, err, told, s.Faults)
		}
	}
}

// TestOldPackets: packets that are a year behind the clock (a file beside an
// interface, a HEP sender with a wrong clock) give what they give alone: calls and
// bindings live as long as their own times say.
func TestOldPackets(t *testing.T) {
	l, err := siptest.ParseLadder("old", []byte(`A call with a session timer, and a binding that is refreshed and removed.
-- ladder --
0s      alice > bob   INVITE
1s      bob > alice   200 | Session-Expires: 90;refresher=uac
1.01s   alice > bob   ACK
2s      carol > reg   REGISTER call=2 contact=sip:carol@10.0.0.9 expires=60
2.1s    reg > carol   200      call=2 contact=sip:carol@10.0.0.9;expires=60
50s     carol > reg   REGISTER call=2 contact=sip:carol@10.0.0.9 expires=60
50.1s   reg > carol   200      call=2 contact=sip:carol@10.0.0.9;expires=60
60s     alice > bob   BYE
60.1s   bob > alice   200
90s     carol > reg   REGISTER call=2 contact=sip:carol@10.0.0.9 expires=0
90.1s   reg > carol   200      call=2
-- want --
`))
	if err != nil {
		t.Fatal(err)
	}
	old := ladder(l)
	want, _, _ := all(t, DefaultConfig(), file(0, old...))
	const year = 365 * 24 * time.Hour
	ahead := []packet.Frame{ask(year), reply(year + time.Second)}
	for i := range old {
		at := year + time.Second + time.Duration(old[i].Time-siptest.Start)
		ahead = append(ahead, udp(at, "192.0.2.8:5060", "192.0.2.9:5060", "\r\n\r\n"), old[i])
	}
	got, _, _ := all(t, DefaultConfig(), file(0, ahead...))
	if len(want) != 4 || len(got) != len(want)+1 || summary(got[1:]) != summary(want) {
		t.Errorf("%s\nalone:\n%s", summary(got), summary(want))
	}
	for i := range want {
		if e := &want[i]; e.Type == event.CallEnd && e.Side == event.ByTimeout || e.Type == event.RegExpired {
			t.Errorf("%v", e.Type)
		}
	}
}
