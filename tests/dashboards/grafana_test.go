package dashboards

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"github.com/sipcmbeat/sipcmbeat/tests/stores"
)

const grafanaFile = root + "deploy/grafana/sipcmbeat.json"

// Grafana's own reading of the file, which takes no key and no value that its schema
// does not have: of the dashboard, its panels, their options and their queries.
func TestGrafanaSchema(t *testing.T) {
	plugins.RegisterDefaultPlugins()
	text, err := os.ReadFile(grafanaFile)
	if err != nil {
		t.Fatal(err)
	}
	//lint:ignore SA1019 the older form is what every Grafana imports
	var d dashboard.Dashboard
	said := func(err error) {
		t.Helper()
		var all cog.BuildErrors
		if errors.As(err, &all) {
			for _, e := range all {
				t.Error(e)
			}
		} else if err != nil {
			t.Error(err)
		}
	}
	said(d.UnmarshalJSONStrict(text))
	said(d.Validate())
	if len(d.Panels) < 50 {
		t.Errorf("%d panels", len(d.Panels))
	}
}

// target is a query of Grafana's Elasticsearch data source.
type target struct {
	Query, TimeField string
	Metrics          []struct {
		ID, Type, Field string
		Settings        struct {
			Size     string
			Percents []string
		}
	}
	BucketAggs []struct {
		ID, Type, Field string
		Settings        struct {
			Order, OrderBy, Size string
			Filters              []struct{ Label, Query string }
		}
	}
}

// Every panel of Grafana shows something.
func TestGrafanaPanels(t *testing.T) {
	l := laboratory(t)
	text, err := os.ReadFile(grafanaFile)
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			ID              int
			Type, Title     string
			Targets         []target
			Transformations []struct {
				Options struct{ Include struct{ Names []string } }
			}
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	for _, p := range board.Panels {
		if p.Type == "row" {
			continue
		}
		t.Run(strconv.Itoa(p.ID)+" "+p.Title, func(t *testing.T) {
			if len(p.Targets) != 1 {
				t.Fatalf("%d queries", len(p.Targets))
			}
			q := p.Targets[0]
			a := l.search(t, everything, q.body(t), nil, nil)
			if a.Hits.Total.Value == 0 {
				t.Error("no record")
			}
			for name, agg := range a.Aggregations {
				if err := full(agg.(map[string]any)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			for _, tr := range p.Transformations {
				for _, column := range tr.Options.Include.Names {
					isKnown(t, "", column)
					if !slices.ContainsFunc(l.records(t, everything), func(h stores.Hit) bool { return has(h.Source, column) }) {
						t.Errorf("no record has %s", column)
					}
				}
			}
		})
	}
}

// body is the search that Grafana makes of a query.
func (q *target) body(t *testing.T) map[string]any {
	t.Helper()
	body := map[string]any{"size": 0, "track_total_hits": true}
	isKnown(t, "date_histogram", q.TimeField)
	if q.Query != "" {
		body["query"] = lucene(t, query{"lucene", q.Query})
	}
	metric := map[string]any{}
	for _, m := range q.Metrics {
		if m.Field != "" {
			isKnown(t, m.Type, m.Field)
		}
		switch m.Type {
		case "count":
		case "raw_data":
			if len(q.BucketAggs) > 0 {
				t.Error("documents are not put into buckets")
			}
			body["size"] = 10
		case "avg", "max", "sum", "cardinality":
			metric[m.ID] = map[string]any{m.Type: map[string]any{"field": m.Field}}
		case "percentiles":
			metric[m.ID] = map[string]any{m.Type: map[string]any{"field": m.Field, "percents": m.Settings.Percents}}
		default:
			t.Fatalf("%s is not known to this test", m.Type)
		}
	}
	var levels []map[string]any
	for _, b := range q.BucketAggs {
		if b.Field != "" {
			isKnown(t, b.Type, b.Field)
		}
		switch b.Type {
		case "terms":
			levels = append(levels, map[string]any{b.Type: map[string]any{"field": b.Field, "size": number(t, b.Settings.Size),
				"order": map[string]any{b.Settings.OrderBy: b.Settings.Order}}})
		case "filters":
			filters := map[string]any{}
			for _, f := range b.Settings.Filters {
				filters[f.Label] = lucene(t, query{"lucene", f.Query})
			}
			levels = append(levels, map[string]any{b.Type: map[string]any{"filters": filters}})
		case "date_histogram":
			levels = append(levels, map[string]any{b.Type: map[string]any{"field": b.Field, "fixed_interval": "1m", "min_doc_count": 1}})
		default:
			t.Fatalf("%s is not known to this test", b.Type)
		}
	}
	if aggs := nest(metric, levels); len(aggs) > 0 {
		body["aggs"] = aggs
	}
	return body
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Errorf("size %q", text)
	}
	return n
}
