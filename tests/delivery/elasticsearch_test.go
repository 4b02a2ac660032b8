package delivery

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/tests/stores"
)

// through sends a capture by a proxy and fails unless each event is found once.
func through(t *testing.T, name, what string, bulk func(p *stores.Proxy, n int, w http.ResponseWriter, r *http.Request, body []byte) bool) *beat {
	t.Helper()
	s := stores.Elasticsearch(t, stores.Options{})
	p := stores.NewProxy(t, s)
	p.Bulk = bulk
	file := capture(t, calls)
	b := begin(t, t.TempDir(), reading(file)+elasticsearchConfig(p.URL, name))
	b.exits(0)
	eachOnce(t, s, name, what, expected(t, file))
	return b
}

func eachOnce(t *testing.T, s *stores.Server, name, what string, want map[string]bool) {
	t.Helper()
	found, again := distinct(t, documents(t, s, name), want)
	if found != len(want) || again > 0 {
		t.Errorf("%d of %d were found, %d more than once", found, len(want), again)
	}
	special.note(what, "found", fmt.Sprintf("%d of %d, each once", found, len(want)))
}

// A server that has too much to do refuses whole batches, and then half of each.
func TestTooManyRequests(t *testing.T) {
	b := through(t, "delivery-429", "the server answers 429 to whole batches, and to half of the documents of others",
		func(p *stores.Proxy, n int, w http.ResponseWriter, r *http.Request, body []byte) bool {
			switch {
			case n < 2:
				stores.TooMany(w)
			case n < 5:
				p.Halve(w, r, body)
			default:
				return false
			}
			return true
		})
	b.says("429 Too Many Requests")
}

// What was stored, and the answer lost, is sent again and stored once.
func TestAnswerLost(t *testing.T) {
	b := through(t, "delivery-answer", "the server stores a batch, and the connection breaks before it answers",
		func(p *stores.Proxy, n int, _ http.ResponseWriter, r *http.Request, body []byte) bool {
			if n == 1 || n == 4 {
				p.LoseAnswer(r, body)
			}
			return false
		})
	b.says(fmt.Sprintf("delivered: %d events; ", sent), "of them had been there before and are stored once")
}

// A capture that is read twice is in the index once, and the last line says so.
func TestSentTwice(t *testing.T) {
	s := stores.Elasticsearch(t, stores.Options{})
	const name = "delivery-twice"
	file := capture(t, calls)
	for run := range 2 {
		b := begin(t, t.TempDir(), reading(file)+elasticsearchConfig(s.URL, name))
		b.exits(0)
		line := fmt.Sprintf("delivered: %d events", sent)
		if run == 1 {
			line = fmt.Sprintf("delivered: %d events; %d of them had been there before and are stored once", sent, sent)
		}
		b.says(line + "\n")
	}
	eachOnce(t, s, name, "the same capture is sent twice", expected(t, file))
}

// An _id is unique within one backing index: what is sent before and after a rollover
// is stored in both.
func TestRollover(t *testing.T) {
	s := stores.Elasticsearch(t, stores.Options{})
	const name = "delivery-rollover"
	file := capture(t, 50)
	want := expected(t, file)
	for run := range 2 {
		begin(t, t.TempDir(), reading(file)+elasticsearchConfig(s.URL, name)).exits(0)
		if run == 0 {
			s.Do(t, "POST", "/"+name+"/_rollover", "", nil)
		}
	}
	indices := map[string]int{}
	for _, h := range s.All(t, name) {
		indices[h.Index]++
	}
	found, again := distinct(t, documents(t, s, name), want)
	if found != len(want) || again != len(want) || len(indices) != 2 {
		t.Errorf("%d of %d were found, %d again, in %v", found, len(want), again, indices)
	}
	var collapsed struct {
		Hits struct{ Hits []stores.Hit }
	}
	s.Do(t, "POST", "/"+name+"/_search", `{"size": 1000, "collapse": {"field": "event.id"}}`, &collapsed)
	if n := len(collapsed.Hits.Hits); n != len(want) {
		t.Errorf("%d hits collapsed by event.id, want %d", n, len(want))
	}
	special.note("the same capture is sent before and after a rollover of the data stream", "found",
		fmt.Sprintf("%d of %d, each in both backing indices", found, len(want)))
}

// refusing makes an index that refuses what one call says of its user agent.
func refusing(t *testing.T, s *stores.Server, name string) (file string, refused map[string]bool) {
	t.Helper()
	s.Do(t, "PUT", "/"+name, `{"mappings":{"properties":{"user_agent":{"properties":{"original":{"type":"long"}}}}}}`, nil)
	odd := map[int]string{7: "User-Agent: no number\r\n"}
	file = captureWith(t, calls, odd)
	refused = map[string]bool{}
	for id, text := range events(t, file) {
		if strings.Contains(text, "no number") {
			refused[id] = true
		}
	}
	if len(refused) == 0 {
		t.Fatal("no event has the user agent")
	}
	return file, refused
}

// A document that the index refuses is counted and kept in a file; the rest of its
// batch arrives.
func TestRefused(t *testing.T) {
	s := stores.Elasticsearch(t, stores.Options{})
	const name = "delivery-refused"
	file, refused := refusing(t, s, name)
	b := begin(t, t.TempDir(), reading(file)+elasticsearchConfig(s.URL, name)+"setup.template.enabled: false\n")
	b.exits(1)
	line := fmt.Sprintf("%d events lost: the output could not take them", len(refused))
	if got := b.stderr.String(); !strings.Contains(got, line) {
		t.Errorf("it says %q, want %q", got, line)
	}
	found, again := distinct(t, documents(t, s, name), expected(t, file))
	if found != sent-len(refused) || again > 0 {
		t.Errorf("%d were found, %d more than once; want %d", found, again, sent-len(refused))
	}
	kept, err := filepath.Glob(filepath.Join(b.home, "logs", "sipcmbeat-events-data-*.ndjson"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("event logs: %v %v", kept, err)
	}
	text, err := os.ReadFile(kept[0])
	if err != nil {
		t.Fatal(err)
	}
	for id := range refused {
		if !strings.Contains(string(text), id) {
			t.Errorf("%s is not in the event log", id)
		}
	}
	special.note("the index refuses one call's documents for their mapping", "found",
		fmt.Sprintf("%d of %d; %d in the event log, exit status 1", found, sent, len(refused)))
}

// With a dead letter index what is refused goes there.
func TestDeadLetterIndex(t *testing.T) {
	s := stores.Elasticsearch(t, stores.Options{})
	const name = "delivery-kept"
	file, refused := refusing(t, s, name)
	b := begin(t, t.TempDir(), reading(file)+elasticsearchConfig(s.URL, name, "non_indexable_policy.dead_letter_index: {index: delivery-dead}")+
		"setup.template.enabled: false\n")
	b.exits(0)
	b.says(fmt.Sprintf("%d of them went to the dead letter index", len(refused)))
	found, again := distinct(t, documents(t, s, name), expected(t, file))
	if found != sent-len(refused) || again > 0 {
		t.Errorf("%d were found, %d more than once; want %d", found, again, sent-len(refused))
	}
	dead := s.All(t, "delivery-dead")
	for _, h := range dead {
		text, err := json.Marshal(h.Source)
		if err != nil {
			t.Fatal(err)
		}
		if !refused[h.ID] || !strings.Contains(string(text), "no number") {
			t.Errorf("in the dead letter index: %s %s", h.ID, text)
		}
	}
	if len(dead) != len(refused) {
		t.Errorf("%d in the dead letter index, want %d", len(dead), len(refused))
	}
	special.note("the same with `non_indexable_policy.dead_letter_index`", "found",
		fmt.Sprintf("%d of %d, and %d in that index", found, sent, len(dead)))
}

// Every request has the API key.
func TestAPIKey(t *testing.T) {
	s := stores.Elasticsearch(t, stores.Options{})
	p := stores.NewProxy(t, s)
	const name, key = "delivery-key", "an-id:a-secret"
	file := capture(t, 50)
	begin(t, t.TempDir(), reading(file)+elasticsearchConfig(p.URL, name, fmt.Sprintf("api_key: %q", key))).exits(0)
	want := "ApiKey " + base64.StdEncoding.EncodeToString([]byte(key))
	asked := p.Headers()
	for _, h := range asked {
		if got := h.Get("Authorization"); got != want {
			t.Errorf("Authorization: %q, want %q", got, want)
		}
	}
	found, _ := distinct(t, documents(t, s, name), expected(t, file))
	if found != 100 || len(asked) < 3 {
		t.Errorf("%d found by %d requests", found, len(asked))
	}
	special.note("an API key (`api_key`), looked at by a proxy", "found", fmt.Sprintf("%d of %d, the key in every request", found, 100))
}
