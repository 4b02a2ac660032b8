package siptest

import (
	"os"
	"path/filepath"
	"testing"
)

// Shared is a folder of captures that are too many to be copied here, beside the checkout.
// Where it is missing the test is skipped, and fails where CI is true.
func Shared(t testing.TB, name string) string {
	t.Helper()
	dir := filepath.Join(root(t), "..", "shared", name)
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("needs the shared captures in %s: %v", dir, err)
		}
		t.Skipf("needs the shared captures in %s", dir)
	}
	return dir
}

// root is the checkout, from the folder of the package that is tested.
func root(t testing.TB) string {
	t.Helper()
	for dir := "."; len(dir) < 20; dir = filepath.Join("..", dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	t.Fatal("no go.mod above the folder of the test")
	return ""
}
