package beater

import (
	"fmt"
	"sync"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/engine"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// How health is judged.
const (
	healthTick  = 2 * time.Second
	laneHangs   = 10 * time.Second // a lane goes round some ten times a second
	dropsLinger = time.Minute      // how long a loss is told
	queueFull   = 0.9
)

// health is what is seen of a run from time to time, so that a probe asks for nothing
// that a lane would have to answer.
type health struct {
	mu      sync.Mutex
	lanes   map[int]seen // by the number of the input
	packets seen
	acked   seen
	dropped seen
	lost    uint64 // since dropped rises without a pause of dropsLinger
	ended   bool   // all is read
	quit    chan struct{}
	wait    sync.WaitGroup
}

// seen is a counter and when it last changed.
type seen struct {
	n    uint64
	when time.Time
}

// see takes the value of now and tells whether it is another one.
func (s *seen) see(n uint64, now time.Time) bool {
	if s.when.IsZero() || s.n != n {
		first := s.when.IsZero()
		s.n, s.when = n, now
		return !first
	}
	return false
}

func (s *seen) still(now time.Time) time.Duration { return now.Sub(s.when) }

// watchHealth looks every so often, until the health is closed.
func (r *run) watchHealth() {
	h := &r.health
	h.quit = make(chan struct{})
	r.look(time.Now())
	h.wait.Go(func() {
		tick := time.NewTicker(healthTick)
		defer tick.Stop()
		for {
			select {
			case now := <-tick.C:
				r.look(now)
			case <-h.quit:
				return
			}
		}
	})
}

func (h *health) close() {
	if h.quit != nil {
		close(h.quit)
		h.wait.Wait()
		h.quit = nil
	}
}

// end says that all is read.
func (h *health) end() {
	h.mu.Lock()
	h.ended = true
	h.mu.Unlock()
}

// look takes what counts up. The sources are asked before the lock: one may wait for its
// reader.
func (r *run) look(now time.Time) {
	var frames, dropped uint64
	for _, in := range r.inputs {
		s := in.Source.Stats()
		frames += s.Frames
		dropped += s.KernelDrops + s.InterfaceDrops
	}
	var buf [16]engine.Round
	rounds := r.engine.Rounds(buf[:0])
	h := &r.health
	h.mu.Lock()
	defer h.mu.Unlock()
	h.packets.see(frames, now)
	h.drops(dropped, now)
	done := r.ledger.done()
	h.acked.see(done, now)
	if done >= r.ring.accepted.Load() {
		h.acked.when = now // nothing waits
	}
	lanes := make(map[int]seen, len(rounds))
	for _, l := range rounds {
		s := h.lanes[l.Input]
		s.see(l.N, now)
		lanes[l.Input] = s
	}
	h.lanes = lanes
}

// drops takes how many packets were lost since the start. The caller holds the lock.
func (h *health) drops(n uint64, now time.Time) {
	before := h.dropped
	switch {
	case !h.dropped.see(n, now):
		return
	case now.Sub(before.when) >= dropsLinger:
		h.lost = 0
	}
	h.lost += n - before.n
}

func healthOf(checks ...view.Check) view.Health {
	h := view.Health{OK: true, Checks: checks}
	for _, c := range checks {
		h.OK = h.OK && c.OK
	}
	return h
}

func (r *run) checks(now time.Time) []view.Check {
	return []view.Check{r.lanesCheck(now), r.packetsCheck(now), r.dropsCheck(now), r.lossCheck(), r.outputCheck(now), r.queueCheck(), r.stateCheck()}
}

// lanesCheck says no when a live input hangs.
func (r *run) lanesCheck(now time.Time) view.Check {
	h := &r.health
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, s := range h.lanes {
		if d := s.still(now); d >= laneHangs {
			return view.Check{Name: "inputs", Detail: fmt.Sprintf("%s has not gone on for %v, a fault of this program", r.inputs[i].Name, d.Round(time.Second))}
		}
	}
	return view.Check{Name: "inputs", OK: true, Detail: "every input goes on"}
}

// packetsCheck says no when a live capture is silent.
func (r *run) packetsCheck(now time.Time) view.Check {
	limit := r.now().Keys.HTTP.ReadySilence
	h := &r.health
	h.mu.Lock()
	defer h.mu.Unlock()
	d := h.packets.still(now).Round(time.Second)
	c := view.Check{Name: "packets", OK: true}
	switch {
	case !r.live && h.ended:
		c.Detail = "the files are read"
	case !r.live:
		c.Detail = "files are being read"
	case h.ended:
		c.OK, c.Detail = false, "the capture has ended"
	case limit > 0 && d >= limit:
		c.OK, c.Detail = false, fmt.Sprintf("no packet for %v (http.ready_silence: %v)", d, limit)
	case h.packets.n == 0:
		c.Detail = "no packet yet"
	default:
		c.Detail = fmt.Sprintf("the last packet came at most %v ago", d+healthTick)
	}
	return c
}

// dropsCheck says no when packets were lost within the last minute.
func (r *run) dropsCheck(now time.Time) view.Check {
	h := &r.health
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lost > 0 && h.dropped.still(now) < dropsLinger {
		return view.Check{Name: "drops", Detail: fmt.Sprintf("%s lost by the kernel or the interface, the last within the last minute, %d since the start (pcap_buf_kb, workers)",
			plural(h.lost, "packet"), h.dropped.n)}
	}
	return view.Check{Name: "drops", OK: true, Detail: fmt.Sprintf("no packets lost within the last minute, %d since the start", h.dropped.n)}
}

// lossCheck says no when packets are missing whose loss nobody reports.
func (r *run) lossCheck() view.Check {
	share := r.loss.ratio() * 100
	if r.loss.high() {
		return view.Check{Name: "loss", Detail: fmt.Sprintf("about %.1f %% of the packets never come here, though nothing reports their loss (capture_loss_ratio, docs/metrics.md)", share)}
	}
	return view.Check{Name: "loss", OK: true, Detail: fmt.Sprintf("about %.1f %% of the packets never come here", share)}
}

// outputCheck says no when events wait and the output takes none.
func (r *run) outputCheck(now time.Time) view.Check {
	limit := r.now().Keys.HTTP.ReadyStall
	h := &r.health
	h.mu.Lock()
	defer h.mu.Unlock()
	accepted, done := r.sent(), r.ledger.done()
	left, d := accepted-min(done, accepted), h.acked.still(now).Round(time.Second)
	if done != h.acked.n {
		d = 0
	}
	if limit > 0 && left > 0 && d >= limit {
		return view.Check{Name: "output", Detail: fmt.Sprintf("%s wait, and the output has taken none for %v (http.ready_stall: %v); the log says why", plural(left, "event"), d, limit)}
	}
	return view.Check{Name: "output", OK: true, Detail: fmt.Sprintf("%s delivered, %d on their way", plural(done, "event"), left)}
}

// queueCheck says no when a live capture is about to drop events. The reader of a file
// waits.
func (r *run) queueCheck() view.Check {
	n, size := r.ring.waiting(), len(r.ring.slots)
	detail := fmt.Sprintf("%d of %d places are taken (event_buffer_size)", n, size)
	return view.Check{Name: "queue", OK: !r.live || float64(n) <= queueFull*float64(size), Detail: detail}
}

// stateCheck says no when the last state could not be written.
func (r *run) stateCheck() view.Check {
	switch {
	case r.keeper == nil:
		return view.Check{Name: "state", OK: true, Detail: "no state is kept (state.enabled)"}
	case r.unsaved.Load():
		return view.Check{Name: "state", Detail: "the last state could not be written (state.path); the log says why"}
	}
	return view.Check{Name: "state", OK: true, Detail: "state written " + plural(r.kept().Written, "time")}
}
