package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// named finds what a document calls a file of this repository: in backticks, with a
// folder or an ending in it.
var named = regexp.MustCompile("`((?:[a-z_]+/)+[a-z0-9_.-]*|[A-Za-z_-]+\\.(?:md|yml|go|sh))`")

// TestDocumentsNameWhatExists: a page that names a file which is not there sends its
// reader nowhere.
func TestDocumentsNameWhatExists(t *testing.T) {
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	pages = append(pages, "../README.md", "../ARCHITECTURE.md", "../CONTRIBUTING.md")
	found := 0
	for _, page := range pages {
		if page == "../docs/fields.md" { // its examples are values, some with a slash
			continue
		}
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range named.FindAllStringSubmatch(string(text), -1) {
			found++
			// Some pages speak of a package and then of its files by their short names.
			if !exists(m[1]) && !exists("internal/"+m[1]) {
				t.Errorf("%s names %s, which does not exist", strings.TrimPrefix(page, "../"), m[1])
			}
		}
	}
	if found < 30 {
		t.Errorf("only %d names found: the pattern is wrong", found)
	}
}

func exists(path string) bool {
	if _, err := os.Stat("../" + path); err == nil {
		return true
	}
	if strings.Contains(path, "/") {
		return false
	}
	// A file's name alone: wherever it stands.
	out, err := exec.Command("git", "-C", "..", "ls-files", "*/"+path).Output()
	return err == nil && len(out) > 0
}

// TestArchitectureNamesEveryPackage: who looks for the place of a thing finds it
// there.
func TestArchitectureNamesEveryPackage(t *testing.T) {
	text, err := os.ReadFile("../ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range level {
		if strings.HasPrefix(pkg, "internal/") && !strings.Contains(string(text), "`"+strings.TrimPrefix(pkg, "internal/")+"`") &&
			!strings.Contains(string(text), "`"+pkg+"`") && !strings.Contains(string(text), strings.TrimPrefix(pkg, "internal/")+"`") {
			t.Errorf("ARCHITECTURE.md does not name %s", pkg)
		}
	}
}
