package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sipcmbeat/sipcmbeat/internal/kpi"
)

// metaFile has a region that is made of the table of indicators.
const metaFile = "_meta/fields.yml"

// withIndicators is _meta/fields.yml with the fields of every indicator.
func withIndicators(root string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, metaFile))
	if err != nil {
		return "", err
	}
	const begin, end = "    # indicators: made by tools/update\n", "    # end of indicators\n"
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return "", fmt.Errorf("%s: the marks of the indicators are missing", metaFile)
	}
	return before + begin + indicatorFields() + end + after, nil
}

func indicatorFields() string {
	var b strings.Builder
	for i := range kpi.Table {
		row := &kpi.Table[i]
		for _, f := range row.Fields() {
			fmt.Fprintf(&b, "    - name: %s\n      type: double\n      description: %q\n", f.Name, f.Description)
		}
	}
	return b.String()
}

// indicatorDoc is the table of docs/kpi.md.
func indicatorDoc() string {
	var b strings.Builder
	b.WriteString("| name | what | unit | formula | source |\n|---|---|---|---|---|\n")
	for i := range kpi.Table {
		row := &kpi.Table[i]
		title := row.Title
		if row.OfAll() {
			title += " (of everything alone)"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", row.Name, cell(title), row.Unit, cell(row.Formula), cell(row.Source))
	}
	return b.String()
}
