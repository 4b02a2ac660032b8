package cmd

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/elastic/beats/v7/libbeat/cfgfile"
	conf "github.com/elastic/elastic-agent-libs/config"
)

func TestOwnSettings(t *testing.T) {
	for given, want := range map[string]string{
		"-E replay=true -E pcap=a.pcap -e": "-E sipcmbeat.replay=true -E sipcmbeat.pcap=a.pcap -e",
		"-c x.yml -E pcap=a -c y.yml":      "-c x.yml -E sipcmbeat.pcap=a -c y.yml",
		"-E=pcap=a":                        "-E=sipcmbeat.pcap=a",
		"--E=pcap=a":                       "--E=sipcmbeat.pcap=a",
		"--E pcap=a":                       "--E sipcmbeat.pcap=a",
		"run -E calls_timeouts.invite=5s":  "run -E sipcmbeat.calls_timeouts.invite=5s",
		"-E calls_timeouts={invite: 5s}":   "-E sipcmbeat.calls_timeouts={invite: 5s}",
		"-E replay":                        "-E sipcmbeat.replay",
		"-E inputs.0={type: hep}":          "-E sipcmbeat.inputs.0={type: hep}",
		"-E log_level=5":                   "-E sipcmbeat.log_level=5",
		"-E sipcmbeat.pcap=a":              "-E sipcmbeat.pcap=a",
		"-E output.file.enabled=true -E name=x -E tags=[a]": "-E output.file.enabled=true -E name=x -E tags=[a]",
		"-E output.file.pretty=true":                        "-E output.file.codec.json.pretty=true",
		"-E pcap=a=b.pcap":                                  "-E sipcmbeat.pcap=a=b.pcap",
		"replay -- -E pcap=a":                               "replay -- -E pcap=a",
		"-E":                                                "-E",
		"-Epcap=a":                                          "-Esipcmbeat.pcap=a",
		"-eE pcap=a":                                        "-eE sipcmbeat.pcap=a",
		"-evE=pcap=a -eEpcap=a":                             "-evE=sipcmbeat.pcap=a -eEsipcmbeat.pcap=a",
		"--Else=1 --E=pcap=a":                               "--Else=1 --E=sipcmbeat.pcap=a",
		"-E unknown=1":                                      "-E unknown=1",
	} {
		args := append([]string{"sipcmbeat"}, split(given)...)
		out, err := ownSettings(args)
		if err != nil {
			t.Errorf("%s: %v", given, err)
			continue
		}
		if got := strings.Join(out[1:], " "); got != want {
			t.Errorf("%s\ngives %s\nwant  %s", given, got, want)
		}
	}
}

// A key that would be ignored, and is nearly one of ours.
func TestMisspeltSettings(t *testing.T) {
	for given, want := range map[string]string{
		"-E pcpa=x.pcap":              "-E pcpa=x.pcap: pcpa is no setting; did you mean sipcmbeat.pcap?",
		"-eEportz=1":                  "-E portz=1: portz is no setting; did you mean sipcmbeat.ports?",
		"-E=portz=1":                  "-E portz=1: portz is no setting; did you mean sipcmbeat.ports?",
		"replay x -E pcpa=5":          "-E pcpa=5: pcpa is no setting; did you mean sipcmbeat.pcap?",
		"-E calls_timeout.invite=1s":  "-E calls_timeout.invite=1s: calls_timeout.invite is no setting; did you mean sipcmbeat.calls_timeouts.invite?",
		"-E input.0.type=hep":         "-E input.0.type=hep: input.0.type is no setting; did you mean sipcmbeat.inputs.type?",
		"-e --E sipcmbeta.pcap=x -E=": "-E sipcmbeta.pcap=x: sipcmbeta is no section; did you mean sipcmbeat?",
		"-E outptu.file.enabled=true": "-E outptu.file.enabled=true: outptu is no section; did you mean output?",
		"-E loging.level=debug":       "-E loging.level=debug: loging is no section; did you mean logging?",
	} {
		_, err := ownSettings(append([]string{"sipcmbeat"}, split(given)...))
		var usage usageError
		if err == nil || err.Error() != want || !errors.As(err, &usage) {
			t.Errorf("%s: %v\nwant %s", given, err, want)
		}
	}
	// What libbeat has, and what is like nothing of ours.
	for _, name := range append(slices.Clone(topLevel), "unknown", "apm.enabled", "queue.mem.events", "output.file.path") {
		if _, err := ownSettings([]string{"-E", name + "=1"}); err != nil {
			t.Error(err)
		}
	}
}

// A section of libbeat's that is misspelt in a file would be ignored without a word.
func TestMisspeltSections(t *testing.T) {
	for name, want := range map[string]string{
		"sipcmbaet": "sipcmbeat", "outputs": "output", "outptu": "output", "Output": "output", "loging": "logging",
		"queues": "queue", "procesors": "processors", "tag": "tags",
		"output": "", "tags": "", "unknown": "", "apm": "", "site": "", "es_host": "",
	} {
		err := checkNames(conf.MustNewConfigFrom(map[string]any{name: map[string]any{"x": 1}}))
		if got := fmt.Sprint(err); want == "" && err != nil || want != "" && got != name+" is no section; did you mean "+want+"?" {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

// The help of setup names what it does, and nothing that is not there.
func TestSetupHelp(t *testing.T) {
	setup := newRoot().SetupCmd
	text := setup.Short + setup.Long + setup.UsageString()
	for _, word := range []string{"filesets", "ipelines", "ML jobs", "rollover alias", "6.5"} {
		if strings.Contains(text, word) {
			t.Errorf("tells of %s:\n%s", word, text)
		}
	}
	for _, word := range []string{"index template", "--dashboards", "--index-management", "setup.ilm.overwrite"} {
		if !strings.Contains(text, word) {
			t.Errorf("is silent about %s:\n%s", word, text)
		}
	}
}

// split takes a command line apart; braces keep their blanks.
func split(line string) []string {
	deep := 0
	return strings.FieldsFunc(line, func(r rune) bool {
		switch r {
		case '{':
			deep++
		case '}':
			deep--
		}
		return r == ' ' && deep == 0
	})
}

// merged is what libbeat makes of a file and our defaults.
func merged(t *testing.T, file string) *conf.C {
	t.Helper()
	c, err := conf.NewConfigFrom(file)
	if err != nil {
		t.Fatal(err)
	}
	all := conf.NewConfig()
	for _, o := range defaults() {
		if o.Check(c) {
			if all, err = conf.MergeConfigs(all, o.Config); err != nil {
				t.Fatal(err)
			}
		}
	}
	if all, err = conf.MergeConfigs(all, c); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestDefaults(t *testing.T) {
	cfgfile.Initialize()
	const always = "logging.metrics.enabled timestamp.precision setup.template.settings.index.mapping.total_fields.limit"
	for file, want := range map[string]string{
		"":                                always + " queue.mem.flush.timeout",
		"output.elasticsearch.hosts: [a]": always + " queue.mem.flush.timeout output.elasticsearch.hosts.0",
		"output.file.path: /x": always + " queue.mem.flush.timeout output.file.path " +
			"output.file.rotate_every_kb output.file.number_of_files",
		"queue.disk.max_size: 1GB":                      always + " queue.disk.max_size",
		"queue.mem.events: 100":                         always + " queue.mem.flush.timeout queue.mem.events",
		"output.elasticsearch.queue.disk.max_size: 1GB": always + " output.elasticsearch.queue.disk.max_size",
		"output.file: {path: /x, pretty: true}": always + " queue.mem.flush.timeout output.file.path output.file.pretty " +
			"output.file.rotate_every_kb output.file.number_of_files output.file.codec.json.pretty",
	} {
		keys := strings.Fields(want)
		slices.Sort(keys)
		if got := merged(t, file).FlattenedKeys(); !slices.Equal(got, keys) {
			t.Errorf("%q\ngives %v\nwant  %v", file, got, keys)
		}
	}
	c := merged(t, "timestamp.precision: millisecond\noutput.file: {path: /x, rotate_every_kb: 5}\nqueue.mem.flush.timeout: 3s")
	for key, want := range map[string]string{
		"timestamp.precision": "millisecond", "output.file.rotate_every_kb": "5", "queue.mem.flush.timeout": "3s",
	} {
		if got, err := c.String(key, -1); err != nil || got != want {
			t.Errorf("%s is %q, not the user's %s: %v", key, got, want, err)
		}
	}
}

// What doctor hands on to the trial of the output.
func TestSettingsOf(t *testing.T) {
	for given, want := range map[string]string{
		"doctor -i eth0 -c a.yml -E x=1 --for 5s":     "-c a.yml -E x=1",
		"-ca.yml -Ex=1 -eEx=2 -eE x=3 -c=b -E=x=4":    "-ca.yml -Ex=1 -eEx=2 -eE x=3 -c=b -E=x=4",
		"--c a --E x=1 --E=y=1 --count 2 --Else=1":    "--c a --E x=1 --E=y=1",
		"--strict.perms=false --path.home /x":         "--strict.perms=false --path.home /x",
		"--path.config=/y --strict.perms a.pcap -v c": "--path.config=/y --strict.perms",
	} {
		if got := strings.Join(settingsOf(split(given)), " "); got != want {
			t.Errorf("%s\ngives %s\nwant  %s", given, got, want)
		}
	}
}
