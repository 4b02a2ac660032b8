package privacy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// own are the captures of this project: those that are shipped and those of the goldens.
func own(t *testing.T) []string {
	t.Helper()
	return matches(t, "../captures/*.pcap", "../golden/*/in.pcap")
}

const beside = "../../../shared"

// lab are the captures of the laboratory, which stand beside the checkout; corpus those of
// other projects, and the torture messages of RFC 4475 and RFC 5118.
func lab(t *testing.T) []string {
	t.Helper()
	return shared(t, "/lab/*/*.pcap", "/lab/*/*.pcap.gz", "/lab/*/*.pcapng")
}

func corpus(t *testing.T) []string {
	t.Helper()
	return shared(t, "/corpus/*.pcap", "/corpus/*.pcapng", "/corpus/*.cap", "/torture/*.pcap")
}

func shared(t *testing.T, patterns ...string) []string {
	t.Helper()
	dir := siptest.Shared(t, ".")
	for i := range patterns {
		patterns[i] = dir + patterns[i]
	}
	return matches(t, patterns...)
}

func matches(t *testing.T, patterns ...string) (all []string) {
	t.Helper()
	for _, p := range patterns {
		files, err := filepath.Glob(p)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, files...)
	}
	if len(all) == 0 {
		t.Fatalf("no captures: %v", patterns)
	}
	return all
}

// unnamed is a capture by a name that says nothing: sip.pcap.path is what the user chose,
// and stays.
func unnamed(t *testing.T, file string) string {
	t.Helper()
	path, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "capture")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	link := filepath.Join(dir, "in")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	return link
}

// name is that of a capture in a test.
func name(file string) string {
	return strings.TrimPrefix(filepath.Base(filepath.Dir(file))+"/"+filepath.Base(file), "shared/")
}
