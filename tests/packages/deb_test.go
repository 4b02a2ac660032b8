package packages

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestDeb is the life of an installation: install, configure, start, a hang, an upgrade,
// remove, purge.
func TestDeb(t *testing.T) {
	m := boot(t)
	m.install(t, made(t, "*.deb"))
	if got, _ := m.try("systemctl", "is-active", "sipcmbeat"); got != "inactive" {
		t.Errorf("after the installation it is %s; it has no output yet", got)
	}
	for path, want := range map[string]string{
		"/etc/sipcmbeat":               "root:sipcmbeat 750",
		"/etc/sipcmbeat/sipcmbeat.yml": "root:sipcmbeat 640",
		"/var/lib/sipcmbeat":           "sipcmbeat:sipcmbeat 750",
		"/var/log/sipcmbeat":           "sipcmbeat:sipcmbeat 750",
		"/usr/bin/sipcmbeat":           "root:root 755",
	} {
		if got := mode(t, m.root, path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	m.run(t, "sipcmbeat", "test", "config") // as shipped; root leaves files, which the service has to get over
	if out, err := m.try("systemd-analyze", "verify", "--man=no", "/usr/lib/systemd/system/sipcmbeat.service"); err != nil || strings.Contains(out, "sipcmbeat") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	score(t, m)

	write(t, m.root+"/etc/sipcmbeat/sipcmbeat.yml", settings)
	m.run(t, "sipcmbeat", "keystore", "create")
	m.run(t, "sh", "-c", "echo stored | sipcmbeat keystore add SECRET --stdin")
	write(t, m.root+"/etc/sipcmbeat/environment", "SITE=from-environment\n")
	m.run(t, "systemctl", "enable", "--now", "sipcmbeat")
	confined(t, m)
	m.replay(t)
	until(t, "a call in the file", func() bool { return strings.Contains(events(m.root), `"call-start"`) })
	for _, want := range []string{`"stored"`, `"from-environment"`} {
		if !strings.Contains(events(m.root), want) {
			t.Errorf("%s is in no event", want)
		}
	}
	if left := m.run(t, "find", "/var/lib/sipcmbeat", "-not", "-user", "sipcmbeat"); left != "" {
		t.Errorf("not the service's: %s", left)
	}
	reload(t, m)
	elsewhere(t, m)
	hang(t, m)

	before := m.property("MainPID")
	m.install(t, later(t, "deb"), "--force-confdef", "--force-confold")
	if now := m.property("MainPID"); now == before || m.property("ActiveState") != "active" {
		t.Errorf("after the upgrade process %s, before %s, %s", now, before, m.property("ActiveState"))
	}
	kept(t, m.root, "root:sipcmbeat 640")
	if said := m.run(t, "journalctl", "-u", "sipcmbeat", "-o", "cat", "--no-pager"); !strings.Contains(said, "took up ") {
		t.Errorf("the state was not taken up:\n%s", said)
	}

	m.run(t, "dpkg", "-r", "sipcmbeat")
	kept(t, m.root, "root:sipcmbeat 640")
	if got, _ := m.try("systemctl", "is-active", "sipcmbeat"); got == "active" {
		t.Error("it runs after it was removed")
	}
	if _, err := os.Stat(m.root + "/usr/lib/sipcmbeat"); err == nil {
		t.Error("the program is still there")
	}
	if events(m.root) == "" {
		t.Error("data went with the program")
	}
	m.run(t, "dpkg", "-P", "sipcmbeat")
	if left := m.run(t, "find", "/etc", "/usr", "/var/lib", "/var/log", "-name", "*sipcmbeat*"); left != "" {
		t.Errorf("left after the purge: %s", left)
	}
}

// kept looks whether the user's configuration is as he left it.
func kept(t *testing.T, root, want string) {
	t.Helper()
	const path = "/etc/sipcmbeat/sipcmbeat.yml"
	if text, err := os.ReadFile(root + path); err != nil || string(text) != settings {
		t.Errorf("the configuration was not kept: %v\n%s", err, text)
	}
	if got := mode(t, root, path); got != want {
		t.Errorf("%s is %s, want %s", path, got, want)
	}
}

// confined looks at what the process may do: one capability, no more.
func confined(t *testing.T, m *machine) {
	t.Helper()
	status := m.run(t, "cat", "/proc/"+m.property("MainPID")+"/status")
	uid := m.run(t, "id", "-u", "sipcmbeat")
	for _, want := range []string{
		"Uid:\t" + uid + "\t" + uid, "CapEff:\t0000000000002000", "CapBnd:\t0000000000002000", "NoNewPrivs:\t1", "Seccomp:\t2",
	} {
		if !strings.Contains(status, want) {
			t.Errorf("%q is not in\n%s", want, status)
		}
	}
	if got := m.property("StatusText"); got != "running" {
		t.Errorf("systemctl status shows %q", got)
	}
	if said := m.run(t, "journalctl", "-u", "sipcmbeat", "-o", "cat", "--no-pager"); strings.Contains(said, `"log.level":"error"`) ||
		strings.Contains(said, "could not be installed") || !strings.Contains(said, "capturing from lo") {
		t.Errorf("the log:\n%s", said)
	}
}

// reload takes up what has changed, a new secret too, in the same process; what is wrong
// it refuses and says so.
func reload(t *testing.T, m *machine) {
	t.Helper()
	const path = "/etc/sipcmbeat/sipcmbeat.yml"
	pid := m.property("MainPID")
	m.run(t, "sh", "-c", "echo 4711 | runuser -u sipcmbeat -- sipcmbeat keystore add NUMBER --stdin")
	log := func() string { return m.run(t, "journalctl", "-u", "sipcmbeat", "-o", "cat", "--no-pager") }
	for _, step := range []struct{ more, log, status string }{
		{"sipcmbeat.numbers.emergency: [\"${NUMBER}\"]\nsipcmbeat.snaplen: 1000\n",
			"in effect now: sipcmbeat.numbers.emergency; different in the configuration, and in effect after a restart only: sipcmbeat.snaplen", "running"},
		{"sipcmbeat.ports: none\n", "sipcmbeat.ports: an empty list is not allowed", "running as before; the reload was refused"},
		{"", "in effect now: sipcmbeat.numbers.emergency", "running"},
	} {
		write(t, m.root+path, settings+step.more)
		m.run(t, "systemctl", "reload", "sipcmbeat")
		until(t, step.log, func() bool { return strings.Contains(log(), step.log) })
		until(t, "status "+step.status, func() bool {
			return m.property("ActiveState") == "active" && strings.HasPrefix(m.property("StatusText"), step.status)
		})
	}
	if now := m.property("MainPID"); now != pid || m.property("NRestarts") != "0" {
		t.Errorf("process %s, before the reload %s", now, pid)
	}
}

// elsewhere: a folder outside of its own needs a line in a drop-in.
func elsewhere(t *testing.T, m *machine) {
	t.Helper()
	const dropIn = "/etc/systemd/system/sipcmbeat.service.d"
	m.run(t, "install", "-d", "-o", "sipcmbeat", "-g", "sipcmbeat", "-m", "0750", "/srv/sip")
	touch := func() string { // as the service, where it looks from
		out, _ := m.try("nsenter", "-t", m.property("MainPID"), "-m", "-r", "-w", "setpriv", "--reuid=sipcmbeat", "--regid=sipcmbeat", "--clear-groups",
			"touch", "/srv/sip/file")
		return out
	}
	if out := touch(); !strings.Contains(out, "Read-only file system") {
		t.Errorf("the service can write to /srv/sip: %s", out)
	}
	write(t, m.root+dropIn+"/override.conf", "[Service]\nReadWritePaths=/srv/sip\n")
	m.run(t, "systemctl", "daemon-reload")
	m.run(t, "systemctl", "restart", "sipcmbeat")
	if out := touch(); out != "" {
		t.Errorf("with ReadWritePaths: %s", out)
	}
	m.run(t, "rm", "-r", dropIn)
	m.run(t, "systemctl", "daemon-reload")
}

// hang stops the process: no sign of life, so systemd ends it and starts it again.
func hang(t *testing.T, m *machine) {
	t.Helper()
	write(t, m.root+"/etc/systemd/system/sipcmbeat.service.d/short.conf", "[Service]\nWatchdogSec=2\nTimeoutAbortSec=1\nRestartSec=0\n")
	m.run(t, "systemctl", "daemon-reload")
	m.run(t, "systemctl", "restart", "sipcmbeat")
	first := m.property("WatchdogTimestampMonotonic")
	until(t, "a sign of life on a quiet link", func() bool { return m.property("WatchdogTimestampMonotonic") != first })
	pid := m.property("MainPID")
	m.run(t, "systemctl", "kill", "--kill-who=main", "--signal=STOP", "sipcmbeat")
	until(t, "a restart by the watchdog", func() bool {
		return m.property("NRestarts") == "1" && m.property("ActiveState") == "active" && m.property("MainPID") != pid
	})
	if said := m.run(t, "journalctl", "-u", "sipcmbeat", "-o", "cat", "--no-pager"); !strings.Contains(said, "SIGABRT: abort\n") ||
		!strings.Contains(said, "engine.(*Engine).runLive") {
		t.Errorf("the journal does not say where it hung:\n%s", said)
	}
	m.run(t, "rm", "-r", "/etc/systemd/system/sipcmbeat.service.d")
	m.run(t, "systemctl", "daemon-reload")
}

// score holds the exposure that docs/install.md states.
func score(t *testing.T, m *machine) {
	t.Helper()
	out := m.run(t, "systemd-analyze", "security", "--offline=true", "--no-pager", "/usr/lib/systemd/system/sipcmbeat.service")
	found := regexp.MustCompile(`Overall exposure level for sipcmbeat.service: ([0-9.]+)`).FindStringSubmatch(out)
	if found == nil {
		t.Fatalf("systemd-analyze security gives no level:\n%s", out)
	}
	if level, err := strconv.ParseFloat(found[1], 64); err != nil || level > 2 {
		t.Errorf("exposure %s:\n%s", found[1], out)
	}
	page, err := os.ReadFile("../../docs/install.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "exposure level "+found[1]) {
		t.Errorf("docs/install.md does not state the exposure level %s", found[1])
	}
}
