package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sipcmbeat/sipcmbeat/internal/api"
	"github.com/sipcmbeat/sipcmbeat/internal/engine"
	"github.com/sipcmbeat/sipcmbeat/internal/kpi"
	"github.com/sipcmbeat/sipcmbeat/internal/metric"
)

// family is what the document says of one.
type family struct {
	*metric.Desc
	values []string // of its label
}

// families are those of all tables, in their order.
func families() (all []family) {
	take := func(d *metric.Desc, value string, _ float64) {
		if n := len(all) - 1; n < 0 || all[n].Desc != d {
			all = append(all, family{Desc: d})
		}
		if d.Label != "" {
			all[len(all)-1].values = append(all[len(all)-1].values, value)
		}
	}
	(&engine.Stats{}).Samples(take)
	(&engine.Host{}).Samples(take)
	for _, d := range slices.Concat(kpi.Descs, api.Metrics) {
		all = append(all, family{Desc: d})
	}
	return all
}

func metricNames() string {
	var b strings.Builder
	all := families()
	for _, g := range metric.Groups {
		fmt.Fprintf(&b, "### %s\n\n%s.\n\n| name | kind | meaning | at /metrics |\n|---|---|---|---|\n", g.Name, upper(g.Meaning))
		for _, f := range all {
			if f.Group != g.Name {
				continue
			}
			meaning, name := cell(f.Help), f.Prometheus()
			if f.Label != "" {
				name += "{" + f.Label + "}"
			}
			if len(f.values) > 0 {
				meaning += " " + upper(f.Label) + ": " + cell(strings.Join(f.values, ", ")) + "."
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | `%s` |\n", f.Name, f.Kind, meaning, name)
		}
		b.WriteString("\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func metricSums() string {
	var b strings.Builder
	b.WriteString("| sum | parts | says |\n|---|---|---|\n")
	for _, s := range slices.Concat(engine.Sums, engine.HostSums) {
		says := s.Meaning
		if s.AtRest {
			says += " (when nothing is under way)"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", terms(s.Right), terms(s.Left), cell(says))
	}
	return b.String()
}

func terms(list string) string {
	return "`" + strings.ReplaceAll(list, " + ", "` + `") + "`"
}

func upper(text string) string { return strings.ToUpper(text[:1]) + text[1:] }
