package dashboards

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// saved is a saved object of Kibana as it stands in a file.
type saved struct {
	ID, Type   string
	References []struct{ ID, Name, Type string }
	Attributes struct {
		Title   string
		Columns []string
		Sort    [][]string
		Panels  []struct {
			Ref  string `json:"panelRefName"`
			Grid struct{ X, Y, W, H int }
		} `json:"panelsJSON"`
		Vis struct {
			Type string
			Aggs []struct {
				ID, Schema, Type string
				Params           struct {
					Field, OrderBy, Order string
					Size                  int
					Percents              []float64
					Filters               []struct {
						Label string
						Input query
					}
				}
			}
		} `json:"visState"`
		Meta struct {
			Source struct {
				Query query
			} `json:"searchSourceJSON"`
		} `json:"kibanaSavedObjectMeta"`
	}
}

type query struct{ Language, Query string }

// objects reads all that setup loads.
func objects(t *testing.T) (all []*saved) {
	t.Helper()
	files, err := filepath.Glob(root + "_meta/kibana/7/*/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s := &saved{}
		if err := json.Unmarshal(text, s); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if path != filepath.Join(root, "_meta/kibana/7", s.Type, s.ID+".json") {
			t.Errorf("%s holds %s %s: libbeat would not find it", path, s.Type, s.ID)
		}
		all = append(all, s)
	}
	if len(all) < 6 {
		t.Fatalf("%d saved objects", len(all))
	}
	return all
}

// What a dashboard shows exists, is shown once, and its panels do not overlap.
func TestKibanaDashboards(t *testing.T) {
	by := map[string]*saved{}
	for _, s := range objects(t) {
		by[s.Type+"/"+s.ID] = s
	}
	boards, shown := 0, map[string]bool{}
	for _, s := range by {
		if s.Type != "dashboard" {
			continue
		}
		boards++
		refs := map[string]string{}
		for _, r := range s.References {
			refs[r.Name] = r.Type + "/" + r.ID
		}
		taken := map[[2]int]bool{}
		for _, p := range s.Attributes.Panels {
			target := refs[p.Ref]
			if by[target] == nil {
				t.Errorf("%s: %s is %q, which does not exist", s.ID, p.Ref, target)
			}
			shown[target] = true
			for x := p.Grid.X; x < p.Grid.X+p.Grid.W; x++ {
				for y := p.Grid.Y; y < p.Grid.Y+p.Grid.H; y++ {
					if taken[[2]int{x, y}] || x >= 48 {
						t.Fatalf("%s: %s lies over another or beside the grid", s.ID, target)
					}
					taken[[2]int{x, y}] = true
				}
			}
		}
	}
	if boards != 6 || len(shown)+boards != len(by) {
		t.Errorf("%d dashboards show %d of %d objects", boards, len(shown), len(by)-boards)
	}
}

// body is the search that Kibana makes of a visualisation.
func (s *saved) body(t *testing.T) map[string]any {
	t.Helper()
	body := map[string]any{"size": 0, "track_total_hits": true}
	where := s.Attributes.Meta.Source.Query
	if where.Query != "" {
		body["query"] = lucene(t, where)
	}
	metric := map[string]any{}
	levels := []map[string]any{}
	for _, a := range s.Attributes.Vis.Aggs {
		p := a.Params
		if p.Field != "" {
			isKnown(t, a.Type, p.Field)
		}
		switch a.Type {
		case "count":
		case "avg", "max", "sum", "cardinality":
			metric["1"] = map[string]any{a.Type: map[string]any{"field": p.Field}}
		case "percentiles":
			metric["1"] = map[string]any{a.Type: map[string]any{"field": p.Field, "percents": p.Percents}}
		case "date_histogram":
			levels = append(levels, map[string]any{a.Type: map[string]any{"field": p.Field, "fixed_interval": "1m", "min_doc_count": 1}})
		case "terms":
			order := p.OrderBy
			if len(metric) == 0 && order == "1" {
				order = "_count"
			}
			levels = append(levels, map[string]any{a.Type: map[string]any{"field": p.Field, "size": p.Size, "order": map[string]any{order: p.Order}}})
		case "filters":
			filters := map[string]any{}
			for _, f := range p.Filters {
				filters[f.Label] = lucene(t, f.Input)
			}
			levels = append(levels, map[string]any{a.Type: map[string]any{"filters": filters}})
		default:
			t.Fatalf("%s: aggregation %s is not known to this test", s.ID, a.Type)
		}
	}
	body["aggs"] = nest(metric, levels)
	return body
}

// nest puts each level into the one before, and the metric into all.
func nest(metric map[string]any, levels []map[string]any) map[string]any {
	inner := metric
	for i := len(levels) - 1; i >= 0; i-- {
		level := levels[i]
		if len(inner) > 0 {
			level["aggs"] = inner
		}
		inner = map[string]any{fmt.Sprintf("by%d", i): level}
		for k, v := range metric {
			inner[k] = v
		}
	}
	return inner
}

func lucene(t *testing.T, q query) map[string]any {
	t.Helper()
	if q.Language != "lucene" {
		t.Errorf("a query in %s, which Elasticsearch cannot be asked as it is", q.Language)
	}
	for _, field := range names(q.Query) {
		isKnown(t, "", field)
	}
	return map[string]any{"query_string": map[string]any{"query": q.Query, "analyze_wildcard": true}}
}

// Every panel of Kibana shows something, and what the truth knows is what it shows.
func TestKibanaPanels(t *testing.T) {
	l := laboratory(t)
	judged := 0
	for _, s := range objects(t) {
		if s.Type == "dashboard" {
			continue
		}
		t.Run(s.ID, func(t *testing.T) {
			for _, r := range s.References {
				if r.ID != "sipcmbeat-*" || r.Type != "index-pattern" {
					t.Errorf("refers to %v", r)
				}
			}
			if s.Type == "search" {
				for _, c := range s.Attributes.Columns {
					isKnown(t, "", c)
				}
				body := map[string]any{"sort": []any{map[string]any{s.Attributes.Sort[0][0]: s.Attributes.Sort[0][1]}}, "_source": s.Attributes.Columns}
				isKnown(t, "", s.Attributes.Sort[0][0])
				body["query"] = lucene(t, s.Attributes.Meta.Source.Query)
				a := l.search(t, everything, body, nil, nil)
				if len(a.Hits.Hits) == 0 {
					t.Error("no record")
				}
				for _, c := range s.Attributes.Columns {
					seen := false
					for _, h := range a.Hits.Hits {
						seen = seen || has(h.Source, c)
					}
					if !seen {
						t.Errorf("no record has %s", c)
					}
				}
				return
			}
			body := s.body(t)
			a := l.search(t, everything, body, nil, nil)
			if a.Hits.Total.Value == 0 {
				t.Error("no record")
			}
			for name, agg := range a.Aggregations {
				if err := full(agg.(map[string]any)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			where := s.Attributes.Meta.Source.Query.Query
			action, ok := strings.CutPrefix(where, `event.action:"`)
			if !ok || strings.Count(action, `"`) != 1 {
				return
			}
			n, unknown := l.want(strings.TrimSuffix(action, `"`))
			if n == 0 {
				return
			}
			judged++
			if got := l.search(t, everything, body, nil, unknown).Hits.Total.Value; got != n {
				t.Errorf("%d records, want %d", got, n)
			}
		})
	}
	if judged < 10 {
		t.Errorf("only %d panels were compared with the truth", judged)
	}
}

// has tells whether a document has a field, written as objects.
func has(doc map[string]any, field string) bool {
	name, rest, deeper := strings.Cut(field, ".")
	v, ok := doc[name]
	if !deeper || !ok {
		return ok
	}
	inner, ok := v.(map[string]any)
	return ok && has(inner, rest)
}
