// Package packages tests what make release makes: in a Debian of its own with a
// systemd of its own, as root. SIPCMBEAT_DIST is the folder with the packages; beside
// it, in build/package, lies what they were made of.
package packages

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// patience is how long a test waits for what must happen.
const patience = 60 * time.Second

const demo = "../captures/demo.pcap"

// dist is the folder with the packages.
func dist(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("SIPCMBEAT_DIST")
	if dir == "" {
		t.Fatal("SIPCMBEAT_DIST is not set; run make package-tests")
	}
	if os.Geteuid() != 0 {
		t.Fatal("a system of its own needs root")
	}
	return dir
}

// made is the one file in dist that fits the pattern.
func made(t *testing.T, pattern string) string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dist(t), pattern))
	if err != nil || len(all) != 1 {
		t.Fatalf("%s: %d files, %v", pattern, len(all), err)
	}
	return all[0]
}

// later makes a package of the same files with a later version, whose configuration
// has another line.
func later(t *testing.T, kind string) string {
	t.Helper()
	work := filepath.Join(dist(t), "../package", runtime.GOARCH)
	dir := t.TempDir()
	must(t, "cp", "-r", work+"/.", dir)
	f, err := os.OpenFile(filepath.Join(dir, "sipcmbeat.yml"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("\n# later\n"); err != nil {
		t.Fatal(err)
	}
	f.Close()
	config, err := filepath.Abs("../../packaging/nfpm.yaml")
	if err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(t.TempDir(), "later."+kind)
	c := exec.Command(filepath.Join(work, "../nfpm"), "package", "--config", config, "--packager", kind, "--target", target)
	c.Dir = dir
	c.Env = append(os.Environ(), "VERSION=99.0.0", "ARCH="+runtime.GOARCH)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("nfpm: %v\n%s", err, out)
	}
	return target
}

// must runs a command and gives its output.
func must(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := try(name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func try(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	out, err := c.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// until asks until the answer is yes.
func until(t *testing.T, what string, yes func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-tick.C {
		if yes() {
			return
		}
	}
	t.Fatalf("not within %v: %s", patience, what)
}

// root is a bare Debian in a folder.
func root(t *testing.T) string {
	t.Helper()
	dist(t)
	c := exec.Command("./base.sh")
	c.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	var said bytes.Buffer
	c.Stderr = &said
	base, err := c.Output()
	if err != nil {
		t.Fatalf("base.sh: %v\n%s", err, &said)
	}
	dir := t.TempDir()
	must(t, "tar", "-C", dir, "--numeric-owner", "-xf", strings.TrimSpace(string(base)))
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// machine is a Debian that runs.
type machine struct {
	root string
	pid  string // of its systemd
}

// boot starts one.
func boot(t *testing.T) *machine {
	t.Helper()
	m := &machine{root: root(t)}
	c := exec.Command("unshare", "-m", "-p", "-f", "-n", "--cgroup", "--uts", "--ipc", "--kill-child", "./boot.sh", m.root)
	var console bytes.Buffer
	c.Stdout, c.Stderr = &console, &console
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill() // and with it everything in its namespace
		_ = c.Wait()
		if t.Failed() {
			t.Logf("the machine's console:\n%s", &console)
		}
	})
	until(t, "a first process", func() bool {
		children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", c.Process.Pid, c.Process.Pid))
		m.pid = strings.TrimSpace(string(children))
		return m.pid != ""
	})
	until(t, "systemd runs", func() bool {
		comm, _ := os.ReadFile("/proc/" + m.pid + "/comm")
		state, _ := m.try("systemctl", "is-system-running")
		return string(comm) == "systemd\n" && state == "running"
	})
	return m
}

func (m *machine) try(args ...string) (string, error) {
	return try("nsenter", append([]string{"-t", m.pid, "-a", "-r", "-w", "env", "DEBIAN_FRONTEND=noninteractive"}, args...)...)
}

func (m *machine) run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := m.try(args...)
	if err != nil {
		journal, _ := m.try("journalctl", "-u", "sipcmbeat", "-o", "cat", "--no-pager", "-n", "30")
		t.Fatalf("%s: %v\n%s\n%s", strings.Join(args, " "), err, out, journal)
	}
	return out
}

// install hands a package over and installs it.
func (m *machine) install(t *testing.T, deb string, flags ...string) {
	t.Helper()
	must(t, "cp", deb, m.root+"/root/sipcmbeat.deb")
	m.run(t, append(append([]string{"dpkg"}, flags...), "-i", "/root/sipcmbeat.deb")...)
}

// property is one of the unit.
func (m *machine) property(name string) string {
	value, _ := m.try("systemctl", "show", "-P", name, "sipcmbeat")
	return value
}

// replay lets the interface lo see the calls of the demonstration.
func (m *machine) replay(t *testing.T) {
	t.Helper()
	must(t, "nsenter", "-t", m.pid, "-n", "tcpreplay", "-q", "-i", "lo", "--mbps=10", demo)
}

// events are the lines that the service has written.
func events(root string) (all string) {
	files, _ := filepath.Glob(root + "/var/lib/sipcmbeat/events/*.ndjson")
	for _, f := range files {
		text, _ := os.ReadFile(f)
		all += string(text)
	}
	return all
}

// settings are a user's, for a capture of lo into a file.
const settings = `# mine
sipcmbeat: {iface: lo, state.interval: 1s, stats_interval: 0}
tags: ["${SECRET:none}", "${SITE:none}"]
output.file: {path: /var/lib/sipcmbeat/events, filename: events}
`

// mode is a file's owner and mode, as stat writes it.
func mode(t *testing.T, root, path string) string {
	t.Helper()
	return must(t, "chroot", root, "stat", "-c", "%U:%G %a", path)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644) // keeps owner and mode
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}
