package delivery

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/tests/stores"
)

// output is where events go to, by a gate that can be made slow.
type output struct {
	name   string
	once   bool // it stores under an id: what is sent twice is there once
	config func(name string) string
	found  func(t testing.TB, name string) []string
	gate   *stores.Gate
	kill   func(testing.TB)
	start  func(testing.TB)
}

// Batches are small, so that a trouble in the middle meets several; what goes over
// the wire is not compressed, so that the gate's bytes are events. A server is looked
// for again after a second at most.
const (
	batch = "bulk_max_size: 200"
	again = "backoff: {init: 200ms, max: 1s}"
)

func elasticsearchOutput(t testing.TB) output {
	s := stores.Elasticsearch(t, stores.Options{})
	gate := stores.NewGate(t, s.Addr)
	return output{
		name: "Elasticsearch", once: true, gate: gate, kill: s.Kill, start: s.Start,
		config: func(name string) string { return elasticsearchConfig("http://"+gate.Addr, name) },
		found:  func(t testing.TB, name string) []string { return documents(t, s, name) },
	}
}

// elasticsearchConfig sends to a data stream of its own.
func elasticsearchConfig(url, name string, more ...string) string {
	return fmt.Sprintf("output.elasticsearch: {hosts: [%q], index: %s, compression_level: 0, %s, %s%s}\n"+
		"setup.template: {name: %s, pattern: %s}\n", url, name, batch, again, strings.Join(append([]string{""}, more...), ", "), name, name)
}

// documents are the ids in an index, which are those of the events too.
func documents(t testing.TB, s *stores.Server, index string) (ids []string) {
	t.Helper()
	for _, h := range s.All(t, index) {
		e, _ := h.Source["event"].(map[string]any)
		if e["id"] != h.ID {
			t.Fatalf("_id is %s, event.id %v", h.ID, e["id"])
		}
		ids = append(ids, h.ID)
	}
	return ids
}

func openSearchOutput(t testing.TB) output {
	s := stores.OpenSearch(t)
	gate := stores.NewGate(t, s.Addr)
	behind := *s
	behind.URL = "http://" + gate.Addr
	p := stores.NewProxy(t, &behind)
	p.PosesAs = "8.6.2"
	return output{
		name: "OpenSearch", once: true, gate: gate, kill: s.Kill, start: s.Start,
		config: func(name string) string { return elasticsearchConfig(p.URL, name) },
		found:  func(t testing.TB, name string) []string { return documents(t, s, name) },
	}
}

func logstashOutput(t testing.TB) output {
	s := stores.Lumberjack(t, false)
	gate := stores.NewGate(t, s.Addr)
	from := 0
	return output{
		name: "Logstash", gate: gate, kill: s.Kill, start: s.Start,
		config: func(string) string {
			from = len(s.Events())
			return fmt.Sprintf("output.logstash: {hosts: [%q], compression_level: 0, timeout: 5s, %s, %s}\n", gate.Addr, batch, again)
		},
		found: func(t testing.TB, _ string) []string { return idsOf(t, s.Events()[from:]) },
	}
}

func kafkaOutput(t testing.TB) output {
	s := stores.Kafka(t)
	return output{
		name: "Kafka", gate: s.Gate, kill: s.Kill, start: s.Start,
		config: func(name string) string {
			return fmt.Sprintf("output.kafka: {hosts: [%q], topic: %s, compression: none, %s, %s}\n", s.Gate.Addr, name, batch, again)
		},
		found: func(t testing.TB, name string) []string { return idsOf(t, s.Topic(t, name)) },
	}
}

func redisOutput(t testing.TB) output {
	s := stores.Redis(t)
	gate := stores.NewGate(t, s.Addr)
	return output{
		name: "Redis", gate: gate, kill: s.Kill, start: s.Start,
		config: func(name string) string {
			return fmt.Sprintf("output.redis: {hosts: [%q], key: %s, password: %s, %s, %s}\n", gate.Addr, name, s.Password, batch, again)
		},
		found: func(t testing.TB, name string) []string { return idsOf(t, s.List(t, name)) },
	}
}
