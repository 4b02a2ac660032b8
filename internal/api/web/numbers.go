package api

import (
	"net/http"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/metric"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// most rows of counters on one page.
const mostCounters = 400

// counter is a sample as a page shows it.
type counter struct {
	Group, Name, Label, Value, Help string
	Gauge                           bool
	N                               float64
	Speed                           *float64 // added a second
}

// group is the counters of a stage.
type group struct {
	Name     string
	Counters []counter
	Zero     int // left out, because nothing was counted
}

// figures is the body of the pages of counters.
type figures struct {
	Groups []group
	Rows   []counter
	Names  []string // of all groups
	Text   string
	Group  string
	Zeros  bool
	Over   time.Duration // of the rates; 0 where there are none yet
	Left   int           // rows that found no place
}

// collect reads the samples that a request asks for.
func (s *pages) collect(r *http.Request, keep func(counter) bool) (rows []counter, names []string, over time.Duration) {
	rates, over := s.speeds.all()
	seen := map[string]bool{}
	s.program.Samples(func(d *metric.Desc, value string, n float64) {
		if !seen[d.Group] {
			seen[d.Group] = true
			names = append(names, d.Group)
		}
		c := counter{Group: d.Group, Name: d.Name, Label: d.Label, Value: value, Help: d.Help, Gauge: d.Kind == metric.Gauge, N: n}
		if v, ok := rates[sampleKey{d.Name, value}]; ok {
			c.Speed = &v
		}
		if keep(c) {
			rows = append(rows, c)
		}
	})
	return rows, names, over
}

// wanted is the filter of the pages of counters.
func wanted(r *http.Request) (f figures, keep func(counter) bool) {
	v := r.URL.Query()
	f = figures{Text: v.Get("text"), Group: v.Get("group"), Zeros: v.Get("zeros") != ""}
	text := strings.ToLower(f.Text)
	return f, func(c counter) bool {
		return (f.Group == "" || c.Group == f.Group) &&
			(text == "" || strings.Contains(strings.ToLower(c.Name+" "+c.Value+" "+c.Help), text))
	}
}

// stats shows what was counted, stage by stage.
func (s *pages) stats(w http.ResponseWriter, r *http.Request) {
	f, keep := wanted(r)
	rows, names, over := s.collect(r, keep)
	f.Names, f.Over = names, over
	at := map[string]int{}
	for _, c := range rows {
		i, ok := at[c.Group]
		if !ok {
			i = len(f.Groups)
			at[c.Group] = i
			f.Groups = append(f.Groups, group{Name: c.Group})
		}
		switch g := &f.Groups[i]; {
		case c.N == 0 && !f.Zeros:
			g.Zero++
		case len(g.Counters) >= mostCounters/2:
			f.Left++
		default:
			g.Counters = append(g.Counters, c)
		}
	}
	s.render(w, r, http.StatusOK, "stats", "Statistics", f)
}

// counters shows every sample by its name.
func (s *pages) counters(w http.ResponseWriter, r *http.Request) {
	f, keep := wanted(r)
	f.Rows, f.Names, f.Over = s.collect(r, keep)
	if len(f.Rows) > mostCounters {
		f.Left = len(f.Rows) - mostCounters
		f.Rows = f.Rows[:mostCounters]
	}
	s.render(w, r, http.StatusOK, "counters", "Counters", f)
}

// indicators shows the service indicators, of everything and by peer.
func (s *pages) indicators(w http.ResponseWriter, r *http.Request) {
	q := query(r)
	sets, err := s.program.Indicators(q)
	if err != nil {
		s.trouble(w, r, http.StatusBadRequest, err.Error())
		return
	}
	body := struct {
		Sets  []view.IndicatorSet
		Query view.Query
		Left  int
	}{Sets: sets, Query: q}
	if len(sets) > pageRows/2 {
		body.Sets, body.Left = sets[:pageRows/2], len(sets)-pageRows/2
	}
	s.render(w, r, http.StatusOK, "kpi", "Indicators", body)
}

// series is a chart with its numbers: columns of values over rows of moments.
type series struct {
	ID      string
	Caption string
	Step    time.Duration
	Times   []time.Time
	Names   []string
	Rows    [][]uint64 // by moment, then by name
	Totals  []uint64
	Total   uint64
	Left    int // kinds that are not shown
}

// mostLines of one chart: more can't be told apart.
const mostLines = 8

// plot turns counts by kind into rows by moment, the most frequent kinds first. The rest
// becomes one column.
func plot(id, caption string, from time.Time, step time.Duration, names []string, counts [][]uint64) series {
	p := series{ID: id, Caption: caption, Step: step}
	order := make([]int, 0, len(names))
	sums := make([]uint64, len(names))
	steps := 0
	for i := range names {
		for _, n := range counts[i] {
			sums[i] += n
		}
		steps = max(steps, len(counts[i]))
		if p.Total += sums[i]; sums[i] > 0 {
			order = append(order, i)
		}
	}
	sort.SliceStable(order, func(a, b int) bool { return sums[order[a]] > sums[order[b]] })
	rest := []int{}
	if len(order) > mostLines {
		order, rest = order[:mostLines-1], order[mostLines-1:]
		p.Left = len(rest)
	}
	for _, i := range order {
		p.Names, p.Totals = append(p.Names, names[i]), append(p.Totals, sums[i])
	}
	if len(rest) > 0 {
		p.Names, p.Totals = append(p.Names, strconv.Itoa(len(rest))+" others"), append(p.Totals, 0)
	}
	at := func(i, k int) uint64 {
		if k < len(counts[i]) {
			return counts[i][k]
		}
		return 0
	}
	for k := range steps {
		p.Times = append(p.Times, from.Add(time.Duration(k)*step))
		row := make([]uint64, 0, len(p.Names))
		for _, i := range order {
			row = append(row, at(i, k))
		}
		if len(rest) > 0 {
			sum := uint64(0)
			for _, i := range rest {
				sum += at(i, k)
			}
			row = append(row, sum)
			p.Totals[len(p.Totals)-1] += sum
		}
		p.Rows = append(p.Rows, row)
	}
	return p
}

// spans are the times that a chart of messages can be of, with the step of each.
var spans = []struct {
	Name, Title string
	Of, Step    time.Duration
}{
	{"1h", "last hour", time.Hour, time.Minute},
	{"6h", "last 6 hours", 6 * time.Hour, 5 * time.Minute},
	{"24h", "last day", 24 * time.Hour, 15 * time.Minute},
}

// methods shows messages by method over time.
func (s *pages) methods(w http.ResponseWriter, r *http.Request) {
	v := r.URL.Query()
	over := spans[0]
	for _, o := range spans {
		if o.Name == v.Get("over") {
			over = o
		}
	}
	to := s.program.Now().Truncate(over.Step).Add(over.Step)
	q := view.MethodQuery{Method: v.Get("method"), CSeq: v.Get("cseq"), Auth: yesNo(v.Get("auth")), ToTag: yesNo(v.Get("totag")),
		From: to.Add(-over.Of), To: to, Step: over.Step}
	m, err := s.program.Methods(q)
	if err != nil {
		s.trouble(w, r, http.StatusBadRequest, err.Error())
		return
	}
	names, counts := byMethod(m.Rows)
	body := struct {
		Chart                          series
		Rows                           []view.MethodCount
		Left                           int
		Total                          uint64
		Method, CSeq, Auth, ToTag, Per string
		Over                           any
		Spans                          any
	}{plot("methods", "Messages by method, "+over.Title, m.From, over.Step, names, counts), m.Rows, 0, m.Total,
		q.Method, q.CSeq, v.Get("auth"), v.Get("totag"), span(over.Step), over, spans}
	sort.SliceStable(body.Rows, func(a, b int) bool { return body.Rows[a].Total > body.Rows[b].Total })
	if len(body.Rows) > 2*pageMaxRows {
		body.Rows, body.Left = body.Rows[:2*pageMaxRows], len(body.Rows)-2*pageMaxRows
	}
	s.render(w, r, http.StatusOK, "methods", "Messages", body)
}

// byMethod adds up the rows of one method: requests by their own, answers by class.
func byMethod(rows []view.MethodCount) (names []string, counts [][]uint64) {
	at := map[string]int{}
	for _, row := range rows {
		name := row.Method
		if len(name) == 3 && name[0] >= '1' && name[0] <= '6' {
			name = name[:1] + "xx"
		}
		i, ok := at[name]
		if !ok {
			i = len(names)
			at[name] = i
			names, counts = append(names, name), append(counts, make([]uint64, len(row.Counts)))
		}
		for k, n := range row.Counts {
			if k < len(counts[i]) {
				counts[i][k] += n
			}
		}
	}
	return names, counts
}

// yesNo reads "1" and "0"; anything else asks for both.
func yesNo(s string) *bool {
	if s != "0" && s != "1" {
		return nil
	}
	yes := s == "1"
	return &yes
}
