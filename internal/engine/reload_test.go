package engine

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// TestReloadLosesNothing: a capture is read again and again while the configuration
// changes all the time. Every frame is counted and every event comes out.
func TestReloadLosesNothing(t *testing.T) {
	const turns = 20
	read := func(during func(e *Engine)) (map[event.Type]int, map[event.Direction]int, Stats) {
		files := capture.DefaultFilesConfig()
		files.Paths, files.Loop = []string{"../../tests/captures/04-calls.pcap", "../../tests/captures/05-failed.pcap", "../../tests/captures/01-reg.pcap"}, turns
		src, err := capture.NewFiles(files)
		if err != nil {
			t.Fatal(err)
		}
		var k keeper
		e := New(DefaultConfig(), one(src), &k)
		ended := make(chan error, 1)
		go func() { ended <- e.Run(context.Background()) }()
		if during != nil {
			during(e)
		}
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		types, directions := map[event.Type]int{}, map[event.Direction]int{}
		for i := range k.events {
			types[k.events[i].Type]++
			directions[k.events[i].Direction]++
		}
		s := e.Stats()
		if err := s.Check(); err != nil {
			t.Error(err)
		}
		return types, directions, s
	}
	want, _, before := read(nil)
	reloads := 0
	got, directions, after := read(func(e *Engine) {
		cfg := DefaultConfig()
		cfg.Internal = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}
		cfg.Track.Established, cfg.Track.RegExpDelta = 13*time.Hour, 31*time.Second
		cfg.Track.Emergency, cfg.Track.MaxCalls = nil, 1<<19
		saved := make(chan error)
		for begun := time.Now(); time.Since(begun) < 400*time.Millisecond; reloads++ {
			go func() { saved <- e.Save(func(byte, []byte) error { return nil }) }()
			e.Reload(cfg)
			e.Reload(DefaultConfig())
			if err := <-saved; err != nil {
				t.Error(err)
			}
		}
	})
	if len(got) != len(want) || reloads == 0 {
		t.Fatalf("%v, want %v; %d reloads", got, want, reloads)
	}
	for typ, n := range want {
		if got[typ] != n {
			t.Errorf("%v: %d, without reloads %d", typ, got[typ], n)
		}
	}
	if before.Frames != after.Frames || before.Datagrams != after.Datagrams {
		t.Errorf("frames %d and %d", before.Frames, after.Frames)
	}
	t.Logf("%d reloads, directions %v", reloads, directions)
}

// The list of internal networks is that of the next event.
func TestReloadInternal(t *testing.T) {
	var k keeper
	e := New(DefaultConfig(), nil, &k)
	say := func() event.Direction {
		ev := make([]event.Event, 1)
		ev[0].Reset()
		ev[0].Type = event.CallStart
		ev[0].Src, ev[0].Dst = netip.MustParseAddrPort("192.0.2.1:5060"), netip.MustParseAddrPort("198.51.100.1:5060")
		e.core.send(ev)
		return k.events[len(k.events)-1].Direction
	}
	first := say()
	cfg := DefaultConfig()
	cfg.Internal = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	e.Reload(cfg)
	if second := say(); first == second || second.String() != "outbound" {
		t.Errorf("%v, then %v", first, second)
	}
}
