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

// A saved object that is not made any more would still be loaded.
func TestNoMadeFileIsLeftOver(t *testing.T) {
	root := filepath.Join("..", "..")
	made, err := generate(root)
	if err != nil {
		t.Fatal(err)
	}
	gone, err := old(root, made)
	if err != nil || len(gone) > 0 {
		t.Errorf("left over: %v, %v: run go run ./tools/update in the root", gone, err)
	}
}

func TestPanelsThatCannotBe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.yml")
	for _, panel := range []string{
		"{title: x, as: picture, size: [1, 1]}",
		"{title: x, as: number, by: [a], size: [1, 1]}",
		"{title: x, as: bars, size: [1, 1]}",
		"{title: x, as: bars, by: [a, b], size: [1, 1]}",
		"{title: x, as: table, size: [1, 1]}",
		"{title: x, as: list, size: [1, 1]}",
		"{title: x, as: number, of: avg, size: [1, 1]}",
		"{title: x, as: number, of: mean a, size: [1, 1]}",
		"{title: x, as: number, size: [49, 1]}",
		"{title: x, as: number}",
		"{title: x, as: number, size: [1, 1], where is: a}",
		"{title: x, as: bars, parts: [a], size: [1, 1]}",
	} {
		if err := os.WriteFile(path, []byte("- {id: a, title: A, panels: ["+panel+"]}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readBoards(path); err == nil {
			t.Errorf("%s is taken", panel)
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
