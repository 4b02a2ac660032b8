// Package http asks the HTTP interface of the real binary with tools that are not ours:
// requests that are made of its OpenAPI document, and a Prometheus that scrapes it.
package http

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/tests/stores"
)

const root = "../../"

// stop ends a test that lacks what make http-tests brings.
func stop(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

func needed(t *testing.T, variable string) string {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		stop(t, variable+" is not set; run make http-tests")
	}
	return path
}

func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		stop(t, name+" is missing; run make http-tests")
	}
	return path
}

func get(url string, answer any) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	if answer == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(answer)
}

// program runs the binary over a capture that it has read, and gives its address.
func program(t *testing.T, args ...string) (url string) {
	t.Helper()
	bin := needed(t, "SIPCMBEAT_BINARY")
	addr, err := stores.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	shipped, err := os.ReadFile(root + "sipcmbeat.yml")
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "sipcmbeat.yml")
	if err := os.WriteFile(config, shipped, 0o600); err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(addr, ":")
	stores.Background(t, bin, append([]string{"-c", config, "-e", "--path.data", dir, "--path.logs", dir, "-E", "pcap=" + root + "tests/captures/demo.pcap",
		"-E", "run_forever=true", "-E", "http_port=" + port, "-E", "output.elasticsearch.enabled=false", "-E", "output.file.enabled=true", "-E", "output.file.path=" + dir}, args...)...)
	url = "http://" + addr
	stores.Until(t, "the capture is read", func() error {
		var p struct{ Total int }
		if err := get(url+"/events", &p); err != nil {
			return err
		}
		if p.Total == 0 {
			return fmt.Errorf("%d events", p.Total)
		}
		return nil
	})
	return url
}

// Thousands of requests, right and wrong ones, made of the document: none ends in a fault,
// what is wrong is refused, and each answer is as described. Streams and the profiler do
// not end by themselves.
func TestSchemathesis(t *testing.T) {
	path := needed(t, "SCHEMATHESIS")
	url := program(t, "-E", "http.inject=true")
	c := exec.Command(path, "run", url+"/api/v1/openapi.json", "--checks", "all", "--exclude-checks", "positive_data_acceptance",
		"--exclude-path-regex", "stream|pprof", "--generation-codec", "ascii", "--max-examples", "20", "--seed", "1",
		"--no-color", "--continue-on-failure", "--warnings", "off", "--suppress-health-check", "all")
	c.Dir = t.TempDir()
	out, err := c.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, short(out))
	}
	if m := regexp.MustCompile(`(\d+) generated`).FindSubmatch(out); m == nil || len(m[1]) < 4 {
		t.Errorf("too few requests:\n%s", short(out))
	} else {
		t.Logf("%s requests", m[1])
	}
	if err := get(url+"/healthz", nil); err != nil {
		t.Error(err)
	}
	var stats struct {
		Stats map[string]map[string]any `json:"stats"`
	}
	if err := get(url+"/stats", &stats); err != nil || stats.Stats["http"]["http_faults"] != 0.0 {
		t.Errorf("%v faults, %v", stats.Stats["http"]["http_faults"], err)
	}
}

// short cuts the lines of an output, some of which are long requests.
func short(out []byte) string {
	var b strings.Builder
	for line := range strings.Lines(string(out)) {
		if len(line) > 300 {
			line = line[:300] + "...\n"
		}
		b.WriteString(line)
	}
	return b.String()
}

var metric = regexp.MustCompile(`\bsipcmbeat_\w+`)

// Prometheus scrapes the program, has each metric that the shipped rules ask for, and
// evaluates the rules.
func TestPrometheus(t *testing.T) {
	prometheus, promtool := tool(t, "prometheus"), tool(t, "promtool")
	target := program(t)
	addr, err := stores.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	rules, err := filepath.Glob(root + "deploy/prometheus/*.rules.yml")
	if err != nil || len(rules) < 2 {
		t.Fatal(rules, err)
	}
	for i := range rules {
		if rules[i], err = filepath.Abs(rules[i]); err != nil {
			t.Fatal(err)
		}
	}
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [%s]\nscrape_configs:\n"+
		"  - job_name: sipcmbeat\n    static_configs: [{targets: [%q]}]\n", strings.Join(rules, ", "), strings.TrimPrefix(target, "http://"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	stores.Background(t, prometheus, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr, "--log.level=warn")
	api := "http://" + addr + "/api/v1/"

	stores.Until(t, "the program is scraped", func() error {
		if v, err := value(api, `up{job="sipcmbeat"}`); err != nil || v != "1" {
			return fmt.Errorf("up: %s %v", v, err)
		}
		return nil
	})
	for _, path := range rules {
		shipped, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range regexp.MustCompile(`(?m)^\s*expr: .*$`).FindAllString(string(shipped), -1) {
			for _, name := range metric.FindAllString(line, -1) {
				if v, err := value(api, name); err != nil || v == "" {
					t.Errorf("%s: %q %v", name, v, err)
				}
			}
		}
	}
	if v, err := value(api, `sipcmbeat_http_requests_total{path="/metrics"}`); err != nil || v == "" {
		t.Errorf("requests: %q %v", v, err)
	}
	judged(t, api)

	resp, err := http.Get(target + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	check := exec.Command(promtool, "check", "metrics")
	check.Stdin = resp.Body
	out, err := check.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "sipcmbeat_libbeat_") && !strings.HasPrefix(line, "sipcmbeat_beat_") { // whose names are not ours
			t.Errorf("promtool: %s", line)
		}
	}
	if err != nil && len(out) == 0 {
		t.Error(err)
	}
}

// value asks for one value; "" where there is none.
func value(api, query string) (string, error) {
	var answer struct {
		Data struct {
			Result []struct{ Value [2]any } `json:"result"`
		} `json:"data"`
	}
	if err := get(api+"query?query="+url.QueryEscape(query), &answer); err != nil || len(answer.Data.Result) == 0 {
		return "", err
	}
	return fmt.Sprint(answer.Data.Result[0].Value[1]), nil
}

// judged waits until every shipped rule was evaluated without an error; none fires.
func judged(t *testing.T, api string) {
	t.Helper()
	stores.Until(t, "the rules are evaluated", func() error {
		var answer struct {
			Data struct {
				Groups []struct {
					Rules []struct {
						Name, Health, State, LastError string
					}
				}
			}
		}
		if err := get(api+"rules", &answer); err != nil {
			return err
		}
		var names []string
		for _, g := range answer.Data.Groups {
			for _, r := range g.Rules {
				if r.Health != "ok" || r.State == "firing" {
					return fmt.Errorf("%s: %s, %s %s", r.Name, r.Health, r.State, r.LastError)
				}
				names = append(names, r.Name)
			}
		}
		if !slices.Contains(names, "SipcmbeatDown") {
			return fmt.Errorf("rules: %q", names)
		}
		return nil
	})
}
