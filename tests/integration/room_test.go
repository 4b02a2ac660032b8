package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// room is a network namespace, and a directory for the files of what runs in it.
// Only its loopback interface is up.
type room struct {
	t    *testing.T
	name string
	dir  string
}

var rooms atomic.Int32

// newRoom makes a room for the length of a test, or skips it where none can be.
func newRoom(t *testing.T) *room {
	t.Helper()
	if missing != "" {
		stop(t, missing+"; run make integration as root")
	}
	r := &room{t: t, name: fmt.Sprintf("room%d", rooms.Add(1)), dir: t.TempDir()}
	if out, err := exec.Command("ip", "netns", "add", r.name).CombinedOutput(); err != nil {
		stop(t, fmt.Sprintf("no network namespace: %s", out))
	}
	t.Cleanup(func() { exec.Command("ip", "netns", "del", r.name).Run() })
	r.ip("link", "set", "lo", "up")
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("lost in %s: %s", r.name, r.losses())
		}
	})
	return r
}

// ip runs iproute2 in the room.
func (r *room) ip(args ...string) {
	r.t.Helper()
	if out, err := r.tryIP(args...); err != nil {
		r.t.Fatalf("ip %s: %s", strings.Join(args, " "), out)
	}
}

func (r *room) tryIP(args ...string) (string, error) {
	out, err := exec.Command("ip", append([]string{"-n", r.name}, args...)...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// run runs a program in the room to its end.
func (r *room) run(args ...string) string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", r.name}, args...)...)
	c.Dir = r.dir
	out, err := c.CombinedOutput()
	if err != nil {
		r.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// inside calls f on a thread that is in the room: the sockets that it makes are the
// room's.
func (r *room) inside(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with this
		space, err := os.Open("/run/netns/" + r.name)
		if err == nil {
			err = unix.Setns(int(space.Fd()), unix.CLONE_NEWNET)
			space.Close()
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

// bound tells whether something has the port: udp, or listens on tcp.
func (r *room) bound(network string, port int) bool {
	want := fmt.Sprintf(":%04X", port)
	found := false
	err := r.inside(func() error {
		for _, six := range []string{"", "6"} {
			table, err := os.ReadFile("/proc/thread-self/net/" + network + six)
			if err != nil {
				return err
			}
			for line := range strings.Lines(string(table)) {
				f := strings.Fields(line)
				found = found || len(f) > 3 && strings.HasSuffix(f[1], want) && (network == "udp" || f[3] == "0A")
			}
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return found
}

// await waits until p has the ports, each written udp/5060.
func (r *room) await(p *process, ports ...string) {
	r.t.Helper()
	for _, at := range ports {
		network, number, _ := strings.Cut(at, "/")
		var port int
		fmt.Sscan(number, &port)
		within(r.t, 15*time.Second, func() bool { return p.ended() || r.bound(network, port) })
		if p.ended() || !r.bound(network, port) {
			r.t.Fatalf("%s has not got %s:\n%s", p.name, at, tail(p.said()))
		}
	}
}

// send sends a datagram from the room.
func (r *room) send(to, text string) {
	r.inside(func() error {
		addr, err := net.ResolveUDPAddr("udp", to)
		if err != nil {
			return err
		}
		c, err := net.DialUDP("udp", nil, addr)
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Write([]byte(text))
		return err
	})
}

// counters are the numbers of the room's IP stack, by names such as IpFragCreates
// and Ip6FragCreates.
func (r *room) counters() map[string]int {
	var four, six []byte
	if err := r.inside(func() (err error) {
		if four, err = os.ReadFile("/proc/thread-self/net/snmp"); err == nil {
			six, err = os.ReadFile("/proc/thread-self/net/snmp6")
		}
		return err
	}); err != nil {
		r.t.Fatal(err)
	}
	all := map[string]int{}
	lines := strings.Split(string(four), "\n") // a line of names, then one of numbers
	for i := 0; i+1 < len(lines); i += 2 {
		names, numbers := strings.Fields(lines[i]), strings.Fields(lines[i+1])
		for k := 1; k < len(names); k++ {
			all[strings.TrimSuffix(names[0], ":")+names[k]], _ = strconv.Atoi(numbers[k])
		}
	}
	for line := range strings.Lines(string(six)) {
		f := strings.Fields(line)
		all[f[0]], _ = strconv.Atoi(f[1])
	}
	return all
}

// losses are the counters that say why a packet was lost on the way between
// programs, for who asks why a call failed.
func (r *room) losses() string {
	var parts []string
	for name, n := range r.counters() {
		if n > 0 && (strings.Contains(name, "Error") || strings.Contains(name, "Discard") || strings.Contains(name, "Fail") || strings.Contains(name, "Timeout") || strings.Contains(name, "NoRoute")) {
			parts = append(parts, fmt.Sprintf("%s %d", name, n))
		}
	}
	sort.Strings(parts)
	return strings.Join(parts, ", ")
}

// process is a program in a room, ended by its own id.
type process struct {
	*exec.Cmd
	name string
	out  output
	done chan struct{} // closed when it ended
	err  error
}

// output is what a program says, to be read while it runs.
type output struct {
	sync.Mutex
	bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.Lock()
	defer o.Unlock()
	return o.Buffer.Write(b)
}

func (p *process) said() string {
	p.out.Lock()
	defer p.out.Unlock()
	return p.out.String()
}

// start starts a program in the room, which ends with the test at the latest.
func (r *room) start(args ...string) *process {
	r.t.Helper()
	p := &process{Cmd: exec.Command("ip", append([]string{"netns", "exec", r.name}, args...)...), name: args[0], done: make(chan struct{})}
	p.Stdout, p.Stderr, p.Dir = &p.out, &p.out, r.dir
	if err := p.Start(); err != nil {
		r.t.Fatalf("start %s: %v", p.name, err)
	}
	go func() {
		p.err = p.Wait()
		close(p.done)
	}()
	r.t.Cleanup(func() { p.end(syscall.SIGTERM) })
	return p
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// end asks the process to end, and kills it when it does not within ten seconds.
func (p *process) end(sig syscall.Signal) error {
	if !p.ended() {
		p.Process.Signal(sig)
	}
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		p.Process.Kill()
		<-p.done
	}
	return p.err
}

// wait waits for the process to end by itself.
func (p *process) wait(t *testing.T, limit time.Duration) {
	t.Helper()
	select {
	case <-p.done:
		if p.err != nil {
			t.Errorf("%s: %v\n%s", p.name, p.err, tail(p.said()))
		}
	case <-time.After(limit):
		t.Errorf("%s is still running after %v:\n%s", p.name, limit, tail(p.said()))
		p.end(syscall.SIGKILL)
	}
}

// tail is the end of a long text, of a JSON log the level and the message alone.
func tail(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		var entry struct {
			Level   string `json:"log.level"`
			Message string
		}
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Message != "" {
			line = entry.Level + " " + entry.Message + "\n"
		}
		b.WriteString(line)
	}
	text = b.String()
	return text[max(0, len(text)-3000):]
}

// within waits until ok, at most for limit.
func within(t *testing.T, limit time.Duration, ok func() bool) bool {
	t.Helper()
	for deadline := time.Now().Add(limit); !ok(); <-time.After(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// copy copies a file into the room's directory.
func (r *room) copy(path string) {
	r.t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(filepath.Join(r.dir, filepath.Base(path)), text, 0o600)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// forward makes the room a router.
func (r *room) forward() {
	r.t.Helper()
	r.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
}
