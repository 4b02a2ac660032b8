// Package dashboards asks a real Elasticsearch everything that the program ships as a
// question: the panels of Kibana's and Grafana's dashboards, and the queries of
// docs/cookbook.md. What is asked is filled in by the real binary out of the captures
// of the laboratory, whose truth says what some of the answers have to be.
package dashboards

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/tests/stores"
)

func TestMain(m *testing.M) { os.Exit(stores.Main(m)) }

const (
	root   = "../../"
	beside = "../../../shared/lab"
	// The streams: all of the laboratory, some of it by a second probe, and a capture that
	// ends in the middle of its calls.
	everything = "sipcmbeat-all"
	second     = "sipcmbeat-second"
	cut        = "sipcmbeat-cut"
)

// scenario is a capture of the laboratory and what really happened in it.
type scenario struct {
	Name     string
	Expected map[string]int
	Dialogs  []struct {
		CallID   string `json:"call_id"`
		From, To string
		Code     int
		BYEBy    string `json:"bye_by"`
	}
	Registrations map[string][]string
	path          string
}

// lab is the server with everything in it.
type lab struct {
	*stores.Server
	scenarios []*scenario
	end       string // the time of the last record
	fetched   map[string][]stores.Hit
}

// records are those of a stream as they were sent.
func (l *lab) records(t *testing.T, stream string) []stores.Hit {
	t.Helper()
	if l.fetched[stream] == nil {
		l.fetched[stream] = l.All(t, stream)
	}
	return l.fetched[stream]
}

var (
	filling sync.Once
	filled  *lab
)

// laboratory fills the server once.
func laboratory(t *testing.T) *lab {
	t.Helper()
	binary(t)
	if _, err := os.Stat(beside); err != nil {
		stop(t, "the captures beside the checkout (../shared) are missing")
	}
	l := &lab{Server: stores.Elasticsearch(t, stores.Options{}), fetched: map[string][]stores.Hit{}}
	filling.Do(func() {
		l.fill(t)
		filled = l
	})
	if filled == nil {
		t.Fatal("the server was not filled")
	}
	return filled
}

// stop skips, or fails where nothing may be skipped.
func stop(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// binary is the program under test.
func binary(t *testing.T) string {
	t.Helper()
	path := os.Getenv("SIPCMBEAT_BINARY")
	if path == "" {
		stop(t, "SIPCMBEAT_BINARY is not set; run make integration")
	}
	return path
}

func (l *lab) fill(t *testing.T) {
	began := time.Now()
	truths, err := filepath.Glob(beside + "/*/truth.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range truths {
		s := &scenario{}
		text, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(text, s)
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if len(s.Expected) == 0 {
			continue // damaged copies of others
		}
		captures, err := filepath.Glob(filepath.Dir(path) + "/*.pcap*")
		if err != nil || len(captures) == 0 {
			t.Fatalf("%s: no capture: %v", path, err)
		}
		s.path = captures[0]
		l.scenarios = append(l.scenarios, s)
	}
	half := filepath.Join(t.TempDir(), "half.pcap")
	if err := halve(l.named(t, "04-calls-a").path, half); err != nil {
		t.Fatal(err)
	}
	// The first loads the template, so that the others do not all try at once.
	l.send(t, cut, "probe-1", half)
	l.send(t, second, "probe-2", l.named(t, "04-calls-a").path)
	l.send(t, everything, "probe-1", l.scenarios[0].path)
	work := make(chan string)
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(func() {
			for path := range work {
				l.send(t, everything, "probe-1", path)
			}
		})
	}
	for _, s := range l.scenarios[1:] {
		work <- s.path
	}
	close(work)
	workers.Wait()
	if t.Failed() {
		t.FailNow()
	}
	l.Do(t, "POST", "/sipcmbeat-*/_refresh", "", nil)
	var last answer
	l.Do(t, "POST", "/sipcmbeat-*/_search", `{"size":0,"aggs":{"end":{"max":{"field":"@timestamp"}}}}`, &last)
	l.end = last.Aggregations["end"].(map[string]any)["value_as_string"].(string)
	t.Logf("%d captures sent in %v, the last record at %s", len(l.scenarios), time.Since(began).Round(time.Second), l.end)
}

// send reads a capture with the real binary and its output for Elasticsearch.
func (l *lab) send(t *testing.T, stream, probe, path string) {
	dir, err := os.MkdirTemp(os.TempDir(), "sipcmbeat-dashboards-")
	if err != nil {
		t.Error(err)
		return
	}
	defer os.RemoveAll(dir)
	out, err := beat(t, dir, "-e", "-E", "pcap="+path, "-E", "name="+probe, "-E", "output.elasticsearch.hosts="+l.URL,
		"-E", "output.elasticsearch.index="+stream, "-E", "setup.template.name="+stream, "-E", "setup.template.pattern="+stream,
		"-E", "setup.ilm.enabled=false", "-E", "event_types_blst=none", "-E", "evr_limits=none")
	if err != nil {
		t.Errorf("%s: %v\n%s", path, err, out)
	}
}

// beat runs the binary with the configuration that is shipped.
func beat(t *testing.T, dir string, args ...string) ([]byte, error) {
	shipped, err := os.ReadFile(root + "sipcmbeat.yml")
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "sipcmbeat.yml")
	if err := os.WriteFile(config, shipped, 0o600); err != nil {
		return nil, err
	}
	return exec.Command(binary(t), append(args, "-c", config, "--path.data", filepath.Join(dir, "data"),
		"--path.logs", filepath.Join(dir, "logs"))...).CombinedOutput()
}

// halve copies the first half of a capture file's bytes, to a whole packet.
func halve(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if len(b) < 24 || b[0] != 0xd4 || b[1] != 0xc3 {
		return fmt.Errorf("%s is no little-endian capture file", from)
	}
	end := 24
	for end+16 <= len(b)/2 {
		end += 16 + int(b[end+8]) + int(b[end+9])<<8
	}
	return os.WriteFile(to, b[:end], 0o600)
}

// named is a scenario.
func (l *lab) named(t *testing.T, name string) *scenario {
	t.Helper()
	for _, s := range l.scenarios {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("the laboratory has no %s", name)
	return nil
}

// want is how many events of a type there really were, and the captures of which that
// is not known.
func (l *lab) want(action string) (n int, unknown []string) {
	for _, s := range l.scenarios {
		if k, judged := s.Expected[action]; judged {
			n += k
		} else {
			unknown = append(unknown, s.path)
		}
	}
	return n, unknown
}

// answer is what a search says.
type answer struct {
	Hits struct {
		Total struct {
			Value    int
			Relation string
		}
		Hits []struct {
			stores.Hit
			Inner map[string]answer `json:"inner_hits"`
		}
	}
	Aggregations map[string]any
}

// search asks, of some streams, what is true and not of some captures.
func (l *lab) search(t *testing.T, streams string, body map[string]any, only []string, without []string) answer {
	t.Helper()
	body = clone(body)
	filter := []any{}
	if q := body["query"]; q != nil {
		filter = append(filter, q)
	}
	if len(only) > 0 {
		filter = append(filter, map[string]any{"terms": map[string]any{"sip.pcap.path": only}})
	}
	query := map[string]any{"filter": filter}
	if len(without) > 0 {
		query["must_not"] = map[string]any{"terms": map[string]any{"sip.pcap.path": without}}
	}
	body["query"] = map[string]any{"bool": query}
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	// What "now" is to the reader is the end of the captures here.
	asked := strings.ReplaceAll(string(text), `"now-`, `"`+l.end+`||-`)
	var a answer
	l.Do(t, "POST", "/"+streams+"/_search", asked, &a)
	return a
}

func clone(m map[string]any) map[string]any {
	c := map[string]any{}
	for k, v := range m {
		c[k] = v
	}
	return c
}

// mapping gives the type of a field of ours, or "".
func mapping(name string) string {
	for i := range event.Fields {
		if event.Fields[i].Key == name {
			return event.Fields[i].Mapping
		}
	}
	return ""
}

// fits tells whether an aggregation can work on a field.
func fits(operation, kind string) bool {
	switch operation {
	case "terms", "cardinality", "missing":
		return slices.Contains([]string{"keyword", "ip", "long", "boolean"}, kind)
	case "avg", "sum", "percentiles":
		return kind == "long" || kind == "double"
	case "min", "max":
		return kind == "long" || kind == "double" || kind == "date_nanos"
	case "date_histogram":
		return kind == "date_nanos"
	}
	return false
}

// names finds the fields of a query in Lucene's syntax.
func names(query string) (fields []string) {
	quoted := false
	word := ""
	for _, r := range query + " " {
		switch {
		case r == '"':
			quoted = !quoted
			word = ""
		case quoted:
		case r == ':':
			if word != "_exists_" {
				fields = append(fields, word)
			}
			if word == "_exists_" {
				word = "\x00"
				continue
			}
			word = ""
		case r == '_' || r == '.' || r == '@' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z':
			word += string(r)
		default:
			if field, ok := strings.CutPrefix(word, "\x00"); ok {
				fields = append(fields, field)
			}
			word = ""
		}
	}
	return fields
}

// isKnown fails the test for a field that no record has, or not of a type that fits.
func isKnown(t *testing.T, operation, field string) {
	t.Helper()
	kind := mapping(field)
	if kind == "" {
		t.Errorf("%s is no field", field)
	} else if operation != "" && !fits(operation, kind) {
		t.Errorf("%s is %s: no field for %s", field, kind, operation)
	}
}

// full tells whether an aggregation found something in each of its parts.
func full(agg map[string]any) error {
	if values, ok := agg["values"]; ok { // percentiles
		for p, v := range values.(map[string]any) {
			if v == nil {
				return fmt.Errorf("percentile %s has no value", p)
			}
		}
		return nil
	}
	if value, ok := agg["value"]; ok {
		if value == nil || value == 0.0 {
			return fmt.Errorf("the value is %v", value)
		}
		return nil
	}
	switch buckets := agg["buckets"].(type) {
	case map[string]any: // filters
		for name, b := range buckets {
			if b.(map[string]any)["doc_count"] == 0.0 && name != "longer" { // no call of the laboratory lasts six seconds
				return fmt.Errorf("nothing is %q", name)
			}
		}
		return nil
	case []any:
		if len(buckets) == 0 {
			return fmt.Errorf("no bucket")
		}
		for _, b := range buckets {
			for _, inner := range b.(map[string]any) {
				if m, ok := inner.(map[string]any); ok && full(m) == nil {
					return nil
				}
			}
		}
		for _, inner := range buckets[0].(map[string]any) {
			if m, ok := inner.(map[string]any); ok {
				return full(m)
			}
		}
		return nil
	}
	return fmt.Errorf("not understood: %v", agg)
}
