package beater

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/elastic/beats/v7/libbeat/beat"
	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/keystore"
	"github.com/elastic/elastic-agent-libs/paths"

	"github.com/sipcmbeat/sipcmbeat/config"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// file is a configuration that a test changes.
type file struct {
	mu   sync.Mutex
	text string
	err  error
}

func (f *file) set(text string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.text, f.err = text, err
}

func (f *file) read() (*conf.C, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return nil, f.err
	}
	return conf.NewConfigFrom(f.text)
}

// reloading is a run over a configuration that can be read again.
func reloading(t *testing.T, ours, rest string) (*run, *file, chan os.Signal, chan error) {
	t.Helper()
	indented := func(text string) string {
		return "sipcmbeat:\n  " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  ") + "\n"
	}
	f := &file{text: indented(ours) + rest}
	r, signals, done := start(t, newPipe(true), ours)
	r.reader = newReloader(f.read, nil, &beat.Beat{Info: beat.Info{Beat: config.Section}, Paths: paths.New()})
	return r, f, signals, done
}

func TestReload(t *testing.T) {
	r, f, signals, done := reloading(t, calls+"run_forever: true", "output.file.path: /a\n")
	const base = "sipcmbeat.pcap: ../tests/captures/04-calls.pcap\nsipcmbeat.run_forever: true\n"
	got, err := r.Reload("a test")
	if err != nil || len(got.Changed)+len(got.Restart) > 0 {
		t.Fatalf("the same again: %v, %v", got, err)
	}

	f.set(base+"sipcmbeat.event_types_blst: call-start\nsipcmbeat.shutdown_timeout: 77s\nsipcmbeat.snaplen: 1000\noutput.file.path: /b\n", nil)
	got, err = r.Reload("a test")
	if err != nil || !slices.Equal(got.Changed, []string{"sipcmbeat.event_types_blst", "sipcmbeat.shutdown_timeout"}) ||
		!slices.Equal(got.Restart, []string{"sipcmbeat.snaplen", "output.file.path"}) {
		t.Errorf("%v, %v", got, err)
	}
	if c := r.now(); c.Snaplen != r.cfg.Snaplen || c.ShutdownTimeout == r.cfg.ShutdownTimeout || !c.Limit.Held[event.CallStart] {
		t.Errorf("%+v", c.Keys)
	}

	before := r.now()
	for _, wrong := range []struct{ text, want string }{
		{"sipcmbeat.calls_timeouts.invite: soon", `sipcmbeat.calls_timeouts.invite: "soon" is not allowed`},
		{"sipcmbeat.ports: 70000\nsipcmbeat.event_types_blst: none", `sipcmbeat.ports: "70000" is not allowed`},
		{"sipcmbeat.shutdown_timout: 1s", "did you mean sipcmbeat.shutdown_timeout?"},
		{"sipcmbeat.inputs: [{type: hep, listen: \"tls:127.0.0.1:0\", cert: no.pem, key: no.pem}]", "no.pem"},
		{"sipcmbeat.inputs: [{type: hep, auth_keys: [\"${NOT_THERE}\"]}]", "${NOT_THERE} is not set"},
	} {
		text := base + wrong.text
		if strings.Contains(text, "inputs:") {
			text = wrong.text
		}
		f.set(text, nil)
		if _, err := r.Reload("a test"); err == nil || !strings.Contains(err.Error(), wrong.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", wrong.text, err)
		}
	}
	f.set("", errors.New("yaml: line 2\n  and more"))
	if _, err := r.Reload("a test"); err == nil || err.Error() != "yaml: line 2;   and more" {
		t.Errorf("%v", err)
	}
	if r.now() != before {
		t.Error("a wrong configuration has changed the running one")
	}
	signals <- syscall.SIGTERM
	if err := result(t, done); err != nil {
		t.Error(err)
	}
}

// Many at once, while events leave: each ends, and the configuration is that of one.
func TestReloadTogether(t *testing.T) {
	r, f, signals, done := reloading(t, calls+"run_forever: true", "")
	const base = "sipcmbeat.pcap: ../tests/captures/04-calls.pcap\nsipcmbeat.run_forever: true\n"
	f.set(base+"sipcmbeat.event_types_blst: none\n", nil)
	hangups := make(chan os.Signal, 1)
	r.hangups = hangups
	var all sync.WaitGroup
	over := make(chan struct{})
	all.Go(func() { r.hangUps(over) })
	for range 20 {
		hangups <- syscall.SIGHUP
	}
	close(over)
	for range 8 {
		all.Go(func() {
			for range 20 {
				if _, err := r.Reload("a test"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if r.now().Limit.Held != [event.NumTypes]bool{} {
		t.Error("the list was not taken up")
	}
	signals <- syscall.SIGTERM
	if err := result(t, done); err != nil {
		t.Error(err)
	}
}

// What was put into the keystore after the start is found, and what is refused with it
// leaves the keystore that was looked into before.
func TestReloadReadsTheKeystore(t *testing.T) {
	dir := &paths.Path{Home: t.TempDir(), Data: t.TempDir()}
	store, err := keystore.Factory(nil, filepath.Join(dir.Data, config.Section+".keystore"), false)
	if err != nil {
		t.Fatal(err)
	}
	b := &beat.Beat{Info: beat.Info{Beat: config.Section}, Paths: dir, Keystore: store}
	f := &file{}
	l := newReloader(f.read, newSecrets(b), b)
	put := func(name, value string) {
		t.Helper()
		s, err := keystore.Factory(nil, filepath.Join(dir.Data, config.Section+".keystore"), false)
		if err != nil {
			t.Fatal(err)
		}
		w, err := keystore.AsWritableKeystore(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Store(name, []byte(value)); err != nil {
			t.Fatal(err)
		}
		if err := w.Save(); err != nil {
			t.Fatal(err)
		}
	}
	const text = "sipcmbeat.hep_output: {targets: \"127.0.0.1:9\", auth_key: \"${LATE_KEY}\"}\n"
	f.set(text, nil)
	if _, _, undo, err := l.load(); err == nil {
		t.Error("there is no key yet")
	} else {
		undo()
	}
	for _, secret := range []string{"first ${x} one", "second"} {
		put("LATE_KEY", secret)
		next, _, _, err := l.load()
		if err != nil || next.Relay.AuthKey != secret {
			t.Fatalf("%v", err)
		}
	}
	put("LATE_KEY", "third")
	f.set(text+"sipcmbeat.snaplen: 1\n", nil)
	_, _, undo, err := l.load()
	if err == nil {
		t.Fatal("a wrong configuration is taken")
	}
	undo()
	if value, err := (*l.keys.store.Load()).Retrieve("LATE_KEY"); err != nil {
		t.Fatal(err)
	} else if text, _ := value.Get(); string(text) != "second" {
		t.Errorf("the keystore is not the one from before")
	}
}

// What was changed by hand over HTTP stays when the file does not say otherwise than
// before, and gives way when it does.
func TestReloadKeepsWhatWasChangedByHand(t *testing.T) {
	r, f, signals, done := reloading(t, calls+"run_forever: true", "")
	const base = "sipcmbeat.pcap: ../tests/captures/04-calls.pcap\nsipcmbeat.run_forever: true\n"
	held := func(name string) bool {
		for _, s := range r.Types() {
			if s.Type == name {
				return s.Blacklisted
			}
		}
		return false
	}
	if err := r.SetType("call-end", true, "a test"); err != nil {
		t.Fatal(err)
	}
	f.set(base+"sipcmbeat.evr_limits: [1, 2, 3]\nsipcmbeat.http.ready_stall: 7s\n", nil)
	if _, err := r.Reload("a test"); err != nil {
		t.Fatal(err)
	}
	page, err := r.Rates(view.Query{})
	if err != nil || !slices.Equal(page.Limits, []float64{1, 2, 3}) || !held("call-end") || !held("other-ok") {
		t.Errorf("%v, limits %v, call-end held %v", err, page.Limits, held("call-end"))
	}
	f.set(base+"sipcmbeat.event_types_blst: reg-new\n", nil)
	if _, err := r.Reload("a test"); err != nil {
		t.Fatal(err)
	}
	if held("call-end") || held("other-ok") || !held("reg-new") {
		t.Error("the file's list is not in effect")
	}
	for _, s := range r.Config() {
		if s.Key == "event_types_blst" && s.Value != "[reg-new]" {
			t.Errorf("the page of the configuration shows %s", s.Value)
		}
	}
	signals <- syscall.SIGTERM
	if err := result(t, done); err != nil {
		t.Error(err)
	}
}

// Records of statistics begin with a reload, say nothing of what was before, and end
// with one.
func TestReloadStatistics(t *testing.T) {
	r, f, signals, done := reloading(t, calls+"run_forever: true", "")
	p := r.client.(*pipe)
	for n := 0; n < 80; n = p.count() {
		<-p.got
	}
	const base = "sipcmbeat.pcap: ../tests/captures/04-calls.pcap\nsipcmbeat.run_forever: true\n"
	reload := func(more string) {
		t.Helper()
		f.set(base+more, nil)
		if got, err := r.Reload("a test"); err != nil || len(got.Changed) == 0 || len(got.Restart) > 0 {
			t.Fatalf("%v, %v", got, err)
		}
	}
	reload("sipcmbeat.stats_interval: 1s\nsipcmbeat.stats_groups: sip\n")
	for n := 80; n < 81; n = p.count() {
		<-p.got
	}
	first := p.events[80].Fields
	if group, _ := first.GetValue("sip.stats.group"); group != "sip" {
		t.Errorf("%v", first)
	}
	if _, err := first.GetValue("sip.stats.delta"); err == nil {
		t.Errorf("what was before is new in %v", first)
	}
	reload("sipcmbeat.stats_interval: 0\n")
	signals <- syscall.SIGTERM
	if err := result(t, done); err != nil {
		t.Error(err)
	}
	if n := p.count(); n > 83 {
		t.Errorf("%d records after they were switched off", n-81)
	}
}

// TestReloadCertificate: a certificate that was renewed in its file is taken up, and said
// to be.
func TestReloadCertificate(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	renewed := func() {
		t.Helper()
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
		public, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
		if err != nil {
			t.Fatal(err)
		}
		secret, err := x509.MarshalPKCS8PrivateKey(private)
		if err != nil {
			t.Fatal(err)
		}
		for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: public}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
			if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	renewed()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	r, _, signals, done := reloading(t, fmt.Sprintf("%srun_forever: true\nhttp_port: %d\nhttp.tls.certificate: %s\nhttp.tls.key: %s", calls, l.Addr().(*net.TCPAddr).Port, cert, key), "")
	for _, want := range [][]string{{}, {"sipcmbeat.http.tls.certificate"}, {}} {
		if got, err := r.Reload("a test"); err != nil || !slices.Equal(got.Changed, want) || len(got.Restart) > 0 {
			t.Errorf("%+v, %v, want %v", got, err, want)
		}
		if len(want) == 0 {
			renewed()
		}
	}
	signals <- syscall.SIGTERM
	if err := result(t, done); err != nil {
		t.Error(err)
	}
}
