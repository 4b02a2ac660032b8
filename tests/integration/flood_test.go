package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// rated is what a record says of its rate.
type rated struct {
	Event     struct{ Action string }
	Source    struct{ IP string }
	Sipcmbeat struct {
		Rate struct {
			Exceeded, Suppressed, Total int
			Ended, Key, Period, Type    string
			Current, Limit              float64
		}
	}
}

// TestFlood: requests that are refused, hundreds a second from one address. Those within
// the limit leave, and over it the 1st, 100th, 200th, 400th ... and no other; when the
// flood is over, with nothing more from that address, a rate-calm tells the rest. What
// left and what was held is what SIPp did.
func TestFlood(t *testing.T) {
	for _, c := range []struct {
		method string
		n      int
		rate   string
	}{
		{"options", 2000, "500"},
		{"register", 900, "300"},
	} {
		t.Run(c.method, func(t *testing.T) {
			t.Parallel()
			r := newRoom(t)
			p := r.sippServer("127.0.0.1", uas, "-sf", scenario("flood-answer"), "-t", "u1")
			r.await(p, "udp/5060")
			b := r.watch("iface: lo\nevr_limits: 20\nevr_intervals: 1s\n", "127.0.0.1:5060")
			done := r.sipp("127.0.0.1", 5090, "127.0.0.1:5060", c.n, "-sf", scenario("flood-"+c.method), "-t", "u1", "-r", c.rate).done()
			if !within(t, 20*time.Second, func() bool { return b.all()["rate-calm"] > 0 }) {
				t.Errorf("no rate-calm:\n%s", tail(b.said()))
			}
			if err := b.end(syscall.SIGTERM); err != nil {
				t.Errorf("sipcmbeat ended with %v:\n%s", err, tail(b.said()))
			}
			judgeFlood(t, b.rated(), done)
		})
	}
}

func judgeFlood(t *testing.T, all []rated, done int) {
	t.Helper()
	within, held, over := 0, 0, 0
	var left []int
	for _, e := range all {
		rate := &e.Sipcmbeat.Rate
		switch {
		case e.Event.Action == "rate-calm":
			over += rate.Exceeded
			if rate.Ended != "calm" || rate.Type != "other-failed" || rate.Total != rate.Exceeded-len(left) || e.Source.IP != "127.0.0.1" {
				t.Errorf("told %+v", e)
			}
		case e.Event.Action != "other-failed":
			continue
		case rate.Exceeded == 0:
			within++
		case rate.Key != "other-failed:127.0.0.1" || rate.Period != "1s" || rate.Limit != 20 || rate.Current <= 20:
			t.Errorf("over the limit: %+v", e)
			fallthrough
		default:
			left = append(left, rate.Exceeded)
		}
		held += rate.Suppressed
	}
	want := []int{1}
	for n := 100; n <= over; n *= 2 {
		want = append(want, n)
	}
	t.Logf("SIPp: %d; sipcmbeat: %d within the limit, %d over it, of which left %v, %d held and told", done, within, over, left, held)
	if !slices.Equal(left, want) {
		t.Errorf("left %v, want %v", left, want)
	}
	if within+over != done || within+len(left)+held != done {
		t.Errorf("%d within, %d over, %d left, %d held; SIPp: %d", within, over, len(left), held, done)
	}
}

// rated are the records that the program wrote.
func (b *beat) rated() (all []rated) {
	files, _ := filepath.Glob(filepath.Join(b.out, "events*"))
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			b.room.t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			var e rated
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				b.room.t.Fatal(strconv.Quote(line), err)
			}
			all = append(all, e)
		}
	}
	return all
}
