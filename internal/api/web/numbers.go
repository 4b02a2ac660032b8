package web

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// group is the counters of a stage.
type group struct {
	Name     string
	Counters []view.Counter
	Zero     int // left out, because nothing was counted
}

// figures is the body of the pages of counters.
type figures struct {
	Groups []group
	Rows   []view.Counter
	Names  []string // of all groups
	Text   string
	Group  string
	Zeros  bool
	Over   time.Duration // of the rates; 0 where there are none yet
	Left   int           // rows that found no place
}

func (a asked) figures(c view.Counters) figures {
	f := figures{Text: a.query.Get("text"), Group: a.query.Get("group"), Zeros: a.query.Get("zeros") != "",
		Over: time.Duration(c.Over * float64(time.Second)).Round(time.Second)}
	text := strings.ToLower(f.Text)
	for _, n := range c.Counters {
		if !slices.Contains(f.Names, n.Group) {
			f.Names = append(f.Names, n.Group)
		}
		if (f.Group == "" || n.Group == f.Group) && (text == "" || strings.Contains(strings.ToLower(n.Name+" "+n.Value+" "+n.Help), text)) {
			f.Rows = append(f.Rows, n)
		}
	}
	return f
}

// stats shows what was counted, stage by stage.
func stats(a asked, answer any) any {
	f := a.figures(answer.(view.Counters))
	at := map[string]int{}
	shown := 0
	for _, n := range f.Rows {
		i, ok := at[n.Group]
		if !ok {
			i = len(f.Groups)
			at[n.Group] = i
			f.Groups = append(f.Groups, group{Name: n.Group})
		}
		switch g := &f.Groups[i]; {
		case n.N == 0 && !f.Zeros:
			g.Zero++
		case shown == mostRows:
			f.Left++
		default:
			shown++
			g.Counters = append(g.Counters, n)
		}
	}
	return f
}

// mostSamples of the page of counters.
const mostSamples = 600

// counters shows every sample by its name.
func counters(a asked, answer any) any {
	f := a.figures(answer.(view.Counters))
	f.Rows, f.Left = part(f.Rows, mostSamples)
	return f
}

func indicators(a asked, answer any) any {
	p := answer.(view.Indicators)
	body := struct {
		Sets []view.IndicatorSet
		Text string
		Left int
	}{Text: a.query.Get("text")}
	body.Sets, body.Left = part(p.Sets, Rows/2)
	return body
}

// series is a chart with its numbers: a column for each kind, a row for each moment.
type series struct {
	ID, Caption, Empty string
	Times              []time.Time
	Names              []string
	Rows               [][]uint64
	Totals             []uint64
	Total              uint64
}

// mostLines of one chart: more can't be told apart.
const mostLines = 8

// mostSteps of one chart: a page stays small, and a line is no finer on a screen.
const mostSteps = 300

// line is a kind with its counts over the steps.
type line struct {
	name   string
	counts []uint64
	sum    uint64
}

// plot turns lines into rows by moment, the most frequent kinds first. Beyond mostLines
// they become one.
func plot(id, caption string, from time.Time, step time.Duration, lines []line) series {
	p := series{ID: id, Caption: caption, Empty: "Nothing in this time."}
	steps := 0
	for i, l := range lines {
		lines[i].sum = 0
		for _, n := range l.counts {
			lines[i].sum += n
		}
		steps = max(steps, len(l.counts))
	}
	lines = slices.DeleteFunc(lines, func(l line) bool { return l.sum == 0 })
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(b.sum, a.sum) })
	if len(lines) > mostLines {
		rest := line{name: strconv.Itoa(len(lines)-mostLines+1) + " others", counts: make([]uint64, steps)}
		for _, l := range lines[mostLines-1:] {
			rest.sum += l.sum
			for k, n := range l.counts {
				rest.counts[k] += n
			}
		}
		lines = append(slices.Clone(lines[:mostLines-1]), rest)
	}
	for _, l := range lines {
		p.Names, p.Totals = append(p.Names, l.name), append(p.Totals, l.sum)
		p.Total += l.sum
	}
	merged := (steps + mostSteps - 1) / mostSteps // steps that become one row
	for k := 0; k < steps; k += merged {
		row := make([]uint64, len(lines))
		for i, l := range lines {
			for _, n := range l.counts[min(k, len(l.counts)):min(k+merged, len(l.counts))] {
				row[i] += n
			}
		}
		p.Times, p.Rows = append(p.Times, from.Add(time.Duration(k)*step)), append(p.Rows, row)
	}
	return p
}

// spans are the times that a chart of messages can be of.
var spans = []struct{ From, Title string }{{"-1h", "last hour"}, {"-6h", "last 6 hours"}, {"-24h", "last day"}}

// methods shows messages by method over time.
func methods(a asked, answer any) any {
	m := answer.(view.MethodSeries)
	step, _ := time.ParseDuration(m.Step)
	body := struct {
		Chart                                 series
		Rows                                  []view.MethodCount
		Left                                  int
		Total                                 uint64
		Method, CSeq, Auth, ToTag, From, Step string
		Title                                 string
		Spans                                 any
	}{Total: m.Total, Method: a.query.Get("method"), CSeq: a.query.Get("cseq"), Auth: a.query.Get("auth"), ToTag: a.query.Get("totag"),
		From: cmp.Or(a.query.Get("from"), spans[0].From), Step: span(step), Spans: spans, Title: "time asked for"}
	for _, s := range spans {
		if s.From == body.From {
			body.Title = s.Title
		}
	}
	body.Chart = plot("methods", "Messages by method, "+body.Title, m.From, step, byMethod(m.Rows))
	rows := slices.Clone(m.Rows)
	slices.SortStableFunc(rows, func(a, b view.MethodCount) int { return cmp.Compare(b.Total, a.Total) })
	body.Rows, body.Left = part(rows, 2*Rows)
	return body
}

// byMethod adds up the rows of one method: requests by their own, answers by class.
func byMethod(rows []view.MethodCount) (lines []line) {
	at := map[string]int{}
	for _, row := range rows {
		name := row.Method
		if len(name) == 3 && name[0] >= '1' && name[0] <= '6' {
			name = name[:1] + "xx"
		}
		i, ok := at[name]
		if !ok {
			i = len(lines)
			at[name] = i
			lines = append(lines, line{name: name, counts: make([]uint64, len(row.Counts))})
		}
		for k, n := range row.Counts {
			if k < len(lines[i].counts) {
				lines[i].counts[k] += n
			}
		}
	}
	return lines
}
