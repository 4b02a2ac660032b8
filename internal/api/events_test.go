package api

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

func events(t *testing.T, s *Server, query string) (p view.EventPage) {
	t.Helper()
	resp, text := ask(t, s).do("GET", "/events?"+query, "")
	if err := json.Unmarshal([]byte(text), &p); err != nil || resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, text)
	}
	return p
}

func TestEvents(t *testing.T) {
	s := started(t, newFake(), func(c *Config) { c.MaxEvents = 100 })
	for i := 3; i < 20; i++ {
		s.Watch(sample(i), "sent")
	}
	for query, want := range map[string]string{
		"":                                     "20 19 18 17 16 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1",
		"limit=3":                              "20 19 18",
		"limit=3&cursor=18":                    "17 16 15",
		"limit=3&cursor=1":                     "",
		"type=auth-failed":                     "20 17 14 11 8 5 2",
		"fate=rate":                            "2",
		"fate=sent&limit=2":                    "20 19",
		"source=192.0.2.2":                     "2",
		"source=192.0.2.0/30":                  "3 2 1",
		"source=2001:db8::/32":                 "",
		"text=192.0.2.2%22":                    "2",
		"text=ALERT(1)&limit=1":                "20",
		"text=nobody":                          "",
		"text=&cursor=":                        "20 19 18 17 16 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1",
		"type=call-start&source=192.0.2.1":     "1",
		"type=call-start&source=192.0.2.2":     "",
		"source=::ffff:192.0.2.2&fate=rate":    "2",
		"type=auth-failed&fate=rate&text=auth": "2",
	} {
		p := events(t, s, query)
		var got []string
		for _, e := range p.Events {
			got = append(got, fmt.Sprint(e.Number))
			var record map[string]any
			if err := json.Unmarshal(e.Record, &record); err != nil {
				t.Fatal(err)
			}
		}
		if strings.Join(got, " ") != want || p.Total != 20 {
			t.Errorf("%s: %q of %d, want %q", query, got, p.Total, want)
		}
	}
	if p := events(t, s, "limit=3"); p.Next != "18" {
		t.Errorf("next %q", p.Next)
	}
	if p := events(t, s, "limit=1000"); p.Next != "" {
		t.Errorf("next %q", p.Next)
	}
}

// The ring keeps to both bounds, whatever is put into it, and what it holds is whole.
func TestRingBounds(t *testing.T) {
	r := newRing(50, nil)
	var long event.Event
	for i := range 1000 {
		e := sample(i)
		if i%3 == 0 {
			long.CopyFrom(e)
			for range 40 {
				long.Add(&long.Via, make([]byte, event.MaxText))
			}
			e = &long
		}
		r.put(e, "sent")
		held := 0
		for j := range r.slots {
			held += r.slots[j].e.Size()
		}
		if r.n > 50 || r.bytes > 50*slotBytes || held > 2*50*slotBytes {
			t.Fatalf("%d events, %d bytes, %d held", r.n, r.bytes, held)
		}
	}
	from, to := r.span()
	var e event.Event
	for n := from; n < to; n++ {
		if _, ok := r.copy(n, &e); !ok || e.Time != sample(int(n-1)).Time {
			t.Errorf("number %d: %v, time %d", n, ok, e.Time)
		}
	}
	if _, ok := r.copy(from-1, &e); ok {
		t.Error("what is gone is there")
	}
	if _, ok := r.copy(to, &e); ok {
		t.Error("what has not come is there")
	}
}

// The engine holds its lock while it is watched: no allocation in steady state.
func TestWatchAllocation(t *testing.T) {
	r := newRing(100, nil)
	e := sample(0)
	for range 200 {
		r.put(e, "sent")
	}
	if n := testing.AllocsPerRun(1000, func() { r.put(e, "sent") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkWatch(b *testing.B) {
	r := newRing(1000, nil)
	e := sample(0)
	b.ReportAllocs()
	for b.Loop() {
		r.put(e, "sent")
	}
}

// sse is a stream that is read.
type sse struct {
	resp  *http.Response
	lines *bufio.Scanner
}

func open(t *testing.T, s *Server, query string, header ...string) *sse {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", s.URL()+"/api/v1/events/stream?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := (&http.Client{}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	o := &sse{resp, lines}
	if resp.StatusCode == 200 {
		o.next(t) // the comment: from here on events come
	}
	return o
}

// next reads one message.
func (o *sse) next(t *testing.T) (name, data string) {
	t.Helper()
	for o.lines.Scan() {
		line := o.lines.Text()
		if line == "" {
			return name, data
		}
		if v, ok := strings.CutPrefix(line, "event: "); ok {
			name = v
		}
		if v, ok := strings.CutPrefix(line, "data: "); ok {
			data = v
		}
	}
	return "end", ""
}

func TestStream(t *testing.T) {
	s := started(t, newFake(), nil)
	all, some := open(t, s, ""), open(t, s, "type=auth-failed")
	if all.resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Error(all.resp.Header)
	}
	for i := 3; i < 9; i++ {
		s.Watch(sample(i), "sent")
	}
	for n := 4; n <= 9; n++ {
		name, data := all.next(t)
		var e view.ShownEvent
		if err := json.Unmarshal([]byte(data), &e); err != nil || name != "event" || e.Number != uint64(n) || strings.ContainsAny(data, "<>\x1b") {
			t.Fatalf("%s %s, want number %d", name, data, n)
		}
	}
	for _, n := range []string{`"number":5,`, `"number":8,`} {
		if _, data := some.next(t); !strings.Contains(data, n) {
			t.Errorf("%s, want %s", data, n)
		}
	}
	again := open(t, s, "", "Last-Event-ID", "7")
	if _, data := again.next(t); !strings.Contains(data, `"number":8,`) {
		t.Error(data)
	}
}

// What a stream does not carry is said.
func TestStreamLeavesOut(t *testing.T) {
	s := started(t, newFake(), func(c *Config) { c.MaxEvents = 50 })
	o := open(t, s, "", "Last-Event-ID", "1")
	e := sample(0)
	for range 1000 {
		s.Watch(e, "sent")
	}
	got, left := 0, uint64(0)
	for got+int(left) < 1002 {
		name, data := o.next(t)
		switch name {
		case "event":
			got++
		case "left-out":
			var l view.LeftOut
			if err := json.Unmarshal([]byte(data), &l); err != nil {
				t.Fatal(err)
			}
			left += l.LeftOut
		default:
			t.Fatalf("%s %s", name, data)
		}
	}
	if got+int(left) != 1002 || left == 0 || s.count.leftOut.Load() != left {
		t.Errorf("%d events, %d left out, counted %d", got, left, s.count.leftOut.Load())
	}
}

func TestStreamsAreBounded(t *testing.T) {
	s := started(t, newFake(), nil)
	for range maxStreams {
		open(t, s, "")
	}
	if o := open(t, s, ""); o.resp.StatusCode != 503 {
		t.Error(o.resp.StatusCode)
	}
}

// Close ends streams and what is idle, at once.
func TestClose(t *testing.T) {
	s := New(DefaultConfig(), newFake())
	s.cfg.Port = 0
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	o := open(t, s, "")
	done := make(chan struct{})
	go func() { s.Close(2 * patience); close(done) }()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("does not end before its grace is over")
	}
	if name, _ := o.next(t); name != "end" {
		t.Error(name)
	}
	if n := s.count.streams.Load(); n != 0 {
		t.Errorf("%d streams", n)
	}
}

// Readers and the engine at once.
func TestEventsAtOnce(t *testing.T) {
	s := started(t, newFake(), func(c *Config) { c.MaxEvents = 20 })
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				s.Watch(sample(i), "sent")
			}
		}
	})
	for range 20 {
		events(t, s, "limit=10&text=192")
	}
	close(stop)
	wg.Wait()
}
