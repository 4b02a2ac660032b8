package kpi

import (
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/metric"
)

const group = "kpi"

var (
	callsUp  = metric.Desc{Group: group, Name: "kpi_calls_up", Kind: metric.Gauge, Help: "Calls that started since the program did and are not over."}
	ratios   = metric.Desc{Group: group, Name: "kpi_ratio_percent", Kind: metric.Gauge, Label: "indicator", Help: "Ratios of the last five minutes, in percent, where there were enough attempts."}
	seen     = metric.Desc{Group: group, Name: "kpi_messages", Kind: metric.Counter, Help: "Messages that were counted by the minute, and those that were not."}
	unplaced = metric.Desc{Group: group, Name: "kpi_messages_unplaced", Kind: metric.Counter, Label: "reason", Help: "Messages that have no minute: more than a day old, or more than an hour ahead of the clock."}
	events   = metric.Desc{Group: group, Name: "kpi_events", Kind: metric.Counter, Help: "Events that were counted, whether they left or not."}
	noMinute = metric.Desc{Group: group, Name: "kpi_events_unplaced", Kind: metric.Counter, Label: "reason", Help: "Events that have no minute: more than a day old, or more than an hour ahead of the clock."}
)

// Descs are the families of Samples.
var Descs = []*metric.Desc{&callsUp, &ratios, &seen, &unplaced, &events, &noMinute}

// inSamples are the indicators that are samples too.
var inSamples = map[string]bool{"asr": true, "ner": true, "ser": true, "isa": true, "rsr": true, "options_availability": true}

// Samples hands on what is counted.
func (c *Counter) Samples(add metric.Adder) {
	c.mu.Lock()
	c.total.flush()
	now := c.clock
	set := c.set(&c.total, since(c.total.minutes[:], minute, now-now%minute-int64(5*time.Minute), now), now-int64(5*time.Minute), now)
	up, d := c.up, c.days
	c.mu.Unlock()
	add(&callsUp, "", float64(up))
	for i := range set.Indicators {
		if x := &set.Indicators[i]; inSamples[x.Name] && x.Value != nil {
			add(&ratios, x.Name, *x.Value)
		}
	}
	add(&seen, "", float64(d.messages))
	add(&unplaced, "old", float64(d.late))
	add(&unplaced, "ahead", float64(d.early))
	add(&events, "", float64(d.events))
	add(&noMinute, "old", float64(d.eventsLate))
	add(&noMinute, "ahead", float64(d.eventsEarly))
}
