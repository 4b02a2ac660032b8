package main

import (
	"fmt"
	"strings"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// messageFields is the table of what the record of one message has.
func messageFields(groups []group) string {
	about := map[string]field{}
	for _, g := range groups {
		for _, f := range g.Fields {
			about[f.Name] = f
		}
	}
	var b strings.Builder
	b.WriteString("| field | type | meaning |\n|---|---|---|\n")
	for i := range event.Fields {
		f := &event.Fields[i]
		if f.In(event.Message) {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Key, f.Mapping, cell(about[f.Key].Description))
		}
	}
	return b.String()
}
