package packages

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// command is what the unit starts.
func command(t *testing.T) []string {
	t.Helper()
	unit, err := os.ReadFile("../../packaging/sipcmbeat.service")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^ExecStart=(.*)$`).FindStringSubmatch(string(unit))
	if found == nil {
		t.Fatal("the unit starts nothing")
	}
	return strings.Fields(found[1])
}

// TestRPM installs into a tree without systemd, and starts the unit's command as its
// user with its capability. The tree is Debian's: that Red Hat's has what is asked for
// is looked up by its names.
func TestRPM(t *testing.T) {
	file := made(t, "*.rpm")
	dir := root(t)
	files := strings.Split(must(t, "rpm", "-qpl", file), "\n")
	for _, want := range []string{
		"/etc/sipcmbeat/sipcmbeat.yml", "/usr/bin/sipcmbeat", "/usr/lib/sipcmbeat/sipcmbeat", "/usr/lib/systemd/system/sipcmbeat.service",
		"/usr/lib/sysusers.d/sipcmbeat.conf", "/usr/share/man/man1/sipcmbeat.1.gz", "/usr/share/zsh/site-functions/_sipcmbeat",
		"/usr/share/doc/sipcmbeat/LICENSE", "/usr/share/doc/sipcmbeat/third-party-licences.gz", "/var/lib/sipcmbeat",
	} {
		if !slices.Contains(files, want) {
			t.Errorf("%s is not in the package", want)
		}
	}
	if got := must(t, "rpm", "-qpc", file); got != "/etc/sipcmbeat/sipcmbeat.yml" {
		t.Errorf("configuration files: %s", got)
	}
	if got := must(t, "rpm", "-qpR", file); !strings.Contains(got, "glibc >= 2.34") || strings.Contains(got, "pcap") || strings.Contains(got, "dbus") {
		t.Errorf("it asks for\n%s", got)
	}
	rpm := func(args ...string) {
		t.Helper()
		must(t, "rpm", append([]string{"--root", dir, "--dbpath", "/var/lib/rpm", "--nodeps"}, args...)...)
	}
	rpm("-i", file)
	for path, want := range map[string]string{
		"/etc/sipcmbeat":               "root:sipcmbeat 750",
		"/etc/sipcmbeat/sipcmbeat.yml": "root:sipcmbeat 640",
		"/var/lib/sipcmbeat":           "sipcmbeat:sipcmbeat 750",
		"/var/log/sipcmbeat":           "sipcmbeat:sipcmbeat 750",
	} {
		if got := mode(t, dir, path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	write(t, dir+"/etc/sipcmbeat/sipcmbeat.yml", settings)
	serve(t, dir)
	rpm("-U", later(t, "rpm"))
	kept(t, dir, "root:sipcmbeat 640")
	if _, err := os.Stat(dir + "/etc/sipcmbeat/sipcmbeat.yml.rpmnew"); err != nil {
		t.Errorf("the new configuration is not beside the user's: %v", err)
	}
	rpm("-e", "sipcmbeat")
	if _, err := os.Stat(dir + "/etc/sipcmbeat/sipcmbeat.yml.rpmsave"); err != nil {
		t.Errorf("the user's configuration went: %v", err)
	}
	if left := must(t, "find", dir+"/usr", "-name", "*sipcmbeat*"); left != "" {
		t.Errorf("left: %s", left)
	}
	if events(dir) == "" {
		t.Error("data went with the program")
	}
}

// serve runs what the unit runs until there is a call in the file.
func serve(t *testing.T, dir string) {
	t.Helper()
	setup := `mount -t proc proc "$0/proc"; mount --bind /dev "$0/dev"; ip link set lo up; exec chroot "$0" setpriv --reuid=sipcmbeat --regid=sipcmbeat --clear-groups --inh-caps=-all,+net_raw --ambient-caps=-all,+net_raw --bounding-set=-all,+net_raw --no-new-privs "$@"`
	c := exec.Command("unshare", append([]string{"-m", "-n", "sh", "-ec", setup, dir}, command(t)...)...)
	log, err := os.Create(dir + "/root/log")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	c.Stdout, c.Stderr = log, log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	t.Cleanup(func() { _ = c.Process.Kill() })
	said := func() string {
		text, _ := os.ReadFile(dir + "/root/log")
		return string(text)
	}
	until(t, "a capture", func() bool {
		select {
		case err := <-ended:
			t.Fatalf("it ended: %v\n%s", err, said())
		default:
		}
		return strings.Contains(said(), "capturing from lo")
	})
	must(t, "nsenter", "-t", pidText(c), "-n", "tcpreplay", "-q", "-i", "lo", "--mbps=10", demo)
	until(t, "a call in the file", func() bool { return strings.Contains(events(dir), `"call-start"`) })
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("the end: %v\n%s", err, said())
		}
	case <-time.After(patience):
		t.Errorf("it does not end:\n%s", said())
	}
}
