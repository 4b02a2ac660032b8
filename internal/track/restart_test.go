package track

import (
	"fmt"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/qos"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// TestRestartWalk: what FuzzWalk sends gives the same events when the program begins
// anew before each message. Where memory is short (how&2) the order in which entries give
// way is nearly kept, but not told apart to the last; then the tables have to be right.
func TestRestartWalk(t *testing.T) {
	for i := range 30 {
		in := make([]byte, 1500)
		x := uint32(i + 1)
		for j := range in {
			x = x*1664525 + 1013904223
			in[j] = byte(x >> 24)
		}
		for how := range uint8(8) {
			t.Run(fmt.Sprint(i, how), func(t *testing.T) {
				want := walkCut(t, in, how, 0)
				for _, every := range []int{1, 7} {
					if got := walkCut(t, in, how, every); got != want && how&2 == 0 {
						t.Fatalf("with restarts every %d:\n%s\nwithout:\n%s", every, got, want)
					}
				}
			})
		}
	}
}

// walkCut walks with a restart before every so many messages, 0 is none.
func walkCut(t *testing.T, in []byte, how uint8, every int) string {
	cfg := DefaultConfig()
	cfg.AuthLinger = 10 * time.Second
	if how&1 == 1 {
		cfg.RegDelDelay = 3 * time.Second
	}
	if how&2 == 2 {
		cfg.MaxCalls, cfg.MaxRegs = headroom+3, 1
	}
	tr := New(cfg)
	w := &walker{in: in, time: siptest.Start}
	var out []byte
	var r event.Renderer
	keep := func(got []event.Event) {
		for i := range got {
			out = append(r.Append(out, &got[i], nil), '\n')
		}
	}
	var m sip.Message
	for n := 0; len(w.in) > 0; n++ {
		if every > 0 && n%every == 0 {
			tr = takeUp(t, cfg, shoot(tr), 0)
		}
		w.time += int64(pick(w, 0, time.Millisecond, 20*time.Millisecond, 150*time.Millisecond, time.Second, -5*time.Millisecond))
		src, dst, text := w.message()
		p := packet.Packet{Time: w.time, Src: src, Dst: dst, Transport: packet.UDP, Payload: text}
		if m.Parse(text, false) != sip.OK {
			keep(tr.Unusable(nil, &p, &m))
			continue
		}
		keep(tr.See(nil, &p, &m))
		if how&4 == 4 {
			var r qos.Report
			r.Parse([]byte(`{"mos":4,"report_blocks":[{"fraction_lost":1}]}`), src, dst)
			r.CallIDs[2] = []byte(pick(w, "x", "y", "z"))
			r.Kind = qos.Kind(w.next(int(qos.NumKinds)))
			keep(tr.Report(nil, &p, &r))
		}
	}
	keep(tr.Flush(nil, FlushAll))
	checkTables(t, tr)
	checkEmpty(t, tr)
	return string(out)
}
