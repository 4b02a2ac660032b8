package limit

import "math"

// Window is one span of time over which events are counted, and how many may be in it.
type Window struct {
	Interval int64   // nanoseconds; more than 0
	Limit    float64 // events; 0 measures and never blocks
	Name     string  // the interval as the configuration has it
}

// bucket counts what is in a window that slides: exactly for the whole interval that is
// running, and the one before it as if its events had been spread evenly. The estimate
// falls steadily as long as nothing comes. The zero value is empty.
type bucket struct {
	index     int64 // which interval is running, counted from 1970
	cur, prev uint32
}

// add counts an event at now, which is never less than the last time.
func (b *bucket) add(now, interval int64) {
	switch at := now / interval; at {
	case b.index:
	case b.index + 1:
		b.index, b.prev, b.cur = at, b.cur, 0
	default:
		b.index, b.prev, b.cur = at, 0, 0
	}
	if b.cur < math.MaxUint32 {
		b.cur++
	}
}

// at is how many events are in the interval that ends now.
func (b *bucket) at(now, interval int64) float64 {
	left := 1 - float64(now%interval)/float64(interval)
	switch now / interval {
	case b.index:
		return float64(b.cur) + float64(b.prev)*left
	case b.index + 1:
		return float64(b.cur) * left
	}
	return 0
}

// under is the first moment from now on at which the estimate is not more than limit,
// if nothing comes until then; to some nanoseconds, never too late by more.
func (b *bucket) under(now, interval int64, limit float64) int64 {
	if b.at(now, interval) <= limit {
		return now
	}
	begin, cur, prev := b.index*interval, float64(b.cur), float64(b.prev)
	t := begin + interval + int64(float64(interval)*(1-limit/max(cur, limit)))
	if cur <= limit { // so prev is more than 0
		t = begin + int64(float64(interval)*(1-(limit-cur)/prev))
	}
	return max(t, now+1)
}
