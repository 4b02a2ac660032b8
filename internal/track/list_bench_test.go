package track

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	shown "github.com/sipcmbeat/sipcmbeat/internal/view"
)

// BenchmarkList reads pages over a million calls and a million bindings: from the
// beginning, from anywhere, by filters that let all out, and by what names one. It gives
// the median and the longest time of a page, and how long its slices are, for which a
// lane waits; where others keep the machine busy, the longest of all is how long they did.
func BenchmarkList(b *testing.B) {
	tr, _ := million(b, crowdSize, crowdSize)
	middle := map[byte]string{}
	for _, kind := range []byte{cursorCalls, cursorBindings} {
		l := listing{kind: kind, from: crowdSize / 2}
		r := &tr.lists.calls
		if kind == cursorBindings {
			r = &tr.lists.bindings
		}
		if l.from = r.seq / 2; kind == cursorCalls {
			l.from = r.seq - crowdSize
		}
		l.end(tr, r)
		middle[kind] = l.page.Next
	}
	for _, c := range []struct {
		name        string
		calls, bind shown.Query
	}{
		{"first", shown.Query{}, shown.Query{}},
		{"first1000", shown.Query{Limit: 1000}, shown.Query{Limit: 1000}},
		{"middle", shown.Query{Cursor: middle[cursorCalls]}, shown.Query{Cursor: middle[cursorBindings]}},
		{"text", shown.Query{Text: "nobody at all"}, shown.Query{Text: "nobody at all"}},
		{"text1000", shown.Query{Text: "77", Limit: 1000}, shown.Query{Text: "77", Limit: 1000}},
		{"source", shown.Query{Source: "192.0.2.77"}, shown.Query{Source: "192.0.2.77"}},
		{"state", shown.Query{State: "ending"}, shown.Query{State: "parting"}},
		{"exact", shown.Query{Text: fmt.Sprintf("%08x-348b-a7f8-2cbd-63940384716b", 1234)}, shown.Query{Text: "sip:r0001234@voip.example.net"}},
	} {
		b.Run("calls/"+c.name, func(b *testing.B) {
			pages(b, func() (func() bool, error) {
				l, err := tr.Calls(c.calls)
				return func() bool { return l.Slice(tr) }, err
			})
		})
		b.Run("bindings/"+c.name, func(b *testing.B) {
			pages(b, func() (func() bool, error) {
				l, err := tr.Bindings(c.bind)
				return func() bool { return l.Slice(tr) }, err
			})
		})
	}
	b.Run("call/id", func(b *testing.B) {
		pages(b, func() (func() bool, error) {
			s := SearchCall(event.Hash{1, 2, 3})
			return func() bool { return s.Slice(tr) }, nil
		})
	})
}

func pages(b *testing.B, begin func() (func() bool, error)) {
	var took, holds []time.Duration
	for b.Loop() {
		at := time.Now()
		slice, err := begin()
		if err != nil {
			b.Fatal(err)
		}
		for more := true; more; {
			from := time.Now()
			more = slice()
			if holds = append(holds, time.Since(from)); len(holds) == cap(holds) && len(holds) > 1<<16 {
				holds = holds[:1<<15]
			}
		}
		took = append(took, time.Since(at))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1e3, "p50-ms")
	b.ReportMetric(float64(took[len(took)-1].Microseconds())/1e3, "max-ms")
	slices.Sort(holds)
	b.ReportMetric(float64(holds[len(holds)-1-len(holds)/100].Nanoseconds())/1e3, "slice-p99-us")
	b.ReportMetric(float64(holds[len(holds)-1].Nanoseconds())/1e3, "slice-max-us")
}
