// Package declared reads what _meta/fields.yml says of the fields of a record, for
// tests that hold records, templates and documents against it.
package declared

import (
	"fmt"
	"os"
	"strings"

	"gopkg.in/yaml.v3"
)

// Field is an entry of _meta/fields.yml.
type Field struct{ Name, Type, Description, Example string }

// Added is what beater and libbeat put into every record; it has no row in
// event.Fields. observer.name has one: HEP may say it.
var Added = []string{
	"observer.type", "observer.product", "observer.vendor", "observer.version", "observer.hostname",
	"agent.name", "agent.type", "agent.version", "agent.id", "agent.ephemeral_id", "host.name",
}

// Statistics is what records of statistics have besides the event base; the rest of
// them is below the first, and docs/metrics.md lists it.
var Statistics = map[string]string{
	"sip.stats":                     "object",
	"sip.stats.group":               "keyword",
	"sip.stats.capture_loss_ratio":  "double",
	"sip.stats.state_write_seconds": "double",
}

// Fields are all of them by their names; root is the path to the project's root.
func Fields(root string) (map[string]Field, error) {
	text, err := os.ReadFile(root + "/_meta/fields.yml")
	if err != nil {
		return nil, err
	}
	var groups []struct {
		Key, Title, Description string
		Fields                  []Field
	}
	if err := yaml.Unmarshal(text, &groups); err != nil {
		return nil, err
	}
	all := map[string]Field{}
	for _, g := range groups {
		for _, f := range g.Fields {
			if _, ok := all[f.Name]; ok {
				return nil, fmt.Errorf("_meta/fields.yml describes %s twice", f.Name)
			}
			all[f.Name] = f
		}
	}
	return all, nil
}

// Flat gives the leaves of a JSON object by their dotted names. A list is a leaf.
func Flat(object map[string]any) map[string]any {
	all := map[string]any{}
	var walk func(before string, object map[string]any)
	walk = func(before string, object map[string]any) {
		for name, v := range object {
			if below, ok := v.(map[string]any); ok {
				walk(before+name+".", below)
				continue
			}
			all[before+name] = v
		}
	}
	walk("", object)
	return all
}

// Top is the first part of a name.
func Top(name string) string {
	top, _, _ := strings.Cut(name, ".")
	return top
}
