package system

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/api"
)

// served starts a program with pages and gives their address.
func served(t *testing.T, dir string, args ...string) (*program, string) {
	t.Helper()
	addr := closedPort(t)
	_, port, _ := strings.Cut(addr, ":")
	p := setup(t, dir, append([]string{"-E", "logging.level=info", "-E", "http_port=" + port}, args...)...).start()
	p.until("pages", func() bool {
		resp, err := http.Get("http://" + addr + "/healthz")
		if err == nil {
			resp.Body.Close()
		}
		return err == nil
	})
	return p, "http://" + addr
}

// fetch asks for JSON.
func fetch(t *testing.T, method, url string, answer any) int {
	t.Helper()
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if answer != nil {
		if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
			t.Fatalf("%s %s: %v", method, url, err)
		}
	}
	return resp.StatusCode
}

type typeList struct {
	Types []struct {
		Type        string
		Made, Sent  uint64
		Blacklisted bool
		HeldType    uint64 `json:"blacklisted_events"`
	}
}

// TestSwitchByCurl: what the documents show. A type is switched off and on again while
// events come; each event is sent or counted, and the output agrees with the counts.
func TestSwitchByCurl(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Fatal("curl is missing; run make test-tools")
	}
	out, listen := t.TempDir(), freeUDP(t)
	p, at := served(t, t.TempDir(), join(toFile(out), []string{
		"-E", "sipcmbeat.inputs=[{type: hep, listen: \"udp:" + listen + "\"}]", "-E", "event_types_blst=none", "-E", "state.enabled=false", "-E", "stats_interval=0",
	})...)
	a := newAgent(t, listen)
	otherOK := func() (made, sent, held uint64) {
		var l typeList
		fetch(t, "GET", at+"/events/blst", &l)
		for _, x := range l.Types {
			if x.Type == "other-ok" {
				return x.Made, x.Sent, x.HeldType
			}
		}
		t.Fatal("no other-ok")
		return 0, 0, 0
	}
	total := 0
	options := func(n int) {
		for range n {
			total++
			when := time.Duration(total) * 10 * time.Millisecond
			a.send(when, "OPTIONS sip:example.com SIP/2.0", fmt.Sprint("o", total), "OPTIONS", 1, "")
			a.send(when+time.Millisecond, "SIP/2.0 200 OK", fmt.Sprint("o", total), "OPTIONS", 1, "")
		}
		p.until("events", func() bool { made, _, _ := otherOK(); return made == uint64(total) })
	}
	set := func(value string) {
		text, err := exec.Command(curl, "-sS", "-X", "POST", at+"/events/blst?other-ok="+value).CombinedOutput()
		if err != nil || !strings.HasPrefix(string(text), `{"types":[`) {
			t.Fatalf("%s %v", text, err)
		}
	}
	options(5)
	set("1")
	options(7)
	set("0")
	options(3)
	if made, sent, held := otherOK(); made != 15 || sent != 8 || held != 7 {
		t.Errorf("%d made, %d sent, %d held; want 15, 8, 7", made, sent, held)
	}
	var seen struct{ Events []struct{ Fate string } }
	fetch(t, "GET", at+"/events", &seen)
	if n := len(slices.DeleteFunc(seen.Events, func(e struct{ Fate string }) bool { return e.Fate != "blacklisted" })); n != 7 {
		t.Errorf("%d events are shown as held", n)
	}
	p.signal(syscall.SIGTERM)
	p.wait()
	p.ok()
	if got := byType(written(t, out)); got["other-ok"] != 8 || len(got) != 1 {
		t.Errorf("in the output: %v", got)
	}
	if !strings.Contains(p.log(), "127.0.0.1:") || strings.Count(p.log(), "event_types_blst") < 2 {
		t.Errorf("who changed what is not in the log: %s", p.log())
	}
}

// TestSecretsAreNowhere: everything that is secret in a configuration is searched in each
// answer, whatever it was written with.
func TestSecretsAreNowhere(t *testing.T) {
	dir := t.TempDir()
	secrets := map[string]string{
		"token": "token-secret-4711-aaaa", "hep": "hepkey-secret-4712", "input": "inputkey-secret-4713", "node": "node-secret-4714",
		"password": "output-secret-4715", "api": "apikey:secret-4716", "user": "url-secret-4717", "keystore": "keystore-secret-4718",
	}
	t.Setenv("SIPCMBEAT_HEP", secrets["hep"])
	t.Setenv("SIPCMBEAT_NODE", secrets["node"])
	p := setup(t, dir)
	store := func(args ...string) {
		c := exec.Command(p.cmd.Path, append([]string{"keystore"}, append(args, p.cmd.Args[1:]...)...)...)
		c.Stdin = strings.NewReader(secrets["keystore"] + "\n")
		if text, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, text)
		}
	}
	store("create")
	store("add", "FROM_KEYSTORE", "--stdin")
	hep, dead := freeUDP(t), closedPort(t)
	_, at := served(t, dir,
		"-E", "http.auth.token="+secrets["token"], "-E", "http.profiler=true", "-E", "http.inject=true", "-E", "shutdown_timeout=0",
		"-E", "hep_output.targets=127.0.0.1:9", "-E", "hep_output.auth_key=${SIPCMBEAT_HEP}", "-E", "hep_output.node=${SIPCMBEAT_NODE}",
		"-E", `sipcmbeat.inputs=[{type: hep, listen: "udp:`+hep+`", auth_keys: ["`+secrets["input"]+`", "${FROM_KEYSTORE}"]}, {type: file, pcap: "`+all[1]+`"}]`,
		"-E", "output.elasticsearch.hosts=http://u:"+secrets["user"]+"@"+dead, "-E", "output.elasticsearch.password="+secrets["password"],
		"-E", "output.elasticsearch.username=u", "-E", "state.enabled=false")
	asked := 0
	filled := strings.NewReplacer("{id}", "x", "{aor}", "x", "{name}", "goroutine")
	for _, row := range api.Routes() {
		if strings.HasSuffix(row.Path, "/stream") {
			continue
		}
		for _, path := range row.Paths() {
			for _, accept := range []string{"application/json", "text/html"} {
				r, err := http.NewRequest(row.Method, at+filled.Replace(path), nil)
				if err != nil {
					t.Fatal(err)
				}
				if strings.Contains(path, "pprof") {
					r.URL.RawQuery = "debug=2"
				}
				r.Header.Set("Accept", accept)
				r.Header.Set("Authorization", "Bearer "+secrets["token"])
				resp, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				b, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || resp.StatusCode == 401 {
					t.Fatalf("%s %s: %d %v", row.Method, path, resp.StatusCode, err)
				}
				asked++
				for name, secret := range secrets {
					for _, form := range []string{secret, url.QueryEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret))} {
						if strings.Contains(string(b), form) {
							t.Errorf("%s %s shows %s", row.Method, path, name)
						}
					}
				}
			}
		}
	}
	if asked < 80 {
		t.Errorf("only %d answers", asked)
	}
}

// TestPortTaken: a port that the user chose has to be free; the default one is only a
// warning.
func TestPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := strings.Cut(l.Addr().String(), ":")
	p := run(t, join(reading(all[1]), toFile(t.TempDir()), []string{"-E", "http_port=" + port})...)
	p.said("sipcmbeat.http_port: listen on 127.0.0.1:" + port + ": ")
	p.said("http_port: 0 for a run without pages")

	if l, err := net.Listen("tcp", "127.0.0.1:8080"); err == nil { // else another has it
		defer l.Close()
	}
	out := t.TempDir()
	p = run(t, join(reading(all[1]), toFile(out), []string{"-E", "logging.level=info"})...).ok()
	if n := lines(t, out); n != 80 || !strings.Contains(p.log(), "warn sipcmbeat: there are no pages: listen on 127.0.0.1:8080") {
		t.Errorf("%d events; log: %s", n, p.log())
	}
}

// TestHostileClients: streams, slow clients and a thousand connections do not keep a run
// from delivering, nor from ending.
func TestHostileClients(t *testing.T) {
	out := t.TempDir()
	p, at := served(t, t.TempDir(), join(reading(all[1]), toFile(out), []string{"-E", "run_forever=true", "-E", "http.max_connections=50"})...)
	addr := strings.TrimPrefix(at, "http://")
	resp, err := http.Get(at + "/api/v1/events/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if line, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil || !strings.HasPrefix(line, ":") {
		t.Fatal(line, err)
	}
	for i := range 1000 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if i%2 == 0 {
			fmt.Fprint(c, "GET /events HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
		}
	}
	p.until("delivery", func() bool { return lines(t, out) == 80 })
	began := time.Now()
	p.signal(syscall.SIGTERM)
	p.wait()
	p.ok()
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("the end took %v", d)
	}
	same(t, written(t, out), sent(t, all[1]))
}

// TestReady: the probe says what is wrong, and that it is over.
func TestReady(t *testing.T) {
	listen := freeUDP(t)
	p, at := served(t, t.TempDir(), join(toFile(t.TempDir()), []string{
		"-E", "sipcmbeat.inputs=[{type: hep, listen: \"udp:" + listen + "\"}]", "-E", "http.ready_silence=3s", "-E", "state.enabled=false",
	})...)
	type health struct {
		OK     bool
		Checks []struct {
			Name, Detail string
			OK           bool
		}
	}
	ready := func(want int, name string) func() bool {
		return func() bool {
			var h health
			code := fetch(t, "GET", at+"/readyz", &h)
			for _, c := range h.Checks {
				if c.OK == h.OK && (name == "" || c.Name == name) && code == want && h.OK == (want == 200) {
					return true
				}
			}
			return false
		}
	}
	p.until("a start", ready(200, ""))
	p.until("silence", ready(503, "packets"))
	a := newAgent(t, listen)
	a.send(0, "OPTIONS sip:example.com SIP/2.0", "o", "OPTIONS", 1, "")
	p.until("a packet", ready(200, ""))
	if code := fetch(t, "GET", at+"/healthz", nil); code != 200 {
		t.Error(code)
	}
}

// TestOpenIsRefused: nobody shows the pages to others by mistake.
func TestOpenIsRefused(t *testing.T) {
	for _, args := range [][]string{{"-E", "http_addr=0.0.0.0"}, {"-E", "http_addr=::", "-E", "http.auth.token=0123456789abcdef"}} {
		p := run(t, join(reading(all[1]), toFile(t.TempDir()), args)...)
		p.said("without http.auth.token, http.tls.certificate and http.tls.key")
	}
}
