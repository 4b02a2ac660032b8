package limit

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/codec"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// What outlives a run: what was changed while it went on, of the types that are held
// back and of the limits, with what the configuration said then; and the source
// blacklist. Rates begin anew: they are of seconds, or of an hour at most.
//
// The configuration counts as soon as it is another: a change holds as long as the file
// says what it said when the change was made. Who edits the file means it.

// ErrState is of bytes that Save did not write.
var ErrState = errors.New("the saved blacklists cannot be read")

// The kinds of parts.
const (
	partSettings = iota
	partOffenders
)

// saved are the settings as they are kept.
type saved struct {
	types, base      []string // held back; by the configuration of then
	rates, baseRates Rates
}

// Save gives what outlives the run to part, which borrows b, some sources at a time.
func (l *Limiter) Save(part func(b []byte) error) error {
	l.mu.Lock()
	s := saved{heldNames(l.held), heldNames(l.cfg.Held), l.rates.clone(), l.cfg.Rates.clone()}
	order := slices.Clone(l.offenders.order)
	l.mu.Unlock()
	c := codec.Codec{B: []byte{partSettings}}
	s.walk(&c)
	if err := part(c.B); err != nil {
		return err
	}
	for len(order) > 0 {
		some := order[:min(piece, len(order))]
		order = order[len(some):]
		c.B = append(c.B[:0], partOffenders)
		l.mu.Lock()
		for _, o := range some {
			if !o.gone {
				o.walk(&c)
			}
		}
		l.mu.Unlock()
		if err := part(c.B); err != nil {
			return err
		}
	}
	return nil
}

func (s *saved) walk(c *codec.Codec) {
	words(c, &s.types, int(event.NumTypes))
	words(c, &s.base, int(event.NumTypes))
	s.rates.walk(c)
	s.baseRates.walk(c)
}

// maxWord is the longest name of a type, in bytes.
const maxWord = 64

// words walks a list of at most so many words.
func words(c *codec.Codec, list *[]string, most int) {
	n := len(*list)
	codec.UpTo(c, &n, 2*most) // another version may have had more
	if c.Reading && n > 0 {
		*list = make([]string, n)
	}
	for i := range *list {
		word := (*list)[i]
		if c.Word(&word, max(maxWord, maxAgent)); c.Reading { // else others may be reading the list
			(*list)[i] = word
		}
	}
}

func (r *Rates) walk(c *codec.Codec) {
	n := len(r.Limits)
	codec.UpTo(c, &n, MaxWindows)
	if c.Reading && n > 0 {
		r.Limits, r.Intervals = make([]float64, n), make([]time.Duration, n)
	}
	for i := range n {
		c.Float(&r.Limits[i])
		codec.Whole(c, &r.Intervals[i])
	}
	c.Hashes(&r.ReportMin, &r.ReportMax)
}

func (o *offender) walk(c *codec.Codec) {
	addr, bits := o.source.Addr(), o.source.Bits()
	c.Addr(&addr)
	codec.UpTo(c, &bits, 128)
	codec.UpTo(c, &o.origin, numOrigins-1)
	c.Word(&o.reason, maxReason)
	words(c, &o.agents, maxAgents)
	c.Hashes(&o.hits, &o.held)
	codec.Whole(c, &o.first)
	codec.Whole(c, &o.last)
	codec.Whole(c, &o.expires)
	codec.Whole(c, &o.lasts)
	if !c.Reading {
		return
	}
	var err error
	if o.source, err = addr.Prefix(bits); err != nil || !addr.IsValid() || addr.Is4In6() || o.source.Addr() != addr ||
		len(o.agents) > maxAgents || min(o.first, o.last, o.expires, int64(o.lasts)) < 0 {
		c.Fail()
	}
}

// A Restoring takes what Save gave, into a Limiter that has judged nothing. Nothing of
// it is used before Done.
type Restoring struct {
	settings  *saved
	offenders []offender
}

// Part takes one part, which it borrows.
func (r *Restoring) Part(b []byte) error {
	if len(b) == 0 {
		return ErrState
	}
	c := codec.Codec{B: b[1:], Reading: true}
	switch b[0] {
	case partSettings:
		r.settings = new(saved)
		r.settings.walk(&c)
	case partOffenders:
		for len(c.B) > 0 {
			var o offender
			o.walk(&c)
			r.offenders = append(r.offenders, o)
		}
	default:
		return ErrState
	}
	if c.Bad || len(c.B) > 0 {
		return ErrState
	}
	return nil
}

// Restore makes l go on from what was read.
func (l *Limiter) Restore(r *Restoring) {
	l.mu.Lock()
	var lines []string
	if r.settings != nil {
		lines = l.settings(r.settings)
	}
	slices.SortStableFunc(r.offenders, func(a, b offender) int { return cmp.Compare(a.last, b.last) }) // as they give way
	for i := range r.offenders {
		l.relist(&r.offenders[i])
	}
	if line := l.pardon(); line != "" {
		lines = append(lines, line)
	}
	l.mu.Unlock()
	for _, line := range lines {
		l.say(line)
	}
}

// settings takes up what was changed in the run before, if the configuration is still
// the one that it was changed against. It gives lines for the log.
func (l *Limiter) settings(s *saved) (lines []string) {
	if !slices.Equal(s.types, s.base) {
		if slices.Equal(s.base, heldNames(l.cfg.Held)) {
			l.held = [event.NumTypes]bool{}
			for _, name := range s.types {
				if t, ok := event.ParseType(name); ok {
					l.held[t] = true
				}
			}
			lines = append(lines, fmt.Sprintf("event_types_blst: %s are held back, as it was changed in the run before; the configuration says %s",
				typeNames(l.held), typeNames(l.cfg.Held)))
		} else {
			lines = append(lines, fmt.Sprintf("event_types_blst: %s, as the configuration says now; what was changed in the run before is dropped", typeNames(l.held)))
		}
	}
	if !s.rates.equal(&s.baseRates) {
		if s.baseRates.equal(&l.cfg.Rates) && s.rates.Validate() == nil {
			l.apply(s.rates)
			lines = append(lines, fmt.Sprintf("evr_limits: %s, as it was changed in the run before; the configuration says %s", &l.rates, &l.cfg.Rates))
		} else {
			lines = append(lines, fmt.Sprintf("evr_limits: %s, as the configuration says now; what was changed in the run before is dropped", &l.rates))
		}
	}
	return lines
}

// relist puts a source of the run before on the list.
func (l *Limiter) relist(from *offender) {
	if l.offenders.all[from.source] != nil {
		return
	}
	o := l.list(from.source, from.origin, from.reason, l.now.Load())
	if o == nil {
		return
	}
	o.agents, o.hits, o.held = from.agents, from.hits, from.held
	o.first, o.last, o.expires, o.lasts = from.first, from.last, from.expires, from.lasts
	l.offenders.undated = l.offenders.undated || o.first == 0
	l.await(o)
}

// Configure takes up another configuration. What it says of types, or of limits,
// otherwise than the one before counts; else what was changed since stays.
func (l *Limiter) Configure(cfg Config) {
	l.changing.Lock()
	defer l.changing.Unlock()
	l.mu.Lock()
	if cfg.Held != l.cfg.Held {
		l.held = cfg.Held
	}
	if !cfg.Rates.equal(&l.cfg.Rates) {
		l.apply(cfg.Rates)
	}
	l.allowed(cfg.Allow)
	line := l.pardon()
	cfg.Say = l.cfg.Say
	l.cfg = cfg
	l.mu.Unlock()
	if line != "" {
		l.say(line)
	}
}
