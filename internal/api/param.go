package api

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// check looks at the parameters: each is known, there once, and what its row says.
func (c *call) check(n *node) error {
	query, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return refuse(http.StatusBadRequest, "the query cannot be read: "+err.Error())
	}
	if c.row.Changes && c.row.Body == nil {
		for name, v := range c.r.PostForm { // a form without a body of its own has parameters
			if name != methodField && name != nextField {
				query[name] = append(query[name], v...)
			}
		}
	}
	c.values = query
	for name, values := range query {
		p, ok := c.row.param(name)
		if !ok {
			if err := c.unknown(n, name); err != nil {
				return err
			}
			continue
		}
		if len(values) > 1 {
			return refuse(http.StatusBadRequest, fmt.Sprintf("%s is there %d times", name, len(values)), name+" once")
		}
		if values[0] == "" && c.page {
			continue // a field of a form that was left empty
		}
		if err := p.fits(values[0], c.s.program.Now()); err != nil {
			return err
		}
	}
	for _, p := range c.row.Params {
		if p.In == "path" {
			c.values.Set(p.Name, c.r.PathValue(p.Name))
			continue
		}
		if p.Need && c.values.Get(p.Name) == "" {
			return refuse(http.StatusBadRequest, p.Name+" is missing", p.Name+": "+p.Meaning)
		}
	}
	return nil
}

func (row *Route) param(name string) (Param, bool) {
	for _, p := range row.Params {
		if p.Name == name && p.In == "query" {
			return p, true
		}
	}
	return Param{}, false
}

// unknown refuses a parameter, to a program: a page has some of its own. One that
// belongs to a change of the same path asks for that by the wrong method.
func (c *call) unknown(n *node, name string) error {
	if !c.row.Changes {
		for _, row := range n.rows {
			if _, ok := row.param(name); row.Changes && (ok || row.hasField(name)) {
				return c.changesOnly(n, name)
			}
		}
	}
	if c.page && c.row.Page {
		return nil
	}
	var known []string
	for _, p := range c.row.Params {
		if p.In == "query" {
			known = append(known, p.Name)
		}
	}
	if len(known) == 0 {
		known = []string{"no parameters"}
	}
	return refuse(http.StatusBadRequest, fmt.Sprintf("%q is no parameter here", cut(name)), known...)
}

// hasField tells whether a body of row has the name.
func (row *Route) hasField(name string) bool {
	return slices.Contains(fieldsOf(row.Body), name)
}

// fits tells what is wrong with a value.
func (p *Param) fits(value string, now time.Time) error {
	wrong := func(allowed ...string) error {
		return refuse(http.StatusBadRequest, fmt.Sprintf("%s: %q is not allowed", p.Name, cut(value)), allowed...)
	}
	if most := p.longest(); len(value) > most {
		return wrong(fmt.Sprintf("at most %d bytes", most))
	}
	switch p.Kind {
	case Word:
		if !slices.Contains(p.Enum, value) {
			return wrong(p.Enum...)
		}
	case Whole:
		if n, err := strconv.Atoi(value); err != nil || n < p.Min || n > p.Max {
			return wrong(fmt.Sprintf("%d to %d", p.Min, p.Max))
		}
	case Flag:
		if _, ok := flags[value]; !ok {
			return wrong("0", "1", "false", "true")
		}
	case Moment:
		if _, err := moment(value, now); err != nil {
			return wrong(moments...)
		}
	case Duration:
		if d, err := time.ParseDuration(value); err != nil || d <= 0 {
			return wrong("a duration such as 1m or 1h")
		}
	case Address:
		if !isNetwork(value) {
			return wrong("an address, or a network such as 192.0.2.0/24")
		}
	case Text:
	}
	return nil
}

func (p *Param) longest() int {
	if p.Kind == Text && p.Max > 0 {
		return p.Max
	}
	return MaxParam
}

var (
	flags   = map[string]bool{"0": false, "1": true, "false": false, "true": true}
	moments = []string{"a time such as 2026-01-02T15:04:05Z", "seconds since 1970", "a span before now such as -1h"}
)

func isNetwork(value string) bool {
	_, wrong := netip.ParsePrefix(value)
	_, err := netip.ParseAddr(value)
	return err == nil || wrong == nil
}

// moment reads a time.
func moment(value string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(value); err == nil && (d < 0 || value == "0s") {
		return now.Add(d), nil
	}
	if n, err := strconv.ParseInt(value, 10, 64); err == nil && n >= 0 && n < 1<<33 {
		return time.Unix(n, 0).UTC(), nil
	}
	return time.Parse(time.RFC3339Nano, value)
}

// cut shortens what a client sent for an answer.
func cut(s string) string {
	if len(s) > 100 {
		s = s[:100]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

func (c *call) text(name string) string { return c.values.Get(name) }

func (c *call) whole(name string) int {
	n, _ := strconv.Atoi(c.values.Get(name))
	return n
}

// flag is nil when it is not there.
func (c *call) flag(name string) *bool {
	b, ok := flags[c.values.Get(name)]
	if !ok {
		return nil
	}
	return &b
}

// moment is the zero time when it is not there.
func (c *call) moment(name string) time.Time {
	if c.values.Get(name) == "" {
		return time.Time{}
	}
	t, _ := moment(c.values.Get(name), c.s.program.Now())
	return t
}

func (c *call) duration(name string) time.Duration {
	d, _ := time.ParseDuration(c.values.Get(name))
	return d
}

// query is what a list is asked for.
func (c *call) query() view.Query {
	q := view.Query{
		Limit:  c.whole("limit"),
		Cursor: c.text("cursor"),
		Text:   c.text("text"),
		Source: c.text("source"),
		State:  c.text("state"),
		Type:   c.text("type"),
		From:   c.moment("from"),
		To:     c.moment("to"),
	}
	if q.Limit == 0 {
		q.Limit = view.DefaultLimit
	}
	return q
}
