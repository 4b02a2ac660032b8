package config

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// Size is a number of bytes, written as such or with a unit: 512MiB, 2GB, 64k.
type Size int64

// sizeUnits holds the units, longest first, so that MiB is not taken for B. A
// letter alone means the binary unit, as with most tools of the shell.
var sizeUnits = []struct {
	name  string
	bytes float64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12},
	{"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {"t", 1 << 40},
	{"b", 1}, {"", 1},
}

var errSize = errors.New("no size")

// Unpack reads a size; go-ucfg calls it.
func (s *Size) Unpack(text string) error {
	low := strings.ToLower(strings.TrimSpace(text))
	for _, u := range sizeUnits {
		number, ok := strings.CutSuffix(low, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || !(n >= 0) || n*u.bytes > math.MaxInt64/2 {
			return errSize
		}
		*s = Size(n * u.bytes)
		return nil
	}
	return errSize
}

// String writes the size in the greatest binary unit that divides it.
func (s Size) String() string {
	for _, u := range []struct {
		name  string
		shift uint
	}{{"GiB", 30}, {"MiB", 20}, {"KiB", 10}} {
		if s != 0 && s&(1<<u.shift-1) == 0 {
			return fmt.Sprintf("%d%s", s>>u.shift, u.name)
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// quarter is a quarter of the memory that this program may use, between 64 MiB
// and what a pointer can address.
var quarter = sync.OnceValue(func() int64 {
	return max(memory("/")/4, 64<<20)
})

// memory is what the machine has, or less where a control group says so. Where
// neither can be read (not on Linux) 4 GiB are assumed.
func memory(root string) int64 {
	total := int64(4 << 30)
	if b, err := os.ReadFile(filepath.Join(root, "proc/meminfo")); err == nil {
		for line := range strings.Lines(string(b)) {
			if kb, ok := strings.CutPrefix(line, "MemTotal:"); ok {
				if n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kb), "kB")), 10, 64); err == nil {
					total = n << 10
				}
			}
		}
	}
	for _, path := range groups(root) {
		if b, err := os.ReadFile(path); err == nil {
			if n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil && n > 0 {
				total = min(total, n)
			}
		}
	}
	return total
}

// groups gives the files that may hold a limit: those of the control group of
// this process and of each one above it, version 2 and version 1.
func groups(root string) (files []string) {
	const v2, v1 = "sys/fs/cgroup", "sys/fs/cgroup/memory"
	paths := map[string]string{v2: "/", v1: "/"}
	if b, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup")); err == nil {
		for line := range strings.Lines(string(b)) {
			part := strings.SplitN(strings.TrimSpace(line), ":", 3)
			switch {
			case len(part) < 3:
			case part[1] == "":
				paths[v2] = part[2]
			case strings.Contains(","+part[1]+",", ",memory,"):
				paths[v1] = part[2]
			}
		}
	}
	for base, name := range map[string]string{v2: "memory.max", v1: "memory.limit_in_bytes"} {
		for p := filepath.Clean("/" + paths[base]); ; p = filepath.Dir(p) {
			files = append(files, filepath.Join(root, base, p, name))
			if p == "/" {
				break
			}
		}
	}
	return files
}
