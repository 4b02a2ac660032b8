package stores

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"testing"
)

// OpenSearch is an OpenSearch 2.18 of one node. libbeat refuses a server without a
// licence: a Proxy with PosesAs gives it one.
func OpenSearch(t testing.TB) *Server {
	t.Helper()
	return once(t, "opensearch", newOpenSearch)
}

// The runner takes the first free port above its base, up to 9299.
const openSearchFrom, openSearchTo = 9220, 9298

func newOpenSearch(dir string) (*Server, error) {
	home, err := java()
	if err != nil {
		return nil, err
	}
	lib, err := fetched("opensearch")
	if err != nil {
		return nil, err
	}
	base := 0
	for p := openSearchFrom; p < openSearchTo && base == 0; p++ {
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p+1)); err == nil {
			l.Close()
			base = p
		}
	}
	if base == 0 {
		return nil, fmt.Errorf("no free port for opensearch from %d to %d", openSearchFrom+1, openSearchTo)
	}
	s := &Server{Name: "opensearch", Addr: fmt.Sprintf("127.0.0.1:%d", base+1), dir: dir}
	s.URL = "http://" + s.Addr
	cluster := filepath.Base(filepath.Dir(dir)) + "-" + filepath.Base(dir)
	s.command = func() *exec.Cmd {
		c := exec.Command(filepath.Join(home, "bin", "java"), "-Xms512m", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
			"-cp", lib+"/*", "org.codelibs.opensearch.runner.OpenSearchRunner", "-basePath", filepath.Join(dir, "nodes"),
			"-numOfNode", "1", "-baseHttpPort", fmt.Sprint(base), "-clusterName", cluster)
		c.Dir = dir
		return c
	}
	s.ready = func() error {
		_, body, err := s.Try("GET", "/", "")
		if err != nil {
			return err
		}
		var said struct {
			Name string `json:"cluster_name"`
		}
		if err := json.Unmarshal(body, &said); err != nil || said.Name != cluster {
			return fmt.Errorf("another server is at %s: %s", s.Addr, body)
		}
		status, body, err := s.Try("GET", "/_cluster/health", "")
		if err == nil && (status != 200 || bytes.Contains(body, []byte(`"status":"red"`))) {
			err = fmt.Errorf("%d: %s", status, body)
		}
		return err
	}
	return s, nil
}
