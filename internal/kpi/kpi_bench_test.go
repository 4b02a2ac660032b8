package kpi

import (
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// What a message costs: most make no event.
func BenchmarkSee(b *testing.B) {
	for _, x := range []struct{ name, first, cseq string }{
		{"request", "INVITE", "INVITE"}, {"answer", "200", "INVITE"}, {"registered", "200", "REGISTER"},
	} {
		b.Run(x.name, func(b *testing.B) {
			c, m, p := New(DefaultConfig()), message(b, x.first, x.cseq, "tag"), packetAt(at(0))
			b.ReportAllocs()
			for b.Loop() {
				p.Time += int64(10 * time.Microsecond)
				c.See(p, m)
			}
		})
	}
}

func BenchmarkCount(b *testing.B) {
	c, e := New(DefaultConfig()), ended(0, 486)
	b.ReportAllocs()
	for b.Loop() {
		e.Time += int64(70 * time.Microsecond)
		c.Advance(e.Time)
		c.Count(e)
	}
}

func BenchmarkMerge(b *testing.B) {
	var one, two tally
	for b.Loop() {
		one.merge(&two)
	}
}

// What a page costs, with a day of traffic in memory.
func BenchmarkRead(b *testing.B) {
	c := New(DefaultConfig())
	m, p := message(b, "200", "INVITE", "tag"), packetAt(at(0))
	for range 24 * 60 * 2 {
		p.Time += int64(30 * time.Second)
		c.See(p, m)
		e := ended(0, 486)
		e.Time = p.Time
		c.Count(e)
	}
	b.Run("indicators", func(b *testing.B) {
		for b.Loop() {
			if _, err := c.Indicators(view.Query{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("methods", func(b *testing.B) {
		for b.Loop() {
			if _, err := c.Methods(view.MethodQuery{From: c.Now().Add(-kept), Step: 15 * time.Minute}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
