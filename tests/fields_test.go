// Package tests holds what is checked across packages. None of its own files needs
// libbeat; the folders below it do.
package tests

import (
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/kpi"
	"github.com/sipcmbeat/sipcmbeat/tests/declared"
)

func readMeta(t *testing.T) map[string]declared.Field {
	t.Helper()
	all, err := declared.Fields("..")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// The declared set is the written set: a field that is written is described, with
// its type, and one that is described is written.
func TestFieldsAreDescribed(t *testing.T) {
	meta := readMeta(t)
	for i := range event.Fields {
		f := &event.Fields[i]
		d, ok := meta[f.Key]
		if !ok {
			t.Errorf("%s is in event.Fields and not in _meta/fields.yml", f.Key)
			continue
		}
		if d.Type != f.Mapping {
			t.Errorf("%s: %s in _meta/fields.yml, %s in event.Fields", f.Key, d.Type, f.Mapping)
		}
		delete(meta, f.Key)
	}
	for _, name := range declared.Added {
		if meta[name].Type != "keyword" {
			t.Errorf("%s is added to every record and not described as a keyword", name)
		}
		delete(meta, name)
	}
	for name, typ := range declared.Statistics {
		if meta[name].Type != typ {
			t.Errorf("%s is in records of statistics and not described as a %s", name, typ)
		}
		delete(meta, name)
	}
	for _, name := range indicatorFields() {
		if meta[name].Type == "" {
			t.Errorf("%s is in records of indicators and not described", name)
		}
		delete(meta, name)
	}
	for name := range meta {
		t.Errorf("%s is in _meta/fields.yml and nobody writes it", name)
	}
}

// indicatorFields are those of records of indicators, besides the event base.
func indicatorFields() []string {
	names := []string{kpi.Prefix + "peer", kpi.Prefix + "window_s"}
	for i := range kpi.Table {
		for _, f := range kpi.Table[i].Fields() {
			names = append(names, f.Name)
		}
	}
	return names
}

// A description is a sentence that an operator understands; a type is one that the
// smallest Elasticsearch and OpenSearch know.
func TestDescriptions(t *testing.T) {
	core := map[string]bool{"keyword": true, "ip": true, "long": true, "double": true, "date": true, "date_nanos": true, "boolean": true, "text": true}
	for name, d := range readMeta(t) {
		if !strings.HasSuffix(d.Description, ".") || len(d.Description) < 8 {
			t.Errorf("%s: the description is no sentence: %q", name, d.Description)
		}
		if !core[d.Type] && !(d.Type == "object" && declared.Statistics[name] == d.Type) {
			t.Errorf("%s: type %q is no core mapping type", name, d.Type)
		}
	}
}
