package packages

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

func pidText(c *exec.Cmd) string { return strconv.Itoa(c.Process.Pid) }

// TestArchive: it runs from where it is unpacked.
func TestArchive(t *testing.T) {
	dir := t.TempDir()
	must(t, "tar", "-C", dir, "-xf", made(t, "*.tar.gz"))
	inside, err := filepath.Glob(dir + "/sipcmbeat-*-linux-" + runtime.GOARCH)
	if err != nil || len(inside) != 1 {
		t.Fatalf("%v, %v", inside, err)
	}
	program := inside[0] + "/sipcmbeat"
	if out := must(t, program, "replay", "--format", "table", demo); !strings.Contains(out, "call-start") {
		t.Errorf("replay gives\n%s", out)
	}
	if out := must(t, program, "version"); strings.Contains(out, "commit unknown") {
		t.Error(out)
	}
	if out := must(t, "sh", "-c", "cd "+inside[0]+" && ./sipcmbeat test config"); !strings.Contains(out, "Config OK") {
		t.Error(out)
	}
	for _, name := range []string{"LICENSE", "NOTICE", "README.md", "third-party-licences.gz", "docs/install.md", "sipcmbeat.service", "sipcmbeat.yml"} {
		if _, err := os.Stat(filepath.Join(inside[0], name)); err != nil {
			t.Error(err)
		}
	}
	shells(t, inside[0])
}

// shells lets each shell complete a command line.
func shells(t *testing.T, dir string) {
	t.Helper()
	if out := must(t, dir+"/sipcmbeat", "--path.home", "/", "__complete", "replay", "--f"); !strings.HasPrefix(out, "--format\t") {
		t.Errorf("--f becomes\n%s", out)
	}
	must(t, "bash", "-uc", ". "+dir+"/completion/bash && complete -p sipcmbeat")
	must(t, "zsh", "-n", dir+"/completion/zsh")
	must(t, "fish", "-n", dir+"/completion/fish")
	if out := must(t, "fish", "-c", "set PATH "+dir+" $PATH; source "+dir+"/completion/fish; complete -C 'sipcmbeat dev'"); !strings.HasPrefix(out, "devices") {
		t.Errorf("fish: dev becomes\n%s", out)
	}
}

func TestManualPage(t *testing.T) {
	const page = "../../packaging/sipcmbeat.1"
	out, _ := try("mandoc", "-T", "lint", "-W", "warning", page)
	for _, line := range strings.Split(out, "\n") {
		if line != "" && !strings.Contains(line, "missing date") { // it would change with each build
			t.Error(line)
		}
	}
	dir := t.TempDir()
	text := must(t, "sh", "-c", "man --warnings -l "+page+" 2>"+dir+"/warnings")
	if !strings.Contains(text, "sipcmbeat replay FILE...") {
		t.Errorf("the page:\n%s", text)
	}
	if warnings, err := os.ReadFile(dir + "/warnings"); err != nil || len(warnings) > 0 {
		t.Errorf("man --warnings: %v %s", err, warnings)
	}
}

func TestSums(t *testing.T) {
	must(t, "sh", "-c", "cd "+dist(t)+" && sha256sum --strict -c SHA256SUMS && test $(ls | wc -l) = $(($(wc -l <SHA256SUMS) + 1))")
}

func TestSBOM(t *testing.T) {
	text, err := os.ReadFile(made(t, "*.spdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Packages []struct {
			Name             string
			VersionInfo      string
			LicenseConcluded string
			Checksums        []struct{ ChecksumValue string }
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, p := range d.Packages {
		found[p.Name] = p.VersionInfo
		if p.LicenseConcluded == "" || strings.Contains(p.LicenseConcluded, "GPL") {
			t.Errorf("%s is under %q", p.Name, p.LicenseConcluded)
		}
	}
	for _, name := range []string{"sipcmbeat", "Go", "libpcap", "github.com/elastic/beats/v7", "github.com/elastic/gopacket"} {
		if found[name] == "" {
			t.Errorf("%s is not in it", name)
		}
	}
	program := filepath.Join(dist(t), "../package", runtime.GOARCH, "sipcmbeat")
	if sum, _, _ := strings.Cut(must(t, "sha256sum", program), " "); sum != d.Packages[0].Checksums[0].ChecksumValue {
		t.Errorf("the sum is %s, not the program's %s", d.Packages[0].Checksums[0].ChecksumValue, sum)
	}
}

// TestSameBytes builds once more, from a copy elsewhere, with another umask.
func TestSameBytes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deeper")
	must(t, "sh", "-ec", `umask 002; mkdir "$0"; cd ../..; git ls-files -co --exclude-standard | tar -cT - | tar -C "$0" --no-same-permissions -x
cd "$0"; packaging/build.sh "$1" build/dist`, dir, runtime.GOARCH)
	files, err := os.ReadDir(dir + "/build/dist")
	if err != nil || len(files) != 4 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		if out, err := try("cmp", filepath.Join(dir, "build/dist", f.Name()), filepath.Join(dist(t), f.Name())); err != nil {
			t.Error(out)
		}
	}
}
