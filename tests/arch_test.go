package tests

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const module = "github.com/sipcmbeat/sipcmbeat"

// level is a package's height in the one-way rule: it may import packages of a
// lower level, and never one of its own.
var level = map[string]int{
	"internal/sip":          0,
	"internal/event":        0,
	"internal/hep":          0,
	"internal/qos":          0,
	"internal/codec":        0,
	"internal/siphash":      0,
	"internal/state":        0,
	"internal/metric":       0,
	"internal/view":         0,
	"internal/packet":       1,
	"internal/stream":       2,
	"internal/track":        2,
	"internal/limit":        2,
	"internal/api/web":      2,
	"internal/kpi":          2,
	"internal/privacy":      2,
	"internal/enrich":       2,
	"internal/recent":       2,
	"internal/doctor":       3,
	"internal/capture":      3,
	"internal/relay":        3,
	"internal/capture/live": 4, // on top of capture, and the only cgo
	"internal/dump":         3,
	"internal/api":          3,
	"internal/engine":       5,
	"config":                6,
	"beater":                7,
	"include":               7,
	"cmd":                   8,
	"":                      9,
}

// testOnly may be imported by tests alone.
const testOnly = "internal/siptest"

// TestOneWay: arrows point down only.
func TestOneWay(t *testing.T) {
	for pkg, imports := range packages(t) {
		if pkg == testOnly || strings.HasPrefix(pkg, "tests") || strings.HasPrefix(pkg, "tools") {
			continue
		}
		height, known := level[pkg]
		if !known {
			t.Errorf("%s has no level: say in arch_test.go where it stands", pkg)
			continue
		}
		for _, imported := range imports {
			own, ok := strings.CutPrefix(imported, module+"/")
			if !ok {
				continue
			}
			if own == testOnly {
				t.Errorf("%s imports %s, which is for tests: what it holds must not reach users", pkg, own)
				continue
			}
			if level[own] >= height {
				t.Errorf("%s imports %s: stages of one level never import each other, and arrows point down, so that each can be read, tested and replaced alone", pkg, own)
			}
		}
	}
}

// forbidden lists what must not appear below a package, with the reason.
var forbidden = []struct{ pkg, imports, reason string }{
	{"internal/sip", `^[^/]+\.[^/]+/`, "the parser has only the standard library, so that it can move out unchanged"},
	{"internal/hep", `^[^/]+\.[^/]+/`, "the codec has only the standard library, so that it can move out unchanged"},
	{"internal/event", `^[^/]+\.[^/]+/`, "the contract with the outside has only the standard library"},
	{"internal/qos", `^[^/]+\.[^/]+/`, "reports are bytes like messages: the standard library reads them"},
	{"internal/relay", `google/gopacket`, "gopacket stays inside packet, stream and capture"},
	{"internal/track", `google/gopacket`, "gopacket stays inside packet, stream and capture"},
	{"internal/engine", `google/gopacket`, "gopacket stays inside packet, stream and capture"},
	{"internal/", `elastic/`, "libbeat is 1400 packages and minutes of cold build; go test ./internal/... must not need it"},
	{"internal/sip", `^(net|os|io/fs|time|log)$`, "the parser does no I/O and reads no clock"},
	{"internal/hep", `^(net|os|io/fs|time|log)$`, "the codec does no I/O and reads no clock"},
	{"internal/track", `^(net|os|log|math/rand)$`, "the tracker is pure: time and messages in, events out"},
}

func TestForbidden(t *testing.T) {
	for pkg, imports := range packages(t) {
		for _, rule := range forbidden {
			if pkg != rule.pkg && !(strings.HasSuffix(rule.pkg, "/") && strings.HasPrefix(pkg, rule.pkg)) {
				continue
			}
			for _, imported := range imports {
				if strings.HasPrefix(imported, module) {
					continue
				}
				if regexp.MustCompile(rule.imports).MatchString(imported) {
					t.Errorf("%s imports %s: %s", pkg, imported, rule.reason)
				}
			}
		}
	}
}

// TestOnlyBeaterIsLive: cgo and libpcap are needed by the daemon alone.
func TestOnlyBeaterIsLive(t *testing.T) {
	for pkg, imports := range packages(t) {
		for _, imported := range imports {
			if imported == module+"/internal/capture/live" && pkg != "beater" && pkg != "config" && pkg != "cmd" {
				t.Errorf("%s imports capture/live: what needs libpcap stays at the edge, so that goldens run without it", pkg)
			}
		}
	}
}

// TestNoClock: time comes with the packets.
func TestNoClock(t *testing.T) {
	for _, file := range goFiles(t, "../internal") {
		if strings.HasSuffix(file, "_test.go") || strings.Contains(file, "internal/capture/") || strings.Contains(file, "internal/api/") {
			continue // the edges: live packets, and clients
		}
		inspect(t, file, func(n ast.Node) {
			call, ok := n.(*ast.SelectorExpr)
			if !ok {
				return
			}
			if x, ok := call.X.(*ast.Ident); ok && x.Name == "time" && (call.Sel.Name == "Now" || call.Sel.Name == "Since" || call.Sel.Name == "Sleep" || call.Sel.Name == "After") {
				t.Errorf("%s uses time.%s: timers run on packet time, so that a replay gives the same events at any speed", file, call.Sel.Name)
			}
		})
	}
}

// TestPackageComments: each package has exactly one.
func TestPackageComments(t *testing.T) {
	dirs := map[string]int{}
	for _, file := range append(goFiles(t, "../internal"), append(goFiles(t, "../beater"), append(goFiles(t, "../cmd"), goFiles(t, "../config")...)...)...) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.PackageClauseOnly)
		if err != nil {
			t.Fatal(err)
		}
		dirs[filepath.Dir(file)] += 0
		if f.Doc != nil && strings.HasPrefix(f.Doc.Text(), "Package ") {
			dirs[filepath.Dir(file)]++
		}
	}
	for dir, n := range dirs {
		if n != 1 {
			t.Errorf("%s has %d package comments; it needs one that says what it does, what it does not, and who owns the bytes", dir, n)
		}
	}
}

// TestNoSurprises: what makes code hard to follow stays out of internal.
func TestNoSurprises(t *testing.T) {
	for _, file := range goFiles(t, "../internal") {
		test := strings.HasSuffix(file, "_test.go")
		inspect(t, file, func(n ast.Node) {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Name.Name == "init" && n.Recv == nil && !test {
					t.Errorf("%s has an init function: registries are table literals", file)
				}
			case *ast.ImportSpec:
				if strings.HasSuffix(file, "capture/live/ring_linux.go") {
					return // a word that is shared with the kernel
				}
				if strings.HasSuffix(file, "privacy/show.go") {
					return // one walk over all pages: a page that is added cannot be forgotten
				}
				if p := n.Path.Value; !test && (p == `"unsafe"` || p == `"reflect"`) {
					t.Errorf("%s imports %s", file, p)
				}
			}
		})
	}
}

// packages lists every package with what it imports itself, without tests.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	cmd := exec.Command("go", "list", "-f", "{{.ImportPath}} {{join .Imports \" \"}}", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	all := map[string][]string{}
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		f := strings.Fields(line)
		all[strings.TrimPrefix(strings.TrimPrefix(f[0], module), "/")] = f[1:]
	}
	return all
}

func goFiles(t *testing.T, root string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".go") {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func inspect(t *testing.T, file string, visit func(ast.Node)) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if n != nil {
			visit(n)
		}
		return true
	})
}
