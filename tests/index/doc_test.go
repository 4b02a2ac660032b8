package index

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/tests/stores"
)

// request reads one out of docs/elasticsearch.md: what follows its mark.
func request(t *testing.T, mark string) (method, path, body string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/elasticsearch.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, ok := strings.Cut(string(text), "<!-- "+mark+" -->\n```\n")
	block, _, closed := strings.Cut(block, "\n```\n")
	first, body, lines := strings.Cut(block, "\n")
	method, path, words := strings.Cut(first, " ")
	if !ok || !closed || !lines || !words {
		t.Fatalf("docs/elasticsearch.md has no request %q", mark)
	}
	return method, path, body
}

// ask runs one, with other names in it.
func ask(t *testing.T, s *stores.Server, mark string, out any, changes ...string) {
	t.Helper()
	method, path, body := request(t, mark)
	r := strings.NewReplacer(changes...)
	s.Do(t, method, r.Replace(path), r.Replace(body), out)
}

type answer struct {
	Deleted int
	Count   int
	Hits    struct {
		Hits []struct {
			stores.Hit
			Inner map[string]struct {
				Hits struct{ Hits []stores.Hit }
			} `json:"inner_hits"`
		}
	}
	Aggregations struct {
		Events struct {
			Value   int
			Buckets []struct {
				Key    string
				Probes struct{ Value int }
			}
		}
		Probes struct {
			Buckets []struct {
				Key   string
				Count int `json:"doc_count"`
			}
		}
	}
}

// users are records with one person in different places and spellings, and with others
// whose names are longer at either end; OpenSearch deletes what the document says.
func TestDeleteUser(t *testing.T) {
	o := stores.OpenSearch(t)
	template := run(t, []string{"export", "template", "--noilm"}, "setup.template.pattern=sipcmbeat-*")
	o.Do(t, "PUT", "/_index_template/sipcmbeat", template, nil)
	named := map[string]string{
		"from":     `"sip":{"from":{"uri":{"original":"sip:alice@example.org"}}}`,
		"to":       `"sip":{"to":{"uri":{"original":"SIP:Alice@Example.ORG:5060;user=phone"}}}`,
		"secure":   `"sip":{"uri":{"original":"sips:alice@example.org?x=y"}}`,
		"id":       `"user":{"id":"sip:alice@example.org"}`,
		"pai":      `"sip":{"pai":["tel:+49","\"A\" <sip:alice@example.org>"]}`,
		"transfer": `"sip":{"call":{"transfer":{"target":"sip:alice@example.org"}}}`,
	}
	others := map[string]string{
		"before": `"sip":{"from":{"uri":{"original":"sip:malice@example.org"}}}`,
		"behind": `"sip":{"to":{"uri":{"original":"sip:alice@example.organic"}}}`,
		"dot":    `"sip":{"to":{"uri":{"original":"sip:alice@exampleXorg"}}}`,
		"below":  `"sip":{"to":{"uri":{"original":"sip:alice@example.org.example"}}}`,
		"other":  `"user":{"id":"sip:bob@example.org"}`,
	}
	for _, set := range []map[string]string{named, others} {
		for id, doc := range set {
			o.Do(t, "PUT", "/sipcmbeat-users/_create/"+id+"?refresh=true", `{"@timestamp":"2026-01-01T00:00:00Z",`+doc+`}`, nil)
		}
	}
	var got answer
	ask(t, o, "delete", &got, "sipcmbeat-*", "sipcmbeat-users")
	if got.Deleted != len(named) {
		t.Errorf("%d deleted, not %d", got.Deleted, len(named))
	}
	for _, left := range o.All(t, "sipcmbeat-users") {
		if others[left.ID] == "" {
			t.Errorf("%s is left", left.ID)
		}
	}
	ask(t, o, "retention", &got, "sipcmbeat-*", "sipcmbeat-users")
	if got.Deleted != len(others) {
		t.Errorf("%d deleted for their age, not %d", got.Deleted, len(others))
	}
}

// Elasticsearch finds the same by the same query: its small server cannot delete by one.
func TestFindUser(t *testing.T) {
	s := stores.Elasticsearch(t, stores.Options{})
	run(t, nil, append(reading("../captures/01-reg.pcap"), to(s, "person-reg")...)...)
	s.Do(t, "POST", "/person-reg/_refresh", "", nil)
	_, _, body := request(t, "delete")
	body = strings.NewReplacer(`alice@example\\.org`, `u1003@lab\\.test`, "alice@example.org", "u1003@lab.test").Replace(body)
	var got answer
	s.Do(t, "POST", "/person-reg/_count", body, &got)
	want := 0
	for _, hit := range s.All(t, "person-reg") {
		text, err := json.Marshal(hit.Source)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "u1003") {
			want++
		}
	}
	if want < 2 || got.Count != want {
		t.Errorf("%d found, %d name the user", got.Count, want)
	}
}

// Two probes see the same calls: in one data stream each event is there once, in two
// the document's queries tell who saw what.
func TestTwoProbes(t *testing.T) {
	s := stores.Elasticsearch(t, stores.Options{})
	const calls, failed = "../captures/04-calls.pcap", "../captures/05-failed.pcap"
	for _, probe := range []string{"edge-1", "edge-2"} {
		run(t, nil, append(append(reading(calls), to(s, "one-stream")...), "name="+probe)...)
		run(t, nil, append(append(reading(calls), to(s, "probes-"+probe)...), "name="+probe)...)
	}
	run(t, nil, append(append(reading(failed), to(s, "probes-edge-1")...), "name=edge-1")...)

	n := counts(t, s, "one-stream")
	if n["call-start"] != 40 || n["call-end"] != 40 {
		t.Errorf("one stream has %v", n)
	}
	for _, hit := range s.All(t, "one-stream") {
		if name := hit.Source["observer"].(map[string]any)["name"]; name != "edge-1" {
			t.Errorf("%v is kept, who came second", name)
		}
	}
	s.Do(t, "POST", "/probes-*/_refresh", "", nil)
	both, alone := ids(s.All(t, "probes-edge-2")), ids(s.All(t, "probes-edge-1"))
	alone = slices.DeleteFunc(alone, func(id string) bool { return slices.Contains(both, id) })

	var merged answer
	ask(t, s, "merged", &merged, "sipcmbeat-*", "probes-*", `"query": {"term": {"event.dataset": "sip.call"}}`, `"query": {"match_all": {}}`)
	var seen []string
	for _, hit := range merged.Hits.Hits {
		id := hit.ID
		seen = append(seen, id)
		names := ""
		for _, in := range hit.Inner["probes"].Hits.Hits {
			names += fmt.Sprint(in.Source["observer"])
		}
		if strings.Contains(names, "edge-2") != slices.Contains(both, id) || !strings.Contains(names, "edge-1") {
			t.Errorf("%s was seen by %s", id, names)
		}
	}
	slices.Sort(seen)
	if want := slices.Sorted(slices.Values(append(slices.Clone(both), alone...))); !slices.Equal(seen, want) {
		t.Errorf("the merged view has %d events, not %d", len(seen), len(want))
	}

	var count answer
	ask(t, s, "seen", &count, "sipcmbeat-*", "probes-*")
	if a := count.Aggregations; a.Events.Value != len(seen) || len(a.Probes.Buckets) != 2 ||
		a.Probes.Buckets[0].Count != len(seen) || a.Probes.Buckets[1].Count != len(both) {
		t.Errorf("%+v", a)
	}

	var only answer
	ask(t, s, "alone", &only, "sipcmbeat-*", "probes-*")
	for _, b := range only.Aggregations.Events.Buckets {
		if (b.Probes.Value == 1) != slices.Contains(alone, b.Key) {
			t.Errorf("%s was seen by %d probes", b.Key, b.Probes.Value)
		}
	}
}

func ids(hits []stores.Hit) (all []string) {
	for _, h := range hits {
		all = append(all, h.ID)
	}
	return all
}
