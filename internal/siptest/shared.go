package siptest

import (
	"os"
	"path/filepath"
	"testing"
)

// Shared is a folder of captures that are too many to be copied here, beside the checkout
// as a test of a package in internal sees it. Where it is missing the test is skipped, and
// fails where CI is true.
func Shared(t testing.TB, name string) string {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "shared", name)
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("needs the shared captures in %s: %v", dir, err)
		}
		t.Skipf("needs the shared captures in %s", dir)
	}
	return dir
}
