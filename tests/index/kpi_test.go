package index

import (
	"os"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/tests/declared"
	"github.com/sipcmbeat/sipcmbeat/tests/stores"
)

// Records of indicators fit the template, field by field, and what docs/kpi.md asks for
// gives what happened: 40 calls, all answered.
func TestIndicators(t *testing.T) {
	meta, err := declared.Fields("../..")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../docs/kpi.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(text), "<!-- asr -->\n```\nPOST /sipcmbeat-*/_search\n")
	query, _, ok := strings.Cut(block, "```\n")
	if !ok {
		t.Fatal("docs/kpi.md has no request for the answer-seizure ratio")
	}
	s := stores.Elasticsearch(t, stores.Options{})
	run(t, nil, append(append(reading(capture), to(s, "kpi-calls")...), "kpi.records=true", "kpi.window=10s", "trunks=[lab=127.0.0.0/8]")...)
	for index, types := range mappings(t, s, "kpi-calls") {
		asDeclared(t, index, types)
	}
	s.Do(t, "POST", "/kpi-calls/_refresh", "", nil)
	whole, peers := 0, 0
	for _, hit := range s.All(t, "kpi-calls") {
		flat := declared.Flat(hit.Source)
		if flat["event.dataset"] != "sip.kpi" {
			continue
		}
		switch flat["sip.kpi.peer"] {
		case nil:
			whole++
		case "lab":
			peers++
		default:
			t.Errorf("a record of %v", flat["sip.kpi.peer"])
		}
		for name, value := range flat {
			if f, ok := meta[name]; !ok || !fits(f.Type, value) {
				t.Errorf("%s: %v, declared as %q", name, value, f.Type)
			}
		}
	}
	if whole < 2 || whole != peers {
		t.Errorf("%d records of everything, %d of the trunk", whole, peers)
	}
	var found struct {
		Aggregations struct{ Answered, Of struct{ Value float64 } }
	}
	s.Do(t, "POST", "/kpi-calls/_search", strings.Replace(query, "now-1d", "now-20y", 1), &found)
	if a := found.Aggregations; a.Answered.Value != 40 || a.Of.Value != 40 {
		t.Errorf("%v of %v answered, want 40 of 40", a.Answered.Value, a.Of.Value)
	}
}
