package delivery

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/tests/stores"
)

// trouble is what befalls every output. run makes it and returns when the program has
// ended well; what is found afterwards is looked at by the caller.
type trouble struct {
	name string
	what string // for docs/delivery.md
	run  func(t *testing.T, o *output, name, capture string)
}

const speed = 2 << 20 // bytes a second of a slow way: all events take two seconds

var troubles = []trouble{
	{"none", "none", func(t *testing.T, o *output, name, capture string) {
		begin(t, t.TempDir(), reading(capture)+o.config(name)).exits(0)
	}},
	{"down", "the server is down at the start and comes later", func(t *testing.T, o *output, name, capture string) {
		o.kill(t)
		b := begin(t, t.TempDir(), reading(capture)+o.config(name))
		b.says(unreachable...)
		o.start(t)
		b.exits(0)
	}},
	{"killed", "the server is killed (`kill -9`) in the middle and started again", func(t *testing.T, o *output, name, capture string) {
		o.gate.Slow(speed)
		b := begin(t, t.TempDir(), reading(capture)+o.config(name))
		b.until("a part that was sent", func() bool { return o.gate.Sent() > 1<<20 })
		o.kill(t)
		b.inTheMiddle()
		o.gate.Slow(0)
		b.says(unreachable...)
		o.start(t)
		b.exits(0)
	}},
	{"slow", "the server is slow, and libbeat's queue full (`queue.mem.events: 64`)", func(t *testing.T, o *output, name, capture string) {
		o.gate.Slow(speed)
		begin(t, t.TempDir(), reading(capture)+o.config(name)+"queue.mem: {events: 64, flush.min_events: 32}\n").exits(0)
		o.gate.Slow(0)
	}},
	{"crash", "sipcmbeat is killed (`kill -9`) with everything in its queue on disk (`queue.disk`), and started again", func(t *testing.T, o *output, name, capture string) {
		o.gate.Slow(speed)
		home := t.TempDir()
		config := o.config(name) + "queue.disk.max_size: 1GB\n"
		b := begin(t, home, reading(capture)+config)
		b.until("queue on disk with all events", func() bool {
			return b.counter("libbeat.pipeline.events.published") == sent && b.counter("libbeat.pipeline.events.active") == 0
		})
		b.inTheMiddle()
		b.kill()
		o.gate.Slow(0)
		begin(t, home, reading(empty(t))+config).exits(0)
	}},
}

// inTheMiddle fails unless the output still has events to take.
func (b *beat) inTheMiddle() {
	b.t.Helper()
	if n := b.counter("libbeat.output.events.acked"); n < 0 || n >= sent {
		b.t.Errorf("%d of %d were delivered: this is no trouble", n, sent)
	}
}

// unreachable are what the outputs log of a server that does not answer.
var unreachable = []string{"connection refused", "connection reset", "broken pipe", "EOF", "Failed to connect"}

func reading(capture string) string {
	return fmt.Sprintf("sipcmbeat.pcap: %s\nsipcmbeat.evr_limits: none\n", capture)
}

// empty is a capture of nothing: the program ends when its queue is empty.
func empty(t *testing.T) string { return capture(t, 0) }

// TestDelivery: every event is found at every output after every trouble.
func TestDelivery(t *testing.T) {
	file := capture(t, calls)
	want := expected(t, file)
	if len(want) != sent {
		t.Fatalf("%d events of %d calls", len(want), calls)
	}
	for _, make := range []func(testing.TB) output{elasticsearchOutput, openSearchOutput, logstashOutput, kafkaOutput, redisOutput} {
		o := make(t)
		for _, trouble := range troubles {
			everywhere.note(trouble.what, o.name, "") // in this order
		}
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			for _, trouble := range troubles {
				t.Run(trouble.name, func(t *testing.T) {
					name := strings.ToLower("delivery-" + trouble.name)
					trouble.run(t, &o, name, file)
					found, twice := distinct(t, o.found(t, name), want)
					t.Logf("%s, %s: %d sent, %d found, %d more than once", o.name, trouble.name, sent, found, twice)
					cell := fmt.Sprintf("%d of %d", found, sent)
					if found != sent {
						t.Errorf("only %d of %d were found", found, sent)
					}
					if twice > 0 && (o.once || trouble.name == "none") {
						t.Errorf("%d were found more than once", twice)
					}
					everywhere.note(trouble.what, o.name, cell)
				})
			}
		})
	}
}

// A Logstash that kept a batch whose acknowledgement was lost gets it again, with the
// same ids.
func TestAcknowledgementLost(t *testing.T) {
	s := stores.Lumberjack(t, false)
	file := capture(t, calls)
	s.Mute()
	b := begin(t, t.TempDir(), reading(file)+fmt.Sprintf("output.logstash: {hosts: [%q], %s, %s}\n", s.Addr, batch, again))
	b.until("batch", func() bool { return len(s.Events()) > 0 })
	s.Kill(t)
	s.Start(t)
	b.exits(0)
	if found, twice := distinct(t, idsOf(t, s.Events()), expected(t, file)); found != sent || twice == 0 {
		t.Errorf("%d of %d were found, %d more than once", found, sent, twice)
	}
}
