package system

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// cluster answers as much of Elasticsearch's interface as an output needs.
type cluster struct {
	*httptest.Server

	mu       sync.Mutex
	refuse   string            // an action whose events the mapping refuses
	docs     map[string]string // by _id
	repeated int
	template string
}

func newCluster(t *testing.T) *cluster {
	c := &cluster{docs: map[string]string{}}
	c.Server = httptest.NewServer(http.HandlerFunc(c.serve))
	t.Cleanup(c.Close)
	return c
}

func (c *cluster) serve(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w.Header().Set("X-Elastic-Product", "Elasticsearch")
	w.Header().Set("Content-Type", "application/json")
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			panic(err)
		}
		body = unzipped
	}
	switch {
	case r.URL.Path == "/_bulk":
		c.bulk(w, body)
	case r.Method == http.MethodPut && strings.HasPrefix(r.URL.Path, "/_index_template/"):
		text, err := io.ReadAll(body)
		if err != nil {
			panic(err)
		}
		c.template = string(text)
		fmt.Fprint(w, `{"acknowledged":true}`)
	case r.Method == http.MethodPut:
		fmt.Fprint(w, `{"acknowledged":true}`)
	case r.URL.Path == "/":
		fmt.Fprint(w, `{"name":"x","cluster_name":"x","cluster_uuid":"u","version":{"number":"8.6.2","build_flavor":"default"},"tagline":"You Know, for Search"}`)
	case r.URL.Path == "/_license":
		fmt.Fprint(w, `{"license":{"uid":"u","type":"basic","status":"active"}}`)
	default:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{}`)
	}
}

func (c *cluster) bulk(w http.ResponseWriter, body io.Reader) {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<20)
	var items []string
	for lines.Scan() {
		if lines.Text() == "" {
			continue
		}
		var action map[string]struct {
			ID    string `json:"_id"`
			Index string `json:"_index"`
		}
		if err := json.Unmarshal(lines.Bytes(), &action); err != nil {
			panic(err)
		}
		create, ok := action["create"]
		if !ok {
			panic("no create: " + lines.Text())
		}
		lines.Scan()
		status, reason := 201, ""
		switch _, known := c.docs[create.ID]; {
		case known:
			status, reason = 409, "version_conflict_engine_exception"
			c.repeated++
		case c.refuse != "" && strings.Contains(lines.Text(), c.refuse):
			status, reason = 400, "mapper_parsing_exception"
		default:
			c.docs[create.ID] = lines.Text()
		}
		item := fmt.Sprintf(`{"create":{"_index":%q,"_id":%q,"status":%d`, create.Index, create.ID, status)
		if reason != "" {
			item += fmt.Sprintf(`,"error":{"type":%q,"reason":"x"}`, reason)
		}
		items = append(items, item+"}}")
	}
	fmt.Fprintf(w, `{"errors":true,"items":[%s]}`, strings.Join(items, ","))
}

func (c *cluster) records(t *testing.T) []record {
	c.mu.Lock()
	defer c.mu.Unlock()
	var text strings.Builder
	for id, doc := range c.docs {
		if !strings.Contains(doc, `"id":"`+id+`"`) {
			t.Errorf("_id %s of %s", id, doc)
		}
		text.WriteString(doc + "\n")
	}
	return records(t, []byte(text.String()))
}

// Every event is created under its id, so that a file that is read twice is in the
// index once.
func TestElasticsearch(t *testing.T) {
	c := newCluster(t)
	to := []string{"-E", "output.elasticsearch.hosts=" + c.URL}
	run(t, join(reading(all...), to)...).ok()
	want := sent(t, all...)
	same(t, c.records(t), want)
	if !strings.Contains(c.template, `"hangup_by"`) || !strings.Contains(c.template, `"date_nanos"`) {
		t.Errorf("the index template: %.300s", c.template)
	}
	run(t, join(reading(all...), to)...).ok()
	same(t, c.records(t), want)
	if c.repeated != len(want) {
		t.Errorf("%d of %d were refused as repeated", c.repeated, len(want))
	}
}

// What the index refuses for good is lost, and said.
func TestElasticsearchRefuses(t *testing.T) {
	c := newCluster(t)
	c.refuse = `"action":"call-end"`
	p := run(t, join(reading(all[1]), []string{"-E", "output.elasticsearch.hosts=" + c.URL})...)
	p.said("40 events lost: the output could not take them")
	if n := byType(c.records(t)); n["call-start"] != 40 {
		t.Errorf("%v", n)
	}
}

func TestElasticsearchIndexByField(t *testing.T) {
	c := newCluster(t)
	run(t, join(reading(all[1]), []string{"-E", "output.elasticsearch.hosts=" + c.URL,
		"-E", "output.elasticsearch.index=sip-%{[event.dataset]}", "-E", "setup.template.name=sip", "-E", "setup.template.pattern=sip-*"})...).ok()
	same(t, c.records(t), sent(t, all[1]))
}
