package beater

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/elastic-agent-libs/mapstr"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/kpi"
	"github.com/sipcmbeat/sipcmbeat/internal/privacy"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// indicators carries the indicators of closed windows from the lanes to libbeat. A file
// waits for room; a live input does not, and what there is no room for is counted.
type indicators struct {
	sets    chan view.IndicatorSet
	aborted chan struct{} // closed: nothing is waited for any more
	done    chan struct{} // closed when all is handed over
	wait    bool
	open    bool // some may come
	dropped atomic.Uint64
}

// windowsAhead is how many sets may wait: an hour of everything and a few peers.
const windowsAhead = 1024

// startCount makes the counter, and what takes its windows where they are wanted.
func (r *run) startCount() {
	if r.cfg.KPI.Records {
		r.windows = &indicators{
			sets:    make(chan view.IndicatorSet, windowsAhead),
			aborted: make(chan struct{}), done: make(chan struct{}), wait: !r.live, open: true,
		}
		r.cfg.Count.Closed = r.windows.put
		go r.sendIndicators(r.windows)
	}
	r.count = kpi.New(r.cfg.Count)
	r.cfg.Engine.Count = r.count
}

// put is called under core's lock.
func (w *indicators) put(set view.IndicatorSet) {
	select {
	case w.sets <- set:
		return
	default:
	}
	if !w.wait {
		w.dropped.Add(1)
		return
	}
	select {
	case w.sets <- set:
	case <-w.aborted:
		w.dropped.Add(1)
	}
}

// sendIndicators hands over what comes.
func (r *run) sendIndicators(w *indicators) {
	defer close(w.done)
	for set := range w.sets {
		r.publishMeasured(kpiRecord(&set, r.agent, r.masker()))
	}
}

// lastWindow ends the open window once the engine has ended.
func (r *run) lastWindow() {
	r.count.Close()
	if r.windows != nil {
		close(r.windows.sets)
	}
}

// counted is closed when the last window is handed over; nil when none are wanted, or
// that is so.
func (r *run) counted() <-chan struct{} {
	if r.windows == nil || !r.windows.open {
		return nil
	}
	return r.windows.done
}

// lost is how many sets there was no room for.
func (w *indicators) lost() uint64 {
	if w == nil {
		return 0
	}
	return w.dropped.Load()
}

// kpiRecord is the record of one set. A number without a denominator has its value
// alone. The name of a peer that is an address is masked where mask is not nil, and its id
// is keyed, so that two whose names become the same stay two.
func kpiRecord(set *view.IndicatorSet, agent string, mask event.Masker) beat.Event {
	from, to := set.From.UnixNano(), set.To.UnixNano()
	out := mapstr.M{"window_s": int64((set.To.Sub(set.From) + time.Second - 1) / time.Second)}
	if peer := set.Peer; peer != "" {
		if mask != nil {
			peer = privacy.Peer(mask, peer)
		}
		out["peer"] = peer
	}
	for i := range set.Indicators {
		x := &set.Indicators[i]
		row, ok := rowsOfKPI[x.Name]
		if !ok || x.Numerator == 0 && x.Denominator == 0 {
			continue
		}
		fields := mapstr.M{}
		if x.Value != nil {
			fields["value"] = *x.Value
		}
		if !row.Counted() {
			fields["numerator"], fields["denominator"] = x.Numerator, x.Denominator
		}
		out[x.Name] = fields
	}
	return measured("kpi", agent, strconv.Quote(set.Peer), set.To, from, to, out, mask)
}

// rowsOfKPI is the table of indicators by name: what is not in it is no field.
var rowsOfKPI = func() map[string]*kpi.Indicator {
	rows := map[string]*kpi.Indicator{}
	for i := range kpi.Table {
		rows[kpi.Table[i].Name] = &kpi.Table[i]
	}
	return rows
}()
