// Package live watches real SIP traffic on an interface with the real binary:
// SIPp's calls and registrations over loopback, in a network namespace of the
// test's own. The events have to equal SIPp's own count. It needs root, SIPp and
// iproute2; where they are missing it says so, and fails when CI=true.
package live

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func stop(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// namespace makes a network namespace with a loopback interface, for one test.
func namespace(t *testing.T) string {
	t.Helper()
	for _, tool := range []string{"ip", "sipp"} {
		if _, err := exec.LookPath(tool); err != nil {
			stop(t, "needs "+tool+"; run make live-tests as root")
		}
	}
	if os.Getenv("SIPCMBEAT_BINARY") == "" {
		stop(t, "SIPCMBEAT_BINARY is not set; run make live-tests")
	}
	if os.Getuid() != 0 {
		stop(t, "needs root for a network namespace and for capturing")
	}
	name := fmt.Sprintf("sipcmbeat-%d", os.Getpid())
	if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
		stop(t, fmt.Sprintf("no network namespace: %s", out))
	}
	t.Cleanup(func() { exec.Command("ip", "netns", "del", name).Run() })
	if out, err := exec.Command("ip", "-n", name, "link", "set", "lo", "up").CombinedOutput(); err != nil {
		t.Fatalf("set lo up: %s", out)
	}
	return name
}

// process is a program in the namespace, ended by its own id.
type process struct {
	*exec.Cmd
	out  bytes.Buffer
	done chan error
}

func start(t *testing.T, ns string, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command("ip", append([]string{"netns", "exec", ns}, args...)...), done: make(chan error, 1)}
	p.Stdout, p.Stderr = &p.out, &p.out
	p.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.Start(); err != nil {
		t.Fatalf("start %s: %v", args[0], err)
	}
	go func() { p.done <- p.Wait() }()
	t.Cleanup(func() { p.Process.Kill() })
	return p
}

// wait waits for the process to end by itself.
func (p *process) wait(t *testing.T, limit time.Duration) error {
	t.Helper()
	select {
	case err := <-p.done:
		return err
	case <-time.After(limit):
		t.Fatalf("%s is still running after %v:\n%s", p.Args[3], limit, p.out.String())
		return nil
	}
}

// TestSIPp: 200 calls, 100 refused ones and 100 phones that register, refresh and
// leave, all watched live, in each way to capture, and with libbeat's filter of system
// calls.
func TestSIPp(t *testing.T) {
	for _, how := range [][]string{
		{"-E", "sipcmbeat.capture=pcap"},
		{"-E", "sipcmbeat.capture=af_packet"},
		{"-E", "sipcmbeat.capture=af_packet", "-E", "sipcmbeat.workers=2"},
	} {
		t.Run(strings.Join(how, " "), func(t *testing.T) { watched(t, how) })
	}
}

func watched(t *testing.T, how []string) {
	ns := namespace(t)
	dir := t.TempDir()
	beat := watch(t, ns, dir, how...)

	const uas, registrar, busy = "5060", "5080", "5082"
	start(t, ns, "sipp", "-sn", "uas", "-i", "127.0.0.1", "-p", uas, "-nostdin")
	start(t, ns, "sipp", "-sf", "testdata/registrar.xml", "-i", "127.0.0.1", "-p", registrar, "-nostdin")
	start(t, ns, "sipp", "-sf", "testdata/busy.xml", "-i", "127.0.0.1", "-p", busy, "-nostdin")

	calls := sipp(t, ns, dir, "calls", "127.0.0.1:"+uas, "-sn", "uac", "-p", "5090", "-m", "200", "-r", "100", "-d", "300")
	registers := sipp(t, ns, dir, "registers", "127.0.0.1:"+registrar, "-sf", "testdata/register.xml", "-p", "5092", "-m", "100", "-r", "100")
	refused := sipp(t, ns, dir, "refused", "127.0.0.1:"+busy, "-sf", "testdata/refused.xml", "-p", "5094", "-m", "100", "-r", "100")

	want := map[string]int{
		"call-start": calls, "call-end": calls, "call-attempt": refused, "reg-new": registers, "reg-del": registers,
	}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-time.After(100 * time.Millisecond) {
		if equal(events(t, dir), want) {
			break
		}
	}
	if err := beat.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := beat.wait(t, 20*time.Second); err != nil {
		t.Errorf("sipcmbeat ended with %v:\n%s", err, beat.out.String())
	}
	have := events(t, dir)
	t.Logf("SIPp: %d calls, %d refused, %d registrations; sipcmbeat: %v", calls, refused, registers, have)
	if calls != 200 || refused != 100 || registers != 100 {
		t.Error("SIPp did not do all it was asked to")
	}
	if !equal(have, want) {
		t.Errorf("events %v, want %v\n%s", have, want, beat.out.String())
	}
}

func equal(a, b map[string]int) bool {
	return fmt.Sprint(a) == fmt.Sprint(b) // maps print in the order of their keys
}

// watch starts the program on loopback and waits until it captures.
func watch(t *testing.T, ns, dir string, how ...string) *process {
	t.Helper()
	config, err := filepath.Abs("../../sipcmbeat.yml")
	if err != nil {
		t.Fatal(err)
	}
	beat := start(t, ns, append([]string{os.Getenv("SIPCMBEAT_BINARY"), "-c", config, "--strict.perms=false",
		"--path.home", dir, "--path.data", filepath.Join(dir, "data"), "--path.logs", filepath.Join(dir, "logs"), "-e",
		"-E", "sipcmbeat.iface=lo", "-E", "sipcmbeat.ports=[5060,5080,5082]", "-E", "sipcmbeat.event_types_blst=none",
		"-E", "output.elasticsearch.enabled=false",
		"-E", "output.file.enabled=true", "-E", "output.file.path=" + filepath.Join(dir, "out"), "-E", "output.file.filename=events"}, how...)...)
	for deadline := time.Now().Add(30 * time.Second); ; <-time.After(50 * time.Millisecond) {
		probe(ns)
		if len(events(t, dir)) > 0 { // the probe was seen: it captures
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("sipcmbeat does not capture:\n%s", beat.out.String())
		}
	}
	return beat
}

// probe sends something that is no SIP to a SIP port.
func probe(ns string) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	exec.CommandContext(ctx, "ip", "netns", "exec", ns, "bash", "-c", "echo probe > /dev/udp/127.0.0.1/5060").Run()
}

// sipp runs a client to its end and returns how many calls succeeded by its own
// count.
func sipp(t *testing.T, ns, dir, name, target string, args ...string) int {
	t.Helper()
	stats := filepath.Join(dir, name+".csv")
	args = append([]string{"sipp", target, "-i", "127.0.0.1", "-nostdin", "-trace_stat", "-stf", stats, "-fd", "1"}, args...)
	p := start(t, ns, args...)
	if err := p.wait(t, time.Minute); err != nil {
		t.Errorf("sipp %s: %v", name, err)
	}
	f, err := os.Open(stats)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.FieldsPerRecord = ';', -1
	rows, err := r.ReadAll()
	if err != nil || len(rows) < 2 {
		t.Fatalf("sipp's statistics: %v", err)
	}
	for i, column := range rows[0] {
		if column == "SuccessfulCall(C)" {
			n, err := strconv.Atoi(rows[len(rows)-1][i])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("sipp's statistics have no SuccessfulCall(C)")
	return 0
}

// events counts what the program wrote, the probes of watch aside.
func events(t *testing.T, dir string) map[string]int {
	t.Helper()
	have := map[string]int{}
	files, _ := filepath.Glob(filepath.Join(dir, "out", "events*"))
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(string(data), "\n") {
			var r struct{ Event struct{ Action string } }
			if json.Unmarshal([]byte(line), &r) == nil && r.Event.Action != "" {
				have[r.Event.Action]++
			}
		}
	}
	if have["call-start"]+have["reg-new"]+have["call-attempt"] > 0 {
		delete(have, "msg-probe")
	}
	return have
}

// TestInputs watches an interface while a file is read: the events of both come.
func TestInputs(t *testing.T) {
	ns := namespace(t)
	dir := t.TempDir()
	file, err := filepath.Abs("../captures/04-calls.pcap") // 40 calls
	if err != nil {
		t.Fatal(err)
	}
	beat := watch(t, ns, dir, "-E", "sipcmbeat.iface=any", "-E", "sipcmbeat.inputs=[{type: live, iface: lo}, {type: file, pcap: "+file+"}]")
	start(t, ns, "sipp", "-sn", "uas", "-i", "127.0.0.1", "-p", "5060", "-nostdin")
	calls := sipp(t, ns, dir, "calls", "127.0.0.1:5060", "-sn", "uac", "-p", "5090", "-m", "20", "-r", "50", "-d", "100")
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-time.After(100 * time.Millisecond) {
		if events(t, dir)["call-end"] == 40+calls {
			break
		}
	}
	if err := beat.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := beat.wait(t, 20*time.Second); err != nil {
		t.Errorf("sipcmbeat ended with %v:\n%s", err, beat.out.String())
	}
	have := events(t, dir)
	if calls != 20 || have["call-start"] != 60 || have["call-end"] != 60 {
		t.Errorf("SIPp: %d calls; sipcmbeat: %v\n%s", calls, have, beat.out.String())
	}
	for _, want := range []string{"; from lo: ", "; from " + file + ": "} {
		if !strings.Contains(beat.out.String(), want) {
			t.Errorf("the last line does not say %q", want)
		}
	}
}

// TestDoctor looks at the same traffic: nothing is wrong with it.
func TestDoctor(t *testing.T) {
	ns := namespace(t)
	dir := t.TempDir()
	start(t, ns, "sipp", "-sn", "uas", "-i", "127.0.0.1", "-p", "5060", "-nostdin")
	doctor := start(t, ns, os.Getenv("SIPCMBEAT_BINARY"), "doctor", "-i", "lo", "--for", "4s", "--no-output")
	sipp(t, ns, dir, "calls", "127.0.0.1:5060", "-sn", "uac", "-p", "5090", "-m", "50", "-r", "25", "-d", "100")
	if err := doctor.wait(t, 20*time.Second); err != nil {
		t.Errorf("doctor ended with %v", err)
	}
	for _, want := range []string{"ok    capture", "ok    losses         none", "ok    SIP ", "ok    ports "} {
		if !strings.Contains(doctor.out.String(), want) {
			t.Errorf("no line %q:\n%s", want, doctor.out.String())
		}
	}
}
