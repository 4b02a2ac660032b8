package stores

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Options are how Elasticsearch is to be asked.
type Options struct {
	Security bool // wants a password: User and Password have it
	TLS      bool // speaks HTTPS only, with a certificate of CA
}

const password = "not-a-secret"

// Elasticsearch is an Elasticsearch 8.6.2 of one node. It lacks ILM, mapper-extras and
// the REST side of data streams; API keys, roles and native users do not work in it.
func Elasticsearch(t testing.TB, o Options) *Server {
	t.Helper()
	return once(t, o, func(dir string) (*Server, error) { return newElasticsearch(dir, o) })
}

func newElasticsearch(dir string, o Options) (*Server, error) {
	home, err := java()
	if err != nil {
		return nil, err
	}
	from, err := fetched("elasticsearch")
	if err != nil {
		return nil, err
	}
	// A copy: the cache may be where an ordinary user cannot look.
	program := filepath.Join(dir, "program")
	if err := os.CopyFS(program, os.DirFS(filepath.Join(from, "elasticsearch-8.6.2"))); err != nil {
		return nil, fmt.Errorf("copy elasticsearch: %w", err)
	}
	http, err := FreeAddr()
	if err != nil {
		return nil, err
	}
	transport, err := FreeAddr()
	if err != nil {
		return nil, err
	}
	s := &Server{Name: "elasticsearch", Addr: http, URL: "http://" + http, dir: dir}
	settings := []string{
		"discovery.type: single-node",
		"http.host: 127.0.0.1", "http.port: " + port(http),
		"transport.host: 127.0.0.1", "transport.port: " + port(transport),
		"path.data: " + filepath.Join(dir, "data"), "path.logs: " + filepath.Join(dir, "logs"),
		"cluster.routing.allocation.disk.threshold_enabled: false",
		"xpack.security.autoconfiguration.enabled: false",
		fmt.Sprintf("xpack.security.enabled: %v", o.Security || o.TLS),
	}
	conf := filepath.Join(dir, "config")
	if err := os.Mkdir(conf, 0o755); err != nil {
		return nil, err
	}
	if o.Security || o.TLS {
		s.User, s.Password = "elastic", password
	}
	if o.TLS {
		ca, err := NewCA(conf)
		if err != nil {
			return nil, err
		}
		cert, key, err := ca.Sign("http", "127.0.0.1")
		if err != nil {
			return nil, err
		}
		s.CA, s.URL = ca.File, "https://"+http
		settings = append(settings, "xpack.security.http.ssl.enabled: true",
			"xpack.security.http.ssl.certificate: "+filepath.Base(cert), "xpack.security.http.ssl.key: "+filepath.Base(key))
	}
	for name, lines := range map[string][]string{
		"elasticsearch.yml": settings,
		"jvm.options":       {"-Xms768m", "-Xmx768m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"},
		"log4j2.properties": {"status = error", "appender.console.type = Console", "appender.console.name = console",
			"appender.console.layout.type = PatternLayout", "appender.console.layout.pattern = [%d{ISO8601}][%-5p][%c{1.}] %m%n",
			"rootLogger.level = info", "rootLogger.appenderRef.console.ref = console"},
	} {
		if err := os.WriteFile(filepath.Join(conf, name), []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
			return nil, err
		}
	}
	if err := give(dir); err != nil {
		return nil, err
	}
	env := []string{"PATH=" + os.Getenv("PATH"), "ES_JAVA_HOME=" + home, "ES_PATH_CONF=" + conf, "HOME=" + dir,
		"CLI_JAVA_OPTS=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmx64m"}
	run := func(name string, args ...string) *exec.Cmd {
		c := asOrdinary(exec.Command(filepath.Join(program, "bin", name), args...))
		c.Env, c.Dir = env, dir
		return c
	}
	if s.Password != "" {
		c := run("elasticsearch-keystore", "add", "-x", "-f", "bootstrap.password")
		c.Stdin = strings.NewReader(s.Password + "\n")
		if out, err := c.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("set the password of elasticsearch: %w: %s", err, out)
		}
	}
	s.command = func() *exec.Cmd { return run("elasticsearch") }
	s.ready = func() error {
		status, body, err := s.Try("GET", "/_cluster/health", "")
		if err == nil && (status != 200 || bytes.Contains(body, []byte(`"status":"red"`))) {
			err = fmt.Errorf("%d: %s", status, body)
		}
		return err
	}
	return s, nil
}

func port(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }

// Try asks a server that speaks HTTP, with its password and CA.
func (s *Server) Try(method, path, body string) (status int, answer []byte, err error) {
	r, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if s.User != "" {
		r.SetBasicAuth(s.User, s.Password)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
		if strings.HasSuffix(path, "/_bulk") {
			r.Header.Set("Content-Type", "application/x-ndjson")
		}
	}
	client := http.Client{Timeout: 30 * time.Second}
	tr := &http.Transport{DisableKeepAlives: true}
	client.Transport = tr
	if s.CA != "" {
		pem, err := os.ReadFile(s.CA)
		if err != nil {
			return 0, nil, err
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return 0, nil, errors.New("no certificate in " + s.CA)
		}
		tr.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	resp, err := client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// Do asks, and fails the test unless the answer is a 2xx. What it says goes into out
// when that is not nil.
func (s *Server) Do(t testing.TB, method, path, body string, out any) {
	t.Helper()
	status, answer, err := s.Try(method, path, body)
	if err != nil {
		t.Fatal(err)
	}
	if status/100 != 2 {
		t.Fatalf("%s %s: %d: %s", method, path, status, answer)
	}
	if out != nil {
		if err := json.Unmarshal(answer, out); err != nil {
			t.Fatalf("%s %s: %v: %s", method, path, err, answer)
		}
	}
}

// Clear deletes the indices that match a pattern. A data stream cannot be deleted in
// this server: give each test a name of its own.
func (s *Server) Clear(t testing.TB, pattern string) {
	t.Helper()
	var all []struct{ Index string }
	s.Do(t, "GET", "/_cat/indices/"+pattern+"?format=json&h=index", "", &all)
	for _, i := range all {
		s.Do(t, "DELETE", "/"+i.Index, "", nil)
	}
}

// Hit is a document that was found.
type Hit struct {
	Index  string         `json:"_index"`
	ID     string         `json:"_id"`
	Source map[string]any `json:"_source"`
}

// All are the documents of an index, a data stream or a pattern: none when there is no
// such thing.
func (s *Server) All(t testing.TB, index string) []Hit {
	t.Helper()
	const most = 10000 // index.max_result_window
	status, answer, err := s.Try("POST", "/"+index+"/_refresh", "")
	if status == 404 {
		return nil
	}
	if err != nil || status != 200 {
		t.Fatalf("refresh %s: %d: %v: %s", index, status, err, answer)
	}
	var all []Hit
	after := ""
	for {
		var found struct {
			Hits struct {
				Hits []struct {
					Hit
					Sort []any
				}
			}
		}
		s.Do(t, "POST", "/"+index+"/_search", fmt.Sprintf(`{"size":%d,"sort":["_doc"]%s}`, most, after), &found)
		for _, h := range found.Hits.Hits {
			all = append(all, h.Hit)
		}
		if len(found.Hits.Hits) < most {
			return all
		}
		last, err := json.Marshal(found.Hits.Hits[most-1].Sort)
		if err != nil {
			t.Fatal(err)
		}
		after = `,"search_after":` + string(last)
	}
}
