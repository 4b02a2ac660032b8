package engine

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/metric"
)

// unsampled are the numbers of Stats that no sample is made of, with the reason.
var unsampled = map[string]string{
	"Telling":                 "a setting",
	"Stream.TLS.Connections":  "of the addresses with most; as a label they would have no bound",
	"Stream.TLS.Bytes":        "likewise",
	"Track.Events[none]":      "no event has this type",
	"Events[none]":            "no event has this type",
	"Problems[ok]":            "messages are counted",
	"Packet.HEP.Problems[ok]": "hep_packets are counted",
	"Track.Classes[none]":     "a code has one of six classes",
}

// TestEveryCounterIsSampled: each number of Stats is in a sample, or in the list of
// those that are not. What is new has no way around this test.
func TestEveryCounterIsSampled(t *testing.T) {
	var s Stats
	none := values(&s)
	excused := maps.Clone(unsampled)
	var walk func(name string, v reflect.Value)
	walk = func(name string, v reflect.Value) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				if f := v.Type().Field(i); f.IsExported() {
					walk(strings.TrimPrefix(name+"."+f.Name, "."), v.Field(i))
				}
			}
		case reflect.Array:
			for i := range v.Len() {
				at := name
				if k := v.Type().Elem().Kind(); k == reflect.Uint64 && i == 0 {
					at += first(name)
				}
				walk(at, v.Index(i))
			}
		case reflect.Uint64, reflect.Int, reflect.Int64:
			if v.Kind() == reflect.Uint64 {
				v.SetUint(1)
			} else {
				v.SetInt(1)
			}
			if sampled := !maps.Equal(values(&s), none); sampled == (unsampled[name] != "") {
				t.Errorf("%s: sampled %v; give it a row in samples.go, or a reason here", name, sampled)
			}
			delete(excused, name)
			v.SetZero()
		case reflect.Bool:
			if unsampled[name] == "" {
				t.Errorf("%s is no number: give a reason here", name)
			}
			delete(excused, name)
		}
	}
	walk("", reflect.ValueOf(&s).Elem())
	for name := range excused {
		t.Errorf("there is no %s", name)
	}
}

// first marks the first place of an enum's counters where it is none of its kind.
func first(name string) string {
	switch name {
	case "Problems", "Packet.HEP.Problems":
		return "[ok]"
	case "Events", "Track.Events", "Track.Classes":
		return "[none]"
	}
	return ""
}

func values(s *Stats) metric.Values {
	v := metric.Values{}
	s.Samples(v.Add)
	return v
}

var snake = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

// TestNames: a name is one thing, in a group that exists, with a sentence.
func TestNames(t *testing.T) {
	groups := map[string]bool{}
	for _, g := range metric.Groups {
		groups[g.Name] = true
	}
	seen := map[string]bool{}
	for i := range Metrics {
		d := &Metrics[i].Desc
		if seen[d.Name] || !snake.MatchString(d.Name) || strings.HasSuffix(d.Name, "_total") || d.Name == "group" || d.Name == "delta" {
			t.Errorf("%s: another one has the name, or it is none", d.Name)
		}
		seen[d.Name] = true
		if !groups[d.Group] || !strings.HasSuffix(d.Help, ".") || len(d.Help) < 8 {
			t.Errorf("%s: group %q, help %q", d.Name, d.Group, d.Help)
		}
		if d.Label != "" && !snake.MatchString(d.Label) {
			t.Errorf("%s: label %q", d.Name, d.Label)
		}
	}
}

// TestLabels: the values of a label are a closed list, and each has a field of its own in
// a record.
func TestLabels(t *testing.T) {
	fields := map[string]string{}
	var s Stats
	s.Samples(func(d *metric.Desc, value string, _ float64) {
		term, field := metric.Term(d, value), d.Field(value)
		if other, ok := fields[field]; ok {
			t.Errorf("%s and %s are both %s", term, other, field)
		}
		fields[field] = term
		if d.Label != "" && metric.Snake(value) == "" {
			t.Errorf("%s: %q makes no field", term, value)
		}
	})
	if n := len(fields); n < 250 || n > 500 {
		t.Errorf("%d samples", n)
	}
}

// TestSums: the sums name counters that exist, hold of nothing, and notice a number that
// is off by one.
func TestSums(t *testing.T) {
	v := values(&Stats{})
	if err := v.Check(Sums, 0); err != nil {
		t.Error(err)
	}
	for _, s := range Sums {
		for _, term := range slices.Concat(strings.Split(s.Left, " + "), strings.Split(s.Right, " + ")) {
			v[term]++
			if err := v.Check([]metric.Sum{s}, 0); err == nil {
				t.Errorf("%s = %s holds with one %s more", s.Right, s.Left, term)
			}
			v[term]--
		}
	}
}

// TestRecordsLost: records of messages that are not handed on are noticed, all of them too.
func TestRecordsLost(t *testing.T) {
	s := Stats{Telling: true}
	s.Frames, s.Drops[0], s.Datagrams[Message] = 1, 1, 1
	s.Track.Requests, s.Track.New, s.Track.Methods[1] = 1, 1, 1
	if err := s.Check(); err == nil || !strings.Contains(fmt.Sprint(err), "records of messages") {
		t.Errorf("a record is lost, and Check says %v", err)
	}
}
