// Package integration watches real programs with the real binary: SIPp, Kamailio
// and the kernel's tunnels, live on an interface or sent as HEP. The events have to
// equal what those programs counted themselves.
//
// The whole suite runs in a process, mount and network namespace of its own: the
// processes it starts, the network namespaces it makes and the files it writes are
// in there, and the kernel takes all of them away when the suite ends, however it
// ends. In it each scenario has network namespaces of its own (room), so that every
// port is free.
//
// It needs root, the programs that `make integration` installs and a built binary;
// where one is missing it says so, and fails when CI=true.
package integration

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// enclosed is set in the environment of the suite's inner process.
const enclosed = "SIPCMBEAT_INTEGRATION_ENCLOSED"

// runDir is where everything of the suite stands, on a file system in memory.
const runDir = "/run/tmp"

// missing says why nothing can run here.
var missing string

func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv(enclosed) != "" {
		if err := furnish(); err != nil {
			missing = err.Error()
		}
		code := m.Run()
		if left := leftovers(); len(left) > 0 {
			fmt.Printf("integration: left running: %s\n", strings.Join(left, "; "))
			code = 1
		}
		os.Exit(code)
	}
	if missing = lacking(); missing != "" || flag.Lookup("test.list").Value.String() != "" {
		os.Exit(m.Run())
	}
	os.Exit(enclose())
}

// lacking names what the suite cannot do without.
func lacking() string {
	if os.Getuid() != 0 {
		return "needs root for namespaces and for capturing"
	}
	binary := os.Getenv("SIPCMBEAT_BINARY")
	if _, err := os.Stat(binary); binary == "" || err != nil {
		return "SIPCMBEAT_BINARY names no program"
	}
	for _, tool := range []string{"ip", "ethtool", "sipp", "kamailio", "tcpreplay", "ovs-vswitchd"} {
		if _, err := exec.LookPath(tool); err != nil {
			return "needs " + tool
		}
	}
	return ""
}

// enclose runs this program again in namespaces of its own and returns its exit
// code. When this process dies the inner one is killed, and with it, as the first
// of its namespace, every process in there.
func enclose() int {
	runtime.LockOSThread() // Pdeathsig is sent when the thread ends
	c := exec.Command("/proc/self/exe", os.Args[1:]...)
	c.Env = append(os.Environ(), enclosed+"=1")
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET,
		Pdeathsig:  syscall.SIGKILL,
	}
	err := c.Run()
	if c.ProcessState == nil {
		fmt.Printf("integration: no namespaces here: %v\n", err)
		return 1
	}
	if code := c.ProcessState.ExitCode(); code >= 0 {
		return code
	}
	fmt.Printf("integration: %v\n", err)
	return 1
}

// furnish gives the namespace its own /proc and its own /run.
func furnish() error {
	for _, m := range []struct {
		kind, at string
		flags    uintptr
	}{
		{"", "/", syscall.MS_REC | syscall.MS_PRIVATE},
		{"proc", "/proc", 0},
		{"tmpfs", "/run", 0},
	} {
		if err := syscall.Mount(m.kind, m.at, m.kind, m.flags, ""); err != nil {
			return fmt.Errorf("mount %s at %s: %w", m.kind, m.at, err)
		}
	}
	if err := os.MkdirAll(runDir, 0o755); err != nil {
		return err
	}
	return os.Setenv("TMPDIR", runDir)
}

// leftovers are the processes that live when all tests are over, which is a fault
// of a test: each ends its own. What was handed to us as the first process of the
// namespace is collected on the way.
func leftovers() (left []string) {
	for range 20 {
		left = nil
		dirs, _ := filepath.Glob("/proc/[0-9]*")
		for _, dir := range dirs {
			if filepath.Base(dir) == "1" {
				continue
			}
			line, _ := os.ReadFile(dir + "/cmdline") // empty: it ended and waits to be collected
			if name := strings.TrimSpace(strings.ReplaceAll(string(line), "\x00", " ")); name != "" {
				left = append(left, name)
			}
		}
		if len(left) == 0 {
			return nil
		}
		<-time.After(100 * time.Millisecond)
	}
	return left
}

// stop skips, or fails where nothing may be skipped.
func stop(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// lacks skips what this machine's kernel cannot do. Such a skip is no failure in
// CI, so its name has to stand, with the reason, in the list of allowed ones.
func lacks(t *testing.T, why string) {
	t.Helper()
	list, err := os.ReadFile("../allowed-skips.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(list)) {
		if name, _, _ := strings.Cut(line, " "); name == t.Name() {
			t.Skip("not on this kernel: " + why)
		}
	}
	t.Fatalf("%s; %s is not in allowed-skips.txt", why, t.Name())
}
