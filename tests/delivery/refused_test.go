package delivery

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
	"github.com/sipcmbeat/sipcmbeat/tests/stores"
)

// secure is an output that wants TLS, and perhaps a password.
type secure struct {
	name   string
	config func(name, ca, password string) string
	ca     string
	pass   string // "": none is wanted
	wrong  string // what is said of another one
	tested bool   // libbeat can test it
	found  func(t *testing.T, name string) []string
}

func secured(t *testing.T) []secure {
	es := stores.Elasticsearch(t, stores.Options{Security: true, TLS: true})
	kafka := stores.Kafka(t)
	redis := stores.Redis(t)
	logstash := stores.Lumberjack(t, true)
	tls := func(ca string) string { return fmt.Sprintf("ssl.certificate_authorities: [%q]", ca) }
	return []secure{
		{"Elasticsearch", func(name, ca, password string) string {
			return elasticsearchConfig(es.URL, name, tls(ca), "username: "+es.User, fmt.Sprintf("password: %q", password))
		}, es.CA, es.Password, "401 Unauthorized", true, func(t *testing.T, name string) []string { return documents(t, es, name) }},
		{"Kafka", func(name, ca, password string) string {
			return fmt.Sprintf("output.kafka: {hosts: [%q], topic: %s, username: %s, password: %q, %s, %s}\n", kafka.TLSAddr, name, kafka.User, password, tls(ca), again)
		}, kafka.CA, kafka.Password, "SASL Authentication failed", false, func(t *testing.T, name string) []string { return idsOf(t, kafka.Topic(t, name)) }},
		{"Redis", func(name, ca, password string) string {
			return fmt.Sprintf("output.redis: {hosts: [%q], key: %s, password: %q, %s, %s}\n", "rediss://"+redis.TLSAddr, name, password, tls(ca), again)
		}, redis.CA, redis.Password, "WRONGPASS", false, func(t *testing.T, name string) []string { return idsOf(t, redis.List(t, name)) }},
		{"Logstash", func(_, ca, _ string) string {
			return fmt.Sprintf("output.logstash: {hosts: [%q], ssl.enabled: true, %s, %s}\n", logstash.Addr, tls(ca), again)
		}, logstash.CA, "", "", true, func(t *testing.T, _ string) []string { return idsOf(t, logstash.Events()) }},
	}
}

// A wrong certificate or password is said in the log and by `test output`, nothing is
// lost by it, and with the right ones all is delivered.
func TestRefusedConnections(t *testing.T) {
	file := capture(t, 100)
	want := expected(t, file)
	other, err := stores.NewCA(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range secured(t) {
		name := "delivery-secured"
		t.Run(o.name, func(t *testing.T) {
			said := "said by the log and by `test output`"
			if !o.tested {
				said = "said by the log; `test output` does not look"
			}
			t.Run("wrong certificate", func(t *testing.T) {
				refusal(t, reading(file)+o.config(name, other.File, o.pass), "x509: certificate signed by unknown authority", o.tested)
			})
			passwords.note("a certificate of a CA that is not trusted", o.name, said)
			if o.pass != "" {
				t.Run("wrong password", func(t *testing.T) {
					refusal(t, reading(file)+o.config(name, o.ca, "wrong"), o.wrong, o.tested)
				})
				passwords.note("a wrong password", o.name, said)
			}
			if found := o.found(t, name); len(found) > 0 {
				t.Errorf("%d events came in", len(found))
			}
			begin(t, t.TempDir(), reading(file)+o.config(name, o.ca, o.pass)).exits(0)
			found, again := distinct(t, o.found(t, name), want)
			if found != len(want) || again > 0 {
				t.Errorf("%d of %d were found, %d more than once", found, len(want), again)
			}
			passwords.note("TLS, and the right password where one is wanted", o.name, fmt.Sprintf("%d of %d", found, len(want)))
		})
	}
}

// refusal runs a configuration whose output refuses, or is refused: the log has text,
// and `test output` where there is such a thing; a file run waits, and a stop says what was not delivered.
func refusal(t *testing.T, config, text string, tested bool) {
	t.Helper()
	home := t.TempDir()
	b := begin(t, home, config+"sipcmbeat.shutdown_timeout: 1s\n")
	b.says(text)
	b.stop()
	b.exits(1)
	if got := b.stderr.String(); !strings.Contains(got, "200 events not delivered: ") {
		t.Errorf("it ends with %q", got)
	}
	if !tested {
		return
	}
	path := siptest.Program(t)
	out, err := exec.Command(path, "test", "output", "-c", filepath.Join(home, "sipcmbeat.yml"), "--path.home", home).CombinedOutput()
	if err == nil || !strings.Contains(string(out), text) {
		t.Errorf("test output: %v: %s", err, out)
	}
}
