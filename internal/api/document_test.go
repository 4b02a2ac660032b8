package api

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

type spec struct {
	Paths      map[string]map[string]operation `json:"paths"`
	Components struct {
		Schemas map[string]any `json:"schemas"`
	} `json:"components"`
}

type operation struct {
	OperationID string `json:"operationId"`
	Parameters  []struct {
		Name, In string
	} `json:"parameters"`
	Responses map[string]struct {
		Content map[string]struct {
			Schema any `json:"schema"`
		} `json:"content"`
	} `json:"responses"`
}

func readSpec(t *testing.T) spec {
	t.Helper()
	var d spec
	if err := json.Unmarshal(document, &d); err != nil {
		t.Fatalf("%v; run make update", err)
	}
	return d
}

// The document has each row with its parameters, and nothing else.
func TestDocumentIsTheTable(t *testing.T) {
	d := readSpec(t)
	ids := map[string]bool{}
	for _, row := range Routes() {
		for _, path := range row.Paths() {
			op, ok := d.Paths[path][strings.ToLower(row.Method)]
			if !ok {
				t.Errorf("%s %s is not in the document; run make update", row.Method, path)
				continue
			}
			if ids[op.OperationID] {
				t.Errorf("%s is there twice", op.OperationID)
			}
			ids[op.OperationID] = true
			var want, got []string
			for _, p := range row.Params {
				want = append(want, p.In+" "+p.Name)
			}
			for _, p := range op.Parameters {
				got = append(got, p.In+" "+p.Name)
			}
			if !slices.Equal(want, got) {
				t.Errorf("%s %s has %q in the document, %q in the table", row.Method, path, got, want)
			}
			delete(d.Paths[path], strings.ToLower(row.Method))
		}
	}
	for path, left := range d.Paths {
		for method := range left {
			t.Errorf("%s %s is in the document and not in the table", method, path)
		}
	}
}

// Each row says what its table needs.
func TestTable(t *testing.T) {
	for _, row := range Routes() {
		if (row.do == nil) == (row.send == nil) || row.Summary == "" || row.Answer == nil && row.Media == nil {
			t.Errorf("%s %s: incomplete", row.Method, row.Path)
		}
		if row.Changes != (row.Method != http.MethodGet) || row.Changes != (row.Example != "") {
			t.Errorf("%s %s: a change is a PUT, POST or DELETE with an example", row.Method, row.Path)
		}
		if row.Body != nil {
			var names []string
			for i := range reflect.TypeOf(row.Body).NumField() {
				name, _, _ := strings.Cut(reflect.TypeOf(row.Body).Field(i).Tag.Get("json"), ",")
				names = append(names, name)
			}
			if !slices.Equal(names, fieldsOf(row.Body)) {
				t.Errorf("%s %s: its body has %q, the form %q", row.Method, row.Path, names, fieldsOf(row.Body))
			}
		}
	}
}

// valid tells where v is not as a schema has it. It knows the words that the document
// uses.
func (d *spec) valid(at string, schema, v any) (wrong []string) {
	s, _ := schema.(map[string]any)
	if ref, ok := s["$ref"].(string); ok {
		return d.valid(at, d.Components.Schemas[strings.TrimPrefix(ref, "#/components/schemas/")], v)
	}
	bad := func(format string, args ...any) { wrong = append(wrong, at+": "+fmt.Sprintf(format, args...)) }
	switch s["type"] {
	case nil:
	case "object":
		o, ok := v.(map[string]any)
		if !ok {
			bad("%v is no object", v)
			return wrong
		}
		props, _ := s["properties"].(map[string]any)
		for name, x := range o {
			if p, ok := props[name]; ok {
				wrong = append(wrong, d.valid(at+"."+name, p, x)...)
			} else if s["additionalProperties"] == false {
				bad("%s is not described", name)
			} else {
				wrong = append(wrong, d.valid(at+"."+name, s["additionalProperties"], x)...)
			}
		}
		required, _ := s["required"].([]any)
		for _, name := range required {
			if _, ok := o[name.(string)]; !ok {
				bad("%s is missing", name)
			}
		}
	case "array":
		a, ok := v.([]any)
		if !ok {
			bad("%v is no array", v)
		}
		for i, x := range a {
			wrong = append(wrong, d.valid(fmt.Sprintf("%s[%d]", at, i), s["items"], x)...)
		}
	case "string":
		if _, ok := v.(string); !ok {
			bad("%v is no string", v)
		}
	case "boolean":
		if _, ok := v.(bool); !ok {
			bad("%v is no boolean", v)
		}
	case "number", "integer":
		if n, ok := v.(float64); !ok || s["type"] == "integer" && n != math.Trunc(n) {
			bad("%v is no %s", v, s["type"])
		}
	default:
		bad("the type %v is not known to this test", s["type"])
	}
	return wrong
}

// filled makes paths with what is there in fake in place of the wildcards.
var filled = strings.NewReplacer("{id}", "aa", "{aor}", url.PathEscape("sip:alice@example.com"), "{name}", "heap")

// request is what a row can be asked with.
func request(row *Route, path string) (target, body string) {
	query := url.Values{}
	for _, p := range row.Params {
		if p.In != "query" || !p.Need {
			continue
		}
		query.Set(p.Name, map[string]string{"call": "aa", "type": "auth-failed", "source": "192.0.2.66"}[p.Name])
	}
	if row.Method == "POST" && strings.HasSuffix(path, "/events/blst") {
		query.Set("other-ok", "1")
	}
	target = filled.Replace(path) + "?" + query.Encode()
	switch row.Body.(type) {
	case view.TypeNames:
		body = `{"types": ["msg-probe"]}`
	case view.Limits:
		body = `{"limits": [1, 2.5, 3]}`
	case view.NewOffender:
		body = `{"source": "198.51.100.0/24", "reason": "x", "lasts": "1h"}`
	case view.Injected:
		body = `{"message": "OPTIONS sip:a SIP/2.0\r\n\r\n", "source": "192.0.2.1:5060", "destination": "[2001:db8::1]:5060", "transport": "udp"}`
	}
	return target, body
}

// Each answer is as the document says, with something in it and with nothing.
func TestAnswersAreAsDescribed(t *testing.T) {
	d := readSpec(t)
	for name, p := range map[string]func() Program{"full": func() Program { return newFake() }, "empty": func() Program { return empty{newFake()} }} {
		t.Run(name, func(t *testing.T) {
			for _, row := range Routes() {
				for _, path := range row.Paths() {
					if row.Answer == nil || name == "empty" && (strings.Contains(path, "{") || row.Changes) {
						continue
					}
					u, body := request(&row, path)
					resp, text := ask(t, started(t, p(), nil), "Content-Type", "application/json").do(row.Method, u, body)
					var v any
					if err := json.Unmarshal([]byte(text), &v); err != nil || resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/json" {
						t.Errorf("%s %s: %d %s", row.Method, u, resp.StatusCode, text)
						continue
					}
					schema := d.Paths[path][strings.ToLower(row.Method)].Responses["200"].Content["application/json"].Schema
					for _, wrong := range d.valid("", schema, v) {
						t.Errorf("%s %s: %s", row.Method, u, wrong)
					}
				}
			}
		})
	}
}

// empty is a Program that has seen nothing yet.
type empty struct{ *fake }

func (empty) Libbeat() map[string]any                             { return nil }
func (empty) Calls(view.Query) (view.CallPage, error)             { return view.CallPage{}, nil }
func (empty) Bindings(view.Query) (view.BindingPage, error)       { return view.BindingPage{}, nil }
func (empty) Types() []view.TypeSwitch                            { return nil }
func (empty) Rates(view.Query) (view.RatePage, error)             { return view.RatePage{}, nil }
func (empty) Offenders(view.Query) (view.OffenderPage, error)     { return view.OffenderPage{}, nil }
func (empty) Alerts(view.Query) (view.AlertPage, error)           { return view.AlertPage{}, nil }
func (empty) Methods(view.MethodQuery) (view.MethodSeries, error) { return view.MethodSeries{}, nil }
func (empty) EventsOver(_, _ time.Time, _ time.Duration) (view.EventSeries, error) {
	return view.EventSeries{}, nil
}
func (empty) Indicators(view.Query) ([]view.IndicatorSet, error) { return nil, nil }
func (empty) Config() []view.Setting                             { return nil }
func (empty) Live() view.Health                                  { return view.Health{OK: true} }
func (empty) Ready() view.Health                                 { return view.Health{OK: true} }
