package beater

import (
	"slices"
	"testing"

	"github.com/elastic/beats/v7/libbeat/outputs/codec/json"

	"github.com/sipcmbeat/sipcmbeat/internal/engine"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// Both ways to render, alone and with libbeat's own encoder.
func BenchmarkRender(b *testing.B) {
	benchmarkRender(b, events(b, "../tests/captures/04-calls.pcap"))
}

// BenchmarkRenderMessages is the same of records of messages.
func BenchmarkRenderMessages(b *testing.B) {
	cfg := engine.DefaultConfig()
	cfg.Messages = true
	benchmarkRender(b, slices.DeleteFunc(eventsWith(b, cfg, "../tests/captures/04-calls.pcap"), func(e *event.Event) bool { return e.Type != event.Message }))
}

func benchmarkRender(b *testing.B, all []*event.Event) {
	for _, way := range []struct {
		name string
		maps bool
	}{{"maps", true}, {"branches", false}} {
		b.Run(way.name, func(b *testing.B) {
			r := renderer{maps: way.maps}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				r.render(all[i%len(all)])
			}
		})
		b.Run(way.name+"-encoded", func(b *testing.B) {
			r, enc := renderer{maps: way.maps}, json.New("1", json.Config{})
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				e := r.render(all[i%len(all)])
				if _, err := enc.Encode("sipcmbeat", &e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
