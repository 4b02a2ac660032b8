package system

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/hep"
)

// agent sends SIP messages by HEP, with the times that it says.
type agent struct {
	t    *testing.T
	conn net.Conn
	base time.Time
}

func newAgent(t *testing.T, to string) *agent {
	conn, err := net.Dial("udp", to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &agent{t: t, conn: conn, base: time.Now()}
}

// send sends a message that Alice, or who answers her, sent at a time after base. head is
// the first line, more further header lines.
func (a *agent) send(at time.Duration, head, callID, method string, cseq int, more string) {
	a.t.Helper()
	src, dst := netip.MustParseAddrPort("192.0.2.1:5060"), netip.MustParseAddrPort("192.0.2.2:5060")
	to := ""
	if strings.HasPrefix(head, "SIP/") {
		src, dst = dst, src
	}
	if strings.HasPrefix(head, "SIP/") || method == "ACK" || method == "BYE" {
		to = ";tag=b"
	}
	m := hep.Message{
		Version: 3, Protocol: 17, Type: hep.TypeSIP, Src: src, Dst: dst, Time: a.base.Add(at).UnixNano(), CaptureID: 7,
		Payload: fmt.Appendf(nil, "%s\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK%s%d%s\r\nMax-Forwards: 70\r\nFrom: <sip:alice@example.com>;tag=a\r\n"+
			"To: <sip:alice@example.com>%s\r\nCall-ID: %s\r\nCSeq: %d %s\r\n%sContent-Length: 0\r\n\r\n", head, callID, cseq, method, to, callID, cseq, method, more),
	}
	b, ok := m.Append(nil)
	if !ok {
		a.t.Fatal("a message that does not fit into HEP")
	}
	if _, err := a.conn.Write(b); err != nil {
		a.t.Fatal(err)
	}
}

func freeUDP(t *testing.T) string {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.LocalAddr().String()
}

const bound = "Contact: <sip:alice@192.0.2.1>;expires=600\r\n"

// TestRestart: a stop in the middle of a call and of a registration. After the next start
// a refresh is no second reg-new, and the call's end is said with its whole duration.
func TestRestart(t *testing.T) {
	for name, how := range map[string]syscall.Signal{"stopped": syscall.SIGTERM, "killed": syscall.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			dir, out, listen := t.TempDir(), t.TempDir(), freeUDP(t)
			live := join(toFile(out), []string{
				"-E", "sipcmbeat.inputs=[{type: hep, listen: \"udp:" + listen + "\"}]", "-E", "state.interval=1s", "-E", "stats_interval=0", "-E", "logging.level=info",
			})
			p := setup(t, dir, live...).start()
			a := newAgent(t, listen)
			p.until("capture", func() bool { return strings.Contains(p.log(), "capturing from") })
			a.send(0, "REGISTER sip:example.com SIP/2.0", "r", "REGISTER", 1, bound)
			a.send(5*time.Millisecond, "SIP/2.0 200 OK", "r", "REGISTER", 1, bound)
			a.send(10*time.Millisecond, "INVITE sip:bob@example.com SIP/2.0", "c", "INVITE", 1, bound)
			a.send(30*time.Millisecond, "SIP/2.0 200 OK", "c", "INVITE", 1, bound)
			a.send(35*time.Millisecond, "ACK sip:bob@example.com SIP/2.0", "c", "ACK", 1, "")
			p.until("two events", func() bool { return lines(t, out) >= 2 })
			file := filepath.Join(dir, "data", "sipcmbeat.state")
			if how == syscall.SIGKILL { // what is lost is what came since the last writing
				var last time.Time
				writings := -1 // the next one may have begun before
				p.until("a writing after that", func() bool {
					if info, err := os.Stat(file); err == nil && info.ModTime().After(last) {
						last = info.ModTime()
						writings++
					}
					return writings >= 2
				})
			}
			p.signal(how)
			<-p.done
			if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
				t.Fatal(info, err)
			}

			p = setup(t, dir, live...).start()
			p.until("capture", func() bool { return strings.Contains(p.log(), "took up 1 call and 1 binding from "+file) })
			a.send(3*time.Second, "REGISTER sip:example.com SIP/2.0", "r", "REGISTER", 2, bound)
			a.send(3005*time.Millisecond, "SIP/2.0 200 OK", "r", "REGISTER", 2, bound)
			a.send(4*time.Second, "BYE sip:bob@example.com SIP/2.0", "c", "BYE", 2, "")
			a.send(4005*time.Millisecond, "SIP/2.0 200 OK", "c", "BYE", 2, "")
			p.until("the end of the call", func() bool { return byType(written(t, out))["call-end"] > 0 })
			p.signal(syscall.SIGTERM)
			p.wait()
			p.ok()
			got := byType(written(t, out))
			if len(got) != 3 || got["reg-new"] != 1 || got["call-start"] != 1 || got["call-end"] != 1 {
				t.Errorf("events: %v", got)
			}
			for _, r := range written(t, out) {
				if r.Event.Action == "call-end" {
					start, _ := time.Parse(time.RFC3339Nano, r.Event.Start)
					end, _ := time.Parse(time.RFC3339Nano, r.Event.End)
					if d := end.Sub(start); d.Round(time.Millisecond) != 3970*time.Millisecond {
						t.Errorf("the call took %v, want 3.97s", d)
					}
				}
			}
		})
	}
}

// TestStateRefused: a state that cannot be kept is told at the start, with the key; one
// that is damaged is put aside.
func TestStateRefused(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "state")
	with := join(reading(all[0]), toFile(t.TempDir()), []string{"-E", "state.enabled=true", "-E", "state.path=" + file})
	if err := os.WriteFile(file, []byte("no state"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := run(t, with...)
	if p.code() != 0 || !strings.Contains(p.log(), "cannot be used") {
		t.Errorf("exit %d; log: %s", p.code(), p.log())
	}
	if aside := glob(t, file+".damaged-*"); len(aside) != 1 {
		t.Errorf("put aside: %v", aside)
	}
	if info, err := os.Stat(file); err != nil || info.Size() < 100 {
		t.Errorf("the new state: %v %v", info, err)
	}
	p = run(t, append(with, "-E", "state.path="+dir)...)
	if p.code() == 0 || !strings.Contains(p.stderr.String(), "sipcmbeat.state.path: ") {
		t.Errorf("a directory: exit %d, %s", p.code(), p.stderr.String())
	}
}
