package api

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sipcmbeat/sipcmbeat/internal/metric"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// samples gives all counters: the Program's and the server's own.
func (s *Server) samples(add metric.Adder) {
	s.program.Samples(add)
	s.Samples(add)
}

// collector hands the samples of now to Prometheus's library.
type collector struct{ of *Server }

// Describe names nothing: which families there are is known when they come.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) {
	descs := map[*metric.Desc]*prometheus.Desc{}
	c.of.samples(func(d *metric.Desc, value string, n float64) {
		kind, labels := prometheus.GaugeValue, []string(nil)
		if d.Kind == metric.Counter {
			kind = prometheus.CounterValue
		}
		var values []string
		if d.Label != "" {
			labels, values = []string{d.Label}, []string{value}
		}
		desc := descs[d]
		if desc == nil {
			desc = prometheus.NewDesc(d.Prometheus(), d.Help, labels, nil)
			descs[d] = desc
		}
		if m, err := prometheus.NewConstMetric(desc, kind, n, values...); err == nil {
			out <- m
		} else {
			out <- prometheus.NewInvalidMetric(desc, err)
		}
	})
}

// libbeat's own counters have their place among the others as their name:
// libbeat.output.events.acked is sipcmbeat_libbeat_output_events_acked, as
// deploy/prometheus/sipcmbeat-stats calls it. Which of them are counters is not told.
type libbeat struct{ of *Server }

// Describe names nothing.
func (libbeat) Describe(chan<- *prometheus.Desc) {}

// maxLibbeat bounds how many there are: some 150, of the code alone.
const maxLibbeat = 1000

// Collect implements prometheus.Collector.
func (c libbeat) Collect(out chan<- prometheus.Metric) {
	n := 0
	var walk func(name string, v any)
	walk = func(name string, v any) {
		var value float64
		switch x := v.(type) {
		case map[string]any:
			for key, below := range x {
				walk(name+"_"+strings.Map(plainLetter, key), below)
			}
			return
		case float64:
			value = x
		case int64:
			value = float64(x)
		case uint64:
			value = float64(x)
		default:
			return
		}
		if n++; n > maxLibbeat {
			return
		}
		desc := prometheus.NewDesc(name, "libbeat's own, by its place in /stats.", nil, nil)
		if m, err := prometheus.NewConstMetric(desc, prometheus.UntypedValue, value); err == nil {
			out <- m
		}
	}
	for _, part := range []string{"libbeat", "beat"} {
		walk(metric.Prefix+part, c.of.program.Libbeat()[part])
	}
}

func plainLetter(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
		return r
	}
	return '_'
}

// scrape is the handler of /metrics.
func (s *Server) scrape() http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collector{s}, libbeat{s}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4})
}

// stats are the counters as an object.
func (s *Server) stats() view.Stats {
	out := view.Stats{Time: time.Now().UTC(), Uptime: time.Since(s.began).Seconds(), Stats: map[string]map[string]any{}, Libbeat: s.program.Libbeat()}
	if out.Libbeat == nil {
		out.Libbeat = map[string]any{}
	}
	s.samples(func(d *metric.Desc, value string, n float64) {
		g := out.Stats[d.Group]
		if g == nil {
			g = map[string]any{}
			out.Stats[d.Group] = g
		}
		if d.Label == "" {
			g[d.Name] = n
			return
		}
		values, _ := g[d.Name].(map[string]float64)
		if values == nil {
			values = map[string]float64{}
			g[d.Name] = values
		}
		values[value] = n
	})
	return out
}

// Rates look back over a minute, in steps.
const (
	rateStep  = 10 * time.Second
	rateSteps = 7
)

// rates are the counters of the last minute, oldest first.
type rates struct {
	mu   sync.Mutex
	past []snapshot
}

type counterKey struct {
	d     *metric.Desc
	value string
}

type snapshot struct {
	at time.Time
	n  map[counterKey]float64
}

// measure takes the counters every so often, until the server ends.
func (s *Server) measure() {
	tick := time.NewTicker(rateStep)
	defer tick.Stop()
	for {
		s.rates.add(s.snapshot())
		select {
		case <-tick.C:
		case <-s.ended:
			return
		}
	}
}

func (s *Server) snapshot() snapshot {
	m := snapshot{time.Now(), map[counterKey]float64{}}
	s.samples(func(d *metric.Desc, value string, n float64) {
		if d.Kind == metric.Counter {
			m.n[counterKey{d, value}] = n
		}
	})
	return m
}

func (r *rates) add(m snapshot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.past) == rateSteps {
		r.past = append(r.past[:0], r.past[1:]...)
	}
	r.past = append(r.past, m)
}

// oldest is the counters of a minute ago, or of the start.
func (r *rates) oldest() (snapshot, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.past) == 0 {
		return snapshot{}, false
	}
	return r.past[0], true
}

// counters are all of them with their rates.
func (s *Server) counters() view.Counters {
	now := time.Now()
	out := view.Counters{Time: now.UTC(), Counters: []view.Counter{}}
	before, ok := s.rates.oldest()
	if ok {
		out.Over = now.Sub(before.at).Seconds()
	}
	s.samples(func(d *metric.Desc, value string, n float64) {
		c := view.Counter{Group: d.Group, Name: d.Name, Label: d.Label, Value: value, Kind: d.Kind.String(), N: n, Help: d.Help}
		if was, known := before.n[counterKey{d, value}]; known && out.Over > 0 {
			rate := max(n-was, 0) / out.Over
			c.Rate = &rate
		}
		out.Counters = append(out.Counters, c)
	})
	return out
}
