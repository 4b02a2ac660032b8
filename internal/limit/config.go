package limit

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// Config is what a Limiter needs to know.
type Config struct {
	Held  [event.NumTypes]bool // types that are held back
	Rates Rates

	MaxEntries   int            // keys; an entry takes about 350 bytes
	Allow        []netip.Prefix // whose events are never held for their rate or source
	OffenderLife time.Duration  // how long a source stays on the list after its last event that a rate held
	MaxOffenders int

	// Say is given a line for the log when somebody changes something. It may be nil.
	Say func(string)

	// Name says a source in such a line; nil says it as it is.
	Name func(netip.Prefix) string
}

// Rates are the limits, and which events leave beyond them.
type Rates struct {
	Limits    []float64       // 0 measures and never blocks
	Intervals []time.Duration // as many; 0 turns the window off
	ReportMin uint64
	ReportMax uint64
}

// Bounds of the configuration.
const (
	MaxWindows  = 8
	MinInterval = 10 * time.Millisecond
	MaxInterval = 7 * 24 * time.Hour
	MaxLimit    = 1e9
	maxLife     = 10 * 365 * 24 * time.Hour
	minEntries  = 16
	maxEntries  = 1 << 24
	minLife     = time.Minute
	maxReport   = 1 << 40
)

// DefaultConfig holds what is usual for a probe.
func DefaultConfig() Config {
	return Config{
		Rates: Rates{
			Limits:    []float64{20, 240, 3600},
			Intervals: []time.Duration{time.Second, time.Minute, time.Hour},
			ReportMin: 100,
			ReportMax: 10000,
		},
		MaxEntries:   100000,
		OffenderLife: time.Hour,
		MaxOffenders: 10000,
	}
}

// The texts of what is allowed, for errors and documents.
const (
	AllowedLimits    = "0 (measure, never block) to 1e9, as many as evr_intervals and 8 at most; none"
	AllowedIntervals = "0 (off), 10ms to 168h, each once, as many as evr_limits and 8 at most; none"
	AllowedReport    = "0 (off) to 2^40"
)

// Validate names the first value that is out of range, and the range.
func (c *Config) Validate() error {
	if err := c.Rates.Validate(); err != nil {
		return err
	}
	switch {
	case c.MaxEntries < minEntries || c.MaxEntries > maxEntries:
		return fmt.Errorf("evr_max_entries: %d is not allowed; allowed: %d to %d", c.MaxEntries, minEntries, maxEntries)
	case c.OffenderLife < minLife || c.OffenderLife > maxLife:
		return fmt.Errorf("evr_offender_expiry: %v is not allowed; allowed: %v to %v", c.OffenderLife, minLife, maxLife)
	}
	return nil
}

// Validate is that of the limits alone.
func (r *Rates) Validate() error {
	if len(r.Limits) > MaxWindows || len(r.Limits) != len(r.Intervals) {
		return fmt.Errorf("evr_limits: %s and evr_intervals: %s do not fit; allowed: as many of the one as of the other, %d at most",
			plural(len(r.Limits), "limit"), plural(len(r.Intervals), "interval"), MaxWindows)
	}
	for _, n := range r.Limits {
		if !(n >= 0 && n <= MaxLimit) { // no number neither
			return fmt.Errorf("evr_limits: %v is not allowed; allowed: %s", n, AllowedLimits)
		}
	}
	for i, d := range r.Intervals {
		if d != 0 && (d < MinInterval || d > MaxInterval || slices.Contains(r.Intervals[:i], d)) {
			return fmt.Errorf("evr_intervals: %v is not allowed; allowed: %s", DurationText(d), AllowedIntervals)
		}
	}
	if r.ReportMin > maxReport {
		return fmt.Errorf("evr_conseq_report_min: %d is not allowed; allowed: %s", r.ReportMin, AllowedReport)
	}
	if r.ReportMax > maxReport {
		return fmt.Errorf("evr_conseq_report_max: %d is not allowed; allowed: %s", r.ReportMax, AllowedReport)
	}
	return nil
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// equal tells whether two are the same.
func (r *Rates) equal(o *Rates) bool {
	return slices.Equal(r.Limits, o.Limits) && slices.Equal(r.Intervals, o.Intervals) && r.ReportMin == o.ReportMin && r.ReportMax == o.ReportMax
}

func (r *Rates) clone() Rates {
	c := *r
	c.Limits, c.Intervals = slices.Clone(r.Limits), slices.Clone(r.Intervals)
	return c
}

// String is for the log.
func (r *Rates) String() string {
	var b strings.Builder
	for i := range r.Limits {
		fmt.Fprintf(&b, "%g in %s, ", r.Limits[i], DurationText(r.Intervals[i]))
	}
	if len(r.Limits) == 0 {
		b.WriteString("none, ")
	}
	fmt.Fprintf(&b, "reports %d and %d", r.ReportMin, r.ReportMax)
	return b.String()
}

// DurationText writes 1m0s as 1m, as a configuration has it.
func DurationText(d time.Duration) string {
	if d == 0 {
		return "0"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// apply takes up limits. The caller holds the lock.
func (l *Limiter) apply(r Rates) {
	same := slices.Equal(l.rates.Limits, r.Limits) && slices.Equal(l.rates.Intervals, r.Intervals)
	moved := !slices.Equal(l.rates.Intervals, r.Intervals)
	l.rates = r.clone()
	if same {
		return
	}
	l.windows, l.shortest, l.longest = nil, math.MaxInt64, 0
	for i, d := range r.Intervals {
		if d == 0 {
			continue
		}
		w := Window{Interval: int64(d), Limit: r.Limits[i], Name: DurationText(d)}
		l.windows = append(l.windows, w)
		l.longest = max(l.longest, w.Interval)
		if w.Limit > 0 {
			l.shortest = min(l.shortest, w.Interval)
		}
	}
	if l.shortest == math.MaxInt64 {
		l.shortest = 0
	}
	if moved {
		l.table.epoch++
	}
	l.walk = 0
	l.wake()
}
