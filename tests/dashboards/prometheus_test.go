package dashboards

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/engine"
	metrics "github.com/sipcmbeat/sipcmbeat/internal/metric"
	"github.com/sipcmbeat/sipcmbeat/tests/stores"
)

const prometheus = root + "deploy/prometheus/"

// tool is a program that the Makefile installs.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		stop(t, name+" is missing; run make integration")
	}
	return path
}

// The rules are rules, and each fires when it has to and not before.
func TestPrometheusRules(t *testing.T) {
	for _, file := range []string{"sipcmbeat", "sipcmbeat.metrics"} {
		for _, args := range [][]string{{"check", "rules", file + ".rules.yml"}, {"test", "rules", file + ".rules.test.yml"}} {
			c := exec.Command(tool(t, "promtool"), args...)
			c.Dir = prometheus
			if out, err := c.CombinedOutput(); err != nil {
				t.Errorf("promtool %v: %v\n%s", args, err, out)
			}
		}
		rules, err := os.ReadFile(prometheus + file + ".rules.yml")
		if err != nil {
			t.Fatal(err)
		}
		tests, err := os.ReadFile(prometheus + file + ".rules.test.yml")
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(string(rules), -1) {
			if !regexp.MustCompile(`alertname: ` + m[1] + `\s+exp_alerts:\n`).Match(tests) {
				t.Errorf("no test makes %s fire", m[1])
			}
		}
	}
}

// The metrics of the rules over /metrics are families of the program, and a value of a
// label in them is one that the family has.
func TestPrometheusNames(t *testing.T) {
	values := map[string][]string{}
	take := func(d *metrics.Desc, value string, _ float64) {
		name := d.Prometheus()
		values[name] = append(values[name], d.Label+`="`+value+`"`)
	}
	(&engine.Stats{}).Samples(take)
	(&engine.Host{}).Samples(take)
	rules, err := os.ReadFile(prometheus + "sipcmbeat.metrics.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, line := range regexp.MustCompile(`(?m)^\s*expr: .*$`).FindAllString(string(rules), -1) {
		for _, m := range regexp.MustCompile(`\b(sipcmbeat_\w+)(?:\{([^}]*)\})?`).FindAllStringSubmatch(line, -1) {
			found++
			if values[m[1]] == nil || m[2] != "" && !slices.Contains(values[m[1]], m[2]) {
				t.Errorf("the program has no %s", m[0])
			}
		}
	}
	if found < 12 {
		t.Errorf("only %d metrics found: the pattern is wrong", found)
	}
}

var metric = regexp.MustCompile(`\b(sipcmbeat|node)_\w+`)

// Every metric of the rules is there when the real program runs: its counters, written by
// sipcmbeat-stats, read by node_exporter.
func TestPrometheusMetrics(t *testing.T) {
	bin, exporter := binary(t), tool(t, "prometheus-node-exporter")
	tool(t, "curl")
	tool(t, "jq")
	dir := t.TempDir()
	stats, metrics := free(t), free(t)
	host, port, _ := strings.Cut(stats, ":")
	shipped, err := os.ReadFile(root + "sipcmbeat.yml")
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "sipcmbeat.yml")
	if err := os.WriteFile(config, shipped, 0o600); err != nil {
		t.Fatal(err)
	}
	stores.Background(t, bin, "-c", config, "--path.data", dir, "--path.logs", dir, "-E", "pcap="+root+"tests/captures/demo.pcap",
		"-E", "run_forever=true", "-E", "http.enabled=true", "-E", "http.host="+host, "-E", "http.port="+port,
		"-E", "output.elasticsearch.enabled=false", "-E", "output.file.enabled=true", "-E", "output.file.path="+dir)
	stores.Background(t, exporter, "--collector.disable-defaults", "--collector.textfile", "--collector.textfile.directory="+dir,
		"--web.listen-address="+metrics)
	url := "http://" + stats + "/stats"
	var out []byte
	stores.Until(t, "the program answers", func() (err error) {
		out, err = exec.Command(prometheus+"sipcmbeat-stats", url, dir).CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		return err
	})
	var page []byte
	rules, err := os.ReadFile(prometheus + "sipcmbeat.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	stores.Until(t, "node_exporter has what the rules need", func() error {
		resp, err := http.Get("http://" + metrics + "/metrics")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if page, err = io.ReadAll(resp.Body); err != nil {
			return err
		}
		for _, line := range regexp.MustCompile(`(?m)^\s*expr: .*$`).FindAllString(string(rules), -1) {
			for _, name := range metric.FindAllString(line, -1) {
				if !bytes.Contains(page, []byte("\n"+name+" ")) && !bytes.Contains(page, []byte("\n"+name+"{")) {
					return fmt.Errorf("%s is missing", name)
				}
			}
		}
		return nil
	})
	if !regexp.MustCompile(`(?m)^node_textfile_mtime_seconds\{file="(.*/)?sipcmbeat[.]prom"\} `).Match(page) {
		t.Error("the time of the file has another name than the rules give it")
	}
	if !bytes.Contains(page, []byte("\nnode_textfile_scrape_error 0\n")) {
		t.Error("node_exporter cannot read the file")
	}
	// Nobody answers: the file stays, and nothing is left beside it.
	if out, err := exec.Command(prometheus+"sipcmbeat-stats", "http://"+free(t)+"/stats", dir).CombinedOutput(); err == nil {
		t.Errorf("nobody answers, and it says %s", out)
	}
	if left, _ := filepath.Glob(dir + "/sipcmbeat.prom*"); len(left) != 1 {
		t.Errorf("left over: %v", left)
	}
}

func free(t *testing.T) string {
	t.Helper()
	addr, err := stores.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}
