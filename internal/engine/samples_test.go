package engine

import (
	"flag"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/limit"
	"github.com/sipcmbeat/sipcmbeat/internal/metric"
	"github.com/sipcmbeat/sipcmbeat/internal/relay"
)

// unsampled are the numbers of Stats that no sample is made of, with the reason.
var unsampled = map[string]string{
	"Telling":                 "a setting",
	"Stream.TLS.Connections":  "of the addresses with most; as a label they would have no bound",
	"Stream.TLS.Bytes":        "likewise",
	"Track.Events[none]":      "no event has this type",
	"Events":                  "each was judged: the fates of Limit say it",
	"Events[none]":            "no event has this type",
	"Limit.Fates[0]":          "no event has this type",
	"Problems[ok]":            "messages are counted",
	"Packet.HEP.Problems[ok]": "hep_packets are counted",
	"Track.Classes[none]":     "a code has one of six classes",
	"Dropped[none]":           "no event has this type",
	"Stream.TLS.Addr":         "an address",
	"Relay.Targets.Addr":      "an address: all targets are one sum",
}

// TestEveryCounterIsSampled: each number of Stats and Host is in a sample, or in the list
// of those that are not. What is new has no way around this test.
func TestEveryCounterIsSampled(t *testing.T) {
	var s Stats
	h := Host{Relay: relay.Stats{Targets: make([]relay.TargetStats, 1)}}
	excused := maps.Clone(unsampled)
	sampled(t, reflect.ValueOf(&s).Elem(), func() metric.Values { return values(&s) }, excused)
	sampled(t, reflect.ValueOf(&h).Elem(), func() metric.Values { return hostValues(&h) }, excused)
	for name := range excused {
		t.Errorf("there is no %s", name)
	}
}

// sampled sets each number of all to 1 and looks whether a sample changes.
func sampled(t *testing.T, all reflect.Value, now func() metric.Values, excused map[string]string) {
	none := now()
	var walk func(name string, v reflect.Value)
	walk = func(name string, v reflect.Value) {
		kind := v.Kind()
		if v.Type() == reflect.TypeFor[netip.AddrPort]() {
			kind = reflect.String // its fields are no business of ours
		}
		switch one := reflect.ValueOf(1); kind {
		case reflect.Struct:
			for i := range v.NumField() {
				walk(strings.TrimPrefix(name+"."+v.Type().Field(i).Name, "."), v.Field(i))
			}
		case reflect.Array, reflect.Slice:
			for i := range v.Len() {
				at := name
				if v.Type().Elem().Kind() == reflect.Array {
					at = fmt.Sprintf("%s[%d]", name, i)
				} else if v.Type().Elem().Kind() == reflect.Uint64 && i == 0 {
					at += first(name)
				}
				walk(at, v.Index(i))
			}
		case reflect.Uint64, reflect.Int, reflect.Int64, reflect.Float64:
			v.Set(one.Convert(v.Type()))
			if in := !maps.Equal(now(), none); in == (unsampled[name] != "") {
				t.Errorf("%s: sampled %v; give it a row in a table, or a reason here", name, in)
			}
			v.SetZero()
			delete(excused, name)
		default:
			if unsampled[name] == "" {
				t.Errorf("%s is no number: give a reason here", name)
			}
			delete(excused, name)
		}
	}
	walk("", all)
}

// first marks the first place of an enum's counters where it is none of its kind.
func first(name string) string {
	switch name {
	case "Problems", "Packet.HEP.Problems":
		return "[ok]"
	case "Events", "Track.Events", "Track.Classes", "Blacklisted", "Dropped":
		return "[none]"
	}
	return ""
}

func values(s *Stats) metric.Values {
	v := metric.Values{}
	s.Samples(v.Add)
	return v
}

func hostValues(h *Host) metric.Values {
	v := metric.Values{}
	h.Samples(v.Add)
	return v
}

// descs are the families of both tables.
func descs() (all []*metric.Desc) {
	for i := range Metrics {
		all = append(all, &Metrics[i].Desc)
	}
	for i := range limit.Metrics {
		all = append(all, &limit.Metrics[i].Desc)
	}
	for i := range HostMetrics {
		all = append(all, &HostMetrics[i].Desc)
	}
	return all
}

var snake = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

// TestNames: a name is one thing, in a group that exists, with a sentence.
func TestNames(t *testing.T) {
	groups := map[string]bool{}
	for _, g := range metric.Groups {
		groups[g.Name] = true
	}
	seen := map[string]bool{}
	for _, d := range descs() {
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
	look := func(d *metric.Desc, value string, _ float64) {
		term, field := metric.Term(d, value), d.Field(value)
		if other, ok := fields[field]; ok {
			t.Errorf("%s and %s are both %s", term, other, field)
		}
		fields[field] = term
		if d.Label != "" && metric.Snake(value) == "" {
			t.Errorf("%s: %q makes no field", term, value)
		}
	}
	(&Stats{}).Samples(look)
	(&Host{}).Samples(look)
	if n := len(fields); n < 250 || n > 500 {
		t.Errorf("%d samples", n)
	}
}

// TestSums: the sums name counters that exist, hold of nothing, and notice a number that
// is off by one.
func TestSums(t *testing.T) {
	v := values(&Stats{})
	(&Host{}).Samples(v.Add)
	for _, s := range slices.Concat(Sums, HostSums) {
		if err := v.Check([]metric.Sum{s}, 0); err != nil {
			t.Error(err)
		}
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

var update = flag.Bool("update", false, "add new names to testdata/metrics.txt")

// TestNamesStay: somebody's dashboard and alert has each name in testdata/metrics.txt.
// New ones are added by -update; one that is gone has to be taken out by hand.
func TestNamesStay(t *testing.T) {
	const file = "testdata/metrics.txt"
	text, err := os.ReadFile(file)
	if err != nil && !*update {
		t.Fatal(err)
	}
	var known []string
	for line := range strings.Lines(string(text)) {
		known = append(known, strings.TrimSpace(line))
	}
	now := map[string]bool{}
	look := func(d *metric.Desc, value string, _ float64) { now[d.Kind.String()+" "+metric.Term(d, value)] = true }
	(&Stats{}).Samples(look)
	(&Host{}).Samples(look)
	for _, name := range known {
		if !now[name] {
			t.Errorf("%s is gone, on which somebody may rely", name)
		}
		delete(now, name)
	}
	if *update {
		known = append(known, slices.Collect(maps.Keys(now))...)
		slices.Sort(known)
		if err := os.WriteFile(file, []byte(strings.Join(known, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for name := range now {
		t.Errorf("%s is new: go test ./internal/engine -run TestNamesStay -update adds it", name)
	}
}
