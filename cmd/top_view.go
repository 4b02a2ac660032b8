package cmd

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// picture is what is shown: the answers of now, and those before, from which rates are
// made. Every text that came over HTTP is made plain on its way into a line.
type picture struct {
	now, before *answers
	failed      error // of the last try; now is older then
}

// line is a line of the picture; mood is for the colour, never all that tells something.
type line struct {
	text string
	mood mood
}

type mood uint8

const (
	usual mood = iota
	title
	good
	bad
)

// lines makes the picture, at most height lines where that is not 0.
func (p picture) lines(place string, height int) []line {
	o := &p.now.overview
	up := (time.Duration(p.now.stats.Uptime) * time.Second).String()
	all := []line{{fmt.Sprintf("sipcmbeat %s at %s, up %s, %s", plain(o.Version), place, up, p.now.at.Format(time.TimeOnly)), title}}
	if p.failed != nil {
		all = append(all, line{"no answer since then: " + p.failed.Error(), bad})
	}
	all = append(all, p.health()...)
	all = append(all, line{p.inMemory(), usual})
	all = append(all, p.output()...)
	all = append(all, p.losses()...)
	talkers, events := p.talkers(), p.events()
	if height > 0 { // in a small window each keeps its share of what is left
		room := height - len(all) - 2*overhead
		n := max(1, room/2, room-len(events.rows))
		talkers.keep(n)
		events.keep(max(1, room-len(talkers.rows)))
	}
	all = append(append(all, talkers.lines()...), events.lines()...)
	if height > 0 && len(all) > height {
		all = append(all[:height-1:height-1], line{fmt.Sprintf("%d lines more: enlarge the window, or --once", len(all)-height+1), title})
	}
	return all
}

// inMemory is what is followed now.
func (p picture) inMemory() string {
	o := &p.now.overview
	calls := fmt.Sprintf("calls in memory %d", o.Calls)
	if o.Up != nil {
		calls = fmt.Sprintf("calls up %d, in memory %d", *o.Up, o.Calls)
	}
	return fmt.Sprintf("%s   contacts %d, users seen %d   blacklisted sources %d", calls, o.Bindings, o.AORs, o.Offended)
}

// block is a table: what stands above its columns, and its rows, the first of which
// matter most.
type block struct {
	name, head string // in the first column, and right of it
	width      int    // of the first column
	rows       []line
	of         int // rows before some were left out
}

// overhead is the lines of a block beside its rows.
const overhead = 2

func (s *block) keep(n int) { s.rows = s.rows[:min(n, len(s.rows))] }

func (s *block) lines() []line {
	name := s.name
	if len(s.rows) < s.of {
		name += fmt.Sprintf(" (%d of %d)", len(s.rows), s.of)
	}
	return append([]line{{}, {column(name, s.width) + s.head, title}}, s.rows...)
}

// health is one line when all is well, else one for each check that is not.
func (p picture) health() (all []line) {
	for _, c := range p.now.overview.Health.Checks {
		if !c.OK {
			all = append(all, line{"NOT WELL  " + plain(c.Name) + ": " + plain(c.Detail), bad})
		}
	}
	switch {
	case len(all) > 0:
		return all
	case !p.now.overview.Health.OK:
		return []line{{"NOT WELL", bad}}
	}
	return []line{{fmt.Sprintf("well (%d checked)", len(p.now.overview.Health.Checks)), good}}
}

// per is how much a counter has risen a second; nothing where that is not known yet.
func (p picture) per(now, before float64) string {
	if p.before == nil {
		return ""
	}
	span := p.now.at.Sub(p.before.at).Seconds()
	if span <= 0 || now < before { // it began anew
		return ""
	}
	return fmt.Sprintf("%.1f", (now-before)/span)
}

// events is by type, with those first that happen most.
func (p picture) events() block {
	var all []line
	over := map[string]bool{} // types that a source makes too many of now
	for _, r := range p.now.rates.Rates {
		over[r.Type] = over[r.Type] || r.Over
	}
	before := map[string]float64{}
	if p.before != nil {
		for _, t := range p.before.overview.Types {
			before[t.Type] = float64(t.Made)
		}
	}
	types := slices.DeleteFunc(slices.Clone(p.now.overview.Types), func(t view.TypeSwitch) bool { return t.Made == 0 })
	slices.SortStableFunc(types, func(a, b view.TypeSwitch) int { return cmp.Compare(b.Made, a.Made) })
	for _, t := range types {
		name, mood := plain(t.Type), usual
		if t.Blacklisted {
			name += " (off)"
		}
		held := t.HeldType + t.HeldRate + t.HeldSource
		if over[t.Type] {
			mood = bad
		}
		all = append(all, line{column(name, 24) + fmt.Sprintf(" %9s %12d %12d %12d", p.per(float64(t.Made), before[t.Type]), t.Made, t.Sent, held), mood})
	}
	if len(types) == 0 {
		all = append(all, line{"none yet", usual})
	}
	return block{"EVENT", fmt.Sprintf(" %9s %12s %12s %12s", "A SECOND", "MADE", "SENT", "HELD"), 24, all, len(all)}
}

// maxTalkers is how many sources are shown.
const maxTalkers = 10

// talkers is who makes most events: those over a limit, and then by the second window,
// which is a minute by default.
func (p picture) talkers() block {
	const kind = 14 // width of the longest name of a type
	r := &p.now.rates
	head := " " + column("EVENT", kind)
	for _, i := range shown3(r.Measured()) {
		head += fmt.Sprintf(" %7s", plain("IN "+i))
	}
	rates := slices.Clone(r.Rates)
	rate := func(r view.Rate) float64 {
		if len(r.Windows) == 0 {
			return 0
		}
		return r.Windows[min(1, len(r.Windows)-1)].Rate
	}
	slices.SortStableFunc(rates, func(a, b view.Rate) int {
		if a.Over != b.Over {
			if a.Over {
				return -1
			}
			return 1
		}
		return cmp.Compare(rate(b), rate(a))
	})
	rates = rates[:min(maxTalkers, len(rates))]
	width := len("SOURCE (10 of 10)")
	for _, r := range rates {
		width = max(width, min(len(plain(r.Source)), 40)) // an IPv6 network
	}
	var all []line
	for _, r := range rates {
		l := line{text: column(plain(r.Source), width) + " " + column(plain(r.Type), kind)}
		for _, w := range shown3(r.Windows) {
			l.text += fmt.Sprintf(" %7.0f", w.Rate)
		}
		l.text += fmt.Sprintf(" %8d", r.Held)
		if r.Over {
			l.text, l.mood = l.text+" over limit", bad
		}
		all = append(all, l)
	}
	if len(rates) == 0 {
		all = append(all, line{"none yet", usual})
	}
	return block{"SOURCE", head + "     HELD", width, all, len(all)}
}

// shown3 is as many windows as there is room for.
func shown3[T any](windows []T) []T { return windows[:min(3, len(windows))] }

// losses is what should have been seen or sent and was not.
func (p picture) losses() []line {
	if len(p.now.overview.Losses) == 0 {
		return []line{{"nothing lost", good}}
	}
	all := []line{{}, {column("LOST", 50) + fmt.Sprintf(" %12s %9s", "SINCE START", "A SECOND"), title}}
	for _, c := range p.now.overview.Losses {
		name := plain(c.Group + " " + c.Name)
		if c.Value != "" {
			name += " (" + plain(c.Value) + ")"
		}
		rate, mood := "", usual
		if c.Rate != nil {
			if rate = fmt.Sprintf("%.1f", *c.Rate); *c.Rate > 0 {
				mood = bad
			}
		}
		all = append(all, line{column(name, 50) + fmt.Sprintf(" %12.0f %9s", c.N, rate), mood})
	}
	return all
}

// output is libbeat's queue and output.
func (p picture) output() []line {
	queue, out := &p.now.queue, &p.now.output
	q := fmt.Sprintf("output: queue %.0f events", queue.Filled.Events)
	if queue.Max > 0 {
		q += fmt.Sprintf(" of %.0f", queue.Max)
	}
	mood := usual
	if queue.Filled.Share >= 0.8 {
		q, mood = q+", nearly full", bad
	}
	var before topOutput
	if p.before != nil {
		before = p.before.output
	}
	o := line{fmt.Sprintf("output: delivered %.0f", out.Acked), usual}
	if rate := p.per(out.Acked, before.Acked); rate != "" {
		o.text += ", " + rate + " a second"
	}
	o.text += fmt.Sprintf(", on their way %.0f", out.Active)
	for _, x := range []struct {
		what string
		n    float64
		bad  bool
	}{{"sent again", out.Failed, false}, {"stored before", out.Duplicates, false}, {"dropped", out.Dropped, true}} {
		if x.n > 0 {
			o.text += fmt.Sprintf(", %s %.0f", x.what, x.n)
			if x.bad {
				o.mood = bad
			}
		}
	}
	return []line{{q, mood}, o}
}

// column is a plain text in a column.
func column(text string, width int) string { return string(pad(nil, []byte(text), width)) }

// screen draws on a terminal.
type screen struct {
	out    io.Writer
	colour bool
	size   func() (width, height int)
	w, h   int // as last drawn
}

func (s *screen) height() int {
	_, h := s.size()
	return max(h, 2)
}

// resized tells whether the terminal has another size than at the last drawing.
func (s *screen) resized() bool {
	w, h := s.size()
	return w != s.w || h != s.h
}

var colours = [...]string{usual: "", title: "\x1b[1m", good: "\x1b[32m", bad: "\x1b[31m"}

// draw writes all lines over what was there, in one piece, so that nothing flickers.
func (s *screen) draw(lines []line) {
	s.w, s.h = s.size()
	var b strings.Builder
	b.WriteString("\x1b[H")
	for i, l := range lines {
		if i >= s.h {
			break
		}
		if i > 0 {
			b.WriteString("\r\n")
		}
		colour := colours[l.mood]
		if !s.colour && l.mood != title {
			colour = ""
		}
		b.WriteString(colour)
		b.Write(cut([]byte(l.text), max(s.w-1, 1))) // behind the last column K would erase it
		if colour != "" {
			b.WriteString("\x1b[0m")
		}
		b.WriteString("\x1b[K")
	}
	b.WriteString("\x1b[J")
	_, _ = io.WriteString(s.out, b.String()) // a terminal that is gone ends the input too
}
