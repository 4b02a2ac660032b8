package dashboards

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/tests/stores"
)

// recipe is a query of docs/cookbook.md and the heading above it.
type recipe struct {
	heading, method, path string
	body                  map[string]any
}

var block = regexp.MustCompile("(?ms)^### (.*?)$(.*?)^```console\n(\\S+) (\\S+)\n(.*?)^```$")

func cookbook(t *testing.T) (all []recipe) {
	t.Helper()
	text, err := os.ReadFile(root + "docs/cookbook.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range block.FindAllStringSubmatch(string(text), -1) {
		r := recipe{heading: m[1], method: m[3], path: m[4]}
		if err := json.Unmarshal([]byte(m[5]), &r.body); err != nil {
			t.Errorf("%s: %v", r.heading, err)
		}
		if strings.Contains(m[2], "\n### ") {
			t.Errorf("%s has no query", r.heading)
		}
		all = append(all, r)
	}
	if n := strings.Count(string(text), "```console"); n != len(all) {
		t.Errorf("%d queries, of which %d are understood", n, len(all))
	}
	return all
}

// asked is one recipe put to the server.
type asked struct {
	*testing.T
	*lab
	recipe
}

// ask puts the query to all of the laboratory, or to some scenarios of it.
func (q *asked) ask(only ...string) answer {
	q.Helper()
	var paths []string
	for _, name := range only {
		paths = append(paths, q.named(q.T, name).path)
	}
	return q.search(q.T, everything, q.body, paths, nil)
}

// bucket is what a list of buckets has under a key.
func bucket(agg any, key any) map[string]any {
	for _, b := range agg.(map[string]any)["buckets"].([]any) {
		if m := b.(map[string]any); fmt.Sprint(m["key"]) == fmt.Sprint(key) {
			return m
		}
	}
	return map[string]any{"doc_count": 0.0}
}

func count(b any) int { return int(b.(map[string]any)["doc_count"].(float64)) }

// sum adds up the buckets of an aggregation, or one filter within each.
func sum(agg any, within ...string) (n int) {
	for _, b := range agg.(map[string]any)["buckets"].([]any) {
		if len(within) > 0 {
			b = b.(map[string]any)[within[0]]
		}
		n += count(b)
	}
	return n
}

func (q *asked) equal(what string, got, want int) {
	q.Helper()
	if got != want || want == 0 {
		q.Errorf("%s: %d, want %d", what, got, want)
	}
}

// checks says of each recipe what the answer has to be: from the truth of the
// laboratory where it knows, else from the records counted one by one.
var checks = map[string]func(*asked){
	"What happened, and how much of it": func(q *asked) {
		for _, action := range []string{"call-start", "call-end", "reg-new", "reg-del", "reg-expired", "auth-failed"} {
			n, unknown := q.want(action)
			types := q.search(q.T, everything, q.body, nil, unknown).Aggregations["types"]
			q.equal(action, count(bucket(types, action)), n)
		}
	},
	"Calls of a number": func(q *asked) {
		want := 0
		for _, s := range q.scenarios {
			for _, d := range s.Dialogs {
				if d.From == "u1302" || d.To == "u1302" {
					want++
				}
			}
		}
		q.equal("calls", q.ask().Hits.Total.Value, want)
	},
	"Everything about one call": func(q *asked) { q.startAndEnd() },
	"Both legs of a call":       func(q *asked) { q.startAndEnd() },
	"Failed calls by trunk and code": func(q *asked) {
		want := map[int]int{}
		for _, d := range q.named(q.T, "05-failed-a").Dialogs {
			if d.BYEBy == "" {
				want[d.Code]++
			}
		}
		trunk := bucket(q.ask("05-failed-a").Aggregations["trunk"], "127.0.0.1")
		for code, n := range want {
			q.equal(fmt.Sprint(code), count(bucket(trunk["code"], code)), n)
		}
		q.equal("all", sum(trunk["code"]), 32)
		none := 0
		for _, b := range q.ask().Aggregations["trunk"].(map[string]any)["buckets"].([]any) {
			none += count(b.(map[string]any)["no answer at all"])
		}
		q.equal("calls without an answer", none, q.found(everything, func(h stores.Hit) bool {
			return is(h, "event.action", "call-attempt") && !has(h.Source, "sip.code")
		}))
	},
	"ASR and NER by hour": func(q *asked) {
		scenario := q.named(q.T, "05-failed-a")
		hours := q.ask(scenario.Name).Aggregations["hour"]
		answered, failed, delivered := 0, 0, 0
		for _, d := range scenario.Dialogs {
			switch {
			case d.BYEBy != "":
				answered++
				delivered++
			case d.Code == 302:
			default:
				failed++
				if d.Code == 486 || d.Code == 487 || d.Code == 603 {
					delivered++
				}
			}
		}
		q.equal("answered", sum(hours, "answered"), answered)
		q.equal("failed", sum(hours, "failed"), failed)
		q.equal("delivered", sum(hours, "delivered"), delivered)
	},
	"Longest calls": func(q *asked) {
		longest := 0.0
		for _, h := range q.records(q.T, everything) {
			if v, ok := at(h.Source, "sip.call.duration_ms").(float64); ok {
				longest = max(longest, v)
			}
		}
		before := longest
		for i, h := range q.ask().Hits.Hits {
			v := at(h.Source, "sip.call.duration_ms").(float64)
			if v > before || i == 0 && v != longest {
				q.Errorf("number %d lasted %v ms; the longest %v", i+1, v, longest)
			}
			before = v
		}
	},
	"Who hung up": func(q *asked) {
		want := map[string]int{}
		for _, d := range q.named(q.T, "04-calls-a").Dialogs {
			want[d.BYEBy]++
		}
		for side, n := range want {
			q.equal(side, count(bucket(q.ask("04-calls-a").Aggregations["side"], side)), n)
		}
	},
	"Post-dial delay": func(q *asked) {
		a := q.ask()
		last := 0.0
		for _, p := range []string{"50.0", "95.0", "99.0"} {
			v, ok := a.Aggregations["all"].(map[string]any)["values"].(map[string]any)[p].(float64)
			if !ok || v < last || v == 0 {
				q.Errorf("the %sth is %v ms after %v ms", p, v, last)
			}
			last = v
		}
		n, unknown := q.want("call-start")
		if len(unknown) > 0 || sum(a.Aggregations["server"]) < n {
			q.Errorf("%d calls have a server, want %d or more", sum(a.Aggregations["server"]), n)
		}
	},
	"Calls that are still up": func(q *asked) {
		// None is in whole captures.
		up := func(streams string) (n int) {
			a := q.search(q.T, streams, q.body, nil, nil)
			sawEnd := false
			for _, b := range a.Aggregations["call"].(map[string]any)["buckets"].([]any) {
				ended := count(b.(map[string]any)["ended"])
				if ended == 0 {
					n++
				}
				if sawEnd && ended == 0 {
					q.Error("a call that is up comes after one that is not")
				}
				sawEnd = sawEnd || ended > 0
			}
			return n
		}
		if n := up(everything); n != 0 {
			q.Errorf("%d calls are up in the captures, of which all have ended", n)
		}
		started := q.found(cut, func(h stores.Hit) bool { return is(h, "event.action", "call-start") })
		ended := q.found(cut, func(h stores.Hit) bool { return is(h, "event.action", "call-end") })
		q.equal("calls up in half a capture", up(cut), started-ended)
	},
	"Registrations lost by hour": func(q *asked) {
		n, _ := q.want("reg-expired")
		q.equal("lost", sum(q.ask().Aggregations["hour"]), n)
	},
	"What became of a user": func(q *asked) {
		var want []string
		for _, what := range q.named(q.T, "01-reg-a").Registrations["u1000"] {
			if name := map[string]string{"new": "reg-new", "del": "reg-del"}[what]; name != "" {
				want = append(want, name) // a refresh is no event
			}
		}
		q.actions(q.ask(), want)
	},
	"Wrong passwords by source": func(q *asked) {
		n, _ := q.want("auth-failed")
		q.equal("wrong passwords", sum(q.ask().Aggregations["source"]), n)
		q.equal("those of one scenario", count(bucket(q.ask("03-authfail-a").Aggregations["source"], "127.0.0.2")),
			q.named(q.T, "03-authfail-a").Expected["auth-failed"])
	},
	"Scanners": func(q *asked) {
		scan := q.ask("14-svmap-a").Aggregations["source"]
		q.equal("answered and not", sum(scan), q.found(everything, func(h stores.Hit) bool {
			return is(h, "sip.pcap.path", q.named(q.T, "14-svmap-a").path) && is(h, "user_agent.original", "friendly-scanner")
		}))
		with := bucket(scan, "127.0.0.66")["with"]
		q.equal("answered", count(bucket(with, "other-ok")), q.named(q.T, "14-svmap-a").Expected["other-ok"])
		q.equal("refused", count(bucket(with, "other-failed")), q.named(q.T, "14-svmap-a").Expected["other-failed"])
	},
	"Sources that try many numbers": func(q *asked) {
		tried := map[string]bool{}
		for _, d := range q.named(q.T, "14-svwar-inv-a").Dialogs {
			if d.Code == 404 {
				tried[d.To] = true
			}
		}
		sources := q.ask("14-svwar-inv-a").Aggregations["source"].(map[string]any)["buckets"].([]any)
		first := sources[0].(map[string]any)["numbers"].(map[string]any)["value"].(float64)
		q.equal("numbers", int(first), len(tried))
	},
	"Incomplete records": func(q *asked) {
		a := q.ask()
		q.equal("records", a.Hits.Total.Value, q.found(everything, func(h stores.Hit) bool { return has(h.Source, "sip.incomplete") }))
		q.equal("history", count(bucket(a.Aggregations["missing"], "history")),
			q.found(everything, func(h stores.Hit) bool { return is(h, "sip.incomplete", "history") }))
	},
	"Anomalies by kind": func(q *asked) {
		kinds := q.ask().Aggregations["kind"]
		for _, kind := range []string{"no-rport", "from-tag-changed", "lf-only"} {
			q.equal(kind, count(bucket(kinds, kind)),
				q.found(everything, func(h stores.Hit) bool { return is(h, "sip.anomalies", kind) }))
		}
	},
	"One event from two probes": func(q *asked) {
		hits := q.search(q.T, everything+","+second, q.body, nil, nil).Hits.Hits
		q.equal("events", len(hits), 2)
		for _, h := range hits {
			var probes []string
			for _, p := range h.Inner["probes"].Hits.Hits {
				probes = append(probes, fmt.Sprint(at(p.Source, "agent.name")))
			}
			slices.Sort(probes)
			if !slices.Equal(probes, []string{"probe-1", "probe-2"}) {
				q.Errorf("%v was seen by %v", at(h.Source, "event.action"), probes)
			}
		}
	},
	"What two probes have both seen": func(q *asked) {
		a := q.search(q.T, everything+","+second, q.body, nil, nil)
		n, _ := q.want("call-end")
		if got := a.Aggregations["events"].(map[string]any)["value"].(float64); got < float64(n)*0.99 || got > float64(n)*1.01 { // an estimate
			q.Errorf("%v events, want %d", got, n)
		}
		q.equal("events of both", len(a.Aggregations["twice"].(map[string]any)["buckets"].([]any)),
			q.named(q.T, "04-calls-a").Expected["call-end"])
	},
}

// startAndEnd: one call is one start and one end, whatever it passed.
func (q *asked) startAndEnd() { q.actions(q.ask(), []string{"call-start", "call-end"}) }

func (q *asked) actions(a answer, want []string) {
	q.Helper()
	var got []string
	for _, h := range a.Hits.Hits {
		got = append(got, fmt.Sprint(at(h.Source, "event.action")))
	}
	if !slices.Equal(got, want) {
		q.Errorf("found %v, want %v", got, want)
	}
}

// found counts records one by one.
func (q *asked) found(stream string, is func(stores.Hit) bool) (n int) {
	q.Helper()
	for _, h := range q.records(q.T, stream) {
		if is(h) {
			n++
		}
	}
	return n
}

// at is what a document has in a field.
func at(doc map[string]any, field string) any {
	name, rest, deeper := strings.Cut(field, ".")
	if v, ok := doc[name].(map[string]any); ok && deeper {
		return at(v, rest)
	}
	return doc[name]
}

// is tells whether a field of a record is a value, or has it among others.
func is(h stores.Hit, field, value string) bool {
	switch v := at(h.Source, field).(type) {
	case string:
		return v == value
	case []any:
		return slices.Contains(v, any(value))
	}
	return false
}

// Each query of the document runs and says what is true.
func TestCookbook(t *testing.T) {
	l := laboratory(t)
	left := maps.Clone(checks)
	for _, r := range cookbook(t) {
		check := checks[r.heading]
		if check == nil {
			t.Errorf("nothing checks %q", r.heading)
			continue
		}
		delete(left, r.heading)
		t.Run(r.heading, func(t *testing.T) {
			if want := "sipcmbeat-*/_search"; r.method != "POST" || r.path != want {
				t.Errorf("%s %s, want %s", r.method, r.path, want)
			}
			walk(t, "", r.body)
			check(&asked{t, l, r})
		})
	}
	for heading := range left {
		t.Errorf("the document has no %q", heading)
	}
}

// The way to send a query that the document shows is one.
func TestCookbookCurl(t *testing.T) {
	l := laboratory(t)
	tool(t, "curl")
	text, err := os.ReadFile(root + "docs/cookbook.md")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile("(?m)^curl .*$").FindString(string(text))
	dir := t.TempDir()
	for _, r := range cookbook(t) {
		if r.heading != "Who hung up" {
			continue
		}
		body, err := json.Marshal(r.body)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir+"/query.json", body, 0o600); err != nil {
			t.Fatal(err)
		}
		c := exec.Command("sh", "-c", strings.ReplaceAll(line, "http://localhost:9200", l.URL))
		c.Dir = dir
		out, err := c.Output()
		var a answer
		if err == nil {
			err = json.Unmarshal(out, &a)
		}
		if err != nil || a.Aggregations["side"] == nil {
			t.Errorf("%s: %v: %s", line, err, out)
		}
		return
	}
	t.Error("no query to send")
}

// walk looks at every field that a query names.
func walk(t *testing.T, key string, v any) {
	t.Helper()
	switch v := v.(type) {
	case []any:
		for _, inner := range v {
			if name, ok := inner.(string); ok && key == "_source" {
				field(t, "", name)
			}
			walk(t, key, inner)
		}
	case map[string]any:
		for name, inner := range v {
			switch key {
			case "term", "terms", "range":
				if _, agg := v["field"]; !agg {
					field(t, "", name)
				}
			case "sort":
				field(t, "", name)
			}
			if name == "field" {
				operation := key
				if key == "exists" || key == "collapse" {
					operation = ""
				}
				field(t, operation, inner.(string))
				continue
			}
			walk(t, name, inner)
		}
	}
}

func field(t *testing.T, operation, name string) {
	t.Helper()
	if name != "agent.name" { // libbeat's
		isKnown(t, operation, name)
	}
}
