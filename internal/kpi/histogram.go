package kpi

import (
	"math"
	"math/bits"
	"time"
)

// histogram counts spans of time in buckets whose bounds are the same everywhere, so
// that the sum of two is the histogram of both. A bucket is a millisecond wide below 8
// ms; above, each power of two has four. What is longer than a day is in the last.
type histogram struct {
	buckets  [numBuckets]uint32
	n        uint32
	sum      int64 // µs
	min, max int64 // ns, of n > 0
}

const numBuckets = 104

// bucketOf tells the bucket of a span.
func bucketOf(span int64) int {
	ms := uint64(max(span, 0)) / uint64(time.Millisecond)
	if ms < 4 {
		return int(ms)
	}
	e := bits.Len64(ms) - 3
	return min(4*e+int(ms>>e), numBuckets-1)
}

// bound is where a bucket begins, in milliseconds; the one before ends there.
func bound(bucket int) int64 {
	if bucket < 4 {
		return int64(bucket)
	}
	e := bucket/4 - 1
	return int64(bucket-4*e) << e
}

// add counts a span in nanoseconds.
func (h *histogram) add(span int64) {
	h.buckets[bucketOf(span)]++
	if h.n == 0 || span < h.min {
		h.min = span
	}
	if h.n == 0 || span > h.max {
		h.max = span
	}
	h.n++
	h.sum += span / int64(time.Microsecond)
}

// merge adds what o has counted.
func (h *histogram) merge(o *histogram) {
	if o.n == 0 {
		return
	}
	for i, n := range o.buckets {
		h.buckets[i] += n
	}
	if h.n == 0 || o.min < h.min {
		h.min = o.min
	}
	if h.n == 0 || o.max > h.max {
		h.max = o.max
	}
	h.n += o.n
	h.sum += o.sum
}

// seconds is the sum of all spans.
func (h *histogram) seconds() float64 { return float64(h.sum) / 1e6 }

// quantile is the span in seconds that the part q of all do not exceed, and how many of
// them that are: by proportion within its bucket, and never beyond what was seen.
func (h *histogram) quantile(q float64) (seconds, below float64) {
	if h.n == 0 {
		return 0, 0
	}
	want := math.Ceil(q * float64(h.n))
	for i, n := range h.buckets {
		if n == 0 || below+float64(n) < want {
			below += float64(n)
			continue
		}
		lo, hi := float64(bound(i)), float64(bound(i+1))
		ms := lo + (hi-lo)*(want-below)/float64(n)
		return min(max(ms/1e3, float64(h.min)/1e9), float64(h.max)/1e9), want
	}
	return float64(h.max) / 1e9, float64(h.n)
}
