package siptest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// Program is the program under test: SIPCMBEAT_BINARY names it, without it one is built, once
// for the tests of a package.
func Program(t testing.TB) string {
	t.Helper()
	dir := root(t)
	built.Do(func() { built.path, built.err = build(dir) })
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.path
}

var built struct {
	sync.Once
	path string
	err  error
}

func build(root string) (string, error) {
	if path := os.Getenv("SIPCMBEAT_BINARY"); path != "" {
		return path, nil
	}
	dir, err := os.MkdirTemp("", "sipcmbeat-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "sipcmbeat")
	if out, err := exec.Command("go", "build", "-o", path, root).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w: %s", err, out)
	}
	return path, nil
}
