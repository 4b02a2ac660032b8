package beater

import (
	"cmp"
	"slices"
	"time"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/elastic-agent-libs/mapstr"

	"github.com/sipcmbeat/sipcmbeat/config"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/metric"
)

// reporter makes records of statistics: of each group the totals, and what is new since
// the last ones. It is for one goroutine.
type reporter struct {
	groups  []string
	samples func(metric.Adder)
	who     string              // agent, for the ids
	mask    func() event.Masker // of now; nil: nothing is masked

	from time.Time          // of the interval
	last map[string]float64 // by field
}

// skip begins an interval of which the records say nothing of what was before.
func (p *reporter) skip(now time.Time) {
	p.from, p.last = now, map[string]float64{}
	p.samples(func(d *metric.Desc, value string, n float64) {
		if d.Kind == metric.Counter && n != 0 {
			p.last[d.Field(value)] = n
		}
	})
}

// records gives those of the interval that ends now.
func (p *reporter) records(now time.Time) (out []beat.Event) {
	objects := map[string]mapstr.M{}
	if p.last == nil {
		p.last = map[string]float64{}
	}
	p.samples(func(d *metric.Desc, value string, n float64) {
		field := d.Field(value)
		more := n - p.last[field]
		if d.Kind == metric.Counter && n != 0 { // of all groups: a reload may ask for others
			p.last[field] = n
		}
		if n == 0 || !slices.Contains(p.groups, d.Group) {
			return
		}
		o := objects[d.Group]
		if o == nil {
			o = mapstr.M{"group": d.Group}
			objects[d.Group] = o
		}
		_, _ = o.Put(field, numeric(d, n))
		if d.Kind == metric.Counter && more != 0 {
			_, _ = o.Put("delta."+field, numeric(d, more))
		}
	})
	for _, group := range p.groups {
		if o := objects[group]; o != nil {
			out = append(out, p.record(group, o, now))
		}
	}
	p.from = now
	return out
}

// numeric is what the mapping of the field wants.
func numeric(d *metric.Desc, n float64) any {
	if d.Fraction() {
		return n
	}
	return int64(n)
}

func (p *reporter) record(group string, stats mapstr.M, now time.Time) beat.Event {
	from, to := p.from.UnixNano(), max(now.UnixNano(), p.from.UnixNano()) // the clock may be set back
	var mask event.Masker
	if p.mask != nil {
		mask = p.mask()
	}
	return measured("stats", p.who, group, now, from, to, stats, mask)
}

// startReports begins the records of statistics, which a reload may ask for too.
func (r *run) startReports() {
	samples, server := r.Samples, r.server
	if server != nil {
		samples = func(add metric.Adder) {
			r.Samples(add)
			server.Samples(add)
		}
	}
	p := &reporter{groups: r.cfg.Stats.Groups, samples: samples, who: r.agent, mask: r.masker, from: r.began}
	r.last, r.reported, r.reporting = make(chan struct{}), make(chan struct{}), true
	r.restats = make(chan config.Stats, 1)
	go func() {
		defer close(r.reported)
		r.report(p, r.cfg.Stats.Every)
	}()
}

// report makes records every so often, none where that is 0, and a last time.
func (r *run) report(p *reporter, every time.Duration) {
	const never = 1<<63 - 1
	tick := time.NewTicker(never)
	defer tick.Stop()
	if every > 0 {
		tick.Reset(every)
	}
	for {
		var other *config.Stats
		over := false
		select {
		case <-tick.C:
		case <-r.last:
			over = true
		case s := <-r.restats: // what is over now was asked for
			other = &s
		}
		if every > 0 {
			if out := p.records(time.Now()); len(out) > 0 {
				r.publishMeasured(out...)
			}
		}
		if over {
			return
		}
		if other != nil {
			if every == 0 { // else it goes on where the records before ended, however long the output took them
				p.skip(time.Now())
			}
			p.groups, every = other.Groups, other.Every
			tick.Reset(cmp.Or(every, never))
		}
	}
}

// reportAs changes what is reported, for the interval that begins. One reload at a time
// calls it.
func (r *run) reportAs(before, now config.Stats) {
	if before.Every == now.Every && slices.Equal(before.Groups, now.Groups) {
		return
	}
	select {
	case <-r.restats: // of the last reload, and not seen yet
	default:
	}
	r.restats <- now // has room
}

// lastReport asks for the last records, once all events are handed over: the
// differences of all of them are then the totals.
func (r *run) lastReport() {
	if r.reporting {
		close(r.last)
	}
}
