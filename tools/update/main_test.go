package main

import (
	"os"
	"path/filepath"
	"testing"
)

// What is made of another file has to be what it would be made of now.
func TestMadeFilesAreCurrent(t *testing.T) {
	root := filepath.Join("..", "..")
	made, err := generate(root)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range made {
		got, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Error(err)
		} else if string(got) != want {
			t.Errorf("%s is not current: run go run ./tools/update in the root", path)
		}
	}
}

func TestFillNeedsItsMarks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.md")
	for _, text := range []string{"", "<!-- a: made by tools/update -->\n", "<!-- end of a -->\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := fill(path, "a", "x"); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
