package config

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	conf "github.com/elastic/elastic-agent-libs/config"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/track"
)

// load merges a file's text and -E settings as libbeat does and reads the section.
func load(t *testing.T, file string, settings ...string) (*Config, error) {
	t.Helper()
	root, err := conf.NewConfigFrom(file)
	if err != nil {
		t.Fatal(err)
	}
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	e := conf.SettingFlag(flags, "E", "")
	for _, s := range settings {
		if err := flags.Parse([]string{"-E", s}); err != nil {
			t.Fatal(err)
		}
	}
	if root, err = conf.MergeConfigs(root, e); err != nil {
		t.Fatal(err)
	}
	if !root.HasField(Section) {
		return New(nil)
	}
	section, err := root.Child(Section, -1)
	if err != nil {
		t.Fatal(err)
	}
	return New(section)
}

// TestCases reads testdata: NAME.yml is a configuration, its lines "# -E ..." are
// settings of the command line, its lines "# want ..." are what has to come out:
// "error LINE", "warning LINE", or "KEY VALUE" for each key that is not at its
// default.
func TestCases(t *testing.T) {
	t.Setenv("SIPCMBEAT_EMPTY", "")
	files, err := filepath.Glob("testdata/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yml"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var settings, want []string
			for line := range strings.Lines(string(text)) {
				line = strings.TrimSpace(line)
				if s, ok := strings.CutPrefix(line, "# -E "); ok {
					settings = append(settings, s)
				}
				if s, ok := strings.CutPrefix(line, "# want "); ok {
					want = append(want, s)
				}
			}
			c, err := load(t, string(text), settings...)
			var got []string
			if err != nil {
				got = []string{"error " + err.Error()}
			} else {
				got = changed(c)
			}
			if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
				t.Errorf("%s\ngot:\n%s\nwant:\n%s", file, g, w)
			}
		})
	}
}

func changed(c *Config) (lines []string) {
	for _, w := range c.Warnings {
		lines = append(lines, "warning "+w)
	}
	def := Config{Keys: DefaultKeys()}
	for _, row := range Table {
		if strings.HasPrefix(row.Name, "inputs.") {
			continue
		}
		if row.Name == "any_port" {
			if c.AnyPort != nil {
				lines = append(lines, "any_port "+valueText(reflect.ValueOf(*c.AnyPort)))
			}
			continue
		}
		if now := c.text(row.Name); now != def.text(row.Name) {
			lines = append(lines, row.Name+" "+now)
		}
	}
	return lines
}

func TestTableIsKeys(t *testing.T) {
	var tags []string
	var walk func(prefix string, typ reflect.Type)
	walk = func(prefix string, typ reflect.Type) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			name, option, _ := strings.Cut(f.Tag.Get("config"), ",")
			switch {
			case name == "":
				t.Errorf("%s.%s has no key", typ, f.Name)
			case f.Type.Kind() == reflect.Struct:
				walk(prefix+name+".", f.Type)
				continue
			case f.Type == reflect.TypeFor[[]InputKeys]():
				walk(prefix+name+".", f.Type.Elem())
				if option != "replace" {
					t.Errorf("%s%s is a list without the tag replace", prefix, name)
				}
			case f.Type.Kind() == reflect.Slice && option != "replace":
				t.Errorf("%s%s is a list without the tag replace: a shorter one keeps the tail of the default", prefix, name)
			}
			tags = append(tags, prefix+name)
			if row, ok := find(prefix + name); !ok {
				t.Errorf("%s%s is in Keys, not in Groups", prefix, name)
			} else if want := kindOf(f.Type); row.Kind != want {
				t.Errorf("%s%s: kind %v, but the struct says %v", prefix, name, row.Kind, want)
			}
		}
	}
	walk("", reflect.TypeFor[Keys]())
	if len(tags) != len(Table) {
		t.Errorf("%d keys in Keys, %d in Groups", len(tags), len(Table))
	}
	for _, row := range Table {
		if row.Meaning == "" || !strings.HasSuffix(row.Meaning, ".") {
			t.Errorf("%s: the meaning is no sentence: %q", row.Name, row.Meaning)
		}
		if _, ok := IsOlder(row.Name); ok {
			t.Errorf("%s is a key and an older key", row.Name)
		}
	}
}

func kindOf(t reflect.Type) Kind {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return Duration
	case t == reflect.TypeFor[Size]():
		return Bytes
	case t == reflect.TypeFor[[]InputKeys]():
		return Objects
	case t.Kind() == reflect.Slice:
		return List
	case t.Kind() == reflect.Bool, t.Kind() == reflect.Pointer:
		return Flag
	case t.Kind() == reflect.Int:
		return Whole
	case t.Kind() == reflect.Float64:
		return Number
	}
	return Text
}

func TestOlderKeysAreNoKeys(t *testing.T) {
	for _, o := range Older {
		key := strings.Replace(o.Key, "*", "interval", 1)
		value := "5"
		if o.hides() || o.switches() {
			value = "false"
		}
		c, err := load(t, Section+": {"+key+": "+value+"}")
		if err != nil {
			t.Errorf("%s is refused: %v", key, err)
			continue
		}
		if len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], Section+"."+key) {
			t.Errorf("%s: warnings %q", key, c.Warnings)
		}
		if _, ok := find(o.Instead); o.Instead != "" && o.Instead != later && o.Instead != "logging.level" && !ok {
			t.Errorf("%s: its successor %s is no key", o.Key, o.Instead)
		}
	}
}

const oldKeys = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f, AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA"

// Each list replaces its default, also by one value, by none and by an empty list.
func TestListsReplace(t *testing.T) {
	long := map[string]string{
		"ports": "1, 2, 3, 4", "websocket_ports": "1, 2, 3, 4", "vxlan_ports": "1, 2, 3, 4", "geneve_ports": "1, 2, 3, 4", "gtp_ports": "1, 2, 3, 4",
		"tzsp_ports": "1, 2, 3, 4", "l2tp_ports": "1, 2, 3, 4", "esp_ports": "1, 2, 3, 4", "hep_ports": "1, 2, 3, 4", "siptrace_ports": "1, 2, 3, 4", "pcap": "a, b, c, d", "auth_failed_codes": "403, 404, 500, 503",
		"hep_output.targets": "a:1, b:2, c:3, d:4", "hep_output.methods": "INVITE, BYE, ACK, CANCEL", "hep_output.sources": "192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4",
		"numbers.emergency": "110, 111, 113, 114", "event_types_blst": "call-end, reg-new, reg-del, call-start",
		"evr_allow": "192.0.2.0/24, 198.51.100.1, 2001:db8::/32", "internal_networks": "192.0.2.0/24, 198.51.100.1, 2001:db8::/32", "pcap_dump.when": "always, failed, alert", "pcap_dump.list": "alice, bob, carol", "correlation_headers": "X-A, X-B, X-C", "headers": "X-A, X-B, X-C",
		"http.names":    "a.example.com, b.example.com",
		"kpi.ner_codes": "480, 486, 600, no-answer", "kpi.ser_exclude": "3xx, 401, 402, 407, 484", "trunks": "a=192.0.2.0/24, b=198.51.100.0/24, c=2001:db8::/32",
		"stats_groups":     "sip, track, events, memory",
		"privacy.old_keys": oldKeys,
	}
	for _, row := range Table {
		if row.Kind != List || row.Name == "iface" || row.Name == "evr_limits" || row.Name == "evr_intervals" || strings.HasPrefix(row.Name, "inputs.") {
			continue // these have a test of their own
		}
		items, ok := long[row.Name]
		if !ok {
			t.Fatalf("%s is not in this test", row.Name)
		}
		one, _, _ := strings.Cut(items, ",")
		for text, want := range map[string]string{
			"[" + one + "]":   "[" + one + "]",
			one:               "[" + one + "]",
			"[" + items + "]": "[" + items + "]",
			"none":            "none",
			"[]":              "none",
			`""`:              "none",
		} {
			c, err := load(t, Section+"."+row.Name+": "+text)
			if row.Name == "ports" && want == "none" {
				if err == nil {
					t.Errorf("%s: %s is taken", row.Name, text)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %s: %v", row.Name, text, err)
			} else if got := c.text(row.Name); got != want {
				t.Errorf("%s: %s gives %s, not %s", row.Name, text, got, want)
			}
		}
		c, err := load(t, Section+"."+row.Name+": ["+items+"]", Section+"."+row.Name+"="+one)
		if err != nil || c.text(row.Name) != "["+one+"]" {
			t.Errorf("-E %s=%s over a longer list: %v, %v", row.Name, one, err, c)
		}
	}
}

func TestComposed(t *testing.T) {
	c, err := load(t, `
sipcmbeat:
  pcap: a.pcap
  ports: [5060, 5070]
  auth_failed_codes: [403, REGISTER/404]
  numbers.emergency: ["112", "0800 110"]
  event_types_blst: [reg-new]
  calls_timeouts: {invite: 20s, warmup: 5m}
  calls_max_mem: 64MiB
  fragments: {max: 7, bytes: 1MiB, age: 5s}
  tcp: {idle_timeout: 1m, max_message: 16KiB, max_streams: 99}
  replay_flush: all
  dedup_window: 0
`)
	if err != nil {
		t.Fatal(err)
	}
	e := c.Engine
	if c.Live() || !c.Inputs[0].AnyPort || !reflect.DeepEqual(e.Ports, []uint16{5060, 5070}) || e.DedupWindow != 0 || e.Flush != track.FlushAll {
		t.Errorf("engine: %+v", e)
	}
	if e.Packet.FragmentMax != 7 || e.Packet.FragmentBytes != 1<<20 || e.Packet.FragmentAge != 5*time.Second {
		t.Errorf("packet: %+v", e.Packet)
	}
	if e.Stream.IdleTimeout != time.Minute || e.Stream.MaxMessage != 16<<10 || e.Stream.MaxStreams != 99 || e.Stream.HoleTimeout != time.Second {
		t.Errorf("stream: %+v", e.Stream)
	}
	if e.Track.Invite != 20*time.Second || e.Track.Warmup != 5*time.Minute || e.Track.MaxCallsMem != 64<<20 || e.Track.MaxRegsMem != quarter() {
		t.Errorf("track: %+v", e.Track)
	}
	if want := []string{"112", "0800110"}; !reflect.DeepEqual(e.Track.Emergency, want) {
		t.Errorf("emergency numbers: %q", e.Track.Emergency)
	}
	want := []track.AuthFailedCode{{Code: 403, All: true}, {Code: 404, Method: sip.MethodRegister}}
	if !reflect.DeepEqual(e.Track.AuthFailedCodes, want) {
		t.Errorf("codes: %+v", e.Track.AuthFailedCodes)
	}
	if !c.Limit.Held[event.RegNew] || c.Limit.Held[event.MsgProbe] || !c.HeldSet {
		t.Errorf("held: %v", c.Limit.Held)
	}
	if c, err = load(t, ""); err != nil || !c.Live() || c.Inputs[0].AnyPort || c.Engine.AnyPort || !c.Limit.Held[event.MsgProbe] || c.HeldSet {
		t.Errorf("defaults: %v %+v", err, c)
	}
	if c, err = load(t, "sipcmbeat.any_port: true"); err != nil || !c.Inputs[0].AnyPort {
		t.Errorf("any_port: %v", err)
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]Size{
		"0": 0, "1": 1, "512MiB": 512 << 20, "512 MiB": 512 << 20, "2GB": 2e9, "64k": 64 << 10, "1.5g": 3 << 29, "10b": 10, "1e6": 1e6,
	} {
		var s Size
		if err := s.Unpack(text); err != nil || s != want {
			t.Errorf("%q: %d, %v; want %d", text, s, err, want)
		}
	}
	for _, text := range []string{"", "x", "-1", "5x", "MiB", "NaN", "inf", "9e99", "1 2"} {
		var s Size
		if err := s.Unpack(text); err == nil {
			t.Errorf("%q is taken as %d", text, s)
		}
	}
}

func TestMemory(t *testing.T) {
	write := func(root, name, text string) {
		t.Helper()
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const meminfo = "MemTotal:       8388608 kB\nMemFree: 1 kB\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"nothing to read": {nil, 4 << 30},
		"no limit":        {map[string]string{"proc/meminfo": meminfo, "sys/fs/cgroup/memory.max": "max\n"}, 8 << 30},
		"version 2": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a/b\n",
			"sys/fs/cgroup/a/memory.max": "1073741824\n", "sys/fs/cgroup/a/b/memory.max": "max\n"}, 1 << 30},
		"version 1": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "5:cpu,memory:/x\n1:name=y:/z\n",
			"sys/fs/cgroup/memory/x/memory.limit_in_bytes": "536870912\n"}, 512 << 20},
		"version 1 without a limit": {map[string]string{"proc/meminfo": meminfo,
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 8 << 30},
	} {
		root := t.TempDir()
		for path, text := range c.files {
			write(root, path, text)
		}
		if got := memory(root); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestNear(t *testing.T) {
	for key, want := range map[string]string{
		"port": "ports", "invite": "calls_timeouts.invite", "event-types-blst": "event_types_blst",
		"event_type_blst": "event_types_blst", "Iface": "iface", "reg_exp_detla": "reg_exp_delta", "htp_port": "http_port", "end_weit": "", "x": "",
	} {
		if got := Near(key); got != want {
			t.Errorf("%q is near %q, want %q", key, got, want)
		}
	}
}

// Every key of the reference configuration is allowed as it stands there, and its
// value is the default.
func TestReferenceHoldsTheDefaults(t *testing.T) {
	text, err := os.ReadFile("../sipcmbeat.reference.yml")
	if err != nil {
		t.Fatal(err)
	}
	var section strings.Builder
	section.WriteString(Section + ":\n")
	keys := 0
	for line := range strings.Lines(string(text)) {
		key, ok := strings.CutPrefix(line, "  #")
		if name, value, cut := strings.Cut(key, ": "); ok && cut && value != "" {
			if _, known := find(name); known {
				section.WriteString("  " + key)
				keys++
			}
		}
	}
	c, err := load(t, section.String())
	if err != nil {
		t.Fatal(err)
	}
	written := 0 // defaults that a value stands for
	for _, row := range Table {
		if !strings.Contains(row.Default, " ") && !strings.HasPrefix(row.Name, "inputs") { // a list of examples there
			written++
		}
	}
	if got := changed(c); len(got) > 0 || keys < written {
		t.Errorf("%d keys; not the default: %q", keys, got)
	}
}

// The examples of inputs in the reference are taken as they stand there, and name each
// key that only inputs have.
func TestReferenceInputs(t *testing.T) {
	text, err := os.ReadFile("../sipcmbeat.reference.yml")
	if err != nil {
		t.Fatal(err)
	}
	_, examples, _ := strings.Cut(string(text), "  #inputs:\n")
	examples, _, _ = strings.Cut(examples, "\n\n")
	t.Setenv("HEP_KEY", "s3cret")
	c, err := load(t, Section+":\n  inputs:\n"+strings.ReplaceAll(examples, "  #", "  ")+"\n")
	if err != nil || len(c.Inputs) != len(inputTypes) {
		t.Errorf("%v, %d inputs", err, len(c.Inputs))
	}
	for _, row := range Table {
		name, of := strings.CutPrefix(row.Name, "inputs.")
		if _, elsewhere := find(name); of && !elsewhere && !strings.Contains(examples, name+":") {
			t.Errorf("%s is not in the reference", row.Name)
		}
	}
}

// What an input leaves out is taken from the key beside inputs, and each interface
// is an input of its own.
func TestInputs(t *testing.T) {
	c, err := load(t, `
sipcmbeat:
  snaplen: 1000
  inputs:
    - {type: live, iface: "eth0, eth1", bpf: udp, promiscuous: false}
    - {type: file, pcap: a.pcap, replay: true, any_port: false}
    - {type: live, iface: eth2, snaplen: 2000}
`)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i, in := range c.Inputs {
		if in.Place != i {
			t.Errorf("%s is at place %d, not %d", in.Name, in.Place, i)
		}
		got = append(got, fmt.Sprint(in.Type, " ", in.Name, " ", in.Snaplen, in.Promiscuous, in.Live(), in.AnyPort, in.Files.RealTime))
	}
	want := []string{"live eth0 1000 false true false false", "live eth1 1000 false true false false",
		"file a.pcap 1000 true false false true", "live eth2 2000 true true false false"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q", got)
	}
	if c, err = load(t, "sipcmbeat.iface: none"); err != nil || c.Inputs[0].Name != AnyIface {
		t.Errorf("iface none: %v", err)
	}
	if err := c.ReadFiles([]string{"x.pcap"}); err != nil || c.Live() || len(c.Inputs) != 1 {
		t.Errorf("files in place of it: %v", err)
	}
}

// TestRates: limits and windows are two lists of one length, of numbers and durations;
// none of one is none of both.
func TestRates(t *testing.T) {
	for _, c := range []struct {
		text      string
		limits    []float64
		intervals []time.Duration
	}{
		{"", []float64{20, 240, 3600}, []time.Duration{time.Second, time.Minute, time.Hour}},
		{"{evr_limits: [1.5, 0], evr_intervals: [500ms, 60]}", []float64{1.5, 0}, []time.Duration{500 * time.Millisecond, time.Minute}},
		{"{evr_limits: 7, evr_intervals: 0}", []float64{7}, []time.Duration{0}},
		{"{evr_limits: none}", nil, nil},
		{"{evr_intervals: []}", nil, nil},
		{"{evr_limits: none, evr_intervals: [1s, 2s]}", nil, nil},
	} {
		section := ""
		if c.text != "" {
			section = Section + ": " + c.text
		}
		got, err := load(t, section)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if r := got.Limit.Rates; !slices.Equal(r.Limits, c.limits) || !slices.Equal(r.Intervals, c.intervals) || got.RatesSet != (c.text != "") {
			t.Errorf("%s: %+v", c.text, r)
		}
		if _, ok := got.ReplayLimit(); ok != (c.text != "" && c.limits != nil) {
			t.Errorf("%s: replay limits: %v", c.text, ok)
		}
	}
}
