package privacy

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/privacy"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// everything are the settings that mask every group in one mode.
func everything(mode string) (args []string) {
	for g := event.Group(1); g < event.NumGroups; g++ {
		args = append(args, "-E", "privacy."+g.String()+"="+mode)
	}
	return append(args, "-E", "privacy.key="+testKey.Text())
}

// named lets records have the headers of schema, and the numbers that collect reads.
var named = []string{"-E", "headers=" + strings.Join(headers, ","), "-E", "numbers.country=DE"}

// replayed runs replay over a capture and gives what it wrote, also to standard error.
// Captures that are damaged are said to be: its status is no matter.
func replayed(t *testing.T, file string, args ...string) (stdout, stderr []byte) {
	t.Helper()
	c := exec.Command(siptest.Program(t), append([]string{"replay", file}, args...)...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil && c.ProcessState.ExitCode() != 1 {
		t.Fatalf("replay %s %v: %v\n%s", file, args, err, errs.Bytes())
	}
	return out.Bytes(), errs.Bytes()
}

// tells fails for each private value in an output.
func tells(t *testing.T, x *searcher, title string, output []byte) {
	t.Helper()
	for _, h := range x.search(output) {
		t.Errorf("%s: %v", title, h)
	}
}

// tellsFiles looks into the files below a folder, and at their names.
func tellsFiles(t *testing.T, x *searcher, title, dir string) (n int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		tells(t, x, title+", name", []byte(d.Name()))
		if d.IsDir() {
			return nil
		}
		n++
		b, err := os.ReadFile(path)
		if err == nil {
			tells(t, x, title+" "+d.Name(), b)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestReplayTellsNothing: whatever format replay writes, the files of single calls, and
// what it says on standard error.
func TestReplayTellsNothing(t *testing.T) {
	for _, file := range own(t) {
		for _, mode := range maskAll {
			t.Run(name(file)+" "+mode.String(), func(t *testing.T) {
				t.Parallel()
				replayTellsNothing(t, file, mode, []string{"--messages"}, []string{"-E", "schema=legacy"}, []string{"--format", "csv"}, []string{"--format", "table"}, []string{"--format", "ladder"})
			})
		}
	}
}

func TestLabReplayTellsNothing(t *testing.T) { encryptedTellNothing(t, lab(t)) }

func TestSharedReplayTellsNothing(t *testing.T) { encryptedTellNothing(t, corpus(t)) }

// encryptedTellNothing leaves out what is made of the same fields, and what
// TestRecordsTellNothing looks at in every mode.
func encryptedTellNothing(t *testing.T, files []string) {
	for _, file := range files {
		t.Run(name(file), func(t *testing.T) {
			t.Parallel()
			replayTellsNothing(t, file, privacy.Encrypt, []string{"--messages"}, []string{"--format", "ladder"})
		})
	}
}

func replayTellsNothing(t *testing.T, file string, mode privacy.Mode, formats ...[]string) {
	t.Helper()
	in := unnamed(t, file)
	s := collect(t, in)
	x := newSearcher(s)
	for _, format := range formats {
		stdout, stderr := replayed(t, in, join(format, everything(mode.String()), named)...)
		tells(t, x, strings.Join(format, " "), stdout)
		tells(t, x, strings.Join(format, " ")+", standard error", stderr)
	}
	dir, err := os.MkdirTemp("", "dump")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	stdout, stderr := replayed(t, in, join([]string{"--dump", dir, "-E", "pcap_dump.clear=false"}, everything(mode.String()), named)...)
	tells(t, x, "with --dump", stdout)
	tells(t, x, "with --dump, standard error", stderr)
	if n := tellsFiles(t, s.bytesToo(), "--dump", dir); n == 0 && len(s.clear) > 100 {
		t.Error("--dump has written no file")
	}
}

// bytesToo looks for the bytes of addresses besides.
func (s *secrets) bytesToo() *searcher {
	more := &secrets{values: map[string]string{}, public: s.public}
	for value, field := range s.values {
		more.values[value] = field
	}
	for value, field := range s.raw() {
		more.put(field, value)
	}
	return newSearcher(more)
}

func join(args ...[]string) (all []string) {
	for _, a := range args {
		all = append(all, a...)
	}
	return all
}

// TestPlantedLeak: a value that leaves in clear by one group is found, in each format.
func TestPlantedLeak(t *testing.T) {
	file := unnamed(t, "../captures/04-calls.pcap")
	x := newSearcher(collect(t, file))
	for _, group := range []string{"addresses", "uris", "call_ids", "tags", "user_agents"} {
		args := join(everything("encrypt"), []string{"-E", "privacy." + group + "=clear"}, named)
		stdout, _ := replayed(t, file, join(args, []string{"--messages"})...)
		if len(x.search(stdout)) == 0 {
			t.Errorf("%s in clear is not found", group)
		}
	}
}
