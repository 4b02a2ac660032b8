package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var when = time.Date(2026, 11, 22, 4, 18, 53, 0, time.UTC)

func open(t *testing.T, path string) *File {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

type part struct {
	kind byte
	text string
}

func write(t *testing.T, f *File, parts ...part) {
	t.Helper()
	about := About{Version: 3, Program: "sipcmbeat 1.2.3", Written: when.UnixNano()}
	size, err := f.Write(about, func(put func(byte, []byte) error) error {
		for _, p := range parts {
			if err := put(p.kind, []byte(p.text)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(f.Path()); err != nil || info.Size() != size || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v, want %d bytes of mode 0600", info, err, size)
	}
}

func read(f *File, version uint32) (parts []part, about About, err error) {
	about, err = f.Read(version, func(kind byte, b []byte) error {
		parts = append(parts, part{kind, string(b)})
		return nil
	})
	return parts, about, err
}

// TestRoundTrip: what was written is read, an empty part too, and the second file takes
// the place of the first.
func TestRoundTrip(t *testing.T) {
	f := open(t, filepath.Join(t.TempDir(), "sub", "state"))
	if _, _, err := read(f, 3); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("no file: %v", err)
	}
	write(t, f, part{16, "old"})
	want := []part{{16, "one"}, {17, ""}, {16, strings.Repeat("long", 50_000)}}
	write(t, f, want...)
	got, about, err := read(f, 3)
	if err != nil || len(got) != len(want) {
		t.Fatal(err, len(got))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("part %d differs", i)
		}
	}
	if about.Version != 3 || about.Program != "sipcmbeat 1.2.3" || about.Written != when.UnixNano() || about.Size == 0 {
		t.Errorf("%+v", about)
	}
	if left, _ := filepath.Glob(f.Path() + ".new"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestDamage: of a file with any one byte changed, or cut anywhere, or with something
// behind its end, nothing is given.
func TestDamage(t *testing.T) {
	f := open(t, filepath.Join(t.TempDir(), "state"))
	write(t, f, part{16, "one"}, part{17, "two"})
	whole, err := os.ReadFile(f.Path())
	if err != nil {
		t.Fatal(err)
	}
	try := func(what string, at int, b []byte) {
		t.Helper()
		if err := os.WriteFile(f.Path(), b, 0o600); err != nil {
			t.Fatal(err)
		}
		parts, _, err := read(f, 3)
		var d *Damage
		if !errors.As(err, &d) || len(parts) > 0 {
			t.Errorf("%s at %d: %v, and %d parts", what, at, err, len(parts))
		}
	}
	for i := range whole {
		b := bytes.Clone(whole)
		b[i] ^= 0x10
		try("changed", i, b)
		try("cut", i, whole[:i])
	}
	try("longer", len(whole), append(bytes.Clone(whole), 0))
	two := bytes.Clone(whole)
	at := bytes.Index(two, []byte("one")) - partHead // two whole parts change places
	n := partHead + len("one")
	copy(two[at:], whole[at+n:at+2*n])
	copy(two[at+n:], whole[at:at+n])
	try("exchanged", at, two)
	huge := bytes.Clone(whole)
	binary.LittleEndian.PutUint32(huge[headSize+1:], 1<<31)
	try("long", headSize, huge)
}

// TestVersions: a file of another format is told as such.
func TestVersions(t *testing.T) {
	f := open(t, filepath.Join(t.TempDir(), "state"))
	write(t, f)
	for version, word := range map[uint32]string{2: "newer", 4: "older"} {
		_, about, err := read(f, version)
		var d *Damage
		if !errors.As(err, &d) || d.Word != word || about.Version != 3 {
			t.Errorf("read by %d: %v", version, err)
		}
	}
}

// TestPutAside: a file that cannot be used is kept, and of those the latest three.
func TestPutAside(t *testing.T) {
	f := open(t, filepath.Join(t.TempDir(), "a [b]*", "state"))
	for i := range 5 {
		write(t, f, part{16, "x"})
		name, err := f.PutAside("damaged", when.Add(time.Duration(i)*time.Second))
		if err != nil || !strings.HasPrefix(filepath.Base(name), "state.damaged-20261122T0418") {
			t.Fatal(name, err)
		}
	}
	left, err := os.ReadDir(filepath.Dir(f.Path()))
	if err != nil || len(left) != kept+1 || !strings.Contains(left[0].Name(), "041855") {
		t.Errorf("%v %v, want the latest %d and the lock", left, err, kept)
	}
}

// TestLock: a file is of one program at a time.
func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	first := open(t, path)
	if _, err := Open(path); !errors.Is(err, errHeld) || !strings.Contains(err.Error(), path) {
		t.Errorf("a second one: %v", err)
	}
	first.Close()
	open(t, path)
}

// TestFailures: what cannot be opened is named, and a writing that fails leaves the old
// file.
func TestFailures(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "plain"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"folder", "plain/state"} {
		if _, err := Open(filepath.Join(dir, path)); err == nil || !strings.Contains(err.Error(), "folder") && !strings.Contains(err.Error(), "plain") {
			t.Errorf("%s: %v", path, err)
		}
	}
	f := open(t, filepath.Join(dir, "state"))
	write(t, f, part{16, "old"})
	failed := errors.New("failed")
	if _, err := f.Write(About{Version: 3}, func(func(byte, []byte) error) error { return failed }); !errors.Is(err, failed) {
		t.Error(err)
	}
	if got, _, err := read(f, 3); err != nil || len(got) != 1 || got[0].text != "old" {
		t.Errorf("the old file: %v %v", got, err)
	}
	if _, err := f.Read(3, func(byte, []byte) error { return failed }); !errors.Is(err, failed) {
		t.Error(err)
	}
}

// FuzzScan: no bytes make it panic, or give a part of a file that is not whole.
func FuzzScan(f *testing.F) {
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, in []byte) {
		about, err := scan(bytes.NewReader(in), 3, func(kind byte, b []byte) error { return nil })
		if err == nil && about.Size != int64(len(in)) {
			t.Errorf("%d of %d bytes were read", about.Size, len(in))
		}
	})
}
