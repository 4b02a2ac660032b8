package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// board is an entry of _meta/dashboards.yml, which says what the keys mean.
type board struct {
	ID, Title, Description string
	Panels                 []panel
}

type panel struct {
	Title, As, Where, Of, Sort string
	By, Columns                []string
	Parts                      parts
	Size                       [2]int
}

// parts are names and queries in the order of the file.
type parts []struct{ name, where string }

func (p *parts) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: parts have names and queries", node.Line)
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		*p = append(*p, struct{ name, where string }{node.Content[i].Value, node.Content[i+1].Value})
	}
	return nil
}

const (
	timeField   = "@timestamp"
	gridWidth   = 48 // of Kibana; Grafana's is half of it
	tableRows   = 20
	splitSeries = 10
	listRows    = 100
)

var percents = []float64{50, 95, 99}

// operation is what a panel shows of the records, and the field it needs.
func (p *panel) operation() (name, field string) {
	if p.Of == "" {
		return "count", ""
	}
	name, field, _ = strings.Cut(p.Of, " ")
	return name, field
}

func readBoards(path string) ([]board, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var boards []board
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&boards); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	for _, b := range boards {
		for i := range b.Panels {
			if err := b.Panels[i].check(); err != nil {
				return nil, fmt.Errorf("read %s: %s, %q: %w", path, b.ID, b.Panels[i].Title, err)
			}
		}
	}
	return boards, nil
}

// check refuses a panel that no dashboard could show.
func (p *panel) check() error {
	split := len(p.By) > 0 || len(p.Parts) > 0
	switch name, field := p.operation(); name {
	case "count":
	case "avg", "max", "sum", "cardinality", "percentiles":
		if field == "" {
			return fmt.Errorf("of: %s needs a field", name)
		}
	default:
		return fmt.Errorf("of: %s is no operation", name)
	}
	switch p.As {
	case "number":
		if split {
			return fmt.Errorf("a number is not split")
		}
	case "bars", "share", "pie":
		if len(p.By) > 1 || !split {
			return fmt.Errorf("%s needs one field or parts to split by", p.As)
		}
	case "line":
	case "table":
		if len(p.By) == 0 {
			return fmt.Errorf("a table needs fields to split by")
		}
	case "list":
		if len(p.Columns) == 0 {
			return fmt.Errorf("a list needs columns")
		}
	default:
		return fmt.Errorf("as: %q is no kind of panel", p.As)
	}
	if p.Size[0] < 1 || p.Size[0] > gridWidth || p.Size[1] < 1 {
		return fmt.Errorf("size: %v does not fit into the grid", p.Size)
	}
	return nil
}

// place is where a panel stands: panels fill rows from the left.
type place struct{ x, y, below int }

func (at *place) next(width, height, grid int) (x, y int) {
	if at.x+width > grid {
		at.x, at.y = 0, at.below
	}
	x, y = at.x, at.y
	at.x += width
	at.below = max(at.below, at.y+height)
	return x, y
}

type object = map[string]any

// text is JSON as a person reads it.
func text(o any) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(o)
	return b.String(), err
}

var notPlain = regexp.MustCompile(`[^a-z0-9]+`)

// slug is a title as a part of a file's name.
func slug(title string) string {
	return strings.Trim(notPlain.ReplaceAllString(strings.ToLower(title), "-"), "-")
}
