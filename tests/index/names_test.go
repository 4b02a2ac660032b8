package index

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/tests/stores"
)

// The older names have a template of their own, with the older types.
func TestLegacy(t *testing.T) {
	s := stores.Elasticsearch(t, stores.Options{})
	run(t, nil, append(append(reading("../captures/0*.pcap"), to(s, "legacy-sip")...), "schema=legacy")...)
	want := map[string]string{}
	for _, o := range event.Older {
		want[o.Key] = o.Mapping
	}
	maps.Copy(want, event.OlderTypes)
	for index, types := range mappings(t, s, "legacy-sip") {
		for key, mapping := range want {
			if strings.HasSuffix(key, "*") {
				continue
			}
			if types[key] != mapping {
				t.Errorf("%s: %s is %q, want %q", index, key, types[key], mapping)
			}
		}
		for _, key := range []string{"event.action", "url.original", "sip.call.hangup_by"} {
			if types[key] != "" {
				t.Errorf("%s: %s is there too", index, key)
			}
		}
	}
	s.Do(t, "POST", "/legacy-sip/_refresh", "", nil)
	for query, n := range map[string]int{
		`{"term":{"type":"call-end"}}`: 44,
		`{"bool":{"filter":[{"term":{"type":"call-end"}},{"terms":{"sip.originator":["caller-terminated","callee-terminated"]}},{"exists":{"field":"event.duration"}}]}}`: 44,
		`{"bool":{"filter":[{"prefix":{"sip.from":"sip:"}},{"term":{"type":"call-start"}},{"term":{"client.ip":"127.0.0.2"}}]}}`:                                          44,
		`{"exists":{"field":"event.action"}}`: 0,
	} {
		var found struct{ Count int }
		s.Do(t, "POST", "/legacy-sip/_count", `{"query":`+query+`}`, &found)
		if found.Count != n {
			t.Errorf("%s finds %d, want %d", query, found.Count, n)
		}
	}
}

// What the documents say of other names works on a server that has been set up as they
// say before: it refuses a template whose pattern matches what another one matches.
func TestTemplatesBesideEachOther(t *testing.T) {
	s := stores.Elasticsearch(t, stores.Options{})
	host := `output.elasticsearch.hosts=["` + s.URL + `"]`
	run(t, []string{"setup"}, host)
	short := regexp.MustCompile(`(?m)^output\.elasticsearch\.index: "(.+)"\nsetup\.template: \{name: (\S+), pattern: "(\S+)"\}$`)
	long := regexp.MustCompile(`(?m)^ +output\.elasticsearch\.index: (\S+)\n +setup\.template\.name: (\S+)\n +setup\.template\.pattern: (\S+)$`)
	found := 0
	for file, shape := range map[string]*regexp.Regexp{"elasticsearch.md": short, "upgrade.md": long} {
		text, err := os.ReadFile("../../docs/" + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range shape.FindAllStringSubmatch(string(text), -1) {
			found++
			run(t, []string{"setup"}, host, "output.elasticsearch.index="+m[1], "setup.template.name="+m[2], "setup.template.pattern="+m[3])
		}
	}
	if found != 3 {
		t.Errorf("%d such names in the documents, want 3", found)
	}
}

// Messages go beside the events, and elsewhere where docs/messages.md says how.
func TestMessages(t *testing.T) {
	s := stores.Elasticsearch(t, stores.Options{})
	run(t, nil, append(append(reading(capture), to(s, "messages-sip")...), "messages.enabled=true")...)
	for index, types := range mappings(t, s, "messages-sip") {
		asDeclared(t, index, types)
	}
	n := counts(t, s, "messages-sip")
	if n["call-end"] != 40 || n["sip-invite"] == 0 || n["sip-bye"] == 0 {
		t.Errorf("found %v", n)
	}

	// As Elastic's package network_traffic has it.
	s.Do(t, "PUT", "/_index_template/network_traffic", `{"index_patterns":["logs-network_traffic.sip-*"],"data_stream":{},"priority":200}`, nil)
	run(t, nil, append(append(reading(capture), to(s, "apart-sip")...), "messages.enabled=true",
		`output.elasticsearch.indices=[{index: logs-network_traffic.sip-default, when.equals.event.dataset: sip}]`)...)
	var events, messages struct{ Count int }
	s.Do(t, "POST", "/apart-sip,logs-network_traffic.sip-default/_refresh", "", nil)
	s.Do(t, "POST", "/apart-sip/_count", "", &events)
	s.Do(t, "POST", "/logs-network_traffic.sip-default/_count", `{"query":{"term":{"event.dataset.keyword":"sip"}}}`, &messages)
	sum := 0
	for action, m := range n {
		if strings.HasPrefix(action, "sip-") {
			sum += m
		}
	}
	if events.Count != 80 || messages.Count != sum || sum == 0 {
		t.Errorf("%d events and %d messages, want 80 and %d", events.Count, messages.Count, sum)
	}
	if keys := slices.Sorted(maps.Keys(n)); len(keys) < 5 {
		t.Errorf("actions: %v", keys)
	}
}
