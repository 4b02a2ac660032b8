package index

import (
	"maps"
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
