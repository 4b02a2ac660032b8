// Package index looks at what the real binary makes of a real Elasticsearch: its
// template, the records of real captures in it, and the requests that
// docs/elasticsearch.md gives to its readers.
//
// SIPCMBEAT_BINARY names the binary; without it one is built.
package index

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
	"github.com/sipcmbeat/sipcmbeat/tests/declared"
	"github.com/sipcmbeat/sipcmbeat/tests/stores"
)

func TestMain(m *testing.M) { os.Exit(stores.Main(m)) }

// try runs the program with the configuration that is shipped and these settings.
func try(t *testing.T, command []string, settings ...string) (said string, err error) {
	t.Helper()
	path := siptest.Program(t)
	shipped, err := os.ReadFile("../../sipcmbeat.yml")
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	file := filepath.Join(home, "sipcmbeat.yml")
	if err := os.WriteFile(file, shipped, 0o600); err != nil {
		t.Fatal(err)
	}
	args := append(command, "-c", file, "--path.home", home)
	for _, s := range settings {
		args = append(args, "-E", s)
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	return string(out), err
}

// run is try for what has to end well.
func run(t *testing.T, command []string, settings ...string) string {
	t.Helper()
	said, err := try(t, command, settings...)
	if err != nil {
		t.Fatalf("%v %q: %v\n%s", command, settings, err, said)
	}
	return said
}

// to is where records go: a data stream below one template.
func to(s *stores.Server, stream string) []string {
	name, _, _ := strings.Cut(stream, "-")
	return []string{
		`output.elasticsearch.hosts=["` + s.URL + `"]`, "output.elasticsearch.index=" + stream,
		"setup.template.name=" + name, "setup.template.pattern=" + name + "-*",
	}
}

// reading is a capture with all its events.
func reading(capture string) []string {
	return []string{`pcap=["` + capture + `"]`, "event_types_blst=none", "evr_limits=none"}
}

// counts asks the server how many records of each action a stream has.
func counts(t *testing.T, s *stores.Server, stream string) map[string]int {
	t.Helper()
	s.Do(t, "POST", "/"+stream+"/_refresh", "", nil)
	var found struct {
		Aggregations struct {
			Actions struct {
				Buckets []struct {
					Key   string
					Count int `json:"doc_count"`
				}
			}
		}
	}
	s.Do(t, "POST", "/"+stream+"/_search", `{"size":0,"aggs":{"actions":{"terms":{"field":"event.action","size":100}}}}`, &found)
	n := map[string]int{}
	for _, b := range found.Aggregations.Actions.Buckets {
		n[b.Key] = b.Count
	}
	return n
}

// mappings are the types of all fields of each backing index of a pattern.
func mappings(t *testing.T, s *stores.Server, pattern string) map[string]map[string]string {
	t.Helper()
	type object struct {
		Type       string
		Properties map[string]json.RawMessage
	}
	var indices map[string]struct{ Mappings object }
	s.Do(t, "GET", "/"+pattern+"/_mapping", "", &indices)
	all := map[string]map[string]string{}
	for name, i := range indices {
		types := map[string]string{}
		var walk func(before string, o object)
		walk = func(before string, o object) {
			for name, raw := range o.Properties {
				var below object
				if err := json.Unmarshal(raw, &below); err != nil {
					t.Fatal(err)
				}
				if below.Properties != nil || below.Type == "object" {
					walk(before+name+".", below)
					continue
				}
				types[before+name] = below.Type
			}
		}
		walk("", i.Mappings)
		all[name] = types
	}
	return all
}

// asDeclared fails unless an index maps what is declared, and nothing else but extra.
func asDeclared(t *testing.T, index string, types map[string]string, extra ...string) {
	t.Helper()
	meta, err := declared.Fields("../..")
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range meta {
		if f.Type == "object" { // its fields are numbers, mapped when they come
			for below, typ := range types {
				if _, ok := meta[below]; !ok && strings.HasPrefix(below, name+".") {
					if typ != "long" {
						t.Errorf("%s: %s is mapped as %q", index, below, typ)
					}
					delete(types, below)
				}
			}
			continue
		}
		if types[name] != f.Type {
			t.Errorf("%s: %s is mapped as %q, declared as %s", index, name, types[name], f.Type)
		}
	}
	for _, name := range extra {
		if types[name] == "" {
			t.Errorf("%s: %s is not mapped", index, name)
		}
		delete(types, name)
	}
	for name := range types {
		if _, ok := meta[name]; !ok {
			t.Errorf("%s: %s is mapped and not declared", index, name)
		}
	}
}

const capture = "../captures/04-calls.pcap"

// setup succeeds with nothing configured on a server that has neither ILM nor the REST
// side of data streams, and again; what it loads is what is exported.
func TestSetup(t *testing.T) {
	s := stores.Elasticsearch(t, stores.Options{})
	host := `output.elasticsearch.hosts=["` + s.URL + `"]`
	for range 2 {
		said := run(t, []string{"setup"}, host)
		if !strings.Contains(said, "Index setup finished") || !strings.Contains(said, "has no ILM") {
			t.Errorf("setup said %s", said)
		}
	}
	var exported map[string]any
	if err := json.Unmarshal([]byte(run(t, []string{"export", "template", "--noilm"}, host)), &exported); err != nil {
		t.Fatal(err)
	}
	patterns, ok := exported["index_patterns"].([]any)
	if !ok || len(patterns) != 1 {
		t.Fatalf("exported for %v", exported["index_patterns"])
	}
	name := fmt.Sprint(patterns[0])
	if !strings.HasPrefix(name, "sipcmbeat-") || exported["data_stream"] == nil {
		t.Errorf("exported for %s, data stream %v", name, exported["data_stream"])
	}
	run(t, nil, append(reading(capture), host)...)
	for index, types := range mappings(t, s, name) {
		if !strings.HasPrefix(index, ".ds-"+name) {
			t.Errorf("%s is no data stream's", index)
		}
		asDeclared(t, index, types)
	}
	if n := counts(t, s, name); n["call-end"] != 40 {
		t.Errorf("found %v", n)
	}
}

// The first connection does what setup does.
func TestWithoutSetup(t *testing.T) {
	s := stores.Elasticsearch(t, stores.Options{})
	run(t, nil, append(reading(capture), to(s, "first-calls")...)...)
	for index, types := range mappings(t, s, "first-calls") {
		asDeclared(t, index, types)
	}
}

// Counters are numbers that can be summed.
func TestStatistics(t *testing.T) {
	s := stores.Elasticsearch(t, stores.Options{})
	run(t, nil, append(reading(capture), append(to(s, "counted-calls"), "stats_interval=1h")...)...)
	for index, types := range mappings(t, s, "counted-calls") {
		for _, name := range []string{"sip.stats.frames", "sip.stats.delta.frames", "sip.stats.requests.invite", "sip.stats.delta.events_made.call_end"} {
			if types[name] != "long" {
				t.Errorf("%s is mapped as %q", name, types[name])
			}
		}
		asDeclared(t, index, types)
	}
	var found struct {
		Aggregations map[string]struct{ Value float64 }
	}
	s.Do(t, "POST", "/counted-calls/_refresh", "", nil)
	s.Do(t, "POST", "/counted-calls/_search?size=0", `{"query":{"term":{"event.dataset":"sip.stats"}},"aggs":{
		"started":{"sum":{"field":"sip.stats.delta.events_made.call_start"}},"groups":{"cardinality":{"field":"sip.stats.group"}}}}`, &found)
	if found.Aggregations["started"].Value != 40 || found.Aggregations["groups"].Value < 6 {
		t.Errorf("%v", found.Aggregations)
	}
}

// What the user adds makes a mapping, headers too that the configuration names; other
// names under sip make none.
func TestDynamic(t *testing.T) {
	s := stores.Elasticsearch(t, stores.Options{})
	run(t, nil, append(append(reading(capture), to(s, "dynamic-calls")...), "fields.site=berlin", "headers=[Max-Forwards]",
		`processors=[{add_labels: {labels: {tenant: "12"}}}]`,
		`setup.template.append_fields=[{name: labels.ticket, type: long}]`)...)
	s.Do(t, "POST", "/dynamic-calls/_doc?refresh=true", `{"@timestamp":"2026-01-01T00:00:00.123456789Z","sip":{"x-`+strings.Repeat("a", 100)+
		`":"1","uri":{"new":1},"header":{"x-hostile":"1"},"new":{"a":{"b":1}}},"labels":{"ticket":"7"}}`, nil)
	for index, types := range mappings(t, s, "dynamic-calls") {
		if types["labels.ticket"] != "long" || types["fields.site"] != "keyword" {
			t.Errorf("labels.ticket is %q, fields.site %q", types["labels.ticket"], types["fields.site"])
		}
		asDeclared(t, index, types, "fields.site", "labels.tenant", "labels.ticket", "sip.header.max-forwards")
	}
	var found struct{ Count int }
	s.Do(t, "POST", "/dynamic-calls/_count", `{"query":{"bool":{"filter":[{"term":{"fields.site":"berlin"}},{"term":{"labels.tenant":"12"}},{"term":{"sip.header.max-forwards":"70"}}]}}}`, &found)
	if found.Count != 80 {
		t.Errorf("%d found by what the user added", found.Count)
	}
}

// Elastic's own scheme for data streams, as docs/elasticsearch.md has it.
func TestOtherNames(t *testing.T) {
	s := stores.Elasticsearch(t, stores.Options{})
	run(t, nil, append(reading("../captures/*.pcap"), `output.elasticsearch.hosts=["`+s.URL+`"]`,
		"output.elasticsearch.index=logs-%{[event.dataset]}-default", "setup.template.name=logs-sip", "setup.template.pattern=logs-sip*")...)
	if n := counts(t, s, "logs-sip.call-default"); n["call-end"] == 0 || n["reg-new"] > 0 {
		t.Errorf("calls: %v", n)
	}
	if n := counts(t, s, "logs-sip.registration-default"); n["reg-new"] == 0 || n["call-end"] > 0 {
		t.Errorf("registrations: %v", n)
	}
	for index, types := range mappings(t, s, "logs-sip*") {
		asDeclared(t, index, types)
	}
}

// A real run writes what is declared, and libbeat adds what we say that it does: the
// same in every record.
func TestRecordsOfARun(t *testing.T) {
	meta, err := declared.Fields("../..")
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	run(t, nil, append(reading("../golden/*/in.pcap"), "output.elasticsearch.enabled=false", "output.file.enabled=true",
		"output.file.path="+out, "output.file.filename=events", "call_alive_interval=1m", "messages.enabled=true", "internal_networks=private")...)
	files, err := filepath.Glob(out + "/events-*.ndjson")
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		n++
		flat := declared.Flat(record)
		for name, value := range flat {
			if declared.Top(name) == "@metadata" {
				continue
			}
			f, ok := meta[name]
			if !ok {
				t.Fatalf("%s is written and not declared", name)
			}
			if !fits(f.Type, value) {
				t.Errorf("%s: %v is no %s", name, value, f.Type)
			}
		}
		for _, name := range append([]string{"observer.name", "network.direction"}, declared.Added...) {
			if flat[name] == nil {
				t.Fatalf("%s is not in %s", name, line)
			}
		}
	}
	if n < 400 {
		t.Errorf("only %d records", n)
	}
}

// fits tells whether a value of JSON is of a mapping type.
func fits(kind string, value any) bool {
	if list, ok := value.([]any); ok {
		for _, v := range list {
			if !fits(kind, v) {
				return false
			}
		}
		return len(list) > 0
	}
	switch v := value.(type) {
	case string:
		if kind == "date_nanos" {
			_, err := time.Parse(time.RFC3339Nano, v)
			return err == nil
		}
		return kind == "keyword" || kind == "ip"
	case bool:
		return kind == "boolean"
	case float64:
		return kind == "double" || kind == "long" && v == float64(int64(v))
	}
	return false
}
