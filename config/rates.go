package config

import (
	"slices"
	"strconv"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/limit"
)

// composeLimit says which events leave.
func (c *Config) composeLimit() error {
	k := &c.Keys
	l := limit.DefaultConfig()
	var err error
	if k.EventTypesBlst, err = list("event_types_blst", k.EventTypesBlst, true); err != nil {
		return err
	}
	if l.Held, err = heldTypes(k.EventTypesBlst); err != nil {
		return err
	}
	if k.EvrLimits, err = list("evr_limits", k.EvrLimits, true); err != nil {
		return err
	}
	if k.EvrIntervals, err = list("evr_intervals", k.EvrIntervals, true); err != nil {
		return err
	}
	if l.Rates, err = rates(k.EvrLimits, k.EvrIntervals); err != nil {
		return err
	}
	if k.EvrAllow, err = list("evr_allow", k.EvrAllow, true); err != nil {
		return err
	}
	if l.Allow, err = prefixes("evr_allow", k.EvrAllow); err != nil {
		return err
	}
	for _, n := range []struct {
		key   string
		value int
		to    *uint64
	}{
		{"evr_conseq_report_min", k.EvrConseqReportMin, &l.Rates.ReportMin},
		{"evr_conseq_report_max", k.EvrConseqReportMax, &l.Rates.ReportMax},
	} {
		if n.value < 0 {
			return refuse(n.key, n.value, limit.AllowedReport)
		}
		*n.to = uint64(n.value)
	}
	l.MaxEntries = orDefault(k.EvrMaxEntries, l.MaxEntries)
	l.OffenderLife = k.EvrOffenderExpiry
	c.Limit = l
	return nil
}

// rates reads limits and intervals. None of one is none of both: no rate is measured.
func rates(limits, intervals []string) (r limit.Rates, err error) {
	if len(limits) == 0 || len(intervals) == 0 {
		return r, nil
	}
	for _, text := range limits {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return r, refuse("evr_limits", quote(text), limit.AllowedLimits)
		}
		r.Limits = append(r.Limits, n)
	}
	for _, text := range intervals {
		d, err := time.ParseDuration(text)
		if n, wrong := strconv.ParseFloat(text, 64); wrong == nil && n >= 0 && n <= limit.MaxInterval.Seconds() {
			d, err = time.Duration(n*float64(time.Second)), nil // as of any other duration
		}
		if err != nil {
			return r, refuse("evr_intervals", quote(text), limit.AllowedIntervals)
		}
		r.Intervals = append(r.Intervals, d)
	}
	return r, nil
}

// ReplayLimit is what replay holds back, which is only what a configuration asks for;
// false when that is nothing.
func (c *Config) ReplayLimit() (limit.Config, bool) {
	l := c.Limit
	if !c.HeldSet {
		l.Held = [event.NumTypes]bool{}
	}
	if !c.RatesSet {
		l.Rates.Limits, l.Rates.Intervals = nil, nil
	}
	return l, slices.Contains(l.Held[:], true) || len(l.Rates.Limits) > 0
}
