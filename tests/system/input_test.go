package system

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The ways in which users of the older program name keys.
func TestSettings(t *testing.T) {
	file := all[1]
	for name, args := range map[string][]string{
		"with the prefix":     {"-E", "sipcmbeat.pcap=" + file},
		"without":             {"-E", "pcap=" + file},
		"at recorded speed":   {"-E", "replay=true", "-E", "replay_max_delay=100us", "-E", "pcap=" + file},
		"one argument":        {"-E=pcap=" + file},
		"two dashes":          {"--E", "pcap=" + file},
		"a list":              {"-E", "pcap=[" + file + "]"},
		"a pattern":           {"-E", "pcap=" + captures + "04-*.pcap"},
		"an older key":        {"-E", "pcap=" + file, "-E", "end_wait=5s", "-E", "sipcmbeat.evr_gc_interval=10s"},
		"the log on stderr":   {"-E", "pcap=" + file, "-e"},
		"the command by name": {"run", "-E", "pcap=" + file},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := t.TempDir()
			p := run(t, join(args, toFile(out))...)
			if n := len(written(t, out)); p.code() != 0 || n != 80 {
				t.Errorf("exit %d, %d events: %s", p.code(), n, p.stderr.String())
			}
			if name == "an older key" && (!strings.Contains(p.log(), "sipcmbeat.end_wait is ignored") || !strings.Contains(p.log(), "sipcmbeat.evr_gc_interval is ignored")) {
				t.Errorf("no warning: %s", p.log())
			}
			if name == "the log on stderr" && !strings.Contains(p.stderr.String(), "capture ended after") {
				t.Errorf("stderr: %s", p.stderr.String())
			}
		})
	}
}

// -E counts before and after -c.
func TestSettingsBeforeTheFile(t *testing.T) {
	out := t.TempDir()
	p := setup(t, t.TempDir(), toFile(out)...)
	p.cmd.Args = slices.Insert(p.cmd.Args, 1, reading(all[1])...)
	p.start().wait()
	p.ok()
	same(t, written(t, out), sent(t, all[1]))
}

// The older program's way to ask for readable output.
func TestPretty(t *testing.T) {
	for name, given := range map[string]struct{ file, setting string }{
		"in the file":         {"output.file.pretty: true\n", ""},
		"on the command line": {"", "output.file.pretty=true"},
	} {
		t.Run(name, func(t *testing.T) {
			out, dir := t.TempDir(), t.TempDir()
			more := filepath.Join(dir, "more.yml")
			if err := os.WriteFile(more, []byte(given.file+"tags: [x]\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			args := join(reading(all[1]), toFile(out), []string{"-c", more})
			if given.setting != "" {
				args = append(args, "-E", given.setting)
			}
			p := setup(t, dir, args...).start()
			p.wait()
			p.ok()
			files := glob(t, filepath.Join(out, "*"))
			if len(files) != 1 {
				t.Fatal(files)
			}
			text, err := os.ReadFile(files[0])
			if err != nil || !strings.HasPrefix(string(text), "{\n  \"@timestamp\"") {
				t.Errorf("%v: %.60q", err, text)
			}
		})
	}
}

// A capture that is not what it should be: what came before the damage is
// delivered, one line says what is wrong, and the exit status is 1.
func TestDamagedCaptures(t *testing.T) {
	good, err := os.ReadFile(all[1])
	if err != nil {
		t.Fatal(err)
	}
	link := slices.Clone(good)
	binary.LittleEndian.PutUint32(link[20:], 147)
	for name, c := range map[string]struct {
		text []byte
		line string
		want int // at least so many events
	}{
		"missing": {nil, `open capture "`, 0},
		"empty":   {[]byte{}, "empty file", 0},
		"text":    {[]byte("This is no capture."), "is no capture file", 0},
		"cut":     {good[:len(good)-100], "read capture", 78},
		"link":    {link, "link type 147 is not supported", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, path := t.TempDir(), filepath.Join(t.TempDir(), "in.pcap")
			if c.text != nil {
				if err := os.WriteFile(path, c.text, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			p := run(t, join(reading(path), toFile(out))...)
			p.said(c.line)
			p.said(path)
			if n := len(written(t, out)); n < c.want {
				t.Errorf("%d events, want %d", n, c.want)
			}
		})
	}
}

// What stops a start says in one line what to do.
func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		line string
	}{
		"unknown key":  {[]string{"-E", "sipcmbeat.pcaps=x"}, `sipcmbeat.pcaps ("x") is no key of this version; did you mean sipcmbeat.pcap?`},
		"wrong value":  {[]string{"-E", "pcap_loop=often"}, `sipcmbeat.pcap_loop: "often" is not allowed; allowed: whole numbers, how often, 0 (once), -1 for ever`},
		"two sources":  {[]string{"-E", "iface=lo", "-E", "pcap=" + all[1]}, "sipcmbeat.pcap (" + all[1] + ") and sipcmbeat.iface (lo) are both set"},
		"no interface": {[]string{"-E", "iface=nowhere0"}, `open interface "nowhere0": `},
		"two outputs":  {[]string{"-E", "output.console.enabled=true"}, "more than one namespace configured"},
		"filter":       {[]string{"-E", "iface=lo", "-E", "bpf=port and"}, `sipcmbeat.bpf: "port and"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, c.args...).said(c.line)
		})
	}
}

// libbeat refuses a configuration that others may write, and says how to mend it.
func TestOpenConfiguration(t *testing.T) {
	p := setup(t, t.TempDir(), reading(all[1])...)
	if err := os.Chmod(filepath.Join(p.dir, "sipcmbeat.yml"), 0o664); err != nil {
		t.Fatal(err)
	}
	p.start().wait()
	p.said("chmod go-w")
}
