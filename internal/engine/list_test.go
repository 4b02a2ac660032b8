package engine

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/recent"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
	"github.com/sipcmbeat/sipcmbeat/internal/track"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// steps are the frames of a ladder.
func steps(t testing.TB, text string) []packet.Frame {
	t.Helper()
	l, err := siptest.ParseLadder("x", []byte("-- ladder --\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	return ladder(l)
}

// seen is an engine that has seen frames, with a store of messages.
func seen(t *testing.T, all []packet.Frame) (*Engine, []event.Event) {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Keep, cfg.Flush = true, track.FlushNone
	cfg.Recent = recent.New(recent.MinSize)
	var k keeper
	e := New(cfg, one(&frames{all: all}), &k)
	if err := e.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	return e, k.events
}

const oneCall = `0s      alice > bob   INVITE call=x sdp
500ms   alice > bob   INVITE call=x again
1s      bob > alice   180 call=x
3s      bob > alice   200 call=x sdp
3.01s   alice > bob   ACK call=x
`

// TestCall: a call by its Call-ID and by the id of its records, with its messages, while
// it is up, when it is over, and when nobody remembers it but the store.
func TestCall(t *testing.T) {
	up := steps(t, oneCall+"10s tick\n")
	e, events := seen(t, up)
	id := fmt.Sprintf("%x", events[len(events)-1].Call[:])
	for _, name := range []string{"x@ladder", id} {
		c, ok := e.Call(name)
		if !ok || c.ID != id || c.CallID != "x@ladder" || c.State != "confirmed" || c.From != "sip:alice@example.com" || len(c.Messages) != 5 || !c.Messages[1].Repeat || c.Messages[2].Code != 180 || !c.Messages[3].SDP {
			t.Fatalf("%s: %v %+v", name, ok, c)
		}
	}
	page, err := e.Calls(view.Query{})
	if err != nil || len(page.Calls) != 1 || page.Calls[0].ID != id || page.Total != 1 {
		t.Errorf("%v %+v", err, page)
	}
	if _, ok := e.Call("nobody"); ok {
		t.Error("nobody is known")
	}
	if _, ok := e.Call(strings.Repeat("0", 32)); ok {
		t.Error("an id of nothing is known")
	}
	for _, c := range []struct{ after, state string }{
		{"20s alice > bob BYE call=x\n20.1s bob > alice 200 call=x\n", "ended"},
		{"20s alice > bob BYE call=x\n20.1s bob > alice 200 call=x\n200s tick\n", recent.Gone},
	} {
		e, _ := seen(t, steps(t, oneCall+c.after))
		d, ok := e.Call("x@ladder")
		if !ok || d.State != c.state || d.From != "sip:alice@example.com" || d.Source != "192.0.2.1:5060" || len(d.Messages) != 7 {
			t.Errorf("%v %+v", ok, d)
		}
		if c.state == "ended" && (d.HangupBy != "caller" || d.Answered == nil || d.Ended == nil) {
			t.Errorf("%+v", d)
		}
	}
}

// TestLinkOutlivesCall: the id of a page leads to the messages when the call is over.
func TestLinkOutlivesCall(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Recent = recent.New(recent.MinSize)
	src := newScript()
	e := New(cfg, []Input{{Source: src, Live: true}}, discard{})
	done := make(chan error, 1)
	go func() { done <- e.Run(context.Background()) }()
	for _, f := range steps(t, oneCall+"10s tick\n") {
		src.next <- func(to *packet.Frame) error { *to = f; return nil }
	}
	var id string
	for end := time.Now().Add(10 * time.Second); id == ""; {
		if page, _ := e.Calls(view.Query{State: "confirmed"}); len(page.Calls) == 1 {
			id = page.Calls[0].ID
		} else if time.Now().After(end) {
			t.Fatal("no call")
		}
	}
	for _, f := range steps(t, "20s alice > bob BYE call=x to=b\n20.1s bob > alice 200 call=x\n200s tick\n201s tick\n") {
		src.next <- func(to *packet.Frame) error { *to = f; return nil }
	}
	close(src.next)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if d, ok := e.Call(id); !ok || d.ID != id || d.State != recent.Gone || len(d.Messages) != 7 {
		t.Errorf("%v %+v", ok, d)
	}
	var b bytes.Buffer
	if n, err := e.WriteCapture(id, &b, nil); n != 7 || err != nil {
		t.Error(n, err)
	}
}

// TestWriteCapture: what is written makes the same events when it is read.
func TestWriteCapture(t *testing.T) {
	all := append(steps(t, oneCall), steps(t, "20s alice > bob OPTIONS call=y\n21s bob > alice 200 call=y\n")...)
	e, events := seen(t, all)
	file := filepath.Join(t.TempDir(), "x.pcap")
	var b bytes.Buffer
	if n, err := e.WriteCapture("x@ladder", &b, nil); n != 5 || err != nil {
		t.Fatal(n, err)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	src, err := capture.NewFiles(capture.FilesConfig{Paths: []string{file}})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	cfg := DefaultConfig()
	cfg.Flush = track.FlushNone
	got, _ := run(t, cfg, src)
	if len(got) != 1 || got[0].ID != events[0].ID || got[0].Time != events[0].Time {
		t.Errorf("%d events, want %s", len(got), summary(events[:1]))
	}
	if n, err := e.WriteCapture("nobody", &b, nil); n != 0 || err != nil {
		t.Error(n, err)
	}
	cfg.Recent = nil
	if n, err := New(cfg, nil, discard{}).WriteCapture("x", &b, nil); n != 0 || err != nil {
		t.Error(n, err)
	}
}

// TestListsWhileRunning: lanes run while several look at everything.
func TestListsWhileRunning(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Recent = recent.New(recent.MinSize)
	e := New(cfg, []Input{
		{Source: &frames{all: many(t, 0, 400)}, Live: true, Place: 0},
		{Source: &frames{all: many(t, 400, 400)}, Live: true, Place: 1},
	}, discard{})
	done := make(chan struct{})
	var lookers sync.WaitGroup
	look := func(at func()) {
		lookers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					at()
				}
			}
		})
	}
	for _, q := range []view.Query{{}, {Text: "ALICE", Limit: 7}, {Source: "192.0.2.0/24", Limit: 1000}} {
		look(func() {
			seen := map[string]int{}
			for q := q; ; {
				page, err := e.Calls(q)
				if err != nil {
					t.Error(err)
				}
				for _, c := range page.Calls {
					if seen[c.ID]++; seen[c.ID] > 1 {
						t.Errorf("%s is there twice", c.ID)
					}
					e.Call(c.ID)
				}
				if q.Cursor = page.Next; q.Cursor == "" {
					return
				}
			}
		})
		look(func() {
			if _, err := e.Bindings(q); err != nil {
				t.Error(err)
			}
			e.Binding("sip:alice@example.com")
			e.Call("call-17@ladder")
			e.WriteCapture("call-17@ladder", &bytes.Buffer{}, nil)
		})
	}
	if err := e.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	close(done)
	lookers.Wait()
	s := e.Stats()
	if err := s.Check(); err != nil {
		t.Error(err)
	}
}

// many are calls and a registration each, one after the other.
func many(t testing.TB, from, n int) (all []packet.Frame) {
	const one = oneCall + `4s    alice > bob   REGISTER call=r contact=sip:alice@192.0.2.1 expires=60
4.1s    bob > alice   200 call=r contact=sip:alice@192.0.2.1;expires=60
9s      alice > bob   BYE call=x
9.01s   bob > alice   200 call=x
`
	l, err := siptest.ParseLadder("x", []byte("-- ladder --\n"+one))
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		for j := range l.Steps {
			s := l.Steps[j]
			s.Time += int64(from+i) * int64(20*time.Millisecond)
			text := bytes.ReplaceAll(s.Payload, []byte(" x@ladder"), fmt.Appendf(nil, " call-%d@ladder", from+i))
			text = bytes.ReplaceAll(text, []byte("branch=z9hG4bK"), fmt.Appendf(nil, "branch=z9hG4bK%d.", from+i))
			f := packet.Frame{Time: s.Time, Link: packet.LinkEthernet, Data: siptest.UDPFrame(s.Src, s.Dst, text)}
			f.Wire = len(f.Data)
			all = append(all, f)
		}
	}
	return all
}

// TestNoAllocationRecent: the store of messages costs a frame none.
func TestNoAllocationRecent(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Recent = recent.New(recent.MinSize)
	noAllocationWith(t, cfg, func(f packet.Frame) packet.Frame { return f })
}
